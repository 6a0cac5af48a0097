"""The batches of a `WindowMerger`: each is added once, to windows that survive on disk."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace.spark._state import Record, StateFolder
from tailrace.spark._windows import PaneWindows, WindowOptions, newest_of, of_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from tailrace._types import Answer

__all__ = ["Batches"]


class _Held(NamedTuple):
    """What the newest files on disk say: the windows after a batch, its number, its header."""

    windows: PaneWindows
    number: int
    header: dict[str, Any]

    @property
    def batches(self) -> list[list[int]]:
        """The batches that were counted, as ranges."""
        found: list[list[int]] = self.header.get("batches", [])
        return found


class Batches:
    """
    Windows to which batches are added, each once.

    Args:
        options: What the windows compute.
        folder: Where they are kept.
        query_id: The name of the query, if the user gave one.
    """

    def __init__(
        self, options: WindowOptions, folder: StateFolder, query_id: str | None = None
    ) -> None:
        self._options, self._folder, self._query_id = options, folder, query_id
        self._owner = f"process {os.getpid()}, {secrets.token_hex(8)}"
        self._writer = ""
        self._held: _Held | None = None

    def add(self, number: int, query: str | None, panes: Callable[[], pa.Table]) -> list[Answer]:
        """
        Add a batch unless that was done before, and return the windows that ended with it.

        The batch that was added last is added again, from the state before it.

        Args:
            number: The number of the batch.
            query: Spark's id of the query, if it is known.
            panes: Returns the panes; it is called only if they are needed.

        Raises:
            OSError: The state cannot be written or read.
            ValueError: The state belongs to another query, has other settings, or is damaged or
                used by another merger.
        """
        with self._locked(query) as held:
            is_counted = any(first <= number <= last for first, last in held.batches)
            if is_counted and number != held.header["batch"]:
                return []
            before = self._read(held.number - 1) if is_counted else held
            return self._write(before, panes(), number, query)

    def finish(self) -> list[Answer]:
        """Return the later windows that hold an event, and change nothing."""
        with self._locked(None) as held:
            windows = held.windows
            copy = PaneWindows(
                self._options, windows.export(), windows.newest_us, windows.answered_us
            )
        return copy.finish()

    def current(self) -> Any:  # noqa: ANN401 - an Arrow table of the core
        """Return the rows of the newest window as it is."""
        with self._locked(None) as held:
            return held.windows.current()

    @contextmanager
    def _locked(self, query: str | None) -> Iterator[_Held]:
        """Keep others out of the state meanwhile, and yield it as it is after the last batch."""
        # Others may have written what this one has only read.
        held = self._held if self._writer == self._owner else None
        self._held = None
        with self._folder.locked(self._owner if held else None) as self._writer:
            if held is None:
                held = self._read(self._folder.newest())
            self._check_query(held.header, query)
            # After an error what is in memory may be half done; what is on disk never is.
            yield held
            self._held = self._held or held

    def _write(self, held: _Held, panes: pa.Table, number: int, query: str | None) -> list[Answer]:
        windows = held.windows
        answers = windows.merge(panes, newest_of(panes))
        header = {
            "query": self._query_id,
            "spark_query": query or held.header.get("spark_query"),
            "batch": number,
            "batches": _with(held.batches, number),
            "newest_us": windows.newest_us,
            "answered_us": windows.answered_us,
            "settings": self._options.settings(),
        }
        after = _Held(windows, held.number + 1, header)
        if self._writer != self._owner:
            self._folder.take(self._owner)
            self._writer = self._owner
        self._folder.write(after.number, Record(header, to_bytes(panes)))
        if self._folder.is_long():
            self._folder.write_window(after.number, Record(header, windows.export()))
        self._folder.tidy()
        self._held = after
        return answers

    def _read(self, number: int) -> _Held:
        """Read the state after a batch, by the number of its file; 0 is before the first."""
        base, batches = self._folder.read(number)
        header = (batches[-1] if batches else base or Record({}, b"")).header
        self._check_settings(header)
        try:
            windows = PaneWindows(self._options)
            if base is not None:
                newest_us, answered_us = base.header["newest_us"], base.header["answered_us"]
                windows = PaneWindows(self._options, base.payload, newest_us, answered_us)
            for batch in batches:
                panes = of_bytes(batch.payload)
                windows.merge(panes, newest_of(panes))
        except (ValueError, TypeError) as error:
            # Another version of tailrace wrote it.
            raise ValueError(f"checkpoint {self._folder.path}: {error}") from None
        return _Held(windows, number, header)

    def _check_settings(self, header: dict[str, Any]) -> None:
        """Raise a `ValueError` if the state has other settings than these windows."""
        for name, found in self._options.settings().items() if header else ():
            expected = header["settings"][name]
            if expected != found:
                raise ValueError(
                    f"checkpoint {self._folder.path}: expected {name}={expected}, as its state "
                    f"has, found {name}={found}; use the settings of the state, or another "
                    "checkpoint"
                )

    def _check_query(self, header: dict[str, Any], query: str | None) -> None:
        """Raise a `ValueError` if the state belongs to another query."""
        if not header:
            return
        own, of_spark = header["query"], header["spark_query"]
        for expected, found in ((own or of_spark, self._query_id or query), (of_spark, query)):
            if expected is not None and found is not None and expected != found:
                raise ValueError(
                    f"checkpoint {self._folder.path}: expected batches of the query {expected}, "
                    f"which wrote this state, found query {found}; if Spark's checkpointLocation "
                    "was removed or replaced, its batches begin with 0 again: restore it, or "
                    "delete this directory, too, to begin with empty windows"
                )


def _with(ranges: list[list[int]], number: int) -> list[list[int]]:
    """
    Return ranges of numbers with one more.

    >>> _with([[0, 3], [5, 6]], 4), _with([[0, 3]], 5), _with([[3, 3]], 2)
    ([[0, 6]], [[0, 3], [5, 5]], [[2, 3]])
    """
    merged: list[list[int]] = []
    for first, last in sorted([*ranges, [number, number]]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged
