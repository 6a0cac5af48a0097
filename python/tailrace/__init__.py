"""
Count and rank log lines by field, exactly, over a whole log or a sliding window.

>>> import tailrace as tr
>>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
>>> tr.from_lines([line]).count(by="url").collect().rows
[{'url': '/a', 'count': 1}]
"""

# Python would fail with an error about circular imports, far from the reason.
_archive = getattr(__spec__.loader, "archive", None)
if _archive is not None:
    raise ImportError(
        f"tailrace: expected an installed package, found {_archive}; its compiled module does not "
        "load from a zip or a wheel: install it, or in Spark send it with --archives instead of "
        "--py-files"
    )

from tailrace._aggregates import (
    Aggregate,
    approx_count_distinct,
    count,
    count_distinct,
    first,
    last,
    max,
    mean,
    min,
    quantile,
    rate,
    ratio,
    share,
    std,
    sum,
    top_values,
    var,
)
from tailrace._answers import Answers, Batches
from tailrace._core import __version__
from tailrace._errors import CheckpointError, ProtocolError, TailraceError
from tailrace._format import Batch, Detection, Format, Reject, detect
from tailrace._public import Public
from tailrace._query import Query, from_files, from_flume, from_lines, from_stdin, merge
from tailrace._snapshot import Snapshot
from tailrace._types import LineCounts
from tailrace._window import Snapshots, Window

__all__ = [
    "Aggregate",
    "Answers",
    "Batch",
    "Batches",
    "CheckpointError",
    "Detection",
    "Format",
    "LineCounts",
    "ProtocolError",
    "Query",
    "Reject",
    "Snapshot",
    "Snapshots",
    "TailraceError",
    "Window",
    "__version__",
    "approx_count_distinct",
    "count",
    "count_distinct",
    "detect",
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
    "share",
    "std",
    "sum",
    "top_values",
    "var",
]

# Users see `tailrace.Query` in `repr`, `help` and pickles, not the module that defines it.
for _name in __all__:
    _value = globals()[_name]
    if _name != "__version__":
        _value.__module__ = __name__
    if isinstance(_value, Public):
        for _member in vars(_value).values():
            if callable(_member):
                _member.__module__ = __name__
del _archive, _name, _value, _member


def __dir__() -> list[str]:
    return sorted(__all__)
