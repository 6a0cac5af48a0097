"""The verbs: which there are, and how the command's arguments reach one."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import tailrace as tr
from tailrace.cli import completions, explain, formats, parse, send, top
from tailrace.cli.parser import Parser, UsageError
from tailrace.names import one_of, suggestion
from tailrace.sources.text import STDIN
from tailrace.terminal.streams import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["UsageError", "parsers", "run"]

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
    command, verbs = parsers()
    if not arguments:
        say(command.format_help().rstrip("\n"))
        return 2
    first = arguments[0]
    if first not in {*verbs, *_OWN_OPTIONS}:
        what, known = ("option", _OWN_OPTIONS) if first.startswith("-") else ("verb", list(verbs))
        if os.path.exists(first):  # noqa: PTH110 - pathlib is slow to import
            raise UsageError(f"{first!r} is no verb; to count its lines: tailrace top {first}")
        raise UsageError(f"no {what} {first!r}; {suggestion(first, known)}")
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
    act: Callable[[argparse.Namespace], int] = given.act
    try:
        return act(given)
    except UsageError as error:
        raise UsageError(defaults.blame(str(error), given), given.verb) from error


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != STDIN


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the command and those of its verbs: all that help texts are made of."""
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
    named = {
        "top": top.add_verb(verbs),
        "parse": parse.add_verb(verbs),
        "send": send.add_verb(verbs),
        "formats": formats.add_verb(verbs),
        "explain": explain.add_verb(verbs),
        "completions": completions.add_verb(verbs),
    }
    return command, named | {"help": _help_parser(verbs, command, named)}


def _help_parser(verbs: Any, command: Parser, named: dict[str, Parser]) -> Parser:  # noqa: ANN401 - as above
    parser: Parser = verbs.add_parser(
        "help",
        usage="tailrace help [VERB]",
        help="Show all about a verb.",
        description="Show all about a verb, as its --help does.",
    )
    parser.add_argument("about", metavar="|".join(named), nargs="?", help=argparse.SUPPRESS)

    def act(given: argparse.Namespace) -> int:
        try:
            about = named[one_of(given.about, list(named), "verb")] if given.about else command
        except ValueError as error:
            raise UsageError(str(error), given.verb) from error
        about.print_help()
        return 0

    parser.set_defaults(act=act)
    return parser
