"""Sliding windows over a stream of panes, on the driver."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.types import StructField, StructType, TimestampType

from tailrace._aggregates import aggregate_specs, check_aggregates, count, key_fields, ranked_by
from tailrace._durations import micros, short
from tailrace._layout import layout_of
from tailrace._public import Public
from tailrace._schedule import check_count, schedule
from tailrace._snapshot import Snapshot
from tailrace.spark._batches import Batches
from tailrace.spark._pane_schema import (
    PANE,
    arrow_type,
    check_names,
    described,
    pane_columns,
    result_type,
    rows_of,
    spark_type,
)
from tailrace.spark._state import StateFolder
from tailrace.spark._windows import WindowOptions

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType

    from tailrace._aggregates import Aggregate
    from tailrace._durations import Duration
    from tailrace._schedule import Length
    from tailrace._types import Answer

__all__ = ["WindowMerger", "window_options"]

# What Spark calls the id of the query in whose thread foreachBatch runs.
_QUERY_ID = "sql.streaming.queryId"


def window_options(  # noqa: PLR0917 - as `WindowMerger` has them
    length: Length,
    every: Duration,
    by: str | Sequence[str] | None,
    top: int | None,
    order_by: str | None,
    aggregates: Mapping[str, Aggregate] | None,
    lateness: Duration,
) -> WindowOptions:
    """
    Return what windows over panes compute.

    Raises:
        TypeError: An argument has another type.
        ValueError: An argument is out of range, or two columns have one name.
    """
    keys = key_fields(by)
    named = check_aggregates({"count": count()} if aggregates is None else aggregates)
    specs = aggregate_specs(named, keys)
    check_names([PANE, *keys, *named], "panes")
    windows = schedule(length, every, 0)
    options = WindowOptions(
        windows.lengths_us,
        windows.slide_us,
        micros(lateness, "lateness", least=0),
        list(keys),
        specs,
        ranked_by(order_by, named, keys),
        check_count(top, "top", "rows"),
    )
    options.window()
    return options


class WindowMerger(metaclass=Public):
    """
    Sliding windows over a stream of panes, for `foreachBatch`: exact, and once for each batch.

    Each call adds the panes of a micro-batch on the driver, where Rust slides the windows, and
    returns the windows that have ended. The watermark is the start of the newest pane so far minus
    *lateness*; an event is late, and in no window, if an earlier batch has closed its pane. Within
    a batch nothing is late. A window ends at a multiple of *every* since the epoch; the first one
    answered is the first after the oldest event. An empty window is answered once, and the ends
    after it are skipped until the next event.

    What the windows hold is in files below *checkpoint*, written before a call returns. A batch
    that Spark runs again right after it ran (because something failed after the call) is computed
    from the state before it, and its snapshots are returned again. An older batch that was counted
    changes nothing and returns `[]`. So a sink that writes by the ends of windows is exact.

    The counters in `Snapshot.lines` are those of events in panes: counted and late. A pickled
    merger is created anew from its arguments where it arrives.

    Args:
        length: The length of the window, or a list of lengths, as for `tailrace.Window`.
        every: The slide: a multiple of the width of the panes.
        by: The key: the name of a column or a list of names; None for one key. Panes may have more
            key columns, which are then added up.
        top: The number of rows in a snapshot; None for all keys.
        order_by: The aggregate or key field to rank rows by; by default the first aggregate.
        aggregates: The aggregates of the panes, by the names of their columns; by default
            `{"count": tr.count()}`.
        lateness: How far the watermark is before the newest pane.
        checkpoint: A directory of the driver's file system for the state of this merger alone. It
            is separate from the checkpoint of Spark's query, and belongs to it.
        query_id: The query whose batches these are, so that the state of another one is an error;
            by default Spark's own id in foreachBatch. Elsewhere, and with Spark Connect, that is
            unknown, and all batches are taken for those of one query.

    Raises:
        TypeError: An argument has another type.
        ValueError: An argument is out of range, or two columns have one name.

    >>> lines = spark.read.text("access.log")
    >>> merger = ts.WindowMerger("1d", "12h", by="url", top=1, checkpoint="state")
    >>> snapshots = merger(ts.pane_counts(lines, by="url"), 0)
    >>> print(snapshots[-1].end, snapshots[-1].rows)
    2015-05-20 12:00:00+00:00 [{'url': '/favicon.ico', 'count': 258}]
    """

    def __init__(
        self,
        length: Length,
        every: Duration = "1s",
        *,
        by: str | Sequence[str] | None,
        top: int | None = 10,
        order_by: str | None = None,
        aggregates: Mapping[str, Aggregate] | None = None,
        lateness: Duration = "0s",
        checkpoint: str | os.PathLike[str],
        query_id: str | None = None,
    ) -> None:
        if not (query_id is None or (isinstance(query_id, str) and query_id)):
            raise TypeError(f"query_id: expected a text, found {query_id!r:.80}")
        arguments = (length, every, by, top, order_by, aggregates, lateness)
        self._arguments = (*arguments, checkpoint, query_id)
        self._options = window_options(*arguments)
        named = {"count": count()} if aggregates is None else dict(aggregates)
        self._layout = layout_of(key_fields(by), named, self._options.ranking)
        self._query_id = query_id
        self._folder = StateFolder(checkpoint)
        self._batches = Batches(self._options, self._folder, query_id)
        self._snapshots: list[Snapshot] = []
        self._fields: list[StructField] | None = None

    def __repr__(self) -> str:
        options = self._options
        lengths = ("all" if one is None else short(one) for one in options.lengths_us)
        by = f" by {', '.join(options.by)}" if options.by else ""
        aggregates = ", ".join(
            described(spec) if spec[0] == spec[1] else f"{spec[0]}={described(spec)}"
            for spec in options.aggregates
        )
        return (
            f"<tailrace.spark.WindowMerger of {', '.join(lengths)} every "
            f"{short(options.slide_us)}: {aggregates}{by}, state in {self._folder.path}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments: what the windows hold is in the state directory."""
        return _merger, self._arguments

    def __call__(self, df: DataFrame, batch_id: int) -> list[Snapshot]:
        """
        Add the panes of a batch and return the windows that ended with it, in order.

        Args:
            df: The panes: the result of `pane_counts` on a stream, or on the lines of the batch.
            batch_id: The number of the batch, as foreachBatch gives it.

        Raises:
            OSError: The state cannot be written or read; nothing has changed.
            TypeError: An argument has another type.
            ValueError: The columns or the panes are others than those of the windows, or the state
                belongs to another query, has other settings, is damaged or used by another merger.
        """
        columns = pane_columns(
            df, self._options.by, self._options.aggregates, self._options.slide_us
        )
        if df.isStreaming:
            raise ValueError(
                "df: expected the panes of a batch, found a stream; call this in foreachBatch"
            )
        number = _batch_number(batch_id)
        query = _running_query(df)
        panes = df.select(*columns)
        self._fields = list(panes.schema.fields)
        return self._answered(self._batches.add(number, query, lambda: _collected(panes)))

    def finish(self) -> list[Snapshot]:
        """
        Return the windows that end after the last batch and hold an event, as they are now.

        Call it when the stream has ended. It changes nothing: a batch that follows is added as if
        there had been no call, and its windows are answered again, with its events.

        Raises:
            OSError: The state cannot be read.
            ValueError: The state has other settings, is damaged or used by another merger.
        """
        return self._answered(self._batches.finish())

    def dataframe(self, spark: SparkSession) -> DataFrame:
        """
        Return the snapshots of the last call as a DataFrame, in ranked order.

        Its columns are `start` and `end` of the window, the key fields and the aggregates. It has
        these columns, with their types, also when no window has ended.

        Args:
            spark: The session; in foreachBatch, `df.sparkSession`.

        Raises:
            ValueError: This merger has added no batch, a key field is called `start` or `end`, or a
                sum of integers exceeds 64 bits.
        """
        if self._fields is None:
            raise ValueError(
                "dataframe: expected a batch before it, found none; call the merger first"
            )
        names = [spec[0] for spec in self._options.aggregates]
        check_names(["start", "end", *self._options.by, *names], "dataframe")
        schema = StructType(
            [
                StructField("start", TimestampType()),
                StructField("end", TimestampType()),
                *(StructField(field.name, self._result(field)) for field in self._fields[1:]),
            ]
        )
        rows: list[tuple[Any, ...]] = []
        for snapshot in self._snapshots:
            rows += rows_of(snapshot.to_arrow(bounds=True), schema)
        return spark.createDataFrame(rows, schema)

    def _result(self, field: StructField) -> DataType:
        """Return the type of a column in snapshots."""
        if field.name in self._options.by:
            return field.dataType
        known = result_type(field)
        if known is not None:
            return known
        # The metadata was lost, but the partials have types.
        return spark_type(pa.schema(self._batches.current()).field(field.name).type)

    def _answered(self, answers: list[Answer]) -> list[Snapshot]:
        self._snapshots = [Snapshot._of(answer, self._layout) for answer in answers]
        return list(self._snapshots)


def _merger(*arguments: Any) -> WindowMerger:  # noqa: ANN401 - those of the class
    length, every, by, top, order_by, aggregates, lateness, checkpoint, query_id = arguments
    return WindowMerger(
        length, every, by=by, top=top, order_by=order_by, aggregates=aggregates, lateness=lateness,
        checkpoint=checkpoint, query_id=query_id,
    )  # fmt: skip


def _batch_number(batch_id: Any) -> int:  # noqa: ANN401 - checked here
    try:
        number = operator.index(batch_id)
    except TypeError:
        number = -1
    if number < 0 or isinstance(batch_id, bool):
        raise TypeError(
            f"batch_id: expected the number of a batch, as foreachBatch gives it, found "
            f"{batch_id!r:.80}"
        )
    return number


def _running_query(df: DataFrame) -> str | None:
    """Return the id of Spark's query in whose batch this runs, if it is known."""
    session = df.sparkSession
    if type(session).__module__.startswith("pyspark.sql.connect"):
        return None
    found: str | None = session.sparkContext.getLocalProperty(_QUERY_ID)
    return found


def _collected(panes: Any) -> pa.Table:  # noqa: ANN401 - with methods of one version or the other
    """Return the rows of a DataFrame as an Arrow table."""
    if hasattr(panes, "toArrow"):
        return panes.toArrow()
    # Spark 3.5, there also with Connect.
    if hasattr(panes, "_plan"):
        client = panes._session.client
        return client.to_table(panes._plan.to_proto(client))[0]
    schema = pa.schema([(field.name, arrow_type(field.dataType)) for field in panes.schema])
    batches = panes._collect_as_arrow()
    return pa.Table.from_batches(batches, None if batches else schema).cast(schema)
