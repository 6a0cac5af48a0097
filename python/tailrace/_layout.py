"""How the columns of a snapshot are computed, and which of them is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace._durations import micros
from tailrace._types import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace._aggregates import Aggregate
    from tailrace._types import RankedBy

__all__ = ["layout_of"]

# Those that rank keys by their number of events.
_COUNTS = (("count", ()), ("share", ()))

# The functions whose values are lists.
_LISTS = {"top_values"}


def layout_of(
    by: tuple[str, ...],
    aggregates: Mapping[str, Aggregate],
    ranking: RankedBy | None,
    *,
    ascending: bool = False,
) -> Layout:
    """
    Return the layout of the rows of a query.

    Args:
        by: The names of the key fields.
        aggregates: The aggregates by the names of their columns.
        ranking: What the rows are ranked by; None is the count of events.
        ascending: Whether the smallest comes first.
    """
    functions = {
        name: ("share_where" if one.where is not None else one.function, one.fields)
        for name, one in aggregates.items()
    }
    names = list(aggregates)
    if ranking is None:
        names = [name for name, one in functions.items() if one in _COUNTS]
    elif ranking[0] == "aggregate":
        names = [names[ranking[1]]]
    else:
        names = [name for name, (function, _) in functions.items() if function not in _LISTS]
    intervals = {name: length for name in by if (length := _interval_us(name))}
    is_over_time = ranking == ("key", 0) and ascending and len(by) == len(intervals) == 1
    drawn = names[0] if names else None
    return Layout(by, functions, drawn, intervals=intervals, is_over_time=is_over_time)


def _interval_us(name: str) -> int:
    """Return the length of the intervals that a field such as `time:1h` has, or 0."""
    try:
        return micros(name.rpartition(":")[2], name) if ":" in name else 0
    except ValueError:
        return 0
