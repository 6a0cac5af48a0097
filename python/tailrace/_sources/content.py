"""What is known of a content: how far it was read, and by what it is recognized again."""

from __future__ import annotations

import os
from itertools import takewhile
from typing import TYPE_CHECKING

from tailrace._sources import FilePosition

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["BEFORE_BYTES", "HEAD_BYTES", "Fingerprint"]

# So much of the beginning is kept, and of what stands before the offset. Some logs begin with the
# same few hundred bytes of comments each time.
HEAD_BYTES = 4096
BEFORE_BYTES = 256

# By what a part of a content is recognized: what stands before each of these places, which lie
# closer together than an eighth of what is before them. They go further than any file.
_SAMPLE_BYTES = 32
_MARKS = [HEAD_BYTES]
while _MARKS[-1] < 2**63:
    _MARKS.append(_MARKS[-1] * 9 // 8)


class Fingerprint:
    """The head, the offset up to which it was read, what stands before that, and samples."""

    __slots__ = ("_identity", "before", "head", "offset", "samples")

    def __init__(self) -> None:
        self.head = b""
        self.offset = 0
        self.before = b""
        self.samples = bytearray()
        self._identity = b""

    @classmethod
    def of(cls, descriptor: int, offset: int, *, sampled: bool = True) -> Fingerprint:
        """
        Return that of a plain file, as if it had been read up to an offset.

        Without samples a part of it is not recognized: hundreds of files are not sampled at once.
        """
        content = cls()
        content.head = os.pread(descriptor, min(HEAD_BYTES, offset), 0)
        content.offset = offset
        size = min(BEFORE_BYTES, offset)
        content.before = os.pread(descriptor, size, offset - size)
        for mark in takewhile(lambda mark: mark <= offset, _MARKS if sampled else ()):
            content.samples += os.pread(descriptor, _SAMPLE_BYTES, mark - _SAMPLE_BYTES)
        return content

    def add(self, data: bytes) -> None:
        """Note what was read next."""
        missing = HEAD_BYTES - len(self.head)
        if missing > 0:
            self.head += data[:missing]
        end = self.offset + len(data)
        while (mark := _MARKS[len(self.samples) // _SAMPLE_BYTES]) <= end:
            at = mark - self.offset
            start = at - _SAMPLE_BYTES
            self.samples += data[start:at] if start >= 0 else self.before[start:] + data[:at]
        self.offset = end
        self.before = (self.before + data[-BEFORE_BYTES:])[-BEFORE_BYTES:]

    def position(self, path: str, offset: int) -> FilePosition:
        """Return the position of an offset up to which it was read, or of one before."""
        if offset < HEAD_BYTES:
            return FilePosition(path, _digest(self.head[:offset]), offset)
        self._identity = self._identity or _digest(self.head)
        return FilePosition(path, self._identity, offset)

    def ends_in(self, descriptor: int) -> bool:
        """Tell whether a plain file has the same bytes before the offset."""
        size = len(self.before)
        return os.pread(descriptor, size, self.offset - size) == self.before

    def found_in(self, descriptor: int) -> Literal["all", "part"] | None:
        """Tell whether a plain file has all of it, or ends before the offset and has a part."""
        size = os.fstat(descriptor).st_size
        if size < self.offset:
            return "part" if self.begins_with(Fingerprint.of(descriptor, size)) else None
        same = self.ends_in(descriptor) and os.pread(descriptor, len(self.head), 0) == self.head
        return "all" if same else None

    def begins_with(self, part: Fingerprint) -> bool:
        """Tell whether another one, which is shorter, is a part of it."""
        return self.head.startswith(part.head) and self.samples.startswith(part.samples)

    def agrees(self, part: Fingerprint) -> bool:
        """Tell the same where this one may have no samples, so that it is not ruled out."""
        size = min(len(self.samples), len(part.samples))
        return self.head.startswith(part.head) and self.samples[:size] == part.samples[:size]


def _digest(head: bytes) -> bytes:
    # What hashlib has; but that loads OpenSSL, 3 ms of the 60 that a start takes.
    from _blake2 import blake2b  # noqa: PLC0415 - only files need it

    return blake2b(head, digest_size=16).digest()
