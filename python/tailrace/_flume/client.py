"""
The client side of one connection: batches in, bytes out; bytes in, answers out.

It does what Flume's Avro sink does, except for timeouts and resending, which are left to the owner
of the socket. It does no I/O and reads no clock.
"""

from dataclasses import dataclass
from typing import Final

from tailrace._errors import ProtocolError
from tailrace._flume import envelope
from tailrace._flume.frames import MAX_FRAME_BYTES, Frame, FrameDecoder, encode_buffers
from tailrace._flume.handshake import (
    APPEND_BATCH,
    FLUME_HASH,
    OWN_HASH,
    OWN_PROTOCOL,
    check_protocol,
)
from tailrace._flume.session import Status
from tailrace._flume.strangers import name_server

__all__ = ["MAX_PARAMETER_BYTES", "Answer", "ClientSession"]

_CALL: Final = envelope.encode_call(APPEND_BATCH)

# The maximum parameter size, so that a frame has room for a handshake with its protocol as well.
MAX_PARAMETER_BYTES: Final = MAX_FRAME_BYTES - envelope.MAX_ENVELOPE_BYTES

# Only the hash: every Flume receiver knows it, and needs no protocol text.
_HANDSHAKE: Final = envelope.encode_handshake_request(FLUME_HASH, None, FLUME_HASH)

# Serials are integers of 32 bits; like Java's they run over into the negative.
_SERIALS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call: a status, or the text of an error instead."""

    call: int
    status: Status | None
    error: str | None = None


class ClientSession:
    """
    One connection, from its first byte to its last.

    Calls may be sent without waiting for answers, except that nothing may follow the first call,
    with its handshake, before its answer. A `ProtocolError` is final: the connection must be
    closed, and the outcome of open calls is unknown.
    """

    def __init__(self) -> None:
        self._decoder = FrameDecoder(name_server)
        self._connected = False
        self._protocol_sent = False
        # The parameter of the first call, while it may have to be sent again.
        self._first: bytes | None = None
        self._serial = 0
        self._calls = 0
        # Open calls: the serial on the wire, and the number returned by `call`.
        self._open: dict[int, int] = {}
        # Pieces, so that a large parameter is copied once.
        self._out: list[bytes] = []

    @property
    def open_calls(self) -> int:
        """The number of calls without an answer."""
        return len(self._open)

    def call(self, parameter: bytes) -> int:
        """
        Send an `appendBatch`, and return the call number, which its answer repeats.

        Raises:
            ValueError: The first call is not answered yet, or the parameter is too large.
        """
        if len(parameter) > MAX_PARAMETER_BYTES:
            raise ValueError(
                f"parameter: expected at most {MAX_PARAMETER_BYTES} bytes, found {len(parameter)}"
            )
        if self._first is not None:
            raise ValueError("nothing may follow the first call before its answer")
        self._calls += 1
        if self._connected:
            self._send(self._calls, _CALL, parameter)
        else:
            self._first = parameter
            self._send(self._calls, _HANDSHAKE + _CALL, parameter)
        return self._calls

    def receive(self, data: bytes) -> list[Answer]:
        """
        Read the next bytes and return the answers that they complete, in order.

        Call `to_send` afterwards, even if there is no answer.

        Raises:
            ProtocolError: The peer is not a Flume receiver, or violates the protocol.
        """
        answers = [self._receive_frame(frame) for frame in self._decoder.feed(data)]
        return [answer for answer in answers if answer is not None]

    def to_send(self) -> bytes:
        """Return the bytes to write to the peer, and clear them."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def close(self) -> None:
        """
        Record that the peer has closed its side.

        Raises:
            ProtocolError: The connection ended inside a frame.
        """
        self._decoder.close()

    def _send(self, call: int, *buffers: bytes) -> None:
        self._serial = (self._serial + 1 + _SERIALS // 2) % _SERIALS - _SERIALS // 2
        self._open[self._serial] = call
        self._out += encode_buffers(self._serial, buffers)

    def _receive_frame(self, frame: Frame) -> Answer | None:
        serial, message = frame.serial, frame.message
        call = self._open.pop(serial, None)
        if call is None:
            raise ProtocolError(f"expected an answer to an open call, found serial {serial}")
        start = 0
        if not self._connected:
            answer = envelope.read_handshake_answer(message)
            if answer.server_protocol is not None:
                check_protocol(answer.server_protocol, "the receiver's protocol")
            if answer.match == "NONE":
                self._send_protocol(call, answer.server_hash)
                return None
            self._connected = True
            self._first = None
            start = answer.end
        reply = envelope.read_reply(message, start)
        if reply.error is not None:
            return Answer(call, None, reply.error)
        try:
            return Answer(call, Status(reply.index))
        except ValueError as error:
            raise ProtocolError(f"expected a status from 0 to 2, found {reply.index}") from error

    def _send_protocol(self, call: int, server_hash: bytes | None) -> None:
        """Send the first call again with the protocol text; it was not executed."""
        if self._protocol_sent or self._first is None:
            raise ProtocolError("the receiver does not accept Flume's protocol")
        self._protocol_sent = True
        # The hash must be that of this text. Flume's own hash is that of a text with a licence, and
        # a receiver that learns a text stores it under the hash for all later clients.
        handshake = envelope.encode_handshake_request(
            OWN_HASH, OWN_PROTOCOL, server_hash or FLUME_HASH
        )
        self._send(call, handshake + _CALL, self._first)
