"""The clock, and what is measured by it; nothing else in the package reads one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Clock", "Silence"]

# Longer work than this between two looks at the sources is not their silence.
_WORK_US = 100_000


class Clock:
    """The wall clock, read once and carried forward by the monotonic one: it never goes back."""

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


class Silence:
    """
    How long each live source has told no time, by a clock that runs while they are listened to.

    Work in between counts as far as it is short: being slow makes no source silent.
    """

    def __init__(self, live: Iterable[int], timeout_us: int) -> None:
        self._timeout_us = timeout_us
        self._since = dict.fromkeys(live, 0)
        self._at_us: int | None = None
        self.listened_us = 0

    def begin(self, now_us: int) -> None:
        """Begin to listen."""
        if self._at_us is not None and now_us - self._at_us < _WORK_US:
            self.listened_us += now_us - self._at_us
        self._at_us = now_us

    def end(self, now_us: int) -> None:
        """Have listened."""
        if self._at_us is not None:
            self.listened_us += now_us - self._at_us
        self._at_us = now_us

    def add(self, source: int) -> None:
        """Watch one source more from now on."""
        self._since[source] = self.listened_us

    def broken(self, source: int) -> None:
        """Note that a source has told a time."""
        if source in self._since:
            self._since[source] = self.listened_us

    def remove(self, source: int) -> None:
        """Forget a source."""
        self._since.pop(source, None)

    def too_long(self, listened_us: int) -> list[int]:
        """Return the sources that are silent for too long, after listening for so long."""
        oldest_us = listened_us - self._timeout_us
        return [source for source, since in self._since.items() if since < oldest_us]
