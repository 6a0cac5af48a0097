"""A running `tailrace` process, and a sink that sends to it as an agent does."""

from __future__ import annotations

import fcntl
import json
import random
import re
import socket
import subprocess
import sys
import termios
import threading
import time
from array import array
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar

from wire import (
    BOTH,
    FLUME_HASH,
    OK,
    SHORT_HASH,
    call,
    event,
    events,
    frame,
    handshake,
    read_frame,
    sized,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "COMMAND",
    "FLUME_HASH",
    "OK",
    "SHORT_HASH",
    "Process",
    "Sink",
    "event",
    "events",
    "line",
    "running",
    "sized",
    "wait_for",
]

COMMAND = [sys.executable, "-c", "from tailrace._cli import main; main()"]

# Bounds failures only: longer than anything takes on a loaded machine, below pytest's limit.
TIMEOUT_S = 60

_ports = random.Random()  # noqa: S311 - no secret


T = TypeVar("T")


class Process:
    """A live command, with its messages (stderr) and the lines that it printed (stdout)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.messages: list[str] = []
        self.printed: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((process.stdout, self.printed), (process.stderr, self.messages))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: TextIO, lines: list[str]) -> None:
        # One by one, so that lines are visible before the process ends.
        for line in stream:
            lines.append(line.rstrip("\n"))  # noqa: PERF401 - as the comment says

    @property
    def port(self) -> int:
        """The port that it listens on, from its own message."""
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """The ports that it listens on, in the order of its sources."""
        line = wait_for(lambda: next((line for line in self.messages if "listening" in line), None))
        return [int(port) for port in re.findall(r":(\d+);", line)]

    def snapshots(self) -> list[dict[str, Any]]:
        """Return the snapshots printed so far."""
        return [json.loads(line) for line in list(self.printed)]

    def answer(
        self, condition: Callable[[dict[str, Any]], object], timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        """Wait for a snapshot that meets a condition: the last one or a later one."""
        seen = max(len(self.printed) - 1, 0)

        def look() -> dict[str, Any] | None:
            # Parse each one once: it may have thousands of rows.
            nonlocal seen
            while seen < len(self.printed):
                snapshot: dict[str, Any] = json.loads(self.printed[seen])
                seen += 1
                if condition(snapshot):
                    return snapshot
            return None

        found = wait_for(look, timeout_s)
        assert found is not None
        return found

    def next_answer(self) -> dict[str, Any]:
        """Wait for a snapshot that was computed after this call."""
        # The next one may have been computed before.
        seen = len(self.printed)
        wait_for(lambda: len(self.printed) > seen + 1)
        snapshot: dict[str, Any] = json.loads(self.printed[seen + 1])
        return snapshot

    def counted(self) -> int:
        """Return how many lines it has counted, by its last snapshot."""
        # Only that one: parsing all of them may take too long.
        return json.loads(self.printed[-1])["lines"]["counted"] if self.printed else 0

    def read_all(self) -> None:
        """Wait until it has read everything written to its standard input."""
        stdin = self.process.stdin
        assert stdin is not None
        stdin.flush()
        wait_for(lambda: not _unread(stdin.fileno()))

    def end(self, number: int) -> int:
        """Send a signal, wait until the process ends, and return the exit code."""
        self.process.send_signal(number)
        return self.closed()

    def closed(self) -> int:
        """Wait until it has ended and all its output is read, and return the exit code."""
        code = self.process.wait(TIMEOUT_S)
        for reader in self._readers:
            reader.join(TIMEOUT_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def _unread(pipe: int) -> int:
    """Return how many bytes are in a pipe."""
    size = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


def handler_removed(process: int, number: int) -> None:
    """Wait until a process no longer handles a signal, so that the next one ends it."""
    status = Path(f"/proc/{process}/status")

    def is_default() -> bool:
        caught = re.search(r"SigCgt:\s+(\w+)", status.read_text())
        assert caught
        return not int(caught[1], 16) & 1 << (number - 1)

    wait_for(is_default)


@contextmanager
def running(
    *arguments: str, stdin: int = subprocess.DEVNULL, before: tuple[str, ...] = ()
) -> Iterator[Process]:
    """Run the command, optionally through another one, and kill it after the block."""
    process = subprocess.Popen(
        [*before, *COMMAND, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )
    live = Process(process)
    try:
        yield live
    finally:
        process.kill()
        live.closed()


def free_port() -> int:
    """Return a port that is free and outside the kernel's range for port 0."""
    while True:
        # Below that range. Each process draws at random, so two seldom choose the same port.
        port = _ports.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(condition: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """Wait until the condition is true, and return its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"expected the condition within {timeout_s} s"
        time.sleep(0.02)
    return value


class Sink:
    """One connection of an Avro sink."""

    def __init__(
        self,
        port: int,
        client_hash: bytes = FLUME_HASH,
        text: bytes = b"",
        *,
        address: str = "127.0.0.1",
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (address, 0))
        self.serial = 0
        self._client_hash = client_hash
        self._text = text
        self._greeted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def call(self, name: bytes, parameter: bytes, piece: int = 8192) -> bytes:
        """Call, and return the answer without its handshake part."""
        self.send(self.frame(name, parameter, piece))
        return self.answer()

    def frame(self, name: bytes, parameter: bytes, piece: int = 8192) -> bytes:
        """Return the frame of the next call, its parameter split into pieces."""
        self.serial += 1
        head = (
            b"" if self._greeted else handshake(self._client_hash, text=self._text.decode() or None)
        )
        pieces = [parameter[i : i + piece] for i in range(0, len(parameter), piece)]
        return frame(self.serial, head + call(name.decode()), *pieces)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> bytes:
        """Return the message of the next reply, without the handshake's part if that is BOTH."""
        _, message = read_frame(self.receive)
        if not self._greeted and message.startswith(BOTH):
            self._greeted = True
            message = message[len(BOTH) :]
        return message

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the receiver closed the connection"
            data += part
        return data

    def batch(
        self, bodies: list[bytes], piece: int = 8192, stamp: bytes | None = b"1500000000000"
    ) -> bytes:
        return self.call(b"appendBatch", events(bodies, stamp), piece)

    def is_closed(self) -> bool:
        """Wait until the receiver has closed the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def line(url: str, agent: str = "x", time_text: str = "17/May/2015:10:05:03 +0000") -> bytes:
    """Return a line in the combined format."""
    return f'1.2.3.4 - - [{time_text}] "GET {url} HTTP/1.1" 200 5 "-" "{agent}"'.encode()
