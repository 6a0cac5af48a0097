"""Write snapshots one after the other, for every output except a live terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace._terminal.excerpt import terminal_width
from tailrace._terminal.streams import say, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from tailrace._rendering.text import Status
    from tailrace._snapshot import Snapshot

__all__ = ["FORMATS", "Blocks"]

FORMATS = ["text", "jsonl", "csv"]
"""The values of --format that are written here."""


class Blocks:
    """Writes tables with an empty line between them, lines of JSON, or rows of one CSV."""

    newest_only = False

    def __init__(
        self, stream: TextIO, *, output: str, columns: Sequence[str], color: bool = False
    ) -> None:
        self._stream = stream
        self._before = self._between = ""
        self._text: Callable[[Snapshot], str]
        if output == "jsonl":
            from tailrace._rendering import jsonl  # noqa: PLC0415 - only JSON output needs it

            self._text = lambda snapshot: jsonl.line(snapshot) + "\n"
        elif output == "csv":
            from tailrace._rendering import csv  # noqa: PLC0415 - as above

            self._before, self._text = csv.header(columns), csv.rows
        else:
            self._between = "\n"
            self._color = color
            self._text = self._table

    def show(self, snapshot: Snapshot, _status: Status | None = None, /) -> None:
        """Write a snapshot."""
        before, self._before = self._before, self._between
        write(self._stream, before + self._text(snapshot))

    def _table(self, snapshot: Snapshot) -> str:
        from tailrace._rendering.drawings import canvas_of  # noqa: PLC0415 - only for tables
        from tailrace._rendering.table import table  # noqa: PLC0415 - as above

        is_terminal = self._stream.isatty()
        # Into a pipe or a file, a table does not depend on the size of a terminal.
        columns = terminal_width(self._stream) if is_terminal else None
        canvas = canvas_of(self._stream, columns)
        return table(snapshot, canvas, color=self._color, grouped=is_terminal) + "\n"

    def refresh(self, _status: Status, /) -> None:
        """Write nothing, because this output has only snapshots."""

    def resized(self) -> None:
        """Do nothing, because this output is never redrawn."""

    continued = resized

    def end(self) -> None:
        """Write the header if there was no snapshot."""
        if self._before != self._between:
            write(self._stream, self._before)

    @staticmethod
    def say(text: str) -> None:
        """Write a message to standard error."""
        say(text)
