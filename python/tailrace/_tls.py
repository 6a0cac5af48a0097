"""Certificates and keys from files: PEM, and PKCS12 with the extra `tls`."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from tailrace._errors import TailraceError, in_words

__all__ = ["PASSWORD", "TlsFileError", "client_context", "server_context"]

PASSWORD = "TAILRACE_TLS_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable with the password of a key; a URL may be logged."""

# How a Java key store begins, and a PKCS12 file: a sequence with a long length.
_JKS = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_PKCS12 = b"\x30"
_PEM = b"-----BEGIN "

_MOST_BYTES = 16 * 1024 * 1024


class TlsFileError(TailraceError, ValueError):
    """A certificate or a key cannot be used; the message names the file and how to fix it."""


def server_context(
    certificate: str,
    key: str | None = None,
    *,
    clients: str | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> ssl.SSLContext:
    """
    Return what a receiver needs to speak TLS 1.2 or later.

    Args:
        certificate: The file with its certificate and those between it and the root.
        key: The file with the private key; by default that of the certificate.
        clients: The file with the certificates by which those of clients must be signed; None to
            demand none.
        newest: The newest version to speak.

    Raises:
        TlsFileError: A file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = newest
    _load(context, ("tls", certificate), None if key is None else ("key", key))
    if clients is not None:
        _trust(context, "clients", clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """
    Return what a client needs to speak TLS 1.2 or later.

    Args:
        ca: The file with the certificates by which that of the receiver must be signed; by default
            those that the system trusts.
        certificate: The file with the client's own certificate; None for none.
        key: The file with its private key; by default that of the certificate.

    Raises:
        TlsFileError: A file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
    else:
        _trust(context, "ca", ca)
    if certificate is not None:
        _load(context, ("cert", certificate), None if key is None else ("key", key))
    return context


def _read(name: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise TlsFileError(f"{name}: {in_words(error)}") from error
    if data.startswith(_JKS):
        raise TlsFileError(
            f"{name}: {path} is a Java key store (JKS); convert it: keytool -importkeystore "
            f"-srckeystore {path} -destkeystore {Path(path).stem}.p12 -deststoretype PKCS12"
        )
    return data


def _load(
    context: ssl.SSLContext, certificate: tuple[str, str], key: tuple[str, str] | None
) -> None:
    name, path = certificate
    data = _read(name, path)
    if _PEM not in data and data.startswith(_PKCS12):
        if key is not None:
            raise TlsFileError(f"key: {path} is a PKCS12 file and has a key of its own; omit key")
        _load_pkcs12(context, name, path, data)
        return
    if _PEM not in data:
        raise TlsFileError(
            f"{name}: {path}: expected a certificate in PEM or PKCS12, found neither"
        )
    of_key = data if key is None else _read(*key)
    where = certificate if key is None else key
    if b"PRIVATE KEY-----" not in of_key:
        mend = "; give the file with the key: key=FILE" if key is None else ""
        raise TlsFileError(f"{where[0]}: {where[1]}: found no private key{mend}")
    try:
        context.load_cert_chain(path, where[1], password=lambda: _password(where))
    except OSError as error:
        if b"ENCRYPTED" in of_key and not isinstance(error, FileNotFoundError):
            raise TlsFileError(
                f"{where[0]}: {where[1]}: the password in {PASSWORD} is wrong"
            ) from error
        raise _unusable(certificate, where, error) from error


def _password(where: tuple[str, str]) -> str:
    """Return the password of a key; without one OpenSSL would ask at the terminal."""
    password = os.environ.get(PASSWORD)
    if password is None:
        name, path = where
        raise TlsFileError(f"{name}: {path} is encrypted; set {PASSWORD} to its password")
    return password


def _unusable(certificate: tuple[str, str], key: tuple[str, str], error: OSError) -> TlsFileError:
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return TlsFileError(f"key: the key of {key[1]} is not that of {certificate[1]}")
    if not reason and error.errno:
        return TlsFileError(f"{certificate[0]}: {in_words(error)}")
    text = reason.lower().replace("_", " ") or "damaged"
    return TlsFileError(f"{certificate[0]}: {certificate[1]}: cannot be used: {text}")


def _load_pkcs12(context: ssl.SSLContext, name: str, path: str, data: bytes) -> None:
    try:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - of the extra
            Encoding,
            NoEncryption,
            PrivateFormat,
            pkcs12,
        )
    except ImportError as error:
        raise TlsFileError(
            f"{name}: {path} is a PKCS12 file, which needs the package cryptography: pip install "
            "'tailrace[tls]'"
        ) from error
    password = os.environ.get(PASSWORD)
    try:
        key, own, others = pkcs12.load_key_and_certificates(
            data, None if password is None else password.encode()
        )
    except ValueError as error:
        mend = f"set {PASSWORD} to its password" if password is None else f"is {PASSWORD} wrong?"
        raise TlsFileError(f"{name}: {path}: cannot be read; {mend}") from error
    if key is None or own is None:
        raise TlsFileError(f"{name}: {path}: expected a certificate and its key, found no key")
    chain = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    chain += [one.public_bytes(Encoding.PEM) for one in [own, *others]]
    # The module ssl reads files only. This one has mode 0600 and is gone at once.
    with tempfile.NamedTemporaryFile(prefix="tailrace-") as file:
        file.write(b"".join(chain))
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except OSError as error:
            raise _unusable((name, path), (name, path), error) from error


def _trust(context: ssl.SSLContext, name: str, path: str) -> None:
    if _PEM not in _read(name, path):
        raise TlsFileError(f"{name}: {path}: expected certificates in PEM, found none")
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise TlsFileError(f"{name}: {path}: cannot be used: {in_words(error)}") from error
