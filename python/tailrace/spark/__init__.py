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

__all__: list[str] = []

del _pyspark


def __dir__() -> list[str]:
    return sorted(__all__)
