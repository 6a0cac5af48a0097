"""`--last`: one answer over the lines from the newest time, less a length, to that time."""

import bz2
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND, TIMEOUT_S, running
from places import LOG
from profiles import examples

import tailrace as tr
from tailrace._errors import SourceError
from tailrace._sources import text

SECOND = 10**6
BASE = 1_700_000_000 * SECOND


def at(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def iso(us: int) -> str:
    return f"{at(us):%Y-%m-%dT%H:%M:%S.%f}Z"


def recount(logs: list[list[tuple[int | None, str]]], length_us: int) -> dict[str, Any]:
    """Return the answer of a recount; a time of None is missing, of -1 its line is broken."""
    lines = [one for log in logs for one in log]
    times = [time for time, _ in lines if time is not None and time >= 0]
    start, end = (max(times) - length_us, max(times)) if times else (None, None)
    found = Counter(
        key for time, key in lines if start is not None and time is not None and time >= start
    )
    rejected = {
        "no-match": sum(time == -1 for time, _ in lines),
        "no-time": sum(time is None for time, _ in lines),
    }
    return {
        "start": None if start is None else at(start),
        "end": None if end is None else at(end),
        "rows": sorted(found.items(), key=lambda row: (-row[1], row[0])),
        "lines": {
            "fed": len(lines),
            "counted": sum(found.values()),
            "late": 0,
            "filtered": len(times) - sum(found.values()),
            "rejected": {reason: count for reason, count in rejected.items() if count},
        },
    }


def written(log: list[tuple[int | None, str]], spec: str) -> bytes:
    """Return a CSV log; a line with too few columns is broken."""
    rows = ["time,key\n"] if spec == "csv" else []
    for time, key in log:
        rows.append("broken\n" if time == -1 else f"{'' if time is None else iso(time)},{key}\n")
    return "".join(rows).encode()


def answer(query: tr.Query, length_us: int, jobs: int | None = None) -> dict[str, Any]:
    query = query._last_of_log(length_us).count(by="key").sorted()
    snapshot = query.collect(jobs=jobs)
    return {
        "start": snapshot.start,
        "end": snapshot.end,
        "rows": [(row["key"], row["count"]) for row in snapshot.rows],
        "lines": snapshot.lines,
    }


class Pipes:
    """Pipes with these contents, each with a thread that writes."""

    def __init__(self, contents: list[bytes]) -> None:
        self.reading = []
        self.threads = []
        for content in contents:
            reading, writing = os.pipe()
            self.reading.append(reading)
            self.threads.append(threading.Thread(target=self.write, args=(writing, content)))
            self.threads[-1].start()

    @staticmethod
    def write(writing: int, content: bytes) -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    @property
    def paths(self) -> list[str]:
        return [f"/dev/fd/{reading}" for reading in self.reading]

    def close(self) -> None:
        for reading in self.reading:
            os.close(reading)
        for thread in self.threads:
            thread.join()


# Many equal times, and both ends of the range among them.
STEP = st.sampled_from([0, 1, 2, 3, 5, 10, 50, 99, 100, 101, 200])
LINE = st.tuples(
    st.one_of(STEP.map(lambda step: BASE + step), st.just(None), st.just(-1)),
    st.sampled_from(["a", "b", "c"]),
)


@examples(200)
@given(
    logs=st.lists(st.lists(LINE, max_size=60), min_size=1, max_size=3),
    length=st.sampled_from([1, 2, 50, 99, 100, 101, 10**9]),
    chunk=st.sampled_from([40, 100, 2**20]),
    packed=st.sampled_from([bytes, gzip.compress, bz2.compress]),
    spec=st.sampled_from(["csv", "csv:time:iso,key"]),
)
def test_a_recount_gives_the_same(
    logs: list[list[tuple[int | None, str]]],
    length: int,
    chunk: int,
    packed: Callable[[bytes], bytes],
    spec: str,
):
    expected = recount(logs, length)
    contents = [written(log, spec) for log in logs]
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(text, "_CHUNK_BYTES", chunk)
        patch.setattr(text, "_CHUNK_LINES", max(chunk // 30, 1))
        paths = [Path(folder, str(number)) for number in range(len(logs))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(packed(content))
        assert answer(tr.from_files(*paths, format=spec), length) == expected
        assert answer(tr.from_files(*paths[::-1], format=spec), length, jobs=3) == expected
        lines = [content.splitlines(keepends=True) for content in contents]
        held = tr.merge(*(tr.from_lines(some, format=spec) for some in lines))
        assert answer(held, length) == expected
        pipes = Pipes([packed(content) for content in contents])
        try:
            assert answer(tr.from_files(*pipes.paths, format=spec), length) == expected
        finally:
            pipes.close()


def run(
    *arguments: str, stdin: bytes | int = b"", env: dict[str, str] | None = None
) -> tuple[bytes, str, int]:
    fed: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    command = [*COMMAND, *arguments]
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=TIMEOUT_S, env=env, **fed
    )
    return done.stdout, done.stderr.decode(), done.returncode


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real log with shuffled lines, of several chunks, with a broken line."""
    path = tmp_path_factory.mktemp("last") / "access.log"
    lines = gzip.decompress(LOG.read_bytes()).splitlines(keepends=True)
    random.Random(1).shuffle(lines)  # noqa: S311 - the same order every time
    path.write_bytes(b"".join(lines))
    return path


def in_last_hour(log: Path) -> list[dict[str, Any]]:
    """Return the lines of the last hour as `parse` prints them without a range."""
    rows = [json.loads(row) for row in run("parse", str(log))[0].splitlines()]
    newest = max(row["time"] for row in rows)
    assert newest == "2015-05-20T21:05:59Z"
    return [row for row in rows if row["time"] >= "2015-05-20T20:05:59Z"]


SUMMARY = "tailrace: 10,000 lines: 88 counted, 9,911 filtered, 1 rejected (1 no-match)\n"


def test_text_jsonl_and_csv_show_the_range(log: Path):
    urls = Counter(row["url"] for row in in_last_hour(log))
    out, errors, code = run("top", str(log), "--last", "1h", "--format", "jsonl", "-n", "all")
    found = json.loads(out)
    assert (found["start"], found["end"]) == ("2015-05-20T20:05:59Z", "2015-05-20T21:05:59Z")
    assert {row["url"]: row["count"] for row in found["rows"]} == urls
    assert found["lines"] == {
        "fed": 10_000, "counted": 88, "late": 0, "filtered": 9_911, "rejected": {"no-match": 1},
    }  # fmt: skip
    detected = f"tailrace: {log}: format combined, the first 1,000 lines all match\n"
    assert (errors, code) == (detected + SUMMARY, 0)
    out = run("top", str(log), "--last", "60m", "--format", "csv", "-n", "1")[0]
    assert out.decode() == (
        "start,end,url,count\n"
        "2015-05-20T20:05:59Z,2015-05-20T21:05:59Z,/blog/tags/puppet?flav=rss20,6\n"
    )
    out = run("top", str(log), "--last", "1h", "-n", "1")[0]
    assert b" 1 rejected, 2015-05-20 20:05:59 to 21:05:59 UTC\n" in out


def test_the_newest_line_counts_although_a_condition_excludes_it(log: Path):
    rows = [row for row in in_last_hour(log) if row["status"] == 404]
    out = run("top", str(log), "--last", "1h", "--where", "status == 404", "--format", "jsonl")[0]
    found = json.loads(out)
    assert found["end"] == "2015-05-20T21:05:59Z"
    assert found["total"] == len(rows)
    assert found["lines"]["counted"] + found["lines"]["filtered"] == 9_999


@pytest.mark.parametrize("output", ["jsonl", "csv", "text", "arrow", "parquet"])
def test_parse_prints_the_lines_in_range_in_their_order(log: Path, tmp_path: Path, output: str):
    arguments = ("--last", "1h", "--fields", "time,host,url", "--format", output)
    rejects = [tmp_path / name for name in ("file", "pipe", "all")]
    file = run("parse", str(log), *arguments, "--rejects", str(rejects[0]))
    pipe = run("parse", *arguments, "--rejects", str(rejects[1]), stdin=log.read_bytes())
    assert file[0] == pipe[0] != b""
    assert file[1].endswith(SUMMARY)
    assert (file[2], pipe[2]) == (0, 0)
    # The rejected lines are those of the whole log, each once.
    run("parse", str(log), "--rejects", str(rejects[2]))
    assert rejects[0].read_bytes() == rejects[1].read_bytes() == rejects[2].read_bytes() != b""
    rows = [[row[name] for name in ("time", "host", "url")] for row in in_last_hour(log)]
    if output == "jsonl":
        assert [list(json.loads(row).values()) for row in file[0].splitlines()] == rows
    elif output == "parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415 - slow

        (tmp_path / "out").write_bytes(file[0])
        table = pq.read_table(tmp_path / "out").to_pydict()
        assert table["url"] == [url for _, _, url in rows]


def test_rejected_lines_without_a_time_are_written_and_make_strict_fail(tmp_path: Path):
    log = tmp_path / "app.log"
    log.write_text('{"time":"2026-01-01T00:00:00Z","n":1}\n{"n":2}\n{"time":"?","n":3}\n')
    arguments = ("--log-format", "json", "--last", "1s", "--fields", "n", "--strict")
    for stdin in (None, log.read_bytes()):
        rejects = tmp_path / "rejects"
        sources = [str(log)] if stdin is None else []
        done = run("parse", *arguments, "--rejects", str(rejects), *sources, stdin=stdin or b"")
        assert (done[0], done[2]) == (b'{"n":1}\n', 1)
        assert "1 counted, 2 rejected (2 no-time)" in done[1]
        numbers = [line.split("\t")[::2] for line in rejects.read_text().splitlines()]
        assert numbers == [["2", "no-time"], ["3", "no-time"]]


NO_TIME = "1 rejected (1 no-time); no line has a time, so there is no newest one"


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        ("", "0 lines: 0 counted; the input is empty"),
        ('{"n":1}\n', f"1 line: 0 counted, {NO_TIME}"),
    ],
)
def test_a_log_without_a_time_has_an_empty_answer(tmp_path: Path, content: str, remark: str):
    log = tmp_path / "app.log"
    log.write_text(content)
    arguments = ("--log-format", "json", "--last", "1h", "--by", "n", "--format", "jsonl")
    for sources, stdin in (([str(log)], b""), ([], content.encode())):
        out, errors, code = run("top", *arguments, *sources, stdin=stdin)
        found = json.loads(out)
        assert (found["start"], found["end"], found["rows"]) == (None, None, [])
        assert errors.endswith(f"tailrace: {remark}\n")
        assert code == 0


def test_a_redirected_file_begins_where_its_offset_is(log: Path):
    size = len(log.read_bytes().splitlines(keepends=True)[0])
    whole = json.loads(run("top", str(log), "--last", "1h", "--format", "jsonl")[0])
    with log.open("rb") as file:
        os.lseek(file.fileno(), size, os.SEEK_SET)
        out = run("top", "--last", "1h", "--format", "jsonl", stdin=file.fileno())[0]
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == log.stat().st_size
    rest = json.loads(out)
    assert rest["rows"] == whole["rows"]
    assert rest["lines"]["fed"] == whole["lines"]["fed"] - 1


LIVE = "expected sources with a newest line, found"
MISTAKES = {
    "-F": f"{LIVE} --follow; use --window 1h",
    "flume://127.0.0.1:0": f"{LIVE} flume://127.0.0.1:0; use --window 1h",
    "--window 5m": "cannot be combined with --window; --window gives a result per slide, and ",
    "--since 5m": "cannot be combined with --since; --since counts back from now, and --last 1h ",
    "--until 5m": "cannot be combined with --until; give --since and --until for a range of times",
    "--last 0s": "expected a positive duration, found '0s'",
    "--last -1h": "expected a positive duration, found '-1h'",
    "--last 1x": "expected",
    "--log-format {url}": "the format has no field 'time'",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_what_does_not_go_together_ends_with_2(log: Path, arguments: str):
    last = [] if "--last" in arguments else ["--last", "1h"]
    for verb in ("top", "parse"):
        out, errors, code = run(verb, str(log), *last, *arguments.split(" "))
        assert (out, code) == (b"", 2)
        if verb == "top" or "--window" not in arguments:
            assert errors.startswith(f"tailrace {verb}: --last: {MISTAKES[arguments]}")


@pytest.mark.parametrize(
    ("variables", "arguments", "total"),
    [
        ({"LAST": "1h"}, [], 88),
        ({"LAST": "1h"}, ["--last", "10s"], 16),
        ({"LAST": "1h"}, ["--since", "2015-05-20T21:05:50Z"], 16),
        ({"SINCE": "2015-05-20T21:05:50Z", "WINDOW": "1d"}, ["--last", "1h"], 88),
        # A variable that does not apply is not read.
        ({"LAST": "one hour"}, ["--window", "7d"], 9999),
        ({"LAST": "1h", "SINCE": "2015"}, [], "--since; "),
        ({"LAST": "1h", "WINDOW": "1d"}, [], "--window; "),
    ],
)
def test_the_command_line_takes_precedence(
    log: Path, variables: dict[str, str], arguments: list[str], total: int | str
):
    environment = os.environ | {f"TAILRACE_{name}": value for name, value in variables.items()}
    out, errors, code = run("top", str(log), *arguments, "--format", "jsonl", env=environment)
    if isinstance(total, str):
        assert code == 2
        assert errors.startswith(f"tailrace top: TAILRACE_LAST: cannot be combined with {total}")
        other = next(name for name in variables if name != "LAST")
        assert errors.endswith(f" (the environment sets TAILRACE_{other}={variables[other]})\n")
    else:
        assert json.loads(out)["total"] == total


def test_a_source_of_another_kind_is_reported_once(log: Path, tmp_path: Path):
    text_file, missing = tmp_path / "notes.txt", tmp_path / "missing"
    text_file.write_text("no log\n" * 100)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(log.read_bytes())[:-100])
    arguments = ("--last", "1h", "--format", "jsonl")
    out, errors, code = run("top", str(text_file), str(missing), str(log), str(cut), *arguments)
    assert json.loads(out)["end"] == "2015-05-20T21:05:59Z"
    assert code == 1
    for name in (text_file, missing, log, cut):
        about = [line for line in errors.splitlines() if line.startswith(f"tailrace: {name}: ")]
        assert len(about) == (2 if name == cut else 1), errors
    assert run("top", str(text_file), *arguments)[::2] == (b"", 2)


def test_a_file_that_grows_in_between_is_counted_as_it_was(tmp_path: Path):
    grown = tmp_path / "grown.log"
    lines = [f"{iso(BASE + number * SECOND)},k{number % 3}\n" for number in range(1_000)]
    grown.write_text("".join(lines))
    query = tr.from_files(grown, format="csv:time:iso,key")._last_of_log(9 * SECOND)
    running = query.count(by="key").run()
    begin = running._results.run._begin

    def append(bounds: tuple[int, int] | None) -> None:
        with grown.open("a") as file:
            file.writelines(f"{iso(BASE + 999 * SECOND)},new\n" for _ in range(100))
        begin(bounds)

    running._results.run._begin = append
    (snapshot,) = running
    assert (snapshot.total, snapshot.lines["fed"]) == (10, 1_000)
    assert "new" not in {row["key"] for row in snapshot.rows}


@pytest.mark.parametrize("change", ["removed", "replaced", "cut"])
def test_a_file_that_changes_in_between_is_reported(tmp_path: Path, change: str):
    changed = tmp_path / "changed.log"
    lines = [f"{iso(BASE + number * SECOND)},k{number % 3}\n" for number in range(100)]
    changed.write_text("".join(lines))
    query = tr.from_files(changed, format="csv:time:iso,key")._last_of_log(9 * SECOND)
    running = query.count(by="key").run()
    begin = running._results.run._begin

    def alter(bounds: tuple[int, int] | None) -> None:
        if change == "removed":
            changed.unlink()
        elif change == "replaced":
            changed.rename(tmp_path / "changed.log.1")
            changed.write_text("".join(lines[:3]))
        else:
            os.truncate(changed, 30)
        begin(bounds)

    running._results.run._begin = alter
    next(running)
    error = FileNotFoundError if change == "removed" else SourceError
    with pytest.raises(error, match=r"no such file|No such file|changed while it was read"):
        next(running)


def test_a_pipe_holds_only_what_may_be_in_range():
    # A log in reverse: everything but its beginning is out of range at once.
    line = b"%s,%s\n"
    key = b"k" * 200
    content = b"".join(
        line % (iso(BASE - number * SECOND).encode(), key) for number in range(20_000)
    )
    command = [*COMMAND, "top", "--log-format", "csv:time:iso,key", "--by", "key", "--last"]
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    used = []
    for last in ("10s", "10d"):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *command, last],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        # 46 MB, all of them in the longer range.
        out = process.communicate(content * 10)[0]
        used.append(int(out.split()[-1]))
    assert used[1] - used[0] > 30_000


def test_ctrl_c_while_a_pipe_is_read_answers_for_what_was_read():
    lines = [f"{iso(BASE + number * SECOND)},k{number % 3}" for number in range(10_000)]
    arguments = ["--last", "9s", "--log-format", "csv:time:iso,key", "--format", "jsonl"]
    for verb in (["top", "--by", "key"], ["parse", "--fields", "key"]):
        with running(*verb, *arguments, stdin=subprocess.PIPE) as reading:
            assert reading.process.stdin is not None
            reading.process.stdin.writelines(f"{line}\n" for line in lines)
            reading.read_all()
            assert reading.end(signal.SIGINT) == 130
        assert reading.messages == ["tailrace: 10,000 lines: 10 counted, 9,990 filtered"]
        if verb[0] == "top":
            assert reading.snapshots()[0]["total"] == 10
        else:
            assert [json.loads(row)["key"] for row in reading.printed] == [
                line[-2:] for line in lines[-10:]
            ]


@pytest.mark.parametrize("verb", ["top", "parse"])
def test_ctrl_c_while_files_are_read_the_first_time_gives_no_answer(
    tmp_path: Path, log: Path, verb: str
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running(verb, "--last", "1h", str(fifo), str(log), "--format", "csv") as reading:
        # It opens when it is read, by a run that handles signals.
        descriptor = os.open(fifo, os.O_WRONLY)
        os.write(descriptor, log.read_bytes()[:1000])
        assert reading.end(signal.SIGINT) == 130
        os.close(descriptor)
    assert reading.printed == []
    # It may have detected a format before.
    assert reading.messages[-1].startswith(
        "tailrace: stopped before all lines were read, so the newest time is"
    )


def test_a_stop_in_the_second_pass_says_that_the_result_is_incomplete(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    query = tr.from_files(str(log))._last_of_log(3_600 * SECOND)
    newest: Any = query.count(by="url")._start()
    begin = newest._begin

    def begin_and_stop(bounds_us: tuple[int, int] | None) -> None:
        begin(bounds_us)
        newest.stop.request()

    monkeypatch.setattr(newest, "_begin", begin_and_stop)
    list(newest.results())
    assert [str(problem) for problem in newest.problems] == [
        "stopped before all lines in range were read, so the result is incomplete"
    ]
