"""
The verbs: which there are, and how the command's arguments reach one.

A verb is a module of its name: `USAGE`, `ABOUT` and `EXAMPLES` are its help, `add_arguments`
completes its parser, and `act` checks what was given and returns what is to be done. What `act`
finds wrong is a ValueError. Only the verb that is asked for is imported.
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
    "top": "Show what comes most often.",
    "parse": "Turn lines into their fields, in the order of the input.",
    "send": "Send lines to a Flume receiver, as the Avro sink of an agent does.",
    "formats": "Show which formats of log lines have a name, and which fields.",
    "explain": "Show how a line is read, piece by piece, or why it is not.",
    "completions": "Print what makes a shell complete, or the manual page.",
    "help": "Show all about a verb.",
}
"""The verbs, and each in a line."""

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
        what, known = ("option", _OWN_OPTIONS) if first.startswith("-") else ("verb", list(VERBS))
        if os.path.exists(first):  # noqa: PTH110 - pathlib is slow to import
            raise UsageError(f"{first!r} is no verb; to count its lines: tailrace top {first}")
        raise UsageError(f"no {what} {first!r}; {suggestion(first, known)}")
    command, verbs = parsers([first])
    defaults = verbs.get(first, command).take_defaults(os.environ)
    given, unknown = command.parse_known_args(arguments)
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
    act: Callable[[argparse.Namespace], Callable[[], int | None]] = given.act
    try:
        work = act(given)
    except ValueError as error:
        raise UsageError(defaults.blame(str(error), given), given.verb) from error
    return work() or 0


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != STDIN


def parsers(names: Collection[str] = VERBS) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the command and those of verbs: all that help texts are made of."""
    command = Parser(
        prog="tailrace",
        usage="tailrace VERB [OPTIONS] [SOURCE]...",
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
    verbs = command.add_subparsers(title="verbs", metavar="VERB", dest="verb", prog="tailrace")
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
