"""
Hands chunks to the core and looks at the clock; nothing else in the package reads it.

Two ways to go: what has its bytes at hand is replayed, which never waits and needs no event loop;
what has to be waited for is served, which answers every slide whether or not something came.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from tailrace._core import BatchError, Format
from tailrace.errors import TailraceError, log_problem
from tailrace.snapshot import Snapshot
from tailrace.sources import as_live, at_hand, end_of

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterator,
        Sequence,
    )

    from tailrace._core import Delta, Engine
    from tailrace._types import Answer
    from tailrace.detection import Choice, Detector
    from tailrace.samples import Samples
    from tailrace.sources import Chunk, LiveSource, Source

T = TypeVar("T")
R = TypeVar("R")

__all__ = [
    "Clock",
    "Intake",
    "Origin",
    "Reception",
    "Replay",
    "Run",
    "Status",
    "Stop",
    "Taken",
    "in_order",
]

# How long the first lines of a live source may be held to see what they look like.
_HOLD_US = 200_000

# From more sources than these a choice of format is said once, unless there is doubt.
_MOST_SAID = 8

# Longer work than this between two looks at the sources is not their silence.
_WORK_US = 100_000

# Over how many looks at the clock the rate is taken.
_RATE_TICKS = 6


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
            return None if self.asked else next(chunks, None)
        except _BrokenOffError:
            return None
        finally:
            self._reading = False


class _BrokenOffError(BaseException):
    """A read was broken off."""


class Origin(NamedTuple):
    """What is known beforehand of one of a query's sources."""

    name: str
    """For people."""
    log_format: str | Detector
    """What its lines look like, or who finds out."""
    max_ahead_us: int | None = None
    """How far ahead of the clock the time of a line may be, where that is checked."""
    is_live: bool = False
    """Whether it has to be waited for."""


class Taken(NamedTuple):
    """A chunk with all that it takes to absorb it."""

    chunk: Chunk
    log_format: Format | None
    """Of the chunk's lines; nothing for the end of a source."""
    now_us: int
    max_ahead_us: int | None


class Intake:
    """
    Stamps chunks, and finds out what the lines of a source look like.

    Until that is known the first chunks of a source are held: 1,000 lines, or for 200 ms.
    """

    def __init__(self, clock: Clock, origins: Sequence[Origin]) -> None:
        self._clock = clock
        self._origins = origins
        # Of what comes next of each source, once that is known.
        self._formats = [
            Format(origin.log_format) if isinstance(origin.log_format, str) else None
            for origin in origins
        ]
        self._held: dict[int, list[tuple[Chunk, int]]] = {}
        self._said: list[tuple[Choice, str]] = []
        # What all lines of a source agreed on, where there are many sources.
        self._agreed: set[str] = set()

    @property
    def names(self) -> list[str]:
        """The sources, as people know them."""
        return [origin.name for origin in self._origins]

    def take(self, chunk: Chunk) -> list[Taken]:
        """Return what can be absorbed now that this chunk has come."""
        if not _is_wanted(chunk):
            return []
        now_us = self._clock.now_us()
        if not chunk.data:
            return [*self._settle(chunk.source), Taken(chunk, None, now_us, None)]
        log_format = self._formats[chunk.source]
        if log_format is not None:
            return self._taken(chunk, log_format, now_us)
        detector = cast("Detector", self._origins[chunk.source].log_format)
        detector.look(chunk)
        if not detector.lines:
            # Blank lines are of no format, so they are not worth holding.
            return self._taken(chunk, Format(detector.choose().format), now_us)
        self._held.setdefault(chunk.source, []).append((chunk, now_us))
        return self._settle(chunk.source) if detector.enough else []

    @property
    def due_us(self) -> int | None:
        """When something that is held must not be held any longer."""
        return min((held[0][1] for held in self._held.values()), default=None)

    def overdue(self) -> list[Taken]:
        """Return what was held for long enough."""
        oldest_us = self._clock.now_us() - _HOLD_US
        due = [source for source, held in self._held.items() if held[0][1] <= oldest_us]
        return [taken for source in due for taken in self._settle(source)]

    def flush(self) -> list[Taken]:
        """Return all that is held."""
        return [taken for source in list(self._held) for taken in self._settle(source)]

    def said(self) -> list[tuple[Choice, str]]:
        """Return what is new to say to people: which formats were chosen for which sources."""
        said, self._said = self._said, []
        return said

    def _settle(self, source: int) -> list[Taken]:
        """Choose a format for what is held and all that comes after it."""
        held = self._held.pop(source, [])
        if not held:
            return []
        origin = self._origins[source]
        choice = cast("Detector", origin.log_format).choose()
        self._formats[source] = Format(choice.format)
        plain = choice.agreed == choice.lines and len(self._origins) > _MOST_SAID
        if not plain or choice.format not in self._agreed:
            self._said.append((choice, origin.name))
        if plain:
            self._agreed.add(choice.format)
        return [
            taken
            for chunk, now_us in held
            if _is_wanted(chunk)
            for taken in self._taken(chunk, cast("Format", self._formats[source]), now_us)
        ]

    def _taken(self, chunk: Chunk, log_format: Format, now_us: int) -> list[Taken]:
        """Return a chunk with its format, in parts where its lines name other columns."""
        max_ahead_us = self._origins[chunk.source].max_ahead_us
        if not log_format.has_header:
            return [Taken(chunk, log_format, now_us, max_ahead_us)]
        sections, after = log_format.sections(chunk.data, kind=chunk.kind, span=chunk.span)
        if self._formats[chunk.source] is not None:
            self._formats[chunk.source] = after
        return [
            Taken(chunk._replace(span=span), section, now_us, max_ahead_us)
            for span, section in sections
        ]


def _is_wanted(chunk: Chunk) -> bool:
    """Tell whether a chunk is to be counted; one whose sender went away comes again."""
    if chunk.is_wanted is None or chunk.is_wanted():
        return True
    if chunk.answer is not None:
        chunk.answer(None)
    return False


class _Silence:
    """
    How long each live source has told no time, by a clock that runs while they are listened to.

    Work in between counts as far as it is short: being slow makes no source silent.
    """

    def __init__(self, origins: Sequence[Origin], timeout_us: int | None) -> None:
        self._timeout_us = timeout_us
        live = [number for number, origin in enumerate(origins) if origin.is_live]
        self._since = dict.fromkeys(live if timeout_us is not None else [], 0)
        self._listened_us = 0
        self._at_us: int | None = None

    def begin(self, now_us: int) -> None:
        """Begin to listen."""
        if self._at_us is not None and now_us - self._at_us < _WORK_US:
            self._listened_us += now_us - self._at_us
        self._at_us = now_us

    def end(self, now_us: int) -> None:
        """Have listened."""
        if self._at_us is not None:
            self._listened_us += now_us - self._at_us
        self._at_us = now_us

    def broken(self, source: int) -> None:
        """Note that a source has told a time."""
        if source in self._since:
            self._since[source] = self._listened_us

    def ended(self, source: int) -> None:
        """Forget a source."""
        self._since.pop(source, None)

    def too_long(self) -> list[int]:
        """Return the sources that are silent for too long."""
        oldest_us = self._listened_us - (self._timeout_us or 0)
        return [source for source, since in self._since.items() if since < oldest_us]


class Replay:
    """Reads what has its bytes at hand; a part that cannot be read ends, the others go on."""

    def __init__(self, source: Source, intake: Intake, wish: Stop) -> None:
        self._parts = dict(enumerate(source.parts()))
        self._intake = intake
        self._wish = wish
        self.problems: list[Exception] = []

    def read(self, behind: int | None = None) -> list[Taken] | None:
        """
        Return what comes next, nothing when all has come or the end was asked for.

        Args:
            behind: From which of the parts, if that is running; else from the first that is.
        """
        if not self._parts or self._wish.asked:
            return None
        number = behind if behind in self._parts else next(iter(self._parts))
        try:
            chunk = self._wish.read(self._parts[number])
        except (OSError, TailraceError) as error:
            self.problems.append(error)
            chunk = None
        if self._wish.asked and chunk is None:
            return self._intake.flush()
        if chunk is None:
            del self._parts[number]
            chunk = end_of(number)
        elif number:
            chunk = chunk._replace(source=number)
        return self._intake.take(chunk)

    def all(self, behind: Callable[[], int | None] = lambda: None) -> Iterator[Taken]:
        """Yield all that comes, each from the part that is behind then."""
        while (some := self.read(behind())) is not None:
            yield from some


def in_order(
    work: Callable[[T], R], items: Iterator[T], jobs: int
) -> Generator[tuple[T, R], None, None]:
    """
    Yield each item with what the work makes of it, in their order, some of it done at once.

    The work leaves Python's lock. An item is handed out when it is done and the next ones were
    taken, so this is for what has its bytes at hand.
    """
    if jobs == 1:
        for item in items:
            yield item, work(item)
        return
    from concurrent.futures import Future, ThreadPoolExecutor  # noqa: PLC0415 - 8 ms

    waiting: deque[tuple[T, Future[R]]] = deque()
    problem: Exception | None = None
    with ThreadPoolExecutor(jobs) as pool:
        while problem is None:
            try:
                item = next(items)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised again when what came before it is done
                problem = error
                break
            waiting.append((item, pool.submit(work, item)))
            while waiting and (len(waiting) > 2 * jobs or waiting[0][1].done()):
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    if problem is not None:
        raise problem


class Reception:
    """Receives from what has to be waited for; one that breaks off has ended."""

    def __init__(self, source: LiveSource, intake: Intake) -> None:
        self._source = source
        self._intake = intake
        # Several together note there which of them broke off.
        self.problems: list[Exception] = getattr(source, "problems", [])

    async def receive(self, timeout_s: float) -> list[Taken] | None:
        """Return what has come and what was held for long enough, nothing at the end."""
        try:
            chunks = await self._source.receive(timeout_s)
        except (OSError, TailraceError) as error:
            # What came before is counted and answered.
            log_problem(error)
            self.problems.append(error)
            return None
        if chunks is None:
            return None
        some = [taken for chunk in chunks for taken in self._intake.take(chunk)]
        return some + self._intake.overdue()


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
        origins: Sequence[Origin],
        *,
        by: tuple[str, ...],
        batch_interval_us: int,
        windowed: bool,
        idle_timeout_us: int | None = None,
        lateness_us: int = 0,
        jobs: int = 1,
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._by = by
        self._batch_interval_us = batch_interval_us
        self._windowed = windowed
        self._silence = _Silence(origins, idle_timeout_us)
        self._lateness_us = lateness_us
        self._jobs = jobs
        self._fed: deque[tuple[int, int]] = deque(maxlen=_RATE_TICKS)
        self._answered_us: int | None = None
        self.intake = Intake(clock, origins)
        self.wish = Stop()
        self.problems: list[Exception] = []
        # Where somebody wants to see them.
        self.samples: Samples | None = None

    @property
    def live(self) -> LiveSource | None:
        """The source, if it is one that has to be waited for."""
        return as_live(self._source)

    @property
    def at_hand(self) -> Source | None:
        """The source, if it is one that has its bytes at hand."""
        return at_hand(self._source)

    def __iter__(self) -> Iterator[Snapshot]:
        """Yield every snapshot."""
        return self.snapshots()

    def finish(self) -> Iterator[Snapshot]:
        """End the input where it is and yield what is still to be answered."""
        if not self._windowed:
            yield self._snapshot(self._engine.snapshot())
            return
        self._engine.finish()
        yield from self._answers()

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
        since_us, fed = self._fed[0] if self._fed else (now_us, 0)
        rate = (lines["fed"] - fed) * 1e6 / (now_us - since_us) if now_us > since_us else 0.0
        lag_us = None if self._answered_us is None else now_us - self._answered_us
        return Status(lines, rate, lag_us, self._lateness_us)

    def snapshots(self) -> Generator[Snapshot, None, None]:
        """Yield every snapshot."""
        return self._replay() if self.live is None else self._wait()

    def _snapshot(self, answer: Answer) -> Snapshot:
        self._answered_us = answer[1]
        return Snapshot.of(answer, self._by)

    def _answers(self) -> Iterator[Snapshot]:
        """Yield the windows whose end the watermark has reached, unless the end is asked for."""
        while not self.wish.asked and (answer := self._engine.next_snapshot()) is not None:
            yield self._snapshot(answer)

    def _newest(self) -> Iterator[Snapshot]:
        """Yield the last of these windows alone."""
        answer = self._engine.last_snapshot()
        if answer is not None:
            yield self._snapshot(answer)

    def _replay(self) -> Generator[Snapshot, None, None]:
        replay = Replay(cast("Source", self._source), self.intake, self.wish)
        self.problems = replay.problems
        several = self._windowed and cast("Source", self._source).count > 1
        # Which source is behind is known as far as it was counted; the answers do not depend on it.
        all_taken = replay.all(lambda: self._engine.behind() if several else None)
        for taken, delta in in_order(self._absorbed, all_taken, self._jobs):
            self._applied(taken, delta)
            self._engine.advance(self._clock.now_us())
            yield from self._answers()
        if not self.wish.asked:
            yield from self.finish()
            self._complain()

    async def awaited(self) -> AsyncGenerator[Snapshot, None]:
        """Yield every snapshot, in a loop that runs already."""
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        source = self.live
        if source is None:
            for snapshot in self._replay():
                yield snapshot
                # Others have their turn also where nothing is waited for.
                await asyncio.sleep(0)
            return
        await source.open()
        try:
            async for answered in self.serve(source):
                if answered is not None:
                    yield answered
        finally:
            await source.close()
        for snapshot in self.finish():
            yield snapshot
        self._complain()

    def _complain(self) -> None:
        """Raise the first of what went wrong with one of the sources."""
        for problem in self.problems:
            raise problem

    async def serve(
        self, source: LiveSource, *, newest_only: bool = False
    ) -> AsyncIterator[Snapshot | None]:
        """
        Feed an opened source until it ends or the end is asked for, and yield what is answered.

        The clock is looked at whenever it passes a multiple of the batch interval, counted from
        the epoch as the ends of windows are, so that ticks do not drift and an end is answered
        when it has passed. A chunk is stamped when it is taken, and applied before the next look
        at the clock, so no window closes before what belongs into it. After each look nothing is
        yielded, for who shows how it is getting on.

        Args:
            source: What to serve.
            newest_only: Whether to answer after a look at the clock only, and of all ends that
                have passed then the last one alone; for who draws one answer over the other.
        """
        import asyncio  # noqa: PLC0415 - loaded already where a loop runs

        reception = Reception(source, self.intake)
        self.problems = reception.problems
        self._note_rate()
        due_us = self._next_tick()
        while not self.wish.asked:
            held_us = self.intake.due_us
            # While something is held that came before, no window is closed.
            wake_us = due_us if held_us is None else held_us + _HOLD_US
            self._silence.begin(self._clock.now_us())
            some = await reception.receive(max(wake_us - self._clock.now_us(), 0) / 1e6)
            self._silence.end(self._clock.now_us())
            if some is None:
                break
            self._apply(some)
            for number in self._silence.too_long():
                self._engine.leave_out(number)
            ticked = self.intake.due_us is None and self._clock.now_us() >= due_us
            if ticked:
                self._engine.advance(self._clock.now_us())
                self._note_rate()
                due_us = self._next_tick()
            if ticked or not newest_only:
                for snapshot in self._newest() if newest_only else self._answers():
                    yield snapshot
                    # Sockets are served also where many ends have passed.
                    await asyncio.sleep(0)
            if ticked:
                yield None
        self._apply(self.intake.flush())

    def _wait(self) -> Generator[Snapshot, None, None]:
        """Run an event loop for as long as the next snapshot takes."""
        import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

        source = cast("LiveSource", self._source)
        with asyncio.Runner() as runner:
            runner.run(source.open())
            snapshots = self.serve(source)
            try:
                while True:
                    try:
                        snapshot = runner.run(_next(snapshots))
                    except StopAsyncIteration:
                        break
                    if snapshot is not None:
                        yield snapshot
            finally:
                runner.run(source.close())
        yield from self.finish()
        self._complain()

    def _next_tick(self) -> int:
        interval = self._batch_interval_us
        return (self._clock.now_us() // interval + 1) * interval

    def _note_rate(self) -> None:
        self._fed.append((self._clock.now_us(), self.lines()["fed"]))

    def _apply(self, some: Sequence[Taken]) -> None:
        for taken in some:
            self._applied(taken, self._absorbed(taken))

    def _absorbed(self, taken: Taken) -> Delta | BatchError | None:
        """Return what a chunk adds, nothing for the end of a source; any thread may ask."""
        chunk, log_format, now_us, max_ahead_us = taken
        if log_format is None:
            return None
        try:
            return self._engine.absorb(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                source=chunk.source,
                format=log_format,
                now_us=now_us,
                max_ahead_us=max_ahead_us,
            )
        except BatchError as error:
            return error

    def _applied(self, taken: Taken, delta: Delta | BatchError | None) -> None:
        chunk = taken.chunk
        if delta is None:
            self._engine.end_source(chunk.source)
            self._silence.ended(chunk.source)
        elif isinstance(delta, BatchError):
            if chunk.answer is None:
                raise delta
            chunk.answer(str(delta))
        else:
            self._engine.apply(delta)
            if self.samples is not None and taken.log_format is not None:
                self.samples.look(chunk, taken.log_format, *delta.lines)
            if delta.has_time:
                self._silence.broken(chunk.source)
            if chunk.answer is not None:
                chunk.answer(None)


async def _next(snapshots: AsyncIterator[Snapshot | None]) -> Snapshot | None:
    return await anext(snapshots)
