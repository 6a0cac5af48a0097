r"""
The events of a Flume call are parsed as the Avro specification says, for any bytes.

`appendBatch` has an Avro array of events, `append` one event. The core parses both without
decoding them to objects; fastavro, which decodes them, is the oracle. Every legal encoding of
arrays and maps is tested: in one block or several, with or without the block's size, with padded
numbers.
"""

import io
import itertools
import json
import re
import time
from dataclasses import dataclass
from typing import Any

import counting
import fastavro
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from profiles import examples

from tailrace import _core

# No deadline: a loaded machine must not fail a test.
many = examples(250)

EVENT = {
    "type": "record",
    "name": "AvroFlumeEvent",
    "fields": [
        {"name": "headers", "type": {"type": "map", "values": "string"}},
        {"name": "body", "type": "bytes"},
    ],
}
SCHEMAS = {
    "event": fastavro.parse_schema(EVENT),
    "batch": fastavro.parse_schema({"type": "array", "items": EVENT}),
}

# --- parsing with both ----------------------------------------------------------------------------

START, END = b'h - u [t] "', b'" 200 5 "" ""'


def log_line(text: bytes) -> bytes:
    """Return a body that is a log line with this text as its request."""
    return START + text + END


def parsed(data: bytes, kind: str) -> tuple[list[str], dict[str, Any]]:
    """Return the requests of the events that are log lines, and the counters."""
    out, _, counters = _core.write_rows(
        data, kind=kind, span=(0, len(data)), format="classic", fields=["request"]
    )
    return [json.loads(row)["request"] for row in out.splitlines()], counters


def decoded_by_fastavro(data: bytes, kind: str) -> list[bytes]:
    """Return the bodies that fastavro decodes, or raise its error."""
    source = io.BytesIO(data)
    found = fastavro.schemaless_reader(source, SCHEMAS[kind], None)
    if source.tell() != len(data):
        raise ValueError("bytes after the last event")
    return [event["body"] for event in (found if kind == "batch" else [found])]


def request(body: bytes) -> str | None:
    """Return the request of a body from `log_line`, as tailrace shows it."""
    if not (body.startswith(START) and body.endswith(END) and len(body) > len(START + END)):
        return None
    text = body[len(START) : -len(END)].decode("utf-8", "surrogateescape")
    return re.sub("[\udc80-\udcff]+", "\ufffd", text)


def assert_same(data: bytes, kind: str) -> None:
    """Compare the bodies with those that fastavro decodes."""
    bodies = decoded_by_fastavro(data, kind)
    rows, counters = parsed(data, kind)
    assert rows == [text for text in map(request, bodies) if text is not None]
    assert counters["fed"] == len(bodies)
    assert counters["counted"] == len(rows)
    assert sum(counters["rejected"].values()) == len(bodies) - len(rows)


# --- an encoder for every legal encoding ----------------------------------------------------------


def long(n: int, padding: int = 0) -> bytes:
    """Encode a number, padded with redundant bytes as a fixed-width writer does."""
    n = (n << 1) ^ (n >> 63)
    groups = [n & 0x7F]
    while n := n >> 7:
        groups.append(n & 0x7F)
    groups += [0] * min(padding, 10 - len(groups))
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def sized(text: bytes, padding: int = 0) -> bytes:
    return long(len(text), padding) + text


@dataclass(frozen=True, slots=True)
class Cut:
    """How many items a block has, and how it is encoded."""

    items: int
    has_size: bool
    padding: int


def blocks(items: list[bytes], cuts: list[Cut]) -> bytes:
    """Encode an array or a map in blocks of these sizes, and one more for the rest."""
    rest, out = list(items), []
    for cut in [*cuts, Cut(len(items), has_size=False, padding=0)]:
        block, rest = rest[: cut.items], rest[cut.items :]
        if block:
            count = -len(block) if cut.has_size else len(block)
            out.append(long(count, cut.padding))
            if cut.has_size:
                out.append(long(sum(map(len, block)), cut.padding))
            out += block
    return b"".join([*out, b"\0"])


cuts = st.lists(
    st.builds(Cut, st.integers(1, 3), st.booleans(), st.integers(0, 1) | st.integers(0, 9)),
    max_size=3,
)
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(str.encode)
header_lists = st.dictionaries(strings, strings, max_size=4).map(lambda headers: [*headers.items()])
# Requests that `classic` parses unambiguously.
requests = st.binary(min_size=1, max_size=40).filter(lambda text: not set(text) & set(b'"\n'))
bodies = st.one_of(requests.map(log_line), st.just(b""), st.binary(max_size=20))


@st.composite
def events(draw: st.DrawFn) -> bytes:
    padding = draw(st.sampled_from([0, 0, 0, 1, 9]))
    headers = [sized(name, padding) + sized(value) for name, value in draw(header_lists)]
    return blocks(headers, draw(cuts)) + sized(draw(bodies), padding)


batches = st.builds(blocks, st.lists(events(), max_size=6), cuts)
calls = st.one_of(
    st.tuples(batches, st.just("batch")),
    st.tuples(events(), st.just("event")),
)


def test_the_encoder_follows_the_avro_specification() -> None:
    assert [long(n) for n in (0, -1, 1, -64, 64, 300)] == [
        b"\0", b"\x01", b"\x02", b"\x7f", b"\x80\x01", b"\xd8\x04",
    ]  # fmt: skip
    assert long(-(2**63)) == b"\xff" * 9 + b"\x01"
    assert long(1, 2) == b"\x82\x80\x00"
    assert long(2**62, 5) == long(2**62)
    assert blocks([b"ab", b"c", b"d"], [Cut(2, has_size=True, padding=0)]) == (
        b"\x03\x06abc" + b"\x02d" + b"\0"
    )
    assert blocks([], []) == b"\0"


# --- valid calls ----------------------------------------------------------------------------------


@many
@given(call=calls)
def test_bodies_equal_those_decoded_by_fastavro(call: tuple[bytes, str]) -> None:
    assert_same(*call)


@many
@given(
    found=st.lists(
        st.fixed_dictionaries(
            {"headers": st.dictionaries(st.text(max_size=5), st.text(max_size=5)), "body": bodies}
        ),
        max_size=6,
    )
)
def test_output_of_fastavro_is_parsed(found: list[dict[str, Any]]) -> None:
    batch = io.BytesIO()
    fastavro.schemaless_writer(batch, SCHEMAS["batch"], found)
    rows, counters = parsed(batch.getvalue(), "batch")
    expected = [request(event["body"]) for event in found]
    assert rows == [text for text in expected if text is not None]
    assert counters["fed"] == len(found)
    for event in found:
        single = io.BytesIO()
        fastavro.schemaless_writer(single, SCHEMAS["event"], event)
        assert_same(single.getvalue(), "event")


def test_a_thousand_events_in_blocks_of_every_kind_keep_their_order() -> None:
    sizes = [Cut(n % 17 + 1, has_size=n % 2 == 0, padding=n % 3) for n in range(60)]
    wanted = [f"GET /{n} HTTP/1.1" for n in range(1_000)]
    headers = [sized(b"timestamp") + sized(b"1500000000000"), sized(b"h") + sized(b"\xc3\xa9")] * 20
    head = blocks(headers, sizes)
    batch = blocks([head + sized(log_line(text.encode())) for text in wanted], sizes)
    assert parsed(batch, "batch")[0] == wanted
    assert_same(batch, "batch")


def test_a_body_may_contain_any_byte_and_a_newline_does_not_split_it() -> None:
    body = bytes(range(256))
    batch = blocks([b"\0" + sized(body), b"\0" + sized(log_line(b"\0\xff\x80\x1b"))], [])
    rows, counters = parsed(batch, "batch")
    assert rows == ["\0\ufffd\x1b"]
    assert (counters["fed"], counters["rejected"]) == (2, {"no-match": 1})


def test_an_empty_batch_has_no_line_and_an_empty_body_is_one_line() -> None:
    assert parsed(b"\0", "batch")[1]["fed"] == 0
    for data, kind in [(b"\x02\0\0\0", "batch"), (b"\0\0", "event")]:
        counters = parsed(data, kind)[1]
        assert (counters["fed"], counters["rejected"]) == (1, {"no-match": 1})


def test_an_event_with_a_header_that_is_not_utf_8_keeps_its_body() -> None:
    event = blocks([sized(b"\xff\xfe") + sized(b"\x80")], []) + sized(log_line(b"GET /a"))
    assert parsed(event, "event")[0] == ["GET /a"]
    assert parsed(blocks([event], []), "batch")[0] == ["GET /a"]


@many
@given(before=st.binary(max_size=9), after=st.binary(max_size=9), call=calls)
def test_only_the_bytes_of_the_span_are_parsed(
    before: bytes, after: bytes, call: tuple[bytes, str]
) -> None:
    data, kind = call
    span = (len(before), len(before) + len(data))
    found = _core.write_rows(
        before + data + after, kind=kind, span=span, format="classic", fields=["request"]
    )
    alone = _core.write_rows(
        data, kind=kind, span=(0, len(data)), format="classic", fields=["request"]
    )
    assert found == alone


# --- malformed calls ------------------------------------------------------------------------------


@many
@given(call=calls)
def test_a_call_truncated_anywhere_is_an_error(call: tuple[bytes, str]) -> None:
    data, kind = call
    for end in range(len(data)):
        with pytest.raises(_core.BatchError):
            parsed(data[:end], kind)


@many
@given(call=calls, more=st.binary(min_size=1, max_size=4))
def test_bytes_after_the_last_event_are_an_error(call: tuple[bytes, str], more: bytes) -> None:
    data, kind = call
    with pytest.raises(_core.BatchError, match=f"found {len(more)} more bytes at byte"):
        parsed(data + more, kind)


@many
@given(
    call=calls,
    changes=st.lists(
        st.tuples(
            st.integers(0, 200),
            st.integers(0, 2),
            st.binary(max_size=2) | st.sampled_from([long(-1), long(2**62), long(-(2**63))]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_changed_bytes_are_an_error_or_decoded_as_by_fastavro(
    call: tuple[bytes, str], changes: list[tuple[int, int, bytes]]
) -> None:
    data, kind = call
    for place, length, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + length :]
    try:
        counters = parsed(data, kind)[1]
    except _core.BatchError:
        return
    # Headers are skipped, so strings that fastavro rejects are accepted.
    try:
        found = decoded_by_fastavro(data, kind)
    except UnicodeDecodeError:
        return
    assert counters["fed"] == len(found)


@many
@given(data=st.binary(max_size=60), kind=st.sampled_from(["batch", "event"]))
def test_any_bytes_are_an_error_or_decoded_as_by_fastavro(data: bytes, kind: str) -> None:
    try:
        counters = parsed(data, kind)[1]
    except _core.BatchError:
        return
    try:
        found = decoded_by_fastavro(data, kind)
    except UnicodeDecodeError:
        return
    assert counters["fed"] == len(found)


@many
@given(
    found=st.lists(events(), min_size=1, max_size=4),
    wrong=st.integers(-3, 3).filter(bool) | st.integers(-(2**63), 2**63 - 1),
)
def test_a_block_with_a_wrong_size_is_an_error(found: list[bytes], wrong: int) -> None:
    size = sum(map(len, found))
    claimed = size + wrong if abs(wrong) < 4 else wrong
    assume(claimed != size)
    batch = long(-len(found)) + long(claimed) + b"".join(found) + b"\0"
    with pytest.raises(_core.BatchError, match=f"a block of .* bytes, found {size} at byte"):
        parsed(batch, "batch")


HUGE = [2**31, 2**31 - 1, 2**32, 2**62, 2**63 - 1, -1, -(2**31), -(2**62), -(2**63)]
# Bytes before and after a declared count or length.
CLAIMS = {
    "events": ("batch", b"", b"\0\0" * 10),
    "events of a second block": ("batch", b"\x02\0\0", b"\0\0" * 10),
    "headers": ("event", b"", b"\0\0" * 10),
    "headers in a batch": ("batch", b"\x02", b"\0\0" * 10),
    "length of a header's name": ("event", b"\x02", b"ab"),
    "length of a header's value": ("event", b"\x02\x02a", b"ab"),
    "length of a body": ("event", b"\0", b"ab"),
    "length of a body in a batch": ("batch", b"\x02\0", b"ab\0"),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_count_or_length_past_the_end_is_an_error_at_once(claim: str) -> None:
    kind, before, after = CLAIMS[claim]
    start = time.process_time()
    for huge in HUGE:
        # A negative count of a block is followed by its size, which is read as the next number.
        with pytest.raises(_core.BatchError):
            parsed(before + long(huge) + after, kind)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("size", [b"\x7f", b"\x01" * 10, long(2**62)])
def test_the_declared_size_of_a_block_allocates_nothing(size: bytes) -> None:
    start = time.process_time()
    for count in (-1, -(2**62), -(2**63)):
        with pytest.raises(_core.BatchError):
            parsed(long(count) + size + b"\0" * 1_000, "batch")
    assert time.process_time() - start < 1


@pytest.mark.parametrize("number", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\0", b"\xff" * 20])
def test_a_number_of_more_than_64_bits_is_an_error(number: bytes) -> None:
    for kind in ("batch", "event"):
        with pytest.raises(_core.BatchError, match="at most 64 bits, found a longer one at byte 0"):
            parsed(number + b"\0" * 20, kind)


def test_a_call_with_an_error_counts_nothing() -> None:
    good = b"\0" + sized(log_line(b"GET /a"))
    engine = counting.engine(
        formats=["classic"],
        by="url",
        time="arrival",
        limit=None,
        window_us=None,
        lateness_us=0,
        sources=1,
        start_us=0,
        hash_seed=1,
    )
    broken = blocks([good, good], [])[:-1]
    origin = {"source": 0, "format": "classic", "now_us": 0, "max_ahead_us": None}
    for data, kind in itertools.product([broken, broken + b"\x05"], ["batch", "event"]):
        with pytest.raises(_core.BatchError):
            engine.absorb(data, kind=kind, span=(0, len(data)), **origin)
    assert engine.lines()["fed"] == 0
    whole = broken + b"\0"
    engine.apply(engine.absorb(whole, kind="batch", span=(0, len(whole)), **origin))
    assert engine.lines()["fed"] == 2


@pytest.mark.parametrize("span", [(0, 3), (2, 1), (3, 3)])
def test_a_span_beyond_the_bytes_raises(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected a range within") as raised:
        _core.write_rows(b"\0\0", kind="event", span=span, format="classic", fields=["request"])
    assert not isinstance(raised.value, _core.BatchError)
