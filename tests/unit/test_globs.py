"""Patterns that the shell did not expand."""

from pathlib import Path

import pytest

import tailrace as tr
from tailrace._sources.globs import matching

LINE = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /{} HTTP/1.1" 200 5 "-" "x"\n'


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.log", "a.log", "c.txt", ".d.log", "[x].log", "sub/a.log", "sub/z.log/e.log"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(LINE.format(name))


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("*.log", ["[x].log", "a.log", "b.log"]),
        ("?.log", ["a.log", "b.log"]),
        ("[ab].log", ["a.log", "b.log"]),
        ("*/a.log", ["sub/a.log"]),
        ("sub/*.log", ["sub/a.log"]),
        ("**/?.log", ["a.log", "b.log", "sub/a.log", "sub/z.log/e.log"]),
        (".*.log", [".d.log"]),
        ("[x].log", ["[x].log"]),
        ("none.log", ["none.log"]),
        ("a[.log", ["a[.log"]),
        ("-", ["-"]),
    ],
)
def test_a_pattern_expands_to_files_and_any_other_name_is_kept(name: str, files: list[str]):
    assert matching(name) == files


@pytest.mark.parametrize("name", ["*.gz", "?", "[y].log", "sub/z.l?g"])
def test_a_pattern_that_matches_no_file_is_an_error(name: str):
    with pytest.raises(FileNotFoundError, match="no file matches the pattern") as raised:
        tr.from_files(name)
    assert raised.value.filename == name


def test_files_of_a_pattern_are_read_in_order():
    query = tr.from_files("c.txt", "?.log", Path("sub/*.log"))
    (answer,) = query.count(by="url").sorted().run()
    urls = [row["url"] for row in answer.rows]
    assert sorted(urls) == ["/a.log", "/b.log", "/c.txt", "/sub/a.log"]
