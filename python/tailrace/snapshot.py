"""The answer of one slide."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tailrace._types import Answer

__all__ = ["Snapshot"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# How many rows somebody looks at who did not ask for a table.
_SMALL = 20


class Snapshot(NamedTuple):
    """
    What a window held when it was answered; nothing in it changes any more.

    `str(snapshot)` is a table for people, with nothing in it that could steer a terminal; its
    `repr` is the same cut to 20 rows, which a notebook shows as a table of its own.

    >>> import tailrace as tr
    >>> window = tr.Window("60s")
    >>> window.add(["a", "b", "a"], times=[0, 10, 40])
    >>> print(window.snapshot())
    3 events, 2 keys, 1970-01-01 00:00:00 to 00:01:00 UTC
    count  key
        2  a
        1  b
    """

    start: datetime | None
    """Where the window begins, aware and in UTC; without a window the oldest time seen."""

    end: datetime | None
    """Where it ends, exclusive; without a window the newest time seen."""

    keys: int
    """How many keys the window holds."""

    total: int
    """How many events it holds."""

    rows: list[dict[str, Any]]
    """Ranked rows, a key and its `count` each, cut to the number asked for."""

    lines: dict[str, Any]
    """Where every line since the start went: `fed`, `counted`, `late`, `filtered`, `rejected`."""

    @classmethod
    def of(cls, answer: Answer, by: str) -> Snapshot:
        """Make a snapshot of what the core answers; `by` names the key in its rows."""
        start, end, keys, total, rows, lines = answer
        named = [{by: key, "count": count} for key, count in rows]
        return cls(_time(start), _time(end), keys, total, named, lines)

    def to_json(self) -> str:
        """Return one line of JSON, as `tailrace top --format jsonl` prints it."""
        from tailrace.outputs import jsonl  # noqa: PLC0415 - only who prints JSON loads it

        return jsonl.line(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """
        Return a dictionary for each row: `start`, `end`, the key and its `count`.

        >>> import tailrace as tr
        >>> window = tr.Window("60s")
        >>> window.add(["a", "b", "a"], times=[0, 10, 40])
        >>> [(row["end"].minute, row["key"], row["count"]) for row in window.snapshot().to_dicts()]
        [(1, 'a', 2), (1, 'b', 1)]
        """
        return [{"start": self.start, "end": self.end, **row} for row in self.rows]

    def __str__(self) -> str:
        from tailrace.outputs import text  # noqa: PLC0415 - only who prints a table loads it

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
        from tailrace.outputs import text  # noqa: PLC0415 - as above

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
        from tailrace.outputs import html  # noqa: PLC0415 - as above

        return html.table(self, most=_SMALL)


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
