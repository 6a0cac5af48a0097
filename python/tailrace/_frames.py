"""Tables of the core as those of pyarrow, polars and pandas, which are optional."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace._types import ArrowStream

__all__ = ["Bounds", "arrow_table", "pandas_frame", "polars_frame"]

# The start and the end of the window of all rows, or None for no such columns.
Bounds = tuple["datetime | None", "datetime | None"] | None

_NAMES = ("start", "end")


def _needed(module: str, method: str, extra: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(module)
    except ImportError:
        raise ImportError(
            f"{method}: needs {module}: pip install 'tailrace[{extra}]'", name=module
        ) from None


def arrow_table(
    table: ArrowStream,
    bounds: Bounds = None,
    *,
    method: str = "to_arrow",
    extra: str = "arrow",
) -> Any:  # noqa: ANN401 - a table of a library that may not be there
    """
    Return a `pyarrow.Table`; *method* is the one that a user calls, *extra* what it needs.

    Raises:
        ImportError: pyarrow is not installed.
    """
    pa = _needed("pyarrow", method, extra)
    found = pa.table(table)
    for place, (name, bound) in enumerate(zip(_NAMES, bounds or (), strict=False)):
        column = pa.array([bound] * len(found), pa.timestamp("us", "UTC"))
        found = found.add_column(place, name, column)
    return found


def polars_frame(table: ArrowStream, bounds: Bounds = None) -> Any:  # noqa: ANN401 - as above
    """
    Return a `polars.DataFrame`.

    Raises:
        ImportError: polars is not installed.
    """
    pl = _needed("polars", "to_polars", "polars")
    found = pl.DataFrame(table)
    for place, (name, bound) in enumerate(zip(_NAMES, bounds or (), strict=False)):
        column = pl.Series(name, [bound] * len(found), dtype=pl.Datetime("us", "UTC"))
        found.insert_column(place, column)
    return found


def pandas_frame(table: ArrowStream, bounds: Bounds = None) -> Any:  # noqa: ANN401 - as above
    """
    Return a `pandas.DataFrame`; integers stay integers, also next to missing values.

    Raises:
        ImportError: pandas or pyarrow is not installed.
    """
    pd = _needed("pandas", "to_pandas", "pandas")
    found = arrow_table(table, bounds, method="to_pandas", extra="pandas")
    pa = import_module("pyarrow")
    frame = found.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    for field in found.schema:
        column = found[field.name]
        if pa.types.is_int64(field.type) and not column.null_count:
            frame[field.name] = frame[field.name].astype("int64")
        elif pa.types.is_decimal(field.type):
            # Integers of more than 64 bits.
            numbers = [None if value is None else int(value) for value in column.to_pylist()]
            frame[field.name] = pd.Series(numbers, index=frame.index, dtype=object)
    return frame
