"""Tables for people: shares, bars, totals and sparklines, and that they fit."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tailrace as tr
from tailrace._rendering.drawings import Canvas, canvas_of
from tailrace._rendering.over_time import over_time
from tailrace._rendering.table import table, table_lines
from tailrace._terminal.escape import width
from tailrace._terminal.style import painted
from tailrace._types import Layout

START = datetime(2015, 5, 17, tzinfo=UTC)
LINES: dict[str, Any] = {"fed": 0, "counted": 0, "late": 0, "filtered": 0, "rejected": {}}


def snapshot_of(counts: dict[Any, int], shown: int | None = None) -> tr.Snapshot:
    ranked = sorted(counts.items(), key=lambda one: -one[1])
    rows = [{"url": key, "count": count} for key, count in ranked]
    end = START + timedelta(minutes=5)
    found = tr.Snapshot(START, end, len(counts), sum(counts.values()), rows, LINES)  # type: ignore[arg-type]
    return found if shown is None else found.head(shown)


def drawn(snapshot: tr.Snapshot, columns: int | None = None, **options: Any) -> list[str]:  # noqa: ANN401
    lines = table_lines(snapshot, Canvas(columns), **options)
    return [painted(line, color=False, columns=columns) for line in lines]


def test_a_table_has_shares_bars_and_a_total_of_all_keys():
    counts = {"/a": 1_500, "/温泉": 400, None: 99, "/d": 1}
    assert drawn(snapshot_of(counts, 3)) == [
        "2,000 events, 3 of 4 keys, 2015-05-17 00:00:00 to 00:05:00 UTC",
        "count   share                    url",
        "1,500   75.0%  ████████████████  /a",
        "  400   20.0%  ████▎             /温泉",
        "   99    5.0%  █                 -",
        "2,000  100.0%                    ── total",
    ]
    assert table(snapshot_of(counts), Canvas(has_blocks=False), grouped=False).splitlines() == [
        "2000 events, 4 keys, 2015-05-17 00:00:00 to 00:05:00 UTC",
        "count   share                    url",
        " 1500   75.0%  ################  /a",
        "  400   20.0%  ####              /温泉",
        "   99    5.0%  #                 -",
        "    1    0.1%  #                 /d",
        " 2000  100.0%                    -- total",
    ]


def test_of_one_row_there_is_neither_a_bar_nor_a_total():
    assert drawn(snapshot_of({"/a": 3, "/b": 1}, 1))[1:] == [
        "count   share  url",
        "    3   75.0%  /a",
    ]
    assert drawn(snapshot_of({})) == ["0 events, 0 keys, 2015-05-17 00:00:00 to 00:05:00 UTC"]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (60, "    3   75.0%  ████████████▏  /a" + "x" * 28 + "…"),
        (46, "    3   75.0%  /a" + "x" * 28 + "…"),
        (30, "    3   75.0%  /a" + "x" * 12 + "…"),
        (20, "    3  /a" + "x" * 10 + "…"),
        (8, "    3  …"),
    ],
)
def test_a_narrow_terminal_loses_the_bar_then_the_share(columns: int, row: str):
    snapshot = snapshot_of({"/a" + "x" * 99: 3, "/b": 1})
    row = row if columns != 60 else "    3   75.0%  █████████████  /a" + "x" * 27 + "…"
    assert drawn(snapshot, columns)[2] == row


keys = st.none() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.dictionaries(keys, st.integers(1, 10**12), max_size=30),
    st.integers(1, 100),
    st.integers(1, 40),
)
def test_every_table_fits_and_its_shares_add_up(counts: dict[Any, int], columns: int, most: int):
    snapshot = snapshot_of(counts)
    lines = drawn(snapshot, columns, most=most)
    assert len(lines) <= most
    assert all(width(line) <= columns for line in lines)

    rows = drawn(snapshot)[2:]
    shares = [float(found) for row in rows if (found := re.findall(r"([\d.]+)%", row)[0])]
    if len(rows) > 1:
        assert rows[-1].endswith("── total")
        assert abs(sum(shares[:-1]) - 100) <= 0.1 * len(rows)
        assert int(rows[-1].split()[0].replace(",", "")) == sum(counts.values())


def test_columns_keep_their_width_from_one_table_to_the_next():
    widths: dict[str, int] = {}
    wide = drawn(snapshot_of({"/a": 123_456, "/b": 7}), 80, widths=widths)
    narrow = drawn(snapshot_of({"/a": 3, "/b": 7}), 80, widths=widths)
    single = drawn(snapshot_of({"/a": 3}), 80, widths=widths)
    assert {line[1].index("url") for line in (wide, narrow, single)} == {wide[1].index("url")}


def test_a_total_stays_when_rows_are_cut():
    snapshot = snapshot_of({f"/{n}": n for n in range(1, 100)})
    for most in range(5, 20):
        lines = drawn(snapshot, 80, most=most)
        assert len(lines) == most
        assert lines[0].startswith(f"4,950 events, {most - 3} of 99 keys, ")
        assert lines[-1].split() == ["4,950", "100.0%", "──", "total"]


EVENTS = [("a", 0.1, 1), ("b", 1e16, 2), ("a", None, 3), ("c", -1e16, 4), ("b", 0.2, 5)]
AGGREGATES = {
    "n": tr.count(),
    "some": tr.count("v"),
    "sum": tr.sum("v"),
    "mean": tr.mean("v"),
    "rate": tr.rate(),
    "per_s": tr.rate("v"),
    "share": tr.share(),
    "of_v": tr.share("w"),
    "ratio": tr.ratio("w", "w"),
    "median": tr.quantile("v", 0.5),
    "distinct": tr.count_distinct("v"),
}


@pytest.mark.parametrize("every", ["10s", "2s"])
@pytest.mark.parametrize("max_keys", [None, 1])
def test_totals_are_those_of_all_keys(every: str, max_keys: int | None):
    window = tr.Window("10s", every, aggregates=AGGREGATES, top=1, max_keys=max_keys)
    found, values, times = zip(*EVENTS, strict=True)
    window.add(found, {"v": values, "w": times}, times=times)
    totals = list(window.advance(10))[-1]._totals
    numbers = [value for value in values if value is not None]
    assert {name: totals[name] for name in AGGREGATES} == {
        "n": 5,
        "some": 4,
        "sum": fsum(numbers),
        "mean": fsum(numbers) / 4,
        "rate": 0.5,
        "per_s": fsum(numbers) / 10,
        "share": 1.0,
        "of_v": 1.0,
        "ratio": 1.0,
        "median": None,
        "distinct": None,
    }


def test_only_the_ranking_column_has_a_bar():
    window = tr.Window(
        "10s", by=["k", "l"], aggregates={"n": tr.count(), "bytes": tr.sum("v")}, order_by="bytes"
    )
    window.add({"k": ["x", "y", "x"], "l": ["温", "b", "温"]}, {"v": [10, 70, 20]}, times=[1, 2, 3])
    assert str(window.snapshot()).splitlines()[1:] == [
        "n  bytes  share(v)                    k  l",
        "1     70     70.0%  ████████████████  y  b",
        "2     30     30.0%  ██████▉           x  温",
        "3    100    100.0%                       ── total",
    ]
    assert str(tr.Window("10s", by=None).snapshot()).startswith("0 events, ")


# --- over time ------------------------------------------------------------------------------------


def over_hours(counts: dict[int, int], hours: int) -> tr.Snapshot:
    layout = Layout(
        ("time:1h",),
        {"count": ("count", ())},
        "count",
        intervals={"time:1h": 3_600 * 10**6},
        is_over_time=True,
    )
    rows = [
        {"time:1h": START + timedelta(hours=hour), "count": count}
        for hour, count in sorted(counts.items())
    ]
    end = START + timedelta(hours=hours)
    return tr.Snapshot(
        START,
        end,
        len(rows),
        sum(counts.values()),
        rows,
        LINES,
        by=("time:1h",),
        layout=layout,  # type: ignore[arg-type]
    )


def test_a_table_over_time_that_is_cut_shows_what_is_newest():
    lines = drawn(over_hours(dict.fromkeys(range(30), 1), 30), 80, most=8)
    assert len(lines) == 8
    assert "4 of 30 keys" in lines[0]
    assert [line.split()[0] for line in lines[3:]] == ["1", "1", "1", "1", "30"]
    assert lines[3].endswith("02:00")
    assert lines[6].endswith("05:00")


def test_a_table_over_time_has_a_sparkline_with_gaps():
    assert drawn(over_hours({1: 1, 2: 8, 4: 4}, 6)) == [
        "13 events, 3 keys, 2015-05-17 00:00:00 to 06:00:00 UTC",
        " ▁█ ▄   1h each, at most 8",
        "count   share                    time:1h",
        "    1    7.7%  ██                2015-05-17 01:00",
        "    8   61.5%  ████████████████  2015-05-17 02:00",
        "    4   30.8%  ████████          2015-05-17 04:00",
        "   13  100.0%                    ── total",
    ]
    ascii_only = over_time(over_hours({0: 1, 1: 8, 3: 4}, 4), Canvas(has_blocks=False))
    assert ascii_only == ".@ =  1h each, at most 8"


@given(
    st.dictionaries(st.integers(0, 5_000), st.integers(1, 1_000), min_size=2),
    st.integers(1, 120),
)
def test_a_sparkline_adds_up_neighbours(counts: dict[int, int], columns: int):
    hours = max(counts) + 1
    line = over_time(over_hours(counts, hours), Canvas(columns))
    assert width(line) <= columns
    room = columns - 32 if columns >= 60 else columns
    of_each = -(-hours // room)
    sums = Counter[int]()
    for hour, count in counts.items():
        sums[hour // of_each] += count
    largest = max(sums.values())
    levels = " ▁▂▃▄▅▆▇█"
    expected = "".join(
        levels[-(-sums[place] * 8 // largest)] for place in range(-(-hours // of_each))
    )
    assert line.startswith(expected)
    assert columns < 60 or line.endswith(f" each, at most {largest:,}")


def test_a_span_of_ages_takes_no_memory():
    line = over_time(over_hours({0: 1, 50_000_000: 1}, 50_000_001), Canvas(40))
    assert line.strip() == "█" + " " * 38 + "█"


def test_a_sparkline_is_of_numbers_and_a_share_is_per_cent():
    lines = [
        f'{{"time":"2015-05-17T0{n}:00:00Z","url":"/a","status":{status}}}'
        for n, status in enumerate([200, 500, 200, 500])
    ]
    query = tr.from_lines(lines, format="json")

    def by_time(**columns: Any) -> list[str]:  # noqa: ANN401
        found = query.agg(by="time:2h", **columns).top(9, order_by="time:2h", ascending=True)
        return drawn(found.collect())

    assert by_time(errors=tr.share(where="status >= 500"))[1] == "██  2h each, at most 50.0%"
    assert by_time(one=tr.first("url"), n=tr.count())[1].split() == ["one", "n", "time:2h"]


class Narrow:
    """A stream without block characters."""

    encoding = "latin-1"


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        (75, "39,220 events, 2 of 40 keys, 7 late, 2015-05-17 00:00:00 to 00:05:00 UTC"),
        (71, "39,220 events, 2 of 40 keys, 7 late, 00:00:00 to 00:05:00"),
        (48, "39,220 events, 2 of 40 keys, 7 late, to 00:05:00"),
        (40, "39,220 events, 2 of 40 keys, to 00:05:00"),
        (36, "39,220 events, 00:00:00 to 00:05:00"),
        (26, "39,220 events, to 00:05:00"),
        (23, "39,220 events, 00:05:00"),
    ],
)
def test_a_live_heading_keeps_the_end_of_the_window(columns: int, heading: str):
    found = snapshot_of({f"/{n}": 1000 - n for n in range(40)})
    lines = {**LINES, "late": 7}
    snapshot = tr.Snapshot(found.start, found.end, found.keys, found.total, found.rows, lines)  # type: ignore[arg-type]
    shown = table_lines(snapshot, Canvas(columns, is_cut=True), most=4)
    assert painted(shown[0], color=False) == heading


def many_columns() -> tr.Snapshot:
    url = "/" + "x" * 30
    lines = [
        f'{{"time":"2015-05-17T00:00:0{n}Z","url":"{url}","status":{200 + n % 2}}}'
        for n in range(4)
    ]
    query = tr.from_lines(lines, format="json")
    return query.agg(
        by=["url", "status"],
        n=tr.count(),
        often=tr.top_values("url", 2),
        least=tr.min("status"),
        most=tr.max("status"),
    ).collect()


def test_texts_are_at_the_left_and_whole_without_a_terminal():
    url = "/" + "x" * 30
    assert drawn(many_columns())[1:3] == [
        f"n  {'often':35}  least  most   share                    {'url':31}  status",
        f"2  {url} (2)    200   200   50.0%  ████████████████  {url}  200",
    ]


@pytest.mark.parametrize(
    ("columns", "is_cut", "lines"),
    [
        (
            60,
            False,
            [
                "n  often             least  most  url               status",
                "2  /xxxxxxxxxxxxxx…    200   200  /xxxxxxxxxxxxxx…  200",
            ],
        ),
        # Not every figure fits, which is marked.
        (
            40,
            True,
            [
                "n  often        …  url          status",
                "2  /xxxxxxxxx…  …  /xxxxxxxxx…  200",
            ],
        ),
    ],
)
def test_texts_are_cut_so_that_every_key_is_shown(columns: int, lines: list[str], *, is_cut: bool):
    shown = table_lines(many_columns(), Canvas(columns, is_cut=is_cut))
    assert [painted(line, color=False) for line in shown][1:3] == lines
    assert max(width(painted(line, color=False)) for line in shown[1:]) <= columns


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_columns_are_aligned_as_they_are_written(encoding: str):
    rows = [{"url": "/温泉", "status": 200, "count": 2}, {"url": "/a", "status": 404, "count": 1}]
    snapshot = tr.Snapshot(None, None, 2, 3, rows, LINES, by=("url", "status"))  # type: ignore[arg-type]
    lines = table_lines(snapshot, Canvas(has_blocks=False, encoding=encoding))
    shown = [painted(line, color=False) for line in lines[1:]]
    assert "/\\u6e29\\u6cc9" in shown[1]
    lasts = ("status", "200", "404", "-- total")
    assert len({line.index(last) for line, last in zip(shown, lasts, strict=True)}) == 1


def test_an_output_without_blocks_gets_ascii():
    assert not canvas_of(Narrow()).has_blocks  # type: ignore[arg-type]
    assert canvas_of(None).has_blocks
