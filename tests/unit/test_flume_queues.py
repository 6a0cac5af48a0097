"""The order in which the calls of connections are served, and how slow frames are noticed."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from live import OK, Sink, event, events, free_port, line, running, wait_for
from wire import call, frame, handshake

import tailrace as tr
from tailrace._sources import Chunk
from tailrace._sources.flume import Flume
from tailrace._sources.flume_queues import CALL_BYTES, LARGE_BYTES, Queue, Queues
from tailrace._sources.flume_watch import CHECKS, LEAST_BYTES, Watch, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = ("top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl")
# Several connections send the same lines.
TOP += ("--resent", "count")


class Calls(Queue):
    """A connection whose calls are all decoded."""

    def __init__(self, number: int, *sizes: int) -> None:
        super().__init__()
        for size in sizes:
            self.put(number, size)

    def put(self, number: int, size: int) -> None:
        self.calls.append(Chunk(bytes(size), (0, size), source=number))

    @property
    def undecoded(self) -> int:
        return 0

    def refill(self) -> int:
        return 0

    @property
    def can_refill(self) -> bool:
        return False


def taken(queues: Queues) -> list[int]:
    return [chunk.source for chunk in queues.take()]


def test_a_small_call_comes_before_everything_that_others_have_queued():
    queues = Queues()
    for number in range(1, 50):
        queues.add(Calls(number, *[20_000] * 100))
    for _ in range(10):
        queues.take()
        queues.add(Calls(0, 2_000))
        assert taken(queues)[0] == 0


def test_connections_share_by_bytes_whatever_the_size_of_their_calls():
    queues = Queues()
    sizes = [25, 10_000, 60_000, 200_000]
    for number, size in enumerate(sizes):
        queues.add(Calls(number, *[size] * (40_000_000 // (size + CALL_BYTES))))
    served = [0] * len(sizes)
    for _ in range(30):
        for chunk in queues.take():
            served[chunk.source] += len(chunk.data) + CALL_BYTES
    assert min(served) > 2_000_000
    assert max(served) - min(served) <= 2 * max(sizes)


def test_calls_of_a_connection_stay_in_order_and_all_are_served():
    rng = random.Random(7)  # noqa: S311 - the same sizes again
    queues = Queues()
    expected: dict[int, list[int]] = {}
    found: dict[int, list[int]] = {}
    connections = [Calls(number) for number in range(20)]
    for _ in range(200):
        number = rng.randrange(20)
        for _ in range(rng.randrange(4)):
            size = rng.choice([10, 500, 5_000, 100_000, 300_000])
            connections[number].put(number, size)
            expected.setdefault(number, []).append(size)
        if connections[number].calls:
            queues.add(connections[number])
        for chunk in queues.take() if rng.random() < 0.5 else ():
            found.setdefault(chunk.source, []).append(len(chunk.data))
            if len(chunk.data) > LARGE_BYTES:
                queues.large_answered()
    while chunks := queues.take():
        for chunk in chunks:
            found.setdefault(chunk.source, []).append(len(chunk.data))
            if len(chunk.data) > LARGE_BYTES:
                queues.large_answered()
    assert found == expected


def test_one_large_call_is_handed_over_at_a_time_and_others_go_on():
    queues = Queues()
    large = LARGE_BYTES + 1
    for number in range(3):
        queues.add(Calls(number, large, large))
    queues.add(Calls(3, 9_000))
    handed = taken(queues) + taken(queues)
    assert sorted(handed) in ([0, 3], [1, 3], [2, 3])
    assert taken(queues) == []
    order = [number for number in handed if number != 3]
    for _ in range(5):
        queues.large_answered()
        order += taken(queues)
    assert sorted(order) == [0, 0, 1, 1, 2, 2]
    # In turn, not one connection after the other.
    assert len(set(order[:3])) == 3


class Peer(Watched):
    """A connection that is only watched."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__()
        self.address = address
        self.paused = False
        self.readable = False
        self.problems: list[str] = []

    @property
    def is_paused(self) -> bool:
        return self.paused

    def refuse(self, problem: str, kind: str) -> None:
        self.problems.append(f"{kind}: {problem}")

    def is_readable(self) -> bool:
        return self.readable

    def is_waiting(self) -> bool:
        return True


@pytest.mark.parametrize(("each", "slow"), [(LEAST_BYTES // CHECKS, False), (1_000, True)])
def test_a_frame_that_has_begun_makes_its_least_progress(each: int, slow: bool):  # noqa: FBT001 - a parameter of pytest
    peer = Peer()
    peer.begin()
    # The time to the first check is shorter than the others.
    found = [peer.is_slow()]
    for _ in range(3 * CHECKS):
        peer.received += each
        found.append(peer.is_slow())
    assert found == [False] + ([False] * (CHECKS - 1) + [slow]) * 3


def test_only_checks_while_the_connection_was_read_count():
    peer = Peer()
    peer.begin()
    peer.paused = peer.has_paused = True
    assert not any(peer.is_slow() for _ in range(100))
    peer.paused = False
    # The first check ends the pause.
    assert [peer.is_slow() for _ in range(CHECKS + 2)] == [False] * (CHECKS + 1) + [True]


def test_the_largest_incomplete_frame_ends_when_all_together_are_too_large():
    watch = Watch(1_000)
    peers = [Peer() for _ in range(3)]
    for peer, size in zip(peers, (300, 500, 200), strict=True):
        watch.set_partial(peer, size)
    assert [peer.problems for peer in peers] == [[], [], []]
    watch.set_partial(peers[2], 201)
    assert [len(peer.problems) for peer in peers] == [0, 1, 0]
    assert "500 bytes" in peers[1].problems[0]
    # It is forgotten even if its connection does not close at once.
    watch.set_partial(peers[2], 600)
    assert [len(peer.problems) for peer in peers] == [0, 1, 0]


def test_many_incomplete_frames_of_one_address_do_not_end_a_larger_one_of_another():
    watch = Watch(1_000)
    many, honest = [Peer("10.0.0.1") for _ in range(10)], Peer("10.0.0.2")
    for peer in many:
        watch.set_partial(peer, 90)
    watch.set_partial(honest, 400)
    assert honest.problems == []
    assert sum(len(peer.problems) for peer in many) == 4


def test_the_connection_that_is_silent_longest_is_the_first_to_go():
    watch = Watch(1_000)
    first, second, third, begun, deaf = (Peer() for _ in range(5))
    for at, peer in enumerate((first, second, third)):
        watch.silent[peer] = float(at)
    watch.now = lambda: 1.5
    watch.set_partial(begun, 10)
    watch.now = lambda: 9.0
    # One that has sent bytes meanwhile is not silent.
    first.readable = True

    def next_to_go() -> Watched | None:
        found = watch.least_active()
        return None if found is None else found[0]

    assert next_to_go() is second
    assert next_to_go() is begun
    watch.deaf[deaf] = None
    assert next_to_go() is deaf
    assert next_to_go() is third
    assert next_to_go() is None


# --- on real sockets ------------------------------------------------------------------------------


@contextmanager
def received(**limits: int | str) -> Iterator[tuple[int, list[tr.Snapshot]]]:
    import threading  # noqa: PLC0415 - for this function alone

    port = free_port()
    query = tr.from_flume(f"127.0.0.1:{port}", format="combined", resent="count", **limits)  # type: ignore[arg-type]
    window = query.window("1h", every="100ms", batch_interval="50ms").count(by="url")
    snapshots: list[tr.Snapshot] = []
    ended = threading.Event()

    def run() -> None:
        for snapshot in window.run():
            snapshots.append(snapshot)
            if ended.is_set():
                break

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_for(lambda: snapshots)
    try:
        yield port, snapshots
    finally:
        ended.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("known", [True, False], ids=["known", "where the end is not reported"])
def test_the_end_of_a_stream_is_found_behind_unread_bytes(
    monkeypatch: pytest.MonkeyPatch,
    known: bool,  # noqa: FBT001 - a parameter of pytest
):
    if not known:
        monkeypatch.setattr("tailrace._sources.flume_connection._RDHUP", 0)
    calls = 100
    with received() as (port, snapshots), Sink(port) as good:
        assert good.batch([line("/good")]) == OK
        for _ in range(5):
            with Sink(port) as sink:
                assert sink.batch([line("/first")]) == OK
                frames = [
                    sink.frame(b"appendBatch", events([line("/left")] * 50)) for _ in range(calls)
                ]
                sink.send(b"".join(frames))
                # A connection that is closed before it has read all answers is reset, and what
                # the receiver has not read is lost.
                sink.socket.shutdown(socket.SHUT_WR)
                while sink.socket.recv(65_536):
                    pass
        assert good.batch([line("/good")]) == OK
        wait_for(lambda: snapshots[-1].total >= 7)

        def whole() -> bool:
            lines = snapshots[-1].lines
            return lines["fed"] + lines["abandoned"] == 2 + 5 + 5 * calls * 50

        wait_for(whole)
        counted = {row["url"]: row["count"] for row in snapshots[-1].rows}

    # What was counted before the sender left was counted once, a batch at a time.
    assert (counted["/good"], counted["/first"]) == (2, 5)
    assert counted.get("/left", 0) % 50 == 0


def test_calls_in_one_read_are_answered_in_order_whatever_their_number():
    number = 3_000
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        parts = []
        for serial in range(2, number + 2):
            kind = serial % 3
            if kind == 0:
                parts.append(frame(serial, call("append", event(line("/a")))))
            elif kind == 1:
                parts.append(frame(serial, call("appendBatch", events([line("/a")] * 2))))
            else:
                parts.append(frame(serial, call("")))
        sink.send(b"".join(parts))
        sink.serial = number + 1
        answers = [sink.answer() for _ in range(number)]
        # Calls without events are answered at once.
        assert answers.count(OK) == number - number // 3
        assert sink.batch([line("/a")]) == OK
        expected = 2 + number // 3 + 2 * (number // 3)
        wait_for(lambda: receiver.counted() == expected)


def test_a_frame_of_as_many_buffers_as_are_allowed_is_read_in_pieces():
    with running(*TOP) as receiver, Sink(receiver.port) as sink:
        assert sink.batch([line("/a")]) == OK
        message = call("appendBatch", events([line("/b")] * 300))
        single = [message[at : at + 1] for at in range(len(message))]
        empty = [b""] * (65_536 - len(single))
        sink.send(frame(2, *empty, *single))
        sink.serial = 2
        assert sink.answer() == OK
        assert sink.batch([line("/a")]) == OK
        wait_for(lambda: receiver.counted() == 302)


def test_at_the_limit_a_silent_connection_is_closed_in_favour_of_a_new_one():
    with running(*TOP, "--max-connections", "5") as receiver:
        port = receiver.port
        silent = [Sink(port) for _ in range(5)]
        with Sink(port) as sink:
            assert sink.batch([line("/a")]) == OK
            assert silent[0].is_closed()
            # The others are still served.
            assert [one.batch([line("/a")]) for one in silent[1:]] == [OK] * 4
        for one in silent:
            one.socket.close()
        wait_for(lambda: receiver.counted() == 5)
        messages = [text for text in receiver.messages if "silent" in text]

    assert len(messages) == 1


@pytest.mark.parametrize("calls", [255, 256, 257])
def test_a_connection_is_silent_after_any_number_of_answers(calls: int):
    with received(max_connections=1) as (port, _), Sink(port) as silent:
        assert silent.call(b"appendBatch", b"\0") == OK
        frames = [silent.frame(b"appendBatch", b"\0") for _ in range(calls)]
        silent.send(b"".join(frames))
        assert [silent.answer() for _ in range(calls)] == [OK] * calls
        with Sink(port) as sink:
            assert sink.batch([line("/a")]) == OK


def test_nothing_is_held_of_connections_that_were_reset():
    """What they had sent is decoded later, when it is their turn."""

    async def served() -> Watch:
        source = Flume("127.0.0.1", 0)
        port = int((await source.open()).rpartition(":")[2])
        pings = b"".join(frame(at, handshake() * (at == 1) + call("")) for at in range(1, 4_000))
        for reads in range(10):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as sink:
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sink.sendall(pings + b"\0\0\0")
                for _ in range(1 + reads % 4):
                    await source.receive(0.01)
        for _ in range(200):
            await source.receive(0.01)
            if not source.watch.begun:
                break
        await source.close()
        return source.watch

    watch = asyncio.run(served())
    assert (watch.partial, len(watch.begun)) == (0, 0)


def test_without_a_silent_connection_an_incomplete_batch_makes_room():
    with running(*TOP, "--max-connections", "3") as receiver:
        busy = [Sink(receiver.port) for _ in range(3)]
        start = frame(1, handshake() + call("appendBatch", events([line("/a")] * 9)))
        for one in busy:
            one.send(start[:50])
        time.sleep(1.2)
        with Sink(receiver.port) as sink:
            assert sink.batch([line("/b")]) == OK
            assert busy[0].is_closed()
        for one in busy[1:]:
            one.send(start[50:])
            one.serial = 1
            assert one.answer() == OK
        for one in busy:
            one.socket.close()
        wait_for(lambda: receiver.counted() == 19)
        messages = [text for text in receiver.messages if "limit of connections" in text]

    assert len(messages) == 1


def test_incomplete_batches_share_their_limit():
    with running(*TOP, "--max-partial-bytes", "1MiB") as receiver, Sink(receiver.port) as good:
        assert good.batch([line("/a")]) == OK
        large = [Sink(receiver.port) for _ in range(4)]
        for one in large:
            whole = one.frame(b"appendBatch", events([line("/large")] * 4_000))
            assert 300_000 < len(whole) < 500_000
            one.send(whole[:-1])
        wait_for(lambda: any("--max-partial-bytes" in text for text in receiver.messages))
        assert good.batch([line("/a")]) == OK
        assert good.batch([line("/b")] * 4_000) == OK
        for one in large:
            one.socket.close()
        wait_for(lambda: receiver.counted() == 4_002)


def test_both_families_are_served_and_a_wildcard_address_is_named():
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with running("top", "flume://[::]:0", "--log-format", "combined", "--format", "jsonl") as one:
        for host in ("127.0.0.1", "::1"):
            with closing(socket.create_connection((host, one.port), timeout=20)) as made:
                made.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert made.recv(1) == b""
        wait_for(lambda: len(one.messages) > 3)
        messages = list(one.messages)

    assert messages[0].startswith("tailrace: flume://[::]:0: anyone who can reach this port")
    # An IPv4 peer is named as such.
    assert messages[2].startswith("tailrace: 127.0.0.1:")
    assert messages[3].startswith("tailrace: [::1]:")


@pytest.mark.parametrize("again", [False, True], ids=["closed", "connected again"])
def test_a_sender_ends_some_time_after_its_last_connection_was_closed(
    monkeypatch: pytest.MonkeyPatch,
    again: bool,  # noqa: FBT001 - a parameter of pytest
):
    monkeypatch.setattr("tailrace._sources.flume_senders.SENDER_END_S", 0.3)

    async def until(source: Flume, timeout_s: float) -> list[Chunk]:
        """Receive and acknowledge for so long, or up to the end of a sender."""
        found: list[Chunk] = []
        loop = asyncio.get_running_loop()
        due = loop.time() + timeout_s
        while loop.time() < due and not any(not chunk.data for chunk in found):
            for chunk in await source.receive(0.05) or ():
                found.append(chunk)
                if chunk.answer is not None:
                    chunk.answer("ok", "")
        return found

    async def main() -> list[Chunk]:
        source = Flume("127.0.0.1", 0)
        port = int((await source.open()).rpartition(":")[2])
        try:
            one, other = [await asyncio.to_thread(Sink, port) for _ in range(2)]
            for sink in (one, other):
                sink.send(sink.frame(b"appendBatch", events([line("/a")])))
            found = await until(source, 0.5)
            one.socket.close()
            # The other connection is still open.
            found += await until(source, 0.6)
            other.socket.close()
            found += await until(source, 0.1)
            if again:
                with await asyncio.to_thread(Sink, port) as third:
                    found += await until(source, 0.6)
                    third.send(third.frame(b"appendBatch", events([line("/a")])))
                    found += await until(source, 0.2)
            return found + await until(source, 5)
        finally:
            await source.close()

    chunks = asyncio.run(main())
    assert [chunk.sender for chunk in chunks] == [b"127.0.0.1"] * (3 + again)
    assert [bool(chunk.data) for chunk in chunks] == [True] * (2 + again) + [False]
