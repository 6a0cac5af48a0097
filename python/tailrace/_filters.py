"""Which lines a query keeps: a condition, and a range of time."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._durations import micros, short
from tailrace._names import AUTO, DETECTED, check_fields
from tailrace._scalars import is_span, time_us
from tailrace._terminal.escape import for_people, width
from tailrace._types import ArrowScalar, NumpyScalar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ALL", "LineFilter", "Point", "matching_formats"]

Point = str | datetime | timedelta | float | NumpyScalar | ArrowScalar
"""A point in time: text, a datetime, a timedelta before now, or seconds since the epoch."""


class LineFilter(NamedTuple):
    """A condition and a range of time; relative points are resolved when it is compiled."""

    where: str | None = None
    since: Point | None = None
    until: Point | None = None
    zones: tuple[tzinfo | None, ...] = (None,)
    """The zones of the sources, which points without a zone belong to; None is UTC."""
    what: str = "where"
    """What the condition is called in messages."""
    last_us: int | None = None
    """The length of the range that ends with the newest time, which is found by reading."""

    def with_where(self, text: str) -> LineFilter:
        """Return a filter with one condition more."""
        if not isinstance(text, str):
            raise TypeError(
                f"{self.what}: expected a condition such as 'status >= 500', found {text!r:.80}"
            )
        _parsed(text, self.what)
        return self._replace(where=text if self.where is None else f"({self.where}) and ({text})")

    def with_range(
        self,
        now_us: int,
        *,
        since: Point | None = None,
        until: Point | None = None,
        zones: tuple[tzinfo | None, ...] = (None,),
    ) -> LineFilter:
        """
        Return a filter with another bound.

        Raises:
            ValueError: It is not a point in time, or the range is empty.
        """
        ranged = self._replace(
            since=self.since if since is None else since,
            until=self.until if until is None else until,
            zones=zones,
        )
        since_us, until_us = ranged.range_us(now_us)
        if since_us is not None and until_us is not None and since_us >= until_us:
            raise ValueError(
                f"since: expected a time before until ({ranged.until!s}), found "
                f"{ranged.since!s}; no line can match"
            )
        return ranged

    def range_us(self, now_us: int) -> tuple[int | None, int | None]:
        """Return the bounds in microseconds since the epoch, None where there is none."""
        since = None if self.since is None else _point_us(self.since, now_us, "since", self.zones)
        until = None if self.until is None else _point_us(self.until, now_us, "until", self.zones)
        return since, until

    @property
    def has_range(self) -> bool:
        """Whether it has a range of time, for which a line needs a time."""
        return self.since is not None or self.until is not None or self.last_us is not None

    def compiled(self, now_us: int) -> _core.Filter | None:
        """Return it as the core takes it, or None if it keeps every line."""
        if self == ALL:
            return None
        since_us, until_us = self.range_us(now_us)
        if self.last_us is not None:
            # Until the newest time is known, every line with a time.
            since_us = _EARLIEST_US
        return _core.Filter(self.where, since_us=since_us, until_us=until_us)

    def bounded(self, bounds_us: tuple[int, int] | None) -> _core.Filter:
        """Return it for a range of time that includes both ends; None keeps no line."""
        if bounds_us is None:
            return _core.Filter(self.where, since_us=_LATEST_US)
        since_us, newest_us = bounds_us
        return _core.Filter(self.where, since_us=since_us, until_us=newest_us + 1)

    def describe(self) -> list[str]:
        """Return its parts for the `repr` of a query."""
        parts = {"where": self.where, "since": self.since, "until": self.until}
        found = [f"{name} {value}" for name, value in parts.items() if value is not None]
        return found if self.last_us is None else [*found, f"last {short(self.last_us)}"]

    def check(self, log_format: str | _core.Format, fields: Sequence[str] = ()) -> None:
        """
        Check that it applies to a format; for `auto`, to one that also has *fields*.

        Raises:
            ValueError: The format lacks a field, or has it with another type; the message marks
                the place in the condition.
        """
        # Whatever the points in time are, they need a format with a time.
        condition = self.compiled(0)
        if condition is None:
            return
        self._check_fields(condition, log_format)
        if log_format == AUTO and matching_formats(DETECTED, fields, condition):
            return
        names = [name for name, _ in condition.fields]
        formats: Sequence[str | _core.Format] = [log_format]
        if log_format == AUTO:
            formats = matching_formats(DETECTED, names)
        for one in formats:
            try:
                condition.check(one)
            except _core.FilterError as error:
                raise _pointed(self.what, self.where or "", *error.args) from None
        if log_format == AUTO:
            needed = ", ".join(map(repr, dict.fromkeys([*fields, *names])))
            raise ValueError(
                f"{self.what}: no format that can be detected has all of the fields {needed}"
            )

    def _check_fields(self, condition: _core.Filter, log_format: str | _core.Format) -> None:
        for name, place in condition.fields:
            try:
                check_fields([name], log_format)
            except ValueError as error:
                if place is None:
                    source = "since, until" if self.last_us is None else "last"
                    raise ValueError(f"{source}: {error}") from None
                raise _pointed(self.what, self.where or "", str(error), *place) from None


# The bounds of 64 bits.
_EARLIEST_US, _LATEST_US = -(2**63), 2**63 - 1

ALL = LineFilter()
"""The filter that keeps every line."""


def matching_formats(
    formats: Sequence[str], fields: Sequence[str], *conditions: _core.Filter
) -> list[str]:
    """Return the formats that can have these fields and to which conditions apply."""
    return [
        name
        for name in formats
        if all(_core.field_kind(name, field) is not None for field in fields)
        and all(_applies(condition, name) for condition in conditions)
    ]


def _applies(condition: _core.Filter, log_format: str) -> bool:
    try:
        condition.check(log_format)
    except _core.FilterError:
        return False
    return True


def _parsed(text: str, what: str) -> _core.Filter:
    try:
        return _core.Filter(text)
    except UnicodeEncodeError:
        raise ValueError(f"{what}: expected UTF-8, found {text!r:.80}") from None
    except _core.FilterError as error:
        raise _pointed(what, text, *error.args) from None


def _pointed(what: str, text: str, message: str, start: int, end: int) -> ValueError:
    """Return an error with the condition and a mark below the place of the mistake."""
    if not text.strip():
        return ValueError(f"{what}: {message}")
    data = text.encode()
    before, marked, after = (
        for_people(part.decode()) for part in (data[:start], data[start:end], data[end:])
    )
    # Text far from the mistake would only wrap the line.
    if width(before) > _MARGIN:
        before = "..." + before[-_MARGIN:]
    marked, after = _shortened(marked), _shortened(after)
    mark = " " * width(before) + "^" * max(width(marked), 1)
    return ValueError(f"{what}: {message}\n  {before}{marked}{after}\n  {mark}")


# How much of the condition is shown before the mistake, of the mistake, and after it.
_MARGIN = 30


def _shortened(text: str) -> str:
    return text if len(text) <= _MARGIN else text[:_MARGIN] + "..."


def _point_us(point: Point, now_us: int, name: str, zones: Sequence[tzinfo | None]) -> int:
    """
    Return a point in time in microseconds since the epoch.

    Raises:
        TypeError: It has another type.
        ValueError: It is not a point in time, or another one in each of the zones.
    """
    found = {_point_in_zone_us(point, now_us, name, zone) for zone in zones}
    if len(found) > 1:
        raise ValueError(
            f"{name}: {point!r} is another time in the time zone of each source; give a zone, as "
            "in 2026-11-23T10:30Z"
        )
    return found.pop()


def _point_in_zone_us(point: Point, now_us: int, name: str, zone: tzinfo | None) -> int:
    value: Any = point
    if hasattr(value, "as_py") and str(value.type).startswith("duration"):
        value = value.as_py()
    if is_span(value) or isinstance(value, timedelta):
        return now_us - micros(value, name, least=0)
    if isinstance(value, str):
        from tailrace._points import point_us  # noqa: PLC0415 - 5 ms, rarely needed

        try:
            return point_us(value, now_us, zone)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    expected = "text, a datetime, a timedelta or seconds since the epoch"
    return time_us(value, name, expected, zone)
