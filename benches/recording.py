"""
A run that is kept: what it printed, on which machine, with which versions, of which commit.

`recording.py NAME -- COMMAND...` runs a command and writes `record/DATE-COMMIT-NAME.txt`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from machine import machine, revision

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RECORD", "record", "stem"]

_ROOT = Path(__file__).parents[1]
RECORD = _ROOT / "benches" / "record"


def stem(name: str) -> str:
    """Return the name of a run's files, without the suffix."""
    return f"{datetime.now(UTC):%Y-%m-%d}-{revision()[:8]}-{name}"


def record(name: str, command: Sequence[str], shown: str | None = None) -> int:
    """
    Run the command from the root of the repository and keep what it prints; return its exit code.

    *shown* is what a reader types to repeat it, if that differs from the command.
    """
    facts = machine()
    before = _load()
    ran = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = []
    for line in ran.stdout or ():
        sys.stdout.buffer.write(line)
        sys.stdout.flush()
        printed.append(line.decode(errors="replace"))
    code = ran.wait()
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    head = [
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"machine: {facts['cpu']}, {facts['system']}",
        f"load average (1, 5, 15 min): {before} before, {_load()} after",
        f"Python: {facts['python']}",
        f"packages: {packages}",
        f"rustc -vV: {'; '.join(facts['rustc'])}",
        f"commit: {revision()}",
        f"command: {shown or shlex.join(command)}",
        f"exit code: {code}",
    ]
    RECORD.mkdir(exist_ok=True)
    text = "\n".join(head) + "\n\n" + "".join(printed)
    # Where this checkout is and the folder of a temporary file say nothing to a reader.
    text = text.replace(f"{_ROOT}{os.sep}", "")
    path = RECORD / f"{stem(name)}.txt"
    path.write_text(text)
    print(f"recorded in {path.relative_to(_ROOT)}")
    return code


def _load() -> str:
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def main() -> int:
    """Record the command that the arguments name."""
    if "--" not in sys.argv[2:3]:
        sys.exit(f"usage: {Path(__file__).name} NAME -- COMMAND...")
    return record(sys.argv[1], sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
