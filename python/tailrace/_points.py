"""Parse points in time: dates, times of day, and durations before or after now."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from tailrace import _core
from tailrace._zones import local_us, utc_us

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["point_us"]

_SECOND = 10**6
_DAY = 86_400 * _SECOND
_EPOCH = date(1970, 1, 1).toordinal()

# The range of the core's times: the years 1684 to 2255.
_FURTHEST = 9 * 10**15

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# The number of days before today.
_DAYS = {"today": 0, "midnight": 0, "yesterday": 1}

_POINT = re.compile(
    r"""
    (?: (?P<word> today | yesterday | midnight )
      | (?P<year> \d{4} ) - (?P<month> \d\d ) - (?P<day> \d\d )
      | (?P<log_day> \d{1,2} ) / (?P<log_month> [a-z]{3} ) / (?P<log_year> \d{4} )
    )?
    (?: (?: (?<=\d) [t:] | (?<=\w) \s+ | ^ )
        (?P<hour> \d{1,2} ) : (?P<minute> \d\d )
        (?: : (?P<second> \d\d ) (?: [.,] (?P<fraction> \d{1,9} ) )? )?
        \s* (?P<zone> z | utc | gmt | [+-] \d\d (?: :? \d\d )? )?
    )?
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_SPAN = re.compile(r"([+-]?)\s*((?:[0-9.]+\s*[^\W\d_]+\s*)+)")
_SINCE_EPOCH = re.compile(r"@(-?\d+(?:\.\d+)?)", re.ASCII)

# More says nothing, and numbers of any length would cost.
_LONGEST = 100


def point_us(text: str, now_us: int, zone: tzinfo | None = None) -> int:
    """
    Return a point in time in microseconds since the epoch.

    Args:
        text: A date, a time of today, or both, in *zone* unless a zone follows: `2026-11-23`,
            `10:30`, `2026-11-23T10:30:00.5+01:00`, `yesterday 10:30`, or as in a log,
            `17/May/2015:10:05:03 +0000`. Seconds since the epoch after an `@`. A duration before
            now: `10m`, `-10m`, `10m ago`, `1h30m`, `2 days ago`; `+10m` is after now. `now`,
            `today`, `yesterday` and `midnight`; days begin at midnight in *zone*.
        now_us: The current time.
        zone: The zone of texts without one; UTC by default.

    Raises:
        ValueError: It is not a point in time, or not in the years 1684 to 2255.

    >>> now_us = point_us("2026-11-23T10:30", 0)
    >>> point_us("@1431857103", now_us)
    1431857103000000
    >>> (now_us - point_us("1h30m", now_us)) // 10**6
    5400
    >>> point_us("midnight", now_us) == point_us("2026-11-23", now_us)
    True
    """
    plain = text.strip().lower()
    if not plain or len(plain) > _LONGEST:
        raise _no_point(text)
    point = now_us if plain == "now" else None
    for read in (_since_epoch, _span):
        if point is None:
            point = read(plain, now_us, text)
    if point is None:
        point = _calendar(plain, now_us, text, zone)
    if point is None:
        raise _no_point(text)
    if not -_FURTHEST <= point <= _FURTHEST:
        raise ValueError(f"expected a time in the years 1684 to 2255, found {text!r}")
    return point


def _no_point(text: str) -> ValueError:
    number = text.strip()
    if number.isascii() and number.isdigit() and len(number) <= _LONGEST:
        hint = f"use @{number} for seconds since the epoch, {number}m for minutes ago"
        return ValueError(f"expected a unit, found {text!r}; {hint}")
    some = "2026-11-23, 2026-11-23T10:30, 10:30, 10m ago, yesterday or @1431857103"
    return ValueError(f"expected a time such as {some}, found {text[:_LONGEST]!r}")


def _since_epoch(plain: str, now_us: int, text: str) -> int | None:
    del now_us, text
    match = _SINCE_EPOCH.fullmatch(plain)
    return None if match is None else int(Fraction(match[1]) * _SECOND)


def _span(plain: str, now_us: int, text: str) -> int | None:
    """Parse a duration before or after now."""
    # Not in lower case: M is no unit.
    length = text.strip()
    is_ago = plain.endswith("ago")
    match = _SPAN.fullmatch(length[:-3] if is_ago else length)
    if match is None:
        return None
    sign = match[1]
    if sign and is_ago:
        raise ValueError(f"expected {sign} or ago, found both in {text!r}")
    span_us = _core.parse_duration(match[2].strip())
    return now_us + span_us if sign == "+" else now_us - span_us


def _calendar(plain: str, now_us: int, text: str, zone: tzinfo | None) -> int | None:
    """Parse a date, a time of day, or both."""
    match = _POINT.fullmatch(plain)
    if match is None:
        return None
    of_day = offset = 0
    if match["zone"]:
        offset, zone = _offset_us(match["zone"]), None
    if match["hour"]:
        hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
        # A leap second counts as the first second of the next minute.
        if hour > 23 or minute > 59 or second > 60:  # noqa: PLR2004 - of any clock
            raise ValueError(f"expected a time of day from 00:00 to 23:59:59, found {text!r}")
        of_day = ((hour * 60 + minute) * 60 + second) * _SECOND
        of_day += int((match["fraction"] or "").ljust(6, "0")[:6])
    if match["year"] or match["log_year"]:
        day = _day(match, text)
    else:
        today = (now_us + offset if zone is None else local_us(now_us, zone)) // _DAY
        day = today - _DAYS[match["word"] or "today"]
    point = day * _DAY + of_day - offset
    return point if zone is None or abs(point) > _FURTHEST else utc_us(point, zone)


def _day(match: re.Match[str], text: str) -> int:
    """Return the number of days since the epoch."""
    try:
        if match["year"]:
            year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
        else:
            year, day = int(match["log_year"]), int(match["log_day"])
            month = _MONTHS.index(match["log_month"]) + 1
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise ValueError(f"expected a date that exists, found {text!r}") from None


def _offset_us(zone: str) -> int:
    """Return a zone's offset from UTC."""
    if zone[0] not in "+-":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].removeprefix(":") or 0)
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - of any clock
        raise ValueError(f"expected an offset from UTC such as +01:00, found {zone!r}")
    ahead = (hours * 60 + minutes) * 60 * _SECOND
    return -ahead if zone[0] == "-" else ahead
