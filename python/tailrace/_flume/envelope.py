"""
The envelope of the events in a message: handshake, metadata, message name, and the replies.

Both directions: what a client writes and a server reads, and the replies. This is the only module
that uses fastavro, and it converts fastavro's errors to `ProtocolError`. The parameter of a call is
not decoded; callers get its offset.
"""

import io
from dataclasses import dataclass
from typing import Any, Final

import fastavro
from fastavro.types import AvroMessage, Schema

from tailrace._errors import ProtocolError

__all__ = [
    "HandshakeAnswer",
    "HandshakeRequest",
    "Reply",
    "encode_call",
    "encode_handshake",
    "encode_handshake_request",
    "encode_system_error",
    "encode_value",
    "read_call",
    "read_handshake",
    "read_handshake_answer",
    "read_reply",
]

# The highest offset of a parameter in its message. Java needs 48 bytes, and about 1.4 kB with its
# protocol text; the rest is room for metadata that other clients attach. This bounds the memory of
# a hostile map or text, which is many times its size on the wire once decoded.
MAX_ENVELOPE_BYTES: Final = 65_536

_MAP = {"type": "map", "values": "bytes"}
_METADATA = fastavro.parse_schema(_MAP)
_STRING = fastavro.parse_schema("string")
_FLAG = fastavro.parse_schema("boolean")
_INDEX = fastavro.parse_schema("int")
_HANDSHAKE_REQUEST = fastavro.parse_schema(
    {
        "type": "record",
        "name": "HandshakeRequest",
        "namespace": "org.apache.avro.ipc",
        "fields": [
            {"name": "clientHash", "type": {"type": "fixed", "name": "MD5", "size": 16}},
            {"name": "clientProtocol", "type": ["null", "string"]},
            {"name": "serverHash", "type": "MD5"},
            {"name": "meta", "type": ["null", _MAP]},
        ],
    }
)
_HANDSHAKE_RESPONSE = fastavro.parse_schema(
    {
        "type": "record",
        "name": "HandshakeResponse",
        "namespace": "org.apache.avro.ipc",
        "fields": [
            {
                "name": "match",
                "type": {
                    "type": "enum",
                    "name": "HandshakeMatch",
                    "symbols": ["BOTH", "CLIENT", "NONE"],
                },
            },
            {"name": "serverProtocol", "type": ["null", "string"]},
            {
                "name": "serverHash",
                "type": ["null", {"type": "fixed", "name": "MD5", "size": 16}],
            },
            {"name": "meta", "type": ["null", _MAP]},
        ],
    }
)

# No metadata, then the name, as every Java client sends it. Comparing costs a tenth of decoding.
_COMMON_CALLS = ((b"\x00\x16appendBatch", "appendBatch"), (b"\x00\x0cappend", "append"))

# How many bytes of a message that cannot be decoded are shown.
_SHOWN_BYTES: Final = 16

# A byte of at least this value is continued in the next byte.
_CONTINUED = 0x80

# A reply begins with no metadata and the error flag.
_VALUE = b"\x00\x00"
_ERROR = b"\x00\x01"
# An error is a union. Its first branch, a string, holds errors that no protocol declares.
_SYSTEM_ERROR_BRANCH = b"\x00"


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """A client's handshake; its call starts at *end* in the same message."""

    client_hash: bytes
    client_protocol: str | None
    server_hash: bytes
    end: int


def read_handshake(message: bytes) -> HandshakeRequest:
    """Read the handshake at the start of a connection's first message."""
    head = _Reader(message, 0)
    # fastavro's result is typed as any Avro value; with this schema it is a dict.
    record: Any = head.read(_HANDSHAKE_REQUEST, "the handshake")
    return HandshakeRequest(
        record["clientHash"], record["clientProtocol"], record["serverHash"], head.tell()
    )


def read_call(message: bytes, start: int) -> tuple[str, int]:
    """Read the metadata and the name of the call at *start*; return the name and the end."""
    for encoded, name in _COMMON_CALLS:
        if message.startswith(encoded, start):
            return name, start + len(encoded)
    head = _Reader(message, start)
    head.read(_METADATA, "the call's metadata")
    name = str(head.read(_STRING, "the name of the called message"))
    return name, head.tell()


def encode_handshake(match: str, protocol: str | None, protocol_hash: bytes | None) -> bytes:
    """Encode the answer to a handshake."""
    answer = {
        "match": match,
        "serverProtocol": protocol,
        "serverHash": protocol_hash,
        "meta": None,
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _HANDSHAKE_RESPONSE, answer)
    return out.getvalue()


def encode_value(index: int) -> bytes:
    """Encode the reply that returns the enum symbol at *index*, a small number."""
    # Avro writes integers zigzag: 0, -1, 1, -2 become 0, 1, 2, 3. One byte holds up to 63.
    return _VALUE + bytes([2 * index])


def encode_system_error(text: str) -> bytes:
    """Encode the reply that a call could not be made."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _STRING, text)
    return _ERROR + _SYSTEM_ERROR_BRANCH + out.getvalue()


@dataclass(frozen=True, slots=True)
class HandshakeAnswer:
    """A server's answer to a handshake; its reply starts at *end* in the same message."""

    match: str
    server_protocol: str | None
    server_hash: bytes | None
    end: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The index of the returned enum symbol, or an error instead."""

    index: int
    error: str | None = None


def encode_handshake_request(
    client_hash: bytes, client_protocol: str | None, server_hash: bytes
) -> bytes:
    """Encode the handshake before a connection's first call."""
    request: dict[str, object] = {
        "clientHash": client_hash,
        "clientProtocol": client_protocol,
        "serverHash": server_hash,
        # Java writes an empty map, although null is allowed.
        "meta": {},
    }
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _HANDSHAKE_REQUEST, request)
    return out.getvalue()


def encode_call(name: str) -> bytes:
    """Encode the bytes before a call's parameter: no metadata, and the name."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _METADATA, {})
    fastavro.schemaless_writer(out, _STRING, name)
    return out.getvalue()


def read_handshake_answer(message: bytes) -> HandshakeAnswer:
    """Read the answer to a handshake at the start of a reply."""
    head = _Reader(message, 0)
    # As above: with this schema it is a dict.
    record: Any = head.read(_HANDSHAKE_RESPONSE, "the answer to the handshake")
    return HandshakeAnswer(
        record["match"], record["serverProtocol"], record["serverHash"], head.tell()
    )


def read_reply(message: bytes, start: int) -> Reply:
    """
    Read the reply at *start*: an enum symbol's index, or an error.

    Only the first branch of an error's union, a string, is supported; Flume's protocol declares no
    other.
    """
    # Three bytes, no metadata and a small number, as every Java server sends them.
    if message.startswith(_VALUE, start) and len(message) == start + len(_VALUE) + 1:
        byte = message[-1]
        # In zigzag, an even byte below 128 is a non-negative number.
        if byte < _CONTINUED and not byte % 2:
            return Reply(byte // 2)
    head = _Reader(message, start)
    head.read(_METADATA, "the reply's metadata")
    failed = head.read(_FLAG, "the reply's error flag")
    number: Any = head.read(_INDEX, "the reply's value")
    if not failed:
        return Reply(number)
    if number != 0:
        raise ProtocolError(
            f"expected an error of branch 0, a string, found branch {number}",
            "an error of an unknown type",
        )
    return Reply(-1, str(head.read(_STRING, "the text of an error")))


class _Reader:
    """A reader for the first bytes of a message."""

    def __init__(self, message: bytes, start: int) -> None:
        # Neither the slice of a short message nor the stream copies anything.
        self._stream = io.BytesIO(message[:MAX_ENVELOPE_BYTES])
        self._stream.seek(start)
        self._cut = len(message) > MAX_ENVELOPE_BYTES

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, schema: Schema, what: str) -> AvroMessage:
        start = self._stream.tell()
        try:
            return fastavro.schemaless_reader(self._stream, schema, None)
        # fastavro's errors for garbage, found by experiment: ValueError for text that is not UTF-8;
        # LookupError for a union index out of range and for an incomplete integer; EOFError for
        # lengths and counts that are negative or past the end; OverflowError if fastavro runs
        # uncompiled. Any other error would be a bug here. Their texts are about fastavro.
        except (EOFError, LookupError, ValueError, OverflowError) as error:
            raise self._undecoded(what, start, error) from error

    def _undecoded(self, what: str, start: int, error: Exception) -> ProtocolError:
        rest = self._stream.getvalue()[start:]
        if isinstance(error, UnicodeDecodeError):
            found = "text that is not UTF-8"
        elif self._cut:
            found = f"no end within the first {MAX_ENVELOPE_BYTES} bytes"
        elif not rest:
            found = "the end of the message"
        else:
            found = f"{rest[:_SHOWN_BYTES]!r}{'...' if len(rest) > _SHOWN_BYTES else ''}"
        return ProtocolError(
            f"{what}, at byte {start}: expected Avro data, found {found}",
            f"{what} is not Avro data",
        )
