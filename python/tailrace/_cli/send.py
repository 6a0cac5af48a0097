"""The verb that sends lines to a Flume receiver: its arguments."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from tailrace._addresses import split_address
from tailrace._cli import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [FILE]... flume://HOST:PORT"

ABOUT = """\
Send lines to a Flume receiver, as a Flume agent does.

A FILE is a path, or - for standard input (the default in a pipe). Files compressed with gzip,
bzip2, xz or zstd are decompressed.

Each line becomes an event with two headers, as a spooling directory source and a timestamp
interceptor add them: 'file' (the path; absent for standard input) and 'timestamp' (when the line
was read, in milliseconds since the epoch).
"""

EXAMPLES = """\
No line is sent twice. If no connection can be made, the exit code is 2. If the receiver fails
later, it is 1, and the last message gives two numbers: the lines that were acknowledged, and the
lines that were sent but not acknowledged, which may or may not have been counted.

INT, TERM and QUIT end in an orderly way, the second ends at once; HUP does too if there is a
controlling terminal. USR1 prints the counters so far to standard error.

Examples:
  tailrace send access.log flume://127.0.0.1:9092
  tailrace send access.log.*.gz flume://127.0.0.1:9092 --rate 1000/s
  tail -F access.log | tailrace send flume://127.0.0.1:9092
"""

# The most that a receiver accepts.
_MAX_CONNECTIONS = 1_024

_SEND_BATCH = 100


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    option = parser.add_argument
    option("sources", metavar="FILE", nargs="*", help=argparse.SUPPRESS)
    option(
        "--batch",
        metavar="N",
        help=f"lines per batch (default: {_SEND_BATCH}; with --rate N/s, the smaller of "
        f"{_SEND_BATCH} and N)",
    )
    option(
        "--connections",
        default="1",
        metavar="N",
        help="number of connections, used in turn, each with one batch in flight (default: 1)",
    )
    option(
        "--rate",
        metavar="N/s",
        help="lines per second, sent in evenly spaced batches (default: as fast as the receiver "
        "accepts them)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    inputs.check_addresses(given.sources)
    targets = [word for word in given.sources if inputs.is_flume(word)]
    names = inputs.matching_files([word for word in given.sources if not inputs.is_flume(word)])
    if len(targets) != 1:
        raise ValueError(_not_one_receiver(targets, given.sources))
    host, port = split_address(targets[0].removeprefix(inputs.FLUME))
    rate = None if given.rate is None else _rate(given.rate)
    batch = _SEND_BATCH if rate is None else max(1, min(_SEND_BATCH, int(rate)))
    if given.batch is not None:
        batch = inputs.positive(given.batch, "--batch", "lines", 1_000_000)
    connections = inputs.positive(
        given.connections, "--connections", "connections", _MAX_CONNECTIONS
    )
    if port == 0:
        raise ValueError(f"{targets[0]}: expected the receiver's port, from 1 to 65535, found 0")
    names = inputs.given_or_stdin(names, "a file, or - for standard input")
    good, failed = inputs.readable(names)
    from tailrace._cli.sending import Sending  # noqa: PLC0415 - a wrong argument needs none of it

    return Sending(
        good, host, port, batch=batch, connections=connections, rate=rate, failed=failed
    ).run


def _not_one_receiver(targets: Sequence[str], words: Sequence[str]) -> str:
    """Return the message for no receiver or several."""
    if targets:
        return f"expected one receiver, found {len(targets)}: {', '.join(targets)}"
    expected = f"expected {inputs.FLUME}HOST:PORT as the last argument"
    last = words[-1] if words else ""
    if ":" in last and not os.path.lexists(last):
        return f"{expected}, found {last!r}; write {inputs.FLUME}{last.partition('://')[2] or last}"
    return f"{expected}, such as {inputs.FLUME}127.0.0.1:9092, found none"


def _rate(text: str) -> float:
    number = text.removesuffix("/s")
    if number.isascii() and number.replace(".", "", 1).isdigit() and float(number) > 0:
        return float(number)
    raise ValueError(f"--rate: expected lines per second, such as 1000/s, found {text!r}")
