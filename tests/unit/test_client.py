"""The client side of Flume's protocol as bytes in and out, and the encoding of batches."""

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
from announced import CLIENT, NONE, OTHER_HASH, decoded, handshake_answer
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from wire import BOTH, FAILED, OK, SHORT_HASH, UNKNOWN, call, frame, refusal, string

from tailrace._core import MAX_LINE_BYTES, Batcher
from tailrace._errors import ProtocolError
from tailrace._flume import Answer, ClientSession, Status
from tailrace._flume.client import MAX_PARAMETER_BYTES
from tailrace._flume.frames import MAX_FRAME_BYTES
from tailrace._flume.handshake import OWN_PROTOCOL

# No deadline: a loaded machine must not fail a test.
many = examples(60)

STAMP = b"\x02\x12timestamp\x1a1500000000000\x00"
TWO_EVENTS = b"\x04" + STAMP + b"\x0cline00" + STAMP + b"\x0cline01" + b"\x00"
# Recorded from Flume's own client: handshake and call, then the events.
FIRST_REQUEST = (
    bytes.fromhex("00000001 00000002 00000030")
    + bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65 00 86aadae2c45474c0fe93ffd0f2350a65 0200")
    + bytes.fromhex("00 16617070656e644261746368")
    + bytes.fromhex("00000044")
    + TWO_EVENTS
)


def connected() -> ClientSession:
    """Return a session whose first call was answered."""
    session = ClientSession()
    session.call(b"\x00")
    session.to_send()
    session.receive(frame(1, BOTH + OK))
    return session


def receive_all(session: ClientSession, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        session.receive(piece)
    session.close()


def test_the_first_call_equals_that_of_flumes_own_client_byte_for_byte():
    session = ClientSession()
    assert session.call(TWO_EVENTS) == 1
    assert session.to_send() == FIRST_REQUEST
    assert session.to_send() == b""
    assert session.open_calls == 1


def test_later_calls_have_no_handshake_and_a_serial_of_their_own():
    session = connected()
    assert session.call(TWO_EVENTS) == 2
    assert session.to_send() == frame(2, call("appendBatch"), TWO_EVENTS)
    assert session.receive(frame(2, OK)) == [Answer(2, Status.OK)]


def test_nothing_is_sent_after_the_handshake_before_its_answer():
    session = ClientSession()
    session.call(TWO_EVENTS)
    with pytest.raises(ValueError, match="before its answer"):
        session.call(TWO_EVENTS)
    session.receive(frame(1, BOTH + OK))
    assert session.call(TWO_EVENTS) == 2


def test_a_parameter_too_large_for_a_frame_is_refused():
    with pytest.raises(ValueError, match="at most"):
        ClientSession().call(bytes(MAX_PARAMETER_BYTES + 1))
    assert MAX_PARAMETER_BYTES + 2_000 < MAX_FRAME_BYTES


REPLIES = {
    "OK": (OK, Answer(1, Status.OK)),
    "FAILED": (FAILED, Answer(1, Status.FAILED)),
    "UNKNOWN": (UNKNOWN, Answer(1, Status.UNKNOWN)),
    "a system error": (refusal("boom é"), Answer(1, None, "boom é")),
    "metadata in front": (b"\x01\x06\x02k\x00\x02\x02l\x02v\x00" + OK[1:], Answer(1, Status.OK)),
    "a number in two bytes": (b"\x00\x00\x82\x00", Answer(1, Status.FAILED)),
}
replies = pytest.mark.parametrize(("reply", "expected"), REPLIES.values(), ids=REPLIES)


@replies
@pytest.mark.parametrize("greeting", [BOTH, CLIENT], ids=["BOTH", "CLIENT"])
def test_every_reply_of_a_receiver_is_parsed_in_pieces_of_any_size(
    reply: bytes, expected: Answer, greeting: bytes
):
    message = greeting + reply
    # Buffers may end anywhere and may be empty.
    stream = frame(1, b"", message[:3], b"", message[3:])
    for cut in range(len(stream) + 1):
        session = ClientSession()
        session.call(TWO_EVENTS)
        session.to_send()
        answers = session.receive(stream[:cut]) + session.receive(stream[cut:])
        assert answers == [expected]
        assert session.to_send() == b""
        assert session.open_calls == 0
        session.close()


@replies
def test_later_replies_have_no_handshake(reply: bytes, expected: Answer):
    session = connected()
    session.call(TWO_EVENTS)
    assert session.receive(frame(2, reply)) == [Answer(2, expected.status, expected.error)]


def test_answers_are_matched_by_their_serial():
    session = connected()
    calls = [session.call(TWO_EVENTS) for _ in range(3)]
    assert calls == [2, 3, 4]
    stream = frame(4, OK) + frame(2, FAILED) + frame(3, refusal("x"))
    assert session.receive(stream) == [
        Answer(4, Status.OK),
        Answer(2, Status.FAILED),
        Answer(3, None, "x"),
    ]


def test_a_receiver_that_does_not_know_the_protocol_gets_it_with_the_same_call():
    session = ClientSession()
    assert session.call(TWO_EVENTS) == 1
    session.to_send()
    assert session.receive(frame(1, NONE)) == []
    explained = SHORT_HASH + b"\x02" + string(OWN_PROTOCOL) + OTHER_HASH + b"\x02\x00"
    assert session.to_send() == frame(2, explained + call("appendBatch"), TWO_EVENTS)
    assert session.open_calls == 1
    # The serial under which the batch was handed over.
    assert session.receive(frame(2, BOTH + OK)) == [Answer(1, Status.OK)]
    assert session.call(b"\x00") == 2
    assert session.to_send() == frame(3, call("appendBatch"), b"\x00")


def test_a_receiver_that_answers_none_twice_is_an_error():
    session = ClientSession()
    session.call(TWO_EVENTS)
    session.receive(frame(1, NONE))
    with pytest.raises(ProtocolError, match="does not accept Flume's protocol"):
        session.receive(frame(2, NONE))


@pytest.mark.parametrize("match", [b"\x02", b"\x04"], ids=["CLIENT", "NONE"])
def test_a_receiver_with_another_protocol_is_refused(match: bytes):
    session = ClientSession()
    session.call(TWO_EVENTS)
    session.to_send()
    spark = '{"protocol":"SparkFlumeProtocol","messages":{"ack":{}}}'
    with pytest.raises(
        ProtocolError, match="receiver's protocol: expected append or appendBatch, found neither"
    ):
        session.receive(frame(1, handshake_answer(match, spark) + OK))
    assert session.to_send() == b""


def test_serials_overflow_as_in_java():
    session = connected()
    session._serial = 2**31 - 1
    session.call(b"\x00")
    assert session.to_send() == frame(-(2**31), call("appendBatch"), b"\x00")
    assert session.receive(frame(-(2**31), OK)) == [Answer(2, Status.OK)]


@pytest.mark.parametrize(
    ("stream", "named"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "an HTTP server"),
        (b"\x15\x03\x03\x00\x02\x02\x0a", "set `ssl = false` in the agent's source"),
        (b"\x78\x9c\x62\x60\x60\x60\x64", "set `compression-type = none` in the agent's source"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH server"),
        (b"\x00\x00\x00\x01\xff\xff\xff\xff", "buffers, found -1"),
        (frame(7, BOTH + OK), "expected an answer to an open call, found serial 7"),
        (frame(1, BOTH + OK) * 2, "expected an answer to an open call, found serial 1"),
        (frame(1, b""), "the answer to the handshake, at byte 0: expected Avro data, found"),
        (frame(1, b"\x06\x00\x00\x00" + OK), "the answer to the handshake"),
        (frame(1, BOTH), "the reply's metadata, at byte 4: expected Avro"),
        (frame(1, BOTH + b"\x00\x00"), "the reply's value, at byte 6: expected Avro"),
        (frame(1, BOTH + b"\x00\x00\x06"), "expected a status from 0 to 2, found 3"),
        (frame(1, BOTH + b"\x00\x00\x01"), "expected a status from 0 to 2, found -1"),
        (
            frame(1, BOTH + b"\x00\x01\x02\x00"),
            "expected an error of branch 0, a string, found branch 1",
        ),
    ],
)
def test_a_peer_that_is_not_a_flume_receiver_is_identified(stream: bytes, named: str):
    for pieces in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        session = ClientSession()
        session.call(TWO_EVENTS)
        with pytest.raises(ProtocolError, match=named) as caught:
            receive_all(session, pieces)
        assert str(caught.value).isprintable()


def test_an_end_inside_an_answer_is_an_error():
    session = ClientSession()
    session.call(TWO_EVENTS)
    session.receive(frame(1, BOTH + OK)[:-1])
    with pytest.raises(ProtocolError, match="found only its first"):
        session.close()


@many
@given(st.binary(max_size=60), st.sampled_from([b"", BOTH, CLIENT, NONE]), st.booleans())
def test_any_answer_is_parsed_or_refused(rest: bytes, greeting: bytes, framed: bool):  # noqa: FBT001 - hypothesis
    session = ClientSession()
    session.call(TWO_EVENTS)
    with contextlib.suppress(ProtocolError):
        receive_all(session, [frame(1, greeting + rest) if framed else greeting + rest])


# --- encoding of batches --------------------------------------------------------------------------


# fastavro decodes what the core encodes.
def batches_of(
    pieces: Iterable[bytes], headers: list[tuple[str, str]], size: int
) -> list[list[Any]]:
    batcher = Batcher(size=size, max_bytes=MAX_PARAMETER_BYTES)
    encoded = []
    for piece in pieces:
        at = 0
        while at < len(piece):
            at, batch = batcher.take(piece, at, headers=headers)
            encoded.append(batch)
    encoded += [batcher.end_text(headers=headers), batcher.flush()]
    assert batcher.pending == 0
    batches = [(decoded(batch[0]), batch[1]) for batch in encoded if batch is not None]
    assert all(len(events) == count for events, count in batches)
    return [events for events, _ in batches]


@many
@given(
    st.binary(max_size=200).map(lambda text: text.replace(b"\x07", b"\n")),
    st.dictionaries(st.text(max_size=80), st.text(max_size=200), max_size=3),
    st.integers(1, 5),
    st.data(),
)
def test_every_line_becomes_an_event_and_every_batch_but_the_last_is_full(
    text: bytes, headers: dict[str, str], size: int, data: st.DataObject
):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    batches = batches_of(pieces, list(headers.items()), size)

    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    events = [event for batch in batches for event in batch]
    assert [event["body"] for event in events] == lines
    assert all(event["headers"] == headers for event in events)
    assert all(len(batch) == size for batch in batches[:-1])


@pytest.mark.parametrize("length", [0, 63, 64, 8191, 8192, MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_lengths_of_any_size_are_encoded(length: int):
    body = bytes(length).replace(b"\x00", b"x")
    name = "h" * max(length, 1)
    ((event,),) = batches_of([body + b"\n"], [(name, "")], 10)
    assert event == {"headers": {name: ""}, "body": body}


def test_invalid_calls_of_the_batcher_are_refused():
    with pytest.raises(ValueError, match="at least 1 event"):
        Batcher(size=0, max_bytes=1_000)
    with pytest.raises(ValueError, match="expected at most 3, found 4"):
        Batcher(size=1, max_bytes=1_000).take(b"a\nb", 4, headers=[])


def test_the_largest_parameter_fits_a_frame_even_after_the_protocol():
    session = ClientSession()
    session.call(bytes(MAX_PARAMETER_BYTES))
    session.to_send()
    session.receive(frame(1, NONE))
    assert len(session.to_send()) < MAX_FRAME_BYTES
