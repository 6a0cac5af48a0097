"""The verb that sends, and its arguments."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tailrace._cli import inputs
from tailrace._names import split_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [FILE]... flume://HOST:PORT"

ABOUT = """\
Send lines to a Flume receiver, as the Avro sink of an agent does.

A FILE is a path, plain or in gzip, bzip2, xz or zstd, or - for standard input (in a pipe it need
not be named).
Each line is an event with the headers that a spooldir source and a timestamp interceptor give it:
file, the path (not for standard input), and timestamp, when it was read, in milliseconds.
"""

EXAMPLES = """\
Nothing is sent twice. When the receiver fails, the exit code is 1, and the last line says how many
lines were acknowledged and of how many nobody knows.

Examples:
  tailrace send access.log flume://127.0.0.1:9092
  tailrace send access.log.*.gz flume://127.0.0.1:9092 --rate 1000/s
  tail -F access.log | tailrace send flume://127.0.0.1:9092
"""

# As many as a receiver takes.
_MAX_CONNECTIONS = 1_024

_SEND_BATCH = 100


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    option = parser.add_argument
    option("sources", metavar="FILE", nargs="*", help=argparse.SUPPRESS)
    option(
        "--batch",
        metavar="N",
        help=f"lines in a batch (default {_SEND_BATCH}; with --rate at most one second's)",
    )
    option(
        "--connections",
        default="1",
        metavar="N",
        help="how many, each with one batch in flight; they take turns (default 1)",
    )
    option(
        "--rate",
        metavar="N/s",
        help="how many lines a second, batches evenly spaced (default: what the receiver takes)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return what is to be done."""
    inputs.check_addresses(given.sources)
    targets = [word for word in given.sources if inputs.is_flume(word)]
    names = inputs.matching_files([word for word in given.sources if not inputs.is_flume(word)])
    if len(targets) != 1:
        what = "no receiver" if not targets else f"{len(targets)} receivers"
        raise ValueError(f"{what}; name one, such as flume://127.0.0.1:9092")
    host, port = split_address(targets[0].removeprefix(inputs.FLUME))
    rate = None if given.rate is None else _rate(given.rate)
    batch = _SEND_BATCH if rate is None else max(1, min(_SEND_BATCH, int(rate)))
    if given.batch is not None:
        batch = inputs.positive(given.batch, "--batch", "lines", 1_000_000)
    connections = inputs.positive(
        given.connections, "--connections", "connections", _MAX_CONNECTIONS
    )
    if port == 0:
        raise ValueError(f"{targets[0]!r}: nobody listens on port 0; name the receiver's")
    names = inputs.given_or_stdin(names, "file; name one, or - for standard input")
    good, failed = inputs.readable(names)
    from tailrace._cli.sending import Sending  # noqa: PLC0415 - a wrong argument needs none of it

    return Sending(
        good, host, port, batch=batch, connections=connections, rate=rate, failed=failed
    ).run


def _rate(text: str) -> float:
    number = text.removesuffix("/s")
    if number.isascii() and number.replace(".", "", 1).isdigit() and float(number) > 0:
        return float(number)
    raise ValueError(f"--rate: {text!r} is no number of lines a second; write 1000 or 1000/s")
