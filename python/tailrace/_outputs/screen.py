"""The live table of a terminal: each answer is drawn over the last one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tailrace._rendering.text import status_line, table_lines
from tailrace._terminal.streams import say, write
from tailrace._terminal.style import Part, in_background, painted

if TYPE_CHECKING:
    from typing import TextIO

    from tailrace._rendering.text import Line, Status
    from tailrace._snapshot import Snapshot

__all__ = ["Screen"]

# A heading, the names and one row come before the status.
_LINES_BEFORE_STATUS = 3

# At the end there follow where all lines went, and a shell's prompt.
_LINES_OF_OTHERS = 2


class Screen:
    """
    Draws tables in place, with a line below that says how the run is doing.

    It hides no cursor and takes no alternate screen, so that nothing has to be restored however
    the program ends; the last table stays where it is. In the background of a shell nothing is
    drawn but the last table.
    """

    newest_only = True

    def __init__(self, stream: TextIO, *, color: bool = False) -> None:
        self._stream = stream
        self._color = color
        self._snapshot: Snapshot | None = None
        self._status: Status | None = None
        self._height = 0
        # Of the terminal when the last table was drawn.
        self._size: tuple[int, int] | None = None
        self._mark = ">" if self._spelled("\u2026") != "\u2026" else "\u2026"

    def show(self, snapshot: Snapshot, status: Status | None = None, /) -> None:
        """Draw a snapshot over the one before, cut to what fits; the last one has no status."""
        self._snapshot = snapshot
        self._status = status
        self._draw()

    def refresh(self, status: Status, /) -> None:
        """Draw the status anew."""
        self._status = status
        self._draw()

    def resized(self) -> None:
        """
        Draw it all anew, from the top.

        Terminals differ in where they leave lines when their width changes, so that the place of
        the last table is not known any more.
        """
        self._size = None
        self._draw()

    def continued(self) -> None:
        """Draw below what a shell wrote while the process was stopped."""
        self._height = 0
        self._draw()

    def say(self, text: str) -> None:
        """Write a message for people; the table is drawn again below it."""
        if not self._is_away():
            write(self._stream, self._erased(self._terminal_size()))
        self._height = 0
        say(text)
        self._draw()

    def end(self) -> None:
        """Leave the last table as it is, without the status."""
        if self._status is not None:
            self._status = None
            self._draw()

    def _is_away(self) -> bool:
        """Whether a shell has the terminal, so that the last table is not where it was drawn."""
        if not in_background(self._stream):
            return False
        self._height = 0
        return True

    def _draw(self) -> None:
        if self._is_away() and self._status is not None:
            return
        size = self._terminal_size()
        columns, rows = size
        # The last line is left to the cursor.
        lines = self._lines(rows - 1)
        drawn = [
            painted(map(self._part, line), color=self._color, columns=columns, mark=self._mark)
            for line in lines
        ]
        write(self._stream, self._erased(size) + "".join(line + "\n" for line in drawn))
        self._height = len(lines)
        self._size = size

    def _lines(self, most: int) -> list[Line]:
        table: list[Line] = []
        if self._snapshot is not None:
            # Of every key, only those are written out that can be seen.
            table = table_lines(self._snapshot.head(most))
        if self._status is None:
            return table[: max(most - _LINES_OF_OTHERS, min(most, 1))]
        room = max(most - 1, min(most, _LINES_BEFORE_STATUS))
        return [*table[:room], status_line(self._status)][:most]

    def _erased(self, size: tuple[int, int]) -> str:
        """To the first line of the last table, and clear from there on."""
        if not self._height:
            return ""
        return "\x1b[H\x1b[J" if size != self._size else f"\x1b[{self._height}F\x1b[J"

    def _terminal_size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except OSError:
            # It has gone, which the next write says better.
            return 80, 24
        # A terminal that does not know its size has that of a VT100.
        return columns or 80, rows or 24

    def _part(self, part: Part) -> Part:
        return Part(self._spelled(part.text), part.style)

    def _spelled(self, text: str) -> str:
        """Return the text as this terminal spells it, which may be longer."""
        encoding = self._stream.encoding
        return text.encode(encoding, "backslashreplace").decode(encoding)
