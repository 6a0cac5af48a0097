"""A log with a writer and every kind of rotation, and a follower that looks in between."""

import gzip
import os
import shutil
from pathlib import Path

from tailrace._sources.changes import Changes
from tailrace._sources.rotation import QUIET_S, FollowedLog

OPERATIONS = (
    "append",
    "append",
    "append much",
    "append half",
    "look",
    "look",
    "step",
    "rename",
    "rename only",
    "copytruncate",
    "gzip",
    "copytruncate and gzip",
    "copy, then truncate",
    "copy, write, then truncate",
    "gzip what is written to",
    "write to the old one",
    "remove the oldest",
    "wait",
)


class World:
    """A log with its writer, its rotation and its follower."""

    def __init__(self, directory: Path, *, header: int) -> None:
        self.path = directory / "access.log"
        self.header = b"".join(b"# a comment that is in each file, %d\n" % n for n in range(header))
        self.written: list[bytes] = []
        self.got: list[bytes] = []
        self.number = 0
        # The unfinished line of each file that is written to.
        self.begun: dict[int, bytes] = {}
        self.out: int | None = None
        self.old: int | None = None
        self.names: list[FollowedLog] = []
        self.name = FollowedLog(str(self.path), 0, Changes(), self.names)
        self.names.append(self.name)
        self.name.start(from_end=False)
        self.steps = self.name.steps()
        self.copies = 0
        self.removed = False

    # The writer.

    def write(self, count: int, out: int, *, half: bool = False) -> None:
        for _ in range(count):
            line = b"line %d is one of this log" % self.number
            self.number += 1
            text = self.begun.pop(out, b"") + line
            self.written.append(text)
            os.write(out, line + b"\n")
        if half and out not in self.begun:
            self.begun[out] = b"begun %d, " % self.number
            os.write(out, self.begun[out])

    def opened(self) -> int:
        if self.out is None:
            fresh = not self.path.exists() or not self.path.stat().st_size
            self.out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            if fresh and self.header:
                os.write(self.out, self.header)
                self.written += self.header.splitlines()
        return self.out

    def leave(self, out: int) -> None:
        """Close a file: its unfinished line ends there."""
        if begun := self.begun.pop(out, None):
            self.written.append(begun)
        os.close(out)

    # The rotation.

    def shift(self) -> bool:
        if not self.path.exists():
            return False
        for n in range(60, 0, -1):
            for ending in ("", ".gz"):
                old = Path(f"{self.path}.{n}{ending}")
                if old.exists():
                    old.replace(f"{self.path}.{n + 1}{ending}")
        return True

    def rename(self) -> None:
        if self.shift():
            self.path.replace(f"{self.path}.1")
            if self.out is not None:
                if self.old is not None:
                    self.leave(self.old)
                self.old, self.out = self.out, None

    def copy(self) -> bool:
        # A copy with an unfinished line has its first half, and the truncated file nothing.
        if self.out is None or not self.shift():
            return False
        shutil.copyfile(self.path, f"{self.path}.1")
        return True

    def truncate(self) -> None:
        assert self.out is not None
        os.ftruncate(self.out, 0)
        if begun := self.begun.pop(self.out, None):
            self.written.append(begun)
        if self.header:
            os.write(self.out, self.header)
            self.written += self.header.splitlines()

    def compress(self) -> None:
        for n in range(60, 0, -1):
            plain = Path(f"{self.path}.{n}")
            if plain.exists() and not self.is_open(plain):
                with plain.open("rb") as source, gzip.open(f"{plain}.gz", "wb", 1) as out:
                    shutil.copyfileobj(source, out, 50)
                status = plain.stat()
                os.utime(f"{plain}.gz", ns=(status.st_atime_ns, status.st_mtime_ns))
                plain.unlink()

    def compress_late(self) -> None:
        """Compress the old file while it is written to; only that file has the last lines."""
        for n in range(60, 0, -1):
            plain = Path(f"{self.path}.{n}")
            if plain.exists() and self.old is not None and self.is_open(plain):
                packed = gzip.compress(plain.read_bytes(), 1)
                self.write(2, self.old)
                self.look_whole()
                Path(f"{plain}.gz").write_bytes(packed)
                plain.unlink()

    def is_open(self, path: Path) -> bool:
        ident = path.stat().st_ino
        return self.old is not None and os.fstat(self.old).st_ino == ident

    # The follower.

    def look(self, most: int = 10**9) -> None:
        for _ in range(most):
            chunks = next(self.steps)
            if chunks is None:
                break
            for chunk in chunks:
                start, end = chunk.span
                self.got += chunk.data[start:end].splitlines()

    def look_whole(self) -> None:
        """Finish the current check, and do a complete one."""
        self.look()
        self.name._examine_at = 0.0
        self.look()

    def comments(self) -> list[bytes]:
        return self.header.splitlines()

    def lines(self) -> list[bytes]:
        """Return the lines that were read, without comments."""
        return [line for line in self.got if line not in self.comments()]

    def do(self, operation: str) -> None:  # noqa: C901, PLR0912, PLR0915 - one branch each
        match operation:
            case "append":
                self.write(3, self.opened())
            case "append much":
                self.write(120, self.opened())
            case "append half":
                self.write(1, self.opened(), half=True)
            case "look":
                self.look()
            case "step":
                self.look(1)
            case "rename":
                self.rename()
                self.opened()
            case "rename only":
                self.rename()
            case "copytruncate":
                if self.copy():
                    self.truncate()
            case "copy, then truncate":
                if self.copy():
                    self.look(2)
                    self.truncate()
            case "copytruncate and gzip":
                if self.copy():
                    self.truncate()
                    self.compress()
            case "copy, write, then truncate":
                if self.copy():
                    self.write(2, self.opened())
                    self.look_whole()
                    self.truncate()
            case "gzip what is written to":
                self.look_whole()
                self.compress_late()
            case "gzip":
                self.compress()
            case "write to the old one":
                if self.old is not None:
                    self.write(2, self.old)
            case "remove the oldest":
                # It was read to its end, so nothing is lost.
                self.look_whole()
                for n in range(61, 0, -1):
                    path = Path(f"{self.path}.{n}.gz")
                    if path.exists():
                        path.unlink()
                        break
            case "wait":
                # Long enough for old files to be closed, so their writers must be finished.
                if self.old is not None:
                    self.leave(self.old)
                    self.old = None
                self.look()
                self.name.now += QUIET_S + 1
                self.look()

    def end(self) -> None:
        """Finish the writers and the follower."""
        self.write(1, self.opened())
        if self.old is not None:
            self.leave(self.old)
        assert self.out is not None
        self.write(1, self.out)
        os.close(self.out)
        for _ in range(3):
            self.name.now += QUIET_S + 1
            self.look()
        self.steps.close()
        self.name.close()
