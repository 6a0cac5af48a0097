r"""
`common` is `host ident user [time] "request" status size`, typed as `combined` types it.

Behind the size there may be more, but no quoted field right there: that is a referer, and the
line one of `combined`, whole or cut short.
"""

import gzip
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from places import DATA
from profiles import examples
from rows import as_json
from servers import (
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
many = examples(400)

COMMON = tr.Format("common")
COMBINED = tr.Format("combined")


def parsed(line: bytes, log_format: tr.Format = COMMON) -> Row | None:
    """Return every field of a line, or None if it is rejected."""
    assert b"\n" not in line
    batch = log_format.parse(line + b"\n", fields=[*log_format.columns, "request"])
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
}
HEAD = "1.2.3.4 - - "
STAMP = "[17/May/2015:10:05:03 +0000] "
LINE = HEAD + STAMP + '"GET /a HTTP/1.1" 200 5'
EMPTY: Row = {"method": None, "url": None, "protocol": None, "request": None}

# Unusual lines by name, with the fields that differ from the plain line.
ACCEPTED: dict[str, tuple[str, Row]] = {
    "the plain line": (LINE, {}),
    "size -": (LINE[:-1] + "-", {"size": None}),
    "status -": (LINE.replace("200", "-"), {"status": None}),
    "status 009": (LINE.replace("200", "009"), {"status": 9}),
    '"" request': (LINE.replace("GET /a HTTP/1.1", ""), EMPTY),
    '"-" request': (LINE.replace("GET /a HTTP/1.1", "-"), EMPTY),
    "unquoted - request": (LINE.replace('"GET /a HTTP/1.1"', "-"), EMPTY),
    "trailing unquoted field": (LINE + " 0.012", {}),
    "trailing fields, the second of them quoted": (LINE + ' 0.012 "ua 1"', {}),
    "user": (LINE.replace("- -", "- joe"), {"user": "joe"}),
    "user with a space": (LINE.replace("- -", "- John Smith"), {"user": "John Smith"}),
    "host name": (LINE.replace("1.2.3.4", "in24.inetnebr.com"), {"host": "in24.inetnebr.com"}),
    "vhost_common": ("example.com:80 " + LINE, {}),
    "syslog prefix": ("<190>May  6 10:00:00 web httpd: " + LINE, {}),
    "leading space": (" " + LINE, {}),
    "BOM": ("\ufeff" + LINE, {}),
    "CRLF": (LINE + "\r", {}),
    "trailing blanks": (LINE + " \t ", {}),
    "time [hello]": (LINE.replace(STAMP, "[hello] "), {"time": None}),
    "status and size within the request": (
        LINE.replace("/a", "/ 404 7"),
        {"url": "/ 404 7", "request": "GET / 404 7 HTTP/1.1"},
    ),
    "raw quotes in the request": (
        LINE.replace("/a", '/"a" b'),
        {"url": '/"a" b', "request": 'GET /"a" b HTTP/1.1'},
    ),
    r"\" at the end of the request, from a logger that does not escape": (
        LINE.replace("/a HTTP/1.1", "/a\\"),
        {"url": "/a\\", "request": "GET /a\\", "protocol": None},
    ),
}


@pytest.mark.parametrize("odd", ACCEPTED)
def test_a_valid_line_is_parsed(odd: str) -> None:
    line, unlike = ACCEPTED[odd]
    assert parsed(line.encode()) == PLAIN | unlike


# With the byte from which the line does not match common.
REJECTED: dict[str, tuple[str, int]] = {
    "empty line": ("", 0),
    "text": ("no log line", 11),
    "combined": (LINE + ' "http://r/" "ua 1"', len(LINE) + 1),
    "combined without values": (LINE + ' "-" "-"', len(LINE) + 1),
    "combined, cut in the agent": (LINE + ' "http://r/" "ua', len(LINE) + 1),
    "combined, cut in the referer": (LINE + ' "http://', len(LINE) + 1),
    "combined and more": (LINE + ' "-" "ua 1" 412 1022', len(LINE) + 1),
    "combined with what looks like the end of a common line in its agent": (
        LINE + ' "-" "x" 200 7',
        len(LINE) + 1,
    ),
    "one quoted field": (LINE + ' "5.6.7.8"', len(LINE) + 1),
    "one quoted field after two blanks": (LINE + '  "5.6.7.8"', len(LINE) + 2),
    "no size": (LINE[:-2], len(LINE) - 2),
    "size as text": (LINE + "k", len(LINE) - 1),
    "no time": (HEAD + LINE.removeprefix(HEAD + STAMP), len(HEAD)),
}


@pytest.mark.parametrize("odd", REJECTED)
def test_a_malformed_line_is_rejected(odd: str) -> None:
    line, byte = REJECTED[odd]
    batch = COMMON.parse(line.encode() + b"\n")
    assert [(reject.line, reject.byte) for reject in batch.rejects] == [(0, byte)]


def test_common_has_the_columns_of_combined_without_referer_and_agent() -> None:
    assert _core.default_fields("common") == _core.default_fields("combined")[:8]
    assert {*COMBINED.fields} - {*COMMON.fields} == {"referer", "agent"}
    assert set(_core.field_kinds("common")) < set(_core.field_kinds("combined"))


def test_a_field_that_common_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="format common has no field 'agent'"):
        COMMON.parse(b"", fields=["agent"])


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("", "a "),
        ("1.2.3.4 - - ", " ["),
        ("1.2.3.4 - - [", "] "),
        (HEAD + STAMP + '"', '" 1 '),
        (HEAD + STAMP + '"', '" 200 '),
        (HEAD + STAMP + '"', '\\" 200 5'),
        (LINE, " "),
        (LINE + " x", ' "'),
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


# --- against an expression, and against combined --------------------------------------------------

# The rule from the request on as an expression, for lines whose head is unambiguous. A backslash
# escapes the next byte. The request ends at the first quote that is followed by a status and a
# size; if there is none, at the first such escaped quote.
NUMBERS = rb"[ \t\r\n]+(?P<status>[0-9]{3}|-)[ \t\r\n]+(?P<size>[0-9]{1,18}|-)(?=[ \t]|\Z)"
NO_REFERER = rb'(?![ \t\r\n]+")'
UNESCAPED = re.compile(rb'"(?P<request>(?:\\.|[^\\])*?)"' + NUMBERS, re.DOTALL)
ESCAPED = re.compile(rb'"(?P<request>(?:\\.|[^\\])*?\\)"' + NUMBERS, re.DOTALL)
NO_REFERER_AFTER = re.compile(NO_REFERER)


def by_expression(tail: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return request, status and size of a line that starts at the request's quote."""
    tail = tail.rstrip(b" \t\r\n")
    found = UNESCAPED.match(tail) or ESCAPED.match(tail)
    if found is None or not NO_REFERER_AFTER.match(tail, found.end()):
        return None
    return found["request"], found["status"], found["size"]


tails = st.lists(
    st.sampled_from(
        [
            b'" 200 5',
            b'" 404 - ',
            b'" - 7',
            b'\\" 301 12',
            b'" 200 5 "-" "ua"',
            b' "-"',
            b" 0.01",
            b"GET /a HTTP/1.1",
            b'"\t200\r5',
            b'" 2000 5',
            b'" 200 5k',
        ]
    )
    | meaningful.filter(lambda text: b"\n" not in text),
    max_size=8,
).map(b"".join)


@examples(2_000)
@given(tail=tails)
@example(tail=b'a\\" 200 5 "x" 301 7')
@example(tail=b'a\\\\" 200 5')
@example(tail=b'a\\" 200 5 ')
@example(tail=b'a" 200 5 x "-" "ua"')
def test_from_the_request_on_common_equals_an_expression(tail: bytes) -> None:
    row = parsed((HEAD + STAMP).encode() + b'"' + tail)
    expected = by_expression(b'"' + tail)
    if row is None or expected is None:
        assert row is expected
        return
    request, status, size = (part.decode(errors="replace") for part in expected)
    assert row["status"] == (None if status == "-" else int(status))
    assert row["size"] == (None if size == "-" else int(size))
    # A run of bytes that is not UTF-8 is one replacement character, not one per byte.
    assert row["request"] == or_none(re.sub("\ufffd+", "\ufffd", request))
    assert (row["host"], row["user"], row["time"]) == ("1.2.3.4", None, PLAIN["time"])


@many
@given(
    parts=st.lists(
        meaningful
        | st.sampled_from([LINE.encode(), (HEAD + STAMP).encode(), b'"', b'" 200 5', b' "-" "ua"']),
        max_size=9,
    )
)
def test_combined_parses_common_lines_to_the_same_fields(parts: list[bytes]) -> None:
    line = b"".join(parts).replace(b"\n", b" ")
    row = parsed(line)
    if row is not None:
        assert parsed(line, COMBINED) == row | {"referer": None, "agent": None}


@pytest.mark.parametrize("escaped", [apache, nginx])
@many
@given(
    host=hosts,
    user=users,
    moment=times,
    method=st.sampled_from(["GET", "POST", "M-SEARCH"]),
    target=targets,
    status=st.none() | st.integers(0, 999),
    size=st.none() | st.integers(0, 10**18 - 1),
    referer=anything,
    agent=anything,
    more=st.sampled_from(["", " 0.012", " 1834 -", "\r"]),
)
def test_lines_of_a_server_are_parsed_to_what_it_wrote(
    *,
    escaped: Callable[[bytes], str],
    host: str,
    user: bytes,
    moment: datetime,
    method: str,
    target: bytes,
    status: int | None,
    size: int | None,
    referer: bytes,
    agent: bytes,
    more: str,
) -> None:
    """And combined lines of the same server do not match common."""
    request = f"{method} {escaped(target)} HTTP/1.1"
    numbers = f"{'-' if status is None else f'{status:03}'} {'-' if size is None else size}"
    line = f'{host} - {escaped(user) or chr(34) * 2} [{stamp(moment)}] "{request}" {numbers}'
    expected = {
        "host": host,
        "user": or_none(escaped(user)),
        "time": iso(moment),
        "method": method,
        "url": escaped(target),
        "protocol": "HTTP/1.1",
        "request": request,
        "status": status,
        "size": size,
    }
    if user and not is_user(escaped(user)):
        assert parsed((line + more).encode()) is None
        return
    assert parsed((line + more).encode()) == expected
    combined = f'{line} "{escaped(referer)}" "{escaped(agent)}"'
    rejects = COMMON.parse(combined.encode()).rejects
    assert [(one.line, one.byte) for one in rejects] == [(0, len(line.encode()) + 1)]


# --- real logs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("log", "accepted"), [(APACHE, 9_999), (NGINX, 16_912)])
def test_a_real_log_without_referer_and_agent_matches_common(log: Path, accepted: int) -> None:
    text = gzip.decompress(log.read_bytes())
    assert len(COMMON.parse(text)) == 0
    cut = re.sub(rb' "(?:\\.|[^"\\])*" "(?:\\.|[^"\\])*"$', b"", text, flags=re.MULTILINE)
    batch = COMMON.parse(cut, fields=COMMON.fields)
    assert len(batch) == accepted
    # Only the fields that were cut off are missing.
    assert batch.to_dicts() == COMBINED.parse(text, fields=COMMON.fields).to_dicts()
