"""What a worker reports that lacks tailrace or has another one; in plain Python, without Spark."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark import cloudpickle

import tailrace
from tailrace.spark._executors import importer

RUN = """\
import pickle, sys
job = pickle.loads(sys.stdin.buffer.read())
try:
    print(job().__name__)
except ImportError as error:
    print(type(error).__name__, error, sep=": ")
"""


def on_a_worker(path: Path, name: str = "tailrace._core") -> str:
    """Return what a job that imports a module prints where tailrace is only on this path."""
    load = importer()

    def job() -> object:
        return load(name)

    run = subprocess.run(
        [sys.executable, "-c", RUN],
        input=cloudpickle.dumps(job),
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(path)},
    )
    return run.stdout.decode()


def package(folder: Path, text: str, core: str | None = None) -> Path:
    (folder / "tailrace").mkdir()
    (folder / "tailrace" / "__init__.py").write_text(text)
    if core is not None:
        (folder / "tailrace" / "_core.py").write_text(core)
    return folder


def test_the_module_where_tailrace_is_installed():
    assert on_a_worker(Path(tailrace.__file__).parents[1]) == "tailrace._core\n"


def test_a_worker_without_tailrace(folder: Path):
    printed = on_a_worker(folder)

    assert printed.startswith(
        f"ImportError: worker {os.uname().nodename}, {sys.executable} (Python 3."
    )
    assert "found no module tailrace; install it for the Python of every executor" in printed


def test_a_package_whose_compiled_module_is_missing(folder: Path):
    # As from `--py-files` with a wheel, out of which no shared library loads.
    printed = on_a_worker(package(folder, "import tailrace._core\n"))

    assert "found no module tailrace._core; install it" in printed
    assert "--py-files cannot do it" in printed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "__version__ = '0.0.0'",
            f"expected tailrace {tailrace.__version__}, as on the driver, found 0.0.0;",
        ),
        ("import numpyro", "tailrace needs numpyro, which is not installed;"),
        (
            "raise ImportError('bad.so: invalid ELF header')",
            "which does not load: bad.so: invalid ELF header;",
        ),
    ],
)
def test_another_problem(folder: Path, text: str, expected: str):
    assert expected in on_a_worker(package(folder, text))
