"""Positions of chunks: where to continue reading, and how content is identified."""

import bz2
import gzip
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tailrace import _core
from tailrace._sources import FilePosition
from tailrace._sources.changes import Changes
from tailrace._sources.positions import Positions
from tailrace._sources.rotation import FollowedLog
from tailrace._sources.text import STDIN, File, Memory
from tailrace._sources.unpacking import packing

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
}
KINDS = pytest.mark.parametrize("kind", PACK)
LINES = st.lists(
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")) | st.just(b"y" * 3_000),
    max_size=30,
)


def read(path: Path, piece_bytes: int = 1 << 20) -> list[tuple[bytes, FilePosition]]:
    file = File(str(path))
    file._piece_bytes = piece_bytes
    file.resume(Positions())
    chunks = []
    for chunk in file.parts()[0]:
        start, end = chunk.span
        assert isinstance(chunk.position, FilePosition)
        assert chunk.position.path == str(path)
        chunks.append((chunk.data[start:end], chunk.position))
    return chunks


def followed(path: Path) -> list[FilePosition]:
    """Follow a log by name and read what it contains."""
    log = FollowedLog(str(path), 0, Changes(), [], known=Positions().begin(str(path)))
    assert log.start(from_end=False) is None
    positions = []
    for chunks in iter(log.steps().__next__, None):
        positions += [chunk.position for chunk in chunks]
    log.close()
    return positions


@KINDS
@given(lines=LINES, piece=st.integers(1, 6_000), newline=st.booleans())
def test_content_after_a_position_was_not_delivered_yet(
    kind: str, lines: list[bytes], piece: int, *, newline: bool
):
    text = b"\n".join(lines) + b"\n" * newline
    assume(packing(text) is None)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(PACK[kind](text))
        chunks = read(path, piece)

    for number, (_, position) in enumerate(chunks):
        assert b"".join(data for data, _ in chunks[number + 1 :]) == text[position.offset :]
        read_before = text[: position.offset]
        assert position.head[: position.offset] == read_before[:4096]
        assert position.before == read_before[-256:]
        assert position.is_cut == (not read_before.endswith(b"\n"))


def test_a_position_after_a_line_that_is_too_long_includes_the_whole_line(tmp_path: Path):
    text = b"a\n" + b"x" * (_core.MAX_LINE_BYTES + 5_000) + b"\nb\n"
    (tmp_path / "log").write_bytes(text)

    offsets = [position.offset for _, position in read(tmp_path / "log", 1_000)]
    assert offsets == [2, len(text) - 2, len(text)]


@pytest.mark.parametrize("size", [10, 100_000])
def test_content_is_recognized_in_pieces_of_any_size(tmp_path: Path, size: int):
    text = b"line\n" * (size // 5)
    found = set()
    for kind, pack in PACK.items():
        (tmp_path / kind).write_bytes(pack(text))
        found |= {recognized(position) for _, position in read(tmp_path / kind)}
    (tmp_path / "moved").write_bytes(text)
    positions = followed(tmp_path / "moved")
    assert [position.path for position in positions] == [str(tmp_path / "moved")]
    found |= {recognized(position) for position in positions}
    assert found == {(text[:4096], text[-256:], len(text))}


def recognized(position: FilePosition) -> tuple[bytes, bytes, int]:
    return position.head, position.before, position.offset


def test_input_that_cannot_be_read_again_has_no_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "log"
    path.write_bytes(b"a\nb\n")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b"a\nb\n"])
    writer.start()
    with path.open("rb") as file:
        # Opened in the middle, as after a shell has read a line.
        file.seek(2)
        monkeypatch.setattr(os, "dup", lambda _, dup=os.dup: dup(file.fileno()))
        sources = (File(str(tmp_path / "pipe")), Memory(["a", "b"]), File(STDIN))
        for source in sources:
            if isinstance(source, File):
                source.resume(Positions())
            assert [chunk.position for chunk in source.parts()[0]] == [None]
    writer.join()
