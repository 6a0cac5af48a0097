r"""
`combined` parses the lines of Apache, nginx and compatible servers into typed fields.

Fields are raw: an escape stays as the server wrote it (`\"`, `\x22`). The values that servers write
for a missing one (`-`, nothing) are None. A status has three digits, or is `-`.
"""

import gzip
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from places import DATA
from profiles import examples
from rows import as_json
from servers import (
    YEARS,
    anything,
    apache,
    hosts,
    is_user,
    iso,
    meaningful,
    nginx,
    or_none,
    stamp,
    targets,
    times,
    users,
)

import tailrace as tr
from tailrace import _core

APACHE = DATA / "apache-combined-2015-elastic.log.gz"
NGINX = DATA / "nginx-combined-2022-ployt0.log.gz"

Row = dict[str, Any]

# No deadline: a loaded machine must not fail a test.
many = examples(500)

COMBINED = tr.Format("combined")


def parsed(line: bytes) -> Row | None:
    """Return every field of a line, or None if it is rejected."""
    assert b"\n" not in line
    batch = COMBINED.parse(line + b"\n", fields=list(PLAIN))
    assert len(batch) + len(batch.rejects) == 1
    rows = as_json(batch.to_dicts())
    return rows[0] if rows else None


# --- lines that servers write ---------------------------------------------------------------------

PLAIN: Row = {
    "host": "1.2.3.4",
    "user": None,
    "time": "2015-05-17T10:05:03Z",
    "method": "GET",
    "url": "/a",
    "protocol": "HTTP/1.1",
    "request": "GET /a HTTP/1.1",
    "status": 200,
    "size": 5,
    "referer": "http://r/",
    "agent": "ua 1",
}
HEAD = "1.2.3.4 - - "
STAMP = "[17/May/2015:10:05:03 +0000] "
REQUEST = '"GET /a HTTP/1.1" '
TAIL = '200 5 "http://r/" "ua 1"'
LINE = HEAD + STAMP + REQUEST + TAIL
CLF = HEAD + STAMP + REQUEST + "200 5"
NO_QUOTED: Row = {"referer": None, "agent": None}

GARBAGE: Row = {"method": None, "url": None, "protocol": None}
NO_REQUEST: Row = {**GARBAGE, "request": None}


def request_fields(request: str, url: str | None, method: str = "GET") -> Row:
    """Return the fields of a request line that ends in HTTP/1.1."""
    return {"request": request, "method": method, "url": url}


def with_host(host: str) -> str:
    return f"{host} - - {STAMP}{REQUEST}{TAIL}"


def with_user(user: str) -> str:
    return f"1.2.3.4 - {user} {STAMP}{REQUEST}{TAIL}"


def with_request(request: str) -> str:
    return f"{HEAD}{STAMP}{request} {TAIL}"


def with_numbers(status: str, size: str) -> str:
    return f'{HEAD}{STAMP}{REQUEST}{status} {size} "http://r/" "ua 1"'


def with_agent(agent: str) -> str:
    return f'{HEAD}{STAMP}{REQUEST}200 5 "http://r/" "{agent}"'


RDP = r"\x03\x00\x00/*\xE0\x00\x00\x00\x00\x00Cookie: mstshash=Administr"

# Unusual lines by name, with the fields that differ from the plain line.
ACCEPTED: dict[str, tuple[str, Row]] = {
    "the plain line": (LINE, {}),
    # Fields that other formats omit, prepend or append.
    "CLF only": (CLF, NO_QUOTED),
    "vhost_combined": ("example.com:80 " + LINE, {}),
    "vhost_combined without a port": ("example.com " + LINE, {}),
    "vhost_combined, [v6]": ("example.com:80 " + with_host("[::1]"), {"host": "[::1]"}),
    "vhost_combined, user with a space": ("example.com:80 " + with_user("a b"), {"user": "a b"}),
    "trailing unquoted field": (LINE + " 0.012", {}),
    "CLF, trailing unquoted field": (CLF + " 1834", NO_QUOTED),
    "combinedio": (LINE + " 412 1022", {}),
    "k8s ingress": (LINE + " 412 0.003 [default-web-80] [] 10.0.0.7:80 5 0.004 200 4f1e", {}),
    "Traefik CLF": (LINE + ' 17 "router@docker" "http://10.0.0.7:80" 12ms', {}),
    "nginx main": (LINE + ' "5.6.7.8, 9.9.9.9"', {}),
    "nginx main, no forwarded-for": (LINE + ' "-"', {}),
    "nginx upstream times": (LINE + ' 0.012 "0.001, 0.002 : 0.010" p', {}),
    "syslog prefix": ("<190>May  6 10:00:00 web nginx: " + LINE, {}),
    "syslog prefix with a process id": ("May  6 10:00:00 web nginx[12]: " + LINE, {}),
    "syslog prefix, host list": (
        "May  6 10:00:00 web nginx: " + with_host("1.1.1.1, 2.2.2.2"),
        {"host": "1.1.1.1, 2.2.2.2"},
    ),
    "container prefix": ("2025-05-06T01:02:03.4Z stdout F " + LINE, {}),
    "compose prefix": ("web_1  | " + LINE, {}),
    "leading space": (" " + LINE, {}),
    "BOM": ("\ufeff" + LINE, {}),
    "CRLF": (LINE + "\r", {}),
    "trailing blanks": (LINE + "  \t \r", {}),
    "CLF and CRLF": (CLF + "\r", NO_QUOTED),
    "two blanks between fields": (LINE.replace(" [", "  [").replace('" ', '"  '), {}),
    # Clients.
    "host list": (with_host("1.1.1.1, 2.2.2.2"), {"host": "1.1.1.1, 2.2.2.2"}),
    "host list without blanks": (with_host("1.1.1.1,2.2.2.2"), {"host": "1.1.1.1,2.2.2.2"}),
    "IPv6": (with_host("2001:db8::1"), {"host": "2001:db8::1"}),
    "[v6]:port": (with_host("[2001:db8::1]:443"), {"host": "[2001:db8::1]:443"}),
    "[v6] alone": (with_host("[::1]"), {"host": "[::1]"}),
    "host name": (with_host("crawl-1.example.com"), {"host": "crawl-1.example.com"}),
    "unix:": (with_host("unix:"), {"host": "unix:"}),
    "user": (with_user("joe"), {"user": "joe"}),
    "user with a space": (with_user("John Smith"), {"user": "John Smith"}),
    "user with a parenthesis": (with_user("joe(x)"), {"user": "joe(x)"}),
    "no user": (LINE.replace("- - ", "- "), {}),
    "empty user": (LINE.replace("- - ", "-  "), {}),
    "no host": (LINE.removeprefix("1.2.3.4 "), {"host": None}),
    "empty host": (LINE.removeprefix("1.2.3.4"), {"host": None}),
    "- as the host": (with_host("-"), {"host": None}),
    "quotes around the line": (f'"{LINE}"', {}),
    "a quote before the host": ('"' + LINE, {}),
    "user of a form feed": ("example.com:80 " + with_user("\f"), {"user": "\f"}),
    'user ""': (with_user('""'), {"user": None}),
    "ident": (LINE.replace("- -", "id joe"), {"user": "joe"}),
    # Requests.
    '"" request': (with_request('""'), NO_REQUEST),
    '"-" request': (with_request('"-"'), NO_REQUEST),
    "unquoted - request": (with_request("-"), NO_REQUEST),
    '"GET"': (with_request('"GET"'), request_fields("GET", None) | {"protocol": None}),
    '"GET /old"': (
        with_request('"GET /old"'),
        request_fields("GET /old", "/old") | {"protocol": None},
    ),
    "TLS bytes": (
        with_request(r'"\x16\x03\x01\x02"'),
        GARBAGE | {"request": r"\x16\x03\x01\x02"},
    ),
    "RDP cookie": (with_request(f'"{RDP}"'), GARBAGE | {"request": RDP}),
    "URL with spaces": (
        with_request('"GET /a b c HTTP/1.1"'),
        request_fields("GET /a b c HTTP/1.1", "/a b c"),
    ),
    "URL with spaces, no protocol": (
        with_request('"GET /a b c"'),
        request_fields("GET /a b c", "/a b c") | {"protocol": None},
    ),
    "no method": (with_request('"/a HTTP/1.1"'), GARBAGE | {"request": "/a HTTP/1.1"}),
    r"\" in the URL": (
        with_request(r'"GET /a\"b HTTP/1.1"'),
        request_fields(r"GET /a\"b HTTP/1.1", r"/a\"b"),
    ),
    r"\\ at the end of the URL": (
        with_request(r'"GET /a\\"'),
        request_fields(r"GET /a\\", r"/a\\") | {"protocol": None},
    ),
    "CONNECT": (
        with_request('"CONNECT h:443 HTTP/1.1"'),
        request_fields("CONNECT h:443 HTTP/1.1", "h:443", "CONNECT"),
    ),
    "OPTIONS *": (
        with_request('"OPTIONS * HTTP/1.1"'),
        request_fields("OPTIONS * HTTP/1.1", "*", "OPTIONS"),
    ),
    "absolute URL": (
        with_request('"GET http://h:8/a?b HTTP/1.1"'),
        request_fields("GET http://h:8/a?b HTTP/1.1", "http://h:8/a?b"),
    ),
    "HTTP/2.0": (
        with_request('"GET /a HTTP/2.0"'),
        request_fields("GET /a HTTP/2.0", "/a") | {"protocol": "HTTP/2.0"},
    ),
    'raw ] "x in the request': (
        with_request('"GET /a] "x HTTP/1.1"'),
        request_fields('GET /a] "x HTTP/1.1', '/a] "x'),
    ),
    "raw quote in the request": (
        with_request('"GET /?q="x" HTTP/1.1"'),
        request_fields('GET /?q="x" HTTP/1.1', '/?q="x"'),
    ),
    "request that ends in one backslash, from a logger that does not escape": (
        with_request('"GET /a\\"'),
        request_fields("GET /a\\", "/a\\") | {"protocol": None},
    ),
    # Status and size.
    "size -": (with_numbers("304", "-"), {"status": 304, "size": None}),
    "size 0": (with_numbers("304", "0"), {"status": 304, "size": 0}),
    "size of a large file": (
        with_numbers("200", "123456789012345678"),
        {"size": 123_456_789_012_345_678},
    ),
    "status -": (with_numbers("-", "5"), {"status": None}),
    "status 009": (with_numbers("009", "5"), {"status": 9}),
    "status 000": (with_numbers("000", "0"), {"status": 0, "size": 0}),
    "status 499": (with_numbers("499", "0"), {"status": 499, "size": 0}),
    # Times.
    "time [hello]": (LINE.replace(STAMP, "[hello] "), {"time": None}),
    "time in arabic digits": (LINE.replace("17/", "\u0661\u0667/"), {"time": None}),
    "time ISO 8601": (LINE.replace(STAMP, "[2015-05-17T12:05:03+02:00] "), {}),
    "time zone": (LINE.replace("+0000", "-0830"), {"time": "2015-05-17T18:35:03Z"}),
    "day padded by a blank": (LINE.replace("[17/", "[ 7/"), {"time": "2015-05-07T10:05:03Z"}),
    "leap second": (
        LINE.replace("17/May/2015:10:05:03", "30/Jun/2015:23:59:60"),
        {"time": "2015-07-01T00:00:00Z"},
    ),
    # Referers and agents.
    'referer "-" and agent "-"': (HEAD + STAMP + REQUEST + '200 5 "-" "-"', NO_QUOTED),
    'referer "" and agent ""': (HEAD + STAMP + REQUEST + '200 5 "" ""', NO_QUOTED),
    "escaped quotes": (with_agent(r"a \"quoted\" ua"), {"agent": r"a \"quoted\" ua"}),
    "escaped quote at the end": (with_agent(r"ua\""), {"agent": r"ua\""}),
    "escaped quote and a blank": (with_agent(r"u\" a"), {"agent": r"u\" a"}),
    "escaped backslash at the end": (with_agent(r"ua\\"), {"agent": r"ua\\"}),
    "Apache's escapes": (with_agent(r"\"\\\t\xe2\x80"), {"agent": r"\"\\\t\xe2\x80"}),
    "nginx's escapes": (with_agent(r"\x22\x5C\xE2\x80"), {"agent": r"\x22\x5C\xE2\x80"}),
    "raw quotes in the agent": (with_agent('a "quoted"-ua'), {"agent": 'a "quoted"-ua'}),
    "agent that ends in one backslash, from a logger that does not escape": (
        with_agent("ua\\"),
        {"agent": "ua\\"},
    ),
    "referer that ends in one backslash, from a logger that does not escape": (
        LINE.replace("http://r/", "http://r/\\"),
        {"referer": "http://r/\\"},
    ),
}


@pytest.mark.parametrize("odd", ACCEPTED)
def test_an_unusual_line_is_parsed(odd: str) -> None:
    line, unlike = ACCEPTED[odd]
    assert parsed(line.encode()) == PLAIN | unlike


# Only ASCII newlines and blanks separate fields; the classic program cuts a URL at most of these.
ORDINARY = [
    "\0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1f",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\u3000",
    "\u202e",
    "à",
]


@pytest.mark.parametrize("character", ORDINARY, ids=lambda character: f"U+{ord(character):04X}")
def test_a_character_in_a_url_is_kept(character: str) -> None:
    url = f"/a{character}b{character}"
    row = parsed(with_request(f'"GET {url} HTTP/1.1"').encode())
    assert row == PLAIN | request_fields(f"GET {url} HTTP/1.1", url)


def test_bytes_that_are_not_utf_8_are_accepted() -> None:
    line = LINE.encode().replace(b"/a", b"/\xa0\xff.\x85").replace(b"ua 1", b"\xe2\x80 1")
    url = "/\ufffd.\ufffd"
    assert parsed(line) == PLAIN | request_fields(f"GET {url} HTTP/1.1", url) | {
        "agent": "\ufffd 1"
    }


REJECTED = {
    "empty line": "",
    "blanks": "  ",
    "text": "no log line",
    "size as text": with_numbers("200", "five"),
    "size with text after it": with_numbers("200", "5k"),
    "negative size": with_numbers("200", "-5"),
    "size beyond 63 bits": with_numbers("200", "9223372036854775808"),
    "no size": LINE.replace("200 5 ", "200 "),
    "status as text": with_numbers("OK", "5"),
    "status of five digits": with_numbers("00200", "5"),
    "status of four digits": with_numbers("2000", "5"),
    "status of two digits": with_numbers("20", "5"),
    "status of one digit": with_numbers("2", "5"),
    "status in arabic digits": with_numbers("\u0662\u0660\u0660", "5"),
    "size in arabic digits": with_numbers("200", "\u0665"),
    "user with a word of one dash": with_user("John - Smith"),
    "user with a bracket": with_user("John [Smith"),
    "user in brackets": with_user("[joe]"),
    "user with what looks like a time before a request": with_user("[a] -"),
    "user with a time": with_user(STAMP + "a"),
    "user with a time, no request and numbers": with_user("a " + STAMP + "- 200 5"),
    "host in parentheses": with_host("(1.2.3.4)"),
    "host in brackets": with_host("[1.2.3.4]"),
    "an address before the host": "5.6.7.8 " + LINE,
    "no time": LINE.replace(STAMP, ""),
    "no bracket": LINE.replace("]", ""),
    "no request": LINE.replace(REQUEST, ""),
    "no blank after the time": LINE.replace("] ", "]"),
    "no blank after the request": LINE.replace('1.1" ', '1.1"'),
    "no blank after the referer": LINE.replace('r/" ', 'r/"'),
    "request without a quote at its end": LINE.replace('1.1" ', "1.1 "),
    "cut in the request": LINE[: LINE.index(" HTTP/")],
    "cut before the size": LINE[: LINE.index(" 5 ")],
    "cut in the referer": LINE[: LINE.index('/" "ua')],
    "cut after the referer": LINE[: LINE.index(' "ua')],
    "cut in the agent": LINE[:-1],
    "agent without its first quote": LINE.replace('"ua', "ua"),
    "text after the agent's quote": LINE + "x",
    "BOM twice": "\ufeff\ufeff",
}


@pytest.mark.parametrize("odd", REJECTED)
def test_a_malformed_line_is_rejected(odd: str) -> None:
    line = REJECTED[odd].encode()
    batch = COMBINED.parse(line + b"\n")
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [(0, "no-match")]
    assert 0 <= batch.rejects[0].byte <= len(line)
    assert len(batch) == 0


def test_a_newline_between_two_fields_makes_two_lines() -> None:
    batch = COMBINED.parse(LINE.replace(" 200", "\n200").encode())
    assert [reject.line for reject in batch.rejects] == [0, 1]


def test_a_line_of_64_kib_is_parsed_and_one_byte_more_is_too_long() -> None:
    padding = 65_536 - len(LINE)
    fits = LINE.replace("/a", "/a" + "x" * padding).encode()
    assert len(fits) == 65_536
    batch = COMBINED.parse(fits + b"\n" + fits + b" ", fields=["url"])
    assert batch.to_dicts() == [{"url": "/a" + "x" * padding}]
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [(1, "too-long")]


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("", "a "),
        ("", "- "),
        ("", "a, "),
        ("1.2.3.4 - - ", " ["),
        ("1.2.3.4 - - ", " []"),
        ("1.2.3.4 - - ", " [17/May/2015:10:05:03 +0000"),
        ("1.2.3.4 - - [", "] "),
        (HEAD + STAMP + '"', '" '),
        (HEAD + STAMP + '"', '" 1 '),
        (HEAD + STAMP + '"', '" 1 1'),
        (HEAD + STAMP + '"', '\\" 200 5'),
        (HEAD + STAMP + REQUEST + '200 5 "', '\\" "'),
        (HEAD + STAMP + REQUEST + '200 5 "', '"a '),
        (HEAD + STAMP + REQUEST + '200 5 "" "', '\\" '),
        (HEAD + STAMP + REQUEST + '200 5 "" "', '"a'),
        (LINE, " "),
    ],
)
def test_a_hostile_line_of_64_kib_is_parsed_fast(start: str, unit: str) -> None:
    units = (_core.MAX_LINE_BYTES - len(start) - 1) // len(unit)
    lines = [(start + unit * units + end).encode() for end in ("", "x", '"')]
    before = time.process_time()
    for line in lines:
        parsed(line)
    # It takes well below 10 ms.
    assert time.process_time() - before < 2


# --- lines of a server are parsed back ------------------------------------------------------------


def test_the_tests_escape_as_the_servers_do() -> None:
    raw = b'a "\\\t\x1b\x7f\xe2~'
    assert apache(raw) == r"a \"\\\t\x1b\x7f\xe2~"
    assert nginx(raw) == r"a \x22\x5C\x09\x1B\x7F\xE2~"


@pytest.mark.parametrize("escaped", [apache, nginx])
@many
@given(
    host=hosts,
    user=users,
    moment=times,
    method=st.sampled_from(["GET", "POST", "M-SEARCH", "VERSION-CONTROL", "get"]),
    target=targets,
    protocol=st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3"]),
    status=st.none() | st.integers(0, 999),
    size=st.none() | st.integers(0, 10**18 - 1),
    referer=anything,
    agent=anything,
)
@example(
    host="h",
    user=b"[] -",
    moment=datetime(2015, 5, 17, tzinfo=UTC),
    method="GET",
    target=b"/",
    protocol="HTTP/1.1",
    status=200,
    size=5,
    referer=b"",
    agent=b"",
)
@example(
    host="h",
    user=b"a",
    moment=datetime(2015, 5, 17, tzinfo=UTC),
    method="GET",
    target=b'/" 200 5 "',
    protocol="HTTP/1.1",
    status=200,
    size=5,
    referer=b'" "',
    agent=b'x] "GET /fake HTTP/1.1" 200 1 "-" "y',
)
def test_lines_of_a_server_are_parsed_to_what_it_wrote(
    *,
    escaped: Callable[[bytes], str],
    host: str,
    user: bytes,
    moment: datetime,
    method: str,
    target: bytes,
    protocol: str,
    status: int | None,
    size: int | None,
    referer: bytes,
    agent: bytes,
) -> None:
    written_user = escaped(user) or '""'
    request = f"{method} {escaped(target)} {protocol}"
    numbers = f"{'-' if status is None else f'{status:03}'} {'-' if size is None else size}"
    line = (
        f"{host} - {written_user} [{stamp(moment)}] "
        f'"{request}" {numbers} "{escaped(referer)}" "{escaped(agent)}"'
    )
    if written_user != '""' and not is_user(written_user):
        assert parsed(line.encode()) is None
        return
    assert parsed(line.encode()) == {
        "host": host,
        "user": or_none(escaped(user)),
        "time": iso(moment),
        "method": method,
        "url": escaped(target),
        "protocol": protocol,
        "request": request,
        "status": status,
        "size": size,
        "referer": or_none(escaped(referer)),
        "agent": or_none(escaped(agent)),
    }


@many
@given(
    words=st.lists(
        st.sampled_from(["-", "a", "a,", "\f", "\v", "\x1c", "\xa0", '""', "1.2.3.4"]),
        min_size=3,
        max_size=7,
    ),
    blank=st.sampled_from([" ", "  ", "\t"]),
)
def test_words_before_the_time_are_host_and_user_or_the_line_is_rejected(
    words: list[str], blank: str
) -> None:
    head = blank.join(words)
    row = parsed(f"{head} {STAMP}{REQUEST}{TAIL}".encode())
    if words[1:2] == ["-"] and "-" not in words[3:] and not {'""', "a,"} & set(words):
        # Host, ident and user, which may have blanks.
        user = blank.join(words[2:])
        expected = None if user.startswith("-" + blank) else (words[0], user)
        assert (row and (row["host"] or "-", row["user"] or "-")) == expected
    if row is not None:
        assert row | {"host": PLAIN["host"], "user": None} == PLAIN
        # The host is before the user, and the user extends to the time.
        assert (row["host"] or "-") in head
        assert (row["user"] or words[-1]).endswith(words[-1])
        assert "-" not in (row["user"] or "").split(blank)


FORGERIES = st.sampled_from(
    [
        'x] "GET /fake HTTP/1.1" 200 1 "-" "y',
        '" 200 5 "-" "y',
        "[18/May/2016:11:06:04 +0000]",
        '" 6.6.6.6 - eve [18/May/2016:11:06:04 +0000] "GET /fake HTTP/1.1" 200 1 "-" "',
        " [18/May/2016:11:06:04 +0000] - ",
        "] - 200 5",
        "-",
        " - - [",
        "\\",
        '\\"',
        '"',
        " ",
        "]",
        "[",
        "\xff",
        "\r",
        "a",
    ]
)
forged = st.lists(FORGERIES, max_size=6).map("".join)


@pytest.mark.parametrize(
    ("log_time", "typed"),
    [("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03Z"), ("yesterday", None)],
)
@pytest.mark.parametrize("user", ["joe", "John Smith"])
@many
@given(request=forged, referer=forged, agent=forged)
def test_a_client_cannot_change_host_user_and_time(
    *, log_time: str, typed: str | None, user: str, request: str, referer: str, agent: str
) -> None:
    """Not even through a logger that quotes values without escaping them."""
    head = f"1.2.3.4 - {user} [{log_time}] "
    line = f'{head}"GET /{request} HTTP/1.1" 200 5 "{referer}" "{agent}"'
    row = parsed(line.encode())
    if row is not None:
        assert (row["host"], row["user"], row["time"]) == ("1.2.3.4", user, typed)
    # The value at the end of the line cannot cause a reject.
    row = parsed(f'{head}"GET /real HTTP/1.1" 200 5 "-" "{agent}"'.encode())
    assert row is not None
    assert (row["host"], row["user"], row["time"]) == ("1.2.3.4", user, typed)
    assert (row["url"], row["status"], row["size"]) == ("/real", 200, 5)


def test_an_agent_that_forges_a_request_for_the_classic_program_does_not_for_combined() -> None:
    forgery = 'x] "GET /fake HTTP/1.1" 200 1 "-" "y'
    row = parsed(with_agent(forgery).replace("/a HTTP", "/real HTTP").encode())
    assert row is not None
    assert row["url"] == "/real"
    classic = tr.Format("classic").parse(with_agent(forgery).encode())
    assert classic.to_dicts()[0]["url"] == "/fake"


def test_the_first_escaped_quote_closes_the_request_if_no_other_does() -> None:
    """After a request with an unescaped final backslash, no number is taken from the agent."""
    line = with_request('"GET /a\\"').replace("ua 1", 'x\\" 404 7 "-" "y\\')
    row = parsed(line.encode())
    assert row is not None
    assert (row["url"], row["status"], row["size"]) == ("/a\\", 200, 5)


@many
@given(text=st.binary() | st.lists(meaningful | st.just(LINE.encode()), max_size=9).map(b"".join))
def test_every_line_of_any_bytes_is_accepted_or_rejected(text: bytes) -> None:
    # A newline ends a line; the last one needs none.
    expected = len(text.removesuffix(b"\n").split(b"\n")) if text else 0
    batch = COMBINED.parse(text, fields=list(PLAIN))
    assert len(batch) + len(batch.rejects) == expected
    out, _, counters = _core.write_rows(
        text, kind="lines", span=(0, len(text)), format="combined", fields=list(PLAIN)
    )
    rows = [json.loads(row) for row in out.split(b"\n")[:-1]]
    assert rows == as_json(batch.to_dicts())
    assert counters["fed"] == expected
    assert counters["counted"] == len(batch)
    assert sum(counters["rejected"].values()) == len(batch.rejects)


# --- real logs ------------------------------------------------------------------------------------

# A line without anything unusual, so there is only one way to parse it.
STRICT = re.compile(
    r'(?P<host>[0-9A-Za-z.:-]+) - (?P<user>[^ "\[\]]+) \[(?P<time>[^\[\]"]+)\] '
    r'"(?P<method>[A-Z]+) (?P<url>[^" \\]+) (?P<protocol>HTTP/[0-9.]+)" '
    r'(?P<status>[0-9]{3}) (?P<size>[0-9]+|-) "(?P<referer>[^"\\]*)" "(?P<agent>[^"\\]*)"'
)


@pytest.mark.parametrize(("log", "broken", "odd"), [(APACHE, [8898], 3), (NGINX, [], 217)])
def test_every_line_of_a_real_log_is_parsed(log: Path, broken: list[int], odd: int) -> None:
    text = gzip.decompress(log.read_bytes())
    batch = COMBINED.parse(text, fields=list(PLAIN))
    assert [reject.line for reject in batch.rejects] == broken
    lines = [line for number, line in enumerate(text.decode().splitlines()) if number not in broken]
    compared = 0
    for line, row in zip(lines, as_json(batch.to_dicts()), strict=True):
        if found := STRICT.fullmatch(line):
            moment = datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z")
            compared += 1
            assert row == {
                "host": found["host"],
                "user": or_none(found["user"]),
                "time": iso(moment),
                "method": found["method"],
                "url": found["url"],
                "protocol": found["protocol"],
                "request": f"{found['method']} {found['url']} {found['protocol']}",
                "status": int(found["status"]),
                "size": None if found["size"] == "-" else int(found["size"]),
                "referer": or_none(found["referer"]),
                "agent": or_none(found["agent"]),
            }
    assert len(lines) - compared == odd


# --- times ----------------------------------------------------------------------------------------


def parsed_time(text: str) -> str | None:
    row = parsed(LINE.replace(STAMP, f"[{text}] ").encode())
    assert row is not None
    return row["time"]


def strptime(text: str) -> str | None:
    try:
        return iso(datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z"))
    except ValueError:
        return None


@many
@given(moment=times)
@example(moment=datetime(2000, 2, 29, 23, 59, 59, tzinfo=UTC))
@example(moment=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(moment=datetime(1900, 3, 1, tzinfo=timezone(timedelta(hours=14))))
def test_a_time_is_parsed_as_by_strptime(moment: datetime) -> None:
    assert strptime(stamp(moment)) == iso(moment)
    assert parsed_time(stamp(moment)) == iso(moment)


FORM = re.compile(
    r"\s*(\d\d?)([/-]|\.|\s+)(\w+)(?:\2)(\d\d\d\d|\d\d)[:Tt\s]\s*"
    r"(\d\d?:\d\d?)(:\d\d?)?(?:[.,]\d+)?\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?)?)?\s*",
    re.ASCII,
)


def plain(text: str) -> str:
    """Return a time of another form in the form that strptime is given."""
    form = FORM.fullmatch(text)
    if form is None:
        return text
    day, _, month, year, minute, second, zone = form.groups()
    if len(year) == 2:
        year = f"{19 if year > '68' else 20}{year}"
    return f"{day}/{month}/{year}:{minute}{second or ':00'} {zone or 'Z'}"


def changed(text: str, changes: list[tuple[int, int, str]]) -> str:
    for at, length, new in changes:
        text = text[:at] + new + text[at + length :]
    return text


@many
@given(
    moment=times,
    changes=st.lists(
        st.tuples(
            st.integers(0, 30), st.integers(0, 2), st.text("0123456789 +-:/.\tZzAprDEC", max_size=2)
        ),
        max_size=2,
    ),
)
def test_an_altered_time_is_accepted_if_strptime_accepts_it(
    moment: datetime, changes: list[tuple[int, int, str]]
) -> None:
    text = changed(stamp(moment), changes)
    if re.search(r":60\s", text):
        return  # a leap second, which strptime reads and datetime refuses
    # An hour alone is a zone as ISO 8601 has it.
    whole = re.sub(r"(?<= )([+-]\d\d)$", r"\g<1>00", text)
    expected = strptime(whole) or strptime(plain(whole))
    # Forms that neither knows have tests of their own, and invalid times the next one.
    if expected is not None and int(expected[:4]) in YEARS:
        assert parsed_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "29/Feb/2015:10:05:03 +0000",
        "29/Feb/1900:10:05:03 +0000",
        "30/Feb/2000:10:05:03 +0000",
        "31/Apr/2015:10:05:03 +0000",
        "32/May/2015:10:05:03 +0000",
        "00/May/2015:10:05:03 +0000",
        "17/Mai/2015:10:05:03 +0000",
        "17/May/0000:10:05:03 +0000",
        "17/May/2015:24:05:03 +0000",
        "17/May/2015:10:60:03 +0000",
        "17/May/2015:10:05:61 +0000",
        "17/May/2015:10:05:03 +2400",
        "17/May/2015:10:05:03 +0060",
        "17/May/2015:10:05:03 0000",
        "",
    ],
)
def test_an_invalid_time_is_null_and_the_line_is_kept(text: str) -> None:
    assert strptime(text) is None
    assert parsed_time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "17/May/15:10:05:03 +0000",
        "17/May/2015:10:05:03",
        "17/May/2015 10:05:03 +0000",
        "2015-05-17 10:05:03",
        "1431857103",
    ],
)
def test_a_time_of_another_form_is_read(text: str) -> None:
    assert parsed_time(text) == PLAIN["time"]


@pytest.mark.parametrize("year", [1696, 1904, 2000, 2016, 2248])
def test_leap_years_have_february_29(year: int) -> None:
    assert parsed_time(f"29/Feb/{year}:23:59:59 +0000") == f"{year}-02-29T23:59:59Z"


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@pytest.mark.parametrize(("number", "name"), list(enumerate(MONTHS, 1)))
def test_months_have_english_names_in_any_case(number: int, name: str) -> None:
    for text in (name, name.lower(), name.upper()):
        assert parsed_time(f"02/{text}/2015:00:00:00 +0000") == f"2015-{number:02}-02T00:00:00Z"
