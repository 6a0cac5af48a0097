"""The live table on a terminal: each snapshot is drawn over the previous one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tailrace._rendering.drawings import canvas_of
from tailrace._rendering.table import table_lines
from tailrace._rendering.text import status_line
from tailrace._terminal.escape import width
from tailrace._terminal.streams import say, write
from tailrace._terminal.style import Part, Style, in_background, painted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO, TypeAlias

    from tailrace._rendering.text import Line, Status
    from tailrace._snapshot import Snapshot

    _Shown: TypeAlias = tuple[Snapshot | None, Status | None]

__all__ = ["Screen"]

# A heading, the column names and one row take precedence over the status.
_LINES_BEFORE_STATUS = 3

# At the end, the summary and the shell's prompt follow.
_LINES_OF_OTHERS = 2


# At the end of the status.
_HINT = "  ? keys"

_FROZEN = "frozen, Space continues"


class Screen:
    """
    Draws tables in place, with the status of the run in a line below.

    It neither hides the cursor nor uses the alternate screen, so the last table stays visible. In
    the background of a shell, only the last table is drawn.
    """

    newest_only = True

    def __init__(self, stream: TextIO, *, color: bool = False) -> None:
        self.stream = stream
        self._color = color
        # What is shown, and what arrives while the display is frozen.
        self._shown: _Shown = (None, None)
        self._newest: _Shown = (None, None)
        self._is_frozen = False
        self._height = 0
        # The names of keys and what they do; whether they are read now; whether they are listed.
        self.keys: Sequence[tuple[str, str]] = ()
        self.has_keys = False
        self._lists_keys = False
        # The size of the terminal when the last table was drawn.
        self._size: tuple[int, int] | None = None
        # The widest that each column of the table has been.
        self._widths: dict[str, int] = {}
        self._mark = ">" if self._spelled("\u2026") != "\u2026" else "\u2026"

    def show(self, snapshot: Snapshot, status: Status | None = None, /) -> None:
        """Draw a snapshot over the previous one, cut to what fits; the last one has no status."""
        self._take(snapshot, status)

    def refresh(self, status: Status, /) -> None:
        """Redraw with a new status."""
        self._take(self._newest[0], status)

    def _take(self, snapshot: Snapshot | None, status: Status | None) -> None:
        self._newest = (snapshot, status)
        if status is None:
            self._is_frozen = self._lists_keys = False
        if not self._is_frozen:
            self._draw()

    def freeze(self) -> None:
        """Draw nothing new, so that a table can be read; the second time, draw what is newest."""
        self._is_frozen = not self._is_frozen
        self._draw()

    def toggle_keys(self) -> None:
        """List the keys in place of the table, or hide them."""
        self._lists_keys = not self._lists_keys
        self._draw()

    def hide_keys(self) -> None:
        """Show the table again."""
        if self._lists_keys:
            self.toggle_keys()

    def resized(self) -> None:
        """
        Redraw from the top of the screen.

        Terminals differ in where they leave lines when their width changes, so the position of the
        last table is unknown.
        """
        self._size = None
        self._widths.clear()
        self._draw()

    def continued(self) -> None:
        """Redraw below what a shell wrote while the process was stopped."""
        self._height = 0
        self._draw()

    def say(self, text: str) -> None:
        """Write a message to standard error; the table is redrawn below it."""
        if not self._is_away():
            write(self.stream, self._erased(self._terminal_size()))
        self._height = 0
        say(text)
        self._draw()

    def end(self) -> None:
        """Redraw the last table without the status."""
        if self._newest[1] is not None:
            self._take(self._newest[0], None)

    def _is_away(self) -> bool:
        """Report whether a shell has the terminal, so that the last table may have moved."""
        if not in_background(self.stream):
            return False
        self._height = 0
        return True

    def _draw(self) -> None:
        if not self._is_frozen:
            self._shown = self._newest
        if self._is_away() and self._shown[1] is not None:
            return
        size = self._terminal_size()
        columns, rows = size
        # The cursor is on the last line.
        lines = self._lines(columns, rows - 1)
        drawn = [
            painted(map(self._part, line), color=self._color, columns=columns, mark=self._mark)
            for line in lines
        ]
        write(self.stream, self._erased(size) + "".join(line + "\n" for line in drawn))
        self._height = len(lines)
        self._size = size

    def _lines(self, columns: int, most: int) -> list[Line]:
        _, status = self._shown
        if status is None:
            return self._table(columns, max(most - _LINES_OF_OTHERS, min(most, 1)))
        room = max(most - 1, min(most, _LINES_BEFORE_STATUS))
        lines = self._list()[:room] if self._lists_keys else self._table(columns, room)
        last = self._status_line(status, columns)
        if self._is_frozen and len(lines) == most:
            # A display that does not move says why.
            return [last, *lines[1:]]
        return [*lines, last][:most]

    def _table(self, columns: int, most: int) -> list[Line]:
        snapshot, _ = self._shown
        if snapshot is None:
            return []
        canvas = canvas_of(self.stream, columns, is_cut=True)
        return table_lines(snapshot, canvas, most=most, widths=self._widths)

    def _list(self) -> list[Line]:
        wide = max(len(name) for name, _ in self.keys)
        return [
            [Part(f"{name:{wide}}", Style.COUNT), Part(f"  {does}")] for name, does in self.keys
        ]

    def _status_line(self, status: Status, columns: int) -> Line:
        if self._is_frozen:
            return [Part(_FROZEN, Style.HEADING), Part(": ", Style.STATUS), *status_line(status)]
        line = status_line(status, columns)
        used = width("".join(part.text for part in line))
        if self.has_keys and used + len(_HINT) <= columns:
            line.append(Part(_HINT, Style.STATUS))
        return line

    def _erased(self, size: tuple[int, int]) -> str:
        """Return the sequence that clears from the first line of the last table on."""
        if not self._height:
            return ""
        return "\x1b[H\x1b[J" if size != self._size else f"\x1b[{self._height}F\x1b[J"

    def _terminal_size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self.stream.fileno())
        except OSError:
            # The terminal is closed, which the next write reports.
            return 80, 24
        # A terminal without a known size gets that of a VT100.
        return columns or 80, rows or 24

    def _part(self, part: Part) -> Part:
        return Part(self._spelled(part.text), part.style)

    def _spelled(self, text: str) -> str:
        """Return the text in the terminal's encoding, with escapes for the rest."""
        encoding = self.stream.encoding
        return text.encode(encoding, "backslashreplace").decode(encoding)
