"""The micro benchmarks still run and give right answers; recorded runs name no private place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

RECORDS = sorted(path for path in (ROOT / "benches" / "record").rglob("*") if path.is_file())


def test_every_step_that_is_timed_gives_the_right_answer():
    command = [sys.executable, str(ROOT / "benches" / "micro.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_recorded_run_names_no_host_and_no_folder_of_its_machine(path: Path):
    text = path.read_text()

    assert not re.search(r"/(home|root|tmp|work|Users|var)/", text)
    assert not re.search(r'"(node|user|hostname)":', text)


def test_there_are_recorded_runs():
    assert RECORDS
