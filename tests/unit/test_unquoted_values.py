"""
Unquoted values of pasted formats: empty ones, lists, and values that end where their type ends.

Each line has its source: a public report, a vendor's document, or "made up". Addresses and names
are replaced.
"""

from __future__ import annotations

from typing import Any

import pytest
from rows import as_json

import tailrace as tr

Row = dict[str, Any]

TIME = "[10/Jan/2024:10:00:00 +0000]"
XFF_FIRST = '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b'
# https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/
INGRESS = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
    "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $req_id"
)


def parsed(spec: str, *lines: str | bytes) -> list[Row | None]:
    """Return the row of each line, or None for a rejected one."""
    data = [line if isinstance(line, bytes) else line.encode() for line in lines]
    batches = [tr.Format(spec).parse(line) for line in data]
    return [(as_json(batch.to_dicts()) or [None])[0] for batch in batches]


def assert_has(row: Row | None, expected: Row) -> None:
    assert row is not None
    assert {name: row.get(name) for name in expected} == expected


EMPTY = [
    # made up in the shape of the reports: nginx writes nothing for an empty user
    (
        "$host $remote_addr - $remote_user [$time_local] $status",
        f"a.example 192.0.2.1 -  {TIME} 200",
        {"vhost": "a.example", "host": "192.0.2.1", "user": None, "status": 200},
    ),
    # made up: a collector squeezed the two blanks
    (
        "$host $remote_addr - $remote_user [$time_local] $status",
        f"a.example 192.0.2.1 - {TIME} 200",
        {"vhost": "a.example", "host": "192.0.2.1", "user": None, "status": 200},
    ),
    # allinurl/goaccess#1270: no port at a Unix socket, a list with unix: in it
    (
        (
            "[$time_local] $msec $host $server_port $proxy_add_x_forwarded_for $remote_user "
            "$status "
            '$pipe $request_time $request_length $bytes_sent $gzip_ratio "$request"'
        ),
        (
            "[14/Oct/2018:06:25:11 -0700] 1539523517.267 bop.example.com  192.0.2.51, unix: "
            "- 302 . "
            '0.178 977 682 - "POST /login/ HTTP/1.0"'
        ),
        {
            "vhost": "bop.example.com",
            "port": None,
            "xff": "192.0.2.51, unix:",
            "user": None,
            "status": 302,
            "bytes_in": 977,
            "bytes_out": 682,
        },
    ),
    # https://httpd.apache.org/docs/2.4/mod/mod_log_config.html: %q is empty without a query
    ("%h %m %U %q %>s", "192.0.2.1 GET /a  200", {"url": "/a", "query": None, "status": 200}),
    ("%h %m %U %q %>s", "192.0.2.1 GET /a ?b=1 200", {"url": "/a?b=1", "query": "b=1"}),
    ("%h %m %U %q %>s", "192.0.2.1 GET /a b  200", {"path": "/a b", "query": None, "status": 200}),
    # lighttpd writes no host for a Unix socket (made up after its documentation of server.bind)
    ("%h %t %>s %b", f" {TIME} 200 5", {"host": None, "status": 200, "size": 5}),
    # https://nginx.org/en/docs/http/ngx_http_log_module.html: escape=none
    (
        "log_format a escape=none '$remote_addr $http_x $upstream_addr $status $http_y';",
        "192.0.2.1   200 ",
        {"host": "192.0.2.1", "http_x": None, "upstream": None, "status": 200, "http_y": None},
    ),
    (
        "log_format a escape=none '$remote_addr|$args|$upstream_response_time|$status';",
        "192.0.2.1|||200",
        {"host": "192.0.2.1", "query": None, "upstream_time": None, "status": 200},
    ),
    # made up: braces
    ("{host} {method} {path} {query} {status}", "192.0.2.1 GET /a  200", {"query": None}),
    # made up: aligned columns are not empty ones
    ("{host}    {x} {y}", "192.0.2.1  1 2", {"host": "192.0.2.1", "x": "1", "y": "2"}),
    ("$remote_addr $status", "192.0.2.1   200", {"host": "192.0.2.1", "status": 200}),
]


@pytest.mark.parametrize(("spec", "line", "expected"), EMPTY)
def test_an_empty_value_is_null(spec: str, line: str, expected: Row) -> None:
    assert_has(parsed(spec, line)[0], expected)


LISTS = [
    # made up in the shape of rmkml/etplc#2
    (
        XFF_FIRST,
        f'203.0.113.7, 198.51.100.2 10.0.0.5 - - {TIME} "GET /a HTTP/1.1" 200 5',
        {"xff": "203.0.113.7, 198.51.100.2", "host": "10.0.0.5", "user": None, "size": 5},
    ),
    (
        XFF_FIRST,
        f'203.0.113.7, 198.51.100.2 10.0.0.5 - John Smith {TIME} "GET /a HTTP/1.1" 200 5',
        {"xff": "203.0.113.7, 198.51.100.2", "host": "10.0.0.5", "user": "John Smith"},
    ),
    # made up: text of a client that is no list
    (
        XFF_FIRST,
        f'a b 10.0.0.5 - - {TIME} "GET /a HTTP/1.1" 200 5',
        {"xff": "a b", "host": "10.0.0.5", "user": None},
    ),
    (
        XFF_FIRST,
        f'a, 10.0.0.5 - - {TIME} "GET / HTTP/1.1" 200 5',
        {"xff": "a,", "host": "10.0.0.5"},
    ),
    # allinurl/goaccess#1758, with IPv6 and five elements
    (
        '%{X-Forwarded-For}i %h %l %u %t %D "%r" %>s "%{Referer}i" "%{User-Agent}i" %I %O',
        (
            "2001:db8:e02:48b7:3417:266c:7436:f95e, 192.0.2.97, 10.36.42.175, 10.36.30.137, "
            "192.0.2.69 "
            '127.0.0.1 - - [05/May/2020:21:25:27 +0000] 24675 "GET /wiki HTTP/1.0" 200 "-" '
            '"ua" 1250 947'
        ),
        {
            "xff": "2001:db8:e02:48b7:3417:266c:7436:f95e, 192.0.2.97, 10.36.42.175, 10.36.30.137, "
            "192.0.2.69",
            "host": "127.0.0.1",
            "request_time": 0.024675,
            "bytes_out": 947,
        },
    ),
    # allinurl/goaccess#348, the list after the host
    (
        '%h %{X-FORWARDED-FOR}i %l %u %t %D "%r" %>s %b',
        (
            '192.0.2.97 192.0.2.98, 192.0.2.99 - - [28/Dec/2015:04:02:08 -0500] 168048 "GET '
            '/ HTTP/1.1" '
            "200 56956"
        ),
        {"host": "192.0.2.97", "xff": "192.0.2.98, 192.0.2.99", "user": None, "size": 56956},
    ),
    # made up in the shape of vectordotdev/vector#5453
    (
        "$status $upstream_addr $upstream_status",
        "200 192.0.2.5:80, 192.0.2.6:80 502, 200",
        {"upstream": "192.0.2.5:80, 192.0.2.6:80", "upstream_status": "502, 200"},
    ),
    # martin-helmich/prometheus-nginxlog-exporter#70
    (
        (
            "[proxy ($upstream_cache_status) : $upstream_addr $upstream_response_time "
            "$upstream_status ]"
        ),
        "[proxy (-) : 127.0.0.1:80, [::]:80 0.000, 0.001 502, 200 ]",
        {
            "upstream": "127.0.0.1:80, [::]:80",
            "upstream_time": 0.001,
            "upstream_status": "502, 200",
        },
    ),
    # martin-helmich/prometheus-nginxlog-exporter#274
    (
        (
            "request_time=$request_time upstream_response_time=$upstream_response_time "
            "upstream_connect_time=$upstream_connect_time "
            "upstream_header_time=$upstream_header_time "
            "subnet=$remote_addr_subnet"
        ),
        (
            "request_time=0.016 upstream_response_time=0.004, 0.012 "
            "upstream_connect_time=0.004, 0.004 "
            "upstream_header_time=0.000, 0.012 subnet=192.0.2.0"
        ),
        {
            "upstream_time": 0.016,
            "upstream_connect_time": 0.008,
            "upstream_header_time": 0.012,
            "remote_addr_subnet": "192.0.2.0",
        },
    ),
    # https://nginx.org/en/docs/http/ngx_http_upstream_module.html#var_upstream_addr
    (
        "$upstream_addr $upstream_status $request_time",
        (
            "192.168.1.1:80, 192.168.1.2:80, unix:/tmp/sock : 192.168.10.1:80, 192.168.10.2:80 "
            "502, 502, - : 504, 200 0.3"
        ),
        {
            "upstream": "192.168.1.1:80, 192.168.1.2:80, unix:/tmp/sock : 192.168.10.1:80, "
            "192.168.10.2:80",
            "upstream_status": "502, 502, - : 504, 200",
            "request_time": 0.3,
        },
    ),
    # made up after nginx's source: an internal redirect to a location without an upstream
    (
        "$upstream_addr $upstream_status $request_time",
        "192.0.2.5:80 :  401 :  0.3",
        {"upstream": "192.0.2.5:80 :", "upstream_status": "401 :", "request_time": 0.3},
    ),
]


@pytest.mark.parametrize(("spec", "line", "expected"), LISTS)
def test_a_list_is_one_value(spec: str, line: str, expected: Row) -> None:
    assert_has(parsed(spec, line)[0], expected)


SUMS = [
    # made up, and elastic/beats#20813, elastic/beats#30697
    ("0.100, 0.004", 0.104),
    ("0.096, 0.092, 0.496", 0.684),
    ("0.100, -", 0.1),
    ("0.1, 0.2", 0.3),
    ("0.001, 0.002 : 0.010", 0.013),
    ("-", None),
    ("-, -", None),
    ("0.010", 0.01),
]


@pytest.mark.parametrize(("text", "expected"), SUMS)
def test_times_of_a_list_are_added_up_as_decimals(text: str, expected: float | None) -> None:
    assert_has(parsed("<$upstream_response_time>", f"<{text}>")[0], {"upstream_time": expected})
    assert_has(parsed("$upstream_header_time", text)[0], {"upstream_header_time": expected})
    rt = f'192.0.2.1 - - {TIME} "GET / HTTP/1.1" 200 5 "-" "ua" rt=0.1 uct="{text}" uht="-" urt="-"'
    assert_has(parsed("main-rt", rt)[0], {"upstream_connect_time": expected})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("61, 100", 161), ("0, 0, 39", 39), ("61, -", 61), ("-", None), ("0, 0 : 612", 612), ("7", 7)],
)
def test_lengths_of_a_list_are_added_up(text: str, expected: int | None) -> None:
    for name in ("upstream_response_length", "upstream_bytes_received", "upstream_bytes_sent"):
        assert_has(parsed(f"${name} $status", f"{text} 200")[0], {name: expected, "status": 200})


RETRIES = [
    # elastic/beats#20813, without the host in front
    (
        '172.0.0.0 - - [24/Aug/2020:01:30:24 +0000] "GET https://a.example/path '
        'HTTP/1.1" 101 10 "-" '
        '"Mozilla/5.0 (Linux; Android 10)" 1475 143.855 [upstream-name] [] 10.0.0.1:443, '
        "10.0.0.2:443 "
        "0, 0 0.100, 143.757 502, 101 c2c58cd42cb68822aae7d640ddf6583a"
    ),
    (
        '172.0.0.0 - - [24/Aug/2020:01:28:53 +0000] "GET https://a.example/path HTTP/2.0" 200 28 '
        '"https://b.example/" "Mozilla/5.0" 60 0.683 [upstream-name] [] 10.0.0.1:443, '
        "10.0.0.2:443, "
        "10.0.0.3:443 0, 0, 39 0.096, 0.092, 0.496 502, 502, 200 d0f69894df9d4b231eca7773a6759ba2"
    ),
    # elastic/beats#30697
    (
        '192.168.64.14 - - [07/Feb/2020:12:02:42 +0000] "GET /a.mp4 HTTP/1.1" 200 61 "-" '
        '"Mozilla/5.0" '
        "348 0.001 [default-web2-8080] [] 172.17.0.6:8080, 172.17.0.7:8080 61, - 0.100, - 200, - "
        "835136ae24486dbb4156dcbe21f5d402"
    ),
    # made up
    (
        '192.0.2.1 - - [10/Jan/2024:10:00:00 +0000] "GET /a HTTP/1.1" 404 5 "-" "ua" 1 '
        "0.0 [] [] - - - - x"
    ),
]


@pytest.mark.parametrize("line", RETRIES)
def test_the_documented_ingress_format_reads_what_the_named_one_reads(line: str) -> None:
    pasted, named = parsed(INGRESS, line)[0], parsed("k8s-ingress", line)[0]
    assert pasted is not None
    assert pasted == named
    assert named["upstream_status"] in {"502, 101", "502, 502, 200", "200, -", None}


REQUESTS = [
    (
        "$remote_addr [$time_local] $request $http_host $status",
        f"192.0.2.1 {TIME} {{}} a.example 200",
    ),
    ("$remote_addr [$time_local] $request $status", f"192.0.2.1 {TIME} {{}} 200"),
    ("%h %t %r %>s %b", f"192.0.2.1 {TIME} {{}} 200 5"),
    ("$request", "{}"),
    # allinurl/goaccess#1702
    (
        '$remote_addr - $remote_user [$time_local] "$host" $request "$status" $body_bytes_sent',
        f'192.0.2.1 - joe {TIME} "a.example" {{}} "200" 5',
    ),
    ("{host} [{time}] {request} {vhost} {status}", f"192.0.2.1 {TIME} {{}} a.example 200"),
    ("[%d:%t %^] %h %r %s %b", f"{TIME} 192.0.2.1 {{}} 200 5"),
]


@pytest.mark.parametrize(("spec", "line"), REQUESTS)
@pytest.mark.parametrize(
    "request_line",
    ["GET /a HTTP/1.1", "GET /a?b=c HTTP/2.0", "GET /a b c HTTP/1.1", "OPTIONS * HTTP/1.1"],
)
def test_an_unquoted_request_ends_after_its_protocol(
    spec: str, line: str, request_line: str
) -> None:
    method, *url, protocol = request_line.split(" ")
    [row] = parsed(spec, line.format(request_line))
    assert_has(row, {"method": method, "url": " ".join(url), "protocol": protocol})
    assert_has(row, {"status": 200} if "200" in line else {})


@pytest.mark.parametrize("text", ["", "-", "GET", "GET /a", "GET /a 200 5 HTTP/1.1", "a b c d"])
@pytest.mark.parametrize(("spec", "line"), REQUESTS[:3])
def test_an_odd_unquoted_request_is_read_as_it_was_sent(spec: str, line: str, text: str) -> None:
    [row] = (
        tr.Format(spec).parse(line.format(text).encode(), fields=["request", "status"]).to_dicts()
    )
    assert row == {"request": text if text not in {"", "-"} else None, "status": 200}


AMBIGUOUS = [
    # a Host header with a blank, which nginx answers with 400: made up
    (REQUESTS[0][0], f"192.0.2.1 {TIME} GET /a HTTP/1.1 bad host 400"),
    # a forged status in a request line: made up
    (
        "%h %t %r %>s %b %{Referer}i %{User-Agent}i",
        f"192.0.2.1 {TIME} GET /x HTTP/1.1 200 5 - HTTP/1.1 404 153 - curl/8",
    ),
    # two texts without anything between them: made up
    ("$http_x_device $http_user_agent $status", "Pixel 7 Mozilla/5.0 (X11) 200"),
    ("$http_user_agent $status $http_cookie", "a 200 b 404 c=d"),
    # a user that holds other fields: made up after allinurl/goaccess#1116
    (
        "$host $remote_addr - $remote_user [$time_local] $status",
        f"a.example 192.0.2.1 - [192.0.2.1] - - {TIME} 200",
    ),
]


@pytest.mark.parametrize(("spec", "line"), AMBIGUOUS)
def test_a_line_that_could_be_read_in_two_ways_is_rejected(spec: str, line: str) -> None:
    assert parsed(spec, line) == [None]


TEXTS = [
    # made up: one text that may have blanks beside single words
    (
        "$remote_addr $http_user_agent $http_referer $status",
        "192.0.2.1 Mozilla/5.0 (X11; Linux) http://a.example/ 200",
        {"agent": "Mozilla/5.0 (X11; Linux)", "referer": "http://a.example/", "status": 200},
    ),
    # martin-helmich/prometheus-nginxlog-exporter#74
    (
        (
            '$http_true_client_ip/$remote_addr [$time_local] "$request" $status '
            "$sent_http_content_type $body_bytes_sent $request_time"
        ),
        (
            '-/192.0.2.4 [12/Jul/2019:17:07:16 +0900] "GET /foobar HTTP/2.0" 200 text/html; '
            "charset=utf-8 8737 0.047"
        ),
        {
            "http_true_client_ip": None,
            "host": "192.0.2.4",
            "sent_http_content_type": "text/html; charset=utf-8",
            "size": 8737,
        },
    ),
    (
        "%h %t %r %>s %b %{Referer}i %{User-Agent}i",
        f"192.0.2.1 {TIME} GET /a HTTP/1.1 200 5 - Mozilla/5.0 (X11; Linux)",
        {"url": "/a", "status": 200, "referer": None, "agent": "Mozilla/5.0 (X11; Linux)"},
    ),
]


@pytest.mark.parametrize(("spec", "line", "expected"), TEXTS)
def test_the_only_text_with_blanks_has_what_the_others_leave(
    spec: str, line: str, expected: Row
) -> None:
    assert_has(parsed(spec, line)[0], expected)


MOMENT = "2024-01-10T10:00:00Z"
TYPED = [
    # made up
    ("$time_iso8601: $remote_addr", "2024-01-10T10:00:00+00:00: 192.0.2.1", MOMENT),
    ("$time_iso8601-$remote_addr", "2024-01-10T05:00:00-05:00-192.0.2.1", MOMENT),
    ("$time_iso8601:$remote_addr", "2024-01-10T10:00:00+00:00:2001:db8::1", MOMENT),
    ("$time_local-$remote_addr", "10/Jan/2024:05:00:00 -0500-192.0.2.1", MOMENT),
    ("$time_local:$remote_addr", "10/Jan/2024:10:00:00 +0000:2001:db8::1", MOMENT),
    ("$msec-$remote_addr", "1704880800.000-192.0.2.1", MOMENT),
    ("$msec.$status $remote_addr", "1704880800.000.200 192.0.2.1", MOMENT),
    ("%{%FT%T%z}t-%h", "2024-01-10T05:00:00-0500-192.0.2.1", MOMENT),
    ("$remote_addr:$remote_port:$msec", "2001:db8::1:443:1704880800.000", MOMENT),
    ("$remote_addr:$http_host [$time_local]", f"2001:db8::1:a.example {TIME}", MOMENT),
    ("$remote_addr:$http_host [$time_local]", f"192.0.2.1:a.example {TIME}", MOMENT),
    # allinurl/goaccess#2883
    (
        "[$time_iso8601] - $host - $remote_addr - $status - $remote_user - $request_method",
        "[2024-01-10T10:00:00+00:00] - a.example - 192.0.2.1 - 200 - - - GET",
        MOMENT,
    ),
]


@pytest.mark.parametrize(("spec", "line", "time"), TYPED)
def test_a_value_with_a_type_ends_where_its_type_ends(spec: str, line: str, time: str) -> None:
    [row] = parsed(spec, line)
    assert_has(row, {"time": time})
    assert row is not None
    assert row["host"] in {"192.0.2.1", "2001:db8::1"}
    assert row.get("vhost") in {None, "a.example"}
    assert row.get("status") in {None, 200}


@pytest.mark.parametrize(
    ("spec", "line", "expected"),
    [
        # https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
        ("%h %D", "192.0.2.1 1500", 0.0015),
        # https://tomcat.apache.org/tomcat-9.0-doc/config/valve.html#Access_Logging: milliseconds
        ("tomcat9:%h %D", "192.0.2.1 1500", 1.5),
        ('tomcat9:%h %l %u %t "%r" %s %b %D', f'::1 - - {TIME} "GET / HTTP/1.1" 200 - 12', 0.012),
        ("tomcat9:%h %T", "192.0.2.1 0.012", 0.012),
        # https://tomcat.apache.org/migration-10.html: microseconds since Tomcat 10
        ('%h %l %u %t "%r" %s %b %D', f'::1 - - {TIME} "GET / HTTP/1.1" 200 - 12', 0.000012),
    ],
)
def test_the_unit_of_a_duration_depends_on_the_server(
    spec: str, line: str, expected: float
) -> None:
    assert_has(parsed(spec, line)[0], {"request_time": expected})


def test_tomcats_own_directives() -> None:
    [row] = parsed('tomcat9:%t [%I] "%r" %s %F %S', f'{TIME} [exec-1] "GET / HTTP/1.1" 200 3 5A')
    assert_has(row, {"thread": "exec-1", "commit_time": 0.003, "session_id": "5A"})
    assert tr.Format("tomcat9:combined").fields == tr.Format("LogFormat combined").fields
    with pytest.raises(ValueError, match="unknown LogFormat directive %y"):
        tr.Format("tomcat9:%y")


HAPROXY = "10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/"
COUNTERS = "- - ---- 1/1/1/1/0 0/0"
HAPROXY_LINES = [
    # https://docs.haproxy.org/3.0/configuration.html#8.2.3; option logasap writes a plus
    (f'{HAPROXY}109 200 2750 {COUNTERS} "GET /a HTTP/1.1"', 0.109, 2750, "/a", None),
    (f'{HAPROXY}+30 200 +243 {COUNTERS} "GET /a HTTP/1.1"', 0.03, 243, "/a", None),
    (f'{HAPROXY}+30 200 +243 {COUNTERS} {{a|b}} {{}} "GET /a HTTP/1.1"', 0.03, 243, "/a", None),
    # option httpslog: default_https_log_format in haproxy's src/log.c
    (
        (
            f'{HAPROXY}109 200 2750 {COUNTERS} {{1wt.eu}} {{}} "GET /a HTTP/1.1" 0/0/0/0/0 '
            "1wt.eu/TLSv1.3/TLS_AES_256_GCM_SHA384"
        ),
        0.109,
        2750,
        "/a",
        None,
    ),
    (f'{HAPROXY}1 200 5 {COUNTERS} "GET /a HTTP/1.1" 0/-/0/0/- -/-/-', 0.001, 5, "/a", None),
    # cut by syslog at 1,024 bytes: wvanbergen/request-log-analyzer, wiki, HAProxy httplog format
    (f'{HAPROXY}1 200 5 {COUNTERS} {{}} {{}} "GET /very/lo', 0.001, 5, "/very/lo", "truncated"),
    (f'{HAPROXY}1 200 5 {COUNTERS} {{}} "GET /a?b=', 0.001, 5, "/a?b=", "truncated"),
    (f'{HAPROXY}1 200 5 {COUNTERS} "GET /a HTTP/1.', 0.001, 5, "/a", "truncated"),
    (f'{HAPROXY}1 200 5 {COUNTERS} "GET', 0.001, 5, None, "truncated"),
    (f'{HAPROXY}1 200 5 {COUNTERS} "', 0.001, 5, None, "truncated"),
    # elastic/beats#13995
    (
        (
            "127.0.0.1:39442 [10/Oct/2019:06:46:15.492] back back/dest-server 1/0/98 8398 -- "
            "6/5/5/5/0 0/0"
        ),
        0.098,
        8398,
        None,
        None,
    ),
]


@pytest.mark.parametrize(("line", "time", "size", "url", "flag"), HAPROXY_LINES)
def test_haproxy(line: str, time: float, size: int, url: str | None, flag: str | None) -> None:
    fields = ["request_time", "bytes_out", "url", "protocol", "request_flag", "ssl_protocol"]
    [row] = tr.Format("haproxy").parse(line.encode(), fields=fields).to_dicts()
    assert row["request_time"] == time
    assert row["bytes_out"] == size
    assert row["url"] == url
    assert row["request_flag"] == flag
    assert row["protocol"] == ("HTTP/1.1" if url and not flag else None)
    assert row["ssl_protocol"] == ("TLSv1.3" if "TLSv1.3" in line else None)


def test_an_unclosed_quote_in_other_formats_is_rejected() -> None:
    assert parsed("combined", f'192.0.2.1 - - {TIME} "GET /a') == [None]
    assert parsed('%h "%r"', '192.0.2.1 "GET /a') == [None]


S3 = (
    "79a5 bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT key "
    '"GET /bucket/key HTTP/1.1" 200 - 113 - 7 - '
)


@pytest.mark.parametrize(
    ("rest", "referer", "agent", "version"),
    [
        # awsdocs/amazon-s3-developer-guide#14: a missing value is - or "-"
        ("- - -", None, None, None),
        ('"-" "-" -', None, None, None),
        ('- "S3Console/0.4" 3HL4', None, "S3Console/0.4", "3HL4"),
        # allinurl/goaccess#408
        ('"-" "S3Console/0.4" -', None, "S3Console/0.4", None),
        ('"http://a.example/ b" - -', "http://a.example/ b", None, None),
        ("- -", None, None, None),
    ],
)
def test_s3(rest: str, referer: str | None, agent: str | None, version: str | None) -> None:
    [row] = parsed("s3", S3 + rest)
    assert_has(row, {"referer": referer, "agent": agent, "version_id": version, "size": 113})


@pytest.mark.parametrize(
    "text",
    [
        "log_format main '$remote_addr $status' junk;",
        "log_format main junk '$remote_addr $status';",
        "log_format main '$remote_addr' '$status' ) ;",
    ],
)
def test_text_beside_the_strings_of_a_log_format_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected ; after the format, found"):
        tr.Format(text)


@pytest.mark.parametrize(
    ("spec", "line", "time"),
    [
        ("%{sec}t.%{msec_frac}t %h", "1420884000.045 192.0.2.1", "045"),
        ("[%{sec}t.%{msec_frac}t] %h", "[1420884000.045] 192.0.2.1", "045"),
        ("%{begin:sec}t.%{begin:usec_frac}t %h", "1420884000.045123 192.0.2.1", "045123"),
        ("%{%s}t.%{usec_frac}t %h", "1420884000.045123 192.0.2.1", "045123"),
        ("%{sec}t.%{msec_frac}t.%h", "1420884000.045.192.0.2.1", "045"),
        ("$msec $remote_addr", "1420884000.045 192.0.2.1", "045"),
    ],
)
def test_the_fraction_after_the_point_of_a_format(spec: str, line: str, time: str) -> None:
    [row] = parsed(spec, line)
    assert_has(row, {"host": "192.0.2.1", "time": f"2015-01-10T10:00:00.{time}Z"})


def test_a_point_of_the_format_ends_whole_seconds() -> None:
    [row] = parsed("%{sec}t.%D %h", "1420884000.154 192.0.2.1")
    assert_has(row, {"host": "192.0.2.1", "request_time": 0.000154})


# made up in the shape of nginx's and Apache's combined formats with fields added
@pytest.mark.parametrize(
    "rest",
    [
        # %D: microseconds
        '"curl/8" 154321',
        '"curl/8" "203.0.113.7" 154321',
        '"curl/8" "203.0.113.7" "154321"',
        '"curl/8" 300 200 1000',
        '"curl/8" rt=3 uct="0.001" uht="0.001" urt="0.001"',
        # a field between quotes that no format has
        '"curl/8" "-" "e.com"',
        '"curl/8" "-" "e.com" 0.003 0.002 .',
        '"curl/8" "203.0.113.7" 0.003 "e.com"',
        '"curl/8" "203.0.113.7" "e.com" 0.003 "0.002"',
        '"curl/8" "203.0.113.7" "e.com" rt=0.003 uct="0.001" uht="0.001" urt="0.001"',
    ],
)
def test_fields_of_other_formats_are_not_those_of_nginx(rest: str) -> None:
    line = f'192.0.2.1 - - {TIME} "GET /a HTTP/1.1" 200 5 "-" {rest}'
    for name in ("main-rt", "main-timed", "combined-timed", "main"):
        assert parsed(name, line) == [None], name


@pytest.mark.parametrize(
    ("name", "rest", "agent", "xff", "time"),
    [
        ("combined-timed", '"curl/8" 0.003 "0.002"', "curl/8", None, 0.003),
        ("combined-timed", '"curl/8" -', "curl/8", None, None),
        ("combined-timed", '"curl/8" 0.003 0.002, 0.001 .', "curl/8", None, 0.003),
        ("main-timed", '"curl/8" "-" 0.003 "-"', "curl/8", None, 0.003),
        ("main-timed", '"curl/8" "192.0.2.7" "0.003" "0.002"', "curl/8", "192.0.2.7", 0.003),
        ("main", '"cu "x" rl" "192.0.2.7"', 'cu "x" rl', "192.0.2.7", None),
        ("main", r'"curl/8" "192.0.2.7, \"x"', "curl/8", r"192.0.2.7, \"x", None),
    ],
)
def test_fields_of_nginx_have_their_form(
    name: str, rest: str, agent: str, xff: str | None, time: float | None
) -> None:
    [row] = parsed(name, f'192.0.2.1 - - {TIME} "GET /a HTTP/1.1" 200 5 "-" {rest}')
    assert_has(row, {"agent": agent, "xff": xff, "request_time": time})


@pytest.mark.parametrize(
    ("times", "upstream", "total"),
    [
        ("0.001,0.003", 0.001, 0.003),
        ("0.001, 0.002,0.003", 0.003, 0.003),
        ("0.001 : 0.002,0.003", 0.003, 0.003),
        ("-,0.003", None, 0.003),
        ("0.001,-", 0.001, None),
    ],
)
def test_a_bare_comma_ends_a_list(times: str, upstream: float | None, total: float | None) -> None:
    row = {"host": "192.0.2.1", "status": 200, "upstream_time": upstream, "request_time": total}
    start = "$time_iso8601,$remote_addr,$status,"
    line = f"2015-01-10T10:00:00+00:00,192.0.2.1,200,{times}"
    [found] = parsed(f"{start}$upstream_response_time,$request_time", line)
    assert_has(found, row)
    [found] = parsed(
        f'{start}$upstream_response_time,$request_time,"$request"', f'{line},"GET / a"'
    )
    assert_has(found, row)
