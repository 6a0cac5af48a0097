"""What a restart brings back, and which results come after it."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, TIMEOUT_S, Sink, free_port, line, running, wait_for

import tailrace as tr
from tailrace._runtime.clock import Clock
from tailrace._runtime.journal import JournalCommit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from live import Process


def receiver(directory: Path, *more: str) -> tuple[str, ...]:
    source = "flume://127.0.0.1:0"
    return ("top", source, "--format", "jsonl", "--checkpoint", str(directory), *more)


def send(process: Process, url: str, stamp_s: float | None = None) -> None:
    stamp = None if stamp_s is None else str(round(stamp_s * 1000)).encode()
    with Sink(process.port) as sink:
        assert sink.batch([line(url)], stamp=stamp) == OK


def sink_from(port: int, address: str) -> Sink:
    """Connect from another address of this machine, as soon as the port is open."""

    def connected() -> socket.socket | None:
        try:
            return socket.create_connection(
                ("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(address, 0)
            )
        except ConnectionRefusedError:
            return None

    opened = wait_for(connected)
    sink = Sink(port)
    sink.socket.close()
    sink.socket = opened
    return sink


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


def test_a_sender_that_does_not_come_back_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    port, now = free_port(), int(time.time())
    window = tr.from_flume(f"127.0.0.1:{port}", format="combined").window(
        "10s", "1s", time="header", lateness=0, idle_timeout="1h"
    )
    query = window.count(by="url")

    def at(sink: Sink, *ages: int) -> None:
        for age in ages:
            assert sink.batch([line("/a")], stamp=str((now - age) * 1000).encode()) == OK

    def begin() -> list[Sink]:
        stays, leaves = sink_from(port, "127.0.0.3"), sink_from(port, "127.0.0.2")
        at(stays, 60)
        at(leaves, 60, 49)
        at(stays, 40)
        return [stays, leaves]

    def go_on() -> list[Sink]:
        stays = sink_from(port, "127.0.0.3")
        at(stays, 20)
        return [stays]

    def last(age: int, send: Callable[[], list[Sink]]) -> tr.Snapshot:
        with ThreadPoolExecutor(1) as pool, query.run(checkpoint=tmp_path) as answers:
            sending = pool.submit(send)
            found = next(one for one in answers if seconds_of(one) >= now - age)
            for sink in sending.result(TIMEOUT_S):
                sink.socket.close()
        return found

    assert last(50, begin).total == 2
    monkeypatch.setattr("tailrace._sources.flume_senders.SENDER_END_S", 0.3)
    found = last(35, go_on)
    assert (found.total, found.lines["late"]) == (1, 0)


def seconds_of(snapshot: tr.Snapshot) -> float:
    assert snapshot.end is not None
    return snapshot.end.timestamp()


def test_csv_says_that_it_is_not_final_in_a_message(tmp_path: Path):
    source, state = "flume://127.0.0.1:0", str(tmp_path)
    options = ("--window", "30d", "--slide", "1d", "--format", "csv", "--checkpoint", state)
    with running("top", source, *options) as process:
        send(process, "/a")
        assert process.end(signal.SIGTERM) == 0
    (said,) = [text for text in process.messages if "not final" in text]
    end = process.printed[1].split(",")[1]
    expected = f"results from {end} on are not final; the next run prints them again"
    assert said == f"tailrace: {expected}"


@pytest.mark.parametrize("by", ["arrival", "header"])
def test_a_process_that_was_killed_before_its_first_round_is_like_none(tmp_path: Path, by: str):
    arguments = receiver(tmp_path, "--time", by, "--window", "1h", "--slide", "1s")
    with running(*arguments) as process:
        wait_for(lambda: any("listening" in message for message in process.messages))
        kill(process)
    with running(*arguments) as process:
        for _ in range(3):
            send(process, "/a", time.time())
            # So that by arrival an end is answered between two rounds.
            time.sleep(1.1)
        kill(process)
    # Not in the same second, so that its own start differs.
    time.sleep(1.1)
    with running(*arguments) as process:
        send(process, "/a", time.time())
        assert process.end(signal.SIGTERM) == 0, process.messages
    assert urls(process.snapshots()[-1]) == {"/a": 4}


def test_a_format_is_kept_once_it_is_known(tmp_path: Path):
    arguments = receiver(tmp_path, "--by", "host", "--window", "30d", "--slide", "1d")
    with running(*arguments) as process, Sink(process.port) as sink:
        # It may be a message before the log.
        assert sink.batch([b"agent starts"]) == OK
        kill(process)
    with running(*arguments) as process:
        with Sink(process.port) as sink:
            assert sink.batch([b'{"host":"h"}'] * 20) == OK
        process.end(signal.SIGTERM)
        assert process.snapshots()[-1]["rows"] == [{"host": "h", "count": 20}]
    with running(*arguments) as process:
        with Sink(process.port) as sink:
            assert sink.batch([b"agent starts again", b'{"host":"h"}']) == OK
        process.end(signal.SIGTERM)
    assert process.snapshots()[-1]["rows"] == [{"host": "h", "count": 21}]
    assert not any("matches" in message for message in process.messages)


def test_the_same_file_given_twice_keeps_its_two_numbers(tmp_path: Path):
    log, state = tmp_path / "access.log", tmp_path / "state"
    query = tr.from_files(log, log, format="combined").count(by="url")
    for count in range(1, 4):
        log.write_bytes((line("/a") + b"\n") * count)
        (snapshot,) = query.run(checkpoint=state)
        assert snapshot.total == count
        with running("checkpoint", "show", str(state), "--format", "jsonl") as process:
            process.closed()
        assert "\n".join(process.printed).count('"combined"') <= 2


def test_a_run_that_was_never_begun_holds_no_lock(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    query = tr.from_files(log).count(by="url")
    gc.disable()
    try:
        query.run(checkpoint=tmp_path / "state")
        (snapshot,) = query.run(checkpoint=tmp_path / "state")
    finally:
        gc.enable()
    assert snapshot.total == 1


def test_the_clock_and_silence_go_on_after_an_orderly_stop(tmp_path: Path):
    port, state = free_port(), tmp_path / "state"
    window = tr.from_flume(f"127.0.0.1:{port}").window("10s", "1s", time="header")
    query = window.count(by="url")
    before_us = time.time_ns() // 1_000
    run = query._start(checkpoint=str(state))
    silence = run.pump._silence
    assert silence is not None
    silence.listened_us = 500_000_000
    for _ in run.processor.finish():
        pass
    run = query._start(checkpoint=str(state))
    journal = run.pump.commit
    assert isinstance(journal, JournalCommit)
    assert journal.restored.listened_us == 500_000_000
    assert journal.restored.now_us is not None
    assert journal.restored.now_us >= before_us
    run.close()


def test_a_full_disk_loses_no_line_of_a_followed_file(tmp_path: Path):
    if shutil.which("strace") is None:
        reason = "strace injects the error, and was not found"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    log, state = tmp_path / "access.log", tmp_path / "state"
    log.write_bytes((line("/a") + b"\n") * 10)
    options = ("--window", "30d", "--slide", "1d", "--format", "jsonl")
    arguments = ("top", "-F", str(log), "--checkpoint", str(state), *options)
    # The sixth write of the thread that commits; the state at the end can be written again.
    inject = "inject=pwrite64:error=ENOSPC:when=6"
    strace = ("strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", inject)
    count = 10
    with running(*arguments, before=strace) as process:
        wait_for(lambda: any("following" in message for message in process.messages))
        while process.process.poll() is None:
            with log.open("ab") as file:
                file.write(line("/a") + b"\n")
            count += 1
            time.sleep(0.3)
        assert process.closed() == 1
    assert not any("senders" in message for message in process.messages)
    with running(*arguments) as process:
        wait_for(lambda: any("following" in message for message in process.messages))

        def has_read_all() -> bool:
            process.process.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
            return any(f"so far {count} lines" in message for message in process.messages)

        wait_for(has_read_all)
        assert process.end(signal.SIGTERM) == 0
    assert process.snapshots()[-1]["lines"]["fed"] == count


@pytest.mark.parametrize("log_format", ["csv", "tsv", "w3c"])
def test_columns_that_only_the_first_line_of_an_agent_names_are_refused(
    tmp_path: Path, log_format: str
):
    query = tr.from_flume("127.0.0.1:0", format=log_format).window("1h").count(by="url")
    with pytest.raises(tr.CheckpointError, match="name them, such as csv:time,url"):
        query.run(checkpoint=tmp_path / "state")
    assert not (tmp_path / "state").exists()
    named = tr.from_flume("127.0.0.1:0", format="csv:time:iso,url").window("1h").count(by="url")
    named.run(checkpoint=tmp_path / "state").close()
