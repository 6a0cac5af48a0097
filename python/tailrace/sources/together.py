"""Several sources at once, each with its number and its own watermark."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tailrace.errors import TailraceError, log_problem
from tailrace.sources import Chunk, LiveSource, end_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["AtHand", "Together"]


# As long as nobody has to look at the clock.
_LONG_S = 3_600.0


class AtHand:
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


class Together:
    """
    Several sources that have to be waited for, as one.

    Each is asked by a task of its own, which holds what came until it is taken; so no source waits
    for another one, and each holds back its own sender while nobody takes.
    """

    def __init__(self, sources: Sequence[LiveSource]) -> None:
        self._sources = sources
        self.count = sum(source.count for source in sources)
        self._first = [sum(one.count for one in sources[:at]) for at in range(len(sources))]
        self._asked: dict[asyncio.Task[list[Chunk] | None], int] = {}
        self.problems: list[Exception] = []

    async def open(self) -> str:
        """Open all of them, or none."""
        said = []
        for at, source in enumerate(self._sources):
            try:
                said.append(await source.open())
            except BaseException:
                await _close(self._sources[:at])
                raise
        for at in range(len(self._sources)):
            self._ask(at)
        return "; ".join(dict.fromkeys(said))

    def _ask(self, at: int) -> None:
        self._asked[asyncio.ensure_future(self._sources[at].receive(_LONG_S))] = at

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return what has come from any of them."""
        if not self._asked:
            return None
        done, _ = await asyncio.wait(
            self._asked, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        chunks: list[Chunk] = []
        for task in done:
            at = self._asked.pop(task)
            first = self._first[at]
            try:
                received = task.result()
            except (OSError, TailraceError) as error:
                # The others go on, maybe for ever: so it is said now.
                log_problem(error)
                self.problems.append(error)
                received = None
            if received is None:
                numbers = range(first, first + self._sources[at].count)
                chunks += [end_of(number) for number in numbers]
            else:
                chunks += [chunk._replace(source=first + chunk.source) for chunk in received]
                self._ask(at)
        return chunks

    def wake(self) -> None:
        """Let `receive` return now."""
        for source in self._sources:
            source.wake()

    async def close(self) -> None:
        """End the tasks and close all of them."""
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        self._asked.clear()
        await _close(self._sources)


async def _close(sources: Sequence[LiveSource]) -> None:
    """Close all at once, as each may wait for its peers, and each whatever befalls another."""
    for closed in await asyncio.gather(
        *(source.close() for source in sources), return_exceptions=True
    ):
        if isinstance(closed, BaseException):
            raise closed
