"""The verb that shows the help of another verb."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tailrace._cli.verbs import VERBS, parsers
from tailrace._names import one_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[COMMAND]"

ABOUT = "Show the help of a command, as its --help does."

EXAMPLES = None

_OTHERS = [verb for verb in VERBS if verb != "help"]


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("about", metavar="|".join(_OTHERS), nargs="?", help=argparse.SUPPRESS)


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return the function to run."""
    if given.about == "help":
        raise ValueError(
            "expected a command other than help; 'tailrace help --help' shows the help of help"
        )
    name = one_of(given.about, _OTHERS, "command") if given.about else ""
    command, verbs = parsers([name])
    return verbs.get(name, command).print_help
