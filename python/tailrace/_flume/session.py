"""
The server's side of one connection: bytes in, batches out; statuses in, bytes out.

It does the handshake and answers by itself whatever carries no events. The events stay encoded.
It does no I/O and knows no time: who owns the socket moves the bytes, and answers each batch well
within the 20 s after which an agent sends it again. To slow an agent down, do not read.
"""

import enum
from typing import NamedTuple

from tailrace._errors import ProtocolError
from tailrace._flume import envelope
from tailrace._flume.frames import Frame, FrameDecoder, encode_frame
from tailrace._flume.handshake import APPEND, APPEND_BATCH, Protocols, answer_handshake

__all__ = ["Batch", "ServerSession", "Status"]

# How much of a name that a peer made up is worth repeating.
_MAX_SHOWN_NAME = 40


class Status(enum.IntEnum):
    """
    What the sender of a batch is told.

    Only after OK does it forget the events. After anything else Flume waits 5 s, connects anew and
    sends them again.
    """

    OK = 0
    FAILED = 1
    UNKNOWN = 2


_REPLIES = {status: envelope.encode_value(status) for status in Status}


class Batch(NamedTuple):
    """
    The events of one call, still encoded: from *start* on in *message*.

    That is one event if *single* (an `append`), else an array of events (an `appendBatch`).
    """

    serial: int
    single: bool
    message: bytes
    start: int


class ServerSession:
    """
    One connection, from its first byte to its last.

    A `ProtocolError` is final: the connection has to end. Batches handed out before it may still be
    answered; those which came with it are not handed out.
    """

    def __init__(self, protocols: Protocols) -> None:
        self._protocols = protocols
        self._decoder = FrameDecoder()
        self._connected = False
        # Serial and bytes of the answer to the handshake, until the reply that carries it is sent.
        self._greeting: tuple[int, bytes] | None = None
        # Replies that must not overtake that one.
        self._held = bytearray()
        self._out = bytearray()
        self._open: dict[int, Batch] = {}

    @property
    def open_batches(self) -> int:
        """How many batches were received and not answered."""
        return len(self._open)

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished frame were received; 0 at a frame border."""
        return self._decoder.pending_bytes

    def receive(self, data: bytes | memoryview) -> list[Batch]:
        """
        Take the next bytes and return the batches that they complete, in order.

        The bytes are not looked at again: a buffer may be filled anew.
        There may be something `to_send` afterwards even if there is no batch.

        Raises:
            ProtocolError: The peer is no Flume client, or a broken one.
        """
        batches: list[Batch] = []
        try:
            for frame in self._decoder.feed(data):
                batch = self._take(frame)
                if batch is not None:
                    self._open[batch.serial] = batch
                    batches.append(batch)
        except ProtocolError:
            # Nobody will see these, so nobody could answer them.
            for batch in batches:
                del self._open[batch.serial]
            raise
        return batches

    def answer(self, batch: Batch, status: Status) -> None:
        """
        Tell the sender what became of its batch; batches may be answered in any order.

        Raises:
            ValueError: The batch was answered before, or is another session's. A second reply would
                make the sender give up the connection.
        """
        if self._open.get(batch.serial) is not batch:
            raise ValueError(f"no open batch of this session: serial {batch.serial}")
        del self._open[batch.serial]
        self._reply(batch.serial, _REPLIES[status])

    def to_send(self) -> bytes:
        """Take the bytes that are to be written to the peer."""
        if not self._out:
            return b""
        data = bytes(self._out)
        self._out.clear()
        return data

    def close(self) -> None:
        """
        Note that the peer sends no more; open batches may still be answered.

        Raises:
            ProtocolError: It stopped inside a frame.
        """
        self._decoder.close()

    def _take(self, frame: Frame) -> Batch | None:
        serial, message = frame.serial, frame.message
        if serial in self._open:
            raise ProtocolError(f"serial {serial} is used again before its first call was answered")
        start = 0
        if not self._connected:
            request = envelope.read_handshake(message)
            greeting, execute = answer_handshake(self._protocols, request)
            if not execute:
                # The client sends the same call again, under a new serial. Taking its events now
                # would count them twice.
                self._out += encode_frame(serial, greeting)
                return None
            self._connected = True
            self._greeting = (serial, greeting)
            start = request.end
        name, start = envelope.read_call(message, start)
        if name in (APPEND, APPEND_BATCH):
            return Batch(serial, name == APPEND, message, start)
        if not name:
            # A ping. Its reply is the answer to the handshake alone, or nothing at all.
            self._reply(serial, b"")
        else:
            text = f"no message {_show(name)} here, only {APPEND} and {APPEND_BATCH}"
            self._reply(serial, envelope.encode_system_error(text))
        return None

    def _reply(self, serial: int, reply: bytes) -> None:
        """
        Send a reply, the answer to the handshake in front of the one that it belongs to.

        Java looks for that answer in the first reply that it reads; the specification puts it into
        the reply to the message that asked. Holding back the others makes these the same.
        """
        if self._greeting is None:
            self._out += encode_frame(serial, reply)
        elif serial != self._greeting[0]:
            self._held += encode_frame(serial, reply)
        else:
            self._out += encode_frame(serial, self._greeting[1] + reply)
            self._out += self._held
            self._greeting = None
            self._held = bytearray()


def _show(name: str) -> str:
    """Make a name that a peer sent fit for a log: printable ASCII, and not long."""
    shown = ascii(name[:_MAX_SHOWN_NAME])
    return shown if len(name) <= _MAX_SHOWN_NAME else f"{shown}..."
