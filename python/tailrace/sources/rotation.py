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

Nothing here waits, reads a clock or knows an event loop. What cannot be known:

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
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tailrace.sources import Chunk
from tailrace.sources.content import BEFORE_BYTES, HEAD_BYTES, Trail
from tailrace.sources.header import header_before
from tailrace.sources.siblings import ROTATED, is_rotated, siblings
from tailrace.sources.text import Cutter
from tailrace.sources.unpacking import GZIP, DamagedError, Unpacked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from tailrace.sources.changes import Changes
    from tailrace.sources.header import Header
    from tailrace.sources.siblings import Ident, Sibling

__all__ = ["Name"]

_log = logging.getLogger(__name__)

# As much as one chunk has.
_READ_BYTES = 1024 * 1024

# How much of a compressed file that may be a copy of one that is read now is compared each time.
_FIRST_BYTES = 64 * 1024

# How long a file that is no longer under the name is listened to after its last byte. Servers
# reopen their logs within a second or so, but may finish long requests in the old one.
QUIET_S = 5.0

# How long a compressed file may stand still unfinished before it is given up.
UNFINISHED_S = 5.0

# How often siblings are looked at again of which it could not be said what they are.
_EXAMINE_S = 1.0

# How many files that are no longer under the name are held open for it.
MAX_HELD = 64

# How many contents are remembered, newest first: 256 that stood there at the start, and as many
# that were read. Each of these is below 8 KiB as long as it is of less than a GiB.
_MAX_REMEMBERED = 256

# How often the siblings are listed until two lists agree: a directory is not read at one instant.
_MAX_LISTINGS = 20

# Dates have more digits.
_LONGEST_NUMBER = 4

# What zstd, bzip2 and xz begin with.
_OTHER_COMPRESSION = (b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")

# What a sibling is: the rest of what was truncated, or what will be when it is finished; never
# seen before; read already or of no concern, the same as long as it stays as it is; or to be told
# later.
_Verdict = Literal["rest", "unfinished", "missed", "known", "part", "pending"]


class _Cut:
    """What was being read when it was truncated: its rest stands elsewhere, if anywhere."""

    def __init__(self, trail: Trail, cutter: Cutter) -> None:
        self.trail = trail
        self.cutter = cutter
        # Whether there is a copy that has less than was read.
        self.copied = False
        self.said = False


class _File:
    """An open file, and how far it has been read."""

    def __init__(self, descriptor: int, path: str, source: int) -> None:
        self.descriptor = descriptor
        self.path = path
        status = os.fstat(descriptor)
        self.ident: Ident = (status.st_dev, status.st_ino)
        self.trail = Trail()
        self.cutter = Cutter(source)
        self.watch: int | None = None
        self.was_cut = False
        # When it had been written last, as of the last look at its siblings while it was empty.
        self.examined_ns = 0
        # When it last had something, by the clock of who looks.
        self.heard = 0.0
        # Something that nobody writes to any more.
        self.is_copy = False
        packed = os.pread(descriptor, len(GZIP.magics[0]), 0).startswith(GZIP.magics)
        self.gunzip = Unpacked.of_file(descriptor, GZIP) if packed else None
        # Its size when a compressed one was found unfinished.
        self.unfinished: int | None = None

    def read(self) -> bytes:
        """
        Return what follows, at most a chunk.

        Raises:
            EOFError: It is compressed, and cut short.
            DamagedError: It is compressed, and damaged.
        """
        if self.gunzip is not None:
            data = self.gunzip.read(_READ_BYTES)
        else:
            trail = self.trail
            size = min(os.fstat(self.descriptor).st_size - trail.offset, _READ_BYTES)
            if size <= 0:
                return b""
            data = os.pread(self.descriptor, size, trail.offset)
            # Looked at after the read: what was read is of the same content then.
            if not self._is_before(trail):
                return b""
        self.trail.add(data)
        return data

    def was_truncated(self) -> bool:
        """Tell whether what was read no longer stands where it stood."""
        if self.gunzip is not None:
            return False
        trail = self.trail
        return os.fstat(self.descriptor).st_size < trail.offset or not self._is_before(trail)

    def _is_before(self, trail: Trail) -> bool:
        size = len(trail.before)
        return os.pread(self.descriptor, size, trail.offset - size) == trail.before

    def skip_hole(self) -> None:
        """Pass over the zeros that a writer leaves who went on where it was before truncation."""
        try:
            # Where a system cannot tell, there is no hole.
            start = os.lseek(self.descriptor, 0, os.SEEK_DATA)
        except OSError:
            start = 0
        size = _READ_BYTES
        while size == _READ_BYTES:
            data = os.pread(self.descriptor, size, start)
            size = len(data) - len(data.lstrip(b"\0"))
            start += size
        if start:
            self.trail = Trail.at(self.descriptor, start)

    def head(self) -> bytes:
        """Return how the content begins."""
        if self.gunzip is not None and self.trail.offset:
            return self.trail.head
        return self.first(HEAD_BYTES)

    def first(self, size: int) -> bytes:
        """Return so much of the beginning, or what there is."""
        if self.gunzip is None:
            return os.pread(self.descriptor, size, 0)
        first = b""
        gunzip = Unpacked.of_file(self.descriptor, GZIP)
        # One that is being written may end anywhere.
        with suppress(EOFError):
            while len(first) < size and (data := gunzip.read(size - len(first))):
                first += data
        return first


class _Known(NamedTuple):
    """A sibling that needs no look, as long as it is still the same."""

    size: int
    modified_ns: int
    head: bytes
    trail: Trail | None = None
    """How far it was read here."""


class _Found:
    """What a look at the siblings has found so far."""

    def __init__(self) -> None:
        self.rests: list[_File] = []
        self.missed: list[tuple[Sibling, _File]] = []
        self.unfinished: set[tuple[Ident, int]] = set()
        self.looked_at: set[Ident] = set()
        self.pending = False

    def forget_missed(self) -> None:
        for _, file in self.missed:
            self.looked_at.discard(file.ident)
            os.close(file.descriptor)
        self.missed.clear()


class Name:
    """
    One followed name.

    `steps` gives chunks, and nothing where there are none at the moment; whoever asks sets `now`
    before, and may ask again at any time.
    """

    def __init__(self, path: str, source: int, changes: Changes, names: Sequence[Name]) -> None:
        self.path = path
        self.now = 0.0
        self._path = Path(path)
        self._source = source
        self._changes = changes
        # Itself and the others: a file that one of them reads is none of the others'.
        self._names = names
        self._current: _File | None = None
        # Those no longer under the name, oldest first, all older than the current one.
        self._held: list[_File] = []
        self._cuts: deque[_Cut] = deque(maxlen=8)
        self._seen: deque[Trail] = deque(maxlen=2 * _MAX_REMEMBERED)
        self._known: dict[Ident, _Known] = {}
        self._places: set[tuple[str, str]] = set()
        # When the file under the name had been written last, as of the last look at which it was
        # under it; what was missed came to be after that. Not as of now: it may have been
        # truncated, or renamed and written to, since.
        self._modified_ns = 0
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
        self._unfinished: tuple[frozenset[tuple[Ident, int]], float] | None = None

    # What the source asks.

    def start(self, *, from_end: bool, header: Header | None = None) -> str | None:
        """Note what is there already, and say why nothing can be read yet, if so."""
        problem = None
        self._header = header
        try:
            status = self._path.stat()
            if from_end:
                self._begin = ((status.st_dev, status.st_ino), status.st_size)
        except OSError as error:
            problem = error.strerror
        # What comes to be after this is new; so the file is opened before the siblings are noted.
        self._current, _ = self._open_name()
        if self._current is not None:
            self._current.watch = self._changes.watch_file(self._current.descriptor)
        for place in self._found_places():
            self._take_note(place)
        return None if self._current else problem or os.strerror(errno.EACCES)

    def watch(self) -> None:
        """Ask for notification of what comes and goes where the name is."""
        for directory in {directory for directory, _ in self._found_places()}:
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
        for file in [*self._held, *([self._current] if self._current else [])]:
            self._close(file)
        self._held.clear()
        self._current = None

    def holds(self, ident: Ident) -> bool:
        """Tell whether a file is open here."""
        held = any(file.ident == ident for file in self._held)
        return held or (self._current is not None and self._current.ident == ident)

    def knows(self, ident: Ident) -> _Known | None:
        """Return what is known of a file that was let go."""
        return self._known.get(ident)

    # A look.

    def _look(self) -> Generator[list[Chunk], None, None]:
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
        if newest is not None and not newest.trail.offset:
            # One that is empty may have been written, copied and truncated.
            modified_ns = os.fstat(newest.descriptor).st_mtime_ns
            filled = modified_ns != newest.examined_ns
            newest.examined_ns = modified_ns
            first = os.pread(newest.descriptor, HEAD_BYTES, 0)
        rests: list[_File] = []
        missed: list[_File] = []
        waiting = False
        self._pending = self._pending or self._listed != self._directories()
        due = self._pending and self.now >= self._examine_at
        cut = any(not cut.said for cut in self._cuts)
        if opened or absent or first or filled or cut or due:
            rests, missed, waiting = yield from self._examine(opened)
        if not self._pending:
            self._modified_ns = self._newly_modified_ns
        for file in (*rests, *missed):
            file.heard = self.now
            file.watch = self._changes.watch_file(file.descriptor)
        self._held += rests
        if current is not None and (opened or (absent and missed)):
            self._held.append(current)
            current.heard = self.now
            self._current = None
        self._held += missed
        if opened:
            if opened.watch is None:
                opened.watch = self._changes.watch_file(opened.descriptor)
            self._current = opened
        if waiting:
            return
        if not (yield from self._read_held()):
            return
        yield from self._give_up_cuts()
        yield from self._read_current(first)
        yield from self._let_go()

    def _open_name(self) -> tuple[_File | None, bool]:
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
            if any(name.holds(ident) for name in self._names):
                return None, True
            file = self._open(self.path)
        except FileNotFoundError:
            return None, True
        except OSError as error:
            self._say(f"{self.path}: {error.strerror}; trying again until it can be read")
            return None, True
        self._problem = None
        self._find_beginning(file)
        return file, False

    def _find_beginning(self, file: _File) -> None:
        """Stand where the first line is that was not read yet."""
        # A log that is being written is not compressed, whatever it begins with.
        file.gunzip = None
        begin, self._begin = self._begin, None
        if begin is not None and begin[0] == file.ident:
            self._skip(file, begin[1])
            return
        for name in self._names:
            known = name.knows(file.ident)
            # It was under this name before, or was rotated from another followed one, and was
            # let go; if its inode has not become another file's.
            if known is not None and known.trail and known.trail.leads(file.descriptor):
                file.trail = known.trail

    def _skip(self, file: _File, offset: int) -> None:
        """Begin at the line that is being written at an offset."""
        offset = min(offset, os.fstat(file.descriptor).st_size)
        start = max(offset - _READ_BYTES, 0)
        newline = os.pread(file.descriptor, offset - start, start).rfind(b"\n")
        if newline >= 0 or not start:
            offset = start + newline + 1
        file.trail = Trail.at(file.descriptor, offset)
        if self._header is not None:
            self._before = header_before(file.descriptor, offset, self._header)

    def _open(self, path: str) -> _File:
        # Not blocking: what is no file any more may be a pipe without a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _refuse_odd(descriptor, path)
            return _File(descriptor, path, self._source)
        except BaseException:
            os.close(descriptor)
            raise

    def _say(self, problem: str) -> None:
        """Log a problem once, until it is over."""
        if problem != self._problem:
            _log.warning("%s", problem)
            self._problem = problem

    # Reading.

    def _read(self, file: _File) -> Generator[list[Chunk], None, None]:
        while data := file.read():
            file.heard = self.now
            yield list(file.cutter.feed(data))

    def _read_held(self) -> Generator[list[Chunk], None, bool]:
        """Read what is no longer under the name, and tell whether what is newer may be read."""
        for file in list(self._held):
            try:
                yield from self._read(file)
            except EOFError:
                size = os.fstat(file.descriptor).st_size
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

    def _read_current(self, first: bytes) -> Generator[list[Chunk], None, None]:
        file = self._current
        if file is None:
            return
        if not file.trail.offset:
            if not first:
                return
            if file.was_cut and first.startswith(b"\0"):
                file.skip_hole()
            else:
                data = file.read()
                if not data.startswith(first):
                    # Truncated since: what is there was not compared with the siblings.
                    file.trail = Trail()
                    return
                file.heard = self.now
                yield list(file.cutter.feed(data))
        yield from self._read(file)

    def _let_go(self) -> Generator[list[Chunk], None, None]:
        """Close what has been quiet since it was replaced."""
        written = self._current is not None and self._current.trail.offset > 0
        for file in reversed(self._held[:]):
            status = os.fstat(file.descriptor)
            quiet = self.now - file.heard >= QUIET_S
            # As long as nothing is in a newer one, its writer may not have changed over.
            if quiet and (written or not status.st_nlink):
                # Who asks for steps may have been away since it was read.
                yield from self._read(file)
                if file.heard != self.now:
                    yield from self._release(file)
            written = written or file.trail.offset > 0
        while len(self._held) > MAX_HELD:
            yield from self._release(self._held[0])
        current = self._current
        if (
            current is not None
            and not os.fstat(current.descriptor).st_nlink
            and self.now - current.heard >= QUIET_S
        ):
            yield from self._read(current)
            if current.heard != self.now:
                self._current = None
                self._held.append(current)
                yield from self._release(current)

    def _release(self, file: _File) -> Generator[list[Chunk], None, None]:
        """Close a file that was read to its end; its last line may have no newline."""
        self._held.remove(file)
        self._remember(file.trail)
        self._know(file, file.trail if file.gunzip is None else None)
        yield list(file.cutter.finish())
        self._close(file)

    def _close(self, file: _File) -> None:
        self._changes.forget(file.watch)
        os.close(file.descriptor)

    def _remember(self, trail: Trail) -> None:
        if trail.offset:
            self._seen.append(trail)

    def _know(self, file: _File, trail: Trail | None = None) -> None:
        status = os.fstat(file.descriptor)
        head = os.pread(file.descriptor, HEAD_BYTES, 0)
        self._known[file.ident] = _Known(status.st_size, status.st_mtime_ns, head, trail)

    # Truncation.

    def _note_truncation(self) -> None:
        file = self._current
        if file is None or not file.was_truncated():
            return
        self._cuts.append(_Cut(file.trail, file.cutter))
        file.trail = Trail()
        file.cutter = Cutter(self._source)
        file.was_cut = True

    def _drop_overwritten(self) -> Generator[list[Chunk], None, None]:
        """Let go of older files that are other ones by now: they are looked at as such."""
        for file in list(self._held):
            if file.was_truncated():
                yield from self._release(file)
                del self._known[file.ident]

    def _give_up_cuts(self) -> Generator[list[Chunk], None, None]:
        """Say of what was truncated, and has no copy, that something may be lost."""
        for cut in self._cuts:
            if not cut.said:
                cut.said = True
                # It is kept: a copy that comes later is still known by it.
                self._remember(cut.trail)
                if not cut.copied:
                    _log.warning(
                        "%s: was truncated, and no copy of it was found (looked for beside it); "
                        "it is read from its beginning, and lines that were written just before "
                        "may be lost",
                        self.path,
                    )
                yield list(cut.cutter.finish())

    # Siblings.

    def _found_places(self) -> set[tuple[str, str]]:
        """Return the directories where siblings may be, and how their names begin."""
        places = {(str(self._path.parent), self._path.name)}
        if self._path.is_symlink():
            places.add(os.path.split(os.path.realpath(self._path)))
        return places

    def _directories(self) -> list[int]:
        """Return when a name came or went last in each directory."""
        times = []
        for directory, _ in self._places:
            try:
                times.append(Path(directory).stat().st_mtime_ns)
            except OSError:
                times.append(0)
        return times

    def _list(self) -> list[Sibling]:
        """Return the siblings, twice the same."""
        last = None
        for _ in range(_MAX_LISTINGS):
            listed = [each for place in self._places for each in siblings(*place)]
            # One file may be in both lists.
            found = {each.ident: each for each in listed}
            paths = {each.path: each.ident for each in listed}
            if paths == last:
                return list(found.values())
            last = paths
        return list(found.values())

    def _take_note(self, place: tuple[str, str]) -> None:
        """Take the siblings of a place as known: they were there before."""
        self._places.add(place)
        rotated = [each for each in siblings(*place) if is_rotated(each)]
        rotated.sort(key=lambda each: each.modified_ns)
        for each in rotated[-_MAX_REMEMBERED:]:
            try:
                file = self._open(each.path)
            except OSError:
                continue
            if not self.holds(file.ident):
                self._know(file)
            # Of compressed ones nothing is compressed again.
            if file.gunzip is None and not self.holds(file.ident):
                self._remember(Trail.whole(file.descriptor, os.fstat(file.descriptor).st_size))
            os.close(file.descriptor)
        # The others are known without their content, which their inode may not have for long.
        for each in rotated[:-_MAX_REMEMBERED]:
            self._known[each.ident] = _Known(each.size, each.modified_ns, b"")

    def _is_known(self, sibling: Sibling) -> bool:
        known = self._known.get(sibling.ident)
        if known is None:
            return False
        if (known.size, known.modified_ns) == (sibling.size, sibling.modified_ns):
            return True
        # Grown, or another file with the same inode.
        try:
            file = self._open(sibling.path)
        except OSError:
            return False
        try:
            head = os.pread(file.descriptor, len(known.head), 0)
            if file.ident == sibling.ident and head and head == known.head:
                trail = known.trail
                if (
                    trail is None
                    or sibling.size <= trail.offset
                    or not trail.leads(file.descriptor)
                ):
                    self._know(file, trail)
                    return True
                # Written to after it was let go, or another one that begins so: what follows is
                # new either way.
                cut = _Cut(trail, Cutter(self._source))
                cut.said = True
                self._cuts.append(cut)
        finally:
            os.close(file.descriptor)
        del self._known[sibling.ident]
        return False

    def _examine(
        self, opened: _File | None
    ) -> Generator[list[Chunk], None, tuple[list[_File], list[_File], bool]]:
        """
        Look at siblings that are not known.

        Returns:
            The rests of what was truncated, the files that were missed, each oldest first, and
            whether there is one to be waited for.
        """
        for place in self._found_places() - self._places:
            self._take_note(place)
        self._listed = self._directories()
        found = _Found()
        try:
            for _ in range(_MAX_LISTINGS):
                # What was renamed meanwhile has another number: their order would be lost.
                found.forget_missed()
                if (yield from self._examine_list(opened, found)):
                    break
        except BaseException:
            for file in (*found.rests, *(file for _, file in found.missed)):
                os.close(file.descriptor)
            raise
        if self._current is not None and self._current.was_truncated():
            # Just now: what was taken for missed may be its copy.
            found.forget_missed()
            found.pending = True
        self._pending = found.pending
        self._examine_at = self.now + _EXAMINE_S
        found.missed.sort(key=_age)
        if _all_numbered(found.missed):
            found.missed.sort(key=_number, reverse=True)
        waits = self._waits_for(frozenset(found.unfinished))
        return found.rests, [file for _, file in found.missed], waits

    def _examine_list(
        self, opened: _File | None, found: _Found
    ) -> Generator[list[Chunk], None, bool]:
        """Look at the siblings as they are listed now, and tell whether all were still there."""
        listed = self._list()
        for ident in self._known.keys() - {each.ident for each in listed}:
            del self._known[ident]
        if opened is not None:
            found.looked_at.add(opened.ident)
        complete = True
        for sibling in self._fresh(listed, found):
            file = self._open_sibling(sibling)
            if file is None:
                complete &= self._is_known(sibling)
                continue
            found.looked_at.add(file.ident)
            yield from self._sort_in(file, sibling, opened, found)
        return complete

    def _sort_in(
        self, file: _File, sibling: Sibling, opened: _File | None, found: _Found
    ) -> Generator[list[Chunk], None, None]:
        """Keep a sibling that is to be read, and close any other."""
        verdict: _Verdict = "pending"
        try:
            verdict = yield from self._judge(file, sibling, self._live(opened, found))
            if verdict == "rest":
                found.rests.append(file)
            elif verdict == "missed":
                found.missed.append((sibling, file))
            elif verdict == "known":
                self._know(file)
            elif verdict == "part":
                self._known[file.ident] = _Known(sibling.size, sibling.modified_ns, b"")
            elif verdict == "unfinished":
                found.unfinished.add((sibling.ident, sibling.size))
            else:
                found.pending |= is_rotated(sibling)
        finally:
            if verdict not in {"rest", "missed"}:
                os.close(file.descriptor)

    def _fresh(self, listed: list[Sibling], found: _Found) -> Iterator[Sibling]:
        """Yield the siblings of which it is to be said what they are."""
        # Plain ones first: a compressed one may be a copy of one of them.
        for sibling in sorted(listed, key=lambda each: each.suffix.endswith(".gz")):
            if (
                sibling.ident in found.looked_at
                or any(name.holds(sibling.ident) for name in self._names)
                or self._is_known(sibling)
            ):
                continue
            if sibling.size:
                yield sibling
            else:
                # A copy that is begun, or one that was rotated before anything was in it.
                found.pending |= is_rotated(sibling)

    def _open_sibling(self, sibling: Sibling) -> _File | None:
        """Open a sibling if it is still there under its name, and may be read."""
        try:
            file = self._open(sibling.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("%s: %s; lines in it may be missed", sibling.path, error.strerror)
            self._known[sibling.ident] = _Known(sibling.size, sibling.modified_ns, b"")
            return None
        if file.ident != sibling.ident:
            os.close(file.descriptor)
            return None
        return file

    def _live(self, opened: _File | None, found: _Found) -> list[_File]:
        """Return the files that are read now, or will be."""
        files = [opened, self._current, *self._held, *found.rests]
        return [*(file for file in files if file), *(file for _, file in found.missed)]

    def _waits_for(self, found: frozenset[tuple[Ident, int]]) -> bool:
        """Tell whether copies that are being written grow still."""
        if not found:
            self._unfinished = None
            return False
        if self._unfinished is None or self._unfinished[0] != found:
            self._unfinished = (found, self.now)
        return self.now - self._unfinished[1] < UNFINISHED_S

    def _judge(
        self, file: _File, sibling: Sibling, live: list[_File]
    ) -> Generator[list[Chunk], None, _Verdict]:
        """Say what a sibling is; one that is a rest stands at it then."""
        try:
            head = file.head()
            if not head:
                return "pending"
            of_cut = yield from self._is_of_cut(file, head)
            if of_cut is not None and of_cut != "part":
                return of_cut
            for other in live:
                if _copies(file, head, other):
                    # One of the current file is needed when that is truncated, and whether a
                    # compressed one is the same to its end is seen when that is at its.
                    plain = file.gunzip is None and other.gunzip is None
                    return "part" if plain and other in self._held else "pending"
            verdict = of_cut or (yield from self._was_read(file, head, sibling))
            if verdict:
                return verdict
        except DamagedError as error:
            _log.warning("%s: is damaged: %s; it is left alone", file.path, error)
            return "known"
        return "missed" if is_rotated(sibling) else "pending"

    def _is_of_cut(
        self, file: _File, head: bytes
    ) -> Generator[list[Chunk], None, Literal["rest", "unfinished", "part"] | None]:
        part: Literal["part"] | None = None
        for cut in list(self._cuts):
            verdict = yield from self._is_rest(file, head, cut)
            if verdict == "part":
                # Another copy may have more, and this one be of a later cut.
                cut.copied = True
                part = verdict
            elif verdict:
                return verdict
        return part

    def _was_read(
        self, file: _File, head: bytes, sibling: Sibling
    ) -> Generator[list[Chunk], None, Literal["known", "part"] | None]:
        # Of another compression nothing can be told.
        if sibling.modified_ns < self._modified_ns or head.startswith(_OTHER_COMPRESSION):
            return "known"
        for trail in reversed(self._seen):
            if _alike(head, trail.head):
                verdict = yield from self._repeats(file, trail)
                if verdict:
                    return verdict
        return None

    def _is_rest(
        self, file: _File, head: bytes, cut: _Cut
    ) -> Generator[list[Chunk], None, Literal["rest", "unfinished", "part"] | None]:
        trail = cut.trail
        if not _alike(head, trail.head):
            return None
        if file.gunzip is None:
            size = os.fstat(file.descriptor).st_size
            if size < trail.offset:
                return "part" if trail.has_part(file.descriptor, size) else None
            if not trail.leads(file.descriptor):
                return None
        else:
            try:
                passed = yield from self._passed(file, trail)
            except EOFError:
                return "unfinished"
            if passed is None or passed == "part":
                return passed
            file.gunzip = passed
        file.trail = trail
        # One that was given up has delivered its last line already.
        file.cutter = Cutter(self._source) if cut.said else cut.cutter
        file.is_copy = True
        self._cuts.remove(cut)
        return "rest"

    def _passed(
        self, file: _File, trail: Trail
    ) -> Generator[list[Chunk], None, Unpacked | Literal["part"] | None]:
        """Unpack a file up to where a trail ends, if it is the same till there, or has a part."""
        gunzip = Unpacked.of_file(file.descriptor, GZIP)
        found = Trail()
        while missing := trail.offset - found.offset:
            data = gunzip.read(min(missing, _READ_BYTES))
            if not data:
                return "part" if trail.samples.startswith(found.samples) else None
            found.add(data)
            if not trail.agrees(found):
                return None
            yield []
        return gunzip if found.before == trail.before else None

    def _repeats(
        self, file: _File, trail: Trail
    ) -> Generator[list[Chunk], None, Literal["known", "part"] | None]:
        """Tell whether a file has a content that was read, or a part of it, and no more."""
        if file.gunzip is None:
            size = os.fstat(file.descriptor).st_size
            if size < trail.offset:
                return "part" if trail.has_part(file.descriptor, size) else None
            return "known" if size == trail.offset and trail.leads(file.descriptor) else None
        try:
            if _is_as_long(file, trail):
                return "known"
            passed = yield from self._passed(file, trail)
            if passed is None or passed == "part":
                return passed
            return None if passed.read(1) else "known"
        except EOFError:
            # Being written; most likely no other content begins as this one does.
            return "part"


def _alike(head: bytes, other: bytes) -> bool:
    size = min(len(head), len(other))
    return head[:size] == other[:size]


def _is_as_long(file: _File, trail: Trail) -> bool:
    """Tell whether a large compressed file seems to be of a trail, without unpacking all of it."""
    if trail.offset <= _READ_BYTES or _unpacked_size(file) != trail.offset % 2**32:
        return False
    found = Trail()
    found.add(Unpacked.of_file(file.descriptor, GZIP).read(_READ_BYTES))
    return trail.agrees(found)


def _refuse_odd(descriptor: int, path: str) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Is no file", path)


def _copies(file: _File, head: bytes, other: _File) -> bool:
    """Tell whether a file is, so far, a copy of what another one has."""
    start = other.head()
    # What it is a copy of has at least as much.
    if not start.startswith(head):
        return False
    if file.gunzip is not None or other.gunzip is not None:
        first = file.first(_FIRST_BYTES)
        start = other.first(_FIRST_BYTES)
        return start.startswith(first) or (other.gunzip is not None and first.startswith(start))
    end = os.fstat(file.descriptor).st_size
    if end > os.fstat(other.descriptor).st_size:
        return False
    size = min(end, BEFORE_BYTES)
    at = end - size
    return os.pread(file.descriptor, size, at) == os.pread(other.descriptor, size, at)


def _unpacked_size(file: _File) -> int:
    """Return what the last member says of its size, modulo 2**32."""
    end = os.fstat(file.descriptor).st_size
    return int.from_bytes(os.pread(file.descriptor, 4, max(end - 4, 0)), "little")


def _age(each: tuple[Sibling, _File]) -> tuple[int, str]:
    return each[0].modified_ns, each[0].suffix


def _stamp(each: tuple[Sibling, _File]) -> str:
    found = ROTATED.fullmatch(each[0].suffix)
    return (found and found["stamp"]) or ""


def _number(each: tuple[Sibling, _File]) -> int:
    return int(_stamp(each))


def _all_numbered(missed: list[tuple[Sibling, _File]]) -> bool:
    """Tell whether they are numbered, the oldest highest; dates have more digits."""
    stamps = [_stamp(each) for each in missed]
    return all(stamp.isdigit() and len(stamp) <= _LONGEST_NUMBER for stamp in stamps)
