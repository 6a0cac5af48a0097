"""Which files stand beside a log, and what their names say."""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

__all__ = ["ROTATED", "Ident", "Sibling", "is_rotated", "siblings"]

# What rotation adds to a name: a number, a date, a word for what is old. `access.log-ssl` is
# another log, and `access.log.1.tmp` is not finished.
ROTATED = re.compile(r"[.\-_~@]?(?:(?P<stamp>\d[\w:.+\-]*?)|old|bak|prev)(?:\.gz)?", re.ASCII)
_UNFINISHED_NAME = re.compile(r".*[.\-_](?:tmp|temp|part|partial|swp|lock)", re.ASCII)

# The same before the extension, as `access.1.log`. `app-2.log` may be that of a second server.
_KEEPS_EXTENSION = re.compile(r"\.\d{1,4}|[.\-_]\d[\d.\-_T:]{6,}\d", re.ASCII)

Ident = tuple[int, int]


class Sibling(NamedTuple):
    """A file beside the log whose name is the log's with something added."""

    path: str
    suffix: str
    ident: Ident
    size: int
    modified_ns: int


def siblings(directory: str, name: str) -> list[Sibling]:
    """Return the siblings in a directory."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                suffix = _suffix(entry.name, name)
                if not suffix:
                    continue
                try:
                    status = entry.stat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    found.append(
                        Sibling(
                            entry.path,
                            suffix,
                            (status.st_dev, status.st_ino),
                            status.st_size,
                            status.st_mtime_ns,
                        )
                    )
    except OSError:
        # Gone, or closed to us: nothing can be seen in it.
        return []
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


def is_rotated(sibling: Sibling) -> bool:
    """Tell whether a file is named as rotation does."""
    suffix = sibling.suffix
    return bool(ROTATED.fullmatch(suffix) and not _UNFINISHED_NAME.fullmatch(suffix))
