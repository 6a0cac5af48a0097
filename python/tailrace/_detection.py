"""Detect the format of a log from the number of its first lines that match each format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._filters import matching_formats
from tailrace._names import DETECTED
from tailrace._terminal.excerpt import excerpt, mismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["FALLBACK", "Choice", "Detector", "closest_format"]

# A few lines show the main format; a thousand also show what else is among them.
_ENOUGH_LINES = 1_000

# The caller holds what was looked at, and lines may be long, blank or not lines at all.
_ENOUGH_BYTES = 4 * 1024 * 1024

FALLBACK = "combined"
"""The format for a log that matches none better; the rejected lines show the user why."""

# The first line that is not blank is looked for among this many.
_MAX_BLANK_LINES = 50

# A line resembles a format if it has this many of its fields; fewer are found in any text.
_MIN_ALIKE = 3

# These accept text before or after a line, so a line can match another format as well.
_TOLERANT = {"common", "combined", "json"}

# A header with columns that only CloudFront has.
_EDGE = re.compile(rb"^(?:\xef\xbb\xbf)?#fields:.*\bx-edge-", re.MULTILINE | re.IGNORECASE)

# Below this share of the lines a choice is in doubt, and the alternative is reported.
_SURE = 0.9


class Choice(NamedTuple):
    """The format that was chosen, and how many of the first lines match it."""

    format: str
    matched: int
    lines: int
    runner_up: str | None = None
    """In case of doubt, the format that may be right instead, or as well."""
    besides: int = 0
    """How many lines match the runner-up and not the chosen format."""
    first: bytes = b""
    """If no line matches any format, the first of them."""
    lacks: tuple[str, ...] = ()
    """Requested fields that the runner-up lacks, if the first line matches it."""

    def describe(self, source: str, columns: int = 80) -> str:
        """
        Return what was chosen and why, with the first line below if that helps.

        >>> Choice("combined", 998, 1000).describe("access.log")
        'access.log: format combined, 998 of the first 1,000 lines match'
        """
        return f"{source}: {self._found(columns)}"

    def _found(self, columns: int) -> str:
        if self.lines == 0:
            return f"no line to detect the format from; using {self.format}, see --log-format"
        if self.matched == 0:
            return self._none(columns)
        if self.lines == 1:
            matching = "the first line matches"
        elif self.matched == self.lines:
            matching = f"the first {self.lines:,} lines all match"
        else:
            verb = "matches" if self.matched == 1 else "match"
            matching = f"{self.matched:,} of the first {self.lines:,} lines {verb}"
        return f"format {self.format}, {matching}{self._doubt()}"

    def _doubt(self) -> str:
        if self.runner_up is None:
            # With so few matches it is probably a format that tailrace does not know.
            return "; see --log-format" if 2 * self.matched < self.lines else ""
        if not self.besides:
            return f"; they also match {self.runner_up}"
        match = "others match" if self.besides > 1 else "other matches"
        return f"; {self.besides:,} {match} {self.runner_up}{self._both()}"

    def _both(self) -> str:
        both = f"{self.format},{self.runner_up}"
        try:
            _core.Format(both)
        except ValueError:
            return ""
        return f"; use --log-format {both} for both"

    def _none(self, columns: int) -> str:
        """Return why no format was detected, with the first line, which the user needs to see."""
        if self.lacks:
            return (
                f"the first line matches {self.runner_up}, which has no field "
                f"{' or '.join(map(repr, self.lacks))} ('tailrace formats {self.runner_up}' lists "
                f"its fields); using {self.format}, which has"
            )
        found = _core.explain(self.first, format=self.format)
        one = self.lines == 1
        none = (
            "the first line matches no"
            if one
            else f"none of the first {self.lines:,} lines matches a"
        )
        text = [f"{none} known format; using {self.format}"]
        if found["outcome"] == "reject":
            line = self.first.split(b"\n")[found["number"] - 1]
            text[0] += f": {mismatch(found['expected'], line, found['byte'])}"
            text[0] += "" if one else " of the first line"
            text += [f"  {part}" for part in excerpt(line, found["byte"], columns - 2)]
        text.append(
            "  give the format's name, or paste the server's log_format or LogFormat, with "
            "--log-format; test it with 'tailrace explain'"
        )
        return "\n".join(text)


def closest_format(data: bytes, names: Sequence[str] = DETECTED) -> str:
    """Return the format that a line which matches none resembles most."""
    likeness = {name: _likeness(data, name) for name in names}
    most = max(likeness.values())
    if FALLBACK in likeness and (most < _MIN_ALIKE or likeness[FALLBACK] == most):
        return FALLBACK
    # Of the formats that it resembles equally, the last is the most general.
    return [name for name in names if likeness[name] == most][-1]


def _likeness(data: bytes, name: str) -> int:
    return int(_core.explain(data, format=name).get("matched", 0))


class Detector:
    """
    Looks at the first lines of a log and chooses the format that most of them match.

    It has no clock and stores only the first line. The caller holds the chunks until the choice is
    made, and decides how long to wait for more of them.

    It chooses only formats that have all requested fields and that the filter can be applied to.

    Raises:
        ValueError: No format that can be detected has all of these fields.
    """

    def __init__(self, fields: Sequence[str] = (), condition: _core.Filter | None = None) -> None:
        self._candidates = matching_formats(DETECTED, fields, condition)
        names = [*fields, *(name for name, _ in condition.fields)] if condition else fields
        self._needed = names
        if not self._candidates:
            raise ValueError(f"{_none_has(names)}; name a format that has, see 'tailrace formats'")
        self._formats = [_core.Format(name) for name in self._candidates]
        self._matched = [0] * len(self._candidates)
        self._besides = [self._matched.copy() for _ in self._candidates]
        self._first = b""
        self._names_edge = False
        self._lines = 0
        self._bytes = 0

    @property
    def lines(self) -> int:
        """The number of lines that were looked at; blank lines do not count."""
        return self._lines

    @property
    def enough(self) -> bool:
        """Report whether enough was seen: a thousand lines, or 4 MiB."""
        return self._lines >= _ENOUGH_LINES or self._bytes >= _ENOUGH_BYTES

    def look(self, chunk: Chunk) -> None:
        """Look at the first lines of the next chunk, unless enough was seen."""
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
            # Nothing of it counts; its sender gets the error when the chunk is counted.
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
        """Return the format that the first line matches but that lacks requested fields, if any."""
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
                lacks = tuple(field for field in self._needed if not _core.has_field(name, field))
                return {"runner_up": name, "lacks": lacks}
        return {}

    @staticmethod
    def _after(one: _core.Format, chunk: Chunk) -> _core.Format:
        """Return a format with the columns that the chunk's last header sets."""
        if not one.has_header:
            return one
        return one.sections(chunk.data, kind=chunk.kind, span=chunk.span)[1]

    def matched(self) -> list[tuple[str, int]]:
        """Return how many of the lines match each format."""
        return list(zip(self._candidates, self._matched, strict=True))

    def choose(self) -> Choice:
        """Choose a format, even if few lines or none were seen."""
        most = max(self._matched)
        if most == 0:
            chosen = closest_format(self._first, self._candidates)
            choice = Choice(chosen, 0, self._lines, first=self._first)
            return choice._replace(**self._lacking())
        # Of the formats that match as many, the first is the most specific.
        place = self._matched.index(most)
        if self._candidates[place] == "cloudfront" and not self._names_edge:
            # A header matches both, and only its columns show which.
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
    """Report whether every line of a format also matches the other, less specific one."""
    about = _core.describe_format(name)
    example = about[1].encode() if about else b""
    span = (0, len(example))
    formats = [_core.Format(other).sections(example, kind="lines", span=span)[1]]
    lines, matched, _ = _core.count_matches(
        example, kind="lines", span=span, formats=formats, limit=9
    )
    return matched == [lines]


def _none_has(fields: Sequence[str]) -> str:
    """Return what is wrong if no format has all of these fields."""
    what = "the field" if len(fields) == 1 else "all of the fields"
    return f"no format that can be detected has {what} {', '.join(map(repr, fields))}"


def _sums(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [sum(pair) for pair in zip(one, other, strict=True)]


def _first_line(chunk: Chunk, name: str) -> bytes:
    """Return the first line that is not blank, in a chunk without a line of this format."""
    found = _core.sample_rejects(
        chunk.data, kind=chunk.kind, span=chunk.span, format=name, limit=_MAX_BLANK_LINES
    )
    return next((line for *_, line in found if line.strip()), b"")
