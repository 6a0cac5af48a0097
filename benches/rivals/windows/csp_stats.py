"""csp: a `csp.stats.count` for each key, all known beforehand, and a sort of all every second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import csp
from csp import stats, ts
from lines import LENGTH, TOP, events, timed, write_tops

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - csp's times have no zone and are UTC


@csp.node
def best(counts: {str: ts[float]}, tick: ts[bool]) -> ts[object]:  # type: ignore[valid-type]
    """Rank all keys."""
    with csp.start():
        csp.make_passive(counts)
    if csp.ticked(tick):
        held = [(-count, key) for key, count in counts.validitems() if count > 0]
        held.sort()
        return [(key, int(-count)) for count, key in held[:TOP]]
    return None


@csp.graph
def ranked(key_names: [str], rows: object) -> ts[object]:  # type: ignore[valid-type]
    """Count every key."""
    # Between the last millisecond of a second and its end, so that the end is not in the window.
    tick = csp.timer(timedelta(seconds=1), True)  # noqa: FBT003 - csp's order
    key = csp.curve(str, rows)
    each = csp.demultiplex(key, key, key_names)
    counts = {
        name: stats.count(
            csp.apply(each[name], lambda _: 1.0, float),
            interval=timedelta(seconds=LENGTH),
            trigger=tick,
            min_window=timedelta(0),
        )
        for name in key_names
    }
    return best(counts, tick)


def main() -> None:
    """Replay all events."""
    rows = [(_EPOCH + timedelta(milliseconds=time), key) for time, key in events()]
    names = sorted({key for _, key in rows})
    first = rows[0][0].replace(microsecond=0)
    start = first - timedelta(microseconds=1)
    end = rows[-1][0].replace(microsecond=0) + timedelta(seconds=1)
    found: Any = csp.run(ranked, names, rows, starttime=start, endtime=end)

    def second(time: datetime) -> int:
        return int((time + timedelta(microseconds=1)).replace(tzinfo=UTC).timestamp())

    write_tops((second(time), top) for time, top in found[0])


with timed():
    main()
