"""The order in which the calls of all connections are served."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace._sources import Chunk

__all__ = ["CALL_BYTES", "LARGE_BYTES", "Queue", "Queues"]

# The cost of a call besides its bytes: its memory, and about the time to count so many bytes.
CALL_BYTES = 600

# A larger call is worked on in a thread, and no other such call meanwhile. So others wait for at
# most one.
LARGE_BYTES = 256 * 1024

# How far ahead of the others a connection may be served, so that several small calls are a turn.
_AHEAD_BYTES = 8 * CALL_BYTES

# What is handed over at once, if others wait and otherwise. Between two rounds sockets are served,
# answers are written and the clock is read. Hostile calls cost 0.3 us a byte.
_ROUND_CALLS = 256
_ROUND_BYTES = 512 * 1024
_ROUND_BYTES_ALONE = 2 * 1024 * 1024


class Queue:
    """The calls of one connection that were decoded and not handed over."""

    def __init__(self) -> None:
        self.calls: deque[Chunk] = deque()
        # What was served so far, in bytes, on the scale of all queues.
        self.served = 0
        self.is_queued = False

    @property
    def undecoded(self) -> int:
        """The number of bytes that are not decoded."""
        raise NotImplementedError

    def refill(self) -> int:
        """Decode more bytes into `calls`, if there are any; return the cost without these calls."""
        raise NotImplementedError

    @property
    def can_refill(self) -> bool:
        """Whether `refill` may decode more bytes now."""
        raise NotImplementedError


class Queues:
    """
    Weighted fair queueing: the connection whose next call would be finished first goes first.

    Each connection gets the same share of bytes and calls, and one that uses less than its share
    does not wait for those that use more. A connection costs the same however much others have
    queued: O(log n) for each turn, nothing when it is closed.
    """

    def __init__(self) -> None:
        # By the cost served when the next call is finished, then in the order of arrival.
        self.waiting: list[tuple[int, int, Queue]] = []
        """The connections that can be served."""
        self._now = 0
        self._count = 0
        # Connections whose next call is large, while another large one is worked on.
        self._parked: deque[Queue] = deque()
        self._has_large = False

    def add(self, queue: Queue) -> None:
        """Add a connection with calls or undecoded bytes, unless it is queued."""
        if queue.is_queued:
            return
        queue.is_queued = True
        # What it did not use while it had nothing to serve is lost.
        queue.served = max(queue.served, self._now)
        self._push(queue)

    def _push(self, queue: Queue) -> None:
        size = len(queue.calls[0].data) if queue.calls else min(queue.undecoded, LARGE_BYTES)
        self._count += 1
        heappush(self.waiting, (queue.served + size + CALL_BYTES, self._count, queue))

    def large_answered(self) -> None:
        """Let the next large call be handed over."""
        self._has_large = False
        if self._parked:
            self._push(self._parked.popleft())

    def take(self) -> list[Chunk]:
        """Return the calls of the next round; none if only calls without events were decoded."""
        waiting = self.waiting
        chunks: list[Chunk] = []
        left = _ROUND_BYTES_ALONE if len(waiting) == 1 else _ROUND_BYTES
        while waiting and left > 0 and len(chunks) < _ROUND_CALLS:
            queue = heappop(waiting)[2]
            # Where it begins, not where it ends: it may be served less than was expected.
            self._now = max(self._now, queue.served)
            calls = queue.calls
            cost = 0 if calls else queue.refill()
            most = min(left, waiting[0][0] + _AHEAD_BYTES - queue.served) if waiting else left
            is_parked = False
            while calls and len(chunks) < _ROUND_CALLS:
                size = len(calls[0].data)
                if size > LARGE_BYTES:
                    if self._has_large:
                        is_parked = True
                        break
                    self._has_large = True
                chunks.append(calls.popleft())
                cost += size + CALL_BYTES
                if cost >= most:
                    break
            queue.served += cost
            left -= max(cost, CALL_BYTES)
            if is_parked:
                self._parked.append(queue)
            elif calls or queue.can_refill:
                self._push(queue)
            else:
                queue.is_queued = False
        return chunks
