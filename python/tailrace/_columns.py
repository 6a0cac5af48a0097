"""Columns of any library as the core takes them: lists, NumPy, pandas, polars and Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from tailrace import _core
from tailrace._format import Batch
from tailrace._scalars import plain
from tailrace._snapshot import Snapshot

__all__ = [
    "check_indexes",
    "columns",
    "core_column",
    "is_table",
    "reusable",
    "table_columns",
    "value",
]

# The kinds of NumPy's types that the core takes as integers and as floats.
_NUMBERS = {"i": "int64", "u": "int64", "b": "int64", "f": "float64"}

_MOST = 2**63 - 1

_STREAM = "__arrow_c_stream__"

# Years from 1970, one more than the core's times reach.
_MOST_YEARS = 286

# The types of values in lists that the core takes as they are.
_PLAIN = {str, bytes, int, float, bool, datetime, NoneType}


def is_table(given: Any) -> bool:  # noqa: ANN401 - of any library
    """
    Return whether it holds columns by name.

    Raises:
        TypeError: Its rows are not computed yet.
    """
    _check_computed(given)
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return True
    if isinstance(given, list):
        return bool(given) and isinstance(given[0], Mapping)
    return hasattr(given, "column_names") or isinstance(given, _core.Table | Batch | Snapshot)


def _check_computed(given: Any) -> None:  # noqa: ANN401 - as above
    for method in ("collect", "compute"):
        if hasattr(given, method) and not hasattr(given, "to_numpy"):
            raise TypeError(
                f"expected columns, found a {type(given).__name__}, whose rows are not computed "
                f"yet; call its {method}()"
            )


def streamed(given: Any) -> Any:  # noqa: ANN401 - as above
    """Return a table of which only the Arrow stream is known as one of pyarrow, if installed."""
    if is_table(given) or isinstance(given, list | tuple) or not hasattr(given, _STREAM):
        return given
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return given
    try:
        return pa.table(given)
    except (TypeError, ValueError):
        return given


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
    if not hasattr(given, "__iter__") or isinstance(given, set | frozenset):
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
        return _columns_of_rows(table, names, argument)
    if isinstance(table, Snapshot):
        return _columns_of_rows(table.rows, names, argument)
    if isinstance(table, Batch | _core.Table):
        return [table.select([name]) for name in names]
    known = getattr(table, "column_names", None) or getattr(table, "columns", None)
    known = table.keys() if isinstance(table, Mapping) else known
    for name in names:
        if known is not None and list(known).count(name) != 1:
            found = "no column" if name not in known else "more than one column"
            raise ValueError(f"{argument}: the table has {found} {name!r}")
    return [table[name] for name in names]


def _columns_of_rows(rows: list[Any], names: Sequence[str], argument: str) -> list[Any]:
    """Return the columns of dictionaries; a name that a row lacks is null there."""
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"{argument}: row {number}: expected a dictionary, found {row!r:.80}")
    for name in names:
        if not any(name in row for row in rows):
            known = ", ".join(dict.fromkeys(str(key) for row in rows for key in row))
            raise ValueError(f"{argument}: no row has {name!r}; they have {known:.200}")
    return [[row.get(name) for row in rows] for name in names]


def check_indexes(keys: Sequence[Any], values: Sequence[Any], times: Any) -> None:  # noqa: ANN401 - columns
    """
    Check that the pandas columns have one index, since columns are matched by position.

    Raises:
        ValueError: They do not.
    """
    named = [("keys", one) for one in keys] + [("values", one) for one in values]
    known: tuple[str, Any] | None = None
    for argument, column in [*named, ("times", times)]:
        index = getattr(column, "index", None)
        if not _is_pandas(column) or index is None:
            continue
        if known is None:
            known = argument, index
        # Columns of different lengths have an error of their own.
        elif len(index) == len(known[1]) and not index.equals(known[1]):
            raise ValueError(
                f"{argument}: expected the pandas index of the {known[0]}, found another, and "
                "columns are matched by position; align them first, or pass "
                ".reset_index(drop=True)"
            )


def reusable(values: Any, argument: str) -> Any:  # noqa: ANN401 - as above
    """
    Return an iterator as a list, since it can be read only once, and a column as it is.

    Raises:
        TypeError: It is a set, or its values are not computed yet.
    """
    _check_computed(values)
    if isinstance(values, set | frozenset):
        raise TypeError(
            f"{argument}: expected a column such as a list, found a {type(values).__name__}, which "
            "has no order; pass a list"
        )
    if hasattr(values, "iloc") and hasattr(values, "columns"):
        if len(values.columns) != 1:
            raise TypeError(
                f"{argument}: expected a column, found a table of {len(values.columns)} columns; "
                "pass one of them"
            )
        return values.iloc[:, 0]
    is_column = hasattr(values, "__getitem__") or hasattr(values, "__arrow_c_array__")
    is_column = is_column or hasattr(values, _STREAM)
    return list(values) if hasattr(values, "__iter__") and not is_column else values


def core_column(values: Any, argument: str) -> Any:  # noqa: ANN401 - as above
    """
    Return a column as the core takes it: a list, a buffer of numbers, or an Arrow array.

    Raises:
        TypeError: It is not a column.
        ValueError: A value is out of range, or the array has several dimensions.
    """
    is_arrow = hasattr(values, _STREAM) or hasattr(values, "__arrow_c_array__")
    is_none = isinstance(values, str | bytes | bytearray | Mapping)
    if is_none or not (is_arrow or hasattr(values, "__iter__")):
        raise TypeError(f"{argument}: expected a column such as a list, found {values!r:.80}")
    if _is_pandas(values):
        return _pandas_column(values, argument)
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind is not None and not is_arrow and not hasattr(values, "mask"):
        return _numpy_column(values, kind, argument)
    # What polars exports of these is memory addresses, and buffers that Arrow does not have.
    is_odd = is_arrow and str(getattr(values, "dtype", "")) in {"Object", "Null"}
    if is_arrow and not is_odd:
        return values
    for method in ("tolist", "to_pylist", "to_list"):
        convert = getattr(values, method, None)
        if convert is not None:
            return _plain_list(convert(), argument)
    return _plain_list(values, argument)


def _plain_list(values: Any, argument: str) -> list[Any]:  # noqa: ANN401 - as above
    found = list(values)
    if set(map(type, found)) <= _PLAIN:
        return found
    plain_values = []
    for row, one in enumerate(found):
        try:
            plain_values.append(plain(one))
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{argument}[{row}]: {error}") from None
    return plain_values


def _numpy_column(array: Any, kind: str, argument: str) -> Any:  # noqa: ANN401 - an array
    if array.ndim != 1:
        raise ValueError(f"{argument}: expected one dimension, found {array.ndim}")
    if kind == "M":
        years = array.astype("datetime64[Y]").astype("int64")
        # NaT is not equal to itself.
        if ((abs(years) > _MOST_YEARS) & (array == array)).any():  # noqa: PLR0124
            raise ValueError(f"{argument}: a time is out of range (years 1684 to 2255)")
        return (array.astype("datetime64[us]").astype("int64"),)
    is_large = kind == "u" and array.size and int(array.max()) > _MOST
    if kind not in _NUMBERS or not array.size or is_large:
        return _plain_list(array.tolist(), argument)
    return array.astype(_NUMBERS[kind])


def _is_pandas(values: Any) -> bool:  # noqa: ANN401 - as above
    # The Arrow interface of pandas needs pyarrow, which may not be installed.
    classes = type(values).__mro__ if hasattr(values, "isna") else ()
    return any(one.__module__.partition(".")[0] == "pandas" for one in classes)


def _pandas_column(values: Any, argument: str) -> Any:  # noqa: ANN401 - a series
    """Return a series as a column: missing values are null, NaN among them."""
    if type(values.dtype).__module__.partition(".")[0] != "numpy" or values.dtype.kind == "O":
        pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
        # Columns of nullable floats can hold NaN that is not `pd.NA`.
        found = [None if is_missing or one != one else one for one, is_missing in pairs]  # noqa: PLR0124
        return _plain_list(found, argument)
    column = _numpy_column(values.to_numpy(), values.dtype.kind, argument)
    if values.dtype.kind != "f" or not len(values):
        return column
    # In a tuple of floats the core takes NaN as null. A column of nothing else has no type.
    return [None] * len(column) if (column != column).all() else (column,)  # noqa: PLR0124


def value(column: Any, row: int) -> Any:  # noqa: ANN401 - as above
    """Return the value of a row as Python has it."""
    found = plain(column.iloc[row] if hasattr(column, "iloc") else column[row])
    if _is_pandas(column) and found != found:  # noqa: PLR0124 - NaN is not equal to itself
        return None
    is_naive = isinstance(found, datetime) and found.tzinfo is None
    return found.replace(tzinfo=UTC) if is_naive else found
