"""
The files that one name has had, read in the order in which they were written.

A log is rotated in one of two ways. It is renamed and a new file is created: the old file is kept
open and read to its end, then the new one is read. Or it is copied and truncated: what was written
between the last read and the truncation exists only in the copy, so the copy is searched for and
its rest is read, then the file from its beginning.

Files that were created and rotated between two scans are found among the siblings: files in the
same directory whose name begins with this one's, or has what rotation adds before its extension.
They are classified by content, not by name or inode: both are reused, and compression gives a file
another inode. For every content that was read, the beginning, the length, the bytes before its end
and samples from between are kept. A sibling is then one of the following:

- a copy, maybe compressed, of what was read or is being read, or of the first part of it if more
  was written while the copy was made: it is skipped,
- a copy of a content that was truncated while it was read: it is read from that offset on,
- a rotated file that was never seen: it is read whole, before anything newer.

`content` fingerprints contents, `siblings` interprets names, and `verdict` classifies siblings.
Nothing here waits, reads a clock or knows an event loop. These cases are not detected:

- a file that is truncated and, between two scans, grows into one with the same bytes at the same
  offset,
- lines that nobody copied before a truncation: a warning is logged. If the copy is shorter than
  what was read, lines written between the last read and the truncation are lost without one,
- a file that was created and rotated between two scans, begins like one that was read, and differs
  only in its last ninth, as with a long comment and a line or two after it: it is taken for a copy,
- what a link, or a directory in the path, pointed to between two scans, if it was switched twice.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tailrace._errors import os_reason
from tailrace._sources import Chunk
from tailrace._sources.content import HEAD_BYTES, Fingerprint
from tailrace._sources.openfile import READ_BYTES
from tailrace._sources.plain import newline_of
from tailrace._sources.siblings import changed_ns, places, siblings
from tailrace._sources.unpacking import DamagedError
from tailrace._sources.verdict import LogHistory, SiblingScan, Truncation

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterator, Sequence

    from tailrace._sources.changes import Changes
    from tailrace._sources.header import Header
    from tailrace._sources.openfile import OpenFile
    from tailrace._sources.positions import FileStatus, KnownContent, KnownLog
    from tailrace._sources.siblings import Ident
    from tailrace._sources.verdict import Steps

__all__ = ["FollowedLog"]

_log = logging.getLogger(__name__)

# How long a file that no longer has the name is kept open after its last byte. Servers reopen
# their logs within about a second, but may finish long requests in the old one.
QUIET_S = 5.0

# How long an incompletely compressed file may stop growing before it is given up.
UNFINISHED_S = 5.0

# How often siblings that could not be classified are examined again.
_EXAMINE_S = 1.0

_LOST_WITH_FILE = "%s: was deleted at byte %d; lines after it are lost"
_LOST_IN_FILE = (
    "%s: was truncated or deleted at byte %d, and no copy was found in its directory; lines after "
    "it are lost, and reading continues from the beginning"
)

# The number of scans of a file that is read to its end.
_ONCE_SCANS = 3

# The number of files kept open that no longer have the name.
MAX_HELD = 64


class FollowedLog:
    """
    One followed name.

    `steps` yields chunks, and `None` when there are none at the moment. The caller sets `now`
    before each step, and may call again at any time.
    """

    def __init__(
        self,
        path: str,
        source: int,
        changes: Changes,
        logs: Sequence[FollowedLog],
        *,
        known: KnownLog | None = None,
        others: Container[Ident] = (),
        piece_bytes: int = READ_BYTES,
    ) -> None:
        self.path = path
        self.now = 0.0
        self.history = LogHistory(source, known, piece_bytes)
        # What a checkpoint knows of it, if there is one.
        self._known = known
        self._path = Path(path)
        self._source = source
        self._changes = changes
        # All followed names, this one included: a file belongs to only one of them.
        self._logs = logs
        # Files that are read by themselves.
        self._others = others
        self._current: OpenFile | None = None
        # Files that no longer have the name, oldest first, all older than the current one.
        self._held: list[OpenFile] = []
        self._places: set[tuple[str, str]] = set()
        # See `LogHistory.modified_ns`.
        self._newly_modified_ns = 0
        # Where to begin in the file that existed at the start.
        self._begin: tuple[Ident, int] | None = None
        self._header: Header | None = None
        self._problem: str | None = None
        # Whether there are siblings that cannot be classified yet.
        self._pending = False
        self._examine_at = 0.0
        # The modification times of the directories when they were listed.
        self._listed: list[int] = []
        self._unfinished: set[tuple[Ident, int]] = set()
        self._unfinished_since = 0.0

    # Called by the source.

    def resume(
        self,
        *,
        elsewhere: Container[int] = (),
        here: int | None = None,
        adopted: KnownContent | None = None,
    ) -> None:
        """
        Continue where an earlier process ended; call it for all names before `start`.

        Args:
            elsewhere: The numbers of contents that are read under another name from now on.
            here: The number of the content that the file under the name has, if that is known.
            adopted: The same, if another name had that content.
        """
        if self._known is not None:
            self._places |= self._known.places
            self._newly_modified_ns = self._known.modified_ns
            self.history.resume(self._known, elsewhere, here)
        if adopted is not None:
            self.history.adopt(adopted)

    def start(self, *, from_end: bool, header: Header | None = None) -> str | None:
        """Record the files that exist; return why nothing can be read yet, or `None`."""
        self._header = header
        from_end = from_end and (self._known is None or self._known.is_new)
        problem = os.strerror(errno.EACCES).lower()
        try:
            status = self._path.stat()
            if from_end:
                self._begin = ((status.st_dev, status.st_ino), status.st_size)
        except OSError as error:
            problem = os_reason(error)
        # Whatever appears from now on is new, so the file is opened before siblings are recorded.
        self._current, _ = self._open_name()
        self._note_places()
        if self._current is not None and self._current.content.offset:
            self._record(self._current, "current")
        return None if self._current else problem

    def watch(self) -> None:
        """Watch the directories of the name for changes."""
        for directory in {directory for directory, _ in places(self._path)}:
            self._changes.watch_directory(directory)

    def steps(self) -> Generator[list[Chunk] | None, None, None]:
        """Yield chunks, an empty list after a long step, and `None` when everything is read."""
        while True:
            try:
                yield from self._look()
            except OSError as error:
                # From an open file: a lost network file system, a broken disk.
                self._warn_once(f"{self.path}: {os_reason(error)}; trying again")
            yield None

    def read_once(self, *, is_rotated: bool) -> Iterator[Chunk]:
        """
        Yield the lines up to the end of the file, with a last line that has no newline.

        Args:
            is_rotated: Whether nothing is expected to be appended to the file later.
        """
        # What is being compressed or copied is not waited for: the next run finds it.
        for _ in range(_ONCE_SCANS):
            for part in self._look():
                yield from part
            self.now += max(QUIET_S, UNFINISHED_S) + 1
            if not self._unfinished and all(each.reported for each in self.history.truncated):
                break
        for file in list(self._held):
            for part in self._release(file):
                yield from part
        current = self._current
        if current is not None:
            yield from current.cutter.finish()
            if is_rotated and self._known is not None:
                self._known.set_status(current.content, "read")
            current.cutter.check(self.path)

    def close(self) -> None:
        """Close every file."""
        for file in self._open_files():
            self._close(file)
        self._held.clear()
        self._current = None

    def holds(self, ident: Ident) -> bool:
        """Return whether a file is open here."""
        return any(file.ident == ident for file in self._open_files())

    def _is_read(self, ident: Ident) -> bool:
        return ident in self._others or self.holds(ident)

    def _open_files(self) -> list[OpenFile]:
        return self._held + ([self._current] if self._current is not None else [])

    def _is_open(self, ident: Ident) -> bool:
        return self._is_read(ident) or any(log.holds(ident) for log in self._logs)

    # One scan.

    def _look(self) -> Steps[None]:
        # A copy is made before the truncation; if it replaced an older copy, that is noticed here.
        self._note_truncation()
        yield from self._release_overwritten()
        current = self._current
        opened, absent = self._open_name()
        # The first bytes are recorded before the siblings are listed. If they are still the same
        # when the file is read, no copy of it was taken for another file in between.
        newest = opened or current
        first = b""
        filled = False
        if newest is not None and not newest.content.offset:
            # An empty file may have been written, copied and truncated.
            modified_ns = os.fstat(newest.descriptor).st_mtime_ns
            filled = modified_ns != newest.examined_ns
            newest.examined_ns = modified_ns
            first = os.pread(newest.descriptor, HEAD_BYTES, 0)
        self._pending = self._pending or self._listed != changed_ns(self._places)
        due = self._pending and self.now >= self._examine_at
        unreported = any(not truncation.reported for truncation in self.history.truncated)
        missed: list[OpenFile] = []
        waiting = False
        if opened or absent or first or filled or unreported or due:
            search = yield from self._examine(opened)
            missed = search.missed()
            waiting = self._waits_for(search.unfinished)
            for file in (*search.rests, *missed):
                file.active_at = self.now
            self._held += self._in_order(search.rests)
        if not self._pending:
            self.history.modified_ns = self._newly_modified_ns
        if current is not None and (opened or (absent and missed)):
            self._held.append(current)
            current.active_at = self.now
            self._current = None
        self._held += missed
        self._current = opened or self._current
        self._record_held()
        for file in self._open_files():
            if file.watch is None:
                file.watch = self._changes.watch_file(file.descriptor)
        if waiting or not (yield from self._read_held()):
            return
        yield from self._report_truncations()
        self._record_cutoff()
        yield from self._read_current(first)
        yield from self._close_quiet()

    def _open_name(self) -> tuple[OpenFile | None, bool]:
        """Return the file if the name has a new one, and whether the name has no file."""
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
            file = self.history.open(self.path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._warn_once(
                    f"{self.path}: {os_reason(error)}; trying again until it can be read"
                )
            return None, True
        self._problem = None
        self._find_beginning(file)
        return file, False

    def _find_beginning(self, file: OpenFile) -> None:
        """Position the file at the first line that was not read yet."""
        # A log that is being written is not compressed, whatever its first bytes are.
        file.unpacked = None
        begin, self._begin = self._begin, None
        if begin is not None and begin[0] == file.ident:
            self._skip(file, begin[1])
            self._resume_header(file)
            return
        if (resumed := self.history.resumed_in(file, self._places)) is not None:
            file.cutter = resumed.cutter
            file.cutter.ident = file.ident
            self._record(file, "current")
            self._resume_header(file)
            return
        for log in self._logs:
            known = log.history.files.get(file.ident)
            # It had this name before, or was rotated from another followed name, and was closed;
            # unless its inode belongs to another file now.
            if known and known.content and known.content.match_in(file.descriptor) == "all":
                file.cutter.content = known.content

    def _skip(self, file: OpenFile, offset: int) -> None:
        """Begin at the start of the line that contains an offset."""
        offset = min(offset, file.size)
        start = max(offset - READ_BYTES, 0)
        newline = newline_of(os.pread(file.descriptor, 2, 0))
        data = os.pread(file.descriptor, offset - start, start)
        place = data.rfind(newline)
        while place >= 0 and (start + place) % len(newline):
            # These are bytes of two characters of UTF-16.
            place = data.rfind(newline, 0, place + len(newline) - 1)
        if place >= 0:
            offset = start + place + len(newline)
        else:
            offset -= offset % len(newline) if start else offset
        file.cutter.content = Fingerprint.of(file.descriptor, offset)

    def _in_order(self, rests: Sequence[OpenFile]) -> list[OpenFile]:
        """Sort the files that continue contents of an earlier process as they were read then."""
        for file in rests:
            if file.is_resumed:
                self._resume_header(file)
        return sorted(rests, key=lambda file: file.content.number)

    def _resume_header(self, file: OpenFile) -> None:
        """Find the lines that name the columns of a file that is not read from its beginning."""
        if self._header is not None:
            file.header = file.header_before(self._header)

    def _warn_once(self, problem: str) -> None:
        """Log a problem once, until it is solved."""
        if problem != self._problem:
            _log.warning("%s", problem)
            self._problem = problem

    # Reading.

    def _read(self, file: OpenFile) -> Steps[None]:
        if file.header:
            header, file.header = file.header, b""
            yield [Chunk(header, (0, len(header)), source=self._source)]
        while data := file.read():
            file.active_at = self.now
            yield list(file.cutter.feed(data))

    def _read_held(self) -> Steps[bool]:
        """Read the files that no longer have the name; return whether newer ones may be read."""
        for file in list(self._held):
            try:
                yield from self._read(file)
            except EOFError:
                size = file.size
                if size != file.unfinished:
                    file.unfinished = size
                    file.active_at = self.now
                if self.now - file.active_at < UNFINISHED_S:
                    return False
                _log.warning("%s: truncated file: its complete lines were read", file.path)
            except DamagedError as error:
                _log.warning(
                    "%s: damaged file: %s; the lines before the damage were read", file.path, error
                )
            if file.is_copy or file.unpacked is not None:
                yield from self._release(file)
        return True

    def _read_current(self, first: bytes) -> Steps[None]:
        file = self._current
        if file is None or not (first or file.content.offset):
            return
        if not file.content.offset:
            if first.startswith(b"\0"):
                file.skip_hole()
            else:
                data = file.read()
                if not data or data[: len(first)] != first[: len(data)]:
                    # Truncated meanwhile: the new content was not compared with the siblings.
                    return
                file.active_at = self.now
                yield list(file.cutter.feed(data))
        yield from self._read(file)

    def _close_quiet(self) -> Steps[None]:
        """Close replaced files that have been quiet."""
        written = False
        for file in reversed(self._open_files()):
            quiet = self.now - file.active_at >= QUIET_S
            # Until a newer file has content, the writer may still use this one.
            if quiet and (written or not os.fstat(file.descriptor).st_nlink):
                # Much time may have passed since the last step.
                yield from self._read(file)
                if file.active_at != self.now:
                    yield from self._release(file)
            written = written or file.content.offset > 0
        while len(self._held) > MAX_HELD:
            yield from self._release(self._held[0])

    def _release(self, file: OpenFile) -> Steps[None]:
        """Close a file that was read to its end, and deliver a last line without newline."""
        if file is self._current:
            self._current = None
        else:
            self._held.remove(file)
        self.history.remember(file.content)
        self.history.know(file, file.content if file.unpacked is None else None)
        yield list(file.cutter.finish())
        if self._known is not None:
            self._known.set_status(file.content, "read")
        self._close(file)

    def _close(self, file: OpenFile) -> None:
        self._changes.forget(file.watch)
        file.close()

    # What a checkpoint is to know.

    def _record(self, file: OpenFile, status: FileStatus) -> None:
        if self._known is not None:
            is_cut = file.cutter.is_cut
            self._known.add_content(file.content, file.ident, status, is_cut=is_cut)

    def _record_cutoff(self) -> None:
        """Note from which time on siblings may have unread lines, once no other file has one."""
        if self._known is not None and not self._held and not self._pending:
            self._known.cutoff_ns = self.history.modified_ns

    def _record_held(self) -> None:
        """Record which files no longer have the name."""
        if self._known is not None:
            for file in self._held:
                if not file.is_recorded:
                    file.is_recorded = True
                    self._known.set_status(file.content, "rotated")

    # Truncation.

    def _note_truncation(self) -> None:
        file = self._current
        if file is not None and file.was_truncated():
            self.history.truncated.append(Truncation(file.cutter))
            file.cutter = self.history.cutter()
            file.cutter.ident = file.ident

    def _release_overwritten(self) -> Steps[None]:
        """Release older files whose content was replaced, so that they are examined again."""
        for file in list(self._held):
            if file.was_truncated():
                yield from self._release(file)
                del self.history.files[file.ident]

    def _report_truncations(self) -> Steps[None]:
        """Log each truncation without a copy, because lines may be lost."""
        for truncation in self.history.truncated:
            if not truncation.reported and not (truncation.is_resumed and self._is_out_of_reach()):
                truncation.reported = True
                # Kept, so that a later copy is still recognized.
                self.history.remember(truncation.cutter.content)
                if not truncation.copied:
                    self._warn_lost(truncation)
                yield list(truncation.cutter.finish())
                if self._known is not None:
                    self._known.set_status(truncation.cutter.content, "truncated")

    def _is_out_of_reach(self) -> bool:
        """Return whether the file may be back later: no permission, or a disk not yet mounted."""
        return self._problem is not None or not self._path.parent.exists()

    def _warn_lost(self, truncation: Truncation) -> None:
        """Log that the rest of a content was not found."""
        text = (
            "%s: truncated, and no copy was found in its directory; reading continues from its "
            "beginning, and lines written just before the truncation may be lost"
        )
        values: tuple[object, ...] = (self.path,)
        if truncation.is_resumed:
            # A new file may have the same inode.
            text = _LOST_IN_FILE if self.holds(truncation.cutter.ident) else _LOST_WITH_FILE
            values = self.path, truncation.cutter.content.offset
        _log.warning(text, *values)

    # Siblings.

    def _note_places(self) -> None:
        """Mark the files in a new place as known, because they existed before."""
        for place in places(self._path) - self._places:
            self._places.add(place)
            if self._known is not None:
                self._known.add_place(*place)
            self.history.note(siblings(*place), self._is_read)

    def _examine(self, opened: OpenFile | None) -> Steps[SiblingScan]:
        """Examine unknown siblings."""
        self._note_places()
        self._listed = changed_ns(self._places)
        current = self._current
        newest = [file for file in (opened, current) if file is not None]
        search = SiblingScan(self.history, self._is_open, newest, self._held)
        yield from search.run(self._places)
        if current is not None and current.was_truncated():
            # Truncated just now: a file classified as missed may be its copy.
            search.forget_missed()
            search.pending = True
        self._pending = search.pending
        self._examine_at = self.now + _EXAMINE_S
        return search

    def _waits_for(self, unfinished: set[tuple[Ident, int]]) -> bool:
        """Return whether copies that are being written still grow."""
        if unfinished != self._unfinished:
            self._unfinished = unfinished
            self._unfinished_since = self.now
        return bool(unfinished) and self.now - self._unfinished_since < UNFINISHED_S
