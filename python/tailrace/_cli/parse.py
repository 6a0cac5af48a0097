"""The verb that gives the fields of every line: its arguments, and what it prints."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from tailrace import _core
from tailrace._cli import inputs
from tailrace._cli.progress import Progress, goes_to_file
from tailrace._cli.running import UNREADABLE, ended, replayed, say_formats, served
from tailrace._cli.signals import Signals
from tailrace._detection import FALLBACK
from tailrace._errors import TailraceError
from tailrace._names import check_fields, check_format, one_of
from tailrace._outputs import arrow
from tailrace._outputs.blocks import FORMATS
from tailrace._runtime.rows import RowOptions
from tailrace._samples import Samples
from tailrace._sources.text import STDIN
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from tailrace._cli.parser import Parser
    from tailrace._outputs.rejects import RejectsFile
    from tailrace._query import Query
    from tailrace._runtime.rows import ChunkRows, Rows
    from tailrace._runtime.run import Run

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
    check_format(given.log_format, auto=True)
    fields = None if given.fields is None else _names_of(given.fields)
    check_fields(fields or [], given.log_format)
    query = inputs.query(names, given)._checked(fields or [])
    rejects = None if given.rejects is None else _rejects(given.rejects, names)
    jobs, typed = inputs.jobs(given), inputs.is_typed(names)

    def work() -> int:
        with rejects or nullcontext():
            return _run(given, query, fields, rejects, jobs=jobs, typed=typed, failed=failed)

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
    from tailrace._outputs.rejects import RejectsFile  # noqa: PLC0415 - only where asked for

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


def _run(
    given: argparse.Namespace,
    query: Query,
    fields: list[str] | None,
    rejects: RejectsFile | None,
    *,
    jobs: int | None,
    typed: bool,
    failed: bool,
) -> int:
    is_text = given.format in FORMATS
    prefix = None if rejects is None else _prefix if len(given.sources) > 1 else _no_prefix
    options = RowOptions(given.format if is_text else None, given.format != "jsonl", prefix)
    run = query._rows(_as_made, fields, options, jobs=jobs)
    rows = run.processor
    # Who has a file of rejected lines looks there.
    if rejects is None and sys.stderr.isatty():
        rows.samples = Samples(run.intake.names)
    file = None if is_text else arrow.ArrowFile(sys.stdout, given.format)
    writer = _Writer(rows, file, rejects, headed=given.format != "csv")
    with Signals(run.stop) as signals:
        code = 0
        if run.finite is not None:
            shown = not typed and goes_to_file()
            signals.progress = progress = Progress(run.finite.progress, shown=shown)
            code = replayed(run, progress, writer.write)
        elif run.live is not None:
            code = served(run.live, signals, lambda: _serve(run, writer))
            if code == UNREADABLE:
                return 2
            if run.problems:
                # They were told when they came.
                code = 1
        writer.end(run.intake.spec(0), fields)
        code = signals.code or code
    return ended(code, run, strict=given.strict, failed=failed)


def _as_made(made: ChunkRows) -> ChunkRows:
    return made


def _prefix(name: str) -> bytes:
    """Return a source's name as it stands before its lines, which it may not tear."""
    return os.fsencode(name).replace(b"\t", b"\\t").replace(b"\n", b"\\n") + b"\t"


def _no_prefix(_name: str) -> bytes:
    return b""


async def _serve(run: Run[Rows[ChunkRows], ChunkRows], writer: _Writer) -> None:
    async for made in run.serve():
        say_formats(run.intake)
        if made is None:
            writer.show()
        else:
            writer.write(made)
    say_formats(run.intake)


class _Writer:
    """Writes rows to standard output, and the lines that gave none to their file."""

    def __init__(
        self,
        rows: Rows[ChunkRows],
        file: arrow.ArrowFile | None,
        rejects: RejectsFile | None,
        *,
        headed: bool,
    ) -> None:
        self._rows = rows
        self._file = file
        self._rejects = rejects
        self._headed = headed

    def write(self, made: ChunkRows) -> None:
        """Write what a chunk gave."""
        if made.rejected and self._rejects is not None:
            self._rejects.write(made.rejected)
        if isinstance(made.rows, bytes):
            if made.rows:
                self._head()
                write(sys.stdout, made.rows)
        elif self._file is not None:
            try:
                self._file.add(made.rows)
            except arrow.OtherTypesError as error:
                raise TailraceError(
                    f"{made.source}: format {made.log_format.spec} has {error} in the lines "
                    "before; write them apart"
                ) from error

    def show(self) -> None:
        """Let what is written be seen."""
        if self._file is not None:
            self._file.show()

    def end(self, spec: str, fields: list[str] | None) -> None:
        """Write what belongs behind the rows; where there are none, of which columns."""
        if self._file is None:
            self._head()
            return
        if not self._file.has_types:
            self._file.add(_core.parse(b"", format=spec, fields=fields))
        self._file.end()

    def _head(self) -> None:
        """Write the names of the columns if no row did."""
        if not self._headed:
            self._headed = True
            names = self._rows.columns or _core.default_fields(FALLBACK)
            write(sys.stdout, ",".join(names) + "\n")
