"""The first rejected lines of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["Sample", "Samples"]

_MOST = 3


class Sample(NamedTuple):
    """A rejected line."""

    source: str
    number: int
    """The number of the line in its source, from 1."""
    byte: int
    expected: str
    line: bytes


class Samples:
    """
    Stores the first few rejected lines.

    Counting stores no lines, so the chunks with the first rejects are parsed once more: at most as
    many chunks as there are samples.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._before = [0] * len(names)
        self.kept: list[Sample] = []

    def add(self, name: str) -> None:
        """Add a source, which gets the next number."""
        self._names.append(name)
        self._before.append(0)

    def look(self, chunk: Chunk, log_format: _core.Format, fed: int, rejected: int) -> None:
        """Store the first rejects of a chunk, of which the number of lines and rejects is known."""
        before = self._before[chunk.source]
        self._before[chunk.source] += fed
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
