"""Build the run of a query over the lines up to a length of time before the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from tailrace._assembly import engine_of, formats_of, layout, sources_of
from tailrace._filters import ALL
from tailrace._requested import Requested
from tailrace._runtime.clock import Clock
from tailrace._runtime.counting import Counting
from tailrace._runtime.feeds import Feeds
from tailrace._runtime.intake import Intake
from tailrace._runtime.passes import FirstPass, Held, SecondIntake, TwoPasses
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._sources.text import File
from tailrace._specs import QuerySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace import _core
    from tailrace._filters import LineFilter
    from tailrace._runtime.rows import ChunkRows, RowOptions, Rows
    from tailrace._runtime.stage import Processor, StampedChunk
    from tailrace._snapshot import Snapshot
    from tailrace._sources import Source
    from tailrace._specs import SourceSpec

__all__ = ["newest_count_run", "newest_row_run"]

P = TypeVar("P", bound="Processor[Any, Any]")
T = TypeVar("T")


def newest_count_run(
    specs: Sequence[SourceSpec], query: QuerySpec, line_filter: LineFilter, *, jobs: int
) -> TwoPasses[Counting, Snapshot]:
    """
    Return the run that answers a query.

    Raises:
        ValueError: A source lacks a field, or the sources have it with different types.
    """
    clock, stop = Clock(), StopRequest()
    condition, start_us = line_filter.compiled(0), clock.now_us()
    count = sum(len(spec.names) for spec in specs)
    formats = formats_of(specs, query, condition)

    def engine(
        kept: _core.Filter | None,
        formats: Sequence[str | _core.Format] = formats,
        bounds_us: tuple[int, int] | None = None,
    ) -> _core.Engine:
        return engine_of(
            None, query, kept, formats, sources=count, start_us=start_us, bounds_us=bounds_us
        )

    # Until the range is known, this engine shows that the query is valid.
    counting = Counting(
        engine(condition), clock, stop, layout=layout(specs, query), windowed=False, sources=count
    )

    def begin(bounds_us: tuple[int, int] | None) -> None:
        counting.count_with(engine(line_filter.bounded(bounds_us), bounds_us=bounds_us))

    requested = Requested(
        tuple(query.fields),
        line_filter,
        needs_time=True,
        conditions=query.conditions,
        check_types=lambda log_format: engine(condition, [log_format]),
    )
    return _two_passes(
        counting,
        specs,
        line_filter,
        requested=requested,
        begin=begin,
        clock=clock,
        stop=stop,
        jobs=jobs,
    )


def newest_row_run(
    make: Callable[[ChunkRows], T],
    specs: Sequence[SourceSpec],
    line_filter: LineFilter,
    fields: list[str] | None,
    options: RowOptions,
    *,
    jobs: int,
) -> TwoPasses[Rows[T], T]:
    """Return the run that returns the fields of lines, in the form that *make* returns."""
    from tailrace._runtime.rows import ChunkRows, Rows, rejected_lines  # noqa: PLC0415 - as above

    names = [name for spec in specs for name in spec.names]
    # The first pass hands out the rejected lines.
    prefix_of, options = options.reject_prefix, options._replace(reject_prefix=None)
    rows = Rows(make, names, fields, line_filter.compiled(0), options)

    def begin(bounds_us: tuple[int, int] | None) -> None:
        rows.line_filter = line_filter.bounded(bounds_us)

    def rejected(taken: StampedChunk, before: int) -> T:
        name = names[taken.chunk.source]
        prefix = cast("Callable[[str], bytes]", prefix_of)(name)
        lines = rejected_lines(taken, prefix, before)
        return make(ChunkRows(b"", lines, cast("Any", taken.log_format), name, before))

    return _two_passes(
        rows,
        specs,
        line_filter,
        requested=Requested(tuple(fields or ()), line_filter, needs_time=True),
        begin=begin,
        clock=Clock(),
        stop=StopRequest(),
        jobs=jobs,
        reject=None if prefix_of is None else rejected,
    )


def _two_passes(
    processor: P,
    specs: Sequence[SourceSpec],
    line_filter: LineFilter,
    *,
    requested: Requested,
    begin: Callable[[tuple[int, int] | None], None],
    clock: Clock,
    stop: StopRequest,
    jobs: int,
    reject: Callable[[StampedChunk, int], T] | None = None,
) -> TwoPasses[P, T]:
    sources, origins = sources_of(specs, None, requested)
    first_sources = cast("list[Source]", sources)
    again = [one.again() if isinstance(one, File) else None for one in first_sources]
    any_time = ALL._replace(last_us=line_filter.last_us)
    condition, query = any_time.compiled(0), QuerySpec(by=())
    engine = engine_of(
        None,
        query,
        condition,
        formats_of(specs, query, condition),
        sources=len(sources),
        start_us=clock.now_us(),
    )
    first: FirstPass[T] = FirstPass(
        engine,
        len(sources),
        cast("int", line_filter.last_us),
        held=[number for number, one in enumerate(again) if one is None],
        reject=reject,
    )
    second_sources = [
        Held(first.held[number]) if one is None else one for number, one in enumerate(again)
    ]
    # Formats are detected again, from the same lines.
    _, second_origins = sources_of(specs, None, requested)
    second: Run[P, T] = Run(
        processor,
        Feeds(second_sources),
        SecondIntake(clock, second_origins, first),
        clock,
        stop,
        jobs=jobs,
    )
    return TwoPasses(
        first,
        Feeds(first_sources),
        Intake(clock, origins),
        clock,
        stop,
        second=second,
        begin=begin,
        jobs=jobs,
    )
