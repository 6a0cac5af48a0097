"""Which format a log is of, told by how many of its first lines each format accepts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._filters import matching_formats
from tailrace._names import DETECTED
from tailrace._terminal.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["FALLBACK", "Choice", "Detector", "closest_format"]

# A format shows in a few lines; a thousand also show what else is among them.
_ENOUGH_LINES = 1_000

# Whoever asks has to keep what was looked at, and lines may be long, blank or no lines at all.
_ENOUGH_BYTES = 4 * 1024 * 1024

FALLBACK = "combined"
"""What a log is read as in which no format comes further: then its rejects tell the reader."""

# So many lines are looked through for the first that is not blank.
_ENOUGH_BLANK = 50

# A line is like one of a format if so many fields of it are; fewer are found in any text.
_LIKE = 3

# These accept what stands in front of a line or behind it, so a line may well be of another too.
_TOLERANT = {"common", "combined", "json"}

# What a header of CloudFront names, and no other's.
_EDGE = re.compile(rb"^(?:\xef\xbb\xbf)?#fields:.*\bx-edge-", re.MULTILINE | re.IGNORECASE)

# Below this share of the lines a choice is in doubt, and what else there is is said.
_SURE = 0.9


class Choice(NamedTuple):
    """The format that was chosen, and how many of the lines looked at are of it."""

    format: str
    matched: int
    lines: int
    runner_up: str | None = None
    """Where there is doubt, the format that may be meant instead, or as well."""
    besides: int = 0
    """How many lines are of that one and not of the chosen one."""
    first: bytes = b""
    """Where no line is of any format, the first of them."""
    lacks: tuple[str, ...] = ()
    """Fields that were asked for and that the runner-up lacks, where this line is of that."""

    def describe(self, source: str, columns: int = 80) -> str:
        """
        Return in words what was chosen, and why; where that helps, with the first line below.

        >>> Choice("combined", 998, 1000).describe("access.log")
        'access.log: format combined, 998 of the first 1,000 lines agree'
        """
        return f"{source}: {self._found(columns)}"

    def _found(self, columns: int) -> str:
        if self.lines == 0:
            return f"no line to tell the format by; read as {self.format}, see tailrace formats"
        if self.matched == 0:
            return self._none(columns)
        if self.lines == 1:
            agree = "the first line agrees"
        else:
            number = "all" if self.matched == self.lines else f"{self.matched:,}"
            verb = "agrees" if self.matched == 1 else "agree"
            agree = f"{number} of the first {self.lines:,} lines {verb}"
        return f"format {self.format}, {agree}{self._doubt()}"

    def _doubt(self) -> str:
        if self.runner_up is None:
            # With so few it is rather something that no format here reads.
            return "; see tailrace formats" if 2 * self.matched < self.lines else ""
        if not self.besides:
            return f"; so they do with {self.runner_up}"
        are = "others are" if self.besides > 1 else "other is"
        return f"; {self.besides:,} {are} of {self.runner_up}{self._both()}"

    def _both(self) -> str:
        both = f"{self.format},{self.runner_up}"
        try:
            _core.Format(both)
        except ValueError:
            return ""
        return f", and --log-format {both} reads both"

    def _none(self, columns: int) -> str:
        """Show the first line, for that is what whoever mends it looks for."""
        if self.lacks:
            return (
                f"the first line is of {self.runner_up}, which has no "
                f"{' and no '.join(self.lacks)}; "
                f"tailrace formats {self.runner_up} lists what it has"
            )
        found = _core.explain(self.first, format=self.format)
        one = self.lines == 1
        none = (
            "the first line is of no" if one else f"none of the first {self.lines:,} lines is of a"
        )
        said = [f"{none} known format; read as {self.format}"]
        if found["outcome"] == "reject":
            line = self.first.split(b"\n")[found["number"] - 1]
            of = "" if one else " of the first"
            said[0] += f": at byte {found['byte']:,}{of} there should be {found['expected']}"
            said += [f"  {text}" for text in excerpt(line, found["byte"], columns - 2)]
        said.append(
            "  name the format, or paste the server's log_format or LogFormat, with --log-format; "
            "tailrace explain tries it"
        )
        return "\n".join(said)


def closest_format(data: bytes, names: Sequence[str] = DETECTED) -> str:
    """Return the format which a first line that is of none is most like."""
    likeness = {name: _likeness(data, name) for name in names}
    most = max(likeness.values())
    if FALLBACK in likeness and (most < _LIKE or likeness[FALLBACK] == most):
        return FALLBACK
    # Of those that are alike the last is the most general.
    return [name for name in names if likeness[name] == most][-1]


def _likeness(data: bytes, name: str) -> int:
    return int(_core.explain(data, format=name).get("matched", 0))


class Detector:
    """
    Looks at the first lines of a log and chooses the format that most of them are of.

    It has no clock and holds no bytes but the first line: who feeds it keeps the chunks until the
    choice is made, and decides how long to wait for more of them.

    Only formats that give all the fields that are asked for, and of which can be asked what a
    filter asks, can be chosen; where a field is asked for that only one of them gives, that one is.

    Raises:
        ValueError: No format that can be detected gives all of these fields.
    """

    def __init__(self, fields: Sequence[str] = (), asked: _core.Filter | None = None) -> None:
        self._candidates = matching_formats(DETECTED, fields, asked)
        self._asked = names = [*fields, *(name for name, _ in asked.fields)] if asked else fields
        if not self._candidates:
            raise ValueError(
                f"no format that is detected has {', '.join(names)}; name one that has, see "
                "tailrace formats"
            )
        self._formats = [_core.Format(name) for name in self._candidates]
        self._matched = [0] * len(self._candidates)
        self._besides = [self._matched.copy() for _ in self._candidates]
        self._first = b""
        self._names_edge = False
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
            lines, matched, besides = _core.count_matches(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                formats=self._formats,
                limit=_ENOUGH_LINES - self._lines,
            )
        except _core.BatchError:
            # Nothing of it counts, and whoever counts will tell its sender.
            return
        if lines and not self._lines and not any(matched):
            self._first = _first_line(chunk, self._candidates[0])
        self._names_edge |= _EDGE.search(chunk.data, start, end) is not None
        self._lines += lines
        self._matched = _sums(self._matched, matched)
        self._besides = [_sums(*pair) for pair in zip(self._besides, besides, strict=True)]
        if not self.enough:
            self._formats = [self._after(one, chunk) for one in self._formats]

    def _lacking(self) -> dict[str, Any]:
        """Return which format the first line is of that has not all the fields, if there is one."""
        others = [name for name in DETECTED if name not in self._candidates]
        if not self._first or not others:
            return {}
        _, matched, _ = _core.count_matches(
            self._first,
            kind="lines",
            span=(0, len(self._first)),
            formats=[_core.Format(name) for name in others],
            limit=1,
        )
        for name, count in zip(others, matched, strict=True):
            if count:
                lacks = tuple(field for field in self._asked if not _core.has_field(name, field))
                return {"runner_up": name, "lacks": lacks}
        return {}

    @staticmethod
    def _after(one: _core.Format, chunk: Chunk) -> _core.Format:
        """Return a format with the columns that the chunk names for what follows it."""
        if not one.has_header:
            return one
        return one.sections(chunk.data, kind=chunk.kind, span=chunk.span)[1]

    def matched(self) -> list[tuple[str, int]]:
        """Return how many of the lines each format accepts."""
        return list(zip(self._candidates, self._matched, strict=True))

    def choose(self) -> Choice:
        """Choose, however many lines were seen."""
        most = max(self._matched)
        if most == 0:
            chosen = closest_format(self._first, self._candidates)
            choice = Choice(chosen, 0, self._lines, first=self._first)
            return choice._replace(**self._lacking())
        # The first of those that accept as many is the most specific.
        place = self._matched.index(most)
        if self._candidates[place] == "cloudfront" and not self._names_edge:
            # A header is one of both, and says whose columns it names.
            equals = [at for at, matched in enumerate(self._matched) if matched == most]
            place = next((at for at in equals if self._candidates[at] == "w3c"), place)
        choice = Choice(self._candidates[place], most, self._lines)
        besides = self._besides[place]
        if any(besides) and most < _SURE * self._lines:
            runner_up = self._candidates[besides.index(max(besides))]
            return choice._replace(runner_up=runner_up, besides=max(besides))
        for name, matched in self.matched():
            other = name not in {choice.format, *_TOLERANT}
            if other and matched == most and not _implies(choice.format, name):
                return choice._replace(runner_up=name)
        return choice


def _implies(name: str, other: str) -> bool:
    """Tell whether a line of the one format is one of the other, which is less specific."""
    about = _core.describe_format(name)
    example = about[1].encode() if about else b""
    span = (0, len(example))
    formats = [_core.Format(other).sections(example, kind="lines", span=span)[1]]
    lines, matched, _ = _core.count_matches(
        example, kind="lines", span=span, formats=formats, limit=9
    )
    return matched == [lines]


def _sums(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [sum(pair) for pair in zip(one, other, strict=True)]


def _first_line(chunk: Chunk, name: str) -> bytes:
    """Return the first line that is not blank, none of which is of this format."""
    found = _core.sample_rejects(
        chunk.data, kind=chunk.kind, span=chunk.span, format=name, limit=_ENOUGH_BLANK
    )
    return next((line for *_, line in found if line.strip()), b"")
