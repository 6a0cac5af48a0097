"""Columns of any library as the core takes them: lists, NumPy, pandas, polars and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tailrace import _core
from tailrace._format import Batch

__all__ = ["columns", "core_column", "core_times", "is_table", "reusable", "table_columns", "value"]

# The kinds of NumPy's types that the core takes as integers and as floats.
_NUMBERS = {"i": "int64", "u": "int64", "b": "int64", "f": "float64"}

_MOST = 2**63 - 1

# Years from 1970, one more than the core's times reach.
_MOST_YEARS = 286


def is_table(given: Any) -> bool:  # noqa: ANN401 - of any library
    """Return whether it holds columns by name."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return True
    if isinstance(given, list):
        return bool(given) and isinstance(given[0], Mapping)
    return hasattr(given, "column_names") or isinstance(given, _core.Table | Batch)


def columns(given: Any, names: Sequence[str], argument: str) -> list[Any]:  # noqa: ANN401 - as above
    """
    Return a column for each name, from a table, or from columns or rows in the order of *names*.

    Raises:
        TypeError: It is neither a table nor a collection.
        ValueError: There are not as many columns as names.
    """
    if is_table(given):
        return table_columns(given, names, argument)
    if len(names) == 1:
        return [given]
    if not hasattr(given, "__iter__"):
        raise TypeError(f"{argument}: expected {len(names)} columns, found {given!r:.80}")
    given = given if isinstance(given, list | tuple) else list(given)
    if given and all(isinstance(row, tuple) and len(row) == len(names) for row in given):
        return [list(column) for column in zip(*given, strict=True)]
    # A list of as many texts as there are names is one column.
    if len(given) == len(names) and not any(_is_plain(column) for column in given):
        return list(given)
    raise ValueError(
        f"{argument}: expected {len(names)} columns ({', '.join(names)}) as a table, a list of "
        "columns or a list of tuples"
    )


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(value, str | bytes | int | float | tuple | None)


def table_columns(table: Any, names: Sequence[str], argument: str) -> list[Any]:  # noqa: ANN401 - as above
    """
    Return the columns of a table by name.

    Raises:
        TypeError: It is not a table.
        ValueError: A column is missing, or there is more than one of the name.
    """
    if not is_table(table):
        raise TypeError(f"{argument}: {names[0]!r} is the name of a column; pass a table as keys")
    if isinstance(table, list):
        for number, row in enumerate(table):
            missing = [name for name in names if not isinstance(row, Mapping) or name not in row]
            if missing:
                raise ValueError(f"{argument}: row {number} has no {missing[0]!r}")
        return [[row[name] for row in table] for name in names]
    if isinstance(table, Batch | _core.Table):
        return [table.select([name]) for name in names]
    known = getattr(table, "column_names", None) or getattr(table, "columns", None)
    known = table.keys() if isinstance(table, Mapping) else known
    for name in names:
        if known is not None and list(known).count(name) != 1:
            found = "no column" if name not in known else "more than one column"
            raise ValueError(f"{argument}: the table has {found} {name!r}")
    return [table[name] for name in names]


def reusable(values: Any) -> Any:  # noqa: ANN401 - as above
    """Return an iterator as a list, since it can be read only once, and a column as it is."""
    is_column = hasattr(values, "__getitem__") or hasattr(values, "__arrow_c_array__")
    is_column = is_column or hasattr(values, "__arrow_c_stream__")
    return list(values) if hasattr(values, "__iter__") and not is_column else values


def core_column(values: Any, argument: str) -> Any:  # noqa: ANN401 - as above
    """
    Return a column as the core takes it: a list, a buffer of numbers, or an Arrow array.

    Raises:
        TypeError: It is not a column.
        ValueError: A value is out of range, or the array has several dimensions.
    """
    is_arrow = hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")
    if isinstance(values, str | bytes) or not (is_arrow or hasattr(values, "__iter__")):
        raise TypeError(f"{argument}: expected a column such as a list, found {values!r:.80}")
    if _is_pandas(values):
        return _pandas_column(values, argument)
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind is not None and not is_arrow and not hasattr(values, "mask"):
        return _numpy_column(values, kind, argument)
    if is_arrow:
        return values
    for method in ("tolist", "to_pylist", "to_list"):
        convert = getattr(values, method, None)
        if convert is not None:
            return list(convert())
    return list(values)


def _numpy_column(array: Any, kind: str, argument: str) -> Any:  # noqa: ANN401 - an array
    if array.ndim != 1:
        raise ValueError(f"{argument}: expected one dimension, found {array.ndim}")
    if kind == "M":
        years = array.astype("datetime64[Y]").astype("int64")
        # NaT is not equal to itself.
        if ((abs(years) > _MOST_YEARS) & (array == array)).any():  # noqa: PLR0124
            raise ValueError(f"{argument}: a time is out of range (years 1684 to 2255)")
        return (array.astype("datetime64[us]").astype("int64"),)
    if kind not in _NUMBERS or not array.size:
        return array.tolist()
    if kind == "u" and int(array.max()) > _MOST:
        raise ValueError(f"{argument}: a number is out of range (64 bits)")
    return array.astype(_NUMBERS[kind])


def _is_pandas(values: Any) -> bool:  # noqa: ANN401 - as above
    # The Arrow interface of pandas needs pyarrow, which may not be installed.
    return type(values).__module__.partition(".")[0] == "pandas" and hasattr(values, "isna")


def _pandas_column(values: Any, argument: str) -> Any:  # noqa: ANN401 - a series
    """Return a series as a column: missing values are null, but NaN among floats is NaN."""
    if type(values.dtype).__module__.partition(".")[0] == "numpy" and values.dtype.kind != "O":
        return _numpy_column(values.to_numpy(), values.dtype.kind, argument)
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
    return [None if is_missing else value for value, is_missing in pairs]


def value(column: Any, row: int) -> Any:  # noqa: ANN401 - as above
    """Return the value of a row as Python has it."""
    found = column.iloc[row] if hasattr(column, "iloc") else column[row]
    if getattr(getattr(found, "dtype", None), "kind", None) == "M":
        return found.astype("datetime64[us]").item().replace(tzinfo=UTC)
    for method in ("as_py", "item"):
        convert = getattr(found, method, None)
        if convert is not None:
            return convert()
    return found


def core_times(times: Any) -> Any:  # noqa: ANN401 - as above
    """
    Return a column of times as the core takes it.

    Raises:
        TypeError: It is not a column.
        ValueError: A time is out of range.
    """
    found = core_column(times, "times")
    if isinstance(found, list) and not isinstance(times, list | tuple):
        # A column of a library holds times without a zone in UTC.
        found = [
            one.replace(tzinfo=UTC) if isinstance(one, datetime) and one.tzinfo is None else one
            for one in found
        ]
    return found
