"""What the directory of a checkpoint holds, and what a restart would do with it."""

from __future__ import annotations

import os
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace import _core
from tailrace._description import decoded
from tailrace._durations import micros
from tailrace._runtime.journal import Registry
from tailrace._runtime.notes import BATCH, FORMAT, NAME, POSITION, POSITION_OF_CALLER, unpack
from tailrace._runtime.resent import Resent
from tailrace._schedule import Schedule, window_settings
from tailrace._sources.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace._types import LineCounts

__all__ = ["Contents", "JournalFile", "Problem", "Window", "contents", "is_journal"]

_ATTEMPTS = 5

UNFINISHED = "unfinished"


class Problem(NamedTuple):
    """Bytes that are not as they were written."""

    file: str
    byte: int | None
    text: str


class JournalFile:
    """One file, and how many frames of each kind it has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self.frames: dict[str, int] = {}
        self.rounds: tuple[int, int] | None = None
        """The first and the last round; of a state, the last round in it, twice."""
        self.panes: tuple[int, int] | None = None
        self.pane_bytes = 0
        self.unfinished: tuple[int, int] | None = None
        """The byte after the last whole frame, and how many bytes follow."""


class Window(NamedTuple):
    """What a window or a query holds after a restart."""

    keys: int
    events: int
    lines: LineCounts
    oldest_us: int | None
    newest_us: int | None
    watermark_us: int | None
    answered_us: int | None


class Contents:
    """What a directory holds."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.description: dict[str, Any] = {}
        self.files: dict[str, JournalFile] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.cut: str | None = None
        self.state: tuple[int, int] | None = None
        """The number of the state's file, and the last round in it."""
        self.replay: list[tuple[int, int, int]] = []
        """The number of each log to replay, its rounds and their bytes."""
        self.round = 0
        self.position: bytes | None = None
        self.sources: list[tuple[str, str | None]] = []
        """The names of sources, each with its format."""
        self.positions = Positions()
        self.batches = 0
        """How many batches are remembered that senders may send again."""
        self.window: Window | None = None
        self.why_not: str = ""
        """Why what the window holds is not known."""


def is_journal(directory: str) -> bool:
    """
    Return whether a directory holds a checkpoint.

    Raises:
        OSError: It cannot be read.
    """
    return any(name.startswith(("log-", "state-")) for name in os.listdir(directory))  # noqa: PTH208 - names are enough


def contents(directory: str, *, restores: bool) -> Contents:
    """
    Read a directory, also while a process writes it; nothing is locked or changed.

    Args:
        directory: The directory.
        restores: Whether to bring a window into the state that a restart would find.
    """
    for attempt in range(_ATTEMPTS):
        found = Contents(directory)
        try:
            frames, refusal = _core.inspect(directory)
            _add_frames(found, frames)
            if refusal is None:
                _look(found, restores=restores)
        except _core.JournalError as error:
            refusal = (error.kind, str(error))
        if refusal is None or attempt + 1 == _ATTEMPTS:
            break
        # Otherwise a running process may have removed a file meanwhile.
        if found.problems and not _is_in_use(directory):
            break
    if refusal is not None and not any(one.text in refusal[1] for one in found.problems):
        found.problems.append(Problem("", None, refusal[1]))
    return found


def _is_in_use(directory: str) -> bool:
    from tailrace._cli.checks.disk import holder_of  # noqa: PLC0415 - only for a problem

    return holder_of(directory) is not None


def _add_frames(found: Contents, frames: Iterable[tuple[Any, ...]]) -> None:
    for file, byte, size, _, kind, sequence, pane, problem in frames:
        one = found.files.setdefault(file, JournalFile(file))
        one.size = byte + size
        if problem == UNFINISHED:
            one.unfinished = byte, size
            continue
        if problem is not None:
            found.problems.append(Problem(file, byte, problem))
            continue
        one.frames[kind] = one.frames.get(kind, 0) + 1
        if kind in {"round", "state"}:
            first = one.rounds[0] if one.rounds else sequence
            one.rounds = first, sequence
        if pane is not None:
            least, most = one.panes or (pane, pane)
            one.panes = min(least, pane), max(most, pane)
            one.pane_bytes += size


def _look(found: Contents, *, restores: bool) -> None:
    seen = _core.look(found.directory)
    if seen is None:
        return
    found.warnings, found.cut = seen["warnings"], seen["cut"]
    found.state, found.replay, found.round = seen["state"], seen["replay"], seen["round"]
    try:
        found.description = decoded(seen["head"])
        if not restores:
            return
        window, width_us, offset_us = _window(found.description)
    except (ValueError, KeyError, TypeError) as error:
        found.why_not = str(error)
        return
    try:
        seen = _core.look(found.directory, window)
    except _core.JournalError as error:
        found.why_not = str(error)
        return
    if seen is None:
        return
    _add_notes(found, seen["note"], seen["notes"])
    snapshot = window.snapshot(0)
    oldest_us, newest_us, watermark_us = seen["times"]
    answered = seen["answered"]
    found.window = Window(
        keys=snapshot[3],
        events=snapshot[4],
        lines=seen["lines"],
        oldest_us=oldest_us,
        newest_us=newest_us,
        watermark_us=watermark_us,
        answered_us=None if answered is None else (answered + 1) * width_us + offset_us,
    )


def _window(description: dict[str, Any]) -> tuple[_core.Window, int, int]:
    """Return a window that can take the state of a query, the width of its panes, and offset."""
    if description["kind"] == "window":
        lengths, slide_us = description["length"], description["every"]
        offset_us, lateness_us = description["offset"], description["lateness"]
    elif description["window"] is None:
        lengths, slide_us, offset_us, lateness_us = None, 0, 0, 0
    else:
        texts = description["window"]
        lengths = [None if text == "all" else micros(text, "window") for text in texts]
        slide_us = micros(description["slide"], "slide")
        offset_us = micros(description["offset"], "offset", least=0)
        lateness_us = micros(description["lateness"], "lateness", least=0)
    time = None if description["kind"] == "window" else description.get("time", "log")
    window = _core.Window(
        by=description["by"],
        aggregates=[tuple(spec) for spec in description["aggregates"]],
        settings=window_settings(
            None if lengths is None else Schedule(lengths, slide_us, offset_us),
            limit=1,
            order_by=None,
            ascending=False,
            track_ranks=description["track_ranks"],
            lateness_us=lateness_us,
            max_keys=description["max_keys"],
            max_key_bytes=description["max_key_bytes"],
        ),
        hash_seed=int.from_bytes(os.urandom(8), "little"),
        time=time,
    )
    width_us = gcd(slide_us, *(length for length in lengths or () if length is not None))
    return window, width_us, offset_us


def _add_notes(found: Contents, state: bytes | None, notes: Iterable[bytes]) -> None:
    registry, resent = Registry(), Resent(1, 0, 0)
    kept: dict[bytes, Registry | Positions | Resent] = {
        NAME: registry,
        POSITION: found.positions,
        BATCH: resent,
    }
    for kind, note in unpack(state or b"").items():
        if kind in kept:
            kept[kind].restore(note)
        elif kind == POSITION_OF_CALLER:
            found.position = note
    for whole in notes:
        kind, note = whole[:1], whole[1:]
        if kind in {NAME, FORMAT}:
            registry.apply(kind, note)
        elif kind == POSITION:
            found.positions.apply(note)
        elif kind == BATCH:
            resent.apply(note)
        elif kind == POSITION_OF_CALLER:
            found.position = note
    found.batches = len(resent)
    names, formats = registry.names, registry.formats
    found.sources = [(name, formats.get(number)) for number, name in enumerate(names)]
