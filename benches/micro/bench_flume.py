"""Bytes of a connection to frames, to batches of events, to a delta."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tailrace import _core
from tailrace._flume.frames import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from logs import Log

# As Flume cuts messages, and as a socket may hand them over.
_BUFFER = 8_192
_READ = 65_536


def _long(number: int) -> bytes:
    """Return an Avro long: zigzag, seven bits a byte, the low ones first."""
    number <<= 1
    out = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - what a byte of a varint holds
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _batch(lines: list[bytes]) -> bytes:
    """Return the parameter of an `appendBatch`: events without headers."""
    events = b"".join(b"\x00" + _long(len(line)) + line for line in lines)
    return _long(len(lines)) + events + b"\x00"


def _messages(log: Log, size: int) -> list[bytes]:
    lines = log.data.splitlines()
    return [_batch(lines[at : at + size]) for at in range(0, len(lines), size)]


def _framed(messages: list[bytes]) -> bytes:
    out = bytearray()
    for serial, message in enumerate(messages, 1):
        buffers = [message[at : at + _BUFFER] for at in range(0, len(message), _BUFFER)]
        out += struct.pack(">ii", serial, len(buffers))
        for buffer in buffers:
            out += struct.pack(">i", len(buffer)) + buffer
    return bytes(out)


@pytest.mark.parametrize("size", [1, 100, 1_000])
def bench_frames(size: int, log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Decode frames of so many events, read 64 KiB at a time."""
    text = log("combined")
    messages = _messages(text, size)
    stream = _framed(messages)
    reads = [stream[at : at + _READ] for at in range(0, len(stream), _READ)]

    def decode() -> list[bytes]:
        decoder = FrameDecoder()
        return [frame.message for read in reads for frame in decoder.feed(read)]

    assert decode() == messages
    timed(decode, group="decode frames", lines=len(text))


@pytest.mark.parametrize("size", [100, 1_000])
def bench_tabulate(size: int, log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Walk the events of batches and parse their bodies."""
    text = log("combined")
    messages = _messages(text, size)

    def tabulate() -> list[_core.Table]:
        return [
            _core.parse_chunk(
                message, kind="batch", span=(0, len(message)), format="combined", fields=["url"]
            )[0]
            for message in messages
        ]

    urls = [row["url"] for table in tabulate() for row in table.to_dicts()]
    assert urls == [request.url for request in text.requests]
    timed(tabulate, group="walk events", lines=len(text))
