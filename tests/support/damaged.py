"""Lines of a real log, most of them with changes at random."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

from places import LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["damaged", "logged"]


def logged(count: int) -> list[bytes]:
    """Return the first lines of a real log."""
    with gzip.open(LOG) as file:
        return [next(file).rstrip(b"\n") for _ in range(count)]


def damaged(count: int, pieces: Sequence[bytes], seed: int) -> list[bytes]:
    """Return the first lines of a real log with bytes that were changed, removed or put in."""
    rng = random.Random(seed)  # noqa: S311 - the same lines each time
    found = []
    for one in logged(count):
        line = bytearray(one)
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(line))
            line[at : at + rng.randrange(3)] = rng.choice(pieces)
        found.append(bytes(line))
    return found
