"""Sliding windows whose state lives on the executors, in shards by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - its name everywhere
from pyspark.sql.types import (
    DoubleType,
    IntegerType,
    LongType,
    StructField,
    StructType,
    TimestampType,
)

from tailrace.spark._executors import importer
from tailrace.spark._merger import window_options
from tailrace.spark._pane_schema import (
    arrow_type,
    check_names,
    column_of,
    pane_columns,
    result_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from pyspark.sql import DataFrame

    from tailrace._aggregates import Aggregate
    from tailrace._durations import Duration
    from tailrace._schedule import Length
    from tailrace.spark._windows import WindowOptions

__all__ = ["sharded_windows"]

# Columns of the result that are neither keys nor aggregates.
_BOUNDS = ("start", "end")
_OF_SHARDS = ("shard", "shard_keys", "shard_total", "shard_late")

_MOST_SHARDS = 10_000


def sharded_windows(
    df: DataFrame,
    length: Length,
    every: Duration = "1s",
    *,
    by: str | Sequence[str] | None,
    shards: int,
    top: int | None = 10,
    order_by: str | None = None,
    aggregates: Mapping[str, Aggregate] | None = None,
    lateness: Duration = "0s",
) -> DataFrame:
    """
    Slide windows over a stream of panes on the executors, for state that outgrows the driver.

    Each key belongs to one of the shards, and each shard has windows of its own in the state store
    of Spark, which keeps them exactly once over restarts. Every shard sees the newest pane of each
    micro-batch, so a window ends in the same batch in all of them. Windows, lateness and answers
    are those of `WindowMerger`. The top rows of a window are among the top rows of its shards:

    ```sql
    select start, end, url, count from (
      select *, row_number() over (
        partition by start, end order by count desc nulls last, url nulls last) as rank
      from windows where shard_keys > 0)
    where rank <= 10
    ```

    Use the output mode `append`. The state of a shard is written as a whole in each batch.

    Args:
        df: A stream of panes, as `pane_counts` makes them.
        length: The length of the window, or a list of lengths; None is not among them.
        every: The slide: a multiple of the width of the panes.
        by: The key: the name of a column or a list of names; None for one key.
        shards: The number of shards. While a query keeps its checkpoint, neither this can change,
            nor anything else but *top* and *order_by*.
        top: The number of rows of a shard in a window; None for all keys.
        order_by: The aggregate or key field to rank rows by; by default the first aggregate.
        aggregates: The aggregates of the panes; by default `{"count": tr.count()}`. `tr.share()`
            needs all keys in one place, so only `WindowMerger` computes it.
        lateness: How far the watermark is before the newest pane.

    Returns:
        `start` and `end` of the window, the key fields and the aggregates; `shard`, and of its
        window `shard_keys` (how many keys), `shard_total` (how many events) and `shard_late` (how
        many events were late so far; each task logs them, too, as a warning of `tailrace.spark`). A
        window of a shard that has become empty is one row with nulls, and `shard_keys` is 0.

    Raises:
        TypeError: An argument has another type.
        ValueError: *df* is not a stream of panes, an argument is out of range, or two columns have
            one name.

    >>> lines = spark.readStream.text("*.log")
    >>> panes = ts.pane_counts(lines, by="url")
    >>> windows = ts.sharded_windows(panes, "5m", "1m", by="url", shards=4)
    >>> windows.columns[:4]
    ['start', 'end', 'url', 'count']
    """
    options = window_options(length, every, by, top, order_by, aggregates, lateness)
    aggregated = [spec[0] for spec in options.aggregates]
    check_names([*_BOUNDS, *options.by, *aggregated, *_OF_SHARDS], "windows")
    _check_parts(options)
    if isinstance(shards, bool) or not isinstance(shards, int):
        raise TypeError(f"shards: expected a number of shards, found {shards!r:.80}")
    if not 1 <= shards <= _MOST_SHARDS:
        raise ValueError(f"shards: expected 1 to {_MOST_SHARDS:,}, found {shards}")
    panes = df.select(*pane_columns(df, options.by, options.aggregates, options.slide_us))
    if not df.isStreaming:
        raise ValueError(
            "sharded_windows: expected a stream of panes, found a batch; call WindowMerger with it"
        )
    schema = _schema(panes, options.by)
    plain, load, number, names = tuple(options), importer(), shards, list(panes.columns)

    def split(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from load("tailrace.spark._shards").split(batches, names, number)

    def gather(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from load("tailrace.spark._shards").gather(batches)

    def slide(key: tuple[Any, ...], frames: Iterator[Any], state: Any) -> Iterator[Any]:  # noqa: ANN401 - of Spark
        import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - Spark needs it for this

        (frame,) = frames
        (newest,), (panes,) = frame["newest"], frame["panes"]
        before = bytes(state.get[0]) if state.exists else None
        module = load("tailrace.spark._shards")
        after, rows = module.slide(
            plain, int(key[0]), before, int(newest), bytes(panes), shards=number
        )
        state.update((after,))
        yield pd.DataFrame({"rows": rows})

    def unpack(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from load("tailrace.spark._shards").unpack(batches, types)

    types = _arrow_schema(schema)
    keys = [_hashed(panes, name) for name in options.by]
    shard = F.pmod(F.hash(*keys), F.lit(shards)) if keys else F.lit(0)
    # Spark's mapInArrow fails on columns with a dot in their name.
    numbered = [column_of(name).alias(f"c{place}") for place, name in enumerate(names)]
    parts = panes.select(shard.cast("int").alias("shard"), *numbered)
    packed = "shard int, newest bigint, panes binary"
    return (
        parts.mapInArrow(split, packed)
        .repartition("shard")
        # With more than one row for a shard, Spark 3.5 fails with newer versions of pyarrow.
        .mapInArrow(gather, packed)
        .groupBy("shard")
        .applyInPandasWithState(slide, "rows binary", "state binary", "append", "NoTimeout")
        .mapInArrow(unpack, schema)
    )


def _check_parts(options: WindowOptions) -> None:
    """Raise a `ValueError` if windows of some of the keys are not parts of those of all."""
    for name, function, *_ in options.aggregates:
        if function == "share":
            raise ValueError(
                f"{name}: a share needs all keys, and a shard has only its own; use WindowMerger, "
                "or tr.count() and the sum of shard_total"
            )
    if None in options.lengths_us:
        raise ValueError(
            "length: expected durations, found None (everything since the start), which begins in "
            "each shard with the oldest event of its own keys; use WindowMerger"
        )


def _hashed(panes: DataFrame, name: str) -> Any:  # noqa: ANN401 - a column
    column = column_of(name)
    # -0.0 and 0.0 are one key.
    return column + F.lit(0.0) if isinstance(panes.schema[name].dataType, DoubleType) else column


def _schema(panes: DataFrame, by: Sequence[str]) -> StructType:
    fields = [StructField(name, TimestampType()) for name in _BOUNDS]
    for field in panes.schema.fields[1:]:
        kind = field.dataType if field.name in by else result_type(field)
        if kind is None:
            raise ValueError(
                f"aggregates: the column {field.name!r} lacks the metadata of pane_counts, so the "
                "type of its result is unknown; pass the column as pane_counts made it"
            )
        fields.append(StructField(field.name, kind))
    fields += [
        StructField(name, IntegerType() if name == "shard" else LongType()) for name in _OF_SHARDS
    ]
    return StructType(fields)


def _arrow_schema(schema: StructType) -> pa.Schema:
    def of(field: StructField) -> pa.DataType:
        return pa.int32() if field.name == "shard" else arrow_type(field.dataType)

    return pa.schema([(field.name, of(field)) for field in schema])
