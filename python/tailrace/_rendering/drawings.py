"""Bars of block characters, and of `#` where the encoding of the output lacks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Canvas", "bar", "canvas_of"]

# From an eighth of a column to a whole one.
_EIGHTHS = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"


class Canvas(NamedTuple):
    """What is drawn on."""

    columns: int | None = None
    """Its width; None for a pipe, a file and a string, where all columns fit."""
    has_blocks: bool = True


def canvas_of(stream: TextIO | None, columns: int | None = None) -> Canvas:
    """Return the canvas that a stream is, with blocks if its encoding has them."""
    try:
        (_EIGHTHS + "\u2500").encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return Canvas(columns, has_blocks=False)
    return Canvas(columns)


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
