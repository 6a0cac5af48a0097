"""Single values of NumPy, pandas, Arrow and the standard library, and times among them."""

from __future__ import annotations

import math
import operator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

__all__ = ["check_flag", "is_missing", "is_span", "plain", "span_us", "time_us"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)

# The range of times in the core.
_MAX_SECONDS = 9 * 10**9

# Years from 1970, one more than the core's times reach.
_MAX_YEARS = 286

# The units of NumPy's and Arrow's times and durations, in attoseconds, and a microsecond in them.
_UNITS = {
    "W": 604_800 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3_600 * 10**18,
    "m": 60 * 10**18,
    "s": 10**18,
    "ms": 10**15,
    "us": 10**12,
    "ns": 10**9,
    "ps": 10**6,
    "fs": 10**3,
    "as": 1,
}
_MICROSECOND = 10**12


def is_missing(value: Any) -> bool:  # noqa: ANN401 - of any library
    """Return whether it is None, `pd.NA` or `NaT`, but not NaN."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    # Only NaT is not equal to itself among them.
    return _numpy_kind(value) in ("M", "m") and bool(value != value)  # noqa: PLR0124


def _numpy_kind(value: Any) -> str | None:  # noqa: ANN401 - as above
    return getattr(getattr(value, "dtype", None), "kind", None)


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - as above; a case each
    """
    Return a value as the core takes it, or as it is if the core has no such type.

    Missing values are None, UUIDs text, dates midnight. A datetime may lack a time zone.

    Raises:
        ValueError: A time is out of range.

    >>> plain(date(1970, 1, 2))
    datetime.datetime(1970, 1, 2, 0, 0)
    """
    if is_missing(value):
        return None
    kind = _numpy_kind(value)
    if kind == "m":
        return value
    if isinstance(value, str | bytes | int | float | datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as it is
    if kind == "M":
        return _from_datetime64(value)
    if hasattr(value, "as_py"):
        return _from_arrow(value)
    if kind is not None and getattr(value, "ndim", None) == 0:
        return value.item()
    if type(value).__module__ == "uuid":
        return str(value)
    return _number(value)


def _number(value: Any) -> Any:  # noqa: ANN401 - as above
    """Return a number of another type as an integer or the nearest float."""
    if hasattr(value, "as_tuple") and value.as_tuple().exponent == 0:
        return int(value)
    if hasattr(value, "__index__"):
        return operator.index(value)
    return float(value) if hasattr(value, "__float__") and not hasattr(value, "ndim") else value


def _from_datetime64(value: Any) -> datetime:  # noqa: ANN401 - as above
    if abs(int(value.astype("datetime64[Y]").astype("int64"))) > _MAX_YEARS:
        raise ValueError(f"{value!s} is out of range (years 1684 to 2255)")
    micros = int(value.astype("datetime64[us]").astype("int64"))
    return _NAIVE_EPOCH + timedelta(microseconds=micros)


def _from_arrow(value: Any) -> Any:  # noqa: ANN401 - as above
    unit = getattr(value.type, "unit", None)
    count = getattr(value, "value", None)
    if str(value.type).startswith("timestamp") and unit in _UNITS and count is not None:
        # As a Python value it would need pandas for nanoseconds.
        epoch = _NAIVE_EPOCH if value.type.tz is None else _EPOCH
        return epoch + timedelta(microseconds=count * _UNITS[unit] // _MICROSECOND)
    return plain(value.as_py())


def is_span(value: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether it is a `timedelta64`."""
    return _numpy_kind(value) == "m"


def span_us(value: Any) -> int | None:  # noqa: ANN401 - as above
    """Return a `timedelta64` in microseconds, rounded down; None if it has no fixed length."""
    if is_missing(value):
        return None
    # "<m8[25s]"; a number without a unit has no brackets.
    unit = value.dtype.str.partition("[")[2].removesuffix("]")
    letters = unit.lstrip("0123456789")
    if letters not in _UNITS:
        return None
    steps = int(value.astype("int64")) * int(unit.removesuffix(letters) or 1)
    return steps * _UNITS[letters] // _MICROSECOND


def check_flag(flag: object, name: str) -> bool:
    """
    Return a flag.

    Raises:
        TypeError: It is not True or False.
    """
    if not isinstance(flag, bool):
        raise TypeError(f"{name}: expected True or False, found {flag!r:.80}")
    return flag


def time_us(value: Any, name: str, expected: str, zone: tzinfo | None = None) -> int:  # noqa: ANN401 - as above
    """
    Return a time in microseconds since the epoch, rounded down.

    Args:
        value: A datetime, a date, a `datetime64`, an Arrow timestamp, or seconds since the epoch.
        name: The name of the argument, for the message.
        expected: What the argument takes, for the message.
        zone: The time zone of a datetime without one, by default UTC.

    Raises:
        TypeError: It is not a time.
        ValueError: It is missing or out of range.
    """
    try:
        found = plain(value)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    if value is None:
        raise TypeError(f"{name}: expected {expected}, found None")
    if found is None or (isinstance(found, float) and math.isnan(found)):
        raise ValueError(f"{name}: expected {expected}, found {value!r:.80}, a missing value")
    if isinstance(found, datetime):
        aware = found.replace(tzinfo=zone or UTC) if found.tzinfo is None else found
        return (aware - _EPOCH) // timedelta(microseconds=1)
    if not isinstance(found, int | float):
        raise TypeError(f"{name}: expected {expected}, found {value!r:.80}")
    if not abs(found) <= _MAX_SECONDS:
        raise ValueError(
            f"{name}: {value!r} is out of range (years 1684 to 2255); numbers are seconds since "
            "the epoch"
        )
    numerator, denominator = found.as_integer_ratio()
    below = numerator * 10**6 // denominator
    # The float nearest to a whole number of microseconds is that number, as in the core.
    return below + 1 if (below + 1) / 10**6 == found else below
