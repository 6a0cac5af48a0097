"""Run `tailrace send`: read the files, send their lines and report the result."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
from contextlib import aclosing
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tailrace._cli.signals import ENDING, INTERRUPTED, has_terminal, is_handled
from tailrace._core import MAX_LINE_BYTES, Batcher
from tailrace._errors import TailraceError, os_reason
from tailrace._flume.client import MAX_PARAMETER_BYTES
from tailrace._runtime.clock import Clock
from tailrace._sender import ANSWER_TIMEOUT_S, Sender, address
from tailrace._sources.plain import PlainText
from tailrace._sources.text import STDIN, unpacker
from tailrace._terminal.escape import for_people
from tailrace._terminal.streams import say

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from tailrace._sender import Counts
    from tailrace._sources.unpacking import Unpacker

__all__ = ["Sending"]

# The size of a read: large enough that its overhead is negligible.
_READ_BYTES = 1024 * 1024

# How long a batch waits for lines of a pipe before it is sent as it is. An agent waits 3 s.
_IDLE_S = 1.0

# The parameter of a call, and the number of its lines.
_Batch: TypeAlias = tuple[bytes, int]


class Sending:
    """Sends the lines of files at a given rate, and reports the result."""

    def __init__(
        self,
        names: Sequence[str],
        host: str,
        port: int,
        *,
        batch: int,
        connections: int,
        rate: float | None,
        failed: bool,
    ) -> None:
        self._names = names
        self._address = address(host, port)
        self._stir = asyncio.Event()
        self._sender = Sender(host, port, connections=connections, stir=self._stir)
        self._batcher = Batcher(size=batch, max_bytes=MAX_PARAMETER_BYTES)
        self._clock = Clock(warn=_say)
        self._loop = asyncio.new_event_loop()
        self._rate = rate
        # When the next batch may be sent, relative to the first one so that it does not drift.
        self._due_s = 0.0
        self._failed = failed
        self._signal: int | None = None
        self._ending: list[int] = []
        # Lines read from a pipe are sent even after a signal, because they exist nowhere else. A
        # file is abandoned where it is.
        self._at_pipe = False
        self._done = False
        self._cut_short = False

    def run(self) -> int:
        """Send everything, report the result, and return the exit code."""
        try:
            # Not `asyncio.run`, which takes SIGINT for itself.
            return self._loop.run_until_complete(self._run())
        finally:
            self._loop.close()

    async def _run(self) -> int:
        try:
            await self._sender.open()
        except OSError as error:
            _say(f"{self._address}: {_cannot_connect(error)}")
            return 2
        if is_handled(signal.SIGUSR1):
            self._loop.add_signal_handler(signal.SIGUSR1, self._show)
        reloads = not has_terminal()
        for number in filter(is_handled, ENDING):
            if number == signal.SIGHUP and reloads:
                self._loop.add_signal_handler(number, _say, "SIGHUP: there is nothing to reload")
            else:
                self._ending.append(number)
                self._loop.add_signal_handler(number, self._stop, number)
        self._due_s = started_s = self._loop.time()
        async with aclosing(self._batches()) as batches:
            async for parameter, lines in batches:
                await self._pause()
                if self._is_over() or not await self._sender.send(parameter, lines):
                    break
                if self._rate is not None:
                    self._due_s += lines / self._rate
        self._done = True
        await self._sender.close()
        return self._ended(self._loop.time() - started_s)

    def _stop(self, number: int) -> None:
        """Stop gracefully; a second signal ends the process as if there were no handler."""
        self._signal = number
        self._cut_short = not self._at_pipe and not self._done
        self._stir.set()
        for ending in self._ending:
            self._loop.remove_signal_handler(ending)
            signal.signal(ending, signal.SIG_DFL)

    def _show(self) -> None:
        _say(f"so far {_summary(self._sender.counts)}")

    def _is_over(self) -> bool:
        return self._sender.problem is not None or self._cut_short

    async def _pause(self) -> None:
        """Wait until the next batch may be sent, or a stop is requested."""
        while self._signal is None and self._sender.problem is None:
            wait_s = self._due_s - self._loop.time()
            if wait_s <= 0:
                return
            await self._stirred(wait_s)

    async def _stirred(self, timeout_s: float | None) -> None:
        """Wait until something happens, at most until the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._stir.wait()
        except TimeoutError:
            return
        self._stir.clear()

    async def _batches(self) -> AsyncGenerator[_Batch, None]:
        """Yield batches and the number of their lines; the last one need not be full."""
        batcher = self._batcher
        for name in self._names:
            if self._signal is not None:
                # Files after the one in which the signal came are not sent.
                self._failed = True
                break
            path = None if name == STDIN else _absolute(name)
            broken_off = True
            try:
                async with aclosing(self._parts(name)) as parts:
                    async for data in parts:
                        for batch in self._encoded(data, path):
                            yield batch
                broken_off = self._signal is not None
            except (OSError, TailraceError) as error:
                self._failed = True
                _say(_unread(name, error))
            if broken_off:
                batcher.drop_line()
            elif last := batcher.end_text(headers=self._headers(path)):
                yield last
        if rest := batcher.flush():
            yield rest

    def _encoded(self, data: bytes, path: str | None) -> Iterator[_Batch]:
        """Yield the batches that the data completes; without data, the pending lines."""
        if not data and (waiting := self._batcher.flush()):
            yield waiting
        at = 0
        while at < len(data):
            # New headers for each batch: the timestamp is that of taking the lines.
            at, full = self._batcher.take(data, at, headers=self._headers(path))
            if full:
                yield full

    def _headers(self, path: str | None) -> list[tuple[str, str]]:
        """Return the headers of a spooldir source with `fileHeader` and a timestamp interceptor."""
        self._clock.check()
        stamp = ("timestamp", str(self._clock.now_us() // 1_000))
        return [stamp] if path is None else [("file", path), stamp]

    async def _parts(self, name: str) -> AsyncGenerator[bytes, None]:
        """Yield a file's data, decompressed; empty data where a pipe is idle for a while."""
        gunzip: Unpacker | None = None
        plain = PlainText()
        begun = False
        async with aclosing(self._read(name)) as pieces:
            async for data in pieces:
                if data and not begun:
                    begun = True
                    gunzip = unpacker(data, _shown(name))
                if gunzip is None or not data:
                    yield plain.feed(data)
                    continue
                for text in gunzip.feed(data):
                    yield plain.feed(text)
        if self._signal is None and self._sender.problem is None:
            if gunzip is not None:
                gunzip.finish()
            if rest := plain.finish():
                yield rest
            plain.check(_shown(name))

    async def _read(self, name: str) -> AsyncGenerator[bytes, None]:
        # Opening does not block on a pipe without a writer; its data is awaited like any other's.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        with FileIO(os.dup(0) if name == STDIN else os.open(name, flags)) as file:
            descriptor = file.fileno()
            mode = os.fstat(descriptor).st_mode
            self._at_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or file.isatty()
            while self._signal is None and self._sender.problem is None:
                if self._at_pipe and not await self._readable(descriptor):
                    yield b""
                    continue
                try:
                    data = os.read(descriptor, _READ_BYTES)
                except BlockingIOError:
                    continue
                if not data:
                    return
                if self._at_pipe:
                    # Time without anything to send is not made up for.
                    self._due_s = max(self._due_s, self._loop.time())
                yield data

    async def _readable(self, descriptor: int) -> bool:
        """Wait until a pipe has data, or until pending lines should be sent."""
        ready = False

        def note() -> None:
            nonlocal ready
            ready = True
            self._stir.set()

        # A descriptor that is shared with a shell stays blocking. It is read only when it has data,
        # and then returns at once.
        self._loop.add_reader(descriptor, note)
        try:
            await self._stirred(_IDLE_S if self._batcher.pending else None)
        finally:
            self._loop.remove_reader(descriptor)
        return ready

    def _ended(self, took_s: float) -> int:
        """Report what was sent and acknowledged, and return the exit code."""
        counts, batcher = self._sender.counts, self._batcher
        if self._sender.problem is not None:
            _say(self._sender.problem)
        if batcher.long:
            _say(
                f"{_lines(batcher.long)} longer than {MAX_LINE_BYTES:,} bytes, sent unchanged;"
                " a tailrace receiver rejects such lines (too-long)"
            )
        if batcher.unsendable:
            _say(
                f"{_lines(batcher.unsendable)} not sent: longer than {MAX_PARAMETER_BYTES:,} bytes,"
                " the most that fits into a frame; is this a log?"
            )
        if self._cut_short:
            _say("stopped before the end of the input")
        _say(f"{_summary(counts)}, {took_s:.1f} s")
        if self._signal == signal.SIGINT:
            return INTERRUPTED
        bad = self._sender.problem or self._failed or batcher.unsendable or self._cut_short
        return 1 if bad else 0


def _absolute(name: str) -> str:
    """Return an absolute path as the value of a header, which must be UTF-8."""
    return os.fsencode(Path(name).absolute()).decode("utf-8", "replace")


def _summary(counts: Counts) -> str:
    """
    Return a summary of what was sent and acknowledged.

    >>> from tailrace._sender import Counts
    >>> _summary(Counts(lines=26_912, batches=270, acknowledged=26_912))
    'sent 26,912 lines in 270 batches, all acknowledged'
    >>> _summary(Counts(lines=300, batches=3, acknowledged=200, doubtful=100))
    'sent 300 lines in 3 batches, 200 acknowledged, 100 of the last batch may have been counted'
    """
    batches = "1 batch" if counts.batches == 1 else f"{counts.batches:,} batches"
    summary = f"sent {_lines(counts.lines)} in {batches}"
    if counts.acknowledged == counts.lines:
        return f"{summary}, all acknowledged" if counts.lines else summary
    summary += f", {counts.acknowledged:,} acknowledged"
    if counts.refused:
        summary += f", {counts.refused:,} refused"
    if counts.doubtful:
        # Each of several connections may have had a batch in flight.
        summary += f", {counts.doubtful:,} of the last batch may have been counted"
    return summary


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _unread(name: str, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{_shown(name)}: {os_reason(error)}"
    return str(error)


def _cannot_connect(error: OSError) -> str:
    """Return why the connection failed, and how to fix it."""
    # If a name has several addresses, asyncio puts their errors into one text.
    if f"Errno {errno.ECONNREFUSED}" in str(error):
        return "connection refused; start the receiver first, or check the host and the port"
    if isinstance(error, TimeoutError):
        return f"no connection within {ANSWER_TIMEOUT_S:.0f} s; check the host and the firewall"
    if isinstance(error, socket.gaierror):
        return "unknown host; check the name"
    return f"{os_reason(error)}; check the host and the port"


def _say(text: str) -> None:
    say(f"tailrace: {for_people(text)}")
