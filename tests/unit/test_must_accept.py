r"""
Unusual lines that a robust parser must accept, and the fields that it must find.

They are for the combined format, and for pasted formats with one more field, whose place in the
line is `{}`.
"""

from typing import Any

import pytest
from rows import as_json

from tailrace import _core

TIME = "[17/May/2015:10:05:03 +0000]"
MOMENT = "2015-05-17T10:05:03Z"
REST = '200 5 "-" "ua"'
PLAIN = {"host": "1.2.3.4", "user": None, "time": MOMENT, "url": "/a", "status": 200, "size": 5}

NGINX = (
    'log_format timed \'$remote_addr - $remote_user [$time_local] "$request" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent" $request_time\';'
)
APACHE = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D"
GOACCESS = '%h %^ %e [%d:%t %^] "%r" %s %b "%R" "%u" %T'
BRACES = (
    '{host} {ident} {user} [{time}] "{request}" {status} {size} "{referer}" "{agent}" '
    "{request_time}"
)
# For each: the format, the additional field in a line, and its value in seconds.
PASTED = {
    "nginx": (NGINX, " 0.012", 0.012),
    "apache": (APACHE, " 12000", 0.012),
    "goaccess": (GOACCESS, " 2", 2.0),
    "braces": (BRACES, " 0.012", 0.012),
}

Row = dict[str, Any]
MISSING = {"method": None, "url": None, "protocol": None}
GARBAGE = {**MISSING, "request_flag": "garbage"}


def of(request: str, rest: str = REST, who: str = "1.2.3.4 - -", time: str = TIME) -> str:
    return f"{who} {time} {request} {rest}{{}}"


# A name, the line, and the fields that must be found in it.
TABLE: list[tuple[str, str, Row]] = [
    ("a plain line", of('"GET /a HTTP/1.1"'), {**PLAIN, "referer": None, "agent": "ua"}),
    (
        "a syslog prefix",
        "<190>May  6 07:08:09 web nginx: " + of('"GET /a HTTP/1.1"'),
        PLAIN,
    ),
    (
        "a syslog prefix of the new kind",
        "<190>1 2003-10-11T22:14:15.003Z web nginx - - - " + of('"GET /a HTTP/1.1"'),
        PLAIN,
    ),
    (
        "a container's prefix",
        "2025-01-02T03:04:05.123456789Z stdout F " + of('"GET /a HTTP/1.1"'),
        PLAIN,
    ),
    ("docker compose's prefix", "web-1  | " + of('"GET /a HTTP/1.1"'), PLAIN),
    (
        "a list of hosts",
        of('"GET /a HTTP/1.1"', who="1.1.1.1, 2.2.2.2 - -"),
        {**PLAIN, "host": "1.1.1.1, 2.2.2.2"},
    ),
    ("a leading blank", " " + of('"GET /a HTTP/1.1"'), PLAIN),
    ("an empty request", of('""', '400 0 "-" "-"'), {**MISSING, "status": 400, "size": 0}),
    ("a dash for a request", of('"-"', '408 - "-" "-"'), {**MISSING, "status": 408, "size": None}),
    ("an unquoted dash for it", of("-", '408 0 "-" "-"'), {**MISSING, "status": 408}),
    ("a method alone", of('"GET"'), {"method": "GET", "url": None, "protocol": None}),
    ("HTTP/0.9", of('"GET /old"'), {"method": "GET", "url": "/old", "protocol": None}),
    ("a TLS hello", of(r'"\x16\x03\x01\x02"'), GARBAGE),
    (
        "a remote desktop's cookie",
        of(r'"\x03\x00\x00/*\xE0\x00\x00Cookie: mstshash=Administr"'),
        GARBAGE,
    ),
    (
        "blanks in the target",
        of('"GET /a b c HTTP/1.1"'),
        {"method": "GET", "url": "/a b c", "protocol": "HTTP/1.1"},
    ),
    ("no method", of('"/a HTTP/1.1"'), {"method": None, "request_flag": "garbage"}),
    ("an escaped quote", of(r'"GET /a\"b HTTP/1.1"'), {"url": r"/a\"b", "url:unescape": '/a"b'}),
    ("CONNECT", of('"CONNECT h:443 HTTP/1.1"'), {"method": "CONNECT", "url": "h:443"}),
    ("OPTIONS", of('"OPTIONS * HTTP/1.1"'), {"method": "OPTIONS", "url": "*"}),
    (
        "an absolute url",
        of('"GET http://h/a?b HTTP/1.1"'),
        {"url": "http://h/a?b", "path": "/a", "query": "b"},
    ),
    ("IPv6", of('"GET /a HTTP/1.1"', who="2001:db8::7 - -"), {**PLAIN, "host": "2001:db8::7"}),
    ("IPv6 and a port", of('"GET /a HTTP/1.1"', who="[::1]:80 - -"), {"user": None, "url": "/a"}),
    ("a host's name", of('"GET /a HTTP/1.1"', who="h.example - -"), {**PLAIN, "host": "h.example"}),
    ("a socket", of('"GET /a HTTP/1.1"', who="unix: - -"), {**PLAIN, "host": "unix:"}),
    (
        "a user with a blank",
        of('"GET /a HTTP/1.1"', who="1.2.3.4 - John Smith"),
        {**PLAIN, "user": "John Smith"},
    ),
    ("an empty user", of('"GET /a HTTP/1.1"', who='1.2.3.4 - ""'), PLAIN),
    ("a dash for the size", of('"GET /a HTTP/1.1"', '200 - "-" "ua"'), {**PLAIN, "size": None}),
    ("a dash for the status", of('"GET /a HTTP/1.1"', '- 5 "-" "ua"'), {**PLAIN, "status": None}),
    ("no time", of('"GET /a HTTP/1.1"', time="[hello]"), {**PLAIN, "time": None}),
    ("a carriage return and blanks after it", of('"GET /a HTTP/1.1"') + " \t \r", PLAIN),
    (
        "bytes that are blanks elsewhere",
        of('"GET /\0\x1f\x85\xa0à\u3000Å HTTP/1.1"'),
        {"url": "/\0\x1f\x85\xa0à\u3000Å"},
    ),
    ("a bracket and a quote in the request", of('"GET /] "x HTTP/1.1"'), {"url": '/] "x'}),
    (
        "a forged request in the agent",
        of('"GET /real HTTP/1.1"', '200 5 "-" "x] "GET /fake HTTP/1.1" 200 1 "-" "y"'),
        {"url": "/real", "status": 200, "size": 5},
    ),
    ("a byte-order mark", "\ufeff" + of('"GET /a HTTP/1.1"'), PLAIN),
    (
        "a url near the limit",
        of(f'"GET /{"x" * 60_000} HTTP/1.1"'),
        {"url": "/" + "x" * 60_000},
    ),
    (
        "an agent that ends in a backslash",
        of('"GET /a HTTP/1.1"', '200 5 "-" "ua\\"'),
        {**PLAIN, "agent": "ua\\"},
    ),
]
IDS = [name for name, _, _ in TABLE]

# Lines of combined without a place for another field.
ONLY_COMBINED: list[tuple[str, str, Row]] = [
    ("no referer and agent", f'1.2.3.4 - - {TIME} "GET /a HTTP/1.1" 200 5', PLAIN),
    ("a virtual host", f'v:80 1.2.3.4 - - {TIME} "GET /a HTTP/1.1" {REST}', PLAIN),
    ("a field after it", f'1.2.3.4 - - {TIME} "GET /a HTTP/1.1" {REST} 0.012', PLAIN),
    (
        "a quoted field after it",
        f'1.2.3.4 - - {TIME} "GET /a HTTP/1.1" {REST} "10.0.0.1"',
        {**PLAIN, "agent": "ua"},
    ),
]

REJECTED: list[tuple[str, str]] = [
    ("text for the size", of('"GET /a HTTP/1.1"', '200 five "-" "ua"')),
    ("text for the status", of('"GET /a HTTP/1.1"', 'ok 5 "-" "ua"')),
    ("five digits of status", of('"GET /a HTTP/1.1"', '00200 5 "-" "ua"')),
    ("arabic digits", of('"GET /a HTTP/1.1"', '٢٠٠ 5 "-" "ua"')),
    ("nothing", ""),
]


def parse(spec: str, line: str, fields: list[str]) -> list[Row]:
    found = _core.parse(line.encode(), format=spec, fields=fields)
    return as_json(found.to_dicts())


@pytest.mark.parametrize(("line", "expected"), [row[1:] for row in TABLE], ids=IDS)
def test_combined_parses_the_line(line: str, expected: Row) -> None:
    assert parse("combined", line.replace("{}", ""), list(expected)) == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [row[1:] for row in ONLY_COMBINED],
    ids=[name for name, _, _ in ONLY_COMBINED],
)
def test_a_line_that_only_combined_accepts_is_parsed(line: str, expected: Row) -> None:
    assert parse("combined", line, list(expected)) == [expected]


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize(("line", "expected"), [row[1:] for row in TABLE], ids=IDS)
def test_a_pasted_format_parses_the_line(pasted: str, line: str, expected: Row) -> None:
    spec, more, seconds = PASTED[pasted]
    if not (pasted == "goaccess" and "fake" in line):
        # Anything may follow a GoAccess format, so there the agent ends before the 200.
        expected = {**expected, "request_time": pytest.approx(seconds)}
    assert parse(spec, line.replace("{}", more), list(expected)) == [expected]


@pytest.mark.parametrize("line", [line for _, line in REJECTED], ids=[name for name, _ in REJECTED])
@pytest.mark.parametrize("pasted", [None, *PASTED])
def test_a_malformed_line_is_rejected(pasted: str | None, line: str) -> None:
    spec, more, _ = PASTED[pasted] if pasted else ("combined", "", None)
    assert parse(spec, line.replace("{}", more) + "\n", []) == []


@pytest.mark.parametrize("spec", ["combined", NGINX])
def test_a_newline_between_two_fields_makes_two_lines(spec: str) -> None:
    line = of('"GET /a HTTP/1.1"').replace("{}", "" if spec == "combined" else " 0.1")
    first, second = line.split(' "GET')
    found = _core.parse(f'{first}\n "GET{second}\n'.encode(), format=spec, fields=[])
    assert (len(found), len(found.rejects)) == (0, 2)
