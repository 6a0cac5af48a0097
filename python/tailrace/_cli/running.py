"""What the counting and the parsing verb share while they run: live loop, messages, summary."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tailrace._errors import TailraceError, in_words, os_reason
from tailrace._rendering.text import lines_summary
from tailrace._terminal.escape import for_people
from tailrace._terminal.excerpt import excerpt, mismatch, terminal_width
from tailrace._terminal.streams import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Iterator

    from tailrace._cli.progress import Progress
    from tailrace._cli.signals import Signals
    from tailrace._outputs.rejects import RejectsFile
    from tailrace._runtime.intake import Intake
    from tailrace._runtime.live import LiveFeeds
    from tailrace._runtime.run import Run

__all__ = ["UNREADABLE", "ended", "reload", "replayed", "say_formats", "served", "warnings_to"]

O = TypeVar("O")  # noqa: E741 - what is handed out

UNREADABLE = -1


def replayed(
    run: Run[Any, O], progress: Progress, show: Callable[[O], None], *, once: bool = False
) -> int:
    """Show all results of sources that are read to their end, and report what went wrong."""
    problems = run.problems
    try:
        with progress:
            for result in run.results():
                say_formats(run.intake, progress.say)
                if once:
                    progress.end()
                show(result)
        say_formats(run.intake, progress.say)
    except BrokenPipeError:
        raise
    except (OSError, TailraceError) as error:
        # An error of the output is an `OutputError`.
        if error not in problems:
            problems.append(error)
    for problem in problems:
        say(_for_people(in_words(problem)))
    return 2 if run.is_refused else 1 if problems else 0


def served(
    source: LiveFeeds,
    signals: Signals,
    work: Callable[[], Coroutine[Any, Any, None]],
    report: Callable[[str], None] = say,
    *,
    state: str = "state is in memory only",
) -> int:
    """Open a live source, do the work until its end or a signal, and close it."""
    import asyncio  # noqa: PLC0415 - takes 30 ms, and only live sources need it

    async def serve() -> int:
        loop = asyncio.get_running_loop()
        signals.post = loop.call_soon_threadsafe
        signals.attend()
        try:
            status = await source.open()
        except (OSError, TailraceError) as error:
            report(f"tailrace: {for_people(_why_not_opened(error))}")
            return UNREADABLE
        signals.wake = lambda: loop.call_soon_threadsafe(source.wake)
        report(f"tailrace: {status}; {for_people(state)}; Ctrl-C stops")
        try:
            await work()
        except TailraceError as error:
            report(f"tailrace: {for_people(str(error))}")
            return 1
        finally:
            signals.wake = None
            await source.close()
            signals.post = None
        return 0

    # Not `asyncio.run`, which takes SIGINT for itself.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(serve())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        for number in (signal.SIGCONT, signal.SIGWINCH):
            # Closing would close the pipe of the handlers before it removes them.
            loop.remove_signal_handler(number)
        loop.close()


@contextmanager
def warnings_to(report: Callable[[str], object]) -> Iterator[None]:
    """Report the warnings of the package."""
    import logging  # noqa: PLC0415 - loaded already where there are warnings

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            report(_for_people(record.getMessage()))

    logger = logging.getLogger("tailrace")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _why_not_opened(error: OSError | TailraceError) -> str:
    import errno  # noqa: PLC0415 - only for an error

    # An error without a file's name comes from a socket.
    if not isinstance(error, OSError) or error.filename:
        return in_words(error)
    rights = "; ports below 1024 need privileges, use a higher one"
    hints = {
        errno.EADDRINUSE: "; stop the program that listens there, or use another port",
        errno.EADDRNOTAVAIL: "; use an address of this machine, or 0.0.0.0 for all",
        errno.EACCES: rights,
        errno.EPERM: rights,
    }
    reason = os_reason(error)
    return reason + hints.get(error.errno or 0, "; check the host and the port")


def reload(given: argparse.Namespace, run: Run[Any, Any], rejects: RejectsFile | None) -> str:
    """Reload what can be reloaded without an end of the run, and return a message about it."""
    done: list[str] = []
    failed: list[str] = []
    if (old := given.countries) is not None:
        from tailrace._lookups import countries  # noqa: PLC0415 - loaded already with a database

        try:
            given.countries = countries(old.path)
        except (OSError, ValueError) as error:
            failed.append(f"{in_words(error)}; the database that was read before is used")
        else:
            run.replace_lookups(old.lookups, given.countries.lookups)
            done.append(f"read {old.path} again")
    if run.live is not None:
        read, unread = run.live.reload()
        done += read
        failed += unread
    if rejects is not None:
        try:
            if rejects.reopen():
                done.append("opened the file of --rejects again")
        except OSError as error:
            failed.append(f"{in_words(error)}; rejected lines go to the old file")
    text = "; ".join([*done, *failed]) or "there is nothing to reload"
    return f"tailrace: SIGHUP: {for_people(text)}"


def say_formats(intake: Intake, report: Callable[[str], None] = say) -> None:
    """Report which formats were detected since the last call, and what is not read."""
    for choice, source in intake.take_notices():
        report(_for_people(choice.describe(source, terminal_width(sys.stderr))))


def _for_people(text: str) -> str:
    """Return a message, which may show a line of a log on further lines."""
    return "tailrace: " + "\n".join(map(for_people, text.split("\n")))


def ended(code: int, run: Run[Any, Any], *, strict: bool, failed: bool) -> int:
    """Print the summary and a few rejected lines, and return the exit code."""
    sys.stdout.flush()
    lines, samples = run.processor.lines(), run.sampler.samples
    summary = lines_summary(lines)
    if lines["rejected"].get("no-match") and lines["rejected"]["no-match"] == lines["fed"]:
        summary += "; no line matches the format, see --log-format"
    elif not lines["fed"] and run.finite is not None and code == 0:
        summary += "; the input is empty"
    else:
        summary += run.remark
    say(f"tailrace: {summary}")
    for sample in samples.kept if samples is not None else []:
        place = f"{for_people(sample.source)}, line {sample.number:,}"
        say(f"{place}: {mismatch(sample.expected, sample.line, sample.byte)}")
        for text in excerpt(sample.line, sample.byte, terminal_width(sys.stderr) - 2):
            say(f"  {text}")
    if code == 0 and (failed or (strict and lines["rejected"])):
        return 1
    return code
