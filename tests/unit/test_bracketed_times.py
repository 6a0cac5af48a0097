"""
Times between the brackets of an access log, in the forms that servers write.

Each row of `READ` has a form that a report or a manual shows, and where. The lines around the times
are made up. The oracle is `datetime`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from profiles import examples

import tailrace as tr
from tailrace import _core

# source, time as it is written, the instant in UTC
READ = [
    # ISO 8601 in brackets
    ("specimen", "2024-02-05T11:56:17+00:00", "2024-02-05T11:56:17"),
    (
        "github.com/allinurl/goaccess/issues/1066",
        "2019-07-31T06:33:06+00:00",
        "2019-07-31T06:33:06",
    ),
    ("…/goaccess/issues/2451", "2023-01-31T00:00:02.146+00:00", "2023-01-31T00:00:02.146"),
    ("…/goaccess/issues/2528 (Gerrit)", "2023-06-11T00:00:00.061+02:00", "2023-06-10T22:00:00.061"),
    ("specimen", "2015-05-20 12:53:11.139981", "2015-05-20T12:53:11.139981"),
    (
        "github.com/circus-tent/chaussette/pull/44 (gevent)",
        "2013-11-19 12:08:00",
        "2013-11-19T12:08:00",
    ),
    ("…/goaccess/issues/2008", "2021-01-27 00:00:06.929 +0300", "2021-01-26T21:00:06.929"),
    ("…/goaccess/issues/1638", "2019-12-22 00:02:19,397", "2019-12-22T00:02:19.397"),
    ("github.com/unbit/uwsgi/issues/610", "20140430T074622+0200", "2014-04-30T05:46:22"),
    ("…/goaccess/issues/604", "20161227210131", "2016-12-27T21:01:31"),
    ("…/goaccess/issues/1509", "2019/07/22 15:16:23", "2019-07-22T15:16:23"),
    ("github.com/e2guardian/e2guardian/issues/354", "2018.3.8 9:59:20", "2018-03-08T09:59:20"),
    ("pkg.go.dev/time#Time.String", "2009-11-10 23:00:00.5 +0000 UTC", "2009-11-10T23:00:00.5"),
    # a blank for the colon after the date
    ("specimen (Python's http.server, Werkzeug)", "05/Feb/2024 11:56:17", "2024-02-05T11:56:17"),
    ("github.com/rack/rack/issues/550", "01/May/2013 00:00:01", "2013-05-01T00:00:01"),
    ("github.com/torquebox/torquebox/pull/110", "17/Nov/2012 21:11:44", "2012-11-17T21:11:44"),
    (
        "github.com/albozes/shotbuddy/issues/1 (Werkzeug)",
        "20/Jul/2025 20:35:43",
        "2025-07-20T20:35:43",
    ),
    # no zone
    ("specimen (CherryPy)", "21/Jun/2012:23:49:36", "2012-06-21T23:49:36"),
    ("github.com/benoitc/gunicorn/issues/683", "09/Jan/2014:00:02:08", "2014-01-09T00:02:08"),
    ("github.com/dmwm/CRABServer/issues/7181", "06/Mar/2022:22:50:49", "2022-03-06T22:50:49"),
    ("…/goaccess/issues/2399", "22/Sep/2022:07:00:38", "2022-09-22T07:00:38"),
    ("made up: strftime's %z of a naive datetime", "21/Jun/2012:23:49:36 ", "2012-06-21T23:49:36"),
    # fractions
    ("specimen (Apache, msec_frac)", "08/Aug/2016:08:49:16.123 +0000", "2016-08-08T08:49:16.123"),
    (
        "github.com/jtmoon79/super-speedy-syslog-searcher/issues/82 (Tomcat)",
        "14/Feb/2023 14:30:20.483 +0000",
        "2023-02-14T14:30:20.483",
    ),
    ("as above, two digits", "14/Feb/2023 14:30:21.44 +0000", "2023-02-14T14:30:21.44"),
    (
        "httpd.apache.org, %{%d/%b/%Y:%T}t.%{usec_frac}t",
        "08/Aug/2016:08:49:16.123456",
        "2016-08-08T08:49:16.123456",
    ),
    (
        "httpd.apache.org, %{%d/%b/%Y:%T %z}t.%{msec_frac}t",
        "08/Aug/2016:08:49:16 +0200.123",
        "2016-08-08T06:49:16.123",
    ),
    # padded with blanks, or not at all
    ("specimen", "04/Jun/2021: 6:07:15 +0000", "2021-06-04T06:07:15"),
    ("made up: %e/%b/%Y:%k:%M:%S", " 4/Jun/2021: 6:07:15 +0000", "2021-06-04T06:07:15"),
    ("made up", "4/Jun/2021:6:07:15 +0000", "2021-06-04T06:07:15"),
    # numbers since the epoch
    ("specimen", "1470646156.123", "2016-08-08T08:49:16.123"),
    ("…/goaccess/issues/1728", "1583916406", "2020-03-11T08:46:46"),
    ("…/goaccess/issues/238 (nginx, $msec)", "1427761920.280", "2015-03-31T00:32:00.28"),
    ("…/goaccess/issues/1983", "1609009529084", "2020-12-26T19:05:29.084"),
    ("…/goaccess/issues/259", "1435673425692000", "2015-06-30T14:10:25.692"),
    ("made up: Go's UnixNano", "1435673425692000123", "2015-06-30T14:10:25.692"),
    # letters of UTC
    (
        "rubyapi.org/2.5/o/webrick/accesslog (CLF_TIME_FORMAT)",
        "05/Feb/2024:11:56:17 UTC",
        "2024-02-05T11:56:17",
    ),
    ("as above, in London's winter", "05/Feb/2024:11:56:17 GMT", "2024-02-05T11:56:17"),
    ("specimen", "05/Feb/2024:11:56:17 Z", "2024-02-05T11:56:17"),
    ("made up", "05/Feb/2024:11:56:17 UT", "2024-02-05T11:56:17"),
    ("php.net, error_log", "05-Feb-2024 11:56:17 UTC", "2024-02-05T11:56:17"),
    # with the names of days
    ("…/goaccess/issues/386 (uWSGI)", "Sun Mar  6 22:56:30 2016", "2016-03-06T22:56:30"),
    ("…/goaccess/issues/2424 (uWSGI)", "Mon Nov 28 06:41:16 2022", "2022-11-28T06:41:16"),
    (
        "github.com/mdom/dategrep/issues/21 (Apache)",
        "Mon Jul 06 06:45:16.915695 2015",
        "2015-07-06T06:45:16.915695",
    ),
    ("github.com/crowdsecurity/hub/issues/526", "Mon Aug  8 10:01:37 2022", "2022-08-08T10:01:37"),
    (
        "github.com/apache/incubator-pagespeed-mod/issues/448",
        "Mon, 04 Jun 2012 10:34:43.480897 GMT",
        "2012-06-04T10:34:43.480897",
    ),
    (
        "github.com/expressjs/morgan, :date[web]",
        "Mon, 05 Feb 2024 11:56:17 GMT",
        "2024-02-05T11:56:17",
    ),
    ("RFC 9110, 5.6.7", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37"),
    ("RFC 9110, 5.6.7", "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37"),
    (
        "github.com/elastic/elasticsearch/issues/16486",
        "Thursday January 28, 2016 05:19:43 UTC",
        "2016-01-28T05:19:43",
    ),
    (
        "ECMA-262, Date.prototype.toString",
        "Mon Feb 05 2024 12:56:17 GMT+0100 (Central European Standard Time)",
        "2024-02-05T11:56:17",
    ),
]

# Texts that no one can read for certain, or that are no times.
UNREADABLE = [
    ("letters of another zone", "05/Feb/2024:11:56:17 PST"),
    ("letters of another zone", "05/Jul/2024:11:56:17 CEST"),
    ("letters of another zone", "Mon Jun  4 13:34:59 EEST 2012"),
    ("github.com/tmuras/moosh/pull/162 (PHP)", "28-Jul-2016 13:54:36 Europe/Paris"),
    ("github.com/cherokee/webserver/issues/433", "31/Mar/2009:14:15:37 --500"),
    ("github.com/unbit/uwsgi/issues/610", "30/avril/2014:07:45:31 +0200"),
    ("…/goaccess/issues/1212: day or month first?", "21/07/2018:07:02:42 +0000"),
    ("made up: half a day", "05/Feb/2024:11:56:17 PM"),
    ("no year", "Jun  3 09:03:13"),
    ("no time of day", "2024-02-05"),
    ("a duration", "0.003"),
    ("a process", "136474"),
    ("too short for seconds", "147064615"),
    ("no such day", "30/Feb/2024:11:56:17 +0000"),
    ("no such month", "2024-13-05T11:56:17"),
    ("no such hour", "05/Feb/2024 24:56:17"),
    ("text", "hello"),
]

CLF = re.compile(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]")


def _named() -> dict[str, str]:
    """Return the formats whose time is in brackets, each with a line that has a gap for it."""
    found = {}
    for name in _core.FORMATS:
        about = _core.describe_format(name)
        line = "" if about is None else about[1].splitlines()[-1]
        if len(CLF.findall(line)) == 1:
            found[name] = CLF.sub("[{}]", line.replace("{", "{{").replace("}", "}}"))
    return found


NAMED = _named()

LINE = '192.0.2.1 - - [{}] "GET /a HTTP/1.1" 200 5 "-" "x"'

PASTED = {
    '$remote_addr - $remote_user [$time_local] "$request" $status': LINE.partition(" 5")[0],
    r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" x': LINE,
    '%h %^[%d:%t %^] "%r" %s %b': LINE,
    '{host} - {user} [{time}] "{request}" {status} {size}{...}': LINE,
    "[{time}] {status}": "[{}] 200",
    '$status [$time_local] "$request"': '200 [{}] "GET / HTTP/1.1"',
}


def read(log_format: str, line: str, tz: str | None = None) -> datetime | None:
    """Return the time of a line, which has to match the format."""
    batch = tr.Format(log_format, tz=tz).parse(line.encode() + b"\n", fields=["time"])
    (row,) = batch.to_dicts()
    time: datetime | None = row["time"]
    return time


def in_utc(text: str) -> datetime:
    """Return the instant of an ISO text without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_formats_with_a_time_in_brackets_are_these():
    expected = {"k8s-ingress", "traefik", "combinedio", "main-rt", "main-timed", "combined-timed"}
    expected |= {"main", "vhost_combined", "s3", "common", "combined", "classic"}

    assert expected <= {*NAMED}


@pytest.mark.parametrize(("source", "text", "expected"), READ)
def test_every_form_is_read_in_every_format(source: str, text: str, expected: str):
    for name, line in (NAMED | PASTED).items():
        if name == "classic":
            continue

        assert read(name, line.format(text)) == in_utc(expected), (source, name)


@pytest.mark.parametrize(("source", "text", "expected"), READ)
def test_every_form_places_a_line_in_a_window(source: str, text: str, expected: str):
    moment = in_utc(expected)
    for name in ("combined", "classic"):
        query = tr.from_lines([LINE.format(text)], format=name).window("1s").count()
        snapshot = query.last()

        assert snapshot.start <= moment < snapshot.end, (source, name)
        assert snapshot.total == 1


@pytest.mark.parametrize(("source", "text"), UNREADABLE)
def test_what_cannot_be_read_is_null_and_counted(source: str, text: str):
    for name, line in (NAMED | PASTED).items():
        # In LTSV the label says that it is a time.
        if name in {"classic", "ltsv"}:
            continue

        assert read(name, line.format(text)) is None, (source, name)
    query = tr.from_lines([LINE.format(text)], format="combined").since("1970-01-01").count()

    assert query.collect().lines["rejected"] == {"no-time": 1}


@pytest.mark.parametrize(
    ("tz", "text", "expected"),
    [
        ("Europe/Berlin", "05/Feb/2024:11:56:17 CET", "2024-02-05T10:56:17"),
        ("Europe/Berlin", "05/Jul/2024:11:56:17 CEST", "2024-07-05T09:56:17"),
        ("Europe/Berlin", "Fri Jul 05 11:56:17 CEST 2024", "2024-07-05T09:56:17"),
        ("Europe/Paris", "28-Jul-2016 13:54:36 Europe/Paris", "2016-07-28T11:54:36"),
        ("America/Los_Angeles", "2024-02-05 11:56:17 PST", "2024-02-05T19:56:17"),
        # Clocks are turned back: the letters say which of the two.
        ("Europe/Berlin", "27/Oct/2024:02:30:00 CEST", "2024-10-27T00:30:00"),
        ("Europe/Berlin", "27/Oct/2024:02:30:00 CET", "2024-10-27T01:30:00"),
        # Not in use at that time, or not in that zone.
        ("Europe/Berlin", "05/Jul/2024:11:56:17 CET", None),
        ("Europe/Berlin", "05/Feb/2024:11:56:17 PST", None),
        ("Europe/Berlin", "28-Jul-2016 13:54:36 Europe/Paris", None),
        # A zone in the text counts, whatever is given.
        ("Europe/Berlin", "05/Feb/2024:11:56:17 +0000", "2024-02-05T11:56:17"),
        ("Europe/Berlin", "05/Feb/2024:11:56:17 GMT", "2024-02-05T11:56:17"),
        ("Europe/Berlin", "1470646156.123", "2016-08-08T08:49:16.123"),
        ("+05:30", "05/Feb/2024 11:56:17", "2024-02-05T06:26:17"),
        ("-0330", "05/Feb/2024 11:56:17", "2024-02-05T15:26:17"),
        ("UTC", "05/Feb/2024 11:56:17", "2024-02-05T11:56:17"),
    ],
)
def test_a_given_zone_reads_its_letters_and_times_without_a_zone(
    tz: str, text: str, expected: str | None
):
    for name in ("combined", "main", "vhost_combined"):
        moment = None if expected is None else in_utc(expected)

        assert read(name, NAMED[name].format(text), tz) == moment


# --- every form of random times -------------------------------------------------------------------

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

DATES = [
    "{d:02}/{b}/{y}:",
    "{d:02}/{b}/{y} ",
    "{d:2}/{b}/{y}:",
    "{d}/{b}/{y}:",
    "{y}-{m:02}-{d:02}T",
    "{y}-{m:02}-{d:02} ",
    "{y}/{m:02}/{d:02} ",
    "{d:02}-{b}-{y} ",
    "{a}, {d:02} {b} {y} ",
    "{y}{m:02}{d:02}T",
]
CLOCKS = ["{H:02}:{M:02}:{S:02}", "{H:2}:{M:02}:{S:02}", "{H}:{M:02}:{S:02}"]
FRACTIONS = ["", ".{ms:03}", ".{us:06}", ",{ms:03}", ".{us:06}789"]
ZONES = ["", "Z", " UTC", " GMT", "{z}", " {z}", "{zc}", " {zc}"]


@st.composite
def written(draw: st.DrawFn) -> tuple[str, datetime]:
    """Return a time in one of the forms, and its instant."""
    zone = timezone(timedelta(minutes=draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))))
    form = "".join(draw(st.sampled_from(parts)) for parts in (DATES, CLOCKS, FRACTIONS, ZONES))
    if "z" not in form:
        zone = timezone.utc  # noqa: UP017 - beside the others
    moment = draw(
        st.datetimes(datetime(1700, 1, 1), datetime(2240, 1, 1))  # noqa: DTZ001 - below
    ).replace(tzinfo=zone)
    if "us" not in form:
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if "us" not in form and "ms" not in form:
        moment = moment.replace(microsecond=0)
    text = form.format(
        d=moment.day,
        b=MONTHS[moment.month - 1],
        m=moment.month,
        y=moment.year,
        a=DAYS[moment.weekday()],
        H=moment.hour,
        M=moment.minute,
        S=moment.second,
        ms=moment.microsecond // 1000,
        us=moment.microsecond,
        z=moment.strftime("%z"),
        zc=moment.isoformat()[-6:],
    )
    return text, moment


@given(written())
@example(("1/Jan/1970:0:00:00", datetime(1970, 1, 1, tzinfo=UTC)))
@examples(1_000)
def test_a_time_in_any_form_is_read_as_it_was_written(time: tuple[str, datetime]):
    text, moment = time

    assert read("common", f'192.0.2.1 - - [{text}] "GET /a HTTP/1.1" 200 5') == moment


def test_a_form_depends_on_its_own_line_alone():
    """Chunks and threads read other lines before it."""
    texts = [text for _, text, _ in READ] + [text for _, text in UNREADABLE]
    lines = [LINE.format(text) for text in texts]
    alone = [read("combined", line) for line in lines]
    table = tr.Format("combined").parse("\n".join(lines + lines[::-1]).encode(), fields=["time"])

    assert [row["time"] for row in table.to_dicts()] == alone + alone[::-1]
