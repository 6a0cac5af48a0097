"""
Time full parses in one process, in CPU seconds: from lines in memory to columns or dictionaries.

A contestant has a function from the log to its answer, and one from the answer to rows, which is
not timed. To add one, add a row in `_contestants`.
"""

from __future__ import annotations

import gc
import re
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from generator import LINES_PER_SECOND, write_log
from measure import ratio, wrong
from rivals.classic import CLASSIC

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from measure import Verdicts

__all__ = ["measure"]

_LINES = 200_000

# The length of a line, as in the logs of many small sites; the generator's have 218.
_BYTES = 140

# The fields of the classic expression, and the URL, which its program takes from the request.
_FIELDS = ["host", "user", "time", "request", "url", "status", "size", "referer", "agent"]

Row = dict[str, Any]


class _Contestant(NamedTuple):
    parse: Callable[[], Any]
    rows: Callable[[Any], Iterable[Row]]
    fields: list[str] = _FIELDS
    at_least: float | None = None
    """The bar: tailrace over this one, or this one over a full parse if it is tailrace too."""
    own: bool = False


def measure(work: Path, rounds: int, seed: int, verdicts: Verdicts) -> None:
    """Time a full parse of combined lines, and other ways to get their fields."""
    data = _log(work, seed)
    contestants = _contestants(data)
    expected: list[Row] = []
    for name, one in contestants.items():
        rows = [_comparable(row) for row in one.rows(one.parse())]
        expected = expected or rows
        wanted = ({field: row[field] for field in one.fields} for row in expected)
        _same(name, rows, list(wanted))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, one in contestants.items():
            times[name].append(_seconds(one.parse))

    print(
        f"\nparse: {_LINES:,} combined lines of {len(data) / _LINES:.0f} bytes, {len(_FIELDS)} "
        "fields, one thread, in one process; CPU seconds, every field compared"
    )
    ours = times["tailrace"]
    for name, one in contestants.items():
        speed = _LINES / median(times[name]) / 1e6
        row = f"{name:<32}{median(times[name]):8.3f} CPU s {speed:7.2f} M lines/CPU-s"
        value = ratio(ours, times[name]) if one.own else ratio(times[name], ours)
        if one.at_least is not None:
            row += verdicts.at_least(f"parse: {name}", value, one.at_least)
        elif name != "tailrace":
            row += f"{value:7.2f}x"
        print(row, flush=True)


def _contestants(data: bytes) -> dict[str, _Contestant]:
    combined = tr.Format("combined")
    lines = data.decode().splitlines()
    match = re.compile(CLASSIC).match

    def expression() -> list[Row]:
        rows = []
        for line in lines:
            found = match(line)
            if found is not None:
                row = found.groupdict()
                row["url"] = row["request"].split()[1]
                rows.append(row)
        return rows

    return {
        "tailrace": _Contestant(
            lambda: combined.parse(data, fields=_FIELDS), lambda batch: batch.to_dicts()
        ),
        "tailrace, url only": _Contestant(
            lambda: combined.parse(data, fields=["url"]),
            lambda batch: batch.to_dicts(),
            ["url"],
            at_least=1.5,
            own=True,
        ),
        "tailrace, to pyarrow": _Contestant(
            lambda: pa.table(combined.parse(data, fields=_FIELDS)),
            lambda table: table.to_pylist(),
            own=True,
        ),
        "tailrace, list of str": _Contestant(
            lambda: combined.parse(lines, fields=_FIELDS), lambda batch: batch.to_dicts(), own=True
        ),
        "tailrace, to_dicts": _Contestant(
            lambda: combined.parse(data, fields=_FIELDS).to_dicts(), lambda rows: rows, own=True
        ),
        "re with groupdict": _Contestant(expression, lambda rows: rows, at_least=15),
    }


def _log(work: Path, seed: int) -> bytes:
    """Return combined lines whose user agents are cut so that most lines have the same length."""
    path = work / "parse.log"
    write_log(path, _LINES // LINES_PER_SECOND, seed)
    out = []
    for line in path.read_text().splitlines():
        before, _, agent = line[:-1].rpartition('"')
        out.append(f'{before}"{agent[: max(1, _BYTES - len(before) - 3)]}"\n')
    return "".join(out).encode()


def _comparable(row: Row) -> Row:
    """Return typed values where the rival has text, and times in one form."""
    typed = {name: None if value == "-" else value for name, value in row.items()}
    for name in ("status", "size"):
        if isinstance(typed.get(name), str):
            typed[name] = int(typed[name])
    moment = typed.get("time")
    if isinstance(moment, str):
        form = "%Y-%m-%dT%H:%M:%S%z" if moment[4] == "-" else "%d/%b/%Y:%H:%M:%S %z"
        typed["time"] = datetime.strptime(moment, form).astimezone(UTC)
    return typed


def _same(name: str, found: list[Row], expected: list[Row]) -> None:
    if len(found) != _LINES:
        wrong(f"{name}: {len(found)} rows of {_LINES} lines")
    for one, other in zip(found, expected, strict=True):
        if one != other:
            wrong(f"{name}: {one}\nis not {other}")


def _seconds(parse: Callable[[], Any]) -> float:
    gc.collect()
    begin = time.process_time()
    answer = parse()
    spent = time.process_time() - begin
    del answer
    return spent
