"""Bars and sparklines of block characters, and of ASCII where the output's encoding lacks them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

__all__ = ["Canvas", "bar", "canvas_of", "sparkline"]

# From an eighth of a line to a whole one.
_LEVELS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_ASCII_LEVELS = ".:-=+*#@"

# From an eighth of a column to a whole one.
_EIGHTHS = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"


class Canvas(NamedTuple):
    """What is drawn on."""

    columns: int | None = None
    """Its width; None for a pipe, a file and a string, where all columns fit."""
    has_blocks: bool = True
    encoding: str | None = None
    """Text that it lacks is written as escapes; None has all characters."""
    is_cut: bool = False
    """Whether lines end at its edge, so that what matters less makes room."""

    @property
    def mark(self) -> str:
        """Return what ends a text that is cut."""
        return "\u2026" if self.has_blocks else ">"

    def spelled(self, text: str) -> str:
        """Return a text as it is written."""
        if self.encoding is None or text.isascii():
            return text
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def canvas_of(stream: TextIO | None, columns: int | None = None, *, is_cut: bool = False) -> Canvas:
    """Return the canvas that a stream is, with blocks if its encoding has them."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        (_EIGHTHS + _LEVELS + "\u2500\u2026").encode(encoding)
    except UnicodeEncodeError:
        return Canvas(columns, has_blocks=False, encoding=encoding, is_cut=is_cut)
    except LookupError:
        return Canvas(columns, has_blocks=False, is_cut=is_cut)
    return Canvas(columns, is_cut=is_cut)


def bar(part: float, columns: int, *, has_blocks: bool = True) -> str:
    """
    Return a bar for a part from 0 to 1 of a number of columns, to an eighth of a column.

    >>> bar(1, 4), bar(0.5, 4), bar(0.53, 4), bar(0.53, 4, has_blocks=False), bar(0, 4)
    ('████', '██', '██▏', '##', '')

    What is more than nothing has a bar.

    >>> bar(1e-9, 4), bar(1e-9, 4, has_blocks=False)
    ('▏', '#')
    """
    steps = len(_EIGHTHS) if has_blocks else 1
    length = round(part * columns * steps)
    if not length:
        length = int(part > 0)
    if not has_blocks:
        return "#" * length
    whole, rest = divmod(length, steps)
    return _EIGHTHS[-1] * whole + (_EIGHTHS[rest - 1] if rest else "")


def sparkline(values: Sequence[float], *, has_blocks: bool = True) -> str:
    """
    Return a column for each value, as high as its part of the largest; none for 0.

    >>> sparkline([1, 0, 4, 8]), sparkline([1, 0, 4, 8], has_blocks=False)
    ('▁ ▄█', '. =@')
    """
    levels = _LEVELS if has_blocks else _ASCII_LEVELS
    largest = max(values, default=0)
    if largest <= 0:
        return " " * len(values)
    heights = (ceil(max(value, 0) / largest * len(levels)) for value in values)
    return "".join(levels[height - 1] if height else " " for height in heights)
