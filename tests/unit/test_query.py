"""The one answer of a query, what it shows of itself, and the values of its rows."""

import copy
import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import tailrace as tr


def line(minute: int, url: str = "/a", size: object = 5) -> str:
    stamp = f"17/May/2015:10:{minute:02}:03 +0000"
    return f'1.2.3.4 - - [{stamp}] "GET {url} HTTP/1.1" 200 {size} "-" "x"'


LINES = [line(5), line(5, "/b"), line(7), line(9)]


def query(lines: list[str] = LINES) -> tr.Query:
    return tr.from_lines(lines, format="combined").count(by="url")


# --- one answer -----------------------------------------------------------------------------------


def test_collect_returns_the_snapshot_of_a_query_without_a_window() -> None:
    snapshot = query().collect()

    assert [snapshot] == list(query().run())
    assert snapshot.rows == [{"url": "/a", "count": 3}, {"url": "/b", "count": 1}]
    assert snapshot.lines["fed"] == 4


def test_collect_returns_one_of_nothing_too() -> None:
    snapshot = query([]).collect()

    assert (snapshot.start, snapshot.end, snapshot.rows) == (None, None, [])


def test_collect_is_not_for_windows() -> None:
    with pytest.raises(ValueError, match="collect: with a window there is a snapshot per slide"):
        query().window("1m").collect()


@pytest.mark.parametrize("jobs", [None, 1, 2])
def test_last_returns_the_last_snapshot(jobs: int | None) -> None:
    windowed = query().window("1m", time="log")

    assert windowed.last(jobs=jobs) == list(windowed.run())[-1]
    assert windowed.last(jobs=jobs).end == datetime(2015, 5, 17, 10, 10, tzinfo=UTC)
    assert query().last(jobs=jobs) == query().collect(jobs=jobs)


def test_last_of_several_lengths_is_that_of_the_last_length() -> None:
    snapshot = query().window(["1m", "1h"], time="log").last()

    assert (snapshot.lookback, snapshot.total) == (1, 4)


def test_without_a_snapshot_there_is_no_last_one() -> None:
    with pytest.raises(ValueError, match="last: no snapshot, because no line has a time"):
        query([]).window("1m", time="log").last()


@pytest.mark.parametrize("method", ["collect", "last"])
def test_what_has_no_end_has_no_last_answer(method: str) -> None:
    live = tr.from_flume("127.0.0.1:0").count(by="url")
    with pytest.raises(ValueError, match=f"{method}: a live source has no end"):
        getattr(live, method)()


@pytest.mark.parametrize("method", ["collect", "last"])
def test_a_source_that_cannot_be_read_is_an_error(method: str, tmp_path: Path) -> None:
    missing = tr.from_files(tmp_path / "missing.log", format="combined").count(by="url")
    with pytest.raises(FileNotFoundError):
        getattr(missing, method)()


# --- what it shows of itself ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (tr.from_stdin(), "standard input"),
        (tr.from_files("a.log", "b.log", "c.log"), "a.log, b.log, c.log"),
        (tr.from_files("a.log", "b.log", "c.log", "d.log"), "a.log, b.log, 2 more"),
        (tr.from_flume("h:1").window("5m"), "flume://h:1: window 5m every 5m by arrival"),
        (query().sorted(ascending=True), "lines: count() by url, sorted ascending"),
        (
            tr.from_files("a.log").where("status == 404").until(timedelta(hours=1)),
            "a.log: where status == 404, until 1:00:00",
        ),
        (
            tr.from_files("a.log")
            .agg(by=["url", "host"], n=tr.count(), top=tr.top_values("status"))
            .window(["1m", None], "30s", time="log")
            .top(3, order_by="n"),
            (
                "a.log: n=count(), top=top_values('status', n=3) by url, host, "
                "window 1m, all every 30s by log time, top 3 by n"
            ),
        ),
    ],
)
def test_a_query_shows_what_it_is(query: tr.Query, shown: str) -> None:
    assert repr(query) == f"<tailrace.Query of {shown}>"


def test_answers_show_their_query_and_their_progress() -> None:
    named = f"<tailrace.Answers of {query()!r}: "
    answers = query().run()
    assert repr(answers) == named + "not started, 0 lines read>"
    next(answers)
    assert repr(answers) == named + "reading, 4 lines read>"
    answers.close()
    assert repr(answers) == named + "closed, 4 lines read>"
    assert repr(tr.from_lines(LINES).parse()).startswith("<tailrace.Batches of <tailrace.Query of ")


def test_a_window_shows_what_it_is() -> None:
    window = tr.Window(["1m", None], "30s", by=["a", "b"], aggregates={"p99": tr.quantile(0.99)})
    assert repr(window) == "<tailrace.Window of 1m, all every 30s: p99=quantile(0.99) by a, b>"
    assert repr(tr.Window(60, by=None)) == "<tailrace.Window of 1m every 1m: count()>"


def test_records_are_immutable_values_and_no_tuples() -> None:
    one, other = tr.sum("size"), tr.sum("size")
    assert one == other
    assert len({one, other, tr.sum("time")}) == 2
    assert one != ("sum", ("size",), 0.0, 0.0)
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == one  # noqa: S301 - ours
    for change in (lambda: setattr(one, "function", "max"), lambda: delattr(one, "function")):
        with pytest.raises(AttributeError, match="Aggregate is immutable: 'function'"):
            change()
    (reject,) = tr.Format("combined").parse(b"no").rejects
    assert repr(reject) == (
        f"Reject(line=0, byte=2, reason='no-match', expected={reject.expected!r})"
    )
    assert repr(tr.detect(b"")).startswith("Detection(format='combined', matched=0, lines=0, ")


# --- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_iterates_over_its_rows() -> None:
    snapshot = query().collect()

    assert list(snapshot) == snapshot.rows
    frame = pd.DataFrame(snapshot)
    assert frame.columns.tolist() == ["url", "count"]
    assert frame.to_dict("records") == snapshot.rows


def test_times_of_keys_and_aggregates_are_datetimes_as_the_bounds_are() -> None:
    times = {"least": tr.min("time"), "most": tr.max("time"), "often": tr.top_values("time", 1)}
    of_times = tr.from_lines(LINES, format="combined").agg("time", **times)
    snapshot = of_times.top(1, ascending=True).collect()
    time = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)
    row = {"time": time, "least": time, "most": time, "often": [{"value": time, "count": 2}]}

    assert snapshot.rows == [row]
    assert snapshot.to_dicts() == [{"start": snapshot.start, "end": snapshot.end, **row}]
    assert snapshot.to_arrow().to_pylist()[0] == row
    written = json.loads(snapshot.to_json())["rows"][0]
    text = "2015-05-17T10:05:03Z"
    assert written == {
        "time": text, "least": text, "most": text, "often": [{"value": text, "count": 2}],
    }  # fmt: skip
    assert "2015-05-17T10:05:03Z" in str(snapshot)
    (parsed,) = tr.Format("combined").parse(LINES[:1], fields=["time"]).to_dicts()
    assert parsed == {"time": time}


def test_times_keep_their_microseconds_before_the_epoch_too() -> None:
    moments = [
        datetime(1684, 10, 25, 0, 0, 0, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2255, 3, 1, 12, 0, 0, 10, tzinfo=UTC),
    ]
    window = tr.Window(None, "1s", by=None, aggregates={"all": tr.top_values("t", 9)})
    window.add([None] * 3, {"t": moments}, times=[0, 0, 0])
    (row,) = window.snapshot()
    assert sorted(one["value"] for one in row["all"]) == moments


def test_json_has_no_nan_and_no_infinity() -> None:
    window = tr.Window("60s", aggregates={"sum": tr.sum(), "often": tr.top_values()})
    window.add(["a", "b", "c"], [math.inf, math.nan, 1.5], times=[0, 0, 0])
    snapshot = window.snapshot()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    rows = json.loads(snapshot.to_json(), parse_constant=refuse)["rows"]
    assert {row["key"]: row["sum"] for row in rows} == {"a": None, "b": None, "c": 1.5}
    assert [row["often"][0]["value"] for row in rows if row["key"] != "c"] == [None, None]
    # The snapshot itself still has them.
    assert math.inf in [row["sum"] for row in snapshot]


def test_counts_of_lines_are_a_copy() -> None:
    with tr.from_lines([*LINES, "no"], format="combined").parse(["url"]) as batches:
        next(batches)
        batches.lines["rejected"]["no-match"] = 7
        assert batches.lines["rejected"] == {"no-match": 1}
