"""What people are shown of a line: how it is read, where it stops, and the first rejected ones."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND
from terminal import terminal

import tailrace as tr
from tailrace import _core
from tailrace._samples import Samples
from tailrace._sources import Chunk
from tailrace._terminal.escape import width
from tailrace._terminal.excerpt import excerpt

LINE = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a/b/c?d=%41 HTTP/1.1" 200 5 "-" "\\x41"'
BROKEN = LINE.replace(b" 200 ", b" OK ")


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, check=False)


# --- excerpts -------------------------------------------------------------------------------------


@given(
    line=st.binary(max_size=400) | st.text(max_size=300).map(str.encode),
    byte=st.integers(0, 500),
    length=st.integers(0, 500),
    columns=st.integers(0, 120),
)
def test_any_place_of_any_line_has_a_caret_in_the_width_that_there_is(
    line: bytes, byte: int, length: int, columns: int
):
    shown, carets = excerpt(line, byte, columns, byte + length)
    assert (shown + carets).isprintable()
    assert max(width(shown), width(carets)) <= max(columns, 20)
    assert {*carets.lstrip(" ")} == {"^"}


@pytest.mark.parametrize(
    ("line", "byte", "caret_below"),
    [
        (b"abc", 0, "a"),
        (b"a\x00\x1b[c", 3, "["),
        ("\u6e29\u6cc9x".encode(), 6, "x"),
        # Within a character it is that of the character.
        ("é!".encode(), 1, "é"),
        (b"\xff\xfe!", 2, "!"),
        (b"x" * 10_000 + b"!" + b"y" * 10_000, 10_000, "!"),
    ],
)
def test_the_caret_is_below_its_byte(line: bytes, byte: int, caret_below: str):
    shown, caret = excerpt(line, byte, 40)
    before = next(n for n in range(len(shown)) if width(shown[:n]) == len(caret) - 1)
    assert shown[before] == caret_below


def test_there_is_a_caret_after_the_end_of_a_line():
    assert excerpt(b"abc", 3, 40) == ["abc", "   ^"]
    assert excerpt(b"", 0, 40) == ["", "^"]


# --- explain --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _core.FORMATS)
def test_the_example_of_every_format_is_explained(name: str):
    example = (_core.describe_format(name) or ("", "", ""))[1]
    ran = run("explain", name, example, "--format", "jsonl")
    found = json.loads(ran.stdout)
    values = {field["name"]: field["value"] for field in found["derived"]}
    for piece in found["pieces"]:
        if "value" in piece:
            values.setdefault(piece["name"], piece["value"])
    assert ran.returncode == 0

    # It says what the parser says.
    table = tr.Format(name).parse(example.encode())
    given = json.loads(
        run("parse", "--log-format", name, stdin=example.encode()).stdout.splitlines()[-1]
    )
    assert len(table) == 1
    for field, value in given.items():
        assert values.get(field) == value, field


def test_text_for_people_is_as_wide_as_their_terminal():
    line = LINE.replace(b"/a", b"/" + b"a" * 300).decode()
    for columns in (60, 100):
        with terminal("explain", "combined", line, columns=columns, rows=40) as shown:
            assert shown.wait() == 0
            assert all(len(text) <= columns for text in shown.sent().splitlines())
            assert "time:1h" in shown.lines()[-1]


def test_what_does_not_print_is_shown_as_an_escape():
    ran = run("explain", "combined", stdin=b"\xff\x1b[31m\xe2\x80\xae\n")
    assert ran.stdout.decode().splitlines()[2:4] == ["  \\xff\\x1b[31m\\u202e", " " * 20 + "^"]


def test_a_line_that_is_too_long_is_reported_as_such():
    ran = run("explain", "combined", stdin=b"x" * 200_000)
    assert ran.returncode == 1
    assert b"It is longer than 65,536 bytes" in ran.stdout


# --- fields ---------------------------------------------------------------------------------------


def test_fields_lists_the_names_that_the_core_has():
    rows = run("formats", "--fields").stdout.decode().split("\n\n")[0].splitlines()[1:]
    assert [tuple(row.split(maxsplit=2)) for row in rows] == _core.standard_fields()
    objects = map(json.loads, run("formats", "--fields", "--format", "jsonl").stdout.splitlines())
    assert [(one["name"], one["type"], one["about"]) for one in objects] == _core.standard_fields()


def test_the_steps_that_are_listed_are_there():
    steps = {
        "path:2": "/a/b",
        "url:2": "/a/b",
        "url:noquery": "/a/b/c",
        "referer:path": None,
        "referer:query": None,
        "url:decode": "/a/b/c?d=A",
        "agent:unescape": "A",
        "referer:host": None,
        "host:/24": "1.2.3.0/24",
        "time:1h": "2015-05-17T10:00:00Z",
    }
    ran = run("parse", "--fields", ",".join(steps), stdin=LINE)
    assert json.loads(ran.stdout) == steps
    listed = [example for _, example, _ in _core.STEPS]
    assert {*steps} - {"url:2"} <= {*listed}
    fields = run("formats", "--fields").stdout.decode()
    explained = run("explain", "combined", stdin=LINE).stdout.decode()
    page = run("formats", "combined").stdout.decode()
    for _, example, about in _core.STEPS:
        assert f"  {example:15}  {about}\n" in fields
        assert example in explained
        assert example in page


# --- samples --------------------------------------------------------------------------------------


def test_the_first_three_rejected_lines_of_all_sources_are_kept():
    samples = Samples(["a", "b"])
    chunks = [(0, [LINE, BROKEN]), (1, [b"no"]), (0, [LINE]), (0, [BROKEN, BROKEN])]
    for source, some in chunks:
        data = b"\n".join(some)
        chunk = Chunk(data, (0, len(data)), source=source)
        samples.look(chunk, _core.Format("combined"), len(some), sum(one != LINE for one in some))
    assert [(one.source, one.number, one.byte, one.line) for one in samples.kept] == [
        ("a", 2, BROKEN.index(b"OK"), BROKEN),
        ("b", 1, 2, b"no"),
        ("a", 4, BROKEN.index(b"OK"), BROKEN),
    ]


@pytest.mark.parametrize("verb", ["top", "parse"])
def test_at_a_terminal_the_first_rejected_lines_are_shown(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("access.log").write_bytes(b"\n".join([LINE, BROKEN, *[LINE] * 9, b"x"]))
    with terminal(verb, "access.log", "--log-format", "combined", columns=100, rows=40) as shown:
        assert shown.wait() == 0
        lines = shown.lines()
    (at,) = (number for number, line in enumerate(lines) if "2 rejected (2 no-match)" in line)
    assert lines[at + 1 :] == [
        (
            "access.log, line 2: expected a status of three digits, found 'OK' at byte "
            f"{BROKEN.index(b'OK')}"
        ),
        "  " + BROKEN.decode(),
        " " * (2 + BROKEN.index(b"OK")) + "^",
        "access.log, line 12: expected a time in brackets, found the end of the line at byte 1",
        "  x",
        "   ^",
    ]


def test_elsewhere_and_with_a_file_of_them_they_are_not(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"\n".join([LINE, BROKEN]))
    assert b"expected" not in run("parse", str(log)).stderr
    rejects = str(tmp_path / "rejects")
    with terminal("parse", str(log), "--rejects", rejects, columns=100, rows=40) as shown:
        assert shown.wait() == 0
        assert "expected" not in shown.sent()
