"""The lengths of windows, and when each produces a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace import _core
from tailrace._durations import LONGEST, Duration, check_divides, micros, short, shown
from tailrace._scalars import check_flag

if TYPE_CHECKING:
    from tailrace._types import RankedBy

__all__ = ["Length", "Schedule", "check_count", "schedule", "window_settings"]

# The largest number of rows or keys that the core takes.
_MOST = 2**32

# One length or several; None is everything since the start.
Length = Duration | list[Duration | None] | tuple[Duration | None, ...] | None


class Schedule(NamedTuple):
    """Lengths of windows, the slide and the offset, in microseconds."""

    lengths_us: list[int | None]
    slide_us: int
    offset_us: int


def schedule(
    length: Length,
    every: Duration | None,
    offset: Duration,
    names: tuple[str, str] = ("length", "every"),
) -> Schedule:
    """
    Return the schedule of windows of a length or several; *names* are those of the arguments.

    Raises:
        ValueError: A duration is invalid, or the slide does not divide a length.
    """
    several: list[Duration | None]
    several = list(length) if isinstance(length, list | tuple) else [length]
    if not several:
        raise ValueError(f"{names[0]}: expected at least one length, found an empty list")
    found = [None if one is None else micros(one, names[0]) for one in several]
    ends = [one for one in found if one is not None]
    if every is None and not ends:
        raise ValueError(
            f"{names[0]}: with None (everything since the start), give every, such as every='1m'"
        )
    slide_us = min(ends) if every is None else micros(every, names[1])
    slide = f"{short(slide_us)} (the shortest length)" if every is None else shown(every)
    for one in several:
        if one is not None:
            check_divides(slide_us, micros(one, names[0]), names, (shown(one), slide))
    return Schedule(found, slide_us, micros(offset, "offset", least=-LONGEST) % slide_us)


def check_count(number: int | None, name: str, of: str) -> int | None:
    """
    Return a limit for a number of things, None for no limit.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is below one.
    """
    if number is None:
        return None
    if not isinstance(number, int):
        raise TypeError(f"{name}: expected an integer number of {of}, found {number!r:.80}")
    if number < 1:
        raise ValueError(f"{name}: expected at least 1, found {number}; None keeps all {of}")
    return min(number, _MOST)


def window_settings(
    windows: Schedule | None,
    *,
    limit: int | None,
    order_by: RankedBy | None,
    ascending: bool,
    track_ranks: bool,
    lateness_us: int,
    max_keys: int | None,
    max_key_bytes: int | None = None,
    bounds_us: tuple[int, int] | None = None,
) -> _core.WindowSettings:
    """
    Return the settings of windows for the core, or of one answer of everything without windows.

    Raises:
        TypeError: A limit is not an integer, or a flag not True or False.
        ValueError: A limit is below one.
    """
    return _core.WindowSettings(
        lengths_us=[None] if windows is None else windows.lengths_us,
        slide_us=None if windows is None else windows.slide_us,
        offset_us=0 if windows is None else windows.offset_us,
        lateness_us=lateness_us,
        limit=check_count(limit, "top", "rows"),
        order_by=order_by,
        ascending=check_flag(ascending, "ascending"),
        track_ranks=check_flag(track_ranks, "track_ranks"),
        max_keys=check_count(max_keys, "max_keys", "keys"),
        max_key_bytes=max_key_bytes,
        bounds_us=bounds_us,
    )
