"""An open file of a followed log, plain or in gzip, and how far it was read."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tailrace._sources.content import Fingerprint
from tailrace._sources.unpacking import GZIP, Unpacked

if TYPE_CHECKING:
    from tailrace._sources.siblings import Ident
    from tailrace._sources.text import Cutter

__all__ = ["READ_BYTES", "OpenFile"]

# As much as one chunk has.
READ_BYTES = 1024 * 1024


class OpenFile:
    """
    An open file, and how far it was read.

    Raises:
        OSError: It cannot be opened, or is no file.
    """

    def __init__(self, path: str, cutter: Cutter) -> None:
        self.path = path
        self.cutter = cutter
        self.watch: int | None = None
        self.was_cut = False
        # When it had been written last, as of the last look at its siblings while it was empty.
        self.examined_ns = 0
        # When it last had something, by the clock of who looks.
        self.heard = 0.0
        # Something that nobody writes to any more.
        self.is_copy = False
        # Its size when a compressed one was found unfinished.
        self.unfinished: int | None = None
        # Not blocking: what is no file any more may be a pipe without a writer.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(self.descriptor)
            _refuse_odd(status.st_mode, path)
            packed = os.pread(self.descriptor, len(GZIP.magics[0]), 0).startswith(GZIP.magics)
        except BaseException:
            self.close()
            raise
        self.ident: Ident = (status.st_dev, status.st_ino)
        self.gunzip = Unpacked.of_file(self.descriptor, GZIP) if packed else None

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)

    @property
    def content(self) -> Fingerprint:
        """What was read of it."""
        return self.cutter.content

    def read(self) -> bytes:
        """
        Return what follows, at most a chunk; ask again when the cutter was fed with it.

        Raises:
            EOFError: It is compressed, and cut short.
            DamagedError: It is compressed, and damaged.
        """
        if self.gunzip is not None:
            return self.gunzip.read(READ_BYTES)
        size = min(self.size - self.content.offset, READ_BYTES)
        if size <= 0:
            return b""
        data = os.pread(self.descriptor, size, self.content.offset)
        # Looked at after the read: what was read is of the same content then.
        return data if self.content.ends_in(self.descriptor) else b""

    @property
    def size(self) -> int:
        """How many bytes it has now, packed if it is so."""
        return os.fstat(self.descriptor).st_size

    def was_truncated(self) -> bool:
        """Tell whether what was read no longer stands where it stood."""
        if self.gunzip is not None:
            return False
        return self.size < self.content.offset or not self.content.ends_in(self.descriptor)

    def skip_hole(self) -> None:
        """Pass over the zeros that a writer leaves who went on where it was before truncation."""
        try:
            # Where a system cannot tell, there is no hole.
            start = os.lseek(self.descriptor, 0, os.SEEK_DATA)
        except OSError:
            start = 0
        size = READ_BYTES
        while size == READ_BYTES:
            data = os.pread(self.descriptor, size, start)
            size = len(data) - len(data.lstrip(b"\0"))
            start += size
        if start:
            self.cutter.content = Fingerprint.of(self.descriptor, start)

    def first(self, size: int) -> bytes:
        """Return so much of the beginning, or what there is."""
        if self.gunzip is None:
            return os.pread(self.descriptor, size, 0)
        first = b""
        gunzip = Unpacked.of_file(self.descriptor, GZIP)
        # One that is being written may end anywhere.
        with suppress(EOFError):
            while len(first) < size and (data := gunzip.read(size - len(first))):
                first += data
        return first


def _refuse_odd(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Is no file", path)
