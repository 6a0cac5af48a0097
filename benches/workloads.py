"""
The workloads of the window benchmarks, their answers, and the number of their rows.

`workloads.py NAME` writes a workload to standard output: `milliseconds<TAB>key`, in order of time.

The answers come from whole tables of seconds and keys, not from a sliding window.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GATES", "TOP", "WORKLOADS", "Events", "Workload", "answers", "key_text", "rows"]

TOP = 10

_EPOCH_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Workload:
    """Events whose keys are drawn by rank**-1.05."""

    seed: int
    rate: int
    keys: int
    seconds: int = 900


# `long` is for a window of a day; it covers more than two.
WORKLOADS = {
    "S": Workload(1, 100, 1_000),
    "M": Workload(2, 2_000, 5_000),
    "L": Workload(3, 10_000, 20_000),
    "long": Workload(4, 50, 1_000, 200_000),
}

# By workload, number of events (None for all) and length of the window in seconds: the number of
# pairs of a key and a window that holds an event of it, with a slide of a second, including windows
# that end after the last event.
GATES = {
    ("S", None, 1): 52_830,
    ("S", None, 300): 1_110_379,
    ("M", None, 1): 630_951,
    ("M", None, 300): 5_858_891,
    ("L", None, 1): 2_602_312,
    ("L", None, 300): 23_463_137,
    ("S", 10_000, 1): 5_880,
    ("S", 10_000, 10): 31_367,
    ("S", 10_000, 60): 92_814,
    ("S", 10_000, 300): 304_869,
}


@dataclass(frozen=True)
class Events:
    """Times in milliseconds since the epoch, ascending unless noted, and key numbers."""

    times: np.ndarray[Any, np.dtype[np.int64]]
    keys: np.ndarray[Any, np.dtype[np.int64]]

    @classmethod
    def of(cls, name: str, first: int | None = None) -> Events:
        """Return the events of a workload, or the first ones."""
        work = WORKLOADS[name]
        random = np.random.default_rng(work.seed)
        weights = np.arange(1, work.keys + 1, dtype=float) ** -1.05
        times = random.integers(0, work.seconds * 1_000, work.rate * work.seconds)
        times = np.sort(times) + _EPOCH_MS
        keys = random.choice(work.keys, len(times), p=weights / weights.sum())
        return cls(times[:first], keys[:first])

    def __len__(self) -> int:
        return len(self.times)

    def disordered(self, share: float, most_ms: int, seed: int = 5) -> Events:
        """Return the same events in an order in which a share of them is late."""
        random = np.random.default_rng(seed)
        late = random.random(len(self)) < share
        delays = np.where(late, random.integers(0, most_ms, len(self)), 0)
        order = np.argsort(self.times + delays, kind="stable")
        return Events(self.times[order], self.keys[order])

    def write(self, out: TextIO) -> None:
        """Write them as text."""
        texts = np.array([key_text(key) for key in range(int(self.keys.max()) + 1)], dtype=object)
        for begin in range(0, len(self), 1_000_000):
            part = slice(begin, begin + 1_000_000)
            pairs = zip(self.times[part].tolist(), texts[self.keys[part]], strict=True)
            out.writelines(f"{time}\t{key}\n" for time, key in pairs)


def key_text(key: int) -> str:
    """Return the text of a key; texts have the order of their numbers."""
    return f"/path/to/item{key:06d}.html"


def answers(events: Events, length: int, top: int = TOP) -> Iterator[str]:
    """
    Yield a line for each second: `[end, [[key, count], ...]]`, largest count first, then by key.

    The first end is the one after the oldest event, the last the one after the newest.
    """
    keys = int(events.keys.max()) + 1
    # In blocks of ends, so that the table of a block fits into memory.
    seconds = events.times // 1_000
    first, last = int(seconds.min()), int(seconds.max())
    texts = [key_text(key) for key in range(keys)]
    order = np.argsort(seconds, kind="stable")
    sorted_seconds, sorted_keys = seconds[order], events.keys[order]
    ends = max(1, 40_000_000 // keys)
    for begin in range(first + 1, last + 2, ends):
        end = min(begin + ends, last + 2)
        part = slice(*np.searchsorted(sorted_seconds, [begin - length, end - 1]))
        # Events before the block are in its first row.
        cells = (np.maximum(sorted_seconds[part] - begin + 1, 0)) * keys + sorted_keys[part]
        entering = np.bincount(cells, minlength=(end - begin) * keys).reshape(-1, keys)
        leaves_at = sorted_seconds[part] + length - begin + 1
        in_block = leaves_at < end - begin
        cells = leaves_at[in_block] * keys + sorted_keys[part][in_block]
        leaving = np.bincount(cells, minlength=(end - begin) * keys).reshape(-1, keys)
        counts = np.cumsum(entering[: end - begin] - leaving[: end - begin], axis=0)
        for row, second in zip(counts, range(begin, end), strict=True):
            yield _line(second, row, texts, top)


def _line(end: int, counts: np.ndarray[Any, Any], texts: list[str], top: int) -> str:
    alive = np.flatnonzero(counts)
    if len(alive) > top:
        least = np.partition(counts[alive], -top)[-top]
        alive = alive[counts[alive] >= least]
    # A stable sort, so ties are in the order of numbers, which is that of texts.
    ranked = alive[np.argsort(-counts[alive], kind="stable")][:top]
    return json.dumps([end, [[texts[key], int(counts[key])] for key in ranked]]) + "\n"


def rows(events: Events, length: int) -> int:
    """Count the pairs of a key and a window with an event, by the union of intervals."""
    pairs = np.unique(np.stack([events.keys, events.times // 1_000], axis=1), axis=0)
    covered = np.full(len(pairs), length)
    same_key = pairs[1:, 0] == pairs[:-1, 0]
    covered[:-1][same_key] = np.minimum(np.diff(pairs[:, 1])[same_key], length)
    return int(covered.sum())


if __name__ == "__main__":
    Events.of(sys.argv[1]).write(sys.stdout)
