"""
Hands chunks to the core and looks at the clock; nothing else in the package reads it.

Two ways to go: what has its bytes at hand is replayed, which never waits and needs no event loop;
what has to be waited for is served, which answers every slide whether or not something came.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from tailrace._core import BatchError
from tailrace.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from tailrace._core import Engine
    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["Clock", "Run", "Stop"]


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


class Stop:
    """
    A wish to end in good order, as a signal handler utters it.

    What is being read is broken off; what is being counted, answered or written is not.
    """

    def __init__(self) -> None:
        self.asked = False
        self._reading = False

    def ask(self) -> None:
        """Ask for the end."""
        self.asked = True
        if self._reading:
            raise _BrokenOffError

    def read(self, chunks: Iterator[Chunk]) -> Chunk | None:
        """Return the next chunk, or nothing at the end or when the end was asked for."""
        try:
            self._reading = True
            chunk = None if self.asked else next(chunks, None)
            self._reading = False
        except _BrokenOffError:
            self._reading = False
            return None
        return chunk


class _BrokenOffError(BaseException):
    """A read was broken off."""


class Run:
    """
    One run of a query, from its first chunk to its last snapshot.

    Iterating it answers. What has to be waited for is served while the next snapshot is being
    waited for, and stands still while the caller works on the last one.
    """

    def __init__(
        self,
        engine: Engine,
        source: Source | LiveSource,
        clock: Clock,
        *,
        by: str,
        batch_interval_us: int,
        windowed: bool,
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._by = by
        self._batch_interval_us = batch_interval_us
        self._windowed = windowed
        self.wish = Stop()

    @property
    def live(self) -> LiveSource | None:
        """The source, if it is one that has to be waited for."""
        # A class tells by its methods which of the two protocols it follows.
        return None if hasattr(self._source, "chunks") else self._source

    def snapshots(self) -> Generator[Snapshot, None, None]:
        """Yield every snapshot."""
        return self._replay() if self.live is None else self._wait()

    def __iter__(self) -> Iterator[Snapshot]:
        """Yield every snapshot."""
        return self.snapshots()

    def finish(self) -> Iterator[Snapshot]:
        """End the input where it is and yield what is still to be answered."""
        if not self._windowed:
            yield Snapshot.of(self._engine.snapshot(), self._by)
            return
        self._engine.finish()
        yield from self._answers()

    def stop(self) -> Iterator[Snapshot]:
        """End the input where it is and yield the last snapshot alone."""
        if not self._windowed:
            yield from self.finish()
            return
        self._engine.finish()
        answer = self._engine.last_snapshot()
        if answer is not None:
            yield Snapshot.of(answer, self._by)

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far."""
        return self._engine.lines()

    def _answers(self) -> Iterator[Snapshot]:
        """Yield the windows whose end the watermark has reached, unless the end is asked for."""
        while not self.wish.asked and (answer := self._engine.next_snapshot()) is not None:
            yield Snapshot.of(answer, self._by)

    def _replay(self) -> Generator[Snapshot, None, None]:
        chunks = cast("Source", self._source).chunks()
        while (chunk := self.wish.read(chunks)) is not None:
            if chunk.data:
                self._take(chunk)
            else:
                self._engine.end_source(chunk.source)
            self._engine.advance(self._clock.now_us())
            yield from self._answers()
        if not self.wish.asked:
            yield from self.finish()

    async def serve(self, source: LiveSource) -> AsyncIterator[Snapshot]:
        """
        Feed an opened source until it ends or the end is asked for, and yield what is answered.

        The clock is looked at whenever it passes a multiple of the batch interval, counted from
        the epoch as the ends of windows are, so that ticks do not drift and an end is answered
        when it has passed. A chunk is stamped when it is taken, and applied before the next look
        at the clock, so no window closes before what belongs into it.
        """
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        due = self._next_tick()
        while not self.wish.asked:
            chunks = await source.receive(max(due - self._clock.now_us(), 0) / 1e6)
            if chunks is None:
                break
            for chunk in chunks:
                self._take(chunk)
            if self._clock.now_us() >= due:
                self._engine.advance(self._clock.now_us())
                due = self._next_tick()
            for snapshot in self._answers():
                yield snapshot
                # Sockets are served also where many ends have passed.
                await asyncio.sleep(0)

    def _wait(self) -> Generator[Snapshot, None, None]:
        """Run an event loop for as long as the next snapshot takes."""
        import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

        source = cast("LiveSource", self._source)
        with asyncio.Runner() as runner:
            runner.run(source.open())
            snapshots = self.serve(source)
            try:
                while (snapshot := runner.run(_next(snapshots))) is not None:
                    yield snapshot
            finally:
                runner.run(source.close())
        yield from self.finish()

    def _next_tick(self) -> int:
        interval = self._batch_interval_us
        return (self._clock.now_us() // interval + 1) * interval

    def _take(self, chunk: Chunk) -> None:
        now_us = self._clock.now_us()
        try:
            delta = self._engine.absorb(
                chunk.data, kind=chunk.kind, span=chunk.span, source=chunk.source, now_us=now_us
            )
        except BatchError as error:
            if chunk.answer is None:
                raise
            chunk.answer(str(error))
            return
        self._engine.apply(delta)
        if chunk.answer is not None:
            chunk.answer(None)


async def _next(snapshots: AsyncIterator[Snapshot]) -> Snapshot | None:
    return await anext(snapshots, None)
