"""Parse a column of lines into typed columns, with `mapInArrow`."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    MapType,
    StringType,
    StructType,
)

from tailrace import _core
from tailrace._detection import Detector
from tailrace._first_lines import ENOUGH_LINES, FirstLines
from tailrace._names import AUTO, choice, closest
from tailrace._sources import Chunk
from tailrace.spark._described import check_spec, check_text, describe, new_columns
from tailrace.spark._executors import importer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import tzinfo

    from pyspark.sql import DataFrame

__all__ = ["as_argument", "line_column", "parse", "report", "spec_of"]

Mode = Literal["permissive", "drop", "fail"]

_MODES = ["permissive", "drop", "fail"]

# Types that Spark cannot send to Python in Arrow batches, in 3.5 and in 4.
_NOT_IN_ARROW = {"YearMonthIntervalType", "CalendarIntervalType"}

# Names that `DataFrame[name]` takes for what they are.
_PLAIN_NAME = re.compile(r"\w[\w ]*")


def parse(
    df: DataFrame,
    column: str = "value",
    *,
    fields: Sequence[str] | None = None,
    log_format: str = "combined",
    columns: str | Sequence[str] | None = None,
    mode: Mode = "permissive",
    reject_column: str | None = None,
    bad_utf8_column: str | None = None,
    prefix: str = "",
    where: str | None = None,
    tz: str | tzinfo = "UTC",
    geoip: str | os.PathLike[str] | None = None,
) -> DataFrame:
    """
    Add the fields of log lines as typed columns, after all columns of a DataFrame.

    It works on batches and streams. Rows keep their order within a partition, and a line that is
    null, or a header of the log, is a row without fields. Only the fields that are requested are
    extracted, so a few of them cost less.

    Args:
        df: Any DataFrame, of Spark Connect too.
        column: The name of its column of lines, of type string or binary. A newline at the end of a
            line does not count.
        fields: The fields, in this order; by default the columns of the format. `schema` shows
            their types.
        log_format: A name or a format string, as for `tailrace.Format`. With `"auto"` a batch
            DataFrame is read up to its first 1,000 lines to detect it, and the choice is logged by
            `tailrace.spark`, or printed to standard error if nobody listens to that logger.
        columns: The names of the columns, for `csv`, `tsv`, `w3c` and `iis`: text as in a header,
            separated by commas, or a list.
        mode: What becomes of a line that does not match: `"permissive"` keeps its row, with null
            for every field; `"drop"` leaves it out, and null lines too; `"fail"` ends the job.
        reject_column: A column with the reason why a line was rejected, `no-match` or `too-long`
            (more than 64 KiB), and null for all others.
        bad_utf8_column: A boolean column: whether bytes of a requested text were not UTF-8 and
            became U+FFFD.
        prefix: Comes before the names of the fields.
        where: Keep only lines that match a condition, as for `tailrace.Query.where`. A rejected
            line matches none, so it is left out unless there is a *reject_column*.
        tz: The zone of times that have none in the log, such as `"Europe/Berlin"`.
        geoip: A MaxMind DB file of countries on the driver, for fields such as `host:country`; its
            bytes are sent to the executors, once for each query.

    Raises:
        ImportError: A field needs the packages of `tailrace[agents]` on the driver.
        TypeError: An argument has another type.
        ValueError: The DataFrame has no such column of lines, it already has a column with the name
            of a new one, or an argument is invalid.

    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> logs = spark.createDataFrame([(1, line), (2, "?")], "id int, value string")
    >>> parsed = ts.parse(logs, fields=["url", "status"], reject_column="reason")
    >>> [tuple(row) for row in parsed.drop("value").collect()]
    [(1, '/a', 200, None), (2, None, None, 'no-match')]
    """
    at = line_column(df, column)
    choice(check_text(mode, "mode"), _MODES, "mode")
    if mode == "drop" and reject_column is not None:
        raise ValueError(
            "reject_column: would always be null with mode='drop'; expected mode='permissive', "
            "which keeps rejected lines"
        )
    spec = spec_of(df, at, log_format, columns)
    described = describe(spec, fields, where=where, tz=tz, geoip=geoip)
    added = new_columns(
        described.struct(check_text(prefix, "prefix")), reject_column, bad_utf8_column
    )
    known = df.schema
    _check_clashes(df, known, added)
    _check_types(known)
    if not all(_PLAIN_NAME.fullmatch(name) for name in df.columns) or _has_twins(df.columns):
        # PySpark refers to each column by its name.
        df = df.toDF(*(f"_{number}" for number in range(len(known))))
    options = {
        "at": at,
        "fails": mode == "fail",
        "keep_rejected": mode != "drop" and (where is None or reject_column is not None),
        "reasons": reject_column,
        "bad_utf8": bad_utf8_column,
    }
    return df.mapInArrow(_rows(described.plain, options), StructType([*known, *added]))


def _rows(
    plain: dict[str, Any], options: dict[str, Any]
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    load = importer()

    def parse_rows(batches: Iterable[Any]) -> Iterator[Any]:
        yield from load("tailrace.spark._rows").rows(batches, plain, **options)

    return parse_rows


def line_column(df: DataFrame, column: str) -> int:
    """
    Return the position of the column of lines.

    Raises:
        TypeError: *df* is not a DataFrame, or the name is not text.
        ValueError: There is no such column, more than one, or it has another type.
    """
    if not hasattr(df, "mapInArrow"):
        raise TypeError(f"df: expected a DataFrame of Spark, found {df!r:.80}")
    check_text(column, "column")
    fold = _folding(df)
    types = {place: of.dataType for place, of in enumerate(df.schema)}
    names = df.columns
    places = [place for place, name in enumerate(names) if fold(name) == fold(column)]
    # Of names that differ in case only, the one that is written this way.
    places = [place for place in places if names[place] == column] or places
    if len(places) > 1:
        raise ValueError(
            f"column: the DataFrame has {len(places)} columns {column!r}; rename one of them"
        )
    if not places:
        listed = ", ".join(f"{one.name} {one.dataType.simpleString()}" for one in df.schema)
        guess = closest(column, names)
        if "." in column and fold(column.partition(".")[0]) in map(fold, names):
            guess = "a field of a struct needs a column of its own, as by select; "
        raise ValueError(
            f"column: the DataFrame has no column {column!r}; {guess}its columns are "
            f"{_cut(listed) or 'none'}"
        )
    found = types[places[0]]
    if not isinstance(found, StringType | BinaryType):
        texts = [df.columns[place] for place, of in types.items() if isinstance(of, StringType)]
        hint = f"; columns of strings are {_cut(', '.join(texts))}" if texts else ""
        raise ValueError(  # noqa: TRY004 - the name is one of a column, only not the right one
            f"column: expected lines of type string or binary in {column!r}, found "
            f"{_cut(found.simpleString())}{hint}"
        )
    return places[0]


def _folding(df: DataFrame) -> Callable[[str], str]:
    """Return what makes names equal that Spark takes for the same."""
    is_exact = str(df.sparkSession.conf.get("spark.sql.caseSensitive")).lower() == "true"
    return str if is_exact else str.lower


def _has_twins(names: Sequence[str]) -> bool:
    return len({name.lower() for name in names}) < len(names)


_MAX_TEXT = 300


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."


def _check_clashes(df: DataFrame, known: StructType, added: StructType) -> None:
    """
    Check that no new column has the name of another one.

    Raises:
        ValueError: One has; the message names it.
    """
    fold = _folding(df)
    old = {fold(name): name for name in known.names}
    new: dict[str, str] = {}
    for name in added.names:
        if (other := old.get(fold(name))) is not None:
            raise ValueError(
                f"column {other!r} of the DataFrame would have the name of the new column "
                f"{name!r}; give a prefix, such as prefix='log_', or another name, or drop the "
                "column first"
            )
        if (other := new.get(fold(name))) is not None:
            both = f"{other!r} and {name!r}" if other != name else f"two columns {name!r}"
            raise ValueError(
                f"new columns: Spark cannot distinguish {both}; give them other names, or set "
                "spark.sql.caseSensitive to true if they differ in case"
            )
        new[fold(name)] = name


def _check_types(known: StructType) -> None:
    """
    Check that Spark can send each column to Python.

    Raises:
        ValueError: It cannot; the message names them all.
    """
    bad = [one for one in known if _NOT_IN_ARROW & _classes(one.dataType)]
    if bad:
        listed = ", ".join(f"{one.name!r} ({one.dataType.simpleString()})" for one in bad)
        raise ValueError(
            f"df: Spark cannot send columns of these types to Python: {_cut(listed)}; drop them, "
            "or cast them to string"
        )


def _classes(of: DataType) -> set[str]:
    """Return the classes of a type and of all types in it."""
    if isinstance(of, StructType):
        inner: list[DataType] = [one.dataType for one in of]
    elif isinstance(of, ArrayType):
        inner = [of.elementType]
    elif isinstance(of, MapType):
        inner = [of.keyType, of.valueType]
    else:
        inner = []
    return {type(of).__name__}.union(*map(_classes, inner))


def spec_of(df: DataFrame, at: int, log_format: str, columns: str | Sequence[str] | None) -> str:
    """
    Return the format of the lines of a column; `auto` looks at the first of a batch DataFrame.

    Raises:
        ValueError: The format is invalid, or none can be detected.
    """
    spec = check_spec(log_format, columns, auto=not df.isStreaming)
    return _detected(df, at) if spec == AUTO else spec


def _detected(df: DataFrame, at: int) -> str:
    """Return the format of the first lines, and report which one it is."""
    source = f"column {df.columns[at]!r}"
    lines = df.toDF(*(f"_{number}" for number in range(len(df.columns)))).select(f"_{at}")
    # Spark would replace bytes that are not UTF-8 in text.
    lines = lines.dropna().selectExpr(f"cast(_{at} as binary) as line")
    found = (bytes(row.line) for row in lines.limit(ENOUGH_LINES).collect())
    sample = b"".join(line.removesuffix(b"\n") + b"\n" for line in found)
    chunk = Chunk(sample, (0, len(sample)))
    detector = Detector()
    detector.look(chunk)
    if not detector.lines:
        raise ValueError(
            f"log_format: 'auto' needs lines to look at, and {source} has none; name the format"
        )
    chosen = detector.choose()
    message = as_argument(chosen.describe(source))
    if not chosen.is_enough:
        raise ValueError(message)
    names = _W3C_COLUMNS.search(sample)
    if names and _core.Format(chosen.format).has_header and not _core.default_fields(chosen.format):
        columns = ",".join(names[1].decode(errors="replace").split())
        raise ValueError(
            f"{message}, but rows of Spark have no order in which its header comes first; give "
            f"log_format={chosen.format!r} and columns={columns!r}"
        )
    look = FirstLines()
    look.look(chunk, _core.Format(chosen.format))
    for one in (message, *(f"{source}: {as_argument(doubt)}" for doubt in look.doubts())):
        report(one)
    return check_spec(chosen.format)


_W3C_COLUMNS = re.compile(rb"^#fields:[ \t]*(.+)$", re.IGNORECASE | re.MULTILINE)


def as_argument(message: str) -> str:
    """Return a message of the command with the argument instead of the option."""
    return message.replace("with --log-format", "as log_format").replace(
        "--log-format", "log_format"
    )


def report(message: str) -> None:
    """Log a message, or print it if nobody listens."""
    logger = logging.getLogger("tailrace.spark")
    if logger.isEnabledFor(logging.INFO) and logger.hasHandlers():
        logger.info("%s", message)
    else:
        sys.stderr.write(f"tailrace.spark: {message}\n")
