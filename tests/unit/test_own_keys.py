"""The keys of JSON, LTSV and logfmt lines that are not standard fields keep their types."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from live import COMMAND

import tailrace as tr


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, check=False)
    out, err = ran.stdout.decode(), ran.stderr.decode()
    return subprocess.CompletedProcess(ran.args, ran.returncode, out, err)


def parsed(log: str, *arguments: str) -> list[dict[str, Any]]:
    ran = run("parse", *arguments, stdin=log.encode())
    assert ran.returncode == 0
    return [json.loads(line) for line in ran.stdout.splitlines()]


def keys(log: str, by: str, *arguments: str) -> dict[str, int]:
    """Return the counts by key, each key as JSON."""
    ran = run("top", "--by", by, "--format", "jsonl", *arguments, stdin=log.encode())
    assert ran.returncode == 0
    rows = json.loads(ran.stdout.splitlines()[-1])["rows"]
    return {json.dumps(row[by]): row["count"] for row in rows}


# From the documentation of each logger, in the shape that it gives.
LOGGERS = [
    # https://github.com/pinojs/pino/blob/main/docs/api.md
    (
        '{"level":30,"time":1531257112193,"msg":"hello world","pid":55956,"hostname":"x"}',
        {"level": 30, "msg": "hello world", "pid": 55956, "hostname": "x"},
    ),
    # https://github.com/trentm/node-bunyan#readme
    (
        '{"name":"myapp","pid":40161,"level":30,"time":"2013-01-04T18:46:23.851Z","v":0}',
        {"name": "myapp", "pid": 40161, "level": 30, "v": 0},
    ),
    # https://pkg.go.dev/go.uber.org/zap
    (
        '{"level":"info","msg":"failed to fetch URL","attempt":3,"backoff":"1s"}',
        {"level": "info", "attempt": 3, "backoff": "1s"},
    ),
    # https://github.com/rs/zerolog#readme
    (
        '{"level":"debug","Scale":"833 cents","Interval":833.09,"time":1562212768}',
        {"Scale": "833 cents", "Interval": 833.09},
    ),
]


@pytest.mark.parametrize(("line", "expected"), LOGGERS)
def test_parse_gives_the_own_keys_of_loggers(line: str, expected: dict[str, Any]):
    (row,) = parsed(line + "\n", "--log-format", "json")
    assert {key: row.get(key) for key in expected} == expected


LOGFMT = [
    # https://devcenter.heroku.com/articles/http-routing
    (
        (
            "at=info method=GET path=/ host=myapp.herokuapp.com "
            'request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204" dyno=web.1 '
            "connect=1ms service=18ms status=200 bytes=13 tls_version=tls1.1 protocol=http"
        ),
        {
            "host": "204.204.204.204",
            "vhost": "myapp.herokuapp.com",
            "status": 200,
            "size": 13,
            "request_time": 0.018,
            "at": "info",
            "connect": "1ms",
        },
    ),
    # https://github.com/sirupsen/logrus#readme
    (
        (
            'time="2015-03-26T01:27:38-04:00" level=debug msg="Started observing beach" '
            "animal=walrus number=8"
        ),
        {"level": "debug", "msg": "Started observing beach", "animal": "walrus", "number": "8"},
    ),
    # https://pkg.go.dev/github.com/kr/logfmt
    (
        'foo=bar a=14 baz="hello kitty" cool%story=bro f %^asdf=1',
        None,
    ),
    (
        'foo=bar a=14 baz="hello kitty" cool%story=bro f',
        {"foo": "bar", "a": "14", "baz": "hello kitty", "cool%story": "bro", "f": True},
    ),
    # Go's escapes, https://go.dev/ref/spec#String_literals (the line is made up).
    (
        r'a="\"\\\t\x41\u00e9\U0001F600\101\a" b= c="" d="-"',
        {"a": '"\\\tAé😀A\a', "b": "", "c": "", "d": "-"},
    ),
]


@pytest.mark.parametrize(("line", "expected"), LOGFMT)
def test_logfmt(line: str, expected: dict[str, Any] | None):
    ran = run("parse", "--log-format", "logfmt", stdin=line.encode() + b"\n")
    rows = [json.loads(row) for row in ran.stdout.splitlines()]
    if expected is None:
        assert not rows
        return
    assert {key: rows[0].get(key) for key in expected} == expected


def test_logfmt_is_detected_and_broken_quotes_are_rejected():
    log = "level=info a=1 n=1\nlevel=warn a=2 n=2\n"
    assert tr.detect(log.encode()).format == "logfmt"
    for line in ('a=1 b="x', 'a=1 b="x"y', "words only", "=1", 'a"b=1', "a=1 =2"):
        assert len(tr.Format("logfmt").parse(line.encode()).rejects) == 1, line


NUMBERS = [
    # The number of the log, as a row of parse, and as a key.
    ("5", 5, "5"),
    ("-0", 0, "0"),
    ("1E3", 1000.0, "1000"),
    ("0.1", 0.1, "0.1"),
    ("9223372036854775807", 2**63 - 1, str(2**63 - 1)),
    ("9223372036854775808", 2**63, str(2**63)),
    ("12345678901234567890", 12345678901234567890, "12345678901234567890"),
    ("true", True, "true"),
    ("null", None, "null"),
    ('"5"', "5", '"5"'),
    ('"-"', "-", '"-"'),
    ('""', "", '""'),
    ('{"a":[1,"x"]}', {"a": [1, "x"]}, '"{\\"a\\":[1,\\"x\\"]}"'),
]


@pytest.mark.parametrize(("token", "row", "key"), NUMBERS)
def test_a_json_value_keeps_its_type_and_digits(token: str, row: object, key: str):
    log = f'{{"n":{token}}}\n'
    assert parsed(log, "--log-format", "json")[0].get("n") == row
    assert parsed(log, "--log-format", "json", "--fields", "n") == [{"n": row}]
    assert keys(log, "n", "--log-format", "json") == {key: 1}


def test_a_number_that_no_float_keeps_stays_as_it_is():
    ran = run("parse", "--log-format", "json", stdin=b'{"n":1e400}\n')
    assert ran.stdout == '{"n":1e400}\n'
    assert keys('{"n":1e400}\n', "n", "--log-format", "json") == {'"1e400"': 1}


def test_numbers_and_text_are_different_keys_and_missing_is_null():
    log = '{"n":5}\n{"n":"5"}\n{"n":5.0}\n{"n":true}\n{"n":null}\n{}\n'
    found = keys(log, "n", "--log-format", "json")
    assert found == {"5": 2, "null": 2, '"5"': 1, "true": 1}


CONDITIONS = [
    ('{"duration_ms":91}\n{"duration_ms":90}\n{"duration_ms":"100"}\n{}\n', "json", 2),
    ("a:1\tduration_ms:91\na:1\tduration_ms:9\na:1\tduration_ms:x\n", "ltsv", 1),
    ("a=1 duration_ms=91\na=1 duration_ms=9\na=1 duration_ms=-\n", "logfmt", 1),
    ('{"duration_ms":12345678901234567890}\n{"duration_ms":1e400}\n', "json", 1),
]


@pytest.mark.parametrize(("log", "log_format", "kept"), CONDITIONS)
def test_a_condition_compares_numbers_of_own_keys(log: str, log_format: str, kept: int):
    where = ("--log-format", log_format, "--where", "duration_ms > 90")
    assert len(parsed(log, "--fields", "duration_ms", *where)) == kept


def test_a_quoted_value_is_compared_as_text():
    log = '{"n":5,"b":true}\n{"n":"5","b":"true"}\n'
    for where, kept in [("n == '5'", 1), ("n == 5", 2), ("b == true", 2), ("b == 'true'", 1)]:
        assert len(parsed(log, "--log-format", "json", "--where", where)) == kept, where


def test_the_last_of_equal_keys_counts_and_keys_with_dots_are_found():
    log = '{"n":1,"log.level":"info","n":2,"log":{"level":"x"}}\n'
    assert parsed(log, "--log-format", "json")[0]["n"] == 2
    # https://www.elastic.co/docs/reference/ecs/logging/intro writes flat keys with dots.
    assert keys(log, "log.level", "--log-format", "json") == {'"info"': 1}


def test_columns_have_the_type_of_their_values():
    batch = tr.Format("json").parse(
        b'{"n":5,"f":1,"m":1,"b":true}\n{"n":6,"f":1.5,"m":"x","b":false,"z":"a"}\n'
    )
    pyarrow = pytest.importorskip("pyarrow")
    types = {field.name: str(field.type) for field in pyarrow.table(batch).schema}
    assert [types[name] for name in "nfbz"] == ["int64", "double", "bool", "string"]
    rows = [{name: row[name] for name in "nfmbz"} for row in batch.to_dicts()]
    assert rows == [
        {"n": 5, "f": 1.0, "m": 1, "b": True, "z": None},
        {"n": 6, "f": 1.5, "m": "x", "b": False, "z": "a"},
    ]


def test_later_keys_without_a_column_are_reported():
    first = '{"n":1}\n' * 1_000
    ran = run(
        "parse", "--log-format", "json", "--format", "csv", stdin=f'{first}{{"x":1}}\n'.encode()
    )
    assert ran.stdout.startswith("n\n1\n")
    assert "x (1)" in ran.stderr


def test_too_many_keys_are_an_error_of_a_table():
    log = "".join(f'{{"k{number}":1}}\n' for number in range(1_001)).encode()
    with pytest.raises(ValueError, match="1000 different keys"):
        tr.Format("json").parse(log)


def test_a_run_of_bytes_that_are_not_utf8_is_one_replacement():
    window = tr.Window("1s")
    window.add([b"a\xff\xfe\xe2\x80b\x80"], times=[0.0])
    line = next(iter(window.advance(2.0))).to_json()
    assert json.loads(line)["rows"][0]["key"] == "a\ufffdb\ufffd"
    ran = run("parse", "--log-format", "json", stdin=b'{"k\xff\xfe":"a\xff\xfe\xffb"}\n')
    assert json.loads(ran.stdout) == {"k\ufffd": "a\ufffdb"}
