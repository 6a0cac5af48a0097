"""
The loop: receive, work, commit, settle, acknowledge.

The loop does no I/O and never waits itself. When it needs chunks or progress, it yields a `Wait`,
and its driver (`run`) reads, sleeps or serves sockets meanwhile. So one loop serves files without
an event loop and sockets with one.

Each stage has a limit, above which nothing is received: the source's limit for received chunks,
`intake`'s for chunks held to detect a format, `2 * jobs` chunks for work, `COMMIT_BYTES` for chunks
that wait for a commit, and the source's limit for unsent answers.

Clock ticks go through the stages as chunks do. So the clock advances after every chunk stamped
before the tick is settled, however long that takes; chunks received meanwhile follow the tick.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from tailrace._core import BatchError
from tailrace._errors import TailraceError
from tailrace._runtime.commit import Commit, CommitError
from tailrace._runtime.stage import Item, StageCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor

    from tailrace._runtime.clock import Clock, Silence
    from tailrace._runtime.intake import Intake
    from tailrace._runtime.resent import Resent
    from tailrace._runtime.stage import Processor, StampedChunk
    from tailrace._sources import Chunk
    from tailrace._types import Outcome

__all__ = ["COMMIT_BYTES", "Pump", "StopRequest", "Wait"]

R = TypeVar("R")
T = TypeVar("T")
O = TypeVar("O")  # noqa: E741 - a result

# Above this many bytes in work or waiting for a commit, nothing is received.
COMMIT_BYTES = 64 * 1024 * 1024

# A chunk of a peer above this size is worked on in a thread, so that the loop serves others.
_LARGE_BYTES = 256 * 1024

# The memory of a chunk besides its bytes, so that many small chunks count as well.
_CHUNK_BYTES = 6_000

# A commit begins when nothing more has arrived, or at so many bytes.
_GROUP_BYTES = 2 * 1024 * 1024

# The timeout of a wait for a commit; any progress ends the wait earlier.
_LONG_S = 3_600.0

# The longest wait for chunks, so that a step of the clock is soon noticed.
_LOOK_US = 1_000_000

# How much later than requested a wait may end without the process having been stopped.
_TIMER_SLACK_US = 100_000


class StopRequest:
    """
    A request to stop gracefully, which a signal handler may make.

    It interrupts a read, but never counting, answering or writing.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._is_reading = False
        self._calls: list[Callable[[], object]] = []

    def request(self) -> None:
        """Request the stop."""
        self.is_requested = True
        if self._is_reading:
            raise _ReadInterrupted

    def call(self, act: Callable[[], object]) -> None:
        """Call a function while a source is read: now, or before the next chunk."""
        self._calls.append(act)
        if self._is_reading:
            self._attend()

    def take_calls(self) -> None:
        """Call the functions that were to be called before the next chunk."""
        while self._calls:
            self._calls.pop(0)()

    def read(self, chunks: Generator[Chunk, None, None]) -> Chunk | None:
        """Return the next chunk, or None at the end or once a stop is requested."""
        try:
            self._is_reading = True
            self._attend()
            return next(chunks, None)
        except _ReadInterrupted:
            return None
        finally:
            self._is_reading = False

    def _attend(self) -> None:
        """Do what was requested; a signal that arrives meanwhile neither interrupts nor is lost."""
        while self._calls:
            self._is_reading = False
            self.take_calls()
            self._is_reading = True
        if self.is_requested:
            raise _ReadInterrupted


class _ReadInterrupted(BaseException):
    """A stop request interrupted a read."""


class Wait:
    """A request to send chunks into the loop within the timeout, or `None` at the end of input."""

    __slots__ = ("receives", "timeout_s")

    def __init__(self, timeout_s: float, *, receives: bool) -> None:
        self.timeout_s = timeout_s
        self.receives = receives
        """If false, a limit is reached: send no chunk, only `[]` after progress."""


if TYPE_CHECKING:
    _Loop: TypeAlias = Generator[Wait | O | None, list[Chunk] | None, None]


class _Threads:
    """A pool of threads, which is started when it is first used."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool: ThreadPoolExecutor | None = None

    def submit(
        self, report: Callable[[object], None], work: Callable[..., T], *arguments: object
    ) -> Future[T]:
        """Run a function on a thread, which then reports that it is done."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 8 ms

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._most)
        future = self._pool.submit(work, *arguments)
        future.add_done_callback(report)
        return future

    def close(self) -> None:
        """Wait for what is running."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class Pump(Generic[R, O]):
    """
    One loop over the chunks of all sources.

    Args:
        processor: Turns chunks into results.
        intake: Stamps the chunks.
        clock: The clock for stamps and ticks.
        stop: The stop request.
        commit: Makes results durable before they take effect.
        silence: Measures how long each source is silent, if an idle timeout is set.
        resent: Recognises what is sent again, if it is to be skipped.
        jobs: The number of worker threads; with one, the loop itself works.
        batch_interval_us: The interval between ticks, aligned to the epoch like the ends of
            windows, so that ticks do not drift. None for finite sources: every chunk is followed
            by a tick.
    """

    def __init__(
        self,
        processor: Processor[R, O],
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
        self._processor = processor
        self._intake = intake
        self._clock = clock
        self._stop = stop
        self.commit = self._commit = Commit() if commit is None else commit
        self._jobs = jobs
        self._interval_us = batch_interval_us
        # Without a commit and without worker threads, a chunk can be settled at once.
        self._has_commit = type(self._commit) is not Commit
        self._is_direct = jobs == 1 and not self._has_commit and batch_interval_us is not None
        self._silence = silence
        self._resent = resent
        # The stages: in work, waiting for a commit, being committed, to be settled.
        self._working: deque[Item] = deque()
        self._waiting: list[Item] = []
        self._committing: tuple[list[Item], Future[None]] | None = None
        self._settling: deque[Item] = deque()
        # The item to acknowledge when the next result is requested.
        self._handed_out: tuple[Item, int] | None = None
        self._workers, self._committer = _Threads(jobs), _Threads(1)
        self._jobs_open = 0
        self._pending_bytes = 0
        self._is_ticking = False
        # How long sources were listened to when idle ones were looked for after the last group.
        self._idle_us: int | None = None
        # Whether more may have arrived that the next commit can take.
        self._has_more = False
        self._due_us = self._next_tick()
        # Called by any thread after progress that the loop may wait for.
        self.on_progress: Callable[[], object] = _ignore
        # Called when every chunk of an ended source is settled.
        self.on_source_end: Callable[[int], object] = _ignore
        self._malformed = 0
        self._groups = StageCounts()
        self._settled = StageCounts()
        self._acknowledged = StageCounts()

    def loop(self) -> _Loop[O]:
        """
        Yield a `Wait` when chunks are needed, each result, and `None` after each tick.

        A chunk is acknowledged when its result was taken and the next result is requested. An
        exception thrown into a `Wait` is raised again after every earlier chunk is settled.
        """
        try:
            while not self._stop.is_requested:
                wait = self._wait()
                silence = self._silence if wait.receives else None
                if silence is not None:
                    begun_us = self._clock.steady_us()
                    silence.begin(begun_us)
                try:
                    chunks = yield wait
                except Exception:
                    yield from self._drain()
                    raise
                if silence is not None:
                    # A process that was stopped did not listen.
                    most_us = begun_us + round(wait.timeout_s * 1e6) + _TIMER_SLACK_US
                    silence.end(min(self._clock.steady_us(), most_us))
                if chunks is None:
                    break
                has_room = self._commit.blocks and self._pending_bytes < _GROUP_BYTES
                self._has_more = bool(chunks) and has_room and self._interval_us is not None
                if self._due_us is not None and self._clock.check():
                    # After a step, ends of windows may have passed.
                    self._due_us = 0
                is_direct = self._is_direct and not self._in_flight
                work_on = self._run_directly if is_direct else self._work_on
                yield from work_on(self._taken(chunks))
                yield from self._check_clock()
            yield from self._work_on(self._intake.flush())
            yield from self._drain()
        finally:
            self._workers.close()
            self._committer.close()

    def counts(self) -> dict[str, StageCounts]:
        """Return the counters of each stage after the first, by its name."""
        worked = StageCounts()
        failed = self._acknowledged.errors.get("failed", 0)
        worked.events, worked.bytes = self._settled.events, self._settled.bytes
        worked.batches = self._settled.batches + failed
        if self._malformed:
            worked.errors["malformed"] = self._malformed
        return {
            "work": worked,
            "commit": self._groups,
            "settle": self._settled,
            "acknowledge": self._acknowledged,
        }

    def block(self) -> None:
        """Wait for progress without an event loop."""
        from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415 - with a pool alone

        futures = [item.future for item in self._working if item.future is not None][:1]
        if self._committing is not None:
            futures.append(self._committing[1])
        wait(futures, return_when=FIRST_COMPLETED)

    def _wait(self) -> Wait:
        is_full = self._jobs_open > 2 * self._jobs or self._pending_bytes > COMMIT_BYTES
        if self._due_us is None:
            # A chunk from a pipe takes effect before the next read waits.
            return Wait(0, receives=not is_full and not (self._jobs == 1 and self._in_flight))
        if is_full:
            return Wait(_LONG_S, receives=False)
        if self._has_more and self._committing is None:
            return Wait(0, receives=True)
        held_us = self._intake.due_us
        if held_us is None and self._is_ticking:
            return Wait(_LOOK_US / 1e6, receives=True)
        # While an earlier chunk is held, no window is closed.
        due_us = self._due_us if held_us is None else held_us
        wait_us = min(max(due_us - self._clock.steady_us(), 0), _LOOK_US)
        return Wait(wait_us / 1e6, receives=True)

    @property
    def _in_flight(self) -> bool:
        return bool(self._working or self._waiting or self._committing or self._settling)

    def _next_tick(self) -> int | None:
        """Return when the next tick is due, by the monotonic clock."""
        return None if self._interval_us is None else self._clock.due_us(self._interval_us)

    def _check_clock(self) -> _Loop[O]:
        """Start a tick if one is due, and yield the answers that are ready."""
        is_due = False
        if self._due_us is not None and not self._is_ticking and self._intake.due_us is None:
            is_due = self._clock.steady_us() >= self._due_us
            if is_due:
                self._due_us = self._next_tick()
                self._tick(self._clock.now_us())
                if self._resent is not None:
                    self._resent.tick(self._clock.steady_us())
        while (results := self._advance()) is not None:
            yield from results
        if self._due_us is not None and not is_due:
            if self._silence is not None and not self._in_flight:
                self._idle_us = self._silence.listened_us
                self._processor.mark_idle(self._idle_us)
            yield from self._processor.answers(ticked=False)

    def _taken(self, chunks: Iterable[Chunk]) -> list[StampedChunk]:
        some = [taken for chunk in chunks for taken in self._intake.take(chunk)]
        return some if self._interval_us is None else some + self._intake.overdue()

    def _work_on(self, some: Iterable[StampedChunk]) -> _Loop[O]:
        processor, resent = self._processor, self._resent
        for received in some:
            taken = received
            if resent is not None and taken.log_format is not None:
                # It is skipped only if what it repeats is counted.
                yield from self._drain() if self._in_flight and resent.finds(taken) else ()
                taken = resent.take(taken)
            item = Item(taken, taken.now_us)
            self._pending_bytes += item.size + _CHUNK_BYTES
            if taken.log_format is not None:
                try:
                    plan = processor.prepare(taken)
                except TailraceError:
                    yield from self._drain()
                    raise
                if self._jobs == 1 and not _is_large(taken):
                    item.result = self._worked(taken, plan)
                else:
                    item.future = self._submitted(taken, plan)
            self._working.append(item)
            if self._interval_us is None:
                self._tick(taken.now_us)
            elif self._commit.blocks:
                # What was received together is in one commit.
                continue
            while (results := self._advance()) is not None:
                yield from results

    def _run_directly(self, some: Iterable[StampedChunk]) -> _Loop[O]:
        """
        Run each chunk through all stages at once, until a commit or a thread delays one.

        With small batches, queueing in the stages would add a tenth to the cost. Answers are sent
        at the end of a round, so one clock read per round is enough.
        """
        processor, settled, acknowledged = self._processor, self._settled, self._acknowledged
        resent, count, stamps_us, first_us = self._resent, 0, 0, 0
        rest = iter(some)
        for received in rest:
            taken, chunk = received, received.chunk
            size = chunk.span[1] - chunk.span[0]
            if taken.log_format is None or (size > _LARGE_BYTES and chunk.answer is not None):
                yield from self._work_on(chain((taken,), rest))
                break
            if resent is not None:
                if chunk.is_wanted is not resent.current:
                    taken = resent.take(taken)
                else:
                    resent.latest = taken
            result = self._worked(taken, processor.prepare(taken))
            if isinstance(result, BatchError):
                self._refuse(Item(taken, taken.now_us), taken, result)
                continue
            if chunk.is_wanted is not None and not chunk.is_wanted():
                self._abandon(taken)
                continue
            lines, handed_out = processor.settle(taken, result)
            settled.events += lines
            settled.batches += 1
            settled.bytes += size
            if handed_out is not None:
                yield handed_out
            if chunk.answer is not None:
                chunk.answer("ok", "")
                acknowledged.events += lines
                acknowledged.bytes += size
                first_us = first_us or taken.steady_us
                stamps_us += taken.steady_us
                count += 1
        acknowledged.delayed(count, stamps_us, first_us, self._clock)

    def _refuse(self, item: Item, taken: StampedChunk, error: BatchError) -> None:
        self._malformed += 1
        if taken.chunk.answer is None:
            raise error
        self._acknowledge(item, "close", str(error))

    def _worked(self, taken: StampedChunk, plan: Any) -> R | BatchError:  # noqa: ANN401 - the processor's
        try:
            return self._processor.work(taken, plan)
        except BatchError as error:
            return error

    def _submitted(self, taken: StampedChunk, plan: Any) -> Future[R | BatchError]:  # noqa: ANN401 - as above
        self._jobs_open += 1
        return self._workers.submit(self._report, self._worked, taken, plan)

    def _report(self, _: object) -> None:
        self.on_progress()

    def _tick(self, now_us: int) -> None:
        item = Item(None, now_us)
        item.result = 0 if self._silence is None else self._silence.listened_us
        self._is_ticking = True
        self._working.append(item)

    def _drain(self) -> _Loop[O]:
        """Wait until every received chunk is acknowledged."""
        self._has_more = False
        while True:
            while (results := self._advance()) is not None:
                yield from results
            if not self._in_flight:
                return
            yield Wait(_LONG_S, receives=False)

    def _advance(self) -> Iterable[O | None] | None:
        """
        Advance every item that can advance without waiting.

        Return results to hand out before the next call, or `None` when nothing can advance.
        """
        if self._handed_out is not None:
            # The caller has taken the result and requests the next.
            item, lines = self._handed_out
            self._handed_out = None
            self._acknowledge(item, "ok", "", lines)
        while True:
            while self._settling:
                if results := self._settle(self._settling.popleft()):
                    return results
            has_items = self._working or self._waiting or self._committing
            if not has_items or not self._advance_commit():
                return None

    def _advance_commit(self) -> bool:
        """Commit the waiting items; return whether any item has advanced."""
        while self._working and self._is_done(self._working[0]):
            self._waiting.append(self._working.popleft())
        if self._committing is not None:
            group, future = self._committing
            if not future.done():
                return False
            self._committing = None
            self._committed(group, future.exception())
            return True
        if not self._waiting or self._has_more:
            return False
        group, self._waiting = self._waiting, []
        if self._has_commit:
            self._begin_commit(group)
        else:
            self._settling.extend(group)
        return True

    def _begin_commit(self, group: list[Item]) -> None:
        for item in group:
            item.is_abandoned = not _is_wanted(item)
        prepared = self._commit.prepare(group, self._idle_us)
        self._idle_us = None
        if prepared is None:
            self._settling.extend(group)
            return
        self._groups.batches += 1
        if self._commit.blocks:
            future = self._committer.submit(self._report, self._commit.commit, prepared)
            self._committing = group, future
            return
        error: Exception | None = None
        try:
            self._commit.commit(prepared)
        except Exception as problem:  # noqa: BLE001 - raised again if that ends the run
            error = problem
        self._committed(group, error)

    def _is_done(self, item: Item) -> bool:
        if item.future is not None:
            if not item.future.done():
                return False
            item.result = item.future.result()
            self._jobs_open -= 1
        return True

    def _committed(self, group: Iterable[Item], error: BaseException | None) -> None:
        """Continue with a committed group; after an error, fail its senders or end the run."""
        self._commit.note_outcome(error)
        if error is None:
            self._settling.extend(group)
            return
        self._groups.fail(type(error).__name__)
        is_final = not isinstance(error, CommitError)
        for item in group:
            taken = item.taken
            if taken is None or taken.log_format is None or not item.is_kept:
                self._settling.append(item)
            elif taken.chunk.answer is None:
                is_final = True
            else:
                self._pending_bytes -= item.size + _CHUNK_BYTES
                self._acknowledge(item, "failed", str(error))
        if is_final:
            raise error

    def _settle(self, item: Item) -> Iterable[O | None]:
        """Apply a committed item, and return its results."""
        taken, result = item.taken, item.result
        if taken is None:
            self._is_ticking = False
            self._processor.mark_idle(result)
            self._processor.tick(item.now_us)
            answers = self._processor.answers(ticked=True)
            return answers if self._interval_us is None else chain(answers, (None,))
        self._pending_bytes -= item.size + _CHUNK_BYTES
        if taken.log_format is None:
            chunk = taken.chunk
            self._processor.end_source(chunk.source, chunk.sender)
            if chunk.sender is None:
                self.on_source_end(chunk.source)
            return ()
        if isinstance(result, BatchError):
            self._refuse(item, taken, result)
            return ()
        # After its commit, a chunk counts whatever its sender does.
        if item.is_abandoned or not (self._has_commit or _is_wanted(item)):
            self._abandon(taken)
            return ()
        lines, handed_out = self._processor.settle(taken, result)
        self._settled.add(lines, item.size)
        if handed_out is None:
            self._acknowledge(item, "ok", "", lines)
            return ()
        self._handed_out = item, lines
        return (handed_out,)

    def _abandon(self, taken: StampedChunk) -> None:
        """Drop a chunk whose sender has disconnected and will send it again."""
        if self._resent is not None:
            self._resent.drop(taken)
        self._processor.abandon(taken)
        self._settled.fail("abandoned")
        if taken.chunk.answer is not None:
            taken.chunk.answer("close", "")

    def _acknowledge(self, item: Item, outcome: Outcome, reason: str, lines: int = 0) -> None:
        taken = cast("StampedChunk", item.taken)
        answer = taken.chunk.answer
        if answer is None:
            return
        counts = self._acknowledged
        counts.events, counts.bytes = counts.events + lines, counts.bytes + item.size
        counts.delayed(1, taken.steady_us, taken.steady_us, self._clock)
        if outcome != "ok":
            counts.fail(outcome)
            if self._resent is not None:
                self._resent.drop(taken)
        answer(outcome, reason)


def _is_large(taken: StampedChunk) -> bool:
    start, end = taken.chunk.span
    return end - start > _LARGE_BYTES and taken.chunk.answer is not None


def _is_wanted(item: Item) -> bool:
    """Return whether the sender of a chunk still waits for its outcome."""
    is_wanted = None if item.taken is None else item.taken.chunk.is_wanted
    return is_wanted is None or is_wanted()


def _ignore(*_: object) -> None:
    """Do nothing."""
