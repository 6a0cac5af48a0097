"""Which connections are silent, which have begun a frame, and which are too slow with it."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Watch", "Watched"]

C = TypeVar("C", bound="Watched")

# The progress of a begun frame: 1 KiB/s. Only checks of this process between which the connection
# was read count, so that neither a stopped process nor backpressure blames a peer.
CHECK_S = 1.0
CHECKS = 10
LEAST_BYTES = 10 * 1024

# How many connections are looked at to find one that has sent nothing meanwhile.
_MAX_LOOKS = 16


class Watched:
    """What is watched of a connection."""

    address = ""
    """The address of its peer."""

    def __init__(self) -> None:
        self.partial = 0
        """Bytes that were read and belong to no call yet."""
        self.received = 0
        """Bytes that were read."""
        self.has_paused = False
        """Whether reading was paused since the last check."""
        self._checks = 0
        self._received_before = 0

    @property
    def is_paused(self) -> bool:
        """Whether it is not read now."""
        raise NotImplementedError

    def refuse(self, problem: str, kind: str) -> None:
        """End it with a log line, after earlier batches are answered."""
        raise NotImplementedError

    def is_readable(self) -> bool:
        """Return whether it has sent bytes that were not read."""
        raise NotImplementedError

    def is_waiting(self) -> bool:
        """Return whether it has no open call, and only its peer can change that."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start to measure its progress, in the middle of the time between two checks."""
        self._checks, self._received_before = -1, self.received

    def is_slow(self) -> bool:
        """Check its progress; return whether it has made too little."""
        if not self.has_paused:
            self._checks += 1
        self.has_paused = self.is_paused
        if self._checks < CHECKS:
            return False
        is_slow = self.received - self._received_before < LEAST_BYTES
        self._checks, self._received_before = 0, self.received
        return is_slow


class Watch:
    """
    The connections that may have to end so that others can be served.

    Args:
        max_partial_bytes: The limit of all bytes that belong to no call yet.
    """

    def __init__(self, max_partial_bytes: int) -> None:
        self.silent: OrderedDict[Watched, float] = OrderedDict()
        """Since when no frame is begun and no call is open; the one silent longest comes first."""
        self.deaf: OrderedDict[Watched, None] = OrderedDict()
        """The peer does not read its answers."""
        # Since when a frame is begun.
        self.begun: OrderedDict[Watched, float] = OrderedDict()
        self.partial = 0
        self._max_partial = max_partial_bytes
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.now: Callable[[], float] = float

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this event loop for checks."""
        self._loop = loop
        self.now = loop.time

    def set_partial(self, connection: Watched, size: int) -> None:
        """Record how many bytes of a connection belong to no call yet."""
        self.partial += size - connection.partial
        connection.partial = size
        if not size:
            self._forget(connection)
        elif connection not in self.begun:
            connection.begin()
            self.begun[connection] = self.now()
            if self._timer is None and self._loop is not None:
                self._timer = self._loop.call_later(CHECK_S, self._check)
        while self.partial > self._max_partial and self.begun:
            largest = self._largest()
            problem = (
                f"all connections together hold more than {self._max_partial:,} bytes of incomplete"
                f" batches, those of its address the most, and this one {largest.partial:,} bytes;"
                " send smaller batches, or raise --max-partial-bytes"
            )
            largest.refuse(problem, "too many bytes of incomplete batches")
            self._forget(largest)

    def _largest(self) -> Watched:
        """Return the connection with the most bytes, of the address with the most bytes."""
        sums: dict[str, int] = {}
        for each in self.begun:
            sums[each.address] = sums.get(each.address, 0) + each.partial
        return max(self.begun, key=lambda each: (sums[each.address], each.partial))

    def _forget(self, connection: Watched) -> None:
        self.partial -= connection.partial
        connection.partial = 0
        self.begun.pop(connection, None)

    def _check(self) -> None:
        self._timer = None
        for connection in list(self.begun):
            if connection.is_slow():
                rate = f"{LEAST_BYTES // CHECKS:,} bytes a second"
                problem = f"an incomplete batch, expected at least {rate} of it over {CHECKS} s"
                connection.refuse(problem, "an incomplete batch that does not go on")
        if self.begun and self._loop is not None:
            self._timer = self._loop.call_later(CHECK_S, self._check)

    def least_active(self) -> tuple[Watched, str] | None:
        """Return the connection to end in favour of a new one, and why; forget it."""
        if self.deaf:
            return self.deaf.popitem(last=False)[0], "it did not read its answers"
        silent = next((each for each in self._first(self.silent) if not each.is_readable()), None)
        # With a byte each, peers could else keep all others out.
        begun = next(filter(self._is_stuck, self._first(self.begun)), None)
        if begun is not None and (silent is None or self.begun[begun] < self.silent[silent]):
            self._forget(begun)
            return begun, "its batch was incomplete longest"
        if silent is not None:
            del self.silent[silent]
            return silent, "it was silent longest"
        return None

    @staticmethod
    def _first(connections: Iterable[Watched]) -> Iterator[Watched]:
        return islice(connections, _MAX_LOOKS)

    def _is_stuck(self, connection: Watched) -> bool:
        """Return whether a begun frame lacks bytes that its peer has not sent."""
        if not connection.is_waiting():
            return False
        return self.now() - self.begun[connection] > CHECK_S or not connection.is_readable()

    def remove(self, connection: Watched) -> None:
        """Forget a connection."""
        self.silent.pop(connection, None)
        self.deaf.pop(connection, None)
        if connection.partial:
            self.set_partial(connection, 0)

    def close(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = None
