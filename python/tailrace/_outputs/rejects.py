"""Write the rejected lines to a file, unchanged."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Self

from tailrace._errors import os_reason
from tailrace._terminal.streams import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RejectsFile"]


class RejectsFile:
    """
    Writes whole lines, so that the file has no torn line however the program ends.

    Raises:
        OSError: The file cannot be opened.
        ValueError: The file is one of those in use.
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
        """Truncate it unless it is in use, and report whether it is a regular file."""
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            return False
        if any(os.path.samestat(found, other) for other in in_use):
            raise ValueError(f"{self._path} is already an input or output; give another file")
        os.ftruncate(self._descriptor, 0)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def reopen(self) -> bool:
        """
        Open the file of its name again, and report whether it is another one, as after a rotation.

        What such a file has is kept.

        Raises:
            OSError: It cannot be opened; the old file stays open.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fresh = os.open(self._path, flags, 0o666)
        found = os.fstat(fresh)
        if os.path.samestat(found, os.fstat(self._descriptor)):
            os.close(fresh)
            return False
        os.close(self._descriptor)
        self._descriptor, self._is_file = fresh, stat.S_ISREG(found.st_mode)
        return True

    def write(self, lines: bytes) -> None:
        """
        Write whole lines, unbuffered.

        Raises:
            OutputError: The lines cannot be written, for example because the disk is full.
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
        reason = "its reader closed it" if error.errno == errno.EPIPE else os_reason(error)
        return OutputError(f"{self._path}: cannot write: {reason}")
