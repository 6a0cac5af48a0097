"""The files that are to be read or followed, and standard input."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._cli.checks import Finding, amount
from tailrace._cli.checks.disk import NETWORK, file_system
from tailrace._detection import Detector
from tailrace._errors import TailraceError, in_words
from tailrace._first_lines import FirstLines
from tailrace._sources.changes import Changes
from tailrace._sources.follow import check_followed
from tailrace._sources.text import STDIN, File, check_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tailrace._cli.checks import Level
    from tailrace._sources import Chunk

__all__ = ["log", "notification", "standard_input"]

# What `Choice.describe` may show of a line.
_COLUMNS = 80


def standard_input(*, keeps: bool) -> Finding:
    """Report what standard input is; nothing is read from it."""
    if sys.stdin is None:
        return Finding(
            "problem", "input", "it is closed", "give a file, or redirect one: < access.log", STDIN
        )
    mode = os.fstat(0).st_mode
    if os.isatty(0):
        text = "it is a terminal; lines would have to be typed"
        return Finding("warning", "input", text, "give a file, or pipe a log into it", STDIN)
    if keeps:
        return Finding(
            "warning",
            "input",
            "a checkpoint keeps the window of a pipe, but not how far it was read; lines that were "
            "read and are not durable when tailrace is killed are lost",
            "follow the file itself (-F), or receive it from a Flume agent",
            STDIN,
        )
    what = "a file" if stat.S_ISREG(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
    return Finding("ok", "input", f"it is {what}", subject=STDIN)


def log(path: str, why: Callable[[OSError], str]) -> Iterator[Finding]:
    """
    Report whether a file can be read and followed, and its format.

    Args:
        path: The file.
        why: Returns what is wrong with it, and what to do.
    """
    try:
        check_log(path)
        mode = os.stat(path).st_mode  # noqa: PTH116 - names stay text
    except OSError as error:
        what, _, fix = why(error).partition("; ")
        if isinstance(error, FileNotFoundError) and "://" not in path:
            fix = fix or "check the name; with --follow tailrace waits until the file exists"
        yield Finding("problem", "file", what, fix, path)
        return
    except TailraceError as error:
        # It is compressed, and a package is missing.
        yield Finding("problem", "file", str(error).removeprefix(f"{path}: "), "", path)
        return
    if not stat.S_ISREG(mode):
        what = "a named pipe" if stat.S_ISFIFO(mode) else "a device"
        fix = "give it as standard input: - < FILE"
        yield Finding("ok", "file", f"it is {what}, which is not read now", fix, path)
        return
    yield from _content(path)
    yield from _followed(path)


def _content(path: str) -> Iterator[Finding]:
    """Report the format of the first lines."""
    detector = Detector()
    chunks: list[Chunk] = []
    try:
        for chunk in File(path).parts()[0]:
            detector.look(chunk)
            chunks.append(chunk)
            if detector.enough:
                break
    except (OSError, TailraceError) as error:
        text = in_words(error).removeprefix(f"{path}: ")
        yield Finding("problem", "file", text, "replace the file by a whole copy", path)
        return
    size = Path(path).stat().st_size
    values: dict[str, Any] = {"bytes": size}
    if not detector.lines:
        text = "it can be read, and has no lines yet; its format is detected when it has"
        yield Finding("ok", "file", text, subject=path, values=values)
        return
    choice = detector.choose()
    about = choice.describe(path, _COLUMNS).removeprefix(f"{path}: ").split("\n")[0]
    if choice.binary:
        yield Finding("problem", "format", about, "give a log", path)
        return
    if not choice.is_enough:
        fix = (
            "give the format's name, or paste the server's log_format or LogFormat, with "
            "--log-format; test it with 'tailrace explain'"
        )
        yield Finding("warning", "format", about, fix, path)
        return
    values |= {"format": choice.format, "lines": choice.lines, "matched": choice.matched}
    level: Level = "warning" if choice.is_doubtful else "ok"
    yield Finding(level, "format", f"{about}; {amount(size)}", "", path, values)
    first = FirstLines(needs_time=True)
    log_format = _core.Format(choice.format)
    for chunk in chunks:
        sections, log_format = log_format.sections(chunk.data, kind=chunk.kind, span=chunk.span)
        for span, one in sections:
            first.look(chunk._replace(span=span), one)
    for doubt in first.doubts():
        yield Finding("warning", "lines", doubt, "", path)


def _followed(path: str) -> Iterator[Finding]:
    """Report whether a file can be followed, and how its changes are noticed."""
    try:
        check_followed(path)
    except (OSError, TailraceError) as error:
        text = in_words(error).removeprefix(f"{path}: ")
        yield Finding("ok", "follow", text, subject=path)
        return
    kind = file_system(path)
    if kind in NETWORK:
        yield Finding(
            "warning",
            "follow",
            f"it is on a network file system ({kind}), which does not report changes of other "
            "machines; with --follow they are seen once a second",
            "run tailrace where the log is written",
            path,
        )


def notification(paths: Sequence[str]) -> Iterator[Finding]:
    """Report whether the system can report changes of all these files at once."""
    changes = Changes()
    changes.begin()
    if sys.platform != "linux":
        text = "this system does not report changes of files; with --follow they are polled"
        yield Finding("ok", "inotify", text)
        return
    values = {name: _limit(name) for name in ("max_user_watches", "max_user_instances")}
    try:
        if changes.descriptor is None:
            yield Finding(
                "warning",
                "inotify",
                "the system gives this user no other inotify instance; with --follow files are "
                "polled four times a second",
                "raise fs.inotify.max_user_instances with sysctl",
                values=values,
            )
            return
        for path in paths:
            changes.watch_directory(os.path.dirname(os.path.abspath(path)))  # noqa: PTH100, PTH120 - names stay text
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    changes.watch_file(descriptor)
                finally:
                    os.close(descriptor)
        if not changes.complete:
            yield Finding(
                "warning",
                "inotify",
                "the system does not report changes of all these files; with --follow they are "
                "polled four times a second",
                "raise fs.inotify.max_user_watches with sysctl",
                values=values,
            )
            return
    finally:
        changes.close()
    most = values["max_user_watches"]
    limit = "" if most is None else f"; this user can watch {most:,} files and directories"
    text = f"the system reports changes of these files at once{limit}"
    yield Finding("ok", "inotify", text, values=values)


def _limit(name: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/sys/fs/inotify/{name}").read_text())
    return None
