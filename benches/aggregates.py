"""Naive versions of the aggregates, each over the values of one key in a window."""

from __future__ import annotations

import json
import math
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from measure import wrong
from workloads import key_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workloads import Events

__all__ = ["AGGREGATES", "check_values"]

# Every 90th slide is checked, against the events of its whole window.
_STEP = 90

Values = list[float]


def _variance(values: Values) -> float | None:
    if len(values) < 2:  # noqa: PLR2004 - of a sample
        return None
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction(0)) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


def _deviation(values: Values) -> float | None:
    variance = _variance(values)
    return None if variance is None else math.sqrt(variance)


def _top_values(values: Values) -> list[dict[str, Any]]:
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return [{"value": value, "count": count} for value, count in counts[:3]]


def _quantile(values: Values) -> float:
    return sorted(values)[int(Fraction(99, 100) * (len(values) - 1))]


# By name: the naive version, and the relative error that is allowed.
AGGREGATES: dict[str, tuple[Callable[[Values], Any], float]] = {
    "sum": (math.fsum, 0.0),
    # Rounded once or twice.
    "mean": (lambda values: math.fsum(values) / len(values), 2**-52),
    "min": (min, 0.0),
    "max": (max, 0.0),
    "first": (lambda values: values[0], 0.0),
    "last": (lambda values: values[-1], 0.0),
    "var": (_variance, 1e-12),
    "std": (_deviation, 1e-12),
    "count_distinct": (lambda values: len(set(values)), 0.0),
    # Five times its standard error.
    "approx_count_distinct": (lambda values: len(set(values)), 0.08),
    "quantile": (_quantile, 0.01 + 1e-9),
    "top_values": (_top_values, 0.0),
}


def check_values(name: str, found: Path, events: Events, values: Any, length: int) -> None:  # noqa: ANN401
    """Check the values of an aggregate for the keys of some slides."""
    naive, error = AGGREGATES[name]
    # Of several values at the same time, the smallest is the first.
    order = np.lexsort((values, events.times))
    seconds, numbers, values = events.times // 1_000, events.keys[order], values[order]
    for line in found.read_text().splitlines()[::_STEP]:
        end, ranked = json.loads(line)
        part = slice(*np.searchsorted(seconds, [end - length, end]))
        keys, held = numbers[part], values[part]
        for key, found_value in ranked:
            number = int(key[-11:-5])
            if key_text(number) != key:
                wrong(f"{name}: the key {key}")
            right = naive(held[keys == number].tolist())
            if not _agrees(found_value, right, error):
                wrong(f"{name}: window that ends at {end}, {key}: {found_value}, not {right}")


def _agrees(value: Any, right: Any, error: float) -> bool:  # noqa: ANN401 - any value
    if not error or value is None or right is None:
        return bool(value == right)
    return bool(abs(value - right) <= error * abs(right))
