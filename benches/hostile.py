"""
Time hostile lines for every format, and hostile texts for the format languages.

One process parses a repeated line into all columns of its format. For each format, all units are
tried at all places of its example, at 64 KB; the most expensive ones per byte are then measured at
every size, in turns with the example.
"""

from __future__ import annotations

import gc
import time
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from attacks import BEFORE, SPECS, UNITS, examples
from measure import wrong

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from measure import Verdicts

__all__ = ["measure"]

_SIZES = (1_024, 8_192, 65_500, 1_000_000)
_BAR = 3
_BAR_CLASSIC = 6
# How many bytes are parsed at a time, when searching the worst and when measuring them.
_SEARCHED = 70_000
_MEASURED = 1_000_000
_WORST = 3
_SPEC_BYTES = 16_384
_BAR_SPEC_MS = 20


@dataclass(frozen=True)
class Spot:
    """A unit to repeat at a place of a line."""

    head: bytes
    unit: bytes
    tail: bytes

    def line(self, size: int) -> bytes:
        """Return a line of about this size."""
        count = (size - len(self.head) - len(self.tail)) // len(self.unit)
        return self.head + self.unit * max(1, count) + self.tail

    def __str__(self) -> str:
        end = "" if self.tail else ", open"
        return f"{self.unit!r} after {self.head[-24:]!r}{end}"


@dataclass(frozen=True)
class Subject:
    """A format, its columns, and a line that matches it."""

    name: str
    format: _core.Format
    columns: list[str]
    line: bytes

    @classmethod
    def of(cls, name: str, spec: str, example: bytes) -> Subject:
        """Return a subject; a header in the example gives the columns of its format."""
        compiled = _core.Format(spec)
        header, _, line = example.rpartition(b"\n")
        if header:
            header += b"\n"
            compiled = compiled.sections(header, kind="lines", span=(0, len(header)))[1]
        return cls(name, compiled, _core.default_fields(compiled), line)

    def seconds(self, line: bytes, total: int) -> float:
        """Return the CPU seconds for a byte of this line."""
        count = max(1, total // (len(line) + 1))
        text = (line + b"\n") * count
        begin = time.process_time()
        table = _core.parse(text, format=self.format, fields=self.columns)
        taken = time.process_time() - begin
        if len(table) + len(table.rejects) != count:
            wrong(f"{self.name}: {len(table)} and {len(table.rejects)} of {count} lines")
        return taken / len(text)

    def attacks(self) -> Iterator[Spot]:
        """Yield each unit after each place of the line, with and without the rest of the line."""
        edges = {place + 1 for place, byte in enumerate(self.line) if byte in b'"[]{}:,\t ='}
        inside = {place + 3 for place, byte in enumerate(self.line) if byte in b'"[\t'}
        places = sorted(place for place in {0} | edges | inside if place <= len(self.line))
        heads = [self.line[:place] for place in places[:: max(1, len(places) // 16)]]
        for unit in UNITS:
            for head in heads + BEFORE:
                if self.format.has_header and (head + unit).strip(b"\xef\xbb\xbf").startswith(b"#"):
                    continue  # a comment, not a line
                yield Spot(head, unit, b"")
                yield Spot(head, unit, self.line.removeprefix(head))


def measure(rounds: int, verdicts: Verdicts, only: list[str] | None = None) -> None:
    """Print the cost of the worst lines of each format, and of the worst texts."""
    print("\nhostile lines, every format: the worst of all units at all places, per byte")
    print(f"{'':<20}{'benign':>9}" + "".join(f"{size // 1000:>9} KB" for size in _SIZES))
    gc.disable()
    for name, spec, example in examples():
        if only is None or name in only:
            _lines(Subject.of(name, spec, example), rounds, verdicts)
    gc.enable()
    _specs(verdicts)


def _lines(subject: Subject, rounds: int, verdicts: Verdicts) -> None:
    bar = _BAR_CLASSIC if subject.name == "classic" else _BAR
    spots = list(subject.attacks())
    costs = {spot: subject.seconds(spot.line(_SIZES[2]), _SEARCHED) for spot in spots}
    worst = sorted(spots, key=lambda spot: costs[spot])[-_WORST:]
    ratios: dict[tuple[int, Spot], list[float]] = {}
    benign: list[float] = []
    for _ in range(rounds):
        for size in _SIZES:
            for spot in worst:
                line = spot.line(size)
                before = subject.seconds(subject.line, _MEASURED)
                cost = subject.seconds(line, _MEASURED)
                after = subject.seconds(subject.line, _MEASURED)
                benign.append((before + after) / 2)
                ratios.setdefault((size, spot), []).append(cost / benign[-1])
    row = f"{subject.name:<20}{median(benign) * 1e9:6.2f} ns"
    over = []
    for size in _SIZES:
        spot = max(worst, key=lambda spot: median(ratios[size, spot]))
        value = median(ratios[size, spot])
        row += f"{value:10.2f}x "
        if "MISSED" in verdicts.at_most(f"{subject.name}, {size} bytes of {spot}", value, bar):
            over.append(f"MISSED, {spot}")
    print(row + "; ".join(dict.fromkeys(over)), flush=True)


def _specs(verdicts: Verdicts) -> None:
    found = []
    for head, unit, tail in SPECS:
        text = head + unit * ((_SPEC_BYTES - len(head) - len(tail)) // len(unit)) + tail
        milliseconds = min(_compile(text) for _ in range(3)) * 1e3
        found.append((milliseconds, f"{head!r} and {unit[:30]!r}"))
    print(f"\nhostile formats of {_SPEC_BYTES // 1024} KB, the worst of {len(SPECS)}")
    for taken, name in sorted(found, reverse=True)[:3]:
        print(f"{name:<60}{verdicts.at_most(f'format {name}', taken, _BAR_SPEC_MS, ' ms')}")


def _compile(text: str) -> float:
    begin = time.process_time()
    with suppress(ValueError):
        _core.default_fields(_core.Format(text))
    return time.process_time() - begin
