"""
Change notification for directories and files, where the system offers it.

Notification only wakes the reader, which then checks every file. So a lost event costs time, never
a line.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

__all__ = ["Changes"]

# As `struct inotify_event` names them: MODIFY, ATTRIB, MOVE_SELF of a file;
# MOVED_FROM, MOVED_TO, CREATE, DELETE of what is in a directory, and ONLYDIR.
_FILE = 0x002 | 0x004 | 0x800
_DIRECTORY = 0x040 | 0x080 | 0x100 | 0x200 | 0x0100_0000

_DRAINED_BYTES = 65_536


class Changes:
    """The system's change notification (inotify); without it, nothing is ever reported."""

    def __init__(self) -> None:
        self._inotify: Any = None
        self.complete = False
        """Whether every file and directory passed to `watch_*` is watched."""

    def begin(self) -> None:
        """Open the notification channel."""
        if sys.platform != "linux":
            return
        # Loads ctypes and searches for the C library: 25 ms that only following needs.
        from inotify_simple import INotify  # noqa: PLC0415 - as the comment says

        # Many systems limit a user to 128 instances.
        with suppress(OSError):
            self._inotify = INotify(nonblocking=True)
            self.complete = True

    @property
    def descriptor(self) -> int | None:
        """The descriptor that becomes readable when something has changed."""
        return None if self._inotify is None else self._inotify.fileno()

    def watch_directory(self, path: str) -> None:
        """Report names that are created, renamed or deleted in a directory; idempotent."""
        if self._inotify is not None:
            try:
                self._inotify.add_watch(path, _DIRECTORY)
            except FileNotFoundError:
                pass
            except OSError:
                self.complete = False

    def watch_file(self, descriptor: int) -> int | None:
        """Report that the open file grows or shrinks; return the watch number for `forget`."""
        if self._inotify is not None:
            try:
                # Not by name: the name may belong to another file by now.
                watch: int = self._inotify.add_watch(f"/proc/self/fd/{descriptor}", _FILE)
            except OSError:
                self.complete = False
            else:
                return watch
        return None

    def forget(self, watch: int | None) -> None:
        """Stop watching a file."""
        if self._inotify is not None and watch is not None:
            # The system removes watches of deleted files itself.
            with suppress(OSError):
                self._inotify.rm_watch(watch)

    def drain(self) -> None:
        """Discard pending events, so that the descriptor becomes readable for new ones only."""
        if self._inotify is None:
            return
        with suppress(BlockingIOError):
            while len(os.read(self._inotify.fileno(), _DRAINED_BYTES)) > _DRAINED_BYTES // 2:
                pass

    def close(self) -> None:
        """Stop watching everything."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
