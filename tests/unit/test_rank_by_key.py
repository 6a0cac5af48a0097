"""Rows ranked by a field of the key, against a sort in Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tailrace as tr

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "a\0", "ab", "b", "\xff", None]),
        st.sampled_from([-(2**63), -1, 0, 7, 2**63, 2**64 - 1, None]),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=30,
)


def ranked(keys: list[Any], place: int, *, ascending: bool) -> list[Any]:
    """Sort by a field of the key, null last in either direction, ties by the whole key."""
    keys = sorted(keys, key=lambda key: [(field is None, _order(field)) for field in key])
    present = [key for key in keys if key[place] is not None]
    present.sort(key=lambda key: _order(key[place]), reverse=not ascending)
    return present + [key for key in keys if key[place] is None]


def _order(field: str | int | None) -> bytes | int:
    if field is None:
        return 0
    return field.encode() if isinstance(field, str) else field


@given(EVENTS, st.sampled_from(["text", "number"]), st.booleans(), st.integers(1, 9))
def test_rows_rank_by_a_field_of_the_key(
    events: list[Any],
    order_by: str,
    ascending: bool,  # noqa: FBT001 - drawn
    top: int,
) -> None:
    """Each window has the first rows in the order of the field, with and without kept ranks."""
    windows = [
        tr.Window(
            "3s", "1s", by=["text", "number"], order_by=order_by, ascending=ascending, top=top,
            track_ranks=track_ranks,
        )
        for track_ranks in (False, True)
    ]  # fmt: skip
    texts, numbers, times = zip(*events, strict=True)
    for window in windows:
        window.add({"text": list(texts), "number": list(numbers)}, times=list(times))
    place = ["text", "number"].index(order_by)
    for snapshots in zip(*(window.finish() for window in windows), strict=True):
        end = snapshots[0].end.timestamp()
        keys = {(text, number) for text, number, time in events if end - 3 <= time < end}
        wanted = ranked(list(keys), place, ascending=ascending)[:top]
        for snapshot in snapshots:
            assert [(row["text"], row["number"]) for row in snapshot] == wanted


@given(EVENTS, st.booleans(), st.integers(1, 9))
def test_rows_rank_by_a_single_key(
    events: list[Any],
    ascending: bool,  # noqa: FBT001 - drawn
    top: int,
) -> None:
    """Text ranks by its bytes, and the null key last in either direction."""
    window = tr.Window("9s", by="text", order_by="text", ascending=ascending, top=top)
    window.add([text for text, _, _ in events], times=[0] * len(events))
    wanted = ranked([(text,) for text in {text for text, _, _ in events}], 0, ascending=ascending)
    assert [(row["text"],) for row in window.snapshot()] == wanted[:top]


def test_the_row_of_other_keys_stays_last() -> None:
    """Keys above the limit have no rank."""
    window = tr.Window("9s", order_by="key", max_keys=2)
    window.add(["z", "z", "y", "y", "a"], times=[0] * 5)
    rows = next(window.finish()).rows
    assert [row["key"] for row in rows] == ["z", "y", "(other)"]


def test_a_query_ranks_by_a_key_field() -> None:
    """`top` and `sorted` take key fields beside aggregates, and their types sort as themselves."""
    line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /{} HTTP/1.1" {} 5 "-" "x"'
    lines = [line.format(*one) for one in (("a", 500), ("b", 100), ("a", 200), ("b", 200))]
    query = tr.from_lines(lines).count(by=["status", "url"])
    rows = query.top(3, order_by="status").collect().rows
    assert [(row["status"], row["url"]) for row in rows] == [(500, "/a"), (200, "/a"), (200, "/b")]
    rows = query.sorted(order_by="url", ascending=True).collect().rows
    assert [(row["url"], row["status"]) for row in rows] == [
        ("/a", 200), ("/a", 500), ("/b", 100), ("/b", 200),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="expected one of count, status, url"):
        query.top(3, order_by="host")
