"""Which files stand beside a log, and what their names say: which were rotated, in which order."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Ident", "Sibling", "changed_ns", "listed", "oldest_first", "places", "siblings"]

Ident = tuple[int, int]
"""The device and the inode."""

# What rotation adds to a name: a number, a date, a word for what is old. `access.log-ssl` is
# another log, and `access.log.1.tmp` is not finished.
_ROTATED = re.compile(r"[.\-_~@]?(?:(?P<stamp>\d[\w:.+\-]*?)|old|bak|prev)(?:\.gz)?", re.ASCII)
_UNFINISHED = re.compile(r".*[.\-_](?:tmp|temp|part|partial|swp|lock)", re.ASCII)
_LONGEST_NUMBER = 4

# The same before the extension, as `access.1.log`. `app-2.log` may be that of a second server.
_KEEPS_EXTENSION = re.compile(r"\.\d{1,4}|[.\-_]\d[\d.\-_T:]{6,}\d", re.ASCII)

# How often the siblings are listed until two lists agree: a directory is not read at one instant.
MAX_LISTINGS = 20


class Sibling(NamedTuple):
    """A file beside the log whose name is the log's with something added."""

    path: str
    suffix: str
    ident: Ident
    size: int
    modified_ns: int

    @property
    def is_rotated(self) -> bool:
        """Whether it is named as rotation does."""
        return bool(_ROTATED.fullmatch(self.suffix) and not _UNFINISHED.fullmatch(self.suffix))

    @property
    def stamp(self) -> str:
        """The number or the date in its name."""
        found = _ROTATED.fullmatch(self.suffix)
        return (found and found["stamp"]) or ""


def oldest_first(rotated: Iterable[Sibling]) -> list[Sibling]:
    """Sort by number if all have one, the oldest highest, or else by time."""
    ordered = sorted(rotated, key=lambda each: (each.modified_ns, each.suffix))
    # Dates have more digits.
    if all(each.stamp.isdigit() and len(each.stamp) <= _LONGEST_NUMBER for each in ordered):
        ordered.sort(key=lambda each: int(each.stamp), reverse=True)
    return ordered


def places(path: Path) -> set[tuple[str, str]]:
    """Return the directories where siblings may be, and how their names begin."""
    found = {(str(path.parent), path.name)}
    if path.is_symlink():
        found.add(os.path.split(os.path.realpath(path)))
    return found


def changed_ns(places: Iterable[tuple[str, str]]) -> list[int]:
    """Return when a name came or went last in each directory."""
    times = []
    for directory, _ in places:
        try:
            times.append(Path(directory).stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return times


def listed(places: Iterable[tuple[str, str]]) -> list[Sibling]:
    """Return the siblings in all of these places, twice the same; one may be in two of them."""
    last = None
    for _ in range(MAX_LISTINGS):
        found = [each for place in places for each in siblings(*place)]
        paths = {each.path: each.ident for each in found}
        if paths == last:
            break
        last = paths
    return list({each.ident: each for each in found}.values())


def siblings(directory: str, name: str) -> list[Sibling]:
    """Return the siblings in a directory, as far as they can be seen."""
    found = []
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if suffix := _suffix(entry.name, name):
                with suppress(OSError):
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        ident = (status.st_dev, status.st_ino)
                        size, modified_ns = status.st_size, status.st_mtime_ns
                        found.append(Sibling(entry.path, suffix, ident, size, modified_ns))
    return found


def _suffix(entry: str, name: str) -> str:
    """Return what rotation may have added to a name, or nothing."""
    if entry.startswith(name):
        return entry[len(name) :]
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - names stay text
    ending = ".gz" if entry.endswith(".gz") else ""
    plain = entry.removesuffix(ending)
    if extension and plain.startswith(stem) and plain.endswith(extension):
        middle = plain[len(stem) : -len(extension)]
        if _KEEPS_EXTENSION.fullmatch(middle):
            return middle + ending
    return ""
