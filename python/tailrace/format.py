"""Lines to fields, for who wants the fields."""

from __future__ import annotations

from typing import Any, NamedTuple

from tailrace import _core
from tailrace.names import checked_fields, checked_format

__all__ = ["Batch", "Format", "Reject"]


class Reject(NamedTuple):
    """A line that is not of the format."""

    line: int
    """Which line it was, from 0."""
    byte: int
    """From which of its bytes on it was not of the format."""
    reason: str
    """`no-match` or `too-long`."""
    expected: str
    """What should have been there."""


class Batch:
    """
    The fields of parsed lines; `len(batch)` is how many lines were accepted.

    >>> import tailrace as tr
    >>> batch = tr.Format("combined").parse(b"no log line")
    >>> len(batch), batch.rejects
    (0, [Reject(line=0, byte=11, reason='no-match')])
    """

    def __init__(self, table: _core.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    @property
    def rejects(self) -> list[Reject]:
        """The lines that were not accepted, in order."""
        return [Reject(*reject) for reject in self._table.rejects]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one dictionary for each accepted line; what is missing is None."""
        return self._table.to_dicts()


class Format:
    """
    What a log line looks like: `common`, `combined` or `classic`; see `tailrace formats`.

    `common` and `combined` give types: status and size are integers, the time is ISO 8601 in UTC.
    `classic` gives every field as the raw text that the classic Python program's regular
    expression finds.

    Raises:
        ValueError: There is no format of this name.

    >>> import tailrace as tr
    >>> line = b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> tr.Format("combined").parse(line, fields=["url", "status"]).to_dicts()
    [{'url': '/a', 'status': 200}]
    """

    def __init__(self, name: str) -> None:
        self.name = checked_format(name)

    def __repr__(self) -> str:
        return f"Format({self.name!r})"

    @property
    def fields(self) -> list[str]:
        """The names of the fields that can be asked for."""
        return _core.fields(self.name)

    def parse(
        self, data: bytes | bytearray | memoryview, *, fields: list[str] | None = None
    ) -> Batch:
        """
        Parse newline text.

        Text comes back as str, each run of bytes that is not UTF-8 as one U+FFFD.

        Args:
            data: Whole lines; the last one needs no newline.
            fields: Which fields to give, all columns of the format by default.

        Raises:
            ValueError: The format has no such field.
        """
        names = _core.columns(self.name) if fields is None else fields
        checked_fields(names, self.name)
        return Batch(_core.parse(bytes(data), format=self.name, fields=names))
