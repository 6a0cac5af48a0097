"""
What is computed for each key: the functions that say so.

Each is exact or says how far it may be off. Those of a field take its name; a `tr.Window` whose
values are one column needs none. Null values are left out everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace._types import Ask

__all__ = [
    "Aggregate",
    "approx_distinct",
    "count",
    "distinct",
    "first",
    "last",
    "max",
    "mean",
    "min",
    "quantile",
    "rate",
    "ratio",
    "std",
    "sum",
    "top_values",
    "var",
]

# What can be asked of events that have no value.
_OF_EVENTS = {"count", "rate"}

# What rows of `Snapshot.to_dicts` begin with.
_BOUNDS = {"start", "end"}

# What says how keys moved.
_CHANGES = {"rank", "rank_change"}

# What no rows can be ranked by.
_LISTS = {"top_values"}


class Aggregate(NamedTuple):
    """What is computed for each key; made by the functions of this module, such as `tr.sum`."""

    what: str
    """Which it is."""

    fields: tuple[str, ...] = ()
    """Whose values it takes."""

    number: float = 0.0
    """Which quantile, or how many values."""

    error: float = 0.0
    """How far it may be off."""


def count(field: str | None = None) -> Aggregate:
    """
    Count events, or those that have a value in a field. Exact.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"all": tr.count(), "some": tr.count("values")})
    >>> window.add(["a", "a"], [1, None], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'all': 2, 'some': 1}]
    """
    return _of("count", field)


def sum(field: str | None = None) -> Aggregate:  # noqa: A001 - its name everywhere
    """
    Add values. Exact: whole numbers as such, floats as `math.fsum` adds them, whatever left before.

    Null where there is no value; not a number while a NaN, or infinities of both signs, are there.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"sum": tr.sum()})
    >>> window.add(["a", "a", "a"], [0.1, 1e16, -1e16], times=[0, 1, 2])
    >>> window.snapshot().rows
    [{'key': 'a', 'sum': 0.1}]
    """
    return _of("sum", field)


def mean(field: str | None = None) -> Aggregate:
    """
    Average values: the exact sum, rounded, over their number.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"mean": tr.mean()})
    >>> window.add(["a", "a"], [1, 2], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'mean': 1.5}]
    """
    return _of("mean", field)


def min(field: str | None = None) -> Aggregate:  # noqa: A001 - as above
    """
    Find the least number or time. Exact; NaN is left out.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"min": tr.min()})
    >>> window.add(["a", "a"], [1, 2], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'min': 1}]
    """
    return _of("min", field)


def max(field: str | None = None) -> Aggregate:  # noqa: A001 - as above
    """
    Find the greatest number or time. Exact; NaN is left out.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"max": tr.max()})
    >>> window.add(["a", "a"], [1, 2], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'max': 2}]
    """
    return _of("max", field)


def first(field: str | None = None) -> Aggregate:
    """
    Find the value of the earliest event; of several at one time the least. Exact.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"first": tr.first()})
    >>> window.add(["a", "a"], ["up", "down"], times=[5, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'first': 'down'}]
    """
    return _of("first", field)


def last(field: str | None = None) -> Aggregate:
    """
    Find the value of the latest event; of several at one time the greatest. Exact.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"last": tr.last()})
    >>> window.add(["a", "a"], ["up", "down"], times=[5, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'last': 'up'}]
    """
    return _of("last", field)


def var(field: str | None = None) -> Aggregate:
    """
    Find the variance of the sample: the exact one, rounded once. Null below two values.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"var": tr.var()})
    >>> window.add(["a", "a"], [1, 2], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'var': 0.5}]
    """
    return _of("var", field)


def std(field: str | None = None) -> Aggregate:
    """
    Find the standard deviation of the sample: the root of the variance. Null below two values.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"std": tr.std()})
    >>> window.add(["a", "a"], [1, 3], times=[0, 1])
    >>> round(window.snapshot().rows[0]["std"], 3)
    1.414
    """
    return _of("std", field)


def distinct(field: str | None = None) -> Aggregate:
    """
    Count different values. Exact, and so holds all of them; see `approx_distinct`.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"distinct": tr.distinct()})
    >>> window.add(["a", "a", "a"], [1, 2, 1], times=[0, 1, 2])
    >>> window.snapshot().rows
    [{'key': 'a', 'distinct': 2}]
    """
    return _of("count_distinct", field)


def approx_distinct(field: str | None = None, *, error: float = 0.01625) -> Aggregate:
    """
    Count different values by a HyperLogLog sketch of bounded size.

    Args:
        field: Whose values.
        error: The relative standard error; 0.01625 takes 4,096 registers a key at most.

    Raises:
        ValueError: The error is not from 0.0041 to 0.26.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"users": tr.approx_distinct()})
    >>> window.add(["a", "a", "a"], [1, 2, 1], times=[0, 1, 2])
    >>> window.snapshot().rows
    [{'key': 'a', 'users': 2}]
    """
    if not isinstance(error, int | float) or not _LEAST_HLL_ERROR <= error <= _MOST_HLL_ERROR:
        raise ValueError(
            f"approx_distinct: an error of {error!r} is not to be had; take one from "
            f"{_LEAST_HLL_ERROR} to {_MOST_HLL_ERROR}"
        )
    return _of("approx_count_distinct", field, error=error)


def quantile(
    field: str | float | None = None, q: float | None = None, *, error: float = 0.01
) -> Aggregate:
    """
    Find a quantile by a DDSketch: a value that is off by no more than a share of itself.

    Args:
        field: Whose values; may be left out before *q* where a window has one column of them.
        q: Which, from 0 (the least) to 1 (the greatest): 0.99 is the 99th percentile.
        error: How large that share may be.

    Raises:
        ValueError: *q* is not from 0 to 1, or the error is not from 0.0001 to 0.5.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"p95": tr.quantile(0.95)})
    >>> window.add(["a"] * 100, range(100), times=[0] * 100)
    >>> abs(window.snapshot().rows[0]["p95"] - 94) <= 0.01 * 94
    True
    """
    if not isinstance(field, str) and q is None:
        field, q = None, field
    if isinstance(q, bool) or not isinstance(q, int | float) or not 0 <= q <= 1:
        raise ValueError(f"quantile: {q!r} is not from 0 to 1; the 99th percentile is 0.99")
    if (
        not isinstance(error, int | float)
        or not _LEAST_QUANTILE_ERROR <= error <= _MOST_QUANTILE_ERROR
    ):
        raise ValueError(
            f"quantile: an error of {error!r} is not to be had; take one from "
            f"{_LEAST_QUANTILE_ERROR} to {_MOST_QUANTILE_ERROR}"
        )
    return _of("quantile", field, number=float(q), error=error)


def rate(field: str | None = None) -> Aggregate:
    """
    Find how many events a second there are, or the sum of a field's values a second.

    It is over the length of the window, also while that has not filled; without a window, and since
    the start, over the time that there was. Exact, rounded once.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"rate": tr.rate()})
    >>> window.add(["a"] * 30, times=[0] * 30)
    >>> window.snapshot().rows
    [{'key': 'a', 'rate': 0.5}]
    """
    return _of("rate", field)


def ratio(numerator: str, denominator: str) -> Aggregate:
    """
    Divide the sum of one field by that of another, over events that have both. Exact sums.

    Null where there are none, or the second sum is zero.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"loss": tr.ratio("lost", "sent")})
    >>> window.add(["a", "a"], {"lost": [1, 0], "sent": [2, 2]}, times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'loss': 0.25}]
    """
    for name in (numerator, denominator):
        if not isinstance(name, str):
            raise TypeError(f"ratio: the name of a field, not {name!r:.80}")
    return Aggregate("ratio", (numerator, denominator))


def top_values(field: str | None = None, n: int = 3) -> Aggregate:
    """
    Find the *n* most frequent values of a field, each with its count; ties by value. Exact.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", aggregates={"status": tr.top_values(n=2)})
    >>> window.add(["a"] * 4, [200, 404, 200, 500], times=[0, 1, 2, 3])
    >>> window.snapshot().rows[0]["status"]
    [{'value': 200, 'count': 2}, {'value': 404, 'count': 1}]
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"top_values: {n!r} values; ask for at least one")
    return _of("top_values", field, number=float(n))


# Of 16 and of 4 bits for the number of a register.
_LEAST_HLL_ERROR = 0.0041
_MOST_HLL_ERROR = 0.26

_LEAST_QUANTILE_ERROR = 0.0001
_MOST_QUANTILE_ERROR = 0.5


def _of(what: str, field: object, number: float = 0.0, error: float = 0.0) -> Aggregate:
    if field is not None and not isinstance(field, str):
        raise TypeError(f"{what}: the name of a field, not {field!r:.80}")
    return Aggregate(what, () if field is None else (field,), number, error)


def asks(
    aggregates: Mapping[str, Aggregate],
    by: Sequence[str],
    default: str | None = None,
    *,
    changes: bool = False,
) -> list[Ask]:
    """
    Return aggregates as the core takes them.

    Args:
        aggregates: By the names that they have in answers.
        by: The names of the key's fields.
        default: The field of those that name none, if there is such a field.
        changes: Whether answers have `rank` and `rank_change` besides.

    Raises:
        ValueError: A name is that of a field of the key, or one names no field and needs to.
    """
    found: list[Ask] = []
    for name, aggregate in aggregates.items():
        if changes and name in _CHANGES:
            raise ValueError(f"{name!r} says how a key moved; give the aggregate another name")
        if name in by:
            raise ValueError(f"{name!r} is a field of the key; give the aggregate another name")
        fields = list(aggregate.fields)
        if not fields and aggregate.what not in _OF_EVENTS:
            if default is None:
                raise ValueError(
                    f"{name}: say of which field, for instance tr.{aggregate.what}('size')"
                )
            fields = [default]
        found.append((name, aggregate.what, fields, aggregate.number, aggregate.error))
    return found


def checked_aggregates(aggregates: Mapping[str, Aggregate]) -> dict[str, Aggregate]:
    """
    Return aggregates by name.

    Raises:
        TypeError: They are none, or have no names.
        ValueError: There are none, or one has a name that means something else in answers.
    """
    if not hasattr(aggregates, "items"):
        raise TypeError(f"aggregates: by name, such as {{'n': tr.count()}}, not {aggregates!r:.80}")
    found = dict(aggregates)
    if not found:
        raise ValueError("nothing to compute: say what, for instance hits=tr.count()")
    for name, aggregate in found.items():
        if not isinstance(name, str):
            raise TypeError(f"aggregates: {name!r:.80} is no name; names are text")
        if not isinstance(aggregate, Aggregate):
            example = f"{name}=tr.sum('size')"
            raise TypeError(f"{name}: no aggregate, such as {example}, but {aggregate!r:.80}")
        if name in _BOUNDS:
            raise ValueError(f"{name!r} is a bound of windows; give the aggregate another name")
    return found


def keys_of(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """
    Return the names of the fields of keys.

    Raises:
        TypeError: They are no names.
        ValueError: One is there twice.
    """
    keys = () if by is None else (by,) if isinstance(by, str) else by
    if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
        raise TypeError(f"by: the name of a field, such as 'url', or several, not {by!r:.80}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"by: {', '.join(keys)}: a field is there twice")
    return tuple(keys)


def place_of(order: str | None, aggregates: Mapping[str, Aggregate]) -> int | None:
    """
    Return by which aggregate rows are ranked, by its place; None is by the count of events.

    Raises:
        ValueError: There is none of this name, or no rows can be ranked by it.
    """
    ranking = [name for name, aggregate in aggregates.items() if aggregate.what not in _LISTS]
    if order is None:
        if not ranking:
            return None
        order = ranking[0]
    elif order not in ranking:
        names = ", ".join(ranking) or "none there"
        mend = f"take one of the aggregates, {names}; they are said before the order"
        raise ValueError(f"ranked by {order!r}: {mend}")
    if aggregates[order] == Aggregate("count"):
        return None
    return list(aggregates).index(order)
