"""Time the start: until the version, and the first output for a small log, are written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from measure import Cost, wrong

import tailrace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from measure import Runner, Verdicts

__all__ = ["start"]

_ROUNDS = 21
_BAR_MS = {"tailrace --version": 60, "tailrace top, 10 lines": 100}

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
