"""How users call the package; never run, only checked for types."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

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


def rows(snapshot: tr.Snapshot) -> tuple[datetime | None, str, int]:
    for row in snapshot.rows:
        print(row["url"], row["count"])
    return snapshot.end, snapshot.to_json(), snapshot.lines["fed"]


def dicts(snapshot: tr.Snapshot) -> tuple[list[str], str, str]:
    names = [str(row["url"]) for row in snapshot.to_dicts() if row["end"] > row["start"]]
    return names, repr(snapshot), snapshot._repr_html_()


def lines() -> tr.Query:
    query = tr.from_lines(["a", b"b"]).where("status >= 500").since("10m").until(1.5e9)
    query = query.since(timedelta(hours=1)).until(datetime.now(UTC))
    return query.count(by="status").top(3)


def stdin() -> tr.Query:
    return tr.from_stdin(format="combined").window("1h", every="15m", batch_interval="1s")


def window() -> list[tr.Snapshot]:
    w = tr.Window("1h", every="15m", top=5, lateness=0.5)
    w.add(["a", None], times=[0, datetime.now(UTC)])
    answers: tr.Snapshots = w.advance(datetime.now(UTC))
    return [*answers, w.snapshot(), *w.finish(), *w.advance(1.5)]


def aggregates() -> tr.Query:
    query = tr.from_files("access.log").window(["1m", timedelta(hours=1), None], every=60)
    query = query.agg(by=["url", "status"], hits=tr.count(), p99=tr.quantile("size", 0.99))
    return query.max_keys(1_000).top(5, order_by="p99", ascending=True, track_ranks=True)


def sensors(table: object) -> list[dict[str, object]]:
    asked = {"mean": tr.mean(), "spread": tr.std()}
    w = tr.Window(None, every="15m", aggregates=asked, order_by="mean", max_keys=10, late="keep")
    w.add(table, times="time")
    w.add(["a"], [1.5], times=[0])
    snapshot = w.snapshot()
    print(snapshot.by, snapshot.columns, snapshot.other, snapshot.dropped, snapshot.lookback)
    return w.take_late()


def parse(data: bytes) -> list[str]:
    log_format = tr.Format("combined")
    batch: tr.Batch = log_format.parse(memoryview(data), fields=["url", *log_format.fields])
    return [f"{reject.line} {reject.byte} {reject.reason}" for reject in batch.rejects] + [
        str(row["url"]) for row in batch.to_dicts()
    ]


def rows_of_files() -> list[tuple[str | None, int]]:
    with tr.from_files("access.log").since("1h").parse(["url"], jobs=2) as batches:
        return [(batch.source, batch.first_line) for batch in batches]


async def awaited() -> int:
    query = tr.from_files("access.log", follow=True).window("5m", every="1s", idle_timeout="30s")
    async with query.count(by="url").run() as answers:
        async for snapshot in answers:
            return snapshot.total + answers.lines["fed"]
    return 0


def several() -> tr.Answers:
    both = tr.merge(tr.from_flume("a:1", "b:2"), tr.from_files("c.log", format="common"))
    with both.window("5m", time="log").count(by="url").run() as answers:
        print(next(answers))
    return both.window("5m").count(by="url").run()


def errors() -> type[tr.TailraceError]:
    return tr.ProtocolError
