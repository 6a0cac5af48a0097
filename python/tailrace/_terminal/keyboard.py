"""Keys, read one by one from a terminal whose modes are restored."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["OTHER", "Decoder", "Keyboard"]

OTHER = ""
"""A key without a character: an arrow, a function key, a character with Alt."""

# Line editing and echo. Signals stay on, so Ctrl-C, Ctrl-Z and Ctrl-\ work.
_MODES = termios.ICANON | termios.ECHO

# A read returns after one byte, without a timeout.
_READS = {termios.VMIN: 1, termios.VTIME: 0}

# The indexes of the local modes and of the special characters in termios' attributes.
_LOCAL = 3
_CHARACTERS = 6

_ESCAPE = 0x1B
_START = bytes([_ESCAPE])

# What a sequence has before its last byte, and a bound for what is no sequence.
_PARAMETERS = range(0x20, 0x40)
_LONGEST = 64


class Keyboard:
    """
    The keyboard of a terminal, in cbreak mode while this process is in the foreground.

    In the background the terminal is the shell's: it is neither read nor changed, and no signal
    stops the process.
    """

    def __init__(self, descriptor: int) -> None:
        # Not shared with another process, so that its reads need not block.
        self.descriptor = descriptor
        self._decoder = Decoder()
        # What was changed: the modes that were turned off, and the special characters before.
        self._off = 0
        self._characters: dict[int, Any] = {}
        self._is_released = False

    @classmethod
    def of(cls, stream: TextIO) -> Keyboard | None:
        """Open the keyboard of a stream's terminal, if that terminal controls this process."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            os.tcgetpgrp(stream.fileno())
        except OSError:
            return None
        for path in _paths(stream):
            with suppress(OSError):
                return cls(os.open(path, flags))
        return None

    def enter(self) -> bool:
        """Enter cbreak mode, if in the foreground; report whether keys can be read."""
        if self._is_released:
            return False
        if not self._is_foreground():
            # Its modes are those of a shell now.
            self._off, self._characters = 0, {}
            return False
        with suppress(termios.error):
            found = termios.tcgetattr(self.descriptor)
            off = found[_LOCAL] & _MODES
            changed = {
                place: found[_CHARACTERS][place]
                for place, value in _READS.items()
                if _number(found[_CHARACTERS][place]) != value
            }
            if off or changed:
                # Noted first: a signal handler may restore them at any time.
                self._off |= off
                self._characters = changed | self._characters
                found[_LOCAL] &= ~_MODES
                for place, value in _READS.items():
                    found[_CHARACTERS][place] = value
                self._set(found)
            if self._is_released:
                self.leave()
            return not self._is_released
        return False

    def leave(self) -> None:
        """Restore the modes that were changed, and no others; in the background do nothing."""
        if not (self._off or self._characters) or not self._is_foreground():
            return
        with suppress(termios.error):
            found = termios.tcgetattr(self.descriptor)
            found[_LOCAL] |= self._off
            for place, value in self._characters.items():
                if _number(found[_CHARACTERS][place]) == _READS[place]:
                    found[_CHARACTERS][place] = value
            self._set(found)
        self._off, self._characters = 0, {}

    def release(self) -> None:
        """Restore the modes for good; safe in a signal handler."""
        self._is_released = True
        self.leave()

    def close(self) -> None:
        """Restore the modes and close the terminal."""
        self.release()
        os.close(self.descriptor)

    def keys(self) -> Iterator[str]:
        """Yield the keys typed so far, reading each when it is requested: the rest is not lost."""
        while not self._is_released and self._is_foreground() and (byte := self._read()):
            key = self._decoder.feed(byte[0])
            if key is not None:
                yield key

    @property
    def is_in_sequence(self) -> bool:
        """Whether an escape was read, and not yet what it begins."""
        return self._decoder.is_in_sequence

    def pause(self) -> str | None:
        """Return the key that ends because nothing follows it, such as Escape."""
        return self._decoder.pause()

    def _is_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.descriptor) == os.getpgrp()
        except OSError:
            # The terminal is closed.
            return False

    def _read(self) -> bytes:
        with _blocked(signal.SIGTTIN), suppress(OSError):
            return os.read(self.descriptor, 1)
        return b""

    def _set(self, attributes: list[Any]) -> None:
        # At once: to wait for output would hang after Ctrl-S. What is typed already is kept.
        with _blocked(signal.SIGTTOU):
            termios.tcsetattr(self.descriptor, termios.TCSANOW, attributes)


class Decoder:
    """
    Turns bytes into keys.

    What begins with an escape is swallowed whole: the sequences of keys, the replies of a terminal,
    a character with Alt.
    """

    def __init__(self) -> None:
        # A sequence that is not complete; of a terminal's reply only its ends.
        self._sequence = bytearray()

    @property
    def is_in_sequence(self) -> bool:
        """Whether a sequence is not complete."""
        return bool(self._sequence)

    def feed(self, byte: int) -> str | None:
        r"""
        Return the key that a byte completes, if it does.

        >>> decoder = Decoder()
        >>> [decoder.feed(byte) for byte in b"q\x1b[1;5A?"]
        ['q', None, None, None, None, None, '', '?']
        """
        if byte == _ESCAPE and not self._is_reply():
            # A sequence that was cut short ends here.
            self._sequence[:] = _START
            return None
        if not self._sequence:
            return chr(byte)
        self._sequence.append(byte)
        return self.pause() if self._is_complete() else None

    def pause(self) -> str | None:
        """Return the key that ends because nothing follows it, such as Escape."""
        if not self._sequence:
            return None
        self._sequence.clear()
        return OTHER

    def _is_reply(self) -> bool:
        """Report whether this is a string (OSC, DCS and others), which BEL or ST ends."""
        return bytes(self._sequence[1:2]) in {b"]", b"P", b"_", b"^", b"X"}

    def _is_complete(self) -> bool:
        kind, rest = bytes(self._sequence[1:2]), self._sequence[2:]
        if self._is_reply():
            del self._sequence[2:-1]
            return rest.endswith((b"\x07", b"\x1b\\"))
        if kind not in {b"[", b"O"}:
            return True
        if rest.startswith(b"M") and kind == b"[":
            # An old report of the mouse: three bytes follow.
            return len(rest) == len(b"M...")
        # The second bracket begins a function key of Linux's console.
        is_final = bool(rest) and rest != b"[" and rest[-1] not in _PARAMETERS
        return is_final or len(rest) > _LONGEST


def _paths(stream: TextIO) -> Iterator[str]:
    """Yield the paths of the terminal: on macOS a loop cannot wait for the second one."""
    with suppress(OSError):
        # After `su` it may belong to another user.
        yield os.ttyname(stream.fileno())
    yield "/dev/tty"


def _number(character: bytes | int) -> int:
    """Return a special character as a number; termios has the two of reads as bytes too."""
    return character if isinstance(character, int) else character[0]


@contextmanager
def _blocked(number: int) -> Iterator[None]:
    """Block a signal of job control, which would stop the process if it lost the terminal now."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
