"""Options that name a format and its columns, of the command and of Spark."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tailrace._names import AUTO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["naming", "spec_with_columns"]

# Formats that take the names of their columns.
_DELIMITED = ("csv", "tsv", "w3c", "iis")


def spec_with_columns(
    name: str, columns: str, options: tuple[str, str] = ("log_format", "columns")
) -> str:
    """
    Return the format string for columns with these names, which is not checked.

    Args:
        name: The format, or `auto`, which means `csv`.
        columns: The names, separated by commas.
        options: What the user calls these two.

    Raises:
        ValueError: The columns of the format are known.

    >>> spec_with_columns("auto", "time,url")
    'csv:time,url'
    """
    if name not in {AUTO, *_DELIMITED}:
        log_format, of_columns = options
        raise ValueError(
            f"{of_columns}: expected {log_format} {', '.join(_DELIMITED[:-1])} or "
            f"{_DELIMITED[-1]}, found {name!r:.80}, whose columns are known"
        )
    return f"{'csv' if name == AUTO else name}:{columns}"


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Put the name of an option before the message of an error, unless it names another one."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith(("where:", "since:", "until:", "since, until:", "geoip:")):
            raise
        raise ValueError(f"{option}: {error}") from None
