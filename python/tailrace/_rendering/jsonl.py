"""A snapshot as one line of JSON; its names are stable, later versions only add some."""

from __future__ import annotations

import json
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from tailrace._rendering import iso, lossy
from tailrace._terminal.escape import for_json

if TYPE_CHECKING:
    from tailrace._rendering import Renderable

__all__ = ["line"]


def line(snapshot: Renderable) -> str:
    """
    Return the snapshot as a line without its newline.

    Times are ISO 8601 in UTC with `Z`, with a fraction only if it is not zero. NaN and infinities
    are null.
    """
    value = {
        "start": iso(snapshot.start),
        "end": iso(snapshot.end),
        **({} if snapshot.final else {"final": False}),
        "keys": snapshot.keys,
        "total": snapshot.total,
        "rows": snapshot.rows,
        "lines": snapshot.lines,
    }
    try:
        return for_json(_encode(value))
    except ValueError:
        return for_json(_encode(_finite(value)))


def _plain(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON does not have
    """Return a time or a key of bytes as text."""
    return iso(value) if isinstance(value, datetime) else lossy(value)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any part of a snapshot
    """Return it with null in place of NaN and infinities."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


# Created once: `json.dumps` creates an encoder for each call. It raises on NaN and infinities, so
# only the rare snapshot with one is searched for them.
_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False
).encode
