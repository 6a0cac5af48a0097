"""How the columns of a snapshot are computed, and which of them is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace._types import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace._aggregates import Aggregate
    from tailrace._types import RankedBy

__all__ = ["layout_of"]

# The functions whose values are lists.
_LISTS = {"top_values"}


def layout_of(
    by: tuple[str, ...], aggregates: Mapping[str, Aggregate], ranking: RankedBy | None
) -> Layout:
    """
    Return the layout of the rows of a query.

    Args:
        by: The names of the key fields.
        aggregates: The aggregates by the names of their columns.
        ranking: What the rows are ranked by; None is the count of events.
    """
    functions = {name: (one.function, one.fields) for name, one in aggregates.items()}
    names = list(aggregates)
    if ranking is None:
        names = [name for name, one in functions.items() if one == ("count", ())]
    elif ranking[0] == "aggregate":
        names = [names[ranking[1]]]
    else:
        names = [name for name, (function, _) in functions.items() if function not in _LISTS]
    return Layout(by, functions, names[0] if names else None)
