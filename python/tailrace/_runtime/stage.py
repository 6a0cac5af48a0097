"""The parts of a pump's stages: stamped chunks, processors and counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from tailrace._core import BatchError, Format, without_events
from tailrace._requested import ANYTHING, Requested

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from tailrace._core import Delta, Engine, Lookups, Zone
    from tailrace._detection import Detector
    from tailrace._runtime.clock import Clock
    from tailrace._samples import Samples
    from tailrace._sources import Chunk
    from tailrace._types import LineCounts

__all__ = [
    "Absorber",
    "Again",
    "ConnectionKey",
    "Item",
    "Origin",
    "Processor",
    "StageCounts",
    "StampedChunk",
]

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - a result


class Origin:
    """
    What is known in advance about one of a query's sources.

    Args:
        name: The name, for people.
        log_format: The format, or the detector that finds it.
        max_ahead_us: How far ahead of the clock the time of a line may be; None for no limit.
        max_behind_us: How much earlier than the clock it may be; None for no limit.
        sender_header: The header of a Flume event that names its sender, if that is not the peer.
        is_live: Whether the source is live.
        zone: The zone of times without one; UTC by default.
        lookups: The data in which fields are looked up.
        requested: What is read of its lines.
        has_senders: Whether it answers senders, which may give up a batch or send it again.
        resent_us: For how long it is remembered what was sent; None if nothing is skipped.
    """

    def __init__(
        self,
        name: str,
        log_format: str | Detector,
        max_ahead_us: int | None = None,
        *,
        max_behind_us: int | None = None,
        sender_header: bytes | None = None,
        is_live: bool = False,
        zone: Zone | None = None,
        lookups: Sequence[Lookups] = (),
        requested: Requested = ANYTHING,
        has_senders: bool = False,
        resent_us: int | None = None,
    ) -> None:
        self.name = name
        self.log_format = log_format
        self.max_ahead_us = max_ahead_us
        self.max_behind_us = max_behind_us
        self.sender_header = sender_header
        self.is_live = is_live
        self.zone = zone
        self.lookups = lookups
        self.requested = requested
        self.has_senders = has_senders
        self.resent_us = resent_us

    def compiled(self, spec: str) -> Format:
        """Return a format for its lines."""
        return Format(spec, self.zone, self.lookups)


ConnectionKey: TypeAlias = tuple[int, int] | tuple[int, int, int]
"""
A connection: its number and that of its source; before these, the number of the run, if it is an
earlier one.
"""


class Again(NamedTuple):
    """What a batch repeats of an earlier one."""

    events: int
    """How many of its first events were counted already."""
    connection: ConnectionKey
    """The connection of the earlier batch."""


class StampedChunk(NamedTuple):
    """A chunk with its format and its time."""

    chunk: Chunk
    log_format: Format | None
    """The format of the lines; None for the end of a source."""
    now_us: int
    origin: Origin
    steady_us: int
    """When it was received, by the monotonic clock."""
    again: Again | None = None
    """What it repeats of an earlier batch."""

    @property
    def new(self) -> Chunk:
        """
        The chunk without the events that were counted already.

        Raises:
            BatchError: The bytes are malformed.
        """
        chunk = self.chunk
        if self.again is None:
            return chunk
        count = self.again.events
        rest = without_events(chunk.data, kind=chunk.kind, span=chunk.span, first=count)
        return chunk._replace(data=rest, span=(0, len(rest)), kind="batch")


class Item:
    """An item in the stages: a chunk, the end of a source, or a clock tick."""

    __slots__ = ("future", "is_abandoned", "now_us", "result", "size", "taken")

    def __init__(self, taken: StampedChunk | None, now_us: int) -> None:
        self.taken = taken
        """None for a tick."""
        self.now_us = now_us
        self.result: Any = None
        """For a chunk the result of the work, for a tick how long the sources were listened to."""
        self.future: Future[Any] | None = None
        self.size = 0
        self.is_abandoned = False
        """Whether its sender has disconnected before its commit."""
        if taken is not None:
            start, end = taken.chunk.span
            self.size = end - start

    @property
    def is_settled_anyway(self) -> bool:
        """Whether it takes effect if its group cannot be made durable, as all but chunks do."""
        return self.taken is None or self.taken.log_format is None or self.is_abandoned

    @property
    def is_kept(self) -> bool:
        """Whether its result is to be made durable, if it is a chunk or the end of a source."""
        return not (self.is_abandoned or isinstance(self.result, BatchError))


class StageCounts:
    """The counters of one stage of a pump since its start."""

    def __init__(self) -> None:
        self.events = 0
        """Lines, if the stage knows their number."""
        self.batches = 0
        """Chunks; for the commit stage, groups of chunks, and zero without a commit."""
        self.bytes = 0
        self.errors: dict[str, int] = {}
        """The number of chunks with an error, by reason."""
        self.delay_us = 0
        """The sum of the delays from receiving a chunk to acknowledging it."""
        self.max_delay_us = 0

    def add(self, events: int, size: int) -> None:
        """Count a chunk."""
        self.events += events
        self.batches += 1
        self.bytes += size

    def delayed(self, batches: int, stamps_us: int, first_us: int, clock: Clock) -> None:
        """Count chunks that were received at times with this sum, the first at this one."""
        if not batches:
            return
        steady_us = clock.steady_us()
        self.batches += batches
        self.delay_us += batches * steady_us - stamps_us
        self.max_delay_us = max(self.max_delay_us, steady_us - first_us)

    def fail(self, reason: str) -> None:
        """Count a chunk with an error."""
        self.errors[reason] = self.errors.get(reason, 0) + 1


class Processor(Generic[R, O]):
    """
    Turns chunks into results: counts or rows.

    One thread calls all methods except `work`, in the order of the chunks.
    """

    # Collects the first rejected lines, if they are to be shown.
    samples: Samples | None = None

    # The counters of an earlier pass over all lines, which counted those with a time, if this one
    # processes only lines that may be in range.
    all_lines: LineCounts | None = None

    # Whether a source has senders; the counters about them are then always present.
    has_senders = False

    def prepare(self, taken: StampedChunk) -> Any:  # noqa: ANN401, ARG002 - what `work` wants
        """
        Return the plan that `work` gets for a chunk.

        Raises:
            TailraceError: The run cannot continue with this chunk.
        """
        return None

    def work(self, taken: StampedChunk, plan: Any) -> R:  # noqa: ANN401 - of `prepare`
        """
        Return the result of a chunk; any thread may call this.

        Raises:
            BatchError: The bytes are malformed; none of its lines count.
        """
        raise NotImplementedError

    def settle(self, taken: StampedChunk, result: R) -> tuple[int, O | None]:
        """Apply the result of a chunk; return the number of lines and the result to hand out."""
        raise NotImplementedError

    def abandon(self, taken: StampedChunk) -> int:
        """Count the lines of a chunk that its sender has given up, and return their number."""
        raise NotImplementedError

    def lines(self) -> LineCounts:
        """Return the line counters so far."""
        raise NotImplementedError

    def with_senders(self, lines: LineCounts) -> LineCounts:
        """Return counters with those about senders, if a source has any."""
        if not self.has_senders:
            return lines
        abandoned, resent = lines.pop("abandoned", 0), lines.pop("resent", 0)
        return {**lines, "abandoned": abandoned, "resent": resent}

    def with_others(self, lines: LineCounts) -> LineCounts:
        """Return counters that include the lines of an earlier pass."""
        if (others := self.all_lines) is None:
            return lines
        filtered = others["counted"] - lines["counted"]
        return {**others, "counted": lines["counted"], "filtered": filtered}

    def add_source(self, origin: Origin) -> None:
        """Add a source, which gets the next number."""
        self.has_senders = self.has_senders or origin.has_senders
        if self.samples is not None:
            self.samples.add(origin.name)

    def end_source(self, source: int, sender: bytes | None = None) -> None:
        """Mark a source as ended, or one of its senders."""

    def slowest(self) -> int | None:
        """Return the source to read next, if it matters."""
        return None

    def mark_idle(self, listened_us: int) -> None:
        """Mark sources as idle whose silence exceeds the timeout after `listened_us`."""

    def tick(self, now_us: int) -> None:
        """Advance the clock."""

    def answers(self, *, ticked: bool) -> Iterator[O]:  # noqa: ARG002 - for those that answer
        """Yield the answers that are ready."""
        return iter(())

    def finish(self) -> Iterator[O]:
        """End the input, and yield the remaining answers."""
        return iter(())


class Absorber(Processor["Delta", O]):
    """A processor whose chunks an engine of the core absorbs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # The numbers that sources have in the engine, if they are others.
        self._numbers: list[int] | None = None

    def number(self, source: int) -> int:
        """Return the number of a source in the engine."""
        return source if self._numbers is None else self._numbers[source]

    def work(self, taken: StampedChunk, plan: Any) -> Delta:  # noqa: ANN401, ARG002 - there is none
        """Return the delta of a chunk."""
        chunk, log_format, now_us, origin, _, again = taken
        if again is not None:
            chunk = taken.new
        return self._engine.absorb(
            chunk.data,
            kind=chunk.kind,
            span=chunk.span,
            source=self.number(chunk.source),
            format=cast("Format", log_format),
            now_us=now_us,
            max_ahead_us=origin.max_ahead_us,
            max_behind_us=origin.max_behind_us,
            sender=chunk.sender,
            sender_header=origin.sender_header,
            resent=0 if again is None else again.events,
        )

    def abandon(self, taken: StampedChunk) -> int:
        """Count the lines of a chunk that its sender has given up, and return their number."""
        chunk = taken.chunk
        return self._engine.abandon(
            chunk.data,
            kind=chunk.kind,
            span=chunk.span,
            source=self.number(chunk.source),
            now_us=taken.now_us,
            sender=chunk.sender,
        )

    def apply(self, taken: StampedChunk, result: Delta, listened_us: int | None = None) -> int:
        """Apply the delta of a chunk after this much listening; return the number of its lines."""
        self._engine.apply(result, listened_us)
        fed, rejected, headers = result.lines
        if self.samples is not None and taken.log_format is not None:
            self.samples.look(taken.new, taken.log_format, fed + headers, rejected)
        return fed
