"""Columns go out as Arrow, lines come in as lists and Arrow arrays; real readers on both sides."""

import array
import gzip
import mmap
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import nanoarrow
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import LOG

import tailrace as tr

Row = dict[str, Any]

LOG = gzip.decompress(LOG.read_bytes())
COMBINED = tr.Format("combined")
TYPES = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us", "UTC"),
}


def line(status: str = "200", agent: str = "x", user: str = "-") -> str:
    return f'h - {user} [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" {status} 5 "-" "{agent}"'


def plain(rows: list[Row]) -> list[Row]:
    """Return rows with their times as `to_dicts` has them."""
    for row in rows:
        if isinstance(row.get("time"), datetime):
            row["time"] = row["time"].astimezone(UTC)
    return rows


def of_pandas(batch: tr.Batch) -> list[Row]:
    frame = pd.DataFrame.from_arrow(batch).astype(object)
    whole = frame.where(frame.notna(), None).to_dict("records")
    # pandas has no whole numbers beside missing ones.
    return [{k: int(v) if isinstance(v, float) else v for k, v in row.items()} for row in whole]


def of_duckdb(batch: tr.Batch) -> list[Row]:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("batch", batch)
    return connection.sql("select * from batch").to_arrow_table().to_pylist()


READERS: dict[str, Callable[[tr.Batch], list[Row]]] = {
    "pyarrow": lambda batch: pa.table(batch).to_pylist(),
    "polars": lambda batch: pl.DataFrame(batch).to_dicts(),
    "pandas": of_pandas,
    "duckdb": of_duckdb,
    "nanoarrow": lambda batch: list(nanoarrow.ArrayStream(batch).read_all().to_pylist()),
}


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_arrow_sees_what_the_dictionaries_say(reader: str):
    lines = [line(), line("-", "\udcff\u00e9"), "no log line", line(user="u"), line("404", "")]
    batch = COMBINED.parse(lines)

    assert plain(READERS[reader](batch)) == batch.to_dicts()
    assert batch.to_dicts()[1]["agent"] == "\ufffd\u00e9"


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_arrow_sees_a_whole_real_log(reader: str):
    batch = COMBINED.parse(LOG)

    assert len(batch) == 9_999
    assert plain(READERS[reader](batch)) == batch.to_dicts()


def test_times_are_those_of_the_log_in_utc():
    text = line().replace("+0000", "-0330")
    (time,) = pa.table(COMBINED.parse([text], fields=["time"]))["time"].to_pylist()
    assert time == datetime(2015, 5, 17, 13, 35, 3, tzinfo=UTC)


def test_the_types_of_the_columns_are_those_of_the_fields():
    batch = COMBINED.parse(b"", fields=COMBINED.fields)

    schema = pa.schema(batch)
    assert schema == pa.table(batch).schema
    assert {field.name: field.type for field in schema} == {
        name: TYPES[kind] for name, kind in COMBINED.kinds.items()
    }
    assert batch.fields == COMBINED.fields == schema.names


def test_without_nulls_there_is_no_bitmap():
    table = pa.table(COMBINED.parse([line(), line("-")], fields=["url", "status"]))

    assert [column.chunk(0).buffers()[0] is None for column in table.columns] == [True, False]
    assert [column.null_count for column in table.columns] == [0, 1]


def test_nothing_is_copied_on_the_way_out():
    batch = COMBINED.parse(LOG)

    def addresses() -> list[int]:
        columns = pa.table(batch).columns
        return [buf.address for column in columns for buf in column.chunk(0).buffers() if buf]

    assert addresses() == addresses()


def test_columns_outlive_their_batch():
    table = pa.table(COMBINED.parse(LOG, fields=["url"]))
    table.validate(full=True)
    assert table.num_rows == 9_999
    assert (
        table["url"][0].as_py()
        == "/presentations/logstash-monitorama-2013/images/kibana-search.png"
    )


def test_threads_read_one_batch_and_share_a_format():
    expected = COMBINED.parse(LOG).to_dicts()
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(COMBINED.parse, [LOG] * 4))
        tables = list(threads.map(pa.table, batches[:1] * 4))
    assert all(batch.to_dicts() == expected for batch in batches)
    assert all(table == tables[0] for table in tables)


def test_a_batch_says_what_it_is():
    batch = COMBINED.parse([line(), "x", line()], fields=["url", "status"])
    assert repr(batch) == "<tailrace.Batch of url, status: 2 lines, 1 rejected>"
    assert repr(COMBINED.parse([line()], fields=["url"])).endswith("1 line, 0 rejected>")


# --- in -------------------------------------------------------------------------------------------

LINES = [line(), "no log line", "", line("404"), line(agent="\u00e9")]
TEXTS = {
    "bytes": lambda data: data,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "every other byte": lambda data: memoryview(bytes(b for byte in data for b in (byte, 0)))[::2],
    "array": lambda data: array.array("B", data),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_newline_text_is_taken_from_every_buffer(kind: str):
    data = "\n".join(LINES).encode()

    batch = COMBINED.parse(TEXTS[kind](data))
    assert batch.to_dicts() == COMBINED.parse(data).to_dicts()
    assert [reject.line for reject in batch.rejects] == [1, 2]


def test_a_mapped_file_is_parsed(tmp_path: Path):
    (tmp_path / "log").write_bytes(LOG)
    with (
        (tmp_path / "log").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert len(COMBINED.parse(mapped)) == 9_999


BINARY = [text.encode() for text in LINES]
ITEMS: dict[str, Callable[[], Any]] = {
    "texts": lambda: LINES,
    "bytes": lambda: BINARY,
    "with newlines": lambda: [item + b"\n" for item in BINARY],
    "generator": lambda: iter(LINES),
    "string": lambda: pa.array(LINES),
    "large string": lambda: pa.array(LINES, pa.large_string()),
    "string view": lambda: pa.array(LINES, pa.string_view()),
    "binary": lambda: pa.array(BINARY),
    "large binary": lambda: pa.array(BINARY, pa.large_binary()),
    "binary view": lambda: pa.array(BINARY, pa.binary_view()),
    "chunked": lambda: pa.chunked_array([LINES[:2], [], LINES[2:]]),
    "slice": lambda: pa.array(["x", *LINES, line()])[1:-1],
    "polars": lambda: pl.Series(LINES),
    "pandas": lambda: pd.Series(LINES),
    "nanoarrow": lambda: nanoarrow.Array(LINES, nanoarrow.string()),
}


@pytest.mark.parametrize("kind", ITEMS)
def test_each_item_is_a_line(kind: str):
    batch = COMBINED.parse(ITEMS[kind]())

    assert batch.to_dicts() == COMBINED.parse("\n".join(LINES).encode()).to_dicts()
    assert [reject.line for reject in batch.rejects] == [1, 2]


def test_a_null_is_an_empty_line_so_that_lines_keep_their_numbers():
    batch = COMBINED.parse(pa.array([None, line(), None]))
    assert [(reject.line, reject.byte) for reject in batch.rejects] == [(0, 0), (2, 0)]
    assert len(batch) == 1


def test_a_newline_within_an_item_belongs_to_its_line():
    for lines in ([line(agent="a\nb")], pa.array([line(agent="a\nb")])):
        (row,) = COMBINED.parse(lines).to_dicts()
        assert row["agent"] == "a\nb"


def test_text_that_was_no_utf8_is_what_it_was():
    text = line(agent="\udcff")
    raw = text.encode("utf-8", "surrogateescape")
    assert COMBINED.parse([text]).to_dicts() == COMBINED.parse([raw]).to_dicts()


@given(items=st.lists(st.none() | st.binary(max_size=40).map(lambda tail: line().encode() + tail)))
def test_arrays_and_lists_are_read_alike(items: list[bytes | None]):
    expected = COMBINED.parse([item or b"" for item in items], fields=COMBINED.fields)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        # Arrow cuts no newline off, for what is in an array is one line already.
        if any(item and item.endswith(b"\n") for item in items):
            continue
        batch = COMBINED.parse(pa.array(items, kind), fields=COMBINED.fields)
        assert batch.to_dicts() == expected.to_dicts()
        assert batch.rejects == expected.rejects


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("text", "found a str; encode it"),
        (5, "found 5"),
        (None, "found None"),
        ([5], "expected bytes or str in the list, found 5"),
        ([b"x", None], "expected bytes or str in the list, found None"),
        (pa.array([1]), "text or bytes, found Int64"),
        (pa.table({"a": ["x"]}), "text or bytes, found Struct"),
    ],
)
def test_what_is_no_line_is_a_type_error(lines: object, message: str):
    with pytest.raises(TypeError, match=message):
        COMBINED.parse(lines)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["i", "d", "u", "Q"])
def test_an_array_of_anything_but_bytes_is_no_log(code: str):
    values = array.array(code, line() if code == "u" else [1, 2])
    with pytest.raises(TypeError, match=r"found array; pass .tolist\(\) or an Arrow array"):
        COMBINED.parse(values)
    assert len(COMBINED.parse(array.array("B", line().encode()))) == 1


# --- headers --------------------------------------------------------------------------------------


def test_a_table_has_the_columns_of_every_header():
    text = b"#Fields: c-ip sc-status\n1.2.3.4 200\n#Fields: sc-status x-own\n404 b\n"
    batch = tr.Format("w3c").parse(text)

    assert batch.to_dicts() == [
        {"host": "1.2.3.4", "status": 200, "x-own": None},
        {"host": None, "status": 404, "x-own": "b"},
    ]
    assert (batch.filtered, batch.rejects) == (0, [])
    assert pa.table(batch).schema.types == [pa.string(), pa.int64(), pa.string()]


def test_fields_of_a_list_with_a_header_have_to_be_named():
    lines = ["#Fields: c-ip sc-status", "1.2.3.4 200"]
    batch = tr.Format("w3c").parse(lines, fields=["status", "host"])
    assert batch.to_dicts() == [{"status": 200, "host": "1.2.3.4"}]


# --- formats --------------------------------------------------------------------------------------


def test_a_format_knows_its_fields_and_their_types():
    assert COMBINED.columns == COMBINED.fields[: len(COMBINED.columns)]
    assert {*COMBINED.fields} - {*COMBINED.columns} >= {"request", "path", "query"}
    assert list(COMBINED.kinds) == COMBINED.fields
    assert COMBINED.kinds["time"] == "time"
    assert COMBINED.kinds["size"] == "int"
    assert repr(COMBINED) == "Format('combined')"
    assert pickle.loads(pickle.dumps(COMBINED)).parse([line()]).to_dicts()  # noqa: S301 - ours


def test_fields_are_returned_in_the_requested_order():
    for fields in (["status", "url"], ("url", "status")):
        batch = COMBINED.parse([line()], fields=fields)
        assert batch.fields == [*fields] == pa.table(batch).column_names == [*batch.to_dicts()[0]]


def test_no_fields_are_rows_all_the_same():
    batch = COMBINED.parse([line(), line()], fields=[])
    assert (len(batch), batch.to_dicts()) == (2, [{}, {}])
    assert pa.RecordBatchReader.from_stream(batch).read_next_batch().num_rows == 2


def test_a_wrong_field_is_an_error():
    with pytest.raises(ValueError, match="format combined has no field 'statsu'; did you mean"):
        COMBINED.parse(b"", fields=["statsu"])
    with pytest.raises(ValueError, match="'url' is given twice"):
        COMBINED.parse(b"", fields=["url", "url"])
    with pytest.raises(TypeError, match=r"expected a list of names, found a str; write \['url'\]"):
        COMBINED.parse(b"", fields="url")


def test_a_wrong_format_is_an_error():
    with pytest.raises(ValueError, match="did you mean 'combined'"):
        tr.Format("combind")
    with pytest.raises(TypeError, match="found 5"):
        tr.Format(5)  # type: ignore[arg-type]


# --- detection ------------------------------------------------------------------------------------


def test_detection_counts_the_lines_that_match_and_names_the_runner_up():
    common = line().rpartition(' "-"')[0]
    text = "\n".join([line()] * 7 + [common] * 2 + ["no log line", ""]).encode()
    found = tr.detect(text)

    assert (found.format, found.lines) == ("combined", 10)
    assert found.matched == len(tr.Format("combined").parse(text))
    assert found.runner_up is not None
    assert found.runner_up_matched == len(tr.Format(found.runner_up).parse(text))
    assert 0 < found.runner_up_matched <= found.matched


def test_detection_of_nothing_has_no_runner_up():
    assert tr.detect(b"") == tr.Detection("combined", 0, 0, None, 0)
    assert tr.detect(bytearray(b"no log line")) == tr.Detection("combined", 0, 1, None, 0)


def test_a_field_that_the_detected_format_does_not_have_is_an_error():
    assert tr.detect(line().encode(), fields=["agent"]).format == "combined"
    with pytest.raises(ValueError, match="format combined has no field 'nonsense'"):
        tr.detect(line().encode(), fields=["nonsense"])
