"""
Compressed text unpacked piece by piece: from a file that may still be written, or as it comes.

gzip, bzip2, xz and zstd are told by how they begin, whatever a file is called. Each may consist of
several members (streams, frames) behind one another. However much a piece unpacks to, no more of
it is held than was asked for, beside the window that the compression itself needs.
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
        """What unpacks one member, as `bz2`, `lzma` and `compression.zstd` have it."""

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

# zlib: the largest window, in gzip's wrapping.
_GZIP = 31

# What `xz -9` needs is 65 MiB. A header may ask for gigabytes.
_XZ_BYTES = 256 * 1024 * 1024


class DamagedError(Exception):
    """What is no whole compressed text, in the words of who unpacks it."""


class Packing(NamedTuple):
    """A way of compressing."""

    name: str
    """Also that of the program that tests it."""
    magics: tuple[bytes, ...]
    """How it begins, each of its forms."""
    member: Callable[[], tuple[Callable[[], _Member], type[Exception]]]
    """Loads what unpacks it, and what that raises where it is damaged."""


class _GzipMember:
    """A member of gzip, in the manner of the others."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - only for what is compressed

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
        # Where it gave all that was asked for, some may be left within.
        self.needs_input = len(text) < max_length and not self._member.unconsumed_tail
        return text


def _gzip() -> tuple[Callable[[], _Member], type[Exception]]:
    import zlib  # noqa: PLC0415 - only for what is compressed

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


# A log line may begin with BZh and a digit. What follows in a file of bzip2 is pi, of which the
# first digits begin a block, or the root of pi, which ends an empty one.
_BZIP2 = tuple(
    b"BZh%d%b" % (level, block)
    for level in range(1, 10)
    for block in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")
)

# A frame, or one that is skipped, with which what several threads packed begins.
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + low, 0x2A, 0x4D, 0x18]) for low in range(16)))

GZIP = Packing("gzip", (b"\x1f\x8b\x08",), _gzip)

_PACKINGS = (
    GZIP,
    Packing("bzip2", _BZIP2, _bzip2),
    Packing("xz", (b"\xfd7zXZ\x00",), _xz),
    Packing("zstd", _ZSTD, _zstd),
)

LONGEST_MAGIC = max(len(magic) for each in _PACKINGS for magic in each.magics)
"""So many bytes tell for certain."""


def packing(head: bytes) -> Packing | None:
    """Tell how a text is compressed that begins so."""
    return next((each for each in _PACKINGS if head.startswith(each.magics)), None)


def may_be(head: bytes) -> bool:
    """Tell whether a text that begins so, but is not all there yet, could be compressed."""
    return any(magic.startswith(head) for each in _PACKINGS for magic in each.magics)


def check(head: bytes, name: str) -> None:
    """
    See that what begins so can be unpacked, or is not compressed.

    Raises:
        TailraceError: A package for it is missing.
    """
    found = packing(head)
    if found is not None:
        _load(found, name)


def _load(found: Packing, name: str) -> tuple[Callable[[], _Member], type[Exception]]:
    try:
        return found.member()
    except ImportError:
        mend = "pip install 'tailrace[zst]'" if found.name == "zstd" else "a Python that has it"
        raise TailraceError(
            f"{name}: is compressed by {found.name}, for which a package is missing: {mend}"
        ) from None


class Unpacked:
    """
    The text in one or several members; holds one piece of them.

    Args:
        refill: Returns the next piece, nothing where there is none at the moment.
        found: How it is compressed.
        name: What it is, for messages.

    Raises:
        TailraceError: A package for it is missing.
    """

    def __init__(self, refill: Callable[[], bytes], found: Packing, name: str = "") -> None:
        self._refill = refill
        self._open, self._error = _load(found, name)
        self._packed = b""
        self._member: _Member | None = None
        self._members = 0

    @classmethod
    def of_file(cls, descriptor: int, found: Packing) -> Unpacked:
        """Unpack an open file from its beginning, wherever it stands."""
        position = 0

        def refill() -> bytes:
            nonlocal position
            data = os.pread(descriptor, _READ_BYTES, position)
            position += len(data)
            return data

        return cls(refill, found)

    def read(self, size: int) -> bytes:
        """
        Return at most *size* bytes, none at the end.

        Raises:
            EOFError: It ends before its last member does; ask again when there is more.
            DamagedError: It is damaged.
        """
        while True:
            if self._member is None:
                if self._members:
                    # What stands between members, or after the last one, may be padded.
                    self._packed = self._packed.lstrip(b"\0")
                if not self._packed:
                    self._packed = self._refill()
                    if self._packed:
                        continue
                    if self._members:
                        return b""
                    raise EOFError
                self._member = self._open()
            elif self._member.needs_input and not self._packed:
                self._packed = self._refill()
                if not self._packed:
                    raise EOFError
            if data := self._unpack(self._member, size):
                return data

    def _unpack(self, member: _Member, size: int) -> bytes:
        packed, self._packed = self._packed, b""
        try:
            data = member.decompress(packed, size)
        except self._error as error:
            raise DamagedError(str(error)) from error
        if member.eof:
            self._packed = member.unused_data
            self._member = None
            self._members += 1
        return data


class Unpacker:
    """Unpacks what it is fed, in pieces of a size; its errors name where that is from."""

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
        Yield what the data holds, in pieces.

        Raises:
            TailraceError: It is damaged.
        """
        self._fed = data
        try:
            while text := self._unpacked.read(self._piece_bytes):
                yield text
        except EOFError:
            # There is more to come.
            return
        except DamagedError as error:
            raise TailraceError(f"{self._name}: is damaged ({error}); see {self._test}") from error

    def finish(self) -> None:
        """
        See that the last member is whole.

        Raises:
            TailraceError: It is not.
        """
        try:
            self._unpacked.read(1)
        except EOFError:
            raise TailraceError(
                f"{self._name}: ends too early, it was cut off; see {self._test}"
            ) from None
