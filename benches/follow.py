"""
Measure what following a log costs more than reading it once, and its cost while nothing comes.

Run by `bench.py --only follow`; README.md explains bars and figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from generator import LINES_PER_SECOND, write_log
from measure import Runner, Verdicts, wrong

import tailrace as tr

_LINES_A_SECOND = 200_000

# Like a server that buffers: about twenty lines a write, ten thousand writes a second.
_WRITE_BYTES = 4_096
_TICK_S = 0.01

_IDLE_S = 10

# How long the file grows.
_GROWING_S = 5

# Per cent of a core.
_BAR_GROWING = 15
_BAR_IDLE = 0.5


# Runs in a process of its own.


def read(kind: str, path: str, lines: int) -> None:
    """Count the keys of a file, and print them when all lines have arrived."""
    follow = kind == "follow"
    # By arrival time a followed file is read from its end at the start; here it is empty.
    query = tr.from_files(path, format="combined", follow=follow)
    query = query.window("300s", every="1s", time="arrival").count(by="url").top(10)
    rows, counted = [], 0
    with query.run() as answers:
        for snapshot in answers:
            rows, counted = snapshot.rows, snapshot.lines["counted"]
            if follow and counted >= lines:
                break
    print(json.dumps([counted, rows]))


def idle(path: str, seconds: int) -> None:
    """Follow a file that does not grow, and print the CPU seconds for each second."""
    import asyncio  # noqa: PLC0415 - as above

    from tailrace._sources.follow import Follow  # noqa: PLC0415 - as above

    async def wait() -> None:
        follow = Follow([path], from_end=True)
        await follow.open()
        # The driver asks once a second too.
        begin, used = time.monotonic(), time.process_time()
        while time.monotonic() < begin + seconds:
            if await follow.receive(1.0):
                wrong("idle: the file did not grow, but lines were read")
        print((time.process_time() - used) / (time.monotonic() - begin))
        await follow.close()

    asyncio.run(wait())


def grow(source: str, path: str) -> None:
    """Append a file to another at the rate of the benchmark."""
    data = Path(source).read_bytes()
    lines = data.count(b"\n")
    tick_bytes = int(len(data) / lines * _LINES_A_SECOND * _TICK_S)
    # The reader opens the file first.
    time.sleep(1)
    out = os.open(path, os.O_WRONLY | os.O_APPEND)
    begin = time.monotonic()
    for tick, start in enumerate(range(0, len(data), tick_bytes)):
        time.sleep(max(0, begin + tick * _TICK_S - time.monotonic()))
        end = min(start + tick_bytes, len(data))
        for at in range(start, end, _WRITE_BYTES):
            os.write(out, data[at : min(at + _WRITE_BYTES, end)])
    print(time.monotonic() - begin)


# Measures them.


def measure(work: Path, runner: Runner, rounds: int, seed: int, verdicts: Verdicts) -> None:
    """Measure, check and print."""
    log = work / "whole.log"
    lines = _LINES_A_SECOND * _GROWING_S
    write_log(log, lines // LINES_PER_SECOND, seed)
    empty = work / "empty.log"
    empty.touch()
    # Run it once, so that the modules it imports are compiled.
    runner.run(_child("once", str(empty), "0"))
    print(f"{'':<8}{'once':>14}{'followed':>14}")
    extra = []
    for _ in range(rounds):
        once, expected = runner.run(_child("once", str(log), str(lines)))
        grown = work / "grown.log"
        grown.write_bytes(b"")
        writer = subprocess.Popen(
            _child("grow", str(log), str(grown)), stdout=subprocess.PIPE, text=True
        )
        followed, answer = runner.run(_child("follow", str(grown), str(lines)))
        took = float(writer.communicate()[0])
        if answer != expected or json.loads(answer)[0] != lines:
            wrong(f"follow: {answer!r} is not {expected!r}")
        if took > _GROWING_S * 1.1:
            wrong(f"the writer took {took:.1f} s: this machine is too busy for a figure")
        extra.append((followed.cpu - once.cpu) / took * 100)
        print(f"{'':<8}{once.cpu:10.3f} CPU{followed.cpu:10.3f} CPU  {extra[-1]:6.2f} % more")
    end = verdicts.at_most("following", median(extra), _BAR_GROWING, " %")
    print(f"{'following, more of a core':<34}{end}")
    used = [
        100 * float(runner.run(_child("idle", str(log), str(_IDLE_S)))[1]) for _ in range(rounds)
    ]
    end = verdicts.at_most("idle", median(used), _BAR_IDLE, " %")
    print(f"{'idle, of a core':<34}{end}")


def _child(*arguments: str) -> list[str]:
    return [sys.executable, __file__, "--child", *arguments]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--child", "idle", path, seconds]:
            idle(path, int(seconds))
        case ["--child", "grow", source, path]:
            grow(source, path)
        case ["--child", kind, path, lines]:
            read(kind, path, int(lines))
