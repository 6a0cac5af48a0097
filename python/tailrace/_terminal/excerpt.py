"""A place in a line of a log, for people."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tailrace._terminal.escape import cut, for_people, width

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["excerpt", "shown", "terminal_width"]

_DOTS = "..."

# A character has four bytes at most, and a column at least, but for marks that have none.
_BYTES = 4

_NARROWEST = 20

_USUAL = 80


def terminal_width(stream: TextIO) -> int:
    """Return how many columns there are, or are taken for granted where nobody knows."""
    with suppress(OSError, ValueError):
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns)
    return _USUAL


def excerpt(line: bytes, byte: int, columns: int, end: int | None = None) -> list[str]:
    r"""
    Return the part of a line around a byte, as much as fits, and carets below it, up to an end.

    >>> excerpt(b"a\x1bc \xff", 2, 80)
    ['a\\x1bc \\xff', '     ^']
    >>> excerpt(b"x" * 90 + b"!" + b"y" * 90, 90, 30)
    ['...xxxxxxxxxxxxxxxxx!yyyyyy...', '                    ^']
    >>> excerpt(b"%h %t", 3, 80, 5)
    ['%h %t', '   ^^']
    """
    columns = max(columns, _NARROWEST)
    place = _boundary(line, min(max(byte, 0), len(line)))
    # The caret of a line's end stands behind it.
    behind = shown(line[place : place + _BYTES * columns]) or " "
    before = shown(line[max(0, place - _BYTES * columns) : place])
    room = max(columns // 3, columns - width(before))
    if width(behind) > room:
        behind = cut(behind, room - len(_DOTS) + 1, _DOTS)
    room = columns - width(behind)
    if width(before) > room or place > _BYTES * columns:
        before = _DOTS + _end(before, room - len(_DOTS))
    marked = shown(line[place:end]) if end is not None else ""
    carets = "^" * max(1, min(width(marked), width(behind)))
    return [(before + behind).rstrip(" "), " " * width(before) + carets]


def shown(text: bytes) -> str:
    """Return bytes of a log as people read them, with an escape for what does not print."""
    return for_people(text.decode(errors="backslashreplace"))


def _boundary(line: bytes, place: int) -> int:
    """Return the place, or that of the character which it is within."""
    for before in range(place, max(place - _BYTES, -1), -1):
        if before == len(line) or line[before] & 0xC0 != 0x80:  # noqa: PLR2004 - as UTF-8 goes on
            return before
    return place


def _end(text: str, columns: int) -> str:
    """Return as much of the end of a text as fits."""
    while width(text) > columns:
        text = text[max(1, (width(text) - columns) // 2) :]
    return text
