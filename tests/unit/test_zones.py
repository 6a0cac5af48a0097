"""A zone for times that have none, against `zoneinfo`."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

import tailrace as tr
from tailrace._points import point_us
from tailrace._zones import zone_of, zone_table

LINE = '192.0.2.1 - - [{}] "GET /a HTTP/1.1" 200 5'
BERLIN = ZoneInfo("Europe/Berlin")

# Changes within a week, by half an hour, over the date line, at odd seconds, and none.
ODD = [
    "Africa/Casablanca",
    "Africa/Freetown",
    "Africa/Monrovia",
    "America/Cambridge_Bay",
    "America/Noronha",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Amsterdam",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "UTC",
]


def parsed(text: str, tz: tzinfo | str) -> datetime | None:
    """Return the time of a line of `common`."""
    (row,) = tr.Format("common", tz=tz).parse([LINE.format(text)], fields=["time"]).to_dicts()
    time: datetime | None = row["time"]
    return time


def expected(local: datetime, zone: tzinfo) -> datetime:
    """Return the instant of a local time; the first of two."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
LOCALS = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30))  # noqa: DTZ001 - local


@given(ZONES, st.lists(LOCALS, min_size=1, max_size=50))
@examples(100)
def test_a_time_without_a_zone_is_read_as_zoneinfo_does(zone: ZoneInfo, locals_: list[datetime]):
    lines = [LINE.format(local.isoformat()) for local in locals_]
    rows = tr.Format("common", tz=zone).parse(lines, fields=["time"]).to_dicts()

    assert [row["time"] for row in rows] == [expected(local, zone) for local in locals_]


@given(ZONES, LOCALS, st.integers(0, 1))
@examples(100)
def test_the_letters_of_a_zone_are_read_as_zoneinfo_writes_them(
    zone: ZoneInfo, local: datetime, fold: int
):
    aware = local.replace(tzinfo=zone, fold=fold)
    exists = aware.astimezone(UTC).astimezone(zone) == aware
    letters = aware.tzname() or ""
    text = f"{local:%Y-%m-%d %H:%M:%S.%f} {letters}"

    if exists or letters in {"UTC", "GMT"} or not letters.isalpha():
        assert parsed(text, zone) == aware.astimezone(UTC)
    else:
        assert parsed(text, zone) is None


@pytest.mark.parametrize("name", ODD)
def test_no_change_of_a_zone_is_missed(name: str):
    zone = ZoneInfo(name)
    # Every six hours and at odd minutes, from the first year of the table on.
    start, step = datetime(1900, 1, 2), timedelta(hours=6, minutes=7, seconds=31)  # noqa: DTZ001
    locals_ = [start + number * step for number in range(0, 287_000, 11)]
    lines = [LINE.format(local.isoformat()) for local in locals_]
    rows = tr.Format("common", tz=zone).parse(lines, fields=["time"]).to_dicts()

    assert [row["time"] for row in rows] == [expected(local, zone) for local in locals_]


@pytest.mark.parametrize(
    ("text", "offset_h"),
    [
        # In the night of 31 March 2024 the hour from two to three is skipped.
        ("31/Mar/2024 01:59:59", 1),
        ("31/Mar/2024 02:30:00", 1),
        ("31/Mar/2024 03:00:00", 2),
        # In that of 27 October it comes twice.
        ("27/Oct/2024 02:30:00", 2),
        ("27/Oct/2024 03:00:00", 1),
    ],
)
def test_where_clocks_change(text: str, offset_h: int):
    local = datetime.strptime(text, "%d/%b/%Y %H:%M:%S")  # noqa: DTZ007 - local

    assert parsed(text, BERLIN) == local.replace(tzinfo=UTC) - timedelta(hours=offset_h)


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ("UTC", UTC),
        ("gmt", UTC),
        ("Z", UTC),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0330", timezone(-timedelta(hours=3, minutes=30))),
        ("+5", timezone(timedelta(hours=5))),
        ("UTC+01:00", timezone(timedelta(hours=1))),
        ("Europe/Berlin", BERLIN),
        (BERLIN, BERLIN),
        (UTC, UTC),
    ],
)
def test_ways_to_name_a_zone(zone: str | tzinfo, found: tzinfo):
    assert zone_of(zone) == found


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Europe/Berln", "tz: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'"),
        ("berlin", "tz: unknown time zone 'berlin'; did you mean 'Europe/Berlin'?"),
        ("New York", "tz: unknown time zone 'New York'; did you mean 'America/New_York'?"),
        ("PST", "tz: unknown time zone 'PST'; expected a name such as 'Europe/Berlin', UTC"),
        ("", "tz: unknown time zone ''; expected a name"),
        ("../etc/passwd", "tz: unknown time zone '../etc/passwd'; expected a name"),
        ("+24:00", "tz: expected an offset up to 23:59, found '+24:00'"),
    ],
)
def test_an_unknown_zone_is_an_error_with_the_closest_names(zone: str, message: str):
    for make in (
        lambda: tr.Format("combined", tz=zone),
        lambda: tr.from_files("access.log", tz=zone),
        lambda: tr.from_lines([], tz=zone),
        lambda: tr.from_flume("127.0.0.1:0", tz=zone),
        lambda: tr.from_stdin(tz=zone),
    ):
        with pytest.raises(ValueError, match=r"time zone|offset") as error:
            make()

        assert str(error.value).startswith(message)


def test_a_zone_is_text_or_a_zone():
    with pytest.raises(TypeError, match="tz: expected a time zone such as 'Europe/Berlin'"):
        tr.Format("combined", tz=2)  # type: ignore[arg-type]


def test_a_zone_with_parts_of_a_second_is_refused():
    with pytest.raises(ValueError, match="tz: expected an offset in whole seconds"):
        zone_table(timezone(timedelta(milliseconds=1)))


def test_a_format_in_a_zone_is_pickled_and_shown_with_it():
    log_format = tr.Format("common", tz="Europe/Berlin")
    copy = pickle.loads(pickle.dumps(log_format))  # noqa: S301 - made here

    assert repr(copy) == "Format('common', tz='Europe/Berlin')"
    assert copy.parse([LINE.format("05/Jul/2024 12:00:00")], fields=["time"]).to_dicts() == [
        {"time": datetime(2024, 7, 5, 10, tzinfo=UTC)}
    ]
    assert repr(tr.Format("common")) == "Format('common')"


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        ("common", LINE.format("05/Jul/2024:12:00:00")),
        ("json", '{"time":"2024-07-05 12:00:00","status":200}'),
        ("ltsv", "host:192.0.2.1\ttime:2024-07-05T12:00:00\tstatus:200"),
        ("csv:time,n:int", "2024-07-05 12:00:00,1"),
        ("csv:time:iso,n:int", "2024-07-05 12:00:00,1"),
        ("{time:time(%d.%m.%Y %H:%M)} {n:int}", "05.07.2024 12:00 1"),
        ("%h %{%Y-%m-%d}t %{%T}t %>s", "192.0.2.1 2024-07-05 12:00:00 200"),
        ('%h [%d:%t] "%r" %s', '192.0.2.1 [05/Jul/2024:12:00:00] "GET / HTTP/1.1" 200'),
        ("common,json", LINE.format("05/Jul/2024 12:00:00")),
    ],
)
def test_the_zone_holds_in_every_format(log_format: str, line: str):
    moment = datetime(2024, 7, 5, 10, tzinfo=UTC)
    (row,) = tr.Format(log_format, tz="Europe/Berlin").parse([line], fields=["time"]).to_dicts()
    snapshot = tr.from_lines([line], format=log_format, tz=BERLIN).window("1s").count().last()

    assert row["time"] == moment
    assert snapshot.start == moment


def test_w3c_times_are_utc_as_their_standard_says():
    text = b"#Fields: date time sc-status\n2024-07-05 12:00:00 200\n"

    for tz in (None, "Europe/Berlin"):
        (row,) = tr.Format("w3c", tz=tz).parse(text, fields=["time"]).to_dicts()

        assert row["time"] == datetime(2024, 7, 5, 12, tzinfo=UTC)


def test_classic_windows_are_in_the_zone():
    line = LINE.format("05/Jul/2024 12:00:00") + ' "-" "x"'
    query = tr.from_lines([line], format="classic", tz="Europe/Berlin").window("1s").count()

    assert query.last().start == datetime(2024, 7, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "kept"),
    [
        ("2024-07-05 12:00", 2),
        ("2024-07-05 12:30", 1),
        ("2024-07-05T12:30Z", 0),
        ("05/Jul/2024:12:30:00", 1),
        (datetime(2024, 7, 5, 12, 30), 1),  # noqa: DTZ001 - local
        (datetime(2024, 7, 5, 12, 30, tzinfo=UTC), 0),
    ],
)
def test_points_and_conditions_without_a_zone_are_in_the_zone_of_the_source(
    since: str | datetime, kept: int
):
    lines = [LINE.format(f"05/Jul/2024 12:{minute}:00") for minute in ("00", "45")]
    query = tr.from_lines(lines, format="common", tz="Europe/Berlin")

    assert query.since(since).count().collect().total == kept
    if isinstance(since, str):
        assert query.where(f"time >= '{since}'").count().collect().total == kept
    assert query.until(since).count().collect().total == 2 - kept


def test_sources_of_different_zones_need_a_point_with_a_zone():
    both = tr.merge(tr.from_lines([], tz="Europe/Berlin"), tr.from_lines([], tz="UTC"))

    both.since("10m")
    both.since("2024-07-05T12:00+02:00")
    with pytest.raises(ValueError, match="since: '12:00' is another time in the time zone of each"):
        both.since("12:00")


@given(ZONES, LOCALS)
@examples(100)
def test_points_in_a_zone_are_those_of_zoneinfo(zone: ZoneInfo, local: datetime):
    local = local.replace(microsecond=0)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moment = expected(local, zone)
    now_us = (moment - epoch) // timedelta(microseconds=1)
    today = moment.astimezone(zone).replace(hour=0, minute=0, second=0, fold=0, tzinfo=None)

    assert point_us(local.isoformat(), 0, zone) == now_us
    midnight_us = (expected(today, zone) - epoch) // timedelta(microseconds=1)

    assert point_us("today", now_us, zone) == midnight_us
