"""The border between Python and the core: threads, argument errors, exception types."""

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import counting
import pytest
from places import DATA

from tailrace import _core

LOG = gzip.decompress((DATA / "apache-combined-2015-elastic.log.gz").read_bytes())

SETTINGS = {
    "formats": ["combined"],
    "by": "url",
    "time": "log",
    "limit": 10,
    "window_us": (60_000_000, 1_000_000),
    "lateness_us": 60_000_000,
    "sources": 1,
    "start_us": 0,
    "hash_seed": 1,
}

CHUNK = {"kind": "lines", "source": 0, "format": "combined", "now_us": 0, "max_ahead_us": None}


def engine(**changes: object) -> _core.Engine:
    return counting.engine(**{**SETTINGS, **changes})


def absorbed(of: _core.Engine, data: bytes) -> _core.Delta:
    return of.absorb(data, span=(0, len(data)), **CHUNK)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formats": ["commons"]}, "; 'tailrace formats' lists the named formats"),
        ({"by": "urrl"}, "no field 'urrl'"),
        ({"formats": ["classic"], "by": "method"}, "no field 'method'"),
        ({"formats": []}, "at least one format"),
        ({"formats": ["classic", "combined"], "by": "status"}, "has different types"),
        ({"time": "clock"}, "found 'clock'"),
        ({"window_us": (0, 0)}, "positive lengths and a positive slide"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_once(changes: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        engine(**changes)


def test_a_chunk_of_no_kind_or_a_span_outside_it_is_refused():
    with pytest.raises(ValueError, match="expected lines, batch or event"):
        engine().absorb(b"", span=(0, 0), **{**CHUNK, "kind": "frames"})
    with pytest.raises(ValueError, match="expected a range within 3 bytes"):
        engine().absorb(b"abc", span=(2, 4), **CHUNK)
    with pytest.raises(ValueError, match="expected a range within 3 bytes"):
        engine().absorb(b"abc", span=(2, 1), **CHUNK)


def test_a_malformed_batch_is_an_error_of_its_own_and_changes_nothing():
    counting = engine()
    with pytest.raises(_core.BatchError, match="cut off at byte 1"):
        counting.absorb(b"\x02", span=(0, 1), **{**CHUNK, "kind": "batch"})
    assert counting.lines()["fed"] == 0
    assert issubclass(_core.BatchError, ValueError)


def test_absorbing_changes_nothing_and_applying_does():
    counting = engine(window_us=None)
    delta = absorbed(counting, LOG)
    assert counting.lines()["fed"] == 0
    counting.apply(delta)
    assert counting.lines()["fed"] == 10_000
    with pytest.raises(ValueError, match="applied already"):
        counting.apply(delta)
    counting.apply(absorbed(counting, LOG))
    assert counting.lines()["fed"] == 20_000


def test_the_interpreter_is_free_while_the_core_works():
    counting = engine()
    text = LOG * 40
    done = threading.Event()

    def absorb() -> None:
        absorbed(counting, text)
        done.set()

    thread = threading.Thread(target=absorb)
    started = time.monotonic()
    thread.start()
    turns = 0
    longest = 0.0
    last = time.monotonic()
    while not done.is_set():
        now = time.monotonic()
        longest = max(longest, now - last)
        last = now
        turns += 1
    took = time.monotonic() - started
    thread.join()

    # Held, the interpreter would stand still for the whole call, and this loop would turn once.
    assert turns > 1_000
    assert longest < took / 2


def test_four_threads_may_share_an_engine():
    counting = engine(window_us=None, limit=None)
    parts = LOG.splitlines(keepends=True)
    chunks = [b"".join(parts[at : at + 100]) for at in range(0, len(parts), 100)]

    def work(chunk: bytes) -> None:
        counting.apply(absorbed(counting, chunk))
        counting.snapshot()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, chunks))
    alone = engine(window_us=None, limit=None)
    alone.apply(absorbed(alone, LOG))

    assert counting.snapshot() == alone.snapshot()


def test_another_seed_gives_the_same_answer():
    answers = []
    for seed in (0, 1, 2**64 - 1):
        counting = engine(window_us=None, limit=None, hash_seed=seed)
        counting.apply(absorbed(counting, LOG))
        answers.append(counting.snapshot())

    assert answers[0] == answers[1] == answers[2]


def test_this_is_no_debug_build():
    assert not _core._debug_build
