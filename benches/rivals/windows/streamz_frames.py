"""streamz: a frame for each second, `window(...).groupby(...).count()`, `nlargest` of all keys."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd
from lines import LENGTH, TOP, events, timed, write_tops
from streamz import Stream
from streamz.dataframe import DataFrame


def main() -> None:
    """Feed it second by second."""
    example = pd.DataFrame({"key": ["a"], "hit": [1]}, index=pd.DatetimeIndex(["2026-01-01"]))
    source = Stream()
    frames = DataFrame(source, example=example)
    tops: list[tuple[int, list[Any]]] = []
    counts: Any = frames.window(f"{LENGTH}s").groupby("key").hit.count().stream
    counts.sink(lambda held: tops.append((second + 1, ranked(held))))
    # Its window reaches back from the newest index, so an event gets the begin of its second.
    for second, group in groupby(events(), lambda event: event[0] // 1_000):
        keys = [key for _, key in group]
        index = pd.DatetimeIndex([pd.Timestamp(second, unit="s")] * len(keys))
        source.emit(pd.DataFrame({"key": keys, "hit": 1}, index=index))
    write_tops(tops)


def ranked(held: Any) -> list[Any]:  # noqa: ANN401 - a series without types
    """Return the ten largest, ties in the order of keys, which `nlargest` alone does not define."""
    largest = held.nlargest(TOP, keep="all")
    rows = [(key, int(count)) for key, count in largest.items() if count > 0]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:TOP]


with timed():
    main()
