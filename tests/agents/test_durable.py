"""
Real Flume agents and a receiver with a checkpoint: whatever is killed, every line counts once.

Each line has a URL of its own. An agent whose file channel was filled before never reads a file
again, so nothing has a second timestamp.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
from flume_agent import VERSIONS
from live import Process, free_port, running, wait_for
from profiles import NAME

CHOSEN = VERSIONS if NAME == "thorough" else VERSIONS[:1]
# With the default of 20 s for an answer and 5 s between, more than 40 s.
GIVE_UPS = 2 if NAME == "thorough" else 1
KILLS = 8 if NAME == "thorough" else 2

pytestmark = pytest.mark.timeout(1_800 if NAME == "thorough" else 300)


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    need_agents(CHOSEN)


def durable(port: int, directory: Path) -> list[str]:
    return [*counting(port), "--checkpoint", str(directory)]


def more(process: Process, count: int) -> None:
    """Wait until it has counted this many lines more."""
    wait_for(lambda: process.printed)
    begun = process.counted()
    process.answer(has_counted(begun + count), SENDING_TIMEOUT_S)


def finished(process: Process, urls: list[str]) -> None:
    """Wait until all lines are counted, and check that each is once."""
    process.answer(lambda answer: answer["total"] >= len(urls), SENDING_TIMEOUT_S)
    # What was sent twice would follow.
    process.next_answer()
    assert process.end(signal.SIGTERM) == 0
    assert not_once(counts(last(process)), urls) == {}
    assert last(process)["lines"]["fed"] == len(urls)


@pytest.mark.parametrize("version", CHOSEN)
def test_a_receiver_is_killed_again_and_again(version: str, tmp_path: Path):
    urls = numbered("line", 20_000)
    spool = fill(tmp_path / "spool", urls, 2_000)
    port = free_port()
    arguments = durable(port, tmp_path / "state")
    with running(*arguments) as first:
        wait_for(lambda: first.messages)
        agent = flume_agent.agent(version, small_batches(spool, port), tmp_path / "agent.log")
        with agent:
            more(first, 1)
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
            for _ in range(KILLS):
                with running(*arguments) as next_one:
                    more(next_one, 10)
                    assert next_one.end(signal.SIGKILL) == -signal.SIGKILL
            with running(*arguments) as receiver:
                finished(receiver, urls)


def file_channel(conf: str, channel: Path) -> str:
    return conf.replace(
        "a1.channels.c1.type = memory",
        "a1.channels.c1.type = file\n"
        f"a1.channels.c1.checkpointDir = {channel}/checkpoint\n"
        f"a1.channels.c1.dataDirs = {channel}/data",
    )


@pytest.mark.parametrize("version", CHOSEN)
def test_an_agent_is_killed_and_the_receiver_goes_on(version: str, tmp_path: Path):
    urls = numbered("line", 5_000 * KILLS)
    spool = fill(tmp_path / "spool", urls, 1_000)
    port = free_port()
    conf = file_channel(small_batches(spool, port), tmp_path / "channel")
    log = tmp_path / "agent.log"
    fill_channel(version, conf, log, spool)
    with running(*durable(port, tmp_path / "state")) as receiver:
        for _ in range(KILLS):
            with flume_agent.agent(version, conf, log) as agent:
                more(receiver, 10)
                killed(agent)
            assert receiver.next_answer()["total"] < len(urls)
        with flume_agent.agent(version, conf, log):
            finished(receiver, urls)


@pytest.mark.parametrize("version", CHOSEN)
def test_what_an_agent_with_a_memory_channel_was_acknowledged_is_counted(
    version: str, tmp_path: Path
):
    urls = numbered("line", 40_000)
    spool = fill(tmp_path / "spool", urls, 4_000)
    port = free_port()
    arguments = durable(port, tmp_path / "state")
    with Relay() as relay:
        relay.target = port
        conf = small_batches(spool, relay.port)
        with running(*arguments) as first:
            wait_for(lambda: first.messages)
            with flume_agent.agent(version, conf, tmp_path / "agent.log") as agent:
                more(first, 1)
                assert first.end(signal.SIGKILL) == -signal.SIGKILL
                with running(*arguments) as second:
                    more(second, 10)
                    killed(agent)
                    assert second.end(signal.SIGKILL) == -signal.SIGKILL
        acknowledged = BATCH * sum(relay.acknowledged())
    with running(*arguments) as third:
        wait_for(lambda: third.printed)
        assert third.end(signal.SIGTERM) == 0
    assert 0 < acknowledged < len(urls)
    # In order; the answer to the last batch may not have reached the killed agent.
    counted = counts(last(third))
    assert counted.total() in {acknowledged, acknowledged + BATCH}
    assert not_once(counted, urls[: counted.total()]) == {}


@pytest.mark.parametrize("version", CHOSEN)
def test_agent_and_receiver_are_killed(version: str, tmp_path: Path):
    urls = numbered("line", 5_000 * (KILLS + 1))
    spool = fill(tmp_path / "spool", urls, 1_000)
    port = free_port()
    conf = file_channel(small_batches(spool, port), tmp_path / "channel")
    log = tmp_path / "agent.log"
    fill_channel(version, conf, log, spool)
    arguments = durable(port, tmp_path / "state")
    for number in range(KILLS + 1):
        with (
            running(*arguments) as receiver,
            flume_agent.agent(version, conf, log) as agent,
        ):
            more(receiver, 10)
            if number % 2:
                assert receiver.end(signal.SIGKILL) == -signal.SIGKILL
            killed(agent)
    with running(*arguments) as receiver, flume_agent.agent(version, conf, log):
        finished(receiver, urls)


def fill_channel(version: str, conf: str, log: Path, spool: Path) -> None:
    """Let an agent read all files into its channel, and kill it."""
    files = len(list(spool.iterdir()))
    with flume_agent.agent(version, conf, log) as agent:
        # There is no receiver yet.
        wait_for(lambda: files_read(spool) == files, SENDING_TIMEOUT_S)
        killed(agent)


def killed(agent: subprocess.Popen[bytes]) -> None:
    agent.kill()
    agent.wait()


@pytest.mark.parametrize("version", CHOSEN)
def test_a_receiver_stands_still_longer_than_an_agent_waits(version: str, tmp_path: Path):
    urls = [numbered("before", 100), numbered("meanwhile", 100)]
    spool = fill(tmp_path / "spool", urls[0], 100)
    fill(tmp_path / "next", urls[1], 100)
    log = tmp_path / "agent.log"
    waits = "" if NAME == "thorough" else IMPATIENT
    with running(*durable(0, tmp_path / "state")) as receiver:
        conf = flume_agent.example_configuration(spool, receiver.port) + waits
        own_sockets = sockets(receiver)
        with flume_agent.agent(version, conf, log):
            receiver.answer(has_counted(100), SENDING_TIMEOUT_S)
            receiver.process.send_signal(signal.SIGSTOP)
            flume_agent.spool(spool, tmp_path / "next" / "00000", "next")
            wait_for(lambda: given_up(log) == GIVE_UPS, SENDING_TIMEOUT_S)
            receiver.process.send_signal(signal.SIGCONT)
            receiver.answer(has_counted(200), SENDING_TIMEOUT_S)
        wait_for(lambda: sockets(receiver) == own_sockets)
        finished(receiver, [url for some in urls for url in some])
    assert last(receiver)["lines"]["abandoned"] == 100 * GIVE_UPS


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """Mount a file system of 256 KiB."""
    directory.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
    mounted = subprocess.run(options, capture_output=True, text=True, check=False)
    if mounted.returncode:
        reason = f"a small file system cannot be mounted: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.parametrize("version", CHOSEN)
def test_a_full_disk_is_waited_out(version: str, tmp_path: Path):
    urls = numbered("line", 20_000)
    spool = fill(tmp_path / "spool", urls, 2_000)
    log = tmp_path / "agent.log"
    with small_disk(tmp_path / "disk") as disk:
        with (
            running(*durable(0, disk / "state")) as receiver,
            flume_agent.agent(version, small_batches(spool, receiver.port), log),
        ):
            wait_for(
                lambda: any("space" in message for message in receiver.messages), SENDING_TIMEOUT_S
            )
            wait_for(lambda: "Status: FAILED" in log.read_text(), SENDING_TIMEOUT_S)
            before = receiver.next_answer()["lines"]["counted"]
            assert before < len(urls)
            grow = ["mount", "-o", "remount,size=64m", str(disk)]
            subprocess.run(grow, check=True)
            finished(receiver, urls)
        assert any("there is space again" in message for message in receiver.messages)
