"""Types that the compiled module and the Python around it share."""

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from tailrace._core import Table

__all__ = [
    "Answer",
    "ArrowArray",
    "ArrowStream",
    "Ask",
    "Columns",
    "FieldKind",
    "Kind",
    "Outcome",
    "Output",
    "Pane",
]

# Which length, bounds in microseconds since the epoch, keys, total, events of other keys, rows,
# keys that are no rows any more, counters.
Answer: TypeAlias = tuple[
    int,
    int | None,
    int | None,
    int,
    int,
    int | None,
    "Table",
    "Table | None",
    dict[str, Any],
]

# Where a pane begins and ends in microseconds since the epoch, keys with what was asked of them or
# with their parts, counters of the lines up to its end that no pane before has told.
Pane: TypeAlias = tuple[int, int, "Table", dict[str, Any]]

# What an aggregate is asked: its name in answers, which it is, fields, number, error.
Ask: TypeAlias = tuple[str, str, list[str], float, float]

# Newline text, the parameter of Flume's appendBatch, that of its append.
Kind: TypeAlias = Literal["lines", "batch", "event"]

# What the sender of a chunk is told: that it is counted, that it is not and may be sent again, or
# nothing, and then its connection is closed.
Outcome: TypeAlias = Literal["ok", "failed", "close"]

# Rows of fields as they are written.
Output: TypeAlias = Literal["jsonl", "csv", "text"]

# Columns of fields as they are written.
Columns: TypeAlias = Literal["arrow", "parquet"]

FieldKind = Literal["text", "int", "float", "time"]


class ArrowArray(Protocol):
    """An array with the PyCapsule interface of Arrow."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return its schema and itself."""
        ...


class ArrowStream(Protocol):
    """Arrays in a row with the PyCapsule interface of Arrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return them."""
        ...
