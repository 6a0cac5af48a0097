"""The verb that checks a machine: its disk, clock, ports, descriptors and logs."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING

from tailrace._addresses import listening
from tailrace._cli import inputs
from tailrace._names import choice
from tailrace._sources.text import STDIN
from tailrace._terminal.escape import for_json, for_people
from tailrace._terminal.excerpt import terminal_width
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace._cli.checks import Finding
    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [SOURCE]..."

ABOUT = """\
Check whether this machine can run tailrace.

It checks versions, the clock and the limit on open files. With --checkpoint it checks the
directory, its disk and its space, and measures how long it takes until a write is durable. Of each
SOURCE it checks the port, or whether the file can be read and followed, and its format. Nothing is
changed: no port is listened on, and the file that is measured is removed.

Each line begins with ok, warning or problem. The exit code is 1 if there is a problem.
"""

EXAMPLES = """\
Examples:
  tailrace doctor
  tailrace doctor --checkpoint /var/lib/tailrace flume://127.0.0.1:9092
  tailrace doctor /var/log/nginx/access.log
  tailrace doctor --format jsonl | jq -r 'select(.level != "ok") | .text'
"""

# Of `ok`, `warning` and `problem`, and the space after it.
_MARGIN = " " * 9


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="the directory of a checkpoint, which need not exist yet",
    )
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="print text, or one JSON object per line (default: text)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    choice(given.format, ["text", "jsonl"], "--format")
    names = inputs.matching_files(given.sources)
    inputs.check_addresses(names)
    if names.count(STDIN) > 1:
        raise ValueError("- is given twice; standard input can be read only once")
    if given.checkpoint == "":
        raise ValueError(
            "--checkpoint: expected a directory, found an empty name; if it comes from a variable, "
            "check that the variable is set"
        )
    return partial(_run, names, given.checkpoint, jsonl=given.format == "jsonl")


def _run(names: list[str], checkpoint: str | None, *, jsonl: bool) -> int:
    """Print what is found, and return 1 if there is a problem."""
    counts = {"ok": 0, "warning": 0, "problem": 0}
    for finding in _findings(names, checkpoint):
        counts[finding.level] += 1
        write(sys.stdout, _json(finding) if jsonl else _text(finding))
    if not jsonl:
        listed = [
            f"{count} {level}{'s' if count > 1 else ''}"
            for level, count in counts.items()
            if count and level != "ok"
        ]
        write(sys.stdout, f"{' and '.join(reversed(listed)) or 'no problem'}\n")
    return 1 if counts["problem"] else 0


def _findings(names: list[str], checkpoint: str | None) -> Iterator[Finding]:
    from tailrace._cli.checks import disk, logs, machine, ports  # noqa: PLC0415 - after the arguments
    from tailrace._runtime.clock import Clock  # noqa: PLC0415 - as above
    from tailrace._sources.flume import MAX_CONNECTIONS  # noqa: PLC0415 - as above

    steps: list[str] = []
    clock = Clock(warn=steps.append)
    yield from machine.versions()
    yield machine.zones()
    listens = any(map(inputs.is_flume, names))
    yield machine.descriptors(MAX_CONNECTIONS, listens=listens)
    if checkpoint is not None:
        yield from disk.directory(checkpoint, clock)
    files = [name for name in names if name != STDIN and not inputs.is_flume(name)]
    for name in names:
        if name == STDIN:
            yield logs.standard_input(keeps=checkpoint is not None)
        elif inputs.is_flume(name):
            yield from ports.port(name, *listening(name).address)
        else:
            yield from logs.log(name, partial(inputs.why_unreadable, name))
    if files:
        yield from logs.notification(files)
    yield from machine.clock(clock, steps)


def _text(finding: Finding) -> str:
    subject = f"{finding.subject}: " if finding.subject else ""
    lines = [f"{finding.level:<8} {for_people(subject + finding.text)}"]
    if finding.fix:
        lines.append(f"{_MARGIN}to do: {for_people(finding.fix)}")
    if sys.stdout.isatty():
        import textwrap  # noqa: PLC0415 - only for people

        columns = max(terminal_width(sys.stdout), 40)
        lines = [
            textwrap.fill(
                line,
                columns,
                subsequent_indent=_MARGIN,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in lines
        ]
    return "".join(f"{line}\n" for line in lines)


def _json(finding: Finding) -> str:
    value = {
        "level": finding.level,
        "check": finding.check,
        "subject": finding.subject or None,
        "text": finding.text,
        "fix": finding.fix or None,
        **finding.values,
    }
    return for_json(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) + "\n"
