"""The verb that shows how a line is parsed, or why it does not match."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._cli import inputs
from tailrace._detection import Detector, closest_format
from tailrace._names import AUTO, check_format, choice, steps_of
from tailrace._sources import Chunk
from tailrace._sources.text import STDIN
from tailrace._terminal.escape import cut, for_people, width
from tailrace._terminal.excerpt import excerpt, mismatch, shown, terminal_width
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] FORMAT [LINE]"

ABOUT = """\
Show how a line is parsed, field by field, or why it does not match.

FORMAT is any value of --log-format: auto, a name, or a pasted format. LINE is a line of the log.
Without LINE, or with -, the first line of standard input is explained; if the format has a header
(W3C, CSV), the first line after the header. The exit code is 1 if the line does not match.
"""

EXAMPLES = """\
Examples:
  tailrace explain auto < access.log
  tailrace explain combined '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5'
  tailrace explain '$remote_addr [$time_local] "$request" $status' < access.log
"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("log_format", metavar="auto|FORMAT", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("line", metavar="LINE", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="print text, or one JSON object (default: text)",
    )
    inputs.add_zone(parser)


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    if given.log_format is None:
        raise ValueError("expected a format (auto, a name or a pasted format), found no argument")
    choice(given.format, ["text", "jsonl"], "--format")
    check_format(given.log_format, auto=True)
    line = None if given.line in {None, STDIN} else os.fsencode(given.line)
    if line is None and (sys.stdin is None or sys.stdin.isatty()):
        raise ValueError("expected a line after the format, or a log as input: < access.log")
    zone = _zone(given)
    return partial(_show, given.log_format, zone, line, jsonl=given.format == "jsonl")


def _zone(given: argparse.Namespace) -> _core.Zone | None:
    zone = inputs.zone(given)
    if zone is None:
        return None
    from tailrace._zones import zone_table  # noqa: PLC0415 - loaded only with a zone

    return zone_table(zone)


# With more lines of header than this, the input is not a log.
_MAX_HEADER_LINES = 100

_MARGIN = "  "


def _show(spec: str, zone: _core.Zone | None, line: bytes | None, *, jsonl: bool) -> int:
    """Explain a line, or the first of standard input, and return 1 if it does not match."""
    given = line is not None
    data, found = _read(spec, zone) if line is None else (line, _explained(spec, zone, line))
    if jsonl:
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n"
    else:
        line = data.split(b"\n")[found["number"] - 1]
        is_empty = found["outcome"] == "reject" and not data.strip()
        what = "The line" if given else "Standard input"
        report = [f"{what} is empty."] if is_empty else _report(spec, found, line)
        text = "\n".join(report) + "\n"
    write(sys.stdout, text)
    return 1 if found["outcome"] == "reject" else 0


def _read(spec: str, zone: _core.Zone | None) -> tuple[bytes, dict[str, Any]]:
    """Read standard input up to its first line after a header, and explain that."""
    stream: BinaryIO = sys.stdin.buffer
    data = b""
    for _ in range(_MAX_HEADER_LINES):
        more = stream.readline(_core.MAX_LINE_BYTES + 2)
        data += more
        found = _explained(spec, zone, data)
        if not more or found["outcome"] != "header":
            break
    return data, found


def _explained(spec: str, zone: _core.Zone | None, data: bytes) -> dict[str, Any]:
    """Return the core's explanation of the first line."""
    return _core.explain(data, format=_core.Format(_chosen(data) if spec == AUTO else spec, zone))


def _chosen(data: bytes) -> str:
    detector = Detector()
    detector.look(Chunk(data, (0, len(data))))
    choice = detector.choose()
    return choice.format if choice.matched else closest_format(data)


def _report(spec: str, found: dict[str, Any], line: bytes) -> list[str]:
    # A pasted format is too long to repeat.
    log_format = found["format"] if found["format"] in _core.FORMATS else "the format"
    if found["outcome"] == "header":
        columns = " and ".join(", ".join(map(for_people, found["columns"])).rsplit(", ", 1))
        return [f"The line is a header of format {log_format}, with the columns {columns}."]
    if found["outcome"] == "reject":
        return _reject(log_format, found, line, spec)
    report = [f"The line matches {log_format}."]
    if found["pieces"]:
        report += ["", *_pieces(found, line)]
    if found["derived"]:
        report += ["", "Derived fields:", *_derived(found)]
    if steps := steps_of(found["format"], terminal_width(sys.stdout)):
        report += ["", steps.rstrip()]
    notes = _about_time(found["pieces"])
    notes += [_unit(piece, spec) for piece in found["pieces"] if "unit" in piece]
    if found["open"]:
        notes.append("Keys that are not listed are fields under their own names.")
    elif found["absent"]:
        notes.append(f"Missing in this line: {', '.join(map(for_people, found['absent']))}.")
    return report + ([""] if notes else []) + notes


def _about_time(pieces: list[dict[str, Any]]) -> list[str]:
    """Return how a time without a zone was read, and why a time was not read."""
    for piece in pieces:
        if piece.get("type") != "time":
            continue
        if "zone" in piece:
            other = "; --tz gives another zone" if piece["zone"] == "UTC" else ""
            return [f"The time has no zone and is read as {piece['zone']}{other}."]
        if piece["value"] is None and piece["text"] not in {"", "-"}:
            letters = _LETTERS.search(piece["text"])
            notes = ["The time cannot be read: a window, --since and --until reject the line."]
            if letters is not None:
                notes += [f"{letters[0]} needs a --tz that uses it, as Europe/Berlin uses CET."]
            return notes
    return []


# Letters of a zone at the end of a time.
_LETTERS = re.compile(r"(?<=[\d ])[A-Za-z]{2,5}$")


def _unit(piece: dict[str, Any], spec: str) -> str:
    """Say in which unit a line has a duration."""
    written = (
        f"{for_people(piece['name'])} is in {piece['unit']} in the line, in seconds as a value"
    )
    if piece["unit"] == "microseconds" and "%D" in spec:
        return f"{written}; Tomcat 9 and older write milliseconds for %D: use tomcat9:PATTERN."
    return f"{written}."


def _reject(log_format: str, found: dict[str, Any], line: bytes, spec: str) -> list[str]:
    columns = terminal_width(sys.stdout) - len(_MARGIN)
    is_auto = spec == AUTO
    names = [name.strip() for name in spec.split(",") if log_format in _core.FORMATS]
    if is_auto:
        report = [f"The line matches no known format; the closest is {log_format}."]
    elif len(names) > 1:
        none = f"neither {names[0]} nor {names[1]}" if len(names) == 2 else f"none of {spec}"  # noqa: PLR2004 - of two
        report = [f"The line matches {none}; the closest is {log_format}."]
    else:
        report = [f"The line does not match {log_format}."]
    if found["reason"] == "too-long":
        return [*report, f"It is longer than {_core.MAX_LINE_BYTES:,} bytes, the most for a line."]
    report += [f"{mismatch(found['expected'], line, found['byte'])}:"]
    report += [_MARGIN + text for text in excerpt(line, found["byte"], columns)]
    if "template" in found:
        template = found["template"].encode()
        # If the format has several lines, the one in which the part begins.
        first = template.rfind(b"\n", 0, found["part_start"]) + 1
        line = template[first:].partition(b"\n")[0]
        start, end = found["part_start"] - first, found["part_end"] - first
        report += ["at this part of the format:"]
        report += [_MARGIN + text for text in excerpt(line, start, columns, end)]
    if is_auto:
        report += ["Give the name of the format ('tailrace formats' lists them), or paste it from"]
        report += ["the server's configuration (nginx's log_format, Apache's LogFormat)."]
    return report


def _pieces(found: dict[str, Any], line: bytes) -> list[str]:
    rows = [("byte", "field", "type", "text", "value")]
    for piece in found["pieces"]:
        start = f"{piece['start']:,}"
        text = shown(line[piece["start"] : piece["end"]])
        if piece["what"] == "field":
            value = _value(piece["value"]) if "value" in piece else ""
            rows.append((start, for_people(piece["name"]), piece.get("type", ""), text, value))
        else:
            # The quotes show spaces at its ends.
            kind = "skipped" if piece["what"] == "passed over" else piece["what"]
            rows.append((start, f"({kind})", "", f"'{text}'", ""))
    return _table(rows)


def _derived(found: dict[str, Any]) -> list[str]:
    rows = [(field["name"], field["type"], _value(field["value"])) for field in found["derived"]]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    room = terminal_width(sys.stdout) - sum(wide) - 6
    return [
        f"{_MARGIN}{name:{wide[0]}}  {kind:{wide[1]}}  {_fitted(value, room)}"
        for name, kind, value in rows
    ]


def _value(value: object) -> str:
    return "-" if value is None else for_people(str(value))


def _table(rows: list[tuple[str, str, str, str, str]]) -> list[str]:
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    room = max(terminal_width(sys.stdout) - sum(wide) - 8, 24)
    # The texts get half of the room, or more if the values need less.
    widest = [max(width(row[column]) for row in rows) for column in (3, 4)]
    texts = min(widest[0], max(room - widest[1], room // 2))
    lines = []
    for byte, field, kind, text, value in rows:
        shown_text = _fitted(text, texts)
        pad = " " * (texts - width(shown_text))
        head = f"{byte:>{wide[0]}}  {field:{wide[1]}}  {kind:{wide[2]}}  {shown_text}{pad}"
        lines.append(f"{head}  {_fitted(value, room - texts)}".rstrip(" "))
    return lines


def _fitted(text: str, columns: int) -> str:
    return cut(text, columns - 2, "...") if width(text) > columns else text
