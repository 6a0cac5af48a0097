"""
The files that one name has meant, read in the order in which they were written.

A log is rotated in one of two ways. It is renamed and a new one created: the old one is held open
and read to its end, then the new one. Or it is copied and truncated: what was written between the
last read and the truncation stands in the copy alone, so the copy is looked for and its rest is
read, then the file from its beginning.

Files that came and went between two looks are found among the siblings: files in the same
directory whose name begins with this one's, or has what rotation adds before its extension. Which
of them is what is told by content, not by name or inode: both are used again, and compression
gives a file another inode. Of every content that was read the beginning, the length, the bytes
before its end and samples from between are kept. A sibling is then

- a copy, maybe compressed, of what was read or is being read, or of the first part of it, if more
  was written while it was made: left alone,
- a copy of what was being read when it was truncated: read from there on,
- a rotated file that was never seen: read whole, before what is newer.

What is kept of a content stands in `content`, what a name says of a file in `siblings`, and what
a sibling is in `verdict`. Nothing here waits, reads a clock or knows an event loop. What cannot be
known:

- a file that is truncated and grows, between two looks, into one that has the same bytes at the
  same place,
- what nobody copied before a truncation, which is said; where the copy has less than was read,
  what was written between the last read and the truncation, which is not,
- a file that came and went between two looks, begins like one that was read, and differs only in
  its last ninth, as with a long comment and a line or two after it: it is taken for a copy,
- what a link, or a directory in the path, pointed to between two looks, if it was switched twice.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace._sources import Chunk
from tailrace._sources.content import HEAD_BYTES, Fingerprint
from tailrace._sources.header import header_before
from tailrace._sources.openfile import READ_BYTES
from tailrace._sources.siblings import changed_ns, places, siblings
from tailrace._sources.unpacking import DamagedError
from tailrace._sources.verdict import Known, Search, Truncated

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tailrace._sources.changes import Changes
    from tailrace._sources.header import Header
    from tailrace._sources.openfile import OpenFile
    from tailrace._sources.siblings import Ident
    from tailrace._sources.verdict import Steps

__all__ = ["FollowedLog"]

_log = logging.getLogger(__name__)

# How long a file that is no longer under the name is listened to after its last byte. Servers
# reopen their logs within a second or so, but may finish long requests in the old one.
QUIET_S = 5.0

# How long a compressed file may stand still unfinished before it is given up.
UNFINISHED_S = 5.0

# How often siblings are looked at again of which it could not be said what they are.
_EXAMINE_S = 1.0

# How many files that are no longer under the name are held open for it.
MAX_HELD = 64


class FollowedLog:
    """
    One followed name.

    `steps` gives chunks, and nothing where there are none at the moment; whoever asks sets `now`
    before, and may ask again at any time.
    """

    def __init__(
        self, path: str, source: int, changes: Changes, logs: Sequence[FollowedLog]
    ) -> None:
        self.path = path
        self.now = 0.0
        self.known = Known(path, source)
        self._path = Path(path)
        self._source = source
        self._changes = changes
        # Itself and the others: a file that one of them reads is none of the others'.
        self._logs = logs
        self._current: OpenFile | None = None
        # Those no longer under the name, oldest first, all older than the current one.
        self._held: list[OpenFile] = []
        self._places: set[tuple[str, str]] = set()
        # See `Known.modified_ns`.
        self._newly_modified_ns = 0
        # Where to begin in the file that was there at the start.
        self._begin: tuple[Ident, int] | None = None
        self._header: Header | None = None
        # The lines before that which say what the columns are.
        self._before = b""
        self._problem: str | None = None
        # Whether there are siblings of which it cannot be said yet what they are.
        self._pending = False
        self._examine_at = 0.0
        # How the directories stood when they were listed.
        self._listed: list[int] = []
        self._unfinished: set[tuple[Ident, int]] = set()
        self._unfinished_since = 0.0

    # What the source asks.

    def start(self, *, from_end: bool, header: Header | None = None) -> str | None:
        """Note what is there already, and say why nothing can be read yet, if so."""
        self._header = header
        problem: str | None = os.strerror(errno.EACCES)
        try:
            status = self._path.stat()
            if from_end:
                self._begin = ((status.st_dev, status.st_ino), status.st_size)
        except OSError as error:
            problem = error.strerror
        # What comes to be after this is new; so the file is opened before the siblings are noted.
        self._current, _ = self._open_name()
        self._note_places()
        return None if self._current else problem

    def watch(self) -> None:
        """Ask for notification of what comes and goes where the name is."""
        for directory in {directory for directory, _ in places(self._path)}:
            self._changes.watch_directory(directory)

    def steps(self) -> Generator[list[Chunk] | None, None, None]:
        """Yield chunks, an empty list where that took a while, and nothing when all is read."""
        if self._before:
            yield [Chunk(self._before, (0, len(self._before)), source=self._source)]
        while True:
            try:
                yield from self._look()
            except OSError as error:
                # Of a file that is open: a network file system that went away, a broken disk.
                self._say(f"{self.path}: {error.strerror}; trying again")
            yield None

    def close(self) -> None:
        """Let go of every file."""
        for file in self._open_files():
            self._close(file)
        self._held.clear()
        self._current = None

    def holds(self, ident: Ident) -> bool:
        """Tell whether a file is open here."""
        return any(file.ident == ident for file in self._open_files())

    def _open_files(self) -> list[OpenFile]:
        return self._held + ([self._current] if self._current is not None else [])

    def _is_open(self, ident: Ident) -> bool:
        return any(log.holds(ident) for log in self._logs)

    # A look.

    def _look(self) -> Steps[None]:
        # A copy is made before the truncation; if over an older copy, that is seen then.
        self._note_truncation()
        yield from self._drop_overwritten()
        current = self._current
        opened, absent = self._open_name()
        # What stands at the beginning is noted before the siblings are listed. If it stands there
        # still when it is read, no copy of it was taken for another file in between.
        newest = opened or current
        first = b""
        filled = False
        if newest is not None and not newest.content.offset:
            # One that is empty may have been written, copied and truncated.
            modified_ns = os.fstat(newest.descriptor).st_mtime_ns
            filled = modified_ns != newest.examined_ns
            newest.examined_ns = modified_ns
            first = os.pread(newest.descriptor, HEAD_BYTES, 0)
        self._pending = self._pending or self._listed != changed_ns(self._places)
        due = self._pending and self.now >= self._examine_at
        cut = any(not cut.said for cut in self.known.truncated)
        missed: list[OpenFile] = []
        waiting = False
        if opened or absent or first or filled or cut or due:
            search = yield from self._examine(opened)
            missed = search.missed()
            waiting = self._waits_for(search.unfinished)
            for file in (*search.rests, *missed):
                file.heard = self.now
            self._held += search.rests
        if not self._pending:
            self.known.modified_ns = self._newly_modified_ns
        if current is not None and (opened or (absent and missed)):
            self._held.append(current)
            current.heard = self.now
            self._current = None
        self._held += missed
        self._current = opened or self._current
        for file in self._open_files():
            if file.watch is None:
                file.watch = self._changes.watch_file(file.descriptor)
        if waiting or not (yield from self._read_held()):
            return
        yield from self._give_up_cuts()
        yield from self._read_current(first)
        yield from self._let_go()

    def _open_name(self) -> tuple[OpenFile | None, bool]:
        """Return a file that is newly under the name, and whether nothing is under it."""
        try:
            status = self._path.stat()
            ident = (status.st_dev, status.st_ino)
            if self._current is not None and self._current.ident == ident:
                self._newly_modified_ns = status.st_mtime_ns
                return None, False
            for held in self._held:
                if held.ident == ident:
                    # Renamed there and back.
                    self._held.remove(held)
                    return held, False
            if self._is_open(ident):
                return None, True
            file = self.known.open(self.path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._say(f"{self.path}: {error.strerror}; trying again until it can be read")
            return None, True
        self._problem = None
        self._find_beginning(file)
        return file, False

    def _find_beginning(self, file: OpenFile) -> None:
        """Stand where the first line is that was not read yet."""
        # A log that is being written is not compressed, whatever it begins with.
        file.gunzip = None
        begin, self._begin = self._begin, None
        if begin is not None and begin[0] == file.ident:
            self._skip(file, begin[1])
            return
        for log in self._logs:
            known = log.known.files.get(file.ident)
            # It was under this name before, or was rotated from another followed one, and was
            # let go; if its inode has not become another file's.
            if known and known.content and known.content.found_in(file.descriptor) == "all":
                file.cutter.content = known.content

    def _skip(self, file: OpenFile, offset: int) -> None:
        """Begin at the line that is being written at an offset."""
        offset = min(offset, file.size)
        start = max(offset - READ_BYTES, 0)
        newline = os.pread(file.descriptor, offset - start, start).rfind(b"\n")
        if newline >= 0 or not start:
            offset = start + newline + 1
        file.cutter.content = Fingerprint.of(file.descriptor, offset)
        if self._header is not None:
            self._before = header_before(file.descriptor, offset, self._header)

    def _say(self, problem: str) -> None:
        """Log a problem once, until it is over."""
        if problem != self._problem:
            _log.warning("%s", problem)
            self._problem = problem

    # Reading.

    def _read(self, file: OpenFile) -> Steps[None]:
        while data := file.read():
            file.heard = self.now
            yield list(file.cutter.feed(data))

    def _read_held(self) -> Steps[bool]:
        """Read what is no longer under the name, and tell whether what is newer may be read."""
        for file in list(self._held):
            try:
                yield from self._read(file)
            except EOFError:
                size = file.size
                if size != file.unfinished:
                    file.unfinished = size
                    file.heard = self.now
                if self.now - file.heard < UNFINISHED_S:
                    return False
                _log.warning("%s: is cut short; what there is was read", file.path)
            except DamagedError as error:
                _log.warning("%s: is damaged: %s; what came before was read", file.path, error)
            if file.is_copy or file.gunzip is not None:
                yield from self._release(file)
        return True

    def _read_current(self, first: bytes) -> Steps[None]:
        file = self._current
        if file is None or not (first or file.content.offset):
            return
        if not file.content.offset:
            if file.was_cut and first.startswith(b"\0"):
                file.skip_hole()
            else:
                data = file.read()
                if not data.startswith(first):
                    # Truncated since: what is there was not compared with the siblings.
                    return
                file.heard = self.now
                yield list(file.cutter.feed(data))
        yield from self._read(file)

    def _let_go(self) -> Steps[None]:
        """Close what has been quiet since it was replaced."""
        written = False
        for file in reversed(self._open_files()):
            quiet = self.now - file.heard >= QUIET_S
            # As long as nothing is in a newer one, its writer may not have changed over.
            if quiet and (written or not os.fstat(file.descriptor).st_nlink):
                # Who asks for steps may have been away since it was read.
                yield from self._read(file)
                if file.heard != self.now:
                    yield from self._release(file)
            written = written or file.content.offset > 0
        while len(self._held) > MAX_HELD:
            yield from self._release(self._held[0])

    def _release(self, file: OpenFile) -> Steps[None]:
        """Close a file that was read to its end; its last line may have no newline."""
        if file is self._current:
            self._current = None
        else:
            self._held.remove(file)
        self.known.remember(file.content)
        self.known.know(file, file.content if file.gunzip is None else None)
        yield list(file.cutter.finish())
        self._close(file)

    def _close(self, file: OpenFile) -> None:
        self._changes.forget(file.watch)
        file.close()

    # Truncation.

    def _note_truncation(self) -> None:
        file = self._current
        if file is not None and file.was_truncated():
            self.known.truncated.append(Truncated(file.cutter))
            file.cutter = self.known.cutter()
            file.was_cut = True

    def _drop_overwritten(self) -> Steps[None]:
        """Let go of older files that are other ones by now: they are looked at as such."""
        for file in list(self._held):
            if file.was_truncated():
                yield from self._release(file)
                del self.known.files[file.ident]

    def _give_up_cuts(self) -> Steps[None]:
        """Say of what was truncated, and has no copy, that something may be lost."""
        for cut in self.known.truncated:
            if not cut.said:
                cut.said = True
                # It is kept: a copy that comes later is still known by it.
                self.known.remember(cut.cutter.content)
                if not cut.copied:
                    _log.warning(
                        "%s: was truncated, and no copy of it was found (looked for beside it); "
                        "it is read from its beginning, and lines that were written just before "
                        "may be lost",
                        self.path,
                    )
                yield list(cut.cutter.finish())

    # Siblings.

    def _note_places(self) -> None:
        """Take what stands in a new place as known: it was there before."""
        for place in places(self._path) - self._places:
            self._places.add(place)
            self.known.note(siblings(*place), self.holds)

    def _examine(self, opened: OpenFile | None) -> Steps[Search]:
        """Look at siblings that are not known."""
        self._note_places()
        self._listed = changed_ns(self._places)
        current = self._current
        newest = [file for file in (opened, current) if file is not None]
        search = Search(self.known, self._is_open, newest, self._held)
        yield from search.run(self._places)
        if current is not None and current.was_truncated():
            # Just now: what was taken for missed may be its copy.
            search.forget_missed()
            search.pending = True
        self._pending = search.pending
        self._examine_at = self.now + _EXAMINE_S
        return search

    def _waits_for(self, unfinished: set[tuple[Ident, int]]) -> bool:
        """Tell whether copies that are being written grow still."""
        if unfinished != self._unfinished:
            self._unfinished = unfinished
            self._unfinished_since = self.now
        return bool(unfinished) and self.now - self._unfinished_since < UNFINISHED_S
