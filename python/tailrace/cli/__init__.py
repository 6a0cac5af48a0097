"""The command: arguments in, exit code out."""

from __future__ import annotations

import os
import sys

from tailrace.outputs.escape import for_people

__all__ = ["main"]


def main() -> None:
    """Run the command and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    from tailrace.cli import verbs  # noqa: PLC0415 - who imports `main` may not want it yet

    try:
        code = verbs.run(arguments)
        sys.stdout.flush()
    except verbs.UsageError as error:
        print(f"{error.place}: {for_people(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader went away and wants no more, such as `head`. What is still buffered would
        # raise again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code
