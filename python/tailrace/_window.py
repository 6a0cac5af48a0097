"""A window without a log and without a clock: keys, values and times in, snapshots out."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from tailrace import _core
from tailrace._aggregates import (
    Aggregate,
    aggregate_specs,
    check_aggregates,
    count,
    key_fields,
    ranked_by,
)
from tailrace._durations import Duration, micros, short
from tailrace._format import Batch
from tailrace._layout import layout_of
from tailrace._public import Public
from tailrace._scalars import check_flag, time_us
from tailrace._schedule import Length, schedule, window_settings
from tailrace._sizes import size_bytes
from tailrace._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import NoReturn, Self

    from tailrace._durable_window import DurableWindow
    from tailrace._types import ArrowScalar, ArrowStream, NumpyScalar

__all__ = ["Snapshots", "Window"]


# The field of aggregates that name none: the one column of values.
_VALUES = "values"


class Window(metaclass=Public):
    """
    A sliding window over events that a program adds, with aggregates per key.

    It reads no clock: it moves when you call `advance`. Windows end at multiples of *every* since
    the epoch, plus *offset*. Threads may share a window.

    Keys are text, bytes or integers of 64 bits, or None for the null key; all keys of a field have
    one type. UUIDs are keys as text. A window cannot be pickled or copied; `export` returns its
    content.

    With *checkpoint*, `commit` makes what was added durable, also against `kill -9` and a power
    cut, and a window that is created with the same directory goes on from there. It is a context
    manager, and releases the directory at the end.

    Args:
        length: The length of the window, or a list of lengths, as for `Query.window`.
        every: The slide, by default the shortest length.
        by: The key: the name of a field or a list of names.
        aggregates: The aggregates, by the names of their columns; by default
            `{"count": tr.count()}`.
        top: The number of rows in a snapshot; by default all keys.
        order_by: The name of the aggregate or the key field to rank rows by; by default the first
            aggregate.
        ascending: Rank the smallest first instead of the largest.
        track_ranks: Add the columns `rank` and `rank_change`, as for `Query.top`.
        offset: Where windows end, as for `Query.window`.
        lateness: How far the watermark is before the time passed to `advance`.
        max_keys: The number of keys that a window keeps at most. The others become one row,
            `(other)`, so that totals stay exact.
        max_key_bytes: The memory for keys, as for `Query.max_key_bytes`; by default no limit.
        late: `"keep"` keeps late events for `take_late`. They are counted as late in any case.
        checkpoint: The directory of a checkpoint, created if it does not exist. Of the arguments
            above, *top*, *order_by*, *ascending* and *late* may differ from those that it was
            written with.

    Raises:
        CheckpointError: The directory is in use, damaged, cannot be read or written, or was written
            for other arguments.
        ValueError: An argument is wrong.

    >>> window = tr.Window("60s", every="30s")
    >>> window
    <tailrace.Window of 1m every 30s: count() by key>
    >>> window.add(["a", "b", "a"], times=[0, 10, 40])
    >>> [snapshot.rows for snapshot in window.advance(30)]
    [[{'key': 'a', 'count': 1}, {'key': 'b', 'count': 1}]]
    >>> [snapshot.rows[0] for snapshot in window.finish()]
    [{'key': 'a', 'count': 2}, {'key': 'a', 'count': 1}]
    """

    def __init__(
        self,
        length: Length,
        every: Duration | None = None,
        *,
        by: str | Sequence[str] | None = "key",
        aggregates: Mapping[str, Aggregate] | None = None,
        top: int | None = None,
        order_by: str | None = None,
        ascending: bool = False,
        track_ranks: bool = False,
        offset: Duration = 0,
        lateness: Duration = "0s",
        max_keys: int | None = None,
        max_key_bytes: int | str | None = None,
        late: Literal["count", "keep"] = "count",
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(late, str) or late not in ("count", "keep"):
            raise ValueError(f"late: expected 'count' or 'keep', found {late!r:.80}")
        check_flag(track_ranks, "track_ranks")
        self._late: deque[dict[str, Any]] | None = deque() if late == "keep" else None
        self._by = key_fields(by)
        self._aggregates = check_aggregates(
            {"count": count()} if aggregates is None else aggregates
        )
        self._schedule = schedule(length, every, offset)
        ranking = ranked_by(order_by, self._aggregates, self._by)
        self._layout = layout_of(self._by, self._aggregates, ranking, ascending=ascending)
        specs = aggregate_specs(self._aggregates, self._by, _VALUES, track_ranks=track_ranks)
        lateness_us = micros(lateness, "lateness", least=0)
        if max_key_bytes is not None:
            max_key_bytes = size_bytes(max_key_bytes, "max_key_bytes")
        window = _core.Window(
            by=list(self._by),
            aggregates=specs,
            settings=window_settings(
                self._schedule,
                limit=top,
                order_by=ranking,
                ascending=ascending,
                track_ranks=track_ranks,
                lateness_us=lateness_us,
                max_keys=max_keys,
                max_key_bytes=max_key_bytes,
            ),
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )
        self._window: _core.Window | DurableWindow = window
        self._calls = 0
        names = [*self._by, *self._window.fields, "time"]
        if late == "keep" and len(set(names)) < len(names):
            raise ValueError(
                f"late: kept events have the columns {', '.join(names)}, and two have one name; "
                "rename one"
            )
        self._durable: DurableWindow | None = None
        if checkpoint is not None:
            from tailrace import _durable_window  # noqa: PLC0415 - only with a checkpoint
            from tailrace._description import directory_of  # noqa: PLC0415 - as above

            description = {
                "kind": "window",
                "length": self._schedule.lengths_us,
                "every": self._schedule.slide_us,
                "by": self._by,
                "aggregates": specs,
                "track_ranks": track_ranks,
                "offset": self._schedule.offset_us,
                "lateness": lateness_us,
                "max_keys": max_keys,
                "max_key_bytes": max_key_bytes,
            }
            directory = directory_of(checkpoint)
            self._durable = _durable_window.DurableWindow(window, directory, description)
            self._window = self._durable

    def __repr__(self) -> str:
        lengths = ("all" if one is None else short(one) for one in self._schedule.lengths_us)
        aggregates = ", ".join(
            str(one) if name == one.function else f"{name}={one}"
            for name, one in self._aggregates.items()
        )
        by = f" by {', '.join(self._by)}" if self._by else ""
        every = short(self._schedule.slide_us)
        return f"<tailrace.Window of {', '.join(lengths)} every {every}: {aggregates}{by}>"

    def add(self, keys: Any, values: Any = None, *, times: Any) -> None:  # noqa: ANN401 - columns
        """
        Add one event per key, at its time. This closes no pane.

        A column is a list, a NumPy array, a series of pandas or polars, an Arrow array, or another
        iterable with an order; columns are matched by position. Missing values are None, nulls,
        `pd.NA`, `NaT`, and in pandas NaN, which elsewhere is a value. Decimals with a
        fraction become the nearest float. An event whose pane is closed is late: it is counted as
        late, in no window.

        Args:
            keys: A column of keys. For a key of several fields, a column for each, by name or in
                order, or a list of tuples. Or a table with all columns: a data frame, an Arrow
                table, a dictionary of columns or a list of dictionaries, in which a missing name
                is null.
            values: A column of values. If aggregates name fields, columns by name or a table. Not
                needed if *keys* is a table that has them, or if only events are counted.
            times: A column of datetimes, `datetime64` or timestamps of pandas or Arrow, in UTC if
                they have no time zone, or of seconds since the epoch; all are rounded down to the
                microsecond. Or the name of such a column in *keys*. No time is too far ahead,
                because a window knows no clock.

        Raises:
            TypeError: A column has values of another type, or of several types, or no order.
            ValueError: A column is missing or too short, a value is out of range, a time is
                missing, or the indexes of pandas columns differ.

        >>> window = tr.Window("60s", aggregates={"sum": tr.sum()})
        >>> window.add(["a", "b", "a"], [1, 2, None], times=[0, 10, 20.5])
        >>> window.snapshot().rows
        [{'key': 'b', 'sum': 2}, {'key': 'a', 'sum': 1}]
        """
        from tailrace import _columns  # noqa: PLC0415 - the command adds no columns

        fields = self._window.fields
        if isinstance(times, str):
            keys = _columns.streamed(keys)
            times = _columns.table_columns(keys, [times], "times")[0]
        key_columns = _columns.columns(keys, self._by, "keys") if self._by else []
        if not fields:
            value_columns = []
        elif values is None:
            if not _columns.is_table(keys):
                raise ValueError(f"values: missing; the aggregates need {', '.join(fields)}")
            value_columns = _columns.table_columns(keys, fields, "values")
        else:
            value_columns = _columns.columns(values, fields, "values")
        _columns.check_indexes(key_columns, value_columns, times)
        key_columns = [_columns.reusable(column, "keys") for column in key_columns]
        value_columns = [_columns.reusable(column, "values") for column in value_columns]
        times = _columns.reusable(times, "times")
        late = self._window.add(
            [_columns.core_column(column, "keys") for column in key_columns],
            [_columns.core_column(column, "values") for column in value_columns],
            _columns.core_column(times, "times"),
        )
        if self._late is not None:
            names = [*self._by, *fields, "time"]
            all_columns = [*key_columns, *value_columns, times]
            for row in late:
                event = (_columns.value(column, row) for column in all_columns)
                self._late.append(dict(zip(names, event, strict=True)))

    def take_late(self) -> list[dict[str, Any]]:
        """
        Return the late events since the last call, each with its key, values and time.

        >>> window = tr.Window("60s", late="keep")
        >>> _ = window.advance(60)
        >>> window.add(["a", "b"], times=[59, 61])
        >>> window.take_late()
        [{'key': 'a', 'time': 59}]
        """
        if self._late is None:
            raise ValueError(
                "take_late: late events are not kept; create the window with late='keep'"
            )
        return [self._late.popleft() for _ in range(len(self._late))]

    def advance(self, now: datetime | float | NumpyScalar | ArrowScalar) -> Snapshots:
        """
        Move the watermark to *now* minus lateness and return the windows that ended by then.

        The watermark moves at once. Snapshots are computed when you iterate over them; those that
        you have not reached at the next call of `advance` or `finish` are dropped.

        Args:
            now: A datetime, also of NumPy, pandas or Arrow, in UTC if it has no time zone, or
                seconds since the epoch; rounded down to the microsecond.

        Raises:
            TypeError: It is not a time.
            ValueError: It is missing (NaN, `NaT`) or out of range.

        >>> window = tr.Window("60s")
        >>> window.add(["a"], times=[0])
        >>> [snapshot.total for snapshot in window.advance(60)]
        [1]
        """
        self._calls += 1
        self._window.advance(time_us(now, "now", "a datetime or seconds since the epoch"))
        return Snapshots(self, self._calls)

    def finish(self) -> Snapshots:
        """Close all panes and return the windows that have not ended yet and hold an event."""
        self._calls += 1
        self._window.finish()
        return Snapshots(self, self._calls)

    def snapshot(self, lookback: int = 0) -> Snapshot:
        """
        Return the window that ends with the newest open pane, as it is now.

        It shows all keys of open panes; `max_keys` applies to closed ones. In a window of several
        lengths, *lookback* is the index of the length.
        """
        lengths = len(self._schedule.lengths_us)
        if not isinstance(lookback, int):
            raise TypeError(f"lookback: expected the index of a length, found {lookback!r:.80}")
        if not 0 <= lookback < lengths:
            expected = (
                "0, because this window has one length"
                if lengths == 1
                else f"the index of a length, from 0 to {lengths - 1}"
            )
            raise ValueError(f"lookback: expected {expected}, found {lookback}")
        return Snapshot._of(self._window.snapshot(lookback), self._layout)

    def export(self) -> bytes:
        """
        Return the content of the window, open panes too, for `merge` into another.

        The bytes hold a version and the settings of the window; equal contents are equal bytes.

        >>> one, other = tr.Window("60s"), tr.Window("60s")
        >>> one.add(["a", "b"], times=[0, 0])
        >>> other.add(["a"], times=[0])
        >>> other.merge(one.export())
        >>> other.snapshot().rows
        [{'key': 'a', 'count': 2}, {'key': 'b', 'count': 1}]
        """
        return self._window.export()

    def export_table(self) -> Batch:
        """
        Return the content of the window as Arrow columns, a row for each key and pane.

        The columns are `pane` (its start), the key fields, `count`, and for each aggregate its
        partial, as `merge` takes it. The metadata of the schema holds the settings of the window.
        """
        return Batch(self._window.export_table())

    def merge(self, other: Window | bytes | ArrowStream) -> None:
        """
        Add the content of another window with the same panes, keys and aggregates.

        Merging is commutative and associative: the snapshots equal those of one window to which
        all events were added, sums of floats included (with limited keys, only totals are equal).
        Merge into a window before you call its `advance`: events for panes that it has closed are
        late. Its first snapshot is for the newest end for which any of the merged windows has
        produced a snapshot.

        Args:
            other: A window, the result of `export`, or the table of `export_table`, which may have
                been written to a file and read back with its metadata. Its lengths and the names
                of its aggregates may differ.

        Raises:
            TypeError: It is none of these.
            ValueError: Its panes, keys or aggregates differ, or it is corrupt; nothing is added.
        """
        if isinstance(other, Window):
            other = other.export()
        if isinstance(other, bytes | bytearray | memoryview):
            self._window.merge(bytes(other))
        elif hasattr(other, "__arrow_c_stream__"):
            self._window.merge_table(other)
        else:
            raise TypeError(
                f"merge: expected a window, the result of export or a table, found {other!r:.80}"
            )

    def commit(self, position: bytes | None = None) -> None:
        """
        Make durable what was added, merged, advanced and finished since the last commit.

        Without it nothing of that is promised: after a crash the window is as after the last
        commit. The position is durable together with the content, so a program that reads a file or
        a queue knows from where to go on.

        Args:
            position: Where the caller has arrived in its input, at most 1 MiB; without it, the last
                position stays.

        Raises:
            CheckpointError: Nothing of it is durable, for example because the disk is full; then a
                commit after space was freed makes all of it durable. After other errors of the disk
                the window is closed.
            ValueError: The window has no checkpoint or is closed, or the position is too long.
            TypeError: The position is not bytes.

        >>> with tr.Window("60s", checkpoint="state") as window:
        ...     window.add(["a", "b"], times=[0, 1])
        ...     window.commit(position=b"2 lines")
        >>> with tr.Window("60s", checkpoint="state") as window:
        ...     window.position, window.snapshot().total
        (b'2 lines', 2)
        """
        if self._durable is None:
            raise ValueError(
                "commit: needs a checkpoint; create the window with checkpoint=DIR, such as "
                'tr.Window("60s", checkpoint="state")'
            )
        from tailrace import _durable_window  # noqa: PLC0415 - loaded already

        self._durable.commit(_durable_window.check_position(position))

    @property
    def position(self) -> bytes | None:
        """The position of the last commit that had one, also of an earlier process; or None."""
        return None if self._durable is None else self._durable.position

    def close(self) -> None:
        """
        Release the directory of the checkpoint, which garbage collection does as well.

        What was added since the last commit is not durable.
        """
        if self._durable is not None:
            self._durable.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Window cannot be pickled or copied; export() returns its content as bytes, which "
            "merge() adds to another window"
        )

    def _next(self, call: int) -> Snapshot | None:
        answer = self._window.next_snapshot() if call == self._calls else None
        return None if answer is None else Snapshot._of(answer, self._layout)


class Snapshots(metaclass=Public):
    """
    An iterator over the windows that have ended, oldest first; each is computed when reached.

    >>> window = tr.Window("60s")
    >>> window.add(["a"], times=[0])
    >>> [snapshot.total for snapshot in window.advance(60)]
    [1]
    """

    __signature__ = "()"

    def __init__(self, window: Window, call: int) -> None:
        self._window = window
        self._call = call

    def __iter__(self) -> Iterator[Snapshot]:
        return self

    def __next__(self) -> Snapshot:
        """Return the next snapshot."""
        snapshot = self._window._next(self._call)
        if snapshot is None:
            raise StopIteration
        return snapshot
