"""
Real Flume agents with the configuration of the example: Flume 1.11, 1.9 and 1.6.

They need Java and Maven. Without these the tests are skipped with a reason; with CI=true they fail.

The tests of restarts rely on this: an agent has one batch in flight, drops it on the answer OK, and
sends it again 5 s after any other result.
"""

import gzip
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import flume_agent
import pytest
from agent_runs import (
    BATCH,
    IMPATIENT,
    SENDING_TIMEOUT_S,
    Relay,
    counting,
    counts,
    files_read,
    fill,
    given_up,
    has_counted,
    last,
    need_agents,
    not_once,
    numbered,
    small_batches,
    sockets,
)
from classic_program import expected as by_the_program
from flume_agent import VERSIONS
from live import free_port, running, wait_for
from places import DATA
from profiles import NAME

LOGS = ["apache-combined-2015-elastic.log", "nginx-combined-2022-ployt0.log"]

# Long enough for three agents at once to send everything on a busy machine.
WINDOW_S = 30
# The default batch of the source, and the default capacity of the channel.
READ = CAPACITY = 100

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    need_agents(VERSIONS)


# --- every line of real logs, from each Flume -----------------------------------------------------


class Delivery(NamedTuple):
    """The snapshots of a receiver that received both logs."""

    settled: dict[str, Any]
    """After the agent has sent everything and closed its connection."""
    full: dict[str, Any]
    """With the most lines in its window."""
    empty: dict[str, Any]
    """The first one after that with an empty window."""
    code: int


def deliver(version: str, directory: Path, count: int) -> Delivery:
    """Send both logs through an agent, and wait until they have left the window."""
    spool = directory / "spool"
    spool.mkdir(parents=True)
    arguments = ["--log-format", "classic", "--window", f"{WINDOW_S}s", "--limit", "all"]
    with running("top", "flume://127.0.0.1:0", *arguments, "--format", "jsonl") as receiver:
        conf = flume_agent.example_configuration(spool, receiver.port)
        own_sockets = sockets(receiver)
        with flume_agent.agent(version, conf, directory / "agent.log"):
            for name in LOGS:
                text = gzip.decompress((DATA / f"{name}.gz").read_bytes())
                (directory / name).write_bytes(text)
                flume_agent.spool(spool, directory / name, name)
            wait_for(lambda: files_read(spool) == len(LOGS), SENDING_TIMEOUT_S)
            receiver.answer(has_counted(count), SENDING_TIMEOUT_S)
            # Any duplicate or extra line is sent before the agent ends.
        wait_for(lambda: sockets(receiver) == own_sockets)
        settled = receiver.next_answer()
        empty = receiver.answer(lambda snapshot: not snapshot["total"], 3 * SENDING_TIMEOUT_S)
        code = receiver.end(signal.SIGTERM)
    full = max(receiver.snapshots(), key=lambda snapshot: snapshot["total"])
    return Delivery(settled, full, empty, code)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return [
        each
        for name in LOGS
        for each in gzip.decompress((DATA / f"{name}.gz").read_bytes()).splitlines()
    ]


@pytest.fixture(scope="module")
def by_url(lines: list[bytes]) -> Counter[str | None]:
    parsed = [fields for each in lines if (fields := by_the_program(each)) is not None]
    return Counter(fields["url"] for fields in parsed)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_of_real_logs_is_counted_once_and_leaves_the_window(
    version: str,
    lines: list[bytes],
    by_url: Counter[str | None],
    tmp_path: Path,
):
    settled, full, empty, code = deliver(version, tmp_path, by_url.total())
    ranked = sorted(by_url.items(), key=lambda row: (-row[1], row[0] is None, row[0] or ""))

    # Every version applies the example's `maxLineLength`: with Flume's default, 2048, five of these
    # lines would arrive as fifteen events.
    assert settled["lines"]["fed"] == len(lines)
    assert settled["lines"]["counted"] == by_url.total()
    assert settled["lines"]["rejected"] == {"no-match": len(lines) - by_url.total()}
    assert full["total"] == by_url.total()
    assert full["keys"] == len(by_url)
    assert [(row["url"], row["count"]) for row in full["rows"]] == ranked
    assert empty["rows"] == []
    assert empty["keys"] == 0
    assert code == 0


# --- restarts -------------------------------------------------------------------------------------


def test_agents_that_found_no_receiver_retry_and_every_line_is_counted_once(tmp_path: Path):
    port = free_port()
    urls = {version: numbered(version, 2_000) for version in VERSIONS[:2]}
    with ExitStack() as agents:
        for version, sent in urls.items():
            spool = fill(tmp_path / version, sent, 2_000)
            conf = flume_agent.example_configuration(spool, port)
            log = tmp_path / f"{version}.log"
            agents.enter_context(flume_agent.agent(version, conf, log))
            wait_for(lambda log=log: "Connection refused" in log.read_text())
        with running(*counting(port)) as receiver:
            receiver.answer(has_counted(4_000), SENDING_TIMEOUT_S)
            assert receiver.end(signal.SIGTERM) == 0

    assert not_once(counts(last(receiver)), [url for sent in urls.values() for url in sent]) == {}


def test_every_line_is_counted_once_across_a_receiver_restart(tmp_path: Path):
    urls = numbered("line", 40_000)
    spool = fill(tmp_path / "spool", urls, 4_000)
    with running(*counting()) as first:
        port = first.port
        conf = small_batches(spool, port)
        with flume_agent.agent("1.9.0", conf, tmp_path / "agent.log"):
            wait_for(lambda: files_read(spool) > 1)
            assert first.end(signal.SIGTERM) == 0
            before = counts(last(first))
            with running(*counting(port)) as second:
                missing = len(urls) - before.total()
                second.answer(has_counted(missing), SENDING_TIMEOUT_S)
                assert second.end(signal.SIGTERM) == 0

    assert 0 < before.total() < len(urls)
    assert not_once(before + counts(last(second)), urls) == {}
    # The receiver warned that what it acknowledged is lost with it.
    assert all("state is in memory only" in each.messages[0] for each in (first, second))
    assert last(second)["lines"]["fed"] == missing


def test_a_killed_receiver_loses_only_what_it_acknowledged(
    tmp_path: Path,
):
    urls = numbered("line", 40_000)
    spool = fill(tmp_path / "spool", urls, 4_000)
    with Relay() as relay, running(*counting(limit="1", slide="100ms")) as first:
        relay.target = first.port
        conf = small_batches(spool, relay.port)
        with flume_agent.agent("1.11.0", conf, tmp_path / "agent.log"):
            first.answer(has_counted(1), SENDING_TIMEOUT_S)
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
            with running(*counting()) as second:
                relay.target = second.port
                # In order: after the last line has arrived, no other will.
                second.answer(lambda answer: urls[-1] in counts(answer), SENDING_TIMEOUT_S)
                assert second.end(signal.SIGTERM) == 0

    acknowledged = BATCH * relay.acknowledged()[0]
    assert 0 < acknowledged < len(urls)
    assert not_once(counts(last(second)), urls[acknowledged:]) == {}
    # Lines that it counted but did not print are unknown. It may have printed one batch that it was
    # killed before it could acknowledge.
    assert last(first)["lines"]["counted"] <= acknowledged + BATCH


def test_a_killed_agent_leaves_only_whole_batches_and_no_connection(tmp_path: Path):
    killed, beside = numbered("killed", 40_000), numbered("beside", 10_000)
    spools = fill(tmp_path / "killed", killed, 4_000), fill(tmp_path / "beside", beside, 10_000)
    with running(*counting()) as receiver, ExitStack() as agents:
        confs = [small_batches(spool, receiver.port) for spool in spools]

        def start(version: str, conf: str, name: str) -> subprocess.Popen[bytes]:
            return agents.enter_context(flume_agent.agent(version, conf, tmp_path / name))

        own_sockets = sockets(receiver)
        start("1.9.0", confs[1], "beside.log")
        victim = start("1.11.0", confs[0], "killed.log")
        wait_for(lambda: sockets(receiver) == own_sockets + 2)
        wait_for(lambda: files_read(spools[0]) > 1)
        victim.kill()
        wait_for(lambda: sockets(receiver) == own_sockets + 1)
        left = receiver.next_answer()
        # Another agent continues in the directory, from the position that the first one marked.
        start("1.11.0", confs[0], "successor.log")
        ends = {killed[-1], beside[-1]}
        receiver.answer(lambda answer: ends <= counts(answer).keys(), SENDING_TIMEOUT_S)
        assert receiver.end(signal.SIGTERM) == 0

    first = Counter({url: n for url, n in counts(left).items() if url.startswith("/killed/")})
    assert 0 < first.total() < len(killed)
    assert first.total() % BATCH == 0
    assert not_once(first, killed[: first.total()]) == {}

    counted = counts(last(receiver))
    assert not_once(Counter({url: counted[url] for url in beside}), beside) == {}
    # The killed agent lost its channel, and had not marked its last read as done.
    otherwise = list(not_once(Counter({url: counted[url] for url in killed}), killed).values())
    assert set(otherwise) <= {0, 2}
    assert otherwise.count(0) <= CAPACITY
    assert otherwise.count(2) <= READ
    assert counted.keys() <= {*killed, *beside}


# --- a receiver that stands still -----------------------------------------------------------------

# How often an agent gives up a batch before the receiver goes on: the first time on its open
# connection, then on new ones that only the kernel has accepted.
GIVE_UPS = 3 if NAME == "thorough" else 2

WAITS = {"impatient": IMPATIENT} | ({"with the defaults": ""} if NAME == "thorough" else {})


def unread(port: int) -> int:
    """Return how many bytes the kernel holds that were sent to a port and not read."""
    table = [each.split() for each in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        int(each[4].partition(":")[2], 16)
        for each in table
        if each[1].endswith(f":{port:04X}") and not each[2].endswith(":0000")
    )


@pytest.mark.parametrize("waits", WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("version", VERSIONS[:2])
def test_a_batch_that_an_agent_gave_up_is_counted_once(version: str, waits: str, tmp_path: Path):
    urls = [numbered("before", 100), numbered("meanwhile", 100)]
    spool = fill(tmp_path / "spool", urls[0], 100)
    fill(tmp_path / "next", urls[1], 100)
    log = tmp_path / "agent.log"
    with running(*counting()) as receiver:
        conf = flume_agent.example_configuration(spool, receiver.port) + waits
        own_sockets = sockets(receiver)
        with flume_agent.agent(version, conf, log):
            receiver.answer(has_counted(100), SENDING_TIMEOUT_S)
            receiver.process.send_signal(signal.SIGSTOP)
            flume_agent.spool(spool, tmp_path / "next" / "00000", "next")
            # The agent sleeps for 5 s after each.
            wait_for(lambda: given_up(log) == GIVE_UPS, SENDING_TIMEOUT_S)
            receiver.process.send_signal(signal.SIGCONT)
            receiver.answer(has_counted(200), SENDING_TIMEOUT_S)
        wait_for(lambda: sockets(receiver) == own_sockets)
        assert receiver.end(signal.SIGTERM) == 0

    assert not_once(counts(last(receiver)), [url for some in urls for url in some]) == {}
    lines = last(receiver)["lines"]
    assert lines["fed"] == lines["counted"] == 200
    assert lines["abandoned"] == 100 * GIVE_UPS
    assert lines["resent"] == 0
    assert f"{100 * GIVE_UPS} abandoned" in receiver.messages[-1]


@pytest.mark.parametrize("version", VERSIONS[:2])
def test_a_batch_of_an_agent_that_was_killed_before_its_answer_is_not_counted(
    version: str, tmp_path: Path
):
    urls = [numbered("before", 100), numbered("killed", 100)]
    spool = fill(tmp_path / "spool", urls[0], 100)
    fill(tmp_path / "next", urls[1], 100)
    with running(*counting()) as receiver:
        port = receiver.port
        conf = flume_agent.example_configuration(spool, port)
        own_sockets = sockets(receiver)
        with flume_agent.agent(version, conf, tmp_path / "killed.log") as killed:
            receiver.answer(has_counted(100), SENDING_TIMEOUT_S)
            receiver.process.send_signal(signal.SIGSTOP)
            flume_agent.spool(spool, tmp_path / "next" / "00000", "next")
            # A batch of 100 such lines has more than 10,000 bytes.
            wait_for(lambda: unread(port) > 10_000, SENDING_TIMEOUT_S)
            killed.kill()
            killed.wait()
        receiver.process.send_signal(signal.SIGCONT)
        wait_for(lambda: sockets(receiver) == own_sockets)
        after = receiver.next_answer()
        assert receiver.end(signal.SIGTERM) == 0

    assert not_once(counts(after), urls[0]) == {}
    assert after["lines"]["abandoned"] == 100
    assert last(receiver)["lines"] == after["lines"]
