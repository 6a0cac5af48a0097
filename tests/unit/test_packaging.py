"""What is installed."""

import importlib.metadata
import subprocess
import sys

import tailrace as tr

# New names are added here on purpose, never by accident.
PUBLIC = [
    "Aggregate",
    "Answers",
    "Batch",
    "Batches",
    "Detection",
    "Format",
    "LineCounts",
    "ProtocolError",
    "Query",
    "Reject",
    "Snapshot",
    "Snapshots",
    "TailraceError",
    "Window",
    "__version__",
    "approx_count_distinct",
    "count",
    "count_distinct",
    "detect",
    "first",
    "from_files",
    "from_flume",
    "from_lines",
    "from_stdin",
    "last",
    "max",
    "mean",
    "merge",
    "min",
    "quantile",
    "rate",
    "ratio",
    "std",
    "sum",
    "top_values",
    "var",
]


def test_the_version_is_that_of_the_package():
    assert tr.__version__ == importlib.metadata.version("tailrace")


def test_the_public_names_are_these():
    assert tr.__all__ == PUBLIC
    assert all(hasattr(tr, name) for name in PUBLIC)


def test_the_package_is_typed():
    files = importlib.metadata.files("tailrace") or []
    assert importlib.resources.files("tailrace").joinpath("py.typed").is_file(), files


def test_importing_it_loads_no_event_loop_no_protocol_and_no_command():
    code = "import sys, tailrace; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {
        "asyncio",
        "fastavro",
        "argparse",
        "logging",
        "json",
        "inspect",
        "tailrace._flume",
    }
