"""Counts of log lines by pane and key, as columns that Spark groups and stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - its name everywhere
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DoubleType,
    LongType,
    StructField,
    StructType,
)

from tailrace import _core
from tailrace._aggregates import aggregate_specs, check_aggregates, count, key_fields
from tailrace._durations import micros
from tailrace._schedule import window_settings
from tailrace.spark._counting import Counted
from tailrace.spark._described import describe
from tailrace.spark._executors import importer
from tailrace.spark._pane_schema import (
    PANE,
    aggregate_of,
    arrow_type,
    check_names,
    column_of,
    counts_of,
    field_named,
    is_count,
    pane_columns,
    pane_schema,
    spark_type,
)
from tailrace.spark._parse import line_column, spec_of
from tailrace.spark._rows import compiled
from tailrace.spark._windows import WindowOptions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from pyspark.sql import DataFrame

    from tailrace._aggregates import Aggregate
    from tailrace._durations import Duration
    from tailrace._types import AggregateSpec

__all__ = ["merge_panes", "pane_counts"]

# Those of a field of any type that are numbers.
_NUMBERS = {"sum", "min", "max"}


def pane_counts(
    df: DataFrame,
    column: str = "value",
    *,
    by: str | Sequence[str] | None,
    every: Duration = "1s",
    time: str = "time",
    aggregates: Mapping[str, Aggregate] | None = None,
    log_format: str = "combined",
    columns: str | Sequence[str] | None = None,
    where: str | None = None,
    tz: str | tzinfo = "UTC",
    geoip: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """
    Count log lines by pane and key, without parsing them into rows.

    A pane is an interval of time of the width *every*; panes begin at multiples of it since the
    epoch. The lines of a partition are counted in Rust, and what Spark shuffles is one row for each
    pane and key. On a stream the result has the rows of each partition, without a stateful
    aggregation: several rows can have one pane and key, which `merge_panes`,
    `WindowMerger` and `sharded_windows` add up.

    A line that does not match the format, has no time, or is not selected by *where* is in no pane.
    Each task logs how many lines it rejected, by reason, as a warning of `tailrace.spark`;
    `tailrace.spark.parse` with `reject_column` counts them.

    Args:
        df: The lines, a batch or a stream.
        column: The column of lines, as for `tailrace.spark.parse`. Nulls are skipped.
        by: The key: the name of a field or a list of names; None for one key.
        every: The width of a pane.
        time: The field of the time.
        aggregates: The aggregates, by the names of their columns; by default
            `{"count": tr.count()}`. `tr.count()` is a bigint, which adds up. Every other aggregate
            is a binary partial, which holds what merging needs.
        log_format: As for `tailrace.spark.parse`.
        columns: The names of the columns, as for `tailrace.spark.parse`.
        where: A condition, as for `tailrace.Query.where`.
        tz: The zone of times that have none in the log.
        geoip: A MaxMind DB file of countries on the driver, as for `tailrace.spark.parse`.

    Returns:
        `pane` (its start, a timestamp), the key fields with their types, and the aggregates.

    Raises:
        ImportError: A field needs the packages of `tailrace[agents]` on the driver.
        TypeError: An argument has another type.
        ValueError: The DataFrame has no such column of lines, the format lacks a field, only a
            header has the day of its times, two columns have one name for Spark, which ignores
            upper and lower case, or an argument is invalid.

    >>> lines = spark.read.text("access.log")
    >>> panes = ts.pane_counts(lines, by="status", every="1d")
    >>> panes.where("status = 404").orderBy("pane").first()["count"]
    30
    """
    names = list(key_fields(by))
    named = check_aggregates({"count": count()} if aggregates is None else aggregates)
    specs = aggregate_specs(named, names)
    check_names([PANE, *names, *named], "panes")
    if not isinstance(time, str):
        raise TypeError(f"time: expected the name of a field, found {time!r:.80}")
    at = line_column(df, column)
    spec = spec_of(df, at, log_format, columns)
    _check_day(spec, time)
    conditions = [one._condition for one in named.values() if one.where is not None]
    parts = [one.compiled(0) for one in conditions]
    fields = [*names, *(field for one in named.values() for field in one.fields), time]
    fields += [name for one in parts if one is not None for name, _ in one.fields]
    fields = list(dict.fromkeys(fields))
    for condition in conditions:
        condition.check(spec, fields)
    plain = describe(spec, fields, where=where, tz=tz, geoip=geoip).plain
    counted = Counted(plain, names, specs, time, micros(every, "every"))
    schema = pane_schema(*_types(counted), counted.width_us)
    arguments = tuple(counted)
    load = importer()

    def count_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from load("tailrace.spark._counting").partials(batches, arguments)

    # Spark's mapInArrow fails on columns with a dot in their name.
    lines = df.toDF(*(f"_{number}" for number in range(len(df.columns)))).select(f"_{at}")
    partials = lines.mapInArrow(count_partition, schema)
    return partials if df.isStreaming else _merged(partials, schema.fields, names, specs)


def _check_day(spec: str, time: str) -> None:
    """Raise a `ValueError` if the day of a line is in a header, so that no line has a time."""
    name, _, listed = spec.partition(":")
    columns = {column.strip().lower() for column in listed.split(",")}
    if name not in {"w3c", "iis"} or time.partition(":")[0] != "time" or "time" not in columns:
        return
    if columns.isdisjoint({"date", "timestamp"}):
        raise ValueError(
            "time: the columns have a time and no date, so the day of a line is in a header, and "
            "rows of Spark have no order in which one comes first; name another field of a time"
        )


def _types(
    counted: Counted,
) -> tuple[list[StructField], list[AggregateSpec], list[DataType]]:
    """Return the key fields, the aggregates, and the types of their results."""
    table = pa.schema(counted.counter().table())
    keys = [StructField(name, spark_type(table.field(name).type)) for name in counted.by]
    engine = _core.Engine(
        formats=[compiled(counted.described).format],
        by=counted.by,
        aggregates=counted.aggregates,
        time="log",
        settings=window_settings(
            None, limit=1, order_by=None, ascending=False, track_ranks=False, lateness_us=0,
            max_keys=None,
        ),
        sources=0,
        start_us=0,
        hash_seed=0,
    )  # fmt: skip
    answers = pa.schema(engine.snapshot()[6])
    results = []
    for name, function, *_ in counted.aggregates:
        found = answers.field(name).type
        is_number = pa.types.is_null(found) and function in _NUMBERS
        results.append(DoubleType() if is_number else spark_type(found))
    return keys, counted.aggregates, results


def merge_panes(df: DataFrame) -> DataFrame:
    """
    Merge the rows of panes that have one pane and key, exactly, floats included.

    Of several DataFrames of panes, take the union before. Their width has to be the same, since a
    union has the metadata of the first. On a stream, the rows of each micro-batch are merged on
    their own, without state.

    Args:
        df: Panes, as `pane_counts` makes them.

    Returns:
        The same columns, with one row for each pane and key.

    Raises:
        ValueError: A column is missing, or a binary column has lost the metadata that says which
            aggregate it is.

    >>> lines = spark.read.text("access.log")
    >>> first, second = lines.randomSplit([0.5, 0.5], 1)
    >>> days = [ts.pane_counts(part, by="status", every="1d") for part in (first, second)]
    >>> panes = ts.merge_panes(days[0].union(days[1]))
    >>> panes.where("status = 404").orderBy("pane").first()["count"]
    30
    """
    pane = field_named(df, PANE, "panes")
    fields = [field for field in df.schema if field is not pane and field.name != PANE]
    keys, specs, counts = [], [], counts_of(pane)
    for field in fields:
        spec = aggregate_of(field)
        if spec is not None:
            specs.append(spec)
        elif isinstance(field.dataType, BinaryType):
            raise ValueError(
                f"merge_panes: the binary column {field.name!r} lacks the metadata of pane_counts; "
                "merge before you change the column, or pass it to WindowMerger, which takes the "
                "aggregates as an argument"
            )
        elif field.name in counts and isinstance(field.dataType, LongType):
            specs.append((field.name, "count", [], 0.0, 0.0))
        else:
            keys.append(field.name)
    if not specs:
        raise ValueError(
            "merge_panes: expected the columns of pane_counts, found no aggregate; its columns are "
            + ", ".join(field.name for field in df.schema)
        )
    check_names([field.name for field in df.schema], "panes")
    ordered = [pane, *(one for one in fields if one.name in keys)]
    ordered += [next(one for one in fields if one.name == spec[0]) for spec in specs]
    selected = df.select(*pane_columns(df, keys, specs))
    merged = _merged(selected, ordered, keys, specs)
    return merged.select(*(column_of(field.name) for field in df.schema))


def _merged(
    df: DataFrame, fields: list[StructField], keys: list[str], specs: list[AggregateSpec]
) -> DataFrame:
    """Merge rows: counts of a batch in the JVM, everything else in Rust."""
    groups = [column_of(name) for name in (PANE, *keys)]
    metadata = {field.name: field.metadata for field in fields}
    if not df.isStreaming and all(is_count(spec) for spec in specs):
        sums = (
            F.sum(column_of(spec[0])).alias(spec[0], metadata=metadata[spec[0]]) for spec in specs
        )
        return df.groupBy(*groups).agg(*sums)
    # Panes of a microsecond are those of the rows. Nothing closes them, so that nothing is late.
    options = tuple(WindowOptions([1], 1, 0, keys, specs, None, None))
    types = pa.schema([(field.name, arrow_type(field.dataType)) for field in df.schema])
    load = importer()

    def merge_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from load("tailrace.spark._counting").merged(batches, options, types)

    schema = StructType(
        [
            StructField(field.name, field.dataType, metadata=metadata[field.name])
            for field in df.schema
        ]
    )
    numbered = [column_of(name).alias(f"c{place}") for place, name in enumerate(df.columns)]
    return df.repartition(*groups).select(*numbered).mapInArrow(merge_partition, schema)
