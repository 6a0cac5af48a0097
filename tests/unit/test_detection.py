"""The format of a log is detected by the number of its first lines that match each format."""

import gzip
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import DATA

import tailrace as tr
from tailrace import _core
from tailrace._cli.formats import NOTES
from tailrace._detection import Choice, Detector, closest_format
from tailrace._names import AUTO, DETECTED, check_fields, check_format
from tailrace._sources import Chunk
from tailrace._sources.cutter import Cutter

REAL = {
    name: gzip.decompress((DATA / name).read_bytes())
    for name in ("apache-combined-2015-elastic.log.gz", "nginx-combined-2022-ployt0.log.gz")
}

COMMON = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5'
COMBINED = COMMON + b' "-" "ua"'
GARBAGE = b"no log line"

EXAMPLES = {
    name: (_core.describe_format(name) or ("", "", ""))[1].encode() for name in _core.FORMATS
}

# The format detected from the example of a format, where they differ. Any text matches CSV.
INSTEAD = {"classic": "combined", "iis": "w3c", "csv": "combined", "tsv": "combined"}

PREFIXES = {
    "container runtime": b"2025-01-02T03:04:05.123456789Z stdout F ",
    "docker compose": b"web-1  | ",
    "syslog": b"<190>May  6 07:08:09 host nginx: ",
    "syslog without priority": b"May 16 07:08:09 host nginx[12]: ",
    "syslog of RFC 5424": b"<165>1 2003-10-11T22:14:15.003Z host app 12 ID47 - ",
}


def cut(text: bytes) -> bytes:
    """Convert a combined log to a common one."""
    return re.sub(rb' "(?:\\.|[^"\\])*" "(?:\\.|[^"\\])*"$', b"", text, flags=re.MULTILINE)


def lines(*several: bytes) -> Chunk:
    data = b"\n".join(several) + b"\n"
    return Chunk(data, (0, len(data)))


def chunk(data: bytes) -> Chunk:
    return Chunk(data, (0, len(data)))


def chosen(*chunks: Chunk) -> Choice:
    detector = Detector()
    for one in chunks:
        detector.look(one)
    choice = detector.choose()
    assert detector.lines == choice.lines
    return Choice(*choice[:3])


def repeated(name: str, times: int) -> list[bytes]:
    """Repeat the last line of a format's example; those before it name the columns."""
    *header, line = EXAMPLES[name].split(b"\n")
    return [*header, *[line] * times]


def varint(number: int) -> bytes:
    """Zig-zag, as Avro writes a length."""
    number *= 2
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def batch(*bodies: bytes) -> Chunk:
    """Encode the parameter of Flume's appendBatch, inside other bytes of its frame."""
    events = b"".join(b"\0" + varint(len(body)) + body for body in bodies)
    data = b"frame" + varint(len(bodies)) + events + b"\0" + b"rest"
    return Chunk(data, (5, len(data) - 4), kind="batch")


def event(body: bytes) -> Chunk:
    """Encode the parameter of Flume's append."""
    return chunk(b"\0" + varint(len(body)) + body)._replace(kind="event")


# --- the choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _core.FORMATS)
def test_a_format_parses_its_own_example(name: str):
    assert len(tr.Format(name).parse(EXAMPLES[name]).to_dicts()) == 1


@pytest.mark.parametrize("name", _core.FORMATS)
def test_the_example_of_a_format_is_detected_as_that_format(name: str):
    for times in (1, 20):
        log = repeated(name, times)
        agreed = 0 if name in {"csv", "tsv"} else len(log)
        expected = Choice(INSTEAD.get(name, name), agreed, len(log))
        assert chosen(lines(*log)) == expected
        assert chosen(chunk(b"\r\n".join([*log, b""]))) == expected
        assert chosen(chunk(b"\xef\xbb\xbf" + b"\n".join(log))) == expected


@pytest.mark.parametrize("name", DETECTED)
def test_a_little_garbage_does_not_change_the_choice(name: str):
    log = repeated(name, 20)
    for place in (0, len(log) // 2, len(log)):
        detector = Detector()
        detector.look(lines(*log[:place], GARBAGE, *log[place:]))
        assert detector.choose()[:3] == (name, len(log), len(log) + 1)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", [name for name in DETECTED if name != "w3c"])
def test_prefixes_of_collectors_do_not_change_the_choice(name: str, prefix: str):
    detector = Detector()
    detector.look(lines(*[PREFIXES[prefix] + line for line in repeated(name, 20)]))
    assert detector.choose() == Choice(name, 20, 20)


def test_notes_and_detection_name_only_known_formats():
    assert {*NOTES} <= {*_core.FORMATS}
    assert {*DETECTED} < {*_core.FORMATS}


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-06T10:00:01Z,cellar,11.5",
        b"time,device,temperature",
        b"INFO: hello world",
        b"10:20:30\thttp://x/\t200",
        b"2026-01-01 12:00:00 ERROR something: bad",
        b"error: no such file",
    ],
)
def test_text_with_colons_and_tabs_matches_no_format(line: bytes):
    assert chosen(lines(*[line] * 20)) == Choice("combined", 0, 20)


def test_cloudfront_is_detected_without_its_header():
    assert b"#" not in EXAMPLES["cloudfront"]
    assert chosen(lines(*[EXAMPLES["cloudfront"]] * 3)) == Choice("cloudfront", 3, 3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [("date time c-ip cs-uri-stem", "w3c"), ("date time x-edge-location sc-bytes", "cloudfront")],
)
def test_a_header_alone_is_enough_for_detection(names: str, expected: str):
    assert chosen(lines(b"#Version: 1.0", b"#Fields: " + names.encode())).format == expected


def test_the_choice_for_a_mixed_log_names_the_second_format():
    detector = Detector()
    json = b'{"status":200}'
    detector.look(lines(*[COMBINED] * 6, *[json] * 3, GARBAGE))
    choice = detector.choose()
    assert choice == Choice("combined", 6, 10, "json", 3)
    assert choice.describe("x") == (
        "x: format combined, 6 of the first 10 lines match; 3 others match json; use "
        "--log-format combined,json for both"
    )
    both = tr.Format("combined,json").parse(b"\n".join([COMBINED, json]))
    assert len(both) == 2


def test_a_format_that_matches_no_further_lines_is_not_reported():
    # Combined accepts common lines, and every caddy line matches json.
    for some in ([COMMON] * 3 + [COMBINED] * 4, [EXAMPLES["caddy"]] * 4):
        detector = Detector()
        detector.look(lines(*some, GARBAGE))
        assert detector.choose().runner_up is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (GARBAGE, "combined"),
        (b"", "combined"),
        (COMBINED.replace(b" 200 ", b" 2000 "), "combined"),
        (COMBINED.replace(b'"GET', b"GET"), "combined"),
        (b'{"status":', "json"),
        (EXAMPLES["alb"].partition(b'"')[0], "alb"),
        (EXAMPLES["haproxy"].replace(b" 200 ", b" OK "), "haproxy"),
        (EXAMPLES["squid"].replace(b"/304", b"/0304"), "squid"),
        (EXAMPLES["envoy"].replace(b'"10.0', b"10.0"), "envoy"),
    ],
)
def test_a_broken_line_is_closest_to_its_own_format(line: bytes, name: str):
    assert closest_format(line) == name
    detector = Detector()
    detector.look(lines(b"", line, GARBAGE))
    if line:
        assert detector.choose() == Choice(name, 0, 2, first=line)


@pytest.mark.parametrize("name", REAL)
def test_a_real_log_is_detected_as_combined(name: str):
    assert chosen(chunk(REAL[name])) == Choice("combined", 1_000, 1_000)


@pytest.mark.parametrize("name", REAL)
def test_a_real_log_without_referer_and_agent_is_detected_as_common(name: str):
    assert chosen(chunk(cut(REAL[name]))) == Choice("common", 1_000, 1_000)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], ("combined", 0, 0)),
        ([chunk(b"")], ("combined", 0, 0)),
        ([lines(b"", b"  ", b"\r")], ("combined", 0, 0)),
        ([lines(COMMON)], ("common", 1, 1)),
        ([chunk(COMBINED)], ("combined", 1, 1)),
        ([lines(GARBAGE, GARBAGE)], ("combined", 0, 2)),
        ([chunk(bytes(range(256)))], ("combined", 0, 2)),
        # One combined line among common ones selects combined, which parses them all.
        ([lines(*[COMMON] * 9, COMBINED)], ("combined", 10, 10)),
        ([lines(COMMON), lines(COMBINED)], ("combined", 2, 2)),
        ([lines(COMMON, GARBAGE, COMMON)], ("common", 2, 3)),
        ([lines(GARBAGE, COMBINED, COMMON, GARBAGE)], ("combined", 2, 4)),
        ([lines(b"", COMMON, b" ", COMMON, b"\r")], ("common", 2, 2)),
        ([lines(COMMON + b"\r", b"\r", COMMON + b"\r")], ("common", 2, 2)),
        ([batch(COMMON, COMMON, GARBAGE)], ("common", 2, 3)),
        ([batch(COMBINED), lines(COMMON)], ("combined", 2, 2)),
        ([batch()], ("combined", 0, 0)),
        ([event(COMMON)], ("common", 1, 1)),
    ],
)
def test_the_format_with_most_matches_wins_and_ties_go_to_the_more_specific_one(
    chunks: list[Chunk], expected: tuple[str, int, int]
):
    assert chosen(*chunks) == Choice(*expected)


def test_a_malformed_batch_is_ignored_by_detection():
    truncated = batch(COMBINED)._replace(span=(5, 20))
    assert chosen(truncated, lines(COMMON)) == Choice("common", 1, 1)


def test_a_line_of_64_kib_is_detected_and_a_longer_one_matches_no_format():
    long = COMMON + b" " + b"x" * (_core.MAX_LINE_BYTES - len(COMMON) - 1)
    assert len(long) == 65_536
    assert chosen(lines(long)) == Choice("common", 1, 1)
    assert chosen(lines(long + b"x")) == Choice("combined", 0, 1)
    # As sources hand them on: a line without an end is cut after the byte that makes it too long.
    cutter = Cutter()
    chunks = [*cutter.feed(b"x" * 10**6), *cutter.feed(b"x\n" + COMMON + b"\n"), *cutter.finish()]
    assert chosen(*chunks) == Choice("common", 1, 2)


# --- how much is examined -------------------------------------------------------------------------


def test_detection_reads_at_most_a_thousand_lines():
    detector = Detector()
    for _ in range(3):
        assert not detector.enough
        detector.look(lines(*[COMMON] * 333))
    detector.look(lines(COMMON, *[COMBINED] * 400))
    assert detector.enough
    detector.look(lines(*[COMBINED] * 5_000))
    assert detector.choose() == Choice("common", 1_000, 1_000)


def test_detection_reads_at_most_four_mebibytes():
    detector = Detector()
    blank = lines(*[b""] * 2**20)
    for _ in range(4):
        assert not detector.enough
        detector.look(blank)
    assert detector.enough
    assert detector.choose()[:3] == ("combined", 0, 0)


@given(
    log=st.lists(st.sampled_from([COMMON, COMBINED, GARBAGE, b"", b"\t"]), max_size=60),
    sizes=st.lists(st.integers(1, 9), min_size=60, max_size=60),
)
def test_the_choice_equals_a_count_line_by_line_in_chunks_of_any_size(
    log: list[bytes], sizes: list[int]
):
    common = log.count(COMMON)
    combined = common + log.count(COMBINED)
    seen = combined + log.count(GARBAGE)
    parts, rest = [], log
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]

    name = "common" if 0 < common == combined else "combined"
    expected = Choice(name, combined, seen)
    assert chosen(*(lines(*part) for part in parts if part)) == expected
    assert chosen(*(batch(*part) for part in parts)) == expected


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        (b"1.2.3.4 - - ", b" ["),
        (b"1.2.3.4 - - [", b"] "),
        (COMMON[:46], b'" 1 ] " '),
        (COMMON[:46], b'\\" 200 5'),
        (COMBINED[:-1], b'" 200 5 "-" "'),
        (b"", b" "),
    ],
)
def test_a_thousand_hostile_lines_are_examined_fast(start: bytes, unit: bytes):
    size = 4_000 // len(unit)
    hostile = lines(*[start + unit * size] * 1_000)
    before = time.process_time()
    for name in _core.FORMATS:
        _core.count_matches(
            hostile.data, kind="lines", span=hostile.span, formats=[name], limit=1_000
        )
    # It takes well below 0.1 s; a backtracking matcher would take hours.
    assert time.process_time() - before < 5


HINT = (
    "  give the format's name, or paste the server's log_format or LogFormat, with --log-format; "
    "test it with 'tailrace explain'"
)

# --- the description of a choice ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (Choice("combined", 1_000, 1_000), "format combined, the first 1,000 lines all match"),
        (Choice("combined", 998, 1_000), "format combined, 998 of the first 1,000 lines match"),
        (Choice("common", 1, 1), "format common, the first line matches"),
        (Choice("common", 1, 2), "format common, 1 of the first 2 lines matches"),
        (
            Choice("common", 499, 1_000),
            "format common, 499 of the first 1,000 lines match; see --log-format",
        ),
        (
            Choice("combined", 0, 7, first=GARBAGE),
            (
                "none of the first 7 lines matches a known format; the closest is combined: "
                "expected a time in brackets, found the end of the line at byte 11 of the first "
                "line\n"
                f"  no log line\n             ^\n{HINT}"
            ),
        ),
        (
            Choice("combined", 0, 1, first=b"x" * 99),
            (
                "the first line matches no known format; the closest is combined: expected a time "
                "in brackets, found the end of the line at byte 99\n"
                f"  ...{'x' * 74}\n{' ' * 79}^\n{HINT}"
            ),
        ),
        (
            Choice("main", 995, 1_000, "main-timed"),
            "format main, 995 of the first 1,000 lines match; they also match main-timed",
        ),
        (
            Choice("caddy", 4, 6, "common", 1),
            (
                "format caddy, 4 of the first 6 lines match; 1 other matches common; use "
                "--log-format caddy,common for both"
            ),
        ),
        (
            Choice("cloudfront", 4, 382),
            (
                "only 4 of the first 382 lines match a known format, cloudfront; expected at least "
                f"a tenth\n{HINT}"
            ),
        ),
        (
            Choice("combined", 0, 3, binary="a PDF document"),
            "expected lines of a log, found a PDF document",
        ),
    ],
)
def test_the_description_of_a_choice_names_the_format_and_the_reason(choice: Choice, text: str):
    assert choice.describe("access.log") == f"access.log: {text}"


# --- names of formats and fields ------------------------------------------------------------------


def test_auto_is_accepted_only_where_it_is_allowed():
    assert check_format(AUTO, auto=True) == "auto"
    assert check_format("classic", auto=True) == "classic"
    with pytest.raises(ValueError, match="'auto' cannot be used here"):
        check_format(AUTO)
    with pytest.raises(ValueError, match="did you mean 'auto'"):
        check_format("atuo", auto=True)


def test_auto_accepts_any_field_but_no_unknown_step():
    assert check_fields(["agent", "statsu", "my.key:x"], AUTO) == ["agent", "statsu", "my.key:x"]
    with pytest.raises(ValueError, match=r"unknown step 'nope' of url; known: path"):
        check_fields(["url:nope"], AUTO)


# --- arguments of the core ------------------------------------------------------------------------


def test_the_core_refuses_invalid_arguments():
    with pytest.raises(ValueError, match=r"^unknown format .*; 'tailrace formats' lists"):
        _core.count_matches(b"", kind="lines", span=(0, 0), formats=["auto"], limit=1)
    with pytest.raises(_core.BatchError, match="cut off"):
        _core.count_matches(b"\2", kind="batch", span=(0, 1), formats=["common"], limit=1)
    with pytest.raises(ValueError, match="span: expected a range within 0 bytes"):
        _core.count_matches(b"", kind="lines", span=(0, 1), formats=[], limit=1)
    assert _core.count_matches(b"a\nb", kind="lines", span=(0, 3), formats=[], limit=9) == (
        2,
        [],
        [],
        [],
    )
