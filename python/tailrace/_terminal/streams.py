"""Writing: all of it, or an error; and messages, which are no reason to end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["OutputError", "say", "write"]


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


def say(text: str) -> None:
    """
    Write a line for people to standard error; what cannot be written, nobody misses.

    A full disk or a reader that went away there ends no run and changes no exit code.
    """
    # Past the stream's buffer, which would keep what failed and try again at the very end.
    rest = memoryview(f"{text}\n".encode(sys.stderr.encoding, "backslashreplace"))
    with suppress(OSError):
        while rest:
            rest = rest[os.write(sys.stderr.fileno(), rest) :]
