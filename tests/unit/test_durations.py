"""Durations: what is one, in microseconds, and what the error says of anything else."""

from __future__ import annotations

import math
from datetime import timedelta
from fractions import Fraction
from re import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from tailrace._durations import micros, short

SECOND = 10**6


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("300s", 300 * SECOND),
        ("5m", 300 * SECOND),
        ("1h", 3_600 * SECOND),
        ("1d", 86_400 * SECOND),
        ("250ms", 250_000),
        ("1us", 1),
        ("0.5s", 500_000),
        ("1.5h", 5_400 * SECOND),
        (".5h", 1_800 * SECOND),
        (" 10 s ", 10 * SECOND),
        ("1h30m", 5_400 * SECOND),
        ("1H30Min", 5_400 * SECOND),
        ("1d12h", 129_600 * SECOND),
        ("1w", 604_800 * SECOND),
        ("2W", 1_209_600 * SECOND),
        ("1 minute", 60 * SECOND),
        ("5 MINUTES", 300 * SECOND),
        ("90 sec", 90 * SECOND),
        ("1 hour 30 minutes", 5_400 * SECOND),
        ("+5m", 300 * SECOND),
        ("250\u00b5s", 250),
        ("36525d", 36_525 * 86_400 * SECOND),
        (300, 300 * SECOND),
        (0.25, 250_000),
        (0.1 + 0.2, 300_000),
        (1e-6, 1),
        (Fraction(1, 8), 125_000),
        (timedelta(minutes=5), 300 * SECOND),
        (timedelta(microseconds=1), 1),
    ],
)
def test_a_duration_is_text_a_timedelta_or_seconds(duration: Any, expected: int) -> None:  # noqa: ANN401
    assert micros(duration, "window") == expected


NOT_TEXT = "expected a duration such as 300s, 5m, 1h30m or 1d, found"
NO_UNIT = "expected a unit such as ms, s, m, h, d or w, found"
NOT_FIXED = "expected units of a fixed length, found"


@pytest.mark.parametrize(
    ("duration", "mend"),
    [
        ("", NOT_TEXT),
        ("s", NOT_TEXT),
        ("h1", NOT_TEXT),
        ("1:30", NOT_TEXT),
        ("PT5M", NOT_TEXT),
        ("1h, 30m", NOT_TEXT),
        ("300", "expected a unit after 300, such as 300s or 300m, found '300'"),
        ("1h30", "expected a unit after 30, such as 30s or 30m, found '1h30'"),
        ("5M", "expected m for minutes, found M in '5M', which could be months; write 5m or 150d"),
        ("1h30M", "write 30m or 900d"),
        ("1mo", f"{NOT_FIXED} 'mo' in '1mo'; write days, such as 30d"),
        ("3 Months", f"{NOT_FIXED} 'Months' in '3 Months'; write days, such as 90d"),
        ("1y", f"{NOT_FIXED} 'y' in '1y'; write days, such as 365d"),
        ("2 years 1d", "such as 730d"),
        ("5x", f"{NO_UNIT} 'x' in '5x'"),
        ("2 fortnights", f"{NO_UNIT} 'fortnights'"),
        ("-1s", "expected a positive duration"),
        ("- 1s", NOT_TEXT),
        ("--1s", NOT_TEXT),
        ("1s-", NOT_TEXT),
        ("1e3s", "expected a unit such as"),
        ("1.s", NOT_TEXT),
        ("1,5s", NOT_TEXT),
        ("\u0663s", NOT_TEXT),
        ("5\udcffs", NOT_TEXT),
        ("nans", NOT_TEXT),
        ("0s", "expected a positive duration"),
        ("0.4us", "expected a positive duration"),
        (0, "expected a positive duration"),
        (-1, "expected a positive duration"),
        (1e-9, "expected a positive duration"),
        (timedelta(0), "expected a positive duration"),
        (timedelta(days=-1), "expected a positive duration"),
        (math.nan, "expected a positive duration"),
        (math.inf, "at most 36525d"),
        ("36526d", "at most 36525d"),
        (timedelta(days=36_526), "at most 36525d"),
        ("9" * 400 + "s", "at most 36525d"),
    ],
)
def test_what_is_no_duration_is_refused_with_its_name_and_mend(duration: Any, mend: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=rf"^slide: .*{escape(mend)}"):
        micros(duration, "slide")


def test_a_duration_may_be_zero_where_that_means_something() -> None:
    for zero in ["0s", 0, 0.0, timedelta(0)]:
        assert micros(zero, "lateness", least=0) == 0
    with pytest.raises(ValueError, match="lateness: expected a duration of 0 or more, found -1"):
        micros(-1, "lateness", least=0)


NAMES = {
    "w": ["w", "week", "Weeks"],
    "d": ["d", "D", "day", "DAYS"],
    "h": ["h", "H", "hr", "hours"],
    "m": ["m", "min", "Minute", "minutes"],
    "s": ["s", "S", "sec", "seconds"],
    "ms": ["ms", "millisecond"],
    "us": ["us", "\u00b5s", "microseconds"],
}
PARTS = st.tuples(st.decimals(0, 100, places=3), st.sampled_from(sorted(NAMES)), st.integers(0, 99))


@given(st.lists(PARTS, min_size=1, max_size=4), st.sampled_from(["", " "]))
@examples(200)
def test_the_parts_of_a_duration_are_added(parts: list[Any], blank: str) -> None:
    text, exact = [], Fraction(0)
    for number, unit, place in parts:
        names = NAMES[unit]
        text.append(f"{number}{blank}{names[place % len(names)]}")
        seconds = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}.get(unit)
        size = {"ms": 1_000, "us": 1}.get(unit) or (seconds or 0) * SECOND
        exact += Fraction(number) * size
    found = micros(blank.join(text), "window", least=0)
    assert abs(found - exact) <= Fraction(1, 2)


@given(st.integers(1, 36_525 * 86_400 * SECOND))
@examples(200)
def test_a_duration_written_short_is_read_back(duration: int) -> None:
    assert micros(short(duration), "window") == duration


@pytest.mark.parametrize(
    "duration", [None, [1], b"5s", 10**400], ids=["None", "list", "bytes", "huge"]
)
def test_a_value_that_cannot_be_a_duration_is_rejected_by_name(duration: Any) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError), match=r"^slide: "):
        micros(duration, "slide")
