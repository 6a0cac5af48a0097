"""Escape text that could control a terminal, and measure the width of the rest."""

from __future__ import annotations

import re
import unicodedata

from tailrace import _core

__all__ = ["cut", "for_csv", "for_json", "for_people", "for_table", "width"]

_CONTROLS = re.compile(f"[{_core.TERMINAL_CONTROLS}]")


def for_people(text: str) -> str:
    r"""
    Return the text with an escape for every character that does not print.

    >>> for_people("a\x1b[31m\u202e")
    'a\\x1b[31m\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def for_table(text: str) -> str:
    r"""
    Return the text of a value with escapes, from which the text can be read again.

    >>> for_table("a\tb"), for_table(r"a\tb")
    ('a\\tb', 'a\\\\tb')
    """
    return for_people(text.replace("\\", "\\\\"))


def for_json(text: str) -> str:
    """Return JSON text with escapes for characters that could control a terminal."""
    # Printable text is safe, and this check is much faster than the search.
    if text.isprintable():
        return text
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def for_csv(text: str) -> str:
    r"""
    Return the text with escapes for backslashes and for characters that could control a terminal.

    >>> for_csv("a\x1b[31m\n"), for_csv(r"a\n")
    ('a\\x1b[31m\\n', 'a\\\\n')
    """
    text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return _CONTROLS.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def width(text: str) -> int:
    """
    Return the number of columns that printable text takes on a terminal.

    >>> width("ab"), width("\u6e29\u6cc9"), width("e\u0301")
    (2, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    # Checks the category, because enclosing marks and many vowel signs have no combining class.
    if unicodedata.category(character) in {"Mn", "Me"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int, mark: str = "\u2026") -> str:
    """
    Return the start of a text that fits, ending with a mark of one column if it is cut.

    >>> cut("abcdef", 4), cut("abcd", 4), cut("\u6e29\u6cc9\u6e29", 4), cut("abc", 0)
    ('abc\u2026', 'abcd', '\u6e29\u2026', '')
    """
    if width(text) <= columns:
        return text
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used >= columns:
            return text[:place] + mark[:columns]
    return text
