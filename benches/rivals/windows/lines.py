"""Arguments and answers of the rivals."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOP = 10

DATA, LENGTH, OUT = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def events() -> Iterator[tuple[int, str]]:
    """Yield the time in milliseconds and the key of each event."""
    with Path(DATA).open(encoding="utf-8") as lines:
        for line in lines:
            time_ms, key = line.rstrip("\n").split("\t")
            yield int(time_ms), key


@contextmanager
def timed() -> Iterator[None]:
    """Report the CPU time of the block, without start-up, imports and child processes."""
    begin = time.process_time()
    yield
    sys.stdout.write(json.dumps({"cpu": time.process_time() - begin}) + "\n")


def write_tops(tops: Iterable[tuple[int, list[Any]]]) -> None:
    """Write a line for each end: `[end, [[key, count], ...]]`."""
    with OUT.open("w") as out:
        out.writelines(json.dumps([end, rows]) + "\n" for end, rows in tops)


def write_rows(ends: Iterable[int], keys: Iterable[str], counts: Iterable[int]) -> None:
    """Write every pair of a key and a window, in any order."""
    with OUT.open("w") as out:
        rows = zip(ends, keys, counts, strict=True)
        out.writelines(f"{end}\t{key}\t{count}\n" for end, key, count in rows)
