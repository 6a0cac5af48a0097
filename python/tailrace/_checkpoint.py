"""Opens the checkpoint of a query, and checks that it is the same query's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tailrace import _core, _description
from tailrace._aggregates import aggregate_specs
from tailrace._description import encoded
from tailrace._durations import short
from tailrace._errors import CheckpointError
from tailrace._names import AUTO
from tailrace._runtime.clock import Clock
from tailrace._runtime.journal import JournalCommit, needs_names
from tailrace._sources.positions import Resumable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tailrace._filters import LineFilter
    from tailrace._runtime.clock import Silence
    from tailrace._runtime.stage import Origin
    from tailrace._sources import LiveSource, Source
    from tailrace._sources.flume import Flume
    from tailrace._specs import QuerySpec, SourceSpec, WindowSpec

__all__ = ["check_columns", "opened", "resume"]


def check_columns(specs: Sequence[SourceSpec]) -> None:
    """
    Check that the columns of every agent's lines are known without their first line.

    Raises:
        CheckpointError: They are not: the next run would take a line of the log for their names.
    """
    for spec in specs:
        if spec.address is None or spec.log_format == AUTO:
            continue
        if needs_names(_core.Format(spec.log_format)):
            raise CheckpointError(
                f"{spec.names[0]}: expected a format with known columns, found "
                f"{spec.log_format!r:.80}: the line that names them does not come again after a "
                "restart; name them, such as csv:time,url"
            )


def opened(
    path: str,
    window: WindowSpec | None,
    query: QuerySpec,
    line_filter: LineFilter,
    engine: _core.Engine,
    *,
    formats: Sequence[str | _core.Format],
) -> JournalCommit:
    """
    Open a checkpoint, or create one, and bring an engine into its state.

    Lines have one of the formats.

    Raises:
        CheckpointError: It is in use, damaged, of another query or version, or cannot be opened.
    """
    head = encoded(_described(window, query, line_filter, formats))
    journal = _description.opened(path, head, "query", "run that query")
    commit = JournalCommit(journal, engine, path, head)
    try:
        commit.restore()
    except BaseException:
        commit.close()
        raise
    return commit


def resume(
    journal: JournalCommit,
    sources: Iterable[Source | LiveSource],
    origins: Sequence[Origin],
    silence: Silence | None,
) -> Clock:
    """Let sources, formats and silence go on where they were, and return a clock that does."""
    if silence is not None:
        silence.listened_us = journal.restored.listened_us
    journal.keep_formats(origins)
    first = 0
    for source in sources:
        if isinstance(source, Resumable):
            source.resume(journal.positions)
        elif origins[first].has_senders:
            cast("Flume", source).expect(journal.senders(origins[first]))
        first += source.count
    return Clock(not_before_us=journal.restored.now_us)


def _described(
    window: WindowSpec | None,
    query: QuerySpec,
    line_filter: LineFilter,
    formats: Sequence[str | _core.Format],
) -> dict[str, Any]:
    """Return what must not change between two runs; limits of rows, outputs and threads may."""
    by = query.by or ()
    specs = aggregate_specs(query.aggregates, by, track_ranks=query.track_ranks)
    found: dict[str, Any] = {"kind": "query", "by": list(by), "aggregates": specs}
    fields = [*by, *(field for one in query.aggregates.values() for field in one.fields)]
    # Rounds have values without their types.
    found |= {f"type of {field}": _type(field, formats) for field in fields}
    if window is not None:
        lengths, slide_us, offset_us = window.windows
        found["window"] = ["all" if one is None else short(one) for one in lengths]
        found["slide"] = short(slide_us)
        found["offset"] = short(offset_us) if offset_us else "0s"
        found["time"] = window.time
        found["lateness"] = short(window.lateness_us) if window.lateness_us else "0s"
    else:
        found["window"] = None
    found["where"] = line_filter.where
    found["since"] = None if line_filter.since is None else str(line_filter.since)
    found["until"] = None if line_filter.until is None else str(line_filter.until)
    found["max_keys"] = query.max_keys
    found["max_key_bytes"] = query.max_key_bytes
    found["track_ranks"] = query.track_ranks
    return found


def _type(field: str, formats: Iterable[str | _core.Format]) -> str:
    """Return the type of a field, which is one for all formats."""
    kinds = {_core.field_kind(log_format, field) for log_format in formats}
    return "any" if "any" in kinds else str(kinds.pop())
