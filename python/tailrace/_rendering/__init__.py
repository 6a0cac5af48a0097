"""A snapshot as text: for people, as JSON, CSV and HTML; nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace._types import LineCounts

__all__ = ["Renderable", "iso"]


class Renderable(Protocol):
    """What is rendered of a `Snapshot`, which renders itself by what is here."""

    start: datetime | None
    end: datetime | None
    keys: int
    total: int
    lines: LineCounts
    by: tuple[str, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Ranked rows: the key and what was asked of it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what rows hold."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def head(self, n: int) -> Self:
        """Return it with its first rows alone."""


def iso(time: datetime | None) -> str | None:
    """Return a time as `2026-01-01T00:00:00Z`."""
    if time is None:
        return None
    text = time.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
