"""The durable commit: each group is a round of a journal, synced before it takes effect."""

from __future__ import annotations

import json
from operator import methodcaller
from typing import TYPE_CHECKING, NamedTuple, cast

from tailrace import _core
from tailrace._core import BatchError
from tailrace._errors import CheckpointError, checkpoint_error, log_warning
from tailrace._runtime.commit import Commit, CommitError
from tailrace._runtime.notes import BATCH, CLOCK, FORMAT, NAME, POSITION, pack, unpack
from tailrace._sources import FilePosition
from tailrace._sources.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace._core import Changes, Engine, Format, Journal
    from tailrace._runtime.clock import Silence
    from tailrace._runtime.intake import Intake
    from tailrace._runtime.resent import Resent
    from tailrace._runtime.stage import Item, Origin, StampedChunk

__all__ = ["JournalCommit", "Registry", "Restored", "needs_names"]


def needs_names(log_format: Format) -> bool:
    """Return whether the columns of a format are known only from a line of the log."""
    return log_format.has_header and not _core.default_fields(log_format)


class Registry:
    """The sources of a journal by their names, each with its number and its format."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.formats: dict[int, str] = {}

    def number(self, name: str, taken: Sequence[int] = ()) -> int | None:
        """Return the number of a source, if it is known; several of one name have several."""
        found = (number for number, known in enumerate(self.names) if known == name)
        return next((number for number in found if number not in taken), None)

    def apply(self, kind: bytes, note: bytes) -> None:
        """Add what a note says."""
        if kind == NAME:
            self.names.append(note.decode("utf-8", "surrogateescape"))
        else:
            number, spec = note.split(b" ", 1)
            self.formats[int(number)] = spec.decode()

    def state(self) -> bytes:
        """Return all of it as bytes."""
        return json.dumps([self.names, [*self.formats.items()]]).encode()

    def restore(self, state: bytes) -> None:
        """Take over what `state` has returned."""
        self.names, formats = json.loads(state)
        self.formats = dict(formats)


class Restored(NamedTuple):
    """What a journal has brought back."""

    now_us: int | None
    """The last time of the arrival clock."""
    listened_us: int
    """How long live sources had been listened to."""


class JournalCommit(Commit):
    """
    Writes each group as a round, and now and then the state.

    Args:
        journal: The journal.
        engine: The engine whose changes are recorded.
        path: The directory, for messages.
        head: The description of the query.
    """

    blocks = True

    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        path: str,
        head: bytes,
    ) -> None:
        self.path = path
        self.positions = Positions()
        self.registry = Registry()
        self._journal = journal
        self._engine = engine
        self._head = head
        # The numbers of sources in the engine, by their numbers in the run.
        self._numbers: list[int] = []
        # Those whose lines come from agents.
        self._of_agents: set[int] = set()
        # What has changed the engine since the last round: sources, the last tick, silence.
        self._steps: list[Callable[[Changes], object]] = []
        self._ticked: Callable[[Changes], object] = _ignore
        self._silent: Callable[[Changes], object] = _ignore
        self._round: _Round
        self._silence: Silence | None = None
        self._intake: Intake | None = None
        # How long live sources count as listened to, for the chunks of the last round.
        self._listened_us: int | None = None
        # The time of the last chunk or tick.
        self._now_us = 0
        # Whether nothing was ever written.
        self._is_new = True
        self._is_full = False
        self._is_closed = False
        self.restored = Restored(None, 0)
        # What may be sent again, and what the journal has of it.
        self._resent: Resent | None = None
        self._batches: tuple[bytes | None, list[bytes]] = (None, [])

    def restore(self) -> None:
        """
        Bring the engine into the state of the journal.

        Raises:
            CheckpointError: The journal is damaged.
        """
        registry = self.registry
        try:
            state, notes, now_us, listened_us = self._journal.restore(self._engine)
            # The first round names the sources.
            self._is_new = state is None and not notes
            self.restored = Restored(now_us, listened_us or 0)
            for kind, part in (unpack(state) if state is not None else {}).items():
                if kind == NAME:
                    registry.restore(part)
                elif kind == BATCH:
                    self._batches = part, []
                elif kind == POSITION:
                    self.positions.restore(part)
                elif kind == CLOCK:
                    self.restored = Restored(
                        *map(max, json.loads(part), (now_us or 0, self.restored.listened_us))
                    )
            for note in notes:
                self._apply(note[:1], note[1:])
        except (_core.JournalError, ValueError) as error:
            raise checkpoint_error(self.path, error) from error
        for warning in self._journal.warnings:
            log_warning(warning)

    def _apply(self, kind: bytes, note: bytes) -> None:
        if kind in {NAME, FORMAT}:
            self.registry.apply(kind, note)
        elif kind == POSITION:
            self.positions.apply(note)
        elif kind == BATCH:
            self._batches[1].append(note)

    def remember(self, resent: Resent) -> None:
        """Keep what may be sent again, from before the first chunk on."""
        state, notes = self._batches
        if state is not None:
            resent.restore(state)
        for note in notes:
            resent.apply(note)
        self._resent, self._batches = resent, (None, [])

    def describe(self) -> str:
        """Return where the state is, for the start-up line."""
        lines = self._engine.lines()["fed"]
        if not lines:
            return f"state in {self.path}"
        return f"state in {self.path}, with {lines:,} line{'s' * (lines != 1)} from before"

    def senders(self, origin: Origin) -> list[bytes]:
        """Return the peers that the watermark of a source waits for."""
        number = self.registry.number(origin.name)
        known = [] if number is None else self._engine.senders(number)
        # A name from a header has a mark before it; those end when they are idle.
        return [sender for sender in known if not sender.startswith(b"=")]

    def keep_formats(self, origins: Iterable[Origin]) -> None:
        """Give sources the formats that were detected before."""
        for origin in origins:
            number = self.registry.number(origin.name)
            known = None if number is None else self.registry.formats.get(number)
            if known is not None and not isinstance(origin.log_format, str):
                origin.log_format = known

    def begin(
        self,
        origins: Sequence[Origin],
        intake: Intake,
        silence: Silence | None,
        start_us: int,
    ) -> list[int]:
        """
        Begin a run over these sources, and return the number of each in the engine.

        Args:
            origins: The sources.
            intake: Knows their formats.
            silence: How long live sources are listened to.
            start_us: The start of a new journal.
        """
        self._intake, self._silence = intake, silence
        self._now_us = max(start_us, self.restored.now_us or 0)
        if self._is_new:
            self._steps.append(methodcaller("start", start_us))
        for origin in origins:
            self.add_source(origin)
        for number in set(range(len(self.registry.names))) - set(self._numbers):
            self._engine.end_source(number)
            self._steps.append(methodcaller("end_source", number))
        return self._numbers

    def add_source(self, origin: Origin) -> int:
        """Add a source, and return its number in the engine; a known one goes on."""
        registry, engine = self.registry, self._engine
        number = registry.number(origin.name, self._numbers)
        if number is None:
            number = engine.add_source()
            registry.names.append(origin.name)
            name = NAME + origin.name.encode("utf-8", "surrogateescape")
            self._steps += [methodcaller("add_source"), methodcaller("note", name)]
        else:
            engine.reopen_source(number)
            self._steps.append(methodcaller("reopen_source", number))
        if origin.is_live:
            listened_us = 0 if self._silence is None else self._silence.listened_us
            engine.listen_to(number, listened_us)
            self._steps.append(methodcaller("listen_to", number, listened_us))
        if origin.has_senders:
            self._of_agents.add(number)
        self._numbers.append(number)
        return number

    def prepare(self, group: Sequence[Item], idle_us: int | None) -> _Round | None:
        """Collect what is to be written before the round, and return the round."""
        self._now_us = max(self._now_us, group[-1].now_us)
        if idle_us is not None:
            self._silent = self._idle(idle_us)
        # Facts are about earlier groups, so they are in a state that is taken now.
        facts = self.positions.facts()
        if facts:
            self._steps.append(methodcaller("note", POSITION + facts))
        elif all(item.taken is None for item in group):
            # A later tick does what an earlier one does.
            self._ticked, self._silent = self._settled(group[-1]), _ignore
            return None
        note = self._state_note() if self._journal.is_state_due else None
        self._journal.collect(self._engine, note)
        steps = [*self._steps, self._ticked, self._silent]
        self._steps, self._ticked, self._silent = [], _ignore, _ignore
        changes = _core.Changes()
        if note is None:
            for step in steps:
                step(changes)
            changes.answered(self._engine)
        # Otherwise they are in the state.
        self._listened_us = None if self._silence is None else self._silence.listened_us
        chunks = [item for item in group if not item.is_settled_anyway and item.is_kept]
        self._note(changes, chunks)
        formats = self._new_formats(chunks)
        self._round = _Round(changes, group, steps, formats, has_state=note is not None)
        for number in self._round.formats:
            changes.note(FORMAT + f"{number} {self.registry.formats[number]}".encode())
        return self._round

    def _note(self, changes: Changes, chunks: Iterable[Item]) -> None:
        """Record where chunks end in files, and what may be sent again."""
        # A connection that sends the next batch has the answer to the one before.
        last: dict[tuple[int, object], StampedChunk] = {}
        for item in chunks:
            taken = cast("StampedChunk", item.taken)
            position = taken.chunk.position
            if isinstance(position, FilePosition):
                changes.note(POSITION + self.positions.note(position))
            elif self._resent is not None and position is not None:
                key = taken.chunk.source, position[0]
                if (before := last.pop(key, None)) is not None and before.again is not None:
                    self._note_batch(changes, before)
                last[key] = taken
        for taken in last.values():
            self._note_batch(changes, taken)

    def _note_batch(self, changes: Changes, taken: StampedChunk) -> None:
        if self._resent is not None and (batch := self._resent.note(taken)) is not None:
            changes.note(BATCH + batch)

    def _new_formats(self, chunks: Iterable[Item]) -> list[int]:
        """Take note of the formats of sources that have got one, and return their numbers."""
        known, new = self.registry.formats, []
        for source in {cast("StampedChunk", item.taken).chunk.source for item in chunks}:
            number = self._numbers[source]
            if number not in known and (spec := cast("Intake", self._intake).chosen(source)):
                known[number] = spec
                new.append(number)
                if number in self._of_agents and needs_names(_core.Format(spec)):
                    log_warning(
                        f"{self.registry.names[number]}: the line that names the columns does not "
                        "come again after a restart; name them in the format, such as csv:time,url"
                    )
        return new

    def commit(self, prepared: _Round) -> None:
        """
        Write and sync a round.

        Raises:
            CheckpointError: The journal can no longer be written.
            CommitError: The disk is full.
        """
        changes = prepared.changes
        for item in prepared.group:
            if item.is_settled_anyway:
                self._settled(item)(changes)
            elif item.is_kept:
                changes.delta(item.result, self._listened_us)
        try:
            if prepared.has_state:
                # By itself, so that after an error it is known whether the steps are durable.
                self._journal.commit(_core.Changes())
                prepared.steps.clear()
            self._journal.commit(changes)
        except _core.JournalError as error:
            kind = CommitError if error.kind == "full" else CheckpointError
            raise kind(str(error)) from error

    def _settled(self, item: Item) -> Callable[[Changes], object]:
        """Return what adds a tick, the end of a source, or an abandoned chunk to a round."""
        taken, now_us = item.taken, item.now_us
        if isinstance(item.result, BatchError):
            return _ignore
        if taken is None:
            idle = self._idle(item.result)

            def tick(changes: Changes) -> None:
                idle(changes)
                changes.advance(now_us)

            return tick
        chunk = taken.chunk
        source = self._numbers[chunk.source]
        if taken.log_format is None:
            return methodcaller("end_source", source, chunk.sender)
        count = _core.count_events(chunk.data, kind=chunk.kind, span=chunk.span)
        return methodcaller("abandon", source, chunk.sender, now_us, count)

    def _idle(self, listened_us: int) -> Callable[[Changes], object]:
        if self._silence is None:
            return _ignore
        return methodcaller("idle", self._silence.silent_before(listened_us))

    def note_outcome(self, error: BaseException | None) -> None:
        """Go on after a commit; report a full disk, and its end."""
        if error is None:
            if self._is_full:
                self._is_full = False
                log_warning(f"{self.path}: there is space again; lines are taken again")
            return
        items = self._round.group
        chunks = [item for item in items if not item.is_settled_anyway and item.is_kept]
        has_senders = all(cast("StampedChunk", item.taken).chunk.answer for item in chunks)
        if not (isinstance(error, CommitError) and has_senders):
            # The run ends. A state would have positions after lines that are not counted.
            self.close()
            return
        # The chunks have no effect, everything else of the group has.
        settled = [self._settled(item) for item in items if item.is_settled_anyway]
        self._steps = [*self._round.steps, *settled, *self._steps]
        for number in self._round.formats:
            del self.registry.formats[number]
        if not self._is_full:
            self._is_full = True
            log_warning(f"{error}; senders keep their lines until there is space")

    def _state_note(self) -> bytes:
        listened_us = self.restored.listened_us
        if self._silence is not None:
            listened_us = self._silence.listened_us
        notes = {
            NAME: self.registry.state(),
            POSITION: self.positions.state(),
            CLOCK: json.dumps([self._now_us, listened_us]).encode(),
        }
        if self._resent is not None:
            notes[BATCH] = self._resent.state()
        return pack(notes)

    def listened_us(self) -> int | None:
        """Return how long live sources count as listened to, for the chunks that are settled."""
        return self._listened_us

    def save(self) -> None:
        """Write the state at the end of the run, before the input is finished."""
        if self._is_closed:
            return
        try:
            self.positions.facts()
            self._journal.save(self._engine, self._head, self._state_note())
        except _core.JournalError as error:
            # Nothing is lost: the rounds are there.
            log_warning(f"{error}; the next run replays what was written instead")
        finally:
            self.close()

    def close(self) -> None:
        """Release the directory."""
        if not self._is_closed:
            self._is_closed = True
            self._journal.close()


class _Round(NamedTuple):
    """What a commit writes."""

    changes: Changes
    """The changes before those of the group, and all notes."""
    group: Sequence[Item]
    steps: list[Callable[[Changes], object]]
    """What had changed the engine before."""
    formats: list[int]
    """The sources that have got a format."""
    has_state: bool
    """Whether a state is written before it, which has the steps."""


def _ignore(*_: object) -> None:
    """Do nothing."""
