"""What has to be waited for, one source or several at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tailrace.errors import TailraceError, log_problem
from tailrace.sources import as_live, end_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tailrace.sources import Chunk, LiveSource, Source

__all__ = ["LiveFeeds"]

# As long as nobody has to look at the clock.
_LONG_S = 3_600.0


class _Part:
    """A part that has its bytes at hand, beside sources that have to be waited for."""

    count = 1

    def __init__(self, part: Generator[Chunk, None, None]) -> None:
        self._part = part

    async def open(self) -> str:
        """Begin."""
        return "reading what is there"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the next chunk."""
        del timeout_s  # there is nothing to wait for
        await asyncio.sleep(0)
        chunk = next(self._part, None)
        return None if chunk is None else [chunk]

    def wake(self) -> None:
        """Nothing is waited for."""

    async def close(self) -> None:
        """Let go of the file."""
        self._part.close()


class LiveFeeds:
    """
    Several sources, each with a number; one that breaks off ends, the others go on.

    Where there are several, each is asked by a task of its own, which holds what came until it is
    taken; so no source waits for another one, and each holds back its own sender while nobody
    takes.
    """

    def __init__(self, sources: Sequence[Source | LiveSource]) -> None:
        # Those that have not ended, by the number of the first part; and all that are to be closed.
        self._sources: dict[int, LiveSource] = {}
        self._opened: list[LiveSource] = []
        self._asked: dict[asyncio.Task[list[Chunk] | None], int] = {}
        # What is to be handed over before anything else.
        self._left: list[Chunk] = []
        self.count = 0
        self.problems: list[Exception] = []
        for source in sources:
            for one in _live(source):
                self._number(one)

    def _number(self, source: LiveSource) -> range:
        numbers = range(self.count, self.count + source.count)
        self._sources[numbers.start] = source
        self.count = numbers.stop
        return numbers

    async def open(self) -> str:
        """
        Open all of them, or none, and say where chunks come from.

        Raises:
            OSError: One of them cannot begin.
        """
        said = []
        for source in self._sources.values():
            try:
                said.append(await source.open())
            except BaseException:
                await self.close()
                raise
            self._opened.append(source)
        return "; ".join(dict.fromkeys(said))

    async def add(self, source: LiveSource) -> range:
        """
        Open one source more and return the numbers of its parts.

        Raises:
            OSError: It cannot begin.
        """
        await source.open()
        self._opened.append(source)
        numbers = self._number(source)
        # Whoever waits for the others waits for this one too from then on.
        self.wake()
        return numbers

    async def remove(self, number: int) -> None:
        """Close the source whose first part has this number; what was received of it counts."""
        source = self._sources.pop(number)
        for task in [task for task, first in self._asked.items() if first == number]:
            del self._asked[task]
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            self._take(number, source, task)
        self._end(number, source)
        self.wake()
        self._opened.remove(source)
        await source.close()

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return what has come from any of them, nothing when all have ended."""
        if self._left:
            left, self._left = self._left, []
            return left
        if not self._sources:
            return None
        if len(self._sources) == 1 and not self._asked:
            return await self._receive_from_one(timeout_s)
        for first in self._sources.keys() - self._asked.values():
            task = asyncio.ensure_future(self._sources[first].receive(_LONG_S))
            self._asked[task] = first
        done, _ = await asyncio.wait(
            self._asked, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            if (asked := self._asked.pop(task, None)) is not None:
                self._take(asked, self._sources[asked], task)
        left, self._left = self._left, []
        return left

    async def _receive_from_one(self, timeout_s: float) -> list[Chunk] | None:
        """Ask the only one: a task for each round would cost as much as counting a dozen lines."""
        ((first, source),) = self._sources.items()
        try:
            chunks = await source.receive(timeout_s)
        except (OSError, TailraceError) as error:
            # What came before is counted and answered.
            self._note(error)
            return None
        if chunks is None or not first:
            return chunks
        return _numbered(chunks, first)

    def _take(self, first: int, source: LiveSource, task: asyncio.Task[list[Chunk] | None]) -> None:
        """Keep what a task received."""
        try:
            received = task.result()
        except asyncio.CancelledError:
            return
        except (OSError, TailraceError) as error:
            # The others go on, maybe for ever: so it is said now.
            self._note(error)
            received = None
        if received is not None:
            self._left += _numbered(received, first)
        elif self._sources.pop(first, None) is not None:
            self._end(first, source)

    def _end(self, first: int, source: LiveSource) -> None:
        self._left += [end_of(number) for number in range(first, first + source.count)]

    def _note(self, error: Exception) -> None:
        log_problem(error)
        self.problems.append(error)

    def wake(self) -> None:
        """Let `receive` return now."""
        for source in self._sources.values():
            source.wake()

    async def close(self) -> None:
        """End the tasks and close all of them."""
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked)
        self._asked.clear()
        opened, self._opened = self._opened, []
        await _close(opened)


def _numbered(chunks: Iterable[Chunk], first: int) -> list[Chunk]:
    return [chunk._replace(source=first + chunk.source) for chunk in chunks]


def _live(source: Source | LiveSource) -> Sequence[LiveSource]:
    """Return a source, or each of its parts, as what has to be waited for."""
    live = as_live(source)
    return [_Part(part) for part in cast("Source", source).parts()] if live is None else [live]


async def _close(sources: Iterable[LiveSource]) -> None:
    """Close all at once, as each may wait for its peers, and each whatever befalls another."""
    for closed in await asyncio.gather(
        *(source.close() for source in sources), return_exceptions=True
    ):
        if isinstance(closed, BaseException):
            raise closed
