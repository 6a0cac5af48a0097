"""What is read of lines: checked on the driver, described in plain data, compiled on executors."""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql.types import (
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from tailrace import _core
from tailrace._filters import ALL
from tailrace._format_options import spec_with_columns
from tailrace._lookups import arguments_for, check_lookups, countries
from tailrace._names import AUTO, check_fields, check_format, list_of_names
from tailrace._zones import zone_of, zone_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from datetime import tzinfo

    from tailrace._filters import LineFilter

__all__ = [
    "TYPES",
    "Described",
    "check_spec",
    "check_text",
    "describe",
    "new_columns",
    "plain_of",
    "schema",
]

TYPES: dict[str, DataType] = {
    "text": StringType(),
    "int": LongType(),
    "float": DoubleType(),
    "time": TimestampType(),
    # Values of own keys and columns differ in type, and a column of Spark has one.
    "any": StringType(),
}


class Described(NamedTuple):
    """What is read of each line."""

    spec: str
    fields: list[str]
    types: list[DataType]
    """The types of the fields."""
    plain: dict[str, Any]
    """
    The same for `_rows.compiled`, without any class of this package.

    Such a class would be pickled by name, and a worker without tailrace would fail before the
    function that reports it.
    """

    def struct(self, prefix: str = "") -> StructType:
        """Return the columns that hold the fields."""
        named = zip(self.fields, self.types, strict=True)
        return StructType([StructField(prefix + name, of) for name, of in named])


def schema(
    log_format: str = "combined",
    fields: Sequence[str] | None = None,
    *,
    columns: str | Sequence[str] | None = None,
) -> StructType:
    """
    Return the columns that `parse` adds, with their exact types; no session is needed.

    Text is `string`, integers are `long`, floats and durations in seconds `double`, times
    `timestamp`. A field whose values differ in type, such as an own key of JSON, is `string`.

    Args:
        log_format: A name or a format string, as for `tailrace.Format`.
        fields: The fields, in this order; by default the columns of the format.
        columns: The names of the columns, for `csv`, `tsv`, `w3c` and `iis`.

    Raises:
        ValueError: The format is unknown or has no such field.

    >>> ts.schema("combined", ["time", "status", "size"]).simpleString()
    'struct<time:timestamp,status:bigint,size:bigint>'
    """
    return describe(check_spec(log_format, columns), fields).struct()


def new_columns(
    fields: StructType, reject_column: str | None, bad_utf8_column: str | None
) -> StructType:
    """
    Return the columns of fields, and the two columns after them if they are requested.

    Raises:
        TypeError: A name is not text.
        ValueError: A name is empty.
    """
    added = list(fields)
    for argument, name, of in (
        ("reject_column", reject_column, StringType()),
        ("bad_utf8_column", bad_utf8_column, BooleanType()),
    ):
        if name is None:
            continue
        if not check_text(name, argument):
            raise ValueError(f"{argument}: expected the name of a column, found nothing")
        added.append(StructField(name, of))
    return StructType(added)


def check_text(value: str, argument: str) -> str:
    """Return a value if it is text."""
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected text, found {value!r:.80}")
    return value


def check_spec(
    log_format: str, columns: str | Sequence[str] | None = None, *, auto: bool = False
) -> str:
    """
    Return a format, with its columns if they are given; `auto` only where the caller allows it.

    Raises:
        TypeError: It is not text, or the columns are neither text nor a list of names.
        ValueError: The format is invalid, or only lines of a header name its columns.
    """
    if not isinstance(log_format, str):
        raise TypeError(
            "log_format: expected the name of a format or a format string, found "
            f"{log_format!r:.80}"
        )
    if columns is not None:
        names = columns if isinstance(columns, str) else ",".join(list_of_names(columns, "columns"))
        return _checked(spec_with_columns(log_format, names), "columns")
    if log_format == AUTO and not auto:
        raise ValueError(
            "log_format: 'auto' needs lines to look at, which are there only in `parse` of a batch "
            "DataFrame; name the format, as tr.detect(data) of a file's first lines finds it"
        )
    spec = _checked(log_format, "log_format", auto=auto)
    if spec != AUTO and _core.Format(spec).has_header and not _core.default_fields(spec):
        raise ValueError(
            f"log_format: the lines of {spec} have the columns that a header names, and rows of "
            "Spark have no order in which one comes first; give columns, such as "
            f"columns={_EXAMPLES.get(spec, 'a,b')!r}"
        )
    return spec


_EXAMPLES = {"w3c": "date,time,c-ip,cs-uri-stem", "iis": "date,time,c-ip,cs-uri-stem"}


def _checked(spec: str, argument: str, *, auto: bool = False) -> str:
    try:
        return check_format(spec, auto=auto)
    except ValueError as error:
        message = str(error).removeprefix("format: ")
        raise ValueError(f"{argument}: {message}") from None


def describe(
    spec: str,
    fields: Sequence[str] | None,
    *,
    where: str | None = None,
    tz: str | tzinfo = "UTC",
    geoip: str | os.PathLike[str] | None = None,
) -> Described:
    """
    Return what is read of lines of a format that `check_spec` returned.

    Raises:
        ImportError: A field needs the packages of `tailrace[agents]`.
        OSError: *geoip* cannot be read.
        TypeError: An argument has another type.
        ValueError: The format has no such field, or the condition or the time zone is invalid.
    """
    zone = zone_of(tz)
    log_format = _core.Format(spec, zone_table(zone))
    if fields is None:
        names = _core.default_fields(log_format)
    else:
        names = check_fields(list_of_names(fields), spec)
        if not names:
            raise ValueError("fields: expected at least one field, found none")
    kinds = [str(_core.field_kind(log_format, name)) for name in names]
    line_filter: LineFilter = ALL if where is None else ALL.with_where(where)
    line_filter.check(spec, names)
    condition = line_filter.compiled(0)
    read = [*names, *([] if condition is None else (name for name, _ in condition.fields))]
    plain = plain_of(spec, names, read, zone, geoip, where)
    return Described(spec, names, [TYPES[kind] for kind in kinds], plain)


def plain_of(  # noqa: PLR0917 - each of another type
    spec: str,
    fields: list[str],
    read: Sequence[str],
    zone: tzinfo,
    geoip: str | os.PathLike[str] | None,
    where: str | None = None,
) -> dict[str, Any]:
    """
    Return what is read of lines for `_rows.compiled`, with the data that fields are looked up in.

    Args:
        spec: The format.
        fields: The fields that are columns.
        read: These and the fields of conditions.
        zone: The zone of times that have none.
        geoip: The file with countries.
        where: The condition.

    Raises:
        ImportError: A field needs the packages of `tailrace[agents]`.
        OSError: *geoip* cannot be read.
        ValueError: A field needs *geoip*, that is damaged, or the zone cannot be sent to executors.
    """
    database = None if geoip is None else countries(geoip)
    check_lookups(read, spec, database)
    lookups = arguments_for(read, spec, database)
    plain = {"spec": spec, "tz": zone, "lookups": lookups, "fields": fields, "where": where}
    try:
        return {**plain, "key": hashlib.sha256(pickle.dumps(plain)).hexdigest()}
    except pickle.PicklingError:
        raise ValueError(
            f"tz: expected a time zone with a name, found {zone!r:.80}, which cannot be sent to "
            "executors"
        ) from None
