"""What signals do while a command runs, with real processes and terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from live import COMMAND, OK, TIMEOUT_S, Sink, handler_removed, line, running, wait_for
from mmdb import database
from terminal import terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from live import Process

TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT]
TEXT = b"".join(line(url) + b"\n" for url in ("/a", "/a", "/b"))

# Starts a command in a session of its own, with default actions for signals, and some ignored.
STARTED = """
import os, signal, sys
os.setsid()
for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
for name in filter(None, sys.argv[1].split(",")):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""


def daemon(
    *arguments: str, ignored: str = "", stdin: int = subprocess.DEVNULL
) -> AbstractContextManager[Process]:
    """Run the command without a controlling terminal."""
    return running(*arguments, stdin=stdin, before=(sys.executable, "-c", STARTED, ignored))


def message(live: Process, text: str) -> str:
    return wait_for(lambda: next((one for one in live.messages if text in one), None) or "")


def write(live: Process, data: bytes) -> None:
    assert live.process.stdin is not None
    live.process.stdin.write(data.decode())
    live.process.stdin.flush()


def handled(process: int, number: int) -> None:
    """Wait until a process handles a signal."""
    status = Path(f"/proc/{process}/status")

    def is_caught() -> bool:
        caught = next(one for one in status.read_text().splitlines() if one.startswith("SigCgt"))
        return bool(int(caught.split()[1], 16) & 1 << (number - 1))

    wait_for(is_caught)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ENDING)
def test_a_live_run_ends_with_its_last_answer(number: int):
    with daemon(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        assert receiver.end(number) == (130 if number == signal.SIGINT else 0)
    assert receiver.snapshots()[-1]["rows"] == [{"url": "/a", "count": 1}]
    assert receiver.messages[-1] == "tailrace: 1 line: 1 counted"


@pytest.mark.parametrize("number", [*ENDING, signal.SIGHUP])
def test_with_a_terminal_a_hangup_ends_as_sigterm_does(number: int):
    with terminal(*TOP[:2], "--log-format", "combined") as shown:
        wait_for(lambda: "listening" in "\n".join(shown.lines()))
        with Sink(shown.port) as sink:
            assert sink.batch([line("/a")]) == OK
        wait_for(lambda: "/a" in "\n".join(shown.lines()))
        shown.process.send_signal(number)
        assert shown.wait() == (130 if number == signal.SIGINT else 0)
        assert "1 line: 1 counted" in "\n".join(shown.lines())


HUNG_UP = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("to_file", [True, False])
def test_when_its_terminal_is_closed_it_ends_in_an_orderly_way(tmp_path: Path, *, to_file: bool):
    ours, theirs = os.openpty()
    printed = tmp_path / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", HUNG_UP, *COMMAND, "top", *TOP[1:4]]
            + (["--format", "jsonl"] if to_file else []),
            stdin=theirs,
            stdout=out if to_file else theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
    os.close(theirs)
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(";")[0].partition(";")[0].split(":")[-1])
        with Sink(port) as sink:
            assert sink.batch([line("/a")]) == OK
            os.close(ours)
            assert process.wait(TIMEOUT_S) == 0
        assert process.stderr.read() == "tailrace: 1 line: 1 counted\n" * to_file
    finally:
        process.kill()
        process.communicate()
    if to_file:
        assert b'"rows":[{"url":"/a","count":1}]' in printed.read_bytes().splitlines()[-1]


def test_a_second_signal_of_another_kind_ends_at_once():
    code = """
import sys, time
from tailrace._cli import run
from tailrace._runtime.counting import Counting
Counting.stop = lambda self: time.sleep(60)
sys.exit(run(["top", "flume://127.0.0.1:0"]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        handler_removed(process.pid, signal.SIGQUIT)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == -signal.SIGINT
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("verb", ["top", "parse"])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(verb: str, name: str):
    with daemon(verb, *TOP[1:], ignored=name) as receiver, Sink(receiver.port) as sink:
        for _ in range(3):
            receiver.process.send_signal(getattr(signal, name))
        assert sink.batch([line("/a")]) == OK
        other = signal.SIGQUIT if name == "SIGTERM" else signal.SIGTERM
        assert receiver.end(other) == 0
    assert len(receiver.messages) == 2
    assert receiver.messages[-1] == "tailrace: 1 line: 1 counted"


# --- the window so far ----------------------------------------------------------------------------


def test_a_live_run_shows_its_window_on_standard_error_before_and_after_its_first_line():
    with daemon(*TOP, "--window", "1h", "--slide", "1h") as receiver, Sink(receiver.port) as sink:
        receiver.process.send_signal(signal.SIGUSR1)
        assert "not final" in message(receiver, "so far 0 lines: 0 counted")
        assert sink.batch([line("/a"), line("/b"), line("/a")]) == OK
        receiver.process.send_signal(signal.SIGUSR1)
        assert "not final" in message(receiver, "so far 3 lines: 3 counted")
        wait_for(lambda: any(one.split()[-1:] == ["/a"] for one in receiver.messages))
        # Standard output has finished answers only.
        assert receiver.printed == []
        assert receiver.end(signal.SIGTERM) == 0
    assert len(receiver.snapshots()) == 1


@pytest.mark.parametrize("arguments", [(), ("--last", "1h"), ("--window", "1m", "--time", "log")])
def test_a_run_that_waits_for_a_pipe_shows_how_far_it_is_and_reads_on(arguments: tuple[str, ...]):
    with daemon("top", "-", "--format", "jsonl", *arguments, stdin=subprocess.PIPE) as reading:
        handled(reading.process.pid, signal.SIGQUIT)
        reading.process.send_signal(signal.SIGUSR1)
        message(reading, "so far 0 lines")
        for _ in range(400):
            write(reading, TEXT)
        reading.read_all()
        reading.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: sum("so far" in one for one in reading.messages) == 2)
        assert reading.process.stdin is not None
        reading.process.stdin.close()
        assert reading.closed() == 0
    answer = reading.snapshots()[-1]
    assert answer["lines"]["counted"] == 1_200


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_signals_change_neither_the_answer_nor_the_exit_code(tmp_path: Path, jobs: str):
    log = tmp_path / "access.log"
    log.write_bytes(TEXT * 300_000)
    with daemon("top", str(log), "--format", "jsonl", "--jobs", jobs) as reading:
        handled(reading.process.pid, signal.SIGQUIT)
        sent = 0
        while reading.process.poll() is None and sent < 500:
            reading.process.send_signal(signal.SIGUSR1 if sent % 3 else signal.SIGHUP)
            sent += 1
        assert reading.closed() == 0
    assert reading.snapshots()[0]["rows"] == [
        {"url": "/a", "count": 600_000},
        {"url": "/b", "count": 300_000},
    ]
    assert not any("Traceback" in one for one in reading.messages)


@pytest.mark.parametrize("verb", ["top", "parse"])
def test_signals_from_start_to_exit_neither_interrupt_each_other_nor_end_it(
    tmp_path: Path, verb: str
):
    log = tmp_path / "access.log"
    log.write_bytes(TEXT)
    with daemon(verb, str(log), "--format", "jsonl") as reading:
        handled(reading.process.pid, signal.SIGHUP)
        # The imports of its first table are interrupted too, and so is the interpreter's end.
        while reading.process.poll() is None:
            reading.process.send_signal(signal.SIGUSR1)
            reading.process.send_signal(signal.SIGHUP)
            time.sleep(0.0005)
        assert reading.closed() == 0
    assert len(reading.printed) == (1 if verb == "top" else 3)
    assert not any("Traceback" in one for one in reading.messages)


def test_parse_shows_its_counters():
    with daemon("parse", "-", "--format", "csv", stdin=subprocess.PIPE) as parsing:
        handled(parsing.process.pid, signal.SIGQUIT)
        parsing.process.send_signal(signal.SIGUSR1)
        message(parsing, "so far 0 lines: 0 counted")
        write(parsing, TEXT)
        assert parsing.process.stdin is not None
        parsing.process.stdin.close()
        assert parsing.closed() == 0
    assert len(parsing.printed) == 4


def test_send_shows_its_counters_and_ends_by_sigquit():
    with daemon(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        with daemon("send", "-", place, stdin=subprocess.PIPE) as sending:
            handled(sending.process.pid, signal.SIGQUIT)
            write(sending, TEXT)
            wait_for(lambda: receiver.counted() == 3)
            sending.process.send_signal(signal.SIGUSR1)
            assert "sent 3 lines in 1 batch" in message(sending, "so far")
            sending.process.send_signal(signal.SIGHUP)
            message(sending, "there is nothing to reload")
            assert sending.end(signal.SIGQUIT) == 0


def test_it_is_shown_above_a_live_table():
    with terminal(*TOP[:2], "--log-format", "combined") as shown:
        wait_for(lambda: "listening" in "\n".join(shown.lines()))
        shown.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: "not final" in "\n".join(shown.lines()))
        with Sink(shown.port) as sink:
            assert sink.batch([line("/a")]) == OK
        wait_for(lambda: "/a" in "\n".join(shown.lines()).partition("not final")[2])
        shown.process.send_signal(signal.SIGTERM)
        assert shown.wait() == 0


# --- a hangup without a terminal ------------------------------------------------------------------


def test_a_hangup_without_a_terminal_ends_nothing():
    with daemon(*TOP) as receiver, Sink(receiver.port) as sink:
        receiver.process.send_signal(signal.SIGHUP)
        message(receiver, "SIGHUP: there is nothing to reload")
        assert sink.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGTERM) == 0


def test_a_hangup_opens_the_file_of_rejected_lines_again(tmp_path: Path):
    rejects, moved = tmp_path / "rejects.tsv", tmp_path / "rejects.tsv.1"
    arguments = ("--rejects", str(rejects))
    with daemon("parse", *TOP[1:4], *arguments) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([b"first"]) == OK
        wait_for(lambda: b"first" in rejects.read_bytes())
        rejects.rename(moved)
        receiver.process.send_signal(signal.SIGHUP)
        message(receiver, "SIGHUP: opened the file of --rejects again")
        assert sink.batch([b"second"]) == OK
        wait_for(lambda: b"second" in rejects.read_bytes())
        assert b"second" not in moved.read_bytes()
        receiver.process.send_signal(signal.SIGHUP)
        message(receiver, "there is nothing to reload")
        assert receiver.end(signal.SIGTERM) == 0


def test_a_hangup_reads_the_database_of_countries_again(tmp_path: Path):
    found = tmp_path / "countries.mmdb"
    found.write_bytes(database({"1.2.3.0/24": {"country": {"iso_code": "DE"}}}))
    arguments = ("--by", "host:country", "--geoip", str(found), "--window", "1h", "--slide", "1h")
    with daemon(*TOP, *arguments) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        fresh = tmp_path / "fresh.mmdb"
        fresh.write_bytes(database({"1.2.3.0/24": {"country": {"iso_code": "FR"}}}))
        fresh.replace(found)
        receiver.process.send_signal(signal.SIGHUP)
        message(receiver, f"SIGHUP: read {found} again")
        assert sink.batch([line("/a")] * 2) == OK
        found.write_bytes(b"no database")
        receiver.process.send_signal(signal.SIGHUP)
        assert "the database that was read before is used" in message(receiver, "before")
        assert sink.batch([line("/a")] * 2) == OK
        assert receiver.end(signal.SIGTERM) == 0
    assert receiver.snapshots()[-1]["rows"] == [
        {"host:country": "FR", "count": 4},
        {"host:country": "DE", "count": 1},
    ]
