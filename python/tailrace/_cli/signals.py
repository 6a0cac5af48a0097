"""What signals do while a command runs: end it gracefully, show how far it is, or reload."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Self

from tailrace._terminal.streams import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tailrace._cli.progress import Progress
    from tailrace._runtime.pump import StopRequest

__all__ = ["ENDING", "INTERRUPTED", "Signals", "has_terminal", "is_handled"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""The signals that request a stop; SIGHUP only of a process with a terminal."""


class Signals:
    """
    Turns signals into requests, while the block lasts.

    SIGINT, SIGTERM and SIGQUIT request a graceful stop, and so does SIGHUP if the process has a
    controlling terminal; without one it reloads. A second of them ends the process at once, as if
    there were no handler. SIGUSR1 shows how far the run is. A signal that was ignored at the start,
    as after `nohup`, stays ignored.

    Args:
        stop: The stop request.
        show: Shows how far the run is.
        reload: Reloads what can be reloaded.
    """

    def __init__(
        self,
        stop: StopRequest,
        show: Callable[[], object] | None = None,
        reload: Callable[[], object] | None = None,
    ) -> None:
        self._stop = stop
        self._show = show
        self._reload = reload
        self._previous: dict[int, Any] = {}
        self._ending: list[int] = []
        self.number: int | None = None
        self.is_stopped = False
        # Restores the terminal, since the next signal ends the process.
        self.restore: Callable[[], object] | None = None
        # Wakes a waiting loop, so that it sees the request.
        self.wake: Callable[[], object] | None = None
        # Makes a running loop call a function between two steps.
        self.post: Callable[[Callable[[], object]], object] | None = None
        self.progress: Progress | None = None

    @property
    def code(self) -> int:
        """The exit code after the signal, 0 if there was none."""
        return INTERRUPTED if self.number == signal.SIGINT else 0

    def __enter__(self) -> Self:
        if is_handled(signal.SIGUSR1):
            handler = self._request(self._show)
            self._previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, handler)
        reloads = not has_terminal()
        for number in filter(is_handled, ENDING):
            if number == signal.SIGHUP and reloads:
                self._previous[number] = signal.signal(number, self._request(self._reload))
            else:
                self._ending.append(number)
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self.number == signal.SIGHUP and isinstance(error, OutputError):
            # The terminal was closed, as a reader closes a pipe.
            raise BrokenPipeError from error

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        for ending in self._ending:
            signal.signal(ending, signal.SIG_DFL)
        self.number = number
        if self.progress is not None:
            # The next signal would leave the progress line on the terminal.
            self.progress.end()
        if self.restore is not None:
            self.restore()
        self.stop()

    def _request(self, act: Callable[[], object] | None) -> Callable[..., None]:
        """Return a handler that acts where nothing is half written."""
        is_requested = False

        def run() -> None:
            nonlocal is_requested
            is_requested = False
            if act is not None:
                act()

        def handle(*_: object) -> None:
            nonlocal is_requested
            # Many signals at once are one request.
            if not is_requested:
                is_requested = True
                (self._stop.call if self.post is None else self.post)(run)

        return handle

    def attend(self) -> None:
        """Do what was requested before there was a loop."""
        self._stop.take_calls()

    def stop(self) -> None:
        """Request the stop, as a signal does."""
        self.is_stopped = True
        if self.wake is not None:
            self.wake()
        self._stop.request()


def is_handled(number: int) -> bool:
    """Report whether a signal may be handled: one that is ignored stays so, as after `nohup`."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)


def has_terminal() -> bool:
    """
    Report whether this process has a controlling terminal.

    Ask at the start: when the terminal is closed, it is no longer there.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
