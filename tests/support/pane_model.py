"""A plain model of windows over panes that come in batches, and log lines to count."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AGGREGATES", "START", "PaneModel", "Window", "bounds", "combined", "lines", "parsed"]

START = datetime(2015, 5, 17, 10, 5, tzinfo=UTC)

AGGREGATES = {
    "count": tr.count(),
    "sized": tr.count("size"),
    "sum": tr.sum("size"),
    "mean": tr.mean("size"),
    "min": tr.min("size"),
    "max": tr.max("time"),
    "first": tr.first("url"),
    "last": tr.last("status"),
    "var": tr.var("size"),
    "std": tr.std("size"),
    "distinct": tr.count_distinct("host"),
    "about": tr.approx_count_distinct("host", error=0.1),
    "p50": tr.quantile("size", 0.5),
    "p99": tr.quantile("size", 0.99, error=0.05),
    "rate": tr.rate(),
    "bytes_per_s": tr.rate("size"),
    "ratio": tr.ratio("size", "status"),
    "share": tr.share(),
    "of_bytes": tr.share("size"),
    "errors": tr.share(where="status >= 400"),
    "values": tr.top_values("status", n=2),
    "urls": tr.top_values("url"),
}
"""One of each aggregate."""


class Line(NamedTuple):
    """The fields of a line."""

    second: int
    host: str
    url: str | None
    status: int
    size: int | None


def combined(line: Line) -> str:
    """Return a line of a combined log."""
    time = (START + timedelta(seconds=line.second)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = "-" if line.url is None else f"GET {line.url} HTTP/1.1"
    size = "-" if line.size is None else line.size
    return f'{line.host} - - [{time}] "{request}" {line.status} {size} "-" "x"'


def parsed(count: int, seconds: int, seed: int) -> list[Line]:
    """Return lines of a number of seconds in random order, some without a URL or a size."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [
        Line(
            draw.randrange(seconds),
            f"10.0.0.{draw.randrange(8)}",
            draw.choice([None, "/", "/a", "/b", "/a b", "/ünïcode", "/%ff"]),
            draw.choice([200, 200, 200, 404, 500]),
            draw.choice([None, draw.randrange(10**6), draw.randrange(10)]),
        )
        for _ in range(count)
    ]


def lines(count: int, seconds: int, seed: int = 1) -> list[str]:
    """Return the lines of `parsed`, and a few that match no format."""
    found = [combined(line) for line in parsed(count, seconds, seed)]
    return [*found, "not a log line", "", '10.0.0.1 - - [-] "GET / HTTP/1.1" 200 1 "-" "x"']


class Window(NamedTuple):
    """What a window holds: its bounds in seconds, counts by key, and how many events were late."""

    start: int | None
    end: int
    counts: dict[Any, int]
    late: int


class PaneModel:
    """Windows over panes of a second, recounted from all panes each time."""

    def __init__(self, lengths: list[int | None], every: int, lateness: float = 0) -> None:
        self.lengths, self.every, self.lateness = lengths, every, lateness
        self.panes: dict[int, dict[Any, int]] = {}
        self.newest: int | None = None
        self.late = 0
        self.answered: int | None = None
        self.is_idle = False

    @property
    def watermark(self) -> float:
        """The newest pane of finished batches minus lateness."""
        return float("-inf") if self.newest is None else self.newest - self.lateness

    def batch(self, rows: Iterable[tuple[int, Any, int]]) -> list[Window]:
        """Add panes, each with its start, a key and a count, and return the windows that ended."""
        watermark, newest = self.watermark, self.newest
        for start, key, count in rows:
            pane = start // self.every * self.every
            if pane + self.every <= watermark:
                self.late += count
            else:
                counts = self.panes.setdefault(pane, {})
                counts[key] = counts.get(key, 0) + count
            newest = start if newest is None else max(newest, start)
        self.newest = newest
        return self._answers(self.watermark)

    def finish(self) -> list[Window]:
        """Return the later windows that hold an event, and change nothing."""
        state = self.answered, self.is_idle
        longest = max(one for one in self.lengths if one is not None)
        last = max(self.panes, default=-(10**9)) + longest
        found = self._answers(last)
        self.answered, self.is_idle = state
        return found

    def _answers(self, upto: float) -> list[Window]:
        found = []
        while (end := self._next()) is not None and end <= upto:
            for length in self.lengths:
                held: dict[Any, int] = {}
                for pane, counts in self.panes.items():
                    if pane < end and (length is None or pane >= end - length):
                        for key, count in counts.items():
                            held[key] = held.get(key, 0) + count
                start = min(self.panes) if length is None else end - length
                found.append(Window(start, end, held, self.late))
            longest = max(one for one in self.lengths if one is not None)
            self.is_idle = not any(end - longest <= pane < end for pane in self.panes)
            self.answered = end
        return found

    def _next(self) -> int | None:
        if self.answered is not None and not self.is_idle:
            return self.answered + self.every
        waiting = [pane for pane in self.panes if self.answered is None or pane >= self.answered]
        return min(waiting) + self.every if waiting else None


def bounds(snapshot: tr.Snapshot) -> Window:
    """Return a snapshot with all of its rows in the form of the model."""
    by = snapshot.by
    counts = {tuple(row[name] for name in by): row["count"] for row in snapshot.rows}
    start, end = (
        None if time is None else round((time - START).total_seconds())
        for time in (snapshot.start, snapshot.end)
    )
    return Window(start, end or 0, counts, snapshot.lines["late"])
