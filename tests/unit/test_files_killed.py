"""Processes that follow a rotating log and are killed, and runs over files that go on."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from live import COMMAND, running, wait_for
from profiles import scaled, seeded

LINE = '1.2.3.4 - - [17/May/2015:10:05:00 +0000] "GET /{} HTTP/1.1" 200 1 "-" "-"\n'
COUNT = ("--by", "path", "-n", "all", "--format", "jsonl", "--log-format", "combined")


class Log:
    """A log whose lines are all different, and its rotation."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "access.log"
        self.lines = 0
        self.path.write_text("")

    def write(self, count: int) -> None:
        with self.path.open("a") as out:
            for _ in range(count):
                out.write(LINE.format(self.lines))
                self.lines += 1

    def rotate(self, kind: str) -> None:
        for n in range(200, 0, -1):
            for ending in ("", ".gz"):
                old = Path(f"{self.path}.{n}{ending}")
                if old.exists():
                    old.replace(f"{self.path}.{n + 1}{ending}")
        first = Path(f"{self.path}.1")
        if kind == "copytruncate":
            shutil.copyfile(self.path, first)
            os.truncate(self.path, 0)
            return
        self.path.rename(first)
        self.path.touch()
        if kind == "gzip":
            Path(f"{first}.gz").write_bytes(gzip.compress(first.read_bytes(), 1))
            first.unlink()


def paths(snapshot: dict[str, object]) -> dict[str, int]:
    return {row["path"]: row["count"] for row in snapshot["rows"]}  # type: ignore[index, attr-defined]


def test_no_kill_loses_or_doubles_a_line_of_a_rotating_log(tmp_path: Path):
    random = seeded(87)
    log = Log(tmp_path)
    arguments = (
        *("top", "-F", str(log.path), *COUNT, "--window", "1d", "--slide", "1s"),
        *("--checkpoint", str(tmp_path / "state")),
    )
    kinds = ["rename", "copytruncate", "gzip"]
    for number in range(scaled(10)):
        with running(*arguments) as process:
            wait_for(lambda: any("following" in message for message in process.messages))
            if not number:
                # From its first round on, the directory knows which files were there before.
                log.write(1)
                wait_for(lambda: any((tmp_path / "state").glob("log-*")))
                time.sleep(1.5)
            for _ in range(random.randrange(40)):
                log.write(random.randrange(50))
                time.sleep(0.01)
                if random.random() < 0.1:
                    log.rotate(random.choice(kinds))
            process.process.send_signal(random.choice([signal.SIGKILL, signal.SIGTERM]))
            time.sleep(random.random() / 10)
        while random.random() < 0.6:
            log.write(random.randrange(50))
            log.rotate(random.choice(kinds))
    # An orderly stop finishes the input; until then the log is read in a few scans.
    counted: dict[str, int] = {}
    for _ in range(20):
        with running(*arguments) as process:
            wait_for(lambda: any("following" in message for message in process.messages))
            time.sleep(1)
            assert process.end(signal.SIGTERM) == 0
            assert not any("lost" in message for message in process.messages)
            counted = paths(process.snapshots()[-1])
        if len(counted) == log.lines:
            break
    assert counted == {f"/{n}": 1 for n in range(log.lines)}


def counted_by_a_run(directory: Path, *files: str) -> tuple[int, str]:
    """Return how many lines all runs have counted, and the messages of this one."""
    arguments = [*COMMAND, "top", *files, *COUNT, "--checkpoint", str(directory)]
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(run.stdout)["total"], run.stderr


@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
def test_each_run_over_files_counts_what_was_added(pattern: str, tmp_path: Path):
    log = Log(tmp_path)
    log.write(10)
    given, state = f"{tmp_path}/{pattern}", tmp_path / "state"
    for kind in ("", "rename", "gzip", "copytruncate", ""):
        log.write(5)
        if kind:
            log.rotate(kind)
            log.write(3)
        for _ in range(2):
            total, messages = counted_by_a_run(state, given)
            assert total == log.lines
            assert "lost" not in messages


def test_standard_input_says_that_its_position_is_not_kept(tmp_path: Path):
    log = Log(tmp_path)
    log.write(10)
    arguments = [*COMMAND, "top", "-", *COUNT, "--checkpoint", str(tmp_path / "state")]
    with log.path.open() as file:
        run = subprocess.run(arguments, stdin=file, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["total"] == 10
    assert run.stderr.count("its position is not kept") == 1
