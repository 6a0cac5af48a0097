"""
The client's side of one connection: batches in, bytes out; bytes in, answers out.

What Flume's Avro sink does, without its timeouts and without sending anything again: that is for
who owns the socket. It does no I/O and knows no time.
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

__all__ = ["MAX_PARAMETER_BYTES", "Answer", "ClientSession"]

_CALL: Final = envelope.encode_call(APPEND_BATCH)

# What a parameter may have, so that it fits into a frame behind a handshake with its protocol.
MAX_PARAMETER_BYTES: Final = MAX_FRAME_BYTES - envelope.MAX_ENVELOPE_BYTES

# Nothing but the hash: every receiver of Flume's knows it, and needs no text.
_GREETING: Final = envelope.encode_handshake_request(FLUME_HASH, None, FLUME_HASH)

# How much of what a wrong peer says first is kept, to name it.
_HEARD_BYTES: Final = 8

# Serials are integers of 32 bits; like Java's they run over into the negative.
_SERIALS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call: a status, or the text of the error that came instead."""

    call: int
    status: Status | None
    error: str | None = None


class ClientSession:
    """
    One connection, from its first byte to its last.

    Calls may follow each other without waiting, but for the first: nothing may follow the
    handshake before its answer. A `ProtocolError` is final: the connection has to end, and nobody
    knows what became of the calls that are open.
    """

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._greeted = False
        self._explained = False
        # The parameter of the first call, for as long as it may have to be sent again.
        self._first: bytes | None = None
        self._serial = 0
        self._calls = 0
        # Open calls: the serial on the wire, and the number that the caller knows.
        self._open: dict[int, int] = {}
        # Pieces, so that a large parameter is copied once.
        self._out: list[bytes] = []
        self._heard = b""

    @property
    def open_calls(self) -> int:
        """How many calls were made and not answered."""
        return len(self._open)

    def call(self, parameter: bytes) -> int:
        """
        Send an `appendBatch`, and return the number under which it is answered.

        Raises:
            ValueError: The first call is not answered yet, or the parameter is too large.
        """
        if len(parameter) > MAX_PARAMETER_BYTES:
            raise ValueError(f"{len(parameter)} bytes, at most {MAX_PARAMETER_BYTES} fit a frame")
        if self._first is not None:
            raise ValueError("nothing may follow the first call before its answer")
        self._calls += 1
        if self._greeted:
            self._send(self._calls, _CALL, parameter)
        else:
            self._first = parameter
            self._send(self._calls, _GREETING + _CALL, parameter)
        return self._calls

    def receive(self, data: bytes) -> list[Answer]:
        """
        Take the next bytes and return the answers that they complete, in order.

        There may be something `to_send` afterwards even if there is no answer.

        Raises:
            ProtocolError: The peer is no Flume receiver, or a broken one.
        """
        if len(self._heard) < _HEARD_BYTES:
            self._heard += data[: _HEARD_BYTES - len(self._heard)]
        try:
            frames = self._decoder.feed(data)
        except ProtocolError as error:
            raise ProtocolError(_name_peer(self._heard) or str(error)) from error
        answers = [self._take(frame) for frame in frames]
        return [answer for answer in answers if answer is not None]

    def to_send(self) -> bytes:
        """Take the bytes that are to be written to the peer."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def close(self) -> None:
        """
        Note that the peer sends no more.

        Raises:
            ProtocolError: It stopped inside a frame.
        """
        try:
            self._decoder.close()
        except ProtocolError as error:
            raise ProtocolError(_name_peer(self._heard) or str(error)) from error

    def _send(self, call: int, *buffers: bytes) -> None:
        self._serial = (self._serial + 1 + _SERIALS // 2) % _SERIALS - _SERIALS // 2
        self._open[self._serial] = call
        self._out += encode_buffers(self._serial, buffers)

    def _take(self, frame: Frame) -> Answer | None:
        serial, message = frame.serial, frame.message
        call = self._open.pop(serial, None)
        if call is None:
            raise ProtocolError(f"an answer with serial {serial}, which no open call has")
        start = 0
        if not self._greeted:
            answer = envelope.read_handshake_answer(message)
            if answer.server_protocol is not None:
                check_protocol(answer.server_protocol, "the receiver's protocol")
            if answer.match == "NONE":
                self._explain(call, answer.server_hash)
                return None
            self._greeted = True
            self._first = None
            start = answer.end
        reply = envelope.read_reply(message, start)
        if reply.error is not None:
            return Answer(call, None, reply.error)
        try:
            return Answer(call, Status(reply.index))
        except ValueError as error:
            raise ProtocolError(f"a status of {reply.index}, known are 0 to 2") from error

    def _explain(self, call: int, server_hash: bytes | None) -> None:
        """Send the first call again, this time with the protocol; it was not executed."""
        if self._explained or self._first is None:
            raise ProtocolError("the receiver does not take Flume's protocol")
        self._explained = True
        # The hash belongs to this text. Flume's own belongs to one with a licence in it, and a
        # receiver that learns a text files it under the hash for all clients to come.
        greeting = envelope.encode_handshake_request(
            OWN_HASH, OWN_PROTOCOL, server_hash or FLUME_HASH
        )
        self._send(call, greeting + _CALL, self._first)


def _name_peer(heard: bytes) -> str | None:
    """Say who it is whose first bytes these are, once they failed as a frame."""
    shown = f"it answers with {heard!r}"
    if heard.startswith(b"HTTP"):
        return f"{shown}: an HTTP server, no Flume receiver"
    if heard.startswith(b"\x15\x03"):
        return f"{shown}: TLS, which is not spoken here; set `ssl = false` in the agent's source"
    if heard.startswith(b"\x78"):
        return (
            f"{shown}: zlib compression, which is not spoken here;"
            " set `compression-type = none` in the agent's source"
        )
    if heard.startswith(b"SSH-"):
        return f"{shown}: an SSH server, no Flume receiver"
    return None
