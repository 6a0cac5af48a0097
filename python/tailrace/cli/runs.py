"""What a verb does once its arguments are understood: run, print, end in good order."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn, cast

from tailrace import _core
from tailrace.outputs.escape import for_people
from tailrace.outputs.screen import Blocks, Screen, is_terminal
from tailrace.outputs.text import lines_summary

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from types import FrameType

    from tailrace.driver import Run
    from tailrace.query import Query
    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["run_parse", "run_top"]

_INTERRUPTED = 130


def run_top(query: Query, *, json: bool, strict: bool, failed: bool) -> int:
    """Print the snapshots of a query."""
    run = query.start()
    live = run.live is not None
    out: Screen | Blocks = Blocks(sys.stdout, json=json)
    if live and not json and is_terminal(sys.stdout):
        out = Screen(sys.stdout)
    if run.live is None:
        code = _replayed(lambda: _show(run, out), lambda: _show_last(run, out))
    else:
        code = _served(run.live, out.say, lambda stop: _serve(run, out, stop))
        if code in {0, _INTERRUPTED}:
            _show_last(run, out)
    if code == _UNREADABLE:
        return 2
    return _ended(code, run.lines(), strict=strict, failed=failed)


def _show(run: Run, out: Screen | Blocks) -> None:
    for snapshot in run:
        out.show(snapshot)


def _show_last(run: Run, out: Screen | Blocks) -> None:
    for snapshot in run.stop():
        out.show(snapshot)


async def _serve(run: Run, out: Screen | Blocks, stop: asyncio.Event) -> None:
    assert run.live is not None  # noqa: S101 - for the type checker
    async for snapshot in run.serve(run.live, stop):
        out.show(snapshot)


def run_parse(query: Query, *, fields: list[str], strict: bool, failed: bool) -> int:
    """Print the fields of every line."""
    parser = _Parser(query.log_format, fields)
    source = query.open_source()
    if hasattr(source, "chunks"):
        code = _replayed(lambda: parser.replay(cast("Source", source)), lambda: None)
    else:
        live = source
        code = _served(live, Blocks.say, lambda stop: parser.serve(live, stop))
    if code == _UNREADABLE:
        return 2
    return _ended(code, parser.lines, strict=strict, failed=failed)


class _Parser:
    def __init__(self, log_format: str, fields: list[str]) -> None:
        self._format = log_format
        self._fields = fields
        self.lines: dict[str, Any] = {
            "fed": 0,
            "counted": 0,
            "late": 0,
            "filtered": 0,
            "rejected": {},
        }

    def replay(self, source: Source) -> None:
        for chunk in source.chunks():
            self._write(chunk)

    async def serve(self, source: LiveSource, stop: asyncio.Event) -> None:
        while not stop.is_set():
            chunks = await source.receive(0.2)
            if chunks is None:
                return
            for chunk in chunks:
                self._write(chunk)

    def _write(self, chunk: Chunk) -> None:
        answer = chunk.answer or (lambda _: None)
        try:
            text, lines = _core.write_json(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=self._format,
                fields=self._fields,
            )
        except _core.BatchError as error:
            answer(str(error))
            return
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        for name in ("fed", "counted"):
            self.lines[name] += lines[name]
        for reason, count in lines["rejected"].items():
            self.lines["rejected"][reason] = self.lines["rejected"].get(reason, 0) + count
        answer(None)


class _Stopped(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        self.number = number


_UNREADABLE = -1


def _replayed(work: Callable[[], None], rest: Callable[[], None]) -> int:
    """
    Do the work; on Ctrl-C or SIGTERM do the rest and say by the code which it was.

    A second signal ends the process at once, as if there were no handler.
    """

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        raise _Stopped(number)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        work()
    except _Stopped as stopped:
        rest()
        return _INTERRUPTED if stopped.number == signal.SIGINT else 0
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        rest()
        print(f"tailrace: {for_people(str(error))}", file=sys.stderr)
        return 1
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
    return 0


def _served(
    source: LiveSource,
    say: Callable[[str], None],
    work: Callable[[asyncio.Event], Awaitable[None]],
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
    code = 0

    async def serve() -> None:
        nonlocal code
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stopped(number: int) -> None:
            nonlocal code
            code = _INTERRUPTED if number == signal.SIGINT else 0
            stop.set()
            # A second one ends the process at once.
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped, number)
        try:
            said = await source.open()
        except OSError as error:
            code = _UNREADABLE
            say(f"tailrace: {for_people(_cannot_listen(error))}")
            return
        say(f"tailrace: {said}; nothing survives a crash (no checkpoint); Ctrl-C ends")
        try:
            await work(stop)
        finally:
            await source.close()

    try:
        asyncio.run(serve())
    finally:
        logger.removeHandler(handler)
    return code


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
