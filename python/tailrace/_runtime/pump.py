"""
The loop: receive, work, commit, settle, acknowledge.

It does no I/O and waits for nothing itself: where it needs chunks, or that something moves, it
yields a `Wait`, and whoever drives it (`run`) reads, sleeps or looks at sockets meanwhile. So one
loop serves files without an event loop and sockets with one.

Each stage has a limit: what is received and not taken, that of its source; what is held to find
out its format, that of `intake`; what is worked on, `2 * jobs` chunks; what waits for a commit,
`COMMIT_BYTES`; answers that are not written, that of the source. Over it nothing is received.

Ticks of the clock go through the stages as chunks do. So the clock moves when all that was stamped
before is settled, however long that takes, and what is received meanwhile comes after it.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from tailrace._core import BatchError
from tailrace._errors import TailraceError
from tailrace._runtime.commit import Commit, CommitError
from tailrace._runtime.intake import HOLD_US
from tailrace._runtime.stage import StageCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

    from tailrace._runtime.clock import Clock, Silence
    from tailrace._runtime.intake import Intake
    from tailrace._runtime.stage import Processor, Taken
    from tailrace._sources import Chunk
    from tailrace._types import Outcome

__all__ = ["COMMIT_BYTES", "Pump", "StopRequest", "Wait"]

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - what is handed out

# What may be worked on or wait for a commit before nothing more is received.
COMMIT_BYTES = 64 * 1024 * 1024

# What a chunk costs besides its bytes, so that many small ones count as well.
_CHUNK_BYTES = 6_000

# Only a tick that waits for a commit is waited for so long; whatever moves ends the wait.
_LONG_S = 3_600.0


class StopRequest:
    """
    A request to stop gracefully, which a signal handler may make.

    It interrupts a read, but never counting, answering or writing.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._is_reading = False

    def request(self) -> None:
        """Request the stop."""
        self.is_requested = True
        if self._is_reading:
            raise _BrokenOffError

    def read(self, chunks: Generator[Chunk, None, None]) -> Chunk | None:
        """Return the next chunk, or None at the end or once a stop is requested."""
        try:
            self._is_reading = True
            return None if self.is_requested else next(chunks, None)
        except _BrokenOffError:
            return None
        finally:
            self._is_reading = False


class _BrokenOffError(BaseException):
    """A read was broken off."""


class Wait:
    """The loop is to be sent chunks: what comes until the timeout, nothing at the end of input."""

    __slots__ = ("receives", "timeout_s")

    def __init__(self, timeout_s: float, *, receives: bool) -> None:
        self.timeout_s = timeout_s
        self.receives = receives
        """Else a limit is reached: no chunk may be sent, only `[]` when something has moved."""


if TYPE_CHECKING:
    _Loop: TypeAlias = Generator[Wait | O | None, list[Chunk] | None, None]


class _Item:
    """What goes through the stages: a chunk, the end of a source, or a tick of the clock."""

    __slots__ = ("future", "now_us", "result", "size", "taken")

    def __init__(self, taken: Taken | None, now_us: int) -> None:
        self.taken = taken
        """Nothing for a tick."""
        self.now_us = now_us
        # Of a chunk what the work makes of it, of a tick how long the sources were listened to.
        self.result: Any = None
        self.future: Future[Any] | None = None
        self.size = 0
        if taken is not None:
            start, end = taken.chunk.span
            self.size = end - start


class Pump(Generic[R, O]):
    """
    One loop over the chunks of all sources.

    Args:
        processor: What is made of chunks.
        intake: Stamps them.
        clock: What they are stamped with.
        stop: Asks for the end.
        commit: Keeps what was made of them before it takes effect.
        silence: Is told when the sources are listened to, if that matters.
        jobs: How many threads work on them; with one the loop itself does.
        batch_interval_us: How often the clock is looked at, counted from the epoch as the ends of
            windows are, so that ticks do not drift. Nothing for sources that have their bytes at
            hand: then it is looked at with every chunk.
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
        jobs: int = 1,
        batch_interval_us: int | None = None,
    ) -> None:
        self._processor = processor
        self._intake = intake
        self._clock = clock
        self._stop = stop
        self._commit = Commit() if commit is None else commit
        self._jobs = jobs
        self._interval_us = batch_interval_us
        # Nothing is kept and nobody else works, so what is worked on can be settled at once.
        is_kept = type(self._commit) is not Commit
        self._is_direct = jobs == 1 and not is_kept and batch_interval_us is not None
        self._silence = silence
        # The stages: worked on, waiting for a commit, being committed.
        self._working: deque[_Item] = deque()
        self._waiting: list[_Item] = []
        self._committing: tuple[list[_Item], Future[None]] | None = None
        self._settling: deque[_Item] = deque()
        # What is to be acknowledged when the next is asked for.
        self._handed_out: tuple[_Item, int] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._committer: ThreadPoolExecutor | None = None
        self._jobs_open = 0
        self._pending_bytes = 0
        self._is_ticking = False
        self._due_us = self._next_tick()
        # Is called, by any thread, when something has moved that the loop may wait for.
        self.moved: Callable[[], object] = _nothing
        # Is called when all that came of a source is settled.
        self.ended: Callable[[int], object] = _nothing
        self._malformed = 0
        self._groups = StageCounts()
        self._settled = StageCounts()
        self._acknowledged = StageCounts()

    def loop(self) -> _Loop[O]:
        """
        Yield a `Wait` where chunks are to be sent, what is handed out, and nothing after a tick.

        A chunk is acknowledged when what it hands out was taken and the next is asked for. An
        exception that is thrown in where chunks are wanted is raised again when all that came
        before is settled.
        """
        try:
            while not self._stop.is_requested:
                wait = self._wait()
                silence = self._silence if wait.receives else None
                if silence is not None:
                    silence.begin(self._clock.now_us())
                try:
                    chunks = yield wait
                except Exception:
                    yield from self._drain()
                    raise
                if silence is not None:
                    silence.end(self._clock.now_us())
                if chunks is None:
                    break
                work_on = self._work_at_once if self._is_direct else self._work_on
                yield from work_on(self._taken(chunks))
                yield from self._look_at_clock()
            yield from self._work_on(self._intake.flush())
            yield from self._drain()
        finally:
            for pool in (self._pool, self._committer):
                if pool is not None:
                    pool.shutdown(cancel_futures=True)

    def counts(self) -> dict[str, StageCounts]:
        """Return what has gone through each stage after the first, by its name."""
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
        """Wait for something to move where no event loop can."""
        from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415 - with a pool alone

        futures = [item.future for item in self._working if item.future is not None][:1]
        if self._committing is not None:
            futures.append(self._committing[1])
        wait(futures, return_when=FIRST_COMPLETED)

    def _wait(self) -> Wait:
        is_full = self._jobs_open > 2 * self._jobs or self._pending_bytes > COMMIT_BYTES
        if self._due_us is None:
            # What comes through a pipe takes effect before the next is waited for.
            return Wait(0, receives=not is_full and not (self._jobs == 1 and self._in_flight))
        if is_full:
            return Wait(_LONG_S, receives=False)
        held_us = self._intake.due_us
        if held_us is None and self._is_ticking:
            return Wait(_LONG_S, receives=True)
        # While something is held that came before, no window is closed.
        due_us = self._due_us if held_us is None else held_us + HOLD_US
        return Wait(max(due_us - self._clock.now_us(), 0) / 1e6, receives=True)

    @property
    def _in_flight(self) -> bool:
        return bool(self._working or self._waiting or self._committing or self._settling)

    def _next_tick(self) -> int | None:
        interval = self._interval_us
        return None if interval is None else (self._clock.now_us() // interval + 1) * interval

    def _look_at_clock(self) -> _Loop[O]:
        """Send a tick through the stages where one is due, and answer what can be answered."""
        is_due = False
        if self._due_us is not None and not self._is_ticking and self._intake.due_us is None:
            now_us = self._clock.now_us()
            is_due = now_us >= self._due_us
            if is_due:
                self._due_us = self._next_tick()
                self._tick(now_us)
        while (results := self._move_on()) is not None:
            yield from results
        if self._due_us is not None and not is_due:
            if self._silence is not None and not self._in_flight:
                self._processor.leave_out(self._silence.listened_us)
            yield from self._processor.answers(ticked=False)

    def _taken(self, chunks: Iterable[Chunk]) -> list[Taken]:
        some = [taken for chunk in chunks for taken in self._intake.take(chunk)]
        return some if self._interval_us is None else some + self._intake.overdue()

    def _work_on(self, some: Iterable[Taken]) -> _Loop[O]:
        processor = self._processor
        for taken in some:
            item = _Item(taken, taken.now_us)
            self._pending_bytes += item.size + _CHUNK_BYTES
            if taken.log_format is not None:
                try:
                    plan = processor.prepare(taken)
                except TailraceError:
                    yield from self._drain()
                    raise
                if self._jobs == 1:
                    item.result = self._worked(taken, plan)
                else:
                    item.future = self._submitted(taken, plan)
            self._working.append(item)
            if self._interval_us is None:
                self._tick(taken.now_us)
            while (results := self._move_on()) is not None:
                yield from results

    def _work_at_once(self, some: Iterable[Taken]) -> _Loop[O]:
        """
        Take chunks through all stages, one after the other, where nothing holds them up.

        With small batches the way through the stages would cost a tenth of counting them. Answers
        are written when a round has all of its own, so one look at the clock is enough.
        """
        processor, settled, acknowledged = self._processor, self._settled, self._acknowledged
        count, stamps_us, first_us = 0, 0, 0
        for taken in some:
            chunk = taken.chunk
            size = chunk.span[1] - chunk.span[0]
            result = None
            if taken.log_format is not None:
                result = self._worked(taken, processor.prepare(taken))
            if result is None or isinstance(result, BatchError):
                item = _Item(taken, taken.now_us)
                item.result = result
                self._pending_bytes += size + _CHUNK_BYTES
                self._settling.append(item)
                while (results := self._move_on()) is not None:
                    yield from results
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
                first_us = first_us or taken.now_us
                stamps_us += taken.now_us
                count += 1
        if count:
            now_us = self._clock.now_us()
            acknowledged.batches += count
            acknowledged.delay_us += count * now_us - stamps_us
            acknowledged.max_delay_us = max(acknowledged.max_delay_us, now_us - first_us)

    def _worked(self, taken: Taken, plan: Any) -> R | BatchError:  # noqa: ANN401 - the processor's
        try:
            return self._processor.work(taken, plan)
        except BatchError as error:
            return error

    def _submitted(self, taken: Taken, plan: Any) -> Future[R | BatchError]:  # noqa: ANN401 - as above
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 8 ms

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._jobs)
        self._jobs_open += 1
        future = self._pool.submit(self._worked, taken, plan)
        future.add_done_callback(self._has_moved)
        return future

    def _has_moved(self, _: object) -> None:
        self.moved()

    def _tick(self, now_us: int) -> None:
        item = _Item(None, now_us)
        item.result = 0 if self._silence is None else self._silence.listened_us
        self._is_ticking = True
        self._working.append(item)

    def _drain(self) -> _Loop[O]:
        """Wait until all that was taken in is acknowledged."""
        while True:
            while (results := self._move_on()) is not None:
                yield from results
            if not self._in_flight:
                return
            yield Wait(_LONG_S, receives=False)

    def _move_on(self) -> Iterable[O | None] | None:
        """
        Move on what can be moved on without waiting.

        Return what is to be handed out before it goes on, or nothing when all is moved on.
        """
        if self._handed_out is not None:
            # Whoever took it came back.
            item, lines = self._handed_out
            self._handed_out = None
            self._acknowledge(item, "ok", "", lines)
        while True:
            while self._settling:
                if results := self._settle(self._settling.popleft()):
                    return results
            if not (self._working or self._waiting or self._committing) or not self._commit_more():
                return None

    def _commit_more(self) -> bool:
        """Commit what waits, and tell whether anything has moved by that."""
        while self._working and self._is_done(self._working[0]):
            self._waiting.append(self._working.popleft())
        if self._committing is not None:
            group, future = self._committing
            if not future.done():
                return False
            self._committing = None
            self._committed(group, future.exception())
            return True
        if not self._waiting:
            return False
        group, self._waiting = self._waiting, []
        if not (kept := _kept(group)):
            self._settling.extend(group)
            return True
        self._groups.batches += 1
        if self._commit.blocks:
            self._committing = group, self._in_background(kept)
            return True
        error: Exception | None = None
        try:
            self._commit.commit(kept)
        except Exception as problem:  # noqa: BLE001 - raised again if that ends the run
            error = problem
        self._committed(group, error)
        return True

    def _is_done(self, item: _Item) -> bool:
        if item.future is not None:
            if not item.future.done():
                return False
            item.result = item.future.result()
            self._jobs_open -= 1
        return True

    def _in_background(self, kept: Sequence[tuple[Taken, Any]]) -> Future[None]:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 8 ms

        if self._committer is None:
            self._committer = ThreadPoolExecutor(1)
        future = self._committer.submit(self._commit.commit, kept)
        future.add_done_callback(self._has_moved)
        return future

    def _committed(self, group: Iterable[_Item], error: BaseException | None) -> None:
        """Go on with what was committed; if it was not, tell senders, or end the run."""
        if error is None:
            self._settling.extend(group)
            return
        self._groups.fail(type(error).__name__)
        is_final = not isinstance(error, CommitError)
        for item in group:
            taken = item.taken
            if taken is None or taken.log_format is None or isinstance(item.result, BatchError):
                self._settling.append(item)
            elif taken.chunk.answer is None:
                is_final = True
            else:
                self._pending_bytes -= item.size + _CHUNK_BYTES
                self._acknowledge(item, "failed", str(error))
        if is_final:
            raise error

    def _settle(self, item: _Item) -> Iterable[O | None]:
        """Let what was committed take effect, and return what that hands out."""
        taken, result = item.taken, item.result
        if taken is None:
            self._is_ticking = False
            self._processor.leave_out(result)
            self._processor.tick(item.now_us)
            answers = self._processor.answers(ticked=True)
            return answers if self._interval_us is None else chain(answers, (None,))
        self._pending_bytes -= item.size + _CHUNK_BYTES
        if taken.log_format is None:
            self._processor.end_source(taken.chunk.source)
            self.ended(taken.chunk.source)
            return ()
        if isinstance(result, BatchError):
            self._malformed += 1
            if taken.chunk.answer is None:
                raise result
            self._acknowledge(item, "close", str(result))
            return ()
        lines, handed_out = self._processor.settle(taken, result)
        self._settled.add(lines, item.size)
        if handed_out is None:
            self._acknowledge(item, "ok", "", lines)
            return ()
        self._handed_out = item, lines
        return (handed_out,)

    def _acknowledge(self, item: _Item, outcome: Outcome, reason: str, lines: int = 0) -> None:
        answer = cast("Taken", item.taken).chunk.answer
        if answer is None:
            return
        counts = self._acknowledged
        counts.add(lines, item.size)
        delay_us = self._clock.now_us() - item.now_us
        counts.delay_us += delay_us
        counts.max_delay_us = max(counts.max_delay_us, delay_us)
        if outcome != "ok":
            counts.fail(outcome)
        answer(outcome, reason)


def _kept(group: Iterable[_Item]) -> list[tuple[Taken, Any]]:
    """Return what is to be committed of a group."""
    return [
        (item.taken, item.result)
        for item in group
        if item.taken is not None and not isinstance(item.result, BatchError)
    ]


def _nothing(*_: object) -> None:
    """Nobody has to know."""
