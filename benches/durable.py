"""
What a checkpoint costs: receiving, answers, windows of many keys, and a restart.

Every part counts with and without one in turns, and checks what was counted.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from statistics import median, quantiles
from typing import TYPE_CHECKING

from measure import ratio, wrong
from receive import Receivers
from sender import Load, acknowledged

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from measure import Verdicts
    from receive import Receiver

__all__ = ["Durable"]

# The load of a round, and its bar: events for a CPU second, with a checkpoint over without.
_LOADS = (
    (Load(1_000, 4, 8, 1_000), 0.6),
    (Load(1_000, 1, 8, 1_000), 0.6),
    (Load(100, 4, 8, 6_000), None),
    (Load(10, 4, 8, 20_000), None),
)

_CONNECTIONS = 32
_BATCH = 100
_SECONDS = 10
_BARS_MS = (2.0, 20.0)

# A window of 300 s, in which each second has every key.
_KEYS = 20_000
_PANES = 300
_SLIDES = _PANES + 60
_BAR_SHARE = 5.0

# A window of nine panes with a million keys each.
_MANY_KEYS = 1_000_000
_MANY_PANES = 9
_BAR_RESTART_S = 2.0


class Durable:
    """The parts, in a directory for logs and checkpoints."""

    def __init__(self, work: Path, environment: Mapping[str, str], tailrace: str) -> None:
        self._work = work
        self._receivers = Receivers(work, environment, tailrace)
        self._tailrace = tailrace

    def measure(self, rounds: int, verdicts: Verdicts) -> None:
        """Print a row or a few for each part."""
        self._receive(rounds, verdicts)
        self._answers(verdicts)
        self._windows(rounds, verdicts)
        self._restart(rounds, verdicts)

    def _fresh(self) -> Path:
        directory = self._work / "checkpoint"
        shutil.rmtree(directory, ignore_errors=True)
        return directory

    def _receive(self, rounds: int, verdicts: Verdicts) -> None:
        head = f"{'in memory':>14}{'durable':>14}{'batches a sync':>16}"
        print(f"{'lines a batch, connections x in flight':<40}{head}")
        for load, bar in _LOADS:
            directory = self._fresh()
            plain: list[float] = []
            durable: list[float] = []
            with (
                self._receivers.counting(load, rounds) as one,
                self._receivers.counting(load, rounds, "--checkpoint", str(directory)) as other,
            ):
                for _ in range(rounds):
                    plain.append(one.costs(load))
                    durable.append(other.costs(load))
            grouped = load.batches * rounds / max(self._rounds(directory), 1)
            name = f"{load.batch:,}, {load.connections} x {load.depth}"
            value = ratio(plain, durable)
            row = f"{name:<40}{load.events / median(plain):14,.0f}"
            row += f"{load.events / median(durable):14,.0f}{grouped:16.1f}"
            end = f"{value:7.2f}x" if bar is None else verdicts.at_least(name, value, bar)
            print(f"{row}  {end}", flush=True)

    def _rounds(self, directory: Path) -> int:
        """Return how many rounds were written, each with one sync."""
        command = [self._tailrace, "checkpoint", "show", str(directory), "--format", "jsonl"]
        shown = subprocess.run(command, capture_output=True, check=True).stdout
        return int(json.loads(shown)["restart"]["round"])

    # Answers.

    def _answers(self, verdicts: Verdicts) -> None:
        # As fast as these connections can, and then at half of that rate.
        _, most = self._paced(0)
        delays, rate = self._paced(_CONNECTIONS * _BATCH * 2 / most)
        cuts = quantiles(delays, n=100)
        print(
            f"answers: {_CONNECTIONS} connections, {_BATCH} lines a batch, {rate:,.0f} lines/s of "
            f"at most {most:,.0f}"
        )
        for name, value, bar in zip(("p50", "p99"), (cuts[49], cuts[98]), _BARS_MS, strict=True):
            print(f"  {name:<38}{verdicts.at_most(f'answer {name}', value * 1e3, bar, ' ms')}")

    def _paced(self, pause_s: float) -> tuple[list[float], float]:
        """Send batches with a pause on each connection; return the delays, and lines a second."""
        directory = self._fresh()
        count = _CONNECTIONS * (max(round(_SECONDS / pause_s), 1) if pause_s else 200)
        load = Load(_BATCH, _CONNECTIONS, 1, count)
        delays: list[float] = []
        ready = threading.Barrier(_CONNECTIONS + 1)
        shared = {"delays": delays, "ready": ready}
        with self._receivers.counting(load, 1, "--checkpoint", str(directory)) as receiver:
            threads = [
                threading.Thread(target=_send, args=(receiver, load, at, pause_s), kwargs=shared)
                for at in range(_CONNECTIONS)
            ]
            for thread in threads:
                thread.start()
            ready.wait()
            begin = time.perf_counter()
            for thread in threads:
                thread.join()
            took = time.perf_counter() - begin
        if len(delays) != load.batches:
            wrong(f"{len(delays)} answers of {load.batches}")
        return delays, load.events / took

    # Windows.

    def _windows(self, rounds: int, verdicts: Verdicts) -> None:
        """Measure panes and states: a window that commits each second, without its rounds."""
        shares = []
        for _ in range(rounds):
            plain = self._slide(None)
            shares.append((self._slide(self._fresh()) - plain) / _SLIDES * 100)
        # Rounds are included: the panes alone cost less.
        name = f"panes and states: {_PANES} s, {_KEYS:,} keys a second"
        end = verdicts.at_most(name, median(shares), _BAR_SHARE, " % of a processor")
        print(f"{name}{end}", flush=True)

    def _slide(self, directory: Path | None) -> float:
        """Slide a window, and return the CPU seconds."""
        begin = time.process_time()
        keys = [f"/page/{number}/of/a/log/with/long/names" for number in range(_KEYS)]
        window = tr.Window(f"{_PANES}s", every="1s", top=10, checkpoint=directory)
        for second in range(_SLIDES):
            window.add(keys, times=[second] * _KEYS)
            for snapshot in window.advance(second + 1):
                if snapshot.total != _KEYS * min(second + 1, _PANES):
                    wrong(f"a window of {snapshot.total} events after {second + 1} s")
            if directory is not None:
                window.commit()
        window.close()
        return time.process_time() - begin

    # A restart.

    def _restart(self, rounds: int, verdicts: Verdicts) -> None:
        directory = self._fresh()
        length = {"length": f"{_MANY_PANES}s", "every": "1s", "top": 10, "checkpoint": directory}
        keys = [f"/page/{number}/of/a/log/with/long/names" for number in range(_MANY_KEYS)]
        with tr.Window(**length) as window:
            for second in range(_MANY_PANES):
                window.add(keys, times=[second] * _MANY_KEYS)
                list(window.advance(second + 1))
                window.commit()
        times = []
        for _ in range(rounds):
            begin = time.perf_counter()
            with tr.Window(**length) as window:
                times.append(time.perf_counter() - begin)
                if window.snapshot().total != _MANY_KEYS * _MANY_PANES:
                    wrong(f"a restart with {window.snapshot().total} events")
        name = f"restart: {_MANY_KEYS:,} keys, {_MANY_KEYS * _MANY_PANES:,} entries"
        print(f"{name:<40}{verdicts.at_most(name, median(times), _BAR_RESTART_S, ' s')}")
        shutil.rmtree(directory)


def _send(
    receiver: Receiver,
    load: Load,
    number: int,
    pause_s: float,
    *,
    delays: list[float],
    ready: threading.Barrier,
) -> None:
    """Send the share of a connection, one batch in each pause, and time the answers."""
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        calls = acknowledged(connection, load, number)
        ready.wait()
        due = time.perf_counter() + pause_s * number / load.connections
        for call in calls:
            time.sleep(max(due - time.perf_counter(), 0))
            begin = time.perf_counter()
            call()
            delays.append(time.perf_counter() - begin)
            due += pause_s
