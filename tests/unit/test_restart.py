"""What a restart brings back, and which results come after it."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Sink, line, running, wait_for

import tailrace as tr
from tailrace._runtime.clock import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from live import Process


def receiver(directory: Path, *more: str) -> tuple[str, ...]:
    source = "flume://127.0.0.1:0"
    return ("top", source, "--format", "jsonl", "--checkpoint", str(directory), *more)


def send(process: Process, url: str, stamp_s: float | None = None) -> None:
    stamp = None if stamp_s is None else str(round(stamp_s * 1000)).encode()
    with Sink(process.port) as sink:
        assert sink.batch([line(url)], stamp=stamp) == OK


def kill(process: Process) -> None:
    process.process.kill()
    process.process.wait()


def urls(snapshot: dict[str, Any]) -> dict[str, int]:
    return {row["url"]: row["count"] for row in snapshot["rows"]}


def test_an_end_that_can_still_grow_is_marked_and_comes_again(tmp_path: Path):
    arguments = receiver(tmp_path, "--window", "30d", "--slide", "1d")
    with running(*arguments) as process:
        send(process, "/a")
        assert process.end(signal.SIGTERM) == 0
        (first,) = process.snapshots()
    assert first["final"] is False
    assert list(first)[:3] == ["start", "end", "final"]
    with running(*arguments) as process:
        send(process, "/b")
        assert process.end(signal.SIGTERM) == 0
        (second,) = process.snapshots()
    assert second["end"] == first["end"]
    assert urls(second) == {"/a": 1, "/b": 1}


def test_without_a_checkpoint_every_result_is_final():
    with running("top", "flume://127.0.0.1:0", "--format", "jsonl", "--window", "1d") as process:
        send(process, "/a")
        assert process.end(signal.SIGTERM) == 0
        assert all("final" not in snapshot for snapshot in process.snapshots())


def test_a_table_says_that_it_is_not_final(tmp_path: Path):
    state = str(tmp_path)
    source = "flume://127.0.0.1:0"
    with running(
        "top", source, "--window", "30d", "--slide", "1d", "--checkpoint", state
    ) as process:
        send(process, "/a")
        process.end(signal.SIGTERM)
    assert process.printed[0].startswith("1 event, 1 key, not final, ")


def test_by_arrival_the_time_while_it_was_down_has_one_result(tmp_path: Path):
    arguments = receiver(tmp_path, "--window", "3s", "--slide", "1s")
    with running(*arguments) as process:
        send(process, "/a")
        before = process.answer(lambda snapshot: snapshot["total"] == 1)["end"]
        kill(process)
    time.sleep(5)
    with running(*arguments) as process:
        wait_for(lambda: len(process.printed) > 2)
        ends = [snapshot["end"] for snapshot in process.snapshots()]
    first, second = ends[:2]
    assert first > before
    # The first end is the newest that has passed, and then comes each second.
    assert seconds(second) - seconds(first) == 1
    assert seconds(first) - seconds(before) >= 4
    assert process.snapshots()[0]["lines"]["fed"] == 1


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_by_header_time_a_restart_goes_on(tmp_path: Path, number: int):
    options = ("--time", "header", "--lateness", "0s", "--window", "10s", "--slide", "5s")
    arguments = receiver(tmp_path, *options)
    start = int(time.time()) // 10 * 10 - 100
    with running(*arguments) as process:
        send(process, "/a", start)
        send(process, "/b", start + 6)
        wait_for(lambda: process.printed)
        os.kill(process.process.pid, number)
        process.process.wait()
        first = process.snapshots()
    assert urls(first[0]) == {"/a": 1}
    with running(*arguments) as process:
        # Its pane was closed before the restart.
        send(process, "/late", start + 1)
        send(process, "/c", start + 10)
        second = process.answer(lambda snapshot: urls(snapshot).get("/b"))
        assert urls(second) == {"/a": 1, "/b": 1}
        assert second["lines"]["late"] == 1
        send(process, "/d", start + 40)
        emptied = process.answer(lambda snapshot: not snapshot["total"])
        assert emptied["keys"] == 0


def test_sources_come_and_go_by_name(tmp_path: Path):
    logs = [tmp_path / name for name in ("one.log", "two.log", "three.log")]
    for log in logs:
        log.write_bytes(line(f"/{log.stem}") + b"\n")
    state = tmp_path / "state"

    def counted(*given: Path) -> dict[str, int]:
        query = tr.from_files(*given, format="combined").count(by="url").sorted()
        (snapshot,) = query.run(checkpoint=state)
        return {row["url"]: row["count"] for row in snapshot.rows}

    assert counted(logs[0], logs[1]) == {"/one": 1, "/two": 1}
    assert counted(logs[2], logs[1]) == {"/one": 1, "/two": 1, "/three": 1}
    logs[0].write_bytes(line("/one") + b"\n" + line("/more") + b"\n")
    expected = {"/one": 1, "/two": 1, "/three": 1, "/more": 1}
    assert counted(*logs) == expected


def test_the_clock_is_not_before_the_last_time_of_an_earlier_process():
    said: list[str] = []
    clock = Clock(lambda: 10 * 10**9, lambda: 0, said.append, not_before_us=25_000_000)
    assert clock.now_us() == 25_000_000
    (message,) = said
    assert message.startswith("the clock is 15 s before the last time in the checkpoint; ")
    assert Clock(lambda: 30 * 10**9, lambda: 0, not_before_us=25_000_000).now_us() == 30_000_000


def test_a_run_that_is_abandoned_goes_on_from_its_last_round(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(f"/{n % 7}") + b"\n" for n in range(100_000)))
    query = tr.from_files(log).count(by="url")
    answers = query.run(checkpoint=tmp_path / "state", jobs=1)
    answers.close()
    (snapshot,) = query.run(checkpoint=tmp_path / "state")
    assert snapshot.total == 100_000
    (again,) = query.run(checkpoint=tmp_path / "state")
    assert again.total == 100_000
