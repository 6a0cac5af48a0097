"""Points in time as users write them, against Python's datetime."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace._points import point_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 30, 15, 250_000, tzinfo=UTC)


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


NOW_US = us(NOW)
ZONES = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(
    datetime(1690, 1, 1),  # noqa: DTZ001 - each gets a zone
    datetime(2250, 1, 1),  # noqa: DTZ001 - as above
    timezones=ZONES,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("today", datetime(2026, 11, 23, tzinfo=UTC)),
        ("midnight", datetime(2026, 11, 23, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 22, tzinfo=UTC)),
        ("yesterday 9:05", datetime(2026, 11, 22, 9, 5, tzinfo=UTC)),
        ("today 23:00 -0200", datetime(2026, 11, 24, 1, tzinfo=UTC)),
        ("10:30", datetime(2026, 11, 23, 10, 30, tzinfo=UTC)),
        ("23:59:60", datetime(2026, 11, 24, tzinfo=UTC)),
        # By the clocks of that zone it is the 24th already.
        ("00:15+14:00", datetime(2026, 11, 23, 10, 15, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T10:00", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23t10:00z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23  10:00 UTC", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23 10:00:00.5+01:00", datetime(2026, 11, 23, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-23 10:00:00,123456789 +01", datetime(2026, 11, 23, 9, 0, 0, 123_456, tzinfo=UTC)),
        ("17/May/2015:10:05:03 +0000", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("17/may/2015", datetime(2015, 5, 17, tzinfo=UTC)),
        ("@1431857103", datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("@1431857103.25", datetime(2015, 5, 17, 10, 5, 3, 250_000, tzinfo=UTC)),
        ("@-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("-10m", NOW - timedelta(minutes=10)),
        ("10m", NOW - timedelta(minutes=10)),
        ("10m ago", NOW - timedelta(minutes=10)),
        ("30 min ago", NOW - timedelta(minutes=30)),
        ("+10m", NOW + timedelta(minutes=10)),
        ("1h30m", NOW - timedelta(hours=1, minutes=30)),
        ("1 hour 30 minutes ago", NOW - timedelta(hours=1, minutes=30)),
        ("1.5h", NOW - timedelta(hours=1, minutes=30)),
        ("2 Days ago", NOW - timedelta(days=2)),
        ("1w", NOW - timedelta(weeks=1)),
        ("1H30m", NOW - timedelta(hours=1, minutes=30)),
        (".5 hours ago", NOW - timedelta(minutes=30)),
        ("250ms", NOW - timedelta(milliseconds=250)),
    ],
)
def test_a_point_is_on_the_calendar_or_relative_to_now(text: str, expected: datetime):
    assert point_us(text, NOW_US) == us(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a time such as 2026-11-23, 2026-11-23T10:30, 10:30, 10m ago, yesterday or "),
        ("tomorrow", "or @1431857103, found 'tomorrow'"),
        ("ago", "expected a time such as"),
        ("2026-11-23T", "expected a time such as"),
        ("2026-11-2310:00", "expected a time such as"),
        ("today10:30", "expected a time such as"),
        ("yesterdayt10:30", "expected a time such as"),
        ("11/23/2026", "expected a time such as"),
        ("T10:30", "expected a time such as"),
        (" :10:30", "expected a time such as"),
        ("@", "expected a time such as"),
        ("@now", "expected a time such as"),
        ("1" * 1_000_000, "expected a time such as"),
        ("1431857103", "expected a unit, found '1431857103'; use @1431857103 for seconds "),
        ("10", "found '10'; use @10 for seconds since the epoch, 10m for minutes ago"),
        ("2026-02-29", "expected a date that exists, found '2026-02-29'"),
        ("2026-13-01", "expected a date that exists"),
        ("17/Mai/2015", "expected a date that exists"),
        ("24:00", "expected a time of day from 00:00 to 23:59:59, found '24:00'"),
        ("10:61", "expected a time of day"),
        ("10:00+24:00", "expected an offset from UTC such as +01:00, found '+24:00'"),
        ("3 fortnights ago", "s, m, h, d or w, found 'fortnights' in '3 fortnights'"),
        ("1 month ago", "found 'month' in '1 month'; write days, such as 30d"),
        ("10M", "expected m for minutes, found M in '10M', which could be months; write 10m or "),
        ("1h30", "expected a time such as"),
        ("-10m ago", "expected - or ago, found both in '-10m ago'"),
        ("1600-01-01", "expected a time in the years 1684 to 2255, found '1600-01-01'"),
        ("99999999w", "expected a time in the years 1684 to 2255"),
        ("@99999999999999999999", "expected a time in the years 1684 to 2255"),
    ],
)
def test_text_that_is_not_a_point_is_rejected_with_a_hint(text: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        point_us(text, NOW_US)
    assert len(str(raised.value)) < 300


@given(MOMENTS, st.sampled_from("Tt "))
def test_what_python_writes_is_read(moment: datetime, mark: str):
    text = moment.replace(tzinfo=None).isoformat(sep=mark)
    assert point_us(text, NOW_US) == us(moment.replace(tzinfo=UTC))
    assert point_us(text + moment.strftime("%z"), NOW_US) == us(moment)
    assert point_us(moment.isoformat(), 0) == us(moment)


@given(MOMENTS)
def test_what_a_log_writes_is_read(moment: datetime):
    whole = moment.replace(microsecond=0)
    assert point_us(whole.strftime("%d/%b/%Y:%H:%M:%S %z"), NOW_US) == us(whole)


@given(
    st.dictionaries(
        st.sampled_from(["weeks", "days", "hours", "minutes", "seconds"]),
        st.integers(0, 500),
        min_size=1,
    ),
    st.sampled_from([1, 9]),
    st.sampled_from(["", " "]),
)
def test_spans_add_up(parts: dict[str, int], letters: int, blank: str):
    names = {unit: unit[:letters] for unit in parts}
    text = blank.join(f"{number}{blank}{names[unit]}" for unit, number in parts.items())
    length = timedelta(**parts)
    assert point_us(text, NOW_US) == us(NOW - length)
    assert point_us(f"{text} ago", NOW_US) == us(NOW - length)
    assert point_us(f"+{text}", NOW_US) == us(NOW + length)


@given(st.text() | st.text("0123456789-+:/.@TZadghimnosuwy "))
def test_any_text_is_a_point_in_reach_or_refused(text: str):
    hints = "expected"
    try:
        point = point_us(text, NOW_US)
    except ValueError:
        with pytest.raises(ValueError, match=hints):
            point_us(text, NOW_US)
    else:
        assert abs(point) <= 9 * 10**15
