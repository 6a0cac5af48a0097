"""What each format is, for who has to choose one."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._names import DETECTED, one_of
from tailrace._rendering.text import key_text
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "NOTES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [NAME]..."

ABOUT = """\
Show which formats of log lines have a name, and which fields.

With a NAME it shows an example line and its fields. A format without a name is pasted as it stands
in the server's configuration; tailrace explain shows how its lines are read.
"""

EXAMPLES = """\
Examples:
  tailrace formats
  tailrace formats combined
  tailrace formats --fields
  tailrace formats --format jsonl | jq -r .name
"""


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("names", metavar="NAME", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="text for people, or one JSON object a format (default text)",
    )
    parser.add_argument(
        "--fields",
        action="store_true",
        help="show the fields that have the same name in all formats, with their types and units",
    )


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return what is to be done."""
    one_of(given.format, ["text", "jsonl"], "output format")
    names = [
        one_of(name, list(_core.FORMATS), "format", "tailrace formats") for name in given.names
    ]
    if given.fields and names:
        raise ValueError("--fields are those of all formats; leave the names out, or --fields")
    json = given.format == "jsonl"
    return partial(_show_fields, json=json) if given.fields else partial(_show, names, json=json)


class Notes(NamedTuple):
    """What there is to say about a format beyond what the core says of every one."""

    grammar: str
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]


_TOLERATED = (
    'an empty or missing request ("", "-" or a bare -): it counts, with url and method null',
    "words before the host: syslog, containers, name and port of a virtual host",
    "a list of proxies as the host, IPv6 with or without brackets, a user with blanks",
    r"quotes escaped as \" or \x22, and most that a logger left as they were",
    "a status or size of -, a time that cannot be read: null",
)

_TYPED = (
    "a status that has not three digits, a size that is no number",
    "a line without [time], or cut off within its quotes",
)

NOTES: dict[str, Notes] = {
    "common": Notes(
        grammar='host ident user [time] "request" status size',
        accepted=(*_TOLERATED, "more fields behind, if the first of them is not quoted"),
        rejected=("a quoted field right behind the size: the line is of combined", *_TYPED),
    ),
    "combined": Notes(
        grammar='host ident user [time] "request" status size "referer" "agent"',
        accepted=(*_TOLERATED, "no referer and agent, as in common; more fields behind them"),
        rejected=("a referer without an agent", *_TYPED),
    ),
    "classic": Notes(
        grammar='host ident user [time] "request" status size "referer" "agent"',
        accepted=(
            "precisely what that expression accepts, on any line in linear time",
            "any text as time, any word as size, any digits as status",
        ),
        rejected=(
            "an empty request, words before the host, a user with blanks",
            "a line without referer and agent, or with an unquoted field behind them",
        ),
    ),
}


def _show(names: list[str], *, json: bool) -> None:
    """Print all there is to say about these formats, or a table of those that there are."""
    if json:
        text = "".join(f"{_json(name)}\n" for name in names or _core.FORMATS)
    elif names:
        text = "\n".join(map(_page, names))
    else:
        text = _table()
    write(sys.stdout, text)


_STEPS = """\
Steps behind a field's name, several in a row if need be:
  path:2          the first two segments; also url:2
  url:noquery     without what follows the first ?
  referer:path    the path of any URL, referer:query its query
  url:decode      with %41 as A
  agent:unescape  with \\x41, \\" and the like as the characters that they stand for
"""


def _show_fields(*, json: bool) -> None:
    """Print the fields that have the same name in all formats."""
    names = _core.standard_fields()
    if json:
        import json as writer  # noqa: PLC0415 - people get text

        keys = ("name", "type", "about")
        objects = [dict(zip(keys, name, strict=True)) for name in names]
        text = "".join(writer.dumps(one, separators=(",", ":")) + "\n" for one in objects)
    else:
        text = f"{_aligned([('field', 'type', 'what it is'), *names])}\n{_STEPS}"
    write(sys.stdout, text)


def _table() -> str:
    rows = [("format", "detected", "what it is")]
    rows += [(name, "yes" if name in DETECTED else "no", _about(name)[0]) for name in _core.FORMATS]
    return (
        f"{_aligned(rows)}\ntailrace formats NAME shows its fields; --log-format NAME chooses it.\n"
    )


def _page(name: str) -> str:
    about, example, source = _about(name)
    notes = NOTES.get(name)
    fields = [
        (f"  {field.name}", field.kind, field.shown + " (where it is asked for)" * field.on_demand)
        for field in _fields(name)
    ]
    chosen = f"Choose it with --log-format {name}"
    if name in DETECTED:
        chosen += "; where most of the first lines are of it, it is detected"
    else:
        chosen += "; it is never detected"
    return (
        f"{name}: {about}\n"
        + (f"\n  {notes.grammar}\n" if notes else "")
        + f"\nExample:\n{_indented(example)}"
        + f"\nFields, and their values in the example:\n{_aligned(fields)}"
        + (f"\nAccepted:\n{_listed(notes.accepted)}" if notes else "")
        + (f"\nRejected:\n{_listed(notes.rejected)}" if notes else "")
        + f"\nDocumented: {source}\n{chosen}.\n"
    )


def _json(name: str) -> str:
    import json  # noqa: PLC0415 - people get text

    about, example, source = _about(name)
    value = {
        "name": name,
        "about": about,
        "detected": name in DETECTED,
        "example": example,
        "source": source,
        "fields": [
            {"name": field.name, "type": field.kind, "example": field.value}
            for field in _fields(name)
        ],
    }
    return json.dumps(value, separators=(",", ":"))


def _about(name: str) -> tuple[str, str, str]:
    """Return what it is in a line, an example, and where it is documented."""
    return _core.describe_format(name) or ("", "", "")


class _Field(NamedTuple):
    name: str
    kind: str
    value: Any
    on_demand: bool

    @property
    def shown(self) -> str:
        return key_text(self.value)


def _fields(name: str) -> list[_Field]:
    """Return what the format itself makes of its example."""
    data = _about(name)[1].encode()
    # A line of the example may name the columns.
    _, log_format = _core.Format(name).sections(data, kind="lines", span=(0, len(data)))
    given = _core.default_fields(log_format)
    kinds = _core.field_kinds(log_format)
    table = _core.parse(data, format=log_format, fields=[field for field, _ in kinds])
    values = table.to_dicts()[0]
    return [_Field(field, kind, values[field], field not in given) for field, kind in kinds]


def _aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{row[0]:{wide[0]}}  {row[1]:{wide[1]}}  {row[2]}\n" for row in rows)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _listed(texts: tuple[str, ...]) -> str:
    return "".join(f"  - {text}\n" for text in texts)
