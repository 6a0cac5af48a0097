"""
Sends batches to a Flume receiver, like the Avro sink of an agent.

Nothing is ever sent again: unacknowledged batches are counted, and the caller decides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tailrace._errors import ProtocolError
from tailrace._flume import ClientSession, Status

__all__ = ["ANSWER_TIMEOUT_S", "Counts", "Sender", "address"]

# An agent's connect-timeout and request-timeout.
ANSWER_TIMEOUT_S = 20.0


def address(host: str, port: int) -> str:
    """
    Format an address as `host:port`, with brackets around IPv6.

    >>> address("::1", 9092)
    '[::1]:9092'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(slots=True)
class Counts:
    """The lines and batches sent, and their outcome."""

    lines: int = 0
    batches: int = 0
    acknowledged: int = 0
    refused: int = 0
    """Lines that the receiver answered with FAILED."""
    doubtful: int = 0
    """Lines that were sent and not answered; they may have been accepted."""


class Sender:
    """
    Connections to one receiver, used in turn; each has at most one batch in flight.

    The first failure stops sending: it sets *stir*, and `problem` describes it.
    """

    def __init__(
        self, host: str, port: int, *, connections: int = 1, stir: asyncio.Event | None = None
    ) -> None:
        self.counts = Counts()
        self.problem: str | None = None
        self._address = (host, port)
        self._connection_count = connections
        self._connections: list[_Connection] = []
        self._turn = 0
        self._stir = stir or asyncio.Event()

    async def open(self) -> None:
        """
        Connect.

        Raises:
            OSError: The connection failed.
        """
        loop = asyncio.get_running_loop()
        host, port = self._address
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                for _ in range(self._connection_count):
                    made = await loop.create_connection(lambda: _Connection(self), host, port)
                    self._connections.append(made[1])
        except OSError:
            await self.close()
            raise

    async def send(self, parameter: bytes, lines: int) -> bool:
        """
        Send a batch on the next connection, once that has no batch in flight.

        Returns whether it was sent; after a failure, nothing is sent.
        """
        connection = self._connections[self._turn]
        await connection.settled()
        if self.problem is not None:
            return False
        self._turn = (self._turn + 1) % len(self._connections)
        self.counts.lines += lines
        self.counts.batches += 1
        connection.send(parameter, lines, self.counts.batches)
        return True

    async def close(self) -> None:
        """Wait for the answers to batches in flight, and close."""
        for connection in self._connections:
            await connection.settled()
        for connection in self._connections:
            await connection.close()

    def fail(self, problem: str) -> None:
        """Record why a connection ended; the first failure is the cause."""
        if self.problem is None:
            self.problem = f"{address(*self._address)}: {problem}"
        self._stir.set()


class _Connection(asyncio.Protocol):
    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._session = ClientSession()
        self._transport: asyncio.Transport | None = None
        # The number of lines in the batch in flight, and its number.
        self._lines = 0
        self._batch = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self._lost = asyncio.Event()

    # Called by the sender.

    async def settled(self) -> None:
        """Wait until nothing is in flight, at most until the timeout for an answer."""
        await self._settled.wait()

    def send(self, parameter: bytes, lines: int, number: int) -> None:
        assert self._transport is not None  # noqa: S101 - `problem` is set when it is lost
        self._lines, self._batch = lines, number
        self._settled.clear()
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(ANSWER_TIMEOUT_S, self._give_up)
        self._session.call(parameter)
        self._transport.write(self._session.to_send())

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        await self._lost.wait()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP client's transport
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            answers = self._session.receive(data)
        except ProtocolError as error:
            self._fail(f"connection closed: {error}")
            return
        # The first call again, for a receiver that did not know the protocol.
        again = self._session.to_send()
        if again:
            self._transport.write(again)
        for answer in answers:
            self._settle(answer.status, answer.error)

    def eof_received(self) -> None:
        try:
            self._session.close()
        except ProtocolError as error:
            self._fail(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        in_flight = f" before it answered batch {self._batch}" if self._lines else ""
        reason = f" ({_reason(exc)})" if exc is not None else ""
        self._fail(f"the receiver closed the connection{in_flight}{reason}")

    def _settle(self, status: Status | None, error: str | None) -> None:
        counts = self._sender.counts
        if status is Status.OK:
            counts.acknowledged += self._lines
            self._clear_flight()
        elif status is Status.FAILED:
            counts.refused += self._lines
            self._lines = 0
            self._fail(
                f"batch {self._batch} was answered with FAILED: the receiver cannot accept it now;"
                " its channel may be full, or its transactionCapacity below --batch"
            )
        elif status is Status.UNKNOWN:
            self._fail(f"batch {self._batch} was answered with UNKNOWN")
        else:
            self._fail(f"batch {self._batch} was answered with an error: {error}")

    def _give_up(self) -> None:
        self._fail(f"no answer to batch {self._batch} within {ANSWER_TIMEOUT_S:.0f} s")

    def _clear_flight(self) -> None:
        """Record that nothing is in flight."""
        self._lines = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._settled.set()

    def _fail(self, problem: str) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        self._sender.counts.doubtful += self._lines
        self._clear_flight()
        self._sender.fail(problem)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
