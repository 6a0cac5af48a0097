"""Unpacking piece by piece, compared with the modules and programs that pack."""

import bz2
import gzip
import lzma
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND

import tailrace as tr
from tailrace._errors import TailraceError
from tailrace._sources import text
from tailrace._sources.text import File
from tailrace._sources.unpacking import (
    LONGEST_MAGIC,
    DamagedError,
    Unpacked,
    Unpacker,
    may_be,
    packing,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstd.compress(data, 1),
}
KINDS = pytest.mark.parametrize("kind", PACK)
MEMBERS = st.lists(st.binary(max_size=200) | st.just(b"line\n" * 2_000), min_size=1, max_size=4)
LINE = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /%d HTTP/1.1" 200 5 "-" "x"\n'
NOISE = random.Random(5)  # noqa: S311 - a seed that gives the same bytes
LOG = b"".join(LINE % (number % 7) for number in range(3_000))


def read_all(unpacked: Unpacked, size: int, got: bytearray) -> None:
    while part := unpacked.read(size):
        assert len(part) <= size
        got += part


def unpacked_of(file: int, packed: bytes) -> Unpacked:
    found = packing(packed)
    assert found is not None
    return Unpacked.of_file(file, found)


def counted(path: Path) -> int:
    (answer,) = tr.from_files(path).count(by="url").sorted().run()
    return answer.total


@KINDS
@given(
    members=MEMBERS,
    size=st.integers(100, 70_000),
    padding=st.sampled_from([b"", b"\0" * 8]),
    data=st.data(),
)
def test_packed_data_is_unpacked_even_while_it_is_being_written(
    kind: str, members: list[bytes], size: int, padding: bytes, data: st.DataObject
):
    packed = [PACK[kind](member) for member in members]
    cut = data.draw(st.integers(0, len(packed[0]) - 1))
    whole = b"".join(packed) + padding
    got = bytearray()
    with tempfile.TemporaryFile() as file:
        unpacked = unpacked_of(file.fileno(), whole)
        file.write(whole[:cut])
        file.flush()
        with pytest.raises(EOFError):
            read_all(unpacked, size, got)
        file.write(whole[cut:])
        file.flush()
        read_all(unpacked, size, got)

        assert b"".join(members) == got
        assert unpacked.read(size) == b""


@KINDS
@given(members=MEMBERS, piece=st.integers(1, 5_000), data=st.data())
def test_a_stream_can_be_split_anywhere(
    kind: str, members: list[bytes], piece: int, data: st.DataObject
):
    whole = b"".join(PACK[kind](member) for member in members)
    step = data.draw(st.integers(1, len(whole)))
    found = packing(whole)
    assert found is not None
    unpacker = Unpacker(found, "x", piece)
    got = [
        part for at in range(0, len(whole), step) for part in unpacker.feed(whole[at : at + step])
    ]
    unpacker.finish()

    assert b"".join(members) == b"".join(got)
    assert all(len(part) <= piece for part in got)


@KINDS
def test_a_packing_is_recognized_by_its_first_bytes(kind: str):
    packed = PACK[kind](b"line\n")
    found = packing(packed[:LONGEST_MAGIC])
    assert found is not None
    assert found.name == kind
    recognized = [size for size in range(LONGEST_MAGIC + 1) if packing(packed[:size])]
    assert recognized == list(range(recognized[0], LONGEST_MAGIC + 1))
    assert [may_be(packed[:size]) for size in range(recognized[0])] == [True] * recognized[0]


@pytest.mark.parametrize(
    "head",
    [b"BZh9.example.com - - [", b"BZ - -", b"PK\x03\x04", b"(host) - -", b"\x1f\x8b\x00\x00"],
)
def test_a_line_is_not_mistaken_for_compressed_data(head: bytes):
    assert packing(head) is None
    assert not may_be(head)


@KINDS
def test_data_before_damage_is_read(kind: str):
    packed = PACK[kind](NOISE.randbytes(100_000)) + PACK[kind](LOG)
    middle = len(PACK[kind](LOG)) // 2
    broken = bytearray(packed)
    broken[-middle:] = bytes(byte ^ 0x55 for byte in broken[-middle:])
    got = bytearray()
    with tempfile.TemporaryFile() as file:
        file.write(broken)
        file.flush()
        # Damaged lengths that point past the end may look like input that is still incomplete.
        with pytest.raises((DamagedError, EOFError)):
            read_all(unpacked_of(file.fileno(), packed), 10_000, got)
    assert len(got) >= 100_000


@KINDS
@pytest.mark.parametrize("members", [1, 3])
def test_a_compressed_log_is_counted_under_any_name(kind: str, members: int, tmp_path: Path):
    path = tmp_path / "access.log"
    path.write_bytes(PACK[kind](LOG) * members)
    assert counted(path) == 3_000 * members


@KINDS
def test_a_truncated_log_is_counted_up_to_the_cut(kind: str, tmp_path: Path):
    log = b"".join(LINE % NOISE.randrange(10**9) for _ in range(30_000))
    path = tmp_path / "access.log"
    path.write_bytes(PACK[kind](log)[:-2_000])
    chunks = File(str(path)).parts()[0]
    got = bytearray()

    def read() -> None:
        for chunk in chunks:
            got.extend(chunk.data[chunk.span[0] : chunk.span[1]])

    with pytest.raises(
        TailraceError,
        match=rf"access\.log: truncated compressed data after [0-9,]+ bytes of text; "
        rf"check it with {kind} -t",
    ):
        read()
    assert len(got) > len(log) // 2
    assert log.startswith(got)
    assert got.endswith(b"\n")


@KINDS
def test_a_compression_bomb_is_unpacked_in_bounded_memory(kind: str, tmp_path: Path):
    path = tmp_path / "bomb"
    line = b"x" * 1_023 + b"\n"
    path.write_bytes(PACK[kind](line * 1_024) * 300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(chunk.span[1] - chunk.span[0] for part in File(str(path)).parts() for chunk in part)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert size == 300 * 1024 * 1024
    assert after - before < 64 * 1024  # KiB


def test_a_header_that_requests_gigabytes_allocates_little(tmp_path: Path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(LOG, filters=filters, check=lzma.CHECK_NONE))
    # The size of the dictionary, now 4 GiB, and the checksum of that header.
    at = packed.index(b"\x21\x01") + 2
    packed[at] = 40
    import zlib  # noqa: PLC0415

    packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")
    path = tmp_path / "access.log"
    path.write_bytes(packed)
    with pytest.raises(TailraceError, match="Memory usage limit"):
        list(File(str(path)).parts()[0])


@KINDS
def test_progress_counts_bytes_of_the_file_not_of_its_text(kind: str, tmp_path: Path):
    path = tmp_path / "access.log"
    path.write_bytes(PACK[kind](LOG))
    file = File(str(path))
    list(file.parts()[0])
    assert file.progress() == (path.stat().st_size, path.stat().st_size)


@KINDS
@pytest.mark.parametrize("verb", [["top", "--format", "csv"], ["top", "--window", "1d"]])
def test_a_pipe_is_unpacked_however_it_is_written(kind: str, verb: list[str]):
    packed = PACK[kind](LOG)
    command = [*COMMAND, *verb, "-n", "1", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for at in range(5):
            process.stdin.write(packed[at : at + 1])
            process.stdin.flush()
        out, err = process.communicate(packed[5:], timeout=60)
    assert process.returncode == 0, err
    assert b"429" in out


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("gzip", ["-9"]),
        ("bzip2", []),
        ("xz", ["-T2", "--block-size=30000"]),
        ("xz", ["-9e"]),
        ("zstd", ["-19"]),
        ("zstd", ["--long=27", "-T2"]),
        ("zstd", ["--no-check", "--fast"]),
    ],
)
def test_output_of_the_packing_programs_is_read(program: str, options: list[str], tmp_path: Path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    packed = subprocess.run(
        [program, *options, "-c"], input=LOG, capture_output=True, check=True
    ).stdout
    path = tmp_path / "access.log"
    path.write_bytes(packed)
    assert counted(path) == 3_000


def test_frames_that_zstd_skips_are_skipped(tmp_path: Path):
    skipped = b"\x51\x2a\x4d\x18\x04\x00\x00\x00abcd"
    path = tmp_path / "access.log"
    path.write_bytes(skipped + PACK["zstd"](LOG) + skipped + PACK["zstd"](LOG))
    assert counted(path) == 6_000


def test_without_the_package_the_error_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("compression", "backports", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "access.log"
    path.write_bytes(PACK["zstd"](LOG))
    with pytest.raises(TailraceError, match=r"access\.log: .*pip install 'tailrace\[zst\]'"):
        text.check_log(str(path))


def test_an_empty_log_is_empty_and_partial_magic_bytes_are_a_line(tmp_path: Path):
    path = tmp_path / "access.log"
    for data in (b"", b"BZh", b"\xfd7z"):
        path.write_bytes(data)
        chunks = list(File(str(path)).parts()[0])
        assert b"".join(chunk.data for chunk in chunks) == data
