"""Sizes: what is one, in bytes, and what the error says of anything else."""

from __future__ import annotations

from re import escape
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace._sizes import LARGEST, size_bytes, size_text

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, 1),
        (65_536, 65_536),
        (np.int64(7), 7),
        (LARGEST, LARGEST),
        ("65536", 65_536),
        ("65536B", 65_536),
        ("65536 b", 65_536),
        ("64k", 64 * KIB),
        ("64K", 64 * KIB),
        ("64kb", 64 * KIB),
        ("64KiB", 64 * KIB),
        ("64kib", 64 * KIB),
        ("64ki", 64 * KIB),
        ("256MB", 256 * MIB),
        ("256 MiB", 256 * MIB),
        (" 256m ", 256 * MIB),
        ("+256M", 256 * MIB),
        ("1G", GIB),
        ("1.5G", 3 * GIB // 2),
        (".5g", GIB // 2),
        ("1.0000001k", KIB),
        ("2T", 2 << 40),
        (str(LARGEST), LARGEST),
        ("007k", 7 * KIB),
    ],
)
def test_a_size_is_a_number_of_bytes_or_text_with_a_unit(size: Any, expected: int) -> None:  # noqa: ANN401
    assert size_bytes(size, "max_key_bytes") == expected


NO_SIZE = "expected a size such as 65536, 64KiB, 256MiB or 1G, found"


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("", f"{NO_SIZE} ''"),
        ("many", f"{NO_SIZE} 'many'"),
        ("k", f"{NO_SIZE} 'k'"),
        ("64x", f"{NO_SIZE} '64x'"),
        ("64iB", f"{NO_SIZE} '64iB'"),
        ("64 k i b", f"{NO_SIZE} '64 k i b'"),
        ("6 4k", f"{NO_SIZE} '6 4k'"),
        ("1e3", f"{NO_SIZE} '1e3'"),
        ("1.k", f"{NO_SIZE} '1.k'"),
        ("0x10", f"{NO_SIZE} '0x10'"),
        ("inf", f"{NO_SIZE} 'inf'"),
        ("nan", f"{NO_SIZE} 'nan'"),
        ("-1", f"{NO_SIZE} '-1'"),
        ("1,000", f"{NO_SIZE} '1,000'"),
        ("٣k", f"{NO_SIZE} '٣k'"),
        (1.5, f"{NO_SIZE} 1.5"),
        (float("nan"), f"{NO_SIZE} nan"),
        (True, f"{NO_SIZE} True"),
        (None, f"{NO_SIZE} None"),
        (b"64k", f"{NO_SIZE} b'64k'"),
        ("x" * 1_000, f"{NO_SIZE} '{'x' * 79}"),
        (0, "expected at least 1 byte, found 0"),
        (-1, "expected at least 1 byte, found -1"),
        ("0k", "expected at least 1 byte, found '0k'"),
        ("0.5", "expected at least 1 byte, found '0.5'"),
        (LARGEST + 1, f"expected less than 8388608TiB, found {LARGEST + 1}"),
        ("8388608T", "expected less than 8388608TiB, found '8388608T'"),
        ("9" * 60 + "G", f"expected less than 8388608TiB, found '{'9' * 60}G'"),
    ],
)
def test_anything_else_is_an_error_that_names_the_argument(size: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=f"^max_key_bytes: {escape(message)}$"):
        size_bytes(size, "max_key_bytes")


def test_the_smallest_size_can_be_set() -> None:
    assert size_bytes(0, "n", least=0) == 0
    assert size_bytes("64k", "n", least=65_536) == 65_536
    with pytest.raises(ValueError, match=r"^n: expected at least 64KiB, found '63KiB'$"):
        size_bytes("63KiB", "n", least=65_536)


@given(st.integers(1, LARGEST))
def test_a_printed_size_can_be_read_again(size: int) -> None:
    text = size_text(size).removesuffix("s").removesuffix(" byte").replace(",", "")
    assert size_bytes(text, "n") == size
