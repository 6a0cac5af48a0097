"""A file of the lines that were not accepted, as they were."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Self

from tailrace._terminal.streams import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RejectsFile"]


class RejectsFile:
    """
    Takes whole lines, and holds nothing but whole lines however the program ends.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is one of the files that are in use, named by their descriptors' status.
    """

    def __init__(self, path: str, in_use: Iterable[os.stat_result]) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._is_file = self._emptied(in_use)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _emptied(self, in_use: Iterable[os.stat_result]) -> bool:
        """Empty it if it is a file, which it tells; not before it is known to be no log."""
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            return False
        if any(os.path.samestat(found, other) for other in in_use):
            raise ValueError(f"{self._path}: is read or written already; take another file")
        os.ftruncate(self._descriptor, 0)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def write(self, lines: bytes) -> None:
        """
        Write whole lines, unbuffered.

        Raises:
            OutputError: They cannot be written, for instance because the disk is full.
        """
        done = 0
        try:
            while done < len(lines):
                done += os.write(self._descriptor, lines[done:] if done else lines)
        except OSError as error:
            torn = done - (lines.rfind(b"\n", 0, done) + 1)
            if torn and self._is_file:
                end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
                os.ftruncate(self._descriptor, end - torn)
            raise self._error(error) from error

    def _error(self, error: OSError) -> OutputError:
        said = "nobody reads it" if error.errno == errno.EPIPE else error.strerror
        return OutputError(f"{self._path}: cannot write: {said}")
