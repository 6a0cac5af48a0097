"""Text shows times in the zone of the sources, against zoneinfo; other outputs stay in UTC."""

from __future__ import annotations

import pickle
import subprocess
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND, line
from profiles import examples

import tailrace as tr
from tailrace._rendering.times import moment, span

if TYPE_CHECKING:
    from pathlib import Path

BERLIN, HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
AHEAD, BEHIND = timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-3))
ZONES = [BERLIN, HOWE, ZoneInfo("America/New_York"), ZoneInfo("UTC"), AHEAD, BEHIND, UTC, None]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        ("2015-05-17T10:00", "2015-05-17T11:00", None, "2015-05-17 10:00:00 to 11:00:00 UTC"),
        ("2015-05-17T10:00", "2015-05-17T11:00", UTC, "2015-05-17 10:00:00 to 11:00:00 UTC"),
        (
            "2015-05-17T10:00",
            "2015-05-17T11:00:00.250",
            BERLIN,
            "2015-05-17 12:00:00 to 13:00:00.25 Europe/Berlin",
        ),
        (
            "2015-05-17T22:00",
            "2015-05-17T23:00",
            timezone(timedelta(hours=2)),
            "2015-05-18 00:00:00 to 01:00:00 +02:00",
        ),
        (
            "2015-05-17T18:00",
            "2015-05-17T19:00",
            AHEAD,
            "2015-05-17 23:30:00 to 2015-05-18 00:30:00 +05:30",
        ),
        # Clocks are turned back between the two, on both sides of them, and forward.
        (
            "2015-10-25T00:30",
            "2015-10-25T01:30",
            BERLIN,
            "2015-10-25 02:30:00+02:00 to 02:30:00+01:00 Europe/Berlin",
        ),
        (
            "2015-10-25T00:10",
            "2015-10-25T00:20",
            BERLIN,
            "2015-10-25 02:10:00+02:00 to 02:20:00+02:00 Europe/Berlin",
        ),
        (
            "2015-10-25T01:50",
            "2015-10-25T02:00",
            BERLIN,
            "2015-10-25 02:50:00+01:00 to 03:00:00+01:00 Europe/Berlin",
        ),
        (
            "2015-10-25T02:00",
            "2015-10-25T03:00",
            BERLIN,
            "2015-10-25 03:00:00 to 04:00:00 Europe/Berlin",
        ),
        (
            "2015-03-29T00:30",
            "2015-03-29T01:30",
            BERLIN,
            "2015-03-29 01:30:00+01:00 to 03:30:00+02:00 Europe/Berlin",
        ),
        (
            "2015-04-04T14:45",
            "2015-04-04T15:15",
            HOWE,
            "2015-04-05 01:45:00+11:00 to 01:45:00+10:30 Australia/Lord_Howe",
        ),
    ],
)
def test_a_heading_is_in_the_zone(start: str, end: str, zone: tzinfo | None, expected: str):
    assert span(at(start), at(end), zone) == expected


INSTANTS = st.datetimes(
    datetime(2015, 1, 1),  # noqa: DTZ001 - in UTC
    datetime(2016, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
# Of the two nights in which the clocks of Berlin change, and of one in Lord Howe.
CHANGES = st.sampled_from([at("2015-10-25T01:00"), at("2015-03-29T01:00"), at("2015-04-04T15:00")])
NEAR = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes), CHANGES, st.integers(-90, 90)
)


@given(st.tuples(INSTANTS | NEAR, INSTANTS | NEAR).map(sorted), st.sampled_from(ZONES))
@examples(500)
def test_a_heading_says_which_instants_are_meant(times: list[datetime], zone: tzinfo | None):
    first, last = span(*times, zone).split(" to ")
    text, _, name = last.rpartition(" ")
    assert name == (str(zone or UTC).removeprefix("UTC") or "UTC")
    texts = [first, text if " " in text else f"{first[:10]} {text}"]
    for text, time in zip(texts, times, strict=True):
        read = datetime.fromisoformat(text)
        # Without an offset there is only one reading.
        if read.tzinfo is None:
            offsets = {read.replace(fold=fold, tzinfo=zone or UTC).utcoffset() for fold in (0, 1)}
            assert len(offsets) == 1
            read = read.replace(tzinfo=zone or UTC)
        assert read == time


@given(INSTANTS | NEAR, st.sampled_from(ZONES))
@examples(300)
def test_a_value_has_its_offset(time: datetime, zone: tzinfo | None):
    read = datetime.fromisoformat(moment(time, zone))
    assert read == time
    assert read.utcoffset() == time.astimezone(zone or UTC).utcoffset()


STAMPS = ["25/Oct/2015:00:30:00 +0000", "25/Oct/2015:01:30:00 +0000"]
BODIES = [line(f"/{n}", time_text=stamp) for n, stamp in enumerate(STAMPS)]


def test_snapshots_show_the_zone_and_keep_utc():
    query = tr.from_lines(BODIES, tz="Europe/Berlin").agg(
        "url", last=tr.max("time"), all=tr.top_values("time", 2)
    )
    snapshot = query.collect()
    heading = "2015-10-25 02:30:00+02:00 to 02:30:00+01:00 Europe/Berlin"
    for text in (str(snapshot), repr(snapshot), str(snapshot.head(1)), snapshot._repr_html_()):
        assert heading in text
        assert "2015-10-25T02:30:00+01:00" in text
    assert "2015-10-25T02:30:00+02:00 (1)" in str(snapshot)
    assert '"start":"2015-10-25T00:30:00Z"' in snapshot.to_json()
    assert '"last":"2015-10-25T00:30:00Z"' in snapshot.to_json()
    assert snapshot.start == at("2015-10-25T00:30")
    assert snapshot.start.tzinfo is UTC
    copy = pickle.loads(pickle.dumps(snapshot))  # noqa: S301 - our own
    assert copy == snapshot
    assert str(copy) == str(snapshot)


def test_sources_of_several_zones_are_shown_in_utc():
    both = tr.merge(tr.from_lines(BODIES, tz="Europe/Berlin"), tr.from_lines(BODIES))
    assert "00:30:00 to 01:30:00 UTC" in str(both.count(by="time").collect())
    same = tr.merge(tr.from_lines(BODIES, tz="+02:00"), tr.from_lines(BODIES, tz="+0200"))
    assert "02:30:00 to 03:30:00 +02:00" in str(same.count(by="time").collect())


def test_the_command_shows_the_zone_only_in_text(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"\n".join(BODIES) + b"\n")

    def printed(*arguments: str) -> str:
        ran = subprocess.run(
            [*COMMAND, *arguments, str(log), "--tz", "Europe/Berlin"],
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    table = printed("top", "--by", "time")
    assert "2 keys, 2015-10-25 02:30:00+02:00 to 02:30:00+01:00 Europe/Berlin\n" in table
    keys = [row.split()[-1] for row in table.splitlines()[2:4]]
    assert keys == ["2015-10-25T02:30:00+02:00", "2015-10-25T02:30:00+01:00"]
    rows = printed("parse", "--fields", "time", "--format", "text")
    assert rows == "2015-10-25T02:30:00+02:00\n2015-10-25T02:30:00+01:00\n"
    utc = ["2015-10-25T00:30:00Z", "2015-10-25T01:30:00Z"]
    for arguments in (
        ("top", "--by", "time", "--format", "jsonl"),
        ("top", "--by", "time", "--format", "csv"),
        ("parse", "--fields", "time", "--format", "jsonl"),
        ("parse", "--fields", "time", "--format", "csv"),
    ):
        text = printed(*arguments)
        assert all(time in text for time in utc)
        assert "+0" not in text
    # Windows are those of UTC, whatever shows them.
    days = printed("top", "--window", "1d")
    assert "2015-10-25 02:00:00+02:00 to 2015-10-26 01:00:00+01:00 Europe/Berlin\n" in days


@pytest.mark.parametrize(
    ("bound", "instant"),
    [
        # The first of the two hours, and a skipped hour shifted forward: 03:30 in summer time.
        ("2015-10-25 02:30", "2015-10-25T00:30"),
        ("2015-10-25 03:00", "2015-10-25T02:00"),
        ("2015-03-29 02:30", "2015-03-29T01:30"),
        ("2015-03-29 03:00", "2015-03-29T01:00"),
        ("2015-10-25", "2015-10-24T22:00"),
        ("2015-10-26", "2015-10-25T23:00"),
    ],
)
def test_bounds_in_a_repeated_or_skipped_hour(bound: str, instant: str):
    shifted = datetime.fromisoformat(bound).replace(tzinfo=BERLIN).astimezone(UTC)
    assert shifted == at(instant)
    times = [at(instant) + timedelta(seconds=seconds) for seconds in (-1, 0, 1)]
    lines = [line("/a", time_text=f"{time:%d/%b/%Y:%H:%M:%S} +0000") for time in times]
    query = tr.from_lines(lines, tz="Europe/Berlin")
    assert query.since(bound).count().collect().start == times[1]
    assert query.until(bound).count().collect().end == times[0]
    for condition, count in ((f"time >= '{bound}'", 2), (f"time < '{bound}'", 1)):
        assert query.where(condition).count().collect().total == count
    local = datetime.fromisoformat(bound)
    unzoned = [line("/a", time_text=f"{local:%d/%b/%Y:%H:%M:%S}")]
    assert tr.from_lines(unzoned, tz="Europe/Berlin").count().collect().start == at(instant)
