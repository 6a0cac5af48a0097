"""A snapshot as a table for people."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from tailrace._rendering import iso
from tailrace._terminal.escape import for_people
from tailrace._terminal.style import Part, Style, painted

if TYPE_CHECKING:
    from tailrace._rendering import Renderable
    from tailrace._types import LineCounts

__all__ = ["Line", "Status", "heading", "key_text", "lines_summary", "status_line", "table"]
__all__ += ["table_lines"]

Line: TypeAlias = list[Part]


# How a live run is doing: where every line since the start went, how many came in a second of
# late, how far what is counted lies behind what happens if that is known, and how much of the log
# has to follow before a window is answered; times in microseconds.
Status: TypeAlias = tuple["LineCounts", float, int | None, int]

# What is beyond these is told with an exponent.
_SMALL = 1e-3
_LARGE = 1e15


def table(snapshot: Renderable, *, color: bool = False, most: int | None = None) -> str:
    """
    Return the snapshot as a heading and a line for each row, without a newline at the end.

    Args:
        snapshot: What to show.
        color: Whether to colour it.
        most: How many rows to show at most; how many there are more stands below them.
    """
    return "\n".join(painted(line, color=color) for line in table_lines(snapshot, most))


def table_lines(snapshot: Renderable, most: int | None = None) -> list[Line]:
    """Return the lines of the table."""
    rows = snapshot.head(most).rows if most is not None else snapshot.rows
    if not rows:
        return [heading(snapshot)]
    named = [name for name in snapshot.columns if name not in snapshot.by]
    values = [_aligned(name, [value_text(row[name]) for row in rows], ">") for name in named]
    keys = [_aligned(name, [key_text(row[name]) for row in rows], "<") for name in snapshot.by]
    # What is widest and least alike stands last, where nothing has to line up behind it.
    title, *lines = zip(*values, *keys, strict=True)
    shown = [heading(snapshot), [Part("  ".join(title).rstrip(), Style.HEADING)]]
    for line in lines:
        counts, rest = "  ".join(line[: len(values)]), "  ".join(line[len(values) :]).rstrip()
        parts = [Part(counts, Style.COUNT)]
        shown.append([*parts, Part("  " + rest)] if keys else parts)
    more = len(snapshot) - len(rows)
    return [*shown, [Part(f"and {_counted(more, 'row')} more", Style.STATUS)]] if more else shown


def _aligned(name: str, texts: list[str], side: str) -> list[str]:
    column = [for_people(name), *texts]
    wide = max(map(len, column))
    return [f"{text:{side}{wide}}" for text in column]


def lines_summary(lines: LineCounts) -> str:
    """
    Return in words where all lines went.

    >>> lines_summary({"fed": 3, "counted": 2, "late": 0, "filtered": 0,
    ...                "rejected": {"no-match": 1}})
    '3 lines: 2 counted, 1 rejected (1 no-match)'
    """
    parts = [f"{lines['counted']:,} counted"]
    parts += [f"{lines[name]:,} {name}" for name in ("late", "filtered") if lines[name]]
    rejected = lines["rejected"]
    if rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
        parts.append(f"{sum(rejected.values()):,} rejected ({reasons})")
    return f"{_counted(lines['fed'], 'line')}: {', '.join(parts)}"


def status_line(status: Status) -> Line:
    """
    Return in a line how a live run is doing: `1,234,567 lines, 12,345/s, 3 rejected, lag 0.4 s`.

    What is zero, but for the first two, is left out.
    """
    lines, per_second, lag_us, lateness_us = status
    said = [Part(f"{_counted(lines['fed'], 'line')}, {_rate(per_second)}/s")]
    said += [Part(f"{count:,} {how}", Style.LOST) for how, count in _lost(lines)]
    if lag_us is not None:
        said.append(Part(f"lag {_span(lag_us)}"))
    elif lateness_us and lines["fed"]:
        # Else a screen without a table would look like one without lines.
        late = _span(lateness_us)
        said.append(Part(f"first answer when the log is {late} on (--lateness)"))
    line = [said[0]]
    for part in said[1:]:
        line += [Part(", "), part]
    return [part if part.style else Part(part.text, Style.STATUS) for part in line]


def heading(snapshot: Renderable) -> Line:
    """Return how much the window holds, what was lost so far, and the window."""
    # What a narrow terminal cuts off is the time.
    said = f"{_counted(snapshot.total, 'event')}, {_counted(snapshot.keys, 'key')}"
    line = [Part(said, Style.HEADING)]
    # These are of all lines so far; without them a wrong format would look like no input.
    for how, count in _lost(snapshot.lines):
        line += [Part(", ", Style.HEADING), Part(f"{count:,} {how}", Style.LOST)]
    if snapshot.start is None or snapshot.end is None:
        return line
    start, end = _moment(snapshot.start), _moment(snapshot.end)
    date, _, time_of_day = end.partition(" ")
    end = time_of_day if start.startswith(date) else end
    return [*line, Part(f", {start} to {end} UTC", Style.HEADING)]


def key_text(key: str | bytes | float | datetime | None) -> str:
    """Return a key as people read it."""
    if key is None:
        return "-"
    if isinstance(key, bytes):
        key = key.decode(errors="replace")
    if isinstance(key, datetime):
        return iso(key) or ""
    return for_people(str(key))


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever was asked
    """
    Return what an aggregate says as people read it.

    >>> value_text(1234567), value_text(1234.56789), value_text(None)
    ('1,234,567', '1,234.57', '-')
    >>> value_text([{"value": 200, "count": 12}, {"value": "a", "count": 1}])
    '200 (12), a (1)'
    """
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not _SMALL <= abs(value) < _LARGE:
            return f"{value:g}"
        digits = 6 - len(str(int(abs(value))))
        text = f"{value:,.{max(digits, 0)}f}"
        return text.rstrip("0").rstrip(".") if digits > 0 else text
    if isinstance(value, list):
        return ", ".join(f"{key_text(one['value'])} ({one['count']:,})" for one in value)
    return key_text(value)


def _lost(lines: LineCounts) -> list[tuple[str, int]]:
    lost = {"late": lines["late"], "rejected": sum(lines["rejected"].values())}
    return [(how, count) for how, count in lost.items() if count]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _rate(per_second: float) -> str:
    if per_second >= _WITHOUT_FRACTION or per_second == int(per_second):
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}"


def _span(micros: int) -> str:
    seconds = max(micros, 0) / 1e6
    if seconds < _WITHOUT_FRACTION:
        return f"{seconds:.1f} s"
    for unit, length in ("s", 1), ("min", 60), ("h", 3_600):
        # Two of a unit before it takes the place of the smaller one.
        if seconds < 120 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} d"


# Of numbers below it, a digit behind the point is worth its place.
_WITHOUT_FRACTION = 10


def _moment(time: datetime) -> str:
    text = time.replace(tzinfo=None).isoformat(sep=" ")
    return text.rstrip("0") if "." in text else text
