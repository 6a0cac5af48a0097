"""Certificates for tests, made when they are needed."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Authority"]

_DAY = dt.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """
    A certificate authority in a directory; what it issues is signed by it.

    `certificate` is its own, as a file.
    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self.directory = directory
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = directory / f"{name}.pem"
        own = self._signed(self._name, self._key.public_key(), days=30, is_authority=True)
        self.certificate.write_bytes(own.public_bytes(Encoding.PEM))
        self._own = own

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        days: int,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            names = [
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(
        self, name: str, *, days: int = 10, password: bytes | None = None
    ) -> tuple[Path, Path]:
        """Return the files of a certificate and its key; with fewer than zero days, expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_name(name), key.public_key(), days=days)
        files = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        bundle = pkcs12.serialize_key_and_certificates(
            name.encode(), key, certificate, [self._own], encryption
        )
        (self.directory / f"{name}.p12").write_bytes(bundle)
        return files

    def java_store(self) -> Path:
        """Return the file of a trust store for Java, with the password `changeit`."""
        store = self.directory / "trust.p12"
        entry = pkcs12.PKCS12Certificate(self._own, b"authority")
        store.write_bytes(
            pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(b"changeit"))
        )
        return store
