"""A snapshot as a small table for notebooks; nothing of a log is taken for a tag."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tailrace._rendering.text import heading, key_text, value_text

if TYPE_CHECKING:
    from tailrace._rendering import Renderable

__all__ = ["table"]


def table(snapshot: Renderable, most: int) -> str:
    """Return at most this many rows, under a caption that says what the window holds."""
    caption = "".join(part.text for part in heading(snapshot))
    shown = snapshot.head(most).rows
    names = snapshot.columns
    lines = ["<table>", f"<caption>{escape(caption)}</caption>", _row("th", [*names])]
    for row in shown:
        said = [key_text if name in snapshot.by else value_text for name in names]
        lines.append(_row("td", [say(row[name]) for say, name in zip(said, names, strict=True)]))
    rest = len(snapshot) - len(shown)
    if rest:
        lines.append(_row("td", ["\u2026", f"{rest:,} more"]))
    return "\n".join([*lines, "</table>"])


def _row(cell: str, values: list[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(value)}</{cell}>" for value in values) + "</tr>"
