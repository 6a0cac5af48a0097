"""Spark's DStream: `reduceByKeyAndWindow` with an inverse, `takeOrdered` of every window."""

from __future__ import annotations

import tempfile
import time
from itertools import groupby
from operator import add, sub
from typing import Any

from lines import LENGTH, TOP, events, write_tops
from pyspark import RDD, SparkConf, SparkContext
from pyspark.streaming import StreamingContext

# A batch has the events of a second. The next one starts as soon as the one before is finished, so
# the interval is a tenth of a second: the cost of a slide does not depend on it.
_BATCH_S = 0.1


def main() -> None:
    """Replay second by second."""
    seconds = [
        (second, [key for _, key in group])
        for second, group in groupby(events(), lambda event: event[0] // 1_000)
    ]
    conf = SparkConf().setMaster("local[2]").set("spark.driver.bindAddress", "127.0.0.1")
    conf = conf.set("spark.driver.host", "127.0.0.1").set("spark.ui.enabled", "false")
    context = SparkContext(conf=conf)
    context.setLogLevel("ERROR")
    streaming = StreamingContext(context, _BATCH_S)
    # A checkpoint stores everything that `answer` refers to: little, and no lock.
    tops: list[tuple[int, list[Any]]] = []
    ends = [second + 1 for second, _ in seconds]

    def answer(rdd: RDD[Any]) -> None:
        if len(tops) < len(ends):
            best = rdd.takeOrdered(TOP, key=lambda row: (-row[1], row[0]))
            tops.append((ends[len(tops)], best))

    with tempfile.TemporaryDirectory() as checkpoints:
        streaming.checkpoint(checkpoints)
        batches = streaming.queueStream([context.parallelize(keys, 2) for _, keys in seconds])
        counts = batches.map(lambda key: (key, 1)).reduceByKeyAndWindow(
            add,
            sub,
            LENGTH * _BATCH_S,
            _BATCH_S,
            numPartitions=2,
            filterFunc=lambda row: row[1] > 0,
        )
        counts.foreachRDD(answer)
        streaming.start()
        while len(tops) < len(ends):
            time.sleep(0.05)
        streaming.stop(stopSparkContext=True, stopGraceFully=False)
    write_tops(tops)


if __name__ == "__main__":
    main()
