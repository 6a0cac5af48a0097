"""Trees of processes: what all of them cost, and how much memory they held at once."""

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

# Often enough to see what a child did that nobody waits for, such as Spark's JVM.
_POLL_S = 0.1


@dataclass(frozen=True)
class TreeCost:
    """What a process and all below it cost."""

    cpu: float
    """User and system seconds."""
    wall: float
    peak: int
    """Bytes resident at once."""


class TreeFailedError(Exception):
    """A process that ended otherwise than well."""


def run_tree(
    command: Sequence[str], *, environment: Mapping[str, str], timeout: float, log: Path
) -> tuple[TreeCost, bytes]:
    """
    Run a command in a session of its own; return its cost and its standard output.

    Raises:
        TreeFailedError: It failed, or was not done in time.
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
        # `wait4` would reap it, and its session's other processes may live on: look first.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - begin
        timer.cancel()
        watch.stop()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.kill()
    if process.returncode:
        why = f"not done after {timeout:.0f} s" if watch.late else f"exit {process.returncode}"
        raise TreeFailedError(f"{why}\n{log.read_text(errors='replace')[-2_000:]}")
    cpu = max(usage.ru_utime + usage.ru_stime, watch.cpu)
    # Not the usage's own peak: that of this process, before it became another, is in it.
    return TreeCost(cpu, wall, watch.peak), out.read_bytes()


class _Watch(threading.Thread):
    """Looks at a session's processes now and then."""

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
            self._look()

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._look()

    def kill(self) -> None:
        """End what is left of the session."""
        self.late = not self._over.is_set()
        for pid, _ in self._members():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _look(self) -> None:
        resident = 0
        for pid, fields in self._members():
            self._ticks[pid, fields[19]] = int(fields[11]) + int(fields[12])
            resident += int(fields[21]) * _PAGE
            # What it held between two looks.
            self.peak = max(self.peak, _peak(pid))
        self.peak = max(self.peak, resident)

    def _members(self) -> list[tuple[int, list[str]]]:
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                # Behind the name, which may hold anything.
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
