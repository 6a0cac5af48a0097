"""
Queries: sources, a window, aggregates by key, and the order of rows.

Each method returns a new query and checks its arguments. Nothing is opened before `run`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from tailrace._addresses import listening, sender_header
from tailrace._aggregates import (
    Aggregate,
    aggregate_specs,
    check_aggregates,
    count,
    key_fields,
    ranked_by,
)
from tailrace._answers import Answers, Batches
from tailrace._durations import Duration, micros, short
from tailrace._filters import ALL, LineFilter, Point
from tailrace._format import Batch
from tailrace._names import (
    AUTO,
    check_fields,
    check_format,
    list_of_names,
)
from tailrace._public import Public
from tailrace._requested import Requested
from tailrace._runtime.clock import Clock
from tailrace._scalars import check_flag
from tailrace._schedule import Length, check_count, schedule
from tailrace._sizes import size_bytes
from tailrace._sources.globs import matching
from tailrace._sources.text import STDIN
from tailrace._specs import (
    SHORTEST_INTERVAL_US,
    QuerySpec,
    SourceSpec,
    Time,
    WindowSpec,
    job_count,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo

    from tailrace._core import Table
    from tailrace._lookups import Countries
    from tailrace._runtime.commit import Commit
    from tailrace._runtime.counting import Counting
    from tailrace._runtime.rows import ChunkRows, RowOptions, Rows
    from tailrace._runtime.run import Run
    from tailrace._snapshot import Snapshot

__all__ = [
    "Query",
    "from_files",
    "from_flume",
    "from_lines",
    "from_stdin",
    "merge",
]
__all__ += ["LEAST_PARTIAL_BYTES", "RESENT"]

T = TypeVar("T")

RESENT = ["skip", "count"]
"""What becomes of events that are sent again."""

LEAST_PARTIAL_BYTES = 65_536
"""The smallest limit of the bytes of incomplete batches: a small batch of each of some agents."""

_TIMES = ("arrival", "header", "log")

# The window of live sources by default: the five minutes of the classic program.
_LIVE_WINDOW = ("300s", "1s")

# How long a pane stays open after the newest event. Apache stamps a line with the time at which
# the request began and writes it when the request ends, so nearly all of its lines are at most a
# minute late. An agent writes the header when it reads the line.
_LATENESS = "5s"
_LATENESS_OF_FILES = "60s"

# How long others wait for a silent source or sender: an agent with default settings delays a line
# by up to 15 s, and one that is parked would stop all answers.
_IDLE_TIMEOUT = "60s"

_SECOND_US = 10**6


class Query(metaclass=Public):
    """
    A query over one or more sources, made by a `from_…` function and refined step by step.

    Queries are immutable: each method returns a new one. It checks its arguments at once and raises
    `ValueError` if one is invalid.

    >>> lines = ['1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'] * 3
    >>> query = tr.from_lines(lines).count(by="url").top(10)
    >>> query
    <tailrace.Query of lines: count() by url, top 10>
    >>> query.collect().rows
    [{'url': '/a', 'count': 3}]
    """

    __signature__ = "()"
    __slots__ = ("_filter", "_sources", "_spec", "_window")

    def __init__(
        self,
        sources: tuple[SourceSpec, ...],
        *,
        window: WindowSpec | None = None,
        spec: QuerySpec = QuerySpec(),  # noqa: B008 - immutable
        filter: LineFilter = ALL,
    ) -> None:
        self._sources = sources
        self._window = window
        self._spec = spec
        self._filter = filter

    def __repr__(self) -> str:
        parts = [*self._filter.describe(), *self._spec.describe()]
        if self._window is not None:
            parts.insert(-1 if self._spec.by is not None else len(parts), self._window.describe())
        names = [name for source in self._sources for name in source.names]
        if len(names) > _MOST_NAMES:
            names[_MOST_NAMES - 1 :] = [f"{len(names) - _MOST_NAMES + 1} more"]
        return f"<tailrace.Query of {', '.join(names)}{': ' if parts else ''}{', '.join(parts)}>"

    def _with(self, **changes: Any) -> Query:  # noqa: ANN401 - the arguments of `__init__`
        parts = {"window": self._window, "spec": self._spec, "filter": self._filter}
        return Query(self._sources, **{**parts, **changes})

    def _with_spec(self, **changes: Any) -> Query:  # noqa: ANN401 - the fields of `QuerySpec`
        return self._with(spec=self._spec._replace(**changes))

    def window(
        self,
        length: Length,
        every: Duration | None = None,
        *,
        offset: Duration = 0,
        time: Time | None = None,
        lateness: Duration | None = None,
        idle_timeout: Duration | None = None,
        max_ahead: Duration | None = None,
        max_behind: Duration | None = None,
        batch_interval: Duration = "1s",
    ) -> Query:
        """
        Take a snapshot of the last *length* of time, once per slide.

        Durations are text with units (`"250ms"`, `"5m"`, `"1h30m"`, `"1 day"`, `"2w"`), a
        `timedelta`, or seconds.

        Args:
            length: The length of the window. A list of lengths produces a snapshot for each length
                at each end, in this order. None is everything since the start.
            every: The slide: the time from one snapshot to the next. It divides each length; by
                default it is the shortest.
            offset: Windows end at multiples of *every* since the epoch, plus *offset*, which may be
                negative: with `"5h"`, windows of a day begin at 05:00 UTC.
            time: The time that places a line in a window: `"arrival"`, when it was received;
                `"log"`, its own; or `"header"`, as a Flume agent's timestamp interceptor wrote it.
                By default `"arrival"` for Flume and standard input, else `"log"`.
            lateness: How long a pane stays open for out-of-order lines, after the newest event. By
                default 5 s in header time, and in log time if every source is followed or Flume,
                otherwise 60 s; in arrival time no line is late.
            idle_timeout: How long the others wait for a live source, or a sender of one, without
                lines; by default 60 s. No source waits for files that are read to their end.
            max_ahead: How far the time of a line may be ahead of the clock; a line that is further
                ahead is rejected as `future`. By default 1 h for live sources, no limit for files.
            max_behind: How old the time of a line of a live source may be; an older line is
                rejected as `past`. By default the length of the window and a day for Flume, no
                limit for others, or with a window since the start.
            batch_interval: How often the clock is read for live sources.

        >>> tr.from_files("access.log").window(["1m", "1h"], every="1m").count(by="host")
        <tailrace.Query of access.log: count() by host, window 1m, 1h every 1m by log time, top 10>
        """
        windows = schedule(length, every, offset, ("window", "every"))
        if time is None:
            is_by_arrival = all(source.is_by_arrival for source in self._sources)
            time = "arrival" if is_by_arrival else "log"
        elif not isinstance(time, str) or time not in _TIMES:
            raise ValueError(f"time: expected arrival, header or log, found {time!r:.80}")
        if time == "header" and not all(source.is_of_agents for source in self._sources):
            raise ValueError("time: only Flume events have headers; choose time log")
        idle_timeout_us = None
        if time == "arrival":
            if windows.slide_us < SHORTEST_INTERVAL_US:
                raise ValueError(
                    "every: expected at least 10ms in arrival time, found "
                    f"{short(windows.slide_us)}"
                )
            for name, value, reason in (
                ("lateness", lateness, "no line is late"),
                ("idle_timeout", idle_timeout, "no source waits for another"),
                ("max_ahead", max_ahead, "no line is ahead of the clock"),
                ("max_behind", max_behind, "no line is older than the clock"),
            ):
                if value is not None:
                    raise ValueError(f"{name}: in arrival time {reason}; choose time log or header")
            lateness_us = 0
        else:
            if lateness is None:
                is_live = time == "header" or all(source.is_live for source in self._sources)
                lateness = _LATENESS if is_live else _LATENESS_OF_FILES
            lateness_us = micros(lateness, "lateness", least=0)
            idle = _IDLE_TIMEOUT if idle_timeout is None else idle_timeout
            idle_timeout_us = micros(idle, "idle_timeout", least=_SECOND_US)
        interval_us = micros(batch_interval, "batch_interval", least=SHORTEST_INTERVAL_US)
        return self._with(
            window=WindowSpec(
                windows=windows,
                time=time,
                lateness_us=lateness_us,
                batch_interval_us=interval_us,
                idle_timeout_us=idle_timeout_us,
                max_ahead_us=None if max_ahead is None else micros(max_ahead, "max_ahead", least=0),
                max_behind_us=(
                    None if max_behind is None else micros(max_behind, "max_behind", least=0)
                ),
            )
        )

    def count(self, by: str | Sequence[str] | None = None) -> Query:
        """
        Count lines by a field or by several; without *by*, count all lines together.

        `tr.Format(name).fields` lists the fields. Short for `agg(by, count=tr.count())`.
        """
        return self.agg(by, count=count())

    def agg(self, by: str | Sequence[str] | None = None, **aggregates: Aggregate) -> Query:
        """
        Compute several aggregates per key.

        Args:
            by: The key: a field or several. Without it, all lines have one key.
            aggregates: The aggregates, by the names of their columns. Rows are ranked by the first
                one, unless `top` or `sorted` names another.

        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 20 "-" "x"'
        >>> query = tr.from_lines([line] * 2).agg(by="host", hits=tr.count(), sent=tr.sum("size"))
        >>> query.top(1, order_by="sent").collect().rows
        [{'host': '1.2.3.4', 'hits': 2, 'sent': 40}]
        """
        if not aggregates:
            raise ValueError(
                "agg: expected at least one aggregate, such as hits=tr.count(), found none"
            )
        return self._aggregated(by, aggregates)

    def _aggregated(
        self, by: str | Sequence[str] | None, aggregates: dict[str, Aggregate]
    ) -> Query:
        """Compute aggregates with any names, as `agg` does."""
        keys = key_fields(by)
        aggregates = check_aggregates(aggregates)
        aggregate_specs(aggregates, keys)
        spec = self._spec._replace(by=keys, aggregates=aggregates)
        for source in self._sources:
            for condition in spec.conditions:
                condition.check(source.log_format, spec.fields)
            check_fields(spec.fields, source.log_format)
        return self._with(spec=spec)._checked(spec.fields)

    def max_keys(self, n: int) -> Query:
        """
        Keep at most *n* keys in a window; the others become one row, `(other)`, at the end.

        Totals stay exact. Of the keys that are new in a slide, those with the most lines are kept.
        Without a window, the keys that came first are kept.
        """
        return self._with_spec(max_keys=check_count(n, "max_keys", "keys"))

    def max_key_bytes(self, size: int | str) -> Query:
        """
        Use at most *size* bytes of memory for keys; the others become one row, `(other)`.

        Totals stay exact. A key takes its bytes and 128 more. It gets a row if there is room for it
        when it comes, so the order of arrival decides which keys have one; when keys leave the
        window, there is room again. Default: 256 MiB with a live source, otherwise no limit.

        Args:
            size: A number of bytes, or text such as `"64MiB"` or `"1G"`, in powers of 1,024.
        """
        return self._with_spec(max_key_bytes=size_bytes(size, "max_key_bytes"))

    def where(self, condition: str) -> Query:
        """
        Keep only lines that match a condition, such as `status >= 500 and method == POST`.

        A field is compared with a value by `==`, `!=`, `<`, `<=`, `>`, `>=`, `in (…, …)`,
        `~` or `!~` (regular expressions), `contains`, `icontains` (in any case), `startswith` or
        `endswith`; `and`, `or`, `not` and parentheses combine conditions. A value needs quotes only
        if it is not a plain word. A missing value matches only `== null` and negations: `!=`, `!~`,
        `not`. Several calls are combined with `and`. If the condition is invalid, the error marks
        the place.

        >>> tr.from_files("access.log").where("status >= 500").since("1h").count(by="url")
        <tailrace.Query of access.log: where status >= 500, since 1h, count() by url, top 10>
        """
        return self._with(filter=self._filter.with_where(condition))._checked()

    def since(self, point: Point) -> Query:
        """
        Keep only lines whose own time is at or after a point in time.

        Args:
            point: Text such as `"2026-11-23 10:30"`, `"10m"` (before now) or `"yesterday"`, or a
                datetime, also of NumPy, pandas or Arrow, both in the zone of the source (*tz*, by
                default UTC) unless they have one; a timedelta before now; or seconds since the
                epoch. Now is when the query runs.
        """
        return self._in_range(since=point)

    def until(self, point: Point) -> Query:
        """Keep only lines whose own time is before a point in time, given as for `since`."""
        return self._in_range(until=point)

    def _in_range(self, **bound: Point) -> Query:
        zones = tuple(dict.fromkeys(source.tz for source in self._sources))
        in_range = self._filter.with_range(Clock().now_us(), zones=zones, **bound)
        return self._with(filter=in_range)._checked()

    def _last_of_log(self, length_us: int) -> Query:
        """Keep only lines from the newest time of all sources, less a length, to that time."""
        return self._with(filter=self._filter._replace(last_us=length_us))._checked()

    def _checked(self, fields: Sequence[str] = ()) -> Query:
        """Return the query if the filter and these fields apply to the format of each source."""
        fields = fields or (self._spec.fields if self._spec.by is not None else [])
        for source in self._sources:
            self._filter.check(source.log_format, fields)
        names = Requested(tuple(fields), self._filter).names
        if any(":" in name for name in names):
            from tailrace._lookups import check_lookups  # noqa: PLC0415 - as in `_assembly`

            for source in self._sources:
                check_lookups(names, source.log_format, source.geoip)
        return self

    def top(
        self,
        n: int,
        *,
        order_by: str | None = None,
        ascending: bool = False,
        track_ranks: bool = False,
    ) -> Query:
        """
        Return the *n* rows that rank first, ties by key. A query without `top` returns 10.

        Args:
            n: The number of rows.
            order_by: The name of the aggregate or the key field to rank by; by default the first
                aggregate. Key fields, too, rank the largest first unless *ascending*; null is last.
            ascending: Rank the smallest first instead of the largest.
            track_ranks: Add two columns: `rank`, from 1, and `rank_change`, the number of ranks
                that the key moved up since the previous snapshot (negative for down, null for a
                key that was not in it). `Snapshot.dropped` lists the keys that dropped out.
        """
        if not isinstance(n, int):
            raise TypeError(f"top: expected an integer number of rows, found {n!r:.80}")
        if n < 1:
            raise ValueError(f"top: expected at least 1 row, found {n}; sorted() returns all")
        return self._ranked(n, order_by, ascending=ascending, track_ranks=track_ranks)

    def sorted(
        self, order_by: str | None = None, *, ascending: bool = False, track_ranks: bool = False
    ) -> Query:
        """Return all rows, ranked as by `top`."""
        return self._ranked(None, order_by, ascending=ascending, track_ranks=track_ranks)

    def _ranked(
        self, limit: int | None, order_by: str | None, *, ascending: bool, track_ranks: bool
    ) -> Query:
        check_flag(ascending, "ascending")
        check_flag(track_ranks, "track_ranks")
        spec = self._spec._replace(
            limit=limit, order_by=order_by, ascending=ascending, track_ranks=track_ranks
        )
        is_name = isinstance(order_by, str)
        if spec.by is None and is_name and order_by not in spec.aggregates:
            raise ValueError(
                f"order_by: no aggregate or key field is called {order_by!r:.80} yet; call agg "
                "before top or sorted"
            )
        ranked_by(order_by, spec.aggregates, spec.by or ())
        aggregate_specs(spec.aggregates, spec.by or (), track_ranks=track_ranks)
        return self._with(spec=spec)

    @overload
    def run(
        self, *, jobs: int | None = None, checkpoint: str | os.PathLike[str] | None = None
    ) -> Answers: ...
    @overload
    def run(
        self,
        callback: Callable[[Snapshot], Any],
        *,
        jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None: ...
    def run(
        self,
        callback: Callable[[Snapshot], Any] | None = None,
        *,
        jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Answers | None:
        """
        Return the snapshots, for `for` or `async for`, or call *callback* with each.

        Nothing is opened before the first snapshot is requested. While your program processes a
        snapshot, live sources are not read; Flume agents that get no acknowledgement for 20 s send
        their batch again.

        Args:
            callback: A function to call with each snapshot.
            jobs: The number of threads that read files, by default one per processor.
            checkpoint: A directory that keeps the state and the positions of files, so that a run
                after a crash or a stop goes on where this one was. It is created if necessary.

        Raises:
            CheckpointError: The checkpoint is in use, damaged or of another query.
            OSError: A source cannot be opened or read.
            TypeError: *callback* is not a function, or it is a coroutine function.
            ValueError: The query has no aggregate, or an aggregate does not take values of the type
                of its field.
        """
        if not (callback is None or callable(callback)):
            raise TypeError(
                f"run: expected a function to call with each snapshot, found {callback!r:.80}"
            )
        directory = None
        if checkpoint is not None:
            from tailrace._description import directory_of  # noqa: PLC0415 - only with one

            directory = directory_of(checkpoint)
        answers = Answers(self._start(jobs=jobs, checkpoint=directory), self)
        if callback is None:
            return answers
        import inspect  # noqa: PLC0415 - 20 ms

        if inspect.iscoroutinefunction(callback):
            raise TypeError("callback: a coroutine would never be awaited; use `async for`")
        # Closes the sources if the callback raises, too.
        with answers:
            for snapshot in answers:
                callback(snapshot)
        return None

    def collect(self, *, jobs: int | None = None) -> Snapshot:
        """
        Read the sources to their end and return the one snapshot of a query without a window.

        Raises:
            OSError: A source cannot be opened or read.
            ValueError: The query has a window or no aggregate, or a source is live.
        """
        if self._window is not None:
            raise ValueError(
                "collect: with a window there is a snapshot per slide; use last() or run()"
            )
        return self._last("collect", jobs)

    def last(self, *, jobs: int | None = None) -> Snapshot:
        """
        Read the sources to their end and return the last snapshot; of several lengths, the last.

        Raises:
            OSError: A source cannot be opened or read.
            ValueError: The query has no aggregate, a source is live, or there is no snapshot: with
                a window, if no line has a time.

        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
        >>> str(tr.from_lines([line]).window("1m").count().last().end)
        '2015-05-17 10:06:00+00:00'
        """
        return self._last("last", jobs)

    def _last(self, method: str, jobs: int | None) -> Snapshot:
        if any(source.is_live for source in self._sources):
            raise ValueError(f"{method}: a live source has no end; iterate over run()")
        last = None
        with Answers(self._start(jobs=jobs), self) as answers:
            for last in answers:  # noqa: B007 - the last one is returned
                pass
        if last is None:
            raise ValueError(f"{method}: no snapshot, because no line has a time")
        return last

    def parse(self, fields: Sequence[str] | None = None, *, jobs: int | None = None) -> Batches:
        """
        Return the fields of lines in batches of columns, for `for` or `async for`.

        Nothing is opened before the first batch is requested. A batch holds consecutive lines of
        one source, `Batch.source`. Lines of a live source are acknowledged when the next batch is
        requested, so that an agent keeps what you have not processed.

        Args:
            fields: The fields to return, in this order; by default all columns of the format of
                each source.
            jobs: The number of threads that parse files, by default one per processor.

        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
        >>> for batch in tr.from_lines([line, "not a log line"]).parse(["url", "status"]):
        ...     print(batch.to_dicts(), [reject.line for reject in batch.rejects])
        [{'url': '/a', 'status': 200}] [1]
        """
        if self._window is not None or self._spec != QuerySpec():
            raise ValueError("parse: returns the fields of lines; omit window, count, agg and top")
        names = None if fields is None else list_of_names(fields)
        for source in self._sources:
            check_fields(names or [], source.log_format)
        from tailrace._runtime.rows import RowOptions  # noqa: PLC0415 - counting needs none of it

        run = self._checked(names or [])._rows(_batch, names, RowOptions(), jobs=jobs)
        return Batches(run, self)

    def _rows(
        self,
        make: Callable[[ChunkRows], T],
        fields: list[str] | None,
        options: RowOptions,
        *,
        jobs: int | None = None,
    ) -> Run[Rows[T], T]:
        """Return the run of `parse`, with rows in the form that *make* returns."""
        jobs = job_count(self._sources, jobs)
        if self._filter.last_us is not None:
            from tailrace._newest import newest_row_run  # noqa: PLC0415 - as below

            return newest_row_run(make, self._sources, self._filter, fields, options, jobs=jobs)
        from tailrace._assembly import row_run  # noqa: PLC0415 - loaded only to run

        return row_run(make, self._sources, self._filter, fields, options, jobs=jobs)

    def _start(
        self,
        *,
        jobs: int | None = None,
        commit: Commit | None = None,
        checkpoint: str | None = None,
    ) -> Run[Counting, Snapshot]:
        """Return the run of `run`, for callers that stop it in order."""
        threads = job_count(self._sources, jobs)
        if self._spec.by is None:
            raise ValueError("the query has no aggregate; add one, such as .count(by='url')")
        if self._window is None and any(source.is_live for source in self._sources):
            windowed = self.window(*_LIVE_WINDOW)
            return windowed._start(jobs=jobs, commit=commit, checkpoint=checkpoint)
        if self._filter.last_us is not None:
            if checkpoint is not None:
                raise ValueError(
                    "checkpoint: the last part of a log is found by reading all of it, so there is "
                    "no state to go on from; use a window instead of last"
                )
            from tailrace._newest import newest_count_run  # noqa: PLC0415 - as below

            return newest_count_run(self._sources, self._spec, self._filter, jobs=threads)
        from tailrace._assembly import count_run  # noqa: PLC0415 - loaded only to run

        return count_run(
            self._sources,
            self._window,
            self._spec,
            self._filter,
            jobs=threads,
            commit=commit,
            checkpoint=checkpoint,
        )


# How many sources the `repr` of a query names.
_MOST_NAMES = 3


def _batch(made: ChunkRows) -> Batch:
    return Batch(cast("Table", made.rows), source=made.source, first_line=made.first_line)


def from_files(
    *paths: str | os.PathLike[str],
    format: str = AUTO,
    follow: bool = False,
    tz: str | tzinfo | None = None,
    geoip: str | os.PathLike[str] | None = None,
) -> Query:
    """
    Read log files to their end, or follow them.

    Files compressed with gzip, bzip2, xz or zstd are decompressed (zstd before Python 3.14 needs
    `pip install 'tailrace[zst]'`). With a window in log time the files are merged by the times of
    the lines, each with its own watermark; otherwise they are read in order.

    Args:
        paths: One or more files; `-` is standard input. A pattern such as `logs/*.log` that is
            not the name of a file is replaced by the files that match it now, sorted.
        format: The log format; by default detected from the first 1,000 lines of each file.
        follow: Keep reading at the end, by name as `tail -F` does, through rotation and
            truncation. In log time a file is read from its beginning, in arrival time from its end.
        tz: The zone of times that have none in the log: a name such as `"Europe/Berlin"`, an offset
            such as `"+02:00"`, or a `zoneinfo.ZoneInfo`; by default UTC.
        geoip: A MaxMind DB file of countries, such as `GeoLite2-Country.mmdb`, in which fields such
            as `host:country` are looked up; it is read into memory.

    Raises:
        FileNotFoundError: No file matches a pattern, or *geoip* does not exist.
        TypeError: A path is neither text nor a `pathlib.Path`.
        ValueError: There is no path, the format or the time zone is unknown, or *geoip* is no such
            file.

    >>> query = tr.from_files("access.log").window("5m", every="1m").count(by="url").top(10)
    """
    if not paths:
        raise ValueError("from_files: expected at least one path, found none")
    names = tuple(name for path in paths for name in matching(_path(path)))
    if check_flag(follow, "follow") and STDIN in names:
        raise ValueError("follow: standard input has no name to follow; omit follow")
    spec = SourceSpec(
        check_format(format, auto=True),
        paths=names,
        follow=follow,
        tz=_zone(tz),
        geoip=_countries(geoip),
    )
    return Query((spec,))


def _zone(tz: str | tzinfo | None) -> tzinfo | None:
    if tz is None:
        return None
    from tailrace._zones import zone_of  # noqa: PLC0415 - loaded only with a zone

    return zone_of(tz)


def _countries(geoip: str | os.PathLike[str] | None) -> Countries | None:
    if geoip is None:
        return None
    from tailrace._lookups import countries  # noqa: PLC0415 - loaded only with a database

    return countries(geoip)


def _path(path: object) -> str:
    """Return a path as text, or raise `TypeError`."""
    if isinstance(path, list | tuple | set):
        raise TypeError(
            f"from_files: expected a path, found a {type(path).__name__}; pass each path as its "
            "own argument: from_files(*paths)"
        )
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(name, str):
        hint = "; use os.fsdecode" if isinstance(name, bytes) else ""
        raise TypeError(f"from_files: expected a path as str or Path, found {name!r:.80}{hint}")
    return name


def from_stdin(
    *,
    format: str = AUTO,
    tz: str | tzinfo | None = None,
    geoip: str | os.PathLike[str] | None = None,
) -> Query:
    """
    Read lines from standard input, as `from_files("-")` does; a window is in arrival time.

    >>> query = tr.from_stdin().window("5m", every="1s").count(by="url").top(10)
    """
    return from_files(STDIN, format=format, tz=tz, geoip=geoip)


def from_lines(
    lines: Iterable[str | bytes],
    *,
    format: str = AUTO,
    tz: str | tzinfo | None = None,
    geoip: str | os.PathLike[str] | None = None,
) -> Query:
    """
    Read lines from an iterable of text or bytes, each with or without its newline.

    Raises:
        TypeError: *lines* is one text or not iterable; `from_files` takes file names.

    >>> tr.from_lines([b"..."], format="classic").count(by="host").sorted()
    <tailrace.Query of lines: count() by host, sorted>
    """
    if isinstance(lines, str | bytes) or not hasattr(lines, "__iter__"):
        raise TypeError(
            f"lines: expected a list of lines, found {lines!r:.80}; from_files takes file names"
        )
    log_format, zone = check_format(format, auto=True), _zone(tz)
    return Query((SourceSpec(log_format, lines=lines, tz=zone, geoip=_countries(geoip)),))


def from_flume(
    *addresses: str,
    format: str = AUTO,
    tz: str | tzinfo | None = None,
    geoip: str | os.PathLike[str] | None = None,
    sender: str | None = None,
    max_connections: int = 1_024,
    max_partial_bytes: int | str = "256MiB",
    resent: Literal["skip", "count"] = "skip",
    resent_for: Duration = "1h",
) -> Query:
    """
    Receive events from Flume agents, in place of a Flume Avro source.

    It listens on each address, `HOST:PORT` or, for IPv6, `[HOST]:PORT`. An address is one source,
    however many agents send to it. A batch is acknowledged when it is counted. State is in memory
    only. Without a window, there is a snapshot of the last 300 s every second.

    In header and log time each sender has a watermark of its own, so that no agent makes
    the lines of another late.

    Args:
        addresses: One or more addresses, each also as a URL: `flume://HOST:PORT`, with
            parameters such as `?sender=header:NAME`, `?tls=FILE&key=FILE` or `?deflate=on`.
        format: The log format; by default detected.
        tz: The zone of times that have none in the log, as for `from_files`.
        geoip: A database of countries, as for `from_files`.
        sender: `"header:NAME"`: the header of an event that names its sender, such as
            `"header:host"`, for agents that forward the events of others. By default, and for
            events without it, the address of the peer.
        max_connections: The limit of connections of each address. At the limit the connection that
            has been silent longest is closed in favour of a new one.
        max_partial_bytes: The limit of the bytes of incomplete batches of each address, such as
            `"64MiB"`. Above it, the connection with the largest is closed.
        resent: `"skip"`: what an agent sends again, because the answer was lost, is counted once.
            `"count"`: every batch is counted.
        resent_for: For how long the last batch of a connection is remembered. It runs only while
            the query runs.

    >>> tr.from_flume("0.0.0.0:9092").window("5m", every="1s").count(by="url")
    <tailrace.Query of flume://0.0.0.0:9092: count() by url, window 5m every 1s by arrival, top 10>
    """
    if not addresses:
        raise ValueError("from_flume: expected at least one address, HOST:PORT, found none")
    log_format, zone, lookups = check_format(format, auto=True), _zone(tz), _countries(geoip)
    header = None if sender is None else sender_header(sender, "sender")
    most = _check_connections(max_connections)
    most_bytes = size_bytes(max_partial_bytes, "max_partial_bytes", LEAST_PARTIAL_BYTES)
    if not isinstance(resent, str) or resent not in RESENT:
        raise ValueError(f"resent: expected skip or count, found {resent!r:.80}")
    resent_us = micros(resent_for, "resent_for", least=1)
    specs = []
    for one in addresses:
        address, own, guard = listening(one)
        spec = SourceSpec(log_format, address=address, guard=guard, tz=zone, geoip=lookups)
        spec = spec._replace(max_connections=most, max_partial_bytes=most_bytes)
        spec = spec._replace(resent_us=resent_us if resent == "skip" else None)
        specs.append(spec._replace(sender_header=own or header))
    return Query(tuple(specs))


def _check_connections(most: int) -> int:
    if isinstance(most, bool) or not isinstance(most, int):
        raise TypeError(f"max_connections: expected an integer, found {most!r:.80}")
    if most < 1:
        raise ValueError(f"max_connections: expected at least 1 connection, found {most}")
    return most


def merge(*queries: Query) -> Query:
    """
    Combine the sources of several queries into one query; each keeps its format.

    Merge first, then add the window, filters and aggregates.

    >>> both = tr.merge(tr.from_files("old.log", format="common"), tr.from_flume("localhost:9092"))
    >>> query = both.window("5m", every="1s", time="log").count(by="url").top(10)
    """
    if not queries:
        raise ValueError("merge: expected at least one query, found none")
    for query in queries:
        if not isinstance(query, Query):
            hint = "; write merge(*queries)" if isinstance(query, list | tuple) else ""
            raise TypeError(
                f"merge: expected queries such as tr.from_files(…), found {query!r:.80}{hint}"
            )
        if (query._window, query._spec, query._filter) != (None, QuerySpec(), ALL):
            raise ValueError("merge: merge sources first, then add window, where, count and top")
    sources = tuple(source for query in queries for source in query._sources)
    if [path for source in sources for path in source.paths].count(STDIN) > 1:
        raise ValueError("merge: standard input can be read only once")
    return Query(sources)
