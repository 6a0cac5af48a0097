"""File patterns with `*`, `?` and `[…]`, for names that no shell has expanded."""

from __future__ import annotations

import errno
import os
import re

__all__ = ["is_pattern", "matching"]

_SPECIAL = re.compile(r"[*?]|\[.+\]", re.DOTALL)


def is_pattern(name: str) -> bool:
    """Return whether a name has the form of a pattern and no such file exists."""
    return _SPECIAL.search(name) is not None and not os.path.lexists(name)


def matching(name: str) -> list[str]:
    """
    Return the files that match a pattern, sorted; `**` matches any number of folders.

    A name that exists, or that is not a pattern, is returned as it is. As in a shell, names that
    begin with a dot are matched only by patterns that begin with one.

    Raises:
        FileNotFoundError: No file matches the pattern.

    >>> matching("access.log")
    ['access.log']
    """
    if not is_pattern(name):
        return [name]
    import glob  # noqa: PLC0415 - rarely needed

    found = glob.iglob(name, recursive=True)  # noqa: PTH207 - names stay text
    files = sorted(path for path in found if not os.path.isdir(path))  # noqa: PTH112 - names stay text
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no file matches the pattern", name)
    return files
