"""What the keys of the live table do, and the signals that concern the terminal meanwhile."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from tailrace._terminal.streams import OutputError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from tailrace._cli.signals import Signals
    from tailrace._outputs.screen import Screen
    from tailrace._terminal.keyboard import Keyboard

__all__ = ["Keys", "redraw"]

# The rest of a key's sequence follows at once, even over a slow connection; a key that somebody
# presses after Escape does not.
_PAUSE_S = 0.1

# The number of keys after which lines get their turn: somebody may paste a file.
_AT_ONCE = 256

# Signals that end a process without a handler, except those that `Signals` handles, and those that
# a fault raises, after which no code may run.
_ENDING = ("HUP", "QUIT", "ABRT", "ALRM", "IO", "PROF", "PWR", "USR1", "USR2", "VTALRM", "XCPU")


class Action(NamedTuple):
    """What a key does."""

    name: str
    """The key's name."""
    about: str
    """What it does, for the list of keys."""
    act: Callable[[], object]


class Keys:
    """
    Reads the keys typed at the terminal of a screen, and restores the terminal's modes.

    Args:
        screen: The screen, whose terminal is read.
        signals: What to request a stop from.
        waits: Whether to read no keys before the first line. The program that writes the lines may
            ask for a password first.
    """

    def __init__(self, screen: Screen, signals: Signals, *, waits: bool) -> None:
        self._actions = {
            "q": Action("q", "end with the last result", signals.stop),
            " ": Action("Space", "freeze the display, or continue", screen.freeze),
            "?": Action("?", "show the keys, or hide them", screen.toggle_keys),
        }
        self._screen = screen
        self._signals = signals
        self._waits = waits
        self._keyboard: Keyboard | None = None
        self._is_reading = False
        self._pause: TimerHandle | None = None
        self._handled: list[int] = []

    def __enter__(self) -> Self:
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCONT, self._continued)
        with suppress(ImportError):  # a system without termios
            from tailrace._terminal.keyboard import Keyboard  # noqa: PLC0415 - as above

            self._keyboard = Keyboard.of(self._screen.stream)
        if self._keyboard is not None:
            self._screen.keys = [(action.name, action.about) for action in self._actions.values()]
            self._signals.restore = self._keyboard.release
            # One that is ignored stays so, as after `nohup`.
            for number in _numbers(_ENDING):
                if signal.getsignal(number) == signal.SIG_DFL:
                    self._handled.append(number)
                    signal.signal(number, self._end)
            if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
                self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self.attend(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._signals.restore = None
        if self._keyboard is not None:
            self._keyboard.release()
            self._look()
            self._keyboard.close()
            self._keyboard = None
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_signal_handler(signal.SIGTSTP)
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)

    def attend(self, fed: int) -> None:
        """
        Read keys if in the foreground; call it often, as a shell need not report a change.

        Args:
            fed: The number of lines so far.
        """
        if fed:
            self._waits = False
        if not self._waits:
            self._look()

    def _look(self) -> None:
        """Read keys from now on, or no longer."""
        keyboard = self._keyboard
        if keyboard is None:
            return
        can_read = keyboard.enter()
        if can_read and not self._is_reading:
            try:
                self._loop.add_reader(keyboard.descriptor, self._read)
            except OSError:
                # Where the loop cannot wait for a terminal, there are no keys.
                keyboard.release()
                can_read = False
        elif self._is_reading and not can_read:
            self._loop.remove_reader(keyboard.descriptor)
        self._is_reading = self._screen.has_keys = can_read

    def _read(self) -> None:
        keyboard = self._keyboard
        if keyboard is None:
            return
        if self._pause is not None:
            self._pause.cancel()
        for _, key in zip(range(_AT_ONCE), keyboard.keys(), strict=False):
            self._press(key)
            if self._signals.is_stopped:
                # What follows is for the shell.
                keyboard.release()
                break
        if keyboard.is_in_sequence:
            self._pause = self._loop.call_later(_PAUSE_S, self._paused, keyboard)
        self._look()

    def _paused(self, keyboard: Keyboard) -> None:
        key = keyboard.pause()
        if key is not None:
            self._press(key)

    def _press(self, key: str) -> None:
        action = self._actions.get(key)
        if key != "?":
            redraw(self._screen.hide_keys)
        if action is not None:
            redraw(action.act)

    def _continued(self) -> None:
        self.attend(0)
        redraw(self._screen.continued)

    def _suspend(self) -> None:
        """Restore the terminal for the shell, then stop as if there were no handler."""
        if self._keyboard is not None:
            self._keyboard.leave()
        self._loop.remove_signal_handler(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGTSTP)
        # Execution continues here after SIGCONT, or at once if no shell could continue it.
        self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self.attend(0)

    def _end(self, number: int, _frame: object) -> None:
        """Restore the terminal, then end as if there were no handler."""
        if self._keyboard is not None:
            self._keyboard.release()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _numbers(names: tuple[str, ...]) -> list[signal.Signals]:
    """Return the signals of these names that the system has."""
    return [signal.Signals[f"SIG{name}"] for name in names if hasattr(signal, f"SIG{name}")]


def redraw(draw: Callable[[], object]) -> None:
    """Draw between two results: an output that cannot be written is reported with the next."""
    with suppress(OutputError, BrokenPipeError):
        draw()
