"""A window whose content becomes durable with each commit, together with its caller's position."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._description import encoded, opened
from tailrace._errors import CheckpointError, checkpoint_error, log_warning
from tailrace._runtime.notes import POSITION_OF_CALLER, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace._types import Answer, ArrowStream

__all__ = ["DurableWindow", "check_position"]

_MAX_POSITION_BYTES = 1024 * 1024


def check_position(position: object) -> bytes | None:
    """
    Return the position of a commit; None if there is none.

    Raises:
        TypeError: It is not bytes.
        ValueError: It is too long.
    """
    if position is None:
        return None
    if not isinstance(position, bytes | bytearray | memoryview):
        raise TypeError(f"position: expected bytes, found {position!r:.80}")
    data = bytes(position)
    if len(data) > _MAX_POSITION_BYTES:
        raise ValueError(
            f"position: expected at most {_MAX_POSITION_BYTES:,} bytes, found {len(data):,}"
        )
    return data


class DurableWindow:
    """
    A window of the core, and the journal of what changes it.

    Its methods are those of the window. A state is copied at the end of a round, so a lock keeps
    other threads from changing the window during a commit.

    Raises:
        CheckpointError: The directory is in use, damaged, cannot be written, or was written for
            other settings.
    """

    def __init__(
        self, window: _core.Window, directory: str, description: Mapping[str, Any]
    ) -> None:
        self._window = window
        self._lock = RLock()
        self._changes = _core.Changes()
        self.position: bytes | None = None
        """The position that is durable."""
        self._journal = opened(directory, encoded(description), "window")
        self._is_closed = False
        try:
            self._restore()
        except _core.JournalError as error:
            self.close()
            raise checkpoint_error(directory, error) from error
        except BaseException:
            self.close()
            raise

    def _restore(self) -> None:
        for warning in self._journal.warnings:
            log_warning(warning)
        note, notes, _, _ = self._journal.restore(self._window)
        self.position = unpack(note or b"").get(POSITION_OF_CALLER)
        for one in notes:
            self.position = one.removeprefix(POSITION_OF_CALLER)

    @property
    def fields(self) -> list[str]:
        return self._window.fields

    def add(self, keys: list[object], values: list[object], times: object, /) -> list[int]:
        with self._lock:
            return self._window.add(keys, values, times)

    def advance(self, now_us: int, /) -> None:
        with self._lock:
            self._window.advance(now_us)

    def finish(self) -> None:
        with self._lock:
            self._window.finish()

    def next_snapshot(self) -> Answer | None:
        with self._lock:
            return self._window.next_snapshot()

    def snapshot(self, lookback: int, /) -> Answer:
        return self._window.snapshot(lookback)

    def export(self) -> bytes:
        return self._window.export()

    def export_table(self) -> _core.Table:
        return self._window.export_table()

    def merge(self, data: bytes, /) -> None:
        with self._lock:
            self._window.merge(data)

    def merge_table(self, table: ArrowStream, /) -> None:
        with self._lock:
            self._window.merge_table(table)

    def commit(self, position: bytes | None) -> None:
        """
        Make everything since the last commit durable, together with a position.

        Raises:
            CheckpointError: It is not durable. If the disk is full, a later call makes it so.
            ValueError: The window is closed.
        """
        with self._lock:
            if self._is_closed:
                raise ValueError(
                    "commit: the window is closed; what was added since the last commit is not "
                    "durable"
                )
            self._changes.take(self._window)
            note = None if position is None else POSITION_OF_CALLER + position
            try:
                self._journal.commit(self._changes, note)
            except _core.JournalError as error:
                if error.kind != "full":
                    self.close()
                raise CheckpointError(str(error)) from error
            self._changes = _core.Changes()
            if position is not None:
                self.position = position
            # A state is written before the next round.
            self._journal.collect(
                self._window, self._notes() if self._journal.is_state_due else None
            )

    def _notes(self) -> bytes:
        return pack({} if self.position is None else {POSITION_OF_CALLER: self.position})

    def close(self) -> None:
        """Release the directory."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._journal.close()
