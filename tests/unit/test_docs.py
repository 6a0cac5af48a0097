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
from places import LOG, ROOT

import tailrace

README = (ROOT / "README.md").read_text()
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tailrace.__path__, "tailrace.")
    if module.name != "tailrace._core"
)


# Commands of which no output is shown.
INDENTED = re.findall(
    r"^    (\S.*)$", re.sub(r"```.*?```", "", README, flags=re.DOTALL), re.MULTILINE
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


def shell(script: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script with the command as it is installed beside this interpreter."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
        timeout=timeout_s,
    )


def without_seconds(text: str) -> str:
    """Leave out what differs from one run to the next: how long sending took."""
    return re.sub(r"[0-9.]+ s$", "… s", text, flags=re.MULTILINE)


@pytest.mark.parametrize("block", blocks("console"))
def test_the_commands_of_a_block_of_the_readme_print_what_stands_there(block: str):
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    shown = "".join(line for line in block.splitlines(keepends=True) if not line.startswith("$ "))
    ran = shell("\n".join(commands))

    assert without_seconds(ran.stdout) == without_seconds(shown)


# What goes on for ever, and what is no command of tailrace's but has a test of its own.
ENDLESS = [line for line in INDENTED if "tailrace " in line]
OTHERS = [line for line in INDENTED if "tailrace " not in line]


@pytest.mark.parametrize("command", ENDLESS)
def test_a_command_that_goes_on_is_taken_and_answers(command: str):
    # The log gets new lines after a moment; a little later it is enough.
    ran = shell(
        f"(sleep 1.5; tail -n 9 access.log > new; cat new >> access.log) & "
        f"timeout --signal INT 4 bash -c 'trap : INT; ({command}) > answers'; "
        "wait; tail -n 3 answers"
    )

    assert "Traceback" not in ran.stdout
    assert re.search(r"[0-9,]+ lines: [0-9,]+ counted", ran.stdout), ran.stdout
    assert "  /" in ran.stdout, ran.stdout


def test_other_commands_of_the_readme_are_these():
    assert [line.split("#")[0].strip() for line in OTHERS] == [
        # `make` is what CI runs, and the demo what test_examples runs.
        "make demo",
        "make test",
        'export PATH="$PWD/.venv/bin:$PATH"',
        "zcat tests/data/apache-combined-2015-elastic.log.gz > access.log",
    ]
    assert LOG.name in OTHERS[-1]


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
    assert len(blocks("python")) == 5
    assert len(blocks("console")) == 12
    assert len(ENDLESS) == 2
    assert len(MODULES) > 15


def test_the_code_that_the_design_shows_is_what_stands_there():
    design = (ROOT / "DESIGN.md").read_text()
    shown = re.findall(r"```rust\n(.*?)```", design, flags=re.DOTALL)
    core = ROOT / "rust" / "core" / "src"
    files = ["text/format/named.rs", "windows/aggregate/count.rs", "windows/aggregate/list.rs"]
    for text, file in zip(shown, files, strict=True):
        assert text.rstrip("\n") in (core / file).read_text(), file


def test_a_link_of_the_readme_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
