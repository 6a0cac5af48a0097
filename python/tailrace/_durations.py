"""Parse and print durations, in whole microseconds."""

from __future__ import annotations

from datetime import timedelta
from numbers import Real
from typing import Any

from tailrace import _core
from tailrace._scalars import is_span, span_us
from tailrace._types import ArrowScalar, NumpyScalar

__all__ = ["LONGEST", "Duration", "check_divides", "micros", "short", "shown"]

Duration = str | timedelta | float | NumpyScalar | ArrowScalar

_SECOND = 10**6
_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": _SECOND,
    "m": 60 * 10**6,
    "h": 3_600 * 10**6,
    "d": 86_400 * 10**6,
}

# A hundred years. Times end in the year 9999, and their sum must fit into 64 bits.
LONGEST = 36_525 * _UNITS["d"]
"""The longest that is valid, in microseconds."""

# How many slides are tried for one that divides a length.
_MAX_TRIES = 100_000


def micros(duration: Duration, name: str, *, least: int = 1) -> int:
    """
    Return a duration in microseconds.

    Args:
        duration: Numbers with units (`"300s"`, `"5m"`, `"1h30m"`, `"1 day"`, `"2w"`), a `timedelta`
            of Python, NumPy, pandas or Arrow, or seconds.
        name: The name of the argument, for the message.
        least: The shortest that is valid, in microseconds.

    Raises:
        ValueError: It is not a duration, too short or too long.

    >>> micros("5m", "window"), micros(0.25, "slide")
    (300000000, 250000)
    """
    found: Any = duration.as_py() if hasattr(duration, "as_py") else duration
    value: Any
    if is_span(found):
        value = span_us(found)
        if value is None:
            raise _no_duration(duration, name)
    elif isinstance(found, timedelta):
        value = found // timedelta(microseconds=1)
    elif isinstance(found, str):
        value = _text_us(found, name)
    elif isinstance(found, Real):
        value = found * _SECOND
    else:
        raise _no_duration(duration, name)
    if not value >= least:
        bounds = {0: "a duration of 0 or more", 1: "a positive duration"}
        expected = bounds.get(least, f"at least {short(least)}")
        raise ValueError(f"{name}: expected {expected}, found {duration!r}")
    if value > LONGEST:
        raise ValueError(f"{name}: expected at most 36525d (100 years), found {duration!r}")
    rounded: int = round(value)
    return rounded


def _text_us(text: str, name: str) -> int:
    try:
        return _core.parse_duration(text)
    except UnicodeEncodeError:
        raise _no_duration(text, name) from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _no_duration(duration: object, name: str) -> ValueError:
    expected = "a duration such as 300s, 5m, 1h30m or 1d"
    return ValueError(f"{name}: expected {expected}, found {duration!r:.80}")


def check_divides(
    slide_us: int,
    length_us: int,
    names: tuple[str, str] = ("length", "every"),
    texts: tuple[str, str] | None = None,
) -> None:
    """
    Check that the length of a window is a multiple of the slide.

    Args:
        slide_us: The slide, in microseconds.
        length_us: The length, in microseconds.
        names: The names of the arguments for the length and the slide, for the message.
        texts: Both as the user wrote them, for the message.

    Raises:
        ValueError: It is not. The message suggests the nearest slides that divide the length.

    >>> check_divides(7_000_000, 300_000_000)
    Traceback (most recent call last):
    ValueError: every: expected a divisor of the length 5m (300s), found 7s; try 6s or 10s
    """
    if length_us % slide_us == 0:
        return
    # The largest unit in which both are whole numbers, so that the reader can check the division.
    unit, size = next(
        (unit, size)
        for unit, size in reversed(_UNITS.items())
        if slide_us % size == length_us % size == 0
    )
    slide, length = slide_us // size, length_us // size
    below = range(min(slide, length), 0, -1)[:_MAX_TRIES]
    above = range(slide, length + 1)[:_MAX_TRIES]
    nearest = [
        next((f"{divisor}{unit}" for divisor in numbers if length % divisor == 0), "")
        for numbers in (below, above)
    ]
    tries = " or ".join(filter(None, nearest))
    whole, found = texts or (short(length_us), short(slide_us))
    same = "" if whole == f"{length}{unit}" else f" ({length}{unit})"
    raise ValueError(
        f"{names[1]}: expected a divisor of the {names[0]} {whole}{same}, found {found}"
        + (f"; try {tries}" if tries else "")
    )


def shown(duration: Duration) -> str:
    """
    Return a valid duration as the user wrote it.

    >>> shown("300s"), shown(90)
    ('300s', '90s')
    """
    return duration.strip() if isinstance(duration, str) else short(micros(duration, ""))


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
