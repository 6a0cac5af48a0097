"""The command: arguments in, exit code out."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    import click  # noqa: PLC0415 - only the command needs it

    from tailrace.cli.verbs import tailrace  # noqa: PLC0415 - it needs click

    try:
        # Not `main`, which makes an exit code of its own of a reader that went away.
        with tailrace.make_context("tailrace", arguments) as context:
            code = tailrace.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        print(_line(error), file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader went away and wants no more, such as `head`. What is still buffered would
        # raise again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code or 0


def _line(error: object) -> str:
    """Make one line of what click has to say."""
    import click  # noqa: PLC0415 - only the command needs it

    from tailrace.outputs.escape import for_people  # noqa: PLC0415 - only for a mistake

    assert isinstance(error, click.ClickException)  # noqa: S101 - for the type checker
    text = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    place = context.command_path if context else "tailrace"
    return f"{place}: {for_people(text)}"
