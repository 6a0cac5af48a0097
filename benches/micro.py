"""
Time the steps of the pipeline one by one, with pytest-benchmark; see README.md.

micro.py [--check | --compare | --record] [PYTEST ARGUMENT...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from machine import machine
from recording import RECORD, record, stem

_SUITE = Path(__file__).parent / "micro"


def main() -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(description="Time each step, every answer checked.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="check the answers, time nothing")
    what.add_argument("--compare", action="store_true", help="show the last recorded run too")
    what.add_argument("--record", action="store_true", help="keep the run in benches/record")
    arguments, others = parser.parse_known_args()
    storage = f"--benchmark-storage=file://{RECORD}"
    suite = [sys.executable, "-m", "pytest", "-c", str(_SUITE / "pytest.ini"), str(_SUITE)]
    command = [*suite, storage, *others]
    if arguments.check:
        return subprocess.call([*command, "--benchmark-disable"])
    if arguments.compare:
        last = _last()
        _print_differences(last)
        return subprocess.call([*command, f"--benchmark-compare={last}"])
    if arguments.record:
        keep = f"--benchmark-save={stem('micro')}"
        return record("micro", [*command, keep], shown="make bench-micro RECORD=1")
    return subprocess.call(command)


def _last() -> Path:
    """Return the recorded run with the latest date."""
    runs = {json.loads(path.read_text())["datetime"]: path for path in RECORD.glob("*/*.json")}
    if not runs:
        sys.exit("benches: no recorded run to compare with; make bench-micro RECORD=1 records one")
    return runs[max(runs)]


def _print_differences(run: Path) -> None:
    """Print which run it is, and how the machine and the versions differ from those here."""
    recorded = json.loads(run.read_text())
    print(f"compared with {run.relative_to(RECORD)}, commit {recorded['commit_info']['id'][:8]}")
    there, here = recorded["machine_info"], machine()
    for fact in here:
        if there.get(fact) != here[fact]:
            print(f"{fact}: {there.get(fact)} there, {here[fact]} here")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
