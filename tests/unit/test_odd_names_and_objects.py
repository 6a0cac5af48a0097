"""Names of other tools, keys with odd bytes, objects of polars: what they are in results."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING

import polars as pl
import pytest
from live import COMMAND

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'


def run(arguments: Sequence[str], data: bytes) -> tuple[str, str]:
    done = subprocess.run(
        [*COMMAND, *arguments], input=data, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("name", ["time_local", "time_iso8601", "msec", "timestamp"])
def test_a_time_under_another_name_is_a_time_in_results(name: str) -> None:
    out, _ = run(["top", "--by", name, "--format", "jsonl"], LINE.encode())
    assert json.loads(out)["rows"] == [{name: "2015-05-17T10:05:03Z", "count": 1}]


def test_objects_of_polars_are_their_values_and_not_addresses() -> None:
    window = tr.Window("1h")
    window.add(pl.Series([uuid.UUID(int=1), uuid.UUID(int=1)]), times=[0, 0])
    window.add(pl.Series([None, None]), times=[0, 0])
    assert window.snapshot().rows == [
        {"key": "00000000-0000-0000-0000-000000000001", "count": 2},
        {"key": None, "count": 2},
    ]


def test_a_name_with_a_comma_is_in_backquotes() -> None:
    out, _ = run(["parse", "--fields", "`e,f`, a b,`a b:2`"], b'{"a b":"/x/y/z","e,f":3}\n')
    assert json.loads(out) == {"e,f": 3, "a b": "/x/y/z", "a b:2": "/x/y"}


def test_a_name_in_the_header_of_csv_is_escaped_as_its_values_are() -> None:
    data = b'{"a\\u001b[31mb":1,"c\\nd":2,"e,f":3}\n'
    assert run(["parse", "--format", "csv"], data)[0] == 'a\\x1b[31mb,c\\nd,"e,f"\n1,2,3\n'
    name = "c\nd"
    assert run(["top", "--format", "csv", "--by", name], data)[0] == (
        "start,end,c\\nd,count\n,,2,1\n"
    )


@pytest.mark.parametrize(
    ("line", "keys"),
    [(b"level=info msg=x n=5\n", "level, msg, n"), (b"host:h\tfoo:bar\n", "host, foo")],
)
def test_the_keys_of_lines_are_named_where_one_is_missing(line: bytes, keys: str) -> None:
    assert f"the keys are {keys}\n" in run(["top", "--by", "nope"], line)[1]


def test_requests_among_many_messages_are_those_of_caddy() -> None:
    message = {"level": "info", "ts": 1646861401.5, "msg": "x"}
    request = {
        **message,
        "logger": "http.log.access",
        "request": {"remote_ip": "127.0.0.1", "method": "GET", "uri": "/c", "headers": {}},
        "duration": 0.0009,
        "size": 5,
        "status": 200,
    }
    data = "".join(json.dumps(one) + "\n" for one in [message] * 30 + [request] * 2)
    out, said = run(["top", "--format", "jsonl"], data.encode())
    assert json.loads(out)["rows"] == [{"url": "/c", "count": 2}]
    assert "format caddy, 2 of the first 32 lines match; 30 others match json" in said


@pytest.mark.parametrize(
    ("log_format", "more"),
    [
        ("combined", ""),
        ("main", ' "-"'),
        ('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"', ""),
    ],
)
def test_zeros_before_any_line_are_no_part_of_it(log_format: str, more: str) -> None:
    data = f"{LINE}{more}\n\0\0\0{LINE}{more}\n".encode()
    out, _ = run(["top", "--by", "host", "--format", "jsonl", "--log-format", log_format], data)
    assert json.loads(out)["rows"] == [{"host": "1.2.3.4", "count": 2}]


@pytest.mark.parametrize("text", ["404", "404.0", '"404"'])
def test_a_status_in_json_may_have_a_fraction_of_zeros(text: str) -> None:
    data = f'{{"status":{text},"url":"/a"}}'.encode()
    assert json.loads(run(["parse"], data)[0])["status"] == 404
