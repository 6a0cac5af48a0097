"""Chunks to rows: the fields of lines, as columns or as text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from tailrace import _core
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tailrace._types import Output
    from tailrace.runtime.intake import Taken
    from tailrace.samples import Samples

__all__ = ["Made", "Rows"]

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


class Rows(Generic[O]):
    """
    Makes rows of chunks, in the order of their lines.

    Args:
        make: What is handed out for what a chunk gave.
        names: The sources, as people know them.
        fields: Which fields to give; by default the columns of each format.
        asked: Which lines are meant, if not all.
        output: How rows are written; by default they are columns.
        one_table: Whether all sources have to give the same columns.
        reject_prefix: Returns what stands before the rejected lines of a source, if these are
            kept. Their numbers are known when the lines before them are, so one thread has to do
            the work.
    """

    def __init__(
        self,
        make: Callable[[Made], O],
        names: Sequence[str],
        *,
        fields: list[str] | None,
        asked: _core.Filter | None,
        output: Output | None = None,
        one_table: bool = False,
        reject_prefix: Callable[[str], bytes] | None = None,
    ) -> None:
        self._make = make
        self._names = list(names)
        self._asked = asked
        self._fields = fields
        self._checked = fields is None
        self._output = output
        self._one_table = one_table
        self._reject_prefix = reject_prefix
        # How many lines each source had so far: those that were handed out, and for the numbers of
        # rejected ones, those that were worked on.
        self._before = [0] * len(names)
        self._numbered = [0] * len(names)
        # Where somebody wants to see them.
        self.samples: Samples | None = None
        # Those that were asked for, or those of the first source, where all give the same.
        self.columns = fields
        self._lines: dict[str, Any] = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def prepare(self, taken: Taken) -> Callable[[], _Done]:
        """
        Return the work on a chunk; which columns a table has is for its first lines to say.

        Raises:
            TailraceError: Its columns are not those of the sources before it, or lack a field.
        """
        columns = self._columns(taken)
        return partial(self._work, taken, cast("_core.Format", taken.log_format), columns)

    def _work(self, taken: Taken, log_format: _core.Format, columns: list[str]) -> _Done:
        chunk = taken.chunk
        rejects = None
        if self._reject_prefix is not None:
            prefix = self._reject_prefix(self._names[chunk.source])
            rejects = prefix, self._numbered[chunk.source]
        done: _Done
        if self._output is None:
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
                output=self._output,
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

    def add_source(self, name: str) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        self._names.append(name)
        self._before.append(0)
        self._numbered.append(0)
        if self.samples is not None:
            self.samples.add(name)

    def end_source(self, source: int) -> None:
        """Expect no more of a source."""

    def slowest(self) -> None:
        """Return nothing: rows come in the order of the sources."""

    def tick(self, now_us: int, listened_us: int) -> None:
        """Do nothing: no row waits for the clock."""

    def answers(self, *, ticked: bool) -> Iterator[O]:  # noqa: ARG002 - as all have it
        """Yield nothing: rows are handed out with their chunk."""
        return iter(())

    def finish(self) -> Iterator[O]:
        """Yield nothing: there is nothing left."""
        return iter(())

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far."""
        return self._lines

    def _columns(self, taken: Taken) -> list[str]:
        source, log_format = taken.chunk.source, cast("_core.Format", taken.log_format)
        if self._fields is not None:
            self._check(source, log_format, self._fields)
            return self._fields
        columns = _core.columns(log_format)
        if not self._one_table:
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
