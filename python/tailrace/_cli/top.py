"""The verb that counts and ranks: its arguments, and what it prints."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from tailrace._aggregates import count
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
from tailrace._cli.show import FUNCTIONS, columns, key_fields, note, ranking
from tailrace._cli.signals import Signals
from tailrace._errors import CheckpointError
from tailrace._format_options import naming
from tailrace._names import choice, is_interval
from tailrace._outputs.blocks import FORMATS, Blocks
from tailrace._rendering import iso
from tailrace._rendering.text import lines_summary
from tailrace._samples import Samples
from tailrace._sizes import size_bytes
from tailrace._sources.text import STDIN, LiveInput
from tailrace._terminal.escape import for_people
from tailrace._terminal.excerpt import terminal_width
from tailrace._terminal.streams import say
from tailrace._terminal.style import COLORS, is_terminal, wants_color

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from io import TextIOWrapper

    from tailrace._cli.keys import Keys
    from tailrace._cli.parser import Parser
    from tailrace._outputs import Output
    from tailrace._outputs.screen import Screen
    from tailrace._query import Query
    from tailrace._runtime.counting import Counting
    from tailrace._runtime.run import Run
    from tailrace._snapshot import Snapshot

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [SOURCE]..."

ABOUT = """\
Show the most frequent values of a field.

A SOURCE is a file, - for standard input (the default in a pipe), or flume://HOST:PORT to listen
for events, as a Flume Avro source does. Several sources of any kind can be given. Files compressed
with gzip, bzip2, xz or zstd are decompressed. In log and header time each agent has a clock of its
own; flume://HOST:PORT?sender=header:NAME identifies agents by a header, not by their address.
Further parameters, separated by &, are tls=FILE, key=FILE, clients=FILE, plain=allow,
deflate=auto|on|off and ipFilterRules=RULES; the page about Flume explains them.

Without --window, files are counted to their end and the result is printed once. With --window, a
result is printed every --slide; with --time log, a run of empty windows is printed once.

A live source is flume://HOST:PORT, a file with --follow, or a pipe with --window. In a terminal it
has a live table, with keys: q ends it with the last result, Space freezes the display while
counting continues, ? lists the keys.
"""

EXAMPLES = f"""\
{inputs.FIELDS}Examples:
  tailrace top access.log
  tailrace top access.log --window 1h --slide 15m --by host
  tailrace top access.log --window 1h --limit all --format csv > hours.csv
  tailrace top access.log --where 'status == 404' --since yesterday --until today
  tailrace top access.log.1 access.log --last 1h
  tailrace top -F access.log --window 5m
  tail -F access.log | tailrace top --window 5m
  tailrace top flume://127.0.0.1:9092 --log-format classic

Questions:
  bandwidth by client     tailrace top access.log --by host --show 'sum(size), count'
  p99 by path             tailrace top access.log --by path --show 'p99(request_time), count'
  bytes by status         tailrace top access.log --by status --show 'sum(size), share(size)'
  share of 5xx by path    tailrace top access.log --by path --show 'share(status >= 500), count'
  slowest requests        tailrace top access.log --by method,path --show 'max(request_time)'

Signals:
  INT, TERM, QUIT, HUP    end with the last result; the second ends at once
  HUP                     without a controlling terminal: read the file of --geoip again
  USR1                    print the window as it is, with the counters, to standard error

{FUNCTIONS}"""

# The slide of live sources by default.
_SLIDE = "1s"

_MAX_KEYS = 1_000_000_000

_TIMES = ["arrival", "header", "log"]


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    inputs.add_arguments(
        parser,
        conditions="'Conditions' in 'tailrace help parse'",
        follow="starts at the beginning of each file; with --time arrival, at its end",
    )
    option = parser.add_argument
    option(
        "--by",
        default="url",
        metavar="FIELD,FIELD...",
        help="the field, or fields, whose values have a row each (default: url)",
    )
    option(
        "--show",
        default="count",
        metavar="EXPR,EXPR...",
        help="columns to show, such as 'count, sum(size), p99(request_time)'; see Functions below "
        "(default: count)",
    )
    option(
        "--sort",
        metavar="COLUMN|+COLUMN",
        help="column or field to sort rows by, the largest first, or with + the smallest; p99 is "
        "enough for p99(request_time) (default: the first column)",
    )
    option(
        "-n",
        "--limit",
        metavar="N|all",
        help="number of rows to show, or all of them (default: 10; all with --by time:1h)",
    )
    option(
        "--window",
        metavar="DURATION",
        help="count only the last 300s, 5m, 1h30m, ... (default: all lines; with flume:// or "
        "--follow, 300s)",
    )
    option(
        "--slide",
        metavar="DURATION",
        help="how often to print a result; must divide the window (default: the window, so that "
        "each line counts once; with live sources 1s)",
    )
    option(
        "--offset",
        metavar="DURATION",
        help="shift the windows: they end at multiples of --slide since the epoch, in UTC, plus "
        "this; with 5h, windows of 1d begin at 05:00, with -5h at 19:00 (default: 0s)",
    )
    option(
        "--batch-interval",
        default="1s",
        metavar="DURATION",
        help="with live sources, how often to check whether a result is due, and thus how late it "
        "can be printed (default: 1s)",
    )
    option(
        "--time",
        metavar="arrival|header|log",
        help="which time assigns a line to windows: arrival, when it is read; header, the "
        "timestamp header of its Flume event; log, the time in the line (default: log if any "
        "source is a file, otherwise arrival)",
    )
    option(
        "--lateness",
        metavar="DURATION",
        help="how long to wait for out-of-order lines before printing a window's result; lines "
        "that arrive after that are late and not counted; a live table shows windows before that "
        "(default: 5s with --time header, or if every source is flume:// or followed; otherwise "
        "60s)",
    )
    option(
        "--idle-timeout",
        metavar="DURATION",
        help="with live sources and --time log or header: print results without waiting for a "
        "source or agent that has been silent this long (default: 60s)",
    )
    option(
        "--max-ahead",
        metavar="DURATION",
        help="with --time log or header: reject lines, as future, whose time is ahead of the clock "
        "by more than this (default: 1h with live sources, no limit for files)",
    )
    option(
        "--max-behind",
        metavar="DURATION",
        help="with live sources and --time log or header: reject lines, as past, that are older "
        "than this (default: the window and 1d for flume://, no limit for others)",
    )
    option(
        "--max-keys",
        metavar="N",
        help="keep at most N keys in a window; the others share one row, (other), and totals stay "
        "exact (default: no limit)",
    )
    option(
        "--max-key-bytes",
        metavar="SIZE",
        help="use at most 64MiB, 1G, ... of memory for keys, each with its bytes and 128 more; new "
        "keys share one row, (other), while it is full, and totals stay exact (default: 256MiB "
        "with live sources and a window, otherwise no limit)",
    )
    option(
        "--checkpoint",
        metavar="DIR",
        help="keep the state and the positions of files in this directory, so that a run after a "
        "crash or a stop goes on where this one was; lines are acknowledged when they are on disk "
        "(default: state is in memory only)",
    )
    option(
        "--format",
        default="text",
        metavar="text|jsonl|csv",
        help="print tables, one JSON object per result, or CSV (default: text)",
    )
    option(
        "--color",
        default="auto",
        metavar="auto|always|never",
        help="when to color tables; auto is on a terminal unless NO_COLOR is set (default: auto)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    names, failed = inputs.sources(given)
    given.log_format = inputs.log_format(given)
    choice(given.format, FORMATS, "--format")
    choice(given.color, COLORS, "--color")
    query = _query(names, given)
    to_end = given.window is None and STDIN in names and LiveInput.is_waited_for()
    if to_end and sys.stderr.isatty():
        say("tailrace: reading standard input to its end; use --window 5m for live results")
    jobs = inputs.jobs(given)
    checkpoint = given.checkpoint
    if checkpoint is not None:
        if given.last is not None:
            raise ValueError("--checkpoint: cannot be combined with --last; use --window")
        if not checkpoint:
            raise ValueError("--checkpoint: expected the path of a directory, found ''")
    try:
        # Before a source is opened, it checks the types of fields.
        with nullcontext() if checkpoint is None else warnings_to(say):
            run = query._start(jobs=jobs, checkpoint=checkpoint)
    except CheckpointError as error:
        raise ValueError(f"--checkpoint: {error}") from error
    except ValueError as error:
        option = "--by" if "count by" in str(error) else "--show"
        raise ValueError(f"{option}: {error}") from error
    return partial(
        _run, given, run, typed=inputs.is_typed(names), piped=STDIN in names, failed=failed
    )


def _query(names: Sequence[str], given: argparse.Namespace) -> Query:
    query = inputs.query(names, given)
    query = _limited(_ranked(_aggregated(query, given), given), given)
    options = {
        "offset": given.offset,
        "time": given.time,
        "lateness": given.lateness,
        "idle_timeout": given.idle_timeout,
        "max_ahead": given.max_ahead,
        "max_behind": given.max_behind,
    }
    if given.window is None and (given.follow or any(map(inputs.is_flume, names))):
        given.window = "300s"
    if given.window is None:
        if given.time and not given.defaults.hold(given, "time"):
            choice(given.time, _TIMES, "--time")
        for option, value in {"slide": given.slide, **options}.items():
            # A default from the environment applies only with a window.
            if value and not given.defaults.hold(given, option):
                name = option.replace("_", "-")
                raise ValueError(f"--{name}: needs --window, such as --window 300s")
        return query
    every = given.slide or (_SLIDE if _is_live(names, given) else None)
    interval = given.batch_interval
    settings: dict[str, Any] = {name: value for name, value in options.items() if value}
    return query.window(given.window, every=every, batch_interval=interval, **settings)


def _is_live(names: Sequence[str], given: argparse.Namespace) -> bool:
    """Report whether a source of windows has no end that is known: all but files at rest."""
    return any(
        inputs.is_flume(name) or (given.follow and name != STDIN) or LiveInput.is_waited_for(name)
        for name in names
    )


def _aggregated(query: Query, given: argparse.Namespace) -> Query:
    """Return the query with its key and its columns, which are added to *given*."""
    with naming("--by"):
        given.keys = key_fields(given.by)
        if given.format == "csv" and (taken := {"start", "end"}.intersection(given.keys)):
            raise ValueError(
                f"CSV has a column {min(taken)!r} already, for the window; choose another format"
            )
        # No field is called like this column, so only the key can be wrong.
        query._aggregated(given.keys, {"": count()})
    with naming("--show"):
        given.shown = columns(given.show, given.keys)
        return query._aggregated(given.keys, given.shown)


def _ranked(query: Query, given: argparse.Namespace) -> Query:
    # A table over time has every row, by time.
    is_over_time = len(given.keys) == 1 and is_interval(given.keys[0], given.log_format)
    limit = given.limit or ("all" if is_over_time else "10")
    try:
        order_by, ascending = ranking(given.sort, given.shown, given.keys)
    except ValueError as error:
        if not given.defaults.hold(given, "sort"):
            raise ValueError(f"--sort: {error}") from error
        say(f"tailrace: TAILRACE_SORT is not used: {for_people(str(error))}")
        given.sort, order_by, ascending = None, None, False
    if is_over_time and not given.sort:
        order_by, ascending = given.keys[0], True
    if limit == "all":
        return query.sorted(order_by, ascending=ascending)
    return query.top(_number(limit), order_by=order_by, ascending=ascending)


def _limited(query: Query, given: argparse.Namespace) -> Query:
    if given.max_keys is not None:
        query = query.max_keys(inputs.positive(given.max_keys, "--max-keys", "keys", _MAX_KEYS))
    if given.max_key_bytes is not None:
        size = size_bytes(given.max_key_bytes, "--max-key-bytes")
        query = query.max_key_bytes(size)
    return query


def _number(limit: str) -> int:
    if limit.isascii() and limit.isdigit() and int(limit) > 0:
        return int(limit)
    raise ValueError(f"--limit: expected a number of rows, at least 1, or all, found {limit!r}")


def _run(
    given: argparse.Namespace,
    run: Run[Counting, Snapshot],
    *,
    typed: bool,
    piped: bool,
    failed: bool,
) -> int:
    # JSON and CSV are UTF-8. A table uses the terminal's encoding, and escapes the rest.
    cast("TextIOWrapper", sys.stdout).reconfigure(
        encoding=None if given.format == "text" else "utf-8", errors="backslashreplace"
    )
    counting = run.processor
    counting.key_limit_name = "--max-key-bytes"
    if sys.stderr.isatty():
        run.sampler.samples = Samples(run.intake.names)
    screen = _screen(given) if run.live is not None else None
    out: Output = _blocks(given) if screen is None else screen
    speak: Callable[[str], object] = out.say
    signals = Signals(
        run.stop,
        lambda: speak(_so_far(run)),
        lambda: speak(reload(given, run, None)),
    )

    def report(text: str) -> None:
        speak(text)

    # Reading files without a checkpoint has no warnings.
    has_warnings = run.live is not None or given.checkpoint is not None
    with signals, warnings_to(report) if has_warnings else nullcontext():
        code = 0
        rest: Iterable[Snapshot] = ()
        if run.finite is not None:
            shown = not typed and (given.window is None or goes_to_file())
            signals.progress = progress = Progress(run.progress, shown=shown)
            speak = progress.say
            # Without a window the only result comes at the end, maybe onto the progress line.
            code = replayed(run, progress, out.show, once=given.window is None)
            if run.is_unanswered:
                return signals.code or code
            _say_note(given)
        elif run.live is not None:
            _say_note(given)
            # What is typed at the terminal are lines.
            keys = None if screen is None or typed else _keys(screen, signals, waits=piped)
            code = served(
                run.live,
                signals,
                lambda: _serve(run, out, keys),
                out.say,
                state=run.pump.commit.describe(),
            )
            if code == UNREADABLE or run.is_refused:
                return 2
            rest = counting.finish()
            if run.problems:
                # They were reported when they occurred.
                code = 1
        unfinished = None
        for snapshot in counting.stop() if signals.is_stopped else rest:
            out.show(snapshot)
            unfinished = unfinished or (None if snapshot.final else iso(snapshot.end))
        if unfinished is not None and given.format == "csv":
            # Its columns are those of rows.
            out.say(
                f"tailrace: results from {unfinished} on are not final; the next run prints them "
                "again"
            )
        out.end()
        code = signals.code or code
    return ended(code, run, strict=given.strict, failed=failed)


def _so_far(run: Run[Counting, Snapshot]) -> str:
    """Return the window as it is, for SIGUSR1, with how far the run is."""
    from tailrace._rendering.drawings import canvas_of  # noqa: PLC0415 - only after a signal
    from tailrace._rendering.table import table  # noqa: PLC0415 - as above

    lines = lines_summary(run.sampler.lines())
    found = None if run.is_unanswered else run.processor.so_far()
    if found is None:
        return f"tailrace: so far {lines}; there is no window yet"
    is_shown = sys.stderr.isatty()
    canvas = canvas_of(sys.stderr, terminal_width(sys.stderr) if is_shown else None)
    shown = table(found, canvas, grouped=is_shown)
    return f"tailrace: so far {lines}; this result is not final:\n{shown}"


def _screen(given: argparse.Namespace) -> Screen | None:
    if given.format != "text" or not is_terminal(sys.stdout):
        return None
    from tailrace._outputs.screen import Screen  # noqa: PLC0415 - most runs draw on none

    return Screen(sys.stdout, color=wants_color(given.color, sys.stdout))


def _say_note(given: argparse.Namespace) -> None:
    if approximate := note(given.shown):
        say(f"tailrace: {for_people(approximate)}")


def _blocks(given: argparse.Namespace) -> Blocks:
    color = given.format == "text" and wants_color(given.color, sys.stdout)
    names = [*given.keys, *given.shown]
    return Blocks(sys.stdout, output=given.format, columns=names, color=color)


def _keys(screen: Screen, signals: Signals, *, waits: bool) -> Keys:
    from tailrace._cli.keys import Keys  # noqa: PLC0415 - most runs have none

    return Keys(screen, signals, waits=waits)


async def _serve(run: Run[Counting, Snapshot], out: Output, keys: Keys | None) -> None:
    import asyncio  # noqa: PLC0415 - loaded already where a loop runs

    from tailrace._cli.keys import redraw  # noqa: PLC0415 - only live tables are drawn again

    loop = asyncio.get_running_loop()
    # The loop runs these between two steps, when nothing is half drawn.
    loop.add_signal_handler(signal.SIGWINCH, redraw, out.resized)
    loop.add_signal_handler(signal.SIGCONT, redraw, out.continued)
    counting = run.processor
    counting.newest_only = out.newest_only
    with keys or nullcontext():
        out.refresh(counting.status())
        async for snapshot in run.serve():
            say_formats(run.intake, out.say)
            status = counting.status()
            if keys is not None:
                keys.attend(status.lines["fed"])
            if snapshot is not None:
                out.show(snapshot, status)
            else:
                out.refresh(status)
    say_formats(run.intake, out.say)
