"""What a verb does once its arguments are understood: run, print, end in good order."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, Self, cast

from tailrace import _core
from tailrace.driver import Clock, Intake, Replay, Stop, Taken
from tailrace.errors import TailraceError
from tailrace.outputs.escape import for_people
from tailrace.outputs.screen import Blocks, Screen, is_terminal, write
from tailrace.outputs.text import lines_summary
from tailrace.sources import as_live, at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from io import TextIOWrapper
    from types import FrameType

    from tailrace.driver import Run
    from tailrace.query import Query
    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["run_parse", "run_top"]

_INTERRUPTED = 130

# Those of the output are `OutputError`.
_INPUT_ERRORS = (OSError, TailraceError)


def run_top(query: Query, *, json: bool, strict: bool, failed: bool) -> int:
    """Print the snapshots of a query."""
    # JSON is UTF-8; a table on another terminal shows what that cannot as an escape.
    cast("TextIOWrapper", sys.stdout).reconfigure(
        encoding="utf-8" if json else None, errors="backslashreplace"
    )
    run = query.start()
    live = run.live is not None
    out: Screen | Blocks = Blocks(sys.stdout, json=json)
    if live and not json and is_terminal(sys.stdout):
        out = Screen(sys.stdout)
    with _Signals(run.wish) as signals:
        if run.live is None:
            code = _replayed(run, out)
        else:
            code = _served(run.live, out.say, signals, lambda: _serve(run, out))
        if code == _UNREADABLE:
            return 2
        if signals.number is not None:
            _show_last(run, out)
        elif live:
            for snapshot in run.finish():
                out.show(snapshot)
        if live:
            code = _said_problems(run.problems)
        code = signals.code or code
    return _ended(code, run.lines(), strict=strict, failed=failed)


def _replayed(run: Run, out: Screen | Blocks) -> int:
    """Show every snapshot, and say what could not be read."""
    try:
        for snapshot in run.snapshots():
            _say_formats(run.intake)
            out.show(snapshot)
    except BrokenPipeError:
        raise
    except _INPUT_ERRORS as error:
        # One of several is told below with the others.
        if error not in run.problems:
            return _said_problems([error])
    return _said_problems(run.problems)


def _show_last(run: Run, out: Screen | Blocks) -> None:
    for snapshot in run.stop():
        out.show(snapshot)


async def _serve(run: Run, out: Screen | Blocks) -> None:
    assert run.live is not None  # noqa: S101 - for the type checker
    async for snapshot in run.serve(run.live):
        _say_formats(run.intake, out.say)
        if snapshot is not None:
            out.show(snapshot)
    _say_formats(run.intake, out.say)


def _say_formats(intake: Intake, say: Callable[[str], None] = Blocks.say) -> None:
    for said in intake.said():
        say(f"tailrace: {for_people(said)}")


def run_parse(query: Query, *, fields: list[str] | None, strict: bool, failed: bool) -> int:
    """Print the fields of every line."""
    wish = Stop()
    source, origins = query.open_source(fields or [])
    parser = _Parser(Intake(Clock(), origins), fields, wish)
    with _Signals(wish) as signals:
        replayed, live = at_hand(source), as_live(source)
        code = 0
        if replayed is not None:
            code = parser.replay(replayed)
        elif live is not None:
            code = _served(live, Blocks.say, signals, lambda: parser.serve(live))
            code = code or _said_problems(getattr(live, "problems", []))
        if code == _UNREADABLE:
            return 2
        code = signals.code or code
    return _ended(code, parser.lines, strict=strict, failed=failed)


class _Parser:
    def __init__(self, intake: Intake, fields: list[str] | None, wish: Stop) -> None:
        self._intake = intake
        self._wish = wish
        self._fields = fields
        self.lines: dict[str, Any] = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def replay(self, source: Source) -> int:
        replay = Replay(source, self._intake, self._wish)
        while (some := replay.read()) is not None:
            self._write(some)
        return _said_problems(replay.problems)

    async def serve(self, source: LiveSource) -> None:
        while not self._wish.asked:
            chunks = await source.receive(0.2)
            if chunks is None:
                break
            for chunk in chunks:
                self._write(self._intake.take(chunk))
            self._write(self._intake.overdue())
        self._write(self._intake.flush())

    def _write(self, some: list[Taken]) -> None:
        _say_formats(self._intake)
        for taken in some:
            if taken.chunk.data:
                self._write_one(taken.chunk, taken.log_format)

    def _write_one(self, chunk: Chunk, log_format: str) -> None:
        answer = chunk.answer or (lambda _: None)
        try:
            text, lines = _core.write_json(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=self._fields or _core.columns(log_format),
            )
        except _core.BatchError as error:
            answer(str(error))
            return
        write(sys.stdout, text)
        for name in ("fed", "counted"):
            self.lines[name] += lines[name]
        for reason, count in lines["rejected"].items():
            self.lines["rejected"][reason] = self.lines["rejected"].get(reason, 0) + count
        answer(None)


_UNREADABLE = -1


class _Signals:
    """
    Ctrl-C and SIGTERM as a wish to end in good order, for as long as the block lasts.

    A second one ends the process at once, as if there were no handler.
    """

    def __init__(self, wish: Stop) -> None:
        self._wish = wish
        self._previous: dict[int, Any] = {}
        self.number: int | None = None
        # Lets a loop that waits see the wish.
        self.wake: Callable[[], object] | None = None

    @property
    def code(self) -> int:
        return _INTERRUPTED if self.number == signal.SIGINT else 0

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.number = number
        if self.wake is not None:
            self.wake()
        self._wish.ask()


def _said_problems(problems: list[Exception]) -> int:
    """Say what could not be read, and return the exit code."""
    for problem in problems:
        print(f"tailrace: {for_people(_in_words(problem))}", file=sys.stderr)
    return 1 if problems else 0


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {_reason(problem)}"
    return str(problem)


def _served(
    source: LiveSource,
    say: Callable[[str], None],
    signals: _Signals,
    work: Callable[[], Coroutine[Any, Any, None]],
) -> int:
    """Open a live source, do the work until it ends or a signal asks for it, and close it."""
    import asyncio  # noqa: PLC0415 - 30 ms that only live sources need
    import logging  # noqa: PLC0415 - as above

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(f"tailrace: {for_people(record.getMessage())}")

    logger = logging.getLogger("tailrace")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False

    async def serve() -> int:
        try:
            said = await source.open()
        except OSError as error:
            say(f"tailrace: {for_people(_cannot_listen(error))}")
            return _UNREADABLE
        loop = asyncio.get_running_loop()
        signals.wake = lambda: loop.call_soon_threadsafe(source.wake)
        say(f"tailrace: {said}; nothing survives a crash (no checkpoint); Ctrl-C ends")
        try:
            await work()
        finally:
            signals.wake = None
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


def _cannot_listen(error: OSError) -> str:
    import errno  # noqa: PLC0415 - only for a mistake

    if error.errno == errno.EADDRINUSE:
        return f"{_reason(error)}: another program listens there; stop it, or take another port"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{_reason(error)}: ports below 1024 need rights; take a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{_reason(error)}: take an address of this machine, or 0.0.0.0 for all"
    return f"{_reason(error)}; check the host and the port"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).rstrip(".")


def _ended(code: int, lines: dict[str, Any], *, strict: bool, failed: bool) -> int:
    """Say where all lines went, and return the exit code."""
    sys.stdout.flush()
    said = lines_summary(lines)
    if lines["rejected"].get("no-match") and lines["rejected"]["no-match"] == lines["fed"]:
        said += "; no line is of this format, see --log-format"
    print(f"tailrace: {said}", file=sys.stderr)
    if code == 0 and (failed or (strict and lines["rejected"])):
        return 1
    return code
