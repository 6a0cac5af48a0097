"""Where bytes come from: each source turns its own into chunks of whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tailrace._types import Kind, Outcome

__all__ = [
    "Chunk",
    "FilePosition",
    "LiveSource",
    "Source",
    "as_live",
    "at_hand",
    "end_of",
]


class FilePosition(NamedTuple):
    """The end of a chunk in the content of a file; what follows it was not delivered before."""

    path: str
    """As the source was given it; the file may have been renamed since."""
    identity: bytes
    """
    The BLAKE2b digest, 16 bytes, of the first 4 KiB of the content.

    Before that, of what is before the offset: a file is the one that was read if its first
    `min(4096, offset)` bytes have this digest, whatever its name and inode.
    """
    offset: int
    """Of the byte after the last line, in the unpacked content."""


class Chunk(NamedTuple):
    """Bytes of whole messages, for one crossing into the core; without any, a source has ended."""

    data: bytes
    span: tuple[int, int]
    """The part of the bytes that belongs to it."""
    kind: Kind = "lines"
    source: int = 0
    """Which of several sources it is from, by number."""
    answer: Callable[[Outcome, str], None] | None = None
    """Tells the sender what became of the chunk and, unless it is counted, why."""
    is_wanted: Callable[[], bool] | None = None
    """Tells whether the sender still waits; one that went away sends the chunk again."""
    position: FilePosition | tuple[int, int] | None = None
    """Where it ends in a file, or which it is of those of an agent (`AgentPosition`)."""


def end_of(source: int) -> Chunk:
    """Return the chunk that says that a source has ended."""
    return Chunk(b"", (0, 0), source=source)


class Source(Protocol):
    """What has its bytes at hand: files, a list, a pipe that is read to its end."""

    count: int
    """How many sources it is, each with a watermark of its own."""

    def parts(self) -> Sequence[Generator[Chunk, None, None]]:
        """
        Return for each of its sources the chunks in the order of their bytes.

        Nothing is opened before the first of them is asked for. To read one raises `OSError` or
        `TailraceError` where it cannot be read.
        """
        ...

    def progress(self) -> tuple[int, int | None]:
        """Return how many bytes were read, and of how many where that is known."""
        ...


class LiveSource(Protocol):
    """What has to be waited for."""

    count: int
    """How many sources it is, each with a watermark of its own."""

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


def at_hand(source: Source | LiveSource) -> Source | None:
    """Return the source if it has its bytes at hand; a class tells by its methods which it is."""
    return cast("Source", source) if hasattr(source, "parts") else None


def as_live(source: Source | LiveSource) -> LiveSource | None:
    """Return the source if it has to be waited for."""
    return None if hasattr(source, "parts") else source
