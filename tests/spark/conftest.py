"""What the tests with a real Spark share: one session, and its log lines."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from documents import files
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Workers run the Python of the tests.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.sql.shuffle.partitions": "2",
    # Far from UTC, and not by whole hours: a time that is read in the wrong zone shows.
    "spark.sql.session.timeZone": "Asia/Kolkata",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def pytest_configure(config: pytest.Config) -> None:
    # PySpark's own warnings, such as those about the version of pandas.
    config.addinivalue_line("filterwarnings", "default:::pyspark")
    config.addinivalue_line("filterwarnings", "default:PySpark does not yet fully support pandas")
    config.addinivalue_line("filterwarnings", "default::ResourceWarning")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session with two threads that runs a failed task three times (`local[2]` never retries)."""
    builder = SparkSession.builder.master("local[2,3]").appName("tailrace tests")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def place(folder: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """
    A directory with the files that the pages read, to which relative paths refer.

    Those of Spark refer to the directory in which its Java started, whatever Python's is.
    """
    for name, data in files().items():
        (folder / name).write_bytes(data)
    monkeypatch.chdir(folder)
    java = spark._jvm
    local = java.org.apache.hadoop.fs.FileSystem.getLocal(spark._jsc.hadoopConfiguration())
    before = local.getWorkingDirectory()
    # Checkpoints of streams are resolved by the property, everything else by the file system.
    local.setWorkingDirectory(java.org.apache.hadoop.fs.Path(str(folder)))
    property_before = java.System.setProperty("user.dir", str(folder))
    yield folder
    local.setWorkingDirectory(before)
    java.System.setProperty("user.dir", property_before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory, whose path has a space."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder
