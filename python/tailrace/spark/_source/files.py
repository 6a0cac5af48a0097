"""
Log files on the disks of executors: what is known of them when a query is planned, and their lines.

A query reads each file as it was when the query was planned, or, from Spark 4.1 on, the first query
of its DataFrame: bytes that are appended later are not read, except those that complete a line. A
file that has become shorter, or begins with other bytes, is an error. So each attempt to read a
part of it gives the same lines.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import stat
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote

from tailrace._core import MAX_LINE_BYTES
from tailrace._errors import SourceError, TailraceError, os_reason
from tailrace._sources.globs import is_pattern, matching
from tailrace._sources.plain import PlainText, hole_end, newline_of
from tailrace._sources.text import File, FilePart
from tailrace._sources.unpacking import check, packing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LogFile", "Part", "blocks", "found_files", "parts_of", "survey"]

Layout = Literal["text", "utf-16", "packed"]

# How much of the beginning of a file identifies it.
_HEAD_BYTES = 4096

# Large enough that the cost of a call into the core vanishes, small enough to cancel a task soon.
_BLOCK_BYTES = 1024 * 1024

_OTHER_SYSTEM = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")


class LogFile(NamedTuple):
    """A file as it was when the query was planned."""

    path: str
    size: int
    start: int
    """The offset of its text, after a hole that a writer left."""
    layout: Layout
    identity: bytes
    """The digest of its first bytes."""


class Part(NamedTuple):
    """The lines of a file that begin between two offsets."""

    file: LogFile
    start: int
    end: int


def found_files(given: str) -> list[str]:
    """
    Return the absolute paths of the files that a path, a pattern or a `file:` URI names.

    Raises:
        ValueError: It belongs to another file system, or no file matches.
    """
    names = [given]
    if not os.path.lexists(given) and (scheme := _OTHER_SYSTEM.match(given)):
        if scheme[1].lower() != "file":
            raise ValueError(
                f"path: expected a file that each executor has, found {given}, on another file "
                f"system; parse its lines with tailrace.spark.parse(spark.read.text({given!r}))"
            )
        name = _of_uri(given)
        # Hadoop writes blanks as they are, others write %20.
        names = [name, unquote(name)]
    problem: OSError | None = None
    for name in names:
        try:
            found = matching(name)
        except FileNotFoundError as error:
            problem = problem or error
            continue
        if is_pattern(name) or os.path.lexists(name):
            return [os.path.abspath(path) for path in found]  # noqa: PTH100 - names stay text
    if problem is not None:
        raise ValueError(f"path: {given}: no file matches the pattern")
    raise ValueError(f"path: {given}: no such file on {platform.node()}, which plans the query")


def _of_uri(uri: str) -> str:
    rest = uri.partition(":")[2]
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host not in {"", "localhost"}:
        raise ValueError(f"path: expected file:///..., without a host, found {uri}")
    return slash + path


def survey(path: str) -> LogFile:
    """
    Return what is known of a file without reading it all.

    Raises:
        ValueError: It cannot be read, or is not a regular file.
    """
    try:
        descriptor = _open(path)
    except OSError as error:
        raise ValueError(f"path: {path}: {_hint(path, error)}") from None
    try:
        size = os.fstat(descriptor).st_size
        if not size and os.pread(descriptor, 1, 0):
            raise ValueError(f"path: {path}: expected a file on a disk, found one without a size")
        head = os.pread(descriptor, min(_HEAD_BYTES, size), 0)
        identity = blake2b(head, digest_size=16).digest()
        if packing(head):
            check(head, path)
            return LogFile(path, size, 0, "packed", identity)
        start = min(hole_end(descriptor), size) if head.startswith(b"\0") else 0
        first = os.pread(descriptor, 2, start)
        layout: Layout = "text" if newline_of(first) == b"\n" else "utf-16"
        return LogFile(path, size, start, layout, identity)
    except TailraceError as error:
        raise ValueError(f"path: {error}") from None
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    # Non-blocking: a named pipe has no content to come back to.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "expected a regular file", path)


def _hint(path: str, error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return f"is a directory; give the files in it, such as {path.rstrip('/')}/*"
    if isinstance(error, PermissionError):
        return "permission denied; run Spark as a user who can read it"
    return os_reason(error)


def parts_of(file: LogFile, size: int, *, whole: bool) -> list[Part]:
    """Return the parts of a file with about *size* bytes each; a compressed file is one part."""
    if whole or file.layout != "text":
        size = max(file.size, 1)
    return [
        Part(file, start, min(start + size, file.size))
        for start in range(file.start, file.size, size)
    ]


def blocks(part: Part) -> Iterator[tuple[int, bytes]]:
    """
    Yield the whole lines of a part, many at a time, each with the offset of its first byte.

    Raises:
        SourceError: The file cannot be read, or has changed since the query was planned.
    """
    file = part.file
    try:
        descriptor = _open(file.path)
    except FileNotFoundError:
        raise SourceError(
            f"{file.path}: no such file on {platform.node()}; each executor needs the file under "
            "this path"
        ) from None
    except OSError as error:
        raise SourceError(f"{file.path}: {os_reason(error)}") from None
    try:
        _check_same(descriptor, file)
        if file.layout == "packed":
            yield from _unpacked(file)
        elif file.layout == "utf-16":
            yield from _decoded(descriptor, file)
        else:
            yield from _lines(descriptor, part)
    except OSError as error:
        raise SourceError(f"{file.path}: {os_reason(error)}") from None
    except TailraceError as error:
        raise SourceError(str(error)) from None
    finally:
        os.close(descriptor)


def _check_same(descriptor: int, file: LogFile) -> None:
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, min(_HEAD_BYTES, file.size), 0)
    if size < file.size:
        found = f"found {size:,}"
    elif blake2b(head, digest_size=16).digest() != file.identity:
        found = "found another beginning"
    else:
        return
    raise SourceError(
        f"{file.path}: expected the {file.size:,} bytes that it had when the query was planned, "
        f"{found}; it was replaced or truncated: load it again"
    )


def _unpacked(file: LogFile) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for chunk in File(file.path, part=FilePart(file.size)).parts()[0]:
        start, end = chunk.span
        yield offset, chunk.data[start:end]
        offset += end - start


def _decoded(descriptor: int, file: LogFile) -> Iterator[tuple[int, bytes]]:
    text = PlainText()

    def pieces() -> Iterator[bytes]:
        for piece in _pieces(descriptor, file.start, file.size):
            yield text.feed(piece)
        yield text.finish()

    yield from _whole_lines(file.start, pieces())
    text.check(file.path)


def _lines(descriptor: int, part: Part) -> Iterator[tuple[int, bytes]]:
    start = part.start
    if start > part.file.start:
        # A line that begins before the part belongs to the part before it.
        start = _after_newline(descriptor, start - 1, part.end)
    if start < part.end:
        yield from _whole_lines(start, _completed(descriptor, start, part.end))


def _after_newline(descriptor: int, start: int, end: int) -> int:
    """Return the offset after the first newline, or the end."""
    for piece in _pieces(descriptor, start, end):
        found = piece.find(b"\n")
        if found >= 0:
            return start + found + 1
        start += len(piece)
    return end


def _pieces(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (data := os.pread(descriptor, min(_BLOCK_BYTES, end - start), start)):
        yield data
        start += len(data)


def _completed(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes between two offsets, and those that complete the last line."""
    last = b""
    for last in _pieces(descriptor, start, end):
        yield last
    if last and not last.endswith(b"\n"):
        # A longer line is rejected, so that its end does not matter.
        for piece in _pieces(descriptor, end, end + MAX_LINE_BYTES + 1):
            line, newline, _ = piece.partition(b"\n")
            yield line + newline
            if newline:
                return


def _whole_lines(offset: int, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield pieces cut after their last newlines; of a line that is too long, only enough of it."""
    held, cut = b"", 0
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            data = held + piece[:end]
            yield offset, data
            offset += len(data) + cut
            held, cut = b"", 0
        held += piece[end:]
        cut += max(len(held) - MAX_LINE_BYTES - 1, 0)
        held = held[: MAX_LINE_BYTES + 1]
    if held:
        yield offset, held
