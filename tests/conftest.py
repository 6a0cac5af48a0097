"""What all tests share: the profile, a clean environment, and a report of failing examples."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import profiles

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

profiles.register()

# The options of whoever runs the tests are not those of the command that is tested.
for name in [name for name in os.environ if name.startswith("TAILRACE_")]:
    if not name.startswith("TAILRACE_TEST_"):
        del os.environ[name]

# pytest-xdist sets these in its workers; commands under test ask the terminal.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# `make test-minimal` alone sets it. Everywhere else a package that is missing is an error.
MINIMAL = os.environ.get("TAILRACE_TEST_MINIMAL") == "1"
_ignored: dict[str, str] = {}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a file that imports what is not installed, where that is allowed."""
    if not MINIMAL or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    imported = re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)
    missing = [module for module in dict.fromkeys(imported) if not find_spec(module)]
    if missing:
        _ignored[collection_path.name] = ", ".join(missing)
    return True if missing else None


def pytest_report_header() -> str:
    seed = "" if profiles.SEED is None else f", TAILRACE_TEST_SEED={profiles.SEED}"
    return f"profile: {profiles.NAME}{seed}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for file, missing in _ignored.items():
        terminalreporter.write_line(f"SKIPPED {file}: needs {missing}")
    failed = [report.nodeid for report in terminalreporter.getreports("failed")]
    if not failed or profiles.NAME == "ci":
        return
    kept = profiles.KEPT
    terminalreporter.write_line(f"failing examples are kept in {kept} and tried first next time")
    if profiles.SEED is not None:
        kept.mkdir(exist_ok=True)
        with (kept / "seeds").open("a", encoding="utf-8") as out:
            out.writelines(f"{profiles.SEED} {test}\n" for test in failed)
        terminalreporter.write_line(f"the seed, {profiles.SEED}, is kept in {kept / 'seeds'}")
