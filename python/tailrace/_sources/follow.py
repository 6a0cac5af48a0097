"""
Log files followed by name, as with `tail -F`, but through every rotation without a gap.

`rotation` describes rotations and the cases that are not detected, `changes` the use of the
system's notification. Without notification (other systems, network file systems, a limit of the
system), the files are polled a few times a second.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from tailrace._errors import TailraceError
from tailrace._sources.changes import Changes
from tailrace._sources.rotation import FollowedLog
from tailrace._sources.text import STDIN, check_log
from tailrace._sources.unpacking import LONGEST_MAGIC, packing

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tailrace._sources import Chunk
    from tailrace._sources.header import Header
    from tailrace._sources.positions import Positions

__all__ = ["Follow", "check_followed"]

# One call of `receive` returns at most this and a chunk, so that the clock is read a hundred times
# a second while a large file is read.
_ROUND_BYTES = 4 * 1024 * 1024

# What a step without lines counts as: a compressed file is skipped 1 MiB at a time.
_STEP_BYTES = 512 * 1024

# The minimum pause between reaching the end and the next scan: a writer with a thousand small
# writes a second costs 20 scans, and one with 200,000 lines fills a chunk or two each time.
_PAUSE_S = 0.05

# How often files are polled: with notification, because it may miss changes (such as those of
# other machines), and without.
_SLOW_POLL_S = 1.0
_POLL_S = 0.25

# The number of names shown in the start-up line.
_MOST_NAMED = 3


def check_followed(path: str) -> None:
    """
    Check that a path can be followed; it need not exist yet.

    Raises:
        OSError: The path is a directory.
        TailraceError: The path is empty, standard input, a pipe or a device, or compressed.
    """
    if path == STDIN:
        raise TailraceError("-: standard input cannot be followed by name; leave out --follow (-F)")
    if not path:
        hint = "if it comes from a variable, check that the variable is set"
        raise TailraceError(f"expected the name of a file to follow, found an empty name; {hint}")
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - names stay text
    except (FileNotFoundError, PermissionError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        hint = "a pipe is read live without --follow: tailrace … - < FILE"
        raise TailraceError(f"{path}: not a regular file, so it cannot be followed; {hint}")
    # A file without read permission may get it later.
    with suppress(PermissionError):
        check_log(path)
        with open(path, "rb") as file:  # noqa: PTH123 - names stay text
            found = packing(file.read(LONGEST_MAGIC))
        if found is not None:
            hint = "nothing is appended to it; leave out --follow (-F)"
            raise TailraceError(f"{path}: a compressed file cannot be followed; {hint}")


def _check(paths: Sequence[str]) -> None:
    places: dict[str, str] = {}
    for path in paths:
        check_followed(path)
        real = os.path.realpath(path)
        if real in places:
            both = path if places[real] == path else f"{places[real]} and {path}"
            raise TailraceError(f"{both}: the same file is given twice; give it once")
        places[real] = path


class Follow:
    """Log files read to their end and then followed through rotation; never ends by itself."""

    def __init__(
        self, paths: Sequence[str], *, from_end: bool, header: Header | None = None
    ) -> None:
        self.count = len(paths)
        self._paths = paths
        self._from_end = from_end
        # The header that names the columns is read even when reading starts at the end.
        self._header = header
        self._changes = Changes()
        self._logs: list[FollowedLog] = []
        # The logs that the current scan has not finished, in turn.
        self._busy: deque[FollowedLog] = deque()
        self._steps: dict[FollowedLog, Generator[list[Chunk] | None, None, None]] = {}
        self._positions: Positions | None = None
        self._changed = asyncio.Event()
        self._woken = False
        self._found = False
        self._pause_until = 0.0
        self._poll_at = 0.0

    def resume(self, positions: Positions) -> None:
        """Go on where an earlier process ended, and keep the positions."""
        self._positions = positions

    async def open(self) -> str:
        """
        Open the files; return what is followed, and which files do not exist yet.

        Raises:
            OSError: A path is a directory.
            TailraceError: A path can never be followed, or two paths are the same file.
        """
        _check(self._paths)
        self._changes.begin()
        now = asyncio.get_running_loop().time()
        waiting = []
        for source, path in enumerate(self._paths):
            known = None if self._positions is None else self._positions.begin(path)
            log = FollowedLog(path, source, self._changes, self._logs, known=known)
            log.now = now
            log.resume()
            self._logs.append(log)
            self._steps[log] = log.steps()
        for log, path in zip(self._logs, self._paths, strict=True):
            problem = log.start(from_end=self._from_end, header=self._header)
            if problem is not None:
                waiting.append(f"{path} ({problem})")
        paths = self._paths
        words = f"following {paths[0]}" if len(paths) == 1 else f"following {len(paths)} files"
        if len(waiting) > _MOST_NAMED:
            words += f"; waiting for {len(waiting)} of them"
        elif waiting:
            words += "; waiting for " + ", ".join(waiting)
        return words

    async def receive(self, timeout_s: float) -> list[Chunk] | None:
        """Return the lines that have arrived."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            if self._busy:
                # More can be read at once; let the event loop run in between.
                await asyncio.sleep(0)
            elif not await self._wait(deadline):
                break
            if self._woken:
                break
            if chunks := self._look(loop.time()):
                return chunks
            if loop.time() >= deadline:
                break
        self._woken = False
        return []

    def wake(self) -> None:
        """Make `receive` return now."""
        self._woken = True
        self._changed.set()

    def flush(self) -> None:
        """Do nothing; there are no outcomes to send."""

    def reload(self) -> None:
        """Do nothing; it needs no other files."""

    async def close(self) -> None:
        """Close every file. A last line without newline is incomplete, so it is not delivered."""
        for steps in self._steps.values():
            steps.close()
        for log in self._logs:
            log.close()
        self._changes.close()

    async def _wait(self, deadline: float) -> bool:
        """Wait until a scan is due; return whether it is due before the deadline."""
        loop = asyncio.get_running_loop()
        self._changed.clear()
        if self._woken:
            return True
        if self._pause_until > loop.time():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._pause_until, deadline)):
                    await self._changed.wait()
            if self._woken or loop.time() >= deadline:
                return self._woken
        descriptor = self._changes.descriptor
        if self._found and (descriptor is None or not self._changes.complete):
            return True
        if descriptor is not None:
            loop.add_reader(descriptor, self._changed.set)
        try:
            async with asyncio.timeout_at(min(self._poll_at, deadline)):
                await self._changed.wait()
        except TimeoutError:
            return loop.time() >= self._poll_at
        finally:
            if descriptor is not None:
                loop.remove_reader(descriptor)
        return True

    def _look(self, now: float) -> list[Chunk]:
        """Continue the current scan, or begin the next one."""
        if not self._busy:
            self._changes.drain()
            if now >= self._poll_at:
                # Again each time: a directory may have been created or replaced.
                for log in self._logs:
                    log.watch()
            self._busy.extend(self._logs)
            self._found = False
        chunks: list[Chunk] = []
        size = 0
        while self._busy and size < _ROUND_BYTES:
            log = self._busy[0]
            log.now = now
            part = next(self._steps[log])
            if part is None:
                self._busy.popleft()
                continue
            self._busy.rotate(-1)
            chunks += part
            size += max(_STEP_BYTES, sum(chunk.span[1] - chunk.span[0] for chunk in part))
        if chunks:
            self._found = True
        if not self._busy:
            interval = _SLOW_POLL_S if self._changes.complete else _POLL_S
            self._poll_at = now + interval
            self._pause_until = now + _PAUSE_S
        return chunks
