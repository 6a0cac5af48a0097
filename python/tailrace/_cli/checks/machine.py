"""Versions, the clock and open files."""

from __future__ import annotations

import os
import platform
import resource
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import tailrace as tr
from tailrace._cli.checks import Finding
from tailrace._runtime.clock import resolutions_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._runtime.clock import Clock

__all__ = ["clock", "descriptors", "versions", "zones"]

# The packages of each extra, and what it is for.
_EXTRAS = {
    "agents": (("ua-parser", "crawler-user-agents"), "agent:family and agent:bot"),
    "arrow": (("pyarrow",), "parse --format arrow or parquet"),
    "pandas": (("pandas", "pyarrow"), "to_pandas()"),
    "polars": (("polars",), "to_polars()"),
    "spark": (("pyarrow",), "tailrace.spark"),
    "zst": (("backports.zstd",), "files compressed with zstd"),
}

# From this version on, zstd is in the standard library.
_ZSTD = (3, 14)

_DAY_US = 86_400_000_000
# A coarser clock cannot order the lines of a second.
_COARSE_NS = 20_000_000


def versions() -> Iterator[Finding]:
    """Report the versions of what runs, and which extras are installed."""
    python = f"Python {platform.python_version()}"
    text = f"tailrace {tr.__version__}, {python}, {platform.system()} {platform.release()}"
    yield Finding(
        "ok",
        "versions",
        f"{text}, {platform.machine()}",
        values={"tailrace": tr.__version__, "python": platform.python_version()},
    )
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    for extra, (packages, purpose) in _EXTRAS.items():
        if extra == "zst" and sys.version_info >= _ZSTD:
            continue
        try:
            found[extra] = ", ".join(f"{name} {version(name)}" for name in packages)
        except PackageNotFoundError:
            missing[extra] = purpose
    installed = "; ".join(f"{extra} ({packages})" for extra, packages in found.items()) or "none"
    text = f"extras that are installed: {installed}"
    fix = ""
    if missing:
        listed = "; ".join(f"{extra} for {purpose}" for extra, purpose in missing.items())
        fix = f"only if you need them: pip install 'tailrace[EXTRA]': {listed}"
    values = {"installed": list(found), "missing": list(missing)}
    yield Finding("ok", "extras", text, fix, values=values)


def clock(running: Clock, reports: list[str]) -> Iterator[Finding]:
    """Report steps of a clock that has been running for a while, and how it is kept."""
    running.check()
    if reports:
        yield Finding(
            "warning",
            "clock-steps",
            f"while doctor ran, {'; '.join(reports)}; by arrival, windows follow the clock",
            "let a time service slew the clock instead of setting it",
        )
    wall, steady = resolutions_ns()
    values = {"wall_ns": wall, "monotonic_ns": steady}
    if max(wall, steady) > _COARSE_NS:
        yield Finding(
            "warning",
            "clock",
            f"the clock has a resolution of {max(wall, steady) / 1e6:.0f} ms; results can be that "
            "much later than their end",
            "select another clock source of the system",
            values=values,
        )
    elif not reports:
        yield Finding(
            "ok",
            "clock",
            f"the clock did not jump while doctor ran, and has a resolution of {wall} ns "
            f"(monotonic: {steady} ns)",
            values=values,
        )
    with suppress(OSError):
        installed_us = int(Path(tr.__file__).stat().st_mtime * 1e6)
        if running.now_us() < installed_us - _DAY_US:
            yield Finding(
                "warning",
                "clock-date",
                "the clock shows a time before tailrace was installed, so it is probably wrong; "
                "lines with correct times are rejected as future",
                "set the clock",
            )
    yield _synchronized()


# Of `struct timex` and `adjtimex` on 64-bit Linux.
_TIMEX_BYTES = 512
_STATUS_AT = 40
_UNSYNCHRONIZED = 0x40


def _synchronized() -> Finding:
    """Report whether the kernel's clock is synchronized with others."""
    status = _kernel_status()
    if status is None:
        return Finding(
            "ok",
            "clock-sync",
            "this system does not show whether its clock is synchronized with others; by arrival, "
            "windows are as wrong as the clock",
        )
    if status & _UNSYNCHRONIZED:
        return Finding(
            "warning",
            "clock-sync",
            "the kernel reports that no time service synchronizes the clock; by arrival, windows "
            "are as wrong as the clock, and by header or log time lines of machines ahead by more "
            "than an hour are rejected as future",
            "run a time service, such as chrony or systemd-timesyncd, here or on the host of this "
            "virtual machine",
            values={"synchronized": False},
        )
    text = "the kernel reports that a time service synchronizes the clock"
    return Finding("ok", "clock-sync", text, values={"synchronized": True})


def _kernel_status() -> int | None:
    """Return the status of the kernel's clock; None where it cannot be read."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    import ctypes  # noqa: PLC0415 - only here

    state = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        # It reads if the buffer is zero, and needs no privileges for that.
        result = ctypes.CDLL(None).adjtimex(state)
    except (OSError, AttributeError):
        return None
    if result < 0:
        return None
    return int.from_bytes(state.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder)


def zones() -> Finding:
    """Report whether there are data of time zones."""
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - loaded only with a zone

    try:
        ZoneInfo("Europe/Berlin")
    except (OSError, ValueError, KeyError):
        return Finding(
            "warning",
            "zones",
            "there are no data of time zones; --tz takes only offsets, such as +02:00",
            "install the system's package tzdata, or: pip install tzdata",
        )
    count = len(available_timezones())
    text = f"there are data of {count} time zones, for --tz"
    return Finding("ok", "zones", text, values={"zones": count})


def descriptors(connections: int, *, listens: bool) -> Finding:
    """Report for how many connections and files there are descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    shown = [("unlimited" if one == unlimited else f"{one:,}") for one in (soft, hard)]
    text = f"the limit on open files is {shown[0]}, and tailrace raises it up to {shown[1]}"
    values: dict[str, int | None] = {
        "soft": None if soft == unlimited else soft,
        "hard": None if hard == unlimited else hard,
    }
    if not listens:
        return Finding("ok", "descriptors", text, values=values)
    from tailrace._sources.flume_listener import descriptors_for  # noqa: PLC0415 - loads asyncio

    room = descriptors_for(connections)
    values["connections"] = room
    if room < connections:
        return Finding(
            "warning",
            "descriptors",
            f"{text}; that is enough for {room:,} connections of agents, not for {connections:,}; "
            "beyond that the connection that has been silent longest is closed",
            "raise the hard limit: ulimit -Hn, LimitNOFILE= of systemd, or --ulimit nofile= of a "
            "container",
            values=values,
        )
    text += f"; that is enough for {connections:,} connections of agents"
    return Finding("ok", "descriptors", text, values=values)


def user_name(number: int) -> str:
    """Return the name of a user, or the number if it has none."""
    import pwd  # noqa: PLC0415 - only for a problem

    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def process_name(number: int) -> str:
    """Return the command of a process, as far as the system shows it."""
    with suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        text = " ".join(os.fsdecode(word) for word in words[:4] if word)
        if text:
            return f"{text:.60}"
    return "unknown"
