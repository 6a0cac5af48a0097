"""
Time parsing inside Spark: `tailrace.spark` against what Spark and Python have.

Run it with the Python of Spark: `benches/spark.py [--lines N] [--rounds N] [--seed N]`. The
contestants are queries of one session, `local[2]`, that read lines from Parquet, keep them beside
the fields, and drop the rows; they run in turns. A rate is lines for a CPU second of the whole tree
of processes: Python, Java and its workers. Rows are compared, all fields of all of them, before
anything is timed.

To add a contestant, add a row in `_contestants`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import pyspark
from generator import LINES_PER_SECOND, write_log
from measure import Verdicts, ratio, wrong
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's documentation

import tailrace.spark as ts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame

_FIELDS = ["host", "user", "time", "request", "status", "size", "referer", "agent"]
_TYPES = "host string, user string, time timestamp, request string, status bigint, size bigint"
_TYPES += ", referer string, agent string"

_PREFIX = r"^(\S+) \S+ (\S+) "
_NEGATED = _PREFIX + r'\[([^\]]+)\] "([^"]*)" (\d+) (\S+) "([^"]*)" "([^"]*)"$'
# As people write it.
_GREEDY = _PREFIX + r'\[(.+)\] "(.+)" (\d+) (\S+) "(.*)" "(.*)"$'
_CLOCK = "dd/MMM/yyyy:HH:mm:ss Z"

# Of slow contestants and of those that are compared, this share of the lines.
_FEW = 10


class _Contestant(NamedTuple):
    query: Callable[[DataFrame], DataFrame]
    fields: list[str] = _FIELDS
    """What its rows have, to be compared; none for a query that parses nothing."""
    few: bool = False
    """Whether it is so slow that it is timed with fewer lines."""


def _contestants() -> dict[str, _Contestant]:
    text = [name for name in _FIELDS if name != "time"]
    return {
        "identity": _Contestant(lambda df: df.mapInArrow(lambda batches: batches, df.schema), []),
        "parse": _Contestant(lambda df: ts.parse(df, fields=_FIELDS)),
        "parse, reasons": _Contestant(
            lambda df: ts.parse(df, fields=_FIELDS, reject_column="reason")
        ),
        "parse, drop": _Contestant(lambda df: ts.parse(df, fields=_FIELDS, mode="drop")),
        "parse, two": _Contestant(lambda df: ts.parse(df, fields=["time", "url"]), ["time", "url"]),
        "parse_udf": _Contestant(lambda df: df.withColumn("_", ts.parse_udf(_FIELDS)("value"))),
        "url_udf": _Contestant(lambda df: df.withColumn("url", ts.url_udf()("value")), ["url"]),
        "from_csv": _Contestant(lambda df: _from_csv(df, times=True)),
        "from_csv, no time": _Contestant(lambda df: _from_csv(df, times=False), text),
        "regexp x 8": _Contestant(lambda df: _extracted(df, _NEGATED), few=True),
        "regexp x 8, greedy": _Contestant(lambda df: _extracted(df, _GREEDY), few=True),
        "udf, typed": _Contestant(
            lambda df: df.withColumn("_", F.udf(_typed(), _TYPES)("value")), few=True
        ),
        "udf, untyped": _Contestant(_untyped, text),
        "udf, url": _Contestant(
            lambda df: df.withColumn("url", F.udf(_url(), "string")("value")), ["url"]
        ),
    }


def _from_csv(df: DataFrame, *, times: bool) -> DataFrame:
    """Return the fields by the fastest way that Spark has for such lines."""
    parts = "host STRING, i STRING, user STRING, t STRING, z STRING, request STRING"
    parts += ", status BIGINT, size BIGINT, referer STRING, agent STRING"
    options = r"""map('sep', ' ', 'quote', '"', 'escape', '\\', 'nullValue', '-')"""
    rows = df.selectExpr("value", f"from_csv(value, '{parts}', {options}) AS _")
    rows = rows.select("value", "_.*")
    if not times:
        return rows.drop("i", "t", "z")
    time = f"to_timestamp(substring(concat(t, ' ', z), 2, 26), '{_CLOCK}') AS time"
    return rows.selectExpr("value", *(time if name == "time" else name for name in _FIELDS))


def _extracted(df: DataFrame, pattern: str) -> DataFrame:
    columns = []
    for group, name in enumerate(_FIELDS, 1):
        column = F.regexp_extract("value", pattern, group)
        if name == "time":
            column = F.to_timestamp(column, _CLOCK)
        elif name in {"status", "size"}:
            column = column.cast("bigint")
        elif name != "request":
            column = F.nullif(column, F.lit("-"))
        columns.append(column.alias(name))
    return df.select("value", *columns)


# Functions of Python are nested ones, so that workers need not import this file.


def _typed() -> Callable[[str], tuple[Any, ...] | None]:
    match = re.compile(_NEGATED).match

    def typed(line: str) -> tuple[Any, ...] | None:
        found = match(line)
        if found is None:
            return None
        host, user, time, request, status, size, referer, agent = (
            None if group == "-" else group for group in found.groups()
        )
        return (
            host,
            user,
            datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z"),
            request,
            int(status),
            None if size is None else int(size),
            referer,
            agent,
        )

    return typed


def _untyped(df: DataFrame) -> DataFrame:
    match = re.compile(_NEGATED).match

    def untyped(line: str) -> tuple[Any, ...] | None:
        found = match(line)
        return found and tuple(None if group == "-" else group for group in found.groups())

    types = ", ".join(f"{name} string" for name in _FIELDS)
    return df.withColumn("_", F.udf(untyped, types)("value"))


def _url() -> Callable[[str], str | None]:
    match = re.compile(_NEGATED).match

    def url(line: str) -> str | None:
        found = match(line)
        words = found[4].split() if found else []
        return words[1] if len(words) > 1 else None

    return url


def _flat(df: DataFrame) -> DataFrame:
    return df.select("_.*") if "_" in df.columns else df


def _digest(df: DataFrame, fields: list[str]) -> tuple[int, Any]:
    """Return the number of rows and the sum of their hashes, whatever their order."""
    columns = [F.col(name).cast("string" if name != "time" else "timestamp") for name in fields]
    hashes = _flat(df).select(F.xxhash64(*columns).cast("decimal(38,0)").alias("hash"))
    row = hashes.agg(F.count("*"), F.sum("hash")).first()
    return row[0], row[1]


# --- CPU time of the tree -------------------------------------------------------------------------


def cpu_s() -> float:
    """Return the CPU seconds of this process and all below it, and of those that have ended."""
    below: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    # Not `glob`, which fails if a process ends meanwhile.
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:  # noqa: PTH208
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(pid)
        ticks[pid] = sum(map(int, fields[11:15]))

    def tree(pid: int) -> Iterator[int]:
        yield pid
        for child in below.get(pid, []):
            yield from tree(child)

    return sum(ticks[pid] for pid in tree(os.getpid())) / os.sysconf("SC_CLK_TCK")


def session(work: Path) -> SparkSession:
    """Return a session with two threads."""
    # Without it Spark warns of the name of the machine, which would be in records.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").appName("tailrace bench")
    for name, value in {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.sql.parquet.compression.codec": "uncompressed",
        # Of 200, the default, the overhead would hide what is measured.
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


# --- the bars -------------------------------------------------------------------------------------

_BARS = (
    ("parse", "from_csv", 2.0),
    ("parse", "udf, typed", 10.0),
    ("parse", "regexp x 8", 10.0),
    ("parse", "regexp x 8, greedy", 30.0),
    ("parse", "identity", 0.75),
    ("parse, reasons", "parse, drop", 0.9),
    ("parse_udf", "udf, untyped", 2.0),
    ("url_udf", "udf, url", 2.0),
)


def main() -> int:
    """Compare the rows of all contestants, time them in turns, and print rates and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--lines", type=int, default=800_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        spark = session(work)
        try:
            return _compare(spark, work, given.lines, given.rounds, given.seed)
        finally:
            spark.stop()


def _compare(spark: SparkSession, work: Path, lines: int, rounds: int, seed: int) -> int:
    write_log(work / "access.log", max(1, lines // LINES_PER_SECOND), seed)
    text = spark.read.text(str(work / "access.log"))
    text.repartition(4).write.parquet(str(work / "many"))
    text.limit(lines // _FEW).repartition(4).write.parquet(str(work / "few"))
    many, few = (spark.read.parquet(str(work / name)) for name in ("many", "few"))
    counts = {True: few.count(), False: many.count()}
    contestants = _contestants()
    answers = ts.parse(few, fields=[*_FIELDS, "url"])
    for name, one in contestants.items():
        if one.fields and _digest(one.query(few), one.fields) != _digest(answers, one.fields):
            wrong(f"{name}: its rows differ from those of parse")
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    # The first round starts workers and compiles.
    for number in range(rounds + 1):
        for name, one in contestants.items():
            df = one.query(few if one.few else many)
            before = cpu_s()
            df.write.format("noop").mode("overwrite").save()
            if number:
                rates[name].append(counts[one.few] / (cpu_s() - before))
    size = (work / "access.log").stat().st_size / counts[False]
    print(
        f"Spark {pyspark.__version__}, local[2]: thousand lines for a CPU second of the tree of "
        f"processes, median of {rounds} rounds\n"
        f"{counts[False]:,} lines of {size:.0f} bytes, {counts[True]:,} for slow contestants\n"
    )
    for name, found in rates.items():
        low, middle, high = (of(found) / 1_000 for of in (min, median, max))
        print(f"{name:20}{middle:7.0f}   from {low:.0f} to {high:.0f}")
    verdicts = Verdicts()
    for name, other, bar in _BARS:
        what = f"{name} / {other}"
        print(f"{what:36}{verdicts.at_least(what, ratio(rates[name], rates[other]), bar)}")
    return 1 if verdicts.missed else 0


if __name__ == "__main__":
    sys.exit(main())
