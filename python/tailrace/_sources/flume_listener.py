"""Sockets that listen, and the descriptors that connections may use."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace._errors import os_reason

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Listener", "Peer", "address_text", "descriptors_for", "peer_of"]

# The connections accepted at once; established connections are served in between.
_ACCEPTS = 32

# Descriptors kept for the process's files and its next accepts.
_RESERVED = _ACCEPTS + 32

# Connections that wait to be accepted, as with Flume's own source.
_BACKLOG = 1_024

# How long no connection is accepted after the system had no descriptor or memory for it.
_PAUSE_S = 0.1

# A peer that vanished without a word is noticed after two minutes of silence.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_MAPPED = "::ffff:"

Peer = tuple[str, int]
"""The address and port of a peer."""


def address_text(peer: Peer) -> str:
    """Return `host:port`, with brackets around IPv6."""
    host, port = peer
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_of(name: tuple[object, ...] | None) -> Peer:
    """Return the address and port of a socket's name; an IPv4 address is shown as such."""
    if not name:
        return "a closed connection", 0
    host, port = str(name[0]), name[1]
    if host.startswith(_MAPPED) and "." in host:
        host = host.removeprefix(_MAPPED)
    return host, port if isinstance(port, int) else 0


def descriptors_for(connections: int) -> int:
    """
    Return for how many connections there are descriptors, at most *connections*.

    The soft limit of the process is raised for them, as far as the hard limit allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    raised = soft + connections + _RESERVED
    if hard != resource.RLIM_INFINITY:
        raised = min(raised, hard)
    # Some systems have a lower limit than they report.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    # A process with few descriptors keeps few for its files.
    free = soft - _open_descriptors()
    return max(1, min(connections, free - min(_RESERVED, free // 2)))


def _open_descriptors() -> int:
    with suppress(OSError):
        return sum(1 for _ in Path("/dev/fd").iterdir())
    return _RESERVED


class Listener:
    """
    Listens on all addresses of a host.

    Args:
        accepted: Called with each accepted socket and its peer.
        may_accept: Returns whether the next one can be accepted or refused now, and not later.
        make_room: Called when no more connections can be accepted; returns whether one was closed.
    """

    def __init__(
        self,
        accepted: Callable[[socket.socket, Peer], None],
        may_accept: Callable[[], bool],
        make_room: Callable[[OSError], bool],
    ) -> None:
        self._accepted = accepted
        self._may_accept = may_accept
        self._make_room = make_room
        self._sockets: list[socket.socket] = []
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}

    async def open(self, host: str, port: int) -> list[Peer]:
        """
        Start listening, and return the addresses.

        Raises:
            OSError: An address cannot be used.
        """
        loop = asyncio.get_running_loop()
        where = f"flume://{address_text((host, port))}"
        try:
            found = await loop.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except socket.gaierror as error:
            raise socket.gaierror(error.errno, f"{where}: {os_reason(error)}") from error
        try:
            for family, address in dict.fromkeys((each[0], each[4]) for each in found):
                self._listen(family, address)
        except OSError as error:
            self.close()
            raise OSError(error.errno, f"{where}: {os_reason(error)}") from error
        for each in self._sockets:
            loop.add_reader(each, self._accept, each)
        return [peer_of(each.getsockname()) for each in self._sockets]

    def _listen(self, family: int, address: tuple[object, ...]) -> None:
        made = socket.socket(family, socket.SOCK_STREAM)
        self._sockets.append(made)
        made.settimeout(0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` is every address of both families; `localhost` has an address of each.
            is_single = address[0] != "::" or not socket.has_dualstack_ipv6()
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_single)
        made.bind(address)
        made.listen(_BACKLOG)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            if not self._may_accept():
                return
            try:
                made, name = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # Otherwise the peer is gone already.
                if error.errno in _NO_ROOM:
                    if not self._make_room(error):
                        self._pause(listening)
                    return
                continue
            made.settimeout(0)
            _keep_alive(made)
            self._accepted(made, peer_of(name))

    def _pause(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        self._pauses[listening] = loop.call_later(_PAUSE_S, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        del self._pauses[listening]
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def close(self) -> None:
        """Stop listening."""
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()
        for each in self._sockets:
            if each.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(each)
                each.close()
        self._sockets.clear()


def _keep_alive(made: socket.socket) -> None:
    # The connection may be lost already, and not every system has these options.
    with suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if (option := getattr(socket, name, None)) is not None:
                made.setsockopt(socket.IPPROTO_TCP, option, value)
