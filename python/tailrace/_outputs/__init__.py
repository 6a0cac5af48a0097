"""Outputs of snapshots and rows, and the interface of those of snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tailrace._rendering.text import Status
    from tailrace._snapshot import Snapshot

__all__ = ["Output"]


class Output(Protocol):
    """Shows the snapshots of a run."""

    newest_only: bool
    """True if a snapshot replaces the previous one, so that only the last of several is needed."""

    def show(self, snapshot: Snapshot, status: Status | None = None, /) -> None:
        """Show a snapshot and, while the run continues, its status."""

    def refresh(self, status: Status, /) -> None:
        """Show the status of the run, if the output shows it."""

    def say(self, text: str) -> None:
        """Write a message to standard error."""

    def resized(self) -> None:
        """Redraw after a change of the terminal's size."""

    def continued(self) -> None:
        """Redraw after the process was stopped by its shell."""

    def end(self) -> None:
        """Write the last state of the output."""
