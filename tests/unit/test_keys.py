"""Keys of the live table, and the state in which it leaves the terminal."""

import os
import re
import signal
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from live import COMMAND, OK, Sink, events, line, wait_for
from terminal import Terminal, terminal

from tailrace._terminal.keyboard import OTHER, Decoder

# Equal batches on new connections count each time.
FLUME = ("top", "flume://127.0.0.1:0", "--window", "60s", "--resent", "count")
# The clock is not looked at, so that only a key has something drawn.
RARELY = (*FLUME, "--batch-interval", "15m")

LIST = ["q      end with the last result"]
LIST += ["Space  freeze the display, or continue", "?      show the keys, or hide them"]


def fed(shown: Terminal, *urls: str) -> None:
    """Send lines and wait until they are counted."""
    with Sink(shown.port) as sink:
        assert sink.batch([line(url) for url in urls]) == OK


def rows(shown: Terminal) -> dict[str, int]:
    """Return the counts of the table."""
    text = "\n".join(shown.lines())
    return {url: int(count) for count, url in re.findall(r"(?m)^ *(\d+) .* (/\w)$", text)}


def ready(shown: Terminal) -> None:
    """Wait until keys are read and the status is shown."""
    wait_for(lambda: shown.reads_keys() and re.match(r"[\d,]+ lines?, ", shown.lines()[-1]))


def decoded(*pieces: bytes) -> list[str]:
    """Decode what is typed with a pause after each piece."""
    decoder = Decoder()
    keys: list[str | None] = []
    for piece in pieces:
        keys += [decoder.feed(byte) for byte in piece]
        keys.append(decoder.pause())
    return [key for key in keys if key is not None]


@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param(b"\x1b[A", id="an arrow"),
        pytest.param(b"\x1bOA", id="an arrow in application mode"),
        pytest.param(b"\x1bOq", id="a key of the keypad, which ends as q does"),
        pytest.param(b"\x1b[1;5C", id="Ctrl and an arrow"),
        pytest.param(b"\x1bO5C", id="the same, of old"),
        pytest.param(b"\x1b[3~", id="Delete"),
        pytest.param(b"\x1b[24;2~", id="Shift and F12"),
        pytest.param(b"\x1b[[A", id="F1 of Linux's console"),
        pytest.param(b"\x1b\x1b[A", id="Alt and an arrow, with two escapes"),
        pytest.param(b"\x1bq", id="Alt and q"),
        pytest.param(b"\x1b ", id="Alt and Space"),
        pytest.param(b"\x1b[<0;113;32M", id="a click"),
        pytest.param(b"\x1b[M q?", id="a click, of old, at the column of q"),
        pytest.param(b"\x1b[200~", id="the start of a bracketed paste"),
        pytest.param(b"\x1b[?62;22c", id="a reply: what the terminal is"),
        pytest.param(b"\x1b[113;1u", id="q as kitty sends it"),
        pytest.param(b"\x1b]11;rgb:0/q/?\x07", id="a reply: the color of the background"),
        pytest.param(b"\x1b]11;rgb:0/q/?\x1b\\", id="the same, ended by ST"),
        pytest.param(b"\x1bP1$r q\x1b\\", id="a reply: a setting"),
        pytest.param(b"\x1b[" + b"1" * 65, id="a number without an end"),
    ],
)
def test_a_sequence_is_swallowed_whole(sequence: bytes):
    assert decoded(b"?" + sequence + b"x ") == ["?", OTHER, "x", " "]


def test_what_follows_after_a_pause_is_a_key_again():
    assert decoded(b"\x1b", b"q") == [OTHER, "q"]
    # Shift and Insert of rxvt, whose last character could continue a sequence.
    assert decoded(b"\x1b[2$", b"q") == [OTHER, "q"]
    assert decoded(b"\x1b]", b"q") == [OTHER, "q"]
    assert decoded("\r\n\tä".encode()) == ["\r", "\n", "\t", "\xc3", "\xa4"]


def test_q_ends_with_the_last_table_and_leaves_nothing():
    with terminal(*FLUME, columns=60, rows=20) as shown:
        ready(shown)
        fed(shown, "/a", "/b", "/a")
        # None of these is echoed, and none does anything.
        shown.type(b"x\r\n\t\x1b[A\x04\x7f\xc3\xa4Q")
        wait_for(lambda: rows(shown) == {"/a": 2, "/b": 1})
        shown.type(b"q")
        assert shown.wait() == 0
        assert shown.attributes() == shown.initial
        assert shown.is_usable()
        assert rows(shown) == {"/a": 2, "/b": 1}
        lines = shown.lines()

    assert lines[-1] == "tailrace: 3 lines: 3 counted"
    assert sum(text.startswith("3 events") for text in lines) == 1
    assert not re.search(r"\^\[|\^D|xä|Q", "\n".join(lines))


def test_a_question_mark_lists_the_keys_until_the_next_one():
    with terminal(*RARELY, columns=60, rows=12) as shown:
        ready(shown)
        for hiding in (b"?", b"x", b"\r", b"\x1b[A", b"\x1b"):
            shown.type(b"?")
            wait_for(lambda: shown.lines()[-4:-1] == LIST)
            assert shown.lines()[-1] == "0 lines, 0/s  ? keys"
            shown.type(hiding)
            wait_for(lambda: LIST[0] not in shown.lines())
            assert shown.lines()[-1] == "0 lines, 0/s  ? keys"
        # A key of the list does what the list says.
        shown.type(b"?q")
        assert shown.wait() == 0
        assert LIST[0] not in shown.lines()


def test_the_list_fits_a_small_terminal_and_the_hint_has_no_room():
    with terminal(*RARELY, columns=18, rows=4) as shown:
        wait_for(lambda: shown.reads_keys() and shown.lines()[-1] == "0 lines, 0/s")
        shown.type(b"?")
        wait_for(lambda: shown.lines() == [text[:17] + "…" for text in LIST])
        shown.type(b"?")
        wait_for(lambda: shown.lines() == ["0 lines, 0/s"])


def test_space_freezes_what_is_shown_while_lines_are_counted():
    with terminal(*FLUME, "--batch-interval", "10ms", columns=70, rows=12) as shown:
        ready(shown)
        fed(shown, "/a")
        wait_for(lambda: rows(shown) == {"/a": 1})
        shown.type(b" ")
        wait_for(lambda: shown.lines()[-1].startswith("frozen, Space continues: 1 line, "))
        before = shown.sent()
        fed(shown, "/b", "/b")
        time.sleep(0.5)
        assert shown.sent() == before
        # Another size shows the same table, whole.
        shown.resize(50, 5)
        wait_for(lambda: len(shown.lines()) == 4 and rows(shown) == {"/a": 1})
        assert shown.lines()[-1].startswith("frozen, Space continues: 1 line, ")
        shown.type(b" ")
        wait_for(lambda: rows(shown) == {"/b": 2})
        wait_for(lambda: shown.lines()[-1].startswith("3 lines, "))
        shown.resize(70, 12)
        # At the end, the newest.
        shown.type(b" ")
        wait_for(lambda: shown.lines()[-1].startswith("frozen, "))
        fed(shown, "/b", "/b")
        shown.type(b"q")
        assert shown.wait() == 0
        assert rows(shown) == {"/a": 1, "/b": 4}
        assert "frozen" not in "\n".join(shown.lines())


def test_a_message_while_frozen_is_shown():
    with terminal(*FLUME, columns=100, rows=12) as shown:
        ready(shown)
        shown.type(b" ")
        wait_for(lambda: shown.lines()[-1].startswith("frozen, "))
        with Sink(shown.port) as sink:
            sink.send(b"GET / HTTP/1.1\r\n\r\n")
            assert sink.is_closed()
        wait_for(lambda: "connection closed" in "\n".join(shown.lines()))
        wait_for(lambda: shown.lines()[-1].startswith("frozen, "))


def ends_by(*numbers: int) -> Callable[[Terminal], None]:
    def end(shown: Terminal) -> None:
        for number in numbers:
            shown.process.send_signal(number)

    return end


def typed_keys(keys: bytes) -> Callable[[Terminal], None]:
    return lambda shown: shown.type(keys)


ENDS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "q": (typed_keys(b"q"), 0),
    "Ctrl-C": (typed_keys(b"\x03"), 130),
    "Ctrl-backslash": (typed_keys(b"\x1c"), 0),
    "SIGTERM": (ends_by(signal.SIGTERM), 0),
    "SIGQUIT": (ends_by(signal.SIGQUIT), 0),
    "SIGHUP": (ends_by(signal.SIGHUP), 0),
} | {
    str(number): (ends_by(number), -number)
    for number in (
        signal.SIGABRT,
        signal.SIGALRM,
        signal.SIGUSR2,
        signal.SIGPROF,
        signal.SIGXCPU,
    )
}


@pytest.mark.parametrize(
    ("end", "state"),
    [(end, b"") for end in ENDS] + [(end, key) for end in ("q", "Ctrl-C") for key in (b" ", b"?")],
)
def test_however_it_ends_the_terminal_is_as_it_was(end: str, state: bytes, tmp_path: Path):
    act, code = ENDS[end]
    # Where a core would be written.
    command = ["sh", "-c", f'ulimit -c 0; cd "{tmp_path}"; exec "$@"', "sh", *COMMAND]
    with terminal(*FLUME, command=command) as shown:
        ready(shown)
        fed(shown, "/a")
        shown.type(state)
        act(shown)
        assert shown.wait() == code
        assert shown.attributes() == shown.initial
        assert shown.is_usable()


def test_a_second_signal_ends_it_at_once_and_the_terminal_is_as_it_was():
    # A stop waits for the lines in work: here the reading of a log that takes long.
    code = f"""
import sys, time
from tailrace._cli import run
from tailrace._runtime.counting import Counting
def stop(self):
    print("stopping", flush=True)
    time.sleep(60)
Counting.stop = stop
sys.exit(run({list(FLUME)!r}))
"""
    with terminal(command=[sys.executable, "-c", code]) as shown:
        ready(shown)
        shown.type(b"\x03")
        wait_for(lambda: "stopping" in shown.sent())
        assert shown.attributes() == shown.initial
        shown.type(b"\x03")
        assert shown.wait() == -signal.SIGINT
        assert shown.attributes() == shown.initial


@pytest.mark.parametrize(
    ("error", "code"),
    [("BrokenPipeError()", 0), ("OutputError('cannot write: x')", 1), ("ValueError('x')", 1)],
)
def test_after_an_error_the_terminal_is_as_it_was(error: str, code: int):
    source = f"""
import sys
from tailrace._cli import run
from tailrace._outputs.screen import Screen
from tailrace._terminal.streams import OutputError
draw = Screen.refresh
def refresh(self, status):
    draw(self, status)
    if self.has_keys and status.lines["fed"]:
        raise {error}
Screen.refresh = Screen.show = lambda self, *rest: refresh(self, rest[-1])
sys.exit(run({list(FLUME)!r}))
"""
    with terminal(command=[sys.executable, "-c", source]) as shown:
        ready(shown)
        with Sink(shown.port) as sink:
            sink.send(sink.frame(b"appendBatch", events([line("/a")], None)))
            assert shown.wait() == code
        assert shown.attributes() == shown.initial


def test_what_kill_9_leaves_is_what_the_decision_says():
    with terminal(*FLUME) as shown:
        ready(shown)
        shown.process.kill()
        shown.wait()
        left = shown.attributes()

    assert left[3] == shown.initial[3] & ~(termios.ICANON | termios.ECHO)
    assert [*left[:3], *left[4:6]] == [*shown.initial[:3], *shown.initial[4:6]]


def test_only_what_was_changed_is_restored():
    with terminal(*FLUME) as shown:
        ready(shown)
        other = shown.attributes()
        other[0] &= ~termios.IXON
        other[3] &= ~termios.IEXTEN
        shown.set_attributes(other)
        shown.type(b"q")
        assert shown.wait() == 0
        left = shown.attributes()

    assert left[0] == shown.initial[0] & ~termios.IXON
    assert left[3] == shown.initial[3] & ~termios.IEXTEN


def test_keys_are_read_again_after_another_program_restored_the_terminal():
    with terminal(*FLUME, "--batch-interval", "10ms") as shown:
        ready(shown)
        shown.set_attributes(shown.initial)
        wait_for(shown.reads_keys)
        # One that restores only a part.
        other = shown.attributes()
        other[3] |= termios.ECHO
        shown.set_attributes(other)
        wait_for(shown.reads_keys)
        shown.type(b"q")
        assert shown.wait() == 0
        assert shown.attributes() == shown.initial


def test_the_descriptors_of_others_stay_blocking():
    reader, writer = os.pipe()
    with terminal(*FLUME, stdin=reader) as shown:
        slave = os.open(f"/proc/{shown.process.pid}/fd/1", os.O_RDWR | os.O_NOCTTY)
        ready(shown)
        flags = Path(f"/proc/{shown.process.pid}/fdinfo/1").read_text()
        shown.type(b"q")
        assert shown.wait() == 0
        os.close(slave)
    os.close(reader)
    os.close(writer)

    octal = re.search(r"flags:\s+([0-7]+)", flags)
    assert octal is not None
    assert not int(octal[1], 8) & os.O_NONBLOCK


def test_lines_through_a_pipe_leave_the_keys_to_the_terminal(tmp_path: Path):
    fifo = tmp_path / "lines"
    os.mkfifo(fifo)
    command = [*COMMAND, "top", "--window", "60s", "--log-format", "combined"]
    pipeline = f'cat "{fifo}" | "$@"; echo "code ${{PIPESTATUS[1]}}"'
    with terminal(command=["bash", "-c", pipeline, "bash", *command], columns=80, rows=12) as shown:
        with fifo.open("wb", buffering=0) as writer:
            wait_for(lambda: "0 lines, 0/s" in shown.lines()[-1])
            time.sleep(0.3)
            # The writer may ask for a password before it has lines.
            assert shown.attributes() == shown.initial
            writer.write(line("/a") + b"\n")
            ready(shown)
            shown.type(b"?")
            wait_for(lambda: LIST[0] in shown.lines())
            shown.type(b"q")
            wait_for(lambda: "1 counted" in shown.sent())
        wait_for(lambda: "code " in shown.sent())
        assert shown.lines()[-1] == "code 0"
        assert shown.attributes() == shown.initial


def test_the_end_of_the_lines_restores_the_terminal():
    reader, writer = os.pipe()
    command = ("top", "--window", "60s", "--log-format", "combined")
    with terminal(*command, stdin=reader, columns=80, rows=12) as shown:
        os.close(reader)
        os.write(writer, line("/a") + b"\n")
        ready(shown)
        os.close(writer)
        assert shown.wait() == 0
        assert shown.attributes() == shown.initial


def test_lines_typed_at_the_terminal_are_no_keys():
    arguments = ("top", "-", "--window", "60s", "--log-format", "{url:word}")
    with terminal(*arguments, columns=80, rows=12) as shown:
        wait_for(lambda: shown.lines()[-1].startswith("0 lines, 0/s"))
        shown.type(b"q\n?\n")
        wait_for(lambda: re.search("2 lines, ", shown.lines()[-1]))
        assert shown.attributes() == shown.initial
        assert "? keys" not in shown.sent()
        shown.type(b"\x04")
        assert shown.wait() == 0


@pytest.mark.parametrize("where", ["pipe", "finite", "jsonl", "dumb"])
def test_without_a_live_table_the_terminal_is_not_touched(where: str, tmp_path: Path):
    fifo = tmp_path / "lines"
    os.mkfifo(fifo)
    reader, writer = os.pipe()
    arguments = {"jsonl": (*FLUME, "--format", "jsonl"), "finite": ("top", str(fifo))}
    with terminal(
        *arguments.get(where, FLUME),
        stdout=writer if where == "pipe" else None,
        columns=80,
        TERM="dumb" if where == "dumb" else "xterm",
    ) as shown:
        if where == "finite":
            with fifo.open("wb", buffering=0) as lines:
                lines.write(line("/a") + b"\n")
                time.sleep(0.5)
                assert shown.attributes() == shown.initial
        else:
            fed(shown, "/a")
            assert shown.attributes() == shown.initial
        shown.type(b"q")
        time.sleep(0.3)
        assert shown.attributes() == shown.initial
        assert where == "finite" or shown.process.poll() is None
    os.close(reader)
    os.close(writer)


@pytest.fixture
def shell(tmp_path: Path) -> list[str]:
    rc = tmp_path / "rc"
    command = " ".join(f"'{word}'" for word in [*COMMAND, *RARELY])
    often = " ".join(f"'{word}'" for word in [*COMMAND, *FLUME, "--batch-interval", "10ms"])
    rc.write_text(f"PS1='> '\nrun() {{ {command}; }}\noften() {{ {often}; }}\n")
    return ["bash", "--noprofile", "--rcfile", str(rc), "--noediting", "-i"]


def at_prompt(shown: Terminal) -> None:
    """Wait until the shell answers; a job in the background may write below its prompt."""
    asked = 0.0

    def is_answered() -> bool:
        nonlocal asked
        if time.monotonic() > asked + 5:
            asked = time.monotonic()
            shown.type(b"echo re''ady\n")
        return bool(re.search(r"\b(?<!echo )ready\n>$", "\n".join(shown.lines())))

    wait_for(is_answered)


def test_ctrl_z_hands_the_shell_its_terminal_and_fg_takes_it_back(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        at_prompt(shown)
        before = shown.attributes()
        shown.type(b"clear; run\n")
        for _ in range(3):
            ready(shown)
            shown.type(b"\x1a")
            wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
            at_prompt(shown)
            assert shown.attributes() == before
            # Only the signal can have it drawn again.
            shown.type(b"clear; fg\n")
        ready(shown)
        shown.type(b"q")
        wait_for(lambda: "0 counted" in shown.sent())
        at_prompt(shown)
        assert shown.attributes() == before


def test_a_stop_that_cannot_be_caught_is_survived(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        at_prompt(shown)
        before = shown.attributes()
        shown.type(b"clear; run\n")
        ready(shown)
        os.killpg(os.tcgetpgrp(shown.descriptor), signal.SIGSTOP)
        wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
        at_prompt(shown)
        assert shown.attributes() == before
        shown.type(b"clear; fg\n")
        ready(shown)
        shown.type(b"q")
        wait_for(lambda: "0 counted" in shown.sent())
        at_prompt(shown)
        assert shown.attributes() == before


def cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("start", ["&", "Ctrl-Z and bg"])
def test_a_background_job_runs_on_and_leaves_the_terminal_to_the_shell(
    shell: list[str], start: str
):
    with terminal(command=shell, columns=80, rows=30) as shown:
        at_prompt(shown)
        before = shown.attributes()
        if start == "&":
            shown.type(b"clear; often &\n")
            wait_for(lambda: "listening" in shown.sent())
        else:
            shown.type(b"clear; often\n")
            ready(shown)
            shown.type(b"\x1a")
            wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
            shown.type(b"bg\n")
        at_prompt(shown)
        shown.type(b"echo job $(jobs -p)\n")
        found = wait_for(lambda: re.search(r"job (\d+)", "\n".join(shown.lines())))
        fed(shown, "/a")
        at_prompt(shown)
        assert shown.attributes() == before
        # It neither stops nor spins, whatever is typed at the shell.
        used = cpu_s(int(found[1]))
        shown.type(b"cat\nq\nq\n")
        wait_for(lambda: shown.lines()[-3:].count("q") == 3)
        time.sleep(0.5)
        assert cpu_s(int(found[1])) - used < 0.4
        shown.type(b"\x04")
        at_prompt(shown)
        shown.type(b"jobs\n")
        wait_for(lambda: "Running" in "\n".join(shown.lines()))
        # bash sends no signal to what is not stopped.
        shown.type(b"clear; fg\n")
        ready(shown)
        shown.type(b"q")
        wait_for(lambda: "1 counted" in shown.sent())
        at_prompt(shown)
        assert shown.attributes() == before


def test_a_job_killed_in_the_background_leaves_the_terminal_to_the_shell(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        at_prompt(shown)
        before = shown.attributes()
        shown.type(b"clear; run\n")
        ready(shown)
        shown.type(b"\x1a")
        wait_for(lambda: "Stopped" in "\n".join(shown.lines()))
        shown.type(b"bg; kill %1; wait; echo do''ne\n")
        wait_for(lambda: "done" in shown.lines())
        at_prompt(shown)
        assert shown.attributes() == before


def test_what_is_typed_after_q_is_for_the_shell(shell: list[str]):
    with terminal(command=shell, columns=80, rows=30) as shown:
        at_prompt(shown)
        shown.type(b"clear; run\n")
        ready(shown)
        shown.type(b"xyqecho af''ter\n")
        wait_for(lambda: re.search(r"(?<!echo )after\n", "\n".join(shown.lines())))
        assert "not found" not in shown.sent()


def test_a_stop_that_no_shell_could_continue_is_none():
    # The process leads the session of the terminal: its group is an orphan.
    with terminal(*RARELY, columns=60) as shown:
        ready(shown)
        shown.type(b"\x1a")
        shown.type(b"?")
        wait_for(lambda: LIST[0] in shown.lines())
        assert shown.reads_keys()
        shown.type(b"q")
        assert shown.wait() == 0
        assert shown.attributes() == shown.initial
