"""
Values of other libraries that a `Window` takes: what is missing, exact or an error.

Each case names the public report in which another program read such a value differently; "made up"
is ours.
"""

import copy
import math
import pickle
import statistics
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tailrace as tr

NAN = math.nan
ONE = uuid.UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
LARGEST = 2**64 - 1


def keys(column: Any) -> list[tuple[Any, int]]:  # noqa: ANN401 - a column of any library
    window = tr.Window("60s")
    window.add(column, times=[0] * len(column))
    return [(row["key"], row["count"]) for row in window.snapshot()]


def values(column: Any, **aggregates: tr.Aggregate) -> dict[str, Any]:  # noqa: ANN401 - as above
    window = tr.Window("60s", by=None, aggregates=aggregates or {"sum": tr.sum()})
    window.add({"values": column}, times=[0] * len(column))
    return window.snapshot().rows[0]


def held(column: Any) -> tuple[int, Any]:  # noqa: ANN401 - as above
    """Return how many values a column has, and their sum."""
    row = values(column, some=tr.count("values"), sum=tr.sum())
    return row["some"], row["sum"]


def start(times: Any, length: str = "1us") -> list[int]:  # noqa: ANN401 - as above
    """Return the time of each event in microseconds, as the bounds of its window show it."""
    window = tr.Window(length)
    window.add(["a"] * len(times), times=times)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [(one.start - epoch) // timedelta(microseconds=1) for one in window.finish()]


# --- missing values -------------------------------------------------------------------------------


class OnlyArrow:
    """A frame of which only the Arrow PyCapsule interface is known."""

    def __init__(self, frame: Any) -> None:  # noqa: ANN401 - of any library
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


# Its class is that of another package, as in GeoPandas.
Subclass = type("Subclass", (pd.Series,), {"__module__": "geopandas.geoseries"})

SERIES = pd.Series([1.0, NAN, 3.0])
FRAME = pd.DataFrame({"key": ["a", None, "a"], "values": SERIES, "time": [0, 0, 0]})
QUOTIENT = pd.Series([1.0, 0.0, 3.0], dtype="Float64") / pd.Series([1.0, 0.0, 1.0], dtype="Float64")

MISSING = {
    "a series": SERIES,
    "objects": SERIES.astype(object),
    "float32": SERIES.astype("float32"),
    # https://github.com/pandas-dev/pandas/issues/60106: `isna` is false for 0 / 0 in Float64.
    "0 / 0 of nullable floats": QUOTIENT,
    # https://github.com/pandas-dev/pandas/issues/32265
    "Arrow floats": pd.Series(pa.array([1.0, NAN, 3.0]), dtype=pd.ArrowDtype(pa.float64())),
    "an index": pd.Index(SERIES),
    "an extension array": pd.array([1.0, NAN, 3.0], dtype="Float64"),
    "a sparse series": pd.Series(pd.arrays.SparseArray([1.0, NAN, 3.0])),
    "a subclass (made up)": Subclass([1.0, NAN, 3.0]),
    "a capsule": OnlyArrow(FRAME[["values"]]),
    # https://github.com/pola-rs/polars/issues/16453: NaN became null or not, by the length.
    "polars of it": pl.from_pandas(FRAME)["values"],
    # https://github.com/apache/arrow/issues/35535
    "Arrow of it": pa.table(FRAME)["values"],
    "DuckDB of it": duckdb.from_df(FRAME).to_arrow_table()["values"],
    "a list with NA (made up)": [1.0, pd.NA, 3.0],
}


@pytest.mark.parametrize("column", MISSING.values(), ids=MISSING.keys())
def test_nan_of_pandas_is_missing(column: Any):  # noqa: ANN401 - of any library
    window = tr.Window("60s", by=None, aggregates={"some": tr.count("values"), "sum": tr.sum()})
    window.add([], column, times=[0, 0, 0])
    assert window.snapshot().rows == [{"some": 2, "sum": 4.0}]


FRAMES: dict[str, Callable[[], Any]] = {
    "a frame": lambda: FRAME,
    "a dictionary of series": lambda: dict(FRAME.items()),
    "Arrow": lambda: pa.table(FRAME),
    "a record batch": lambda: pa.RecordBatch.from_pandas(FRAME),
    "a reader": lambda: pa.table(FRAME).to_reader(),
    "polars": lambda: pl.from_pandas(FRAME),
    "a capsule": lambda: OnlyArrow(FRAME),
    "DuckDB": lambda: duckdb.from_df(FRAME),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_nan_of_pandas_is_missing_whichever_way_the_frame_comes_in(frame: Callable[[], Any]):
    window = tr.Window("60s", aggregates={"n": tr.count(), "sum": tr.sum()})
    window.add(frame(), times="time")
    assert window.snapshot().rows == [
        {"key": "a", "n": 2, "sum": 4.0},
        {"key": None, "n": 1, "sum": None},
    ]


@pytest.mark.parametrize(
    "column",
    [
        [1.0, NAN, 3.0],
        SERIES.to_numpy(),
        SERIES.tolist(),
        pa.array([1.0, NAN, 3.0]),
        # https://docs.pola.rs/user-guide/expressions/missing-data: there NaN is not missing.
        pl.Series([1.0, NAN, 3.0]),
    ],
)
def test_nan_elsewhere_is_a_value(column: Any):  # noqa: ANN401 - as above
    some, total = held(column)
    assert some == 3
    assert math.isnan(total)


def test_a_column_of_nan_alone_has_no_type():
    nothing = pd.Series([NAN, NAN])
    assert keys(nothing) == [(None, 2)]
    assert held(nothing) == (0, None)


ENCODED = pa.array(["a", None, "b", "a"]).dictionary_encode()
EXPECTED_KEYS = [("a", 2), ("b", 1), (None, 1)]
MISSING_KEYS = {
    "a list": ["a", pd.NA, "b", "a"],
    "NaT": ["a", pd.NaT, "b", "a"],
    "NumPy's NaT": ["a", np.datetime64("NaT"), "b", "a"],
    "a series": pd.Series(["a", NAN, "b", "a"]),
    "nullable text": pd.Series(["a", None, "b", "a"], dtype="string"),
    "categories": pd.Categorical(["a", None, "b", "a"]),
    "a series of categories": pd.Series(["a", None, "b", "a"], dtype="category"),
    "an index into a dictionary": ENCODED,
    # https://github.com/apache/arrow-rs/issues/7607, https://github.com/apache/arrow/issues/38457:
    # the index is valid, the value that it names is null.
    "a value in a dictionary": pa.DictionaryArray.from_arrays(
        pa.array([1, 0, 2, 1]), pa.array([None, "a", "b"])
    ),
    "a chunked dictionary": pa.chunked_array([ENCODED[:2], ENCODED[2:]]),
    "categories of polars": pl.Series(["a", None, "b", "a"], dtype=pl.Categorical),
    "an enumeration of polars": pl.Series(["a", None, "b", "a"], dtype=pl.Enum(["a", "b"])),
}


@pytest.mark.parametrize("column", MISSING_KEYS.values(), ids=MISSING_KEYS.keys())
def test_missing_keys_are_null(column: Any):  # noqa: ANN401 - as above
    assert keys(column) == EXPECTED_KEYS


def test_a_name_that_a_dictionary_lacks_is_null():
    window = tr.Window("60s", aggregates={"n": tr.count(), "sum": tr.sum("size")})
    window.add(
        [{"key": "a", "size": 1, "t": 0}, {"size": 2, "t": 0}, {"key": "a", "t": 0}], times="t"
    )
    expected = [{"key": "a", "n": 2, "sum": 1}, {"key": None, "n": 1, "sum": 2}]
    assert window.snapshot().rows == expected
    with pytest.raises(ValueError, match="keys: no row has 'key'; they have host, size, t"):
        window.add([{"host": "a", "size": 1, "t": 0}], times="t")
    with pytest.raises(TypeError, match="times: row 1: expected a dictionary, found 5"):
        window.add([{"key": "a", "size": 1, "t": 0}, 5], times="t")


# --- numbers and UUIDs ----------------------------------------------------------------------------

LARGE = {
    "a list": [2**63, LARGEST, 1, None],
    # https://github.com/pola-rs/polars/issues/17006, https://github.com/pola-rs/polars/issues/22137
    "polars": pl.Series([2**63, LARGEST, 1, None], dtype=pl.UInt64),
    # https://github.com/RayforceDB/rayforce-py/pull/18: unsigned integers came out negative.
    "Arrow": pa.array([2**63, LARGEST, 1, None], pa.uint64()),
    "pandas": pd.Series([2**63, LARGEST, 1, None], dtype="UInt64"),
    "decimals": pa.array(
        [Decimal(2**63), Decimal(LARGEST), Decimal(1), None], pa.decimal128(38, 0)
    ),
    "DuckDB's hugeint": duckdb.sql(
        f"select unnest([{2**63}, {LARGEST}, 1, null])::hugeint as n"
    ).to_arrow_table()["n"],
}


@pytest.mark.parametrize("column", LARGE.values(), ids=LARGE.keys())
def test_integers_of_64_bits_are_exact(column: Any):  # noqa: ANN401 - as above
    assert keys(column) == [(1, 1), (2**63, 1), (LARGEST, 1), (None, 1)]
    names = ("sum", "min", "max", "first", "last", "count_distinct", "top_values", "mean")
    row = values(column, **{name: getattr(tr, name)() for name in names})
    assert row["sum"] == 2**63 + LARGEST + 1
    assert (row["min"], row["max"], row["first"], row["last"]) == (1, LARGEST, 1, LARGEST)
    assert row["count_distinct"] == 3
    assert [one["value"] for one in row["top_values"]] == [1, 2**63, LARGEST]
    assert row["mean"] == pytest.approx((2**63 + LARGEST + 1) / 3, rel=1e-15)


def test_integers_of_64_bits_in_numpy_export_and_slide():
    column = np.array([2**63, LARGEST, 1], dtype=np.uint64)
    assert keys(column) == [(1, 1), (2**63, 1), (LARGEST, 1)]
    by = {"by": ["n", "name"], "aggregates": {"max": tr.max("v"), "var": tr.var("v")}}
    window, whole = tr.Window("60s", "30s", **by), tr.Window("60s", "30s", **by)
    window.add({"n": column, "name": ["a", "b", None], "v": column}, times=[0, 30, 0])
    whole.merge(window.export())
    whole.merge(pa.table(tr.Window("60s", "30s", **by).export_table()))
    expected = [(2**63, "a"), (LARGEST, "b"), (1, None)]
    assert {(row["n"], row["name"]) for row in whole.snapshot()} == set(expected)
    assert [row["n"] for row in window.export_table().to_dicts()] == [1, 2**63, LARGEST]
    table = tr.Window("60s", "30s", **by)
    table.merge(window.export_table())
    assert table.export() == window.export()
    assert [[row["n"] for row in one] for one in window.finish()][-1] == [LARGEST]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30])
def test_more_than_64_bits_are_an_error(number: int):
    with pytest.raises(ValueError, match=r"keys\[0\]: .* is out of range \(64 bits\)"):
        keys([number])
    with pytest.raises(ValueError, match=r"values\[0\]: .* is out of range \(64 bits\)"):
        held(pa.array([Decimal(number)], pa.decimal128(38, 0)))


DECIMALS = {
    "Arrow": pa.array([Decimal("1.10"), Decimal("2.20"), None], pa.decimal128(10, 2)),
    "polars": pl.Series([Decimal("1.10"), Decimal("2.20"), None]),
    "a list": [Decimal("1.10"), Decimal("2.20"), None],
    "pandas": pd.Series([Decimal("1.10"), Decimal("2.20"), None]),
    "DuckDB": duckdb.sql("select unnest([1.10, 2.20, null])::decimal(10, 2) as n").to_arrow_table()[
        "n"
    ],
}


@pytest.mark.parametrize("column", DECIMALS.values(), ids=DECIMALS.keys())
def test_decimals_are_the_nearest_float(column: Any):  # noqa: ANN401 - as above
    assert held(column) == (2, math.fsum([1.1, 2.2]))
    assert values(column, max=tr.max())["max"] == 2.2


# Rounded twice: https://github.com/apache/datafusion-comet/pull/5684, apache/arrow-rs#10509
def test_a_decimal_of_38_digits_rounds_once():
    column = pa.array(
        [Decimal("12345.6789"), Decimal("16777217.0000000001")], pa.decimal128(38, 18)
    )
    row = values(column, first=tr.min(), last=tr.max())
    assert (row["first"], row["last"]) == (12345.6789, 16777217.0000000001)


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=9))
def test_a_decimal_rounds_once(number: Decimal):
    column = pa.array([number], pa.decimal128(38, 9))
    assert values(column, max=tr.max())["max"] == float(number)


UUIDS = {
    "a list": [ONE, None],
    "pandas": pd.Series([ONE, None]),
    # https://github.com/apache/arrow/issues/15058, https://github.com/duckdb/duckdb-rs/pull/808
    "Arrow's extension": pa.array([ONE.bytes, None], pa.uuid()),
    "text": [str(ONE), None],
    "DuckDB": duckdb.sql(f"select unnest(['{ONE}', null])::uuid as u").to_arrow_table()["u"],
}


@pytest.mark.parametrize("column", UUIDS.values(), ids=UUIDS.keys())
def test_a_uuid_is_its_text(column: Any):  # noqa: ANN401 - as above
    assert keys(column) == [(str(ONE), 1), (None, 1)]


def test_bytes_of_one_size_are_bytes():
    assert keys(pa.array([ONE.bytes, None], pa.binary(16))) == [(ONE.bytes, 1), (None, 1)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [(np.bool_(1), 1), (np.int8(3), 3), (np.float32(0.5), 0.5), (Fraction(1, 4), 0.25),
     (pa.scalar(7), 7), (Decimal(7), 7), (np.array(5), 5)],
)  # fmt: skip
def test_scalars_in_lists(one: Any, expected: float):  # noqa: ANN401 - as above
    assert held([one, None]) == (1, expected)


# --- times ----------------------------------------------------------------------------------------

MINUTE = datetime(1970, 1, 1, 0, 1)  # noqa: DTZ001 - without a zone
# A naive datetime was local time in https://github.com/gusutabopb/aioinflux/issues/11 and in
# https://github.com/hardbyte/python-common-expression-language/issues/50.
MOMENTS: dict[str, Any] = {
    "naive": MINUTE,
    "aware": MINUTE.replace(tzinfo=UTC),
    "of another zone": datetime(1970, 1, 1, 5, 46, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    "datetime64": np.datetime64("1970-01-01T00:01"),
    "datetime64 in nanoseconds": np.datetime64("1970-01-01T00:01:00.000000999"),
    "pandas": pd.Timestamp("1970-01-01 00:01"),
    "pandas in nanoseconds": pd.Timestamp("1970-01-01 00:01:00.000000999"),
    "pandas with a zone": pd.Timestamp("1970-01-01 05:31", tz="Asia/Kolkata"),
    "Arrow": pa.scalar(MINUTE),
    "Arrow in nanoseconds": pa.scalar(60_000_000_999, pa.timestamp("ns")),
    "Arrow with a zone": pa.scalar(60, pa.timestamp("s", "Asia/Kolkata")),
    "seconds": 60,
    "a float": 60.0000009,
    "NumPy's float": np.float64(60.0000009),
    "NumPy's integer": np.int32(60),
    "Arrow's integer": pa.scalar(60),
    "a decimal": Decimal("60.0000009"),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_add_and_advance_and_since_take_every_moment(moment: Any):  # noqa: ANN401 - as above
    assert start([moment]) == [60_000_000]
    window = tr.Window("1us")
    window.add(["a"], times=[59.999999])
    assert len(list(window.advance(moment))) == 1
    late = tr.Window("60s", late="keep")
    late.advance(120)
    late.add(["a"], times=[moment])
    kept = late.take_late()[0]["time"]
    assert kept == pytest.approx(60, abs=1e-6) if not isinstance(kept, datetime) else kept.tzinfo
    line = '- - - [01/Jan/1970:00:01:0{} +0000] "GET / HTTP/1.1" 200 5'
    lines = tr.from_lines([line.format(second) for second in range(3)], format="common")
    assert lines.since(moment).until(61).count().collect().total == 1


COLUMNS_OF_TIMES = [
    pd.Series([MINUTE]),
    pd.Series([MINUTE], dtype=object),
    pd.Series([60.0]),
    pd.DatetimeIndex([MINUTE]),
    pd.Series([MINUTE], dtype="datetime64[ns]").dt.tz_localize("UTC"),
    pl.Series([MINUTE]),
    pa.array([MINUTE]),
    np.array([MINUTE], dtype="M8[ms]"),
    (MINUTE,),
]


@pytest.mark.parametrize("column", COLUMNS_OF_TIMES)
def test_columns_of_times_without_a_zone_are_utc(column: Any):  # noqa: ANN401 - as above
    assert start(column) == [60_000_000]


def test_a_date_is_its_first_moment():
    assert start([date(1970, 1, 2)], "1d") == [86_400_000_000]
    assert start(pl.Series([date(1970, 1, 2)]), "1d") == [86_400_000_000]


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [
        (59.9999999, 59_999_999),
        (-0.0000001, -1),
        (-1.0000005, -1_000_001),
        (0.3, 300_000),
        (-0.3, -300_000),
        (1e-7, 0),
        # https://github.com/freach/udatetime/issues/5: 549870 instead of 549871.
        (1469897308.549871, 1_469_897_308_549_871),
        # https://github.com/fprime-community/fpy/issues/222: one low for half of all.
        (datetime(2025, 12, 19, 14, 30, 0, 7, UTC).timestamp(), 1_766_154_600_000_007),
        # https://github.com/FreeOpcUa/python-opcua/issues/1007
        (datetime(2020, 2, 10, 10, 16, 37, 393_000, UTC).timestamp(), 1_581_329_797_393_000),
    ],
)
def test_seconds_are_rounded_down_as_datetimes_are(seconds: float, micros: int):
    assert start([seconds]) == start(np.array([seconds])) == start(pd.Series([seconds])) == [micros]
    window = tr.Window("1us")
    window.add(["a"], times=[(micros - 1) / 10**6])
    assert len(list(window.advance(seconds))) == 1
    assert start([np.datetime64(micros * 1000 + 999, "ns")]) == [micros]
    assert start([pd.Timestamp(micros * 1000 + 999)]) == [micros]
    assert start(pa.array([micros * 1000 + 999], pa.timestamp("ns"))) == [micros]


@given(st.datetimes(datetime(1700, 1, 1), datetime(2240, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
@settings(max_examples=50)
def test_a_timestamp_is_its_datetime(moment: datetime):
    assert start([moment.timestamp()]) == start([moment])


NOT_TIMES: list[tuple[Any, type[Exception]]] = [
    (None, TypeError),
    (NAN, ValueError),
    # https://github.com/pandas-dev/pandas/issues/9513: `NaT` is a `datetime`.
    (pd.NaT, ValueError),
    (np.datetime64("NaT"), ValueError),
    (pa.scalar(None, pa.timestamp("us")), ValueError),
    (math.inf, ValueError),
    (10**30, ValueError),
    (LARGEST, ValueError),
    # https://github.com/numpy/numpy/issues/10685: it is a subclass of NumPy's integers.
    (np.timedelta64(60, "s"), TypeError),
    (timedelta(60), TypeError),
    (np.datetime64(10**6, "Y"), ValueError),
    ("1970-01-01", TypeError),
    ([60], TypeError),
    (object(), TypeError),
]


@pytest.mark.parametrize(("moment", "error"), NOT_TIMES)
def test_what_is_not_a_time_is_an_error(moment: Any, error: type[Exception]):  # noqa: ANN401 - as above
    window = tr.Window("60s")
    with pytest.raises(error, match=r"^now: "):
        window.advance(moment)
    with pytest.raises((TypeError, ValueError), match=r"^times\[1\]: "):
        window.add(["a", "b"], times=[0, moment])
    assert window.snapshot().total == 0


@pytest.mark.parametrize(
    "times",
    [
        pd.Series([MINUTE, pd.NaT]),
        pd.Series([0.0, NAN]),
        np.array([0.0, NAN]),
        np.array(["1970-01-01", "NaT"], dtype="M8[s]"),
        pl.Series([MINUTE, None]),
        pa.array([MINUTE, None]),
        [0, None],
    ],
)
def test_a_missing_time_is_named(times: Any):  # noqa: ANN401 - as above
    expected = r"times\[1\]: expected a time, found none \(None, NaN or NaT\); drop such rows first"
    with pytest.raises(ValueError, match=expected):
        tr.Window("60s").add(["a", "b"], times=times)


DURATIONS = [
    np.timedelta64(90, "s"),
    np.timedelta64(90_000_000_999, "ns"),
    np.timedelta64(6, "15s"),
    pd.Timedelta("90s"),
    pa.scalar(timedelta(seconds=90)),
    timedelta(seconds=90),
    np.int64(90),
    "90s",
]


@pytest.mark.parametrize("duration", DURATIONS)
def test_durations_of_every_library(duration: Any):  # noqa: ANN401 - as above
    assert repr(tr.Window(duration, lateness=duration)).startswith("<tailrace.Window of 90s every")
    query = tr.from_files("access.log").window([duration], duration).count()
    assert "window 90s every 90s" in repr(query)
    tr.from_files("access.log").since(duration if not isinstance(duration, int) else 0)


@pytest.mark.parametrize(
    "duration",
    [np.timedelta64(2, "M"), np.timedelta64(60), np.timedelta64("NaT"), pd.NaT, NAN, "", [], b"5s"],
)
def test_other_durations_are_an_error(duration: Any):  # noqa: ANN401 - as above
    with pytest.raises(ValueError, match=r"^lateness: expected"):
        tr.Window("60s", lateness=duration)


# --- columns --------------------------------------------------------------------------------------


# https://github.com/pandas-dev/pandas/issues/32582
@pytest.mark.parametrize("place", ["keys", "values", "times"])
@pytest.mark.parametrize("column", [{1, 2}, frozenset({1, 2})])
def test_a_set_has_no_order(place: str, column: Any):  # noqa: ANN401 - as above
    columns: dict[str, Any] = {"keys": [1, 2], "values": [1, 2], "times": [1, 2]} | {place: column}
    window = tr.Window("60s", aggregates={"sum": tr.sum()})
    with pytest.raises(TypeError, match=f"^{place}: .* found a (frozen)?set, which has no order"):
        window.add(columns["keys"], columns["values"], times=columns["times"])
    with pytest.raises(TypeError, match=r"^keys: expected 2 columns,"):
        tr.Window("60s", by=["a", "b"]).add({("a", "b")}, times=[0])


@pytest.mark.parametrize("column", ["ab", b"ab", bytearray(b"ab"), {"a": 1, "b": 2}, 5, object()])
def test_what_is_not_a_column_is_an_error(column: Any):  # noqa: ANN401 - as above
    with pytest.raises((TypeError, ValueError), match=r"^times: "):
        tr.Window("60s").add([1, 2], times=column)


# The keys of a dictionary have an order: https://github.com/pandas-dev/pandas/issues/36044
def test_a_generator_and_the_keys_of_a_dictionary_are_columns():
    window = tr.Window("60s")
    window.add({"a": 1, "b": 2}.keys(), times=(second for second in range(2)))
    assert window.snapshot().total == 2


# https://github.com/scikit-learn/scikit-learn/issues/34258, skrub-data/skrub#1915
LAZY = pl.LazyFrame({"key": ["a"], "time": [0]})


@pytest.mark.parametrize(
    ("lazy", "method"),
    [
        (LAZY, "collect"),
        (tr.from_files("access.log"), "collect"),
        # Made up, as dask names it.
        (SimpleNamespace(compute=1, columns=["key"]), "compute"),
    ],
)
def test_a_lazy_frame_is_not_computed(lazy: Any, method: str):  # noqa: ANN401 - as above
    name = type(lazy).__name__
    expected = rf"expected columns, found a {name}, .* call its {method}\(\)"
    window = tr.Window("60s", aggregates={"sum": tr.sum()})
    for keys_, values_, times in [(lazy, None, "time"), (["a"], lazy, [0]), (["a"], [1], lazy)]:
        with pytest.raises(TypeError, match=expected):
            window.add(keys_, values_, times=times)
    window.add(LAZY.collect().with_columns(values=1), times="time")


# Read by position there: https://github.com/pandas-dev/pandas/issues/56024,
# https://github.com/JobCollins/fairness_pipeline_dev_toolkit/issues/30
ONE_INDEX, OTHER_INDEX = pd.Index([1, 2]), pd.Index([2, 1])


def test_columns_with_different_indexes_are_refused():
    window = tr.Window("60s", aggregates={"sum": tr.sum()})
    one = pd.Series(["a", "b"], index=ONE_INDEX)
    number = pd.Series([1, 2], index=OTHER_INDEX)
    zero = pd.Series([0, 0])
    for keys_, values_, times in [
        (one, number, [0, 0]),
        (one, [1, 2], zero),
        (["a", "b"], number, zero),
        (one, pd.DataFrame({"values": number}), [0, 0]),
        ({"key": one, "values": number}, None, [0, 0]),
    ]:
        with pytest.raises(ValueError, match=r"expected the pandas index of the (keys|values)"):
            window.add(keys_, values_, times=times)
    window.add(one, number.set_axis(ONE_INDEX), times=zero.set_axis(ONE_INDEX))
    window.add(one, number.to_numpy(), times=[0, 0])
    filtered = pd.DataFrame({"key": ["x", "y", "z"], "values": [1, 2, 4], "t": [0, 0, 0]}).iloc[1:]
    window.add(filtered, times="t")
    assert [row["sum"] for row in window.snapshot()] == [4, 4, 2, 2]
    with pytest.raises(ValueError, match=r"(2|3).*(2|3)"):
        window.add(one, pd.Series([1, 2, 3]), times=[0, 0])


@pytest.mark.parametrize("column", [pd.Series([1, None, 2]), np.array([1.0]), [1.5]])
def test_floats_are_not_keys(column: Any):  # noqa: ANN401 - as above
    with pytest.raises(TypeError, match=r"^keys.*: expected text, bytes, .* found float"):
        keys(column)


# --- quantiles ------------------------------------------------------------------------------------


def quantile_of(numbers: list[Any], q: float, error: float = 0.01) -> Any:  # noqa: ANN401 - a number
    return values(numbers, q=tr.quantile(q, error=error))["q"]


@pytest.mark.parametrize(
    ("numbers", "q", "expected"),
    [
        ([21.5, 24.0], 0.95, 24.0),
        ([21.5, 24.0], 0.5, 21.5),
        (list(range(1, 51)), 0.99, 50.0),
        (list(range(1, 51)), 0.0, 1.0),
        # https://github.com/DataDog/sketches-go/pull/83: p100 of 28 was 27.5.
        ([28], 1.0, 28.0),
        # https://github.com/mheffner/rust-sketches-ddsketch/issues/7: 1224.4.
        ([1234], 0.5, 1234.0),
        # https://github.com/mheffner/rust-sketches-ddsketch/pull/3: rank 2 instead of 3.
        ([1, 10, 100, 1000], 0.6, pytest.approx(100, rel=0.01)),
        # https://github.com/apache/druid/pull/4744: quantiles above the maximum.
        ([0.1, 0.1, 0.3], 0.99, 0.3),
        ([-3.0, -1.0], 0.1, -3.0),
        ([NAN, 5.0], 0.5, 5.0),
        ([], 0.5, None),
        ([-0.0], 0.5, 0.0),
        ([math.inf, 1.0], 1, math.inf),
        ([LARGEST], 0.5, float(LARGEST)),
    ],
)
def test_quantiles(numbers: list[Any], q: float, expected: Any):  # noqa: ANN401 - a number
    assert quantile_of([*numbers, None], q) == expected


# https://github.com/numpy/numpy/issues/22582: 7, 14, 28, 55 and 56 % of 100 numbers were one high.
@pytest.mark.parametrize("percent", range(101))
def test_a_quantile_is_the_decimal_that_was_written(percent: int):
    found = quantile_of(list(range(1, 101)), percent / 100, error=0.001)
    assert round(found) == max(percent, 1)


def rank(q: float, n: int) -> int:
    return max(math.ceil(Fraction(repr(q)) * n), 1)


numbers = st.one_of(
    st.integers(-100, 100).map(float),
    st.floats(-1e12, 1e12).filter(lambda number: not 0 < abs(number) < 1e-300),
    st.just(math.nan),
)
qs = st.one_of(st.integers(0, 100).map(lambda q: q / 100), st.floats(0, 1, width=32))


def check(found: float | None, held: list[float], q: float, error: float) -> None:
    held = sorted(number for number in held if not math.isnan(number))
    if not held:
        assert found is None
        return
    assert found is not None
    expected = held[rank(q, len(held)) - 1]
    assert held[0] <= found <= held[-1]
    assert abs(found - expected) <= error * abs(expected) * (1 + 1e-12)
    if rank(q, len(held)) in (1, len(held)):
        assert found == expected


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab"), numbers), max_size=60),
    qs,
    st.sampled_from([0.01, 0.001, 0.3]),
)
@settings(max_examples=150)
def test_quantiles_slide_and_merge(events: list[tuple[int, str, float]], q: float, error: float):
    several = {"q": tr.quantile(q, error=error), "half": tr.quantile(0.5, error=error)}
    lengths = {"length": ["4s", None], "every": "1s", "aggregates": several}
    whole = tr.Window(**lengths)
    for part in (events[::2], events[1::2]):
        window = tr.Window(**lengths)
        window.add(
            [key for _, key, _ in part], [n for *_, n in part], times=[time for time, *_ in part]
        )
        exported = window.export_table() if part is events else window.export()
        whole.merge(exported)
    open_rows = {row["key"]: row for row in whole.snapshot(1)}
    for snapshot in whole.finish():
        until = snapshot.end.timestamp()
        since = until - 4 if snapshot.lookback == 0 else -1
        for row in snapshot:
            held = [n for time, key, n in events if key == row["key"] and since <= time < until]
            check(row["q"], held, q, error)
            check(row["half"], held, 0.5, error)
    for key, row in open_rows.items():
        check(row["q"], [n for _, one, n in events if one == key], q, error)


def test_an_export_of_version_1_is_refused():
    window = tr.Window("60s", aggregates={"q": tr.quantile(0.5)})
    window.add(["a"], [1.0], times=[0])
    data = window.export()
    assert data[:5] == b"tlrc\x03"
    old = data[:4] + b"\x01" + data[5:]
    with pytest.raises(
        ValueError, match="expected version 3 of the export format, found version 1"
    ):
        tr.Window("60s", aggregates={"q": tr.quantile(0.5)}).merge(old)


def test_bounds_of_an_export_are_checked():
    window = tr.Window("60s", aggregates={"q": tr.quantile(0.5)})
    window.add(["a", "a"], [1.0, 2.0], times=[0, 0])
    data = window.export()
    other = tr.Window("60s", aggregates={"q": tr.quantile(0.5)})
    for wrong in (3.0, math.nan, -1.0, 0.5):
        end = data.rindex(np.float64(2.0).tobytes())
        with pytest.raises(ValueError, match="the export is damaged"):
            other.merge(data[:end] + np.float64(wrong).tobytes() + data[end + 8 :])
    other.merge(data)
    assert other.snapshot().rows[0]["q"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("x",), ValueError, r"found none; pass it as in quantile\('x', 0.99\)"),
        ((), ValueError, r"found none; pass it as in quantile\(0.99\)"),
        (("x", "y"), TypeError, "expected q as a number from 0 to 1, found 'y'"),
        ((0.9, "x"), TypeError, "found 'x'; the field comes first"),
        (("x", True), TypeError, "found True"),
        (("x", 1.5), ValueError, "found 1.5"),
        (("x", NAN), ValueError, "found nan"),
        ((95,), ValueError, "found 95"),
    ],
)
def test_a_wrong_quantile(arguments: tuple[Any, ...], error: type[Exception], message: str):
    with pytest.raises(error, match=f"^quantile: .*{message}"):
        tr.quantile(*arguments)


def test_a_quantile_may_be_a_number_of_numpy():
    assert tr.quantile("x", np.float32(0.5)) == tr.quantile("x", 0.5)
    assert quantile_of([1, 2, 3, 4], np.float64(0.75)) == pytest.approx(3, rel=0.01)
    assert statistics.median_low([1, 2]) == quantile_of([1, 2], 0.5)


# --- copies and frames ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_window_is_exported_not_copied(make: Callable[[Any], Any]):
    window = tr.Window("60s")
    for one in (window, window.finish(), [window]):
        if make is copy.copy and one is not window:
            continue
        with pytest.raises(TypeError, match=r"a Window cannot be pickled or copied; export\(\)"):
            make(one)


@pytest.fixture
def snapshot() -> tr.Snapshot:
    window = tr.Window("60s", aggregates={"n": tr.count(), "sum": tr.sum(), "last": tr.last("t")})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    values_ = {"values": [2**62, 2**62, None], "t": [moment] * 3}
    window.add(["a", "a", "b"], values_, times=[0, 1, 2])
    return window.snapshot()


def test_frames_of_a_snapshot(snapshot: tr.Snapshot):
    names = ["key", "n", "sum", "last"]
    rows = [dict(row) for row in snapshot]
    assert rows[0]["sum"] == 2**63
    assert snapshot.to_dicts(bounds=False) == rows
    assert snapshot.to_arrow().to_pylist() == rows
    assert snapshot.to_polars().to_dicts() == rows
    frame = snapshot.to_pandas()
    assert list(frame) == list(pd.DataFrame(snapshot)) == names
    assert (frame["n"].dtype, frame["sum"].tolist()) == (np.dtype("int64"), [2**63, None])
    assert frame["last"].dt.tz is not None
    for bounded in (
        snapshot.to_dicts(),
        snapshot.to_dicts(bounds=True),
        snapshot.to_arrow(bounds=True).to_pylist(),
        snapshot.to_polars(bounds=True).to_dicts(),
    ):
        assert [list(row) for row in bounded] == [["start", "end", *names]] * 2
        assert bounded == snapshot.to_dicts()
    frame = snapshot.to_pandas(bounds=True)
    assert list(frame) == ["start", "end", *names]
    assert frame["end"].tolist() == [snapshot.end] * 2


def test_frames_without_rows_and_with_missing_integers():
    empty = tr.Window("60s").snapshot()
    assert (
        empty.to_pandas(bounds=True).dtypes.astype(str).tolist()[:2] == ["datetime64[us, UTC]"] * 2
    )
    assert empty.to_polars(bounds=True).schema["start"] == pl.Datetime("us", "UTC")
    assert list(empty.to_pandas()) == ["key", "count"]
    window = tr.Window("60s", aggregates={"max": tr.max()})
    window.add(["a", "b"], [2**53 + 1, None], times=[0, 0])
    column = window.snapshot().to_pandas()["max"]
    assert (str(column.dtype), column[0]) == ("Int64", 2**53 + 1)


def test_a_key_field_with_the_name_of_a_bound():
    window = tr.Window("60s", by="start")
    window.add(["a"], times=[0])
    snapshot = window.snapshot()
    assert snapshot.to_polars().columns == ["start", "count"]
    for method in (snapshot.to_dicts, snapshot.to_arrow, snapshot.to_polars, snapshot.to_pandas):
        with pytest.raises(ValueError, match=f"^{method.__name__}: 'start' is a key field"):
            method(bounds=True)


def test_frames_of_a_batch_and_of_a_copy(snapshot: tr.Snapshot):
    line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 -'
    batch = tr.Format("common").parse(line, fields=["url", "status", "size", "time"])
    rows = batch.to_dicts()
    assert list(batch) == batch.to_arrow().to_pylist() == batch.to_polars().to_dicts() == rows
    assert batch.to_pandas().dtypes.astype(str).tolist()[1:3] == ["int64", "Int64"]
    assert list(pd.DataFrame(batch)) == ["url", "status", "size", "time"]
    with pytest.raises(ValueError, match="a copied or unpickled snapshot has no Arrow columns"):
        copy.copy(snapshot).to_polars()


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_without_a_library_the_extra_is_named(
    library: str, snapshot: tr.Snapshot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    method, extra = {
        "pandas": ("to_pandas", "pandas"),
        "polars": ("to_polars", "polars"),
        "pyarrow": ("to_arrow", "arrow"),
    }[library]
    expected = rf"^{method}: needs {library}: pip install 'tailrace\[{extra}\]'$"
    with pytest.raises(ImportError, match=expected):
        getattr(snapshot, method)()


def test_a_snapshot_and_a_batch_are_tables(snapshot: tr.Snapshot):
    window = tr.Window("60s", aggregates={"sum": tr.sum("n")})
    window.add(snapshot, times="last")
    assert window.snapshot().rows == [{"key": "a", "sum": 2}, {"key": "b", "sum": 1}]
