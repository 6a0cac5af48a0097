"""Writing: all of it, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["OutputError", "write"]


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
