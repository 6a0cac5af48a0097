"""The clock, and the silence measured with it; no other module of the package reads a clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tailrace._errors import log_warning

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Silence", "resolutions_ns"]

# A larger difference between the time and the wall clock is a step. The monotonic clock of a system
# is slewed as its wall clock is, so smaller ones do not grow by themselves.
_STEP_NS = 1_000_000_000

# Two clocks that are read within this time are read at once.
_MOMENT_NS = 100_000_000

# From so many seconds on, a step is shown without a fraction.
_WHOLE_S = 10

# Work between two reads of the sources that takes longer than this does not count as silence.
_WORK_US = 100_000


def resolutions_ns() -> tuple[int, int]:
    """Return the resolutions of the wall clock and of the monotonic clock."""
    wall, steady = time.get_clock_info("time"), time.get_clock_info("monotonic")
    return round(wall.resolution * 1e9), round(steady.resolution * 1e9)


class Clock:
    """
    The wall clock, carried forward by the monotonic clock; it never goes back.

    `check` compares both. A step forward is followed, as after a sleep, in which the monotonic
    clock does not run. After a step backward the time is held until the wall clock has caught up.
    Smaller differences are ignored.

    Args:
        wall_ns: The wall clock.
        monotonic_ns: The monotonic clock.
        warn: Reports a step.
        not_before_us: The last time of an earlier process, before which the time does not go back.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        warn: Callable[[str], object] = log_warning,
        *,
        not_before_us: int | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._warn = warn
        wall, steady = self._read()
        self._offset_ns = wall - steady
        # The time at which it is held.
        self._held_ns: int | None = None
        if not_before_us is not None and wall < not_before_us * 1_000:
            self._held_ns = not_before_us * 1_000
            ahead = self._held_ns - wall
            if ahead > _STEP_NS:
                warn(
                    f"the clock is {_seconds(ahead)} before the last time in the checkpoint; "
                    "arrival times are held until it has caught up"
                )

    def now_us(self) -> int:
        """Return microseconds since the epoch."""
        if self._held_ns is not None:
            return self._held_ns // 1_000
        return (self._offset_ns + self._monotonic_ns()) // 1_000

    def steady_us(self) -> int:
        """Return the monotonic clock in microseconds, which measures how long something takes."""
        return self._monotonic_ns() // 1_000

    @property
    def is_held(self) -> bool:
        """Whether the wall clock was set back and has not caught up yet."""
        return self._held_ns is not None

    def stamp_us(self) -> tuple[int, int]:
        """Return the time, and the monotonic clock at that time."""
        steady = self._monotonic_ns()
        now = self._offset_ns + steady if self._held_ns is None else self._held_ns
        return now // 1_000, steady // 1_000

    def due_us(self, interval_us: int) -> int:
        """
        Return the monotonic clock at the next multiple of an interval since the epoch.

        While the time is held, it is an interval from now.
        """
        steady, interval = self._monotonic_ns(), interval_us * 1_000
        if self._held_ns is not None:
            return steady // 1_000 + interval_us
        next_ns = ((self._offset_ns + steady) // interval + 1) * interval
        # Rounded up, so that the multiple is reached by then.
        return -((self._offset_ns - next_ns) // 1_000)

    def check(self) -> bool:
        """Compare the time with the wall clock; return whether it was stepped, held or released."""
        shift = self._wall_ns() - self._monotonic_ns() - self._offset_ns
        if self._held_ns is None and -_STEP_NS <= shift <= _STEP_NS:
            return False
        wall, steady = self._read()
        held, shift = self._held_ns, wall - steady - self._offset_ns
        is_step = not -_STEP_NS <= shift <= _STEP_NS
        if held is None:
            if not is_step:
                return False
            now = self._offset_ns + steady
            if wall < now:
                self._held_ns = now
                self._warn(
                    f"the clock was set back by {_seconds(now - wall)}; arrival times are held "
                    f"until it has caught up, in {_seconds(now - wall)}; a restart follows it at "
                    "once"
                )
            else:
                self._warn_ahead(wall - now)
        elif wall < held:
            if not is_step:
                return False
            self._warn(
                f"the clock was set again; arrival times are held for another "
                f"{_seconds(held - wall)}"
            )
        else:
            self._held_ns = None
            self._warn("the clock has caught up; arrival times follow it again")
            if is_step and wall - held > _STEP_NS:
                self._warn_ahead(wall - held)
        self._offset_ns = wall - steady
        return True

    def _warn_ahead(self, step: int) -> None:
        self._warn(
            f"the clock jumped {_seconds(step)} ahead (a machine that slept, or a clock that was "
            "set); arrival times follow it"
        )

    def _read(self) -> tuple[int, int]:
        """Return both clocks at one moment, whenever this process is stopped."""
        while True:
            before, wall, after = self._monotonic_ns(), self._wall_ns(), self._monotonic_ns()
            if after - before < _MOMENT_NS:
                return wall, after


def _seconds(step_ns: int) -> str:
    step_s = step_ns / 1e9
    return f"{step_s:,.0f} s" if step_s >= _WHOLE_S else f"{step_s:.1f} s"


class Silence:
    """
    How long live sources were listened to, by which the engine judges who is silent.

    Only short work in between counts, so that a slow process makes no source silent.
    """

    def __init__(self, timeout_us: int) -> None:
        self._timeout_us = timeout_us
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

    def silent_before(self, listened_us: int) -> int:
        """Return before how much listening the silent were last heard, after `listened_us`."""
        return listened_us - self._timeout_us
