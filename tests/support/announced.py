"""Handshake answers of a receiver, and the events of a sender's batch as fastavro decodes them."""

import io
from typing import Any

import fastavro
from wire import string

from tailrace._flume.handshake import OWN_PROTOCOL

OTHER_HASH = bytes(range(16))


def handshake_answer(
    match: bytes, protocol: str = OWN_PROTOCOL, server_hash: bytes = OTHER_HASH
) -> bytes:
    """Return an answer to the handshake with the receiver's own protocol."""
    return match + b"\x02" + string(protocol) + b"\x02" + server_hash + b"\x00"


CLIENT = handshake_answer(b"\x02")
NONE = handshake_answer(b"\x04")


EVENTS = fastavro.parse_schema(
    {
        "type": "array",
        "items": {
            "type": "record",
            "name": "AvroFlumeEvent",
            "fields": [
                {"name": "headers", "type": {"type": "map", "values": "string"}},
                {"name": "body", "type": "bytes"},
            ],
        },
    }
)


def decoded(parameter: bytes) -> list[Any]:
    stream = io.BytesIO(parameter)
    events: Any = fastavro.schemaless_reader(stream, EVENTS, None)
    assert stream.read() == b""
    return events
