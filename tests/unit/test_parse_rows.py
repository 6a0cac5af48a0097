"""Rows in line with the lines of an Arrow array; the oracle parses each line alone."""

from typing import Any

import pyarrow as pa
import pytest

from tailrace import _core

Rows = list[dict[str, Any]]

FIELDS = ["host", "time", "url", "status", "size", "agent"]


def line(host: str = "h", agent: str = "x") -> str:
    return f'{host} - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "{agent}"'


def rows(
    lines: object, **options: object
) -> tuple[Rows, list[bool] | None, tuple[Any, ...] | None]:
    """Return the rows, which lines have one, and the first rejected line."""
    given: dict[str, Any] = {
        "format": "combined",
        "fields": FIELDS,
        "reasons": "reason",
        "bad_utf8": "bad",
    }
    table, kept, first = _core.parse_rows(lines, **{**given, "keep_rejected": True, **options})
    arrow = pa.table(table)
    arrow.validate(full=True)
    mask = None if kept is None else pa.table(kept)["kept"].to_pylist()
    return arrow.to_pylist(), mask, first


LINES = pa.array([line("a"), None, "no log line", line("b"), "x" * 65_537] + [line()] * 99)


@pytest.mark.parametrize("fields", [FIELDS, ["url", "time"]])
def test_each_line_has_a_row(fields: list[str]):
    found, kept, first = rows(LINES, fields=fields)

    assert kept is None
    assert first == (2, 11, "no-match", "a time in brackets")
    assert [row["reason"] for row in found] == [None, None, "no-match", None, "too-long"] + [
        None
    ] * 99
    assert [row["url"] for row in found] == ["/a", None, None, "/a", None] + ["/a"] * 99
