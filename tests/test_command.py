"""The command as a citizen of a shell: terminals, pipes, signals, rights, help."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from live import COMMAND, OK, Process, Sink, line, running, wait_for

HELP = Path(__file__).parent / "help"


class Terminal:
    """What a terminal of 40 columns and 8 rows was sent."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._master = master
        self._sent = b""

    def sent(self) -> str:
        with suppress(OSError):  # the last process on it has gone
            while data := os.read(self._master, 65536):
                self._sent += data
        return self._sent.decode()

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    """Run the command on a pseudo-terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 8, 40, 0, 0))
    os.set_blocking(master, False)
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no other way
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def port_of(shown: Terminal) -> int:
    found = wait_for(lambda: re.search(r":(\d+);", shown.sent()))
    return int(found[1])


def test_a_terminal_shows_the_live_table_in_place_cut_to_its_width():
    long = "/" + "x" * 60
    with terminal("top", "flume://127.0.0.1:0", "--window", "60s") as shown:
        with Sink(port_of(shown)) as sink:
            assert sink.batch([line(f"/{n}") for n in range(20)] + [line(long)] * 2) == OK
            wait_for(lambda: shown.sent().count("\x1b[J") >= 2)
        shown.type(b"\x03")
        assert shown.process.wait(10) == 130
        sent = shown.sent()

    frames = [frame for frame in sent.split("\x1b[J") if "count" in frame]
    # A heading, the names, and five rows: the eighth line is left to the cursor.
    assert frames[-2].count("\r\n") == 7
    assert "\x1b[7F" in sent
    lines = frames[-2].split("\r\n")
    assert max(len(text) for text in lines[:7]) <= 40
    assert lines[2] == f"    2  {long}"[:39] + "…"
    # Nothing but this one movement and this one erasure.
    assert set(re.findall(r"\x1b\[[0-9;?]*[A-Za-z]", sent)) <= {"\x1b[1F", "\x1b[7F", "\x1b[J"}
    assert not re.search(r"\x1b(?!\[(1F|7F|J))", sent)


def test_a_log_cannot_steer_the_terminal():
    with terminal("top", "flume://127.0.0.1:0", "--window", "60s") as shown:
        with Sink(port_of(shown)) as sink:
            assert sink.batch([line("/\x1b]0;owned\x07\x9b31m\u202e")]) == OK
            wait_for(lambda: "owned" in shown.sent())
        with Sink(port_of(shown)) as sink:
            sink.send(b"GET /\x1b[31m HTTP/1.1\r\n\r\n")
            assert sink.is_closed()
        wait_for(lambda: "connection closed" in shown.sent())
        sent = shown.sent()

    assert "\x1b]" not in sent
    assert "\x1b[31m" not in sent
    assert "\x07" not in sent
    assert "\x9b" not in sent
    assert "\u202e" not in sent
    assert r"/\x1b]0;owned\x07\x9b31m\u202e" in sent.replace("\r\n", "")


def test_a_message_does_not_end_in_the_table():
    with terminal("top", "flume://127.0.0.1:0") as shown:
        port = port_of(shown)
        wait_for(lambda: "0 events" in shown.sent())
        with Sink(port) as sink:
            sink.send(b"GET / HTTP/1.1\r\n\r\n")
            assert sink.is_closed()
        wait_for(lambda: "connection closed" in shown.sent())
        sent = shown.sent()

    # The table is erased first, and the message begins at the start of a line.
    assert re.search(r"\x1b\[1F\x1b\[Jtailrace: 127.0.0.1:\d+: connection closed: ", sent)


def test_a_terminal_without_a_source_is_told_what_to_name():
    with terminal("top") as shown:
        assert shown.process.wait(10) == 2
        sent = shown.sent()

    assert "no source; name a file" in sent
    assert sent.count("\r\n") == 1


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
    assert live.said[-1] == "tailrace: 2 lines: 2 counted"


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
        f"tailrace: {log}: format combined, all of the first 1,000 lines agree"
    ]


def test_ctrl_c_in_a_long_input_prints_what_there_was():
    with running("top", "-", "--format", "jsonl", stdin=subprocess.PIPE) as counting:
        assert counting.process.stdin is not None
        counting.process.stdin.write((line("/a").decode() + "\n") * 1_000)
        counting.process.stdin.flush()
        time.sleep(1)
        assert counting.end(signal.SIGINT) == 130

    assert counting.snapshots()[-1]["rows"] == [{"url": "/a", "count": 1_000}]
    assert counting.said == ["tailrace: 1,000 lines: 1,000 counted"]


def test_a_second_ctrl_c_ends_at_once_also_when_nobody_reads(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(f"/{n}") + b"\n" for n in range(50_000)))
    with subprocess.Popen([*COMMAND, "parse", str(log)], stdout=subprocess.PIPE) as blocked:
        assert blocked.stdout is not None
        blocked.stdout.read(1)
        time.sleep(0.5)
        blocked.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert blocked.poll() is None
        blocked.send_signal(signal.SIGINT)
        assert blocked.wait(10) == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_breaks_no_answer_and_skips_none(tmp_path: Path, number: int):
    log = tmp_path / "access.log"
    stamps = [f"17/May/2015:10:{n // 60:02}:{n % 60:02} +0000" for n in range(3_000)]
    log.write_bytes(b"".join(line(f"/{n}", time_text=at) + b"\n" for n, at in enumerate(stamps)))
    arguments = ["--window", "60s", "--limit", "all", "--format", "jsonl"]
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
        assert time.monotonic() - asked < 5


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    for verb in ("top", "parse"):
        with Path("/dev/full").open("w") as full:
            ran = subprocess.run(
                [*COMMAND, verb, str(log)], stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert ran.returncode == 1
        said = ran.stderr.decode().splitlines()
        assert said[1:] == ["tailrace: cannot write: No space left on device"]


@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [
        (">&-", 2, "tailrace: standard output is closed\n"),
        ("<&-", 2, "tailrace: -: Bad file descriptor\n"),
        ("2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_no_traceback(tmp_path: Path, closed: str, code: int, said: str):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    source = "-" if closed == "<&-" else str(log)
    ran = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, "top", source],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stderr == said
    assert ran.returncode == code
    assert "counted" not in ran.stdout


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
    with running("top", str(log), "--window", "2h", "--format", "jsonl") as replaying:
        wait_for(lambda: len(replaying.printed) > 100)
        asked = time.monotonic()
        assert replaying.end(signal.SIGINT) == 130
        assert time.monotonic() - asked < 5

    assert replaying.snapshots()[-1]["end"] == "2015-05-31T23:00:01Z"


def test_sigterm_to_a_pipe_is_a_good_end():
    with running("top", "-", "--format", "jsonl", stdin=subprocess.PIPE) as counting:
        assert counting.process.stdin is not None
        counting.process.stdin.write(line("/a").decode() + "\n")
        counting.process.stdin.flush()
        time.sleep(1)
        assert counting.end(signal.SIGTERM) == 0

    assert counting.snapshots()[-1]["total"] == 1


def test_a_file_that_may_not_be_read_is_named_with_its_mend(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a"))
    log.chmod(0)
    # Root may read everything, so the process gives its rights away once it is loaded.
    code = """
import os, sys
from tailrace.cli import run, verbs, runs
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
        f"tailrace: {log}: may not be read by this user; "
        "change its mode, or run as a user who may\n"
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
from tailrace.cli import run
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


@pytest.mark.parametrize("verb", ["tailrace", "top", "parse", "formats", "send"])
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


def test_more_connections_than_the_system_allows_are_refused_with_a_line():
    limited = ("bash", "-c", 'ulimit -n 40; exec "$@"', "bash")
    with running("top", "flume://127.0.0.1:0", "--format", "jsonl", before=limited) as receiver:
        port = receiver.port
        sinks = [Sink(port) for _ in range(20)]
        wait_for(lambda: len(receiver.said) == 13)
        assert all("refused" in text for text in receiver.said[1:])
        assert sinks[-1].is_closed()
        for sink in sinks[1:]:
            sink.socket.close()
        with sinks[0] as sink:
            assert sink.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 1)
        with Sink(port) as sink:
            assert sink.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGTERM) == 0
