"""What may not reach a terminal as it is."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["for_json", "for_people", "width"]

# Controls, the marks that turn the direction of text or are not seen, separators of lines.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def for_people(text: str) -> str:
    r"""
    Return the text with everything that does not print written as an escape.

    >>> for_people("a\x1b[31m\u202e")
    'a\\x1b[31m\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def for_json(text: str) -> str:
    """Return JSON text in which whatever could steer a terminal is escaped."""
    # What prints cannot steer, and to ask that is much quicker than to search.
    if text.isprintable():
        return text
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def width(text: str) -> int:
    """Return how many columns of a terminal printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
