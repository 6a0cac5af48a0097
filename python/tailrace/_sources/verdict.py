"""
Classify the siblings of a followed log by the contents that the log has had.

A file that was renamed, copied or compressed is recognized by its content; see `rotation`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Literal

from tailrace._errors import os_reason
from tailrace._sources.content import BEFORE_BYTES, HEAD_BYTES, Fingerprint
from tailrace._sources.cutter import Cutter
from tailrace._sources.openfile import READ_BYTES, OpenFile
from tailrace._sources.positions import KnownFile
from tailrace._sources.siblings import MAX_LISTINGS, listed, oldest_first
from tailrace._sources.unpacking import GZIP, DamagedError, Unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Generator, Iterable, Sequence
    from typing import TypeAlias, TypeVar

    from tailrace._sources import Chunk
    from tailrace._sources.positions import KnownContent, KnownLog
    from tailrace._sources.siblings import Ident, Sibling

    _T = TypeVar("_T")
    Steps: TypeAlias = Generator[list[Chunk], None, _T]

__all__ = ["LogHistory", "SiblingScan", "Truncation"]

_log = logging.getLogger(__name__)

# The number of decompressed bytes compared when a compressed file may be a copy of an open one.
_FIRST_BYTES = 64 * 1024

# The number of contents remembered, newest first: 256 found at the start, and as many that were
# read. A fingerprint takes less than 8 KiB for a content of less than 1 GiB.
_MAX_REMEMBERED = 256

# The first bytes of zstd, bzip2 and xz files.
_OTHER_COMPRESSION = (b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00")

# rest: holds the unread rest of a truncated content. unfinished: will hold it once it is complete.
# missed: never seen before. known: already read, or irrelevant. part: the same, as long as the
# file does not change. pending: cannot be classified yet.
Verdict = Literal["rest", "unfinished", "missed", "known", "part", "pending"]


# The number of truncated contents remembered, and of those that are searched for after a restart.
_MAX_TRUNCATED = 80


class Truncation:
    """
    A content that was truncated while it was read; its unread rest may be in a copy.

    After a restart, each content that was being read is one: its file may have any name.
    """

    def __init__(self, cutter: Cutter, *, reported: bool = False, is_resumed: bool = False) -> None:
        self.cutter = cutter
        self.is_resumed = is_resumed
        # Whether the truncation was reported: the last line was delivered, the search has ended.
        self.reported = reported
        # Whether there is a copy that is shorter than what was read.
        self.copied = False

    def preference(self, file: OpenFile) -> tuple[int, bool, int]:
        """
        Return what sorts it among those that a file may have, the likeliest first.

        After a restart, several contents may begin alike. An inode may have been used again.
        """
        if not self.is_resumed:
            return 0, True, 0
        content = self.cutter.content
        return -content.offset, self.cutter.ident != file.ident, -content.number


class LogHistory:
    """The contents and files that one followed name has had."""

    def __init__(self, source: int, known: KnownLog | None, piece_bytes: int = READ_BYTES) -> None:
        self._source = source
        self._known = known
        self._piece_bytes = piece_bytes
        self.contents: deque[Fingerprint] = deque(maxlen=2 * _MAX_REMEMBERED)
        self.truncated: deque[Truncation] = deque(maxlen=_MAX_TRUNCATED)
        self.files: dict[Ident, KnownFile] = {}
        # Whether an earlier process has read the log.
        self.is_resumed = False
        # The modification time of the file under the name when it was last seen there; a missed
        # file is newer. Not its current time: it may have been truncated, or renamed and written
        # to, since.
        self.modified_ns = 0

    def cutter(self) -> Cutter:
        """Return a cutter for a content, from its beginning or the beginning of a line."""
        return Cutter(self._source, self._known)

    def open(self, path: str) -> OpenFile:
        """Open a file that may belong to the log."""
        return OpenFile(path, self.cutter(), self._piece_bytes)

    def resume(self, known: KnownLog, elsewhere: Container[int], here: int | None) -> None:
        """
        Continue where an earlier process ended.

        Args:
            known: What is known of the name.
            elsewhere: The numbers of contents that are read under another name from now on.
            here: The number of the content that the file under the name has, if that is known.
        """
        self.is_resumed = not known.is_new
        self.modified_ns = known.modified_ns
        self.files.update(known.files)
        for _, each in sorted(known.contents.items()):
            if not each.offset:
                # Nothing shows whether a file has it, so it is found as a new file.
                continue
            content = each.fingerprint()
            if each.number == here:
                self._continue(each, content)
            elif each.number in elsewhere or each.status in {"read", "ignored"}:
                self.contents.append(content)
                if each.status == "read":
                    self.files[each.ident] = KnownFile(-1, 0, content.head, content)
            else:
                self._continue(each, content, reported=each.status == "truncated")

    def adopt(self, known: KnownContent) -> None:
        """Continue a content that another name had."""
        content = known.fingerprint()
        content.number = 0
        self._continue(known, content)

    def _continue(
        self, known: KnownContent, content: Fingerprint, *, reported: bool = False
    ) -> None:
        cutter = self.cutter()
        cutter.content, cutter.ident, cutter.is_cut = content, known.ident, known.is_cut
        self.truncated.append(Truncation(cutter, reported=reported, is_resumed=True))

    def resumed_in(self, file: OpenFile, places: Iterable[tuple[str, str]]) -> Truncation | None:
        """Return the content of an earlier process that a file continues, if it has one."""
        resumed = [each for each in self.truncated if each.is_resumed]
        for truncation in sorted(resumed, key=lambda each: each.preference(file)):
            cutter = truncation.cutter
            if cutter.content.match_in(file.descriptor) == "all":
                if cutter.ident != file.ident and self._is_beside(cutter, places):
                    continue
                self.truncated.remove(truncation)
                return truncation
        return None

    def _is_beside(self, cutter: Cutter, places: Iterable[tuple[str, str]]) -> bool:
        """Return whether the file that had a content still has it, under another name."""
        for each in listed(places):
            if each.ident == cutter.ident:
                with suppress(OSError), closing(self.open(each.path)) as file:
                    return cutter.content.match_in(file.descriptor) == "all"
        return False

    def remember(self, content: Fingerprint) -> None:
        """Recognize copies of a content that was read."""
        if content.offset:
            self.contents.append(content)

    def know(self, file: OpenFile, content: Fingerprint | None = None) -> None:
        """Skip a file as long as it does not change."""
        status = os.fstat(file.descriptor)
        head = os.pread(file.descriptor, HEAD_BYTES, 0)
        self.files[file.ident] = KnownFile(status.st_size, status.st_mtime_ns, head, content)

    def leave(self, sibling: Sibling) -> None:
        """Skip a file that was not read; its inode may soon belong to another file."""
        self.files[sibling.ident] = KnownFile(sibling.size, sibling.modified_ns)

    def note(self, siblings: Iterable[Sibling], holds: Callable[[Ident], bool]) -> None:
        """Mark siblings as known, because they existed before the start."""
        rotated = [each for each in siblings if each.is_rotated]
        rotated.sort(key=lambda each: each.modified_ns)
        for each in rotated[-_MAX_REMEMBERED:]:
            with suppress(OSError), closing(self.open(each.path)) as file:
                if not holds(file.ident):
                    self.know(file)
                    content = Fingerprint.of(file.descriptor, file.size, sampled=False)
                    # A compressed file is not compressed again.
                    if file.unpacked is None:
                        self.remember(content)
                    self._record(file.ident, content if file.unpacked is None else None)
        for each in rotated[:-_MAX_REMEMBERED]:
            self.leave(each)
            self._record(each.ident, None)

    def _record(self, ident: Ident, content: Fingerprint | None) -> None:
        if self._known is not None:
            number = 0
            if content is not None and content.offset:
                self._known.add_content(content, ident, "ignored")
                number = content.number
            self._known.add_file(ident, self.files[ident], number)

    def has(self, sibling: Sibling) -> bool:
        """Return whether a sibling is known, even if it has grown."""
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
                    or content.match_in(file.descriptor) != "all"
                ):
                    self.know(file, content)
                    return True
                # Either it was written to after it was closed, or it is another file with the same
                # beginning: what follows is new in both cases.
                file.cutter.content = content
                self.truncated.append(Truncation(file.cutter, reported=True))
            del self.files[sibling.ident]
        return False


class SiblingScan:
    """One scan of the unknown siblings, and what it has found so far."""

    def __init__(
        self,
        history: LogHistory,
        is_open: Callable[[Ident], bool],
        newest: Sequence[OpenFile],
        held: Sequence[OpenFile],
    ) -> None:
        self._history = history
        self._is_open = is_open
        # The newest files are the one under the name and its predecessor; the older ones are held.
        self._newest = newest
        self._held = held
        self._looked_at = {file.ident for file in newest}
        self._missed: dict[Sibling, OpenFile] = {}
        self.rests: list[OpenFile] = []
        """The files with the unread rest of a truncated content."""
        self.unfinished: set[tuple[Ident, int]] = set()
        """The files that are still being compressed, each with its size."""
        self.pending = False
        """Whether there are siblings that cannot be classified yet."""

    def missed(self) -> list[OpenFile]:
        """Return the files that were missed, oldest first."""
        return [self._missed[sibling] for sibling in oldest_first(self._missed)]

    def forget_missed(self) -> None:
        """Close the missed files, to be examined again."""
        for file in self._missed.values():
            self._looked_at.discard(file.ident)
            file.close()
        self._missed.clear()

    def run(self, places: Iterable[tuple[str, str]]) -> Steps[None]:
        """Examine the siblings in these places."""
        try:
            for _ in range(MAX_LISTINGS):
                # Files renamed meanwhile have other numbers, so their order would be wrong.
                self.forget_missed()
                if (yield from self._look_through(listed(places))):
                    break
        except BaseException:
            self.forget_missed()
            for file in self.rests:
                file.close()
            raise

    def _look_through(self, siblings: list[Sibling]) -> Steps[bool]:
        """Examine listed siblings, and return whether all of them still exist."""
        history = self._history
        for ident in history.files.keys() - {each.ident for each in siblings}:
            del history.files[ident]
        complete = True
        # First the files that had a content which is searched for, as they may have more of it than
        # a copy. Then uncompressed ones: a compressed one may be a copy of one of them.
        wanted = {each.cutter.ident for each in history.truncated if each.is_resumed}
        for sibling in sorted(
            siblings, key=lambda each: (each.ident not in wanted, each.is_compressed)
        ):
            ident = sibling.ident
            if ident in self._looked_at or self._is_open(ident) or history.has(sibling):
                continue
            if not sibling.size:
                # A copy that has just begun, or a log that was rotated while it was empty.
                self.pending |= sibling.is_rotated
                continue
            try:
                file = history.open(sibling.path)
            except FileNotFoundError:
                complete = False
            except OSError as error:
                _log.warning("%s: %s; lines in it may be missed", sibling.path, os_reason(error))
                history.leave(sibling)
            else:
                if file.ident == ident:
                    self._looked_at.add(ident)
                    yield from self._add(file, sibling)
                else:
                    file.close()
                    complete = False
        return complete

    def _add(self, file: OpenFile, sibling: Sibling) -> Steps[None]:
        """Classify a sibling; keep it open if it is to be read, else close it."""
        live = [*self._newest, *self._held, *self.rests, *self._missed.values()]
        verdict: Verdict = "pending"
        try:
            verdict = yield from _classify(file, sibling, self._history, live, self._held)
            match verdict:
                case "rest":
                    self.rests.append(file)
                case "missed":
                    self._missed[sibling] = file
                case "known":
                    self._history.know(file)
                case "part":
                    self._history.leave(sibling)
                case "unfinished":
                    self.unfinished.add((sibling.ident, sibling.size))
                case "pending":
                    self.pending |= sibling.is_rotated
        except DamagedError as error:
            _log.warning("%s: damaged file: %s; it is skipped", file.path, error)
            self._history.know(file)
        finally:
            if verdict not in {"rest", "missed"}:
                file.close()


def _classify(
    file: OpenFile,
    sibling: Sibling,
    history: LogHistory,
    live: Iterable[OpenFile],
    held: Sequence[OpenFile],
) -> Steps[Verdict]:
    """
    Classify a sibling, given the files that are read now or will be; position a rest at its start.

    Raises:
        DamagedError: The sibling is compressed and damaged.
    """
    head = file.first(HEAD_BYTES)
    if not head:
        return "pending"
    # A restart searches for contents of any length, which may be the beginning of a known one.
    resumed = [each for each in history.truncated if each.is_resumed]
    if resumed and all(each.cutter.ident != file.ident for each in resumed):
        found = yield from _match_contents(file, head, history)
        if found == "part":
            yield from _find_whole(file, resumed, history.truncated)
        if found is not None:
            return found
    truncated_verdict = yield from _match_truncation(file, head, history.truncated)
    if truncated_verdict is not None and truncated_verdict != "part":
        return truncated_verdict
    for other in live:
        if _is_copy_of(file, head, other):
            # A copy of the current file is needed if that is truncated. A compressed copy can be
            # compared to its end only when the original is complete.
            plain = file.unpacked is None and other.unpacked is None
            return "part" if plain and other in held else "pending"
    verdict = truncated_verdict or (yield from _match_history(file, head, sibling, history))
    return verdict or ("missed" if sibling.is_rotated else "pending")


def _find_whole(
    file: OpenFile, resumed: Iterable[Truncation], truncated: deque[Truncation]
) -> Steps[None]:
    """Stop the search for a content that is all that a file has."""
    for truncation in resumed:
        content = truncation.cutter.content
        with suppress(EOFError):
            found, unpacked = yield from _compare(file, content)
            has_more = unpacked.read(1) if unpacked else file.size > content.offset
            if found == "all" and not has_more:
                truncated.remove(truncation)
                return


def _match_truncation(
    file: OpenFile, head: bytes, truncated: deque[Truncation]
) -> Steps[Literal["rest", "unfinished", "part"] | None]:
    part: Literal["part"] | None = None
    some = [each for each in truncated if _same_start(head, each.cutter.content.head)]
    for truncation in sorted(some, key=lambda each: each.preference(file)):
        is_same = truncation.is_resumed and file.ident == truncation.cutter.ident
        if part and truncation.is_resumed and not is_same:
            # All of it is in a longer content.
            continue
        try:
            found, unpacked = yield from _compare(file, truncation.cutter.content)
        except EOFError:
            return "unfinished"
        if found == "all":
            file.unpacked = unpacked
            file.is_copy = not is_same
            file.is_resumed = truncation.is_resumed
            file.cutter = truncation.cutter
            file.cutter.ident = file.ident
            truncated.remove(truncation)
            return "rest"
        if found == "part":
            # Another copy may be longer, and this one may belong to a later truncation.
            truncation.copied = not truncation.is_resumed
            part = found
    return part


def _match_history(
    file: OpenFile, head: bytes, sibling: Sibling, history: LogHistory
) -> Steps[Literal["known", "part"] | None]:
    # What cannot be decompressed cannot be compared. While a log is followed, only gzip is expected
    # of a rotation that nobody saw.
    is_odd = head.startswith(_OTHER_COMPRESSION) or (
        file.packing not in {None, GZIP} and not history.is_resumed
    )
    if sibling.modified_ns < history.modified_ns or is_odd:
        return "known"
    return (yield from _match_contents(file, head, history))


def _match_contents(
    file: OpenFile, head: bytes, history: LogHistory
) -> Steps[Literal["known", "part"] | None]:
    for content in [each for each in reversed(history.contents) if _same_start(head, each.head)]:
        try:
            if _same_gzip(file, content):
                return "known"
            found, unpacked = yield from _compare(file, content)
            if found == "part":
                return found
            if found == "all" and not (
                unpacked.read(1) if unpacked else file.size > content.offset
            ):
                return "known"
        except EOFError:
            # Still being written; it is unlikely that another content has the same beginning.
            return "part"
    return None


def _compare(
    file: OpenFile, content: Fingerprint
) -> Steps[tuple[Literal["all", "part"] | None, Unpacked | None]]:
    """
    Compare a file with a content: it may have all of it, only a first part, or none.

    Returns:
        "all", "part" or None, and for "all" the decompressor at the end of the content.

    Raises:
        EOFError: The file is compressed and incomplete.
    """
    if file.unpacked is None:
        return content.match_in(file.descriptor), None
    unpacked = file.from_beginning()
    passed = Fingerprint()
    while missing := content.offset - passed.offset:
        data = unpacked.read(min(missing, READ_BYTES))
        if not data:
            return "part" if content.begins_with(passed) else None, None
        passed.add(data)
        if not content.may_begin_with(passed):
            return None, None
        yield []
    return "all" if passed.before == content.before else None, unpacked


def _same_start(head: bytes, other: bytes) -> bool:
    size = min(len(head), len(other))
    return head[:size] == other[:size]


def _same_gzip(file: OpenFile, content: Fingerprint) -> bool:
    """Return whether a large gzip file matches a content, from its size and first bytes."""
    if file.unpacked is None or file.packing is not GZIP or content.offset <= READ_BYTES:
        return False
    # The size field at the end of the last gzip member.
    size = os.pread(file.descriptor, 4, max(file.size - 4, 0))
    if int.from_bytes(size, "little") != content.offset % 2**32:
        return False
    passed = Fingerprint()
    passed.add(file.from_beginning().read(READ_BYTES))
    return content.may_begin_with(passed)


def _is_copy_of(file: OpenFile, head: bytes, other: OpenFile) -> bool:
    """Return whether a file is, so far, a copy of another one."""
    # The original is at least as long.
    if not other.first(HEAD_BYTES).startswith(head):
        return False
    if file.unpacked is not None or other.unpacked is not None:
        first = file.first(_FIRST_BYTES)
        start = other.first(_FIRST_BYTES)
        return start.startswith(first) or (other.unpacked is not None and first.startswith(start))
    end = file.size
    size = min(end, BEFORE_BYTES)
    before = os.pread(file.descriptor, size, end - size)
    return end <= other.size and os.pread(other.descriptor, size, end - size) == before
