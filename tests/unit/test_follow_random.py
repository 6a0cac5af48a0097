"""Random rotations with checks in between, compared with the lines that were written."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from rotations import OPERATIONS, World


def play(operations: list[str], *, header: int = 0) -> World:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), header=header)
        for operation in operations:
            world.do(operation)
        world.end()
        return world


@examples(250)
@given(st.lists(st.sampled_from(OPERATIONS), max_size=40))
def test_every_line_is_read_once_after_any_rotations_between_two_checks(operations: list[str]):
    world = play(operations)

    assert sorted(world.got) == sorted(world.written)


@examples(100)
@given(st.lists(st.sampled_from(OPERATIONS), max_size=40), st.sampled_from([9, 60]))
def test_every_line_is_read_once_if_all_files_begin_alike(operations: list[str], header: int):
    # A header of a few lines, or one longer than any single append.
    world = play(operations, header=header)

    # A comment line that every file has may be mistaken for one that was read.
    assert sorted(world.lines()) == sorted(set(world.written) - set(world.comments()))


def test_a_rotated_file_with_only_a_comment_is_examined_again():
    world = play(
        ["append", "look", "rename", "append", "rename", "rename only", "gzip what is written to"],
        header=9,
    )

    assert sorted(world.lines()) == sorted(set(world.written) - set(world.comments()))


def test_an_empty_gzip_log_is_not_taken_for_the_beginning_of_the_next_log():
    operations = ["append", "copy, then truncate", "rename", "rename only", "gzip", "wait"]
    world = play([*operations, "append", "rename"], header=9)

    assert sorted(world.lines()) == sorted(set(world.written) - set(world.comments()))
