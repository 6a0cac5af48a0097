"""The verb that prints completions and the manual page, as `tests/texts.py` has written them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tailrace.cli.parser import UsageError
from tailrace.names import one_of

if TYPE_CHECKING:
    from tailrace.cli.parser import Parser

__all__ = ["add_verb"]

_ABOUT = """\
Print what makes a shell complete tailrace's verbs, options and values.

A SHELL is bash, zsh or fish; man prints the manual page.
"""

_EXAMPLES = """\
Examples:
  tailrace completions bash > ~/.local/share/bash-completion/completions/tailrace
  tailrace completions zsh > ~/.zfunc/_tailrace   (any directory of $fpath)
  tailrace completions fish > ~/.config/fish/completions/tailrace.fish
  tailrace completions man > ~/.local/share/man/man1/tailrace.1
"""

_TEXTS = {"bash": "tailrace.bash", "zsh": "_tailrace", "fish": "tailrace.fish", "man": "tailrace.1"}


def add_verb(verbs: Any) -> Parser:  # noqa: ANN401 - argparse does not export it
    """Add the verb, and return its parser."""
    parser: Parser = verbs.add_parser(
        "completions",
        usage="tailrace completions bash|zsh|fish|man",
        help="Print what makes a shell complete, or the manual page.",
        description=_ABOUT,
        epilog=_EXAMPLES,
    )
    parser.add_argument("shell", metavar="|".join(_TEXTS), nargs="?", help=argparse.SUPPRESS)
    parser.set_defaults(act=_print)
    return parser


def _print(given: argparse.Namespace) -> int:
    if given.shell is None:
        raise UsageError(f"no shell; name one of {', '.join(_TEXTS)}", given.verb)
    try:
        name = _TEXTS[one_of(given.shell, list(_TEXTS), "shell")]
    except ValueError as error:
        raise UsageError(str(error), given.verb) from error
    import pkgutil  # noqa: PLC0415 - other verbs need none of it

    from tailrace.terminal.streams import write  # noqa: PLC0415 - as above

    write(sys.stdout, pkgutil.get_data("tailrace.cli", f"shell/{name}") or b"")
    return 0
