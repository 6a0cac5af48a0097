"""What happened in the last N seconds of this log, by key, ranked; live and exact."""

from tailrace._aggregates import (
    Aggregate,
    approx_distinct,
    count,
    distinct,
    first,
    last,
    max,
    mean,
    min,
    quantile,
    rate,
    ratio,
    std,
    sum,
    top_values,
    var,
)
from tailrace._answers import Answers, Batches
from tailrace._core import __version__
from tailrace._errors import ProtocolError, TailraceError
from tailrace._format import Batch, Detection, Format, Reject, detect
from tailrace._query import Query, from_files, from_flume, from_lines, from_stdin, merge
from tailrace._snapshot import Snapshot
from tailrace._window import Snapshots, Window

__all__ = [
    "Aggregate",
    "Answers",
    "Batch",
    "Batches",
    "Detection",
    "Format",
    "ProtocolError",
    "Query",
    "Reject",
    "Snapshot",
    "Snapshots",
    "TailraceError",
    "Window",
    "__version__",
    "approx_distinct",
    "count",
    "detect",
    "distinct",
    "first",
    "from_files",
    "from_flume",
    "from_lines",
    "from_stdin",
    "last",
    "max",
    "mean",
    "merge",
    "min",
    "quantile",
    "rate",
    "ratio",
    "std",
    "sum",
    "top_values",
    "var",
]
