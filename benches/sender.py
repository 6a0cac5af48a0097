"""
Send load to a receiver of Flume events, like many Avro sinks, as fast as it is accepted.

Requests are encoded beforehand, each connection is a process of its own, and every answer is
checked, so the receiver is what is measured. The encoding shares no code with tailrace.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

__all__ = ["Load", "acknowledged", "send"]

# The handshake of Flume's clients, and the answer to a known one.
_HASH = bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65")
_HANDSHAKE = _HASH + b"\x00" + _HASH + b"\x02\x00"
_GREETED = b"\x00\x00\x00\x00"
_CALL = b"\x00\x16appendBatch"
_OK = b"\x00\x00\x00"

_LINE_BYTES = 200
# Different requests, so that the processor's cache does not still hold one.
_DISTINCT = 50
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Load:
    """How many events are sent, and how."""

    batch: int
    connections: int
    depth: int
    """How many requests of a connection are unanswered at a time; an Avro sink has one."""
    batches: int
    """How many are sent, over all connections."""

    @property
    def events(self) -> int:
        """The number of events."""
        return self.batch * self.batches

    def keys(self) -> Counter[str]:
        """Count the sent events by URL."""
        counts: Counter[str] = Counter()
        for connection in range(self.connections):
            for at in range(_DISTINCT):
                times = len(range(at, _share(self, connection), _DISTINCT))
                first = (connection + at) % _DISTINCT * self.batch
                for number in range(first, first + self.batch if times else first):
                    counts[_url(number)] += times
        return counts


def send(port: int, load: Load, used: Callable[[], float]) -> float:
    """
    Send all of it to this port; return how much *used* grew from the first byte to the last answer.

    Raises:
        ValueError: An answer was wrong or did not come in time.
    """
    context = multiprocessing.get_context("fork")
    go = context.Event()
    pipes = [context.Pipe(duplex=False) for _ in range(load.connections)]
    senders = [
        context.Process(target=_run, args=(port, load, number, go, pipe), daemon=True)
        for number, (_, pipe) in enumerate(pipes)
    ]
    for sender in senders:
        sender.start()
    try:
        for reader, _ in pipes:
            _expect(reader, "ready")
        before = used()
        go.set()
        for reader, _ in pipes:
            _expect(reader, "done")
        return used() - before
    finally:
        for sender in senders:
            sender.kill()
            sender.join()


def _expect(reader: Connection, wanted: str) -> None:
    message = reader.recv() if reader.poll(2 * _TIMEOUT_S) else "no answer in time"
    if message != wanted:
        raise ValueError(message)


def _run(port: int, load: Load, number: int, go: Event, pipe: Connection) -> None:
    try:
        requests = _requests(load.batch)
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pipe.send("ready")
            go.wait(_TIMEOUT_S)
            _drive(connection, load, number, requests)
        pipe.send("done")
    except (OSError, ValueError) as error:
        pipe.send(f"connection {number}: {error}")


def _drive(connection: socket.socket, load: Load, number: int, requests: list[bytes]) -> None:
    answers = _answers(connection)
    waiting: set[int] = set()
    for serial, request in _frames(load, number, requests):
        connection.sendall(request)
        waiting.add(serial)
        # The handshake must be answered before the next request.
        if serial == 1 or len(waiting) == load.depth:
            _take(answers, waiting)
    while waiting:
        _take(answers, waiting)


def acknowledged(
    connection: socket.socket, load: Load, number: int
) -> Iterator[Callable[[], None]]:
    """Return a function for each request, which sends it and waits for the answer."""
    answers, requests = _answers(connection), _requests(load.batch)

    def calls() -> Iterator[Callable[[], None]]:
        for serial, request in _frames(load, number, requests):

            def call(serial: int = serial, request: bytes = request) -> None:
                connection.sendall(request)
                _take(answers, {serial})

            yield call

    return calls()


def _frames(load: Load, number: int, requests: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the serial and the bytes of each request of a connection."""
    for at in range(_share(load, number)):
        head = _CALL if at else _HANDSHAKE + _CALL
        events = requests[(number + at) % _DISTINCT]
        start = struct.pack(">iii", at + 1, 2, len(head)) + head
        yield at + 1, start + struct.pack(">i", len(events)) + events


def _take(answers: Iterator[tuple[int, bytes]], waiting: set[int]) -> None:
    """Take the next answer, which has to be one of those that are waited for."""
    serial, answer = next(answers)
    # Only the first call has a handshake.
    wanted = _GREETED + _OK if serial == 1 else _OK
    if serial not in waiting or answer != wanted:
        _refuse(f"{answer[:80]!r} for call {serial}, not {wanted!r} for one of {waiting}")
    waiting.remove(serial)


def _answers(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield serials and messages; Flume's own receiver answers in any order."""
    with connection.makefile("rb") as stream:

        def read(size: int) -> bytes:
            data = stream.read(size)
            if len(data) < size:
                _refuse("the receiver closed the connection")
            return data

        while True:
            serial, buffers = struct.unpack(">ii", read(8))
            sizes = (struct.unpack(">i", read(4))[0] for _ in range(buffers))
            yield serial, b"".join(read(size) for size in sizes)


def _refuse(problem: str) -> NoReturn:
    raise ValueError(problem)


def _share(load: Load, number: int) -> int:
    """Return how many of the batches go over this connection."""
    return len(range(number, load.batches, load.connections))


def _requests(batch: int) -> list[bytes]:
    """
    Encode the parameters of the different calls.

    Each connection has a header of its own, so that none seems to repeat what another has sent.
    """
    own = b"\x02\x06own\x20" + os.urandom(8).hex().encode() + b"\x00"
    numbers = (range(at * batch, (at + 1) * batch) for at in range(_DISTINCT))
    return [
        _long(batch) + b"".join(own + _body(number) for number in some) + b"\x00"
        for some in numbers
    ]


@cache
def _body(number: int) -> bytes:
    line = _line(number)
    return _long(len(line)) + line


def _url(number: int) -> str:
    return f"/page/{number % 977}?id={number}"


def _line(number: int) -> bytes:
    second = f"{number // 60 % 60:02}:{number % 60:02}"
    host = f"10.{number % 7}.{number % 251}.{number % 241}"
    line = (
        f'{host} - - [22/Nov/2026:10:{second} +0000] "GET {_url(number)} HTTP/1.1" 200'
        f' {number % 99_991} "-" "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101'
    )
    return line.ljust(_LINE_BYTES - 1, "x").encode() + b'"'


def _long(number: int) -> bytes:
    number <<= 1
    out = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - what a byte of a varint holds
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
