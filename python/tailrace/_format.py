"""Lines to fields, for who wants the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._names import checked_fields, checked_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tailrace._types import ArrowArray, ArrowStream, FieldKind

__all__ = ["Batch", "Detection", "Format", "Reject", "detect"]


class Reject(NamedTuple):
    """A line that is not of the format."""

    line: int
    """Which line it was, from 0."""
    byte: int
    """From which of its bytes on it was not of the format."""
    reason: str
    """`no-match` or `too-long`."""
    expected: str
    """What should have been there."""


class Batch:
    """
    The fields of parsed lines, as columns; `len(batch)` is how many lines were accepted.

    Whatever reads Arrow by its PyCapsule interface takes the columns as they are, without a copy:
    `pyarrow.table(batch)`, `polars.DataFrame(batch)`, `pandas.DataFrame.from_arrow(batch)`,
    `nanoarrow.ArrayStream(batch)`, `duckdb.sql("from batch")`. Text is `utf8` in them (each run of
    bytes that is not UTF-8 one U+FFFD), whole numbers are `int64`, numbers and durations in
    seconds `float64`, times `timestamp[us, UTC]`; what is missing is null.

    >>> import tailrace as tr
    >>> batch = tr.Format("combined").parse(b"no log line", fields=["url", "status"])
    >>> batch
    <tailrace.Batch of url, status: 0 lines, 1 rejected>
    >>> [(reject.line, reject.byte, reject.reason) for reject in batch.rejects]
    [(0, 11, 'no-match')]
    """

    __slots__ = ("_table", "first_line", "source")

    def __init__(
        self, table: _core.Table, *, source: str | None = None, first_line: int = 0
    ) -> None:
        self._table = table
        self.source = source
        """Which of a query's sources the lines are from."""
        self.first_line = first_line
        """How many lines of that source came before."""

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
        """
        Return it with these columns alone, in this order.

        Raises:
            ValueError: It has no such column.
        """
        table = self._table.select(list(fields))
        return Batch(table, source=self.source, first_line=self.first_line)

    @property
    def filtered(self) -> int:
        """How many lines were left out: headers and comments, such as `#Fields:`."""
        return self._table.filtered

    @property
    def rejects(self) -> list[Reject]:
        """The lines that were not accepted, in order."""
        return [Reject(*reject) for reject in self._table.rejects]

    def to_dicts(self) -> list[dict[str, Any]]:
        """
        Return one dictionary for each accepted line; what is missing is None.

        Text is `str`, a time ISO 8601 in UTC, as in JSON lines.
        """
        return self._table.to_dicts()

    def __arrow_c_schema__(self) -> object:
        """Return the types of the columns as a PyCapsule of Arrow's."""
        return self._table.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the columns as a PyCapsule of Arrow's; they are not cast to other types."""
        return self._table.__arrow_c_stream__(requested_schema)


class Format:
    """
    What a log line looks like: a name, such as `combined`, or a text that describes it.

    `tailrace formats` lists the names. It is compiled once; threads may share it. All formats but
    `classic` give types: status and sizes are integers, durations numbers of seconds, a time is a
    time in UTC. `classic` gives every field as the raw text that the classic Python program's
    regular expression finds.

    Raises:
        ValueError: There is no format of this name, or the text describes none.

    >>> import tailrace as tr
    >>> line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> tr.Format("combined").parse(line, fields=["url", "status"]).to_dicts()
    [{'url': '/a', 'status': 200}]
    """

    __slots__ = ("_format", "name")

    def __init__(self, name: str) -> None:
        self.name = checked_format(name)
        self._format = _core.Format(name)

    def __repr__(self) -> str:
        return f"Format({self.name!r})"

    def __reduce__(self) -> tuple[type[Format], tuple[str]]:
        return Format, (self.name,)

    @property
    def fields(self) -> list[str]:
        """The names of the fields that can be asked for: `columns`, and what is worked out."""
        return _core.fields(self._format)

    @property
    def columns(self) -> list[str]:
        """The names of the fields that are given unless others are asked for."""
        return _core.columns(self._format)

    @property
    def kinds(self) -> dict[str, FieldKind]:
        """The type of each field: `text`, `int`, `float` or `time`."""
        return dict(_core.kinds(self._format))

    def parse(
        self,
        lines: bytes | bytearray | memoryview | Iterable[bytes | str] | ArrowArray | ArrowStream,
        *,
        fields: Sequence[str] | None = None,
    ) -> Batch:
        """
        Parse lines; only the fields that are asked for are worked out.

        Args:
            lines: Newline text in bytes or in whatever has a buffer of them: whole lines, of
                which the last needs no newline. Or one line an item: a list of bytes or text, or
                an array, chunked array or series of text or bytes with the Arrow PyCapsule
                methods (pyarrow, polars, pandas, ...); a newline at an item's end is cut off, one
                within it belongs to the line, and a null is an empty line, so that
                `Reject.line` is the place in the array. Bytes and Arrow arrays are read where
                they are; other buffers are copied first, since they may change meanwhile.
            fields: Which fields to give, and in which order; all columns by default. Where a
                header says what they are, those of every header in newline text; for lists and
                arrays they have to be said.

        Raises:
            ValueError: The format has no such field, or it is named twice.
            TypeError: These are no lines.

        >>> import tailrace as tr
        >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "x"'
        >>> tr.Format("combined").parse([line, "-"], fields=["path", "query"]).to_dicts()
        [{'path': '/a', 'query': 'b'}]
        """
        if isinstance(fields, str):
            raise TypeError(f"fields: a list of names such as [{fields!r}], not a text")
        names = None if fields is None else checked_fields([*fields], self.name)
        return Batch(_core.parse(_held(lines), format=self._format, fields=names))


# How a buffer says that it holds bytes.
_BYTES = {"B", "b", "c"}


def _held(lines: Any) -> Any:  # noqa: ANN401 - whatever holds lines
    """Return lines as the core takes them: bytes, a list of bytes, or what is an Arrow array."""
    if isinstance(lines, bytes) or hasattr(lines, "__arrow_c_array__"):
        return lines
    if hasattr(lines, "__arrow_c_stream__"):
        return lines
    if isinstance(lines, str):
        raise TypeError("lines are bytes, or a list with one a line; encode the text")
    try:
        buffer = memoryview(lines)
    except (TypeError, ValueError):
        return [_line(line) for line in lines]
    if buffer.ndim != 1 or buffer.format not in _BYTES:
        # Of an array of texts or of addresses the bytes are no lines.
        raise TypeError(
            f"lines are bytes, or a list with one a line, not {type(lines).__name__}; "
            "give a list, as .tolist() does, or an Arrow array"
        )
    return bytes(buffer)


def _line(line: object) -> bytes:
    if isinstance(line, str):
        # What was no UTF-8 where Python read it becomes what it was.
        line = line.encode("utf-8", "surrogateescape")
    if not isinstance(line, bytes):
        raise TypeError(f"each line is bytes or text, not {line!r:.80}")
    return line.removesuffix(b"\n")


class Detection(NamedTuple):
    """The format that most of the first lines are of."""

    format: str
    """Its name, for `Format`."""
    agreed: int
    """How many of the lines that were looked at are of it."""
    lines: int
    """How many were looked at: the first 1,000 that are not blank, in at most 4 MiB."""
    runner_up: str | None
    """The format that accepts most of them otherwise, if one accepts any."""
    runner_up_agreed: int
    """How many of the lines are of that one."""


def detect(data: bytes | bytearray | memoryview, *, fields: Sequence[str] = ()) -> Detection:
    """
    Tell the format of a log by its first lines.

    With no line that is of any format, `agreed` is 0, and `format` what the command reads such
    logs as.

    Args:
        data: The beginning of the log: whole lines, of which the last needs no newline.
        fields: What the format has to give; others are not looked for.

    Raises:
        ValueError: No format that can be detected gives all of these fields.

    >>> import tailrace as tr
    >>> line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> tr.detect(line)
    Detection(format='combined', agreed=1, lines=1, runner_up=None, runner_up_agreed=0)
    """
    from tailrace._detection import Detector  # noqa: PLC0415 - only to find out
    from tailrace._sources import Chunk  # noqa: PLC0415 - as above

    detector = Detector([*fields])
    data = data if isinstance(data, bytes) else bytes(data)
    detector.look(Chunk(data, (0, len(data))))
    choice = detector.choose()
    others = {name: agreed for name, agreed in detector.agreed() if name != choice.format}
    runner_up = max(others, key=lambda name: others[name], default=None)
    agreed = 0 if runner_up is None else others[runner_up]
    return Detection(*choice[:3], runner_up if agreed else None, agreed)
