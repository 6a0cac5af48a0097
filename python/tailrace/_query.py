"""
The public way to say what is wanted: sources, a window, a key, how many rows.

Each step returns a new query and checks what it was given; nothing is opened before `run`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from tailrace._aggregates import (
    Aggregate,
    asks,
    checked_aggregates,
    count,
    keys_of,
    place_of,
)
from tailrace._answers import Answers, Batches
from tailrace._durations import Duration, micros
from tailrace._filters import ALL, LineFilter, Point
from tailrace._format import Batch
from tailrace._names import AUTO, checked_fields, checked_format, host_and_port
from tailrace._runtime.clock import Clock
from tailrace._shape import Length, checked_count, slides
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

    from tailrace._core import Table
    from tailrace._runtime.commit import Commit
    from tailrace._runtime.counting import Counting
    from tailrace._runtime.rows import ChunkRows, RowOptions, Rows
    from tailrace._runtime.run import Run
    from tailrace._snapshot import Snapshot

__all__ = ["Query", "from_files", "from_flume", "from_lines", "from_stdin", "merge"]

T = TypeVar("T")

_TIMES = ("arrival", "header", "log")

# What live sources use without a window: the five minutes of the classic program.
_LIVE_WINDOW = ("300s", "1s")

# How long a pane stays open behind the newest event. Apache writes the time at which a request
# began when it ends, which makes nearly all of its lines at most a minute late; the header is
# written by the agent when it reads the line.
_LATENESS = {"log": "60s", "header": "5s"}

_SECOND_US = 10**6


class Query:
    """
    What is asked of one or more sources; made by the `from_…` functions, refined step by step.

    >>> import tailrace as tr
    >>> lines = ['1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'] * 3
    >>> for snapshot in tr.from_lines(lines).count(by="url").top(10).run():
    ...     print(snapshot.rows)
    [{'url': '/a', 'count': 3}]
    """

    __slots__ = ("_asked", "_places", "_spec", "_window")

    def __init__(
        self,
        places: tuple[SourceSpec, ...],
        *,
        window: WindowSpec | None = None,
        spec: QuerySpec = QuerySpec(),  # noqa: B008 - it does not change
        asked: LineFilter = ALL,
    ) -> None:
        self._places = places
        self._window = window
        self._spec = spec
        self._asked = asked

    def _with(self, **changes: Any) -> Query:  # noqa: ANN401 - as `__init__` takes them
        kept = {"window": self._window, "spec": self._spec, "asked": self._asked}
        return Query(self._places, **{**kept, **changes})

    def _asking(self, **changes: Any) -> Query:  # noqa: ANN401 - as a question has them
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
        batch_interval: Duration = "1s",
    ) -> Query:
        """
        Look at the last *length* only, and answer *every* so often.

        Args:
            length: How long the window is: `"300s"`, a `timedelta`, or seconds. Of several, such
                as `["10s", "1m", "1h"]`, each end has an answer for each, in their order, from one
                store; None is everything since the start.
            every: How often it is answered, by default once the shortest length. It divides them.
            offset: How far from multiples of *every* since the epoch windows end: days that begin
                at 05:00 UTC are windows of a day with an offset of `"5h"`.
            time: `"arrival"`, when a line was received, `"log"`, the line's own time, or
                `"header"`, that which a Flume agent's timestamp interceptor wrote. By default
                that of arrival for Flume and standard input, else that of the log.
            lateness: How long a pane stays open behind the newest line: 60 s by log time, 5 s by
                header, and always none by arrival.
            idle_timeout: After how much silence of one of several live sources the others are
                answered without waiting for it; by default they wait.
            max_ahead: How far ahead of the clock a line's time may be before the line is rejected
                as `future`, so that it moves no window: one hour for live sources. Files may be
                replays, and are looked at only if this is said.
            batch_interval: How often a live source's clock is looked at.

        Raises:
            ValueError: A duration is none, or `every` does not divide the length.
        """
        windows = slides(length, every, offset, ("window", "slide"))
        if time is None:
            arrives = all(place.arrives for place in self._places)
            time = "arrival" if arrives else "log"
        elif time not in _TIMES:
            raise ValueError(f"time: {time!r} is none of arrival, header and log")
        if time == "header" and not all(place.address for place in self._places):
            raise ValueError("time: only events of Flume have headers; take log")
        idle_timeout_us = None
        if time == "arrival":
            if windows.slide_us < SHORTEST_INTERVAL_US:
                raise ValueError(
                    "slide: by arrival it is at least 10ms; the clock is looked at so often"
                )
            if lateness is not None:
                raise ValueError("lateness: by arrival nothing is late; it goes with time log")
            if idle_timeout is not None:
                raise ValueError(
                    "idle timeout: by arrival no source is waited for; it goes with time log"
                )
            if max_ahead is not None:
                raise ValueError(
                    "max_ahead: by arrival nothing is ahead of the clock; it goes with time log"
                )
            lateness_us = 0
        else:
            wanted = _LATENESS[time] if lateness is None else lateness
            lateness_us = micros(wanted, "lateness", least=0)
            if idle_timeout is not None:
                idle_timeout_us = micros(idle_timeout, "idle timeout", least=_SECOND_US)
        interval_us = micros(batch_interval, "batch interval", least=SHORTEST_INTERVAL_US)
        return self._with(
            window=WindowSpec(
                windows=windows,
                time=time,
                lateness_us=lateness_us,
                batch_interval_us=interval_us,
                idle_timeout_us=idle_timeout_us,
                max_ahead_us=None if max_ahead is None else micros(max_ahead, "max_ahead", least=0),
            )
        )

    def count(self, by: str | Sequence[str] | None = None) -> Query:
        """
        Count lines by a field or by several; without one all lines are counted together.

        `tailrace formats` and `tr.Format(name).fields` list the fields.

        Raises:
            ValueError: The format has no such field.
        """
        return self.agg(by, count=count())

    def agg(self, by: str | Sequence[str] | None = None, **aggregates: Aggregate) -> Query:
        """
        Ask more of the lines of each key than their number.

        Args:
            by: The field of keys, or several; all lines together without one.
            aggregates: What to compute, by the names that it has in answers. Rows are ranked by
                the first, unless `top` or `sorted` says otherwise.

        Raises:
            TypeError: What is asked is no aggregate.
            ValueError: The format has no such field, or nothing is asked. That an aggregate does
                not take values like those of its field is told by `run`.

        >>> import tailrace as tr
        >>> lines = [
        ...     f'{host} - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 {size} "-" "x"'
        ...     for host, size in [("1.2.3.4", 10), ("1.2.3.4", 30), ("::1", 5)]
        ... ]
        >>> query = tr.from_lines(lines, format="combined").agg(
        ...     by="host", hits=tr.count(), sent=tr.sum("size"), mean=tr.mean("size")
        ... )
        >>> next(iter(query.top(1, by="sent").run())).rows
        [{'host': '1.2.3.4', 'hits': 2, 'sent': 40, 'mean': 20.0}]
        """
        keys = keys_of(by)
        checked_aggregates(aggregates)
        asks(aggregates, keys)
        spec = self._spec._replace(by=keys, aggregates=aggregates)
        for place in self._places:
            checked_fields(spec.fields, place.log_format)
        return self._with(spec=spec).checked(spec.fields)

    def max_keys(self, n: int) -> Query:
        """
        Hold no more than *n* keys in a window; what is over it is one row, `(other)`, at the end.

        Totals stay exact. Of the keys that are new in a slide those with the most lines come
        first. Without a window those come first that came first.

        Raises:
            ValueError: *n* is below one.
        """
        return self._asking(max_keys=checked_count(n, "max_keys", "keys"))

    def where(self, condition: str) -> Query:
        """
        Look only at lines for which a condition holds: `status >= 500 and method == POST`.

        A field is compared with a value by `==`, `!=`, `<`, `<=`, `>`, `>=`, `in (…, …)`,
        `contains`, `startswith` or `endswith`; `and`, `or`, `not` and parentheses join
        conditions. Values need quotes only if they are not one plain word. Of a missing value
        only `== null` is true, and what negates: `!=`, `not`. Said twice, both have to hold.

        >>> import tailrace as tr
        >>> query = tr.from_files("access.log").where("status >= 500").since("1h").count(by="url")

        Raises:
            ValueError: It is no condition, or the format has no such field; the message points at
                what is wrong.
        """
        return self._with(asked=self._asked.with_where(condition)).checked()

    def since(self, point: Point) -> Query:
        """
        Look only at lines whose own time is at or after a point in time.

        Args:
            point: Text such as `"2026-11-23 10:30"`, `"10m"` (before now) or `"yesterday"`, UTC
                unless it has a zone; an aware datetime; a timedelta before now; or seconds since
                the epoch. Now is when the query runs.

        Raises:
            ValueError: It is no point in time, or not before that of `until`.
        """
        return self._with(asked=self._asked.with_range(Clock().now_us(), since=point)).checked()

    def until(self, point: Point) -> Query:
        """
        Look only at lines whose own time is before a point in time, given as for `since`.

        Raises:
            ValueError: It is no point in time, or not after that of `since`.
        """
        return self._with(asked=self._asked.with_range(Clock().now_us(), until=point)).checked()

    def checked(self, fields: Sequence[str] = ()) -> Query:
        """Return it if every source's format can be asked this and has these fields."""
        fields = fields or (self._spec.fields if self._spec.by is not None else [])
        for place in self._places:
            self._asked.check(place.log_format, fields)
        return self

    def top(
        self, n: int, by: str | None = None, *, ascending: bool = False, changes: bool = False
    ) -> Query:
        """
        Answer the *n* keys that rank first, ties by key; 10 unless asked otherwise.

        Args:
            n: How many.
            by: The aggregate to rank by; the first one unless asked otherwise.
            ascending: Whether the least come first instead of the greatest.
            changes: Whether rows say their `rank`, from 1, and how far they have `moved` up since
                the last answer (null where the key was in none), and snapshots which keys are
                `gone`.

        Raises:
            ValueError: *n* is below one, or there is no such aggregate.
        """
        if not isinstance(n, int):
            raise TypeError(f"top: a whole number of rows, not {n!r:.80}")
        if n < 1:
            raise ValueError(f"top: {n} rows; ask for at least one")
        return self._ranked(n, by, ascending=ascending, changes=changes)

    def sorted(
        self, by: str | None = None, *, ascending: bool = False, changes: bool = False
    ) -> Query:
        """Answer every key, those that rank first at first, as `top` does."""
        return self._ranked(None, by, ascending=ascending, changes=changes)

    def _ranked(
        self, limit: int | None, by: str | None, *, ascending: bool, changes: bool
    ) -> Query:
        spec = self._spec._replace(limit=limit, order_by=by, ascending=ascending, changes=changes)
        place_of(by, spec.aggregates)
        asks(spec.aggregates, spec.by or (), changes=changes)
        return self._with(spec=spec)

    @overload
    def run(self, *, jobs: int | None = None) -> Answers: ...
    @overload
    def run(self, callback: Callable[[Snapshot], Any], *, jobs: int | None = None) -> None: ...
    def run(
        self, callback: Callable[[Snapshot], Any] | None = None, *, jobs: int | None = None
    ) -> Answers | None:
        """
        Return the snapshots, for `for` or `async for`, or hand each to *callback*.

        Nothing is opened before the first snapshot is asked for. While the caller works on a
        snapshot of a live source, the source waits: agents that get no answer for 20 s send their
        batch again.

        Args:
            callback: Is called with each snapshot.
            jobs: How many threads count the lines of files, by default one for each processor.
                The answers do not depend on it.

        Raises:
            OSError: The source cannot be opened or read.
            TypeError: The callback is a coroutine function.
            ValueError: It was not said what to count, or `jobs` is below one.
        """
        answers = Answers(self.start(jobs=jobs))
        if callback is None:
            return answers
        import inspect  # noqa: PLC0415 - 20 ms

        if inspect.iscoroutinefunction(callback):
            raise TypeError("callback: a coroutine would never be awaited; use `async for`")
        # Closes the source also where the callback raises.
        with answers:
            for snapshot in answers:
                callback(snapshot)
        return None

    def parse(self, fields: Sequence[str] | None = None, *, jobs: int | None = None) -> Batches:
        """
        Return the fields of lines in batches of columns, for `for` or `async for`.

        Nothing is opened before the first batch is asked for. A batch has the lines of a chunk of
        one source, in their order; `Batch.source` says of which. What a live source sent is
        acknowledged when the next batch is asked for, so an agent keeps what was not worked on.

        Args:
            fields: Which fields to give, and in which order; by default all columns of the format
                that a source's lines turn out to have.
            jobs: How many threads work on the lines of files, by default one for each processor.

        Raises:
            ValueError: A window or something to count was asked for, the format has no such field,
                or `jobs` is below one.

        >>> import tailrace as tr
        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
        >>> for batch in tr.from_lines([line, "no log line"]).parse(["url", "status"]):
        ...     print(batch.to_dicts(), [reject.line for reject in batch.rejects])
        [{'url': '/a', 'status': 200}] [1]
        """
        if self._window is not None or self._spec != QuerySpec():
            raise ValueError("parse gives the fields of lines: leave out .window, .count and .top")
        if isinstance(fields, str):
            raise TypeError(f"fields: a list of names such as [{fields!r}], not a text")
        names = None if fields is None else list(fields)
        for place in self._places:
            checked_fields(names or [], place.log_format)
        from tailrace._runtime.rows import RowOptions  # noqa: PLC0415 - who counts needs none of it

        return Batches(self.checked(names or []).rows(_batch, names, RowOptions(), jobs=jobs))

    def rows(
        self,
        make: Callable[[ChunkRows], T],
        fields: list[str] | None,
        options: RowOptions,
        *,
        jobs: int | None = None,
    ) -> Run[Rows[T], T]:
        """Return the run behind `parse`, for who makes something else of rows."""
        from tailrace._assembly import row_run  # noqa: PLC0415 - only to run

        jobs = job_count(self._places, jobs)
        return row_run(make, self._places, self._asked, fields, options, jobs=jobs)

    def start(
        self, *, jobs: int | None = None, commit: Commit | None = None
    ) -> Run[Counting, Snapshot]:
        """Return the run behind `run`, for who wants to stop it in good order."""
        threads = job_count(self._places, jobs)
        if self._spec.by is None:
            raise ValueError("nothing to count: say by what, for instance .count(by='url')")
        if self._window is None and any(place.live for place in self._places):
            return self.window(*_LIVE_WINDOW).start(jobs=jobs, commit=commit)
        from tailrace._assembly import count_run  # noqa: PLC0415 - only to run

        return count_run(
            self._places, self._window, self._spec, self._asked, jobs=threads, commit=commit
        )


def _batch(made: ChunkRows) -> Batch:
    return Batch(cast("Table", made.rows), source=made.source, first_line=made.first_line)


def from_files(*paths: str | os.PathLike[str], format: str = AUTO, follow: bool = False) -> Query:
    """
    Read log files to their end; `-` is standard input, and what is compressed is unpacked.

    That is gzip, bzip2, xz and zstd (before Python 3.14 with `pip install 'tailrace[zst]'`), told
    by how they begin.

    With a window by log time they are merged by the times of their lines, each with a watermark
    of its own; else they are read in this order.

    Args:
        paths: One or more files. What is no file but a pattern, such as `logs/*.log`, stands for
            those that there are now, sorted.
        format: What the lines look like; found out by default.
        follow: Whether to go on at the end, by name as `tail -F` does, through rotation and
            truncation. By log time a file is read from its beginning, by arrival from its end.

    >>> import tailrace as tr
    >>> query = tr.from_files("access.log").window("5m", every="1m").count(by="url").top(10)

    Raises:
        FileNotFoundError: No file matches a pattern.
        ValueError: No path, or an unknown format.
    """
    if not paths:
        raise ValueError("no file to read")
    names = tuple(name for path in paths for name in matching(os.fspath(path)))
    if follow and STDIN in names:
        raise ValueError("standard input has no name to follow; it is read as it comes")
    return Query((SourceSpec(checked_format(format, auto=True), paths=names, follow=follow),))


def from_stdin(*, format: str = AUTO) -> Query:
    """
    Read lines from standard input; with a window, at the time of their arrival.

    >>> import tailrace as tr
    >>> query = tr.from_stdin().window("5m", every="1s").count(by="url").top(10)

    Raises:
        ValueError: An unknown format.
    """
    return from_files(STDIN, format=format)


def from_lines(lines: Iterable[str | bytes], *, format: str = AUTO) -> Query:
    """
    Take lines that the program has, with or without their newline.

    >>> import tailrace as tr
    >>> query = tr.from_lines([b"..."], format="classic").count(by="host").sorted()

    Raises:
        TypeError: One text instead of lines; `from_files` takes names of files.
        ValueError: An unknown format.
    """
    if isinstance(lines, str | bytes) or not hasattr(lines, "__iter__"):
        raise TypeError(f"lines: a list of lines is wanted, not {lines!r:.80}; see also from_files")
    return Query((SourceSpec(checked_format(format, auto=True), lines=lines),))


def from_flume(*addresses: str, format: str = AUTO) -> Query:
    """
    Stand in for a Flume AvroSource at each `HOST:PORT` (`[HOST]:PORT` for IPv6).

    Each address is a source, however many agents send to it. Without a window the last 300 s are
    answered every second. A batch is acknowledged when it is counted; nothing survives a crash.

    >>> import tailrace as tr
    >>> query = tr.from_flume("localhost:9092").window("300s", every="1s").count(by="url").top(10)

    Raises:
        ValueError: No address, one that is none, or the format is unknown.
    """
    if not addresses:
        raise ValueError("no address to listen at; write HOST:PORT, such as 127.0.0.1:9092")
    log_format = checked_format(format, auto=True)
    return Query(tuple(SourceSpec(log_format, address=host_and_port(text)) for text in addresses))


def merge(*queries: Query) -> Query:
    """
    Ask one question of the sources of several queries, each with its own format.

    Merging comes first, the window and the rest after it.

    >>> import tailrace as tr
    >>> both = tr.merge(tr.from_files("old.log", format="common"), tr.from_flume("localhost:9092"))
    >>> query = both.window("5m", every="1s", time="log").count(by="url").top(10)

    Raises:
        ValueError: No query, or one with more to it than its sources.
    """
    if not queries:
        raise ValueError("nothing to merge")
    for query in queries:
        if not isinstance(query, Query):
            raise TypeError(f"merge takes queries, such as tr.from_files(…), not {query!r:.80}")
        refined = (query._window, query._spec, query._asked)  # noqa: SLF001 - of this class
        if refined != (None, QuerySpec(), ALL):
            raise ValueError("merge first, then say .window, .count and .top of all of them")
    places = tuple(place for query in queries for place in query._places)  # noqa: SLF001 - as above
    if [path for place in places for path in place.paths].count(STDIN) > 1:
        raise ValueError("standard input can be read once; name it once")
    return Query(places)
