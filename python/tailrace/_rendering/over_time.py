"""The sparkline above a table over time: what happened in each interval, gaps included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tailrace._rendering.drawings import Canvas, sparkline
from tailrace._rendering.text import is_number, share_text, value_text

if TYPE_CHECKING:
    from tailrace._rendering import Renderable

__all__ = ["over_time"]

# Where all columns fit.
_COLUMNS = 80

# What a legend takes, and where it has room.
_LEGEND = 32
_LEAST_WITH_LEGEND = 60

_MICROSECOND = timedelta(microseconds=1)
_HOUR = 3_600 * 10**6
_UNITS = {"w": 168 * _HOUR, "d": 24 * _HOUR, "h": _HOUR, "m": 60 * 10**6, "s": 10**6, "ms": 1_000}


def over_time(
    snapshot: Renderable,
    canvas: Canvas = Canvas(),  # noqa: B008 - immutable
    *,
    grouped: bool = True,
) -> str:
    """
    Return a sparkline of the figure with bars, and what a column of it is; else nothing.

    Where the intervals outnumber the columns, each column is the sum of neighbours. Nothing is
    drawn of figures that have no sum and do not fit, or that are negative.
    """
    by, name = snapshot.by[0], snapshot._layout.drawn
    rows = [row for row in snapshot.rows if isinstance(row[by], datetime)]
    if name is None or not rows or any(is_number(row[name]) and row[name] < 0 for row in rows):
        return ""
    length_us = snapshot._layout.intervals[by]
    before, after = _gaps(snapshot, rows[0][by], rows[-1][by], length_us * _MICROSECOND)
    places = [before + _intervals(snapshot, rows[0][by], row[by]) for row in rows]
    columns = canvas.columns or _COLUMNS
    has_legend = columns >= _LEAST_WITH_LEGEND
    of_each = -(-(places[-1] + 1 + after) // (columns - has_legend * _LEGEND))
    if of_each > 1 and not snapshot._layout.adds_up(name):
        return ""
    sums: list[Any] = [0] * -(-(places[-1] + 1 + after) // of_each)
    for place, row in zip(places, rows, strict=True):
        sums[place // of_each] += row[name] if is_number(row[name]) else 0
    line = sparkline(sums, has_blocks=canvas.has_blocks)
    if not has_legend or not line.strip():
        # Of nothing there is no line either.
        return line if line.strip() else ""
    is_share = snapshot._layout.is_share(name)
    most = share_text(max(sums)) if is_share else value_text(max(sums), grouped=grouped)
    return f"{line}  {_length(length_us * of_each)} each, at most {most}"


def _gaps(
    snapshot: Renderable, first: datetime, last: datetime, length: timedelta
) -> tuple[int, int]:
    """Return the number of intervals of the window before the first row and after the last."""
    # Beyond rows that are cut there is no gap.
    if len(snapshot) < snapshot.keys or snapshot.start is None or snapshot.end is None:
        return 0, 0
    after = -((last + length - snapshot.end) // length)
    return max((first - snapshot.start) // length, 0), max(after, 0)


def _intervals(snapshot: Renderable, first: datetime, time: datetime) -> int:
    """Return the number of intervals between two."""
    layout = snapshot._layout
    length = layout.intervals[layout.by[0]] * _MICROSECOND
    if length > timedelta(hours=1) and layout.tz is not None:
        # Intervals begin by the clock of the zone, and a day may have 23 hours.
        first, time = (one.astimezone(layout.tz).replace(tzinfo=UTC) for one in (first, time))
    return round((time - first) / length)


def _length(micros: int) -> str:
    """
    Return a duration as an option takes it.

    >>> _length(3_600_000_000), _length(5_400_000_000), _length(86_400_000_000)
    ('1h', '90m', '1d')
    """
    for unit, length in _UNITS.items():
        if micros % length == 0:
            return f"{micros // length}{unit}"
    return f"{micros}us"
