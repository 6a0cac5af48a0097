"""A snapshot as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.outputs.escape import for_people, width

if TYPE_CHECKING:
    from datetime import datetime

    from tailrace.snapshot import Snapshot

__all__ = ["lines_summary", "table"]


def table(snapshot: Snapshot, columns: int | None = None, rows: int | None = None) -> str:
    """
    Return the snapshot as a heading and a line for each row, without a newline at the end.

    Args:
        snapshot: What to show.
        columns: The width of the terminal; longer lines are cut, so that none wraps.
        rows: How many lines fit on it.
    """
    by = next(iter(snapshot.rows[0]), "key") if snapshot.rows else "key"
    counts = [f"{row['count']:,}" for row in snapshot.rows]
    wide = max([len("count"), *map(len, counts)])
    lines = [_heading(snapshot), f"{'count':>{wide}}  {by}"] if counts else [_heading(snapshot)]
    lines += [
        f"{count:>{wide}}  {_key(row[by])}"
        for count, row in zip(counts, snapshot.rows, strict=True)
    ]
    if columns is not None:
        lines = [_cut(line, columns) for line in lines[:rows]]
    return "\n".join(lines)


def lines_summary(lines: dict[str, Any]) -> str:
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


def _heading(snapshot: Snapshot) -> str:
    # What a narrow terminal cuts off is the time.
    said = f"{_counted(snapshot.total, 'event')}, {_counted(snapshot.keys, 'key')}"
    # These are of all lines so far; without them a wrong format would look like no input.
    lost = {"late": snapshot.lines["late"], "rejected": sum(snapshot.lines["rejected"].values())}
    said += "".join(f", {count:,} {how}" for how, count in lost.items() if count)
    if snapshot.start is None or snapshot.end is None:
        return said
    start, end = _moment(snapshot.start), _moment(snapshot.end)
    date, _, time_of_day = end.partition(" ")
    return f"{said}, {start} to {time_of_day if start.startswith(date) else end} UTC"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _moment(time: datetime) -> str:
    text = time.replace(tzinfo=None).isoformat(sep=" ")
    return text.rstrip("0") if "." in text else text


def _key(key: str | bytes | int | None) -> str:
    if key is None:
        return "-"
    if isinstance(key, bytes):
        key = key.decode(errors="replace")
    return for_people(str(key))


def _cut(line: str, columns: int) -> str:
    if width(line) <= columns:
        return line
    cut, used = [], 0
    for character in line:
        used += width(character)
        if used >= columns:
            break
        cut.append(character)
    return "".join(cut) + "…"
