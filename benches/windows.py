"""
Compare windows of keys with other engines; every answer is checked before a figure is printed.

README.md explains the parts.

windows.py [--only PART ...] [--rounds N] [--data DIR] [--length S] [--contestants NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from aggregates import AGGREGATES, check_values
from contestants import Contest, Data, Sample
from machine import cpu
from measure import Verdicts, ratio, wrong
from trees import TreeFailedError, run_tree
from workloads import GATES, WORKLOADS

import tailrace as tr
from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable

_JOBS = str(Path(__file__).parent / "window_jobs.py")

_TIMEOUT_S = 500

_L = Sample("L")
_LONG = Sample("long")

# CPU of a window of 300 s, and of a day, over that of a window of a second.
_BAR_FLAT = {300: 1 / 0.9, 86_400: 1 / 0.8}
_BAR_ENTRY, _BAR_KEY = 10, 48
# A hash table that is full of tombstones doubles once.
_BAR_CHURN = 1.1
_BAR_DISORDER = 1 / 0.85
_BAR_THREADS = 1.7
_BAR_BESIDE = 0.95

# The rate as a share of count's; the worst slide over the median one.
_BAR_SHARES = {"sum": 0.5, "min": 0.5, "max": 0.5, "count_distinct": 0.1, "quantile": 0.1}
_BAR_WORST_SLIDE = 3


class Windows:
    """One run of the chosen parts."""

    def __init__(self, data: Path, work: Path, arguments: argparse.Namespace) -> None:
        self.data = Data(data)
        self.work = work
        self.rounds: int = arguments.rounds
        self.length: int = arguments.length
        self.contestants: list[str] = arguments.contestants
        self.workload: str = arguments.workload
        self.verdicts = Verdicts()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "TAILRACE_"))
        } | {"PYTHONPYCACHEPREFIX": str(work / "compiled")}

    # Other engines.

    def rivals(self) -> None:
        """Time all contestants on the same window."""
        _title(f"rivals: top 10 of the last {self.length} s, answered every second")
        contest = Contest(self.data, self.work, self.environment, self.workload)
        contest.run(self.contestants, self.length, self.rounds, self.verdicts)

    # Right answers.

    def gates(self) -> None:
        """Count all rows of all windows."""
        _title("gates: every row of every window, to the last that holds an event")
        for (workload, first, length), expected in GATES.items():
            sample = Sample(workload, first)
            out = self.work / "rows"
            self.data.rows(sample, length)
            report = self._job("rows", self._arrow(sample), length, out)
            total = len(self.data.events(sample)) * length
            if (report["rows"], report["keys"], report["total"]) != (expected, expected, total):
                wrong(f"{sample}, {length} s: {report}, not {expected} rows that add up to {total}")
            right = self.data.answers(sample, length).read_text().splitlines()
            if out.read_text().splitlines()[: len(right)] != right:
                wrong(f"{sample}, {length} s: the top tens are wrong")
            print(
                f"{sample!s:<18} {length:>4} s {expected:>12,} rows, {total:>14,} events",
                flush=True,
            )

    # The window's length.

    def flat(self) -> None:
        """Time windows of several lengths over the same events."""
        for sample, lengths in ((_L, (1, 10, 60, 300)), (_LONG, (1, 10, 60, 300, 3_600, 86_400))):
            work = WORKLOADS[sample.workload]
            _title(
                f"flat: {sample}, {work.rate:,} events/s, {work.keys:,} keys, {work.seconds:,} s; "
                "CPU of a window over one of 1 s"
            )
            for job in ("text", "columns"):
                jobs = {str(n): self._throughput(job, sample, n) for n in lengths}
                costs = _cpu(self._turns(jobs))
                for length in lengths:
                    value = ratio(costs[str(length)], costs["1"])
                    name = f"{job}, {length} s"
                    bar = _BAR_FLAT.get(length)
                    end = f"{value:7.2f}x" if bar is None else self._at_most(name, value, bar)
                    rate = len(self.data.events(sample)) / median(costs[str(length)])
                    print(f"{name:<20}{rate:14,.0f} events/CPU-s {end}", flush=True)

    # Latency of a slide.

    def latency(self) -> None:
        """Time slides one by one."""
        _title("latency: from `advance` to ten ranked rows in Python, 10,000 events/s, 300 s; us")
        print(f"{'':<22}{'live keys':>10}{'p50':>9}{'p99':>9}{'max':>10}   CPU p50, p99; add p50")
        for name, keys, drawn, bars in (
            ("20,000 keys", 20_000, "zipf", (100, 1_000)),
            ("1 M keys, by rank", 1_000_000, "zipf", (None, 10_000)),
            ("1 M keys, in turn", 1_000_000, "turns", (None, None)),
        ):
            report = self._job("latency", keys, 10_000, 300, 600, drawn)
            walls, cpus = _micros(report["walls"]), _micros(report["cpus"])
            p50, p99 = _quantile(walls, 0.5), _quantile(walls, 0.99)
            ends = [
                self.verdicts.at_most(f"{name}, {which}", value, bar, " us")
                for which, value, bar in zip(("p50", "p99"), (p50, p99), bars, strict=True)
                if bar is not None
            ]
            print(
                f"{name:<22}{report['live']:10,.0f}{p50:9.1f}{p99:9.1f}{max(walls):10.1f}"
                f"   {_quantile(cpus, 0.5):.1f}, {_quantile(cpus, 0.99):.1f};"
                f" {_quantile(_micros(report['adds']), 0.5):.1f} {' '.join(ends)}",
                flush=True,
            )

    # Memory.

    def memory(self) -> None:
        """Measure the size of entries and keys."""
        _title("memory: resident bytes, all keys in every pane; a key without its text of 26 bytes")
        print(f"{'keys':>10}{'panes':>7}{'MB':>9}  bytes an entry; bytes a key")
        for keys, panes in ((1_000, 300), (10_000, 300), (100_000, 100), (1_000_000, 20)):
            one = self._job("memory", keys, 1)["bytes"]
            many = self._job("memory", keys, panes)["bytes"]
            entry = (many - one) / (keys * (panes - 1))
            key = one / keys - entry - 26
            ends = [
                self.verdicts.at_most(f"{keys} keys, {what}", value, bar, " B")
                for what, value, bar in (("entry", entry, _BAR_ENTRY), ("key", key, _BAR_KEY))
            ]
            print(f"{keys:10,}{panes:7}{many / 1e6:9.1f}  {'; '.join(ends)}", flush=True)

    def churn(self) -> None:
        """Add and evict ten million keys."""
        _title("churn: 10,000,000 different keys, 100,000 a second, window 10 s")
        resident = self._job("churn", 10_000_000, 10, 100_000)["resident"]
        # After two lengths of the window everything is full; then as many again, and the last.
        full, later, last = (
            max(part) / 1e6 for part in (resident[10:20], resident[20:30], resident[-10:])
        )
        print(f"full: {full:.1f} MB, then {later:.1f} MB, at the end {last:.1f} MB")
        print(f"{'end / then':<20}{self.verdicts.at_most('churn', last / later, _BAR_CHURN)}")

    # Order, threads.

    def disorder(self) -> None:
        """Time late events, and check that they are counted as if they were in order."""
        _title("disorder: L, a tenth of the events up to 30 s late, lateness 30 s; CPU over sorted")
        for job in ("text", "columns"):
            jobs = {
                name: self._throughput(job, Sample("L", late=late), 300, lateness)
                for name, late, lateness in (
                    ("sorted, no lateness", False, 0),
                    ("sorted", False, 30),
                    ("late", True, 30),
                )
            }
            costs = _cpu(self._turns(jobs))
            for name, spent in costs.items():
                value = ratio(spent, costs["sorted"])
                row = f"{job}, {name}"
                end = f"{value:7.2f}x"
                if name == "late":
                    end = self._at_most(row, value, _BAR_DISORDER)
                print(f"{row:<30}{9e6 / median(spent):14,.0f} events/CPU-s {end}", flush=True)

    def threads(self) -> None:
        """Time one thread and two, in wall time."""
        _title("threads: L from text, window 300 s; wall time of one thread over that of two")
        jobs = {str(n): self._throughput("text", _L, self.length, 0, n) for n in (1, 2)}
        # Wall time is less steady than CPU time.
        report = self._turns(jobs, self.rounds * 3)
        walls = {name: [each["wall"] for each in runs] for name, runs in report.items()}
        for name, spent in walls.items():
            print(f"{name} thread{'s' * (name != '1')}: {median(spent):.3f} s")
        value = ratio(walls["1"], walls["2"])
        print(f"{'speed-up':<20}{self.verdicts.at_least('threads', value, _BAR_THREADS)}")

    def beside(self) -> None:
        """Measure how much of its speed a thread that counts in Python keeps."""
        _title("beside: speed of a thread that counts in Python, while tailrace runs over alone")
        for kind in ("text", "columns"):
            path = self._arrow(_L) if kind == "columns" else self.data.path(_L, "tsv")
            out = self.work / "beside"
            report = self._job("beside", path, self.length, out, kind, self.rounds * 3)
            self._check("beside", out, _L, self.length)
            value = ratio(report["tailrace"], report["nothing"])
            end = self.verdicts.at_least(f"beside {kind}", value, _BAR_BESIDE)
            # On a busy machine any second thread takes some of its core.
            fair = ratio(report["tailrace"], report["hashing"])
            print(
                f"{kind:<12}{end}   over its speed while a thread hashes: {fair:.2f}x", flush=True
            )

    # Other aggregates.

    def aggregates(self) -> None:
        """Time each aggregate together with count, in total and slide by slide."""
        _title("aggregates: M from columns, 300 s, ranked by count; rate over that of count alone")
        sample, length = Sample("M"), 300
        path = self._arrow(sample)
        jobs = {
            name: self._checked("columns", sample, path, length, 0, *_arguments(name))
            for name in ("count", *AGGREGATES)
        }
        costs = _cpu(self._turns(jobs))
        for name, spent in costs.items():
            share = ratio(costs["count"], spent)
            bar = _BAR_SHARES.get(name)
            end = f"{share:7.2f}x" if bar is None else self.verdicts.at_least(name, share, bar)
            rate = len(self.data.events(sample)) / median(spent)
            print(f"{name:<22}{rate:14,.0f} events/CPU-s {end}", flush=True)
        print("worst slide over the median one, in its thread's CPU time, once the window is full")
        values = self.data.values(sample)
        for name in costs:
            out = self.work / "slides"
            # The machine's own worst moment is in another slide each time.
            runs = [
                self._job("slides", path, length, out, *_arguments(name))["spent"][length:]
                for _ in range(max(3, self.rounds))
            ]
            self._check(name, out, sample, length)
            if name in AGGREGATES:
                found = out.with_suffix(".values")
                check_values(name, found, self.data.events(sample), values, length)
            least = [min(each) for each in zip(*runs, strict=True)]
            value = max(least) / median(least)
            end = self._at_most(f"{name}, worst slide", value, _BAR_WORST_SLIDE)
            print(f"{name:<16}{median(least) / 1e3:10.1f} us {end}", flush=True)

    # How it is done.

    def _arrow(self, sample: Sample) -> Path:
        return self.data.path(sample, "arrow")

    def _throughput(
        self, job: str, sample: Sample, length: int, lateness: int = 0, jobs: int = 1
    ) -> Callable[[], dict[str, Any]]:
        path = self.data.path(sample, "arrow" if job == "columns" else "tsv")
        more = (str(jobs),) if job == "text" else ()
        return self._checked(job, sample, path, length, lateness, *more)

    def _checked(
        self, job: str, sample: Sample, path: Path, length: int, lateness: int, *more: str
    ) -> Callable[[], dict[str, Any]]:
        """Return a job whose answer is checked at every call."""
        self.data.answers(sample, length)

        def once() -> dict[str, Any]:
            out = self.work / "answer"
            out.unlink(missing_ok=True)
            report = self._job(job, path, length, out, lateness, *more)
            self._check(f"{job}, {sample}, {length} s", out, sample, length)
            return report

        return once

    def _check(self, name: str, out: Path, sample: Sample, length: int) -> None:
        if out.read_bytes() != self.data.answers(sample, length).read_bytes():
            wrong(f"{name}: the top tens differ from the oracle's")

    def _turns(
        self, jobs: dict[str, Callable[[], dict[str, Any]]], rounds: int | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Run A, B, C, A, B, C."""
        report: dict[str, list[dict[str, Any]]] = {name: [] for name in jobs}
        for _ in repeat(None, rounds or self.rounds):
            for name, job in jobs.items():
                report[name].append(job())
        return report

    def _job(self, job: str, *arguments: object) -> dict[str, Any]:
        command = [sys.executable, _JOBS, job, *map(str, arguments)]
        log = self.work / "job.log"
        try:
            _, report = run_tree(command, environment=self.environment, timeout=_TIMEOUT_S, log=log)
        except TreeFailedError as error:
            wrong(f"{job}: {error}")
        found: dict[str, Any] = json.loads(report)
        return found

    def _at_most(self, name: str, value: float, bar: float) -> str:
        return self.verdicts.at_most(name, value, bar)


def _arguments(name: str) -> tuple[str, ...]:
    """Return the argument that names an aggregate to a job."""
    return () if name == "count" else (name,)


def _cpu(report: dict[str, list[dict[str, Any]]]) -> dict[str, list[float]]:
    """Return CPU seconds without start-up, imports and reading Arrow files."""
    return {name: [each["cpu"] for each in runs] for name, runs in report.items()}


def _micros(nanoseconds: list[int]) -> list[float]:
    return [each / 1e3 for each in nanoseconds]


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _title(text: str) -> None:
    print(f"\n{text}", flush=True)


_PARTS = (
    "gates",
    "rivals",
    "flat",
    "latency",
    "memory",
    "churn",
    "disorder",
    "threads",
    "beside",
    "aggregates",
)


def main() -> int:
    """Run the chosen parts; return 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description="Windows of keys, every answer checked.")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--length", type=int, default=300, help="length of the window in seconds (default 300)"
    )
    parser.add_argument("--data", type=Path, help="keep the events in this folder for the next run")
    parser.add_argument(
        "--contestants", nargs="+", choices=Contest.names, default=list(Contest.usual)
    )
    parser.add_argument(
        "--workload",
        choices=("S", "M", "L"),
        default="L",
        help="events for the fast contestants (default L)",
    )
    arguments = parser.parse_args()
    if _core._debug_build:  # noqa: SLF001 - it is there for this
        sys.exit("benches: tailrace is a debug build; run `make build` first")
    print(f"Python {platform.python_version()}, tailrace {tr.__version__}, {cpu()}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {arguments.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="tailrace-windows-") as work:
        windows = Windows(arguments.data or Path(work) / "data", Path(work), arguments)
        for part in _PARTS:
            if part in arguments.only:
                getattr(windows, part)()
    missed = windows.verdicts.missed
    print(f"\n{len(missed)} of the bars missed" if missed else "\nevery bar held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
