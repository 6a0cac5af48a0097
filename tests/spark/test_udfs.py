"""The functions for columns and SQL give what `parse` gives, and the URL of the classic program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyspark
import pytest
from classic_program import decoded, parsed_by_program, shown
from damaged import damaged
from pyspark.errors import PySparkTypeError
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's documentation
from pyspark.sql.types import StructType

import tailrace.spark as ts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

FIELDS = ["host", "time", "url", "status", "size", "request_time"]

HAS_ARROW_UDF = hasattr(F, "arrow_udf")
HAS_TABLE_FUNCTION = hasattr(F, "arrow_udtf")


_PIECES = [b'"', b"\\", b" ", b"[", b"]", b"\xff", b"\xc2\x85", b"\x1c", b"\x00", b"\t", b"\r"]

HOSTILE = [
    b"",
    b"\n",
    b'h i u [t] "GET /a HTTP/1.1" 200 5 "r" "a"\n',
    b'h i u [t] "GET /a HTTP/1.1" 200 5 "r" "a" \x1c \n',
    b'h i u [t] "GET /a HTTP/1.1" 200 5 "r" "a" more',
    b'h i u [t] "GET" 200 5 "r" "a"',
    b'h i u [t] "" 200 5 "r" "a"',
    b'h i u [t] "\xe3\x80\x80GET\xe3\x80\x80/\xff\xfe" 200 5 "r" "a"',
    b'h i u [t] [t] "a" "GET /b" 200 5 "r" "a" "b"',
    'h i u [t] "GET /é\u2028 x" 9 - "" ""'.encode(),
    b"x " * 60 + b'"' * 60,
    b'h i u [t] "GET /' + b"u" * 60_000 + b'" 200 5 "r" "a"',
]
LINES = [*HOSTILE, *damaged(300, _PIECES, 4), None]


@pytest.fixture(scope="module")
def lines(spark: SparkSession) -> DataFrame:
    """Lines in order of `id`, as bytes and as text."""
    rows = [(number, one and bytearray(one)) for number, one in enumerate(LINES)]
    df = spark.createDataFrame(rows, "id int, raw binary")
    return df.withColumn("value", F.col("raw").cast("string")).repartition(2).cache()


@pytest.fixture
def large_types(spark: SparkSession) -> Iterator[None]:
    spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")
    yield
    spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")


def url_of(line: bytes | None) -> str | None:
    """Return what `extractURLRequest` of the classic program returns."""
    row = None if line is None else parsed_by_program(decoded(line))
    return None if row is None or row["url"] is None else shown(row["url"])


@pytest.mark.parametrize("column", ["value", "raw"])
def test_the_struct_has_what_parse_gives(lines: DataFrame, column: str):
    options = {"log_format": "main-rt,combined", "reject_column": "why", "bad_utf8_column": "bad"}
    by_udf = lines.withColumn("log", ts.parse_udf(FIELDS, **options)(column))
    by_parse = ts.parse(lines, column, fields=FIELDS, **options)

    of = by_udf.schema["log"].dataType
    assert by_udf.schema[:-1] == lines.schema
    assert of == StructType([*ts.schema("main-rt,combined", FIELDS)]).add("why", "string").add(
        "bad", "boolean"
    )
    found = by_udf.select("id", "log.*").sort("id").collect()
    assert found == by_parse.drop("raw", "value").sort("id").collect()
    assert {row.why for row in found} == {None, "no-match"}
    assert {row.bad for row in found} == {True, False}


@pytest.mark.usefixtures("large_types")
def test_columns_of_large_types(lines: DataFrame):
    by_udf = lines.withColumn("log", ts.parse_udf(["url", "time"])(F.col("value")))
    found = (
        by_udf.select("id", "log.*", ts.url_udf()("value").alias("classic")).sort("id").collect()
    )

    by_parse = ts.parse(lines, fields=["url", "time"]).drop("raw", "value").sort("id").collect()
    assert [row[:3] for row in found] == by_parse
    assert [row.classic for row in found] == list(map(url_of, LINES))


@pytest.mark.parametrize("column", ["value", "raw"])
def test_the_url_is_that_of_the_classic_program(lines: DataFrame, column: str):
    found = lines.select("id", ts.url_udf()(column).alias("url")).sort("id").collect()

    urls = [row.url for row in found]
    assert urls == list(map(url_of, LINES))
    assert len(set(urls)) > 50


def test_rows_of_nothing_but_nulls(spark: SparkSession):
    df = spark.range(2).selectExpr("id", "CAST(null AS STRING) AS value")
    found = df.select(ts.parse_udf(["url", "status"])("value"), ts.url_udf()("value")).collect()

    assert [tuple(row) for row in found] == [((None, None), None)] * 2


def test_functions_in_sql(spark: SparkSession, lines: DataFrame):
    # A byte that is not UTF-8 does not reach pandas as text.
    view = lines if HAS_ARROW_UDF else lines.withColumn("value", F.col("raw"))
    view.createOrReplaceTempView("lines_of_log")
    ts.register(spark, fields=["status"])
    ts.register(spark, fields=["url", "size"])
    found = spark.sql(
        "SELECT id, log.url, log.size, classic FROM (SELECT id, tailrace_parse(value) AS log, "
        "tailrace_url(value) AS classic FROM lines_of_log) ORDER BY id"
    ).collect()

    by_parse = ts.parse(lines, fields=["url", "size"]).drop("raw", "value").sort("id").collect()
    assert [row[:3] for row in found] == by_parse
    assert [row.classic for row in found] == list(map(url_of, LINES))


@pytest.mark.skipif(
    not HAS_TABLE_FUNCTION, reason=f"Spark {pyspark.__version__} has no table functions on Arrow"
)
def test_the_table_function_in_sql(spark: SparkSession, lines: DataFrame):
    lines.createOrReplaceTempView("lines_of_log")
    ts.register(spark, fields=["url", "time", "status"])
    found = spark.sql("SELECT * FROM tailrace_lines(TABLE(lines_of_log))")
    of_bytes = spark.sql("SELECT * FROM tailrace_lines(TABLE(SELECT raw FROM lines_of_log))")

    parsed = ts.parse(lines, fields=["url", "time", "status"]).drop("id", "raw", "value")
    assert found.schema == ts.schema("combined", ["url", "time", "status"])
    every = sorted(map(str, parsed.collect()))
    assert sorted(map(str, found.collect())) == every
    assert sorted(map(str, of_bytes.collect())) == every
    assert spark.sql("SELECT * FROM tailrace_lines('?')").collect() == [(None, None, None)]
    with pytest.raises(Exception, match="expected a column 'value' or one column of strings"):
        spark.sql("SELECT * FROM tailrace_lines(TABLE(SELECT id FROM lines_of_log))").collect()


def test_arguments_that_are_refused(spark: SparkSession):
    with pytest.raises(ValueError, match="log_format: 'auto' needs lines to look at"):
        ts.parse_udf(log_format="auto")
    with pytest.raises(ValueError, match="did you mean 'url'"):
        ts.parse_udf(["ulr"])
    with pytest.raises(ValueError, match=r"log_format: .*header"):
        ts.register(spark, log_format="w3c")
    with pytest.raises(ValueError, match="geoip: expected a MaxMind DB file"):
        ts.parse_udf(["host:country"])
    with pytest.raises(TypeError, match="reject_column: expected text"):
        ts.parse_udf(reject_column=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="spark: expected a session of Spark, found None"):
        ts.register(None)  # type: ignore[arg-type]
    with pytest.raises(PySparkTypeError, match=r"NOT_.*int"):
        ts.url_udf()(5)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"tailrace_url\(\) takes 1 positional argument but 2"):
        spark.range(1).select(ts.url_udf()(F.lit("a"), F.lit("b"))).collect()  # type: ignore[call-arg]
    csv = ts.parse_udf(["b"], "csv", columns="a,b:int")
    found = spark.createDataFrame([("x,5",)], "value string").select(csv("value")["b"]).first()
    assert found[0] == 5
