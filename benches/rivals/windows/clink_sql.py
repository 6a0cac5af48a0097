"""clink: `HOP` in SQL, in this process; it writes every pair of a key and a window as Arrow."""

from __future__ import annotations

import pyclink
from lines import DATA, LENGTH, timed, write_rows

_SQL = f"""
    CREATE TABLE events (ts BIGINT, key VARCHAR)
      WITH (connector='file', format='json', path='{DATA}', event_time_column='ts',
            watermark_lag_ms='0');
    CREATE TABLE counts (window_start BIGINT, key VARCHAR, n BIGINT) WITH (connector='collect');
    INSERT INTO counts
      SELECT window_start, key, COUNT(*) AS n FROM events
      GROUP BY key, HOP(ts, INTERVAL '{LENGTH}' SECOND, INTERVAL '1' SECOND)
"""  # noqa: S608 - a path and a whole number

with timed():
    with pyclink.Engine() as engine:
        engine.execute(_SQL)
        table = engine.collect("counts").read_all()
        engine.await_all()
    starts, keys, counts = (table.column(n).to_pylist() for n in ("window_start", "key", "n"))
    write_rows((start // 1_000 + LENGTH for start in starts), keys, counts)
