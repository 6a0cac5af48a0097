"""The addresses that send events, and when each has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Senders"]

# An agent that is restarted connects again within this time.
SENDER_END_S = 60.0


class Senders:
    """
    Counts the connections of each address, and ends an address some time after the last one.

    Args:
        loop: The event loop.
        end: Called with an address that has ended, if it has sent events.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, end: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._end = end
        self._connections: dict[bytes, int] = {}
        self._has_sent: set[bytes] = set()
        self._ending: dict[bytes, asyncio.TimerHandle] = {}

    def opened(self, sender: bytes) -> None:
        """Count a connection."""
        self._connections[sender] = self._connections.get(sender, 0) + 1
        if (timer := self._ending.pop(sender, None)) is not None:
            timer.cancel()

    def expect(self, sender: bytes) -> None:
        """End an address that has sent events to an earlier process, unless it connects in time."""
        self._has_sent.add(sender)
        self._ending[sender] = self._loop.call_later(SENDER_END_S, self._ended, sender)

    def closed(self, sender: bytes, *, has_sent: bool) -> None:
        """Stop counting a connection of which nothing is queued."""
        if has_sent:
            self._has_sent.add(sender)
        self._connections[sender] -= 1
        if not self._connections[sender]:
            del self._connections[sender]
            if sender in self._has_sent:
                timer = self._loop.call_later(SENDER_END_S, self._ended, sender)
                self._ending[sender] = timer

    def _ended(self, sender: bytes) -> None:
        del self._ending[sender]
        self._has_sent.discard(sender)
        self._end(sender)

    def close(self) -> None:
        """Stop all timers."""
        for timer in self._ending.values():
            timer.cancel()
        self._ending.clear()
