"""What snapshots and rows look like when they are written, whatever is in them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import unicodedata
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND, OK, Sink, events, line, running, wait_for

import tailrace as tr
from tailrace import _core
from tailrace._rendering import csv as csv_output
from tailrace._rendering.table import table, table_lines
from tailrace._rendering.text import status_line
from tailrace._terminal.escape import cut, width
from tailrace._terminal.style import painted

if TYPE_CHECKING:
    from pathlib import Path

COMMON = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /c HTTP/1.1" 200 5'

# Text as hostile as it gets: every kind of character, and those that mean something somewhere.
hostile = st.text(st.characters() | st.sampled_from("\x00\x1b\n\r\t\\\",<>&'-;\u202e\x9b"))
keys = st.none() | st.integers(-(2**40), 2**40) | hostile
CONTROLS = {"Cc", "Zl", "Zp"}


def snapshot_of(found: list[Any]) -> tr.Snapshot:
    start = datetime(2015, 5, 17, 10, tzinfo=UTC)
    rows = [{"url": key, "count": count} for count, key in enumerate(found, 1)]
    lines = {"fed": 9, "counted": 8, "late": 0, "filtered": 0, "rejected": {"no-match": 1}}
    total = sum(range(len(found) + 1))
    return tr.Snapshot(start, start + timedelta(minutes=5), len(found), total, rows, lines)


def escaped(text: str) -> str:
    """What becomes of text: each character that could steer a terminal is an escape of Python's."""
    marks = {chr(c) for c in (0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x2060, 0x206A))}
    marks |= {chr(c) for c in range(0x202A, 0x202F)}
    return "".join(
        c.encode("unicode_escape").decode()
        if unicodedata.category(c) in CONTROLS or c in marks
        else c
        for c in text
    )


def written(text: str) -> str:
    """What becomes of text in a table or CSV, where a backslash is doubled."""
    return escaped(text.replace("\\", "\\\\"))


def steers(text: str) -> bool:
    return escaped(text.replace("\n", "").replace("\t", "")) != text.replace("\n", "").replace(
        "\t", ""
    )


# --- CSV and text ---------------------------------------------------------------------------------


def utf8(text: str) -> str:
    """The text without surrogates, which are in no log."""
    return text.encode(errors="replace").decode()


@given(st.lists(keys.map(lambda key: utf8(key) if isinstance(key, str) else key)))
def test_the_csv_of_snapshots_read_back_is_their_rows(found: list[Any]):
    text = csv_output.header(["url", "count"]) + csv_output.rows(snapshot_of(found))
    assert not steers(text)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["count"] for row in rows] == [str(n) for n in range(1, len(found) + 1)]
    assert [row["url"] for row in rows] == [
        "" if key is None else written(str(key)) for key in found
    ]
    assert {row["end"] for row in rows} <= {"2015-05-17T10:05:00Z"}
    # A row is a line, and what is missing is not what is empty.
    assert text.count("\n") == len(found) + 1
    assert text.count(",,") >= found.count(None)
    empty = [row for row in text.split("\n") if row.startswith("2015") and ',"",' in row]
    assert len(empty) >= found.count("")


def rows_of(lines: list[bytes], output: str, fields: list[str]) -> str:
    data = b"".join(lines)
    out, _, counters = _core.write_rows(
        data,
        kind="lines",
        span=(0, len(data)),
        format="combined",
        fields=fields,
        output=output,  # type: ignore[arg-type]
    )
    assert counters["counted"] == len(lines)
    return out.decode()


agents = hostile.map(lambda text: utf8(text).replace("\n", "").replace('"', "'").encode()) | (
    st.binary().map(lambda data: data.replace(b"\n", b"").replace(b'"', b","))
)


@given(st.lists(st.tuples(agents, agents)))
def test_rows_of_fields_say_in_each_output_what_they_say_in_json(pairs: list[tuple[bytes, bytes]]):
    lines = [
        b'h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 - "%s" "%s"\n' % pair
        for pair in pairs
    ]
    # Backslashes before a quote are the format's matter.
    lines = [line.replace(b'\\"', b'"') for line in lines]
    fields = ["agent", "time", "size", "referer", "status"]
    rows = [json.loads(row) for row in rows_of(lines, "jsonl", fields).split("\n")[:-1]]

    text = rows_of(lines, "csv", fields)
    assert not steers(text)
    assert text.count("\n") == len(lines)
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found == [
        ["" if value is None else written(str(value)) for value in row.values()] for row in rows
    ]

    text = rows_of(lines, "text", fields)
    assert not steers(text)
    assert [row.split("\t") for row in text.split("\n")[:-1]] == [
        ["-" if value is None else written(str(value)) for value in row.values()] for row in rows
    ]


def test_an_output_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="unknown output 'tsv'"):
        rows_of([line("/") + b"\n"], "tsv", ["url"])


def test_live_sources_of_two_formats_do_not_end_in_one_table():
    sources = ["flume://127.0.0.1:0", "flume://127.0.0.1:0"]
    with running("parse", "--format", "csv", *sources) as parsing:
        message = wait_for(lambda: " ".join(parsing.messages) if parsing.messages else None)
        one, other = (int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", message))
        with Sink(one) as sink, Sink(other) as second:
            assert sink.batch([line("/a")] * 1_000) == OK
            second.send(second.frame(b"appendBatch", events([COMMON] * 1_000)))
            assert parsing.process.wait(20) == 1
        parsing.closed()

    assert len(parsing.printed) == 1_001
    assert "has other fields than the earlier lines; choose the fields" in parsing.messages[-2]


# --- a snapshot in a program ----------------------------------------------------------------------


def test_dicts_hold_the_window_and_the_row():
    snapshot = snapshot_of(["/a", None])

    assert snapshot.to_dicts() == [
        {"start": snapshot.start, "end": snapshot.end, "url": "/a", "count": 1},
        {"start": snapshot.start, "end": snapshot.end, "url": None, "count": 2},
    ]


def test_the_repr_is_the_table_cut_to_what_somebody_reads():
    few, many = snapshot_of(["/a", "\x1b[31m"]), snapshot_of(list(range(1_000)))

    assert repr(few) == str(few)
    assert r"\x1b[31m" in repr(few)
    assert len(str(many).split("\n")) == 1_003
    assert repr(many) == str(many.head(20))
    assert repr(many).startswith("500,500 events, 20 of 1,000 keys, 1 rejected, 2015-")


class Reader(HTMLParser):
    """The tags and the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.odd: list[object] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.odd += attributes
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


@given(st.lists(keys | st.sampled_from(["<script>alert(1)</script>", "&lt;", "<!--", "</table>"])))
def test_the_html_of_a_snapshot_has_no_tag_of_a_key(found: list[Any]):
    snapshot = snapshot_of(found)
    reader = Reader()
    reader.feed(snapshot._repr_html_())
    reader.close()

    assert reader.tags <= {"table", "caption", "tr", "th", "td"}
    assert reader.odd == []
    assert len(reader.cells) == 2 + 2 * min(len(found), 20) + 2 * (len(found) > 20)
    for cell, key in zip(reader.cells[2::2], found[:20], strict=False):
        if isinstance(key, str) and key.isprintable():
            assert cell.strip() == written(key).strip()
    assert not steers("".join(reader.cells).replace("\n", ""))


# --- what a terminal shows ------------------------------------------------------------------------


class Status(NamedTuple):
    """As the driver has it."""

    lines: dict[str, Any]
    per_second: float
    lag_us: int | None
    silent_us: int = 4_999_999
    filling_us: tuple[int, int] | None = None
    is_final: bool = True


@pytest.mark.parametrize(
    ("lines", "per_second", "lag_us", "text"),
    [
        ({"fed": 0}, 0.0, None, "0 lines, 0/s"),
        ({"fed": 1}, 0.25, 0, "1 line, 0.2/s, lag 0.0 s"),
        (
            {"fed": 1_234_567, "rejected": {"no-match": 2, "too-long": 1}},
            12_345.4,
            400_000,
            "1,234,567 lines, 12,345/s, 3 rejected, lag 0.4 s",
        ),
        (
            {"fed": 9, "late": 1_000, "rejected": {"future": 1}},
            9.0,
            42_000_000,
            "9 lines, 9/s, 1,000 late, 1 rejected, lag 42 s",
        ),
        ({"fed": 9}, 1.0, 600_000_000, "9 lines, 1/s, lag 10 min"),
        ({"fed": 9}, 1.0, 7_200_000_000, "9 lines, 1/s, lag 2 h"),
        ({"fed": 9}, 1.0, 10 * 86_400_000_000, "9 lines, 1/s, lag 10 d"),
        ({"fed": 9}, 1.0, -5, "9 lines, 1/s, lag 0.0 s"),
        ({"fed": 9}, 1.0, -1_999_999, "9 lines, 1/s, lag 0.0 s"),
        ({"fed": 9}, 1.0, -1_200_000_000, "9 lines, 1/s, 20 min ahead"),
    ],
)
def test_the_status_has_what_is_known(
    lines: dict[str, Any], per_second: float, lag_us: int | None, text: str
):
    lines = {"counted": 0, "late": 0, "filtered": 0, "rejected": {}, **lines}

    assert painted(status_line(Status(lines, per_second, lag_us)), color=False) == text


@pytest.mark.parametrize(
    ("silent_s", "filling_s", "is_final", "text"),
    [
        (4, None, True, ""),
        (5, None, True, ", silent for 5.0 s"),
        (600, None, True, ", silent for 10 min"),
        (0, (7.9, 300), False, ", 0:07 of 5:00, not final"),
        (0, (0, 1), True, ", 0:00 of 0:01"),
        (0, (3_599.9, 3_600), True, ", 0:59:59 of 1:00:00"),
        (0, (90_061, 7 * 86_400), True, ", 25:01:01 of 168:00:00"),
        (0, (0.25, 1.5), True, ", 0.2 s of 1.5 s"),
        (12, (61, 300), False, ", silent for 12 s, 1:01 of 5:00, not final"),
    ],
)
def test_the_status_marks_silence_and_what_the_window_lacks(
    silent_s: int, filling_s: tuple[float, float] | None, text: str, *, is_final: bool
):
    lines = {"fed": 2, "counted": 2, "late": 0, "filtered": 0, "rejected": {}}
    filling = filling_s and (round(filling_s[0] * 10**6), round(filling_s[1] * 10**6))
    status = Status(lines, 0.0, 42_000_000, silent_s * 10**6, filling, is_final)

    assert painted(status_line(status), color=False) == f"2 lines, 0/s{text}, lag 42 s"


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (80, "9 lines, 1/s, 3 late, silent for 12 s, 1:01 of 5:00, not final, lag 42 s"),
        (70, "9 lines, 3 late, silent for 12 s, 1:01 of 5:00, not final, lag 42 s"),
        (60, "9 lines, 3 late, silent for 12 s, 1:01 of 5:00, lag 42 s"),
        (50, "9 lines, 3 late, silent for 12 s, lag 42 s"),
        (40, "3 late, silent for 12 s, lag 42 s"),
        (10, "silent for 12 s, lag 42 s"),
    ],
)
def test_a_narrow_status_keeps_silence_and_lag(columns: int, text: str):
    lines = {"fed": 9, "counted": 2, "late": 3, "filtered": 0, "rejected": {}}
    status = Status(lines, 1.0, 42_000_000, 12_000_000, (61_000_000, 300_000_000), is_final=False)

    assert painted(status_line(status, columns), color=False) == text


@given(hostile, st.integers(0, 20))
def test_what_is_cut_fits_and_is_as_long_as_can_be(text: str, columns: int):
    shown = cut(text, columns)
    assert width(shown) <= columns
    if shown != text:
        assert shown == "" or shown.endswith("…")
        # One column may stay empty, before a wide character.
        assert width(shown) >= columns - 1


@given(st.lists(keys, max_size=5), st.integers(1, 60))
def test_colors_change_nothing_but_the_color(found: list[Any], columns: int):
    snapshot = snapshot_of(found)
    assert re.sub(r"\x1b\[\d*m", "", table(snapshot, color=True)) == str(snapshot)
    for parts in table_lines(snapshot):
        plain = painted(parts, color=False, columns=columns)
        assert width(plain) <= columns
        assert re.sub(r"\x1b\[\d*m", "", painted(parts, color=True, columns=columns)) == plain


# --- rejected lines -------------------------------------------------------------------------------

PARSE = ("parse", "--log-format", "combined", "--fields", "url", "--rejects")


def test_rejected_lines_are_in_the_file_byte_for_byte(tmp_path: Path):
    bad = [b"\xff\x00\x1b[31m\t", b"no line\r", b"", b"x" * 100_000, b"the last one"]
    # Good lines between them, so many that chunks end anywhere.
    good = (line("/a") + b"\n") * 20_000
    data = good + (b"\n" + good).join(bad)
    log, file = tmp_path / "access.log", tmp_path / "rejects"
    log.write_bytes(data)
    command = [*COMMAND, *PARSE, str(file), str(log)]
    ran = subprocess.run(command, capture_output=True, check=True)

    assert ran.stdout.count(b"\n") == 100_000
    assert file.read_bytes() == b"".join(
        b"%d\t%d\t%s\t%s\n" % (one.line + 1, one.byte, one.reason.encode(), text[: 64 * 1024])
        for one, text in zip(tr.Format("combined").parse(data).rejects, bad, strict=True)
    )


def test_an_event_with_a_newline_is_one_line_of_the_file(tmp_path: Path):
    file = tmp_path / "rejects"
    with running(*PARSE, str(file), "flume://127.0.0.1:0") as receiver:
        with Sink(receiver.port) as sink:
            assert sink.batch([b"no\nline", line("/a")]) == OK
            # What is acknowledged is written.
            assert file.read_bytes() == b"1\t7\tno-match\tno\\nline\n"
            assert sink.batch([line("/b"), b"x"]) == OK
        assert receiver.end(signal.SIGTERM) == 0

    assert file.read_bytes().endswith(b"\n4\t1\tno-match\tx\n")


BAD = (b"no line " + b"x" * 40 + b"\n") * 200_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_whole_lines(tmp_path: Path, number: int):
    file = tmp_path / "rejects"
    with subprocess.Popen(["yes", "no line"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        with running(*PARSE, str(file), "-", stdin=endless.stdout.fileno()) as parsing:
            wait_for(lambda: file.exists() and file.stat().st_size > 10**6)
            parsing.end(number)
        endless.kill()

    written = file.read_bytes()
    count = written.count(b"\n")
    assert written == b"".join(b"%d\t7\tno-match\tno line\n" % n for n in range(1, count + 1))
    summary = f"{count:,} lines: 0 counted, {count:,} rejected ({count:,} no-match)"
    assert parsing.messages[0].startswith(f"tailrace: {summary}")


def test_a_reader_that_goes_away_leaves_whole_lines(tmp_path: Path):
    log, file = tmp_path / "access.log", tmp_path / "rejects"
    good = (line("/a") + b"\n") * 5_000
    log.write_bytes((good + BAD[:4_900]) * 50)
    command = " ".join(f"'{word}'" for word in [*COMMAND, *PARSE, str(file), str(log)])
    ran = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=True,
    )

    assert ran.stdout.split()[-1] == b"0"
    assert file.stat().st_size
    assert file.read_bytes().endswith(b"x\n")


def test_a_full_disk_is_one_line_and_leaves_whole_lines(tmp_path: Path):
    log, file = tmp_path / "access.log", tmp_path / "rejects"
    log.write_bytes(BAD)
    ran = subprocess.run(
        [*COMMAND, *PARSE, str(file), str(log)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_001, 1_000_001)),
    )

    assert ran.returncode == 1
    assert ran.stderr == f"tailrace: {file}: cannot write: file too large\n"
    assert 999_900 < file.stat().st_size <= 1_000_001
    assert file.read_bytes().endswith(b"x\n")


def test_rejected_lines_that_nobody_reads_are_an_error(tmp_path: Path):
    log, pipe = tmp_path / "access.log", tmp_path / "pipe"
    log.write_bytes(BAD)
    os.mkfifo(pipe)
    with running(*PARSE, str(pipe), str(log)) as parsing:
        with pipe.open("rb") as reader:
            reader.read(1)
        assert parsing.process.wait(20) == 1
        parsing.closed()

    assert parsing.messages == [f"tailrace: {pipe}: cannot write: its reader closed it"]


@pytest.mark.parametrize("stream", ["<", ">>", "2>>"])
def test_rejected_lines_do_not_go_into_what_is_in_use(tmp_path: Path, stream: str):
    log, file = tmp_path / "access.log", tmp_path / "file"
    log.write_bytes(line("/a") + b"\n")
    file.write_bytes(line("/b") + b"\n")
    source = "-" if stream == "<" else str(log)
    ran = subprocess.run(
        ["bash", "-c", f'"$@" {stream} {file}', "bash", *COMMAND, *PARSE, str(file), source],
        capture_output=True,
        check=False,
    )

    assert ran.returncode == 2
    assert file.read_bytes().startswith(line("/b") + b"\n")
