"""The directory of a checkpoint: its disk, its permissions, and how fast writes are durable."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tailrace._cli.checks import Finding, amount, duration
from tailrace._cli.checks.machine import process_name, user_name
from tailrace._errors import os_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace._runtime.clock import Clock

__all__ = ["NETWORK", "directory", "file_system", "holder_of"]

NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"}
"""The file systems whose files are on another machine."""

_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_LAYERS = {"overlay", "overlayfs", "aufs"}

# The sizes of the rounds that are measured, how many of each, and for how long at most.
_SIZES = (4 * 1024, 256 * 1024)
_APPENDS = 40
_MEASURED_US = 2_000_000
# An agent waits this long for an answer, and then sends its batch again.
_PATIENCE_S = 20.0

# A commit of more than this is felt: agents send one batch and wait.
_SLOW_US = 100_000
# No disk is faster, unless it acknowledges what it has not written.
_UNREAL_US = 8

# The most that is written here.
_WRITTEN_BYTES = sum(_SIZES) * _APPENDS
# Two logs and two small states.
_LEAST_BYTES = 64 * 1024 * 1024
_LOW_BYTES = 1024 * 1024 * 1024


def directory(path: str, clock: Clock) -> Iterator[Finding]:
    """Report whether a checkpoint can be kept in a directory, which need not exist yet."""
    found = list(_permissions(path))
    yield from found
    if any(finding.level == "problem" for finding in found):
        return
    place = _existing(path)
    yield from _kind(path, place)
    room = os.statvfs(place)
    free = room.f_bavail * room.f_frsize
    yield _free(path, free, room.f_favail if room.f_files else None)
    if free >= 2 * _WRITTEN_BYTES:
        yield from _measured(path, place, clock)


def _existing(path: str) -> str:
    """Return the directory, or the one in which it is to be created."""
    place = Path(path).absolute()
    while not place.exists() and not place.is_symlink():
        place = place.parent
    return str(place)


def _permissions(path: str) -> Iterator[Finding]:
    """Report whether files can be created in the directory, and by whom else."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        yield _to_be_created(path)
        return
    except OSError as error:
        fix = "change the mode of the directories above it, or run as another user"
        yield Finding("problem", "directory", os_reason(error), fix, path)
        return
    if not stat.S_ISDIR(status.st_mode):
        fix = "give a directory of its own for the checkpoint"
        yield Finding("problem", "directory", "it is not a directory", fix, path)
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "problem",
            "directory",
            f"this user, {user_name(os.geteuid())}, cannot write there; it belongs to "
            f"{user_name(status.st_uid)}",
            "run doctor and tailrace as the same user, or change the owner",
            path,
        )
        return
    if status.st_uid != os.geteuid():
        yield Finding(
            "problem",
            "directory",
            f"it belongs to {user_name(status.st_uid)}, not to this user, "
            f"{user_name(os.geteuid())}; tailrace uses only directories of its own user",
            "run doctor and tailrace as that user, or change the owner",
            path,
        )
        return
    yield from _in_use(path)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        yield Finding(
            "problem",
            "directory",
            f"other users can write there (mode {mode:04o}), so tailrace refuses it",
            f"chmod 700 {path}",
            path,
        )
    elif mode & 0o055:
        yield Finding(
            "warning",
            "directory",
            f"other users can see the names of its files (mode {mode:04o})",
            f"chmod 700 {path}",
            path,
        )
    else:
        yield Finding("ok", "directory", "only this user has access", subject=path)


def _to_be_created(path: str) -> Finding:
    parent = _existing(path)
    if Path(parent).is_symlink():
        fix = "create the directory that it points to"
        return Finding("problem", "directory", f"{parent} is a link to nothing", fix, path)
    if not os.access(parent, os.W_OK | os.X_OK):
        return Finding(
            "problem",
            "directory",
            f"it does not exist, and this user, {user_name(os.geteuid())}, cannot create it",
            "create it for this user, with mode 0700",
            path,
        )
    text = "it does not exist yet; the first run creates it, for this user only"
    return Finding("ok", "directory", text, subject=path)


def _in_use(path: str) -> Iterator[Finding]:
    """Report which process has locked the directory. It takes no lock itself."""
    holder = holder_of(path)
    if holder is not None:
        name = process_name(holder)
        text = f"process {holder} ({name}) uses it now; a second one would refuse to start"
        yield Finding("ok", "lock", text, subject=path, values={"process": holder})


def holder_of(path: str) -> int | None:
    """Return the process that has locked a checkpoint, as far as the system shows it."""
    with suppress(OSError, ValueError, IndexError):
        inode = (Path(path) / "lock").stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            columns = line.split()
            if "->" not in columns and columns[5].rpartition(":")[2] == str(inode):
                return int(columns[4])
    return None


def file_system(path: str) -> str | None:
    """Return the kind of the file system that a path is on; None if the system does not show it."""
    real = os.path.realpath(path)
    best: tuple[str, str | None] = ("", None)
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            columns = line.split()
            place = columns[4].encode().decode("unicode_escape")
            inside = real == place or real.startswith(place.rstrip("/") + "/")
            # Of two mounts at one place the later one is seen.
            if inside and len(place) >= len(best[0]):
                best = (place, columns[columns.index("-") + 1])
    return best[1]


def _kind(path: str, place: str) -> Iterator[Finding]:
    kind = file_system(place)
    if kind is None:
        return
    values = {"kind": kind}
    if kind in _MEMORY:
        yield Finding(
            "warning",
            "file-system",
            f"it is in memory ({kind}), so it is not durable: a checkpoint there survives a "
            "killed process, but no restart of the machine",
            "use a directory on a disk",
            path,
            values,
        )
    elif kind in NETWORK:
        yield Finding(
            "warning",
            "file-system",
            f"it is on a network file system ({kind}): its server decides what is durable, and "
            "the lock that keeps a second process out may not work between machines",
            "use a directory on a local disk, or be sure that only one machine uses it",
            path,
            values,
        )
    elif kind in _LAYERS:
        yield Finding(
            "warning",
            "file-system",
            f"it is in the layer of a container ({kind}), which is removed with the container",
            "use a volume",
            path,
            values,
        )
    else:
        yield Finding("ok", "file-system", f"it is on {kind}", subject=path, values=values)


def _free(path: str, free: int, entries: int | None) -> Finding:
    bound = (
        "a checkpoint takes at most: the panes of the window, once each (about 15 bytes for each "
        "key and pane; 90 MB for 300 panes of 20,000 URLs), and two logs, each of 16 MiB or twice "
        "the open panes; a log grows by events per second * 5 to 20 bytes, and is replaced then"
    )
    values = {"free": free}
    what = f"{amount(free)} are free; {bound}"
    if entries == 0:
        fix = "delete files there; the file system has no room for the names of new ones"
        return Finding("problem", "space", "no other file can be created", fix, path, values)
    fix = "free space there, or use another disk; on a full disk batches are refused until then"
    if free < _LEAST_BYTES:
        return Finding("problem", "space", f"only {what}", fix, path, values)
    if free < _LOW_BYTES:
        return Finding("warning", "space", f"only {what}", fix, path, values)
    return Finding("ok", "space", what, subject=path, values=values)


class _Measurement(Thread):
    """Appends to a file as a commit does, and measures how long each append takes."""

    def __init__(self, place: str, clock: Clock) -> None:
        super().__init__(daemon=True)
        self.times_us: dict[int, list[int]] = {size: [] for size in _SIZES}
        self.problem: OSError | None = None
        self._place = place
        self._clock = clock

    def run(self) -> None:
        """Measure each size."""
        try:
            self._measure()
        except OSError as error:
            self.problem = error

    def _measure(self) -> None:
        name = Path(self._place) / f"doctor-{os.getpid()}"
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Removed now, so that nothing stays, however this process ends.
            name.unlink()
            for size, times in self.times_us.items():
                # Not zeros, which a disk may leave out.
                data = os.urandom(size)
                until = self._clock.steady_us() + _MEASURED_US
                while len(times) < _APPENDS and self._clock.steady_us() < until:
                    begun = self._clock.steady_us()
                    _write(descriptor, data)
                    _sync(descriptor)
                    times.append(self._clock.steady_us() - begun)
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


# Not every system has `fdatasync`.
_sync = getattr(os, "fdatasync", os.fsync)


def _measured(path: str, place: str, clock: Clock) -> Iterator[Finding]:
    measurement = _Measurement(place, clock)
    measurement.start()
    measurement.join(_PATIENCE_S)
    if measurement.is_alive():
        yield Finding(
            "problem",
            "fsync",
            f"an append is not durable after {_PATIENCE_S:.0f} s; agents wait no longer than that, "
            "and send their batches again",
            "use another disk, and look for its errors in the log of the system",
            path,
        )
        return
    if measurement.problem is not None:
        reason = os_reason(measurement.problem)
        fix = "free space, or use another directory or disk"
        yield Finding("problem", "fsync", f"a file cannot be written: {reason}", fix, path)
        return
    for size, times in measurement.times_us.items():
        yield _speed(path, size, sorted(times))


def _speed(path: str, size: int, times_us: list[int]) -> Finding:
    count = len(times_us)
    half, most = times_us[count // 2], times_us[min(count * 99 // 100, count - 1)]
    values = {"bytes": size, "appends": count, "p50_us": half, "p99_us": most}
    text = (
        f"{size // 1024} kB are durable after {duration(half)} (p50) and {duration(most)} (p99, of "
        f"{count} appends)"
    )
    rate = 1e6 / max(half, 1)
    text += f"; an agent gets about {rate:,.0f} answers a second, one for each batch"
    if most > _SLOW_US:
        fix = "use a faster disk, or larger batches in the agents"
        return Finding("warning", "fsync", text, fix, path, values)
    if half < _UNREAL_US:
        return Finding(
            "warning",
            "fsync",
            f"{text}; no disk is that fast, so writes are probably acknowledged before they are "
            "durable: a power cut can lose them",
            "use a disk that writes when it is requested to (no eatmydata, no cache=unsafe)",
            path,
            values,
        )
    return Finding("ok", "fsync", text, "", path, values)
