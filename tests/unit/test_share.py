"""`tr.share` against a recount in Python: of lines, of a sum, and of lines that match."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.one_of(st.none(), st.integers(-5, 9), st.sampled_from([0.1, -0.1, 1e16, 1e-300]))
EVENTS = st.lists(
    st.tuples(st.sampled_from("abcd"), NUMBERS, st.integers(0, 6)), min_size=1, max_size=30
)


def recounted(events: list[Any]) -> dict[str, tuple[float, float | None]]:
    """Return for each key its share of events and of the sum of values."""
    counts = Counter(key for key, _, _ in events)
    values = defaultdict(list)
    for key, value, _ in events:
        if value is not None:
            values[key].append(value)
    whole = math.fsum(value for some in values.values() for value in some)
    return {
        key: (
            counts[key] / len(events),
            math.fsum(values[key]) / whole if values[key] and whole else None,
        )
        for key in counts
    }


def window(**options: Any) -> tr.Window:  # noqa: ANN401 - of a window
    aggregates = {"share": tr.share(), "of_sum": tr.share("values"), "sum": tr.sum("values")}
    return tr.Window("3s", "1s", aggregates=aggregates, **options)


@given(EVENTS, st.sampled_from(["share", "of_sum"]), st.integers(1, 5))
def test_shares_are_of_all_keys_of_the_window(events: list[Any], order_by: str, top: int) -> None:
    """Each window has the shares of a recount, in their order, also where rows are cut."""
    windows = [window(order_by=order_by, top=top, track_ranks=ranks) for ranks in (False, True)]
    keys, values, times = (list(column) for column in zip(*events, strict=True))
    for one in windows:
        one.add(keys, values, times=times)
    place = ["share", "of_sum"].index(order_by)
    for snapshots in zip(*(one.finish() for one in windows), strict=True):
        end = snapshots[0].end.timestamp()
        wanted = recounted([event for event in events if end - 3 <= event[2] < end])
        order = sorted(
            wanted, key=lambda key: -math.inf if (share := wanted[key][place]) is None else share
        )
        ranks = [wanted[key][place] for key in reversed(order)][:top]
        for snapshot in snapshots:
            assert {row["key"]: (row["share"], row["of_sum"]) for row in snapshot} == {
                row["key"]: wanted[row["key"]] for row in snapshot
            }
            assert [row[order_by] for row in snapshot] == ranks


@given(EVENTS, st.integers(0, 30))
def test_shares_merge(events: list[Any], cut: int) -> None:
    """Two windows merged into a third have the shares of one that saw all events."""
    parts, whole = [window(), window()], window()
    for one, some in zip((*parts, whole), (events[:cut], events[cut:], events), strict=True):
        if some:
            keys, values, times = (list(column) for column in zip(*some, strict=True))
            one.add(keys, values, times=times)
    merged = window()
    for part in parts:
        merged.merge(part)
    assert [one.rows for one in merged.finish()] == [one.rows for one in whole.finish()]


def test_the_row_of_other_keys_has_its_share() -> None:
    """Shares of all rows add up to one with `(other)`, and a snapshot of an open pane has them."""
    one = tr.Window("9s", aggregates={"n": tr.share(), "s": tr.share("values")}, max_keys=1)
    one.add(["a", "a", "b", "c"], [1, 1, 2, 4], times=[0] * 4)
    assert [(row["key"], row["n"], row["s"]) for row in next(one.finish()).rows] == [
        ("a", 0.5, 0.25), ("(other)", 0.5, 0.75),
    ]  # fmt: skip
    since_start = tr.Window(None, "1s", aggregates={"s": tr.share("values")})
    since_start.add(["a", "b"], [1, 3], times=[0, 9])
    assert [row["s"] for row in since_start.snapshot()] == [0.75, 0.25]


LINES = [
    '{"path": "/a", "status": 500, "size": 1}',
    '{"path": "/a", "status": 200, "size": "2"}',
    '{"path": "/a"}',
    '{"path": "/b", "status": 503, "size": 7}',
    '{"path": "/c", "status": null}',
]


def test_a_condition_counts_the_lines_of_the_row() -> None:
    """A line whose field is missing does not match; negations do, as in `where`."""
    query = tr.from_lines(LINES, format="json").agg(
        by="path",
        errors=tr.share(where="status >= 500"),
        fine=tr.share(where="not (status >= 500) and path startswith /"),
        missing=tr.share(where="status == null"),
        bytes=tr.share("size"),
    )
    rows = {row.pop("path"): row for row in query.collect()}
    third = 1 / 3
    assert rows == {
        "/a": {"errors": third, "fine": 2 / 3, "missing": third, "bytes": 0.3},
        "/b": {"errors": 1.0, "fine": 0.0, "missing": 0.0, "bytes": 0.7},
        "/c": {"errors": 0.0, "fine": 1.0, "missing": 1.0, "bytes": None},
    }
    # A condition need not be on a field of the filter or the key.
    query = (
        tr.from_lines(LINES, format="json")
        .where("size > 0")
        .agg(odd=tr.share(where="path in (/b, /c)"), all=tr.share())
    )
    assert query.collect().rows == [{"odd": third, "all": 1.0}]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tr.share("size", where="status > 1"), "expected a field or where, found both"),
        (lambda: tr.share(where="status >"), "share: expected a value after the operator"),
        (lambda: tr.share(where=""), "share: the condition is empty"),
        (
            lambda: tr.Window("1s", aggregates={"e": tr.share(where="a > 1")}),
            r"e: a window has no lines .*mean\('e'\)",
        ),
        (
            lambda: tr.from_lines(LINES, format="combined").agg(e=tr.share(where="statsu > 1")),
            "share: format combined has no field 'statsu'",
        ),
        (
            lambda: tr.from_lines(LINES, format="combined").agg(e=tr.share(where="status > x")),
            "share: expected a number for status, such as 500 or 0.5, found 'x'",
        ),
        (
            lambda: tr.from_lines(LINES).agg(e=tr.share(where="status > x")),
            "share: expected a number for status",
        ),
    ],
)
def test_mistakes_are_reported(call: Callable[[], object], message: str) -> None:
    """A condition is checked as `where` checks it."""
    with pytest.raises(ValueError, match=message):
        call()


def test_a_detected_format_is_checked() -> None:
    """A source whose format lacks a field of the condition is refused with a message."""
    line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 500 5 "-" "x"'
    rows = tr.from_lines([line]).agg(e=tr.share(where="status >= 500")).collect().rows
    assert rows == [{"e": 1.0}]
    with pytest.raises(ValueError, match="nosuch"):
        tr.from_lines([line]).agg(e=tr.share(where="nosuch == 1")).collect()
