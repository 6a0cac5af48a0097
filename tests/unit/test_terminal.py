"""What somebody sees at a terminal, as an emulator of one shows it."""

import gzip
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from live import COMMAND, OK, Sink, line, wait_for
from places import LOG
from terminal import Terminal, terminal

FLUME = ("top", "flume://127.0.0.1:0", "--window", "60s")


def fed(shown: Terminal, *urls: str) -> None:
    """Send lines, and wait until they are shown."""
    with Sink(shown.port) as sink:
        assert sink.batch([line(url) for url in urls]) == OK
    wait_for(lambda: re.match(f"{len(urls)} lines?, ", shown.lines()[-1]))


def test_the_live_table_is_drawn_in_place_cut_to_the_terminal():
    long = "/" + "x" * 60
    with terminal(*FLUME) as shown:
        fed(shown, *[f"/{n}" for n in range(20)], long, long)
        redraws = shown.sent().count("\x1b[J")
        wait_for(lambda: shown.sent().count("\x1b[J") > redraws + 1)
        lines = shown.lines()
        shown.type(b"\x03")
        assert shown.wait() == 130
        sent, left = shown.sent(), shown.lines()

    # The eighth line is left to the cursor.
    assert len(lines) == 7
    assert re.fullmatch(r"22 events, 3 of 21 keys, to \d\d:\d\d:\d\d", lines[0])
    expected = [
        "count   share  url",
        f"    2    9.1%  {long}"[:39] + "…",
        "    1    4.5%  /0",
        "    1    4.5%  /1",
        "   22  100.0%  ── total",
    ]
    assert lines[1:6] == expected
    assert re.fullmatch(r"22 lines, [\d.]+/s(, .*)?(  [?] keys)?", lines[6])
    # The last table with its total, and below it where all lines went.
    assert left[0].startswith("22 events, 2 of 21 keys, to ")
    assert left[1:] == [*lines[1:4], lines[5], "tailrace: 22 lines: 22 counted"]
    # Nothing but colours, upward movements within the terminal and erasures: there is nothing
    # to restore.
    moves = re.findall(r"\x1b\[[0-9;?]*[^m0-9;?]", sent)
    assert [move for move in moves if not re.fullmatch(r"\x1b\[([1-7]F|J)", move)] == []


def test_wide_and_combining_characters_take_the_room_that_they_take():
    with terminal(*FLUME, columns=20) as shown:
        fed(shown, "/" + "温泉" * 10, "/" + "e\u0301" * 11, "/กำ้" + "a" * 20)
        lines = shown.lines()

    assert [line.replace(" ", "") for line in lines[-5:-2]] == [
        "1/" + "é" * 11,
        # The vowel is a letter for itself, the tone mark above it is not.
        "1/กำ้" + "a" * 9 + "…",
        "1/" + "温泉" * 2 + "温…",
    ]


def test_a_log_cannot_steer_the_terminal():
    with terminal(*FLUME, columns=80) as shown:
        port = shown.port
        with Sink(port) as sink:
            assert sink.batch([line("/\x1b]0;owned\x07\x9b31m\u202e")]) == OK
            wait_for(lambda: "owned" in shown.sent())
        with Sink(port) as sink:
            sink.send(b"GET /\x1b[31m HTTP/1.1\r\n\r\n")
            assert sink.is_closed()
        wait_for(lambda: "connection closed" in shown.sent())
        sent = shown.sent()

    assert "\x1b]" not in sent
    assert "\x1b[31m" not in sent
    assert "\x07" not in sent
    assert "\x9b" not in sent
    assert "\u202e" not in sent
    assert r"/\x1b]0;owned\x07\x9b31m\u202e" in sent.replace("\r\n", "").replace("\x1b[m", "")


def test_a_message_is_above_the_table():
    with terminal(*FLUME, columns=100) as shown:
        fed(shown, "/a")
        with Sink(shown.port) as sink:
            sink.send(b"GET / HTTP/1.1\r\n\r\n")
            assert sink.is_closed()
        wait_for(lambda: "connection closed" in shown.sent())
        wait_for(lambda: shown.lines()[-1].startswith("1 line, "))
        lines = shown.lines()

    places = [place for place, text in enumerate(lines) if "connection closed" in text]
    heads = [place for place, text in enumerate(lines) if text.startswith("1 event, ")]
    assert len(places) == len(heads) == 1
    assert places[0] < heads[0]
    assert lines[-3:-1] == ["count   share  url", "    1  100.0%  /a"]


@pytest.mark.parametrize(
    ("size", "left"),
    [
        ((30, 6), "0 lines, 0/s  ? keys"),
        ((100, 20), "0 lines, 0/s  ? keys"),
        ((12, 2), "0 lines, 0/s"),
        ((7, 3), "0 lines"),
        ((6, 3), "0 lin…"),
    ],
)
def test_after_a_resize_all_is_drawn_from_the_top(size: tuple[int, int], left: str):
    # The clock is not looked at, so that nothing but the signal can have it drawn.
    with terminal(*FLUME, "--batch-interval", "15m", columns=60, rows=10) as shown:
        wait_for(lambda: shown.lines()[-1] == "0 lines, 0/s  ? keys")
        assert shown.lines()[0].startswith("tailrace: ")
        shown.resize(*size)
        wait_for(lambda: shown.lines() == [left])


def test_many_resizes_leave_one_table():
    with terminal(*FLUME, columns=60, rows=10) as shown:
        fed(shown, *[f"/{n}" for n in range(20)])
        for columns, rows in [(20, 5), (1, 1), (200, 50), (3, 2), (50, 12), (50, 4), (50, 12)]:
            shown.resize(columns, rows)
        wait_for(lambda: len(shown.lines()) == 11 and shown.lines()[-1].startswith("20 lines"))
        lines = shown.lines()

    assert lines[0].startswith("20 events, 7 of 20 keys, ")
    assert lines[1:3] == ["count   share" + " " * 20 + "url", "    1    5.0%  " + "█" * 16 + "  /0"]
    assert lines[-2].split() == ["20", "100.0%", "──", "total"]


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (40, 1), (2, 2)])
def test_a_tiny_terminal_is_no_reason_to_end(size: tuple[int, int]):
    with terminal(*FLUME, columns=size[0], rows=size[1]) as shown:
        with Sink(shown.port) as sink:
            assert sink.batch([line("/温泉")]) == OK
            assert sink.batch([line("/b")]) == OK
        shown.type(b"\x03")
        assert shown.wait() == 130

    assert "Traceback" not in shown.sent()


@pytest.fixture
def shell(tmp_path: Path) -> list[str]:
    rc = tmp_path / "rc"
    rc.write_text("PS1='> '\n")
    return ["bash", "--noprofile", "--rcfile", str(rc), "--noediting", "-i"]


def typed(arguments: tuple[str, ...]) -> bytes:
    command = " ".join(f"'{word}'" for word in [*COMMAND, *arguments])
    # An assignment keeps the command itself out of what the shell says about it.
    return f"run() {{ {command}; }}\n".encode()


def test_ctrl_z_and_back_erases_nothing_of_what_the_shell_wrote(shell: list[str]):
    status = "0 lines, 0/s  ? keys"
    with terminal(command=shell, columns=80, rows=30) as shown:
        shown.type(typed((*FLUME, "--batch-interval", "15m")))
        shown.type(b"clear; run\n")
        wait_for(lambda: shown.lines()[-1] == status)
        shown.type(b"\x1a")
        wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
        shown.type(b"echo between; fg\n")
        # Only the signal can have it drawn again.
        wait_for(lambda: shown.lines().count(status) == 2)
        lines = shown.lines()
        shown.type(b"\x03")
        wait_for(lambda: "0 counted" in shown.sent())

    assert lines[-1] == status
    assert "between" in lines
    assert any("Stopped" in text for text in lines)
    assert lines.index(status) < lines.index("between")


def test_in_the_background_nothing_is_drawn_over_the_prompt(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        shown.type(typed((*FLUME, "--batch-interval", "10ms")))
        shown.type(b"clear; run &\n")
        with Sink(shown.port) as sink:
            # Each is answered after a round in which all would have been drawn.
            for _ in range(20):
                assert sink.batch([line("/a")]) == OK
        hidden = shown.sent()
        shown.type(b"echo between; fg\n")
        # bash sends no signal to what is not stopped.
        wait_for(lambda: "   20  100.0%  /a" in shown.lines())
        lines = shown.lines()
        shown.type(b"\x03")
        wait_for(lambda: "20 counted" in shown.sent())

    assert "/s" not in hidden
    assert "\x1b[J" not in hidden.rpartition("listening")[2]
    assert "between" in lines


def test_what_ends_in_the_background_leaves_its_table(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        shown.type(typed(FLUME))
        shown.type(b"clear; run &\n")
        with Sink(shown.port) as sink:
            assert sink.batch([line("/a")]) == OK
        shown.type(b"kill %1\n")
        wait_for(lambda: "1 counted" in shown.sent())
        lines = shown.lines()

    assert "    1  100.0%  /a" in lines
    assert "\x1b[J" not in shown.bytes.decode().rpartition("listening")[2]


@pytest.mark.parametrize(
    ("arguments", "environment", "colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "always"), {"TERM": "dumb"}, True),
        (("--color", "auto"), {"NO_COLOR": "1"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always", "--format", "csv"), {}, False),
        (("--color", "always", "--format", "jsonl"), {}, False),
    ],
)
def test_colors_are_those_asked_for(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], *, colored: bool
):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\nno line\n")
    with terminal("top", str(log), *arguments, columns=200, **environment) as shown:
        assert shown.wait() == 0

    assert ("\x1b[" in shown.sent()) == colored
    if colored:
        assert shown.colors("1 event") == ("default", True)
        assert shown.colors("1 rejected") == ("brown", False)
        assert shown.colors("1  100.0%  /a") == ("cyan", False)
        assert shown.colors("tailrace: 2 lines") == ("default", False)


@pytest.mark.parametrize(("choice", "colored"), [("auto", False), ("always", True)])
def test_a_pipe_gets_colors_only_where_asked_for(tmp_path: Path, choice: str, *, colored: bool):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    command = [*COMMAND, "top", str(log), "--color", choice]
    environment = os.environ | {"TERM": "xterm"}
    ran = subprocess.run(command, capture_output=True, check=True, env=environment)

    assert (b"\x1b[" in ran.stdout) == colored
    assert b"\x1b[" not in ran.stderr


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A log that is read for longer than anybody waits, and takes no room."""
    log = tmp_path / "endless.log"
    with log.open("wb") as file:
        file.write(line("/a") + b"\n")
        file.truncate(64 * 10**9)
    return log


# However slowly a loaded machine reads.
PROGRESS = r"\d+ % of 64 GB, [\d.]+ [kMG]?B/s, \d+ (s|min|h) left"


def test_a_long_file_has_a_line_that_says_how_far_it_is_read(endless: Path):
    # So wide that the message with the path is in one line.
    with terminal("top", str(endless), columns=250) as shown:
        # Whole: what is read of a terminal may end in the middle of the line.
        wait_for(lambda: re.fullmatch(PROGRESS, "\n".join(shown.lines())))
        first = shown.lines()
        wait_for(lambda: shown.lines() != first and re.fullmatch(PROGRESS, shown.lines()[0]))
        before = shown.attributes()
        shown.type(b"\x03")
        assert shown.wait() == 130
        assert shown.attributes() == before

    # Gone, and with it nothing of the answer.
    assert ": format combined, the first line matches" in shown.lines()[0]
    assert "1 event, 1 key" in "\n".join(shown.lines())
    assert "GB" not in "\n".join(shown.lines())


BOTH_AT_ONCE = """
import signal
from tailrace._cli.progress import Progress
with Progress(lambda: (1, 2), shown=True) as progress:
    signal.signal(signal.SIGINT, lambda *_: progress.end())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGALRM})
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGALRM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGALRM})
assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
print("ended")
"""


def test_the_timer_may_go_off_with_the_signal_that_ends_it():
    with terminal(command=[sys.executable, "-c", BOTH_AT_ONCE], columns=100) as shown:
        assert shown.wait() == 0
        assert shown.lines() == ["ended"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_line_goes_with_the_first_signal(endless: Path, number: int):
    with terminal("top", str(endless), columns=100) as shown:
        wait_for(lambda: "GB" in shown.lines()[0])
        shown.process.send_signal(number)
        shown.wait()

    assert "GB" not in "\n".join(shown.lines())


def test_ctrl_z_leaves_no_line_and_fg_brings_it_back(shell: list[str], endless: Path):
    with terminal(command=shell, columns=100, rows=30) as shown:
        shown.type(typed(("top", str(endless))))
        shown.type(b"clear; run\n")
        wait_for(lambda: "% of" in "\n".join(shown.lines()))
        shown.type(b"\x1a")
        wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
        stopped = "\n".join(shown.lines())
        shown.type(b"fg\n")
        wait_for(lambda: "% of" in "\n".join(shown.lines()))
        shown.type(b"\x1a")
        wait_for(lambda: "\n".join(shown.lines()).count("Stopped") == 2)
        again = "\n".join(shown.lines())
        shown.type(b"kill -9 %1\n")

    assert "GB" not in stopped
    assert "GB" not in again


def test_of_a_pipe_nobody_knows_the_end(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    arguments = ("top", str(pipe), "--log-format", "combined")
    with terminal(*arguments, columns=100) as shown, pipe.open("wb") as writer:
        writer.write((line("/a") + b"\n") * 100)
        writer.flush()
        wait_for(lambda: re.fullmatch(r"7\.\d kB, [\d.]+ k?B/s", shown.lines()[0]))
        writer.close()
        assert shown.wait() == 0

    assert shown.lines()[0].startswith("100 events, 1 key, ")


def test_an_error_replaces_the_progress_line(tmp_path: Path):
    pipe, log = tmp_path / "pipe", tmp_path / "access.log"
    os.mkfifo(pipe)
    log.write_bytes(line("/a") + b"\n")
    with terminal("top", str(pipe), str(log), columns=200) as shown, pipe.open("wb") as writer:
        wait_for(lambda: shown.lines()[0] == "0 B, 0 B/s")
        log.unlink()
        writer.close()
        assert shown.wait() == 1

    assert shown.lines() == [
        "0 events, 0 keys",
        f"tailrace: {log}: no such file or directory",
        "tailrace: 0 lines: 0 counted",
    ]


def catches_alarms(process: int) -> bool:
    """Whether a process has a handler of the timer's signal."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = re.search(r"SigCgt:\s+([0-9a-f]+)", status)
    assert caught is not None
    return bool(int(caught[1], 16) >> (signal.SIGALRM - 1) & 1)


def into_a_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT)


@pytest.mark.parametrize("verb", ["parse", "top"])
@pytest.mark.parametrize("goes_to", ["terminal", "pipe", "file"])
def test_rows_are_not_torn_by_it(tmp_path: Path, verb: str, goes_to: str):
    source = tmp_path / "pipe"
    os.mkfifo(source)
    arguments = [verb, str(source), "--format", "jsonl", "--log-format", "combined"]
    arguments += ["--window", "1s", "--lateness", "0s"] if verb == "top" else []
    stdout = {
        "terminal": lambda: None,
        "pipe": lambda: os.pipe()[1],
        "file": lambda: into_a_file(tmp_path / "out"),
    }
    with (
        terminal(*arguments, columns=200, stdout=stdout[goes_to]()) as shown,
        source.open("wb") as writer,
    ):
        writer.write(
            line("/a") + b"\n" + line("/b", time_text="18/May/2015:10:05:03 +0000") + b"\n"
        )
        writer.flush()
        wait_for(
            lambda: (
                catches_alarms(shown.process.pid)
                or "/a" in shown.sent()
                or goes_to == "pipe"
                or (goes_to == "file" and verb == "top" and (tmp_path / "out").read_bytes())
            )
        )
        # With a window a pipe is live, and what is live has no end to be near to.
        assert catches_alarms(shown.process.pid) == (goes_to == "file" and verb == "parse")


def test_what_a_signal_interrupts_is_read_to_its_end(tmp_path: Path):
    # A timer's signal comes in the middle of reads and writes; none of them may be cut short.
    log = tmp_path / "access.log"
    text = gzip.decompress(LOG.read_bytes())
    log.write_bytes(text * 3)
    code = f"""
import signal, sys
from tailrace._cli import progress, run
progress._FIRST_S = progress._EVERY_S = 0.0005
sys.exit(run(["parse", {str(log)!r}, "--format", "csv", "--fields", "url"]))
"""
    out = into_a_file(tmp_path / "out")
    with terminal(command=[sys.executable, "-c", code], columns=100, stdout=out) as shown:
        assert shown.wait() == 0
    os.close(out)

    assert "MB/s" in shown.sent()
    assert "MB/s" not in "\n".join(shown.lines())
    assert (tmp_path / "out").read_bytes().count(b"\n") == 1 + 3 * 9_999
