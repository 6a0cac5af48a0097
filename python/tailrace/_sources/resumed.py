"""
Files that are read to their end, again and again: each time what was added since.

Before the first one is read, each given file is compared with every known content, because names
change from run to run: today's `access.log` is tomorrow's `access.log.1`. A content that is in none
of the given files is searched for beside the file that had it, as for a followed log.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from copy import copy
from typing import TYPE_CHECKING

from tailrace._sources import Chunk
from tailrace._sources.changes import Changes
from tailrace._sources.content import HEAD_BYTES, Fingerprint
from tailrace._sources.cutter import Cutter
from tailrace._sources.header import header_in
from tailrace._sources.rotation import FollowedLog
from tailrace._sources.siblings import was_renamed
from tailrace._sources.unpacking import LONGEST_MAGIC, DamagedError, Unpacked, packing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tailrace._sources.header import Header
    from tailrace._sources.positions import KnownContent, KnownLog, Positions
    from tailrace._sources.siblings import Ident

__all__ = ["GivenFiles", "added_lines", "added_text"]

_READ_BYTES = 1024 * 1024


class GivenFiles:
    """The files of a run, and the known content that each of them continues."""

    def __init__(self, positions: Positions, paths: list[str]) -> None:
        self._paths = paths
        self.idents: dict[str, Ident] = {}
        for path in paths:
            with suppress(OSError):
                status = os.stat(path)  # noqa: PTH116 - names stay text
                self.idents[path] = (status.st_dev, status.st_ino)
        self._known = [
            (log, content)
            for log in positions.logs
            for content in log.contents.values()
            if content.offset and content.status != "ignored"
        ]
        self._found: dict[str, tuple[KnownLog, KnownContent]] = {}
        for path in self.idents:
            with suppress(OSError):
                self._find(path)

    def found(self, path: str) -> tuple[KnownLog | None, KnownContent | None]:
        """Return the content that a file continues, with the name that had it."""
        return self._found.get(path, (None, None))

    def elsewhere(self, path: str, log: KnownLog) -> set[int]:
        """Return the numbers of the contents of a name that other given files have."""
        return {
            content.number
            for other, (owner, content) in self._found.items()
            if owner is log and other != path
        }

    def is_rotated(self, path: str) -> bool:
        """Return whether the name of a file shows that another given file was renamed to it."""
        return any(was_renamed(path, other) for other in self._paths)

    def _find(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            ident = self.idents[path]
            # What the inode says first, then what is longest.
            some = sorted(
                self._known,
                key=lambda each: (each[1].ident == ident, each[1].offset, each[0].path == path),
                reverse=True,
            )
            for log, content in some:
                if not self._is_elsewhere(content, ident) and _has(descriptor, content):
                    # As it is now: it may be continued under another name, too.
                    self._found[path] = log, copy(content)
                    return
        finally:
            os.close(descriptor)

    def _is_elsewhere(self, content: KnownContent, ident: Ident) -> bool:
        """Return whether the given file that had a content still has it, under another name."""
        if content.ident == ident:
            return False
        for path, other in self.idents.items():
            if other == content.ident:
                with suppress(OSError), closing(_Opened(path)) as file:
                    return _has(file.descriptor, content)
        return False


class _Opened:
    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def close(self) -> None:
        os.close(self.descriptor)


def _has(descriptor: int, known: KnownContent) -> bool:
    """Return whether a file, maybe compressed, has all of a content."""
    content = known.fingerprint()
    found = packing(os.pread(descriptor, LONGEST_MAGIC, 0))
    if found is None or content.match_in(descriptor) == "all":
        return content.match_in(descriptor) == "all"
    unpacked = Unpacked.of_file(descriptor, found)
    passed = Fingerprint()
    try:
        while missing := content.offset - passed.offset:
            # The first bytes show that most contents are others.
            data = unpacked.read(min(missing, _READ_BYTES if passed.offset else HEAD_BYTES))
            passed.add(data)
            if not data or not content.may_begin_with(passed):
                return False
    except (EOFError, DamagedError):
        return False
    return passed.before == content.before


def added_lines(
    known: KnownLog, path: str, given: GivenFiles, header: Header | None, piece_bytes: int
) -> Generator[Chunk, None, None]:
    """Yield what was added to an uncompressed file, first in the files that it was rotated to."""
    own = given.idents.get(path)
    others = {ident for ident in given.idents.values() if ident != own}
    log = FollowedLog(path, 0, Changes(), [], known=known, others=others, piece_bytes=piece_bytes)
    owner, content = given.found(path)
    elsewhere = given.elsewhere(path, known)
    known.leave(elsewhere)
    if content is not None and owner is known:
        log.resume(elsewhere=elsewhere, here=content.number)
    else:
        log.resume(elsewhere=elsewhere, adopted=content)
    try:
        log.start(from_end=False, header=header)
        yield from log.read_once(is_rotated=given.is_rotated(path))
    finally:
        log.close()


def added_text(
    known: KnownLog,
    path: str,
    given: GivenFiles,
    pieces: Iterator[bytes],
    header: Header | None,
) -> Generator[Chunk, None, None]:
    """Yield what was added to a compressed file, whose decompressed pieces are given."""
    cutter = Cutter(log=known)
    cutter.ident = given.idents.get(path, (0, 0))
    owner, content = given.found(path)
    if content is not None:
        cutter.content = content.fingerprint()
        cutter.is_cut = content.is_cut
        if owner is not known:
            cutter.content.number = 0
            known.add_content(cutter.content, cutter.ident, "read", is_cut=content.is_cut)
        rest = _Rest(pieces, content.offset)
        names = header_in(rest.skipped(), header) if header is not None else b""
        rest.skip()
        pieces = iter(rest)
        if names:
            yield Chunk(names, (0, len(names)))
    for piece in pieces:
        yield from cutter.feed(piece)
    yield from cutter.finish()
    # Nothing is appended to most compressed files, and they are deleted in the end.
    known.set_status(cutter.content, "read")
    cutter.check(path)


class _Rest:
    """Pieces of a text without its first bytes."""

    def __init__(self, pieces: Iterator[bytes], size: int) -> None:
        self._pieces = pieces
        self._left = size
        self._first = b""

    def skipped(self) -> Iterator[bytes]:
        """Yield the first bytes."""
        while self._left and (piece := next(self._pieces, b"")):
            skipped = piece[: self._left]
            self._first = piece[self._left :]
            self._left -= len(skipped)
            yield skipped

    def skip(self) -> None:
        """Pass the first bytes."""
        for _ in self.skipped():
            pass

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        yield from self._pieces
