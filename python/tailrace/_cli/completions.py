"""Print completions and the manual page, which `tests/tools/texts.py` generates."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from tailrace._names import one_of
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "bash|zsh|fish|man"

ABOUT = """\
Print what makes a shell complete tailrace's verbs, options and values.

A SHELL is bash, zsh or fish; man prints the manual page.
"""

EXAMPLES = """\
Examples:
  tailrace completions bash > ~/.local/share/bash-completion/completions/tailrace
  tailrace completions zsh > ~/.zfunc/_tailrace   (any directory of $fpath)
  tailrace completions fish > ~/.config/fish/completions/tailrace.fish
  tailrace completions man > ~/.local/share/man/man1/tailrace.1
"""

_TEXTS = {"bash": "tailrace.bash", "zsh": "_tailrace", "fish": "tailrace.fish", "man": "tailrace.1"}


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", metavar="|".join(_TEXTS), nargs="?", help=argparse.SUPPRESS)


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return what is to be done."""
    if given.shell is None:
        raise ValueError(f"no shell; name one of {', '.join(_TEXTS)}")
    return partial(_show, _TEXTS[one_of(given.shell, list(_TEXTS), "shell")])


def _show(name: str) -> None:
    write(sys.stdout, pkgutil.get_data("tailrace._cli", f"shell/{name}") or b"")
