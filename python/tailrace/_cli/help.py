"""The verb that shows the help texts of the others."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tailrace._cli.verbs import VERBS, parsers
from tailrace._names import one_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[VERB]"

ABOUT = "Show all about a verb, as its --help does."

EXAMPLES = None

_OTHERS = [verb for verb in VERBS if verb != "help"]


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("about", metavar="|".join(_OTHERS), nargs="?", help=argparse.SUPPRESS)


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return what is to be done."""
    name = one_of(given.about, _OTHERS, "verb") if given.about else ""
    command, verbs = parsers([name])
    return verbs.get(name, command).print_help
