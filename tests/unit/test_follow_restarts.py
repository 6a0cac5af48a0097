"""Random rotations and restarts: a process begins where the last noted position is."""

import bz2
import gzip
import lzma
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from rotations import OPERATIONS, World

from tailrace._sources import Chunk, FilePosition, part_of
from tailrace._sources.changes import Changes
from tailrace._sources.header import Header
from tailrace._sources.positions import Positions
from tailrace._sources.rotation import QUIET_S, FollowedLog
from tailrace._sources.text import File

# While no process follows the log, what only one that does can read would be lost.
NEED_A_FOLLOWER = {"copy, write, then truncate", "gzip what is written to", "remove the oldest"}


class Follower:
    """Follows a log until it is stopped, and then again."""

    def __init__(self, path: Path, *, from_end: bool = False, header: Header | None = None) -> None:
        self.path = path
        self.from_end = from_end
        self.header = header
        self.state = Positions().state()
        self.chunks: list[Chunk] = []

    def lines(self, *, commits: int | None = None) -> list[str]:
        """Start, and return the lines that are there; commit all chunks, or the first ones."""
        self.positions = Positions()
        self.positions.restore(self.state)
        notes = []
        log = FollowedLog(
            str(self.path), 0, Changes(), [], known=self.positions.begin(str(self.path))
        )
        log.resume()
        log.start(from_end=self.from_end, header=self.header)
        self.chunks = []
        steps = log.steps()
        for _ in range(3):
            for chunks in iter(steps.__next__, None):
                self.chunks += chunks
            log.now += QUIET_S + 1
        log.close()
        notes.append(self.positions.facts())
        committed = [chunk.position for chunk in self.chunks[:commits]]
        notes += [self.positions.note(each) for each in committed if isinstance(each, FilePosition)]
        notes.append(self.positions.facts())
        self.replay(notes)
        return [
            line
            for chunk in self.chunks
            for line in chunk.data[slice(*chunk.span)].decode().splitlines()
        ]

    def replay(self, notes: list[bytes]) -> None:
        """Apply the notes to the state of before, as a process does after a kill."""
        table = Positions()
        table.restore(self.state)
        for note in filter(None, notes):
            table.apply(note)
        assert table.state() == self.positions.state()
        self.state = table.state()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def append(path: Path, text: str) -> None:
    with path.open("a") as out:
        out.write(text)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


def test_following_from_the_end_goes_on_at_the_line_and_not_at_the_new_end(log: Path):
    log.write_text("a\nb\nc")
    follower = Follower(log, from_end=True)
    # No line was read, and the place is known all the same.
    assert follower.lines() == []
    append(log, "c\nd\n")
    assert follower.lines() == ["cc", "d"]
    log.rename(f"{log}.1")
    append(Path(f"{log}.1"), "e\n")
    log.write_text("f\n")
    assert follower.lines() == ["e", "f"]
    assert follower.lines() == []


def test_a_name_that_had_no_file_is_read_from_its_first_file_on(log: Path):
    Path(f"{log}.5").write_text("old\n")
    follower = Follower(log, from_end=True)
    assert follower.lines() == []
    # Written and rotated twice meanwhile, and what was there before was renamed.
    Path(f"{log}.5").rename(f"{log}.7")
    Path(f"{log}.2").write_text("a\n")
    Path(f"{log}.1").write_text("b\n")
    log.write_text("c\n")
    assert follower.lines() == ["a", "b", "c"]
    assert follower.lines() == []


def test_what_was_rotated_before_the_first_start_stays_ignored(log: Path):
    Path(f"{log}.1").write_text("old 1\n")
    Path(f"{log}.2.gz").write_bytes(gzip.compress(b"old 2\n"))
    log.write_text("a\n")
    follower = Follower(log)
    assert follower.lines() == ["a"]
    Path(f"{log}.2.gz").rename(f"{log}.3.gz")
    Path(f"{log}.2.gz").write_bytes(gzip.compress(Path(f"{log}.1").read_bytes()))
    log.rename(f"{log}.1")
    log.write_text("b\n")
    assert follower.lines() == ["b"]
    assert follower.lines() == []


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_the_rest_of_a_file_is_read_from_its_compressed_copy(
    pack: Callable[[bytes], bytes], log: Path
):
    ending = {gzip: "gz", bz2: "bz2", lzma: "xz"}[sys.modules[pack.__module__]]
    log.write_text("".join(f"{n}\n" for n in range(100_000)))
    follower = Follower(log)
    assert len(follower.lines()) == 100_000
    append(log, "next\n")
    Path(f"{log}.1.{ending}").write_bytes(pack(log.read_bytes()))
    log.unlink()
    log.write_text("new\n")
    assert follower.lines() == ["next", "new"]


def test_chunks_that_were_not_committed_are_delivered_again(log: Path):
    log.write_text("".join(f"line {n:06}\n" for n in range(200_000)))
    follower = Follower(log)
    first = follower.lines(commits=1)
    assert len(follower.chunks) > 2
    committed = len(follower.chunks[0].data[slice(*follower.chunks[0].span)].splitlines())
    log.rename(f"{log}.1")
    log.write_text("new\n")
    assert follower.lines() == [*first[committed:], "new"]


def test_a_file_that_was_deleted_is_reported_once_with_name_and_byte(
    log: Path, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\nb\n")
    follower = Follower(log)
    follower.lines()
    log.unlink()
    assert follower.lines() == []
    assert messages(caplog) == [f"{log}: was deleted at byte 4; lines after it are lost"]
    log.write_text("c\n")
    assert follower.lines() == ["c"]
    assert follower.lines() == []
    assert messages(caplog) == []


def test_a_file_that_was_truncated_without_a_copy_is_reported(
    log: Path, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\nb\n")
    follower = Follower(log)
    follower.lines()
    log.write_text("c\n")
    assert follower.lines() == ["c"]
    (message,) = messages(caplog)
    assert message.startswith(f"{log}: was truncated or deleted at byte 4")
    log.write_text("a longer text than before\n")
    assert follower.lines() == ["a longer text than before"]


def test_a_file_out_of_reach_is_not_reported_as_deleted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "mounted"
    folder.mkdir()
    log = folder / "access.log"
    log.write_text("a\n")
    follower = Follower(log)
    assert follower.lines() == ["a"]
    folder.rename(tmp_path / "away")
    assert follower.lines() == []
    (tmp_path / "away").rename(folder)
    append(log, "b\n")
    assert follower.lines() == ["b"]
    assert messages(caplog) == []


def test_lines_that_are_all_alike_are_told_apart_by_the_inode(log: Path):
    log.write_text("same\n" * 50)
    follower = Follower(log)
    assert len(follower.lines()) == 50
    append(log, "same\n" * 7)
    log.rename(f"{log}.1")
    log.write_text("same\n" * 120)
    assert len(follower.lines()) == 7 + 120


def test_the_columns_are_known_again_in_each_file_that_is_continued(log: Path):
    log.write_text("#Fields: a b\n1 2\n")
    follower = Follower(log, header="fields")
    assert follower.lines() == ["#Fields: a b", "1 2"]
    append(log, "3 4\n")
    Path(f"{log}.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_text("#Fields: c d\n5 6\n")
    assert follower.lines() == ["#Fields: a b", "3 4", "#Fields: c d", "5 6"]
    append(log, "7 8\n")
    assert follower.lines() == ["#Fields: c d", "7 8"]


def test_each_part_of_a_chunk_has_a_position_of_its_own(log: Path):
    text = "a\u00e4\nb\nc\u0a0a\n"
    for encoding in ("utf-8", "utf-16"):
        log.write_bytes(text.encode(encoding))
        positions = Positions()
        file = File(str(log))
        file.resume(positions)
        (chunk,) = file.parts()[0]
        data = log.read_bytes()
        ends = [place + 1 for place in range(len(chunk.data)) if chunk.data[place] == 10]
        for end in ends:
            position = part_of(chunk, (0, end)).position
            assert isinstance(position, FilePosition)
            left = chunk.data[end:].decode()
            expected = len(data) - len(left.encode("utf-16-le" if "16" in encoding else "utf-8"))
            assert position.offset == expected
            assert data[:expected].endswith(position.before)
            assert position.before


def test_a_position_of_another_version_is_refused():
    with pytest.raises(ValueError, match="expected version 1"):
        Positions().apply(b"\x02")


# Random rotations and restarts.


class Restarted(World):
    """A world whose follower may end at any time, and start again."""

    def __init__(self, directory: Path, *, header: int) -> None:
        # What a journal has: the newest state, and the notes after it.
        self.state: bytes | None = None
        self.notes: list[bytes] = []
        # Chunks that were delivered and are not committed.
        self.queue: list[Chunk] = []
        self.is_up = False
        self.has_deleted = False
        self.positions = Positions()
        super().__init__(directory, header=header)
        self.name.close()
        self.begin()

    def begin(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self.positions = Positions()
        if self.state is not None:
            self.positions.restore(self.state)
        for note in self.notes:
            self.positions.apply(note)
        path = str(self.path)
        self.names = []
        known = self.positions.begin(path)
        self.name = FollowedLog(path, 0, Changes(), self.names, known=known)
        self.names.append(self.name)
        self.name.resume()
        self.name.start(from_end=False)
        self.steps = self.name.steps()
        # As if the start was in the first round.
        self.commit()

    def commit(self, most: int = 10**9) -> None:
        """Commit chunks, oldest first."""
        for chunk in self.queue[:most]:
            start, end = chunk.span
            self.got += chunk.data[start:end].splitlines()
            assert isinstance(chunk.position, FilePosition)
            self.notes.append(self.positions.note(chunk.position))
        del self.queue[:most]
        if facts := self.positions.facts():
            self.notes.append(facts)

    def save(self) -> None:
        self.state = self.positions.state()
        self.notes.clear()
        table = Positions()
        table.restore(self.state)
        assert table.state() == self.state

    def kill(self) -> None:
        if self.is_up:
            if self.has_deleted:
                # Only this process can read such files.
                self.release()
                self.has_deleted = False
            self.is_up = False
            self.queue.clear()
            self.steps.close()
            self.name.close()

    def look(self, most: int = 10**9) -> None:
        for _ in range(most if self.is_up else 0):
            chunks = next(self.steps)
            if chunks is None:
                break
            self.queue += chunks

    def look_whole(self) -> None:
        super().look_whole()
        self.commit()

    def release(self) -> None:
        """Read old files to their end, with their last lines; nobody writes to them any longer."""
        if self.old is not None:
            self.leave(self.old)
            self.old = None
        self.name.now += QUIET_S + 1
        self.look_whole()

    def do(self, operation: str) -> None:  # noqa: C901 - one branch each
        match operation:
            case "kill":
                self.kill()
            case "stop":
                if self.is_up:
                    self.commit()
                    self.save()
                    self.kill()
            case "start":
                self.begin()
            case "commit":
                self.commit()
            case "commit one":
                self.commit(1)
            case "save":
                if self.is_up:
                    self.save()
            case "remove the oldest" if self.is_up:
                # A last line without newline would be lost.
                self.release()
                super().do(operation)
            case _:
                if self.is_up or operation not in NEED_A_FOLLOWER:
                    # Files are compressed while they are written to.
                    self.has_deleted |= operation == "gzip what is written to"
                    super().do(operation)

    def end(self) -> None:
        self.begin()
        super().end()
        self.commit()


MORE = ("kill", "kill", "stop", "start", "start", "commit", "commit", "commit one", "save")


def play(operations: list[str], *, header: int = 0) -> Restarted:
    with tempfile.TemporaryDirectory() as directory:
        world = Restarted(Path(directory), header=header)
        for operation in operations:
            world.do(operation)
        world.end()
        return world


@examples(400)
@given(st.lists(st.sampled_from(OPERATIONS + MORE), max_size=50))
def test_every_line_is_read_once_over_any_rotations_and_restarts(operations: list[str]):
    world = play(operations)

    assert sorted(world.got) == sorted(world.written)


# A file with nothing but the common beginning is not distinguished from others. If a line is added
# to it at the moment when it is compressed or copied, that line may be missed or read twice.
NOT_ALIKE = {"gzip what is written to", "copy, write, then truncate"}
ALIKE = tuple(each for each in OPERATIONS + MORE if each not in NOT_ALIKE)


@examples(150)
@given(st.lists(st.sampled_from(ALIKE), max_size=50), st.sampled_from([9, 60]))
def test_every_line_is_read_once_over_restarts_if_all_files_begin_alike(
    operations: list[str], header: int
):
    world = play(operations, header=header)

    assert sorted(world.lines()) == sorted(set(world.written) - set(world.comments()))
