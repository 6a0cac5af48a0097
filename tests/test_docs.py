"""Everything that the documentation shows is run."""

import doctest
import gzip
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tailrace

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LOG = Path(__file__).parent / "data" / "apache-combined-2015-elastic.log.gz"
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tailrace.__path__, "tailrace.")
    if module.name != "tailrace._core"
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def _beside_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "access.log").write_bytes(gzip.decompress(LOG.read_bytes()))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_of_the_readme_runs_and_prints(block: str):
    ran = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)

    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout


@pytest.mark.parametrize("block", blocks("console"))
def test_a_command_of_the_readme_prints_what_stands_there(block: str):
    command, shown = block.removeprefix("$ ").split("\n", 1)
    # The command as it is installed beside this interpreter.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", f"({command}) 2>&1"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": path},
    )

    assert ran.stdout == shown


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str):
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0


def test_every_public_name_has_an_example():
    without = []
    for name in tailrace.__all__:
        value = getattr(tailrace, name)
        documented = isinstance(value, type) and issubclass(value, Exception | tuple)
        if callable(value) and not documented and ">>>" not in (value.__doc__ or ""):
            without.append(name)

    assert without == []


def test_there_are_examples_to_run():
    assert len(blocks("python")) == 2
    assert len(blocks("console")) == 4
    assert len(MODULES) > 15


def test_a_link_of_the_readme_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
