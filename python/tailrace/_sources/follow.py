"""
Log files followed by name, as `tail -F` does, but through every rotation without a gap.

What a rotation is, and what cannot be known, stands in `rotation`; how the system's notification
is used, in `changes`. Where that tells nothing (other systems, network file systems, a limit of
the system) the files are looked at a few times a second.
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

__all__ = ["Follow", "check_followed"]

# What one call of `receive` returns is a chunk above this at most, so that the clock is looked at
# a hundred times a second while a large file is read.
_ROUND_BYTES = 4 * 1024 * 1024

# What a step without lines counts as: a compressed file is passed over a MiB at a time.
_STEP_BYTES = 512 * 1024

# The least time between reaching the end and looking again: a writer of a thousand small writes
# a second costs 20 looks, and one of 200,000 lines fills a chunk or two each time.
_PAUSE_S = 0.05

# How often files are looked at: where the system tells of changes, because it may miss some (not
# those of other machines), and where it does not.
_SLOW_POLL_S = 1.0
_POLL_S = 0.25

# How many names the start-up line has room for.
_MOST_NAMED = 3


def check_followed(path: str) -> None:
    """
    See whether a path could be that of a followed log; it need not exist yet.

    Raises:
        OSError: It is a directory.
        TailraceError: It is empty, standard input, a pipe or a device, or compressed.
    """
    if path == STDIN:
        raise TailraceError("-: standard input has no name to follow; leave out the following")
    if not path:
        mend = "see that the variable it came from is set"
        raise TailraceError(f"an empty name is none that could be followed; {mend}")
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - names stay text
    except (FileNotFoundError, PermissionError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        mend = "a pipe is read as it comes without being followed: tailrace … - < FILE"
        raise TailraceError(f"{path}: is no file that could be followed; {mend}")
    # What may not be read now may be read later.
    with suppress(PermissionError):
        check_log(path)
        with open(path, "rb") as file:  # noqa: PTH123 - names stay text
            found = packing(file.read(LONGEST_MAGIC))
        if found is not None:
            mend = "nothing is appended to it; leave out the following (-F)"
            raise TailraceError(f"{path}: is compressed; {mend}")


def _check(paths: Sequence[str]) -> None:
    places: dict[str, str] = {}
    for path in paths:
        check_followed(path)
        real = os.path.realpath(path)
        if real in places:
            both = path if places[real] == path else f"{places[real]} and {path}"
            raise TailraceError(f"{both}: the same file twice; name it once")
        places[real] = path


class Follow:
    """Reads what is and what will be in log files, whatever rotates them; never ends by itself."""

    def __init__(
        self, paths: Sequence[str], *, from_end: bool, header: Header | None = None
    ) -> None:
        self.count = len(paths)
        self._paths = paths
        self._from_end = from_end
        # What names the columns is read also where it stands before the end.
        self._header = header
        self._changes = Changes()
        self._logs: list[FollowedLog] = []
        # Those that this look is not through with, in turn.
        self._busy: deque[FollowedLog] = deque()
        self._steps: dict[FollowedLog, Generator[list[Chunk] | None, None, None]] = {}
        self._changed = asyncio.Event()
        self._woken = False
        self._found = False
        self._pause_until = 0.0
        self._poll_at = 0.0

    async def open(self) -> str:
        """
        Begin, and say what is followed and what is waited for.

        Raises:
            OSError: A path is that of a directory.
            TailraceError: A path can never be followed, or two are of the same file.
        """
        _check(self._paths)
        self._changes.begin()
        now = asyncio.get_running_loop().time()
        waiting = []
        for source, path in enumerate(self._paths):
            log = FollowedLog(path, source, self._changes, self._logs)
            log.now = now
            self._logs.append(log)
            self._steps[log] = log.steps()
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
        """Return the lines that have come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            if self._busy:
                # There is more at hand; the loop runs all the same.
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
        """Let `receive` return now."""
        self._woken = True
        self._changed.set()

    async def close(self) -> None:
        """Let go of every file. A last line without newline is not complete, and stays unread."""
        for steps in self._steps.values():
            steps.close()
        for log in self._logs:
            log.close()
        self._changes.close()

    async def _wait(self, deadline: float) -> bool:
        """Wait until a look is due, and tell whether it is so before the deadline."""
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
        """Go on with this look, or begin the next one."""
        if not self._busy:
            self._changes.drain()
            if now >= self._poll_at:
                # Also where a directory came to be, or is another one now.
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
