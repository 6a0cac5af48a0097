"""What is known of a content: how far it was read, and by what it is known again."""

from __future__ import annotations

import os
from bisect import bisect
from itertools import accumulate, repeat

__all__ = ["BEFORE_BYTES", "HEAD_BYTES", "Trail"]

# By what a content is known again: so much of its beginning, and of what stands before a place.
# Some logs begin with the same few hundred bytes of comments each time.
HEAD_BYTES = 4096
BEFORE_BYTES = 256

# By what a part of a content is known: what stands before each of these places, which lie closer
# together than an eighth of what is before them. They go further than any file.
_SAMPLE_BYTES = 32
_MARKS = tuple(accumulate(repeat(None, 300), lambda mark, _: mark + mark // 8, initial=HEAD_BYTES))


class Trail:
    """How far a content was read, and by what it is known again."""

    __slots__ = ("before", "head", "offset", "samples")

    def __init__(self) -> None:
        self.head = b""
        self.offset = 0
        self.before = b""
        self.samples = bytearray()

    @classmethod
    def at(cls, descriptor: int, offset: int) -> Trail:
        """Return that of a plain file, as if it had been read up to an offset."""
        trail = cls.whole(descriptor, offset)
        trail.samples += _samples(descriptor, offset)
        return trail

    @classmethod
    def whole(cls, descriptor: int, offset: int) -> Trail:
        """Return one by which a part is not known: hundreds of files are not sampled at once."""
        trail = cls()
        trail.head = os.pread(descriptor, min(HEAD_BYTES, offset), 0)
        trail.offset = offset
        size = min(BEFORE_BYTES, offset)
        trail.before = os.pread(descriptor, size, offset - size)
        return trail

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

    def leads(self, descriptor: int) -> bool:
        """Tell whether a plain file has these bytes, as far as they are kept."""
        at = self.offset - len(self.before)
        return (
            os.pread(descriptor, len(self.before), at) == self.before
            and os.pread(descriptor, len(self.head), 0) == self.head
        )

    def has_part(self, descriptor: int, size: int) -> bool:
        """Tell whether a plain file of that size, which is less, begins it."""
        head = os.pread(descriptor, min(HEAD_BYTES, size), 0)
        return self.head.startswith(head) and self.samples.startswith(_samples(descriptor, size))

    def agrees(self, part: Trail) -> bool:
        """Tell whether another one, which is no longer, may be a part of it."""
        size = min(len(self.samples), len(part.samples))
        return self.head.startswith(part.head) and self.samples[:size] == part.samples[:size]


def _samples(descriptor: int, size: int) -> bytes:
    marks = _MARKS[: bisect(_MARKS, size)]
    return b"".join(os.pread(descriptor, _SAMPLE_BYTES, mark - _SAMPLE_BYTES) for mark in marks)
