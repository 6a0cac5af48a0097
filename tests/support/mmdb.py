"""
Writes MaxMind DB files, as https://maxmind.github.io/MaxMind-DB/ describes them.

Values are text, numbers (`Number`), maps and lists. What records have in common is written once.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

MARKER = b"\xab\xcd\xefMaxMind.com"

# In a tree of IPv6 addresses, the IPv4 addresses are those of ::/96.
_IPV4_DEPTH = 96

_TEXT, _MAP, _LIST = 2, 7, 11


class Number(NamedTuple):
    """An unsigned integer and the number of its type: 5 for 16 bits, 6 for 32, 9 for 64."""

    value: int
    type: int = 6


def database(
    records: Mapping[str, Any],
    *,
    record_size: int = 24,
    ip_version: int = 6,
    name: str = "Test-Country",
    aliases: Sequence[str] = (),
) -> bytes:
    """
    Return a database of records by network; the smallest network of an address counts.

    In a tree of IPv6, *aliases* are further networks that lead to all IPv4 addresses.
    """
    # A node has two records: another node, the offset of a value, or nothing.
    nodes: list[list[tuple[str, int] | None]] = [[None, None]]
    values = bytearray()
    seen: dict[str, int] = {}
    for network in sorted(map(ip_network, records), key=lambda one: one.prefixlen):
        record = records[str(network)]
        if repr(record) not in seen:
            _write(values, record, seen)
        _put(nodes, _path(network, ip_version), ("value", seen[repr(record)]))
    for alias in map(ip_network, aliases):
        start: tuple[str, int] | None = ("node", 0)
        for _ in range(_IPV4_DEPTH):
            assert start is not None
            assert start[0] == "node"
            start = nodes[start[1]][0]
        _put(nodes, _path(alias, ip_version), start)
    count = len(nodes)
    tree = b"".join(_node([_record(one, count) for one in node], record_size) for node in nodes)
    metadata = {
        "binary_format_major_version": Number(2, 5),
        "binary_format_minor_version": Number(0, 5),
        "build_epoch": Number(1_750_000_000, 9),
        "database_type": name,
        "description": {"en": "A test"},
        "ip_version": Number(ip_version, 5),
        "languages": ["en"],
        "node_count": Number(count),
        "record_size": Number(record_size, 5),
    }
    return tree + bytes(16) + bytes(values) + MARKER + encoded(metadata)


def _path(network: IPv4Network | IPv6Network, ip_version: int) -> list[int]:
    """Return the bits that lead to a network."""
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    above = _IPV4_DEPTH if network.version < ip_version else 0
    return [0] * above + [int(bit) for bit in bits]


def _put(
    nodes: list[list[tuple[str, int] | None]], path: list[int], found: tuple[str, int] | None
) -> None:
    at = 0
    for bit in path[:-1]:
        below = nodes[at][bit]
        if below is None or below[0] == "value":
            # A larger network keeps its value in both halves.
            nodes.append([below, below])
            below = nodes[at][bit] = ("node", len(nodes) - 1)
        at = below[1]
    nodes[at][path[-1]] = found


def _record(record: tuple[str, int] | None, count: int) -> int:
    if record is None:
        return count
    return record[1] if record[0] == "node" else count + 16 + record[1]


def _node(records: Sequence[int], record_size: int) -> bytes:
    left, right = records
    if record_size == 28:
        middle = (left >> 24) << 4 | right >> 24
        low = [(one & 0xFFFFFF).to_bytes(3, "big") for one in (left, right)]
        return low[0] + bytes([middle]) + low[1]
    return left.to_bytes(record_size // 8, "big") + right.to_bytes(record_size // 8, "big")


def encoded(value: Any) -> bytes:  # noqa: ANN401 - as JSON has them
    """Return a value as the data section has it."""
    out = bytearray()
    _write(out, value, None)
    return bytes(out)


def _write(out: bytearray, value: Any, seen: dict[str, int] | None) -> None:  # noqa: ANN401 - as above
    """Append a value; what it has in common with earlier ones, as pointers to these."""
    if seen is not None:
        if repr(value) in seen:
            out += _pointer(seen[repr(value)])
            return
        seen[repr(value)] = len(out)
    if isinstance(value, str | Number):
        if isinstance(value, str):
            kind, data = _TEXT, value.encode()
        else:
            kind = value.type
            data = value.value.to_bytes((value.value.bit_length() + 7) // 8, "big")
        out += _control(kind, len(data)) + data
        return
    out += _control(_LIST if isinstance(value, list) else _MAP, len(value))
    parts = value if isinstance(value, list) else [one for pair in value.items() for one in pair]
    for part in parts:
        _write(out, part, seen)


def _pointer(offset: int) -> bytes:
    """Return a pointer to an offset below 526,336."""
    if offset < 2_048:
        return bytes([1 << 5 | offset >> 8, offset & 0xFF])
    offset -= 2_048
    return bytes([1 << 5 | 1 << 3 | offset >> 16, offset >> 8 & 0xFF, offset & 0xFF])


def _control(kind: int, size: int) -> bytes:
    assert size < 285
    first, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind > _MAP:
        return bytes([first, kind - _MAP]) + more
    return bytes([kind << 5 | first]) + more
