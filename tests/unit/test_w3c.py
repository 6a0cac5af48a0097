"""
W3C extended logs: days from headers, quoted times, units of durations, columns without a header.

The text of each log is made up in the form that its source shows.
"""

from pathlib import Path
from typing import Any

import pytest

import tailrace as tr

IIS = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"


def rows(
    text: str, log_format: str = "w3c", fields: list[str] | None = None
) -> list[dict[str, Any]]:
    found = tr.Format(log_format).parse(text.encode(), fields=fields)
    assert not found.rejects
    return [
        {name: at.isoformat() if name == "time" and at else at for name, at in row.items()}
        for row in found.to_dicts()
    ]


def times(text: str) -> list[str | None]:
    return [row["time"] for row in rows(text, fields=["time"])]


# A name with its source, the text, and the times of its lines.
DAYS: list[tuple[str, str, list[str | None]]] = [
    (
        "IIS 5 with its default columns (kbarchive, figure of sqlmag.com 15835)",
        (
            "#Date: 2000-03-12 15:50:11\n#Fields: time c-ip cs-method cs-uri-stem sc-status\n"
            "15:50:11 192.0.2.1 GET /iisstart.asp 200\n"
        ),
        ["2000-03-12T15:50:11+00:00"],
    ),
    (
        "the example of the W3C's draft, whose date has letters (w3.org/TR/WD-logfile)",
        (
            "#Version: 1.0\n#Date: 12-Jan-1996 00:00:00\n#Fields: time cs-method cs-uri\n"
            "00:34:23 GET /foo/bar.html\n12:57:34 GET /foo/bar.html\n"
        ),
        ["1996-01-12T00:34:23+00:00", "1996-01-12T12:57:34+00:00"],
    ),
    (
        "a date alone, after the columns (NewLifeX/X, NewLife.Core/Log/Logger.cs)",
        "#Fields: Time Message\n#Date: 2022-01-05\n10:00:00.123 a\n",
        ["2022-01-05T10:00:00.123000+00:00"],
    ),
    (
        "a date that Java writes (SensorServer, found by its header)",
        "#Date: Mon Feb 05 10:00:00 GMT 2024\n#Fields: time level\n10:00:01 x\n",
        ["2024-02-05T10:00:01+00:00"],
    ),
    (
        "a date that cannot be read (Cherokee, logger_w3c.c writes `%d02-%s-%4d`)",
        (
            "#Version 1.0\n#Date: 502-Feb-2024 10:00:00\n#Fields: time cs-method cs-uri\n"
            "10:00:01 GET /\n"
        ),
        [None],
    ),
    ("no date at all (made up)", "#Fields: time c-ip\n10:00:01 ::1\n", [None]),
    (
        "the newest date before a line, as IIS writes a header at each start (made up)",
        (
            "#Date: 2024-02-05 10:00:00\n#Fields: time c-ip\n10:00:01 a\n"
            "#Date: 2024-02-07 09:00:00\n09:00:01 b\n"
        ),
        ["2024-02-05T10:00:01+00:00", "2024-02-07T09:00:01+00:00"],
    ),
    (
        "past midnight, with two lines out of order (made up)",
        (
            "#Date: 2024-02-28 23:59:00\n#Fields: time c-ip\n23:59:59 a\n00:00:00 b\n23:59:59 c\n"
            "00:00:02 d\n00:00:01 e\n"
        ),
        [
            "2024-02-28T23:59:59+00:00",
            "2024-02-29T00:00:00+00:00",
            "2024-02-28T23:59:59+00:00",
            "2024-02-29T00:00:02+00:00",
            "2024-02-29T00:00:01+00:00",
        ],
    ),
    (
        "a time that is neither out of order nor certainly the next day (made up)",
        (
            "#Date: 2024-02-05 10:00:00\n#Fields: time c-ip\n10:00:00 a\n07:00:00 b\n12:00:00 c\n"
            "#Date: 2024-02-06 13:00:00\n13:00:00 d\n"
        ),
        ["2024-02-05T10:00:00+00:00", None, None, "2024-02-06T13:00:00+00:00"],
    ),
    (
        "a date column, which no header replaces (made up)",
        "#Date: 2024-02-07 00:00:00\n#Fields: date time\n2024-02-05 11:56:17\n",
        ["2024-02-05T11:56:17+00:00"],
    ),
    (
        "quotes around each",
        '#Fields: date time\n"2024-02-05" "11:56:17"\n',
        ["2024-02-05T11:56:17+00:00"],
    ),
    (
        "quotes around both",
        '#Fields: date time\n"2024-02-05 11:56:17"\n',
        ["2024-02-05T11:56:17+00:00"],
    ),
    (
        "milliseconds, in quotes or not",
        '#Fields: date time x\n"2024-02-05 11:56:17.250" "a b"\n2024-02-05 11:56:17.250 a\n',
        ["2024-02-05T11:56:17.250000+00:00"] * 2,
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in DAYS], ids=[c[0] for c in DAYS]
)
def test_the_day_of_a_line(text: str, expected: list[str | None]) -> None:
    """It is that of its own date, or of the newest header and the lines since."""
    assert times(text) == expected
    assert times(text.replace("\n", "\r\n")) == expected


# A name with its source, the header, the text of time-taken, and the seconds.
UNITS = [
    (
        "IIS (learn.microsoft.com, W3C Extended Log File Format)",
        IIS + "#Fields: time-taken",
        "15",
        0.015,
    ),
    (
        "HTTP.sys (learn.microsoft.com, W3C logging)",
        "#Software: Microsoft HTTP API 2.0\n#Fields: time-taken",
        "1500",
        1.5,
    ),
    ("ProxySG (SGOS, Access Logging)", "#Software: SGOS 6.7.4.1\n#Fields: time-taken", "64", 0.064),
    (
        "Tomcat writes its name after the columns (ExtendedAccessLogValve.open)",
        "#Fields: time-taken\n#Version: 2.0\n#Software: Apache Tomcat/10.1.18",
        "0.015",
        0.015,
    ),
    ("Tomcat, whole seconds", "#Fields: time-taken\n#Software: Apache Tomcat/9.0.85", "2", 2.0),
    (
        "Tomcat, before the columns",
        "#Software: Apache Tomcat/9.0.85\n#Fields: time-taken",
        "2",
        2.0,
    ),
    (
        "Tomcat 11 (TestExtendedAccessLogValve)",
        "#Fields: time-taken-us\n#Software: Apache Tomcat/11.0.2",
        "15000",
        0.015,
    ),
    (
        "CloudFront (standard logging reference)",
        "#Fields: x-edge-location\ttime-taken",
        "LAX1\t0.001",
        0.001,
    ),
    ("WebLogic follows the draft and names no software", "#Fields: time-taken", "0.016", 0.016),
    ("no software, an integer: as IIS", "#Fields: time-taken", "16", 0.016),
    ("missing", "#Fields: time-taken", "-", None),
]


@pytest.mark.parametrize(
    ("header", "text", "seconds"), [c[1:] for c in UNITS], ids=[c[0] for c in UNITS]
)
def test_the_unit_of_time_taken(header: str, text: str, seconds: float | None) -> None:
    """It is that of the software, or shown by a decimal point."""
    (row,) = rows(f"{header}\n{text}\n", fields=["request_time"])
    assert row["request_time"] == seconds


def test_columns_of_lines_without_a_header() -> None:
    """They are given by name; a header among the lines names others."""
    spec = "w3c:date,time,c-ip,cs-uri-stem,sc-status,time-taken"
    line = "2024-02-05 11:56:17 192.0.2.1 /a 200 15\n"
    expected = {
        "time": "2024-02-05T11:56:17+00:00",
        "host": "192.0.2.1",
        "url": "/a",
        "path": "/a",
        "status": 200,
        "request_time": 0.015,
    }
    assert rows(line, spec) == [expected]
    assert rows(line, spec.replace(",", " ")) == [expected]
    assert rows(line, spec + ":s")[0]["request_time"] == 15
    assert rows(line + "#Fields: c-ip\n192.0.2.2\n", spec, fields=["host"])[1] == {
        "host": "192.0.2.2"
    }
    assert tr.Format(spec).parse(b"a b\n").rejects[0].expected == "as many columns as in #Fields"
    with pytest.raises(ValueError, match="unknown type 'integer'"):
        tr.Format("w3c:time,x:integer")


def test_the_day_does_not_depend_on_chunks_or_threads(tmp_path: Path) -> None:
    """A day is carried from chunk to chunk."""
    log = tmp_path / "week.log"
    lines = [
        f"{hour:02}:{minute:02}:{second:02} 192.0.2.1 {'x' * 40}\n"
        for _day in range(3)
        for hour in range(24)
        for minute in range(60)
        for second in range(0, 60, 5)
    ]
    log.write_text("#Date: 2024-02-28 00:00:00\n#Fields: time c-ip x\n" + "".join(lines))
    assert log.stat().st_size > 2 * 1024 * 1024
    query = tr.from_files(str(log), format="w3c").window("1d", every="1d").count(by="host")
    for jobs in 1, 3:
        found = [(snapshot.end.day, snapshot.total) for snapshot in query.run(jobs=jobs)]
        assert found == [(29, 17280), (1, 17280), (2, 17280)]
