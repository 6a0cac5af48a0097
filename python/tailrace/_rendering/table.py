"""
A snapshot as a table for people: figures, shares, bars, keys, and a total.

Keys vary most in width, so they come last, where nothing needs to be aligned.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tailrace._rendering.drawings import Canvas, bar
from tailrace._rendering.text import heading, is_number, key_text, key_times, share_text, value_text
from tailrace._terminal.escape import cut, for_people, width
from tailrace._terminal.style import Part, Style, painted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._rendering import Renderable
    from tailrace._rendering.text import Line

__all__ = ["table", "table_lines"]

_GAP = "  "

# Values that are at the left, and cut where they do not fit.
_TEXTS = (str, bytes, list, tuple)

# The widest bar, and the narrowest that still compares anything.
_WIDEST_BAR = 16
_NARROWEST_BAR = 4

_UNLIMITED = 10**9

# What keys keep of a terminal before there is a bar, and before there are shares.
_KEYS_BEFORE_BAR = 30
_KEYS_BEFORE_SHARE = 12

# What a text that is cut keeps, and the part of a terminal that the last key keeps beside it.
_LEAST_TEXT = 8
_OF_LAST_KEY = 3

# The width of `100.0%`.
_SHARE_COLUMNS = 6

# A heading, the names of the columns, two rows and their total.
_LINES_WITH_TOTAL = 5


def table(
    snapshot: Renderable,
    canvas: Canvas = Canvas(),  # noqa: B008 - immutable
    *,
    color: bool = False,
    most: int | None = None,
    grouped: bool = True,
) -> str:
    """
    Return the snapshot as a heading, rows and their total, without a newline at the end.

    Args:
        snapshot: What to show.
        canvas: What it is drawn on.
        color: Whether to colour it.
        most: The maximum number of rows.
        grouped: Whether numbers have thousands separators, which programs do not read.
    """
    if most is not None and len(snapshot) > most:
        snapshot = snapshot.head(most)
    lines = table_lines(snapshot, canvas, grouped=grouped)
    return "\n".join(painted(line, color=color) for line in lines)


def table_lines(
    snapshot: Renderable,
    canvas: Canvas = Canvas(),  # noqa: B008 - immutable
    *,
    most: int | None = None,
    widths: dict[str, int] | None = None,
    grouped: bool = True,
) -> list[Line]:
    """
    Return the lines of the table.

    Args:
        snapshot: What to show.
        canvas: What it is drawn on.
        most: The maximum number of lines.
        widths: The widths of the columns in earlier tables, which it keeps and updates, so that
            columns do not move from one table to the next.
        grouped: Whether numbers have thousands separators.
    """
    drawn = _over_time(snapshot, canvas, grouped=grouped) if _is_over_time(snapshot, most) else ""
    has_total = len(snapshot) > 1 and any(one is not None for one in snapshot._totals.values())
    if most is not None and most < _LINES_WITH_TOTAL:
        has_total = False
    others = 2 + has_total + bool(drawn)
    shown = snapshot
    if most is not None and len(snapshot) > most - others:
        # What is newest counts most.
        cut = snapshot._tail if snapshot._layout.is_over_time else snapshot.head
        shown = cut(max(most - others, 0))
    lines = [heading(shown, grouped=grouped, columns=canvas.columns if canvas.is_cut else None)]
    lines += [[Part(drawn, Style.COUNT)]] if drawn else []
    if len(shown):
        columns = _columns(shown, canvas, {} if widths is None else widths, grouped=grouped)
        styles = [column.style for column in columns]
        title, *rows, total = zip(*(column.lines() for column in columns), strict=True)
        lines.append(_line(title, [Style.HEADING]))
        lines += [_line(row, styles) for row in rows]
        if has_total:
            lines.append(_line(total, [Style.HEADING]))
    return lines[:most]


def _is_over_time(snapshot: Renderable, most: int | None) -> bool:
    """Report whether there is a sparkline, and room for it."""
    has_room = most is None or most > _LINES_WITH_TOTAL
    return snapshot._layout.is_over_time and len(snapshot) > 1 and has_room


def _over_time(snapshot: Renderable, canvas: Canvas, *, grouped: bool) -> str:
    from tailrace._rendering.over_time import over_time  # noqa: PLC0415 - most tables have none

    return over_time(snapshot, canvas, grouped=grouped)


class _Column(NamedTuple):
    """A column: its name, the texts of its rows, and its total."""

    name: str
    texts: list[str]
    total: str
    style: str
    is_right: bool = False
    columns: int = 0

    def widest(self) -> int:
        """Return the number of columns that its widest text takes."""
        return max(map(width, self.all()))

    def all(self) -> list[str]:
        """Return the name, the texts and the total."""
        return [self.name, *self.texts, self.total]

    def spelled(self, canvas: Canvas) -> _Column:
        """Return it with its texts as the canvas has them."""
        name, *texts, total = map(canvas.spelled, self.all())
        return self._replace(name=name, texts=texts, total=total)

    def cut(self, columns: int, mark: str) -> _Column:
        """Return it with texts that take at most a number of columns."""
        if self.columns <= columns:
            return self
        name, *texts, total = (cut(text, columns, mark) for text in self.all())
        return self._replace(name=name, texts=texts, total=total, columns=columns)

    def lines(self) -> list[str]:
        """Return its texts, each as wide as the column."""
        texts = self.all()
        blanks = [" " * (self.columns - width(text)) for text in texts]
        if self.is_right:
            return [blank + text for text, blank in zip(texts, blanks, strict=True)]
        return [text + blank for text, blank in zip(texts, blanks, strict=True)]


def _columns(
    snapshot: Renderable, canvas: Canvas, widths: dict[str, int], *, grouped: bool
) -> list[_Column]:
    """Return the columns that fit."""
    figures, keys = _figures(snapshot, grouped=grouped), _keys(snapshot, canvas)

    def fixed(column: _Column, least: int = 0) -> _Column:
        column = column.spelled(canvas)
        columns = max(widths.get(column.name, 0), column.widest(), least)
        widths[column.name] = columns
        return column._replace(columns=columns)

    columns = [fixed(column) for column in figures]
    keys = [fixed(column) for column in keys]
    if canvas.columns is not None and keys:
        columns, keys = _fitted(columns, keys, canvas, snapshot._layout.drawn)
    room = (canvas.columns or _UNLIMITED) - sum(one.columns + len(_GAP) for one in columns)
    of_keys = sum(column.columns + len(_GAP) for column in keys) - len(_GAP)
    of_firsts = sum(column.columns + len(_GAP) for column in keys[:-1])
    share = _share(snapshot)
    left = room - _SHARE_COLUMNS - len(_GAP)
    if share is not None and keys and left >= min(of_keys, of_firsts + _KEYS_BEFORE_SHARE):
        columns.append(fixed(share, _SHARE_COLUMNS))
        room = left
    parts = _parts(snapshot)
    wide = min(_WIDEST_BAR, room - len(_GAP) - min(of_keys, of_firsts + _KEYS_BEFORE_BAR))
    if parts and keys and wide >= _NARROWEST_BAR and (len(parts) > 1 or "" in widths):
        texts = [bar(part, wide, has_blocks=canvas.has_blocks) for part in parts]
        widths[""] = wide
        columns.append(_Column("", texts, "", Style.BAR, columns=wide))
    return columns + keys


def _fitted(
    figures: list[_Column], keys: list[_Column], canvas: Canvas, drawn: str | None
) -> tuple[list[_Column], list[_Column]]:
    """Return the columns with texts cut to what fits beside numbers and the last key."""
    total = canvas.columns or _UNLIMITED
    *firsts, last = keys
    of_last = min(last.columns, max(total // _OF_LAST_KEY, _KEYS_BEFORE_SHARE))

    def least(columns: list[_Column]) -> int:
        texts = (one.columns if one.is_right else min(one.columns, _LEAST_TEXT) for one in columns)
        return sum(texts) + len(_GAP) * len(columns)

    if canvas.is_cut and least(figures + firsts) + of_last > total:
        # Keys without all figures say more than figures without keys.
        more = _Column(
            canvas.mark, [canvas.mark] * len(last.texts), "", Style.COUNT, is_right=True, columns=1
        )
        dropped = [one for one in figures if one.name != drawn][drawn is None :]
        while dropped and least([*figures, more, *firsts]) + of_last > total:
            figures.remove(dropped.pop())
        figures = [*figures, more]
    flexible = [one for one in figures if not one.is_right] + firsts
    numbers = [one for one in figures if one.is_right]
    left = total - of_last - least(numbers) - len(_GAP) * len(flexible)
    most = _UNLIMITED
    for place, wide in enumerate(sorted(one.columns for one in flexible)):
        part = max(left // (len(flexible) - place), _LEAST_TEXT)
        if wide > part:
            # The widest become equally wide.
            most = part
            break
        left -= wide

    def shorter(column: _Column) -> _Column:
        return column if column.is_right else column.cut(most, canvas.mark)

    return [*map(shorter, figures)], [*map(shorter, firsts), last]


def _figures(snapshot: Renderable, *, grouped: bool) -> list[_Column]:
    columns = []
    text = partial(value_text, grouped=grouped, zone=snapshot._layout.tz)
    for name in snapshot.columns:
        if name in snapshot.by:
            continue
        shown = share_text if snapshot._layout.is_share(name) else text
        total = snapshot._totals.get(name)
        columns.append(
            _Column(
                for_people(name),
                [shown(row[name]) for row in snapshot.rows],
                "" if total is None else shown(total),
                Style.COUNT,
                is_right=not any(isinstance(row[name], _TEXTS) for row in snapshot.rows),
            )
        )
    return columns


def _keys(snapshot: Renderable, canvas: Canvas) -> list[_Column]:
    # Not a key: keys have no rule before them.
    rule = "\u2500\u2500" if canvas.has_blocks else "--"
    totals = [*[""] * (len(snapshot.by) - 1), f"{rule} total"]
    columns = []
    for name, total in zip(snapshot.by, totals, strict=False):
        values = [row[name] for row in snapshot.rows]
        if name in snapshot._layout.intervals:
            texts = key_times(values, snapshot._layout.intervals[name], snapshot._layout.tz)
        else:
            texts = [key_text(value, snapshot._layout.tz) for value in values]
        columns.append(_Column(for_people(name), texts, total, ""))
    return columns


def _share(snapshot: Renderable) -> _Column | None:
    """Return the shares of the whole window that the rows have of the figure with bars."""
    layout = snapshot._layout
    name = layout.drawn
    total = snapshot._totals.get(name) if name is not None else None
    if name is None or total is None or not is_number(total) or total <= 0:
        return None
    functions = [function for function, _ in layout.functions.values()]
    if not layout.adds_up(name) or "share" in functions:
        return None
    values = [row[name] for row in snapshot.rows]
    texts = [share_text(value / total if is_number(value) else None) for value in values]
    function, fields = layout.functions[name]
    title = f"share({', '.join(map(for_people, fields))})" if function == "sum" else "share"
    return _Column(title, texts, share_text(1.0), Style.COUNT, is_right=True)


def _parts(snapshot: Renderable) -> list[float]:
    """Return the lengths of the bars, from 0 to 1; none without a number."""
    name = snapshot._layout.drawn
    if name is None:
        return []
    values = [row[name] for row in snapshot.rows]
    numbers = [value if is_number(value) else 0 for value in values]
    largest = max(numbers, default=0)
    if largest <= 0:
        return []
    return [max(number, 0) / largest for number in numbers]


def _line(texts: Sequence[str], styles: Sequence[str]) -> Line:
    """Return a line of texts, the last of the styles for those without one."""
    line: Line = []
    for place, text in enumerate(texts):
        style = styles[min(place, len(styles) - 1)]
        shown = text if place == 0 else _GAP + text
        if line and line[-1].style == style:
            shown = line.pop().text + shown
        line.append(Part(shown, style))
    while line and not (text := line[-1].text.rstrip()):
        line.pop()
    if line:
        line[-1] = Part(text, line[-1].style)
    return line
