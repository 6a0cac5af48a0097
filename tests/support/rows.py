"""Rows as in JSON lines output, for tests that compare the two."""

from datetime import datetime
from typing import Any

Row = dict[str, Any]


def as_json(rows: list[Row]) -> list[Row]:
    """Return rows with each time as ISO 8601 in UTC, with a fraction only if it is not zero."""
    return [{name: _text(value) for name, value in row.items()} for row in rows]


def _text(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    assert value.utcoffset() is not None
    text = value.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
