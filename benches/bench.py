"""
Compare tailrace with other programs; every answer is checked before a time is printed.

README.md explains the parts.

bench.py [--rounds N] [--seed N] [--only PART ...]
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import zlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

import columns
import follow
import hostile
import parse
import steps
from attacks import NAMED, OWN, Attack
from durable import Durable
from generator import LINES_PER_SECOND, write_log
from machine import cpu
from measure import Cost, Runner, Verdicts, ratio, wrong
from receive import Receivers
from rivals.classic import CLASSIC
from startup import first_figure, start

import tailrace
from tailrace import _core

_HERE = Path(__file__).parent
_BIN = Path(sys.executable).parent
_TAILRACE = str(_BIN / "tailrace")

_SECONDS = 600
_LINES = _SECONDS * LINES_PER_SECOND

_BAR_EXPRESSION = 12
_BAR_SPLITTING = 4
_BAR_FLAT = 1 / 0.85
_BAR_HOSTILE = {"combined": 3, "classic": 6}
_BAR_WHEEL_MB = 5
_BAR_IMPORT_MS = 40

Rows = list[tuple[str, int]]


class Bench:
    """One run of the chosen parts."""

    def __init__(self, work: Path, rounds: int, seed: int) -> None:
        self.work = work
        self.rounds = rounds
        self.seed = seed
        self.runner = Runner(work)
        self.verdicts = Verdicts()
        self.empty = work / "empty.log"
        self.empty.touch()
        # Run each once, so that the modules they import are compiled.
        for log_format in _BAR_HOSTILE:
            self.runner.run(_top(str(self.empty), window=300, log_format=log_format))
        for rival in ("plain", "splitting", "expression"):
            self.runner.run(_rival(rival, str(self.empty), 300))
        self._log: Path | None = None
        self._first = 0

    @property
    def log(self) -> Path:
        """The log of the main job: 600,000 lines in ten minutes."""
        if self._log is None:
            self._log = self.work / "access.log"
            self._first = write_log(self._log, _SECONDS, self.seed)
            size = self._log.stat().st_size
            print(f"\ninput: {_LINES:,} lines, {size:,} bytes, {size / _LINES:.0f} a line")
        return self._log

    # The main job.

    def main(self) -> None:
        """Time tailrace and three rivals on the main job."""
        log = str(self.log)
        commands = {
            "tailrace": _top(log, window=300),
            "tailrace, classic": _top(log, window=300, log_format="classic"),
            "bytes.split": _rival("splitting", log, 300),
            "str.split": _rival("plain", log, 300),
            "re": _rival("expression", log, 300),
        }
        costs, answers = self.runner.take_turns(commands, self.rounds)
        expected = _rival_rows(answers["bytes.split"])
        self._check_ends(expected)
        for name in ("re", "str.split"):
            _same(name, expected, _rival_rows(answers[name]))
        for name in ("tailrace", "tailrace, classic"):
            _same(name, expected, _tailrace_rows(answers[name]))
            self._check_totals(name, answers[name], 300)

        _title("main job: top 10 of the last 300 s, answered every second, 600 answers")
        print(f"{'':<20}{'CPU s':>8}{'wall s':>8}{'lines/CPU-s':>14}{'MB/CPU-s':>10}")
        for name, runs in costs.items():
            cpu = median(_cpu(runs))
            size = self.log.stat().st_size / 1e6
            print(
                f"{name:<20}{cpu:8.3f}{median(run.wall for run in runs):8.3f}"
                f"{_LINES / cpu:14,.0f}{size / cpu:10.0f}"
            )
        print("CPU seconds of the rival for one of tailrace:")
        for rival, bar in (("re", _BAR_EXPRESSION), ("str.split", _BAR_SPLITTING)):
            rivals = _cpu(costs[rival])
            name = f"{rival} / tailrace"
            value = ratio(rivals, _cpu(costs["tailrace"]))
            print(f"  {name:<34}{self.verdicts.at_least(name, value, bar)}")
            value = ratio(rivals, _cpu(costs["tailrace, classic"]))
            print(f"  {name + ', classic':<34}{value:7.2f}x")
        # The same program with every step tuned has no bar; it is the least that Python needs.
        for name in ("tailrace", "tailrace, classic"):
            value = ratio(_cpu(costs["bytes.split"]), _cpu(costs[name]))
            print(f"  {'bytes.split / ' + name:<34}{value:7.2f}x")

    def _check_ends(self, answers: list[tuple[int, Rows]]) -> None:
        ends = [end for end, _ in answers]
        if ends != list(range(self._first + 1, self._first + _SECONDS + 1)):
            wrong("bytes.split: the ends of its windows are not the seconds of the log")

    def _check_totals(self, name: str, answer: bytes, window: int) -> None:
        totals = [json.loads(line)["total"] for line in answer.splitlines()]
        if totals != [LINES_PER_SECOND * min(n, window) for n in range(1, _SECONDS + 1)]:
            wrong(f"{name}: the totals are not those of the seconds in the window")

    # The window's length.

    def flat(self) -> None:
        """Time tailrace with three windows over the same log."""
        log = str(self.log)
        lengths = (1, 300, 600)
        commands = {str(length): _top(log, window=length) for length in lengths}
        costs, answers = self.runner.take_turns(commands, self.rounds)
        for length in lengths:
            name = f"window of {length} s"
            expected = _rival_rows(self.runner.run(_rival("splitting", log, length))[1])
            _same(name, expected, _tailrace_rows(answers[str(length)]))
            self._check_totals(name, answers[str(length)], length)

        _title("flat: the same log, windows of 1 s, 300 s and 600 s, slide 1 s")
        for length in lengths:
            runs = costs[str(length)]
            name = f"window {length} s"
            end = ""
            if length > 1:
                value = ratio(_cpu(runs), _cpu(costs["1"]))
                bar = f"{value:7.2f}x"
                end = self.verdicts.at_most(name, value, _BAR_FLAT) if length == 300 else bar  # noqa: PLR2004 - the bar's own
            print(f"{name:<20}{median(_cpu(runs)):8.3f} CPU s  {end}")

    # Columns.

    def columns(self) -> None:
        """Time `--show` with three columns, and counting alone."""
        _title("columns: the same log by path, without a window")
        columns.measure(_TAILRACE, self.log, self.runner, self.rounds, self.verdicts)

    # Hostile lines.

    def hostile(self) -> None:
        """Time two formats on lines that are made to be slow."""
        self._check_matches()
        benign = self.work / "benign.log"
        write_log(benign, _FILE_BYTES // 218_000 + 1, self.seed)
        _title(
            f"hostile lines: CPU per byte over that of benign lines in the same format; "
            f"{_FILE_BYTES * _REPEATS // 10**6} MB each, start-up subtracted"
        )
        print(f"{'':<54}ns/byte")
        for attacks in (NAMED[:4], NAMED[4:], OWN):
            self._attacks(attacks, benign)

    def formats(self) -> None:
        """Time every format on lines that are made to be slow, and format texts of that kind."""
        hostile.measure(self.rounds, self.verdicts)

    def _check_matches(self) -> None:
        """Check that short forms match, and give the URL, as with the classic expression."""
        attacks = NAMED + OWN
        lines = [attack.line(240, end) for attack in attacks for _, end in attack.ends()]
        short = self.work / "short.log"
        short.write_bytes(b"".join(line + b"\n" for line in lines))
        matches = [re.match(CLASSIC, line.decode()) for line in lines]
        words = [found["request"].split() for found in matches if found]
        expected = Counter(two[1] if len(two) > 1 else None for two in words)
        (answer,) = _snapshots(
            self.runner.run([*_top(str(short), log_format="classic"), "--limit", "all"])[1]
        )
        if Counter({row["url"]: row["count"] for row in answer["rows"]}) != expected:
            wrong(f"hostile lines, short: {answer['rows']} is not {expected}")
        if sum(answer["lines"]["rejected"].values()) != len(lines) - expected.total():
            wrong("hostile lines, short: the rejected lines are not those that do not match")

    def _attacks(self, attacks: list[Attack], benign: Path) -> None:
        """Time some attacks in turns with benign lines, and print a row for each form."""
        rows = [form for attack in attacks for form in self._forms(attack)]
        commands: dict[str, list[str]] = {}
        for name in _BAR_HOSTILE:
            commands[f"{name} empty"] = _top(str(self.empty), log_format=name)
            # Before and after the attacks, so that a slow moment of the machine affects both.
            commands[f"{name} before"] = _top(*[str(benign)] * _REPEATS, log_format=name)
            for _, path in rows:
                commands[f"{name} {path}"] = _top(*[str(path)] * _REPEATS, log_format=name)
            commands[f"{name} after"] = commands[f"{name} before"]
        costs, answers = self.runner.take_turns(commands, self.rounds)
        for name in _BAR_HOSTILE:
            for path in [benign, *(path for _, path in rows)]:
                _check_lines(answers[f"{name} {'before' if path == benign else path}"], path)

        for name, bar in _BAR_HOSTILE.items():
            base = median(_cpu(costs[f"{name} empty"]))
            around = zip(_cpu(costs[f"{name} before"]), _cpu(costs[f"{name} after"]), strict=True)
            reference = _per_byte([mean(pair) for pair in around], base, benign)
            print(f"{name:<10}{'benign':<46}{median(reference) * 1e9:6.2f}")
            for form, path in rows:
                cost = _per_byte(_cpu(costs[f"{name} {path}"]), base, path)
                verdict = self.verdicts.at_most(f"{name} {form}", ratio(cost, reference), bar)
                print(f"{name:<10}{form:<46}{median(cost) * 1e9:6.2f}{verdict}", flush=True)
        for _, path in rows:
            path.unlink()

    def _forms(self, attack: Attack) -> list[tuple[str, Path]]:
        """Write a file for each form of an attack; it repeats one line."""
        forms = []
        for size in (65_500,) if attack.own else (2_048, 65_500):
            for end, text in attack.ends():
                line = attack.line(size, text) + b"\n"
                name = f"{'own' if attack.own else 'named'} {attack.name}"
                path = self.work / f"{zlib.crc32(attack.name.encode()):x}-{size}-{end}.log"
                path.write_bytes(line * (_FILE_BYTES // len(line)))
                forms.append((f"{name:<31}{size // 1_024:>4} KB {end:<7}", path))
        return forms

    # Size and import.

    def size(self) -> None:
        """Measure the size of the wheel, and time the import."""
        wheels = self.work / "wheels"
        build = [str(_BIN / "maturin"), "build", "--release", "--quiet", "--out", str(wheels)]
        self.runner.run([*build, "--manifest-path", str(_HERE.parent / "rust/python/Cargo.toml")])
        (wheel,) = wheels.glob("*.whl")
        commands = {
            "bare": [sys.executable, "-c", "pass"],
            "import tailrace": [sys.executable, "-c", "import tailrace"],
        }
        costs, _ = self.runner.take_turns(commands, 15)

        _title("size and import")
        value = wheel.stat().st_size / 1e6
        print(f"{'wheel':<34}{self.verdicts.at_most('wheel', value, _BAR_WHEEL_MB, ' MB')}")
        for kind in ("cpu", "wall"):
            bare, imported = (
                median(getattr(run, kind) for run in runs) * 1e3 for runs in costs.values()
            )
            name = f"import, {kind}, over bare {bare:.1f} ms"
            end = self.verdicts.at_most(name, imported - bare, _BAR_IMPORT_MS, " ms")
            print(f"{name:<34}{end}")

    # Flume events.

    def receive(self) -> None:
        """Time the receiver in turns with Flume's own."""
        _title(
            "receive: `tailrace top flume://...`, window 300 s, and Flume's AvroSource "
            "(memory channel, null sink); events of 200 bytes for a CPU second of the receiver"
        )
        Receivers(self.work, self.runner.environment, _TAILRACE).measure(self.rounds, self.verdicts)

    def durable(self) -> None:
        """Time a checkpoint: receiving, answers, panes, and a restart."""
        _title(
            "durable: `tailrace top flume://... --checkpoint DIR`, in turns without a checkpoint; "
            "events of 200 bytes for a CPU second"
        )
        Durable(self.work, self.runner.environment, _TAILRACE).measure(self.rounds, self.verdicts)

    # Files that grow.

    def follow(self) -> None:
        """Time following a file, and reading it once."""
        _title("follow: a file that grows by 200,000 lines a second, and one that does not grow")
        follow.measure(self.work, self.runner, self.rounds, self.seed, self.verdicts)

    # Fields.

    def parse(self) -> None:
        """Time a full parse, and other ways to get the fields."""
        parse.measure(self.work, self.rounds, self.seed, self.verdicts)

    # Keys that are computed.

    def steps(self) -> None:
        """Time keys that a step computes."""
        steps.measure(self.work, self.runner, self.rounds, self.seed, self.verdicts)

    # Start-up.

    def start(self) -> None:
        """Time the version, and the first output of a small log."""
        start(self.runner, self.verdicts, _TAILRACE, self.work)

    def live(self) -> None:
        """Time the first figure in a terminal."""
        first_figure(self.runner, self.verdicts, _TAILRACE, self.work)


# One process reads a file several times: enough bytes that the noise of the start-up is small,
# few enough that they stay in memory.
_FILE_BYTES = 8_000_000
_REPEATS = 5


def _top(*logs: str, window: int | None = None, log_format: str = "combined") -> list[str]:
    command = [_TAILRACE, "top", *logs, "--log-format", log_format, "--format", "jsonl"]
    return command if window is None else [*command, "--window", f"{window}s", "--slide", "1s"]


def _rival(name: str, log: str, panes: int) -> list[str]:
    return [sys.executable, str(_HERE / "rivals" / f"{name}.py"), log, str(panes)]


def _cpu(runs: list[Cost]) -> list[float]:
    return [run.cpu for run in runs]


def _per_byte(seconds: list[float], base: float, path: Path) -> list[float]:
    size = path.stat().st_size * _REPEATS
    # A negative cost is noise of the start-up.
    return [max(cpu - base, 1e-9) / size for cpu in seconds]


def _snapshots(answer: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines()]


def _tailrace_rows(answer: bytes) -> list[tuple[int, Rows]]:
    """Return ends and rows, without what the rivals do not write."""
    return [
        (
            int(datetime.fromisoformat(snapshot["end"]).timestamp()),
            [(row["url"], row["count"]) for row in snapshot["rows"]],
        )
        for snapshot in _snapshots(answer)
    ]


def _rival_rows(answer: bytes) -> list[tuple[int, Rows]]:
    return [
        (end, [(url, count) for url, count in rows])
        for end, rows in map(json.loads, answer.splitlines())
    ]


def _same(name: str, expected: list[tuple[int, Rows]], found: list[tuple[int, Rows]]) -> None:
    if len(found) != len(expected):
        wrong(f"{name}: {len(found)} answers, not {len(expected)}")
    for right, other in zip(expected, found, strict=True):
        if right != other:
            wrong(f"{name}: {other}\nis not {right}")


def _check_lines(answer: bytes, path: Path) -> None:
    """Check that every line was counted or rejected."""
    fed = path.read_bytes().count(b"\n") * _REPEATS
    (snapshot,) = _snapshots(answer)
    lines = snapshot["lines"]
    if lines["fed"] != fed or lines["counted"] + sum(lines["rejected"].values()) != fed:
        wrong(f"{path}: {lines} of {fed} lines")


def _title(text: str) -> None:
    print(f"\n{text}", flush=True)


def main() -> int:
    """Run the chosen parts; return 1 if a bar was missed."""
    parser = argparse.ArgumentParser(
        description="Ratios against other programs, every answer checked."
    )
    parts = [
        "main",
        "flat",
        "columns",
        "hostile",
        "formats",
        "size",
        "receive",
        "durable",
        "follow",
        "parse",
        "steps",
        "start",
        "live",
    ]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    arguments = parser.parse_args()
    if _core._debug_build:  # noqa: SLF001 - it is there for this
        sys.exit("benches: tailrace is a debug build; run `make build` first")
    print(f"machine: {cpu()}")
    print(f"Python {platform.python_version()}, tailrace {tailrace.__version__}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {arguments.rounds} rounds, seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as work:
        bench = Bench(Path(work), arguments.rounds, arguments.seed)
        for part in parts:
            if part in arguments.only:
                getattr(bench, part)()
    missed = bench.verdicts.missed
    print(f"\n{len(missed)} of the bars missed" if missed else "\nevery bar held")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
