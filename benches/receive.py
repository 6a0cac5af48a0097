"""
Compare receivers of Flume events: tailrace, and Flume's own AvroSource.

The AvroSource drops what it receives, so it shows the least that receiving costs a JVM. tailrace
counts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from measure import ratio, wrong
from sender import Load, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from measure import Verdicts

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
import flume_agent

__all__ = ["Receiver", "Receivers"]

T = TypeVar("T")

_FLUME = "1.11.0"

# An AvroSource that has just started receives events at a seventh of its speed.
_WARM_UP = (Load(1_000, 1, 8, 3_000), Load(100, 1, 8, 5_000))

# The load of a round, and its bar: events for a CPU second, tailrace over the AvroSource.
_LOADS = (
    (Load(1_000, 1, 8, 1_000), 2.5),
    (Load(1_000, 4, 1, 1_000), 1.0),
    (Load(100, 1, 8, 6_000), 2.0),
    (Load(100, 4, 1, 6_000), 0.7),
)

_ROWS = 10
_TIMEOUT_S = 60

_AVRO_SOURCE = """\
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = {port}
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 10000
a1.sinks.k1.type = null
a1.sinks.k1.batchSize = 1000
a1.sinks.k1.channel = c1
"""


@dataclass(frozen=True)
class Receiver:
    """A running receiver."""

    pid: int
    port: int

    def costs(self, load: Load) -> float:
        """Send it a load and return the CPU seconds that it used."""
        try:
            return max(send(self.port, load, self._cpu), 0.01)
        except ValueError as problem:
            wrong(f"port {self.port}, {load}: {problem}")

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Receivers:
    """Both of them, in turns under the same load."""

    def __init__(self, work: Path, environment: Mapping[str, str], tailrace: str) -> None:
        self._work = work
        self._environment = dict(environment)
        self._tailrace = tailrace

    def measure(self, rounds: int, verdicts: Verdicts) -> None:
        """Print a row for each load."""
        if not Path("/proc/self/stat").exists():
            print("skipped: the CPU time of a running process is read from /proc")
            return
        missing = _missing()
        if missing is not None:
            print(f"without a ratio: {missing}")
        names = ["tailrace", f"AvroSource {_FLUME}"]
        print(f"{'lines a batch, connections x in flight':<40}{names[0]:>14}{names[1]:>20}")
        with ExitStack() as stack:
            source = None if missing else stack.enter_context(self._avro_source())
            for load, bar in _LOADS:
                self._compare(load, bar, source, rounds, verdicts)

    def _compare(
        self,
        load: Load,
        bar: float,
        source: Callable[[Load], float] | None,
        rounds: int,
        verdicts: Verdicts,
    ) -> None:
        ours: list[float] = []
        theirs: list[float] = []
        with self.counting(load, rounds) as tailrace:
            # In turns, so that a slow moment of the machine affects both.
            for _ in range(rounds):
                ours.append(tailrace.costs(load))
                if source is not None:
                    theirs.append(source(load))
        name = f"{load.batch:,}, {load.connections} x {load.depth}"
        row = f"{name:<40}{load.events / median(ours):14,.0f}"
        if theirs:
            end = verdicts.at_least(f"receive {name}", ratio(theirs, ours), bar)
            row += f"{load.events / median(theirs):20,.0f}  {end}"
        print(row, flush=True)

    @contextmanager
    def counting(self, load: Load, times: int, *options: str) -> Iterator[Receiver]:
        """Run tailrace, and check at the end that it has counted a load so many times."""
        name = "durable" if options else "receive"
        out, err = self._work / f"{name}.out", self._work / f"{name}.err"
        command = [self._tailrace, "top", "flume://127.0.0.1:0", "--window", "300s"]
        command += ["--log-format", "combined", "--format", "jsonl", *options]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self._environment,
            )
        try:
            port = _until(lambda: re.search(r"listening.*?:(\d+)", err.read_text()), process)
            yield Receiver(process.pid, int(port[1]))
            process.send_signal(signal.SIGTERM)
            process.wait(_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
        answer = json.loads(out.read_bytes().splitlines()[-1])
        rows = [(row["url"], row["count"]) for row in answer["rows"]]
        ranked = sorted(load.keys().items(), key=lambda pair: (-pair[1], pair[0]))
        expected = [(url, count * times) for url, count in ranked[:_ROWS]]
        events = load.events * times
        lines = {"fed": events, "counted": events, "late": 0, "filtered": 0, "rejected": {}}
        lines |= {"abandoned": 0, "resent": 0}
        if (answer["lines"], answer["total"], rows) != (lines, events, expected):
            wrong(f"tailrace: {answer}\nis not {events} events, {expected}")

    @contextmanager
    def _avro_source(self) -> Iterator[Callable[[Load], float]]:
        """Run Flume's receiver, warm, and check after each load that it has accepted all of it."""
        port, counters = _free_port(), _free_port()
        java = (
            "-Xmx1g",
            "-Dflume.monitoring.type=http",
            f"-Dflume.monitoring.port={counters}",
        )
        conf = _AVRO_SOURCE.format(port=port)
        log = self._work / "flume.log"
        with flume_agent.agent(_FLUME, conf, log, java) as process:
            _until(lambda: _listens(port) and _listens(counters), process)
            receiver = Receiver(process.pid, port)
            sent = 0

            def costs(load: Load) -> float:
                nonlocal sent
                cost = receiver.costs(load)
                sent += load.events
                accepted = _accepted(counters)
                if accepted != sent:
                    wrong(f"AvroSource: {accepted} events accepted of {sent}")
                return cost

            for load in _WARM_UP:
                costs(load)
            yield costs


def _missing() -> str | None:
    """Return why Flume cannot run here, or None."""
    missing = flume_agent.missing()
    if missing is None:
        try:
            flume_agent.jars(_FLUME)
        except RuntimeError as problem:
            missing = str(problem)
    return missing


def _accepted(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT_S) as answer:
        return int(json.load(answer)["SOURCE.r1"]["EventAcceptedCount"])


def _until(condition: Callable[[], T | None], process: subprocess.Popen[bytes]) -> T:
    """Return the value of the condition once it is true."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not (value := condition()):
        if process.poll() is not None or time.monotonic() > deadline:
            wrong(f"{process.args!r} does not listen")
        time.sleep(0.05)
    return value


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
