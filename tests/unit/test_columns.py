"""`parse --format arrow|parquet`: files that others read, whatever ends the run."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from live import COMMAND, wait_for
from places import LOG

from tailrace import _core
from tailrace._outputs import arrow

LOG = gzip.decompress(LOG.read_bytes())
LINE = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"\n'
COMMON = LINE.replace(b' "-" "x"', b"")


def read(output: str, data: bytes) -> pa.Table:
    if output == "arrow":
        return pa.ipc.open_stream(data).read_all()
    return pq.read_table(io.BytesIO(data))


def run(*words: str, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - as `run` takes them
    command = [*COMMAND, "parse", *words]
    return subprocess.run(
        command, input=stdin, capture_output=True, timeout=60, check=False, **more
    )


def rows(table: pa.Table) -> list[dict[str, Any]]:
    found = table.to_pylist()
    for row in found:
        row["time"] = row["time"].astimezone(UTC).isoformat().replace("+00:00", "Z")
    return found


outputs = pytest.mark.parametrize("output", arrow.FORMATS)


@outputs
def test_a_real_log_has_the_rows_of_json_lines(output: str):
    ran = run("--log-format", "combined", "--format", output, stdin=LOG)
    expected = run("--log-format", "combined", stdin=LOG).stdout.splitlines()

    assert ran.returncode == 0
    assert ran.stderr == b"tailrace: 10,000 lines: 9,999 counted, 1 rejected (1 no-match)\n"
    assert rows(read(output, ran.stdout)) == [json.loads(line) for line in expected]


@outputs
def test_a_file_and_a_pipe_get_the_same_bytes(output: str, tmp_path: Path):
    (tmp_path / "log").write_bytes(LOG)
    words = [*COMMAND, "parse", str(tmp_path / "log"), "--log-format", "combined"]
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([*words, "--format", output], stdout=out, check=True, timeout=60)
    piped = run(*words[2:], "--format", output).stdout

    assert (tmp_path / "out").read_bytes() == piped


@outputs
@pytest.mark.parametrize("fields", [None, "url,status,size"])
def test_nothing_is_a_file_with_the_types_of_the_columns(output: str, fields: str | None):
    words = [] if fields is None else ["--fields", fields]
    ran = run("--log-format", "combined", "--format", output, *words)

    table = read(output, ran.stdout)
    names = _core.default_fields("combined") if fields is None else fields.split(",")
    assert (ran.returncode, table.num_rows, table.column_names) == (0, 0, names)
    words += ["--log-format", "combined", "--format", output]
    full = read(output, run(*words, stdin=LINE).stdout)
    assert full.schema == table.schema


@outputs
def test_only_rejects_are_a_file_without_rows(output: str):
    ran = run("--log-format", "combined", "--format", output, stdin=b"no log line\n")
    assert read(output, ran.stdout).num_rows == 0
    assert b"1 rejected (1 no-match)" in ran.stderr


@outputs
def test_row_groups_and_record_batches_are_bounded(output: str):
    ran = run(
        "--log-format", "combined", "--format", output, "--fields", "url", stdin=LINE * 300_000
    )
    if output == "parquet":
        groups = pq.ParquetFile(io.BytesIO(ran.stdout)).metadata
        sizes = [groups.row_group(at).num_rows for at in range(groups.num_row_groups)]
    else:
        sizes = [batch.num_rows for batch in pa.ipc.open_stream(ran.stdout)]
    assert sum(sizes) == 300_000
    # A chunk of 1 MiB is the most that comes in at once.
    assert len(sizes) > 1
    assert max(sizes) <= arrow._GROUP_ROWS + 2**20 // len(LINE) + 1


@outputs
def test_rejected_lines_go_into_their_file(output: str, tmp_path: Path):
    stdin = LINE + b"no log line\n" + LINE
    ran = run(
        *("--log-format", "combined", "--format", output, "--rejects", str(tmp_path / "rejects")),
        stdin=stdin,
    )
    assert (tmp_path / "rejects").read_bytes() == b"2\t11\tno-match\tno log line\n"
    assert read(output, ran.stdout).num_rows == 2


def test_sources_of_other_columns_ask_for_fields(tmp_path: Path):
    (tmp_path / "combined").write_bytes(LINE)
    (tmp_path / "common").write_bytes(COMMON)
    files = [str(tmp_path / name) for name in ("common", "combined")]
    ran = run(*files, "--format", "arrow")
    assert ran.returncode == 1
    assert b"has other fields than the earlier lines; choose the fields" in ran.stderr
    # What came before is whole.
    assert read("arrow", ran.stdout).num_rows == 1

    both = run(*files, "--format", "arrow", "--fields", "host,status")
    assert read("arrow", both.stdout).to_pylist() == [{"host": "1.2.3.4", "status": 200}] * 2


def test_other_types_are_refused():
    out = arrow.ArrowFile(sys.stdout, "arrow")
    out.add(_core.parse(b"", format="combined", fields=["host", "status"]))
    with pytest.raises(arrow.OtherTypesError, match="expected field status as int64, found string"):
        out.add(_core.parse(b"", format="classic", fields=["host", "status"]))


@outputs
def test_a_terminal_gets_none_of_it(output: str):
    screen, terminal = os.openpty()
    try:
        ran = subprocess.run(
            [*COMMAND, "parse", "-", "--format", output],
            input=LINE,
            stdout=terminal,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(terminal)
        os.close(screen)
    assert ran.returncode == 2
    assert ran.stderr.decode() == (
        f"tailrace parse: --format: {output} is binary, and standard output is a terminal; "
        f"redirect it, such as > access.{output}\n"
    )


@outputs
def test_without_pyarrow_the_extra_is_named(output: str, tmp_path: Path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    ran = run("--format", output, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode() == (
        f"tailrace parse: --format: {output} needs pyarrow: pip install 'tailrace[arrow]'\n"
    )


@outputs
def test_a_reader_that_goes_away_is_a_quiet_end(output: str):
    with subprocess.Popen(
        [*COMMAND, "parse", "--log-format", "combined", "--format", output],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        try:
            process.stdin.write(LINE * 500_000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


@outputs
def test_a_full_disk_is_reported_once(output: str):
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, "parse", "--log-format", "combined", "--format", output],
            input=LINE,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert ran.returncode == 1
    assert ran.stderr == b"tailrace: cannot write: no space left on device\n"


@outputs
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_file_in_good_order(output: str, number: signal.Signals, tmp_path: Path):
    log, out = tmp_path / "log", tmp_path / "out"
    log.write_bytes(LINE * 3)
    command = [*COMMAND, "parse", "-F", str(log), "--log-format", "combined", "--format", output]
    with (
        out.open("wb") as file,
        subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE) as process,
    ):
        assert process.stderr is not None
        assert b"Ctrl-C stops" in process.stderr.readline()
        with log.open("ab") as more:
            more.write(LINE)
        if output == "arrow":
            # Rows are there for who reads along; a Parquet file has none before its end.
            wait_for(lambda: out.stat().st_size > 0)
        process.send_signal(number)
        printed = process.stderr.read()
        assert process.wait(60) == (130 if number == signal.SIGINT else 0), printed
    table = read(output, out.read_bytes())
    assert table.column_names == _core.default_fields("combined")
    assert table.num_rows == int(printed.split()[1])


W3C = (
    b"#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
    b"#Date: 2020-01-01 00:00:00\n#Fields: date time cs-method cs-uri-stem sc-status\n"
    b"2020-01-01 00:00:01 GET /a 200\n"
)


@pytest.mark.parametrize("log_format", ["auto", "w3c"])
@pytest.mark.parametrize("output", ["csv", "text", "arrow", "parquet"])
def test_lines_before_the_header_have_no_columns(log_format: str, output: str):
    ran = run("--log-format", log_format, "--format", output, stdin=W3C)
    assert ran.returncode == 0, ran.stderr
    assert b"1 line: 1 counted" in ran.stderr
    if output in ("arrow", "parquet"):
        table = read(output, ran.stdout)
        assert table.column_names == ["time", "method", "url", "path", "status"]
        assert table.num_rows == 1
    elif output == "csv":
        expected = b"time,method,url,path,status\n2020-01-01T00:00:01Z,GET,/a,/a,200\n"
        assert ran.stdout == expected


def test_a_file_whose_header_lacks_a_field_is_refused_and_the_others_are_read(tmp_path: Path):
    # In any order of the files: an empty column would look as if the file had the field.
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("device,degrees\ncellar,11.5\n")
    second.write_text("device\nattic\n")
    words = ["--log-format", "csv", "--fields", "device,degrees", "--format", "csv"]
    lacks = b"second.csv: format csv has no field 'degrees'; expected one of device\n"
    for files in ([first, second], [second, first]):
        ran = run(*words, *map(str, files))
        assert (ran.returncode, ran.stdout) == (1, b"device,degrees\ncellar,11.5\n")
        assert lacks in ran.stderr
        assert b"1 line: 1 counted" in ran.stderr
    ran = run(*words, str(second))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert lacks in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_field_that_a_later_header_of_a_file_leaves_out_is_missing():
    header, line = b"#Fields: date time cs-method cs-uri-stem", b"2020-01-01 00:00:02 GET /b\n"
    stdin = W3C.replace(b"#Software", b"#Remark") + header + b"\n" + line
    ran = run("--log-format", "w3c", "--fields", "path,status", "--format", "csv", stdin=stdin)
    assert (ran.returncode, ran.stdout) == (0, b"path,status\n/a,200\n/b,\n")
