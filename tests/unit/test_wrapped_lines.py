"""Lines that Docker wraps in JSON objects, JSON arrays, and JSON that nginx writes unescaped."""

import json
from typing import Any

import pytest
from rows import as_json

from tailrace import _core
from tailrace._detection import Detector
from tailrace._sources import Chunk

Row = dict[str, Any]

TIME = "2015-01-10T10:05:00.123456789Z"
COMBINED = '192.0.2.1 - - [10/Jan/2015:10:05:03 +0000] "GET /a?b=\\"1\\" HTTP/1.1" 200 5 "-" "ué"'
FIELDS = ["host", "time", "url", "status", "agent"]


def wrapped(line: str, *, end: str = "\n", **more: object) -> str:
    whole = {"log": line + end, "stream": "stdout", **more, "time": TIME}
    return json.dumps(whole, separators=(",", ":"))


def parsed(text: str | bytes, format: str, fields: list[str] | None = None) -> list[Row]:
    data = text if isinstance(text, bytes) else text.encode()
    return as_json(_core.parse(data, format=format, fields=fields or FIELDS).to_dicts())


def rejects(text: str | bytes, format: str) -> list[tuple[int, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    span = (0, len(data))
    found = _core.sample_rejects(data, kind="lines", span=span, format=format, limit=9)
    return [(byte, expected) for _, byte, expected, *_ in found]


def detected(text: str) -> tuple[str, int, int]:
    detector = Detector()
    data = text.encode()
    detector.look(Chunk(data, (0, len(data))))
    choice = detector.choose()
    return choice.format, choice.matched, choice.lines


# Lines in the shape of public reports; the values are made up.
WRAPPED = [
    # nginx in a container: fluent/fluent-bit#493
    wrapped(COMBINED),
    # With labels, as the option `labels` of the driver adds them: made up
    wrapped(COMBINED, attrs={"production_status": "testing", "geo": "paris"}),
    # Other orders of the keys: made up
    json.dumps({"time": TIME, "stream": "stderr", "log": COMBINED + "\n"}),
    # A container with a terminal writes carriage returns: made up
    wrapped(COMBINED, end="\r\n"),
    # Fluent Bit adds where it is from, and cuts the newline: fluent/fluent-bit#5673
    json.dumps(
        {"log": COMBINED, "stream": "stdout", "time": TIME, "kubernetes": {"pod_name": "a"}}
    ),
    # Go's encoder escapes < > and &, and others escape every character.
    wrapped(COMBINED).replace("-", "\\u002d").replace("/", "\\/"),
]


@pytest.mark.parametrize("line", WRAPPED)
def test_the_line_in_an_object_of_docker_is_parsed(line: str) -> None:
    assert parsed(line, "combined") == parsed(COMBINED, "combined")
    pasted = (
        '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "-" "$http_user_agent"'
    )
    assert parsed(line, pasted) == parsed(COMBINED, pasted)


@pytest.mark.parametrize("line", WRAPPED)
def test_the_classic_format_sees_the_object(line: str) -> None:
    assert parsed(line, "classic", ["host", "url"]) == []


@pytest.mark.parametrize("line", WRAPPED)
def test_the_format_of_wrapped_lines_is_detected(line: str) -> None:
    plain = wrapped("2015/01/10 10:05:03 [notice] 1#1: start worker processes")
    assert detected("\n".join([plain, *[line] * 9])) == ("combined", 9, 10)


def test_json_in_an_object_of_docker_is_parsed() -> None:
    # fluent/fluent-bit#691
    inner = {"time": "2015-01-10T10:05:03Z", "status": 404, "url": '/a"b', "log": "x"}
    line = wrapped(json.dumps(inner))
    fields = ["time", "status", "url", "log"]
    assert parsed(line, "json", fields) == [inner]
    assert detected(line) == ("json", 1, 1)
    # A message of the server that is no JSON is no event.
    assert parsed(wrapped("starting"), "json", fields) == []
    assert rejects(wrapped("starting"), "json") == [(8, "a JSON object")]


@pytest.mark.parametrize(
    "line",
    [
        {"log": "a", "status": 200},
        {"log": "a", "stream": "stdout", "status": 200},
        {"log": "a", "time": TIME, "status": 200},
        {"log": "a", "stream": "orders", "time": TIME, "status": 200},
        {"log": {"status": 404}, "stream": "stdout", "time": TIME, "status": 200},
        # Fluent Bit's object around a message that is no JSON.
        {"log": "a", "stream": "stdout", "time": TIME, "status": 200},
        {"time": TIME, "level": "info", "log": "a", "stream": "stdout", "status": 200},
    ],
)
def test_the_own_object_of_a_program_is_parsed(line: Row) -> None:
    assert parsed(json.dumps(line), "json", ["status"]) == [{"status": 200}]


def test_a_map_with_a_key_of_docker_reads_the_object() -> None:
    line = wrapped("starting")
    found = parsed(line, "json:message=log,stream,time", ["message", "stream", "time"])
    assert found == [{"message": "starting\n", "stream": "stdout", "time": TIME[:-4] + "Z"}]


def test_a_part_of_a_line_that_docker_has_cut_is_rejected() -> None:
    # Docker cuts after 16 KiB: moby/moby#36777, docker/for-linux#1321
    long = COMBINED.replace("/a", "/" + "a" * 20_000)
    parts = [wrapped(long[:16_384], end=""), wrapped(long[16_384:])]
    assert parsed("\n".join(parts), "combined") == []
    expected = "the end of the line, which Docker has cut into several records"
    assert rejects(parts[0], "combined") == [(parts[0].index('","stream'), expected)]


def test_a_reject_has_the_byte_in_the_object() -> None:
    line = wrapped(COMBINED.replace(" 200 ", " OK "))
    assert rejects(line, "combined") == [(line.index("OK"), "a status of three digits")]
    line = wrapped('{"a":"\\x"}')
    assert rejects(line, "json") == [(line.index("\\\\x"), "a valid JSON escape")]


def test_explain_shows_the_pieces_of_the_inner_line_where_they_are() -> None:
    line = wrapped(COMBINED)
    found = _core.explain(line.encode(), format="combined")
    pieces = {piece.get("name", piece["what"]): piece for piece in found["pieces"]}
    assert pieces["prefix"]["text"] == '{"log":"'
    raw = line.encode()
    for name, text in [("host", b"192.0.2.1"), ("status", b"200"), ("agent", b"u\\u00e9")]:
        assert raw[pieces[name]["start"] : pieces[name]["end"]] == text
    assert pieces["agent"]["value"] == "ué"


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        # These are made up: arrays as programs write them.
        '[\n{"status":200},\n{"status":404}\n]\n',
        '[{"status":200},\n{"status":404}]',
        '{"status":200},\r\n{"status":404},\r\n',
        '[{"status":200}, \n {"status":404}]\n',
        '[\n  {"status":200}\n  ,{"status":404}\n]',
    ],
)
def test_an_array_with_an_object_on_each_line_is_read(text: str) -> None:
    assert parsed(text, "json", ["status"]) == [{"status": 200}, {"status": 404}]
    assert detected(text)[0] == "json"
    assert rejects(text, "json") == []


def test_several_objects_on_a_line_are_rejected() -> None:
    message = "the end of the line after one object; write each object on its own line"
    assert rejects('[{"status":200},{"status":404}]', "json") == [(16, message)]


# --- nginx without escape=json, Apache ----------------------------------------------------------

# nginx escapes ", \ and bytes outside 32 to 126: nginx.org/en/docs/http/ngx_http_log_module.html.
# Apache writes \v and \xhh too: httpd.apache.org/docs/2.4/mod/mod_log_config.html#format-notes
ESCAPED = [
    # alphagov/govuk-helm-charts#1209, vozlt/nginx-module-vts#328
    (rb"Mozilla/5.0 \x22bot\x22", b'Mozilla/5.0 "bot"'),
    (rb"\x5Cx22", rb"\x22"),
    # elastic/logstash#7779, elastic/examples#135
    (rb"caf\xC3\xA9 \xE2\x80\xA6", "café …".encode()),
    (rb"\x16\x03\x01", b"\x16\x03\x01"),
    (rb"a\vb\tc\x7f", b"a\vb\tc\x7f"),
    (rb"\u00e9\x2f\/", "é//".encode()),
]


@pytest.mark.parametrize(("raw", "meant"), ESCAPED)
def test_escapes_of_servers_are_the_bytes_that_they_mean(raw: bytes, meant: bytes) -> None:
    line = b'{"status":"200","http_user_agent":"' + raw + b'","x":1}'
    (row,) = parsed(line, "json", ["status", "agent", "x"])
    assert row == {"status": 200, "agent": meant.decode(), "x": 1}


@pytest.mark.parametrize("raw", [b"\\x2", b"\\xg0", b"\\y", b"\\"])
def test_other_escapes_are_rejected(raw: bytes) -> None:
    assert rejects(b'{"agent":"' + raw + b'"}', "json")


# --- Caddy ---------------------------------------------------------------------------------------

ACCESS = {
    "level": "info",
    "ts": 1646861401.5241024,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": {"remote_ip": "127.0.0.1", "method": "GET", "host": "localhost", "uri": "/a"},
    "duration": 0.000929675,
    "size": 10900,
    "status": 200,
}
# What Caddy writes to the same output, as public logs show it.
MESSAGES: list[Row] = [
    {"level": "info", "ts": 1769187505.93, "msg": "got renewal info", "names": ["example.com"]},
    {"level": "info", "ts": 1761356129.87, "logger": "admin", "msg": "admin endpoint started"},
    {
        "level": "info",
        "ts": 1761356129.8703947,
        "logger": "admin.api",
        "msg": "received request",
        "method": "POST",
        "host": "localhost:2019",
        "uri": "/load",
        "remote_ip": "127.0.0.1",
    },
    {
        "level": "error",
        "ts": 1769187855.890045,
        "logger": "http.log.error",
        "msg": "dial tcp: lookup example on 127.0.0.11:53: no such host",
        "request": {"remote_ip": "192.0.2.1", "method": "GET", "host": "a", "uri": "/"},
        "duration": 0.050683857,
        "status": 502,
    },
]


@pytest.mark.parametrize("logger", ["http.log.access", "http.log.access.log0", None])
def test_requests_of_caddy_are_parsed(logger: str | None) -> None:
    line = {**ACCESS, "logger": logger} if logger else {**ACCESS, "logger": None}
    assert parsed(json.dumps(line), "caddy", ["url", "status"]) == [{"url": "/a", "status": 200}]


@pytest.mark.parametrize("message", MESSAGES)
def test_other_messages_of_caddy_are_rejected(message: Row) -> None:
    assert len(rejects(json.dumps(message), "caddy")) == 1


def test_caddy_is_detected_among_its_other_messages() -> None:
    lines = [*MESSAGES, *MESSAGES, ACCESS, ACCESS]
    assert detected("\n".join(json.dumps(line) for line in lines)) == ("caddy", 2, 10)
