"""Unpacking piece by piece, against Python's own gzip."""

import gzip
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.sources.gunzip import Gunzip

MEMBERS = st.lists(st.binary(max_size=200) | st.just(b"line\n" * 2_000), min_size=1, max_size=4)


def unpacked(gunzip: Gunzip, size: int, got: bytearray) -> None:
    while part := gunzip.read(size):
        assert len(part) <= size
        got += part


@settings(deadline=None)
@given(MEMBERS, st.integers(100, 70_000), st.sampled_from([b"", b"\0" * 9]), st.data())
def test_it_unpacks_what_gzip_packed_also_while_it_is_being_written(
    members: list[bytes], size: int, padding: bytes, data: st.DataObject
):
    packed = [gzip.compress(member, 1) for member in members]
    cut = data.draw(st.integers(0, len(packed[0]) - 1))
    whole = b"".join(packed) + padding
    got = bytearray()
    with tempfile.TemporaryFile() as file:
        gunzip = Gunzip.of_file(file.fileno())
        file.write(whole[:cut])
        file.flush()
        with pytest.raises(EOFError):
            unpacked(gunzip, size, got)
        file.write(whole[cut:])
        file.flush()
        unpacked(gunzip, size, got)

        assert b"".join(members) == got
        assert gunzip.read(size) == b""
