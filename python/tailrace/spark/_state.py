"""
The state of a `WindowMerger` in a directory, which survives a crash at any moment.

A batch is one file, `batch-NUMBER`: the panes that it added, and how far the windows had come after
it. Now and then a file `window-NUMBER` holds all that the windows hold after that batch, and what
is needed only for earlier ones is removed. So writing a batch costs what the batch holds, not what
the windows hold. A file is written under another name, made durable, and then renamed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace._errors import os_reason

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Record", "StateFolder", "packed", "unpacked"]

_MAGIC = b"tailrace"
_VERSION = 1

# The magic, the version, the lengths of the header and of the payload, and the CRC of both.
_START = struct.Struct("<8sBIQI")

# Held while the directory is used; it has the name of the merger that wrote it last.
_LOCK = "lock"

_NAME = re.compile(r"(batch|window)-(\d{8})")

# All that the windows hold is written when the batches since the last time are several times as
# large, or so many that reading them takes long.
_TIMES_AS_LARGE = 4
_LEAST_BYTES = 16 * 1024 * 1024
_MOST_BATCHES = 200


class Record(NamedTuple):
    """What a file holds: a header, and panes or windows."""

    header: dict[str, Any]
    payload: bytes


def packed(record: Record) -> bytes:
    """Return a record as bytes, with a checksum."""
    header = json.dumps(record.header).encode()
    check = zlib.crc32(record.payload, zlib.crc32(header))
    start = _START.pack(_MAGIC, _VERSION, len(header), len(record.payload), check)
    return b"".join((start, header, record.payload))


def unpacked(data: bytes, name: str) -> Record:
    """
    Return the record that bytes hold; *name* is theirs in messages.

    Raises:
        ValueError: They are not a record, or of another version, truncated or changed.
    """
    size = _START.size
    if len(data) < size or not data.startswith(_MAGIC):
        raise ValueError(f"{name}: expected a state of tailrace, found other bytes")
    _, version, of_header, of_payload, check = _START.unpack_from(data)
    if version != _VERSION:
        raise ValueError(
            f"{name}: expected version {_VERSION} of the state, found version {version}; use the "
            "version of tailrace that wrote it"
        )
    if len(data) != size + of_header + of_payload:
        expected = size + of_header + of_payload
        raise ValueError(f"{name}: expected {expected} bytes, found {len(data)}")
    if zlib.crc32(data[size:]) != check:
        raise ValueError(f"{name}: the checksum differs, so the bytes have changed")
    return Record(json.loads(data[size : size + of_header]), data[size + of_header :])


class StateFolder:
    """
    The directory of a state; its batches are numbered from 1.

    Args:
        checkpoint: The directory in which it is created.

    Raises:
        TypeError: It is not a path.
        ValueError: It is empty, or on another file system than the driver's.
    """

    def __init__(self, checkpoint: str | os.PathLike[str]) -> None:
        if not isinstance(checkpoint, str | os.PathLike):
            raise TypeError(
                f"checkpoint: expected the path of a directory, found {checkpoint!r:.80}"
            )
        name = os.fspath(checkpoint)
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"checkpoint: expected the path of a directory, found {name!r:.80}")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", name):
            raise ValueError(
                f"checkpoint: expected a directory of the driver's file system, found {name!r:.200}"
                "; the state is written to a local or mounted directory, without a scheme"
            )
        self.path = Path(name).absolute() / "tailrace-windows"

    @contextmanager
    def locked(self, expected: str | None) -> Iterator[str]:
        """
        Keep others out of the directory meanwhile, and yield the merger that wrote it last.

        Args:
            expected: The one that it has to be; None for the first time.

        Raises:
            OSError: The directory cannot be created or written.
            ValueError: Another merger is in it, or has written it since, or it was removed.
        """
        try:
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True)
                _sync(self.path.parent)
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            found = os.pread(lock, 200, 0).decode("utf-8", "replace")
            is_other = expected is not None and found != expected
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_other, found = True, found or "which has written nothing yet"
            if is_other and not found:
                raise ValueError(
                    f"checkpoint {self.path}: it was removed while a WindowMerger used it; create "
                    "a new one to begin with empty windows"
                )
            if is_other:
                raise ValueError(
                    f"checkpoint {self.path}: another WindowMerger uses it, too ({found}); give "
                    "each one a checkpoint of its own"
                )
            yield found
        finally:
            os.close(lock)

    def take(self, owner: str) -> None:
        """
        Record who writes the directory.

        Raises:
            OSError: The directory cannot be written.
        """
        try:
            (self.path / _LOCK).write_text(owner)
        except OSError as error:
            raise self._unwritable(error) from None

    def newest(self) -> int:
        """Return the number of the last batch, 0 without one."""
        return max(self._numbers("batch"), default=0)

    def read(self, upto: int) -> tuple[Record | None, list[Record]]:
        """
        Return the state after a batch: the windows after an earlier one, and the batches since.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is missing or damaged.
        """
        base = max((one for one in self._numbers("window") if one <= upto), default=0)
        window = self._load("window", base) if base else None
        return window, [self._load("batch", one) for one in range(base + 1, upto + 1)]

    def write(self, number: int, record: Record) -> None:
        """
        Write a batch and make it durable; one of this number is replaced.

        Raises:
            OSError: It cannot be written; nothing has changed.
        """
        try:
            if number in self._numbers("window"):
                # It holds the batch that is replaced.
                self._file("window", number).unlink()
                _sync(self.path)
            self._replace("batch", number, record)
        except OSError as error:
            raise self._unwritable(error) from None

    def is_long(self) -> bool:
        """Return whether reading the batches takes so long that the windows are worth a file."""
        base = max(self._numbers("window"), default=0)
        since = [one for one in self._numbers("batch") if one > base]
        size = sum(self._file("batch", one).stat().st_size for one in since)
        held = self._file("window", base).stat().st_size if base else 0
        return len(since) > _MOST_BATCHES or size > max(held * _TIMES_AS_LARGE, _LEAST_BYTES)

    def write_window(self, number: int, record: Record) -> None:
        """
        Write what the windows hold after a batch.

        Raises:
            OSError: It cannot be written; nothing has changed.
        """
        try:
            self._replace("window", number, record)
        except OSError as error:
            raise self._unwritable(error) from None

    def tidy(self) -> None:
        """Remove what neither the last batch nor the one before it needs."""
        before = self.newest() - 1
        base = max((one for one in self._numbers("window") if one <= before), default=0)
        old = [self._file("window", one) for one in self._numbers("window") if one < base]
        old += [self._file("batch", one) for one in self._numbers("batch") if one <= base]
        for path in [*old, *self.path.glob("*.tmp")]:
            # It is removed next time.
            with suppress(OSError):
                path.unlink()

    def _numbers(self, kind: str) -> list[int]:
        try:
            names = [_NAME.fullmatch(path.name) for path in self.path.iterdir()]
        except FileNotFoundError:
            return []
        return [int(name[2]) for name in names if name and name[1] == kind]

    def _file(self, kind: str, number: int) -> Path:
        return self.path / f"{kind}-{number:08}"

    def _load(self, kind: str, number: int) -> Record:
        path = self._file(kind, number)
        try:
            return unpacked(path.read_bytes(), str(path))
        except FileNotFoundError:
            problem = f"{path}: expected this file of the state, found none"
        except ValueError as error:
            problem = str(error)
        raise ValueError(
            f"{problem}; restore the directory from a copy, or delete it to begin with empty "
            "windows"
        )

    def _replace(self, kind: str, number: int, record: Record) -> None:
        path = self._file(kind, number)
        unfinished = path.with_suffix(".tmp")
        try:
            with open(unfinished, "wb", opener=_private) as file:
                file.write(packed(record))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise
        _sync(self.path)

    def _unwritable(self, error: OSError) -> OSError:
        message = (
            f"the state was not written ({os_reason(error)}), that of the last batch is intact"
        )
        return OSError(error.errno, message, str(error.filename or self.path))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync(folder: Path) -> None:
    """Make the names in a directory durable."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
