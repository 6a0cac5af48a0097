"""
The verbs, which users know as commands: their list, and how arguments reach one of them.

A verb is a module of the same name. `USAGE`, `ABOUT` and `EXAMPLES` are its help, `add_arguments`
adds to its parser, and `act` checks the arguments and returns the function to run. `act` raises a
ValueError for a wrong argument. Only the verb that is run is imported.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import tailrace as tr
from tailrace._cli.parser import Parser, UsageError
from tailrace._names import suggestion
from tailrace._sources.text import STDIN
from tailrace._terminal.streams import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Sequence

__all__ = ["VERBS", "parsers", "run"]

VERBS = {
    "top": "Show the most frequent values of a field.",
    "parse": "Print the fields of each line.",
    "send": "Send lines to a Flume receiver, as a Flume agent does.",
    "formats": "List the named formats and their fields.",
    "explain": "Show how a line is parsed, field by field, or why it does not match.",
    "doctor": "Check whether this machine can run tailrace.",
    "checkpoint": "Explain the directory of a checkpoint, or check its bytes.",
    "completions": "Print shell completions or the manual page.",
    "help": "Show the help of a command.",
}
"""The verbs, each with a summary."""

# Options of `tailrace` itself; all others belong to a verb.
_OWN_OPTIONS = ["--help", "-h", "--version", "-V"]

_ABOUT = "Count and rank log lines by field, exactly, over a whole log or a sliding window."

_EXAMPLES = """\
Examples:
  tailrace top access.log                         the ten most frequent URLs
  tailrace top -F access.log --window 5m          the same for the last 5 minutes, live
  tailrace top flume://127.0.0.1:9092 --by host   clients, from a Flume agent's events
  tailrace parse access.log | jq .status          each line as JSON
  tailrace explain combined 'LINE'                how a line is parsed

Exit codes:
  0    success
  1    an input could not be read to its end, the output could not be written, a line was rejected
       with --strict, the line does not match (explain), the receiver failed (send), there is a
       problem (doctor), or a checkpoint is damaged (checkpoint)
  2    nothing was done: an argument is wrong, none of the inputs can be read, a port is in use, or
       no connection can be made (send)
  130  stopped by Ctrl-C, after printing the last result

'tailrace help COMMAND' shows the options of a command, and 'man tailrace' shows everything.
If the manual page is not installed: tailrace completions man | man -l -
"""


def run(arguments: Sequence[str]) -> int:
    """
    Run a verb and return the exit code.

    Raises:
        UsageError: An argument is wrong.
    """
    if not arguments:
        say(parsers([])[0].format_help().rstrip("\n"))
        return 2
    first = arguments[0]
    if first not in {*VERBS, *_OWN_OPTIONS}:
        is_option = first.startswith("-")
        what, known = ("option", _OWN_OPTIONS) if is_option else ("command", list(VERBS))
        if os.path.exists(first):  # noqa: PTH110 - pathlib is slow to import
            raise UsageError(
                f"unknown command {first!r}; to count the lines of that file: tailrace top {first}"
            )
        raise UsageError(f"unknown {what} {first!r}; {suggestion(first, known)}")
    command, verbs = parsers([first])
    defaults = verbs.get(first, command).take_defaults(os.environ)
    given, unknown = command.parse_known_args(arguments)
    if hasattr(given, "sources") and not any(map(_is_option, unknown)):
        # argparse takes no more sources after an option between them.
        given.sources += unknown
    elif (last := _missing(given)) and len(unknown) == 1 and not _is_option(unknown[0]):
        setattr(given, last, unknown[0])
    elif unknown:
        word = next(filter(_is_option, unknown), None)
        if word is None:
            hint = "; put quotes around LINE" if hasattr(given, "line") else ""
            raise UsageError(f"unexpected argument {unknown[0]!r}{hint}", given.verb)
        from tailrace._cli.mistyped import instead  # noqa: PLC0415 - only for this mistake

        name = word.partition("=")[0]
        right = instead(name, given.verb, parsers()[1])
        raise UsageError(f"unknown option {name!r}; {right}", given.verb)
    defaults.settle(given)
    given.defaults = defaults
    act: Callable[[argparse.Namespace], Callable[[], int | None]] = given.act
    try:
        work = act(given)
    except (ImportError, ValueError) as error:
        # An extra that an argument needs may not be installed.
        raise UsageError(defaults.blame(str(error), given), given.verb) from error
    return work() or 0


def _missing(given: argparse.Namespace) -> str | None:
    """Return the second argument of a verb, which argparse does not find after an option."""
    return next((name for name in ("line", "directory") if getattr(given, name, "") is None), None)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != STDIN


def parsers(names: Collection[str] = VERBS) -> tuple[Parser, dict[str, Parser]]:
    """Return the parsers of `tailrace` and of these verbs, from which the help is generated."""
    command = Parser(
        prog="tailrace",
        usage="tailrace COMMAND [OPTIONS] [SOURCE]...",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    command.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"tailrace {tr.__version__}",
        help="show the version and exit",
    )
    verbs = command.add_subparsers(
        title="commands", metavar="COMMAND", dest="verb", prog="tailrace"
    )
    named: dict[str, Parser] = {}
    for name, summary in VERBS.items():
        parser = verbs.add_parser(name, help=summary)
        if name in names:
            verb = import_module(f"tailrace._cli.{name}")
            parser.usage = f"tailrace {name} {verb.USAGE}"
            parser.description, parser.epilog = verb.ABOUT, verb.EXAMPLES
            verb.add_arguments(parser)
            parser.set_defaults(act=verb.act)
            named[name] = parser
    return command, named
