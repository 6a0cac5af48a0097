"""Where snapshots and rows are written to, and what every output of snapshots can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tailrace._rendering.text import Status
    from tailrace._snapshot import Snapshot

__all__ = ["Output"]


class Output(Protocol):
    """Shows the snapshots of a run; whoever calls it need not know how."""

    newest_only: bool
    """Whether a snapshot replaces the one before it, so that of several only the last is wanted."""

    def show(self, snapshot: Snapshot, status: Status | None = None, /) -> None:
        """Show a snapshot and, where the run goes on, how it is doing."""

    def refresh(self, status: Status, /) -> None:
        """Show how the run is doing, where that is shown at all."""

    def say(self, text: str) -> None:
        """Write a message for people."""

    def resized(self) -> None:
        """Note that the terminal has another size."""

    def continued(self) -> None:
        """Note that the process goes on after a shell had the terminal."""

    def end(self) -> None:
        """Leave what is shown as it is to stay."""
