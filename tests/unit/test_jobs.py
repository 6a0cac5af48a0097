"""Several threads read a file; what they say is what one says."""

import gzip
import subprocess
from pathlib import Path

import pytest
from live import COMMAND
from places import DATA

import tailrace as tr


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of some twenty chunks, with rejects among its lines."""
    path = tmp_path_factory.mktemp("jobs") / "a log"
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(DATA.glob("*.gz")))
    path.write_bytes((lines + b"no line of a log\n") * (20 * 2**20 // len(lines) + 1))
    return path


def run(*arguments: str) -> tuple[bytes, bytes, int]:
    command = [*COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    "arguments",
    [
        ("top", "--by", "host", "--format", "jsonl"),
        ("top", "--window", "1h", "--slide", "10m", "--format", "jsonl"),
        ("parse", "--format", "csv"),
        ("parse", "--fields", "url,status"),
    ],
    ids=" ".join,
)
def test_answers_do_not_depend_on_the_number_of_threads(log: Path, arguments: tuple[str, ...]):
    one = run(*arguments, str(log), "-j", "1")
    assert one[2] == 0
    for jobs in ("2", "5"):
        assert run(*arguments, str(log), "-j", jobs) == one
    assert run(*arguments, str(log)) == one


def test_rejected_lines_keep_their_numbers(log: Path, tmp_path: Path):
    written = []
    for jobs in ("1", "4"):
        rejects = tmp_path / jobs
        assert run("parse", str(log), "-j", jobs, "--rejects", str(rejects))[2] == 0
        written.append(rejects.read_bytes())
    assert written[0] == written[1] != b""


def test_a_run_of_the_library_takes_them_too(log: Path):
    query = tr.from_files(log).count(by="url").top(5)
    (one,) = query.run(jobs=1)
    (three,) = query.run(jobs=3)
    assert one.rows == three.rows
    assert one.lines == three.lines


@pytest.mark.parametrize(("jobs", "error"), [("0", 2), ("x", 2), ("1", 0)])
def test_fewer_than_one_thread_is_refused(log: Path, jobs: str, error: int):
    _, err, code = run("top", str(log), "--jobs", jobs)
    assert code == error
    if error:
        assert f"expected a number of threads from 1 to 1,024, found {jobs!r}".encode() in err
    with pytest.raises(ValueError, match="jobs: expected at least 1 thread, found 0"):
        tr.from_files(log).count(by="url").run(jobs=0)
