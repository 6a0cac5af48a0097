"""
The jobs of tailrace in the window benchmarks, each a process: window_jobs.py JOB ARGUMENTS.

A job writes its answers to a file, and its cost to standard output as JSON.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import json
import resource
import sys
import threading
import time
from collections import deque
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TOP = 10
_FORMAT = "{time:epoch_ms}\t{key}"

# Rows of an `add`: enough that the call itself does not count, few enough to stay in the cache.
_BATCH = 65_536


def _report(**what: Any) -> None:  # noqa: ANN401 - figures and lists of them
    sys.stdout.write(json.dumps(what) + "\n")


def _line(snapshot: tr.Snapshot) -> str:
    return _answer(snapshot, "count")


def _answer(snapshot: tr.Snapshot, aggregate: str) -> str:
    rows = [(row["key"], row[aggregate]) for row in snapshot.rows[:_TOP]]
    return json.dumps([int(snapshot.end.timestamp()), rows]) + "\n"


def _query(data: str, length: str, lateness: str) -> tr.Query:
    window = tr.from_files(data, format=_FORMAT).window(
        f"{length}s", every="1s", time="log", lateness=f"{lateness}s"
    )
    return window.count(by="key").top(_TOP)


# Throughput.


def text(data: str, length: str, out: str, lateness: str = "0", jobs: str = "1") -> None:
    """Count the keys of a text."""
    begin, wall = time.process_time(), time.perf_counter()
    with Path(out).open("w") as answers:
        answers.writelines(map(_line, _query(data, length, lateness).run(jobs=int(jobs))))
    _report(cpu=time.process_time() - begin, wall=time.perf_counter() - wall)


def columns(data: str, length: str, out: str, lateness: str = "0", aggregate: str = "") -> None:
    """Count the keys of Arrow columns that are in memory."""
    table = _table(data)
    window = make_window(aggregate, length, lateness)
    begin, wall = time.process_time(), time.perf_counter()
    with Path(out).open("w") as answers:
        answers.writelines(map(_line, _slides(window, table, with_values=bool(aggregate))))
    _report(cpu=time.process_time() - begin, wall=time.perf_counter() - wall)


def slides(data: str, length: str, out: str, aggregate: str = "") -> None:
    """
    Time every slide of columns: the events of a second, the watermark, the ranked rows.

    The values of the aggregate go to a file of their own.
    """
    table = _table(data)
    window = make_window(aggregate, length)
    spent = []
    with Path(out).open("w") as answers, Path(out + ".values").open("w") as values:
        for second in _seconds(table):
            begin = time.thread_time_ns()
            snapshot = _slide(window, second, with_values=bool(aggregate))
            ranked = snapshot.rows
            spent.append(time.thread_time_ns() - begin)
            answers.write(_line(snapshot))
            if aggregate and ranked:
                values.write(_answer(snapshot, aggregate))
    _report(spent=spent)


def rows(data: str, length: str, out: str) -> None:
    """Count all rows of all windows, including those that end after the last event."""
    window = tr.Window(f"{length}s", every="1s")
    found = total = keys = 0
    with Path(out).open("w") as answers:
        for snapshot in _all_slides(window, _table(data)):
            found += len(snapshot.rows)
            total += sum(row["count"] for row in snapshot.rows)
            keys += snapshot.keys
            answers.write(_line(snapshot))
    _report(rows=found, total=total, keys=keys)


def make_window(aggregate: str = "", length: str = "300", lateness: str = "0") -> tr.Window:
    """Return a window that counts, and computes an aggregate if one is named."""
    aggregates = {"count": tr.count()}
    if aggregate:
        make = getattr(tr, aggregate)
        aggregates[aggregate] = make(q=0.99) if aggregate == "quantile" else make()
    return tr.Window(
        f"{length}s", every="1s", top=_TOP, lateness=f"{lateness}s", aggregates=aggregates
    )


def _table(data: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 - only here
    import pyarrow.compute  # noqa: PLC0415 - not while the clock runs
    import pyarrow.ipc  # noqa: PLC0415

    return pa.ipc.open_file(pa.memory_map(data)).read_all().combine_chunks()


def _batches(table: Any) -> Iterator[tuple[Any, Any, Any, float]]:  # noqa: ANN401
    """Yield keys, times, values and the newest time so far, in seconds."""
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    keys, times, values = (table[name].chunk(0) for name in ("key", "time", "value"))
    newest = 0
    for begin in range(0, len(keys), _BATCH):
        part = times.slice(begin, _BATCH)
        newest = max(newest, pc.max(part).value)
        yield keys.slice(begin, _BATCH), part, values.slice(begin, _BATCH), newest / 1_000


def _slides(window: tr.Window, table: Any, *, with_values: bool = False) -> Iterator[tr.Snapshot]:  # noqa: ANN401
    """Add batch by batch; the last answer is the window that ends after the newest event."""
    newest = 0.0
    for keys, times, values, newest in _batches(table):
        if with_values:
            window.add(keys, values, times=times)
        else:
            window.add(keys, times=times)
        yield from window.advance(newest)
    lateness = 3_600  # more than any job uses
    end = newest // 1 + 1
    for snapshot in window.advance(end + lateness):
        if snapshot.end.timestamp() > end:
            break
        yield snapshot


def _all_slides(window: tr.Window, table: Any) -> Iterator[tr.Snapshot]:  # noqa: ANN401
    for keys, times, _, newest in _batches(table):
        window.add(keys, times=times)
        yield from window.advance(newest)
    yield from window.finish()


def _seconds(table: Any) -> Iterator[tuple[Any, Any, Any, int]]:  # noqa: ANN401
    """Yield the events of each second, and the end of the second."""
    import numpy as np  # noqa: PLC0415 - as above

    keys, times, values = (table[name].chunk(0) for name in ("key", "time", "value"))
    moments = times.cast("int64").to_numpy() // 1_000
    ends = np.flatnonzero(np.diff(moments)) + 1
    for begin, end in zip([0, *ends.tolist()], [*ends.tolist(), len(moments)], strict=True):
        size = end - begin
        second = int(moments[begin])
        yield (
            keys.slice(begin, size),
            times.slice(begin, size),
            values.slice(begin, size),
            second + 1,
        )


def _slide(
    window: tr.Window, second: tuple[Any, Any, Any, int], *, with_values: bool
) -> tr.Snapshot:
    keys, times, values, end = second
    if with_values:
        window.add(keys, values, times=times)
    else:
        window.add(keys, times=times)
    return list(window.advance(end))[-1]


# Latency.


def latency(keys: str, rate: str, length: str, measured: str, drawn: str) -> None:
    """
    Time slides from `advance` to the ten ranked rows in Python, once the window is full.

    Keys are drawn by rank**-1.05 (`zipf`) or used in turn (`turns`), which keeps all of them alive.
    """
    import numpy as np  # noqa: PLC0415 - as above

    random = np.random.default_rng(6)
    count, per_second, seconds = int(keys), int(rate), int(length)
    pool = _key_column(range(count))
    weights = np.arange(1, count + 1, dtype=float) ** -1.05
    cumulative = np.cumsum(weights / weights.sum())
    window = tr.Window(f"{seconds}s", every="1s", top=_TOP)
    past: deque[Any] = deque(maxlen=seconds)
    adds, walls, cpus, live = [], [], [], []
    for slide in range(seconds + int(measured)):
        if drawn == "zipf":
            chosen = np.searchsorted(cumulative, random.random(per_second)).clip(max=count - 1)
        else:
            chosen = np.arange(slide * per_second, (slide + 1) * per_second) % count
        past.append(chosen)
        times = np.sort(random.integers(0, 1_000, per_second)) + slide * 1_000
        taken, moments = pool.take(_arrow(chosen)), _arrow(times).cast(_milliseconds())
        before = time.perf_counter_ns()
        window.add(taken, times=moments)
        begin, cpu = time.perf_counter_ns(), time.thread_time_ns()
        (snapshot,) = window.advance(slide + 1)
        ranked = snapshot.rows
        wall, spent = time.perf_counter_ns() - begin, time.thread_time_ns() - cpu
        if slide >= seconds:
            adds.append(begin - before)
            walls.append(wall)
            cpus.append(spent)
            live.append(snapshot.keys)
        if slide % 50 == 0:
            _check_slide(ranked, np.concatenate(past), snapshot.keys)
    _report(adds=adds, walls=walls, cpus=cpus, live=median(live))


def _check_slide(ranked: list[dict[str, Any]], held: Any, keys: int) -> None:  # noqa: ANN401
    import numpy as np  # noqa: PLC0415 - as above

    found, counts = np.unique(held, return_counts=True)
    # A stable sort of the sorted output of `unique`, so ties are in the order of keys.
    best = np.argsort(-counts, kind="stable")[:_TOP]
    expected = [{"key": _key(found[n]), "count": int(counts[n])} for n in best]
    if ranked != expected or keys != len(found):
        sys.exit(f"{keys} keys, {ranked}\nis not {len(found)} keys, {expected}")


# Memory.


def memory(keys: str, panes: str) -> None:
    """Report how many bytes are resident for so many keys in each of so many panes."""
    count, length = int(keys), int(panes)
    column = _key_column(range(count))
    stamp = _arrow_times([0] * count)
    # Load what is loaded once, at the first use.
    window = tr.Window("1s", every="1s", top=_TOP)
    window.add(column.slice(0, 10), times=_shifted(stamp.slice(0, 10), 0))
    list(window.finish())
    window = tr.Window(f"{length}s", every="1s", top=_TOP)
    before = _resident()
    for pane in range(length):
        window.add(column, times=_shifted(stamp, pane))
        snapshot = list(window.advance(pane + 1))[-1]
    if (snapshot.keys, snapshot.total) != (count, count * length):
        sys.exit(f"{snapshot.keys} keys, {snapshot.total} events: not {count}, {count * length}")
    _report(bytes=_resident() - before)


def churn(keys: str, length: str, rate: str) -> None:
    """Add keys that occur once; report the resident bytes after every slide."""
    count, seconds, per_second = int(keys), int(length), int(rate)
    window = tr.Window(f"{seconds}s", every="1s", top=_TOP)
    stamp = _arrow_times([0] * per_second)
    resident = []
    for slide in range(count // per_second):
        column = _key_column(range(slide * per_second, (slide + 1) * per_second))
        window.add(column, times=_shifted(stamp, slide))
        (snapshot,) = window.advance(slide + 1)
        held = min(slide + 1, seconds) * per_second
        first = max(0, slide + 1 - seconds) * per_second
        ranked = [row["key"] for row in snapshot.rows]
        if (snapshot.keys, snapshot.total) != (held, held) or ranked[0] != _key(first):
            sys.exit(f"slide {slide}: {snapshot.keys} keys, {ranked}: not {held} from {first}")
        del column
        resident.append(_resident())
    _report(resident=resident)


# Together with other Python code.


def beside(data: str, length: str, out: str, kind: str, turns: str) -> None:
    """Report how fast a thread counts while tailrace, nothing, or hashing runs, in turns."""
    table = _table(data) if kind == "columns" else None

    def work() -> Iterable[tr.Snapshot]:
        if table is None:
            return _query(data, length, "0").run(jobs=1)
        return _slides(make_window(length=length), table)

    def busy() -> None:
        with Path(out).open("w") as answers:
            answers.writelines(map(_line, work()))

    speeds: dict[str, list[float]] = {"tailrace": [], "nothing": [], "hashing": []}
    for _ in range(int(turns)):
        speed, spent = _counted(busy)
        speeds["tailrace"].append(speed)
        speeds["nothing"].append(_counted(partial(time.sleep, spent))[0])
        speeds["hashing"].append(_counted(partial(_hash_for, spent))[0])
    _report(**speeds)


def _hash_for(seconds: float) -> None:
    """Keep a core busy, and use the interpreter only for a moment now and then."""
    over = time.perf_counter() + seconds
    while time.perf_counter() < over:
        hashlib.pbkdf2_hmac("sha256", b"tail", b"race", 20_000)


def _counted(work: Callable[[], object]) -> tuple[float, float]:
    """Return how far a thread counts in a second during some work, and how long the work took."""
    over = threading.Event()
    reached = 0

    def count() -> None:
        nonlocal reached
        while not over.is_set():
            reached += 1

    thread = threading.Thread(target=count)
    begin = time.perf_counter()
    thread.start()
    work()
    over.set()
    thread.join()
    spent = time.perf_counter() - begin
    return reached / spent, spent


# Helpers.


def _key(number: int) -> str:
    return f"/path/to/item{number:08d}.html"


def _key_column(numbers: Iterable[int]) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.array(map(_key, numbers), pa.string())


def _arrow(numbers: Any) -> Any:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.array(numbers)


def _milliseconds() -> Any:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415 - as above

    return pa.timestamp("ms")


def _arrow_times(seconds: list[int]) -> Any:  # noqa: ANN401
    return _arrow([second * 1_000 for second in seconds])


def _shifted(stamp: Any, second: int) -> Any:  # noqa: ANN401
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    return pc.add(stamp, second * 1_000).cast(_milliseconds())


_PAGE = resource.getpagesize()


def _resident() -> int:
    gc.collect()
    # Memory that allocators keep for later does not belong to the window.
    import pyarrow as pa  # noqa: PLC0415 - as above

    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
