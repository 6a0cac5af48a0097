"""The code of the documentation that needs Spark, and the examples of `tailrace.spark`."""

import doctest
import importlib
import pkgutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pyspark
import pytest
from documents import PAGES, Block, blocks
from pyspark.sql import SparkSession

import tailrace as tr
import tailrace.spark as ts

MODULES = [
    "tailrace.spark",
    *sorted(one.name for one in pkgutil.walk_packages(ts.__path__, "tailrace.spark.")),
]

RUNS = {"runs with Spark"} | ({"runs with Spark 4"} if pyspark.__version__ >= "4" else set())
WITH_CODE = [page for page in PAGES if any(b.note in RUNS for b in blocks("python", pages=[page]))]


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in WITH_CODE])
@pytest.mark.usefixtures("place")
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, spark: SparkSession):
    names = {"spark": spark}
    all_blocks = blocks(pages=[page])
    for block, following in zip(all_blocks, [*all_blocks[1:], None], strict=True):
        if block.language == "python" and block.note in RUNS:
            with redirect_stdout(StringIO()) as printed:
                exec(compile(padded(block), str(page), "exec"), names)  # noqa: S102 - our own pages
            if following and following.note == "prints":
                assert printed.getvalue() == following.text, block.name


def padded(block: Block) -> str:
    """Return the code at its line of the page, for error messages."""
    return "\n" * block.line + block.text


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.usefixtures("place")
def test_the_examples_of_docstrings_run(name: str, spark: SparkSession):
    if name == "tailrace.spark._source.filters":
        pytest.importorskip("pyspark.sql.datasource", reason="Spark has data sources from 4 on")
    module = importlib.import_module(name)
    names = {"spark": spark, "tr": tr, "ts": ts}
    found = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)

    assert found.failed == 0


def test_every_public_name_has_an_example():
    missing = [name for name in ts.__all__ if ">>>" not in (getattr(ts, name).__doc__ or "")]

    assert missing == []
