"""The command as a citizen of a shell: terminals, pipes, signals, rights, help."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from live import (
    COMMAND,
    OK,
    TIMEOUT_S,
    Process,
    Sink,
    handler_removed,
    line,
    running,
    wait_for,
)
from places import TESTS
from terminal import terminal

HELP = TESTS / "cases" / "help"


def test_a_terminal_without_a_source_is_an_error_with_a_hint():
    with terminal("top", columns=120) as shown:
        assert shown.wait() == 2

    assert "expected a file, - for standard input, or" in shown.lines()[0]
    assert shown.lines()[1:] == []


def test_a_dumb_terminal_gets_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    with running("top", "flume://127.0.0.1:0") as receiver:
        wait_for(lambda: "0 events, 0 keys" in "\n".join(receiver.printed))
        assert "\x1b" not in "\n".join(receiver.printed)


def test_a_pipe_that_goes_on_is_answered_every_second_also_without_lines():
    with running("top", "--window", "3s", "--format", "jsonl", stdin=subprocess.PIPE) as live:
        assert live.process.stdin is not None
        live.process.stdin.write(line("/a").decode() + "\n" + line("/b").decode()[:20])
        live.process.stdin.flush()
        wait_for(lambda: live.counted() == 1)
        live.process.stdin.write(line("/b").decode()[20:])
        live.process.stdin.flush()
        wait_for(lambda: live.snapshots()[-1]["total"] == 0)
        live.process.stdin.close()
        code = live.process.wait(10)
        live.closed()

    assert code == 0
    # The line without a newline counts when the pipe has ended.
    assert live.snapshots()[-1]["rows"] == [{"url": "/b", "count": 1}]
    assert live.messages[-1] == "tailrace: 2 lines: 2 counted"


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes((line("/a") + b"\n") * 100_000)
    command = " ".join(f"'{word}'" for word in [*COMMAND, "parse", str(log)])
    ran = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines()[1] == "0"
    assert ran.stderr.splitlines() == [
        f"tailrace: {log}: format combined, the first 1,000 lines all match"
    ]


def test_ctrl_c_in_a_long_input_prints_what_there_was():
    with running("top", "-", "--format", "jsonl", stdin=subprocess.PIPE) as counting:
        assert counting.process.stdin is not None
        counting.process.stdin.write((line("/a").decode() + "\n") * 1_000)
        counting.process.stdin.flush()
        counting.read_all()

        def has_counted_all() -> bool:
            # What was read is not counted at once.
            counting.process.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
            return any("so far 1,000 lines" in message for message in counting.messages)

        wait_for(has_counted_all)
        assert counting.end(signal.SIGINT) == 130

    assert counting.snapshots()[-1]["rows"] == [{"url": "/a", "count": 1_000}]
    found = "tailrace: standard input: format combined, the first 1,000 lines all match"
    assert found in counting.messages
    assert counting.messages[-1] == "tailrace: 1,000 lines: 1,000 counted"


def test_a_second_ctrl_c_ends_at_once_also_when_nobody_reads(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(f"/{n}") + b"\n" for n in range(50_000)))
    with subprocess.Popen([*COMMAND, "parse", str(log)], stdout=subprocess.PIPE) as blocked:
        assert blocked.stdout is not None
        blocked.stdout.read(1)
        blocked.send_signal(signal.SIGINT)
        handler_removed(blocked.pid, signal.SIGINT)
        assert blocked.poll() is None
        blocked.send_signal(signal.SIGINT)
        assert blocked.wait(TIMEOUT_S) == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_no_answer_and_skips_none(tmp_path: Path, number: int):
    log = tmp_path / "access.log"
    stamps = [f"17/May/2015:10:{n // 60:02}:{n % 60:02} +0000" for n in range(3_000)]
    log.write_bytes(b"".join(line(f"/{n}", time_text=at) + b"\n" for n, at in enumerate(stamps)))
    arguments = ["--window", "60s", "--slide", "1s", "--limit", "all", "--format", "jsonl"]
    with running("top", str(log), *arguments) as replaying:
        wait_for(lambda: len(replaying.printed) > 200)
        assert replaying.end(number) == (130 if number == signal.SIGINT else 0)

    ends = [datetime.fromisoformat(snapshot["end"]) for snapshot in replaying.snapshots()]
    # The last one may be far ahead of those before it.
    assert {after - before for before, after in pairwise(ends[:-1])} == {timedelta(seconds=1)}


def test_a_live_source_ends_at_once_whatever_the_batch_interval():
    with running("top", "flume://127.0.0.1:0", "--batch-interval", "15m") as receiver:
        assert receiver.port
        asked = time.monotonic()
        assert receiver.end(signal.SIGTERM) == 0
        assert time.monotonic() - asked < 30


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    for verb in ("top", "parse"):
        with Path("/dev/full").open("w") as full:
            ran = subprocess.run(
                [*COMMAND, verb, str(log)], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert ran.returncode == 1
        messages = ran.stderr.decode().splitlines()
        assert messages[1:] == ["tailrace: cannot write: no space left on device"]


@pytest.mark.parametrize(
    ("closed", "code", "message"),
    [
        (">&-", 2, "tailrace: standard output is closed\n"),
        (
            "<&-",
            2,
            "tailrace: standard input is closed; give a file, or redirect one: < access.log\n",
        ),
        ("2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_no_traceback(tmp_path: Path, closed: str, code: int, message: str):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    source = "-" if closed == "<&-" else str(log)
    ran = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, "top", source],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stderr == message
    assert ran.returncode == code
    assert "counted" not in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        (["top", "{log}"], 0, "1  100.0%  /a"),
        (["parse", "{log}"], 0, '"url":"/a"'),
        (["parse", "{log}", "--strict"], 1, '"url":"/a"'),
        (["parse", "{log}.gone"], 2, ""),
        (["top", "{log}", "{log}.gone"], 1, "1  100.0%  /a"),
        (["top", "--windw"], 2, ""),
        (["top", "flume://nohost.invalid:1"], 2, ""),
        ([], 2, ""),
        (["send", "{log}", "flume://127.0.0.1:1"], 2, ""),
    ],
)
@pytest.mark.parametrize("to", ["full disk", "reader gone"])
def test_a_message_that_cannot_be_written_ends_nothing(
    tmp_path: Path, arguments: list[str], code: int, printed: str, to: str
):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\nno line\n")
    words = [word.format(log=log) for word in arguments]
    if to == "full disk":
        stderr = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stderr = os.pipe()
        os.close(reader)
    ran = subprocess.run([*COMMAND, *words], stdout=subprocess.PIPE, stderr=stderr, check=False)
    os.close(stderr)

    assert ran.returncode == code
    assert printed in ran.stdout.decode()


def test_a_live_run_goes_on_when_nobody_reads_what_it_says(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    arguments = ["top", "-F", str(log), "--window", "5s", "--lateness", "0s", "--format", "jsonl"]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=full) as following,
    ):
        assert following.stdout is not None
        with log.open("ab") as file:
            file.write(line("/b", time_text="17/May/2015:10:06:00 +0000") + b"\n")
        assert b'"total":1' in following.stdout.readline()
        following.send_signal(signal.SIGTERM)
        assert following.wait(10) == 0


@pytest.mark.parametrize(
    ("log_format", "header", "line", "by"),
    [
        ("csv", "device,degrees", "{},11.5", "device"),
        ("w3c", "#Fields: device degrees", "{} 11.5", "device"),
        (
            "auto",
            "#Fields: date time c-ip cs-uri-stem",
            "2015-05-17 10:05:03 {} /a",
            "host",
        ),
    ],
)
def test_columns_have_names_also_where_a_log_is_read_from_its_end(
    log_format: str, header: str, line: str, by: str, tmp_path: Path
):
    log = tmp_path / "log"
    log.write_text(f"{header}\n{line.format('cellar')}\n")
    arguments = [
        *("top", "-F", str(log), "--log-format", log_format, "--by", by, "--time", "arrival"),
        *("--window", "600s", "--slide", "1s", "--format", "jsonl"),
    ]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        # After a snapshot, the end at which it began is in the past.
        snapshot = json.loads(following.stdout.readline())
        with log.open("a") as file:
            file.write(f"{line.format('attic')}\n")
        while not snapshot["rows"]:
            snapshot = json.loads(following.stdout.readline())
        following.send_signal(signal.SIGTERM)
        assert following.wait(10) == 0
    assert snapshot["rows"] == [{by: "attic", "count": 1}]
    assert snapshot["lines"]["rejected"] == {}


def test_a_host_that_there_is_not_is_named():
    ran = subprocess.run(
        [*COMMAND, "top", "flume://nohost.invalid:1"], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert re.fullmatch(
        r"tailrace: flume://nohost\.invalid:1: .+; check the host and the port\n", ran.stderr
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
@pytest.mark.parametrize("arguments", [["top", "--help"], ["help", "send"], ["formats"]])
def test_what_is_shown_can_be_spelled_anywhere(environment: dict[str, str], arguments: list[str]):
    # A text of today may be ASCII by chance; this name makes one that is not.
    code = """
import sys
from tailrace._cli import formats, run, send, top
top.ABOUT = send.ABOUT = "caf\\u00e9 \\u20ac"
formats._about = lambda name: ("caf\\u00e9 \\u20ac", "", "")
sys.exit(run(sys.argv[1:]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=False,
        env=os.environ | environment,
    )

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\\u20ac" in ran.stdout


def test_what_the_terminal_cannot_spell_is_escaped_and_json_is_utf_8(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/€") + b"\n")
    for arguments, shown in ((), b"/\\u20ac"), (("--format", "jsonl"), "/€".encode()):
        ran = subprocess.run(
            [*COMMAND, "top", str(log), *arguments],
            capture_output=True,
            check=True,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
        )
        assert shown in ran.stdout


def test_ctrl_c_among_many_answers_prints_one_more_and_no_flood(tmp_path: Path):
    log = tmp_path / "access.log"
    # A line an hour for a year, answered every second: more than anybody waits for.
    stamps = [
        f"{day:02}/{month}/2015:{hour:02}:00:00 +0000"
        for month in ("Jan", "Mar", "May")
        for day in range(1, 32)
        for hour in range(24)
    ]
    log.write_bytes(b"".join(line("/a", time_text=stamp) + b"\n" for stamp in stamps))
    options = ["--window", "2h", "--slide", "1s", "--format", "jsonl"]
    with running("top", str(log), *options) as replaying:
        wait_for(lambda: len(replaying.printed) > 100)
        asked = time.monotonic()
        assert replaying.end(signal.SIGINT) == 130
        assert time.monotonic() - asked < 30

    assert replaying.snapshots()[-1]["end"] == "2015-05-31T23:00:01Z"


def test_sigterm_to_a_pipe_is_a_good_end():
    with running("top", "-", "--format", "jsonl", stdin=subprocess.PIPE) as counting:
        assert counting.process.stdin is not None
        counting.process.stdin.write(line("/a").decode() + "\n")
        counting.process.stdin.flush()
        counting.read_all()
        assert counting.end(signal.SIGTERM) == 0

    assert counting.snapshots()[-1]["total"] == 1


def test_a_file_that_may_not_be_read_is_reported_with_a_hint(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a"))
    log.chmod(0)
    # Root may read everything, so the process gives its rights away once it is loaded.
    code = """
import os, sys
from tailrace._cli import run, top
run(["top", "--windw"])
if os.geteuid() == 0:
    os.seteuid(65534)
sys.exit(run(["top", sys.argv[1]]))
"""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    ran = subprocess.run(
        [sys.executable, "-c", code, str(log)], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 2
    assert ran.stderr.splitlines(keepends=True)[1] == (
        f"tailrace: {log}: permission denied; "
        "change the file's mode, or run as a user who can read it\n"
    )


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path):
    log = tmp_path / "endless.log"
    with log.open("wb") as file:
        file.write(line("/a") + b"\n")
        file.truncate(512 * 1024 * 1024)
        file.seek(0, 2)
        file.write(b"\n" + line("/b") + b"\n")
    code = f"""
import pathlib, re
from tailrace._cli import run
run(["top", {str(log)!r}, "--format", "jsonl"])
# Not getrusage, which begins with the peak of the process that started this one.
status = pathlib.Path("/proc/self/status").read_text()
print(re.search("VmHWM:\\s+([0-9]+) kB", status)[1])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    snapshot, peak_kib = ran.stdout.splitlines()

    lines = json.loads(snapshot)["lines"]
    assert lines["counted"] == 2
    assert lines["rejected"] == {"too-long": 1}
    assert int(peak_kib) < 100 * 1024


def test_a_named_pipe_is_read_once(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with running("top", str(pipe), "--format", "jsonl") as reading:
        with pipe.open("wb") as writer:
            writer.write(line("/a") + b"\n")
        assert reading.process.wait(10) == 0
        reading.closed()

    assert reading.snapshots()[-1]["total"] == 1


def test_an_idle_receiver_uses_no_processor():
    with running("top", "flume://127.0.0.1:0", "--format", "jsonl") as receiver:
        assert receiver.port
        before = processor_s(receiver)
        wait_for(lambda: len(receiver.snapshots()) > 4)
        assert processor_s(receiver) - before < 0.2


def processor_s(process: Process) -> float:
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("verb", sorted(path.stem for path in HELP.glob("*.txt")))
def test_help_is_the_checked_in_text(verb: str):
    arguments = [] if verb == "tailrace" else [verb]
    ran = subprocess.run(
        [*COMMAND, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "100"},
    )

    assert ran.stderr == ""
    assert ran.stdout == (HELP / f"{verb}.txt").read_text()


def test_more_connections_than_the_system_allows_take_the_place_of_silent_ones_with_a_line():
    limited = ("bash", "-c", 'ulimit -n 40; exec "$@"', "bash")
    with running("top", "flume://127.0.0.1:0", "--format", "jsonl", before=limited) as receiver:
        port = receiver.port
        sinks = [Sink(port) for _ in range(30)]
        assert sinks[0].is_closed()
        with sinks[-1] as sink:
            assert sink.batch([line("/a")]) == OK
        for sink in sinks:
            sink.socket.close()
        wait_for(lambda: receiver.counted() == 1)
        with Sink(port) as sink:
            assert sink.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGTERM) == 0
    # The first of them is logged, and the others are counted.
    first, rest = (text for text in receiver.messages if "silent longest" in text)
    assert "connection closed" in first
    assert "more times" in rest
