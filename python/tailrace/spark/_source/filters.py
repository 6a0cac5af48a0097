"""Filters of Spark as conditions of the core, where both mean exactly the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import datasource as spark

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["push"]

_COMPARISONS = {
    "EqualTo": "==",
    "EqualNullSafe": "==",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
}
_TEXT = {
    "StringStartsWith": "startswith",
    "StringEndsWith": "endswith",
    "StringContains": "contains",
}

_LEAST, _MOST = -(2**63), 2**63 - 1


class _Pushed(NamedTuple):
    """A condition, and whether it is true of a row of nulls, as a rejected line has."""

    text: str
    takes_nulls: bool = False


def push(plan: dict[str, Any], filters: Sequence[spark.Filter]) -> list[spark.Filter]:
    """Put the filters that the core can apply into a plan, and return the others."""
    pushed = []
    others = []
    for one in filters:
        found = _condition(one, plan["kinds"])
        if found is None or not all(_applies(found.text, spec) for spec in plan["plain"]):
            others.append(one)
        else:
            pushed.append(found)
    plan["pushed"] = [one.text for one in pushed]
    plan["keeps"] &= all(one.takes_nulls for one in pushed)
    return others


def _applies(text: str, spec: str) -> bool:
    log_format = _core.Format(spec)
    if log_format.has_header:
        # Its columns, and so the types of values, are known only where its lines are read.
        return False
    try:
        _core.Filter(text).check(log_format)
    except ValueError:
        return False
    return True


def _condition(one: spark.Filter, kinds: Mapping[str, str]) -> _Pushed | None:
    """Return the condition of a filter, if the core has it."""
    is_negated = isinstance(one, spark.Not)
    inner: Any = one.child if isinstance(one, spark.Not) else one
    path: Any = getattr(inner, "attribute", ())
    name = path[0] if len(path) == 1 else ""
    kind = kinds.get(name)
    # In a column of any type, text and numbers compare in another way.
    if kind is None or kind == "any" or "`" in name:
        return None
    field = f"`{name}`"
    if isinstance(inner, spark.IsNull | spark.IsNotNull):
        is_null = isinstance(inner, spark.IsNull) != is_negated
        return _Pushed(f"{field} == null" if is_null else f"{field} != null", takes_nulls=is_null)
    if isinstance(inner, spark.EqualNullSafe):
        return _null_safe(field, inner.value, kind, is_negated=is_negated)
    text = _comparison(field, inner, kind, is_negated=is_negated)
    if text is None:
        return None
    # Of a null Spark's comparison is neither true nor false, and the core's is false.
    return _Pushed(f"{field} != null and not ({text})" if is_negated else text)


def _null_safe(field: str, value: object, kind: str, *, is_negated: bool) -> _Pushed | None:
    sign = "!=" if is_negated else "=="
    if value is None:
        return _Pushed(f"{field} {sign} null", takes_nulls=not is_negated)
    literal = _literal(value, kind)
    return None if literal is None else _Pushed(f"{field} {sign} {literal}", takes_nulls=is_negated)


def _comparison(field: str, one: Any, kind: str, *, is_negated: bool) -> str | None:  # noqa: ANN401
    name = type(one).__name__
    if isinstance(one, spark.In):
        values = [value for value in one.value if value is not None]
        # Whether a value is not in a list with a null is never known.
        if not values or (is_negated and len(values) < len(one.value)):
            return None
        literals = [_literal(value, kind) for value in values]
        return None if None in literals else f"{field} in ({', '.join(map(str, literals))})"
    literal = _literal(getattr(one, "value", None), kind)
    if literal is None:
        return None
    if name in _TEXT and kind == "text":
        return f"{field} {_TEXT[name]} {literal}"
    # Text is ordered by its bytes, which are not those of the column where they are not UTF-8.
    if name in _COMPARISONS and (kind != "text" or name == "EqualTo"):
        return f"{field} {_COMPARISONS[name]} {literal}"
    return None


def _literal(value: object, kind: str) -> str | None:
    """Return a value as conditions write it, if it has exactly the type of the column."""
    if kind == "text" and isinstance(value, str):
        # A replacement character in a column may replace other bytes.
        if "\ufffd" in value or not _is_utf8(value):
            return None
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if kind == "int" and type(value) is int and _LEAST <= value <= _MOST:
        return str(value)
    if kind == "float" and type(value) is float and value - value == 0:
        return repr(value)
    if kind == "time" and isinstance(value, datetime) and value.tzinfo is not None:
        return f'"{value.astimezone(UTC).isoformat(timespec="microseconds")}"'
    return None


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
