"""
CSV: a header is recognised beside given columns, and values have types.

The cases are made up after what other readers of CSV do and were asked for.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from live import COMMAND

import tailrace as tr

DATA = b"2026-11-06T10:00:01Z,cellar,11.5\n2026-11-06T10:00:02Z,roof,-3\n"
COLUMNS = "time,device,temperature"


def parsed(data: bytes, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of the command, and its last message."""
    ran = subprocess.run(
        [*COMMAND, "parse", *arguments], input=data, capture_output=True, timeout=60, check=True
    )
    rows = [json.loads(row) for row in ran.stdout.splitlines()]
    return rows, ran.stderr.decode().splitlines()[-1]


ROWS = [
    {"time": "2026-11-06T10:00:01Z", "device": "cellar", "temperature": 11.5},
    {"time": "2026-11-06T10:00:02Z", "device": "roof", "temperature": -3},
]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"time,device,temperature\n",
        b"TIME,Device,Temperature\n",
        b'"time","device","temperature"\n',
        b"time, device ,temperature\r\n",
        b"\xef\xbb\xbftime,device,temperature\n",
        b"\n\ntime,device,temperature\n",
    ],
)
@pytest.mark.parametrize("typed", ["", ":float"])
def test_a_header_beside_given_columns_is_no_line_of_the_log(header: bytes, typed: str) -> None:
    rows, message = parsed(header + DATA, "--columns", COLUMNS + typed)
    assert rows == ROWS
    blank = header.startswith(b"\n")
    counts = "4 lines: 2 counted, 2 rejected (2 no-match)" if blank else "2 lines: 2 counted"
    assert message == f"tailrace: {counts}"


@pytest.mark.parametrize("log_format", ["csv", f"csv:{COLUMNS}"])
def test_a_header_is_in_no_counter_of_the_library(log_format: str) -> None:
    text = COLUMNS.encode() + b"\n" + DATA + COLUMNS.encode() + b"\n"
    lines = text.decode().splitlines()
    counts = tr.from_lines(lines, format=log_format).count(by="device").collect().lines
    assert counts == {"fed": 2, "counted": 2, "late": 0, "filtered": 0, "rejected": {}}
    batch = tr.Format(log_format).parse(text)
    assert (len(batch), batch.filtered) == (2, 0)


def test_rejected_lines_have_the_numbers_of_the_file(tmp_path: Path) -> None:
    log, rejects = tmp_path / "x.csv", tmp_path / "rejects"
    log.write_text("a,b\n1,2\n3\n")
    parsed(b"", str(log), "--log-format", "csv", "--rejects", str(rejects))
    assert rejects.read_text() == "3\t1\tno-match\t3\n"


def test_another_first_line_is_data() -> None:
    """A line that is no number where one is expected is rejected, not a null."""
    rows, message = parsed(b"when,what,degrees\n" + DATA, "--columns", COLUMNS + ":float")
    assert rows == ROWS
    assert message == "tailrace: 3 lines: 2 counted, 1 rejected (1 no-match)"
    (reject,) = tr.Format(f"csv:{COLUMNS}:float").parse(b"x,y,n/a\n").rejects
    assert (reject.byte, reject.expected) == (4, "a number")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("11.50", 11.5),
        ('"5"', 5),
        ("9223372036854775807", 9223372036854775807),
        # Codes: leading zeros, hashes, versions.
        ("007", "007"),
        ("+49", "+49"),
        ("12e4", "12e4"),
        ("1.2.3", "1.2.3"),
        ("1.", "1."),
        (".5", ".5"),
        ("NaN", "NaN"),
        ("n/a", "n/a"),
        ("18446744073709551616", "18446744073709551616"),
        ("", None),
        ("-", None),
    ],
)
def test_a_value_without_a_given_type_has_its_own(text: str, value: object) -> None:
    rows, _ = parsed(f"k,x\na,{text}\n".encode(), "--log-format", "csv")
    assert rows == [{"k": "a", "x": value}]


def test_numbers_are_compared_and_summed() -> None:
    text = "k,x\na,5\nb,10\nc,n/a\nd,9.5\n"
    rows, _ = parsed(text.encode(), "--log-format", "csv", "--where", "x > 9")
    assert [row["k"] for row in rows] == ["b", "d"]
    query = tr.from_lines(text.splitlines(), format="csv").agg(by="k", x=tr.sum("x")).sorted()
    assert {row["k"]: row["x"] for row in query.collect()}["b"] == 10
    found = tr.Format("csv").parse(b"k,x\na,5\nb,7\n")
    assert found.to_dicts() == [{"k": "a", "x": 5}, {"k": "b", "x": 7}]
