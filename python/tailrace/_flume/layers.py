"""
The layers around the frames of a connection: compression and TLS, each at most once.

Nothing announces them. A server finds out from the first bytes of each layer: TLS begins with
`16 03`, a zlib stream with a method of 8 and a check that makes its first two bytes a multiple of
31 (RFC 1950), and a frame with a zero, as serials begin at 1. Flume up to 1.9 puts TLS outside, and
from 1.10 on the compression.

What a peer sends is unpacked step by step, so that few bytes that unpack to many cost memory for
one step only.
"""

from __future__ import annotations

import ssl
import zlib
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from tailrace._errors import ProtocolError
from tailrace._flume.frames import FrameDecoder
from tailrace._flume.strangers import name_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace._flume.frames import Frame

__all__ = [
    "ClientLayers",
    "LayeredDecoder",
    "Layers",
    "Security",
    "ServerLayers",
    "TlsError",
    "may_be_layered",
]

# How much is taken from one layer into the next at once. zlib copies what it has not used.
_STEP_BYTES: Final = 64 * 1024

# What a step of a decoder unpacks, so that others are served in between.
_UNPACKED_BYTES: Final = 256 * 1024

# As much as of each of many thousand idle connections can be kept: 3 KiB instead of 256 KiB. What a
# server sends is a few bytes a batch.
_SMALL_WINDOW_BITS: Final = 9
_SMALL_MEMORY_LEVEL: Final = 1

# Flume's own level.
_LEVEL: Final = 6

_TLS: Final = b"\x16\x03"
_DEFLATE: Final = 8
_USUAL_WINDOW: Final = 0x78
_PRINTABLE: Final = range(0x20, 0x7F)


class Security(NamedTuple):
    """
    Which layers a receiver takes.

    >>> Security().allows_plain
    True
    """

    context: ssl.SSLContext | None = None
    """The certificate; None if there is none, so that no TLS is spoken."""
    older: ssl.SSLContext | None = None
    """The same with TLS 1.2 at most, for peers that cannot do TLS 1.3 right."""
    deflate: str = "auto"
    """`on`: only compressed connections; `off`: none; `auto`: both."""
    allows_plain: bool = True
    """Whether connections without TLS are taken."""


def may_be_layered(first: int) -> bool:
    """
    Return whether a connection that begins with this byte can have layers.

    >>> may_be_layered(0), may_be_layered(0x16), may_be_layered(0x78)
    (False, True, True)
    """
    return first == _TLS[0] or first & 0x0F == _DEFLATE


class _Layer(Protocol):
    """One layer: what is inside it in plain, and what is outside as it is sent."""

    has_ended: bool
    """Whether the peer has ended it in order."""

    def put(self, data: bytes) -> None:
        """Take bytes from outside."""

    def take(self, limit: int) -> bytes:
        """
        Return bytes from inside, at most this many; none if more from outside is needed.

        Raises:
            ProtocolError: The bytes are not such a layer.
        """

    def give(self, data: bytes) -> None:
        """Take bytes from inside, to be sent."""

    def drain(self) -> bytes:
        """Return what is to be sent outside, and forget it."""

    def end(self) -> None:
        """End it; what that sends is drained next."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes from outside it holds."""


class _Deflate:
    """A zlib stream in each direction, flushed after whatever is sent at once."""

    def __init__(self, level: int, *, is_small: bool) -> None:
        self.has_ended = False
        self._level = level
        self._is_small = is_small
        self._inflate = zlib.decompressobj()
        self._held = b""
        # Made when something is sent.
        self._deflate: zlib._Compress | None = None
        self._out = bytearray()

    @property
    def pending_bytes(self) -> int:
        return len(self._held)

    def put(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data

    def take(self, limit: int) -> bytes:
        if not self._held:
            return b""
        if self._inflate.eof:
            raise ProtocolError("bytes after the end of the compressed stream")
        try:
            data = self._inflate.decompress(self._held, limit)
        except zlib.error as error:
            # zlib puts its number before what it says.
            reason = str(error).rpartition(": ")[2]
            raise ProtocolError(
                f"the compressed stream is damaged: {reason}", "a damaged compressed stream"
            ) from error
        self._held = self._inflate.unconsumed_tail
        if self._inflate.eof:
            self.has_ended = True
            self._held = self._inflate.unused_data
        return data

    def give(self, data: bytes) -> None:
        if self._deflate is None:
            self._deflate = self._made()
        self._out += self._deflate.compress(data)
        self._out += self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _made(self) -> zlib._Compress:
        if not self._is_small:
            return zlib.compressobj(self._level)
        return zlib.compressobj(self._level, zlib.DEFLATED, _SMALL_WINDOW_BITS, _SMALL_MEMORY_LEVEL)

    def drain(self) -> bytes:
        data = bytes(self._out)
        self._out.clear()
        return data

    def end(self) -> None:
        if self._deflate is not None:
            self._out += self._deflate.flush(zlib.Z_FINISH)
            self._deflate = None


class _Tls:
    """TLS by OpenSSL, between two buffers."""

    def __init__(
        self, context: ssl.SSLContext, *, is_server: bool, server_name: str | None = None
    ) -> None:
        self.has_ended = False
        self.is_ready = False
        self.has_sent = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=is_server, server_hostname=server_name
        )
        self._held: deque[bytes] = deque()
        self._error: TlsError | None = None

    @property
    def pending_bytes(self) -> int:
        return self._in.pending

    @property
    def version(self) -> str | None:
        """The version that is spoken, as `TLSv1.3`."""
        return self._tls.version()

    def begin(self) -> None:
        """Begin the handshake."""
        self._shake()

    def put(self, data: bytes) -> None:
        self._in.write(data)

    def take(self, limit: int) -> bytes:
        if self._error is not None:
            raise self._error
        if not self.is_ready and not self._shake():
            return b""
        pieces: list[bytes] = []
        left = limit
        try:
            while left > 0:
                data = self._tls.read(left)
                if not data:
                    self.has_ended = True
                    break
                pieces.append(data)
                left -= len(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            # What came whole before it still counts.
            self._error = _tls_error(error)
            if not pieces:
                raise self._error from error
        return b"".join(pieces)

    def give(self, data: bytes) -> None:
        if not self.is_ready:
            self._held.append(data)
            return
        # A buffer in memory takes everything at once.
        self._tls.write(data)

    def drain(self) -> bytes:
        data = self._out.read()
        self.has_sent |= bool(data)
        return data

    def end(self) -> None:
        if not self.is_ready:
            return
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            # The peer's own end is not waited for.
            return

    def _shake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise _tls_error(error) from error
        self.is_ready = True
        while self._held:
            self._tls.write(self._held.popleft())
        return True


# What OpenSSL says, in the words of whoever has to fix it.
_CAUSES: Final = (
    ("HTTP_REQUEST", "a plain HTTP request, not TLS"),
    ("UNSUPPORTED_PROTOCOL", "the peer speaks only a TLS version below 1.2"),
    ("NO_SHARED_CIPHER", "the peer offers no cipher that is known here"),
    (
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "the peer has no client certificate, which is demanded here",
    ),
    ("CERTIFICATE_UNKNOWN", "the peer does not trust the certificate; add it to its trust store"),
    ("UNKNOWN_CA", "the peer does not trust the certificate; add it to its trust store"),
    ("BAD_CERTIFICATE", "the peer does not accept the certificate"),
    ("CERTIFICATE_EXPIRED", "the peer says that the certificate has expired"),
    (
        "CERTIFICATE_REQUIRED",
        "the peer demands a client certificate; give one with cert and key",
    ),
    ("BAD_RECORD_MAC", "the peer cannot read what was sent (bad_record_mac)"),
    ("WRONG_VERSION_NUMBER", "an answer that is not TLS"),
)


class TlsError(ProtocolError):
    """TLS failed; `reason` is OpenSSL's name of the cause."""

    def __init__(self, message: str, kind: str, reason: str) -> None:
        super().__init__(message, kind)
        self.reason = reason


def _tls_error(error: ssl.SSLError) -> TlsError:
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the peer's certificate is not accepted: {error.verify_message}"
        return TlsError(f"TLS: {text}", f"TLS: {text}", reason)
    text = next((text for name, text in _CAUSES if name in reason), "")
    if not text:
        text = reason.lower().replace("_", " ") or str(error)
    return TlsError(f"TLS: {text}", f"TLS: {text}", reason)


class Layers:
    """
    The layers of one connection: bytes of the socket on the outside, frames on the inside.

    A `ProtocolError` is final. What `to_send` returns after it, such as an alert, should still be
    sent.
    """

    def __init__(self) -> None:
        self.has_more = False
        """Whether another `read` may return something without more bytes of the peer."""
        # From the outside to the inside.
        self._layers: list[_Layer] = []
        self._raw: deque[bytes] = deque()
        self._raw_bytes = 0
        self._out = bytearray()

    @property
    def pending_bytes(self) -> int:
        """How many bytes of the peer were not unpacked."""
        return self._raw_bytes + sum(layer.pending_bytes for layer in self._layers)

    @property
    def tls_version(self) -> str | None:
        """The version of TLS that is spoken, as `TLSv1.3`; None without TLS."""
        return next((one.version for one in self._layers if isinstance(one, _Tls)), None)

    @property
    def is_shaking(self) -> bool:
        """Whether a TLS handshake has begun and is not finished."""
        return any(not one.is_ready for one in self._layers if isinstance(one, _Tls))

    @property
    def has_stalled(self) -> bool:
        """Whether a handshake of TLS is not finished although the peer has had an answer."""
        return any(
            one.has_sent and not one.is_ready for one in self._layers if isinstance(one, _Tls)
        )

    @property
    def has_deflate(self) -> bool:
        """Whether the connection is compressed."""
        return any(isinstance(one, _Deflate) for one in self._layers)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes of the socket; they are copied."""
        view = memoryview(data)
        for at in range(0, len(view), _STEP_BYTES):
            self._raw.append(bytes(view[at : at + _STEP_BYTES]))
        self._raw_bytes += len(view)
        self.has_more |= bool(view)

    def read(self, limit: int) -> bytes:
        """
        Return the next bytes from inside, at most this many; none if more of the peer is needed.

        Raises:
            ProtocolError: A layer is damaged, or is not one that is taken here.
        """
        try:
            data = self._take(len(self._layers) - 1, limit)
        finally:
            self._collect()
        self.has_more = bool(data)
        return data

    def write(self, data: bytes) -> None:
        """Pack bytes from inside, to be sent."""
        if not data:
            return
        if not self._layers:
            self._out += data
            return
        self._layers[-1].give(data)
        self._collect()

    def to_send(self) -> bytes:
        """Return the bytes for the socket, and forget them."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def close(self) -> None:
        """End every layer, from the inside on; `to_send` has what that sends."""
        for layer in reversed(self._layers):
            layer.end()
            self._collect()

    def discard(self) -> None:
        """Forget what was not unpacked."""
        self._raw.clear()
        self._raw_bytes = 0
        self.has_more = False

    def _take(self, at: int, limit: int) -> bytes:
        """Return bytes from inside a layer; -1 is the socket."""
        if at < 0:
            if not self._raw:
                return b""
            data = self._raw.popleft()
            self._raw_bytes -= len(data)
            return data
        layer = self._layers[at]
        while not (data := layer.take(limit)):
            below = self._take(at - 1, _STEP_BYTES)
            if not below:
                return b""
            if layer.has_ended:
                raise ProtocolError("bytes after the end of TLS or of the compressed stream")
            layer.put(below)
        return data

    def _collect(self) -> None:
        """Pass what each layer sends through those outside it."""
        for at in range(len(self._layers) - 1, -1, -1):
            data = self._layers[at].drain()
            if not data:
                continue
            if at:
                self._layers[at - 1].give(data)
            else:
                self._out += data


class ServerLayers(Layers):
    """
    What a peer has put around its frames, found out from its first bytes.

    Args:
        security: Which layers are taken.
        is_older: Whether TLS 1.2 is the newest version that the peer is offered.
        name_stranger: Returns which other program begins a connection with these bytes.
    """

    def __init__(
        self,
        security: Security,
        *,
        is_older: bool = False,
        name_stranger: Callable[[bytes], ProtocolError | None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._security = security
        self._is_older = is_older
        self._name_stranger = name_stranger
        # The first bytes inside the layers that are known, until it is known what they begin.
        self._first = b""
        self._is_known = False

    def read(self, limit: int) -> bytes:
        """Return the next bytes from inside, as `Layers.read` does."""
        while not self._is_known:
            if not self._looked():
                return b""
        if self._first:
            data, self._first = self._first[:limit], self._first[limit:]
            self.has_more = True
            return data
        return super().read(limit)

    def _looked(self) -> bool:
        """Look at the first bytes of the innermost layer; return false if there are too few."""
        while len(self._first) < len(_TLS) and (data := super().read(_STEP_BYTES)):
            self._first += data
        first = self._first
        if not first or (len(first) < len(_TLS) and may_be_layered(first[0])):
            return False
        if not may_be_layered(first[0]):
            self._check_plain()
            self._is_known = True
        elif first.startswith(_TLS):
            self._add(self._tls())
        elif _is_zlib(first):
            self._add(self._deflated())
        else:
            self._check_plain()
            self._is_known = True
        return True

    def _add(self, layer: _Layer) -> None:
        first, self._first = self._first, b""
        layer.put(first)
        self._layers.append(layer)

    def _tls(self) -> _Tls:
        context = self._security.older if self._is_older else self._security.context
        if context is None:
            raise self._stranger("TLS")
        if any(isinstance(one, _Tls) for one in self._layers):
            raise ProtocolError("TLS inside TLS")
        return _Tls(context, is_server=True)

    def _deflated(self) -> _Deflate:
        if self._security.deflate == "off":
            raise ProtocolError(
                "a compressed connection, with deflate=off; set `compression-type = none` in the "
                "agent's sink, or leave deflate=off out",
                "a compressed connection, with deflate=off",
            )
        if self.has_deflate:
            raise ProtocolError("compression inside compression")
        return _Deflate(_LEVEL, is_small=True)

    def _check_plain(self) -> None:
        security = self._security
        has_tls = any(isinstance(one, _Tls) for one in self._layers)
        if not has_tls and not security.allows_plain:
            raise self._name_stranger(self._first) or ProtocolError(
                "a connection without TLS; set `ssl = true` in the agent's sink, or take such "
                "connections too with plain=allow",
                "a connection without TLS",
            )
        if security.deflate == "on" and not self.has_deflate:
            raise self._name_stranger(self._first) or ProtocolError(
                "a connection that is not compressed, with deflate=on; set `compression-type = "
                "deflate` in the agent's sink, or leave deflate=on out",
                "a connection that is not compressed, with deflate=on",
            )

    def _stranger(self, what: str) -> ProtocolError:
        return self._name_stranger(self._first) or ProtocolError(f"{what}, which is not taken here")


class ClientLayers(Layers):
    """
    The layers that a client puts around its frames.

    Args:
        context: Checks the server's certificate, and may have one of its own; None without TLS.
        server_name: The name or address that the certificate must have.
        level: The level of compression, from 0 to 9; None without compression.
        tls_inside: Whether the compression is outside, as Flume from 1.10 on has it.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        server_name: str | None = None,
        level: int | None = None,
        tls_inside: bool = False,
    ) -> None:
        super().__init__()
        layers: list[_Layer] = []
        if context is not None:
            layers.append(_Tls(context, is_server=False, server_name=server_name))
        if level is not None:
            layers.insert(0 if tls_inside else len(layers), _Deflate(level, is_small=False))
        self._layers = layers

    def begin(self) -> None:
        """Begin the handshake of TLS; `to_send` has its first message."""
        for layer in self._layers:
            if isinstance(layer, _Tls):
                layer.begin()
        self._collect()


class LayeredDecoder:
    """
    A `FrameDecoder` inside layers.

    Args:
        layers: The layers.
        name_peer: Identifies a peer with another protocol by the first bytes inside the layers.
    """

    def __init__(
        self, layers: Layers, name_peer: Callable[[bytes], ProtocolError | None] = name_client
    ) -> None:
        self.layers = layers
        self._frames = FrameDecoder(name_peer)
        self.has_more = False
        """Whether bytes are kept to be read later."""

    @property
    def pending_bytes(self) -> int:
        """The number of bytes of an incomplete frame, and of those to be read later."""
        return self._frames.pending_bytes + self.layers.pending_bytes

    def keep(self, data: bytes | memoryview) -> None:
        """Keep the next bytes, to be read by the next `feed`."""
        self.layers.feed(data)
        self.has_more |= self.layers.has_more

    def feed(self, data: bytes | memoryview = b"", limit: int | None = None) -> list[Frame]:
        """
        Read the next bytes and return the frames that they complete, in order.

        With a limit of frames, a certain number of bytes is unpacked as well, and the rest is kept.

        Raises:
            ProtocolError: The bytes are not a frame, or not in a layer that is taken.
        """
        self.layers.feed(data)
        frames: list[Frame] = []
        while True:
            if self._frames.has_more:
                frames += self._frames.feed(b"", limit)
            elif plain := self.layers.read(_UNPACKED_BYTES):
                frames += self._frames.feed(plain, limit)
            self.has_more = self._frames.has_more or self.layers.has_more
            if limit is not None or not self.has_more:
                return frames

    def discard(self) -> None:
        """Forget the bytes of an incomplete frame, and those to be read later."""
        self._frames.discard()
        self.layers.discard()
        self.has_more = False

    def close(self) -> None:
        """
        Record that the peer has closed its side.

        Raises:
            ProtocolError: The connection ended inside a frame, or in the handshake of TLS.
        """
        if self.layers.has_more and not self._frames.has_more:
            # The ends of layers say nothing to frames.
            self._frames.keep(self.layers.read(_STEP_BYTES))
        if self.layers.is_shaking:
            text = "TLS: the peer has closed the connection in the handshake"
            raise ProtocolError(f"{text}; does it trust the certificate?", text)
        self._frames.close()

    def stranger(self) -> ProtocolError | None:
        """Return which other protocol the bytes inside the layers begin with, if they do."""
        return self._frames.stranger()


def _is_zlib(first: bytes) -> bool:
    head, check = first[0], first[1]
    if head & 0x0F != _DEFLATE or head > _USUAL_WINDOW or (head << 8 | check) % 31:
        return False
    # A line of text may begin so: "80.1.2.3 - - [...". Java's streams have the largest window.
    return head == _USUAL_WINDOW or check not in _PRINTABLE
