"""The first stage: gives each chunk its time and its format, and looks at the first lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from tailrace import _core
from tailrace._errors import SourceError, log_problem
from tailrace._first_lines import FirstLines
from tailrace._runtime.stage import StageCounts, StampedChunk
from tailrace._sources import part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._core import Format, Lookups
    from tailrace._detection import Choice, Detector
    from tailrace._runtime.clock import Clock
    from tailrace._runtime.stage import Origin
    from tailrace._sources import Chunk

__all__ = ["Doubt", "Intake"]

# How long the first lines of a live source may be held to detect their format: a few, which others
# may soon follow, and so many that a log's format is clear.
_HOLD_US = 200_000
_HOLD_MANY_US = 20_000
_MANY_LINES = 10

# With more sources than this, each detected format is reported once, unless it is in doubt.
_MAX_NOTICES = 8


class Doubt(NamedTuple):
    """What is not read in the first lines of a source."""

    text: str

    @property
    def is_doubtful(self) -> bool:
        """Return true: nothing else is reported."""
        return True

    def describe(self, source: str, columns: int = 80) -> str:  # noqa: ARG002 - as a choice's
        """Return it with the name of the source."""
        return f"{source}: {self.text}"


class Intake:
    """
    Stamps chunks with the time, and detects the format of each source.

    Until the format is detected, the first chunks of a source are held: up to 1,000 lines, and up
    to 200 ms, or 20 ms from 10 lines on. A source whose lines match no format, or a format without
    the requested fields, is refused. A live source is not refused because of its first lines, which
    may be a few messages: they count as rejected, and detection goes on up to 1,000 lines.
    """

    def __init__(self, clock: Clock, origins: Sequence[Origin]) -> None:
        self._clock = clock
        self._origins: list[Origin] = []
        # The format of the next lines of each source, once it is known.
        self._formats: list[Format | None] = []
        self.counts = StageCounts()
        self._held: dict[int, list[tuple[Chunk, int, int]]] = {}
        self._notices: list[tuple[Choice | Doubt, str]] = []
        self._looks: list[FirstLines] = []
        # Sources whose first lines may still give reason for doubt.
        self._looking: set[int] = set()
        self._doubted: set[int] = set()
        # Sources that wait for a line of a known format, and those whose columns were checked.
        self._waiting: set[int] = set()
        self._checked: set[int] = set()
        # Sources that are refused, with the reason; and those that the run does not know yet.
        self._refused: dict[int, SourceError] = {}
        self._new_refusals: list[int] = []
        # The formats that matched every line of a source, when there are many sources.
        self._agreed: set[str] = set()
        for origin in origins:
            self.add(origin)

    def add(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        known = origin.log_format
        self._formats.append(origin.compiled(known) if isinstance(known, str) else None)
        self._looking.add(len(self._origins))
        self._origins.append(origin)
        requested = origin.requested
        self._looks.append(FirstLines(requested.names, needs_time=requested.needs_time))

    @property
    def names(self) -> list[str]:
        """The names of the sources, for people."""
        return [origin.name for origin in self._origins]

    def spec(self, source: int) -> str:
        """Return the format of a source, or the best match of the lines seen so far."""
        known = self._origins[source].log_format
        return known if isinstance(known, str) else known.choose().format

    def chosen(self, source: int) -> str | None:
        """Return the format of a source, once it is known."""
        return None if self._formats[source] is None else self.spec(source)

    def take(self, chunk: Chunk) -> list[StampedChunk]:
        """Return the chunks that can be worked on now that this chunk has arrived."""
        if self._is_refused(chunk):
            return []
        now_us, steady_us = self._clock.stamp_us()
        if not chunk.data:
            end = StampedChunk(chunk, None, now_us, self._origins[chunk.source], steady_us)
            return [*self._settle(chunk.source), end]
        counts = self.counts
        counts.batches += 1
        counts.bytes += chunk.span[1] - chunk.span[0]
        log_format = self._formats[chunk.source]
        if log_format is not None:
            return self._taken(chunk, log_format, now_us, steady_us)
        detector = cast("Detector", self._origins[chunk.source].log_format)
        detector.look(chunk)
        if not detector.lines:
            # Blank lines match no format, so holding them is useless.
            log_format = self._origins[chunk.source].compiled(detector.choose().format)
            return self._taken(chunk, log_format, now_us, steady_us)
        self._held.setdefault(chunk.source, []).append((chunk, now_us, steady_us))
        return self._settle(chunk.source) if detector.enough else []

    @property
    def due_us(self) -> int | None:
        """
        When the first held chunk has to be handed on, or None if none is held.

        By the monotonic clock, so that neither a step of the wall clock nor its hold matters.
        """
        return min(map(self._due, self._held), default=None)

    def _due(self, source: int) -> int:
        detector = cast("Detector", self._origins[source].log_format)
        hold_us = _HOLD_US if detector.lines < _MANY_LINES else _HOLD_MANY_US
        return self._held[source][0][2] + hold_us

    def overdue(self) -> list[StampedChunk]:
        """Return the chunks that were held for the maximum time."""
        steady_us = self._clock.steady_us()
        due = [source for source in self._held if self._due(source) <= steady_us]
        return [taken for source in due for taken in self._settle(source)]

    def replace_lookups(self, old: Lookups, new: Lookups) -> None:
        """Look values up in other data from the next chunk on."""
        for number, origin in enumerate(self._origins):
            if old in origin.lookups:
                origin.lookups = [new if one is old else one for one in origin.lookups]
                known = self._formats[number]
                if known is not None and not known.has_header:
                    self._formats[number] = origin.compiled(known.spec)

    def flush(self) -> list[StampedChunk]:
        """Return all held chunks."""
        return [taken for source in list(self._held) for taken in self._settle(source)]

    def log_doubts(self) -> None:
        """Log as warnings what makes a format doubtful, and what is not read in the first lines."""
        for notice, source in self.take_notices():
            if notice.is_doubtful:
                log_problem(SourceError(notice.describe(source)))

    def take_notices(self) -> list[tuple[Choice | Doubt, str]]:
        """Return the choices and doubts since the last call, each with the name of its source."""
        for source in sorted(self._looking):
            look, origin = self._looks[source], self._origins[source]
            for text in look.doubts():
                self._doubted.add(source)
                if len(self._doubted) <= _MAX_NOTICES:
                    self._notices.append((Doubt(text), origin.name))
                elif len(self._doubted) == _MAX_NOTICES + 1:
                    self._notices.append((Doubt("and others have such lines"), origin.name))
            if look.enough:
                self._looking.discard(source)
        notices, self._notices = self._notices, []
        return notices

    def take_refusals(self) -> list[tuple[int, SourceError]]:
        """Return the sources refused since the last call, each with the reason."""
        new, self._new_refusals = self._new_refusals, []
        return [(source, self._refused[source]) for source in new]

    @property
    def refuses_all(self) -> bool:
        """Whether every source is refused."""
        return len(self._refused) == len(self._origins) > 0

    def _refuse(self, source: int, problem: object) -> None:
        self._refused[source] = SourceError(str(problem))
        self._new_refusals.append(source)
        self._looking.discard(source)

    def _is_refused(self, chunk: Chunk) -> bool:
        """Return whether a chunk belongs to a refused source; its sender may keep it."""
        if not chunk.data or chunk.source not in self._refused:
            return False
        if chunk.answer is not None:
            chunk.answer("failed", str(self._refused[chunk.source]))
        return True

    def _settle(self, source: int) -> list[StampedChunk]:
        """Choose the format of a source, and return its held chunks."""
        held = self._held.pop(source, [])
        if not held:
            return []
        origin = self._origins[source]
        detector = cast("Detector", origin.log_format)
        choice = detector.choose()
        log_format = origin.compiled(choice.format)
        if not choice.is_enough and not origin.is_live:
            self._refuse(source, choice.describe(origin.name))
        elif not choice.is_enough and not detector.enough:
            if source not in self._waiting:
                self._waiting.add(source)
                self._notices.append((choice, origin.name))
        else:
            self._formats[source] = log_format
            self._announce(choice, origin.name)
            if not log_format.has_header:
                self._check(source, log_format)
        return [
            taken
            for chunk, now_us, steady_us in held
            if not self._is_refused(chunk)
            for taken in self._taken(chunk, log_format, now_us, steady_us)
        ]

    def _announce(self, choice: Choice, name: str) -> None:
        plain = choice.matched == choice.lines and len(self._origins) > _MAX_NOTICES
        if not plain or choice.format not in self._agreed:
            self._notices.append((choice, name))
        if plain:
            self._agreed.add(choice.format)

    def _check(self, source: int, log_format: Format) -> None:
        """Refuse a source whose format lacks a requested field."""
        self._checked.add(source)
        origin = self._origins[source]
        try:
            origin.requested.check(log_format)
        except ValueError as error:
            self._refuse(source, f"{origin.name}: {error}")

    def _taken(
        self, chunk: Chunk, log_format: Format, now_us: int, steady_us: int
    ) -> list[StampedChunk]:
        """Return a chunk with its format, split where its lines name other columns."""
        origin = self._origins[chunk.source]
        if not log_format.has_header:
            self._looks[chunk.source].look(chunk, log_format)
            return [StampedChunk(chunk, log_format, now_us, origin, steady_us)]
        sections, after = log_format.sections(chunk.data, kind=chunk.kind, span=chunk.span)
        if self._formats[chunk.source] is not None:
            self._formats[chunk.source] = after
        for span, section in sections:
            if chunk.source not in self._checked and _core.default_fields(section):
                # The columns of the first header are those that a user knows.
                self._check(chunk.source, section)
            self._looks[chunk.source].look(chunk._replace(span=span), section)
        if self._is_refused(chunk):
            return []
        return [
            StampedChunk(part_of(chunk, span), section, now_us, origin, steady_us)
            for span, section in sections
        ]
