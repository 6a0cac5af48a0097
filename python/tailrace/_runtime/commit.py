"""What keeps the work on chunks before it takes effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace._errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._runtime.stage import Taken

__all__ = ["Commit", "CommitError"]


class CommitError(TailraceError):
    """A group could not be kept; what comes after it may be."""


class Commit:
    """
    Keeps what was made of chunks before it takes effect; this one keeps nothing.

    The pump sees to this, whatever a commit does and however long it takes:

    - One commit runs at a time, and takes all that waits then, in the order in which it was taken
      in; chunks whose bytes were malformed are not among it.
    - Nothing is settled before its commit has returned, and all is settled in that same order.
    - The clock of the stage moves to a time only when all that was stamped before it is settled.
    - What could not be kept is never settled, and its sender is told `failed`. After a
      `CommitError` the run goes on, unless a chunk of the group has no sender that could be told,
      as those of files; after any other exception it ends, and raises that. The end of a source is
      settled all the same.
    - When the end is asked for, what was taken in is committed and settled before the run ends. A
      run that is abandoned waits for the commit that runs, and settles nothing more.
    """

    blocks = False
    """Whether it may take long: then it runs on a thread of its own, beside all else."""

    def commit(self, group: Sequence[tuple[Taken, Any]]) -> None:
        """
        Keep chunks, each with what the work made of it; nothing for the end of a source.

        Raises:
            CommitError: They are not kept.
        """
