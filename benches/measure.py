"""Run whole processes in turns, measure their cost, and compare it with bars."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Cost", "Runner", "Verdicts", "ratio", "wrong"]


@dataclass(frozen=True)
class Cost:
    """The cost of one process."""

    cpu: float
    """User and system seconds."""
    wall: float


class Runner:
    """Runs commands one at a time."""

    def __init__(self, work: Path) -> None:
        self._out = work / "out"
        self._err = work / "err"
        # As in an installation: modules are compiled once, whatever the caller's environment is.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "TAILRACE_"))
        } | {"PYTHONPYCACHEPREFIX": str(work / "compiled")}

    def run(self, command: Sequence[str]) -> tuple[Cost, bytes]:
        """Run a command; return its cost and its standard output."""
        with self._out.open("wb") as out, self._err.open("wb") as err:
            begin = time.perf_counter()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.environment
            )
            # The usage of this child alone; it has no children.
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors = self._err.read_text(errors="replace")
            wrong(f"{' '.join(command)}: exit code {process.returncode}\n{errors}")
        return Cost(usage.ru_utime + usage.ru_stime, wall), self._out.read_bytes()

    def take_turns(
        self, commands: Mapping[str, Sequence[str]], rounds: int
    ) -> tuple[dict[str, list[Cost]], dict[str, bytes]]:
        """Run A, B, C, A, B, C; return the costs, and the answer that each gave in every round."""
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        answers: dict[str, bytes] = {}
        for _ in range(rounds):
            for name, command in commands.items():
                cost, answer = self.run(command)
                costs[name].append(cost)
                if answers.setdefault(name, answer) != answer:
                    wrong(f"{name}: the answer differs from that of the round before")
        return costs, answers


def ratio(dividends: Sequence[float], divisors: Sequence[float]) -> float:
    """
    Return the median of the rounds' ratios.

    A slow moment of the machine lasts longer than a round, so it affects both sides of a ratio.
    """
    return median(a / b for a, b in zip(dividends, divisors, strict=True))


class Verdicts:
    """Compares values with bars, and keeps the names of those that were missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_least(self, name: str, value: float, bar: float) -> str:
        """Return the end of a row for a value that has to reach a bar."""
        return f"{value:7.2f}x  >= {bar:5.2f}x  {self._word(name, value >= bar)}"

    def at_most(self, name: str, value: float, bar: float, unit: str = "x") -> str:
        """Return the end of a row for a value that must not exceed a bar."""
        return f"{value:7.2f}{unit}  <= {bar:5.2f}{unit}  {self._word(name, value <= bar)}"

    def _word(self, name: str, holds: bool) -> str:  # noqa: FBT001 - the verdict itself
        if not holds:
            self.missed.append(name)
        return "ok" if holds else "MISSED"


def wrong(what: str) -> NoReturn:
    """End the run: a wrong answer has no speed."""
    sys.stdout.flush()
    sys.exit(f"benches: a wrong answer has no speed\n{what}")
