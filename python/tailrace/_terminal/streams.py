"""Write output in full or raise an error; write messages, which never end a run."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["OutputError", "say", "write"]


class OutputError(Exception):
    """The output cannot be written."""


def write(stream: TextIO, data: str | bytes) -> None:
    """
    Write all of the data and flush.

    Raises:
        BrokenPipeError: The reader closed the pipe.
        OutputError: The data cannot be written, for example because the disk is full.
    """
    if isinstance(data, str):
        data = data.encode(stream.encoding, stream.errors or "strict")
    rest = memoryview(data)
    try:
        # With PYTHONUNBUFFERED, a signal can cut a write short, which only this loop notices.
        while rest:
            rest = rest[stream.buffer.write(rest) :]
        stream.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write: {(error.strerror or str(error)).lower()}") from error


def say(text: str) -> None:
    """
    Write a message to standard error.

    If that fails, for example because the disk is full, the run and its exit code do not change.
    """
    # Bypasses the stream's buffer, which would try again at exit what failed here.
    rest = memoryview(f"{text}\n".encode(sys.stderr.encoding, "backslashreplace"))
    with suppress(OSError):
        while rest:
            rest = rest[os.write(sys.stderr.fileno(), rest) :]
