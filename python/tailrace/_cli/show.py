"""What `top` shows: the fields of the key, the columns, and what rows are ranked by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tailrace import _aggregates as aggregates
from tailrace._aggregates import Aggregate, has_order
from tailrace._names import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FUNCTIONS", "columns", "field_names", "key_fields", "note", "ranking"]

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
  ratio(F,G)              sum of F divided by the sum of G, of lines that have both
  top(F,N)                the N most frequent values, each with its number of lines
"""

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

_OF_NUMBERS = ("sum", "mean", "min", "max", "var", "std", "quantile", "rate", "share", "ratio")

# The first columns of CSV.
_BOUNDS = ("start", "end")

# Compiled only when they are needed, which takes milliseconds.
_EXPRESSION = (
    r"(?s)(?:(?P<name>[^\s()=<>!~'\"`]+)\s*=(?!=)\s*)?(?P<function>\w[\w.]*)\s*"
    r"(?:\((?P<inside>.*)\))?"
)
_NAME = r"[^=('\"`<>!~]*=(?!=)\s*"
_PERCENTILE = r"p([0-9]+(?:\.[0-9]+)?)"
_OPERATOR = r"[=<>!~&|]"
_QUOTED = r"""(?s)("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""


def field_names(text: str) -> list[str]:
    """
    Return names that are separated by commas. One with a comma or with blanks is in backquotes.

    Raises:
        ValueError: A quote is not closed, or the text is not UTF-8.

    >>> field_names("path, user agent, `a,b`")
    ['path', 'user agent', 'a,b']
    """
    _check_text(text)
    return [_unquoted(part.strip()) for part in _parts(text, "`", brackets=False)]


def key_fields(text: str) -> list[str]:
    """
    Return the fields of `--by`.

    Raises:
        ValueError: A name is empty or given twice.

    >>> key_fields("path, status")
    ['path', 'status']
    """
    names = field_names(text)
    if not any(names):
        raise ValueError("expected the name of a field, found nothing")
    if "" in names:
        fixed = ",".join(filter(None, names))
        raise ValueError(
            f"expected names of fields, separated by commas, found {text!r}; did you mean "
            f"{fixed!r}?"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the field {name!r} is given twice; name it once")
    return names


def columns(text: str, by: Sequence[str] = ()) -> dict[str, Aggregate]:
    """
    Return the aggregates of `--show` by the names of their columns.

    Raises:
        ValueError: An expression is wrong, or two columns, or one and a key field in *by*, have the
            same name.

    >>> list(columns("count, sum( size ), big = share(size > 1000)"))
    ['count', 'sum(size)', 'big']
    """
    _check_text(text)
    found: dict[str, Aggregate] = {}
    for part in map(str.strip, _parts(text, "\"'`")):
        name, aggregate = _column(part, text)
        if name in found:
            raise ValueError(
                f"the column {name!r} is given twice; omit one, or name it, as in "
                f"other={_without_name(part)}"
            )
        if name in by:
            raise ValueError(
                f"the column {name!r} has the name of a field in --by; give it another name, such "
                f"as n={_without_name(part)}"
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

    >>> ranking("+p99", columns("count, p99(size)"), ["url"])
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


class _Call(NamedTuple):
    """A function as it is written."""

    function: str
    inside: str | None
    """What is in the parentheses, if there are any."""
    arguments: list[str]
    text: str

    def field(self) -> str:
        """
        Return the field, if it is the only argument.

        Raises:
            ValueError: There is none, there are several, or it is something else.
        """
        name = self.function.lower()
        if not self.arguments:
            example = "request_time" if name.startswith("p") else "size"
            raise ValueError(f"{name} needs a field, as in {name}({example}), found {self.text!r}")
        if len(self.arguments) > 1:
            hint = ", ".join(f"{name}({one})" for one in self.arguments)
            raise ValueError(f"{name} takes one field, found {self.text!r}; write {hint}")
        return _field(self.arguments[0], self)


def _column(text: str, whole: str) -> tuple[str, Aggregate]:
    if not text:
        raise ValueError(
            f"expected functions separated by commas, such as 'count, sum(size)', found {whole!r}"
        )
    name, function, inside = None, text, None
    if not text.isidentifier():
        found = re.fullmatch(_EXPRESSION, text)
        if found is None:
            raise ValueError(_malformed(text))
        name, function, inside = found.group("name", "function", "inside")
    if name in _BOUNDS:
        raise ValueError(f"{name!r} is a bound of the window; choose another name for {text!r}")
    arguments = [part.strip() for part in _parts(inside or "", "\"'`")]
    call = _Call(function, inside, [] if arguments == [""] else arguments, text)
    make = _MAKERS.get(function.lower())
    if make is None and re.fullmatch(_PERCENTILE, function.lower()):
        make = _percentile
    if make is None:
        raise ValueError(_unknown(call))
    aggregate = make(call)
    for field in aggregate.fields:
        if field.endswith(":bot") and aggregate.function in _OF_NUMBERS:
            raise ValueError(
                f"{function.lower()}: expected numbers, found true and false in the field "
                f"{field!r}; share({field} == true) is the part that is true"
            )
    return name or _without_blanks(text), aggregate


def _malformed(text: str) -> str:
    before, equals, after = text.partition("=")
    if equals and "(" not in before and not after.startswith("="):
        if not after.strip():
            return f"expected a function after {text!r}, such as {before.strip() or 'n'}=count"
        fixed = re.sub(r"\W+", "_", before.strip()) or "n"
        return (
            f"expected a name without blanks and quotes before =, found {before.strip()!r}; write "
            f"{fixed}={_without_name(after.strip())}"
        )
    return (
        "expected functions separated by commas, such as 'count, sum(size)' or 'sent=sum(size)', "
        f"found {text!r}"
    )


def _without_name(text: str) -> str:
    """
    Return an expression without the names before it.

    >>> _without_name("a=b = sum(size)"), _without_name("share(status == 500)")
    ('sum(size)', 'share(status == 500)')
    """
    while found := re.match(_NAME, text):
        text = text[found.end() :]
    return text


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"expected UTF-8, found {text!r:.80}") from None


def _of_field(make: Callable[[str], Aggregate]) -> Callable[[_Call], Aggregate]:
    return lambda call: make(call.field())


def _of_lines(make: Callable[[str | None], Aggregate]) -> Callable[[_Call], Aggregate]:
    return lambda call: make(call.field() if call.arguments else None)


def _share(call: _Call) -> Aggregate:
    if call.inside is not None and _is_condition(call.inside):
        return aggregates.share(where=call.inside.strip())
    return _of_lines(aggregates.share)(call)


def _percentile(call: _Call) -> Aggregate:
    digits = call.function[1:]
    q = float(f"{digits}e-2")
    if q > 1:
        nines = re.fullmatch("(9[0-9])([0-9]+)", digits)
        hint = f"; did you mean p{nines[1]}.{nines[2]}?" if nines else ""
        raise ValueError(
            f"expected a percentile from p0 to p100, found {call.function!r} in {call.text!r}{hint}"
        )
    return aggregates.quantile(call.field(), q)


def _ratio(call: _Call) -> Aggregate:
    try:
        first, second = (_field(one, call) for one in call.arguments)
    except ValueError as error:
        if "expected a field" in str(error):
            raise
        raise ValueError(
            f"ratio needs two fields, as in ratio(upstream_time,request_time), found {call.text!r}"
        ) from None
    return aggregates.ratio(first, second)


def _top(call: _Call) -> Aggregate:
    field = call._replace(arguments=call.arguments[:1]).field()
    number = call.arguments[1:]
    if not number:
        return aggregates.top_values(field)
    if len(number) > 1 or not re.fullmatch("[1-9][0-9]{0,8}", number[0]):
        raise ValueError(
            f"expected a field and a number from 1, as in top({field},3), found {call.text!r}"
        )
    return aggregates.top_values(field, int(number[0]))


_MAKERS: dict[str, Callable[[_Call], Aggregate]] = {
    "count": _of_lines(aggregates.count),
    "sum": _of_field(aggregates.sum),
    "mean": _of_field(aggregates.mean),
    "min": _of_field(aggregates.min),
    "max": _of_field(aggregates.max),
    "first": _of_field(aggregates.first),
    "last": _of_field(aggregates.last),
    "var": _of_field(aggregates.var),
    "std": _of_field(aggregates.std),
    "count_distinct": _of_field(aggregates.count_distinct),
    "approx_count_distinct": _of_field(aggregates.approx_count_distinct),
    "rate": _of_lines(aggregates.rate),
    "share": _share,
    "ratio": _ratio,
    "top": _top,
}


def _unknown(call: _Call) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - takes 3 ms, and only a mistake needs it

    names = [*_MAKERS, "p50", "p99"]
    message = f"unknown function {call.function!r}"
    message += f" in {call.text!r}" if call.text != call.function else ""
    close = get_close_matches(call.function.lower(), names, n=1)
    known = _ELSEWHERE.get(call.function.lower()) or next(iter(close), None)
    if known is None and call.inside is None:
        return f"{message}; a field needs a function, such as count_distinct({call.function})"
    if known is None:
        return f"{message}; expected one of {', '.join(names)}"
    if call.inside is None:
        return f"{message}; did you mean {known}?"
    inside = call.inside.strip()
    if known == "p99" and (given := re.fullmatch(r"(.+),\s*([0-9]+(?:\.[0-9]+)?)", inside)):
        # Other programs write a quantile as 0.95 or as 95.
        number = float(given[2]) * (100 if "." in given[2] else 1)
        known, inside = f"p{number:g}", given[1]
    return f"{message}; did you mean {known}({inside})?"


def _field(name: str, call: _Call) -> str:
    """
    Return a field without the backquotes that it may have.

    Raises:
        ValueError: It is something else.
    """
    text, function = call.text, call.function.lower()
    if _unquoted(name) != name:
        return _unquoted(name)
    hint = None
    if not name:
        hint = "give its name"
    elif name == "*":
        hint = "count alone counts lines"
    elif name[0] in "\"'":
        hint = f"omit the quotes, or write {function}(`{name[1:-1]}`)"
    elif name.lower().startswith("distinct "):
        hint = f"write count_distinct({name.split(maxsplit=1)[1]})"
    elif "(" in name:
        hint = f"{name} is a column of its own"
    elif re.search(_OPERATOR, name):
        hint = f"--where selects lines, and share({name}) is the part that matches"
    elif " " in name:
        hint = f"write {function}(`{name}`)"
    if hint:
        raise ValueError(f"expected a field, found {name!r} in {text!r}; {hint}")
    return name


def _is_condition(text: str) -> bool:
    """
    Report whether it is a condition rather than the name of a field.

    >>> _is_condition("status >= 500"), _is_condition("size"), _is_condition("`a = b`")
    (True, False, False)
    """
    outside = re.sub(_QUOTED, "", text.strip())
    return bool(re.search(r"[=<>!~&|(\s]", outside)) or text.strip()[:1] in ("'", '"')


def _function(name: str, aggregate: Aggregate) -> str:
    """Return the name of a column's function, as `--sort` takes it."""
    if aggregate.function == "quantile":
        # As it is written: p99.90 and p99.9 are the same.
        written = re.search(r"(?i)p[0-9.]+(?=\()", name)
        return written[0].lower() if written else f"p{100 * aggregate.parameter:g}"
    return {"top_values": "top"}.get(aggregate.function, aggregate.function)


def _unquoted(name: str) -> str:
    inside = name[1:-1]
    return inside if inside and name == f"`{inside}`" and "`" not in inside else name


def _without_blanks(text: str) -> str:
    """
    Return a text without the blanks outside quotes.

    >>> _without_blanks('share( agent contains "a b" )')
    'share(agentcontains"a b")'
    """
    if text.isidentifier():
        return text
    parts = re.split(_QUOTED, text)
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
            closed = re.compile(_QUOTED).match(text, at)
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
