"""Types that the compiled module and the Python around it share."""

from typing import Any, Literal, Protocol, TypeAlias

__all__ = ["Answer", "ArrowArray", "ArrowStream", "Columns", "FieldKind", "Kind", "Output"]

# Bounds in microseconds since the epoch, keys, total, rows, counters.
Answer: TypeAlias = tuple[
    int | None, int | None, int, int, list[tuple[str | bytes | int | None, int]], dict[str, Any]
]

# Newline text, the parameter of Flume's appendBatch, that of its append.
Kind: TypeAlias = Literal["lines", "batch", "event"]

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
