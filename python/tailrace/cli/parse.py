"""The verb that gives the fields of every line: its arguments, and what it prints."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tailrace import _core
from tailrace.cli import inputs
from tailrace.cli.progress import Progress, goes_to_file
from tailrace.cli.running import UNREADABLE, ended, said_problems, say_formats, served
from tailrace.cli.signals import Signals
from tailrace.detection import FALLBACK
from tailrace.driver import Clock, Intake, Reception, Replay, Stop, Taken, in_order
from tailrace.errors import TailraceError
from tailrace.names import checked_fields, checked_format, one_of
from tailrace.outputs import arrow
from tailrace.outputs.blocks import FORMATS
from tailrace.samples import Samples
from tailrace.sources import as_live, at_hand
from tailrace.sources.text import STDIN
from tailrace.terminal.streams import write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from tailrace._types import Columns, Output
    from tailrace.cli.parser import Parser
    from tailrace.driver import Origin
    from tailrace.outputs.rejects import RejectsFile
    from tailrace.query import Query
    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [SOURCE]..."

ABOUT = """\
Turn lines into their fields, in the order of the input.

A SOURCE is a path, - for standard input (in a pipe it need not be named), or flume://HOST:PORT;
there may be several, of any kind. Files in gzip, bzip2, xz and zstd are unpacked.
"""

EXAMPLES = f"""\
{inputs.FIELDS}Conditions:
  status >= 500                    ==  !=  <  <=  >  >=
  method in (POST, PUT)            one of several; not in: none of them
  url startswith /api/             also endswith, contains; not contains, ...
  agent contains "Firefox/4"       quotes, '...' or "...", unless it is one plain word; in
                                   them \\" is a quote and \\\\ a backslash
  time >= "2026-11-23 10:30"       a time of ISO 8601, UTC where no zone is given
  user == null                     there is none; of a missing value only this is true, and
                                   what negates: !=, not
  not (a == 1 or b == 2) and ...   not, and, or (also !, &&, ||), parentheses
  `cs(Host)` == example.org        a name of other characters stands in backquotes

Examples:
  tailrace parse access.log --fields host,url,status
  tailrace parse access.log.*.gz access.log | jq -r .agent
  tailrace parse access.log --where 'status >= 500 and method == POST' --since 2h
  tailrace parse access.log --format csv --rejects rejects.tsv > access.csv
  tailrace parse access.log.*.gz --format parquet > access.parquet
"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    inputs.add_arguments(parser, "below")
    parser.add_argument(
        "--fields",
        metavar="FIELD,FIELD...",
        help="which fields to give (default: all of the format)",
    )
    parser.add_argument(
        "--format",
        default="jsonl",
        metavar="text|jsonl|csv|arrow|parquet",
        help="tabs between the fields and no names, one JSON object a line, CSV, or columns with "
        "types: an Arrow stream or a Parquet file (pip install 'tailrace[arrow]') (default jsonl)",
    )
    parser.add_argument(
        "--rejects",
        metavar="FILE",
        help="write each rejected line there: its number, the byte from which on it is not of the "
        "format, the reason and the line, as it was, with tabs between them",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return what is to be done."""
    names, failed = inputs.sources(given)
    given.log_format = inputs.log_format(given)
    one_of(given.format, [*FORMATS, *arrow.FORMATS], "output format")
    if given.format in arrow.FORMATS:
        _check_arrow(given.format)
    checked_format(given.log_format, auto=True)
    wanted = None if given.fields is None else _names_of(given.fields)
    checked_fields(wanted or [], given.log_format)
    query = inputs.query(names, given).checked(wanted or [])
    rejects = None if given.rejects is None else _rejects(given.rejects, names)
    jobs = inputs.jobs(given)

    def work() -> int:
        with rejects or nullcontext():
            return run_parse(
                query,
                fields=wanted,
                output=given.format,
                rejects=rejects,
                several=len(given.sources) > 1,
                typed=inputs.is_typed(names),
                strict=given.strict,
                failed=failed,
                jobs=jobs,
            )

    return work


def _check_arrow(output: str) -> None:
    """See that columns can be written, and are not written to a terminal."""
    if sys.stdout.isatty():
        raise ValueError(
            f"--format {output} is not text, and standard output is a terminal; redirect it: "
            f"> access.{output}"
        )
    arrow.check_installed(output)


def _names_of(fields: str) -> list[str]:
    names = [name.strip() for name in fields.split(",")]
    if not any(names):
        raise ValueError(f"--fields: {fields!r} names none; leave the option out to get all")
    if "" in names:
        mended = ",".join(filter(None, names))
        raise ValueError(f"--fields: {fields!r} has an empty name between commas; write {mended}")
    return names


def _rejects(path: str, sources: Sequence[str]) -> RejectsFile:
    """Open the file of rejected lines, if it is none that is in use."""
    if path == STDIN:
        raise ValueError("--rejects: rejected lines go into a file; name one, or /dev/stderr")
    from tailrace.outputs.rejects import RejectsFile  # noqa: PLC0415 - only where asked for

    in_use = []
    for file in [1, 2, *(0 if source == STDIN else source for source in sources)]:
        # What has gone meanwhile is said when it is read; flume:// is no file.
        with suppress(OSError):
            in_use.append(os.stat(file))  # noqa: PTH116 - names stay text
    try:
        return RejectsFile(path, in_use)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"--rejects {path}: cannot be written: {reason}; name another") from error
    except ValueError as error:
        raise ValueError(f"--rejects {error}") from error


def run_parse(
    query: Query,
    *,
    fields: list[str] | None,
    output: Output | Columns,
    rejects: RejectsFile | None,
    several: bool,
    typed: bool,
    strict: bool,
    failed: bool,
    jobs: int | None,
) -> int:
    """
    Print the fields of every line.

    Where there are several sources, the name of its own stands before each rejected line; `typed`
    says that lines come from a keyboard.
    """
    wish = Stop()
    source, origins, asked = query.open_source(fields or [])
    parser = _Parser(
        wish,
        Intake(Clock(), origins),
        [origin.name for origin in origins],
        asked=asked,
        fields=fields,
        output=output,
        rejects=rejects,
        several=several,
        jobs=query.jobs(jobs),
    )
    with Signals(wish) as signals:
        replayed, live = at_hand(source), as_live(source)
        code = 0
        if replayed is not None:
            shown = not typed and goes_to_file()
            signals.progress = progress = Progress(replayed.progress, shown=shown)
            code = parser.replay(replayed, progress)
        elif live is not None:
            code = served(live, signals, lambda: parser.serve(live))
            if code == 0 and parser.problems:
                # They were told when they came.
                code = 1
        if code == UNREADABLE:
            return 2
        parser.end(origins[0])
        code = signals.code or code
    return ended(code, parser.lines, parser.samples, strict=strict, failed=failed)


class _Task(NamedTuple):
    """A chunk of which rows are to be made."""

    chunk: Chunk
    log_format: _core.Format
    columns: list[str]


# Rows or columns, rejected lines, counters.
_Done: TypeAlias = tuple[bytes | _core.Table, bytes, dict[str, Any]]


class _Parser:
    def __init__(
        self,
        wish: Stop,
        intake: Intake,
        names: Sequence[str],
        *,
        asked: _core.Filter | None,
        fields: list[str] | None,
        output: Output | Columns,
        rejects: RejectsFile | None,
        several: bool,
        jobs: int,
    ) -> None:
        self._jobs = jobs
        self._wish = wish
        self._intake = intake
        self._names = names
        self._asked = asked
        self._fields = fields
        self._checked = fields is None
        # Those of the first source, where none were asked for.
        self._table: list[str] | None = None
        self._output = output
        self._file: arrow.ArrowFile | None = None
        if output == "arrow" or output == "parquet":  # noqa: PLR1714 - so that types are told
            self._file = arrow.ArrowFile(sys.stdout, output)
        self._rejects = rejects
        self._prefixes = [_prefix(name) if several else b"" for name in names]
        # How many lines each source had so far.
        self._before = [0] * len(names)
        # Who has a file of rejected lines looks there.
        wanted = rejects is None and sys.stderr.isatty()
        self.samples = Samples(names) if wanted else None
        self._headed = output != "csv"
        self.problems: list[Exception] = []
        self.lines: dict[str, Any] = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def replay(self, source: Source, progress: Progress) -> int:
        replay = Replay(source, self._intake, self._wish)
        # The number of a rejected line is known when those before it are.
        jobs = 1 if self._rejects else self._jobs
        try:
            with progress:
                for task, done in in_order(self._done, self._tasks(replay.all()), jobs):
                    say_formats(self._intake, progress.say)
                    self._write_one(task, done)
        except TailraceError as error:
            replay.problems.append(error)
        return said_problems(replay.problems)

    async def serve(self, source: LiveSource) -> None:
        reception = Reception(source, self._intake)
        self.problems = reception.problems
        while not self._wish.asked and (some := await reception.receive(0.2)) is not None:
            self._write(some)
            if self._file is not None:
                self._file.show()
        self._write(self._intake.flush())

    def end(self, origin: Origin) -> None:
        """Write what belongs behind the rows; where there are none, of which columns."""
        if self._file is None:
            self._head()
            return
        if not self._file.has_types:
            known = origin.log_format
            spec = known if isinstance(known, str) else known.choose().format
            self._file.add(_core.parse(b"", format=spec, fields=self._fields))
        self._file.end()

    def _add(self, rows: _core.Table, task: _Task) -> None:
        if self._file is not None:
            try:
                self._file.add(rows)
            except arrow.OtherTypesError as error:
                raise TailraceError(
                    f"{self._names[task.chunk.source]}: format {task.log_format.spec} has {error} "
                    "in the lines before; write them apart"
                ) from error

    def _head(self) -> None:
        """Write the names of the columns if no row did."""
        if not self._headed:
            self._headed = True
            write(
                sys.stdout, ",".join(self._fields or self._table or _core.columns(FALLBACK)) + "\n"
            )

    def _write(self, some: list[Taken]) -> None:
        say_formats(self._intake)
        for task in self._tasks(iter(some)):
            self._write_one(task, self._done(task))

    def _tasks(self, some: Iterator[Taken]) -> Iterator[_Task]:
        """Yield what is to be done; which columns a table has is for its first lines to say."""
        for taken in some:
            if taken.log_format is not None:
                columns = self._columns(taken.chunk.source, taken.log_format)
                yield _Task(taken.chunk, taken.log_format, columns)

    def _done(self, task: _Task) -> _Done | _core.BatchError:
        """Return the rows of a chunk, its rejected lines and counters; any thread may ask."""
        chunk = task.chunk
        rejects = self._place(chunk.source)
        try:
            if self._output == "arrow" or self._output == "parquet":  # noqa: PLR1714 - as above
                return _core.tabulate(
                    chunk.data,
                    kind=chunk.kind,
                    span=chunk.span,
                    format=task.log_format,
                    fields=task.columns,
                    rejects=rejects,
                    filter=self._asked,
                )
            return _core.write_rows(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=task.log_format,
                fields=task.columns,
                output=self._output,
                rejects=rejects,
                filter=self._asked,
            )
        except _core.BatchError as error:
            return error

    def _write_one(self, task: _Task, done: _Done | _core.BatchError) -> None:
        answer = task.chunk.answer or (lambda _: None)
        if isinstance(done, _core.BatchError):
            answer(str(done))
            return
        rows, rejected, lines = done
        if rejected and self._rejects is not None:
            self._rejects.write(rejected)
        if isinstance(rows, _core.Table):
            self._add(rows, task)
        elif rows:
            self._head()
            write(sys.stdout, rows)
        if self.samples is not None:
            rejected_count = sum(lines["rejected"].values())
            self.samples.look(task.chunk, task.log_format, lines["fed"], rejected_count)
        self._before[task.chunk.source] += lines["fed"]
        for name in ("fed", "counted", "filtered"):
            self.lines[name] += lines[name]
        for reason, count in lines["rejected"].items():
            self.lines["rejected"][reason] = self.lines["rejected"].get(reason, 0) + count
        answer(None)

    def _place(self, source: int) -> tuple[bytes, int] | None:
        """Return what rejected lines begin with, and how many lines came before them."""
        return (self._prefixes[source], self._before[source]) if self._rejects else None

    def _columns(self, source: int, log_format: _core.Format) -> list[str]:
        """
        Return the fields to give of a source.

        Raises:
            TailraceError: They are not those of the sources before it, as a table's have to be.
        """
        if self._fields is not None:
            self._check(source, log_format)
            return self._fields
        columns = _core.columns(log_format)
        if self._output == "jsonl":
            return columns
        if self._table is None:
            self._table = columns
        if columns != self._table:
            shared = ",".join(name for name in self._table if name in columns)
            raise TailraceError(
                f"{self._names[source]}: format {log_format.spec} has other fields than the lines "
                f"before; say which to give, such as --fields {shared}"
            )
        return columns

    def _check(self, source: int, log_format: _core.Format) -> None:
        """See that the first columns that a header names have the fields; later ones may not."""
        if self._checked or not (columns := _core.columns(log_format)):
            return
        try:
            _core.parse(b"", format=log_format, fields=self._fields)
        except ValueError as error:
            raise TailraceError(
                f"{self._names[source]}: {error}; its columns are {', '.join(columns)}"
            ) from error
        self._checked = True


def _prefix(name: str) -> bytes:
    """Return a source's name as it stands before its lines, which it may not tear."""
    return os.fsencode(name).replace(b"\t", b"\\t").replace(b"\n", b"\\n") + b"\t"
