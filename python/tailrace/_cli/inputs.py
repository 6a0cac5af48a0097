"""Arguments that several verbs share, such as sources, formats and conditions; and their query."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tailrace._addresses import FLUME, listening
from tailrace._durations import micros
from tailrace._errors import TailraceError, in_words, os_reason
from tailrace._format_options import naming, spec_with_columns
from tailrace._names import AUTO, check_format, choice
from tailrace._query import LEAST_PARTIAL_BYTES, RESENT, from_files, from_flume, merge
from tailrace._sizes import size_bytes
from tailrace._sources.globs import is_pattern, matching
from tailrace._sources.text import STDIN, check_log
from tailrace._terminal.escape import for_people
from tailrace._terminal.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tailrace._cli.parser import Parser
    from tailrace._lookups import Countries
    from tailrace._query import Query

__all__ = ["FIELDS", "FLUME", "add_arguments", "add_zone", "check_addresses", "given_or_stdin"]
__all__ += ["is_flume", "is_typed", "jobs", "log_format", "matching_files", "positive"]
__all__ += ["query", "readable", "sources", "why_unreadable", "zone"]

_MAX_JOBS = 1_024
_MAX_CONNECTIONS = 1_000_000

FIELDS = """\
'tailrace formats' lists the formats, 'tailrace formats NAME' shows the fields of a format, and
'tailrace formats --fields' explains the common fields.

"""
"""Comes before the examples in a verb's help."""


def add_arguments(parser: Parser, *, conditions: str, follow: str) -> None:
    """
    Add the arguments of every verb that reads lines.

    Args:
        parser: The verb's.
        conditions: Where the help describes conditions.
        follow: Where in a followed file the verb starts.
    """
    parser.add_argument("sources", metavar="SOURCE", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--log-format",
        default=AUTO,
        metavar="auto|FORMAT",
        help="format of the lines: a name, a format pasted from a server's configuration "
        "(log_format, LogFormat), fields in braces as in '{host} [{time}] {status}', several names "
        "separated by commas (the first that matches a line parses it), or auto, which "
        "detects the format from the first 1,000 lines of each source (default: auto)",
    )
    add_zone(parser, ", and of times in text output; JSON and CSV stay in UTC")
    parser.add_argument(
        "--geoip",
        metavar="FILE",
        help="MaxMind DB file of countries, such as GeoLite2-Country.mmdb, in which host:country "
        "is looked up",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMN,COLUMN...",
        help="column names of CSV lines (of others with --log-format tsv or w3c), for logs "
        "without a header; a name can have a type, as in time,device,temperature:float: text, int, "
        "float, a duration (s, ms, us, ns) or a time (clf, iso, epoch, epoch_ms)",
    )
    parser.add_argument(
        "-F",
        "--follow",
        action="store_true",
        help="keep reading files as they grow, by name, through rotation and truncation, as "
        f"tail -F does; {follow}",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        help="number of threads that read files; does not change the output (default: 1 for small "
        "files and live sources, otherwise 1 per processor)",
    )
    parser.add_argument(
        "--max-connections",
        metavar="N",
        help="number of connections that a flume:// source accepts; at the limit the one that has "
        "been silent longest is closed in favour of a new one (default: 1024, or fewer if the "
        "limit on open files is lower)",
    )
    parser.add_argument(
        "--max-partial-bytes",
        metavar="SIZE",
        help="memory for the incomplete batches of a flume:// source, such as 64MiB; above it the "
        "connection with the largest is closed (default: 256MiB)",
    )
    parser.add_argument(
        "--resent",
        metavar="skip|count",
        help="whether a flume:// source skips, or counts, the events that an agent sends again on "
        "another connection because the answer was lost (default: skip)",
    )
    parser.add_argument(
        "--resent-for",
        metavar="DURATION",
        help="how long a flume:// source remembers the last batch of each connection for --resent "
        "skip; the time runs only while it listens (default: 1h)",
    )
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        help="only lines matching this condition, such as 'status >= 500 and method == POST'; see "
        + conditions,
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="only lines logged at this time or later: 10m or 10m ago, 10:30, yesterday, "
        "2026-11-23T10:30+01:00, @1431857103 (seconds since the epoch), ...; in the zone of --tz, "
        "or UTC, unless it has a zone",
    )
    parser.add_argument(
        "--until",
        metavar="WHEN",
        help="only lines logged before this time, written as for --since",
    )
    parser.add_argument(
        "--last",
        metavar="DURATION",
        help="only lines of the last 15m, 1h, 7d, ... of the log, up to its newest line; files are "
        "read twice, and of a pipe the lines that may be in range are kept in memory",
    )
    parser.add_argument(
        "--strict", action="store_true", help="exit with code 1 if a line is rejected"
    )


def add_zone(parser: Parser, shown: str = "") -> None:
    """Add the option for the zone of times without one; *shown* is what else is in this zone."""
    parser.add_argument(
        "--tz",
        metavar="ZONE",
        help="time zone, such as Europe/Berlin or +02:00, of times without a zone"
        f"{shown} (default: UTC)",
    )


def zone(given: argparse.Namespace) -> tzinfo | None:
    """Return the zone of times without one, if it is given."""
    if given.tz is None:
        return None
    from tailrace._zones import zone_of  # noqa: PLC0415 - loaded only with a zone

    return zone_of(given.tz, "--tz")


def countries(given: argparse.Namespace) -> Countries | None:
    """Return the database of countries, if it is given; every query of a run uses the same."""
    if given.geoip is None:
        return None
    # A default from the environment is loaded only if a field needs it.
    texts = [getattr(given, name, None) or "" for name in _NAMING_FIELDS]
    if given.defaults.hold(given, "geoip") and not any("country" in text for text in texts):
        return None
    from tailrace._lookups import countries as load  # noqa: PLC0415 - loaded only with a database

    try:
        return load(given.geoip)
    except OSError as error:
        raise ValueError(f"--geoip: {in_words(error)}") from error


def sources(given: argparse.Namespace) -> tuple[list[str], bool]:
    """
    Return the sources that can be read, and whether there are others, each of which is reported.

    If no source is given, it is standard input unless that is a terminal.
    """
    given.sources = matching_files(given.sources)
    what = "a file, - for standard input, or flume://HOST:PORT"
    names = given_or_stdin(given.sources, what)
    check_addresses(names)
    return readable(names, follow=given.follow)


def given_or_stdin(names: list[str], what: str) -> list[str]:
    """Return the names, or that of standard input if none is given."""
    if not names and (sys.stdin is None or sys.stdin.isatty()):
        raise ValueError(f"expected {what}, found no argument")
    if names.count(STDIN) > 1:
        raise ValueError("- is given twice; standard input can be read only once")
    return names or [STDIN]


def readable(names: list[str], *, follow: bool = False) -> tuple[list[str], bool]:
    """Return the names that can be read, and whether there are others, which are reported."""
    good = [name for name in names if _can_be_read(name, follow=follow)]
    if not good:
        raise SystemExit(2)
    return good, len(good) < len(names)


def is_typed(names: Sequence[str]) -> bool:
    """Report whether lines are typed at a terminal."""
    return STDIN in names and os.isatty(0)


def is_flume(source: str) -> bool:
    """Report whether a source is the address of a Flume receiver."""
    return source.startswith(FLUME)


def check_addresses(sources: Sequence[str]) -> None:
    """Check that each address is valid and given once."""
    seen: list[tuple[str, int]] = []
    for source in sources:
        if is_flume(source):
            address = _address(source)
            # Port 0 is another free port each time.
            if address in seen and address[1]:
                raise ValueError(f"{source} is given twice")
            seen.append(address)
        elif source.startswith("flume:") and not os.path.lexists(source):
            guess = FLUME + source.removeprefix("flume:").lstrip("/")
            raise ValueError(f"{source}: no such file; did you mean {guess}?")


def _address(source: str) -> tuple[str, int]:
    """Return the host and port of a receiver's address."""
    try:
        return listening(source).address
    except ValueError as error:
        why = str(error).partition(": ")[2]
        if why.startswith("expected HOST:PORT"):
            why = f"expected {FLUME}HOST:PORT, such as {FLUME}127.0.0.1:9092"
        raise ValueError(f"{source}: {why}") from error


def matching_files(sources: Sequence[str]) -> list[str]:
    """Expand the patterns that no shell has; one that matches nothing stays, to be reported."""
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
        say("tailrace: standard input is closed; give a file, or redirect one: < access.log")
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
        say(f"tailrace: {for_people(source) or repr(source)}: {why_unreadable(source, error)}")
    else:
        return True
    return False


def why_unreadable(source: str, error: OSError) -> str:
    """Return what is wrong with a source, and how to fix it if that is known."""
    if isinstance(error, FileNotFoundError):
        if "://" in source:
            return "unknown source; expected a file, - or flume://HOST:PORT"
        return "no file matches the pattern" if is_pattern(source) else "no such file"
    if isinstance(error, IsADirectoryError):
        return f"is a directory; give the files in it, such as {for_people(source.rstrip('/'))}/*"
    if isinstance(error, PermissionError):
        return "permission denied; change the file's mode, or run as a user who can read it"
    return os_reason(error)


def log_format(given: argparse.Namespace) -> str:
    """Return the spec of the lines' format."""
    name: str = given.log_format
    if not given.columns:
        with naming("--log-format"):
            return check_format(name, auto=True)
    spec = spec_with_columns(name, given.columns, ("--log-format", "--columns"))
    with naming("--columns"):
        return check_format(spec)


def jobs(given: argparse.Namespace) -> int | None:
    """Return the number of threads, if it is given."""
    return None if given.jobs is None else positive(given.jobs, "--jobs", "threads", _MAX_JOBS)


def positive(text: str, option: str, what: str, most: int) -> int:
    """Return a number from one to *most*."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= most:
        return int(text)
    raise ValueError(f"{option}: expected a number of {what} from 1 to {most:,}, found {text!r}")


def query(names: Sequence[str], given: argparse.Namespace) -> Query:
    """Return a query of the sources, in their order; adjacent files are one source."""

    def kind(name: str) -> tuple[bool, bool]:
        # Standard input has no name to follow.
        return is_flume(name), name == STDIN and given.follow

    if not any(map(is_flume, names)):
        _check_unlimited(names, given)
    length_us = _last_us(names, given)
    queries: list[Query] = []
    given.countries = countries(given)
    more: Any = {"format": given.log_format, "tz": zone(given), "geoip": given.countries}
    for (flume, unnamed), group in groupby(names, kind):
        if flume:
            addresses = [name.removeprefix(FLUME) for name in group]
            queries.append(from_flume(*addresses, **more, **_limits(given)))
        else:
            follow = given.follow and not unnamed
            queries.append(from_files(*group, follow=follow, **more))
    merged = merge(*queries)
    if given.where is not None:
        merged = merged.where(given.where)
    if given.since is not None:
        merged = merged.since(given.since)
    if given.until is not None:
        merged = merged.until(given.until)
    return merged if length_us is None else merged._last_of_log(length_us)


def _check_unlimited(names: Sequence[str], given: argparse.Namespace) -> None:
    """Check that no limit of receivers is given, unless by the environment."""
    for option in ("--max-connections", "--max-partial-bytes", "--resent", "--resent-for"):
        name = option[2:].replace("-", "_")
        if getattr(given, name) is not None and not given.defaults.hold(given, name):
            raise ValueError(f"{option}: expected a flume:// source, found {names[0]}")


def _limits(given: argparse.Namespace) -> dict[str, Any]:
    """Return the limits of receivers that are given."""
    limits: dict[str, Any] = {}
    if given.max_connections is not None:
        limits["max_connections"] = positive(
            given.max_connections, "--max-connections", "connections", _MAX_CONNECTIONS
        )
    if given.max_partial_bytes is not None:
        limits["max_partial_bytes"] = size_bytes(
            given.max_partial_bytes, "--max-partial-bytes", LEAST_PARTIAL_BYTES
        )
    if given.resent is not None:
        limits["resent"] = choice(given.resent, RESENT, "--resent")
    if given.resent_for is not None:
        limits["resent_for"] = given.resent_for
    return limits


def _last_us(names: Sequence[str], given: argparse.Namespace) -> int | None:
    """Return the length of the range that ends with the newest line, if it is given."""
    if given.last is None:
        return None
    defaults = given.defaults
    live = next(filter(is_flume, names), "--follow" if given.follow else None)
    others = [name for name in _INSTEAD if getattr(given, name, None) is not None]
    # The command line takes precedence over the environment.
    if defaults.hold(given, "last") and (
        live or not all(defaults.hold(given, name) for name in others)
    ):
        return None
    length_us = micros(given.last, "last")
    if live is not None:
        raise ValueError(
            f"--last: expected sources with a newest line, found {live}; use --window {given.last}"
        )
    for name in others:
        if defaults.hold(given, name) and not defaults.hold(given, "last"):
            setattr(given, name, None)
        else:
            instead = _INSTEAD[name].format(given.last)
            raise ValueError(f"--last: cannot be combined with --{name}; {instead}")
    return length_us


# The options that can name a field.
_NAMING_FIELDS = ("log_format", "where", "by", "show", "fields")

# What to do instead of giving `--last` and another option.
_INSTEAD = {
    "window": "--window gives a result per slide, and --last {} one result",
    "since": "--since counts back from now, and --last {} from the newest line",
    "until": "give --since and --until for a range of times",
}
