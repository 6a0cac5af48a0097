"""What `tailrace doctor` checks; each check returns what was found, and what to do about it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["Finding", "Level", "amount", "duration"]

Level = Literal["ok", "warning", "problem"]

_MILLISECOND_US = 1_000
_SECOND_US = 1_000_000


class Finding(NamedTuple):
    """What a check found."""

    level: Level
    check: str
    """The name of the check; it does not change between versions."""
    text: str
    """What was found, and what it means."""
    fix: str = ""
    """What to do; empty if nothing needs to be done."""
    subject: str = ""
    """The directory, file or address that was checked."""
    values: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """What was measured, for programs."""


def duration(time_us: float) -> str:
    """
    Return a measured time with its unit.

    >>> duration(312), duration(5_900), duration(2_000_000)
    ('0.31 ms', '5.9 ms', '2.0 s')
    """
    if time_us < _MILLISECOND_US:
        return f"{time_us / 1e3:.2f} ms"
    return f"{time_us / 1e3:.1f} ms" if time_us < _SECOND_US else f"{time_us / 1e6:.1f} s"


def amount(size: int) -> str:
    """
    Return a size on disk with its unit.

    >>> amount(900), amount(16 * 1024**2), amount(5 * 10**11)
    ('900 bytes', '16.8 MB', '500 GB')
    """
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            whole = size / factor
            return f"{whole:.0f} {unit}" if whole >= 100 else f"{whole:.1f} {unit}"  # noqa: PLR2004 - three digits
    return f"{size} bytes"
