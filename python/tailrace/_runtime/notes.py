"""Notes: bytes that a journal keeps for others. The first byte of a note is its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BATCH", "CLOCK", "FORMAT", "NAME", "POSITION", "POSITION_OF_CALLER", "pack", "unpack"]

POSITION = b"P"
"""How far a file was read."""

NAME = b"N"
"""The name of a source that was added."""

FORMAT = b"F"
"""The number of a source, a space, and the format of its lines."""

BATCH = b"B"
"""A batch that may be sent again."""

POSITION_OF_CALLER = b"U"
"""The position that the caller of `tailrace.Window.commit` has passed."""

CLOCK = b"C"
"""In a state, the last time, and how long live sources had been listened to."""

_SIZE_BYTES = 4


def pack(notes: Mapping[bytes, bytes]) -> bytes:
    """
    Return the note of a state, which has one note of each kind.

    >>> unpack(pack({b"U": b"7", b"P": b""}))
    {b'U': b'7', b'P': b''}
    """
    return b"".join(
        kind + len(note).to_bytes(_SIZE_BYTES, "little") + note for kind, note in notes.items()
    )


def unpack(data: bytes) -> dict[bytes, bytes]:
    """
    Return the notes in the note of a state.

    Raises:
        ValueError: The bytes are damaged.
    """
    notes = {}
    at = 0
    while at < len(data):
        start = at + 1 + _SIZE_BYTES
        end = start + int.from_bytes(data[at + 1 : start], "little")
        if end > len(data) or start > len(data):
            raise ValueError("expected a note, found the end of the state")
        notes[data[at : at + 1]] = data[start:end]
        at = end
    return notes
