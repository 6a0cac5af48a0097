"""
The columns of panes: their types, and what their metadata records of how they were made.

The metadata of `pane` holds the width of the panes and the names of counts, that of an aggregate
the aggregate and the type of its result. Spark keeps it through filters, joins and Parquet files;
where it is lost, the checks of the core remain, because each partial holds what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812 - its name everywhere
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
    _parse_datatype_json_string,
)

from tailrace._aggregates import Aggregate
from tailrace._durations import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import Column, DataFrame

    from tailrace._types import AggregateSpec

__all__ = [
    "PANE",
    "aggregate_of",
    "arrow_type",
    "check_names",
    "check_type",
    "column_of",
    "counts_of",
    "described",
    "field_named",
    "is_count",
    "pane_columns",
    "pane_schema",
    "result_type",
    "rows_of",
    "spark_type",
    "width_of",
]

PANE = "pane"
"""The column of the start of a pane."""

# The key of what this package keeps in the metadata of a column.
_OWN = "tailrace"

_INTEGERS = (ByteType, ShortType, IntegerType, LongType)
_KEYS = (*_INTEGERS, StringType, DoubleType, TimestampType)


def column_of(name: str) -> Column:
    """Return a column by its exact name, which may hold dots."""
    return F.col("`" + name.replace("`", "``") + "`")


def check_names(names: Sequence[str], what: str) -> None:
    """
    Check that no two columns have one name for Spark, which ignores upper and lower case.

    Raises:
        ValueError: Two are the same for Spark.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.lower())
        if other is not None:
            same = f"{name!r} twice" if name == other else f"{other!r} and {name!r}"
            raise ValueError(
                f"{what}: expected columns with names of their own, found {same}; rename one of "
                "the aggregates, or omit the field"
            )
        seen[name.lower()] = name


def is_count(spec: AggregateSpec) -> bool:
    """Report whether an aggregate counts events, so that its column is a number that adds up."""
    return spec[1] == "count" and not spec[2]


def spark_type(arrow_type: pa.DataType) -> DataType:  # noqa: PLR0911 - a type each
    """Return the type of Spark for a type of the core's tables."""
    of = pa.types
    if of.is_list(arrow_type) or of.is_large_list(arrow_type):
        return ArrayType(spark_type(arrow_type.value_type))
    if of.is_struct(arrow_type):
        return StructType([StructField(one.name, spark_type(one.type)) for one in arrow_type])
    if of.is_timestamp(arrow_type):
        return TimestampType()
    if of.is_boolean(arrow_type):
        return BooleanType()
    if of.is_floating(arrow_type):
        return DoubleType()
    if of.is_integer(arrow_type):
        return LongType()
    if of.is_binary(arrow_type) or of.is_large_binary(arrow_type):
        return BinaryType()
    return StringType()


def arrow_type(kind: DataType) -> pa.DataType:
    """Return the type of Arrow for one that `spark_type` returns."""
    if isinstance(kind, ArrayType):
        return pa.list_(arrow_type(kind.elementType))
    if isinstance(kind, StructType):
        return pa.struct([(one.name, arrow_type(one.dataType)) for one in kind])
    return {
        "string": pa.string(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "timestamp": pa.timestamp("us", "UTC"),
        "binary": pa.binary(),
    }[kind.simpleString()]


def rows_of(table: pa.Table, schema: StructType) -> list[tuple[Any, ...]]:
    """
    Return the rows of an Arrow table with the types of a schema.

    Raises:
        ValueError: A value does not fit into its column.
    """
    try:
        table = table.cast(pa.schema([(one.name, arrow_type(one.dataType)) for one in schema]))
    except pa.ArrowInvalid as error:
        raise ValueError(f"dataframe: {error}; the snapshots have all values") from None
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def pane_schema(
    keys: Iterable[StructField],
    specs: Sequence[AggregateSpec],
    results: Sequence[DataType],
    width_us: int,
) -> StructType:
    """
    Return the schema of panes.

    Args:
        keys: The key fields.
        specs: The aggregates.
        results: The types of their results in answers.
        width_us: The width of the panes.
    """
    counts = [spec[0] for spec in specs if is_count(spec)]
    width = {_OWN: {"width_us": width_us, "offset_us": 0, "counts": counts}}
    fields = [StructField(PANE, TimestampType(), metadata=width), *keys]
    for spec, result in zip(specs, results, strict=True):
        name, function, of, parameter, error = spec
        made = {"function": function, "fields": of, "parameter": parameter, "error": error}
        metadata = {_OWN: {"aggregate": made, "type": result.json()}}
        kind = LongType() if is_count(spec) else BinaryType()
        fields.append(StructField(name, kind, metadata=metadata))
    return StructType(fields)


def _own(field: StructField) -> dict[str, Any]:
    found = field.metadata.get(_OWN)
    return found if isinstance(found, dict) else {}


def width_of(field: StructField) -> int | None:
    """Return the width of the panes whose start a column holds, if it is known."""
    own = _own(field)
    return own.get("width_us") if own.get("offset_us") == 0 else None


def counts_of(field: StructField) -> list[str]:
    """Return the names of counts; after `fillna` only the metadata of `pane` has them."""
    return ["count", *_own(field).get("counts", [])]


def aggregate_of(field: StructField) -> AggregateSpec | None:
    """Return the aggregate of a column, if it is known."""
    made = _own(field).get("aggregate")
    if not isinstance(made, dict):
        return None
    parts = made["function"], list(made["fields"]), made["parameter"], made["error"]
    return (field.name, *parts)


def result_type(field: StructField) -> DataType | None:
    """Return the type of the result of an aggregate, if it is known."""
    if "type" in _own(field):
        return _parse_datatype_json_string(_own(field)["type"])
    return LongType() if field.dataType == LongType() else None


def field_named(df: DataFrame, name: str, what: str) -> StructField:
    """
    Return the column of a name.

    Raises:
        TypeError: *df* is not a DataFrame.
        ValueError: There is none, or several.
    """
    if not hasattr(df, "schema") or not hasattr(df, "isStreaming"):
        raise TypeError(f"df: expected a DataFrame of Spark, found {df!r:.80}")
    found = [field for field in df.schema if field.name == name]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(repr(field.name) for field in df.schema)
    if found:
        raise ValueError(f"{what}: expected one column {name!r}, found {listed}; rename one")
    raise ValueError(f"{what}: expected a column {name!r}, found {listed or 'none'}")


def pane_columns(
    df: DataFrame, by: Sequence[str], specs: Sequence[AggregateSpec], slide_us: int | None = None
) -> list[Column]:
    """
    Return the columns of panes in order, with the types that the core takes.

    Args:
        df: The panes.
        by: The key fields.
        specs: The aggregates.
        slide_us: The slide of the windows that they are added to.

    Raises:
        ValueError: A column is missing or has another type, or the panes or an aggregate are others
            than those of the windows.
    """
    pane = field_named(df, PANE, "panes")
    check_type(pane, (TimestampType,), "a timestamp, as pane_counts makes it")
    width_us = width_of(pane)
    if slide_us is not None and width_us is not None and slide_us % width_us:
        raise ValueError(
            f"panes: expected panes that fit into every={short(slide_us)}, found panes of "
            f"{short(width_us)}; call pane_counts with every={short(slide_us)!r} or a divisor of it"
        )
    columns = [column_of(PANE)]
    for name in by:
        field = field_named(df, name, "by")
        if aggregate_of(field) is not None:
            raise ValueError(f"by: expected a key, found the aggregate {name!r}")
        check_type(field, _KEYS, "text, an integer, a double or a timestamp; cast it")
        columns.append(_as_long(field))
    for spec in specs:
        field = field_named(df, spec[0], "aggregates")
        found = aggregate_of(field)
        if found is not None and found[1:] != spec[1:]:
            raise ValueError(
                f"aggregates: expected {described(spec)} in {spec[0]!r}, found {described(found)}; "
                "give pane_counts and the windows the same aggregates"
            )
        if is_count(spec):
            check_type(field, _INTEGERS, "a count, which is a bigint")
        else:
            check_type(field, (BinaryType,), f"the partials of {described(spec)}, which are binary")
        columns.append(_as_long(field))
    return columns


def check_type(field: StructField, types: tuple[type[DataType], ...], expected: str) -> None:
    """
    Check the type of a column.

    Raises:
        ValueError: It has another type.
    """
    found = field.dataType
    if not isinstance(found, types):
        message = f"column {field.name!r}: expected {expected}; found {found.simpleString()}"
        raise ValueError(message)  # noqa: TRY004 - of a column


def _as_long(field: StructField) -> Column:
    column = column_of(field.name)
    is_shorter = isinstance(field.dataType, _INTEGERS) and not isinstance(field.dataType, LongType)
    return column.cast("bigint").alias(field.name) if is_shorter else column


def described(spec: AggregateSpec) -> str:
    """
    Return an aggregate as the call that makes it.

    >>> described(("p99", "quantile", ["size"], 0.99, 0.01))
    "quantile('size', 0.99, error=0.01)"
    """
    _, function, fields, parameter, error = spec
    if function == "share_where":
        return str(Aggregate("share", where=fields[0]))
    text = str(Aggregate(function, tuple(fields), parameter, error))
    return f"{text[:-1]}, error={error})" if error else text
