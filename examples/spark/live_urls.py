"""Print the most frequent URLs of the last five minutes of log files that arrive in a directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

import tailrace.spark as ts


def main(arguments: list[str] | None = None) -> None:
    """Start the query; it runs until it is stopped, or until all files are read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", help="a directory of log files, each complete when it arrives")
    parser.add_argument("state", type=Path, help="a directory for the state, one for each query")
    parser.add_argument("--every", default="10s", help="how often there is a result")
    parser.add_argument("--once", action="store_true", help="end when all files are read")
    options = parser.parse_args(arguments)

    spark = SparkSession.builder.appName("tailrace: live urls").getOrCreate()
    lines = spark.readStream.option("maxFilesPerTrigger", 10).text(options.logs)
    panes = ts.pane_counts(lines, by="url", every=options.every)
    merger = ts.WindowMerger(
        "300s", every=options.every, by="url", top=10, checkpoint=options.state / "window"
    )

    def show(batch: DataFrame, number: int) -> None:
        for snapshot in merger(batch, number):
            print(snapshot, end="\n\n")

    stream = panes.writeStream.foreachBatch(show)
    stream = stream.option("checkpointLocation", str(options.state / "query"))
    stream = stream.trigger(availableNow=True) if options.once else stream
    stream.start().awaitTermination()
    if options.once:
        for snapshot in merger.finish():
            print(snapshot, end="\n\n")


if __name__ == "__main__":
    main()
