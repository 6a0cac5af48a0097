"""`tailrace send` on real sockets: to the receiver, and to peers that fail on purpose."""

import asyncio
import gzip
import io
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import fastavro
import pytest
from announced import EVENTS, NONE, decoded
from live import COMMAND, Process, handler_removed, line, running, wait_for
from places import DATA
from wire import BOTH, FAILED, FLUME_HASH, OK, UNKNOWN, frame, read_frame, refusal, string

from tailrace import _sender as sender
from tailrace._core import MAX_LINE_BYTES
from tailrace._flume.client import MAX_PARAMETER_BYTES

LOGS = sorted(str(path) for path in DATA.glob("*.log.gz"))
TOP = ("top", "flume://127.0.0.1:0", "--format", "jsonl")


def send(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, "send", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def messages_of(ran: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return its messages, without the duration."""
    assert ran.stdout == b""
    return [re.sub(r", \d+\.\d s$", "", text) for text in ran.stderr.decode().splitlines()]


# --- to the receiver ------------------------------------------------------------------------------


@pytest.mark.parametrize("connections", ["1", "3"])
def test_every_line_of_real_logs_is_sent_once_and_acknowledged(connections: str):
    with running(*TOP, "--limit", "all") as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        ran = send(*LOGS, place, "--connections", connections)
        wait_for(lambda: [s for s in receiver.snapshots() if s["lines"]["fed"] == 26_912])
        live = receiver.snapshots()[-1]

    assert ran.returncode == 0
    assert messages_of(ran) == ["tailrace: sent 26,912 lines in 270 batches, all acknowledged"]
    text = b"".join(gzip.decompress(Path(log).read_bytes()) for log in LOGS)
    counted = subprocess.run(
        [*COMMAND, "top", "-", "--limit", "all", "--format", "jsonl"],
        input=text,
        capture_output=True,
        check=True,
    )
    expected = fields(counted.stdout)
    # These two are counted for senders only.
    assert (live["lines"].pop("abandoned"), live["lines"].pop("resent")) == (0, 0)
    assert [live[name] for name in ("keys", "rows", "lines")] == expected


def fields(output: bytes) -> list[Any]:
    snapshot = json.loads(output)
    return [snapshot[name] for name in ("keys", "rows", "lines")]


def test_a_line_over_the_line_limit_is_sent_whole_and_reported(tmp_path: Path):
    log = tmp_path / "access.log"
    most = line("/" + "x" * (MAX_LINE_BYTES - len(line("/"))))
    log.write_bytes(most + b"\n" + most + b"x\n" + line("/a"))
    with running(*TOP) as receiver:
        ran = send(str(log), f"flume://127.0.0.1:{receiver.port}")
        wait_for(lambda: receiver.counted() == 2)
        rejected = receiver.snapshots()[-1]["lines"]["rejected"]

    assert ran.returncode == 0
    assert messages_of(ran) == [
        (
            "tailrace: 1 line longer than 65,536 bytes, sent unchanged; a tailrace receiver rejects"
            " such lines (too-long)"
        ),
        "tailrace: sent 3 lines in 1 batch, all acknowledged",
    ]
    assert rejected == {"too-long": 1}


def test_a_line_too_large_for_a_frame_is_skipped_and_an_error(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n" + bytes(MAX_PARAMETER_BYTES) + b"\n" + line("/b") + b"\n")
    with running(*TOP) as receiver:
        ran = send(str(log), f"flume://127.0.0.1:{receiver.port}")
        wait_for(lambda: receiver.counted() == 2)

    assert ran.returncode == 1
    assert messages_of(ran) == [
        (
            "tailrace: 1 line not sent: longer than 67,043,328 bytes, the most that fits into a"
            " frame; is this a log?"
        ),
        "tailrace: sent 2 lines in 1 batch, all acknowledged",
    ]


def test_lines_of_a_pipe_are_sent_while_it_is_open():
    with running(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        with running("send", place, stdin=subprocess.PIPE) as sending:
            write(sending, line("/a") + b"\n" + line("/b") + b"\n" + line("/c")[:9])
            wait_for(lambda: receiver.counted() == 2)
            write(sending, line("/c")[9:])
            sending.process.stdin.close()
            assert sending.closed() == 0
        wait_for(lambda: receiver.counted() == 3)

    assert sending.messages[-1].startswith(
        "tailrace: sent 3 lines in 2 batches, all acknowledged, "
    )


def write(sending: Process, data: bytes) -> None:
    assert sending.process.stdin is not None
    sending.process.stdin.buffer.write(data)
    sending.process.stdin.flush()


def test_send_waits_for_the_writer_of_a_named_pipe(tmp_path: Path):
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    with running(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        with running("send", str(pipe), place) as sending:
            with pipe.open("wb") as writer:
                writer.write(line("/a") + b"\n")
            assert sending.closed() == 0

    assert sending.messages[-1].startswith("tailrace: sent 1 line in 1 batch, all acknowledged, ")


@pytest.mark.parametrize(
    ("number", "code", "more"),
    [
        (signal.SIGINT, 130, ["tailrace: stopped before the end of the input"]),
        (signal.SIGTERM, 1, ["tailrace: stopped before the end of the input"]),
    ],
)
def test_a_signal_stops_sending_a_file_with_exact_counts(number: int, code: int, more: list[str]):
    with running(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        with running("send", LOGS[0], place, "--rate", "500") as sending:
            wait_for(lambda: receiver.counted() >= 100)
            assert sending.end(number) == code
        found = re.fullmatch(
            r"tailrace: sent (\d+) lines in \d+ batch(es)?, all acknowledged, \d\.\d s",
            sending.messages[-1],
        )
        assert found is not None, sending.messages
        wait_for(lambda: receiver.counted() == int(found[1]))

    assert sending.messages[:-1] == more
    assert int(found[1]) < 10_000


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_stops_reading_a_pipe_and_the_lines_read_are_sent(number: int, code: int):
    with running(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        arguments = ("send", place, "--rate", "10", "--batch", "10")
        with running(*arguments, stdin=subprocess.PIPE) as sending:
            write(sending, (line("/a") + b"\n") * 105 + b"half a li")
            wait_for(lambda: receiver.counted() >= 10)
            assert sending.end(number) == code
        wait_for(lambda: receiver.counted() == 105)

    assert len(sending.messages) == 1
    assert sending.messages[0].startswith(
        "tailrace: sent 105 lines in 11 batches, all acknowledged, "
    )


def test_a_second_signal_ends_at_once_even_without_an_answer():
    with (
        peer(lambda _: RAW) as receiver,
        running("send", LOGS[0], receiver.place) as sending,
    ):
        wait_for(lambda: receiver.received)
        sending.process.send_signal(signal.SIGINT)
        # The handler is removed by the first one.
        handler_removed(sending.process.pid, signal.SIGINT)
        assert sending.process.poll() is None
        assert sending.end(signal.SIGINT) == -signal.SIGINT


def test_every_line_is_accounted_for_when_the_receiver_is_killed():
    with running(*TOP) as receiver:
        place = f"flume://127.0.0.1:{receiver.port}"
        with running("send", LOGS[0], place, "--connections", "2", "--rate", "5000") as sending:
            wait_for(lambda: receiver.counted() >= 100)
            receiver.end(signal.SIGKILL)
            assert sending.closed() == 1

    assert "the receiver closed the connection" in sending.messages[0]
    found = re.match(
        r"tailrace: sent ([\d,]+) lines in \d+ batches,"
        r" (all acknowledged|([\d,]+) acknowledged, (\d+) of the last batch may have been counted)",
        sending.messages[1],
    )
    assert found is not None, sending.messages
    if found[3]:
        sent, acknowledged, doubtful = (int(found[n].replace(",", "")) for n in (1, 3, 4))
        assert sent == acknowledged + doubtful


# --- to a scripted peer ---------------------------------------------------------------------------


class Peer:
    """Accepts connections, records every call, and replies with what `answer` returns."""

    def __init__(self, answer: Callable[[int], bytes | None]) -> None:
        self.received: list[tuple[int, bytes, float]] = []
        """Connection, message and time of each call."""
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self.place = f"flume://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # `shutdown` ends a waiting `accept`; `close` alone does not.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._connections:
            connection.close()

    def batches(self) -> list[list[Any]]:
        """The events of each call."""
        return [decoded(parameter(message)) for _, message, _ in self.received]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._connections.append(connection)
                number = len(self._connections)
                threading.Thread(target=self._serve, args=(number, connection), daemon=True).start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        def receive(size: int) -> bytes:
            data = connection.recv(size, socket.MSG_WAITALL)
            if len(data) < size:
                raise EOFError
            return data

        with suppress(OSError, EOFError):
            while True:
                serial, message = read_frame(receive)
                with self._lock:
                    self.received.append((number, message, time.monotonic()))
                    answer = self._answer(len(self.received))
                if answer is None:
                    connection.close()
                    return
                greeted = message.startswith(b"\x00\x16")
                connection.sendall(self._reply(serial, answer, greeted=greeted))
                if answer.startswith(CUT):
                    connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _reply(serial: int, answer: bytes, *, greeted: bool) -> bytes:
        # Raw answers are sent unchanged.
        if answer.startswith((RAW, CUT)):
            return answer.removeprefix(RAW).removeprefix(CUT)
        if answer == NONE:
            return frame(serial, NONE)
        return frame(serial, (b"" if greeted else BOTH) + answer)


RAW = b"raw:"
# The same, then the connection is closed.
CUT = b"cut:"


def parameter(message: bytes) -> bytes:
    return message.partition(b"\x00" + string("appendBatch"))[2]


@contextmanager
def peer(answer: Callable[[int], bytes | None]) -> Iterator[Peer]:
    with closing(Peer(answer)) as started:
        yield started


def fine(_: int) -> bytes:
    return OK


def test_events_have_the_headers_of_a_spooldir_source_and_a_timestamp_interceptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    # Not UTF-8, an empty line, a carriage return, no newline at the end.
    Path("a.log").write_bytes(b"one\n\ntwo\r\n\xff\x00\n")
    Path("b.log.gz").write_bytes(gzip.compress(b"three\n") + gzip.compress(b"four"))
    before = time.time_ns() // 10**6
    with peer(fine) as receiver:
        ran = send("a.log", receiver.place, "b.log.gz", "-", "--batch", "4", stdin=b"five\nsix\n")
        after = time.time_ns() // 10**6
        batches = receiver.batches()

    assert ran.returncode == 0
    assert messages_of(ran) == ["tailrace: sent 8 lines in 2 batches, all acknowledged"]
    assert [[event["body"] for event in batch] for batch in batches] == [
        [b"one", b"", b"two\r", b"\xff\x00"],
        [b"three", b"four", b"five", b"six"],
    ]
    events = [event for batch in batches for event in batch]
    stamps = [int(event["headers"].pop("timestamp")) for event in events]
    assert all(before <= stamp <= after for stamp in stamps)
    # Lines of one read share a timestamp.
    assert len(set(stamps[:4])) == 1
    files = [event["headers"].pop("file", None) for event in events]
    a, b = str(tmp_path / "a.log"), str(tmp_path / "b.log.gz")
    assert files == [a, a, a, a, b, b, None, None]
    assert all(event["headers"] == {} for event in events)


def test_every_batch_but_the_last_is_full_across_reads(tmp_path: Path):
    # Longer than one read, with lines across the borders of reads.
    lines = [b"%d %s" % (n, b"x" * (n % 997)) for n in range(6_000)]
    log = tmp_path / "access.log"
    log.write_bytes(b"\n".join(lines))
    with peer(fine) as receiver:
        assert send(str(log), receiver.place, "--batch", "7").returncode == 0
        batches = receiver.batches()

    assert [event["body"] for batch in batches for event in batch] == lines
    assert [len(batch) for batch in batches] == [7] * (6_000 // 7) + [6_000 % 7]


def test_connections_take_turns_with_one_batch_in_flight_each():
    log = b"x\n" * 100
    with peer(fine) as receiver:
        ran = send(receiver.place, "--batch", "10", "--connections", "3", stdin=log)
        turns = [number for number, _, _ in receiver.received]
        starts = [message.startswith(FLUME_HASH) for _, message, _ in receiver.received]

    assert ran.returncode == 0
    # Batches in flight at the same time may overtake each other.
    assert sorted(turns) == [1] * 4 + [2] * 3 + [3] * 3
    assert sum(starts) == 3


def test_a_rate_spaces_batches_evenly():
    def is_never_early() -> bool:
        with peer(fine) as receiver:
            ran = send(receiver.place, "--batch", "5", "--rate", "50/s", stdin=b"x\n" * 30)
            times = [at for _, _, at in receiver.received]
        assert ran.returncode == 0
        assert len(times) == 6
        return all(at - times[0] > 0.1 * n - 0.05 for n, at in enumerate(times))

    # On a loaded machine the first batch may be seen late, but not every time.
    assert any(is_never_early() for _ in range(5))


def test_a_low_rate_does_not_wait_for_a_full_batch():
    with peer(fine) as receiver:
        send(receiver.place, "--rate", "20", stdin=b"x\n" * 30)
        sizes = [len(batch) for batch in receiver.batches()]

    assert sizes == [20, 10]


def test_an_empty_file_is_not_an_error(tmp_path: Path):
    log = tmp_path / "empty.log"
    log.touch()
    with peer(fine) as receiver:
        ran = send(str(log), receiver.place)

    assert ran.returncode == 0
    assert messages_of(ran) == ["tailrace: sent 0 lines in 0 batches"]
    assert receiver.received == []


def test_a_receiver_that_does_not_know_the_protocol_gets_each_line_once():
    answers = [NONE, OK, OK]
    with peer(lambda n: answers[n - 1]) as receiver:
        ran = send(receiver.place, "--batch", "2", stdin=b"a\nb\nc\n")
        batches = receiver.batches()

    assert ran.returncode == 0
    assert messages_of(ran) == ["tailrace: sent 3 lines in 2 batches, all acknowledged"]
    # The receiver did not take the first call: it answered only the handshake.
    bodies = [[event["body"] for event in batch] for batch in batches]
    assert bodies == [[b"a", b"b"], [b"a", b"b"], [b"c"]]


HTTP = RAW + b"HTTP/1.1 400 Bad Request\r\n\r\n"
FAULTS: dict[str, tuple[bytes | None, str, str]] = {
    "FAILED": (
        FAILED,
        (
            "batch 3 was answered with FAILED: the receiver cannot accept it now; its channel may"
            " be full, or its transactionCapacity below --batch"
        ),
        "10 refused",
    ),
    "UNKNOWN": (UNKNOWN, "batch 3 was answered with UNKNOWN", ""),
    "an error": (
        refusal("java.lang.Error: \x1b[31m"),
        r"batch 3 was answered with an error: java.lang.Error: \x1b[31m",
        "",
    ),
    "close": (None, "the receiver closed the connection before it answered batch 3", ""),
    "close in mid-answer": (
        CUT + frame(3, OK)[:-1],
        "expected a whole frame, found only its first 14 of at least 15 bytes",
        "",
    ),
    "nonsense": (
        HTTP,
        "connection closed: frame: expected 1 to 65536 buffers, found 791752241",
        "",
    ),
    "another's answer": (
        RAW + frame(9, OK),
        "connection closed: expected an answer to an open call, found serial 9",
        "",
    ),
}


@pytest.mark.parametrize(("answer", "problem", "fate"), FAULTS.values(), ids=FAULTS)
def test_a_fault_ends_send_with_exact_counts_and_nothing_is_resent(
    answer: bytes | None, problem: str, fate: str
):
    def reply(number: int) -> bytes | None:
        return OK if number < 3 else answer

    with peer(reply) as receiver:
        ran = send(receiver.place, "--batch", "10", stdin=b"x\n" * 100)
        calls = len(receiver.received)

    fate = fate or "10 of the last batch may have been counted"
    assert ran.returncode == 1
    first, last = messages_of(ran)
    assert problem in first
    assert first.startswith(f"tailrace: {receiver.place.removeprefix('flume://')}: ")
    assert last == f"tailrace: sent 30 lines in 3 batches, 20 acknowledged, {fate}"
    assert calls == 3


def test_an_http_server_is_identified():
    with peer(lambda _: HTTP) as receiver:
        ran = send(receiver.place, stdin=b"x\n" * 5)

    assert ran.returncode == 1
    first, last = messages_of(ran)
    assert "expected a Flume receiver, found an answer that begins with" in first
    assert last == (
        "tailrace: sent 5 lines in 1 batch, 0 acknowledged,"
        " 5 of the last batch may have been counted"
    )


def test_send_waits_for_the_answers_of_other_connections_before_it_ends():
    with peer(lambda n: FAILED if n == 2 else OK) as receiver:
        ran = send(receiver.place, "--batch", "10", "--connections", "2", stdin=b"x\n" * 20)

    assert ran.returncode == 1
    assert messages_of(ran)[-1] == (
        "tailrace: sent 20 lines in 2 batches, 10 acknowledged, 10 refused"
    )


def test_a_batch_without_an_answer_in_time_is_counted_as_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sender, "ANSWER_TIMEOUT_S", 0.2)

    async def run(receiver: Peer) -> sender.Sender:
        port = int(receiver.place.rpartition(":")[2])
        sending = sender.Sender("127.0.0.1", port)
        await sending.open()
        assert await sending.send(b"\x02\x00\x02a\x00", 1)
        assert await sending.send(b"\x04\x00\x02b\x00\x02c\x00", 2)
        assert not await sending.send(b"\x02\x00\x02d\x00", 1)
        await sending.close()
        return sending

    with peer(lambda n: OK if n == 1 else RAW) as receiver:
        sending = asyncio.run(run(receiver))
        assert len(receiver.received) == 2

    assert "no answer to batch 2 within" in sending.problem
    counts = sending.counts
    assert (counts.lines, counts.acknowledged, counts.doubtful) == (3, 1, 2)


def test_an_unreadable_file_is_reported_and_the_rest_is_sent(tmp_path: Path):
    whole = gzip.compress(b"".join(b"%d\n" % n for n in range(50_000)))
    cut, good = tmp_path / "cut.gz", tmp_path / "good.log"
    cut.write_bytes(whole[: len(whole) // 2])
    good.write_bytes(b"last\n")
    with peer(fine) as receiver:
        ran = send(str(cut), str(tmp_path / "none"), str(good), receiver.place, "--batch", "1000")
        bodies = [event["body"] for batch in receiver.batches() for event in batch]

    assert ran.returncode == 1
    absent, broken, summary = messages_of(ran)
    assert absent == f"tailrace: {tmp_path}/none: no such file"
    assert broken.startswith(f"tailrace: {cut}: truncated compressed data after ")
    assert broken.endswith(" bytes of text; check it with gzip -t")
    # Complete lines, not the one that was cut off.
    assert bodies[:-1] == [b"%d" % n for n in range(len(bodies) - 1)]
    assert bodies[-1] == b"last"
    assert len(bodies) > 10_000
    assert summary.startswith(f"tailrace: sent {len(bodies):,} lines in ")
    assert summary.endswith("all acknowledged")


def test_truncated_compressed_input_in_a_pipe_is_sent_up_to_the_cut():
    with peer(fine) as receiver:
        unpacked = send(receiver.place, stdin=gzip.compress(b"a\nb"))
        cut = send(receiver.place, stdin=bytes.fromhex("28b52ffd0458"))
        ((first, second),) = receiver.batches()

    assert unpacked.returncode == 0
    assert [first["body"], second["body"]] == [b"a", b"b"]
    assert cut.returncode == 1
    message, summary = messages_of(cut)
    why = "truncated compressed data after 0 bytes of text; check it with zstd -t"
    assert message == f"tailrace: standard input: {why}"
    assert summary == "tailrace: sent 0 lines in 0 batches"


def test_a_refused_connection_is_reported():
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    ran = send(f"flume://localhost:{port}", stdin=b"x\n")

    assert ran.returncode == 2
    assert messages_of(ran) == [
        (
            f"tailrace: localhost:{port}: connection refused; start the receiver first,"
            " or check the host and the port"
        ),
    ]


def test_events_equal_fastavros_encoding_byte_for_byte(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(b"a\nb\n")
    with peer(fine) as receiver:
        send(str(log), receiver.place)
        ((_, message, _),) = receiver.received
    ((first, second),) = receiver.batches()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, EVENTS, [first, second])
    assert parameter(message) == out.getvalue()
