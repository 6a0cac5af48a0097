"""Kill -9 at random moments: every acknowledged line counts once, over all restarts."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from live import free_port, running, wait_for
from profiles import scaled, seeded
from resending import Peer

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from live import Process

# A short window is empty again after a few seconds; a long one keeps everything.
LONG = ("--window", "30d", "--slide", "1d")
SHORT = ("--window", "3s", "--slide", "1s")


def receiver(port: int, directory: Path, *more: str) -> tuple[str, ...]:
    source = f"flume://127.0.0.1:{port}"
    return ("top", source, "--format", "jsonl", "-n", "all", "--checkpoint", str(directory), *more)


def restored(process: Process) -> int:
    """Return how many lines of earlier processes it begins with."""
    status = wait_for(lambda: next((m for m in process.messages if "listening" in m), None))
    found = re.search(r"with ([\d,]+) lines? from before", status)
    return int(found[1].replace(",", "")) if found else 0


def killed(process: Process, random: Random, peers: list[Peer]) -> None:
    """Kill a receiver: while it starts, under load, or directly after an answer."""
    moment = random.random()
    if moment < 0.2:
        time.sleep(random.uniform(0, 0.3))
    else:
        wait_for(lambda: any("listening" in message for message in process.messages))
        if moment < 0.6:
            time.sleep(random.uniform(0, 0.5))
        else:
            before = sum(len(peer.acknowledged) for peer in peers)
            wait_for(lambda: sum(len(peer.acknowledged) for peer in peers) > before)
    process.process.send_signal(signal.SIGTERM if moment > 0.95 else signal.SIGKILL)
    if moment > 0.95:
        # In the middle of an orderly stop.
        time.sleep(random.uniform(0, 0.1))
        process.process.kill()
    process.process.wait()


def counts(snapshot: dict[str, object]) -> dict[str, int]:
    return {row["url"]: row["count"] for row in snapshot["rows"]}  # type: ignore[index, attr-defined]


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("by", ["arrival", "header"])
def test_no_kill_loses_or_doubles_a_line(tmp_path: Path, by: str):
    random = seeded(f"killed {by}")
    port = free_port()
    addresses = ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3"]
    peers = [
        Peer(str(number), port, address, seed=random.randrange(2**32))
        for number, address in enumerate(addresses)
    ]
    arguments = receiver(port, tmp_path / "state", "--time", by, *LONG)
    for _ in range(scaled(50)):
        acknowledged = sum(peer.counted for peer in peers)
        with running(*arguments) as process:
            killed(process, random, peers)
            if any("listening" in message for message in process.messages):
                assert acknowledged <= restored(process) <= sum(peer.sent for peer in peers)
    with running(*arguments) as process:
        for peer in peers:
            peer.stop()
        assert process.end(signal.SIGTERM) == 0, process.messages
    expected = {url: size for peer in peers for url, size in peer.sizes.items()}
    last = process.snapshots()[-1]
    assert counts(last) == expected
    assert last["lines"]["fed"] == last["total"] == sum(expected.values())


def test_counts_go_down_after_kills_as_if_nothing_had_happened(tmp_path: Path):
    random = seeded("killed with a short window")
    port = free_port()
    peers = [Peer("a", port, seed=1, most=100), Peer("b", port, "127.0.0.2", seed=2, most=100)]
    arguments = receiver(port, tmp_path / "state", *SHORT)
    for _ in range(scaled(10)):
        with running(*arguments) as process:
            killed(process, random, peers)
    with running(*arguments) as process:
        for peer in peers:
            peer.stop()
        process.answer(lambda snapshot: snapshot["total"] == 0)
        assert process.snapshots()[-1]["lines"]["fed"] == sum(peer.sent for peer in peers)
        ends = [snapshot["end"] for snapshot in process.snapshots()]
        assert ends == sorted(set(ends))
