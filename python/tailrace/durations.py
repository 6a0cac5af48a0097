"""Lengths of time as users write them, to whole microseconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta

__all__ = ["Duration", "micros", "short"]

Duration = str | timedelta | float

_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3_600 * 10**6,
    "d": 86_400 * 10**6,
}
_TEXT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*", re.ASCII)

# A hundred years. Times themselves end in the year 9999, and sums of both must fit into 64 bits.
_LONGEST = 36_525 * _UNITS["d"]


def micros(duration: Duration, name: str, *, least: int = 1) -> int:
    """
    Return a duration in microseconds.

    Args:
        duration: A number with a unit (`"250ms"`, `"300s"`, `"5m"`, `"1h"`, `"1d"`), a
            `timedelta`, or seconds.
        name: What the duration is, for the message.
        least: The least that is allowed, in microseconds.

    Raises:
        ValueError: It is none of these, too short or too long.

    >>> micros("5m", "window"), micros(0.25, "slide")
    (300000000, 250000)
    """
    if isinstance(duration, timedelta):
        value: int | float = duration // timedelta(microseconds=1)
    elif isinstance(duration, str):
        match = _TEXT.fullmatch(duration)
        if match is None or match[2] not in _UNITS:
            message = f"{name}: {duration!r} is no duration; write a number and a unit, such as"
            raise ValueError(f"{message} 250ms, 300s, 5m, 1h or 1d")
        value = float(match[1]) * _UNITS[match[2]]
    else:
        value = duration * 10**6
    if not math.isfinite(value) or not least <= value <= _LONGEST:
        bounds = "must be positive" if least else "must not be negative"
        raise ValueError(f"{name}: {duration!r} {bounds}, and at most 36525 days")
    return round(value)


def short(duration_us: int) -> str:
    """
    Return a duration as text, in the largest unit that has no fraction.

    >>> short(300_000_000), short(90_000_000), short(250_000)
    ('5m', '90s', '250ms')
    """
    for unit in ("d", "h", "m", "s", "ms"):
        if duration_us % _UNITS[unit] == 0:
            return f"{duration_us // _UNITS[unit]}{unit}"
    return f"{duration_us}us"
