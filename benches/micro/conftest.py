"""What the micro benchmarks share: how long their input is, and what a recorded run says."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from logs import Log, make_log
from machine import machine, revision

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.stats import Metadata

# Long enough that a round takes milliseconds; a run that only checks answers needs fewer.
_LINES = 20_000
_LINES_TO_CHECK = 2_000


@pytest.fixture(scope="session")
def is_timed(request: pytest.FixtureRequest) -> bool:
    """Whether times are taken, rather than answers checked once."""
    return not request.config.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def log(is_timed: bool) -> Callable[[str], Log]:  # noqa: FBT001 - a fixture's value
    """Return the log in the format of a name."""
    return cache(lambda name: make_log(name, _LINES if is_timed else _LINES_TO_CHECK))


@pytest.fixture
def timed(benchmark: BenchmarkFixture) -> Callable[..., None]:
    """Time a function that takes no arguments, or takes what *setup* returns for each round."""

    def run(
        function: Callable[..., Any],
        *,
        group: str,
        lines: int = 1,
        setup: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]] | None = None,
        rounds: int = 50,
    ) -> None:
        benchmark.group = group
        benchmark.extra_info["lines"] = lines
        if setup is None:
            benchmark(function)
        else:
            benchmark.pedantic(function, setup=setup, rounds=rounds)

    return run


def pytest_configure() -> None:
    """Refuse a debug build, whose times say nothing."""
    if _core._debug_build:  # noqa: SLF001 - it is there for this
        pytest.exit("benches: tailrace is a debug build; run `make build` first", returncode=2)


def pytest_benchmark_generate_machine_info() -> dict[str, Any]:
    """Return the machine without its name, and the versions."""
    return machine()


def pytest_benchmark_generate_commit_info() -> dict[str, Any]:
    """Return the commit alone: no author and no folder."""
    return {"id": revision()}


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print nanoseconds for each line or event, which the table of times leaves out."""
    benchmarks: list[Metadata] = config._benchmarksession.benchmarks  # type: ignore[attr-defined] # noqa: SLF001
    rows = [one for one in benchmarks if one.extra_info.get("lines", 1) > 1 and one.stats.data]
    if rows:
        terminalreporter.write_sep("-", "CPU nanoseconds for each line, the fastest round")
        for one in rows:
            cost = one.stats.min / one.extra_info["lines"] * 1e9
            terminalreporter.write_line(f"{one.name:<42}{cost:10,.1f}")
