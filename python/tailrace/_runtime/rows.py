"""Chunks to rows: the fields of lines, as columns or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast

from tailrace import _core
from tailrace._errors import TailraceError
from tailrace._runtime.stage import Processor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._runtime.stage import Origin, StampedChunk
    from tailrace._types import LineCounts, Output

__all__ = ["ChunkRows", "RowOptions", "Rows"]

O = TypeVar("O")  # noqa: E741 - a result


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
_Done: TypeAlias = tuple[bytes | _core.Table, bytes, "LineCounts"]


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
        self._filter = line_filter
        self._fields = fields
        self._checked = fields is None
        self._options = options
        # Lines of each source so far: those handed out, and, for the numbers of rejected lines,
        # those parsed.
        self._lines_before = [0] * len(names)
        self._line_numbers = [0] * len(names)
        # The requested fields, or the columns of the first source if all must have the same.
        self.columns = fields
        self._lines: LineCounts = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def prepare(self, taken: StampedChunk) -> list[str]:
        """
        Return the columns of a row; the first lines of a table determine them.

        Raises:
            TailraceError: They differ from those of earlier sources, or lack a field.
        """
        return self._columns(taken)

    def work(self, taken: StampedChunk, plan: list[str]) -> _Done:
        """Return the rows of a chunk, its rejected lines and its counters."""
        log_format, columns = cast("_core.Format", taken.log_format), plan
        chunk = taken.chunk
        rejects = None
        if self._options.reject_prefix is not None:
            prefix = self._options.reject_prefix(self._names[chunk.source])
            rejects = prefix, self._line_numbers[chunk.source]
        done: _Done
        if self._options.output is None:
            done = _core.parse_chunk(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=columns,
                rejects=rejects,
                filter=self._filter,
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
                filter=self._filter,
            )
        if rejects is not None:
            self._line_numbers[chunk.source] += done[2]["fed"]
        return done

    def settle(self, taken: StampedChunk, result: _Done) -> tuple[int, O]:
        """Count the lines of a chunk, and hand out its rows."""
        rows, rejected, lines = result
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        fed = lines["fed"]
        if self.samples is not None:
            self.samples.look(taken.chunk, log_format, fed, sum(lines["rejected"].values()))
        self._lines["fed"] += fed
        self._lines["counted"] += lines["counted"]
        self._lines["filtered"] += lines["filtered"]
        for reason, count in lines["rejected"].items():
            self._lines["rejected"][reason] = self._lines["rejected"].get(reason, 0) + count
        first_line = self._lines_before[source]
        self._lines_before[source] += fed
        made = ChunkRows(rows, rejected, log_format, self._names[source], first_line)
        return fed, self._make(made)

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
        return lines

    def _columns(self, taken: StampedChunk) -> list[str]:
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        if self._fields is not None:
            self._check(source, log_format, self._fields)
            return self._fields
        columns = _core.default_fields(log_format)
        if not self._options.one_table:
            return columns
        if self.columns is None:
            self.columns = columns
        if columns != self.columns:
            shared = ",".join(name for name in self.columns if name in columns)
            raise TailraceError(
                f"{self._names[source]}: format {log_format.spec} has other fields than the "
                f"earlier lines; choose the fields, for example --fields {shared}"
            )
        return columns

    def _check(self, source: int, log_format: _core.Format, fields: list[str]) -> None:
        """Check that the columns of the first header include the fields; later headers may not."""
        if self._checked or not (columns := _core.default_fields(log_format)):
            return
        try:
            _core.parse(b"", format=log_format, fields=fields)
        except ValueError as error:
            raise TailraceError(
                f"{self._names[source]}: {error}; its columns are {', '.join(columns)}"
            ) from error
        self._checked = True
