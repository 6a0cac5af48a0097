"""A snapshot as a small table for notebooks; all text is escaped."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

from tailrace._rendering.text import heading, key_text, value_text

if TYPE_CHECKING:
    from tailrace._rendering import Renderable

__all__ = ["table"]


def table(snapshot: Renderable, most: int) -> str:
    """Return a table of at most *most* rows, with the totals of the window as its caption."""
    shown = snapshot.head(most)
    caption = "".join(part.text for part in heading(shown))
    names = snapshot.columns
    lines = ["<table>", f"<caption>{escape(caption)}</caption>", _row("th", [*names])]
    zone = snapshot._layout.tz
    key, value = partial(key_text, zone=zone), partial(value_text, zone=zone)
    texts = {name: key if name in snapshot.by else value for name in names}
    lines += [_row("td", [text(row[name]) for name, text in texts.items()]) for row in shown.rows]
    rest = len(snapshot) - len(shown)
    if rest:
        lines.append(_row("td", ["\u2026", f"{rest:,} more"]))
    return "\n".join([*lines, "</table>"])


def _row(cell: str, values: list[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(value)}</{cell}>" for value in values) + "</tr>"
