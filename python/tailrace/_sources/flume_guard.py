"""Who may send to a receiver, and in which layers."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from tailrace._flume.layers import Security, ServerLayers
from tailrace._flume.strangers import name_client
from tailrace._sources.ip_rules import IpRules

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HANDSHAKE_S", "Guard", "GuardSpec"]

HANDSHAKE_S = 10.0
"""How long a TLS handshake may take."""

# The peers of which it is remembered that they cannot do TLS 1.3.
_MOST_OLDER = 10_000


class GuardSpec(NamedTuple):
    """What a receiver demands of its peers, as a user specifies it."""

    certificate: str | None = None
    """The file with its certificate; None for no TLS."""
    key: str | None = None
    """The file with its private key; by default that of the certificate."""
    clients: str | None = None
    """The file with the certificates by which those of clients must be signed."""
    deflate: str = "auto"
    allows_plain: bool = False
    """Whether connections without TLS are taken beside those with it."""
    rules: str | None = None
    """Flume's `ipFilterRules`."""

    @classmethod
    def of(cls, options: Mapping[str, str]) -> GuardSpec:
        """
        Return what the parameters of an address say.

        Raises:
            ValueError: They contradict each other, or one has an unknown value.

        >>> GuardSpec.of({"deflate": "off"}).deflate
        'off'
        """
        for name in ("key", "clients", "plain"):
            if name in options and "tls" not in options:
                raise ValueError(f"address: {name} needs tls=CERTIFICATE")
        for name in ("tls", "key", "clients"):
            if options.get(name) == "":
                raise ValueError(f"address: {name}: expected a file, found nothing")
        deflate = options.get("deflate", "auto")
        if deflate not in ("auto", "on", "off"):
            raise ValueError(f"address: deflate: expected auto, on or off, found {deflate!r:.80}")
        plain = options.get("plain")
        if plain not in (None, "allow"):
            raise ValueError(f"address: plain: expected allow, found {plain!r:.80}")
        if plain is not None and "clients" in options:
            raise ValueError(
                "address: plain=allow would let clients in without the certificate that clients "
                "demands; give one of them"
            )
        rules = options.get("ipFilterRules")
        if rules is not None:
            try:
                IpRules(rules)
            except ValueError as error:
                raise ValueError(f"address: {error}") from error
        return cls(
            options.get("tls"),
            options.get("key"),
            options.get("clients"),
            deflate,
            plain is not None,
            rules,
        )

    @property
    def is_restricted(self) -> bool:
        """Whether not everyone who can reach the port can send events."""
        return self.rules is not None or self.clients is not None

    def describe(self) -> str:
        """Return it for the start-up line: `TLS with client certificates`; empty if nothing."""
        parts = []
        if self.certificate is not None:
            certificates = " with client certificates" if self.clients else ""
            parts.append(f"TLS{certificates}" + (" or plain" if self.allows_plain else ""))
        if self.deflate != "auto":
            parts.append("only compressed" if self.deflate == "on" else "not compressed")
        if self.rules is not None:
            parts.append(f"from {self.rules}")
        return ", ".join(parts)


class Guard:
    """
    Decides who may send, and makes the layers of each connection.

    Args:
        spec: What is demanded.
    """

    def __init__(self, spec: GuardSpec) -> None:
        self.spec = spec
        self.rules = None if spec.rules is None else IpRules(spec.rules)
        self.takes_plain = spec.deflate != "on" and (spec.certificate is None or spec.allows_plain)
        """Whether a connection without any layer is taken."""
        self._security = Security(None, None, spec.deflate, allows_plain=self.takes_plain)
        self._older: OrderedDict[str, None] = OrderedDict()

    def load(self) -> None:
        """
        Read the certificates, again if they were read before; what fails changes nothing.

        Raises:
            TlsFileError: A file cannot be read or used.
        """
        spec = self.spec
        if spec.certificate is None:
            self._security = Security(None, None, spec.deflate, allows_plain=True)
            return
        import ssl  # noqa: PLC0415 - loaded only with a certificate

        from tailrace._tls import server_context  # noqa: PLC0415 - as above

        context, older = (
            server_context(spec.certificate, spec.key, clients=spec.clients, newest=newest)
            for newest in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2)
        )
        self._security = Security(context, older, spec.deflate, allows_plain=spec.allows_plain)

    def layers(self, address: str) -> ServerLayers:
        """Return the layers of a new connection from this address."""
        is_older = address in self._older
        return ServerLayers(self._security, is_older=is_older, name_stranger=name_client)

    def note_failure(self, address: str, layers: ServerLayers, reason: str) -> bool:
        """
        Take note of how TLS failed; return whether the peer will be offered TLS 1.2 from now on.

        Flume up to 1.9 on a newer JVM agrees on TLS 1.3 and then cannot read it, or stalls.

        Args:
            address: The peer's, without its port.
            layers: Those of the connection.
            reason: OpenSSL's name of the cause; empty if the handshake took too long.
        """
        if address in self._older:
            if "UNSUPPORTED_PROTOCOL" in reason:
                # Another client of the address, which speaks nothing below TLS 1.3.
                del self._older[address]
            return False
        has_failed = "BAD_RECORD_MAC" in reason or (not reason and layers.has_stalled)
        # Before the end of the handshake it has no version.
        if not has_failed or layers.tls_version not in (None, "TLSv1.3"):
            return False
        self._older[address] = None
        if len(self._older) > _MOST_OLDER:
            self._older.popitem(last=False)
        return True
