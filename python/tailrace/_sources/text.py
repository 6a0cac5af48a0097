"""Newline text: files, standard input, lines in memory."""

from __future__ import annotations

import errno
import os
import stat
from itertools import islice
from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError
from tailrace._sources import Chunk
from tailrace._sources.cutter import Cutter
from tailrace._sources.plain import hole_end
from tailrace._sources.unpacking import LONGEST_MAGIC, Unpacker, check, may_be, packing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from tailrace._sources.header import Header
    from tailrace._sources.positions import KnownLog, Positions

__all__ = [
    "STDIN",
    "File",
    "FilePart",
    "LiveInput",
    "Memory",
    "check_log",
    "size_of",
    "unpacker",
]

# Large enough that the cost of a call into the core vanishes, small enough for a CPU cache.
_CHUNK_BYTES = 1024 * 1024

# The memory for chunks of files that are merged, a chunk of each. Below 64 KiB a chunk, reading
# would cost more than counting, so more than 512 files take more.
_MERGED_BYTES = 32 * 1024 * 1024
_LEAST_CHUNK_BYTES = 64 * 1024

# The number of lines from an iterable in one chunk.
_CHUNK_LINES = 10_000

STDIN = "-"
"""The path that means standard input."""


def size_of(path: str) -> int | None:
    """Return the size of a file in bytes, or `None` if it is not a regular file."""
    try:
        status = os.fstat(0) if path == STDIN else os.stat(path)  # noqa: PTH116 - names stay text
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def check_log(path: str) -> None:
    """
    Check that a log can be read; `-` is standard input.

    Raises:
        OSError: It cannot be opened, or is a directory.
        TailraceError: It is compressed, and the package to decompress it is not installed.
    """
    # A named pipe is not opened: opening and closing it would end its writer.
    if path == STDIN:
        os.fstat(0)
    elif stat.S_IFMT(os.stat(path).st_mode) in {stat.S_IFREG, stat.S_IFDIR}:  # noqa: PTH116 - names stay text
        os.close(_open(path))


def _open(path: str) -> int:
    """Open a log; see `check_log`."""
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
    if stat.S_ISREG(mode):
        check(os.pread(descriptor, LONGEST_MAGIC, 0), path)


def _read(descriptor: int, size: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            # A non-blocking descriptor inherited from another program: wait for data.
            import select  # noqa: PLC0415 - rarely needed

            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            waiting.poll()


def _name(path: str) -> str:
    """Return the name of an input in messages."""
    return "standard input" if path == STDIN else path


def warn_without_position(name: str, *, hint: bool = False) -> None:
    """Log that an input cannot be continued by another run."""
    import logging  # noqa: PLC0415 - only with a checkpoint

    logging.getLogger(__name__).warning(
        "%s: its position is not kept: lines that are read again are counted again%s",
        name,
        "; give the file by its name" if hint else "",
    )


def unpacker(head: bytes, name: str, piece_bytes: int = _CHUNK_BYTES) -> Unpacker | None:
    """
    Return the decompressor for a stream with these first bytes; `None` if it is not compressed.

    Raises:
        TailraceError: The package to decompress it is not installed.
    """
    found = packing(head)
    return None if found is None else Unpacker(found, name, piece_bytes)


class FilePart:
    """
    The part of a regular file that is read more than once, whatever is appended in the meantime.

    Args:
        size: The number of bytes from the beginning of the file; by default, those between the
            offset and the end of the file when it is first read.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size or 0
        self._start: int | None = None if size is None else 0

    def enter(self, descriptor: int) -> None:
        """Go to its beginning; the first time, it begins here and ends where the file ends now."""
        if self._start is None:
            self._start = os.lseek(descriptor, 0, os.SEEK_CUR)
            self.size = max(os.fstat(descriptor).st_size - self._start, 0)
        os.lseek(descriptor, self._start, os.SEEK_SET)


class File:
    """
    A file, or standard input, read to its end and decompressed if it is compressed.

    Args:
        path: The path; `-` for standard input.
        sharing: The number of files that are read at the same time.
        part: The part to read, if it is read twice.
        header: Where the columns may be named, for a file that is continued.
    """

    count = 1

    def __init__(
        self,
        path: str,
        *,
        sharing: int = 1,
        part: FilePart | None = None,
        header: Header | None = None,
    ) -> None:
        self._path = path
        self._part = part
        self._header = header
        # What a checkpoint knows of it, if there is one.
        self._positions: Positions | None = None
        self._known: KnownLog | None = None
        self._name = _name(path)
        self._done = 0
        self._piece_bytes = min(_CHUNK_BYTES, max(_MERGED_BYTES // sharing, _LEAST_CHUNK_BYTES))

    def again(self) -> File | None:
        """Return the same file, to be read after this one; None if it can be read only once."""
        # Files of the kernel have no size.
        if not size_of(self._path):
            return None
        self._part = FilePart()
        return File(self._path, part=self._part)

    def resume(self, positions: Positions) -> None:
        """Go on where an earlier process ended, and keep the position."""
        has_size = size_of(self._path) is not None
        if self._path == STDIN or (not has_size and os.path.exists(self._path)):  # noqa: PTH110 - names stay text
            warn_without_position(self._name, hint=has_size)
            return
        self._positions = positions
        self._known = positions.begin(self._path)
        positions.given.append(self._path)

    def parts(self) -> Sequence[Generator[Chunk, None, None]]:
        """Return its chunks."""
        return [self._chunks()]

    def progress(self) -> tuple[int, int | None]:
        """Return the number of bytes read, and the size unless it is a pipe."""
        try:
            status = os.fstat(0) if self._path == STDIN else os.stat(self._path)  # noqa: PTH116 - names stay text
        except OSError:
            return self._done, 0
        return self._done, status.st_size if stat.S_ISREG(status.st_mode) else None

    def _chunks(self) -> Generator[Chunk, None, None]:
        descriptor = _open_one_of_many(self._path)
        try:
            if self._part is not None:
                self._part.enter(descriptor)
            if self._is_resumed(descriptor):
                yield from self._added(descriptor)
                return
            cutter = Cutter()
            for data in self._data(descriptor):
                yield from cutter.feed(data)
            yield from cutter.finish()
            cutter.check(self._name)
        finally:
            os.close(descriptor)

    def _is_resumed(self, descriptor: int) -> bool:
        """Return whether only what was added to the file is to be read."""
        if self._known is None:
            return False
        # Files of the kernel have no size, and no position to return to.
        return os.fstat(descriptor).st_size > 0 or not os.pread(descriptor, 1, 0)

    def _added(self, descriptor: int) -> Iterator[Chunk]:
        """Yield what was added since the last run."""
        from tailrace._sources import resumed  # noqa: PLC0415 - only with a checkpoint

        positions, known = cast("Positions", self._positions), cast("KnownLog", self._known)
        given = positions.compared(resumed.GivenFiles)
        if packing(os.pread(descriptor, LONGEST_MAGIC, 0)) is None:
            size = self._piece_bytes
            chunks = resumed.added_lines(known, self._path, given, self._header, size)
        else:
            pieces = self._data(descriptor)
            chunks = resumed.added_text(known, self._path, given, pieces, self._header)
        for chunk in chunks:
            self._done += chunk.span[1] - chunk.span[0]
            yield chunk

    def _data(self, descriptor: int) -> Iterator[bytes]:
        """Yield the content of the file, decompressed."""
        head = b""
        # A pipe may return fewer bytes than it takes to detect a compression.
        while may_be(head) and (data := self._read(descriptor)):
            head += data
        unpacked = unpacker(head, self._name, self._piece_bytes)
        data = self._after_hole(descriptor, head) if head.startswith(b"\0") else head
        while data:
            yield from [data] if unpacked is None else unpacked.feed(data)
            data = self._read(descriptor)
        if unpacked is not None:
            unpacked.finish()

    def _after_hole(self, descriptor: int, head: bytes) -> bytes:
        """Return the first bytes after a hole of zeros, which may be much larger than the disk."""
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return head
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        end = hole_end(descriptor, position - len(head))
        os.lseek(descriptor, max(end, position), os.SEEK_SET)
        if end <= position:
            return head
        self._done += end - position
        return self._read(descriptor)

    def _read(self, descriptor: int) -> bytes:
        try:
            if self._part is None:
                data = _read(descriptor, self._piece_bytes)
            else:
                data = self._whole_piece(descriptor, self._part.size - self._done)
        except OSError as error:
            error.filename = self._path
            raise
        self._done += len(data)
        return data

    def _whole_piece(self, descriptor: int, left: int) -> bytes:
        """Return the next piece of a part, which is the same each time that it is read."""
        size = min(self._piece_bytes, max(left, 0))
        data = _read(descriptor, size) if size else b""
        while 0 < len(data) < size and (more := _read(descriptor, size - len(data))):
            data += more
        return data


def _open_one_of_many(path: str) -> int:
    """Open a file; raise the limit on open files if needed, up to the system's hard limit."""
    try:
        return _open(path)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
    import resource  # noqa: PLC0415 - needed only for hundreds of files

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = 2 * soft if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
    return _open(path)


class Memory:
    """Lines in memory."""

    count = 1

    def __init__(self, lines: Iterable[str | bytes]) -> None:
        self._lines = lines

    def resume(self, positions: Positions) -> None:
        """Log that there is no position."""
        del positions
        warn_without_position("lines")

    def parts(self) -> Sequence[Generator[Chunk, None, None]]:
        """Return the chunks, each with many lines."""
        return [self._chunks()]

    def progress(self) -> tuple[int, int | None]:
        """Return zero bytes of an unknown total: the size of the lines is not known."""
        return 0, None

    def _chunks(self) -> Generator[Chunk, None, None]:
        lines = iter(self._lines)
        while part := list(islice(lines, _CHUNK_LINES)):
            data = b"\n".join(_line(line) for line in part) + b"\n"
            yield Chunk(data, (0, len(data)))


def _line(line: str | bytes) -> bytes:
    if not isinstance(line, str | bytes):
        raise TypeError(f"lines: expected str or bytes, found {line!r:.80}")
    data = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
    if data.endswith(b"\n"):
        data = data[:-1]
    if b"\n" in data:
        raise ValueError(f"lines: expected one line each, found a newline in {line[:80]!r}")
    return data


class LiveInput:
    """A live pipe, socket or terminal; standard input by default."""

    count = 1

    def __init__(self, path: str = STDIN) -> None:
        self._path = path
        self._name = _name(path)
        self._descriptor = 0
        self._cutter = Cutter()
        # The first bytes, while they do not show yet whether the stream is compressed.
        self._head: bytes | None = b""
        self._unpacker: Unpacker | None = None
        self._ended = False
        self._problem: TailraceError | None = None
        self._woken = False
        self._readable: asyncio.Event | None = None

    def resume(self, positions: Positions) -> None:
        """Log that there is no position."""
        del positions
        warn_without_position(self._name)

    @staticmethod
    def is_waited_for(path: str = STDIN) -> bool:
        """Return whether a path is a pipe, a socket or a terminal."""
        try:
            mode = (os.fstat(0) if path == STDIN else os.stat(path)).st_mode  # noqa: PTH116 - names stay text
        except OSError:
            return False
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            return True
        return path == STDIN and os.isatty(0)

    async def open(self) -> str:
        """Open the input; a named pipe may have no writer yet."""
        if self._path != STDIN:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags)
        return f"reading {self._name}"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the lines that have arrived."""
        import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

        if self._problem is not None:
            raise self._problem
        if self._ended:
            return None
        loop = asyncio.get_running_loop()
        self._readable = readable = asyncio.Event()
        if self._woken:
            readable.set()
        # Standard input stays blocking, because it may be shared with a shell. It is read only
        # when data is available, and then returns at once.
        loop.add_reader(self._descriptor, readable.set)
        try:
            async with asyncio.timeout(timeout_s):
                await readable.wait()
        except TimeoutError:
            return []
        finally:
            loop.remove_reader(self._descriptor)
        if self._woken:
            self._woken = False
            return []
        chunks: list[Chunk] = []
        try:
            for data in self._unpacked(self._at_hand()):
                chunks += self._cutter.feed(data)
            if self._ended and self._unpacker is not None:
                self._unpacker.finish()
        except TailraceError as error:
            # The lines before the damage count, except the incomplete last one.
            self._problem = error
            self._ended = True
        if self._ended and self._problem is None:
            chunks += self._finished()
        return chunks

    def _finished(self) -> list[Chunk]:
        """Return the last line if it has no newline."""
        chunks = list(self._cutter.finish())
        try:
            self._cutter.check(self._name)
        except TailraceError as error:
            self._problem = error
        return chunks

    def _at_hand(self) -> bytes:
        """Read all available data at once, so that a full pipe costs one round, not sixteen."""
        import select  # noqa: PLC0415 - asyncio has loaded it

        pieces = []
        size = 0
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        while not size or (size < _CHUNK_BYTES and waiting.poll(0)):
            data = _read(self._descriptor, _CHUNK_BYTES)
            if not data:
                self._ended = True
                break
            pieces.append(data)
            size += len(data)
        return b"".join(pieces)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            data = self._head + data
            if may_be(data) and not self._ended:
                self._head = data
                return iter(())
            self._head = None
            self._unpacker = unpacker(data, self._name)
        return self._unpacker.feed(data) if self._unpacker is not None else iter([data])

    def wake(self) -> None:
        """Make `receive` return now."""
        self._woken = True
        if self._readable is not None:
            self._readable.set()

    def flush(self) -> None:
        """Do nothing; there are no outcomes to send."""

    def reload(self) -> None:
        """Do nothing; it needs no other files."""

    async def close(self) -> None:
        """Close the input."""
        if self._descriptor:
            os.close(self._descriptor)
            self._descriptor = 0
            self._ended = True
