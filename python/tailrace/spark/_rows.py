"""What workers run: lines of Arrow batches to columns of fields. Needs no PySpark."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tailrace import _core
from tailrace._terminal.excerpt import excerpt, mismatch
from tailrace._zones import zone_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Compiled", "compiled", "fields_of", "rows", "without_headers"]

# A worker of Spark runs one task after another, which are mostly of the same few queries.
_MAX_COMPILED = 16

# The width of the excerpt of a line.
_COLUMNS = 100


class Compiled(NamedTuple):
    """What is read of lines, as the core takes it."""

    format: _core.Format
    fields: list[str]
    filter: _core.Filter | None
    headers: str | None
    """What lines of a header match, if the format has some."""


_compiled: dict[str, Compiled] = {}


def compiled(plain: dict[str, Any]) -> Compiled:
    """Compile what `describe` describes, once in each worker process."""
    key = plain["key"]
    if key not in _compiled:
        if len(_compiled) == _MAX_COMPILED:
            del _compiled[next(iter(_compiled))]
        lookups = [_core.Lookups(**one) for one in plain["lookups"]]
        log_format = _core.Format(plain["spec"], zone_table(plain["tz"]), lookups)
        where = plain["where"]
        condition = None if where is None else _core.Filter(where)
        headers = _headers(plain["spec"]) if log_format.has_header else None
        _compiled[key] = Compiled(log_format, plain["fields"], condition, headers)
    return _compiled[key]


def _headers(spec: str) -> str:
    """
    Return the expression that the lines of headers match.

    The core goes from line to line of a log, and takes the columns and the day of a header for the
    lines after it. Rows have no order: they would be those of the rows that Spark happens to put in
    the same batch.
    """
    name, _, columns = spec.partition(":")
    mark = "^(?:\ufeff)?"
    if name not in {"csv", "tsv"}:
        # Docker writes each line into an object.
        return mark + r'(?:\{"log":")?#'
    names = (re.escape(one.partition(":")[0].strip()) for one in columns.split(","))
    delimiter = "," if name == "csv" else r"\t"
    return mark + delimiter.join(rf'[ \t]*"?\s*{one}\s*"?[ \t]*' for one in names) + r"\r?\n?$"


def fields_of(lines: pa.Array, what: Compiled, **options: Any) -> tuple[pa.Table, Any, Any]:  # noqa: ANN401 - as the core returns them
    """Return the columns of `_core.parse_rows`; lines of headers are rows of nulls."""
    if what.headers is not None:
        lines = without_headers(lines, what)
    table, kept, rejected = _core.parse_rows(
        lines, format=what.format, fields=what.fields, filter=what.filter, **options
    )
    return pa.table(table), kept, rejected


def without_headers(lines: pa.Array, what: Compiled) -> pa.Array:
    """Return lines, with nulls for those of headers."""
    lines = _plain_text(lines)
    if not _is_text(lines.type):
        # Nothing but nulls, or a type that the core names in its error.
        return lines
    is_header = pc.match_substring_regex(lines, what.headers, ignore_case=True)
    if not pc.any(is_header).as_py():
        return lines
    if what.format.spec.partition(":")[0] not in {"csv", "tsv"}:
        for line in pc.unique(lines.filter(is_header)):
            _check_header(_bytes(line), what)
    return pc.if_else(is_header, pa.scalar(None, lines.type), lines)


def _plain_text(array: pa.Array) -> pa.Array:
    """Return text without a dictionary and without views, which pyarrow cannot search."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    views = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}
    of = views.get(str(array.type))
    return array if of is None else array.cast(of)


def _check_header(line: bytes, what: Compiled) -> None:
    """
    Check that a header names the columns of the format.

    Raises:
        ValueError: It names others.
    """
    after = what.format.sections(line, kind="lines", span=(0, len(line)))[1]
    if b"fields:" in line.lower() and _columns(after) != _columns(what.format):
        raise ValueError(
            f"columns: a header names other columns than {what.format.spec}:\n"
            f"  {excerpt(line, 0, _COLUMNS)[0]}\n"
            "  parse the files with each header on their own, with its columns"
        )


def _columns(log_format: _core.Format) -> list[tuple[str, Any]]:
    return [(name, kind) for name, kind in _core.field_kinds(log_format) if ":" not in name]


def _bytes(line: pa.Scalar) -> bytes:
    """Return the bytes of a line, UTF-8 or not."""
    return line.cast(pa.large_binary()).as_py() or b""


def table(
    lines: pa.Array, plain: dict[str, Any], reasons: str | None, bad_utf8: str | None
) -> pa.RecordBatch:
    """Return the fields of lines, a row for each line."""
    found, _, _ = fields_of(
        lines, compiled(plain), keep_rejected=True, reasons=reasons, bad_utf8=bad_utf8
    )
    return found.combine_chunks().to_batches()[0] if len(found) else _empty(found.schema)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], one.type) for one in schema], schema=schema)


def table_of(given: pa.RecordBatch | pa.Array, plain: dict[str, Any]) -> pa.RecordBatch:
    """
    Return the fields of the lines of a table, or of lines.

    Raises:
        ValueError: It is not known which column has the lines.
    """
    if not isinstance(given, pa.RecordBatch):
        return table(given, plain, None, None)
    texts = [place for place, one in enumerate(given.schema) if _is_text(_value_type(one.type))]
    named = [place for place in texts if given.schema.names[place].lower() == "value"]
    if len(named or texts) != 1:
        listed = ", ".join(map(repr, given.schema.names))
        raise ValueError(
            "tailrace_lines: expected a column 'value' or one column of strings, found "
            f"{listed}; select only the column of lines in TABLE(...)"
        )
    return table(given.column((named or texts)[0]), plain, None, None)


def _is_text(of: pa.DataType) -> bool:
    names = {"string", "large_string", "string_view", "binary", "large_binary", "binary_view"}
    return str(of) in names


def _value_type(of: pa.DataType) -> pa.DataType:
    return of.value_type if pa.types.is_dictionary(of) else of


def frame(
    lines: Any,  # noqa: ANN401 - a series of pandas
    plain: dict[str, Any],
    reasons: str | None,
    bad_utf8: str | None,
) -> Any:  # noqa: ANN401 - a data frame of pandas
    """Return the same as `table`, from pandas to pandas, which Spark makes Arrow columns again."""
    pd = importlib.import_module("pandas")
    array = pa.Array.from_pandas(lines)
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    # Without a copy, and integers beside nulls stay integers.
    return table(array, plain, reasons, bad_utf8).to_pandas(types_mapper=pd.ArrowDtype)


def rows(
    batches: Iterable[pa.RecordBatch],
    plain: dict[str, Any],
    *,
    at: int,
    fails: bool,
    keep_rejected: bool,
    reasons: str | None,
    bad_utf8: str | None,
) -> Iterator[pa.RecordBatch]:
    """
    Yield batches with the fields of the column *at* after their own columns.

    Raises:
        ValueError: A line was rejected, and *fails*.
    """
    what = compiled(plain)
    for batch in batches:
        lines = batch.column(at)
        table, kept, rejected = fields_of(
            lines, what, keep_rejected=keep_rejected, reasons=reasons, bad_utf8=bad_utf8
        )
        if fails and rejected is not None:
            raise ValueError(_failure(lines, what, rejected))
        if kept is not None:
            batch = _filtered(batch, pa.table(kept).column(0).combine_chunks())  # noqa: PLW2901
        start = 0
        for part in table.to_batches():
            others = batch.slice(start, len(part))
            start += len(part)
            yield pa.RecordBatch.from_arrays(
                [*others.columns, *part.columns], schema=pa.schema([*others.schema, *part.schema])
            )


def _filtered(batch: pa.RecordBatch, kept: pa.Array) -> pa.RecordBatch:
    """Return the rows of a batch that are kept; pyarrow cannot filter views."""
    if not any(str(one).endswith("_view") for one in batch.schema.types):
        return batch.filter(kept)
    columns = [
        _plain_text(column).filter(kept).cast(column.type)
        if str(column.type).endswith("_view")
        else column.filter(kept)
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _failure(lines: pa.Array, what: Compiled, rejected: tuple[int, int, str, str]) -> str:
    row, byte, _, expected = rejected
    line = _bytes(lines[row])
    shown = "\n".join(f"  {part}" for part in excerpt(line, byte, _COLUMNS))
    return (
        f"tailrace.spark.parse: a line does not match the format {what.format.spec}: "
        f"{mismatch(expected, line, byte)}\n{shown}\n"
        "  mode='permissive' with a reject_column keeps such lines and why they were rejected; "
        "mode='drop' leaves them out"
    )
