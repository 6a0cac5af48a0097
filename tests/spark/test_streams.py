"""Streaming queries over panes: restarts, failures, late lines, shards."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pane_model import AGGREGATES, START, Line, PaneModel, Window, bounds, combined
from pyspark.sql import functions as F  # noqa: N812 - its name everywhere

import tailrace as tr
import tailrace.spark as ts
from tailrace.spark._merger import window_options
from tailrace.spark._shards import slide, split
from tailrace.spark._windows import of_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

# What comes in each batch: seconds and URLs, out of order, late, silent for a while.
BATCHES: list[list[tuple[int, str | None]]] = [
    [(3, "/a"), (1, "/b"), (0, None), (2, "/a")],
    [(5, "/a"), (4, "/c"), (2, "/late"), (3, "/in time")],
    [],
    [(20, "/b"), (21, "/b")],
    [(22, "/a"), (4, "/late"), (23, None)],
]


class Files:
    """A directory of log files, of which a stream reads one for each batch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"
        self.folder.mkdir()

    def add(self, number: int, rows: Iterable[tuple[int, str | None]]) -> None:
        """Add the file of a batch; a line that matches no format makes it a file."""
        text = [combined(Line(at, "10.0.0.1", url, 200, at + 1)) for at, url in rows]
        path = self.folder / f"{number:03}.log"
        path.write_text("\n".join([*text, "no log line"]))
        # Spark reads files in the order of their times.
        os.utime(path, (10**9 + number, 10**9 + number))

    def panes(self, spark: SparkSession, **more: Any) -> DataFrame:  # noqa: ANN401 - as pane_counts takes them
        """The panes of the stream."""
        reader = spark.readStream.format("text").option("maxFilesPerTrigger", 1)
        return ts.pane_counts(reader.load(str(self.folder)), by="url", **more)


@pytest.fixture
def logs(folder: Path) -> Files:
    files = Files(folder)
    for number, rows in enumerate(BATCHES):
        files.add(number, rows)
    return files


def run(panes: DataFrame, folder: Path, each: Callable[[DataFrame, int], object]) -> None:
    """Run a query until it has read all files; an error in a batch is raised."""
    query = (
        panes.writeStream.foreachBatch(lambda df, number: (each(df, number), None)[1])
        .option("checkpointLocation", str(folder / "spark"))
        .trigger(availableNow=True)
        .start()
    )
    try:
        assert query.awaitTermination(120), "the query did not end"
    finally:
        query.stop()
    assert query.exception() is None


def expected(every: int = 1, lateness: int = 0) -> tuple[dict[int, list[Window]], list[Window]]:
    """The windows of five seconds by batch, and those of `finish`."""
    model = PaneModel([5], every, lateness)
    found = {
        number: model.batch([(at, (url,), 1) for at, url in rows])
        for number, rows in enumerate(BATCHES)
    }
    return found, model.finish()


def merger(folder: Path, **more: Any) -> ts.WindowMerger:  # noqa: ANN401 - as it takes them
    return ts.WindowMerger("5s", by="url", top=None, checkpoint=folder / "windows", **more)


class Sink:
    """The windows of each batch, and how often it was seen."""

    def __init__(self, windows: ts.WindowMerger) -> None:
        self.windows = windows
        self.found: dict[int, list[Window]] = {}
        self.calls: list[int] = []
        self.failing: int | None = None

    def __call__(self, df: DataFrame, number: int) -> None:
        found = [bounds(one) for one in self.windows(df, number)]
        self.calls.append(number)
        if number == self.failing:
            raise OSError("the sink fails")
        self.found[number] = found


@pytest.mark.parametrize("lateness", [0, 2])
def test_a_stream_answers_as_a_recount_does(
    spark: SparkSession, logs: Files, folder: Path, lateness: int
):
    sink = Sink(merger(folder, lateness=lateness))
    run(logs.panes(spark), folder, sink)
    batches, rest = expected(lateness=lateness)

    assert sink.found == batches
    assert [bounds(one) for one in sink.windows.finish()] == rest


def test_a_restart_and_a_sink_that_fails_after_the_windows_repeat_and_lose_nothing(
    spark: SparkSession, logs: Files, folder: Path
):
    sink = Sink(merger(folder))
    sink.failing = 1
    with pytest.raises(Exception, match="the sink fails"):
        run(logs.panes(spark), folder, sink)
    # The windows have the batch, Spark has not.
    assert sink.calls == [0, 1]
    again = Sink(merger(folder))
    run(logs.panes(spark), folder, again)
    batches, rest = expected()

    assert again.calls == [1, 2, 3, 4]
    assert {**sink.found, **again.found} == batches
    assert [bounds(one) for one in again.windows.finish()] == rest


def test_a_query_goes_on_where_it_ended(spark: SparkSession, folder: Path):
    logs = Files(folder)
    found: dict[int, list[Window]] = {}
    for number, rows in enumerate(BATCHES):
        logs.add(number, rows)
        sink = Sink(merger(folder))
        run(logs.panes(spark), folder, sink)
        found |= sink.found

    assert found == expected()[0]


def test_another_checkpoint_of_spark_is_an_error(spark: SparkSession, logs: Files, folder: Path):
    run(logs.panes(spark), folder, merger(folder))
    other = folder / "other"
    with pytest.raises(Exception, match="if Spark's checkpointLocation was removed or replaced"):
        run(logs.panes(spark), other, merger(folder))


def test_a_running_query_stops_in_order(spark: SparkSession, logs: Files, folder: Path):
    sink = Sink(merger(folder))
    query = (
        logs.panes(spark)
        .writeStream.foreachBatch(sink)
        .option("checkpointLocation", str(folder / "spark"))
        .start()
    )
    try:
        deadline = time.monotonic() + 120
        while len(sink.found) < len(BATCHES) and time.monotonic() < deadline:
            assert query.isActive, query.exception()
            time.sleep(0.1)
        query.processAllAvailable()
    finally:
        query.stop()

    assert sink.found == expected()[0]
    assert query.exception() is None


def test_several_windows_of_one_stream_of_panes(spark: SparkSession, logs: Files, folder: Path):
    short = Sink(merger(folder))
    long = Sink(
        ts.WindowMerger(
            ["20s", "10s"], "10s", by="url", top=None, checkpoint=folder / "long", lateness="3s"
        )
    )
    panes = logs.panes(spark)

    def each(df: DataFrame, number: int) -> None:
        df = ts.merge_panes(df).persist()
        short(df, number)
        long(df, number)
        df.unpersist()

    run(panes, folder, each)
    model = PaneModel([20, 10], 10, 3)

    assert short.found == expected()[0]
    assert long.found == {
        number: model.batch([(at, (url,), 1) for at, url in rows])
        for number, rows in enumerate(BATCHES)
    }


def test_panes_of_the_lines_of_a_batch(spark: SparkSession, logs: Files, folder: Path):
    reader = spark.readStream.format("text").option("maxFilesPerTrigger", 1)
    sink = Sink(merger(folder))
    lines = reader.load(str(logs.folder))
    run(lines, folder, lambda df, number: sink(ts.pane_counts(df, by="url"), number))

    assert sink.found == expected()[0]


def test_a_merger_takes_no_stream(spark: SparkSession, logs: Files, folder: Path):
    with pytest.raises(ValueError, match="found a stream; call this in foreachBatch"):
        merger(folder)(logs.panes(spark), 0)


def test_on_a_stream_the_format_has_to_be_named(spark: SparkSession, logs: Files):
    with pytest.raises(ValueError, match="'auto' needs lines to look at"):
        logs.panes(spark, log_format="auto")


def test_the_snapshots_of_a_batch_go_on_as_a_data_frame(
    spark: SparkSession, logs: Files, folder: Path
):
    windows = merger(folder)

    def each(df: DataFrame, number: int) -> None:
        windows(df, number)
        windows.dataframe(df.sparkSession).write.mode("overwrite").parquet(
            str(folder / "answers" / f"batch={number}")
        )

    run(logs.panes(spark), folder, each)
    answers = spark.read.parquet(str(folder / "answers"))
    total = sum(sum(one.counts.values()) for found in expected()[0].values() for one in found)

    assert answers.agg(F.sum("count")).first()[0] == total


def ranked(
    rows: list[Any], top: int, by: list[str], order: str
) -> dict[tuple[int, int], list[Any]]:
    """The top rows of each window of all shards, as the documented SQL ranks them."""
    found: dict[tuple[int, int], list[Any]] = {}
    for row in rows:
        key = (row["start"], row["end"])
        found.setdefault(key, [])
        if row["shard_keys"]:
            found[key].append(row)

    def place(row: Any) -> tuple[Any, ...]:  # noqa: ANN401
        keys = [(row[name] is None, row[name] or "") for name in by]
        return (row[order] is None, -(row[order] or 0), keys)

    return {key: sorted(found, key=place)[:top] for key, found in found.items()}


def seconds(windows: DataFrame) -> DataFrame:
    """The bounds of windows in seconds after START."""
    begin = START.timestamp()
    return windows.withColumns(
        {name: (F.col(name).cast("double") - begin).cast("int") for name in ("start", "end")}
    )


def test_shards_answer_as_the_driver_does(spark: SparkSession, logs: Files, folder: Path):
    # No share: a shard has only its own keys.
    aggregates = {
        name: one
        for name, one in AGGREGATES.items()
        if one.function != "share" or one.where is not None
    }
    panes = logs.panes(spark, aggregates=aggregates)
    more: dict[str, Any] = {"by": "url", "top": 2, "aggregates": aggregates, "lateness": "1s"}
    sharded = ts.sharded_windows(panes, ["5s", "2s"], shards=3, **more)
    rows: list[Any] = []
    batches: dict[int, set[int]] = {}
    fails = True

    def each(df: DataFrame, number: int) -> None:
        nonlocal fails
        found = seconds(df).collect()
        if number == 1 and fails:
            fails = False
            raise OSError("the sink fails")
        rows.extend(row.asDict(recursive=True) for row in found)
        batches[number] = {row["end"] for row in found}

    with pytest.raises(Exception, match="the sink fails"):
        run(sharded, folder, each)
    run(sharded, folder, each)

    driver = ts.WindowMerger(["5s", "2s"], checkpoint=folder / "windows", **more)
    snapshots: dict[int, list[tr.Snapshot]] = {}
    run(panes, folder / "driver", lambda df, number: snapshots.update({number: driver(df, number)}))
    whole = [one for found in snapshots.values() for one in found]

    tops = ranked(rows, 2, ["url"], "count")
    assert tops.keys() == {bounds_of(one) for one in whole}
    for one in whole:
        found = tops[bounds_of(one)]
        of_window = [row for row in rows if (row["start"], row["end"]) == bounds_of(one)]
        shards = {row["shard"]: row for row in of_window}.values()
        assert [{name: row[name] for name in one.columns} for row in found] == naive(one.rows)
        assert sum(row["shard_keys"] for row in shards) == one.keys
        assert sum(row["shard_total"] for row in shards) == one.total
    assert {n: ends for n, ends in batches.items() if ends} == {
        number: {bounds_of(one)[1] for one in found} for number, found in snapshots.items() if found
    }


def test_a_shard_reports_what_is_late(caplog: pytest.LogCaptureFixture):
    options = tuple(window_options("5s", "1s", "url", None, None, None, "0s"))
    state, answers = None, []
    for newest, rows in ((9, [(9, "/a"), (3, "/b")]), (10, [(8, "/b")]), (12, [(12, "/a")])):
        panes = pa.table(
            {
                "pane": pa.array([at * 10**6 for at, _ in rows], pa.timestamp("us", "UTC")),
                "url": [url for _, url in rows],
                "count": [2] * len(rows),
            }
        )
        state, found = slide(options, 3, state, newest * 10**6, to_bytes(panes), shards=4)
        answers.append([of_bytes(one).to_pylist() for one in found])

    assert caplog.messages == [
        "sharded_windows: 2 events of shard 3 were late, and are in no window"
    ]
    assert [row["shard_late"] for rows in answers[0] for row in rows] == [0] * 6
    assert [row["shard_late"] for rows in answers[2] for row in rows] == [2, 2]


def test_a_pane_without_a_start_is_an_error_in_shards():
    columns = {"shard": pa.int32(), "pane": pa.timestamp("us"), "count": pa.int64()}
    batch = pa.record_batch(
        [
            pa.array([value], kind)
            for value, kind in zip((0, None, 1), columns.values(), strict=True)
        ],
        list(columns),
    )
    with pytest.raises(ValueError, match="pane: expected the start of a pane, found null"):
        list(split([batch], ["pane", "count"], 2))


@pytest.mark.parametrize(
    ("length", "shards", "message"),
    [("5s", 5, "expected shards=4, .* found shards=5"), ("6s", 4, "expected length=..5s")],
)
def test_other_settings_than_those_of_the_state_of_shards_are_an_error(
    length: str, shards: int, message: str
):
    def once(state: bytes | None, length: str, shards: int) -> bytes:
        options = tuple(window_options(length, "1s", "url", None, None, None, "0s"))
        return slide(options, 3, state, 10**6, b"", shards=shards)[0]

    state = once(None, "5s", 4)
    assert once(state, "5s", 4)
    with pytest.raises(ValueError, match=message):
        once(state, length, shards)


def bounds_of(snapshot: tr.Snapshot) -> tuple[int, int]:
    return (
        round((snapshot.start - START).total_seconds()),
        round((snapshot.end - START).total_seconds()),
    )


def naive(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with times as Spark collects them."""
    return [
        {
            name: value.astimezone().replace(tzinfo=None) if name == "max" else value
            for name, value in row.items()
        }
        for row in rows
    ]


def test_the_documented_sql_ranks_all_shards(spark: SparkSession, logs: Files):
    sharded = ts.sharded_windows(logs.panes(spark), "5s", by="url", shards=4, top=1)
    query = sharded.writeStream.format("memory").queryName("windows")
    running = query.trigger(availableNow=True).start()
    assert running.awaitTermination(120)
    document = ts.sharded_windows.__doc__ or ""
    sql = document.partition("```sql\n")[2].partition("```")[0].replace("<= 10", "<= 1")
    rows = seconds(spark.sql(sql)).collect()

    assert {(row["start"], row["end"]): (row["url"], row["count"]) for row in rows} == {
        (one.start, one.end): top(one.counts)
        for found in expected()[0].values()
        for one in found
        if one.counts
    }


def top(counts: dict[Any, int]) -> tuple[str | None, int]:
    """The first key of a window, ties by key, null last."""
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0][0] is None, one[0][0] or ""))
    return found[0][0][0], found[0][1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shards": 0}, ValueError, "shards: expected 1 to 10,000, found 0"),
        ({"shards": "4"}, TypeError, "shards: expected a number of shards"),
        ({"aggregates": {"x": tr.share()}}, ValueError, "x: a share needs all keys"),
        ({"aggregates": {"end": tr.count()}}, ValueError, "'end' is a bound of the window"),
        ({"aggregates": {"Shard": tr.count()}}, ValueError, "found 'Shard' and 'shard'"),
        ({"length": ["5s", None]}, ValueError, "found None .everything since the start"),
        ({"by": "host"}, ValueError, "by: expected a column 'host'"),
        ({"every": "500ms"}, ValueError, "found panes of 1s"),
    ],
)
def test_wrong_arguments_of_shards_are_clear_errors(
    spark: SparkSession,
    logs: Files,
    arguments: dict[str, Any],
    error: type[Exception],
    message: str,
):
    given = {"length": "5s", "every": "1s", "by": "url", "shards": 2, **arguments}
    with pytest.raises(error, match=message):
        ts.sharded_windows(logs.panes(spark), **given)


def test_shards_of_a_batch_are_an_error(spark: SparkSession):
    lines = spark.createDataFrame([("",)], "value string")
    with pytest.raises(ValueError, match="expected a stream of panes, found a batch"):
        ts.sharded_windows(ts.pane_counts(lines, by="url"), "5s", by="url", shards=2)
