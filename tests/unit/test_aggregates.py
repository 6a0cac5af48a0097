"""
Every aggregate against a naive answer: exact fractions, sorted lists, sets.

They are of the events that a window holds. Which windows are answered is checked in
`test_windows.py`; here each that is answered is computed afresh from all events.
"""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

import tailrace as tr

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A busy machine does not fail a test.
many = examples(150)


@dataclass(frozen=True)
class Event:
    """A key's value and second value at a time in microseconds."""

    key: Any
    time: int
    value: Any
    other: Any = None


# --- the naive answers ----------------------------------------------------------------------------


def exact_sum(values: list[Any]) -> float:
    """The sum of floats, rounded once; as `math.fsum`, which raises where this is infinite."""
    if any(math.isnan(value) for value in values):
        return math.nan
    infinite = {value for value in values if math.isinf(value)}
    if infinite:
        return math.nan if len(infinite) > 1 else infinite.pop()
    return as_float(sum(map(Fraction, values), Fraction(0)))


def as_float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def total(values: list[Any], whole: bool) -> Any:  # noqa: ANN401, FBT001 - a number or none
    if not values:
        return None
    return sum(values) if whole else exact_sum(values)


def mean(values: list[Any]) -> float | None:
    if not values:
        return None
    found = exact_sum(values)
    return found / len(values)


def variance(values: list[Any]) -> Fraction | float | None:
    if len(values) < 2:
        return None
    if not all(map(math.isfinite, values)):
        return math.nan
    numbers = list(map(Fraction, values))
    middle = sum(numbers, Fraction(0)) / len(numbers)
    squares = sum(((number - middle) ** 2 for number in numbers), Fraction(0))
    return squares / (len(numbers) - 1)


def root(value: Fraction) -> float:
    """The square root of what may be far beyond floats."""
    scale = 4**1100
    return as_float(Fraction(math.isqrt(int(value * scale * scale)), scale))


def extreme(values: list[Any], pick: Any) -> Any:  # noqa: ANN401 - min or max
    return pick((value for value in values if not math.isnan(value)), default=None)


def close(found: Any, expected: float, share: float) -> bool:  # noqa: ANN401 - any value
    if found is None or math.isinf(expected):
        return found == expected
    return abs(found - expected) <= share * abs(expected) * (1 + 1e-9)


def quantile(values: list[Any], q: str) -> float | None:
    numbers = sorted(value for value in values if not math.isnan(value))
    return float(numbers[max(math.ceil(Fraction(q) * len(numbers)), 1) - 1]) if numbers else None


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any answer
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other


AGGREGATES = {
    "all": tr.count(),
    "some": tr.count("value"),
    "sum": tr.sum("value"),
    "mean": tr.mean("value"),
    "min": tr.min("value"),
    "max": tr.max("value"),
    "first": tr.first("value"),
    "last": tr.last("value"),
    "var": tr.var("value"),
    "std": tr.std("value"),
    "distinct": tr.count_distinct("value"),
    "about": tr.approx_count_distinct("value"),
    "p50": tr.quantile("value", 0.5),
    "p95": tr.quantile("value", 0.95, error=0.02),
    "rate": tr.rate(),
    "speed": tr.rate("value"),
    "ratio": tr.ratio("value", "other"),
    "tops": tr.top_values("value", 2),
}


def canonical(value: Any) -> Any:  # noqa: ANN401 - a value as sets and counts know it
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value


def check_row(row: dict[str, Any], events: list[Event], seconds: float, *, whole: bool) -> None:
    """See that a row says of the events of its key what there is to say."""
    there = [event for event in events if event.value is not None]
    values = [event.value for event in there]
    numbers = values if whole else [float(value) for value in values]
    both = [event for event in there if event.other is not None]
    assert row["all"] == len(events)
    assert row["some"] == len(values)
    assert same(row["sum"], total(numbers, whole)), (row["sum"], values)
    assert same(row["mean"], mean(numbers))
    assert same(row["min"], extreme(numbers, min))
    assert same(row["max"], extreme(numbers, max))
    ordered = sorted(
        ((event.time, math.isnan(event.value), event.value) for event in there),
    )
    if there:
        earliest = [one for one in ordered if one[0] == ordered[0][0]]
        latest = [one for one in ordered if one[0] == ordered[-1][0]]
        for name, of, place in (("first", earliest, 0), ("last", latest, -1)):
            if not any(nan for _, nan, _ in of):
                wanted = of[place][2]
                assert row[name] == wanted, name
    else:
        assert row["first"] is None
        assert row["last"] is None
    spread = variance(numbers)
    if isinstance(spread, Fraction):
        assert row["var"] == as_float(spread)
        assert math.isclose(row["std"], root(spread), rel_tol=1e-15)
    else:
        assert same(row["var"], spread)
        assert same(row["std"], spread)
    different = {canonical(value) for value in values}
    assert row["distinct"] == len(different)
    assert abs(row["about"] - len(different)) <= max(1, 0.07 * len(different))
    for name, q, share in (("p50", "0.5", 0.01), ("p95", "0.95", 0.02)):
        wanted = quantile(values, q)
        assert row[name] is None if wanted is None else close(row[name], wanted, share)
        assert wanted is None or float(row["min"]) <= row[name] <= float(row["max"])
    assert same(row["rate"], len(events) / seconds)
    wanted_speed = total([float(n) for n in numbers], whole=False)
    assert same(row["speed"], None if wanted_speed is None else wanted_speed / seconds)
    over = exact_sum([float(event.other) for event in both]) if both else 0.0
    if over:
        assert same(row["ratio"], exact_sum([float(event.value) for event in both]) / over)
    else:
        assert row["ratio"] is None
    counts = Counter(canonical(value) for value in values)
    tops = [(canonical(one["value"]), one["count"]) for one in row["tops"] or []]
    assert len(tops) == min(2, len(counts))
    assert [count for _, count in tops] == [count for _, count in counts.most_common(2)]
    assert all(counts[value] == count for value, count in tops)


# --- windows --------------------------------------------------------------------------------------

whole_numbers = st.none() | st.integers(-5, 5) | st.integers(-(2**63) + 1, 2**63 - 1)
floats = st.none() | st.sampled_from(
    [0.1, 0.2, -0.3, 1e16, -1e16, 1.0, 5e-324, 1e300, math.nan, math.inf, -math.inf, 0.0, 2.5]
)
small = st.none() | st.integers(0, 3)


@st.composite
def batches(
    draw: st.DrawFn, values: st.SearchStrategy[Any]
) -> list[tuple[list[Event], int | None]]:
    """Events to add, and to when the window is moved then."""
    event = st.builds(
        Event,
        key=st.sampled_from(["a", "b", None]),
        time=st.integers(0, 40 * SECOND),
        value=values,
        other=small,
    )
    step = st.tuples(st.lists(event, max_size=12), st.none() | st.integers(0, 40))
    return draw(st.lists(step, min_size=1, max_size=5))


shapes = st.tuples(
    st.sampled_from([1, 2, 5]),
    st.lists(st.sampled_from([1, 2, 4, None]), min_size=1, max_size=3),
    st.integers(0, 3),
    st.sampled_from([0, 0, 7]),
)


def check(steps: list[tuple[list[Event], int | None]], shape: Any, *, whole: bool) -> int:  # noqa: ANN401
    every, slides, offset, lateness = shape
    lengths = [None if one is None else every * one for one in slides]
    window = tr.Window(
        lengths,
        every,
        aggregates=AGGREGATES,
        offset=offset,
        lateness=lateness,
    )
    counts = tr.Window(lengths, every, offset=offset, lateness=lateness)
    kept: list[Event] = []
    watermark = None
    answered = 0
    for place, (events, now) in enumerate([*steps, ([], None)]):
        columns = {
            "value": [event.value for event in events],
            "other": [event.other for event in events],
        }
        keys, times = [event.key for event in events], [event.time / SECOND for event in events]
        times = [EPOCH + timedelta(microseconds=event.time) for event in events]
        window.add(keys, columns, times=times)
        counts.add(keys, times=times)
        offset_us, every_us = offset % every * SECOND, every * SECOND
        for event in events:
            end = (event.time - offset_us) // every_us * every_us + every_us + offset_us
            if watermark is None or end > watermark:
                kept.append(event)
        if now is not None:
            reached = (now - lateness) * SECOND
            watermark = reached if watermark is None else max(watermark, reached)
            found, plain = window.advance(now), counts.advance(now)
        elif place == len(steps):
            found, plain = window.finish(), counts.finish()
        else:
            continue
        for snapshot, count in zip(found, plain, strict=True):
            assert snapshot.start is not None
            assert snapshot.end is not None
            assert (snapshot.start, snapshot.end) == (count.start, count.end)
            assert snapshot.lookback == count.lookback
            start = (snapshot.start - EPOCH) // timedelta(microseconds=1)
            end = (snapshot.end - EPOCH) // timedelta(microseconds=1)
            inside = [event for event in kept if start <= event.time < end]
            if lengths[snapshot.lookback] is None:
                assert not any(event.time < start for event in kept)
            assert {row["key"] for row in snapshot.rows} == {event.key for event in inside}
            assert [row["all"] for row in snapshot.rows] == [row["count"] for row in count.rows]
            for row in snapshot.rows:
                of_key = [event for event in inside if event.key == row["key"]]
                check_row(row, of_key, (end - start) / SECOND, whole=whole)
                answered += 1
    return answered


@many
@given(batches(floats), shapes)
def test_floats_are_what_the_window_holds_whatever_came_and_left(
    steps: list[tuple[list[Event], int | None]], shape: tuple[int, list[int | None], int, int]
) -> None:
    # The kind of values is known from the first of them on: one float first.
    check([([Event("z", 0, 0.5, 1)], None), *steps], shape, whole=False)


@many
@given(batches(whole_numbers), shapes)
def test_whole_numbers_are_exact_beyond_64_bits(
    steps: list[tuple[list[Event], int | None]], shape: tuple[int, list[int | None], int, int]
) -> None:
    check([([Event("z", 0, 1, 1)], None), *steps], shape, whole=True)


def test_a_day_of_panes_is_right_at_its_last_second() -> None:
    """Many panes, few events in each; all ends of a day are looked at by their sum alone."""
    window = tr.Window("1d", every="1s", aggregates={"s": tr.sum(), "m": tr.max()}, top=1)
    times = list(range(0, 200_000, 7))
    values = [(time * 7919 % 1000) / 8 for time in times]
    window.add(["k"] * len(times), values, times=times)
    checked = 0
    for number, snapshot in enumerate(window.advance(200_000)):
        if number % 5_000:
            continue
        end = int(snapshot.end.timestamp())  # type: ignore[union-attr]
        inside = [v for t, v in zip(times, values, strict=True) if end - 86_400 <= t < end]
        assert snapshot.rows == [{"key": "k", "s": math.fsum(inside), "m": max(inside)}]
        checked += 1
    assert checked == 40


# --- keys, order, limits --------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "a\0", ""]), st.none() | st.integers(-2, 2)),
        max_size=30,
    )
)
def test_keys_of_several_fields_stay_apart_and_tie_field_by_field(
    found: list[tuple[str, int | None]],
) -> None:
    window = tr.Window("60s", by=["name", "number"])
    window.add([[one for one, _ in found], [two for _, two in found]], times=[0] * len(found))
    counts = Counter(found)
    wanted = sorted(counts, key=lambda key: (-counts[key], key[0], key[1] is None, key[1] or 0))
    assert [(row["name"], row["number"]) for row in window.snapshot().rows] == wanted
    assert [row["count"] for row in window.snapshot().rows] == [counts[key] for key in wanted]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(-3, 3))), st.booleans())
def test_rows_are_ranked_by_any_aggregate_up_or_down(
    found: list[tuple[str, float | None]],
    ascending: bool,  # noqa: FBT001 - drawn
) -> None:
    window = tr.Window(
        "60s",
        aggregates={"n": tr.count(), "mean": tr.mean()},
        order_by="mean",
        ascending=ascending,
        top=2,
    )
    window.add(
        [one for one, _ in found], [0.5, *(two for _, two in found)][1:], times=[0] * len(found)
    )
    means = {}
    for key in {one for one, _ in found}:
        means[key] = mean([two for one, two in found if one == key and two is not None])

    def place(key: str) -> tuple[bool, float, str]:
        value = means[key]
        return (value is None, (value or 0.0) * (1 if ascending else -1), key)

    assert [row["key"] for row in window.snapshot().rows] == sorted(means, key=place)[:2]


@many
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 30)), max_size=60),
    st.integers(1, 5),
    st.booleans(),
)
def test_keys_over_the_limit_are_one_row_and_totals_stay_exact(
    found: list[tuple[int, int]],
    most: int,
    looks: bool,  # noqa: FBT001 - drawn
) -> None:
    window = tr.Window(
        "6s", "2s", max_keys=most, aggregates={"n": tr.count(), "s": tr.sum(), "m": tr.max()}
    )
    times = [time for _, time in found]
    window.add([f"k{key}" for key, _ in found], [key for key, _ in found], times=times)
    last = None
    for snapshot in window.advance(32) if looks else window.finish():
        assert snapshot.start is not None
        assert snapshot.end is not None
        start, end = snapshot.start.timestamp(), snapshot.end.timestamp()
        inside = [key for key, time in found if start <= time < end]
        assert snapshot.total == len(inside) == sum(row["n"] for row in snapshot.rows)
        assert sum(row["s"] for row in snapshot.rows) == sum(inside)
        assert max((row["m"] for row in snapshot.rows), default=None) == max(inside, default=None)
        assert snapshot.keys <= most
        assert len(snapshot.rows) == snapshot.keys + (snapshot.other is not None)
        if len(set(inside)) > most:
            assert snapshot.rows[-1]["key"] == "(other)"
            assert snapshot.rows[-1]["n"] == snapshot.other
        last = snapshot
    assert last is not None or not found


def test_without_keys_there_is_one_row() -> None:
    window = tr.Window("60s", by=(), aggregates={"n": tr.count(), "s": tr.sum()})
    window.add(None, [1, 2, 3], times=[0, 1, 2])
    assert window.snapshot().rows == [{"n": 3, "s": 6}]
    assert str(window.snapshot()).splitlines()[1:] == ["n  s", "3  6"]


# --- what is given, and what comes out ------------------------------------------------------------


def test_a_table_gives_keys_values_and_times() -> None:
    rows = [{"k": "a", "v": 1.5, "t": 0}, {"k": "b", "v": None, "t": 1}]
    columns = {name: [row[name] for row in rows] for name in ("k", "v", "t")}
    for table in (rows, columns, pa.table(columns)):
        window = tr.Window("60s", by="k", aggregates={"s": tr.sum("v")})
        window.add(table, times="t")
        assert window.snapshot().rows == [{"k": "a", "s": 1.5}, {"k": "b", "s": None}]


def test_parsed_lines_are_such_a_table() -> None:
    lines = [b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"'] * 2
    window = tr.Window("60s", by=["host", "status"], aggregates={"sent": tr.sum("size")})
    window.add(tr.Format("combined").parse(lines), times="time")
    assert window.snapshot().rows == [{"host": "1.2.3.4", "status": 200, "sent": 10}]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"by": "k", "aggregates": {"k": tr.count()}},
            ValueError,
            "give the aggregate another name",
        ),
        ({"aggregates": {"n": "count"}}, TypeError, "expected an aggregate such as"),
        ({"order_by": "p99"}, ValueError, "called 'p99'; expected one of count"),
        ({"top": 0}, ValueError, "top: expected at least 1, found 0"),
        ({"max_keys": 0}, ValueError, "max_keys: expected at least 1, found 0"),
        ({"every": "7s"}, ValueError, "expected a divisor of the length"),
        ({"length": []}, ValueError, "length: expected at least one"),
        ({"length": None}, ValueError, "length: with None .* give every"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tr.Window(**{"length": "60s", **given})


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (None, ValueError, "the aggregates need values"),
        (["x"], TypeError, "sum: expected numbers"),
        ([1, 2], ValueError, "values: expected 1 value, one for each time, found 2"),
        ([2**64], ValueError, "out of range"),
        ({"other": [1]}, ValueError, "the table has no column 'values'"),
    ],
)
def test_values_that_cannot_be_are_refused_and_nothing_is_added(
    values: Any,  # noqa: ANN401 - whatever it is
    error: type[Exception],
    message: str,
) -> None:
    window = tr.Window("60s", aggregates={"s": tr.sum()})
    with pytest.raises(error, match=message):
        window.add(["a"], values, times=[0])
    assert window.snapshot().rows == []
    window.add(["a"], [1], times=[0])
    assert window.snapshot().rows == [{"key": "a", "s": 1}]


def test_rows_leave_by_arrow_as_what_they_are() -> None:
    window = tr.Window("60s", aggregates={"n": tr.count(), "s": tr.sum(), "t": tr.top_values()})
    window.add([b"a", b"\xff"], [2**62, 1], times=[0, 0])
    window.add([b"a", b"a"], [2**62, 2**62], times=[0, 0])
    table = window.snapshot().to_arrow()
    assert table["key"].to_pylist() == [b"a", b"\xff"]
    assert table["s"].to_pylist() == [3 * 2**62, 1]
    assert table["t"].to_pylist()[0] == [{"value": 2**62, "count": 3}]
    assert window.snapshot().rows[0]["s"] == 3 * 2**62


def test_a_query_asks_the_same_of_lines() -> None:
    line = '{} - - [17/May/2015:10:05:{:02} +0000] "GET / HTTP/1.1" {} {} "-" "x"'
    lines = [line.format("abc"[n % 3], n % 60, 200 + n % 2, n * n % 97) for n in range(600)]
    query = tr.from_lines(lines, format="combined").agg(
        ["host", "status"],
        n=tr.count(),
        sent=tr.sum("size"),
        biggest=tr.max("size"),
        agents=tr.count_distinct("agent"),
    )
    for snapshot in query.sorted("sent").run():
        for row in snapshot.rows:
            of_key = [
                n * n % 97
                for n in range(600)
                if ("abc"[n % 3], 200 + n % 2) == (row["host"], row["status"])
            ]
            assert row["n"] == len(of_key)
            assert (row["sent"], row["biggest"]) == (sum(of_key), max(of_key))
            assert row["agents"] == 1
        sums = [row["sent"] for row in snapshot.rows]
        assert sums == sorted(sums, reverse=True)
        assert len(sums) == 6


def test_tracked_ranks_show_how_keys_moved_and_which_dropped_out() -> None:
    window = tr.Window("1s", top=2, track_ranks=True)
    window.add(["a", "a", "a", "b", "b", "c"], times=[0.5] * 6)
    window.add(["a", "b", "b", "c", "c", "c"], times=[1.5] * 6)
    window.add(["d"], times=[2.5])
    first, second, third = window.advance(3)
    assert first.rows == [
        {"key": "a", "count": 3, "rank": 1, "rank_change": None},
        {"key": "b", "count": 2, "rank": 2, "rank_change": None},
    ]
    assert first.dropped == []
    assert [(row["key"], row["rank_change"]) for row in second.rows] == [("c", 2), ("b", 0)]
    assert second.dropped == [{"key": "a"}]
    assert third.rows == [{"key": "d", "count": 1, "rank": 1, "rank_change": None}]
    assert third.dropped == [{"key": "c"}, {"key": "b"}]


@many
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=80),
    st.none() | st.integers(1, 4),
)
def test_ranks_against_sorting_each_window(found: list[tuple[int, int]], top: int | None) -> None:
    window = tr.Window("6s", "2s", top=top, track_ranks=True)
    window.add([key for key, _ in found], times=[time for _, time in found])
    before: list[int] = []
    shown: list[int] = []
    for snapshot in window.advance(21):
        assert snapshot.start is not None
        assert snapshot.end is not None
        start, end = snapshot.start.timestamp(), snapshot.end.timestamp()
        counts = Counter(key for key, time in found if start <= time < end)
        order = sorted(counts, key=lambda key: (-counts[key], key))
        assert [row["key"] for row in snapshot.rows] == order[:top]
        for rank, row in enumerate(snapshot.rows, 1):
            old = before.index(row["key"]) + 1 if row["key"] in before else None
            assert (row["rank"], row["rank_change"]) == (rank, None if old is None else old - rank)
        assert snapshot.dropped == [{"key": key} for key in shown if key not in order[:top]]
        before, shown = order, order[:top]


def test_the_order_of_many_keys_is_kept_right_over_many_slides() -> None:
    """Few of many keys change in a slide, so the order is merged and not sorted."""
    window = tr.Window("50s", "1s", aggregates={"n": tr.count(), "m": tr.mean()}, order_by="m")
    events = [(n * 7919 % 1000, n * 31 % 97, n // 60) for n in range(6_000)]
    window.add([k for k, _, _ in events], [v for _, v, _ in events], times=[t for *_, t in events])
    for number, snapshot in enumerate(window.finish()):
        if number % 10:
            continue
        assert snapshot.start is not None
        assert snapshot.end is not None
        start, end = snapshot.start.timestamp(), snapshot.end.timestamp()
        values: dict[int, list[int]] = {}
        for key, value, time in events:
            if start <= time < end:
                values.setdefault(key, []).append(value)
        means = {key: sum(of) / len(of) for key, of in values.items()}
        wanted = sorted(means, key=lambda key: (-means[key], key))
        assert [row["key"] for row in snapshot.rows] == wanted


def test_late_events_are_kept_on_request() -> None:
    window = tr.Window("10s", by=["k"], aggregates={"s": tr.sum("v")}, late="keep")
    list(window.advance(100))
    table = pa.table({"k": ["a", "b", "c"], "v": [1, 2, 3], "t": [99.5, 100.0, 7]})
    window.add(table, times="t")
    assert window.take_late() == [
        {"k": "a", "v": 1, "time": 99.5},
        {"k": "c", "v": 3, "time": 7.0},
    ]
    assert window.take_late() == []
    assert window.snapshot().lines["late"] == 2
    with pytest.raises(ValueError, match="create the window with late='keep'"):
        tr.Window("1s").take_late()


def test_a_line_from_2038_moves_no_window_with_max_ahead() -> None:
    line = 'h - - [{} +0000] "GET / HTTP/1.1" 200 5 "-" "x"'
    lines = [
        line.format(at)
        for at in ("17/May/2015:10:05:03", "19/Jan/2038:03:14:07", "17/May/2015:10:05:04")
    ]
    query = tr.from_lines(lines, format="combined").window("10s", max_ahead="1h").count(by="host")
    (snapshot,) = query.run()
    assert (snapshot.total, snapshot.lines["rejected"]) == (2, {"future": 1})


# --- columns of all kinds -------------------------------------------------------------------------


def summed(values: Any, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - a column
    window = tr.Window("10s", aggregates={"n": tr.count("values"), "m": tr.max(), "s": tr.sum()})
    window.add(["a"] * 3, values, **{"times": [0] * 3, **given})
    (row,) = window.snapshot().rows
    return row


@pytest.mark.parametrize(
    "values",
    [
        [2**53 + 1, None, 5],
        (2**53 + 1, None, 5),
        (value for value in [2**53 + 1, None, 5]),
        pd.Series([2**53 + 1, None, 5], dtype="Int64"),
        pd.Series([2**53 + 1, None, 5], dtype="int64[pyarrow]"),
        pd.Series([0, 2**53 + 1, None, 5], dtype="Int64")[1:],
        pa.array([2**53 + 1, None, 5]),
        pa.chunked_array([[2**53 + 1], [None, 5]]),
        pl.Series([2**53 + 1, None, 5]),
        np.ma.array([2**53 + 1, 7, 5], mask=[0, 1, 0]),
        pa.array([2**53 + 1, None, 5]).dictionary_encode(),
    ],
)
def test_a_missing_value_is_none_and_whole_numbers_keep_their_digits(values: Any) -> None:  # noqa: ANN401
    assert summed(values) == {"key": "a", "n": 2, "m": 2**53 + 1, "s": 2**53 + 6}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_values_of_their_own(unit: str) -> None:
    times = np.array(["2026-01-01", "NaT", "2026-01-03"], dtype=f"datetime64[{unit}]")
    for column in (times, pd.Series(times), pa.array(times), pl.Series(times.astype("M8[us]"))):
        window = tr.Window("10s", aggregates={"n": tr.count("values"), "last": tr.max()})
        window.add(["a"] * 3, column, times=[0] * 3)
        (row,) = window.snapshot().rows
        assert row == {"key": "a", "n": 2, "last": datetime(2026, 1, 3, tzinfo=UTC)}
        with pytest.raises(TypeError, match="sum: expected numbers"):
            summed(column)


def test_keys_that_are_missing_are_the_null_key() -> None:
    for dtype in ("object", "string", "category"):
        window = tr.Window("10s")
        window.add(pd.Series(["a", None, "a"], dtype=dtype), times=[0] * 3)
        assert window.snapshot().rows == [{"key": "a", "count": 2}, {"key": None, "count": 1}]


def test_times_beyond_reach_are_refused_and_not_turned_round() -> None:
    window = tr.Window("10s")
    for times in (np.array([2**62], dtype="M8[s]"), np.array(["NaT"], dtype="M8[us]")):
        with pytest.raises((ValueError, TypeError), match=r"out of range|found none"):
            window.add(["a"], times=times)
    with pytest.raises(ValueError, match="expected one dimension, found 2"):
        window.add(np.zeros((1, 1), dtype="int64"), times=[0])
    assert window.snapshot().total == 0


def test_tuples_are_rows_however_many_there_are() -> None:
    for count in (1, 2, 3):
        window = tr.Window("60s", by=("host", "path"))
        window.add([("h", f"/{n}") for n in range(count)], times=[0] * count)
        rows = window.snapshot().rows
        assert [(row["host"], row["path"]) for row in rows] == [
            ("h", f"/{n}") for n in range(count)
        ]


def test_text_keys_stay_text_beside_values_that_are_bytes() -> None:
    window = tr.Window("60s", aggregates={"l": tr.last("msg")})
    window.add(["host"], {"msg": [b"\xff"]}, times=[0])
    assert window.snapshot().rows == [{"key": "host", "l": b"\xff"}]


def test_threads_that_add_take_no_window_from_the_one_that_answers() -> None:
    window = tr.Window("1s")
    stop = threading.Event()
    now = [0]
    added = [0]

    def feed() -> None:
        while not stop.is_set():
            window.add(["x"] * 20, times=[now[0] + 0.5] * 20)
            window.snapshot()
            added[0] += 20

    feeder = threading.Thread(target=feed)
    feeder.start()
    seen = 0
    for second in range(1, 1_000):
        now[0] = second + 5
        seen += sum(snapshot.total for snapshot in window.advance(second))
    stop.set()
    feeder.join()
    seen += sum(snapshot.total for snapshot in window.finish())
    assert seen == added[0] - window.snapshot().lines["late"]


def test_after_answers_that_were_not_computed_all_keys_are_new() -> None:
    window = tr.Window("10s", track_ranks=True)
    window.add(["a", "b"], times=[0, 0])
    list(window.advance(10))
    window.advance(50)
    window.add(["a"], times=[52])
    (snapshot, *_) = window.advance(60)
    assert [(row["key"], row["rank_change"]) for row in snapshot.rows] == [("a", None)]
    assert snapshot.dropped == []


def test_a_snapshot_is_copied_by_value_and_never_changed() -> None:
    window = tr.Window("10s", track_ranks=True)
    window.add(["a"], times=[0])
    snapshot = window.snapshot()
    assert copy.deepcopy(snapshot) == pickle.loads(pickle.dumps(snapshot)) == snapshot  # noqa: S301 - our own
    with pytest.raises(AttributeError, match="is immutable"):
        snapshot.total = 5
    assert snapshot.head(0).to_arrow().num_rows == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda w: w.snapshot(7),
            ValueError,
            "expected 0, because this window has one length, found 7",
        ),
        (
            lambda w: w.add([{"key": 1, "t": 0}, 5], times="t"),
            TypeError,
            "times: row 1: expected a dictionary, found 5",
        ),
        (lambda w: w.add(pl.DataFrame({"a": [1]}), times="t"), ValueError, "no column 't'"),
        (lambda _: tr.Window("1s", by=("a", "a")), ValueError, "the field 'a' is repeated"),
        (lambda _: tr.Window("1s", top="5"), TypeError, "expected an integer"),
        (lambda _: tr.Window("1s", aggregates=[tr.count()]), TypeError, "expected a mapping"),
        (
            lambda _: tr.Window("1s", aggregates={1: tr.count()}),
            TypeError,
            "expected names of type str",
        ),
        (lambda _: tr.Window("1s", aggregates={"end": tr.count()}), ValueError, "a bound of"),
        (lambda _: tr.Window("1s", by="time", late="keep"), ValueError, "two have one name"),
        (lambda _: tr.quantile(0.5, error="x"), ValueError, "error must be between 0.0001 and 0.5"),
    ],
)
def test_mistakes_say_what_and_where(call: Any, error: type[Exception], message: str) -> None:  # noqa: ANN401
    with pytest.raises(error, match=message):
        call(tr.Window("60s"))


def test_names_of_aggregates_steer_no_terminal() -> None:
    window = tr.Window("1s", aggregates={"\x1b[2J": tr.count()})
    window.add(["a"], times=[0])
    assert "\x1b" not in str(window.snapshot())


def test_an_order_that_nobody_reads_takes_no_room() -> None:
    code = """
import resource, tailrace as tr
w = tr.Window("10s", every="1s")
sizes = []
for i in range(3000):
    w.add(list(range(500)), times=[i] * 500)
    w.advance(i)
    if i in (500, 2999):
        sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(*sizes)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = map(int, ran.stdout.split())
    assert late < early + 4_000
