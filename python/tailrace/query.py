"""
The public way to say what is wanted: sources, a window, a key, how many rows.

Each step returns a new query and checks what it was given; nothing is opened before `run`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, overload

from tailrace import _core
from tailrace.aggregates import (
    Aggregate,
    asks,
    checked_aggregates,
    count,
    keys_of,
    place_of,
)
from tailrace.answers import Answers
from tailrace.driver import Clock, Origin, Run
from tailrace.durations import Duration, micros
from tailrace.filters import ALL, Asked, Point, fitting
from tailrace.names import AUTO, DETECTED, checked_fields, checked_format, host_and_port
from tailrace.shape import Length, Slides, checked_count, shape, slides
from tailrace.sources import as_live, at_hand
from tailrace.sources.globs import matching
from tailrace.sources.text import STDIN, File, Joined, LiveInput, Memory, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tailrace.detection import Detector
    from tailrace.snapshot import Snapshot
    from tailrace.sources import LiveSource, Source
    from tailrace.sources.header import Header

__all__ = ["Query", "from_files", "from_flume", "from_lines", "from_stdin", "merge"]

Time = Literal["arrival", "header", "log"]

_TIMES = ("arrival", "header", "log")

# What live sources use without a window: the five minutes of the classic program.
_LIVE_WINDOW = ("300s", "1s")

# How long a pane stays open behind the newest event. Apache writes the time at which a request
# began when it ends, which makes nearly all of its lines at most a minute late; the header is
# written by the agent when it reads the line.
_LATENESS = {"log": "60s", "header": "5s"}

# A time further ahead than this is no time of an event that has happened.
_MAX_AHEAD_US = 3_600 * 10**6


# How many rows unless another number is asked for.
_ROWS = 10


class _Window(NamedTuple):
    windows: Slides
    time: Time
    lateness_us: int
    batch_interval_us: int
    idle_timeout_us: int | None
    max_ahead_us: int | None

    @property
    def shortest_us(self) -> int:
        """The shortest of its lengths that end."""
        ends = (length for length in self.windows.lengths_us if length is not None)
        return min(ends, default=self.windows.slide_us)


class _Question(NamedTuple):
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


class Query:
    """
    What is asked of one or more sources; made by the `from_…` functions, refined step by step.

    >>> import tailrace as tr
    >>> lines = ['1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'] * 3
    >>> for snapshot in tr.from_lines(lines).count(by="url").top(10).run():
    ...     print(snapshot.rows)
    [{'url': '/a', 'count': 3}]
    """

    __slots__ = ("_asked", "_places", "_question", "_window")

    def __init__(
        self,
        places: tuple[_Place, ...],
        *,
        window: _Window | None = None,
        question: _Question = _Question(),  # noqa: B008 - it does not change
        asked: Asked = ALL,
    ) -> None:
        self._places = places
        self._window = window
        self._question = question
        self._asked = asked

    def _with(self, **changes: Any) -> Query:  # noqa: ANN401 - as `__init__` takes them
        kept = {"window": self._window, "question": self._question, "asked": self._asked}
        return Query(self._places, **{**kept, **changes})

    def _asking(self, **changes: Any) -> Query:  # noqa: ANN401 - as a question has them
        return self._with(question=self._question._replace(**changes))

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
            if windows.slide_us < _SHORTEST_INTERVAL_US:
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
        interval_us = micros(batch_interval, "batch interval", least=_SHORTEST_INTERVAL_US)
        return self._with(
            window=_Window(
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
        question = self._question._replace(by=keys, aggregates=aggregates)
        for place in self._places:
            checked_fields(question.fields, place.log_format)
        return self._with(question=question).checked(question.fields)

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
        fields = fields or (self._question.fields if self._question.by is not None else [])
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
        question = self._question._replace(
            limit=limit, order_by=by, ascending=ascending, changes=changes
        )
        place_of(by, question.aggregates)
        asks(question.aggregates, question.by or (), changes=changes)
        return self._with(question=question)

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

    def open_source(
        self, fields: list[str]
    ) -> tuple[Source | LiveSource, list[Origin], _core.Filter | None]:
        """Return where the bytes come from, for who wants these fields and no counts."""
        asked = self._asked.compiled(Clock().now_us())
        return *_assembled(self._places, self._window, fields, asked), asked

    def jobs(self, wanted: int | None) -> int:
        """
        Return how many threads are to work on its lines.

        Raises:
            ValueError: Fewer than one are wanted.
        """
        if wanted is not None and wanted < 1:
            raise ValueError(f"jobs: {wanted} threads; ask for at least one")
        if not all(place.is_at_rest for place in self._places):
            # What comes through a pipe is to be seen when it has come.
            return 1
        paths = [path for place in self._places for path in place.paths]
        if wanted is None and sum(size_of(path) or 0 for path in paths) < _MANY_BYTES:
            return 1
        return wanted or _processors()

    def start(self, *, jobs: int | None = None) -> Run:
        """Return the run behind `run`, for who wants to stop it in good order."""
        jobs = self.jobs(jobs)
        question = self._question
        if question.by is None:
            raise ValueError("nothing to count: say by what, for instance .count(by='url')")
        window = self._window
        if window is None and any(place.live for place in self._places):
            return self.window(*_LIVE_WINDOW).start(jobs=jobs)
        clock = Clock()
        asked = self._asked.compiled(clock.now_us())
        fields = question.fields
        source, origins = _assembled(self._places, window, fields, asked)
        lateness_us = 0 if window is None else window.lateness_us
        engine = _core.Engine(
            formats=[name for place in self._places for name in place.formats(fields, asked)],
            by=list(question.by),
            aggregates=asks(question.aggregates, question.by, changes=question.changes),
            time="log" if window is None else window.time,
            shape=shape(
                None if window is None else window.windows,
                limit=question.limit,
                order_by=place_of(question.order_by, question.aggregates),
                ascending=question.ascending,
                changes=question.changes,
                lateness_us=lateness_us,
                max_keys=question.max_keys,
            ),
            sources=source.count,
            start_us=clock.now_us(),
            # Keys are what clients ask for; nobody may know how they are hashed.
            hash_seed=int.from_bytes(os.urandom(8), "little"),
            filter=asked,
        )
        interval_us = _SECOND_US
        if window is not None:
            # Of the ends that pass between two looks at the clock no more than one window's worth
            # is answered, so a short window wants more looks.
            often_enough = max(window.shortest_us // 2, _SHORTEST_INTERVAL_US)
            interval_us = min(window.batch_interval_us, often_enough)
        return Run(
            engine,
            source,
            clock,
            origins,
            by=question.by,
            batch_interval_us=interval_us,
            windowed=window is not None,
            idle_timeout_us=None if window is None else window.idle_timeout_us,
            lateness_us=lateness_us,
            jobs=jobs,
        )


# Below this the threads cost more than they save.
_MANY_BYTES = 8 * 1024 * 1024


def _processors() -> int:
    # Not every system tells which of them this process may use.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


# More often than this an idle process would be a busy one.
_SHORTEST_INTERVAL_US = 10_000

_SECOND_US = 10**6


class _Place(NamedTuple):
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
        self, window: _Window | None, *, waited_for: bool, of: int
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
        return self.paths == (STDIN,)

    @property
    def arrives(self) -> bool:
        """Whether the time of arrival is meant unless another is asked for."""
        return self.address is not None or self.is_stdin

    @property
    def live(self) -> bool:
        """Whether it has no end of its own."""
        return self.address is not None or self.follow


def _assembled(
    places: tuple[_Place, ...],
    window: _Window | None,
    fields: list[str],
    asked: _core.Filter | None,
) -> tuple[Source | LiveSource, list[Origin]]:
    """Return one source that is all of them, and what is known of each of its parts."""
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
                told = _detector(fields, asked) if log_format == AUTO else log_format
                ahead_us = None if is_replay else max_ahead_us
                ahead_us = ahead_us if stated_us is None else stated_us
                origins.append(Origin(name, told, ahead_us, is_live=is_live))
    return _one_of(sources), origins


def _detector(fields: list[str], asked: _core.Filter | None) -> Detector:
    from tailrace.detection import Detector  # noqa: PLC0415 - only to find out

    return Detector(fields, asked)


def _one_of(sources: list[Source | LiveSource]) -> Source | LiveSource:
    if len(sources) == 1:
        return sources[0]
    alive = [live for source in sources if (live := as_live(source)) is not None]
    replayed = [source for each in sources if (source := at_hand(each)) is not None]
    if not alive:
        return Joined(replayed)
    from tailrace.sources.together import AtHand, Together  # noqa: PLC0415 - asyncio

    together: list[LiveSource] = []
    for each in sources:
        source = at_hand(each)
        if source is None:
            together.append(cast("LiveSource", each))
        else:
            together += [AtHand(part) for part in source.parts()]
    return Together(together)


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
    return Query((_Place(checked_format(format, auto=True), paths=names, follow=follow),))


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
    return Query((_Place(checked_format(format, auto=True), lines=lines),))


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
    return Query(tuple(_Place(log_format, address=host_and_port(text)) for text in addresses))


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
        refined = (query._window, query._question, query._asked)  # noqa: SLF001 - of this class
        if refined != (None, _Question(), ALL):
            raise ValueError("merge first, then say .window, .count and .top of all of them")
    places = tuple(place for query in queries for place in query._places)  # noqa: SLF001 - as above
    if [path for place in places for path in place.paths].count(STDIN) > 1:
        raise ValueError("standard input can be read once; name it once")
    return Query(places)
