"""The verb that counts: its arguments, and what it prints."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from tailrace.cli import inputs
from tailrace.cli.parser import UsageError
from tailrace.cli.progress import Progress, goes_to_file
from tailrace.cli.running import UNREADABLE, ended, said_problems, say_formats, served
from tailrace.cli.signals import Signals
from tailrace.durations import micros
from tailrace.errors import TailraceError
from tailrace.names import one_of
from tailrace.outputs.blocks import FORMATS, Blocks
from tailrace.outputs.screen import Screen
from tailrace.samples import Samples
from tailrace.sources.text import STDIN, LiveInput
from tailrace.terminal.streams import OutputError, say
from tailrace.terminal.style import COLORS, is_terminal, wants_color

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from io import TextIOWrapper

    from tailrace.cli.parser import Parser
    from tailrace.driver import Run
    from tailrace.outputs import Output
    from tailrace.query import Query
    from tailrace.snapshot import Snapshot
    from tailrace.sources import LiveSource

__all__ = ["add_verb"]

_ABOUT = """\
Show what comes most often.

A SOURCE is a path, - for standard input (in a pipe it need not be named), or
flume://HOST:PORT to stand in for a Flume AvroSource; there may be several, of any kind. Without a
window a file is counted to its end; with one, every slide is answered (by the log's time a run of
empty windows only once). Files in gzip, bzip2, xz and zstd are unpacked. With -F a file is read
from its beginning by log time, from its end by arrival.
"""

_EXAMPLES = """\
Examples:
  tailrace top access.log
  tailrace top access.log --window 1h --slide 15m --by host
  tailrace top access.log --window 1h --slide 1h --limit all --format csv > hours.csv
  tailrace top access.log --where 'status == 404' --since yesterday --until today
  tailrace top -F access.log --window 5m
  tail -F access.log | tailrace top --window 5m
  tailrace top flume://127.0.0.1:9092 --log-format classic

"""

_SLIDE = "1s"


def add_verb(verbs: Any) -> Parser:  # noqa: ANN401 - argparse does not export it
    """Add the verb, and return its parser."""
    parser = inputs.add_verb(verbs, "top", _ABOUT, _EXAMPLES)
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
    parser.set_defaults(act=_top)
    return parser


def _top(given: argparse.Namespace) -> int:
    names, failed = inputs.sources(given)
    window = given.window
    hint = None
    try:
        given.log_format = inputs.log_format(given)
        one_of(given.format, FORMATS, "output format")
        one_of(given.color, COLORS, "choice of --color")
        query = inputs.query(names, given).count(by=given.by)
        query = query.sorted() if given.limit == "all" else query.top(_number(given.limit))
        options = {
            "every": given.slide,
            "time": given.time,
            "lateness": given.lateness,
            "idle_timeout": given.idle_timeout,
        }
        set_ones: dict[str, Any] = {name: value for name, value in options.items() if value}
        if window is None and (given.follow or any(inputs.is_flume(name) for name in names)):
            window = "300s"
        if window is not None:
            if micros(window, "window") > micros(_SLIDE, "slide") and not given.slide:
                hint = f"an answer for each second of the log; --slide {window} gives fewer"
            set_ones.setdefault("every", _SLIDE)
            query = query.window(window, batch_interval=given.batch_interval, **set_ones)
        else:
            _check_no_window(given)
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error
    if window is None and STDIN in names and LiveInput.is_waited_for() and sys.stderr.isatty():
        say("tailrace: reading to the end of the input; --window 5m shows it live")
    return run_top(
        query,
        by=given.by,
        output=given.format,
        color=given.color,
        windowed=window is not None,
        hint=hint,
        typed=inputs.is_typed(names),
        strict=given.strict,
        failed=failed,
        jobs=inputs.jobs(given),
    )


def _check_no_window(given: argparse.Namespace) -> None:
    """Refuse what means nothing without a window; as a default it waits for one."""
    for option in ("slide", "time", "lateness", "idle_timeout"):
        if getattr(given, option) and not given.defaults.hold(given, option):
            name = option.replace("_", "-")
            raise UsageError(f"--{name} needs a window too, such as --window 300s", given.verb)


def _number(limit: str) -> int:
    if limit.isascii() and limit.isdigit() and int(limit) > 0:
        return int(limit)
    raise ValueError(f"--limit: {limit!r} is no number of rows; write 1 or more, or all")


# Those of the output are `OutputError`.
_INPUT_ERRORS = (OSError, TailraceError)


def run_top(
    query: Query,
    *,
    by: str,
    output: str,
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
    out: Output
    if run.live is not None and output == "text" and is_terminal(sys.stdout):
        out = Screen(sys.stdout, color=wants_color(color, sys.stdout))
    else:
        out = Blocks(
            sys.stdout,
            output=output,
            by=by,
            color=output == "text" and wants_color(color, sys.stdout),
        )
    with Signals(run.wish) as signals:
        live, files = run.live, run.at_hand
        code = 0
        if files is not None:
            if hint is not None and sys.stdout.isatty():
                say(f"tailrace: {hint}")
            shown = not typed and (not windowed or goes_to_file())
            signals.progress = progress = Progress(files.progress, shown=shown)
            code = _replayed(run, out, progress, windowed=windowed)
        elif live is not None:
            code = served(live, signals, lambda: _serve(run, live, out), out.say)
        if code == UNREADABLE:
            return 2
        rest: Iterable[Snapshot] = ()
        if signals.number is not None or out.newest_only:
            rest = run.stop()
        elif live is not None:
            rest = run.finish()
        for snapshot in rest:
            out.show(snapshot)
        out.end()
        if live is not None and run.problems:
            # They were told when they came.
            code = 1
        code = signals.code or code
    return ended(code, run.lines(), run.samples, strict=strict, failed=failed)


def _replayed(run: Run, out: Output, progress: Progress, *, windowed: bool) -> int:
    """Show every snapshot, and say what could not be read."""
    try:
        with progress:
            for snapshot in run.snapshots():
                say_formats(run.intake, progress.say)
                if not windowed:
                    # The only answer comes at the end, maybe to where the line stands.
                    progress.end()
                out.show(snapshot)
    except BrokenPipeError:
        raise
    except _INPUT_ERRORS as error:
        # One of several is told below with the others.
        if error not in run.problems:
            return said_problems([error])
    return said_problems(run.problems)


async def _serve(run: Run, source: LiveSource, out: Output) -> None:
    import asyncio  # noqa: PLC0415 - loaded already where a loop runs

    loop = asyncio.get_running_loop()
    # Between two steps of the loop nothing is half drawn.
    loop.add_signal_handler(signal.SIGWINCH, _drawn, out.resized)
    loop.add_signal_handler(signal.SIGCONT, _drawn, out.continued)
    out.refresh(run.status())
    async for snapshot in run.serve(source, newest_only=out.newest_only):
        say_formats(run.intake, out.say)
        if snapshot is not None:
            out.show(snapshot, run.status())
        else:
            out.refresh(run.status())
    say_formats(run.intake, out.say)


def _drawn(draw: Callable[[], None]) -> None:
    # What cannot be written any more is said by the next answer.
    with suppress(OutputError, BrokenPipeError):
        draw()
