"""Parse and print sizes, in bytes."""

from __future__ import annotations

import operator
import re
from decimal import Decimal
from typing import SupportsIndex

__all__ = ["LARGEST", "size_bytes", "size_text"]

# The core counts bytes in 64 bits with a sign.
LARGEST = (1 << 63) - 1
"""The largest that is valid."""

# Powers of 1,024, whether written as k, KB or KiB.
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"\+?([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(?:([kmgt]?)(i?)b?)", re.ASCII)


def size_bytes(value: str | SupportsIndex, name: str, least: int = 1) -> int:
    """
    Return a size in bytes.

    Args:
        value: A number of bytes, or text: a number with a unit such as `64k`, `64KiB`, `256 MB` or
            `1.5G`. Units are powers of 1,024, in upper or lower case.
        name: The name of the argument, for the message.
        least: The smallest size that is valid.

    Raises:
        ValueError: It is not a size, too small or too large.

    >>> size_bytes("64k", "max_key_bytes"), size_bytes("256 MiB", "max_key_bytes")
    (65536, 268435456)
    >>> size_bytes("many", "max_key_bytes")
    Traceback (most recent call last):
    ValueError: max_key_bytes: expected a size such as 65536, 64KiB, 256MiB or 1G, found 'many'
    """
    size = _size(value)
    if size is None:
        expected = "a size such as 65536, 64KiB, 256MiB or 1G"
        raise ValueError(f"{name}: expected {expected}, found {value!r:.80}")
    if size < least:
        raise ValueError(f"{name}: expected at least {size_text(least)}, found {value!r:.80}")
    if size > LARGEST:
        raise ValueError(f"{name}: expected less than 8388608TiB, found {value!r:.80}")
    return size


def _size(value: str | SupportsIndex) -> int | None:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip().lower())
        if match is None or (match[3] and not match[2]):
            return None
        size = Decimal(match[1]) * 1024 ** _UNITS[match[2]]
        return int(size) if size < LARGEST * 2 else LARGEST + 1
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def size_text(size: int) -> str:
    """
    Return a size as text, in the largest unit that has no fraction.

    >>> size_text(1), size_text(65_536), size_text(256 << 20)
    ('1 byte', '64KiB', '256MiB')
    """
    for unit, power in reversed(_UNITS.items()):
        factor = 1024**power
        if unit and size and size % factor == 0:
            return f"{size // factor}{unit.upper()}iB"
    return f"{size:,} byte{'' if size == 1 else 's'}"
