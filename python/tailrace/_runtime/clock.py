"""The clock, and the silence measured with it; no other module of the package reads a clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Clock", "LogClock", "Silence"]

# Work between two reads of the sources that takes longer than this does not count as silence.
_WORK_US = 100_000


class Clock:
    """The wall clock, read once and carried forward by the monotonic clock; never goes back."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_ns = wall_ns() - monotonic_ns()

    def now_us(self) -> int:
        """Return microseconds since the epoch."""
        return (self._offset_ns + self._monotonic_ns()) // 1_000


class LogClock:
    """
    The time of a log: its newest event time, carried forward since that time was received.

    So it passes while the log is silent, whether the log is old or its writer's clock is wrong.
    """

    def __init__(self) -> None:
        self._newest_us: int | None = None
        self._received_us = 0

    def observe(self, newest_us: int | None, received_us: int) -> None:
        """Record the newest event time so far, and when it was received if it is new."""
        if newest_us is not None and newest_us != self._newest_us:
            self._newest_us, self._received_us = newest_us, received_us

    def now_us(self, clock_us: int) -> int | None:
        """Return microseconds since the epoch; None before the first event time."""
        if self._newest_us is None:
            return None
        return self._newest_us + max(clock_us - self._received_us, 0)


class Silence:
    """
    How long each live source has sent no event time, measured while the sources are listened to.

    Only short work in between counts, so that a slow process makes no source silent.
    """

    def __init__(self, live: Iterable[int], timeout_us: int) -> None:
        self._timeout_us = timeout_us
        self._since = dict.fromkeys(live, 0)
        self._at_us: int | None = None
        self.listened_us = 0

    def begin(self, now_us: int) -> None:
        """Start listening."""
        if self._at_us is not None and now_us - self._at_us < _WORK_US:
            self.listened_us += now_us - self._at_us
        self._at_us = now_us

    def end(self, now_us: int) -> None:
        """Stop listening."""
        if self._at_us is not None:
            self.listened_us += now_us - self._at_us
        self._at_us = now_us

    def add(self, source: int) -> None:
        """Add a source, which is not silent now."""
        self._since[source] = self.listened_us

    def observe(self, source: int) -> None:
        """Record that a source has sent an event time."""
        if source in self._since:
            self._since[source] = self.listened_us

    def remove(self, source: int) -> None:
        """Remove a source."""
        self._since.pop(source, None)

    def silent_sources(self, listened_us: int) -> list[int]:
        """Return the sources whose silence exceeds the timeout after `listened_us`."""
        oldest_us = listened_us - self._timeout_us
        return [source for source, since in self._since.items() if since < oldest_us]
