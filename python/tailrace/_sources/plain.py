"""
The text of an input: UTF-8, without a hole before its first line.

A writer that keeps its offset after a truncation leaves a hole of zeros at the beginning. Windows
writes UTF-16 with a byte-order mark.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, cast

from tailrace._errors import TailraceError

if TYPE_CHECKING:
    import codecs

__all__ = ["PlainText", "as_input", "hole_end", "newline_of"]

_READ_BYTES = 1024 * 1024

_ENCODINGS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def newline_of(head: bytes) -> bytes:
    """Return the bytes of a newline in a text that begins with these bytes."""
    return "\n".encode(_ENCODINGS.get(head[:2], "ascii"))


def as_input(head: bytes, text: bytes) -> bytes:
    """Return a text as the bytes of an input that begins with these bytes."""
    encoding = _ENCODINGS.get(head[:2])
    return text if encoding is None else text.decode().encode(encoding)


def hole_end(descriptor: int, start: int = 0) -> int:
    """
    Return the offset of the first byte of a file, from an offset on, that is not zero.

    The file's own offset changes.
    """
    try:
        # Not all systems can do this.
        start = os.lseek(descriptor, start, os.SEEK_DATA)
    except AttributeError:
        pass
    except OSError as error:
        if error.errno == errno.ENXIO:
            # There are no data, or the file is empty.
            return max(start, os.fstat(descriptor).st_size)
    size = _READ_BYTES
    while size == _READ_BYTES:
        data = os.pread(descriptor, size, start)
        size = len(data) - len(data.lstrip(b"\0"))
        start += size
    return start


class PlainText:
    """
    Converts a stream of bytes to its text.

    Args:
        head: The first bytes of the input, if it is continued after its beginning.
    """

    def __init__(self, head: bytes = b"") -> None:
        # The first bytes, while they do not show the encoding.
        self._first: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._mark = b""
        if head:
            self._begin(head)
        self.is_cut = False
        """Whether the input ended inside a character."""

    def input_size(self, text: bytes, start: int) -> int:
        """Return how many bytes of the input the end of the text fed last has."""
        if self._decoder is None:
            return len(text) - start
        held, _ = self._decoder.getstate()
        return len(as_input(self._mark, text[start:])) + len(held)

    def feed(self, data: bytes) -> bytes:
        """Return the text of the next bytes."""
        if self._first is not None:
            data = (self._first + data).lstrip(b"\0")
            if len(data) < 2 and data in b"\xff\xfe":  # noqa: PLR2004 - the length of a mark
                self._first = data
                return b""
            self._begin(data)
            if self._decoder is not None:
                # The mark is not part of the text.
                data = data[2:]
        return data if self._decoder is None else self._decoded(data)

    def finish(self) -> bytes:
        """Return what is left at the end of the input."""
        if self._first:
            return self._first
        return b"" if self._decoder is None else self._decoded(b"", final=True)

    def check(self, name: str) -> None:
        """
        Check that the input did not end inside a character.

        Raises:
            TailraceError: It did.
        """
        if self.is_cut:
            raise TailraceError(
                f"{name}: expected two bytes for each character of UTF-16, found the end of the "
                "input after one of them; it may be cut off"
            )

    def _begin(self, head: bytes) -> None:
        self._first = None
        self._mark = head[:2]
        if (encoding := _ENCODINGS.get(head[:2])) is not None:
            import codecs  # noqa: PLC0415 - loaded only for UTF-16

            self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def _decoded(self, data: bytes, *, final: bool = False) -> bytes:
        decoder = cast("codecs.IncrementalDecoder", self._decoder)
        self.is_cut = final and bool(decoder.getstate()[0])
        return decoder.decode(data, final).encode()
