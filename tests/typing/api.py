"""How users call the package; never run, only checked for types by mypy and pyright."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, assert_type
from zoneinfo import ZoneInfo

import numpy as np

import tailrace as tr


def print_top() -> None:
    tr.from_flume("localhost:9092").window("300s", every="1s").count(by="url").top(10).run(print)


def iterate() -> list[int]:
    query = tr.from_files("access.log", Path("other.log"), format="classic")
    snapshots: Iterator[tr.Snapshot] = (
        query.window(timedelta(minutes=5), every=1, time="log", lateness="5s")
        .count(by="host")
        .sorted()
        .run()
    )
    return [snapshot.total for snapshot in snapshots]


def collected() -> tuple[int, str]:
    snapshot = tr.from_files("access.log").count(by="url").collect(jobs=2)
    last = tr.from_files("access.log").window("5m").count(by=["url", "status"]).last()
    assert_type(last, tr.Snapshot)
    return snapshot.total + last.keys, repr(last)


def rows(snapshot: tr.Snapshot) -> tuple[str, str, int]:
    for row in snapshot:
        print(row["url"], row["count"], len(snapshot.rows))
    # With a window there are bounds, and no caller has to check.
    length: timedelta = snapshot.end - snapshot.start
    return f"{snapshot.end.isoformat()} {length}", snapshot.to_json(), snapshot.lines["fed"]


def bounds(snapshot: tr.Snapshot) -> datetime | None:
    return None if snapshot.end is None else snapshot.end


def dicts(snapshot: tr.Snapshot) -> tuple[list[str], str, str]:
    names = [str(row["url"]) for row in snapshot.to_dicts() if row["end"] > row["start"]]
    return names, repr(snapshot.head(3)), snapshot._repr_html_()


def counters(lines: tr.LineCounts) -> int:
    rejected = sum(lines["rejected"].values())
    return lines["counted"] + lines["late"] + lines["filtered"] + rejected


def zones() -> list[tr.Query]:
    berlin = ZoneInfo("Europe/Berlin")
    tr.Format("common", tz=UTC).parse(b"")
    assert_type(tr.Format("common", tz="+02:00").tz, tzinfo | None)
    return [
        tr.from_files("access.log", tz=berlin).since("10:30"),
        tr.from_stdin(tz="Europe/Berlin"),
        tr.from_lines([], tz=timezone(timedelta(hours=2))),
        tr.from_flume("localhost:9092", tz=None, sender="header:host"),
    ]


def lines() -> tr.Query:
    query = tr.from_lines(["a", b"b"]).where("status >= 500").since("10m").until(1.5e9)
    query = query.since(timedelta(hours=1)).until(datetime.now(UTC))
    return query.count(by="status").top(3)


def stdin() -> tr.Query:
    return tr.from_stdin(format="combined").window("1h", every="15m", batch_interval="1s")


def window() -> list[tr.Snapshot]:
    w = tr.Window("1h", every="15m", top=5, lateness=0.5, order_by="count", track_ranks=True)
    w.add(["a", None], times=[0, datetime.now(UTC)])
    answers: tr.Snapshots = w.advance(datetime.now(UTC))
    return [*answers, w.snapshot(), *w.finish(), *w.advance(1.5)]


def merged(path: Path) -> tr.Window:
    whole = tr.Window("60s")
    whole.merge(path.read_bytes())
    whole.merge(tr.Window("60s"))
    whole.merge(tr.Window("60s").export_table())
    return whole


def aggregates() -> tr.Query:
    query = tr.from_files("access.log").window(["1m", timedelta(hours=1), None], every=60)
    query = query.agg(by=["url", "status"], hits=tr.count(), p99=tr.quantile("size", 0.99))
    return query.max_keys(1_000).top(5, order_by="p99", ascending=True, track_ranks=True)


def every_aggregate() -> dict[str, tr.Aggregate]:
    return {
        "count": tr.count(),
        "count_distinct": tr.count_distinct("host"),
        "approx_count_distinct": tr.approx_count_distinct("host", error=0.01),
        "sum": tr.sum("size"),
        "mean": tr.mean("size"),
        "min": tr.min("time"),
        "max": tr.max("time"),
        "first": tr.first("url"),
        "last": tr.last("url"),
        "std": tr.std("size"),
        "var": tr.var("size"),
        "rate": tr.rate(),
        "ratio": tr.ratio("size", "duration"),
        "share": tr.share(),
        "of_sum": tr.share("size"),
        "quantile": tr.quantile(0.5),
        "top_values": tr.top_values("status", n=5),
    }


def sensors(table: object) -> list[dict[str, object]]:
    computed = {"mean": tr.mean(), "spread": tr.std()}
    w = tr.Window(None, every="15m", aggregates=computed, order_by="mean", max_keys=10, late="keep")
    w.add(table, times="time")
    w.add(["a"], [1.5], times=[0])
    snapshot = w.snapshot()
    print(snapshot.by, snapshot.columns, snapshot.other, snapshot.dropped, snapshot.lookback)
    return w.take_late()


def parse(data: bytes) -> list[str]:
    log_format = tr.Format("combined")
    batch: tr.Batch = log_format.parse(memoryview(data), fields=["url", *log_format.fields])
    kinds = log_format.kinds
    return [f"{reject.line} {reject.byte} {reject.reason}" for reject in batch.rejects] + [
        str(row["url"]) for row in batch.select(["url"]).to_dicts() if kinds["url"] == "text"
    ]


def detected(data: bytes) -> tuple[str, int, str | None]:
    found: tr.Detection = tr.detect(data, fields=["url"])
    return found.format, found.matched, found.runner_up


def rows_of_files() -> list[tuple[str | None, int]]:
    with tr.from_files("access.log").since("1h").parse(["url"], jobs=2) as batches:
        counted: int = batches.lines["counted"]
        print(counted)
        return [(batch.source, batch.first_line) for batch in batches]


async def awaited() -> int:
    query = tr.from_files("access.log", follow=True).window("5m", every="1s", idle_timeout="30s")
    async with query.count(by="url").run() as answers:
        async for snapshot in answers:
            return snapshot.total + answers.lines["fed"]
    return 0


def several() -> tr.Answers:
    tr.from_flume("a:1").window("5m", time="header", max_behind=timedelta(days=7))
    both = tr.merge(tr.from_flume("a:1", "b:2"), tr.from_files("c.log", format="common"))
    with both.window("5m", time="log").count(by="url").run() as answers:
        print(next(answers))
    return both.window("5m").count(by="url").run()


def errors() -> type[tr.TailraceError]:
    return tr.ProtocolError


def callback() -> Callable[[tr.Snapshot], Any]:
    return lambda snapshot: snapshot.total


def frames(snapshot: tr.Snapshot, batch: tr.Batch) -> list[dict[str, Any]]:
    print(snapshot.to_pandas(bounds=True), snapshot.to_polars(), snapshot.to_arrow(bounds=False))
    print(batch.to_pandas(), batch.to_polars(), batch.to_arrow(), [row["url"] for row in batch])
    return snapshot.to_dicts(bounds=False)


def times_of_numpy(moment: np.datetime64, span: np.timedelta64) -> tr.Query:
    w = tr.Window(span, every=span, lateness=span)
    w.add(["a"], times=[moment])
    w.advance(moment)
    query = tr.from_files("access.log").window([span], every=span).since(span).until(moment)
    return query.count(by="url")
