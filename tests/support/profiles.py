"""
How many examples the random tests draw, and from which seeds: `TAILRACE_TEST_PROFILE`.

`dev` is the default: a quarter of the examples, random seeds. `ci` has fixed seeds. `thorough` has
random seeds and twenty times the examples. This is the only place that reads it in Python;
`rust/core/src/ground/profile.rs` is its twin.
"""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from places import ROOT

if TYPE_CHECKING:
    from typing import Any

NAME = os.environ.get("TAILRACE_TEST_PROFILE") or "dev"
_SCALES = {"dev": 0.25, "ci": 1, "thorough": 20}
if NAME not in _SCALES:
    raise ValueError(f"TAILRACE_TEST_PROFILE: expected dev, ci or thorough, found {NAME!r}")

# Failing examples, which the next run tries first, and the seeds of runs that failed.
KEPT = ROOT / ".hypothesis"

# The seed of this run, for numbers drawn with `seeded`. Without it each test has its own.
_seed = os.environ.get("TAILRACE_TEST_SEED")
SEED = int(_seed) if _seed else None


def scaled(in_ci: int) -> int:
    """Scale a number of rounds that is right for CI."""
    return max(int(in_ci * _SCALES[NAME]), min(in_ci, 5))


def examples(in_ci: int, **others: Any) -> settings:  # noqa: ANN401 - as Hypothesis takes them
    """Return the settings of a property that draws this many examples in CI."""
    return settings(max_examples=scaled(in_ci), **others)


def seeded(seed: int | str) -> Random:
    """
    Return a random generator seeded with *seed*, and with the seed of the run if it has one.

    A failing test shows the run's seed; `TAILRACE_TEST_SEED` draws the same numbers again.
    """
    if SEED is None:
        return Random(seed)  # noqa: S311 - the same numbers every time
    print(f"TAILRACE_TEST_SEED={SEED}")  # noqa: T201 - pytest shows it if a test fails
    return Random(f"{SEED} {seed}")  # noqa: S311 - the same


def register() -> None:
    """Load Hypothesis' profile; `settings` created before have other defaults."""
    # A loaded machine must not fail a test; pytest-timeout ends a test that hangs.
    unhurried: dict[str, Any] = {
        "deadline": None,
        "print_blob": True,
        "suppress_health_check": [HealthCheck.too_slow],
    }
    kept = DirectoryBasedExampleDatabase(KEPT / "examples")
    count = scaled(100)
    settings.register_profile("dev", max_examples=count, database=kept, **unhurried)
    settings.register_profile("thorough", max_examples=count, database=kept, **unhurried)
    settings.register_profile(
        "ci", max_examples=count, derandomize=True, database=None, **unhurried
    )
    settings.load_profile(NAME)
