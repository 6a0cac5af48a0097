"""Lines that cost a backtracking matcher a power of their length, and some that are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAMED", "OWN", "Attack"]

_HEAD = b"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "
_REQUEST = b'"GET /a HTTP/1.1" 200 5 '
_AGENT = _HEAD + _REQUEST + b'"-" "'
_TAIL = b'" 200 5 "-" "x'


@dataclass(frozen=True)
class Attack:
    """A line: a unit, repeated to a size, between a head and a tail."""

    name: str
    head: bytes
    unit: bytes
    tail: bytes = b""
    own: bool = False

    def ends(self) -> Iterator[tuple[str, bytes]]:
        """Yield what may stand last: a quote, and of the named ones no quote too."""
        yield "closed", b'"'
        if not self.own:
            yield "open", b""

    def line(self, size: int, end: bytes) -> bytes:
        """Return a line of at most this size, without its newline."""
        tail = self.tail + end
        count = (size - len(self.head) - len(tail)) // len(self.unit)
        return self.head + self.unit * count + tail


NAMED = [
    Attack('Q: `" `', _AGENT, b'" '),
    Attack('`] "a" ` after `[t`', b"h - u [t", b'] "a" '),
    Attack('C: `" 1 1 " `', _AGENT, b'" 1 1 " '),
    Attack('T: `" 200 5 "-" "`', _AGENT, b'" 200 5 "-" "'),
    Attack('R1: `" 1 ] "x`', _AGENT, b'" 1 ] "x'),
    Attack('D: `" 1 ] " `', _AGENT, b'" 1 ] " '),
    Attack("R6: D, fields behind it", _AGENT, b'" 1 ] " ', b'" 1 "router" "url'),
]

OWN = [
    Attack('`"` in the request', _HEAD + b'"', b'"', _TAIL, own=True),
    Attack('`"` in the referer', _HEAD + b'"GET /a HTTP/1.1" 200 5 "', b'"', b'" "x', own=True),
    Attack('`"` in the agent', _AGENT, b'"', b'" "x', own=True),
    Attack('`" 1` in the request', _HEAD + b'"', b'" 1', _TAIL, own=True),
    Attack('`" 1 x ` in the agent', _AGENT, b'" 1 x ', b'" "x', own=True),
    Attack('`\\"` in the request', _HEAD + b'"', b'\\"', _TAIL, own=True),
    Attack("`]` in the time", b"h - u [", b"]", b'] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack("`[` in the time", b"h - u [", b"[", b'] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack("` [x]x` in the time", b"h - u", b" [x]x", b' [t] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack(
        "`] - 200 5 ` after blanks",
        b"h - u [17/May/2015:10:05:03" + b" " * 500,
        b"] - 200 5 ",
        b'[t] "GET /a HTTP/1.1' + _TAIL,
        own=True,
    ),
    Attack("`€` in the host", b"h", "€".encode(), b" - u [t] " + _REQUEST + b'"-" "x', own=True),
]
