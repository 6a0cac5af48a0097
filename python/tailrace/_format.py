"""Parse log lines into columns of fields, without a query."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._names import check_fields, check_format, list_of_names
from tailrace._public import Public
from tailrace._records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import tzinfo

    from tailrace._types import ArrowArray, ArrowStream, FieldKind

__all__ = ["Batch", "Detection", "Format", "Reject", "detect"]


@record
class Reject(metaclass=Public):
    """
    A line that does not match the format.

    Attributes:
        line: The number of the line, from 0.
        byte: The offset in the line, from 0, at which it stops matching.
        reason: `no-match` or `too-long`.
        expected: What the format expects at that byte.

    >>> tr.Format("combined").parse(b"127.0.0.1 x").rejects[0].byte
    11
    """

    __signature__ = "()"
    __slots__ = ("line", "byte", "reason", "expected")  # noqa: RUF023 - as `__init__` has them

    line: int
    byte: int
    reason: str
    expected: str

    def __init__(self, line: int, byte: int, reason: str, expected: str) -> None:
        for name, value in zip(self.__slots__, (line, byte, reason, expected), strict=True):
            object.__setattr__(self, name, value)


class Batch(metaclass=Public):
    """
    The fields of parsed lines as columns; `len(batch)` is the number of rows.

    Any library that reads the Arrow PyCapsule interface takes the columns without a copy:
    `polars.DataFrame(batch)`, `pyarrow.table(batch)`, `pandas.DataFrame.from_arrow(batch)`,
    `duckdb.sql("from batch")`; so do `to_polars`, `to_arrow` and `to_pandas`. Iteration yields rows
    as dictionaries. Text is `utf8` (a run of bytes that is not UTF-8 is one U+FFFD), integers
    `int64`, floats and seconds `float64`, times `timestamp[us, UTC]`; missing values are null.

    Attributes:
        source: In a query, the name of the source of the lines; else None.
        first_line: The number of lines of that source before this batch.

    >>> batch = tr.Format("combined").parse(b"not a log line", fields=["url", "status"])
    >>> batch
    <tailrace.Batch of url, status: 0 lines, 1 rejected>
    >>> [(reject.line, reject.byte, reject.reason) for reject in batch.rejects]
    [(0, 10, 'no-match')]
    """

    __signature__ = "()"
    __slots__ = ("_table", "first_line", "source")

    source: str | None
    first_line: int

    def __init__(
        self, table: _core.Table, *, source: str | None = None, first_line: int = 0
    ) -> None:
        self._table = table
        self.source = source
        self.first_line = first_line

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        lines = "1 line" if len(self) == 1 else f"{len(self):,} lines"
        rejected = f"{len(self._table.rejects):,} rejected"
        return f"<tailrace.Batch of {', '.join(self.fields)}: {lines}, {rejected}>"

    @property
    def fields(self) -> list[str]:
        """The names of the columns, in their order."""
        return self._table.fields

    def select(self, fields: Sequence[str]) -> Batch:
        """Return a batch with only these columns, in this order."""
        table = self._table.select(list_of_names(fields))
        return Batch(table, source=self.source, first_line=self.first_line)

    @property
    def filtered(self) -> int:
        """The number of lines excluded by a filter."""
        return self._table.filtered

    @property
    def rejects(self) -> list[Reject]:
        """The lines that do not match the format, in order."""
        return [Reject(*reject) for reject in self._table.rejects]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary for each row; times are aware datetimes, missing values None."""
        return self._table.to_dicts()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.to_dicts())

    def to_arrow(self) -> Any:  # noqa: ANN401 - a table of a library that may not be there
        """
        Return the columns as a `pyarrow.Table`, without a copy; `ImportError` without pyarrow.

        >>> tr.Format("combined").parse(b"", fields=["url", "status"]).to_arrow().column_names
        ['url', 'status']
        """
        from tailrace._frames import arrow_table  # noqa: PLC0415 - of optional dependencies

        return arrow_table(self._table)

    def to_polars(self) -> Any:  # noqa: ANN401 - as above
        """
        Return the columns as a `polars.DataFrame`, without a copy; `ImportError` without polars.

        >>> tr.Format("combined").parse(b"", fields=["url", "status"]).to_polars().columns
        ['url', 'status']
        """
        from tailrace._frames import polars_frame  # noqa: PLC0415 - as above

        return polars_frame(self._table)

    def to_pandas(self) -> Any:  # noqa: ANN401 - as above
        """
        Return the columns as a `pandas.DataFrame`, as `Snapshot.to_pandas` does.

        >>> list(tr.Format("combined").parse(b"", fields=["url", "status"]).to_pandas())
        ['url', 'status']
        """
        from tailrace._frames import pandas_frame  # noqa: PLC0415 - as above

        return pandas_frame(self._table)

    def __arrow_c_schema__(self) -> object:
        """Return the types of the columns as an Arrow PyCapsule."""
        return self._table.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the columns as an Arrow PyCapsule, without casting them to other types."""
        return self._table.__arrow_c_stream__(requested_schema)


class Format(metaclass=Public):
    """
    A log format: the name of a built-in one, such as `combined`, or a format string.

    A format string is nginx's `log_format`, Apache's `LogFormat`, GoAccess's `log-format`, fields
    in braces, or a `json:`, `csv:` or `tsv:` mapping; `tailrace formats` lists the built-in
    formats. A format is compiled once, and threads may share it.

    Fields have types: status and sizes are integers, durations floats in seconds, times aware
    datetimes in UTC. Only `classic` returns every field as the text that the regular expression of
    Spark's log analysis examples (`parse_apache_log_line`) captures.

    *tz* is the zone of times that have none: a name such as `"Europe/Berlin"`, an offset such as
    `"+02:00"`, or a `zoneinfo.ZoneInfo`; by default UTC. *geoip* is a MaxMind DB file of countries,
    such as `GeoLite2-Country.mmdb`, in which fields such as `host:country` are looked up.

    Raises:
        OSError: *geoip* cannot be read.
        ValueError: There is no format of this name, the format string is invalid, the time zone is
            unknown, or *geoip* is no such file.

    >>> line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> tr.Format("combined").parse(line, fields=["url", "status"]).to_dicts()
    [{'url': '/a', 'status': 200}]
    """

    __slots__ = ("_format", "_lookups", "_zone", "geoip", "name", "tz")

    name: str
    tz: tzinfo | None
    geoip: str | os.PathLike[str] | None

    def __init__(
        self,
        name: str,
        *,
        tz: str | tzinfo | None = None,
        geoip: str | os.PathLike[str] | None = None,
    ) -> None:
        self.name = check_format(name)
        self.tz = zone = None
        if tz is not None:
            from tailrace._zones import zone_of, zone_table  # noqa: PLC0415 - only with a zone

            self.tz = zone_of(tz)
            zone = zone_table(self.tz)
        self.geoip, self._lookups = geoip, None
        if geoip is not None:
            from tailrace._lookups import countries  # noqa: PLC0415 - only with a database

            self._lookups = countries(geoip)
        self._zone = zone
        self._format = _core.Format(name, zone)

    def __repr__(self) -> str:
        zone = "" if self.tz is None else f", tz={str(self.tz)!r}"
        geoip = "" if self.geoip is None else f", geoip={os.fspath(self.geoip)!r}"
        return f"Format({self.name!r}{zone}{geoip})"

    def __reduce__(self) -> tuple[Callable[..., Format], tuple[Any, ...]]:
        return _format_of, (self.name, self.tz, self.geoip)

    @property
    def fields(self) -> list[str]:
        """The names of all fields: the columns, and the fields derived from them."""
        return list(self.kinds)

    @property
    def columns(self) -> list[str]:
        """The names of the fields that `parse` returns by default."""
        return _core.default_fields(self._format)

    @property
    def kinds(self) -> dict[str, FieldKind]:
        """The type of each field: `text`, `int`, `float` or `time`."""
        return dict(_core.field_kinds(self._format))

    def parse(
        self,
        lines: bytes | bytearray | memoryview | Iterable[bytes | str] | ArrowArray | ArrowStream,
        *,
        fields: Sequence[str] | None = None,
    ) -> Batch:
        """
        Parse lines into columns. Only the fields that are requested are extracted.

        Args:
            lines: Lines with newlines, as bytes or another buffer; the last one needs no newline.
                Or one line per item: a list of bytes or text, or an Arrow array, chunked array or
                series of either, with a dictionary or without. There a newline at the end of an
                item is removed, and null is an empty line, so that `Reject.line` is the index of
                the item. Bytes and Arrow arrays are parsed in place, other buffers are copied
                first.
            fields: The fields to return, in this order; by default `columns`, or, if a header
                names the columns, those of all headers in the text. Lists and arrays have no
                header: name the fields.

        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "x"'
        >>> tr.Format("combined").parse([line, "-"], fields=["path", "query"]).to_dicts()
        [{'path': '/a', 'query': 'b'}]
        """
        names = None if fields is None else check_fields(list_of_names(fields), self.name)
        log_format = self._format if names is None else self._looking_up(names)
        return Batch(_core.parse(_core_lines(lines), format=log_format, fields=names))

    def _looking_up(self, names: list[str]) -> _core.Format:
        """Return the format with the data that these fields are looked up in."""
        if not any(":" in name for name in names):
            return self._format
        from tailrace._lookups import check_lookups, data_for  # noqa: PLC0415 - as above

        check_lookups(names, self.name, self._lookups)
        lookups = data_for(names, self.name, self._lookups)
        return _core.Format(self.name, self._zone, lookups)


def _format_of(name: str, tz: tzinfo | None, geoip: str | os.PathLike[str] | None = None) -> Format:
    return Format(name, tz=tz, geoip=geoip)


# The item formats of buffers that hold bytes.
_BYTES = {"B", "b", "c"}


def _core_lines(lines: Any) -> Any:  # noqa: ANN401 - of any library
    """Return lines as the core takes them: bytes, a list of bytes, or an Arrow array."""
    if isinstance(lines, bytes) or hasattr(lines, "__arrow_c_array__"):
        return lines
    if hasattr(lines, "__arrow_c_stream__"):
        return lines
    if isinstance(lines, str):
        raise TypeError("lines: expected bytes or a list of lines, found a str; encode it")
    try:
        buffer = memoryview(lines)
    except (TypeError, ValueError):
        if not hasattr(lines, "__iter__"):
            raise TypeError(
                f"lines: expected bytes, a list of lines or an Arrow array, found {lines!r:.80}"
            ) from None
        return [_line(line) for line in lines]
    if buffer.ndim != 1 or buffer.format not in _BYTES:
        # An array of text or of pointers: its bytes are not lines.
        raise TypeError(
            f"lines: expected bytes or a list of lines, found {type(lines).__name__}; "
            "pass .tolist() or an Arrow array"
        )
    return bytes(buffer)


def _line(line: object) -> bytes:
    if isinstance(line, str):
        # Bytes that Python read with `surrogateescape` become those bytes again.
        line = line.encode("utf-8", "surrogateescape")
    if not isinstance(line, bytes):
        raise TypeError(f"lines: expected bytes or str in the list, found {line!r:.80}")
    return line.removesuffix(b"\n")


@record
class Detection(metaclass=Public):
    """
    The format that most of the first lines match.

    Attributes:
        format: The name of the format, for `Format`.
        matched: The number of lines that match it.
        lines: The number of lines examined: the first 1,000 that are not blank, within 4 MiB.
        runner_up: The format that matches the most lines among the others, or None.
        runner_up_matched: The number of lines that match that one.
        notices: What the format does not read in these lines, a sentence each.

    >>> tr.detect(b'{"status": 200}').format
    'json'
    """

    __signature__ = "()"
    __slots__ = (  # noqa: RUF023 - as `__init__` has them
        "format",
        "matched",
        "lines",
        "runner_up",
        "runner_up_matched",
        "notices",
    )

    format: str
    matched: int
    lines: int
    runner_up: str | None
    runner_up_matched: int
    notices: tuple[str, ...]

    def __init__(
        self,
        format: str,
        matched: int,
        lines: int,
        runner_up: str | None,
        runner_up_matched: int,
        *,
        notices: tuple[str, ...] = (),
    ) -> None:
        values = (format, matched, lines, runner_up, runner_up_matched, notices)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)


def detect(data: bytes | bytearray | memoryview, *, fields: Sequence[str] = ()) -> Detection:
    """
    Detect the format of a log from its first lines.

    The format is the one that reads the most lines with nothing passed over, then the one that
    reads the most lines; one that matches less than a tenth of the lines only if all do. A query
    refuses such a source. If no line matches any format, `format` is the closest one.

    Args:
        data: The beginning of the log: whole lines, of which the last needs no newline.
        fields: The fields that the format has to have.

    Raises:
        TypeError: *data* is not bytes.
        ValueError: No line of the format can have one of these fields.

    >>> line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> found = tr.detect(line + b" rt=0.005")
    >>> found.format, found.matched, found.lines
    ('combined', 1, 1)
    >>> print(*found.notices)
    8 bytes after the agent not read: rt=0.005; paste your log_format with --log-format
    """
    from tailrace._detection import Detector  # noqa: PLC0415 - loaded only to detect
    from tailrace._first_lines import FirstLines  # noqa: PLC0415 - as above
    from tailrace._sources import Chunk  # noqa: PLC0415 - as above

    if isinstance(data, str):
        raise TypeError("data: expected bytes, found a str; encode it")
    if not isinstance(data, bytes):
        try:
            data = bytes(memoryview(data))
        except TypeError:
            raise TypeError(f"data: expected bytes, found {data!r:.80}") from None
    names = list_of_names(fields)
    chunk = Chunk(data, (0, len(data)))
    detector = Detector()
    detector.look(chunk)
    choice = detector.choose()
    sections, after = _core.Format(choice.format).sections(data, kind="lines", span=chunk.span)
    check_fields(names, after)
    look = FirstLines(names)
    for span, section in sections:
        look.look(chunk._replace(span=span), section)
    others = {name: matched for name, matched in detector.matched() if name != choice.format}
    runner_up = max(others, key=lambda name: others[name], default=None)
    matched = 0 if runner_up is None else others[runner_up]
    return Detection(
        choice.format,
        choice.matched,
        choice.lines,
        runner_up if matched else None,
        matched,
        notices=tuple(look.doubts()),
    )
