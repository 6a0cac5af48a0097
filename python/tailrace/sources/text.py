"""Newline text: files, standard input, lines in memory."""

from __future__ import annotations

import errno
import os
import stat
from itertools import islice
from typing import TYPE_CHECKING

from tailrace._core import MAX_LINE_BYTES
from tailrace.errors import TailraceError
from tailrace.sources import Chunk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["STDIN", "Cutter", "Files", "LiveInput", "Memory", "check_log"]

# Large enough that a crossing costs nothing, small enough to stay in a core's cache.
_CHUNK_BYTES = 1024 * 1024

# How many lines of an iterable make a chunk.
_CHUNK_LINES = 10_000

_COMPRESSED = {
    b"\x1f\x8b": "zcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
    b"BZh": "bzcat",
    b"\xfd7zXZ\x00": "xzcat",
}

STDIN = "-"
"""The path that means standard input."""


class Cutter:
    """
    Cuts a stream into chunks at its newlines.

    It holds at most one line, and of a line that is too long no more than shows that it is.
    """

    def __init__(self, source: int = 0) -> None:
        self._source = source
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield what the data completes."""
        end = data.rfind(b"\n") + 1
        start = 0
        if end and self._rest:
            start = data.find(b"\n") + 1
            self._hold(data[:start])
            yield self._chunk(self._take())
        if start < end:
            # A part of what was read, so that nothing is copied.
            yield Chunk(data, (start, end), source=self._source)
        if end < len(data):
            self._hold(data[end:])

    def finish(self) -> Iterator[Chunk]:
        """Yield the last line if it has no newline."""
        if self._rest:
            yield self._chunk(self._take())

    def _hold(self, part: bytes) -> None:
        room = MAX_LINE_BYTES + 1 - len(self._rest)
        # What is cut off may be the newline; the line is too long with it or without.
        self._rest += part[: max(room, 0)]

    def _take(self) -> bytes:
        line = bytes(self._rest)
        self._rest.clear()
        return line

    def _chunk(self, data: bytes) -> Chunk:
        return Chunk(data, (0, len(data)), source=self._source)


def check_log(path: str) -> None:
    """
    See whether a log can be read; `-` is standard input.

    Raises:
        OSError: It cannot be opened, or is a directory.
        TailraceError: It is compressed.
    """
    # A named pipe is left alone: to open and close it would end its writer.
    if path == STDIN:
        os.fstat(0)
    elif stat.S_IFMT(os.stat(path).st_mode) in {stat.S_IFREG, stat.S_IFDIR}:  # noqa: PTH116 - names stay text
        os.close(_open(path))


def _open(path: str) -> int:
    """Return a descriptor of a log; see `check_log`."""
    if path == STDIN:
        return os.dup(0)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _refuse_odd(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_odd(descriptor: int, path: str) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    head = os.pread(descriptor, 6, 0) if stat.S_ISREG(mode) else b""
    for magic, program in _COMPRESSED.items():
        if head.startswith(magic):
            mend = f"unpack it on the way: {program} FILE | tailrace … -"
            raise TailraceError(f"{path}: is compressed; {mend}")


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            # Inherited so from another program; wait as it would have.
            import select  # noqa: PLC0415 - rarely needed

            select.select([descriptor], [], [])


class Files:
    """Files and standard input, read one after the other, each a source of its own."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self.count = len(paths)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of the first file, then those of the next."""
        for source, path in enumerate(self._paths):
            descriptor = _open(path)
            try:
                cutter = Cutter(source)
                while data := _read(descriptor):
                    yield from cutter.feed(data)
                yield from cutter.finish()
            finally:
                os.close(descriptor)
            yield Chunk(b"", (0, 0), source=source)


class Memory:
    """Lines that the program has already."""

    count = 1

    def __init__(self, lines: Iterable[str | bytes]) -> None:
        self._lines = lines

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks of many lines each."""
        lines = iter(self._lines)
        while part := list(islice(lines, _CHUNK_LINES)):
            data = b"\n".join(_line(line) for line in part) + b"\n"
            yield Chunk(data, (0, len(data)))


def _line(line: str | bytes) -> bytes:
    data = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
    if data.endswith(b"\n"):
        data = data[:-1]
    if b"\n" in data:
        raise ValueError(f"a line has a newline within it: {line[:80]!r}")
    return data


class LiveInput:
    """Standard input that is waited for: a pipe or a terminal."""

    def __init__(self) -> None:
        self._cutter = Cutter()
        self._ended = False
        self._woken = False
        self._readable: asyncio.Event | None = None

    @staticmethod
    def is_waited_for() -> bool:
        """Tell whether standard input is a pipe, a socket or a terminal."""
        mode = os.fstat(0).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)

    async def open(self) -> str:
        """Begin."""
        return "reading standard input"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the lines that have come."""
        import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

        if self._ended:
            return None
        loop = asyncio.get_running_loop()
        self._readable = readable = asyncio.Event()
        # The descriptor stays blocking: it may be shared with a shell. It is read when it has
        # something, and then returns at once.
        loop.add_reader(0, readable.set)
        try:
            async with asyncio.timeout(timeout_s):
                await readable.wait()
        except TimeoutError:
            return []
        finally:
            loop.remove_reader(0)
        if self._woken:
            return []
        data = _read(0)
        if data:
            return list(self._cutter.feed(data))
        self._ended = True
        return list(self._cutter.finish())

    def wake(self) -> None:
        """Let `receive` return now."""
        self._woken = True
        if self._readable is not None:
            self._readable.set()

    async def close(self) -> None:
        """Nothing is held."""
