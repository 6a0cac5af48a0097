"""Recognises what a sender sends again because the answer was lost."""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from tailrace._core import digest_events
from tailrace._errors import log_warning
from tailrace._runtime.stage import Again

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from tailrace._runtime.stage import ConnectionKey as _Key
    from tailrace._runtime.stage import StampedChunk
    from tailrace._sources import Chunk

__all__ = ["MOST_BATCHES", "MOST_BYTES", "Resent"]

MOST_BATCHES = 100_000
"""Of more batches, the oldest are forgotten."""

MOST_BYTES = 64 * 1024 * 1024
"""Of batches with more bytes, the oldest are kept as digests."""

# So many of them, one in sixteen, are forgotten at once, so that this is rare.
_SHARE = 16

# How often those are forgotten that are no longer sent again.
_SWEEP_US = 60_000_000

# How much later than its interval a tick may come without the process having been stopped.
_SLACK_US = 1_000_000

# In a note: the run, connection and source of the batch, and of the one that it repeats; when it
# was received; the number of events; the digests of the first event and of all.
_NOTE = struct.Struct("<IQIBIQIqQ16s16s")

# In a state: the run and the time; the length of each note.
_HEAD = struct.Struct("<Iq")
_LENGTH = struct.Struct("<I")

_nobody = object()
_NONE: frozenset[_Key] = frozenset()


class _Batch:
    """The last batch of a connection: its bytes, or their digest."""

    __slots__ = (
        "at_us",
        "chunk",
        "connection",
        "count",
        "digest",
        "earlier",
        "first",
        "is_listed",
        "is_noted",
        "position",
        "size",
        "source",
    )

    def __init__(self, key: _Key, at_us: int) -> None:
        # Those of this run; no chunk has the ones of an earlier run.
        self.connection, self.source = key if len(key) == 2 else (-1, -1)  # noqa: PLR2004 - a pair
        self.at_us = at_us
        # Its bytes, and how many there are; without them the digests are known.
        self.chunk: Chunk | None = None
        self.size = 0
        self.position: object = None
        # The digests of the first event and of all, and the number of events.
        self.first = self.digest = b""
        self.count = 0
        self.is_listed = False
        # Whether a journal has it; until then it is not in a state.
        self.is_noted = False
        # What the batch at this position repeats, until its outcome is known.
        self.earlier: tuple[object, _Key, _Batch] | None = None

    def begin(self) -> bytes:
        """Return the digest of the first event; nothing if there is none."""
        return self.first if self.first or self.chunk is None else _first(self.chunk)

    def shrink(self) -> int:
        """Keep only digests; return how many bytes are no longer held."""
        chunk, size = self.chunk, self.size
        if chunk is not None:
            self.first = self.begin()
            self.count, self.digest = digest_events(chunk.data, kind=chunk.kind, span=chunk.span)
            self.position, self.chunk, self.size = chunk.position, None, 0
        return size


class Resent:
    """
    The last batch of every connection, open or ended, by the address of its sender.

    A batch on another connection of the same address that begins with exactly the events of one of
    these repeats it, and then replaces it. A batch whose outcome is not known yet counts as
    remembered; if it is not counted, it is forgotten.

    Args:
        interval_us: The interval of ticks.
        steady_us: The monotonic clock.
        limit_us: The longest time for which a source remembers batches.
        warn: Reports that batches were forgotten.
    """

    def __init__(
        self,
        interval_us: int,
        steady_us: int,
        limit_us: int,
        *,
        warn: Callable[[str], object] = log_warning,
    ) -> None:
        # Of a sender with one connection, which sends again and again, a batch is only put here:
        # `current` is how its chunks ask whether it waits. The other methods look at it later.
        self.current: object = _nobody
        self.latest: StampedChunk | None = None
        self._interval_us = interval_us
        self._limit_us = limit_us
        self._warn = warn
        self._senders: dict[Any, dict[_Key, _Batch]] = {}
        # The batch of each sender that has one connection.
        self._only: dict[Any, _Batch] = {}
        # The connections whose batches begin with an event, of senders with several.
        self._begins: dict[tuple[bytes, bytes], set[_Key]] = {}
        self._count = 0
        self._bytes = 0
        self._has_warned = False
        # The number of earlier runs that are remembered.
        self._run = 0
        # When a tick last came. The time of batches is the monotonic clock without the time before
        # the start, and without the time in which no tick came that was due.
        self._ticked_us = self._paused_us = steady_us
        self._swept_us = 0

    def __len__(self) -> int:
        """Return how many batches are remembered."""
        return sum(map(len, self._senders.values()))

    def tick(self, steady_us: int) -> None:
        """Take note of the time; it does not pass while the process is stopped or busy."""
        self._paused_us += self._late_us(steady_us)
        self._ticked_us = steady_us
        now_us = steady_us - self._paused_us
        if now_us - self._swept_us >= _SWEEP_US:
            self._swept_us = now_us
            self._hold_latest()
            self._sweep(now_us)

    def _late_us(self, steady_us: int) -> int:
        """Return for how long a tick was due, if the process was stopped or busy."""
        late_us = steady_us - self._ticked_us - self._interval_us
        return late_us if late_us > _SLACK_US else 0

    def finds(self, taken: StampedChunk) -> bool:
        """Return whether a batch repeats another one, as far as that one is counted."""
        self._hold_latest()
        chunk, batches = taken.chunk, self._senders.get(taken.chunk.sender, {})
        if not batches or taken.origin.resent_us is None:
            return False
        if len(batches) == 1 and _key(chunk) in batches:
            return False
        return self._find(taken, _first(chunk)) is not None

    def take(self, taken: StampedChunk) -> StampedChunk:
        """Remember a batch; return it with what it repeats of one whose outcome is known."""
        self._hold_latest()
        # Read at once: the names of a tuple's members cost more.
        chunk, _, _, _, steady_us, _ = taken
        _, _, _, source, _, is_wanted, position, sender = chunk
        batch = self._only.get(sender)
        if batch is not None:
            number: Any = position
            if batch.connection == number[0] and batch.source == source:
                self._hold(batch, taken)
                self.current = is_wanted or _nobody
                return taken
        self.current = _nobody
        if sender is None or position is None or taken.origin.resent_us is None:
            return taken
        return self._take(taken, sender, steady_us - self._paused_us)

    def _hold_latest(self) -> None:
        latest = self.latest
        if latest is not None:
            self.latest = None
            self._hold(self._only[latest.chunk.sender], latest)

    def _take(self, taken: StampedChunk, sender: bytes, now_us: int) -> StampedChunk:
        chunk = taken.chunk
        key = _key(chunk)
        batches = self._senders.get(sender, {})
        own = batches.get(key)
        first, again, earlier = b"", None, None
        if len(batches) > (own is not None):
            first = _first(chunk)
            again = self._find(taken, first)
            if again is not None and (found := self._remove(sender, again.connection)) is not None:
                found.earlier = None
                earlier = chunk.position, again.connection, found
        if own is None:
            own = _Batch(key, now_us)
            self._hold(own, taken)
            self._put(sender, key, own, first)
        else:
            if own.first != first:
                self._unlist(sender, key, own)
            self._hold(own, taken)
            if len(batches) > 1:
                self._list(sender, key, own, first)
        own.earlier = earlier
        return taken if again is None else taken._replace(again=again)

    def _hold(self, batch: _Batch, taken: StampedChunk) -> None:
        """Let the batch of a connection be this one."""
        chunk, _, _, _, steady_us, _ = taken
        size = len(chunk[0])
        self._bytes += size - batch.size
        batch.chunk, batch.size, batch.at_us = chunk, size, steady_us - self._paused_us
        batch.is_noted = False
        if not batch.is_listed:
            batch.first = b""
        if self._bytes > MOST_BYTES:
            self._shrink()

    def drop(self, taken: StampedChunk) -> None:
        """Forget a batch that is not counted; what it repeats is remembered again."""
        self._hold_latest()
        self.current = _nobody
        chunk = taken.chunk
        batch = self._batch(chunk)
        if batch is None or chunk.sender is None:
            return
        self._remove(chunk.sender, _key(chunk))
        if batch.earlier is not None and batch.earlier[0] == chunk.position:
            _, connection, earlier = batch.earlier
            if connection not in self._senders.get(chunk.sender, {}):
                self._put(chunk.sender, connection, earlier, earlier.begin())

    def note(self, taken: StampedChunk) -> bytes | None:
        """Return what a journal keeps of a batch that was taken; None if it is not remembered."""
        self._hold_latest()
        chunk = taken.chunk
        if chunk.sender is None or chunk.position is None or taken.origin.resent_us is None:
            return None
        batch = self._batch(chunk)
        if batch is None:
            # Its connection has sent the next one.
            batch = _Batch(_key(chunk), taken.steady_us - self._paused_us)
            batch.chunk = chunk
            batch.shrink()
        else:
            self._bytes -= batch.shrink()
            batch.is_noted = True
        earlier = None if taken.again is None else taken.again.connection
        return self._packed(chunk.sender, _key(chunk), batch, earlier)

    def apply(self, note: bytes) -> None:
        """Remember the batch of a note, in the order in which the notes were made."""
        parts = _NOTE.unpack_from(note)
        key, has_earlier, earlier, at_us, count, first, digest = (
            parts[:3],
            parts[3],
            parts[4:7],
            *parts[7:],
        )
        sender = note[_NOTE.size :]
        if has_earlier:
            self._remove(sender, earlier)
        self._remove(sender, key)
        self._run = max(self._run, key[0] + 1)
        # The time goes on from the newest note.
        self._paused_us = min(self._paused_us, self._ticked_us - at_us)
        if count:
            batch = _Batch(key, at_us)
            batch.count, batch.first, batch.digest = count, first, digest
            batch.is_noted = True
            self._put(sender, key, batch, first)

    def state(self) -> bytes:
        """Return everything that is remembered and has a note."""
        self._hold_latest()
        now_us = self._ticked_us - self._paused_us
        pieces = [_HEAD.pack(self._run, now_us)]
        for sender, batches in self._senders.items():
            for one, last in batches.items():
                key, batch = one, last
                if not last.is_noted:
                    # Its outcome is not known: what it repeats is in its place.
                    position = last.position if last.chunk is None else last.chunk.position
                    if last.earlier is None or last.earlier[0] != position:
                        continue
                    _, key, batch = last.earlier
                if batch.count:
                    note = self._packed(sender, key, batch, None)
                    pieces += (_LENGTH.pack(len(note)), note)
        return b"".join(pieces)

    def restore(self, state: bytes) -> None:
        """Remember what another run remembered; all of its connections have ended."""
        run, now_us = _HEAD.unpack_from(state)
        at = _HEAD.size
        while at < len(state):
            (length,) = _LENGTH.unpack_from(state, at)
            at += _LENGTH.size
            self.apply(state[at : at + length])
            at += length
        self._run = max(self._run, run + 1)
        self._paused_us = self._ticked_us - now_us

    def _packed(self, sender: bytes, key: _Key, batch: _Batch, earlier: _Key | None) -> bytes:
        of = (0, 0, 0) if earlier is None else self._full(earlier)
        whole = (*self._full(key), earlier is not None, *of)
        rest = batch.at_us, batch.count, batch.first, batch.digest
        return _NOTE.pack(*whole, *rest) + sender

    def _full(self, key: _Key) -> tuple[int, int, int]:
        return key if len(key) == 3 else (self._run, *key)  # noqa: PLR2004 - with its run

    def _batch(self, chunk: Chunk) -> _Batch | None:
        """Return what is remembered of a chunk, unless its connection has sent another one."""
        if chunk.sender is None or chunk.position is None:
            return None
        batch = self._senders.get(chunk.sender, {}).get(_key(chunk))
        if batch is None:
            return None
        position = batch.position if batch.chunk is None else batch.chunk.position
        return batch if position == chunk.position else None

    def _find(self, taken: StampedChunk, first: bytes) -> Again | None:
        """Return which batch of another connection a batch begins with; the longest one."""
        chunk, key = taken.chunk, _key(taken.chunk)
        sender = chunk.sender
        batches = self._senders[sender]
        if len(batches) == 1:
            ((only, batch),) = batches.items()
            is_same = first and batch.begin() == first
            connections: AbstractSet[_Key] = {only} if is_same else _NONE
        else:
            connections = self._begins.get((cast("bytes", sender), first), _NONE)
        if not connections or connections == {key}:
            return None
        paused_us = self._paused_us + self._late_us(taken.steady_us)
        oldest_us = taken.steady_us - paused_us - (taken.origin.resent_us or 0)
        again: Again | None = None
        for connection in connections:
            batch = batches[connection]
            if connection == key or batch.at_us < oldest_us:
                continue
            self._bytes -= batch.shrink()
            count = batch.count
            same = digest_events(chunk.data, kind=chunk.kind, span=chunk.span, first=count)
            if same == (count, batch.digest) and (again is None or count > again.events):
                again = Again(count, connection)
        return again

    def _list(self, sender: bytes, key: _Key, batch: _Batch, first: bytes) -> None:
        """Let a batch be found by its first event."""
        if first and not batch.is_listed:
            batch.is_listed, batch.first = True, first
            self._begins.setdefault((sender, first), set()).add(key)

    def _unlist(self, sender: bytes, key: _Key, batch: _Batch) -> None:
        if batch.is_listed:
            batch.is_listed = False
            connections = self._begins[sender, batch.first]
            connections.discard(key)
            if not connections:
                del self._begins[sender, batch.first]
        if batch.chunk is not None:
            batch.first = b""

    def _put(self, sender: bytes, key: _Key, batch: _Batch, first: bytes) -> None:
        """Remember a batch of a connection that has none."""
        if self._count >= MOST_BATCHES:
            self._make_room()
        batches = self._senders.setdefault(sender, {})
        batches[key] = batch
        self._count += 1
        if len(batches) == 1:
            self._only[sender] = batch
            return
        only = self._only.pop(sender, None)
        if only is not None:
            # It was replaced without a look at its events until now.
            for one, last in batches.items():
                self._list(sender, one, last, last.begin())
        else:
            self._list(sender, key, batch, first)

    def _remove(self, sender: bytes, key: _Key) -> _Batch | None:
        batches = self._senders.get(sender, {})
        batch = batches.pop(key, None)
        if batch is None:
            return None
        self.current = _nobody
        self._count -= 1
        self._bytes -= batch.size
        self._unlist(sender, key, batch)
        if len(batches) == 1:
            ((last, only),) = batches.items()
            self._unlist(sender, last, only)
            self._only[sender] = only
        elif not batches:
            del self._senders[sender], self._only[sender]
        return batch

    def _oldest(self) -> list[tuple[int, bytes, _Key, _Batch]]:
        """Return all batches, the oldest first."""
        every = [
            (batch.at_us, sender, key, batch)
            for sender, batches in self._senders.items()
            for key, batch in batches.items()
        ]
        return sorted(every, key=itemgetter(0))

    def _sweep(self, now_us: int) -> None:
        """Forget what is no longer sent again."""
        for at_us, sender, key, batch in self._oldest():
            if at_us >= now_us - min(_SWEEP_US, self._limit_us):
                break
            if at_us < now_us - self._limit_us:
                self._remove(sender, key)
            elif batch.chunk is not None:
                # Its connection may have ended, and is not held.
                batch.chunk = batch.chunk._replace(answer=None, is_wanted=None)

    def _make_room(self) -> None:
        """Forget the oldest batches."""
        oldest = self._oldest()
        last_us = oldest[-1][0] - self._limit_us
        for at_us, sender, key, _ in oldest[: -(-len(oldest) // _SHARE)]:
            self._remove(sender, key)
            if at_us >= last_us and not self._has_warned:
                self._has_warned = True
                self._warn(
                    f"more than {MOST_BATCHES:,} connections within the time of --resent-for; what "
                    "the oldest of them send again is counted twice"
                )

    def _shrink(self) -> None:
        """Keep only digests of the oldest batches, until half of the bytes are free."""
        for _, _, _, batch in self._oldest():
            if self._bytes <= MOST_BYTES // 2:
                break
            self._bytes -= batch.shrink()


def _key(chunk: Chunk) -> _Key:
    return cast("tuple[int, int]", chunk.position)[0], chunk.source


def _first(chunk: Chunk) -> bytes:
    """Return the digest of the first event; nothing if there is none."""
    count, digest = digest_events(chunk.data, kind=chunk.kind, span=chunk.span, first=1)
    return digest if count else b""
