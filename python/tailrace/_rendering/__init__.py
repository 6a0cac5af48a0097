"""Render a snapshot as a table, JSON, CSV or HTML; nothing here writes to a stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace._types import Layout, LineCounts

__all__ = ["Renderable", "iso", "lossy"]

# What surrogateescape makes of bytes that are not UTF-8.
_BROKEN = re.compile("[\udc80-\udcff]+")


class Renderable(Protocol):
    """The part of a `Snapshot` that rendering needs."""

    start: datetime | None
    end: datetime | None
    keys: int
    total: int
    lines: LineCounts
    by: tuple[str, ...]
    other: int | None
    final: bool
    _layout: Layout

    @property
    def _totals(self) -> dict[str, Any]:
        """The totals of columns over all keys, where they are known."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Ranked rows: each with the key and its aggregates."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the rows."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def head(self, n: int) -> Self:
        """Return a snapshot with only the first *n* rows."""

    def _tail(self, n: int) -> Self:
        """Return a snapshot with only the last *n* rows."""


def iso(time: datetime | None) -> str | None:
    """Return a time as `2026-01-01T00:00:00Z`."""
    if time is None:
        return None
    text = time.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def lossy(text: bytes) -> str:
    r"""
    Return bytes as text, with one U+FFFD for each run of bytes that is not UTF-8.

    >>> lossy(b"a\xff\xfeb\xe2\x80")
    'a\ufffdb\ufffd'
    """
    return _BROKEN.sub("\ufffd", bytes(text).decode(errors="surrogateescape"))
