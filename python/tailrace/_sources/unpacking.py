"""
Decompress text piece by piece, from a file that may still be written or from a stream.

gzip, bzip2, xz and zstd are detected by their first bytes, whatever a file's name is. Each may
consist of several concatenated members (streams, frames). However much a piece decompresses to,
only the requested size is held, plus the window that the compression itself needs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from tailrace._errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class _Member(Protocol):
        """The decompressor of one member, as in `bz2`, `lzma` and `compression.zstd`."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...

        def decompress(self, data: bytes, max_length: int) -> bytes: ...


__all__ = [
    "GZIP",
    "LONGEST_MAGIC",
    "DamagedError",
    "Packing",
    "Unpacked",
    "Unpacker",
    "check",
    "may_be",
    "packing",
]

_READ_BYTES = 256 * 1024

# zlib's `wbits`: the largest window, with a gzip header.
_GZIP = 31

# `xz -9` needs 65 MiB. A header may request gigabytes.
_XZ_BYTES = 256 * 1024 * 1024


class DamagedError(Exception):
    """Invalid compressed data; the message is the decompressor's."""


class Packing(NamedTuple):
    """A compression format."""

    name: str
    """Its name, which is also that of the program that tests such files."""
    magics: tuple[bytes, ...]
    """The first bytes of its files, in each variant."""
    member: Callable[[], tuple[Callable[[], _Member], type[Exception]]]
    """Loads the decompressor, and the error that it raises for damaged data."""


class _GzipMember:
    """A gzip member with the interface of the other decompressors."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - only for compressed input

        self._member = zlib.decompressobj(_GZIP)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        text = self._member.decompress(self._member.unconsumed_tail + data, max_length)
        # If it returned the full length, more may be buffered in it.
        self.needs_input = len(text) < max_length and not self._member.unconsumed_tail
        return text


def _gzip() -> tuple[Callable[[], _Member], type[Exception]]:
    import zlib  # noqa: PLC0415 - only for compressed input

    return _GzipMember, zlib.error


def _bzip2() -> tuple[Callable[[], _Member], type[Exception]]:
    import bz2  # noqa: PLC0415 - as above

    return bz2.BZ2Decompressor, OSError


def _xz() -> tuple[Callable[[], _Member], type[Exception]]:
    import lzma  # noqa: PLC0415 - as above

    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_BYTES), lzma.LZMAError


def _zstd() -> tuple[Callable[[], _Member], type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as above
    else:
        from backports import zstd  # noqa: PLC0415 - as above

    return zstd.ZstdDecompressor, zstd.ZstdError


# A log line may begin with BZh and a digit, so six more bytes are compared. In a bzip2 file these
# are the first digits of pi, which begin a block, or of its square root, which end an empty file.
_BZIP2 = tuple(
    b"BZh%d%b" % (level, block)
    for level in range(1, 10)
    for block in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")
)

# A frame, or a skippable frame, which is the first one when several threads compressed the file.
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + low, 0x2A, 0x4D, 0x18]) for low in range(16)))

GZIP = Packing("gzip", (b"\x1f\x8b\x08",), _gzip)

_PACKINGS = (
    GZIP,
    Packing("bzip2", _BZIP2, _bzip2),
    Packing("xz", (b"\xfd7zXZ\x00",), _xz),
    Packing("zstd", _ZSTD, _zstd),
)

LONGEST_MAGIC = max(len(magic) for each in _PACKINGS for magic in each.magics)
"""The number of first bytes that are always enough to detect the compression."""


def packing(head: bytes) -> Packing | None:
    """Return the compression that the first bytes of a text show, or `None`."""
    return next((each for each in _PACKINGS if head.startswith(each.magics)), None)


def may_be(head: bytes) -> bool:
    """Return whether a text, of which these bytes have arrived, may turn out to be compressed."""
    return any(magic.startswith(head) for each in _PACKINGS for magic in each.magics)


def check(head: bytes, name: str) -> None:
    """
    Check that a text with these first bytes can be decompressed, or is not compressed.

    Raises:
        TailraceError: The package to decompress it is not installed.
    """
    found = packing(head)
    if found is not None:
        _load(found, name)


def _load(found: Packing, name: str) -> tuple[Callable[[], _Member], type[Exception]]:
    try:
        return found.member()
    except ImportError:
        hint = (
            "pip install 'tailrace[zst]'"
            if found.name == "zstd"
            else "use a Python that was built with it"
        )
        raise TailraceError(
            f"{name}: cannot decompress {found.name}: the module is not installed; {hint}"
        ) from None


class Unpacked:
    """
    The decompressed text of one or several members; buffers one piece of compressed data.

    Args:
        refill: Returns the next piece of compressed data, empty if none is available now.
        found: The compression.
        name: The name of the input, for messages.

    Raises:
        TailraceError: The package to decompress it is not installed.
    """

    def __init__(self, refill: Callable[[], bytes], found: Packing, name: str = "") -> None:
        self._refill = refill
        self._open, self._error = _load(found, name)
        self._input = b""
        self._member: _Member | None = None
        self._members = 0

    @classmethod
    def of_file(cls, descriptor: int, found: Packing) -> Unpacked:
        """Decompress an open file from its beginning, whatever its file offset is."""
        position = 0

        def refill() -> bytes:
            nonlocal position
            data = os.pread(descriptor, _READ_BYTES, position)
            position += len(data)
            return data

        return cls(refill, found)

    def read(self, size: int) -> bytes:
        """
        Return at most *size* bytes, empty at the end.

        Raises:
            EOFError: The input ends inside a member; call again when there is more.
            DamagedError: The input is damaged.
        """
        while True:
            if self._member is None:
                if self._members:
                    # Members may be padded with zeros.
                    self._input = self._input.lstrip(b"\0")
                if not self._input:
                    self._input = self._refill()
                    if self._input:
                        continue
                    if self._members:
                        return b""
                    raise EOFError
                self._member = self._open()
            elif self._member.needs_input and not self._input:
                self._input = self._refill()
                if not self._input:
                    raise EOFError
            if data := self._unpack(self._member, size):
                return data

    def _unpack(self, member: _Member, size: int) -> bytes:
        compressed, self._input = self._input, b""
        try:
            data = member.decompress(compressed, size)
        except self._error as error:
            raise DamagedError(str(error)) from error
        if member.eof:
            self._input = member.unused_data
            self._member = None
            self._members += 1
        return data


class Unpacker:
    """A decompressor that is fed a stream; its errors name the input."""

    def __init__(self, found: Packing, name: str, piece_bytes: int) -> None:
        self._name = name
        self._piece_bytes = piece_bytes
        self._fed = b""
        self._test = f"{found.name} -t"
        self._unpacked = Unpacked(self._take, found, name)

    def _take(self) -> bytes:
        data, self._fed = self._fed, b""
        return data

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Yield the decompressed data, in pieces.

        Raises:
            TailraceError: The data is damaged.
        """
        self._fed = data
        try:
            while text := self._unpacked.read(self._piece_bytes):
                yield text
        except EOFError:
            # More data will follow.
            return
        except DamagedError as error:
            raise TailraceError(
                f"{self._name}: damaged compressed data ({error}); check it with {self._test}"
            ) from error

    def finish(self) -> None:
        """
        Check that the last member is complete.

        Raises:
            TailraceError: It is not.
        """
        try:
            self._unpacked.read(1)
        except EOFError:
            raise TailraceError(
                f"{self._name}: truncated compressed data; check it with {self._test}"
            ) from None
