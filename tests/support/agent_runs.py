"""What the tests with real agents share: lines to send, configurations, and counts."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import flume_agent
from live import Process, line

__all__ = [
    "BATCH",
    "IMPATIENT",
    "SENDING_TIMEOUT_S",
    "counting",
    "counts",
    "files_read",
    "fill",
    "given_up",
    "has_counted",
    "last",
    "not_once",
    "numbered",
    "small_batches",
    "sockets",
]

# Bounds failures only. An agent takes seconds to start, 5 s to retry, and some to send; on a
# machine with five times the load, five times that.
SENDING_TIMEOUT_S = 180

# The batch size of the sink where something must happen during sending. With the default, 100,
# an agent sends 40,000 lines in less than a second.
BATCH = 10

# Values below 1,000 ms count as the default, 20,000 ms.
IMPATIENT = """
a1.sinks.k1.connect-timeout = 2000
a1.sinks.k1.request-timeout = 2000
"""


def numbered(name: str, count: int) -> list[str]:
    """Return URLs, each for one line."""
    return [f"/{name}/{number:05}" for number in range(count)]


def fill(spool: Path, urls: list[str], per_file: int) -> Path:
    """Write lines with these URLs to a new spool directory, in the order of its file names."""
    spool.mkdir()
    for start in range(0, len(urls), per_file):
        text = b"".join(line(url) + b"\n" for url in urls[start : start + per_file])
        (spool / f"{start:05}").write_bytes(text)
    return spool


def small_batches(spool: Path, port: int) -> str:
    conf = flume_agent.example_configuration(spool, port)
    return f"{conf}\na1.sinks.k1.batch-size = {BATCH}\n"


def files_read(spool: Path) -> int:
    return len(list(spool.glob("*.COMPLETED")))


def counting(port: int = 0, *, limit: str = "all", slide: str = "1s") -> list[str]:
    """Return the arguments of a receiver whose window contains all lines of a test."""
    arguments = ["top", f"flume://127.0.0.1:{port}", "--log-format", "combined", "--limit", limit]
    arguments += ["--window", "1h", "--slide", slide, "--batch-interval", slide]
    return [*arguments, "--format", "jsonl"]


def has_counted(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda snapshot: snapshot["lines"]["counted"] >= count


def last(process: Process) -> dict[str, Any]:
    """Return the last snapshot of a process that has ended."""
    snapshot: dict[str, Any] = json.loads(process.printed[-1])
    return snapshot


def counts(snapshot: dict[str, Any]) -> Counter[str]:
    return Counter({row["url"]: row["count"] for row in snapshot["rows"]})


def not_once(counted: Counter[str], urls: Iterable[str]) -> dict[str, int]:
    """Return the counts of these URLs that are not 1, and of any other URL."""
    expected = Counter(urls)
    return {url: counted[url] for url in counted | expected if counted[url] != expected[url]}


def sockets(process: Process) -> int:
    """Return how many sockets a process has open."""
    found = 0
    for descriptor in Path(f"/proc/{process.process.pid}/fd").iterdir():
        # It may have been closed since it was listed.
        with suppress(FileNotFoundError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


def given_up(log: Path) -> int:
    return log.read_text(errors="replace").count("Unable to deliver event. Exception follows")
