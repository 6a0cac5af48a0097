"""Reads finite sources, a chunk at a time; `live` reads the sources that are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError
from tailrace._sources import end_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tailrace._runtime.pump import StopRequest
    from tailrace._sources import Chunk, Source

__all__ = ["Feeds"]


class Feeds:
    """Several sources, each with a number; if one cannot be read, it ends and the others go on."""

    def __init__(self, sources: Sequence[Source]) -> None:
        # By the number of their first part.
        self._sources: dict[int, Source] = {}
        self._parts: dict[int, Generator[Chunk, None, None]] = {}
        # Removed sources whose end was not returned yet.
        self._removed: list[int] = []
        self.count = 0
        self.problems: list[Exception] = []
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> range:
        """Add a source, and return the numbers of its parts."""
        numbers = range(self.count, self.count + source.count)
        self._parts.update(zip(numbers, source.parts(), strict=True))
        self._sources[numbers.start] = source
        self.count = numbers.stop
        return numbers

    def remove(self, number: int) -> None:
        """Close a source, unless it has ended; its lines read so far count."""
        if (part := self._parts.pop(number, None)) is not None:
            part.close()
            self._sources.pop(number)
            self._removed.append(number)

    def refuse(self, number: int, problem: Exception) -> None:
        """End a source that cannot be used."""
        self.problems.append(problem)
        self.remove(number)

    def progress(self) -> tuple[int, int | None]:
        """Return the number of bytes read and the total, if known."""
        all_of_them = [source.progress() for source in self._sources.values()]
        totals = [total for _, total in all_of_them]
        total = None if None in totals else sum(cast("list[int]", totals))
        return sum(done for done, _ in all_of_them), total

    def read(self, stop: StopRequest, slowest: int | None) -> list[Chunk] | None:
        """
        Return the next chunks, or `None` at the end or after a stop request.

        Args:
            stop: The stop request, which interrupts a read.
            slowest: The part to read, if it has not ended; otherwise the first open part is read.
        """
        if self._removed:
            removed, self._removed = self._removed, []
            return [end_of(number) for number in removed]
        if not self._parts or stop.is_requested:
            return None
        number = slowest if slowest in self._parts else next(iter(self._parts))
        try:
            chunk = stop.read(self._parts[number])
        except (OSError, TailraceError) as error:
            self.problems.append(error)
            chunk = None
        if chunk is not None:
            return [chunk._replace(source=number) if number else chunk]
        if stop.is_requested:
            return None
        del self._parts[number]
        return [end_of(number)]
