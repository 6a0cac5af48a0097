"""
The workflows agree with the files whose facts they repeat.

They cannot run here. `make lint` checks what they say with zizmor, and CI itself with actionlint.
"""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((GITHUB / "workflows" / name).read_text())


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def version(line: str) -> tuple[int, ...]:
    return tuple(map(int, line.split(".")))


def test_there_are_workflows():
    assert [path.stem for path in WORKFLOWS] == [
        "advisories",
        "ci",
        "fuzz",
        "release",
        "thorough",
    ]


@pytest.mark.parametrize("path", sorted(GITHUB.rglob("*.yml")), ids=lambda path: path.name)
def test_a_file_is_yaml(path: Path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_ci_tests_the_versions_of_python_that_the_package_names():
    prefix = "Programming Language :: Python :: "
    classifiers = PYPROJECT["project"]["classifiers"]
    named = [line.removeprefix(prefix) for line in classifiers if line.startswith(prefix)]
    tested = workflow("ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert tested == named
    assert named == sorted(named, key=version)
    assert PYPROJECT["project"]["requires-python"] == f">={named[0]}"


def test_ci_reads_the_oldest_rust_from_the_manifest(tmp_path: Path):
    job = workflow("ci.yml")["jobs"]["msrv"]
    (reading,) = (step for step in job["steps"] if step.get("id") == "msrv")
    output = tmp_path / "output"
    environment = os.environ | {"GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-c", reading["run"]], cwd=ROOT, env=environment, check=True)

    assert output.read_text() == f"version={PACKAGE['rust-version']}\n"


def test_a_tag_is_compared_with_the_version_of_the_manifest():
    (check,) = (
        step for step in steps(GITHUB / "workflows" / "release.yml") if "tag" in step.get("if", "")
    )
    environment = os.environ | {"GITHUB_REF_NAME": f"v{PACKAGE['version']}"}
    right = subprocess.run(["bash", "-c", check["run"]], cwd=ROOT, env=environment, check=False)
    environment["GITHUB_REF_NAME"] = "v0.0.0"
    wrong = subprocess.run(["bash", "-c", check["run"]], cwd=ROOT, env=environment, check=False)

    assert (right.returncode, wrong.returncode) == (0, 1)


def test_the_release_builds_with_a_maturin_that_the_package_accepts():
    (required,) = PYPROJECT["build-system"]["requires"]
    lower, upper = re.findall(r"[0-9.]+", required)
    pinned = {
        step["with"]["maturin-version"]
        for step in steps(GITHUB / "workflows" / "release.yml")
        if "maturin-action" in step.get("uses", "")
    }

    (pin,) = pinned
    assert version(lower) <= version(pin.removeprefix("v")) < version(upper)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_pinned_by_hash_and_keeps_no_token(path: Path):
    for step in steps(path):
        if "uses" not in step:
            continue
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_gets_no_rights_but_those_it_names(path: Path):
    found = yaml.safe_load(path.read_text())

    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert "permissions" in job
        assert "timeout-minutes" in job


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_file_that_a_workflow_names_exists(path: Path):
    named = re.findall(r"\b(?:tests|benches|rust)/[\w./]+", path.read_text())
    files = [name for name in named if "/found/" not in name and name != "rust/"]

    assert [name for name in files if not (ROOT / name.rstrip(".")).exists()] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_target_that_a_workflow_makes_exists(path: Path):
    for step in steps(path):
        for line in re.findall(r"\bmake ([^\n]+)", step.get("run", "")):
            targets = [word for word in line.split() if "=" not in word]
            assert targets == [one for one in targets if f"\n{one}:" in MAKEFILE]
