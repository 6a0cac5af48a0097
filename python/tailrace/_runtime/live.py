"""What has to be waited for, one source or several at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError, log_problem
from tailrace._sources import as_live, end_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tailrace._sources import Chunk, LiveSource, Source

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
        # Those that have not ended, by the number of the first part; of these, those that are to be
        # opened and those that are to end; all that are to be closed, and those that close now.
        self._sources: dict[int, LiveSource] = {}
        self._unopened: set[int] = set()
        self._removed: list[int] = []
        self._opened: dict[int, LiveSource] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._asked: dict[asyncio.Task[list[Chunk] | None], int] = {}
        self.count = 0
        self.problems: list[Exception] = []
        for source in sources:
            self.add(source)

    def add(self, source: Source | LiveSource) -> range:
        """
        Take one source more, and return the numbers of its parts.

        If others are being served, it is opened when they are asked for chunks the next time.
        """
        begin = self.count
        for live in _live(source):
            self._unopened.add(self.count)
            self._sources[self.count] = live
            self.count += live.count
        # Whoever waits for the others waits for this one too from then on.
        self.wake()
        return range(begin, self.count)

    def remove(self, number: int) -> None:
        """
        End the source whose first part has this number, unless it has ended already.

        What was received of it counts, and is acknowledged before it is closed.
        """
        if number in self._sources:
            self._removed.append(number)
            self.wake()

    def ended(self, number: int) -> None:
        """Close a source of which all is settled, beside the others."""
        if (source := self._opened.pop(number, None)) is not None:
            task = asyncio.ensure_future(self._close(source))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, source: LiveSource) -> None:
        try:
            await source.close()
        except OSError as error:
            self._note(error)

    async def open(self) -> str:
        """
        Open all of them, or none, and say where chunks come from.

        Raises:
            OSError: One of them cannot begin.
        """
        said = []
        for first, source in list(self._sources.items()):
            try:
                said.append(await self._open(first, source))
            except BaseException:
                await self.close()
                raise
        return "; ".join(dict.fromkeys(said))

    async def _open(self, first: int, source: LiveSource) -> str:
        said = await source.open()
        self._unopened.discard(first)
        self._opened[first] = source
        return said

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return what has come from any of them, nothing when all have ended."""
        if self._removed:
            return await self._remove(self._removed.pop())
        if not self._sources:
            return None
        if len(self._sources) == 1 and not self._asked and not self._unopened:
            return await self._receive_from_one(timeout_s)
        for first in self._sources.keys() - self._asked.values():
            task = asyncio.ensure_future(self._ask(first, self._sources[first]))
            self._asked[task] = first
        done, _ = await asyncio.wait(
            self._asked, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        return [chunk for task in done for chunk in self._taken(task)]

    async def _ask(self, first: int, source: LiveSource) -> list[Chunk] | None:
        if first in self._unopened:
            await self._open(first, source)
        return await source.receive(_LONG_S)

    async def _remove(self, first: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        for task in [task for task, asked in self._asked.items() if asked == first]:
            if first in self._unopened:
                task.cancel()
            else:
                # It may have been opened since it was to be removed.
                self._sources[first].wake()
            await asyncio.wait([task])
            chunks += self._taken(task)
        self._unopened.discard(first)
        source = self._sources.pop(first, None)
        return chunks if source is None else chunks + _ends(first, source)

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

    def _taken(self, task: asyncio.Task[list[Chunk] | None]) -> list[Chunk]:
        """Return what a task has received."""
        first = self._asked.pop(task)
        try:
            received = [] if task.cancelled() else task.result()
        except (OSError, TailraceError) as error:
            # The others go on, maybe for ever: so it is said now.
            self._note(error)
            received = None
        if received is not None:
            return _numbered(received, first)
        self._unopened.discard(first)
        return _ends(first, self._sources.pop(first))

    def _note(self, error: Exception) -> None:
        log_problem(error)
        self.problems.append(error)

    def wake(self) -> None:
        """Let `receive` return now."""
        for source in self._opened.values():
            source.wake()

    async def close(self) -> None:
        """End the tasks and close all of them."""
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked)
        self._asked.clear()
        opened, self._opened = [*self._opened.values()], {}
        await _close(opened)
        if self._closing:
            await asyncio.wait(self._closing)


def _numbered(chunks: Iterable[Chunk], first: int) -> list[Chunk]:
    return [chunk._replace(source=first + chunk.source) for chunk in chunks]


def _ends(first: int, source: LiveSource) -> list[Chunk]:
    return [end_of(number) for number in range(first, first + source.count)]


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
