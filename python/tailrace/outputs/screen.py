"""The live table of a terminal: each answer is drawn over the last one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from tailrace.outputs import jsonl
from tailrace.outputs.text import table

if TYPE_CHECKING:
    from tailrace.snapshot import Snapshot

__all__ = ["Blocks", "OutputError", "Screen", "is_terminal", "write"]


class OutputError(Exception):
    """What was to be written cannot be, and nothing can any more."""


def write(stream: TextIO, data: str | bytes) -> None:
    """
    Write all of it and flush.

    Raises:
        BrokenPipeError: The reader went away.
        OutputError: It cannot be written, for instance because the disk is full.
    """
    if isinstance(data, str):
        data = data.encode(stream.encoding, stream.errors or "strict")
    rest = memoryview(data)
    try:
        # Under PYTHONUNBUFFERED a signal cuts a write short, and nobody but us sees it.
        while rest:
            rest = rest[stream.buffer.write(rest) :]
        stream.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write: {error.strerror}") from error


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
        write(self._stream, self._erased() + text + "\n")
        self._height = text.count("\n") + 1

    def say(self, text: str) -> None:
        """Write a message for people; the next table is drawn below it."""
        write(self._stream, self._erased())
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
        write(self._stream, between + self._text(snapshot) + "\n")

    @staticmethod
    def say(text: str) -> None:
        """Write a message for people."""
        print(text, file=sys.stderr, flush=True)
