"""Measure trees of processes: the CPU time of all, and the most memory they held at once."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TreeCost", "TreeFailedError", "run_tree"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = resource.getpagesize()

# Often enough to measure a child that no process waits for, such as Spark's JVM.
_POLL_S = 0.1


@dataclass(frozen=True)
class TreeCost:
    """The cost of a process and all its descendants."""

    cpu: float
    """User and system seconds."""
    wall: float
    peak: int
    """Bytes resident at once."""


class TreeFailedError(Exception):
    """A process failed or did not finish in time."""


def run_tree(
    command: Sequence[str], *, environment: Mapping[str, str], timeout: float, log: Path
) -> tuple[TreeCost, bytes]:
    """
    Run a command in a session of its own; return its cost and its standard output.

    Raises:
        TreeFailedError: It failed, or did not finish in time.
    """
    out = log.with_suffix(".out")
    with out.open("wb") as to, log.open("wb") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        timer = threading.Timer(timeout, watch.kill)
        timer.start()
        watch.start()
        # `wait4` reaps it while other processes of its session may live on: measure them first.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - begin
        timer.cancel()
        watch.stop()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.kill()
    if process.returncode:
        why = f"not finished after {timeout:.0f} s" if watch.late else f"exit {process.returncode}"
        raise TreeFailedError(f"{why}\n{log.read_text(errors='replace')[-2_000:]}")
    cpu = max(usage.ru_utime + usage.ru_stime, watch.cpu)
    # Not the peak of the usage, which includes that of this process before its exec.
    return TreeCost(cpu, wall, watch.peak), out.read_bytes()


class _Watch(threading.Thread):
    """Measures the processes of a session at intervals."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.session = session
        self.peak = 0
        self.late = False
        self._ticks: dict[tuple[int, str], int] = {}
        self._over = threading.Event()

    @property
    def cpu(self) -> float:
        return sum(self._ticks.values()) / _TICKS

    def run(self) -> None:
        while not self._over.wait(_POLL_S):
            self._measure()

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._measure()

    def kill(self) -> None:
        """Kill the processes of the session that are left."""
        self.late = not self._over.is_set()
        for pid, _ in self._members():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _measure(self) -> None:
        resident = 0
        for pid, fields in self._members():
            self._ticks[pid, fields[19]] = int(fields[11]) + int(fields[12])
            resident += int(fields[21]) * _PAGE
            # Its peak may fall between two measurements.
            self.peak = max(self.peak, _peak(pid))
        self.peak = max(self.peak, resident)

    def _members(self) -> list[tuple[int, list[str]]]:
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                # After the name, which may hold any bytes.
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.session:
                found.append((int(directory.name), fields))
        return found


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
