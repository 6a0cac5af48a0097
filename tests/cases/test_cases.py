"""
Every scenario in `cases`: arguments and files in, text and exit code out.

A bug report becomes a file there. `files` are written into the working directory, `bytes` as
well, in hexadecimal; `env` are variables; what is not given as `stdin` is an empty one. `written`
is what files hold afterwards; one that is not there is false.
"""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from live import COMMAND

CASES = sorted(Path(__file__).parent.glob("*.toml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, tmp_path: Path):
    case = tomllib.loads(path.read_text())
    for name, text in case.get("files", {}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, text in case.get("bytes", {}).items():
        (tmp_path / name).write_bytes(bytes.fromhex(text))
    ran = subprocess.run(
        [*COMMAND, *case["args"]],
        cwd=tmp_path,
        input=case.get("stdin", "").encode(),
        capture_output=True,
        timeout=30,
        check=False,
        env=os.environ | {"COLUMNS": "80"} | case.get("env", {}),
    )

    assert ran.stderr.decode() == case["stderr"]
    assert ran.stdout.decode() == case["stdout"]
    assert ran.returncode == case.get("exit", 0)
    for name, text in case.get("written", {}).items():
        file = tmp_path / name
        assert (
            file.read_bytes().decode(errors="backslashreplace") if file.exists() else False
        ) == text


def test_there_are_cases():
    assert len(CASES) > 20
