"""Counters of lines that are in no sum: those that senders gave up, and those that came again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from live import line
from wire import event, events

import tailrace as tr
from tailrace._core import Format, count_events
from tailrace._rendering.text import lines_summary, status_line
from tailrace._runtime.stage import Origin, StampedChunk
from tailrace._sources import Chunk

if TYPE_CHECKING:
    from tailrace._types import LineCounts

COMBINED = Format("combined")

BATCH = Chunk(events([line("/a")] * 3), (0, len(events([line("/a")] * 3))), "batch")
EVENT = Chunk(b"~" + event(b"") + b"~", (1, 1 + len(event(b""))), "event")
BROKEN = Chunk(BATCH.data, (0, len(BATCH.data) - 1), "batch")


@pytest.mark.parametrize(
    ("chunk", "count"),
    [(BATCH, 3), (EVENT, 1), (BROKEN, 0), (Chunk(b"a\n\nb", (0, 4)), 3), (Chunk(b"", (0, 0)), 0)],
    ids=["batch", "event", "malformed", "lines", "empty"],
)
def test_the_events_of_a_chunk_are_counted_without_being_parsed(chunk: Chunk, count: int) -> None:
    assert count_events(chunk.data, kind=chunk.kind, span=chunk.span) == count


def processors(query: Any) -> list[Any]:  # noqa: ANN401 - both kinds
    counted = query.count(by="url").run()
    rows = query.parse(["url"])
    return [counted._results.run.processor, rows._results.run.processor]


def stamped(chunk: Chunk) -> StampedChunk:
    return StampedChunk(chunk, COMBINED, 0, Origin("made up", "combined"), 0)


def test_abandoned_lines_are_counted_outside_the_sum() -> None:
    for processor in processors(tr.from_flume("127.0.0.1:0", format="combined")):
        assert [processor.abandon(stamped(one)) for one in (BATCH, BROKEN, EVENT)] == [3, 0, 1]
        taken = stamped(BATCH)
        result = processor.work(taken, processor.prepare(taken))
        assert processor.settle(taken, result)[0] == 3
        assert processor.lines() == {
            "fed": 3,
            "counted": 3,
            "late": 0,
            "filtered": 0,
            "rejected": {},
            "abandoned": 4,
            "resent": 0,
        }
        assert list(processor.lines())[-2:] == ["abandoned", "resent"]


def test_without_senders_there_are_no_counters_about_them() -> None:
    for processor in processors(tr.from_lines([], format="combined")):
        assert list(processor.lines()) == ["fed", "counted", "late", "filtered", "rejected"]


LINES: LineCounts = {"fed": 200, "counted": 200, "late": 0, "filtered": 0, "rejected": {}}


def test_people_read_what_became_of_them() -> None:
    both: LineCounts = {**LINES, "abandoned": 300, "resent": 12}
    assert lines_summary(both) == (
        "200 lines: 200 counted; 300 abandoned by their senders, 12 resent and skipped"
    )
    shown = "".join(part.text for part in status_line((both, 0, None, 0, None, True)))
    assert shown == "200 lines, 0/s, 300 abandoned by their senders, 12 resent and skipped"
    assert lines_summary({**LINES, "abandoned": 0, "resent": 0}) == "200 lines: 200 counted"
