"""What executors do with lines and panes; each function takes plain values."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from pyspark import TaskContext

from tailrace import _core
from tailrace.spark._rows import compiled, without_headers
from tailrace.spark._windows import WindowOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tailrace._types import AggregateSpec

__all__ = ["Counted", "merged", "partials"]

_log = logging.getLogger("tailrace.spark")

# How many lines are counted before a look at how many rows that makes, and how many rows a task
# holds at most after it.
_LINES = 1_000_000
_ROWS = 500_000

_ROWS_AT_ONCE = 65_536


class Counted(NamedTuple):
    """What `pane_counts` counts, in plain values."""

    described: dict[str, Any]
    """The format and the condition, as `describe` describes them."""
    by: list[str]
    aggregates: list[AggregateSpec]
    time: str
    width_us: int

    def counter(self) -> _core.PaneCounter:
        """
        Return an empty counter.

        Raises:
            ValueError: The format has a field with a type that cannot be counted.
        """
        what = compiled(self.described)
        return _core.PaneCounter(
            format=what.format,
            by=self.by,
            aggregates=self.aggregates,
            time=self.time,
            width_us=self.width_us,
            offset_us=0,
            filter=what.filter,
            # Clients choose the keys. With a known seed they could choose keys that collide.
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )


def partials(
    batches: Iterable[pa.RecordBatch], counted: tuple[Any, ...]
) -> Iterator[pa.RecordBatch]:
    """Count the lines of a partition by pane and key."""
    made = Counted(*counted)
    what = compiled(made.described)
    counter = made.counter()
    since = 0
    totals: dict[str, int] = {}
    fed = 0
    for batch in batches:
        lines = batch.column(0)
        counter.add(lines if what.headers is None else without_headers(lines, what))
        since += batch.num_rows
        if since >= _LINES:
            since = 0
            table = counter.table()
            if len(table) > _ROWS:
                fed += _note(counter, totals)
                yield from _batches(table)
                counter = made.counter()
    fed += _note(counter, totals)
    yield from _batches(counter.table())
    if totals:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in totals.items())
        context = TaskContext.get()
        partition = "" if context is None else f" of partition {context.partitionId()}"
        _log.warning(
            "pane_counts: %s of %s lines%s are in no pane: %s",
            f"{sum(totals.values()):,}", f"{fed:,}", partition, reasons,
        )  # fmt: skip


def _note(counter: _core.PaneCounter, totals: dict[str, int]) -> int:
    lines = counter.lines()
    for reason, count in lines["rejected"].items():
        totals[reason] = totals.get(reason, 0) + count
    return lines["fed"]


def merged(
    batches: Iterable[pa.RecordBatch], options: tuple[Any, ...], types: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Merge the rows of a partition that have one pane and key."""
    window = WindowOptions(*options).window()
    for batch in batches:
        window.add_panes(pa.Table.from_batches([batch]).rename_columns(types.names))
    # A key without a value has no type.
    yield from _batches(pa.table(window.panes_table()).cast(types))


def _batches(table: Any) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - of the core or pyarrow
    yield from pa.table(table).to_batches(_ROWS_AT_ONCE)
