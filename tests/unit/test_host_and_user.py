"""
Host and user of access logs, and their request lines: read right, or the line is rejected.

Each row has a form that a report or a manual shows, and where. Names, addresses and times are made
up.
"""

from __future__ import annotations

from typing import Any

import pytest
from rows import as_json

import tailrace as tr
from tailrace import _core

TIME = "[16/Mar/2019:13:41:02 +0000]"
MOMENT = "2019-03-16T13:41:02Z"
REST = '"GET /a HTTP/1.1" 200 5 "-" "ua"'
FIELDS = {"time": MOMENT, "url": "/a", "status": 200, "size": 5, "agent": "ua"}

# The formats for these lines, and what is after the agent in them.
FORMATS = {
    "common": "",
    "combined": "",
    "vhost_combined": "",
    "main": ' "203.0.113.9"',
    "main-timed": ' "203.0.113.9" 0.012 "0.010"',
    "combinedio": " 302 2590",
}
NAMED = [name for name in FORMATS if name != "vhost_combined"]


def rest_of(name: str) -> str:
    return REST.partition(' "-"')[0] if name == "common" else REST + FORMATS[name]


def line_of(name: str, who: str, time: str = TIME) -> str:
    return f"{who} {time} {rest_of(name)}"


def parse(spec: str, line: str, *fields: str) -> list[dict[str, Any]]:
    return as_json(_core.parse(line.encode(), format=spec, fields=list(fields)).to_dicts())


# source, the words before the time, host, user
READ = [
    # A user that is empty or missing
    ("specimen", "192.0.2.1 - ", "192.0.2.1", None),
    ("specimen", "192.0.2.1 -", "192.0.2.1", None),
    ("github.com/crowdsecurity/hub/issues/1764", '192.0.2.1 - ""', "192.0.2.1", None),
    ("made up: the same with a list", "unknown, 192.0.2.1 - ", "unknown, 192.0.2.1", None),
    # A host that is empty or missing
    ("specimen", " - -", None, None),
    ("specimen", "unix: - -", "unix:", None),
    ("specimen", "- - -", None, None),
    ("github.com/allinurl/goaccess/issues/1635, from a comment", "-", None, None),
    ("made up: with a user", " - joe", None, "joe"),
    ("made up: with a user", " - John Smith", None, "John Smith"),
    ("made up: with a user", "- - John Smith", None, "John Smith"),
    # Quotes
    ("specimen", '"192.0.2.1 - -', "192.0.2.1", None),
    # Users
    ("github.com/influxdata/telegraf/issues/1810", "192.0.2.1 - John Smith",
     "192.0.2.1", "John Smith"),
    ("…/logstash-patterns-core/issues/122",
     "192.0.2.1 - a@EXAMPLE.COM", "192.0.2.1", "a@EXAMPLE.COM"),
    ("github.com/adamhadani/logtools/issues/4", r"192.0.2.1 - \"joe\"", "192.0.2.1", r"\"joe\""),
    # Hosts
    ("documented: IPv6 in brackets", "[2001:db8::1] - -", "[2001:db8::1]", None),
    ("documented: IPv6 and a port", "[2001:db8::1]:443 - -", "[2001:db8::1]:443", None),
    ("RFC 4007, section 11.2", "fe80::1%eth0 - -", "fe80::1%eth0", None),
    ("github.com/allinurl/goaccess/issues/2719", "192.0.2.1:42918 - -", "192.0.2.1:42918", None),
    ("…/goaccess/issues/1784", "192.0.2.1.example.com - -", "192.0.2.1.example.com", None),
    ("…/goaccess/issues/1635", " 192.0.2.1 - -", "192.0.2.1", None),
    ("a name with an underscore", "my_host.example. - -", "my_host.example.", None),
    ("a list, as X-Forwarded-For has", "192.0.2.1, 192.0.2.2 - -", "192.0.2.1, 192.0.2.2", None),
]  # fmt: skip

# source, the words before the time, virtual host, host, user
WITH_VHOST = [
    ("…/goaccess/issues/2719", "www.example.co:443 192.0.2.1:42918 - -",
     "www.example.co", "192.0.2.1:42918", None),
    ("…/goaccess/issues/1644", "example.net dynamic.example.com - -",
     "example.net", "dynamic.example.com", None),
    ("…/goaccess/issues/1543", "example.com kfr3RdqIeZ4VvnDkk3TLjw - -",
     "example.com", "kfr3RdqIeZ4VvnDkk3TLjw", None),
    ("made up: an empty user", "example.com:80 192.0.2.1 - ", "example.com", "192.0.2.1", None),
    ("made up: an empty user", "example.com 192.0.2.1 - ", "example.com", "192.0.2.1", None),
]  # fmt: skip

# source, what comes before the request, and what the first word that fits nothing begins with
REJECTED = [
    ("specimen", f"192.0.2.1 - - {TIME} [0.003] [PORT 80]", "[0.003]"),
    ("specimen; github.com/kubernetes/ingress-nginx/issues/3063",
     f"192.0.2.1 - [192.0.2.1] - - {TIME}", "[192.0.2.1]"),
    ("specimen", f"192.0.2.1 (203.0.113.7) - - {TIME}", "(203.0.113.7)"),
    ("specimen", f"example.com 192.0.2.1 - req1 - {TIME}", "- ["),
    ("github.com/mintance/nginx-clickhouse/issues/4",
     f"192.0.2.1 - example.com - joe - {TIME}", "- joe"),
    ("github.com/kassner/log-parser/issues/39", f"192.0.2.1 - - {TIME} (example.com)", "(example"),
    ("…/goaccess/issues/2028", f"192.0.2.1 - - {TIME} 0", "0 "),
    ("…/goaccess/issues/1758, with one address", f"203.0.113.7 192.0.2.1 - - {TIME}", "192.0.2.1"),
    ("…/goaccess/issues/1758", f"203.0.113.7, 198.51.100.2 192.0.2.1 - - {TIME}", "192.0.2.1"),
    ("…/logtools/issues/4", rf'192.0.2.1 - \"joe \" {TIME}', r"\"joe"),
    ("made up", f"192.0.2.1 - - joe {TIME}", "- joe"),
    ("made up", f"192.0.2.1 - [joe] {TIME}", "[joe]"),
    ("made up", f"[192.0.2.1] - - {TIME}", "[192.0.2.1]"),
    ("made up", f'192.0.2.1 "203.0.113.7, 198.51.100.2" - - {TIME}', '"203'),
    ("made up", f"example.com 192.0.2.1 - {TIME}", "[16/"),
    ("made up", f"May  6 07:08:09 web 192.0.2.1 ident joe {TIME}", "6 07"),
    ("made up", "192.0.2.1 - [192.0.2.1]", "[192"),
    ("made up", f"192.0.2.1 - - [hello] {TIME}", "- [hello]"),
]  # fmt: skip


@pytest.mark.parametrize(("who", "host", "user"), [row[1:] for row in READ])
@pytest.mark.parametrize("name", NAMED)
def test_host_and_user_are_read(name: str, who: str, host: str | None, user: str | None) -> None:
    fields = {**FIELDS, "host": host, "user": user}
    if name == "common":
        del fields["agent"]
    assert parse(name, line_of(name, who), *fields) == [fields]
    other = parse("vhost_combined", line_of("combined", who), "host", "user")
    assert other == []


@pytest.mark.parametrize(("who", "vhost", "host", "user"), [row[1:] for row in WITH_VHOST])
def test_a_virtual_host_is_before_the_host(
    who: str, vhost: str, host: str | None, user: str | None
) -> None:
    line = line_of("combined", who)
    fields = {**FIELDS, "vhost": vhost, "host": host, "user": user}
    assert parse("vhost_combined", line, *fields) == [fields]
    assert parse("combined", line, "host", "user") == [{"host": host, "user": user}]
    assert tr.detect(line.encode() + b"\n").format == "vhost_combined"


@pytest.mark.parametrize(("before", "rest"), [row[1:] for row in REJECTED])
def test_a_line_of_another_format_is_rejected(before: str, rest: str) -> None:
    for name in FORMATS:
        line = f"{before} {rest_of(name)}"
        assert parse(name, line, "host") == []
        assert parse(f"{name},combined", line, "host") == []
        found = _core.explain(line.encode(), format=name)
        assert found["expected"]
        if name in {"common", "combined"}:
            assert line[found["byte"] :].startswith(rest), found
    assert tr.detect(f"{before} {REST}\n".encode()).matched == 0


@pytest.mark.parametrize("name", NAMED)
def test_quotes_around_a_line_do_not_belong_to_it(name: str) -> None:
    """As in goaccess issue 2198."""
    plain = line_of(name, "192.0.2.1 - -")
    fields = ["host", "size", *(["agent"] if name != "common" else [])]
    fields += ["xff"] if name == "main" else []
    expected = parse(name, plain, *fields)
    assert expected[0]["host"] == "192.0.2.1"
    assert parse(name, f'"{plain}"', *fields) == expected
    assert parse(name, '"' + plain, *fields) == expected
    empty = plain.replace('"ua"', '""')
    assert parse(name, f'"{empty}"', *fields) == parse(name, empty, *fields)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("time", ["[hello]", "[31/Feb/2019:13:41:02 +0000]", "[]", "[2/3]"])
def test_a_time_that_is_none_is_null(name: str, time: str) -> None:
    expected = [{"host": "192.0.2.1", "user": None, "time": None}]
    assert parse(name, line_of(name, "192.0.2.1 - -", time), *expected[0]) == expected
    # Without a user only a time shows where it would be.
    assert parse(name, line_of(name, "192.0.2.1 -", time), "host") == []


@pytest.mark.parametrize(
    "prefix",
    [
        "<190>May  6 07:08:09 web nginx: ",
        "May  6 07:08:09 web nginx[12]: ",
        "2025-01-02T03:04:05.123456789Z stdout F ",
        "web-1  | ",
        # gunicorn with an access log in the error log.
        "[2019-03-16 13:41:02 +0000] [12] [INFO] ",
    ],
)
@pytest.mark.parametrize("who", ["192.0.2.1 - -", "192.0.2.1 - ", "192.0.2.1 - John Smith"])
def test_the_prefix_of_a_collector_is_no_host(prefix: str, who: str) -> None:
    line = line_of("combined", prefix + who)
    if prefix.endswith("[INFO] ") and who.endswith("- "):
        assert parse("combined", line, "host") == []
        return
    user = "John Smith" if "John" in who else None
    expected = [{"host": "192.0.2.1", "user": user, "time": MOMENT}]
    assert parse("combined", line, *expected[0]) == expected


NGINX = '"$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
APACHE = r'"%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


@pytest.mark.parametrize(
    ("spec", "before", "expected"),
    [
        (
            "$remote_addr - $remote_user [$time_local] [$request_time] [PORT $server_port] "
            + NGINX,
            f"192.0.2.1 - - {TIME} [0.003] [PORT 80]",
            {"user": None, "request_time": 0.003, "port": 80},
        ),
        (
            f"$remote_addr - [$proxy_protocol_addr] - $remote_user [$time_local] {NGINX}",
            f"192.0.2.1 - [192.0.2.1] - - {TIME}",
            {"user": None},
        ),
        (
            f"%h (%{{X-Forwarded-For}}i) %l %u %t {APACHE}",
            f"192.0.2.1 (203.0.113.7) - - {TIME}",
            {"xff": "203.0.113.7", "user": None},
        ),
        (
            f"$host $remote_addr - $request_id $remote_user [$time_local] {NGINX}",
            f"example.com 192.0.2.1 - req1 - {TIME}",
            {"vhost": "example.com", "request_id": "req1", "user": None},
        ),
        (
            f"$remote_addr - $host - $remote_user - [$time_local] {NGINX}",
            f"192.0.2.1 - example.com - joe - {TIME}",
            {"vhost": "example.com", "user": "joe"},
        ),
        (
            f"$remote_addr - $remote_user [$time_local] ($host) {NGINX}",
            f"192.0.2.1 - - {TIME} (example.com)",
            {"vhost": "example.com", "user": None},
        ),
    ],
)
def test_a_pasted_format_reads_them(spec: str, before: str, expected: dict[str, Any]) -> None:
    expected = {"host": "192.0.2.1", "time": MOMENT, "url": "/a", **expected}
    assert parse(spec, f"{before} {REST}", *expected) == [expected]


def test_lines_of_lighttpd_have_the_requested_host_for_the_ident() -> None:
    """Its default format begins with `%h %V %u %t`."""
    for requested in ("www.example.com", "127.0.0.1:8080", "[::1]:8080", ""):
        line = line_of("combined", f"127.0.0.1 {requested} -")
        assert parse("combined", line, "host", "user") == [{"host": "127.0.0.1", "user": None}]


# source, request line, method, url, protocol
REQUESTS = [
    ("specimen; digitalsetups.com/options-rtsp-1-0-apache-access-log-entry",
     "OPTIONS / RTSP/1.0", "OPTIONS", "/", "RTSP/1.0"),
    ("specimen", "OPTIONS sip:nm SIP/2.0", "OPTIONS", "sip:nm", "SIP/2.0"),
    ("specimen", "get /a http/1.1", "get", "/a", "http/1.1"),
    ("github.com/tayler6000/pyVoIP/issues/46",
     "REGISTER sip:pbx.example SIP/2.0", "REGISTER", "sip:pbx.example", "SIP/2.0"),
    ("github.com/AxisCommunications/locomote-video-player/issues/158, with blanks in the URL",
     "OPTIONS rtsp://h/cam?auth=A B RTSP/1.0", "OPTIONS", "rtsp://h/cam?auth=A B", "RTSP/1.0"),
    ("RFC 9113, section 3.4", "PRI * HTTP/2.0", "PRI", "*", "HTTP/2.0"),
    ("RFC 3507, section 4.8", "REQMOD icap://h/s ICAP/1.0", "REQMOD", "icap://h/s", "ICAP/1.0"),
    ("RFC 2660, section 2.1", "Secure * Secure-HTTP/1.4", "Secure", "*", "Secure-HTTP/1.4"),
    ("RFC 2324, made up version", "BREW /pot HTCPCP/1.0", "BREW", "/pot", "HTCPCP/1.0"),
    ("Icecast's protocol of sources", "SOURCE /m ICE/1.0", "SOURCE", "/m", "ICE/1.0"),
    ("github.com/allinurl/goaccess/issues/319", "GET /a HTTP/2", "GET", "/a", "HTTP/2"),
    ("a scheme of WebSocket", "GET wss://h/c HTTP/1.1", "GET", "wss://h/c", "HTTP/1.1"),
    ("a scheme of Gopher", "GET gopher://h/1 HTTP/1.0", "GET", "gopher://h/1", "HTTP/1.0"),
    ("made up", "GET RTSP/1.0", "GET", None, "RTSP/1.0"),
    ("made up: not a protocol", "GET /a Mozilla/5.0", "GET", "/a Mozilla/5.0", None),
    ("made up: not a protocol", "GET /a b/1", "GET", "/a b/1", None),
    ("made up: not a protocol", "GET /a b", "GET", "/a b", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_line", "method", "url", "protocol"), [row[1:] for row in REQUESTS]
)
@pytest.mark.parametrize("spec", ["common", '{host} - {user} [{time}] "{request}" {status} {size}'])
def test_request_lines_of_other_protocols_have_a_url_and_a_protocol(
    spec: str, request_line: str, method: str, url: str | None, protocol: str | None
) -> None:
    line = f'192.0.2.1 - - {TIME} "{request_line}" 400 5'
    expected = {"method": method, "url": url, "protocol": protocol, "request_flag": None}
    assert parse(spec, line, *expected) == [expected]
