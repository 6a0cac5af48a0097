"""Bytewax: `count_window` of a `SlidingWindower`; it writes every pair of a key and a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main
from lines import LENGTH, events, timed, write_rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def main() -> None:
    """Count."""
    out: list[tuple[str, tuple[int, int]]] = []
    flow = Dataflow("windows")
    source = TestingSource(
        [(_EPOCH + timedelta(milliseconds=time), key) for time, key in events()], batch_size=1_000
    )
    # Its clock follows the wall clock while it works: with a shorter wait, events are late
    # because it is slow, and its answer changes from run to run.
    clock = win.EventClock(
        ts_getter=lambda event: event[0], wait_for_system_duration=timedelta(seconds=60)
    )
    windower = win.SlidingWindower(
        length=timedelta(seconds=LENGTH), offset=timedelta(seconds=1), align_to=_EPOCH
    )
    stream = op.input("in", flow, source)
    counted = win.count_window("count", stream, clock, windower, lambda event: event[1])
    op.output("out", counted.down, TestingSink(out))
    run_main(flow)
    write_rows(
        (window + LENGTH for _, (window, _) in out),
        (key for key, _ in out),
        (count for _, (_, count) in out),
    )


with timed():
    main()
