"""A clock that a test moves, and what a run of made-up lines needs besides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace._types import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT = Layout(("url",), {"count": ("count", ())}, "count")


@dataclass
class MadeUpTime:
    """A monotonic clock that moves when the test moves it, and a wall clock that can be set."""

    now_us: int
    # How far the wall clock differs at each of its readings, besides what it was set by.
    noise_us: Iterator[int] = field(default_factory=lambda: itertools.repeat(0))
    set_us: int = 0

    def __post_init__(self) -> None:
        self.begun_us = self.now_us

    def wall_ns(self) -> int:
        noise_us = next(self.noise_us) if self.now_us > self.begun_us else 0
        return (self.now_us + self.set_us + noise_us) * 1_000

    def monotonic_ns(self) -> int:
        # Since the machine was started, say.
        return (self.now_us - self.begun_us + 5_000_000) * 1_000
