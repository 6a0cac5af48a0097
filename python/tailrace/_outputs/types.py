"""
Common types of Arrow columns whose values may differ in type, as those of JSON keys.

All of them are columns of pyarrow, converted as a whole.
"""

from __future__ import annotations

from typing import Any

__all__ = ["OtherTypesError", "common", "converted", "decided", "difference"]

_MARK = {b"ARROW:extension:name": b"arrow.json"}


class OtherTypesError(Exception):
    """The columns differ in type from those before."""


def common(one: Any, other: Any) -> Any:  # noqa: ANN401 - schemas
    """Return the types that keep the values of both; the columns are the same."""
    import pyarrow  # noqa: ICN001, PLC0415 - only Arrow output needs it

    return pyarrow.schema([_common(*pair) for pair in zip(one, other, strict=True)])


def decided(schema: Any) -> Any:  # noqa: ANN401 - a schema
    """Return the types for rows to come: a column without a value so far may get any."""
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    return pyarrow.schema([_json(one.name) if _is_null(one) else one for one in schema])


def converted(table: Any, schema: Any) -> Any:  # noqa: ANN401 - a table
    """
    Return the columns of a table as these types.

    Raises:
        OtherTypesError: A type does not keep all values.
    """
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    if table.schema == schema:
        return table
    columns = zip(table.columns, table.schema, schema, strict=True)
    return pyarrow.table([_converted(*column) for column in columns], schema=schema)


def difference(found: Any, wanted: Any) -> str:  # noqa: ANN401 - fields
    """Return how the types of two fields of this name differ."""
    return f"expected field {found.name} as {wanted.type}, found {found.type}"


def _common(one: Any, other: Any) -> Any:  # noqa: ANN401 - fields
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    if one.equals(other) or _is_null(other):
        return one
    if _is_null(one):
        return other
    names = {str(one.type), str(other.type)}
    if names == {"int64", "double"}:
        return pyarrow.field(one.name, pyarrow.float64())
    if names == {"int64", "decimal128(38, 0)"}:
        return pyarrow.field(one.name, pyarrow.decimal128(38, 0))
    return _json(one.name)


def _converted(column: Any, found: Any, wanted: Any) -> Any:  # noqa: ANN401 - of pyarrow
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    if found.equals(wanted):
        return column
    if _is_null(found):
        return pyarrow.nulls(len(column), wanted.type)
    if _is_json(wanted):
        text = _quoted(column) if str(found.type) == "string" else column.cast("string")
        return text.cast(wanted.type)
    if str(found.type) == "int64" and not _is_json(found):
        try:
            return column.cast(wanted.type)
        except pyarrow.ArrowInvalid:
            pass
    raise OtherTypesError(difference(found, wanted))


def _quoted(column: Any) -> Any:  # noqa: ANN401 - as above
    """Return text as JSON strings."""
    import pyarrow.compute  # noqa: PLC0415 - as above

    escapes = {"\\": "\\\\", '"': '\\"'}
    escapes |= {chr(code): f"\\u{code:04x}" for code in range(0x20)}
    for character, escape in escapes.items():
        column = pyarrow.compute.replace_substring(column, character, escape)
    return pyarrow.compute.binary_join_element_wise('"', column, '"', "")


def _json(name: str) -> Any:  # noqa: ANN401 - a field
    """Return a field of JSON text."""
    import pyarrow  # noqa: ICN001, PLC0415 - as above

    if hasattr(pyarrow, "json_"):
        return pyarrow.field(name, pyarrow.json_())
    return pyarrow.field(name, pyarrow.string(), metadata=_MARK)


def _is_json(field: Any) -> bool:  # noqa: ANN401 - a field
    return "arrow.json" in str(field.type) or field.metadata == _MARK


def _is_null(field: Any) -> bool:  # noqa: ANN401 - a field
    return str(field.type) == "null"
