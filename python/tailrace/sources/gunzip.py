"""gzip as it stands in a file, read piece by piece, also while it is still being written."""

from __future__ import annotations

import os
import zlib

__all__ = ["GZIP_MAGIC", "Gunzip"]

GZIP_MAGIC = b"\x1f\x8b\x08"

_READ_BYTES = 256 * 1024

# zlib: the largest window, in gzip's wrapping.
_GZIP = 31


class Gunzip:
    """Unpacks an open file of one or several gzip members; holds 256 KiB of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._packed = b""
        self._member: zlib._Decompress | None = None
        self._members = 0

    def read(self, size: int) -> bytes:
        """
        Return at most *size* bytes, none at the end.

        Raises:
            EOFError: The file ends before its last member does; ask again when it has grown.
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
        self._packed = os.pread(self._descriptor, _READ_BYTES, self._position)
        self._position += len(self._packed)
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
