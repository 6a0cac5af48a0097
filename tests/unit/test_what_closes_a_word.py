"""Pasted formats in which a quote, a bracket or a colon follows the last of several fields."""

import pytest

import tailrace as tr

REQUEST = {"method": "GET", "url": "/a?b", "protocol": "HTTP/1.1", "status": 200}

# The formats and their lines are made up from documented fields.
ROWS = [
    ('{host} "{method} {url} {protocol}" {status}', '192.0.2.1 "GET /a?b HTTP/1.1" 200', REQUEST),
    (
        '$remote_addr "$request_method $request_uri $server_protocol" $status',
        '192.0.2.1 "GET /a?b HTTP/1.1" 200',
        REQUEST,
    ),
    ('%h "%m %U%q %H" %>s', '192.0.2.1 "GET /a?b HTTP/1.1" 200', REQUEST),
    ("[{method} {url} {protocol}] {status}", "[GET /a?b HTTP/1.1] 200", REQUEST),
    ("%h %v:%p %>s", "192.0.2.1 a.example:80 200", {"vhost": "a.example", "port": 80}),
    ("{status} {host}:{port:int}", "200 2001:db8::1:80", {"host": "2001:db8::1", "port": 80}),
    (
        '$remote_addr "$http_user_agent $body_bytes_sent $http_host" $status',
        '192.0.2.1 "curl x 5 a.example" 200',
        {"agent": "curl x", "size": 5, "vhost": "a.example", "status": 200},
    ),
    (
        '$remote_addr "$request $http_host" $status',
        '192.0.2.1 "GET /a?b HTTP/1.1 a.example" 200',
        REQUEST | {"vhost": "a.example"},
    ),
]


@pytest.mark.parametrize(("log_format", "line", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_it_ends_the_word(log_format: str, line: str, expected: dict[str, object]):
    batch = tr.Format(log_format).parse([line])
    (row,) = batch.to_dicts()
    assert {name: row[name] for name in expected} == expected
    # More words than fields are never moved into another field.
    longer = tr.Format(log_format).parse([line.replace(" 200", " x y 200")])
    assert [reject.reason for reject in longer.rejects] == ["no-match"]
