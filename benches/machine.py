"""The machine, its tools and the commit, as a recorded run names them; never the host."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

__all__ = ["cpu", "machine", "revision"]

_ROOT = Path(__file__).parents[1]

# What a figure may depend on, besides tailrace itself.
_PACKAGES = (
    "duckdb",
    "fastavro",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pytest-benchmark",
    "tailrace",
)


def cpu() -> str:
    """Return the model of the processor and the number of cores."""
    models: list[str] = []
    try:
        models = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        if platform.system() == "Darwin":
            models = [_said("sysctl", "-n", "machdep.cpu.brand_string")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"


def machine() -> dict[str, Any]:
    """Return processor, system and versions."""
    return {
        "cpu": cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rustc": _said("rustc", "-vV").splitlines(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def revision() -> str:
    """Return the commit, and whether files differ from it."""
    changed = _said("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no")
    return _said("git", "-C", str(_ROOT), "rev-parse", "HEAD") + (
        " with changes" if changed else ""
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _said(*command: str) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return ran.stdout.strip()
