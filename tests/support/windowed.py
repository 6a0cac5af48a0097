"""Generated logs, windows and snapshots, for tests of windows against `oracle.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from re import sub
from typing import TYPE_CHECKING, Any, NamedTuple

import counting
import oracle
from hypothesis import strategies as st

from tailrace._sources import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace import _core
    from tailrace._snapshot import Snapshot


SECOND = 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

# 17 May 2015, 10:00:00 UTC: an hour, so that windows of minutes and hours begin with it.
BASE_S = 1_431_856_800

# Null, ASCII, UTF-8 and invalid bytes; some of them look alike as text.
KEYS = [None, b"/", b"/a", b"/b", b"/\xc3\xa9", b"/\xe2\x82", b"/\xff", b"/\xff\xfe", b"/a\x00"]


# --- lines and answers ----------------------------------------------------------------------------


class Entry(NamedTuple):
    """A line to write: its second (None: invalid) and its key, or a line that is rejected."""

    second: int | None
    key: bytes | None
    garbage: bool = False


def written(entry: Entry) -> bytes:
    if entry.garbage:
        return b"no line of any log"
    if entry.second is None:
        time = "17/Mai/2015:10:05:03 +0000"
    else:
        at = EPOCH + timedelta(seconds=entry.second)
        time = f"{at.day:02}/{MONTHS[at.month - 1]}/{at.year:04}:{at:%H:%M:%S} +0000"
    request = b"-" if entry.key is None else b"GET %b HTTP/1.1" % entry.key
    return b'10.0.0.1 - - [%b] "%b" 200 5 "-" "x"' % (time.encode(), request)


def text_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(written(entry) + b"\n" for entry in entries)


def events_of(
    entries: Iterable[Entry], source: int = 0
) -> list[tuple[int, int | None, bytes | None]]:
    lines = (entry for entry in entries if not entry.garbage)
    seconds = ((entry.second, entry.key) for entry in lines)
    return [(source, None if at is None else at * SECOND, key) for at, key in seconds]


def with_garbage(lines: oracle.Lines, garbage: int) -> dict[str, Any]:
    counters: dict[str, Any] = lines.as_dict()
    counters["fed"] += garbage
    if garbage:
        counters["rejected"] = {"no-match": garbage, **counters["rejected"]}
    return counters


def text_key(key: oracle.Key) -> oracle.Key:
    """Decode bytes as rows do: a run that is not UTF-8 is one U+FFFD."""
    if not isinstance(key, bytes):
        return key
    return sub("[\udc80-\udcff]+", "\ufffd", key.decode("utf-8", "surrogateescape"))


def as_text(answer: oracle.Answer) -> oracle.Answer:
    return answer._replace(rows=[(text_key(key), count) for key, count in answer.rows])


def in_micros(time: datetime | None) -> int | None:
    if time is None:
        return None
    assert time.utcoffset() == timedelta(0)
    return (time - EPOCH) // timedelta(microseconds=1)


def answer_of(snapshot: Snapshot, by: str = "url") -> oracle.Answer:
    assert all(list(row) == [by, "count"] for row in snapshot.rows)
    rows = [(row[by], row["count"]) for row in snapshot.rows]
    start, end = in_micros(snapshot.start), in_micros(snapshot.end)
    return oracle.Answer(start, end, snapshot.keys, snapshot.total, rows)


def check_every_line_went_somewhere(lines: dict[str, Any]) -> None:
    rejected = sum(lines["rejected"].values())
    assert lines["fed"] == lines["counted"] + lines["late"] + lines["filtered"] + rejected


# --- the generated queries ------------------------------------------------------------------------


class WindowSize(NamedTuple):
    """Length and slide of a window in microseconds, and how far apart its events are."""

    length: int
    slide: int
    spread: int = 1

    @property
    def timedeltas(self) -> tuple[timedelta, timedelta]:
        return timedelta(microseconds=self.length), timedelta(microseconds=self.slide)


WINDOW_SIZES = [
    WindowSize(SECOND, SECOND),
    WindowSize(5 * SECOND, SECOND),
    WindowSize(10 * SECOND, 10 * SECOND),
    WindowSize(14 * SECOND, 7 * SECOND),
    WindowSize(60 * SECOND, 20 * SECOND, 5),
    WindowSize(3_600 * SECOND, 900 * SECOND, 200),
    WindowSize(SECOND, SECOND // 4),
    WindowSize(1_500_000, 500_000),
    WindowSize(300_000, 300_000),
]

window_sizes = st.sampled_from(WINDOW_SIZES)
latenesses = st.sampled_from([0, SECOND, 5 * SECOND, 60 * SECOND, 1, SECOND // 2, 1_000 * SECOND])
limits = st.none() | st.integers(1, 5)

# In order, out of order, with gaps.
steps = st.integers(-2, 2) | st.integers(-20, 20) | st.sampled_from([-200, 90, 900])
keys = st.sampled_from(KEYS)


@st.composite
def logs(draw: st.DrawFn, spread: int, *, max_size: int = 40) -> list[Entry]:
    second = draw(st.sampled_from([BASE_S, BASE_S - 1, 3, -7]))
    entries = []
    drawn = st.tuples(steps, keys, st.sampled_from(["", "", "", "", "", "no time", "garbage"]))
    for step, key, flaw in draw(st.lists(drawn, max_size=max_size)):
        second += step * spread
        time = None if flaw == "no time" else second
        entries.append(Entry(time, key, garbage=flaw == "garbage"))
    return entries


sized_logs = window_sizes.flatmap(lambda size: st.tuples(st.just(size), logs(size.spread)))


# --- engines --------------------------------------------------------------------------------------


def engine_of(
    size: WindowSize | None,
    *,
    lateness: int = 0,
    by: str = "url",
    time: Any = "log",  # noqa: ANN401 - one of two words
    start_us: int = 0,
    seed: int = 1,
) -> _core.Engine:
    return counting.engine(
        formats=["combined"],
        by=by,
        time=time,
        limit=None,
        window_us=None if size is None else (size.length, size.slide),
        lateness_us=lateness,
        sources=1,
        start_us=start_us,
        hash_seed=seed,
    )


def absorbed(engine: _core.Engine, chunk: Chunk, now_us: int = 0) -> _core.Delta:
    return engine.absorb(
        chunk.data,
        kind=chunk.kind,
        span=chunk.span,
        source=0,
        format="combined",
        now_us=now_us,
        max_ahead_us=None,
    )


def chunk_of(data: bytes) -> Chunk:
    return Chunk(data, (0, len(data)))


def answered(engine: _core.Engine) -> list[Any]:
    return list(iter(engine.next_snapshot, None))
