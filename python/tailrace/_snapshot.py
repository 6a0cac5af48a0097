"""The answer of one slide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._core import Table
    from tailrace._types import Answer

__all__ = ["Snapshot"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# How many rows somebody looks at who did not ask for a table.
_SMALL = 20

# What stands in a row for the keys that there was no room for.
_OTHER = "(other)"


class Snapshot:
    """
    What a window held when it was answered; nothing in it changes any more.

    `str(snapshot)` is a table for people, with nothing in it that could steer a terminal; its
    `repr` is the same cut to 20 rows, which a notebook shows as a table of its own. It speaks
    Arrow: `polars.DataFrame(snapshot)`, `pyarrow.table(snapshot)` take its rows without a copy.

    >>> import tailrace as tr
    >>> window = tr.Window("60s")
    >>> window.add(["a", "b", "a"], times=[0, 10, 40])
    >>> print(window.snapshot())
    3 events, 2 keys, 1970-01-01 00:00:00 to 00:01:00 UTC
    count  key
        2  a
        1  b
    """

    __slots__ = (
        "_rows",
        "_table",
        "by",
        "end",
        "gone",
        "keys",
        "lines",
        "lookback",
        "other",
        "start",
        "total",
    )

    start: datetime | None
    """Where the window begins, aware and in UTC; without a window the oldest time seen."""

    end: datetime | None
    """Where it ends, exclusive; without a window the newest time seen."""

    keys: int
    """How many keys the window holds, without those that are one row because of `max_keys`."""

    total: int
    """How many events it holds."""

    lines: dict[str, Any]
    """Where every line since the start went: `fed`, `counted`, `late`, `filtered`, `rejected`."""

    by: tuple[str, ...]
    """The fields of keys; the other columns of rows are what was asked of each key."""

    other: int | None
    """How many events are of keys that there was no room for; None where there was."""

    gone: list[dict[str, Any]] | None
    """Where `changes` were asked, the keys that the last answer showed and this one does not."""

    lookback: int
    """Of a window of several lengths, which of them it is, from 0."""

    _rows: list[dict[str, Any]] | None
    _table: Table | None

    def __init__(  # noqa: PLR0917 - in the order of their names in JSON
        self,
        start: datetime | None,
        end: datetime | None,
        keys: int,
        total: int,
        rows: Sequence[dict[str, Any]] | Table,
        lines: dict[str, Any],
        *,
        by: tuple[str, ...] | None = None,
        other: int | None = None,
        gone: list[dict[str, Any]] | None = None,
        lookback: int = 0,
    ) -> None:
        if by is None:
            by = (next(iter(rows[0])),) if isinstance(rows, list) and rows else ("key",)
        table = (rows, None) if isinstance(rows, list) else (None, rows)
        values = (*table, by, end, gone, keys, lines, lookback, other, start, total)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a snapshot does not change; {name!r} cannot be set")

    @classmethod
    def of(cls, answer: Answer, by: tuple[str, ...]) -> Snapshot:
        """Make a snapshot of what the core answers; `by` names the fields of the key."""
        lookback, start, end, keys, total, other, rows, gone, lines = answer
        left = None if gone is None else gone.to_dicts()
        return cls(
            _time(start), _time(end), keys, total, rows, lines,
            by=by, other=other, gone=left, lookback=lookback,
        )  # fmt: skip

    @property
    def rows(self) -> list[dict[str, Any]]:
        """
        Ranked rows, cut to the number asked for: the key and what was asked of it.

        Times are text in ISO 8601 here, and timestamps in columns of Arrow. Behind them stands,
        where there is one, the row `(other)` of the keys over `max_keys`.
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
        """The names of what rows hold."""
        if self._table is not None:
            return tuple(self._table.fields)
        return tuple(self._rows[0]) if self._rows else (*self.by, "count")

    def __len__(self) -> int:
        return len(self.rows if self._table is None else self._table)

    def head(self, n: int) -> Snapshot:
        """Return it with its first rows alone."""
        if self._table is None or n >= len(self._table):
            rows: list[dict[str, Any]] | Table = self.rows[:n]
        else:
            rows = self._table.head(n)
        other = self.other if n >= len(self) else None
        return Snapshot(
            self.start, self.end, self.keys, self.total, rows, self.lines,
            by=self.by, other=other, gone=self.gone, lookback=self.lookback,
        )  # fmt: skip

    def to_json(self) -> str:
        """Return one line of JSON, as `tailrace top --format jsonl` prints it."""
        from tailrace._rendering import jsonl  # noqa: PLC0415 - only who prints JSON loads it

        return jsonl.line(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """
        Return a dictionary for each row: `start`, `end`, the key and what was asked of it.

        >>> import tailrace as tr
        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> [(row["end"].minute, row["key"], row["count"]) for row in window.snapshot().to_dicts()]
        [(1, 'a', 2), (1, 'b', 1)]
        """
        return [{"start": self.start, "end": self.end, **row} for row in self.rows]

    def __arrow_c_schema__(self) -> object:
        """Return the types of its columns, for libraries that speak Arrow."""
        return self._arrow().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return its rows, for libraries that speak Arrow."""
        return self._arrow().__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> Any:  # noqa: ANN401 - a table of a library that may not be there
        """
        Return its rows as a `pyarrow.Table`, without a copy.

        Raises:
            ImportError: pyarrow is not installed; other libraries take the snapshot itself.
        """
        import pyarrow as pa  # noqa: PLC0415 - who has it not does not need it

        return pa.table(self._arrow())

    def _arrow(self) -> Table:
        if self._table is None:
            raise ValueError("a snapshot that was made of dictionaries has no Arrow columns")
        return self._table

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Snapshot):
            return NotImplemented
        return self._all() == other._all()

    def __reduce__(self) -> tuple[Any, ...]:
        """Make copies that have rows and no columns."""
        return _again, self._all()

    __hash__ = None  # type: ignore[assignment]

    def _all(self) -> tuple[Any, ...]:
        return (
            self.start, self.end, self.keys, self.total, self.rows, self.lines,
            self.by, self.other, self.gone, self.lookback,
        )  # fmt: skip

    def __str__(self) -> str:
        from tailrace._rendering import text  # noqa: PLC0415 - only who prints a table loads it

        return text.table(self)

    def __repr__(self) -> str:
        r"""
        Return a small table, so that a prompt shows what it is.

        >>> import tailrace as tr
        >>> window = tr.Window("60s")
        >>> window.add(range(25), times=[0] * 25)
        >>> print("\n".join(repr(window.snapshot()).splitlines()[-2:]))
            1  19
        and 5 rows more
        """
        from tailrace._rendering import text  # noqa: PLC0415 - as above

        return text.table(self, most=_SMALL)

    def _repr_html_(self) -> str:
        """
        Return a small table for a notebook, in which nothing of a log is a tag.

        >>> import tailrace as tr
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

        return html.table(self, most=_SMALL)


def _again(*parts: Any) -> Snapshot:  # noqa: ANN401 - as `_all` has them
    *first, by, other, gone, lookback = parts
    return Snapshot(*first, by=by, other=other, gone=gone, lookback=lookback)


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
