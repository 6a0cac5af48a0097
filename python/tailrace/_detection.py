"""Detect the format of a log from the number of its first lines that each format reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tailrace import _core
from tailrace._binary import kind_of
from tailrace._first_lines import ENOUGH_LINES
from tailrace._names import DETECTED
from tailrace._terminal.excerpt import excerpt, mismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["FALLBACK", "Choice", "Detector", "closest_format"]

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

# A format that fewer lines match is not the log's: a few lines of any bytes match some format.
_LEAST = 0.1

# The format of any JSON object. Beside a format of certain JSON lines, only requests count for it.
_ANY_JSON = "json"

# Of these servers only requests match, and they log other objects as well.
_OF_REQUESTS = {"caddy", "envoy-json", "traefik-json"}


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
    """If none of the lines at the beginning matches any format, the first of them."""
    readable: int = 0
    """If few lines match, how many match some format: servers may log more than requests."""
    binary: str = ""
    """If the first bytes are those of another kind of file, what it is."""

    @property
    def is_enough(self) -> bool:
        """Whether so many lines match that the source can be a log in this format."""
        return not self.binary and max(self.matched, self.readable) >= _LEAST * self.lines

    @property
    def is_doubtful(self) -> bool:
        """Whether the lines may have another format, or several."""
        return self.runner_up is not None or 2 * self.matched < self.lines

    def describe(self, source: str, columns: int = 80) -> str:
        """
        Return what was chosen and why, with the first line below if that helps.

        >>> Choice("combined", 998, 1000).describe("access.log")
        'access.log: format combined, 998 of the first 1,000 lines match'
        """
        return f"{source}: {self._found(columns)}"

    def _found(self, columns: int) -> str:
        if not self.is_enough:
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
            return "; see --log-format" if self.is_doubtful else ""
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
        if self.binary:
            return f"expected lines of a log, found {self.binary}"
        one = self.lines == 1
        if self.matched:
            verb = "matches" if self.matched == 1 else "match"
            what = (
                f"only {self.matched:,} of the first {self.lines:,} lines {verb} a known format, "
                f"{self.format}; expected at least a tenth"
            )
        elif one:
            what = f"the first line matches no known format; the closest is {self.format}"
        else:
            what = (
                f"none of the first {self.lines:,} lines matches a known format; the closest is "
                f"{self.format}"
            )
        text = [what]
        found = _core.explain(self.first, format=self.format) if self.first else {}
        if found.get("outcome") == "reject":
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
    Looks at the first lines of a log and chooses the format that reads most of them.

    It has no clock and stores only the first line. The caller holds the chunks until the choice is
    made, and decides how long to wait for more of them.
    """

    def __init__(self) -> None:
        self._formats = [_core.Format(name) for name in DETECTED]
        self._matched = [0] * len(DETECTED)
        self._complete = self._matched.copy()
        self._besides = [self._matched.copy() for _ in DETECTED]
        self._first = b""
        self._binary = ""
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
        return self._lines >= ENOUGH_LINES or self._bytes >= _ENOUGH_BYTES

    def look(self, chunk: Chunk) -> None:
        """Look at the first lines of the next chunk, unless enough was seen."""
        if self.enough:
            return
        start, end = chunk.span
        if not self._bytes and chunk.kind == "lines":
            self._binary = kind_of(chunk.data[start:end])
        self._bytes += end - start
        try:
            lines, matched, complete, besides = _core.count_matches(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                formats=self._formats,
                limit=ENOUGH_LINES - self._lines,
            )
        except _core.BatchError:
            # Nothing of it counts; its sender gets the error when the chunk is counted.
            return
        if lines and not self._lines and not any(matched):
            self._first = _first_line(chunk)
        # A search of a chunk of newlines takes 50 ms for each MiB.
        end = min(end, start + _ENOUGH_BYTES)
        self._names_edge |= _EDGE.search(chunk.data, start, end) is not None
        self._lines += lines
        self._matched = _sums(self._matched, matched)
        self._complete = _sums(self._complete, complete)
        self._besides = [_sums(*pair) for pair in zip(self._besides, besides, strict=True)]
        if not self.enough:
            self._formats = [self._after(one, chunk) for one in self._formats]

    @staticmethod
    def _after(one: _core.Format, chunk: Chunk) -> _core.Format:
        """Return a format with the columns that the chunk's last header sets."""
        if not one.has_header:
            return one
        return one.sections(chunk.data, kind=chunk.kind, span=chunk.span)[1]

    def matched(self) -> list[tuple[str, int]]:
        """Return how many of the lines match each format."""
        return list(zip(DETECTED, self._matched, strict=True))

    def _rank(self, at: int) -> tuple[bool, int, int]:
        """
        Return by what a format is chosen, in this order.

        Enough lines match it; it reads the most lines with nothing passed over; it reads the most
        lines. Of equal formats the first is the most specific.
        """
        matched, complete = self._matched[at], self._complete[at]
        lines = self._lines
        if DETECTED[at] in _OF_REQUESTS:
            lines = self._complete[DETECTED.index(_ANY_JSON)]
        is_enough = matched > 0 and matched >= _LEAST * lines
        if DETECTED[at] == _ANY_JSON and complete:
            # Objects that are no requests are the messages of the server.
            return is_enough, complete, complete
        return is_enough, complete, matched

    def choose(self) -> Choice:
        """Choose a format, even if few lines or none were seen."""
        if not any(self._matched):
            chosen = closest_format(self._first)
            return Choice(chosen, 0, self._lines, first=self._first, binary=self._binary)
        best = max(map(self._rank, range(len(DETECTED))))
        equals = [at for at in range(len(DETECTED)) if self._rank(at) == best]
        place = equals[0]
        if DETECTED[place] == "cloudfront" and not self._names_edge:
            # A header matches both, and only its columns show which.
            place = next((at for at in equals if DETECTED[at] == "w3c"), place)
        most = self._matched[place]
        choice = Choice(DETECTED[place], most, self._lines, first=self._first, binary=self._binary)
        if not choice.is_enough:
            choice = choice._replace(readable=max(self._matched))
        besides = self._besides[place]
        other = besides.index(max(besides))
        # A format that reads more lines would be expected to be the one.
        if besides[other] and (most < _SURE * self._lines or self._matched[other] > most):
            return choice._replace(runner_up=DETECTED[other], besides=besides[other])
        for at, name in enumerate(DETECTED):
            is_tolerant = name in {choice.format, *_TOLERANT}
            if not is_tolerant and self._rank(at) == best and not _implies(choice.format, name):
                return choice._replace(runner_up=name)
        return choice


def _implies(name: str, other: str) -> bool:
    """Report whether every line of a format also matches the other, less specific one."""
    about = _core.describe_format(name)
    example = about[1].encode() if about else b""
    span = (0, len(example))
    formats = [_core.Format(other).sections(example, kind="lines", span=span)[1]]
    lines, matched, _, _ = _core.count_matches(
        example, kind="lines", span=span, formats=formats, limit=9
    )
    return matched == [lines]


def _sums(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [sum(pair) for pair in zip(one, other, strict=True)]


def _first_line(chunk: Chunk) -> bytes:
    """Return the first line that is not blank, in a chunk without a line of any format."""
    found = _core.sample_rejects(
        chunk.data, kind=chunk.kind, span=chunk.span, format=DETECTED[0], limit=_MAX_BLANK_LINES
    )
    return next((line for *_, line in found if line.strip()), b"")
