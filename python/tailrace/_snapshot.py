"""What a window holds at one end: ranked rows, totals and line counts."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from tailrace._public import Public
from tailrace._scalars import check_flag
from tailrace._types import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace._core import Table
    from tailrace._types import Answer, LineCounts

__all__ = ["Snapshot"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# How many rows a prompt or a notebook shows.
_PREVIEW_ROWS = 20

# The key of the row that sums up the keys over `max_keys` or `max_key_bytes`.
_OTHER = "(other)"


class Snapshot(metaclass=Public):
    """
    The ranked rows of a window at its end, or of a query without a window; immutable.

    Iterating over it yields its rows as dictionaries: `pandas.DataFrame(snapshot)` works. Through
    the Arrow PyCapsule interface `polars.DataFrame(snapshot)` and `pyarrow.table(snapshot)` take
    its rows without a copy. `to_pandas`, `to_polars` and `to_arrow` do the same, and add the bounds
    of the window as columns on request. `str(snapshot)` is a table in which control characters are
    escaped; `repr(snapshot)` shows its first 20 rows, and notebooks show those as HTML.

    Attributes:
        start: The beginning of the window, an aware datetime in UTC. Without a window, the oldest
            time in the lines. None only if no time is known: nothing was read, or no line has one.
        end: The end of the window, exclusive. Without a window, the newest time in the lines.
        keys: The number of keys in the window, without those over `max_keys` or `max_key_bytes`.
        total: The number of events in the window.
        lines: The counters of all lines up to the end of the window.
        by: The names of the key fields. The other columns are aggregates.
        other: The number of events whose keys are over `max_keys` or `max_key_bytes`; None if there
            are none.
        dropped: With `track_ranks`, the keys that were in the rows of the previous snapshot and are
            not in the rows of this one; otherwise None.
        lookback: In a window of several lengths, the index of the length.
        final: Whether no later snapshot has the same end. False only at the stop of a run with a
            checkpoint, which the next run goes on from.

    >>> window = tr.Window("60s")
    >>> window.add(["a", "b", "a"], times=[0, 10, 40])
    >>> snapshot = window.snapshot()
    >>> print(snapshot)
    3 events, 2 keys, 1970-01-01 00:00:00 to 00:01:00 UTC
    count   share                    key
        2   66.7%  ████████████████  a
        1   33.3%  ████████          b
        3  100.0%                    ── total
    >>> [row["key"] for row in snapshot]
    ['a', 'b']
    """

    __signature__ = "()"
    __slots__ = (
        "_layout",
        "_rows",
        "_table",
        "_whole",
        "by",
        "dropped",
        "end",
        "final",
        "keys",
        "lines",
        "lookback",
        "other",
        "start",
        "total",
    )

    # Not `datetime | None`: with a window, which is the rule, no caller has to check. They are
    # None without a window where no line has a time, and in a `Window` without events.
    start: datetime | Any
    end: datetime | Any
    keys: int
    total: int
    lines: LineCounts
    by: tuple[str, ...]
    other: int | None
    dropped: list[dict[str, Any]] | None
    lookback: int
    final: bool

    _layout: Layout
    _rows: list[dict[str, Any]] | None
    _table: Table | None
    _whole: Table | dict[str, Any] | None

    def __init__(  # noqa: PLR0917 - in the order of their names in JSON
        self,
        start: datetime | None,
        end: datetime | None,
        keys: int,
        total: int,
        rows: Sequence[dict[str, Any]] | Table,
        lines: LineCounts,
        *,
        by: tuple[str, ...] | None = None,
        other: int | None = None,
        dropped: list[dict[str, Any]] | None = None,
        lookback: int = 0,
        layout: Layout | None = None,
        whole: Table | dict[str, Any] | None = None,
        final: bool = True,
    ) -> None:
        if by is None:
            by = (next(iter(rows[0])),) if isinstance(rows, list) and rows else ("key",)
        if layout is None:
            layout = Layout(by, {"count": ("count", ())}, "count")
        table = (rows, None) if isinstance(rows, list) else (None, rows)
        values = (
            layout,
            *table,
            whole,
            by,
            dropped,
            end,
            final,
            keys,
            lines,
            lookback,
            other,
            start,
            total,
        )
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a snapshot is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a snapshot is immutable: {name!r} cannot be deleted")

    @classmethod
    def _of(cls, answer: Answer, layout: Layout, *, final: bool = True) -> Snapshot:
        """Return a snapshot of the core."""
        lookback, start, end, keys, total, other, rows, dropped, whole, lines = answer
        return cls(
            _time(start), _time(end), keys, total, rows, lines,
            by=layout.by, other=other, lookback=lookback, layout=layout, whole=whole, final=final,
            dropped=None if dropped is None else dropped.to_dicts(),
        )  # fmt: skip

    @property
    def rows(self) -> list[dict[str, Any]]:
        """
        The ranked rows as dictionaries: the key fields, then the aggregates.

        Times are aware datetimes in UTC. With `max_keys`, the last row may be `(other)`: the totals
        of all keys over the limit.
        """
        if self._rows is None:
            rows = self._arrow().to_dicts()
            if self.other is not None and self.by:
                rows[-1][self.by[0]] = _OTHER
            object.__setattr__(self, "_rows", rows)
            return rows
        return self._rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns: the key fields, then the aggregates."""
        if self._table is not None:
            return tuple(self._table.fields)
        return tuple(self._rows[0]) if self._rows else (*self.by, "count")

    @property
    def _totals(self) -> dict[str, Any]:
        """The results of all keys of the window together, where they are known."""
        if self._whole is None:
            return {"count": self.total} if "count" in self.columns else {}
        if not isinstance(self._whole, dict):
            object.__setattr__(self, "_whole", self._whole.to_dicts()[0])
        return cast("dict[str, Any]", self._whole)

    def __len__(self) -> int:
        return len(self.rows if self._table is None else self._table)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def head(self, n: int) -> Snapshot:
        """Return a snapshot with only the first *n* rows."""
        if not isinstance(n, int):
            raise TypeError(f"head: expected an integer number of rows, found {n!r:.80}")
        if n < 0:
            raise ValueError(f"head: expected 0 or more rows, found {n}")
        if self._table is None or n >= len(self._table):
            rows: list[dict[str, Any]] | Table = self.rows[:n]
        else:
            rows = self._table.head(n)
        return self._cut(rows, self.other if n >= len(self) else None)

    def _tail(self, n: int) -> Snapshot:
        """Return a snapshot with only the last *n* rows."""
        return self._cut(self.rows[max(len(self) - n, 0) :], self.other)

    def _cut(self, rows: list[dict[str, Any]] | Table, other: int | None) -> Snapshot:
        return Snapshot(
            self.start, self.end, self.keys, self.total, rows, self.lines,
            by=self.by, other=other, dropped=self.dropped, lookback=self.lookback,
            layout=self._layout, whole=self._whole, final=self.final,
        )  # fmt: skip

    def to_json(self) -> str:
        """
        Return one line of JSON, as `tailrace top --format jsonl` prints it.

        Times are ISO 8601 in UTC. NaN and infinities, which JSON does not have, are null.
        """
        from tailrace._rendering import jsonl  # noqa: PLC0415 - loaded only to print JSON

        return jsonl.line(self)

    def to_dicts(self, *, bounds: bool = True) -> list[dict[str, Any]]:
        """
        Return a dictionary for each row: `start`, `end`, the key fields and the aggregates.

        All times are aware datetimes in UTC. *bounds* is whether there are `start` and `end`, the
        bounds of the window; they cannot be next to a key field of that name.

        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> [(row["end"].minute, row["key"], row["count"]) for row in window.snapshot().to_dicts()]
        [(1, 'a', 2), (1, 'b', 1)]
        """
        if self._bounds("to_dicts", bounds=bounds) is None:
            return [dict(row) for row in self.rows]
        return [{"start": self.start, "end": self.end, **row} for row in self.rows]

    def to_arrow(self, *, bounds: bool = False) -> Any:  # noqa: ANN401 - a table of a library that may not be there
        """
        Return the rows as a `pyarrow.Table`, without a copy; times are `timestamp[us, UTC]`.

        Other libraries that read Arrow take the snapshot itself. The key of the row `(other)` is
        null.

        Args:
            bounds: Add the columns `start` and `end`, the bounds of the window, before the others.

        Raises:
            ImportError: pyarrow is not installed.
            ValueError: A key field has the name of a bound, or the snapshot is a copy.

        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> window.snapshot().to_arrow(bounds=True).column_names
        ['start', 'end', 'key', 'count']
        """
        from tailrace._frames import arrow_table  # noqa: PLC0415 - of optional dependencies

        return arrow_table(self._arrow(), self._bounds("to_arrow", bounds=bounds))

    def to_polars(self, *, bounds: bool = False) -> Any:  # noqa: ANN401 - as above
        """
        Return the rows as a `polars.DataFrame`; arguments and errors are those of `to_arrow`.

        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> window.snapshot().to_polars().rows()
        [('a', 2), ('b', 1)]
        """
        from tailrace._frames import polars_frame  # noqa: PLC0415 - as above

        return polars_frame(self._arrow(), self._bounds("to_polars", bounds=bounds))

    def to_pandas(self, *, bounds: bool = False) -> Any:  # noqa: ANN401 - as above
        """
        Return the rows as a `pandas.DataFrame`; arguments and errors are those of `to_arrow`.

        It needs pandas and pyarrow. Integers are `int64`, or `Int64` in a column with missing
        values, and times `datetime64[us, UTC]`.

        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> window.snapshot().to_pandas()["count"].tolist()
        [2, 1]
        """
        from tailrace._frames import pandas_frame  # noqa: PLC0415 - as above

        return pandas_frame(self._arrow(), self._bounds("to_pandas", bounds=bounds))

    def _bounds(
        self, method: str, *, bounds: bool
    ) -> tuple[datetime | None, datetime | None] | None:
        check_flag(bounds, "bounds")
        taken = [name for name in ("start", "end") if name in self.columns]
        if bounds and taken:
            raise ValueError(
                f"{method}: {taken[0]!r} is a key field and a bound of the window; pass "
                "bounds=False, or give the field another name"
            )
        return (self.start, self.end) if bounds else None

    def __arrow_c_schema__(self) -> object:
        """Return the types of the columns as an Arrow PyCapsule."""
        return self._arrow().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as an Arrow PyCapsule."""
        return self._arrow().__arrow_c_stream__(requested_schema)

    def _arrow(self) -> Table:
        if self._table is None:
            raise ValueError(
                "a copied or unpickled snapshot has no Arrow columns; use rows or to_dicts()"
            )
        return self._table

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._all() == other._all()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the rows; a copy has no Arrow columns."""
        return _restored, (*self._all(), self._layout, self._totals)

    __hash__ = None  # type: ignore[assignment]

    def _all(self) -> tuple[Any, ...]:
        return (
            self.start, self.end, self.keys, self.total, self.rows, self.lines,
            self.by, self.other, self.dropped, self.lookback, self.final,
        )  # fmt: skip

    def __str__(self) -> str:
        return self._text()

    def __repr__(self) -> str:
        r"""
        Return a table of the first 20 rows, for a prompt.

        >>> window = tr.Window("60s")
        >>> window.add(range(25), times=[0] * 25)
        >>> print("\n".join(repr(window.snapshot()).splitlines()[-2:]))
            1    4.0%  ████████████████  19
           25  100.0%                    ── total
        """
        return self._text(_PREVIEW_ROWS)

    def _text(self, most: int | None = None) -> str:
        from tailrace._rendering.drawings import canvas_of  # noqa: PLC0415 - as below
        from tailrace._rendering.table import table  # noqa: PLC0415 - loaded only to print a table

        # Most texts are printed, and an output that lacks blocks would raise an error.
        return table(self, canvas_of(sys.stdout), most=most)

    def _repr_html_(self) -> str:
        """
        Return a table of the first 20 rows for a notebook, with HTML escaped.

        >>> window = tr.Window("60s")
        >>> window.add(["<b>"], times=[0])
        >>> print(window.snapshot()._repr_html_())
        <table>
        <caption>1 event, 1 key, 1970-01-01 00:00:00 to 00:01:00 UTC</caption>
        <tr><th>key</th><th>count</th></tr>
        <tr><td>&lt;b&gt;</td><td>1</td></tr>
        </table>
        """
        from tailrace._rendering import html  # noqa: PLC0415 - as above

        return html.table(self, most=_PREVIEW_ROWS)


def _restored(*values: Any) -> Snapshot:  # noqa: ANN401 - as `_all` returns them
    *first, by, other, dropped, lookback, final, layout, whole = values
    return Snapshot(
        *first, by=by, other=other, dropped=dropped, lookback=lookback, layout=layout, whole=whole,
        final=final,
    )  # fmt: skip


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
