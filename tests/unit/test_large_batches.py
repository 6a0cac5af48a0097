"""Batches of more events than a batch may have are refused before anything is built for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Sink, line, running
from wire import events, long

import tailrace as tr
from tailrace import _core
from tailrace._detection import Detector
from tailrace._sources import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000_000
MIB = 1 << 20

# The largest frame, of empty events of two bytes.
COUNT = 32 * MIB - 64
HUGE = long(COUNT) + bytes(2 * COUNT) + b"\x00"
NEGATIVE = long(-COUNT) + long(2 * COUNT) + bytes(2 * COUNT) + b"\x00"
TOO_MANY = "expected at most 1,000,000 events in a batch, found 33,554,368 at byte 0; make the "

COMBINED = _core.Format("combined")


def engine() -> Any:  # noqa: ANN401 - of the core
    return tr.from_lines([], format="combined").count(by="url").run()._results.run.processor._engine


CALLS: dict[str, Callable[..., object]] = {
    "absorb": lambda data, **where: engine().absorb(
        data, source=0, format=COMBINED, now_us=0, max_ahead_us=None, **where
    ),
    "count_matches": lambda data, **where: _core.count_matches(
        data, formats=[COMBINED, "classic"], limit=1_000, **where
    ),
    "first_lines": lambda data, **where: _core.first_lines(
        data, format=COMBINED, fields=["url"], limit=1_000, **where
    ),
    "found_fields": lambda data, **where: _core.found_fields(
        data, format="json", limit=1_000, **where
    ),
    "parse_chunk": lambda data, **where: _core.parse_chunk(
        data, format=COMBINED, fields=["url"], **where
    ),
    "sample_rejects": lambda data, **where: _core.sample_rejects(
        data, format=COMBINED, limit=3, **where
    ),
    "write_rows": lambda data, **where: _core.write_rows(
        data, format=COMBINED, fields=["url"], rejects=(b"", 0), **where
    ),
}


@pytest.mark.parametrize("data", [HUGE, NEGATIVE], ids=["plain", "with its size"])
@pytest.mark.parametrize("name", CALLS)
def test_a_count_over_the_limit_is_refused_at_once(name: str, data: bytes) -> None:
    start = time.process_time()
    with pytest.raises(_core.BatchError, match=TOO_MANY):
        CALLS[name](data, kind="batch", span=(0, len(data)))
    # To walk all events would take half a second, to work on them several.
    assert time.process_time() - start < 0.25


def test_events_that_were_abandoned_are_counted_up_to_the_limit() -> None:
    most = events([b""] * MOST, None)
    assert _core.count_events(most, kind="batch", span=(0, len(most))) == MOST
    assert _core.count_events(HUGE, kind="batch", span=(0, len(HUGE))) == 0
    many_blocks = (long(1) + b"\x00\x00") * (MOST + 1) + b"\x00"
    assert _core.count_events(many_blocks, kind="batch", span=(0, len(many_blocks))) == 0


def test_the_detector_passes_over_such_a_batch() -> None:
    detector = Detector()
    start = time.process_time()
    detector.look(Chunk(HUGE, (0, len(HUGE)), "batch"))
    assert time.process_time() - start < 0.25
    assert detector.lines == 0


@pytest.mark.parametrize("arguments", [[], ["--log-format", "combined"]], ids=["auto", "combined"])
def test_its_sender_gets_an_error_and_others_are_served(arguments: list[str]) -> None:
    with running("top", "flume://127.0.0.1:0", "--format", "jsonl", *arguments) as receiver:
        with Sink(receiver.port) as other:
            with Sink(receiver.port) as sink:
                sink.send(sink.frame(b"appendBatch", HUGE))
                answer = sink.answer()
                assert b"expected at most 1,000,000 events in a batch" in answer
                assert sink.is_closed()
            assert other.batch([line("/a")] * 20) == OK
        receiver.answer(lambda snapshot: snapshot["total"] == 20)
        assert sum("1,000,000 events" in one for one in receiver.messages) == 1
