"""
Formats against programs that read the same: apachelogs, and the csv and json modules.

Where the other program accepts a line, so do we, and find the same in it. What differs is named
where it is passed over, with the reason.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from apachelogs import InvalidEntryError, LogParser
from hypothesis import assume, example, given
from hypothesis import strategies as st
from places import DATA
from profiles import examples, scaled, seeded
from rows import as_json

from tailrace import _core

LOGS = [
    DATA / "apache-combined-2015-elastic.log.gz",
    DATA / "nginx-combined-2022-ployt0.log.gz",
]

# No deadline: a loaded machine must not fail a test.
many = examples(30)

Row = dict[str, Any]


def real_lines(log: Path) -> list[bytes]:
    return gzip.decompress(log.read_bytes()).splitlines()


@cache
def compiled(spec: str) -> _core.Format:
    return _core.Format(spec)


def ours(spec: str, lines: bytes | Iterable[bytes], fields: list[str]) -> list[Row]:
    text = lines if isinstance(lines, bytes) else b"".join(line + b"\n" for line in lines)
    return as_json(_core.parse(text, format=compiled(spec), fields=fields).to_dicts())


def shown(text: str) -> str:
    """Return text with each run of bytes that are not UTF-8 as one U+FFFD."""
    return re.sub("[\ud800-\udfff]+", "\ufffd", text)


def known(text: str | None) -> str | None:
    """Return text, or None for what servers write for a missing value."""
    return None if text in {None, "", "-", '""'} else text


# --- Apache ---------------------------------------------------------------------------------------

# The quoted part of LogFormat directives.
APACHE = {
    "common": r"%h %l %u %t \"%r\" %>s %b",
    "combined": r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"",
    "vhost_combined": (r"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""),
    "combinedio": (r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %I %O"),
    "microseconds": r"%h %l %u %t \"%r\" %>s %b %D",
    "seconds": r"%h %t \"%r\" %>s %B %T %X",
    "milliseconds": r"%a %A %t \"%r\" %>s %b %{ms}T %k %P",
    "time of our own": r"%h %{%Y-%m-%d %H:%M:%S %z}t \"%r\" %>s %b \"%{User-Agent}i\"",
    "epoch": r"%{sec}t %h \"%r\" %>s %b",
    "milliseconds of the epoch": r"%{msec}t %h \"%r\" %>s %b \"%{User-Agent}i\"",
    "tabs": r"%V\t%h\t%t\t%r\t%>s\t%b\t%{Referer}i\t%{User-Agent}i\t%D",
    "cookies": r"%h %t \"%r\" %>s \"%{Cookie}i\" \"%{Set-Cookie}o\" \"%{X-Forwarded-For}i\"",
    "only for some statuses": r"%h %u %t \"%r\" %>s \"%!200,304{Referer}i\"",
}

# For each directive: the name of our field, and the factor from apachelogs' value to ours.
MICRO, MILLI = 1e-6, 1e-3
FIELDS: dict[str, tuple[str, float | None]] = {
    "%h": ("host", None),
    "%a": ("host", None),
    "%A": ("server_addr", None),
    "%l": ("ident", None),
    "%u": ("user", None),
    "%t": ("time", None),
    "%{%Y-%m-%d %H:%M:%S %z}t": ("time", None),
    "%{sec}t": ("time", None),
    "%{msec}t": ("time", None),
    "%r": ("request", None),
    "%>s": ("status", None),
    "%b": ("size", None),
    "%B": ("size", None),
    "%O": ("bytes_out", None),
    "%I": ("bytes_in", None),
    "%D": ("request_time", MICRO),
    "%T": ("request_time", 1.0),
    "%{ms}T": ("request_time", MILLI),
    "%v": ("vhost", None),
    "%V": ("vhost", None),
    "%p": ("port", None),
    "%k": ("keepalive_requests", None),
    "%P": ("pid", None),
    "%X": ("connection_status", None),
    "%{Referer}i": ("referer", None),
    "%!200,304{Referer}i": ("referer", None),
    "%{User-Agent}i": ("agent", None),
    "%{Cookie}i": ("http_cookie", None),
    "%{Set-Cookie}o": ("sent_http_set_cookie", None),
    "%{X-Forwarded-For}i": ("xff", None),
}
TEXT = {
    name
    for name, _ in FIELDS.values()
    if name
    in {
        "host",
        "server_addr",
        "ident",
        "user",
        "request",
        "vhost",
        "referer",
        "agent",
        "http_cookie",
        "sent_http_set_cookie",
        "xff",
        "connection_status",
    }
}


def directives(log_format: str) -> list[str]:
    return re.findall(r"%[!,0-9]*(?:\{[^}]*\})?>?[a-zA-Z]", log_format)


def plain(log_format: str) -> str:
    r"""Unescape `\"` and `\t` as httpd does before it looks for directives."""
    return log_format.replace(r"\"", '"').replace(r"\t", "\t")


@cache
def parser(log_format: str) -> LogParser:
    return LogParser(plain(log_format), encoding="utf-8", errors="surrogateescape")


def converted(factor: float | None, value: object) -> object:
    """Convert a value of apachelogs to ours."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, int):
        return value if factor is None else pytest.approx(value * factor)
    text = known(value)
    return text if text is None else shown(text)


def iso(moment: datetime) -> str:
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return re.sub(r"(\.\d*?)0+$", r"\1", text) + "Z"


def apachelogs(log_format: str, line: bytes) -> Row | None:
    try:
        entry = parser(log_format).parse(line.decode("utf-8", "surrogateescape"))
    except (InvalidEntryError, ValueError):
        return None
    found = {}
    for directive in directives(log_format):
        name, factor = FIELDS[directive]
        value = entry.request_time if name == "time" else entry.directives[directive]
        found[name] = converted(factor, value)
    return found


def requested_fields(log_format: str) -> list[str]:
    names = [FIELDS[directive][0] for directive in directives(log_format)]
    # A pasted combined format is compiled to the built-in one, which has no ident.
    names = [name for name in names if _core.has_field(compiled(log_format), name)]
    return [f"{name}:unescape" if name in TEXT else name for name in names]


def parsed_apache(log_format: str, lines: Iterable[bytes]) -> list[Row]:
    rows = ours(log_format, lines, requested_fields(log_format))
    return [{name.removesuffix(":unescape"): row[name] for name in row} for row in rows]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_real_logs_are_parsed_as_by_apachelogs(log: Path) -> None:
    lines = real_lines(log)
    theirs = [(line, apachelogs(APACHE["combined"], line)) for line in lines]
    accepted = [(line, found) for line, found in theirs if found is not None]
    assert len(accepted) >= len(lines) - 1
    rows = parsed_apache(APACHE["combined"], [line for line, _ in accepted])
    assert len(rows) == len(accepted)
    for row, (line, found) in zip(rows, accepted, strict=True):
        assert row == {name: found[name] for name in row}, line


def escaped(value: bytes) -> bytes:
    """Write a value as httpd's ap_escape_logitem does."""
    letters = {8: rb"\b", 9: rb"\t", 10: rb"\n", 11: rb"\v", 13: rb"\r", 34: rb"\"", 92: rb"\\"}
    return b"".join(
        letters.get(byte) or (bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte)
        for byte in value
    )


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
hosts = st.sampled_from(["1.2.3.4", "::1", "2001:db8::7", "host.example.com", "h"])
# Values of a client. No log distinguishes an empty value or a dash from a missing one.
headers = st.text(max_size=20).filter(lambda text: known(text) == text)
numbers = st.integers(0, 10**18 - 1)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001 - local
    lambda moment: moment.replace(microsecond=0)
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.builds(lambda moment, zone: moment.replace(tzinfo=zone), moments, zones)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "host": hosts,
    "server_addr": hosts,
    "ident": st.none(),
    # No blanks and brackets: a user that contains ` [` is ambiguous with the time.
    "user": st.none() | headers.filter(lambda text: not re.search(r"[\s\[\]]", text)),
    "time": times,
    "request": st.builds("{} {} HTTP/1.1".format, words, headers) | st.none(),
    "status": st.none() | st.integers(100, 599),
    "size": st.none() | st.integers(1, 10**18 - 1),
    "bytes_out": numbers,
    "bytes_in": numbers,
    "request_time": st.integers(0, 10**12),
    "vhost": words,
    "port": st.integers(1, 65535),
    "keepalive_requests": numbers,
    "pid": numbers,
    "connection_status": st.sampled_from(["X", "+"]),
}


def written(directive: str, value: Any) -> bytes:  # noqa: ANN401 - of every type
    """Write a value as httpd does for a directive."""
    if value is None:
        # %B writes 0 for nothing sent, so it never has a missing value here.
        return b"-"
    match directive:
        case "%t":
            return value.strftime("[%d/%b/%Y:%H:%M:%S %z]").encode()
        case "%{sec}t":
            return b"%d" % value.timestamp()
        case "%{msec}t":
            return b"%d" % (value.timestamp() * 1000)
        case _ if directive.endswith("t"):
            return value.strftime(directive[2:-2]).encode()
    return str(value).encode() if isinstance(value, int) else escaped(value.encode())


def line_of(log_format: str, row: Row) -> bytes:
    line = plain(log_format).encode()
    for directive in directives(log_format):
        value = row[FIELDS[directive][0]]
        line = line.replace(directive.encode(), written(directive, value), 1)
    return line


def value_of(directive: str, value: Any) -> object:  # noqa: ANN401 - of every type
    name, factor = FIELDS[directive]
    if name == "time":
        return iso(value)
    return value if factor is None else pytest.approx(value * factor)


@pytest.mark.parametrize("name", APACHE)
@many
@given(data=st.data())
def test_values_written_by_apache_are_parsed_back(name: str, data: st.DataObject) -> None:
    log_format = APACHE[name]
    row = {}
    for directive in directives(log_format):
        field = FIELDS[directive][0]
        row[field] = data.draw(VALUES.get(field, st.none() | headers), field)
    if "%B" in log_format:
        assume(row["size"] is not None)
    line = line_of(log_format, row)
    (found,) = parsed_apache(log_format, [line])
    expected = {
        FIELDS[one][0]: value_of(one, row[FIELDS[one][0]]) for one in directives(log_format)
    }
    assert found == {field: expected[field] for field in found}, line


PIECES = [b'"', b"\\", b" ", b"[", b"]", b"-", b'" ', b' "', b'\\"', b"\\x41", b"\\n", b"200", b"0"]
PIECES += [b"\t", b"\xff", "é".encode(), b"x", b"", b"HTTP/1.0", b" 200 5 ", b'" 404 7 "']


USUAL: Row = {
    "host": "1.2.3.4",
    "time": datetime(2020, 2, 29, 23, 59, 59, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    "request": "GET /a?b=c HTTP/1.1",
    "status": 200,
    "size": 5,
    "vhost": "v",
    "port": 80,
    "request_time": 55,
    "bytes_in": 7,
    "bytes_out": 8,
    "keepalive_requests": 0,
    "pid": 9,
    "server_addr": "::1",
    "agent": 'u "a"',
    "referer": "http://x/",
    "connection_status": "X",
}


def mutated(random: Random, line: bytes) -> bytes:
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(line))
        line = line[:start] + random.choice(PIECES) + line[start + random.randint(0, 4) :]
    return line


def is_comparable(line: bytes, theirs: Row) -> bool:
    # We treat several blanks as one; apachelogs has an empty word between them.
    if re.search(rb"^[\s:]|\s\s|\s$", line):
        return False
    # apachelogs drops the backslash of an escape that httpd never writes.
    if re.search(rb"\\(?![\"\\bnrtv]|x[0-9a-f]{2})", line):
        return False
    # It accepts a time without a blank before the zone, and implausible years.
    if b"[" in line and not re.search(rb"\[\d\d/\w+/\d+:\d\d:\d\d:\d\d [+-]", line):
        return False
    if not "1970" < theirs["time"] < "2200":
        return False
    # It accepts blanks in any word; we accept them only in the user, and parse a line with more
    # words differently.
    names = ("host", "vhost", "server_addr", "ident", "user", "connection_status")
    # These have no brackets, parentheses and quotes.
    if any(re.search(r'[][()"]', theirs.get(name) or "") for name in ("host", "ident", "user")):
        return False
    return not any(" " in (theirs.get(name) or "") for name in names)


@pytest.mark.parametrize("name", APACHE)
def test_broken_lines_are_parsed_as_by_apachelogs(name: str) -> None:
    log_format = APACHE[name]
    row = {FIELDS[one][0]: USUAL.get(FIELDS[one][0]) for one in directives(log_format)}
    line = line_of(log_format, row)
    random = seeded(name)
    lines = [mutated(random, line) for _ in range(scaled(2_000))]
    theirs = [(line, apachelogs(log_format, line)) for line in lines]
    compared = [(line, row) for line, row in theirs if row and is_comparable(line, row)]
    assert len(compared) > len(lines) // 20
    for line, row in compared:
        found = parsed_apache(log_format, [line])
        assert len(found) == 1, line
        assert found[0] == {field: row[field] for field in found[0]}, line


# --- delimited text -------------------------------------------------------------------------------


def by_csv(line: bytes, delimiter: str) -> list[str | None] | None:
    text = line.decode("utf-8", "surrogateescape")
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return [None if known(cell) is None else shown(cell) for cell in rows[0]] if rows else None


CELLS = [",", '"', '""', "a", " ", "-", "é", "\t", "x y", '","', '"a"', "\0", "\udcff", "1.5"]
cells = st.lists(st.sampled_from(CELLS), max_size=12).map("".join)


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
@examples(500)
@given(text=cells)
@example("-")
@example("a,b,c")
@example('"a",,"b""c"')
@example("a\tb\tc")
@example("1.5,-1.5,1.51.5")
@example('"1.5", 1.5,1.5 ')
@example('"1.5"\t-\t1.5')
def test_a_row_equals_that_of_the_csv_module(kind: str, delimiter: str, text: str) -> None:
    # A carriage return would end the module's row; we skip a line of only blanks.
    line = text.encode("utf-8", "surrogateescape")
    assume(text.strip(" \t"))
    theirs = by_csv(line, delimiter)
    # No name that a cell could have: such a line would be a header.
    found = ours(f"{kind}:one,two,three", line, ["one", "two", "three"])
    if theirs is None or len(theirs) != 3:
        assert not found
    else:
        assert [list(row.values()) for row in found] == [[typed(cell) for cell in theirs]]


def typed(cell: str | None) -> object:
    """Return a cell of a column without a standard name: a number as JSON writes it, or text."""
    is_number = cell and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", cell, re.ASCII)
    return json.loads(cell) if cell and is_number else cell


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_fields_of_real_logs_survive_the_csv_module(log: Path, kind: str, delimiter: str) -> None:
    fields = ["host", "time", "request", "status", "size", "referer", "agent"]
    rows = ours("combined", real_lines(log), fields)
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    assert ours(kind, text.getvalue().encode(), fields) == rows


# --- JSON -----------------------------------------------------------------------------------------

MAP = "json:a,b=x.y|x.z,c=e.0"


def valid_escape(found: re.Match[str]) -> str:
    return f"\\u00{found[1] or '0b'}" if found[1] or found[2] else found[0]


def by_json(line: bytes) -> Row | None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and the infinities are extensions of the module

    text = line.decode("utf-8", "surrogateescape").strip(" \t\r\n")
    # One object of an array, and the escapes that nginx and Apache write.
    text = text.removeprefix("[") if text.startswith("[") else text.removeprefix(",")
    text = text.removesuffix("]").rstrip(" \t\r\n").removesuffix(",")
    text = re.sub(r"\\(?:x([0-9A-Fa-f]{2})|(v)|.)", valid_escape, text, flags=re.DOTALL)
    try:
        # Control bytes in strings are no reason to reject a line.
        whole = json.loads(text, strict=False, parse_constant=refuse)
    except ValueError:
        return None
    return whole if isinstance(whole, dict) else None


def inside(value: object, key: str, place: int) -> object:
    if isinstance(value, dict):
        return value.get(key)
    return value[place] if isinstance(value, list) and len(value) > place >= 0 else None


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["-", "", "\ud83d", "😀", '"', "\\", "\t"])
)
keys = st.sampled_from(["a", "x", "y", "z", "e", "0", "b", "é", ""])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=5)
JSON_PIECES = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\\u00e9",
    "\\ud83d",
    " ",
    "null",
    "0",
    "-",
    "\x01",
    "e",
    ".",
]


@examples(300)
@given(whole=objects, ascii_only=st.booleans())
def test_objects_are_parsed_as_by_the_json_module(whole: Row, *, ascii_only: bool) -> None:
    text = json.dumps(whole, ensure_ascii=ascii_only, separators=(",", ":"))
    line = text.encode("utf-8", "surrogatepass")
    (row,) = ours(MAP, line, ["a", "b", "c"])
    theirs = by_json(line)
    assert theirs is not None
    alternatives = (inside(theirs.get("x"), "y", -1), inside(theirs.get("x"), "z", -1))
    b = next((value for value in alternatives if value is not None), None)
    c = inside(theirs.get("e"), "0", 0)
    expected = {"a": theirs.get("a"), "b": b, "c": c}
    for name, value in expected.items():
        if isinstance(value, dict | list):
            # As in the line, where each run that is not UTF-8 becomes one character.
            assert row[name].startswith("[" if isinstance(value, list) else "{")
        else:
            # Their own keys keep their types, and the texts that servers write for nothing.
            found = shown(value) if isinstance(value, str) else value
            assert (row[name], type(row[name])) == (found, type(found)), name


@examples(300)
@given(whole=objects, data=st.data())
def test_broken_objects_are_rejected_as_by_the_json_module(whole: Row, data: st.DataObject) -> None:
    text = json.dumps(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.sampled_from(JSON_PIECES))
        text = text[:start] + piece + text[start + data.draw(st.integers(0, 2)) :]
    line = text.encode("utf-8", "surrogatepass")
    assert bool(ours(MAP, line, [])) == (by_json(line) is not None), line


def nested(path: str, value: object) -> Row:
    whole: Any = value
    for key in reversed(path.split(".")):
        whole = [whole] if key == "0" else {key: whole}
    return whole


def merged(one: Any, other: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(one, dict):
        return other
    return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}


# For each format: the paths of its fields, and the factors of their values.
SERVERS: dict[str, dict[str, tuple[str, float | None]]] = {
    "caddy": {
        "host": ("request.remote_ip", None),
        "method": ("request.method", None),
        "url": ("request.uri", None),
        "protocol": ("request.proto", None),
        "vhost": ("request.host", None),
        "agent": ("request.headers.User-Agent.0", None),
        "referer": ("request.headers.Referer.0", None),
        "status": ("status", None),
        "size": ("size", None),
        "request_time": ("duration", 1.0),
        "time": ("ts", None),
    },
    "traefik-json": {
        "host": ("ClientHost", None),
        "method": ("RequestMethod", None),
        "url": ("RequestPath", None),
        "protocol": ("RequestProtocol", None),
        "vhost": ("RequestHost", None),
        "status": ("DownstreamStatus", None),
        "size": ("DownstreamContentSize", None),
        "request_time": ("Duration", 1e-9),
        "time": ("StartUTC", None),
    },
    "envoy-json": {
        "method": ("method", None),
        "url": ("path", None),
        "protocol": ("protocol", None),
        "vhost": ("authority", None),
        "agent": ("user_agent", None),
        "status": ("response_code", None),
        "bytes_in": ("bytes_received", None),
        "request_time": ("duration", 1e-3),
        "time": ("start_time", None),
    },
}
SERVER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "host": hosts,
    "status": st.integers(0, 599),
    "size": numbers,
    "bytes_in": numbers,
    "request_time": st.integers(0, 10**12),
    "time": moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    "vhost": words,
}


@pytest.mark.parametrize("server", SERVERS)
@examples(50)
@given(data=st.data())
def test_values_written_by_a_server_as_json_are_parsed_back(
    server: str, data: st.DataObject
) -> None:
    fields = SERVERS[server]
    whole: Row = {}
    expected: Row = {}
    for name, (path, factor) in fields.items():
        value = data.draw(SERVER_VALUES.get(name, headers), name)
        expected[name] = value if factor is None else pytest.approx(value * factor)
        if name == "time":
            expected[name] = iso(value)
            value = value.timestamp() if server == "caddy" else value.isoformat()
        whole = merged(whole, nested(path, value))
    line = json.dumps(whole, ensure_ascii=data.draw(st.booleans())).encode()
    assert ours(server, line, list(fields)) == [expected], line


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_fields_of_real_logs_survive_the_json_module(log: Path) -> None:
    fields = ["host", "user", "time", "request", "status", "size", "referer", "agent"]
    rows = ours("combined", real_lines(log), fields)
    lines = [json.dumps(row).encode() for row in rows]
    assert ours("json", lines, fields) == rows
