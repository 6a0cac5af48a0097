"""Logs a problem with peers once for each address and kind; then it is only counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["Complaints"]

# The pairs of an address and a kind that are counted apart. An attacker has more addresses than a
# log has readers, so further ones are counted by their kind alone.
MAX_PAIRS = 1_000

# The addresses that are remembered between two reports, to report how many there were.
MAX_ADDRESSES = 10_000

# The problems logged at once between two reports, the lines of addresses in a report, and those of
# kinds.
MAX_LINES = 8


class _Others:
    """The problems of a kind that are counted without their address."""

    __slots__ = ("addresses", "count", "has_more")

    def __init__(self) -> None:
        self.count = 0
        self.addresses: set[str] = set()
        self.has_more = False


class Complaints:
    """
    The problems with the peers of a source.

    The first problem of a kind from an address is logged at once. Later ones are counted, and
    `report` logs their number. Memory and lines are limited, whatever peers do.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        # How many problems of each address and kind were not logged since the last report.
        self._counts: dict[tuple[str, str], int] = {}
        self._others: dict[str, _Others] = {}
        self._lines = 0
        self._remembered = 0

    def say(self, address: str, kind: str, text: str) -> None:
        """
        Log a problem, or count it.

        Args:
            address: The peer's address without its port.
            kind: The same for all problems that count together.
            text: The whole message.
        """
        pair = address, kind
        if (count := self._counts.get(pair)) is not None:
            self._counts[pair] = count + 1
        elif self._lines >= MAX_LINES:
            self._count_other(address, kind, 1)
        else:
            if len(self._counts) >= MAX_PAIRS:
                self._forget()
            self._counts[pair] = 0
            self._lines += 1
            self._log.warning("%s", text)

    def report(self) -> bool:
        """Log how many problems were counted since the last report; return whether any were."""
        counted = [(count, pair) for pair, count in self._counts.items() if count]
        # The most frequent ones; the rest is counted by kind.
        counted.sort(key=lambda each: each[0], reverse=True)
        for place, (count, (address, kind)) in enumerate(counted):
            if place < MAX_LINES:
                times = "1 more time" if count == 1 else f"{count:,} more times"
                self._log.warning("%s: %s: %s", address, times, kind)
            else:
                self._count_other(address, kind, count)
            self._counts[address, kind] = 0
        for kind, others in self._others.items():
            known = len(others.addresses)
            addresses = "1 other address" if known == 1 else f"{known:,} other addresses"
            if others.has_more:
                addresses = f"more than {addresses}"
            connections = "1 connection" if others.count == 1 else f"{others.count:,} connections"
            self._log.warning("… and %s from %s: %s", connections, addresses, kind)
        has_counted = bool(counted or self._others)
        self._others.clear()
        self._lines = self._remembered = 0
        return has_counted

    def _count_other(self, address: str, kind: str, count: int) -> None:
        """Count problems by their kind alone; too many kinds share one."""
        if kind not in self._others and len(self._others) >= MAX_LINES - 1:
            kind = "other problems"
        others = self._others.setdefault(kind, _Others())
        others.count += count
        if address not in others.addresses:
            if self._remembered < MAX_ADDRESSES:
                others.addresses.add(address)
                self._remembered += 1
            else:
                others.has_more = True

    def _forget(self) -> None:
        """Count the oldest pair by its kind alone; if it occurs again, it is new."""
        address, kind = pair = next(iter(self._counts))
        if count := self._counts.pop(pair):
            self._count_other(address, kind, count)
