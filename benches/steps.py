"""Time keys that a step computes, over a key that is read as it is."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from generator import FIRST_SECOND, LINES_PER_SECOND, Record, combined, records
from measure import ratio, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure import Runner, Verdicts

__all__ = ["measure"]

# 200,000 lines of 200 bytes, each read several times by one process.
_SECONDS = 200
_REPEATS = 5

_BAR = 1.2


# The naive version of each key, and whether its table is one over time.
_KEYS: dict[str, tuple[Callable[[Record], Any], bool]] = {
    "status": (lambda record: int(record.status), False),
    "time:1h": (lambda record: record.time // 3_600 * 3_600, True),
    "time:10s": (lambda record: record.time // 10 * 10, True),
    "host": (lambda record: record.host, False),
    "host:/24": (lambda record: str(ip_network(f"{record.host}/24", strict=False)), False),
    "referer": (lambda record: None if record.referer == "-" else record.referer, False),
    "referer:host": (lambda record: urlsplit(record.referer).hostname, False),
}


def measure(work: Path, runner: Runner, rounds: int, seed: int, verdicts: Verdicts) -> None:
    """Time each key, in turns with the status; check every row."""
    log = work / "steps.log"
    expected: dict[str, Counter[Any]] = {key: Counter() for key in _KEYS}
    with log.open("w", encoding="ascii", newline="\n") as out:
        for number, record in enumerate(records(_SECONDS, seed)):
            # Two lines of the same second, and a few seconds without any: six days in all.
            spread = record._replace(time=FIRST_SECOND + number // 2 * 5)
            out.write(f"{combined(spread)}\n")
            for key, (naive, _) in _KEYS.items():
                expected[key][naive(spread)] += _REPEATS
    base = [
        str(Path(sys.executable).parent / "tailrace"),
        "top",
        *[str(log)] * _REPEATS,
        "--log-format",
        "combined",
        "--jobs",
        "1",
    ]
    base += ["--format", "jsonl"]
    commands = {
        key: [*base, "--by", key, *([] if over_time else ["--limit", "all"])]
        for key, (_, over_time) in _KEYS.items()
    }
    costs, answers = runner.take_turns(commands, rounds)
    for key, (_, over_time) in _KEYS.items():
        _check(key, json.loads(answers[key]), expected[key], over_time=over_time)

    lines = _SECONDS * LINES_PER_SECOND * _REPEATS
    print(f"\nsteps: CPU of `tailrace top --by KEY --jobs 1` over that by status, {lines:,} lines")
    status = [run.cpu for run in costs["status"]]
    for key, runs in costs.items():
        seconds = [run.cpu for run in runs]
        value = ratio(seconds, status)
        end = verdicts.at_most(key, value, _BAR) if key == "time:1h" else f"{value:7.2f}x"
        print(f"{key:<20}{median(seconds):8.3f} CPU s  {end}")
    log.unlink()


def _check(key: str, answer: dict[str, Any], expected: Counter[Any], *, over_time: bool) -> None:
    found = [(row[key], row["count"]) for row in answer["rows"]]
    if over_time:
        right = [(_iso(time), count) for time, count in sorted(expected.items())]
        if found != right:
            wrong(f"{key}: {found} is not {right}")
    elif Counter(dict(found)) != expected:
        wrong(f"{key}: {found} is not {expected}")


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
