"""`spark.read.format("tailrace")`: log files as rows, against the core and against Spark itself."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import os
import random
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyspark
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import cloudpickle
from pyspark.sql import functions as sf

import tailrace as tr
import tailrace.spark as ts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

try:
    from pyspark.sql import datasource as of
except ImportError:
    of = None

IS_4 = int(pyspark.__version__.partition(".")[0]) >= 4
PUSHDOWN = "spark.sql.python.filterPushdown.enabled"


def test_spark_3_5_does_not_offer_the_format(spark: SparkSession):
    if IS_4:
        pytest.skip("this Spark has data sources in Python")
    ts.register(spark)

    assert not hasattr(spark, "dataSource")


needs_4 = pytest.mark.skipif(
    not IS_4, reason="Spark 3.5 has no data sources in Python; 4.0 is the first with them"
)


def module(name: str) -> Any:  # noqa: ANN401 - a module
    return importlib.import_module(f"tailrace.spark._source.{name}")


@pytest.fixture(scope="module")
def source(spark: SparkSession) -> SparkSession:
    ts.register(spark)
    return spark


def line(
    number: int = 0,
    *,
    url: str = "/a",
    status: object = 200,
    size: object = 5,
    user: str = "-",
    agent: str = "x",
) -> bytes:
    time = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC) + timedelta(seconds=number)
    stamp = f"{time:%d/%b/%Y:%H:%M:%S +0000}"
    text = (
        f'10.0.0.{number % 7} - {user} [{stamp}] "GET {url} HTTP/1.1" {status} {size} "-" "{agent}"'
    )
    return text.encode() + b"\n"


LINES = [line(number, url=f"/{number}", status=200 + number % 5) for number in range(40)]
REJECTED = b"no log line\n"


def read(source: SparkSession, path: object, **options: str) -> DataFrame:
    return source.read.format("tailrace").options(**options).load(path)  # type: ignore[arg-type]


def planned(**options: str) -> dict[str, Any]:
    """Plan a query in this process, as Spark does in a worker."""
    found: dict[str, Any] = module("plan").plan(options, *module("plan").schema(options))
    return found


def values(df: DataFrame) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in df.collect()]


def by_core(data: bytes, fields: Sequence[str], log_format: str = "combined") -> list[Any]:
    """The oracle: the rows of the library, in order."""
    rows = tr.Format(log_format).parse(data, fields=list(fields)).to_dicts()
    return [tuple(row[name] for name in fields) for row in rows]


def message(call: Callable[[], object]) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each test looks at the message
        call()
    text = str(caught.value)
    assert "plan.py" not in text, "only the message, not where it was raised"
    return text


# Files


@needs_4
def test_plain_rotated_and_compressed_files_are_rows(source: SparkSession, folder: Path):
    parts = [b"".join(LINES[at : at + 10]) for at in range(0, 40, 10)]
    (folder / "access.log").write_bytes(parts[0])
    (folder / "access.log.1").write_bytes(parts[1][:-1])
    (folder / "access.log.2.gz").write_bytes(gzip.compress(parts[2]))
    (folder / "access.log.3.bz2").write_bytes(
        bz2.compress(parts[3][:500]) + bz2.compress(parts[3][500:])
    )
    (folder / "access.log.4.xz").write_bytes(lzma.compress(parts[0]))
    (folder / "access.log.5").write_bytes(
        "\ufeff".encode("utf-16-le") + parts[1].decode().encode("utf-16-le")
    )
    (folder / "access.log.6").write_bytes(b"\0" * 70_000 + parts[2])
    (folder / "access.log.7").write_bytes(b"")
    expected = by_core(b"".join([*parts, *parts[:3]]), ["url", "status"])

    df = read(source, f"{folder}/access.log*", fields="url,status")

    assert sorted(values(df)) == sorted(expected)
    assert df.rdd.getNumPartitions() == 7


@needs_4
def test_zstd_needs_its_extra(source: SparkSession, folder: Path):
    # A frame with one raw block.
    data = LINES[0]
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)])
    frame += (len(data) << 3 | 1).to_bytes(3, "little") + data
    (folder / "a.zst").write_bytes(frame)
    try:
        tr.from_files(folder / "a.zst").count().collect()
    except tr.TailraceError:
        found = message(lambda: read(source, f"{folder}/a.zst"))
        assert "cannot decompress zstd" in found
        assert "pip install 'tailrace[zst]'" in found
    else:
        assert values(read(source, f"{folder}/a.zst", fields="url")) == [("/0",)]


@needs_4
def test_several_paths_and_uris(source: SparkSession, folder: Path):
    (folder / "a b.log").write_bytes(LINES[0])
    (folder / "c%20d.log").write_bytes(LINES[1])
    (folder / "a:b.log").write_bytes(LINES[2])
    paths = [
        f"{folder}/a b.log",
        f"file:{folder}/a b.log",
        f"file://{folder}/a b.log",
        (folder / "a b.log").as_uri(),
        f"file:{folder}/c%20d.log",
        f"{folder}/a:*",
    ]

    found = values(read(source, paths, fields="url"))

    assert Counter(found) == {("/0",): 4, ("/1",): 1, ("/2",): 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "hdfs://node/logs/a.log",
            "tailrace.spark.parse(spark.read.text('hdfs://node/logs/a.log'))",
        ),
        ("s3a://bucket/a.log", "another file system"),
        ("file://elsewhere/a.log", "without a host"),
        ("{folder}", "is a directory; give the files in it, such as {folder}/*"),
        ("{folder}/none.log", "no such file"),
        ("{folder}/none*.log", "no file matches the pattern"),
        ("{folder}/pipe", "expected a regular file"),
        ("{folder}/binary", "SQLite"),
        ("{folder}/prose", "matches no known format"),
        ("", "path: expected a log file"),
        ("/proc/version", "found one without a size"),
    ],
)
def test_a_path_that_cannot_be_read(folder: Path, path: str, expected: str):
    os.mkfifo(folder / "pipe")
    (folder / "binary").write_bytes(b"SQLite format 3\0" + b"\1" * 1000)
    (folder / "prose").write_bytes(b"It was the best of times.\n")

    with pytest.raises(ValueError, match=re.escape(expected.format(folder=folder))):
        planned(path=path.format(folder=folder))


# Ranges

pieces = st.lists(
    st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b"\n\n", b"\xff", b"x" * 70_000]), max_size=30
)


@given(pieces, st.integers(1, 40))
def test_each_line_is_in_exactly_one_range(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], size: int
):
    data = b"".join(parts)
    path = tmp_path_factory.mktemp("range") / "a.log"
    path.write_bytes(data)
    files = module("files")
    file = files.survey(str(path))
    if len(data) > 10_000:
        size *= 5_000

    found = []
    for part in files.parts_of(file, size, whole=False):
        for offset, block in files.blocks(part):
            lines = block.split(b"\n")
            found += lines[:-1] if block.endswith(b"\n") else lines
            assert data[offset : offset + 60_000].startswith(block[:60_000])

    expected = data.split(b"\n")
    expected = expected[:-1] if data.endswith(b"\n") or not data else expected
    too_long = tr._core.MAX_LINE_BYTES + 1
    assert [one[:too_long] for one in found] == [one[:too_long] for one in expected]


@needs_4
def test_ranges_give_the_rows_of_the_whole_file(source: SparkSession, folder: Path):
    data = b"".join([*LINES, REJECTED, b"\n", line(99)[:-1]])
    (folder / "a.log").write_bytes(data)
    whole = read(source, f"{folder}/a.log", reject_column="why")
    parts = read(source, f"{folder}/a.log", reject_column="why", partition_bytes="700")

    assert parts.rdd.getNumPartitions() == -(-len(data) // 700)
    assert values(parts) == values(whole)
    assert whole.rdd.getNumPartitions() == 1


@needs_4
def test_a_file_is_read_as_it_was_planned(source: SparkSession, folder: Path):
    path = folder / "a.log"
    path.write_bytes(b"".join(LINES[:3]) + LINES[3][:-20])
    df = read(source, str(path), fields="url,agent", mode="drop", log_format="combined")
    assert len(values(df)) == 3

    # The line that was cut is complete now; the next one is not of this query.
    path.write_bytes(b"".join(LINES[:5]))
    assert values(df) == by_core(b"".join(LINES[:4]), ["url", "agent"])
    assert len(values(df.select("*").where("true"))) == 4


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (b"".join(LINES[:2]), "it was replaced or truncated: load it again"),
        (b"".join(LINES[5:30]), "found another beginning"),
        (None, "no such file on "),
    ],
)
def test_a_file_that_changed_before_it_is_read(folder: Path, later: bytes | None, expected: str):
    path = folder / "a.log"
    path.write_bytes(b"".join(LINES[:5]))
    plan = planned(path=str(path), fields="url")
    if later is None:
        path.unlink()
    else:
        path.write_bytes(later)

    with pytest.raises(ValueError, match=expected):
        list(module("rows").batches(plan, plan["partitions"][0]))


# Options


@needs_4
def test_names_of_options(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(LINES[0])

    for name in ("log-format", "log_format", "logFormat", "--LOG-FORMAT"):
        assert read(source, f"{folder}/a.log", **{name: "classic"}).schema == ts.schema("classic")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"field": "url"}, "unknown option 'field'; did you mean 'fields'?"),
        ({"header": "true"}, "unknown option 'header'; "),
        ({"follow": "true"}, "follow: not an option in Spark; use spark.readStream.text"),
        ({"last": "10m"}, "last: not an option in Spark; use since and until"),
        ({"kind": "spool"}, "kind: spool is not available yet"),
        ({"kind": "logs"}, "kind: expected log, found 'logs'"),
        ({"mode": "permisive"}, "did you mean 'permissive'?"),
        ({"mode": "drop", "reject_column": "why"}, "would always be null"),
        (
            {"fields": "url,urll"},
            "fields: format combined has no field 'urll'; did you mean 'url'?",
        ),
        ({"fields": "['url']"}, "fields: expected names of fields separated by commas"),
        ({"fields": "url,url"}, "fields: field 'url' is given twice"),
        (
            {"log_format": "combind"},
            "log_format: unknown format 'combind'; did you mean 'combined'",
        ),
        ({"log_format": "csv", "logformat": "tsv"}, "log_format: given twice"),
        ({"columns": "a,b", "log_format": "combined"}, "columns: expected log_format csv"),
        ({"where": "status >"}, "where: "),
        ({"where": "statu == 1", "log_format": "combined"}, "no field 'statu'"),
        ({"since": "nonsense"}, "since: "),
        ({"since": "2020-01-01", "until": "2019-01-01"}, "no line can match"),
        ({"tz": "Europe/Berln"}, "tz: "),
        ({"geoip": "/none.mmdb", "fields": "host:country"}, "geoip: /none.mmdb: no such file"),
        ({"fields": "host:country"}, "geoip: expected a MaxMind DB file"),
        ({"reject_column": ""}, "reject_column: expected the name of a column"),
        ({"reject_column": "url", "fields": "url"}, "reject_column: expected a name that no other"),
        ({"bad_utf8_column": "url"}, "expected a name that no field has"),
        ({"partition_bytes": "many"}, "partition_bytes: expected a size such as 64MB"),
        ({"provider": "tailrace", "owner": "me"}, "expected CREATE TEMPORARY VIEW"),
    ],
)
def test_a_wrong_option(folder: Path, options: dict[str, str], expected: str):
    (folder / "a.log").write_bytes(LINES[0])

    with pytest.raises(ValueError, match=re.escape(expected)):
        planned(path=f"{folder}/a.log", **options)


@needs_4
def test_errors_reach_the_user_as_one_message(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(LINES[0])
    path = f"{folder}/a.log"

    assert "unknown option 'field'; did you mean 'fields'?" in message(
        lambda: read(source, path, field="url").collect()
    )
    assert "a folder: is a directory" in message(lambda: read(source, str(folder)).collect())


@needs_4
def test_conditions_times_and_zones(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(
        b"2015-05-17 10:05:03,1\n2015-05-17 10:05:04,2\nbad,3,4\n2015-05-17 10:05:05,5\n"
    )
    df = read(
        source,
        f"{folder}/a.log",
        columns="time,n:int",
        tz="+02:00",
        since="2015-05-17 10:05:04",
        where="n < 5",
    )

    assert df.schema == ts.schema("csv", columns="time,n:int")
    # 08:05:04 UTC, as the session's zone of Kolkata shows it.
    assert values(df.select(sf.date_format("time", "HH:mm:ss"), "n")) == [("13:35:04", 2)]


@needs_4
def test_modes(source: SparkSession, folder: Path):
    path = f"{folder}/a.log"
    (folder / "a.log").write_bytes(
        LINES[0] + REJECTED + line(1, url="/\xff").decode().encode("latin-1")
    )
    options = {"fields": "url", "log_format": "combined"}
    rows = values(read(source, path, **options, reject_column="why", bad_utf8_column="bad"))

    assert rows == [("/0", None, False), (None, "no-match", False), ("/\ufffd", None, True)]
    assert values(read(source, path, **options)) == [("/0",), (None,), ("/\ufffd",)]
    assert values(read(source, path, **options, mode="drop")) == [("/0",), ("/\ufffd",)]
    # As in `parse`: a rejected line matches no condition, unless it is asked for.
    assert values(read(source, path, **options, where="url == /0")) == [("/0",)]
    kept = read(source, path, **options, where="url == /0", reject_column="why")
    assert values(kept) == [("/0", None), (None, "no-match")]
    failed = message(read(source, path, **options, mode="fail").collect)
    assert f"{path}: the line at byte {len(LINES[0])} does not match format combined: " in failed


# Formats and schemas


@needs_4
def test_formats_with_a_header(source: SparkSession, folder: Path):
    first = b"#Version: 1.0\n#Fields: date time cs-uri-stem sc-status\n2020-01-01 00:00:01 /a 200\n"
    more = b"bad\n#Date: 2020-01-02\n#Fields: date time sc-status x\n2020-01-02 00:00:02 404 q\n"
    (folder / "a.log").write_bytes(first + more)
    df = read(source, f"{folder}/a.log", reject_column="why", partition_bytes="10")

    assert df.drop("time").dtypes[:3] == [
        ("url", "string"),
        ("path", "string"),
        ("status", "bigint"),
    ]
    assert values(df.drop("time")) == [
        ("/a", "/a", 200, None),
        (None, None, None, "no-match"),
        (None, None, 404, None),
    ]
    (folder / "b.csv").write_bytes(b"a,b\n1,x\n")
    assert values(read(source, f"{folder}/b.csv", log_format="csv")) == [("1", "x")]


@needs_4
def test_formats_that_name_their_own_fields(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(b'{"status": 200, "foo": 1}\n{"foo": {"b":[2]}}\n')
    (folder / "b.log").write_bytes(b'{"status": 404, "bar": null, "msg": "x"}\n')
    df = read(source, f"{folder}/*.log")

    assert df.dtypes == [
        ("status", "bigint"),
        *((name, "string") for name in ("foo", "bar", "msg")),
    ]
    assert sorted(values(df), key=str) == [
        (200, "1", None, None),
        (404, None, None, "x"),
        (None, '{"b":[2]}', None, None),
    ]
    assert values(read(source, f"{folder}/b.log", fields="msg,status")) == [("x", 404)]


@needs_4
def test_files_need_one_schema(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(LINES[0])
    (folder / "b.log").write_bytes(b'{"status": 404, "url": "/b", "request_time": 1}\n')
    found = message(lambda: read(source, f"{folder}/*.log"))

    assert "b.log: format json has other columns than " in found
    assert "choose fields that both have, such as url,status" in found or "such as status" in found
    both = values(read(source, f"{folder}/*.log", fields="status,url"))
    assert sorted(both) == [(200, "/0"), (404, "/b")]


def test_what_was_detected_is_reported_once(folder: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(12):
        (folder / f"{number:02}.log").write_bytes(LINES[0])
    (folder / "00.log").write_bytes(LINES[0] + REJECTED)
    given_options = {"path": f"{folder}/*.log", "fields": "url"}
    found, detected = module("plan").schema(given_options)
    first = capsys.readouterr().err.splitlines()
    module("plan").plan(given_options, found, detected)

    assert [text.partition("folder/")[2] for text in first] == [
        "00.log: format combined, 1 of the first 2 lines matches",
        "01.log: format combined, the first line matches",
    ]
    assert capsys.readouterr().err == ""


def test_a_schema_does_not_read_whole_files(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "a.log").write_bytes(b"".join(LINES) * 3_000)
    size = (folder / "a.log").stat().st_size
    seen = []
    pread = os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        seen.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counting)
    module("plan").schema({"path": f"{folder}/a.log"})

    assert sum(seen) < 2_000_000 < size


@needs_4
def test_a_schema_of_the_user_selects_fields(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(LINES[0] + REJECTED)
    path = f"{folder}/a.log"
    reader = source.read.format("tailrace").options(reject_column="why", log_format="combined")

    assert values(reader.schema("status bigint, why string, url string").load(path)) == [
        (200, None, "/0"),
        (None, "no-match", None),
    ]
    assert values(reader.schema("status bigint").load(path)) == [(200,), (None,)]
    assert "schema: status: expected bigint, found int; cast it with withColumn" in message(
        reader.schema("status int").load(path).collect
    )


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("statu bigint", "no field 'statu'; did you mean 'status'?"),
        ("status bigint not null", "schema: status: expected a column that can be null"),
        ("why string", "schema: expected at least one field of the lines, found none"),
        ("why boolean, url string", "schema: why: expected string, found boolean"),
        ("host string", "column 'host' is not in the option fields, url,status"),
    ],
)
def test_a_schema_that_does_not_fit(spark: SparkSession, folder: Path, schema: str, expected: str):
    (folder / "a.log").write_bytes(LINES[0])
    options = {"path": f"{folder}/a.log", "log_format": "combined", "reject_column": "why"}
    if "host" in schema:
        options["fields"] = "url,status"
    wanted = spark.createDataFrame([], schema).schema

    with pytest.raises(ValueError, match=re.escape(expected)):
        module("plan").plan(options, wanted, {})


@needs_4
def test_sql(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(b"".join(LINES))
    source.sql(
        f"CREATE OR REPLACE TEMPORARY VIEW logs USING tailrace "
        f"OPTIONS (path '{folder}/a.log', `log-format` 'combined', fields 'status,url')"
    )

    assert values(source.sql("SELECT count(*), min(url) FROM logs WHERE status = 204")) == [
        (8, "/14")
    ]
    found = message(
        lambda: source.sql(
            f"CREATE TABLE logs_table USING tailrace OPTIONS (path '{folder}/a.log')"
        )
    )
    assert "expected CREATE TEMPORARY VIEW name USING tailrace" in found


@needs_4
def test_it_neither_streams_nor_writes(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(LINES[0])
    df = read(source, f"{folder}/a.log")

    assert "this one reads" in message(
        lambda: df.write.format("tailrace").mode("append").save(f"{folder}/out")
    )
    stream = source.readStream.format("tailrace").load(f"{folder}/a.log")
    query = stream.writeStream.format("noop").start()
    assert "spark.readStream.text" in message(query.processAllAvailable)


# Filters

FIELDS = ["host", "user", "time", "url", "status", "size", "agent", "request_time"]
TYPED = (
    "host string, user string, time timestamp, url string, status bigint, size bigint, "
    "agent string, request_time double"
)

texts = [
    "",
    "/",
    "/a",
    "/A",
    "a b",
    'q"u',
    "b\\",
    "b\\\\",
    "'",
    "null",
    "é",
    "\ufffd",
    "\x7f",
    "-",
    "10.0.0.1",
]


def random_lines(chance: random.Random) -> Iterator[bytes]:
    for number in range(300):
        url = chance.choice(
            ["/", "/a", "/A", "/a%20b", "/b\\", "/'", "/null", "/é", "/\x7f", "/12"]
        )
        agent = chance.choice(["", "-", "a b", "b\\", 'q\\"u', "é", "null", "12", "A"])
        size = chance.choice(["-", 0, 5, 12, 2**40, 2**63 - 1])
        seconds = chance.choice(["-", "0.000", "0.005", "0.1", "1e3", "12", "-0.0"])
        made = line(
            number % 5,
            url=url,
            status=chance.choice([200, 404, 12]),
            size=size,
            user=chance.choice(["-", "joe", "Joe", "null"]),
            agent=agent,
        )
        made = made[:-1] + f" rt={seconds}\n".encode()
        if chance.random() < 0.1:
            made = made.replace("é".encode(), b"\xff\xc3")
        yield REJECTED if chance.random() < 0.1 else made


SPEC = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" rt=$request_time'
)


def random_filter(chance: random.Random) -> tuple[Any, str]:  # noqa: C901 - a case for each form
    """Return a filter and the same in SQL."""
    name = chance.choice(FIELDS)
    kind = {"time": "time", "status": "int", "size": "int", "request_time": "float"}.get(
        name, "text"
    )

    def one() -> object:
        if kind == "time":
            return datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC) + timedelta(
                seconds=chance.randrange(-1, 6), microseconds=chance.choice([0, 1, 999_999])
            )
        if kind == "int":
            return chance.choice([0, 5, 12, 200, 404, -1, 2**40, 2**63 - 1, -(2**63)])
        if kind == "float":
            return chance.choice(
                [0.0, -0.0, 0.005, 0.1, 1e3, 12.0, float("nan"), float("inf"), 1e-7]
            )
        return chance.choice(texts)

    def sql(value: Any) -> str:  # noqa: ANN401 - of any type
        if value is None:
            return "null"
        if kind == "time":
            return f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f}+00:00'"
        if kind == "float":
            return f"double('{value}')"
        if kind == "int":
            return f"bigint('{value}')"
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

    column = f"`{name}`"
    forms: list[Any] = ["EqualTo", "EqualNullSafe", "In", "IsNull", "IsNotNull"]
    forms += ["GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"]
    forms += ["StringStartsWith", "StringEndsWith", "StringContains"] * (kind == "text")
    form = chance.choice(forms)
    signs = {
        "EqualTo": "=",
        "EqualNullSafe": "<=>",
        "GreaterThan": ">",
        "GreaterThanOrEqual": ">=",
        "LessThan": "<",
        "LessThanOrEqual": "<=",
    }
    if form in {"IsNull", "IsNotNull"}:
        made, text = getattr(of, form)((name,)), f"{column} is {'not ' * (form == 'IsNotNull')}null"
    elif form == "In":
        many = tuple(chance.choice([None, *(one() for _ in range(4))]) for _ in range(3))
        made, text = of.In((name,), many), f"{column} in ({', '.join(map(sql, many))})"
    elif form in signs:
        value = chance.choice([None, one(), one()]) if form == "EqualNullSafe" else one()
        made, text = getattr(of, form)((name,), value), f"{column} {signs[form]} {sql(value)}"
    else:
        value = one()
        function = {"StringStartsWith": "startswith", "StringEndsWith": "endswith"}.get(
            form, "contains"
        )
        made, text = getattr(of, form)((name,), value), f"{function}({column}, {sql(value)})"
    if chance.random() < 0.3:
        return of.Not(made), f"not ({text})"
    return made, text


@needs_4
@pytest.mark.parametrize("mode", ["permissive", "drop"])
def test_pushed_filters_mean_what_those_of_spark_mean(
    source: SparkSession, folder: Path, mode: str
):
    chance = random.Random(mode)  # noqa: S311 - the same in each run
    (folder / "a.log").write_bytes(b"".join(random_lines(chance)))
    options = {
        "path": f"{folder}/a.log",
        "mode": mode,
        "log_format": SPEC,
        "fields": ",".join(FIELDS),
    }
    plan, rows, filters = module("plan"), module("rows"), module("filters")
    schema, detected = plan.schema(options)

    types = source.createDataFrame([], TYPED).toArrow().schema
    planned = plan.plan(options, schema, detected)

    def of_source(*pushed: object) -> tuple[pa.Table, list[Any]]:
        made = dict(planned)
        rest = filters.push(made, list(pushed))
        batches = [batch for one in made["partitions"] for batch in rows.batches(made, one)]
        assert all(batch.schema.equals(types) for batch in batches)
        return pa.Table.from_batches(batches, types), rest

    everything, _ = of_source()
    df = source.createDataFrame(everything, TYPED).coalesce(1).cache()
    made = [random_filter(chance) for _ in range(250)]
    answers = df.select(
        *(sf.expr(text).alias(str(at)) for at, (_, text) in enumerate(made))
    ).toArrow()
    pushed = reduced = 0
    for at, (one, text) in enumerate(made):
        found, rest = of_source(one)
        expected = everything.filter(answers.column(at))
        if rest:
            assert rest[0] is one
            assert found.equals(everything), text
        else:
            pushed += 1
            reduced += len(found) < len(everything)
            assert found.equals(expected), text
    assert pushed > 120
    assert reduced > 100
    for _ in range(40):
        chosen = chance.sample(range(len(made)), 3)
        found, rest = of_source(*(made[at][0] for at in chosen))
        expected = everything
        mask = pa.array([True] * len(everything))
        for at in chosen:
            if made[at][0] not in rest:
                mask = pa.compute.and_kleene(mask, answers.column(at).combine_chunks())
        assert found.equals(expected.filter(mask)), [made[at][1] for at in chosen]


@needs_4
def test_filters_that_the_core_cannot_apply_are_those_of_spark(folder: Path):
    (folder / "a.log").write_bytes(b'{"own": 1, "status": 2}\n')
    plan = module("plan")
    options = {
        "path": f"{folder}/a.log",
        "reject_column": "why",
        "log_format": "json",
        "fields": "own,status,url,time",
    }
    made = plan.plan(options, *plan.schema(options))
    others = [
        of.EqualTo(("own",), "1"),
        of.IsNotNull(("own",)),
        of.IsNull(("why",)),
        of.EqualTo(("url", "x"), "1"),
        of.EqualTo(("status",), 2.0),
        of.EqualTo(("status",), value=True),
        of.EqualTo(("url",), "\ufffd"),
        of.GreaterThan(("url",), "a"),
        of.Not(of.In(("url",), ("a", None))),
        of.GreaterThan(("time",), datetime(2020, 1, 1)),  # noqa: DTZ001 - without a zone
        of.Not(of.Not(of.IsNull(("url",)))),
    ]

    assert module("filters").push(made, others) == others
    assert made["pushed"] == []
    assert made["keeps"]


@needs_4
def test_pushdown_in_queries(
    source: SparkSession, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "a.log").write_bytes(b"".join(LINES) + REJECTED)
    options = {"log_format": "combined", "reject_column": "why", "partition_bytes": "1kb"}
    df = read(source, f"{folder}/a.log", push_filters="true", **options)
    condition = (
        "status = 204 and url like '/%' and time >= '2015-05-17 15:35:10' and length(url) > 2"
    )
    queries = [
        condition,
        "user is null",
        "why is not null",
        "status is null",
        "not (status <=> 200)",
    ]
    try:
        source.conf.set(PUSHDOWN, "false")
        expected = [values(df.where(query)) for query in queries]
        source.conf.set(PUSHDOWN, "true")
        assert [values(df.where(query)) for query in queries] == expected
        assert [len(rows) for rows in expected] == [6, 41, 1, 1, 33]
        capsys.readouterr()
        df.where(condition).explain("formatted")
        shown = capsys.readouterr().out
        assert "EqualTo(status,204), StringStartsWith(url,/), GreaterThanOrEqual(time," in shown
        assert "Condition : (length(url" in shown, "only what Spark computes itself"
        assert values(df.where("status = 999").select(sf.count("*"))) == [(0,)]
    finally:
        source.conf.unset(PUSHDOWN)


@needs_4
def test_filters_stay_in_their_own_query(source: SparkSession, folder: Path):
    """Spark 4.3 reads what one filter left in each query of a DataFrame, so none is pushed."""
    (folder / "a.log").write_bytes(b"".join(LINES) + REJECTED)
    df = read(source, f"{folder}/a.log", log_format="combined", partition_bytes="1kb")
    some = df.where("status = 204")
    others = df.where("status = 200")
    try:
        source.conf.set(PUSHDOWN, "true")
        found = [some.count(), df.count(), df.where("coalesce(status, 0) = 0").count()]
        both = some.union(others).groupBy("status").count().sort("status")
        found += [tuple(row) for row in both.collect()]
    finally:
        source.conf.unset(PUSHDOWN)

    statuses = Counter(row.status for row in df.collect())
    assert found == [
        statuses[204],
        len(LINES) + 1,
        1,
        (200, statuses[200]),
        (204, statuses[204]),
    ]
    assert statuses[204]
    assert statuses[200]


@needs_4
def test_a_worker_without_tailrace_says_so(folder: Path):
    script = """
import pickle, sys
from pyspark.sql.datasource import InputPartition
sys.modules["tailrace"] = None
source = pickle.load(open("source", "rb"))
try:
    source({"path": "a.log"})
except ImportError as error:
    print(error)
reader = pickle.load(open("reader", "rb"))
try:
    next(reader.read(InputPartition(None)))
except ImportError as error:
    print(error)
"""
    (folder / "a.log").write_bytes(LINES[0])
    source = importlib.import_module("tailrace.spark._source")._source()
    made = source({"path": f"{folder}/a.log", "log_format": "combined"})
    (folder / "source").write_bytes(cloudpickle.dumps(source))
    (folder / "reader").write_bytes(cloudpickle.dumps(made.reader(made.schema())))
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )

    assert found.stderr == ""
    assert found.stdout.count("found no module tailrace; install it for the Python of every") == 2


@needs_4
def test_a_task_that_is_retried_reads_the_same_rows(source: SparkSession, folder: Path):
    (folder / "a.log").write_bytes(b"".join(LINES))
    mark = folder / "failed"
    df = read(source, f"{folder}/a.log", fields="url", partition_bytes="1kb")

    def fails_once(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if not mark.exists():
                mark.touch()
                raise RuntimeError("the first attempt")
            yield batch

    assert values(df.mapInArrow(fails_once, df.schema)) == by_core(b"".join(LINES), ["url"])
    assert mark.exists()
