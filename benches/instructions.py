"""Count the instructions for a byte of a hostile line, as a multiple of those for a benign one.

    CARGO_PROFILE_RELEASE_STRIP=none cargo build --release -p tailrace-core --example lines
    python benches/instructions.py target/release/examples/lines [FORMAT ...]

A FORMAT is a name, or a pasted format and an example line with a tab between them. Callgrind
counts, so the figures do not depend on how busy the machine is. All attacks are tried at every
delimiter of a format's example in lines of 1 and 8 KB, and the most expensive ones in lines of
64 KB and 1 MB.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNITS = [
    '" ', '] "a" ', '" 1 1 " ', '" 200 5 "-" "', '" 1 ] "x', '" 1 ] " ',
    "[", "]", "[1", " [", " ] ", '] "', "] -", "] - 200 5 ", '"', "\\", '\\"', '\\" ',
    '" 200 ', '" 200 5 ', '" 200 5 "', " ", "\t", "1, ", "1 : ", ", ", ":", "=", " rt=", " 1 1 ",
    "- ", " - ", " - -", '" "', '" [', '" 1 1 [x] [', "a", "a ", '" rt=1 uct="', '" 1 ', '" 0.1 "',
    '" - - ', '" -', " [17", " [t] ",
]  # fmt: skip

Case = tuple[str, str, str]

# How many characters of a pasted format are printed.
_WIDTH = 40


@dataclass(frozen=True)
class Format:
    """A format and a benign line that matches it."""

    spec: str
    example: str

    def cases(self) -> list[Case]:
        """Return the head, the unit and the tail of each attack."""
        places = [match.end() for match in re.finditer(r'[" \[\]:]', self.example)]
        found = []
        for place in places:
            head, tail = self.example[:place], self.example[place:]
            found += [(head, unit, end) for unit in UNITS for end in ("", tail)]
        return found


def line(case: Case, size: int) -> str:
    """Return a hostile line of about this size."""
    head, unit, tail = case
    return head + unit * (size // len(unit)) + tail


def instructions(program: Path, spec: str, lines: list[str]) -> list[int]:
    """Return the instructions for each of the lines."""
    text = "".join(f"{spec}\n{line}\n" for line in lines)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--toggle-collect=lines::measured",
                "--dump-after=lines::measured",
                f"--callgrind-out-file={directory}/out",
                str(program),
            ],
            input=text.encode(),
            check=True,
            capture_output=True,
        )
        dumps = [Path(directory, f"out.{number + 1}") for number in range(len(lines))]
        return [totals(dump) for dump in dumps]


def totals(dump: Path) -> int:
    """Return the number of instructions in a dump."""
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(dump)
    return int(found[1])


def report(program: Path, format: Format, most: int) -> None:
    """Print the cost of a benign line, and the worst attack of each size."""
    benign = instructions(program, format.spec, [format.example])[0]
    per_byte = benign / len(format.example)
    name = format.spec if len(format.spec) < _WIDTH else format.spec[: _WIDTH - 3] + "..."
    print(f"{name}: benign {benign} instructions, {per_byte:.2f} a byte", flush=True)
    cases, before = format.cases(), dict[Case, float]()
    for size in (1 << 10, 1 << 13, 1 << 16, 1 << 20):
        if size > most:
            break
        if size > 1 << 10:
            cases = worst(before, 240 if size == 1 << 13 else 12)
        lines = [line(case, size) for case in cases]
        counts = instructions(program, format.spec, lines)
        ratios = {
            case: count / len(text) / per_byte
            for case, count, text in zip(cases, counts, lines, strict=True)
        }
        case = max(ratios, key=lambda case: ratios[case])
        print(f"  {size:8} {ratios[case]:6.2f}x  {case[1]!r} after {case[0]!r}, then {case[2]!r}")
        before = ratios


def worst(ratios: dict[Case, float], count: int) -> list[Case]:
    """Return the most expensive attacks, with only a few of the same unit."""
    found: list[Case] = []
    seen: dict[str, int] = {}
    for case in sorted(ratios, key=lambda case: -ratios[case]):
        unit = case[1]
        seen[unit] = seen.get(unit, 0) + 1
        if seen[unit] <= max(3, count // 12):
            found.append(case)
    return found[:count]


def main() -> None:
    """Measure the named formats, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--most", type=int, default=1 << 20, help="the longest line in bytes")
    arguments = parser.parse_args()
    listed = subprocess.run(
        [arguments.program, "formats"], check=True, capture_output=True, text=True
    ).stdout
    named = dict(row.split("\t", 1) for row in listed.splitlines() if "\t" in row)
    for chosen in arguments.formats or named:
        spec, tab, example = chosen.partition("\t")
        report(arguments.program, Format(spec, example if tab else named[spec]), arguments.most)


if __name__ == "__main__":
    main()
