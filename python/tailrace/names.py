"""Names that users write: formats, fields, addresses; with a guess at what was meant."""

from __future__ import annotations

from tailrace import _core

__all__ = [
    "AUTO",
    "DETECTED",
    "checked_fields",
    "checked_format",
    "host_and_port",
    "one_of",
    "suggestion",
]

AUTO = "auto"
"""The format that is told by the first lines; see `detection`."""

# The most specific first: where two accept as many lines, the first is meant. What servers write
# that `classic` accepts `combined` accepts too, with types, so `classic` is taken by name only.
DETECTED = ("common", "combined")


def one_of(name: str, known: list[str], what: str) -> str:
    """
    Return the name if it is known.

    Raises:
        ValueError: It is not; the message lists what is, with the likeliest first.
    """
    if name in known:
        return name
    raise ValueError(f"{name!r} is no {what}; {suggestion(name, known)}")


def suggestion(name: str, known: list[str]) -> str:
    """Return in words what may have been meant, and what there is."""
    import difflib  # noqa: PLC0415 - 3 ms that only a mistake needs

    close = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"did you mean {close[0]!r}? It is" if close else "it is"
    return f"{guess} one of {', '.join(known)}"


def checked_format(name: str, *, auto: bool = False) -> str:
    """Return the name of a format; `auto` is one only where that is said."""
    return one_of(name, [AUTO, *_core.FORMATS] if auto else _core.FORMATS, "format")


def checked_fields(names: list[str], log_format: str) -> list[str]:
    """Return names of fields that this format can give; for `auto`, that one of them can."""
    if log_format == AUTO:
        known = list(dict.fromkeys(field for name in DETECTED for field in _core.fields(name)))
        what = "field of a format that is detected"
    else:
        known = _core.fields(log_format)
        what = f"field of format {log_format}"
    for name in names:
        if log_format == AUTO or _core.kind(log_format, name) is None:
            one_of(name, known, what)
        if names.count(name) > 1:
            raise ValueError(f"field {name!r} is named twice; name it once")
    return names


def host_and_port(text: str) -> tuple[str, int]:
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
