"""Peers that send batches as Flume's Avro sink does: without an answer, the same batch again."""

from __future__ import annotations

import socket
import threading
import time
from random import Random
from typing import TYPE_CHECKING

from live import OK, Sink, line, wait_for
from wire import events

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Peer"]

# How long a peer waits for an answer and before it connects again, as an agent does with others.
_ANSWER_S = 20.0
_PAUSE_S = 0.02


class _BoundSink(Sink):
    """A connection from a given address."""

    def __init__(self, port: int, address: str) -> None:
        super().__init__(port)
        self.socket.close()
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=_ANSWER_S, source_address=(address, 0)
        )


class Peer:
    """
    A thread that sends batches, one at a time, each until it is acknowledged.

    The lines of batch n of a peer called `a` have the URL `/a/n`, so each batch is a key.

    Args:
        name: Its name in the URLs.
        port: The port of the receiver.
        address: The address that it sends from.
        seed: The seed of the sizes of its batches.
        most: The largest batch.
        stamp: Returns the timestamp header of a batch; by default the clock.
    """

    def __init__(
        self,
        name: str,
        port: int,
        address: str = "127.0.0.1",
        *,
        seed: int = 0,
        most: int = 1_000,
        stamp: Callable[[], bytes | None] = lambda: str(time.time_ns() // 10**6).encode(),
    ) -> None:
        self.sizes: dict[str, int] = {}
        """The size of each batch that was begun, by its URL."""
        self.acknowledged: set[str] = set()
        self.refused = 0
        """How often the receiver has answered FAILED."""
        self._name = name
        self._port = port
        self._address = address
        self._random = Random(seed)  # noqa: S311 - no secret
        self._most = most
        self._stamp = stamp
        self._sink: Sink | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def sent(self) -> int:
        """The number of events in all batches that were begun."""
        return sum(self.sizes.copy().values())

    @property
    def counted(self) -> int:
        """The number of acknowledged events."""
        return sum(self.sizes[url] for url in self.acknowledged.copy())

    def stop(self) -> None:
        """Stop after the current batch is acknowledged; the receiver has to run."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self._name} is still without an answer"

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            url = f"/{self._name}/{number}"
            # Small ones as often as large ones.
            size = round(self._most ** self._random.random())
            self.sizes[url] = size
            batch = events([line(url)] * size, self._stamp())
            while self._answer(batch) != OK:
                # It sends the same batch again, on a new connection unless it was refused.
                time.sleep(_PAUSE_S)
            self.acknowledged.add(url)
            number += 1
        if self._sink is not None:
            self._sink.socket.close()

    def _answer(self, batch: bytes) -> bytes | None:
        try:
            if self._sink is None:
                self._sink = _BoundSink(self._port, self._address)
            answer = self._sink.call(b"appendBatch", batch)
        except (OSError, AssertionError):
            if self._sink is not None:
                self._sink.socket.close()
            self._sink = None
            return None
        self.refused += answer != OK
        return answer


def wait_until_sent(peers: list[Peer], more: int) -> None:
    """Wait until so many more events are acknowledged."""
    before = sum(peer.counted for peer in peers)
    wait_for(lambda: sum(peer.counted for peer in peers) >= before + more)
