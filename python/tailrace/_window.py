"""A window without a log and without a clock: keys, values and times in, snapshots out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from tailrace import _core
from tailrace._aggregates import (
    Aggregate,
    asks,
    checked_aggregates,
    count,
    keys_of,
    place_of,
)
from tailrace._durations import Duration, micros
from tailrace._format import Batch
from tailrace._shape import Length, shape, slides
from tailrace._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._types import ArrowStream

__all__ = ["Snapshots", "Window"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# As far as times in the core go.
_MAX_SECONDS = 9 * 10**9


class Window:
    """
    Answers of the last *length*, *every* so often, for each key.

    Nothing here reads a clock: the window moves when `advance` says so. Windows end at multiples
    of *every* since the epoch, plus *offset*. Threads may share it.

    Keys are text, bytes or integers, or None for the null key; keys of one field are of one type.

    Args:
        length: How long the window is: `"300s"`, a `timedelta`, or seconds. A list of several
            gives an answer of each from one store; None is everything since the start.
        every: How often it is answered, by default once the shortest length. It divides them.
        by: The fields of keys, where `add` is given more than a column of them.
        aggregates: What is asked of each key, by the names of answers; by default
            `{"count": tr.count()}`.
        top: How many rows a snapshot has at most; every key by default.
        order_by: By which aggregate rows are ranked; by default the first.
        ascending: Whether the least come first instead of the greatest.
        changes: Whether rows say their `rank`, from 1, and how far they have moved up since the
            last answer (null where the key was in none), and snapshots which keys are `gone`.
        offset: How far from multiples of *every* windows end: days that begin at 05:00 UTC are
            windows of a day with an offset of `"5h"`.
        lateness: How far the watermark stays behind what `advance` is told.
        max_keys: How many keys a window holds at most; what is over it is one row, `(other)`, so
            that totals stay exact.
        late: `"keep"` to have late events kept for `take_late`; they are counted in any case.

    Raises:
        ValueError: A duration is none, *every* does not divide a length, a number is below one,
            or there is no such aggregate to rank by.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", every="30s")
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
        changes: bool = False,
        offset: Duration = 0,
        lateness: Duration = "0s",
        max_keys: int | None = None,
        late: Literal["count", "keep"] = "count",
    ) -> None:
        if late not in ("count", "keep"):
            raise ValueError(f"late: {late!r} is none of count and keep")
        self._late: deque[dict[str, Any]] | None = deque() if late == "keep" else None
        self._by = keys_of(by)
        asked = checked_aggregates({"count": count()} if aggregates is None else aggregates)
        windows = slides(length, every, offset)
        self._window = _core.Window(
            by=list(self._by),
            aggregates=asks(asked, self._by, _VALUES, changes=changes),
            settings=shape(
                windows,
                limit=top,
                order_by=place_of(order_by, asked),
                ascending=ascending,
                changes=changes,
                lateness_us=micros(lateness, "lateness", least=0),
                max_keys=max_keys,
            ),
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )
        self._lengths = len(windows.lengths_us)
        self._calls = 0
        names = [*self._by, *self._window.fields, "time"]
        if late == "keep" and len(set(names)) < len(names):
            raise ValueError(f"late: of {', '.join(names)} two are alike; name them otherwise")

    def add(self, keys: Any, values: Any = None, *, times: Any) -> None:  # noqa: ANN401 - columns
        """
        Add an event for each key at its time; takes effect at once and closes nothing.

        A column is a list, a NumPy array, a series of pandas or polars, an Arrow array, or another
        column. An event whose pane is closed already is counted as late, in no window.

        Args:
            keys: A column; of keys of several fields a column each, by name or in order; or a
                table that has all columns: a data frame, an Arrow table, a dictionary of columns
                or a list of dictionaries.
            values: A column; where aggregates name fields, columns by name or a table. Not needed
                where *keys* is a table with all of them, or only events are counted.
            times: As many aware datetimes, an array of `datetime64`, Arrow timestamps (without a
                zone these two are UTC), or seconds since the epoch; or the name of such a column
                of *keys*. Nothing here knows what time it is, so none is too far ahead.

        Raises:
            TypeError: Keys, values or times of another type, or of several types.
            ValueError: Not as many of one as of the other, a column that is missing, a datetime
                without a zone, or out of range.
        """
        fields = self._window.fields
        if isinstance(times, str):
            times = _of_table(keys, [times], "times")[0]
        key_columns = _columns(keys, self._by, "keys") if self._by else []
        if not fields:
            value_columns = []
        elif values is None:
            if not _is_table(keys):
                raise ValueError(f"values: a column is wanted for {', '.join(fields)}")
            value_columns = _of_table(keys, fields, "values")
        else:
            value_columns = _columns(values, fields, "values")
        key_columns = [_at_hand(column) for column in key_columns]
        value_columns = [_at_hand(column) for column in value_columns]
        times = _at_hand(times)
        late = self._window.add(
            [_column(column, "keys") for column in key_columns],
            [_column(column, "values") for column in value_columns],
            _times(times),
        )
        if self._late is not None:
            names = [*self._by, *fields, "time"]
            columns = [*key_columns, *value_columns, times]
            for row in late:
                values_there = (_at(column, row) for column in columns)
                self._late.append(dict(zip(names, values_there, strict=True)))

    def take_late(self) -> list[dict[str, Any]]:
        """
        Return the late events since the last call, each with its key, values and time.

        >>> import tailrace as tr
        >>> window = tr.Window("60s", late="keep")
        >>> _ = window.advance(60)
        >>> window.add(["a", "b"], times=[59, 61])
        >>> window.take_late()
        [{'key': 'a', 'time': 59}]

        Raises:
            ValueError: They are not kept.
        """
        if self._late is None:
            raise ValueError("late events are not kept; make the window with late='keep'")
        return [self._late.popleft() for _ in range(len(self._late))]

    def advance(self, now: datetime | float) -> Snapshots:
        """
        Move the watermark to *now* minus lateness, and return the windows that ended by then.

        The watermark moves at once. What is not iterated is not computed, and is gone with the
        next call of `advance` or `finish`.
        """
        self._calls += 1
        self._window.advance(_moment(now))
        return Snapshots(self, self._calls)

    def finish(self) -> Snapshots:
        """Close everything and return every later window that still holds an event."""
        self._calls += 1
        self._window.finish()
        return Snapshots(self, self._calls)

    def snapshot(self, lookback: int = 0) -> Snapshot:
        """
        Return the window that ends with the newest open pane, as it stands.

        It shows all keys of open panes; `max_keys` is about those that are closed.

        Args:
            lookback: Of several lengths, which one, from 0.

        Raises:
            ValueError: There are not so many lengths.
        """
        if not 0 <= lookback < self._lengths:
            raise ValueError(f"lookback: {lookback} is none of 0 to {self._lengths - 1}")
        return Snapshot.of(self._window.snapshot(lookback), self._by)

    def export(self) -> bytes:
        """
        Return what the window holds: its panes, open ones too, for `merge` of another.

        The bytes have a version and tell what the window is; that is the same for equal contents.

        >>> import tailrace as tr
        >>> parts = []
        >>> for keys in (["a", "b"], ["a"]):
        ...     window = tr.Window("60s")
        ...     window.add(keys, times=[0] * len(keys))
        ...     parts.append(window.export())
        >>> whole = tr.Window("60s")
        >>> for part in parts:
        ...     whole.merge(part)
        >>> whole.snapshot().rows
        [{'key': 'a', 'count': 2}, {'key': 'b', 'count': 1}]
        """
        return self._window.export()

    def export_table(self) -> Batch:
        """
        Return what the window holds as columns that speak Arrow, a row for each key and pane.

        These are `pane`, where it begins, the fields of keys, `count`, and for each aggregate its
        part as `merge` takes it; what the window is stands in the metadata of the schema.
        """
        return Batch(self._window.export_table())

    def merge(self, other: Window | bytes | ArrowStream) -> None:
        """
        Add what another window holds that looks at the same.

        In which order several are added makes no odds: the answers are those of one window that
        saw all events, floats included (under `max_keys` that is promised of totals alone). Add
        them to a window that has not moved yet: what comes for panes that it has closed is late,
        and the first end that it answers is the last one that any of them has answered, for the
        panes before that are gone from there.

        Args:
            other: A window, what `export` returned, or the table of `export_table`, which may
                have been to a file and back, with its metadata. Its panes have to be as long and
                its keys and aggregates' fields the same; lengths and names may differ.

        Raises:
            TypeError: It is none of these.
            ValueError: It is of another shape or of other aggregates, or broken; nothing is added.
        """
        if isinstance(other, Window):
            other = other.export()
        if isinstance(other, bytes | bytearray | memoryview):
            self._window.merge(bytes(other))
        elif hasattr(other, "__arrow_c_stream__"):
            self._window.merge_table(other)
        else:
            wanted = "a window, what export returned, or a table"
            raise TypeError(f"merge: {wanted} is wanted, not {other!r:.80}")

    def _next(self, call: int) -> Snapshot | None:
        answer = self._window.next_snapshot() if call == self._calls else None
        return None if answer is None else Snapshot.of(answer, self._by)


class Snapshots:
    """
    The windows whose end was reached, oldest first; each is computed when it is asked for.

    >>> import tailrace as tr
    >>> window = tr.Window("60s")
    >>> window.add(["a"], times=[0])
    >>> [snapshot.total for snapshot in window.advance(60)]
    [1]
    """

    def __init__(self, window: Window, call: int) -> None:
        self._window = window
        self._call = call

    def __iter__(self) -> Iterator[Snapshot]:
        return self

    def __next__(self) -> Snapshot:
        """Return the next one."""
        snapshot = self._window._next(self._call)  # noqa: SLF001 - of this module
        if snapshot is None:
            raise StopIteration
        return snapshot


# The name of the column of values, where it needs none.
_VALUES = "values"

# Of NumPy's kinds of values: what the core takes as whole numbers and as floats.
_NUMBERS = {"i": "int64", "u": "int64", "b": "int64", "f": "float64"}

_MOST = 2**63 - 1

# From 1970, as far as times go and a year more.
_MOST_YEARS = 286


def _is_table(given: Any) -> bool:  # noqa: ANN401 - whatever holds columns
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return True
    if isinstance(given, list):
        return bool(given) and isinstance(given[0], Mapping)
    # Of arrays only a table has a stream and no length of values.
    return hasattr(given, "column_names") or isinstance(given, _core.Table | Batch)


def _columns(given: Any, names: Sequence[str], what: str) -> list[Any]:  # noqa: ANN401 - as above
    """Return the columns of these names, from a table or in order."""
    if _is_table(given):
        return _of_table(given, names, what)
    if len(names) == 1:
        return [given]
    given = given if isinstance(given, list | tuple) else list(given)
    if given and all(isinstance(row, tuple) and len(row) == len(names) for row in given):
        return [list(column) for column in zip(*given, strict=True)]
    # In order, each a column of its own; a list of as many texts is one column.
    if len(given) == len(names) and not any(_is_plain(column) for column in given):
        return list(given)
    raise ValueError(
        f"{what}: {len(names)} columns are wanted, for {', '.join(names)}: by name, in a table, "
        "in order in a list, or a list of tuples"
    )


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(value, str | bytes | int | float | tuple | None)


def _of_table(table: Any, names: Sequence[str], what: str) -> list[Any]:  # noqa: ANN401 - as above
    if not _is_table(table):
        raise TypeError(f"{what}: {names[0]!r} names a column, but no table is given")
    if isinstance(table, list):
        for number, row in enumerate(table):
            missing = [name for name in names if not isinstance(row, Mapping) or name not in row]
            if missing:
                raise ValueError(f"{what}: row {number} has no {missing[0]!r}")
        return [[row[name] for row in table] for name in names]
    if isinstance(table, Batch | _core.Table):
        return [table.select([name]) for name in names]
    known = getattr(table, "column_names", None) or getattr(table, "columns", None)
    known = table.keys() if isinstance(table, Mapping) else known
    for name in names:
        if known is not None and list(known).count(name) != 1:
            times = "no" if name not in known else "more than one"
            raise ValueError(f"{what}: there is {times} column {name!r}")
    return [table[name] for name in names]


def _at_hand(values: Any) -> Any:  # noqa: ANN401 - as above
    """Make a list of what can be walked through only once."""
    is_column = hasattr(values, "__getitem__") or hasattr(values, "__arrow_c_array__")
    is_column = is_column or hasattr(values, "__arrow_c_stream__")
    return list(values) if hasattr(values, "__iter__") and not is_column else values


def _column(values: Any, what: str) -> Any:  # noqa: ANN401 - whatever holds a column
    """Return a column as the core takes it: a list, a buffer of numbers, or what speaks Arrow."""
    speaks_arrow = hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")
    if isinstance(values, str | bytes) or not (speaks_arrow or hasattr(values, "__iter__")):
        raise TypeError(f"{what}: a column is wanted, such as a list, not {values!r:.80}")
    if _is_of_pandas(values):
        return _of_pandas(values, what)
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind is not None and not speaks_arrow and not hasattr(values, "mask"):
        return _of_numpy(values, kind, what)
    if speaks_arrow:
        return values
    for method in ("tolist", "to_pylist", "to_list"):
        convert = getattr(values, method, None)
        if convert is not None:
            return list(convert())
    return list(values)


def _of_numpy(array: Any, kind: str, what: str) -> Any:  # noqa: ANN401 - an array
    if array.ndim != 1:
        raise ValueError(f"{what}: a column is wanted, not {array.ndim} dimensions")
    if kind == "M":
        years = array.astype("datetime64[Y]").astype("int64")
        # What is no time is not equal to itself.
        if ((abs(years) > _MOST_YEARS) & (array == array)).any():  # noqa: PLR0124
            raise ValueError(f"{what}: a time is out of range (years 1684 to 2255)")
        return (array.astype("datetime64[us]").astype("int64"),)
    if kind not in _NUMBERS or not array.size:
        return array.tolist()
    if kind == "u" and int(array.max()) > _MOST:
        raise ValueError(f"{what}: a number is out of range (64 bits)")
    return array.astype(_NUMBERS[kind])


def _is_of_pandas(values: Any) -> bool:  # noqa: ANN401 - as above
    # Its way to Arrow needs pyarrow, which may not be there.
    return type(values).__module__.partition(".")[0] == "pandas" and hasattr(values, "isna")


def _of_pandas(values: Any, what: str) -> Any:  # noqa: ANN401 - a series
    """Return a series as a column; what it calls missing is null, but NaN among floats is NaN."""
    if type(values.dtype).__module__.partition(".")[0] == "numpy" and values.dtype.kind != "O":
        return _of_numpy(values.to_numpy(), values.dtype.kind, what)
    pairs = zip(values.tolist(), values.isna().tolist(), strict=True)
    return [None if is_missing else value for value, is_missing in pairs]


def _at(column: Any, row: int) -> Any:  # noqa: ANN401 - as above
    """Return a value as Python has it."""
    value = column.iloc[row] if hasattr(column, "iloc") else column[row]
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        return value.astype("datetime64[us]").item().replace(tzinfo=UTC)
    for method in ("as_py", "item"):
        convert = getattr(value, method, None)
        if convert is not None:
            return convert()
    return value


def _times(times: Any) -> Any:  # noqa: ANN401 - whatever holds a column
    """Return times as a column that the core takes."""
    moments = _column(times, "times")
    if isinstance(moments, list) and not isinstance(times, list | tuple):
        # Times of a library without a zone count from the epoch in UTC.
        moments = [
            moment.replace(tzinfo=UTC)
            if isinstance(moment, datetime) and moment.tzinfo is None
            else moment
            for moment in moments
        ]
    return moments


def _moment(now: datetime | float) -> int:
    if isinstance(now, datetime):
        if now.tzinfo is None:
            raise ValueError("now: a datetime without a zone; make it aware")
        return (now - _EPOCH) // timedelta(microseconds=1)
    if not isinstance(now, Real):
        raise TypeError(f"now: {now!r} is no aware datetime and no number of seconds")
    if not abs(now) <= _MAX_SECONDS:
        raise ValueError(f"now: {now!r} is out of range (years 1684 to 2255)")
    return round(now * 10**6)
