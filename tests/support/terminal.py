"""For tests: a command on a pseudo-terminal, and what somebody sees there."""

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

# Private modes stand shifted among those of the standard.
ALTERNATE_SCREENS = {mode << 5 for mode in (47, 1047, 1049)}


class Terminal:
    """A terminal that a process writes to, with what it has been sent and what it shows."""

    def __init__(
        self, master: int, process: subprocess.Popen[bytes], size: tuple[int, int]
    ) -> None:
        self.process = process
        self.bytes = b""
        self._master = master
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    def sent(self) -> str:
        """All that was written so far."""
        with suppress(OSError):  # the last process on it has gone, or nothing has come
            while data := os.read(self._master, 65536):
                self.bytes += data
                self._stream.feed(data)
        return self.bytes.decode()

    def lines(self) -> list[str]:
        """What stands there now, without the empty lines at the end."""
        self.sent()
        text = "\n".join(line.rstrip() for line in self._screen.display)
        return text.rstrip("\n").split("\n")

    def colors(self, text: str) -> tuple[str, bool]:
        """The colour in which a text stands there, and whether it is bold."""
        for row, line in enumerate(self.lines()):
            if text in line:
                cell = self._screen.buffer[row][line.index(text)]
                return cell.fg, cell.bold
        raise AssertionError(text)

    def is_usable(self) -> bool:
        """Whether the cursor can be seen, and that on the screen that was there before."""
        self.sent()
        modes: set[int] = self._screen.mode
        return pyte.modes.DECTCEM in modes and not modes & ALTERNATE_SCREENS

    def attributes(self) -> list[Any]:
        """What `stty` shows."""
        return termios.tcgetattr(self._master)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Take another size, of which the kernel tells the process in the foreground."""
        self.sent()
        self._screen.resize(rows, columns)
        set_size(self._master, columns, rows)

    def wait(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        # What nobody reads would keep it from its end.
        wait_for(lambda: self.sent() is None or self.process.poll() is not None)
        self.sent()
        return self.process.wait(TIMEOUT_S)

    @property
    def port(self) -> int:
        """Where a receiver listens, as it says itself."""
        found = wait_for(lambda: re.search(r":(\d+);", self.sent()))
        return int(found[1])


@contextmanager
def terminal(
    *arguments: str,
    columns: int = 40,
    rows: int = 8,
    command: list[str] = COMMAND,
    stdout: int | None = None,
    **environment: str,
) -> Iterator[Terminal]:
    """Run the command on a pseudo-terminal of its own."""
    master, slave = pty.openpty()
    set_size(slave, columns, rows)
    os.set_blocking(master, False)
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=slave,
        stdout=slave if stdout is None else stdout,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no other way
        env=os.environ | {"TERM": "xterm"} | environment,
    )
    os.close(slave)
    try:
        yield Terminal(master, process, (columns, rows))
    finally:
        process.kill()
        process.wait()
        os.close(master)


def set_size(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
