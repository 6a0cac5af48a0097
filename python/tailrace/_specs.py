"""What a query has been told: of which sources, in which windows, and what is asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from tailrace import _core
from tailrace._aggregates import Aggregate, count
from tailrace._filters import fitting
from tailrace._names import AUTO, DETECTED
from tailrace._sources.text import STDIN, File, LiveInput, Memory, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tailrace._shape import Slides
    from tailrace._sources import LiveSource, Source
    from tailrace._sources.header import Header

__all__ = [
    "SHORTEST_INTERVAL_US",
    "QuerySpec",
    "SourceSpec",
    "Time",
    "WindowSpec",
    "job_count",
]

Time = Literal["arrival", "header", "log"]

# How many rows unless another number is asked for.
_ROWS = 10

# More often than this an idle process would be a busy one.
SHORTEST_INTERVAL_US = 10_000

# Below this the threads cost more than they save.
_MANY_BYTES = 8 * 1024 * 1024


class WindowSpec(NamedTuple):
    """Which windows are answered, by which time."""

    windows: Slides
    time: Time
    lateness_us: int
    batch_interval_us: int
    idle_timeout_us: int | None
    max_ahead_us: int | None

    @property
    def interval_us(self) -> int:
        """How often the clock is looked at."""
        # Of the ends that pass between two looks at the clock no more than one window's worth is
        # answered, so a short window wants more looks.
        ends = (length for length in self.windows.lengths_us if length is not None)
        shortest_us = min(ends, default=self.windows.slide_us)
        return min(self.batch_interval_us, max(shortest_us // 2, SHORTEST_INTERVAL_US))


class QuerySpec(NamedTuple):
    """What is asked of the lines: of each key, in which order, of how many."""

    by: tuple[str, ...] | None = None
    aggregates: dict[str, Aggregate] = {"count": count()}  # noqa: RUF012 - never changed
    limit: int | None = _ROWS
    order_by: str | None = None
    ascending: bool = False
    changes: bool = False
    max_keys: int | None = None

    @property
    def fields(self) -> list[str]:
        """Those that formats need to have."""
        of_values = (field for one in self.aggregates.values() for field in one.fields)
        return list(dict.fromkeys([*(self.by or ()), *of_values]))


class SourceSpec(NamedTuple):
    """Where lines come from, one of: files, lines, an address."""

    log_format: str
    paths: tuple[str, ...] = ()
    follow: bool = False
    lines: Iterable[str | bytes] | None = None
    address: tuple[str, int] | None = None

    def formats(self, fields: Sequence[str], asked: _core.Filter | None) -> list[str]:
        """Return the formats that its lines may turn out to have, all with these fields."""
        if self.log_format != AUTO:
            return [self.log_format]
        return fitting(DETECTED, list(fields), asked)

    def sources(
        self, window: WindowSpec | None, *, waited_for: bool, of: int
    ) -> Iterator[tuple[Source | LiveSource, Sequence[str], bool]]:
        """Yield its sources, their names, and whether what they say may be of any time."""
        if self.address is not None:
            from tailrace._sources.flume import Flume  # noqa: PLC0415 - who has files needs no loop

            host, port = self.address
            yield Flume(host, port), [f"flume://{host}:{port}"], False
        elif self.lines is not None:
            yield Memory(self.lines), ["lines"], True
        elif self.follow:
            from tailrace._sources.follow import Follow  # noqa: PLC0415 - as above

            by_arrival = window is not None and window.time == "arrival"
            yield Follow(self.paths, from_end=by_arrival, header=self._header), self.paths, False
        else:
            for path in self.paths:
                name = "standard input" if path == STDIN else path
                if waited_for and LiveInput.is_waited_for(path):
                    yield LiveInput(path), [name], False
                else:
                    yield File(path, sharing=of), [name], path != STDIN

    @property
    def _header(self) -> Header | None:
        """What may say which columns its files have."""
        if not {"csv", "tsv"}.isdisjoint(self.log_format.split(",")):
            return "first line"
        is_named = self.log_format == AUTO or _core.Format(self.log_format).has_header
        return "fields" if is_named else None

    @property
    def is_at_rest(self) -> bool:
        """Whether all its bytes are there to be read."""
        if self.follow or not self.paths:
            return False
        return all(size_of(path) is not None for path in self.paths)

    @property
    def is_stdin(self) -> bool:
        """Whether it is standard input alone."""
        return self.paths == (STDIN,)

    @property
    def arrives(self) -> bool:
        """Whether the time of arrival is meant unless another is asked for."""
        return self.address is not None or self.is_stdin

    @property
    def live(self) -> bool:
        """Whether it has no end of its own."""
        return self.address is not None or self.follow


def job_count(places: Sequence[SourceSpec], wanted: int | None) -> int:
    """
    Return how many threads are to work on lines.

    Raises:
        ValueError: Fewer than one are wanted.
    """
    if wanted is not None and wanted < 1:
        raise ValueError(f"jobs: {wanted} threads; ask for at least one")
    if not all(place.is_at_rest for place in places):
        # What comes through a pipe is to be seen when it has come.
        return 1
    paths = [path for place in places for path in place.paths]
    if wanted is None and sum(size_of(path) or 0 for path in paths) < _MANY_BYTES:
        return 1
    return wanted or _processors()


def _processors() -> int:
    # Not every system tells which of them this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
