"""
Compute the snapshots of windows by brute force.

Written from the documented semantics alone: every window is counted again from all events that
were not late, without optimization. Times and durations are whole microseconds, a window is half
open, and its end is a multiple of the slide since the epoch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Key = str | bytes | int | None


class Answer(NamedTuple):
    """A snapshot without its counters."""

    start: int | None
    end: int | None
    keys: int
    total: int
    rows: list[tuple[Key, int]]


@dataclass
class Lines:
    """The line counters of a snapshot."""

    fed: int = 0
    counted: int = 0
    late: int = 0
    no_time: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the counters as snapshots do."""
        rejected = {"no-time": self.no_time} if self.no_time else {}
        return {
            "fed": self.fed,
            "counted": self.counted,
            "late": self.late,
            "filtered": 0,
            "rejected": rejected,
        }


def first_end_after(time: int, slide: int) -> int:
    """Return the end of the pane that contains this time."""
    return (time // slide + 1) * slide


def ranked(keys: Iterable[Key], limit: int | None) -> list[tuple[Key, int]]:
    """Count and order keys: the largest count first, ties by key in bytes, null last."""

    def place(row: tuple[Key, int]) -> tuple[int, bool, Key]:
        key, count = row
        return -count, key is None, key.encode() if isinstance(key, str) else key

    return sorted(Counter(keys).items(), key=place)[:limit]


def recount(
    kept: Sequence[tuple[int, Key]], start: int | None, end: int | None, limit: int | None
) -> Answer:
    """Count the events from start to end, or all of them if both are None."""
    keys = [key for time, key in kept if start is None or end is None or start <= time < end]
    return Answer(start, end, len(set(keys)), len(keys), ranked(keys, limit))


def ends(
    times: Sequence[int], length: int, slide: int, *, last: int | None, until: int
) -> list[int]:
    """
    Return the window ends after *last* that get a snapshot by log time.

    The first is the first after the oldest event. An empty window gets one snapshot; the ends after
    it are skipped until a window has an event.
    """
    found: list[int] = []
    while times:
        if last is None:
            end = first_end_after(min(times), slide)
        elif any(last - length <= time < last for time in times):
            end = last + slide
        else:
            after = [first_end_after(time, slide) for time in times if time >= last]
            if not after:
                break
            end = min(after)
        if end > until:
            break
        found.append(end)
        last = end
    return found


def log(
    events: Iterable[tuple[int, int | None, Key]],
    *,
    length: int,
    slide: int,
    lateness: int,
    limit: int | None = None,
) -> tuple[list[Answer], Lines]:
    """
    Return the snapshots by log time, up to the end of input.

    An event is its source, its time and its key. It is late if its pane ends at or before the
    newest earlier time of its source minus the lateness.
    """
    lines = Lines()
    newest: dict[int, int] = {}
    kept: list[tuple[int, Key]] = []
    for source, time, key in events:
        lines.fed += 1
        if time is None:
            lines.no_time += 1
        elif source in newest and first_end_after(time, slide) <= newest[source] - lateness:
            lines.late += 1
        else:
            lines.counted += 1
            kept.append((time, key))
            newest[source] = max(time, newest.get(source, time))
    times = [time for time, _ in kept]
    until = first_end_after(max(times, default=0), slide)
    answered = ends(times, length, slide, last=None, until=until)
    return [recount(kept, end - length, end, limit) for end in answered], lines


def arrival(
    start: int,
    steps: Iterable[tuple[int, Sequence[Key]]],
    *,
    length: int,
    slide: int,
    limit: int | None = None,
) -> list[Answer]:
    """
    Return the snapshots by arrival time, up to the end of input.

    A step is a reading of the clock and the keys that arrived with it. Every end after the start
    gets one snapshot; of the ends that pass in one step, only the newest that fit in a window.
    """
    kept: list[tuple[int, Key]] = []
    answers: list[Answer] = []
    passed = first_end_after(start, slide) - slide

    def pass_ends(until: int) -> None:
        nonlocal passed
        due = range(passed + slide, until + 1, slide)
        newest = due[-(length // slide) :]
        answers.extend(recount(kept, end - length, end, limit) for end in newest)
        passed = due[-1] if due else passed

    for now, keys in steps:
        kept.extend((now, key) for key in keys)
        pass_ends(now)
    if kept:
        pass_ends(first_end_after(kept[-1][0], slide))
    return answers


@dataclass
class Window:
    """A window that its caller advances; each method returns every snapshot that is due."""

    length: int
    slide: int
    lateness: int = 0
    limit: int | None = None
    watermark: int | None = None
    kept: list[tuple[int, Key]] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
    # The last end that was reached, whether or not its snapshot was read.
    last: int | None = None

    def add(self, events: Iterable[tuple[int, Key]]) -> None:
        """Count the events that are not late."""
        for time, key in events:
            self.lines.fed += 1
            if self._is_open(time):
                self.lines.counted += 1
                self.kept.append((time, key))
            else:
                self.lines.late += 1

    def advance(self, now: int) -> list[Answer]:
        """Advance the watermark."""
        return self._move(now - self.lateness)

    def finish(self) -> list[Answer]:
        """Return the snapshots up to the last window that contains the newest event."""
        if not self.kept:
            return []
        newest = max(time for time, _ in self.kept)
        return self._move(first_end_after(newest, self.slide) - self.slide + self.length)

    def snapshot(self) -> Answer:
        """Return the window that ends with the newest open pane, else the last one reached."""
        opened = [time for time, _ in self.kept if self._is_open(time)]
        end = first_end_after(max(opened), self.slide) if opened else self.last
        if end is None:
            return Answer(None, None, 0, 0, [])
        return recount(self.kept, end - self.length, end, self.limit)

    def _is_open(self, time: int) -> bool:
        return self.watermark is None or first_end_after(time, self.slide) > self.watermark

    def _move(self, watermark: int) -> list[Answer]:
        if self.watermark is None or watermark > self.watermark:
            self.watermark = watermark
        times = [time for time, _ in self.kept]
        found = ends(times, self.length, self.slide, last=self.last, until=self.watermark)
        self.last = found[-1] if found else self.last
        return [recount(self.kept, end - self.length, end, self.limit) for end in found]
