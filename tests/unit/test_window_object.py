"""`tr.Window`: events of any columns, moved by its caller, against a recount of everything."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from re import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import oracle
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from profiles import examples
from windowed import (
    BASE_S,
    EPOCH,
    SECOND,
    Entry,
    WindowSize,
    answer_of,
    in_micros,
    limits,
    text_key,
    written,
)

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace._snapshot import Snapshot


many = examples(200)


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

MANUAL_SIZES = [
    WindowSize(SECOND, SECOND),
    WindowSize(8 * SECOND, SECOND),
    WindowSize(SECOND, SECOND // 4),
    WindowSize(10 * SECOND, 10 * SECOND),
    WindowSize(30 * SECOND, 10 * SECOND),
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
        size=st.sampled_from(MANUAL_SIZES),
        lateness=st.sampled_from([0, SECOND // 4, 2 * SECOND]),
        limit=limits,
        keys=st.sampled_from(KEYS_OF_A_KIND),
    )
    def make(
        self, size: WindowSize, lateness: int, limit: int | None, keys: list[oracle.Key]
    ) -> None:
        self.keys = keys
        self.window = tr.Window(*size.timedeltas, top=limit, lateness=lateness / SECOND)
        self.oracle = oracle.Window(size.length, size.slide, lateness, limit)
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
        (["a", "b"], [1], ValueError, "keys: expected 1 key, one for each time, found 2"),
        ([], [1], ValueError, "keys: expected 1 key, one for each time, found 0"),
        (["a", 1], [1, 1], TypeError, "keys[1]: expected text like the keys before it"),
        (["a", b"a"], [1, 1], TypeError, "expected text like the keys before it, found bytes"),
        (
            [None, 1, b"a"],
            [1, 1, 1],
            TypeError,
            "expected int like the keys before it, found bytes",
        ),
        ([1.5], [1], TypeError, "keys[0]: expected text, bytes, an integer or None"),
        ("ab", [1, 1], TypeError, "keys: expected a column such as a list"),
        (["a"], ["now"], TypeError, "expected a datetime or seconds since the epoch, found text"),
        (["a"], [None], ValueError, "times[0]: expected a time, found none"),
        (["a"], [float("nan")], ValueError, "times[0]: expected a time, found none"),
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


def test_advancing_to_what_is_not_a_time_is_refused_and_moves_nothing() -> None:
    window = tr.Window("10s")
    window.add(["a"], times=[0])
    with pytest.raises(ValueError, match=r"now: expected a datetime or seconds .*, found nan"):
        window.advance(float("nan"))
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
        (lambda: tr.Window("10s", top=0), "expected at least 1, found 0; None keeps all rows"),
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
            "in arrival time no line is late",
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


# --- rejected times and keys ----------------------------------------------------------------------


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
    with pytest.raises(ValueError, match=r"times\[1\]: expected a time, found none"):
        window.add(["a", "b"], times=times)


def test_an_integer_key_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"keys\[0\]: the integer is out of range \(64 bits\)"):
        tr.Window("10s").add([2**64], times=[0])


def test_a_time_is_a_key_as_it_is_a_field() -> None:
    lines = [b'h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5']
    (snapshot,) = tr.from_lines(lines).count("time").run()
    assert snapshot.rows == [{"time": datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC), "count": 1}]
