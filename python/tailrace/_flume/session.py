"""
The server side of one connection: bytes in, batches out; statuses in, bytes out.

A session does the handshake, and answers calls without events itself. Events stay encoded. It does
no I/O and reads no clock: the owner of the socket moves the bytes, and answers each batch well
within the 20 s after which an agent sends it again. To slow an agent down, stop reading.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from tailrace._errors import ProtocolError
from tailrace._flume import envelope
from tailrace._flume.frames import Frame, FrameDecoder, encode_frame
from tailrace._flume.handshake import APPEND, APPEND_BATCH, Protocols, answer_handshake

if TYPE_CHECKING:
    from tailrace._flume.layers import LayeredDecoder, Layers

__all__ = ["Batch", "ServerSession", "Status"]

# The maximum length of a peer's name in messages.
_MAX_SHOWN_NAME = 40


class Status(enum.IntEnum):
    """
    The answer to the sender of a batch.

    Only after OK does the sender discard the events. After any other status, Flume waits 5 s,
    reconnects and sends them again.
    """

    OK = 0
    FAILED = 1
    UNKNOWN = 2


_REPLIES = {status: envelope.encode_value(status) for status in Status}


class Batch(NamedTuple):
    """
    The encoded events of one call, from *start* to the end of *message*.

    One event if *single* (an `append`), else an array of events (an `appendBatch`).
    """

    serial: int
    single: bool
    message: bytes
    start: int


class ServerSession:
    """
    One connection, from its first byte to its last.

    A `ProtocolError` is final: the connection must be closed. Batches returned before it may still
    be answered; batches in the same bytes are not returned.
    """

    def __init__(self, protocols: Protocols) -> None:
        self._protocols = protocols
        self.decoder: FrameDecoder | LayeredDecoder = FrameDecoder()
        """What it has read; only to look at."""
        self.layers: Layers | None = None
        """What is around its frames, if anything is."""
        self._has_ended = False
        self._connected = False
        # Serial and bytes of the answer to the handshake, until the reply that carries it is sent.
        self._handshake_answer: tuple[int, bytes] | None = None
        # Replies that must not overtake that one.
        self._held = bytearray()
        self._out = bytearray()
        self.open: dict[int, Batch] = {}
        """The batches without an answer, by their serials; only to look at."""

    def wrap(self, layers: Layers) -> None:
        """Take all bytes, from the first one on, out of layers, and put all others into them."""
        from tailrace._flume.layers import LayeredDecoder  # noqa: PLC0415 - most have no layers

        self.layers = layers
        self.decoder = LayeredDecoder(layers)

    @property
    def open_batches(self) -> int:
        """The number of batches without an answer."""
        return len(self.open)

    @property
    def pending_bytes(self) -> int:
        """The number of bytes of an incomplete frame, and of those to be read later."""
        return self.decoder.pending_bytes

    @property
    def has_more(self) -> bool:
        """Whether bytes are kept that the next `receive` reads."""
        return self.decoder.has_more

    def keep(self, data: bytes | memoryview) -> None:
        """Keep the next bytes, to be read by the next `receive`."""
        self.decoder.keep(data)

    def receive(self, data: bytes | memoryview = b"", limit: int | None = None) -> list[Batch]:
        """
        Read the next bytes and return the batches that they complete, in order.

        The bytes are copied, so a buffer may be reused. Call `to_send` afterwards, even if there is
        no batch. After *limit* calls, the rest is kept for the next `receive`.

        Raises:
            ProtocolError: The peer is not a Flume client, or violates the protocol.
        """
        batches: list[Batch] = []
        try:
            for frame in self.decoder.feed(data, limit):
                batch = self._receive_frame(frame)
                if batch is not None:
                    self.open[batch.serial] = batch
                    batches.append(batch)
        except ProtocolError:
            # These are not returned, so they cannot be answered.
            for batch in batches:
                del self.open[batch.serial]
            raise
        return batches

    def discard(self) -> None:
        """Forget the bytes of an incomplete frame, and those to be read later."""
        self.decoder.discard()

    def answer(self, batch: Batch, status: Status) -> None:
        """
        Answer a batch; batches may be answered in any order.

        Raises:
            ValueError: The batch was answered before, or belongs to another session. After a second
                reply, the sender would close the connection.
        """
        self.drop(batch)
        self._reply(batch.serial, _REPLIES[status])

    def fail(self, batch: Batch, reason: str) -> None:
        """Answer a batch with an error; its sender keeps the events and closes the connection."""
        self.drop(batch)
        self._reply(batch.serial, envelope.encode_system_error(reason))

    def drop(self, batch: Batch) -> None:
        """Leave a batch without an answer; raise `ValueError` as `answer` does."""
        if self.open.get(batch.serial) is not batch:
            raise ValueError(f"expected an open batch of this session, found serial {batch.serial}")
        del self.open[batch.serial]

    def to_send(self) -> bytes:
        """Return the bytes to write to the peer, and clear them."""
        if not self._out:
            return b"" if self.layers is None else self.layers.to_send()
        data = bytes(self._out)
        self._out.clear()
        if self.layers is None:
            return data
        self.layers.write(data)
        return self.layers.to_send()

    def end(self) -> bytes:
        """End the layers, once, and return the last bytes to write to the peer."""
        data = self.to_send()
        if self.layers is None or self._has_ended:
            return data
        self._has_ended = True
        self.layers.close()
        return data + self.layers.to_send()

    def close(self) -> None:
        """
        Record that the peer has closed its side; open batches may still be answered.

        Raises:
            ProtocolError: The connection ended inside a frame.
        """
        self.decoder.close()

    def stranger(self) -> ProtocolError | None:
        """Return which other protocol the peer speaks, if its first frame has not arrived."""
        return None if self._connected else self.decoder.stranger()

    def _receive_frame(self, frame: Frame) -> Batch | None:
        serial, message = frame.serial, frame.message
        if serial in self.open:
            raise ProtocolError(
                f"serial {serial} is reused before its first call was answered",
                "a serial is reused before its first call was answered",
            )
        start = 0
        if not self._connected:
            request = self._read_handshake(message)
            answer, execute = answer_handshake(self._protocols, request)
            if not execute:
                # The client sends the same call again with a new serial. Accepting its events now
                # would count them twice.
                self._out += encode_frame(serial, answer)
                return None
            self._connected = True
            self._handshake_answer = (serial, answer)
            start = request.end
        name, start = envelope.read_call(message, start)
        if name in (APPEND, APPEND_BATCH):
            return Batch(serial, name == APPEND, message, start)
        if not name:
            # A ping. Its reply is only the answer to the handshake, or empty.
            self._reply(serial, b"")
        else:
            text = f"expected {APPEND} or {APPEND_BATCH}, found a call of {_show(name)}"
            self._reply(serial, envelope.encode_system_error(text))
        return None

    def _read_handshake(self, message: bytes) -> envelope.HandshakeRequest:
        try:
            return envelope.read_handshake(message)
        except ProtocolError as error:
            # The first bytes of another protocol may be a valid frame.
            if (stranger := self.decoder.stranger()) is not None:
                raise stranger from error
            raise

    def _reply(self, serial: int, reply: bytes) -> None:
        """
        Send a reply; the reply to the first call begins with the answer to the handshake.

        Java expects that answer in the first reply that it reads; the specification puts it into
        the reply to the message with the handshake. Holding back other replies satisfies both.
        """
        if self._handshake_answer is None:
            self._out += encode_frame(serial, reply)
        elif serial != self._handshake_answer[0]:
            self._held += encode_frame(serial, reply)
        else:
            self._out += encode_frame(serial, self._handshake_answer[1] + reply)
            self._out += self._held
            self._handshake_answer = None
            self._held = bytearray()


def _show(name: str) -> str:
    """Return a peer's name in a form that is safe to log: printable ASCII, shortened."""
    shown = ascii(name[:_MAX_SHOWN_NAME])
    return shown if len(name) <= _MAX_SHOWN_NAME else f"{shown}..."
