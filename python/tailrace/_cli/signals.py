"""Ctrl-C and SIGTERM, as requests to stop a run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tailrace._cli.progress import Progress
    from tailrace._runtime.pump import StopRequest

__all__ = ["INTERRUPTED", "Signals"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Signals:
    """
    Turns Ctrl-C and SIGTERM into a request to stop gracefully, while the block lasts.

    A second signal ends the process at once, as if there were no handler.
    """

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._previous: dict[int, Any] = {}
        self.number: int | None = None
        self.is_stopped = False
        # Restores the terminal, since the next signal ends the process.
        self.restore: Callable[[], object] | None = None
        # Wakes a waiting loop, so that it sees the request.
        self.wake: Callable[[], object] | None = None
        self.progress: Progress | None = None

    @property
    def code(self) -> int:
        """The exit code after the signal, 0 if there was none."""
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
            # The next signal would leave the progress line on the terminal.
            self.progress.end()
        if self.restore is not None:
            self.restore()
        self.stop()

    def stop(self) -> None:
        """Request the stop, as a signal does."""
        self.is_stopped = True
        if self.wake is not None:
            self.wake()
        self._stop.request()
