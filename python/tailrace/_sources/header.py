"""The header lines before the place where a followed log starts, which name its columns."""

from __future__ import annotations

import os
from itertools import takewhile
from typing import Literal

__all__ = ["Header", "header_before"]

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
    """Return the lines before an offset that name the columns; a line ends at the offset."""
    head = os.pread(descriptor, min(_READ_BYTES, end), 0)
    lines = head[: head.rfind(b"\n") + 1].splitlines(keepends=True)
    comments = list(takewhile(lambda line: line.removeprefix(_BOM).startswith(b"#"), lines))
    names = _directives(comments, _FIELDS)
    if not names:
        return b"".join(lines[len(comments) :][:1]) if header == "first line" else b""
    software = _directives(comments, _SOFTWARE)
    return b"".join(software) + (_last_fields(descriptor, end) or names[-1])


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
