"""What several verbs share: sources, formats of lines and conditions, as arguments, and a query."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from tailrace._errors import TailraceError
from tailrace._names import AUTO, split_address
from tailrace._query import from_files, from_flume, merge
from tailrace._sources.globs import is_pattern, matching
from tailrace._sources.text import STDIN, check_log
from tailrace._terminal.escape import for_people
from tailrace._terminal.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._cli.parser import Parser
    from tailrace._query import Query

__all__ = ["FIELDS", "FLUME", "add_arguments", "check_addresses", "given_or_stdin", "is_flume"]
__all__ += ["is_typed", "jobs", "log_format", "matching_files", "positive", "query", "readable"]
__all__ += ["sources"]

FLUME = "flume://"

_MAX_JOBS = 1_024

# Formats whose columns can be named.
_DELIMITED = ("csv", "tsv")

FIELDS = """\
tailrace formats lists the formats, with a NAME its fields, with --fields what fields mean.

"""
"""Stands before the examples."""


def add_arguments(parser: Parser, where_is_told: str) -> None:
    """Add what every verb that reads lines takes."""
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--log-format",
        default=AUTO,
        metavar="auto|NAME",
        help="what the lines look like: a name, a format pasted from a server's configuration "
        "(log_format, LogFormat), several names with commas between them, or auto, which looks at "
        "the first 1,000 lines of each source (default auto)",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMN,COLUMN...",
        help="the columns of lines with commas between them and no header (with --log-format tsv: "
        "tabs); a type may follow a colon, as in time,device,temperature:float",
    )
    parser.add_argument(
        "-F",
        "--follow",
        action="store_true",
        help="go on at the end of files, by name, through rotation and truncation, as tail -F "
        "does; by log time from their beginning, by arrival from their end",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        help="how many threads read the lines of files; the answers do not depend on it (default: "
        "one for each processor)",
    )
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="look only at lines for which this holds: 'status >= 500 and method == POST', see "
        + where_is_told,
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="only at lines whose own time is not before this: 10m (before now), 10:30, yesterday, "
        "2026-11-23T10:30+01:00, ...; UTC where no zone is given",
    )
    parser.add_argument(
        "--until", metavar="WHEN", help="only at lines whose own time is before this"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a line was rejected")


def sources(given: argparse.Namespace) -> tuple[list[str], bool]:
    """
    Return the sources that can be read, and whether there are others; says which and why.

    Without any, that is standard input if it is no terminal.
    """
    given.sources = matching_files(given.sources)
    what = "source; name a file, - for standard input, or flume://HOST:PORT"
    names = given_or_stdin(given.sources, what)
    check_addresses(names)
    return readable(names, follow=given.follow)


def given_or_stdin(names: list[str], what: str) -> list[str]:
    """Return the names, or that of standard input if there are none."""
    if not names and (sys.stdin is None or sys.stdin.isatty()):
        raise ValueError(f"no {what}")
    if names.count(STDIN) > 1:
        raise ValueError("standard input can be read once; name - once")
    return names or [STDIN]


def readable(names: list[str], *, follow: bool = False) -> tuple[list[str], bool]:
    """Return the names that can be read, and whether there are others; says which and why."""
    good = [name for name in names if _can_be_read(name, follow=follow)]
    if not good:
        raise SystemExit(2)
    return good, len(good) < len(names)


def is_typed(names: Sequence[str]) -> bool:
    """Tell whether lines come from a keyboard."""
    return STDIN in names and os.isatty(0)


def is_flume(source: str) -> bool:
    """Tell whether a source is the address of a Flume receiver."""
    return source.startswith(FLUME)


def check_addresses(sources: Sequence[str]) -> None:
    """See that what is meant as an address is one, and named once."""
    seen: list[tuple[str, int]] = []
    for source in sources:
        if is_flume(source):
            address = split_address(source.removeprefix(FLUME))
            # Of port 0 each gets another.
            if address in seen and address[1]:
                raise ValueError(f"{source!r} is named twice; name it once")
            seen.append(address)
        elif source.startswith("flume:") and not os.path.lexists(source):
            meant = FLUME + source.removeprefix("flume:").lstrip("/")
            raise ValueError(f"{source!r} is no file; did you mean {meant}?")


def matching_files(sources: Sequence[str]) -> list[str]:
    """Put files for patterns that no shell has seen; one without files stays, to be told of."""
    names = []
    for source in sources:
        try:
            names += [source] if is_flume(source) else matching(source)
        except FileNotFoundError:
            names.append(source)
    return names


def _can_be_read(source: str, *, follow: bool) -> bool:
    if is_flume(source):
        return True
    if source == STDIN and sys.stdin is None:
        say("tailrace: standard input is closed; name a file, or redirect one: < access.log")
        return False
    try:
        matching(source)
        if follow and source != STDIN:
            from tailrace._sources.follow import check_followed  # noqa: PLC0415 - asyncio

            check_followed(source)
        else:
            check_log(source)
    except TailraceError as error:
        say(f"tailrace: {for_people(str(error))}")
    except OSError as error:
        say(f"tailrace: {for_people(source)}: {_hint(source, error)}")
    else:
        return True
    return False


def _hint(source: str, error: OSError) -> str:
    """Say what is wrong with a source, and how to mend it where that is known."""
    if isinstance(error, FileNotFoundError):
        if "://" in source:
            return "no such source; a source is a path, - or flume://HOST:PORT"
        pattern = is_pattern(source)
        return "no file matches; check the pattern" if pattern else "no such file; check the name"
    if isinstance(error, IsADirectoryError):
        return f"is a directory; name the files in it, such as {for_people(source.rstrip('/'))}/*"
    if isinstance(error, PermissionError):
        return "may not be read by this user; change its mode, or run as a user who may"
    return error.strerror or str(error)


def log_format(given: argparse.Namespace) -> str:
    """Return what the lines look like."""
    name: str = given.log_format
    if not given.columns:
        return name
    if name not in {AUTO, *_DELIMITED}:
        raise ValueError(
            f"--columns: of lines in format {name} the columns are known; they are for "
            f"--log-format {' and '.join(_DELIMITED)}"
        )
    return f"{'csv' if name == AUTO else name}:{given.columns}"


def jobs(given: argparse.Namespace) -> int | None:
    """Return how many threads are asked for, if it is said."""
    return None if given.jobs is None else positive(given.jobs, "--jobs", "threads", _MAX_JOBS)


def positive(text: str, option: str, what: str, most: int) -> int:
    """Return a number from one to *most*."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= most:
        return int(text)
    raise ValueError(f"{option}: {text!r} is no number of {what}; write 1 to {most:,}")


def query(names: Sequence[str], given: argparse.Namespace) -> Query:
    """Return a query of the sources, in their order; files that stand together are one."""

    def kind(name: str) -> tuple[bool, bool]:
        # Standard input has no name to follow.
        return is_flume(name), name == STDIN and given.follow

    queries = []
    for (flume, unnamed), group in groupby(names, kind):
        if flume:
            addresses = [name.removeprefix(FLUME) for name in group]
            queries.append(from_flume(*addresses, format=given.log_format))
        else:
            follow = given.follow and not unnamed
            queries.append(from_files(*group, format=given.log_format, follow=follow))
    asked = merge(*queries)
    if given.where is not None:
        asked = asked.where(given.where)
    if given.since is not None:
        asked = asked.since(given.since)
    return asked if given.until is None else asked.until(given.until)
