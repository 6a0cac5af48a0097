"""Fingerprints of file contents: how far each was read, and how to recognize it again."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["BEFORE_BYTES", "HEAD_BYTES", "Fingerprint", "samples_before"]

# Bytes kept from the beginning of a content, and from before the offset. 4 KiB, because some logs
# begin with the same few hundred bytes of comments each time.
HEAD_BYTES = 4096
BEFORE_BYTES = 256

# A part of a content is recognized by the 32 bytes before each of these offsets. Each offset is at
# most an eighth larger than the one before it, and the last is larger than any file.
_SAMPLE_BYTES = 32
_MARKS = [HEAD_BYTES]
while _MARKS[-1] < 2**63:
    _MARKS.append(_MARKS[-1] * 9 // 8)


class Fingerprint:
    """A content's first bytes, the offset read so far, the bytes before that, and samples."""

    __slots__ = ("before", "head", "number", "offset", "samples")

    def __init__(self) -> None:
        self.head = b""
        self.offset = 0
        self.before = b""
        self.samples = bytearray()
        # Among the contents of its log; 0 until it is needed.
        self.number = 0

    @classmethod
    def of(cls, descriptor: int, offset: int, *, sampled: bool = True) -> Fingerprint:
        """
        Return the fingerprint of an uncompressed file, as if read up to an offset.

        Without samples, a truncated copy is not recognized; sampling hundreds of files at once
        would take too long.
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
        """Add the bytes read next."""
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

    def end_matches(self, descriptor: int) -> bool:
        """Return whether an uncompressed file has the same bytes before the offset."""
        size = len(self.before)
        return os.pread(descriptor, size, self.offset - size) == self.before

    def match_in(self, descriptor: int) -> Literal["all", "part"] | None:
        """Return whether an uncompressed file has all of this content, or only a first part."""
        size = os.fstat(descriptor).st_size
        if size < self.offset:
            return "part" if self.begins_with(Fingerprint.of(descriptor, size)) else None
        same = self.end_matches(descriptor) and os.pread(descriptor, len(self.head), 0) == self.head
        return "all" if same else None

    def begins_with(self, part: Fingerprint) -> bool:
        """Return whether a shorter content is the first part of this one."""
        return self.head.startswith(part.head) and self.samples.startswith(part.samples)

    def may_begin_with(self, part: Fingerprint) -> bool:
        """Like `begins_with`, but compare only the samples that both contents have."""
        size = min(len(self.samples), len(part.samples))
        return self.head.startswith(part.head) and self.samples[:size] == part.samples[:size]


def samples_before(offset: int) -> int:
    """Return the number of bytes of the samples before an offset."""
    return bisect_right(_MARKS, offset) * _SAMPLE_BYTES
