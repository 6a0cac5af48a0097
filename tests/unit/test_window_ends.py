"""Where windows end when nothing says how often: the slide by default, and the offset."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND, line, running, wait_for
from profiles import examples

import tailrace as tr

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2015, 5, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)

# A line every ten minutes of a day.
TIMES = [DAY + n * timedelta(minutes=10) for n in range(144)]


def logged(times: list[datetime]) -> bytes:
    stamps = [f"{time:%d/%b/%Y:%H:%M:%S} +0000" for time in times]
    return b"".join(line("/a", time_text=stamp) + b"\n" for stamp in stamps)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(logged(TIMES))
    return path


def windows(*arguments: str | Path, code: int = 0) -> list[tuple[datetime, datetime, int]]:
    command = [*COMMAND, "top", *map(str, arguments), "--format", "jsonl"]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ran.returncode == code, ran.stderr
    snapshots = map(json.loads, ran.stdout.splitlines())
    return [
        (datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]), one["total"])
        for one in snapshots
    ]


def recounted(length: timedelta, offset: timedelta) -> list[tuple[datetime, datetime, int]]:
    starts = Counter((time - DAY - offset) // length for time in TIMES)
    first = DAY + offset
    return [
        (first + n * length, first + (n + 1) * length, count) for n, count in sorted(starts.items())
    ]


@pytest.mark.parametrize(
    ("options", "length", "offset"),
    [
        (["--window", "1h"], HOUR, timedelta()),
        (["--window", "2h", "--slide", "2h"], 2 * HOUR, timedelta()),
        (["--window", "90 minutes"], 1.5 * HOUR, timedelta()),
        (["--window", "1h", "--offset", "5m"], HOUR, timedelta(minutes=5)),
        (["--window", "1h", "--offset", "-5m"], HOUR, timedelta(minutes=-5)),
        (["--window", "1h", "--offset=-1h5m"], HOUR, timedelta(minutes=-5)),
        (["--window", "1d", "--offset", "-5h"], 24 * HOUR, timedelta(hours=-5)),
        (["--window", "1d", "--offset", "29h"], 24 * HOUR, timedelta(hours=5)),
    ],
)
def test_windows_of_a_file_follow_each_other(
    log: Path, options: list[str], length: timedelta, offset: timedelta
):
    assert windows(log, *options) == recounted(length, offset)
    # Several files have the slide of one.
    assert windows(log, "/dev/null", *options) == recounted(length, offset)


@pytest.mark.parametrize("offset", ["-5h", timedelta(hours=-5), -18_000, "19h"])
def test_the_library_and_the_command_agree(log: Path, offset: str | timedelta | int):
    query = tr.from_files(log).window("1d", offset=offset).count(by="url")
    found = [(one.start, one.end, one.total) for one in query.run()]
    assert found == windows(log, "--window", "1d", "--offset=-5h")


def test_what_may_go_on_is_answered_each_second(tmp_path: Path):
    two = logged([DAY, DAY + timedelta(seconds=3), DAY + timedelta(minutes=5)])
    second = timedelta(seconds=1)
    options = ("--window", "3s", "--time", "log", "--lateness", "0s", "--format", "jsonl")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    follows = tmp_path / "follows.log"
    follows.write_bytes(two)
    for arguments, into in (
        (("-", *options), None),
        ((str(pipe), *options), pipe),
        (("-F", str(follows), *options), None),
    ):
        with running("top", *arguments, stdin=subprocess.PIPE) as live:
            assert live.process.stdin is not None
            if into is not None:
                into.write_bytes(two)
            live.process.stdin.write(two.decode())
            live.process.stdin.close()
            wait_for(lambda live=live: len(live.printed) > 3)
            ends = [datetime.fromisoformat(one["end"]) for one in live.snapshots()[:4]]
        assert {after - before for before, after in pairwise(ends)} == {second}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--offset", "5m"], "--offset: needs --window, such as --window 300s"),
        (["--offset=-5m"], "--offset: needs --window, such as --window 300s"),
        (["--window", "1h", "--offset", "5"], "--offset: expected a unit after 5, such as 5s or"),
        (["--window", "1h", "--offset", "-1mo"], "--offset: expected units of a fixed length"),
        (["--window", "1h", "--offset", "-"], "--offset: expected a duration such as"),
        (["--window", "1h", "--offset", "-40000d"], "--offset: expected at least -36525d, found"),
        (["--window", "1h", "--offset", "40000d"], "--offset: expected at most 36525d"),
    ],
)
def test_a_wrong_offset_is_an_error(log: Path, arguments: list[str], message: str):
    command = [*COMMAND, "top", str(log), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"tailrace top: {message}")


@given(
    st.integers(-10_000, 10_000),
    st.lists(st.integers(0, 500), min_size=1, max_size=8).map(sorted),
    st.integers(1, 50),
)
@examples(50)
def test_any_offset_moves_the_ends(offset: int, seconds: list[int], length: int):
    window = tr.Window(length, offset=offset)
    window.add(["a"] * len(seconds), times=seconds)
    found = {one.end.timestamp(): one.total for one in window.finish() if one.total}
    ends = ((second - offset) // length * length + length + offset for second in seconds)
    assert found == Counter(ends)
