"""The command: arguments in, exit code out."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, cast

from tailrace import __version__

if TYPE_CHECKING:
    from io import TextIOWrapper

__all__ = ["main"]


def main() -> None:
    """Run the command and exit."""
    # Until there is something to end in good order, Ctrl-C ends without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    if sys.stderr is None:
        # `print` would take standard output instead.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
    if sys.stdout is None:
        from tailrace._terminal.streams import say  # noqa: PLC0415 - as said below

        say("tailrace: standard output is closed")
        return 2
    if arguments in (["--version"], ["-V"]):
        # Asked for by scripts, time and again; all the rest would cost half as much again.
        print(f"tailrace {__version__}")
        return 0
    from tailrace._cli.parser import UsageError  # noqa: PLC0415 - as said above
    from tailrace._cli.verbs import run as run_verb  # noqa: PLC0415 - as said above
    from tailrace._terminal.escape import for_people  # noqa: PLC0415 - as said above
    from tailrace._terminal.streams import OutputError, say  # noqa: PLC0415 - as said above

    # What a terminal cannot spell is no reason to end, be it in a help text or in a table.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        code = run_verb(arguments)
        sys.stdout.flush()
    except UsageError as error:
        # What is wrong with a format or a condition is shown below its text.
        said = "\n".join(map(for_people, str(error).split("\n")))
        say(f"{error.place}: {said}")
        return 2
    except BrokenPipeError:
        # The reader went away and wants no more, such as `head`.
        _forget_output()
        return 0
    except OutputError as error:
        _forget_output()
        say(f"tailrace: {for_people(str(error))}")
        return 1
    return code


def _forget_output() -> None:
    """Drop what is still buffered, which would raise again when the interpreter exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
