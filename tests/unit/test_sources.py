"""Several sources of any kind at once, each with its own watermark and format."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import counting
import pytest
from live import COMMAND, OK, TIMEOUT_S, Sink, event, events, free_port, line, running, wait_for
from profiles import seeded

import tailrace as tr
from tailrace import _core
from tailrace._rendering import jsonl
from tailrace._snapshot import Snapshot
from tailrace._sources.text import File
from tailrace._types import Layout

if TYPE_CHECKING:
    from pathlib import Path

BASE = datetime(2015, 5, 17, 10, 0, tzinfo=UTC)
FLUME = "flume://127.0.0.1:0"
BY_LOG = ("--format", "jsonl", "--time", "log", "--window", "10s", "--batch-interval", "50ms")
BY_LOG += ("--max-behind", "20000d")


def at(second: int, url: str = "/a") -> bytes:
    moment = BASE + timedelta(seconds=second)
    return line(url, time_text=f"{moment:%d/%b/%Y:%H:%M:%S} +0000")


def text(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def top(*arguments: str, cwd: Path, code: int = 0, before: str = "") -> subprocess.CompletedProcess:
    ran = subprocess.run(
        [sys.executable, "-c", f"{before}\nfrom tailrace._cli import main; main()", *arguments],
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return ran


# --- files ----------------------------------------------------------------------------------------


def interleaved(seed: int) -> list[list[bytes]]:
    """Return two logs of the same hour, with lines that are late, malformed or too long."""
    chance = seeded(seed)
    logs = []
    for host in range(2):
        now, lines = host * 7, []
        for _ in range(4_000):
            now += chance.choice([0, 0, 0, 1, 1, 2])
            second = now - chance.choice([0] * 8 + [3, 90])
            lines.append(at(max(second, 0), f"/{host}/{chance.randrange(30)}"))
            if chance.random() < 0.01:
                lines.append(chance.choice([b"no line of a log", b"x" * 70_000, b""]))
        logs.append(lines)
    return logs


def test_interleaved_files_give_the_same_output_in_any_order_and_chunk_size(
    tmp_path: Path,
):
    for name, lines in zip(("a.log", "b.log"), interleaved(1), strict=True):
        (tmp_path / name).write_bytes(text(*lines))
    options = ["--window", "60s", "--slide", "5s", "--limit", "3"]
    for output in ("jsonl", "text", "csv"):
        outputs = set()
        for names in itertools.permutations(["a.log", "b.log"]):
            for size in (1_000, 7_919, 65_536, 1 << 20):
                before = f"import tailrace._sources.text as text; text._CHUNK_BYTES = {size}"
                ran = top("top", *names, *options, "--format", output, cwd=tmp_path, before=before)
                outputs.add(ran.stdout)
        assert len(outputs) == 1, output
    snapshots = [json.loads(answer) for answer in outputs_of_threads(tmp_path, 1).splitlines()]
    last = snapshots[-1]["lines"]
    assert last["late"] > 100
    assert last["rejected"]["too-long"] > 5
    assert len(snapshots) > 500


def outputs_of_threads(folder: Path, threads: int, seed: int = 0) -> bytes:
    """Absorb on this many threads, and apply the chunks of each file in order."""
    engine = counting.engine(
        formats=["combined"],
        by="url",
        time="log",
        limit=3,
        window_us=(60_000_000, 5_000_000),
        lateness_us=60_000_000,
        sources=2,
        start_us=0,
        hash_seed=seed,
    )
    chance = seeded(seed)
    queues = []
    for name in ("a.log", "b.log"):
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        size = chance.randrange(50, 900)
        queues.append([b"".join(lines[i : i + size]) for i in range(0, len(lines), size)])

    def absorb(work: tuple[int, bytes]) -> _core.Delta:
        source, data = work
        origin = {"source": source, "format": "combined", "now_us": 0, "max_ahead_us": None}
        return engine.absorb(data, kind="lines", span=(0, len(data)), **origin)

    work = []
    while any(queues):
        source = chance.choice([number for number, queue in enumerate(queues) if queue])
        work.append((source, queues[source].pop(0)))
    out = b""
    with ThreadPoolExecutor(threads) as pool:
        for delta in pool.map(absorb, work):
            engine.apply(delta)
            for answer in iter(engine.next_snapshot, None):
                out += jsonl.line(Snapshot._of(answer, Layout(("url",), {}, None))).encode() + b"\n"
    engine.finish()
    for answer in iter(engine.next_snapshot, None):
        out += jsonl.line(Snapshot._of(answer, Layout(("url",), {}, None))).encode() + b"\n"
    return out


def test_one_to_four_threads_give_the_same_output_as_the_command(tmp_path: Path):
    for name, lines in zip(("a.log", "b.log"), interleaved(2), strict=True):
        (tmp_path / name).write_bytes(text(*lines))
    options = ["--window", "60s", "--slide", "5s", "--limit", "3", "--format", "jsonl"]
    ran = top("top", "a.log", "b.log", *options, cwd=tmp_path)
    for threads, seed in itertools.product((1, 2, 3, 4), (0, 1)):
        assert outputs_of_threads(tmp_path, threads, seed) == ran.stdout


def test_files_of_different_hours_are_merged_in_bounded_memory(tmp_path: Path):
    # If the files were read one after the other, all panes of the first would stay open.
    peaks = []
    for count in (1, 6):
        for number in range(count):
            lines = (at(second, f"/{second}/{n}") for second in range(1_500) for n in range(20))
            (tmp_path / f"{number}.log").write_bytes(text(*lines))
        names = [f"{number}.log" for number in range(count)]
        script = (
            "import resource, sys\nfrom tailrace._cli import run\n"
            "run(['top', *sys.argv[1:], '--window', '2s', '--lateness', '1s', '-n', '1'])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", script, *names], cwd=tmp_path, capture_output=True, check=True
        )
        peaks.append(int(ran.stderr.splitlines()[-1]))

    # A chunk of each file is open, some thousand lines.
    assert peaks[1] < peaks[0] + 12_000, peaks


def test_more_files_than_the_default_open_file_limit_are_merged(tmp_path: Path):
    names = [f"{number}.log" for number in range(400)]
    for name in names:
        (tmp_path / name).write_bytes(text(at(5)))

    def few() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))

    ran = subprocess.run(
        [*COMMAND, "top", *names, "--window", "10s", "--slide", "10s", "--format", "jsonl"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        preexec_fn=few,
    )

    assert json.loads(ran.stdout)["total"] == 400


def test_each_file_is_parsed_in_its_own_format(tmp_path: Path):
    (tmp_path / "combined.log").write_bytes(text(at(1), at(2)))
    common = [at(3).rpartition(b' "-"')[0]] * 3
    (tmp_path / "common.log").write_bytes(text(*common))
    ran = top("top", "combined.log", "common.log", "--format", "jsonl", cwd=tmp_path)

    assert json.loads(ran.stdout)["rows"] == [{"url": "/a", "count": 5}]
    messages = ran.stderr.decode().splitlines()
    assert messages[0] == "tailrace: combined.log: format combined, the first 2 lines all match"
    assert messages[1] == "tailrace: common.log: format common, the first 3 lines all match"
    # A requested field does not change what is detected.
    ran = top("top", "common.log", "--by", "agent", cwd=tmp_path, code=2)
    assert b"common.log: format common has no field 'agent'" in ran.stderr
    ran = top("top", "common.log", "combined.log", "--by", "agent", cwd=tmp_path, code=1)
    assert ran.stdout.startswith(b"2 events")


def test_a_truncated_file_ends_and_the_other_files_continue(tmp_path: Path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(text(*[at(1)] * 50_000))[:-20])
    (tmp_path / "good.log").write_bytes(text(at(2, "/good")))
    for names in (("cut.gz", "good.log"), ("good.log", "cut.gz")):
        for window in ([], ["--window", "1m"]):
            ran = top("top", *names, *window, "--limit", "all", cwd=tmp_path, code=1)
            assert b"/good" in ran.stdout
            assert b"cut.gz: truncated compressed data" in ran.stderr
    with pytest.raises(tr.TailraceError, match="truncated compressed data"):
        list(tr.from_files(tmp_path / "cut.gz", tmp_path / "good.log").count(by="url").run())


def test_gzip_is_read_from_a_pipe(tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(text(at(1), at(2))) + gzip.compress(text(at(3))))
    for options in ([], ["--window", "5s"], ["--window", "5s", "--time", "log"]):
        ran = subprocess.run(
            ["bash", "-c", 'cat a.gz | "$@"', "-", *COMMAND, "top", "--format", "jsonl", *options],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        assert json.loads(ran.stdout.splitlines()[-1])["lines"]["counted"] == 3


# --- waiting for sources --------------------------------------------------------------------------


def ends(answers: list[dict[str, object]]) -> list[str]:
    return [str(answer["end"])[11:19] for answer in answers]


def test_two_agents_by_log_time_wait_for_each_other_without_late_lines():
    options = ["--lateness", "0s", "--slide", "10s", *BY_LOG]
    with running("top", FLUME, FLUME, *options) as receiver:
        first, second = receiver.ports
        with Sink(first) as fast, Sink(second) as slow:
            assert fast.batch([at(1, "/fast"), at(25, "/fast")]) == OK
            assert slow.batch([at(2, "/slow"), at(9, "/slow")]) == OK
            assert slow.batch([at(12, "/slow")]) == OK
            answer = wait_for(receiver.snapshots)[0]
            assert answer["rows"] == [{"url": "/slow", "count": 2}, {"url": "/fast", "count": 1}]
            assert answer["lines"]["late"] == 0
            assert ends(receiver.snapshots()) == ["10:00:10"]
            assert fast.batch([at(26, "/fast")]) == OK
            assert slow.batch([at(21, "/slow")]) == OK
            wait_for(lambda: ends(receiver.snapshots()) == ["10:00:10", "10:00:20"])
        assert receiver.end(signal.SIGTERM) == 0

    last = receiver.snapshots()[-1]
    given_up = {"abandoned": 0, "resent": 0}
    counters = {"fed": 7, "counted": 7, "late": 0, "filtered": 0, "rejected": {}}
    assert last["lines"] == counters | given_up


def test_the_idle_timeout_limits_the_wait_for_a_silent_agent():
    options = ["--lateness", "0s", "--slide", "10s", "--idle-timeout", "1s", *BY_LOG]
    with running("top", FLUME, FLUME, *options) as receiver, Sink(receiver.ports[0]) as talks:
        assert talks.batch([at(1), at(11)]) == OK
        assert receiver.snapshots() == []
        wait_for(lambda: ends(receiver.snapshots()) == ["10:00:10"])
        with Sink(receiver.ports[1]) as silent:
            # Lines of closed panes are late, lines of open ones count.
            assert silent.batch([at(5), at(12)]) == OK
        assert receiver.end(signal.SIGTERM) == 0

    lines = receiver.snapshots()[-1]["lines"]
    assert (lines["counted"], lines["late"]) == (3, 1)


def test_without_an_idle_timeout_a_silent_agent_delays_the_snapshots():
    options = ["--lateness", "0s", "--slide", "10s", *BY_LOG]
    with running("top", FLUME, FLUME, *options) as receiver, Sink(receiver.ports[0]) as talks:
        assert talks.batch([at(1), at(11)]) == OK
        time.sleep(1.5)
        assert receiver.snapshots() == []
        assert receiver.end(signal.SIGTERM) == 0
    assert receiver.snapshots()[-1]["total"] == 1


def test_time_by_header_is_the_timestamp_that_the_agent_wrote():
    seconds = BASE.timestamp()

    def stamp(second: float) -> bytes:
        return str(round((seconds + second) * 1_000)).encode()

    options = ["--time", "header", "--window", "10s", "--batch-interval", "50ms"]
    options += ["--max-behind", "20000d"]
    with (
        running("top", FLUME, *options, "--slide", "10s", "--format", "jsonl") as receiver,
        Sink(receiver.port) as sink,
    ):
        # By their own time the lines are years apart.
        assert sink.batch([at(10_000_000, "/old"), at(0, "/old")], stamp=stamp(1.5)) == OK
        assert sink.batch([at(0, "/none")], stamp=None) == OK
        assert sink.batch([at(0, "/none")], stamp=b"soon") == OK
        ahead = str(round((time.time() + 7_200) * 1_000)).encode()
        assert sink.batch([at(0, "/ahead")], stamp=ahead) == OK
        # Lateness by header is 5 s.
        assert sink.batch([at(0, "/new")], stamp=stamp(14.999)) == OK
        assert sink.batch([at(0, "/old")], stamp=stamp(9.9)) == OK
        assert receiver.snapshots() == []
        assert sink.batch([at(0, "/new")], stamp=stamp(15)) == OK
        assert sink.call(b"append", event(at(0, "/late"), stamp(9.9))) == OK
        answer = wait_for(receiver.snapshots)[0]
        assert answer["rows"] == [{"url": "/old", "count": 3}]
        assert receiver.end(signal.SIGTERM) == 0

    lines = receiver.snapshots()[-1]["lines"]
    assert (lines["counted"], lines["late"]) == (5, 1)
    assert lines["rejected"] == {"no-time": 2, "future": 1}


def test_a_file_a_pipe_and_an_agent_are_counted_together(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(text(at(3, "/file"), at(4, "/file")))
    options = ["--slide", "10s", *BY_LOG]
    with (
        running("top", str(log), "-", FLUME, *options, stdin=subprocess.PIPE) as counting,
        Sink(counting.port) as sink,
    ):
        assert sink.batch([at(5, "/agent")] * 3) == OK
        pipe = counting.process.stdin
        assert pipe is not None
        pipe.write(at(6, "/pipe").decode() + "\n")
        pipe.close()
        counting.process.stdin = None
        wait_for(lambda: any("standard input: format" in line for line in counting.messages))
        assert counting.end(signal.SIGTERM) == 0

    rows = {row["url"]: row["count"] for row in counting.snapshots()[-1]["rows"]}
    assert rows == {"/file": 2, "/agent": 3, "/pipe": 1}
    formats = [line for line in counting.messages if ": format " in line]
    assert len(formats) == 3


def test_a_truncated_file_is_reported_and_a_live_source_continues(tmp_path: Path):
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(text(*[at(1)] * 50_000))[:-20])
    with (
        running("top", str(cut), FLUME, "--slide", "10s", *BY_LOG) as receiver,
        Sink(receiver.port) as sink,
    ):
        assert sink.batch([at(5, "/agent")]) == OK
        assert receiver.end(signal.SIGTERM) == 1

    assert any("cut.gz: truncated compressed data" in line for line in receiver.messages)
    assert "/agent" in str(receiver.snapshots()[-1]["rows"])


def test_an_empty_named_pipe_blocks_no_other_source(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    options = ["--window", "2s", "--time", "arrival", "--format", "jsonl"]
    for arguments in (("top", *options), ("parse", "--fields", "url")):
        with (
            running(arguments[0], str(pipe), FLUME, *arguments[1:]) as counting,
            Sink(counting.port) as sink,
        ):
            assert sink.batch([at(1, "/agent")]) == OK
            with pipe.open("wb") as writer:
                writer.write(text(at(2, "/pipe")))
            wait_for(lambda: "/pipe" in "".join(counting.printed))
            assert counting.end(signal.SIGTERM) == 0
        assert "/agent" in "".join(counting.printed)


def test_slow_processing_does_not_make_a_source_idle(tmp_path: Path):
    for name, lines in zip(("a.log", "b.log"), interleaved(3), strict=True):
        (tmp_path / name).write_bytes(text(*lines))
    port = free_port()
    files = tr.merge(
        tr.from_files(tmp_path / "a.log", tmp_path / "b.log"), tr.from_flume(f"127.0.0.1:{port}")
    )
    late = []
    for pause_s in (0, 1.5):
        # With the files alone, and with a silent agent.
        for query in (tr.from_files(tmp_path / "a.log", tmp_path / "b.log"), files):
            windows = query.window("10m", every="5m", time="log", idle_timeout="1s")
            with windows.count(by="url").run() as answers:
                first = next(answers)
                time.sleep(pause_s)
                while answers.lines["fed"] < 8_000 and next(answers, None) is not None:
                    pass
                late.append(answers.lines["late"])
            assert first.total > 0
    assert len(set(late)) == 1, late


def test_files_that_have_ended_are_counted_while_an_agent_is_silent(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(text(at(1), at(11)))
    options = ["--lateness", "0s", "--slide", "10s", "--idle-timeout", "1s", *BY_LOG]
    with running("top", str(log), FLUME, *options) as receiver:
        wait_for(lambda: ends(receiver.snapshots()) == ["10:00:10"])
        assert receiver.end(signal.SIGTERM) == 0


def test_an_agent_whose_lines_have_no_time_is_idle():
    options = ["--lateness", "0s", "--slide", "10s", "--idle-timeout", "1s", *BY_LOG]
    with (
        running("top", FLUME, FLUME, *options) as receiver,
        Sink(receiver.ports[0]) as talks,
        Sink(receiver.ports[1]) as babbles,
    ):
        assert talks.batch([at(1), at(11)]) == OK

        def answered() -> bool:
            assert babbles.batch([b"no line of a log"]) == OK
            return ends(receiver.snapshots()) == ["10:00:10"]

        wait_for(answered)
        assert receiver.end(signal.SIGTERM) == 0


def test_empty_events_do_not_stop_the_clock():
    options = ["--window", "1s", "--slide", "100ms", "--batch-interval", "50ms"]
    with (
        running("top", FLUME, FLUME, *options, "--format", "jsonl") as receiver,
        Sink(receiver.ports[0]) as one,
        Sink(receiver.ports[1]) as other,
    ):
        # Without a pause, until a few snapshots were printed in between.
        deadline = time.monotonic() + TIMEOUT_S
        while len(receiver.printed) <= 5:
            assert time.monotonic() < deadline
            assert one.batch([b""]) == OK
            assert other.batch([b" "]) == OK
        assert receiver.end(signal.SIGTERM) == 0


def test_a_batch_whose_agent_died_before_the_acknowledgement_is_resent_and_counted_once():
    with running("top", FLUME, "--window", "1h", "--format", "jsonl") as receiver:
        bodies = [at(second) for second in range(9)]
        with Sink(receiver.port) as sink:
            # The batch is held for 200 ms; the sender resets the connection, as if killed.
            sink.send(sink.frame(b"appendBatch", events(bodies)))
            time.sleep(0.02)
            sink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with Sink(receiver.port) as sink:
            assert sink.batch(bodies) == OK
        wait_for(lambda: receiver.counted() >= 9)
        assert receiver.end(signal.SIGTERM) == 0

    assert receiver.snapshots()[-1]["lines"]["counted"] == 9


def test_truncated_gzip_in_a_pipe_counts_the_lines_before_the_cut(tmp_path: Path):
    whole = gzip.compress(text(*(at(second, f"/{second % 977}") for second in range(20_000))))
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    options = ["--window", "1h", "--slide", "1h", "--time", "log", "--format", "jsonl"]
    as_file = top("top", "cut.gz", *options, cwd=tmp_path, code=1)
    through_pipe = subprocess.run(
        ["bash", "-c", 'cat cut.gz | "$@"', "-", *COMMAND, "top", *options],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert through_pipe.returncode == 1
    assert b"standard input: truncated compressed data" in through_pipe.stderr
    last = json.loads(as_file.stdout.splitlines()[-1])
    assert last["lines"]["counted"] > 5_000
    assert json.loads(through_pipe.stdout.splitlines()[-1]) == last


def test_a_truncated_source_is_reported_at_once_while_a_live_source_runs(tmp_path: Path):
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(text(at(1)))[:-5])
    with running("top", str(cut), FLUME, "--window", "5m") as receiver:
        wait_for(
            lambda: any("cut.gz: truncated compressed data" in line for line in receiver.messages)
        )
        assert receiver.end(signal.SIGTERM) == 1
    assert sum("truncated compressed data" in line for line in receiver.messages) == 1


def test_only_a_part_of_each_of_many_files_is_in_memory(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(text(*[at(1)] * 20_000))
    (part,) = File(str(log), sharing=300).parts()

    assert max(len(chunk.data) for chunk in part) <= 32 * 1024 * 1024 // 300


# --- detection of formats -------------------------------------------------------------------------


def test_a_live_stream_gets_snapshots_before_its_format_is_detected():
    with running("top", FLUME, "--window", "3s", "--format", "jsonl") as receiver:
        wait_for(lambda: len(receiver.snapshots()) >= 2)
        with Sink(receiver.port) as sink:
            # An empty event does not help the detection, and is acknowledged.
            assert sink.batch([b""]) == OK
            assert not any("format" in line for line in receiver.messages[1:])
            common = at(1).rpartition(b' "-"')[0]
            assert sink.batch([common, common]) == OK
            wait_for(lambda: receiver.counted() == 2)
        assert receiver.end(signal.SIGTERM) == 0

    messages = [line for line in receiver.messages if "format" in line]
    assert messages == [f"tailrace: {FLUME}: format common, the first 2 lines all match"]


def test_a_thousand_lines_end_the_detection_and_no_held_line_is_lost_or_late():
    with (
        running(
            "top", FLUME, "--window", "1s", "--slide", "100ms", "--format", "jsonl"
        ) as receiver,
        Sink(receiver.port) as sink,
    ):
        for _ in range(20):
            assert sink.batch([at(1)] * 100) == OK
        wait_for(lambda: receiver.counted() == 2_000)
        assert receiver.end(signal.SIGTERM) == 0

    last = receiver.snapshots()[-1]["lines"]
    assert (last["fed"], last["counted"], last["late"]) == (2_000, 2_000, 0)
    # The lines were in a window.
    assert max(snapshot["total"] for snapshot in receiver.snapshots()) > 0


def test_lines_of_a_slow_pipe_are_held_only_briefly():
    with running("parse", "-", "--fields", "url", stdin=subprocess.PIPE) as parsing:
        pipe = parsing.process.stdin
        assert pipe is not None
        pipe.write((at(1).decode() + "\n") * 1_000)
        pipe.flush()
        wait_for(lambda: len(parsing.printed) == 1_000)
        pipe.write(at(2, "/b").decode() + "\n")
        pipe.flush()
        wait_for(lambda: parsing.printed[-1] == '{"url":"/b"}')
        pipe.close()
        parsing.process.stdin = None
        assert parsing.closed() == 0


def test_the_detection_of_many_files_in_one_format_is_reported_once(tmp_path: Path):
    names = [f"{number}.log" for number in range(20)]
    for name in names:
        (tmp_path / name).write_bytes(text(at(1), at(2)))
    (tmp_path / "7.log").write_bytes(text(at(1), b"no line of a log"))
    ran = top("top", *names, cwd=tmp_path)

    messages = [line for line in ran.stderr.decode().splitlines() if ": format " in line]
    assert messages == [
        "tailrace: 0.log: format combined, the first 2 lines all match",
        "tailrace: 7.log: format combined, 1 of the first 2 lines matches",
    ]


def test_lines_of_two_words_match_no_format(tmp_path: Path):
    (tmp_path / "app.log").write_bytes(b"INFO started\n" * 7)
    ran = top("top", "app.log", cwd=tmp_path, code=2)

    assert b"none of the first 7 lines matches a known format" in ran.stderr
    ran = top("top", "app.log", "--log-format", "combined", cwd=tmp_path)
    assert b"0 counted, 7 rejected" in ran.stderr


# --- invalid queries ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (tr.merge, "merge: expected at least one query"),
        (
            lambda: tr.merge(tr.from_files("a").count(by="url"), tr.from_files("b")),
            "merge sources first",
        ),
        (lambda: tr.merge(tr.from_stdin(), tr.from_files("a", "-")), "read only once"),
        (tr.from_flume, "expected at least one address"),
        (lambda: tr.from_files("-", follow=True), "no name to follow"),
        (lambda: tr.from_files("a").window("5s", time="header"), "only Flume events have headers"),
        (lambda: tr.from_flume("h:1").window("5s", idle_timeout="5s"), "in arrival time no source"),
        (lambda: tr.from_files("a").window("5s", idle_timeout="10ms"), "expected at least 1s"),
    ],
)
def test_invalid_sources_are_refused_when_they_are_given(make, message: str):  # noqa: ANN001 - any call
    with pytest.raises(ValueError, match=message):
        make()


def test_a_field_with_two_types_is_refused():
    both = tr.merge(tr.from_files("a", format="classic"), tr.from_files("b", format="combined"))
    with pytest.raises(ValueError, match=r"has different types .* use one format for all sources"):
        both.count(by="status").run().__next__()
