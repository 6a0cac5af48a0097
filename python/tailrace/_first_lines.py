"""What is not read in the first lines of a source, to report it before the first result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._names import closest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace._sources import Chunk

__all__ = ["ENOUGH_LINES", "FirstLines"]

# A few lines show the main format; a thousand also show what else is among them.
ENOUGH_LINES = 1_000

# A message has room for this many characters of a line, and for this many names.
_MAX_SAMPLE = 40
_MAX_KEYS = 12


class FirstLines:
    """
    Looks at the first lines of a source whose format is known.

    Args:
        fields: The requested fields.
        needs_time: Whether a line without a time is rejected.
    """

    def __init__(self, fields: Sequence[str] = (), *, needs_time: bool = False) -> None:
        self._fields = list(fields)
        self._needs_time = needs_time
        self._sums: dict[str, int] = dict.fromkeys(_COUNTS, 0)
        self._present = [0] * len(fields)
        self._keys: dict[str, None] = {}
        # The samples of the first line that has one.
        self._samples: dict[str, Any] = {}
        self._reported: set[str] = set()
        self._is_open = False
        self._spec = ""
        self._has_news = False

    @property
    def enough(self) -> bool:
        """Whether a thousand lines were seen."""
        return self._sums["lines"] >= ENOUGH_LINES

    def look(self, chunk: Chunk, log_format: _core.Format) -> None:
        """Look at the first lines of the next chunk, unless enough was seen."""
        if self.enough:
            return
        try:
            found = _core.first_lines(
                chunk.data,
                kind=chunk.kind,
                span=chunk.span,
                format=log_format,
                fields=self._fields,
                limit=ENOUGH_LINES - self._sums["lines"],
            )
        except _core.BatchError:
            # Its sender gets the error when the chunk is counted.
            return
        self._has_news = True
        for name in _COUNTS:
            self._sums[name] += found[name]
        for name in ("place", "sample", "bytes", "time"):
            if found[name] and not self._samples.get(name):
                self._samples[name] = found[name]
        self._present = [sum(pair) for pair in zip(self._present, found["present"], strict=True)]
        self._is_open, self._spec = found["is_open"], log_format.spec
        self._keys.update(dict.fromkeys(found["keys"]))

    def doubts(self) -> list[str]:
        """Return what is not read and was not returned before, a sentence each."""
        if not self._has_news:
            return []
        self._has_news = False
        found = {
            "passed over": self._passed_over(),
            "times": self._times(),
            "no time": self._no_time(),
            **{f"field {name}": self._missing(at) for at, name in enumerate(self._fields)},
        }
        new = {what: text for what, text in found.items() if text and what not in self._reported}
        self._reported.update(new)
        return list(new.values())

    def _share(self, count: int) -> str:
        lines = self._sums["lines"]
        if lines == 1:
            return "the first line"
        return f"{count:,} of the first {lines:,} lines"

    def _passed_over(self) -> str:
        count, matched = self._sums["passed_over"], self._sums["matched"]
        if not count:
            return ""
        length, place = self._samples["bytes"], self._samples["place"]
        where = "" if count == matched else f"in {self._share(count)}, "
        unit = "byte" if length == 1 else "bytes"
        hint = "paste your log_format with --log-format"
        if self._spec in _core.FORMATS and self._spec not in _FROM_SERVERS:
            hint = f"format {self._spec} has no names for them"
        return f"{where}{length:,} {unit} {place} not read: {_cut(self._samples['sample'])}; {hint}"

    def _times(self) -> str:
        count = self._sums["no_time"]
        if not count:
            return ""
        have = "has" if count == 1 else "have"
        time = self._samples["time"]
        zone = time.rpartition(" ")[2]
        hint = "give its zone with --tz, or " if zone.isalpha() and zone != time else ""
        return (
            f"{self._share(count)} {have} a time that cannot be read, such as [{_cut(time)}]; "
            f"{hint}paste your log_format with --log-format"
        )

    def _no_time(self) -> str:
        count = self._sums["without_time"]
        if not count or not self._needs_time:
            return ""
        have = "has" if count == 1 else "have"
        return f"{self._share(count)} {have} no time, and the query needs it"

    def _missing(self, at: int) -> str:
        """Return which requested field no line has, if lines name their own fields."""
        if self._present[at] or not self._is_open or not self._sums["matched"]:
            return ""
        name, keys = self._fields[at], list(self._keys)
        lines = self._sums["matched"]
        none = "the first line lacks" if lines == 1 else f"none of the first {lines:,} lines has"
        shown = ", ".join(keys[:_MAX_KEYS]) + (", ..." if len(keys) > _MAX_KEYS else "")
        return f"{none} the field {name!r}; {closest(name, keys)}the keys are {shown}"


# The formats of servers that log what their configuration names.
_FROM_SERVERS = {"common", "combined"}

_COUNTS = ("lines", "matched", "passed_over", "no_time", "without_time")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SAMPLE else text[:_MAX_SAMPLE].rstrip() + " ..."
