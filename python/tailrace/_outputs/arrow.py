"""
Write columns as an Arrow stream or a Parquet file, with pyarrow, an optional dependency.

Memory is bounded: a record batch or row group is written as soon as it is large enough, or earlier
for a live reader.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tailrace._outputs import types
from tailrace._outputs.types import OtherTypesError
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from typing import TextIO

    from tailrace._types import ArrowStream

__all__ = ["FORMATS", "ArrowFile", "OtherTypesError", "check_installed"]

FORMATS = ["arrow", "parquet"]
"""The values of --format that are written here."""

# A row group of this many rows compresses as well as a larger one, and groups are read in
# parallel. The bound in bytes is for long agents and URLs.
_GROUP_ROWS = 128 * 1024
_GROUP_BYTES = 64 * 1024 * 1024


def check_installed(output: str) -> None:
    """
    Check that pyarrow is installed.

    Raises:
        ValueError: It is not. The message says how to install it.
    """
    try:
        import pyarrow  # noqa: F401, ICN001, PLC0415 - takes 100 ms, and only these outputs need it
    except ImportError as error:
        raise ValueError(
            f"--format: {output} needs pyarrow: pip install 'tailrace[arrow]'"
        ) from error


class ArrowFile:
    """
    Writes columns to a stream, as an Arrow IPC stream or as a Parquet file.

    A Parquet file can be read only after `end`; an Arrow stream can be read while it is written.
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
        """Report whether the types of the columns are known."""
        return self._schema is not None

    def add(self, columns: ArrowStream, *, widen: bool = False) -> None:
        """
        Add rows; a table without rows sets the types of the columns.

        Args:
            columns: The rows.
            widen: Whether the values of a column may differ in type. Until the first rows are
                written, its type is then one that keeps all of them: JSON text if no other does.

        Raises:
            OtherTypesError: The types differ from those of the rows before.
            BrokenPipeError: The reader closed the pipe.
            OutputError: The rows cannot be written.
        """
        import pyarrow  # noqa: ICN001, PLC0415 - as above

        table = pyarrow.table(columns)
        if self._schema is None:
            self._schema = table.schema
        if table.schema != self._schema:
            if not widen:
                raise OtherTypesError(_difference(table.schema, self._schema))
            if self._writer is None:
                self._schema = types.common(self._schema, table.schema)
            else:
                table = types.converted(table, self._schema)
        if not table.num_rows:
            return
        self._held.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def show(self) -> None:
        """Write the rows so far for a live reader, if the format allows it."""
        if self._output == "arrow":
            self._flush()

    def end(self) -> None:
        """Write the remaining rows and the end of the format."""
        if self._schema is not None:
            self._flush()
            self._open().close()

    def _flush(self) -> None:
        if not self._held:
            return
        import pyarrow  # noqa: ICN001, PLC0415 - as above

        if self._writer is None:
            self._schema = types.decided(self._schema)
        held = [types.converted(table, self._schema) for table in self._held]
        table = pyarrow.concat_tables(held).combine_chunks()
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
            return types.difference(one, other)
    return f"expected {len(wanted)} fields, found {len(found)}"


class _Sink(io.RawIOBase):
    """Presents a stream to pyarrow, which needs the position and closes the file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._place = 0
        self._failed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, or what has them
        # When pyarrow discards a writer after a failure, it still writes the end.
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
