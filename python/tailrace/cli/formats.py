"""What each format is, for who has to choose one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace.names import DETECTED
from tailrace.outputs.streams import write

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PAGES", "Page", "run_formats"]


class Page(NamedTuple):
    """What there is to say about a format; its fields are asked of the core."""

    about: str
    """In one line."""
    grammar: str
    example: str
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

PAGES: dict[str, Page] = {
    "common": Page(
        about="what Apache writes unless told otherwise, and many servers after it",
        grammar='host ident user [time] "request" status size',
        example='1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512',
        accepted=(*_TOLERATED, "more fields behind, if the first of them is not quoted"),
        rejected=("a quoted field right behind the size: the line is of combined", *_TYPED),
    ),
    "combined": Page(
        about="common with referer and agent: what nginx writes, and most set-ups of Apache",
        grammar='host ident user [time] "request" status size "referer" "agent"',
        example=(
            '1.2.3.4 - joe [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 512 '
            '"http://example.com/" "Mozilla/5.0 (X11)"'
        ),
        accepted=(*_TOLERATED, "no referer and agent, as in common; more fields behind them"),
        rejected=("a referer without an agent", *_TYPED),
    ),
    "classic": Page(
        about="what the classic Python program's regular expression accepts, as raw text",
        grammar='host ident user [time] "request" status size "referer" "agent"',
        example='1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8.5"',
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


def run_formats(names: list[str], *, json: bool) -> int:
    """Print all there is to say about these formats, or a table of those that there are."""
    if json:
        text = "".join(f"{_json(name)}\n" for name in names or _core.FORMATS)
    elif names:
        text = "\n".join(map(_page, names))
    else:
        text = _table()
    write(sys.stdout, text)
    return 0


def _table() -> str:
    rows = [("format", "detected", "what it is")]
    rows += [(name, _detected(name), PAGES[name].about) for name in _core.FORMATS]
    return (
        f"{_aligned(rows)}\ntailrace formats NAME shows its fields; --log-format NAME chooses it.\n"
    )


def _page(name: str) -> str:
    page = PAGES[name]
    kinds = dict(_core.kinds(name))
    on_demand = {*kinds} - {*_core.columns(name)}
    fields = [
        (f"  {field}", kinds[field], str(value) + " (where it is asked for)" * (field in on_demand))
        for field, value in _example(name).items()
    ]
    chosen = f"Choose it with --log-format {name}"
    if name in DETECTED:
        chosen += "; where most of the first lines are of it, it is detected"
    else:
        chosen += "; it is never detected"
    return (
        f"{name}: {page.about}\n"
        f"\n  {page.grammar}\n"
        f"\nExample:\n  {page.example}\n"
        f"\nFields, and their values in the example:\n{_aligned(fields)}"
        f"\nAccepted:\n{_listed(page.accepted)}"
        f"\nRejected:\n{_listed(page.rejected)}"
        f"\n{chosen}.\n"
    )


def _json(name: str) -> str:
    import json  # noqa: PLC0415 - people get text

    page = PAGES[name]
    values = _example(name)
    value = {
        "name": name,
        "about": page.about,
        "detected": name in DETECTED,
        "example": page.example,
        "fields": [
            {"name": field, "type": kind, "example": values[field]}
            for field, kind in _core.kinds(name)
        ],
    }
    return json.dumps(value, separators=(",", ":"))


def _example(name: str) -> dict[str, Any]:
    """Return what the format itself makes of its example."""
    line = PAGES[name].example.encode()
    return _core.parse(line, format=name, fields=_core.fields(name)).to_dicts()[0]


def _detected(name: str) -> str:
    return "yes" if name in DETECTED else "no"


def _aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{row[0]:{wide[0]}}  {row[1]:{wide[1]}}  {row[2]}\n" for row in rows)


def _listed(texts: tuple[str, ...]) -> str:
    return "".join(f"  - {text}\n" for text in texts)
