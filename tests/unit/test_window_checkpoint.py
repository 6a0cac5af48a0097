"""`tr.Window(checkpoint=…)`: what was committed is there again, with its position, and no more."""

from __future__ import annotations

import gc
import os
import pickle
import random
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import wait_for
from profiles import examples, scaled, seeded

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AGGREGATES = {
    "count": tr.count(),
    "sum": tr.sum(),
    "mean": tr.mean(),
    "min": tr.min(),
    "max": tr.max(),
    "first": tr.first(),
    "last": tr.last(),
    "var": tr.var(),
    "std": tr.std(),
    "distinct": tr.count_distinct(),
    "about": tr.approx_count_distinct(),
    "median": tr.quantile(0.5),
    "rate": tr.rate(),
    "share": tr.share(),
    "top": tr.top_values(n=2),
}


def rows(snapshots: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - of any kind
    return [(one.start, one.end, one.total, one.keys, one.rows, one.lines) for one in snapshots]


def window(path: Path, **options: Any) -> tr.Window:  # noqa: ANN401 - those of a window
    return tr.Window(options.pop("length", "60s"), checkpoint=path, **options)


def test_what_was_committed_is_there_again_with_its_position(tmp_path: Path):
    with window(tmp_path / "w", every="30s") as one:
        assert one.position is None
        one.add(["a", "b", "a"], times=[0, 10, 40])
        one.commit(position=b"\x00 3 events")
        assert one.position == b"\x00 3 events"
        one.add(["c"], times=[41])
        before = rows(tr_of(["a", "b", "a"], [0, 10, 40], every="30s").advance(90))
    with window(tmp_path / "w", every="30s") as one:
        assert one.position == b"\x00 3 events"
        # What was not committed is not there.
        assert rows(one.advance(90)) == before
        one.commit()
        assert one.position == b"\x00 3 events"
    with window(tmp_path / "w", every="30s") as one:
        assert one.position == b"\x00 3 events"
        assert rows(one.advance(90)) == []
        one.add(["late"], times=[0])
        assert one.snapshot().lines["late"] == 1


def tr_of(keys: Sequence[Any], times: Sequence[float], **options: Any) -> tr.Window:  # noqa: ANN401
    one = tr.Window(options.pop("length", "60s"), **options)
    one.add(keys, times=times)
    return one


def test_a_directory_is_created_for_its_user_only(tmp_path: Path):
    with window(tmp_path / "w") as one:
        one.add(["a"], times=[0])
        one.commit()
        files = sorted(path.name for path in (tmp_path / "w").iterdir())
        assert files == ["lock", "log-0000000000000001"]
    assert (tmp_path / "w").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "w").iterdir()} == {0o600}


def test_a_window_without_a_checkpoint_has_nothing_to_commit_to():
    one = tr.Window("60s")
    assert one.position is None
    with pytest.raises(ValueError, match=r"^commit: needs a checkpoint; create .*checkpoint=DIR"):
        one.commit()
    with one as same:
        assert same is one
    one.add(["a"], times=[0])


def test_after_close_nothing_can_be_committed(tmp_path: Path):
    one = window(tmp_path)
    one.add(["a"], times=[0])
    one.close()
    one.close()
    with pytest.raises(ValueError, match=r"^commit: the window is closed"):
        one.commit()
    assert one.snapshot().total == 1


@pytest.mark.parametrize(
    ("position", "error", "message"),
    [
        ("text", TypeError, r"^position: expected bytes, found 'text'"),
        (7, TypeError, r"^position: expected bytes, found 7"),
        (bytes(1024 * 1024 + 1), ValueError, r"^position: expected at most 1,048,576 bytes, found"),
    ],
)
def test_a_wrong_position_commits_nothing(
    tmp_path: Path,
    position: Any,  # noqa: ANN401 - wrong ones
    error: type[Exception],
    message: str,
):
    with window(tmp_path) as one:
        one.add(["a"], times=[0])
        with pytest.raises(error, match=message):
            one.commit(position=position)
    with window(tmp_path) as one:
        assert one.snapshot().total == 0


def test_positions_of_any_size_come_back(tmp_path: Path):
    for position in (b"", b"\0", os.urandom(1024 * 1024), b"x"):
        with window(tmp_path) as one:
            one.commit(position=position)
        with window(tmp_path) as one:
            assert one.position == position


def test_a_second_window_on_the_directory_is_refused(tmp_path: Path):
    with window(tmp_path):
        with pytest.raises(tr.CheckpointError, match="no process uses"):
            window(tmp_path)
        code = f"import tailrace as tr; tr.Window('60s', checkpoint={str(tmp_path)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert "TailraceError" in done.stderr or "CheckpointError" in done.stderr
    window(tmp_path).close()


def test_a_window_that_is_collected_releases_its_directory(tmp_path: Path):
    one = window(tmp_path)
    one.add(["a"], times=[0])
    one.commit(position=b"1")
    del one
    gc.collect()
    with window(tmp_path) as one:
        assert (one.position, one.snapshot().total) == (b"1", 1)


def test_it_cannot_be_pickled(tmp_path: Path):
    with window(tmp_path) as one, pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(one)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"length": "30s"}, "length"),
        ({"every": "20s"}, "every"),
        ({"by": "host"}, "by"),
        ({"aggregates": {"n": tr.count()}}, "aggregates"),
        ({"aggregates": {"count": tr.sum()}}, "aggregates"),
        ({"track_ranks": True}, "track_ranks"),
        ({"offset": "5s"}, "offset"),
        ({"lateness": "1s"}, "lateness"),
        ({"max_keys": 5}, "max_keys"),
        ({"max_key_bytes": "1MiB"}, "max_key_bytes"),
    ],
)
def test_other_settings_are_an_error_that_names_them(
    tmp_path: Path, changed: dict[str, Any], named: str
):
    with window(tmp_path) as one:
        one.add(["a"], times=[0])
        one.commit(position=b"1")
    with pytest.raises(tr.CheckpointError, match=rf"\b{named} was ") as raised:
        window(tmp_path, **changed)
    text = str(raised.value)
    assert str(tmp_path) in text
    names = set(re.findall(r"(\w+) was ", text))
    # The slide is the length unless it is given.
    assert names == ({"length", "every"} if named == "length" else {named})
    # The refusal changed nothing, and left no lock.
    with window(tmp_path) as one:
        assert (one.position, one.snapshot().total) == (b"1", 1)


@pytest.mark.parametrize("ranks", [False, True])
@pytest.mark.parametrize("states", [False, True])
def test_rows_and_late_events_may_be_shown_in_another_way(
    tmp_path: Path, *, ranks: bool, states: bool
):
    aggregates = {"count": tr.count(), "sum": tr.sum()}
    ways: list[tuple[dict[str, Any], str]] = [
        ({}, "abc"),
        ({"top": 1, "order_by": "sum", "ascending": True, "late": "keep"}, "a"),
        ({"top": 2, "order_by": "sum"}, "cb"),
        ({"order_by": "key", "ascending": True}, "abc"),
    ]
    for number, (way, expected) in enumerate(ways):
        with window(tmp_path, aggregates=aggregates, track_ranks=ranks, **way) as one:
            one.add(["a", "b", "c"], [1, 2, 3], times=[60 * number] * 3)
            (snapshot,) = one.advance(60 * number + 60)
            assert [row["key"] for row in snapshot.rows] == list(expected)
            one.commit()
            if states:
                collect_state(one)
                one.commit()


def test_types_of_keys_and_values_come_back(tmp_path: Path):
    with window(tmp_path, aggregates={"sum": tr.sum()}) as one:
        one.add([1, 2**40], [0.5, 2.0], times=[0, 0])
        one.commit()
    with window(tmp_path, aggregates={"sum": tr.sum()}) as one:
        assert one.snapshot().rows == [{"key": 2**40, "sum": 2.0}, {"key": 1, "sum": 0.5}]
        with pytest.raises(TypeError):
            one.add(["text"], [1], times=[1])
        one.add([1], [1], times=[1])
        assert one.snapshot().rows[1] == {"key": 1, "sum": 1.5}
        one.commit()


def test_what_was_merged_is_committed_too(tmp_path: Path):
    other = tr_of(["b", "c"], [5, 50])
    with window(tmp_path) as one:
        one.add(["a", "b"], times=[1, 2])
        one.merge(other)
        one.merge(other.export())
        one.merge(other.export_table())
        before = one.export()
        one.commit()
    with window(tmp_path) as one:
        assert one.export() == before
        assert {row["key"]: row["count"] for row in one.snapshot().rows} == {
            "a": 1,
            "b": 4,
            "c": 3,
        }


def test_a_change_of_ranks_is_one_since_the_result_before_the_restart(tmp_path: Path):
    options: dict[str, Any] = {"length": "10s", "track_ranks": True}
    steady = tr.Window("10s", track_ranks=True)
    for times, keys in (([0, 1, 2], "aab"), ([10, 11, 12], "abb"), ([20, 21, 22], "abb")):
        with window(tmp_path, **options) as one:
            found = []
            for each in (one, steady):
                each.add(list(keys), times=times)
                found.append(rows(each.advance((times[0] // 10 + 1) * 10)))
            assert found[0] == found[1]
            one.commit()


def test_threads_share_a_window_while_it_is_committed(tmp_path: Path):
    stop = threading.Event()
    added = [0, 0]

    def add(place: int) -> None:
        while not stop.is_set():
            shared.add([f"key {place}"] * 10, times=[1.0] * 10)
            added[place] += 10

    with window(tmp_path) as shared:
        threads = [threading.Thread(target=add, args=(place,)) for place in (0, 1)]
        for thread in threads:
            thread.start()
        for number in range(50):
            shared.commit(position=str(number).encode())
        stop.set()
        for thread in threads:
            thread.join()
        shared.commit(position=b"all")
        assert shared.snapshot().total == sum(added)
    with window(tmp_path) as one:
        counts = {row["key"]: row["count"] for row in one.snapshot().rows}
        assert counts == {f"key {place}": number for place, number in enumerate(added)}


def test_many_commits_write_states_and_remove_old_logs(tmp_path: Path):
    """Enough is committed that several states are written: by bytes, and by rounds."""
    with window(tmp_path, length="20s", every="10s") as one:
        for number in range(30):
            # Random digits are not compressed, so each commit writes more than 2 MB.
            keys = [os.urandom(20).hex() for _ in range(50_000)]
            one.add(keys, times=[number * 10.0] * len(keys))
            list(one.advance(number * 10))
            one.commit(position=str(number).encode())
        before = one.export()
        names = sorted(path.name for path in tmp_path.iterdir())
        assert any(name.startswith("state-") for name in names)
        assert "log-0000000000000001" not in names
    with window(tmp_path, length="20s", every="10s") as one:
        assert one.position == b"29"
        assert one.export() == before


def log_of(path: Path) -> Path:
    return max(path.glob("log-*"))


def test_a_flipped_bit_is_an_error_that_names_the_file_and_the_byte(tmp_path: Path):
    with window(tmp_path) as one:
        for number in range(20):
            one.add([f"{number}" * 20], times=[number])
            one.commit()
    log = log_of(tmp_path)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(tr.CheckpointError, match=rf"{log.name}.* byte \d"):
        window(tmp_path)


def test_a_tail_that_a_crash_left_is_cut(tmp_path: Path):
    with window(tmp_path) as one:
        one.add(["a"], times=[0])
        one.commit(position=b"1")
    with log_of(tmp_path).open("ab") as log:
        log.write(os.urandom(100))
    with window(tmp_path) as one:
        assert (one.position, one.snapshot().total) == (b"1", 1)
        one.commit(position=b"2")
    with window(tmp_path) as one:
        assert one.position == b"2"


@pytest.mark.parametrize("name", ["", 7])
def test_what_is_no_directory_is_refused(name: Any):  # noqa: ANN401 - wrong ones
    with pytest.raises((TypeError, ValueError), match=r"^checkpoint: expected"):
        tr.Window("60s", checkpoint=name)


def test_a_file_is_no_directory(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises((OSError, tr.CheckpointError), match="file"):
        window(tmp_path / "file")


CHILD = """
import sys, random
import tailrace as tr
path, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
window = tr.Window("50s", every="10s", aggregates={"count": tr.count(), "sum": tr.sum()},
                   track_ranks=True, checkpoint=path)
at = int(window.position or b"0")
print("at", at, flush=True)
while True:
    for _ in range(rng.randrange(1, 4)):
        count = rng.randrange(1, 60)
        numbers = range(at, at + count)
        window.add([f"key {number % 7}" for number in numbers], [number for number in numbers],
                   times=[number / 10 for number in numbers])
        at += count
        if rng.random() < 0.2:
            for snapshot in window.advance(at / 10):
                pass
    window.commit(position=str(at).encode())
    print("committed", at, flush=True)
"""


def test_a_killed_process_finds_what_it_committed(tmp_path: Path):
    """Kill -9 at random moments: exactly what was committed is there, with its position."""
    rng = seeded("a killed window")
    committed = 0
    for _ in range(scaled(40)):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(rng.randrange(10**9))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda p=process, seen=lines: seen.extend(p.stdout))
        reader.start()
        least = rng.randrange(1, 60)
        wait_for(lambda seen=lines, least=least, p=process: len(seen) > least or p.poll())
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        assert lines[0].split()[0] == "at", lines
        # It may have been killed while it wrote a line.
        lines = [line for line in lines if line.endswith("\n")]
        began = int(lines[0].split()[1])
        # The commit that was under way may be durable or not.
        assert began >= committed
        committed = int(lines[-1].split()[1])
        check(tmp_path, committed)


def check(path: Path, committed: int) -> None:
    aggregates = {"count": tr.count(), "sum": tr.sum()}
    options: dict[str, Any] = {"every": "10s", "aggregates": aggregates, "track_ranks": True}
    with window(path, length="50s", **options) as one:
        at = int(one.position or b"0")
        assert at >= committed
        steady = tr.Window("50s", **options)
        steady.add(
            [f"key {number % 7}" for number in range(at)],
            list(range(at)),
            times=[number / 10 for number in range(at)],
        )
        end = -(-at // 100) * 10
        for each in (one, steady):
            # Everything is in the last window or before it.
            list(each.advance(end - 0.000_001))
        assert content(one, end) == content(steady, end)


def content(one: tr.Window, end: int) -> list[dict[str, Any]]:
    found = [snapshot for snapshot in one.advance(end) if snapshot.end.timestamp() == end]
    names = ("key", "count", "sum", "rank")
    return [{name: row[name] for name in names} for snapshot in found for row in snapshot.rows]


def test_on_a_full_disk_nothing_is_durable_and_later_all_is(tmp_path: Path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs privileges")
    try:
        with window(place / "w") as one:
            one.add(["a"], times=[0])
            one.commit(position=b"1")
            (place / "filler").write_bytes(bytes(200_000))
            one.add([f"{random.random()}" for _ in range(20_000)], times=[1] * 20_000)  # noqa: S311
            with pytest.raises(tr.CheckpointError, match=r"(?i)no space"):
                one.commit(position=b"2")
            assert one.position == b"1"
            with pytest.raises(tr.CheckpointError, match=r"(?i)no space"):
                one.commit()
            (place / "filler").unlink()
            (place / "w2").mkdir()
            subprocess.run(["mount", "-o", "remount,size=16m", str(place)], check=True)
            one.commit(position=b"3")
            assert one.position == b"3"
            before = one.export()
        with window(place / "w") as one:
            assert (one.position, one.export() == before) == (b"3", True)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


KEYS = st.sampled_from(["a", "b", "c", "d", None, "", "\x00", "é" * 30])
EVENTS = st.lists(st.tuples(KEYS, st.integers(-5, 5), st.integers(0, 40)), max_size=12)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), EVENTS),
        st.tuples(st.just("merge"), EVENTS),
        st.tuples(st.just("merge_table"), EVENTS),
        st.tuples(st.just("advance"), st.integers(0, 60), st.integers(0, 5)),
        st.tuples(st.just("commit"), st.none() | st.binary(max_size=3)),
        st.tuples(st.just("state")),
        st.tuples(st.just("restart")),
        st.tuples(st.just("finish"), st.integers(0, 3)),
    ),
    max_size=30,
)
SIZES = st.sampled_from(
    [
        {"length": "10s"},
        {"length": "20s", "every": "5s", "lateness": "3s"},
        {"length": ["10s", "20s", None], "every": "10s"},
        {"length": None, "every": "7s", "offset": "2s"},
        {"length": "10s", "every": "5s", "max_keys": 2},
        {"length": "10s", "every": "5s", "track_ranks": True, "order_by": "sum"},
        {"length": "10s", "every": "5s", "top": 2, "track_ranks": True},
    ]
)


def collect_state(one: tr.Window) -> None:
    """Have a state written at the next commit, as is due after 16 MiB."""
    durable = one._durable
    assert durable is not None
    durable._journal.collect(durable._window, durable._notes())


class Pair:
    """A window with a checkpoint, and one that never stopped and has what was committed."""

    def __init__(self, path: Path, size: dict[str, Any], aggregates: dict[str, Any]) -> None:
        self.path, self.size, self.aggregates = path, dict(size), aggregates
        length = self.size.pop("length")
        self.make = lambda **more: tr.Window(length, aggregates=aggregates, **self.size, **more)
        self.steady, self.durable = self.make(), self.make(checkpoint=path)
        self.pending: list[Any] = []
        self.position: bytes | None = None

    def apply(self, one: tr.Window, step: Any) -> list[Any]:  # noqa: ANN401 - of any kind
        what, *arguments = step
        if what in {"merge", "merge_table"}:
            other = self.make()
            self.add(other, arguments[0])
            one.merge(other.export() if what == "merge" else pa.table(other.export_table()))
            return []
        if what == "add":
            self.add(one, arguments[0])
            return []
        ended = one.finish() if what == "finish" else one.advance(arguments[0])
        return rows(snapshot for _, snapshot in zip(range(arguments[-1]), ended, strict=False))

    @staticmethod
    def add(one: tr.Window, events: Sequence[tuple[Any, int, int]]) -> None:
        if events:
            keys, values, times = zip(*events, strict=True)
            one.add(list(keys), list(values), times=list(times))

    def run(self, steps: Sequence[Any]) -> None:
        for step in steps:
            if step[0] == "commit":
                self.durable.commit(**({} if step[1] is None else {"position": step[1]}))
                self.settle()
                self.position = self.position if step[1] is None else step[1]
            elif step[0] == "state":
                self.durable.commit()
                self.settle()
                collect_state(self.durable)
            elif step[0] == "restart":
                self.restart()
            else:
                self.pending.append((step, self.apply(self.durable, step)))
        self.durable.commit()
        self.settle()
        self.restart()
        for now in (30, 61, 100):
            assert rows(self.durable.advance(now)) == rows(self.steady.advance(now))
        self.durable.close()

    def settle(self) -> None:
        for step, found in self.pending:
            assert self.apply(self.steady, step) == found
        self.pending.clear()

    def restart(self) -> None:
        self.durable.close()
        self.pending.clear()
        self.durable = self.make(checkpoint=self.path)
        assert self.durable.position == self.position
        assert self.durable.export() == self.steady.export()
        assert self.durable.snapshot().rows == self.steady.snapshot().rows


@examples(150)
@given(steps=STEPS, size=SIZES, several=st.booleans())
def test_after_any_restart_it_is_as_one_that_never_stopped(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Any],
    size: dict[str, Any],
    several: bool,  # noqa: FBT001 - of hypothesis
):
    aggregates = AGGREGATES if several else {"count": tr.count(), "sum": tr.sum()}
    Pair(tmp_path_factory.mktemp("w") / "w", size, aggregates).run(steps)
