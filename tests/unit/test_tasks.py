"""Thirty tasks of a user at the terminal: each is one command, and its figures are DuckDB's."""

import gzip
import json
import signal
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import mmdb
import pytest
import shop
from live import COMMAND, TIMEOUT_S, running, wait_for
from terminal import terminal

ROWS = shop.rows()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log, the log in thirty compressed parts, and a database of countries."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "shop.log").write_bytes(shop.shop_log(ROWS))
    for part in range(30):
        some = ROWS[part * 200 : (part + 1) * 200]
        (folder / f"part.{part:02}.gz").write_bytes(gzip.compress(shop.shop_log(some)))
    countries = {"192.0.2.0/24": "DE", "203.0.113.0/24": "SE"}
    records = {network: {"country": {"iso_code": code}} for network, code in countries.items()}
    (folder / "country.mmdb").write_bytes(mmdb.database(records))
    (folder / "empty.log").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)) * 100)
    return folder


@pytest.fixture(scope="module")
def log(folder: Path) -> duckdb.DuckDBPyConnection:
    """The rows of the log as the table `log`."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    path = str(folder / "shop.log")
    connection.execute(
        "create table log as select *, time.left(23)::timestamp as stamp, "
        "string_split(url, '?')[1] as path from read_json(?, columns = {time: 'varchar', "
        "host: 'varchar', method: 'varchar', url: 'varchar', status: 'int', size: 'bigint', "
        "request_time: 'double', upstream: 'varchar', referer: 'varchar', agent: 'varchar'})",
        [path],
    )
    return connection


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=TIMEOUT_S)


# The arguments after the log, and what DuckDB computes; figures of percentiles are near.
# ruff: noqa: ISC004 - queries of several lines
FIGURES: dict[str, tuple[list[str], str]] = {
    "top URLs": (["--by", "url"], "select url, count(*) from log group by 1"),
    "5xx by upstream": (
        ["--by", "upstream", "--where", "status >= 500"],
        "select upstream, count(*) from log where status >= 500 group by 1",
    ),
    "bandwidth by client": (
        ["--by", "host", "--show", "sum(size), count"],
        "select host, sum(size), count(*) from log group by 1",
    ),
    "p99 by path": (
        ["--by", "path", "--show", "p99(request_time)"],
        "select path, quantile_disc(request_time, 0.99) from log group by 1",
    ),
    "requests a minute": (
        ["--by", "time:1m"],
        "select date_trunc('minute', stamp), count(*) from log group by 1 order by 1",
    ),
    "unique visitors": (
        ["--by", "time:1d", "--show", "count_distinct(host)"],
        "select date_trunc('day', stamp), count(distinct host) from log group by 1",
    ),
    "referrers": (
        ["--by", "referer:host"],
        "select nullif(split_part(referer, '/', 3), ''), count(*) from log group by 1",
    ),
    "bots": (
        ["--by", "agent:bot"],
        "select agent like '%Googlebot%' or agent like 'curl%', count(*) from log group by 1",
    ),
    "slowest": (
        ["--by", "method,path", "--show", "max(request_time)"],
        "select method, path, max(request_time) from log group by 1, 2",
    ),
    "range of time": (
        ["--by", "status", "--since", "2026-03-02T09:00Z", "--until", "2026-03-02T09:30Z"],
        "select status, count(*) from log where stamp >= '2026-03-02 09:00' "
        "and stamp < '2026-03-02 09:30' group by 1",
    ),
    "/24": (
        ["--by", "host:/24", "--where", "not host contains ':'"],
        "select regexp_replace(host, '[0-9]+$', '0/24'), count(*) from log "
        "where host not like '%:%' group by 1",
    ),
    "by hour": (
        ["--by", "time:1h", "--show", "count, sum(size)"],
        "select date_trunc('hour', stamp), count(*), sum(size) from log group by 1 order by 1",
    ),
    "by country": (
        ["--by", "host:country", "--geoip", "country.mmdb"],
        "select case when host like '192.%' then 'DE' when host like '203.%' then 'SE' end, "
        "count(*) from log group by 1",
    ),
    "last hour": (
        ["--by", "status", "--last", "1h"],
        "select status, count(*) from log where stamp >= (select max(stamp) from log) "
        "- interval 1 hour group by 1",
    ),
    "share of 5xx by path": (
        ["--by", "path", "--show", "share(status >= 500), count"],
        "select path, avg((status >= 500)::int), count(*) from log group by 1",
    ),
    "bytes by status": (
        ["--by", "status", "--show", "sum(size), share(size)"],
        "select status, sum(size), sum(size) / sum(sum(size)) over () from log group by 1",
    ),
    "comparison with the hour before": (
        ["--by", "status,time:1h", "--since", "2026-03-02T09:00Z"],
        "select status, date_trunc('hour', stamp), count(*) from log "
        "where stamp >= '2026-03-02 09:00' group by 1, 2",
    ),
}


def comparable(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


@pytest.mark.parametrize("task", FIGURES)
def test_the_figures_are_those_of_duckdb(folder: Path, log: duckdb.DuckDBPyConnection, task: str):
    arguments, sql = FIGURES[task]
    done = run(folder, "top", "shop.log", *arguments, "-n", "all", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    keys = arguments[1].count(",") + 1
    rows = [tuple(row.values()) for row in json.loads(done.stdout)["rows"]]
    found = {row[:keys]: list(row[keys:]) for row in rows}
    answer = [tuple(map(comparable, row)) for row in log.sql(sql).fetchall()]
    expected = {row[:keys]: list(row[keys:]) for row in answer}
    assert len(found) == len(rows)
    assert found.keys() == expected.keys() != set()
    tolerance = 0.01 if task == "p99 by path" else 1e-9
    for key, values in found.items():
        assert values == pytest.approx(expected[key], rel=tolerance), key


def test_a_month_of_compressed_files(folder: Path, log: duckdb.DuckDBPyConnection):
    done = run(folder, "top", "part.*.gz", "--by", "status", "--format", "csv")
    found = [tuple(map(int, row.split(b",")[2:])) for row in done.stdout.splitlines()[1:]]
    sql = "select status, count(*) as n from log group by 1 order by n desc, 1"
    assert found == log.sql(sql).fetchall()


def test_parquet_of_the_errors(folder: Path, log: duckdb.DuckDBPyConnection):
    arguments = ["--where", "status >= 500", "--fields", "time,host,size", "--format", "parquet"]
    with (folder / "errors.parquet").open("wb") as out:
        subprocess.run(
            [*COMMAND, "parse", "shop.log", *arguments], cwd=folder, stdout=out, check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    errors = duckdb.read_parquet(str(folder / "errors.parquet"))
    expected = log.sql("from log where status >= 500")
    columns = "count(*), sum(size), count(distinct host)"
    assert errors.aggregate(columns).fetchall() == expected.aggregate(columns).fetchall()


MISTAKES = {
    "wrong option": (["shop.log", "--groupby", "host"], "unknown option '--groupby'"),
    "typo": (["shop.log", "--show", "cuont"], "did you mean count"),
    "missing file": (["nothing.log"], "nothing.log: no such file"),
    "directory": (["."], ".: is a directory; give the files in it, such as ./*"),
    "binary": (["binary"], "binary: "),
}


@pytest.mark.parametrize("task", MISTAKES)
def test_a_mistake_ends_with_2_and_says_what_to_do(folder: Path, task: str):
    arguments, message = MISTAKES[task]
    done = run(folder, "top", *arguments)
    assert (done.stdout, done.returncode) == (b"", 2)
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_an_empty_log_is_said_to_be_empty(folder: Path):
    done = run(folder, "top", "empty.log")
    assert done.returncode == 0
    assert done.stderr.decode() == "tailrace: 0 lines: 0 counted; the input is empty\n"


def combined(row: dict[str, Any]) -> bytes:
    stamp = f"{datetime.fromisoformat(row['time']):%d/%b/%Y:%H:%M:%S %z}"
    request = f'"{row["method"]} {row["url"]} HTTP/1.1" {row["status"]} {row["size"]}'
    return f'{row["host"]} - - [{stamp}] {request} "-" "{row["agent"]}"\n'.encode()


def test_half_a_gigabyte_through_a_pipe(folder: Path, log: duckdb.DuckDBPyConnection):
    block = b"".join(map(combined, ROWS))
    times = 500_000_000 // len(block) + 1
    with subprocess.Popen(
        [*COMMAND, "top", "--by", "status", "--format", "jsonl"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder,
    ) as counting:  # fmt: skip
        assert counting.stdin is not None
        assert counting.stdout is not None
        for _ in range(times):
            counting.stdin.write(block)
        counting.stdin.close()
        found = json.loads(counting.stdout.read())
    counts = dict(log.sql("select status, count(*) from log group by 1").fetchall())
    assert {row["status"]: row["count"] for row in found["rows"]} == {
        status: count * times for status, count in counts.items()
    }


def test_ctrl_c_prints_what_was_counted():
    with running("top", "--by", "status", "--format", "jsonl", stdin=subprocess.PIPE) as counting:
        assert counting.process.stdin is not None
        counting.process.stdin.write(shop.shop_log(ROWS).decode())
        counting.read_all()
        assert counting.end(signal.SIGINT) == 130
    assert counting.snapshots()[-1]["total"] == len(ROWS)


def test_in_a_narrow_terminal_a_row_is_a_line(folder: Path, log: duckdb.DuckDBPyConnection):
    arguments = ["top", str(folder / "shop.log"), "--by", "path"]
    with terminal(*arguments, columns=40, rows=24) as shown:
        wait_for(lambda: "6,000 counted" in " ".join(shown.lines()))
        lines = shown.lines()
    heading = next(place for place, line in enumerate(lines) if line.startswith("count"))
    rows = [line.split() for line in lines[heading + 1 :]]
    sql = "select path, count(*) from log group by 1 order by 2 desc, 1"
    assert [(row[-1], int(row[0])) for row in rows[:7]] == log.sql(sql).fetchall()
    assert rows[7][::3] == ["6,000", "total"]


def test_an_alert_through_a_pipe_gets_finished_answers_under_rotation(tmp_path: Path):
    path = tmp_path / "live.log"
    lines = shop.shop_log(ROWS).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3_000]))
    arguments = ["--window", "1m", "--slide", "1m", "--by", "status", "--format", "jsonl"]
    with running(
        "top", "-F", str(path), *arguments, "--time", "log", "--where", "status >= 500"
    ) as live:
        wait_for(lambda: len(live.printed) >= 80)
        path.rename(tmp_path / "live.log.1")
        path.write_bytes(b"".join(lines[3_000:]))
        # The last minute may still get lines.
        wait_for(lambda: len(live.printed) >= 178)
        snapshots = live.snapshots()
    for snapshot in snapshots:
        start, end = snapshot["start"][:19], snapshot["end"][:19]
        expected = sum(row["status"] >= 500 and start <= row["time"][:19] < end for row in ROWS)
        assert snapshot["total"] == expected
