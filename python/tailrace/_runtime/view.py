"""Which window a live display shows, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._core import Engine
    from tailrace._runtime.clock import Clock
    from tailrace._schedule import Schedule
    from tailrace._types import Answer

__all__ = ["Marks", "View"]

_SECOND_US = 10**6

# Between two looks at once, so that each of many small chunks does not cause one.
_PAUSE_US = 100_000

# Looks take at most a tenth of the time, however many keys and panes there are.
_REST = 9


class Marks(NamedTuple):
    """What keeps the shown window from being a finished answer."""

    filling_us: tuple[int, int] | None
    """How much of it has passed since the first event or the start, and its length; None if all."""
    is_final: bool
    """Whether no later line can change it."""
    lag_us: int
    """
    How late the log is by its own time, negative if it is ahead; in arrival time, how long ago the
    window ended.
    """


class View:
    """
    The newest window as it is.

    Now is the clock, or the time of the log. At each tick a window is shown that is complete but
    for a part of its last second; with a slide of more than a second it fills. The first lines
    after nothing are shown at once. What was shown is not hidden again.

    Args:
        engine: The core's engine.
        clock: The clock.
        windows: The lengths of the windows, of which the first is shown, and their slide.
        by_arrival: Whether events have the time of their arrival.
    """

    def __init__(
        self, engine: Engine, clock: Clock, windows: Schedule, *, by_arrival: bool
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._length_us = windows.lengths_us[0]
        # A window that has just begun its last second would lack most of it, so it is shown from
        # three quarters on.
        step_us = min(windows.slide_us, _SECOND_US)
        self._delay_us, self._lack_us = step_us * 3 // 4, step_us - step_us * 3 // 4
        self._begun_us = clock.now_us() if by_arrival else None
        self.is_by_arrival = by_arrival
        # The time of the log when it was last known, and the clock then.
        self._log: tuple[int, int] | None = None
        self._shown_us: int | None = None
        self._is_empty = True
        # The events when there was last nothing to show.
        self._counted = 0
        # By the monotonic clock.
        self._looked_us: int | None = None
        self._rested_us = self._cost_us = 0
        self.marks: Marks | None = None

    def answers(self, *, ticked: bool) -> Iterator[Answer]:
        """Yield the window to show: at a tick, or once there is one after nothing."""
        now_us, steady_us = self._clock.stamp_us()
        if steady_us < self._rested_us:
            return
        if ticked:
            if (moment_us := self._moment(now_us)) is not None:
                yield self._look(self._settled(moment_us), moment_us, steady_us)
        elif self._is_empty and self._is_pause_over(steady_us):
            counted = self._engine.lines()["counted"]
            if counted > self._counted and (moment_us := self._moment(now_us)) is not None:
                self._counted = counted
                yield self._look(moment_us, moment_us, steady_us)

    def last(self) -> Iterator[Answer]:
        """Yield the window at this moment, with every line so far."""
        now_us, steady_us = self._clock.stamp_us()
        moment_us = self._moment(now_us)
        if moment_us is not None:
            yield self._look(moment_us, moment_us, steady_us)

    def _moment(self, now_us: int) -> int | None:
        """Return the clock, or the time of the log, which goes on while nobody sends."""
        if self.is_by_arrival:
            return now_us
        log_us = self._engine.log_time(now_us)
        if log_us is None and self._log is not None:
            known_us, then_us = self._log
            log_us = known_us + max(now_us - then_us, 0)
        if log_us is not None:
            self._log = log_us, now_us
        return log_us

    def _is_pause_over(self, steady_us: int) -> bool:
        return self._looked_us is None or steady_us >= self._looked_us + _PAUSE_US

    def _settled(self, moment_us: int) -> int:
        """Return the moment to show at a tick, which hides nothing that was shown."""
        # While the clock is held, all that arrives has this moment.
        at_us = moment_us if self._clock.is_held else moment_us - self._delay_us
        shown_us = self._shown_us
        # A log's time goes back after a time that was ahead of the others.
        return at_us if shown_us is None or shown_us > moment_us else max(at_us, shown_us)

    def _look(self, at_us: int, moment_us: int, steady_us: int) -> Answer:
        answer = self._engine.current(at_us)
        looked_us = self._clock.steady_us()
        # A single long one may be due to other processes.
        cost_us, self._cost_us = self._cost_us, looked_us - steady_us
        self._rested_us = looked_us + _REST * min(cost_us, self._cost_us)
        self._looked_us = looked_us
        self._shown_us, self._is_empty = at_us, not answer[4]
        _, start_us, end_us, *_ = answer
        self.marks = self._marks(start_us, at_us + 1 if end_us is None else end_us, moment_us)
        return answer

    def _marks(self, start_us: int | None, end_us: int, moment_us: int) -> Marks:
        oldest_us, _, watermark_us = self._engine.times()
        first_us = oldest_us if self._begun_us is None else self._begun_us
        starts = [one for one in (start_us, first_us) if one is not None]
        covered_us = max(min(moment_us, end_us) - max(starts, default=end_us), 0)
        filling_us, length_us = None, self._length_us
        if length_us is not None and length_us - covered_us > self._lack_us:
            filling_us = covered_us, length_us
        is_final = watermark_us is not None and watermark_us >= end_us
        now_us = self._clock.now_us()
        lag_us = max(now_us - end_us, 0) if self.is_by_arrival else now_us - moment_us
        return Marks(filling_us, is_final, lag_us)
