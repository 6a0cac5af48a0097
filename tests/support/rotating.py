"""
A process for tests that writes numbered lines at full speed and rotates its own log.

rotating.py KIND DIRECTORY ROUNDS. Its last output is the number of lines written.
A kind whose lines must be read before it continues prints that number and waits for an empty line.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import time
from pathlib import Path

# A round takes several reads, and fifty rounds take seconds.
ROUND_LINES = 4_000


class Writer:
    """A writer that rotates its log."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "access.log"
        self.number = 0
        self.out = self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, lines: int, out: int | None = None) -> None:
        """Write lines, a few at a time, and split some of them between two writes."""
        target = self.out if out is None else out
        for start in range(self.number, self.number + lines, 20):
            end = min(start + 20, self.number + lines)
            data = b"".join(b"line %09d of a log that is rotated\n" % n for n in range(start, end))
            os.write(target, data[:-15])
            os.write(target, data[-15:])
        self.number += lines

    def reopen(self) -> None:
        os.close(self.out)
        self.out = self._open()

    def shift(self, last: int = 60) -> None:
        """Increase the numbers of the rotated files, as logrotate does."""
        for ending in ("", ".gz"):
            for n in range(last, 0, -1):
                old = Path(f"{self.path}.{n}{ending}")
                if old.exists():
                    old.replace(f"{self.path}.{n + 1}{ending}")

    def wait_for_reader(self) -> None:
        print(self.number, flush=True)  # noqa: T201 - its request
        sys.stdin.readline()

    def compress(self, n: int) -> None:
        plain = Path(f"{self.path}.{n}")
        with plain.open("rb") as source, gzip.open(f"{plain}.gz", "wb", compresslevel=1) as out:
            shutil.copyfileobj(source, out)
        plain.unlink()

    # The kinds.

    def rename(self, _round: int) -> None:
        self.shift()
        self.path.rename(f"{self.path}.1")
        self.reopen()

    def lagging(self, _round: int) -> None:
        """Keep writing to the old file, as a server does until it gets a signal."""
        self.shift()
        self.path.rename(f"{self.path}.1")
        # The rotation program creates the new file.
        os.close(self._open())
        self.write(500)
        time.sleep(0.01)
        self.write(500)
        self.reopen()

    def dated(self, number: int) -> None:
        self.path.rename(f"{self.path}-2026{number // 28 + 1:02}{number % 28 + 1:02}")
        self.reopen()

    def renamed_and_compressed(self, _round: int) -> None:
        self.shift()
        self.path.rename(f"{self.path}.1")
        self.reopen()
        self.write(300)
        self.compress(1)

    def copytruncate(self, _round: int) -> None:
        self.shift()
        shutil.copyfile(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)

    def copied_early(self, _round: int) -> None:
        """Write between the copy and the truncation."""
        self.shift()
        shutil.copyfile(self.path, f"{self.path}.1")
        self.write(300)
        self.wait_for_reader()
        os.truncate(self.path, 0)

    def copied_early_and_compressed(self, number: int) -> None:
        self.copied_early(number)
        self.write(300)
        self.compress(1)

    def compressed_early(self, _round: int) -> None:
        """Keep writing to the old file while it is being compressed."""
        self.shift()
        self.path.rename(f"{self.path}.1")
        os.close(self._open())
        packed = gzip.compress(Path(f"{self.path}.1").read_bytes(), 1)
        self.write(300)
        self.wait_for_reader()
        Path(f"{self.path}.1.gz").write_bytes(packed)
        Path(f"{self.path}.1").unlink()
        self.reopen()

    def copied_over(self, _round: int) -> None:
        """Copy to the same file each time, and compress nothing."""
        shutil.copyfile(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)
        # An overwritten copy is lost, so leave it long enough for one or two checks.
        time.sleep(0.15)

    def copytruncate_and_compressed(self, _round: int) -> None:
        self.shift()
        shutil.copyfile(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)
        self.write(300)
        self.compress(1)


def main() -> None:
    kind, directory, rounds = sys.argv[1:]
    writer = Writer(Path(directory))
    for number in range(int(rounds)):
        writer.write(ROUND_LINES)
        getattr(writer, kind)(number)
    writer.write(ROUND_LINES)
    print(writer.number)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
