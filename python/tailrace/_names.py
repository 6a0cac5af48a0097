"""Names that users write: formats, fields, addresses; with a guess at what was meant."""

from __future__ import annotations

from tailrace import _core

__all__ = [
    "AUTO",
    "DETECTED",
    "check_fields",
    "check_format",
    "one_of",
    "split_address",
    "suggestion",
]

AUTO = "auto"
"""The format that is told by the first lines; see `detection`."""

DETECTED = _core.DETECTED
"""The formats that are told by their lines, the most specific first."""


def one_of(name: str, known: list[str], what: str, listed: str = "") -> str:
    """
    Return the name if it is known.

    Raises:
        ValueError: It is not; the message tells what is, or where many are listed, with the
            likeliest first.
    """
    if name in known:
        return name
    raise ValueError(f"{name!r} is no {what}; {suggestion(name, known, listed)}")


def suggestion(name: str, known: list[str], listed: str = "") -> str:
    """
    Return in words what may have been meant, and what there is, or where that is listed.

    >>> suggestion("hst", ["host", "url"])
    "did you mean 'host'? It is one of host, url"
    >>> suggestion("combind", ["combined"] * 30, "tailrace formats")
    "did you mean 'combined'? tailrace formats lists all"
    """
    import difflib  # noqa: PLC0415 - 3 ms that only a mistake needs

    close = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    if listed and len(known) > _MOST_LISTED:
        return f"{guess}{listed} lists all"
    return f"{guess}{'It' if close else 'it'} is one of {', '.join(known)}"


# More are no help in a message.
_MOST_LISTED = 20


def check_format(spec: str, *, auto: bool = False) -> str:
    """
    Return the name of a format, or the text that one can be made of.

    `auto` is one only where that is said.

    Raises:
        TypeError: It is no text.
        ValueError: It is no format; the message says why, and how to mend it.
    """
    if not isinstance(spec, str):
        raise TypeError(f"format: a name or a text that tells the format, not {spec!r:.80}")
    if (auto and spec == AUTO) or spec in _core.FORMATS:
        return spec
    if spec.replace("-", "").replace("_", "").isalnum():
        known = [AUTO, *_core.FORMATS] if auto else _core.FORMATS
        return one_of(spec, known, "format", "tailrace formats")
    mixed = [name.strip() for name in spec.split(",")]
    if all(name.replace("-", "").replace("_", "").isalnum() for name in mixed):
        for name in mixed:
            one_of(name, _core.FORMATS, "format", "tailrace formats")
    _core.Format(spec)
    return spec


def check_fields(names: list[str], log_format: str) -> list[str]:
    """Return names of fields that this format can give; for `auto`, that one of them can."""
    for name in names:
        if not _has(log_format, name):
            known = _fields(log_format)
            if log_format == AUTO:
                what, listed = "field of a format that is detected", "tailrace formats --fields"
            elif log_format in _core.FORMATS:
                what, listed = f"field of format {log_format}", f"tailrace formats {log_format}"
            else:
                what, listed = "field of this format", ""
            one_of(name, known, what, listed)
        if names.count(name) > 1:
            raise ValueError(f"field {name!r} is named twice; name it once")
    return names


def _has(log_format: str, field: str) -> bool:
    if log_format == AUTO:
        return any(_core.has_field(name, field) for name in DETECTED)
    return _core.field_kind(log_format, field) is not None


def _fields(log_format: str) -> list[str]:
    formats = DETECTED if log_format == AUTO else [log_format]
    return list(dict.fromkeys(field for name in formats for field in _core.fields(name)))


def split_address(text: str) -> tuple[str, int]:
    """Take a host and a port apart."""
    if not isinstance(text, str):
        raise TypeError(f"an address is text such as '127.0.0.1:9092', not {text!r:.80}")
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")):
        raise ValueError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:9092")
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise ValueError(f"{text!r}: {port!r} is no port; take one from 1 to 65535, or 0 for any")
    return host, int(port)
