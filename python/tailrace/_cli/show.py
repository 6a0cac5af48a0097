"""What `top` shows: the fields of the key, the columns, and what rows are ranked by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailrace import _aggregates as aggregates
from tailrace._aggregates import Aggregate, has_order
from tailrace._names import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FUNCTIONS", "columns", "key_fields", "note", "ranking"]

FUNCTIONS = """\
Functions of --show, for the lines of a row (F and G are fields):
  count, count(F)         number of lines, or of those that have a value
  sum(F), mean(F)         exact, as are var(F) and std(F), of a sample
  min(F), max(F)          of numbers or times
  first(F), last(F)       the value of the earliest and of the latest line
  p50(F), p99.9(F), ...   a percentile from p0 to p100, to within 1 %
  count_distinct(F)       number of different values, exact
  approx_count_distinct(F)  the same in bounded memory, with a standard error of 1.6 %
  rate, rate(F)           lines, or the sum, per second of the window
  share, share(F)         part of all lines in the window, or of the sum over them, from 0 to 1
  share(CONDITION)        part of the lines of the row that match, as in share(status >= 500)
  ratio(F,G)              sum of F divided by the sum of G
  top(F,N)                the N most frequent values, each with its number of lines
"""

# Those of one field; None for those that can do without.
_OF_FIELD: dict[str, Callable[[str], Aggregate]] = {
    "sum": aggregates.sum,
    "mean": aggregates.mean,
    "min": aggregates.min,
    "max": aggregates.max,
    "first": aggregates.first,
    "last": aggregates.last,
    "var": aggregates.var,
    "std": aggregates.std,
    "count_distinct": aggregates.count_distinct,
    "approx_count_distinct": aggregates.approx_count_distinct,
}
_OF_LINES: dict[str, Callable[[str | None], Aggregate]] = {
    "count": aggregates.count,
    "rate": aggregates.rate,
    "share": aggregates.share,
}
_NAMES = [*_OF_LINES, *_OF_FIELD, "p50", "p99", "ratio", "top"]

# What other programs call them.
_ELSEWHERE = {
    "approx_distinct": "approx_count_distinct",
    "average": "mean",
    "avg": "mean",
    "cardinality": "count_distinct",
    "dcount": "count_distinct",
    "distinct": "count_distinct",
    "earliest": "first",
    "highest": "max",
    "hits": "count",
    "hll": "approx_count_distinct",
    "latest": "last",
    "lowest": "min",
    "maximum": "max",
    "median": "p50",
    "minimum": "min",
    "nunique": "count_distinct",
    "pct": "share",
    "percent": "share",
    "percentage": "share",
    "percentile": "p99",
    "qps": "rate",
    "quantile": "p99",
    "requests": "count",
    "rps": "rate",
    "sd": "std",
    "stddev": "std",
    "stdev": "std",
    "top_values": "top",
    "topk": "top",
    "total": "sum",
    "uniq": "count_distinct",
    "unique": "count_distinct",
    "variance": "var",
}

# The first columns of CSV.
_BOUNDS = ("start", "end")

_EXPRESSION = re.compile(
    r"(?:(?P<name>[^\s()=<>!~'\"`]+)\s*=(?!=)\s*)?(?P<function>\w[\w.]*)\s*(?:\((?P<inside>.*)\))?",
    re.DOTALL,
)
_PERCENTILE = re.compile(r"p([0-9]+(?:\.[0-9]+)?)")
_OPERATOR = re.compile(r"[=<>!~&|]")
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""", re.DOTALL)


def key_fields(text: str) -> list[str]:
    """
    Return the fields of `--by`, which are separated by commas.

    A name with a comma or with blanks around it is in backquotes.

    Raises:
        ValueError: A name is empty or given twice.

    >>> key_fields("path, status"), key_fields("user agent"), key_fields("`a,b`")
    (['path', 'status'], ['user agent'], ['a,b'])
    """
    names = [_unquoted(part.strip()) for part in _parts(text, "`", brackets=False)]
    if "" in names:
        fixed = ",".join(filter(None, names))
        hint = f"; did you mean {fixed!r}?" if fixed else ""
        raise ValueError(f"expected names of fields, separated by commas, found {text!r}{hint}")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the field {name!r} is given twice; name it once")
    return names


def columns(text: str) -> dict[str, Aggregate]:
    """
    Return the aggregates of `--show` by the names of their columns.

    Raises:
        ValueError: An expression is wrong, or two columns have the same name.

    >>> list(columns("count, sum( size ), big = share(size > 1000)"))
    ['count', 'sum(size)', 'big']
    """
    found: dict[str, Aggregate] = {}
    for part in _parts(text, "\"'`"):
        name, aggregate = _column(part.strip(), text)
        if name in found:
            raise ValueError(
                f"the column {name!r} is given twice; omit one, or name it, as in other={name}"
            )
        found[name] = aggregate
    return found


def ranking(
    text: str | None, shown: Mapping[str, Aggregate], by: Sequence[str]
) -> tuple[str | None, bool]:
    """
    Return the name of the column or key field to rank by, and whether the smallest comes first.

    A function names a column if only one column has it.

    Raises:
        ValueError: There is no such column, or it has no order.

    >>> ranking("+p99", {"count": tr.count(), "p99(size)": tr.quantile("size", 0.99)}, ["url"])
    ('p99(size)', True)
    """
    if text is None:
        return None, False
    plain = text.strip()
    ascending = plain.startswith("+")
    plain = plain.removeprefix("+").strip()
    wanted = {_without_blanks(plain), _unquoted(plain)}
    names = [name for name in (*shown, *by) if name in wanted]
    if not names:
        names = [name for name in shown if _function(name, shown[name]) == plain.lower()]
    if len(names) > 1:
        raise ValueError(f"{plain!r} is several columns; name one of {', '.join(names)}")
    if not names:
        known = [*(name for name in shown if has_order(shown[name])), *by]
        raise ValueError(f"unknown column {plain!r}; {suggestion(plain, known)}")
    name = names[0]
    if name in shown and not has_order(shown[name]):
        raise ValueError(f"{name!r} is a list, which has no order; sort by another column")
    return name, ascending


def note(shown: Mapping[str, Aggregate]) -> str | None:
    """
    Return which columns are approximate, and how much, for a message; None if all are exact.

    >>> note(columns("p50(size), p100(size), count"))
    'approximate: p50(size) is within 1 % of the exact value'
    """
    quantiles = [
        name for name, one in shown.items() if one.function == "quantile" and 0 < one.parameter < 1
    ]
    estimates = [name for name, one in shown.items() if one.function == "approx_count_distinct"]
    parts = []
    if quantiles:
        verb = "is" if len(quantiles) == 1 else "are"
        error = shown[quantiles[0]].error
        parts.append(f"{', '.join(quantiles)} {verb} within {_percent(error)} of the exact value")
    if estimates:
        verb = "has" if len(estimates) == 1 else "have"
        error = shown[estimates[0]].error
        parts.append(f"{', '.join(estimates)} {verb} a standard error of {_percent(error)}")
    return f"approximate: {'; '.join(parts)}" if parts else None


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _column(text: str, whole: str) -> tuple[str, Aggregate]:
    if not text:
        raise ValueError(
            f"expected functions separated by commas, such as 'count, sum(size)', found {whole!r}"
        )
    found = _EXPRESSION.fullmatch(text)
    if found is None:
        raise ValueError(_malformed(text))
    name, function, inside = found.group("name", "function", "inside")
    arguments = None
    if inside is not None:
        arguments = [part.strip() for part in _parts(inside, "\"'`")]
        arguments = [] if arguments == [""] else arguments
    if name in _BOUNDS:
        raise ValueError(f"{name!r} is a bound of the window; choose another name for {text!r}")
    aggregate = _aggregate(function, inside, arguments, text)
    return name or _without_blanks(text), aggregate


def _malformed(text: str) -> str:
    before, equals, after = text.partition("=")
    if equals and "(" not in before and not after.startswith("="):
        if not after.strip():
            return f"expected a function after {text!r}, such as {before.strip() or 'n'}=count"
        fixed = re.sub(r"\W+", "_", before.strip()) or "n"
        return (
            f"expected a name without blanks and quotes before =, found {before.strip()!r}; write "
            f"{fixed}={after.strip()}"
        )
    return (
        f"expected functions separated by commas, such as 'count, sum(size)' or 'sent=sum(size)', "
        f"found {text!r}"
    )


def _aggregate(
    function: str, inside: str | None, arguments: list[str] | None, text: str
) -> Aggregate:
    name = function.lower()
    if percentile := _PERCENTILE.fullmatch(name):
        q = float(f"{percentile[1]}e-2")
        if q > 1:
            nines = re.fullmatch("(9[0-9])([0-9]+)", percentile[1])
            hint = f"; did you mean p{nines[1]}.{nines[2]}?" if nines else ""
            raise ValueError(
                f"expected a percentile from p0 to p100, found {function!r} in {text!r}{hint}"
            )
        return aggregates.quantile(_field(name, arguments, text), q)
    if name in _OF_LINES:
        if not arguments:
            return _OF_LINES[name](None)
        if name == "share" and inside is not None and _is_condition(inside):
            return aggregates.share(where=inside.strip())
        return _OF_LINES[name](_field(name, arguments, text))
    if name in _OF_FIELD:
        return _OF_FIELD[name](_field(name, arguments, text))
    if name == "ratio":
        if arguments is None or len(arguments) != 2:
            raise ValueError(
                f"ratio needs two fields, as in ratio(upstream_time,request_time), found {text!r}"
            )
        first, second = (_field(name, [one], text) for one in arguments)
        return aggregates.ratio(first, second)
    if name == "top":
        field = _field(name, (arguments or [])[:1], text)
        number = (arguments or [])[1:]
        if not number:
            return aggregates.top_values(field)
        if len(number) > 1 or not re.fullmatch("[1-9][0-9]{0,8}", number[0]):
            raise ValueError(
                f"expected a field and a number from 1, as in top({field},3), found {text!r}"
            )
        return aggregates.top_values(field, int(number[0]))
    raise ValueError(_unknown(function, inside, text))


def _unknown(function: str, inside: str | None, text: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - takes 3 ms, and only a mistake needs it

    name = function.lower()
    message = f"unknown function {function!r}"
    message += f" in {text!r}" if text != function else ""
    known = _ELSEWHERE.get(name) or next(iter(get_close_matches(name, _NAMES, n=1)), None)
    if known is None and inside is None:
        return f"{message}; a field needs a function, such as count_distinct({function})"
    if known is None:
        return f"{message}; expected one of {', '.join(_NAMES)}"
    if inside is None:
        return f"{message}; did you mean {known}?"
    if known == "p99" and (given := re.fullmatch(r"(.+),\s*([0-9.]{1,9})", inside.strip())):
        # quantile(f, 0.95), percentile(f, 95)
        digits = float(given[2]) * (100 if "." in given[2] else 1)
        known, inside = f"p{digits:g}", given[1]
    return f"{message}; did you mean {known}({inside.strip()})?"


def _field(function: str, arguments: list[str] | None, text: str) -> str:
    """
    Return the field of a function.

    Raises:
        ValueError: There is none, there are several, or it is something else.
    """
    example = "request_time" if function.startswith("p") else "size"
    if not arguments or not arguments[0]:
        raise ValueError(f"{function} needs a field, as in {function}({example}), found {text!r}")
    if len(arguments) > 1:
        if function == "count":
            hint = "put a name with a comma in backquotes"
        else:
            hint = f"write {', '.join(f'{function}({one})' for one in arguments)}"
        raise ValueError(f"{function} takes one field, found {text!r}; {hint}")
    name = arguments[0]
    if name[0] == name[-1] == "`" and len(name) > 2:
        return name[1:-1]
    if name == "*":
        raise ValueError(f"expected a field, found * in {text!r}; count without one counts lines")
    if name[0] in "\"'":
        raise ValueError(f"expected a field without quotes, found {text!r}")
    if name.lower().startswith("distinct "):
        raise ValueError(f"found {text!r}; write count_distinct({name[9:].strip()})")
    if "(" in name:
        raise ValueError(f"expected a field, found {name!r} in {text!r}; give a field of the lines")
    if _OPERATOR.search(name):
        raise ValueError(
            f"expected a field, found the condition {name!r} in {text!r}; --where selects lines, "
            f"and share({name}) is the part that matches"
        )
    if " " in name:
        raise ValueError(f"expected a field, found {text!r}; write {function}(`{name}`)")
    return name


def _is_condition(text: str) -> bool:
    """
    Report whether it is a condition rather than the name of a field.

    >>> _is_condition("status >= 500"), _is_condition("size"), _is_condition("`a = b`")
    (True, False, False)
    """
    outside = _QUOTED.sub("", text.strip())
    return bool(re.search(r"[=<>!~&|(\s]", outside)) or text.strip()[:1] in ("'", '"')


def _function(name: str, aggregate: Aggregate) -> str:
    """Return the name of a column's function, as `--sort` takes it."""
    if aggregate.function == "quantile":
        # As it is written: p99.90 and p99.9 are the same.
        written = re.search(r"(?i)p[0-9.]+(?=\()", name)
        return written[0].lower() if written else f"p{100 * aggregate.parameter:g}"
    return {"top_values": "top"}.get(aggregate.function, aggregate.function)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "`" else name


def _without_blanks(text: str) -> str:
    """
    Return a text without the blanks outside quotes.

    >>> _without_blanks('share( agent contains "a b" )')
    'share(agentcontains"a b")'
    """
    parts = _QUOTED.split(text)
    return "".join(part if at % 2 else "".join(part.split()) for at, part in enumerate(parts))


def _parts(text: str, quotes: str, *, brackets: bool = True) -> list[str]:
    """
    Split a text at the commas outside quotes and parentheses.

    Raises:
        ValueError: A quote or a parenthesis is not closed, or not opened.
    """
    parts, start, depth, at = [], 0, 0, 0
    while at < len(text):
        character = text[at]
        if character in quotes:
            closed = _QUOTED.match(text, at)
            if closed is None:
                raise ValueError(f"the quote {character} is not closed in {text[start:]!r}")
            at = closed.end()
            continue
        if brackets and character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                found = text[start : at + 1].strip()
                raise ValueError(f"there is a closing parenthesis too many in {found!r}; remove it")
        if character == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    if depth:
        rest = text[start:].strip()
        raise ValueError(f"a parenthesis is not closed in {rest!r}; write {rest}{')' * depth}")
    return [*parts, text[start:]]
