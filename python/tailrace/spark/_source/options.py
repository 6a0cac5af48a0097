"""The options of the format `tailrace`: those of the command, of `parse`, and of Spark itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from tailrace._filters import ALL, LineFilter
from tailrace._format_options import naming, spec_with_columns
from tailrace._names import AUTO, check_format, choice, suggestion
from tailrace._runtime.clock import Clock
from tailrace._zones import zone_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

__all__ = ["Options", "check", "options_of"]

Mode = Literal["permissive", "drop", "fail"]

# Options that name the files; Spark writes the second one for a list of paths.
_PATHS = ["path", "paths"]

_NAMES = [
    *("fields", "log_format", "columns", "where", "since", "until", "tz", "geoip"),
    *("mode", "reject_column", "bad_utf8_column", "kind", "partition_bytes"),
    "push_filters",
]

# Options of the command that have another form in Spark.
_INSTEAD = {
    "bad_utf8": "bad_utf8_column",
    "follow": "spark.readStream.text(...) and tailrace.spark.parse",
    "format": "df.write.format(...), or log_format for the format of the lines",
    "jobs": "partition_bytes; Spark runs a task for each partition",
    "last": "since and until, or where(...) with the newest time of the log",
    "output": "df.write",
    "rejects": "reject_column",
    "strict": "mode=fail",
}

# Spark hands these to the source of CREATE TABLE, and no options to its readers.
_OF_TABLES = {"provider", "owner"}

_MODES = ["permissive", "drop", "fail"]

# A comma that is not in backquotes, which names with commas or blanks have.
_COMMA = re.compile(r",(?=(?:[^`]*`[^`]*`)*[^`]*$)")
_QUOTED = re.compile(r"`[^`]+`")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

# The size of the partitions of Spark's own files.
_PARTITION_BYTES = 128 * 1024 * 1024


class Options(NamedTuple):
    """What is read, and how."""

    paths: tuple[str, ...]
    log_format: str
    fields: tuple[str, ...] | None
    line_filter: LineFilter
    zone: tzinfo | None
    geoip: str | None
    mode: Mode
    reject_column: str | None
    bad_utf8_column: str | None
    partition_bytes: int
    push_filters: bool | None

    @property
    def keeps_rejected(self) -> bool:
        """Whether a rejected line is a row; as in `parse`, it matches no condition."""
        is_filtered = self.line_filter != ALL
        return self.mode == "permissive" and (not is_filtered or self.reject_column is not None)

    @property
    def own_columns(self) -> list[str]:
        """The columns that do not come from lines."""
        return [name for name in (self.reject_column, self.bad_utf8_column) if name is not None]


def check(given: Mapping[str, str]) -> None:
    """Check options; see `options_of`."""
    options_of(given)


def options_of(given: Mapping[str, str]) -> Options:
    """
    Return the options of a source, whose names may have dashes, underscores or neither.

    Raises:
        ValueError: One is unknown, invalid, or given twice; or there is no path.

    >>> options_of({"path": "access.log", "logformat": "json"}).log_format
    'json'
    >>> options_of({"path": "access.log", "field": "url"})
    Traceback (most recent call last):
    ValueError: unknown option 'field'; did you mean 'fields'? Expected one of fields, log_format, \
columns, where, since, until, tz, geoip, mode, reject_column, bad_utf8_column, kind, \
partition_bytes, push_filters
    """
    if given.keys() >= _OF_TABLES or any(name.startswith("option.") for name in given):
        raise ValueError(
            "CREATE TABLE: expected CREATE TEMPORARY VIEW name USING tailrace OPTIONS (...); Spark "
            "does not pass the options of a table to Python when it reads the table"
        )
    known = _by_name(given)
    kind = known.get("kind", "log")
    if kind == "spool":
        raise ValueError("kind: spool is not available yet; read log files with kind=log")
    if kind != "log":
        raise ValueError(f"kind: expected log, found {kind!r}")
    zone = zone_of(known["tz"]) if "tz" in known else None
    found = Options(
        paths=_paths(given),
        log_format=_log_format(known),
        fields=_fields(known["fields"]) if "fields" in known else None,
        line_filter=_line_filter(known, zone),
        zone=zone,
        geoip=known.get("geoip"),
        mode=cast("Mode", choice(known.get("mode", "permissive").lower(), _MODES, "mode")),
        reject_column=_column(known, "reject_column"),
        bad_utf8_column=_column(known, "bad_utf8_column"),
        partition_bytes=_bytes(known["partition_bytes"])
        if "partition_bytes" in known
        else _PARTITION_BYTES,
        push_filters=_flag(known, "push_filters"),
    )
    if found.mode == "drop" and found.reject_column is not None:
        raise ValueError(
            "reject_column: would always be null with mode=drop; expected mode=permissive, which "
            "keeps rejected lines"
        )
    columns = [*(found.fields or ()), *found.own_columns]
    for option in ("reject_column", "bad_utf8_column"):
        if columns.count(known.get(option, "")) > 1:
            raise ValueError(
                f"{option}: expected a name that no other column has, found {known[option]!r}"
            )
    return found


def _plain(name: str) -> str:
    return name.lower().lstrip("-").replace("-", "").replace("_", "")


def _by_name(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options by their names in Python."""
    plain = {_plain(name): name for name in [*_NAMES, *_INSTEAD]}
    known: dict[str, str] = {}
    for option, value in given.items():
        if option.lower() in _PATHS:
            continue
        name = plain.get(_plain(option), "")
        if name in _INSTEAD:
            raise ValueError(f"{option}: not an option in Spark; use {_INSTEAD[name]}")
        if not name:
            # Without a command to list them, a message lists all.
            raise ValueError(f"unknown option {option!r}; {suggestion(option, _NAMES)}")
        if known.get(name, value) != value:
            raise ValueError(f"{name}: given twice, as {known[name]!r} and as {value!r}")
        known[name] = value
    return known


def _paths(given: Mapping[str, str]) -> tuple[str, ...]:
    paths: list[Any] = [given["path"]] if "path" in given else []
    if "paths" in given:
        try:
            paths += json.loads(given["paths"])
        except (TypeError, ValueError):
            paths = []
    if not paths or not all(isinstance(path, str) and path for path in paths):
        raise ValueError(
            "path: expected a log file, a pattern, or a list of these, as in load('access.log*'), "
            f"found {given.get('paths', given.get('path')) or 'nothing'}"
        )
    return tuple(paths)


def _log_format(known: Mapping[str, str]) -> str:
    """Return the spec of the lines' format."""
    name = known.get("log_format", AUTO)
    if not known.get("columns"):
        with naming("log_format"):
            return check_format(name, auto=True)
    spec = spec_with_columns(name, known["columns"])
    with naming("columns"):
        return check_format(spec)


def _fields(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in _COMMA.split(text)]
    names = [part[1:-1] if _QUOTED.fullmatch(part) else part for part in parts]
    if not any(names) or "" in names or text.startswith("["):
        raise ValueError(
            f"fields: expected names of fields separated by commas, as in host,url,status, found "
            f"{text!r:.200}"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"fields: field {name!r} is given twice")
    return tuple(names)


def _line_filter(known: Mapping[str, str], zone: tzinfo | None) -> LineFilter:
    found = ALL if "where" not in known else ALL.with_where(known["where"])
    now_us = Clock().now_us()
    for name in ("since", "until"):
        if name in known:
            found = found.with_range(now_us, **{name: known[name]}, zones=(zone,))
    return found


def _column(known: Mapping[str, str], option: str) -> str | None:
    if option in known and not known[option]:
        raise ValueError(f"{option}: expected the name of a column, found nothing")
    return known.get(option)


def _flag(known: Mapping[str, str], option: str) -> bool | None:
    if option not in known:
        return None
    return choice(known[option].lower(), ["true", "false"], option) == "true"


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * 1024 ** _UNITS[found[2].lower()]) if found else 0
    if size < 1:
        raise ValueError(
            f"partition_bytes: expected a size such as 64MB or 1048576, found {text!r}"
        )
    return size
