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
        (" 10 s ", 10 * SECOND),
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


NOT_TEXT = "expected a duration such as 250ms, 300s, 5m, 1h or 1d, found"


@pytest.mark.parametrize(
    ("duration", "mend"),
    [
        ("", NOT_TEXT),
        ("300", NOT_TEXT),
        ("s", NOT_TEXT),
        ("5M", NOT_TEXT),
        ("5 minutes", NOT_TEXT),
        ("1h30m", NOT_TEXT),
        ("-1s", "expected a positive duration"),
        ("+1s", NOT_TEXT),
        ("1e3s", NOT_TEXT),
        (".5s", NOT_TEXT),
        ("1.s", NOT_TEXT),
        ("1,5s", NOT_TEXT),
        ("\u0663s", NOT_TEXT),
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
