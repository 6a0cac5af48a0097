"""Sliding windows over panes that come in batches, for the driver and for executors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tailrace import _core
from tailrace._durations import short
from tailrace._schedule import Schedule, window_settings
from tailrace.spark._pane_schema import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._types import AggregateSpec, Answer, RankedBy

__all__ = ["PaneWindows", "WindowOptions", "newest_of", "of_bytes", "to_bytes"]


class WindowOptions(NamedTuple):
    """What windows compute, in plain values that any process can read."""

    lengths_us: list[int | None]
    slide_us: int
    lateness_us: int
    by: list[str]
    aggregates: list[AggregateSpec]
    ranking: RankedBy | None
    top: int | None

    def window(self) -> _core.Window:
        """Return an empty window of the core."""
        return _core.Window(
            by=self.by,
            aggregates=self.aggregates,
            settings=window_settings(
                Schedule(self.lengths_us, self.slide_us, 0),
                limit=self.top,
                order_by=self.ranking,
                ascending=False,
                track_ranks=False,
                lateness_us=self.lateness_us,
                max_keys=None,
            ),
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )

    def settings(self) -> dict[str, Any]:
        """Return what decides which events windows hold, as JSON has it; ranks may change."""
        return {
            "length": ["all" if one is None else short(one) for one in self.lengths_us],
            "every": short(self.slide_us),
            "by": self.by,
            "aggregates": [f"{spec[0]}={described(spec)}" for spec in self.aggregates],
            "lateness": short(self.lateness_us) if self.lateness_us else "0s",
        }


class PaneWindows:
    """
    Windows over the panes of batches.

    A pane is late if an earlier batch has closed it. After a batch the watermark is the start of
    the newest pane so far minus lateness.

    Args:
        options: What they compute.
        content: What `export` returned, to go on from there.
        newest_us: The newest pane at that time.
        answered_us: The last end that had been answered.
    """

    def __init__(
        self,
        options: WindowOptions,
        content: bytes | None = None,
        newest_us: int | None = None,
        answered_us: int | None = None,
    ) -> None:
        self._window = options.window()
        self.newest_us = newest_us
        self.answered_us = answered_us
        self.late = 0
        """How many events of the batches that were merged were late."""
        if content is not None:
            self._window.merge(content)
            if newest_us is not None:
                self._window.advance(newest_us)
                # The end that was answered last, once more.
                list(self._answers())

    def merge(self, panes: pa.Table | None, newest_us: int | None) -> list[Answer]:
        """
        Add the panes of a batch and return the windows that ended, in order.

        Args:
            panes: The start of the pane, the keys, the aggregates; None without rows.
            newest_us: The newest start of a pane in the batch, None if it is empty.
        """
        if panes is not None:
            self.late += self._window.add_panes(panes)
        if newest_us is None:
            return []
        if self.newest_us is None or newest_us > self.newest_us:
            self.newest_us = newest_us
        self._window.advance(self.newest_us)
        return list(self._answers())

    def finish(self) -> list[Answer]:
        """Return the later windows that hold an event; nothing can be merged afterwards."""
        self._window.finish()
        return list(self._answers())

    def export(self) -> bytes:
        """Return what the windows hold."""
        return self._window.export()

    def current(self) -> Any:  # noqa: ANN401 - an Arrow table of the core
        """Return the rows of the newest window as it is."""
        return self._window.snapshot(0)[6]

    def _answers(self) -> Iterator[Answer]:
        before = self.answered_us
        while (answer := self._window.next_snapshot()) is not None:
            end_us = answer[2]
            if before is None or end_us is None or end_us > before:
                self.answered_us = end_us
                yield answer


def newest_of(panes: pa.Table | pa.RecordBatch) -> int | None:
    """Return the newest start of a pane in microseconds since the epoch, None without rows."""
    newest: int | None = pc.max(panes.column(0)).cast(pa.int64()).as_py()
    return newest


def to_bytes(table: pa.Table) -> bytes:
    """Return a table as a stream of Arrow."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def of_bytes(data: bytes) -> pa.Table:
    """Return the table in a stream of Arrow."""
    return pa.ipc.open_stream(data).read_all()
