"""The examples run, and their answers are those of a recount."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
import pytest
from documents import blocks
from places import ROOT

import tailrace as tr

if TYPE_CHECKING:
    from types import ModuleType

    from pyspark.sql import SparkSession

EXAMPLES = ROOT / "examples" / "spark"
README = EXAMPLES / "README.md"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def logs(folder: Path) -> Path:
    example("sample_log").write(folder / "logs")
    return folder / "logs"


def words(logs: Path) -> list[list[str]]:
    """Split each line at blanks: the host is 0, the time 3, the URL 6, status and size 8 and 9."""
    return [
        line.split() for file in sorted(logs.iterdir()) for line in file.read_text().splitlines()
    ]


def check_urls(printed: str, logs: Path) -> None:
    found = re.findall(r"^\|(/\S*) *\|(\d+) *\|(\d+) *\|$", printed, re.MULTILINE)
    counts, sent = Counter[str](), Counter[str]()
    for line in words(logs):
        counts[line[6]] += 1
        sent[line[6]] += int(line[9])
    first = sorted(counts, key=lambda url: (-counts[url], url))[:3]
    assert found == [(url, str(counts[url]), str(sent[url])) for url in first]


@pytest.mark.usefixtures("spark")
def test_urls(logs: Path, capsys: pytest.CaptureFixture[str]):
    (logs / "access-99.log").write_text("not a line of a log\n" * 3)
    example("urls").main([str(logs), "--top", "3"])
    printed = capsys.readouterr().out
    (logs / "access-99.log").unlink()

    assert "|no-match|3    |" in printed
    check_urls(printed, logs)


def test_urls_by_spark_submit(logs: Path):
    (command,) = [
        line
        for block in blocks("sh", pages=[README])
        for line in block.text.splitlines()
        if line.startswith("spark-submit --master") and "/urls.py" in line
    ]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    script = command.replace("spark-submit", str(submit), 1).replace(" logs", f" '{logs}' --top 3")
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert run.returncode == 0, run.stderr
    check_urls(run.stdout, logs)


@pytest.mark.usefixtures("spark")
def test_live_urls(logs: Path, capsys: pytest.CaptureFixture[str]):
    example("live_urls").main([str(logs), str(logs.parent / "state"), "--every", "60s", "--once"])
    query = tr.from_files(str(logs / "*.log"), format="combined").window("300s", every="60s")
    expected = [str(snapshot) for snapshot in query.count(by="url").top(10).run()]

    assert len(expected) == 10
    assert capsys.readouterr().out.split("\n\n")[: len(expected)] == expected


@pytest.mark.usefixtures("spark")
def test_clients(logs: Path, capsys: pytest.CaptureFixture[str]):
    example("clients").main([str(logs), str(logs.parent / "state"), "--once"])
    printed = capsys.readouterr().out
    found = re.findall(
        r"^(\d\d:\d\d) (\S+): score \d+, (\d+) requests, (\d+) URLs, (\d+)% errors$",
        printed,
        re.MULTILINE,
    )
    (shown,) = [block.text for block in blocks("text", pages=[README])]
    probes = [line for line in words(logs) if line[0] == example("sample_log").SCANNER]

    assert printed == shown
    for end, client, requests, urls, errors in found:
        minutes = {f"2026:{end[:3]}{int(end[3:]) - ago:02}:" for ago in (1, 2)}
        inside = [line for line in probes if any(minute in line[3] for minute in minutes)]
        assert client == probes[0][0]
        assert int(requests) == len(inside) > 100
        assert int(urls) == len({line[6] for line in inside})
        assert int(errors) == 100
    # The scanner is found in the first window in which it is, and in no other client's place.
    assert [end for end, *_ in found] == ["08:07", "08:08", "08:09"]


@pytest.mark.usefixtures("place")
def test_the_notebook(spark: SparkSession):
    notebook = json.loads((EXAMPLES / "windows.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec("".join(cell["source"]), names)  # noqa: S102 - our own notebook
    query = tr.from_files("access.log", format="combined").window("1d", every="1h")
    windows = query.agg(by="path", hits=tr.count(), clients=tr.count_distinct("host")).top(3).run()
    expected = [
        (snapshot.end.timestamp(), *(row[name] for name in ("path", "hits", "clients")))
        for snapshot in windows
        for row in snapshot
    ]
    found = [
        (row.end.timestamp(), row.path, row.hits, row.clients) for row in names["days"].collect()
    ]

    assert names["spark"] is spark
    assert found == expected[: len(found)]
    assert len(found) > 200
    assert all(one[0] <= other[0] for one, other in pairwise(found))
