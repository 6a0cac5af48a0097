"""
What one window holds goes into another, as bytes and as an Arrow table.

The arithmetic is proved in `rust/core/tests/merging.rs`; here are the borders: types of Python,
Arrow and what it does to a table, errors.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples, seeded

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AGGREGATES = {
    "events": tr.count(),
    "sent": tr.sum("size"),
    "largest": tr.max("size"),
    "p90": tr.quantile("size", 0.9),
    "users": tr.count_distinct("user"),
    "top": tr.top_values("user", 2),
    "spread": tr.std("size"),
}

Event = tuple[Any, Any, float | None, str | None, int]


def make(offset: str = "0s") -> tr.Window:
    return tr.Window("20s", "5s", by=["host", "code"], aggregates=AGGREGATES, offset=offset)


def add(window: tr.Window, events: list[Event]) -> None:
    if events:
        hosts, codes, sizes, users, times = map(list, zip(*events, strict=True))
        window.add(
            {"host": hosts, "code": codes}, {"size": sizes, "user": users}, times=list(times)
        )


def by_bytes(source: tr.Window, target: tr.Window) -> None:
    target.merge(source.export())


def by_table(source: tr.Window, target: tr.Window) -> None:
    target.merge(source.export_table())


def by_pyarrow(source: tr.Window, target: tr.Window) -> None:
    target.merge(pa.table(source.export_table()))


WAYS = [by_bytes, by_table, by_pyarrow]

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "\0", "", "ü", None]),
        st.sampled_from([-1, 0, 200, None]),
        st.sampled_from([0.1, 0.2, 1e16, -1e16, 3.0, None]),
        st.sampled_from(["x", "y", None]),
        st.integers(0, 100),
    ),
    max_size=40,
)


@pytest.mark.parametrize("way", WAYS)
@given(first=EVENTS, second=EVENTS, turned=st.booleans())
@examples(40)
def test_two_windows_with_a_half_each_answer_as_one(
    way: Callable[[tr.Window, tr.Window], None],
    first: list[Event],
    second: list[Event],
    turned: bool,  # noqa: FBT001 - of hypothesis
) -> None:
    one, left, right, merged = make(), make(), make(), make()
    add(one, first + second)
    add(left, first)
    add(right, second)
    for window in (right, left) if turned else (left, right):
        way(window, merged)
    assert merged.snapshot() == one.snapshot()
    assert list(merged.finish()) == list(one.finish())


def test_a_table_has_a_row_for_each_key_and_pane() -> None:
    window = tr.Window("10s", "5s", by="host", aggregates={"n": tr.count(), "s": tr.sum("size")})
    window.add(["b", None, "a", "b"], [1, 2, 3, 4], times=[0, 1, 7, 4])
    table = pa.table(window.export_table())
    assert table.schema.names == ["pane", "host", "count", "sum(size)"]
    assert table.schema.types == [
        pa.timestamp("us", "UTC"),
        pa.string(),
        pa.int64(),
        pa.binary(),
    ]
    rows = table.select(["pane", "host", "count"]).to_pylist()
    assert [(row["pane"].timestamp(), row["host"], row["count"]) for row in rows] == [
        (0, "b", 2),
        (0, None, 1),
        (5, "a", 1),
    ]
    metadata = table.schema.metadata
    assert metadata is not None
    assert metadata[b"tailrace.version"] == b"3"
    assert metadata[b"tailrace.pane_us"] == b"5000000"
    assert metadata[b"tailrace.offset_us"] == b"0"
    assert metadata[b"tailrace.aggregates"] == b"sum(size)"


def test_a_table_goes_through_a_file_in_another_order_and_in_pieces(tmp_path: Path) -> None:
    one, merged = make(), make()
    chance = seeded(1)
    add(one, [(f"h{chance.randrange(9)}", 1, 0.1, "u", chance.randrange(99)) for _ in range(500)])
    table = pa.table(one.export_table())
    table = table.take(chance.sample(range(len(table)), len(table)))
    pq.write_table(table, tmp_path / "panes.parquet", row_group_size=50)
    merged.merge(pq.read_table(tmp_path / "panes.parquet"))
    assert list(merged.finish()) == list(one.finish())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "keys", [[b"\xff", b"", b"a", None], [-5, 2**62, 0, None], ["a", "b", "", None], [None] * 4]
)
def test_keys_of_every_type_come_back(
    way: Callable[[tr.Window, tr.Window], None], keys: list[Any]
) -> None:
    one, merged = tr.Window("5s"), tr.Window("5s")
    one.add(keys, times=[0, 1, 2, 3])
    way(one, merged)
    assert merged.snapshot().rows == one.snapshot().rows
    # It knows by now what keys are.
    if keys[0] is not None:
        with pytest.raises(TypeError, match=r"keys\[0\]: expected .* like the keys before it"):
            merged.add([1] if isinstance(keys[0], str | bytes) else ["x"], times=[4])


@pytest.mark.parametrize("way", WAYS)
def test_keys_without_room_come_back_apart_from_the_null_key(
    way: Callable[[tr.Window, tr.Window], None],
) -> None:
    one, merged = tr.Window("10s", "5s", max_keys=1), tr.Window("10s", "5s")
    one.add(["a", "a", "a", None, None, "b"], times=[0] * 6)
    list(one.advance(5))
    way(one, merged)
    merged.add([None], times=[6])
    *_, snapshot = merged.advance(10)
    assert snapshot.rows == [
        {"key": "a", "count": 3},
        {"key": None, "count": 1},
        {"key": "(other)", "count": 3},
    ]
    assert (snapshot.total, snapshot.other) == (7, 3)


@pytest.mark.parametrize("way", WAYS)
def test_everything_since_the_start_comes_along_and_what_was_answered_is_answered_once_more(
    way: Callable[[tr.Window, tr.Window], None],
) -> None:
    one, merged = (tr.Window(["10s", None], "5s") for _ in range(2))
    one.add(["a", "b", "a"], times=[0, 3, 31])
    before = [(s.start, s.end, s.lookback, s.rows) for s in one.advance(35)]
    way(one, merged)
    again = [(s.start, s.end, s.lookback, s.rows) for s in merged.advance(35)]
    assert again == before[-2:]
    assert again[-1][-1] == [{"key": "a", "count": 2}, {"key": "b", "count": 1}]
    for window in (one, merged):
        window.add(["b"], times=[36])
    assert list(merged.advance(50)) == list(one.advance(50))


def test_panes_that_are_closed_here_are_late() -> None:
    one, other = tr.Window("5s"), tr.Window("5s")
    one.add(["a", "a"], times=[1, 11])
    list(other.advance(10))
    by_bytes(one, other)
    lines = other.snapshot().lines
    assert (lines["fed"], lines["counted"], lines["late"]) == (2, 1, 1)


def test_a_window_of_another_shape_says_what_differs_and_stays_as_it_was() -> None:
    data = make().export()
    aggregates = AGGREGATES | {"p50": tr.quantile("size", 0.5, error=0.1)}
    others: list[tuple[str, tr.Window]] = [
        ("this window has panes of 20s, the other window has panes of 5s", tr.Window("20s")),
        ("panes of 5s with an offset of 1s, the other window has panes of 5s", make(offset="1s")),
        ("key fields: expected key, found host, code in the other window", tr.Window("20s", "5s")),
        (
            r"aggregates: expected .*quantile\(size, error=0\.1\)",
            tr.Window("20s", "5s", by=["host", "code"], aggregates=aggregates),
        ),
    ]
    for message, window in others:
        with pytest.raises(ValueError, match=message):
            window.merge(data)
        assert window.snapshot().total == 0


def test_kinds_that_do_not_agree_are_an_error_and_numbers_become_floats() -> None:
    texts, numbers = tr.Window("5s"), tr.Window("5s")
    texts.add(["a"], times=[0])
    numbers.add([1], times=[0])
    with pytest.raises(ValueError, match="key 'key': expected int, found text in the other window"):
        by_bytes(texts, numbers)
    whole, floats = (tr.Window("5s", aggregates={"s": tr.sum()}) for _ in range(2))
    whole.add(["a"], [1], times=[0])
    floats.add(["a"], [0.5], times=[0])
    by_bytes(floats, whole)
    assert whole.snapshot().rows == [{"key": "a", "s": 1.5}]


def test_what_is_not_an_export_is_rejected() -> None:
    window = make()
    add(window, [("a", 1, 0.1, "u", 0)])
    data = window.export()
    for wrong, message in [
        (b"", "not an export of a window"),
        (b"PAR1 and more", "not an export of a window"),
        (data[:4] + b"\x09" + data[5:], "expected version 3 of the export format, found version 9"),
        (data[:-1], "damaged at byte"),
        (data + b"\0", "damaged at byte"),
    ]:
        with pytest.raises(ValueError, match=message):
            window.merge(wrong)
    with pytest.raises(TypeError):
        window.merge("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the table lacks the metadata of an export"):
        window.merge(pl.DataFrame({"a": [1]}))
    table = pa.table(window.export_table())
    with pytest.raises(ValueError, match=r"columns: expected pane, .* found "):
        window.merge(table.select(["pane", "host"]))
    broken = table.set_column(3, "count", pa.array([-1], pa.int64()))
    with pytest.raises(ValueError, match="damaged at row 0"):
        window.merge(broken)
    assert window.snapshot().total == 1


@given(data=st.data())
@examples(60)
def test_mutated_bytes_are_an_error_or_an_import(data: st.DataObject) -> None:
    window, other = make(), make()
    add(window, [("a", 1, 0.1, "u", 0), ("b", None, 1e16, None, 7)])
    exported = bytearray(window.export())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(exported) - 1))
        exported[place] = data.draw(st.integers(0, 255))
    try:
        other.merge(bytes(exported))
    except ValueError:
        assert other.snapshot().total == 0
    lines = other.snapshot().lines
    rejected = sum(lines["rejected"].values())
    assert lines["fed"] == lines["counted"] + lines["late"] + lines["filtered"] + rejected


def test_four_threads_merge_into_one_window() -> None:
    parts = [tr.Window("60s", "1s") for _ in range(4)]
    for number, part in enumerate(parts):
        part.add([f"k{number}", "all"] * 500, times=[i % 60 for i in range(1000)])
    merged = tr.Window("60s", "1s")
    exports = [part.export() for part in parts]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(merged.merge, exports))
    assert merged.snapshot().head(1).rows == [{"key": "all", "count": 2000}]
    assert merged.snapshot().total == 4000
