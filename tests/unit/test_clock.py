"""The clock of arrival: steps of the wall clock are followed forward and held backward."""

from __future__ import annotations

import os
import signal
import time as system_time
from collections.abc import Iterable  # noqa: TC003 - of a dataclass
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import OK, Sink, line, running, wait_for
from made_up import LAYOUT, MadeUpTime
from profiles import examples
from windowed import (
    BASE_S,
    SECOND,
    Entry,
    WindowSize,
    answer_of,
    as_text,
    chunk_of,
    engine_of,
    in_micros,
    keys,
    text_of,
)

from tailrace._runtime.clock import Clock
from tailrace._runtime.counting import Counting
from tailrace._runtime.intake import Intake
from tailrace._runtime.live import LiveFeeds
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace._sources import Chunk

many = examples(200)

BASE_US = BASE_S * SECOND
HOUR = 3_600 * SECOND

AHEAD = (
    "the clock jumped {} ahead (a machine that slept, or a clock that was set); arrival times "
    "follow it"
)
BACK = (
    "the clock was set back by {0}; arrival times are held until it has caught up, in {0}; a "
    "restart follows it at once"
)


class Step(NamedTuple):
    """The wall clock is set by so much, time passes (None: until the timeout), keys arrive."""

    set_us: int
    elapsed_us: int | None
    keys: list[bytes | None]


@dataclass
class Model:
    """What the clock of arrival shows, from readings of the wall clock and of what has passed."""

    now_us: int
    wall_us: int
    held: bool = False

    def read(self, wall_us: int, passed_us: int) -> int:
        running_us = self.now_us + (0 if self.held else passed_us)
        if self.held:
            self.held = wall_us < self.now_us
            running_us = self.now_us if self.held else wall_us
        elif wall_us > running_us + SECOND:
            running_us = wall_us
        elif wall_us < running_us - SECOND:
            self.held = True
        self.now_us, self.wall_us = running_us, wall_us
        return running_us


@dataclass
class Stepped:
    """A live source of which every step is known beforehand."""

    time: MadeUpTime
    steps: Iterable[Step]
    count = 1
    seen: list[tuple[int, list[bytes | None]]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = iter(self.steps)
        self.model = Model(self.time.now_us, self.time.now_us)
        self.before_us = self.time.now_us

    async def open(self) -> str:
        return "made up"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        self.waits.append(timeout_s)
        step = next(iter(self.steps), None)
        if step is None:
            return None
        elapsed_us = round(timeout_s * SECOND) if step.elapsed_us is None else step.elapsed_us
        self.time.now_us += elapsed_us
        self.time.set_us += step.set_us
        passed_us = self.time.now_us - self.before_us
        self.before_us = self.time.now_us
        now_us = self.model.read(self.time.wall_ns() // 1_000, passed_us)
        self.seen.append((now_us, step.keys))
        return [chunk_of(text_of([Entry(BASE_S, key)])) for key in step.keys]

    def wake(self) -> None:
        """Do nothing; it never waits."""

    async def close(self) -> None:
        """Do nothing."""


class Made(NamedTuple):
    """A run over a made-up source, with what its clock reported."""

    run: Run
    source: Stepped
    said: list[str]
    clock: Clock


def made(
    size: WindowSize, steps: Iterable[Step], *, interval: int = SECOND, time: str = "arrival"
) -> Made:
    made_up = MadeUpTime(BASE_US)
    said: list[str] = []
    clock = Clock(made_up.wall_ns, made_up.monotonic_ns, said.append)
    engine = engine_of(size, time=time, start_us=clock.now_us())
    source, stop = Stepped(made_up, steps), StopRequest()
    counting = Counting(engine, clock, stop, layout=LAYOUT, windowed=True, sources=1)
    intake = Intake(clock, [Origin("made up", "combined", HOUR, is_live=True)])
    run = Run(counting, LiveFeeds([source]), intake, clock, stop, batch_interval_us=interval)
    return Made(run, source, said, clock)


def quiet(count: int, set_us: int = 0) -> list[Step]:
    return [Step(set_us, None, [])] + [Step(0, None, [])] * (count - 1)


def ends_of(run: Run) -> list[float]:
    return [((in_micros(snapshot.end) or 0) - BASE_US) / SECOND for snapshot in run]


# --- the clock itself -----------------------------------------------------------------------------

moved = st.tuples(
    st.integers(0, 10 * SECOND),
    st.sampled_from([0, 0, 300_000, -300_000, HOUR, -HOUR, 7 * SECOND, -7 * SECOND])
    | st.integers(-3 * SECOND, 3 * SECOND),
)


@many
@given(st.lists(moved, max_size=40))
def test_it_never_goes_back_and_never_differs_by_more_than_a_second_unless_it_is_held(
    moves: list[tuple[int, int]],
) -> None:
    time, said = MadeUpTime(BASE_US), list[str]()
    clock = Clock(time.wall_ns, time.monotonic_ns, said.append)
    before_us, was_held = clock.now_us(), False
    for elapsed_us, set_us in moves:
        time.now_us += elapsed_us
        time.set_us += set_us
        assert clock.now_us() >= before_us
        clock.check()
        now_us, wall_us = clock.now_us(), time.now_us + time.set_us
        assert now_us >= before_us
        if clock.is_held:
            assert now_us > wall_us
            assert now_us == before_us or not was_held
        else:
            assert abs(now_us - wall_us) <= SECOND
        before_us, was_held = now_us, clock.is_held
    # A step is not reported again.
    steps = len(said)
    clock.check()
    assert len(said) == steps


def test_small_differences_are_ignored_until_they_add_up_to_a_second() -> None:
    time, said = MadeUpTime(BASE_US), list[str]()
    clock = Clock(time.wall_ns, time.monotonic_ns, said.append)
    for number in range(1, 4):
        time.set_us += 300_000
        assert not clock.check()
        assert clock.now_us() == BASE_US, number
    time.set_us += 300_000
    assert clock.check()
    assert clock.now_us() == BASE_US + 1_200_000
    assert said == [AHEAD.format("1.2 s")]


def test_a_step_back_is_held_and_reported_with_its_end() -> None:
    time, said = MadeUpTime(BASE_US), list[str]()
    clock = Clock(time.wall_ns, time.monotonic_ns, said.append)
    time.set_us = -120 * SECOND
    for _ in range(119):
        time.now_us += SECOND
        clock.check()
    assert clock.now_us() == BASE_US + SECOND
    time.now_us += 2 * SECOND
    clock.check()
    assert clock.now_us() == BASE_US + SECOND
    time.now_us += SECOND
    clock.check()
    assert clock.now_us() == BASE_US + 2 * SECOND
    assert said == [
        BACK.format("120 s"),
        "the clock has caught up; arrival times follow it again",
    ]


def test_a_process_that_is_stopped_between_two_readings_sees_no_step() -> None:
    time, said = MadeUpTime(BASE_US), list[str]()
    stops = iter([0, 0, 0, 0, 0, 50 * SECOND, 0, 0, 50 * SECOND])

    def wall_ns() -> int:
        time.now_us += next(stops, 0)
        return time.wall_ns()

    clock = Clock(wall_ns, time.monotonic_ns, said.append)
    for _ in range(10):
        time.now_us += SECOND
        assert not clock.check()
        assert clock.now_us() == time.now_us
    assert said == []


# --- whole runs -----------------------------------------------------------------------------------

steps = st.builds(
    Step,
    st.sampled_from([0, 0, 0, 0, 400_000, -400_000, 20 * SECOND, -20 * SECOND, HOUR, -3 * SECOND]),
    st.none() | st.integers(0, 3 * SECOND),
    st.lists(keys, max_size=3),
)


@many
@given(
    st.sampled_from(
        [(WindowSize(4 * SECOND, SECOND), SECOND), (WindowSize(SECOND, SECOND // 4), SECOND // 4)]
    ),
    st.lists(steps, max_size=30),
)
def test_every_end_is_answered_once_in_order_whatever_the_wall_clock_does(
    shape: tuple[WindowSize, int], script: list[Step]
) -> None:
    size, interval = shape
    run, source, _, _ = made(size, script, interval=interval)
    snapshots = list(run)
    expected = oracle.arrival(BASE_US, source.seen, length=size.length, slide=size.slide)
    assert [answer_of(snapshot) for snapshot in snapshots] == [as_text(a) for a in expected]
    fed = sum(len(step.keys) for step in script)
    assert run.processor.lines() == oracle.Lines(fed=fed, counted=fed).as_dict()


def test_after_an_hour_of_sleep_the_newest_ends_are_answered_within_a_tick() -> None:
    run, source, said, _ = made(WindowSize(5 * SECOND, SECOND), [*quiet(1), *quiet(2, HOUR)])
    assert ends_of(run) == [1, *range(3_598, 3_604)]
    assert "the clock jumped 3,600 s ahead" in said[0]
    assert len(said) == 1
    assert len(source.seen) == 3


def test_while_the_clock_is_held_there_are_ticks_and_neither_ends_nor_busy_waits() -> None:
    back = [Step(-10 * SECOND, SECOND // 2, [b"/a"]), *[Step(0, None, [])] * 10]
    run, source, said, clock = made(WindowSize(SECOND, SECOND), [*back, *quiet(3)])
    snapshots = list(run)
    # The line counts once, in the window that was open when the clock was set back.
    assert [(in_micros(snapshot.end) or 0) - BASE_US for snapshot in snapshots] == [
        SECOND * end for end in (1, 2, 3)
    ]
    assert [snapshot.total for snapshot in snapshots] == [1, 0, 0]
    assert all(0.4 <= wait <= 1 for wait in source.waits[:11])
    assert len(said) == 2
    assert not clock.is_held


def test_a_line_that_is_held_to_detect_its_format_is_counted_while_the_clock_is_held() -> None:
    steps = [Step(-HOUR, 100_000, [b"/a"]), *quiet(2)]
    made_up = made(WindowSize(SECOND, SECOND), steps)
    from tailrace._detection import Detector  # noqa: PLC0415 - of this test alone

    run, source = made_up.run, made_up.source
    detector = Detector()
    run.intake._origins[0].log_format = detector
    run.intake._formats[0] = None
    lines = []

    async def receive(timeout_s: float, inner=source.receive) -> list[Chunk] | None:  # noqa: ANN001
        lines.append(run.processor.lines()["counted"])
        return await inner(timeout_s)

    source.receive = receive  # type: ignore[method-assign]
    assert [snapshot.total for snapshot in run] == [1]
    # Within the first wait, which is short.
    assert lines == [0, 0, 1, 1]
    assert source.waits[1] == pytest.approx(0.2)


def test_after_sleep_a_time_of_now_is_not_ahead_of_the_clock() -> None:
    # By its own time, an hour and a half after the start.
    run, source, _, _ = made(WindowSize(SECOND, SECOND), [], time="log")
    ahead = Entry(BASE_S + 5_400, b"/a")

    async def receive(timeout_s: float) -> list[Chunk] | None:
        source.waits.append(timeout_s)
        source.time.now_us += SECOND
        if len(source.waits) == 2:
            source.time.set_us += 5_400 * SECOND
        if len(source.waits) == 4:
            return None
        return [chunk_of(text_of([ahead]))]

    source.receive = receive  # type: ignore[method-assign]
    list(run)
    assert run.processor.lines()["rejected"] == {"future": 1}
    assert run.processor.lines()["counted"] == 2


def test_delays_and_rates_are_those_of_the_monotonic_clock() -> None:
    run, _, _, _ = made(
        WindowSize(SECOND, SECOND),
        [Step(0, SECOND, [b"/a"] * 10), Step(HOUR, SECOND, [b"/a"] * 10), *quiet(2)],
    )
    shown = [run.processor.status() for _ in run]
    assert max(status.per_second for status in shown) <= 20
    assert max(status.silent_us for status in shown) <= 3 * SECOND


# --- a real process -------------------------------------------------------------------------------

SHIFTED = """
import time

_time_ns = time.time_ns


def time_ns():
    with open({path!r}) as file:
        return _time_ns() + int(file.read() or 0) * 10**9


time.time_ns = time_ns
"""


class Wall:
    """The wall clock of a process, which the test sets."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._path)


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wall:
    shift = tmp_path / "shift"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SHIFTED.format(path=str(shift)))
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return Wall(shift)


TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")


@contextmanager
def receiving(*arguments: str) -> Iterator[tuple]:
    with running(*TOP, *arguments) as receiver, Sink(receiver.port) as sink:
        yield receiver, sink


def test_a_process_follows_its_wall_clock_forward_and_waits_for_it_backward(wall: Wall) -> None:
    with receiving("--window", "3s", "--slide", "1s") as (receiver, sink):
        assert sink.batch([line("/a")]) == OK
        receiver.answer(lambda answer: answer["total"] == 1)
        wall.set(7_200)
        wait_for(lambda: any("jumped 7,200 s ahead" in text for text in receiver.messages))
        assert sink.batch([line("/b")]) == OK
        found = receiver.answer(lambda answer: answer["rows"] == [{"url": "/b", "count": 1}])
        ahead_s = _seconds(found["end"]) - system_time.time()
        assert 7_190 < ahead_s < 7_210

        wall.set(7_195)
        wait_for(lambda: any("was set back by" in text for text in receiver.messages))
        printed = len(receiver.printed)
        assert sink.batch([line("/c")]) == OK
        wait_for(lambda: any("has caught up" in text for text in receiver.messages))
        receiver.answer(lambda answer: answer["rows"] == [{"url": "/c", "count": 1}])
        assert len(receiver.printed) > printed
        assert receiver.end(signal.SIGTERM) == 0
        ends = [_seconds(answer["end"]) for answer in receiver.snapshots()]

    assert ends == sorted(set(ends))
    # Of two hours, the three ends of a window.
    assert len(ends) < 200
    last = receiver.snapshots()[-1]["lines"]
    assert (last["fed"], last["counted"]) == (3, 3)


def test_a_process_that_is_stopped_for_seconds_answers_later_and_reports_no_step() -> None:
    with receiving("--window", "5s", "--slide", "1s") as (receiver, sink):
        assert sink.batch([line("/a")]) == OK
        receiver.answer(lambda answer: answer["total"] == 1)
        receiver.process.send_signal(signal.SIGSTOP)
        system_time.sleep(3)
        receiver.process.send_signal(signal.SIGCONT)
        assert sink.batch([line("/b")]) == OK
        receiver.answer(lambda answer: answer["lines"]["counted"] == 2)
        receiver.answer(lambda answer: answer["total"] == 0)
        assert receiver.end(signal.SIGTERM) == 0
        ends = [_seconds(answer["end"]) for answer in receiver.snapshots()]

    assert ends == list(range(round(ends[0]), round(ends[0]) + len(ends)))
    assert not [text for text in receiver.messages if "the clock" in text]


def _seconds(text: str) -> float:
    from datetime import datetime  # noqa: PLC0415 - of this function alone

    return datetime.fromisoformat(text).timestamp()
