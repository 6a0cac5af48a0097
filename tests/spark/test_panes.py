"""Counts by pane and key, against plain SQL, a recount in Python and the core."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pane_model import AGGREGATES, START, Line, combined, lines, parsed
from pyspark import TaskContext
from pyspark.sql import functions as F  # noqa: N812 - its name everywhere
from pyspark.sql.types import (
    LongType,
    StringType,
    StructField,
    StructType,
)

import tailrace as tr
import tailrace.spark as ts
from tailrace.spark import _counting
from tailrace.spark._counting import Counted
from tailrace.spark._described import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

LINES = lines(400, 30)
COUNT: Any = ("count", "count", [], 0.0, 0.0)


@pytest.fixture(scope="module")
def log(spark: SparkSession) -> DataFrame:
    """The lines in three partitions, of which one is empty, with a null among them."""
    rows = [(line,) for line in [*LINES, None]]
    # Not `toDF` of the RDD, whose session is that of the last foreachBatch.
    parts = spark.createDataFrame(spark.sparkContext.parallelize(rows, 2), "value string")
    return parts.union(parts.where("false")).cache()


def found(panes: DataFrame) -> dict[tuple[Any, ...], Any]:
    """The counts by pane, in seconds after START, and key; each pair once."""
    *keys, _ = panes.columns
    rows = panes.withColumn("pane", F.col("pane").cast("double")).collect()
    counts = Counter(tuple(row[name] for name in keys) for row in rows)
    assert set(counts.values()) <= {1}
    begin = START.timestamp()
    return {(row[0] - begin, *row[1:-1]): row[-1] for row in rows}


def recounted(
    *fields: str, width: int = 1, where: Callable[[Line], bool] | None = None
) -> Counter[tuple[Any, ...]]:
    """The same, recounted line by line."""
    return Counter(
        (line.second // width * width, *(getattr(line, field) for field in fields))
        for line in parsed(400, 30, 1)
        if where is None or where(line)
    )


@pytest.mark.parametrize("fields", [["url"], ["url", "status"], []])
def test_counts_are_those_of_a_recount(log: DataFrame, fields: list[str]):
    assert found(ts.pane_counts(log, by=fields)) == recounted(*fields)


def test_counts_are_those_of_plain_sql(spark: SparkSession, log: DataFrame):
    log.createOrReplaceTempView("log")
    before = r'^(\\S+) \\S+ \\S+ \\[([^\\]]+)\\] "(?:\\S+ (.*) HTTP/1.1|-)" '
    pattern = before + r'(\\d{3}) (\\d+|-) "[^"]*" "[^"]*"$'
    oracle = spark.sql(
        f"""select window(time, '5 seconds').start as pane, status, count(*) as count from (
          select try_to_timestamp(regexp_extract(value, '{pattern}', 2),
              'dd/MMM/yyyy:HH:mm:ss Z') as time,
            cast(nullif(regexp_extract(value, '{pattern}', 4), '') as bigint) as status
          from log)
        where time is not null and status is not null group by all"""  # noqa: S608 - our own
    )
    panes = ts.pane_counts(log, by="status", every="5s")

    assert found(panes) == found(oracle)
    assert found(panes) == recounted("status", width=5)


def test_a_condition_and_the_width_of_panes(log: DataFrame):
    panes = ts.pane_counts(log, by="host", every="10s", where="status >= 400")

    assert found(panes) == recounted("host", width=10, where=lambda line: line.status >= 400)


def test_columns_and_types_are_those_of_the_fields(spark: SparkSession):
    made = ts.pane_counts(
        spark.range(0).selectExpr("'' as value"),
        by=["url:path", "status", "request_time", "time:1h"],
        aggregates={"n": tr.count(), "sized": tr.count("size"), "sum": tr.sum("size")},
        log_format='{host} - - [{time}] "{request}" {status} {size} {request_time}',
    )

    assert [(field.name, field.dataType.simpleString()) for field in made.schema] == [
        ("pane", "timestamp"),
        ("url:path", "string"),
        ("status", "bigint"),
        ("request_time", "double"),
        ("time:1h", "timestamp"),
        ("n", "bigint"),
        ("sized", "binary"),
        ("sum", "binary"),
    ]


def test_the_zone_of_the_session_and_ansi_change_nothing(spark: SparkSession, log: DataFrame):
    expected = recounted("url")
    for zone in ("America/St_Johns", "UTC"):
        for ansi in ("true", "false"):
            spark.conf.set("spark.sql.session.timeZone", zone)
            spark.conf.set("spark.sql.ansi.enabled", ansi)
            try:
                assert found(ts.pane_counts(log, by="url")) == expected
            finally:
                spark.conf.set("spark.sql.session.timeZone", "Asia/Kolkata")
                spark.conf.unset("spark.sql.ansi.enabled")


def test_times_without_a_zone_are_in_that_of_the_log(spark: SparkSession):
    line = "2024-07-01T12:00:00 /a"
    log = spark.createDataFrame([(line,)], "value string")
    panes = ts.pane_counts(log, by="url", log_format="{time:iso} {url}", tz="Europe/Berlin")

    assert panes.first()["pane"].timestamp() == datetime(2024, 7, 1, 10, tzinfo=UTC).timestamp()


def test_binary_lines_and_bytes_that_are_not_utf_8(spark: SparkSession):
    good = combined(Line(0, "h", "/x", 200, 1)).encode().replace(b"/x", b"/\xff\xfe")
    log = spark.createDataFrame([(good,), (None,), (good,)], "`a.b` binary")

    assert found(ts.pane_counts(log, "a.b", by="url")) == {(0, "/\ufffd"): 2}


def test_names_with_dots_and_keys_of_any_type(spark: SparkSession, tmp_path: Path):
    text = ['{"time": 5, "a.b": 5, "n": 1}', '{"time": 5, "a.b": "5", "n": 2.5}', '{"time": 5}']
    sums = {"s.n": tr.sum("n"), "first.": tr.first("a.b")}
    log = spark.createDataFrame([(line,) for line in text], "value string")
    panes = ts.pane_counts(log, by="a.b", log_format="json", aggregates=sums)
    merged = ts.merge_panes(panes.union(panes))
    merger = windows(tmp_path, by="a.b", aggregates=sums)
    merger(merged, 0)
    merger.finish()

    assert {row["a.b"] for row in merged.collect()} == {"5", None}
    first = merger.dataframe(spark).first()
    assert first is not None
    assert (first["a.b"], first["s.n"], first["first."]) == ("5", 7.0, "5")


def test_the_format_of_a_batch_is_detected_and_columns_have_names(
    spark: SparkSession, log: DataFrame
):
    rows = ["when,path", "2024-07-01T12:00:00Z,/a", "2024-07-01T12:00:00Z,/a"]
    csv = spark.createDataFrame([(row,) for row in rows], "value string")
    panes = ts.pane_counts(csv, by="path", time="when", log_format="csv", columns="when:iso,path")

    assert [(row["path"], row["count"]) for row in panes.collect()] == [("/a", 2)]
    assert found(ts.pane_counts(log, by="url", log_format="auto")) == recounted("url")


def test_no_lines_are_no_rows(log: DataFrame):
    assert ts.pane_counts(log.where("false"), by="url").collect() == []
    assert ts.merge_panes(ts.pane_counts(log.where("false"), by="url")).collect() == []


@pytest.mark.parametrize("large", ["true", "false"])
def test_batches_of_large_columns_and_few_rows(spark: SparkSession, log: DataFrame, large: str):
    spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", large)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "7")
    try:
        panes = ts.pane_counts(log, by="url", aggregates=AGGREGATES)
        merged = ts.merge_panes(panes.union(panes))
        assert sum(row["count"] for row in merged.collect()) == 800
    finally:
        spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")


def test_a_task_that_fails_first_counts_once(log: DataFrame):
    def failing(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None
        yield from batches
        if context.attemptNumber() == 0:
            raise OSError("the first attempt fails")

    retried = log.mapInArrow(failing, log.schema)

    assert found(ts.pane_counts(retried, by="url")) == recounted("url")


def answers(windows: list[tr.Snapshot]) -> list[tuple[Any, ...]]:
    """What of windows has to be equal, floats exactly."""
    return [(one.start, one.end, one.keys, one.total, one.rows) for one in windows]


def by_core() -> list[tr.Snapshot]:
    """The windows of the core, up to the end of the input."""
    query = tr.from_lines(LINES, format="combined").window("10s", every="5s", time="log")
    return list(query.agg(by=["url", "host"], **AGGREGATES).top(5).run())


@pytest.fixture(scope="module")
def partials(log: DataFrame) -> DataFrame:
    """Every aggregate of the lines."""
    return ts.pane_counts(log, by=["url", "host"], aggregates=AGGREGATES).cache()


def test_every_aggregate_is_that_of_the_core(partials: DataFrame, tmp_path: Path):
    whole = by_core()
    windows = ts.WindowMerger(
        "10s", "5s", by=["url", "host"], top=5, aggregates=AGGREGATES, checkpoint=tmp_path,
        query_id="all",
    )  # fmt: skip
    ended = windows(partials, 0)

    assert answers([*ended, *windows.finish()])[: len(whole)] == answers(whole)
    assert len(ended) == len(whole) - 1


def test_merging_in_any_order_is_exact(log: DataFrame, partials: DataFrame):
    parts = log.randomSplit([1.0, 2.0, 1.0], seed=3)
    made = [ts.pane_counts(one, by=["url", "host"], aggregates=AGGREGATES) for one in parts]
    merged = ts.merge_panes(made[0].union(made[1]).union(ts.merge_panes(made[2])))

    assert merged.schema == partials.schema
    assert [field.metadata for field in merged.schema] == [
        field.metadata for field in partials.schema
    ]
    assert sorted(merged.collect(), key=repr) == sorted(partials.collect(), key=repr)


def test_panes_of_parquet_are_those_that_were_written(
    spark: SparkSession, partials: DataFrame, folder: Path
):
    partials.write.parquet(str(folder / "panes"))
    read = spark.read.parquet(str(folder / "panes"))
    twice = ts.merge_panes(read.union(partials))

    assert twice.agg(F.sum("count")).first()[0] == 800


def test_merged_counts_keep_the_order_of_columns(log: DataFrame):
    panes = ts.pane_counts(log, by=["url", "status"], aggregates={"n": tr.count()})
    moved = panes.select("n", "status", "pane", "url")
    merged = ts.merge_panes(moved.union(moved))

    assert merged.columns == moved.columns
    assert found(merged.selectExpr("pane", "url", "status", "n div 2")) == recounted(
        "url", "status"
    )


def test_counts_are_added_up_where_the_metadata_is_lost(log: DataFrame):
    aggregates = {"hits": tr.count(), "bytes": tr.sum("size")}
    panes = ts.pane_counts(log, by="url", aggregates=aggregates)
    filled = panes.fillna(0)
    merged = ts.merge_panes(filled.union(filled.where("url = '/a'")))

    assert panes.count() == merged.count()
    assert merged.agg(F.sum("hits")).first()[0] > panes.agg(F.sum("hits")).first()[0]


def test_panes_of_other_origin_merge_and_slide(spark: SparkSession, tmp_path: Path):
    panes = spark.sql(
        "select timestamp '2024-01-01 00:00:00Z' as pane, cast(1 as int) as status, 2L as count"
    )
    windows = ts.WindowMerger("1s", by="status", checkpoint=tmp_path, query_id="sql")
    windows(ts.merge_panes(panes.union(panes)), 0)

    assert [one.rows for one in windows.finish()] == [[{"status": 1, "count": 4}]]


def test_a_task_logs_what_it_rejected(caplog: pytest.LogCaptureFixture):
    counted = Counted(describe("combined", ["url"]).plain, ["url"], [COUNT], "time", 10**6)
    batch = pa.record_batch([pa.array([*LINES, None])], names=["value"])
    with caplog.at_level(logging.WARNING, "tailrace.spark"):
        list(_counting.partials([batch, batch.slice(0, 5)], tuple(counted)))

    assert caplog.messages == ["pane_counts: 3 of 408 lines are in no pane: 2 no-match, 1 no-time"]


def test_a_task_holds_few_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_counting, "_LINES", 50)
    monkeypatch.setattr(_counting, "_ROWS", 60)
    counted = Counted(describe("combined", ["url"]).plain, ["url"], [COUNT], "time", 10**6)
    batches = [
        pa.record_batch([pa.array(LINES[at : at + 20])], names=["value"])
        for at in range(0, 400, 20)
    ]
    rows = list(_counting.partials(batches, tuple(counted)))

    assert len(rows) > 3
    total: Counter[tuple[Any, ...]] = Counter()
    for row in pa.Table.from_batches(rows).to_pylist():
        total[(row["pane"] - START).seconds, row["url"]] += row["count"]
    assert total == recounted("url")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"by": "nosuch"}, ValueError, "has no field 'nosuch'"),
        ({"by": "pane"}, ValueError, "format combined has no field|found 'pane' twice"),
        ({"by": ["url", "url"]}, ValueError, "by: the field 'url' is repeated"),
        ({"by": ["url"], "aggregates": {"URL": tr.count()}}, ValueError, "found 'url' and 'URL'"),
        ({"by": "url", "aggregates": {"pane": tr.count()}}, ValueError, "found 'pane' twice"),
        ({"by": "url", "aggregates": {"s": tr.sum("url")}}, ValueError, "sum"),
        ({"by": "url", "aggregates": {"s": tr.sum("nosuch")}}, ValueError, "no field 'nosuch'"),
        ({"by": "url", "aggregates": {"s": tr.sum()}}, ValueError, "sum needs a field"),
        ({"by": "url", "every": "0s"}, ValueError, "every: expected a positive duration"),
        ({"by": "url", "every": "x"}, ValueError, "every: "),
        ({"by": "url", "time": "status"}, ValueError, "time: expected a field of type time"),
        ({"by": "url", "time": "when"}, ValueError, "no field 'when'"),
        ({"by": "url", "time": 5}, TypeError, "time: expected the name of a field"),
        ({"by": "url", "where": "status >>"}, ValueError, "where: "),
        ({"by": "url", "where": "nosuch == 1"}, ValueError, "where: .*nosuch"),
        ({"by": "url", "where": 5}, TypeError, "where: expected a condition"),
        (
            {"by": "url", "column": "nosuch"},
            ValueError,
            "column: the DataFrame has no column 'nosuch'",
        ),
        (
            {"by": "url", "column": "number"},
            ValueError,
            "column: expected lines of type string.*found bigint",
        ),
        ({"by": "url", "column": 5}, TypeError, "column: expected text, found 5"),
        ({"by": "url", "log_format": "nosuch"}, ValueError, "format"),
        (
            {"by": "host", "log_format": "w3c", "columns": "time,c-ip"},
            ValueError,
            "time: .* no date",
        ),
        ({"by": "url", "tz": "Mars/Base"}, ValueError, "Mars/Base"),
        ({"by": 5}, TypeError, "by: expected the name of a field"),
    ],
)
def test_wrong_arguments_are_clear_errors(
    log: DataFrame, arguments: dict[str, Any], error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        ts.pane_counts(log.selectExpr("value", "1L as number"), **arguments)


def test_what_is_no_data_frame_is_a_clear_error():
    with pytest.raises(TypeError, match="df: expected a DataFrame of Spark, found 'log'"):
        ts.pane_counts("log", by="url")  # type: ignore[arg-type]


def windows(folder: Path, **more: Any) -> ts.WindowMerger:  # noqa: ANN401 - as it takes them
    given = {"length": "10s", "by": "url", "checkpoint": folder, "query_id": "q", **more}
    return ts.WindowMerger(given.pop("length"), given.pop("every", "1s"), **given)


def test_other_panes_or_aggregates_than_those_of_the_windows_are_an_error(
    log: DataFrame, tmp_path: Path
):
    sums = {"s": tr.sum("size")}
    panes = ts.pane_counts(log, by="url", every="2s", aggregates=sums)
    with pytest.raises(ValueError, match="fit into every=1s, found panes of 2s"):
        windows(tmp_path, aggregates=sums)(panes, 0)
    with pytest.raises(ValueError, match=r"expected mean\('size'\) in 's', found sum\('size'\)"):
        windows(tmp_path, every="2s", aggregates={"s": tr.mean("size")})(panes, 0)
    with pytest.raises(ValueError, match="aggregates: expected a column 'n'"):
        windows(tmp_path, every="2s", aggregates={"n": tr.count()})(panes, 0)
    with pytest.raises(ValueError, match="by: expected a column 'host'"):
        windows(tmp_path, every="2s", by="host", aggregates=sums)(panes, 0)
    with pytest.raises(ValueError, match="column 'pane': expected a timestamp"):
        windows(tmp_path)(panes.withColumn("pane", F.lit("x")), 0)
    with pytest.raises(ValueError, match="found panes of 2s"):
        windows(tmp_path, length="9s", every="3s", aggregates=sums)(panes, 0)
    assert windows(tmp_path, length="12s", every="4s", aggregates=sums)(panes, 0)


def test_partials_are_checked_where_the_metadata_is_lost(
    spark: SparkSession, log: DataFrame, tmp_path: Path
):
    panes = ts.pane_counts(log, by="url", aggregates={"s": tr.sum("size")})
    bare = spark.createDataFrame(panes.rdd, "pane timestamp, url string, s binary")
    with pytest.raises(ValueError, match="'s' lacks the metadata of pane_counts"):
        ts.merge_panes(bare)
    with pytest.raises(ValueError, match=r"expected a partial of quantile"):
        windows(tmp_path, aggregates={"s": tr.quantile("size", 0.5)})(bare, 0)
    merger = windows(tmp_path / "other", aggregates={"s": tr.sum("size")})
    assert merger(bare, 0)
    assert merger.dataframe(spark).schema["s"].dataType == LongType()


def test_fewer_keys_are_added_up(log: DataFrame, tmp_path: Path):
    sums = {"count": tr.count(), "s": tr.sum("size")}
    panes = ts.pane_counts(log, by=["url", "status"], aggregates=sums)
    few = windows(tmp_path / "a", aggregates=sums)
    whole = windows(tmp_path / "b", aggregates=sums)

    expected = answers(whole(ts.pane_counts(log, by="url", aggregates=sums), 0))
    assert answers(few(panes, 0)) == expected


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("url", "panes: expected a column 'pane'"),
        ("pane, url", "found no aggregate"),
        ("pane, url, binary(url) as x, count", "binary column 'x' lacks the metadata"),
        ("pane, date(pane) as day, count", "column 'day': .*found date"),
        ("pane, url, pane, count", "expected one column 'pane'"),
    ],
)
def test_what_are_no_panes_is_a_clear_error(log: DataFrame, select: str, message: str):
    panes = ts.pane_counts(log, by="url")
    with pytest.raises(ValueError, match=message):
        ts.merge_panes(panes.selectExpr(*select.split(", ")))


def test_the_last_snapshots_are_a_data_frame(spark: SparkSession, log: DataFrame, tmp_path: Path):
    aggregates = {"n": tr.count(), "top": tr.top_values("url", 1), "max": tr.max("time")}
    merger = windows(tmp_path, by=["status", "url"], aggregates=aggregates, top=3)
    panes = ts.pane_counts(log, by=["status", "url"], aggregates=aggregates)
    with pytest.raises(ValueError, match="dataframe: expected a batch before"):
        merger.dataframe(spark)
    assert merger(panes.where("false"), 0) == []
    empty = merger.dataframe(spark)
    snapshots = merger(panes, 1)
    filled = merger.dataframe(spark)

    value = StructType([StructField("value", StringType()), StructField("count", LongType())])
    assert empty.collect() == []
    assert empty.schema == filled.schema
    assert filled.dtypes == [
        ("start", "timestamp"), ("end", "timestamp"), ("status", "bigint"), ("url", "string"),
        ("n", "bigint"), ("top", f"array<{value.simpleString()}>"), ("max", "timestamp"),
    ]  # fmt: skip
    rows = filled.withColumns(
        {name: F.col(name).cast("double") for name in ("start", "end", "max")}
    ).collect()
    expected = [row for one in snapshots for row in one.to_dicts()]
    assert [row.asDict(recursive=True) for row in rows] == [
        {
            name: value.timestamp() if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        for row in expected
    ]


def test_outside_of_a_query_no_id_is_needed(log: DataFrame, tmp_path: Path):
    panes = ts.pane_counts(log, by="url")
    first = windows(tmp_path, query_id=None)(panes, 0)

    assert first
    assert windows(tmp_path, query_id=None)(panes, 0) == first
