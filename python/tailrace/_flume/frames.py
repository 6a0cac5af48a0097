"""
The frames of Avro RPC over Netty: bytes of a connection in, whole messages out, and back.

A frame is `serial, list size, then for each buffer its length and its bytes`; integers have 32 bits
and are big-endian. Buffer boundaries have no meaning: Flume splits a message every 8192 bytes.
Messages are not decoded here.
"""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tailrace._errors import ProtocolError
from tailrace._flume.strangers import FIRST_BYTES, name_client

__all__ = [
    "MAX_FRAME_BUFFERS",
    "MAX_FRAME_BYTES",
    "Frame",
    "FrameDecoder",
    "encode_buffers",
    "encode_frame",
]

# Java has no limit here. A batch of 100 events has about 20 kB, one of 10,000 long events less than
# 16 MiB, so this stops only broken or hostile peers. An incomplete frame occupies only the bytes
# received so far, at most this.
MAX_FRAME_BYTES = 64 * 1024 * 1024

# Eight times the number of Flume's 8192-byte buffers in a frame of MAX_FRAME_BYTES. Java's limit is
# a tenth of its heap. Low enough that the first bytes of other protocols, read as a list size,
# exceed it.
MAX_FRAME_BUFFERS = 65_536

# With a limit, the number of buffers that one call reads. A read of 1 MiB of Flume's has 128.
_BUFFERS_AT_ONCE = 1_024

_FRAME_HEAD = struct.Struct(">ii")
_LENGTH = struct.Struct(">i")
_ONE_BUFFER_HEAD = struct.Struct(">iii")


class Frame(NamedTuple):
    """One message and the serial that pairs a request with its reply."""

    serial: int
    message: bytes


def encode_frame(serial: int, message: bytes) -> bytes:
    """
    Wrap *message* in a frame of one buffer.

    An empty message becomes one empty buffer: an empty list would break Java's decoder.
    """
    return _ONE_BUFFER_HEAD.pack(serial, 1, len(message)) + message


def encode_buffers(serial: int, buffers: Sequence[bytes]) -> list[bytes]:
    """Return the pieces of a frame that holds the buffers of a message, without copying them."""
    pieces = [_FRAME_HEAD.pack(serial, len(buffers))]
    for buffer in buffers:
        pieces += (_LENGTH.pack(len(buffer)), buffer)
    return pieces


class FrameDecoder:
    """
    Splits the bytes that one peer sends into frames.

    It takes linear time, however small the pieces of a frame are, and its memory grows with the
    bytes received, never with a claimed length.

    A `ProtocolError` is final: the connection must be closed, and frames completed by that same
    `feed` are not returned. They are not acknowledged, so their sender will send them again.

    Args:
        name_peer: Identifies a peer with another protocol by its first bytes.
    """

    def __init__(self, name_peer: Callable[[bytes], ProtocolError | None] = name_client) -> None:
        self._name_peer = name_peer
        # The start of a frame head or of a buffer length, up to 7 bytes; or bytes to be read later.
        self._rest: bytes | memoryview = b""
        self.has_more = False
        """Whether whole parts of frames are kept to be read later."""
        self._serial = 0
        # The frame's number of buffers, how many have not begun, and the sum of known lengths.
        self._buffers = 0
        self._buffers_left = 0
        self._claimed = 0
        # The number of bytes missing from the current buffer.
        self._missing = 0
        # The message so far, from earlier calls of `feed`.
        self._begun = bytearray()
        # The first bytes of the connection, and whether a frame was complete since.
        self._first = b""
        self._proved = False

    @property
    def pending_bytes(self) -> int:
        """The number of bytes of an incomplete frame, and of those to be read later."""
        if not self._buffers:
            return len(self._rest)
        lengths = _LENGTH.size * (self._buffers - self._buffers_left)
        return _FRAME_HEAD.size + lengths + self._claimed - self._missing + len(self._rest)

    def keep(self, data: bytes | memoryview) -> None:
        """Keep the next bytes, to be read by the next `feed`."""
        if data:
            self._note_first(data)
            self._rest = b"".join((self._rest, data))
            self.has_more = True

    def feed(self, data: bytes | memoryview = b"", limit: int | None = None) -> list[Frame]:
        """
        Read the next bytes and return the frames that they complete, in order.

        The bytes are copied, so a buffer may be reused. At the limit, the rest is kept for the next
        call, and `has_more` is set.

        Raises:
            ProtocolError: The bytes are not a frame, or a frame over the limits.
        """
        is_own = not data
        if data and not self._proved:
            self._note_first(data)
        if self._rest:
            data = b"".join((self._rest, data)) if data else self._rest
            is_own = True
            self._rest = b""
        frames: list[Frame] = []
        view = memoryview(data)
        end = len(view)
        at = 0
        buffers = MAX_FRAME_BUFFERS if limit is None else _BUFFERS_AT_ONCE
        self.has_more = False
        while self._buffers or end - at >= _FRAME_HEAD.size:
            if buffers <= 0 or len(frames) == limit:
                self.has_more = True
                break
            if not self._buffers:
                self._begin_frame(view, at)
                at += _FRAME_HEAD.size
            pieces: list[memoryview] = []
            left = self._buffers_left
            at = self._fill(view, at, pieces, left - buffers if left > buffers else 0)
            if self._missing or self._buffers_left:
                for piece in pieces:
                    self._begun += piece
                self.has_more = end - at >= _LENGTH.size
                break
            if limit is not None:
                buffers -= left
            frames.append(self._end_frame(pieces))
        if at < end:
            # A slice of the own bytes needs no copy, but is not kept for the rest of a head.
            self._rest = view[at:] if is_own and self.has_more else bytes(view[at:])
        return frames

    def discard(self) -> None:
        """Forget the bytes of an incomplete frame, and those to be read later."""
        self._rest, self._begun, self.has_more = b"", bytearray(), False
        self._buffers = self._buffers_left = self._claimed = self._missing = 0

    def close(self) -> None:
        """
        Record that the peer has closed its side.

        Raises:
            ProtocolError: The connection ended inside a frame.
        """
        pending = self.pending_bytes
        if not pending:
            return
        # A frame lists at least one buffer.
        buffers = self._buffers or 1
        least = _FRAME_HEAD.size + _LENGTH.size * buffers + self._claimed
        fact = f"expected a whole frame, found only its first {pending} of at least {least} bytes"
        raise self._no_frame(fact, "a frame without its end")

    def stranger(self) -> ProtocolError | None:
        """
        Return which other protocol the connection begins with, if it does.

        For a peer whose first message cannot be decoded, or does not arrive.
        """
        return self._name_peer(self._first)

    def _note_first(self, data: bytes | memoryview) -> None:
        if len(self._first) < FIRST_BYTES:
            self._first += bytes(data[: FIRST_BYTES - len(self._first)])

    def _begin_frame(self, view: memoryview, at: int) -> None:
        # Any serial is valid. Java counts up from 1 across connections, and after 2**31 - 1
        # continues with negative numbers.
        self._serial, buffers = _FRAME_HEAD.unpack_from(view, at)
        if not 0 < buffers <= MAX_FRAME_BUFFERS:
            raise self._no_frame(
                f"frame: expected 1 to {MAX_FRAME_BUFFERS} buffers, found {buffers}",
                "a damaged frame",
            )
        self._buffers = self._buffers_left = buffers

    def _fill(self, view: memoryview, at: int, pieces: list[memoryview], stop_left: int) -> int:
        """
        Collect the frame's buffers from *at* to the end of *view*; return the end offset.

        It stops when *stop_left* buffers have not begun.
        """
        # Local variables, because a frame may have thousands of buffers: this loop is half of the
        # cost of a session.
        left, claimed, missing = self._buffers_left, self._claimed, self._missing
        end = len(view)
        while True:
            if missing:
                stop = min(at + missing, end)
                missing -= stop - at
                pieces.append(view[at:stop])
                at = stop
            if missing or left == stop_left or end - at < _LENGTH.size:
                break
            (missing,) = _LENGTH.unpack_from(view, at)
            if missing < 0:
                raise self._no_frame(
                    f"buffer: expected a length of at least 0, found {missing}", "a damaged frame"
                )
            at += _LENGTH.size
            left -= 1
            claimed += missing
            if claimed > MAX_FRAME_BYTES:
                raise self._no_frame(
                    f"frame: expected at most {MAX_FRAME_BYTES} bytes, found at least {claimed}",
                    "a frame over the limit",
                )
        self._buffers_left, self._claimed, self._missing = left, claimed, missing
        return at

    def _end_frame(self, pieces: list[memoryview]) -> Frame:
        # Copied once, unless it arrived in several reads.
        frame = Frame(self._serial, b"".join((self._begun, *pieces)))
        if self._begun:
            self._begun = bytearray()
        self._buffers = self._claimed = 0
        self._proved = True
        return frame

    def _no_frame(self, fact: str, kind: str) -> ProtocolError:
        if self._proved:
            return ProtocolError(fact, kind)
        begins = f"{fact}; the connection begins with {self._first!r}"
        return self.stranger() or ProtocolError(begins, f"{kind} at the start of a connection")
