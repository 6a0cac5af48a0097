"""CONTRIBUTING.md and SECURITY.md name files and targets that exist."""

import re
import tomllib

import pytest
from places import ROOT

PAGES = ["CONTRIBUTING.md", "SECURITY.md"]
TOP = {path.name for path in ROOT.iterdir()}


@pytest.mark.parametrize("page", PAGES)
def test_a_path_that_a_page_names_exists(page: str):
    text = (ROOT / page).read_text()
    quoted = re.findall(r"`([\w./-]+)`", text)
    paths = [path for path in quoted if path.split("/")[0] in TOP and path != "tailrace"]

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [
        link for link in re.findall(r"\]\(([\w./-]+)\)", text) if not (ROOT / link).exists()
    ] == []


def test_contributing_names_every_folder_of_the_tests():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    folders = [path for path in (ROOT / "tests").iterdir() if path.is_dir()]
    named = {path.name for path in folders if not path.name.startswith("__")}

    assert {name for name in named if f"`tests/{name}`" not in text} == set()


def test_contributing_names_targets_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    makefile = (ROOT / "Makefile").read_text()

    for target in set(re.findall(r"`make ([\w-]+)", text)):
        assert f"\n{target}:" in makefile


def test_contributing_names_the_oldest_versions():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert f"Rust toolchain ({rust} or later)" in text
    assert f"Python {python.removeprefix('>=')} or later" in text
