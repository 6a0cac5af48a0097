"""
Write the table that the core's parsing of times is tested against.

Each case has the result of Python's own `strptime`, `fromisoformat` and fractions. Run it as
`python tests/support/times.py`; its output is the same each time.
"""

from __future__ import annotations

import random
import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

from places import ROOT

TABLE = ROOT / "rust/core/src/text/format/time/cases.tsv"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 9 * 10**15
CLF = "%d/%b/%Y:%H:%M:%S %z"

# Python's spelling of the directives that it does not have.
LONG = {
    "%T": "%H:%M:%S",
    "%D": "%m/%d/%y",
    "%F": "%Y-%m-%d",
    "%R": "%H:%M",
    "%h": "%b",
    "%e": "%d",
    "%k": "%H",
    "%l": "%I",
    "%n": " ",
    "%t": " ",
    "%6f": "%f",
    "%N": "%f",
}

PATTERNS = [
    CLF,
    "%d/%b/%Y:%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S.%6f%z",
    "%F%t%T,%N%n%z",
    "%D %R",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%A %e %h %Y at %k.%M",
    "%B %d, %Y %I:%M:%S %p",
    "%m/%d/%y %l%p",
    "%Y%m%d%H%M%S",
    "%y%j",
    "%Y %j %T",
    "100%% %Y",
    "[%z] %F",
]

ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


def micros(moment: datetime) -> int | None:
    value = (moment - EPOCH) // timedelta(microseconds=1)
    return value if abs(value) <= MOST else None


def by_strptime(pattern: str, text: str) -> int | None:
    for name, long in LONG.items():
        pattern = pattern.replace(name, long)
    try:
        parts = time.strptime(text, pattern)
    except ValueError:
        return None
    if parts.tm_sec < 60:
        # `time.strptime` accepts a day that the month does not have.
        return micros_or_none(text, pattern)
    # A leap second: find the text with 59 in its place that is otherwise the same.
    for at in (match.start() for match in re.finditer("60", text)):
        before = text[:at] + "59" + text[at + 2 :]
        with suppress(ValueError):
            if time.strptime(before, pattern)[:5] == parts[:5] and parts.tm_sec == 60:
                value = micros_or_none(before, pattern)
                return None if value is None else value + 10**6
    return None


def micros_or_none(text: str, pattern: str) -> int | None:
    try:
        return micros(in_utc(datetime.strptime(text, pattern)))  # noqa: DTZ007 - as given
    except ValueError:
        return None


def by_expression(text: str) -> int | None:
    match = ISO.fullmatch(text)
    if match is None or (match[8] is None and match[0][-1:].isspace()):
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction = int((match[7] or "").ljust(6, "0")[:6])
    zone = (match[8] or "Z").upper().replace(":", "")
    ahead = timedelta()
    if zone != "Z":
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:] or 0))
        if ahead >= timedelta(days=1) or int(zone[3:] or 0) > 59:
            return None
        ahead = -ahead if zone[0] == "-" else ahead
    leap = second == 60
    try:
        moment = datetime(
            year, month, day, hour, minute, second - leap, fraction, timezone(ahead)
        ) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None
    if fraction == 0 and "," not in text and not leap and "t" not in text and "z" not in text:
        parts = text.replace(" +", "+").replace(" -", "-").replace(" Z", "Z")
        assert moment == in_utc(datetime.fromisoformat(parts)), text
    return micros(moment)


def in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def by_fraction(text: str, power: int) -> int | None:
    if re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text, re.ASCII) is None:
        return None
    value = int(Fraction(text) * Fraction(10) ** (power + 6))
    return value if abs(value) <= MOST else None


def by_length(text: str) -> int | None:
    power = {13: -3, 16: -6, 19: -9}.get(len(text.lstrip("-")), 0)
    return by_fraction(text, power if text.lstrip("-").isdigit() else 0)


class Cases:
    """Valid times, and times with one or two bytes changed."""

    def __init__(self) -> None:
        self.random = random.Random(5)  # noqa: S311 - a seed that gives the same table
        self.rows: list[str] = []

    def moment(self) -> datetime:
        seconds = self.random.randrange(-2 * 10**9, 8 * 10**9)
        part = self.random.choice([0, self.random.randrange(10**6)])
        minutes = self.random.choice([0, 0, 330, -480, 60, -1439, 845])
        zone = timezone(timedelta(minutes=minutes))
        return (EPOCH + timedelta(seconds=seconds, microseconds=part)).astimezone(zone)

    def spoilt(self, text: str) -> str:
        for _ in range(self.random.randrange(1, 3)):
            at = self.random.randrange(len(text))
            new = self.random.choice(["", " ", "0", "3", "6", "9", ":", "-", "/", "x", "."])
            text = text[:at] + new + text[at + self.random.randrange(2) :]
        return text

    def add(self, form: str, text: str, expected: int | None) -> None:
        self.rows.append(f"{form}\t{text}\t{'none' if expected is None else expected}\n")

    def patterns(self) -> None:
        for pattern in PATTERNS:
            for turn in range(14 if pattern == CLF else 7):
                moment = self.moment()
                if "%Z" in pattern:
                    moment = moment.astimezone(UTC)
                long = pattern
                for name, python in LONG.items():
                    long = long.replace(name, python)
                text = moment.strftime(long)
                if turn % 3 == 1:
                    text = re.sub(r"(?<!\d)0(?=\d(?!\d))", "", text, count=1).swapcase()
                    text = text.replace("z", "Z")
                if turn % 7 == 2:
                    text = re.sub(r"\d\d(?=[\s.,]|$)", "60", text, count=1)
                if turn % 2:
                    # Keep the zone: the core accepts more forms of it than Python.
                    whole = re.fullmatch(r"(.*?)(\s*[+-]\d{4}|)", text, re.DOTALL)
                    assert whole is not None
                    text = self.spoilt(whole[1]) + whole[2] if whole[1] else text
                form = "clf" if pattern == CLF and turn > 6 else pattern
                self.add(form, text, by_strptime(pattern, text))

    def iso(self) -> None:
        for turn in range(90):
            moment = self.moment()
            choose = self.random.choice
            text = moment.strftime("%Y-%m-%d")
            if turn % 9:
                text += choose("TTt ") + moment.strftime(choose(["%H:%M:%S", "%H:%M"]))
                if text[-6:-5] == ":" or text.count(":") == 2:
                    text += choose(["", ".", ","])
                    if not text[-1].isdigit():
                        digits = self.random.randrange(1, 10)
                        text += f"{self.random.randrange(10**digits):0{digits}}"
                zone = moment.strftime("%z")
                text += choose(
                    ["", "Z", "z", zone, zone[:3] + ":" + zone[3:], zone[:3], " " + zone]
                )
            if turn % 5 == 1:
                text = re.sub(r":\d\d(?=[.,Zz+\s]|$)", ":60", text, count=1)
            if turn % 3 == 2:
                text = self.spoilt(text)
            self.add("any" if turn % 4 == 3 else "iso", text, by_expression(text))

    def numbers(self) -> None:
        for turn in range(90):
            power = self.random.choice([0, 0, -3, -6, -9, 2])
            value = self.random.randrange(-(10**9), 9 * 10**9) * 10 ** max(-power, 0)
            text = f"{value // 10 ** max(power, 0)}"
            if turn % 2:
                digits = self.random.randrange(1, 12)
                text += f".{self.random.randrange(10**digits):0{digits}}"
            if turn % 5 == 4:
                whole, _, part = text.partition(".")
                text = f"{whole[:-3]}.{whole[-3:]}{part}{self.random.choice(['e3', 'E+3', 'e03'])}"
            if turn % 10 == 9:
                text = self.spoilt(text)
            self.add(f"epoch {power}", text, by_fraction(text, power))
        for digits in range(8, 21):
            for sign in ("", "-"):
                text = sign + str(self.random.randrange(10 ** (digits - 1), 10**digits // 6))
                self.add("any", text, by_length(text))
        for text in (
            "0",
            "-0",
            "1.",
            ".5",
            "-.5",
            "1e-7",
            "9e-400",
            "1e400",
            "0e400",
            "1e",
            "",
            "-",
        ):
            self.add("epoch 0", text, by_fraction(text, 0))
        for text in (
            "9000000000",
            "9000000000.000001",
            "-9000000000.0000019",
            "1" + "0" * 40,
            "0" * 40,
        ):
            self.add("epoch 0", text, by_fraction(text, 0))


if __name__ == "__main__":
    cases = Cases()
    cases.patterns()
    cases.iso()
    cases.numbers()
    TABLE.write_text("".join(cases.rows), encoding="utf-8")
