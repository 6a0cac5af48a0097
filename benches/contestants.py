"""Programs that count keys in windows, to compare with: how each is installed, run and checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from measure import wrong
from trees import TreeCost, TreeFailedError, run_tree
from workloads import GATES, TOP, Events, answers, key_text, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from measure import Verdicts

__all__ = ["Contest", "Data", "Sample"]

_HERE = Path(__file__).parent
_JOBS = str(_HERE / "window_jobs.py")

# A contestant that takes longer has no figure.
_TIMEOUT_S = 400


@dataclass(frozen=True)
class Sample:
    """A selection of events: a workload, its first events, or all of them in another order."""

    workload: str
    first: int | None = None
    late: bool = False

    def __str__(self) -> str:
        first = f", first {self.first:,}" if self.first else ""
        return f"{self.workload}{first}{', late' if self.late else ''}"

    @property
    def stem(self) -> str:
        """The name of its files, without the suffix."""
        return f"{self.workload}{self.first or ''}{'-late' if self.late else ''}"


# A tenth of the events is up to this late.
LATE_SHARE, LATE_MS = 0.1, 30_000


class Data:
    """Files of events and of their right answers, each written once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._events: dict[Sample, Events] = {}

    def events(self, sample: Sample) -> Events:
        """Return the events themselves."""
        if sample not in self._events:
            events = Events.of(sample.workload, sample.first)
            self._events[sample] = events.disordered(LATE_SHARE, LATE_MS) if sample.late else events
        return self._events[sample]

    def path(self, sample: Sample, form: str) -> Path:
        """Return a file of the events: `tsv`, `ndjson` or `arrow`."""
        path = self.directory / f"{sample.stem}.{form}"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            events = self.events(sample)
            if form == "arrow":
                _write_arrow(events, self.values(sample), unfinished)
            else:
                with unfinished.open("w", encoding="ascii", newline="\n") as out:
                    if form == "tsv":
                        events.write(out)
                    else:
                        _write_ndjson(events, out)
            unfinished.rename(path)
        return path

    def values(self, sample: Sample) -> Any:  # noqa: ANN401 - a NumPy array
        """Return a value for each of the events in order."""
        # Like durations: most are small, few are large.
        return np.random.default_rng(7).lognormal(-2, 1.5, len(self.events(sample))).round(3)

    def answers(self, sample: Sample, length: int) -> Path:
        """Return a file of the right top ten of every slide."""
        # Lateness does not change them.
        ordered = Sample(sample.workload, sample.first)
        path = self.directory / f"{ordered.stem}.{length}.answers"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            with unfinished.open("w") as out:
                out.writelines(answers(self.events(ordered), length))
            unfinished.rename(path)
        return path

    def rows(self, sample: Sample, length: int) -> int:
        """Return how many pairs of a key and a window there are."""
        found = rows(self.events(sample), length)
        if GATES.get((sample.workload, sample.first, length), found) != found:
            wrong(f"{sample}, {length} s: {found:,} rows in the oracle itself")
        return found


def _write_ndjson(events: Events, out: Any) -> None:  # noqa: ANN401 - a text file
    for time, key in zip(events.times.tolist(), events.keys.tolist(), strict=True):
        out.write(f'{{"ts":{time},"key":"{key_text(key)}"}}\n')


def _write_arrow(events: Events, values: Any, path: Path) -> None:  # noqa: ANN401 - as above
    import pyarrow as pa  # noqa: PLC0415 - which not every part needs
    import pyarrow.ipc  # noqa: PLC0415

    texts = pa.array([key_text(key) for key in range(int(events.keys.max()) + 1)])
    table = pa.table(
        {
            "key": texts.take(pa.array(events.keys)),
            "time": pa.array(events.times).cast(pa.timestamp("ms")),
            "value": pa.array(values),
        }
    )
    with pa.ipc.new_file(str(path), table.schema) as out:
        out.write_table(table)


@dataclass(frozen=True)
class _Contestant:
    script: str
    """The name of a script in `rivals/windows`, or of a job of tailrace."""
    sample: Sample | None = None
    """Fewer events, for one that is too slow for those of the others."""
    packages: tuple[str, ...] = ()
    """What is installed in its environment, which is named after the first."""
    reads: str = "tsv"
    emits_rows: bool = False
    """Whether it writes every pair of a key and a window, not only the top ten."""
    at_least: float | None = None
    """The bar: events for a CPU second of tailrace, from text, over its own."""
    needs: str = ""
    """A program that it needs."""
    by_default: bool = True


_PREFIX = Sample("S", 10_000)

# The slow ones get fewer events; the cost of an event depends on the window, not on their number.
_CONTESTANTS = {
    "tailrace": _Contestant("text"),
    "tailrace, columns": _Contestant("columns", reads="arrow"),
    "plain Python": _Contestant("plain", at_least=35),
    "Polars": _Contestant("polars_batch", packages=("polars==2.1.0",), at_least=20),
    "DuckDB": _Contestant("duckdb_batch", packages=("duckdb==2.0.0",)),
    "csp": _Contestant("csp_stats", Sample("S"), ("csp==0.19.1",), at_least=700),
    "streamz": _Contestant("streamz_frames", Sample("S"), ("streamz==0.6.6", "pandas")),
    "clink": _Contestant(
        "clink_sql", Sample("S"), ("pyclink==0.12.2",), "ndjson", emits_rows=True, at_least=3_000
    ),
    "Bytewax": _Contestant(
        "bytewax_windows", _PREFIX, ("bytewax==0.21.1",), emits_rows=True, at_least=10_000
    ),
    "Spark": _Contestant(
        "spark_dstream", Sample("M", 120_000), ("pyspark==4.3.0",), needs="java", by_default=False
    ),
    "Flink": _Contestant(
        "flink_sql",
        _PREFIX,
        ("apache-flink==2.3.0",),
        emits_rows=True,
        needs="java",
        by_default=False,
    ),
}

# Absolute bars, in events for a CPU second.
_BARS = {"tailrace": 12e6, "tailrace, columns": 30e6}


@dataclass
class _Result:
    events: int
    costs: list[TreeCost] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    """CPU seconds without start-up and imports, where the contestant reports them."""

    @cached_property
    def rates(self) -> list[float]:
        return [self.events / cost.cpu for cost in self.costs]

    @cached_property
    def own_rates(self) -> list[float]:
        return [self.events / cpu for cpu in self.own]


class Contest:
    """Runs contestants in turns on a window that slides by a second."""

    names = tuple(_CONTESTANTS)
    usual = tuple(name for name, contestant in _CONTESTANTS.items() if contestant.by_default)

    def __init__(
        self, data: Data, work: Path, environment: Mapping[str, str], workload: str
    ) -> None:
        self.data = data
        self._workload = Sample(workload)
        self.work = work
        self.environment = environment

    def run(self, names: Sequence[str], length: int, rounds: int, verdicts: Verdicts) -> None:
        """Print events for a CPU second of each, and the ratio of tailrace's to them."""
        pythons = {name: python for name in names if (python := self._python(name))}
        results = {name: _Result(len(self.data.events(self._sample(name)))) for name in pythons}
        for _ in range(rounds):
            for name in list(results):
                try:
                    cost, own = self._once(name, pythons[name], length)
                except TreeFailedError as error:
                    print(f"{name}: no figure: {error}")
                    del results[name]
                    continue
                results[name].costs.append(cost)
                if own is not None:
                    results[name].own.append(own)
        self._print(results, verdicts)

    def _sample(self, name: str) -> Sample:
        return _CONTESTANTS[name].sample or self._workload

    def _once(self, name: str, python: str, length: int) -> tuple[TreeCost, float | None]:
        contestant, sample = _CONTESTANTS[name], self._sample(name)
        out = self.work / "answer"
        out.unlink(missing_ok=True)
        data = str(self.data.path(sample, contestant.reads))
        script = str(_HERE / "rivals" / "windows" / f"{contestant.script}.py")
        head = [_JOBS, contestant.script] if name.startswith("tailrace") else [script]
        cost, output = run_tree(
            [python, *head, data, str(length), str(out)],
            environment=self.environment,
            timeout=_TIMEOUT_S,
            log=self.work / "contestant.log",
        )
        expected = self.data.answers(sample, length)
        if contestant.emits_rows:
            total = len(self.data.events(sample)) * length
            counts = self.data.rows(sample, length), total
            _check_rows(name, out, expected, counts)
        elif out.read_bytes() != expected.read_bytes():
            wrong(f"{name}: {_difference(out, expected)}")
        reports = [json.loads(line) for line in output.splitlines() if line.startswith(b'{"cpu"')]
        return cost, reports[-1]["cpu"] if reports else None

    def _print(self, results: dict[str, _Result], verdicts: Verdicts) -> None:
        print(
            f"{'':<20}{'workload':<18}{'CPU s':>8}{'MB':>7}{'ev/CPU-s':>12}{'no start':>12}"
            "   ratio (no start-up)"
        )
        ours = results.get("tailrace")
        for name, result in results.items():
            cpu = median(cost.cpu for cost in result.costs)
            peak = max(cost.peak for cost in result.costs) / 1e6
            rate = median(result.rates)
            own = f"{median(result.own_rates):12,.0f}" if result.own else f"{'':12}"
            end = self._end(name, result, ours, verdicts)
            sample = str(self._sample(name))
            print(f"{name:<20}{sample:<18}{cpu:8.2f}{peak:7.0f}{rate:12,.0f}{own}{end}", flush=True)

    @staticmethod
    def _end(name: str, result: _Result, ours: _Result | None, verdicts: Verdicts) -> str:
        if (bar := _BARS.get(name)) is not None:
            value = median(result.own_rates) / 1e6
            return verdicts.at_least(f"{name}, M events", value, bar / 1e6)
        if ours is None or name.startswith("tailrace"):
            return ""
        pairs = zip(ours.rates, result.rates, strict=True)
        value = median(mine / theirs for mine, theirs in pairs)
        end = f"{value:8.0f}x"
        if result.own:
            pairs = zip(ours.own_rates, result.own_rates, strict=True)
            end += f" ({median(mine / theirs for mine, theirs in pairs):.0f}x)"
        at_least = _CONTESTANTS[name].at_least
        return end if at_least is None else f"{end} {verdicts.at_least(name, value, at_least)}"

    # Installing.

    def _python(self, name: str) -> str | None:
        """Return the interpreter of its environment, which is installed first if it is missing."""
        contestant = _CONTESTANTS[name]
        if contestant.needs and shutil.which(contestant.needs) is None:
            print(f"{name}: not run: it needs {contestant.needs}")
            return None
        if not contestant.packages:
            return sys.executable
        directory = _cache() / contestant.packages[0].replace("==", "-")
        python = str(directory / "bin" / "python")
        done = directory / "done"
        if done.exists():
            return python
        print(f"{name}: installing {', '.join(contestant.packages)}", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        log = self.work / "install.log"
        for command in (
            [sys.executable, "-m", "venv", str(directory)],
            [python, "-m", "pip", "install", "--quiet", *contestant.packages],
        ):
            with log.open("wb") as out:
                failed = subprocess.run(command, stdout=out, stderr=out, check=False).returncode
            if failed:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                print(f"{name}: not run: not installed: {' '.join(last)}")
                return None
        done.touch()
        return python


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tailrace" / "windows"


# Checks.


def _difference(found: Path, expected: Path) -> str:
    with found.open() as one, expected.open() as other:
        for line, right in zip(one, other, strict=False):
            if line != right:
                return f"{line}is not {right}"
    return "the number of slides differs"


def _check_rows(name: str, found: Path, expected: Path, counts: tuple[int, int]) -> None:
    """Check that all rows are there, add up, and have the right ten of every window."""
    seen = total = 0
    windows: dict[int, list[tuple[int, str]]] = defaultdict(list)
    with found.open() as lines:
        for line in lines:
            end, key, held = line.rstrip("\n").split("\t")
            seen += 1
            total += int(held)
            windows[int(end)].append((-int(held), key))
    for end, right in map(json.loads, expected.open()):
        best = [[key, -held] for held, key in sorted(windows[end])[:TOP]]
        if best != right:
            wrong(f"{name}: window that ends at {end}: {best}\nis not {right}")
    if (seen, total) != counts:
        wrong(
            f"{name}: {seen:,} rows that add up to {total:,}, not {counts[0]:,} and {counts[1]:,}"
        )
