"""What a signal asks of a run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tailrace._cli.progress import Progress
    from tailrace._runtime.pump import Stop

__all__ = ["INTERRUPTED", "Signals"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Signals:
    """
    Ctrl-C and SIGTERM as a wish to end in good order, for as long as the block lasts.

    A second one ends the process at once, as if there were no handler.
    """

    def __init__(self, wish: Stop) -> None:
        self._wish = wish
        self._previous: dict[int, Any] = {}
        self.number: int | None = None
        # Lets a loop that waits see the wish.
        self.wake: Callable[[], object] | None = None
        self.progress: Progress | None = None

    @property
    def code(self) -> int:
        """The exit code that a signal asks for."""
        return INTERRUPTED if self.number == signal.SIGINT else 0

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.number = number
        if self.progress is not None:
            # The next signal ends the process with whatever stands there.
            self.progress.end()
        if self.wake is not None:
            self.wake()
        self._wish.ask()
