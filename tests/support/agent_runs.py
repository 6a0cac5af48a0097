"""What the tests with real agents share: lines to send, configurations, and counts."""

import json
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import flume_agent
import pytest
from live import TIMEOUT_S, Process, line

__all__ = [
    "BATCH",
    "IMPATIENT",
    "SENDING_TIMEOUT_S",
    "Relay",
    "counting",
    "counts",
    "files_read",
    "fill",
    "given_up",
    "has_counted",
    "last",
    "need_agents",
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


def need_agents(versions: Iterable[str]) -> None:
    """Skip the tests of a module where no agent can run; in CI, fail them."""
    missing = flume_agent.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    for version in versions:
        flume_agent.jars(version)


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


class Relay:
    """
    A proxy between an agent and its receivers that records the acknowledged batches.

    After a receiver was killed, only the proxy and the agent know what was acknowledged.
    """

    def __init__(self) -> None:
        self.target = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        # The bytes that the receiver sent on each connection.
        self._answers: list[bytearray] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # `close` alone does not end a waiting `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def acknowledged(self) -> list[int]:
        """Return how many batches were answered with OK, by connection."""
        return [_oks(answers) for answers in self._answers]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._join, args=(near,)))
                self._threads[-1].start()

    def _join(self, near: socket.socket) -> None:
        answers = bytearray()
        self._answers.append(answers)
        with near, suppress(ConnectionRefusedError):
            far = socket.create_connection(("127.0.0.1", self.target), TIMEOUT_S)
            far.settimeout(None)
            back = threading.Thread(target=_pump, args=(far, near, answers))
            back.start()
            with far:
                _pump(near, far, bytearray())
                back.join(TIMEOUT_S)


def _pump(source: socket.socket, sink: socket.socket, passed: bytearray) -> None:
    """Forward data until either side closes; then close both."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
            passed += data
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _oks(answers: bytearray) -> int:
    """Return how many replies of a connection are OK; the first follows the handshake answer."""
    at = oks = 0
    while at < len(answers):
        _, buffers, size = struct.unpack_from(">iii", answers, at)
        assert buffers == 1
        assert answers[at + 12 : at + 12 + size] == (bytes(3) if at else bytes(7))
        at += 12 + size
        oks += 1
    return oks
