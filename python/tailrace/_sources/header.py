"""The header lines before the place where a followed log starts, which name its columns."""

from __future__ import annotations

import os
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from tailrace._sources.plain import PlainText, newline_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Header", "header_before", "header_in"]

Header = Literal["fields", "first line"]
"""
Which lines name the columns: the last `#Fields:` line, or else the first line.

`#Software:` is kept too, because it determines a unit. `#Date:` is not: lines that were not read
may be of other days.
"""

_READ_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_FIELDS = b"#fields:"
_SOFTWARE = b"#software:"

# The longest header line that is found.
_LONGEST_HEADER = 64 * 1024


def header_before(descriptor: int, end: int, header: Header) -> bytes:
    """
    Return the lines of an uncompressed file that name the columns.

    A line ends at the offset *end*.
    """
    head = os.pread(descriptor, min(_READ_BYTES, end), 0)
    if newline_of(head) != b"\n":
        starts = range(0, end, _READ_BYTES)
        pieces = (os.pread(descriptor, min(_READ_BYTES, end - at), at) for at in starts)
        return header_in(pieces, header)
    software, names = _first_names(head, header)
    if not names.removeprefix(_BOM).lower().startswith(_FIELDS):
        return names
    return software + (_last_fields(descriptor, end) or names)


def header_in(pieces: Iterable[bytes], header: Header) -> bytes:
    """Return the lines that name the columns in a text which is read piece by piece."""
    text = PlainText()
    software = names = last = rest = b""
    for number, piece in enumerate(pieces):
        rest += text.feed(piece)
        if not number:
            software, names = _first_names(rest, header)
            if not names.removeprefix(_BOM).lower().startswith(_FIELDS):
                return names
        place = rest.lower().rfind(b"\n" + _FIELDS)
        if place >= 0 and (end := rest.find(b"\n", place + 1)) >= 0:
            last = rest[place + 1 : end + 1]
        # Overlap by the longest header, which may cross the boundary.
        rest = rest[-_LONGEST_HEADER:]
    return software + (last or names)


def _first_names(head: bytes, header: Header) -> tuple[bytes, bytes]:
    """Return the software and the names of the columns at the beginning of a text."""
    lines = head[: head.rfind(b"\n") + 1].splitlines(keepends=True)
    comments = list(takewhile(lambda line: line.removeprefix(_BOM).startswith(b"#"), lines))
    names = _directives(comments, _FIELDS)
    if not names:
        first = b"".join(lines[len(comments) :][:1]) if header == "first line" else b""
        return b"", first
    return b"".join(_directives(comments, _SOFTWARE)), names[-1]


def _directives(comments: list[bytes], name: bytes) -> list[bytes]:
    return [line for line in comments if line.removeprefix(_BOM).lower().startswith(name)]


def _last_fields(descriptor: int, end: int) -> bytes:
    """Return the last `#Fields:` line before an offset; a header may be repeated."""
    step = _READ_BYTES
    for start in range(end - step, -step, -step):
        # Overlap by the longest header, which may cross the boundary.
        data = os.pread(descriptor, min(step + _LONGEST_HEADER, end - max(start, 0)), max(start, 0))
        place = data.lower().rfind(b"\n" + _FIELDS)
        if place >= 0:
            return data[place + 1 :].partition(b"\n")[0] + b"\n"
    return b""
