"""What the pump's stages are made of: who does the work, and what each stage counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.runtime.intake import Taken

__all__ = ["Processor", "StageCounts"]

R = TypeVar("R")
O_co = TypeVar("O_co", covariant=True)


class StageCounts:
    """What has gone through one stage of a pump since it began."""

    __slots__ = ("batches", "bytes", "delay_us", "errors", "events", "max_delay_us")

    def __init__(self) -> None:
        self.events = 0
        """Lines, where the stage knows how many; those of a chunk show when it was worked on."""
        self.batches = 0
        """Chunks; for the stage that commits, groups of them."""
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

    def to_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Processor(Protocol[R, O_co]):
    """
    Makes something of chunks: counts, or rows.

    All but the work that `prepare` returns is done by one thread, in the order of the chunks.
    """

    def prepare(self, taken: Taken) -> Callable[[], R]:
        """
        Return the work on a chunk, which any thread may do.

        The work raises `BatchError` where the bytes are malformed; nothing of them takes effect.

        Raises:
            TailraceError: The run cannot go on with this chunk.
        """
        ...

    def settle(self, taken: Taken, result: R) -> tuple[int, O_co | None]:
        """Let what was made of a chunk take effect; return its lines and what to hand out."""
        ...

    def add_source(self, name: str) -> None:
        """Expect chunks of one source more, whose number is the next one."""
        ...

    def end_source(self, source: int) -> None:
        """Expect no more of a source."""
        ...

    def slowest(self) -> int | None:
        """Return the source to read next, where it matters."""
        ...

    def tick(self, now_us: int, listened_us: int) -> None:
        """
        Move the clock: all that was stamped before is settled.

        Args:
            now_us: What it shows.
            listened_us: How long the sources were listened to until then.
        """
        ...

    def answers(self, *, ticked: bool) -> Iterator[O_co]:
        """Yield what can be answered now."""
        ...

    def finish(self) -> Iterator[O_co]:
        """End the input where it is and yield what is still to be answered."""
        ...
