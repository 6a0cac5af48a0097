"""
What following a log costs over reading it once, and what it costs while nothing comes.

follow.py [--rounds N] [--seed N] [--seconds N]; bars and figures are explained in README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from generator import LINES_PER_SECOND, write_log
from measure import Runner, Verdicts, wrong

import tailrace as tr
from tailrace import _core

_LINES_A_SECOND = 200_000

# As a server that buffers: some twenty lines a write, ten thousand writes a second.
_WRITE_BYTES = 4_096
_TICK_S = 0.01

_IDLE_S = 10

# Per cent of a core.
_BAR_GROWING = 15
_BAR_IDLE = 0.5


# What runs as a process of its own.


def read(kind: str, path: str, lines: int) -> None:
    """Count the keys of a file, and print them when all lines have come."""
    from tailrace.sources.follow import Follow  # noqa: PLC0415 - start-up that one of them has

    query = tr.from_files(path).window("300s", every="1s", time="arrival").count(by="url").top(10)
    run = query.start()
    if kind == "follow":
        run._source = Follow([path], from_end=False)  # noqa: SLF001 - until a query can say it
    rows, counted = [], 0
    for snapshot in run:
        rows, counted = snapshot.rows, snapshot.lines["counted"]
        if kind == "follow" and counted >= lines:
            break
    print(json.dumps([counted, rows]))


def idle(path: str, seconds: int) -> None:
    """Follow a file that does not grow, and print what a second costs."""
    import asyncio  # noqa: PLC0415 - as above

    from tailrace.sources.follow import Follow  # noqa: PLC0415 - as above

    async def wait() -> None:
        follow = Follow([path], from_end=True)
        await follow.open()
        # As the driver asks: once a second.
        begin, used = time.monotonic(), time.process_time()
        while time.monotonic() < begin + seconds:
            if await follow.receive(1.0):
                wrong("idle: something was read")
        print((time.process_time() - used) / (time.monotonic() - begin))
        await follow.close()

    asyncio.run(wait())


def grow(source: str, path: str) -> None:
    """Append a file to another at the rate of the bench."""
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


# What measures them.


def main() -> None:
    """Measure, check, print, and exit with 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=5, help="how long the file grows")
    options = parser.parse_args()
    if _core._debug_build:  # noqa: SLF001 - that is what it is for
        sys.exit("benches: this is a debug build; run make build")
    verdicts = Verdicts()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        log = work / "whole.log"
        lines = _LINES_A_SECOND * options.seconds
        write_log(log, lines // LINES_PER_SECOND, options.seed)
        runner = Runner(work)
        (work / "empty").touch()
        runner.run(_child("once", str(work / "empty"), "0"))

        print(f"a file that grows by {_LINES_A_SECOND:,} lines a second for {options.seconds} s")
        print(f"{'':<8}{'once':>14}{'followed':>14}")
        extra = []
        for _ in range(options.rounds):
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
            if took > options.seconds * 1.1:
                wrong(f"the writer took {took:.1f} s: this machine is too busy to tell")
            extra.append((followed.cpu - once.cpu) / took * 100)
            print(f"{'':<8}{once.cpu:10.3f} CPU{followed.cpu:10.3f} CPU  {extra[-1]:6.2f} % more")
        print(f"median  {verdicts.at_most('growing', median(extra), _BAR_GROWING, ' %')}")

        used = [
            100 * float(runner.run(_child("idle", str(log), str(_IDLE_S)))[1])
            for _ in range(options.rounds)
        ]
        print(f"idle    {verdicts.at_most('idle', median(used), _BAR_IDLE, ' %')} of a core")
    if verdicts.missed:
        sys.exit(f"missed: {', '.join(verdicts.missed)}")


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
        case _:
            main()
