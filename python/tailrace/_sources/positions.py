"""
What is known of the files that were read: how far, and how to recognize them again.

A checkpoint keeps it, so that the next run goes on at the line. The table has an entry for each
name as it was given, and in it one for each content that the name has had. A note is what changed;
the notes after a state, applied in their order, give the table as it was.
"""

from __future__ import annotations

import os
from collections import deque
from struct import Struct
from typing import (
    TYPE_CHECKING,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    cast,
    get_args,
    runtime_checkable,
)

from tailrace._sources.content import Fingerprint, samples_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tailrace._sources import FilePosition
    from tailrace._sources.siblings import Ident

__all__ = [
    "FileStatus",
    "KnownContent",
    "KnownFile",
    "KnownLog",
    "Positions",
    "Resumable",
    "ShownPosition",
]

_T = TypeVar("_T")

_VERSION = b"\x01"

# The names that are kept besides those of the current sources. Each takes some kilobytes.
_MAX_LOGS = 4_096

# The contents of a name that are kept besides those that are still read.
_MAX_CONTENTS = 512

FileStatus = Literal["current", "rotated", "read", "truncated", "ignored"]
"""
What a content is: in the file under the name; in an older file that is still read; read to its
end; lost from its file, which was truncated; in a file that existed before the first start.
"""

_STATUSES: tuple[FileStatus, ...] = get_args(FileStatus)
_NO_STATUS = len(_STATUSES)

# A tag, the number of the log, then: of a log its `modified_ns`; of a content its number, device,
# inode, offset, `modified_ns`, status and whether its last line is cut; of a file its device,
# inode, size, modification time, and the content that has its first bytes; then lengths of bytes.
_LOG = Struct("<cIqH")
_PLACE = Struct("<cIHH")
_CONTENT = Struct("<cIIQQQqBBHHH")
_STATUS = Struct("<cIIB")
_FILE = Struct("<cIQQQqIH")


class KnownFile(NamedTuple):
    """A sibling that is skipped as long as it does not change."""

    size: int
    modified_ns: int
    head: bytes = b""
    content: Fingerprint | None = None
    """How far it was read."""


class KnownContent:
    """How far a content was read, and in which file."""

    __slots__ = ("before", "head", "ident", "is_cut", "number", "offset", "samples", "status")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ident: Ident = (0, 0)
        self.offset = 0
        self.before = b""
        self.head = b""
        self.samples = b""
        self.status: FileStatus = "current"
        self.is_cut = False
        """Whether a last line without its newline was delivered."""

    def fingerprint(self) -> Fingerprint:
        """Return its fingerprint, which may be continued."""
        content = Fingerprint()
        content.number = self.number
        content.head, content.before = self.head, self.before
        content.offset = self.offset
        content.samples += self.samples
        return content


class KnownLog:
    """
    What is known of one name.

    Its reader numbers the contents, and records what happens to them. What it records becomes known
    when every chunk before it is noted, so that the table is never ahead of the lines.
    """

    def __init__(self, path: str, number: int) -> None:
        self.path = path
        self.number = number
        # The known part.
        self.contents: dict[int, KnownContent] = {}
        self.files: dict[Ident, KnownFile] = {}
        self.places: set[tuple[str, str]] = set()
        self.modified_ns = 0
        # The part of the reader. Siblings older than `cutoff_ns` have no unread line.
        self.cutoff_ns = 0
        self.serial = 0
        self.noted = 0
        self.facts: deque[tuple[int, bytes]] = deque()
        self._newest = 0
        self._has_warned = False

    @property
    def is_new(self) -> bool:
        """Whether it was never read."""
        return not self.places

    def begin(self) -> None:
        """Begin to read in this process."""
        self.cutoff_ns = self.modified_ns
        self.serial = self.noted = 0
        self._newest = max(self.contents, default=0)
        self.facts = deque([(0, self._log())])
        self._has_warned = False

    def warn_cut(self) -> None:
        """Log that the end of a line is not counted, because its beginning was."""
        if not self._has_warned:
            self._has_warned = True
            import logging  # noqa: PLC0415 - only here

            logging.getLogger(__name__).warning(
                "%s: the last line that was counted had no newline and was continued since; the "
                "rest of it is not counted",
                self.path,
            )

    def next_serial(self) -> int:
        """Return the number of the next chunk."""
        self.serial += 1
        return self.serial

    def number_of(self, content: Fingerprint) -> int:
        """Return the number of a content, which it may get now."""
        if not content.number:
            self._newest += 1
            content.number = self._newest
        return content.number

    # What the reader records.

    def add_place(self, directory: str, name: str) -> None:
        """Record a directory whose siblings are examined."""
        self._record(self._place(directory, name))

    def add_content(
        self, content: Fingerprint, ident: Ident, status: FileStatus, *, is_cut: bool = False
    ) -> None:
        """Record a content as if it was read up to its offset."""
        known = KnownContent(self.number_of(content))
        known.ident, known.status, known.offset = ident, status, content.offset
        known.is_cut = is_cut
        known.head, known.before = content.head, content.before
        known.samples = bytes(content.samples)
        self._record(self._content(known))

    def add_file(self, ident: Ident, file: KnownFile, content: int = 0) -> None:
        """Record a file to skip; the content with this number, if any, has its first bytes."""
        self._record(self._file(ident, file, content))

    def set_status(self, content: Fingerprint, status: FileStatus) -> None:
        """Record what a content is now."""
        number = self.number_of(content)
        self._record(_STATUS.pack(b"S", self.number, number, _STATUSES.index(status)))

    def leave(self, numbers: Iterable[int]) -> None:
        """Record that contents are read under other names from now on."""
        for number in numbers:
            self._record(_STATUS.pack(b"S", self.number, number, _STATUSES.index("read")))

    def _record(self, fact: bytes) -> None:
        self.facts.append((self.serial, fact))

    def take(self, serial: int) -> bytes:
        """Return what was recorded up to a chunk."""
        taken = []
        while self.facts and self.facts[0][0] <= serial:
            taken.append(self.facts.popleft()[1])
        return b"".join(taken)

    # Encoding.

    def progress(self, position: FilePosition) -> bytes:
        """Return what a position adds to what is known of its content."""
        path, offset, before, head, samples, number, ident, modified_ns, _, is_cut = position
        del path
        known = self.contents.get(number)
        more = head[len(known.head) if known else 0 : offset]
        sampled = samples[len(known.samples) if known else 0 : samples_before(offset)]
        lengths = len(before), len(more), len(sampled)
        begin = _CONTENT.pack(
            b"P", self.number, number, *ident, offset, modified_ns, _NO_STATUS, is_cut, *lengths
        )
        return begin + before + more + sampled

    def state(self) -> Iterator[bytes]:
        """Yield all that is known, as facts."""
        yield self._log()
        for place in sorted(self.places):
            yield self._place(*place)
        heads = {}
        for content in self.contents.values():
            yield self._content(content)
            heads[content.head] = content.number
        for ident, file in self.files.items():
            yield self._file(ident, file, heads.get(file.head, 0))

    def _log(self) -> bytes:
        name = os.fsencode(self.path)
        return _LOG.pack(b"L", self.number, self.modified_ns, len(name)) + name

    def _place(self, directory: str, name: str) -> bytes:
        place = os.fsencode(directory), os.fsencode(name)
        return _PLACE.pack(b"D", self.number, *map(len, place)) + b"".join(place)

    def _content(self, known: KnownContent) -> bytes:
        texts = known.before, known.head, known.samples
        status = _STATUSES.index(known.status)
        begin = _CONTENT.pack(
            b"C",
            self.number,
            known.number,
            *known.ident,
            known.offset,
            self.modified_ns,
            status,
            known.is_cut,
            *map(len, texts),
        )
        return begin + b"".join(texts)

    def _file(self, ident: Ident, file: KnownFile, content: int) -> bytes:
        head = b"" if content else file.head
        size, modified_ns = file[:2]
        begin = _FILE.pack(b"F", self.number, *ident, max(size, 0), modified_ns, content, len(head))
        return begin + head

    # Decoding.

    def learn_content(self, fields: tuple[int, ...], texts: list[bytes], *, adds: bool) -> None:
        """Apply a content, or a position in it."""
        number, device, inode, offset, modified_ns, status, is_cut = fields
        known = self.contents.setdefault(number, KnownContent(number))
        known.ident = (device, inode)
        known.offset = offset
        known.is_cut = bool(is_cut)
        self.modified_ns = max(self.modified_ns, modified_ns)
        if status != _NO_STATUS:
            known.status = _STATUSES[status]
        known.before, head, samples = texts
        known.head = known.head + head if adds else head
        known.samples = known.samples + samples if adds else samples
        self._limit()

    def learn_status(self, number: int, status: int) -> None:
        """Apply a status."""
        known = self.contents.setdefault(number, KnownContent(number))
        known.status = _STATUSES[status]

    def learn_file(self, ident: Ident, file: KnownFile, content: int) -> None:
        """Apply a file to skip."""
        known = self.contents.get(content)
        self.files[ident] = file if known is None else file._replace(head=known.head)

    def _limit(self) -> None:
        """Forget the oldest contents that are not read any longer."""
        if len(self.contents) > _MAX_CONTENTS:
            open_ones = {"current", "rotated"}
            for number in sorted(self.contents)[:-_MAX_CONTENTS]:
                if self.contents[number].status not in open_ones:
                    del self.contents[number]


class ShownPosition(NamedTuple):
    """A position, for people."""

    path: str
    offset: int
    status: FileStatus
    inode: int


class Positions:
    """
    The table of positions, by the names of files as they were given.

    The caller adds the notes of a group of chunks to the round that has their lines. Within a group
    it calls `facts`, then `note` for each position in order. A state that it takes between the two
    includes none of the group's lines.
    """

    def __init__(self) -> None:
        self._logs: dict[str, KnownLog] = {}
        self._numbers: dict[int, KnownLog] = {}
        self._begun: list[KnownLog] = []
        self.given: list[str] = []
        """The files that are read to their end."""
        self._compared: object = None

    def begin(self, path: str) -> KnownLog:
        """Return what is known of a name, which a source of this process is about to read."""
        log = self._logs.get(path) or self._added(path, max(self._numbers, default=-1) + 1)
        log.begin()
        self._begun.append(log)
        self._compared = None
        return log

    def compared(self, compare: Callable[[Positions, list[str]], _T]) -> _T:
        """Return what a function finds of the given files, before the first one is read."""
        if self._compared is None:
            self._compared = compare(self, self.given)
        return cast("_T", self._compared)

    @property
    def begun(self) -> list[KnownLog]:
        """The names that sources of this process read."""
        return self._begun

    @property
    def logs(self) -> list[KnownLog]:
        """All known names."""
        return [*self._logs.values()]

    def note(self, position: FilePosition) -> bytes:
        """Return the note of a chunk that ends at a position, and apply it."""
        log = self._logs[position.path]
        facts = log.take(position.serial - 1)
        log.noted = max(log.noted, position.serial)
        # Facts may define the content.
        self._learn(facts)
        progress = log.progress(position)
        self._learn(progress)
        return _VERSION + facts + progress

    def facts(self) -> bytes:
        """Return the note of what happened without a chunk, and apply it; empty if nothing did."""
        facts = b"".join(log.take(log.noted) for log in self._begun if log.facts)
        self._learn(facts)
        return _VERSION + facts if facts else b""

    def apply(self, note: bytes) -> None:
        """
        Apply a note of an earlier process.

        Raises:
            ValueError: It has another version.
        """
        if note[:1] != _VERSION:
            raise ValueError(f"positions: expected version 1, found {note[:1]!r}")
        self._learn(note[1:])

    def state(self) -> bytes:
        """Return the table."""
        begun = {log.path for log in self._begun}
        others = [path for path in self._logs if path not in begun]
        for path in others[:-_MAX_LOGS]:
            del self._logs[path]
        return _VERSION + b"".join(fact for log in self._logs.values() for fact in log.state())

    def restore(self, state: bytes) -> None:
        """
        Replace the table.

        Raises:
            ValueError: It has another version.
        """
        self._logs.clear()
        self._numbers.clear()
        self.apply(state)

    def shown(self) -> list[ShownPosition]:
        """Return the positions in files that are read, for people; the newest of a name last."""
        return [
            ShownPosition(log.path, each.offset, each.status, each.ident[1])
            for log in self._logs.values()
            for number, each in sorted(log.contents.items())
            if each.status in {"current", "rotated"} and each.offset
        ]

    def _added(self, path: str, number: int) -> KnownLog:
        log = KnownLog(path, number)
        self._logs[path] = self._numbers[number] = log
        return log

    def _learn(self, facts: bytes) -> None:
        at = 0
        while at < len(facts):
            kind, numbers, texts, at = _fact(facts, at)
            self._learn_one(kind, numbers, texts)

    def _learn_one(self, kind: bytes, numbers: tuple[int, ...], texts: list[bytes]) -> None:
        if kind == b"L":
            path = os.fsdecode(texts[0])
            log = self._logs.get(path) or self._added(path, numbers[0])
            log.modified_ns = max(log.modified_ns, numbers[1])
            return
        log, rest = self._numbers[numbers[0]], numbers[1:]
        if kind == b"D":
            log.places.add((os.fsdecode(texts[0]), os.fsdecode(texts[1])))
        elif kind == b"S":
            log.learn_status(*rest)
        elif kind == b"F":
            device, inode, size, modified_ns, content = rest
            log.learn_file((device, inode), KnownFile(size, modified_ns, texts[0]), content)
        else:
            log.learn_content(rest, texts, adds=kind == b"P")


@runtime_checkable
class Resumable(Protocol):
    """A source of files, which can go on where an earlier process ended."""

    def resume(self, positions: Positions) -> None:
        """Go on where an earlier process ended, and keep the positions; before it is opened."""
        ...


# Of each kind of fact, its layout and the number of texts after it.
_LAYOUTS = {
    b"L": (_LOG, 1),
    b"D": (_PLACE, 2),
    b"C": (_CONTENT, 3),
    b"P": (_CONTENT, 3),
    b"S": (_STATUS, 0),
    b"F": (_FILE, 1),
}


def _fact(facts: bytes, at: int) -> tuple[bytes, tuple[int, ...], list[bytes], int]:
    """Return the kind, the numbers and the texts of a fact, and where the next one begins."""
    kind = facts[at : at + 1]
    layout, count = _LAYOUTS[kind]
    fields = layout.unpack_from(facts, at)[1:]
    at += layout.size
    texts = []
    for length in fields[len(fields) - count :]:
        texts.append(facts[at : at + length])
        at += length
    return kind, fields[: len(fields) - count], texts, at
