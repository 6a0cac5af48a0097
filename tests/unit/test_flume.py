"""
Flume's protocol, as bytes in and bytes out.

The golden bytes were recorded from Flume's own clients. All others are built by the small encoder
of `wire`, which shares no code with the package.
"""

import contextlib
import hashlib
import json
import random
import re
import ssl
import struct
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from wire import BOTH, FLUME_HASH, OK, call, frame, handshake, long, refusal, string

from tailrace._errors import ProtocolError
from tailrace._flume import (
    MAX_FRAME_BYTES,
    Batch,
    Frame,
    FrameDecoder,
    Protocols,
    ServerSession,
    Status,
    encode_frame,
)
from tailrace._flume.envelope import MAX_ENVELOPE_BYTES
from tailrace._flume.frames import MAX_FRAME_BUFFERS
from tailrace._flume.handshake import MAX_LEARNED_PROTOCOLS, OWN_HASH, OWN_PROTOCOL
from tailrace._flume.strangers import name_client

# No deadline: a loaded machine must not fail a test.
many = examples(60)

OTHER_HASH = bytes(range(16))

# --- golden bytes ---------------------------------------------------------------------------------

GREETING = FLUME_HASH + b"\x00" + FLUME_HASH + b"\x02\x00"
APPEND_BATCH = b"\x00\x16appendBatch"
STAMP = b"\x02\x12timestamp\x1a1500000000000\x00"
TWO_EVENTS = b"\x04" + STAMP + b"\x0cline00" + STAMP + b"\x0cline01" + b"\x00"
FIRST_REQUEST = (
    bytes.fromhex("00000001 00000002 00000030")
    + GREETING
    + APPEND_BATCH
    + bytes.fromhex("00000044")
    + TWO_EVENTS
)
APPEND_REQUEST = (
    bytes.fromhex("00000002 00000002 00000008")
    + b"\x00\x0cappend"
    + bytes.fromhex("00000008")
    + b"\x00\x0csingle"
)

OURS = b"\x02" + string(OWN_PROTOCOL) + b"\x02" + OWN_HASH + b"\x00"
CLIENT = b"\x02" + OURS
NONE = b"\x04" + OURS
UNKNOWN_MESSAGE = refusal("expected append or appendBatch, found a call of 'drop'")

# Bytes of a client, the parameters handed on, the replies if each batch is answered OK.
GOLDEN: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "append after appendBatch": (
        FIRST_REQUEST + APPEND_REQUEST,
        [TWO_EVENTS, b"\x00\x0csingle"],
        bytes.fromhex("00000001 00000001 00000007 00000000 000000")
        + bytes.fromhex("00000002 00000001 00000003 000000"),
    ),
    "a reconnected client continues its serials": (
        frame(57, GREETING + APPEND_BATCH, TWO_EVENTS),
        [TWO_EVENTS],
        bytes.fromhex("00000039 00000001 00000007 00000000 000000"),
    ),
    "NONE, then the protocol": (
        frame(1, handshake(OTHER_HASH), call("appendBatch", TWO_EVENTS))
        + frame(2, handshake(OTHER_HASH, OWN_HASH, OWN_PROTOCOL), call("appendBatch", b"\x00")),
        [b"\x00"],
        frame(1, NONE) + frame(2, BOTH + OK),
    ),
    "CLIENT": (
        frame(1, handshake(server=OTHER_HASH) + call("append", b"\x00\x00")),
        [b"\x00\x00"],
        frame(1, CLIENT + OK),
    ),
    "pings and an unknown message": (
        frame(1, handshake() + call(""))
        + frame(2, call("drop", b"\x00"))
        + frame(3, call(""))
        + frame(4, b"", call("append", b"\x00\x00"), b""),
        [b"\x00\x00"],
        frame(1, BOTH) + frame(2, UNKNOWN_MESSAGE) + frame(3, b"") + frame(4, OK),
    ),
    "metadata in two blocks, one with its size": (
        frame(
            1,
            handshake()[:-1] + b"\x01\x06\x02k\x00" + b"\x02\x02l\x02v" + b"\x00",
            call("append", b"\x00\x00", b"\x01\x06\x02k\x00" + b"\x02\x02l\x02v" + b"\x00"),
        ),
        [b"\x00\x00"],
        frame(1, BOTH + OK),
    ),
}


def converse(
    pieces: Iterable[bytes], protocols: Protocols | None = None
) -> tuple[list[Batch], bytes]:
    """Feed the pieces and answer every batch OK at once."""
    session = ServerSession(protocols or Protocols())
    batches: list[Batch] = []
    sent = b""
    for piece in pieces:
        for batch in session.receive(piece):
            batches.append(batch)
            session.answer(batch, Status.OK)
        sent += session.to_send()
    session.close()
    return batches, sent


def parameters(batches: Iterable[Batch]) -> list[bytes]:
    return [batch.message[batch.start :] for batch in batches]


def connected() -> ServerSession:
    session = ServerSession(Protocols())
    session.receive(frame(0, handshake() + call("")))
    session.to_send()
    return session


golden = pytest.mark.parametrize(
    ("stream", "expected", "replies"), GOLDEN.values(), ids=GOLDEN.keys()
)


@golden
def test_golden_bytes_are_parsed_and_answered(
    stream: bytes, expected: list[bytes], replies: bytes
) -> None:
    batches, sent = converse([stream])
    assert parameters(batches) == expected
    assert sent == replies


@golden
def test_a_read_may_end_anywhere(stream: bytes, expected: list[bytes], replies: bytes) -> None:
    whole = converse([stream])
    for cut in range(len(stream) + 1):
        assert converse([stream[:cut], stream[cut:]]) == whole
    assert converse(bytes([byte]) for byte in stream) == whole
    assert parameters(whole[0]) == expected
    assert whole[1] == replies


def test_a_batch_has_its_call_and_the_start_of_its_events() -> None:
    batches, _ = converse([FIRST_REQUEST + APPEND_REQUEST])
    assert batches == [
        Batch(serial=1, single=False, message=GREETING + APPEND_BATCH + TWO_EVENTS, start=48),
        Batch(serial=2, single=True, message=b"\x00\x0cappend\x00\x0csingle", start=8),
    ]


def test_the_announced_protocol_equals_javas_rendering() -> None:
    assert len(OWN_PROTOCOL) == 509
    md5 = hashlib.md5(OWN_PROTOCOL.encode(), usedforsecurity=False)
    assert md5.hexdigest() == "30da54059df72d9584b867d5202e2069"
    assert md5.digest() == OWN_HASH


# --- frames ---------------------------------------------------------------------------------------


def test_a_frame_is_encoded_as_one_buffer() -> None:
    assert encode_frame(7, b"abc") == bytes.fromhex("00000007 00000001 00000003 616263")
    assert encode_frame(7, b"") == bytes.fromhex("00000007 00000001 00000000")


def test_any_serial_is_echoed() -> None:
    for serial in (0, 2**24, 2**31 - 1, -(2**31), struct.unpack(">i", b"GET ")[0]):
        stream = frame(serial, handshake() + call("append", b"\x00\x00"))
        assert converse([stream])[1] == encode_frame(serial, BOTH + OK)


def test_a_buffer_may_be_empty_but_not_the_list_of_buffers() -> None:
    assert FrameDecoder().feed(frame(1, b"", b"a", b"", b"b", b"")) == [Frame(1, b"ab")]
    assert FrameDecoder().feed(frame(1, b"")) == [Frame(1, b"")]
    with pytest.raises(ProtocolError, match="expected 1 to 65536 buffers, found 0"):
        FrameDecoder().feed(frame(1))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (">ii", "buffers, found -1"),
        (">iii", "expected a length of at least 0, found -1"),
        (">iiii", "expected a length of at least 0, found -1"),
    ],
)
def test_negative_numbers_are_refused(claim: str, message: str) -> None:
    numbers = (1, 2, 0)[: len(claim) - 2]
    with pytest.raises(ProtocolError, match=message):
        FrameDecoder().feed(struct.pack(claim, *numbers, -1))


def test_the_longest_list_of_buffers_is_accepted_and_a_longer_one_refused() -> None:
    assert FrameDecoder().feed(frame(1, *[b""] * MAX_FRAME_BUFFERS)) == [Frame(1, b"")]
    with pytest.raises(ProtocolError, match="buffers, found 65537"):
        FrameDecoder().feed(struct.pack(">ii", 1, MAX_FRAME_BUFFERS + 1))


def test_the_total_length_of_a_frame_is_limited() -> None:
    most = struct.pack(">iii", 1, 2, MAX_FRAME_BYTES)
    assert FrameDecoder().feed(most) == []
    with pytest.raises(
        ProtocolError, match=r"expected at most 67108864 bytes, found at least 67108865"
    ):
        FrameDecoder().feed(struct.pack(">iii", 1, 1, MAX_FRAME_BYTES + 1))
    decoder = FrameDecoder()
    decoder.feed(struct.pack(">iii", 1, 2, 1) + b"a")
    with pytest.raises(ProtocolError, match="found at least 67108865"):
        decoder.feed(struct.pack(">i", MAX_FRAME_BYTES))


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack(">iii", 1, 1, MAX_FRAME_BYTES) + b"abc",
        struct.pack(">ii", 1, MAX_FRAME_BUFFERS),
        struct.pack(">iii", 1, 1, 2**31 - 1),
        struct.pack(">ii", 1, 2**31 - 1),
    ],
    ids=["64 MiB", "65536 buffers", "2 GiB", "2**31 buffers"],
)
def test_a_declared_length_allocates_nothing(stream: bytes) -> None:
    decoder = FrameDecoder()
    tracemalloc.start()
    try:
        decoder.feed(stream)
    except ProtocolError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * 1024


def test_a_large_frame_in_tiny_pieces_is_joined_in_memory_of_its_size() -> None:
    message = random.Random(1).randbytes(1024 * 1024)  # noqa: S311  any bytes will do
    stream = frame(1, *(message[i : i + 8192] for i in range(0, len(message), 8192)))
    pieces = [stream[i : i + 7] for i in range(0, len(stream), 7)]
    decoder = FrameDecoder()
    frames = [done for piece in pieces for done in decoder.feed(piece)]
    assert frames == [Frame(1, message)]

    tracemalloc.start()
    for piece in pieces[:-1]:
        decoder.feed(piece)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1.5 * len(message)


@many
@given(st.data())
def test_frames_are_decoded_from_pieces_of_any_size(data: st.DataObject) -> None:
    # Sizes around the threshold from which a piece is not copied at once.
    size = st.one_of(st.integers(0, 9), st.integers(4090, 4100), st.integers(8000, 9000))
    serials = st.integers(-(2**31), 2**31 - 1)
    sizes = data.draw(st.lists(st.tuples(serials, st.lists(size, min_size=1, max_size=5))))
    source = random.Random(2)  # noqa: S311  any bytes will do
    cut = [(serial, [source.randbytes(n) for n in each]) for serial, each in sizes]
    stream = b"".join(frame(serial, *buffers) for serial, buffers in cut)
    decoder = FrameDecoder()
    frames = []
    for piece in pieces_of(stream, data):
        frames += decoder.feed(piece)
    decoder.close()
    assert frames == [Frame(serial, b"".join(buffers)) for serial, buffers in cut]


def pieces_of(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@many
@given(
    st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), min_size=1, max_size=6),
    st.integers(1, 60),
)
def test_the_read_buffer_can_be_reused_after_each_read(
    messages: list[list[bytes]], size: int
) -> None:
    stream = b"".join(frame(serial, *buffers) for serial, buffers in enumerate(messages))
    buffer = bytearray(size)
    decoder = FrameDecoder()
    frames = []
    for start in range(0, len(stream), size):
        read = stream[start : start + size]
        buffer[: len(read)] = read
        frames += decoder.feed(memoryview(buffer)[: len(read)])
        buffer[:] = b"\xff" * size

    assert frames == [Frame(serial, b"".join(cut)) for serial, cut in enumerate(messages)]


def test_pending_bytes_are_counted_from_the_end_of_the_last_frame() -> None:
    one = frame(1, b"ab", b"", b"cde")
    decoder = FrameDecoder()
    for length in range(1, len(one)):
        decoder.feed(one[length - 1 : length])
        assert decoder.pending_bytes == length
    decoder.feed(one[-1:] + one + one[:9])
    assert decoder.pending_bytes == 9


@pytest.mark.parametrize(
    ("received", "least"), [(1, 12), (7, 12), (8, 16), (11, 16), (12, 18), (13, 18), (15, 18)]
)
def test_an_end_inside_a_frame_reports_how_many_bytes_are_missing(
    received: int, least: int
) -> None:
    decoder = FrameDecoder()
    decoder.feed(frame(1, b"ab", b"cde")[:received])
    message = f"^expected a whole frame, found only its first {received} of at least {least} bytes"
    with pytest.raises(ProtocolError, match=message):
        decoder.close()


def test_an_end_between_frames_is_accepted() -> None:
    decoder = FrameDecoder()
    decoder.close()
    decoder.feed(frame(1, b"ab"))
    decoder.close()


# --- peers that are not Flume clients -------------------------------------------------------------


def receive_all(session: ServerSession, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        session.receive(piece)


def tls_client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), outgoing, server_hostname="localhost"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


KAFKA_API_VERSIONS_3 = (
    bytes.fromhex("00000026 0012 0003 00000001")
    + b"\x00\x07rdkafka\x00"
    + b"\x0blibrdkafka\x062.3.0\x00"
)
THRIFT_OLD = struct.pack(">i", 6) + b"append\x01" + bytes(4)
THRIFT_BINARY = bytes.fromhex("80010001 00000006") + b"append" + bytes(8)
THRIFT_COMPACT = b"\x82\x21\x01\x06append" + bytes(8)
KAFKA_METADATA_1 = bytes.fromhex("00000015 0003 0001 00000000") + b"\x00\x07rdkafka\xff\xff\xff\xff"


STRANGERS = [
    (b"GET / HTTP/1.1\r\nHost: localhost:9092\r\n\r\n", "HTTP"),
    (b"POST /avro HTTP/1.1\r\nContent-Type: avro/binary\r\n\r\n", "HTTP"),
    (b"HEAD / HTTP/1.0\r\n\r\n", "HTTP"),
    (b"PUT /x HTTP/1.1\r\n\r\n", "HTTP"),
    (b"OPTIONS * HTTP/1.1\r\n\r\n", "HTTP"),
    (b"CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
    (tls_client_hello(), "TLS; give the receiver a certificate"),
    (bytes.fromhex("1603010200 010001fc 0303") + bytes(8), "TLS"),
    # A record of exactly 256 bytes: its first eight bytes pass as a frame of 65536 buffers.
    (bytes.fromhex("1603010100 010000fc 0303") + bytes(8), "TLS"),
    (KAFKA_API_VERSIONS_3, r"Kafka client \(API key 18, version 3\)"),
    (KAFKA_METADATA_1, r"Kafka client \(API key 3, version 1\)"),
    (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH client"),
    (b"DELETE /x HTTP/1.1\r\n\r\n", "HTTP"),
    (bytes.fromhex("802e0103010015000000100001"), "TLS"),
    (THRIFT_BINARY, "a Thrift client; set `type = avro` in the agent's sink"),
    (THRIFT_COMPACT, "a Thrift client"),
    (struct.pack(">i", len(THRIFT_BINARY)) + THRIFT_BINARY, "a Thrift client"),
    (struct.pack(">i", len(THRIFT_COMPACT)) + THRIFT_COMPACT, "a Thrift client"),
    (bytes.fromhex("0000002e 0fff0000 00000001 0001"), "a Thrift client"),
    (THRIFT_OLD, "a Thrift client"),
    (struct.pack(">i", len(THRIFT_OLD)) + THRIFT_OLD, "a Thrift client"),
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 4000 9092\r\n" + FIRST_REQUEST, "turn `send-proxy` off"),
    (b"PROXY UNKNOWN\r\n" + FIRST_REQUEST, "turn `send-proxy` off in the load balancer"),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12), "the PROXY protocol"),
    (b"<34>1 2026-11-30T00:00:00Z host app - - - text\n", "a syslog sender; send lines with"),
    (b"97 <34>1 2026-11-30T00:00:00Z host app - - - text", "a syslog sender"),
    (b"*1\r\n$4\r\nPING\r\n", "a Redis client"),
    (b"PING\r\nPING\r\n", "a Redis client"),
    (bytes.fromhex("00000008 04d2162f"), "a PostgreSQL client"),
    (b"\x10\x12\x00\x04MQTT\x04\x02", "an MQTT client"),
    (b"\xac\xed\x00\x05sr\x00\x21", "the Log4jAppender of Flume"),
    (b"2W\x00\x00\x00\x012J\x00\x00\x00\x01", "a Beats or Logstash client"),
    (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "a compressed file; send it with"),
    (b"127.0.0.1 - - [30/Nov/2026:00:00:00 +0000]", "plain text; send lines with `tailrace send"),
    (b'{"time":"2026-11-30T00:00:00Z"}\n', "or pipe them to `tailrace top -`"),
    ("ÄÖÜ ß\n".encode(), "plain text"),
    ("äöüäöüä€".encode(), "plain text"),
    ("äöü Ärger".encode("latin-1"), "plain text"),
    (b"80.12.3.4 - - [30/Nov/2026:00:00:00 +0000]", "plain text"),
    (b"hbase-master: started\n", "plain text"),
    (b"EHLO localhost\r\n", "an SMTP client"),
    (b"\x1b]0;owned\x07\r\n\r\n", "buffers, found 1870098021"),
]
STREAMS = [stream for stream, _ in STRANGERS]


@pytest.mark.parametrize(("stream", "named"), STRANGERS)
def test_a_wrong_peer_is_identified_by_its_first_bytes(stream: bytes, named: str) -> None:
    for pieces in ([stream], [bytes([byte]) for byte in stream]):
        session = ServerSession(Protocols())
        with pytest.raises(ProtocolError, match=named) as caught:
            receive_all(session, pieces)
        assert str(caught.value).isascii()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("stream", "named"),
    [
        (b"GET / H", "HTTP"),
        (b"hi\n", "plain text"),
        (b"AMQP\x00\x00\x09\x01", "an AMQP client"),
        (b"\r\n\r\n\0", "the PROXY protocol"),
        (bytes.fromhex("1603010100 010000"), "TLS"),
        (bytes.fromhex("1603"), "TLS"),
        (THRIFT_BINARY[:11], "a Thrift client"),
    ],
)
def test_a_stranger_that_ends_or_waits_inside_its_first_frame_is_identified(
    stream: bytes, named: str
) -> None:
    session = ServerSession(Protocols())
    session.receive(stream[:7])
    assert named in str(session.stranger())
    session.receive(stream[7:])
    with pytest.raises(ProtocolError, match=named) as caught:
        session.close()
    assert caught.value.kind.startswith("no Flume client (")


def test_a_stranger_whose_first_bytes_are_a_whole_frame_is_identified() -> None:
    with pytest.raises(ProtocolError, match="a Thrift client"):
        ServerSession(Protocols()).receive(
            bytes.fromhex("80010001 00000001") + struct.pack(">i", 4) + b"ping"
        )


@many
@given(st.binary(min_size=1, max_size=40) | st.sampled_from(STREAMS), st.integers(1, 40))
def test_what_an_operator_reads_of_any_first_bytes_is_plain(stream: bytes, length: int) -> None:
    session = ServerSession(Protocols())
    problems: list[ProtocolError] = []
    try:
        session.receive(stream[:length])
        problems += filter(None, [session.stranger()])
        session.close()
    except ProtocolError as error:
        problems.append(error)
    for problem in problems:
        assert re.search(r"expected .*, found ", str(problem))
        assert not re.search(r"index|range|codec|None|Error|struct|fastavro", str(problem))
        # Problems that differ only in what was found count together.
        assert not re.search(r"\d", problem.kind.replace("byte 0", ""))
        assert len(problem.kind) <= 60


@many
@given(
    st.integers(0, 2**24) | st.integers(-(2**31), 2**31 - 1),
    st.integers(1, MAX_FRAME_BUFFERS),
    st.integers(0, 8192),
)
def test_a_flume_client_is_never_mistaken_for_another_protocol(
    serial: int, buffers: int, length: int
) -> None:
    decoder = FrameDecoder()
    head = struct.pack(">iii", serial, buffers, length)
    assert decoder.feed(head) in ([], [Frame(serial, b"")])
    if 0 <= serial <= 2**24:
        # An agent that ends or waits anywhere in its first frame.
        stream = head + FIRST_REQUEST[12:]
        assert [name_client(stream[:end]) for end in range(1, 17)] == [None] * 16


def test_a_peer_is_identified_only_by_the_first_bytes_of_a_connection() -> None:
    with pytest.raises(ProtocolError, match="buffers, found") as caught:
        FrameDecoder().feed(frame(1, b"ab") + b"GET / HTTP/1.1\r\n")
    assert "HTTP" not in str(caught.value)


# --- the handshake --------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [FLUME_HASH, OWN_HASH])
@pytest.mark.parametrize("server", [FLUME_HASH, OWN_HASH])
def test_a_known_client_that_guesses_our_hash_gets_both(client: bytes, server: bytes) -> None:
    _, sent = converse([frame(1, handshake(client, server) + call("append", b"\x00\x00"))])
    assert sent == frame(1, BOTH + OK)


def test_a_known_client_with_a_wrong_server_hash_gets_our_protocol_and_its_call_is_taken() -> None:
    batches, sent = converse(
        [frame(1, handshake(server=OTHER_HASH) + call("append", b"\x00\x00")) + APPEND_REQUEST]
    )
    assert parameters(batches) == [b"\x00\x00", b"\x00\x0csingle"]
    assert sent == frame(1, CLIENT + OK) + frame(2, OK)


def test_an_unknown_client_must_send_its_protocol_and_its_events_are_not_taken() -> None:
    session = ServerSession(Protocols())
    assert session.receive(frame(1, handshake(OTHER_HASH), call("appendBatch", TWO_EVENTS))) == []
    assert session.to_send() == frame(1, NONE)
    assert session.open_batches == 0

    again = handshake(OTHER_HASH, OWN_HASH, OWN_PROTOCOL)
    (batch,) = session.receive(frame(2, again, call("appendBatch", TWO_EVENTS)))
    assert parameters([batch]) == [TWO_EVENTS]
    session.answer(batch, Status.OK)
    assert session.to_send() == frame(2, BOTH + OK)


def test_bytes_after_an_unknown_clients_hash_are_not_parsed() -> None:
    _, sent = converse([frame(1, handshake(OTHER_HASH) + b"\xff" * 100)])
    assert sent == frame(1, NONE)


def test_an_unknown_client_that_sends_its_protocol_at_once_needs_no_second_call() -> None:
    text = handshake(OTHER_HASH, OTHER_HASH, OWN_PROTOCOL)
    _, sent = converse([frame(1, text + call("append", b"\x00\x00"))])
    assert sent == frame(1, CLIENT + OK)


def test_a_protocol_is_learned_for_all_sessions_of_a_server() -> None:
    protocols = Protocols()
    converse([frame(1, handshake(OTHER_HASH, OWN_HASH, OWN_PROTOCOL) + call(""))], protocols)
    _, sent = converse([frame(1, handshake(OTHER_HASH, OWN_HASH) + call(""))], protocols)
    assert sent == frame(1, BOTH)


def test_learned_protocols_are_bounded_and_the_oldest_is_evicted() -> None:
    protocols = Protocols()
    hashes = [n.to_bytes(16, "big") for n in range(MAX_LEARNED_PROTOCOLS + 1)]
    for each in hashes:
        protocols.learn(each, OWN_PROTOCOL)
    assert not protocols.knows(hashes[0])
    assert all(protocols.knows(each) for each in (*hashes[1:], FLUME_HASH, OWN_HASH))


def test_the_metadata_of_a_handshake_may_be_null() -> None:
    null = handshake()[:-2] + b"\x00"
    _, sent = converse([frame(1, null + call("append", b"\x00\x00"))])
    assert sent == frame(1, BOTH + OK)


def test_the_handshake_answer_is_sent_with_the_first_reply() -> None:
    session = ServerSession(Protocols())
    first, second, third = session.receive(
        FIRST_REQUEST + APPEND_REQUEST + frame(3, call("append", b"\x00\x00"))
    )
    assert session.to_send() == b""
    session.answer(third, Status.FAILED)
    session.answer(second, Status.OK)
    assert session.to_send() == b""
    session.answer(first, Status.OK)
    assert session.to_send() == frame(1, BOTH + OK) + frame(3, b"\x00\x00\x02") + frame(2, OK)
    assert session.to_send() == b""


# --- protocols of other clients -------------------------------------------------------------------


def edited(edit: Callable[[Any], object]) -> str:
    protocol = json.loads(OWN_PROTOCOL)
    edit(protocol)
    return json.dumps(protocol)


def event_of(protocol: Any) -> Any:  # noqa: ANN401  JSON
    return protocol["types"][1]


def inline_types(protocol: Any) -> None:  # noqa: ANN401  JSON
    status, event = protocol.pop("types")
    protocol["messages"]["append"]["request"][0]["type"] = event
    protocol["messages"]["append"]["response"] = status


JAVA_STRING = {"type": "string", "avro.java.string": "String"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p["messages"].pop("append"),
        lambda p: p["messages"].pop("appendBatch"),
        lambda p: event_of(p)["fields"][0]["type"].update(values=JAVA_STRING),
        lambda p: event_of(p)["fields"][0]["type"].update({"avro.java.string": "String"}),
        lambda p: p["messages"].update(other={"request": [], "response": "null"}),
        lambda p: p.update(doc="a licence", namespace="some.where.else"),
        lambda p: p.pop("namespace"),
        lambda p: event_of(p).update(namespace="org.apache.flume.source.avro"),
        lambda p: p["messages"]["append"].update(response="org.apache.flume.source.avro.Status"),
        lambda p: p["messages"]["append"]["request"][0].update(name="x"),
        inline_types,
    ],
)
def test_a_protocol_with_the_same_messages_is_accepted(edit: Callable[[Any], object]) -> None:
    protocols = Protocols()
    protocols.learn(OTHER_HASH, edited(edit))
    assert protocols.knows(OTHER_HASH)


@pytest.mark.parametrize(
    ("edit", "missing"),
    [
        (lambda p: p["messages"].clear(), "expected append or appendBatch, found neither"),
        (lambda p: p.pop("messages"), "expected append or appendBatch, found neither"),
        (lambda p: p.update(messages=[]), "expected append or appendBatch, found neither"),
        (lambda p: p["messages"].update(append=3), "append: expected exactly one parameter"),
        (lambda p: p["messages"]["append"]["request"].append({}), "exactly one parameter"),
        (lambda p: p["messages"]["append"]["request"].clear(), "exactly one parameter"),
        (
            lambda p: p["messages"]["appendBatch"]["request"][0].update(type="AvroFlumeEvent"),
            "appendBatch: expected an array of events",
        ),
        (lambda p: event_of(p)["fields"].reverse(), "append: expected .* record of headers"),
        (lambda p: event_of(p)["fields"].pop(), "record of headers"),
        (lambda p: event_of(p)["fields"].append({"name": "x", "type": "int"}), "of headers"),
        (lambda p: event_of(p)["fields"][1].update(type="string"), "of headers"),
        (lambda p: event_of(p)["fields"][0]["type"].update(values="bytes"), "of headers"),
        (lambda p: event_of(p)["fields"][0].update(type=["null", "string"]), "of headers"),
        (lambda p: event_of(p)["fields"].insert(0, None), "of headers"),
        (lambda p: event_of(p).update(fields=7), "of headers"),
        (lambda p: event_of(p).update(type="error"), "of headers"),
        (lambda p: p.pop("types"), "of headers"),
        (
            lambda p: p["types"][0]["symbols"].reverse(),
            "expected an enum as result, with OK as its first symbol",
        ),
        (
            lambda p: p["types"][0].update(symbols="OK"),
            "expected an enum as result, with OK as its first symbol",
        ),
        (
            lambda p: p["messages"]["appendBatch"].update(response="null"),
            "appendBatch: expected an enum",
        ),
    ],
)
def test_a_protocol_with_other_messages_is_refused_with_what_is_missing(
    edit: Callable[[Any], object], missing: str
) -> None:
    protocols = Protocols()
    stream = frame(1, handshake(OTHER_HASH, OWN_HASH, edited(edit)) + call(""))
    with pytest.raises(ProtocolError, match=missing):
        converse([stream], protocols)
    assert not protocols.knows(OTHER_HASH)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 60_000, "null", "7", "[]", '"x"', "9" * 5000, '{"messages": {"\\ud800'],
)
def test_text_that_is_not_a_protocol_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"the client's protocol"):
        Protocols().learn(OTHER_HASH, text)


json_values = st.recursive(
    st.none() | st.integers() | st.sampled_from(["record", "enum", "array", "map", "append", "x"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "types",
                    "name",
                    "namespace",
                    "fields",
                    "items",
                    "values",
                    "request",
                    "response",
                ]
            ),
            inner,
        )
    ),
)


@many
@given(st.sampled_from(["types", "namespace", "append", "request", "type", "fields"]), json_values)
def test_any_json_is_accepted_as_a_protocol_or_refused(where: str, value: object) -> None:
    def put(protocol: Any) -> None:  # noqa: ANN401  JSON
        places = {
            "append": protocol["messages"],
            "request": protocol["messages"]["append"],
            "type": protocol["messages"]["append"]["request"][0],
            "fields": event_of(protocol),
        }
        places.get(where, protocol)[where] = value

    with contextlib.suppress(ProtocolError):
        Protocols().learn(OTHER_HASH, edited(put))


# --- calls and replies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reply"), [(0, b"\x00\x00\x00"), (1, b"\x00\x00\x02"), (2, b"\x00\x00\x04")]
)
def test_a_status_is_one_byte_after_the_metadata_and_flag(status: int, reply: bytes) -> None:
    session = connected()
    (batch,) = session.receive(frame(9, call("append", b"\x00\x00")))
    session.answer(batch, Status(status))
    assert session.to_send() == frame(9, reply)


def test_an_unknown_message_is_refused_and_the_connection_stays() -> None:
    session = ServerSession(Protocols())
    assert session.receive(frame(1, handshake() + call("drop", b"\x00"))) == []
    assert session.to_send() == frame(1, BOTH + UNKNOWN_MESSAGE)
    (batch,) = session.receive(APPEND_REQUEST)
    assert parameters([batch]) == [b"\x00\x0csingle"]


def test_the_name_of_an_unknown_message_is_shown_escaped_and_short() -> None:
    session = connected()
    session.receive(frame(1, call("\x1b[31mé" + "x" * 100)))
    expected = f"expected append or appendBatch, found a call of '\\x1b[31m\\xe9{'x' * 34}'..."
    assert session.to_send() == frame(1, refusal(expected))


def test_open_batches_can_be_answered_once_in_any_order() -> None:
    session = connected()
    first, second = session.receive(
        frame(1, call("append", b"\x00\x00")) + frame(2, call("append", b"\x00\x00"))
    )
    assert session.open_batches == 2
    session.answer(second, Status.OK)
    session.answer(first, Status.FAILED)
    assert session.open_batches == 0
    assert session.to_send() == frame(2, OK) + frame(1, b"\x00\x00\x02")
    with pytest.raises(ValueError, match="an open batch of this session, found serial 1"):
        session.answer(first, Status.OK)
    assert session.to_send() == b""


def test_a_batch_of_another_session_is_not_answered_here() -> None:
    here, there = connected(), connected()
    (mine,) = here.receive(APPEND_REQUEST)
    (other,) = there.receive(APPEND_REQUEST)
    assert mine == other
    with pytest.raises(ValueError, match="an open batch of this session"):
        here.answer(other, Status.OK)
    assert here.open_batches == 1


def test_a_serial_can_be_reused_only_after_its_answer() -> None:
    session = connected()
    (batch,) = session.receive(APPEND_REQUEST)
    session.answer(batch, Status.OK)
    session.receive(APPEND_REQUEST)
    with pytest.raises(ProtocolError, match="serial 2 is reused"):
        session.receive(APPEND_REQUEST)


def test_batches_received_together_with_an_error_are_not_left_open() -> None:
    session = connected()
    (before,) = session.receive(frame(1, call("append", b"\x00\x00")))
    with pytest.raises(ProtocolError, match="expected Avro data, found"):
        session.receive(APPEND_REQUEST + frame(3, b"\xff"))
    assert session.open_batches == 1
    session.answer(before, Status.OK)
    assert session.to_send() == frame(1, OK)


def test_a_batch_can_be_answered_after_the_peer_stopped_sending() -> None:
    session = connected()
    (batch,) = session.receive(APPEND_REQUEST)
    session.close()
    session.answer(batch, Status.OK)
    assert session.to_send() == frame(2, OK)


def test_a_session_reports_an_end_inside_a_frame() -> None:
    session = ServerSession(Protocols())
    session.receive(FIRST_REQUEST + APPEND_REQUEST[:9])
    assert session.pending_bytes == 9
    assert session.open_batches == 1
    with pytest.raises(ProtocolError, match="found only its first 9 of at least 16 bytes"):
        session.close()


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, bytes, bytes]:
    name = draw(st.sampled_from(["append", "appendBatch", "appendBatch", "", "drop"]))
    parameter = draw(st.binary(max_size=40))
    pairs = draw(st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=3))
    blocks = b""
    for key, value in pairs:
        pair = string(key) + long(len(value)) + value
        sized = draw(st.booleans())
        blocks += (long(-1) + long(len(pair)) if sized else long(1)) + pair
    return name, parameter, blocks + b"\x00"


@many
@given(st.lists(calls(), min_size=1, max_size=8), st.data())
def test_pipelined_calls_are_separated_in_pieces_of_any_size(
    sent: list[tuple[str, bytes, bytes]], data: st.DataObject
) -> None:
    stream, expected, answers = b"", [], {}
    for serial, (name, parameter, metadata) in enumerate(sent, start=5):
        message = call(name, parameter, metadata)
        prefix = BOTH if serial == 5 else b""
        if serial == 5:
            message = handshake() + message
        stream += frame(serial, *pieces_of(message, data))
        if name.startswith("append"):
            expected.append((serial, name == "append", parameter))
        answers[serial] = prefix + {"": b"", "drop": UNKNOWN_MESSAGE}.get(name, OK)

    session = ServerSession(Protocols())
    batches: list[Batch] = []
    for piece in pieces_of(stream, data):
        batches += session.receive(piece)
    got = [(batch.serial, batch.single, batch.message[batch.start :]) for batch in batches]
    assert got == expected
    for batch in data.draw(st.permutations(batches)):
        session.answer(batch, Status.OK)
    replies = FrameDecoder().feed(session.to_send())
    assert replies[0] == Frame(5, answers[5])
    assert {reply.serial: reply.message for reply in replies} == answers
    assert len(replies) == len(sent)


# --- hostile bytes --------------------------------------------------------------------------------


def provoke(stream: bytes, session: ServerSession | None = None) -> None:
    """Feed any bytes: the session accepts them or raises a printable ProtocolError."""
    session = session or ServerSession(Protocols())
    reason = ""
    try:
        for batch in session.receive(stream):
            assert 0 < batch.start <= len(batch.message)
            session.answer(batch, Status.OK)
        session.close()
    except ProtocolError as error:
        reason = str(error)
    assert reason.isascii()
    assert reason.isprintable()
    FrameDecoder().feed(session.to_send())


@many
@given(st.binary())
def test_any_bytes_are_accepted_or_refused(stream: bytes) -> None:
    provoke(stream)


@many
@given(st.binary())
def test_any_first_message_is_accepted_or_refused(message: bytes) -> None:
    provoke(frame(1, message))
    provoke(frame(1, FLUME_HASH + message))
    provoke(frame(1, handshake() + message))


@many
@given(st.lists(st.binary(), min_size=1))
def test_any_later_message_is_accepted_or_refused(messages: list[bytes]) -> None:
    stream = b"".join(frame(serial, message) for serial, message in enumerate(messages))
    provoke(stream, connected())


@many
@given(st.sampled_from([stream for stream, _, _ in GOLDEN.values()]), st.data())
def test_damaged_streams_are_accepted_or_refused(stream: bytes, data: st.DataObject) -> None:
    damaged = bytearray(stream)
    interesting = st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["replace", "insert", "delete", "truncate"]))
        if kind == "replace":
            damaged[at] = data.draw(interesting)
        elif kind == "insert":
            damaged.insert(at, data.draw(interesting))
        elif kind == "delete" and len(damaged) > 1:
            del damaged[at]
        elif at:
            del damaged[at:]
    provoke(bytes(damaged))


def test_every_truncated_first_message_is_refused() -> None:
    message = handshake(OTHER_HASH, OWN_HASH, OWN_PROTOCOL) + call("append", b"")
    for length in range(len(message)):
        with pytest.raises(ProtocolError, match="expected Avro data, found"):
            ServerSession(Protocols()).receive(frame(1, message[:length]))


@pytest.mark.parametrize("count", [2**62, 2**63 - 1, 2**31, -1, -(2**62), -(2**63) + 1])
@pytest.mark.parametrize("filling", [b"", b"\x00" * 200_000, b"\x02a" * 100_000, b"\xff" * 200_000])
def test_huge_declared_counts_and_lengths_cost_no_more_than_the_message(
    count: int, filling: bytes
) -> None:
    tracemalloc.start()
    for message in (
        long(count) + filling,  # pairs of metadata
        b"\x02" + long(count) + filling,  # bytes of a key
        b"\x02\x02k" + long(count) + filling,  # bytes of a value
        b"\x00" + long(count) + filling,  # bytes of the name
    ):
        provoke(frame(1, message), connected())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("where", [b"", b"\x02", b"\x02\x02k", b"\x00"])
@pytest.mark.parametrize("count", [2**62, 2**63 - 1, 2**31, 5])
def test_a_count_or_length_past_the_end_is_refused(where: bytes, count: int) -> None:
    with pytest.raises(ProtocolError, match="expected Avro data, found"):
        connected().receive(frame(1, where + long(count) + b"\x00" * 4))


def test_the_size_of_the_part_before_the_events_is_limited() -> None:
    def pairs(size: int) -> bytes:
        return b"\x02\x02k" + long(size) + bytes(size) + b"\x00"

    (batch,) = connected().receive(frame(1, call("append", b"\x00\x00", pairs(60_000))))
    assert parameters([batch]) == [b"\x00\x00"]
    message = f"found no end within the first {MAX_ENVELOPE_BYTES} bytes"
    with pytest.raises(ProtocolError, match=message):
        connected().receive(frame(1, call("append", b"\x00\x00", pairs(MAX_ENVELOPE_BYTES))))
