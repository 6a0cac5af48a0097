"""Time zones of times that have none in the log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["local_us", "utc_us", "zone_of", "zone_table"]

_UTC = {"UTC", "GMT", "Z"}
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)

# No zone changes twice within these days.
_STEP_S = 3 * 86_400

# The years 1900 to 2100; before and after them a zone keeps its first or last offset.
_FROM_S, _TO_S = -2_208_988_800, 4_133_980_800

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a local time
_MICROSECOND = timedelta(microseconds=1)


def zone_of(zone: str | tzinfo, name: str = "tz") -> tzinfo:
    """
    Return a time zone, given by its name in the tz database or as an offset from UTC.

    Raises:
        TypeError: It is neither text nor a time zone.
        ValueError: There is no zone of this name; the message has the closest names.

    >>> zone_of("+02:00")
    datetime.timezone(datetime.timedelta(seconds=7200))
    >>> zone_of("+25:00")
    Traceback (most recent call last):
    ValueError: tz: expected an offset up to 23:59, found '+25:00'
    """
    if isinstance(zone, ZoneInfo | timezone):
        return zone
    if not isinstance(zone, str):
        raise TypeError(
            f"{name}: expected a time zone such as 'Europe/Berlin', '+02:00' or a ZoneInfo, found "
            f"{zone!r:.80}"
        )
    if zone.upper() in _UTC:
        return UTC
    offset = _OFFSET.fullmatch(zone)
    if offset is not None:
        sign, hours, minutes = offset[1], int(offset[2]), int(offset[3] or 0)
        if hours > 23 or minutes > 59:  # noqa: PLR2004 - of any clock
            raise ValueError(f"{name}: expected an offset up to 23:59, found {zone!r}")
        ahead = timedelta(hours=hours, minutes=minutes)
        return timezone(-ahead if sign == "-" else ahead)
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name}: {_unknown(zone)}") from None


def _unknown(zone: str) -> str:
    """Return what is wrong with a name, and the closest ones."""
    import difflib  # noqa: PLC0415 - takes 3 ms, and only a mistake needs it

    known = sorted(available_timezones())
    if not known:
        return (
            f"no data for time zone {zone!r:.80} on this system; install the system's package "
            "tzdata, or give an offset such as +02:00"
        )
    # People write the city alone, or with a blank.
    by_part = {one.rpartition("/")[2].lower(): one for one in reversed(known)}
    by_part |= {one.lower(): one for one in known}
    plain = zone.strip().lower().replace(" ", "_")
    close = difflib.get_close_matches(plain, by_part, n=3, cutoff=0.7)
    guesses = list(dict.fromkeys(repr(by_part[name]) for name in close))
    hint = "expected a name such as 'Europe/Berlin', UTC, or an offset such as +02:00"
    if guesses:
        hint = f"did you mean {' or '.join(', '.join(guesses).rsplit(', ', 1))}?"
    return f"unknown time zone {zone!r:.80}; {hint}"


def utc_us(local_us: int, zone: tzinfo) -> int:
    """
    Return the time in UTC of a local time, both in microseconds since the epoch.

    A local time that occurs twice is the first one. One that is skipped has the offset from before
    the change.
    """
    offset = zone.utcoffset(_EPOCH + local_us * _MICROSECOND) or timedelta()
    return local_us - offset // _MICROSECOND


def local_us(now_us: int, zone: tzinfo) -> int:
    """Return the local time of a time in UTC, both in microseconds since the epoch."""
    local = datetime.fromtimestamp(now_us // 10**6, zone)
    return now_us + (local.utcoffset() or timedelta()) // _MICROSECOND


@lru_cache
def zone_table(zone: tzinfo) -> _core.Zone:
    """
    Return the periods in which a zone keeps its offset and its letters, as the core takes them.

    Raises:
        ValueError: An offset has a fraction of a second.
    """
    name = zone.key if isinstance(zone, ZoneInfo) and zone.key else str(zone)
    periods = []
    for start_s, (offset, letters) in _periods(zone):
        if offset.microseconds:
            raise ValueError(f"tz: expected an offset in whole seconds, found {zone!r:.80}")
        periods.append((start_s, offset // timedelta(seconds=1), letters))
    return _core.Zone(name, periods)


def _periods(zone: tzinfo) -> Iterator[tuple[int, tuple[timedelta, str]]]:
    """Yield the start of each period in seconds since the epoch, its offset and its letters."""

    def state_at(seconds: int) -> tuple[timedelta, str]:
        local = datetime.fromtimestamp(seconds, zone)
        return local.utcoffset() or timedelta(), local.tzname() or ""

    steps = range(_FROM_S, _TO_S, _STEP_S)
    is_fixed = isinstance(zone, timezone)
    states = [state_at(seconds) for seconds in (steps[:1] if is_fixed else steps)]
    yield _FROM_S, states[0]
    for place, (before, after) in enumerate(pairwise(states)):
        if before == after:
            continue
        low, high = steps[place], steps[place + 1]
        while high - low > 1:
            middle = (low + high) // 2
            if state_at(middle) == before:
                low = middle
            else:
                high = middle
        yield high, after
