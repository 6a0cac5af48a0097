"""Conditions and ranges of time: what is left out is what Python's own operators leave out."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import counting
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import DATA
from profiles import examples
from rows import as_json

import tailrace as tr
from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable

LOGS = sorted(DATA.glob("*.log.gz"))

Row = dict[str, Any]
Log = tuple[Path, bytes, list[Row]]

# --- an oracle: each condition is drawn in our words and in Python's ------------------------------

TEXTS = [
    "",
    "a",
    "b/",
    "/a?x=1",
    "é",
    'say "x"',
    "it's",
    "back\\",
    r"\x16",
    "null",
    "5",
    "and",
    "Z",
]
TEXT_FIELDS = ["url", "agent", "user", "method", "referer"]
NUMBERS = ["0", "5", "404", "500", "500.0", "499.5", "-1", "5e2", "1e30"]
SIGNS = {"==": "==", "=": "==", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
TIMES = ["2015-05-17T10:05:03Z", "2015-05-17T10:05:04.5Z", "2015-05-17"]


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a text as it is written in a condition, and the text."""
    text = draw(st.sampled_from(TEXTS))
    quote = draw(st.sampled_from("\"'"))
    if text.isalpha() and text not in {"null", "and"} and draw(st.booleans()):
        return text, text
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}", text


def negated(words: tuple[str, str], is_negated: bool) -> tuple[str, str]:  # noqa: FBT001 - drawn
    ours, python = words
    return (ours.format("not " if is_negated else ""), f"not ({python})" if is_negated else python)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a condition in our words, and in Python's on a row."""
    kind = draw(st.sampled_from(["null", "text", "part", "list", "number", "numbers", "time"]))
    if kind == "null":
        name = draw(st.sampled_from([*TEXT_FIELDS, "status", "size", "time"]))
        sign, word = draw(st.sampled_from([("==", "is"), ("!=", "is not")]))
        return f"{name} {sign} null", f"row[{name!r}] {word} None"
    is_negated = draw(st.booleans())
    name = draw(st.sampled_from(TEXT_FIELDS))
    there = f"row[{name!r}] is not None and "
    if kind == "part":
        word, python = draw(
            st.sampled_from(
                [
                    ("contains", "{1!r} in row[{0!r}]"),
                    ("startswith", "row[{0!r}].startswith({1!r})"),
                    ("endswith", "row[{0!r}].endswith({1!r})"),
                ]
            )
        )
        ours, text = draw(texts())
        return negated((f"{name} {{}}{word} {ours}", there + python.format(name, text)), is_negated)
    if kind == "list":
        listed = draw(st.lists(texts(), min_size=1, max_size=4))
        ours = ", ".join(ours.replace("{", "{{") for ours, _ in listed)
        return negated(
            (f"{name} {{}}in ({ours})", there + f"row[{name!r}] in {[text for _, text in listed]}"),
            is_negated,
        )
    sign = draw(st.sampled_from(sorted(SIGNS)))
    if kind == "text":
        value, text = draw(texts())
        left, right = f"row[{name!r}].encode()", repr(text.encode())
    elif kind == "time":
        name, value = "time", draw(st.sampled_from(TIMES))
        left = "datetime.fromisoformat(row['time'])"
        right = f"datetime.fromisoformat({value.ljust(20, 'Z')[:30]!r})"
        if value == TIMES[-1]:
            right = "datetime(2015, 5, 17, tzinfo=UTC)"
    else:
        name = draw(st.sampled_from(["status", "size"]))
        value = draw(st.sampled_from(NUMBERS))
        left, right = f"row[{name!r}]", value
        if kind == "numbers":
            listed = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
            values = ",".join(listed)
            python = f"{left} is not None and {left} in [{values}]"
            return negated((f"{name} {{}}in ({values})", python), is_negated)
    if SIGNS[sign] == "!=":
        return f"{name} {sign} {value}", f"row[{name!r}] is None or {left} != {right}"
    return f"{name} {sign} {value}", f"row[{name!r}] is not None and {left} {SIGNS[sign]} {right}"


def joined(parts: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """Join two, with parentheses in Python that our language does not need."""
    either = st.tuples(parts, parts, st.sampled_from([("and", "and"), ("&&", "and"), ("||", "or")]))
    return either.map(
        lambda drawn: (
            f"({drawn[0][0]}) {drawn[2][0]} ({drawn[1][0]})",
            f"(({drawn[0][1]}) {drawn[2][1]} ({drawn[1][1]}))",
        )
    ) | parts.map(lambda part: (f"not ({part[0]})", f"(not ({part[1]}))"))


expressions = st.recursive(conditions(), joined, max_leaves=6)

# In Python and here `not` binds before `and`, and that before `or`.
flat = st.lists(
    st.tuples(conditions(), st.sampled_from(["and", "or"])), min_size=2, max_size=5
).map(
    lambda parts: tuple(
        " ".join(f"{part[side]} {word}" for part, word in rows).rpartition(" ")[0]
        for side, rows in (
            (0, parts),
            (1, [(("", f"({part[1]})"), word) for part, word in parts]),
        )
    )
)

LINES = st.lists(
    st.builds(
        lambda user, second, method, url, status, size, agent: (
            f'h - {user} [17/May/2015:10:05:{second} +0000] "{method} {url} HTTP/1.1" '
            f'{status} {size} "-" "{agent}"'
        ),
        st.sampled_from(["-", "a", "5", "null", "and"]),
        st.sampled_from(["03", "04", "05", "xx"]),
        st.sampled_from(["a", "Z", "b"]),
        st.sampled_from(["a", "b/", "/a?x=1", "é"]),
        st.sampled_from(["404", "500", "499", "-", "no"]),
        st.sampled_from(["0", "5", "-", "500"]),
        st.sampled_from(["-", "", "é", r"say \"x\"", "it's", r"\x16", "Zb/"]),
    ),
    max_size=12,
)


def rows_of(text: bytes, fields: list[str], condition: _core.Filter | None) -> list[Row]:
    found = _core.parse(text, format="combined", fields=fields, filter=condition)
    return as_json(found.to_dicts())


@examples(400)
@given(lines=LINES, words=expressions | flat)
def test_what_is_kept_is_what_python_keeps(lines: list[str], words: tuple[str, str]) -> None:
    ours, python = words
    text = "\n".join(lines).encode()
    condition = _core.Filter(ours)
    fields = [*TEXT_FIELDS, "status", "size", "time"]
    everything = rows_of(text, fields, None)
    names = {"datetime": datetime, "UTC": UTC}
    expected = [row for row in everything if eval(python, {**names, "row": row})]  # noqa: S307
    assert rows_of(text, fields, condition) == expected

    # The same with other fields, and in rows.
    assert rows_of(text, ["host"], condition) == [{"host": "h"}] * len(expected)
    out, _, counters = _core.write_rows(
        text, kind="lines", span=(0, len(text)), format="combined", fields=fields, filter=condition
    )
    assert [json.loads(row) for row in out.split(b"\n")[:-1]] == expected
    rejected = sum(counters["rejected"].values())
    assert counters["counted"] == len(expected)
    assert counters["filtered"] == len(everything) - len(expected)
    assert counters["fed"] == len(lines) == len(everything) + rejected


# --- real logs ------------------------------------------------------------------------------------


def moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["time"])


CASES = [
    (
        "status >= 400 and method != GET",
        lambda row: row["status"] >= 400 and row["method"] != "GET",
    ),
    ("referer == null", lambda row: row["referer"] is None),
    (
        "agent contains bot or agent contains Bot",
        lambda row: row["agent"] is not None and ("bot" in row["agent"] or "Bot" in row["agent"]),
    ),
    (
        "url startswith /a and not url endswith .png",
        lambda row: (
            row["url"] is not None
            and row["url"].startswith("/a")
            and not row["url"].endswith(".png")
        ),
    ),
    ("size > 10000 or size == null", lambda row: row["size"] is None or row["size"] > 10_000),
    ("status in (304, 404, 500)", lambda row: row["status"] in {304, 404, 500}),
]


@pytest.fixture(scope="module", params=LOGS, ids=lambda path: path.name)
def log(request: pytest.FixtureRequest) -> Log:
    text = gzip.decompress(request.param.read_bytes())
    fields = ["host", *TEXT_FIELDS, "status", "size", "time"]
    return request.param, text, rows_of(text, fields, None)


@pytest.mark.parametrize(("ours", "keeps"), CASES, ids=[case[0] for case in CASES])
def test_a_real_log_is_counted_as_python_counts_it(
    log: Log, ours: str, keeps: Callable[[Row], bool]
) -> None:
    path, _, rows = log
    kept = [row for row in rows if keeps(row)]
    assert 0 < len(kept) < len(rows)
    [snapshot] = tr.from_files(path, format="combined").where(ours).count(by="url").sorted().run()
    expected = Counter(row["url"] for row in kept)
    assert {row["url"]: row["count"] for row in snapshot.rows} == expected
    assert snapshot.lines["counted"] == len(kept)
    assert snapshot.lines["filtered"] == len(rows) - len(kept)


def test_a_range_of_time_of_a_real_log_begins_and_ends_as_python_says(log: Log) -> None:
    path, _, rows = log
    times = sorted(map(moment, rows))
    since, until = times[len(times) // 3], times[len(times) // 2]
    kept = [row for row in rows if since <= moment(row) < until]
    assert 0 < len(kept) < len(rows)
    query = tr.from_files(path, format="combined").count(by="status")
    for ranged in (
        query.since(since).until(until),
        query.since(since.isoformat()).until(f"@{until.timestamp():.0f}"),
        query.until(until.timestamp()).since(since.timestamp()),
        query.where(f"time >= {since:%Y-%m-%dT%H:%M:%SZ}").where(
            f"time < '{until:%Y-%m-%d %H:%M:%S}'"
        ),
    ):
        [snapshot] = ranged.run()
        assert {row["status"]: row["count"] for row in snapshot.rows} == Counter(
            row["status"] for row in kept
        )
        assert (snapshot.start, snapshot.end) == (
            min(map(moment, kept)),
            max(map(moment, kept)),
        )


def answers(text: bytes, chunks: int, threads: int) -> tuple[list[Any], dict[str, Any]]:
    """Answer a filtered log that is absorbed in so many pieces by so many threads."""
    engine = counting.engine(
        formats=["combined"],
        by="url",
        time="log",
        limit=5,
        window_us=(3_600 * 10**6, 600 * 10**6),
        lateness_us=60 * 10**6,
        sources=1,
        start_us=0,
        hash_seed=1,
        filter=_core.Filter("status == 404 or size > 100000"),
    )
    lines = text.splitlines(keepends=True)
    size = len(lines) // chunks + 1
    pieces = [b"".join(lines[start : start + size]) for start in range(0, len(lines), size)]

    def absorb(piece: bytes) -> _core.Delta:
        return engine.absorb(
            piece,
            kind="lines",
            span=(0, len(piece)),
            source=0,
            format="combined",
            now_us=0,
            max_ahead_us=None,
        )

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for delta in pool.map(absorb, pieces):
            engine.apply(delta)
            while (answer := engine.next_snapshot()) is not None:
                found.append(answer)
    engine.finish()
    while (answer := engine.next_snapshot()) is not None:
        found.append(answer)
    return found, engine.lines()


def test_answers_depend_neither_on_chunks_nor_on_threads(log: Log) -> None:
    _, text, rows = log
    alone = answers(text, 1, 1)
    assert answers(text, 7, 1) == alone
    assert answers(text, 300, 4) == alone
    found, lines = alone
    assert lines["filtered"] > lines["counted"] > 0
    # The last answer is at the end of the log, and has where every line went.
    _, _, end, *_, last = found[-1]
    newest = max(map(moment, rows))
    assert newest < datetime.fromtimestamp(end / 1e6, UTC) <= newest + timedelta(minutes=10)
    assert last == lines


def test_several_threads_of_a_run_change_no_answer(log: Log) -> None:
    path, *_ = log
    query = tr.from_files(path, format="combined").where("status == 404 or size > 100000")
    query = query.window("1h", every="10m").count(by="url")
    one, four = (list(query._start(jobs=jobs)) for jobs in (1, 4))
    assert len(one) > 1
    assert four == one


# --- conditions in Python -------------------------------------------------------------------------

LINE = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
COMMON = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5'


def counted(query: tr.Query) -> dict[str, Any]:
    [snapshot] = query.count(by="url").run()
    return snapshot.lines


def test_two_conditions_are_combined_with_and() -> None:
    lines = [LINE, LINE.replace("200", "404"), LINE.replace("GET", "PUT").replace("200", "404")]
    query = tr.from_lines(lines)
    assert counted(query.where("status == 404 or status == 1"))["counted"] == 2
    both = query.where("status == 404 or status == 1").where("method == PUT or method == x")
    assert counted(both) == {"fed": 3, "counted": 1, "late": 0, "filtered": 2, "rejected": {}}


def test_now_is_when_a_query_runs() -> None:
    now = datetime.now(UTC)
    lines = [
        LINE.replace("17/May/2015:10:05:03", f"{now - ago:%d/%b/%Y:%H:%M:%S}")
        for ago in (timedelta(hours=3), timedelta(minutes=90), timedelta(minutes=5))
    ]
    query = tr.from_lines(lines)
    assert counted(query.since("2h"))["counted"] == 2
    assert counted(query.since(timedelta(hours=1)))["counted"] == 1
    assert counted(query.since("4h").until("1h"))["counted"] == 2
    assert counted(query.until("now"))["counted"] == 3


def test_a_range_of_time_rejects_a_line_without_a_time() -> None:
    lines = [LINE, LINE.replace("17/May", "17/Foo")]
    assert counted(tr.from_lines(lines))["rejected"] == {}
    found = counted(tr.from_lines(lines).since("@0"))
    assert (found["counted"], found["rejected"]) == (1, {"no-time": 1})


WRONG: list[tuple[Callable[[tr.Query], tr.Query], str]] = [
    (
        lambda query: query.where("status > x"),
        """where: expected a number for status, such as 500 or 0.5, found 'x'
  status > x
           ^""",
    ),
    (
        lambda query: query.where("é == é and é é"),
        """where: expected ==, !=, <, <=, >, >=, ~, !~, in, contains, icontains, startswith or \
endswith
  é == é and é é
               ^""",
    ),
    (
        lambda query: query.where(""),
        "where: the condition is empty; write one, such as status >= 500",
    ),
    (
        lambda query: query.where("agent == '\x1b[31m' x"),
        """where: expected 'and' or 'or' before 'x', or quotes around the text
  agent == '\\x1b[31m' x
                      ^""",
    ),
    (
        lambda query: query.where("\udcff == 1"),
        "where: expected UTF-8, found '\\udcff == 1'",
    ),
    (
        lambda query: query.until(float("nan")),
        (
            "until: expected text, a datetime, a timedelta or seconds since the epoch, found nan, "
            "a missing value"
        ),
    ),
    (
        lambda query: query.until(math.inf),
        "until: inf is out of range (years 1684 to 2255); numbers are seconds since the epoch",
    ),
    (
        lambda query: query.since("@5").until("@5"),
        "since: expected a time before until (@5), found @5; no line can match",
    ),
]


@pytest.mark.parametrize(("build", "message"), WRONG)
def test_a_mistake_is_reported_at_once(build: Callable[[tr.Query], tr.Query], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared
        build(tr.from_lines([LINE]))
    assert str(error.value) == message


def test_what_is_no_point_in_time_is_named_by_its_place() -> None:
    with pytest.raises(ValueError, match=r"^since: expected a time such as .*, found 'soon'"):
        tr.from_lines([LINE]).since("soon")


def test_what_is_no_text_and_no_point_in_time_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="where: expected a condition such as"):
        tr.from_lines([LINE]).where(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="since: expected text, a datetime"):
        tr.from_lines([LINE]).since([])  # type: ignore[arg-type]


def test_queries_are_merged_before_they_have_a_condition() -> None:
    with pytest.raises(ValueError, match="merge sources first"):
        tr.merge(tr.from_lines([LINE]).where("status == 5"), tr.from_lines([LINE]))


def test_a_condition_applies_to_each_of_several_sources() -> None:
    both = tr.merge(
        tr.from_lines([LINE], format="combined"), tr.from_lines([COMMON], format="common")
    )
    assert counted(both.where("status == 200"))["counted"] == 2
    with pytest.raises(ValueError, match="format common has no field 'agent'"):
        both.where("agent == x")


# --- detection ------------------------------------------------------------------------------------


def test_a_condition_is_checked_against_the_detected_format() -> None:
    lines = counted(tr.from_lines([COMMON]).where("status == 200"))
    assert (lines["fed"], lines["counted"]) == (1, 1)
    for condition in ("agent == null", "statsu == 404"):
        with pytest.raises(ValueError, match="lines: where: format common has no field"):
            counted(tr.from_lines([COMMON]).where(condition))


def test_a_step_after_a_field_is_known_in_a_detected_format() -> None:
    assert counted(tr.from_lines([LINE]).where("path:1 == /a"))["counted"] == 1
    with pytest.raises(ValueError, match="expected a number for status"):
        tr.from_lines([LINE]).where("path:1 == /a and status == x")


# --- the core's own -------------------------------------------------------------------------------


def test_an_engine_rejects_a_condition_that_does_not_apply_to_a_format() -> None:
    common = {
        "by": "url",
        "time": "log",
        "limit": None,
        "window_us": None,
        "lateness_us": 0,
        "sources": 1,
        "start_us": 0,
        "hash_seed": 1,
    }
    with pytest.raises(_core.FilterError) as error:
        counting.engine(
            formats=["combined", "classic"], filter=_core.Filter("status > 5"), **common
        )
    message, start, end = error.value.args
    assert message.startswith("status is text, which")
    assert (start, end) == (9, 10)


def test_a_filter_says_its_fields_and_where_they_are() -> None:
    condition = _core.Filter("url == / and (status > 5 or url == /a)", since_us=0)
    assert condition.fields == [("url", (0, 3)), ("status", (14, 20)), ("time", None)]
    condition.check("combined")
    with pytest.raises(_core.FilterError):
        _core.Filter("agent == x").check("common")
