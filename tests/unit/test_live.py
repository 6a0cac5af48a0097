"""What a live display shows, on a made-up clock, against a recount; and in a terminal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import counting as engines
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import OK, Sink, line, running, wait_for
from made_up import LAYOUT, MadeUpTime
from profiles import examples
from terminal import terminal
from windowed import BASE_S, SECOND, Entry, answer_of, as_text, chunk_of, text_of

import tailrace as tr
from tailrace._runtime.clock import Clock
from tailrace._runtime.counting import Counting, Status
from tailrace._runtime.intake import Intake
from tailrace._runtime.live import LiveFeeds
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Origin
from tailrace._runtime.view import View
from tailrace._schedule import schedule

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace._snapshot import Snapshot
    from tailrace._sources import Chunk

BASE_US = BASE_S * SECOND
MINUTE = 60 * SECOND


class Arrival(NamedTuple):
    """A line: when it arrives and the second of its own time, both after the start; its key."""

    at_us: int
    second: int
    key: bytes = b"/a"
    source: int = 0
    sender: bytes | None = None


class Script:
    """A live source of one or two parts: each line at its time, then silence until an end."""

    def __init__(self, time: MadeUpTime, lines: list[Arrival], until_us: int, count: int) -> None:
        self.count = count
        self._time = time
        self._lines = sorted(lines)
        self._until_us = BASE_US + until_us

    async def open(self) -> str:
        return "made up"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        time, lines = self._time, self._lines
        due_us = time.now_us + round(timeout_s * SECOND)
        if lines and BASE_US + lines[0].at_us <= due_us:
            first = lines.pop(0)
            time.now_us = max(time.now_us, BASE_US + first.at_us)
            text = text_of([Entry(BASE_S + first.second, first.key)])
            return [chunk_of(text)._replace(source=first.source, sender=first.sender)]
        if due_us >= self._until_us and not lines:
            time.now_us = self._until_us
            return None
        time.now_us = due_us
        return []

    def wake(self) -> None:
        """Do nothing; it never waits."""

    async def close(self) -> None:
        """Do nothing."""


class Look(NamedTuple):
    """What is on the screen from a moment on."""

    now_us: int
    snapshot: Snapshot | None
    status: Status

    @property
    def total(self) -> int | None:
        return None if self.snapshot is None else self.snapshot.total


class Slow:
    """An engine whose looks at a window take a while."""

    def __init__(self, engine: Any, time: MadeUpTime, cost_us: int) -> None:  # noqa: ANN401
        self._engine, self._time, self._cost_us = engine, time, cost_us

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._engine, name)

    def current(self, at_us: int) -> Any:  # noqa: ANN401
        self._time.now_us += self._cost_us
        return self._engine.current(at_us)


def looks(
    lines: list[Arrival],
    *,
    until_us: int,
    window: str = "10s",
    every: str = "1s",
    time: str = "log",
    lateness_us: int = 0,
    sources: int = 1,
    newest_only: bool = True,
    cost_us: int = 0,
) -> list[Look]:
    """Run the script; return what is shown at each change and each tick, and last at the end."""
    made_up = MadeUpTime(BASE_US)
    clock = Clock(wall_ns=made_up.wall_ns, monotonic_ns=made_up.monotonic_ns)
    windows = schedule(window, every, 0)
    engine = engines.engine(
        time=time,
        window_us=(windows.lengths_us[0] or 0, windows.slide_us),
        lateness_us=lateness_us,
        sources=sources,
        start_us=clock.now_us(),
    )
    slow: Any = Slow(engine, made_up, cost_us)
    stop = StopRequest()
    view = View(slow, clock, windows, by_arrival=time == "arrival")
    counting = Counting(slow, clock, stop, layout=LAYOUT, windowed=True, sources=sources, view=view)
    counting.newest_only = newest_only
    origins = [Origin("made up", "combined", is_live=True) for _ in range(sources)]
    feeds = LiveFeeds([Script(made_up, lines, until_us, sources)])
    run = Run(counting, feeds, Intake(clock, origins), clock, stop, batch_interval_us=SECOND)
    shown: list[Look] = []

    async def serve() -> None:
        await feeds.open()
        snapshot = None
        async for result in run.serve():
            snapshot = snapshot if result is None else result
            shown.append(Look(made_up.now_us - BASE_US, snapshot, counting.status()))

    asyncio.run(serve())
    shown += [Look(made_up.now_us - BASE_US, last, counting.status()) for last in counting.finish()]
    return shown


def at(shown: list[Look], at_us: int) -> Look:
    """Return what is on the screen at a moment."""
    return [look for look in shown if look.now_us <= at_us][-1]


# How far the log's own clock is from the real one: right, an old log, a clock that is wrong.
log_clocks = pytest.mark.parametrize("skew_s", [0, -100_000_000, -7, 40])


@log_clocks
@pytest.mark.parametrize("time", ["log", "arrival"])
def test_a_figure_is_drawn_with_the_first_line_and_before_any_slide_ends(time: str, skew_s: int):
    lines = [Arrival(200_000, skew_s, b"/a"), Arrival(450_000, skew_s, b"/b")]
    shown = looks(lines, until_us=SECOND - 1, time=time, lateness_us=5 * SECOND * (time == "log"))

    assert shown[0].now_us == 200_000
    assert shown[0].total == 1
    assert not shown[0].status.is_final
    assert shown[0].status.filling_us == (200_000 if time == "arrival" else 0, 10 * SECOND)
    # Of a run that ends, every line that was read.
    assert shown[-1].total == 2


@log_clocks
@pytest.mark.parametrize("time", ["log", "arrival"])
@pytest.mark.parametrize(("length", "slide"), [(5, 1), (5, 5), (180, 60)])
def test_it_falls_to_nothing_when_the_log_is_silent_for_the_length(
    time: str, skew_s: int, length: int, slide: int
):
    length_us, slide_us = length * SECOND, slide * SECOND
    lines = [Arrival(100_000 + n * SECOND, n + skew_s) for n in range(8)]
    silent_us = lines[-1].at_us + length_us
    shown = looks(
        lines, until_us=silent_us + 3 * SECOND, window=f"{length}s", every=f"{slide}s", time=time,
        lateness_us=5 * SECOND * (time == "log"),
    )  # fmt: skip

    assert at(shown, lines[-1].at_us + 1_500_000).total
    assert at(shown, silent_us + 2 * SECOND).total == 0
    assert shown[-1].total == 0
    # A window ends within a slide after now, so its lines leave at most that early.
    assert at(shown, silent_us - slide_us - SECOND).total
    assert at(shown, silent_us).status.silent_us > length_us - SECOND


def test_pipes_get_finished_answers_only():
    lines = [Arrival(100_000 + n * SECOND, n) for n in range(30)]
    shown = looks(lines, until_us=40 * SECOND, lateness_us=5 * SECOND, newest_only=False)
    ends = []
    for look in shown:
        if look.now_us == 40 * SECOND:
            break
        if look.snapshot is None:
            assert look.now_us < 6 * SECOND + 100_000
            continue
        ends.append(look.snapshot.end)
        age_us = BASE_US + look.now_us - round(look.snapshot.end.timestamp() * SECOND)
        assert look.status.lag_us == age_us
        assert age_us >= 5 * SECOND
        assert (look.status.filling_us, look.status.is_final) == (None, True)

    # One for each second, of which the silence at the end has none.
    assert len(set(ends)) == 24


def test_with_a_long_slide_the_table_moves_each_second():
    lines = [Arrival(500_000 + n * SECOND, n) for n in range(150)]
    shown = looks(lines, until_us=150 * SECOND, window="2m", every="1m", lateness_us=5 * SECOND)

    for second in range(2, 120):
        # The first look of a minute shows the minutes before it, which are complete.
        assert at(shown, second * SECOND).total == second - (second == 61)
    assert at(shown, 130 * SECOND).total == 130 - 60
    filling = at(shown, 90 * SECOND).status.filling_us
    assert filling is not None
    assert [round(one / SECOND) for one in filling] == [90, 120]


@pytest.mark.parametrize(
    ("at_s", "time", "covered_s"),
    [(3, "log", 3), (9, "log", 9), (11, "log", None), (3, "arrival", 3), (10, "arrival", None)],
)
def test_a_window_is_filling_until_it_began_with_the_first_line(
    at_s: int, time: str, covered_s: int | None
):
    lines = [Arrival(10_000 + n * SECOND, n) for n in range(20)]
    shown = looks(lines, until_us=20 * SECOND, time=time)
    filling = at(shown, at_s * SECOND + 500_000).status.filling_us

    expected = None if covered_s is None else (covered_s, 10)
    assert (filling and (round(filling[0] / SECOND), filling[1] // SECOND)) == expected


@pytest.mark.parametrize(
    ("time", "lateness_s", "is_final"), [("arrival", 0, True), ("log", 0, True), ("log", 5, False)]
)
def test_a_window_is_final_if_no_later_line_can_change_it(
    time: str, lateness_s: int, *, is_final: bool
):
    # The first line of each second comes before its time.
    lines = [Arrival(n * 250_000 + 700_000, n // 4 + 1) for n in range(80)]
    shown = looks(lines, until_us=20 * SECOND, time=time, lateness_us=lateness_s * SECOND)
    found = {look.status.is_final for look in shown if 12 * SECOND < look.now_us < 19 * SECOND}

    assert found == {is_final}


def test_a_silent_source_holds_answers_back_but_not_the_table():
    lines = [Arrival(100_000 + n * SECOND, n) for n in range(30)]
    shown = looks(lines, until_us=30 * SECOND, sources=2)
    answered = looks(lines, until_us=30 * SECOND, sources=2, newest_only=False)

    assert at(shown, 20 * SECOND).total in {9, 10}
    assert not at(shown, 20 * SECOND).status.is_final
    assert [look for look in answered if look.now_us < 30 * SECOND and look.snapshot] == []


def test_lines_from_the_future_hide_the_others_only_until_the_log_is_there():
    lines = [Arrival(100_000 + n * SECOND, n) for n in range(20)] + [Arrival(3 * SECOND, 12)]
    shown = looks(lines, until_us=20 * SECOND, lateness_us=60 * SECOND)

    assert at(shown, 19 * SECOND).total in {10, 11}


@pytest.mark.parametrize("others", [1, 2, 5])
@pytest.mark.parametrize("skew_s", [3_540, -3_540])
def test_a_sender_with_a_wrong_clock_hides_no_other(others: int, skew_s: int):
    lines = [Arrival(50_000 + n * SECOND, n + skew_s, b"/x", sender=b"x") for n in range(30)]
    for n in range(30):
        honest = (Arrival(100_000 + n * SECOND, n, sender=b"%d" % one) for one in range(others))
        lines += honest
    look = at(looks(lines, until_us=30 * SECOND, lateness_us=5 * SECOND), 20 * SECOND)

    assert look.snapshot is not None
    assert look.total in {9 * others, 10 * others}
    assert look.snapshot.rows == [{"url": "/a", "count": look.total}]


def test_a_backlog_is_shown_as_it_is_read():
    # An hour of log in five seconds.
    lines = [Arrival(n * 5_000 + 1, n * 4 - 4_000) for n in range(1_000)]
    shown = looks(lines, until_us=8 * SECOND, window="60s", lateness_us=5 * SECOND)
    tables = {
        (look.snapshot.end, look.total)
        for look in shown
        if look.snapshot is not None and look.now_us < 5 * SECOND
    }

    assert len(tables) >= 5
    assert {total for _, total in tables} <= {1, 14, 15, 16}


def test_the_lag_of_a_log_is_how_late_its_lines_come():
    lines = [Arrival(4_000_000 + n * SECOND, n) for n in range(20)]
    shown = looks(lines, until_us=40 * SECOND)

    assert {look.status.lag_us for look in shown if look.snapshot} == {4 * SECOND}
    assert at(shown, 40 * SECOND).status.silent_us == 17 * SECOND


def test_looks_that_take_long_take_a_tenth_of_the_time():
    lines = [Arrival(100_000 + n * 500_000, n // 2) for n in range(100)]
    shown = looks(lines, until_us=60 * SECOND, cost_us=400_000)
    drawn = [one for one, before in zip(shown[1:], shown, strict=False) if one[1] != before[1]]

    assert 8 <= len(drawn) <= 60 / 4 + 2
    assert shown[-1].snapshot is not None


arrivals = st.lists(
    st.builds(
        lambda at_us, back, key, source: Arrival(at_us, at_us // SECOND - back, key, source),
        st.integers(0, 40 * SECOND),
        st.integers(0, 6),
        st.sampled_from([b"/a", b"/b", b"/c"]),
        st.integers(0, 1),
    ),
    max_size=40,
)
sizes = st.sampled_from([("5s", "1s"), ("1s", "1s"), ("10s", "5s"), ("10s", "10s"), ("2m", "1m")])


@examples(100)
@given(arrivals, sizes, st.sampled_from(["log", "arrival"]), st.integers(41, 100))
def test_every_table_is_a_recount_of_the_lines_so_far(
    lines: list[Arrival], size: tuple[str, str], time: str, until_s: int
):
    window, every = size
    # No line is late, and the watermark passes panes.
    shown = looks(
        lines, until_us=until_s * SECOND, window=window, every=every, time=time, sources=2,
        lateness_us=7 * SECOND * (time == "log"),
    )  # fmt: skip

    counted: set[int] = set()
    for look in shown:
        if look.snapshot is None:
            continue
        found = answer_of(look.snapshot)
        assert found.start is not None
        assert found.end is not None
        known = sorted(lines)[: look.status.lines["fed"]]
        times = [line.at_us if time == "arrival" else line.second * SECOND for line in known]
        keys = [
            line.key
            for line, one in zip(known, times, strict=True)
            if found.start <= BASE_US + one < found.end
        ]
        expected = oracle.ranked(keys, None)
        answer = oracle.Answer(found.start, found.end, len(expected), len(keys), expected)
        assert found == as_text(answer)
        counted.add(found.total)
    if lines and size != ("1s", "1s"):
        assert max(counted) > 0
    if lines and until_s > 60 and window != "2m":
        assert shown[-1].total == 0


# --- in a terminal --------------------------------------------------------------------------------


def stamped(seconds: int, url: str) -> bytes:
    return line(url, time_text=f"17/May/2015:10:00:{seconds:02} +0000") + b"\n"


@pytest.mark.parametrize("options", [(), ("--time", "arrival"), ("--slide", "5s")])
def test_a_followed_log_is_shown_at_once_and_its_silence_too(
    tmp_path: Path, options: tuple[str, ...]
):
    log = tmp_path / "access.log"
    log.touch()
    arguments = ("top", "-F", str(log), "--window", "5s", *options)
    with terminal(*arguments, columns=100, rows=10) as shown:
        wait_for(lambda: shown.lines()[-1].startswith("0 lines, 0/s"))
        with log.open("ab") as file:
            file.write(b"".join(stamped(n, "/a") for n in range(3)))
        wait_for(lambda: any(text.startswith(("3 events", "1 event")) for text in shown.lines()))
        assert " of 0:05" in shown.lines()[-1]
        wait_for(lambda: any(text.startswith("0 events") for text in shown.lines()))
        wait_for(lambda: "silent for" in shown.lines()[-1])
        shown.type(b"\x03")
        assert shown.wait() == 130
        lines = shown.lines()

    # What was on the screen is left there.
    assert any(text.startswith("0 events, 0 keys") for text in lines)
    assert lines[-1] == "tailrace: 3 lines: 3 counted"


@pytest.mark.parametrize("time", ["arrival", "header", "log"])
def test_flume_events_are_shown_at_once(time: str):
    options = () if time == "arrival" else ("--lateness", "1h", "--max-behind", "20000d")
    arguments = ("top", "flume://127.0.0.1:0", "--window", "5m", "--time", time, *options)
    with terminal(*arguments, columns=100, rows=10) as shown:
        with Sink(shown.port) as sink:
            body = stamped(1, "/a").strip()
            assert sink.batch([body, body]) == OK
        wait_for(lambda: any(text.startswith("2 events, 1 key") for text in shown.lines()))
        assert " of 5:00" in shown.lines()[-1]


def test_a_pipe_gets_a_followed_log_after_five_seconds_of_it(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(stamped(n, "/a") for n in range(8)))
    with running("top", "-F", str(log), "--window", "5s", "--format", "jsonl") as process:
        found = wait_for(lambda: len(process.printed) >= 2 and process.snapshots())

    # The newest line is of 10:00:07, so two ends were reached.
    assert [one["end"][-6:] for one in found] == ["00:01Z", "00:02Z"]
    assert [one["total"] for one in found] == [1, 2]


@pytest.mark.parametrize(
    ("files", "follow", "lateness"),
    [(["a"], True, "5 s"), (["a"], False, "60 s"), (["a", "b"], True, "5 s")],
)
def test_the_lateness_is_that_of_the_sources(files: list[str], follow: bool, lateness: str):  # noqa: FBT001
    query = tr.from_files(*files, follow=follow, format="combined")
    seconds = query.window("1m").count(by="url")._window.lateness_us // SECOND  # type: ignore[union-attr]

    assert f"{seconds} s" == lateness
