"""A snapshot as one line of JSON; SEMANTICS.md's names, which only ever grow in number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace._terminal.escape import for_json

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace._rendering import Renderable

__all__ = ["line"]


def line(snapshot: Renderable) -> str:
    """
    Return the snapshot as a line without its newline.

    Times are ISO 8601 in UTC with `Z`, with a fraction only where there is one.
    """
    value = {
        "start": iso(snapshot.start),
        "end": iso(snapshot.end),
        "keys": snapshot.keys,
        "total": snapshot.total,
        "rows": snapshot.rows,
        "lines": snapshot.lines,
    }
    return for_json(_encode(value))


def iso(time: datetime | None) -> str | None:
    """Return a time as `2026-01-01T00:00:00Z`."""
    if time is None:
        return None
    text = time.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def _text(value: Any) -> str:  # noqa: ANN401 - what json hands over
    """Keys that are bytes, which JSON has not."""
    return bytes(value).decode(errors="replace")


# Made once: `json.dumps` makes an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_text).encode
