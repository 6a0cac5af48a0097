"""Types that the compiled module and the Python code share."""

from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Protocol,
    TypeAlias,
    TypedDict,
)

from tailrace._public import show_own_members

if TYPE_CHECKING:
    from datetime import tzinfo

    from tailrace._core import Table

__all__ = [
    "AggregateSpec",
    "Answer",
    "ArrowArray",
    "ArrowScalar",
    "ArrowStream",
    "Columns",
    "FieldKind",
    "Kind",
    "Layout",
    "LineCounts",
    "NumpyScalar",
    "Outcome",
    "Output",
    "Pane",
    "RankedBy",
]


class LineCounts(TypedDict):
    """
    The numbers of lines read, by what happened to them.

    `fed` is the sum of `counted`, `late`, `filtered` and all that were rejected. With a Flume
    source there are two more counters, which are not in that sum.

    Attributes:
        fed: Lines read.
        counted: Lines counted in a window, or parsed into rows.
        late: Lines that came after their window's result.
        filtered: Lines excluded by a filter (`where`, `since`, `until`).
        rejected: Lines that were rejected, by reason (`no-match`, `too-long`, `no-time`, `future`,
            `past`).
        abandoned: Lines of batches that were dropped, because their sender had closed its
            connection before they were counted; it sends them again.
        resent: Lines that were skipped, because they were counted when they were sent before.

    >>> tr.from_lines(["not a log line"], format="combined").count(by="url").collect().lines
    {'fed': 1, 'counted': 0, 'late': 0, 'filtered': 0, 'rejected': {'no-match': 1}}
    """

    fed: int
    counted: int
    late: int
    filtered: int
    rejected: dict[str, int]
    abandoned: NotRequired[int]
    resent: NotRequired[int]


show_own_members(LineCounts)


class ChunkCounts(LineCounts):
    """The counters of a chunk, and its headers and comments, which are not lines of the log."""

    headers: int


# An answer of the core: the index of its length, its bounds in microseconds since the epoch, the
# number of keys, the number of events, the events of keys over `max_keys`, the rows, the keys that
# dropped out, the results of all keys together, and counters.
Answer: TypeAlias = tuple[
    int,
    int | None,
    int | None,
    int,
    int,
    int | None,
    "Table",
    "Table | None",
    "Table",
    LineCounts,
]


class Layout(NamedTuple):
    """How the columns of a snapshot are computed, for those who show them."""

    by: tuple[str, ...]
    """The names of the key fields."""
    functions: dict[str, tuple[str, tuple[str, ...]]]
    """The function of each aggregate and its fields, by the name of its column."""
    drawn: str | None
    """The column with bars: the one that ranks the rows, or the first if a key field ranks them."""
    tz: "tzinfo | None" = None
    """The zone in which text shows times; None is UTC."""
    intervals: dict[str, int] = {}  # noqa: RUF012 - never changed
    """The lengths in microseconds of the key fields that are intervals of time."""
    is_over_time: bool = False
    """Whether the rows are the intervals of the one key field, in the order of time."""

    def is_share(self, name: str) -> bool:
        """Report whether the values of a column are shares, from 0 to 1."""
        return name in self.functions and self.functions[name][0] in {"share", "share_where"}

    def adds_up(self, name: str) -> bool:
        """Report whether the values of a column add up to that of the whole window."""
        return self.functions[name][0] in {"count", "rate", "share", "sum"}


# The bounds of a pane in microseconds since the epoch, its keys with their aggregates or partials,
# and counters of the lines up to its end that no pane before it has counted.
Pane: TypeAlias = tuple[int, int, "Table", LineCounts]

# An aggregate: its name in answers, its function, fields, parameter and error.
AggregateSpec: TypeAlias = tuple[str, str, list[str], float, float]

# What rows are ranked by, and the place of it among aggregates or key fields.
RankedBy: TypeAlias = tuple[Literal["aggregate", "key"], int]

# Lines with newlines, the argument of Flume's appendBatch, or that of its append.
Kind: TypeAlias = Literal["lines", "batch", "event"]

# The reply to the sender of a chunk: it is counted; it is not, and may be sent again; or none, and
# the connection is closed.
Outcome: TypeAlias = Literal["ok", "failed", "close"]

# How rows of fields are written.
Output: TypeAlias = Literal["jsonl", "csv", "text"]

# How columns of fields are written.
Columns: TypeAlias = Literal["arrow", "parquet"]

FieldKind: TypeAlias = Literal["text", "int", "float", "time"]


class NumpyScalar(Protocol):
    """A `datetime64` or `timedelta64` of NumPy."""

    @property
    def dtype(self) -> Any:  # noqa: ANN401 - of NumPy
        """Its type, with the unit."""
        ...


class ArrowScalar(Protocol):
    """A single value of pyarrow."""

    def as_py(self) -> Any:  # noqa: ANN401 - of any type
        """Return it as a Python value."""
        ...


class ArrowArray(Protocol):
    """An array that implements the Arrow PyCapsule interface."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return its schema and its data as capsules."""
        ...


class ArrowStream(Protocol):
    """A table or chunked array that implements the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return its data as a capsule."""
        ...
