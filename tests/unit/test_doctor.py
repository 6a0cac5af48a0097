"""`tailrace doctor`: real directories, ports, files and limits."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from live import COMMAND, free_port, wait_for

from tailrace._cli.checks import disk, machine
from tailrace._runtime.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n'


def run(
    *arguments: str | Path | bytes,
    text: bool = False,
    **options: Any,  # noqa: ANN401 - subprocess's own
) -> tuple[int, list[dict[str, Any]], str]:
    """Return the exit code, the findings, and what was printed as text or as messages."""
    more = [] if text else ["--format", "jsonl"]
    done = subprocess.run(
        [*COMMAND, "doctor", *map(os.fsdecode, arguments), *more],
        check=False,
        capture_output=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
        **options,
    )
    out = done.stdout.decode("utf-8", "surrogateescape")
    findings = [] if text else [json.loads(line) for line in out.splitlines()]
    return done.returncode, findings, (out if text else "") + done.stderr.decode()


def found(findings: list[dict[str, Any]], check: str) -> dict[str, Any]:
    (one,) = (finding for finding in findings if finding["check"] == check)
    return one


def limited(kind: int, limit: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (limit, limit))


def test_without_arguments_it_checks_the_machine():
    code, findings, _ = run()
    assert code == 0
    checks = {finding["check"] for finding in findings}
    assert {"versions", "extras", "zones", "descriptors", "clock", "clock-sync"} <= checks
    assert all(finding["level"] in {"ok", "warning"} for finding in findings)
    assert all(finding["fix"] for finding in findings if finding["level"] == "warning")
    assert found(findings, "versions")["python"] == ".".join(map(str, sys.version_info[:3]))


def test_text_has_a_line_for_each_finding_and_says_what_to_do(tmp_path: Path):
    code, _, text = run(tmp_path / "missing.log", text=True)
    assert code == 1
    lines = text.splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("problem "))
    assert lines[at] == f"problem  {tmp_path / 'missing.log'}: no such file"
    assert lines[at + 1].startswith("         to do: check the name; with --follow ")
    assert lines[-1].startswith("1 problem")
    levels = {line.split()[0] for line in lines[:-1] if not line.startswith(" ")}
    assert levels <= {"ok", "warning", "problem"}


def test_the_disk_of_a_checkpoint_is_measured_and_nothing_stays(tmp_path: Path):
    tmp_path.chmod(0o700)
    code, findings, _ = run("--checkpoint", tmp_path)
    assert code == 0
    speeds = [finding for finding in findings if finding["check"] == "fsync"]
    assert [speed["bytes"] for speed in speeds] == [4096, 256 * 1024]
    for speed in speeds:
        assert 1 <= speed["appends"] <= 40
        assert speed["p50_us"] <= speed["p99_us"]
    assert "a checkpoint takes at most" in found(findings, "space")["text"]
    assert found(findings, "directory")["level"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_does_not_exist_is_not_created(tmp_path: Path):
    code, findings, _ = run("--checkpoint", tmp_path / "new" / "and" / "below")
    assert code == 0
    assert "does not exist yet" in found(findings, "directory")["text"]
    assert [finding["level"] for finding in findings if finding["check"] == "fsync"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("file", "it is not a directory"),
        ("file/below", "not a directory"),
        ("dangling", "dangling is a link to nothing"),
        ("dangling/below", "dangling is a link to nothing"),
    ],
)
def test_what_cannot_be_a_directory_is_a_problem(tmp_path: Path, name: str, problem: str):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    code, findings, _ = run("--checkpoint", tmp_path / name)
    assert code == 1
    finding = found(findings, "directory")
    assert finding["level"] == "problem"
    assert finding["text"].endswith(problem)
    assert finding["fix"]


def test_a_directory_of_others_is_a_problem(tmp_path: Path):
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        code, findings, _ = run("--checkpoint", tmp_path)
        tmp_path.chmod(0o700)
        assert code == 1
    else:
        # Root can write everywhere, so another user looks.
        tmp_path.chmod(0o755)
        code, findings = 1, [vars_of(one) for one in as_nobody(tmp_path)]
    assert found(findings, "directory")["level"] == "problem"
    assert "cannot write there" in found(findings, "directory")["text"]
    assert not [finding for finding in findings if finding["check"] == "fsync"]


def vars_of(finding: list[Any]) -> dict[str, Any]:
    return {"level": finding[0], "check": finding[1], "text": finding[2]}


def as_nobody(path: Path) -> list[list[Any]]:
    """Return the findings about a directory of a child process that is not root."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            for above in (path, *path.parents):
                # Those of the system are open to everybody.
                if above.stat().st_uid == os.getuid() and not above.stat().st_mode & 0o001:
                    above.chmod(0o755)
            os.setgid(65534)
            os.setuid(65534)
            out = json.dumps(list(disk.directory(str(path), Clock())))
            os.write(writer, out.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    found: list[list[Any]] = json.loads(data)
    return found


@pytest.mark.parametrize(("mode", "level"), [(0o755, "warning"), (0o770, "problem")])
def test_access_of_others_is_reported(tmp_path: Path, mode: int, level: str):
    tmp_path.chmod(mode)
    code, findings, _ = run("--checkpoint", tmp_path)
    assert code == (1 if level == "problem" else 0)
    assert found(findings, "directory")["level"] == level
    assert found(findings, "directory")["fix"] == f"chmod 700 {tmp_path}"


def test_a_locked_directory_names_the_process(tmp_path: Path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, findings, _ = run("--checkpoint", tmp_path)
    assert found(findings, "lock")["process"] == os.getpid()
    # Another process may take it while doctor runs, so doctor takes none.
    _, findings, _ = run("--checkpoint", tmp_path)
    assert not [finding for finding in findings if finding["check"] == "lock"]


def test_memory_is_not_durable():
    place = Path("/dev/shm")  # noqa: S108 - not written to
    if disk.file_system(str(place)) != "tmpfs":
        pytest.skip(f"{place} is not in memory here")
    code, findings, _ = run("--checkpoint", place / "tailrace-doctor")
    assert code == 0
    finding = found(findings, "file-system")
    assert finding["level"] == "warning"
    assert "not durable" in finding["text"]


def test_a_file_that_cannot_be_written_is_a_problem(tmp_path: Path):
    code, findings, _ = run(
        "--checkpoint", tmp_path, preexec_fn=limited(resource.RLIMIT_FSIZE, 300_000)
    )
    assert code == 1
    assert found(findings, "fsync")["text"] == "a file cannot be written: file too large"
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_after_a_kill(tmp_path: Path):
    def measures(process: subprocess.Popen[bytes]) -> bool:
        with suppress(OSError):
            for one in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(OSError):
                    if f"{tmp_path}/doctor-" in str(one.readlink()):
                        return True
        return False

    for _ in range(20):
        command = [*COMMAND, "doctor", "--checkpoint", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        killed = wait_for(lambda process=process: measures(process) or process.poll() is not None)
        is_measuring = killed and process.poll() is None
        process.kill()
        process.wait()
        assert list(tmp_path.iterdir()) == []
        if is_measuring:
            return
    raise AssertionError("it never had a file open")


def test_an_append_that_does_not_end_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stuck = threading.Event()
    monkeypatch.setattr(disk, "_sync", lambda _: stuck.wait())
    monkeypatch.setattr(disk, "_PATIENCE_S", 0.1)
    try:
        (last,) = [one for one in disk.directory(str(tmp_path), Clock()) if one.check == "fsync"]
    finally:
        stuck.set()
    assert (last.level, "not durable after" in last.text) == ("problem", True)


def made_up(step_us: int) -> Clock:
    """Return a clock that moves by so much each time that it is read."""
    steps = chain([0, 0], count(0, step_us))
    return Clock(monotonic_ns=lambda: next(steps) * 1_000, wall_ns=lambda: 0)


def test_a_slow_disk_is_a_warning(tmp_path: Path):
    found = [one for one in disk.directory(str(tmp_path), made_up(150_000)) if one.check == "fsync"]
    assert {one.level for one in found} == {"warning"}
    assert found[0].values["p50_us"] == 150_000


def test_a_disk_that_is_faster_than_any_is_a_warning(tmp_path: Path):
    found = [one for one in disk.directory(str(tmp_path), made_up(1)) if one.check == "fsync"]
    first = found[0]
    assert first.level == "warning"
    assert "acknowledged before they are durable" in first.text


def test_a_port_in_use_names_the_process():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, findings, _ = run(f"flume://127.0.0.1:{port}")
    assert code == 1
    finding = found(findings, "port")
    assert f"127.0.0.1:{port} is in use by process {os.getpid()} (" in finding["text"]
    code, findings, _ = run(f"flume://127.0.0.1:{port}")
    assert code == 0
    assert found(findings, "port")["text"] == "the port is free"


def test_a_port_in_use_by_ipv6_is_found():
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        other.listen()
        code, findings, _ = run(f"flume://[::1]:{other.getsockname()[1]}")
    assert code == 1
    assert f"by process {os.getpid()}" in found(findings, "port")["text"]


def test_the_port_is_not_listened_on():
    """An agent that connects meanwhile must not be answered by doctor."""
    port = free_port()
    stopped = threading.Event()
    connected = []

    def connect() -> None:
        while not stopped.is_set():
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    connected.append(True)

    thread = threading.Thread(target=connect)
    thread.start()
    run(f"flume://127.0.0.1:{port}")
    stopped.set()
    thread.join()
    assert not connected


@pytest.mark.parametrize(
    ("address", "level", "text"),
    [
        ("192.0.2.1:9092", "problem", "is not an address of this machine"),
        ("no.such.host.invalid:9092", "problem", "no address of this name"),
        ("127.0.0.1:0", "warning", "another free port"),
        ("0.0.0.0:{}", "warning", "anyone who can reach it"),
        ("localhost:{}", "ok", "the port is free"),
        ("127.0.0.1:{}?sender=header:host", "ok", "the port is free"),
    ],
)
def test_addresses(address: str, level: str, text: str):
    code, findings, _ = run(f"flume://{address.format(free_port())}")
    assert code == (1 if level == "problem" else 0)
    assert found(findings, "port")["level"] == level
    assert text in found(findings, "port")["text"]


def test_few_descriptors_are_a_warning_where_something_listens():
    few = limited(resource.RLIMIT_NOFILE, 200)
    _, findings, _ = run(f"flume://127.0.0.1:{free_port()}", preexec_fn=few)
    finding = found(findings, "descriptors")
    assert (finding["level"], finding["soft"], finding["hard"]) == ("warning", 200, 200)
    assert 1 <= finding["connections"] < 200
    _, findings, _ = run(preexec_fn=few)
    assert found(findings, "descriptors")["level"] == "ok"


def test_a_log_is_read_and_its_format_detected(tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(LINE * 20)
    code, findings, _ = run(log)
    assert code == 0
    finding = found(findings, "format")
    assert (finding["format"], finding["lines"], finding["matched"]) == ("combined", 20, 20)
    assert found(findings, "inotify")["level"] == "ok"


def test_a_compressed_log_is_read_and_cannot_be_followed(tmp_path: Path):
    log = tmp_path / "access.log.gz"
    log.write_bytes(gzip.compress(LINE * 20, mtime=0))
    code, findings, _ = run(log)
    assert code == 0
    assert found(findings, "format")["format"] == "combined"
    assert "cannot be followed" in found(findings, "follow")["text"]


@pytest.mark.parametrize(
    ("content", "check", "level", "text"),
    [
        (b"", "file", "ok", "has no lines yet"),
        (b"no format at all\n" * 9, "format", "warning", "matches a known format"),
        (LINE.replace(b"17/May/2015", b"17/Mai/2015") * 9, "lines", "warning", "cannot be read"),
        (b"PK\x03\x04" + bytes(100), "format", "problem", "expected lines of a log"),
        (gzip.compress(LINE * 20, mtime=0)[:-30], "file", "problem", ""),
    ],
)
def test_contents(tmp_path: Path, content: bytes, check: str, level: str, text: str):
    log = tmp_path / "some.log"
    log.write_bytes(content)
    code, findings, _ = run(log)
    finding = found(findings, check)
    assert finding["level"] == level
    assert text in finding["text"]
    assert code == (1 if level == "problem" else 0)


def test_files_that_cannot_be_read(tmp_path: Path):
    code, findings, _ = run(tmp_path / "no.log", tmp_path, "kafka://host/topic")
    assert code == 1
    texts = [finding["text"] for finding in findings if finding["check"] == "file"]
    assert texts == ["no such file", "is a directory", "unknown source"]


def test_a_named_pipe_is_not_opened(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, findings, _ = run(pipe)
    assert code == 0
    assert "named pipe" in found(findings, "file")["text"]


def test_of_a_pipe_only_the_window_is_kept(tmp_path: Path):
    code, findings, _ = run("-")
    assert (code, found(findings, "input")["level"]) == (0, "ok")
    code, findings, _ = run("-", "--checkpoint", tmp_path)
    assert (code, found(findings, "input")["level"]) == (0, "warning")


def test_a_clock_that_is_set_is_a_warning():
    wall = [0]
    reports: list[str] = []
    clock = Clock(lambda: wall[0], lambda: 0, reports.append)
    wall[0] = 3_600 * 10**9
    found = list(machine.clock(clock, reports))
    assert found[0].level == "warning"
    assert "jumped 3,600 s ahead" in found[0].text
    # It is far before the installation, too.
    assert "clock-date" in {one.check for one in found}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "json"], "--format: expected text or jsonl, found 'json'"),
        (["--checkpoint", ""], "--checkpoint: expected a directory, found an empty name"),
        (["flume://127.0.0.1"], "expected flume://HOST:PORT"),
        (["flume://127.0.0.1:1", "flume://127.0.0.1:1"], "is given twice"),
        (["--window", "5m"], "unknown option '--window'"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str):
    code, _, text = run(*arguments, text=True)
    assert code == 2
    assert message in text


def test_names_are_escaped(tmp_path: Path):
    name = tmp_path / "a\x1b[31m.log"
    code, _, text = run(name, "--checkpoint", f"{tmp_path}/\x1b]0;x\x07", text=True)
    assert code == 1
    assert "\x1b" not in text
    assert "a\\x1b[31m.log: no such file" in text
    _, findings, _ = run(os.fsencode(tmp_path) + b"/\xff.log")
    assert found(findings, "file")["level"] == "problem"
