"""
Time windows inside Spark: panes of `tailrace.spark` against what Spark has.

Run it with the Python of Spark: `benches/spark_panes.py [--lines N] [--rounds N] [--seed N]`. With
`--dstreams SECONDS` it also runs the classic job, `reduceByKeyAndWindow` over 300 s every second,
until its window has been full for that long: more than five minutes. Rates are lines for a CPU
second of the whole tree of processes: Python, Java and its workers. Answers are compared before
anything is timed. `local[2]`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyspark
from generator import LINES_PER_SECOND, write_log
from measure import Verdicts, ratio, wrong
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's documentation
from spark import cpu_s, session

import tailrace as tr
import tailrace.spark as ts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_WINDOW_S = 300

# `window(…)` makes 300 rows of each line, so it is timed with this many.
_FEW = 2_000

# Lines a second of the classic job, so that it keeps up with a full window.
_CLASSIC_RATE = 2_000


def main() -> int:
    """Compare answers, time the contestants in turns, and print rates and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=800_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dstreams", type=int, default=0, metavar="SECONDS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        spark = session(work)
        try:
            return _compare(spark, work, given)
        finally:
            spark.stop()


def _compare(spark: SparkSession, work: Path, given: argparse.Namespace) -> int:
    write_log(work / "access.log", max(1, given.lines // LINES_PER_SECOND), given.seed)
    text = spark.read.text(str(work / "access.log"))
    # In the order of the log, as Spark splits files: a partition has few panes.
    text.write.parquet(str(work / "many"))
    text.limit(_FEW).repartition(4).write.parquet(str(work / "few"))
    many, few = (spark.read.parquet(str(work / name)) for name in ("many", "few"))
    counts = {"many": many.count(), "few": few.count()}
    _check(few)
    contestants: dict[str, Any] = {
        "pane_counts": ("many", lambda: _noop(_panes(many))),
        "parse, groupBy": ("many", lambda: _noop(_parsed(many))),
        "pane_counts, dense": ("many", lambda: _noop(_panes(many, "status"))),
        "parse, groupBy, dense": ("many", lambda: _noop(_parsed(many, "status"))),
        "windows of panes": ("many", lambda: _slid(many)),
        "window()": ("few", lambda: _noop(_windows(few))),
    }
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    # The first round starts workers and compiles.
    for number in range(given.rounds + 1):
        for name, (of, run) in contestants.items():
            before = cpu_s()
            run()
            if number:
                rates[name].append(counts[of] / (cpu_s() - before))
    print(
        f"Spark {pyspark.__version__}, local[2]: thousand lines for a CPU second of the tree of "
        f"processes, median of {given.rounds} rounds\n"
        f"{counts['many']:,} lines, {counts['few']:,} for window()\n"
    )
    verdicts = Verdicts()
    if given.dstreams:
        # Once: a window takes five minutes to fill.
        rates["DStreams, full window"] = [_classic(spark, work, given.dstreams)] * given.rounds
    for name, found in rates.items():
        low, middle, high = (of(found) / 1_000 for of in (min, median, max))
        print(f"{name:24}{middle:9.2f}   from {low:.2f} to {high:.2f}")
    bars = [
        ("pane_counts", "parse, groupBy", 1.6),
        ("pane_counts, dense", "parse, groupBy, dense", 1.6),
        ("windows of panes", "window()", 200.0),
    ]
    bars += [("windows of panes", "DStreams, full window", 20.0)] if given.dstreams else []
    for name, other, bar in bars:
        what = f"{name} / {other}"
        print(f"{what:44}{verdicts.at_least(what, ratio(rates[name], rates[other]), bar)}")
    return 1 if verdicts.missed else 0


# The log has about two lines for each second and URL, and hundreds for each second and status.
def _panes(df: DataFrame, by: str = "url") -> DataFrame:
    return ts.pane_counts(df, by=by)


def _parsed(df: DataFrame, by: str = "url") -> DataFrame:
    rows = ts.parse(df, fields=["time", by], mode="drop").drop("value")
    return rows.groupBy(F.date_trunc("second", "time").alias("pane"), by).count()


def _windows(df: DataFrame) -> DataFrame:
    rows = ts.parse(df, fields=["time", "url"], mode="drop").drop("value")
    of = F.window("time", f"{_WINDOW_S} seconds", "1 second")
    return rows.groupBy(of.alias("window"), "url").count()


def _slid(df: DataFrame) -> list[tr.Snapshot]:
    """Return the top ten of every window."""
    with tempfile.TemporaryDirectory() as folder:
        merger = ts.WindowMerger(f"{_WINDOW_S}s", by="url", checkpoint=folder, query_id="bench")
        return [*merger(_panes(df), 0), *merger.finish()]


def _noop(df: DataFrame) -> None:
    df.write.format("noop").mode("overwrite").save()


def _check(df: DataFrame) -> None:
    """End the program unless all contestants count the same."""
    panes = {(row[0], row[1]): row[2] for row in _panes(df).collect()}
    if panes != {(row[0], row[1]): row[2] for row in _parsed(df).collect()}:
        wrong("pane_counts: its counts differ from those of parse and groupBy")
    totals: dict[datetime, int] = {}
    sums = _windows(df).groupBy(F.col("window.end").cast("long")).sum("count")
    for row in sums.collect():
        totals[datetime.fromtimestamp(row[0], UTC)] = row[1]
    found = {one.end: one.total for one in _slid(df) if one.total}
    if found != totals:
        wrong("windows of panes: their totals differ from those of window()")


def _classic(spark: SparkSession, work: Path, seconds: int) -> float:
    """Return the lines for a CPU second of the classic job once its window is full."""
    from pyspark.streaming import StreamingContext  # noqa: PLC0415 - deprecated, and rarely run

    context = spark.sparkContext
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        streaming = StreamingContext(context, 1)
    streaming.checkpoint(str(work / "classic"))
    lines = (work / "access.log").read_text().splitlines()
    queue = [
        context.parallelize(
            [lines[(n * _CLASSIC_RATE + i) % len(lines)] for i in range(_CLASSIC_RATE)], 2
        )
        for n in range(_WINDOW_S + seconds + 30)
    ]
    counts = streaming.queueStream(queue).map(lambda line: (line.split(" ", 7)[6], 1))
    windows = counts.reduceByKeyAndWindow(
        lambda one, other: one + other,
        lambda one, other: one - other,
        _WINDOW_S,
        1,
        2,
        lambda item: item[1] > 0,
    )
    done: list[int] = []

    def answer(_: object, counted: Any) -> None:  # noqa: ANN401 - an RDD
        counted.top(10, key=lambda item: item[1])
        done.append(1)

    windows.foreachRDD(answer)
    streaming.start()
    begin = time.monotonic()
    while len(done) < _WINDOW_S:
        time.sleep(0.1)
    before, first, at = cpu_s(), len(done), time.monotonic()
    while time.monotonic() - at < seconds:
        time.sleep(0.1)
    slides = len(done) - first
    used = cpu_s() - before
    elapsed = timedelta(seconds=round(time.monotonic() - begin))
    streaming.stop(stopSparkContext=False)
    print(
        f"DStreams: {_CLASSIC_RATE:,} lines a second offered, {slides} slides in {seconds} s of a "
        f"full window, {used / max(slides, 1):.2f} CPU s a slide, after {elapsed}\n"
    )
    return slides * _CLASSIC_RATE / used


if __name__ == "__main__":
    sys.exit(main())
