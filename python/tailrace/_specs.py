"""The parts of a query: sources, windows, and aggregates by key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from tailrace import _core
from tailrace._aggregates import Aggregate, count
from tailrace._durations import short
from tailrace._filters import LineFilter, matching_formats
from tailrace._names import AUTO, DETECTED
from tailrace._sources.text import STDIN, File, LiveInput, Memory, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

    from tailrace._lookups import Countries
    from tailrace._schedule import Schedule
    from tailrace._sources import LiveSource, Source
    from tailrace._sources.flume_guard import GuardSpec
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

# The number of rows by default.
_ROWS = 10

# Reading the clock more often would keep an idle process busy.
SHORTEST_INTERVAL_US = 10_000

# How much older than its window an event from an agent may be by default. Older ones would cost
# answers for windows that nobody waits for.
_MAX_BEHIND_US = 24 * 3_600 * 10**6

# Below this, threads cost more than they save.
_MANY_BYTES = 8 * 1024 * 1024


class WindowSpec(NamedTuple):
    """Which windows produce snapshots, and in which time."""

    windows: Schedule
    time: Time
    lateness_us: int
    batch_interval_us: int
    idle_timeout_us: int | None
    max_ahead_us: int | None
    max_behind_us: int | None

    def most_behind_us(self, *, is_of_agents: bool) -> int | None:
        """Return how old a time of a live source may be; None for any age."""
        if self.max_behind_us is not None or not is_of_agents or self.time == "arrival":
            return self.max_behind_us
        lengths = [length for length in self.windows.lengths_us if length is not None]
        if len(lengths) < len(self.windows.lengths_us):
            # A window since the start has events of any age.
            return None
        return max(lengths) + max(_MAX_BEHIND_US, self.lateness_us)

    @property
    def interval_us(self) -> int:
        """How often the clock is read."""
        # Of the ends that pass between two readings, at most those of one window length produce a
        # snapshot, so a short window needs more readings.
        ends = (length for length in self.windows.lengths_us if length is not None)
        shortest_us = min(ends, default=self.windows.slide_us)
        return min(self.batch_interval_us, max(shortest_us // 2, SHORTEST_INTERVAL_US))

    def describe(self) -> str:
        """Return it for the `repr` of a query: `window 5m every 1s by log time`."""
        lengths = ("all" if one is None else short(one) for one in self.windows.lengths_us)
        every = short(self.windows.slide_us)
        time = "arrival" if self.time == "arrival" else f"{self.time} time"
        return f"window {', '.join(lengths)} every {every} by {time}"


class QuerySpec(NamedTuple):
    """What is computed for each key, and which rows are returned."""

    by: tuple[str, ...] | None = None
    aggregates: dict[str, Aggregate] = {"count": count()}  # noqa: RUF012 - never changed
    limit: int | None = _ROWS
    order_by: str | None = None
    ascending: bool = False
    track_ranks: bool = False
    max_keys: int | None = None
    max_key_bytes: int | None = None

    @property
    def fields(self) -> list[str]:
        """The fields that formats need to have."""
        of_values = [field for one in self.aggregates.values() for field in one.fields]
        for one in self.conditions:
            if condition := one.compiled(0):
                of_values += [name for name, _ in condition.fields]
        return list(dict.fromkeys([*(self.by or ()), *of_values]))

    @property
    def conditions(self) -> tuple[LineFilter, ...]:
        """The conditions that aggregates compute."""
        return tuple(one._condition for one in self.aggregates.values() if one.where is not None)

    def describe(self) -> list[str]:
        """Return its parts for the `repr` of a query; none without aggregates."""
        if self.by is None:
            return []
        named = ", ".join(
            str(one) if name == one.function else f"{name}={one}"
            for name, one in self.aggregates.items()
        )
        rows = "sorted" if self.limit is None else f"top {self.limit}"
        rows += f" by {self.order_by}" if self.order_by else ""
        rows += " ascending" if self.ascending else ""
        return [f"{named} by {', '.join(self.by)}" if self.by else named, rows]


class SourceSpec(NamedTuple):
    """A source: files, lines or an address."""

    log_format: str
    paths: tuple[str, ...] = ()
    follow: bool = False
    lines: Iterable[str | bytes] | None = None
    address: tuple[str, int] | None = None
    sender_header: str | None = None
    """The header that names the sender of an event; by default it is the peer's address."""
    max_connections: int = 0
    """The limit of connections, of an address."""
    max_partial_bytes: int = 0
    """The limit of bytes of incomplete batches, of an address."""
    resent_us: int | None = None
    """For how long it is remembered what an address has received; None to count what is resent."""
    guard: GuardSpec | None = None
    """What an address demands of its peers; None for nothing."""
    tz: tzinfo | None = None
    """The zone of times without one; UTC by default."""
    geoip: Countries | None = None
    """The database of countries."""

    @property
    def names(self) -> list[str]:
        """The names of its sources in answers and messages."""
        if self.address is not None:
            host, port = self.address
            return [f"flume://{host}:{port}"]
        if self.lines is not None:
            return ["lines"]
        return ["standard input" if path == STDIN else path for path in self.paths]

    def formats(self, fields: Sequence[str], *conditions: _core.Filter) -> list[str]:
        """
        Return the formats that its lines may match, of those that can have these fields.

        Raises:
            ValueError: There is none to which all conditions apply.
        """
        if self.log_format != AUTO:
            return [self.log_format]
        found = matching_formats(DETECTED, list(fields), *conditions)
        if not found:
            raise ValueError(
                "no format that can be detected has all fields with the types that the conditions "
                "need; give the format of the log"
            )
        return found

    def sources(
        self, window: WindowSpec | None, *, waited_for: bool, sharing: int
    ) -> Iterator[tuple[Source | LiveSource, Sequence[str], bool]]:
        """Yield its sources, each with its names and whether its lines may be of any time."""
        if self.address is not None:
            from tailrace._sources.flume import Flume  # noqa: PLC0415 - files need no event loop

            flume = Flume(
                *self.address,
                max_connections=self.max_connections,
                max_partial_bytes=self.max_partial_bytes,
                guard=self.guard,
            )
            yield flume, self.names, False
        elif self.lines is not None:
            yield Memory(self.lines), self.names, True
        elif self.follow:
            from tailrace._sources.follow import Follow  # noqa: PLC0415 - as above

            by_arrival = window is not None and window.time == "arrival"
            yield Follow(self.paths, from_end=by_arrival, header=self._header), self.names, False
        else:
            for path, name in zip(self.paths, self.names, strict=True):
                if waited_for and LiveInput.is_waited_for(path):
                    yield LiveInput(path), [name], False
                else:
                    file = File(path, sharing=sharing, header=self._header)
                    yield file, [name], path != STDIN

    @property
    def _header(self) -> Header | None:
        """Where its files may name their columns."""
        if not {"csv", "tsv"}.isdisjoint(self.log_format.split(",")):
            return "first line"
        is_named = self.log_format == AUTO or _core.Format(self.log_format).has_header
        return "fields" if is_named else None

    @property
    def is_at_rest(self) -> bool:
        """Whether all of its bytes can be read without waiting."""
        if self.follow or not self.paths:
            return False
        return all(size_of(path) is not None for path in self.paths)

    @property
    def is_endless(self) -> bool:
        """Whether its end is unknown: it is live, or a pipe."""
        return self.is_live or any(map(LiveInput.is_waited_for, self.paths))

    @property
    def is_by_arrival(self) -> bool:
        """Whether its windows go by arrival by default: Flume's, and those of standard input."""
        return self.is_of_agents or self.paths == (STDIN,)

    @property
    def is_live(self) -> bool:
        """Whether it has no end of its own."""
        return self.is_of_agents or self.follow

    @property
    def is_of_agents(self) -> bool:
        """Whether it has events from Flume agents, with headers."""
        return self.address is not None


def job_count(sources: Sequence[SourceSpec], jobs: int | None) -> int:
    """
    Return the number of threads that work on lines.

    Raises:
        TypeError: *jobs* is not an integer.
        ValueError: *jobs* is below one.
    """
    if not (jobs is None or isinstance(jobs, int)):
        raise TypeError(f"jobs: expected an integer number of threads, found {jobs!r:.80}")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs: expected at least 1 thread, found {jobs}")
    if not all(source.is_at_rest for source in sources):
        # What comes through a pipe is shown as it comes.
        return 1
    paths = [path for source in sources for path in source.paths]
    if jobs is None and sum(size_of(path) or 0 for path in paths) < _MANY_BYTES:
        return 1
    return jobs or _processors()


def _processors() -> int:
    # Not every system reports which processors this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
