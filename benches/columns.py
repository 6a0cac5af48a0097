"""
Measure what columns cost more than counting, for the same log and key.

Run by `bench.py --only columns`; README.md explains bars and figures.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from measure import Runner, Verdicts, ratio, wrong

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["measure"]

_SHOWN = "count, sum(size), p99(size)"

# Of the rate of counting.
_BAR = 0.25

_LINE = re.compile(rb'"[A-Z]+ ([^ ?]*)[^"]*" [0-9]{3} ([0-9]+|-) ')


def measure(program: str, log: Path, runner: Runner, rounds: int, verdicts: Verdicts) -> None:
    """Time `top --show` in turns with `top`, after a recount of all its rows."""
    command = [program, "top", str(log), "--log-format", "combined", "--format", "jsonl"]
    command += ["--by", "path", "--limit", "all"]
    costs, answers = runner.take_turns(
        {"count": command, _SHOWN: [*command, "--show", _SHOWN]}, rounds
    )
    sizes = _sizes(log)
    (counted,) = map(json.loads, answers["count"].splitlines())
    if {row["path"]: row["count"] for row in counted["rows"]} != {
        path: len(found) for path, found in sizes.items()
    }:
        wrong("count: the counts are not those of a recount")
    (shown,) = map(json.loads, answers[_SHOWN].splitlines())
    if len(shown["rows"]) != len(sizes):
        wrong(f"{_SHOWN}: {len(shown['rows'])} rows, not {len(sizes)}")
    for row in shown["rows"]:
        _check(row, sizes[row["path"]])
    for name, runs in costs.items():
        print(f"{name:<34}{median(run.cpu for run in runs):8.3f} CPU s")
    value = ratio([run.cpu for run in costs["count"]], [run.cpu for run in costs[_SHOWN]])
    print(f"{'rate, of that of counting':<34}{verdicts.at_least(_SHOWN, value, _BAR)}")


def _sizes(log: Path) -> dict[str, list[int | None]]:
    """Return the sizes of each path."""
    found: dict[str, list[int | None]] = defaultdict(list)
    for path, size in _LINE.findall(log.read_bytes()):
        found[path.decode()].append(None if size == b"-" else int(size))
    return found


def _check(row: dict[str, float], found: list[int | None]) -> None:
    values = sorted(size for size in found if size is not None)
    exact = values[max(math.ceil(0.99 * len(values)), 1) - 1] if values else None
    is_right = row["count"] == len(found) and row["sum(size)"] == (sum(values) if values else None)
    p99 = row["p99(size)"]
    if not is_right or (p99 is None) != (exact is None):
        wrong(f"{row} is not that of a recount")
    if exact is not None and abs(p99 - exact) > 0.01 * exact:
        wrong(f"{row}: p99 is {exact}")
