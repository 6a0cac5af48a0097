"""How a line was read, piece by piece, or why it was not."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._detection import Detector, closest_format
from tailrace._names import AUTO, check_format, one_of
from tailrace._sources import Chunk
from tailrace._sources.text import STDIN
from tailrace._terminal.escape import cut, for_people, width
from tailrace._terminal.excerpt import excerpt, shown, terminal_width
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] FORMAT [LINE]"

ABOUT = """\
Show how a line is read, piece by piece, or why it is not.

FORMAT is what --log-format takes: auto, a name, or the text of a format. LINE is a line of the log;
without one, or with -, it is the first of standard input. Lines in front of it that name the
columns, as W3C and CSV have them, belong to it. The exit code is 1 if it is not of the format.
"""

EXAMPLES = """\
Examples:
  tailrace explain auto < access.log
  tailrace explain combined '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5'
  tailrace explain '$remote_addr [$time_local] "$request" $status' < access.log
"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("log_format", metavar="auto|NAME", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("line", metavar="LINE", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="text for people, or one JSON object (default text)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return what is to be done."""
    if given.log_format is None:
        raise ValueError("no format; write auto, a name or a text, and a line")
    one_of(given.format, ["text", "jsonl"], "output format")
    check_format(given.log_format, auto=True)
    line = None if given.line in {None, STDIN} else os.fsencode(given.line)
    if line is None and (sys.stdin is None or sys.stdin.isatty()):
        raise ValueError("no line; write one behind the format, or redirect a log")
    return partial(_show, given.log_format, line, jsonl=given.format == "jsonl")


# Lines that name the columns; more of them are no log.
_MOST_HEADERS = 100

_MARGIN = "  "


def _show(spec: str, line: bytes | None, *, jsonl: bool) -> int:
    """Explain a line, or the first of standard input; exit with 1 if it is not of the format."""
    data, found = _of_input(spec) if line is None else (line, _explained(spec, line))
    if jsonl:
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n"
    else:
        line = data.split(b"\n")[found["number"] - 1]
        text = "\n".join(_told(spec, found, line)) + "\n"
    write(sys.stdout, text)
    return 1 if found["outcome"] == "reject" else 0


def _of_input(spec: str) -> tuple[bytes, dict[str, Any]]:
    """Read as many lines as it takes to have one that does not name the columns."""
    stream: BinaryIO = sys.stdin.buffer
    data = b""
    for _ in range(_MOST_HEADERS):
        more = stream.readline(_core.MAX_LINE_BYTES + 2)
        data += more
        found = _explained(spec, data)
        if not more or found["outcome"] != "header":
            break
    return data, found


def _explained(spec: str, data: bytes) -> dict[str, Any]:
    """Return what the core says of the first line."""
    return _core.explain(data, format=_chosen(data) if spec == AUTO else spec)


def _chosen(data: bytes) -> str:
    detector = Detector()
    detector.look(Chunk(data, (0, len(data))))
    choice = detector.choose()
    return choice.format if choice.matched else closest_format(data)


def _told(spec: str, found: dict[str, Any], line: bytes) -> list[str]:
    # A text is long, and whoever wrote it knows it.
    is_name = found["format"] in _core.FORMATS
    of_format = f"of {found['format']}" if is_name else "of the format"
    if found["outcome"] == "header":
        columns = ", ".join(map(for_people, found["columns"]))
        return [f"The line is {of_format}: it names the columns {columns}."]
    if found["outcome"] == "reject":
        return _rejected(of_format, found, line, is_auto=spec == AUTO)
    told = [f"The line is {of_format}.", "", *_pieces(found, line)]
    if found["derived"]:
        told += ["", "Worked out of these:", *_derived(found)]
    notes = []
    if found["open"]:
        notes.append("Any other key of a line is a field too, by its own name.")
    elif found["absent"]:
        notes.append(f"Nothing in this line: {', '.join(map(for_people, found['absent']))}.")
    return told + ([""] if notes else []) + notes


def _rejected(of_format: str, found: dict[str, Any], line: bytes, *, is_auto: bool) -> list[str]:
    columns = terminal_width(sys.stdout) - len(_MARGIN)
    if is_auto:
        told = [
            f"The line is of no format that is detected; it is most like one of {found['format']}."
        ]
    else:
        told = [f"The line is not {of_format}."]
    if found["reason"] == "too-long":
        return [*told, f"It is longer than {_core.MAX_LINE_BYTES:,} bytes, and read no further."]
    told += [f"At byte {found['byte']:,} there should be {found['expected']}:"]
    told += [_MARGIN + text for text in excerpt(line, found["byte"], columns)]
    if "template" in found:
        template = found["template"].encode()
        # Of several lines the one in which the part begins.
        first = template.rfind(b"\n", 0, found["part_start"]) + 1
        line = template[first:].partition(b"\n")[0]
        start, end = found["part_start"] - first, found["part_end"] - first
        told += ["That is this part of the format:"]
        told += [_MARGIN + text for text in excerpt(line, start, columns, end)]
    if is_auto:
        told += ["Name the format (tailrace formats lists them), or paste what the server's"]
        told += ["configuration has: nginx's log_format or Apache's LogFormat."]
    return told


def _pieces(found: dict[str, Any], line: bytes) -> list[str]:
    rows = [("byte", "field", "type", "text", "value")]
    for piece in found["pieces"]:
        start = f"{piece['start']:,}"
        text = shown(line[piece["start"] : piece["end"]])
        if piece["what"] == "field":
            value = _value(piece["value"]) if "value" in piece else ""
            rows.append((start, for_people(piece["name"]), piece.get("type", ""), text, value))
        else:
            # Blanks at its ends are of it.
            rows.append((start, f"({piece['what']})", "", f"'{text}'", ""))
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
    # The text has half of the room, and what the values leave.
    most = [max(width(row[column]) for row in rows) for column in (3, 4)]
    texts = min(most[0], max(room - most[1], room // 2))
    lines = []
    for byte, field, kind, text, value in rows:
        shown_text = _fitted(text, texts)
        pad = " " * (texts - width(shown_text))
        head = f"{byte:>{wide[0]}}  {field:{wide[1]}}  {kind:{wide[2]}}  {shown_text}{pad}"
        lines.append(f"{head}  {_fitted(value, room - texts)}".rstrip(" "))
    return lines


def _fitted(text: str, columns: int) -> str:
    return cut(text, columns - 2, "...") if width(text) > columns else text
