"""What a query that runs gives, for whoever iterates over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from tailrace._format import Batch
from tailrace._snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tailrace._runtime.run import Run

__all__ = ["Answers", "Batches", "Results"]

T = TypeVar("T")


class Results(Generic[T]):
    """
    What a query gives: iterate with `for`, or in an event loop with `async for`.

    What has to be waited for is served while the next result is being waited for, and stands still
    while the caller works on the last one. No thread is started. A loop that is left early closes
    the source as soon as this object is gone; `with` and `async with` close it for sure.
    """

    # The generators know the run and not this object: so it is gone when its user lets it go, and
    # they with it.
    def __init__(self, run: Run[Any, T]) -> None:
        self._run = run
        self._plain: Generator[T, None, None] | None = None
        self._awaited: AsyncGenerator[T, None] | None = None
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        """
        Return the next result.

        Raises:
            OSError: The source cannot be opened, or one of several could not be read; then all
                results of the others came before.
            RuntimeError: An event loop runs here; `async for` is for that.
        """
        if self._plain is None:
            self._begin("async for")
            if self._closed:
                raise StopIteration
            if self._run.live is not None:
                _refuse_loop()
            self._plain = self._run.results()
        return next(self._plain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Let go of the source; what is not answered yet never will be.

        Raises:
            RuntimeError: It is read in an event loop; `aclose` and `async with` are for that.
        """
        if self._awaited is not None and not self._closed:
            raise RuntimeError("these answers are awaited: write `async with`, or await aclose()")
        self._closed = True
        if self._plain is not None:
            self._plain.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """
        Return the next result; see `__next__`.

        One that is cancelled, by a timeout for instance, ends the run: its source is closed.
        """
        if self._awaited is None:
            self._begin("for")
            if self._closed:
                raise StopAsyncIteration
            self._awaited = self._run.awaited()
        return await anext(self._awaited)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the source; what is not answered yet never will be."""
        self._closed = True
        if self._awaited is not None:
            await self._awaited.aclose()

    def lines(self) -> dict[str, Any]:
        """Return where all lines went so far, also those of windows that are not answered yet."""
        lines: dict[str, Any] = self._run.processor.lines()
        return lines

    def _begin(self, other: str) -> None:
        if self._plain is not None or self._awaited is not None:
            raise RuntimeError(f"these answers are read with `{other}` already; go on with that")


class Answers(Results[Snapshot]):
    """
    The snapshots of a query: iterate with `for`, or in an event loop with `async for`.

    What has to be waited for is served while the next snapshot is being waited for, and stands
    still while the caller works on the last one. No thread is started. A loop that is left early
    closes the source as soon as this object is gone; `with` and `async with` close it for sure.

    >>> import tailrace as tr
    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> with tr.from_lines([line]).count(by="url").run() as answers:
    ...     print(next(answers).total, answers.lines()["fed"])
    1 1
    """


class Batches(Results[Batch]):
    """
    The fields of lines in batches of columns: iterate with `for`, or with `async for`.

    It waits, stands still and closes its source as `Answers` does.

    >>> import tailrace as tr
    >>> line = '1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'
    >>> with tr.from_lines([line]).parse(["url"]) as batches:
    ...     print(next(batches).to_dicts(), batches.lines()["counted"])
    [{'url': '/a'}] 1
    """


def _refuse_loop() -> None:
    import asyncio  # noqa: PLC0415 - 30 ms that only live sources need

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop runs here already: write `async for`, not `for`")
