"""Chunks to rows: the fields of lines, as columns or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast

from tailrace import _core
from tailrace._errors import TailraceError
from tailrace._runtime.stage import Processor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._runtime.stage import Origin, StampedChunk
    from tailrace._sources import Chunk
    from tailrace._types import ChunkCounts, LineCounts, Output

__all__ = ["ChunkRows", "RowOptions", "Rows", "rejected_lines"]

O = TypeVar("O")  # noqa: E741 - a result


# The first lines name the columns of a table, where lines can have fields of any name.
_FIRST_LINES = 1_000
_MAX_COLUMNS = 1_000
_ALL = 2**63 - 1

# So many names of fields without a column are counted.
_MAX_OTHERS = 1_000


class ChunkRows(NamedTuple):
    """The rows of a chunk."""

    rows: bytes | _core.Table
    rejected: bytes
    """The rejected lines, if they are kept."""
    log_format: _core.Format
    source: str
    """The name of the source, for people."""
    first_line: int
    """The number of earlier lines of the source."""


# Rows or columns, rejected lines, counters.
_Core: TypeAlias = tuple[bytes | _core.Table, bytes, "ChunkCounts"]

# The same, and the fields that lines name, each with its lines, if these are not the columns.
_Done: TypeAlias = tuple[_Core, list[tuple[str, int]]]


class RowOptions(NamedTuple):
    """Options for rows."""

    output: Output | None = None
    """The text format of rows; by default, rows are columns."""
    one_table: bool = False
    """Whether all sources must have the same columns."""
    reject_prefix: Callable[[str], bytes] | None = None
    """
    Returns the prefix of the rejected lines of a source, if these are kept. Line numbers depend on
    all earlier lines, so only one thread may work.
    """


def _found_fields(
    chunk: Chunk, log_format: _core.Format, limit: int = _ALL
) -> list[tuple[str, int]]:
    """Return the fields that the first lines of a chunk have, and how many lines have each."""
    try:
        return _core.found_fields(
            chunk.data, kind=chunk.kind, span=chunk.span, format=log_format, limit=limit
        )
    except _core.BatchError:
        # Its sender gets the error when the chunk is parsed.
        return []


def _first_fields(chunk: Chunk, log_format: _core.Format) -> list[str]:
    """
    Return the fields of the first lines that can be requested by name.

    Raises:
        TailraceError: They are too many.
    """
    found = _found_fields(chunk, log_format, _FIRST_LINES)
    columns = [name for name, _ in found if not name.startswith("own.")]
    if len(columns) > _MAX_COLUMNS:
        raise TailraceError(
            f"the first lines have {len(columns):,} different keys, more than the "
            f"{_MAX_COLUMNS:,} columns of a table; choose the fields with --fields"
        )
    return columns


def rejected_lines(taken: StampedChunk, prefix: bytes, before: int) -> bytes:
    """Return the rejected lines of a chunk, of which a line without a time is one."""
    chunk = taken.chunk
    _, rejected, _ = _core.write_rows(
        chunk.data,
        kind=chunk.kind,
        span=chunk.span,
        format=cast("_core.Format", taken.log_format),
        fields=["time"],
        rejects=(prefix, before),
        filter=_core.Filter(None, since_us=_ALL),
    )
    return rejected


class Rows(Processor[_Done, O]):
    """
    Parses chunks into rows, in the order of their lines.

    Args:
        make: Converts the rows of a chunk into the result that is handed out.
        names: The names of the sources, for people.
        fields: The fields of a row; by default the columns of each format.
        line_filter: Selects lines; None selects all.
        options: Options for rows.
    """

    def __init__(
        self,
        make: Callable[[ChunkRows], O],
        names: Sequence[str],
        fields: list[str] | None,
        line_filter: _core.Filter | None,
        options: RowOptions,
    ) -> None:
        self._make = make
        self._names = list(names)
        self.line_filter = line_filter
        self._fields = fields
        self._options = options
        # Lines of each source so far: those handed out, and, for the numbers of rejected lines,
        # those parsed.
        self._lines_before = [0] * len(names)
        self._line_numbers = [0] * len(names)
        # The requested fields, or the columns of the first source if all must have the same.
        self.columns = fields
        # How many lines have a value in a field without a column.
        self.others: dict[str, int] = {}
        self._lines: LineCounts = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def prepare(self, taken: StampedChunk) -> list[str] | None:
        """
        Return the columns of a row; the first lines of a table determine them.

        None gives each row the fields of the format and those that its line names.

        Raises:
            TailraceError: They differ from those of earlier sources.
        """
        return self._columns(taken)

    def work(self, taken: StampedChunk, plan: list[str] | None) -> _Done:
        """Return the rows of a chunk, its rejected lines and its counters."""
        log_format, columns = cast("_core.Format", taken.log_format), plan
        chunk = taken.new
        rejects = None
        if self._options.reject_prefix is not None:
            prefix = self._options.reject_prefix(self._names[chunk.source])
            rejects = prefix, self._line_numbers[chunk.source]
        done: _Core
        if self._options.output is None:
            done = _core.parse_chunk(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=columns,
                rejects=rejects,
                filter=self.line_filter,
            )
        else:
            done = _core.write_rows(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=columns,
                output=self._options.output,
                rejects=rejects,
                filter=self.line_filter,
            )
        fields: list[tuple[str, int]] = []
        if self._fields is None and columns is not None and log_format.is_open:
            fields = _found_fields(chunk, log_format)
        if rejects is not None:
            self._line_numbers[chunk.source] += done[2]["fed"] + done[2]["headers"]
        return done, fields

    def settle(self, taken: StampedChunk, result: _Done) -> tuple[int, O]:
        """Count the lines of a chunk, and hand out its rows."""
        (rows, rejected, lines), fields = result
        self._count_others(fields)
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        fed, whole = lines["fed"], lines["fed"] + lines["headers"]
        if self.samples is not None:
            self.samples.look(taken.new, log_format, whole, sum(lines["rejected"].values()))
        if taken.again is not None:
            self._lines["resent"] = self._lines.get("resent", 0) + taken.again.events
        self._lines["fed"] += fed
        self._lines["counted"] += lines["counted"]
        self._lines["filtered"] += lines["filtered"]
        for reason, count in lines["rejected"].items():
            self._lines["rejected"][reason] = self._lines["rejected"].get(reason, 0) + count
        first_line = self._lines_before[source]
        self._lines_before[source] += whole
        made = ChunkRows(rows, rejected, log_format, self._names[source], first_line)
        return fed, self._make(made)

    def abandon(self, taken: StampedChunk) -> int:
        """Count the lines of a chunk that its sender has given up, and return their number."""
        chunk = taken.chunk
        count = _core.count_events(chunk.data, kind=chunk.kind, span=chunk.span)
        self._lines["abandoned"] = self._lines.get("abandoned", 0) + count
        return count

    def add_source(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        super().add_source(origin)
        self._names.append(origin.name)
        self._lines_before.append(0)
        self._line_numbers.append(0)

    def lines(self) -> LineCounts:
        """Return the line counters so far."""
        lines = self._lines.copy()
        lines["rejected"] = lines["rejected"].copy()
        return self.with_senders(self.with_others(lines))

    def _columns(self, taken: StampedChunk) -> list[str] | None:
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        if self._fields is not None:
            return self._fields
        if not self._options.one_table:
            return None
        if log_format.is_open:
            if self.columns is None:
                self.columns = _first_fields(taken.chunk, log_format) or None
            return self.columns or _core.default_fields(log_format)
        columns = _core.default_fields(log_format)
        if self.columns is None:
            self.columns = columns
        if columns != self.columns:
            shared = ",".join(name for name in self.columns if name in columns)
            raise TailraceError(
                f"{self._names[source]}: format {log_format.spec} has other fields than the "
                f"earlier lines; choose the fields, for example --fields {shared}"
            )
        return columns

    def _count_others(self, fields: list[tuple[str, int]]) -> None:
        """Count the lines with a field that has no column."""
        known = set(self.columns or [])
        for name, lines in fields:
            if name not in known and (name in self.others or len(self.others) < _MAX_OTHERS):
                self.others[name] = self.others.get(name, 0) + lines
