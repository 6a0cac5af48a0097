"""Windows by arrival, on a made-up clock, against a recount of everything."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import oracle
from hypothesis import given
from hypothesis import strategies as st
from made_up import LAYOUT, MadeUpTime
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
    in_micros,
    keys,
    text_of,
)

import tailrace as tr
from tailrace._runtime.clock import Clock
from tailrace._runtime.counting import Counting
from tailrace._runtime.intake import Intake
from tailrace._runtime.live import LiveFeeds
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tailrace._snapshot import Snapshot
    from tailrace._sources import Chunk


many = examples(200)


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
    time: MadeUpTime, size: WindowSize, interval: int, steps: Iterable[Step]
) -> tuple[Run, MadeUpSource]:
    clock = Clock(wall_ns=time.wall_ns, monotonic_ns=time.monotonic_ns)
    engine = engine_of(size, time="arrival", start_us=clock.now_us())
    source = MadeUpSource(time, steps)
    stop = StopRequest()
    counting = Counting(engine, clock, stop, layout=LAYOUT, windowed=True, sources=1)
    intake = Intake(clock, [Origin("made up", "combined")])
    feeds = LiveFeeds([source])
    return Run(counting, feeds, intake, clock, stop, batch_interval_us=interval), source


LIVE = st.sampled_from(
    [
        (WindowSize(4 * SECOND, SECOND), SECOND),
        (WindowSize(4 * SECOND, SECOND), SECOND // 4),
        (WindowSize(SECOND, SECOND // 4), SECOND // 4),
        (WindowSize(2 * SECOND, 2 * SECOND), SECOND // 2),
        (WindowSize(60 * SECOND, 20 * SECOND), SECOND),
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
@given(
    LIVE,
    starts,
    st.lists(received | timed_out | slept, max_size=20),
    st.lists(st.integers(-SECOND, SECOND)),
)
def test_by_arrival_every_end_is_answered_once_in_order_with_what_was_received_in_its_window(
    live: tuple[WindowSize, int], start: int, script: list[Step], noise: list[int]
) -> None:
    size, interval = live
    time = MadeUpTime(start, itertools.chain(noise, itertools.repeat(0)))
    run, source = served(time, size, interval, script)
    snapshots = list(run)
    expected = oracle.arrival(start, source.seen, length=size.length, slide=size.slide)
    assert [answer_of(snapshot) for snapshot in snapshots] == [as_text(a) for a in expected]
    assert source.closed
    fed = sum(len(keys) for _, keys in source.seen)
    assert run.processor.lines() == oracle.Lines(fed=fed, counted=fed).as_dict()
    for snapshot in snapshots:
        check_every_line_went_somewhere(snapshot.lines)


@many
@given(LIVE, starts, st.lists(received | timed_out, max_size=20))
def test_by_arrival_an_end_is_answered_within_a_batch_interval_of_a_process_that_is_awake(
    live: tuple[WindowSize, int], start: int, script: list[Step]
) -> None:
    size, interval = live
    # What comes, comes before the timeout, of which the interval is the longest.
    script = [step._replace(elapsed_us=step.elapsed_us % (interval // 8)) for step in script]
    time = MadeUpTime(start)
    run, source = served(time, size, interval, script)
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
        run, _ = served(time, WindowSize(5 * SECOND, SECOND), SECOND, quiet(0, 0, 0))
        snapshots = list(run)
        assert ends_of(snapshots) == [first, first + 1, first + 2]
        assert [snapshot.total for snapshot in snapshots] == [0, 0, 0]


def test_after_a_long_sleep_the_newest_ends_of_one_window_are_answered() -> None:
    time = MadeUpTime(BASE_S * SECOND)
    script = quiet(0, 100 * SECOND, 0)
    run, _ = served(time, WindowSize(5 * SECOND, SECOND), SECOND, script)
    assert ends_of(run) == [1, 98, 99, 100, 101, 102, 103]


def test_a_line_is_stamped_when_it_is_taken_however_late_the_clock_is_looked_at() -> None:
    time = MadeUpTime(BASE_S * SECOND)
    # One just before the end, one with it.
    script = [Step(SECOND - 1, [b"/a"]), Step(1, [b"/b"]), *quiet(0)]
    run, _ = served(time, WindowSize(SECOND, SECOND), SECOND, script)
    assert [snapshot.rows for snapshot in run] == [
        [{"url": "/a", "count": 1}],
        [{"url": "/b", "count": 1}],
    ]


def test_the_watermark_never_goes_back() -> None:
    engine = engine_of(WindowSize(SECOND, SECOND), time="arrival", start_us=0)
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
    made_up = [source], [Origin("made up", "combined")]
    monkeypatch.setattr("tailrace._assembly.sources_of", lambda *_: made_up)
    snapshots = list(tr.from_stdin(format="combined").window("250ms").count(by="url")._start())
    assert ends_of(snapshots)[:4] == [0.25, 0.5, 0.75, 1]
    assert sum(snapshot.total for snapshot in snapshots) == 1
