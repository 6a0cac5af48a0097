"""The verbs and their options."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import tailrace as tr
from tailrace import _core
from tailrace.cli import completions
from tailrace.cli.parser import Parser, UsageError
from tailrace.durations import micros
from tailrace.errors import TailraceError
from tailrace.names import AUTO, checked_fields, checked_format, host_and_port, one_of, suggestion
from tailrace.outputs import arrow
from tailrace.outputs.blocks import FORMATS
from tailrace.query import Query, from_files, from_flume, merge
from tailrace.sources.globs import is_pattern, matching
from tailrace.sources.text import STDIN, LiveInput, check_log
from tailrace.terminal.escape import for_people
from tailrace.terminal.streams import say
from tailrace.terminal.style import COLORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.outputs.rejects import RejectsFile

__all__ = ["UsageError", "parsers", "run"]

_FLUME = "flume://"

# Of the command itself; all others belong to a verb.
_OWN_OPTIONS = ["--help", "-h", "--version", "-V"]

_ABOUT = "What happened in the last N seconds of this log, by key, ranked; live and exact."

_EXAMPLES = """\
Examples:
  tailrace top access.log                         the ten busiest URLs
  tailrace top -F access.log --window 5m          in the last five minutes, live
  tailrace top flume://127.0.0.1:9092 --by host   of what a Flume agent sends
  tailrace parse access.log | jq .status          lines to JSON
  tailrace explain combined 'LINE'                how a line is read, or why it is not

Exit codes:
  0    it ran
  1    an input could not be read, or a line was rejected under --strict
  2    nothing ran: a wrong argument, no input that can be read, a port in use
  130  Ctrl-C, after the last answer

tailrace help VERB shows the options of a verb, man tailrace all there is
(where man does not find it: tailrace completions man | man -l -).
"""

_ABOUT_TOP = """\
Show what comes most often.

A SOURCE is a path, - for standard input (in a pipe it need not be named), or
flume://HOST:PORT to stand in for a Flume AvroSource; there may be several, of any kind. Without a
window a file is counted to its end; with one, every slide is answered (by the log's time a run of
empty windows only once). Files in gzip, bzip2, xz and zstd are unpacked. With -F a file is read
from its beginning by log time, from its end by arrival.
"""

_FIELDS = """\
tailrace formats lists the formats, with a NAME its fields, with --fields what fields mean.
"""

_TOP_EXAMPLES = """\
Examples:
  tailrace top access.log
  tailrace top access.log --window 1h --slide 15m --by host
  tailrace top access.log --window 1h --slide 1h --limit all --format csv > hours.csv
  tailrace top access.log --where 'status == 404' --since yesterday --until today
  tailrace top -F access.log --window 5m
  tail -F access.log | tailrace top --window 5m
  tailrace top flume://127.0.0.1:9092 --log-format classic

"""

_ABOUT_PARSE = """\
Turn lines into their fields, in the order of the input.

A SOURCE is a path, - for standard input (in a pipe it need not be named), or flume://HOST:PORT;
there may be several, of any kind. Files in gzip, bzip2, xz and zstd are unpacked.
"""

_PARSE_EXAMPLES = """\
Conditions:
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

_ABOUT_FORMATS = """\
Show which formats of log lines have a name, and which fields.

With a NAME it shows an example line and its fields. A format without a name is pasted as it stands
in the server's configuration; tailrace explain shows how its lines are read.
"""

_FORMATS_EXAMPLES = """\
Examples:
  tailrace formats
  tailrace formats combined
  tailrace formats --fields
  tailrace formats --format jsonl | jq -r .name
"""

_ABOUT_EXPLAIN = """\
Show how a line is read, piece by piece, or why it is not.

FORMAT is what --log-format takes: auto, a name, or the text of a format. LINE is a line of the log;
without one, or with -, it is the first of standard input. Lines in front of it that name the
columns, as W3C and CSV have them, belong to it. The exit code is 1 if it is not of the format.
"""

_EXPLAIN_EXAMPLES = """\
Examples:
  tailrace explain auto < access.log
  tailrace explain combined '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5'
  tailrace explain '$remote_addr [$time_local] "$request" $status' < access.log
"""

_ABOUT_SEND = """\
Send lines to a Flume receiver, as the Avro sink of an agent does.

A FILE is a path, plain or in gzip, bzip2, xz or zstd, or - for standard input (in a pipe it need
not be named).
Each line is an event with the headers that a spooldir source and a timestamp interceptor give it:
file, the path (not for standard input), and timestamp, when it was read, in milliseconds.
"""

_SEND_EXAMPLES = """\
Nothing is sent twice. When the receiver fails, the exit code is 1, and the last line says how many
lines were acknowledged and of how many nobody knows.

Examples:
  tailrace send access.log flume://127.0.0.1:9092
  tailrace send access.log.*.gz flume://127.0.0.1:9092 --rate 1000/s
  tail -F access.log | tailrace send flume://127.0.0.1:9092
"""

# As many as a receiver takes.
_MAX_CONNECTIONS = 1_024

_SEND_BATCH = 100

_MAX_JOBS = 1_024

# Formats whose columns can be named.
_DELIMITED = ("csv", "tsv")

_SLIDE = "1s"


def run(arguments: Sequence[str]) -> int:
    """
    Run a verb and return the exit code.

    Raises:
        UsageError: An argument is wrong.
    """
    top, verbs = parsers()
    if not arguments:
        say(top.format_help().rstrip("\n"))
        return 2
    first = arguments[0]
    if first not in {*verbs, *_OWN_OPTIONS}:
        what, known = ("option", _OWN_OPTIONS) if first.startswith("-") else ("verb", list(verbs))
        if os.path.exists(first):  # noqa: PTH110 - pathlib is slow to import
            raise UsageError(f"{first!r} is no verb; to count its lines: tailrace top {first}")
        raise UsageError(f"no {what} {first!r}; {suggestion(first, known)}")
    defaults = verbs.get(first, top).take_defaults(os.environ)
    given, unknown = top.parse_known_args(arguments)
    if hasattr(given, "sources") and not any(map(_is_option, unknown)):
        # argparse takes no more sources once an option stood between them.
        given.sources += unknown
    elif getattr(given, "line", "") is None and len(unknown) == 1 and not _is_option(unknown[0]):
        given.line = unknown[0]
    elif unknown:
        word = next(filter(_is_option, unknown), None)
        if word is None:
            raise UsageError(f"{unknown[0]!r} is one argument too many; leave it out", given.verb)
        name = word.partition("=")[0]
        known = verbs[given.verb].option_names()
        raise UsageError(f"no option {name!r}; {suggestion(name, known)}", given.verb)
    defaults.settle(given)
    given.defaults = defaults
    act: Callable[[argparse.Namespace], int] = given.act
    try:
        return act(given)
    except UsageError as error:
        raise UsageError(defaults.blame(str(error), given), given.verb) from error


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != STDIN


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the command and those of its verbs: all that help texts are made of."""
    top = Parser(
        prog="tailrace",
        usage="tailrace VERB [OPTIONS] [SOURCE]...",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    top.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"tailrace {tr.__version__}",
        help="show the version and exit",
    )
    verbs = top.add_subparsers(title="verbs", metavar="VERB", dest="verb", prog="tailrace")
    named = {
        "top": _top_parser(verbs),
        "parse": _parse_parser(verbs),
        "send": _send_parser(verbs),
        "formats": _formats_parser(verbs),
        "explain": _explain_parser(verbs),
        "completions": completions.add_verb(verbs),
    }
    return top, named | {"help": _help_parser(verbs, top, named)}


def _verb(verbs: Any, name: str, about: str, examples: str) -> Parser:  # noqa: ANN401 - argparse does not export it
    parser: Parser = verbs.add_parser(
        name,
        usage=f"tailrace {name} [OPTIONS] [SOURCE]...",
        help=about.partition("\n")[0],
        description=about,
        epilog=f"{_FIELDS}\n{examples}",
    )
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--log-format",
        default=AUTO,
        metavar="auto|NAME",
        help="what the lines look like: a name, a format pasted from a server's configuration "
        "(log_format, LogFormat), several names with commas between them, or auto, which looks at "
        "the first 1,000 lines of each source (default auto)",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMN,COLUMN...",
        help="the columns of lines with commas between them and no header (with --log-format tsv: "
        "tabs); a type may follow a colon, as in time,device,temperature:float",
    )
    parser.add_argument(
        "-F",
        "--follow",
        action="store_true",
        help="go on at the end of files, by name, through rotation and truncation, as tail -F "
        "does; by log time from their beginning, by arrival from their end",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        help="how many threads read the lines of files; the answers do not depend on it (default: "
        "one for each processor)",
    )
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="look only at lines for which this holds: 'status >= 500 and method == POST'"
        + (", see below" if name == "parse" else ", see tailrace help parse"),
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="only at lines whose own time is not before this: 10m (before now), 10:30, yesterday, "
        "2026-11-23T10:30+01:00, ...; UTC where no zone is given",
    )
    parser.add_argument(
        "--until", metavar="WHEN", help="only at lines whose own time is before this"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a line was rejected")
    return parser


def _top_parser(verbs: Any) -> Parser:  # noqa: ANN401 - as above
    parser = _verb(verbs, "top", _ABOUT_TOP, _TOP_EXAMPLES)
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


def _parse_parser(verbs: Any) -> Parser:  # noqa: ANN401 - as above
    parser = _verb(verbs, "parse", _ABOUT_PARSE, _PARSE_EXAMPLES)
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
    parser.set_defaults(act=_parse)
    return parser


def _formats_parser(verbs: Any) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = verbs.add_parser(
        "formats",
        usage="tailrace formats [OPTIONS] [NAME]...",
        help=_ABOUT_FORMATS.partition("\n")[0],
        description=_ABOUT_FORMATS,
        epilog=_FORMATS_EXAMPLES,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="text for people, or one JSON object a format (default text)",
    )
    parser.add_argument(
        "--fields",
        action="store_true",
        help="show the fields that have the same name in all formats, with their types and units",
    )
    parser.set_defaults(act=_formats)
    return parser


def _explain_parser(verbs: Any) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = verbs.add_parser(
        "explain",
        usage="tailrace explain [OPTIONS] FORMAT [LINE]",
        help=_ABOUT_EXPLAIN.partition("\n")[0],
        description=_ABOUT_EXPLAIN,
        epilog=_EXPLAIN_EXAMPLES,
    )
    parser.add_argument("log_format", metavar="auto|NAME", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("line", metavar="LINE", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="text for people, or one JSON object (default text)",
    )
    parser.set_defaults(act=_explain)
    return parser


def _send_parser(verbs: Any) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = verbs.add_parser(
        "send",
        usage="tailrace send [OPTIONS] [FILE]... flume://HOST:PORT",
        help=_ABOUT_SEND.partition("\n")[0],
        description=_ABOUT_SEND,
        epilog=_SEND_EXAMPLES,
    )
    option = parser.add_argument
    option("sources", metavar="FILE", nargs="*", help=argparse.SUPPRESS)
    option(
        "--batch",
        metavar="N",
        help=f"lines in a batch (default {_SEND_BATCH}; with --rate at most one second's)",
    )
    option(
        "--connections",
        default="1",
        metavar="N",
        help="how many, each with one batch in flight; they take turns (default 1)",
    )
    option(
        "--rate",
        metavar="N/s",
        help="how many lines a second, batches evenly spaced (default: what the receiver takes)",
    )
    parser.set_defaults(act=_send)
    return parser


def _help_parser(verbs: Any, top: Parser, named: dict[str, Parser]) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = verbs.add_parser(
        "help",
        usage="tailrace help [VERB]",
        help="Show all about a verb.",
        description="Show all about a verb, as its --help does.",
    )
    parser.add_argument("about", metavar="|".join(named), nargs="?", help=argparse.SUPPRESS)

    def act(given: argparse.Namespace) -> int:
        try:
            about = named[one_of(given.about, list(named), "verb")] if given.about else top
        except ValueError as error:
            raise UsageError(str(error), given.verb) from error
        about.print_help()
        return 0

    parser.set_defaults(act=act)
    return parser


def _top(given: argparse.Namespace) -> int:
    names, failed = _sources(given)
    window = given.window
    hint = None
    try:
        given.log_format = _log_format(given)
        one_of(given.format, FORMATS, "output format")
        one_of(given.color, COLORS, "choice of --color")
        query = _query(names, given).count(by=given.by)
        query = query.sorted() if given.limit == "all" else query.top(_number(given.limit))
        options = {
            "every": given.slide,
            "time": given.time,
            "lateness": given.lateness,
            "idle_timeout": given.idle_timeout,
        }
        set_ones: dict[str, Any] = {name: value for name, value in options.items() if value}
        if window is None and (given.follow or any(_is_flume(name) for name in names)):
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
    from tailrace.cli.runs import run_top  # noqa: PLC0415 - a wrong argument needs none of it

    return run_top(
        query,
        by=given.by,
        output=given.format,
        color=given.color,
        windowed=window is not None,
        hint=hint,
        typed=_is_typed(names),
        strict=given.strict,
        failed=failed,
        jobs=_jobs(given),
    )


def _check_no_window(given: argparse.Namespace) -> None:
    """Refuse what means nothing without a window; as a default it waits for one."""
    for option in ("slide", "time", "lateness", "idle_timeout"):
        if getattr(given, option) and not given.defaults.hold(given, option):
            name = option.replace("_", "-")
            raise UsageError(f"--{name} needs a window too, such as --window 300s", given.verb)


def _parse(given: argparse.Namespace) -> int:
    names, failed = _sources(given)
    try:
        given.log_format = _log_format(given)
        one_of(given.format, [*FORMATS, *arrow.FORMATS], "output format")
        if given.format in arrow.FORMATS:
            _check_arrow(given.format)
        checked_format(given.log_format, auto=True)
        wanted = None if given.fields is None else _names_of(given.fields)
        checked_fields(wanted or [], given.log_format)
        query = _query(names, given).checked(wanted or [])
        rejects = None if given.rejects is None else _rejects(given.rejects, names)
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error
    from tailrace.cli.runs import run_parse  # noqa: PLC0415 - a wrong argument needs none of it

    with rejects or nullcontext():
        return run_parse(
            query,
            fields=wanted,
            output=given.format,
            rejects=rejects,
            several=len(given.sources) > 1,
            typed=_is_typed(names),
            strict=given.strict,
            failed=failed,
            jobs=_jobs(given),
        )


def _log_format(given: argparse.Namespace) -> str:
    """
    Return what the lines look like.

    Raises:
        ValueError: There are columns for what has none.
    """
    log_format: str = given.log_format
    if not given.columns:
        return log_format
    if log_format not in {AUTO, *_DELIMITED}:
        raise ValueError(
            f"--columns: of lines in format {log_format} the columns are known; they are for "
            f"--log-format {' and '.join(_DELIMITED)}"
        )
    return f"{'csv' if log_format == AUTO else log_format}:{given.columns}"


def _jobs(given: argparse.Namespace) -> int | None:
    """Return how many threads are asked for, if it is said."""
    if given.jobs is None:
        return None
    try:
        return _positive(given.jobs, "--jobs", "threads", _MAX_JOBS)
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error


def _check_arrow(output: str) -> None:
    """
    See that columns can be written, and are not written to a terminal.

    Raises:
        ValueError: They cannot, or are.
    """
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


def _is_typed(names: tuple[str, ...]) -> bool:
    """Tell whether lines come from a keyboard."""
    return STDIN in names and os.isatty(0)


def _rejects(path: str, sources: tuple[str, ...]) -> RejectsFile:
    """
    Open the file of rejected lines.

    Raises:
        ValueError: It cannot be, or it is in use.
    """
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


def _formats(given: argparse.Namespace) -> int:
    try:
        one_of(given.format, ["text", "jsonl"], "output format")
        names = [
            one_of(name, list(_core.FORMATS), "format", "tailrace formats") for name in given.names
        ]
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error
    if given.fields and names:
        message = "--fields are those of all formats; leave the names out, or --fields"
        raise UsageError(message, given.verb)
    from tailrace.cli.formats import run_fields, run_formats  # noqa: PLC0415 - of this verb alone

    json = given.format == "jsonl"
    return run_fields(json=json) if given.fields else run_formats(names, json=json)


def _explain(given: argparse.Namespace) -> int:
    if given.log_format is None:
        raise UsageError("no format; write auto, a name or a text, and a line", given.verb)
    try:
        one_of(given.format, ["text", "jsonl"], "output format")
        checked_format(given.log_format, auto=True)
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error
    line = None if given.line in {None, STDIN} else os.fsencode(given.line)
    if line is None and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("no line; write one behind the format, or redirect a log", given.verb)
    from tailrace.cli.explain import run_explain  # noqa: PLC0415 - other verbs need none of it

    return run_explain(given.log_format, line, jsonl=given.format == "jsonl")


def _send(given: argparse.Namespace) -> int:
    verb = given.verb
    _check_addresses(given.sources, verb)
    targets = [word for word in given.sources if _is_flume(word)]
    names = _matching([word for word in given.sources if not _is_flume(word)])
    if len(targets) != 1:
        what = "no receiver" if not targets else f"{len(targets)} receivers"
        raise UsageError(f"{what}; name one, such as flume://127.0.0.1:9092", verb)
    try:
        host, port = host_and_port(targets[0].removeprefix(_FLUME))
        rate = None if given.rate is None else _rate(given.rate)
        batch = _SEND_BATCH if rate is None else max(1, min(_SEND_BATCH, int(rate)))
        if given.batch is not None:
            batch = _positive(given.batch, "--batch", "lines", 1_000_000)
        connections = _positive(given.connections, "--connections", "connections", _MAX_CONNECTIONS)
    except ValueError as error:
        raise UsageError(str(error), verb) from error
    if port == 0:
        raise UsageError(f"{targets[0]!r}: nobody listens on port 0; name the receiver's", verb)
    if not names:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("no file; name one, or - for standard input", verb)
        names = [STDIN]
    if names.count(STDIN) > 1:
        raise UsageError("standard input can be read once; name - once", verb)
    good = [name for name in names if _can_be_read(name, follow=False)]
    if not good:
        raise SystemExit(2)
    from tailrace.cli.send import run_send  # noqa: PLC0415 - a wrong argument needs none of it

    return run_send(
        good,
        host,
        port,
        batch=batch,
        connections=connections,
        rate=rate,
        failed=len(good) < len(names),
    )


def _sources(given: argparse.Namespace) -> tuple[tuple[str, ...], bool]:
    """
    Return the sources that can be read, and whether there are others; says which and why.

    Without any, that is standard input if it is no terminal.
    """
    given.sources = _matching(given.sources)
    sources = tuple(given.sources)
    verb = given.verb
    if not sources:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                "no source; name a file, - for standard input, or flume://HOST:PORT", verb
            )
        sources = (STDIN,)
    if sources.count(STDIN) > 1:
        raise UsageError("standard input can be read once; name - once", verb)
    _check_addresses(sources, verb)
    good = tuple(source for source in sources if _can_be_read(source, follow=given.follow))
    if not good:
        raise SystemExit(2)
    return good, len(good) < len(sources)


def _is_flume(source: str) -> bool:
    return source.startswith(_FLUME)


def _check_addresses(sources: Sequence[str], verb: str) -> None:
    """
    See that what is meant as an address is one, and named once.

    Raises:
        UsageError: It is not.
    """
    seen: list[tuple[str, int]] = []
    for source in sources:
        if _is_flume(source):
            try:
                address = host_and_port(source.removeprefix(_FLUME))
            except ValueError as error:
                raise UsageError(str(error), verb) from error
            # Of port 0 each gets another.
            if address in seen and address[1]:
                raise UsageError(f"{source!r} is named twice; name it once", verb)
            seen.append(address)
        elif source.startswith("flume:") and not os.path.lexists(source):
            meant = _FLUME + source.removeprefix("flume:").lstrip("/")
            raise UsageError(f"{source!r} is no file; did you mean {meant}?", verb)


def _matching(sources: Sequence[str]) -> list[str]:
    """Put files for patterns that no shell has seen; one without files stays, to be told of."""
    names = []
    for source in sources:
        try:
            names += [source] if _is_flume(source) else matching(source)
        except FileNotFoundError:
            names.append(source)
    return names


def _can_be_read(source: str, *, follow: bool) -> bool:
    if _is_flume(source):
        return True
    if source == STDIN and sys.stdin is None:
        say("tailrace: standard input is closed; name a file, or redirect one: < access.log")
        return False
    try:
        matching(source)
        if follow and source != STDIN:
            from tailrace.sources.follow import check_followed  # noqa: PLC0415 - asyncio

            check_followed(source)
        else:
            check_log(source)
    except TailraceError as error:
        say(f"tailrace: {for_people(str(error))}")
    except OSError as error:
        say(f"tailrace: {for_people(source)}: {_mend(source, error)}")
    else:
        return True
    return False


def _mend(source: str, error: OSError) -> str:
    """Say what is wrong with a source, and how to mend it where that is known."""
    if isinstance(error, FileNotFoundError) and "://" in source:
        return "no such source; a source is a path, - or flume://HOST:PORT"
    if isinstance(error, FileNotFoundError) and is_pattern(source):
        return "no file matches; check the pattern"
    if isinstance(error, FileNotFoundError):
        return "no such file; check the name"
    if isinstance(error, IsADirectoryError):
        return f"is a directory; name the files in it, such as {for_people(source.rstrip('/'))}/*"
    if isinstance(error, PermissionError):
        return "may not be read by this user; change its mode, or run as a user who may"
    return error.strerror or str(error)


def _query(names: tuple[str, ...], given: argparse.Namespace) -> Query:
    """Return a query of the sources, in their order; files that stand together are one."""
    queries: list[Query] = []
    files: list[str] = []

    def add_files() -> None:
        if files:
            queries.append(from_files(*files, format=given.log_format, follow=given.follow))
            files.clear()

    for name in names:
        if not _is_flume(name) and (name != STDIN or not given.follow):
            files.append(name)
            continue
        add_files()
        if name == STDIN:
            queries.append(from_files(name, format=given.log_format))
        else:
            queries.append(from_flume(name.removeprefix(_FLUME), format=given.log_format))
    add_files()
    query = merge(*queries)
    if given.where is not None:
        query = query.where(given.where)
    if given.since is not None:
        query = query.since(given.since)
    return query if given.until is None else query.until(given.until)


def _number(limit: str) -> int:
    if limit.isascii() and limit.isdigit() and int(limit) > 0:
        return int(limit)
    raise ValueError(f"--limit: {limit!r} is no number of rows; write 1 or more, or all")


def _positive(text: str, option: str, what: str, most: int) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= most:
        return int(text)
    raise ValueError(f"{option}: {text!r} is no number of {what}; write 1 to {most:,}")


def _rate(text: str) -> float:
    number = text.removesuffix("/s")
    if number.isascii() and number.replace(".", "", 1).isdigit() and float(number) > 0:
        return float(number)
    raise ValueError(f"--rate: {text!r} is no number of lines a second; write 1000 or 1000/s")
