"""Read a part of a log file as batches of rows; runs on executors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tailrace import _core
from tailrace._errors import SourceError
from tailrace._terminal.excerpt import mismatch
from tailrace.spark._rows import compiled
from tailrace.spark._source.files import LogFile, Part, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["batches"]

_TYPES = {
    "text": pa.string(),
    "any": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us", "UTC"),
}


def batches(plan: Mapping[str, Any], partition: Any) -> Iterator[pa.RecordBatch]:  # noqa: ANN401
    """
    Yield the rows of a partition, one batch for each mebibyte of text.

    Raises:
        SourceError: The file cannot be read or has changed, or a line is rejected in mode `fail`.
    """
    if partition is None:
        # Spark has one partition where there are no lines.
        return
    *file, start, end, spec = partition
    part = Part(LogFile(*file), start, end)
    rows = _Rows(plan, spec, part.file.path)
    for offset, data in blocks(part):
        yield from rows.of(offset, data)


class _Rows:
    def __init__(self, plan: Mapping[str, Any], spec: str, path: str) -> None:
        self._path = path
        self._fails: bool = plan["fails"]
        self._keeps: bool = plan["keeps"]
        self._names: list[str] = plan["names"]
        self._fields = [name for name in self._names if name in plan["kinds"]]
        self._reason: str | None = plan["reject_column"]
        self._bad_utf8: str | None = plan["bad_utf8_column"]
        types = {name: _TYPES[kind] for name, kind in plan["kinds"].items()}
        types |= {self._reason: pa.string(), self._bad_utf8: pa.bool_()}
        self._schema = pa.schema([(name, types[name]) for name in self._names])
        self._kinds: dict[str, str] = plan["kinds"]
        self._format = compiled(plan["plain"][spec]).format
        self._has_header = self._format.has_header
        conditions = [f"({text})" for text in (plan["where"], *plan["pushed"]) if text]
        self._where = " and ".join(conditions) or None
        self._since_us, self._until_us = plan["range_us"]

    def of(self, offset: int, data: bytes) -> Iterator[pa.RecordBatch]:
        """Yield the rows of whole lines."""
        if not self._has_header:
            yield from self._section(offset, data, self._format)
            return
        span = (0, len(data))
        sections, self._format = self._format.sections(data, kind="lines", span=span)
        for (start, end), section in sections:
            yield from self._section(offset + start, data[start:end], section)

    def _section(
        self, offset: int, data: bytes, log_format: _core.Format
    ) -> Iterator[pa.RecordBatch]:
        lines = pc.split_pattern(pa.array([data], pa.binary()), b"\n").values
        if data.endswith(b"\n"):
            lines = lines.slice(0, len(lines) - 1)
        fields = self._fields
        if self._has_header:
            fields = self._present(offset, log_format)
        try:
            table, _, rejected = _core.parse_rows(
                lines,
                format=log_format,
                fields=fields,
                filter=self._filter(log_format),
                keep_rejected=self._keeps,
                reasons=self._reason,
                bad_utf8=self._bad_utf8,
            )
        except _core.FilterError as error:
            raise SourceError(
                f"{self._path}: the condition does not apply to the columns of the header before "
                f"byte {offset:,}: {error.args[0]}"
            ) from None
        if rejected is not None and self._fails:
            raise SourceError(self._rejected(offset, lines, rejected, log_format))
        for batch in pa.table(table).to_batches():
            if batch.num_rows:
                yield self._completed(batch)

    def _present(self, offset: int, log_format: _core.Format) -> list[str]:
        """
        Return the fields that the lines after a header have; the others are missing there.

        Raises:
            SourceError: One has another type than at the beginning of the files.
        """
        kinds = {name: _core.field_kind(log_format, name) for name in self._fields}
        for name, kind in kinds.items():
            if kind is not None and kind != self._kinds[name]:
                raise SourceError(
                    f"{self._path}: field {name!r} has the type {kind} after the header at byte "
                    f"{offset:,}, but {self._kinds[name]} before it; read other fields"
                )
        return [name for name, kind in kinds.items() if kind is not None]

    def _filter(self, log_format: _core.Format) -> _core.Filter | None:
        where = self._where
        if where is None and self._keeps and self._has_header:
            # With any condition, a header line is no row of nulls.
            where = next(
                (
                    f"`{name}` == null or `{name}` != null"
                    for name in _core.default_fields(log_format)
                    if "`" not in name
                ),
                None,
            )
        if where is None and self._since_us is None and self._until_us is None:
            return None
        return _core.Filter(where, since_us=self._since_us, until_us=self._until_us)

    def _completed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with all columns, of exactly their types."""
        if batch.num_columns < len(self._names):
            have = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns = [
                have[field.name] if field.name in have else pa.nulls(len(batch), field.type)
                for field in self._schema
            ]
            return pa.RecordBatch.from_arrays(columns, schema=self._schema)
        return batch.select(self._names).cast(self._schema)

    def _rejected(
        self,
        offset: int,
        lines: pa.Array,
        rejected: tuple[int, int, str, str],
        log_format: _core.Format,
    ) -> str:
        row, byte, reason, expected = rejected
        offset += sum(len(line) + 1 for line in lines[:row].to_pylist())
        line = lines[row].as_py()
        why = "it is too long" if reason == "too-long" else mismatch(expected, line, byte)
        return (
            f"{self._path}: the line at byte {offset:,} does not match format {log_format.spec}: "
            f"{why}: {line[:200]!r}; mode=permissive keeps such lines as rows of nulls, and "
            "mode=drop leaves them out"
        )
