"""Few colours, for who looks at a terminal that has them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tailrace._terminal.escape import cut

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

__all__ = ["COLORS", "Part", "Style", "in_background", "is_terminal", "painted", "wants_color"]

COLORS = ["auto", "always", "never"]
"""What may be asked for."""


class Style:
    """The numbers of ECMA-48's "select graphic rendition"; all terminals with colours know them."""

    PLAIN = ""
    HEADING = "1"
    COUNT = "36"
    LOST = "33"
    STATUS = "2"


class Part(NamedTuple):
    """A piece of a line; what it says is printable."""

    text: str
    style: str = Style.PLAIN


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def in_background(stream: TextIO) -> bool:
    """Tell whether somebody else has the terminal that a stream is: a shell, or its other job."""
    try:
        return os.tcgetpgrp(stream.fileno()) != os.getpgrp()
    except OSError:
        # It has gone, or it is not that which controls this process: no shell lends it out.
        return False


def wants_color(choice: str, stream: TextIO) -> bool:
    """Tell whether to colour: what was asked for, else NO_COLOR (no-color.org), else a terminal."""
    if choice == "auto":
        return not os.environ.get("NO_COLOR") and is_terminal(stream)
    return choice == "always"


def painted(
    line: Iterable[Part], *, color: bool, columns: int | None = None, mark: str = "\u2026"
) -> str:
    r"""
    Return a line as it is written, cut to a number of columns.

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
