"""Sources: each turns its bytes into chunks of whole messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from tailrace._sources.plain import as_input

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tailrace._types import Kind, Outcome

__all__ = [
    "Chunk",
    "FilePosition",
    "LiveSource",
    "Source",
    "as_live",
    "end_of",
    "finite",
    "part_of",
]


class FilePosition(NamedTuple):
    """Where a chunk ends in a file's content; no byte after it has been delivered yet."""

    path: str
    """The path as it was given; the file may have been renamed since."""
    offset: int
    """The offset of the byte after the last line, in the decompressed content."""
    before: bytes
    """Bytes before the offset, at most 256."""
    head: bytes
    """The content's first bytes, at most 4096; some may be after the offset."""
    samples: bytes
    """Samples of the content, of which some may be after the offset."""
    number: int
    """The number of the content among those of its name, in the order of reading."""
    ident: tuple[int, int]
    """The device and the inode of the file."""
    modified_ns: int
    """Siblings that were modified earlier have no unread line."""
    serial: int
    """The number of the chunk among those of its name."""
    is_cut: bool
    """Whether the last line was delivered without its newline."""

    def earlier(self, text: bytes, left: bytes) -> FilePosition:
        """Return the position between two texts of which the second one ends at this position."""
        size = len(as_input(self.head, left))
        before = self.before[:-size]
        if not before and "\ufffd".encode() not in text:
            before = as_input(self.head, text[-len(self.before) :])
        return self._replace(
            offset=self.offset - size, before=before, serial=self.serial - 1, is_cut=False
        )


class Chunk(NamedTuple):
    """Bytes of whole messages for one call into the core; if empty, its source or sender ends."""

    data: bytes
    span: tuple[int, int]
    """The start and end of its part of `data`."""
    kind: Kind = "lines"
    source: int = 0
    """The number of its source, from 0."""
    answer: Callable[[Outcome, str], None] | None = None
    """Sends the outcome to the sender, with the reason unless the chunk was counted."""
    is_wanted: Callable[[], bool] | None = None
    """
    Returns whether the sender still waits; a sender that disconnected sends it again.

    It is one object for each connection, and that of no other.
    """
    position: FilePosition | tuple[int, int] | None = None
    """Where it ends in a file, or an agent's connection and batch number (`AgentPosition`)."""
    sender: bytes | None = None
    """The address of the peer that sent it; None if the source is its only sender."""


def part_of(chunk: Chunk, span: tuple[int, int]) -> Chunk:
    """
    Return a part of a chunk, whole lines of it.

    Each part may be committed by itself, so each has a position of its own. A batch has none but
    that of its last part.
    """
    position = chunk.position
    start, end = span
    if end != chunk.span[1]:
        text, left = chunk.data[start:end], chunk.data[end : chunk.span[1]]
        position = position.earlier(text, left) if isinstance(position, FilePosition) else None
    return chunk._replace(span=span, position=position)


def end_of(source: int, sender: bytes | None = None) -> Chunk:
    """Return the chunk that marks the end of a source, or of one of its senders."""
    return Chunk(b"", (0, 0), source=source, sender=sender)


class Source(Protocol):
    """A source that is read without waiting: files, a list, a pipe read to its end."""

    count: int
    """The number of sources in it, each with its own watermark."""

    def parts(self) -> Sequence[Generator[Chunk, None, None]]:
        """
        Return one generator of chunks per source, in byte order.

        A file is opened when its first chunk is requested. The generator raises `OSError` or
        `TailraceError` if the file cannot be read.
        """
        ...

    def progress(self) -> tuple[int, int | None]:
        """Return the number of bytes read and the total, if known."""
        ...


class LiveSource(Protocol):
    """A source that is waited for: a socket, a followed file, a pipe."""

    count: int
    """The number of sources in it, each with its own watermark."""

    async def open(self) -> str:
        """
        Start receiving, and return a description of the source for the start-up line.

        Raises:
            OSError: The source cannot be opened.
        """
        ...

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the chunks that have arrived: `[]` after the timeout, `None` at the end."""
        ...

    def wake(self) -> None:
        """Make `receive` return now."""
        ...

    def flush(self) -> None:
        """Send the outcomes of chunks that were not sent yet."""
        ...

    def reload(self) -> str | None:
        """
        Read the files again that it needs besides its bytes; return what was read, if anything.

        Raises:
            TailraceError: One cannot be used; what was read before stays.
        """
        ...

    async def close(self) -> None:
        """Stop receiving, answer open batches, and release all resources."""
        ...


def finite(source: Source | LiveSource) -> Source | None:
    """Return the source if it is read without waiting; its methods show which kind it is."""
    return cast("Source", source) if hasattr(source, "parts") else None


def as_live(source: Source | LiveSource) -> LiveSource | None:
    """Return the source if it is waited for."""
    return None if hasattr(source, "parts") else source
