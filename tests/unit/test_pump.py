"""The pump (receive, work, commit, settle, acknowledge) and its contract with a slow commit."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Sink, free_port, line, wait_for
from places import DATA
from wire import FAILED, events, refusal

import tailrace as tr
from tailrace._runtime.commit import Commit, CommitError
from tailrace._runtime.counting import Counting
from tailrace._runtime.rows import RowOptions
from tailrace._runtime.stage import Origin
from tailrace._sources.flume import AgentPosition, Flume
from tailrace._sources.text import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tailrace._runtime.run import Run
    from tailrace._runtime.stage import StampedChunk


# Of lines from 2015.
OLD = {"lateness": "0s", "max_behind": "20000d"}


class Ledger(Commit):
    """A commit that keeps a list, blocks until `free` is set, and raises `failure` if set."""

    def __init__(self, *, blocks: bool = True) -> None:
        self.blocks = blocks
        self.groups: list[list[StampedChunk]] = []
        self.begun = 0
        self.failure: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self._runs = threading.Lock()

    def commit(self, group: Sequence[tuple[StampedChunk, Any]]) -> None:
        assert self._runs.acquire(blocking=False), "two commits at once"
        try:
            self.begun += 1
            assert self.free.wait(20)
            if self.failure is not None:
                raise self.failure
            self.groups.append([taken for taken, _ in group])
        finally:
            self._runs.release()

    def kept(self) -> list[StampedChunk]:
        return [taken for group in self.groups for taken in group if taken.log_format is not None]


class Running:
    """A run in its own thread, as in a program."""

    def __init__(self, run: Run[Any, Any]) -> None:
        self.run = run
        self.results: list[Any] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._iterate, daemon=True)
        self._thread.start()

    def _iterate(self) -> None:
        try:
            if self.run.live is not None:
                asyncio.run(self._await())
            else:
                for result in self.run:
                    self.results.append(result)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    async def _await(self) -> None:
        self.loop = asyncio.get_running_loop()
        async for result in self.run.awaited():
            self.results.append(result)

    def call(self, function: Callable[..., object], *arguments: object) -> object:
        """Call a function in the thread of the run."""

        async def called() -> object:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(20)

    def end(self) -> None:
        """Wait for the end; a live run is stopped, which the next tick notices."""
        self.run.stop.is_requested = self.run.live is not None
        self._thread.join(20)
        assert not self._thread.is_alive()


@contextmanager
def served(commit: Ledger, **window: str) -> Iterator[tuple[Running, int]]:
    """Run a count of agents' lines by arrival, in windows of 100 ms."""
    port = free_port()
    query = tr.from_flume(f"127.0.0.1:{port}", format="combined", resent="count")
    shape = {"length": "100ms", "batch_interval": "50ms", **window}
    running = Running(query.window(**shape).count(by="url")._start(commit=commit))
    try:
        wait_for(lambda: running.run.live._opened or running.error)
        yield running, port
    finally:
        commit.free.set()
        running.end()


@contextmanager
def connected(port: int) -> Iterator[Sink]:
    """Connect a sink whose first batch was answered, so that any number can be in flight."""
    with Sink(port) as sink:
        assert sink.batch([line("/first")]) == OK
        yield sink


def batches(sink: Sink, number: int, count: int) -> None:
    """Send batches of one line each, without waiting for answers."""
    frames = [
        sink.frame(b"appendBatch", events_of(line(f"/{number}/{batch}"))) for batch in range(count)
    ]
    sink.send(b"".join(frames))


def events_of(*bodies: bytes) -> bytes:
    return events(list(bodies))


def received(running: Running) -> int:
    return chunks_of(running.run)


def chunks_of(run: Run[Any, Any]) -> int:
    return run.counts()["receive"].batches


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition inside an event loop."""
    await asyncio.to_thread(wait_for, condition)


def totals(running: Running) -> int:
    return sum(snapshot.total for snapshot in running.results)


# --- the contract of a commit ---------------------------------------------------------------------


def test_one_commit_takes_all_waiting_chunks_in_arrival_order():
    ledger = Ledger()
    with served(ledger) as (running, port), connected(port) as one, connected(port) as other:
        ledger.free.clear()
        batches(one, 1, 1)
        wait_for(lambda: ledger.begun == 3)
        batches(one, 1, 30)
        batches(other, 2, 20)
        wait_for(lambda: received(running) == 53)
        assert ledger.begun == 3
        ledger.free.set()
        assert [one.answer() for _ in range(31)] == [OK] * 31
        assert [other.answer() for _ in range(20)] == [OK] * 20

    assert [len(group) for group in ledger.groups] == [1, 1, 1, 50]
    places = [taken.chunk.position for taken in ledger.kept()]
    for connection in {place.connection for place in places}:
        own = [place.batch for place in places if place.connection == connection]
        assert own == list(range(len(own)))
    stamps = [taken.now_us for taken in ledger.kept()]
    assert stamps == sorted(stamps)
    assert running.run.processor.lines()["counted"] == 53


def test_nothing_is_acknowledged_or_counted_before_its_commit():
    ledger = Ledger()
    with served(ledger) as (running, port), Sink(port) as sink:
        ledger.free.clear()
        sink.send(sink.frame(b"appendBatch", events_of(line("/a"), line("/b"))))
        wait_for(lambda: ledger.begun == 1)
        sink.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sink.socket.recv(1)
        assert running.run.processor.lines()["fed"] == 0
        sink.socket.settimeout(20)
        ledger.free.set()
        assert sink.answer() == OK
        assert running.run.processor.lines()["counted"] == 2


def test_the_clock_waits_until_chunks_stamped_earlier_are_settled():
    ledger = Ledger()
    window = {"length": "2s", "every": "100ms"}
    with served(ledger, **window) as (running, port), connected(port) as sink:
        ledger.free.clear()
        sink.send(sink.frame(b"appendBatch", events_of(line("/a"))))
        wait_for(lambda: ledger.begun == 2)
        stamped_by = time.time()
        time.sleep(0.5)
        # The end of its pane has long passed, but no snapshot was returned.
        assert all(snapshot.end.timestamp() <= stamped_by for snapshot in running.results)
        # A chunk received meanwhile is stamped with its own arrival time.
        sink.send(sink.frame(b"appendBatch", events_of(line("/b"))))
        wait_for(lambda: received(running) == 3)
        ledger.free.set()
        assert [sink.answer(), sink.answer()] == [OK, OK]
        wait_for(lambda: [snapshot for snapshot in running.results if snapshot.total == 3])

    first, a, b = (taken.now_us for taken in ledger.kept())
    assert b - a > 400_000
    for snapshot in running.results:
        start, end = (bound.timestamp() * 1e6 for bound in (snapshot.start, snapshot.end))
        assert snapshot.total == sum(start <= stamp < end for stamp in (first, a, b))
        assert snapshot.lines["late"] == 0
    # No end is missing or repeated.
    ends = [round(snapshot.end.timestamp() * 10) for snapshot in running.results]
    assert ends == list(range(ends[0], ends[0] + len(ends)))


def test_a_failed_commit_is_reported_to_its_senders_and_the_run_continues():
    ledger = Ledger()
    with served(ledger) as (running, port), connected(port) as one, connected(port) as other:
        ledger.free.clear()
        batches(one, 1, 1)
        wait_for(lambda: ledger.begun == 3)
        batches(one, 1, 2)
        batches(other, 2, 2)
        wait_for(lambda: received(running) == 7)
        ledger.failure = CommitError("no space left")
        ledger.free.set()
        assert [one.answer() for _ in range(3)] == [FAILED] * 3
        assert [other.answer() for _ in range(2)] == [FAILED] * 2
        assert running.run.processor.lines()["fed"] == 2
        ledger.failure = None
        assert one.batch([line("/a")]) == OK
        assert other.batch([line("/b")]) == OK
        wait_for(lambda: totals(running) == 4)
        counts = running.run.counts()

    assert running.error is None
    assert counts["commit"].errors == {"CommitError": 2}
    assert counts["acknowledge"].errors == {"failed": 5}
    assert counts["settle"].events == 4


def test_any_other_commit_failure_is_reported_to_the_senders_and_ends_the_run():
    ledger = Ledger()
    with served(ledger) as (running, port), Sink(port) as sink:
        ledger.failure = OSError(5, "Input/output error")
        assert sink.batch([line("/a")]) == FAILED
        wait_for(lambda: running.error)
        assert sink.is_closed()

    assert running.error is ledger.failure
    assert totals(running) == 0


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_failed_commit_of_a_source_without_a_sender_ends_the_run(
    tmp_path: Path,
    blocks: bool,  # noqa: FBT001 - a parameter of pytest
    jobs: int,
):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")
    ledger = Ledger(blocks=blocks)
    ledger.failure = CommitError("no space left")
    run = tr.from_files(log, format="combined").count(by="url")._start(commit=ledger, jobs=jobs)
    with pytest.raises(CommitError, match="no space left"):
        list(run)
    assert run.processor.lines()["fed"] == 0


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("jobs", [1, 3])
def test_files_give_the_same_snapshots_with_and_without_a_commit(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    blocks: bool,  # noqa: FBT001 - a parameter of pytest
    jobs: int,
):
    monkeypatch.setattr("tailrace._sources.text._CHUNK_BYTES", 50_000)
    paths = []
    for packed in sorted(DATA.glob("*.gz")):
        paths.append(tmp_path / packed.stem)
        paths[-1].write_bytes(gzip.decompress(packed.read_bytes()))
    query = tr.from_files(*paths).window("1d", every="1h").count(by="url").top(3)
    ledger = Ledger(blocks=blocks)
    run = query._start(commit=ledger, jobs=jobs)
    assert [s.to_json() for s in run] == [s.to_json() for s in query._start()]
    chunks = [taken.chunk for taken in ledger.kept()]
    assert len(chunks) > 20
    for number, path in enumerate(paths):
        spans = [chunk.data[slice(*chunk.span)] for chunk in chunks if chunk.source == number]
        assert b"".join(spans) == path.read_bytes()
    # The end of a source is committed after its chunks.
    ends = [taken for group in ledger.groups for taken in group if taken.log_format is None]
    assert sorted(taken.chunk.source for taken in ends) == list(range(len(paths)))


def test_at_the_end_every_taken_chunk_is_committed_counted_and_acknowledged():
    ledger = Ledger()
    with served(ledger, length="1h", every="1h") as (running, port), connected(port) as sink:
        ledger.free.clear()
        batches(sink, 1, 1)
        wait_for(lambda: ledger.begun == 2)
        batches(sink, 1, 4)
        wait_for(lambda: received(running) == 6)
        running.run.stop.is_requested = True
        time.sleep(0.2)
        ledger.free.set()
        assert [sink.answer() for _ in range(5)] == [OK] * 5

    assert [len(group) for group in ledger.groups] == [1, 1, 4]
    assert running.run.processor.lines()["counted"] == 6


def test_an_abandoned_run_waits_for_its_commit_and_settles_nothing_more():
    ledger = Ledger()
    ledger.free.clear()
    port = free_port()
    query = tr.from_flume(f"127.0.0.1:{port}", format="combined", resent="count")
    run = query.window("100ms", batch_interval="50ms").count(by="url")._start(commit=ledger)

    async def main() -> float:
        async def look() -> None:
            async for _ in run.awaited():
                pass

        looking = asyncio.create_task(look())
        await until(lambda: run.live._opened)
        with Sink(port) as sink:
            sink.send(sink.frame(b"appendBatch", events_of(line("/a"))))
            await until(lambda: ledger.begun)
            threading.Timer(0.3, ledger.free.set).start()
            begun = time.monotonic()
            looking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await looking
            taken_s = time.monotonic() - begun
            assert await asyncio.to_thread(sink.is_closed)
        return taken_s

    assert asyncio.run(main()) > 0.25
    assert [len(group) for group in ledger.groups] == [1]
    assert run.processor.lines()["fed"] == 0


# --- rows -----------------------------------------------------------------------------------------


def plain(batches: tr.Batches) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_dicts()]


def test_rows_of_files_are_returned_in_batches_in_file_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("tailrace._sources.text._CHUNK_BYTES", 50_000)
    paths = []
    for packed in sorted(DATA.glob("*.gz")):
        paths.append(tmp_path / packed.stem)
        paths[-1].write_bytes(gzip.decompress(packed.read_bytes()))
    for jobs in (1, 3):
        seen: dict[str, list[dict[str, Any]]] = {str(path): [] for path in paths}
        rejects: dict[str, list[int]] = {str(path): [] for path in paths}
        batches = tr.from_files(*paths).parse(["time", "url", "size"], jobs=jobs)
        fed: Counter[str] = Counter()
        for batch in batches:
            assert batch.source is not None
            assert batch.first_line == fed[batch.source]
            fed[batch.source] += len(batch) + len(batch.rejects) + batch.filtered
            seen[batch.source] += batch.to_dicts()
            rejects[batch.source] += [batch.first_line + one.line for one in batch.rejects]
        for path in paths:
            whole = tr.Format("combined").parse(path.read_bytes(), fields=["time", "url", "size"])
            assert seen[str(path)] == whole.to_dicts()
            assert rejects[str(path)] == [reject.line for reject in whole.rejects]
        assert batches.lines["fed"] == sum(fed.values())
        assert batches.lines["rejected"]["no-match"] == sum(map(len, rejects.values()))


def test_rows_apply_conditions_and_return_the_selected_columns(tmp_path: Path):
    log = tmp_path / "a log"
    log.write_bytes(b"".join(each + b"\n" for each in [line("/a"), line("/b"), b"-", line("/a")]))
    query = tr.from_files(log).where("url == /a")
    (batch,) = query.parse()
    assert [row["url"] for row in batch.to_dicts()] == ["/a", "/a"]
    assert batch.fields == tr.Format("combined").columns
    assert batch.filtered == 1
    (batch,) = query.parse(("path:1", "url"))
    assert batch.select(["url"]).source == str(log)
    assert plain(tr.from_lines([]).parse()) == []
    for wrong, message in [
        (lambda: query.count(by="url").parse(), "omit window, count, agg and top"),
        (lambda: query.window("1m").parse(), "omit window, count, agg and top"),
        (lambda: tr.from_files(log, format="combined").parse(["colour"]), "colour"),
        (lambda: query.parse(jobs=0), "jobs: expected at least 1 thread"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(TypeError, match="a list of names"):
        query.parse("url")
    with pytest.raises(FileNotFoundError):
        list(tr.from_files(tmp_path / "missing").parse())


def test_an_agents_batch_is_acknowledged_when_the_next_rows_are_requested():
    port = free_port()
    batches = tr.from_flume(f"127.0.0.1:{port}", format="combined", resent="count").parse(["url"])
    answers: list[object] = []

    def send() -> None:
        wait_for(lambda: is_listening(port))
        for number in range(2):
            with Sink(port) as sink:
                sink.send(sink.frame(b"appendBatch", events_of(line(f"/{number}"))))
                # The connection without an answer is closed.
                answers.append(sink.answer() if number == 0 else sink.is_closed())

    sender = threading.Thread(target=send)
    sender.start()
    with batches:
        assert next(batches).to_dicts() == [{"url": "/0"}]
        time.sleep(0.2)
        assert answers == []
        assert next(batches).to_dicts() == [{"url": "/1"}]
        assert answers == [OK]
    sender.join(20)
    # The second was handed out, but no further rows were requested: its agent sends it again.
    assert answers == [OK, True]


def test_rows_of_a_followed_file_are_returned_as_they_are_written(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(line("/a") + b"\n")

    async def main() -> list[dict[str, Any]]:
        rows = []
        async with tr.from_files(log, follow=True).parse(["url"]) as batches:
            async for batch in batches:
                rows += batch.to_dicts()
                if len(rows) == 2:
                    break
                with log.open("ab") as file:
                    file.write(line("/b") + b"\n")
        return rows

    assert asyncio.run(main()) == [{"url": "/a"}, {"url": "/b"}]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- adding and removing sources ------------------------------------------------------------------


def at(second: int, url: str) -> bytes:
    return line(url, time_text=f"17/May/2015:10:00:{second:02} +0000")


def test_a_file_is_added_and_removed_during_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("tailrace._sources.text._CHUNK_BYTES", 200)
    logs = {}
    for name in "abc":
        lines = [at(second, f"/{name}") for second in range(0, 60, 2)]
        logs[name] = tmp_path / name
        logs[name].write_bytes(b"".join(one + b"\n" for one in lines))
    query = tr.from_files(logs["a"], format="combined")
    run = query.window("10s", time="log", lateness="0s").count(by="url")._start()
    results = iter(run)
    first = next(results)
    added = run.add(File(str(logs["b"])), Origin("b", "combined"))
    removed = run.add(File(str(logs["c"])), Origin("c", "combined"))
    run.remove(removed)
    assert [added, removed] == [1, 2]
    rest = list(results)

    assert [(row["url"], row["count"]) for row in first.rows] == [("/a", 5)]
    lines = rest[-1].lines
    # Lines of the new source for windows already answered are late; all others count.
    assert lines["fed"] == 60
    assert lines["late"] == 5
    assert [s.total for s in rest] == [10, 10, 10, 10, 10]


def test_an_agents_address_is_added_and_removed_during_a_run():
    first, second = free_port(), free_port()
    query = tr.from_flume(f"127.0.0.1:{first}", format="combined", resent="count")
    run = query.window("10s", time="log", batch_interval="50ms", **OLD).count(by="url")
    run = run._start()

    async def send(port: int, *lines: bytes) -> bytes:
        def batch() -> bytes:
            with Sink(port) as sink:
                return sink.batch(list(lines))

        return await asyncio.to_thread(batch)

    async def main() -> list[tr.Snapshot]:
        seen: list[tr.Snapshot] = []

        async def look() -> None:
            async for snapshot in run.awaited():
                seen.append(snapshot)  # noqa: PERF401 - looked at meanwhile

        looking = asyncio.create_task(look())
        await until(lambda: is_listening(first))
        assert await send(first, at(1, "/first"), at(9, "/first")) == OK
        number = run.add(Flume("127.0.0.1", second), Origin("second", "combined"))
        assert number == 1
        await until(lambda: is_listening(second))
        assert await send(first, at(25, "/first")) == OK
        await asyncio.sleep(0.2)
        # The new source has no time yet, so the run waits for it.
        assert seen == []
        assert await send(second, at(3, "/second"), at(12, "/second")) == OK
        await until(lambda: len(seen) == 1)
        assert [(row["url"], row["count"]) for row in seen[0].rows] == [
            ("/first", 2),
            ("/second", 1),
        ]
        run.remove(number)
        await until(lambda: not is_listening(second))
        # The run no longer waits for it, and its lines count.
        await until(lambda: len(seen) == 2)
        assert [(row["url"], row["count"]) for row in seen[1].rows] == [("/second", 1)]
        assert await send(first, at(41, "/first")) == OK
        run.remove(0)
        await looking
        return seen

    seen = asyncio.run(main())
    assert seen[-1].lines["counted"] == 6
    assert seen[-1].lines["late"] == 0


@contextmanager
def two_addresses(ledger: Ledger, **window: str) -> Iterator[tuple[Running, int, int]]:
    """Run a count by log time of the lines that arrive at two addresses."""
    first, second = free_port(), free_port()
    query = tr.from_flume(
        f"127.0.0.1:{first}", f"127.0.0.1:{second}", format="combined", resent="count"
    )
    query = query.window("10s", time="log", **OLD, **window).count(by="url")
    running = Running(query._start(commit=ledger))
    try:
        wait_for(lambda: len(running.run.live._opened) == 2 or running.error)
        yield running, first, second
    finally:
        ledger.free.set()
        running.end()


def test_batches_of_a_removed_source_are_committed_and_acknowledged_before_it_is_closed():
    ledger = Ledger()
    with (
        two_addresses(ledger, batch_interval="50ms") as (running, first, second),
        connected(first) as kept,
        connected(second) as removed,
    ):
        ledger.free.clear()
        batches(removed, 2, 1)
        wait_for(lambda: ledger.begun == 3)
        running.call(running.run.remove, 1)
        running.call(running.run.remove, 1)
        time.sleep(0.2)
        ledger.free.set()
        assert removed.answer() == OK
        assert removed.is_closed()
        # The other source is served while this one is closed.
        assert kept.batch([line("/a")]) == OK
        assert running.run.processor.lines()["counted"] == 4


@pytest.mark.parametrize(("interval", "holds"), [("50ms", True), ("60s", False)])
def test_a_run_ends_with_its_last_source_even_if_a_tick_waits_for_a_commit(
    interval: str,
    holds: bool,  # noqa: FBT001 - a parameter of pytest
):
    ledger = Ledger()
    with (
        two_addresses(ledger, batch_interval=interval) as (running, first, _),
        connected(first) as sink,
    ):
        if holds:
            ledger.free.clear()
            batches(sink, 1, 1)
            wait_for(lambda: ledger.begun == 2)
            time.sleep(0.2)
        running.call(running.run.remove, 0)
        running.call(running.run.remove, 1)
        ledger.free.set()
        running._thread.join(10)
        assert not running._thread.is_alive()
    assert running.error is None
    with pytest.raises(ValueError, match="the run has ended"):
        running.run.add(Flume("127.0.0.1", 0), Origin("late", "combined"))


def test_the_end_of_a_source_does_not_make_a_failed_group_final():
    ledger = Ledger()
    with (
        two_addresses(ledger, batch_interval="50ms") as (running, first, second),
        connected(first) as kept,
    ):
        ledger.free.clear()
        batches(kept, 1, 1)
        wait_for(lambda: ledger.begun == 2)
        running.call(running.run.remove, 1)
        batches(kept, 1, 1)
        wait_for(lambda: received(running) == 3)
        ledger.failure = CommitError("no space left")
        ledger.free.set()
        assert [kept.answer(), kept.answer()] == [FAILED] * 2
        ledger.failure = None
        assert kept.batch([line("/a")]) == OK
        wait_for(lambda: not is_listening(second))
    assert running.error is None


@pytest.mark.parametrize("turns", range(8))
def test_a_listener_that_is_cancelled_while_it_opens_leaves_no_socket(turns: int):
    port = free_port()

    async def main() -> None:
        source = Flume("127.0.0.1", port)
        opening = asyncio.create_task(source.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        if not opening.cancel():
            await source.close()
            return
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.sleep(0)
        assert not is_listening(port)

    asyncio.run(main())


def test_a_source_can_be_removed_as_soon_as_it_is_added():
    ledger = Ledger(blocks=False)
    with two_addresses(ledger, batch_interval="50ms") as (running, first, _):
        for turn in range(20):
            port = free_port()
            brief = Flume("127.0.0.1", port), Origin("brief", "combined")
            number = running.call(running.run.add, *brief)
            if turn % 2:
                wait_for(lambda port=port: is_listening(port))
            running.call(running.run.remove, number)
            wait_for(lambda port=port: not is_listening(port))
        with Sink(first) as sink:
            assert sink.batch([line("/a")]) == OK
        assert running.run.live._unopened == set()
    assert running.error is None


# --- panes ----------------------------------------------------------------------------------------


class Panes(Counting):
    """Hands out closed panes, for a program's own reduce."""

    def answers(self, *, ticked: bool) -> Iterator[Any]:  # noqa: ARG002 - as all have it
        while (pane := self._engine.next_pane()) is not None:
            yield pane

    def finish(self) -> Iterator[Any]:
        self._engine.finish()
        yield from self.answers(ticked=True)


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_pump_hands_out_closed_panes_for_a_custom_reduce(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: int
):
    monkeypatch.setattr("tailrace._assembly.Counting", Panes)
    monkeypatch.setattr("tailrace._sources.text._CHUNK_BYTES", 2_000)
    lines = [(second, f"/{second * number % 7}") for second in range(60) for number in range(5)]
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(at(second, url) + b"\n" for second, url in lines))
    query = tr.from_files(log, format="combined").window("10s", every="2s", lateness="0s")
    panes = list(query.count(by="url")._start(jobs=jobs))

    expected: dict[int, Counter[str]] = {}
    for second, url in lines:
        expected.setdefault(second // 2, Counter())[url] += 1
    base_us = panes[0][0]
    assert {
        (start_us - base_us) // 2_000_000: {row["url"]: row["count"] for row in rows.to_dicts()}
        for start_us, _, rows, _ in panes
    } == expected
    assert all(end_us - start_us == 2_000_000 for start_us, end_us, _, _ in panes)
    assert sum(counters["fed"] for *_, counters in panes) == len(lines)
    # The largest pane count of each URL in the last five panes: a maximum cannot be subtracted.
    last = [rows.to_dicts() for _, _, rows, _ in panes[-5:]]
    largest: dict[str, int] = {}
    for row in (row for rows in last for row in rows):
        largest[row["url"]] = max(largest.get(row["url"], 0), row["count"])
    wanted = {url: max(expected[n][url] for n in range(25, 30)) for url in largest}
    assert largest == wanted


# --- positions ------------------------------------------------------------------------------------


def test_a_chunk_of_an_agent_names_its_connection_and_batch():
    ledger = Ledger()
    with served(ledger) as (_, port):
        for _ in range(2):
            with Sink(port) as sink:
                for _ in range(3):
                    assert sink.batch([line("/a")]) == OK
    places = [taken.chunk.position for taken in ledger.kept()]
    by_connection: dict[int, list[int]] = {}
    for place in places:
        assert isinstance(place, AgentPosition)
        by_connection.setdefault(place.connection, []).append(place.batch)
    assert list(by_connection.values()) == [[0, 1, 2], [0, 1, 2]]


# --- counters of the stages -----------------------------------------------------------------------


def test_each_stage_counts_what_it_has_processed():
    ledger = Ledger()
    with served(ledger) as (running, port), Sink(port) as sink:
        sizes = []
        for _ in range(3):
            frame = sink.frame(b"appendBatch", events_of(line("/a"), b"no line"))
            sizes.append(len(events_of(line("/a"), b"no line")))
            ledger.free.clear()
            sink.send(frame)
            wait_for(lambda: ledger.begun > len(ledger.groups))
            time.sleep(0.05)
            ledger.free.set()
            assert sink.answer() == OK
        with Sink(port) as broken:
            assert broken.batch([line("/b")]) == OK
            answer = broken.call(b"appendBatch", b"\x02\xff\xff")
            assert answer == refusal("events are cut off at byte 3")
            assert broken.is_closed()
        wait_for(lambda: running.run.counts()["acknowledge"].batches == 5)
        counts = running.run.counts()

    assert counts["receive"].batches == 5
    assert counts["receive"].bytes >= sum(sizes)
    assert (counts["work"].events, counts["work"].batches) == (7, 4)
    assert counts["work"].errors == {"malformed": 1}
    assert counts["commit"].batches == 4
    assert (counts["settle"].events, counts["settle"].batches) == (7, 4)
    acknowledged = counts["acknowledge"]
    assert acknowledged.events == 7
    assert acknowledged.errors == {"close": 1}
    assert acknowledged.delay_us >= 3 * 50_000
    assert acknowledged.delay_us >= acknowledged.max_delay_us >= 50_000


def urls(query: tr.Query, jobs: int) -> Run[Any, Any]:
    return query._rows(lambda batch: batch, ["url"], RowOptions(), jobs=jobs)


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_rows_before_a_failure_are_handed_out(jobs: int):
    def lines() -> Iterator[bytes]:
        for number in range(30_000):
            yield line(f"/{number}")
        raise OSError("broken")

    run = tr.from_lines(lines(), format="combined")._rows(
        lambda batch: batch, ["url"], RowOptions(), jobs=jobs
    )
    seen = Running(run)
    seen.end()
    assert [len(batch.rows) for batch in seen.results] == [10_000] * 3
    assert str(seen.error) == "broken"


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_is_read_ahead_than_the_threads_need(jobs: int, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes((line("/a") + b"\n") * 200_000)
    run = tr.from_files(log, format="combined")._rows(
        lambda batch: batch, ["url"], RowOptions(), jobs=jobs
    )
    chunks = 0
    for chunks, _ in enumerate(run, 1):
        assert chunks_of(run) <= chunks + 2 * jobs + 1
    assert chunks > 10
