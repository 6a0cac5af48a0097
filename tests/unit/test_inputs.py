"""
Inputs that are not plain UTF-8: UTF-16, holes of zeros, damaged compressed data.

The reports that the cases come from are named; the text of the logs is made up.
"""

import bz2
import codecs
import gzip
import itertools
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND

import tailrace as tr
from tailrace._sources.cutter import Cutter
from tailrace._sources.plain import PlainText, hole_end
from tailrace._sources.positions import Positions
from tailrace._sources.unpacking import DamagedError, Unpacked, Unpacker, packing

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LINES = [
    f'192.0.2.{n % 256} - - [05/Feb/2024:11:56:{n % 60:02} +0000] "GET /é{n} HTTP/1.1" 200 {n}\n'
    for n in range(2_000)
]
LOG = "".join(LINES).encode()
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
KINDS = pytest.mark.parametrize("kind", PACK)


def top(*arguments: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Return the exit code of the command, the count of its result, and its messages."""
    ran = subprocess.run(
        [*COMMAND, "top", *arguments, "--by", "protocol", "--format", "csv"],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    last = ran.stdout.decode().splitlines()[-1:]
    return ran.returncode, "".join(last).rpartition(",")[2], ran.stderr.decode()


# --- UTF-16 ---------------------------------------------------------------------------------------

BOMS = {"little": codecs.BOM_UTF16_LE, "big": codecs.BOM_UTF16_BE}

# PowerShell's `>` and Out-File (PowerShell/PowerShell#8592), SQL Server's ERRORLOG
# (fluent/fluent-bit#9321), NLog with UTF-16 (NLog/NLog#2533).
UTF_16 = {
    "little": codecs.BOM_UTF16_LE + LOG.decode().encode("utf-16-le"),
    "big": codecs.BOM_UTF16_BE + LOG.decode().encode("utf-16-be"),
    "little, CRLF": codecs.BOM_UTF16_LE + LOG.decode().replace("\n", "\r\n").encode("utf-16-le"),
    "little, after a hole": b"\0" * 5_000 + codecs.BOM_UTF16_LE + LOG.decode().encode("utf-16-le"),
}


@pytest.mark.parametrize("data", UTF_16.values(), ids=UTF_16)
@pytest.mark.parametrize("way", ["file", "stdin", "gzip", "xz"])
def test_utf_16_with_a_mark_is_read(data: bytes, way: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    if way == "stdin":
        found = top(stdin=data)
    else:
        path.write_bytes(PACK[way](data) if way in PACK else data)
        found = top(str(path))
    assert found[:2] == (0, "2000"), found[2]
    if way == "file":
        (row, *_) = tr.from_files(path).count(by="url").sorted().collect()
        assert row["url"].startswith("/é")


def test_the_end_of_utf_16_inside_a_character_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    whole = UTF_16["little"]
    path.write_bytes(whole[:-1])
    code, count, messages = top(str(path))
    # The last line has U+FFFD after its size.
    assert (code, count) == (1, "1999")
    assert f"{path}: expected two bytes for each character of UTF-16" in messages
    code, _, messages = top(stdin=whole + b"x")
    assert code == 1
    assert "standard input: expected two bytes" in messages


@given(
    text=st.text(st.characters(exclude_characters="\ufeff"), max_size=40),
    mark=st.sampled_from(["", "little", "big"]),
    hole=st.integers(0, 5),
    cuts=st.lists(st.integers(0, 100)),
)
def test_text_is_the_same_wherever_its_bytes_are_split(
    text: str, mark: str, hole: int, cuts: list[int]
) -> None:
    text = text.lstrip("\0")
    data = text.encode()
    if mark:
        data = BOMS[mark] + text.encode(f"utf-16-{mark[0]}e")
    whole = b"\0" * hole + data
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    plain = PlainText()
    parts = [plain.feed(whole[start:end]) for start, end in itertools.pairwise(edges)]
    assert b"".join([*parts, plain.finish()]) == text.encode()
    assert not plain.is_cut


def test_half_a_pair_of_surrogates_is_one_replacement() -> None:
    plain = PlainText()
    data = codecs.BOM_UTF16_LE + b"a\0" + b"\x3d\xd8" + b"b\0" + b"\x3d\xd8"
    parts = [plain.feed(data[place : place + 1]) for place in range(len(data))]
    assert b"".join(parts) + plain.finish() == "a\ufffdb\ufffd".encode()
    assert plain.is_cut


def test_a_cutter_in_the_middle_of_utf_16_continues_it() -> None:
    data = codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le")
    cutter = Cutter(log=Positions().begin("x"))
    first = list(cutter.feed(data[:6]))
    resumed = Cutter(log=Positions().begin("x"))
    resumed.content = cutter.content
    second = list(resumed.feed(data[6:]))
    assert [chunk.data for chunk in first + second] == [b"a\n", b"b\n"]
    ends = [chunk.position.offset for chunk in first + second if chunk.position]
    assert ends == [6, 10]


# --- holes ----------------------------------------------------------------------------------------


# A file whose writer kept its offset when copytruncate truncated it: logrotate/logrotate#286 (nc),
# logrotate/logrotate#363, sirupsen/logrus#281, ossrs/srs#1554, papertrail/go-tail#1.
@pytest.mark.parametrize("hole", [1, 4_095, 1_300_000])
@pytest.mark.parametrize("way", ["file", "stdin", "redirected", "gzip", "zstd"])
def test_a_hole_before_the_first_line_is_skipped(hole: int, way: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    data = b"\0" * hole + LOG
    path.write_bytes(PACK[way](data) if way in PACK else data)
    if way == "stdin":
        found = top(stdin=data)
    elif way == "redirected":
        with path.open("rb") as file:
            ran = subprocess.run(
                [*COMMAND, "top", "--by", "protocol", "--format", "csv"],
                stdin=file,
                capture_output=True,
                timeout=60,
                check=False,
            )
        found = ran.returncode, ran.stdout.decode().split(",")[-1].strip(), ran.stderr.decode()
    else:
        found = top(str(path))
    assert found[:2] == (0, "2000")
    assert "2,000 lines: 2,000 counted\n" in found[2]


def test_a_hole_of_terabytes_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with path.open("wb") as file:
        file.seek(2**40)
        file.write(LOG)
    assert tr.from_files(path).count(by="host").collect().total == 2_000
    with path.open("rb") as file:
        assert hole_end(file.fileno()) == 2**40


def test_zeros_alone_are_an_empty_log_and_others_are_bytes_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"\0" * 10_000)
    assert tr.from_files(path, format="combined").count(by="host").collect().lines["fed"] == 0
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), 10_000)
    assert tr.from_files(path, format="combined").count(by="host").collect().lines["fed"] == 0
    path.write_bytes(LOG + b"\0" * 100 + LOG)
    counts = tr.from_files(path, format="combined").count(by="host").collect().lines
    assert (counts["fed"], counts["counted"]) == (4_000, 4_000)


# --- damaged compressed data ----------------------------------------------------------------------


def counted_lines(text: bytes) -> int:
    """Return the number of complete lines."""
    return text.count(b"\n")


def read_until_damage(whole: bytes, size: int) -> tuple[bytes, Exception]:
    found = packing(whole)
    assert found is not None
    rest = iter([whole[at : at + 50_000] for at in range(0, len(whole), 50_000)])
    unpacked = Unpacked(lambda: next(rest, b""), found)
    text = bytearray()
    try:
        while part := unpacked.read(size):
            text += part
    except (DamagedError, EOFError) as error:
        return bytes(text), error
    raise AssertionError("no damage was found")


@KINDS
@pytest.mark.parametrize("size", [1_000, 1024 * 1024])
def test_all_text_before_a_wrong_checksum_is_returned(kind: str, size: int) -> None:
    """As of a disk error in the last bytes; gzip -dc and xz -dc write it too."""
    if kind == "zstd":
        options = {zstd.CompressionParameter.checksum_flag: 1}
        whole = bytearray(zstd.compress(LOG, options=options))
        whole[-1] ^= 1
    elif kind == "bzip2":
        # The checksum of a block comes before it, that of the stream last.
        whole = bytearray(bz2.compress(LOG))
        whole[-3] ^= 0x55
    elif kind == "xz":
        # The checksum of the block comes before the index, whose size is in the footer.
        whole = bytearray(lzma.compress(LOG, check=lzma.CHECK_CRC32))
        index = (int.from_bytes(whole[-8:-4], "little") + 1) * 4
        whole[-12 - index - 1] ^= 1
    else:
        whole = bytearray(gzip.compress(LOG))
        whole[-8] ^= 1
    text, error = read_until_damage(bytes(whole), size)
    assert isinstance(error, DamagedError)
    assert text == LOG


@pytest.mark.parametrize("kind", ["gzip", "xz", "zstd"])
def test_text_before_damage_in_the_middle_is_returned(kind: str) -> None:
    """As much as an implementation gives that gets one byte after the other."""
    whole = bytearray(PACK[kind](LOG))
    middle = len(whole) // 2
    whole[middle : middle + 50] = b"\xff" * 50
    found = packing(bytes(whole))
    assert found is not None
    expected = bytearray()
    naive = Unpacked(lambda: b"", found)
    member = naive._open()
    member = getattr(member, "_member", member)
    try:
        for place in range(len(whole)):
            expected += member.decompress(bytes(whole[place : place + 1]))
    except naive._error:
        pass
    for size in 777, 1024 * 1024:
        text, _ = read_until_damage(bytes(whole), size)
        assert text == expected


@KINDS
@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"garbage after the stream", "other data follow"),
        (b"\0" * 20 + b"x" * 20, "other data follow"),
    ],
)
def test_garbage_after_the_end_is_reported(
    kind: str, garbage: bytes, why: str, tmp_path: Path
) -> None:
    """From logstash-plugins/logstash-output-file#79 and sile/libflate#75; gzip -d warns too."""
    path = tmp_path / "access.log.1"
    path.write_bytes(PACK[kind](LOG) + garbage)
    code, count, messages = top(str(path))
    assert (code, count) == (1, "2000")
    assert f"damaged compressed data after {len(LOG):,} bytes of text ({why})" in messages


@KINDS
def test_zeros_after_the_end_are_padding(kind: str, tmp_path: Path) -> None:
    """From ClickHouse/ClickHouse#111104."""
    path = tmp_path / "access.log.1"
    path.write_bytes(PACK[kind](LOG) + b"\0" * 17)
    assert top(str(path))[:2] == (0, "2000")


@pytest.mark.parametrize("where", ["header", "middle", "trailer"])
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_truncated_gzip_log_is_counted_up_to_the_cut(
    where: str, way: str, tmp_path: Path
) -> None:
    """From logstash-plugins/logstash-input-file#321 and bixo/bixo#68."""
    whole = gzip.compress(LOG)
    cut = {"header": 5, "middle": len(whole) // 2, "trailer": len(whole) - 3}[where]
    path = tmp_path / "access.log.gz"
    path.write_bytes(whole[:cut])
    text, error = read_until_damage(whole[:cut], 1024 * 1024)
    assert isinstance(error, EOFError)
    code, count, messages = top(str(path)) if way == "file" else top(stdin=whole[:cut])
    if where == "header":
        assert code == 1
    else:
        assert (code, count) == (1, str(counted_lines(text)))
    assert f"truncated compressed data after {len(text):,} bytes of text" in messages


def test_a_damaged_stream_names_how_far_it_was_read() -> None:
    whole = bytearray(gzip.compress(LOG))
    whole[-8] ^= 1
    found = packing(bytes(whole))
    assert found is not None
    unpacker = Unpacker(found, "x.gz", 1024)
    parts: list[bytes] = []
    with pytest.raises(tr.TailraceError, match=f"damaged compressed data after {len(LOG):,} bytes"):
        parts.extend(unpacker.feed(bytes(whole)))
    assert b"".join(parts) == LOG
