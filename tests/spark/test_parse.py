"""
`tailrace.spark.parse` gives each row what the core parses from its line alone.

The oracles are `tr.Format.parse`, one line at a time, and on clean lines Spark's own SQL.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import mmdb
import pyarrow as pa
import pyspark
import pytest
from damaged import damaged, logged
from pyspark import TaskContext
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's documentation
from pyspark.sql.types import StructType, TimestampType

import tailrace as tr
import tailrace.spark as ts
from tailrace.spark import _rows
from tailrace.spark._described import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

Line = bytes | None

IS_4 = not pyspark.__version__.startswith("3.")

FIELDS = ["host", "time", "url", "status", "size", "agent"]


def line(**parts: object) -> bytes:
    """Return a line of the format combined."""
    given = {"host": "192.0.2.1", "time": "17/May/2015:10:05:03 +0000", "url": "/a"}
    given |= {"status": 200, "size": 5, "agent": "x", **parts}
    text = '{host} - - [{time}] "GET {url} HTTP/1.1" {status} {size} "-" "{agent}"'.format_map(
        given
    )
    return text.encode("utf-8", "surrogateescape")


_PIECES = [
    b'"',
    b"\\",
    b" ",
    b"[",
    b"]",
    b"\xff",
    b"\xc3\xa9",
    b"\x00",
    b"-",
    b"\t",
    b"\r",
    b"9" * 20,
]

CORPUS: list[Line] = [
    *logged(150),
    *damaged(300, _PIECES, 17),
    None,
    b"",
    b"-",
    line(agent="\udcff\udcfeq"),
    line(agent="é" * 9) + b"\n",
    line(url="/" + "u" * 60_000),
    line(url="/" + "u" * 70_000),
    line(time="01/Jan/1700:00:00:00 +0000"),
    line(size=2**63 - 1),
    None,
]


def lines_of(
    spark: SparkSession, lines: Sequence[Line], kind: str = "string", *, name: str = "value"
) -> DataFrame:
    """Return lines in order of `id`, in a column of this type."""
    rows = [(number, None if one is None else bytearray(one)) for number, one in enumerate(lines)]
    df = spark.createDataFrame(rows, "id int, value binary")
    return df.select("id", F.col("value").cast(kind)).toDF("id", name)


def expected(
    lines: Sequence[Line], fields: Sequence[str] | None = FIELDS, **log_format: object
) -> list[tuple[Any, ...]]:
    """Return the fields of each line, parsed alone, and the reason why it was rejected."""
    parser = tr.Format(log_format.pop("name", "combined"), **log_format)
    names = list(fields or parser.columns)
    found = []
    for one in lines:
        batch = parser.parse([] if one is None else [one], fields=names)
        row = batch.to_dicts()[0] if len(batch) else dict.fromkeys(names)
        reason = batch.rejects[0].reason if batch.rejects else None
        found.append((*(_plain(row[name]) for name in names), reason))
    return found


def _plain(value: object) -> object:
    """Return a value as a column of one type holds it: of another type than text, its JSON."""
    return json.dumps(value) if isinstance(value, bool | list | dict) else micros(value)


def micros(value: object) -> object:
    """Return a datetime as microseconds since the epoch."""
    if isinstance(value, datetime):
        return (value - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return value


def rows(df: DataFrame, *without: str) -> list[tuple[Any, ...]]:
    """Return the rows in order of `id`, without these columns; times are in microseconds."""
    columns = [
        F.unix_micros(f"`{one.name}`")
        if isinstance(one.dataType, TimestampType)
        else f"`{one.name}`"
        for one in df.schema
        if one.name not in without
    ]
    return [tuple(row) for row in df.sort("id").select(*columns).collect()]


@pytest.fixture
def settings(spark: SparkSession) -> Iterator[dict[str, str]]:
    """Settings of the session, which are as before after the test."""
    names: dict[str, str] = {}
    zone = spark.conf.get("spark.sql.session.timeZone")
    yield names
    for name in names:
        spark.conf.unset(name)
    spark.conf.set("spark.sql.session.timeZone", zone)


@pytest.fixture(scope="module")
def corpus(spark: SparkSession) -> DataFrame:
    return lines_of(spark, CORPUS).repartition(3).cache()


# --- what the columns hold ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["string", "binary"])
def test_each_row_has_what_the_core_parses_of_its_line(spark: SparkSession, kind: str):
    df = lines_of(spark, CORPUS, kind)
    parsed = ts.parse(df, fields=FIELDS, reject_column="why", bad_utf8_column="bad")

    found = rows(parsed, "value", "bad")
    assert found == [(number, *row) for number, row in enumerate(expected(CORPUS))]
    assert {row[-1] for row in found} == {None, "no-match", "too-long"}
    assert parsed.schema == StructType([*df.schema, *ts.schema("combined", FIELDS)]).add(
        "why", "string"
    ).add("bad", "boolean")
    # Of the text, where an agent is replaced.
    replaced = {number for number, *row in found if "\ufffd" in f"{row[2]}{row[5]}{row[0]}"}
    assert {row.id for row in parsed.where("bad").select("id").collect()} == replaced != set()


def test_all_columns_of_the_format_by_default(corpus: DataFrame):
    parsed = ts.parse(corpus)

    assert rows(parsed, "value") == [
        (number, *row[:-1]) for number, row in enumerate(expected(CORPUS, None))
    ]
    assert parsed.schema == StructType([*corpus.schema, *ts.schema()])


def test_lines_stay_as_they_are(corpus: DataFrame):
    as_bytes = F.col("value").cast("binary").alias("value")
    kept = ts.parse(corpus, fields=["url"]).select("id", as_bytes)

    assert rows(kept) == [
        (number, None if one is None else bytearray(one)) for number, one in enumerate(CORPUS)
    ]


MATCHED = [None not in (row[0], one) for row, one in zip(expected(CORPUS), CORPUS, strict=True)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, "True"),
        ({"mode": "drop"}, "matched"),
        ({"where": "status == 404"}, "status == 404"),
        ({"where": "status != 404"}, "matched and status != 404"),
        ({"where": "status == 404", "mode": "drop"}, "status == 404"),
        ({"where": "status == 404", "reject_column": "why"}, "status == 404 or why"),
        ({"where": "host == nobody"}, "False"),
    ],
    ids=str,
)
def test_which_rows_are_kept(corpus: DataFrame, given: dict[str, Any], kept: str):
    parsed = ts.parse(corpus, fields=FIELDS, **given)
    every = [
        (number, *row)
        for number, (row, matched) in enumerate(zip(expected(CORPUS), MATCHED, strict=True))
        if eval(kept, {"matched": matched, "status": row[3], "why": row[-1]})  # noqa: S307 - ours
    ]

    if "reject_column" not in given:
        every = [row[:-1] for row in every]
    assert rows(parsed, "value") == every


def test_a_clean_log_is_what_sql_reads_of_it(spark: SparkSession):
    lines = [one for one in logged(600) if one.count(b'"') == 6 and b"\\" not in one]
    df = lines_of(spark, lines)
    parts = "h STRING, i STRING, u STRING, t STRING, z STRING, r STRING, s BIGINT, b BIGINT"
    parts += ", f STRING, a STRING"
    options = (
        "map('sep', ' ', 'quote', '\"', 'escape', '\\\\', 'nullValue', '-', 'mode', 'FAILFAST')"
    )
    by_csv = df.selectExpr("id", f"from_csv(value, '{parts}', {options}) AS c").selectExpr(
        "id",
        "c.h AS host",
        "to_timestamp(substring(concat(c.t, ' ', c.z), 2, 26), 'dd/MMM/yyyy:HH:mm:ss Z') AS time",
        "split(c.r, ' ')[1] AS url",
        "c.s AS status",
        "c.b AS size",
        "c.a AS agent",
    )
    pattern = r'^(\S+) \S+ \S+ \[([^\]]+)\] "\S+ (\S+)[^"]*" (\d+) (\S+) "[^"]*" "([^"]*)"$'
    by_expression = df.select(
        "id",
        *(F.regexp_extract("value", pattern, group).alias(f"_{group}") for group in range(1, 7)),
    ).selectExpr(
        "id",
        "_1 AS host",
        "to_timestamp(_2, 'dd/MMM/yyyy:HH:mm:ss Z') AS time",
        "_3 AS url",
        "CAST(_4 AS BIGINT) AS status",
        "CAST(nullif(_5, '-') AS BIGINT) AS size",
        "nullif(_6, '-') AS agent",
    )
    found = rows(ts.parse(df, fields=FIELDS), "value")

    assert len(found) > 500
    assert found == rows(by_csv)
    assert found == rows(by_expression)


def test_the_time_zone_is_that_of_the_log_and_not_that_of_the_session(spark: SparkSession):
    lines = [line(time="17/May/2015:10:05:03"), line(time="25/Oct/2015 02:30:00"), line()]
    parsed = ts.parse(lines_of(spark, lines), fields=["time", "time:1d"], tz="Europe/Berlin")

    assert rows(parsed, "value") == [
        (number, *row[:-1])
        for number, row in enumerate(expected(lines, ["time", "time:1d"], tz="Europe/Berlin"))
    ]
    assert "12:05:03" not in str(parsed.where("id = 0").selectExpr("CAST(time AS STRING)").first())


SETTINGS = [
    {"spark.sql.session.timeZone": "America/St_Johns"},
    {"spark.sql.ansi.enabled": "true"},
    {"spark.sql.ansi.enabled": "false"},
    {"spark.sql.execution.arrow.useLargeVarTypes": "true"},
    {"spark.sql.execution.arrow.maxRecordsPerBatch": "1"},
    {"spark.sql.execution.arrow.maxRecordsPerBatch": "1000000"},
    {"spark.sql.caseSensitive": "true"},
]


@pytest.mark.parametrize("given", SETTINGS, ids=lambda given: "=".join(*given.items()))
def test_settings_of_the_session_change_nothing(
    spark: SparkSession, corpus: DataFrame, settings: dict[str, str], given: dict[str, str]
):
    settings |= given
    for name, value in given.items():
        spark.conf.set(name, value)
    parsed = ts.parse(corpus, fields=FIELDS, mode="drop", where="status >= 200")

    assert rows(parsed, "value") == [
        (number, *row[:-1])
        for number, (row, matched) in enumerate(zip(expected(CORPUS), MATCHED, strict=True))
        if matched and row[3] >= 200
    ]


def test_columnar_files_empty_partitions_and_no_rows(spark: SparkSession, folder: Path):
    lines = [line(url=f"/{number}") for number in range(5)]
    df = lines_of(spark, lines)
    df.write.parquet(str(folder / "lines"))
    for one in (spark.read.parquet(str(folder / "lines")), df.repartition(8, "id")):
        assert [row[1] for row in rows(ts.parse(one, fields=["url"]), "value")] == [
            f"/{number}" for number in range(5)
        ]
    for mode in ("permissive", "drop", "fail"):
        assert ts.parse(df.where("id < 0"), mode=mode).collect() == []
    assert ts.parse(spark.createDataFrame([], df.schema)).collect() == []


@pytest.mark.parametrize(
    ("spec", "fields", "where", "lines"),
    [
        ("combined", FIELDS, "size > 5", [line(size=size) for size in range(4, 9)]),
        ("csv:a,b:int", ["a", "b"], None, [b"a,b", b"x,5", b"y,6", b'"a","b"', b"\xff,7"]),
        (
            "w3c:date,time,c-ip",
            ["time", "host"],
            None,
            [b"#Fields: date time c-ip", b"2024-02-05 11:56:17 192.0.2.1", b"#Date: 2024-01-01"],
        ),
    ],
)
def test_arrays_of_all_types_give_the_same_rows(
    spec: str, fields: list[str], where: str | None, lines: list[Line]
):
    """Spark sends text and bytes as they are, and other libraries with dictionaries and views."""
    plain = describe(spec, fields, where=where).plain
    array = pa.array([b"before", *lines, None, b"", b"?", lines[1], b"after"], pa.binary())
    arrays = [array, array.dictionary_encode(), array.cast(pa.large_binary())]
    utf8 = pa.array([None if one == b"\xff,7" else one for one in array.to_pylist()], pa.string())
    texts = [utf8, utf8.cast(pa.large_string()), utf8.dictionary_encode()]
    arrays.append(array.cast(pa.binary_view()))
    texts.append(utf8.cast(pa.string_view()))
    for same in (arrays, texts):
        for keep in (True, False):
            found = [
                [
                    (number, *(_text(one) for one in row))
                    for batch in _rows.rows(
                        [batch],
                        plain,
                        at=0,
                        fails=False,
                        keep_rejected=keep,
                        reasons="why",
                        bad_utf8="bad",
                    )
                    for number, row in enumerate(zip(*batch.to_pydict().values(), strict=True))
                ]
                for batch in (pa.record_batch([one.slice(1, len(one) - 2)], ["v"]) for one in same)
            ]
            assert found == [found[0]] * len(same)
            assert 0 < len(found[0]) < len(array)


def _text(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


# --- the other columns ----------------------------------------------------------------------------

VALUES = {
    "struct": "named_struct('a', 1, 'b', named_struct('c', array('x', null)))",
    "null struct": "CAST(null AS STRUCT<a: INT>)",
    "map": "map('a', id, 'b', null)",
    "array": "array(array(1, 2), null, array())",
    "decimal": "CAST(id + 0.5 AS DECIMAL(38, 10))",
    "date": "DATE'0001-01-01'",
    "timestamp": "TIMESTAMP'1600-02-03 04:05:06.789012'",
    "ntz": "TIMESTAMP_NTZ'2020-01-01 00:00:00.123456'",
    "binary": "X'00FF'",
    "interval": "INTERVAL '1 02:03:04.5' DAY TO SECOND",
    "void": "null",
    "bool": "id = 1",
    "tinyint": "CAST(id AS TINYINT)",
    "smallint": "CAST(id AS SMALLINT)",
    "float": "CAST('NaN' AS FLOAT)",
    "double": "id / 3.0D",
    "not utf-8": "CAST(X'41FF42' AS STRING)",
    "varchar": "CAST('a' AS VARCHAR(3))",
}
NEW_IN_4 = {
    "variant": """parse_json('{"a": [1, null]}')""",
    "collated": "'x' COLLATE UNICODE_CI",
    "time": "TIME'12:34:56'",
    "empty struct": "struct()",
}


@pytest.mark.parametrize("mode", ["permissive", "drop"])
def test_columns_of_all_types_stay_as_they_are(spark: SparkSession, mode: str):
    values = VALUES | (NEW_IN_4 if IS_4 else {})
    df = lines_of(spark, [line(), b"no log line", None, line()]).repartition(1)
    df = df.sortWithinPartitions("id").selectExpr(
        "*", *(f"{value} AS `a {name}`" for name, value in values.items())
    )
    parsed = ts.parse(df, fields=["url"], mode=mode, prefix="log_")

    kept = parsed.select(*(f"`{name}`" for name in df.columns))
    before = df if mode == "permissive" else df.where("id IN (0, 3)")
    assert parsed.schema[:-1] == df.schema
    assert str(kept.collect()) == str(before.collect())


def test_a_thousand_columns(spark: SparkSession):
    df = lines_of(spark, [line(), None]).selectExpr(
        "*", *(f"id + {n} AS c{n}" for n in range(1_000))
    )
    parsed = ts.parse(df, fields=["url"])

    first, _ = parsed.sort("id").collect()
    assert parsed.columns == [*df.columns, "url"]
    assert list(first[2:]) == [*range(1_000), "/a"]


def test_columns_with_any_names(spark: SparkSession):
    df = lines_of(spark, [line(), b"?"], name="a `line`.of log").selectExpr(
        "*", "id AS `id.x`", "id AS same", "id + 1 AS same", "id + 2 AS `*`", "id + 3 AS ` `"
    )
    parsed = ts.parse(df, "a `line`.of log", fields=["url"], reject_column="log.why", prefix="log.")

    assert parsed.columns == [*df.columns, "log.url", "log.why"]
    assert [tuple(row)[2:] for row in parsed.sort("id").collect()] == [
        (0, 0, 1, 2, 3, "/a", None),
        (1, 1, 2, 3, 4, None, "no-match"),
    ]


def test_metadata_and_nullability_of_columns_stay(spark: SparkSession):
    df = spark.range(1).select(
        F.lit(line().decode()).alias("value"), F.col("id").alias("n", metadata={"unit": "km"})
    )
    parsed = ts.parse(df, fields=["url"])

    assert parsed.schema["n"] == df.schema["n"]
    assert parsed.schema["n"].metadata == {"unit": "km"}
    assert parsed.schema["url"].nullable


def test_the_column_of_lines_is_found_as_spark_finds_columns(
    spark: SparkSession, settings: dict[str, str]
):
    df = lines_of(spark, [line()], name="Line")

    assert ts.parse(df, "LINE", fields=["url"]).first().url == "/a"
    settings["spark.sql.caseSensitive"] = "true"
    spark.conf.set("spark.sql.caseSensitive", "true")
    with pytest.raises(ValueError, match="no column 'LINE'"):
        ts.parse(df, "LINE")
    both = df.selectExpr("*", "id AS line")
    assert ts.parse(both, "Line", fields=["url"]).first().url == "/a"
    assert ts.parse(df, "Line", fields=["url"], reject_column="ID").columns[-1] == "ID"


# --- what is refused ------------------------------------------------------------------------------

CLASHES = "id int, value string, Status int, w timestamp"

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"column": "lines"}, "no column 'lines'; its columns are id int, value string, Status int"),
    ({"column": "valeu"}, "no column 'valeu'; did you mean 'value'"),
    (
        {"column": "id"},
        "expected lines of type string or binary in 'id', found int; columns of strings are value",
    ),
    ({"column": "w"}, "in 'w', found timestamp"),
    ({"column": "value.text"}, "a field of a struct needs a column of its own"),
    (
        {"fields": ["url", "status"]},
        "column 'Status' of the DataFrame .* new column 'status'; give a prefix",
    ),
    ({"fields": ["url"], "reject_column": "VALUE"}, "column 'value' .* new column 'VALUE'"),
    ({"fields": ["url"], "reject_column": "url"}, "two columns 'url'"),
    ({"fields": ["url"], "reject_column": "Url"}, "'url' and 'Url'.*spark.sql.caseSensitive"),
    ({"fields": ["url"], "reject_column": ""}, "reject_column: expected the name of a column"),
    ({"fields": ["url"], "bad_utf8_column": "id"}, "column 'id'"),
    ({"fields": []}, "fields: expected at least one field"),
    ({"fields": ["ulr"]}, "did you mean 'url'"),
    ({"fields": ["url", "url"]}, "field 'url' is given twice"),
    ({"fields": ["host:country"]}, "geoip: expected a MaxMind DB file"),
    ({"mode": "permisive"}, "mode: expected permissive, drop or fail, found 'permisive'"),
    ({"mode": "drop", "reject_column": "why"}, "reject_column: would always be null"),
    ({"where": "status >"}, "where: .*\n  status >"),
    ({"where": "nope == 1"}, "where: .*no field 'nope'"),
    ({"tz": "Mars/One"}, "tz: unknown time zone 'Mars/One'"),
    ({"log_format": "combind"}, "log_format: unknown format 'combind'; did you mean 'combined'"),
    ({"log_format": "w3c"}, "log_format: .*header.*columns='date,time"),
    ({"log_format": "csv"}, "log_format: .*header.*columns='a,b'"),
    ({"columns": "a,b"}, "columns: expected log_format csv, tsv, w3c or iis, found 'combined'"),
    ({"log_format": "csv", "columns": "a,a"}, "columns: duplicate column 'a'"),
]
REFUSED_TYPES: list[tuple[dict[str, Any], str]] = [
    ({"column": 5}, "column: expected text, found 5"),
    ({"fields": "url"}, "fields: expected a list of names"),
    ({"log_format": None}, "log_format: expected the name"),
    ({"prefix": None}, "prefix: expected text"),
    ({"where": 5}, "where: expected a condition"),
    ({"tz": 5}, "tz: expected a time zone"),
    ({"reject_column": 5}, "reject_column: expected text"),
    ({"mode": None}, "mode: expected text, found None"),
    ({"log_format": "csv", "columns": 5}, "columns: expected a list of names, found 5"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=str)
def test_arguments_that_are_refused(spark: SparkSession, given: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ts.parse(spark.createDataFrame([], CLASHES), **{"fields": ["url"], **given})


@pytest.mark.parametrize(("given", "message"), REFUSED_TYPES, ids=str)
def test_arguments_of_another_type(spark: SparkSession, given: dict[str, Any], message: str):
    with pytest.raises(TypeError, match=message):
        ts.parse(spark.createDataFrame([], CLASHES), **{"fields": ["url"], **given})


def test_what_is_not_a_dataframe():
    with pytest.raises(TypeError, match="df: expected a DataFrame of Spark, found"):
        ts.parse(["a line"])  # type: ignore[arg-type]


def test_types_that_spark_cannot_send_are_named(spark: SparkSession):
    df = spark.range(1).selectExpr(
        "'x' AS value", "struct(INTERVAL '1-2' YEAR TO MONTH AS i) AS at"
    )

    with pytest.raises(ValueError, match=r"'at' \(struct<i:interval year to month>\)"):
        ts.parse(df)


def test_two_columns_of_the_same_name_have_no_lines(spark: SparkSession):
    df = spark.range(1).selectExpr("'x' AS value", "'y' AS value")

    with pytest.raises(ValueError, match="has 2 columns 'value'"):
        ts.parse(df)


def test_one_error_shows_the_line_that_does_not_match(spark: SparkSession):
    lines = [line(), b"192.0.2.1 - - [\x1b[31m\xff] broken", line()]
    parsed = ts.parse(lines_of(spark, lines), fields=["url"], mode="fail")

    with pytest.raises(Exception, match=r"ValueError: tailrace\.spark\.parse") as caught:
        parsed.collect()
    message = str(caught.value)
    assert "does not match the format combined: expected a request in quotes" in message
    assert "found 'broken' at byte 23" in message
    assert "\n  192.0.2.1 - - [\\x1b[31m\\xff] broken\n                               ^" in message
    assert "mode='permissive' with a reject_column" in message
    assert "\x1b" not in message
    assert ts.parse(lines_of(spark, [line(), None]), fields=["url"], mode="fail").count() == 2


def test_a_task_that_is_run_again(corpus: DataFrame):
    def failing(batches: Iterator[object]) -> Iterator[object]:
        held = list(batches)
        if TaskContext.get().attemptNumber() == 0:
            raise RuntimeError("the first attempt")
        yield from held

    flaky = corpus.mapInArrow(failing, corpus.schema)

    assert rows(ts.parse(flaky, fields=FIELDS), "value") == [
        (number, *row[:-1]) for number, row in enumerate(expected(CORPUS))
    ]


# --- formats --------------------------------------------------------------------------------------


def test_own_keys_of_json_are_text(spark: SparkSession):
    lines: list[Line] = [
        b'{"status": 200, "user": {"id": 7, "x": [1]}, "ok": true, "n": 1.5, "t": "\\u00e9"}',
        b'{"status": "404"}',
        b"[1]",
    ]
    fields = ["status", "user.id", "user.x", "ok", "n", "t", "missing"]
    parsed = ts.parse(lines_of(spark, lines), fields=fields, log_format="json", prefix="k.")

    assert ts.schema("json", fields).simpleString() == (
        "struct<status:bigint,user.id:string,user.x:string,ok:string,n:string,t:string,"
        "missing:string>"
    )
    assert rows(parsed, "value") == [
        (0, 200, "7", "[1]", "true", "1.5", "é", None),
        (1, 404, *[None] * 6),
        (2, *[None] * 7),
    ]


W3C = [
    b"#Software: Microsoft Internet Information Services 10.0",
    b"#Fields: date time c-ip cs-uri-stem sc-status",
    b"2024-02-05 11:56:17 192.0.2.1 /a 200",
    b"#Date: 2024-02-06 00:00:00",
    b"#Fields: date time c-ip cs-uri-stem sc-status",
    b"2024-02-05 11:56:18 192.0.2.2 /b 404",
    b"2024-02-05 11:56:18 192.0.2.2 /b",
]


@pytest.mark.parametrize("size", ["1", "10000"])
def test_headers_are_rows_without_fields_in_whichever_batch(
    spark: SparkSession, settings: dict[str, str], size: str
):
    settings["spark.sql.execution.arrow.maxRecordsPerBatch"] = size
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", size)
    w3c: dict[str, Any] = {"log_format": "w3c", "columns": "date,time,c-ip,cs-uri-stem,sc-status"}
    parsed = ts.parse(lines_of(spark, W3C), fields=["host", "status"], reject_column="why", **w3c)
    csv = ts.parse(
        lines_of(spark, [b"name,n", b"a,5", b'"Name", N', b"n,name", b"a,b,c"]),
        log_format="csv",
        columns=["name", "n"],
        reject_column="why",
    )

    nothing = (None, None, None)
    assert [row[1:] for row in rows(parsed, "value")] == [
        nothing,
        nothing,
        ("192.0.2.1", 200, None),
        nothing,
        nothing,
        ("192.0.2.2", 404, None),
        (None, None, "no-match"),
    ]
    assert [row[1:] for row in rows(csv, "value")] == [
        nothing,
        ("a", "5", None),
        nothing,
        ("n", "name", None),
        (None, None, "no-match"),
    ]
    dropped = ts.parse(lines_of(spark, W3C), mode="drop", fields=["host"], **w3c)
    assert [row[1] for row in rows(dropped, "value")] == ["192.0.2.1", "192.0.2.2"]


def test_a_header_with_other_columns_is_an_error(spark: SparkSession):
    lines = [W3C[2], b"#Fields: date time cs-uri-stem c-ip sc-status"]
    parsed = ts.parse(
        lines_of(spark, lines), log_format="w3c", columns="date,time,c-ip,cs-uri-stem,sc-status"
    )

    with pytest.raises(Exception, match="columns: a header names other columns than w3c:date,time"):
        parsed.collect()


def test_countries_are_looked_up_on_executors(spark: SparkSession, folder: Path):
    path = folder / "country.mmdb"
    path.write_bytes(mmdb.database({"192.0.2.0/24": {"country": {"iso_code": "SE"}}}))
    lines: list[Line] = [line(), line(host="198.51.100.1"), b"?", None]
    fields = ["host:country", "url"]
    df = lines_of(spark, lines)
    parsed = ts.parse(df, fields=fields, geoip=path)
    chosen = ts.parse(df, fields=["url"], where="host:country == SE", geoip=str(path))

    # What was sent does not depend on the file.
    path.unlink()
    assert rows(parsed, "value") == [
        (0, "SE", "/a"),
        (1, None, "/a"),
        (2, None, None),
        (3, None, None),
    ]
    assert rows(chosen, "value") == [(0, "/a")]


def test_agents_need_their_patterns_on_the_driver(spark: SparkSession):
    df = lines_of(spark, [line(agent="curl/8.0")])
    try:
        import crawleruseragents  # noqa: F401, PLC0415 - an extra's
        import ua_parser_builtins  # noqa: F401, PLC0415 - as above
    except ImportError:
        with pytest.raises(ImportError, match=r"agent:bot: needs ua-parser.*pip install"):
            ts.parse(df, fields=["agent:bot"])
    else:
        assert rows(ts.parse(df, fields=["agent:family", "agent:bot"]), "value") == [
            (0, "curl", "true")
        ]


# --- detection ------------------------------------------------------------------------------------


def test_auto_reports_which_format_it_chose(
    spark: SparkSession, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    lines: list[Line] = [
        None,
        *(b'{"status": %d, "url": "/\xff"}' % n for n in range(200, 220)),
        b"?",
    ]
    df = lines_of(spark, lines, name="the line")
    parsed = ts.parse(df, "the line", fields=["status", "url"], log_format="auto")

    message = "column 'the line': format json, 20 of the first 21 lines match"
    assert f"tailrace.spark: {message}\n" in capfd.readouterr().err
    assert rows(parsed, "the line") == [
        (number, *row[:-1])
        for number, row in enumerate(expected(lines, ["status", "url"], name="json"))
    ]
    with caplog.at_level(logging.INFO, "tailrace.spark"):
        ts.parse(df, "the line", fields=["status"], log_format="auto")
    assert message in caplog.text
    assert "tailrace.spark" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "'auto' needs lines to look at, and column 'value' has none; name the format"),
        ([None, None], "'auto' needs lines to look at"),
        ([b"Jan 25 23:06:39 host kernel: started"], "matches no known format.*as log_format"),
        (W3C, "format w3c.*log_format='w3c' and columns='date,time,c-ip,cs-uri-stem,sc-status'"),
    ],
    ids=["no rows", "nulls", "no log", "w3c"],
)
def test_auto_that_chooses_nothing(spark: SparkSession, lines: list[Line], message: str):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        ts.parse(lines_of(spark, lines), log_format="auto")


# --- streams --------------------------------------------------------------------------------------


def test_a_stream_gives_what_a_batch_gives_over_a_restart(spark: SparkSession, folder: Path):
    lines = [one for one in logged(60) + damaged(60, _PIECES, 17) if b"\r" not in one]
    (folder / "in").mkdir()
    source = spark.readStream.text(str(folder / "in"))
    parsed = ts.parse(source, fields=["url", "status"], reject_column="why", where="status != 404")
    assert parsed.isStreaming
    for number in range(3):
        part = lines[number * 40 : (number + 1) * 40]
        (folder / "in" / f"{number}.log").write_bytes(b"".join(one + b"\n" for one in part))
        # Each is a query of its own, which goes on from the checkpoint.
        query = (
            parsed.writeStream.format("parquet")
            .option("checkpointLocation", str(folder / "checkpoint"))
            .trigger(availableNow=True)
            .start(str(folder / "out"))
        )
        assert query.awaitTermination(60)

    found = spark.read.parquet(str(folder / "out")).select("url", "status", "why").collect()
    wanted = [
        row for row in expected(lines, ["url", "status"]) if row[-1] or row[1] not in {None, 404}
    ]
    assert sorted(map(tuple, found), key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"log_format": "auto"}, "'auto' needs lines to look at, which are there only .* batch"),
        ({"log_format": "w3c"}, "columns"),
        ({"log_format": "csv"}, "columns"),
        ({"log_format": "tsv"}, "columns"),
    ],
    ids=str,
)
def test_what_streams_cannot_do(
    spark: SparkSession, folder: Path, given: dict[str, Any], message: str
):
    with pytest.raises(ValueError, match=message):
        ts.parse(spark.readStream.text(str(folder)), **given)
    csv = ts.parse(spark.readStream.text(str(folder)), log_format="csv", columns="a,b:int")
    assert csv.columns == ["value", "a", "b"]


def test_a_watermark_stays(spark: SparkSession):
    rate = spark.readStream.format("rate").load().selectExpr("timestamp AS at", "'x' AS value")
    df = rate.withWatermark("at", "5 seconds")

    assert ts.parse(df, fields=["url"]).schema["at"] == df.schema["at"]
    assert df.schema["at"].metadata == {"spark.watermarkDelayMs": 5000}


# --- the rest -------------------------------------------------------------------------------------


def test_pandas_is_not_imported():
    code = "import sys, tailrace.spark, tailrace.spark._rows as r; print('pandas' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"


def test_the_schema_needs_no_session():
    assert ts.schema().names == tr.Format("combined").columns
    fields = ["time", "time:1h", "status", "size", "request_time", "url", "foo"]
    types = ["timestamp", "timestamp", "bigint", "bigint", "double", "string", "string"]
    found = ts.schema("json", fields)
    assert [one.dataType.simpleString() for one in found] == types
    assert all(one.nullable for one in found)
    assert ts.schema("csv", columns="a,b:int").simpleString() == "struct<a:string,b:bigint>"
    with pytest.raises(ValueError, match="log_format: 'auto' needs lines"):
        ts.schema("auto")
