"""The heading of a snapshot, its values, and the status of a run, as text for people."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tailrace._rendering import lossy
from tailrace._rendering.times import intervals, moment, shorter_spans, span
from tailrace._terminal.escape import for_table, width
from tailrace._terminal.style import Part, Style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tailrace._rendering import Renderable
    from tailrace._types import LineCounts

__all__ = ["Line", "Status", "heading", "is_number", "key_text", "key_times", "lines_summary"]
__all__ += ["share_text", "status_line", "value_text"]

Line: TypeAlias = list[Part]


# The status of a live run: the counts of all lines since the start, the recent number of lines per
# second, how late the log is if that is known (negative if it is ahead), the time since the last
# line, how much of the window is covered and its length if it is not full, and whether no later
# line can change it. Times are in microseconds.
Status: TypeAlias = tuple["LineCounts", float, int | None, int, tuple[int, int] | None, bool]

# A shorter silence is not mentioned.
_SILENT_US = 5_000_000

# A smaller lead is a difference between clocks.
_AHEAD_US = -2_000_000

# What became of lines that are in no sum of the others.
_OUTSIDE: dict[Literal["abandoned", "resent"], str] = {
    "abandoned": "abandoned by their senders",
    "resent": "resent and skipped",
}

# Numbers beyond these are written with an exponent.
_SMALL = 1e-3
_LARGE = 1e15


def lines_summary(lines: LineCounts) -> str:
    """
    Return a summary of what became of the lines.

    >>> lines_summary({"fed": 3, "counted": 2, "late": 0, "filtered": 0,
    ...                "rejected": {"no-match": 1}})
    '3 lines: 2 counted, 1 rejected (1 no-match)'
    >>> lines_summary({"fed": 2, "counted": 2, "late": 0, "filtered": 0, "rejected": {},
    ...                "abandoned": 300, "resent": 0})
    '2 lines: 2 counted; 300 abandoned by their senders'
    """
    parts = [f"{lines['counted']:,} counted"]
    parts += [f"{lines[name]:,} {name}" for name in ("late", "filtered") if lines[name]]
    rejected = lines["rejected"]
    if rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
        parts.append(f"{sum(rejected.values()):,} rejected ({reasons})")
    outside = ", ".join(f"{count:,} {how}" for how, count in _outside(lines))
    rest = f"; {outside}" if outside else ""
    return f"{_counted(lines['fed'], 'line')}: {', '.join(parts)}{rest}"


def status_line(status: Status, columns: int | None = None) -> Line:
    """
    Return the status of a live run: `1,234,567 lines, 12,345/s, 0:07 of 5:00, lag 0.4 s`.

    Numbers that are zero are omitted, except for the first two. Where columns are few, a silence
    and the lag stay longest.
    """
    lines, per_second, lag_us, silent_us, filling, is_final = status
    count, rate = Part(_counted(lines["fed"], "line")), Part(f"{_rate(per_second)}/s")
    parts = [count, rate]
    not_counted = [Part(f"{n:,} {how}", Style.NOT_COUNTED) for how, n in _not_counted(lines)]
    parts += not_counted
    if silent_us >= _SILENT_US:
        parts.append(Part(f"silent for {_span(silent_us)}", Style.NOT_COUNTED))
    filled = Part("" if filling is None else _filling(*filling))
    final = Part("" if is_final else "not final")
    parts += [part for part in (filled, final) if part.text]
    if lag_us is not None and lag_us <= _AHEAD_US:
        parts.append(Part(f"{_span(-lag_us)} ahead", Style.NOT_COUNTED))
    elif lag_us is not None:
        parts.append(Part(f"lag {_span(lag_us)}"))
    for least in (rate, final, filled, count, *not_counted):
        if columns is None or width(", ".join(part.text for part in parts)) <= columns:
            break
        parts = [part for part in parts if part is not least] if len(parts) > 1 else parts
    line = [parts[0]]
    for part in parts[1:]:
        line += [Part(", "), part]
    return [part if part.style else Part(part.text, Style.STATUS) for part in line]


def heading(snapshot: Renderable, *, grouped: bool = True, columns: int | None = None) -> Line:
    """
    Return the totals of the window, the lines not counted so far, and the window.

    Where columns are few, the time at which the window ends stays longest.
    """
    comma = _separator(grouped=grouped)
    keys = _counted(snapshot.keys, "key", comma)
    # The row of the keys over `max_keys` is the last one, and `keys` does not include them.
    rows = len(snapshot) - (snapshot.other is not None)
    if rows < snapshot.keys:
        keys = f"{rows:{comma}} of {keys}"
    events = _counted(snapshot.total, "event", comma)
    with_keys = [Part(f"{events}, {keys}", Style.HEADING)]
    if not snapshot.final:
        with_keys.append(Part(", not final", Style.HEADING))
    line = [*with_keys]
    # Of all lines so far: without these, a wrong format would look like no input.
    for how, count in _not_counted(snapshot.lines):
        line += [Part(", ", Style.HEADING), Part(f"{count:{comma}} {how}", Style.NOT_COUNTED)]
    start, end, zone = snapshot.start, snapshot.end, snapshot._layout.tz
    if start is None or end is None:
        return line
    windows = [span(start, end, zone), *shorter_spans(start, end, zone)]
    lines = [
        [*counts, Part(f", {window}", Style.HEADING)]
        for counts in (line, with_keys, [Part(events, Style.HEADING)])
        for window in windows
    ]
    if columns is None:
        return lines[0]
    fitting = (one for one in lines if width("".join(part.text for part in one)) <= columns)
    return next(fitting, lines[-1])


def key_text(key: str | bytes | float | datetime | None, zone: tzinfo | None = None) -> str:
    """Return a key as text; a time in a zone, by default UTC."""
    if key is None:
        return "-"
    if isinstance(key, bytes):
        key = lossy(key)
    if isinstance(key, datetime):
        return moment(key, zone)
    if isinstance(key, bool):
        return "true" if key else "false"
    return for_table(str(key))


def key_times(keys: Sequence[Any], length_us: int, zone: tzinfo | None = None) -> list[str]:
    """Return keys that are intervals of time, without the parts that their length leaves zero."""
    times = [key for key in keys if isinstance(key, datetime)]
    texts = iter(intervals(times, length_us, zone))
    return [next(texts) if isinstance(key, datetime) else key_text(key, zone) for key in keys]


def is_number(value: Any) -> bool:  # noqa: ANN401 - of any aggregate
    """Report whether a value is a number, neither NaN nor an infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def value_text(
    value: Any,  # noqa: ANN401 - of any aggregate
    *,
    grouped: bool = True,
    zone: tzinfo | None = None,
) -> str:
    """
    Return the value of an aggregate as text.

    >>> value_text(1234567), value_text(1234.56789), value_text(None)
    ('1,234,567', '1,234.57', '-')
    >>> value_text(1234567, grouped=False), value_text(1234.56789, grouped=False)
    ('1234567', '1234.57')
    >>> value_text([{"value": 200, "count": 12}, {"value": "a", "count": 1}])
    '200 (12), a (1)'
    """
    comma = _separator(grouped=grouped)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:{comma}}"
    if isinstance(value, float):
        if not _SMALL <= abs(value) < _LARGE:
            return f"{value:g}"
        digits = 6 - len(str(int(abs(value))))
        text = f"{value:{comma}.{max(digits, 0)}f}"
        return text.rstrip("0").rstrip(".") if digits > 0 else text
    if isinstance(value, list):
        texts = (f"{key_text(one['value'], zone)} ({one['count']:{comma}})" for one in value)
        return ", ".join(texts)
    return key_text(value, zone)


def share_text(value: float | None) -> str:
    """
    Return a share as per cent.

    >>> share_text(0.0812), share_text(1), share_text(0), share_text(None)
    ('8.1%', '100.0%', '0.0%', '-')

    A little is not nothing, and most is not all.

    >>> share_text(0.0001), share_text(0.9999), share_text(-0.0001)
    ('<0.1%', '>99.9%', '>-0.1%')
    """
    if value is None:
        return "-"
    text = f"{value:.1%}"
    if value and float(text[:-1]) == 0:
        return "<0.1%" if value > 0 else ">-0.1%"
    return ">99.9%" if text == "100.0%" and value < 1 else text


def _not_counted(lines: LineCounts) -> list[tuple[str, int]]:
    counts = {"late": lines["late"], "rejected": sum(lines["rejected"].values())}
    return [*((how, count) for how, count in counts.items() if count), *_outside(lines)]


def _outside(lines: LineCounts) -> list[tuple[str, int]]:
    return [(how, count) for name, how in _OUTSIDE.items() if (count := lines.get(name))]


def _separator(*, grouped: bool) -> str:
    return "," if grouped else ""


def _counted(number: int, thing: str, comma: str = ",") -> str:
    return f"{number:{comma}} {thing}{'' if number == 1 else 's'}"


def _rate(per_second: float) -> str:
    if per_second >= _WITHOUT_FRACTION or per_second == int(per_second):
        return f"{per_second:,.0f}"
    return f"{per_second:.1f}"


def _filling(covered_us: int, length_us: int) -> str:
    """
    Return how much of a window is covered.

    >>> _filling(7_900_000, 300_000_000), _filling(61_000_000, 7_200_000_000)
    ('0:07 of 5:00', '0:01:01 of 2:00:00')
    >>> _filling(700_000, 1_500_000)
    '0.7 s of 1.5 s'
    """
    if length_us % 10**6:
        return f"{_span(covered_us)} of {_span(length_us)}"
    length = length_us // 10**6
    hours = length >= 3_600  # noqa: PLR2004 - a name would not say more
    texts = []
    for seconds in (covered_us // 10**6, length):
        minutes, rest = divmod(seconds, 60)
        text = f"{minutes // 60}:{minutes % 60:02}" if hours else f"{minutes}"
        texts.append(f"{text}:{rest:02}")
    return " of ".join(texts)


def _span(micros: int) -> str:
    seconds = max(micros, 0) / 1e6
    if seconds < _WITHOUT_FRACTION:
        return f"{seconds:.1f} s"
    for unit, length in ("s", 1), ("min", 60), ("h", 3_600):
        # A unit is used from two of it on.
        if seconds < 120 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} d"


# Numbers below it have a digit after the decimal point.
_WITHOUT_FRACTION = 10
