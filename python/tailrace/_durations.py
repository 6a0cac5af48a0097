"""Lengths of time as users write them, to whole microseconds."""

from __future__ import annotations

import re
from datetime import timedelta
from numbers import Real
from typing import Any

__all__ = ["Duration", "check_divides", "micros", "short"]

Duration = str | timedelta | float

_SECOND = 10**6
_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": _SECOND,
    "m": 60 * 10**6,
    "h": 3_600 * 10**6,
    "d": 86_400 * 10**6,
}
_TEXT = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*", re.ASCII)

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
        value: Any = duration // timedelta(microseconds=1)
    elif isinstance(duration, str):
        match = _TEXT.fullmatch(duration)
        if match is None or match[2] not in _UNITS:
            raise _no_duration(duration, name)
        value = float(match[1]) * _UNITS[match[2]]
    elif isinstance(duration, Real):
        value = duration * _SECOND
    else:
        raise _no_duration(duration, name)
    if not value >= least:
        bounds = {0: "not be negative", 1: "be positive"}
        raise ValueError(
            f"{name}: {duration!r} must {bounds.get(least, f'be at least {short(least)}')}"
        )
    if value > _LONGEST:
        raise ValueError(f"{name}: {duration!r} is too long; take at most 36525d, a hundred years")
    rounded: int = round(value)
    return rounded


def _no_duration(duration: object, name: str) -> ValueError:
    message = f"{name}: {duration!r} is no duration; write a number and a unit, such as"
    return ValueError(f"{message} 250ms, 300s, 5m, 1h or 1d")


def check_divides(slide_us: int, length_us: int) -> None:
    """
    See that a window is a whole number of slides.

    Raises:
        ValueError: It is not; the message names the nearest windows that are.
    """
    if length_us % slide_us == 0:
        return
    below = length_us // slide_us * slide_us
    fits = [short(window) for window in (below, below + slide_us) if window]
    raise ValueError(
        f"a slide of {short(slide_us)} does not divide a window of {short(length_us)}; "
        f"take a window of {' or '.join(fits)}, or another slide"
    )


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
