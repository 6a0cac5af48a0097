"""Time the start: until the version, the first output of a small log, and the first figure."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from measure import Cost, wrong

import tailrace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from measure import Runner, Verdicts

__all__ = ["first_figure", "start"]

_ROUNDS = 21
_BAR_MS = {"tailrace --version": 60, "tailrace top, 10 lines": 100}

# What follows the start of a log that grows by this many lines a second.
_LINES_PER_S = 100
_FIGURE_BAR_MS = 500

_LINE = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"\n'


def start(runner: Runner, verdicts: Verdicts, command: str, work: Path) -> None:
    """Time both in turns with a Python that does nothing."""
    log = work / "small.log"
    log.write_text(_LINE * 10)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "tailrace --version": [command, "--version"],
        "tailrace top, 10 lines": [command, "top", str(log)],
    }
    expected = {
        "python -c pass": b"",
        "tailrace --version": f"tailrace {tailrace.__version__}\n".encode(),
        "tailrace top, 10 lines": b"10 events, 1 key, 2015-05-17 10:05:03 to 10:05:03 UTC\n"
        b"count  url\n   10  /a\n",
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    # The first round compiles the imported modules and warms the page cache.
    for turn in range(_ROUNDS + 1):
        for name, words in commands.items():
            cost, output = _until_output(runner, words)
            if output != expected[name]:
                wrong(f"{name}: {output!r}")
            if turn:
                costs[name].append(cost)

    print("\nstart: milliseconds until the first byte of output, or the end if there is none")
    print(f"{'':<26}{'CPU, whole':>11}{'wall':>8}")
    for name, runs in costs.items():
        wall = median(run.wall for run in runs) * 1e3
        row = f"{name:<26}{median(run.cpu for run in runs) * 1e3:11.1f}{wall:8.1f}"
        bar = _BAR_MS.get(name)
        print(row if bar is None else row + verdicts.at_most(name, wall, bar, " ms"))


def first_figure(runner: Runner, verdicts: Verdicts, command: str, work: Path) -> None:
    """Time a live table in a pseudo-terminal until its first figure."""
    print("\nlive: milliseconds from the start to the first figure in a terminal, log time")
    print(f"{'the log when it starts':<26}{'wall':>8}")
    for lines in 10, 100_000:
        log = work / "growing.log"
        walls = []
        for turn in range(_ROUNDS + 1):
            log.write_bytes(_now_line() * lines)
            wall = _until_figure(runner, [command, "top", "-F", str(log)], log, lines)
            if turn:
                walls.append(wall * 1e3)
        name = f"{lines:,} lines"
        print(f"{name:<26}{median(walls):8.1f}", end="")
        print(verdicts.at_most(f"first figure, {name}", median(walls), _FIGURE_BAR_MS, " ms"))


def _now_line() -> bytes:
    now = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'1.2.3.4 - - [{now}] "GET /a HTTP/1.1" 200 5 "-" "x"\n'.encode()


def _until_figure(runner: Runner, command: Sequence[str], log: Path, lines: int) -> float:
    """Return the wall time to the first figure, of a log that grows meanwhile."""
    ended = threading.Event()

    def grow() -> None:
        with log.open("ab", buffering=0) as file:
            while not ended.wait(1 / _LINES_PER_S):
                file.write(_now_line())

    writer = threading.Thread(target=grow)
    writer.start()
    master, slave = pty.openpty()
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**runner.environment, "TERM": "xterm", "COLUMNS": "80"},
    ) as process:
        shown = b""
        while (figure := re.search(rb"([\d,]+) events?, 1 key", shown)) is None:
            shown += os.read(master, 65_536)
        wall = time.perf_counter() - begin
        process.kill()
        ended.set()
    writer.join()
    os.close(master)
    os.close(slave)
    # Of a long log, the first chunk is shown.
    found = int(figure[1].replace(b",", b""))
    if not min(lines, 1_000) <= found <= lines + 10 * _LINES_PER_S:
        wrong(f"{found} events of {lines} lines")
    return wall


def _until_output(runner: Runner, command: Sequence[str]) -> tuple[Cost, bytes]:
    """Return the CPU time of a process, the wall time to its first output, and the output."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=runner.environment,
        bufsize=0,
    ) as process:
        if process.stdout is None:
            wrong("no output to read")
        output = process.stdout.read(65_536)
        wall = time.perf_counter() - begin
        while more := process.stdout.read(65_536):
            output += more
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        wrong(f"{' '.join(command)}: exit code {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall), output
