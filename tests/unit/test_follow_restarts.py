"""Random rotations and restarts: a process begins where the last noted position is."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from rotations import OPERATIONS, World

from tailrace._sources import Chunk, FilePosition
from tailrace._sources.changes import Changes
from tailrace._sources.positions import Positions
from tailrace._sources.rotation import QUIET_S, FollowedLog

# While no process follows the log, what only one that does can read would be lost.
NEED_A_FOLLOWER = {"copy, write, then truncate", "gzip what is written to", "remove the oldest"}


class Restarted(World):
    """A world whose follower may end at any time, and start again."""

    def __init__(self, directory: Path, *, header: int) -> None:
        # What a journal has: the newest state, and the notes after it.
        self.state: bytes | None = None
        self.notes: list[bytes] = []
        # Chunks that were delivered and are not committed.
        self.queue: list[Chunk] = []
        self.is_up = False
        self.has_deleted = False
        self.positions = Positions()
        super().__init__(directory, header=header)
        self.name.close()
        self.begin()

    def begin(self) -> None:
        if self.is_up:
            return
        self.is_up = True
        self.positions = Positions()
        if self.state is not None:
            self.positions.restore(self.state)
        for note in self.notes:
            self.positions.apply(note)
        path = str(self.path)
        self.names = []
        known = self.positions.begin(path)
        self.name = FollowedLog(path, 0, Changes(), self.names, known=known)
        self.names.append(self.name)
        self.name.resume()
        self.name.start(from_end=False)
        self.steps = self.name.steps()
        # As if the start was in the first round.
        self.commit()

    def commit(self, most: int = 10**9) -> None:
        """Commit chunks, oldest first."""
        for chunk in self.queue[:most]:
            start, end = chunk.span
            self.got += chunk.data[start:end].splitlines()
            assert isinstance(chunk.position, FilePosition)
            self.notes.append(self.positions.note(chunk.position))
        del self.queue[:most]
        if facts := self.positions.facts():
            self.notes.append(facts)

    def save(self) -> None:
        self.state = self.positions.state()
        self.notes.clear()
        table = Positions()
        table.restore(self.state)
        assert table.state() == self.state

    def kill(self) -> None:
        if self.is_up:
            if self.has_deleted:
                # Only this process can read such files.
                self.release()
                self.has_deleted = False
            self.is_up = False
            self.queue.clear()
            self.steps.close()
            self.name.close()

    def look(self, most: int = 10**9) -> None:
        for _ in range(most if self.is_up else 0):
            chunks = next(self.steps)
            if chunks is None:
                break
            self.queue += chunks

    def look_whole(self) -> None:
        super().look_whole()
        self.commit()

    def release(self) -> None:
        """Read old files to their end, with their last lines; nobody writes to them any longer."""
        if self.old is not None:
            self.leave(self.old)
            self.old = None
        self.name.now += QUIET_S + 1
        self.look_whole()

    def do(self, operation: str) -> None:  # noqa: C901 - one branch each
        match operation:
            case "kill":
                self.kill()
            case "stop":
                if self.is_up:
                    self.commit()
                    self.save()
                    self.kill()
            case "start":
                self.begin()
            case "commit":
                self.commit()
            case "commit one":
                self.commit(1)
            case "save":
                if self.is_up:
                    self.save()
            case "remove the oldest" if self.is_up:
                # A last line without newline would be lost.
                self.release()
                super().do(operation)
            case _:
                if self.is_up or operation not in NEED_A_FOLLOWER:
                    # Files are compressed while they are written to.
                    self.has_deleted |= operation == "gzip what is written to"
                    super().do(operation)

    def end(self) -> None:
        self.begin()
        super().end()
        self.commit()


MORE = ("kill", "kill", "stop", "start", "start", "commit", "commit", "commit one", "save")


def play(operations: list[str], *, header: int = 0) -> Restarted:
    with tempfile.TemporaryDirectory() as directory:
        world = Restarted(Path(directory), header=header)
        for operation in operations:
            world.do(operation)
        world.end()
        return world


@examples(400)
@given(st.lists(st.sampled_from(OPERATIONS + MORE), max_size=50))
def test_every_line_is_read_once_over_any_rotations_and_restarts(operations: list[str]):
    world = play(operations)

    assert sorted(world.got) == sorted(world.written)


@examples(150)
@given(st.lists(st.sampled_from(OPERATIONS + MORE), max_size=50), st.sampled_from([9, 60]))
def test_every_line_is_read_once_over_restarts_if_all_files_begin_alike(
    operations: list[str], header: int
):
    world = play(operations, header=header)

    assert sorted(world.lines()) == sorted(set(world.written) - set(world.comments()))
