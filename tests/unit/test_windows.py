"""
Windows over lines: by log time, cut anywhere, of several files, against a recount of everything.

The contract is in `oracle.py`; what is here feeds it and the package the same events.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from windowed import (
    BASE_S,
    SECOND,
    Entry,
    WindowSize,
    absorbed,
    answer_of,
    answered,
    as_text,
    check_every_line_went_somewhere,
    chunk_of,
    engine_of,
    events_of,
    in_micros,
    latenesses,
    limits,
    logs,
    sized_logs,
    text_of,
    window_sizes,
    with_garbage,
    written,
)

import tailrace as tr
from tailrace import _core
from tailrace._sources.cutter import Cutter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


many = examples(200)
few = examples(30)

# --- by log time ----------------------------------------------------------------------------------


@many
@given(sized_logs, latenesses, limits)
def test_snapshots_by_log_time_equal_a_recount_of_every_window(
    sized: tuple[WindowSize, list[Entry]], lateness: int, limit: int | None
) -> None:
    size, entries = sized
    query = tr.from_lines([written(entry) for entry in entries], format="combined")
    length, slide = size.timedeltas
    late = timedelta(microseconds=lateness)
    query = query.window(length, slide, time="log", lateness=late).count(by="url")
    run = (query.sorted() if limit is None else query.top(limit)).run()
    snapshots = list(run)

    expected, lines = oracle.log(
        events_of(entries), length=size.length, slide=size.slide, lateness=lateness, limit=limit
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
    sized=sized_logs,
    lateness=latenesses,
    cuts=some_cuts,
    seed=st.integers(0, 2**64 - 1),
    at_once=st.booleans(),
)
def test_answers_do_not_depend_on_where_chunks_end(
    sized: tuple[WindowSize, list[Entry]],
    lateness: int,
    cuts: list[int],
    seed: int,
    *,
    at_once: bool,
) -> None:
    size, entries = sized
    engine = engine_of(size, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(text_of(entries)))])
    engine = engine_of(size, lateness=lateness, seed=seed)
    chunks = [chunk_of(text_of(part)) for part in parts(entries, cuts)]
    assert outcome(engine, (absorbed(engine, chunk) for chunk in chunks), at_once=at_once) == whole


@many
@given(sized=sized_logs, lateness=latenesses, cuts=some_cuts, newline=st.booleans())
def test_answers_do_not_depend_on_where_reads_end(
    sized: tuple[WindowSize, list[Entry]], lateness: int, cuts: list[int], *, newline: bool
) -> None:
    size, entries = sized
    data = text_of(entries)
    data = data if newline else data.removesuffix(b"\n")
    engine = engine_of(size, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(data))])
    cutter = Cutter()
    chunks = [chunk for part in parts(data, cuts) for chunk in cutter.feed(part)]
    chunks += cutter.finish()
    assert b"".join(chunk.data[slice(*chunk.span)] for chunk in chunks) == data
    engine = engine_of(size, lateness=lateness)
    assert outcome(engine, (absorbed(engine, chunk) for chunk in chunks)) == whole


@few
@given(sized_logs, latenesses, some_cuts, st.integers(1, 4))
def test_answers_do_not_depend_on_the_number_of_threads(
    sized: tuple[WindowSize, list[Entry]], lateness: int, cuts: list[int], threads: int
) -> None:
    size, entries = sized
    engine = engine_of(size, lateness=lateness)
    whole = outcome(engine, [absorbed(engine, chunk_of(text_of(entries)))])
    engine = engine_of(size, lateness=lateness)
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
def several_logs(draw: st.DrawFn) -> tuple[WindowSize, list[list[Entry]]]:
    size = draw(window_sizes)
    log = logs(size.spread, max_size=15)
    return size, draw(st.lists(log, min_size=2, max_size=3))


@few
@given(several_logs(), st.sampled_from([0, 5 * SECOND, 60 * SECOND]))
def test_answers_do_not_depend_on_the_order_of_files_and_each_is_late_by_its_own_time(
    sized: tuple[WindowSize, list[list[Entry]]], lateness: int
) -> None:
    size, files = sized
    events = [event for source, log in enumerate(files) for event in events_of(log, source)]
    expected, lines = oracle.log(events, length=size.length, slide=size.slide, lateness=lateness)
    counters = with_garbage(lines, sum(entry.garbage for log in files for entry in log))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.log") for number in range(len(files))]
        for path, log in zip(paths, files, strict=True):
            path.write_bytes(text_of(log))
        printed = set()
        for order in itertools.permutations(paths):
            length, slide = size.timedeltas
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


# --- memory ---------------------------------------------------------------------------------------

MEMORY = """
import json, os, sys
from tailrace import _core

lateness = int(sys.argv[1])
settings = _core.WindowSettings(
    lengths_us=[10_000_000], slide_us=1_000_000, offset_us=0, lateness_us=lateness * 1_000_000,
    limit=10, order_by=None, ascending=False, track_ranks=False,
    max_keys=None,
)
engine = _core.Engine(
    formats=["combined"], by=["url"], aggregates=[("count", "count", [], 0.0, 0.0)], time="log",
    settings=settings, sources=1, start_us=0, hash_seed=1,
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
    # the allocator to settle; later it is the same. Keys that stay would add three quarters.
    full = 75 + lateness
    assert max(seen["sizes"][140:]) <= 1.25 * max(seen["sizes"][:full])


def test_the_number_of_a_key_that_left_is_used_again() -> None:
    engine = engine_of(WindowSize(10 * SECOND, SECOND))
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


# --- the edges of time ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time", ["31/Dec/9999:23:59:59 +0000", "31/Dec/9999:23:59:59 -0100", "01/Jan/0001:00:00:00 Z"]
)
def test_a_line_at_the_end_of_time_does_not_end_the_run(time: str) -> None:
    lines = [f'h - - [{time}] "GET /a" 200 5 "-" "x"'.encode()]
    run = tr.from_lines(lines).window("10s", "1s").count(by="url").run()
    assert all(snapshot.total == 1 for snapshot in run)
    assert run.lines["fed"] == 1


@pytest.mark.parametrize("text", ["access.log", b"access.log"])
def test_one_text_is_no_list_of_lines(text: str | bytes) -> None:
    with pytest.raises(TypeError, match="from_files takes file names"):
        tr.from_lines(text)
