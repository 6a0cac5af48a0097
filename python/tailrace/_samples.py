"""The first lines of a run that are not of their format."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["Sample", "Samples"]

_MOST = 3


class Sample(NamedTuple):
    """A line that was rejected."""

    source: str
    number: int
    """Which line of its source it is, from 1."""
    byte: int
    expected: str
    line: bytes


class Samples:
    """
    Keeps the first few.

    What counts lines keeps none. Their chunks are looked at again, as many as there are samples at
    most.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._lines_before = [0] * len(names)
        self.kept: list[Sample] = []

    def add(self, name: str) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        self._names.append(name)
        self._lines_before.append(0)

    def look(self, chunk: Chunk, log_format: _core.Format, fed: int, rejected: int) -> None:
        """Take note of a chunk, of how many lines it had, and how many are not of its format."""
        before = self._lines_before[chunk.source]
        self._lines_before[chunk.source] += fed
        room = _MOST - len(self.kept)
        if not rejected or not room:
            return
        found = _core.sample_rejects(
            chunk.data, kind=chunk.kind, span=chunk.span, format=log_format, limit=room
        )
        name = self._names[chunk.source]
        self.kept += [
            Sample(name, before + number, byte, expected, line)
            for number, byte, expected, line in found
        ]
