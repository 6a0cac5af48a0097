"""Chunks to rows: the fields of lines, as columns or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from tailrace import _core
from tailrace._errors import TailraceError
from tailrace._runtime.stage import Processor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._runtime.stage import Origin, Taken
    from tailrace._types import Output

__all__ = ["Made", "RowOptions", "Rows"]

O = TypeVar("O")  # noqa: E741 - what is handed out


class Made(NamedTuple):
    """What a chunk gave."""

    rows: bytes | _core.Table
    rejected: bytes
    """The lines that were not accepted, where they are kept."""
    log_format: _core.Format
    source: str
    """As people know it."""
    first_line: int
    """How many lines of its source came before it."""


# Rows or columns, rejected lines, counters.
_Done: TypeAlias = tuple[bytes | _core.Table, bytes, dict[str, Any]]


class RowOptions(NamedTuple):
    """How rows are made."""

    output: Output | None = None
    """How they are written; by default they are columns."""
    one_table: bool = False
    """Whether all sources have to give the same columns."""
    reject_prefix: Callable[[str], bytes] | None = None
    """
    Returns what stands before the rejected lines of a source, if these are kept. Their numbers are
    known when the lines before them are, so one thread has to do the work.
    """


class Rows(Processor[_Done, O]):
    """
    Makes rows of chunks, in the order of their lines.

    Args:
        make: What is handed out for what a chunk gave.
        names: The sources, as people know them.
        fields: Which fields to give; by default the columns of each format.
        asked: Which lines are meant, if not all.
        options: How rows are made.
    """

    def __init__(
        self,
        make: Callable[[Made], O],
        names: Sequence[str],
        fields: list[str] | None,
        asked: _core.Filter | None,
        options: RowOptions,
    ) -> None:
        self._make = make
        self._names = list(names)
        self._asked = asked
        self._fields = fields
        self._checked = fields is None
        self._options = options
        # How many lines each source had so far: those that were handed out, and for the numbers of
        # rejected ones, those that were worked on.
        self._before = [0] * len(names)
        self._numbered = [0] * len(names)
        # Those that were asked for, or those of the first source, where all give the same.
        self.columns = fields
        rejected: dict[str, int] = {}
        self._lines: dict[str, Any] = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": rejected,
        }

    def prepare(self, taken: Taken) -> list[str]:
        """
        Return the columns to give; which these are in a table is for its first lines to say.

        Raises:
            TailraceError: They are not those of the sources before it, or lack a field.
        """
        return self._columns(taken)

    def work(self, taken: Taken, plan: list[str]) -> _Done:
        """Return the rows of a chunk, its rejected lines and counters."""
        log_format, columns = cast("_core.Format", taken.log_format), plan
        chunk = taken.chunk
        rejects = None
        if self._options.reject_prefix is not None:
            prefix = self._options.reject_prefix(self._names[chunk.source])
            rejects = prefix, self._numbered[chunk.source]
        done: _Done
        if self._options.output is None:
            done = _core.tabulate(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=columns,
                rejects=rejects,
                filter=self._asked,
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
                filter=self._asked,
            )
        if rejects is not None:
            self._numbered[chunk.source] += done[2]["fed"]
        return done

    def settle(self, taken: Taken, result: _Done) -> tuple[int, O]:
        """Count the lines of a chunk, and hand out its rows."""
        rows, rejected, lines = result
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        fed: int = lines["fed"]
        if self.samples is not None:
            self.samples.look(taken.chunk, log_format, fed, sum(lines["rejected"].values()))
        for name in ("fed", "counted", "filtered"):
            self._lines[name] += lines[name]
        for reason, count in lines["rejected"].items():
            self._lines["rejected"][reason] = self._lines["rejected"].get(reason, 0) + count
        first_line = self._before[source]
        self._before[source] += fed
        made = Made(rows, rejected, log_format, self._names[source], first_line)
        return fed, self._make(made)

    def add_source(self, origin: Origin) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        super().add_source(origin)
        self._names.append(origin.name)
        self._before.append(0)
        self._numbered.append(0)

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far."""
        return self._lines

    def _columns(self, taken: Taken) -> list[str]:
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        if self._fields is not None:
            self._check(source, log_format, self._fields)
            return self._fields
        columns = _core.columns(log_format)
        if not self._options.one_table:
            return columns
        if self.columns is None:
            self.columns = columns
        if columns != self.columns:
            shared = ",".join(name for name in self.columns if name in columns)
            raise TailraceError(
                f"{self._names[source]}: format {log_format.spec} has other fields than the lines "
                f"before; say which to give, such as --fields {shared}"
            )
        return columns

    def _check(self, source: int, log_format: _core.Format, fields: list[str]) -> None:
        """See that the first columns that a header names have the fields; later ones may not."""
        if self._checked or not (columns := _core.columns(log_format)):
            return
        try:
            _core.parse(b"", format=log_format, fields=fields)
        except ValueError as error:
            raise TailraceError(
                f"{self._names[source]}: {error}; its columns are {', '.join(columns)}"
            ) from error
        self._checked = True
