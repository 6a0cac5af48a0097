"""DuckDB: counts by second and key, a row for every second and key, a frame over each key's."""

from __future__ import annotations

import duckdb
from lines import DATA, LENGTH, TOP, timed, write_tops

# A range frame answers only at seconds with events; a row for every second gives each second
# an answer.
_SQL = f"""
    with counted as materialized (
        select time // 1000 as second, key, count(*) as n
        from read_csv($data, delim = '\t', header = false, quote = '',
                      columns = {{'time': 'BIGINT', 'key': 'VARCHAR'}})
        group by all
    ),
    grid as (
        select second, key
        from (select unnest(range(min(second), max(second) + 1)) as second from counted),
             (select distinct key from counted)
    ),
    framed as (
        select second + 1 as ending, key,
               sum(coalesce(n, 0)) over (partition by key order by second
                   rows between {LENGTH - 1} preceding and current row)::bigint as hits
        from grid left join counted using (second, key)
    )
    select ending, key, hits from framed where hits > 0
    qualify row_number() over (partition by ending order by hits desc, key) <= {TOP}
    order by ending, hits desc, key
"""  # noqa: S608 - two whole numbers

with timed():
    tops: dict[int, list[tuple[str, int]]] = {}
    for ending, key, hits in duckdb.execute(_SQL, {"data": DATA}).fetchall():
        tops.setdefault(ending, []).append((key, hits))
    write_tops(tops.items())
