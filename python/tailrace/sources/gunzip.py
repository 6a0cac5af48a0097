"""gzip unpacked piece by piece: from a file that may still be written, or as it comes."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["GZIP_MAGIC", "Gunzip", "Unpacker"]

GZIP_MAGIC = b"\x1f\x8b\x08"

_READ_BYTES = 256 * 1024

# zlib: the largest window, in gzip's wrapping.
_GZIP = 31


class Gunzip:
    """
    Unpacks one or several gzip members; holds one piece of them.

    Args:
        refill: Returns the next piece, nothing where there is none at the moment.
    """

    def __init__(self, refill: Callable[[], bytes]) -> None:
        self._refill_with = refill
        self._packed = b""
        self._member: zlib._Decompress | None = None
        self._members = 0

    @classmethod
    def of_file(cls, descriptor: int) -> Gunzip:
        """Unpack an open file from its beginning, wherever it stands."""
        position = 0

        def refill() -> bytes:
            nonlocal position
            data = os.pread(descriptor, _READ_BYTES, position)
            position += len(data)
            return data

        return cls(refill)

    def read(self, size: int) -> bytes:
        """
        Return at most *size* bytes, none at the end.

        Raises:
            EOFError: It ends before its last member does; ask again when there is more.
            zlib.error: It is damaged.
        """
        while True:
            ended = not self._packed and not self._refill()
            if self._member is None:
                if self._members:
                    # What stands between members, or after the last one, may be padded.
                    self._packed = self._packed.lstrip(b"\0")
                if self._packed:
                    self._member = zlib.decompressobj(_GZIP)
                elif not ended:
                    continue
                elif self._members:
                    return b""
                else:
                    raise EOFError
            # Also at the end of the file: some may be left within.
            elif data := self._unpack(size):
                return data
            elif ended and self._member is not None:
                raise EOFError

    def _refill(self) -> bool:
        self._packed = self._refill_with()
        return bool(self._packed)

    def _unpack(self, size: int) -> bytes:
        assert self._member is not None  # noqa: S101 - as the caller has seen
        data = self._member.decompress(self._packed, size)
        if self._member.eof:
            self._packed = self._member.unused_data
            self._member = None
            self._members += 1
        else:
            self._packed = self._member.unconsumed_tail
        return data


class Unpacker:
    """Unpacks what it is fed, in pieces of a size; its errors name where that is from."""

    def __init__(self, name: str, piece_bytes: int) -> None:
        self._name = name
        self._piece_bytes = piece_bytes
        self._fed = b""
        self._gunzip = Gunzip(self._take)

    def _take(self) -> bytes:
        data, self._fed = self._fed, b""
        return data

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Yield what the data holds, in pieces.

        Raises:
            TailraceError: It is no gzip.
        """
        self._fed = data
        try:
            while text := self._gunzip.read(self._piece_bytes):
                yield text
        except EOFError:
            # There is more to come.
            return
        except zlib.error as error:
            raise TailraceError(f"{self._name}: is damaged ({error}); see gzip -t") from error

    def finish(self) -> None:
        """
        See that the last member is whole.

        Raises:
            TailraceError: It is not.
        """
        try:
            self._gunzip.read(1)
        except EOFError:
            raise TailraceError(
                f"{self._name}: ends too early, it was cut off; see gzip -t"
            ) from None
