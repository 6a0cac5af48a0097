"""A Spark cluster of separate processes on the loopback interface: a master and two workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cluster", "cluster"]

_HOME = Path(pyspark.__file__).parent

# Nothing of the tests' own surroundings reaches the executors: tailrace is not on their path.
_CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "PYSPARK", "SPARK", "VIRTUAL_ENV"))
}

_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    # Both executors are there before the first task starts, so each has a share of it.
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
    "spark.cores.max": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "Asia/Kolkata",
    "spark.task.maxFailures": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


class Cluster:
    """A running cluster, to which programs are submitted."""

    def __init__(self, master: str, folder: Path) -> None:
        self._master = master
        self._folder = folder

    def submit(
        self,
        program: str,
        *arguments: str,
        settings: dict[str, str] | None = None,
        python: str = sys.executable,
        driver_path: str = "",
        timeout_s: float = 900,
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a program with `spark-submit`.

        *python* is the interpreter of the executors, *arguments* are options of `spark-submit`,
        *driver_path* the `PYTHONPATH` of the driver alone.
        """
        file = self._folder / "program.py"
        file.write_text(program)
        options = [
            part
            for name, value in (_SETTINGS | (settings or {})).items()
            for part in ("--conf", f"{name}={value}")
        ]
        environment = _CLEAN | {
            "PYSPARK_PYTHON": python,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "PYTHONPATH": driver_path,
            "SPARK_HOME": str(_HOME),
        }
        return subprocess.run(
            [_HOME / "bin" / "spark-submit", "--master", self._master, *options, *arguments, file],
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a master and two workers of one core each; end them when the block ends."""
    with ExitStack() as stack:
        log = folder / "master.log"
        here = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        stack.enter_context(_process("master.Master", here, log))
        master = _wait_for(r"Starting Spark master at (spark://\S+)", log)
        _wait_for(r"I have been elected leader", log)
        for number in (1, 2):
            work = folder / f"worker-{number}"
            size = ["--cores", "1", "--memory", "768m", "--work-dir", str(work)]
            log = folder / f"worker-{number}.log"
            stack.enter_context(_process("worker.Worker", [*here, *size, master], log))
            _wait_for(r"Successfully registered with master", log)
        yield Cluster(master, folder)


@contextmanager
def _process(name: str, arguments: list[str], log: Path) -> Iterator[None]:
    environment = _CLEAN | {"SPARK_HOME": str(_HOME), "SPARK_DAEMON_MEMORY": "256m"}
    command = [_HOME / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments]
    # The script replaces itself by Java, so its number is Java's.
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as running,
    ):
        try:
            yield
        finally:
            running.terminate()
            try:
                running.wait(60)
            except subprocess.TimeoutExpired:
                running.kill()


def _wait_for(pattern: str, log: Path, timeout_s: float = 120) -> str:
    """Return the first group of a pattern, or the whole match, once the log has it."""
    deadline = time.monotonic() + timeout_s
    while not (found := re.search(pattern, text := log.read_text(errors="replace"))):
        assert time.monotonic() < deadline, f"{log.name} has no {pattern!r}:\n{text}"
        time.sleep(0.1)
    return found[found.lastindex or 0]
