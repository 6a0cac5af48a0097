"""Names with `*`, `?` and `[…]`, for where no shell has seen them."""

from __future__ import annotations

import errno
import os
import re

__all__ = ["is_pattern", "matching"]

_SPECIAL = re.compile(r"[*?]|\[.+\]", re.DOTALL)


def is_pattern(name: str) -> bool:
    """Tell whether it has the form of a pattern, and is the name of nothing."""
    return _SPECIAL.search(name) is not None and not os.path.lexists(name)


def matching(name: str) -> list[str]:
    """
    Return the files that a pattern stands for, sorted; `**` stands for any folders.

    What is the name of something, or no pattern, stands for itself. As in a shell, what begins
    with a dot is matched by what begins with one only.

    Raises:
        FileNotFoundError: It is a pattern, and no file is of it.

    >>> matching("access.log")
    ['access.log']
    """
    if not is_pattern(name):
        return [name]
    import glob  # noqa: PLC0415 - rarely needed

    found = glob.iglob(name, recursive=True)  # noqa: PTH207 - names stay text
    files = sorted(path for path in found if not os.path.isdir(path))  # noqa: PTH112 - names stay text
    if not files:
        raise FileNotFoundError(errno.ENOENT, "no file matches; check the pattern", name)
    return files
