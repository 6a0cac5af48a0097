"""The verbs and their options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

import tailrace as tr
from tailrace import _core
from tailrace.errors import TailraceError
from tailrace.names import checked_fields, checked_format, one_of
from tailrace.outputs.escape import for_people
from tailrace.query import Query, from_files, from_flume
from tailrace.sources.text import STDIN, check_log

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["tailrace"]

_FLUME = "flume://"
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT, epilog="Each verb has its own --help.")
@click.version_option(tr.__version__, message="tailrace %(version)s")
def tailrace() -> None:
    """What happened in the last N seconds of this log, by key, ranked; live and exact."""


def _source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--strict", is_flag=True, help="Exit with 1 if a line was rejected."),
        click.option(
            "--log-format",
            default="combined",
            show_default=True,
            metavar="NAME",
            help=f"What the lines look like: {' or '.join(_core.FORMATS)}.",
        ),
        click.argument("sources", metavar="SOURCE...", nargs=-1),
    ):
        command = decorate(command)
    return command


# In click's help a line with this character keeps the lines below it as they are.
_AS_IT_IS = "\b\n"

_TOP_EXAMPLES = (
    _AS_IT_IS
    + """Examples:
  tailrace top access.log
  tailrace top access.log --window 1h --slide 15m --by host
  tail -F access.log | tailrace top --window 5m
  tailrace top flume://127.0.0.1:9092 --log-format classic"""
)

_PARSE_EXAMPLES = (
    _AS_IT_IS
    + """Fields:
  classic   host user time request status size referer agent url
  combined  host user time method url protocol status size referer agent, and request

"""
    + _AS_IT_IS
    + """Examples:
  tailrace parse access.log --fields host,url,status
  zcat access.log.*.gz | tailrace parse - | jq -r .agent"""
)


@tailrace.command(context_settings=_CONTEXT, epilog=_TOP_EXAMPLES)
@_source_options
@click.option(
    "--by", default="url", show_default=True, metavar="FIELD", help="Which field to count by."
)
@click.option(
    "--limit",
    default="10",
    show_default=True,
    metavar="N|all",
    help="How many rows to show.",
)
@click.option(
    "--window",
    metavar="DURATION",
    help="Look at the last 300s, 5m, 1h … only. [default: all of a file, 300s of Flume]",
)
@click.option(
    "--slide",
    metavar="DURATION",
    help="How often the window is answered; divides the window. [default: 1s]",
)
@click.option(
    "--batch-interval",
    default="1s",
    show_default=True,
    metavar="DURATION",
    help="How often the clock of a live source is looked at.",
)
@click.option(
    "--time",
    metavar="arrival|log",
    help="Which time places a line in a window: when it came, or its own. "
    "[default: log for files, else arrival]",
)
@click.option(
    "--lateness",
    metavar="DURATION",
    help="How long to wait for late lines, with --time log. [default: 60s]",
)
@click.option(
    "--format",
    "output",
    default="text",
    show_default=True,
    metavar="text|jsonl",
    help="Tables for people, or one JSON object a line.",
)
def top(  # noqa: PLR0917 - click passes them by name
    sources: tuple[str, ...],
    log_format: str,
    strict: bool,  # noqa: FBT001 - as above
    by: str,
    limit: str,
    window: str | None,
    slide: str | None,
    batch_interval: str,
    time: str | None,
    lateness: str | None,
    output: str,
) -> int:
    """
    Show what comes most often.

    A SOURCE is a path, - for standard input (in a pipe it need not be named), or flume://HOST:PORT
    to stand in for a Flume AvroSource. Without a window a file is counted to its end; with one,
    every slide is answered.
    """
    names, failed = _sources(sources)
    try:
        one_of(output, ["text", "jsonl"], "output format")
        query = _query(names, log_format).count(by=by)
        query = query.sorted() if limit == "all" else query.top(_number(limit))
        options = {"every": slide, "time": time, "lateness": lateness}
        given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
        if window is None and names[0].startswith(_FLUME):
            window = "300s"
        if window is not None:
            given.setdefault("every", "1s")
            query = query.window(window, batch_interval=batch_interval, **given)
        elif given:
            option = "slide" if slide is not None else next(iter(given))
            raise _usage(f"--{option} needs a window too, such as --window 300s")
    except ValueError as error:
        raise _usage(str(error)) from error
    from tailrace.cli.runs import run_top  # noqa: PLC0415 - a wrong argument needs none of it

    return run_top(query, json=output == "jsonl", strict=strict, failed=failed)


@tailrace.command(context_settings=_CONTEXT, epilog=_PARSE_EXAMPLES)
@_source_options
@click.option(
    "--fields",
    metavar="NAME,NAME…",
    help="Which fields to give. [default: all of the format]",
)
@click.option(
    "--format",
    "output",
    default="jsonl",
    show_default=True,
    metavar="jsonl",
    help="One object a line.",
)
def parse(
    sources: tuple[str, ...],
    log_format: str,
    strict: bool,  # noqa: FBT001 - click passes it by name
    fields: str | None,
    output: str,
) -> int:
    """Turn lines into their fields, in the order of the input."""
    names, failed = _sources(sources)
    try:
        one_of(output, ["jsonl"], "output format")
        checked_format(log_format)
        wanted = _core.columns(log_format) if fields is None else fields.split(",")
        checked_fields(wanted, log_format)
        query = _query(names, log_format)
    except ValueError as error:
        raise _usage(str(error)) from error
    from tailrace.cli.runs import run_parse  # noqa: PLC0415 - a wrong argument needs none of it

    return run_parse(query, fields=wanted, strict=strict, failed=failed)


def _usage(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())


def _sources(sources: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """
    Return the sources that can be read, and whether there are others; says which and why.

    Without any, that is standard input if it is no terminal.
    """
    if not sources:
        if sys.stdin is None or sys.stdin.isatty():
            raise _usage("no source; name a file, - for standard input, or flume://HOST:PORT")
        return (STDIN,), False
    if any(source.startswith(_FLUME) for source in sources):
        if len(sources) > 1:
            raise _usage("flume:// stands alone; run one tailrace for each live source")
        return sources, False
    if sources.count(STDIN) > 1:
        raise _usage("standard input can be read once; name - once")
    good = tuple(source for source in sources if _can_be_read(source))
    if not good:
        raise click.exceptions.Exit(2)
    return good, len(good) < len(sources)


def _can_be_read(source: str) -> bool:
    try:
        check_log(source)
    except TailraceError as error:
        click.echo(f"tailrace: {for_people(str(error))}", err=True)
    except OSError as error:
        click.echo(f"tailrace: {for_people(source)}: {_mend(source, error)}", err=True)
    else:
        return True
    return False


def _mend(source: str, error: OSError) -> str:
    """Say what is wrong with a source, and how to mend it where that is known."""
    if isinstance(error, FileNotFoundError) and "://" in source:
        return "no such source; a source is a path, - or flume://HOST:PORT"
    if isinstance(error, FileNotFoundError):
        return "no such file; check the name"
    if isinstance(error, IsADirectoryError):
        return f"is a directory; name the files in it, such as {for_people(source.rstrip('/'))}/*"
    if isinstance(error, PermissionError):
        return "may not be read by this user; change its mode, or run as a user who may"
    return error.strerror or str(error)


def _query(names: tuple[str, ...], log_format: str) -> Query:
    if names[0].startswith(_FLUME):
        return from_flume(names[0].removeprefix(_FLUME), format=log_format)
    return from_files(*names, format=log_format)


def _number(limit: str) -> int:
    if limit.isascii() and limit.isdigit() and int(limit) > 0:
        return int(limit)
    raise ValueError(f"--limit: {limit!r} is no number of rows; write 1 or more, or all")
