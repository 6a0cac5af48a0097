"""Chunks to snapshots: what a query with a count asks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tailrace._runtime.stage import Processor
from tailrace._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._core import Delta, Engine, Format
    from tailrace._runtime.clock import Clock, Silence
    from tailrace._runtime.pump import StopRequest
    from tailrace._runtime.stage import Origin, Taken
    from tailrace._types import Answer

__all__ = ["Counting", "Status"]

# Over how many looks at the clock the rate is taken.
_RATE_TICKS = 6


class Status(NamedTuple):
    """How a run is getting on."""

    lines: dict[str, Any]
    """Where all lines went so far."""
    per_second: float
    """How many came in a second, of late."""
    lag_us: int | None
    """How far the end of the last answer is behind the clock; nothing before the first."""
    lateness_us: int
    """How much of the log follows a window before it is answered."""


class Counting(Processor["Delta", Snapshot]):
    """
    Counts what chunks hold, and answers windows.

    Args:
        engine: Counts.
        clock: What the status is told by.
        stop: Asks for the end; no window is answered after that.
        by: The fields of keys.
        windowed: Whether there is more than one answer.
        sources: How many sources there are.
        silence: Which of them may be left out of the watermark, and when.
        lateness_us: How much of the log follows a window before it is answered.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        stop: StopRequest,
        *,
        by: tuple[str, ...],
        windowed: bool,
        sources: int,
        silence: Silence | None = None,
        lateness_us: int = 0,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._stop = stop
        self._by = by
        self._windowed = windowed
        self._sources = sources
        self._silence = silence
        self._lateness_us = lateness_us
        self._fed: deque[tuple[int, int]] = deque(maxlen=_RATE_TICKS)
        self._answered_us: int | None = None
        # Whether to answer after a look at the clock only, and of all ends that have passed then
        # the last one alone; for who draws one answer over the other.
        self.newest_only = False
        self._note_rate()

    def work(self, taken: Taken, plan: Any) -> Delta:  # noqa: ANN401, ARG002 - there is none
        """Return what a chunk adds."""
        chunk, log_format, now_us, max_ahead_us = taken
        return self._engine.absorb(
            chunk.data,
            kind=chunk.kind,
            span=chunk.span,
            source=chunk.source,
            format=cast("Format", log_format),
            now_us=now_us,
            max_ahead_us=max_ahead_us,
        )

    def settle(self, taken: Taken, result: Delta) -> tuple[int, None]:
        """Count what a chunk holds."""
        self._engine.apply(result)
        fed, rejected = result.lines
        if self.samples is not None and taken.log_format is not None:
            self.samples.look(taken.chunk, taken.log_format, fed, rejected)
        if self._silence is not None and result.has_time:
            self._silence.broken(taken.chunk.source)
        return fed, None

    def add_source(self, origin: Origin) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        super().add_source(origin)
        number = self._engine.add_source()
        self._sources += 1
        if self._silence is not None and origin.is_live:
            self._silence.add(number)

    def end_source(self, source: int) -> None:
        """Expect no more of a source."""
        self._engine.end_source(source)
        if self._silence is not None:
            self._silence.remove(source)

    def slowest(self) -> int | None:
        """
        Return the source whose lines are the oldest, as far as they were counted.

        The answers do not depend on it.
        """
        return self._engine.slowest_source() if self._windowed and self._sources > 1 else None

    def leave_out(self, listened_us: int) -> None:
        """Leave sources that were silent for too long out of the watermark."""
        if self._silence is not None:
            for source in self._silence.too_long(listened_us):
                self._engine.mark_idle(source)

    def tick(self, now_us: int) -> None:
        """Move the clock."""
        self._engine.advance(now_us)
        self._note_rate()

    def answers(self, *, ticked: bool) -> Iterator[Snapshot]:
        """Yield the windows whose end the watermark has reached, unless the end is asked for."""
        if self.newest_only:
            if ticked:
                yield from self._newest()
            return
        while not self._stop.is_requested and (answer := self._engine.next_snapshot()) is not None:
            yield self._snapshot(answer)

    def finish(self) -> Iterator[Snapshot]:
        """End the input where it is and yield what is still to be answered."""
        if not self._windowed:
            yield self._snapshot(self._engine.snapshot())
            return
        self._engine.finish()
        yield from self.answers(ticked=True)

    def stop(self) -> Iterator[Snapshot]:
        """End the input where it is and yield the last snapshot alone."""
        if not self._windowed:
            yield from self.finish()
            return
        self._engine.finish()
        yield from self._newest()

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far."""
        return self._engine.lines()

    def status(self) -> Status:
        """Return how it is getting on."""
        lines = self.lines()
        now_us = self._clock.now_us()
        since_us, fed = self._fed[0]
        rate = (lines["fed"] - fed) * 1e6 / (now_us - since_us) if now_us > since_us else 0.0
        lag_us = None if self._answered_us is None else now_us - self._answered_us
        return Status(lines, rate, lag_us, self._lateness_us)

    def _newest(self) -> Iterator[Snapshot]:
        """Yield the last of the windows whose end the watermark has reached."""
        answer = self._engine.last_snapshot()
        if answer is not None:
            yield self._snapshot(answer)

    def _snapshot(self, answer: Answer) -> Snapshot:
        self._answered_us = answer[1]
        return Snapshot.of(answer, self._by)

    def _note_rate(self) -> None:
        self._fed.append((self._clock.now_us(), self.lines()["fed"]))
