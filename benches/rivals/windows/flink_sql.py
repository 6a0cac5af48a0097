"""Flink SQL: the `HOP` table function; it writes every pair of a key and a window as CSV."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lines import DATA, LENGTH, write_rows
from pyflink.table import EnvironmentSettings, TableEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds have a precision of two digits only.
_INTERVAL = f"'{LENGTH // 60}' MINUTE" if LENGTH % 60 == 0 else f"'{LENGTH}' SECOND"

_SOURCE = f"""
    CREATE TABLE events (
        ts BIGINT, k STRING, t AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR t AS t
    ) WITH ('connector' = 'filesystem', 'path' = '{DATA}', 'format' = 'csv',
            'csv.field-delimiter' = '\t')
"""
_SINK = """
    CREATE TABLE counts (ending BIGINT, k STRING, n BIGINT)
    WITH ('connector' = 'filesystem', 'path' = '{out}', 'format' = 'csv')
"""
_COUNT = f"""
    INSERT INTO counts
    SELECT UNIX_TIMESTAMP(CAST(window_end AS STRING)), k, COUNT(*)
    FROM TABLE(HOP(TABLE events, DESCRIPTOR(t), INTERVAL '1' SECOND, INTERVAL {_INTERVAL}))
    GROUP BY window_start, window_end, k
"""  # noqa: S608 - a whole number


def main() -> None:
    """Count."""
    settings = EnvironmentSettings.in_streaming_mode()
    environment = TableEnvironment.create(settings)
    config = environment.get_config()
    config.set("parallelism.default", "2")
    config.set("table.local-time-zone", "UTC")
    # The sink finishes a file at a checkpoint; the last one comes at the end.
    config.set("execution.checkpointing.interval", "1 h")
    with tempfile.TemporaryDirectory() as out:
        environment.execute_sql(_SOURCE)
        environment.execute_sql(_SINK.format(out=out))
        environment.execute_sql(_COUNT).wait()
        found = list(_found(Path(out)))
    write_rows(*(list(column) for column in zip(*found, strict=True)))  # type: ignore[arg-type]


def _found(directory: Path) -> Iterator[tuple[int, str, int]]:
    for part in directory.glob("part-*"):
        with part.open() as lines:
            for ending, key, count in csv.reader(lines):
                yield int(ending), key, int(count)


if __name__ == "__main__":
    main()
