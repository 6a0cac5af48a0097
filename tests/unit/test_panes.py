"""
Closed panes that are handed out instead of going into windows.

`rust/core/tests` shows that they contain the events by pane and key in any order of reading, and
that their partials merge; here are the values of aggregates, the columns, and custom reduces.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

import tailrace as tr
from tailrace import _core
from tailrace._aggregates import aggregate_specs
from tailrace._schedule import schedule, window_settings
from tailrace._types import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tailrace._types import Pane

FORMAT = "tsv:time:epoch,host,size:int,user"
SECOND = 1_000_000
PANE = 10

AGGREGATES = {
    "events": tr.count(),
    "sent": tr.sum("size"),
    "average": tr.mean("size"),
    "least": tr.min("size"),
    "largest": tr.max("size"),
    "users": tr.count_distinct("user"),
    "top": tr.top_values("user", 2),
    "each": tr.rate(),
}

# Source, second, host, size, user.
Event = tuple[int, int, str, int, str]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    steps = st.tuples(
        st.integers(0, 1),
        st.integers(-15, 25),
        st.sampled_from(["a", "b", "c", "é"]),
        st.integers(-5, 50),
        st.sampled_from("xyz"),
    )
    now = [1_000, 1_000]
    events = []
    for source, gap, host, size, user in draw(st.lists(steps, max_size=60)):
        now[source] += gap
        events.append((source, now[source], host, size, user))
    return events


def engine(
    sources: int = 1, *, lateness: int = 0, max_keys: int | None = None, **others: object
) -> _core.Engine:
    options: dict[str, Any] = {
        "formats": [FORMAT],
        "by": ["host"],
        "aggregates": aggregate_specs(AGGREGATES, ["host"]),
        "time": "log",
        "settings": window_settings(
            schedule("60s", "10s", 0),
            limit=2,
            order_by=None,
            ascending=False,
            track_ranks=True,
            lateness_us=lateness * SECOND,
            max_keys=max_keys,
        ),
        "start_us": 0,
        "hash_seed": 1,
        **others,
    }
    return _core.Engine(sources=sources, **options)


def feed(to: _core.Engine, events: Iterable[Event], source: int | None = None) -> None:
    for of, second, host, size, user in events:
        line = f"{second}\t{host}\t{size}\t{user}\n".encode()
        place = of if source is None else source
        delta = to.absorb(
            line,
            kind="lines",
            span=(0, len(line)),
            source=place,
            format=FORMAT,
            now_us=0,
            max_ahead_us=None,
        )
        to.apply(delta)


def panes(of: _core.Engine | _core.Window, *, partials: bool = False) -> Iterator[Pane]:
    while (pane := of.next_pane(partials=partials)) is not None:
        yield pane


def grouped(events: list[Event], lateness: int) -> dict[int, dict[str, list[tuple[int, str]]]]:
    """Return sizes and users by start of the pane and by host, without late events."""
    groups: dict[int, Any] = defaultdict(lambda: defaultdict(list))
    newest = [0, 0]
    for source, second, host, size, user in events:
        start = second // PANE * PANE
        if start + PANE > newest[source] - lateness:
            newest[source] = max(newest[source], second)
            groups[start][host].append((size, user))
    return groups


def row(host: str, group: list[tuple[int, str]]) -> dict[str, Any]:
    sizes = [size for size, _ in group]
    users = Counter(sorted(user for _, user in group))
    return {
        "host": host,
        "events": len(group),
        "sent": sum(sizes),
        "average": pytest.approx(sum(sizes) / len(sizes)),
        "least": min(sizes),
        "largest": max(sizes),
        "users": len(users),
        "top": [{"value": user, "count": count} for user, count in users.most_common(2)],
        "each": pytest.approx(len(group) / PANE),
    }


@examples(60)
@given(logs(), st.integers(0, 30), st.sets(st.integers(0, 60)))
def test_a_pane_has_the_values_of_only_its_own_events(
    events: list[Event], lateness: int, looks: set[int]
):
    counting = engine(2, lateness=lateness)
    found = []
    for place, event in enumerate(events):
        feed(counting, [event])
        if place in looks:
            found += panes(counting)
    counting.finish()
    found += panes(counting)

    expected = grouped(events, lateness)
    assert [start // SECOND for start, *_ in found] == sorted(expected)
    for start, end, table, _ in found:
        group = expected[start // SECOND]
        assert end - start == PANE * SECOND
        assert table.to_dicts() == [row(host, group[host]) for host in sorted(group)]
    assert sum(lines["fed"] for *_, lines in found) == len(events)
    counted = sum(len(group) for hosts in expected.values() for group in hosts.values())
    assert sum(lines["counted"] for *_, lines in found) == counted
    assert sum(lines["late"] for *_, lines in found) == len(events) - counted


@examples(60)
@given(logs(), st.integers(0, 30), st.sets(st.integers(0, 60)))
def test_merging_the_partials_of_two_engines_equals_one_engine(
    events: list[Event], lateness: int, looks: set[int]
):
    one = engine(2, lateness=lateness)
    parts = [engine(lateness=lateness) for _ in range(2)]
    whole = tr.Window("60s", "10s", by="host", aggregates=AGGREGATES, top=2)
    for place, event in enumerate(events):
        feed(one, [event])
        feed(parts[event[0]], [event], source=0)
        if place in looks:
            for part in parts:
                for *_, table, _ in panes(part, partials=True):
                    whole.merge(table)
    one.finish()
    for part in parts:
        part.finish()
        for *_, table, _ in panes(part, partials=True):
            whole.merge(table)

    found = {snapshot.end: snapshot for snapshot in whole.finish()}
    answers = [
        tr.Snapshot._of(answer, Layout(("host",), {}, None))
        for answer in iter(one.next_snapshot, None)
    ]
    for answer in answers:
        same = found[answer.end]
        assert (same.start, same.keys, same.total) == (answer.start, answer.keys, answer.total)
        rows = [{name: row[name] for name in ("host", *AGGREGATES)} for row in answer.rows]
        assert same.rows == rows
    assert whole.snapshot().lines == one.lines()


def test_columns_of_panes_can_be_reduced_by_a_custom_function():
    """For example: the number of consecutive panes with a host, and its largest count."""
    counting = engine()
    seconds = {"a": [0, 10, 20, 50], "b": [10, 30, 40, 50], "c": [55]}
    events = sorted((second, host) for host, all_ in seconds.items() for second in all_)
    feed(counting, [(0, second, host, 1, "x") for second, host in events])
    counting.finish()

    runs: dict[str, tuple[int, int, int]] = {}
    for start, end, table, _ in panes(counting):
        for host, sent in pl.DataFrame(table).select("host", "sent").iter_rows():
            until, length, total = runs.get(host, (start, 0, 0))
            runs[host] = (end, length + 1 if until == start else 1, total + sent)
    assert {host: run[1:] for host, run in runs.items()} == {"a": (1, 4), "b": (3, 4), "c": (1, 1)}


def test_a_pane_whose_lines_were_all_filtered_is_handed_out_empty():
    counting = engine(filter=_core.Filter("size > 10"))
    feed(counting, [(0, 5, "a", 11, "x"), (0, 15, "a", 1, "x"), (0, 45, "b", 12, "x")])
    feed(counting, [(0, 65, "a", 1, "x")])
    assert [start // SECOND for start, *_ in panes(counting)] == [0, 10, 40]
    counting.finish()
    ((start, end, table, lines),) = panes(counting)
    assert (start // SECOND, end // SECOND) == (60, 70)
    assert (len(table), table.fields) == (0, ["host", *AGGREGATES])
    assert (lines["fed"], lines["filtered"]) == (1, 1)


def test_memory_does_not_grow_with_evicted_keys():
    counting = engine(max_keys=3)
    for second in range(0, 2_000, PANE):
        feed(counting, [(0, second, f"{second}/{host}", 1, "x") for host in range(20)])
        # No limit.
        assert {len(table) for *_, table, _ in panes(counting)} in ({20}, set())
    assert counting.key_capacity() <= 40


def test_a_snapshot_excludes_a_pane_that_was_handed_out():
    counting = engine()
    feed(counting, [(0, second, "a", 1, "x") for second in range(0, 300, PANE)])
    assert next(panes(counting))[0] == 0
    counting.finish()
    answers = list(iter(counting.next_snapshot, None))
    assert [answer[1] // SECOND for answer in answers[:2]] == [10, 20]
    assert {answer[4] for answer in answers} == {6}


def test_without_windows_there_are_no_panes():
    whole = window_settings(
        None,
        limit=None,
        order_by=None,
        ascending=False,
        track_ranks=False,
        lateness_us=0,
        max_keys=None,
    )
    counting = engine(settings=whole)
    feed(counting, [(0, 5, "a", 1, "x")])
    counting.finish()
    assert counting.next_pane() is None
    assert counting.snapshot()[4] == 1


def window(by: list[str]) -> _core.Window:
    form = window_settings(
        schedule("60s", "10s", 0),
        limit=None,
        order_by=None,
        ascending=False,
        track_ranks=False,
        lateness_us=0,
        max_keys=None,
    )
    return _core.Window(
        by=by,
        aggregates=aggregate_specs({"events": tr.count(), "sent": tr.sum("size")}, by),
        settings=form,
        hash_seed=1,
    )


def test_a_window_without_a_log_also_hands_out_panes():
    adding = window(["host", "code"])
    hosts, codes = [b"b", None, b"\xff", None, b"b"], [2, 1, None, None, 1]
    adding.add([hosts, codes], [[1, 2, 3, 4, 5]], [1, 2, 3, 4, 15])
    assert adding.next_pane() is None
    adding.advance(12 * SECOND)
    assert adding.add([[b"b"], [2]], [[7]], [9]) == [0]
    start, end, table, lines = next(panes(adding))
    assert (start, end) == (0, 10 * SECOND)
    assert table.to_dicts() == [
        {"host": b"b", "code": 2, "events": 1, "sent": 1},
        {"host": b"\xff", "code": None, "events": 1, "sent": 3},
        {"host": None, "code": 1, "events": 1, "sent": 2},
        {"host": None, "code": None, "events": 1, "sent": 4},
    ]
    assert (lines["counted"], lines["late"]) == (4, 0)
    adding.finish()
    ((start, _, table, lines),) = panes(adding)
    assert (start, len(table)) == (10 * SECOND, 1)
    assert (lines["counted"], lines["late"]) == (1, 1)


def test_panes_that_were_not_taken_are_dropped_by_the_next_advance():
    adding = window(["host"])
    adding.add([["a", "b"]], [[1, 2]], [1, 45])
    adding.advance(30 * SECOND)
    adding.advance(60 * SECOND)
    assert [start // SECOND for start, *_ in panes(adding)] == [40]


def test_an_added_source_delays_panes_until_its_first_time():
    counting = engine()
    feed(counting, [(0, 5, "a", 1, "x"), (0, 25, "a", 1, "x")])
    assert [start // SECOND for start, *_ in panes(counting)] == [0]
    assert counting.add_source() == 1
    assert counting.slowest_source() == 1
    feed(counting, [(0, 65, "a", 1, "x")])
    assert counting.next_pane() is None
    feed(counting, [(1, 5, "late", 1, "x"), (1, 25, "b", 1, "x"), (1, 42, "b", 1, "x")])
    ((start, _, table, lines),) = panes(counting)
    assert (start // SECOND, [row["host"] for row in table.to_dicts()]) == (20, ["a", "b"])
    assert (lines["fed"], lines["late"]) == (3, 1)
    counting.end_source(1)
    ((start, _, _, lines),) = panes(counting)
    assert (start // SECOND, lines["counted"]) == (40, 1)
    assert counting.lines()["late"] == 1
