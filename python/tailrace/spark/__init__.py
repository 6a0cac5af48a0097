"""
Parse, count and merge log lines inside Spark jobs.

Needs PySpark 3.5 or 4 on the driver and pyarrow; tailrace has to be installed for the Python of the
executors, too.
"""

from __future__ import annotations

try:
    import pyspark as _pyspark
except ModuleNotFoundError as error:
    raise ImportError(
        "tailrace.spark needs PySpark 3.5 or 4, which is not installed for this Python; run this "
        "with the Python of Spark, or pip install pyspark"
    ) from error

from tailrace.spark._described import schema
from tailrace.spark._merger import WindowMerger
from tailrace.spark._panes import merge_panes, pane_counts
from tailrace.spark._parse import parse
from tailrace.spark._sharded import sharded_windows
from tailrace.spark._udfs import parse_udf, register, url_udf

__all__ = [
    "WindowMerger",
    "merge_panes",
    "pane_counts",
    "parse",
    "parse_udf",
    "register",
    "schema",
    "sharded_windows",
    "url_udf",
]

# Users see `tailrace.spark.parse` in `repr` and `help`, not the module that defines it.
for _name in __all__:
    globals()[_name].__module__ = __name__

del _pyspark


def __dir__() -> list[str]:
    return sorted(__all__)
