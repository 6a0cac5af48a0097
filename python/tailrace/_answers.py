"""What a running query returns: snapshots, or batches of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from tailrace._public import Public

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tailrace._format import Batch
    from tailrace._runtime.run import Run
    from tailrace._snapshot import Snapshot
    from tailrace._types import LineCounts

__all__ = ["Answers", "Batches"]

T = TypeVar("T")


class _Results(Generic[T]):
    """
    The results of a run, by `for` or by `async for`, but not by both.

    It is not a base class of `Answers` and `Batches`, so that `help` shows them without it.
    """

    # The generators refer to the run, not to this object. It is thereby freed together with the
    # object that the user holds, and they with it, which closes the sources.
    def __init__(self, run: Run[Any, T]) -> None:
        self.run = run
        self._plain: Generator[T, None, None] | None = None
        self._awaited: AsyncGenerator[T, None] | None = None
        self._closed = False

    def next(self) -> T:
        if self._plain is None:
            self._check_unused("async for")
            if self._closed:
                raise StopIteration
            if self.run.live is not None:
                _check_no_loop()
            self._plain = self.run.results()
        try:
            return next(self._plain)
        finally:
            self.run.intake.log_doubts()

    def close(self) -> None:
        if self._awaited is not None and not self._closed:
            raise RuntimeError(
                "read with `async for`; close with `async with` or `await answers.aclose()`"
            )
        self._closed = True
        if self._plain is not None:
            self._plain.close()
        self.run.close()

    async def anext(self) -> T:
        if self._awaited is None:
            self._check_unused("for")
            if self._closed:
                raise StopAsyncIteration
            self._awaited = self.run.awaited()
        try:
            return await anext(self._awaited)
        finally:
            self.run.intake.log_doubts()

    async def aclose(self) -> None:
        self._closed = True
        if self._awaited is not None:
            await self._awaited.aclose()
        self.run.close()

    def lines(self) -> LineCounts:
        lines: LineCounts = self.run.processor.lines()
        return lines

    def describe(self, query: object) -> str:
        begun = self._plain is not None or self._awaited is not None
        state = "closed" if self._closed else "reading" if begun else "not started"
        return f"of {query}: {state}, {self.lines()['fed']:,} lines read"

    def _check_unused(self, other: str) -> None:
        if self._plain is not None or self._awaited is not None:
            raise RuntimeError(f"already read with `{other}`; read all of it in the same way")


class Answers(metaclass=Public):
    """
    The snapshots of a running query: iterate with `for`, or in an event loop with `async for`.

    Live sources are polled while you wait for the next snapshot, and wait while you work on the
    last one; no thread is started for that. Sources are closed at the end of the iteration, with
    `with` or `async with` when the block ends, else when the object is garbage collected.

    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> with tr.from_lines([line]).count(by="url").run() as answers:
    ...     print(next(answers).total, answers.lines["fed"])
    1 1
    """

    __signature__ = "()"

    def __init__(self, run: Run[Any, Snapshot], query: object) -> None:
        self._results = _Results(run)
        self._query = query

    def __repr__(self) -> str:
        return f"<tailrace.Answers {self._results.describe(self._query)}>"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Snapshot:
        """
        Return the next snapshot.

        Raises:
            OSError: A source cannot be read. With several sources, this is raised after the
                snapshots of the others.
            RuntimeError: An event loop is running, and a source is live; use `async for`.
        """
        return self._results.next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop and close the sources. What is read with `async for` is closed with `aclose`."""
        self._results.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Snapshot:
        """Return the next snapshot. If it is cancelled, for instance by a timeout, the run ends."""
        return await self._results.anext()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop and close the sources."""
        await self._results.aclose()

    @property
    def lines(self) -> LineCounts:
        """The counters of all lines so far, also of those in windows without a snapshot yet."""
        return self._results.lines()


class Batches(metaclass=Public):
    """
    The fields of lines in batches of columns: iterate with `for`, or with `async for`.

    Sources are polled and closed as those of `Answers` are.

    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> with tr.from_lines([line]).parse(["url"]) as batches:
    ...     print(next(batches).to_dicts(), batches.lines["counted"])
    [{'url': '/a'}] 1
    """

    __signature__ = "()"

    def __init__(self, run: Run[Any, Batch], query: object) -> None:
        self._results = _Results(run)
        self._query = query

    def __repr__(self) -> str:
        return f"<tailrace.Batches {self._results.describe(self._query)}>"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        """
        Return the next batch.

        Raises:
            OSError: A source cannot be read. With several sources, this is raised after the
                batches of the others.
            RuntimeError: An event loop is running, and a source is live; use `async for`.
        """
        return self._results.next()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop and close the sources. What is read with `async for` is closed with `aclose`."""
        self._results.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        """Return the next batch. If it is cancelled, for instance by a timeout, the run ends."""
        return await self._results.anext()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop and close the sources."""
        await self._results.aclose()

    @property
    def lines(self) -> LineCounts:
        """The counters of all lines so far."""
        return self._results.lines()


def _check_no_loop() -> None:
    import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop is running: use `async for` instead of `for`")
