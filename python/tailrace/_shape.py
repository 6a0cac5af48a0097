"""How far windows look back, how often they are answered, and how rows are ranked."""

from __future__ import annotations

from typing import NamedTuple

from tailrace import _core
from tailrace._durations import Duration, check_divides, micros

__all__ = ["Length", "Slides", "checked_count", "shape", "slides"]

# As many keys as there can be.
_MOST = 2**32

# One, several, or everything since the start.
Length = Duration | list[Duration | None] | tuple[Duration | None, ...] | None


class Slides(NamedTuple):
    """Which windows there are, in microseconds."""

    lengths_us: list[int | None]
    slide_us: int
    offset_us: int


def slides(
    length: Length,
    every: Duration | None,
    offset: Duration,
    names: tuple[str, str] = ("length", "every"),
) -> Slides:
    """
    Return which windows are meant.

    Raises:
        ValueError: A duration is none, or the slide does not divide a length.
    """
    several: list[Duration | None]
    several = list(length) if isinstance(length, list | tuple) else [length]
    if not several:
        raise ValueError(f"{names[0]}: no length; name at least one")
    found = [None if one is None else micros(one, names[0]) for one in several]
    ends = [one for one in found if one is not None]
    if every is None and not ends:
        raise ValueError(f"{names[1]}: say how often everything since the start is answered")
    slide_us = min(ends) if every is None else micros(every, names[1])
    for one in ends:
        check_divides(slide_us, one)
    return Slides(found, slide_us, micros(offset, "offset", least=0) % slide_us)


def checked_count(number: int | None, name: str, of: str) -> int | None:
    """
    Return a number of things that there may be.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is below one.
    """
    if number is None:
        return None
    if not isinstance(number, int):
        raise TypeError(f"{name}: a whole number of {of}, not {number!r:.80}")
    if number < 1:
        raise ValueError(f"{name}: {number} {of}; ask for at least one, or None for all")
    return min(number, _MOST)


def shape(
    windows: Slides | None,
    *,
    limit: int | None,
    order_by: int | None,
    ascending: bool,
    changes: bool,
    lateness_us: int,
    max_keys: int | None,
) -> _core.WindowSettings:
    """
    Return what the core makes windows by, or one answer of everything without them.

    Raises:
        TypeError: A number of rows or keys is none.
        ValueError: It is below one.
    """
    return _core.WindowSettings(
        lengths_us=[None] if windows is None else windows.lengths_us,
        slide_us=None if windows is None else windows.slide_us,
        offset_us=0 if windows is None else windows.offset_us,
        lateness_us=lateness_us,
        limit=checked_count(limit, "top", "rows"),
        order_by=order_by,
        ascending=ascending,
        track_ranks=changes,
        max_keys=checked_count(max_keys, "max_keys", "keys"),
    )
