"""
Count with str.split, as people write it: plain.py FILE PANES.

A dict for each pane is added and subtracted, and `heapq` finds the ten largest: twenty lines that
many people have written. `splitting.py` is the same with every step tuned.
"""

from __future__ import annotations

import heapq
import json
import sys
from collections import defaultdict, deque
from pathlib import Path

from panes import TOP, seconds


def main() -> None:
    """Split every line."""
    length = int(sys.argv[2])
    panes: deque[dict[str, int]] = deque()
    totals: dict[str, int] = defaultdict(int)

    def close(time: str, pane: dict[str, int]) -> None:
        panes.append(pane)
        for key, count in pane.items():
            totals[key] += count
        if len(panes) > length:
            for key, count in panes.popleft().items():
                totals[key] -= count
                if not totals[key]:
                    del totals[key]
        best = heapq.nsmallest(TOP, totals.items(), key=lambda row: (-row[1], row[0]))
        print(json.dumps([seconds(f"{time[1:]} +0000") + 1, [list(row) for row in best]]))

    last = None
    pane: dict[str, int] = defaultdict(int)
    with Path(sys.argv[1]).open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            words = line.split(" ", 7)
            if words[3] != last:
                if last is not None:
                    close(last, pane)
                    pane = defaultdict(int)
                last = words[3]
            pane[words[6]] += 1
    if last is not None:
        close(last, pane)


if __name__ == "__main__":
    main()
