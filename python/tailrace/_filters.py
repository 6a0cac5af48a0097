"""Which lines are meant, as users say it: a condition, and a range of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._durations import micros
from tailrace._names import AUTO, DETECTED, checked_fields
from tailrace._terminal.escape import for_people, width

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ALL", "LineFilter", "Point", "fitting"]

Point = str | datetime | timedelta | float
"""A point in time: text, an aware datetime, how long before now, or seconds since the epoch."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LineFilter(NamedTuple):
    """What is asked of lines; points in time are seen from whenever they are looked at."""

    where: str | None = None
    since: Point | None = None
    until: Point | None = None

    def with_where(self, text: str) -> LineFilter:
        """Return the same with one condition more."""
        if not isinstance(text, str):
            raise TypeError(
                f"where: a condition as text, such as 'status >= 500', not {text!r:.80}"
            )
        _parsed(text)
        return self._replace(where=text if self.where is None else f"({self.where}) and ({text})")

    def with_range(
        self, now_us: int, *, since: Point | None = None, until: Point | None = None
    ) -> LineFilter:
        """
        Return the same since or until another point in time.

        Raises:
            ValueError: It is none, or the range has no moment.
        """
        ranged = self._replace(
            since=self.since if since is None else since,
            until=self.until if until is None else until,
        )
        since_us, until_us = ranged.range_us(now_us)
        if since_us is not None and until_us is not None and since_us >= until_us:
            raise ValueError(
                f"since: {ranged.since!s} is not before {ranged.until!s} (until), so no line can "
                "be between them"
            )
        return ranged

    def range_us(self, now_us: int) -> tuple[int | None, int | None]:
        """Return from when on and before when, where there is a bound."""
        since = None if self.since is None else _point_us(self.since, now_us, "since")
        until = None if self.until is None else _point_us(self.until, now_us, "until")
        return since, until

    def compiled(self, now_us: int) -> _core.Filter | None:
        """Return it as the core takes it, or nothing where all lines are meant."""
        if self == ALL:
            return None
        since_us, until_us = self.range_us(now_us)
        return _core.Filter(self.where, since_us=since_us, until_us=until_us)

    def check(self, log_format: str, fields: Sequence[str] = ()) -> None:
        """
        See that a format can be asked; for `auto`, that one can that has these fields too.

        Raises:
            ValueError: It has no such field, or one of another type; the message points at it.
        """
        # Points in time ask no more of a format than that it has a time.
        asked = self.compiled(0)
        if asked is None or (log_format == AUTO and fitting(DETECTED, fields, asked)):
            return
        self._check_fields(asked, log_format)
        names = [name for name, _ in asked.fields]
        for one in fitting(DETECTED, names) if log_format == AUTO else [log_format]:
            try:
                asked.check(one)
            except _core.FilterError as error:
                raise _pointed(self.where or "", *error.args) from None
        if log_format == AUTO:
            wanted = ", ".join(dict.fromkeys([*fields, *names]))
            raise ValueError(f"where: no format that is detected has all of {wanted}")

    def _check_fields(self, asked: _core.Filter, log_format: str) -> None:
        for name, place in asked.fields:
            try:
                checked_fields([name], log_format)
            except ValueError as error:
                if place is None:
                    raise ValueError(f"since, until: {error}") from None
                raise _pointed(self.where or "", str(error), *place) from None


ALL = LineFilter()
"""Every line."""


def fitting(
    formats: Sequence[str], fields: Sequence[str], asked: _core.Filter | None = None
) -> list[str]:
    """Return those formats that have these fields and can be asked this."""
    return [
        name
        for name in formats
        if all(_core.has(name, field) for field in fields)
        and (asked is None or _can_be_asked(name, asked))
    ]


def _can_be_asked(log_format: str, asked: _core.Filter) -> bool:
    try:
        asked.check(log_format)
    except _core.FilterError:
        return False
    return True


def _parsed(text: str) -> _core.Filter:
    try:
        return _core.Filter(text)
    except UnicodeEncodeError:
        raise ValueError(f"where: {text!r:.80} is not UTF-8; write it in that") from None
    except _core.FilterError as error:
        raise _pointed(text, *error.args) from None


def _pointed(text: str, message: str, start: int, end: int) -> ValueError:
    """Return an error with the condition, and a mark under what is wrong with it."""
    if not text.strip():
        return ValueError(f"where: {message}")
    data = text.encode()
    before, marked, after = (
        for_people(part.decode()) for part in (data[:start], data[start:end], data[end:])
    )
    # What is far from the mistake would only break the line.
    if width(before) > _MARGIN:
        before = "..." + before[-_MARGIN:]
    marked, after = _shortened(marked), _shortened(after)
    mark = " " * width(before) + "^" * max(width(marked), 1)
    return ValueError(f"where: {message}\n  {before}{marked}{after}\n  {mark}")


# How much of the condition stands before the mistake, at most, in it, and behind it.
_MARGIN = 30


def _shortened(text: str) -> str:
    return text if len(text) <= _MARGIN else text[:_MARGIN] + "..."


def _point_us(point: Point, now_us: int, name: str) -> int:
    """
    Return a point in time in microseconds since the epoch.

    Raises:
        TypeError: It is nothing that could be one.
        ValueError: It is none.
    """
    value: Any = point
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: {value!r} has no zone; say tzinfo=UTC, or another")
        return (value - _EPOCH) // timedelta(microseconds=1)
    if isinstance(value, timedelta):
        return now_us - micros(value, name, least=0)
    if isinstance(value, str):
        from tailrace._points import point_us  # noqa: PLC0415 - 5 ms that few need

        try:
            return point_us(value, now_us)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if not isinstance(value, Real):
        raise TypeError(f"{name}: a time as text, datetime or seconds, not {value!r:.80}")
    seconds = float(value)
    if not abs(seconds) <= _FURTHEST_S:
        raise ValueError(f"{name}: {value!r} is no number of seconds from 1684 to 2255")
    return round(seconds * 1e6)


_FURTHEST_S = 9 * 10**9
