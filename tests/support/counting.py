"""Engines that count lines by one field, for tests of the layers below a query."""

from __future__ import annotations

from typing import Any

from tailrace import _core


def window_settings(
    window_us: tuple[int, int] | None, *, lateness_us: int = 0, limit: int | None = None
) -> _core.WindowSettings:
    length, slide = window_us or (None, None)
    return _core.WindowSettings(
        lengths_us=[length],
        slide_us=slide,
        offset_us=0,
        lateness_us=lateness_us,
        limit=limit,
        order_by=None,
        ascending=False,
        track_ranks=False,
        max_keys=None,
    )


def engine(
    *,
    by: str = "url",
    limit: int | None = None,
    window_us: tuple[int, int] | None = None,
    lateness_us: int = 0,
    **others: Any,  # noqa: ANN401 - as the core takes them
) -> _core.Engine:
    settings: dict[str, Any] = {
        "formats": ["combined"],
        "time": "log",
        "sources": 1,
        "start_us": 0,
        "hash_seed": 1,
        **others,
    }
    return _core.Engine(
        by=[by],
        aggregates=[("count", "count", [], 0.0, 0.0)],
        settings=window_settings(window_us, lateness_us=lateness_us, limit=limit),
        **settings,
    )
