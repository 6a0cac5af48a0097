"""The receiver of Flume events on a real socket; the protocol is tested without one."""

import json
import re
import signal
import socket
import struct
import subprocess
import threading
from collections import Counter
from contextlib import closing, suppress
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from live import (
    COMMAND,
    FLUME_HASH,
    OK,
    SHORT_HASH,
    Sink,
    event,
    events,
    line,
    running,
    sized,
    wait_for,
)
from wire import refusal

import tailrace as tr
from tailrace._flume.handshake import OWN_PROTOCOL

TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")
# Several connections send the same lines.
TOP += ("--resent", "count")


def test_events_are_counted_and_acknowledged_and_leave_the_window_later():
    with running(*TOP, "--window", "2s") as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a"), line("/b"), line("/a")]) == OK
        full = wait_for(lambda: [s for s in receiver.snapshots() if s["total"]])[0]
        assert full["rows"] == [{"url": "/a", "count": 2}, {"url": "/b", "count": 1}]
        wait_for(lambda: receiver.snapshots()[-1]["end"] > full["end"])
        empty = wait_for(
            lambda: [s for s in receiver.snapshots() if s["end"] > full["end"] and not s["total"]]
        )[0]
        assert empty["rows"] == []
        assert empty["keys"] == 0
        sent = {"fed": 3, "counted": 3, "late": 0, "filtered": 0, "rejected": {}}
        assert empty["lines"] == {**sent, "abandoned": 0, "resent": 0}


def test_every_window_end_is_answered_once_and_in_order():
    with running(
        *TOP, "--window", "1s", "--slide", "100ms", "--batch-interval", "100ms"
    ) as receiver:
        wait_for(lambda: len(receiver.snapshots()) > 15)
        ends = [datetime.fromisoformat(snapshot["end"]) for snapshot in receiver.snapshots()]

    assert {after - before for before, after in pairwise(ends)} == {timedelta(milliseconds=100)}


def test_the_start_up_line_warns_that_state_is_in_memory_only():
    with running(*TOP) as receiver:
        assert receiver.port > 0
        assert "state is in memory only" in receiver.messages[0]


def test_many_connections_are_served_at_once():
    connections, batches = 30, 20
    with running(*TOP) as receiver:
        port = receiver.port
        answers = []

        def send(number: int) -> None:
            with Sink(port) as sink:
                for _ in range(batches):
                    answers.append(sink.batch([line(f"/{number % 3}"), line("/all")]))  # noqa: PERF401 - threads share it

        threads = [threading.Thread(target=send, args=(n,)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: receiver.counted() == 2 * connections * batches)
        rows = receiver.snapshots()[-1]["rows"]

    assert answers == [OK] * connections * batches
    assert rows == [
        {"url": "/all", "count": 600},
        {"url": "/0", "count": 200},
        {"url": "/1", "count": 200},
        {"url": "/2", "count": 200},
    ]


def test_a_frame_may_arrive_byte_by_byte_in_any_buffers():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        sink.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sink.frame(b"appendBatch", events([line("/a")]), piece=3):
            sink.send(bytes([byte]))
        assert sink.answer() == OK
        assert sink.batch([line("/b")] * 5, piece=1) == OK
        wait_for(lambda: receiver.counted() == 6)


def test_append_and_appendbatch_calls_can_be_mixed_and_pipelined():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.call(b"append", event(line("/one"))) == OK
        frames = [sink.frame(b"appendBatch", events([line("/many")] * 10)) for _ in range(50)]
        sink.send(b"".join(frames))
        assert [sink.answer() for _ in frames] == [OK] * 50
        wait_for(lambda: receiver.counted() == 501)


@pytest.mark.parametrize("known", [FLUME_HASH, SHORT_HASH], ids=["Flume's", "without doc"])
def test_a_known_protocol_is_accepted_at_once_also_after_a_reconnect(known: bytes):
    with running(*TOP) as receiver:
        for number in range(1, 4):
            with Sink(receiver.port, known) as sink:
                sink.serial = 10 * number
                assert sink.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 3)


def test_events_of_an_unknown_protocol_are_sent_twice_but_counted_once():
    with running(*TOP) as receiver:
        with Sink(receiver.port, b"unknown protocol") as sink:
            refused = sink.batch([line("/a")])
            assert refused.startswith(b"\x04")
            assert OWN_PROTOCOL.encode() in refused
        with Sink(receiver.port, b"unknown protocol", text=OWN_PROTOCOL.encode()) as sink:
            assert sink.batch([line("/a")]) == OK
        with Sink(receiver.port, b"unknown protocol") as sink:
            assert sink.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 2)
        assert receiver.snapshots()[-1]["lines"]["fed"] == 2


def test_rejected_lines_are_acknowledged_and_counted_by_reason():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([b"", b"no line", b"x" * 70_000, line("/\xe9"), b"\xff\x00\n"]) == OK
        wait_for(lambda: receiver.counted() == 1)
        lines = receiver.snapshots()[-1]["lines"]

    assert lines["rejected"] == {"no-match": 3, "too-long": 1}
    assert lines["fed"] == 5


WRONG = {
    "an HTTP client": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
    "a Kafka client": (
        struct.pack(">ihhi", 35, 18, 3, 1) + b"\x00\x08consumer" + bytes(20),
        "Kafka",
    ),
    "a TLS client": (bytes.fromhex("16030100c8010000c40303") + bytes(200), "TLS"),
    "a damaged compressed sink": (bytes.fromhex("789c") + bytes(50), "compressed stream"),
    "a claim of 2 GiB": (struct.pack(">iii", 1, 1, 2**31 - 1), "2147483647"),
    "a list of no buffers": (struct.pack(">ii", 1, 0), "0"),
    "a negative length": (struct.pack(">iii", 1, 1, -5), "-5"),
    "noise": (bytes(range(255, 55, -1)), ""),
}


@pytest.mark.parametrize(("data", "named"), WRONG.values(), ids=WRONG)
def test_a_peer_that_is_no_flume_client_is_disconnected_with_one_message(data: bytes, named: str):
    with running(*TOP) as receiver, Sink(receiver.port) as good, Sink(receiver.port) as bad:
        assert good.batch([line("/a")]) == OK
        bad.send(data)
        assert bad.is_closed()
        assert good.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 2)
        messages = receiver.messages[1:]
        peer = "{}:{}".format(*bad.socket.getsockname()[:2]) if bad.socket.fileno() > 0 else ""

    assert len(messages) == 1
    assert messages[0].startswith(f"tailrace: {peer}: connection closed: ")
    assert named in messages[0]
    assert messages[0].isprintable()


@pytest.mark.parametrize(
    ("parameter", "named"),
    [
        (b"\x04" + event(line("/a")) + b"\x00", "cut off"),
        (b"\x02" + event(line("/a")) + b"\x00\x00", "expected the end of the events"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + event(line("/a")), "1,000,000 events"),
        (b"\x02\x02" + sized(b"h") + b"\x01", "expected a length, found -1"),
    ],
    ids=["count too high", "bytes left over", "count of 2^62", "negative length"],
)
def test_a_malformed_batch_counts_nothing_and_ends_its_connection(parameter: bytes, named: str):
    with running(*TOP) as receiver, Sink(receiver.port) as good, Sink(receiver.port) as bad:
        answer = bad.call(b"appendBatch", parameter)
        assert bad.is_closed()
        assert good.batch([line("/b")]) == OK
        rows = wait_for(lambda: receiver.counted() == 1 and receiver.snapshots()[-1])["rows"]
        messages = receiver.messages[1:]

    assert rows == [{"url": "/b", "count": 1}]
    assert len(messages) == 1
    assert named in messages[0]
    # The agent's log says why.
    assert answer == refusal(messages[0].partition("connection closed: ")[2])


def test_batches_next_to_a_malformed_one_are_counted_and_answered():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/1")]) == OK
        bad = sink.frame(b"appendBatch", b"\x04" + event(line("/2")) + b"\x00")
        more = sink.frame(b"appendBatch", events([line("/3")]))
        sink.send(bad + more)
        assert b"cut off" in sink.answer()
        assert sink.answer() == OK
        assert sink.is_closed()
        wait_for(lambda: receiver.counted() == 2)


def test_a_peer_that_reads_no_answers_is_no_longer_read():
    with running(*TOP) as receiver, Sink(receiver.port) as deaf, Sink(receiver.port) as good:
        deaf.socket.settimeout(2)
        deaf.call(b"", b"")
        frame = deaf.frame(b"unknown", b"") * 2_000
        sent = 0
        with suppress(TimeoutError):
            while sent < 500 * 1024 * 1024:
                deaf.send(frame)
                sent += len(frame)
        assert sent < 500 * 1024 * 1024
        assert good.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 1)
        status = Path(f"/proc/{receiver.process.pid}/status").read_text()
        peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
        assert peak_kib < 100 * 1024
        assert receiver.end(signal.SIGTERM) == 0


def test_a_sink_that_dies_inside_a_frame_is_reported_and_counts_nothing():
    with running(*TOP) as receiver:
        with Sink(receiver.port) as sink:
            sink.send(sink.frame(b"appendBatch", events([line("/a")] * 100))[:-10])
        wait_for(lambda: len(receiver.messages) > 1)
        with Sink(receiver.port) as sink:
            assert sink.batch([line("/b")]) == OK
        wait_for(lambda: receiver.counted() == 1)

    assert "expected a whole frame, found only its first" in receiver.messages[1]


@pytest.mark.parametrize("half", [True, False], ids=["half-closed", "closed"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "first batch"])
def test_a_batch_whose_sender_ended_its_stream_before_it_was_applied_is_not_counted(
    half: bool,  # noqa: FBT001 - a parameter of pytest
    known: bool,  # noqa: FBT001 - as above
):
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        if known:
            assert sink.batch([line("/known")]) == OK
        receiver.process.send_signal(signal.SIGSTOP)
        sink.send(sink.frame(b"appendBatch", events([line("/a")] * 100)))
        if half:
            sink.socket.shutdown(socket.SHUT_WR)
        else:
            sink.socket.close()
        receiver.process.send_signal(signal.SIGCONT)
        with Sink(receiver.port) as again:
            assert again.batch([line("/a")] * 100) == OK
        assert not half or sink.is_closed()
        assert receiver.end(signal.SIGTERM) == 0

    assert receiver.snapshots()[-1]["total"] == 100 + known
    lines = receiver.snapshots()[-1]["lines"]
    assert (lines["fed"], lines["abandoned"]) == (100 + known, 100)


def test_sigterm_ends_cleanly_with_the_last_snapshot():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGTERM) == 0
        assert sink.is_closed()

    assert receiver.snapshots()[-1]["rows"] == [{"url": "/a", "count": 1}]
    assert receiver.messages[-1] == "tailrace: 1 line: 1 counted"


def test_a_batch_in_flight_at_the_end_is_either_counted_and_answered_or_neither():
    connections, depth, lines = 4, 300, [line("/a")] * 10
    answered: list[int] = []
    with running(*TOP) as receiver:

        def send(port: int) -> None:
            with Sink(port) as sink, suppress(AssertionError, ConnectionError):
                assert sink.batch(lines) == OK
                answered.append(len(lines))
                while True:
                    # Many in flight at once, so that the end reaches them at every stage.
                    frames = [sink.frame(b"appendBatch", events(lines)) for _ in range(depth)]
                    # Answers can still be read after sending fails.
                    with suppress(ConnectionError):
                        sink.send(b"".join(frames))
                    for _ in frames:
                        assert sink.answer() == OK
                        answered.append(len(lines))

        threads = [threading.Thread(target=send, args=(receiver.port,)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answered) > 5 * depth)
        assert receiver.end(signal.SIGTERM) == 0
        for thread in threads:
            thread.join()

    assert json.loads(receiver.printed[-1])["total"] == sum(answered)


def test_ctrl_c_prints_the_last_snapshot_and_exits_with_130():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGINT) == 130

    assert receiver.snapshots()[-1]["total"] == 1


def test_a_port_in_use_gives_one_message_and_exit_code_2():
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ran = subprocess.run(
            [*COMMAND, "top", f"flume://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "stop the program that listens there" in ran.stderr


def test_parse_writes_the_fields_of_a_batch_before_acknowledging_it():
    with running(
        "parse", "flume://127.0.0.1:0", "--fields", "url,agent", "--log-format", "combined"
    ) as receiver:
        with Sink(receiver.port) as sink:
            assert sink.batch([line("/a"), b"no line", line("/b", agent="y")]) == OK
        wait_for(lambda: len(receiver.printed) == 2)
        assert receiver.end(signal.SIGTERM) == 0

    assert [json.loads(text) for text in receiver.printed] == [
        {"url": "/a", "agent": "x"},
        {"url": "/b", "agent": "y"},
    ]
    assert receiver.messages[-1] == "tailrace: 3 lines: 2 counted, 1 rejected (1 no-match)"


def test_the_library_gives_the_same_snapshots_and_stops_when_the_loop_is_left():
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    answers = []

    def send() -> None:
        sink = wait_for(lambda: try_sink(port))
        with sink:
            answers.extend(sink.batch([line("/a")] * 7) for _ in range(3))

    sender = threading.Thread(target=send)
    sender.start()
    query = tr.from_flume(f"127.0.0.1:{port}", resent="count").window(
        "10s", every="100ms", batch_interval="100ms"
    )
    for snapshot in query.count(by="url").top(3).run():
        if snapshot.total == 21:
            break
    sender.join()

    assert answers == [OK] * 3
    assert Counter({row["url"]: row["count"] for row in snapshot.rows}) == Counter({"/a": 21})
    assert try_sink(port) is None


def try_sink(port: int) -> Sink | None:
    try:
        return Sink(port)
    except ConnectionRefusedError:
        return None
