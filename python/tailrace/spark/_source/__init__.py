"""
The format `tailrace` of `spark.read`: log files as rows with the parsed columns.

Spark pickles the classes here by value, because they are nested in a function, and runs them in
Python workers that may lack tailrace. So all they hold is text, numbers and lists of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.spark._executors import importer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["register_source"]


def register_source(spark: SparkSession) -> None:
    """Register the format `tailrace` in a session; Spark 3.5 has no data sources in Python."""
    if hasattr(spark, "dataSource"):
        spark.dataSource.register(_source())


def _source() -> Any:  # noqa: ANN401, C901 - a class of Spark 4, nested to be pickled by value
    """Return the class of the data source."""
    import sys  # noqa: PLC0415 - a nested function refers to nothing of this module

    from pyspark.sql.datasource import (  # noqa: PLC0415 - not in Spark 3.5
        DataSource,
        DataSourceReader,
        InputPartition,
    )

    import_module = importer()

    class Reader(DataSourceReader):
        def __init__(self, plan: dict[str, Any]) -> None:
            self.plan = plan

        def partitions(self) -> list[InputPartition]:
            return [InputPartition(one) for one in self.plan["partitions"]]

        def read(self, partition: InputPartition) -> Any:  # noqa: ANN401 - batches
            problem: Exception | None = None
            try:
                rows = import_module("tailrace.spark._source.rows")
                yield from rows.batches(self.plan, partition.value)
            except (ImportError, ValueError) as error:
                problem = error
            if problem is not None:
                # The message is what a user needs, not where it was raised.
                raise problem.with_traceback(None) from None

        def __getstate__(self) -> dict[str, Any]:
            # A task gets its own partition, not all of them.
            return {"plan": {**self.plan, "partitions": []}}

    class PushingReader(Reader):
        def pushFilters(self, filters: Any) -> Any:  # noqa: ANN401, N802 - as Spark names it
            return import_module("tailrace.spark._source.filters").push(self.plan, filters)

    class LogSource(DataSource):
        def __init__(self, options: Any) -> None:  # noqa: ANN401 - of Spark
            self.options = options
            self.detected: dict[str, Any] = {}
            self.call("options", "check", dict(options))

        @classmethod
        def name(cls) -> str:
            return "tailrace"

        def schema(self) -> Any:  # noqa: ANN401 - a StructType
            schema, self.detected = self.call("plan", "schema", dict(self.options))
            return schema

        def reader(self, schema: Any) -> DataSourceReader:  # noqa: ANN401 - a StructType
            plan = self.call("plan", "plan", dict(self.options), schema, self.detected)
            # Spark calls `pushFilters` only in this worker, and refuses a reader that has it in
            # the other one.
            pushes = "pyspark.sql.worker.data_source_pushdown_filters" in sys.modules
            if plan["pushes"] is None:
                # Before Spark had limits to push, it read the lines of a filter in other queries of
                # the same DataFrame, too.
                pushes = pushes and hasattr(DataSourceReader, "pushLimit")
            else:
                pushes = pushes and plan["pushes"]
            return PushingReader(plan) if pushes else Reader(plan)

        def streamReader(self, schema: Any) -> Any:  # noqa: ANN401, ARG002, N802 - as Spark names it
            raise ValueError(
                "tailrace: expected spark.read, found spark.readStream; read the lines with "
                "spark.readStream.text(...), and parse them with tailrace.spark.parse"
            )

        def writer(self, schema: Any, overwrite: bool) -> Any:  # noqa: ANN401, ARG002, FBT001 - as above
            raise ValueError(
                "tailrace: expected a format to write, such as parquet; this one reads"
            )

        def call(self, module: str, function: str, *arguments: Any) -> Any:  # noqa: ANN401
            try:
                found = import_module(f"tailrace.spark._source.{module}")
                return getattr(found, function)(*arguments)
            except (ImportError, ValueError) as error:
                problem = error
            raise problem.with_traceback(None) from None

    return LogSource
