"""
Handshakes: which clients speak the same protocol, and how each is answered.

A client identifies its protocol by a hash. Hashes are opaque here: every Avro implementation
renders a protocol in its own way before it hashes the text, so recomputing a hash would prove
nothing. An unknown hash is accepted once the client has sent the protocol's text and its messages
have the layout that the core decodes.
"""

import hashlib
import json
from typing import Final

from tailrace._errors import ProtocolError
from tailrace._flume.envelope import HandshakeRequest, encode_handshake

__all__ = [
    "APPEND",
    "APPEND_BATCH",
    "FLUME_HASH",
    "OWN_HASH",
    "OWN_PROTOCOL",
    "Protocols",
    "answer_handshake",
    "check_protocol",
]

APPEND: Final = "append"
APPEND_BATCH: Final = "appendBatch"

# The hash of Flume 1.3 to 1.11. Their text differs from the one below by a licence, which Avro's
# compiler took for documentation; the hash includes it.
FLUME_HASH: Final = bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65")

# As Java's `Protocol.toString()` renders it, without documentation.
OWN_PROTOCOL: Final = (
    '{"protocol":"AvroSourceProtocol","namespace":"org.apache.flume.source.avro",'
    '"types":['
    '{"type":"enum","name":"Status","symbols":["OK","FAILED","UNKNOWN"]},'
    '{"type":"record","name":"AvroFlumeEvent","fields":['
    '{"name":"headers","type":{"type":"map","values":"string"}},'
    '{"name":"body","type":"bytes"}]}],'
    '"messages":{'
    '"append":{"request":[{"name":"event","type":"AvroFlumeEvent"}],"response":"Status"},'
    '"appendBatch":{"request":[{"name":"events","type":{"type":"array","items":"AvroFlumeEvent"}}],'
    '"response":"Status"}}}'
)
OWN_HASH: Final = hashlib.md5(OWN_PROTOCOL.encode(), usedforsecurity=False).digest()

# Each takes a few dozen bytes, and one installation has a handful of client builds. A peer that
# invents protocols evicts those of others, which then have to send their text again.
MAX_LEARNED_PROTOCOLS: Final = 256

_BOTH: Final = encode_handshake("BOTH", None, None)
_CLIENT: Final = encode_handshake("CLIENT", OWN_PROTOCOL, OWN_HASH)
_NONE: Final = encode_handshake("NONE", OWN_PROTOCOL, OWN_HASH)


class Protocols:
    """
    The client protocols that a server has accepted, shared by all its sessions.

    A protocol with only one of the two messages is accepted as well.
    """

    def __init__(self) -> None:
        # A dict for its order, oldest first.
        self._learned: dict[bytes, None] = {}

    def knows(self, protocol_hash: bytes) -> bool:
        """Return whether a client with this hash may call without sending its protocol first."""
        return protocol_hash in (FLUME_HASH, OWN_HASH) or protocol_hash in self._learned

    def learn(self, protocol_hash: bytes, text: str) -> None:
        """
        Accept a client's protocol.

        Raises:
            ProtocolError: The calls of this protocol cannot be decoded.
        """
        check_protocol(text, "the client's protocol")
        self._learned[protocol_hash] = None
        if len(self._learned) > MAX_LEARNED_PROTOCOLS:
            del self._learned[next(iter(self._learned))]


def answer_handshake(protocols: Protocols, request: HandshakeRequest) -> tuple[bytes, bool]:
    """
    Answer a handshake: return the bytes of the answer, and whether to execute the call.

    Raises:
        ProtocolError: The client sent its protocol, and it is not Flume's.
    """
    if not protocols.knows(request.client_hash):
        if request.client_protocol is None:
            return _NONE, False
        protocols.learn(request.client_hash, request.client_protocol)
    # Clients remember what a server at this address announced, so they may send either hash.
    if request.server_hash in (FLUME_HASH, OWN_HASH):
        return _BOTH, True
    return _CLIENT, True


def check_protocol(text: str, whose: str) -> None:
    """
    Refuse a protocol whose calls would be decoded wrongly.

    Raises:
        ProtocolError: It has none of Flume's calls, or one with another layout.
    """
    try:
        protocol: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _OtherProtocolError(
            f"{whose}: expected JSON, found text that does not parse"
        ) from error
    declared = _get(protocol, "messages")
    messages = declared if isinstance(declared, dict) else {}
    types = _Types(protocol)
    if APPEND not in messages and APPEND_BATCH not in messages:
        raise _OtherProtocolError(f"{whose}: expected {APPEND} or {APPEND_BATCH}, found neither")
    for name in (APPEND, APPEND_BATCH):
        if name in messages:
            _check_message(name, messages[name], types, f"{whose}, {name}")


def _check_message(name: str, message: object, types: "_Types", where: str) -> None:
    request = _get(message, "request")
    if not isinstance(request, list) or len(request) != 1:
        raise _OtherProtocolError(f"{where}: expected exactly one parameter")
    parameter = types.resolve(_get(request[0], "type"))
    if name == APPEND_BATCH:
        if _get(parameter, "type") != "array":
            raise _OtherProtocolError(f"{where}: expected an array of events")
        parameter = types.resolve(_get(parameter, "items"))
    if not types.is_event(parameter):
        raise _OtherProtocolError(
            f"{where}: expected an event that is a record of"
            " headers (map of string) and body (bytes), in this order"
        )
    response = types.resolve(_get(message, "response"))
    symbols = _get(response, "symbols")
    if _get(response, "type") != "enum" or not isinstance(symbols, list) or symbols[:1] != ["OK"]:
        raise _OtherProtocolError(
            f"{where}: expected an enum as result, with OK as its first symbol"
        )


class _OtherProtocolError(ProtocolError):
    """A protocol that is not Flume's."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "another protocol than Flume's")


class _Types:
    """The named types of a protocol, which may be defined up front or at their first use."""

    def __init__(self, protocol: object) -> None:
        self._namespace = _get(protocol, "namespace")
        self._named: dict[str, object] = {}
        types = _get(protocol, "types")
        for defined in types if isinstance(types, list) else ():
            self.resolve(defined)

    def resolve(self, schema: object) -> object:
        """Return the definition of a name, or *schema* itself."""
        if isinstance(schema, str):
            return self._named.get(self._full(schema, self._namespace), {"type": schema})
        name = _get(schema, "name")
        if isinstance(name, str):
            self._named[self._full(name, _get(schema, "namespace") or self._namespace)] = schema
        return schema

    def is_event(self, schema: object) -> bool:
        """Return whether *schema* has the encoding that the core decodes."""
        fields = _get(schema, "fields")
        if _get(schema, "type") != "record" or not isinstance(fields, list):
            return False
        if [_get(field, "name") for field in fields] != ["headers", "body"]:
            return False
        headers, body = (self.resolve(_get(field, "type")) for field in fields)
        # A string may be an object too: {"type": "string", "avro.java.string": "String"}.
        values = self.resolve(_get(headers, "values"))
        kinds = [_get(schema, "type") for schema in (headers, values, body)]
        return kinds == ["map", "string", "bytes"]

    @staticmethod
    def _full(name: str, namespace: object) -> str:
        return name if "." in name or not namespace else f"{namespace}.{name}"


def _get(node: object, key: str) -> object:
    """Read a member of a JSON object; None when it is missing or *node* is something else."""
    return node.get(key) if isinstance(node, dict) else None
