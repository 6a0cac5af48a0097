"""What a query has been told, and the run that it becomes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from tailrace import _core
from tailrace.aggregates import Aggregate, asks, count, place_of
from tailrace.filters import fitting
from tailrace.names import AUTO, DETECTED
from tailrace.runtime.clock import Clock, Silence
from tailrace.runtime.counting import Counting
from tailrace.runtime.feeds import Feeds
from tailrace.runtime.intake import Intake, Origin
from tailrace.runtime.pump import Stop
from tailrace.runtime.run import Run
from tailrace.shape import Slides, shape
from tailrace.sources import as_live, at_hand
from tailrace.sources.text import STDIN, File, LiveInput, Memory, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tailrace.detection import Detector
    from tailrace.filters import Asked
    from tailrace.runtime.commit import Commit
    from tailrace.runtime.live import LiveFeeds
    from tailrace.runtime.rows import Made, RowOptions, Rows
    from tailrace.snapshot import Snapshot
    from tailrace.sources import LiveSource, Source
    from tailrace.sources.rotation import Header

__all__ = [
    "SHORTEST_INTERVAL_US",
    "QuerySpec",
    "SourceSpec",
    "Time",
    "WindowSpec",
    "count_run",
    "job_count",
    "row_run",
]

T = TypeVar("T")

Time = Literal["arrival", "header", "log"]

# How many rows unless another number is asked for.
_ROWS = 10

# A time further ahead than this is no time of an event that has happened.
_MAX_AHEAD_US = 3_600 * 10**6

# More often than this an idle process would be a busy one.
SHORTEST_INTERVAL_US = 10_000

_SECOND_US = 10**6

# How often what was written of rows is made to be seen.
_ROW_INTERVAL_US = 200_000

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
            from tailrace.sources.flume import Flume  # noqa: PLC0415 - who has files needs no loop

            host, port = self.address
            yield Flume(host, port), [f"flume://{host}:{port}"], False
        elif self.lines is not None:
            yield Memory(self.lines), ["lines"], True
        elif self.follow:
            from tailrace.sources.follow import Follow  # noqa: PLC0415 - as above

            by_arrival = window is not None and window.time == "arrival"
            yield Follow(self.paths, from_end=by_arrival, header=self._header), self.paths, False
        else:
            for path in self.paths:
                name = "standard input" if path == STDIN else path
                if waited_for and LiveInput.is_waited_for(path):
                    yield LiveInput(path), [name], False
                else:
                    yield File(path, of=of), [name], path != STDIN

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


def count_run(
    places: Sequence[SourceSpec],
    window: WindowSpec | None,
    query: QuerySpec,
    asked: Asked,
    *,
    jobs: int,
    commit: Commit | None = None,
) -> Run[Counting, Snapshot]:
    """
    Return the run that answers a query.

    Raises:
        ValueError: The sources do not have the fields, or not of the same types.
    """
    clock, stop = Clock(), Stop()
    condition = asked.compiled(clock.now_us())
    by = query.by or ()
    feeds, origins = _sources(places, window, query.fields, condition)
    lateness_us = 0 if window is None else window.lateness_us
    engine = _core.Engine(
        formats=[name for place in places for name in place.formats(query.fields, condition)],
        by=list(by),
        aggregates=asks(query.aggregates, by, changes=query.changes),
        time="log" if window is None else window.time,
        shape=shape(
            None if window is None else window.windows,
            limit=query.limit,
            order_by=place_of(query.order_by, query.aggregates),
            ascending=query.ascending,
            changes=query.changes,
            lateness_us=lateness_us,
            max_keys=query.max_keys,
        ),
        sources=feeds.count,
        start_us=clock.now_us(),
        # Keys are what clients ask for; nobody may know how they are hashed.
        hash_seed=int.from_bytes(os.urandom(8), "little"),
        filter=condition,
    )
    counting = Counting(
        engine,
        clock,
        stop,
        by=by,
        windowed=window is not None,
        sources=feeds.count,
        silence=_silence(window, origins),
        lateness_us=lateness_us,
    )
    return Run(
        counting,
        feeds,
        Intake(clock, origins),
        clock,
        stop,
        commit=commit,
        jobs=jobs,
        batch_interval_us=_SECOND_US if window is None else window.interval_us,
    )


def _silence(window: WindowSpec | None, origins: Sequence[Origin]) -> Silence | None:
    if window is None or window.idle_timeout_us is None:
        return None
    live = [number for number, origin in enumerate(origins) if origin.is_live]
    return Silence(live, window.idle_timeout_us)


def row_run(
    make: Callable[[Made], T],
    places: Sequence[SourceSpec],
    asked: Asked,
    fields: list[str] | None,
    options: RowOptions,
    *,
    jobs: int,
) -> Run[Rows[T], T]:
    """Return the run that gives the fields of lines."""
    from tailrace.runtime.rows import Rows  # noqa: PLC0415 - who counts needs none of it

    clock, stop = Clock(), Stop()
    condition = asked.compiled(clock.now_us())
    feeds, origins = _sources(places, None, fields or [], condition)
    return Run(
        Rows(make, [origin.name for origin in origins], fields, condition, options),
        feeds,
        Intake(clock, origins),
        clock,
        stop,
        # The number of a rejected line is known when those before it are.
        jobs=jobs if options.reject_prefix is None else 1,
        batch_interval_us=_ROW_INTERVAL_US,
    )


def _sources(
    places: Sequence[SourceSpec],
    window: WindowSpec | None,
    fields: list[str],
    asked: _core.Filter | None,
) -> tuple[Feeds | LiveFeeds, list[Origin]]:
    """Return where chunks come from, and what is known of each of the sources."""
    sources: list[Source | LiveSource] = []
    origins: list[Origin] = []
    stated_us = None if window is None else window.max_ahead_us
    max_ahead_us = None if window is None else _MAX_AHEAD_US
    # Where something is live, nothing may stand still because of a pipe in which nothing comes.
    waited_for = window is not None or any(place.live for place in places)
    of = sum(len(place.paths) for place in places) if waited_for else 1
    for place in places:
        for source, names, is_replay in place.sources(window, waited_for=waited_for, of=of):
            sources.append(source)
            is_live = as_live(source) is not None
            for name in names:
                log_format = place.log_format
                known = _detector(fields, asked) if log_format == AUTO else log_format
                ahead_us = None if is_replay else max_ahead_us
                ahead_us = ahead_us if stated_us is None else stated_us
                origins.append(Origin(name, known, ahead_us, is_live=is_live))
    finite = [part for source in sources if (part := at_hand(source)) is not None]
    if len(finite) == len(sources):
        return Feeds(finite), origins
    from tailrace.runtime.live import LiveFeeds  # noqa: PLC0415 - asyncio

    return LiveFeeds(sources), origins


def _detector(fields: list[str], asked: _core.Filter | None) -> Detector:
    from tailrace.detection import Detector  # noqa: PLC0415 - only to find out

    return Detector(fields, asked)
