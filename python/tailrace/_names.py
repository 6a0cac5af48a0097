"""Names that users write: formats, fields, options' values and addresses, each with a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AUTO",
    "DETECTED",
    "check_fields",
    "check_format",
    "choice",
    "closest",
    "is_interval",
    "list_of_names",
    "one_of",
    "steps_of",
    "suggestion",
]

AUTO = "auto"
"""The name for the format that is detected from the first lines; see `_detection`."""

DETECTED = _core.DETECTED
"""The formats that can be detected, the most specific first."""

# A longer list does not help in a message.
_MAX_LISTED = 12


def one_of(name: str, known: list[str], what: str, listed: str = "") -> str:
    """
    Return the name if it is known.

    Raises:
        ValueError: It is unknown. The message suggests the closest name, and gives all of them or
            the command that lists them.
    """
    if name in known:
        return name
    raise ValueError(f"unknown {what} {name!r}; {suggestion(name, known, listed)}")


def suggestion(name: str, known: list[str], listed: str = "", others: Sequence[str] = ()) -> str:
    """
    Suggest the closest known name, and give all of them or the command that lists them.

    *others* are not listed, but one of them may be the closest.

    >>> suggestion("hst", ["host", "url"])
    "did you mean 'host'? Expected one of host, url"
    >>> suggestion("combind", ["combined"] * 30, "tailrace formats")
    "did you mean 'combined'? 'tailrace formats' lists all of them"
    """
    guess = closest(name, [*known, *others])
    if listed and len(known) > _MAX_LISTED:
        return f"{guess}{listed!r} lists all of them"
    return f"{guess}{'Expected' if guess else 'expected'} one of {', '.join(known)}"


def choice(value: str, known: list[str], option: str) -> str:
    """
    Return the value of an option if it is one of those known.

    Raises:
        ValueError: It is not.

    >>> choice("jso", ["text", "csv", "jsonl"], "--format")
    Traceback (most recent call last):
    ValueError: --format: expected text, csv or jsonl, found 'jso'; did you mean 'jsonl'?
    """
    if value in known:
        return value
    expected = f"{', '.join(known[:-1])} or {known[-1]}"
    guess = closest(value, known).rstrip()
    message = f"{option}: expected {expected}, found {value!r}"
    raise ValueError(f"{message}; {guess}" if guess else message)


def closest(name: str, known: list[str]) -> str:
    """
    Return a question for the closest known name, with a space after it, or nothing.

    >>> closest("statsu", ["status", "size"])
    "did you mean 'status'? "
    """
    import difflib  # noqa: PLC0415 - takes 3 ms, and only a mistake needs it

    # Without the dashes of options, which make any two of them similar.
    plain = {one.lstrip("-"): one for one in known}
    close = difflib.get_close_matches(name.lower().lstrip("-"), plain, n=1)
    return f"did you mean {plain[close[0]]!r}? " if close else ""


def check_format(spec: str, *, auto: bool = False) -> str:
    """
    Return a format's name or spec if it is valid; `auto` is valid only where the caller allows it.

    Raises:
        TypeError: It is not text.
        ValueError: It is invalid. The message says why, and how to fix it.
    """
    if not isinstance(spec, str):
        raise TypeError(
            f"format: expected the name of a format or a format string, found {spec!r:.80}"
        )
    if (auto and spec == AUTO) or spec in _core.FORMATS:
        return spec
    if spec == AUTO:
        raise ValueError("format: 'auto' cannot be used here; tr.detect(data) detects a format")
    if spec.replace("-", "").replace("_", "").isalnum():
        known = [AUTO, *_core.FORMATS] if auto else _core.FORMATS
        return one_of(spec, known, "format", "tailrace formats")
    mixed = [name.strip() for name in spec.split(",")]
    if all(name.replace("-", "").replace("_", "").isalnum() for name in mixed):
        if AUTO in mixed:
            raise ValueError(f"{AUTO!r} cannot be combined with other formats, found {spec!r}")
        for name in mixed:
            one_of(name, _core.FORMATS, "format", "tailrace formats")
    _core.Format(spec)
    return spec


def list_of_names(fields: Sequence[str], argument: str = "fields") -> list[str]:
    """
    Return the names of fields, or those of another argument, as a list.

    Raises:
        TypeError: It is one text, not iterable, or a name is not text.
    """
    if isinstance(fields, str):
        raise TypeError(
            f"{argument}: expected a list of names, found a str; write [{fields!r:.80}]"
        )
    names = list(fields) if hasattr(fields, "__iter__") else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}: expected a list of names, found {fields!r:.80}")
    return names


def check_fields(names: list[str], log_format: str | _core.Format) -> list[str]:
    """
    Return the names of fields if the format has them; for `auto`, if any detected format may have.

    Raises:
        ValueError: No line of the format can have one of them, or one is given twice.
    """
    for name in names:
        if problem := _problem_of(name, log_format):
            raise ValueError(problem)
        if names.count(name) > 1:
            raise ValueError(f"field {name!r} is given twice")
    return names


def _problem_of(name: str, log_format: str | _core.Format) -> str:
    """Return why no line of a format can have a field, or nothing if one can."""
    if problem := _step_problem(name, log_format):
        return problem
    # In JSON and LTSV any key can occur; other formats are checked when the format is known.
    if log_format == AUTO or _core.field_kind(log_format, name) is not None:
        return ""
    known = [field for field, _ in _core.field_kinds(log_format)]
    spec = log_format if isinstance(log_format, str) else log_format.spec
    is_named = spec in _core.FORMATS
    what = f"{f'format {spec}' if is_named else 'the format'} has no field {name!r}"
    # The columns of a header are known only to the compiled format.
    has_columns = not isinstance(log_format, str) and log_format.has_header
    if has_columns:
        return f"{what}; {suggestion(name, known)}"
    others = [one for one in DETECTED if one != spec and _core.has_field(one, name)]
    if others:
        what += f"; {_listed(others)} {'has' if len(others) == 1 else 'have'} it"
    # Other names are a help if they give a field of this format.
    aliases = [] if others else [other for other, field in _core.ALIASES if field in known]
    listed = f"tailrace formats {spec}" if is_named else ""
    return f"{what}; {suggestion(name, known, listed, aliases)}"


def _listed(names: list[str]) -> str:
    """
    Return a few of these names.

    >>> _listed(["alb", "elb"]), _listed(["alb", "elb", "s3", "squid"])
    ('alb and elb', 'alb, elb and 2 more')
    """
    most = 2
    rest = len(names) - most
    shown = names[:most] + ([f"{rest} more"] if rest > 0 else [])
    return " and ".join([*([", ".join(shown[:-1])] if shown[:-1] else []), shown[-1]])


def _step_problem(name: str, log_format: str | _core.Format) -> str:
    """Return what is wrong with the steps of a known field, or nothing."""
    base, colon, _ = name.partition(":")
    if not colon or not base:
        return "" if name else "expected the name of a field, found nothing"
    formats: Sequence[str | _core.Format] = DETECTED if log_format == AUTO else [log_format]
    problems = [_core.step_problem(one, name) for one in formats if _core.has_field(one, base)]
    if not problems or None in problems:
        return ""
    step, of, known, applies_to = next(filter(None, problems))
    listed = f"; known: {', '.join(known)}" if known else f"; {of} has no steps"
    if applies_to:
        what, example = applies_to
        return f"step {step!r} applies to {what}, as in {example}, not to {of}{listed}"
    if step[:1].isdigit() and any(one.startswith("a duration") for one in known):
        from tailrace._durations import micros  # noqa: PLC0415 - only for an error

        try:
            micros(step, "")
        except ValueError as error:
            listed = str(error)
    guess = closest(step, [one for one in known if " " not in one]).rstrip()
    return f"unknown step {step!r} of {of}{listed}" + (f"; {guess}" if guess else "")


def is_interval(name: str, log_format: str) -> bool:
    """
    Report whether a field is the start of an interval, in lines of a format or of any.

    >>> is_interval("time:1h", "auto"), is_interval("time", "auto")
    (True, False)
    """
    # JSON has every standard field.
    one = "json" if log_format == AUTO else log_format
    return ":" in name and _core.field_kind(one, name) == "time"


def steps_of(log_format: str, columns: int = 78) -> str:
    """Return lines that list fields of a format with steps, or nothing if it has none."""
    shown = []
    for _, example, _ in _core.STEPS:
        base, _, step = example.partition(":")
        # A format without a referer has a URL.
        usual = next((one for one in (base, "url") if _core.has_field(log_format, one)), None)
        if usual and _core.step_problem(log_format, f"{usual}:{step}") is None:
            shown.append(f"{usual}:{step}")
    if not shown:
        return ""
    import textwrap  # noqa: PLC0415 - only help lists them

    listed = textwrap.fill(
        ", ".join(shown),
        columns,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    return f"With steps, which 'tailrace formats --fields' explains:\n{listed}\n"
