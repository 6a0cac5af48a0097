"""The format of a log is told by how many of its first lines each format accepts."""

import gzip
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tailrace as tr
from tailrace import _core
from tailrace.detection import Choice, Detector
from tailrace.names import AUTO, DETECTED, checked_fields, checked_format
from tailrace.sources import Chunk
from tailrace.sources.text import Cutter

DATA = Path(__file__).parent / "data"
REAL = {
    name: gzip.decompress((DATA / name).read_bytes())
    for name in ("apache-combined-2015-elastic.log.gz", "nginx-combined-2022-ployt0.log.gz")
}

COMMON = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5'
COMBINED = COMMON + b' "-" "ua"'
GARBAGE = b"no log line"

# What a format's own example is told to be, where that is not the format itself.
INSTEAD = {"classic": "combined"}


def cut(text: bytes) -> bytes:
    """Make a common log of a combined one."""
    return re.sub(rb' "(?:\\.|[^"\\])*" "(?:\\.|[^"\\])*"$', b"", text, flags=re.MULTILINE)


def lines(*several: bytes) -> Chunk:
    data = b"\n".join(several) + b"\n"
    return Chunk(data, (0, len(data)))


def chunk(data: bytes) -> Chunk:
    return Chunk(data, (0, len(data)))


def chosen(*chunks: Chunk, fields: tuple[str, ...] = ()) -> Choice:
    detector = Detector(fields)
    for one in chunks:
        detector.look(one)
    assert detector.lines == detector.choose().lines
    return detector.choose()


def varint(number: int) -> bytes:
    """Zig-zag, as Avro writes a length."""
    number *= 2
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def batch(*bodies: bytes) -> Chunk:
    """Write the parameter of Flume's appendBatch, amid other bytes of its frame."""
    events = b"".join(b"\0" + varint(len(body)) + body for body in bodies)
    data = b"frame" + varint(len(bodies)) + events + b"\0" + b"rest"
    return Chunk(data, (5, len(data) - 4), kind="batch")


def event(body: bytes) -> Chunk:
    """Write the parameter of Flume's append."""
    return chunk(b"\0" + varint(len(body)) + body)._replace(kind="event")


# --- what is chosen -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _core.FORMATS)
def test_the_example_of_a_format_is_of_it(name: str):
    about = _core.about(name)
    assert about is not None
    example = about[1].encode()

    batch = tr.Format(name).parse(example)
    assert len(batch) >= 1
    assert not batch.rejects


@pytest.mark.parametrize("name", ["common", "combined", "classic"])
def test_the_example_of_a_format_is_told_to_be_of_it(name: str):
    about = _core.about(name)
    assert about is not None
    assert chosen(chunk(about[1].encode())) == Choice(INSTEAD.get(name, name), 1, 1)


def test_what_is_detected_is_a_format():
    assert {*DETECTED} < {*_core.FORMATS}


@pytest.mark.parametrize("name", REAL)
def test_a_real_log_is_combined(name: str):
    assert chosen(chunk(REAL[name])) == Choice("combined", 1_000, 1_000)


@pytest.mark.parametrize("name", REAL)
def test_a_real_log_without_referer_and_agent_is_common(name: str):
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
        # Among common lines one of combined makes it combined, which reads them all.
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
def test_most_lines_win_and_the_more_specific_format_where_both_accept(
    chunks: list[Chunk], expected: tuple[str, int, int]
):
    assert chosen(*chunks) == expected


def test_only_a_format_with_the_fields_that_are_asked_for_is_chosen():
    log = lines(COMMON, COMMON)
    assert chosen(log, fields=("url", "status")).format == "common"
    assert chosen(log, fields=("url", "agent")) == Choice("combined", 2, 2)
    assert chosen(lines(GARBAGE), fields=("url",)) == Choice("combined", 0, 1)
    with pytest.raises(ValueError, match="no format that is detected has uri; name one that has"):
        Detector(["uri"])


def test_a_malformed_batch_says_nothing():
    truncated = batch(COMBINED)._replace(span=(5, 20))
    assert chosen(truncated, lines(COMMON)) == Choice("common", 1, 1)


def test_a_line_of_64_kib_is_read_and_a_longer_one_is_of_no_format():
    long = COMMON + b" " + b"x" * (_core.MAX_LINE_BYTES - len(COMMON) - 1)
    assert len(long) == 65_536
    assert chosen(lines(long)) == Choice("common", 1, 1)
    assert chosen(lines(long + b"x")) == Choice("combined", 0, 1)
    # As sources hand them on: of a line without an end no more than shows that it is too long.
    cutter = Cutter()
    chunks = [*cutter.feed(b"x" * 10**6), *cutter.feed(b"x\n" + COMMON + b"\n"), *cutter.finish()]
    assert chosen(*chunks) == Choice("common", 1, 2)


# --- how much is looked at ------------------------------------------------------------------------


def test_a_thousand_lines_are_enough_however_they_come():
    detector = Detector()
    for _ in range(3):
        assert not detector.enough
        detector.look(lines(*[COMMON] * 333))
    detector.look(lines(COMMON, *[COMBINED] * 400))
    assert detector.enough
    detector.look(lines(*[COMBINED] * 5_000))
    assert detector.choose() == Choice("common", 1_000, 1_000)


def test_four_mebibytes_are_enough_whatever_they_are():
    detector = Detector()
    blank = lines(*[b""] * 2**20)
    for _ in range(4):
        assert not detector.enough
        detector.look(blank)
    assert detector.enough
    assert detector.choose() == Choice("combined", 0, 0)


@settings(deadline=None)
@given(
    log=st.lists(st.sampled_from([COMMON, COMBINED, GARBAGE, b"", b"\t"]), max_size=60),
    sizes=st.lists(st.integers(1, 9), min_size=60, max_size=60),
)
def test_the_choice_is_that_of_a_count_line_by_line_however_it_is_cut(
    log: list[bytes], sizes: list[int]
):
    common = log.count(COMMON)
    combined = common + log.count(COMBINED)
    seen = combined + log.count(GARBAGE)
    parts, rest = [], log
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]

    expected = ("common" if 0 < common == combined else "combined", combined, seen)
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
def test_a_thousand_hostile_lines_are_looked_at_at_once(start: bytes, unit: bytes):
    size = 4_000 // len(unit)
    hostile = lines(*[start + unit * size] * 1_000)
    before = time.process_time()
    for name in _core.FORMATS:
        _core.agreeing(hostile.data, kind="lines", span=hostile.span, formats=[name], limit=1_000)
    # It is well below 0.1 s; a backtracking matcher needs hours.
    assert time.process_time() - before < 5


# --- what is said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("combined", 1_000, 1_000), "format combined, all of the first 1,000 lines agree"),
        (Choice("combined", 998, 1_000), "format combined, 998 of the first 1,000 lines agree"),
        (Choice("common", 1, 1), "format common, the first line agrees"),
        (Choice("common", 1, 2), "format common, 1 of the first 2 lines agrees"),
        (
            Choice("common", 499, 1_000),
            "format common, 499 of the first 1,000 lines agree; see tailrace formats",
        ),
        (
            Choice("combined", 0, 7),
            "no line of the first 7 is of a known format; read as combined, see tailrace formats",
        ),
        (
            Choice("combined", 0, 1),
            "the first line is of no known format; read as combined, see tailrace formats",
        ),
        (
            Choice("combined", 0, 0),
            "no line to tell the format by; read as combined, see tailrace formats",
        ),
    ],
)
def test_a_choice_says_what_it_is_and_why(choice: Choice, said: str):
    assert choice.said("access.log") == f"access.log: {said}"


# --- names ----------------------------------------------------------------------------------------


def test_auto_is_a_format_only_where_that_is_said():
    assert checked_format(AUTO, auto=True) == "auto"
    assert checked_format("classic", auto=True) == "classic"
    with pytest.raises(ValueError, match="'auto' is no format"):
        checked_format(AUTO)
    with pytest.raises(ValueError, match="did you mean 'auto'"):
        checked_format("atuo", auto=True)


def test_a_field_for_auto_is_one_that_a_detected_format_has():
    assert checked_fields(["agent", "url"], AUTO) == ["agent", "url"]
    said = "'uri' is no field of a format that is detected; did you mean 'url'"
    with pytest.raises(ValueError, match=said):
        checked_fields(["uri"], AUTO)


# --- the border -----------------------------------------------------------------------------------


def test_the_core_refuses_what_cannot_be():
    with pytest.raises(ValueError, match='no format "auto"'):
        _core.agreeing(b"", kind="lines", span=(0, 0), formats=["auto"], limit=1)
    with pytest.raises(_core.BatchError, match="too early"):
        _core.agreeing(b"\2", kind="batch", span=(0, 1), formats=["common"], limit=1)
    with pytest.raises(ValueError, match="not within the bytes"):
        _core.agreeing(b"", kind="lines", span=(0, 1), formats=[], limit=1)
    assert _core.agreeing(b"a\nb", kind="lines", span=(0, 3), formats=[], limit=9) == (2, [])
