"""
Report clients that behave unlike others: k-means over their windows of the last two minutes.

The first windows after a start show what is usual. Each client of a later window is scored by its
distance to the nearest centre, in standard deviations.
"""

from __future__ import annotations

import argparse
from datetime import UTC
from functools import reduce
from pathlib import Path
from typing import Any, cast

from pyspark.ml import Estimator, Pipeline, PipelineModel, Transformer
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everywhere in Spark

import tailrace as tr
import tailrace.spark as ts

# What is computed for a client in a window.
FEATURES = {
    "requests": tr.count(),
    "bytes": tr.sum("size"),
    "errors": tr.share(where="status >= 400"),
    "urls": tr.count_distinct("url"),
}


class Watch:
    """Learns from the first windows, then prints each client whose score is above a limit."""

    def __init__(self, merger: ts.WindowMerger, windows: int, limit: float) -> None:
        self._merger = merger
        self._windows = windows
        self._limit = limit
        self._usual: list[DataFrame] = []
        self._model: PipelineModel | None = None

    def __call__(self, panes: DataFrame, batch_id: int) -> None:
        """Take a batch of panes; for `foreachBatch`."""
        if not self._merger(panes, batch_id):
            return
        # One row for each window that has ended and client; without a size the sum is null.
        rows = self._merger.dataframe(panes.sparkSession).fillna(0, ["bytes"])
        if self._model is None:
            self._usual.append(rows)
            if len(self._usual) == self._windows:
                self._model = learn(reduce(DataFrame.union, self._usual).coalesce(1))
            return
        odd = scores(self._model, rows).where(F.col("score") > self._limit)
        for row in odd.orderBy("end", F.desc("score")).collect():
            end = row.end.astimezone(UTC)
            print(
                f"{end:%H:%M} {row.host}: score {row.score:.0f}, {row.requests} requests, "
                f"{row.urls} URLs, {row.errors:.0%} errors",
                flush=True,
            )


def learn(rows: DataFrame) -> PipelineModel:
    """Return a model of what is usual."""
    steps: list[Estimator[Any] | Transformer] = [
        VectorAssembler(inputCols=list(FEATURES), outputCol="features"),
        StandardScaler(inputCol="features", outputCol="scaled", withMean=True),
        KMeans(featuresCol="scaled", k=2, seed=1),
    ]
    return Pipeline(stages=steps).fit(rows)


def scores(model: PipelineModel, rows: DataFrame) -> DataFrame:
    """Add the column `score`: the distance to the nearest centre."""
    clusters = cast("KMeansModel", model.stages[-1])
    points = [F.array(*map(F.lit, map(float, point))) for point in clusters.clusterCenters()]
    centres = F.array(*points)
    nearest = centres[F.col("prediction")]
    return model.transform(rows).withColumn(
        "score", distance(vector_to_array(F.col("scaled")), nearest)
    )


def distance(one: Column, other: Column) -> Column:
    """Return the distance of two points, as arrays."""
    squares = F.zip_with(one, other, lambda a, b: (a - b) * (a - b))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, value: total + value))


def main(arguments: list[str] | None = None) -> None:
    """Start the query; it runs until it is stopped, or until all files are read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", help="a directory of log files, each complete when it arrives")
    parser.add_argument("state", type=Path, help="a directory for the state of this query")
    parser.add_argument("--learn", type=int, default=4, help="batches that show what is usual")
    parser.add_argument("--limit", type=float, default=6.0, help="which scores are reported")
    parser.add_argument("--once", action="store_true", help="end when all files are read")
    options = parser.parse_args(arguments)

    spark = SparkSession.builder.appName("tailrace: clients").getOrCreate()
    lines = spark.readStream.option("maxFilesPerTrigger", 1).text(options.logs)
    panes = ts.pane_counts(lines, by="host", every="1m", aggregates=FEATURES)
    merger = ts.WindowMerger(
        "2m",
        every="1m",
        by="host",
        top=None,
        aggregates=FEATURES,
        checkpoint=options.state / "window",
    )
    stream = panes.writeStream.foreachBatch(Watch(merger, options.learn, options.limit))
    stream = stream.option("checkpointLocation", str(options.state / "query"))
    stream = stream.trigger(availableNow=True) if options.once else stream
    stream.start().awaitTermination()


if __name__ == "__main__":
    main()
