"""The verb that lists the formats and describes each of them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._names import DETECTED, choice, one_of, steps_of
from tailrace._rendering import iso
from tailrace._rendering.text import key_text
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "NOTES", "USAGE", "act", "add_arguments"]

USAGE = "[OPTIONS] [NAME]..."

ABOUT = """\
List the named formats and their fields.

With NAME, show an example line of the format and its fields. For any other format, pass the
server's log_format or LogFormat to --log-format; 'tailrace explain' shows how its lines are parsed.
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
        help="print text, or one JSON object per format (default: text)",
    )
    parser.add_argument(
        "--fields",
        action="store_true",
        help="list the field names that formats share, with types and units",
    )


def act(given: argparse.Namespace) -> Callable[[], None]:
    """Check the arguments and return the function to run."""
    choice(given.format, ["text", "jsonl"], "--format")
    names = [
        one_of(name, list(_core.FORMATS), "format", "tailrace formats") for name in given.names
    ]
    if given.fields and names:
        raise ValueError(
            f"--fields: expected no NAME; 'tailrace formats {names[0]}' lists the fields of "
            f"{names[0]}"
        )
    json = given.format == "jsonl"
    return partial(_show_fields, json=json) if given.fields else partial(_show, names, json=json)


class Notes(NamedTuple):
    """A description of a format, in addition to what the core has for every one."""

    grammar: str
    accepted: tuple[str, ...]
    rejected: tuple[str, ...]


_TOLERATED = (
    'an empty or missing request ("", "-" or a bare -): url and method are null',
    "a prefix before the host, as from syslog, containers or a virtual host; not an address",
    "a list of proxies as the host, IPv6 with or without brackets, a user with spaces",
    "a missing or empty host or user, or -: the field is null; quotes around the line",
    r"quotes escaped as \" or \x22, and most unescaped quotes",
    "a bare - as status or size, and a time that cannot be parsed: the field is null",
)

_TYPED = (
    "a host with brackets or quotes, a user with spaces and one of these or a lone -",
    "other fields before the request: paste the server's log_format or LogFormat",
    "a status that is not three digits, a size that is not a number",
    "a line without [time], or cut off within quotes",
)

NOTES: dict[str, Notes] = {
    "common": Notes(
        grammar='host ident user [time] "request" status size',
        accepted=(*_TOLERATED, "more fields at the end, if the first of them is not quoted"),
        rejected=("a quoted field right after the size: the line matches combined", *_TYPED),
    ),
    "combined": Notes(
        grammar='host ident user [time] "request" status size "referer" "agent"',
        accepted=(*_TOLERATED, "a missing referer and agent, as in common; more fields at the end"),
        rejected=("a referer without an agent", *_TYPED),
    ),
    "classic": Notes(
        grammar='host ident user [time] "request" status size "referer" "agent"',
        accepted=(
            "exactly what the regular expression accepts, in linear time on any line",
            "any text as time, any word as size, any digits as status",
        ),
        rejected=(
            "an empty request, a prefix before the host, a user with spaces",
            "a line without referer and agent, or with an unquoted field after them",
        ),
    ),
}


def _show(names: list[str], *, json: bool) -> None:
    """Print descriptions of these formats, or a table of all formats."""
    if json:
        text = "".join(f"{_json(name)}\n" for name in names or _core.FORMATS)
    elif names:
        text = "\n".join(map(_page, names))
    else:
        text = _table()
    write(sys.stdout, text)


_STEPS = "A field's name can be followed by steps, as in url:noquery:decode. They compute a value:"


def _show_fields(*, json: bool) -> None:
    """Print the field names that formats share."""
    names = _core.standard_fields()
    if json:
        import json as writer  # noqa: PLC0415 - people get text

        keys = ("name", "type", "about")
        objects: list[dict[str, Any]] = [dict(zip(keys, name, strict=True)) for name in names]
        for one in objects:
            one["aliases"] = _other_names(one["name"])
        text = "".join(writer.dumps(one, separators=(",", ":")) + "\n" for one in objects)
    else:
        text = f"{_aligned([('field', 'type', 'description'), *names])}\n{_STEPS}\n\n"
        text += "".join(f"  {example:{_WIDTH}}  {about}\n" for _, example, about in _core.STEPS)
        text += "\nOther names that give these fields; --format jsonl lists all of them:\n\n"
        for name, *_ in names:
            if others := _other_names(name)[:_MAX_OTHERS]:
                text += f"  {name:{_WIDTH}}  {', '.join(others)}\n"
    write(sys.stdout, text)


# More of them would not fit into a line.
_MAX_OTHERS = 5
_WIDTH = 15


def _other_names(field: str) -> list[str]:
    return [other for other, standard in _core.ALIASES if standard == field]


_HINT = """\
Of the formats that a tenth of the first 1,000 lines match, detection chooses the one that reads
the most lines with nothing passed over, then the one that reads the most lines, then the first in
this list. Formats that are not detected are used only if --log-format names them: csv and tsv match
almost any text, classic is another way to parse lines of combined, and iis is another name for w3c.
'tailrace formats NAME' shows the fields of a format, and --log-format NAME selects it.
"""


def _table() -> str:
    rows = [("format", "detected", "description")]
    rows += [(name, "yes" if name in DETECTED else "no", _about(name)[0]) for name in _core.FORMATS]
    return f"{_aligned(rows)}\n{_HINT}"


def _page(name: str) -> str:
    about, example, source = _about(name)
    notes = NOTES.get(name)
    fields = [
        (f"  {field.name}", field.kind, field.shown + " (only if requested)" * field.on_demand)
        for field in _fields(name)
    ]
    detected = "detected automatically" if name in DETECTED else "never detected automatically"
    return (
        f"{name}: {about}\n"
        + (f"\n  {notes.grammar}\n" if notes else "")
        + f"\nExample:\n{_indented(example)}"
        + f"\nFields, with their values in the example:\n{_aligned(fields)}"
        + (f"\n{steps}" if (steps := steps_of(name)) else "")
        + (f"\nAccepted:\n{_listed(notes.accepted)}" if notes else "")
        + (f"\nRejected:\n{_listed(notes.rejected)}" if notes else "")
        + f"\nDocumentation: {source}\nSelect it with --log-format {name}; it is {detected}.\n"
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
    return json.dumps(value, separators=(",", ":"), default=iso)


def _about(name: str) -> tuple[str, str, str]:
    """Return a format's description, an example, and the address of its documentation."""
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
    """Return the fields of the format's example, as the format itself parses it."""
    data = _about(name)[1].encode()
    # The example may have a header.
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
