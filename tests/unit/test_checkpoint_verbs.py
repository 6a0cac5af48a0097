"""`tailrace checkpoint show|verify`: whole, cut, damaged and growing directories."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from live import COMMAND, OK, Sink, line, running, wait_for
from profiles import scaled, seeded

import tailrace as tr
from tailrace._cli.checks.journal import contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Return the exit code, the output and the messages."""
    done = subprocess.run(
        [*COMMAND, "checkpoint", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def seen(action: str, directory: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and the one JSON object that was printed."""
    code, out, messages = run(action, "--format", "jsonl", directory)
    assert messages == ""
    (text,) = out.splitlines()
    return code, json.loads(text)


def collect_state(one: tr.Window) -> None:
    """Have a state written at the next commit, as is due after 16 MiB."""
    durable = one._durable
    assert durable is not None
    durable._journal.collect(durable._window, durable._notes())


def filled(directory: Path, rounds: int = 30, states: tuple[int, ...] = (10, 20)) -> Path:
    """Return a directory with rounds, closed and open panes, and states after these rounds."""
    with tr.Window("60s", every="10s", checkpoint=directory) as one:
        for number in range(1, rounds + 1):
            one.add([f"key {number % 7} \x1b[31m" * 3, "a"], times=[number * 10, number * 10])
            list(one.advance(number * 10))
            one.commit(position=f"round {number} \x1b[32m".encode())
            if number in states:
                collect_state(one)
    return directory


def names(directory: Path, series: str) -> list[Path]:
    return sorted(directory.glob(f"{series}-*"))


def test_show_explains_a_window(tmp_path: Path):
    directory = filled(tmp_path / "w")
    code, found = seen("show", directory)
    assert code == 0
    assert found["sound"] is True
    assert found["process"] is None
    assert found["query"]["kind"] == "window"
    assert found["query"]["by"] == ["key"]
    position = b"round 30 \x1b[32m"
    assert found["position"] == {"bytes": len(position), "hex": position.hex()}
    assert found["lines"]["counted"] == 60
    assert found["watermark"] == "1970-01-01T00:05:00Z"
    assert found["answered"] == "1970-01-01T00:05:00Z"
    assert found["newest"] == "1970-01-01T00:05:00Z"
    # The window of a minute that ends with the open pane.
    assert found["window"] == {"events": 12, "keys": 7}
    state, *_ = [one for one in reversed(found["files"]) if "state" in one["frames"]]
    assert found["restart"]["state"] == state["name"]
    assert found["restart"]["round"] == 30
    assert found["restart"]["rounds"] == 30 - state["rounds"][1]
    sizes = {path.name: path.stat().st_size for path in directory.iterdir() if path.name != "lock"}
    assert {one["name"]: one["bytes"] for one in found["files"]} == sizes


def test_what_show_says_of_a_restart_is_what_a_restart_does(tmp_path: Path):
    directory = filled(tmp_path / "w", rounds=25)
    _, found = seen("show", directory)
    with tr.Window("60s", every="10s", checkpoint=directory) as one:
        assert one.position is not None
        assert one.position.hex() == found["position"]["hex"]
        snapshot = one.snapshot()
        assert found["window"] == {"events": snapshot.total, "keys": snapshot.keys}
        assert found["lines"] == snapshot.lines


def test_text_is_for_people_and_nothing_in_it_controls_a_terminal(tmp_path: Path):
    directory = filled(tmp_path / "a\x1b[33mb")
    code, out, _ = run("show", directory)
    assert code == 0
    assert "\x1b" not in out
    rows = {line.split()[0]: line for line in out.splitlines() if not line.startswith(" ")}
    assert "a\\x1b[33mb, of a tailrace.Window, created by tailrace" in rows["checkpoint"]
    assert rows["position"].endswith(r"15 bytes of the caller: b'round 30 \\x1b[32m'") or (
        "bytes of the caller" in rows["position"]
    )
    assert "length: 1m" in rows["window"] or "length: 1m" in out
    assert "every: 10s" in out
    assert "and goes on after round 30" in rows["restart"]
    _, out, _ = run("verify", directory)
    assert "\x1b" not in out


def test_verify_counts_every_frame(tmp_path: Path):
    directory = filled(tmp_path / "w")
    code, out, _ = run("verify", directory)
    assert code == 0
    assert out.splitlines()[-1].startswith(f"{directory}: sound: ")
    _, found = seen("verify", directory)
    rounds = sum(one["frames"].get("round", 0) for one in found["files"])
    # Logs before the older of two states are removed.
    assert 10 <= rounds <= 30
    assert found["problems"] == found["warnings"] == []


def test_every_flipped_bit_is_found_in_its_file(tmp_path: Path):
    """Anywhere in any file, also in those that only a damage of others would need."""
    rng = seeded("flipped bits")
    whole = filled(tmp_path / "whole", rounds=12, states=(4, 8))
    files = [path.name for path in whole.iterdir() if path.name != "lock"]
    assert len(files) >= 4
    newest = max(name for name in files if name.startswith("log-"))
    for round_number in range(scaled(120)):
        directory = tmp_path / "damaged"
        shutil.copytree(whole, directory)
        name = files[round_number % len(files)]
        data = bytearray((directory / name).read_bytes())
        # The last frame of what still grows may be one that a crash has torn.
        growing = name == newest or name > newest.replace("log", "state")
        place = rng.randrange(len(data) // 2 if growing else len(data))
        data[place] ^= 1 << rng.randrange(8)
        (directory / name).write_bytes(data)
        found = contents(str(directory), restores=False)
        if growing and not found.problems:
            # Above the last synced byte, it is what a crash leaves.
            assert any(one.unfinished for one in found.files.values())
        else:
            (problem, *_) = [one for one in found.problems if one.file == name]
            assert problem.byte is not None
            assert 0 <= problem.byte <= place
            assert contents(str(directory), restores=True).problems == found.problems
        if round_number < len(files):
            assert run("verify", directory)[0] == run("show", directory)[0] == bool(found.problems)
        shutil.rmtree(directory)


def test_a_damage_says_what_it_means_and_what_to_do(tmp_path: Path):
    directory = filled(tmp_path / "w", states=())
    (log,) = names(directory, "log")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    code, out, _ = run("verify", directory)
    assert code == 1
    (problem,) = [line for line in out.splitlines() if line.startswith("damaged: ")]
    assert f"{log}: byte " in problem
    assert "cannot be restored" in problem
    assert "restore the directory from a backup" in problem
    assert out.splitlines()[-1].startswith(f"{directory}: damaged: ")
    # What verify finds, a start refuses.
    with pytest.raises(tr.CheckpointError, match=f"{log.name}: byte "):
        tr.Window("60s", every="10s", checkpoint=directory)


def test_a_tail_that_a_crash_left_is_sound(tmp_path: Path):
    directory = filled(tmp_path / "w", states=())
    (log,) = names(directory, "log")
    whole = log.read_bytes()
    for tail in (b"\0" * 100, os.urandom(33), whole[-40:], b"x"):
        log.write_bytes(whole + tail)
        code, out, _ = run("verify", directory)
        assert code == 0, out
        assert f"{len(tail)} byte{'s' * (len(tail) > 1)} after the last whole round" in out
        assert "will be cut" in out
        code, out, _ = run("show", directory)
        assert code == 0
        assert "will be cut" in out
        assert "goes on after round 30" in out
    # The last round is cut in half.
    log.write_bytes(whole[:-10])
    code, found = seen("show", directory)
    assert (code, found["restart"]["round"]) == (0, 29)


def test_a_missing_log_is_a_damage(tmp_path: Path):
    directory = filled(tmp_path / "w", states=(10,))
    logs = names(directory, "log")
    logs[-1].unlink()
    code, out, _ = run("verify", directory)
    assert code == 1
    assert logs[-1].name in out


@pytest.mark.parametrize("action", ["show", "verify"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "no such file or directory"),
        (lambda path: path.mkdir(), "no checkpoint there"),
        (lambda path: path.touch(), "not a directory"),
        (lambda path: (path.mkdir(), (path / "lock").touch()), "no checkpoint there"),
    ],
)
def test_where_there_is_no_checkpoint(
    tmp_path: Path, action: str, make: Callable[[Path], object], message: str
):
    make(tmp_path / "w")
    code, out, messages = run(action, tmp_path / "w")
    assert (code, out) == (2, "")
    assert messages.startswith("tailrace checkpoint: ")
    assert message in messages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected show or verify, found no argument"),
        (["shwo", "w"], "did you mean 'show'?"),
        (["show"], "expected the directory of a checkpoint, found no argument"),
        (["show", ""], "found an empty name"),
        (["show", "w", "--format", "json"], "--format: expected text or jsonl, found 'json'"),
        (["show", "w", "v"], "unexpected argument 'v'"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str):
    code, out, messages = run(*arguments)
    assert (code, out) == (2, "")
    assert message in messages


def test_a_query_over_files_shows_sources_and_positions(tmp_path: Path):
    log = tmp_path / "acc\x1bess.log"
    log.write_bytes(b"".join(line(f"/{number}") + b"\n" for number in range(50)))
    for options in ([], ["--window", "10m"]):
        directory = tmp_path / f"c{len(options)}"
        subprocess.run(
            [*COMMAND, "top", log, "--checkpoint", directory, *options],
            check=True,
            capture_output=True,
        )
        code, found = seen("show", directory)
        assert code == 0
        assert found["sources"] == [{"name": str(log), "format": "combined"}]
        assert found["lines"]["counted"] == 50
        (at,) = found["positions"]
        assert (at["path"], at["byte"]) == (str(log), log.stat().st_size)
        code, out, _ = run("show", directory)
        assert code == 0
        assert "\x1b" not in out
        assert f"byte {log.stat().st_size:,}" in out


def test_a_receiver_is_shown_while_it_runs_and_after_it_was_killed(tmp_path: Path):
    directory = tmp_path / "c"
    options = ["flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl"]
    with running("top", *options, "--checkpoint", str(directory)) as process:
        with Sink(process.port) as sink:
            for number in range(20):
                assert sink.batch([line(f"/{number}")]) == OK
        code, found = seen("show", directory)
        assert code == 0
        assert found["process"] == process.process.pid
        assert found["lines"]["counted"] == 20
        code, _ = seen("verify", directory)
        assert code == 0
        process.process.kill()
    code, found = seen("show", directory)
    assert code == 0
    assert (found["process"], found["lines"]["counted"]) == (None, 20)


CHILD = """
import os, sys
import tailrace as tr
window = tr.Window("50s", every="10s", checkpoint=sys.argv[1])
number = 0
while True:
    # Random digits are not compressed, so a state is due after some dozens of rounds.
    keys = [os.urandom(20).hex() for _ in range(8_000)]
    window.add(keys, times=[number] * len(keys))
    list(window.advance(number))
    window.commit(position=str(number).encode())
    number += 1
    print(number, flush=True)
"""


def test_a_directory_that_is_written_is_sound_each_time(tmp_path: Path):
    """Files come and go, and frames are written, while it is read."""
    directory = tmp_path / "w"
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory)], stdout=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    assert process.stdout is not None
    stdout = process.stdout
    reader = threading.Thread(target=lambda: lines.extend(stdout))
    reader.start()
    try:
        wait_for(lambda: lines)
        for _ in range(scaled(8)):
            before = int(lines[-1])
            for action in ("verify", "show"):
                code, found = seen(action, directory)
                assert code == 0, found["problems"]
            assert found["restart"]["round"] >= before
        assert process.poll() is None
        # It has written states and removed files.
        wait_for(lambda: not (directory / "log-0000000000000001").exists())
        code, found = seen("verify", directory)
        assert code == 0, found["problems"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        reader.join()
        stdout.close()
    code, found = seen("verify", directory)
    assert code == 0, found["problems"]
