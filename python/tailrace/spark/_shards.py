"""What executors do with the shards of windows; each function takes plain values."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tailrace.spark._state import Record, packed, unpacked
from tailrace.spark._windows import PaneWindows, WindowOptions, newest_of, of_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tailrace._types import Answer

__all__ = ["gather", "slide", "split", "unpack"]

_log = logging.getLogger("tailrace.spark")

_PART = pa.schema([("shard", pa.int32()), ("newest", pa.int64()), ("panes", pa.binary())])


def split(
    batches: Iterable[pa.RecordBatch], names: list[str], shards: int
) -> Iterator[pa.RecordBatch]:
    """
    Pack the panes of each shard, and add a row for every shard with the newest pane of all.

    The first column is the shard of a row, the others are those of panes, with these names.

    Raises:
        ValueError: A batch has only nulls for the starts of panes; `slide` reports all others.
    """
    newest = None
    for batch in batches:
        if not batch.num_rows:
            continue
        of_shard = batch.column(0)
        panes = pa.Table.from_batches([batch]).remove_column(0).rename_columns(names)
        latest = newest_of(panes)
        if latest is None:
            raise ValueError("pane: expected the start of a pane, found null")
        newest = latest if newest is None else max(newest, latest)
        found = pc.unique(of_shard)
        parts = [to_bytes(panes.filter(pc.equal(of_shard, shard))) for shard in found]
        yield _parts(found, [newest] * len(found), parts)
    if newest is not None:
        yield _parts(list(range(shards)), [newest] * shards, [b""] * shards)


def gather(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Make one row of all rows of a shard."""
    newest: dict[int, int] = {}
    tables: dict[int, list[pa.Table]] = {}
    for batch in batches:
        for row in batch.to_pylist():
            shard, start, panes = row.values()
            newest[shard] = max(start, newest.get(shard, start))
            if panes:
                tables.setdefault(shard, []).append(of_bytes(panes))
    parts = [to_bytes(pa.concat_tables(tables[one])) if one in tables else b"" for one in newest]
    yield _parts(list(newest), list(newest.values()), parts)


def _parts(shards: Any, newest: list[int], panes: list[bytes]) -> pa.RecordBatch:  # noqa: ANN401 - a list or an array
    columns = zip((shards, newest, panes), _PART, strict=True)
    return pa.record_batch([pa.array(values, one.type) for values, one in columns], schema=_PART)


def slide(
    options: tuple[Any, ...],
    shard: int,
    before: bytes | None,
    newest_us: int,
    panes: bytes,
    *,
    shards: int,
) -> tuple[bytes, list[bytes]]:
    """
    Add what a batch has for a shard.

    Args:
        options: What the windows compute.
        shard: The number of the shard.
        before: The state that the last call returned.
        newest_us: The newest pane of the batch, in all shards.
        panes: The panes of this shard, as a table; no bytes if it has none.
        shards: How many shards there are.

    Returns:
        The state, and the windows that ended as tables.

    Raises:
        ValueError: The state has other settings.
    """
    made = WindowOptions(*options)
    settings = {"shards": shards, **made.settings()}
    header: dict[str, Any] = {"newest_us": None, "answered_us": None}
    content = None
    if before is not None:
        header, content = unpacked(before, f"the state of shard {shard}")
        for name, expected in header["settings"].items():
            if expected != settings[name]:
                raise ValueError(
                    f"sharded_windows: expected {name}={expected}, as the state of the query has, "
                    f"found {name}={settings[name]}; use the settings of the state, or another "
                    "checkpointLocation"
                )
    windows = PaneWindows(made, content, header["newest_us"], header["answered_us"])
    answers = windows.merge(of_bytes(panes) if panes else None, newest_us)
    if windows.late:
        # A shard that answers no window in this batch has no row to report it.
        _log.warning(
            "sharded_windows: %s events of shard %s were late, and are in no window",
            f"{windows.late:,}", shard,
        )  # fmt: skip
    rows = [to_bytes(_table(answer, shard)) for answer in answers]
    after = {
        "newest_us": windows.newest_us, "answered_us": windows.answered_us, "settings": settings,
    }  # fmt: skip
    return packed(Record(after, windows.export())), rows


def _table(answer: Answer, shard: int) -> pa.Table:
    """Return the rows of a window with its bounds and what totals need."""
    _, start, end, keys, total, _, rows, _, _, lines = answer
    table = pa.table(rows)
    if not keys:
        table = pa.table([pa.nulls(1)] * table.num_columns, names=table.column_names)
    count = table.num_rows
    bound = pa.timestamp("us", "UTC")
    for place, (name, value) in enumerate((("start", start), ("end", end))):
        table = table.add_column(
            place, name, pa.repeat(pa.scalar(value, pa.int64()), count).cast(bound)
        )
    of_shard = {
        "shard": shard, "shard_keys": keys, "shard_total": total, "shard_late": lines["late"],
    }  # fmt: skip
    for name, value in of_shard.items():
        table = table.append_column(name, pa.repeat(pa.scalar(value, pa.int64()), count))
    return table


def unpack(batches: Iterable[pa.RecordBatch], types: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Return the rows of packed tables."""
    for batch in batches:
        for packed_rows in batch.column(0):
            yield from of_bytes(packed_rows.as_py()).cast(types).to_batches()
