"""Rows in line with the lines of an Arrow array; the oracle parses each line alone."""

import json
import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from profiles import examples, seeded

from tailrace import _core

Line = bytes | None

FIELDS = ["host", "time", "url", "status", "size", "agent"]
TYPES = {
    "text": pa.string(),
    "any": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "time": pa.timestamp("us", "UTC"),
}


class Found(NamedTuple):
    """What the core returns: the rows, which lines have one, and the first rejected line."""

    rows: list[dict[str, Any]]
    kept: list[bool] | None
    first: tuple[int, int, str, str] | None


def line(host: str = "h", agent: str = "x", status: str = "200") -> bytes:
    head = f'{host} - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" {status} 5 "-" '
    return head.encode() + b'"' + agent.encode("utf-8", "surrogateescape") + b'"'


def found(lines: object, **options: object) -> Found:
    chosen: dict[str, Any] = {"format": "combined", "fields": FIELDS, "keep_rejected": True}
    chosen |= {"reasons": "reason", "bad_utf8": "bad"} | options
    table, kept, first = _core.parse_rows(lines, **chosen)
    arrow = pa.table(table)
    arrow.validate(full=True)
    kinds = [TYPES[_core.field_kind(chosen["format"], name) or "text"] for name in chosen["fields"]]
    assert arrow.schema.types[: len(kinds)] == kinds
    extra = [name for name in (chosen["reasons"], chosen["bad_utf8"]) if name]
    assert arrow.column_names == [*chosen["fields"], *extra]
    mask = None
    if kept is not None:
        assert pa.table(kept).schema == pa.schema({"kept": pa.bool_()})
        mask = pa.table(kept)["kept"].to_pylist()
    return Found(arrow.to_pylist(), mask, first)


# --- the oracle -----------------------------------------------------------------------------------


def expected(lines: list[Line], **options: Any) -> Found:  # noqa: ANN401 - those of the core
    """Parse each line alone, and place what it gives."""
    fields: list[str] = options["fields"]
    alone = {key: options[key] for key in ("format", "fields", "filter") if key in options}
    texts = {name for name in fields if _core.field_kind(options["format"], name) in TEXT}
    nulls = dict.fromkeys(fields)
    rows: list[dict[str, Any] | None] = []
    first = None
    for number, one in enumerate(lines):
        table = None if one is None else _core.parse([one], **alone)
        if table is None:
            kept = options["keep_rejected"] and options.get("filter") is None
            rows.append({**nulls, "reason": None, "bad": False} if kept else None)
        elif table.rejects:
            _, byte, reason, hint = table.rejects[0]
            first = first or (number, byte, reason, hint)
            kept = options["keep_rejected"]
            rows.append({**nulls, "reason": reason, "bad": False} if kept else None)
        elif table.filtered:
            rows.append(None)
        else:
            (row,) = table.to_dicts()
            # No line has this character, unless bytes were replaced by it.
            bad = any(isinstance(row[name], str) and "\ufffd" in row[name] for name in texts)
            rows.append({**row, "reason": None, "bad": bad})
    mask = [row is not None for row in rows]
    return Found([row for row in rows if row is not None], None if all(mask) else mask, first)


TEXT = {"text", "any"}


def is_same(value: object, alone: object, kind: str | None) -> bool:
    if kind == "any" and alone is not None and not isinstance(alone, str):
        # What is no text is its JSON.
        assert isinstance(value, str)
        back = json.loads(value)
        return back == alone and isinstance(back, bool) == isinstance(alone, bool)
    if isinstance(value, float) and isinstance(alone, float):
        return value == alone or math.isnan(value)
    return value == alone and type(value) is type(alone)


def check(lines: list[Line], array: object, **options: Any) -> None:  # noqa: ANN401 - as above
    one, other = found(array, **options), expected(lines, **options)
    assert (one.kept, one.first) == (other.kept, other.first)
    assert len(one.rows) == len(other.rows)
    kinds = {name: _core.field_kind(options["format"], name) for name in options["fields"]}
    for row, alone in zip(one.rows, other.rows, strict=True):
        for name, found_value in row.items():
            value = found_value
            if isinstance(value, datetime):
                value = value.astimezone(UTC)
            assert is_same(value, alone[name], kinds.get(name)), (name, row, alone)


# --- lines ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A format, lines that match it, its fields, and conditions."""

    format: str
    lines: list[bytes]
    fields: list[str]
    conditions: list[str]


def example(name: str) -> bytes:
    described = _core.describe_format(name)
    assert described
    return described[1].encode()


def named(name: str, *fields: str, condition: str) -> Case:
    return Case(name, [example(name)], [*_core.default_fields(name), *fields], [condition])


CASES = [
    Case(
        "combined",
        [
            line(),
            line("10.1.2.3", "\udcff\u00e9", "404"),
            line(agent="", status="-"),
            line().replace(b"17/May", b"99/Foo"),
            line().rpartition(b' "')[0],
            line().replace(b"GET /a?b", rb"GET /\xc3\xa9?\xff"),
        ],
        [*FIELDS, "path", "query", "status_class", "time:1h", "host:/24", "url:noquery", "bytes"],
        ["status == 404", 'host == "h"', 'time >= "2015-05-17T10:00:00Z"'],
    ),
    Case(
        "json",
        [
            b'{"a":1,"b":"x\xff","c":{"d":[1,"\xc3\xa9"]},"e":1.50,"f":true,"g":null}',
            b'{"a":"t","b":-0.0,"c":[],"e":1e300,"f":false,"status":"200"}',
            b'{"a":12345678901234567890,"b":"","c":"{}","e":123456789012345678901234567890}',
            b'{"a":9007199254740993,"status":404,"time":"2026-01-01T00:00:00Z","b":"\\"\\\\"}',
            b'{"a":123456789012345678901234567890123456789012345,"remote_addr":"1.2.3.4"}',
        ],
        [*"abcdefg", "c.d", "status", "time", "host", "a:lower", "time:1m"],
        ["status == 404", "a == 1", "b == null"],
    ),
    Case(
        "ltsv",
        [b"a:1\tb:x\xff\tstatus:200", b"a:t\thost:1.2.3.4", b"a:-\tb:1.5\tc:\xc3\xa9"],
        [*"abc", "host", "status"],
        ["a == 1"],
    ),
    Case(
        "logfmt",
        [b'a=1 b="x \xff" status=200', b"a=t c=true level=info", b'b="\\u00e9" a=1.5 c'],
        [*"abc", "status", "level"],
        ["a == 1"],
    ),
    Case(
        "csv:a,b,status",
        [b"1,x\xff,200", b'"a ""b""",007,404', b"-,1.5,", b"1,2"],
        ["status", "a", "b"],
        ["status == 404"],
    ),
    Case(
        "json:a=x.y,host=h,time=t",
        [b'{"x":{"y":1},"h":"1.2.3.4","t":1700000000}', b'{"x":{"y":"\xff"}}', b'{"h":null}'],
        ["a", "host", "time", "time:1d"],
        ["a == 1"],
    ),
    Case(
        '$remote_addr [$time_local] "$request" $status $request_time "$http_x"',
        [
            b'1.2.3.4 [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 0.5 "\xff"',
            b'::1 [17/May/2015:10:05:03 +0200] "-" 200 - "x\\xe9y"',
        ],
        ["host", "time", "method", "url", "protocol", "status", "request_time", "path", "http_x"],
        ["status == 200"],
    ),
    named("classic", condition='status == "200"'),
    named("common", "path", condition="status == 200"),
    named("vhost_combined", "path", condition="status == 200"),
    named("alb", "path", condition="status == 200"),
    named("haproxy", "path", condition="status == 200"),
    named("traefik-json", "path", condition="status == 200"),
    named("squid", "path", condition="status == 200"),
]

BYTES = [b"\xff", b"\xc3", b"\xa9", b" ", b'"', b"\\", b"{", b"-", b"\n", b"\0", b"9"]


@st.composite
def lines_of(draw: st.DrawFn, case: Case) -> Line:
    """Draw a line that matches, nearly matches, or does not, or none."""
    whole = draw(st.sampled_from(case.lines))
    at = draw(st.integers(0, len(whole)))
    docker = {"log": whole.decode("latin-1"), "stream": "stdout", "time": "2015-05-17T10:05:03Z"}
    others: list[Line] = [
        whole[:at] + draw(st.sampled_from(BYTES)) + whole[at + 1 :],
        whole[:at],
        b"<190>1 2015-05-17T10:05:03Z web nginx - - - " + whole,
        json.dumps(docker, separators=(",", ":")).encode(),
        b"no log line",
        b"",
        None,
    ]
    if draw(st.integers(0, 99)) == 0:
        return whole.ljust(65_537, b"x")
    return draw(st.just(whole) | st.sampled_from(others))


# --- arrays ---------------------------------------------------------------------------------------


def text_array(lines: list[Line], kind: pa.DataType) -> pa.Array:
    """Return an array of a type of text whatever the bytes are, as Spark passes them."""
    if kind in {pa.binary(), pa.large_binary(), pa.binary_view()}:
        return pa.array(lines, kind)
    options = pc.CastOptions(kind, allow_invalid_utf8=True)
    return pc.cast(pa.array(lines, pa.binary()), options=options)


ENCODINGS = [
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view()),
]
INDEXES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.int64()]


@st.composite
def arrays(draw: st.DrawFn, case: Case, lines: list[Line]) -> object:
    """Draw an array with these lines: plain or a dictionary, sliced, in chunks."""
    kind = draw(st.sampled_from(ENCODINGS))
    before = draw(st.lists(lines_of(case), max_size=9))
    whole = [*before, *lines, *draw(st.lists(lines_of(case), max_size=2))]
    array: pa.Array
    if draw(st.booleans()):
        array = text_array(whole, kind)
    else:
        # A null is one of the indexes or of the values, some of which are not used.
        values = draw(st.permutations([*dict.fromkeys(whole), b"unused"]))
        places = [values.index(one) for one in whole]
        without = None in values and draw(st.booleans())
        indexes = [None if without and values[place] is None else place for place in places]
        array = pa.DictionaryArray.from_arrays(
            pa.array(indexes, draw(st.sampled_from(INDEXES))), text_array(values, kind)
        )
    array = array.slice(len(before), len(lines))
    if draw(st.booleans()):
        return array
    cuts = sorted(draw(st.lists(st.integers(0, len(lines)), max_size=3)))
    ends = zip([0, *cuts], [*cuts, len(lines)], strict=True)
    return pa.chunked_array([array.slice(start, end - start) for start, end in ends], array.type)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.format[:20])
@examples(200)
@given(data=st.data())
def test_rows_are_those_of_each_line_alone(case: Case, data: st.DataObject):
    lines = data.draw(st.lists(lines_of(case), max_size=140))
    assume(not any(b"\xef\xbf\xbd" in one for one in lines if one))
    fields = data.draw(st.lists(st.sampled_from(case.fields), unique=True))
    chosen: dict[str, Any] = {"keep_rejected": data.draw(st.booleans())}
    if condition := data.draw(st.sampled_from([None, None, *case.conditions])):
        chosen["filter"] = _core.Filter(condition)
    array = data.draw(arrays(case, lines))

    check(lines, array, format=case.format, fields=fields, **chosen)


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.format)
def test_rows_of_many_lines(case: Case):
    random = seeded("rows of many lines")
    bad: list[Line] = [None, b"", b"no log line", b"x" * 65_537]
    # Runs of lines that match, and of lines that do not, of about the length of a block.
    runs = [random.choices(bad if random.random() < 0.4 else case.lines, k=50) for _ in range(60)]
    lines = [one for run in runs for one in run[: random.randrange(50)]]

    for fields in (case.fields, case.fields[:2]):
        array = pa.array(lines, pa.binary_view())
        check(lines, array, format=case.format, fields=fields, keep_rejected=True)
        check(lines, array, format=case.format, fields=fields, keep_rejected=False)


# --- details --------------------------------------------------------------------------------------


def test_without_reasons_and_flags_there_are_only_the_fields():
    (row, other), kept, first = found(pa.array([line(), b"x"]), reasons=None, bad_utf8=None)

    assert list(row) == list(other) == FIELDS
    assert set(other.values()) == {None}
    assert (kept, first) == (None, (1, 1, "no-match", "a time in brackets"))


def test_only_the_first_rejected_line_is_explained():
    bad = line().replace(b"200", b"2x0")
    *_, first = found(pa.array([line(), None, bad, b"", b"x"]))

    (alone,) = _core.parse([bad], format="combined", fields=FIELDS).rejects
    assert first == (2, *alone[1:])


@pytest.mark.parametrize("keep", [True, False])
def test_a_header_is_no_rejected_line(keep: bool):  # noqa: FBT001 - a parameter
    lines = ["#Version: 1.0", "#Fields: c-ip sc-status", "1.2.3.4 200", "# note", "x", None]
    answer = found(pa.array(lines), format="w3c", fields=["status", "host"], keep_rejected=keep)

    nulls = {"status": None, "host": None, "reason": None, "bad": False}
    good = {**nulls, "status": 200, "host": "1.2.3.4"}
    rejected = {**nulls, "reason": "no-match"}
    every = [nulls, nulls, good, nulls, rejected, nulls]
    mask = [False, False, True, False, False, False]
    assert (answer.rows, answer.kept) == ((every, None) if keep else ([good], mask))
    assert answer.first
    assert answer.first[0] == 4


def test_a_header_names_the_columns_of_the_lines_after_it():
    lines = pa.array(["a,status", "1,200", None, "x,404,y", "t,404"])
    rows, kept, _ = found(lines, format="csv", fields=["status", "a"], keep_rejected=False)

    assert [(row["status"], row["a"]) for row in rows] == [(200, "1"), (404, "t")]
    assert kept == [False, True, False, False, True]


def test_with_a_filter_only_selected_and_rejected_lines_have_a_row():
    lines = pa.array([line(), None, b"x", line(status="404")])
    only = _core.Filter("status == 404")

    rows, kept, _ = found(lines, filter=only)
    assert [(row["status"], row["reason"]) for row in rows] == [(None, "no-match"), (404, None)]
    assert kept == [False, False, True, True]
    rows, kept, first = found(lines, filter=only, keep_rejected=False)
    assert ([row["status"] for row in rows], kept) == ([404], [False, False, False, True])
    assert first
    assert first[0] == 2


def test_a_line_without_the_time_that_a_filter_needs_is_rejected():
    lines = pa.array([line(), line().replace(b"17/May", b"17/xyz")])
    rows, kept, first = found(lines, filter=_core.Filter(None, since_us=0))

    assert [row["reason"] for row in rows] == [None, "no-time"]
    assert [row["host"] for row in rows] == ["h", None]
    assert kept is None
    assert first
    assert (first[0], first[2]) == (1, "no-time")


def test_a_flag_says_where_bytes_were_replaced():
    lines = [line(agent=agent) for agent in ("x", "\ufffd", "\udcff", "\u00e9", "\udcc3\udca9")]
    rows, *_ = found(pa.array(lines))
    assert [row["bad"] for row in rows] == [False, False, True, False, False]
    assert [row["agent"] for row in rows] == ["x", "\ufffd", "\ufffd", "\u00e9", "\u00e9"]

    # Bytes that are in no requested field do not count.
    rows, *_ = found(pa.array(lines), fields=["host", "status"])
    assert not any(row["bad"] for row in rows)


def test_halves_of_a_character_in_two_values_are_replaced():
    rows, *_ = found(pa.array([line(agent="\udcc3"), line(agent="\udca9"), line()]))
    assert [(row["agent"], row["bad"]) for row in rows] == [
        ("\ufffd", True),
        ("\ufffd", True),
        ("x", False),
    ]


def test_fields_of_any_type_are_text():
    line = '{"a":1.50,"b":[1, {"c":"\\u00e9"}],"d":" x","e":true,"f":12345678901234567890}'
    (row,), *_ = found(pa.array([line]), format="json", fields=[*"abdefg", "b.0", "b.1.c"])

    assert row == {
        "a": "1.5",
        "b": '[1, {"c":"\\u00e9"}]',
        "d": " x",
        "e": "true",
        "f": "12345678901234567890",
        "g": None,
        "b.0": "1",
        "b.1.c": "\u00e9",
        "reason": None,
        "bad": False,
    }


@pytest.mark.parametrize("kind", [pa.string(), pa.binary_view(), pa.null()])
def test_no_lines_are_no_rows_of_the_same_types(kind: pa.DataType):
    for lines in (pa.array([], kind), pa.chunked_array([], kind), pa.array([None], kind)[1:]):
        assert found(lines) == Found([], None, None)


def test_lines_that_are_all_missing():
    for lines in (pa.nulls(70), pa.nulls(70, pa.string()), pa.nulls(70, pa.large_binary())):
        rows, kept, first = found(lines)
        assert rows == [{**dict.fromkeys(FIELDS), "reason": None, "bad": False}] * 70
        assert (kept, first) == (None, None)
        assert found(lines, keep_rejected=False) == Found([], [False] * 70, None)


def test_without_fields_there_are_rows_all_the_same():
    table, kept, _ = _core.parse_rows(
        pa.array([line(), None]), format="combined", fields=[], keep_rejected=False
    )
    assert len(table) == 1
    assert kept
    assert pa.table(kept)["kept"].to_pylist() == [True, False]


def test_a_series_of_another_library_is_an_array():
    series = pl.Series([line().decode(), None, "x"])
    assert found(series) == found(pa.array([line(), None, b"x"]))
    coded = series.cast(pl.Categorical)
    assert found(coded) == found(series)


def test_what_is_wrong_is_an_error():
    lines = pa.array([line()])
    with pytest.raises(ValueError, match="no field 'statsu' in this format"):
        found(lines, fields=["statsu"])
    with pytest.raises(ValueError, match="expected each field once, found 'url' twice"):
        found(lines, fields=["url", "host", "url"])
    for wrong in (pa.array([1]), pa.array([1]).dictionary_encode(), pa.array([["x"]])):
        with pytest.raises(TypeError, match="expected an Arrow array of text or bytes, found"):
            found(wrong)
    for other in ([line()], line(), None):
        with pytest.raises((TypeError, ValueError)):
            found(other)


@given(st.data())
def test_arrays_with_a_dictionary_are_parsed_alike(data: st.DataObject):
    case = CASES[0]
    lines = data.draw(st.lists(lines_of(case), max_size=20))
    batch = _core.parse(data.draw(arrays(case, lines)), format="combined", fields=FIELDS)

    plain = _core.parse([one or b"" for one in lines], format="combined", fields=FIELDS)
    assert batch == plain
    assert batch.rejects == plain.rejects
