"""A window of 20,000 keys: what a slide costs, and what ranking costs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from workloads import key_text

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH = 300
_KEYS = 20_000
_TOP = 10


class Feed:
    """Seconds of events whose keys are drawn by rank**-1.05, as in the window benchmarks."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._random = np.random.default_rng(1)
        weights = np.arange(1, _KEYS + 1, dtype=float) ** -1.05
        self._weights = weights / weights.sum()
        self._texts = np.array([key_text(number) for number in range(_KEYS)], dtype=object)
        self.seconds: list[list[str]] = []

    def next(self) -> tuple[list[str], list[float]]:
        """Return the keys and the times of one more second."""
        numbers = self._random.choice(_KEYS, self._rate, p=self._weights)
        keys = list(self._texts[numbers])
        second = len(self.seconds)
        self.seconds.append(keys)
        return keys, [float(second)] * len(keys)

    def top(self, end: int, n: int) -> list[tuple[str, int]]:
        """Return the most frequent keys of the window that ends there."""
        counts = Counter(key for keys in self.seconds[max(0, end - _LENGTH) : end] for key in keys)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]


def _filled(feed: Feed, window: tr.Window, seconds: int) -> int:
    """Fill a window and return the second up to which it is closed."""
    for _ in range(seconds):
        keys, times = feed.next()
        window.add(keys, times=times)
    for _ in window.advance(seconds):
        pass
    return seconds


def _rows(snapshot: tr.Snapshot) -> list[tuple[Any, ...]]:
    return [(row["key"], row["count"]) for row in snapshot.rows]


def bench_slide(is_timed: bool, timed: Callable[..., None]) -> None:  # noqa: FBT001 - a fixture
    """Close a pane, add it, take the oldest away, rank: `advance` to ten rows in Python."""
    feed = Feed(10_000 if is_timed else 200)
    window = tr.Window(f"{_LENGTH}s", every="1s", top=_TOP)
    closed = _filled(feed, window, _LENGTH + 10)

    def setup() -> tuple[tuple[int], dict[str, Any]]:
        keys, times = feed.next()
        window.add(keys, times=times)
        return (len(feed.seconds),), {}

    def slide(end: int) -> list[list[tuple[Any, ...]]]:
        return [_rows(snapshot) for snapshot in window.advance(end)]

    (end,), _ = setup()
    assert end == closed + 1
    assert slide(end) == [feed.top(end, _TOP)]
    timed(slide, group="slide", setup=setup, rounds=100)


@pytest.mark.parametrize("top", [10, 1_000, None], ids=["top 10", "top 1,000", "all"])
def bench_rank(top: int | None, is_timed: bool, timed: Callable[..., None]) -> None:  # noqa: FBT001 - a fixture
    """Select and order the rows of a window that does not move."""
    feed = Feed(2_000 if is_timed else 200)
    window = tr.Window("300s", every="1s", top=top)
    for _ in range(_LENGTH):
        keys, times = feed.next()
        window.add(keys, times=times)
    expected = feed.top(_LENGTH, top or _KEYS)
    assert _rows(window.snapshot()) == expected
    timed(window.snapshot, group="rank")
