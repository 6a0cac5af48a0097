"""
Decompress text piece by piece, from a file that may still be written or from a stream.

gzip, bzip2, xz and zstd are detected by their first bytes, whatever a file's name is. Each may
consist of several concatenated members (streams, frames). However much a piece decompresses to,
only the requested size is held, plus the window that the compression itself needs.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
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

# How much input of a member is kept, to decompress it again up to a damage, and in which slices.
_REPLAYED_BYTES = 4 * 1024 * 1024
_SLICE_BYTES = 4 * 1024

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
    """A gzip member with the interface of the other decompressors; returns all before a damage."""

    def __init__(self) -> None:
        import zlib  # noqa: PLC0415 - only for compressed input

        self._error = zlib.error
        self._member = zlib.decompressobj(_GZIP)
        self._damage: Exception | None = None
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._damage is not None:
            raise self._damage
        data = self._member.unconsumed_tail + data
        before = self._member.copy()
        try:
            text = self._member.decompress(data, max_length)
        except self._error as error:
            # The error comes without what was decompressed in this call.
            self._damage = error
            self.needs_input = False
            if text := _bytewise(before.decompress, data, self._error):
                return text
            raise
        # If it returned the full length, more may be buffered in it.
        self.needs_input = len(text) < max_length and not self._member.unconsumed_tail
        return text


class _Replayed:
    """
    A member of another compression, which returns all before a damage unless it is very long.

    These decompressors cannot be copied, so their input is kept, and decompressed again up to the
    damage.
    """

    def __init__(self, start: Callable[[], _Member], error: type[Exception]) -> None:
        self._start = start
        self._error = error
        self._member = start()
        self._damage: Exception | None = None
        # The length of the output so far, and the input; None if it is too long.
        self._done = 0
        self._input: bytearray | None = bytearray()

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return self._member.needs_input and self._damage is None

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._damage is not None:
            raise self._damage
        if self._input is not None:
            self._input = self._input + data if len(self._input) < _REPLAYED_BYTES else None
        try:
            text = self._member.decompress(data, max_length)
        except self._error as error:
            self._damage = error
            if text := self._replayed():
                return text
            raise
        self._done += len(text)
        return text

    def _replayed(self) -> bytes:
        """Return the output of the call that failed."""
        if self._input is None:
            return b""
        whole = bytes(self._input)
        damaged = 0
        member = self._start()
        with suppress(self._error):
            for at in range(0, len(whole), _SLICE_BYTES):
                damaged = at
                for _ in _drained(member, whole[at : at + _SLICE_BYTES]):
                    pass
        member = self._start()
        text = bytearray()
        passed = 0
        for part in _drained(member, whole[:damaged]):
            text += part[max(self._done - passed, 0) :]
            passed += len(part)
        rest = _bytewise(
            lambda byte: b"".join(_drained(member, byte)),
            whole[damaged : damaged + _SLICE_BYTES],
            self._error,
        )
        return bytes(text) + rest[max(self._done - passed, 0) :]


def _drained(member: _Member, data: bytes) -> Iterator[bytes]:
    """Yield all that a piece of data decompresses to."""
    while True:
        yield member.decompress(data, _READ_BYTES)
        data = b""
        if member.eof or member.needs_input:
            return


def _bytewise(decompress: Callable[[bytes], bytes], data: bytes, error: type[Exception]) -> bytes:
    """Return what can be decompressed before an error."""
    text = bytearray()
    with suppress(error):
        for place in range(len(data)):
            text += decompress(data[place : place + 1])
    return bytes(text)


def _gzip() -> tuple[Callable[[], _Member], type[Exception]]:
    import zlib  # noqa: PLC0415 - only for compressed input

    return _GzipMember, zlib.error


def _bzip2() -> tuple[Callable[[], _Member], type[Exception]]:
    import bz2  # noqa: PLC0415 - as above

    return partial(_Replayed, bz2.BZ2Decompressor, OSError), OSError


def _xz() -> tuple[Callable[[], _Member], type[Exception]]:
    import lzma  # noqa: PLC0415 - as above

    start = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=_XZ_BYTES)
    return partial(_Replayed, start, lzma.LZMAError), lzma.LZMAError


def _zstd() -> tuple[Callable[[], _Member], type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as above
    else:
        from backports import zstd  # noqa: PLC0415 - as above

    return partial(_Replayed, zstd.ZstdDecompressor, zstd.ZstdError), zstd.ZstdError


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
        # The number of complete members, and whether the current one has returned any text.
        self._members = 0
        self._has_text = False

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
            other = self._members and not self._has_text
            raise DamagedError("other data follow" if other else str(error)) from error
        self._has_text = self._has_text or bool(data)
        if member.eof:
            self._input = member.unused_data
            self._member = None
            self._members += 1
            self._has_text = False
        return data


class Unpacker:
    """A decompressor that is fed a stream; its errors name the input."""

    def __init__(self, found: Packing, name: str, piece_bytes: int) -> None:
        self._name = name
        self._piece_bytes = piece_bytes
        self._fed = b""
        self._done = 0
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
                self._done += len(text)
                yield text
        except EOFError:
            # More data will follow.
            return
        except DamagedError as error:
            raise TailraceError(
                f"{self._name}: damaged compressed data after {self._done:,} bytes of text "
                f"({error}); check it with {self._test}"
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
                f"{self._name}: truncated compressed data after {self._done:,} bytes of text; "
                f"check it with {self._test}"
            ) from None
