"""Colours on terminals that have them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tailrace._terminal.escape import cut

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

__all__ = ["COLORS", "Part", "Style", "in_background", "is_terminal", "painted", "wants_color"]

COLORS = ["auto", "always", "never"]
"""The values of --color."""


class Style:
    """The parameters of ECMA-48's "select graphic rendition" that every colour terminal has."""

    PLAIN = ""
    HEADING = "1"
    COUNT = "36"
    NOT_COUNTED = "33"
    STATUS = "2"
    BAR = "2"


class Part(NamedTuple):
    """A part of a line with one style; its text is printable."""

    text: str
    style: str = Style.PLAIN


def is_terminal(stream: TextIO) -> bool:
    """Report whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def in_background(stream: TextIO) -> bool:
    """Report whether a shell or another of its jobs has the terminal in the foreground."""
    try:
        return os.tcgetpgrp(stream.fileno()) != os.getpgrp()
    except OSError:
        # The terminal is closed, or it does not control this process, so no shell can take it.
        return False


def wants_color(choice: str, stream: TextIO) -> bool:
    """Report whether to colour: as chosen, or if a terminal and not NO_COLOR (no-color.org)."""
    if choice == "auto":
        return not os.environ.get("NO_COLOR") and is_terminal(stream)
    return choice == "always"


def painted(
    line: Iterable[Part], *, color: bool, columns: int | None = None, mark: str = "\u2026"
) -> str:
    r"""
    Return a line with its colours, cut to a number of columns.

    >>> painted([Part("12", Style.COUNT), Part("  /abc")], color=False, columns=6)
    '12  /…'
    >>> painted([Part("12", Style.COUNT), Part("  /abc")], color=True)
    '\x1b[36m12\x1b[m  /abc'
    """
    parts = list(line)
    rest = "".join(part.text for part in parts)
    if columns is not None:
        rest = cut(rest, columns, mark)
    out = []
    for part in parts:
        text, rest = rest[: len(part.text)], rest[len(part.text) :]
        out.append(f"\x1b[{part.style}m{text}\x1b[m" if color and part.style and text else text)
    return "".join(out)
