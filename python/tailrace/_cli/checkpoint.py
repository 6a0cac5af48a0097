"""The verb that explains the directory of a checkpoint, and checks every byte of it."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tailrace._errors import in_words
from tailrace._names import choice, one_of
from tailrace._terminal.escape import for_json, for_people
from tailrace._terminal.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace._cli.checks.journal import Contents, JournalFile
    from tailrace._cli.parser import Parser

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "act", "add_arguments"]

USAGE = "show|verify [OPTIONS] DIR"

ABOUT = """\
Explain the directory of a checkpoint, or check its bytes.

show prints the query, its sources and how far each file was read, what the window holds, the files,
and what a restart would do. verify reads every frame of every file and compares it with its
checksum. Both also work while a process uses the directory; they change and lock nothing.

The exit code is 0 if the checkpoint is sound, 1 if it is damaged, and 2 if there is none. Bytes
after the last whole round, which a crash may leave, do not count as damage.
"""

EXAMPLES = """\
Examples:
  tailrace checkpoint show /var/lib/tailrace
  tailrace checkpoint verify /var/lib/tailrace
  tailrace checkpoint show --format jsonl /var/lib/tailrace | jq .restart
"""

_ACTIONS = ["show", "verify"]

# Of the member names of `show`, and two spaces.
_LABEL = 11

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A caller's position is shown up to this many bytes.
_MOST_SHOWN = 60


def add_arguments(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", metavar="|".join(_ACTIONS), nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("directory", metavar="DIR", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="text",
        metavar="text|jsonl",
        help="print text, or one JSON object (default: text)",
    )


def act(given: argparse.Namespace) -> Callable[[], int]:
    """Check the arguments and return the function to run."""
    choice(given.format, ["text", "jsonl"], "--format")
    if given.action is None:
        raise ValueError("expected show or verify, found no argument")
    action = one_of(given.action, _ACTIONS, "action")
    if not given.directory:
        found = "no argument" if given.directory is None else "an empty name"
        raise ValueError(f"expected the directory of a checkpoint, found {found}")
    from tailrace._cli.checks.journal import is_journal  # noqa: PLC0415 - after the arguments

    try:
        if not is_journal(given.directory):
            raise ValueError(
                f"{given.directory}: no checkpoint there; a run with --checkpoint creates one"
            )
    except OSError as error:
        raise ValueError(f"{in_words(error)}; give the directory of a checkpoint") from error
    show = _show if action == "show" else _verify
    return partial(show, given.directory, jsonl=given.format == "jsonl")


def _show(directory: str, *, jsonl: bool) -> int:
    from tailrace._cli.checks.journal import contents  # noqa: PLC0415 - loaded by `act`

    found = contents(directory, restores=True)
    text = _line(_described(found)) if jsonl else "".join(map(_printed, _explained(found)))
    write(sys.stdout, text)
    return 1 if found.problems else 0


def _verify(directory: str, *, jsonl: bool) -> int:
    from tailrace._cli.checks.journal import contents  # noqa: PLC0415 - loaded by `act`

    found = contents(directory, restores=False)
    write(sys.stdout, _line(_checked(found)) if jsonl else "".join(map(_printed, _verdict(found))))
    return 1 if found.problems else 0


def _printed(line: str) -> str:
    return f"{for_people(line)}\n"


def _line(value: dict[str, Any]) -> str:
    return for_json(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) + "\n"


def _row(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _explained(found: Contents) -> Iterator[str]:
    """Yield the lines that explain a directory."""
    from tailrace._cli.checks.disk import holder_of  # noqa: PLC0415 - loaded by `act`
    from tailrace._cli.checks.machine import process_name  # noqa: PLC0415 - loaded by `act`
    from tailrace._description import setting_text  # noqa: PLC0415 - as above

    description = dict(found.description)
    kind = description.pop("kind", "query")
    description.pop("version", None)
    writer = description.pop("tailrace", None)
    what = "a tailrace.Window" if kind == "window" else "a query"
    yield _row(
        "checkpoint",
        f"{found.directory}, of {what}" + (f", created by tailrace {writer}" if writer else ""),
    )
    holder = holder_of(found.directory)
    if holder is not None:
        yield _row("in use", f"by process {holder} ({process_name(holder)})")
    settings = [(name, value) for name, value in description.items() if value not in (None, False)]
    for number, (name, value) in enumerate(settings):
        yield _row("" if number else kind, f"{name}: {setting_text(name, value)}")
    for number, (source, log_format) in enumerate(found.sources):
        known = "" if log_format is None else f", format {log_format}"
        yield _row("" if number else "sources", f"{source}{known}")
    for number, at in enumerate(found.positions.shown()):
        rotated = " of a rotated file" if at.status == "rotated" else ""
        yield _row("" if number else "positions", f"{at.path}: byte {at.offset:,}{rotated}")
    if found.batches:
        last = "the last one of each connection, which its sender may send again"
        yield _row("batches", f"{found.batches:,} remembered: {last}")
    if found.position is not None:
        shown = repr(found.position[:_MOST_SHOWN])
        rest = " ..." if len(found.position) > _MOST_SHOWN else ""
        yield _row(
            "position", f"{_count(len(found.position), 'byte')} of the caller: {shown}{rest}"
        )
    yield from _window(found)
    for number, one in enumerate(found.files.values()):
        yield _row("" if number else "files", _file(one))
    yield from _restart(found)
    for warning in found.warnings:
        yield _row("warning", warning)
    for problem in found.problems:
        yield _row("problem", _problem(found, problem.file, problem.byte, problem.text))


def _window(found: Contents) -> Iterator[str]:
    from tailrace._rendering.text import lines_summary  # noqa: PLC0415 - only to show

    window = found.window
    if window is None:
        if found.why_not:
            yield _row("window", f"not known: {found.why_not}")
        return
    yield _row("lines", lines_summary(window.lines))
    if window.newest_us is not None:
        yield _row("times", f"{_time(window.oldest_us)} to {_time(window.newest_us)}")
    if window.watermark_us is not None:
        yield _row("watermark", f"{_time(window.watermark_us)}")
    if window.answered_us is not None:
        yield _row("results", f"for the window that ended {_time(window.answered_us)}")
    yield _row("window", f"{_count(window.events, 'event')}, {_count(window.keys, 'key')}")


def _file(one: JournalFile) -> str:
    from tailrace._cli.checks import amount  # noqa: PLC0415 - loaded by `act`

    parts = [amount(one.size)]
    rounds = one.frames.get("round", 0)
    if rounds and one.rounds is not None:
        first, last = one.rounds
        parts.append(f"round {first:,}" if rounds == 1 else f"rounds {first:,} to {last:,}")
    if "state" in one.frames and one.rounds is not None:
        parts.append(f"a state after round {one.rounds[1]:,}")
    for kind in ("closed", "open"):
        count = one.frames.get(f"{kind} pane", 0)
        if count:
            parts.append(_count(count, f"{kind} pane"))
    if one.pane_bytes:
        parts.append(f"panes of {amount(one.pane_bytes)}")
    if one.unfinished is not None:
        parts.append(_unfinished(one))
    return f"{one.name}  {', '.join(parts)}"


def _unfinished(one: JournalFile) -> str:
    byte, size = one.unfinished or (0, 0)
    if one.name.startswith("state-"):
        return f"{_count(size, 'byte')} from byte {byte:,} on are not finished"
    return (
        f"{_count(size, 'byte')} after the last whole round, from byte {byte:,} on, will be cut "
        "unless they are being written now"
    )


def _restart(found: Contents) -> Iterator[str]:
    from tailrace._cli.checks import amount  # noqa: PLC0415 - loaded by `act`

    if found.problems:
        return
    if found.state is None:
        start = "begins without a state"
    else:
        number, after = found.state
        start = f"reads state-{number:016x}, as of round {after:,}"
    rounds = sum(count for _, count, _ in found.replay)
    size = sum(size for _, _, size in found.replay)
    logs = ", ".join(f"log-{log:016x}" for log, count, _ in found.replay if count)
    replay = (
        f"replays {_count(rounds, 'round')} ({amount(size)}) of {logs}"
        if rounds
        else ("has no round to replay")
    )
    yield _row("restart", f"{start}, {replay}, and goes on after round {found.round:,}")


def _verdict(found: Contents) -> Iterator[str]:
    """Yield the lines that say whether a directory is sound."""
    from tailrace._cli.checks import amount  # noqa: PLC0415 - loaded by `act`

    for problem in found.problems:
        yield f"damaged: {_problem(found, problem.file, problem.byte, problem.text)}"
    for one in found.files.values():
        if one.unfinished is not None:
            yield f"{found.directory}/{one.name}: {_unfinished(one)}; that is not damage"
    for warning in found.warnings:
        yield f"warning: {warning}"
    frames = sum(sum(one.frames.values()) for one in found.files.values())
    size = sum(one.size for one in found.files.values())
    whole = f"{_count(frames, 'whole frame')} in {_count(len(found.files), 'file')}, {amount(size)}"
    verdict = "damaged" if found.problems else "sound"
    yield f"{found.directory}: {verdict}: {whole}"


def _problem(found: Contents, file: str, byte: int | None, text: str) -> str:
    if not file:
        return text
    if file.startswith("log-"):
        meaning = "the lines of this round and of later ones cannot be restored"
    else:
        meaning = "the panes of this state cannot be restored"
    return (
        f"{found.directory}/{file}: byte {byte:,}: {text}; {meaning}: restore the directory from a "
        "backup, or delete it and start with an empty one"
    )


def _described(found: Contents) -> dict[str, Any]:
    """Return what `show` prints for programs."""
    from tailrace._cli.checks.disk import holder_of  # noqa: PLC0415 - loaded by `act`

    window = found.window
    position = found.position
    return {
        **_checked(found),
        "process": holder_of(found.directory),
        "query": found.description,
        "sources": [{"name": name, "format": one} for name, one in found.sources],
        "positions": [
            {"path": at.path, "byte": at.offset, "status": at.status, "inode": at.inode}
            for at in found.positions.shown()
        ],
        "batches": found.batches,
        "position": None if position is None else {"bytes": len(position), "hex": position.hex()},
        "lines": None if window is None else window.lines,
        "oldest": None if window is None else _time(window.oldest_us),
        "newest": None if window is None else _time(window.newest_us),
        "watermark": None if window is None else _time(window.watermark_us),
        "answered": None if window is None else _time(window.answered_us),
        "window": None if window is None else {"events": window.events, "keys": window.keys},
        "restart": {
            "state": None if found.state is None else f"state-{found.state[0]:016x}",
            "rounds": sum(count for _, count, _ in found.replay),
            "bytes": sum(size for _, _, size in found.replay),
            "round": found.round,
        },
    }


def _checked(found: Contents) -> dict[str, Any]:
    """Return what `verify` prints for programs."""
    return {
        "directory": found.directory,
        "sound": not found.problems,
        "problems": [
            {"file": one.file or None, "byte": one.byte, "text": one.text} for one in found.problems
        ],
        "warnings": found.warnings,
        "files": [
            {
                "name": one.name,
                "bytes": one.size,
                "frames": one.frames,
                "rounds": one.rounds,
                "panes": one.panes,
                "pane_bytes": one.pane_bytes,
                "unfinished": None if one.unfinished is None else one.unfinished[1],
            }
            for one in found.files.values()
        ],
    }


def _time(time_us: int | None) -> str | None:
    from tailrace._rendering import iso  # noqa: PLC0415 - only to show

    if time_us is None:
        return None
    try:
        return iso(_EPOCH + timedelta(microseconds=time_us))
    except OverflowError:
        return f"{time_us} us"


def _count(number: int, thing: str) -> str:
    """
    Return a number of things.

    >>> _count(1, "round"), _count(2_000, "round")
    ('1 round', '2,000 rounds')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
