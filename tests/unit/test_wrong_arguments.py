"""Values of every kind for every argument of the library: a result, or an error of its own."""

import math
import traceback
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tailrace as tr

LINE = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'

VALUES = [
    *(None, True, 0, -1, 5, 2**70, 1.5, math.nan, math.inf, 3 + 4j, Decimal(1), uuid.UUID(int=1)),
    *("", "x", "\udcff", "5m", b"x", bytearray(b"x"), memoryview(b"x")),
    *([], [1], ["a"], [None], [[]], (), ("a", "b"), {}, {"a": 1}, set(), {"a"}, range(3), slice(1)),
    *(datetime(2020, 1, 1, tzinfo=UTC), date(2020, 1, 1), timedelta(1), object(), object, len, ...),
    *(np.int64(3), np.float64("nan"), np.datetime64("2020"), np.timedelta64(1, "s")),
    *(np.array([1]), np.array([[1]]), np.array(5), pd.NA, pd.NaT),
    *(pd.Series([1]), pd.DataFrame({"a": [1]}), pl.Series([1]), pl.DataFrame({"a": [1]})),
    *(pl.LazyFrame({"a": [1]}), pa.array([1]), pa.table({"a": [1]}), pa.scalar(1)),
    *(tr.count(), tr.Window("60s"), tr.from_lines(["a"]), tr.Format("combined")),
]

MAX = {"n": tr.count(), "max": tr.max()}


def query() -> tr.Query:
    return tr.from_lines([LINE], format="combined")


def window(**options: Any) -> tr.Window:  # noqa: ANN401 - of any argument
    return tr.Window(**{"length": "60s", "aggregates": MAX} | options)


def late(**columns: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as above
    kept = window(late="keep")
    kept.advance(10**9)
    add(kept, **columns)
    return kept.take_late()


def add(into: tr.Window, **columns: Any) -> None:  # noqa: ANN401 - as above
    columns = {"keys": ["a"], "values": [1], "times": [1]} | columns
    into.add(columns["keys"], columns["values"], times=columns["times"])
    into.snapshot()


def snapshot() -> tr.Snapshot:
    one = window()
    add(one)
    return one.snapshot()


def with_each(call: Callable[..., Any], *names: str) -> dict[str, Callable[[Any], Any]]:
    """Return a call for each of these arguments."""
    title = getattr(call, "__name__", "call")
    return {f"{title} {name}": lambda value, name=name: call(**{name: value}) for name in names}


OPTIONS = ("length", "every", "by", "aggregates", "top", "order_by", "ascending", "track_ranks")
FIELD = ("count", "sum", "mean", "min", "first", "std", "count_distinct", "rate", "top_values")
PARSE = tr.Format("combined").parse
CALLS: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(tr, name) for name in FIELD},
    **with_each(tr.approx_count_distinct, "field", "error"),
    **with_each(lambda **one: tr.quantile(**{"field": "x", "q": 0.5} | one), "field", "q", "error"),
    "quantile": tr.quantile,
    "ratio": lambda value: tr.ratio(value, "b"),
    "ratio by": lambda value: tr.ratio("a", value),
    "top_values n": lambda value: tr.top_values("a", value),
    **with_each(window, *OPTIONS, "offset", "lateness", "max_keys", "late"),
    "an aggregate": lambda value: window(aggregates={"a": value}),
    "a length": lambda value: window(length=[value]),
    "a key": lambda value: window(by=[value]),
    **with_each(lambda **one: add(window(), **one), "keys", "values", "times"),
    **with_each(late, "keys", "values", "times"),
    "in keys": lambda value: late(keys=[value]),
    "in values": lambda value: late(values=[value]),
    "in times": lambda value: late(times=[value]),
    "two keys": lambda value: add(window(by=["a", "b"]), keys=value),
    "columns of two keys": lambda value: add(window(by=["a", "b"]), keys=[value, value]),
    "a table": lambda value: window().add(value, times="t"),
    "a row": lambda value: window().add([{"key": "a", "values": 1, "t": 1}, value], times="t"),
    "a column": lambda value: window().add({"key": value, "values": [1], "t": [1]}, times="t"),
    "advance": lambda value: list(window().advance(value)),
    "snapshot": lambda value: window().snapshot(value),
    "merge": lambda value: window().merge(value),
    "head": lambda value: snapshot().head(value),
    **with_each(lambda **one: snapshot().to_pandas(**one), "bounds"),
    "Format": tr.Format,
    "parse": PARSE,
    "parse fields": lambda value: PARSE(b"x", fields=value),
    "select": lambda value: PARSE(b"x").select(value),
    "detect": tr.detect,
    "detect fields": lambda value: tr.detect(b"x", fields=value),
    "from_lines": lambda value: tr.from_lines(value, format="combined").count().collect(),
    "from_lines format": lambda value: tr.from_lines([], format=value),
    "from_files": tr.from_files,
    "from_files follow": lambda value: tr.from_files("x", follow=value),
    "from_flume": tr.from_flume,
    "from_flume sender": lambda value: tr.from_flume("h:1", sender=value),
    "merge queries": tr.merge,
    **with_each(
        lambda **one: query().window(**{"length": "60s", "time": "log"} | one),
        *("length", "every", "offset", "time", "lateness", "idle_timeout", "max_ahead"),
        *("max_behind", "batch_interval"),
    ),
    "count by": lambda value: query().count(by=value),
    "agg": lambda value: query().agg(x=value),
    "max_keys": lambda value: query().max_keys(value),
    "where": lambda value: query().where(value),
    "since": lambda value: query().since(value),
    "until": lambda value: query().until(value),
    "top": lambda value: query().count("url").top(value),
    "top order_by": lambda value: query().count("url").top(3, order_by=value),
    "sorted": lambda value: query().count("url").sorted(value),
    "jobs": lambda value: query().count("url").collect(jobs=value),
    "fields": lambda value: list(query().parse(value)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_an_error_of_the_library(name: str):
    wrong = []
    for value in VALUES:
        try:
            CALLS[name](value)
        except (TypeError, ValueError) as error:
            where = traceback.extract_tb(error.__traceback__)[-1].filename
            is_ours = "tailrace" in where or "test_wrong_arguments" in where
            if not is_ours or not str(error) or "is not an instance of" in str(error):
                wrong.append((value, error))
    assert wrong == []
