"""The ports that a receiver is to listen on."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace._cli.checks import Finding
from tailrace._cli.checks.machine import process_name, user_name
from tailrace._errors import os_reason
from tailrace._sources.flume_listener import address_text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["port"]

# The state of a socket that listens, in /proc/net/tcp.
_LISTEN = "0A"

# The columns of /proc/net/tcp, from 0.
_LOCAL, _STATE, _USER, _INODE = 1, 3, 7, 9

_ANY = {"0.0.0.0", "::"}  # noqa: S104 - looked for, not listened on


def port(source: str, host: str, number: int) -> Iterator[Finding]:
    """Report whether a receiver can listen on this address."""
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        yield Finding(
            "problem",
            "port",
            f"no address of this name: {os_reason(error)}",
            "use an address of this machine, or 0.0.0.0 for all",
            source,
        )
        return
    for family, address in dict.fromkeys((each[0], each[4]) for each in found):
        finding = _bound(source, family, address, number)
        if finding is not None:
            yield finding
            return
    if number == 0:
        yield Finding(
            "warning",
            "port",
            "port 0 is another free port at each start; agents have to know it",
            "give a port, such as 9092",
            source,
        )
        return
    if host in _ANY:
        yield Finding(
            "warning",
            "port",
            "the port is free; the address is a wildcard, so anyone who can reach it can send "
            "events",
            "use one address of this machine, or let a firewall allow only the agents",
            source,
        )
        return
    yield Finding("ok", "port", "the port is free", subject=source)


def _bound(source: str, family: int, address: tuple[object, ...], number: int) -> Finding | None:
    """Bind an address for a moment, without listening; return the problem, if there is one."""
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            is_single = address[0] != "::" or not socket.has_dualstack_ipv6()
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_single)
        try:
            made.bind(address)
        except OSError as error:
            return _problem(source, address, number, error)
    return None


def _problem(source: str, address: tuple[object, ...], number: int, error: OSError) -> Finding:
    where = address_text((str(address[0]), number))
    if error.errno == errno.EADDRINUSE:
        return Finding(
            "problem",
            "port",
            f"{where} is in use{_user_of(number)}; tailrace cannot listen there",
            "stop the program that listens there, or use another port",
            source,
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Finding(
            "problem",
            "port",
            f"{where} needs privileges{_privileged()}",
            "use a higher port, or AmbientCapabilities=CAP_NET_BIND_SERVICE of systemd",
            source,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Finding(
            "problem",
            "port",
            f"{where} is not an address of this machine",
            "use an address of this machine, or 0.0.0.0 for all",
            source,
        )
    return Finding("problem", "port", f"{where}: {os_reason(error)}", "", source)


def _privileged() -> str:
    with suppress(OSError, ValueError):
        first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
        return f": ports below {first} are for root"
    return ": ports below 1024 are for root"


def _user_of(number: int) -> str:
    """Return by which process a port is used, as far as the system shows it."""
    sockets = dict(_listening(number))
    for inode in sockets:
        for process in _processes():
            with suppress(OSError):
                for one in Path(f"/proc/{process}/fd").iterdir():
                    with suppress(OSError):
                        if str(one.readlink()) == f"socket:[{inode}]":
                            return f" by process {process} ({process_name(process)})"
    for user in sockets.values():
        return f" by a process of user {user_name(user)}"
    return ""


def _listening(number: int) -> Iterator[tuple[str, int]]:
    """Yield the sockets that listen on a port, with their users."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                columns = line.split()
                local = columns[_LOCAL].rpartition(":")[2]
                if columns[_STATE] == _LISTEN and int(local, 16) == number:
                    yield columns[_INODE], int(columns[_USER])


def _processes() -> list[int]:
    with suppress(OSError):
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names are enough
    return []
