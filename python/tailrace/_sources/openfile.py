"""An open file of a followed log, maybe compressed, and how far it was read."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError
from tailrace._sources.content import Fingerprint
from tailrace._sources.header import header_before, header_in
from tailrace._sources.plain import hole_end
from tailrace._sources.unpacking import LONGEST_MAGIC, Packing, Unpacked, packing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._sources.cutter import Cutter
    from tailrace._sources.header import Header
    from tailrace._sources.siblings import Ident

__all__ = ["READ_BYTES", "OpenFile"]

# The size of a chunk.
READ_BYTES = 1024 * 1024


class OpenFile:
    """
    An open file, and how far it was read.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """

    def __init__(self, path: str, cutter: Cutter, piece_bytes: int = READ_BYTES) -> None:
        self.path = path
        self._piece_bytes = piece_bytes
        self.cutter = cutter
        self.watch: int | None = None
        # Its modification time at the last scan of its siblings while it was empty.
        self.examined_ns = 0
        # When it last had new bytes, on the caller's clock.
        self.active_at = 0.0
        # Whether it is a copy, to which nobody writes any more.
        self.is_copy = False
        # Whether it continues a content of an earlier process.
        self.is_resumed = False
        # Whether a checkpoint knows that it no longer has the name.
        self.is_recorded = False
        # The lines that name the columns, if it is not read from its beginning.
        self.header = b""
        # Its size when it was found to be incompletely compressed.
        self.unfinished: int | None = None
        # Non-blocking: the path may have become a pipe without a writer.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(self.descriptor)
            _refuse_odd(status.st_mode, path)
            self.packing = packing(os.pread(self.descriptor, LONGEST_MAGIC, 0))
            self.unpacked = self._unpacked()
        except BaseException:
            self.close()
            raise
        self.ident: Ident = (status.st_dev, status.st_ino)
        cutter.ident = self.ident

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)

    def _unpacked(self) -> Unpacked | None:
        """Return its decompressor; None if it is not compressed, or cannot be decompressed."""
        try:
            return None if self.packing is None else self.from_beginning()
        except TailraceError:
            return None

    def from_beginning(self) -> Unpacked:
        """Return a decompressor at its beginning."""
        return Unpacked.of_file(self.descriptor, cast("Packing", self.packing))

    @property
    def content(self) -> Fingerprint:
        """The fingerprint of what was read."""
        return self.cutter.content

    def read(self) -> bytes:
        """
        Return the next bytes, at most a chunk; feed them to the cutter before the next call.

        Raises:
            EOFError: The file is compressed and truncated.
            DamagedError: The file is compressed and damaged.
        """
        if self.unpacked is not None:
            return self.unpacked.read(self._piece_bytes)
        size = min(self.size - self.content.offset, self._piece_bytes)
        if size <= 0:
            return b""
        data = os.pread(self.descriptor, size, self.content.offset)
        # Compared after the read: if it still matches, the bytes are from the same content.
        return data if self.content.end_matches(self.descriptor) else b""

    @property
    def size(self) -> int:
        """Its size in bytes, compressed if it is."""
        return os.fstat(self.descriptor).st_size

    def was_truncated(self) -> bool:
        """Return whether the bytes before the offset have changed or are missing."""
        if self.unpacked is not None:
            return False
        return self.size < self.content.offset or not self.content.end_matches(self.descriptor)

    def header_before(self, header: Header) -> bytes:
        """Return the lines before the offset that name the columns."""
        if self.unpacked is None:
            return header_before(self.descriptor, self.content.offset, header)
        return header_in(self._before(self.content.offset), header)

    def _before(self, end: int) -> Iterator[bytes]:
        """Yield the decompressed text before an offset."""
        unpacked = self.from_beginning()
        while end > 0 and (data := unpacked.read(min(end, READ_BYTES))):
            end -= len(data)
            yield data

    def skip_hole(self) -> None:
        """Skip the zeros of a writer that kept its old offset after the truncation."""
        if start := hole_end(self.descriptor):
            self.cutter.content = Fingerprint.of(self.descriptor, start)

    def first(self, size: int) -> bytes:
        """Return the first `size` bytes, decompressed, or fewer if the file is shorter."""
        if self.unpacked is None:
            return os.pread(self.descriptor, size, 0)
        first = b""
        unpacked = self.from_beginning()
        # A file that is being written may end anywhere.
        with suppress(EOFError):
            while len(first) < size and (data := unpacked.read(size - len(first))):
                first += data
        return first


def _refuse_odd(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", path)
