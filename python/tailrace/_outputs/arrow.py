"""
Columns as an Arrow stream or a Parquet file, by pyarrow, which is an extra.

What is held of them is bounded: a record batch or row group is written as soon as it is large
enough, or earlier to somebody who waits for it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from typing import TextIO

    from tailrace._types import ArrowStream

__all__ = ["FORMATS", "ArrowFile", "OtherTypesError", "check_installed"]

FORMATS = ["arrow", "parquet"]
"""What may be asked for."""

# A row group of this many rows compresses as well as a larger one and reads in parallel; agents
# and URLs may be long, so there is a bound in bytes too.
_GROUP_ROWS = 128 * 1024
_GROUP_BYTES = 64 * 1024 * 1024


class OtherTypesError(Exception):
    """The columns are of other types than those before."""


def check_installed(output: str) -> None:
    """
    See that pyarrow is there.

    Raises:
        ValueError: It is not; the message says how to mend that.
    """
    try:
        import pyarrow  # noqa: F401, ICN001, PLC0415 - 100 ms that only these outputs need
    except ImportError as error:
        raise ValueError(
            f"--format {output} needs pyarrow, which is not here: pip install 'tailrace[arrow]'"
        ) from error


class ArrowFile:
    """
    Writes columns to a stream, as Arrow's IPC stream or as a Parquet file.

    Both can be read once `end` was called, however early that was; an Arrow stream up to then too.
    """

    def __init__(self, stream: TextIO, output: str) -> None:
        self._sink = _Sink(stream)
        self._output = output
        self._writer: Any = None
        self._schema: Any = None
        self._held: list[Any] = []
        self._rows = self._bytes = 0

    @property
    def has_types(self) -> bool:
        """Whether the types of the columns are known."""
        return self._schema is not None

    def add(self, columns: ArrowStream) -> None:
        """
        Take the next rows; no rows tell the types of the columns.

        Raises:
            OtherTypesError: They are not those of the rows before.
            BrokenPipeError: The reader went away.
            OutputError: They cannot be written.
        """
        import pyarrow  # noqa: ICN001, PLC0415 - as above

        table = pyarrow.table(columns)
        if self._schema is None:
            self._schema = table.schema
        if table.schema != self._schema:
            raise OtherTypesError(_difference(table.schema, self._schema))
        if not table.num_rows:
            return
        self._held.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def show(self) -> None:
        """Let somebody who reads along see all rows so far, as far as the format can."""
        if self._output == "arrow":
            self._flush()

    def end(self) -> None:
        """Write what is held, and what belongs behind it."""
        if self._schema is not None:
            self._flush()
            self._open().close()

    def _flush(self) -> None:
        if not self._held:
            return
        import pyarrow  # noqa: ICN001, PLC0415 - as above

        table = pyarrow.concat_tables(self._held).combine_chunks()
        self._held.clear()
        self._rows = self._bytes = 0
        self._open().write_table(table)

    def _open(self) -> Any:  # noqa: ANN401 - of two kinds, without types
        if self._writer is None:
            if self._output == "arrow":
                from pyarrow import ipc  # noqa: PLC0415 - as above

                self._writer = ipc.new_stream(self._sink, self._schema)
            else:
                from pyarrow.parquet import ParquetWriter  # noqa: PLC0415 - as above

                self._writer = ParquetWriter(self._sink, self._schema, compression="zstd")
        return self._writer


def _difference(found: Any, wanted: Any) -> str:  # noqa: ANN401 - schemas
    for one, other in zip(found, wanted, strict=False):
        if one != other:
            return f"{one.name} as {one.type}, not as {other.type}"
    return f"{len(found)} columns, not {len(wanted)}"


class _Sink(io.RawIOBase):
    """A stream as pyarrow writes to one: it asks for the place, and closes it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._place = 0
        self._failed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, or what has them
        # A writer that is thrown away after a failure tries to write its end.
        if not self._failed:
            self._failed = True
            write(self._stream, data)
            self._failed = False
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def writable(self) -> bool:
        return True
