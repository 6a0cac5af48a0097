"""The command: arguments in, exit code out."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, cast

from tailrace import __version__
from tailrace._cli.signals import has_terminal

if TYPE_CHECKING:
    from io import TextIOWrapper

__all__ = ["main"]


def main() -> None:
    """Run the command and exit."""
    # Until there is something to stop gracefully, Ctrl-C ends the process silently.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Until there is something to show or to reload, these do nothing.
    requests = [signal.SIGUSR1] if has_terminal() else [signal.SIGUSR1, signal.SIGHUP]
    requests = [number for number in requests if signal.getsignal(number) == signal.SIG_DFL]
    for number in requests:
        signal.signal(number, lambda *_: None)
    code = run(sys.argv[1:])
    for number in requests:
        # Otherwise the interpreter restores the default before it exits, and the code is lost.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    if sys.stderr is None:
        # Without it, `print` would write messages to standard output.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until exit
    if sys.stdout is None:
        from tailrace._terminal.streams import say  # noqa: PLC0415 - see below

        say("tailrace: standard output is closed")
        return 2
    if arguments in (["--version"], ["-V"]):
        # Scripts call this often, and importing the rest would take half as long again.
        print(f"tailrace {__version__}")
        return 0
    from tailrace._cli.parser import UsageError  # noqa: PLC0415 - see above
    from tailrace._cli.verbs import run as run_verb  # noqa: PLC0415 - see above
    from tailrace._terminal.escape import for_people  # noqa: PLC0415 - see above
    from tailrace._terminal.streams import OutputError, say  # noqa: PLC0415 - see above

    # A character that the terminal cannot encode must not end a run, in a help text or a table.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        code = run_verb(arguments)
        sys.stdout.flush()
    except UsageError as error:
        # An error in a format or a condition has several lines: an excerpt with a caret.
        message = "\n".join(map(for_people, str(error).split("\n")))
        say(f"{error.place}: {message}")
        return 2
    except BrokenPipeError:
        # The reader closed the pipe, as `head` does.
        _forget_output()
        return 0
    except OutputError as error:
        _forget_output()
        say(f"tailrace: {for_people(str(error))}")
        return 1
    return code


def _forget_output() -> None:
    """Discard buffered output, which would raise again when the interpreter exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
