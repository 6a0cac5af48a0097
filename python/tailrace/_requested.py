"""What a query reads of each line, checked against the format of a source when that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace._filters import ALL, LineFilter
from tailrace._names import check_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace import _core

__all__ = ["ANYTHING", "Requested"]


class Requested(NamedTuple):
    """Fields, a filter, whether a line without a time is rejected, and conditions to compute."""

    fields: tuple[str, ...] = ()
    line_filter: LineFilter = ALL
    needs_time: bool = False
    conditions: tuple[LineFilter, ...] = ()
    check_types: Callable[[str | _core.Format], object] | None = None
    """Raises a `ValueError` if a format has a field with a type that cannot be used."""

    @property
    def names(self) -> list[str]:
        """All fields that are read."""
        condition = self.line_filter.compiled(0)
        filtered = [] if condition is None else [name for name, _ in condition.fields]
        return list(dict.fromkeys([*self.fields, *filtered]))

    def check(self, log_format: str | _core.Format) -> None:
        """
        Check that lines of a format can have the fields.

        Raises:
            ValueError: They cannot, or the filter or the aggregates do not take their types.
        """
        check_fields(list(dict.fromkeys(self.fields)), log_format)
        for condition in (self.line_filter, *self.conditions):
            condition.check(log_format, self.fields)
        if self.check_types is not None:
            self.check_types(log_format)


ANYTHING = Requested()
"""Nothing that a line may lack."""
