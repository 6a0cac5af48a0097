"""
The public way to say what is wanted: a source, a window, a key, how many rows.

Each step returns a new query and checks what it was given; nothing is opened before `run`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from tailrace import _core
from tailrace.driver import Clock, Run
from tailrace.durations import Duration, check_divides, micros
from tailrace.names import checked_fields, checked_format
from tailrace.sources.text import STDIN, Files, LiveInput, Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tailrace.snapshot import Snapshot
    from tailrace.sources import LiveSource, Source

__all__ = ["Query", "from_files", "from_flume", "from_lines", "from_stdin"]

Time = Literal["arrival", "log"]

# What live sources use without a window: the five minutes of the classic program.
_LIVE_WINDOW = ("300s", "1s")

# How long a pane stays open behind the newest event. Apache writes the time at which a request
# began when it ends, which makes nearly all of its lines at most a minute late.
_LATENESS = "60s"

# A time further ahead than this is no time of an event that has happened.
_MAX_AHEAD_US = 3_600 * 10**6


class _Window(NamedTuple):
    length_us: int
    slide_us: int
    time: Time
    lateness_us: int
    batch_interval_us: int


class Query:
    """
    What is asked of a source; made by the `from_…` functions, refined step by step.

    >>> import tailrace as tr
    >>> lines = ['1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'] * 3
    >>> for snapshot in tr.from_lines(lines).count(by="url").top(10).run():
    ...     print(snapshot.rows)
    [{'url': '/a', 'count': 3}]
    """

    __slots__ = ("_by", "_format", "_limit", "_origin", "_window")

    def __init__(
        self,
        origin: _Origin,
        log_format: str,
        *,
        window: _Window | None = None,
        by: str | None = None,
        limit: int | None = 10,
    ) -> None:
        self._origin = origin
        self._format = log_format
        self._window = window
        self._by = by
        self._limit = limit

    def _with(self, **changes: Any) -> Query:  # noqa: ANN401 - as `__init__` takes them
        kept = {"window": self._window, "by": self._by, "limit": self._limit}
        return Query(self._origin, self._format, **{**kept, **changes})

    def window(
        self,
        length: Duration,
        every: Duration | None = None,
        *,
        time: Time | None = None,
        lateness: Duration | None = None,
        batch_interval: Duration = "1s",
    ) -> Query:
        """
        Look at the last *length* only, and answer *every* so often.

        Args:
            length: How long the window is: `"300s"`, a `timedelta`, or seconds.
            every: How often it is answered, by default once a length. It divides the length.
            time: `"arrival"`, when a line was received, or `"log"`, the line's own time. By
                default that of arrival for live sources and that of the log for files.
            lateness: How long a pane stays open behind the newest line, by log time; 60 s.
            batch_interval: How often a live source's clock is looked at.

        Raises:
            ValueError: A duration is none, or `every` does not divide the length.
        """
        length_us = micros(length, "window")
        slide_us = length_us if every is None else micros(every, "slide")
        check_divides(slide_us, length_us)
        if time is None:
            time = "arrival" if self._origin.live else "log"
        elif time not in ("arrival", "log"):
            raise ValueError(f"time: {time!r} is neither 'arrival' nor 'log'")
        if time == "arrival":
            if slide_us < _SHORTEST_INTERVAL_US:
                raise ValueError(
                    "slide: by arrival it is at least 10ms; the clock is looked at so often"
                )
            if lateness is not None:
                raise ValueError("lateness: by arrival nothing is late; it goes with time log")
            lateness_us = 0
        else:
            lateness_us = micros(_LATENESS if lateness is None else lateness, "lateness", least=0)
        interval_us = micros(batch_interval, "batch interval", least=_SHORTEST_INTERVAL_US)
        return self._with(window=_Window(length_us, slide_us, time, lateness_us, interval_us))

    def count(self, by: str) -> Query:
        """
        Count lines by a field; `tailrace parse --help` and `tr.Format(name).fields` list them.

        Raises:
            ValueError: The format has no such field.
        """
        checked_fields([by], self._format)
        return self._with(by=by)

    def top(self, n: int) -> Query:
        """
        Answer the *n* keys with the highest counts, ties by key; 10 unless asked otherwise.

        Raises:
            ValueError: *n* is below one.
        """
        if n < 1:
            raise ValueError(f"top: {n} rows; ask for at least one")
        return self._with(limit=min(n, _MOST_ROWS))

    def sorted(self) -> Query:
        """Answer every key, the highest counts first, ties by key."""
        return self._with(limit=None)

    @overload
    def run(self) -> Iterator[Snapshot]: ...
    @overload
    def run(self, callback: Callable[[Snapshot], Any]) -> None: ...
    def run(self, callback: Callable[[Snapshot], Any] | None = None) -> Iterator[Snapshot] | None:
        """
        Open the source and yield its snapshots, or hand each to *callback* and return at the end.

        While the caller works on a snapshot of a live source, the source waits: agents that get
        no answer for 20 s send their batch again.

        Raises:
            OSError: The source cannot be opened or read.
            ValueError: It was not said what to count.
        """
        snapshots = self.start().snapshots()
        if callback is None:
            return snapshots
        try:
            for snapshot in snapshots:
                callback(snapshot)
        finally:
            # Closes the source also where the callback raised.
            snapshots.close()
        return None

    def open_source(self) -> Source | LiveSource:
        """Return where the bytes come from, for who wants no counts of them."""
        return self._origin.source(self._window)

    @property
    def log_format(self) -> str:
        """The name of the format of the lines."""
        return self._format

    def start(self) -> Run:
        """Return the run behind `run`, for who wants to stop it in good order."""
        if self._by is None:
            raise ValueError("nothing to count: say by what, for instance .count(by='url')")
        window = self._window
        if window is None and self._origin.is_flume:
            return self.window(*_LIVE_WINDOW).start()
        source = self.open_source()
        clock = Clock()
        engine = _core.Engine(
            format=self._format,
            by=self._by,
            time="log" if window is None else window.time,
            limit=self._limit,
            window_us=None if window is None else (window.length_us, window.slide_us),
            lateness_us=0 if window is None else window.lateness_us,
            max_ahead_us=None if self._origin.replayed or window is None else _MAX_AHEAD_US,
            sources=getattr(source, "count", 1),
            start_us=clock.now_us(),
            # Keys are what clients ask for; nobody may know how they are hashed.
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )
        interval_us = 10**6
        if window is not None:
            # Of the ends that pass between two looks at the clock no more than one window's worth
            # is answered, so a short window wants more looks.
            often_enough = max(window.length_us // 2, _SHORTEST_INTERVAL_US)
            interval_us = min(window.batch_interval_us, often_enough)
        return Run(
            engine,
            source,
            clock,
            by=self._by,
            batch_interval_us=interval_us,
            windowed=window is not None,
        )


# As many as there can be keys.
_MOST_ROWS = 2**32

# More often than this an idle process would be a busy one.
_SHORTEST_INTERVAL_US = 10_000


class _Origin(NamedTuple):
    """Where lines come from; one of the three."""

    paths: tuple[str, ...] = ()
    lines: Iterable[str | bytes] | None = None
    address: tuple[str, int] | None = None

    @property
    def is_flume(self) -> bool:
        return self.address is not None

    @property
    def is_stdin(self) -> bool:
        return self.paths == (STDIN,)

    @property
    def live(self) -> bool:
        """Whether the time of arrival is meant unless another is asked for."""
        return self.is_flume or self.is_stdin

    @property
    def replayed(self) -> bool:
        """Whether lines may have any time, also one to come."""
        return not self.is_flume and STDIN not in self.paths

    def source(self, window: _Window | None) -> Source | LiveSource:
        if self.address is not None:
            from tailrace.sources.flume import Flume  # noqa: PLC0415 - who has files needs no loop

            return Flume(*self.address)
        if self.lines is not None:
            return Memory(self.lines)
        by_arrival = window is not None and window.time == "arrival"
        if self.is_stdin and by_arrival and LiveInput.is_waited_for():
            return LiveInput()
        return Files(self.paths)


def from_files(*paths: str | os.PathLike[str], format: str = "combined") -> Query:
    """
    Read log files to their end, in this order; `-` is standard input.

    >>> import tailrace as tr
    >>> query = tr.from_files("access.log").window("5m", every="1m").count(by="url").top(10)

    Raises:
        ValueError: No path, or an unknown format.
    """
    if not paths:
        raise ValueError("no file to read")
    names = tuple(os.fspath(path) for path in paths)
    return Query(_Origin(paths=names), checked_format(format))


def from_stdin(*, format: str = "combined") -> Query:
    """
    Read lines from standard input; with a window, at the time of their arrival.

    >>> import tailrace as tr
    >>> query = tr.from_stdin().window("5m", every="1s").count(by="url").top(10)

    Raises:
        ValueError: An unknown format.
    """
    return from_files(STDIN, format=format)


def from_lines(lines: Iterable[str | bytes], *, format: str = "combined") -> Query:
    """
    Take lines that the program has, with or without their newline.

    >>> import tailrace as tr
    >>> query = tr.from_lines([b"..."], format="classic").count(by="host").sorted()

    Raises:
        TypeError: One text instead of lines; `from_files` takes names of files.
        ValueError: An unknown format.
    """
    if isinstance(lines, str | bytes):
        raise TypeError(f"lines: a list of lines is wanted, not {lines!r:.80}; see also from_files")
    return Query(_Origin(lines=lines), checked_format(format))


def from_flume(address: str, *, format: str = "combined") -> Query:
    """
    Stand in for a Flume AvroSource at `HOST:PORT` (`[HOST]:PORT` for IPv6).

    Without a window the last 300 s are answered every second. A batch is acknowledged when it is
    counted; nothing survives a crash.

    >>> import tailrace as tr
    >>> query = tr.from_flume("localhost:9092").window("300s", every="1s").count(by="url").top(10)

    Raises:
        ValueError: The address is none, or the format is unknown.
    """
    return Query(_Origin(address=_address(address)), checked_format(format))


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")):
        raise ValueError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:9092")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ValueError(f"{text!r}: {port!r} is no port; take one from 1 to 65535, or 0 for any")
    return host, int(port)
