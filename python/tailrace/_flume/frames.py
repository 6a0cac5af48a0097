"""
The frames of Avro RPC over Netty: bytes of a connection in, whole messages out, and back.

A frame is `serial, list size, then for each buffer its length and its bytes`, all integers 32 bits
and big-endian. Buffer borders mean nothing: Flume cuts a message every 8192 bytes, wherever that
falls. What a message says is not looked at here. Compression and TLS lie below and are not undone;
they are recognised, because a setting in the agent is all that is wrong then.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from tailrace._errors import ProtocolError

__all__ = [
    "MAX_FRAME_BUFFERS",
    "MAX_FRAME_BYTES",
    "Frame",
    "FrameDecoder",
    "encode_buffers",
    "encode_frame",
]

# Java has no limit here. A batch of 100 events is some 20 kB and one of 10,000 long ones under
# 16 MiB, so this stops only a peer that is broken or hostile. An unfinished frame occupies no more
# than was received of it, at most this.
MAX_FRAME_BYTES = 64 * 1024 * 1024

# Eight times what a frame of MAX_FRAME_BYTES needs in Flume's pieces of 8192 bytes. Java's own
# limit is a tenth of its heap. Low enough that the first bytes of another protocol, read as a list
# size, are over it.
MAX_FRAME_BUFFERS = 65_536

_FRAME_HEAD = struct.Struct(">ii")
_LENGTH = struct.Struct(">i")
_ONE_BUFFER_HEAD = struct.Struct(">iii")

_HTTP_STARTS = (
    b"GET ",
    b"POST",
    b"HEAD",
    b"PUT ",
    b"OPTI",
    b"CONN",
    b"DELE",
    b"PATC",
    b"TRAC",
    b"PRI ",  # HTTP/2 without TLS, gRPC for one
)
# The method in the low half of a zlib stream's first byte. The first two bytes together are a
# multiple of 31 (RFC 1950).
_DEFLATE = 8
# A request has at least key, version and correlation id behind its length.
_MIN_KAFKA_REQUEST_BYTES = 8
_MAX_KAFKA_API_KEY = 100
_MAX_KAFKA_API_VERSION = 20


class Frame(NamedTuple):
    """One message and the serial that pairs a request with its reply."""

    serial: int
    message: bytes


def encode_frame(serial: int, message: bytes) -> bytes:
    """
    Wrap *message* in a frame of one buffer.

    An empty message is one empty buffer: an empty list would break Java's decoder for good.
    """
    return _ONE_BUFFER_HEAD.pack(serial, 1, len(message)) + message


def encode_buffers(serial: int, buffers: Sequence[bytes]) -> list[bytes]:
    """Wrap the buffers of a message in a frame, in pieces: a large one is not copied here."""
    pieces = [_FRAME_HEAD.pack(serial, len(buffers))]
    for buffer in buffers:
        pieces += (_LENGTH.pack(len(buffer)), buffer)
    return pieces


class FrameDecoder:
    """
    Cuts the bytes that one peer sends into frames.

    The time it takes is linear, however small the pieces are that a frame arrives in, and memory
    grows with what was received, never with what a length claims.

    A `ProtocolError` is final: the connection has to end, and frames complete in that same `feed`
    are not handed out. Nobody was told that they arrived, so their sender will send them again.
    """

    def __init__(self) -> None:
        # The start of a frame head or of a buffer length, up to 7 bytes.
        self._rest = b""
        self._serial = 0
        # Of the frame: the buffers it lists, how many have not begun, the sum of known lengths.
        self._buffers = 0
        self._buffers_left = 0
        self._claimed = 0
        # How much of the buffer that has begun is still to come.
        self._missing = 0
        # The message so far, out of what was fed before.
        self._begun = bytearray()
        # The first eight bytes of the connection, and whether they proved to be a frame's.
        self._first = b""
        self._proved = False

    @property
    def pending_bytes(self) -> int:
        """How many bytes of an unfinished frame were received; 0 at a frame border."""
        if not self._buffers:
            return len(self._rest)
        lengths = _LENGTH.size * (self._buffers - self._buffers_left)
        return _FRAME_HEAD.size + lengths + self._claimed - self._missing + len(self._rest)

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """
        Take the next bytes and return the frames that they complete, in order.

        The bytes are not looked at again: a buffer may be filled anew.

        Raises:
            ProtocolError: The bytes are no frames, or one over the limits.
        """
        if self._rest:
            data = b"".join((self._rest, data))
            self._rest = b""
        frames: list[Frame] = []
        view = memoryview(data)
        end = len(view)
        at = 0
        while self._buffers or end - at >= _FRAME_HEAD.size:
            if not self._buffers:
                self._begin_frame(view, at)
                at += _FRAME_HEAD.size
            pieces: list[memoryview] = []
            at = self._fill(view, at, pieces)
            if self._missing or self._buffers_left:
                for piece in pieces:
                    self._begun += piece
                break
            frames.append(self._end_frame(pieces))
        if at < end:
            self._rest = bytes(view[at:])
        return frames

    def close(self) -> None:
        """
        Note that the peer sends no more.

        Raises:
            ProtocolError: It stopped inside a frame.
        """
        pending = self.pending_bytes
        if not pending:
            return
        # A frame lists at least one buffer.
        buffers = self._buffers or 1
        least = _FRAME_HEAD.size + _LENGTH.size * buffers + self._claimed
        raise ProtocolError(
            f"connection closed inside a frame: {pending} of at least {least} bytes"
        )

    def _begin_frame(self, view: memoryview, at: int) -> None:
        # The serial is the client's own affair. Java counts up from 1, across connections and past
        # 2**31 into the negative.
        self._serial, buffers = _FRAME_HEAD.unpack_from(view, at)
        if not self._proved:
            self._first = bytes(view[at : at + _FRAME_HEAD.size])
        if not 0 < buffers <= MAX_FRAME_BUFFERS:
            raise self._no_frame(
                f"a frame that lists {buffers} buffers, between 1 and {MAX_FRAME_BUFFERS} are taken"
            )
        self._buffers = self._buffers_left = buffers

    def _fill(self, view: memoryview, at: int, pieces: list[memoryview]) -> int:
        """Collect the frame's buffers from *at* on, as far as *view* goes; return how far."""
        # Locals, for there may be thousands of buffers: this loop is half of what a session costs.
        left, claimed, missing = self._buffers_left, self._claimed, self._missing
        end = len(view)
        while True:
            if missing:
                stop = min(at + missing, end)
                missing -= stop - at
                pieces.append(view[at:stop])
                at = stop
            if missing or not left or end - at < _LENGTH.size:
                break
            (missing,) = _LENGTH.unpack_from(view, at)
            if missing < 0:
                raise self._no_frame(f"a buffer of negative length {missing}")
            at += _LENGTH.size
            left -= 1
            claimed += missing
            if claimed > MAX_FRAME_BYTES:
                raise self._no_frame(
                    f"a frame of at least {claimed} bytes, at most {MAX_FRAME_BYTES} are taken"
                )
        self._buffers_left, self._claimed, self._missing = left, claimed, missing
        return at

    def _end_frame(self, pieces: list[memoryview]) -> Frame:
        # Copied once, unless it came in several reads.
        frame = Frame(self._serial, b"".join((self._begun, *pieces)))
        if self._begun:
            self._begun = bytearray()
        self._buffers = self._claimed = 0
        self._proved = True
        return frame

    def _no_frame(self, fact: str) -> ProtocolError:
        peer = None if self._proved else _name_peer(self._first)
        return ProtocolError(peer or fact)


def _name_peer(first: bytes) -> str | None:
    """
    Say who it is that begins a connection with these eight bytes, which are no frame's.

    To be asked only after they failed as a frame. So a client whose serial happens to look like
    another protocol is never turned away, and a peer whose first eight bytes happen to pass as a
    frame's (a TLS record of exactly 256 bytes does) is still named when a length after them fails.
    """
    # `repr` leaves only printable ASCII of what the peer sent.
    shown = f"the connection begins with {first!r}"
    if first.startswith(_HTTP_STARTS):
        return f"{shown}: an HTTP client, not a Flume agent"
    if first.startswith(b"\x16\x03"):
        return f"{shown}: TLS, which is not taken here; set `ssl = false` in the agent's sink"
    if first[0] & 0x0F == _DEFLATE and int.from_bytes(first[:2], "big") % 31 == 0:
        return (
            f"{shown}: zlib compression, which is not taken here;"
            " set `compression-type = none` in the agent's sink"
        )
    size, api_key, api_version = struct.unpack(">ihh", first)
    # Key 0 is not asked for, although Kafka has it (Produce): such a list size is one that a broken
    # Flume client could send as well, and no Kafka client begins with it.
    if (
        size >= _MIN_KAFKA_REQUEST_BYTES
        and 0 < api_key <= _MAX_KAFKA_API_KEY
        and 0 <= api_version <= _MAX_KAFKA_API_VERSION
    ):
        return (
            f"{shown}: a Kafka client (api key {api_key}, version {api_version}),"
            " not a Flume agent; port 9092 is usually a Kafka broker's"
        )
    return None
