"""Where bytes come from: each source turns its own into chunks of whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace._types import Kind

__all__ = ["Chunk", "LiveSource", "Source"]


class Chunk(NamedTuple):
    """Bytes of whole messages, for one crossing into the core."""

    data: bytes
    span: tuple[int, int]
    """The part of the bytes that belongs to it."""
    kind: Kind = "lines"
    source: int = 0
    """Which of a query's sources it is from, by number."""
    answer: Callable[[str | None], None] | None = None
    """Tells the sender that the chunk was applied, or why it cannot be."""


class Source(Protocol):
    """What has its bytes at hand: files, a list, a pipe that is read to its end."""

    count: int
    """How many sources it is, each with a watermark of its own."""

    def chunks(self) -> Iterator[Chunk]:
        """
        Yield chunks in the order of their bytes; an empty one says that its source has ended.

        Raises:
            OSError: Something cannot be read.
        """
        ...


class LiveSource(Protocol):
    """What has to be waited for."""

    async def open(self) -> str:
        """
        Begin, and return in words where chunks come from.

        Raises:
            OSError: It cannot begin.
        """
        ...

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return what has come, an empty list after the timeout, nothing at the end."""
        ...

    def wake(self) -> None:
        """Let `receive` return now."""
        ...

    async def close(self) -> None:
        """Stop taking in, answer what is open, let go."""
        ...
