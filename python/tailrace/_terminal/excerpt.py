"""Show where in a line of a log the match failed."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from tailrace._terminal.escape import cut, for_people, width

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["excerpt", "mismatch", "shown", "terminal_width"]

_DOTS = "..."

# A character has at most four bytes, and at least one column unless it is a combining mark.
_BYTES = 4

# The part of a line that is quoted as found where it does not match.
_WORD = re.compile(rb'[^\s"\])},;]+')
_MAX_FOUND = 20
_NAMED = {b"": "the end of the line", b" ": "a space", b"\t": "a tab", b'"': "a quote"}

_MIN_COLUMNS = 20

_DEFAULT_COLUMNS = 80


def terminal_width(stream: TextIO) -> int:
    """Return the number of columns of a terminal, or a default if it is unknown."""
    with suppress(OSError, ValueError):
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns)
    return _DEFAULT_COLUMNS


def excerpt(line: bytes, byte: int, columns: int, end: int | None = None) -> list[str]:
    r"""
    Return the part of a line around a byte that fits, and below it carets from there to *end*.

    >>> excerpt(b"a\x1bc \xff", 2, 80)
    ['a\\x1bc \\xff', '     ^']
    >>> excerpt(b"x" * 90 + b"!" + b"y" * 90, 90, 30)
    ['...xxxxxxxxxxxxxxxxx!yyyyyy...', '                    ^']
    >>> excerpt(b"%h %t", 3, 80, 5)
    ['%h %t', '   ^^']
    """
    columns = max(columns, _MIN_COLUMNS)
    place = _boundary(line, min(max(byte, 0), len(line)))
    # At the end of a line, the caret is one column after it.
    after = shown(line[place : place + _BYTES * columns]) or " "
    before = shown(line[max(0, place - _BYTES * columns) : place])
    room = max(columns // 3, columns - width(before))
    if width(after) > room:
        after = cut(after, room - len(_DOTS) + 1, _DOTS)
    room = columns - width(after)
    if width(before) > room or place > _BYTES * columns:
        before = _DOTS + _end(before, room - len(_DOTS))
    marked = shown(line[place:end]) if end is not None else ""
    carets = "^" * max(1, min(width(marked), width(after)))
    return [(before + after).rstrip(" "), " " * width(before) + carets]


def mismatch(expected: str, line: bytes, byte: int) -> str:
    r"""
    Return what was expected at a byte of a line, and what was found there.

    >>> mismatch("a slash", b"10x20 30", 2)
    "expected a slash, found 'x20' at byte 2"
    >>> mismatch("a slash", b"10 20", 2)
    'expected a slash, found a space at byte 2'
    """
    place = _boundary(line, min(max(byte, 0), len(line)))
    return f"expected {expected}, found {_found(line[place:])} at byte {byte:,}"


def _found(rest: bytes) -> str:
    """Return the first word of the rest of a line, in quotes, or what comes instead of one."""
    first = rest[:1]
    if first in _NAMED:
        return _NAMED[first]
    word = _WORD.match(rest)
    return f"'{cut(shown(word[0]), _MAX_FOUND, _DOTS)}'" if word else f"'{shown(first)}'"


def shown(text: bytes) -> str:
    """Return bytes of a log as text, with escapes for what does not print."""
    return for_people(text.decode(errors="backslashreplace"))


def _boundary(line: bytes, place: int) -> int:
    """Return the start of the character that a byte is in."""
    for before in range(place, max(place - _BYTES, -1), -1):
        if before == len(line) or line[before] & 0xC0 != 0x80:  # noqa: PLR2004 - as UTF-8 goes on
            return before
    return place


def _end(text: str, columns: int) -> str:
    """Return the end of a text, as much as fits."""
    while width(text) > columns:
        text = text[max(1, (width(text) - columns) // 2) :]
    return text
