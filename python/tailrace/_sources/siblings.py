"""The files beside a log, and what their names show: which were rotated, and in which order."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Ident",
    "Sibling",
    "changed_ns",
    "listed",
    "oldest_first",
    "places",
    "siblings",
    "was_renamed",
]

Ident = tuple[int, int]
"""The device and the inode."""

# What rotation adds to a name: a number, a date, or a word such as "old". `access.log-ssl` is
# another log, and `access.log.1.tmp` is not complete yet.
_ENDINGS = (".gz", ".bz2", ".xz", ".zst")
_ROTATED = re.compile(
    r"[.\-_~@]?(?:(?P<stamp>\d[\w:.+\-]*?)|old|bak|prev)(?:\.(?:gz|bz2|xz|zst))?", re.ASCII
)
_UNFINISHED = re.compile(r".*[.\-_](?:tmp|temp|part|partial|swp|lock)", re.ASCII)
_LONGEST_NUMBER = 4

# The same before the extension, as in `access.1.log`. `app-2.log` may be a second server's log.
_KEEPS_EXTENSION = re.compile(r"\.\d{1,4}|[.\-_]\d[\d.\-_T:]{6,}\d", re.ASCII)

# The directory is listed until two lists agree, at most this often: a list is no atomic snapshot.
MAX_LISTINGS = 20


class Sibling(NamedTuple):
    """A file beside the log whose name extends the log's name."""

    path: str
    suffix: str
    ident: Ident
    size: int
    modified_ns: int

    @property
    def is_rotated(self) -> bool:
        """Whether its name has the form that rotation gives."""
        return _is_rotated(self.suffix)

    @property
    def is_compressed(self) -> bool:
        """Whether its name shows a compression."""
        return self.suffix.endswith(_ENDINGS)

    @property
    def stamp(self) -> str:
        """The number or date in its name."""
        found = _ROTATED.fullmatch(self.suffix)
        return (found and found["stamp"]) or ""


def oldest_first(rotated: Iterable[Sibling]) -> list[Sibling]:
    """Sort by number, highest first, if all names have one, else by modification time."""
    ordered = sorted(rotated, key=lambda each: (each.modified_ns, each.suffix))
    # Dates have more digits.
    if all(each.stamp.isdigit() and len(each.stamp) <= _LONGEST_NUMBER for each in ordered):
        ordered.sort(key=lambda each: int(each.stamp), reverse=True)
    return ordered


def places(path: Path) -> set[tuple[str, str]]:
    """Return the directories that may hold siblings, each with the prefix of their names."""
    found = {(str(path.parent), path.name)}
    if path.is_symlink():
        found.add(os.path.split(os.path.realpath(path)))
    return found


def changed_ns(places: Iterable[tuple[str, str]]) -> list[int]:
    """Return the modification time of each directory."""
    times = []
    for directory, _ in places:
        try:
            times.append(Path(directory).stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return times


def listed(places: Iterable[tuple[str, str]]) -> list[Sibling]:
    """Return the siblings in all places, once two lists agree; duplicates are removed."""
    last = None
    for _ in range(MAX_LISTINGS):
        found = [each for place in places for each in siblings(*place)]
        paths = {each.path: each.ident for each in found}
        if paths == last:
            break
        last = paths
    return list({each.ident: each for each in found}.values())


def siblings(directory: str, name: str) -> list[Sibling]:
    """Return the readable siblings in a directory."""
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


def was_renamed(path: str, name: str) -> bool:
    """Return whether a path has the form of a log of this name after a rotation."""
    directory, entry = os.path.split(path)
    other, base = os.path.split(name)
    return directory == other and entry != base and _is_rotated(_suffix(entry, base))


def _is_rotated(suffix: str) -> bool:
    return bool(_ROTATED.fullmatch(suffix) and not _UNFINISHED.fullmatch(suffix))


def _suffix(entry: str, name: str) -> str:
    """Return what rotation may have added to a name, or an empty string."""
    if entry.startswith(name):
        return entry[len(name) :]
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - names stay text
    ending = next((ending for ending in _ENDINGS if entry.endswith(ending)), "")
    plain = entry.removesuffix(ending)
    if extension and plain.startswith(stem) and plain.endswith(extension):
        middle = plain[len(stem) : -len(extension)]
        if _KEEPS_EXTENSION.fullmatch(middle):
            return middle + ending
    return ""
