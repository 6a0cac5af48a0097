"""Panes that are counted in parts and merged; the oracle is one engine that reads all lines."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from tailrace import _core

SECOND = 1_000_000

COUNT = ("count", "count", [], 0.0, 0.0)
SPECS = [
    ("n", "count", [], 0.0, 0.0),
    ("bytes", "sum", ["size"], 0.0, 0.0),
    ("mean", "mean", ["size"], 0.0, 0.0),
    ("rate", "rate", [], 0.0, 0.0),
    ("bad", "share_where", ["status >= 500"], 0.0, 0.0),
    ("median", "quantile", ["size"], 0.5, 0.01),
    ("hosts", "count_distinct", ["host"], 0.0, 0.0),
    ("agents", "top_values", ["agent"], 2.0, 0.0),
    ("first", "first", ["time"], 0.0, 0.0),
]


def line(second: int, url: str = "/a", status: int = 200, size: object = 5) -> str:
    at = f"17/May/2015:10:{second // 60:02}:{second % 60:02} +0000"
    return (
        f'10.0.0.{second % 7} - - [{at}] "GET {url} HTTP/1.1" {status} {size} "-" "x{second % 3}"'
    )


def some_lines(count: int, seed: int) -> list[str]:
    some = random.Random(seed)  # noqa: S311 - a test
    return [
        line(
            some.randrange(90),
            some.choice(["/a", "/b", "/\u00e9", "/c?d=1"]),
            some.choice([200, 404, 500]),
            some.choice([0, 7, 123_456, "-"]),
        )
        if some.random() < 0.95
        else "no log line"
        for _ in range(count)
    ]


def counter(specs: list[Any] | None = None, **options: object) -> _core.PaneCounter:
    given: dict[str, Any] = {"format": "combined", "by": ["url"], "time": "time"}
    given |= {"width_us": SECOND, "offset_us": 0, "hash_seed": random.getrandbits(64)}
    return _core.PaneCounter(aggregates=specs or [COUNT], **{**given, **options})


def settings(lateness_us: int, max_keys: int | None = None) -> _core.WindowSettings:
    return _core.WindowSettings(
        lengths_us=[30 * SECOND, 10 * SECOND],
        slide_us=5 * SECOND,
        offset_us=0,
        lateness_us=lateness_us,
        limit=None,
        order_by=None,
        ascending=False,
        track_ranks=True,
        max_keys=max_keys,
    )


def window(
    specs: list[Any] | None = None,
    by: tuple[str, ...] = ("url",),
    lateness_us: int = 0,
    max_keys: int | None = None,
) -> _core.Window:
    return _core.Window(
        by=list(by),
        aggregates=specs or [COUNT],
        settings=settings(lateness_us, max_keys),
        hash_seed=random.getrandbits(64),
    )


def counted(lines: object, specs: list[Any] | None = None, **options: object) -> pa.Table:
    one = counter(specs, **options)
    one.add(lines)
    return checked(one.table())


def checked(table: object) -> pa.Table:
    found = pa.table(table)
    found.validate(full=True)
    return found


def rows_of(table: object) -> list[dict[str, Any]]:
    return pa.table(table).to_pylist()


def answers(source: _core.Window | _core.Engine) -> list[tuple[Any, str]]:
    """Return the bounds, numbers and rows of all snapshots."""
    source.finish()
    found = []
    while answer := source.next_snapshot():
        rows, dropped, totals = (None if one is None else rows_of(one) for one in answer[6:9])
        # As text, because NaN is not equal to itself.
        found.append((answer[:6], repr((rows, dropped, totals))))
    return found


def oracle(lines: list[str], specs: list[Any], max_keys: int | None = None) -> list[Any]:
    engine = _core.Engine(
        formats=["combined"],
        by=["url"],
        aggregates=specs,
        time="log",
        settings=settings(1_000 * SECOND, max_keys),
        sources=1,
        start_us=0,
        hash_seed=1,
    )
    data = "\n".join(lines).encode()
    delta = engine.absorb(
        data,
        kind="lines",
        span=(0, len(data)),
        source=0,
        format="combined",
        now_us=0,
        max_ahead_us=None,
    )
    engine.apply(delta)
    return answers(engine)


# What engines and files turn the columns of a table into.
def with_large_types(table: pa.Table) -> pa.Table:
    large = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}
    return table.cast(
        pa.schema([field.with_type(large.get(field.type, field.type)) for field in table.schema])
    )


def sliced(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 1), table.slice(0, 3), table]).slice(4)


def in_another_zone(table: pa.Table) -> pa.Table:
    return table.set_column(0, "pane", table["pane"].cast(pa.timestamp("us", "Asia/Kolkata")))


def with_view_types(table: pa.Table) -> pa.Table:
    views = {pa.string(): pa.string_view(), pa.binary(): pa.binary_view()}
    columns = [column.cast(views.get(column.type, column.type)) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def in_small_batches(table: pa.Table) -> pa.Table:
    return pa.Table.from_batches(table.to_batches(max_chunksize=5), table.schema)


def with_coded_keys(table: pa.Table) -> pa.Table:
    return table.set_column(1, "url", table["url"].dictionary_encode())


SHAPES = [
    with_large_types,
    sliced,
    in_another_zone,
    with_view_types,
    in_small_batches,
    with_coded_keys,
]


@pytest.mark.parametrize("max_keys", [None, 2])
@pytest.mark.parametrize("specs", [[COUNT], SPECS, SPECS[1:]])
@pytest.mark.parametrize("seed", range(3))
def test_merged_parts_answer_like_one_engine(seed: int, specs: list[Any], max_keys: int | None):
    lines = some_lines(400, seed)
    expected = oracle(lines, specs, max_keys)
    assert len(expected) > 20

    some = random.Random(seed)  # noqa: S311 - a test
    parts: list[list[str]] = [[] for _ in range(5)]
    for one in lines:
        some.choice(parts).append(one)
    tables = [counted(pa.array(part, pa.string()), specs) for part in parts]
    while len(tables) > 2:
        merger = window(specs, lateness_us=2**63 - 1)
        pair = [tables.pop(some.randrange(len(tables))) for _ in range(2)]
        both = pa.concat_tables(pair).take(
            some.sample(range(sum(map(len, pair))), sum(map(len, pair)))
        )
        assert merger.add_panes(some.choice(SHAPES)(both)) == 0
        tables.append(checked(merger.panes_table()))

    merged = window(specs, max_keys=max_keys)
    for table in tables:
        assert merged.add_panes(table) == 0
    # The engine's last window is the first that ends after the newest event.
    assert answers(merged)[: len(expected)] == expected


def test_counts_add_up_in_sql():
    lines = some_lines(500, 1)
    parts = [counted(pa.array(lines[start::3])) for start in range(3)]
    grouped = pa.concat_tables(parts).group_by(["pane", "url"]).aggregate([("count", "sum")])
    grouped = grouped.rename_columns(["pane", "url", "count"])
    one, other = window(), window()
    assert one.add_panes(grouped) == 0
    for part in parts:
        other.add_panes(part)
    assert answers(one) == answers(other) != []

    # A recount in plain Python.
    expected = Counter(
        (text.split("[")[1].split(" ")[0], text.split(" ")[6]) for text in lines if "[" in text
    )
    found = {
        (row["pane"].strftime("%d/%b/%Y:%H:%M:%S"), row["url"]): row["count"]
        for row in rows_of(grouped)
    }
    assert found == expected


@pytest.mark.parametrize(
    "form",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_lines_are_arrays_of_any_text(form: pa.DataType):
    lines = [*some_lines(40, 2), None, line(3)]
    plain = pa.array(lines, pa.string())
    array = plain.dictionary_encode() if pa.types.is_dictionary(form) else plain.cast(form)
    expected = counted(plain)

    assert counted(array).equals(expected)
    assert counted(array.slice(5)).equals(counted(plain.slice(5)))
    assert counted(pa.chunked_array([array.slice(0, 3), array.slice(3)])).equals(expected)


def test_tables_have_the_same_types_with_and_without_rows():
    specs = [*SPECS, ("all", "count", [], 0.0, 0.0)]
    by = ["host", "status", "time"]
    full, empty = (counted(pa.array(some, pa.string()), specs, by=by) for some in ([line(1)], []))

    expected = [
        ("pane", pa.timestamp("us", "UTC")),
        ("host", pa.string()),
        ("status", pa.int64()),
        ("time", pa.timestamp("us", "UTC")),
        ("n", pa.int64()),
        *[(name, pa.binary()) for name, *_ in SPECS[1:]],
        ("all", pa.int64()),
    ]
    for table in (full, empty):
        assert [(field.name, field.type) for field in table.schema] == expected
        merger = window(specs, by=tuple(by))
        merger.add_panes(pa.Table.from_batches([], table.schema))
        assert checked(merger.panes_table()).schema.equals(table.schema)
    assert (len(full), len(empty)) == (1, 0)


def test_rows_are_sorted_by_pane_and_key_null_last():
    lines = [line(5, "/b"), line(4, "/b"), line(5, "/a"), line(5, "/a"), line(1)]
    table = counted(pa.array(lines), by=["url"])
    assert [(row["pane"].second, row["url"], row["count"]) for row in rows_of(table)] == [
        (1, "/a", 1),
        (4, "/b", 1),
        (5, "/a", 2),
        (5, "/b", 1),
    ]
    hosts = ['{"time":"2015-05-17T10:05:03Z"}', '{"time":"2015-05-17T10:05:03Z","url":"/"}']
    assert [row["url"] for row in rows_of(counted(pa.array(hosts), format="json"))] == ["/", None]
    assert rows_of(counted(pa.array(lines), by=[], width_us=60 * SECOND)) == [
        {"pane": datetime(2015, 5, 17, 10, tzinfo=UTC), "count": 5}
    ]


def test_keys_of_any_type_are_text():
    keys = [1, 1.0, "1", "x", 0.5, True, None, [1, 2], {"a": "b"}, 12345678901234567890, "\u00e9"]
    lines = [json.dumps({"time": "2015-05-17T10:05:03Z", "k": key}) for key in keys]
    table = counted(pa.array(lines), format="json", by=["k"])

    assert table.schema.field("k").type == pa.string()
    assert {row["k"]: row["count"] for row in rows_of(table)} == {
        "1": 3,
        "x": 1,
        "0.5": 1,
        "true": 1,
        "[1, 2]": 1,
        '{"a": "b"}': 1,
        "12345678901234567890": 1,
        "\u00e9": 1,
        None: 1,
    }
    two = counted(pa.array(lines), format="json", by=["k", "time"])
    assert Counter(dict(zip(two["k"].to_pylist(), two["count"].to_pylist(), strict=True))) == (
        Counter(dict(zip(table["k"].to_pylist(), table["count"].to_pylist(), strict=True)))
    )
    merged = window(by=("k",))
    merged.add_panes(table)
    assert answers(merged)[0][0][3] == 9


def test_every_line_is_in_one_counter():
    log = "tsv:start:epoch,end:epoch,url:text"
    lines = ["1\t2\t/a", "1\t-\t/b", "x", None, "5\t6\t/a", "9" * 70_000]
    for time, panes in [("start", [1, 1, 5]), ("end", [2, 6])]:
        one = counter(format=log, time=time, filter=None)
        one.add(pa.array(lines))
        assert one.lines() == {
            "fed": 5,
            "counted": len(panes),
            "late": 0,
            "filtered": 0,
            "rejected": {"no-match": 1, "too-long": 1} | ({"no-time": 1} if time == "end" else {}),
        }
        found = pa.table(one.table())["pane"].cast(pa.int64()).to_pylist()
        assert [pane // SECOND for pane in found] == panes
    one = counter(filter=_core.Filter("status >= 500"))
    one.add(pa.array([line(1), line(1, status=500)]))
    assert (one.lines()["counted"], one.lines()["filtered"]) == (1, 1)


def test_threads_add_to_one_counter():
    lines = some_lines(3_000, 4)
    shared = counter(SPECS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda at: shared.add(pa.array(lines[at : at + 50])), range(0, 3_000, 50)))
    alone = counter(SPECS)
    alone.add(pa.array(lines))

    assert shared.lines() == alone.lines()
    one, other = window(SPECS), window(SPECS)
    one.add_panes(shared.table())
    other.add_panes(alone.table())
    assert answers(one) == answers(other)


def test_a_header_in_a_batch_names_its_columns():
    head = "#Fields: date time cs-uri-stem sc-status"
    lines = [head, "2015-05-17 10:05:03 /a 200", "2015-05-17 10:05:04 /b 200"]
    one = counter(format="w3c", by=["url"])
    one.add(pa.chunked_array([lines[:1], lines[1:]]))
    assert [row["url"] for row in rows_of(one.table())] == ["/a", "/b"]


def test_events_of_closed_panes_are_late():
    table = counted(pa.array([line(second) for second in (1, 1, 2, 9)]))
    merged = window()
    assert merged.add_panes(table) == 0
    newest = table["pane"].cast(pa.int64()).to_pylist()[-1]
    merged.advance(newest)
    # The window has panes of five seconds.
    assert merged.add_panes(table) == 3
    assert merged.next_snapshot()[9]["late"] == 3


def test_columns_of_events_cannot_have_a_condition():
    merged = window([("bad", "share_where", ["status >= 500"], 0.0, 0.0)])
    with pytest.raises(ValueError, match="values: expected no condition on lines, found 'status"):
        merged.add([["a"]], [], [1])


def changed(table: pa.Table, name: str, values: list[Any], form: pa.DataType | None = None):
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.array(values, form or table[name].type))


TABLE = counted(pa.array([line(1), line(2, "/b", size=7)]), SPECS)
PARTIALS = TABLE["bytes"].to_pylist()
OTHERS = counted(pa.array([line(1), line(2, "/b")]), [(*SPECS[1][:2], ["status"], 0.0, 0.0)])


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (changed(TABLE, "n", [1, None]), ValueError, r"n\[1\]: expected a count, found null"),
        (
            changed(TABLE, "n", [1, 0]),
            ValueError,
            r"n\[1\]: expected a count of 1 to 2\^53, found 0",
        ),
        (
            changed(TABLE, "n", [-3, 1]),
            ValueError,
            r"n\[0\]: expected a count of 1 to 2\^53, found -3",
        ),
        (
            changed(TABLE, "n", [2, 1]),
            ValueError,
            r"bytes\[0\]: expected 2 events as in the columns",
        ),
        (
            changed(TABLE, "n", [1.0, 1.0], pa.float64()),
            TypeError,
            "'n': expected integers, found float",
        ),
        (
            changed(TABLE, "n", [None, None], pa.null()),
            TypeError,
            "'n': expected integers, found null",
        ),
        (
            changed(TABLE, "pane", [None, None]),
            ValueError,
            r"pane\[0\]: expected the start of a pane",
        ),
        (
            changed(TABLE, "pane", ["x", "y"], pa.string()),
            TypeError,
            "'pane': expected times, found text",
        ),
        (
            changed(TABLE, "pane", [1, 2], pa.int64()),
            TypeError,
            "'pane': expected times, found int",
        ),
        (
            changed(TABLE, "pane", [2**62, 1]),
            ValueError,
            r"pane\[0\]: expected the start of a pane",
        ),
        (
            changed(TABLE, "url", [b"/", b"/"], pa.binary()),
            TypeError,
            "'url': expected text, numbers",
        ),
        (
            changed(TABLE, "bytes", [None, b""]),
            ValueError,
            r"bytes\[0\]: expected a partial of sum\(size\)",
        ),
        (changed(TABLE, "bytes", [PARTIALS[0][:-1], b""]), ValueError, "found bytes that are none"),
        (
            changed(TABLE, "bytes", [PARTIALS[0] + b"\0", b""]),
            ValueError,
            "found bytes that are none",
        ),
        (
            changed(TABLE, "bytes", [b"\x07" + PARTIALS[0][1:], b""]),
            ValueError,
            "version 3, found version 7",
        ),
        (
            changed(TABLE, "bytes", ["a", "b"], pa.string()),
            TypeError,
            "'bytes': expected bytes, found text",
        ),
        (
            changed(TABLE, "bytes", TABLE["median"].to_pylist()),
            ValueError,
            r"expected a partial of sum\(size\), found one of quantile\(size, error=0.01\)",
        ),
        (
            changed(TABLE, "bytes", OTHERS["bytes"].to_pylist()),
            ValueError,
            r"expected a partial of sum\(size\), found one of sum\(status\)",
        ),
        (
            TABLE.drop_columns(["n"]),
            ValueError,
            "columns: expected pane, url, n, bytes, .*, found pane, url, bytes",
        ),
        (
            TABLE.append_column("x", pa.array([1, 2])),
            ValueError,
            "columns: expected .* select them",
        ),
        (TABLE.select([1, 0, *range(2, 11)]), ValueError, "columns: expected .* found url, pane"),
        (pa.table({}), ValueError, "columns: expected"),
        (
            changed(TABLE, "url", [[1], [2]], pa.list_(pa.int64())),
            TypeError,
            "found the Arrow type List",
        ),
    ],
)
def test_a_table_with_an_error_adds_nothing(table: pa.Table, error: type[Exception], message: str):
    merged = window(SPECS)
    merged.add_panes(TABLE)
    before = rows_of(merged.panes_table())
    with pytest.raises(error, match=message):
        merged.add_panes(table)
    assert rows_of(merged.panes_table()) == before
    assert merged.add_panes(TABLE) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": "status"}, "time: expected a field of type time, found 'status', which is int"),
        ({"time": "nosuch"}, "time: no field 'nosuch' in this format"),
        ({"by": ["nosuch"]}, "no field 'nosuch' in this format"),
        ({"width_us": 0}, "width: expected 1 to"),
        ({"width_us": -5}, "width: expected 1 to"),
        ({"filter": _core.Filter("nosuch == 1")}, "nosuch"),
    ],
)
def test_wrong_options_are_errors(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        counter(**options)


@pytest.mark.parametrize(
    "lines", [pa.array([1, 2]), pa.array([[b"x"]]), pa.array([None], pa.int64()), 5]
)
def test_lines_of_another_type_are_errors(lines: object):
    one = counter()
    with pytest.raises((TypeError, ValueError), match=r"[Ee]xpected .*(array|text)"):
        one.add(lines)
    assert one.lines()["fed"] == 0


def test_extreme_panes_are_in_range():
    for width, offset in [(9 * 10**15, 0), (9 * 10**15, -(2**63)), (1, 2**63 - 1), (7, -3)]:
        lines = [f"{time}\t/a" for time in (-8_999_999_999, 0, 8_999_999_999)]
        table = counted(
            pa.array(lines), format="tsv:time:epoch,url:text", width_us=width, offset_us=offset
        )
        times = [int(text.split("\t")[0]) * SECOND for text in lines]
        expected = sorted({time - (time - offset) % width for time in times})
        assert table["pane"].cast(pa.int64()).to_pylist() == expected
        assert window().add_panes(table) == 0


def test_a_window_that_joined_keys_or_panes_has_no_pane_table():
    table = counted(pa.array(some_lines(100, 3)))
    joined = window(max_keys=1)
    joined.add_panes(table)
    assert pa.table(joined.panes_table())["count"].to_pylist().count(0) == 0
    answers(joined)
    with pytest.raises(ValueError, match="max_keys: the keys above the limit"):
        joined.panes_table()


def test_the_classic_format_has_times_though_all_its_fields_are_text():
    lines = some_lines(200, 5)
    both = [counter(format=name, by=["host"]) for name in ("classic", "combined")]
    for one in both:
        one.add(pa.array(lines))

    assert both[0].table().to_dicts() == both[1].table().to_dicts()
    with pytest.raises(ValueError, match="expected a field of type time, found 'request'"):
        counter(format="classic", time="request")
