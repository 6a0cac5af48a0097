"""Run a command on a pseudo-terminal, and read what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyte
from live import COMMAND, TIMEOUT_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

# pyte stores private modes shifted by five bits.
ALTERNATE_SCREENS = {mode << 5 for mode in (47, 1047, 1049)}


class Terminal:
    """A terminal that a process writes to: the bytes it received and the screen it shows."""

    def __init__(
        self,
        master: int,
        process: subprocess.Popen[bytes],
        size: tuple[int, int],
        initial: list[Any],
    ) -> None:
        self.process = process
        self.bytes = b""
        self.descriptor = master
        # The attributes before the process could change them.
        self.initial = initial
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    def sent(self) -> str:
        """Return everything written so far."""
        with suppress(OSError):  # its last process has ended, or nothing was written
            while data := os.read(self.descriptor, 65536):
                self.bytes += data
                self._stream.feed(data)
        return self.bytes.decode()

    def lines(self) -> list[str]:
        """Return the lines on the screen, without the empty ones at the end."""
        self.sent()
        text = "\n".join(line.rstrip() for line in self._screen.display)
        return text.rstrip("\n").split("\n")

    def colors(self, text: str) -> tuple[str, bool]:
        """Return the color of a text on the screen, and whether it is bold."""
        for row, line in enumerate(self.lines()):
            if text in line:
                cell = self._screen.buffer[row][line.index(text)]
                return cell.fg, cell.bold
        raise AssertionError(text)

    def is_usable(self) -> bool:
        """Return whether the cursor is visible and the alternate screen is off."""
        self.sent()
        modes: set[int] = self._screen.mode
        return pyte.modes.DECTCEM in modes and not modes & ALTERNATE_SCREENS

    def attributes(self) -> list[Any]:
        """Return the attributes that `stty` shows."""
        return termios.tcgetattr(self.descriptor)

    def set_attributes(self, attributes: list[Any]) -> None:
        """Change them, as another program of the pipeline could."""
        termios.tcsetattr(self.descriptor, termios.TCSANOW, attributes)

    def reads_keys(self) -> bool:
        """Return whether keys arrive one by one and without an echo."""
        return not self.attributes()[3] & (termios.ICANON | termios.ECHO)

    def type(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the kernel signals it to the foreground process."""
        self.sent()
        self._screen.resize(rows, columns)
        set_size(self.descriptor, columns, rows)

    def wait(self) -> int:
        """Wait until the process ends, and return its exit code."""
        # Unread output would block the process.
        wait_for(lambda: self.sent() is None or self.process.poll() is not None)
        self.sent()
        return self.process.wait(TIMEOUT_S)

    @property
    def port(self) -> int:
        """The port of a receiver, from its own message."""
        found = wait_for(lambda: re.search(r":(\d+);", self.sent()))
        return int(found[1])


@contextmanager
def terminal(
    *arguments: str,
    columns: int = 40,
    rows: int = 8,
    command: list[str] = COMMAND,
    stdin: int | None = None,
    stdout: int | None = None,
    **environment: str,
) -> Iterator[Terminal]:
    """Run the command on its own pseudo-terminal."""
    master, slave = pty.openpty()
    set_size(slave, columns, rows)
    os.set_blocking(master, False)
    initial = termios.tcgetattr(master)
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=slave if stdin is None else stdin,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no other way
        env=os.environ | {"TERM": "xterm"} | environment,
    )
    os.close(slave)
    try:
        yield Terminal(master, process, (columns, rows), initial)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def set_size(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
