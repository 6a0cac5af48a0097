"""
Windows, lateness, ends and ranks, against a recount of everything.

The contract is in `oracle.py`; what is here feeds it and the package the same events.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from re import escape, sub
from typing import TYPE_CHECKING, Any, NamedTuple

import counting
import numpy as np
import oracle
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from profiles import examples

import tailrace as tr
from tailrace import _core
from tailrace._runtime.clock import Clock
from tailrace._runtime.counting import Counting
from tailrace._runtime.intake import Intake
from tailrace._runtime.live import LiveFeeds
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Origin
from tailrace._sources import Chunk
from tailrace._sources.text import Cutter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tailrace._snapshot import Snapshot

# A busy machine does not fail a test.
many = examples(200)
few = examples(30)

SECOND = 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# 17 May 2015, 10:00:00 UTC: an hour, so that windows of minutes and hours begin with it.
BASE_S = 1_431_856_800

# Null, ASCII, UTF-8, and bytes that are none; some of them look alike in text.
KEYS = [None, b"/", b"/a", b"/b", b"/\xc3\xa9", b"/\xe2\x82", b"/\xff", b"/\xff\xfe", b"/a\x00"]


# --- lines and answers ----------------------------------------------------------------------------


class Entry(NamedTuple):
    """A line to write: its second (None: unreadable) and its key, or no line of the format."""

    second: int | None
    key: bytes | None
    garbage: bool = False


def written(entry: Entry) -> bytes:
    if entry.garbage:
        return b"no line of any log"
    if entry.second is None:
        time = "17/Mai/2015:10:05:03 +0000"
    else:
        at = EPOCH + timedelta(seconds=entry.second)
        time = f"{at.day:02}/{MONTHS[at.month - 1]}/{at.year:04}:{at:%H:%M:%S} +0000"
    request = b"-" if entry.key is None else b"GET %b HTTP/1.1" % entry.key
    return b'10.0.0.1 - - [%b] "%b" 200 5 "-" "x"' % (time.encode(), request)


def text_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(written(entry) + b"\n" for entry in entries)


def events_of(
    entries: Iterable[Entry], source: int = 0
) -> list[tuple[int, int | None, bytes | None]]:
    lines = (entry for entry in entries if not entry.garbage)
    seconds = ((entry.second, entry.key) for entry in lines)
    return [(source, None if at is None else at * SECOND, key) for at, key in seconds]


def with_garbage(lines: oracle.Lines, garbage: int) -> dict[str, Any]:
    counters: dict[str, Any] = lines.as_dict()
    counters["fed"] += garbage
    if garbage:
        counters["rejected"] = {"no-match": garbage, **counters["rejected"]}
    return counters


def text_key(key: oracle.Key) -> oracle.Key:
    """Show bytes as rows do: a run that is not UTF-8 is one U+FFFD."""
    if not isinstance(key, bytes):
        return key
    return sub("[\udc80-\udcff]+", "\ufffd", key.decode("utf-8", "surrogateescape"))


def as_text(answer: oracle.Answer) -> oracle.Answer:
    return answer._replace(rows=[(text_key(key), count) for key, count in answer.rows])


def in_micros(time: datetime | None) -> int | None:
    if time is None:
        return None
    assert time.utcoffset() == timedelta(0)
    return (time - EPOCH) // timedelta(microseconds=1)


def answer_of(snapshot: Snapshot, by: str = "url") -> oracle.Answer:
    assert all(list(row) == [by, "count"] for row in snapshot.rows)
    rows = [(row[by], row["count"]) for row in snapshot.rows]
    start, end = in_micros(snapshot.start), in_micros(snapshot.end)
    return oracle.Answer(start, end, snapshot.keys, snapshot.total, rows)


def check_every_line_went_somewhere(lines: dict[str, Any]) -> None:
    rejected = sum(lines["rejected"].values())
    assert lines["fed"] == lines["counted"] + lines["late"] + lines["filtered"] + rejected


# --- the generated queries ------------------------------------------------------------------------


class Shape(NamedTuple):
    """A window and its slide in microseconds, and how far apart events for it are."""

    length: int
    slide: int
    spread: int = 1

    @property
    def delta(self) -> tuple[timedelta, timedelta]:
        return timedelta(microseconds=self.length), timedelta(microseconds=self.slide)


SHAPES = [
    Shape(SECOND, SECOND),
    Shape(5 * SECOND, SECOND),
    Shape(10 * SECOND, 10 * SECOND),
    Shape(14 * SECOND, 7 * SECOND),
    Shape(60 * SECOND, 20 * SECOND, 5),
    Shape(3_600 * SECOND, 900 * SECOND, 200),
    Shape(SECOND, SECOND // 4),
    Shape(1_500_000, 500_000),
    Shape(300_000, 300_000),
]

shapes = st.sampled_from(SHAPES)
latenesses = st.sampled_from([0, SECOND, 5 * SECOND, 60 * SECOND, 1, SECOND // 2, 1_000 * SECOND])
limits = st.none() | st.integers(1, 5)

# In order, out of order, with gaps.
steps = st.integers(-2, 2) | st.integers(-20, 20) | st.sampled_from([-200, 90, 900])
keys = st.sampled_from(KEYS)


@st.composite
def logs(draw: st.DrawFn, spread: int, *, max_size: int = 40) -> list[Entry]:
    second = draw(st.sampled_from([BASE_S, BASE_S - 1, 3, -7]))
    entries = []
    drawn = st.tuples(steps, keys, st.sampled_from(["", "", "", "", "", "no time", "garbage"]))
    for step, key, flaw in draw(st.lists(drawn, max_size=max_size)):
        second += step * spread
        time = None if flaw == "no time" else second
        entries.append(Entry(time, key, garbage=flaw == "garbage"))
    return entries


shaped_logs = shapes.flatmap(lambda shape: st.tuples(st.just(shape), logs(shape.spread)))


# --- by log time ----------------------------------------------------------------------------------


@many
@given(shaped_logs, latenesses, limits)
def test_snapshots_by_log_time_equal_a_recount_of_every_window(
    shaped: tuple[Shape, list[Entry]], lateness: int, limit: int | None
) -> None:
    shape, entries = shaped
    query = tr.from_lines([written(entry) for entry in entries], format="combined")
    length, slide = shape.delta
    late = timedelta(microseconds=lateness)
    query = query.window(length, slide, time="log", lateness=late).count(by="url")
    run = (query.sorted() if limit is None else query.top(limit)).run()
    snapshots = list(run)

    expected, lines = oracle.log(
        events_of(entries), length=shape.length, slide=shape.slide, lateness=lateness, limit=limit
    )
    assert [answer_of(snapshot) for snapshot in snapshots] == [as_text(a) for a in expected]
    for snapshot in snapshots:
        check_every_line_went_somewhere(snapshot.lines)
    counters = with_garbage(lines, sum(entry.garbage for entry in entries))
    assert run.lines == counters
    assert not snapshots or snapshots[-1].lines == counters


def answers_to(
    seconds: Sequence[int], length: str, slide: str, *, lateness: str = "60s"
) -> list[tuple[int, int]]:
    """Return the end of each window and what it holds, by seconds from the base."""
    lines = [written(Entry(BASE_S + second, b"/")) for second in seconds]
    query = tr.from_lines(lines).window(length, slide, lateness=lateness).count(by="url")
    ends = ((snapshot.end, snapshot.total) for snapshot in query.run())
    return [((in_micros(end) or 0) // SECOND - BASE_S, total) for end, total in ends]


def test_an_event_belongs_to_the_windows_that_begin_with_it_and_not_to_those_that_end_with_it() -> (
    None
):
    assert answers_to([0, 10, 20], "20s", "10s") == [(10, 1), (20, 2), (30, 2)]


def test_the_first_end_is_the_first_after_the_oldest_event() -> None:
    assert answers_to([15, 3, 12], "10s", "1s")[0] == (4, 1)


def test_an_empty_window_is_answered_once_and_the_ends_after_it_are_jumped() -> None:
    assert answers_to([0, 100], "3s", "1s") == [(1, 1), (2, 1), (3, 1), (4, 0), (101, 1)]


def test_the_last_end_is_the_first_after_the_newest_event() -> None:
    assert answers_to([0, 30], "1h", "15s")[-1] == (45, 2)
    assert answers_to([0, 29], "1h", "15s")[-1] == (30, 2)


@pytest.mark.parametrize(
    ("lateness", "late"), [("0s", 1), ("9s", 1), ("10s", 1), ("10001ms", 0), ("60s", 0)]
)
def test_a_pane_closes_when_the_watermark_reaches_its_end(lateness: str, late: int) -> None:
    # The pane of the last line ends 10 s before the newest.
    lines = [written(Entry(BASE_S + second, b"/")) for second in (20, 9)]
    query = tr.from_lines(lines).window("20s", "10s", lateness=lateness).count(by="url")
    last = list(query.run())[-1]
    assert (last.lines["counted"], last.lines["late"]) == (2 - late, late)


@pytest.mark.parametrize(("second", "late"), [(38, 1), (39, 1), (40, 0), (41, 0)])
def test_lateness_by_log_time_is_sixty_seconds_by_default(second: int, late: int) -> None:
    # The pane of second 39 ends at 40, which is where the watermark is.
    lines = [written(Entry(BASE_S + at, b"/")) for at in (100, second)]
    last = list(tr.from_lines(lines).window("10s", "1s", time="log").count(by="url").run())[-1]
    assert last.lines["late"] == late


def test_a_late_line_leaves_the_watermark_where_it_is() -> None:
    lines = [written(Entry(BASE_S + second, b"/")) for second in (100, 0, 41, 0, 41)]
    snapshots = list(tr.from_lines(lines).window("10s", "1s").count(by="url").run())
    assert snapshots[-1].lines == {
        "fed": 5,
        "counted": 3,
        "late": 2,
        "filtered": 0,
        "rejected": {},
    }


# --- cut anywhere, on any thread ------------------------------------------------------------------


def engine_of(
    shape: Shape | None,
    *,
    lateness: int = 0,
    by: str = "url",
    time: Any = "log",  # noqa: ANN401 - one of two words
    start_us: int = 0,
    seed: int = 1,
) -> _core.Engine:
    return counting.engine(
        formats=["combined"],
        by=by,
        time=time,
        limit=None,
        window_us=None if shape is None else (shape.length, shape.slide),
        lateness_us=lateness,
        sources=1,
        start_us=start_us,
        hash_seed=seed,
    )


def absorbed(engine: _core.Engine, chunk: Chunk, now_us: int = 0) -> _core.Delta:
    return engine.absorb(
        chunk.data,
        kind=chunk.kind,
        span=chunk.span,
        source=0,
        format="combined",
        now_us=now_us,
        max_ahead_us=None,
    )


def chunk_of(data: bytes) -> Chunk:
    return Chunk(data, (0, len(data)))


def answered(engine: _core.Engine) -> list[Any]:
    return list(iter(engine.next_snapshot, None))


def outcome(
    engine: _core.Engine, deltas: Iterable[_core.Delta], *, at_once: bool = False
) -> tuple[list[Any], dict[str, Any]]:
    answers = []
    for delta in deltas:
        engine.apply(delta)
        if not at_once:
            answers += answered(engine)
    engine.finish()
    return answers + answered(engine), engine.lines()


def parts(items: Any, cuts: Iterable[int]) -> Iterator[Any]:  # noqa: ANN401 - any sequence
    borders = [0, *sorted(cut % (len(items) + 1) for cut in cuts), len(items)]
    return (items[start:end] for start, end in itertools.pairwise(borders))


some_cuts = st.lists(st.integers(0, 10_000), max_size=12)


@many
@given(
    shaped=shaped_logs,
    lateness=latenesses,
    cuts=some_cuts,
    seed=st.integers(0, 2**64 - 1),
    at_once=st.booleans(),
)
def test_answers_do_not_depend_on_where_chunks_end(
    shaped: tuple[Shape, list[Entry]], lateness: int, cuts: list[int], seed: int, *, at_once: bool
) -> None:
    shape, entries = shaped
    engine = engine_of(shape, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(text_of(entries)))])
    engine = engine_of(shape, lateness=lateness, seed=seed)
    chunks = [chunk_of(text_of(part)) for part in parts(entries, cuts)]
    assert outcome(engine, (absorbed(engine, chunk) for chunk in chunks), at_once=at_once) == whole


@many
@given(shaped=shaped_logs, lateness=latenesses, cuts=some_cuts, newline=st.booleans())
def test_answers_do_not_depend_on_where_reads_end(
    shaped: tuple[Shape, list[Entry]], lateness: int, cuts: list[int], *, newline: bool
) -> None:
    shape, entries = shaped
    data = text_of(entries)
    data = data if newline else data.removesuffix(b"\n")
    engine = engine_of(shape, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(data))])
    cutter = Cutter()
    chunks = [chunk for part in parts(data, cuts) for chunk in cutter.feed(part)]
    chunks += cutter.finish()
    assert b"".join(chunk.data[slice(*chunk.span)] for chunk in chunks) == data
    engine = engine_of(shape, lateness=lateness)
    assert outcome(engine, (absorbed(engine, chunk) for chunk in chunks)) == whole


@few
@given(shaped_logs, latenesses, some_cuts, st.integers(1, 4))
def test_answers_do_not_depend_on_the_number_of_threads(
    shaped: tuple[Shape, list[Entry]], lateness: int, cuts: list[int], threads: int
) -> None:
    shape, entries = shaped
    engine = engine_of(shape, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(text_of(entries)))])
    engine = engine_of(shape, lateness=lateness)
    chunks = [chunk_of(text_of(part)) for part in parts(entries, cuts)]
    with ThreadPoolExecutor(threads) as pool:
        deltas = list(pool.map(lambda chunk: absorbed(engine, chunk), chunks))
    assert outcome(engine, deltas) == whole


LONGEST = _core.MAX_LINE_BYTES


@many
@given(
    length=st.integers(LONGEST - 2, LONGEST + 3) | st.just(3 * LONGEST),
    cuts=st.lists(st.integers(-3, 3) | st.integers(LONGEST - 3, LONGEST + 6), max_size=5),
    newline=st.booleans(),
)
def test_a_line_is_too_long_wherever_it_is_cut_and_is_not_held(
    length: int, cuts: list[int], *, newline: bool
) -> None:
    good = text_of([Entry(BASE_S, b"/")])
    data = good + b"x" * length + (b"\n" + good if newline else b"")
    cutter = Cutter()
    engine = engine_of(None)
    for part in parts(data, [len(good) + cut for cut in cuts]):
        for chunk in cutter.feed(part):
            engine.apply(absorbed(engine, chunk))
        assert len(cutter._rest) <= LONGEST + 1
    for chunk in cutter.finish():
        engine.apply(absorbed(engine, chunk))
    lines = engine.lines()
    assert lines["rejected"] == {"too-long" if length > LONGEST else "no-match": 1}
    assert lines["counted"] == 1 + newline


# --- several files --------------------------------------------------------------------------------


@st.composite
def several_logs(draw: st.DrawFn) -> tuple[Shape, list[list[Entry]]]:
    shape = draw(shapes)
    log = logs(shape.spread, max_size=15)
    return shape, draw(st.lists(log, min_size=2, max_size=3))


@few
@given(several_logs(), st.sampled_from([0, 5 * SECOND, 60 * SECOND]))
def test_answers_do_not_depend_on_the_order_of_files_and_each_is_late_by_its_own_time(
    shaped: tuple[Shape, list[list[Entry]]], lateness: int
) -> None:
    shape, files = shaped
    events = [event for source, log in enumerate(files) for event in events_of(log, source)]
    expected, lines = oracle.log(events, length=shape.length, slide=shape.slide, lateness=lateness)
    counters = with_garbage(lines, sum(entry.garbage for log in files for entry in log))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.log") for number in range(len(files))]
        for path, log in zip(paths, files, strict=True):
            path.write_bytes(text_of(log))
        printed = set()
        for order in itertools.permutations(paths):
            length, slide = shape.delta
            late = timedelta(microseconds=lateness)
            query = tr.from_files(*order).window(length, slide, lateness=late)
            run = query.count(by="url").sorted().run()
            snapshots = list(run)
            assert [answer_of(snapshot) for snapshot in snapshots] == [
                as_text(answer) for answer in expected
            ]
            assert run.lines == counters
            assert not snapshots or snapshots[-1].lines == counters
            printed.add(tuple(snapshot.to_json() for snapshot in snapshots))
        assert len(printed) == 1


def test_a_file_of_an_hour_ago_is_not_late_beside_a_newer_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(text_of([Entry(BASE_S, b"/old")]))
    new.write_bytes(text_of([Entry(BASE_S + 3_600, b"/new")]))
    for paths in [(old, new), (new, old)]:
        snapshots = list(tr.from_files(*paths).window("10s").count(by="url").run())
        rows = [snapshot.rows for snapshot in snapshots]
        assert rows == [[{"url": "/old", "count": 1}], [], [{"url": "/new", "count": 1}]]


# --- without a window -----------------------------------------------------------------------------


@few
@given(logs(1), limits)
def test_without_a_window_there_is_one_snapshot_of_everything(
    entries: list[Entry], limit: int | None
) -> None:
    query = tr.from_lines([written(entry) for entry in entries]).count(by="url")
    (snapshot,) = (query.sorted() if limit is None else query.top(limit)).run()
    lines = [entry for entry in entries if not entry.garbage]
    times = [entry.second * SECOND for entry in lines if entry.second is not None]
    # A line without a readable time counts like any other: no time places it.
    everything = oracle.recount([(0, entry.key) for entry in lines], None, None, limit)
    expected = everything._replace(start=min(times, default=None), end=max(times, default=None))
    assert answer_of(snapshot) == as_text(expected)
    garbage = len(entries) - len(lines)
    assert snapshot.lines == {
        "fed": len(entries),
        "counted": len(lines),
        "late": 0,
        "filtered": 0,
        "rejected": {"no-match": garbage} if garbage else {},
    }


def test_without_a_window_and_a_time_the_bounds_are_none() -> None:
    for entries in [[], [Entry(None, b"/")]]:
        (snapshot,) = tr.from_lines([written(entry) for entry in entries]).count(by="url").run()
        assert (snapshot.start, snapshot.end, snapshot.total) == (None, None, len(entries))


# --- by arrival -----------------------------------------------------------------------------------


@dataclass
class MadeUpTime:
    """A monotonic clock that moves when the test moves it, and a wall clock that was set back."""

    now_us: int
    wall_readings: Iterator[int] = field(default_factory=lambda: itertools.repeat(0))
    begun_us: int | None = None

    def wall_ns(self) -> int:
        if self.begun_us is None:
            self.begun_us = self.now_us
            return self.now_us * 1_000
        return next(self.wall_readings)

    def monotonic_ns(self) -> int:
        # Since the machine was started, say.
        return (self.now_us - (self.begun_us or self.now_us) + 5_000_000) * 1_000


class Step(NamedTuple):
    """What a source does next: keys come after a while, or the timeout is slept through."""

    elapsed_us: int
    keys: list[bytes | None] | None


class MadeUpSource:
    """A live source of which every step is known beforehand."""

    count = 1

    def __init__(self, time: MadeUpTime, steps: Iterable[Step]) -> None:
        self._time = time
        self._steps = iter(steps)
        self.seen: list[tuple[int, list[bytes | None]]] = []
        self.closed = False

    async def open(self) -> str:
        return "made up"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        step = next(self._steps, None)
        if step is None:
            return None
        if step.keys is None:
            self._time.now_us += round(timeout_s * SECOND) + step.elapsed_us
        else:
            self._time.now_us += step.elapsed_us
        keys = step.keys or []
        self.seen.append((self._time.now_us, keys))
        # Their own time is of no interest.
        return [chunk_of(text_of([Entry(BASE_S, key)])) for key in keys]

    async def close(self) -> None:
        self.closed = True


def served(
    time: MadeUpTime, shape: Shape, interval: int, steps: Iterable[Step]
) -> tuple[Run, MadeUpSource]:
    clock = Clock(wall_ns=time.wall_ns, monotonic_ns=time.monotonic_ns)
    engine = engine_of(shape, time="arrival", start_us=clock.now_us())
    source = MadeUpSource(time, steps)
    stop = StopRequest()
    counting = Counting(engine, clock, stop, by=("url",), windowed=True, sources=1)
    intake = Intake(clock, [Origin("made up", "combined")])
    feeds = LiveFeeds([source])
    return Run(counting, feeds, intake, clock, stop, batch_interval_us=interval), source


LIVE = st.sampled_from(
    [
        (Shape(4 * SECOND, SECOND), SECOND),
        (Shape(4 * SECOND, SECOND), SECOND // 4),
        (Shape(SECOND, SECOND // 4), SECOND // 4),
        (Shape(2 * SECOND, 2 * SECOND), SECOND // 2),
        (Shape(60 * SECOND, 20 * SECOND), SECOND),
    ]
)
starts = st.sampled_from([BASE_S * SECOND, BASE_S * SECOND + 1]) | st.integers(
    BASE_S * SECOND, (BASE_S + 100) * SECOND
)
received = st.builds(
    Step,
    st.integers(0, 3 * SECOND) | st.sampled_from([0, SECOND // 4, SECOND]),
    st.lists(keys, max_size=4),
)
timed_out = st.builds(Step, st.just(0), st.none())
slept = st.builds(Step, st.integers(1, 30 * SECOND) | st.just(3_000 * SECOND), st.none())


@many
@given(LIVE, starts, st.lists(received | timed_out | slept, max_size=20), st.lists(st.integers()))
def test_by_arrival_every_end_is_answered_once_in_order_with_what_was_received_in_its_window(
    live: tuple[Shape, int], start: int, script: list[Step], wall: list[int]
) -> None:
    shape, interval = live
    time = MadeUpTime(start, itertools.chain(wall, itertools.repeat(0)))
    run, source = served(time, shape, interval, script)
    snapshots = list(run)
    expected = oracle.arrival(start, source.seen, length=shape.length, slide=shape.slide)
    assert [answer_of(snapshot) for snapshot in snapshots] == [as_text(a) for a in expected]
    assert source.closed
    fed = sum(len(keys) for _, keys in source.seen)
    assert run.processor.lines() == oracle.Lines(fed=fed, counted=fed).as_dict()
    for snapshot in snapshots:
        check_every_line_went_somewhere(snapshot.lines)


@many
@given(LIVE, starts, st.lists(received | timed_out, max_size=20))
def test_by_arrival_an_end_is_answered_within_a_batch_interval_of_a_process_that_is_awake(
    live: tuple[Shape, int], start: int, script: list[Step]
) -> None:
    shape, interval = live
    # What comes, comes before the timeout, of which the interval is the longest.
    script = [step._replace(elapsed_us=step.elapsed_us % (interval // 8)) for step in script]
    time = MadeUpTime(start)
    run, source = served(time, shape, interval, script)
    for snapshot in run:
        last_look = source.seen[-1][0]
        end = in_micros(snapshot.end)
        assert end is not None
        # The one after the last event is answered early, at the end of input.
        assert end > last_look or last_look - end < interval


def quiet(*elapsed_us: int) -> list[Step]:
    return [Step(elapsed, None) for elapsed in elapsed_us]


def ends_of(run: Iterable[Snapshot]) -> list[float]:
    return [(in_micros(snapshot.end) or 0) / SECOND - BASE_S for snapshot in run]


def test_by_arrival_the_first_end_is_the_first_after_the_start_and_empty_windows_are_answered() -> (
    None
):
    for start, first in [(0, 1), (1, 1), (SECOND - 1, 1), (SECOND, 2)]:
        time = MadeUpTime(BASE_S * SECOND + start)
        run, _ = served(time, Shape(5 * SECOND, SECOND), SECOND, quiet(0, 0, 0))
        snapshots = list(run)
        assert ends_of(snapshots) == [first, first + 1, first + 2]
        assert [snapshot.total for snapshot in snapshots] == [0, 0, 0]


def test_after_a_long_sleep_the_newest_ends_of_one_window_are_answered() -> None:
    time = MadeUpTime(BASE_S * SECOND)
    script = quiet(0, 100 * SECOND, 0)
    run, _ = served(time, Shape(5 * SECOND, SECOND), SECOND, script)
    assert ends_of(run) == [1, 98, 99, 100, 101, 102, 103]


def test_a_line_is_stamped_when_it_is_taken_however_late_the_clock_is_looked_at() -> None:
    time = MadeUpTime(BASE_S * SECOND)
    # One just before the end, one with it.
    script = [Step(SECOND - 1, [b"/a"]), Step(1, [b"/b"]), *quiet(0)]
    run, _ = served(time, Shape(SECOND, SECOND), SECOND, script)
    assert [snapshot.rows for snapshot in run] == [
        [{"url": "/a", "count": 1}],
        [{"url": "/b", "count": 1}],
    ]


def test_the_clock_never_goes_back_when_the_wall_clock_does() -> None:
    wall = iter([10**18, 0, 10**17, 0])
    monotonic = iter(range(7, 10_000_000, 500_000))
    clock = Clock(wall_ns=lambda: next(wall), monotonic_ns=lambda: next(monotonic))
    readings = [clock.now_us() for _ in range(5)]
    # 500,000 ns after the one reading of the wall clock, and so on.
    assert readings == [10**15 + 500 * n for n in range(1, 6)]


def test_the_watermark_never_goes_back() -> None:
    engine = engine_of(Shape(SECOND, SECOND), time="arrival", start_us=0)
    engine.advance(3 * SECOND)
    assert [answer[2] for answer in answered(engine)] == [3 * SECOND]
    engine.advance(SECOND)
    assert answered(engine) == []
    line = text_of([Entry(BASE_S, b"/")])
    engine.apply(absorbed(engine, chunk_of(line), now_us=2 * SECOND))
    assert engine.lines()["late"] == 1
    engine.advance(4 * SECOND)
    assert [(answer[2], answer[4]) for answer in answered(engine)] == [(4 * SECOND, 0)]


def test_every_end_is_answered_though_windows_are_shorter_than_the_batch_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = MadeUpTime(BASE_S * SECOND)
    clock = Clock(wall_ns=time.wall_ns, monotonic_ns=time.monotonic_ns)
    monkeypatch.setattr("tailrace._assembly.Clock", lambda: clock)
    source = MadeUpSource(time, [Step(100_000, [b"/"]), *quiet(*[0] * 8)])
    made_up = LiveFeeds([source]), [Origin("made up", "combined")]
    monkeypatch.setattr("tailrace._assembly._sources", lambda *_: made_up)
    snapshots = list(tr.from_stdin(format="combined").window("250ms").count(by="url")._start())
    assert ends_of(snapshots)[:4] == [0.25, 0.5, 0.75, 1]
    assert sum(snapshot.total for snapshot in snapshots) == 1


# --- tr.Window ------------------------------------------------------------------------------------


class Capsule:
    """What speaks Arrow and has no list of its own."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._array = pa.array(values)

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._array.__arrow_c_array__(requested_schema)


def datetimes(times: Sequence[int], zone: timezone = UTC) -> list[datetime]:
    return [(EPOCH + timedelta(microseconds=time)).astimezone(zone) for time in times]


NEPAL = timezone(timedelta(hours=5, minutes=45))

TIME_COLUMNS = {
    "seconds": lambda times: [time / SECOND for time in times],
    "tuple": lambda times: tuple(Fraction(time, SECOND) for time in times),
    "datetimes": datetimes,
    "zones": lambda times: datetimes(times, NEPAL),
    "numpy us": lambda times: np.array(times, dtype="datetime64[us]"),
    "numpy ns": lambda times: np.array([time * 1_000 for time in times], dtype="datetime64[ns]"),
    "numpy floats": lambda times: np.array([time / SECOND for time in times]),
    "pandas": lambda times: pd.Series([time * 1_000 for time in times], dtype="datetime64[ns]"),
    "arrow, zone": lambda times: pa.array(datetimes(times)),
    "arrow": lambda times: pa.array([at.replace(tzinfo=None) for at in datetimes(times)]),
}

MANUAL_SHAPES = [
    Shape(SECOND, SECOND),
    Shape(8 * SECOND, SECOND),
    Shape(SECOND, SECOND // 4),
    Shape(10 * SECOND, 10 * SECOND),
    Shape(30 * SECOND, 10 * SECOND),
]

KEYS_OF_A_KIND: list[list[oracle.Key]] = [
    ["", "a", "b", "é", "z", "\ue000", "\U00010000", None],
    [b"", b"a", b"a\x00", b"b", b"\xff", b"\xc3\xa9", None],
    [-(2**63), -1, 0, 7, 10, 9, 2**63 - 1, None],
]

quarters = st.integers(-8, 200).map(lambda quarter: quarter * SECOND // 4)


class WindowMachine(RuleBasedStateMachine):
    """Any order of calls, of which some look only at a part of what they are answered."""

    @initialize(
        shape=st.sampled_from(MANUAL_SHAPES),
        lateness=st.sampled_from([0, SECOND // 4, 2 * SECOND]),
        limit=limits,
        keys=st.sampled_from(KEYS_OF_A_KIND),
    )
    def make(self, shape: Shape, lateness: int, limit: int | None, keys: list[oracle.Key]) -> None:
        self.keys = keys
        self.window = tr.Window(*shape.delta, top=limit, lateness=lateness / SECOND)
        self.oracle = oracle.Window(shape.length, shape.slide, lateness, limit)
        self.result: Iterator[Snapshot] = iter(())
        self.expected: list[oracle.Answer] = []

    def check(self, snapshot: Snapshot, expected: oracle.Answer) -> None:
        assert answer_of(snapshot, "key") == expected
        assert snapshot.lines == self.oracle.lines.as_dict()

    def take(self, result: Iterator[Snapshot], expected: list[oracle.Answer], count: int) -> None:
        # This call drops what was left of the last one.
        assert next(self.result, None) is None
        self.result, self.expected = result, expected
        self.look(count)

    @rule(
        events=st.lists(st.tuples(quarters, st.integers(0, 7)), max_size=12),
        column=st.sampled_from(sorted(TIME_COLUMNS)),
    )
    def add(self, events: list[tuple[int, int]], column: str) -> None:
        times = [time for time, _ in events]
        keys = [self.keys[index % len(self.keys)] for _, index in events]
        self.window.add(keys, times=TIME_COLUMNS[column](times))
        self.oracle.add(zip(times, keys, strict=True))

    @rule(now=quarters, aware=st.booleans(), count=st.integers(0, 40))
    def advance(self, now: int, count: int, *, aware: bool) -> None:
        moment = datetimes([now], NEPAL)[0] if aware else now / SECOND
        self.take(self.window.advance(moment), self.oracle.advance(now), count)

    @precondition(lambda self: self.expected)
    @rule(count=st.integers(1, 40))
    def look(self, count: int) -> None:
        for snapshot in itertools.islice(self.result, count):
            self.check(snapshot, self.expected.pop(0))
            count -= 1
        assert not (count and self.expected)

    @rule()
    def snapshot(self) -> None:
        self.check(self.window.snapshot(), self.oracle.snapshot())

    @rule(count=st.integers(0, 60))
    def finish(self, count: int) -> None:
        self.take(self.window.finish(), self.oracle.finish(), count)


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = examples(200, stateful_step_count=20)


@pytest.mark.parametrize("column", sorted(TIME_COLUMNS))
def test_times_are_taken_from_any_column(column: str) -> None:
    window = tr.Window("1s", "250ms")
    times = [BASE_S * SECOND + 249_999, BASE_S * SECOND + 250_000, -1]
    window.add([1, 1, 1], times=TIME_COLUMNS[column](times))
    answers = [answer_of(snapshot, "key") for snapshot in window.finish()]
    kept: list[tuple[int, oracle.Key]] = [(time, 1) for time in times]
    window_ends = [0, *(quarter * 250_000 for quarter in range(1, 5))]
    window_ends += [BASE_S * SECOND + quarter * 250_000 for quarter in range(1, 6)]
    assert answers == [oracle.recount(kept, end - SECOND, end, None) for end in window_ends]


@pytest.mark.parametrize(
    "column",
    [
        ["a", "b", "a"],
        ("a", "b", "a"),
        iter(["a", "b", "a"]),
        np.array(["a", "b", "a"]),
        pd.Series(["a", "b", "a"]),
        pa.array(["a", "b", "a"]),
    ],
    ids=["list", "tuple", "iterator", "numpy", "pandas", "arrow"],
)
def test_keys_are_taken_from_any_column(column: Any) -> None:  # noqa: ANN401 - any
    window = tr.Window("60s")
    window.add(column, times=[0, 1, 2])
    assert window.snapshot().rows == [{"key": "a", "count": 2}, {"key": "b", "count": 1}]


def test_what_has_arrows_capsules_alone_is_made_a_column_by_arrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = tr.Window("60s")
    window.add(Capsule(["a", "a"]), times=Capsule([datetime(2026, 1, 1)] * 2))  # noqa: DTZ001 - UTC
    assert window.snapshot().rows == [{"key": "a", "count": 2}]
    assert window.snapshot().start == datetime(2026, 1, 1, tzinfo=UTC)

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    window.add(Capsule(["a"]), times=Capsule([datetime(2026, 1, 1)]))  # noqa: DTZ001 - as above
    assert window.snapshot().rows == [{"key": "a", "count": 3}]


@pytest.mark.parametrize(
    ("keys", "times", "error", "mend"),
    [
        (["a"], [datetime(2026, 1, 1)], ValueError, "time 0: expected an aware datetime"),  # noqa: DTZ001 - the point
        (["a", "b"], [1], ValueError, "keys: expected 1, one per time, found 2"),
        ([], [1], ValueError, "keys: expected 1, one per time, found 0"),
        (["a", 1], [1, 1], TypeError, "key 1: expected text like the keys before it, found int"),
        (["a", b"a"], [1, 1], TypeError, "expected text like the keys before it, found bytes"),
        (
            [None, 1, b"a"],
            [1, 1, 1],
            TypeError,
            "expected int like the keys before it, found bytes",
        ),
        ([1.5], [1], TypeError, "key 0: expected text, bytes, an integer or None"),
        ("ab", [1, 1], TypeError, "keys: expected a column such as a list"),
        (["a"], ["now"], TypeError, "expected an aware datetime or seconds since the epoch"),
        (["a"], [None], TypeError, "seconds since the epoch, found null"),
        (["a"], [float("nan")], ValueError, "out of range"),
        (["a"], [float("inf")], ValueError, "out of range"),
        (["a"], [10**30], ValueError, "out of range"),
    ],
)
def test_an_event_that_cannot_be_counted_is_refused_with_its_mend_and_with_all_of_its_call(
    keys: Any,  # noqa: ANN401 - wrong on purpose
    times: Any,  # noqa: ANN401 - the same
    error: type[Exception],
    mend: str,
) -> None:
    window = tr.Window("10s")
    with pytest.raises(error, match=escape(mend)):
        window.add(keys, times=times)
    assert window.snapshot().lines["fed"] == 0
    # Nor did the call settle of which type keys are.
    window.add([b"bytes"], times=[1])
    assert window.snapshot().rows == [{"key": b"bytes", "count": 1}]


def test_keys_have_one_type_over_all_calls() -> None:
    window = tr.Window("10s")
    window.add([None], times=[1])
    window.add([7], times=[1])
    with pytest.raises(TypeError, match="text, bytes or integers"):
        window.add(["7"], times=[1])
    assert window.snapshot().rows == [{"key": 7, "count": 1}, {"key": None, "count": 1}]


def test_advancing_to_a_time_without_a_zone_is_refused_and_moves_nothing() -> None:
    window = tr.Window("10s")
    window.add(["a"], times=[0])
    with pytest.raises(ValueError, match="pass an aware datetime"):
        window.advance(datetime(2026, 1, 1))  # noqa: DTZ001 - the point
    assert [snapshot.total for snapshot in window.advance(10)] == [1]


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (lambda: tr.Window("soon"), "expected a duration such as"),
        (lambda: tr.Window("10s", "often"), "expected a duration such as"),
        (lambda: tr.Window("10s", lateness="a bit"), "expected a duration such as"),
        (lambda: tr.Window(0), "length: expected a positive duration, found 0"),
        (
            lambda: tr.Window("10s", lateness=-1),
            "lateness: expected a duration of 0 or more, found -1",
        ),
        (lambda: tr.Window("10s", "3s"), "try 2s or 5s"),
        (lambda: tr.Window("10s", "20s"), "try 10s"),
        (lambda: tr.Window("10s", top=0), "expected at least 1, found 0; None is all rows"),
        (lambda: tr.from_lines([]).window("soon"), "expected a duration such as"),
        (lambda: tr.from_lines([]).window("10s", "3s"), "try 2s or 5s"),
        (lambda: tr.from_lines([]).window("10s", "20s"), "try 10s"),
        (lambda: tr.from_lines([]).window(-1), "window: expected a positive duration, found -1"),
        (
            lambda: tr.from_lines([]).window("1s", lateness="-1s"),
            "lateness: expected a duration of 0 or more, found '-1s'",
        ),
        (
            lambda: tr.from_lines([]).window("1s", time="arrival", lateness=1),
            "by arrival nothing is late",
        ),
        (lambda: tr.from_lines([]).top(0), "expected at least 1 row, found 0"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_its_mend(make: Any, mend: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=escape(mend)):
        make()


def test_every_defaults_to_the_length() -> None:
    window = tr.Window("60s")
    window.add(["a", "b"], times=[59, 60])
    bounds = [(snapshot.start, snapshot.end) for snapshot in window.finish()]
    minutes = [EPOCH + timedelta(minutes=minute) for minute in range(3)]
    assert bounds == [(minutes[0], minutes[1]), (minutes[1], minutes[2])]


def test_what_is_not_iterated_is_dropped_by_the_next_move() -> None:
    window = tr.Window("2s", "1s")
    window.add(["a"], times=[0])
    first = window.advance(1)
    second = window.advance(2)
    assert list(first) == []
    assert [in_micros(snapshot.end) for snapshot in second] == [2 * SECOND]
    third = window.advance(3)
    # Threads that add take nothing from the one that answers.
    window.add(["b"], times=[5])
    window.snapshot()
    assert [in_micros(snapshot.end) for snapshot in third] == [3 * SECOND]


def test_the_watermark_is_the_time_of_advance_minus_lateness() -> None:
    window = tr.Window("1s", lateness="5s")
    window.add(["a"], times=[0])
    assert list(window.advance(5.999)) == []
    window.add(["a"], times=[0.5])
    assert [snapshot.total for snapshot in window.advance(6)] == [2]
    window.add(["a", "a"], times=[0.5, 1])
    assert window.snapshot().lines["late"] == 1


def test_finish_answers_what_still_holds_an_event_and_closes_it() -> None:
    window = tr.Window("3s", "1s")
    window.add(["a"], times=[0])
    assert [in_micros(snapshot.end) for snapshot in window.advance(1)] == [SECOND]
    assert [snapshot.total for snapshot in window.finish()] == [1, 1]
    window.add(["a"], times=[2])
    assert window.snapshot().lines["late"] == 1
    assert list(window.finish()) == []


def test_the_watermark_moves_though_nothing_is_iterated() -> None:
    window = tr.Window("1s")
    window.add(["a"], times=[0])
    window.advance(1)
    window.add(["a", "a"], times=[0.999, 1])
    lines = window.snapshot().lines
    assert (lines["fed"], lines["counted"], lines["late"]) == (3, 2, 1)


# --- rank -----------------------------------------------------------------------------------------


@many
@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=3), st.integers(1, 3)), max_size=40),
    st.integers(0, 3),
    st.integers(1, 12),
)
def test_the_top_n_are_the_first_n_of_all_keys(
    counts: list[tuple[bytes, int]], nulls: int, limit: int
) -> None:
    # Few counts and many keys: what is cut is cut among ties.
    events = [key for key, count in counts for _ in range(count)] + [None] * nulls
    windows = [tr.Window("10s", top=top) for top in (limit, None)]
    for window in windows:
        window.add(events, times=[0] * len(events))
    some, every = (window.snapshot() for window in windows)
    assert some.rows == every.rows[:limit]
    assert (some.keys, some.total) == (every.keys, every.total) == (len(set(events)), len(events))
    assert [tuple(row.values()) for row in every.rows] == oracle.ranked(events, None)


def test_text_is_ordered_by_its_bytes_whatever_it_looks_like() -> None:
    # By code points of what is shown, what is not UTF-8 would sort after the fullwidth letter.
    ascending = [b"/A", b"/Z", b"/a", b"/\x80", b"/\xc3\xa9", b"/\xed\xa0\x80", b"/\xef\xbc\xa1"]
    ascending += [b"/\xf0\x9f\x98\x80", b"/\xff"]
    entries = [Entry(BASE_S, key) for key in [*reversed(ascending), None]]
    lines = [written(entry) for entry in entries]
    query = tr.from_lines(lines).count(by="url")
    (snapshot,) = query.sorted().run()
    shown = [*(text_key(key) for key in ascending), None]
    assert [row["url"] for row in snapshot.rows] == shown
    for limit in range(1, len(entries) + 2):
        (cut,) = query.top(limit).run()
        assert cut.rows == snapshot.rows[:limit]


def test_numbers_are_ordered_by_value_and_null_is_last() -> None:
    line = written(Entry(BASE_S, b"/"))
    statuses = [b"404", b"-", b"099", b"100", b"304", b"200", b"200"]
    lines = [line.replace(b" 200 5 ", b" %b 5 " % status) for status in statuses]
    (snapshot,) = tr.from_lines(lines).count(by="status").sorted().run()
    assert [row["status"] for row in snapshot.rows] == [200, 99, 100, 304, 404, None]


# --- memory ---------------------------------------------------------------------------------------

MEMORY = """
import json, os, sys
from tailrace import _core

lateness = int(sys.argv[1])
shape = _core.WindowSettings(
    lengths_us=[10_000_000], slide_us=1_000_000, offset_us=0, lateness_us=lateness * 1_000_000,
    limit=10, order_by=None, ascending=False, track_ranks=False,
    max_keys=None,
)
engine = _core.Engine(
    formats=["combined"], by=["url"], aggregates=[("count", "count", [], 0.0, 0.0)], time="log",
    settings=shape, sources=1, start_us=0, hash_seed=1,
)
origin = {"source": 0, "format": "combined", "now_us": 0, "max_ahead_us": None}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

sizes = []
for second in range(180):
    head = f'h - - [17/May/2015:10:{second // 60:02}:{second % 60:02} +0000] "GET /{second:03}/'
    data = "".join([f'{head}{n:04} HTTP/1.1" 200 5 "-" "x"\\n' for n in range(5_000)]).encode()
    delta = engine.absorb(data, kind="lines", span=(0, len(data)), **origin)
    engine.apply(delta)
    while (answer := engine.next_snapshot()) is not None:
        keys = answer[3]
    sizes.append(resident())
print(json.dumps({"sizes": sizes, "capacity": engine.key_capacity(), "keys": keys}))
"""


@pytest.mark.parametrize("lateness", [0, 60])
def test_keys_that_never_come_again_release_their_memory(lateness: int) -> None:
    command = [sys.executable, "-c", MEMORY, str(lateness)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    seen = json.loads(done.stdout)
    assert seen["keys"] == 10 * 5_000
    # What the window holds, what waits for late lines, and the panes at both ends.
    assert seen["capacity"] < (10 + lateness + 2) * 5_000 * 1.1
    # The first minute, as long as it takes to fill the window and what waits, and a little for
    # the allocator to settle; twenty minutes later it is the same.
    full = 75 + lateness
    assert max(seen["sizes"][140:]) <= 1.1 * max(seen["sizes"][:full])


def test_the_number_of_a_key_that_left_is_used_again() -> None:
    engine = engine_of(Shape(10 * SECOND, SECOND))
    capacities = []
    for visit in range(20):
        second = BASE_S + visit * 100
        fresh = [Entry(second, b"/%d/%d" % (visit, number)) for number in range(500)]
        # One more, so late that all others have left the window.
        for entries in (fresh, [Entry(second + 50, b"/last")]):
            engine.apply(absorbed(engine, chunk_of(text_of(entries))))
            answered(engine)
        capacities.append(engine.key_capacity())
    assert capacities == [501] * 20


# --- what is not yet so ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time", ["31/Dec/9999:23:59:59 +0000", "31/Dec/9999:23:59:59 -0100", "01/Jan/0001:00:00:00 Z"]
)
def test_a_line_at_the_end_of_time_does_not_end_the_run(time: str) -> None:
    lines = [f'h - - [{time}] "GET /a" 200 5 "-" "x"'.encode()]
    run = tr.from_lines(lines).window("10s", "1s").count(by="url").run()
    assert all(snapshot.total == 1 for snapshot in run)
    assert run.lines["fed"] == 1


@pytest.mark.parametrize(
    "times",
    [
        # Milliseconds, by mistake.
        [1_700_000_000_000],
        np.array([2**60], dtype="datetime64[us]"),
    ],
    ids=["milliseconds", "microseconds"],
)
def test_a_time_that_no_snapshot_could_show_is_refused(times: Any) -> None:  # noqa: ANN401
    window = tr.Window("10s")
    with pytest.raises(ValueError, match="out of range"):
        window.add(["a"], times=times)


def test_a_missing_time_in_arrow_is_refused_as_in_a_list() -> None:
    window = tr.Window("10s")
    times = pa.array([datetime(2026, 1, 1), None])  # noqa: DTZ001 - as Arrow gives them
    with pytest.raises(
        TypeError, match="time 1: expected an aware datetime or seconds since the epoch, found null"
    ):
        window.add(["a", "b"], times=times)


def test_an_integer_key_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="key 0"):
        tr.Window("10s").add([2**63], times=[0])


@pytest.mark.parametrize("text", ["access.log", b"access.log"])
def test_one_text_is_no_list_of_lines(text: str | bytes) -> None:
    with pytest.raises(TypeError, match="from_files takes file names"):
        tr.from_lines(text)


def test_a_time_is_a_key_as_it_is_a_field() -> None:
    lines = [b'h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5']
    (snapshot,) = tr.from_lines(lines).count("time").run()
    assert snapshot.rows == [{"time": datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC), "count": 1}]
