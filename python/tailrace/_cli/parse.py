"""The verb that prints the fields of each line: its arguments, and what it prints."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from tailrace import _core
from tailrace._cli import inputs
from tailrace._cli.progress import Progress, goes_to_file
from tailrace._cli.running import (
    UNREADABLE,
    ended,
    reload,
    replayed,
    say_formats,
    served,
    warnings_to,
)
from tailrace._cli.show import field_names
from tailrace._cli.signals import Signals
from tailrace._detection import FALLBACK
from tailrace._errors import TailraceError, os_reason
from tailrace._format_options import naming
from tailrace._names import check_fields, choice
from tailrace._outputs import arrow
from tailrace._outputs.blocks import FORMATS
from tailrace._rendering.text import lines_summary
from tailrace._runtime.rows import RowOptions
from tailrace._samples import Samples
from tailrace._sources.text import STDIN
from tailrace._terminal.escape import for_people
from tailrace._terminal.streams import say, write

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
Print the fields of each line.

Lines are printed in input order. A SOURCE is a file, - for standard input (the default in a pipe),
or flume://HOST:PORT to listen for events, as a Flume Avro source does. Several sources of any kind
can be given. Files compressed with gzip, bzip2, xz or zstd are decompressed.
"""

EXAMPLES = f"""\
{inputs.FIELDS}Conditions:
  status >= 500                    compares: ==  !=  <  <=  >  >=  (= is ==, <> is !=)
  method in (POST, PUT)            equals any of them; not in: none of them
  url startswith /api/             also endswith, contains, not contains, ...
  agent icontains bot              contains, in upper or lower case
  url ~ "\\.(css|js)$"             matches a regular expression, anywhere in the text unless it has
                                   ^ or $; !~: does not match; (?i) at its start for any case
  agent contains "Firefox/4"       quote text that is not one plain word, '...' or "..."; inside
                                   quotes, \\" is a quote and \\\\ a backslash; a pattern is read
                                   as it is written
  time >= "2026-11-23 10:30"       a time in ISO 8601, in UTC unless a zone is given
  user == null                     the value is missing; user != null: there is a value
  user != joe                      a missing value differs from every other value: ==, <, in,
                                   ~, contains, ... are false; !=, not in, !~, ... are true
  not (a == 1 or b == 2) and ...   not, and, or (also !, &&, ||) and parentheses
  `cs(Host)` == example.org        backquotes for a field name with spaces, parentheses, quotes,
                                   commas or operators

Signals:
  INT, TERM, QUIT, HUP    end in an orderly way; the second ends at once
  HUP                     without a controlling terminal: read the file of --geoip again, and open
                          the file of --rejects again
  USR1                    print the counters so far to standard error

Examples:
  tailrace parse access.log --fields host,url,status
  tailrace parse access.log.*.gz access.log | jq -r .agent
  tailrace parse access.log --where 'status >= 500 and method == POST' --since 2h
  tailrace parse access.log --last 10m
  tailrace parse access.log --format csv --rejects rejects.tsv > access.csv
  tailrace parse access.log.*.gz --format parquet > access.parquet
"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    inputs.add_arguments(parser, conditions="below", follow="starts at the beginning of each file")
    parser.add_argument(
        "--fields",
        metavar="FIELD,FIELD...",
        help="fields to print, in this order (default: all fields of the format, except "
        "those that 'tailrace formats NAME' marks 'only if requested')",
    )
    parser.add_argument(
        "--format",
        default="jsonl",
        metavar="text|jsonl|csv|arrow|parquet",
        help="print values separated by tabs, one JSON object per line, CSV with a header, an "
        "Arrow IPC stream, or a Parquet file; the last two need pip install 'tailrace[arrow]' "
        "(default: jsonl)",
    )
    parser.add_argument(
        "--rejects",
        metavar="FILE",
        help="save the rejected lines to FILE: line number, byte at which the match failed, "
        "reason and line, separated by tabs; with several sources, the source's name comes first",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    names, failed = inputs.sources(given)
    given.log_format = inputs.log_format(given)
    choice(given.format, [*FORMATS, *arrow.FORMATS], "--format")
    if given.format in arrow.FORMATS:
        _check_arrow(given.format)
    fields = None if given.fields is None else _names_of(given.fields)
    with naming("--fields"):
        check_fields(fields or [], given.log_format)
    query = inputs.query(names, given)._checked(fields or [])
    rejects = None if given.rejects is None else _rejects(given.rejects, names)
    jobs, typed = inputs.jobs(given), inputs.is_typed(names)

    def work() -> int:
        with rejects or nullcontext():
            return _run(given, query, fields, rejects, jobs=jobs, typed=typed, failed=failed)

    return work


def _check_arrow(output: str) -> None:
    """Check that columns can be written, and not to a terminal."""
    if sys.stdout.isatty():
        raise ValueError(
            f"--format: {output} is binary, and standard output is a terminal; redirect it, such "
            f"as > access.{output}"
        )
    arrow.check_installed(output)


def _names_of(fields: str) -> list[str]:
    with naming("--fields"):
        names = field_names(fields)
    if not any(names):
        raise ValueError(
            f"--fields: expected names of fields, found {fields!r}; omit --fields to print all"
        )
    if "" in names:
        fixed = ",".join(filter(None, names))
        raise ValueError(f"--fields: {fields!r} has an empty name; did you mean {fixed!r}?")
    return names


def _rejects(path: str, sources: Sequence[str]) -> RejectsFile:
    """Open the file of rejected lines, unless it is in use."""
    if path == STDIN:
        raise ValueError("--rejects: expected a file, found -; use /dev/stderr for standard error")
    from tailrace._outputs.rejects import RejectsFile  # noqa: PLC0415 - only for --rejects

    in_use = []
    for file in [1, 2, *(0 if source == STDIN else source for source in sources)]:
        # A file that has disappeared is reported when it is read; flume:// is no file.
        with suppress(OSError):
            in_use.append(os.stat(file))  # noqa: PTH116 - names stay text
    try:
        return RejectsFile(path, in_use)
    except OSError as error:
        message = f"--rejects: cannot write {path}: {os_reason(error)}; give another file"
        raise ValueError(message) from error
    except ValueError as error:
        raise ValueError(f"--rejects: {error}") from error


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
    run = query._rows(_unchanged, fields, options, jobs=jobs)
    rows = run.processor
    # With --rejects the lines are in its file.
    if rejects is None and sys.stderr.isatty():
        run.sampler.samples = Samples(run.intake.names)
    file = None if is_text else arrow.ArrowFile(sys.stdout, given.format)
    writer = _Writer(rows, file, rejects, headed=given.format != "csv")
    speak: Callable[[str], object] = say
    signals = Signals(
        run.stop,
        lambda: speak(f"tailrace: so far {lines_summary(run.sampler.lines())}"),
        lambda: speak(reload(given, run, rejects)),
    )
    with signals:
        code = 0
        if run.finite is not None:
            shown = not typed and goes_to_file()
            signals.progress = progress = Progress(run.progress, shown=shown)
            speak = progress.say
            code = replayed(run, progress, writer.write)
            if run.is_unanswered:
                return signals.code or code
        elif run.live is not None:
            with warnings_to(say):
                code = served(run.live, signals, lambda: _serve(run, writer))
            if code == UNREADABLE or run.is_refused:
                return 2
            if run.problems:
                # They were reported when they occurred.
                code = 1
        writer.end(run.intake.spec(0), fields)
        if rows.others:
            say(f"tailrace: {for_people(_others(rows.others))}")
        code = signals.code or code
    return ended(code, run, strict=given.strict, failed=failed)


def _others(others: dict[str, int]) -> str:
    """Return which fields of lines have no column, and how to print them."""
    names = sorted(others, key=lambda name: -others[name])
    shown = [f"{name.removeprefix('own.')} ({others[name]:,})" for name in names[:_MAX_SHOWN]]
    more = [f"{len(names) - _MAX_SHOWN:,} more"] if len(names) > _MAX_SHOWN else []
    return (
        f"keys that are not printed, with their lines: {', '.join([*shown, *more])}; the columns "
        "are the fields of the first lines, so choose them with --fields, or print jsonl"
    )


# So many fields without a column are named.
_MAX_SHOWN = 8


def _unchanged(made: ChunkRows) -> ChunkRows:
    return made


def _prefix(name: str) -> bytes:
    """Return a source's name as the prefix of its lines, without tabs or newlines."""
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
    """Writes rows to standard output, and rejected lines to their file."""

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
        """Write the rows and the rejected lines of a chunk."""
        if made.rejected and self._rejects is not None:
            self._rejects.write(made.rejected)
        if isinstance(made.rows, bytes):
            if made.rows:
                self._head()
                write(sys.stdout, made.rows)
        elif self._file is not None and len(made.rows):
            try:
                self._file.add(made.rows, widen=made.log_format.is_open)
            except arrow.OtherTypesError as error:
                hint = "give the key a type, such as json:NAME:text, or write separate files"
                raise TailraceError(
                    f"{made.source}: format {made.log_format.spec}: {error}, unlike the "
                    f"earlier lines; "
                    f"{hint if made.log_format.is_open else 'write them to separate files'}"
                ) from error

    def show(self) -> None:
        """Let a reader see what is written so far."""
        if self._file is not None:
            self._file.show()

    def end(self, spec: str, fields: list[str] | None) -> None:
        """Write the end of the output; without any rows, it still has the columns."""
        if self._file is None:
            self._head()
            return
        if not self._file.has_types:
            self._file.add(_core.parse(b"", format=spec, fields=fields))
        self._file.end()

    def _head(self) -> None:
        """Write the names of the columns once, before the first row."""
        if not self._headed:
            self._headed = True
            names = self._rows.columns or _core.default_fields(FALLBACK)
            from tailrace._rendering.csv import cell  # noqa: PLC0415 - only CSV needs it

            write(sys.stdout, ",".join(map(cell, names)) + "\n")
