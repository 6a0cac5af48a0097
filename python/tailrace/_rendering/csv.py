r"""
Snapshots as CSV: the window, the key and its columns, one row per key.

Values are quoted as in RFC 4180, but lines end with a newline alone. A missing value is empty,
empty text is `""`. Characters that could control a terminal are written as escapes (`\x1b`), and
so are newlines, so that a row is a line. A backslash is doubled: the text can be read again.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tailrace._rendering import iso, lossy
from tailrace._terminal.escape import for_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._rendering import Renderable

__all__ = ["cell", "header", "rows"]


def header(columns: Sequence[str]) -> str:
    """Return the names of the columns, with a newline."""
    return ",".join(["start", "end", *map(cell, columns)]) + "\n"


def rows(snapshot: Renderable) -> str:
    """Return a line for each row of the snapshot, each with a newline."""
    window = f"{iso(snapshot.start) or ''},{iso(snapshot.end) or ''}"
    return "".join(f"{window},{','.join(map(cell, row.values()))}\n" for row in snapshot.rows)


def cell(value: Any) -> str:  # noqa: ANN401 - a key or any aggregate
    """Return a name or a value as it is in a line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return iso(value) or ""
    if isinstance(value, list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)
    if isinstance(value, bytes):
        value = lossy(value)
    text = for_csv(value)
    if text and "," not in text and '"' not in text:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _text(value: Any) -> str:  # noqa: ANN401 - a value in a list that JSON does not have
    return iso(value) or "" if isinstance(value, datetime) else lossy(value)
