"""Lines to a delta, a delta to the window: `absorb` by format, and `apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from logs import FORMATS, Log

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable

_SECOND_US = 1_000_000
_TOP = 10

# The format compiled for a run of lines, and where that run is.
Section = tuple[tuple[int, int], _core.Format]


def _engine(spec: str) -> _core.Engine:
    return _core.Engine(
        formats=[spec],
        by=["url"],
        aggregates=[("count", "count", [], 0.0, 0.0)],
        time="log",
        settings=_core.WindowSettings(
            lengths_us=[300 * _SECOND_US],
            slide_us=_SECOND_US,
            offset_us=0,
            lateness_us=0,
            limit=_TOP,
            order_by=None,
            ascending=False,
            track_ranks=False,
            max_keys=None,
        ),
        sources=1,
        start_us=0,
        hash_seed=1,
    )


def _sections(log: Log) -> list[Section]:
    """Return the lines by the header that names their columns; most formats have none."""
    compiled = _core.Format(log.spec)
    whole = (0, len(log.data))
    if not compiled.has_header:
        return [(whole, compiled)]
    sections, _ = compiled.sections(log.data, kind="lines", span=whole)
    return sections


def _absorb(engine: _core.Engine, log: Log, sections: list[Section]) -> list[_core.Delta]:
    return [
        engine.absorb(
            log.data,
            kind="lines",
            span=span,
            source=0,
            format=compiled,
            now_us=0,
            max_ahead_us=None,
        )
        for span, compiled in sections
    ]


def _check(engine: _core.Engine, log: Log) -> None:
    """A wrong answer has no speed."""
    engine.finish()
    answers: list[Any] = []
    while (answer := engine.next_snapshot()) is not None:
        answers.append(answer)
    assert engine.lines()["counted"] == len(log)
    rows = next(part for part in answers[-1] if isinstance(part, _core.Table)).to_dicts()
    assert [(row["url"], row["count"]) for row in rows] == log.top_urls(_TOP)


@pytest.mark.parametrize("name", FORMATS)
def bench_absorb(name: str, log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Parse lines, and count their URLs in the panes of a delta."""
    text = log(name)
    engine, sections = _engine(text.spec), _sections(text)
    for delta in _absorb(engine, text, sections):
        engine.apply(delta)
    _check(engine, text)

    fresh = _engine(text.spec)
    timed(lambda: _absorb(fresh, text, sections), group="absorb", lines=len(text))


def bench_apply(log: Callable[[str], Log], timed: Callable[..., None]) -> None:
    """Merge the delta of a chunk into the panes of the window."""
    text = log("combined")
    sections = _sections(text)

    def setup() -> tuple[tuple[_core.Engine, list[_core.Delta]], dict[str, Any]]:
        engine = _engine(text.spec)
        return (engine, _absorb(engine, text, sections)), {}

    def apply(engine: _core.Engine, deltas: list[_core.Delta]) -> None:
        for delta in deltas:
            engine.apply(delta)

    (engine, deltas), _ = setup()
    apply(engine, deltas)
    _check(engine, text)
    timed(apply, group="apply", lines=len(text), setup=setup)
