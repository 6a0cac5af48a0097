"""Chunks to snapshots: the processor of queries that aggregate."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tailrace._errors import log_warning
from tailrace._runtime.stage import Absorber
from tailrace._sizes import size_text
from tailrace._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace._core import Delta, Engine
    from tailrace._runtime.clock import Clock, Silence
    from tailrace._runtime.pump import StopRequest
    from tailrace._runtime.stage import Origin, StampedChunk
    from tailrace._runtime.view import View
    from tailrace._types import Answer, Layout, LineCounts

__all__ = ["Counting", "Status"]

# The number of ticks over which the rate is measured.
_RATE_TICKS = 6

# Before all ends of windows.
_NEVER_US = -(2**62)


class Status(NamedTuple):
    """The progress of a run."""

    lines: LineCounts
    """The line counters so far."""
    per_second: float
    """The recent rate in lines per second."""
    lag_us: int | None
    """How long ago the window ended, or how late a log is; None before the first window."""
    silent_us: int
    """The time since the last line."""
    filling_us: tuple[int, int] | None
    """How much of the shown window is covered, and its length; None if it is full."""
    is_final: bool
    """Whether no later line can change the shown window."""


class Counting(Absorber[Snapshot]):
    """
    Counts the lines of chunks, and answers windows.

    With `newest_only`, for a live display, it shows the newest window as it is instead.

    Args:
        engine: The core's engine.
        clock: The clock for the status.
        stop: The stop request; no window is answered after it.
        layout: How the columns of answers are computed.
        windowed: Whether there is more than one answer.
        sources: The number of sources.
        silence: Measures silence; the watermark ignores who is idle.
        shared: The names of sources that may have several senders, by their numbers.
        view: Chooses the window of a live display.
        key_limit: The memory for keys, if it is limited by default; a warning says when it is full.
    """

    # The name of the limit, for the warning.
    key_limit_name = "max_key_bytes"

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        stop: StopRequest,
        *,
        layout: Layout,
        windowed: bool,
        sources: int,
        silence: Silence | None = None,
        shared: dict[int, str] | None = None,
        view: View | None = None,
        key_limit: int | None = None,
    ) -> None:
        super().__init__(engine)
        self._clock = clock
        self._stop = stop
        self._layout = layout
        self._windowed = windowed
        self._sources = sources
        self._silence = silence
        self._shared = {} if shared is None else shared
        self._view = view
        self._key_limit = key_limit
        self._fed: deque[tuple[int, int]] = deque(maxlen=_RATE_TICKS)
        self._answered_us: int | None = None
        # When the last line was received, by the monotonic clock.
        self._heard_us = clock.steady_us()
        self.newest_only = False
        # Called before the input ends.
        self._keep: Callable[[], object] | None = None
        # Which windows are final, if later ones are answered again by the next run.
        self._final_us: int | None = None
        # Returns how long live sources count as listened to, if that is fixed for a group.
        self._held_us: Callable[[], int | None] = _nothing
        # Whether the ends that passed before this process began are still to be answered.
        self._has_missed_ends = False
        self._record_rate()

    def settle(self, taken: StampedChunk, result: Delta) -> tuple[int, None]:
        """Apply the delta of a chunk."""
        listened_us = self._held_us()
        if listened_us is None and self._silence is not None:
            listened_us = self._silence.listened_us
        fed = self.apply(taken, result, listened_us)
        if fed:
            self._heard_us = taken.steady_us
        return fed, None

    def resume(
        self,
        numbers: list[int],
        keep: Callable[[], object],
        held_us: Callable[[], int | None],
        *,
        by_arrival: bool,
    ) -> None:
        """
        Continue from a state: of the ends that passed meanwhile, only the newest is answered.

        Args:
            numbers: The numbers that sources have in the engine.
            keep: Keeps the state, which is called before the input ends.
            held_us: Returns how long live sources count as listened to, for settled chunks.
            by_arrival: Whether the clock has passed them.
        """
        self._numbers, self._keep, self._held_us = numbers, keep, held_us
        self._has_missed_ends = by_arrival

    def count_with(self, engine: Engine) -> None:
        """Use another engine, before the first chunk."""
        self._engine = engine

    def add_source(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        super().add_source(origin)
        number = self._sources
        self._sources += 1
        if self._numbers is None:
            self._engine.add_source()
            if origin.is_live:
                silence = self._silence
                self._engine.listen_to(number, 0 if silence is None else silence.listened_us)
        if origin.is_live:
            self._shared[number] = origin.name

    def end_source(self, source: int, sender: bytes | None = None) -> None:
        """Mark a source as ended, or one of its senders."""
        self._engine.end_source(self.number(source), sender)

    def slowest(self) -> int | None:
        """
        Return the source with the oldest event time so far.

        Reading it next keeps few panes open; the answers do not depend on it.
        """
        if not self._windowed or self._sources == 1:
            return None
        slowest = self._engine.slowest_source()
        if self._numbers is None or slowest is None:
            return slowest
        return self._numbers.index(slowest) if slowest in self._numbers else None

    def mark_idle(self, listened_us: int) -> None:
        """Exclude sources and senders whose silence exceeds the timeout from the watermark."""
        if self._silence is not None:
            self._engine.mark_idle(self._silence.silent_before(listened_us))

    def tick(self, now_us: int) -> None:
        """Advance the clock."""
        self._engine.advance(now_us)
        for source in [one for one in self._shared if self._engine.is_crowded(self.number(one))]:
            log_warning(
                f"{self._shared.pop(source)}: more than 10,000 senders at once; the others share "
                "one watermark, so that one of them can make lines of another late"
            )
        self._warn_of_keys()
        if self._live is not None:
            self._engine.skip()
        self._record_rate()

    def _warn_of_keys(self) -> None:
        if self._key_limit is not None and self._engine.has_refused_keys():
            log_warning(
                f"keys over {self.key_limit_name} {size_text(self._key_limit)} are counted in "
                "(other); raise it or count by another field"
            )
            self._key_limit = None

    def answers(self, *, ticked: bool) -> Iterator[Snapshot]:
        """Yield the windows that are ready, unless a stop is requested."""
        if self._live is not None:
            yield from self._snapshots(self._live.answers(ticked=ticked))
            return
        if self._has_missed_ends:
            self._has_missed_ends = not ticked
            if ticked and (newest := self._engine.last_snapshot()) is not None:
                yield self._snapshot(newest)
        while not self._stop.is_requested and (answer := self._engine.next_snapshot()) is not None:
            yield self._snapshot(answer)

    def finish(self) -> Iterator[Snapshot]:
        """End the input, and yield the remaining answers."""
        self._end()
        if not self._windowed:
            answer = self._engine.snapshot()
            yield self._snapshot((*answer[:-1], self.with_others(answer[-1])))
        elif self._live is not None:
            yield from self._snapshots(self._live.last())
        else:
            self._engine.finish()
            yield from self.answers(ticked=True)

    def _end(self) -> None:
        """Keep the state from before the end of the input, once."""
        keep, self._keep = self._keep, None
        if keep is not None:
            keep()
            if self._windowed:
                # Windows that end later can still grow in the next run.
                reached_us = self._engine.times()[2]
                self._final_us = _NEVER_US if reached_us is None else reached_us

    def stop(self) -> Iterator[Snapshot]:
        """End the input, and yield only the last snapshot."""
        self._end()
        if not self._windowed or self._live is not None:
            yield from self.finish()
            return
        self._engine.finish()
        answer = self._engine.last_snapshot()
        if answer is not None:
            yield self._snapshot(answer)

    def so_far(self) -> Snapshot | None:
        """
        Return the window as it is, or everything so far without one; None before there is any.

        It is not a result, and changes nothing.
        """
        answer: Answer | None = None
        if not self._windowed:
            answer = self._engine.snapshot()
        else:
            at_us = self._clock.now_us() if self._is_by_arrival else self._engine.times()[1]
            answer = None if at_us is None else self._engine.current(at_us)
        return None if answer is None else Snapshot._of(answer, self._layout)

    def lines(self) -> LineCounts:
        """Return the line counters so far."""
        return self.with_senders(self.with_others(self._engine.lines()))

    def status(self) -> Status:
        """Return the progress of the run."""
        lines = self.lines()
        now_us, steady_us = self._clock.stamp_us()
        since_us, fed = self._fed[0]
        took_us = steady_us - since_us
        rate = (lines["fed"] - fed) * 1e6 / took_us if took_us > 0 else 0.0
        silent_us = steady_us - self._heard_us
        if self._live is not None and (marks := self._live.marks) is not None:
            return Status(lines, rate, marks.lag_us, silent_us, marks.filling_us, marks.is_final)
        lag_us = None if self._answered_us is None else now_us - self._answered_us
        return Status(lines, rate, lag_us, silent_us, None, is_final=True)

    @property
    def _is_by_arrival(self) -> bool:
        return self._view is not None and self._view.is_by_arrival

    @property
    def _live(self) -> View | None:
        return self._view if self.newest_only else None

    def _snapshots(self, answers: Iterator[Answer]) -> Iterator[Snapshot]:
        return map(self._snapshot, answers)

    def _snapshot(self, answer: Answer) -> Snapshot:
        self._answered_us = end_us = answer[2]
        is_final = self._final_us is None or end_us is None or end_us <= self._final_us
        lines = self.with_senders(answer[-1])
        return Snapshot._of((*answer[:-1], lines), self._layout, final=is_final)

    def _record_rate(self) -> None:
        self._fed.append((self._clock.steady_us(), self.lines()["fed"]))


def _nothing() -> None:
    """Return None."""
