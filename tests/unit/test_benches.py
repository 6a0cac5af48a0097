"""The micro benchmarks still run, and what they time gives the right answers."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_step_that_is_timed_gives_the_right_answer():
    command = [sys.executable, str(ROOT / "benches" / "micro.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
