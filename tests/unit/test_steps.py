"""Steps that compute a value: intervals against `zoneinfo`, networks against `ipaddress`, hosts."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND
from profiles import examples

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONDAY = datetime(1969, 12, 29)  # noqa: DTZ001 - a local time
SECOND = timedelta(seconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LINE = '{} - - [{}] "GET {} HTTP/1.1" 200 5 "{}" "x"'


def line(host: str = "-", time: str = "-", url: str = "/", referer: str = "-") -> str:
    return LINE.format(host, time, url, referer)


def values(
    lines: list[str],
    *fields: str,
    log_format: str = "combined",
    tz: str | tzinfo | None = None,
) -> Any:  # noqa: ANN401 - values of any field
    """Return the values of fields in each line: of one field as they are, of several as lists."""
    rows = tr.Format(log_format, tz=tz).parse(lines, fields=list(fields))
    assert not rows.rejects
    found = [[row[field] for field in fields] for row in rows.to_dicts()]
    return [row[0] for row in found] if len(fields) == 1 else found


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, check=False, text=True
    )


# --- time:1h --------------------------------------------------------------------------------------


def start_of(time: datetime, length: timedelta, zone: tzinfo) -> datetime:
    """Return the start of the interval that holds a time, by the clock of a zone."""
    local = time.astimezone(zone).replace(tzinfo=None)
    first = MONDAY if length % DAY == timedelta() else MONDAY + 3 * DAY
    begin = local - (local - first) % length
    passes = [begin.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [one for one in passes if one.astimezone(zone).replace(tzinfo=None) == begin]
    if not shown:
        # Skipped: the first instant at which the clock is later.
        low, high = sorted(passes)
        while high - low > SECOND:
            middle = (low + (high - low) // 2).replace(microsecond=0)
            is_later = middle.astimezone(zone).replace(tzinfo=None) > begin
            low, high = (low, middle) if is_later else (middle, high)
        return high if low.astimezone(zone).replace(tzinfo=None) <= begin else low
    if shown[-1] - shown[0] < length:
        return shown[0]
    return max(one for one in shown if one <= time)


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the first seconds at which a zone has another offset, from 2017 to 2024."""
    weeks = [datetime(2017, 1, 1, tzinfo=UTC) + 7 * DAY * week for week in range(8 * 52)]
    for first, last in pairwise(weeks):
        low, high, before = first, last, first.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() == before:
            continue
        while high - low > SECOND:
            middle = (low + (high - low) // 2).replace(microsecond=0)
            is_before = middle.astimezone(zone).utcoffset() == before
            low, high = (middle, high) if is_before else (low, middle)
        yield high


def starts(times: list[datetime], zone: tzinfo | None, *lengths: str) -> list[list[datetime]]:
    seconds = [divmod(time - EPOCH, SECOND) for time in times]
    lines = [f"{whole}.{rest.microseconds:06},x" for whole, rest in seconds]
    fields = [f"time:{length}" for length in lengths]
    found: list[list[datetime]] = values(
        lines, "time", *fields, log_format="csv:time:epoch,x", tz=zone
    )
    assert [row[0] for row in found] == times
    return [row[1:] for row in found]


LENGTHS = {"10s": 10 * SECOND, "15m": HOUR / 4, "1h": HOUR, "6h": 6 * HOUR, "1d": DAY}
LENGTHS |= {"90m": 1.5 * HOUR, "1w": 7 * DAY, "2d": 2 * DAY, "1h30m": 1.5 * HOUR, "7h": 7 * HOUR}


def test_days_and_hours_around_every_change_of_every_zone_are_those_of_zoneinfo():
    lengths = {"1d": DAY, "1h": HOUR, "1w": 7 * DAY, "6h": 6 * HOUR}
    around = [-DAY, -3 * HOUR, -SECOND, timedelta(), SECOND, HOUR, 5400 * SECOND, 4 * HOUR, DAY]
    tried = set()
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        times = [change + step for change in changes(zone) for step in around]
        key = tuple(times)
        if key in tried:
            continue
        tried.add(key)
        found = starts(times, zone, *lengths)
        expected = [[start_of(time, length, zone) for length in lengths.values()] for time in times]
        assert found == expected, name
    assert len(tried) > 50


ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
TIMES = st.datetimes(datetime(1970, 1, 9), datetime(2099, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - local


@given(st.one_of(st.none(), ZONES), st.lists(TIMES, min_size=1, max_size=30))
@examples(60)
def test_an_interval_begins_as_zoneinfo_says(zone: ZoneInfo | None, times: list[datetime]):
    found = starts(times, zone, *LENGTHS)
    expected = [
        [start_of(time, length, zone or UTC) for length in LENGTHS.values()] for time in times
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("zone", "time", "step", "start"),
    [
        # A day of 25 hours, and one of 23.
        ("Europe/Berlin", "2024-10-27T22:59:59Z", "1d", "2024-10-26T22:00:00Z"),
        ("Europe/Berlin", "2024-03-31T21:59:59Z", "1d", "2024-03-30T23:00:00Z"),
        # Both passes of a repeated hour.
        ("Europe/Berlin", "2024-10-27T00:30:00Z", "1h", "2024-10-27T00:00:00Z"),
        ("Europe/Berlin", "2024-10-27T01:30:00Z", "1h", "2024-10-27T01:00:00Z"),
        # Midnight is skipped, and the day begins at 1 o'clock.
        ("America/Sao_Paulo", "2018-11-04T12:00:00Z", "1d", "2018-11-04T03:00:00Z"),
        # Midnight is repeated.
        ("America/Havana", "2023-11-05T05:30:00Z", "1d", "2023-11-05T04:00:00Z"),
        # The zone is half an hour off.
        ("Asia/Kolkata", "2024-01-01T00:00:00Z", "1h", "2023-12-31T23:30:00Z"),
        ("+05:30", "2024-01-01T00:00:00Z", "1d", "2023-12-31T18:30:00Z"),
        ("UTC", "2024-01-07T23:59:59.999999Z", "1w", "2024-01-01T00:00:00Z"),
        (None, "2024-01-08T00:00:00Z", "1w", "2024-01-08T00:00:00Z"),
        (None, "1969-12-31T23:59:59Z", "1d", "1969-12-31T00:00:00Z"),
        (None, "2024-01-01T10:44:59Z", "15m", "2024-01-01T10:30:00Z"),
    ],
)
def test_an_interval_begins_on_the_clock_of_the_zone(
    zone: str | None, time: str, step: str, start: str
):
    (found,) = values([line(time=time)], f"time:{step}", tz=zone)
    assert found == datetime.fromisoformat(start)


# Lines of the same time in every kind of format, each with the name of its time.
SAME_TIME = [
    ("combined", line(time="17/May/2015:12:05:03 +0200"), "time:1h"),
    ("combined", line(time="17/May/2015:12:05:03 +0200"), "timestamp:1h"),
    ("classic", line(host="h", time="17/May/2015:12:05:03 +0200"), "time:1h"),
    ("{time:epoch_ms} {x}", "1431857103123 x", "time:1h"),
    ("{x} {time:time(%d.%m.%Y)} {time:time(%H:%M:%S)}", "x 17.05.2015 10:05:03", "time:1h"),
    ("json", '{"ts": 1431857103, "status": 200}', "time:1h"),
    ("json", '{"created": "2015-05-17T10:05:03Z", "status": 200}', "created:1h"),
    ("json", '{"created": 1431857103, "status": 200}', "created:1h"),
    ("logfmt", "time=2015-05-17T10:05:03Z created=2015-05-17T10:05:03Z", "created:1h"),
    ("ltsv", "time:17/May/2015:12:05:03 +0200\thost:x", "time:1h"),
    ("csv:x,created:iso", "x,2015-05-17T10:05:03Z", "created:1h"),
    ("csv:x,created:epoch_ms", "x,1431857103123", "created:1h"),
    ("csv:x,created", "x,2015-05-17 10:05:03", "created:1h"),
    ("w3c:date,time,c-ip", "2015-05-17 10:05:03 192.0.2.1", "time:1h"),
    ("combined,json", line(time="17/May/2015:12:05:03 +0200"), "time:1h"),
]


@pytest.mark.parametrize(("log_format", "text", "field"), SAME_TIME)
def test_every_time_has_intervals(log_format: str, text: str, field: str):
    (found,) = values([text], field, log_format=log_format)
    # A key of a line that may have any value is text.
    assert found in {datetime(2015, 5, 17, 10, tzinfo=UTC), "2015-05-17T10:00:00Z"}


def test_lines_of_several_times_have_the_interval_of_their_own():
    lines = [f"{at},{at + 3_599}" for at in range(0, 20_000, 700)] * 2
    found = values(lines, "a:1h", "b:1h", "a:1d", log_format="csv:a:epoch,b:epoch")
    hour = [[EPOCH + at // 3600 * HOUR for at in map(int, text.split(","))] for text in lines]
    assert found == [[*row, EPOCH] for row in hour]


# --- host:/24 -------------------------------------------------------------------------------------


def network_of(text: str, bits: int) -> str | None:
    """Return the network, which `ipaddress` writes like RFC 5952."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bits = min(bits, address.max_prefixlen)
    return str(ipaddress.ip_network(f"{str(address).partition('%')[0]}/{bits}", strict=False))


ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.ip_addresses(v=6, network="2001:db8::/96").map(str),
    st.ip_addresses(v=6, network="fe80::/10").map(lambda address: f"{address}%eth0"),
)


@given(st.lists(st.tuples(ADDRESSES, st.integers(1, 128)), min_size=1, max_size=40))
@examples(100)
def test_a_network_is_that_of_ipaddress(addresses: list[tuple[str, int]]):
    for written in ("{}", "[{}]:443", "[{}]"):
        for text, bits in addresses:
            found = values([f"{written.format(text)},x"], f"a:/{bits}", log_format="csv:a:text,x")
            is_plain = written == "{}" or ":" in text
            assert found == [network_of(text, bits) if is_plain else None], text


def test_a_network_of_every_field_of_addresses():
    lines = [
        '{"host":"192.0.2.1","upstream":"[2001:db8::1]:80","xff":"198.51.100.7","peer":"::1"}',
        '{"host":"web-1","upstream":"unix:/x.sock","xff":"1.2.3.4, 5.6.7.8","peer":17}',
        '{"host":"192.0.2.9:5000","upstream":"10.0.0.1:80, 10.0.0.2:80","peer":{"a":"1.2.3.4"}}',
    ]
    fields = ["host:/24", "upstream:/32", "xff:/16", "peer:/64", "peer.a:/8"]
    assert values(lines, *fields, log_format="json") == [
        ["192.0.2.0/24", "2001:db8::/32", "198.51.0.0/16", "::/64", None],
        [None] * 5,
        ["192.0.2.0/24", None, None, None, "1.0.0.0/8"],
    ]


# --- referer:host ---------------------------------------------------------------------------------

PARTS = st.text("aZ.-:/?#%1\u00e9x", max_size=12)
URLS = st.builds(
    lambda scheme, user, host, rest: f"{scheme}{user}{host}{rest}",
    st.sampled_from(["http://", "HTTPS://", "//", "android-app://", "", "mailto:", "x:/", "/"]),
    st.sampled_from(["", "joe@", "joe:secret@", "a@b@"]),
    st.sampled_from(
        ["example.com", "Example.COM:8080", "[2001:DB8::1]:80", "192.0.2.1", "a.b.", "[x]", "[", ""]
    ),
    st.one_of(st.just(""), PARTS.map("/".__add__), PARTS.map("?".__add__), PARTS),
)


def host_of(url: str) -> str | None:
    """Return the host as `urllib` finds it, of what is a URL with a host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    is_absolute = url.startswith("//") or (parts.scheme and f"{parts.scheme}://" in url.lower())
    return (host or "").lower().removesuffix(".") or None if is_absolute else None


@given(st.lists(URLS, min_size=1, max_size=50))
@examples(300)
def test_a_host_is_that_of_urllib(urls: list[str]):
    lines = [json.dumps({"referer": url, "n": 1}) for url in urls]
    found = values(lines, "referer:host", log_format="json")
    assert dict(zip(urls, found, strict=True)) == {url: host_of(url) for url in urls}


def test_the_host_of_every_field_of_urls():
    text = line(url="http://a.example/x", referer="android-app://com.example.app/")
    assert values([text, line()], "url:host", "referer:host", "referrer:host") == [
        ["a.example", "com.example.app", "com.example.app"],
        [None, None, None],
    ]
    rows = ['{"link":"https://B.example:1/","n":1}', '{"link":"/a","n":1}', '{"link":5,"n":1}']
    assert values(rows, "link:host", log_format="json") == ["b.example", None, None]


def test_steps_follow_each_other():
    text = line(url="/a%20b/c/d?e", referer="http://[2001:db8::1]:80/x/y?z")
    fields = ["referer:host:/32", "url:path:2", "referer:path:1", "url:noquery:decode", "url:query"]
    expected = ["2001:db8::/32", "/a%20b/c", "/x", "/a b/c/d", "e"]
    assert values([text], *fields) == [expected]


# --- names ----------------------------------------------------------------------------------------


def test_a_key_that_is_written_like_a_step_comes_first():
    lines = ['{"load:1m":0.5,"peer:host":"x"}', '{"peer":"http://a.example/","load":1431857103}']
    assert values(lines, "load:1m", "peer:host", log_format="json") == [
        [0.5, "x"],
        ["2015-05-17T10:05:00Z", "a.example"],
    ]
    assert values(["u=/a?b u:noquery=c", "u=/a?b"], "u:noquery", log_format="logfmt") == ["c", "/a"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("url:foo", "unknown step 'foo' of url; known: path, query, noquery, a number of segments"),
        ("url:noqury", "did you mean 'noquery'?"),
        ("referer:hots", "did you mean 'host'?"),
        ("time:x", "unknown step 'x' of time; known: a duration such as 1h"),
        ("time:1x", "unknown step '1x' of time: expected a unit such as ms, s, m, h"),
        ("time:1M", "unknown step '1M' of time: expected m for minutes, found M"),
        ("time:0s", "unknown step '0s' of time"),
        ("time:-1h", "unknown step '-1h' of time"),
        ("time:200y", "unknown step '200y' of time"),
        ("time:99999d", "unknown step '99999d' of time"),
        ("time:", "unknown step '' of time"),
        ("host:/0", "unknown step '/0' of host; known: path,"),
        ("host:/129", "a network from /1 to /128"),
        ("host:/x", "unknown step '/x' of host"),
        ("status:/24", "step '/24' applies to addresses, as in host:/24, not to status; status "),
        ("agent:host", "step 'host' applies to URLs, as in referer:host, not to agent; known: "),
        ("url:1h", "step '1h' applies to times, as in time:1h, not to url; known: path,"),
        ("time:path", "step 'path' applies to text, as in referer:path, not to time; known: a "),
        ("time:1h:1d", "step '1d' applies to times, as in time:1h, not to time:1h"),
        ("referer:host:path", "not to referer:host; known: a network from /1 to /128"),
        ("statsu:1h", "no field 'statsu:1h'"),
    ],
)
@pytest.mark.parametrize("log_format", ["combined", "auto"])
def test_a_step_that_a_field_cannot_have_is_an_error(field: str, message: str, log_format: str):
    ran = run("top", "--log-format", log_format, "--by", field, stdin=line() + "\n")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_conditions_take_steps():
    lines = [
        line(host, f"17/May/2015:{hour}:05:03 +0000", referer=f"http://{host}/")
        for host in ("192.0.2.1", "198.51.100.1")
        for hour in (10, 11)
    ]
    log = "\n".join(lines) + "\n"
    for condition, count in [
        ("time:1h == 2015-05-17T10:00Z", 2),
        ("time:1h > 2015-05-17T10:00Z", 2),
        ("host:/24 == 192.0.2.0/24", 2),
        ("`host:/24` == '192.0.2.0/24' and time:1d == 2015-05-17", 2),
        ("referer:host in (192.0.2.1, x)", 2),
        ("referer:host == null", 0),
    ]:
        ran = run("parse", "--where", condition, stdin=log)
        assert ran.stdout.count("\n") == count, condition
    ran = run("top", "--by", "time:1h", "--tz", "Asia/Kolkata", "--format", "jsonl", stdin=log)
    assert [(row["time:1h"], row["count"]) for row in json.loads(ran.stdout)["rows"]] == [
        ("2015-05-17T09:30:00Z", 2),
        ("2015-05-17T10:30:00Z", 2),
    ]


# --- time:1h as the only key ----------------------------------------------------------------------


def times_log(count: int = 40) -> str:
    """Return lines of different hours, the latest hours first, with ever more lines."""
    start = datetime(2015, 5, 17, 10, 5, tzinfo=UTC)
    hours = [start - HOUR * hour for hour in range(count) for _ in range(hour % 3 + 1)]
    return "".join(line("h", f"{hour:%d/%b/%Y:%H:%M:%S} +0000") + "\n" for hour in hours)


def test_a_table_over_time_has_every_row_in_the_order_of_time():
    log = times_log()
    counts = Counter(text.partition("[")[2][:14] for text in log.splitlines())
    ran = run("top", "--by", "time:1h", "--format", "jsonl", stdin=log)
    rows = json.loads(ran.stdout)["rows"]
    assert [row["count"] for row in rows] == list(reversed(counts.values()))
    times = [row["time:1h"] for row in rows]
    assert times == sorted(times)
    assert len(times) == len(counts) == 40
    few = run("top", "--by", "time:1h", "-n", "3", "--format", "jsonl", stdin=log)
    assert json.loads(few.stdout)["rows"] == rows[:3]


def test_in_the_library_an_interval_is_a_key_as_any():
    snapshot = tr.from_lines(times_log().splitlines()).count(by=["time:1d", "status"]).collect()
    days = {
        datetime(2015, 5, day, tzinfo=UTC): count for day, count in ((15, 10), (16, 48), (17, 21))
    }
    assert {row["time:1d"]: row["count"] for row in snapshot.rows} == days
