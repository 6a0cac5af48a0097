"""The commit: makes the results of chunks durable before they take effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace._errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._runtime.stage import StampedChunk

__all__ = ["Commit", "CommitError"]


class CommitError(TailraceError):
    """A group could not be made durable; later groups may succeed."""


class Commit:
    """
    Makes the results of chunks durable before they take effect; this one stores nothing.

    The pump guarantees the following, whatever a commit does and however long it takes:

    - One commit runs at a time. It takes every chunk that waits, in the order in which the chunks
      were received; chunks with malformed bytes are left out.
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

    def commit(self, group: Sequence[tuple[StampedChunk, Any]]) -> None:
        """
        Make chunks durable, each with its result; `None` for the end of a source.

        Raises:
            CommitError: The group is not durable.
        """
