"""User-defined functions for columns and for SQL."""

# No `from __future__ import annotations`: Spark reads the hints of these functions as types.

import functools
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from typing import Any

import pyarrow as pa
import pyspark.sql.functions as F  # noqa: N812 - as all of Spark's documentation
from pyspark.sql import Column, SparkSession
from pyspark.sql.pandas import functions as vectorized
from pyspark.sql.types import DataType, StringType, StructType

from tailrace.spark._described import Described, check_spec, describe, new_columns
from tailrace.spark._executors import importer
from tailrace.spark._source import register_source

__all__ = ["parse_udf", "register", "url_udf"]

# Overloads that no checker of types can choose from; the other two are of Spark 4.1 or later.
_pandas_udf: Any = vectorized.pandas_udf
_arrow_udf: Any = getattr(vectorized, "arrow_udf", None)
_arrow_udtf: Any = getattr(F, "arrow_udtf", None)


def parse_udf(
    fields: Sequence[str] | None = None,
    log_format: str = "combined",
    *,
    columns: str | Sequence[str] | None = None,
    reject_column: str | None = None,
    bad_utf8_column: str | None = None,
    tz: str | tzinfo = "UTC",
    geoip: str | os.PathLike[str] | None = None,
) -> Callable[..., Column]:
    """
    Return a user-defined function from a line to a struct of its fields.

    For code with `withColumn`; `parse` takes half the time. The struct has the columns that `parse`
    adds in the mode `permissive`: of a line that is rejected or null, each field is null. It is an
    Arrow function in Spark 4.1 or later, and needs pandas before.

    Args:
        fields: The fields, in this order; by default the columns of the format.
        log_format: As for `parse`, but not `auto`.
        columns: As for `parse`.
        reject_column: As for `parse`: the last field of the struct, with the reason.
        bad_utf8_column: As for `parse`, after that one.
        tz: As for `parse`.
        geoip: As for `parse`.

    Raises:
        ImportError: A field needs the packages of `tailrace[agents]`, or Spark needs pandas.
        ValueError: An argument is invalid.

    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> logs = spark.createDataFrame([(line,)], "value string")
    >>> parsed = logs.withColumn("log", ts.parse_udf(["url", "status"])("value"))
    >>> parsed.select("log.url", "log.status").first()
    Row(url='/a', status=200)
    """
    described = describe(check_spec(log_format, columns), fields, tz=tz, geoip=geoip)
    of = new_columns(described.struct(), reject_column, bad_utf8_column)
    return _udf("tailrace_parse", described, of, reject_column, bad_utf8_column)


def url_udf() -> Callable[..., Column]:
    """
    Return a user-defined function from a line to its URL, in place of `extractURLRequest`.

    The answer is that of the regular expression which older Spark programs parse a line with: the
    second word of the request, or null. It takes linear time for any line; a line of more than 64
    KiB is null.

    Raises:
        ImportError: Spark needs pandas, before 4.1.

    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> logs = spark.createDataFrame([(line,)], "value string")
    >>> logs.withColumn("url", ts.url_udf()("value")).first().url
    '/a'
    """
    return _udf("tailrace_url", describe("classic", ["url"]), StringType())


def register(
    spark: SparkSession,
    *,
    fields: Sequence[str] | None = None,
    log_format: str = "combined",
    columns: str | Sequence[str] | None = None,
    tz: str | tzinfo = "UTC",
    geoip: str | os.PathLike[str] | None = None,
) -> None:
    """
    Register functions for SQL in a session; another call replaces them.

    - `tailrace_parse(value)` is `parse_udf`, and `tailrace_url(value)` is `url_udf`.
    - `tailrace_lines(TABLE(logs))`, in Spark 4.1 or later, is a table of the fields, a row for each
      row of `logs`, whose lines are in the column `value` or in its only column of text.
    - `spark.read.format("tailrace")`, in Spark 4, reads log files; its options are those of the
      command, whatever the arguments here are.

    Args:
        spark: The session.
        fields: The fields, in this order; by default the columns of the format.
        log_format: As for `parse`, but not `auto`.
        columns: As for `parse`.
        tz: As for `parse`.
        geoip: As for `parse`.

    Raises:
        ImportError: As by `parse_udf`.
        TypeError: *spark* is not a session.
        ValueError: An argument is invalid.

    >>> ts.register(spark, fields=["url", "status"])
    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> spark.createDataFrame([(line,)], "value string").createOrReplaceTempView("logs")
    >>> spark.sql("SELECT tailrace_parse(value) AS log, tailrace_url(value) FROM logs").first()[0]
    Row(url='/a', status=200)
    """
    if not hasattr(spark, "udf"):
        raise TypeError(f"spark: expected a session of Spark, found {spark!r:.80}")
    described = describe(check_spec(log_format, columns), fields, tz=tz, geoip=geoip)
    spark.udf.register("tailrace_parse", _udf("tailrace_parse", described, described.struct()))
    spark.udf.register("tailrace_url", url_udf())
    if _arrow_udtf is not None:
        spark.udtf.register("tailrace_lines", _table_function(described))
    register_source(spark)


def _udf(
    name: str,
    described: Described,
    of: DataType,
    reasons: str | None = None,
    bad_utf8: str | None = None,
) -> Callable[..., Column]:
    """Return the function that Spark's version runs fastest."""
    load, plain = importer(), described.plain
    is_struct = isinstance(of, StructType)

    def of_arrow(lines: pa.Array) -> pa.Array:
        found = load("tailrace.spark._rows").table(lines, plain, reasons, bad_utf8)
        return found.to_struct_array() if is_struct else found.column(0)

    def of_pandas(lines: Any) -> Any:  # noqa: ANN401 - these are set below
        frame = load("tailrace.spark._rows").frame(lines, plain, reasons, bad_utf8)
        return frame if is_struct else frame.iloc[:, 0]

    for one in (of_arrow, of_pandas):
        # Spark shows both.
        one.__name__ = one.__qualname__ = name
    if _arrow_udf is not None:
        found: Callable[..., Column] = _arrow_udf(of_arrow, of)
        return found
    pd = importlib.import_module("pandas")
    of_pandas.__annotations__ = {
        "lines": pd.Series,
        "return": pd.DataFrame if is_struct else pd.Series,
    }
    return _of_bytes(_pandas_udf(of_pandas, of))


def _of_bytes(udf: Any) -> Callable[..., Column]:  # noqa: ANN401 - of a class that differs by version
    """Return a function that takes lines as bytes: pandas refuses text that is not UTF-8."""

    @functools.wraps(udf)
    def on_bytes(line: Column | str) -> Column:
        column = F.col(line) if isinstance(line, str) else line
        # What is no column is refused there.
        found: Column = udf(column.cast("binary") if hasattr(column, "cast") else column)
        return found

    return on_bytes


def _table_function(described: Described) -> Any:  # noqa: ANN401 - a class that 3.5 lacks
    load, plain = importer(), described.plain

    class Lines:
        def eval(self, lines: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
            yield load("tailrace.spark._rows").table_of(lines, plain)

    return _arrow_udtf(Lines, returnType=described.struct())
