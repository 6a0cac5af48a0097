"""What goes through the stages of a pump, who does the work, and what each of them counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._core import Format
    from tailrace._detection import Detector
    from tailrace._samples import Samples
    from tailrace._sources import Chunk

__all__ = ["Origin", "Processor", "StageCounts", "Taken"]

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - what is handed out


class Origin:
    """
    What is known beforehand of one of a query's sources.

    Args:
        name: For people.
        log_format: What its lines look like, or who finds out.
        max_ahead_us: How far ahead of the clock the time of a line may be, where that is checked.
        is_live: Whether it has to be waited for.
    """

    def __init__(
        self,
        name: str,
        log_format: str | Detector,
        max_ahead_us: int | None = None,
        *,
        is_live: bool = False,
    ) -> None:
        self.name = name
        self.log_format = log_format
        self.max_ahead_us = max_ahead_us
        self.is_live = is_live


class Taken(NamedTuple):
    """A chunk with all that it takes to work on it."""

    chunk: Chunk
    log_format: Format | None
    """Of the chunk's lines; nothing for the end of a source."""
    now_us: int
    max_ahead_us: int | None


class StageCounts:
    """What has gone through one stage of a pump since it began."""

    def __init__(self) -> None:
        self.events = 0
        """Lines, where the stage knows how many."""
        self.batches = 0
        """Chunks; for the stage that commits, groups of them, and none where nothing is kept."""
        self.bytes = 0
        self.errors: dict[str, int] = {}
        """How many chunks met an error, by what it was."""
        self.delay_us = 0
        """How long after they were received chunks were acknowledged, all delays added up."""
        self.max_delay_us = 0

    def add(self, events: int, size: int) -> None:
        """Count a chunk."""
        self.events += events
        self.batches += 1
        self.bytes += size

    def fail(self, reason: str) -> None:
        """Count a chunk that met an error."""
        self.errors[reason] = self.errors.get(reason, 0) + 1


class Processor(Generic[R, O]):
    """
    Makes something of chunks: counts, or rows.

    All but the work is done by one thread, in the order of the chunks.
    """

    # Where somebody wants to see the first rejected lines.
    samples: Samples | None = None

    def prepare(self, taken: Taken) -> Any:  # noqa: ANN401, ARG002 - what `work` wants
        """
        Return what the work on a chunk has to know.

        Raises:
            TailraceError: The run cannot go on with this chunk.
        """
        return None

    def work(self, taken: Taken, plan: Any) -> R:  # noqa: ANN401 - of `prepare`
        """
        Return what is made of a chunk; any thread may ask.

        Raises:
            BatchError: The bytes are malformed; nothing of them takes effect.
        """
        raise NotImplementedError

    def settle(self, taken: Taken, result: R) -> tuple[int, O | None]:
        """Let what was made of a chunk take effect; return its lines and what to hand out."""
        raise NotImplementedError

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far."""
        raise NotImplementedError

    def add_source(self, origin: Origin) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        if self.samples is not None:
            self.samples.add(origin.name)

    def end_source(self, source: int) -> None:
        """Expect no more of a source."""

    def slowest(self) -> int | None:
        """Return the source to read next, where it matters."""
        return None

    def leave_out(self, listened_us: int) -> None:
        """Do without sources that were silent for too long, after listening for so long."""

    def tick(self, now_us: int) -> None:
        """Move the clock."""

    def answers(self, *, ticked: bool) -> Iterator[O]:  # noqa: ARG002 - for those that answer
        """Yield what can be answered now."""
        return iter(())

    def finish(self) -> Iterator[O]:
        """End the input where it is and yield what is still to be answered."""
        return iter(())
