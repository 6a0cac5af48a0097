"""The window of two rivals: a dict for each pane, added at its end, subtracted when it leaves."""

from __future__ import annotations

import json
import sys
from collections import deque
from datetime import datetime
from typing import Any

TOP = 10


class Window:
    """Totals over the last panes; writes one line for each slide."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.panes: deque[dict[Any, int]] = deque()
        self.totals: dict[Any, int] = {}
        self.best: list[tuple[int, Any]] = []

    def close(self, second: int, pane: dict[Any, int]) -> None:
        """Add the pane of a second, subtract the one that leaves, write the answer."""
        totals = self.totals
        get = totals.get
        for key, count in pane.items():
            totals[key] = get(key, 0) + count
        self.panes.append(pane)
        if len(self.panes) > self.length:
            for key, count in self.panes.popleft().items():
                left = totals[key] - count
                if left:
                    totals[key] = left
                else:
                    del totals[key]
        # The new totals of the last top ten are a lower bound for the tenth, so one pass over the
        # totals leaves little to sort. Faster here than heapq in any form.
        bound = min((get(key, 0) for _, key in self.best), default=0) if self._full else 0
        self.best = sorted([(-count, key) for key, count in totals.items() if count >= bound])[:TOP]
        rows = [[key if isinstance(key, str) else key.decode(), -n] for n, key in self.best]
        sys.stdout.write(json.dumps([second + 1, rows]) + "\n")

    @property
    def _full(self) -> bool:
        return len(self.best) == TOP


def seconds(time: str) -> int:
    """Return the seconds since the epoch; called once for each second of the log."""
    return int(datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").timestamp())
