"""
A peer that puts TLS and compression around its frames, in either order.

It shares no code with the package: the modules `ssl` and `zlib`, and a list.
"""

from __future__ import annotations

import ssl
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from live import TIMEOUT_S, Sink

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ORDERS", "LayeredSink", "trusting"]

ORDERS = {
    "plain": (),
    "deflate": ("deflate",),
    "tls": ("tls",),
    "tls around deflate": ("tls", "deflate"),
    "deflate around tls": ("deflate", "tls"),
}
"""The layers from the outside to the inside: of Flume up to 1.9, and from 1.10 on."""


def trusting(
    authority: Path | None, own: tuple[Path, Path] | None = None, newest: str = "TLSv1_3"
) -> ssl.SSLContext:
    """Return the context of a client that trusts an authority, and shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion[newest]
    if authority is not None:
        context.load_verify_locations(authority)
    if own is not None:
        context.load_cert_chain(*own)
    return context


class _Deflate:
    def __init__(self) -> None:
        self.packing, self.unpacking = zlib.compressobj(), zlib.decompressobj()

    def out(self, data: bytes) -> bytes:
        return self.packing.compress(data) + self.packing.flush(zlib.Z_SYNC_FLUSH)

    def into(self, data: bytes) -> bytes:
        return self.unpacking.decompress(data)


class _Tls:
    def __init__(self, context: ssl.SSLContext) -> None:
        self.read, self.written = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.read, self.written, server_hostname="localhost")


class LayeredSink(Sink):
    """A sink whose layers are named from the outside to the inside."""

    def __init__(
        self,
        port: int,
        order: tuple[str, ...],
        context: ssl.SSLContext | None = None,
        *,
        step: int | None = None,
    ) -> None:
        super().__init__(port)
        self.step = step
        self._plain = b""
        self.deflate = _Deflate() if "deflate" in order else None
        self.tls: _Tls | None = None
        self._order = order
        if "tls" in order:
            assert context is not None
            self.tls = _Tls(context)
            try:
                self._shake()
            except BaseException:
                self.socket.close()
                raise

    def _shake(self) -> None:
        assert self.tls is not None
        while True:
            try:
                self.tls.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push(self._outside_tls(self.tls.written.read()))
                self._pull()
            else:
                self._push(self._outside_tls(self.tls.written.read()))
                return

    def _outside_tls(self, data: bytes) -> bytes:
        if self.deflate is not None and self._order[0] == "deflate" and data:
            return self.deflate.out(data)
        return data

    def packed(self, data: bytes) -> bytes:
        """Return what goes to the socket for these bytes."""
        if self.deflate is not None and (self.tls is None or self._order[1] == "deflate"):
            data = self.deflate.out(data)
        if self.tls is None:
            return data
        self.tls.tls.write(data)
        return self._outside_tls(self.tls.written.read())

    def _push(self, data: bytes) -> None:
        step = self.step or len(data) or 1
        for at in range(0, len(data), step):
            self.socket.sendall(data[at : at + step])

    def _pull(self) -> None:
        """Read from the socket once."""
        self.socket.settimeout(TIMEOUT_S)
        raw = self.socket.recv(65_536)
        assert raw, "the receiver closed the connection"
        if self.tls is None:
            self._plain += raw if self.deflate is None else self.deflate.into(raw)
            return
        if self.deflate is not None and self._order[0] == "deflate":
            raw = self.deflate.into(raw)
        self.tls.read.write(raw)

    def send(self, data: bytes) -> None:
        self._push(self.packed(data))

    def receive(self, size: int) -> bytes:
        while len(self._plain) < size:
            if self.tls is not None:
                try:
                    data = self.tls.tls.read(65_536)
                except ssl.SSLWantReadError:
                    data = b""
                if data:
                    is_inside = self.deflate is not None and self._order[1] == "deflate"
                    self._plain += self.deflate.into(data) if is_inside and self.deflate else data
                    continue
            self._pull()
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    def finish(self) -> bytes:
        """Return the last bytes of each layer, as a peer that ends in order sends them."""
        data = b""
        if self.deflate is not None and (self.tls is None or self._order[1] == "deflate"):
            data = self.deflate.packing.flush(zlib.Z_FINISH)
        if self.tls is not None:
            if data:
                self.tls.tls.write(data)
            with suppress(ssl.SSLError):
                self.tls.tls.unwrap()
            data = self.tls.written.read()
            if self.deflate is not None and self._order[0] == "deflate":
                data = self.deflate.out(data) + self.deflate.packing.flush(zlib.Z_FINISH)
        return data
