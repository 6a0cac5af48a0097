"""
Two passes over sources, for the lines up to a length of time before the newest one.

The first pass reads every line: it finds the newest time, counts, and hands out rejected lines. The
second one reads again only the chunks that may hold a line in range. So memory does not grow with
the input, whatever the order of lines. A pipe cannot be read again: its chunks are held in memory
until the newest time shows that they are out of range.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from tailrace._errors import TailraceError, in_words
from tailrace._runtime.intake import Intake
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Absorber

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from tailrace._core import Delta, Engine, Lookups
    from tailrace._runtime.clock import Clock
    from tailrace._runtime.feeds import Feeds
    from tailrace._runtime.pump import StopRequest
    from tailrace._runtime.stage import Origin, Processor, StampedChunk
    from tailrace._sources import Chunk
    from tailrace._types import LineCounts

__all__ = ["FirstPass", "Held", "SecondIntake", "TwoPasses"]

P = TypeVar("P", bound="Processor[Any, Any]")
O = TypeVar("O")  # noqa: E741 - a result


class _Look(NamedTuple):
    """A chunk of the first pass."""

    size: int
    newest_us: int | None


class FirstPass(Absorber[O]):
    """
    Finds the newest time, and counts lines with a time.

    Args:
        engine: Counts the lines that have a time.
        sources: The number of sources.
        length_us: The length of the range.
        held: The sources that cannot be read again.
        reject: Returns the rejected lines of a chunk, given the number of lines before it.
    """

    def __init__(
        self,
        engine: Engine,
        sources: int,
        length_us: int,
        *,
        held: Iterable[int],
        reject: Callable[[StampedChunk, int], O] | None = None,
    ) -> None:
        super().__init__(engine)
        self._length_us = length_us
        self._reject = reject
        self._lines_before = [0] * sources
        # All held chunks but the first of each source, those with the oldest times first.
        self._oldest: list[tuple[int, int, int]] = []
        self.newest_us: int | None = None
        self.looks: list[list[_Look]] = [[] for _ in range(sources)]
        self.held: dict[int, dict[int, StampedChunk]] = {source: {} for source in held}

    @property
    def start_us(self) -> int | None:
        """The beginning of the range so far."""
        return None if self.newest_us is None else self.newest_us - self._length_us

    def is_needed(self, source: int, number: int) -> bool:
        """
        Return whether a chunk of a source may hold a line in range.

        The first one is needed always: it may determine the columns of a table.
        """
        newest_us = self.looks[source][number].newest_us
        return number == 0 or (newest_us is not None and newest_us >= cast("int", self.start_us))

    def settle(self, taken: StampedChunk, result: Delta) -> tuple[int, O | None]:
        """Note the newest time of a chunk, and hand out its rejected lines."""
        chunk, source = taken.chunk, taken.chunk.source
        fed, _, headers = result.lines
        self.apply(taken, result)
        newest_us = result.newest_us
        if newest_us is not None and (self.newest_us is None or newest_us > self.newest_us):
            self.newest_us = newest_us
        number = len(self.looks[source])
        self.looks[source].append(_Look(chunk.span[1] - chunk.span[0], newest_us))
        if source in self.held:
            self._hold(taken, number, newest_us)
        before = self._lines_before[source]
        self._lines_before[source] += fed + headers
        return fed, None if self._reject is None else self._reject(taken, before)

    def _hold(self, taken: StampedChunk, number: int, newest_us: int | None) -> None:
        """Hold a chunk, and drop those that are out of range."""
        source = taken.chunk.source
        if number == 0 or newest_us is not None:
            self.held[source][number] = taken
        if number > 0 and newest_us is not None:
            heappush(self._oldest, (newest_us, source, number))
        while self._oldest and self._oldest[0][0] < cast("int", self.start_us):
            _, source, number = heappop(self._oldest)
            del self.held[source][number]

    def lines(self) -> LineCounts:
        """Return the counters of all lines; those with a time are counted."""
        return self._engine.lines()


class Held:
    """A source that was read in the first pass, as far as its chunks are held."""

    count = 1

    def __init__(self, chunks: dict[int, StampedChunk]) -> None:
        self._chunks = chunks

    def parts(self) -> Sequence[Generator[Chunk, None, None]]:
        """Return its chunks."""
        return [self._held()]

    def _held(self) -> Generator[Chunk, None, None]:
        # The first pass has ended when the first chunk is requested.
        for taken in self._chunks.values():
            yield taken.chunk

    def progress(self) -> tuple[int, int | None]:
        """Return zero bytes of an unknown total, as a pipe's."""
        return 0, None


class SecondIntake(Intake):
    """Passes on the chunks that may hold a line in range; the others are counted already."""

    def __init__(self, clock: Clock, origins: Sequence[Origin], first: FirstPass[Any]) -> None:
        super().__init__(clock, origins)
        self._first = first
        self._numbers = [0] * len(origins)
        self._again: dict[int, Iterator[StampedChunk]] = {}

    def take(self, chunk: Chunk) -> list[StampedChunk]:
        """Return the chunks that can be worked on now that this chunk has arrived."""
        source = chunk.source
        if chunk.data and source in self._first.held:
            # Its format is that of the first pass.
            again = self._again.setdefault(source, iter(self._first.held[source].values()))
            return [next(again)]
        return self._needed(super().take(chunk))

    def flush(self) -> list[StampedChunk]:
        """Return all held chunks."""
        return self._needed(super().flush())

    def _needed(self, some: list[StampedChunk]) -> list[StampedChunk]:
        return [taken for taken in some if self._is_needed(taken)]

    def _is_needed(self, taken: StampedChunk) -> bool:
        source, span = taken.chunk.source, taken.chunk.span
        if source in self._first.held:
            return True
        looks, number = self._first.looks[source], self._numbers[source]
        if taken.log_format is None:
            if number < len(looks):
                self._refuse_changed(source)
            return True
        self._numbers[source] += 1
        if number >= len(looks) or looks[number].size != span[1] - span[0]:
            self._refuse_changed(source)
            return False
        return self._first.is_needed(source, number)

    def _refuse_changed(self, source: int) -> None:
        if source not in self._refused:
            self._refuse(source, f"{self.names[source]}: changed while it was read; run it again")


class TwoPasses(Run[P, O]):
    """
    A run that finds the newest time first, then processes the lines in range.

    Its sources, problems and notices are those of the first pass, which reads everything.

    Args:
        first: The processor of the first pass.
        feeds: The sources of the first pass.
        intake: The intake of the first pass.
        clock: The clock.
        stop: The stop request of both passes.
        second: The second pass.
        begin: Prepares the second pass for a range, whose ends are both included; for None if no
            line has a time.
        jobs: The number of worker threads.
    """

    def __init__(
        self,
        first: FirstPass[O],
        feeds: Feeds,
        intake: Intake,
        clock: Clock,
        stop: StopRequest,
        *,
        second: Run[P, O],
        begin: Callable[[tuple[int, int] | None], None],
        jobs: int,
    ) -> None:
        super().__init__(cast("P", first), feeds, intake, clock, stop, jobs=jobs)
        self.processor = second.processor
        self._first = first
        self._second = second
        self._begin = begin
        self._has_begun = False

    @property
    def is_unanswered(self) -> bool:
        """Whether there is no answer: no source can be used, or the first pass was stopped."""
        return self.is_refused or not self._has_begun

    def progress(self) -> tuple[int, int | None]:
        """Return half of the bytes read in both passes, and their total, if known."""
        done, total = super().progress()
        return (done + self._second.progress()[0]) // 2, total

    def replace_lookups(self, old: Lookups, new: Lookups) -> None:
        """Look values up in other data, in the second pass too."""
        super().replace_lookups(old, new)
        self._second.replace_lookups(old, new)

    @property
    def sampler(self) -> Processor[Any, Any]:
        """The processor that collects rejected lines: that of the first pass."""
        return self._first

    def results(self) -> Generator[O, None, None]:
        """Yield rejected lines if they are kept, then every result."""
        yield from self._read()
        if not self.stop.is_requested:
            if not self.is_refused:
                self._prepare()
                yield from self._read_again()
            if self.stop.is_requested:
                self.problems.append(TailraceError(_INCOMPLETE))
            else:
                yield from self._end()
        elif len(self._first.held) == self._feeds.count:
            # Of pipes, the answer for what was read is at hand.
            self._prepare()
            yield from self._process_held()
        else:
            self.problems.append(TailraceError(_STOPPED))

    def _prepare(self) -> None:
        self._has_begun = True
        start_us, newest_us = self._first.start_us, self._first.newest_us
        if start_us is None or newest_us is None:
            self.remark = "; no line has a time, so there is no newest one"
            self._begin(None)
        else:
            self._begin((start_us, newest_us))

    def _process_held(self) -> Generator[O, None, None]:
        processor = self.processor
        for held in self._first.held.values():
            for taken in held.values():
                result = processor.work(taken, processor.prepare(taken))
                handed_out = processor.settle(taken, result)[1]
                if handed_out is not None:
                    yield handed_out
        processor.all_lines = self._first.lines()

    def _read_again(self) -> Generator[O, None, None]:
        yield from self._second._read()
        # What was wrong in both passes is reported once.
        known = {in_words(problem) for problem in self.problems}
        new = [one for one in self._second.problems if in_words(one) not in known]
        self.problems.extend(new)
        if not new and not self.stop.is_requested:
            self.processor.all_lines = self._first.lines()


_INCOMPLETE = "stopped before all lines in range were read, so the result is incomplete"

_STOPPED = (
    "stopped before all lines were read, so the newest time is unknown and nothing is counted"
)
