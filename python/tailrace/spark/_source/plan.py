"""Plan a query: the files, their formats, the schema, and the partitions."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql.types import BooleanType, DataType, StringType, StructField, StructType

from tailrace import _core
from tailrace._detection import FALLBACK, Detector
from tailrace._errors import in_words
from tailrace._first_lines import FirstLines
from tailrace._format_options import naming
from tailrace._names import AUTO
from tailrace._requested import Requested
from tailrace._runtime.clock import Clock
from tailrace._sources import Chunk
from tailrace._terminal.escape import for_people
from tailrace.spark._described import TYPES, new_columns, plain_of
from tailrace.spark._parse import as_argument, report
from tailrace.spark._source.files import Part, blocks, found_files, parts_of, survey
from tailrace.spark._source.options import Options, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.spark._source.files import LogFile

__all__ = ["plan", "schema"]

# Formats that were detected: for each path the identity of the file and the format.
Detected = dict[str, tuple[bytes, str]]

_FIRST_LINES = 1_000
_FIRST_BYTES = 4 * 1024 * 1024
_MAX_COLUMNS = 1_000

# With more files, a format that all of the first lines match is reported once.
_MAX_NOTICES = 8


class _Planned(NamedTuple):
    """A file with its format, and with its columns if it has lines that show them."""

    file: LogFile
    spec: str
    columns: list[tuple[str, str]] | None


def schema(given: Mapping[str, str]) -> tuple[StructType, Detected]:
    """
    Return the columns of a source, and the formats of its files.

    Raises:
        ValueError: An option is invalid, a file cannot be read, or the files have other columns.
    """
    options = options_of(given)
    planned, detected = _planned(options, options.fields, {})
    columns = _columns(planned, options)
    found = StructType([StructField(name, TYPES[kind]) for name, kind in columns])
    return _with_own(found, options), detected


def _with_own(found: StructType, options: Options) -> StructType:
    """Return a schema with the columns that do not come from lines."""
    columns = new_columns(found, options.reject_column, options.bad_utf8_column)
    for name in columns.names[len(found) :]:
        if columns.names.count(name) > 1:
            raise ValueError(f"{name!r}: expected a name that no field has; choose another")
    return columns


def plan(given: Mapping[str, str], wanted: StructType, detected: Detected) -> dict[str, Any]:
    """
    Return what tasks need to read the columns of a schema, as values that need no module.

    Raises:
        ValueError: As for `schema`, or the schema is not that of the files.
    """
    options = options_of(given)
    fields = [name for name in wanted.names if name not in options.own_columns]
    if not fields:
        raise ValueError("schema: expected at least one field of the lines, found none")
    for name in fields:
        if options.fields is not None and name not in options.fields:
            raise ValueError(
                f"schema: column {name!r} is not in the option fields, "
                f"{','.join(options.fields)}; add it there, or leave out the option"
            )
    planned, _ = _planned(options, fields, detected)
    kinds = dict(_columns(planned, options, fields))
    _check_types(wanted, kinds, options)
    since_us, until_us = options.line_filter.range_us(Clock().now_us())
    return {
        "fails": options.mode == "fail",
        "keeps": options.keeps_rejected,
        "reject_column": options.reject_column if options.reject_column in wanted.names else None,
        "bad_utf8_column": options.bad_utf8_column
        if options.bad_utf8_column in wanted.names
        else None,
        "names": wanted.names,
        "kinds": kinds,
        "where": options.line_filter.where,
        "pushes": options.push_filters,
        "pushed": [],
        "range_us": (since_us, until_us),
        "plain": {spec: _plain(spec, options, fields) for spec in {one.spec for one in planned}},
        "partitions": [
            (*part.file, part.start, part.end, one.spec)
            for one in planned
            for part in parts_of(
                one.file, options.partition_bytes, whole=_core.Format(one.spec).has_header
            )
        ],
    }


def _check_types(wanted: StructType, kinds: Mapping[str, str], options: Options) -> None:
    types: dict[str | None, DataType] = {name: TYPES[kind] for name, kind in kinds.items()}
    types |= {options.reject_column: StringType(), options.bad_utf8_column: BooleanType()}
    for field in wanted.fields:
        expected = types[field.name]
        if field.dataType != expected:
            raise ValueError(
                f"schema: {field.name}: expected {expected.simpleString()}, found "
                f"{field.dataType.simpleString()}; cast it with withColumn"
            )
        if not field.nullable:
            raise ValueError(
                f"schema: {field.name}: expected a column that can be null, found NOT NULL; values "
                "can be missing, so drop nulls with where"
            )


def _plain(spec: str, options: Options, fields: Sequence[str]) -> dict[str, Any]:
    """
    Return a format with the data that fields are looked up in, for `_rows.compiled`.

    Raises:
        ImportError: A package with data is not installed.
        ValueError: The file with countries is missing or damaged.
    """
    names = Requested(tuple(fields), options.line_filter).names
    try:
        return plain_of(spec, list(fields), names, options.zone or UTC, options.geoip)
    except OSError as error:
        raise ValueError(f"geoip: {in_words(error)}") from None


def _planned(
    options: Options, fields: Sequence[str] | None, detected: Detected
) -> tuple[list[_Planned], Detected]:
    """Return the files with their formats and columns."""
    requested = Requested(tuple(fields or ()), options.line_filter)
    with naming("fields"):
        # Before any file is read.
        requested.check(options.log_format)
    paths = [path for given in options.paths for path in found_files(given)]
    looks = _Looks(requested, len(paths))
    planned = []
    for path in paths:
        file = survey(path)
        identity, spec = detected.get(path, (None, options.log_format))
        if identity != file.identity:
            spec = options.log_format if options.log_format != AUTO else looks.detect(file)
        planned.append(_Planned(file, spec, looks.columns(file, spec, fields)))
    found = {one.file.path: (one.file.identity, one.spec) for one in planned}
    return planned, found


class _Looks:
    """Looks at the first lines of files."""

    def __init__(self, requested: Requested, files: int) -> None:
        self._requested = requested
        self._is_brief = files > _MAX_NOTICES
        self._agreed: set[str] = set()
        self._columns: dict[str, list[tuple[str, str]]] = {}

    def detect(self, file: LogFile) -> str:
        """
        Return the format that most of the first lines match, and report it on standard error.

        Raises:
            ValueError: Too few of the lines match a format.
        """
        detector = Detector()
        chunks = list(_first_chunks(file, detector))
        choice = detector.choose()
        if not detector.lines:
            return FALLBACK
        if not choice.is_enough:
            raise ValueError(as_argument(choice.describe(file.path)))
        is_plain = choice.matched == choice.lines and self._is_brief
        if not is_plain or choice.format not in self._agreed:
            report(for_people(as_argument(choice.describe(file.path))))
        if is_plain:
            self._agreed.add(choice.format)
        look = FirstLines(self._requested.names)
        log_format = _core.Format(choice.format)
        for chunk in chunks:
            sections, log_format = log_format.sections(chunk.data, kind="lines", span=chunk.span)
            for span, section in sections:
                look.look(chunk._replace(span=span), section)
        for doubt in look.doubts():
            report(for_people(as_argument(f"{file.path}: {doubt}")))
        return choice.format

    def columns(
        self, file: LogFile, spec: str, fields: Sequence[str] | None
    ) -> list[tuple[str, str]] | None:
        """
        Return the columns of a file and their types; None if it has no lines that show them.

        Raises:
            ValueError: It has no line with one of the requested fields, or too many fields.
        """
        log_format = _core.Format(spec)
        has_header = log_format.has_header
        if not has_header and not (log_format.is_open and fields is None):
            if spec not in self._columns:
                self._columns[spec] = self._of_format(log_format, fields)
            return self._columns[spec]
        if has_header:
            return self._of_header(file, log_format, fields)
        found = list(_first_keys(file, log_format))
        if len(found) > _MAX_COLUMNS:
            raise ValueError(
                f"{file.path}: the first lines have {len(found):,} different keys, more than the "
                f"{_MAX_COLUMNS:,} columns of a table; choose some with the option fields"
            )
        return self._of_format(log_format, found) if found else None

    def _of_header(
        self, file: LogFile, log_format: _core.Format, fields: Sequence[str] | None
    ) -> list[tuple[str, str]] | None:
        """Return the columns that the first header of a file names."""
        spec = log_format.spec
        for _, data in _first_blocks(file):
            span = (0, len(data))
            sections, log_format = log_format.sections(data, kind="lines", span=span)
            for _, section in sections:
                if _core.default_fields(section):
                    try:
                        return self._of_format(section, fields)
                    except ValueError as error:
                        raise ValueError(f"{file.path}: {error}") from None
        if file.size == file.start:
            return None
        raise ValueError(
            f"{file.path}: expected a header that names the columns of format {spec}, found none "
            "in the first lines; name them with the option columns"
        )

    def _of_format(
        self, log_format: _core.Format, fields: Sequence[str] | None
    ) -> list[tuple[str, str]]:
        names = _core.default_fields(log_format) if fields is None else fields
        with naming("fields"):
            self._requested._replace(fields=tuple(names)).check(log_format)
        return [(name, _core.field_kind(log_format, name) or "any") for name in names]


def _first_blocks(file: LogFile) -> Iterator[tuple[int, bytes]]:
    end = min(file.size, file.start + _FIRST_BYTES)
    return blocks(Part(file, file.start, end))


def _first_keys(file: LogFile, log_format: _core.Format) -> dict[str, None]:
    """Return the fields that the first lines name, in this order."""
    found: dict[str, None] = {}
    left = _FIRST_LINES
    for _, data in _first_blocks(file):
        keys = _core.found_fields(
            data, kind="lines", span=(0, len(data)), format=log_format, limit=left
        )
        found |= dict.fromkeys(name for name, _ in keys if not name.startswith("own."))
        left -= data.count(b"\n")
        if left <= 0:
            break
    return found


def _first_chunks(file: LogFile, detector: Detector) -> Iterator[Chunk]:
    for _, data in _first_blocks(file):
        chunk = Chunk(data, (0, len(data)))
        detector.look(chunk)
        yield chunk
        if detector.enough:
            return


def _columns(
    planned: Sequence[_Planned], options: Options, fields: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """
    Return the columns that all files have.

    Raises:
        ValueError: They have others, or other types.
    """
    fields = fields or options.fields
    shown = [one for one in planned if one.columns is not None]
    if not shown:
        names = fields or _core.default_fields(planned[0].spec)
        if not names:
            raise ValueError(
                f"path: {planned[0].file.path}: expected lines, whose header names the columns, "
                "found none; name the columns with the option fields or columns"
            )
        return [(name, _core.field_kind(planned[0].spec, name) or "any") for name in names]
    first = shown[0]
    columns = dict(first.columns or ())
    for one in shown[1:]:
        others = dict(one.columns or ())
        if one.columns == first.columns:
            continue
        if fields is None and not (_core.Format(one.spec).is_open and one.spec == first.spec):
            _refuse_other_columns(first, one)
        for name, kind in others.items():
            if columns.setdefault(name, kind) != kind:
                raise ValueError(
                    f"{one.file.path}: field {name!r} has the type {kind} in format {one.spec}, "
                    f"but {columns[name]} in {first.file.path}; read these files separately"
                )
    return list(columns.items())


def _refuse_other_columns(first: _Planned, other: _Planned) -> None:
    shared = [column for column in first.columns or () if column in (other.columns or ())]
    hint = ",".join(name for name, _ in shared)
    mended = f"choose fields that both have, such as {hint}" if hint else "read it separately"
    raise ValueError(
        f"{other.file.path}: format {other.spec} has other columns than {first.file.path} with "
        f"format {first.spec}; {mended}"
    )
