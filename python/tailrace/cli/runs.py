"""What a verb does once its arguments are understood: run, print, end in good order."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias, cast

from tailrace import _core
from tailrace.cli.progress import Progress, goes_to_file
from tailrace.detection import FALLBACK
from tailrace.driver import Clock, Intake, Reception, Replay, Stop, Taken, in_order
from tailrace.errors import TailraceError, in_words
from tailrace.outputs import arrow
from tailrace.outputs.blocks import Blocks
from tailrace.outputs.screen import Screen
from tailrace.rendering.text import lines_summary
from tailrace.samples import Samples
from tailrace.sources import as_live, at_hand
from tailrace.terminal.escape import for_people
from tailrace.terminal.excerpt import excerpt, terminal_width
from tailrace.terminal.streams import OutputError, say, write
from tailrace.terminal.style import is_terminal, wants_color

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from io import TextIOWrapper
    from types import FrameType

    from tailrace._types import Columns, Output
    from tailrace.driver import Origin, Run
    from tailrace.outputs.rejects import RejectsFile
    from tailrace.query import Query
    from tailrace.snapshot import Snapshot
    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["run_parse", "run_top"]

_INTERRUPTED = 130

# Those of the output are `OutputError`.
_INPUT_ERRORS = (OSError, TailraceError)


def run_top(
    query: Query,
    *,
    by: str,
    output: Output,
    color: str,
    windowed: bool,
    hint: str | None,
    typed: bool,
    strict: bool,
    failed: bool,
    jobs: int | None,
) -> int:
    """
    Print the snapshots of a query.

    Args:
        query: What is asked.
        by: The field that it counts by.
        output: How snapshots are written.
        color: When tables are coloured.
        windowed: Whether there is more than one answer.
        hint: What to say first where many answers go by on a terminal, one below the other.
        typed: Whether its lines come from a keyboard.
        strict: Whether a rejected line is a failure.
        failed: Whether one of the sources is missing.
        jobs: How many threads count the lines of files.
    """
    # JSON and CSV are UTF-8; a table on another terminal shows what that cannot as an escape.
    cast("TextIOWrapper", sys.stdout).reconfigure(
        encoding=None if output == "text" else "utf-8", errors="backslashreplace"
    )
    run = query.start(jobs=jobs)
    if sys.stderr.isatty():
        run.samples = Samples(run.intake.names)
    out: Screen | Blocks
    if run.live is not None and output == "text" and is_terminal(sys.stdout):
        out = Screen(sys.stdout, color=wants_color(color, sys.stdout))
    else:
        out = Blocks(
            sys.stdout,
            output=output,
            by=by,
            color=output == "text" and wants_color(color, sys.stdout),
        )
    with _Signals(run.wish) as signals:
        live, files = run.live, run.at_hand
        code = 0
        if files is not None:
            if hint is not None and sys.stdout.isatty():
                say(f"tailrace: {hint}")
            shown = not typed and (not windowed or goes_to_file())
            signals.progress = progress = Progress(files.progress, shown=shown)
            code = _replayed(run, out, progress, windowed=windowed)
        elif live is not None:
            code = _served(live, out, signals, lambda: _serve(run, live, out))
        if code == _UNREADABLE:
            return 2
        if signals.number is not None:
            _show_rest(run.stop(), out)
        elif live is not None:
            _show_rest(run.finish(), out)
        out.end()
        if live is not None and run.problems:
            # They were told when they came.
            code = 1
        code = signals.code or code
    return _ended(code, run.lines(), run.samples, strict=strict, failed=failed)


def _replayed(run: Run, out: Screen | Blocks, progress: Progress, *, windowed: bool) -> int:
    """Show every snapshot, and say what could not be read."""
    try:
        with progress:
            for snapshot in run.snapshots():
                _say_formats(run.intake, progress.say)
                if not windowed:
                    # The only answer comes at the end, maybe to where the line stands.
                    progress.end()
                out.show(snapshot)
    except BrokenPipeError:
        raise
    except _INPUT_ERRORS as error:
        # One of several is told below with the others.
        if error not in run.problems:
            return _said_problems([error])
    return _said_problems(run.problems)


def _show_rest(snapshots: Iterator[Snapshot], out: Screen | Blocks) -> None:
    newest: Snapshot | None = None
    for snapshot in snapshots:
        if isinstance(out, Blocks):
            out.show(snapshot)
        newest = snapshot
    if isinstance(out, Screen) and newest is not None:
        out.show(newest)


async def _serve(run: Run, source: LiveSource, out: Screen | Blocks) -> None:
    screen = out if isinstance(out, Screen) else None
    if screen is not None:
        screen.refresh(run.status())
    # Of all that a round answers somebody who looks sees the newest.
    async for snapshot in run.serve(source, newest_only=screen is not None):
        _say_formats(run.intake, out.say)
        if snapshot is not None:
            out.show(snapshot, run.status())
        elif screen is not None:
            screen.refresh(run.status())
    _say_formats(run.intake, out.say)


def _say_formats(intake: Intake, tell: Callable[[str], None] = say) -> None:
    for choice, source in intake.said():
        said = choice.said(source, terminal_width(sys.stderr))
        tell("tailrace: " + "\n".join(map(for_people, said.split("\n"))))


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
    with _Signals(wish) as signals:
        replayed, live = at_hand(source), as_live(source)
        code = 0
        if replayed is not None:
            shown = not typed and goes_to_file()
            signals.progress = progress = Progress(replayed.progress, shown=shown)
            code = parser.replay(replayed, progress)
        elif live is not None:
            code = _served(live, None, signals, lambda: parser.serve(live))
            if code == 0 and parser.problems:
                # They were told when they came.
                code = 1
        if code == _UNREADABLE:
            return 2
        parser.end(origins[0])
        code = signals.code or code
    return _ended(code, parser.lines, parser.samples, strict=strict, failed=failed)


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
                    _say_formats(self._intake, progress.say)
                    self._write_one(task, done)
        except TailraceError as error:
            replay.problems.append(error)
        return _said_problems(replay.problems)

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
        _say_formats(self._intake)
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


_UNREADABLE = -1


class _Signals:
    """
    Ctrl-C and SIGTERM as a wish to end in good order, for as long as the block lasts.

    A second one ends the process at once, as if there were no handler. What a terminal tells by
    signals is handed on to whoever draws on it.
    """

    def __init__(self, wish: Stop) -> None:
        self._wish = wish
        self._previous: dict[int, Any] = {}
        self.number: int | None = None
        # Lets a loop that waits see the wish.
        self.wake: Callable[[], object] | None = None
        # Draws anew, by the signal that asks for it.
        self.redraw: Callable[[int], object] | None = None
        self.progress: Progress | None = None

    @property
    def code(self) -> int:
        return _INTERRUPTED if self.number == signal.SIGINT else 0

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            self._previous[number] = signal.signal(number, self._redraw)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.number = number
        if self.progress is not None:
            # The next signal ends the process with whatever stands there.
            self.progress.end()
        if self.wake is not None:
            self.wake()
        self._wish.ask()

    def _redraw(self, number: int, _frame: FrameType | None) -> None:
        if self.redraw is not None:
            self.redraw(number)


def _said_problems(problems: list[Exception]) -> int:
    """Say what could not be read, and return the exit code."""
    for problem in problems:
        say(f"tailrace: {for_people(in_words(problem))}")
    return 1 if problems else 0


def _served(
    source: LiveSource,
    out: Screen | Blocks | None,
    signals: _Signals,
    work: Callable[[], Coroutine[Any, Any, None]],
) -> int:
    """Open a live source, do the work until it ends or a signal asks for it, and close it."""
    import asyncio  # noqa: PLC0415 - 30 ms that only live sources need
    import logging  # noqa: PLC0415 - as above

    tell = say if out is None else out.say

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(f"tailrace: {for_people(record.getMessage())}")

    logger = logging.getLogger("tailrace")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False

    async def serve() -> int:
        try:
            said = await source.open()
        except (OSError, TailraceError) as error:
            tell(f"tailrace: {for_people(_cannot_begin(error))}")
            return _UNREADABLE
        loop = asyncio.get_running_loop()
        signals.wake = lambda: loop.call_soon_threadsafe(source.wake)
        if isinstance(out, Screen):
            # Between two steps of the loop nothing is half drawn.
            signals.redraw = lambda number: loop.call_soon_threadsafe(_redraw, out, number)
        tell(f"tailrace: {said}; nothing survives a crash; Ctrl-C ends")
        try:
            await work()
        except TailraceError as error:
            tell(f"tailrace: {for_people(str(error))}")
            return 1
        finally:
            signals.wake = signals.redraw = None
            await source.close()
        return 0

    try:
        # Not `asyncio.run`, which takes SIGINT for itself.
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(serve())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
    finally:
        logger.removeHandler(handler)


def _redraw(screen: Screen, number: int) -> None:
    # What cannot be written any more is said by the next answer.
    with suppress(OutputError, BrokenPipeError):
        if number == signal.SIGWINCH:
            screen.resized()
        else:
            screen.continued()


def _cannot_begin(error: OSError | TailraceError) -> str:
    import errno  # noqa: PLC0415 - only for a mistake

    # What has no name of a file is of a socket.
    if not isinstance(error, OSError) or error.filename:
        return in_words(error)
    if error.errno == errno.EADDRINUSE:
        return f"{_reason(error)}: another program listens there; stop it, or take another port"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{_reason(error)}: ports below 1024 need rights; take a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{_reason(error)}: take an address of this machine, or 0.0.0.0 for all"
    return f"{_reason(error)}; check the host and the port"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).rstrip(".")


def _ended(
    code: int, lines: dict[str, Any], samples: Samples | None, *, strict: bool, failed: bool
) -> int:
    """Say where all lines went, show some that were rejected, and return the exit code."""
    sys.stdout.flush()
    said = lines_summary(lines)
    if lines["rejected"].get("no-match") and lines["rejected"]["no-match"] == lines["fed"]:
        said += "; no line is of this format, see --log-format"
    say(f"tailrace: {said}")
    for sample in samples.kept if samples is not None else []:
        place = f"{for_people(sample.source)}, line {sample.number:,}, byte {sample.byte:,}"
        say(f"{place}: there should be {sample.expected}")
        for text in excerpt(sample.line, sample.byte, terminal_width(sys.stderr) - 2):
            say(f"  {text}")
    if code == 0 and (failed or (strict and lines["rejected"])):
        return 1
    return code
