"""The progress line of a long file."""

from __future__ import annotations

__all__ = ["ERASED", "drawn", "progress_line"]

ERASED = "\r\x1b[K"
"""Clears the line."""


def drawn(line: str, columns: int) -> str:
    """
    Return the line as written over the previous one.

    The cursor is left at its start, so that the prompt appears in its place even after SIGKILL.
    """
    return f"{ERASED}{line[: columns - 1]}\r"


def progress_line(done: int, total: int | None, elapsed_s: float) -> str:
    """
    Return the share that is read, the speed and the time left; without the total, less of it.

    >>> progress_line(945_000_000, 2_100_000_000, 2.7)
    '45 % of 2.1 GB, 350 MB/s, 3 s left'
    >>> progress_line(1_250_000_000, None, 2.5)
    '1.2 GB, 500 MB/s'
    """
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    speed = f"{_bytes(rate)}/s"
    if not total:
        return f"{_bytes(done)}, {speed}"
    # A log may have grown since its size was read.
    share = min(100 * done // total, 100)
    text = f"{share} % of {_bytes(total)}, {speed}"
    return f"{text}, {_span(max(total - done, 0) / rate)} left" if rate else text


def _bytes(number: float) -> str:
    units = ["kB", "MB", "GB", "TB"]
    unit = "B"
    # A number that would be rounded to four digits gets the next unit.
    while number >= 999.5 and units:  # noqa: PLR2004 - as above
        number, unit = number / 1_000, units.pop(0)
    digits = 1 if number < 9.95 and unit != "B" else 0  # noqa: PLR2004 - two digits are enough
    return f"{number:.{digits}f} {unit}"


def _span(seconds: float) -> str:
    if seconds < 100:  # noqa: PLR2004 - two digits
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - as above
