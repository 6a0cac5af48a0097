"""Spark Connect, whose sessions need a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from documents import files

import tailrace as tr

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not version("pyspark").startswith("4."), reason="Spark Connect is tested with Spark 4"
    ),
]

SMALL = "--driver-memory 1g --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2"

PROGRAM = """\
import json
import os
import traceback

from pyspark.sql import SparkSession

import tailrace as tr
import tailrace.spark as ts

spark = SparkSession.builder.remote("local[2]").getOrCreate()
# The directory of the server is another one, and so is that of its workers.
here = os.getcwd()
lines = spark.read.text(f"{here}/access.log")
answers = {}


def part(function):
    try:
        answers[function.__name__] = function()
    except Exception:
        answers[function.__name__] = traceback.format_exc()


@part
def kind():
    return type(spark).__module__


@part
def parse():
    rows = ts.parse(lines, fields=["url", "status"], reject_column="reason", log_format="auto")
    return [rows.where("status = 404").count(), rows.where("reason = 'no-match'").count()]


@part
def a_line_that_does_not_match():
    try:
        ts.parse(lines, fields=["url"], mode="fail").count()
    except Exception as error:
        return str(error)


@part
def a_column_that_is_missing():
    try:
        ts.parse(lines, "line")
    except ValueError as error:
        return str(error)


@part
def udfs():
    parsed = ts.parse_udf(fields=["url", "status"])("value").alias("row")
    both = lines.select(parsed, ts.url_udf()("value").alias("url"))
    return both.where("row.status = 404 and row.url = url").count()


@part
def sql():
    ts.register(spark, fields=["url", "status"])
    lines.createOrReplaceTempView("log")
    return [
        spark.sql(f"select count(*) from {table} where {condition}").first()[0]
        for table, condition in [
            ("log", "tailrace_parse(value).status = 404"),
            ("log", "tailrace_url(value) = '/favicon.ico'"),
            ("tailrace_lines(table(select value from log))", "status = 404"),
        ]
    ]


@part
def source():
    rows = spark.read.format("tailrace").option("fields", "url,status")
    return rows.load(f"{here}/access.log").where("status = 404").count()


AGGREGATES = {"hits": tr.count(), "clients": tr.count_distinct("host")}


def merger(folder, **options):
    return ts.WindowMerger(
        "1d",
        every="1h",
        by="url",
        top=2,
        aggregates=AGGREGATES,
        checkpoint=f"{here}/{folder}",
        **options,
    )


def panes_of(lines):
    return ts.pane_counts(lines, by="url", every="1h", aggregates=AGGREGATES)


def plain(snapshots):
    return [[one.end.isoformat(), *row.values()] for one in snapshots for row in one.rows]


@part
def panes():
    counts = ts.pane_counts(lines, by="url", every="1h").groupBy("url").sum("count")
    return counts.where("url = '/favicon.ico'").first()[1]


@part
def windows():
    return plain(merger("batch")(ts.merge_panes(panes_of(lines)), 0))


def started(query):
    for attempt in range(20):
        try:
            return query.start()
        except Exception as error:
            # The process for foreachBatch has ten seconds to start, which a loaded machine exceeds.
            if "Python worker failed to connect back" not in str(error):
                raise
    raise TimeoutError("foreachBatch did not start")


@part
def stream():
    merge = merger("window", query_id="q")
    written = f"{here}/written"

    def write(batch, number):
        with open(written, "a") as out:
            for row in plain(merge(batch, number)):
                print(json.dumps(row), file=out)

    query = panes_of(spark.readStream.text(f"{here}/logs")).writeStream.foreachBatch(write)
    query = query.option("checkpointLocation", f"{here}/query").trigger(availableNow=True)
    started(query).awaitTermination()
    try:
        merge.dataframe(spark)
    except ValueError as error:
        answers["the_merger_of_the_client"] = str(error)
    return [json.loads(line) for line in open(written)]


@part
def shards():
    panes = panes_of(spark.readStream.text(f"{here}/logs"))
    windows = ts.sharded_windows(
        panes, "1d", "1h", by="url", shards=2, aggregates=AGGREGATES, top=None
    )
    query = windows.writeStream.format("memory").queryName("shards").outputMode("append")
    query = query.option("checkpointLocation", f"{here}/shards").trigger(availableNow=True).start()
    query.awaitTermination()
    found = spark.sql(
        "select hits, clients from shards where url = '/favicon.ico' order by end desc limit 1"
    )
    return list(found.first())


print("ANSWERS", json.dumps(answers))
spark.stop()
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each part of the program answers, or how it failed."""
    folder = tmp_path_factory.mktemp("connect")
    (folder / "logs").mkdir()
    for name in ("access.log", "logs/access.log"):
        (folder / name).write_bytes(files()["access.log"])
    (folder / "program.py").write_text(PROGRAM)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SPARK_")}
    run = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=kept
        | {
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(Path(tr.__file__).parents[1]),
            "PYSPARK_SUBMIT_ARGS": f"{SMALL} pyspark-shell",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("ANSWERS ")]
    found = json.loads(line.removeprefix("ANSWERS "))
    assert found.pop("kind") == "pyspark.sql.connect.session"
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "access.log"
    file.write_bytes(files()["access.log"])
    return file


def test_rows(answers: dict[str, Any], log: Path):
    query = tr.from_files(str(log), format="combined")
    missing = query.where("status == 404").count().collect().total
    favicons = query.where("url == '/favicon.ico'").count().collect().total

    assert answers["parse"] == [missing, 1]
    assert answers["udfs"] == missing
    assert answers["sql"] == [missing, favicons, missing]
    assert answers["source"] == missing
    assert answers["panes"] == favicons


def test_windows(answers: dict[str, Any], log: Path):
    query = tr.from_files(str(log), format="combined").window("1d", every="1h")
    windows = query.agg(by="url", hits=tr.count(), clients=tr.count_distinct("host")).top(2)
    # The last of them ends after the newest event: the stream could go on.
    expected = [
        [one.end.isoformat(), *row.values()] for one in list(windows.run())[:-1] for row in one.rows
    ]

    assert len(expected) > 100
    assert answers["windows"] == expected
    assert answers["stream"] == expected
    assert answers["shards"] == [row[2:] for row in expected if row[1] == "/favicon.ico"][-1]


def test_errors(answers: dict[str, Any]):
    assert "a line does not match the format combined" in answers["a_line_that_does_not_match"]
    assert answers["a_column_that_is_missing"].startswith("column: the DataFrame has no column")
    # The function of foreachBatch runs in a process of the server, with a merger of its own.
    expected = "dataframe: expected a batch before it, found none"
    assert answers["the_merger_of_the_client"].startswith(expected)
