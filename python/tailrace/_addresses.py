"""Addresses that users write: `flume://HOST:PORT?NAME=VALUE&NAME=VALUE`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace._sources.flume_guard import GuardSpec

__all__ = ["FLUME", "Listening", "listening", "sender_header", "split_address", "split_options"]

FLUME = "flume://"

_LISTENING = {
    "sender": "header:host",
    "tls": "server.pem",
    "key": "server.key",
    "clients": "ca.pem",
    "deflate": "on",
    "plain": "allow",
    "ipFilterRules": "allow:ip:10.*,deny:ip:*",
}


class Listening(NamedTuple):
    """An address to listen on for Flume agents."""

    address: tuple[str, int]
    sender_header: str | None
    """The header that names the sender of an event."""
    guard: GuardSpec | None
    """What is demanded of peers; None for nothing."""


def listening(text: str) -> Listening:
    """
    Return the parts of an address to listen on, with or without `flume://`.

    >>> listening("127.0.0.1:9092?sender=header:host")
    Listening(address=('127.0.0.1', 9092), sender_header='host', guard=None)
    """
    base, options = split_options(text, _LISTENING)
    header = None
    if "sender" in options:
        header = sender_header(options["sender"], "address: sender")
    if isinstance(base, str):
        base = base.removeprefix(FLUME)
    guard = None
    if options.keys() - {"sender"}:
        from tailrace._sources.flume_guard import GuardSpec  # noqa: PLC0415 - loads ssl

        guard = GuardSpec.of(options)
    return Listening(split_address(base), header, guard)


def split_options(address: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """
    Split the parameters off an address; `%26` in a value is `&`.

    Args:
        address: The address.
        known: The parameters that it may have, each with an example of its value.

    >>> split_options("127.0.0.1:9999?batch=50", {"batch": "100"})
    ('127.0.0.1:9999', {'batch': '50'})
    """
    if not isinstance(address, str) or "?" not in address:
        return address, {}
    base, _, query = address.partition("?")
    options: dict[str, str] = {}
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name not in known:
            example = next(iter(known.items()))
            raise ValueError(
                f"address: unknown parameter {name!r:.80}; known: {', '.join(known)}, as in "
                f"{base:.300}?{'='.join(example)}"
            )
        if name in options:
            raise ValueError(f"address: parameter {name} is given twice")
        options[name] = unquote(value)
    return base, options


def sender_header(sender: str, name: str) -> str:
    """
    Return the header that names the sender of an event.

    >>> sender_header("header:host", "sender")
    'host'
    """
    if not isinstance(sender, str):
        raise TypeError(f"{name}: expected header:NAME, such as header:host, found {sender!r:.80}")
    kind, _, header = sender.partition(":")
    if kind != "header" or not header:
        raise ValueError(
            f"{name}: expected header:NAME, such as header:host, found {sender!r:.80}; without "
            "it, a sender is an address"
        )
    return header


def split_address(text: str) -> tuple[str, int]:
    """Split an address into its host and its port."""
    if not isinstance(text, str):
        raise TypeError(f"address: expected text such as '127.0.0.1:9092', found {text!r:.80}")
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")):
        raise ValueError(
            f"address: expected HOST:PORT, such as 127.0.0.1:9092, found {text!r:.300}"
        )
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ValueError(
            f"address {text!r:.300}: expected a port from 1 to 65535, or 0 for any free port, "
            f"found {port!r:.80}"
        )
    return host, int(port)
