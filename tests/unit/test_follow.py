"""Files followed by name: real files, real writers, every kind of rotation."""

import asyncio
import bz2
import gzip
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from live import TIMEOUT_S
from places import TESTS

from tailrace._errors import TailraceError
from tailrace._sources import FilePosition, changes, rotation
from tailrace._sources.follow import Follow, check_followed
from tailrace._sources.header import Header
from tailrace._sources.positions import Positions

ROTATING = TESTS / "support" / "rotating.py"
DESCRIPTORS = Path("/proc/self/fd")
NOBODY = 65_534
ROUNDS = 50
NUMBERS = "".join(f"{n}\n" for n in range(5_000))
# Longer than the part that is compared first.
HEADER = "".join(f"# line {n} of a long comment\n" for n in range(300))


class Reader:
    """Reads the output of a `Follow` line by line, with the numbers of the sources."""

    def __init__(self, follow: Follow) -> None:
        self.follow = follow
        self.opening = ""
        self.lines: list[str] = []
        self.sources: list[int] = []
        self.chunks: list[tuple[FilePosition | None, bytes]] = []

    async def receive(self, timeout_s: float = 0.05) -> None:
        chunks = await self.follow.receive(timeout_s)
        assert chunks is not None
        for chunk in chunks:
            start, end = chunk.span
            self.chunks.append((chunk.position, chunk.data[start:end]))
            lines = chunk.data[start:end].decode().splitlines()
            self.lines += lines
            self.sources += [chunk.source] * len(lines)

    async def until(self, *expected: str) -> None:
        """Read until exactly these lines were received, then clear the list."""
        await self.count(len(expected))
        assert self.lines == list(expected)
        self.lines.clear()
        self.sources.clear()

    async def count(self, lines: int) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.lines) < lines:
                await self.receive()

    async def nothing_more(self) -> None:
        """Check a few more times that nothing is received."""
        for _ in range(4):
            await self.receive()
        assert self.lines == []


async def settled(reader: Reader) -> None:
    """Read until every rotated file is identified, and none of them yields a line."""
    (name,) = reader.follow._logs
    name._examine_at = 0.0
    async with asyncio.timeout(TIMEOUT_S):
        while len(name._held) > 1 or name._pending:
            await reader.receive()
    await reader.nothing_more()


@asynccontextmanager
async def following(
    *paths: Path, from_end: bool = False, header: Header | None = None
) -> AsyncIterator[Reader]:
    follow = Follow([str(path) for path in paths], from_end=from_end, header=header)
    follow.resume(Positions())
    reader = Reader(follow)
    try:
        reader.opening = await follow.open()
        yield reader
    finally:
        await follow.close()


def follows(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a coroutine test, and check that it leaves no thread and no open file."""

    def run(**arguments: object) -> None:
        # Both contain the descriptor that lists them.
        before = len(list(DESCRIPTORS.iterdir()))
        threads = threading.active_count()
        asyncio.run(test(**arguments))
        assert threading.active_count() == threads
        assert len(list(DESCRIPTORS.iterdir())) == before

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    # pytest finds fixtures by the signature.
    run.__signature__ = inspect.signature(test)
    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture(params=["notified", "polled"], autouse=True)
def _notified(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test with the system's notifications and without."""
    if request.param == "polled":
        monkeypatch.setattr(changes.Changes, "begin", lambda _: None)


def lost(log: Path) -> str:
    return (
        f"{log}: truncated, and no copy was found in its directory; reading continues from its "
        "beginning, and lines written just before the truncation may be lost"
    )


def append(path: Path, text: str) -> None:
    with path.open("a") as out:
        out.write(text)


# Existing and appended content.


@follows
async def test_existing_content_is_read_from_its_beginning_then_what_is_appended(log: Path):
    log.write_text("a\nb\n")
    async with following(log) as reader:
        assert reader.opening == f"following {log}"
        await reader.until("a", "b")
        append(log, "c\nd")
        await reader.until("c")
        await reader.nothing_more()
        append(log, "d\n")
        await reader.until("dd")


@follows
async def test_from_the_end_a_partly_written_line_is_read_whole(log: Path):
    log.write_text("a\nb\nbeg")
    async with following(log, from_end=True) as reader:
        await reader.nothing_more()
        append(log, "un\nc\n")
        await reader.until("begun", "c")


@follows
async def test_from_the_end_the_lines_that_name_the_columns_are_still_read(log: Path):
    log.write_text("time,device\n1,a\n2,b\n")
    async with following(log, from_end=True, header="first line") as reader:
        await reader.until("time,device")
        append(log, "3,c\n")
        await reader.until("3,c")
    async with following(log, from_end=True, header="fields") as reader:
        await reader.nothing_more()
    log.write_text("\ufeff#Version: 1.0\r\n#Fields: a b\r\n1 2\r\n#fields: b c\r\n3 4\r\n")
    for header in ("fields", "first line"):
        async with following(log, from_end=True, header=header) as reader:
            await reader.until("#fields: b c")
    # Far from both ends, on all sides of the boundaries of the search.
    line = b"#Fields: c d\n"
    for before in (2, 1 << 20, (1 << 20) - 5, (1 << 20) + 64 * 1024 - 3):
        rest = b"3 4\n" * (1 << 18) + b"\n" * 7
        log.write_bytes(b"#Fields: a b\n" + b"\n" * before + line + rest)
        async with following(log, from_end=True, header="fields") as reader:
            await reader.until("#Fields: c d")


@follows
async def test_a_file_whose_directory_is_created_later_is_read_from_its_beginning(tmp_path: Path):
    log = tmp_path / "later" / "access.log"
    async with following(log, from_end=True) as reader:
        assert reader.opening == f"following {log}; waiting for {log} (no such file or directory)"
        await reader.nothing_more()
        log.parent.mkdir()
        log.write_text("a\n")
        await reader.until("a")
        log.unlink()
        log.parent.rmdir()
        await reader.nothing_more()
        log.parent.mkdir()
        log.write_text("b\n")
        await reader.until("b")


@follows
async def test_several_files_take_turns_each_with_its_source_number(tmp_path: Path):
    logs = [tmp_path / f"{n}.log" for n in range(3)]
    for n, log in enumerate(logs):
        log.write_text(f"{n}\n" * 600_000)
    async with following(*logs) as reader:
        assert reader.opening == "following 3 files"
        await reader.receive()
        assert set(reader.sources) == {0, 1, 2}
        await reader.count(1_800_000)
        assert all(int(line) == n for line, n in zip(reader.lines, reader.sources, strict=True))
        assert [reader.sources.count(n) for n in range(3)] == [600_000] * 3


@follows
async def test_waiting_ends_at_its_timeout_or_when_it_is_woken(log: Path):
    log.touch()
    async with following(log) as reader:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await reader.follow.receive(0.1) == []
        assert loop.time() - start >= 0.1
        loop.call_soon(reader.follow.wake)
        async with asyncio.timeout(TIMEOUT_S):
            assert await reader.follow.receive(1_000) == []


# Renaming.


@follows
async def test_a_renamed_file_is_read_until_its_writer_opens_the_new_one(log: Path):
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        with log.open("a") as old:
            log.rename(f"{log}.1")
            print("b", file=old, flush=True)
            await reader.until("b")
            log.write_text("")
            print("c", file=old, flush=True)
            await reader.until("c")
            print("d", file=old, flush=True)
            append(log, "e\n")
            await reader.until("d", "e")
            print("f", file=old, flush=True)
            await reader.until("f")


@follows
async def test_files_rotated_between_two_checks_are_read_in_order(log: Path):
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        append(log, "b\n")
        log.rename(f"{log}.3.gz.plain")
        Path(f"{log}.3.gz").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
        Path(f"{log}.3.gz.plain").unlink()
        Path(f"{log}.2.gz").write_bytes(gzip.compress(b"c\n") + gzip.compress(b"d\n"))
        Path(f"{log}.1").write_text("e\n")
        log.write_text("f\n")
        await reader.until("b", "c", "d", "e", "f")
        # Another log, an unfinished one, and one that cannot be unpacked.
        Path(f"{log}-ssl").write_text("no\n")
        Path(f"{log}.9.tmp").write_text("no\n")
        Path(f"{log}.9.bz2").write_bytes(bz2.compress(b"no\n"))
        log.rename(f"{log}.0")
        log.write_text("g\n")
        await reader.until("g")
        await reader.nothing_more()


@follows
async def test_a_file_rotated_before_the_start_is_not_read_when_it_is_compressed_later(log: Path):
    log.write_text("b\n" * 1_000)
    old = Path(f"{log}.1")
    old.write_text("a\n" * 1_000)
    async with following(log, from_end=True) as reader:
        await reader.nothing_more()
        Path(f"{log}.2.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
        log.rename(old)
        log.write_text("c\n")
        await reader.until("c")
        Path(f"{log}.3.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()
        log.rename(old)
        log.write_text("d\n")
        await reader.until("d")
        await reader.nothing_more()


@follows
async def test_a_quiet_old_file_is_closed_after_its_last_line(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "QUIET_S", 0.1)
    log.write_text("a\nno newline")
    async with following(log) as reader:
        await reader.until("a")
        log.rename(f"{log}.1")
        log.write_text("b\n")
        await reader.until("b", "no newline")
        (name,) = reader.follow._logs
        assert name._held == []


@follows
async def test_more_old_files_than_may_be_open_are_read_and_closed(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "MAX_HELD", 2)
    async with following(log) as reader:
        for n in range(5):
            log.write_text(f"{n}\n")
            await reader.until(f"{n}")
            log.rename(f"{log}.{9 - n}")
        await reader.nothing_more()
        (name,) = reader.follow._logs
        assert len(name._held) <= 2


@follows
async def test_a_file_renamed_away_and_back_is_not_read_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "QUIET_S", 0.1)
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        log.rename(f"{log}.1")
        log.write_text("b\n")
        await reader.until("b")
        (name,) = reader.follow._logs
        async with asyncio.timeout(TIMEOUT_S):
            while name._held:
                await reader.receive()
        Path(f"{log}.1").replace(log)
        append(log, "c\n")
        await reader.until("c")


@follows
async def test_a_symbolic_link_is_followed_to_its_new_target(tmp_path: Path):
    (tmp_path / "one").write_text("a\n")
    (tmp_path / "two").write_text("c\n")
    (tmp_path / "two.1").write_text("an older one\n")
    link = tmp_path / "current"
    link.symlink_to("one")
    async with following(link) as reader:
        await reader.until("a")
        append(tmp_path / "one", "b\n")
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(link)
        await reader.until("b", "c")
        await reader.nothing_more()


@pytest.mark.parametrize("begun", ["", "a\n"])
@follows
async def test_a_renamed_log_is_still_read_if_no_new_one_appears(log: Path, begun: str):
    log.write_text(begun)
    async with following(log) as reader:
        await reader.until(*begun.split())
        with log.open("a") as out:
            log.rename(f"{log}.1")
            await reader.nothing_more()
            print("b", file=out, flush=True)
            await reader.until("b")
        log.write_text("c\n")
        await reader.until("c")
        await reader.nothing_more()


@follows
async def test_rotated_files_that_keep_the_extension_are_found(log: Path):
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        log.rename(log.with_name("access.3.log"))
        log.with_name("access.2.log.gz").write_bytes(gzip.compress(b"b\n"))
        log.with_name("access.1.log").write_text("c\n")
        # Other logs.
        log.with_name("access-2.log").write_text("no\n")
        log.with_name("access.ssl.log").write_text("no\n")
        log.write_text("d\n")
        await reader.until("b", "c", "d")
        log.with_name("access-20260102.log").write_text("d\ne\n")
        log.write_text("f\n")
        await reader.until("e", "f")
        await reader.nothing_more()


# Copying and truncating.


@pytest.mark.parametrize("packed", [False, True])
@follows
async def test_lines_that_only_the_copy_contains_are_read_from_it(
    log: Path, *, packed: bool, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\nbe")
    async with following(log) as reader:
        await reader.until("a")
        whole = log.read_bytes() + b"gun\nb\nen"
        if packed:
            Path(f"{log}.1.gz").write_bytes(gzip.compress(whole))
        else:
            Path(f"{log}.1").write_bytes(whole)
        log.write_text("d\n")
        await reader.until("begun", "b", "en", "d")
        await reader.nothing_more()
    assert not caplog.records


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", [NUMBERS, "a\nb\n", HEADER], ids=["long", "short", "header"])
@follows
async def test_lines_read_between_copy_and_truncation_are_not_read_again(
    log: Path, *, packed: bool, text: str, caplog: pytest.LogCaptureFixture
):
    log.write_text(text)
    async with following(log) as reader:
        await reader.until(*text.splitlines())
        shutil.copyfile(log, f"{log}.1")
        append(log, "between\nbe")
        await reader.until("between")
        log.write_text("")
        await reader.until("be")
        append(log, "after\n")
        await reader.until("after")
        if packed:
            Path(f"{log}.1.gz").write_bytes(gzip.compress(Path(f"{log}.1").read_bytes()))
            Path(f"{log}.1").unlink()
        await settled(reader)
        log.rename(f"{log}.0")
        log.write_text("new\n")
        await reader.until("new")
        await reader.nothing_more()
    assert not caplog.records


@follows
async def test_the_longer_of_two_copies_is_read(log: Path, caplog: pytest.LogCaptureFixture):
    log.write_text(NUMBERS)
    async with following(log) as reader:
        await reader.until(*NUMBERS.split())
        # The order of the listing is arbitrary, so there is one on each side.
        for early in ("0", "2", "bak"):
            shutil.copyfile(log, f"{log}.{early}")
        append(log, "b\n")
        await reader.until("b")
        append(log, "c\n")
        shutil.copyfile(log, f"{log}.1")
        log.write_text("d\n")
        await reader.until("c", "d")
        await settled(reader)
    assert not caplog.records


@follows
async def test_lines_written_to_the_old_file_during_compression_are_read_once(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "QUIET_S", 0.1)
    log.write_text(NUMBERS)
    async with following(log) as reader:
        await reader.until(*NUMBERS.split())
        with log.open("a") as old:
            log.rename(f"{log}.1")
            log.write_text("")
            packed = gzip.compress(Path(f"{log}.1").read_bytes())
            print("late", file=old, flush=True)
            await reader.until("late")
            Path(f"{log}.1.gz").write_bytes(packed)
            Path(f"{log}.1").unlink()
        append(log, "a\n")
        await reader.until("a")
        await settled(reader)


@follows
async def test_a_file_with_the_same_beginning_but_new_lines_is_read(log: Path):
    log.write_text(HEADER + NUMBERS)
    async with following(log) as reader:
        await reader.until(*HEADER.splitlines(), *NUMBERS.split())
        log.rename(f"{log}.3")
        Path(f"{log}.2").write_text(HEADER + "another\n" * 400)
        Path(f"{log}.1.gz").write_bytes(gzip.compress((HEADER + "a third\n" * 400).encode()))
        log.write_text("new\n")
        await reader.count(801 + 2 * len(HEADER.splitlines()))
        assert [reader.lines.count(line) for line in ("another", "a third", "new")] == [400, 400, 1]


@follows
async def test_truncation_is_detected_even_if_the_file_has_grown_longer_since(log: Path):
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        Path(f"{log}.1").write_text("a\nb\n")
        log.write_text("c\nd\ne\n")
        await reader.until("b", "c", "d", "e")


@follows
async def test_the_reader_waits_for_a_copy_that_is_being_compressed(log: Path):
    log.write_text(NUMBERS)
    async with following(log) as reader:
        await reader.until(*NUMBERS.split())
        packed = gzip.compress((NUMBERS + "b\n").encode())
        with Path(f"{log}.1.gz").open("wb") as copy:
            copy.write(packed[:3_000])
            copy.flush()
            log.write_text("c\n")
            await reader.nothing_more()
            copy.write(packed[3_000:-9])
            copy.flush()
            await reader.until("b")
            await reader.nothing_more()
            copy.write(packed[-9:])
        await reader.until("c")


@follows
async def test_a_copy_that_is_never_finished_is_abandoned(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rotation, "UNFINISHED_S", 0.2)
    log.write_text(NUMBERS)
    async with following(log) as reader:
        await reader.until(*NUMBERS.split())
        Path(f"{log}.1.gz").write_bytes(gzip.compress((NUMBERS + "b\n").encode())[:3_000])
        log.write_text("c\n")
        await reader.until("c")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@follows
async def test_truncation_without_a_copy_is_reported_once(
    log: Path, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\nb")
    async with following(log) as reader:
        await reader.until("a")
        log.write_text("")
        await reader.until("b")
        append(log, "c\n")
        await reader.until("c")
        await reader.nothing_more()
    (record,) = caplog.records
    assert record.getMessage() == lost(log)


@follows
async def test_content_left_by_a_truncation_is_read_again_and_reported(
    log: Path, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\nb\nc\n")
    async with following(log) as reader:
        await reader.until("a", "b", "c")
        os.truncate(log, 4)
        await reader.until("a", "b")
        append(log, "d\n")
        await reader.until("d")
    (record,) = caplog.records
    assert record.getMessage() == lost(log)


@follows
async def test_the_hole_left_by_a_writer_without_append_mode_is_skipped(log: Path):
    with log.open("wb") as out:
        out.write(b"a\n" * 100_000)
        out.flush()
        async with following(log) as reader:
            await reader.count(100_000)
            reader.lines.clear()
            os.truncate(log, 0)
            await reader.nothing_more()
            out.write(b"b\n")
            out.flush()
            await reader.until("b")


@follows
async def test_a_hole_that_exists_at_the_start_is_skipped(log: Path):
    with log.open("wb") as out:
        out.seek(3 * 1024 * 1024)
        out.write(b"a\n")
    async with following(log) as reader:
        await reader.until("a")
        append(log, "b\n")
        await reader.until("b")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@follows
async def test_utf_16_is_followed_through_a_rotation(log: Path, encoding: str):
    """As asked for in fluent/fluent-bit#9321; no line is read twice."""

    def write(text: str, mode: str = "ab") -> None:
        with log.open(mode) as out:
            out.write(text.encode(encoding))

    write("\ufeffa\n\u0a0a\u0a00")
    async with following(log) as reader:
        await reader.until("a")
        write("b\n\n"[:2])
        await reader.until("\u0a0a\u0a00b")
        log.rename(f"{log}.1")
        write("\ufeffc\nd\n")
        await reader.until("c", "d")
        write("\ufeffe\n", "wb")
        await reader.until("e")
    # Offsets are those in the file.
    assert {6, 14, 10} <= {position.offset for position, _ in reader.chunks if position}
    write("\u0a0af\ng")
    async with following(log, from_end=True) as reader:
        write("h\ni\n")
        await reader.until("gh", "i")


# Files that cannot be followed, or not yet.


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Create a directory and drop root's privileges, which would allow reading everything."""
    user = os.geteuid()
    # A module imported on demand may be readable only by root.
    early = changes.Changes()
    early.begin()
    early.close()
    with tempfile.TemporaryDirectory() as directory:
        if user == 0:
            os.chown(directory, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(directory)
        finally:
            os.seteuid(user)


@follows
async def test_an_unreadable_file_is_reported_once_and_retried(
    unprivileged: Path, caplog: pytest.LogCaptureFixture
):
    log = unprivileged / "access.log"
    log.write_text("a\n")
    log.chmod(0)
    async with following(log) as reader:
        assert reader.opening == f"following {log}; waiting for {log} (permission denied)"
        await reader.nothing_more()
        log.chmod(0o600)
        await reader.until("a")
        # A file that is already open is still read.
        log.chmod(0)
        with log.parent.joinpath("new").open("w") as new:
            new.write("b\n")
        log.parent.joinpath("new").chmod(0)
        log.parent.joinpath("new").replace(log)
        await reader.nothing_more()
        log.chmod(0o600)
        await reader.until("b")
    message = f"{log}: permission denied; trying again until it can be read"
    assert [record.getMessage() for record in caplog.records] == [message, message]


@follows
async def test_a_name_that_becomes_a_directory_is_reported_once_and_retried(
    log: Path, caplog: pytest.LogCaptureFixture
):
    log.write_text("a\n")
    async with following(log) as reader:
        await reader.until("a")
        log.rename(f"{log}.1")
        log.mkdir()
        await reader.nothing_more()
        log.rmdir()
        log.write_text("b\n")
        await reader.until("b")
    (record,) = caplog.records
    assert record.getMessage() == f"{log}: is a directory; trying again until it can be read"


def test_sources_that_cannot_be_followed_are_refused(tmp_path: Path):
    with pytest.raises(IsADirectoryError):
        check_followed(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TailraceError, match="pipe: not a regular file, so it cannot be followed"):
        check_followed(str(tmp_path / "pipe"))
    (tmp_path / "packed").write_bytes(gzip.compress(b"a\n"))
    with pytest.raises(
        TailraceError,
        match="a compressed file cannot be followed; nothing is appended to it; leave out",
    ):
        check_followed(str(tmp_path / "packed"))
    (tmp_path / "packed").write_bytes(bz2.compress(b"a\n"))
    with pytest.raises(TailraceError, match="a compressed file"):
        check_followed(str(tmp_path / "packed"))
    with pytest.raises(TailraceError, match="standard input"):
        check_followed("-")
    with pytest.raises(TailraceError, match="empty"):
        check_followed("")
    check_followed(str(tmp_path / "not there"))


@follows
async def test_one_file_under_two_names_is_refused(log: Path, tmp_path: Path):
    log.touch()
    (tmp_path / "link").symlink_to(log)
    with pytest.raises(TailraceError, match=r"access.log and .*link: the same file is given twice"):
        async with following(log, tmp_path / "link"):
            pass


@follows
async def test_a_file_that_is_rotated_to_another_followed_name_is_read_once(
    log: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "QUIET_S", 0.1)
    old = Path(f"{log}.1")
    log.write_text("b\n")
    old.write_text("a\n")
    async with following(old, log) as reader:
        await reader.until("a", "b")
        log.replace(old)
        log.write_text("c\n")
        await reader.until("c")
        (_, name) = reader.follow._logs
        async with asyncio.timeout(TIMEOUT_S):
            while name._held:
                await reader.receive()
        await reader.nothing_more()


# Under load: a process that writes at full speed and rotates.


@pytest.mark.parametrize(
    "kind",
    [
        "rename",
        "lagging",
        "dated",
        "renamed_and_compressed",
        "copytruncate",
        "copytruncate_and_compressed",
    ],
)
@follows
async def test_every_line_is_read_once_during_rotation_at_full_speed(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with following(tmp_path / "access.log") as reader:
        writer = await asyncio.create_subprocess_exec(
            sys.executable, ROTATING, kind, tmp_path, str(ROUNDS), stdout=subprocess.PIPE
        )
        end = asyncio.ensure_future(writer.communicate())
        while not end.done():
            await reader.receive()
        written = int((await end)[0])
        await reader.count(written)
        await reader.receive(0.3)

        assert written > ROUNDS * 4_000
        assert sorted(reader.lines) == [
            f"line {n:09} of a log that is rotated" for n in range(written)
        ]
    # Nothing was lost, so nothing is reported.
    assert not caplog.records


@pytest.mark.parametrize(
    "kind", ["copied_early", "copied_early_and_compressed", "compressed_early"]
)
@follows
async def test_lines_written_while_the_log_is_copied_are_read_once(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rotation, "QUIET_S", 0.1)
    async with following(tmp_path / "access.log") as reader:
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, ROTATING, kind, tmp_path, str(ROUNDS)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert writer.stdin
        assert writer.stdout
        # Once per round, and at the end.
        for _ in range(ROUNDS + 1):
            reading = asyncio.ensure_future(writer.stdout.readline())
            while not reading.done():
                await reader.receive()
            written = int(await reading)
            await reader.count(written)
            writer.stdin.write(b"\n")
        await writer.communicate()
        lines = reader.lines
        reader.lines = []
        await settled(reader)

    assert len(lines) == written
    assert sorted(lines) == [f"line {n:09} of a log that is rotated" for n in range(written)]
    assert not caplog.records


# Positions.


def contents(directory: Path) -> list[bytes]:
    files = [(path.suffix, path.read_bytes()) for path in directory.iterdir()]
    return [gzip.decompress(data) if suffix == ".gz" else data for suffix, data in files]


def matches_content(position: FilePosition | None, content: bytes) -> bool:
    """Return whether a position belongs to this content, as a restarted program decides it."""
    assert position is not None
    size = min(4096, position.offset)
    before = content[: position.offset].endswith(position.before)
    return before and content[:size] == position.head[:size]


@pytest.mark.parametrize(
    "kind",
    ["rename", "copytruncate", "renamed_and_compressed", "copytruncate_and_compressed"],
)
@follows
async def test_content_after_a_position_was_not_delivered_yet(kind: str, tmp_path: Path):
    async with following(tmp_path / "access.log") as reader:
        writer = await asyncio.create_subprocess_exec(
            sys.executable, ROTATING, kind, tmp_path, "5", stdout=subprocess.PIPE
        )
        end = asyncio.ensure_future(writer.communicate())
        while not end.done():
            await reader.receive()
        await reader.count(int((await end)[0]))

    rest = dict.fromkeys(contents(tmp_path), b"")
    assert len(rest) == 6
    for position, data in reversed(reader.chunks):
        (content,) = [each for each in rest if matches_content(position, each)]
        assert position is not None
        assert content[position.offset :] == rest[content]
        rest[content] = data + rest[content]
    assert all(content == read for content, read in rest.items())


@follows
async def test_positions_give_the_next_line_after_a_start_from_the_end(log: Path):
    log.write_text("#Fields: a b\n1 2\n3 ")
    async with following(log, from_end=True, header="fields") as reader:
        append(log, "4\n5 6\n7")
        await reader.until("#Fields: a b", "3 4", "5 6")
        log.rename(f"{log}.1")
        append(log, "8\n")
        await reader.until("8")
    old = Path(f"{log}.1").read_bytes()
    (header, first, second) = [position for position, _ in reader.chunks]
    # Repeated lines do not advance the position.
    assert header is None
    assert first is not None
    assert matches_content(first, old)
    assert old[first.offset :] == b"7"
    assert second is not None
    assert (second.path, second.offset, second.before) == (str(log), 2, b"8\n")
