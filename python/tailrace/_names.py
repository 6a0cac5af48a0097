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
    "list_of_names",
    "one_of",
    "split_address",
    "suggestion",
]

AUTO = "auto"
"""The name for the format that is detected from the first lines; see `_detection`."""

DETECTED = _core.DETECTED
"""The formats that can be detected, the most specific first."""

# With a format that is still to be detected, a field may be that of another format.
_COMMON_FIELDS = "'tailrace formats --fields' lists the common fields"
_OTHER_FIELDS = (
    ", 'tailrace formats NAME' those of a format; the columns of CSV need the format csv"
)

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


def suggestion(name: str, known: list[str], listed: str = "") -> str:
    """
    Suggest the closest known name, and give all of them or the command that lists them.

    >>> suggestion("hst", ["host", "url"])
    "did you mean 'host'? Expected one of host, url"
    >>> suggestion("combind", ["combined"] * 30, "tailrace formats")
    "did you mean 'combined'? 'tailrace formats' lists all of them"
    """
    guess = _guess(name, known)
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
    guess = _guess(value, known).rstrip()
    message = f"{option}: expected {expected}, found {value!r}"
    raise ValueError(f"{message}; {guess}" if guess else message)


def _guess(name: str, known: list[str]) -> str:
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


def list_of_names(fields: Sequence[str]) -> list[str]:
    """
    Return the names of fields as a list.

    Raises:
        TypeError: It is one text, not iterable, or a name is not text.
    """
    if isinstance(fields, str):
        raise TypeError(f"fields: expected a list of names, found a str; write [{fields!r:.80}]")
    names = list(fields) if hasattr(fields, "__iter__") else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"fields: expected a list of names, found {fields!r:.80}")
    return names


def check_fields(names: list[str], log_format: str) -> list[str]:
    """Return the names of fields if the format has them; for `auto`, if any detected format has."""
    for name in names:
        if not _has(log_format, name):
            known = _fields(log_format)
            if log_format == AUTO:
                guess = _guess(name, known)
                hint = f"{guess}{_COMMON_FIELDS}" if guess else f"{_COMMON_FIELDS}{_OTHER_FIELDS}"
                raise ValueError(f"unknown field {name!r}; {hint}")
            is_name = log_format in _core.FORMATS
            listed = f"tailrace formats {log_format}" if is_name else ""
            raise ValueError(
                f"{f'format {log_format}' if is_name else 'the format'} has no field {name!r}; "
                f"{suggestion(name, known, listed)}"
            )
        if names.count(name) > 1:
            raise ValueError(f"field {name!r} is given twice")
    return names


def _has(log_format: str, field: str) -> bool:
    if log_format == AUTO:
        return any(_core.has_field(name, field) for name in DETECTED)
    return _core.field_kind(log_format, field) is not None


def _fields(log_format: str) -> list[str]:
    formats = DETECTED if log_format == AUTO else [log_format]
    return list(dict.fromkeys(field for name in formats for field, _ in _core.field_kinds(name)))


def split_address(text: str) -> tuple[str, int]:
    """Split an address into its host and its port."""
    if not isinstance(text, str):
        raise TypeError(f"address: expected text such as '127.0.0.1:9092', found {text!r:.80}")
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")):
        raise ValueError(
            f"address: expected HOST:PORT, such as 127.0.0.1:9092, found {text!r:.300}"
        )
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ValueError(
            f"address {text!r:.300}: expected a port from 1 to 65535, or 0 for any free port, "
            f"found {port!r:.80}"
        )
    return host, int(port)
