"""The first stage: gives each chunk its time and its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tailrace._core import Format
from tailrace._runtime.stage import StageCounts, StampedChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._detection import Choice, Detector
    from tailrace._runtime.clock import Clock
    from tailrace._runtime.stage import Origin
    from tailrace._sources import Chunk

__all__ = ["HOLD_US", "Intake"]

# How long the first lines of a live source may be held to detect their format.
HOLD_US = 200_000

# With more sources than this, each detected format is reported once, unless it is in doubt.
_MAX_NOTICES = 8


class Intake:
    """
    Stamps chunks with the time, and detects the format of each source.

    Until the format is detected, the first chunks of a source are held: up to 1,000 lines or
    200 ms.
    """

    def __init__(self, clock: Clock, origins: Sequence[Origin]) -> None:
        self._clock = clock
        self._origins: list[Origin] = []
        # The format of the next lines of each source, once it is known.
        self._formats: list[Format | None] = []
        self.counts = StageCounts()
        self._held: dict[int, list[tuple[Chunk, int]]] = {}
        self._notices: list[tuple[Choice, str]] = []
        # The formats that matched every line of a source, when there are many sources.
        self._agreed: set[str] = set()
        for origin in origins:
            self.add(origin)

    def add(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        known = origin.log_format
        self._formats.append(Format(known, origin.zone) if isinstance(known, str) else None)
        self._origins.append(origin)

    @property
    def names(self) -> list[str]:
        """The names of the sources, for people."""
        return [origin.name for origin in self._origins]

    def spec(self, source: int) -> str:
        """Return the format of a source, or the best match of the lines seen so far."""
        known = self._origins[source].log_format
        return known if isinstance(known, str) else known.choose().format

    def take(self, chunk: Chunk) -> list[StampedChunk]:
        """Return the chunks that can be worked on now that this chunk has arrived."""
        if not self._is_wanted(chunk):
            return []
        now_us = self._clock.now_us()
        if not chunk.data:
            return [*self._settle(chunk.source), StampedChunk(chunk, None, now_us, None)]
        counts = self.counts
        counts.batches += 1
        counts.bytes += chunk.span[1] - chunk.span[0]
        log_format = self._formats[chunk.source]
        if log_format is not None:
            return self._taken(chunk, log_format, now_us)
        detector = cast("Detector", self._origins[chunk.source].log_format)
        detector.look(chunk)
        if not detector.lines:
            # Blank lines match no format, so holding them is useless.
            zone = self._origins[chunk.source].zone
            return self._taken(chunk, Format(detector.choose().format, zone), now_us)
        self._held.setdefault(chunk.source, []).append((chunk, now_us))
        return self._settle(chunk.source) if detector.enough else []

    @property
    def due_us(self) -> int | None:
        """When the oldest held chunk was received, or None if none is held."""
        return min((held[0][1] for held in self._held.values()), default=None)

    def overdue(self) -> list[StampedChunk]:
        """Return the chunks that were held for the maximum time."""
        oldest_us = self._clock.now_us() - HOLD_US
        due = [source for source, held in self._held.items() if held[0][1] <= oldest_us]
        return [taken for source in due for taken in self._settle(source)]

    def flush(self) -> list[StampedChunk]:
        """Return all held chunks."""
        return [taken for source in list(self._held) for taken in self._settle(source)]

    def take_notices(self) -> list[tuple[Choice, str]]:
        """Return the formats chosen since the last call, each with the name of its source."""
        notices, self._notices = self._notices, []
        return notices

    def _settle(self, source: int) -> list[StampedChunk]:
        """Choose the format of a source, and return its held chunks."""
        held = self._held.pop(source, [])
        if not held:
            return []
        origin = self._origins[source]
        choice = cast("Detector", origin.log_format).choose()
        self._formats[source] = Format(choice.format, origin.zone)
        plain = choice.matched == choice.lines and len(self._origins) > _MAX_NOTICES
        if not plain or choice.format not in self._agreed:
            self._notices.append((choice, origin.name))
        if plain:
            self._agreed.add(choice.format)
        return [
            taken
            for chunk, now_us in held
            if self._is_wanted(chunk)
            for taken in self._taken(chunk, cast("Format", self._formats[source]), now_us)
        ]

    def _taken(self, chunk: Chunk, log_format: Format, now_us: int) -> list[StampedChunk]:
        """Return a chunk with its format, split where its lines name other columns."""
        max_ahead_us = self._origins[chunk.source].max_ahead_us
        if not log_format.has_header:
            return [StampedChunk(chunk, log_format, now_us, max_ahead_us)]
        sections, after = log_format.sections(chunk.data, kind=chunk.kind, span=chunk.span)
        if self._formats[chunk.source] is not None:
            self._formats[chunk.source] = after
        # Only the last part ends where the chunk ends.
        ends = [None] * (len(sections) - 1) + [chunk.position]
        return [
            StampedChunk(chunk._replace(span=span, position=end), section, now_us, max_ahead_us)
            for (span, section), end in zip(sections, ends, strict=True)
        ]

    def _is_wanted(self, chunk: Chunk) -> bool:
        """Return whether a chunk counts; a disconnected sender will send it again."""
        if chunk.is_wanted is None or chunk.is_wanted():
            return True
        self.counts.fail("abandoned")
        if chunk.answer is not None:
            chunk.answer("close", "")
        return False
