"""Twenty lines of Python: a dict for each second, added when it ends, subtracted when it leaves."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from lines import DATA, LENGTH, TOP, timed, write_tops

if TYPE_CHECKING:
    from collections.abc import Iterator


def tops() -> Iterator[tuple[int, list[Any]]]:
    """Yield the ten of each second's end."""
    panes: deque[dict[str, int]] = deque()
    totals: dict[str, int] = defaultdict(int)
    pane: dict[str, int] = defaultdict(int)
    now = None

    def slide() -> list[Any]:
        panes.append(pane)
        for key, count in pane.items():
            totals[key] += count
        if len(panes) > LENGTH:
            for key, count in panes.popleft().items():
                left = totals[key] - count
                if left:
                    totals[key] = left
                else:
                    del totals[key]
        # Among the largest counts the smallest keys: `nlargest` cannot turn a text around.
        return heapq.nsmallest(TOP, totals.items(), key=lambda row: (-row[1], row[0]))

    with open(DATA) as lines:  # noqa: PTH123 - as one writes it
        for line in lines:
            time, key = line.rstrip("\n").split("\t")
            second = int(time) // 1_000
            if now is None:
                now = second
            while second > now:
                now += 1
                yield now, slide()
                pane = defaultdict(int)
            pane[key] += 1
    if now is not None:
        yield now + 1, slide()


with timed():
    write_tops(tops())
