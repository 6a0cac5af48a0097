"""Chunks to snapshots: the processor of queries that aggregate."""

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
    from tailrace._runtime.stage import Origin, StampedChunk
    from tailrace._types import Answer, Layout, LineCounts

__all__ = ["Counting", "Status"]

# The number of ticks over which the rate is measured.
_RATE_TICKS = 6


class Status(NamedTuple):
    """The progress of a run."""

    lines: LineCounts
    """The line counters so far."""
    per_second: float
    """The recent rate in lines per second."""
    lag_us: int | None
    """The time from the end of the last answered window to now; None before the first answer."""
    lateness_us: int
    """The query's lateness: how long after its end a window is answered."""


class Counting(Processor["Delta", Snapshot]):
    """
    Counts the lines of chunks, and answers windows.

    Args:
        engine: The core's engine.
        clock: The clock for the status.
        stop: The stop request; no window is answered after it.
        layout: How the columns of answers are computed.
        windowed: Whether there is more than one answer.
        sources: The number of sources.
        silence: Detects idle sources, which the watermark ignores.
        lateness_us: How long after its end a window is answered.
    """

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
        lateness_us: int = 0,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._stop = stop
        self._layout = layout
        self._windowed = windowed
        self._sources = sources
        self._silence = silence
        self._lateness_us = lateness_us
        self._fed: deque[tuple[int, int]] = deque(maxlen=_RATE_TICKS)
        self._answered_us: int | None = None
        # Whether to answer only after a tick, and then only the newest window; for a live display,
        # which overwrites each answer with the next.
        self.newest_only = False
        self._record_rate()

    def work(self, taken: StampedChunk, plan: Any) -> Delta:  # noqa: ANN401, ARG002 - there is none
        """Return the delta of a chunk."""
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

    def settle(self, taken: StampedChunk, result: Delta) -> tuple[int, None]:
        """Apply the delta of a chunk."""
        self._engine.apply(result)
        fed, rejected, headers = result.lines
        if self.samples is not None and taken.log_format is not None:
            self.samples.look(taken.chunk, taken.log_format, fed + headers, rejected)
        if self._silence is not None and result.has_time:
            self._silence.observe(taken.chunk.source)
        return fed, None

    def add_source(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        super().add_source(origin)
        number = self._engine.add_source()
        self._sources += 1
        if self._silence is not None and origin.is_live:
            self._silence.add(number)

    def end_source(self, source: int) -> None:
        """Mark a source as ended."""
        self._engine.end_source(source)
        if self._silence is not None:
            self._silence.remove(source)

    def slowest(self) -> int | None:
        """
        Return the source with the oldest event time so far.

        Reading it next keeps few panes open; the answers do not depend on it.
        """
        return self._engine.slowest_source() if self._windowed and self._sources > 1 else None

    def mark_idle(self, listened_us: int) -> None:
        """Exclude sources whose silence exceeds the timeout from the watermark."""
        if self._silence is not None:
            for source in self._silence.silent_sources(listened_us):
                self._engine.mark_idle(source)

    def tick(self, now_us: int) -> None:
        """Advance the clock."""
        self._engine.advance(now_us)
        self._record_rate()

    def answers(self, *, ticked: bool) -> Iterator[Snapshot]:
        """Yield the windows whose end the watermark has reached, unless a stop is requested."""
        if self.newest_only:
            if ticked:
                yield from self._newest()
            return
        while not self._stop.is_requested and (answer := self._engine.next_snapshot()) is not None:
            yield self._snapshot(answer)

    def finish(self) -> Iterator[Snapshot]:
        """End the input, and yield the remaining answers."""
        if not self._windowed:
            yield self._snapshot(self._engine.snapshot())
            return
        self._engine.finish()
        yield from self.answers(ticked=True)

    def stop(self) -> Iterator[Snapshot]:
        """End the input, and yield only the last snapshot."""
        if not self._windowed:
            yield from self.finish()
            return
        self._engine.finish()
        yield from self._newest()

    def lines(self) -> LineCounts:
        """Return the line counters so far."""
        return self._engine.lines()

    def status(self) -> Status:
        """Return the progress of the run."""
        lines = self.lines()
        now_us = self._clock.now_us()
        since_us, fed = self._fed[0]
        rate = (lines["fed"] - fed) * 1e6 / (now_us - since_us) if now_us > since_us else 0.0
        lag_us = None if self._answered_us is None else now_us - self._answered_us
        return Status(lines, rate, lag_us, self._lateness_us)

    def _newest(self) -> Iterator[Snapshot]:
        """Yield the newest window whose end the watermark has reached."""
        answer = self._engine.last_snapshot()
        if answer is not None:
            yield self._snapshot(answer)

    def _snapshot(self, answer: Answer) -> Snapshot:
        self._answered_us = answer[1]
        return Snapshot._of(answer, self._layout)

    def _record_rate(self) -> None:
        self._fed.append((self._clock.now_us(), self.lines()["fed"]))
