"""Drives a pump from the first chunk of its sources to its last result."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from tailrace._runtime.feeds import Feeds
from tailrace._runtime.pump import Pump, Wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

    from tailrace._core import Lookups
    from tailrace._runtime.clock import Clock, Silence
    from tailrace._runtime.commit import Commit
    from tailrace._runtime.intake import Intake
    from tailrace._runtime.live import LiveFeeds
    from tailrace._runtime.pump import StopRequest
    from tailrace._runtime.resent import Resent
    from tailrace._runtime.stage import Origin, Processor, StageCounts

__all__ = ["Run"]

P = TypeVar("P", bound="Processor[Any, Any]")
O = TypeVar("O")  # noqa: E741 - a result

# How long results are handed out before sockets are served again.
_REST_S = 0.005


class Run(Generic[P, O]):
    """
    One run over all lines of some sources.

    Iteration yields the processor's results. Live sources are served only while the next result is
    awaited, not while the caller works on the last one.
    """

    def __init__(
        self,
        processor: P,
        feeds: Feeds | LiveFeeds,
        intake: Intake,
        clock: Clock,
        stop: StopRequest,
        *,
        commit: Commit | None = None,
        silence: Silence | None = None,
        resent: Resent | None = None,
        jobs: int = 1,
        batch_interval_us: int | None = None,
    ) -> None:
        self.processor = processor
        self.intake = intake
        self.stop = stop
        self.remark = ""
        """Ends the summary of the lines."""
        self._feeds = feeds
        self._has_ended = False
        self.pump: Pump[Any, O] = Pump(
            processor,
            intake,
            clock,
            stop,
            commit=commit,
            silence=silence,
            resent=resent,
            jobs=jobs,
            batch_interval_us=None if isinstance(feeds, Feeds) else batch_interval_us,
        )

    @property
    def live(self) -> LiveFeeds | None:
        """The sources, if at least one is live."""
        return None if isinstance(self._feeds, Feeds) else self._feeds

    @property
    def finite(self) -> Feeds | None:
        """The sources, if all are finite."""
        return self._feeds if isinstance(self._feeds, Feeds) else None

    @property
    def problems(self) -> list[Exception]:
        """The errors of single sources."""
        return self._feeds.problems

    @property
    def is_refused(self) -> bool:
        """Whether none of the sources can be used."""
        return self.intake.refuses_all

    @property
    def is_unanswered(self) -> bool:
        """Whether there is no answer, because none of the sources can be used."""
        return self.is_refused

    @property
    def sampler(self) -> Processor[Any, Any]:
        """The processor that collects rejected lines."""
        return self.processor

    def progress(self) -> tuple[int, int | None]:
        """Return the number of bytes read and the total, if known; all sources are finite."""
        return cast("Feeds", self._feeds).progress()

    def replace_lookups(self, old: Lookups, new: Lookups) -> None:
        """Look values up in other data from the next chunk on."""
        self.intake.replace_lookups(old, new)

    def _refuse(self) -> None:
        """End the sources whose lines cannot be used."""
        for number, problem in self.intake.take_refusals():
            self._feeds.refuse(number, problem)

    def counts(self) -> dict[str, StageCounts]:
        """Return the counters of each stage, by its name."""
        return {"receive": self.intake.counts, **self.pump.counts()}

    def close(self) -> None:
        """Release what the commit holds, after the last result."""
        self.pump.commit.close()

    def __iter__(self) -> Iterator[O]:
        """Yield every result."""
        return self.results()

    def results(self) -> Generator[O, None, None]:
        """Yield every result."""
        feeds = self._feeds
        return self._replay() if isinstance(feeds, Feeds) else self._wait(feeds)

    def _replay(self) -> Generator[O, None, None]:
        with self._held():
            yield from self._read()
            if not self.stop.is_requested:
                yield from self._end()

    @contextmanager
    def _held(self) -> Generator[None, None, None]:
        """Release what the commit holds if the run is abandoned or fails."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _read(self) -> Generator[O, None, None]:
        """Read the sources, and yield the results until their end."""
        feeds = cast("Feeds", self._feeds)
        loop = self.pump.loop()
        try:
            step = next(loop)
            while True:
                if not isinstance(step, Wait):
                    if step is not None:
                        yield step
                    step = next(loop)
                elif not step.receives:
                    self.pump.block()
                    step = loop.send([])
                else:
                    try:
                        chunks = feeds.read(self.stop, self.processor.slowest())
                    except Exception as error:  # noqa: BLE001 - raised again by the loop
                        step = loop.throw(error)
                    else:
                        step = loop.send(chunks)
                self._refuse()
        except StopIteration:
            self._refuse()
        finally:
            self._has_ended = True
            loop.close()

    def _end(self) -> Iterator[O]:
        """Yield the remaining answers, then raise the first error of a source."""
        if not self.is_refused:
            yield from self.processor.finish()
        for problem in self.problems:
            raise problem

    async def awaited(self) -> AsyncGenerator[O, None]:
        """Yield every result, in a running event loop."""
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        live = self.live
        if live is None:
            for result in self.results():
                yield result
                # Give other tasks a turn, because nothing else here waits.
                await asyncio.sleep(0)
            return
        with self._held():
            await live.open()
            try:
                async for served in self.serve():
                    if served is not None:
                        yield served
            finally:
                await live.close()
            for result in self._end():
                yield result

    async def serve(self) -> AsyncGenerator[O | None, None]:
        """
        Serve opened sources until they end or a stop is requested, and yield every result.

        `None` is yielded after each tick, so that a caller can show the progress.
        """
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        feeds = cast("LiveFeeds", self._feeds)
        running = asyncio.get_running_loop()
        moved = asyncio.Event()

        def move() -> None:
            moved.set()
            feeds.wake()

        self.pump.on_progress = partial(running.call_soon_threadsafe, move)
        self.pump.on_source_end = feeds.ended
        loop = self.pump.loop()
        rested = running.time()
        try:
            step = next(loop)
            while True:
                if not isinstance(step, Wait):
                    yield step
                    if running.time() > rested + _REST_S:
                        # Serve sockets even while many results are handed out.
                        await asyncio.sleep(0)
                        rested = running.time()
                    step = next(loop)
                elif not step.receives:
                    feeds.flush()
                    await moved.wait()
                    moved.clear()
                    step = loop.send([])
                else:
                    try:
                        chunks = await feeds.receive(step.timeout_s)
                    except Exception as error:  # noqa: BLE001 - raised again by the loop
                        step = loop.throw(error)
                    else:
                        step = loop.send(chunks)
                self._refuse()
        except StopIteration:
            self._refuse()
        finally:
            self._has_ended = True
            loop.close()

    def _wait(self, live: LiveFeeds) -> Generator[O, None, None]:
        """Run an event loop until the next result, again and again."""
        import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

        with self._held():
            with asyncio.Runner() as runner:
                runner.run(live.open())
                served = self.serve()
                try:
                    while True:
                        try:
                            result = runner.run(_next(served))
                        except StopAsyncIteration:
                            break
                        if result is not None:
                            yield result
                finally:
                    runner.run(_close(served, live))
            yield from self._end()

    def add(self, source: Any, origin: Origin) -> int:  # noqa: ANN401 - as the others are
        """
        Add a source of the same kind as the others, and return its number.

        Call it where the run is iterated: in the same thread or event loop. With event time, the
        watermark includes the new source from then on.

        Raises:
            ValueError: It has several parts or an unknown format, or the run has ended.
        """
        if self._has_ended:
            raise ValueError("add: the run has ended; add a source while it is running")
        if source.count != 1:
            raise ValueError(f"add: expected one source, found {source.count}; add each by itself")
        self.intake.add(origin)
        self.pump.commit.add_source(origin)
        self.processor.add_source(origin)
        (number,) = self._feeds.add(source)
        return number

    def remove(self, number: int) -> None:
        """End a source: its chunks received so far count, and the others go on without it."""
        self._feeds.remove(number)


async def _next(served: AsyncGenerator[O | None, None]) -> O | None:
    return await anext(served)


async def _close(served: AsyncGenerator[Any, None], live: LiveFeeds) -> None:
    try:
        await live.close()
    finally:
        await served.aclose()
