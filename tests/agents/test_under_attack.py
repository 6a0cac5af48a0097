"""
Three real agents send to a receiver that is attacked in every way at once.

Two minutes in the profile `thorough`, else fifteen seconds. As in `test_agent.py`, the test is
skipped with a reason where Java or Maven is missing, and fails there with CI=true.
"""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import flume_agent
import pytest
from attackers import Attack
from flume_agent import VERSIONS
from live import line, running, wait_for
from profiles import NAME

SECONDS = 120 if NAME == "thorough" else 15

# Bounds failures only.
SENDING_TIMEOUT_S = 300

# So few that each has its row before the attack on keys, and so many lines in a row that a batch
# lost or counted twice shows.
KEYS = 50
LINES_PER_KEY = 100
LINES = KEYS * LINES_PER_KEY

# One page of a terminal.
LOG_LINES = 60

ATTACKS = [
    ("closes",),
    ("empty",),
    ("singles",),
    ("pings",),
    ("unknown",),
    ("splinters",),
    ("greetings",),
    ("deaf", 3),
    ("empty_events", 6),
    ("empty_events", 20, 1_000_000),
    ("large_batches",),
    ("silent", 1_030),
    ("silent", 300, 150, 200),
    ("slow",),
    ("unfinished",),
    ("partial_frames",),
    ("keys",),
    ("strangers",),
    ("storm",),
    ("half_closed",),
]

pytestmark = pytest.mark.timeout(900)


def write(directory: Path, name: str, version: str) -> Path:
    """Write lines with all keys of an agent."""
    urls = (f"/agent/{version}/{key:02}" for key in range(KEYS))
    path = directory / name
    path.write_bytes(b"".join((line(url) + b"\n") * LINES_PER_KEY for url in urls))
    return path


def test_every_line_of_three_agents_is_counted_once_under_all_attacks(tmp_path: Path):
    missing = flume_agent.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    arguments = ["top", "flume://127.0.0.1:0", "--log-format", "combined", "--format", "jsonl"]
    arguments += ["--window", "1h", "--limit", "300"]
    spools = {version: tmp_path / version for version in VERSIONS}
    sent = dict.fromkeys(VERSIONS, 0)
    with running(*arguments) as receiver, ExitStack() as stack:
        for version, spool in spools.items():
            spool.mkdir()
            conf = flume_agent.example_configuration(spool, receiver.port)
            log = tmp_path / f"{version}.log"
            stack.enter_context(flume_agent.agent(version, conf, log))

        def send(number: int) -> None:
            for version, spool in spools.items():
                name = f"{number:05}"
                flume_agent.spool(spool, write(tmp_path, "lines", version), name)
                sent[version] += LINES_PER_KEY

        send(0)
        receiver.answer(
            lambda answer: answer["lines"]["counted"] == len(VERSIONS) * LINES, SENDING_TIMEOUT_S
        )
        attacks = [Attack(str(name), receiver.port, rest) for name, *rest in ATTACKS]
        for attack in attacks:
            stack.callback(attack.kill)
        for number in range(1, SECONDS // 2):
            send(number)
            time.sleep(2)
        for attack in attacks:
            attack.kill()
        for spool in spools.values():
            wait_for(lambda spool=spool: done(spool) == SECONDS // 2, SENDING_TIMEOUT_S)
        expected = {
            f"/agent/{version}/{key:02}": sent[version]
            for version in VERSIONS
            for key in range(KEYS)
        }
        receiver.answer(
            lambda answer: sum(agents(answer).values()) >= sum(expected.values()),
            SENDING_TIMEOUT_S,
        )
        # What an agent sends twice is sent before it ends.
        stack.close()
        assert receiver.end(signal.SIGTERM) == 0

    assert agents(receiver.snapshots()[-1]) == expected
    assert len(receiver.messages) <= LOG_LINES, receiver.messages
    assert not [text for text in receiver.messages if "Traceback" in text]


def done(spool: Path) -> int:
    return len(list(spool.glob("*.COMPLETED")))


def agents(snapshot: dict[str, Any]) -> dict[str, int]:
    """Return the counts of the agents' lines."""
    rows = {row["url"]: row["count"] for row in snapshot["rows"]}
    return {url: count for url, count in rows.items() if (url or "").startswith("/agent/")}
