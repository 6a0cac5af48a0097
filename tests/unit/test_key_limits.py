"""Limits on keys: how many, and how much memory they take; totals are exact whatever the limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Process, Sink, line, running

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1 << 20

TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")

LONG = 60_000

# What a key takes beside its bytes.
BESIDE = 128


def resident(receiver: Process) -> int:
    status = Path(f"/proc/{receiver.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) << 10


def long_url(number: int) -> str:
    return f"/{number:06}".ljust(LONG, "x")


def send(receiver: Process, urls: Sequence[str], size: int = 100) -> None:
    with Sink(receiver.port) as sink:
        for start in range(0, len(urls), size):
            assert sink.batch([line(url) for url in urls[start : start + size]]) == OK


def other(snapshot: dict[str, Any]) -> int:
    return sum(row["count"] for row in snapshot["rows"] if row["url"] == "(other)")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_the_memory_of_keys_is_bounded() -> None:
    # They take 540 MB without a limit.
    count, limit = 9_000, 32 * MIB
    with running(*TOP, "--window", "10m", "--max-key-bytes", "32MiB") as receiver:
        send(receiver, [long_url(number) for number in range(count)])
        snapshot = receiver.answer(lambda one: one["total"] == count)
        most = limit // (LONG + BESIDE)
        assert (snapshot["keys"], other(snapshot)) == (most, count - most)
        assert snapshot["lines"]["counted"] == count
        # The limit, three times: memory grows by copying; and the process itself.
        assert resident(receiver) < 3 * limit + 200 * MIB


def test_live_sources_have_a_limit_by_default_and_a_warning_says_so() -> None:
    count, most = 4_600, 256 * MIB // (LONG + BESIDE)
    with running(*TOP, "--window", "10m") as receiver:
        send(receiver, [long_url(number) for number in range(count)])
        snapshot = receiver.answer(lambda one: one["total"] == count)
        assert (snapshot["keys"], other(snapshot)) == (most, count - most)
        send(receiver, ["/a"] * 3)
        receiver.answer(lambda one: one["total"] == count + 3)
        warning = (
            "tailrace: keys over --max-key-bytes 256MiB are counted in (other); raise it or count "
            "by another field"
        )
        assert [one for one in receiver.messages if "(other)" in one] == [warning]


def test_when_keys_leave_there_is_room_again() -> None:
    limit = 10 * (BESIDE + 2)
    options = ("--window", "2s", "--limit", "all", "--max-key-bytes", str(limit))
    with running(*TOP, *options) as receiver:
        send(receiver, [f"/{letter}" for letter in "abcdefghijklmno"])
        first = receiver.answer(lambda one: one["total"] == 15)
        assert (first["keys"], other(first)) == (10, 5)
        receiver.answer(lambda one: one["total"] == 0)
        send(receiver, [f"/{letter}" for letter in "klmno"])
        second = receiver.answer(lambda one: one["total"] == 5)
        assert (second["keys"], other(second)) == (5, 0)
        # A limit that was asked for needs no warning.
        assert not [one for one in receiver.messages if "(other)" in one]


def test_the_number_of_keys_can_be_limited() -> None:
    with running(*TOP, "--window", "5m", "--max-keys", "2") as receiver:
        send(receiver, ["/a", "/a", "/b", "/c", "/c", "/d"])
        snapshot = receiver.answer(lambda one: one["total"] == 6)
        assert snapshot["rows"][-1] == {"url": "(other)", "count": 2}
        assert snapshot["keys"] == 2


LINES = [line(f"/{letter}") for letter in "abcabcadd"]


def test_of_files_keys_have_no_limit_unless_one_is_given() -> None:
    query = tr.from_lines(LINES, format="combined").count(by="url").sorted()
    assert query.collect().other is None
    # The first two have room.
    limited = query.max_key_bytes(2 * (BESIDE + 2)).collect()
    assert limited.rows == [
        {"url": "/a", "count": 3},
        {"url": "/b", "count": 2},
        {"url": "(other)", "count": 4},
    ]
    assert (limited.total, limited.keys, limited.other) == (9, 2, 4)
    assert query.max_key_bytes("1k").collect().other is None


def test_both_limits_hold_together() -> None:
    query = tr.from_lines(LINES, format="combined").count(by="url").sorted()
    found = query.max_keys(1).max_key_bytes("1k").collect()
    assert (found.keys, found.other, found.total) == (1, 6, 9)
    found = query.max_keys(3).max_key_bytes(BESIDE + 2).collect()
    assert (found.keys, found.other, found.total) == (1, 6, 9)
    # Too little for any key.
    found = query.max_key_bytes(1).collect()
    assert (found.keys, found.rows) == (0, [{"url": "(other)", "count": 9}])


def test_the_null_key_needs_no_room() -> None:
    lines = [line("/a"), b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "-" 200 5 "-" "x"']
    query = tr.from_lines(lines, format="combined").count(by="url").max_key_bytes(1)
    assert query.collect().rows == [{"url": None, "count": 1}, {"url": "(other)", "count": 1}]


def test_a_window_takes_the_limit_too() -> None:
    window = tr.Window("10s", max_key_bytes=2 * (BESIDE + 1))
    window.add(["a", "b", "c", "c"], times=[0, 1, 2, 3])
    (answer,) = window.finish()
    assert answer.rows == [
        {"key": "a", "count": 1},
        {"key": "b", "count": 1},
        {"key": "(other)", "count": 2},
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-keys", "0"], "--max-keys: expected a number of keys from 1 to 1,000,000,000"),
        (["--max-keys", "x"], "--max-keys: expected a number of keys from 1 to 1,000,000,000"),
        (["--max-key-bytes", "0"], "--max-key-bytes: expected at least 1 byte, found '0'"),
        (["--max-key-bytes", "lots"], "--max-key-bytes: expected a size such as 65536, 64KiB"),
    ],
)
def test_other_limits_are_errors(options: list[str], message: str) -> None:
    with running("top", "-", *options) as command:
        assert command.closed() == 2
        assert any(message in one for one in command.messages)


@pytest.mark.parametrize("size", [0, -1, "x", None, 1.5, True])
def test_in_the_library_they_are_errors_too(size: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"^max_key_bytes: expected "):
        tr.from_lines([]).count().max_key_bytes(size)
