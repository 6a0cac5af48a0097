"""
The aggregates that a query or a window can compute for each key.

Each is exact or takes a bound for its error. Those of a field take its name; a `tailrace.Window`
whose values are one column needs no name. Null values are skipped everywhere.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

from tailrace._filters import LineFilter
from tailrace._public import Public
from tailrace._records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace._types import AggregateSpec, RankedBy

__all__ = [
    "Aggregate",
    "approx_count_distinct",
    "count",
    "count_distinct",
    "first",
    "last",
    "max",
    "mean",
    "min",
    "quantile",
    "rate",
    "ratio",
    "share",
    "std",
    "sum",
    "top_values",
    "var",
]

# Those that need no value.
_OF_EVENTS = {"count", "rate", "share"}

# The first columns of `Snapshot.to_dicts`.
_BOUNDS = {"start", "end"}

# The columns that `track_ranks` adds.
_RANKS = {"rank", "rank_change"}

# Those that have no order to rank rows by.
_LISTS = {"top_values"}


@record
class Aggregate(metaclass=Public):
    """
    An aggregate to compute for each key, as returned by `tailrace.sum` and similar functions.

    Attributes:
        function: The name of the function, such as `sum`.
        fields: The names of the fields from which it is computed.
        parameter: The quantile, or the number of top values; otherwise 0.
        error: The bound of its error; 0 if it is exact.
        where: The condition of a share of lines; otherwise None.

    >>> tr.sum("size")
    Aggregate(function='sum', fields=('size',), parameter=0.0, error=0.0, where=None)
    """

    __signature__ = "()"
    __slots__ = ("function", "fields", "parameter", "error", "where")  # noqa: RUF023 - as `__init__` has them

    function: str
    fields: tuple[str, ...]
    parameter: float
    error: float
    where: str | None

    def __init__(
        self,
        function: str,
        fields: tuple[str, ...] = (),
        parameter: float = 0.0,
        error: float = 0.0,
        where: str | None = None,
    ) -> None:
        values = (function, fields, parameter, error, where)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        """Return it as the call that makes it: `quantile('size', 0.99)`."""
        arguments = [repr(field) for field in self.fields]
        if self.function == "quantile":
            arguments.append(repr(self.parameter))
        elif self.function == "top_values":
            arguments.append(f"n={self.parameter:.0f}")
        elif self.where is not None:
            arguments.append(f"where={self.where!r}")
        return f"{self.function}({', '.join(arguments)})"

    @property
    def _condition(self) -> LineFilter:
        """Its condition, as the core takes it."""
        return LineFilter(self.where, what="share")


def count(field: str | None = None) -> Aggregate:
    """
    Count events, or the events that have a value in *field*. Exact.

    >>> window = tr.Window("60s", aggregates={"all": tr.count(), "some": tr.count("values")})
    >>> window.add(["a", "a"], [1, None], times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'all': 2, 'some': 1}]
    """
    return _of("count", field)


def sum(field: str | None = None) -> Aggregate:  # noqa: A001 - its name everywhere
    """
    Add up the values of *field*. Exact: integers stay integers, floats are rounded once at the end.

    The sum of floats equals `math.fsum` of the values in the window; values that leave the window
    leave no rounding error. The sum is null without values, and NaN while the window holds a NaN
    or infinities of both signs.

    >>> window = tr.Window("60s", aggregates={"sum": tr.sum()})
    >>> window.add(["a", "a", "a"], [0.1, 1e16, -1e16], times=[0, 1, 2])
    >>> window.snapshot().rows
    [{'key': 'a', 'sum': 0.1}]
    """
    return _of("sum", field)


def mean(field: str | None = None) -> Aggregate:
    """
    Average the values of *field*: the exact sum, rounded, divided by the number of values.

    >>> tr.from_files("access.log").agg(by="url", bytes=tr.mean("size"))
    <tailrace.Query of access.log: bytes=mean('size') by url, top 10>
    """
    return _of("mean", field)


def min(field: str | None = None) -> Aggregate:  # noqa: A001 - as above
    """
    Find the smallest number or earliest time in *field*. Exact; NaN is skipped.

    >>> tr.from_files("access.log").agg(by="url", smallest=tr.min("size"))
    <tailrace.Query of access.log: smallest=min('size') by url, top 10>
    """
    return _of("min", field)


def max(field: str | None = None) -> Aggregate:  # noqa: A001 - as above
    """
    Find the largest number or latest time in *field*. Exact; NaN is skipped.

    >>> tr.from_files("access.log").agg(by="url", largest=tr.max("size"))
    <tailrace.Query of access.log: largest=max('size') by url, top 10>
    """
    return _of("max", field)


def first(field: str | None = None) -> Aggregate:
    """
    Find the value of *field* in the earliest event; if several are as early, the smallest. Exact.

    >>> window = tr.Window("60s", aggregates={"first": tr.first()})
    >>> window.add(["a", "a"], ["up", "down"], times=[5, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'first': 'down'}]
    """
    return _of("first", field)


def last(field: str | None = None) -> Aggregate:
    """
    Find the value of *field* in the latest event; if several are as late, the largest. Exact.

    >>> tr.from_files("access.log").agg(by="url", status=tr.last("status"))
    <tailrace.Query of access.log: status=last('status') by url, top 10>
    """
    return _of("last", field)


def var(field: str | None = None) -> Aggregate:
    """
    Compute the sample variance of *field*. Exact, rounded once; null with fewer than two values.

    >>> tr.from_files("access.log").agg(by="url", var=tr.var("size"))
    <tailrace.Query of access.log: var('size') by url, top 10>
    """
    return _of("var", field)


def std(field: str | None = None) -> Aggregate:
    """
    Compute the sample standard deviation of *field*, the square root of `var`.

    >>> tr.from_files("access.log").agg(by="url", spread=tr.std("size"))
    <tailrace.Query of access.log: spread=std('size') by url, top 10>
    """
    return _of("std", field)


def count_distinct(field: str | None = None) -> Aggregate:
    """
    Count the distinct values of *field*. Exact.

    Memory grows with the number of distinct values; `approx_count_distinct` has a bound.

    >>> window = tr.Window("60s", aggregates={"users": tr.count_distinct()})
    >>> window.add(["a", "a", "a"], [1, 2, 1], times=[0, 1, 2])
    >>> window.snapshot().rows
    [{'key': 'a', 'users': 2}]
    """
    return _of("count_distinct", field)


def approx_count_distinct(field: str | None = None, *, error: float = 0.01625) -> Aggregate:
    """
    Estimate the number of distinct values of *field* with a HyperLogLog sketch of bounded size.

    *error* is the relative standard error, from 0.0041 to 0.26; the default takes at most 4,096
    registers per key.

    >>> tr.from_files("access.log").agg(by="url", clients=tr.approx_count_distinct("host"))
    <tailrace.Query of access.log: clients=approx_count_distinct('host') by url, top 10>
    """
    _check_error("approx_count_distinct", error, _HLL_ERRORS)
    return _of("approx_count_distinct", field, error=error)


def quantile(
    field: str | float | None = None, q: float | None = None, *, error: float = 0.01
) -> Aggregate:
    """
    Estimate a quantile of *field* with a DDSketch, to within a relative error.

    It is the value of rank q * n, rounded up, of the n sorted values, counted from 1 (the first for
    q = 0), to within the error and never outside the smallest and the largest value in the window.
    The first and the last rank are exact. NaN is skipped; q is the decimal as you write it.

    Args:
        field: The field. A window with one column of values needs none: `tr.quantile(0.99)`.
        q: Which quantile, from 0 (the smallest value) to 1 (the largest): 0.99 is the 99th
            percentile.
        error: The relative error, from 0.0001 to 0.5.

    Raises:
        TypeError: *q* is not a number.
        ValueError: *q* is missing or not from 0 to 1, or the error is out of range.

    >>> window = tr.Window("60s", aggregates={"p95": tr.quantile(0.95), "p100": tr.quantile(1)})
    >>> window.add(["a"] * 100, range(1, 101), times=[0] * 100)
    >>> row = window.snapshot().rows[0]
    >>> abs(row["p95"] - 95) <= 0.01 * 95, row["p100"]
    (True, 100.0)
    """
    if not isinstance(field, str) and q is None:
        field, q = None, field
    if q is None:
        call = "quantile(0.99)" if field is None else f"quantile({field!r:.80}, 0.99)"
        raise ValueError(f"quantile: expected q from 0 to 1, found none; pass it as in {call}")
    if isinstance(q, bool) or not isinstance(q, Real):
        raise TypeError(
            f"quantile: expected q as a number from 0 to 1, found {q!r:.80}; the field comes first"
        )
    if not 0 <= q <= 1:
        raise ValueError(f"quantile: expected q from 0 to 1, such as 0.99, found {q!r:.80}")
    _check_error("quantile", error, _QUANTILE_ERRORS)
    return _of("quantile", field, parameter=float(q), error=error)


def rate(field: str | None = None) -> Aggregate:
    """
    Compute the events per second, or the sum of *field* per second. Exact, rounded once.

    The sum is divided by the length of the window, even while the window is filling; without a
    window, and since the start, by the time from the oldest event to the newest.

    >>> window = tr.Window("60s", aggregates={"rate": tr.rate()})
    >>> window.add(["a"] * 30, times=[0] * 30)
    >>> window.snapshot().rows
    [{'key': 'a', 'rate': 0.5}]
    """
    return _of("rate", field)


def ratio(numerator: str, denominator: str) -> Aggregate:
    """
    Divide the sum of one field by the sum of another, over the events that have both.

    Both sums are exact. The ratio is null without such events, and if the denominator is 0.

    >>> window = tr.Window("60s", aggregates={"loss": tr.ratio("lost", "sent")})
    >>> window.add(["a", "a"], {"lost": [1, 0], "sent": [2, 2]}, times=[0, 1])
    >>> window.snapshot().rows
    [{'key': 'a', 'loss': 0.25}]
    """
    for name in (numerator, denominator):
        _check_name("ratio", name)
    return Aggregate("ratio", (numerator, denominator))


def share(field: str | None = None, *, where: str | None = None) -> Aggregate:
    """
    Compute the share of a key, from 0 to 1: of all lines, of a sum, or of its own lines.

    Without arguments it is the number of lines divided by that of all keys in the window; with
    *field*, the sum of the field divided by the sum over all keys. Both count every key, whichever
    rows are shown. Sums are exact, each rounded once before the division; the share is null without
    values, and if the sum of all is 0.

    Args:
        field: The field to add up.
        where: A condition, as for `Query.where`: the share of the key's own lines that match it.

    Raises:
        ValueError: The condition is invalid, or both a field and a condition are given.

    >>> window = tr.Window("60s", aggregates={"share": tr.share(), "of_sum": tr.share("values")})
    >>> window.add(["a", "b", "a", "a"], [1, 9, 1, 1], times=[0, 0, 0, 0])
    >>> window.snapshot().rows
    [{'key': 'a', 'share': 0.75, 'of_sum': 0.25}, {'key': 'b', 'share': 0.25, 'of_sum': 0.75}]
    >>> tr.from_files("access.log").agg(by="url", errors=tr.share(where="status >= 500"))
    <tailrace.Query of access.log: errors=share(where='status >= 500') by url, top 10>
    """
    if where is None:
        return _of("share", field)
    if field is not None:
        raise ValueError(
            f"share: expected a field or where, found both ({field!r:.80}, {where!r:.80})"
        )
    LineFilter(what="share").with_where(where)
    return Aggregate("share", where=where)


def top_values(field: str | None = None, n: int = 3) -> Aggregate:
    """
    Find the *n* most frequent values of *field*, each with its count; ties by value. Exact.

    >>> window = tr.Window("60s", aggregates={"status": tr.top_values(n=2)})
    >>> window.add(["a"] * 4, [200, 404, 200, 500], times=[0, 1, 2, 3])
    >>> window.snapshot().rows[0]["status"]
    [{'value': 200, 'count': 2}, {'value': 404, 'count': 1}]
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"top_values: n must be at least 1, found {n!r:.80}")
    return _of("top_values", field, parameter=float(n))


# Those that rank keys by their number of lines.
_AS_COUNTS = (Aggregate("count"), Aggregate("share"))

# Those of 16 and of 4 index bits.
_HLL_ERRORS = (0.0041, 0.26)

_QUANTILE_ERRORS = (0.0001, 0.5)


def _check_error(function: str, error: object, bounds: tuple[float, float]) -> None:
    least, most = bounds
    if not isinstance(error, int | float) or not least <= error <= most:
        raise ValueError(
            f"{function}: error must be between {least} and {most}, found {error!r:.80}"
        )


def _check_name(function: str, field: object) -> None:
    if not isinstance(field, str):
        raise TypeError(f"{function}: expected the name of a field, found {field!r:.80}")


def _of(function: str, field: object, parameter: float = 0.0, error: float = 0.0) -> Aggregate:
    if field is None:
        return Aggregate(function, (), parameter, error)
    _check_name(function, field)
    return Aggregate(function, (str(field),), parameter, error)


def aggregate_specs(
    aggregates: Mapping[str, Aggregate],
    by: Sequence[str],
    default: str | None = None,
    *,
    track_ranks: bool = False,
) -> list[AggregateSpec]:
    """
    Return aggregates as the core takes them.

    Args:
        aggregates: By their names in answers.
        by: The names of the key fields.
        default: The field of aggregates that name none, if there is one.
        track_ranks: Whether rows also have the columns `rank` and `rank_change`.

    Raises:
        ValueError: A name is taken by another column, or an aggregate needs a field.
    """
    found: list[AggregateSpec] = []
    for name, aggregate in aggregates.items():
        if track_ranks and name in _RANKS:
            raise ValueError(f"{name!r} is a column of track_ranks; rename the aggregate")
        if name in by:
            raise ValueError(f"{name!r} is also a field in by; give the aggregate another name")
        fields = list(aggregate.fields)
        if aggregate.where is not None:
            if default is not None:
                raise ValueError(
                    f"{name}: a window has no lines to which {aggregate} applies; add a column of "
                    f"1 and 0, and take its mean: tr.mean({name!r})"
                )
            found.append((name, "share_where", [aggregate.where], 0.0, 0.0))
            continue
        if not fields and aggregate.function not in _OF_EVENTS:
            if default is None:
                rest = f", {aggregate.parameter}" if aggregate.function == "quantile" else ""
                example = f"tr.{aggregate.function}('size'{rest})"
                raise ValueError(f"{name}: {aggregate.function} needs a field, such as {example}")
            fields = [default]
        found.append((name, aggregate.function, fields, aggregate.parameter, aggregate.error))
    return found


def check_aggregates(aggregates: Mapping[str, Aggregate]) -> dict[str, Aggregate]:
    """
    Return aggregates by name.

    Raises:
        TypeError: A value is not an aggregate, or there are no names.
        ValueError: There are none, or a name is that of another column.
    """
    if not hasattr(aggregates, "items"):
        raise TypeError(
            f"aggregates: expected a mapping such as {{'n': tr.count()}}, found {aggregates!r:.80}"
        )
    found = dict(aggregates)
    if not found:
        raise ValueError(
            "aggregates: expected at least one, such as {'hits': tr.count()}, found none"
        )
    for name, aggregate in found.items():
        if not isinstance(name, str):
            raise TypeError(f"aggregates: expected names of type str, found {name!r:.80}")
        if not isinstance(aggregate, Aggregate):
            raise TypeError(
                f"{name}: expected an aggregate such as tr.sum('size'), found {aggregate!r:.80}"
            )
        if name in _BOUNDS:
            raise ValueError(f"{name!r} is a bound of the window; rename the aggregate")
    return found


def key_fields(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """
    Return the names of the key fields.

    Raises:
        TypeError: A name is not text.
        ValueError: A name is repeated.
    """
    keys = () if by is None else (by,) if isinstance(by, str) else by
    if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
        raise TypeError(f"by: expected the name of a field or a list of names, found {by!r:.80}")
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"by: the field {key!r} is repeated; name it once")
    return tuple(keys)


def has_order(aggregate: Aggregate) -> bool:
    """Report whether rows can be ranked by it."""
    return aggregate.function not in _LISTS


def ranked_by(
    order_by: str | None, aggregates: Mapping[str, Aggregate], by: Sequence[str]
) -> RankedBy | None:
    """
    Return what rows are ranked by: an aggregate or a key field; None is the count of events.

    Raises:
        TypeError: It is not a name.
        ValueError: There is neither an aggregate nor a key field of this name, or it has no order.
    """
    ranking = [name for name, one in aggregates.items() if has_order(one)]
    if order_by is None:
        if not ranking:
            return None
        order_by = ranking[0]
    elif not isinstance(order_by, str):
        raise TypeError(
            f"order_by: expected the name of an aggregate or a key field, found {order_by!r:.80}"
        )
    elif order_by in by:
        return "key", list(by).index(order_by)
    elif order_by not in ranking:
        expected = f"expected one of {', '.join([*ranking, *by])}"
        expected = (
            expected if ranking or by else "add an aggregate that has an order, such as tr.count()"
        )
        if order_by in aggregates:
            function = aggregates[order_by].function
            raise ValueError(f"order_by: cannot rank by {order_by!r} ({function}); {expected}")
        raise ValueError(
            f"order_by: no aggregate or key field is called {order_by!r:.80}; {expected}"
        )
    if aggregates[order_by] in _AS_COUNTS:
        return None
    return "aggregate", list(aggregates).index(order_by)
