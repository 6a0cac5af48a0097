"""Runs over files that are read to their end, again and again: each counts only what was added."""

import bz2
import gzip
import logging
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from tailrace._sources import Chunk, FilePosition
from tailrace._sources.globs import matching
from tailrace._sources.header import Header
from tailrace._sources.positions import Positions
from tailrace._sources.text import File

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


class Cron:
    """Runs over the same files, with what a journal keeps between them."""

    def __init__(self, *, header: Header | None = None) -> None:
        self.state = Positions().state()
        self.notes: list[bytes] = []
        self.positions = Positions()
        self.header = header

    def run(self, *paths: Path | str, most: int = 10**9, piece_bytes: int = 1 << 20) -> list[str]:
        """Return the lines of a run; it is killed after this many chunks."""
        self.positions = Positions()
        self.positions.restore(self.state)
        for note in self.notes:
            self.positions.apply(note)
        files = [File(str(path), header=self.header) for path in paths]
        for file in files:
            file._piece_bytes = piece_bytes
            file.resume(self.positions)
        lines: list[str] = []
        for file in files:
            (chunks,) = file.parts()
            for chunk in chunks:
                if not most:
                    chunks.close()
                    return lines
                most -= 1
                lines += self.commit(chunk)
        self.positions.facts()
        self.state = self.positions.state()
        self.notes.clear()
        return lines

    def commit(self, chunk: Chunk) -> list[str]:
        start, end = chunk.span
        text = chunk.data[start:end]
        # The lines that name the columns have none.
        if chunk.position is not None:
            assert isinstance(chunk.position, FilePosition)
            if facts := self.positions.facts():
                self.notes.append(facts)
            self.notes.append(self.positions.note(chunk.position))
        return text.decode().splitlines()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def append(path: Path, text: str) -> None:
    with path.open("a") as out:
        out.write(text)


def test_a_second_run_counts_only_what_was_added(log: Path):
    cron = Cron()
    log.write_text("a\nb\n")
    assert cron.run(log) == ["a", "b"]
    assert cron.run(log) == []
    append(log, "c\n")
    assert cron.run(log) == ["c"]
    (shown,) = cron.positions.shown()
    assert (shown.path, shown.offset, shown.status) == (str(log), 6, "current")


@pytest.mark.parametrize("ending", PACK)
def test_a_compressed_file_is_counted_once_and_goes_on_when_it_grows(ending: str, tmp_path: Path):
    cron = Cron()
    log = tmp_path / f"access.log{ending}"
    log.write_bytes(PACK[ending](b"a\nb\n"))
    assert cron.run(log) == ["a", "b"]
    assert cron.run(log) == []
    log.write_bytes(log.read_bytes() + PACK[ending](b"c\n"))
    assert cron.run(log) == ["c"]
    # Compressed again, at another level or by another program.
    log.write_bytes(PACK[ending](b"a\nb\nc\nd\n"))
    assert cron.run(log) == ["d"]
    log.write_bytes(PACK[ending](b"x\n"))
    assert cron.run(log) == ["x"]


@pytest.mark.parametrize("ending", ["", *PACK])
def test_what_was_rotated_between_two_runs_is_read_first(
    ending: str, log: Path, caplog: pytest.LogCaptureFixture
):
    cron = Cron()
    # It existed before the first run.
    Path(f"{log}.9").write_text("old\n")
    log.write_text("a\n")
    assert cron.run(log) == ["a"]

    texts = {3: "a\nb\n", 2: "c\nd\n", 1: "e\n"}
    append(log, "b\n")
    if not ending:
        log.rename(f"{log}.3")
        del texts[3]
    for number, text in texts.items():
        old = Path(f"{log}.{number}{ending}")
        old.write_bytes(PACK[ending](text.encode()) if ending else text.encode())
    log.write_text("f\n")
    assert cron.run(log) == ["b", "c", "d", "e", "f"]
    assert cron.run(log) == []
    if ending:
        # What was read whole is skipped, compressed or not.
        Path(f"{log}.4").write_text("a\nb\n")
        assert cron.run(log) == []
    assert not caplog.records


def test_a_copied_and_truncated_file_is_read_from_its_copy_first(log: Path):
    cron = Cron()
    log.write_text("a\n")
    assert cron.run(log) == ["a"]
    append(log, "b\n")
    shutil.copyfile(log, f"{log}.1")
    log.write_text("c\n")
    assert cron.run(log) == ["b", "c"]
    assert cron.run(log) == []


def test_files_of_a_pattern_are_recognized_under_their_next_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    cron = Cron()

    def run() -> list[str]:
        return sorted(cron.run(*matching(f"{tmp_path}/access.log*")))

    log = tmp_path / "access.log"
    for day in range(6):
        expected = [f"{day} {n}" for n in range(3)]
        append(log, "".join(f"{line}\n" for line in expected[:2]))
        if day:
            old = Path(f"{log}.1")
            if old.exists():
                Path(f"{log}.2.gz").write_bytes(gzip.compress(old.read_bytes()))
                old.unlink()
            append(log, f"{expected[2]}\n")
            log.rename(old)
            append(log, f"{day} new\n")
            expected.append(f"{day} new")
        else:
            append(log, f"{expected[2]}\n")
        assert run() == expected
        assert run() == []
    assert not caplog.records


def test_a_last_line_without_newline_counts_once(log: Path, caplog: pytest.LogCaptureFixture):
    cron = Cron()
    log.write_text("a\nb")
    assert cron.run(log) == ["a", "b"]
    assert cron.run(log) == []
    # Only its newline was missing.
    append(log, "\nc\nd")
    assert cron.run(log) == ["c", "d"]
    assert not caplog.records
    append(log, "d\ne\n")
    assert cron.run(log) == ["e"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{log}: the last line that was counted had no newline and was continued since; the rest "
        "of it is not counted"
    )
    assert cron.run(log) == []


def test_a_deleted_and_a_truncated_file_are_reported_with_the_byte(
    log: Path, caplog: pytest.LogCaptureFixture
):
    cron = Cron()
    log.write_text("a\nb\n")
    cron.run(log)
    other = log.with_name("new")
    other.write_text("c\n")
    other.replace(log)
    assert cron.run(log) == ["c"]
    assert cron.run(log) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{log}: was deleted at byte 4; lines after it are lost"
    ]
    caplog.clear()
    log.write_text("d\n")
    assert cron.run(log) == ["d"]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{log}: was truncated or deleted at byte 2, and no copy was found in its directory; lines "
        "after it are lost, and reading continues from the beginning"
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_positions_in_utf_16_are_bytes_of_the_file(log: Path, encoding: str):
    cron = Cron()
    log.write_bytes("\ufeffa\u0a0a\n".encode(encoding))
    assert cron.run(log) == ["a\u0a0a"]
    with log.open("ab") as out:
        out.write("b\U0001f600\nc".encode(encoding))
    assert cron.run(log) == ["b\U0001f600", "c"]
    with log.open("ab") as out:
        out.write("\nd\n".encode(encoding))
    assert cron.run(log) == ["d"]
    assert cron.positions.shown()[0].offset == log.stat().st_size


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_the_columns_are_known_again_in_the_middle_of_a_file(ending: str, tmp_path: Path):
    log = tmp_path / f"u.log{ending}"
    pack = PACK[ending] if ending else bytes
    first, second = "#Software: x\n#Fields: a b\n1 2\n", "#Fields: c d\n3 4\n"
    cron = Cron(header="fields")
    log.write_bytes(pack(first.encode()))
    assert cron.run(log) == first.splitlines()
    log.write_bytes(log.read_bytes() + pack(second.encode()))
    assert cron.run(log) == ["#Software: x", "#Fields: a b", *second.splitlines()]
    log.write_bytes(log.read_bytes() + pack(b"5 6\n"))
    assert cron.run(log)[-2:] == ["#Fields: c d", "5 6"]


def test_standard_input_and_pipes_say_that_they_have_no_position(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    os.mkfifo(tmp_path / "pipe")
    File(str(tmp_path / "pipe")).resume(Positions())
    with (tmp_path / "a").open("w+") as file, monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _, fstat=os.fstat: fstat(file.fileno()))
        File("-").resume(Positions())
    kept = "its position is not kept: lines that are read again are counted again"
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/pipe: {kept}",
        f"standard input: {kept}; give the file by its name",
    ]


# Random runs.

OPERATIONS = (
    "append",
    "append",
    "append much",
    "rename",
    "copytruncate",
    "compress",
    "run",
    "run",
    "killed",
    "remove the oldest",
)


class World:
    """A log that is rotated between runs."""

    def __init__(self, directory: Path, pattern: str) -> None:
        self.log = directory / "access.log"
        self.pattern = f"{directory}/{pattern}"
        self.cron = Cron()
        self.written: list[str] = []
        self.got: list[str] = []
        self.rotations = 0
        self.log.write_text("")

    def write(self, count: int) -> None:
        lines = [f"line {len(self.written) + n} of this log" for n in range(count)]
        self.written += lines
        append(self.log, "".join(f"{line}\n" for line in lines))

    def shift(self) -> Path:
        for n in range(60, 0, -1):
            for ending in ("", *PACK):
                old = Path(f"{self.log}.{n}{ending}")
                if old.exists():
                    old.replace(f"{self.log}.{n + 1}{ending}")
        return Path(f"{self.log}.1")

    def do(self, operation: str) -> None:  # noqa: C901 - one branch each
        match operation:
            case "append":
                self.write(2)
            case "append much":
                self.write(300)
            case "rename":
                self.log.replace(self.shift())
                self.log.write_text("")
            case "copytruncate":
                shutil.copyfile(self.log, self.shift())
                self.log.write_text("")
            case "compress":
                for n in range(60, 0, -1):
                    plain = Path(f"{self.log}.{n}")
                    if plain.exists():
                        self.rotations += 1
                        ending = list(PACK)[self.rotations % 4]
                        Path(f"{plain}{ending}").write_bytes(PACK[ending](plain.read_bytes()))
                        plain.unlink()
            case "run":
                self.run()
            case "killed":
                self.run(3)
            case "remove the oldest":
                self.run()
                old = [path for path in self.log.parent.iterdir() if path != self.log]
                if old:
                    max(old, key=lambda path: int(path.name.split(".")[2])).unlink()

    def run(self, most: int = 10**9) -> None:
        self.got += self.cron.run(*matching(self.pattern), most=most, piece_bytes=4_000)


@pytest.mark.parametrize("pattern", ["access.log", "access.log*"])
@examples(200)
@given(st.lists(st.sampled_from(OPERATIONS), max_size=30))
def test_every_line_is_counted_once_in_some_run(pattern: str, operations: list[str]):
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), pattern)
        world.run()
        for operation in operations:
            world.do(operation)
        world.run()
    logging.disable(logging.NOTSET)

    assert sorted(world.got) == sorted(world.written)
