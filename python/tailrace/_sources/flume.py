"""Receive from the Avro sinks of Flume agents, in place of Flume's AvroSource."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from tailrace._errors import os_reason
from tailrace._flume import Protocols
from tailrace._sources import end_of
from tailrace._sources.complaints import Complaints
from tailrace._sources.flume_connection import (
    CLOSE_TIMEOUT_S,
    LINGER_S,
    READ_BYTES,
    AgentPosition,
    Connection,
)
from tailrace._sources.flume_guard import Guard, GuardSpec
from tailrace._sources.flume_listener import Listener, address_text, descriptors_for
from tailrace._sources.flume_queues import CALL_BYTES, LARGE_BYTES, Queues
from tailrace._sources.flume_senders import Senders
from tailrace._sources.flume_watch import Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tailrace._sources import Chunk
    from tailrace._sources.flume_listener import Peer
    from tailrace._sources.ip_rules import IpRules

__all__ = ["MAX_CONNECTIONS", "MAX_PARTIAL_BYTES", "AgentPosition", "Flume"]

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 1_024
"""A sink keeps one connection open. Flume's own source has a backlog of 1,024 and no limit."""

MAX_PARTIAL_BYTES = 256 * 1024 * 1024
"""Four of the largest frames, or a quarter of a mebibyte for each connection."""

# Above this many unapplied bytes, connections that have much to be applied are not read. A frame
# may have 64 MiB, so this is a high-water mark.
PENDING_BYTES = 64 * 1024 * 1024

# How much later than requested a wait may end.
_TIMER_SLACK_S = 0.001

# How often the problems with peers that were not logged are summed up. While there are any, the
# time doubles, so that a log of an attack of a day fits a few pages.
_REPORT_S = 60.0
_MAX_REPORT_S = 3_600.0

# How long the name of a peer may take to be found, for rules about names.
_NAME_TIMEOUT_S = 5.0

# The turns of asyncio's loop from an accepted socket to its first bytes, and those before a round.
_ACCEPT_TURNS = 4
_MAX_TURNS = 8

# With more connections than these, each is read in smaller pieces, so that a round of reads stays
# short.
_CONNECTIONS_OF_READS = (16, 64)


class Flume:
    """
    A listener for Flume's Avro sinks (`append` and `appendBatch`).

    Args:
        host: The host to listen on.
        port: The port to listen on.
        max_connections: The limit of connections.
        max_partial_bytes: The limit of bytes that were read and belong to no batch yet.
        guard: Which peers and layers are taken; by default all peers, without TLS.
    """

    count = 1

    def __init__(
        self,
        host: str,
        port: int,
        *,
        max_connections: int = MAX_CONNECTIONS,
        max_partial_bytes: int = MAX_PARTIAL_BYTES,
        guard: GuardSpec | None = None,
    ) -> None:
        self._address = host, port
        self._limit = max_connections
        self._listener = Listener(self._accepted, self._may_accept, self._make_room)
        self._connections: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._opened_count = 0
        self._all_closed = asyncio.Event()
        self._queues = Queues()
        self._senders: Senders | None = None
        self._expected: Sequence[bytes] = ()
        self._complaints = Complaints(_log)
        self._report_s = _REPORT_S
        # The ends of senders, to be returned.
        self._ends: list[Chunk] = []
        # Ends the wait for a chunk; None unless `receive` waits.
        self._waiting: asyncio.Future[None] | None = None
        self._woken = False
        self._timer: asyncio.TimerHandle | None = None
        self._report_timer: asyncio.TimerHandle | None = None
        # The turns of the loop before the next round.
        self._turns = 0
        # Chunks that were handed over and not answered, and connections with unsent answers.
        self._handed_over = 0
        self._to_flush: dict[Connection, None] = {}
        self._pending_bytes = 0
        # What its connections use.
        self.protocols = Protocols()
        self.watch = Watch(max_partial_bytes)
        self.guard = Guard(guard or GuardSpec())
        whole = memoryview(bytearray(READ_BYTES[-1]))
        self.views = [whole[:size] for size in READ_BYTES]
        self.largest_view = len(READ_BYTES) - 1
        self.waiting = self._queues.waiting
        self.is_full = False

    def expect(self, senders: Sequence[bytes]) -> None:
        """Name the senders of an earlier process, which end unless they connect in time."""
        self._expected = senders

    async def open(self) -> str:
        """
        Start listening, and return the addresses for the start-up line.

        Raises:
            OSError: An address cannot be used.
            TlsFileError: A certificate cannot be used.
        """
        loop = asyncio.get_running_loop()
        self.guard.load()
        self._senders = Senders(loop, self._end_sender)
        for sender in self._expected:
            self._senders.expect(sender)
        self.watch.start(loop)
        self._limit = descriptors_for(self._limit)
        peers = await self._listener.open(*self._address)
        self._report_timer = loop.call_later(_REPORT_S, self._report)
        demands = self.guard.spec.describe()
        for host, _ in peers:
            if self.guard.spec.is_restricted:
                break
            if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
                _log.warning(
                    "flume://%s: anyone who can reach this port can send events; give an address "
                    "of this machine, or restrict the port with a firewall",
                    address_text(self._address),
                )
                break
        addresses = " and ".join(map(address_text, peers))
        return f"listening for Flume on {addresses}" + (f"; {demands}" if demands else "")

    def reload(self) -> str | None:
        """
        Read the certificates again, for new connections; return what was read, if anything.

        Raises:
            TlsFileError: A file cannot be used; the certificates that were read before stay.
        """
        if self.guard.spec.certificate is None:
            return None
        self.guard.load()
        return f"read the certificate {self.guard.spec.certificate} again"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the batches that have arrived."""
        # For a caller that keeps some chunks while it requests more.
        self.flush()
        if self._queues or self._ends:
            # Let the loop read and write between two rounds even under constant load, and read the
            # first batch of new connections.
            self._turns = 1
            for _ in range(_MAX_TURNS):
                await asyncio.sleep(0)
                self._turns -= 1
                if self._turns <= 0:
                    break
        elif not self._woken:
            await self._wait(timeout_s)
        self._woken = False
        # Not all at once: between two rounds the clock is read and the loop runs.
        chunks = self._queues.take()
        self._handed_over += len(chunks)
        if self._ends:
            chunks += self._ends
            self._ends.clear()
        return chunks

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
        self._listener.close()
        while self._connecting:
            await asyncio.wait(self._connecting)
        self._stop_timer()
        self.flush()
        steps = ((Connection.end, LINGER_S), (Connection.close, CLOSE_TIMEOUT_S))
        for step, timeout_s in steps:
            for connection in list(self._connections):
                step(connection)
            if not self._connections:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._all_closed.wait()
        for connection in list(self._connections):
            connection.abort()
        self.watch.close()
        if self._senders is not None:
            self._senders.close()
        if self._report_timer is not None:
            self._report_timer.cancel()
            self._complaints.report()

    def _report(self) -> None:
        has_counted = self._complaints.report()
        self._report_s = min(2 * self._report_s, _MAX_REPORT_S) if has_counted else _REPORT_S
        self._report_timer = asyncio.get_running_loop().call_later(self._report_s, self._report)

    def _end_sender(self, sender: bytes) -> None:
        self._ends.append(end_of(0, sender))
        self._end_wait()

    # Called by the listener.

    def _may_accept(self) -> bool:
        """Return whether it is known which connections are silent, if that matters."""
        watch = self.watch
        is_full = len(self._connections) >= self._limit
        return not (is_full and self._connecting) or bool(watch.silent or watch.deaf)

    def _accepted(self, made: socket.socket, peer: Peer) -> None:
        rules = self.guard.rules
        if rules is None:
            self._admit(made, peer)
        elif rules.needs_name:
            self._keep(self._admit_by_name(made, peer, rules))
        else:
            self._admit_if(made, peer, is_allowed=rules.allows(peer[0]))

    async def _admit_by_name(self, made: socket.socket, peer: Peer, rules: IpRules) -> None:
        name = None
        # Without a name, the address is compared with the pattern, as Java does.
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_NAME_TIMEOUT_S):
                loop = asyncio.get_running_loop()
                name, _ = await loop.getnameinfo((peer[0], 0), socket.NI_NAMEREQD)
        self._admit_if(made, peer, is_allowed=rules.allows(peer[0], name))

    def _admit_if(self, made: socket.socket, peer: Peer, *, is_allowed: bool) -> None:
        if is_allowed:
            self._admit(made, peer)
            return
        made.close()
        problem = f"{address_text(peer)}: connection refused by ipFilterRules"
        self._complaints.say(peer[0], "connection refused by ipFilterRules", problem)

    def _admit(self, made: socket.socket, peer: Peer) -> None:
        if len(self._connections) >= self._limit and not self._close_one():
            made.close()
            problem = (
                f"connection refused: the limit of {self._limit:,} connections is reached, and all"
                " of them are busy"
            )
            self._complaints.say(peer[0], "connection refused", f"{address_text(peer)}: {problem}")
            return
        connection = Connection(self, self._opened_count, made, peer)
        self._opened_count += 1
        self._connections.add(connection)
        self._turns = _ACCEPT_TURNS
        self._choose_view()
        self._all_closed.clear()
        if self._senders is not None:
            self._senders.opened(connection.sender)
        self._keep(self._connect(connection, made))

    def _keep(self, connecting: Coroutine[None, None, None]) -> None:
        """Run what has to be finished before the receiver is closed."""
        task = asyncio.ensure_future(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: Connection, made: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, made)
        except OSError:
            # It is lost already.
            made.close()
            connection.is_lost = True
            self.closed(connection)

    def _make_room(self, error: OSError) -> bool:
        """Close an idle connection, because the system has no descriptor or memory for another."""
        where, kind = f"flume://{address_text(self._address)}", "no connection can be accepted"
        problem = f"{where}: {kind} beside {len(self._connections):,} others: {os_reason(error)}"
        self._complaints.say(where, kind, problem)
        return self._close_one()

    def _close_one(self) -> bool:
        """Close the connection that is the least active, in favour of a new one."""
        found = self.watch.least_active()
        if found is None or not isinstance(connection := found[0], Connection):
            return False
        problem = f"connection closed: {found[1]} when the limit of connections was reached"
        self.complain(connection, f"closed because {found[1]}", problem)
        self._connections.discard(connection)
        connection.close()
        return True

    def _choose_view(self) -> None:
        count = len(self._connections)
        self.largest_view = sum(count <= most for most in _CONNECTIONS_OF_READS)

    # Called by the connections.

    def received(self, connection: Connection, size: int) -> None:
        """Serve a connection that has batches of this size, or bytes to decode."""
        self._queues.add(connection)
        if self._waiting is not None:
            self._end_wait()
        self._pending_bytes += size
        if self._pending_bytes > PENDING_BYTES and not self.is_full:
            self._set_full(is_full=True)

    def answered(self, connection: Connection, size: int) -> None:
        """Take note of the outcome of a batch of this size."""
        if size > LARGE_BYTES:
            self._queues.large_answered()
            self._end_wait()
        self._pending_bytes -= size + CALL_BYTES
        if self.is_full and self._pending_bytes <= PENDING_BYTES // 2:
            self._set_full(is_full=False)
        self._to_flush[connection] = None
        self._handed_over -= 1
        # One write per connection for all answers of a round.
        if not self._handed_over:
            self.flush()
        if connection.is_lost and not connection.open_batches:
            self._release(connection)

    def complain(self, connection: Connection, kind: str, problem: str) -> None:
        """Log a problem with a peer."""
        self._complaints.say(connection.address, kind, f"{connection.peer}: {problem}")

    def closed(self, connection: Connection) -> None:
        """Forget a connection; its batches are dropped when it is their turn."""
        self.watch.remove(connection)
        self._connections.discard(connection)
        self._choose_view()
        if not self._connections:
            self._all_closed.set()
        if not connection.open_batches:
            self._release(connection)

    def _release(self, connection: Connection) -> None:
        """Count a connection as closed, once no batch of it is left."""
        if self._senders is not None and connection.is_counted:
            connection.is_counted = False
            self._senders.closed(connection.sender, has_sent=connection.batches > 0)

    def _set_full(self, *, is_full: bool) -> None:
        self.is_full = is_full
        for each in self._connections:
            each.update_reading()

    def flush(self) -> None:
        for connection in self._to_flush:
            connection.write_answers()
        self._to_flush.clear()
