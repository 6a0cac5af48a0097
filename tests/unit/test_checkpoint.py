"""Checkpoints of queries: another query, types of fields, and directories that cannot be used."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from live import OK, Sink, line, running

import tailrace as tr
from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tailrace import Query

Change = dict[str, Any]


def query(log: Path, **changed: Any) -> Query:  # noqa: ANN401 - of any setting
    """Return a query, some of whose settings are other ones."""
    given: Change = {
        "format": "combined",
        "length": "10s",
        "every": "5s",
        "time": "log",
        "lateness": "1s",
        "by": "url",
        "aggregates": {"count": tr.count()},
        **changed,
    }
    found = tr.from_files(log, format=given["format"])
    if "where" in given:
        found = found.where(given["where"])
    for name in ("since", "until"):
        if name in given:
            found = getattr(found, name)(given[name])
    if given["length"] is not None:
        settings = {name: given[name] for name in ("offset", "idle_timeout") if name in given}
        found = found.window(
            given["length"],
            given["every"],
            time=given["time"],
            lateness=given["lateness"],
            **settings,
        )
    found = found.agg(by=given["by"], **given["aggregates"])
    for name in ("max_keys", "max_key_bytes"):
        if name in given:
            found = getattr(found, name)(given[name])
    return found.top(given["top"]) if "top" in given else found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes((line("/a") + b"\n") * 3)
    return path


DIFFERENT: list[tuple[Change, list[str]]] = [
    ({"by": "host"}, ["by was url and is host"]),
    ({"by": ["url", "status"]}, ["by was url and is url, status"]),
    ({"aggregates": {"n": tr.count()}}, ["aggregates was count() and is n=count()"]),
    (
        {"aggregates": {"p": tr.quantile("size", 0.5)}},
        ["aggregates was count() and is p=quantile('size', 0.5)"],
    ),
    ({"length": "20s"}, ["window was 10s and is 20s"]),
    ({"length": ["10s", None]}, ["window was 10s and is 10s, all"]),
    ({"length": None}, ["window was 10s and is not set"]),
    ({"every": "10s"}, ["slide was 5s and is 10s"]),
    ({"offset": "1s"}, ["offset was 0s and is 1s"]),
    ({"time": "arrival", "lateness": None}, ["time was log and is arrival", "lateness"]),
    ({"lateness": "2s"}, ["lateness was 1s and is 2s"]),
    ({"lateness": 0}, ["lateness was 1s and is 0s"]),
    ({"where": "status == 200"}, ["where was not set and is status == 200"]),
    ({"since": "2015-01-01"}, ["since was not set and is 2015-01-01"]),
    ({"until": "2035-01-01"}, ["until was not set and is 2035-01-01"]),
    ({"max_keys": 1_000}, ["max_keys was no limit and is 1,000"]),
    ({"max_key_bytes": "1MiB"}, ["max_key_bytes was no limit and is 1,048,576"]),
]


@pytest.mark.parametrize(("changed", "expected"), DIFFERENT)
def test_another_query_is_an_error_that_names_each_difference(
    log: Path, changed: Change, expected: list[str]
):
    state = log.parent / "state"
    before = list(query(log).run(checkpoint=state))
    with pytest.raises(tr.CheckpointError) as raised:
        query(log, **changed).run(checkpoint=state)
    text = str(raised.value)
    assert text.startswith(f"{state}: the checkpoint belongs to another query: ")
    assert text.endswith("; run that query, give another directory, or delete this one")
    found = re.findall(r"(?:: |; )(\w+ was .*?)(?=; )", text)
    assert len(found) == len(expected), text
    for one, beginning in zip(sorted(found), sorted(expected), strict=True):
        assert one.startswith(beginning)
    # The refusal changed nothing, and left no lock.
    assert list(query(log).run(checkpoint=state))[-1].rows == before[-1].rows
    # The way back names the same.
    other = log.parent / "other"
    list(query(log, **changed).run(checkpoint=other))
    with pytest.raises(tr.CheckpointError) as raised:
        query(log).run(checkpoint=other)
    names = re.findall(r"(\w+) was ", str(raised.value))
    assert sorted(names) == sorted(one.split()[0] for one in expected)


@pytest.mark.parametrize(
    "changed",
    [{"top": 1}, {"format": "common"}, {"idle_timeout": "5s"}],
    ids=["rows", "format", "silence"],
)
def test_what_may_change(log: Path, changed: Change):
    state = log.parent / "state"
    first = list(query(log).run(checkpoint=state, jobs=2))
    second = list(query(log, **changed).run(checkpoint=state, jobs=1))
    assert [one.rows for one in second] == [one.rows for one in first]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(("first", "second"), [("combined", "classic"), ("classic", "combined")])
def test_a_field_of_another_type_is_refused(tmp_path: Path, number: int, first: str, second: str):
    source = "flume://127.0.0.1:0"
    arguments = ("top", source, "--by", "status", "--format", "jsonl", "--checkpoint", "state")
    arguments = (*arguments[:-1], str(tmp_path), "--window", "30d", "--slide", "1d")
    with running(*arguments, "--log-format", first) as process:
        with Sink(process.port) as sink:
            assert sink.batch([line("/a")] * 3) == OK
        process.end(number)
    with running(*arguments, "--log-format", second) as process:
        assert process.closed() == 2
    (message,) = process.messages
    assert re.search(r": type of status was (int|text) and is (int|text); ", message)
    with running(*arguments, "--log-format", first) as process:
        assert process.port
        process.end(signal.SIGTERM)
    (row,) = process.snapshots()[-1]["rows"]
    assert row == {"status": 200 if first == "combined" else "200", "count": 3}


def test_a_state_with_other_types_is_refused(log: Path, monkeypatch: pytest.MonkeyPatch):
    # Whatever its description says.
    monkeypatch.setattr("tailrace._checkpoint._type", lambda *_: "any")
    state = log.parent / "state"
    list(query(log, by="status").run(checkpoint=state))
    with pytest.raises(tr.CheckpointError, match=rf"^{re.escape(str(state))}: state: .* types"):
        query(log, by="status", format="classic").run(checkpoint=state)


def as_file(path: Path) -> None:
    path.touch()


def writable_by_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def of_a_newer_version(path: Path) -> None:
    head = b'{"version":99,"tailrace":"9.9","kind":"query"}'
    _core.Journal(str(path), head, random=1).close()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (as_file, "expected a directory, found a file; choose another path"),
        (writable_by_others, "only its owner can write, found mode 777; run chmod go-w"),
        (
            of_a_newer_version,
            "expected version 1 of the description, found 99; use tailrace 9.9",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused(log: Path, make: Callable[[Path], None], expected: str):
    state = log.parent / "state"
    make(state)
    before = {path: path.read_bytes() for path in state.rglob("*")}
    with running("top", str(log), "--checkpoint", str(state)) as process:
        assert process.closed() == 2
    (message,) = process.messages
    assert message.startswith(f"tailrace top: --checkpoint: {state}")
    assert expected in message
    after = {path: path.read_bytes() for path in state.rglob("*")}
    assert {path: data for path, data in after.items() if path.name != "lock"} == {
        path: data for path, data in before.items() if path.name != "lock"
    }
    with pytest.raises(tr.CheckpointError, match=re.escape(expected)):
        tr.from_files(log).count(by="url").run(checkpoint=state)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_directory_in_use_is_refused_and_free_again_afterwards(tmp_path: Path, number: int):
    arguments = ("top", "flume://127.0.0.1:0", "--checkpoint", str(tmp_path / "state"))
    with running(*arguments) as first:
        assert first.port
        with running(*arguments) as second:
            assert second.closed() == 2
        (message,) = second.messages
        assert f"process {first.process.pid} uses it" in message
        first.end(number)
    with running(*arguments) as third:
        assert third.port
        assert third.end(signal.SIGTERM) == 0


def test_missing_directories_are_created_for_their_owner(log: Path):
    state = log.parent / "a" / "b"
    with running("top", str(log), "--checkpoint", str(state)) as process:
        assert process.closed() == 0
    assert state.stat().st_mode & 0o777 == 0o700
    files = [path for path in state.iterdir() if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--checkpoint", ""), "top: --checkpoint: expected the path of a directory, found ''"),
        (
            ("--checkpoint", "state", "--last", "1h"),
            "top: --checkpoint: cannot be combined with --last; use --window",
        ),
    ],
)
def test_wrong_options_are_named(log: Path, arguments: tuple[str, ...], expected: str):
    with running("top", str(log), *arguments) as process:
        assert process.closed() == 2
    assert process.messages == [f"tailrace {expected}"]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (7, TypeError),
        (True, TypeError),
        (b"state", TypeError),
        ("", ValueError),
        ("a\0b", ValueError),
        ("\ud800", ValueError),
    ],
)
def test_wrong_paths_are_named(log: Path, given: Any, error: type[Exception]):  # noqa: ANN401
    query = tr.from_files(log).count(by="url")
    expected = r"^checkpoint: expected the path of a directory, found "
    with pytest.raises(error, match=expected):
        query.run(checkpoint=given)
    with pytest.raises(error, match=expected):
        tr.Window("60s", checkpoint=given)


def test_async_runs_have_a_checkpoint_too(log: Path):
    state = log.parent / "state"
    query = tr.from_files(log).count(by="url")

    async def totals() -> list[int]:
        return [snapshot.total async for snapshot in query.run(checkpoint=state)]

    assert asyncio.run(totals()) == [3]
    with log.open("ab") as file:
        file.write(line("/b") + b"\n")
    assert asyncio.run(totals()) == [4]
    assert [snapshot.total for snapshot in query.run(checkpoint=state)] == [4]


@pytest.mark.parametrize("left", [False, True])
def test_a_run_whose_caller_fails_or_leaves_is_gone_on_with(log: Path, *, left: bool):
    state = log.parent / "state"
    windows = query(log, length="1s", every="1s")
    first = windows.run(checkpoint=state)
    if left:
        with first:
            next(iter(first))
    else:
        first.close()

        def fail(_: tr.Snapshot) -> None:
            raise LookupError

        with pytest.raises(LookupError):
            windows.run(fail, checkpoint=state)
    (snapshot,) = windows.run(checkpoint=state)
    assert (snapshot.total, snapshot.lines["fed"]) == (3, 3)


def test_lines_of_the_caller_have_no_position(log: Path, caplog: pytest.LogCaptureFixture):
    state = log.parent / "state"
    lines = log.read_text().splitlines()
    for total in (3, 6):
        (snapshot,) = tr.from_lines(lines).count(by="url").run(checkpoint=state)
        assert snapshot.total == total
    assert "its position is not kept" in caplog.text
