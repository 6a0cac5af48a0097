"""One connection of a receiver: what is read, decoded and answered, and when it ends."""

from __future__ import annotations

import asyncio
import logging
import select
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from tailrace._errors import ProtocolError
from tailrace._flume import ServerSession, Status
from tailrace._flume.layers import TlsError, may_be_layered
from tailrace._sources import Chunk
from tailrace._sources.flume_guard import HANDSHAKE_S
from tailrace._sources.flume_listener import address_text
from tailrace._sources.flume_queues import CALL_BYTES, Queue
from tailrace._sources.flume_watch import Watch, Watched

if TYPE_CHECKING:
    import socket
    from collections.abc import Sized

    from tailrace._flume import Batch, Protocols
    from tailrace._flume.layers import ServerLayers
    from tailrace._sources.flume_guard import Guard
    from tailrace._sources.flume_listener import Peer
    from tailrace._types import Kind, Outcome

__all__ = ["CLOSE_TIMEOUT_S", "LINGER_S", "READ_BYTES", "AgentPosition", "Connection", "Owner"]

_log = logging.getLogger(__name__)

READ_BYTES = (64 * 1024, 256 * 1024, 1024 * 1024)
"""
The sizes of a read. A connection whose calls are decoded as fast as they arrive gets larger ones,
so that most frames of 1,000 lines arrive whole and are copied once.
"""

# The calls that are decoded at once, and those of a connection without an outcome: above it, the
# connection is not read, and what was read is not decoded.
_CALLS_AT_ONCE = 32
MAX_CALLS = 256

# While the receiver is full, a connection with fewer bytes is still read.
_SHARE_BYTES = 256 * 1024

# While so many connections wait, bytes are decoded when it is the turn of their connection.
_MANY_WAITING = 16

LINGER_S = 1.0
"""How long a peer may take to read its last answers and close. Agents close at once."""

CLOSE_TIMEOUT_S = 5.0
"""How long the last bytes may take to be sent. Agents give up on a batch after 20 s."""

# Where it is not known, the end of a stream is found by reading up to it.
_RDHUP: int = getattr(select, "POLLRDHUP", 0)

# The reads in search of the end of a stream: more is not in flight.
_MAX_DRAINS = 16

_STATUS = {"ok": Status.OK, "failed": Status.FAILED}


class AgentPosition(NamedTuple):
    """A chunk's batch number and connection number."""

    connection: int
    """Counted from 0 for each listening address."""
    batch: int
    """Counted from 0 for each connection."""


class Owner(Protocol):
    """The receiver, as its connections see it."""

    protocols: Protocols
    watch: Watch
    guard: Guard
    views: list[memoryview]
    """The buffer that all connections are read into, in each size of a read."""
    largest_view: int
    """The place of the largest one to use."""
    is_full: bool
    """Whether so much waits to be applied that connections are not read."""

    @property
    def waiting(self) -> Sized:
        """The connections that wait to be served."""
        ...

    def received(self, connection: Connection, size: int) -> None:
        """Serve a connection that has batches of this size, or bytes to decode."""
        ...

    def answered(self, connection: Connection, size: int) -> None:
        """Take note of the outcome of a batch of this size."""
        ...

    def complain(self, connection: Connection, kind: str, problem: str) -> None:
        """Log a problem with a peer."""
        ...

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        ...


class Connection(asyncio.BufferedProtocol, Queue, Watched):
    """A connection of a peer."""

    def __init__(self, owner: Owner, number: int, made: socket.socket, peer: Peer) -> None:
        Queue.__init__(self)
        Watched.__init__(self)
        self.number = number
        self.peer = address_text(peer)
        self.address = peer[0]
        self.sender = peer[0].encode()
        self.batches = 0
        self.is_counted = True
        """Whether it counts as a connection of its sender."""
        self.is_lost = False
        """Whether the event loop has closed it."""
        self._owner = owner
        self._watch = owner.watch
        self._session = session = ServerSession(owner.protocols)
        # A property for each of these would cost as much as counting a line.
        self._decoder, self._open = session.decoder, session.open
        # Whether it is known if there is anything around its frames, and what that is.
        self._is_sniffed = False
        self._layers: ServerLayers | None = None
        self._socket = made
        self._transport: asyncio.Transport | None = None
        self._poll = None
        if _RDHUP:
            poll = select.poll()
            poll.register(made, _RDHUP)
            self._poll = poll.poll
        # One bound method for all batches.
        self._is_wanted, self._answer = self.is_wanted, self.answer
        self._view = 0
        # Bytes of batches without an outcome.
        self._unapplied = 0
        self._is_paused = False
        self._is_deaf = False
        # Nothing more is decoded, and the connection is closed after the last answer.
        self._is_ending = False
        self._lingers = False
        # The peer has ended its stream: its batches are dropped.
        self._is_gone = False
        # The end was sent; whatever still arrives is discarded.
        self._is_ended = False

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        # A cast, not an assertion: uvloop's transport derives from no asyncio class.
        self._transport = cast("asyncio.Transport", transport)
        self._watch.silent[self] = self._watch.now()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        """Return the buffer of all connections."""
        return self._owner.views[self._view]

    def buffer_updated(self, nbytes: int) -> None:
        """Decode what was read."""
        if self._is_ending:
            return
        owner = self._owner
        view = owner.views[self._view]
        self.received += nbytes
        self._watch.silent.pop(self, None)
        if not self._is_sniffed:
            self._sniff(view[0])
        if len(owner.waiting) < _MANY_WAITING:
            self._decode(view[:nbytes])
        else:
            self._session.keep(view[:nbytes])
            owner.received(self, 0)
        if self._decoder.has_more or owner.is_full:
            self._view = 0
        elif nbytes == len(view) or self._view > owner.largest_view:
            self._view = min(self._view + 1, owner.largest_view)
        self._note()

    def eof_received(self) -> bool:
        """Keep the connection until every batch has an outcome."""
        if self._is_ended:
            return False
        self._is_gone = True
        if not self._is_ending:
            try:
                self._session.close()
            except ProtocolError as error:
                self.refuse(str(error), error.kind)
            self._is_ending = True
        return len(self._open) > 0

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read its answers."""
        self._is_deaf = True
        self._watch.deaf[self] = None
        self.update_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._is_deaf = False
        self._watch.deaf.pop(self, None)
        self.update_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the batches to be dropped when it is their turn."""
        if exc is not None:
            _log.info("%s: %s", self.peer, exc)
        self._transport = None
        self.is_lost = True
        self._owner.closed(self)

    # Called by the queues and the pump.

    @property
    def can_refill(self) -> bool:
        """Whether more bytes can be decoded now."""
        return self._decoder.has_more and not self._is_ending and len(self._open) < MAX_CALLS

    @property
    def undecoded(self) -> int:
        """The number of bytes that are not decoded."""
        return self._decoder.pending_bytes

    def refill(self) -> int:
        """Decode some of the bytes that were kept."""
        if not self.can_refill:
            return 0
        before = self.partial
        self._decode(b"")
        self._note()
        return 0 if self.calls else before - self.partial + CALL_BYTES * _CALLS_AT_ONCE

    def is_wanted(self) -> bool:
        """Return whether the peer waits for its answer: it is connected, and its stream is open."""
        if self._transport is None or self._is_gone:
            return False
        if self._poll is None:
            self._drain()
        elif self._poll(0):
            self._is_gone = True
        return not self._is_gone

    def answer(self, batch: Batch, outcome: Outcome, reason: str) -> None:
        """Queue the answer to a batch, or end the connection."""
        size = len(batch.message)
        self._unapplied -= size + CALL_BYTES
        if outcome != "close":
            self._session.answer(batch, _STATUS[outcome])
        elif reason:
            self._session.fail(batch, reason)
            self._lingers = True
            self.refuse(reason, "a batch that cannot be counted")
        else:
            self._session.drop(batch)
            # Of a peer that is gone, everything is read, to count what is dropped.
            self._is_ending |= not self._is_gone
        self._owner.answered(self, size)

    def write_answers(self) -> None:
        """Send the queued answers, and close if they were the last."""
        if self._transport is None:
            return
        self._flush()
        if self._is_ending:
            self._close_if_answered()
            return
        if self._is_paused:
            if self.can_refill:
                self._owner.received(self, 0)
            self.update_reading()
        if not self.partial and not self._open:
            self._watch.silent[self] = self._watch.now()

    # Called by the owner.

    @property
    def open_batches(self) -> int:
        """The number of batches without an outcome."""
        return len(self._open)

    @property
    def is_paused(self) -> bool:
        """Whether it is not read now."""
        return self._is_paused

    def is_readable(self) -> bool:
        """Return whether it has sent bytes that were not read, and has not ended its stream."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | _RDHUP)
        return [event for _, event in poll.poll(0)] == [select.POLLIN]

    def is_waiting(self) -> bool:
        """Return whether it has no open call, and only its peer can change that."""
        return not self._is_paused and not self._open

    def refuse(self, problem: str, kind: str) -> None:
        """End it with a log line; earlier batches are still answered."""
        if self._is_ending or self._transport is None:
            return
        if (stranger := self._session.stranger()) is not None:
            problem, kind = str(stranger), stranger.kind
        self._owner.complain(self, kind, f"connection closed: {problem}")
        self._is_ending = True
        self._session.discard()
        self._note()
        self._flush()
        self._close_if_answered()

    def end(self) -> None:
        """
        Send the buffered bytes, and wait for the peer to close.

        Bytes in flight are read and discarded. Closing a socket with unread bytes resets the
        connection, and the peer would lose answers that it has not read yet; it would send counted
        batches again.
        """
        self._is_ending = self._is_ended = True
        if self._transport is not None and not self._transport.is_closing():
            self._write(self._session.end())
            # The connection may already be lost, which the loop has not noticed.
            with suppress(OSError):
                self._transport.write_eof()
            self._is_paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Send the buffered bytes, and close."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if not self._is_ended:
                self._write(self._session.end())
            transport.close()
            if transport.get_write_buffer_size():
                asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def _close_if_answered(self) -> None:
        if self._open or self._is_ended:
            return
        if self._lingers:
            self.end()
            asyncio.get_running_loop().call_later(LINGER_S, self.close)
        else:
            self.close()

    def _decode(self, data: bytes | memoryview) -> None:
        """Decode the next bytes, or some of those that were kept."""
        session = self._session
        room = MAX_CALLS - len(self._open)
        limit = _CALLS_AT_ONCE if room >= _CALLS_AT_ONCE else max(room, 1)
        try:
            batches = session.receive(data, limit)
        except ProtocolError as error:
            self._refuse_for(error)
            return
        added = 0
        for batch in batches:
            message = batch.message
            size = len(message)
            kind: Kind = "event" if batch.single else "batch"
            position = AgentPosition(self.number, self.batches)
            self.batches += 1
            self.calls.append(
                Chunk(
                    message,
                    (batch.start, size),
                    kind,
                    0,
                    partial(self._answer, batch),
                    self._is_wanted,
                    position,
                    self.sender,
                )
            )
            added += size + CALL_BYTES
        self._unapplied += added
        if added or self._decoder.has_more:
            self._owner.received(self, added)
        self._flush()

    def _sniff(self, first: int) -> None:
        """Take the connection out of its layers from this first byte on, if it may have any."""
        self._is_sniffed = True
        guard = self._owner.guard
        if guard.takes_plain and not may_be_layered(first):
            return
        self._layers = layers = guard.layers(self.address)
        self._session.wrap(layers)
        self._decoder = self._session.decoder
        asyncio.get_running_loop().call_later(HANDSHAKE_S, self._check_handshake)

    def _check_handshake(self) -> None:
        if self._layers is not None and self._layers.is_shaking:
            problem = f"TLS: no handshake within {HANDSHAKE_S:.0f} s"
            self._refuse_for(TlsError(problem, problem, ""))

    def _refuse_for(self, error: ProtocolError) -> None:
        problem, layers = str(error), self._layers
        if (
            layers is not None
            and isinstance(error, TlsError)
            and self._owner.guard.note_failure(self.address, layers, error.reason)
        ):
            problem += (
                "; Flume up to 1.9 cannot do TLS 1.3 on a newer Java, so its address is offered "
                "TLS 1.2 from now on"
            )
        self.refuse(problem, error.kind)

    def _drain(self) -> None:
        """Read up to the end of the stream, or to what has arrived."""
        for _ in range(_MAX_DRAINS):
            view = self._owner.views[0]
            try:
                size = self._socket.recv_into(view)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                size = 0
            if not size:
                # The event loop reads the end once more.
                self._is_gone = True
                return
            if not self._is_ending:
                if not self._is_sniffed:
                    self._sniff(view[0])
                self.received += size
                self._session.keep(view[:size])
                self._owner.received(self, 0)
                self._note()

    def _note(self) -> None:
        """Let the owner know what the connection waits for, and pause or resume reading."""
        if self._transport is None:
            # It is no longer watched, even if bytes that were kept are still decoded.
            return
        partial_bytes = self._decoder.pending_bytes
        if partial_bytes != self.partial:
            self._watch.set_partial(self, partial_bytes)
        open_batches = len(self._open)
        if not partial_bytes and not open_batches:
            self._watch.silent[self] = self._watch.now()
        # Otherwise nothing has changed.
        if partial_bytes or open_batches >= MAX_CALLS or self._is_paused or self._owner.is_full:
            self.update_reading()

    def update_reading(self) -> None:
        """Pause or resume reading, as what waits to be applied demands."""
        is_paused = not self._is_ending and (
            self._is_deaf
            or self._decoder.has_more
            or len(self._open) >= MAX_CALLS
            or (self._owner.is_full and self._unapplied + self.partial >= _SHARE_BYTES)
        )
        if is_paused is self._is_paused:
            return
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._is_paused = is_paused
        if is_paused:
            self.has_paused = True
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _flush(self) -> None:
        self._write(self._session.to_send())

    def _write(self, data: bytes) -> None:
        # After an error, asyncio logs each write until it reports the loss.
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
