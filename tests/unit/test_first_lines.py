"""
What detection does with the first lines of a log: choose, report what is not read, or refuse.

A specimen from a report has its source beside it; the others are made up.
"""

import json
import logging
import random
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from live import COMMAND

import tailrace as tr
from tailrace import _core
from tailrace._binary import kind_of
from tailrace._names import check_fields

COMMON = '192.0.2.1 - - [10/Jan/2015:10:05:01 +0000] "GET /a?b HTTP/1.1" 200 5'
COMBINED = COMMON + ' "-" "ua"'
TRAEFIK = COMBINED + ' 12 "foo" "http://10.0.0.2/" 12ms'
MAIN_RT = COMBINED + ' rt=0.005 uct="0.001" uht="0.010" urt="0.010"'
TAIL = COMBINED + " rt=0.005 cache=HIT"
CADDY = _core.describe_format("caddy")[1]  # type: ignore[index] - there is one
MESSAGE = '{"level":"info","ts":1646861401.5,"logger":"tls","msg":"cleaning storage"}'
APP = '{"level":"error","ts":1646861401.5,"msg":"x"}'


def log(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def top(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "top", str(path), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


# --- the choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "chosen"),
    [
        ([TRAEFIK] * 500 + [COMBINED] + [TRAEFIK] * 499, ("traefik", 999)),
        ([COMBINED] + [MAIN_RT] * 999, ("main-rt", 999)),
        ([COMMON] * 999 + [COMBINED], ("combined", 1_000)),
        ([COMMON] * 1_000, ("common", 1_000)),
        # As many lines with nothing passed over: the one that reads more lines.
        ([TRAEFIK] * 5 + [COMBINED] * 5, ("combined", 10)),
        # A format of a few lines does not win over one that reads all of them.
        ([TAIL] * 999 + [MAIN_RT], ("combined", 1_000)),
        ([TAIL] * 9, ("combined", 9)),
        # Requests of Caddy among its messages, which are JSON, too.
        ([MESSAGE] * 3 + [CADDY] * 2, ("caddy", 2)),
        ([APP] * 4, ("json", 4)),
        # https://github.com/tstack/lnav/issues/1076: the first line matches a generic format.
        (["Oct 31 10:00:00 host last message repeated 1 times", *[MAIN_RT] * 9], ("main-rt", 9)),
        # https://github.com/tstack/lnav/issues/837: lines of another program among them.
        ([MAIN_RT] * 6 + [COMBINED] * 5 + ["dovecot: imap-login"] * 2, ("main-rt", 6)),
        # https://github.com/allinurl/goaccess/issues/963: a virtual host before combined.
        (
            [COMBINED, *["example.com:80 " + COMBINED] * 3],
            ("vhost_combined", 3),
        ),
    ],
)
def test_the_format_that_passes_over_nothing_is_chosen(lines: list[str], chosen: tuple[str, int]):
    found = tr.detect(log(*lines))

    assert (found.format, found.matched) == chosen


# --- what is not read -----------------------------------------------------------------------------


PASTE = "paste your log_format with --log-format"
PST_NOT_READ = (
    "have a time that cannot be read, such as [10/Jan/2015:10:05:01 PST]; give its zone with "
    f"--tz, or {PASTE}"
)
TAIL_NOT_READ = f"18 bytes after the agent not read: rt=0.005 cache=HIT; {PASTE}"


@pytest.mark.parametrize(
    ("lines", "notices"),
    [
        ([COMBINED, COMMON], ()),
        ([TAIL], (TAIL_NOT_READ,)),
        (
            [COMBINED] * 9 + [TAIL],
            (f"in 1 of the first 10 lines, {TAIL_NOT_READ}",),
        ),
        ([COMMON + " 0.012"], (f"5 bytes after the size not read: 0.012; {PASTE}",)),
        # https://github.com/allinurl/goaccess/issues/1563
        (
            [COMBINED + ' "-" "qik1_62246||"'],
            (f'18 bytes after the agent not read: "-" "qik1_62246||"; {PASTE}',),
        ),
        # https://github.com/allinurl/goaccess/issues/1441: `**%T/%D**` after combined.
        ([COMBINED + " **0/1234**"], (f"10 bytes after the agent not read: **0/1234**; {PASTE}",)),
        # An ident is no field of combined (RFC 1413).
        (
            [COMBINED.replace("- - [", "unknown joe [")],
            (f"7 bytes before the user not read: unknown; {PASTE}",),
        ),
        # The prefixes of collectors are not part of the line.
        (["2025-01-02T03:04:05.123456789Z stdout F " + COMBINED], ()),
        (["<190>May  6 07:08:09 host nginx: " + COMBINED], ()),
        (
            [COMBINED] * 8 + [COMBINED.replace("+0000", "PST")] * 2,
            (f"2 of the first 10 lines {PST_NOT_READ}",),
        ),
        (
            [COMBINED.replace("10/Jan/2015:10:05:01 +0000", "someday")],
            (f"the first line has a time that cannot be read, such as [someday]; {PASTE}",),
        ),
    ],
)
def test_what_is_not_read_is_reported(lines: list[str], notices: tuple[str, ...]):
    assert tr.detect(log(*lines)).notices == notices


def test_doubts_come_before_the_first_result_and_only_once(tmp_path: Path):
    path = tmp_path / "access.log"
    path.write_bytes(log(*[TAIL.replace("+0000", "PST")] * 20))
    for options in ([], ["--log-format", "combined"]):
        ran = top(path, "--window", "60s", *options)
        assert ran.stderr.count("18 bytes after the agent not read") == 1
        assert ran.stderr.count("20 of the first 20 lines have a time that cannot be read") == 1
        assert ran.stderr.index("not read") < ran.stderr.index("20 no-time")


def test_the_library_logs_doubts_as_warnings(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "tailrace"):
        assert tr.from_lines([COMBINED]).count().collect().total == 1
        assert not caplog.messages
        tr.from_lines([TAIL]).count().collect()
        tr.from_lines([TAIL], format="combined").count().collect()
        list(tr.from_lines(['{"a":1}']).parse(["b"]))
    text = f"lines: 18 bytes after the agent not read: rt=0.005 cache=HIT; {PASTE}"
    lacks = "lines: the first line lacks the field 'b'; the keys are a"
    assert caplog.messages == [text, text, lacks]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        # https://github.com/allinurl/goaccess/issues/2015
        "Jan 25 23:06:39 gopwcd kernel: [    0.000000] KERNEL supported cpus:",
        # https://github.com/allinurl/goaccess/issues/2393
        "[2022-09-29 10:53:21.353073 +0200] daks@192.168.0.36 207 repo:/var get /libs (216 Bytes)",
        # https://github.com/tstack/lnav/issues/361
        "[31/Oct/2016:06:28:38 +0000] test.local GET /?q=user http_code=200 php_time=0.790",
    ],
)
def test_lines_of_no_known_format_are_refused(tmp_path: Path, line: str):
    path = tmp_path / "x.log"
    path.write_bytes(log(*[line] * 20, COMBINED))
    ran = top(path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "x.log: only 1 of the first 21 lines matches a known format, combined" in ran.stderr
    ran = top(path, "--log-format", "combined")
    assert (ran.returncode, ran.stdout[:7]) == (0, "1 event")
    with pytest.raises(ValueError, match="only 1 of the first 21 lines matches a known format"):
        tr.from_files(path).count().collect()


def test_a_tenth_of_the_lines_is_enough():
    lines = ["hello"] * 9 + [COMBINED]
    assert tr.from_lines(lines).count().collect().total == 1
    with pytest.raises(ValueError, match="only 1 of the first 11 lines"):
        tr.from_lines([*lines, "hello"]).count().collect()


def test_random_bytes_are_refused(tmp_path: Path):
    path = tmp_path / "noise"
    for seed in range(5):
        path.write_bytes(random.Random(seed).randbytes(100_000))  # noqa: S311 - a made-up file
        assert top(path).returncode == 2


def test_files_that_are_no_logs_are_named(tmp_path: Path):
    access = tmp_path / "access.log"
    access.write_bytes(log(*[COMBINED] * 50))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(access)
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        packed.add(access)
    for name, kind in [("x.zip", "a zip archive"), ("x.tar", "a tar archive")]:
        ran = top(tmp_path / name)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert f"{name}: expected lines of a log, found {kind}" in ran.stderr


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        # The magic numbers of the formats' descriptions.
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"LPKSHHRH\x00", "a journal of systemd"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"PAR1\x15", "a Parquet file"),
        (b"\x7fELF\x02", "a program"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"PAR", ""),
        (b"", ""),
        (COMBINED.encode(), ""),
    ],
)
def test_a_kind_of_file_is_recognized_by_its_first_bytes(head: bytes, kind: str):
    assert kind_of(head).startswith(kind)
    assert bool(kind_of(head)) == bool(kind)


def test_one_refused_file_among_others_is_like_an_unreadable_one(tmp_path: Path):
    (tmp_path / "x.log").write_bytes(log("hello"))
    path = tmp_path / "access.log"
    path.write_bytes(log(COMBINED))
    ran = top(path, str(tmp_path / "x.log"))
    assert (ran.returncode, ran.stdout[:7]) == (1, "1 event")
    assert "x.log: the first line matches no known format" in ran.stderr


def test_an_empty_input_is_no_error(tmp_path: Path):
    path = tmp_path / "empty.log"
    path.touch()
    ran = top(path)
    assert (ran.returncode, ran.stdout) == (0, "0 events, 0 keys\n")
    assert ran.stderr.endswith("the input is empty\n")


# --- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("request_time", "format combined has no field 'request_time'; k8s-ingress, traefik and"),
        ("client_port", "alb, elb and 1 more have it"),
        # https://github.com/feldera/feldera/issues/2836: a misspelt column is not an error there.
        ("statsu", "did you mean 'status'"),
        ("user_agnet", "did you mean 'user_agent'"),
        ("host:/129", "unknown step '/129' of host; known: path, query, noquery, a number"),
        ("path:0", "unknown step '0' of path; known: path, query"),
        ("url:noqury", "unescape, host; did you mean 'noquery'?"),
        ("status:2", "step '2' applies to text, as in referer:path, not to status; status has no"),
        ("", "expected the name of a field, found nothing"),
    ],
)
def test_a_field_that_no_line_can_have_is_an_error(tmp_path: Path, field: str, message: str):
    with pytest.raises(ValueError, match=r"(?s).*") as given:
        tr.from_lines([COMBINED], format="combined").count(by=field)
    assert message in str(given.value)
    with pytest.raises(ValueError, match=r"(?s).*") as detected:
        tr.from_lines([COMBINED]).count(by=field).collect()
    assert message in str(detected.value)
    path = tmp_path / "access.log"
    path.write_bytes(log(COMBINED))
    ran = top(path, "--by", field)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr


def test_in_lines_that_name_their_fields_a_missing_one_is_reported(tmp_path: Path):
    path = tmp_path / "x.log"
    for line, keys in [
        ('{"status":200,"app":{"id":1}}', "status, app.id"),
        ("status:200\tapp:1", ""),
    ]:
        path.write_bytes(log(*[line] * 3))
        ran = top(path, "--by", "statsu")
        assert (ran.returncode, ran.stdout[:8]) == (0, "3 events")
        assert "none of the first 3 lines has the field 'statsu'" in ran.stderr
        assert keys in ran.stderr
        assert "none of" not in top(path, "--by", "status").stderr


def test_an_unknown_column_of_a_header_is_an_error(tmp_path: Path):
    path = tmp_path / "u_ex.log"
    path.write_bytes(log("#Fields: date time c-ip sc-status", "2015-05-17 10:05:03 192.0.2.1 200"))
    for options in ([], ["--log-format", "w3c"]):
        ran = top(path, "--by", "nope", *options)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "has no field 'nope'" in ran.stderr
    assert top(path, "--by", "c-ip").stdout.endswith("    1  100.0%  192.0.2.1\n")


# --- other names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "value"),
    [
        # https://nginx.org/en/docs/varindex.html
        ("remote_addr ip client_ip c-ip source.ip %h", "192.0.2.1"),
        ("request_uri uri url.original", "/a?b"),
        ("request_uri:noquery uri:path document_uri cs-uri-stem url.path", "/a"),
        ("args query_string cs-uri-query", "b"),
        ("code sc-status http.response.status_code %s status_code", 200),
        ("bytes body_bytes_sent %b http.response.body.bytes", 5),
        # https://goaccess.io/man and https://www.w3.org/TR/WD-logfile.html
        ("http_user_agent user_agent useragent ua cs(User-Agent) user_agent.original", "ua"),
        ("verb request_method cs-method http.request.method %m", "GET"),
        ("server_protocol %H cs-version", "HTTP/1.1"),
        ("remote_user http_referer referrer cs(Referer)", None),
    ],
)
def test_other_names_give_the_standard_field(names: str, value: object):
    for name in names.split():
        found = tr.from_lines([COMBINED]).count(by=name).collect()
        assert found.rows == [{name: value, "count": 1}], name
        parsed = tr.Format("combined").parse(COMBINED.encode(), fields=[name])
        assert parsed.to_dicts() == [{name: value}]


def test_other_names_are_listed_with_their_fields():
    listed = dict(_core.ALIASES)
    standard = {name for name, *_ in _core.standard_fields()}
    assert {*listed.values()} <= standard
    assert not {*listed} & standard
    assert check_fields(["ip", "code"], "combined") == ["ip", "code"]


def test_an_own_key_of_a_line_comes_before_the_standard_field():
    lines = [
        '{"remote_addr":"192.0.2.1","ip":"192.0.2.9","status":200,"code":"E12"}',
        '{"remote_addr":"192.0.2.1","status":404}',
    ]
    rows = [row for batch in tr.from_lines(lines).parse(["ip", "code"]) for row in batch.to_dicts()]
    assert [row["ip"] for row in rows] == ["192.0.2.9", "192.0.2.1"]
    assert [json.loads(row["code"]) if row["code"] == "404" else row["code"] for row in rows] == [
        "E12",
        404,
    ]
    labels = ["host:192.0.2.1\tremote_addr:192.0.2.9", "host:192.0.2.1\tstatus:200"]
    found = tr.from_lines(labels).count(by="remote_addr").collect().rows
    assert [row["remote_addr"] for row in found] == ["192.0.2.1", "192.0.2.9"]
