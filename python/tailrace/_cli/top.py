"""The verb that counts: its arguments, and what it prints."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from tailrace._cli import inputs
from tailrace._cli.progress import Progress, goes_to_file
from tailrace._cli.running import UNREADABLE, ended, replayed, say_formats, served
from tailrace._cli.signals import Signals
from tailrace._durations import micros
from tailrace._names import one_of
from tailrace._outputs.blocks import FORMATS, Blocks
from tailrace._samples import Samples
from tailrace._sources.text import STDIN, LiveInput
from tailrace._terminal.streams import OutputError, say
from tailrace._terminal.style import COLORS, is_terminal, wants_color

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from io import TextIOWrapper

    from tailrace._cli.parser import Parser
    from tailrace._outputs import Output
    from tailrace._query import Query
    from tailrace._runtime.counting import Counting
    from tailrace._runtime.run import Run
    from tailrace._snapshot import Snapshot

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [SOURCE]..."

ABOUT = """\
Show what comes most often.

A SOURCE is a path, - for standard input (in a pipe it need not be named), or
flume://HOST:PORT to stand in for a Flume AvroSource; there may be several, of any kind. Without a
window a file is counted to its end; with one, every slide is answered (by the log's time a run of
empty windows only once). Files in gzip, bzip2, xz and zstd are unpacked. With -F a file is read
from its beginning by log time, from its end by arrival.
"""

EXAMPLES = f"""\
{inputs.FIELDS}Examples:
  tailrace top access.log
  tailrace top access.log --window 1h --slide 15m --by host
  tailrace top access.log --window 1h --slide 1h --limit all --format csv > hours.csv
  tailrace top access.log --where 'status == 404' --since yesterday --until today
  tailrace top -F access.log --window 5m
  tail -F access.log | tailrace top --window 5m
  tailrace top flume://127.0.0.1:9092 --log-format classic

"""

_SLIDE = "1s"


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    inputs.add_arguments(parser, "tailrace help parse")
    option = parser.add_argument
    option("--by", default="url", metavar="FIELD", help="which field to count by (default url)")
    option(
        "-n", "--limit", default="10", metavar="N|all", help="how many rows to show (default 10)"
    )
    option(
        "--window",
        metavar="DURATION",
        help="look only at the last 300s, 5m, 1h, ... (default: all of a file, 300s of what is "
        "live)",
    )
    option(
        "--slide",
        metavar="DURATION",
        help="how often the window is answered; divides the window (default 1s)",
    )
    option(
        "--batch-interval",
        default="1s",
        metavar="DURATION",
        help="how often the clock of a live source is looked at (default 1s)",
    )
    option(
        "--time",
        metavar="arrival|header|log",
        help="which time places a line in a window: when it came, that of its Flume event's "
        "header, or its own (default: log where there are files, else arrival)",
    )
    option(
        "--lateness",
        metavar="DURATION",
        help="how long to wait for late lines; a window is answered so long after its end (default "
        "60s with --time log, 5s with header)",
    )
    option(
        "--idle-timeout",
        metavar="DURATION",
        help="how long one of several live sources may be silent before the others are answered "
        "without it, with --time log or header (default: they wait)",
    )
    option(
        "--format",
        default="text",
        metavar="text|jsonl|csv",
        help="tables for people, one JSON object a line, or CSV (default text)",
    )
    option(
        "--color",
        default="auto",
        metavar="auto|always|never",
        help="colour the tables: on a terminal unless NO_COLOR is set, or as said (default auto)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return what is to be done."""
    names, failed = inputs.sources(given)
    given.log_format = inputs.log_format(given)
    one_of(given.format, FORMATS, "output format")
    one_of(given.color, COLORS, "choice of --color")
    query = _query(names, given)
    to_end = given.window is None and STDIN in names and LiveInput.is_waited_for()
    if to_end and sys.stderr.isatty():
        say("tailrace: reading to the end of the input; --window 5m shows it live")
    return partial(
        _run, given, query, jobs=inputs.jobs(given), typed=inputs.is_typed(names), failed=failed
    )


def _query(names: Sequence[str], given: argparse.Namespace) -> Query:
    query = inputs.query(names, given).count(by=given.by)
    query = query.sorted() if given.limit == "all" else query.top(_number(given.limit))
    options = {
        "time": given.time,
        "lateness": given.lateness,
        "idle_timeout": given.idle_timeout,
    }
    if given.window is None and (given.follow or any(map(inputs.is_flume, names))):
        given.window = "300s"
    if given.window is None:
        for option, value in {"slide": given.slide, **options}.items():
            # As a default it waits for a window.
            if value and not given.defaults.hold(given, option):
                name = option.replace("_", "-")
                raise ValueError(f"--{name} needs a window too, such as --window 300s")
        return query
    every, interval = given.slide or _SLIDE, given.batch_interval
    set_ones: dict[str, Any] = {name: value for name, value in options.items() if value}
    return query.window(given.window, every=every, batch_interval=interval, **set_ones)


def _number(limit: str) -> int:
    if limit.isascii() and limit.isdigit() and int(limit) > 0:
        return int(limit)
    raise ValueError(f"--limit: {limit!r} is no number of rows; write 1 or more, or all")


def _run(
    given: argparse.Namespace, query: Query, *, jobs: int | None, typed: bool, failed: bool
) -> int:
    # JSON and CSV are UTF-8; a table on another terminal shows what that cannot as an escape.
    cast("TextIOWrapper", sys.stdout).reconfigure(
        encoding=None if given.format == "text" else "utf-8", errors="backslashreplace"
    )
    run = query._start(jobs=jobs)
    counting = run.processor
    if sys.stderr.isatty():
        counting.samples = Samples(run.intake.names)
    out = _output(given, is_live=run.live is not None)
    with Signals(run.stop) as signals:
        code = 0
        rest: Iterable[Snapshot] = ()
        if run.finite is not None:
            _hint(given)
            shown = not typed and (given.window is None or goes_to_file())
            signals.progress = progress = Progress(run.finite.progress, shown=shown)
            # Without a window the only answer comes at the end, maybe to where the line stands.
            code = replayed(run, progress, out.show, once=given.window is None)
        elif run.live is not None:
            code = served(run.live, signals, lambda: _serve(run, out), out.say)
            if code == UNREADABLE:
                return 2
            rest = counting.finish()
            if run.problems:
                # They were told when they came.
                code = 1
        for snapshot in counting.stop() if signals.number is not None else rest:
            out.show(snapshot)
        out.end()
        code = signals.code or code
    return ended(code, run, strict=given.strict, failed=failed)


def _hint(given: argparse.Namespace) -> None:
    """Say how to get fewer answers where many would go by on a terminal."""
    window = given.window
    if window is None or given.slide or not sys.stdout.isatty():
        return
    if micros(window, "window") > micros(_SLIDE, "slide"):
        say(f"tailrace: an answer for each second of the log; --slide {window} gives fewer")


def _output(given: argparse.Namespace, *, is_live: bool) -> Output:
    if given.format != "text":
        return Blocks(sys.stdout, output=given.format, by=given.by)
    color = wants_color(given.color, sys.stdout)
    if is_live and is_terminal(sys.stdout):
        from tailrace._outputs.screen import Screen  # noqa: PLC0415 - most runs draw on none

        return Screen(sys.stdout, color=color)
    return Blocks(sys.stdout, output="text", by=given.by, color=color)


async def _serve(run: Run[Counting, Snapshot], out: Output) -> None:
    import asyncio  # noqa: PLC0415 - loaded already where a loop runs

    loop = asyncio.get_running_loop()
    # Between two steps of the loop nothing is half drawn.
    loop.add_signal_handler(signal.SIGWINCH, _drawn, out.resized)
    loop.add_signal_handler(signal.SIGCONT, _drawn, out.continued)
    counting = run.processor
    counting.newest_only = out.newest_only
    out.refresh(counting.status())
    async for snapshot in run.serve():
        say_formats(run.intake, out.say)
        if snapshot is not None:
            out.show(snapshot, counting.status())
        else:
            out.refresh(counting.status())
    say_formats(run.intake, out.say)


def _drawn(draw: Callable[[], None]) -> None:
    # What cannot be written any more is said by the next answer.
    with suppress(OutputError, BrokenPipeError):
        draw()
