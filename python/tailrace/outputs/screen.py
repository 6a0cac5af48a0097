"""The live table of a terminal: each answer is drawn over the last one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from tailrace.outputs import jsonl
from tailrace.outputs.text import table

if TYPE_CHECKING:
    from tailrace.snapshot import Snapshot

__all__ = ["Blocks", "Screen", "is_terminal"]


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Screen:
    """
    Draws tables in place.

    It hides no cursor and takes no alternate screen, so that nothing has to be restored however
    the program ends; the last table stays where it is.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot over the one before, cut to what fits."""
        columns, rows = os.get_terminal_size(self._stream.fileno())
        # The last line is left to the cursor. A terminal without a size has 80 x 24.
        text = table(snapshot, columns or 80, (rows or 24) - 1)
        self._stream.write(self._erased() + text + "\n")
        self._stream.flush()
        self._height = text.count("\n") + 1

    def say(self, text: str) -> None:
        """Write a message for people; the next table is drawn below it."""
        self._stream.write(self._erased())
        self._stream.flush()
        self._height = 0
        print(text, file=sys.stderr, flush=True)

    def _erased(self) -> str:
        """To the first line of the last table, and clear from there on."""
        return f"\x1b[{self._height}F\x1b[J" if self._height else ""


class Blocks:
    """Writes one block a snapshot, for what is no terminal."""

    def __init__(self, stream: TextIO, *, json: bool) -> None:
        self._stream = stream
        self._text = jsonl.line if json else table
        self._between = "" if json else "\n"
        self._first = True

    def show(self, snapshot: Snapshot) -> None:
        """Write a line of JSON, or a table with an empty line before all but the first."""
        between = "" if self._first else self._between
        self._first = False
        self._stream.write(between + self._text(snapshot) + "\n")
        self._stream.flush()

    @staticmethod
    def say(text: str) -> None:
        """Write a message for people."""
        print(text, file=sys.stderr, flush=True)
