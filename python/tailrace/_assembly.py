"""Build the run of a query."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from tailrace import _core
from tailrace._aggregates import aggregate_specs, ranked_by
from tailrace._layout import layout_of
from tailrace._names import AUTO
from tailrace._requested import Requested
from tailrace._runtime.clock import Clock, Silence
from tailrace._runtime.counting import Counting
from tailrace._runtime.feeds import Feeds
from tailrace._runtime.intake import Intake
from tailrace._runtime.pump import StopRequest
from tailrace._runtime.run import Run
from tailrace._runtime.stage import Origin
from tailrace._runtime.view import View
from tailrace._schedule import window_settings
from tailrace._sources import as_live, finite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from tailrace._detection import Detector
    from tailrace._filters import LineFilter
    from tailrace._runtime.commit import Commit
    from tailrace._runtime.live import LiveFeeds
    from tailrace._runtime.resent import Resent
    from tailrace._runtime.rows import ChunkRows, RowOptions, Rows
    from tailrace._snapshot import Snapshot
    from tailrace._sources import LiveSource, Source
    from tailrace._specs import QuerySpec, SourceSpec, WindowSpec
    from tailrace._types import Layout

__all__ = ["count_run", "engine_of", "formats_of", "layout", "row_run", "sources_of"]

T = TypeVar("T")

# How far ahead of the clock a time may be by default.
_MAX_AHEAD_US = 3_600 * 10**6

_SECOND_US = 10**6

# The memory for keys by default, of queries that can run for ever.
_MAX_KEY_BYTES = 256 << 20

# How often rows that were written are flushed.
_ROW_INTERVAL_US = 200_000


def count_run(
    specs: Sequence[SourceSpec],
    window: WindowSpec | None,
    query: QuerySpec,
    line_filter: LineFilter,
    *,
    jobs: int,
    commit: Commit | None = None,
    checkpoint: str | None = None,
) -> Run[Counting, Snapshot]:
    """
    Return the run that answers a query, and continues from the state of a checkpoint.

    Raises:
        CheckpointError: The checkpoint is in use, damaged, or for another query.
        ValueError: A source lacks a field, or the sources have it with different types.
    """
    key_limit = None
    if window is not None and query.max_key_bytes is None and any(one.is_endless for one in specs):
        key_limit = _MAX_KEY_BYTES
        query = query._replace(max_key_bytes=key_limit)
    stop, start_us = StopRequest(), Clock().now_us()
    condition = line_filter.compiled(start_us)
    is_by_log = window is not None and window.time == "log"

    def engine(formats: Sequence[str | _core.Format], sources: int = 0) -> _core.Engine:
        return engine_of(window, query, condition, formats, sources=sources, start_us=start_us)

    requested = Requested(
        tuple(query.fields),
        line_filter,
        is_by_log or line_filter.has_range,
        query.conditions,
        lambda log_format: engine([log_format]),
    )
    formats = formats_of(specs, query, condition)
    journal = None
    if checkpoint is not None:
        from tailrace._checkpoint import check_columns, opened, resume  # noqa: PLC0415 - loaded only with one

        check_columns(specs)
        # Its sources are those of the journal, and then those that are new.
        counted = engine(formats)
        commit = journal = opened(checkpoint, window, query, line_filter, counted, formats=formats)
    sources, origins = sources_of(specs, window, requested)
    feeds = _feeds(sources)
    silence = _silence(window, origins)
    if journal is None:
        clock = Clock()
        counted = engine(formats, feeds.count)
        for number, origin in enumerate(origins):
            if origin.is_live:
                counted.listen_to(number)
    else:
        clock = resume(journal, sources, origins, silence)
    intake = Intake(clock, origins)
    counting = Counting(
        counted,
        clock,
        stop,
        layout=layout(specs, query),
        windowed=window is not None,
        sources=feeds.count,
        silence=silence,
        shared={number: one.name for number, one in enumerate(origins) if one.is_live},
        view=None if window is None else _view(counted, clock, window),
        key_limit=key_limit,
    )
    if journal is not None:
        numbers = journal.begin(origins, intake, silence, start_us)
        counting.resume(
            numbers,
            journal.save,
            journal.listened_us,
            by_arrival=window is not None and window.time == "arrival",
        )
    counting.has_senders = any(origin.has_senders for origin in origins)
    interval_us = _SECOND_US if window is None else window.interval_us
    resent = _resent(origins, clock, interval_us)
    if journal is not None and resent is not None:
        journal.remember(resent)
    return Run(
        counting,
        feeds,
        intake,
        clock,
        stop,
        commit=commit,
        silence=silence,
        resent=resent,
        jobs=jobs,
        batch_interval_us=interval_us,
    )


def layout(specs: Sequence[SourceSpec], query: QuerySpec) -> Layout:
    """Return how the answers of a query are shown, in the zone of all sources if they have one."""
    by = query.by or ()
    ranking = ranked_by(query.order_by, query.aggregates, by)
    zones = {spec.tz for spec in specs}
    tz = zones.pop() if len(zones) == 1 else None
    shown = layout_of(by, query.aggregates, ranking, ascending=query.ascending)
    return shown._replace(tz=tz)


def formats_of(
    specs: Sequence[SourceSpec], query: QuerySpec, condition: _core.Filter | None
) -> list[str]:
    """Return the formats that the lines of the sources may match."""
    parts = (condition, *(part.compiled(0) for part in query.conditions))
    conditions = [one for one in parts if one is not None]
    return [name for spec in specs for name in spec.formats(query.fields, *conditions)]


def engine_of(
    window: WindowSpec | None,
    query: QuerySpec,
    condition: _core.Filter | None,
    formats: Sequence[str | _core.Format],
    *,
    sources: int = 0,
    start_us: int,
    bounds_us: tuple[int, int] | None = None,
) -> _core.Engine:
    """
    Return the engine of a query; without a window its answer may have fixed bounds.

    Raises:
        ValueError: A format lacks a field, or the formats have it with different types.
    """
    by = query.by or ()
    return _core.Engine(
        formats=formats,
        by=list(by),
        aggregates=aggregate_specs(query.aggregates, by, track_ranks=query.track_ranks),
        time="log" if window is None else window.time,
        settings=window_settings(
            None if window is None else window.windows,
            limit=query.limit,
            order_by=ranked_by(query.order_by, query.aggregates, by),
            ascending=query.ascending,
            track_ranks=query.track_ranks,
            lateness_us=0 if window is None else window.lateness_us,
            max_keys=query.max_keys,
            max_key_bytes=query.max_key_bytes,
            bounds_us=bounds_us,
        ),
        sources=sources,
        start_us=start_us,
        # Clients choose the keys. With a known seed they could choose keys that collide.
        hash_seed=int.from_bytes(os.urandom(8), "little"),
        filter=condition,
    )


def _view(engine: _core.Engine, clock: Clock, window: WindowSpec) -> View:
    return View(engine, clock, window.windows, by_arrival=window.time == "arrival")


def _silence(window: WindowSpec | None, origins: Sequence[Origin]) -> Silence | None:
    if window is None or window.idle_timeout_us is None:
        return None
    is_live = any(origin.is_live for origin in origins)
    return Silence(window.idle_timeout_us) if is_live else None


def _resent(origins: Sequence[Origin], clock: Clock, interval_us: int) -> Resent | None:
    times = [origin.resent_us for origin in origins if origin.resent_us is not None]
    if not times:
        return None
    from tailrace._runtime.resent import Resent  # noqa: PLC0415 - only for senders

    return Resent(interval_us, clock.steady_us(), max(times))


def row_run(
    make: Callable[[ChunkRows], T],
    specs: Sequence[SourceSpec],
    line_filter: LineFilter,
    fields: list[str] | None,
    options: RowOptions,
    *,
    jobs: int,
) -> Run[Rows[T], T]:
    """Return the run that returns the fields of lines, in the form that *make* returns."""
    from tailrace._runtime.rows import Rows  # noqa: PLC0415 - counting needs none of it

    clock, stop = Clock(), StopRequest()
    condition = line_filter.compiled(clock.now_us())
    requested = Requested(tuple(fields or ()), line_filter, line_filter.has_range)
    sources, origins = sources_of(specs, None, requested)
    rows = Rows(make, [origin.name for origin in origins], fields, condition, options)
    rows.has_senders = any(origin.has_senders for origin in origins)
    return Run(
        rows,
        _feeds(sources),
        Intake(clock, origins),
        clock,
        stop,
        resent=_resent(origins, clock, _ROW_INTERVAL_US),
        # The number of a rejected line is known only after the lines before it are counted.
        jobs=jobs if options.reject_prefix is None else 1,
        batch_interval_us=_ROW_INTERVAL_US,
    )


def sources_of(
    specs: Sequence[SourceSpec],
    window: WindowSpec | None,
    requested: Requested,
) -> tuple[list[Source | LiveSource], list[Origin]]:
    """Return all sources, and the origin of each."""
    sources: list[Source | LiveSource] = []
    origins: list[Origin] = []
    given_us = None if window is None else window.max_ahead_us
    max_ahead_us = None if window is None else _MAX_AHEAD_US
    # Beside a live source, a pipe without data must not block the others.
    waited_for = window is not None or any(spec.is_live for spec in specs)
    # The number of files that are open at once; they share the memory for chunks.
    sharing = sum(len(spec.paths) for spec in specs) if waited_for else 1
    for spec in specs:
        is_of_agents = spec.is_of_agents
        behind_us = None if window is None else window.most_behind_us(is_of_agents=is_of_agents)
        header = None if spec.sender_header is None else spec.sender_header.encode()
        zone = None if spec.tz is None else _zone_table(spec.tz)
        lookups = _lookups(spec, requested)
        for source, names, is_replay in spec.sources(
            window, waited_for=waited_for, sharing=sharing
        ):
            sources.append(source)
            is_live = as_live(source) is not None
            for name in names:
                log_format = spec.log_format
                known = _detector() if log_format == AUTO else log_format
                ahead_us = None if is_replay else max_ahead_us
                ahead_us = ahead_us if given_us is None else given_us
                origins.append(
                    Origin(
                        name,
                        known,
                        ahead_us,
                        max_behind_us=behind_us if is_live else None,
                        sender_header=header,
                        is_live=is_live,
                        zone=zone,
                        lookups=lookups,
                        requested=requested,
                        has_senders=is_of_agents,
                        resent_us=spec.resent_us,
                    )
                )
    return sources, origins


def _feeds(sources: Sequence[Source | LiveSource]) -> Feeds | LiveFeeds:
    readable = [part for source in sources if (part := finite(source)) is not None]
    if len(readable) == len(sources):
        return Feeds(readable)
    from tailrace._runtime.live import LiveFeeds  # noqa: PLC0415 - imports asyncio

    return LiveFeeds(sources)


def _zone_table(tz: tzinfo) -> _core.Zone:
    from tailrace._zones import zone_table  # noqa: PLC0415 - loaded only with a zone

    return zone_table(tz)


def _lookups(spec: SourceSpec, requested: Requested) -> Sequence[_core.Lookups]:
    if not any(":" in name for name in requested.names):
        return ()
    from tailrace._lookups import data_for  # noqa: PLC0415 - loaded only for derived values

    return data_for(requested.names, spec.log_format, spec.geoip)


def _detector() -> Detector:
    from tailrace._detection import Detector  # noqa: PLC0415 - loaded only to detect

    return Detector()
