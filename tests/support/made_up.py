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
    """A monotonic clock that moves when the test moves it, and a wall clock that was set back."""

    now_us: int
    wall_readings: Iterator[int] = field(default_factory=lambda: itertools.repeat(0))
    begun_us: int | None = None

    def wall_ns(self) -> int:
        if self.begun_us is None:
            self.begun_us = self.now_us
            return self.now_us * 1_000
        return next(self.wall_readings)

    def monotonic_ns(self) -> int:
        # Since the machine was started, say.
        return (self.now_us - (self.begun_us or self.now_us) + 5_000_000) * 1_000
