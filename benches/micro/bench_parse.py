"""Lines to columns: `Format.parse`, into Arrow and into dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from logs import Log

_FORMATS = ["combined", "caddy", "json", "ltsv", "template"]


def _check(batch: tr.Batch, log: Log) -> None:
    """A wrong answer has no speed."""
    expected = [(request.url, int(request.status)) for request in log.requests]
    rows = batch.select(["url", "status"]).to_dicts()
    assert [(row["url"], row["status"]) for row in rows] == expected
    assert batch.rejects == []


@pytest.mark.parametrize("name", _FORMATS)
def bench_parse(name: str, log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Parse lines into all columns of their format."""
    text = log(name)
    parse = tr.Format(text.spec).parse
    _check(parse(text.data), text)
    timed(lambda: parse(text.data), group="parse to columns", lines=len(text))


def bench_parse_url(log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Parse one column of combined lines."""
    text = log("combined")
    parse = tr.Format(text.spec).parse
    found = parse(text.data, fields=["url"]).to_dicts()
    assert [row["url"] for row in found] == [request.url for request in text.requests]
    timed(lambda: parse(text.data, fields=["url"]), group="parse to columns", lines=len(text))


def bench_arrow(log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Hand columns to Arrow by the C stream interface."""
    text = log("combined")
    batch = tr.Format(text.spec).parse(text.data)
    table = pa.table(batch)
    assert table.column("url").to_pylist() == [request.url for request in text.requests]
    timed(lambda: pa.table(batch), group="columns out", lines=len(text))


def bench_to_dicts(log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Turn columns into dictionaries."""
    text = log("combined")
    batch = tr.Format(text.spec).parse(text.data)
    _check(batch, text)
    timed(batch.to_dicts, group="columns out", lines=len(text))
