"""Types that the compiled module and the Python around it share."""

from typing import Any, Literal, TypeAlias

__all__ = ["Answer", "Kind", "Output"]

# Bounds in microseconds since the epoch, keys, total, rows, counters.
Answer: TypeAlias = tuple[
    int | None, int | None, int, int, list[tuple[str | bytes | int | None, int]], dict[str, Any]
]

# Newline text, the parameter of Flume's appendBatch, that of its append.
Kind: TypeAlias = Literal["lines", "batch", "event"]

# Rows of fields as they are written.
Output: TypeAlias = Literal["jsonl", "csv", "text"]
FieldKind = Literal["text", "int", "float", "time"]
