"""Receive from the Avro sinks of Flume agents, in place of Flume's AvroSource."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from tailrace._errors import ProtocolError, os_reason
from tailrace._flume import Protocols, ServerSession, Status
from tailrace._sources import Chunk

if TYPE_CHECKING:
    from tailrace._flume import Batch
    from tailrace._types import Kind, Outcome

__all__ = ["AgentPosition", "Flume"]

_log = logging.getLogger(__name__)

# A sink keeps one connection open. Flume's own source has a backlog of 1,024 and no limit.
MAX_CONNECTIONS = 1_024

# Descriptors reserved for other use: the process's files, and one to refuse a connection.
_OTHER_DESCRIPTORS = 32

# Above this many unapplied bytes, connections are not read. A frame may have 64 MiB, so this is a
# high-water mark: each connection may exceed it by one frame.
PENDING_BYTES = 64 * 1024 * 1024

# The memory of a batch besides its bytes, so that many small batches count as well.
_BATCH_BYTES = 600

# The maximum number of batches that one `receive` returns.
_ROUND = 256

# The size of a read: several batches of 1,000 lines, so that most frames arrive whole and are
# copied once. One buffer serves all connections, because each read is consumed at once.
_READ_BYTES = 1024 * 1024

# How much later than requested a wait may end.
_TIMER_SLACK_S = 0.001

_STATUS = {"ok": Status.OK, "failed": Status.FAILED}

# The number of asyncio's loop iterations from an accepted socket to its connection.
_ACCEPT_TURNS = 3

# At shutdown, how long a sender may take to read its answers and close. Agents close at once.
_LINGER_S = 1.0

# At shutdown, how long the remaining bytes may take to be sent before a connection is aborted.
# Agents give up on a batch after 20 s.
_CLOSE_TIMEOUT_S = 5.0


class AgentPosition(NamedTuple):
    """A chunk's batch number and connection number."""

    connection: int
    """Counted from 0 for each listening address."""
    batch: int
    """Counted from 0 for each connection."""


class Flume:
    """A listener for Flume's Avro sinks (`append` and `appendBatch`, uncompressed, no TLS)."""

    count = 1

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._protocols = Protocols()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._chunks: deque[Chunk] = deque()
        # Ends the wait for a chunk; None unless `receive` waits.
        self._waiting: asyncio.Future[None] | None = None
        self._woken = False
        self._timer: asyncio.TimerHandle | None = None
        # Chunks that were handed over and not answered, and connections with unsent answers.
        self._handed_over = 0
        self._to_flush: dict[_Connection, None] = {}
        self._all_closed = asyncio.Event()
        self._pending_bytes = 0
        self._limit = MAX_CONNECTIONS
        self._opened_count = 0
        self._full = False
        self.buffer = memoryview(bytearray(_READ_BYTES))

    async def open(self) -> str:
        """Start listening, and return the addresses for the start-up line."""
        # At the system's limit no connection can be accepted, and so none can be refused.
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limit = max(1, min(MAX_CONNECTIONS, descriptors - _OTHER_DESCRIPTORS))
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self, self._protocols),
                self._host,
                self._port,
                start_serving=False,
            )
        except socket.gaierror as error:
            # Every other error names the address.
            where = f"flume://{_address((self._host, self._port))}"
            raise socket.gaierror(error.errno, f"{where}: {os_reason(error)}") from error
        try:
            await self._server.start_serving()
        except asyncio.CancelledError:
            # `create_server` itself, cancelled while it starts to serve, leaves the socket open.
            self._server.close()
            raise
        names = [_address(each.getsockname()) for each in self._server.sockets]
        return "listening for Flume on " + " and ".join(names)

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the batches that have arrived."""
        # For a caller that keeps some chunks while it requests more.
        self._write_answers()
        if self._chunks:
            # Let the loop read and write between two rounds even under constant load.
            await asyncio.sleep(0)
        elif not self._woken:
            await self._wait(timeout_s)
        self._woken = False
        # Not all at once: between two rounds the clock is read and the loop runs.
        count = min(len(self._chunks), _ROUND)
        self._handed_over += count
        return [self._chunks.popleft() for _ in range(count)]

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        # Most waits end with a batch. A timer for each wait, as with `asyncio.timeout`, would cost
        # as much as counting a dozen lines, so one timer runs until it is due.
        due = loop.time() + timeout_s
        if self._timer is None or self._timer.when() > due + _TIMER_SLACK_S:
            self._stop_timer()
            self._timer = loop.call_at(due, self._time_out)
        self._waiting = loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _time_out(self) -> None:
        self._timer = None
        self._end_wait()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_wait(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def wake(self) -> None:
        """Make `receive` return now."""
        self._woken = True
        self._end_wait()

    async def close(self) -> None:
        """
        Stop listening, and close every connection after its answers were sent and read.

        A batch that was not handed over by then gets no answer, so its sender keeps it.
        """
        if self._server is not None:
            loop = asyncio.get_running_loop()
            for each in self._server.sockets:
                loop.remove_reader(each.fileno())
            # An accepted socket needs the server until its connection is made.
            for _ in range(_ACCEPT_TURNS):
                await asyncio.sleep(0)
            self._server.close()
        self._stop_timer()
        self._write_answers()
        steps = ((_Connection.end, _LINGER_S), (_Connection.close, _CLOSE_TIMEOUT_S))
        for step, timeout_s in steps:
            for connection in list(self._connections):
                step(connection)
            if not self._connections:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._all_closed.wait()
        for connection in list(self._connections):
            connection.abort()

    # Called by the connections.

    def number(self) -> int:
        """Return the number of the next connection."""
        self._opened_count += 1
        return self._opened_count - 1

    def opened(self, connection: _Connection) -> bool:
        """Register a connection; return False if there are too many."""
        if len(self._connections) >= self._limit:
            return False
        self._connections.add(connection)
        self._all_closed.clear()
        if self._full:
            connection.pause()
        return True

    def received(self, connection: _Connection, batches: list[Batch]) -> None:
        """Queue batches until `receive` returns them."""
        for batch in batches:
            kind: Kind = "event" if batch.single else "batch"
            size = len(batch.message)
            answer = partial(self._answer, connection, batch)
            span = (batch.start, size)
            position = AgentPosition(connection.number, connection.batches)
            connection.batches += 1
            chunk = Chunk(batch.message, span, kind, 0, answer, connection.is_open, position)
            self._chunks.append(chunk)
            self._pending_bytes += size + _BATCH_BYTES
        self._end_wait()
        if self._pending_bytes > PENDING_BYTES and not self._full:
            self._full = True
            for each in self._connections:
                each.pause()

    def closed(self, connection: _Connection) -> None:
        """Remove a connection and its queued batches, which its sender will send again."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
        kept = deque(chunk for chunk in self._chunks if _sender(chunk) is not connection)
        lost = [chunk for chunk in self._chunks if _sender(chunk) is connection]
        self._chunks = kept
        for chunk in lost:
            self._settled(len(chunk.data))

    def _answer(self, connection: _Connection, batch: Batch, outcome: Outcome, reason: str) -> None:
        connection.answer(batch, outcome, reason)
        self._settled(len(batch.message))
        self._to_flush[connection] = None
        self._handed_over -= 1
        # One write per connection for all answers of a round.
        if not self._handed_over:
            self._write_answers()

    def _write_answers(self) -> None:
        for connection in self._to_flush:
            connection.write_answers()
        self._to_flush.clear()

    def _settled(self, size: int) -> None:
        self._pending_bytes -= size + _BATCH_BYTES
        if self._pending_bytes <= PENDING_BYTES and self._full:
            self._full = False
            for each in self._connections:
                each.resume()


def _sender(chunk: Chunk) -> _Connection | None:
    return chunk.answer.args[0] if isinstance(chunk.answer, partial) else None


class _Connection(asyncio.BufferedProtocol):
    def __init__(self, source: Flume, protocols: Protocols) -> None:
        self._source = source
        self._session = ServerSession(protocols)
        self.number = source.number()
        self.batches = 0
        self._buffer = source.buffer
        self._transport: asyncio.Transport | None = None
        self._peer = "?"
        self._paused = False
        self._write_blocked = False
        self._ending = False
        self._refused = False
        self._ended = False
        # The number of batches that get no answer.
        self._unanswered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not an assertion: uvloop's transport derives from no asyncio class.
        self._transport = cast("asyncio.Transport", transport)
        self._peer = _address(transport.get_extra_info("peername"))
        if not self._source.opened(self):
            _log.warning("%s: connection refused: the limit of connections is reached", self._peer)
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._ending:
            return
        try:
            batches = self._session.receive(self._buffer[:nbytes])
        except ProtocolError as error:
            self._refuse(str(error))
            return
        if batches:
            self._source.received(self, batches)
        self._flush()

    def eof_received(self) -> bool:
        """Keep the sending side open while there are batches to answer."""
        if self._ended:
            return False
        try:
            self._session.close()
        except ProtocolError as error:
            self._refuse(str(error))
        self._ending = True
        return self._session.open_batches > self._unanswered

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read its answers."""
        self._write_blocked = True
        self._update_reading()

    def resume_writing(self) -> None:
        self._write_blocked = False
        self._update_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            _log.info("%s: %s", self._peer, exc)
        self._transport = None
        self._source.closed(self)

    def is_open(self) -> bool:
        """Return whether answers can still be sent."""
        return self._transport is not None

    def answer(self, batch: Batch, outcome: Outcome, reason: str) -> None:
        """Queue the answer to a batch, or end the connection without one."""
        if self._transport is None:
            return
        if outcome == "close":
            self._unanswered += 1
            self._refuse(reason)
        else:
            self._session.answer(batch, _STATUS[outcome])

    def write_answers(self) -> None:
        """Send the queued answers, and close if they were the last."""
        if self._transport is None:
            return
        self._flush()
        # Batches that it sent earlier are applied, so they are answered before the end.
        if self._ending and self._session.open_batches <= self._unanswered:
            self._transport.close()

    def pause(self) -> None:
        self._paused = True
        self._update_reading()

    def resume(self) -> None:
        self._paused = False
        self._update_reading()

    def _update_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        # Both calls are idempotent.
        if self._paused or self._write_blocked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def end(self) -> None:
        """
        Send the buffered bytes, and wait for the peer to close.

        Bytes in flight are read and discarded. Closing a socket with unread bytes resets the
        connection, and the peer would lose answers that it has not read yet; it would send counted
        batches again.
        """
        self._ending = self._ended = True
        if self._transport is not None and not self._transport.is_closing():
            # The connection may already be lost, which the loop has not noticed.
            with suppress(OSError):
                self._transport.write_eof()
            self._transport.resume_reading()

    def close(self) -> None:
        """Send the buffered bytes, and close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, problem: str) -> None:
        """Log once why this connection ends; earlier batches are still answered."""
        if self._refused or self._transport is None:
            return
        _log.warning("%s: connection closed: %s", self._peer, problem)
        self._refused = True
        self._ending = True
        self._flush()
        if self._session.open_batches <= self._unanswered:
            self._transport.close()

    def _flush(self) -> None:
        data = self._session.to_send()
        if data and self._transport is not None:
            self._transport.write(data)


def _address(address: tuple[object, ...] | None) -> str:
    if not address:
        return "a closed connection"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
