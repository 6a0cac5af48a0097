"""
What one peer can do to the others: nothing.

Each attack runs beside an honest peer, whose answers are timed. Unloaded they take less than a
millisecond, and under attack at most a second on a quiet machine; the tests allow five times that,
for machines that are not.
"""

import json
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from attackers import STRANGERS, Attack, attacking, connect
from live import OK, Process, Sink, events, line, running, wait_for

TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")
# Peers send equal batches over many connections.
TOP += ("--window", "1h", "--limit", "60", "--resent", "count")

ANSWER_S = 5

# One page of a terminal.
LOG_LINES = 60

# Long enough for each fault: a receiver with one of them gives no answer at all in this time.
ATTACK_S = 1.5


@contextmanager
def under(
    *attacks: tuple[object, ...],
    arguments: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
    end: int = signal.SIGTERM,
    seconds: float = ATTACK_S,
    may_retry: bool = False,
) -> Iterator[tuple[Process, list[Attack]]]:
    """
    Run a receiver with an honest peer under attack; check the peer's answers, its counts, the log.

    The block runs during the attack. The peer's connection may end if it *may retry*.
    """
    with running(*TOP, *arguments, before=before) as receiver, ExitStack() as stack:
        peer = stack.enter_context(attacking("honest", receiver.port))
        attackers = [
            stack.enter_context(attacking(str(name), receiver.port, *rest))
            for name, *rest in attacks
        ]
        yield receiver, attackers
        time.sleep(seconds)
        report = peer.report()
        for attacker in attackers:
            attacker.state()
        ended = time.monotonic()
        code = receiver.end(end)
        took_s = time.monotonic() - ended

    assert not [text for text in report["problems"] if not may_retry or "timed out" in text]
    assert report["slowest"] <= ANSWER_S
    assert report["lines"] > 0
    assert counts(receiver, "/honest/") == report["keys"]
    assert len(receiver.messages) <= LOG_LINES, receiver.messages[:LOG_LINES]
    assert not [text for text in receiver.messages if "Traceback" in text]
    assert code == (0 if end == signal.SIGTERM else 128 + end)
    assert took_s <= ANSWER_S
    adds_up(receiver)


def counts(receiver: Process, start: str) -> dict[str, int]:
    """Return the counts of the URLs with this start in the last answer."""
    rows = receiver.snapshots()[-1]["rows"]
    return {row["url"]: row["count"] for row in rows if (row["url"] or "").startswith(start)}


def adds_up(receiver: Process) -> None:
    lines = receiver.snapshots()[-1]["lines"]
    rejected = sum(lines["rejected"].values())
    assert lines["fed"] == lines["counted"] + lines["late"] + lines["filtered"] + rejected


def peak_mib(receiver: Process) -> float:
    """Return the most memory that a process has had."""
    status = Path(f"/proc/{receiver.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


# --- a queue for each peer ------------------------------------------------------------------------

FLOODS = {
    "connections that close while calls are queued": [("closes",)],
    "calls without events": [("empty",)],
    "calls of one event, and a peer that reads no answers": [("singles",), ("deaf",)],
    "calls of no message, and of an unknown one": [("pings",), ("unknown",)],
    "frames of 65,536 buffers, and handshakes": [("splinters",), ("greetings",)],
    "six batches of 33 million events": [("empty_events", 6)],
    "twenty batches of a million events": [("empty_events", 20, 1_000_000)],
    "batches of 300,000 lines": [("large_batches",)],
}


@pytest.mark.parametrize("attacks", FLOODS.values(), ids=FLOODS)
def test_a_peer_that_sends_as_much_as_it_can_delays_no_other(attacks: list[tuple[object, ...]]):
    with under(*attacks):
        pass


def test_a_batch_of_too_many_events_is_an_error_that_its_sender_sees():
    with running(*TOP) as receiver, Sink(receiver.port) as good, Sink(receiver.port) as bad:
        assert good.batch([line("/a")]) == OK
        assert bad.batch([line("/b")] * 3) == OK
        many = bad.call(b"appendBatch", b"\x82\x89\x7a" + bytes(2 * 1_000_001 + 1))
        assert many.startswith(b"\x00\x01\x00")
        assert b"1,000,000" in many
        assert bad.is_closed()
        # At the limit it is a batch like any other.
        most = b"\x80\x89\x7a" + bytes(2 * 1_000_000 + 1)
        assert good.call(b"appendBatch", most) == OK
        lines = receiver.answer(lambda one: one["lines"]["fed"] >= 1_000_004)["lines"]
        assert receiver.end(signal.SIGTERM) == 0

    assert lines["counted"] == 4
    assert lines["rejected"] == {"no-match": 1_000_000}
    assert len(receiver.messages) == 3
    assert "1,000,000" in receiver.messages[1]


@pytest.mark.parametrize("name", ["closes", "singles"])
def test_ctrl_c_during_an_attack_ends_soon_with_every_acknowledged_line(name: str):
    with under((name,), end=signal.SIGINT, seconds=1):
        pass


# --- connections ----------------------------------------------------------------------------------


def test_silent_connections_make_room_for_those_that_send():
    with under(("silent",)):
        pass


@pytest.mark.parametrize("rate", [0, 2_000])
def test_connections_that_have_begun_a_batch_make_room_too(rate: int):
    """A byte each would else keep all others out."""
    # Peers that go on with their batches are spared for a second, and new ones meanwhile refused.
    with under(("begun", 1_030, rate), may_retry=rate > 0):
        pass


def test_silent_connections_from_many_addresses_make_room_too():
    with under(("silent", 1_030, 0, 200)):
        pass


@pytest.mark.parametrize("most", [200, 1_024])
def test_at_the_limit_of_descriptors_connections_are_served_without_a_traceback(most: int):
    before = ("prlimit", f"--nofile={most}:{most}")
    # A burst above the limit can end the peer's connection while it is silent.
    with under(("silent", most - 39, 150), before=before, may_retry=most == 200):
        pass


def test_the_soft_limit_of_descriptors_does_not_count():
    with under(("silent", 600), before=("prlimit", "--nofile=100:4096")) as (_, (silent,)):
        time.sleep(0.5)
        assert silent.state() == {"held": 600, "closed": 0}


def test_a_frame_that_does_not_go_on_ends_and_a_silent_connection_stays():
    """A frame has to make at least a kibibyte a second over ten seconds."""
    with under(("slow", 50), ("unfinished", 50)) as (receiver, (slow, _)), ExitStack() as sinks:
        parked = [sinks.enter_context(Sink(receiver.port)) for _ in range(3)]
        assert parked[0].batch([line("/parked")]) == OK
        assert parked[1].batch([line("/parked")]) == OK
        steady = sinks.enter_context(Sink(receiver.port))
        sent = threading.Thread(target=trickle, args=(steady, 4_096))
        sent.start()
        wait_for(lambda: slow.state()["open"] == 0, 4 * 10)
        sent.join()
        assert steady.answer() == OK
        assert [each.batch([line("/parked")]) for each in parked] == [OK] * 3

    assert counts(receiver, "/parked") == {"/parked": 5}
    assert counts(receiver, "/steady") == {"/steady": 500}


def trickle(sink: Sink, bytes_a_second: int) -> None:
    """Send a frame slowly, but not too slowly."""
    whole = sink.frame(b"appendBatch", events([line("/steady")] * 500))
    piece = bytes_a_second // 4
    for at in range(0, len(whole), piece):
        sink.send(whole[at : at + piece])
        time.sleep(0.25)


def test_keepalive_finds_peers_that_vanished():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        ours = f"{receiver.port:04X}"
        theirs = f"{sink.socket.getsockname()[1]:04X}"
        table = [each.split() for each in Path("/proc/net/tcp").read_text().splitlines()]
        timers = [
            each[5][:2]
            for each in table
            if each[1].endswith(f":{ours}") and each[2].endswith(f":{theirs}")
        ]
    assert timers == ["02"]


# --- memory ---------------------------------------------------------------------------------------


def test_partial_frames_share_a_limit():
    with under(("partial_frames", 12)) as (receiver, _):
        peak = peak_mib(receiver)
    assert peak < 500


def test_the_limit_of_partial_frames_can_be_chosen():
    arguments = ("--max-partial-bytes", "80MiB")
    with under(("partial_frames", 4), arguments=arguments) as (receiver, _):
        peak = peak_mib(receiver)
    assert peak < 250


def test_long_keys_share_a_limit():
    with under(("keys", 9_000), seconds=0) as (receiver, (keys,)):
        peak = peak_mib(receiver)
    assert keys.report()["lines"] == 9_000
    assert peak < 480
    snapshot = receiver.snapshots()[-1]
    assert snapshot["total"] == snapshot["lines"]["counted"] > 9_000


# --- strangers ------------------------------------------------------------------------------------


def test_strangers_of_every_kind_make_one_log_page():
    with under(("strangers",), ("storm",), ("half_closed",)):
        pass


def test_strangers_count_nothing_and_each_is_named_in_plain_words():
    with running(*TOP) as receiver, Sink(receiver.port) as good:
        for data in STRANGERS.values():
            for _ in range(3):
                with connect(receiver.port) as stranger:
                    stranger.sendall(data)
                    stranger.shutdown(socket.SHUT_WR)
                    while read(stranger):
                        pass
        assert good.batch([line("/a")]) == OK
        assert receiver.end(signal.SIGTERM) == 0

    lines = receiver.snapshots()[-1]["lines"]
    assert lines["fed"] == lines["counted"] == 1
    assert len(receiver.messages) <= LOG_LINES
    assert not [text for text in receiver.messages if not text.isprintable()]
    assert not [
        text for text in receiver.messages if re.search(r"Traceback|Error|list index", text)
    ]


def read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


# --- what a sender gave up ------------------------------------------------------------------------


def leave_by_closing(sink: Sink) -> None:
    sink.socket.close()


def leave_by_reset(sink: Sink) -> None:
    sink.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sink.socket.close()


def leave_half(sink: Sink) -> None:
    sink.socket.shutdown(socket.SHUT_WR)


LEAVING = [leave_by_closing, leave_by_reset, leave_half]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("greeted", [True, False], ids=["open before", "new"])
def test_a_batch_that_its_sender_gave_up_is_not_counted(leave: Any, greeted: bool):  # noqa: ANN401, FBT001
    with running(*TOP) as receiver, ExitStack() as sinks:
        port = receiver.port

        def sink() -> Sink:
            return sinks.enter_context(Sink(port))

        first = sink()
        if greeted:
            assert first.batch([line("/before")] * 100) == OK
        receiver.process.send_signal(signal.SIGSTOP)
        for tries in range(3):
            first = first if tries == 0 else sink()
            first.send(first.frame(b"appendBatch", events([line("/again")] * 100)))
            leave(first)
        last = sink()
        last.send(last.frame(b"appendBatch", events([line("/again")] * 100)))
        receiver.process.send_signal(signal.SIGCONT)
        assert last.answer() == OK
        assert receiver.end(signal.SIGTERM) == 0

    assert counts(receiver, "/again") == {"/again": 100}
    lines = receiver.snapshots()[-1]["lines"]
    assert lines["counted"] == lines["fed"] == 100 + 100 * greeted
    # A reset discards what was not read.
    least = 0 if leave is leave_by_reset else 300
    assert least <= lines["abandoned"] <= 300
    assert lines["resent"] == 0


def test_of_several_batches_in_flight_none_is_counted_after_their_sender_has_left():
    with running(*TOP) as receiver, Sink(receiver.port) as sink, Sink(receiver.port) as other:
        assert sink.batch([line("/before")]) == OK
        receiver.process.send_signal(signal.SIGSTOP)
        frames = [sink.frame(b"appendBatch", events([line("/gone")] * 10)) for _ in range(50)]
        sink.send(b"".join(frames))
        leave_half(sink)
        other.send(other.frame(b"appendBatch", events([line("/stays")])))
        receiver.process.send_signal(signal.SIGCONT)
        assert other.answer() == OK
        assert sink.is_closed()
        assert receiver.end(signal.SIGTERM) == 0

    snapshot = receiver.snapshots()[-1]
    assert {row["url"]: row["count"] for row in snapshot["rows"]} == {"/before": 1, "/stays": 1}
    assert snapshot["lines"]["abandoned"] == 500


def test_parse_writes_nothing_of_a_batch_that_its_sender_gave_up():
    arguments = ("parse", "flume://127.0.0.1:0", "--fields", "url", "--log-format", "combined")
    with running(*arguments) as receiver:
        with Sink(receiver.port) as sink, Sink(receiver.port) as other:
            assert sink.batch([line("/before")]) == OK
            receiver.process.send_signal(signal.SIGSTOP)
            sink.send(sink.frame(b"appendBatch", events([line("/gone")] * 10)))
            leave_by_closing(sink)
            other.send(other.frame(b"appendBatch", events([line("/stays")])))
            receiver.process.send_signal(signal.SIGCONT)
            assert other.answer() == OK
        assert receiver.end(signal.SIGTERM) == 0

    assert [json.loads(text)["url"] for text in receiver.printed] == ["/before", "/stays"]
    assert "10 abandoned" in receiver.messages[-1]
