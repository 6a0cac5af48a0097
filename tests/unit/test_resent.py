"""What a sender sends again because the answer was lost is counted once."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Sink, event, events, line, running, sized, wait_for
from wire import long

import tailrace as tr
from tailrace._core import Format
from tailrace._runtime import resent as module
from tailrace._runtime.commit import Commit, CommitError
from tailrace._runtime.resent import Resent
from tailrace._runtime.stage import Origin, StampedChunk
from tailrace._sources import Chunk
from tailrace._sources.flume import AgentPosition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from live import Process

FLUME = "flume://127.0.0.1:0"
TOP = ("top", FLUME, "--log-format", "combined", "--window", "1h", "--format", "jsonl")
PARSE = ("parse", FLUME, "--log-format", "combined", "--fields", "url")

OTHER = "127.0.0.2"

HOUR_US = 3_600 * 10**6


def lines(first: int, count: int, name: str = "") -> list[bytes]:
    return [line(f"/{name}{number}") for number in range(first, first + count)]


def lose(sink: Sink, parameter: bytes, name: bytes = b"appendBatch") -> None:
    """Send a batch, and close the connection after it was counted, without reading the answer."""
    with sink:
        sink.send(sink.frame(name, parameter))
        # The answer has arrived, so the batch was counted.
        assert sink.socket.recv(1, socket.MSG_PEEK)


def totals(receiver: Process) -> tuple[int, int, int]:
    """End it, and return the fed, the counted and the resent lines of its last snapshot."""
    assert receiver.end(signal.SIGTERM) == 0
    found = receiver.snapshots()[-1]["lines"]
    return found["fed"], found["counted"], found["resent"]


def one_row_each(receiver: Process) -> None:
    rows = receiver.snapshots()[-1]["rows"]
    assert {row["count"] for row in rows} == {1}


# --- real sockets ---------------------------------------------------------------------------------


def test_a_batch_that_is_sent_again_whole_longer_and_on_a_third_connection_counts_once() -> None:
    with running(*TOP) as receiver:
        lose(Sink(receiver.port), events(lines(0, 5)))
        # It has got longer, because the channel has; that answer is lost too, and the next.
        lose(Sink(receiver.port), events(lines(0, 8)))
        lose(Sink(receiver.port), events(lines(0, 8)))
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 9)) == OK
            assert sink.batch(lines(9, 3)) == OK
        assert totals(receiver) == (12, 12, 5 + 8 + 8)
        one_row_each(receiver)


def test_rows_are_printed_once() -> None:
    with running(*PARSE) as receiver:
        lose(Sink(receiver.port), events(lines(0, 3)))
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 4)) == OK
        receiver.process.send_signal(signal.SIGTERM)
        assert receiver.closed() == 0
        assert [json.loads(row)["url"] for row in receiver.printed] == ["/0", "/1", "/2", "/3"]
        assert "3 resent" in receiver.messages[-1]


def test_single_events_that_are_sent_again_count_once() -> None:
    with running(*TOP) as receiver:
        lose(Sink(receiver.port), event(line("/one")), b"append")
        with Sink(receiver.port) as sink:
            assert sink.call(b"append", event(line("/one"))) == OK
            # On the same connection the sender had its answer.
            assert sink.call(b"append", event(line("/one"))) == OK
        # An event is the beginning of a batch.
        lose(Sink(receiver.port), event(line("/two")), b"append")
        with Sink(receiver.port) as sink:
            assert sink.batch([line("/two"), line("/three")]) == OK
        assert totals(receiver) == (4, 4, 2)


def test_what_is_not_the_whole_batch_counts() -> None:
    with running(*TOP) as receiver:
        lose(Sink(receiver.port), events(lines(0, 6)))
        with Sink(receiver.port) as sink:
            # Smaller pieces, as after an agent's batch size was made smaller.
            assert sink.batch(lines(0, 3)) == OK
            assert sink.batch(lines(3, 3)) == OK
            # The last event differs; nothing is skipped.
            assert sink.batch([*lines(0, 5), line("/other")]) == OK
            # Not at the beginning.
            assert sink.batch([line("/before"), *lines(0, 6)]) == OK
            # Another time of the same line.
            assert sink.batch(lines(0, 6), stamp=b"1500000000001") == OK
            # At last. The batch is still remembered, since none of these was it.
            assert sink.batch(lines(0, 6)) == OK
            # Found once, it is known under this connection.
            assert sink.batch(lines(0, 6)) == OK
        assert totals(receiver) == (6 + 6 + 6 + 7 + 6 + 6, 6 + 6 + 6 + 7 + 6 + 6, 6)


def test_equal_batches_of_two_connections_count_once_and_of_one_connection_each_time() -> None:
    with running(*TOP) as receiver, Sink(receiver.port) as one, Sink(receiver.port) as other:
        for _ in range(3):
            assert one.batch(lines(0, 4)) == OK
        # It cannot be told from one that was sent again.
        assert other.batch(lines(0, 4)) == OK
        # Used up: an answer that the first connection had is not lost twice.
        assert one.batch(lines(4, 4)) == OK
        assert other.batch(lines(8, 4)) == OK
        assert totals(receiver) == (12 + 8, 12 + 8, 4)


def test_another_address_is_another_sender() -> None:
    with running("top", "flume://0.0.0.0:0", *TOP[2:]) as receiver:
        lose(Sink(receiver.port), events(lines(0, 4)))
        with Sink(receiver.port, address=OTHER) as sink:
            assert sink.batch(lines(0, 4)) == OK
        lose(Sink(receiver.port, address=OTHER), events(lines(4, 4)))
        with Sink(receiver.port, address=OTHER) as sink:
            assert sink.batch(lines(4, 4)) == OK
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 4)) == OK
        assert totals(receiver) == (12, 12, 8)


def test_the_same_address_is_the_same_sender_at_another_port() -> None:
    with running("top", FLUME, FLUME, *TOP[2:]) as receiver:
        one, other = receiver.ports
        lose(Sink(one), events(lines(0, 4)))
        with Sink(other) as sink:
            assert sink.batch(lines(0, 5)) == OK
        assert totals(receiver) == (5, 5, 4)


def test_what_was_counted_before_a_kill_or_a_stop_is_skipped_after_it(tmp_path: Path) -> None:
    kept = (*TOP, "--checkpoint", str(tmp_path / "state"))
    with running(*kept) as receiver:
        lose(Sink(receiver.port), events(lines(0, 5)))
        lose(Sink(receiver.port), events(lines(0, 6)))
        receiver.process.kill()
        receiver.closed()
    with running(*kept) as receiver:
        lose(Sink(receiver.port), events(lines(0, 8)))
        assert totals(receiver) == (8, 8, 5 + 6)
    with running(*kept) as receiver:
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 9)) == OK
            assert sink.batch(lines(0, 9)) == OK
        assert totals(receiver) == (18, 18, 5 + 6 + 8)


def test_with_count_everything_counts() -> None:
    with running(*TOP, "--resent", "count") as receiver:
        lose(Sink(receiver.port), events(lines(0, 4)))
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 4)) == OK
        assert totals(receiver) == (8, 8, 0)


def test_the_counters_of_each_window_add_up_to_what_was_sent() -> None:
    with running(*TOP) as receiver:
        lose(Sink(receiver.port), events(lines(0, 5)))
        with Sink(receiver.port) as sink:
            assert sink.batch(lines(0, 7)) == OK
        found = receiver.answer(lambda snapshot: snapshot["lines"]["fed"] == 7)["lines"]
        assert (found["resent"], found["abandoned"]) == (5, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resent", "skp"], "--resent: expected skip or count, found 'skp'; did you mean 'skip'"),
        (["--resent-for", "1x"], "--resent-for: expected a unit such as"),
        (["--resent-for", "0s"], "--resent-for: expected a positive duration, found '0s'"),
    ],
)
def test_wrong_options_are_named(options: list[str], message: str) -> None:
    for verb in (TOP, PARSE):
        with running(*verb, *options) as receiver:
            assert receiver.closed() == 2
            assert message in receiver.messages[0]


def test_wrong_arguments_are_named() -> None:
    for value in ("skp", None, 5, ["skip"]):
        with pytest.raises(ValueError, match="resent: expected skip or count, found"):
            tr.from_flume("127.0.0.1:0", resent=value)  # type: ignore[arg-type] - wrong
    with pytest.raises(ValueError, match="resent_for: expected a positive duration"):
        tr.from_flume("127.0.0.1:0", resent_for="0s")


def test_files_have_no_such_option() -> None:
    for options in (["--resent", "skip"], ["--resent-for", "1h"]):
        with running("top", "README.md", *options) as process:
            assert process.closed() == 2
            assert process.messages == [
                f"tailrace top: {options[0]}: expected a flume:// source, found README.md"
            ]


# --- without sockets ------------------------------------------------------------------------------


class Slow(Commit):
    """A commit that waits until it is free, and can fail."""

    blocks = True

    def __init__(self) -> None:
        self.free = threading.Event()
        self.failures: list[Exception] = []
        self.begun = 0

    def commit(self, group: object) -> None:  # noqa: ARG002 - it keeps nothing
        self.begun += 1
        assert self.free.wait(20)
        if self.failures:
            raise self.failures.pop()


class Peer:
    """A connection of an address, of which the test decides whether it waits."""

    numbers = iter(range(10**9))

    def __init__(self, address: bytes = b"10.0.0.1", source: int = 0) -> None:
        self.address, self.source = address, source
        self.number = next(self.numbers)
        self.sent = 0
        self.answers: list[str] = []
        self.waits = True

    def is_wanted(self) -> bool:
        return self.waits

    def chunk(self, data: bytes, kind: Any = "batch") -> Chunk:  # noqa: ANN401 - a literal
        position = AgentPosition(self.number, self.sent)
        self.sent += 1
        # As of the first call of a connection, its bytes begin with a handshake.
        data, span = b"~~" + data, (2, 2 + len(data))
        is_wanted = self.__dict__.setdefault("wanted", self.is_wanted)
        return Chunk(
            data,
            span,
            kind,
            self.source,
            lambda outcome, _: self.answers.append(outcome),
            is_wanted,
            position,
            self.address,
        )


class Machine:
    """The pump of a query, fed with chunks by hand."""

    def __init__(self, commit: Commit | None = None, **options: Any) -> None:  # noqa: ANN401
        source = tr.from_flume("127.0.0.1:0", format="combined", **options)
        query = source.window("1d", every="1d", batch_interval="1d").count(by="url").sorted()
        self.run = query._start(commit=commit)
        self.loop = self.run.pump.loop()
        next(self.loop)

    def send(self, *chunks: Chunk) -> None:
        step = self.loop.send(list(chunks))
        while step is None or not hasattr(step, "receives"):
            step = self.loop.send(None)

    def settle(self) -> None:
        """Wait until everything that was sent is settled."""

        def is_settled() -> bool:
            self.send()
            return not self.run.pump._in_flight

        wait_for(is_settled)

    @property
    def resent(self) -> Resent:
        found = self.run.pump._resent
        assert found is not None
        return found

    @property
    def counts(self) -> tuple[int, int, int]:
        """The fed, the resent and the abandoned lines."""
        found = self.run.processor.lines()
        return found["fed"], found["resent"], found["abandoned"]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_batch_that_was_not_counted_is_not_remembered(machine: Machine) -> None:
    data = events(lines(0, 3))
    gone, malformed, again = Peer(), Peer(), Peer()
    gone.waits = False
    machine.send(gone.chunk(data), malformed.chunk(data[:-3]), again.chunk(data))
    assert (gone.answers, malformed.answers, again.answers) == (["close"], ["close"], ["ok"])
    assert machine.counts == (3, 0, 3)


def test_what_an_abandoned_batch_repeats_is_remembered_again(machine: Machine) -> None:
    one, gone, third, fourth = Peer(), Peer(), Peer(), Peer()
    gone.waits = False
    machine.send(one.chunk(events(lines(0, 3))))
    machine.send(gone.chunk(events(lines(0, 5))))
    # All of the dropped batch is abandoned, so batches add up to counters.
    assert machine.counts == (3, 0, 5)
    machine.send(third.chunk(events(lines(0, 5))))
    assert machine.counts == (5, 3, 5)
    machine.send(fourth.chunk(events(lines(0, 5))))
    assert machine.counts == (5, 8, 5)


def test_a_malformed_batch_repeats_nothing(machine: Machine) -> None:
    one, broken, again = Peer(), Peer(), Peer()
    machine.send(one.chunk(events(lines(0, 3))))
    machine.send(broken.chunk(events(lines(0, 5))[:-2]))
    assert (broken.answers, machine.counts) == (["close"], (3, 0, 0))
    machine.send(again.chunk(events(lines(0, 5))))
    assert machine.counts == (5, 3, 0)


@pytest.mark.parametrize("fails", [False, True])
def test_while_the_first_is_committed_the_second_waits_for_its_outcome(*, fails: bool) -> None:
    commit = Slow()
    machine = Machine(commit)
    one, again, other = Peer(), Peer(), Peer(b"10.0.0.2")
    machine.send(one.chunk(events(lines(0, 3))))
    # Nothing more has arrived, so the commit begins.
    machine.send()
    assert commit.begun == 1
    if fails:
        commit.failures.append(CommitError("no space"))
    step = machine.loop.send([again.chunk(events(lines(0, 4))), other.chunk(events(lines(9, 1)))])
    # It does not even work on them.
    assert not step.receives  # type: ignore[union-attr] - a wait
    assert (commit.begun, one.answers, again.answers, other.answers) == (1, [], [], [])
    commit.free.set()
    machine.settle()
    assert one.answers == ["failed" if fails else "ok"]
    expected = (5, 0, 0) if fails else (5, 3, 0)
    assert (machine.counts, again.answers, other.answers) == (expected, ["ok"], ["ok"])


def test_while_something_else_is_committed_a_batch_does_not_wait() -> None:
    commit = Slow()
    machine = Machine(commit)
    one, other = Peer(), Peer()
    machine.send(one.chunk(events(lines(0, 3))))
    machine.send()
    assert commit.begun == 1
    step = machine.loop.send([other.chunk(events(lines(1, 3)))])
    assert step.receives  # type: ignore[union-attr] - a wait
    commit.free.set()
    machine.settle()
    assert machine.counts == (6, 0, 0)


def test_after_a_failed_commit_what_was_repeated_is_remembered_again() -> None:
    commit = Slow()
    commit.free.set()
    machine = Machine(commit)
    one, fails, again = Peer(), Peer(), Peer()
    machine.send(one.chunk(events(lines(0, 3))))
    machine.settle()
    commit.failures.append(CommitError("no space"))
    machine.send(fails.chunk(events(lines(0, 4))))
    machine.settle()
    assert (fails.answers, machine.counts) == (["failed"], (3, 0, 0))
    machine.send(again.chunk(events(lines(0, 4))))
    machine.settle()
    assert machine.counts == (4, 3, 0)


def test_empty_batches_repeat_nothing_and_are_repeated_by_nothing(machine: Machine) -> None:
    one, other, third = Peer(), Peer(), Peer()
    machine.send(one.chunk(b"\0"), other.chunk(b"\0"), other.chunk(events(lines(0, 2))))
    # With an empty batch a connection shows that it had its answer.
    machine.send(other.chunk(b"\0"), third.chunk(events(lines(0, 2))))
    assert machine.counts == (4, 0, 0)


def headed(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    pairs = b"".join(sized(name) + sized(value) for name, value in headers)
    return long(len(headers)) + pairs + b"\0" + sized(body)


def test_neither_the_order_of_headers_nor_the_structure_of_blocks_matters(machine: Machine) -> None:
    headers = [(b"timestamp", b"1"), (b"host", b"a"), (b"zone", b"b")]
    one = [headed(headers, each) for each in lines(0, 3)]
    other = [headed(headers[::-1], each) for each in lines(0, 3)]
    whole = b"\6" + b"".join(one) + b"\0"
    blocks = b"".join(b"\1" + long(len(each)) + each for each in other) + b"\0"
    different = b"\6" + b"".join(headed(headers[:2], each) for each in lines(0, 3)) + b"\0"
    machine.send(Peer().chunk(whole), Peer().chunk(different))
    assert machine.counts == (6, 0, 0)
    machine.send(Peer().chunk(blocks))
    assert machine.counts == (6, 3, 0)


def test_a_large_batch_is_recognised_while_the_first_is_worked_on() -> None:
    machine = Machine()
    one, again = Peer(), Peer()
    data = events(lines(0, 4_000, "x" * 60))
    assert len(data) > 256 * 1024
    machine.send(one.chunk(data), again.chunk(data))
    machine.settle()
    assert machine.counts == (4_000, 4_000, 0)


def test_the_longest_of_several_is_repeated(machine: Machine) -> None:
    one, other = Peer(), Peer()
    machine.send(one.chunk(events(lines(0, 2))), other.chunk(events([line("/0"), line("/x")])))
    machine.send(one.chunk(events(lines(0, 1))), other.chunk(events(lines(0, 3))))
    # The other one repeats the event, and is known with all its events.
    assert machine.counts == (2 + 2 + 1 + 2, 1, 0)
    machine.send(one.chunk(events(lines(0, 1))))
    machine.send(Peer().chunk(events(lines(0, 4))))
    assert machine.counts == (7 + 1 + 1, 1 + 3, 0)


# --- the memory itself ----------------------------------------------------------------------------

COMBINED = Format("combined")


def stamped(chunk: Chunk, at_us: int, resent_us: int | None = HOUR_US) -> StampedChunk:
    origin = Origin("made up", "combined", resent_us=resent_us)
    return StampedChunk(chunk, COMBINED, at_us, origin, at_us)


def skipped(memory: Resent, peer: Peer, data: bytes, at_us: int) -> int:
    again = memory.take(stamped(peer.chunk(data), at_us)).again
    return 0 if again is None else again.events


SECOND_US = 10**6


def listening(memory: Resent, first_us: int, last_us: int) -> None:
    for at_us in range(first_us, last_us + 1, SECOND_US):
        memory.tick(at_us)


@pytest.mark.parametrize(("after_s", "expected"), [(3_599, 2), (3_601, 0)])
def test_a_batch_is_remembered_for_the_time_of_the_option(after_s: int, expected: int) -> None:
    memory = Resent(SECOND_US, 0, HOUR_US)
    data = events(lines(0, 2))
    assert skipped(memory, Peer(), data, 0) == 0
    listening(memory, 0, after_s * SECOND_US)
    assert skipped(memory, Peer(), data, after_s * SECOND_US) == expected


def test_the_time_runs_only_while_it_listens() -> None:
    memory = Resent(SECOND_US, 5 * SECOND_US, HOUR_US)
    data = events(lines(0, 2))
    assert skipped(memory, Peer(), data, 5 * SECOND_US) == 0
    # Stopped for a day, and no tick was due since.
    day_us = 24 * HOUR_US
    assert skipped(memory, Peer(), data, day_us) == 2
    memory.tick(day_us)
    listening(memory, day_us, day_us + 3_590 * SECOND_US)
    assert skipped(memory, Peer(), data, day_us + 3_590 * SECOND_US) == 2


def test_what_nobody_sends_again_any_more_is_forgotten() -> None:
    memory = Resent(SECOND_US, 0, HOUR_US)
    for peer in (Peer(), Peer(), Peer(b"10.0.0.2")):
        skipped(memory, peer, events(lines(peer.number, 2)), 0)
    listening(memory, 0, HOUR_US + 61 * SECOND_US)
    assert (memory._senders, memory._only, memory._begins) == ({}, {}, {})
    assert (memory._count, memory._bytes) == (0, 0)


def test_of_more_batches_than_the_limit_the_oldest_go_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BATCHES", 32)
    said: list[str] = []
    memory = Resent(SECOND_US, 0, HOUR_US, warn=said.append)
    for number in range(40):
        skipped(memory, Peer(), events(lines(number, 2)), number)
        assert memory._count <= 32
    assert len(said) == 1
    assert "more than 32 connections within the time of --resent-for" in said[0]
    assert skipped(memory, Peer(), events(lines(0, 2)), 40) == 0
    assert skipped(memory, Peer(), events(lines(39, 2)), 40) == 2


def test_of_more_bytes_than_the_limit_the_oldest_are_digests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 20_000)
    memory = Resent(SECOND_US, 0, HOUR_US)
    peers = [Peer(b"10.0.0.%d" % (number % 7)) for number in range(60)]
    for peer in peers:
        skipped(memory, peer, events(lines(peer.number * 10, 10)), peer.number)
        held = sum(batch.size for batches in memory._senders.values() for batch in batches.values())
        assert memory._bytes == held <= 20_000
    for peer in peers:
        other = Peer(peer.address)
        assert skipped(memory, other, events(lines(peer.number * 10, 10)), 10**6) == 10


def test_sources_that_count_everything_remember_nothing() -> None:
    memory = Resent(SECOND_US, 0, HOUR_US)
    for _ in range(2):
        taken = stamped(Peer().chunk(events(lines(0, 2))), 0, None)
        assert memory.take(taken) is taken
        assert not memory.finds(taken)
    assert memory._count == 0


# --- a dull oracle --------------------------------------------------------------------------------


class Oracle:
    """Remembers lists of events."""

    def __init__(self) -> None:
        self.last: dict[tuple[bytes, object], tuple[list[bytes], int]] = {}

    def skips(self, peer: Peer, bodies: list[bytes], at_us: int, *, counts: bool = True) -> int:
        found = [
            (len(known), key)
            for key, (known, known_us) in self.last.items()
            if key[0] == peer.address
            and key[1] is not peer
            and known
            and bodies[: len(known)] == known
            and at_us - known_us <= HOUR_US
        ]
        most, key = max(found, default=(0, None), key=lambda one: one[0])
        self.last.pop((peer.address, peer), None)
        if counts:
            if key is not None:
                del self.last[key]
            self.last[peer.address, peer] = bodies, at_us
        return most if counts else 0


@pytest.mark.parametrize("seed", range(30))
def test_random_schedules_are_counted_as_a_dull_oracle_counts(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    machine, oracle = Machine(), Oracle()
    addresses = [b"10.0.0.1", b"10.0.0.2"][: chance.choice([1, 2])]
    peers: list[Peer] = []
    sent: list[tuple[bytes, list[bytes]]] = []
    fed = skipped_lines = abandoned = 0
    for number in range(200):
        if not peers or chance.random() < 0.3:
            peers.append(Peer(chance.choice(addresses)))
            peers = peers[-4:]
        peer = chance.choice(peers)
        if sent and chance.random() < 0.5:
            # Some batch again: as it was, longer, cut, or of another address.
            _, bodies = chance.choice(sent[-6:])
            bodies = bodies[: chance.choice([len(bodies)] * 3 + [len(bodies) // 2])]
            bodies = bodies + lines(number * 10, chance.choice([0, 0, 2]))
        else:
            bodies = lines(number * 10, chance.choice([0, 1, 1, 3, 5]))
        peer.waits = chance.random() < 0.9
        single = len(bodies) == 1 and chance.random() < 0.5
        data = event(bodies[0]) if single else events(bodies)
        expected = oracle.skips(peer, bodies, 0, counts=peer.waits)
        machine.send(peer.chunk(data, "event" if single else "batch"))
        if peer.waits:
            fed += len(bodies) - expected
            skipped_lines += expected
        else:
            abandoned += len(bodies)
        assert machine.counts == (fed, skipped_lines, abandoned), number
        sent.append((peer.address, bodies))
    assert skipped_lines > 20


# --- for a journal --------------------------------------------------------------------------------


def remembered(memory: Resent) -> list[tuple[object, ...]]:
    """Return what is remembered, without the bytes."""
    memory.state()
    return sorted(
        (sender, memory._full(key), batch.at_us, batch.count, batch.first, batch.digest)
        for sender, batches in memory._senders.items()
        for key, batch in batches.items()
        if batch.count
    )


@pytest.mark.parametrize("seed", range(10))
def test_notes_and_states_rebuild_what_is_remembered(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    memory = Resent(SECOND_US, 77 * SECOND_US, HOUR_US)
    state, notes = memory.state(), list[bytes]()
    for run in range(3):
        peers: list[Peer] = []
        for number in range(60):
            if not peers or chance.random() < 0.3:
                peers.append(Peer(chance.choice([b"10.0.0.1", b"10.0.0.2", b"::1"])))
                # Numbers of connections begin again in each run.
                peers[-1].number = len(peers)
            bodies = lines(chance.randrange(5), chance.randrange(4))
            at_us = 77 * SECOND_US + run * 1_000 + number
            taken = memory.take(stamped(chance.choice(peers).chunk(events(bodies)), at_us))
            note = memory.note(taken)
            assert note is not None
            notes.append(note)
            if chance.random() < 0.05:
                state, notes = memory.state(), []
        # Killed.
        restored = Resent(SECOND_US, 77 * SECOND_US, HOUR_US)
        restored.restore(state)
        for note in notes:
            restored.apply(note)
        assert remembered(restored) == remembered(memory)
        memory = restored


def test_after_a_restart_every_connection_has_ended_and_time_goes_on() -> None:
    memory = Resent(SECOND_US, 0, HOUR_US)
    peer, data = Peer(), events(lines(0, 3))
    memory.note(memory.take(stamped(peer.chunk(data), 0)))
    listening(memory, 0, 1_800 * SECOND_US)
    state = memory.state()
    # Down for a day; the monotonic clock may begin anew.
    for start_us in (0, 24 * HOUR_US):
        for more_s, expected in ((1_790, 3), (1_810, 0)):
            restored = Resent(SECOND_US, start_us, HOUR_US)
            restored.restore(state)
            end_us = start_us + more_s * SECOND_US
            listening(restored, start_us, end_us)
            same = Peer()
            same.number, same.sent = peer.number, 0
            assert skipped(restored, same, data, end_us) == expected


def test_a_batch_of_the_same_round_as_the_next_of_its_connection_has_a_note() -> None:
    memory, peer = Resent(SECOND_US, 0, HOUR_US), Peer()
    both = [memory.take(stamped(peer.chunk(events(lines(n, 2))), 0)) for n in (0, 2)]
    restored = Resent(SECOND_US, 0, HOUR_US)
    for taken in both:
        note = memory.note(taken)
        assert note is not None
        restored.apply(note)
    assert remembered(restored) == remembered(memory)
    assert skipped(restored, Peer(), events(lines(2, 2)), 0) == 2
