"""Print the most frequent URLs of a log, and what was not counted; a job for `spark-submit`."""

from __future__ import annotations

import argparse

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everywhere in Spark

import tailrace.spark as ts


def main(arguments: list[str] | None = None) -> None:
    """Read the files that the command line names, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", nargs="+", help="files or directories, on storage of the cluster")
    parser.add_argument("--format", default="combined", help="the format of the lines")
    parser.add_argument("--top", type=int, default=10, help="how many URLs")
    options = parser.parse_args(arguments)

    spark = SparkSession.builder.appName("tailrace: urls").getOrCreate()
    rows = ts.parse(
        spark.read.text(options.log),
        fields=["url", "status", "size"],
        log_format=options.format,
        reject_column="reason",
    ).cache()

    rejected = rows.where("reason is not null").groupBy("reason").count().orderBy("reason")
    rejected.show(truncate=False)

    parsed = rows.where("reason is null")
    urls = parsed.groupBy("url").agg(F.count("*").alias("count"), F.sum("size").alias("bytes"))
    urls.orderBy(F.desc("count"), "url").show(options.top, truncate=False)


if __name__ == "__main__":
    main()
