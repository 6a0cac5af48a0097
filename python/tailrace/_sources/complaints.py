"""Logs a problem with peers once for each address and kind; then it is only counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

__all__ = ["Complaints"]


class Complaints:
    """
    The problems with the peers of a source.

    The first problem of a kind from an address is logged at once. Later ones are counted, and
    `report` logs their number.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._counts: dict[tuple[str, str], int] = {}

    def say(self, address: str, kind: str, text: str) -> None:
        """
        Log a problem, or count it.

        Args:
            address: The peer's address without its port.
            kind: The same for all problems that count together.
            text: The whole message.
        """
        count = self._counts.get((address, kind))
        self._counts[address, kind] = 0 if count is None else count + 1
        if count is None:
            self._log.warning("%s", text)

    def report(self) -> None:
        """Log how many problems were counted since the last report."""
        for (address, kind), count in self._counts.items():
            if count:
                self._log.warning("%s: %s more times: %s", address, f"{count:,}", kind)
                self._counts[address, kind] = 0
