"""Receives from live sources, one or several at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError, in_words, log_problem
from tailrace._sources import as_live, end_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tailrace._sources import Chunk, LiveSource, Source

__all__ = ["LiveFeeds"]

# A timeout for waits that do not depend on the clock.
_LONG_S = 3_600.0


class _FinitePart:
    """A part of a finite source, read beside live sources."""

    count = 1

    def __init__(self, part: Generator[Chunk, None, None]) -> None:
        self._part = part

    async def open(self) -> str:
        """Do nothing; the file is opened with its first chunk."""
        return "reading to the end"

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the next chunk."""
        del timeout_s  # it never waits
        await asyncio.sleep(0)
        chunk = next(self._part, None)
        return None if chunk is None else [chunk]

    def wake(self) -> None:
        """Do nothing; it never waits."""

    def flush(self) -> None:
        """Do nothing; there are no outcomes to send."""

    def reload(self) -> None:
        """Do nothing; it is read once."""

    async def close(self) -> None:
        """Close the file."""
        self._part.close()


class LiveFeeds:
    """
    Several sources, each with a number; if one fails, it ends and the others go on.

    Each of several sources has a task of its own, which holds its chunks until they are returned.
    So no source waits for another, and each applies backpressure to its own sender.
    """

    def __init__(self, sources: Sequence[Source | LiveSource]) -> None:
        # Sources that have not ended, by the number of their first part; of these, the ones to be
        # opened and the ones to be removed; then all that must be closed, and those closing now.
        self._sources: dict[int, LiveSource] = {}
        self._unopened: set[int] = set()
        self._removed: list[int] = []
        # Refused parts whose end was not returned yet.
        self._refused: list[int] = []
        self._opened: dict[int, LiveSource] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._tasks: dict[asyncio.Task[list[Chunk] | None], int] = {}
        self.count = 0
        self.problems: list[Exception] = []
        for source in sources:
            self.add(source)

    def add(self, source: Source | LiveSource) -> range:
        """
        Add a source, and return the numbers of its parts.

        During a run, it is opened by the next `receive`.
        """
        begin = self.count
        for live in _live(source):
            self._unopened.add(self.count)
            self._sources[self.count] = live
            self.count += live.count
        # So that a running `receive` returns and the next one includes this source.
        self.wake()
        return range(begin, self.count)

    def remove(self, number: int) -> None:
        """
        End the source whose first part has this number, unless it has ended.

        Its chunks received so far count, and are acknowledged before it is closed.
        """
        if number in self._sources:
            self._removed.append(number)
            self.wake()

    def refuse(self, number: int, problem: Exception) -> None:
        """End a source that cannot be used; one with several parts goes on for the others."""
        self._note(problem)
        if (source := self._sources.get(number)) is not None and source.count == 1:
            self.remove(number)
        else:
            self._refused.append(number)

    def ended(self, number: int) -> None:
        """Close a source whose chunks are all settled; the others go on meanwhile."""
        if number in self._sources:
            # Only the first part of the source was refused.
            return
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
        Open all sources, or none; return a description for the start-up line.

        Raises:
            OSError: A source cannot be opened.
        """
        descriptions = []
        for first, source in list(self._sources.items()):
            try:
                descriptions.append(await self._open(first, source))
            except BaseException:
                await self.close()
                raise
        return "; ".join(dict.fromkeys(descriptions))

    async def _open(self, first: int, source: LiveSource) -> str:
        description = await source.open()
        self._unopened.discard(first)
        self._opened[first] = source
        return description

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the chunks that have arrived, or `None` when all sources have ended."""
        if self._removed:
            return await self._remove(self._removed.pop())
        if self._refused:
            refused, self._refused = self._refused, []
            return [end_of(number) for number in refused]
        if not self._sources:
            return None
        if len(self._sources) == 1 and not self._tasks and not self._unopened:
            return await self._receive_directly(timeout_s)
        for first in self._sources.keys() - self._tasks.values():
            task = asyncio.ensure_future(self._receive(first, self._sources[first]))
            self._tasks[task] = first
        done, _ = await asyncio.wait(
            self._tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        return [chunk for task in done for chunk in self._taken(task)]

    async def _receive(self, first: int, source: LiveSource) -> list[Chunk] | None:
        if first in self._unopened:
            await self._open(first, source)
        return await source.receive(_LONG_S)

    async def _remove(self, first: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        for task in [task for task, number in self._tasks.items() if number == first]:
            if first in self._unopened:
                task.cancel()
            else:
                # It may have been opened after its removal was requested.
                self._sources[first].wake()
            await asyncio.wait([task])
            chunks += self._taken(task)
        self._unopened.discard(first)
        source = self._sources.pop(first, None)
        return chunks if source is None else chunks + _ends(first, source)

    async def _receive_directly(self, timeout_s: float) -> list[Chunk] | None:
        """Receive from the only source: a task per round would cost as much as a dozen lines."""
        ((first, source),) = self._sources.items()
        try:
            chunks = await source.receive(timeout_s)
        except (OSError, TailraceError) as error:
            # Earlier chunks are counted and answered.
            self._note(error)
            return None
        if chunks is None or not first:
            return chunks
        return _renumber(chunks, first)

    def _taken(self, task: asyncio.Task[list[Chunk] | None]) -> list[Chunk]:
        """Return the chunks of a completed task."""
        first = self._tasks.pop(task)
        try:
            received = [] if task.cancelled() else task.result()
        except (OSError, TailraceError) as error:
            # The others may go on forever, so this is reported now.
            self._note(error)
            received = None
        if received is not None:
            return _renumber(received, first)
        self._unopened.discard(first)
        return _ends(first, self._sources.pop(first))

    def _note(self, error: Exception) -> None:
        log_problem(error)
        self.problems.append(error)

    def wake(self) -> None:
        """Make `receive` return now."""
        for source in self._opened.values():
            source.wake()

    def flush(self) -> None:
        """Send the outcomes of chunks, before a wait in which nothing is received."""
        for source in self._opened.values():
            source.flush()

    def reload(self) -> tuple[list[str], list[str]]:
        """Let sources read their files again; return what was read, and what could not be."""
        done, failed = [], []
        for source in self._opened.values():
            try:
                text = source.reload()
            except (OSError, TailraceError) as error:
                failed.append(f"{in_words(error)}; the files that were read before are used")
            else:
                done += [text] if text is not None else []
        return done, failed

    async def close(self) -> None:
        """Cancel the tasks and close all sources."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()
        opened, self._opened = [*self._opened.values()], {}
        await _close(opened)
        if self._closing:
            await asyncio.wait(self._closing)


def _renumber(chunks: Iterable[Chunk], first: int) -> list[Chunk]:
    return [chunk._replace(source=first + chunk.source) for chunk in chunks]


def _ends(first: int, source: LiveSource) -> list[Chunk]:
    return [end_of(number) for number in range(first, first + source.count)]


def _live(source: Source | LiveSource) -> Sequence[LiveSource]:
    """Return a live source as it is, or each part of a finite one as a live source."""
    live = as_live(source)
    return (
        [_FinitePart(part) for part in cast("Source", source).parts()] if live is None else [live]
    )


async def _close(sources: Iterable[LiveSource]) -> None:
    """Close all sources concurrently, because each may wait for its peers; raise an error last."""
    for closed in await asyncio.gather(
        *(source.close() for source in sources), return_exceptions=True
    ):
        if isinstance(closed, BaseException):
            raise closed
