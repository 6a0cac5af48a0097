"""How tailrace gets to executors: each route on a cluster of separate processes."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import profiles
import pyarrow as pa
import pytest
from documents import blocks
from places import ROOT
from spark_cluster import Cluster, cluster

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    profiles.NAME != "thorough",
    reason="a cluster for each route takes minutes; make test-thorough runs it",
)

WORKER = f"worker {platform.node()}, {sys.executable} (Python {platform.python_version()}): "
IS_4 = version("pyspark").startswith("4.")
PAGE = ROOT / "docs" / "spark-executors.md"
PACKAGE = Path(tr.__file__).parent
DRIVER = str(PACKAGE.parent)
LINES = [
    f"192.0.2.{number % 7} - - [02/Mar/2026:08:{number % 60:02}:00 +0000] "
    f'"GET /{number % 5} HTTP/1.1" 200 {number} "-" "-"'
    for number in range(400)
] + ["not a line of a log"] * 3

PROGRAM = """\
import json, sys
import tailrace as tr
import tailrace.spark as ts
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
{before}

def places(batches):
    import os
    import pyarrow as pa
    for batch in batches:
        yield pa.RecordBatch.from_pydict({{"place": [os.getcwd()] * batch.num_rows}})

lines = spark.createDataFrame([(line,) for line in json.load(open("lines.json"))], "value string")
lines = lines.repartition(4)
rows = ts.parse(lines, fields=["host", "url", "size"], mode="drop")
seen = rows.mapInArrow(places, "place string")
panes = ts.pane_counts(lines, by="url", every="10s", aggregates={{
    "hits": tr.count(), "sent": tr.sum("size"),
}})
counts = ts.pane_counts(lines, by="url", every="10s").groupBy("url").sum("count")
print("ANSWER", json.dumps({{
    "rows": sorted([row.host, row.url, row.size] for row in rows.collect()),
    "places": sorted(row.place for row in seen.distinct().collect()),
    "counts": dict(map(tuple, counts.collect())),
    "panes": ts.merge_panes(panes).count(),
}}))
spark.stop()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the cluster, with archives as the page has them."""
    place = tmp_path_factory.mktemp("cluster")
    (place / "lines.json").write_text(json.dumps(LINES))
    packages = place / "packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, packages / "tailrace", ignore=ignored)
    shutil.make_archive(str(packages), "zip", packages)

    environment = place / "environment"
    bare(environment)
    (site,) = environment.glob("lib/python*/site-packages")
    shutil.copytree(PACKAGE, site / "tailrace", ignore=ignored)
    shutil.copytree(Path(pa.__file__).parent, site / "pyarrow", symlinks=True)
    subprocess.run(
        ["tar", "-czf", "environment.tar.gz", "-C", "environment", "."], cwd=place, check=True
    )
    return place


def bare(folder: Path) -> None:
    """Make an environment without any package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)


@pytest.fixture(scope="module")
def running(place: Path) -> Iterator[Cluster]:
    with cluster(place) as running:
        yield running


def options_of_the_page(first: str) -> list[str]:
    """Return the options of the page's `spark-submit` that begin with these."""
    commands = [
        shlex.split(line)
        for block in blocks("sh", pages=[PAGE])
        for line in block.text.splitlines()
        if line.startswith("spark-submit ")
    ]
    (found,) = [command[1:-1] for command in commands if command[1:3] == shlex.split(first)]
    return [
        sys.executable.join(option.rsplit("python3", 1)) if option.endswith("=python3") else option
        for option in found
    ]


def code_of_the_page(first: str) -> str:
    (found,) = [
        block.text for block in blocks("python", pages=[PAGE]) if block.text.startswith(first)
    ]
    return found


def answer(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("ANSWER ")]
    return json.loads(line.removeprefix("ANSWER "))


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the core answers in this process."""
    rows = tr.Format("combined").parse(LINES, fields=["host", "url", "size", "time"])
    columns = [pa.table(rows).column(name).to_pylist() for name in ("host", "url", "size", "time")]
    return {
        "rows": sorted([host, url, size] for host, url, size, _ in zip(*columns, strict=True)),
        "counts": dict(Counter(columns[1])),
        # Every line is at a whole minute, so a pane has the lines of one.
        "panes": len(set(zip(columns[1], columns[3], strict=True))),
    }


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare the answers, and see that both executors had a part in them."""
    places = found.pop("places")
    assert found == expected
    assert sorted(place.split("/app-")[0].rsplit("/", 1)[1] for place in places) == [
        "worker-1",
        "worker-2",
    ]


@pytest.mark.parametrize(
    "first", ["--archives packages.zip#packages", "--archives environment.tar.gz#environment"]
)
def test_an_archive(first: str, running: Cluster, expected: dict[str, Any]):
    run = running.submit(PROGRAM.format(before=""), *options_of_the_page(first), driver_path=DRIVER)

    check(answer(run), expected)


@pytest.mark.skipif(not IS_4, reason="sessions take artifacts from Spark 4 on")
@pytest.mark.parametrize(
    ("code", "options"),
    [
        ('spark.addArtifacts("environment', []),
        ('spark.addArtifacts("packages', ["--conf", "spark.executorEnv.PYTHONPATH=packages"]),
    ],
)
def test_an_artifact(code: str, options: list[str], running: Cluster, expected: dict[str, Any]):
    program = PROGRAM.format(before=code_of_the_page(code))
    run = running.submit(program, *options, driver_path=DRIVER)

    check(answer(run), expected)


def test_installed_on_every_node(place: Path, running: Cluster, expected: dict[str, Any]):
    python = place / "environment" / "bin" / "python"
    run = running.submit(PROGRAM.format(before=""), python=str(python), driver_path=DRIVER)

    check(answer(run), expected)


def error_of(run: subprocess.CompletedProcess[str]) -> str:
    """Return what a program that failed printed; `spark-submit` joins its two outputs."""
    assert run.returncode != 0, run.stdout
    return run.stdout


def test_a_worker_without_tailrace(running: Cluster):
    error = error_of(running.submit(PROGRAM.format(before=""), driver_path=DRIVER))

    assert (
        WORKER + f"expected tailrace {tr.__version__}, found no module tailrace; install" in error
    )


@pytest.mark.parametrize("name", ["tailrace.zip", "tailrace.whl"])
def test_what_python_would_import_from_does_not_serve_the_driver(
    name: str, place: Path, running: Cluster
):
    shutil.copyfile(place / "packages.zip", place / name)
    run = running.submit(PROGRAM.format(before=""), "--py-files", name, driver_path=DRIVER)

    assert f"ImportError: tailrace: expected an installed package, found {place / name};" in (
        error_of(run)
    )


def test_a_zip_that_python_imports_from_does_not_serve_a_worker(running: Cluster):
    before = 'spark.sparkContext.addPyFile("packages.zip")'
    error = error_of(running.submit(PROGRAM.format(before=before), driver_path=DRIVER))

    found = f"{WORKER}expected tailrace {tr.__version__}, which does not load: tailrace: expected"
    assert found in error
    assert "packages.zip; its compiled module does not load from a zip or a wheel" in error
    assert "Traceback" not in error.rpartition(found)[2].partition("JVM stacktrace")[0]


def test_another_version_of_tailrace(place: Path, running: Cluster):
    other = place / "other"
    shutil.copytree(place / "packages", other)
    init = other / "tailrace" / "__init__.py"
    init.write_text(init.read_text() + '\n__version__ = "0.0.1"\n')
    shutil.make_archive(str(other), "zip", other)
    options = options_of_the_page("--archives packages.zip#packages")
    options[1] = "other.zip#packages"
    error = error_of(running.submit(PROGRAM.format(before=""), *options, driver_path=DRIVER))

    assert WORKER + f"expected tailrace {tr.__version__}, as on the driver, found 0.0.1;" in error


def test_a_worker_without_pyarrow(place: Path, running: Cluster):
    bare(place / "bare")
    python = str(place / "bare" / "bin" / "python")
    error = error_of(running.submit(PROGRAM.format(before=""), python=python, driver_path=DRIVER))

    assert "ModuleNotFoundError: No module named 'pyarrow'" in error
