"""A window without a log and without a clock: keys and times in, snapshots out."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from numbers import Real
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace.durations import Duration, check_divides, micros
from tailrace.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Snapshots", "Window"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# As far as times in the core go.
_MAX_SECONDS = 9 * 10**9


class Window:
    """
    Counts keys over the last *length*, with an answer *every* so often.

    Keys are text, bytes or integers, or None for the null key; all keys of one window are of one
    type. Windows end at multiples of *every* since the epoch. Nothing here reads a clock: the
    window moves when `advance` says so. Threads may share it.

    Args:
        length: How long the window is: `"300s"`, a `timedelta`, or seconds.
        every: How often it is answered, by default once a length. It divides the length.
        top: How many rows a snapshot has at most; every key by default.
        lateness: How far the watermark stays behind what `advance` is told.

    Raises:
        ValueError: A duration is none, `every` does not divide the length, or `top` is below one.

    >>> import tailrace as tr
    >>> window = tr.Window("60s", every="30s")
    >>> window.add(["a", "b", "a"], times=[0, 10, 40])
    >>> [snapshot.rows for snapshot in window.advance(30)]
    [[{'key': 'a', 'count': 1}, {'key': 'b', 'count': 1}]]
    >>> [snapshot.rows[0] for snapshot in window.finish()]
    [{'key': 'a', 'count': 2}, {'key': 'a', 'count': 1}]
    """

    def __init__(
        self,
        length: Duration,
        every: Duration | None = None,
        *,
        top: int | None = None,
        lateness: Duration = "0s",
    ) -> None:
        length_us = micros(length, "length")
        slide_us = length_us if every is None else micros(every, "every")
        check_divides(slide_us, length_us)
        if top is not None and top < 1:
            raise ValueError(f"top: {top} rows; ask for at least one, or None for all")
        self._window = _core.Window(
            window_us=(length_us, slide_us),
            lateness_us=micros(lateness, "lateness", least=0),
            limit=top,
            hash_seed=int.from_bytes(os.urandom(8), "little"),
        )
        self._calls = 0

    def add(self, keys: Any, *, times: Any) -> None:  # noqa: ANN401 - whatever holds a column
        """
        Count each key at its time; takes effect at once and closes nothing.

        A key whose pane is closed already is counted as late, in no window.

        Args:
            keys: A list, NumPy array, Arrow array, or another column.
            times: As many aware datetimes, `datetime64`s, Arrow timestamps (without a zone these
                two are UTC), or seconds since the epoch.

        Raises:
            TypeError: Keys or times of another type, or of several types.
            ValueError: Not as many times as keys, a datetime without a zone, or out of range.
        """
        self._calls += 1
        moments, in_micros = _times(times)
        self._window.add(_column(keys, "keys"), moments, micros=in_micros)

    def advance(self, now: datetime | float) -> Snapshots:
        """
        Move the watermark to *now* minus lateness, and return the windows that ended by then.

        The watermark moves at once. What is not iterated is not computed, and is gone with the
        next call of this object.
        """
        self._calls += 1
        self._window.advance(_moment(now))
        return Snapshots(self, self._calls)

    def finish(self) -> Snapshots:
        """Close everything and return every later window that still holds an event."""
        self._calls += 1
        self._window.finish()
        return Snapshots(self, self._calls)

    def snapshot(self) -> Snapshot:
        """Return the window that ends with the newest open pane, as it stands."""
        self._calls += 1
        return Snapshot.of(self._window.snapshot(), "key")

    def _next(self, call: int) -> Snapshot | None:
        answer = self._window.next_snapshot() if call == self._calls else None
        return None if answer is None else Snapshot.of(answer, "key")


class Snapshots:
    """
    The windows whose end was reached, oldest first; each is computed when it is asked for.

    >>> import tailrace as tr
    >>> window = tr.Window("60s")
    >>> window.add(["a"], times=[0])
    >>> [snapshot.total for snapshot in window.advance(60)]
    [1]
    """

    def __init__(self, window: Window, call: int) -> None:
        self._window = window
        self._call = call

    def __iter__(self) -> Iterator[Snapshot]:
        return self

    def __next__(self) -> Snapshot:
        """Return the next one."""
        snapshot = self._window._next(self._call)  # noqa: SLF001 - of this module
        if snapshot is None:
            raise StopIteration
        return snapshot


def _column(values: Any, what: str) -> list[Any]:  # noqa: ANN401 - whatever holds a column
    """Make a list of a column, by the name which its library has for that."""
    speaks_arrow = hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")
    if isinstance(values, str | bytes) or not (speaks_arrow or hasattr(values, "__iter__")):
        raise TypeError(f"{what}: a column is wanted, such as a list, not {values!r:.80}")
    for method in ("tolist", "to_pylist", "to_list"):
        convert = getattr(values, method, None)
        if convert is not None:
            return list(convert())
    if speaks_arrow:
        return _arrow(values)
    return list(values)


def _arrow(values: Any) -> list[Any]:  # noqa: ANN401 - whatever speaks Arrow
    try:
        import pyarrow as pa  # noqa: PLC0415 - only who has Arrow data and no list
    except ImportError as error:
        raise TypeError("Arrow data without a list of its own needs pyarrow installed") from error
    whole = hasattr(values, "__arrow_c_array__")
    column = pa.array(values) if whole else pa.chunked_array(values)
    return list(column.to_pylist())


def _times(times: Any) -> tuple[list[Any], bool]:  # noqa: ANN401 - whatever holds a column
    """Return times as a list, and whether they are whole microseconds."""
    # NumPy and pandas name their type so; with a zone pandas adds it after a comma.
    kind = str(getattr(times, "dtype", ""))
    if kind.startswith("datetime64") and "," not in kind:
        return times.astype("datetime64[us]").astype("int64").tolist(), True
    moments = _column(times, "times")
    if not isinstance(times, list | tuple) and moments and isinstance(moments[0], datetime):
        # Arrow's timestamps without a zone count from the epoch in UTC.
        naive = [isinstance(moment, datetime) and moment.tzinfo is None for moment in moments]
        moments = [
            moment.replace(tzinfo=UTC) if is_naive else moment
            for moment, is_naive in zip(moments, naive, strict=True)
        ]
    return moments, False


def _moment(now: datetime | float) -> int:
    if isinstance(now, datetime):
        if now.tzinfo is None:
            raise ValueError("now: a datetime without a zone; make it aware")
        return (now - _EPOCH) // timedelta(microseconds=1)
    if not isinstance(now, Real):
        raise TypeError(f"now: {now!r} is no aware datetime and no number of seconds")
    if not abs(now) <= _MAX_SECONDS:
        raise ValueError(f"now: {now!r} is out of range (years 1684 to 2255)")
    return round(now * 10**6)
