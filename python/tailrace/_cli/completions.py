"""The verb that prints completions and the manual page; `tests/tools/texts.py` generates them."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "bash|zsh|fish|man"

ABOUT = """\
Print shell completions or the manual page.

bash, zsh and fish print a script that completes commands, options and values in that shell; man
prints the manual page.
"""

EXAMPLES = """\
Examples:
  tailrace completions bash > ~/.local/share/bash-completion/completions/tailrace
  tailrace completions zsh > ~/.zfunc/_tailrace   # any directory in $fpath
  tailrace completions fish > ~/.config/fish/completions/tailrace.fish
  tailrace completions man > ~/.local/share/man/man1/tailrace.1
"""

_TEXTS = {"bash": "tailrace.bash", "zsh": "_tailrace", "fish": "tailrace.fish", "man": "tailrace.1"}


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", metavar="|".join(_TEXTS), nargs="?", help=argparse.SUPPRESS)


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return the function to run."""
    if given.shell not in _TEXTS:
        found = "no argument" if given.shell is None else repr(given.shell)
        raise ValueError(f"expected bash, zsh, fish or man, found {found}")
    return partial(_print, _TEXTS[given.shell])


def _print(name: str) -> None:
    write(sys.stdout, pkgutil.get_data("tailrace._cli", f"shell/{name}") or b"")
