"""Times as people read them: in UTC, or with the clock of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tailrace._rendering import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

__all__ = ["intervals", "moment", "shorter_spans", "span"]

_DAY_US = 86_400 * 10**6
_MINUTE_US = 60 * 10**6


def moment(time: datetime, zone: tzinfo | None) -> str:
    """
    Return a time as a value in a table.

    >>> from datetime import timezone, timedelta
    >>> time = datetime(2015, 5, 17, 10, tzinfo=UTC)
    >>> moment(time, None), moment(time, timezone(timedelta(hours=2)))
    ('2015-05-17T10:00:00Z', '2015-05-17T12:00:00+02:00')
    """
    if zone is None or zone == UTC:
        return iso(time) or ""
    local = time.astimezone(zone)
    return _clock(local, "T") + _offset(local)


def span(start: datetime, end: datetime, zone: tzinfo | None) -> str:
    """
    Return two times and their zone; the date of the second one only if it is another.

    Where clocks change between them, or show one of them twice, both have their offset.

    >>> time = datetime(2015, 5, 17, 10, tzinfo=UTC)
    >>> span(time, time.replace(hour=11), None)
    '2015-05-17 10:00:00 to 11:00:00 UTC'
    """
    times = [time.astimezone(zone or UTC) for time in (start, end)]
    name = _name(zone)
    offsets = [_offset(time) for time in times]
    needed = not name or len(set(offsets)) > 1 or any(map(_is_double, times))
    first, last = (
        _clock(time, " ") + (offset if needed else "")
        for time, offset in zip(times, offsets, strict=True)
    )
    date, _, time_of_day = last.partition(" ")
    last = time_of_day if first.startswith(date) else last
    return f"{first} to {last} {name}".rstrip()


def shorter_spans(start: datetime, end: datetime, zone: tzinfo | None) -> Iterator[str]:
    """
    Yield two times in fewer and fewer columns: without dates and the zone, then only the second.

    >>> time = datetime(2015, 5, 17, 10, tzinfo=UTC)
    >>> list(shorter_spans(time, time.replace(hour=11), None))
    ['10:00:00 to 11:00:00', 'to 11:00:00', '11:00:00']
    """
    local = [time.astimezone(zone or UTC) for time in (start, end)]
    first, last = (_clock(time, " ").partition(" ")[2] for time in local)
    if local[0].date() == local[1].date():
        yield f"{first} to {last}"
    yield from (f"to {last}", last)


def intervals(times: Sequence[datetime], length_us: int, zone: tzinfo | None) -> list[str]:
    """
    Return the starts of intervals of a length: `2015-05-17`, `2015-05-17 10:00`.

    Where clocks change between them, all have their offset.

    >>> time = datetime(2015, 5, 17, 10, tzinfo=UTC)
    >>> intervals([time], 3_600_000_000, None), intervals([time], 1_000_000, None)
    (['2015-05-17 10:00'], ['2015-05-17 10:00:00'])
    """
    local = [time.astimezone(zone or UTC) for time in times]
    texts = [_clock(time, " ") for time in local]
    # Between the periods of a zone, an interval may begin at another time than its length says.
    if length_us % _DAY_US == 0 and all(text.endswith(" 00:00:00") for text in texts):
        return [text.removesuffix(" 00:00:00") for text in texts]
    if length_us % _MINUTE_US == 0 and all(text.endswith(":00") for text in texts):
        texts = [text.removesuffix(":00") for text in texts]
    offsets = [_offset(time) for time in local]
    if len(set(offsets)) < 2:  # noqa: PLR2004 - all have the same
        return texts
    return [text + offset for text, offset in zip(texts, offsets, strict=True)]


def _name(zone: tzinfo | None) -> str:
    """Return `Europe/Berlin`, `+02:00` or `UTC`; nothing if the zone has no name."""
    if zone is None or zone == UTC:
        return "UTC"
    name = getattr(zone, "key", str(zone).removeprefix("UTC"))
    return str(name or "")


def _is_double(local: datetime) -> bool:
    """Report whether clocks show the time twice, because they are turned back."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _clock(local: datetime, between: str) -> str:
    text = local.replace(tzinfo=None).isoformat(sep=between)
    return text.rstrip("0") if "." in text else text


def _offset(local: datetime) -> str:
    return local.isoformat()[len(local.replace(tzinfo=None).isoformat()) :]
