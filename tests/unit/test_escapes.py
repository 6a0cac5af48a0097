r"""
Text and CSV can be read again: a tab and the two characters `\t` stay different.

The texts are made up; Apache writes `\"` and `\t`, nginx `\x22`.
"""

import csv
import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND

from tailrace import _core
from tailrace._terminal.escape import for_csv, for_table

_ESCAPE = re.compile(r"\\(?:([ntr\\])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def read_again(text: str) -> str:
    """Undo the escapes, as docs/command.md describes them."""

    def plain(match: re.Match[str]) -> str:
        name, *codes = match.groups()
        return _NAMED[name] if name else chr(int(next(filter(None, codes)), 16))

    return _ESCAPE.sub(plain, text)


CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\tnx0\t\n\r,"\x1b')
TEXTS = st.text(CHARACTERS)


@given(TEXTS)
def test_every_text_can_be_read_again(text: str) -> None:
    assert read_again(for_csv(text)) == text
    assert read_again(for_table(text)) == text


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_the_core_writes_what_can_be_read_again(texts: list[str]) -> None:
    """Tab-separated fields of `parse`, and CSV through a reader of CSV."""
    # A CSV line is the input, so a field has no newline, and no field is empty or `-`.
    texts = [text.replace("\n", "").replace("\r", "") + "x" for text in texts]
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(texts)
    names = [f"c{number}" for number in range(len(texts))]
    data = line.getvalue().encode()
    for output in "csv", "text":
        rows, _, counts = _core.write_rows(
            data,
            kind="lines",
            span=(0, len(data)),
            format=_core.Format("csv:" + ",".join(f"{name}:text" for name in names)),
            fields=names,
            output=output,
            rejects=None,
            filter=None,
        )
        assert counts["counted"] == 1
        text = rows.decode().removesuffix("\n")
        assert "\n" not in text
        found = next(csv.reader([text])) if output == "csv" else text.split("\t")
        assert [read_again(field) for field in found] == texts


def top(log: Path, *arguments: str) -> list[str]:
    ran = subprocess.run(
        [*COMMAND, "top", str(log), "--columns", "k", "--by", "k", *arguments],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return ran.stdout.decode().splitlines()


@pytest.mark.parametrize("output", ["csv", "text"])
def test_keys_stay_different(output: str, tmp_path: Path) -> None:
    log = tmp_path / "keys.csv"
    log.write_bytes(b"a\tb\n" + rb"a\tb" + b"\n" + rb"a\x22b" + b"\na\x1bb\n")
    lines = [row for row in top(log, "--format", output) if "total" not in row]
    rows = [re.split(r"[ ,]+", row) for row in lines[-4:]]
    keys = {row[-2] if output == "csv" else row[-1] for row in rows}
    assert keys == {r"a\tb", r"a\\tb", r"a\\x22b", r"a\x1bb"}


def test_numbers_in_a_pipe_have_no_separators(tmp_path: Path) -> None:
    """So that `tailrace top access.log | awk '$1 > 1000 { print $NF }'` prints keys."""
    log = tmp_path / "keys.csv"
    log.write_bytes(b"a\n" * 12_345)
    heading, title, row = top(log)
    assert heading.startswith("12345 events, 1 key")
    assert title.split() == ["count", "share", "k"]
    assert row.split() == ["12345", "100.0%", "a"]
