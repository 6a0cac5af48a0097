"""Draw a progress line while a long file is read."""

from __future__ import annotations

import os
import signal
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tailrace._runtime.clock import Clock
from tailrace._terminal.progress import ERASED, drawn, progress_line
from tailrace._terminal.streams import say
from tailrace._terminal.style import in_background, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Progress", "goes_to_file"]

# A file that is read sooner gets no progress line.
_FIRST_S = 1.0
_EVERY_S = 0.25

_STDERR = 2


class Progress:
    """
    Draws a progress line on standard error, from the handler of a timer's signal.

    The signal is why reading is not slowed down: only the handler looks at the source.

    Args:
        progress: Returns the number of bytes read, and their total if it is known.
        shown: Whether to draw a line if standard error is a terminal.
    """

    def __init__(self, progress: Callable[[], tuple[int, int | None]], *, shown: bool) -> None:
        self._progress = progress
        self._shown = shown and is_terminal(sys.stderr)
        self._previous: dict[int, Any] = {}
        self._drawn = False
        self._ended = True

    def __enter__(self) -> Self:
        if self._shown:
            self._ended = False
            self._clock = Clock()
            self._begun_us = self._clock.now_us()
            self._handle(signal.SIGALRM, self._tick)
            if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
                self._handle(signal.SIGTSTP, self._stop)
            signal.setitimer(signal.ITIMER_REAL, _FIRST_S, _EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        # Not in `end`, which another signal's handler may call: Python then reports a signal that
        # has arrived and has no handler any more.
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def end(self) -> None:
        """Erase the line and draw no other; safe in a signal handler."""
        if self._ended:
            return
        self._ended = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._erase()

    def say(self, text: str) -> None:
        """Write a message to standard error; the next progress line is drawn below it."""
        self._erase()
        say(text)

    def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            _say(ERASED)

    def _handle(self, number: int, handler: Callable[..., None]) -> None:
        self._previous[number] = signal.signal(number, handler)

    def _tick(self, *_: object) -> None:
        if self._ended or in_background(sys.stderr):
            return
        done, total = self._progress()
        try:
            columns = os.get_terminal_size(_STDERR).columns or 80
        except OSError:
            # The terminal is closed.
            return
        elapsed_s = (self._clock.now_us() - self._begun_us) / 1e6
        _say(drawn(progress_line(done, total, elapsed_s), columns))
        self._drawn = True
        if self._ended:
            # Another signal arrived during the write.
            self._erase()

    def _stop(self, *_: object) -> None:
        """Erase the line for the shell, then stop as if there were no handler."""
        self._erase()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Execution continues here after SIGCONT.
        if not self._ended:
            signal.signal(signal.SIGTSTP, self._stop)


def goes_to_file() -> bool:
    """
    Report whether standard output is a file or /dev/null.

    On a terminal, rows and the progress line would mix; a pipe may lead to a terminal.
    """
    found = os.fstat(1)
    with suppress(OSError):
        return stat.S_ISREG(found.st_mode) or os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH116 - a descriptor's
    return False


def _say(text: str) -> None:
    # If the terminal is closed, another write reports it.
    with suppress(OSError):
        os.write(_STDERR, text.encode())
