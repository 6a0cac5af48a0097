"""Windows on the driver, fed with tables: what a batch changes, and what survives what."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pane_model import START, PaneModel, Window, bounds
from profiles import examples

import tailrace as tr
import tailrace.spark as ts
from tailrace.spark import _state
from tailrace.spark._merger import _batch_number

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = list[tuple[int, tuple[str | None, ...], int]]


def table(rows: Rows) -> pa.Table:
    """Panes of a second: starts after START, keys and counts."""
    starts = [START + timedelta(seconds=second) for second, _, _ in rows]
    return pa.table(
        {
            "pane": pa.array(starts, pa.timestamp("us", "Asia/Kolkata")),
            "url": pa.array([key[0] for _, key, _ in rows], pa.string()),
            "count": pa.array([count for _, _, count in rows], pa.int64()),
        }
    )


def merger(
    folder: Path,
    length: str | list[str | None] = "5s",
    every: str = "1s",
    **more: Any,  # noqa: ANN401 - as WindowMerger takes them
) -> ts.WindowMerger:
    """A merger of counts by URL with all keys."""
    given = {"by": "url", "top": None, "query_id": "query", "checkpoint": folder, **more}
    return ts.WindowMerger(length, every, **given)


def added(
    windows: ts.WindowMerger, batch: int, rows: Rows, query: str | None = None
) -> list[tr.Snapshot]:
    """The snapshots of a batch, as a call returns them once Spark has collected its panes."""
    return windows._answered(windows._batches.add(batch, query, lambda: table(rows)))


def fed(windows: ts.WindowMerger, batch: int, rows: Rows, query: str | None = None) -> list[Window]:
    """The windows that end with a batch."""
    return [bounds(one) for one in added(windows, batch, rows, query)]


A, B, NULL = ("/a",), ("/b",), (None,)

rows = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([A, B, NULL]), st.integers(1, 3)), max_size=6
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["new", "new", "new", "again", "old", "restart", "skip"]),
        st.integers(0, 8),
        rows,
    ),
    max_size=14,
)


@given(
    steps=steps,
    lengths=st.sampled_from([[5], [6, 2], [4, None], [1]]),
    every=st.sampled_from([1, 2]),
    lateness=st.sampled_from([0, 2, 2.5]),
    most=st.integers(0, 3),
)
@examples(150)
def test_batches_restarts_and_repeats_answer_as_a_recount_does(  # noqa: PLR0917 - drawn
    steps: Sequence[tuple[str, int, Rows]],
    lengths: list[int | None],
    every: int,
    lateness: float,
    most: int,
    tmp_path_factory: pytest.TempPathFactory,
):
    lengths = [one if one is None or one % every == 0 else every for one in lengths]
    folder = tmp_path_factory.mktemp("state")
    texts = [None if one is None else f"{one}s" for one in lengths]

    def fresh() -> ts.WindowMerger:
        return merger(folder, texts, f"{every}s", lateness=lateness)

    windows, model = fresh(), PaneModel(lengths, every, lateness)
    counted: dict[int, tuple[Rows, list[Window]]] = {}
    last, number, second = -1, -1, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_state, "_MOST_BATCHES", most)
        patch.setattr(os, "fsync", lambda _: None)
        for step, ahead, drawn in steps:
            second += ahead
            if step == "restart":
                windows = fresh()
            elif step == "again" and last in counted:
                found, expected = counted[last]
                assert fed(windows, last, found) == expected
            elif step == "old" and number - 1 in counted and number - 1 != last:
                assert fed(windows, number - 1, [(99, A, 1)]) == []
            elif step in ("new", "skip"):
                number += 2 if step == "skip" else 1
                # A number that was left out comes late, and counts.
                last = number - 1 if step == "skip" and ahead % 2 else number
                if last in counted:
                    continue
                moved = [(second + one, key, count) for one, key, count in drawn]
                expected = model.batch(moved)
                assert fed(windows, last, moved) == expected
                counted[last] = moved, expected
        assert [bounds(one) for one in windows.finish()] == model.finish()
    assert len(list((folder / "tailrace-windows").glob("batch-*"))) <= most + 3
    shutil.rmtree(folder)


def test_within_a_batch_nothing_is_late_and_afterwards_what_a_batch_closed(tmp_path: Path):
    windows = merger(tmp_path, "2s", "1s")

    assert fed(windows, 0, [(9, A, 1), (3, A, 1)])[0] == Window(2, 4, {A: 1}, 0)
    assert fed(windows, 1, [(8, A, 5), (9, B, 1), (10, A, 1)]) == [Window(8, 10, {A: 1, B: 1}, 5)]


def test_the_first_end_is_the_first_after_the_oldest_event_and_an_empty_window_is_one(
    tmp_path: Path,
):
    windows = merger(tmp_path, "2s", "1s")
    ends = [one.end for one in fed(windows, 0, [(100, A, 1), (110, A, 1)])]

    assert ends == [101, 102, 103]
    assert [one.end for one in fed(windows, 1, [(112, A, 1)])] == [111, 112]


def test_an_empty_batch_counts_and_moves_nothing(tmp_path: Path):
    windows = merger(tmp_path)
    fed(windows, 0, [(3, A, 1)])

    assert fed(windows, 1, []) == []
    assert fed(windows, 0, [(3, A, 1)]) == []
    assert fed(merger(tmp_path), 2, [(5, A, 1)]) == [
        Window(-1, 4, {A: 1}, 0),
        Window(0, 5, {A: 1}, 0),
    ]


def test_a_batch_that_is_repeated_with_other_rows_is_replaced(tmp_path: Path):
    windows = merger(tmp_path, "2s", "1s")
    fed(windows, 0, [(1, A, 1)])
    fed(windows, 1, [(2, A, 7), (3, A, 1)])

    for one in (windows, merger(tmp_path, "2s", "1s")):
        assert fed(one, 1, [(2, B, 1), (3, A, 1)]) == [
            Window(0, 2, {A: 1}, 0),
            Window(1, 3, {A: 1, B: 1}, 0),
        ]


def test_finish_answers_what_is_left_and_changes_nothing(tmp_path: Path):
    windows = merger(tmp_path, "3s", "1s")
    fed(windows, 0, [(1, A, 1), (2, A, 1)])
    rest = [Window(0, 3, {A: 2}, 0), Window(1, 4, {A: 2}, 0), Window(2, 5, {A: 1}, 0)]

    assert [bounds(one) for one in windows.finish()] == rest
    assert [bounds(one) for one in merger(tmp_path, "3s", "1s").finish()] == rest
    assert fed(windows, 1, [(2, B, 1), (3, A, 1)]) == [Window(0, 3, {A: 2, B: 1}, 0)]


def test_finish_without_a_batch_has_no_windows(tmp_path: Path):
    assert merger(tmp_path).finish() == []


def test_rows_are_ranked_and_cut(tmp_path: Path):
    windows = merger(tmp_path, "1s", "1s", top=1)
    found = added(windows, 0, [(0, A, 1), (0, B, 3), (1, A, 1)])

    assert [(one.rows, one.keys, one.total) for one in found] == [
        ([{"url": "/b", "count": 3}], 2, 4)
    ]


def test_ranks_may_change_over_a_restart(tmp_path: Path):
    fed(merger(tmp_path, top=1), 0, [(0, A, 1)])
    windows = merger(tmp_path, top=5, order_by="url")

    assert fed(windows, 1, [(1, B, 1)]) == [Window(-4, 1, {A: 1}, 0)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"length": "6s"}, r"expected length=\['5s'\].*found length=\['6s'\]"),
        ({"length": ["5s", "5m"]}, r"expected length=\['5s'\].*found length=\['5s', '5m'\]"),
        ({"length": "10s", "every": "5s"}, "length"),
        ({"every": "5s"}, "expected every=1s.*found every=5s"),
        ({"by": ["url", "host"]}, r"expected by=\['url'\].*found by=\['url', 'host'\]"),
        ({"by": None}, r"found by=\[\]"),
        ({"aggregates": {"n": tr.count()}}, r"found aggregates=\['n=count\(\)'\]"),
        ({"lateness": "2s"}, "expected lateness=0s.*found lateness=2s"),
    ],
)
def test_other_settings_than_those_of_the_state_are_an_error(
    tmp_path: Path, changed: dict[str, Any], message: str
):
    fed(merger(tmp_path), 0, [(0, A, 1)])

    with pytest.raises(ValueError, match=message):
        merger(tmp_path, **changed).finish()
    assert fed(merger(tmp_path), 1, [(1, A, 1)]) == [Window(-4, 1, {A: 1}, 0)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("query", None), ("other", None)),
        (("query", "id"), ("query", "another id")),
        ((None, "id"), (None, "another id")),
        ((None, "id"), ("query", "another id")),
    ],
)
def test_the_state_of_another_query_is_an_error(
    tmp_path: Path, first: tuple[str | None, str | None], then: tuple[str | None, str | None]
):
    fed(merger(tmp_path, query_id=first[0]), 0, [(0, A, 1)], query=first[1])

    with pytest.raises(ValueError, match=r"expected batches of the query .*checkpointLocation"):
        fed(merger(tmp_path, query_id=then[0]), 0, [(0, A, 1)], query=then[1])
    assert len(fed(merger(tmp_path, query_id=first[0]), 1, [(1, A, 1)], query=first[1])) == 1


def test_two_mergers_in_one_directory_are_an_error(tmp_path: Path):
    first, second = merger(tmp_path), merger(tmp_path)
    fed(first, 0, [(0, A, 1)])
    second.finish()
    assert fed(first, 1, [(1, A, 1)]) == [Window(-4, 1, {A: 1}, 0)]
    assert len(second.finish()) == 5
    assert fed(second, 2, [(2, A, 1)]) == [Window(-3, 2, {A: 2}, 0)]

    with pytest.raises(ValueError, match=f"another WindowMerger uses it.*process {os.getpid()}"):
        fed(first, 3, [(3, A, 1)])
    assert fed(second, 3, [(3, A, 1)]) == [Window(-2, 3, {A: 3}, 0)]


def test_a_directory_in_use_is_an_error(tmp_path: Path):
    first = merger(tmp_path)

    def other() -> pa.Table:
        with pytest.raises(ValueError, match="another WindowMerger uses it"):
            merger(tmp_path).finish()
        return table([(0, A, 1)])

    first._batches.add(0, None, other)
    assert fed(first, 1, [(1, A, 1)]) == [Window(-4, 1, {A: 1}, 0)]


def test_a_directory_that_was_removed_is_an_error(tmp_path: Path):
    windows = merger(tmp_path)
    fed(windows, 0, [(0, A, 1)])
    shutil.rmtree(tmp_path / "tailrace-windows")

    with pytest.raises(ValueError, match="removed while a WindowMerger used it"):
        fed(windows, 1, [(1, A, 1)])


def written(folder: Path, batches: int, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Write some batches, and return the files of the state that the next one needs."""
    monkeypatch.setattr(_state, "_MOST_BATCHES", 2)
    windows = merger(folder)
    for batch in range(batches):
        fed(windows, batch, [(batch, A, 1)])
    return sorted((folder / "tailrace-windows").glob("*-*"))


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "text", "longer", "version"])
def test_a_damaged_state_is_one_clear_error(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
):
    for path in written(tmp_path, 8, monkeypatch)[-2:]:
        good = path.read_bytes()
        middle = len(good) // 2
        bad = {
            "cut": good[:-1],
            "flip": good[:middle] + bytes([good[middle] ^ 4]) + good[middle + 1 :],
            "empty": b"",
            "text": b"no state",
            "longer": good + b"x",
            "version": good[:8] + b"\2" + good[9:],
        }[change]
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=f"{path.name}: .*delete it to begin with empty"):
            merger(tmp_path).finish()
        path.write_bytes(good)
    assert len(merger(tmp_path).finish()) == 5


def test_every_changed_byte_of_a_state_is_found(tmp_path: Path):
    fed(merger(tmp_path), 0, [(0, A, 1)])
    path = tmp_path / "tailrace-windows" / "batch-00000001"
    good = path.read_bytes()
    for place in range(0, len(good), 5):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
        with pytest.raises(ValueError, match="batch-00000001"):
            merger(tmp_path).finish()


def test_a_missing_file_of_the_state_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    needed = written(tmp_path, 8, monkeypatch)
    batches = [path for path in needed if path.name.startswith("batch")]
    batches[-2].unlink()
    [path.unlink() for path in needed if path.name.startswith("window")]

    with pytest.raises(ValueError, match=r"batch-\d+: expected this file of the state"):
        merger(tmp_path).finish()


def test_a_state_is_one_file_for_a_batch_until_the_windows_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    names = [path.name for path in written(tmp_path, 9, monkeypatch)]

    assert "batch-00000009" in names
    assert len(names) <= 6
    assert (tmp_path / "tailrace-windows").stat().st_mode & 0o077 == 0


def test_an_unwritable_checkpoint_is_an_error_with_its_name(tmp_path: Path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OSError, match=r"the state was not written .not a directory.*file"):
        fed(merger(tmp_path / "file"), 0, [(0, A, 1)])


def test_a_full_disk_leaves_the_state_as_it_was(tmp_path: Path):
    windows = merger(tmp_path)
    fed(windows, 0, [(0, A, 1)])
    before = sorted(path.name for path in (tmp_path / "tailrace-windows").iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limit[1]))
    try:
        with pytest.raises(OSError, match="that of the last batch is intact"):
            fed(windows, 1, [(1, (f"/{n}",), 1) for n in range(500)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sorted(path.name for path in (tmp_path / "tailrace-windows").iterdir()) == before
    assert fed(windows, 1, [(1, B, 1)]) == [Window(-4, 1, {A: 1}, 0)]
    assert fed(merger(tmp_path), 1, [(1, B, 1)]) == [Window(-4, 1, {A: 1}, 0)]


def test_an_error_in_a_batch_leaves_the_state_as_it_was(tmp_path: Path):
    windows = merger(tmp_path)
    fed(windows, 0, [(0, A, 1)])
    with pytest.raises(ValueError, match=r"count\[1\]: expected a count of 1"):
        fed(windows, 1, [(1, B, 1), (2, B, 0)])
    with pytest.raises(ZeroDivisionError):
        windows._batches.add(1, None, lambda: 1 / 0)  # type: ignore[arg-type, return-value]

    assert fed(windows, 1, [(1, B, 1)]) == [Window(-4, 1, {A: 1}, 0)]


BATCHES: list[Rows] = [
    [(batch, A, 1), (batch - 1, B, 2), (batch - 3, NULL, 1)] for batch in range(7)
]

# Adds the batches over and over, each time in a new process that is killed at its n-th write, sync,
# rename or removal, and then in one that is not.
KILLED = """
import json, os, signal, sys
from pathlib import Path

sys.path[:0] = json.loads(sys.argv[2])
import test_merger as here
from tailrace.spark import _state
from tailrace.spark._merger import _batch_number

_state._MOST_BATCHES = 2

def failing(original):
    def call(*arguments, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **more)
    return call

_state._sync = failing(_state._sync)
_state.packed = failing(_state.packed)
# What is written survives the process without it.
os.fsync = failing(lambda number: None)
Path.replace = failing(Path.replace)
Path.unlink = failing(Path.unlink)

def run(folder, kill_at):
    global left
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left = kill_at
    windows = here.merger(folder)
    for batch, rows in enumerate(here.BATCHES):
        found = here.fed(windows, batch, rows)
        done = folder / f"{batch}.txt"
        if found or not done.exists():
            done.write_text(here.shown(found))
    os._exit(0)

# What is imported late is imported once.
left = 0
here.fed(here.merger(Path(sys.argv[1]) / "first"), 0, here.BATCHES[0])
kill_at, statuses = 0, []
while not statuses or statuses[-1] == -signal.SIGKILL:
    folder = Path(sys.argv[1]) / str(kill_at)
    folder.mkdir()
    if kill_at:
        statuses.append(run(folder, kill_at))
    assert run(folder, 0) == 0
    kill_at += 1
"""


def shown(windows: list[Window]) -> str:
    """Windows as text, keys in one order."""
    return repr([one._replace(counts=sorted(one.counts.items(), key=repr)) for one in windows])


def test_a_process_that_is_killed_at_any_write_loses_and_repeats_nothing(tmp_path: Path):
    paths = json.dumps([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", KILLED, str(tmp_path), paths]
    subprocess.run(command, check=True, timeout=200)

    model = PaneModel([5], 1)
    expected = [shown(model.batch(batch)) for batch in BATCHES]
    folders = [folder for folder in tmp_path.iterdir() if folder.name != "first"]
    assert len(folders) > 40
    for folder in folders:
        found = [(folder / f"{batch}.txt").read_text() for batch in range(len(BATCHES))]
        assert found == expected, folder.name


def test_a_pickled_merger_is_created_anew_from_its_arguments(tmp_path: Path):
    windows = merger(tmp_path, ["5s", "10s"], aggregates={"count": tr.count()}, lateness="1s")
    fed(windows, 0, [(0, A, 1)])
    copy = pickle.loads(pickle.dumps(windows))  # noqa: S301 - our own

    assert repr(copy) == repr(windows)
    assert fed(copy, 1, [(2, A, 1)]) == [Window(-4, 1, {A: 1}, 0), Window(-9, 1, {A: 1}, 0)]


def test_repr_names_the_windows_and_the_state(tmp_path: Path):
    windows = ts.WindowMerger("5m", by=["url", "host"], checkpoint=tmp_path)

    assert repr(windows) == (
        "<tailrace.spark.WindowMerger of 5m every 1s: count() by url, host, state in "
        f"{tmp_path}/tailrace-windows>"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"length": "7 apples"}, ValueError, "length: "),
        ({"every": "2s"}, ValueError, "every: expected a divisor of the length"),
        ({"by": 5}, TypeError, "by: expected the name of a field"),
        ({"by": ["url", "URL"]}, ValueError, "found 'url' and 'URL'"),
        ({"by": "pane"}, ValueError, "found 'pane' twice"),
        ({"by": "count"}, ValueError, "'count' is also a field in by"),
        ({"aggregates": {}}, ValueError, "aggregates: expected at least one"),
        ({"aggregates": {"Pane": tr.count()}}, ValueError, "found 'pane' and 'Pane'"),
        ({"aggregates": {"x": tr.sum()}}, ValueError, "x: sum needs a field"),
        ({"aggregates": {"x": 5}}, TypeError, "x: expected an aggregate"),
        ({"order_by": "size"}, ValueError, "order_by: no aggregate or key field"),
        ({"top": 0}, ValueError, "top: expected at least 1"),
        ({"lateness": "-1s"}, ValueError, "lateness: "),
        ({"checkpoint": None}, TypeError, "checkpoint: expected the path of a directory"),
        ({"checkpoint": ""}, ValueError, "checkpoint: expected the path"),
        ({"checkpoint": "hdfs://host/x"}, ValueError, "checkpoint: .*the driver's file system"),
        ({"checkpoint": "s3a:/x"}, ValueError, "checkpoint: .*the driver's file system"),
        ({"query_id": ""}, TypeError, "query_id: expected a text"),
        ({"query_id": 5}, TypeError, "query_id: expected a text"),
    ],
)
def test_wrong_arguments_are_clear_errors(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
):
    given = {"length": "5s", "every": "1s", "by": "url", "checkpoint": tmp_path, **arguments}
    with pytest.raises(error, match=message):
        ts.WindowMerger(given.pop("length"), given.pop("every"), **given)


@pytest.mark.parametrize("number", [-1, "0", 1.5, None, True])
def test_a_batch_has_a_number(number: object):
    with pytest.raises(TypeError, match="batch_id: expected the number of a batch"):
        _batch_number(number)
