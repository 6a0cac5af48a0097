"""
A second, minimal implementation of both sides of Flume's protocol, for tests.

It shares no code with the package, so the package is never checked against itself.
"""

import struct
from collections.abc import Callable

FLUME_HASH = bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65")
SHORT_HASH = bytes.fromhex("30da54059df72d9584b867d5202e2069")

# Answers to a handshake and to a call.
BOTH = b"\x00\x00\x00\x00"
OK = b"\x00\x00\x00"
FAILED = b"\x00\x00\x02"
UNKNOWN = b"\x00\x00\x04"


def long(n: int) -> bytes:
    """Encode any integer: zigzag, seven bits per byte, the lowest first."""
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def sized(data: bytes) -> bytes:
    return long(len(data)) + data


def string(text: str) -> bytes:
    return sized(text.encode())


def frame(serial: int, *buffers: bytes) -> bytes:
    head = struct.pack(">ii", serial, len(buffers))
    return head + b"".join(struct.pack(">i", len(buffer)) + buffer for buffer in buffers)


def read_frame(receive: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Return serial and message of the next frame; *receive* returns exactly so many bytes."""
    serial, buffers = struct.unpack(">ii", receive(8))
    return serial, b"".join(receive(struct.unpack(">i", receive(4))[0]) for _ in range(buffers))


def handshake(
    client: bytes = FLUME_HASH, server: bytes = FLUME_HASH, text: str | None = None
) -> bytes:
    protocol = b"\x00" if text is None else b"\x02" + string(text)
    return client + protocol + server + b"\x02\x00"


def call(name: str, parameter: bytes = b"", metadata: bytes = b"\x00") -> bytes:
    return metadata + string(name) + parameter


def refusal(text: str) -> bytes:
    """Encode a system error."""
    return b"\x00\x01\x00" + string(text)


def events(bodies: list[bytes], stamp: bytes | None = b"1500000000000") -> bytes:
    """Encode the parameter of appendBatch."""
    return long(len(bodies)) + b"".join(event(body, stamp) for body in bodies) + b"\x00"


def event(body: bytes, stamp: bytes | None = b"1500000000000") -> bytes:
    """Encode the parameter of append, with the header of a timestamp interceptor or without."""
    headers = b"\x02" + sized(b"timestamp") + sized(stamp) if stamp is not None else b""
    return headers + b"\x00" + sized(body)
