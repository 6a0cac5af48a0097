"""How the classic Python program parses a line: its own expression, on decoded text."""

import re

Row = dict[str, str | None]

PARTS = [
    r"(?P<host>\S+)",
    r"\S+",
    r"(?P<user>\S+)",
    r"\[(?P<time>.+)\]",
    r'"(?P<request>.+)"',
    r"(?P<status>[0-9]+)",
    r"(?P<size>\S+)",
    r'"(?P<referer>.*)"',
    r'"(?P<agent>.*)"',
]
PATTERN = re.compile(r"\s+".join(PARTS) + r"\s*\Z")


def decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def with_url(fields: Row) -> Row:
    words = (fields["request"] or "").split()
    return {**fields, "url": words[1] if len(words) > 1 else None}


def parsed_by_program(line: str) -> Row | None:
    """Parse a line as the classic program does."""
    found = PATTERN.match(line)
    return with_url(found.groupdict()) if found else None


def shown(value: str) -> str:
    """Return the program's value as tailrace shows it: a run of invalid bytes is one U+FFFD."""
    raw = value.encode("utf-8", "surrogateescape")
    out: list[str] = []
    in_run = False
    for character in raw.decode("utf-8", "surrogateescape"):
        is_odd = "\udc80" <= character <= "\udcff"
        if is_odd and not in_run:
            out.append("\ufffd")
        elif not is_odd:
            out.append(character)
        in_run = is_odd
    return "".join(out)


def expected(line: bytes) -> Row | None:
    row = parsed_by_program(decoded(line))
    if row is None or line.isascii():
        return row
    return {name: None if value is None else shown(value) for name, value in row.items()}
