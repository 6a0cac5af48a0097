"""Which format a log is of, told by how many of its first lines each format accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace import _core
from tailrace.filters import fitting
from tailrace.names import DETECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sources import Chunk

__all__ = ["FALLBACK", "Choice", "Detector"]

# A format shows in a few lines; a thousand also show what else is among them.
_ENOUGH_LINES = 1_000

# Whoever asks has to keep what was looked at, and lines may be long, blank or no lines at all.
_ENOUGH_BYTES = 4 * 1024 * 1024

FALLBACK = "combined"
"""What a log is read as in which no line is of any format: then its rejects tell the reader."""


class Choice(NamedTuple):
    """The format that was chosen, and how many of the lines looked at are of it."""

    format: str
    agreed: int
    lines: int

    def said(self, source: str) -> str:
        """
        Return in words what was chosen, and why.

        >>> Choice("combined", 998, 1000).said("access.log")
        'access.log: format combined, 998 of the first 1,000 lines agree'
        >>> Choice("combined", 0, 7).said("-")
        '-: no line of the first 7 is of a known format; read as combined, see tailrace formats'
        """
        return f"{source}: {self._found()}"

    def _found(self) -> str:
        read_as = f"read as {self.format}, see tailrace formats"
        one = self.lines == 1
        if self.lines == 0:
            return f"no line to tell the format by; {read_as}"
        if self.agreed == 0:
            none = f"no line of the first {self.lines:,} is of a known format"
            return f"{'the first line is of no known format' if one else none}; {read_as}"
        if one:
            agree = "the first line agrees"
        else:
            number = "all" if self.agreed == self.lines else f"{self.agreed:,}"
            agree = f"{number} of the first {self.lines:,} lines {_agree(self.agreed)}"
        # With so few it is rather something that no format here reads.
        doubt = "" if 2 * self.agreed >= self.lines else "; see tailrace formats"
        return f"format {self.format}, {agree}{doubt}"


def _agree(number: int) -> str:
    return "agrees" if number == 1 else "agree"


class Detector:
    """
    Looks at the first lines of a log and chooses the format that most of them are of.

    It has no clock and holds no bytes: who feeds it keeps the chunks until the choice is made,
    and decides how long to wait for more of them.

    Only formats that give all the fields that are asked for, and of which can be asked what a
    filter asks, can be chosen; where a field is asked for that only one of them gives, that one is.

    Raises:
        ValueError: No format that can be detected gives all of these fields.
    """

    def __init__(self, fields: Sequence[str] = (), asked: _core.Filter | None = None) -> None:
        self._candidates = fitting(DETECTED, fields, asked)
        if not self._candidates:
            names = [*fields, *(name for name, _ in asked.fields)] if asked else fields
            raise ValueError(
                f"no format that is detected has {', '.join(names)}; name one that has, see "
                "tailrace formats"
            )
        self._formats = [_core.Format(name) for name in self._candidates]
        self._agreed = [0] * len(self._candidates)
        self._lines = 0
        self._bytes = 0

    @property
    def lines(self) -> int:
        """How many lines were looked at; blank ones tell nothing and are none."""
        return self._lines

    @property
    def enough(self) -> bool:
        """Whether more lines would change nothing: a thousand were seen, or 4 MiB."""
        return self._lines >= _ENOUGH_LINES or self._bytes >= _ENOUGH_BYTES

    def look(self, chunk: Chunk) -> None:
        """Look at the first lines of the next chunk, unless enough were seen."""
        if self.enough:
            return
        start, end = chunk.span
        self._bytes += end - start
        try:
            lines, agreed = _core.agreeing(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                formats=self._formats,
                limit=_ENOUGH_LINES - self._lines,
            )
        except _core.BatchError:
            # Nothing of it counts, and whoever counts will tell its sender.
            return
        self._formats = [
            one.sections(chunk.data, kind=chunk.kind, span=chunk.span)[1] if one.has_header else one
            for one in self._formats
        ]
        self._lines += lines
        self._agreed = [sum(pair) for pair in zip(self._agreed, agreed, strict=True)]

    def agreed(self) -> list[tuple[str, int]]:
        """Return how many of the lines each format accepts."""
        return list(zip(self._candidates, self._agreed, strict=True))

    def choose(self) -> Choice:
        """Choose, however many lines were seen."""
        most = max(self._agreed)
        if most == 0:
            fallback = FALLBACK if FALLBACK in self._candidates else self._candidates[0]
            return Choice(fallback, 0, self._lines)
        # The first of those that accept as many is the most specific.
        return Choice(self._candidates[self._agreed.index(most)], most, self._lines)
