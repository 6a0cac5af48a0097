"""
Names a peer that does not speak Flume's protocol by the first bytes of its connection.

This is done only after they failed to parse, or when the connection ends in its first frame. So a
client whose serial happens to look like another protocol is never refused.
"""

import codecs
import re
from typing import Final, NamedTuple

from tailrace._errors import ProtocolError

__all__ = ["FIRST_BYTES", "name_client", "name_server"]

FIRST_BYTES: Final = 16
"""How many bytes of a connection are enough to name a stranger."""

_CHECK_PORT: Final = "check its host and port"
_SEND_LINES: Final = (
    "send lines with `tailrace send - flume://HOST:PORT`, or pipe them to `tailrace top -`"
)

# Bytes without control characters; with one of ASCII, they may be text in any encoding.
_TEXT: Final = re.compile(rb"[\t\n\r -~\x80-\xff]+")
_ASCII: Final = re.compile(rb"[\t\n\r -~]")

_PLAIN_TEXT: Final = ("plain text", f"plain text; {_SEND_LINES}")

_MOST_KAFKA_API_KEY: Final = 100
_MOST_KAFKA_API_VERSION: Final = 20
# A request has at least a key, a version and a correlation id after its length.
_LEAST_KAFKA_REQUEST_BYTES: Final = 8
_LEAST_KAFKA_BYTES: Final = 8


class _Stranger(NamedTuple):
    begins: re.Pattern[bytes]
    short: str
    """For the counts."""
    name: str
    fix: str


def _stranger(begins: bytes, short: str, name: str, fix: str = _CHECK_PORT) -> _Stranger:
    return _Stranger(re.compile(begins, re.DOTALL), short, name, fix)


# Each pattern of text is longer than a serial, or its next byte is text as well, which no list size
# within the limits begins with. The serials that look like another pattern are above 2**27.
_CLIENTS: Final = (
    _stranger(
        rb"(?:GET|PUT|POST|HEAD|PATCH|TRACE|DELETE|OPTIONS|CONNECT) |(?:PRI \*|HTTP/|PROPFIND)",
        "HTTP",
        "an HTTP client",
        "a health check needs only to open a connection",
    ),
    _stranger(
        rb"\x16\x03|\x15\x03|\x80.\x01(?:\x03[\x00-\x03]|\x00\x02)",
        "TLS",
        "TLS",
        "give the receiver a certificate, flume://HOST:PORT?tls=CERTIFICATE&key=KEY, or set "
        "`ssl = false` in the agent's sink",
    ),
    _stranger(
        rb"PROXY [TU]|\r\n\r\n\x00",
        "PROXY protocol",
        "the PROXY protocol of a load balancer",
        "turn `send-proxy` off in the load balancer",
    ),
    # With and without the length of a frame: the strict binary and the compact protocol, the older
    # binary one, which begins with the name of a method, and the header transport.
    _stranger(
        rb"(?:\x00...)?(?:\x80\x01\x00[\x01-\x04]|\x82[\x21\x41\x61\x81]"
        rb"|\x00\x00\x00[\x03-\x3f][A-Za-z_]{3})|\x00...\x0f\xff",
        "Thrift",
        "a Thrift client",
        "set `type = avro` in the agent's sink",
    ),
    _stranger(rb"SSH-", "SSH", "an SSH client"),
    _stranger(rb"\*[0-9]+\r\n|PING\r\n|INFO\r\n", "Redis", "a Redis client"),
    _stranger(
        rb"\x00\x00..(?:\x00\x03\x00[\x00-\x02][a-z_]|\x04\xd2\x16[\x2e-\x30])",
        "PostgreSQL",
        "a PostgreSQL client",
    ),
    _stranger(rb"AMQP", "AMQP", "an AMQP client"),
    _stranger(rb"\x10.{1,4}\x00(?:\x04MQ|\x06MQ)", "MQTT", "an MQTT client"),
    _stranger(
        rb"\xac\xed\x00\x05|JRMI",
        "Java objects",
        "serialized Java objects, as of log4j's SocketAppender",
        "use the Log4jAppender of Flume",
    ),
    _stranger(rb"[12][WDJC]\x00\x00", "Beats", "a Beats or Logstash client"),
    _stranger(
        rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ|\x28\xb5\x2f\xfd",
        "a compressed file",
        "a compressed file",
        "send it with `tailrace send FILE flume://HOST:PORT`",
    ),
    _stranger(rb"<[0-9]{1,3}>|[0-9]{1,5} <[0-9]", "syslog", "a syslog sender", _SEND_LINES),
    _stranger(rb"(?:EHLO|HELO) ", "SMTP", "an SMTP client"),
)


_SERVERS: Final = (
    _stranger(rb"HTTP", "HTTP", "an HTTP server"),
    _stranger(
        rb"\x15\x03|\x16\x03",
        "TLS",
        "TLS, which is not supported",
        "set `ssl = false` in the agent's source",
    ),
    _stranger(
        rb"\x78",
        "zlib",
        "zlib compression, which is not supported",
        "set `compression-type = none` in the agent's source",
    ),
    _stranger(rb"SSH-", "SSH", "an SSH server"),
    _stranger(rb"220[ -]", "SMTP or FTP", "an SMTP or FTP server"),
    _stranger(rb"[-+]\w+", "Redis", "a Redis server"),
)


def name_client(first: bytes) -> ProtocolError | None:
    """Identify a client that is not an agent; None if its first bytes are not known."""
    if not first or (named := _named(first)) is None:
        return None
    short, text = named
    # `repr` leaves only printable ASCII of what the peer sent.
    shown = f"expected a Flume agent, found a connection that begins with {first!r}"
    return ProtocolError(f"{shown}: {text}", f"no Flume client ({short})")


def name_server(first: bytes) -> ProtocolError | None:
    """Identify a server that is not a receiver; None if its first bytes are not known."""
    if (named := _listed(_SERVERS, first)) is None:
        return None
    short, text = named
    shown = f"expected a Flume receiver, found an answer that begins with {first!r}"
    return ProtocolError(f"{shown}: {text}", f"no Flume receiver ({short})")


def _listed(strangers: tuple[_Stranger, ...], first: bytes) -> tuple[str, str] | None:
    for stranger in strangers:
        if stranger.begins.match(first):
            return stranger.short, f"{stranger.name}; {stranger.fix}"
    return None


def _named(first: bytes) -> tuple[str, str] | None:
    if (listed := _listed(_CLIENTS, first)) is not None:
        return listed
    if _TEXT.fullmatch(first) and _is_utf8(first):
        return _PLAIN_TEXT
    if len(first) >= _LEAST_KAFKA_BYTES:
        size = int.from_bytes(first[:4], "big", signed=True)
        key, version = int.from_bytes(first[4:6], "big"), int.from_bytes(first[6:8], "big")
        # Key 0 (Produce) is left out: a broken Flume client could send such a list size as well,
        # and no Kafka client begins with it. Neither does one with key 1 and version 0.
        if (
            size >= _LEAST_KAFKA_REQUEST_BYTES
            and 0 < key <= _MOST_KAFKA_API_KEY
            and version <= _MOST_KAFKA_API_VERSION
            and (key, version) != (1, 0)
        ):
            client = f"a Kafka client (API key {key}, version {version})"
            return "Kafka", f"{client}; port 9092 is usually a Kafka broker's"
    return _PLAIN_TEXT if _TEXT.fullmatch(first) and _ASCII.search(first) else None


def _is_utf8(first: bytes) -> bool:
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return False
    return True
