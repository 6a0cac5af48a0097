"""The commit: makes the results of chunks durable before they take effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace._errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._runtime.stage import Item, Origin

__all__ = ["Commit", "CommitError"]


class CommitError(TailraceError):
    """A group could not be made durable; later groups may succeed."""


class Commit:
    """
    Makes the results of chunks durable before they take effect; this one stores nothing.

    The pump guarantees the following, whatever a commit does and however long it takes:

    - One commit runs at a time. It takes every chunk that waits, in the order in which the chunks
      were received, and the ticks and ends of sources between them. Chunks with malformed bytes
      have no effect.
    - No chunk is settled before its commit has returned, and chunks are settled in that same order.
    - The processor's clock moves to a time only after every chunk stamped before it is settled.
    - A chunk that could not be made durable is never settled, and its sender gets `failed`. After a
      `CommitError` the run continues, unless a chunk of the group has no sender, as with files.
      After any other exception the run ends and raises it. The end of a source is settled anyway.
    - After a stop request, every received chunk is committed and settled before the run ends. An
      abandoned run waits for the current commit, and settles nothing more.
    """

    blocks = False
    """Whether a commit may take long: then it runs on a thread of its own."""

    def prepare(self, group: Sequence[Item], idle_us: int | None) -> Any:  # noqa: ANN401, ARG002 - for `commit`
        """
        Return what `commit` gets of a group, None if there is nothing to make durable.

        Every earlier group is settled. The pump calls it, so it must not take long.

        Args:
            group: The chunks, ends of sources and ticks, in the order in which they are settled.
            idle_us: How long sources were listened to when idle ones were last looked for, if that
                was after the last group.
        """
        kept = [
            (item.taken, item.result) for item in group if item.taken is not None and item.is_kept
        ]
        return kept or None

    def commit(self, prepared: Any) -> None:  # noqa: ANN401 - of `prepare`
        """
        Make a group durable.

        Raises:
            CommitError: The group is not durable.
        """

    def describe(self) -> str:
        """Return where the state is, for the start-up line."""
        return "state is in memory only"

    def add_source(self, origin: Origin) -> object:
        """Take note of a source that is added during the run, before its first chunk."""

    def note_outcome(self, error: BaseException | None) -> None:
        """Take note of the outcome of a commit, before its group is settled."""

    def close(self) -> None:
        """Release what it holds, at the end of the run or when it is abandoned."""
