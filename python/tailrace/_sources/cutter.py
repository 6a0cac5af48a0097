"""Cuts a stream into chunks of whole lines, each with its position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace._core import MAX_LINE_BYTES
from tailrace._sources import Chunk, FilePosition
from tailrace._sources.content import BEFORE_BYTES, Fingerprint
from tailrace._sources.plain import PlainText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._sources.positions import KnownLog
    from tailrace._sources.siblings import Ident

__all__ = ["Cutter"]


class Cutter:
    """
    Cut a stream into chunks at its newlines.

    A cutter buffers at most one incomplete line, and of a line over the limit only enough to show
    that it is too long.

    Args:
        source: The number of the source.
        log: The name whose positions the chunks have; None for none.
    """

    def __init__(self, source: int = 0, log: KnownLog | None = None) -> None:
        self.content = Fingerprint()
        self.ident: Ident = (0, 0)
        """The file that has the content."""
        self.is_cut = False
        """Whether the beginning of a line before the content's offset was delivered as a line."""
        self._source = source
        self._log = log
        self._rest = bytearray()
        self._text: PlainText | None = None
        # The bytes before those that are fed.
        self._before = b""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield the chunks that the data completes."""
        if self._text is None:
            self._text = PlainText(self.content.head)
        self._before = self.content.before
        self.content.add(data)
        text = self._text.feed(data)
        yield from self._chunks(self._after_cut(text) if self.is_cut else text, data)

    def _after_cut(self, text: bytes) -> bytes:
        """Drop the rest of a line whose beginning was delivered."""
        if text and self._log is not None and not text.startswith(b"\n"):
            self._log.warn_cut()
        _, newline, text = text.partition(b"\n")
        self.is_cut = not newline
        return text

    def _chunks(self, text: bytes, data: bytes) -> Iterator[Chunk]:
        end = text.rfind(b"\n") + 1
        start = 0
        if end and self._rest:
            start = text.find(b"\n") + 1
            self._hold(text[:start])
            yield self._held(text, start, data)
        if start < end:
            # A span of the data as it was read, so that nothing is copied.
            yield self._chunk(text, (start, end), text, end, data)
        if end < len(text):
            self._hold(text[end:])

    def finish(self) -> Iterator[Chunk]:
        """Yield the last line if it has no newline."""
        self._before = self.content.before
        if self._text is not None:
            yield from self._chunks(self._text.finish(), b"")
        if self._rest:
            yield self._held(b"", 0, b"", is_cut=True)

    def check(self, name: str) -> None:
        """
        Check after `finish` that the input did not end inside a character.

        Raises:
            TailraceError: It did.
        """
        if self._text is not None:
            self._text.check(name)

    def _hold(self, part: bytes) -> None:
        room = MAX_LINE_BYTES + 1 - len(self._rest)
        # The newline may be cut off; the line is too long either way.
        self._rest += part[: max(room, 0)]

    def _held(self, text: bytes, at: int, data: bytes, *, is_cut: bool = False) -> Chunk:
        line = bytes(self._rest)
        self._rest.clear()
        return self._chunk(line, (0, len(line)), text, at, data, is_cut=is_cut)

    def _chunk(
        self,
        lines: bytes,
        span: tuple[int, int],
        text: bytes,
        at: int,
        data: bytes,
        *,
        is_cut: bool = False,
    ) -> Chunk:
        """Return a chunk of lines that end at an offset in the text of the data fed last."""
        position = None
        if self._log is not None and self._text is not None:
            left = self._text.input_size(text, at)
            position = self._position(self._log, left, data, is_cut=is_cut)
        return Chunk(lines, span, source=self._source, position=position)

    def _position(self, log: KnownLog, left: int, data: bytes, *, is_cut: bool) -> FilePosition:
        """Return the position before the bytes that are left of the data fed last."""
        content = self.content
        end = len(data) - left
        if end >= BEFORE_BYTES:
            before = data[end - BEFORE_BYTES : end]
        else:
            before = (self._before[: len(self._before) + end] + data[: max(end, 0)])[-BEFORE_BYTES:]
        return FilePosition(
            log.path,
            content.offset - left,
            before,
            content.head,
            bytes(content.samples),
            log.number_of(content),
            self.ident,
            log.cutoff_ns,
            log.next_serial(),
            is_cut,
        )
