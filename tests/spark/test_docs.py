"""The code of the documentation that needs Spark, and the examples of `tailrace.spark`."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
from documents import PAGES, Block, blocks, files
from pyspark.sql import SparkSession

import tailrace as tr
import tailrace.spark as ts

MODULES = [
    "tailrace.spark",
    *sorted(one.name for one in pkgutil.walk_packages(ts.__path__, "tailrace.spark.")),
]

PYTHON = [block for block in blocks("python") if block.note == "runs with Spark"]
WITH_CODE = [page for page in PAGES if any(block.page == page for block in PYTHON)]


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which code runs, with the files that the pages read."""
    for name, data in files().items():
        (folder / name).write_bytes(data)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in WITH_CODE])
@pytest.mark.usefixtures("place")
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, spark: SparkSession):
    names = {"spark": spark}
    for block in PYTHON:
        if block.page == page:
            exec(compile(padded(block), str(page), "exec"), names)  # noqa: S102 - our own pages


def padded(block: Block) -> str:
    """Return the code at its line of the page, for error messages."""
    return "\n" * block.line + block.text


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("place")
def test_the_examples_of_docstrings_run(name: str, spark: SparkSession):
    module = importlib.import_module(name)
    names = {"spark": spark, "tr": tr, "ts": ts}
    found = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)

    assert found.failed == 0


def test_every_public_name_has_an_example():
    missing = [name for name in ts.__all__ if ">>>" not in (getattr(ts, name).__doc__ or "")]

    assert missing == []
