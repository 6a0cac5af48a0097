"""
What the siblings of a followed log are, by what is known of the contents that the log has had.

A file that was renamed, copied or compressed is told by its content; see `rotation`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from tailrace._sources.content import BEFORE_BYTES, HEAD_BYTES, Fingerprint
from tailrace._sources.openfile import READ_BYTES, OpenFile
from tailrace._sources.siblings import MAX_LISTINGS, listed, oldest_first
from tailrace._sources.text import Cutter
from tailrace._sources.unpacking import GZIP, DamagedError, Unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import TypeAlias, TypeVar

    from tailrace._sources import Chunk
    from tailrace._sources.siblings import Ident, Sibling

    _T = TypeVar("_T")
    Steps: TypeAlias = Generator[list[Chunk], None, _T]

__all__ = ["Known", "Search", "Truncated"]

_log = logging.getLogger(__name__)

# How much of a compressed file that may be a copy of one that is read now is compared each time.
_FIRST_BYTES = 64 * 1024

# How many contents are remembered, newest first: 256 that stood there at the start, and as many
# that were read. Each of these is below 8 KiB as long as it is of less than a GiB.
_MAX_REMEMBERED = 256

# What zstd, bzip2 and xz begin with.
_OTHER_COMPRESSION = (b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")

# What a sibling is: the rest of what was truncated, or what will be when it is finished; never
# seen before; read already or of no concern, the same as long as it stays as it is; or to be told
# later.
Verdict = Literal["rest", "unfinished", "missed", "known", "part", "pending"]


class Truncated:
    """What was being read when it was truncated: its rest stands elsewhere, if anywhere."""

    def __init__(self, cutter: Cutter, *, said: bool = False) -> None:
        self.cutter = cutter
        # Whether its last line was delivered as it is, and no copy is looked for any more.
        self.said = said
        # Whether there is a copy that has less than was read.
        self.copied = False


class KnownFile(NamedTuple):
    """A sibling that needs no look, as long as it is still the same."""

    size: int
    modified_ns: int
    head: bytes = b""
    content: Fingerprint | None = None
    """How far it was read here."""


class Known:
    """The contents and the files that one followed name has met."""

    def __init__(self, path: str, source: int) -> None:
        self._path = path
        self._source = source
        self.contents: deque[Fingerprint] = deque(maxlen=2 * _MAX_REMEMBERED)
        self.truncated: deque[Truncated] = deque(maxlen=8)
        self.files: dict[Ident, KnownFile] = {}
        # When the file under the name had been written last, as of the last look at which it was
        # under it; what was missed came to be after that. Not as of now: it may have been
        # truncated, or renamed and written to, since.
        self.modified_ns = 0

    def cutter(self) -> Cutter:
        """Return what cuts a content from its beginning, or from where a line begins."""
        return Cutter(self._source, self._path)

    def open(self, path: str) -> OpenFile:
        """Open a file that may be one of the log's."""
        return OpenFile(path, self.cutter())

    def remember(self, content: Fingerprint) -> None:
        """Know copies of a content that was read."""
        if content.offset:
            self.contents.append(content)

    def know(self, file: OpenFile, content: Fingerprint | None = None) -> None:
        """Leave a file alone as long as it stays as it is."""
        status = os.fstat(file.descriptor)
        head = os.pread(file.descriptor, HEAD_BYTES, 0)
        self.files[file.ident] = KnownFile(status.st_size, status.st_mtime_ns, head, content)

    def leave(self, sibling: Sibling) -> None:
        """Leave a file alone of which nothing was read; its inode may not be its for long."""
        self.files[sibling.ident] = KnownFile(sibling.size, sibling.modified_ns)

    def note(self, siblings: Iterable[Sibling], holds: Callable[[Ident], bool]) -> None:
        """Take siblings as known: they were there before."""
        rotated = [each for each in siblings if each.is_rotated]
        rotated.sort(key=lambda each: each.modified_ns)
        for each in rotated[-_MAX_REMEMBERED:]:
            with suppress(OSError), closing(self.open(each.path)) as file:
                if not holds(file.ident):
                    self.know(file)
                    # Of compressed ones nothing is compressed again.
                    if file.gunzip is None:
                        self.remember(Fingerprint.of(file.descriptor, file.size, sampled=False))
        for each in rotated[:-_MAX_REMEMBERED]:
            self.leave(each)

    def has(self, sibling: Sibling) -> bool:
        """Tell whether a sibling is known, also where it has grown."""
        known = self.files.get(sibling.ident)
        if known is None:
            return False
        if (known.size, known.modified_ns) == (sibling.size, sibling.modified_ns):
            return True
        # Grown, or another file with the same inode.
        with suppress(OSError), closing(self.open(sibling.path)) as file:
            head = os.pread(file.descriptor, len(known.head), 0)
            if file.ident == sibling.ident and head and head == known.head:
                content = known.content
                if (
                    content is None
                    or sibling.size <= content.offset
                    or content.found_in(file.descriptor) != "all"
                ):
                    self.know(file, content)
                    return True
                # Written to after it was let go, or another one that begins so: what follows is
                # new either way.
                file.cutter.content = content
                self.truncated.append(Truncated(file.cutter, said=True))
            del self.files[sibling.ident]
        return False


class Search:
    """What one look at the siblings that are not known has found so far."""

    def __init__(
        self,
        known: Known,
        is_open: Callable[[Ident], bool],
        newest: Sequence[OpenFile],
        held: Sequence[OpenFile],
    ) -> None:
        self._known = known
        self._is_open = is_open
        # What is under the name, and what was last; what no longer is.
        self._newest = newest
        self._held = held
        self._looked_at = {file.ident for file in newest}
        self._missed: dict[Sibling, OpenFile] = {}
        self.rests: list[OpenFile] = []
        """The rests of what was truncated."""
        self.unfinished: set[tuple[Ident, int]] = set()
        """Those that are still being compressed, each with its size."""
        self.pending = False
        """Whether there are some of which it cannot be said yet what they are."""

    def missed(self) -> list[OpenFile]:
        """Return the files that were missed, oldest first."""
        return [self._missed[sibling] for sibling in oldest_first(self._missed)]

    def forget_missed(self) -> None:
        """Close the files that were missed, to be looked at again."""
        for file in self._missed.values():
            self._looked_at.discard(file.ident)
            file.close()
        self._missed.clear()

    def run(self, places: Iterable[tuple[str, str]]) -> Steps[None]:
        """Look at the siblings in these places."""
        try:
            for _ in range(MAX_LISTINGS):
                # What was renamed meanwhile has another number: their order would be lost.
                self.forget_missed()
                if (yield from self._look_through(listed(places))):
                    break
        except BaseException:
            self.forget_missed()
            for file in self.rests:
                file.close()
            raise

    def _look_through(self, siblings: list[Sibling]) -> Steps[bool]:
        """Look at siblings as they were listed, and tell whether all were still there."""
        known = self._known
        for ident in known.files.keys() - {each.ident for each in siblings}:
            del known.files[ident]
        complete = True
        # Plain ones first: a compressed one may be a copy of one of them.
        for sibling in sorted(siblings, key=lambda each: each.suffix.endswith(".gz")):
            ident = sibling.ident
            if ident in self._looked_at or self._is_open(ident) or known.has(sibling):
                continue
            if not sibling.size:
                # A copy that is begun, or one that was rotated before anything was in it.
                self.pending |= sibling.is_rotated
                continue
            try:
                file = known.open(sibling.path)
            except FileNotFoundError:
                complete = False
            except OSError as error:
                _log.warning("%s: %s; lines in it may be missed", sibling.path, error.strerror)
                known.leave(sibling)
            else:
                if file.ident == ident:
                    self._looked_at.add(ident)
                    yield from self._sort_in(file, sibling)
                else:
                    file.close()
                    complete = False
        return complete

    def _sort_in(self, file: OpenFile, sibling: Sibling) -> Steps[None]:
        """Keep a sibling that is to be read, and close any other."""
        live = [*self._newest, *self._held, *self.rests, *self._missed.values()]
        verdict: Verdict = "pending"
        try:
            verdict = yield from _judge(file, sibling, self._known, live, self._held)
            match verdict:
                case "rest":
                    self.rests.append(file)
                case "missed":
                    self._missed[sibling] = file
                case "known":
                    self._known.know(file)
                case "part":
                    self._known.leave(sibling)
                case "unfinished":
                    self.unfinished.add((sibling.ident, sibling.size))
                case "pending":
                    self.pending |= sibling.is_rotated
        except DamagedError as error:
            _log.warning("%s: is damaged: %s; it is left alone", file.path, error)
            self._known.know(file)
        finally:
            if verdict not in {"rest", "missed"}:
                file.close()


def _judge(
    file: OpenFile,
    sibling: Sibling,
    known: Known,
    live: Iterable[OpenFile],
    held: Sequence[OpenFile],
) -> Steps[Verdict]:
    """
    Say what a sibling is beside the files that are read now, or will be; a rest stands at it then.

    Raises:
        DamagedError: It is compressed, and damaged.
    """
    head = file.first(HEAD_BYTES)
    if not head:
        return "pending"
    of_truncated = yield from _of_truncated(file, head, known.truncated)
    if of_truncated is not None and of_truncated != "part":
        return of_truncated
    for other in live:
        if _copies(file, head, other):
            # One of the current file is needed when that is truncated, and whether a compressed
            # one is the same to its end is seen when that is at its.
            plain = file.gunzip is None and other.gunzip is None
            return "part" if plain and other in held else "pending"
    verdict = of_truncated or (yield from _of_known(file, head, sibling, known))
    return verdict or ("missed" if sibling.is_rotated else "pending")


def _of_truncated(
    file: OpenFile, head: bytes, truncated: deque[Truncated]
) -> Steps[Literal["rest", "unfinished", "part"] | None]:
    part: Literal["part"] | None = None
    for cut in [each for each in truncated if _alike(head, each.cutter.content.head)]:
        try:
            found, gunzip = yield from _compare(file, cut.cutter.content)
        except EOFError:
            return "unfinished"
        if found == "all":
            file.gunzip = gunzip
            file.cutter = cut.cutter
            file.is_copy = True
            truncated.remove(cut)
            return "rest"
        if found == "part":
            # Another copy may have more, and this one be of a later cut.
            cut.copied = True
            part = found
    return part


def _of_known(
    file: OpenFile, head: bytes, sibling: Sibling, known: Known
) -> Steps[Literal["known", "part"] | None]:
    # Of another compression nothing can be told.
    if sibling.modified_ns < known.modified_ns or head.startswith(_OTHER_COMPRESSION):
        return "known"
    for content in [each for each in reversed(known.contents) if _alike(head, each.head)]:
        try:
            if _seems_to_be(file, content):
                return "known"
            found, gunzip = yield from _compare(file, content)
            if found == "part":
                return found
            if found == "all" and not (gunzip.read(1) if gunzip else file.size > content.offset):
                return "known"
        except EOFError:
            # Being written; most likely no other content begins as this one does.
            return "part"
    return None


def _compare(
    file: OpenFile, content: Fingerprint
) -> Steps[tuple[Literal["all", "part"] | None, Unpacked | None]]:
    """
    Tell whether a file has all of a content, or a part and no more.

    Returns:
        What it has, and what unpacks the rest if it has all.

    Raises:
        EOFError: It is compressed, and unfinished.
    """
    if file.gunzip is None:
        return content.found_in(file.descriptor), None
    gunzip = Unpacked.of_file(file.descriptor, GZIP)
    passed = Fingerprint()
    while missing := content.offset - passed.offset:
        data = gunzip.read(min(missing, READ_BYTES))
        if not data:
            return "part" if content.begins_with(passed) else None, None
        passed.add(data)
        if not content.agrees(passed):
            return None, None
        yield []
    return "all" if passed.before == content.before else None, gunzip


def _alike(head: bytes, other: bytes) -> bool:
    size = min(len(head), len(other))
    return head[:size] == other[:size]


def _seems_to_be(file: OpenFile, content: Fingerprint) -> bool:
    """Tell whether a large compressed file is as long as a content, without unpacking all of it."""
    if file.gunzip is None or content.offset <= READ_BYTES:
        return False
    # What the last member says of its size.
    size = os.pread(file.descriptor, 4, max(file.size - 4, 0))
    if int.from_bytes(size, "little") != content.offset % 2**32:
        return False
    passed = Fingerprint()
    passed.add(Unpacked.of_file(file.descriptor, GZIP).read(READ_BYTES))
    return content.agrees(passed)


def _copies(file: OpenFile, head: bytes, other: OpenFile) -> bool:
    """Tell whether a file is, so far, a copy of what another one has."""
    # What it is a copy of has at least as much.
    if not other.first(HEAD_BYTES).startswith(head):
        return False
    if file.gunzip is not None or other.gunzip is not None:
        first = file.first(_FIRST_BYTES)
        start = other.first(_FIRST_BYTES)
        return start.startswith(first) or (other.gunzip is not None and first.startswith(start))
    end = file.size
    size = min(end, BEFORE_BYTES)
    before = os.pread(file.descriptor, size, end - size)
    return end <= other.size and os.pread(other.descriptor, size, end - size) == before
