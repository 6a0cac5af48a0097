"""Positions of chunks: where to continue reading, and how content is identified."""

import bz2
import gzip
import os
import tempfile
import threading
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace import _core
from tailrace._sources import FilePosition
from tailrace._sources.changes import Changes
from tailrace._sources.rotation import FollowedLog
from tailrace._sources.text import STDIN, File, Memory

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


def identity(text: bytes) -> bytes:
    return blake2b(text[:4096], digest_size=16).digest()


def read(path: Path, piece_bytes: int = 1 << 20) -> list[tuple[bytes, FilePosition]]:
    file = File(str(path))
    file._piece_bytes = piece_bytes
    chunks = []
    for chunk in file.parts()[0]:
        start, end = chunk.span
        assert isinstance(chunk.position, FilePosition)
        assert chunk.position.path == str(path)
        chunks.append((chunk.data[start:end], chunk.position))
    return chunks


def followed(path: Path) -> list[FilePosition]:
    """Follow a log by name and read what it contains."""
    log = FollowedLog(str(path), 0, Changes(), [])
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
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log"
        path.write_bytes(PACK[kind](text))
        chunks = read(path, piece)

    for number, (_, position) in enumerate(chunks):
        assert b"".join(data for data, _ in chunks[number + 1 :]) == text[position.offset :]
        assert position.identity == identity(text[: position.offset])


def test_a_position_after_a_line_that_is_too_long_includes_the_whole_line(tmp_path: Path):
    text = b"a\n" + b"x" * (_core.MAX_LINE_BYTES + 5_000) + b"\nb\n"
    (tmp_path / "log").write_bytes(text)

    offsets = [position.offset for _, position in read(tmp_path / "log", 1_000)]
    assert offsets == [2, len(text) - 2, len(text)]


@pytest.mark.parametrize("size", [10, 100_000])
def test_content_has_the_same_identity_in_pieces_of_any_size(tmp_path: Path, size: int):
    text = b"line\n" * (size // 5)
    found = set()
    for kind, pack in PACK.items():
        (tmp_path / kind).write_bytes(pack(text))
        found |= {position[1:] for _, position in read(tmp_path / kind)}
    (tmp_path / "moved").write_bytes(text)
    positions = followed(tmp_path / "moved")
    assert [position.path for position in positions] == [str(tmp_path / "moved")]
    assert found | {position[1:] for position in positions} == {(identity(text), len(text))}

    (tmp_path / "other").write_bytes(text.replace(b"l", b"n", 1))
    ((_, other),) = read(tmp_path / "other")
    assert other.identity != identity(text)


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
        for source in (File(str(tmp_path / "pipe")), Memory(["a", "b"]), File(STDIN)):
            assert [chunk.position for chunk in source.parts()[0]] == [None]
    writer.join()
