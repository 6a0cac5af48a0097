"""
Says that something has changed in a directory or in a file, where the system says so.

What it was is not told: who is woken looks at everything, so an event that is lost costs time and
never a line.
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
    """The system's change notification, inotify; it has none where `begin` says no."""

    def __init__(self) -> None:
        self._inotify: Any = None
        self.complete = False
        """Whether everything that was asked for is watched."""

    def begin(self) -> None:
        """Ask the system for notification."""
        if sys.platform != "linux":
            return
        # 25 ms that only a follow needs: ctypes, and a look for the C library.
        from inotify_simple import INotify  # noqa: PLC0415 - as the comment says

        # The limit of instances a user may have is 128 on many systems.
        with suppress(OSError):
            self._inotify = INotify(nonblocking=True)
            self.complete = True

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when something has changed."""
        return None if self._inotify is None else self._inotify.fileno()

    def watch_directory(self, path: str) -> None:
        """Tell when a name comes or goes; asked again it changes nothing."""
        if self._inotify is not None:
            try:
                self._inotify.add_watch(path, _DIRECTORY)
            except FileNotFoundError:
                pass
            except OSError:
                self.complete = False

    def watch_file(self, descriptor: int) -> int | None:
        """Tell when the open file grows or shrinks; the number returned is for `forget`."""
        if self._inotify is not None:
            try:
                # Not its name, which may be another file's by now.
                watch: int = self._inotify.add_watch(f"/proc/self/fd/{descriptor}", _FILE)
            except OSError:
                self.complete = False
            else:
                return watch
        return None

    def forget(self, watch: int | None) -> None:
        """Watch a file no more."""
        if self._inotify is not None and watch is not None:
            # The system forgets files that are gone by itself.
            with suppress(OSError):
                self._inotify.rm_watch(watch)

    def drain(self) -> None:
        """Take what was told, so that the descriptor tells of what comes next."""
        if self._inotify is None:
            return
        with suppress(BlockingIOError):
            while len(os.read(self._inotify.fileno(), _DRAINED_BYTES)) > _DRAINED_BYTES // 2:
                pass

    def close(self) -> None:
        """Watch nothing more."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
