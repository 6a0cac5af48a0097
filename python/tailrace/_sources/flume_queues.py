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

# A peer that waits for the answer to its last call before it sends the next has calls of this size
# at most when it has little to send.
_SMALL_BYTES = 8 * 1024

# How far ahead of the others a connection may be served, so that several small calls are a turn.
_AHEAD_BYTES = 8 * CALL_BYTES

# What is handed over at once: twice as much of few connections, four times as much of one. Between
# two rounds sockets are served, answers are written and the clock is read. Hostile calls cost 0.15
# to 0.3 us a byte.
_ROUND_CALLS = 256
_ROUND_BYTES = 512 * 1024
_FEW = 8


class Queue:
    """The calls of one connection that were decoded and not handed over."""

    def __init__(self) -> None:
        self.calls: deque[Chunk] = deque()
        # What was served since it was last empty, in bytes, on the scale of all queues.
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
    Serves connections by bytes and calls, whatever they have queued.

    A peer that had nothing queued and now has a small call comes first, up to half of a round. The
    others share the rest by weighted fair queueing: the call that would be finished first, if all
    were served at once, is next. A connection costs O(log n) for each turn, and nothing when it is
    closed: its calls are handed over in their turn, to be dropped.
    """

    def __init__(self) -> None:
        # Small calls, by the time when each would be finished if all were served at once.
        self._prompt: list[tuple[int, int, Queue]] = []
        self.waiting: list[tuple[int, int, Queue]] = []
        """The other connections that can be served, in the same order."""
        # These times, in bytes for each connection that waits.
        self._prompt_now = self._now = 0
        self._count = 0
        # Connections whose next call is large, while another large one is worked on.
        self._parked: list[tuple[int, int, Queue]] = []
        self._has_large = False

    def __bool__(self) -> bool:
        """Return whether a connection can be served."""
        return bool(self._prompt or self.waiting)

    def add(self, queue: Queue) -> None:
        """Add a connection with calls or undecoded bytes, unless it is queued."""
        if queue.is_queued:
            return
        queue.is_queued = True
        calls = queue.calls
        size = len(calls[0].data) if calls else queue.undecoded
        if size <= _SMALL_BYTES:
            self._count += 1
            tag = self._prompt_now + size + CALL_BYTES
            heappush(self._prompt, (tag, self._count, queue))
        else:
            queue.served = self._now
            self._push(queue, self.waiting)

    def _push(self, queue: Queue, heap: list[tuple[int, int, Queue]]) -> None:
        size = len(queue.calls[0].data) if queue.calls else min(queue.undecoded, LARGE_BYTES)
        self._count += 1
        heappush(heap, (queue.served + size + CALL_BYTES, self._count, queue))

    def large_answered(self) -> None:
        """Let the next large call be handed over."""
        self._has_large = False
        if self._parked:
            heappush(self.waiting, heappop(self._parked))

    def take(self) -> list[Chunk]:
        """Return the calls of the next round; none if only calls without events were decoded."""
        prompt, waiting = self._prompt, self.waiting
        chunks: list[Chunk] = []
        count = len(prompt) + len(waiting)
        left = _ROUND_BYTES * (4 if count == 1 else 2 if count <= _FEW else 1)
        half = left // 2 if waiting else 0
        while prompt and left > half and len(chunks) < _ROUND_CALLS // 2:
            queue = heappop(prompt)[2]
            is_alone = not (prompt or waiting)
            cost = self._serve(queue, left if is_alone else _SMALL_BYTES, chunks)
            self._prompt_now += cost // (len(prompt) + 1)
            left -= cost
            # From now on it shares with the others.
            queue.served = self._now
            self._put_back(queue)
        while waiting and left > 0 and len(chunks) < _ROUND_CALLS:
            queue = heappop(waiting)[2]
            most = min(left, waiting[0][0] + _AHEAD_BYTES - queue.served) if waiting else left
            cost = self._serve(queue, most, chunks)
            # Where it began, not where it was to end: it may be served less than was expected.
            self._now = max(self._now + cost // (len(waiting) + 1), queue.served)
            queue.served += cost
            left -= cost
            self._put_back(queue)
        return chunks

    def _serve(self, queue: Queue, most: int, chunks: list[Chunk]) -> int:
        """Take the next call of a connection, and more up to this cost; return the cost."""
        calls = queue.calls
        cost = 0 if calls else queue.refill()
        while calls and len(chunks) < _ROUND_CALLS:
            size = len(calls[0].data)
            if size > LARGE_BYTES:
                if self._has_large:
                    break
                self._has_large = True
            chunks.append(calls.popleft())
            cost += size + CALL_BYTES
            if cost >= most:
                break
        return max(CALL_BYTES, cost)

    def _put_back(self, queue: Queue) -> None:
        calls = queue.calls
        if calls:
            is_parked = self._has_large and len(calls[0].data) > LARGE_BYTES
            self._push(queue, self._parked if is_parked else self.waiting)
        elif queue.can_refill:
            self._push(queue, self.waiting)
        else:
            queue.is_queued = False
