"""`top --show`, `--sort` and `--by F,F` against a recount in plain Python."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import statistics
import subprocess
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND
from profiles import examples

from tailrace._cli import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Line = dict[str, Any]

START = datetime(2026, 1, 1, tzinfo=UTC)


def top(*arguments: str, log: Sequence[Line] | bytes, **variables: str) -> tuple[int, str, str]:
    """Return the exit code of the command for a log of JSON lines, its output and its messages."""
    if not isinstance(log, bytes):
        log = "".join(json.dumps(line) + "\n" for line in log).encode()
    ran = subprocess.run(
        [*COMMAND, "top", *arguments],
        input=log,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "TAILRACE_LOG_FORMAT": "json", **variables},
    )
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def called(*arguments: str, log: Sequence[Line]) -> str:
    """Return the output without a process of its own, which takes longer than the rest."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in log))
        file.flush()
        with redirect_stdout(out):
            assert run(["top", file.name, "--log-format", "json", *arguments]) == 0
    out.seek(0)
    return out.read()


# --- The recount ----------------------------------------------------------------------------------

Lines = list[Line]
Fields = list[str]


def present(lines: Lines, field: str) -> list[Any]:
    return [line[field] for line in lines if line.get(field) is not None]


def total(values: list[Any]) -> float | None:
    if not values:
        return None
    whole = sum(map(Fraction, values))
    return int(whole) if all(isinstance(value, int) for value in values) else float(whole)


def quotient(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else float(part) / float(whole)


def deviation(values: list[Any], *, root: bool) -> float | None:
    if len(values) < 2:
        return None
    variance = float(statistics.variance(list(map(Fraction, values))))
    return math.sqrt(variance) if root else variance


def ratio(lines: Lines) -> float | None:
    both = [line for line in lines if line.get("size") is not None and line.get("took") is not None]
    return quotient(total([line["size"] for line in both]), total([line["took"] for line in both]))


def most_frequent(values: list[Any], n: int) -> list[Line] | None:
    ranked = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))
    return [{"value": value, "count": count} for value, count in ranked[:n]] or None


def rank(values: list[float], q: Fraction) -> float | None:
    ordered = sorted(values)
    return float(ordered[max(math.ceil(q * len(ordered)), 1) - 1]) if ordered else None


# For each column: what it is of the lines of a row, of all lines of the window and its seconds.
EXACT: dict[str, Callable[[Lines, Lines, float], Any]] = {
    "count": lambda own, _all, _s: len(own),
    "count(size)": lambda own, _all, _s: len(present(own, "size")),
    "sum(size)": lambda own, _all, _s: total(present(own, "size")),
    "sum(took)": lambda own, _all, _s: total(present(own, "took")),
    "mean(size)": lambda own, _all, _s: quotient(
        total(present(own, "size")), len(present(own, "size"))
    ),
    "min(took)": lambda own, _all, _s: min(present(own, "took"), default=None),
    "max(size)": lambda own, _all, _s: max(present(own, "size"), default=None),
    "first(size)": lambda own, _all, _s: next(iter(present(own, "size")), None),
    "last(took)": lambda own, _all, _s: next(iter(present(own, "took")[::-1]), None),
    "var(size)": lambda own, _all, _s: deviation(present(own, "size"), root=False),
    "std(took)": lambda own, _all, _s: deviation(present(own, "took"), root=True),
    "p0(size)": lambda own, _all, _s: rank(present(own, "size"), Fraction(0)),
    "p100(took)": lambda own, _all, _s: rank(present(own, "took"), Fraction(1)),
    "count_distinct(host)": lambda own, _all, _s: len(set(present(own, "host"))),
    "rate": lambda own, _all, seconds: quotient(len(own), seconds),
    "rate(size)": lambda own, _all, seconds: quotient(total(present(own, "size")), seconds),
    "share": lambda own, all_, _s: quotient(len(own), len(all_)),
    "share(size)": lambda own, all_, _s: quotient(
        total(present(own, "size")), total(present(all_, "size"))
    ),
    "share(status>=500)": lambda own, _all, _s: (
        sum((line.get("status") or 0) >= 500 for line in own) / len(own)
    ),
    "share(nothost==aandtook!=null)": lambda own, _all, _s: (
        sum(line.get("host") != "a" and line.get("took") is not None for line in own) / len(own)
    ),
    "ratio(size,took)": lambda own, _all, _s: ratio(own),
    "top(host,2)": lambda own, _all, _s: most_frequent(present(own, "host"), 2),
}
WRITTEN = {
    "share(nothost==aandtook!=null)": "share(not host == a and took != null)",
    "share(status>=500)": "share( status >= 500 )",
    "top(host,2)": "top( host , 2 )",
    "ratio(size,took)": "ratio(size, took)",
}
WITHIN = {
    "p50(took)": (lambda own: rank(present(own, "took"), Fraction(1, 2)), 0.01),
    "p99.9(size)": (lambda own: rank(present(own, "size"), Fraction(999, 1000)), 0.01),
    "approx_count_distinct(host)": (lambda own: len(set(present(own, "host"))), 0.05),
}
LISTS = {"top(host,2)"}
KEYS = ["path", "status", "host"]


def keyed(line: Line, by: Fields) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in by)


def in_order(rows: list[Line], by: Fields, order: str, *, ascending: bool) -> list[Line]:
    """Sort by a column: null last, ties by key, ascending, null last."""
    rows = sorted(
        rows, key=lambda row: [(row[name] is None, str(row[name] or "").encode()) for name in by]
    )
    present = [row for row in rows if row[order] is not None]
    as_text = any(isinstance(row[order], str) for row in present)
    present.sort(
        key=lambda row: row[order].encode() if as_text else row[order], reverse=not ascending
    )
    return present + [row for row in rows if row[order] is None]


def recounted(lines: Lines, by: Fields, shown: Sequence[str], seconds: float) -> list[Line]:
    """Return the rows of a window without their order."""
    groups: dict[tuple[Any, ...], Lines] = {}
    for line in lines:
        groups.setdefault(keyed(line, by), []).append(line)
    return [
        dict(zip(by, key, strict=True))
        | {name: EXACT[name](own, lines, seconds) for name in shown if name in EXACT}
        for key, own in groups.items()
    ]


LOG = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["/a", "/b", "/c,d", 'e"f', None]),
            "status": st.sampled_from([200, 301, 404, 500, 503, None]),
            "host": st.sampled_from(["a", "b", "c", None]),
            "size": st.sampled_from([None, 0, 1, 17, 2**40]),
            "took": st.sampled_from([None, 0.25, 0.1, 0.3, 7.5]),
        }
    ),
    min_size=1,
    max_size=30,
)
NAMES = st.lists(st.sampled_from([*EXACT, *WITHIN]), min_size=1, max_size=5, unique=True)


@examples(60)
@given(st.data())
def test_rows_are_those_of_a_recount(data: st.DataObject) -> None:
    """Keys, columns, order, limit and windows of random logs, in each machine format."""
    log = data.draw(LOG)
    for number, line in enumerate(log):
        line["time"] = (START + timedelta(seconds=number)).isoformat()
    by = data.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
    shown = data.draw(NAMES)
    order = data.draw(st.sampled_from([None, *by, *(name for name in shown if name not in LISTS)]))
    ascending = order is not None and data.draw(st.booleans())
    limit = data.draw(st.sampled_from(["all", "1", "3"]))
    window = data.draw(st.sampled_from([None, 10]))
    arguments = ["--by", ", ".join(by), "--show", ", ".join(WRITTEN.get(one, one) for one in shown)]
    arguments += ["-n", limit]
    if order is not None:
        arguments += ["--sort", ("+" if ascending else "") + WRITTEN.get(order, order)]
    if window is not None:
        arguments += ["--window", f"{window}s", "--slide", "5s", "--time", "log"]
    out = called(*arguments, "--format", "jsonl", log=log)
    results = [json.loads(text) for text in out.splitlines()]
    assert len(results) == 1 if window is None else results
    for result in results:
        start, end = (datetime.fromisoformat(result[name]) for name in ("start", "end"))
        times = [datetime.fromisoformat(line["time"]) for line in log]
        own = [
            line
            for line, time in zip(log, times, strict=True)
            if window is None or start <= time < end
        ]
        rows = result["rows"]
        wanted = recounted(own, by, shown, (end - start).total_seconds())
        assert result["keys"] == len(wanted)
        assert len(rows) == min(len(wanted), len(wanted) if limit == "all" else int(limit))
        by_key = {keyed(row, by): row for row in wanted}
        for row in rows:
            assert list(row) == [*by, *shown]
            of_key = [line for line in own if keyed(line, by) == keyed(row, by)]
            assert {name: row[name] for name in row if name not in WITHIN} == by_key[keyed(row, by)]
            for name in set(shown) & {*WITHIN}:
                figure, error = WITHIN[name]
                exact = figure(of_key)
                assert row[name] == (exact and pytest.approx(exact, rel=error))
        ranking = order or next((name for name in shown if name not in LISTS), "count")
        if ranking in {*shown, *by} - {*WITHIN}:
            assert [keyed(row, by) for row in rows] == [
                keyed(row, by)
                for row in in_order(wanted, by, ranking, ascending=ascending)[: len(rows)]
            ]
        elif ranking in WITHIN:
            assert rows == in_order(rows, by, ranking, ascending=ascending)
    out = called(*arguments, "--format", "csv", log=log)
    lines = list(csv.reader(io.StringIO(out)))
    assert lines[0] == ["start", "end", *by, *shown]
    flat = [
        [result["start"], result["end"], *row.values()]
        for result in results
        for row in result["rows"]
    ]
    assert [[_as_csv(value) for value in row] for row in flat] == lines[1:]


def _as_csv(value: Any) -> str:  # noqa: ANN401 - of any column
    if isinstance(value, list):
        return json.dumps(value, separators=(",", ":"))
    return "" if value is None else str(value)


# --- Names and notes ------------------------------------------------------------------------------

ONE = [{"path": "/a", "status": 500, "size": 4, "took": 0.5, "time": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize(
    ("show", "row"),
    [
        ("count", {"count": 1}),
        (" COUNT , Sum( size ) ", {"COUNT": 1, "Sum(size)": 4}),
        ("n = count, bytes=sum(size)", {"n": 1, "bytes": 4}),
        ("errors=share(status >= 500)", {"errors": 1.0}),
        (
            "share(path contains '/ a' or path == \"/a\")",
            {"share(pathcontains'/ a'orpath==\"/a\")": 1.0},
        ),
        ("share((status > 1) and (size in (3, 4)))", {"share((status>1)and(sizein(3,4)))": 1.0}),
        ("count()", {"count()": 1}),
        ("count(`no such, field`)", {"count(`no such, field`)": 0}),
        ("top(path)", {"top(path)": [{"value": "/a", "count": 1}]}),
        ("p00.0(size),P50 (size)", {"p00.0(size)": 4.0, "P50(size)": 4.0}),
        ("by=count,self=rate", {"by": 1, "self": None}),
        ("count_distinct(path:1)", {"count_distinct(path:1)": 1}),
        ("größe=sum(size)", {"größe": 4}),
        ("first(time)", {"first(time)": "2026-01-01T00:00:00Z"}),
    ],
)
def test_a_column_is_called_by_its_text(show: str, row: Line) -> None:
    """Its blanks outside quotes are left out, and a name replaces it."""
    code, out, messages = top("--by", "status", "--show", show, "--format", "jsonl", log=ONE)
    assert (code, json.loads(out)["rows"]) == (0, [{"status": 500, **row}]), messages


@pytest.mark.parametrize(
    ("show", "sort", "column"),
    [
        ("count,p99(size)", "p99", "p99(size)"),
        ("count,p99.9(size)", "+P99.9", "p99.9(size)"),
        ("count,slow=p95(took)", "p95", "slow"),
        ("count,top(path),bytes=sum(size)", "SUM", "bytes"),
        ("e=share(status > 1),count", "share", "e"),
        ("rate,share(status > 1),share", "share", "share"),
        ("count,share( status > 1 )", "share(status > 1)", "share(status>1)"),
        ("count,ratio(size,took)", " + ratio", "ratio(size,took)"),
    ],
)
def test_sort_takes_the_name_of_a_column_or_of_its_function(
    show: str, sort: str, column: str
) -> None:
    """A function's name is enough where only one column has it."""
    log = [
        {"key": "a", "status": 1, "size": 5, "took": 0.5},
        {"key": "b", "status": 2, "size": 1, "took": 0.1},
        {"key": "b", "status": 2, "size": 9, "took": 0.1},
        {"key": "c", "status": 2, "size": None, "took": 3},
    ]
    code, out, messages = top(
        "--by", "key", "--show", show, "--sort", sort, "--format", "jsonl", log=log
    )
    assert code == 0, messages
    rows = json.loads(out)["rows"]
    assert rows == in_order(rows, ["key"], column, ascending="+" in sort)


def test_the_note_says_how_much() -> None:
    """One message a run, whatever the number of results; exact columns have none."""
    show = "p50(size), p99(took), approx_count_distinct(path), p100(size), p0(size), count"
    log = [{**ONE[0], "time": f"2026-01-01T00:00:0{second}Z"} for second in range(5)]
    _, _, messages = top("--show", show, "--window", "1s", "--time", "log", log=log)
    notes = [text for text in messages.splitlines() if "approximate" in text]
    (found,) = notes
    assert found == (
        "tailrace: approximate: p50(size), p99(took) are within 1 % of the exact value; "
        "approx_count_distinct(path) has a standard error of 1.6 %"
    )
    _, _, messages = top("--show", "p100(size),p0(size),mean(size)", log=log)
    assert "approximate" not in messages


def test_a_row_of_other_keys_and_a_cut_table_keep_the_shares() -> None:
    """A share is of all lines of the window, not of the rows that are shown."""
    log = [{"path": f"/{number}", "size": number} for number in range(100)]
    _, out, _ = top(
        "--by", "path", "--show", "share(size),share", "-n", "1", "--format", "jsonl", log=log
    )
    assert json.loads(out)["rows"] == [{"path": "/99", "share(size)": 0.02, "share": 0.01}]


# --- Mistakes -------------------------------------------------------------------------------------


def test_a_key_may_be_called_count() -> None:
    log = [{"count": 3}, {"count": 3}, {"count": 5}]

    code, out, _ = top(
        "--by",
        "count",
        "--show",
        "n=count, sum(count)",
        "--sort",
        "n",
        "--format",
        "jsonl",
        log=log,
    )

    assert code == 0
    assert json.loads(out)["rows"] == [
        {"count": 3, "n": 2, "sum(count)": 6},
        {"count": 5, "n": 1, "sum(count)": 5},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--show", "avg(size)"], "function 'avg' in 'avg(size)'; did you mean mean(size)?"),
        (["--show", "MEDIAN(size)"], "did you mean p50(size)?"),
        (["--show", "uniq(host)"], "did you mean count_distinct(host)?"),
        (["--show", "distinct(host)"], "did you mean count_distinct(host)?"),
        (["--show", "stddev(size)"], "did you mean std(size)?"),
        (["--show", "summ(size)"], "did you mean sum(size)?"),
        (["--show", "quantile(size, 0.95)"], "did you mean p95(size)?"),
        (["--show", "percentile(size, 99.9)"], "did you mean"),
        (["--show", "p999(size)"], "found 'p999' in 'p999(size)'; did you mean p99.9?"),
        (["--show", "p101(size)"], "from p0 to p100, found 'p101' in 'p101(size)'"),
        (["--show", "size"], "a field needs a function, such as count_distinct(size)"),
        (["--show", "sum"], "sum needs a field, as in sum(size)"),
        (["--show", "sum()"], "sum needs a field"),
        (["--show", "sum(size,took)"], "write sum(size), sum(took)"),
        (["--show", "sum(size"], "a parenthesis is not closed in 'sum(size'; write sum(size)"),
        (["--show", "sum(size))"], "a closing parenthesis too many"),
        (["--show", "share(path == 'a)"], "the quote ' is not closed"),
        (["--show", "sum('size')"], "omit the quotes, or write sum(`size`)"),
        (["--show", "count, count"], "the column 'count' is given twice"),
        (["--show", "x=count, x=sum(size)"], "twice; omit one, or name it, as in other=sum(size)"),
        (["--show", "status=rate", "--by", "status"], "another name, such as n=rate"),
        (["--by", "count"], "--show: the column 'count' has the name of a field in"),
        (["--show", "a=b=count"], "found 'a'; write a=count"),
        (["--show", "\udcff=count"], "--show: expected UTF-8"),
        (["--by", "\udcff"], "--by: expected UTF-8"),
        (["--by", "path,end", "--format", "csv"], "--by: CSV has a column 'end' already"),
        (["--show", "end=count"], "'end' is a bound of the window"),
        (["--show", "my name=count"], "found 'my name'; write my_name=count"),
        (["--show", "=count"], "expected a name without blanks and quotes before ="),
        (["--show", "n="], "expected a function after 'n=', such as n=count"),
        (["--show", ""], "expected functions separated by commas"),
        (["--show", "count,,rate"], "expected functions separated by commas"),
        (["--show", "count rate"], "expected functions separated by commas"),
        (["--show", "count(*)"], "count alone counts lines"),
        (["--show", "count(distinct host)"], "write count_distinct(host)"),
        (["--show", "mean(sum(size))"], "sum(size) is a column of its own"),
        (["--show", "sum(status >= 500)"], "share(status >= 500) is the part that matches"),
        (["--show", "ratio(size)"], "ratio needs two fields"),
        (["--show", "ratio(size,took,took)"], "ratio needs two fields"),
        (["--show", "top(path,0)"], "a number from 1, as in top(path,3)"),
        (["--show", "top(path,x)"], "a number from 1, as in top(path,3)"),
        (["--show", "share(status >= )"], "share: expected a value after the operator\n  status"),
        (["--show", "share(status > x)"], "--show: share: expected a number for status"),
        (["--show", "share(agent:bot)"], "share(agent:bot == true) is the part that is true"),
        (["--show", "sum(path)"], "--show: sum: expected numbers, found text in"),
        (["--show", "p99(host)"], "quantile: expected numbers, found text in"),
        (["--show", "max(path)"], "--show: max: expected numbers or times, found text"),
        (["--sort", "nosuch"], "unknown column 'nosuch'; expected one of count, url"),
        (["--sort", "cuont"], "did you mean 'count'?"),
        (["--sort", "sum", "--show", "sum(size),sum(took)"], "'sum' is several columns"),
        (["--sort", "top", "--show", "count,top(path,2)"], "is a list, which has no order"),
        (["--by", "path,,status"], "--by: expected names of fields, separated by commas"),
        (["--by", ""], "--by: expected the name of a field, found nothing"),
        (["--by", "path,path"], "--by: the field 'path' is given twice"),
        (["--by", "path", "--by", "status"], "'path' and 'status'; separate several by commas"),
        (["-n", "1", "--limit", "1"], "--limit: expected once, found '1' and '1'"),
        (["--where", "status > 1", "--where=status < 5"], "combine conditions with and"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_error(arguments: list[str], message: str) -> None:
    """It names the option and the mend, nothing is read, and the exit code is 2."""
    code, out, messages = top(*arguments, log=ONE)
    assert (code, out) == (2, "")
    assert messages.startswith("tailrace top: --")
    assert message in messages


COMBINED = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 500 5 "-" "x"\n'


@pytest.mark.parametrize(
    ("show", "message"),
    [
        ("sum(bytes_in)", "format combined has no field 'bytes_in'"),
        ("share(upstream == x)", "format combined has no field 'upstream'"),
        ("ratio(size,took)", "format combined has no field 'took'"),
    ],
)
def test_a_detected_format_is_checked(show: str, message: str) -> None:
    """A log whose format lacks a field is refused, with one message and nothing else."""
    code, out, messages = top("--show", show, log=COMBINED.encode(), TAILRACE_LOG_FORMAT="auto")
    assert (code, out) == (2, "")
    assert message in messages
    assert len(messages.splitlines()) == 1


def test_a_variable_beside_the_option_is_fine() -> None:
    """The command line takes precedence over the environment; only the line itself is checked."""
    code, out, messages = top(
        "--by", "status", "--format", "csv", log=ONE, TAILRACE_BY="path", TAILRACE_SHOW="sum(size)"
    )
    assert (code, out.splitlines()[0]) == (0, "start,end,status,sum(size)"), messages
    code, _, messages = top(log=ONE, TAILRACE_SHOW="avg(size)")
    assert code == 2
    assert messages.startswith("tailrace top: TAILRACE_SHOW: unknown function 'avg'")


def test_every_verb_takes_an_option_once(tmp_path: Path) -> None:
    """The rule is that of the parser, so no verb is without it."""
    for verb in ("parse", "formats", "send"):
        option = {"send": "--batch", "formats": "--format"}.get(verb, "--tz")
        ran = subprocess.run(
            [*COMMAND, verb, option, "1", option, "2", str(tmp_path / "none")],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 2
        assert f"{option}: expected once, found '1' and '2'" in ran.stderr.decode()


def test_a_variable_that_names_no_shown_column_is_not_used() -> None:
    log = [{"path": "/b", "size": 1}, {"path": "/a", "size": 1}, {"path": "/a", "size": 3}]
    csv_of = ("--by", "path", "--format", "csv")
    code, out, messages = top(*csv_of, log=log, TAILRACE_SORT="+p99")
    assert (code, [row.split(",")[2] for row in out.split()[1:]]) == (0, ["/a", "/b"])
    assert "tailrace: TAILRACE_SORT is not used: unknown column 'p99'" in messages
    show = ("--show", "count, p99(size)")
    code, out, messages = top(*csv_of, *show, log=log, TAILRACE_SORT="+p99")
    assert (code, [row.split(",")[2] for row in out.split()[1:]]) == (0, ["/b", "/a"])
    assert "TAILRACE_SORT" not in messages
    code, _, messages = top(*csv_of, "--sort", "p98", log=log, TAILRACE_SORT="+p99")
    assert code == 2
    assert messages.startswith("tailrace top: --sort: unknown column 'p98'")
