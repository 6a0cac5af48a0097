"""
Real nginx, Apache and lighttpd: every value of every line is compared with what was sent.

Each writes the same requests in several formats. They need the Debian packages. Without these the
tests are skipped with a reason; with CI=true they fail.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import pytest
import web_servers
from live import COMMAND
from web_servers import PAGE, Response

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)


# What lighttpd logs of a request line that it cannot read: the blanks between its parts.
BLANKS = b"  "
NOT_LOGGED = b"not logged"


class Request(NamedTuple):
    """The bytes of a request, and what a log should have of it."""

    line: bytes
    agent: bytes = b""
    referer: bytes = b""
    xff: bytes = b""
    user: bytes = b""
    host: bytes = b"example.com"
    whole: bytes = b""
    """All of its bytes, unless they are the line and the headers."""
    is_page: bool = True
    """Whether servers can read it."""
    lighttpd: bytes | None = None
    """What lighttpd logs as the request line, if that is not the line."""

    @property
    def data(self) -> bytes:
        if self.whole:
            return self.whole
        user = base64.b64encode(self.user + b":secret")
        headers = [
            (b"Host", self.host),
            (b"User-Agent", self.agent),
            (b"Referer", self.referer),
            (b"X-Forwarded-For", self.xff),
            (b"Authorization", b"Basic " + user if self.user else b""),
            (b"Connection", b"close"),
        ]
        lines = [name + b": " + value for name, value in headers if value]
        return b"\r\n".join([self.line, *lines, b"", b""])


def get(agent: bytes = b"", **sent: bytes) -> Request:
    return Request(b"GET " + PAGE.encode() + b" HTTP/1.1", agent, **sent)


def raw(line: bytes, lighttpd: bytes = BLANKS, end: bytes = b"\r\n\r\n") -> Request:
    return Request(line, whole=line + end, is_page=False, lighttpd=lighttpd)


REQUESTS = [
    # Usual ones.
    get(),
    get(b"Mozilla/5.0 (X11; Linux x86_64)", referer=b"http://example.com/a?b=c"),
    get(b"curl/8.5.0", xff=b"203.0.113.7"),
    get(b"ua", xff=b"203.0.113.7, 198.51.100.2"),
    get(b"ua", xff=b"203.0.113.7, 198.51.100.2, 2001:db8::1"),
    get(b"ua", user=b"joe"),
    get(b"ua", user=b"John Smith"),
    get(b"ua", user=b"a.b@example.com"),
    Request(b"GET /missing HTTP/1.1", b"ua", b"/from"),
    Request(b"GET /page?q=1&r=%20%22 HTTP/1.1", b"ua"),
    Request(b"HEAD /page HTTP/1.0", b"ua"),
    Request(b"POST /page HTTP/1.1", b"ua"),
    Request(b"DELETE /page HTTP/1.1", b"ua"),
    Request(b"OPTIONS /page HTTP/1.1", b"ua"),
    Request(b"GET /page?" + b"x" * 3000 + b" HTTP/1.1", b"y" * 3000),
    # Text of clients that looks like another part of the line.
    get(b'quo"te'),
    get(b"back\\slash", referer=b"\\"),
    get(b"ends in a backslash\\"),
    get(b'\\"', referer=b'\\\\"'),
    get(b'x] "GET /fake HTTP/1.1" 200 1 "-" "y'),
    get(b'" 200 5 "-" "', referer=b'" "'),
    get(b'"', referer=b'"'),
    get(b'- - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5'),
    get(b"[2015-05-17T10:05:03Z]", referer=b'] "-" 200 0'),
    get(b"\\x22 \\x5C \\n", referer=b"%22%5C"),
    get(b"{}, \t :|;=", referer=b"<a href='x'>"),
    get(b"ua", xff=b'unknown, "'),
    get(b"ua", xff=b"1.1.1.1, - [x]"),
    get(b"\xc3\xa9t\xc3\xa9", referer=b"http://\xd0\xbf.example/"),
    get(b"\xff\xfe not UTF-8 \x80", referer=b"\xc0\xaf"),
    get(b"-", referer=b"-"),
    Request(b'GET /a"b HTTP/1.1', b"ua"),
    Request(b'GET /page?x="&y=\\ HTTP/1.1', b"ua"),
    Request(b'GET /]"x HTTP/1.1', b"ua"),
    Request(b"GET /\xc3\xa9 HTTP/1.1", b"ua"),
    # Request lines that servers refuse.
    raw(b"GET /a b c HTTP/1.1", b"GET /a b c HTTP/1.1"),
    raw(b'GET /a" 200 5 "-" "ua HTTP/1.1', b'GET /a" 200 5 "-" "ua HTTP/1.1'),
    raw(b"GET /page\x01\x7f\xc3\xa9 HTTP/1.1", b"GET /page\x01\x7f\xc3\xa9 HTTP/1.1"),
    raw(b"GET /page", NOT_LOGGED, end=b"\r\n"),
    raw(b"GET"),
    raw(b""),
    raw(b"-"),
    raw(b"- - -"),
    raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    raw(b"\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr"),
    raw(b"OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1"),
    raw(b"CONNECT example.com:443 HTTP/1.1", b"CONNECT  HTTP/1.1"),
    raw(b"OPTIONS / RTSP/1.0"),
    raw(b"OPTIONS sip:nm SIP/2.0"),
    raw(b"get /page http/1.1"),
    raw(b"GET http://user@example.com/page?y#z HTTP/1.0", b"GET /page?y#z HTTP/1.0"),
    raw(b"GET /page HTTP/9.9"),
    raw(b"() { :; }; echo 1"),
    raw(b"\\x16\\x03"),
    raw(b'"'),
    raw(b'" 200 5 "'),
    raw(b"\x80\xff"),
]


class LogFormat(NamedTuple):
    """A format of a server."""

    server: str
    name: str
    written: str
    """As its configuration has it."""
    spec: str
    """As tailrace gets it: a name, or the pasted text."""
    fields: tuple[str, ...]
    """The fields to compare, beside status and host."""
    is_detected: bool = False
    encoding: str = "escaped"
    """How values are written: escaped, json or raw."""


MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"'
)
COMBINED = r'%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
NGINX_JSON = json.dumps(
    {
        "time": "$time_iso8601",
        "remote_addr": "$remote_addr",
        "remote_user": "$remote_user",
        "request": "$request",
        "status": "$status",
        "body_bytes_sent": "$body_bytes_sent",
        "http_referer": "$http_referer",
        "http_user_agent": "$http_user_agent",
        "http_x_forwarded_for": "$http_x_forwarded_for",
    }
)
OF_COMBINED = ("time", "request", "user", "size", "referer", "agent")


def of_nginx(
    name: str,
    text: str,
    spec: str = "",
    *fields: str,
    escape: str = "",
    is_detected: bool = False,
    encoding: str = "escaped",
) -> LogFormat:
    written = f"{escape} '{text}'".strip()
    pasted = f"log_format {name} {written};"
    return LogFormat(
        "nginx", name, written, spec or pasted, fields or OF_COMBINED, is_detected, encoding
    )


def of_apache(
    name: str, text: str, spec: str = "", *fields: str, is_detected: bool = False
) -> LogFormat:
    written = '"' + text.replace('"', r"\"") + '"'
    pasted = f"LogFormat {written} {name}"
    return LogFormat("apache", name, written, spec or pasted, fields or OF_COMBINED, is_detected)


def of_lighttpd(
    name: str, text: str, spec: str = "", *fields: str, is_detected: bool = False
) -> LogFormat:
    written = '"' + text.replace('"', r"\"") + '"'
    return LogFormat("lighttpd", name, written, spec or text, fields or OF_COMBINED, is_detected)


FORMATS = [
    of_nginx("own", MAIN.rpartition(" ")[0], "combined", is_detected=True),
    of_nginx("main", MAIN, "main", *OF_COMBINED, "xff", is_detected=True),
    of_nginx("pasted", MAIN, "", *OF_COMBINED, "xff"),
    of_nginx("none", MAIN, "", *OF_COMBINED, "xff", escape="escape=none", encoding="raw"),
    of_nginx("json", NGINX_JSON, "", *OF_COMBINED, "xff", escape="escape=json", encoding="json"),
    of_nginx(
        "any_json",
        NGINX_JSON,
        "json",
        *OF_COMBINED,
        "xff",
        escape="escape=json",
        encoding="json",
        is_detected=True,
    ),
    of_nginx("unescaped_json", NGINX_JSON, "json", *OF_COMBINED, "xff", encoding="json"),
    of_nginx("iso", MAIN.replace("$time_local", "$time_iso8601"), "", *OF_COMBINED, "xff"),
    of_nginx(
        "iso_as_main",
        MAIN.replace("$time_local", "$time_iso8601"),
        "main",
        *OF_COMBINED,
        "xff",
        is_detected=True,
    ),
    of_nginx("xff_first", f"$http_x_forwarded_for {MAIN}", "", *OF_COMBINED, "xff"),
    of_nginx("vhost", f"$host {MAIN}", "", *OF_COMBINED, "xff"),
    of_nginx("unquoted", "$remote_addr [$time_local] $request $status", "", "time", "request"),
    of_nginx(
        "unquoted_host",
        "$remote_addr [$time_local] $request $http_host $status",
        "",
        "time",
        "request",
    ),
    of_apache("combined", COMBINED, "combined", is_detected=True),
    of_apache(
        "common", COMBINED.partition(' "%{Ref')[0], "common", *OF_COMBINED[:4], is_detected=True
    ),
    of_apache("pasted", COMBINED),
    of_apache("vhost", f"%v:%p {COMBINED}", "vhost_combined", is_detected=True),
    of_apache(
        "milliseconds",
        COMBINED.replace("%t", "[%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t]"),
    ),
    of_apache(
        "milliseconds_as_combined",
        COMBINED.replace("%t", "[%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t]"),
        "combined",
        is_detected=True,
    ),
    of_apache("iso", COMBINED.replace("%t", "[%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t]")),
    of_apache("query", "%h %m %U %q %>s", "", "method", "path", "query"),
    of_apache("xff_first", f"%{{X-Forwarded-For}}i {COMBINED}", "", *OF_COMBINED, "xff"),
    of_apache("unquoted", "%h %t %r %>s %b", "", "time", "request", "size"),
    of_lighttpd("combined", COMBINED.replace("%l", "%V"), "combined", is_detected=True),
    of_lighttpd("pasted", COMBINED.replace("%l", "%V"), "", *OF_COMBINED, "vhost"),
    of_lighttpd("iso", COMBINED.replace("%t", "[%{%Y-%m-%dT%H:%M:%S%z}t]")),
    of_lighttpd("query", "%h %m %U %q %>s", "", "method", "path", "query"),
    of_lighttpd("xff_first", f"%{{X-Forwarded-For}}i {COMBINED}", "", *OF_COMBINED, "xff"),
    of_lighttpd("unquoted", "%h %t %r %>s %b", "", "time", "request", "size"),
]


SECOND = timedelta(seconds=1)


class Log(NamedTuple):
    """A log, and what each of its lines should have."""

    path: Path
    logged: list[tuple[Request, bytes, Response]]
    """The request, its line as this server knows it, and the response."""
    begin: datetime
    end: datetime


def known_line(server: str, request: Request) -> bytes:
    """Return the request line as far as a server reads it."""
    if server == "apache" and not request.is_page:
        # Three words, up to a NUL.
        words = request.line.partition(b"\0")[0].split(b" ")
        return b" ".join(words[:3]) or NOT_LOGGED
    if server == "lighttpd" and request.lighttpd is not None:
        return request.lighttpd
    return request.line


@pytest.fixture(scope="module")
def logs() -> Iterator[dict[tuple[str, str], Log]]:
    missing = web_servers.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    with tempfile.TemporaryDirectory() as folder:
        yield {
            key: log
            for server in ("nginx", "apache", "lighttpd")
            for key, log in written(server, Path(folder) / server)
        }


def written(server: str, folder: Path) -> Iterator[tuple[tuple[str, str], Log]]:
    # The servers give up root, and have to read the page.
    folder.parent.chmod(0o755)
    folder.mkdir()
    formats = {one.name: one.written for one in FORMATS if one.server == server}
    begin = datetime.now(UTC)
    if server == "lighttpd":
        with web_servers.lighttpd(folder, formats) as ports:
            sent = {name: responses(port) for name, port in ports.items()}
    else:
        run = web_servers.nginx if server == "nginx" else web_servers.apache
        with run(folder, formats) as port:
            sent = dict.fromkeys(formats, responses(port))
    end = datetime.now(UTC)
    for name in formats:
        lines = [known_line(server, request) for request in REQUESTS]
        logged = [
            one for one in zip(REQUESTS, lines, sent[name], strict=True) if one[1] != NOT_LOGGED
        ]
        yield (server, name), Log(folder / f"{name}.log", logged, begin, end)


def responses(port: int) -> list[Response]:
    return [web_servers.send(port, request.data) for request in REQUESTS]


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: f"{one.server}-{one.name}")
def test_every_line_is_counted_and_has_the_values_that_were_sent(
    one: LogFormat, logs: dict[tuple[str, str], Log]
) -> None:
    log = logs[one.server, one.name]
    lines = log.path.read_bytes().splitlines()
    assert len(lines) == len(log.logged)
    done = subprocess.run(
        [
            *COMMAND,
            "top",
            "--by",
            "status",
            "--format",
            "jsonl",
            "--log-format",
            one.spec,
            log.path,
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    counters = json.loads(done.stdout)["lines"]
    names = ["host", "status", *one.fields]
    batch = tr.Format(one.spec).parse(log.path.read_bytes(), fields=names)
    rejects = {reject.line for reject in batch.rejects}
    assert counters["fed"] == len(lines)
    assert counters["counted"] == len(lines) - len(rejects)
    rows = iter(batch.to_dicts())
    for number, (line, sent) in enumerate(zip(lines, log.logged, strict=True)):
        if number in rejects:
            assert may_be_rejected(one, sent[0]), line
            continue
        row = next(rows)
        for name in names:
            assert is_as_sent(name, row[name], sent, one, log), (name, row[name], line)
    assert next(rows, None) is None


@pytest.mark.parametrize(
    "one",
    [one for one in FORMATS if one.is_detected],
    ids=lambda one: f"{one.server}-{one.name}",
)
def test_the_format_is_detected(one: LogFormat, logs: dict[tuple[str, str], Log]) -> None:
    detection = tr.detect(logs[one.server, one.name].path.read_bytes())
    assert detection.format == one.spec


def may_be_rejected(one: LogFormat, request: Request) -> bool:
    """Return whether the format cannot hold the text of a request: nothing marks its end."""
    is_list = re.fullmatch(rb"[\w.:]+(, [\w.:]+)*", request.xff or b"-")
    return (one.encoding == "raw" and b'"' in request.data) or (
        one.name == "xff_first" and not is_list
    )


def is_as_sent(
    name: str, value: object, sent: tuple[Request, bytes, Response], one: LogFormat, log: Log
) -> bool:
    request, line, response = sent
    if name == "time":
        return isinstance(value, datetime) and log.begin - SECOND <= value <= log.end
    if name == "status":
        return value == response.status if response.status else isinstance(value, int)
    if name == "size":
        return value == response.size or not (value or response.size) or not response.status
    if name in {"method", "path", "query"} and not request.is_page:
        # What the server made of a line that it could not read.
        return True
    method, url = [*line.split(b" "), b""][:2]
    expected = {
        "host": b"127.0.0.1",
        "request": line,
        "user": request.user if one.server == "nginx" else b"",
        "referer": request.referer,
        "agent": request.agent,
        "xff": request.xff,
        "vhost": request.host if request.is_page else b"",
        "method": method,
        "path": normalized(url.partition(b"?")[0], one),
        "query": normalized(url.partition(b"?")[2], one),
    }[name]
    if not isinstance(value, str | None):
        return False
    return text_of(value, one.encoding) == (
        None if expected in {b"", b"-"} else shown(expected, one)
    )


def normalized(part: bytes, one: LogFormat) -> bytes:
    """Return a path or a query as a server logs it apart from the request line."""
    return quote(part, safe="/%&=").encode() if one.server == "lighttpd" else part


def text_of(value: str | None, encoding: str) -> str | None:
    """Undo the escaping that Apache, nginx and lighttpd document."""
    if value is None or encoding != "escaped":
        return value
    names = {"b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

    def undo(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if code[0] == "x" else names.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|.)", undo, value, flags=re.DOTALL)


def shown(sent: bytes, one: LogFormat) -> str:
    if one.encoding == "escaped":
        return sent.decode("latin-1")
    # Each run of bytes that is not UTF-8 is one replacement character.
    return re.sub("[\udc80-\udcff]+", "\ufffd", sent.decode("utf-8", "surrogateescape"))
