"""What a checkpoint was written for: the first bytes of its files, and how a query differs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._durations import short
from tailrace._errors import CheckpointError, checkpoint_error

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decoded", "differences", "directory_of", "encoded", "opened", "setting_text"]

# What the bytes mean. It changes whenever an older version of tailrace cannot read them.
_VERSION = 1

# Members that may differ.
_OF_WRITER = {"version", "tailrace"}

# Members that are times in microseconds.
_DURATIONS = {"length", "every", "offset", "lateness"}


def directory_of(checkpoint: str | os.PathLike[str]) -> str:
    """
    Return the path of a checkpoint.

    Raises:
        TypeError: It is not a path.
        ValueError: It is empty, or not the name of a file.
    """
    if not isinstance(checkpoint, str | os.PathLike):
        raise TypeError(f"checkpoint: expected the path of a directory, found {checkpoint!r:.80}")
    path = os.fspath(checkpoint)
    if not isinstance(path, str) or not path or "\0" in path or not _is_encodable(path):
        raise ValueError(f"checkpoint: expected the path of a directory, found {path!r:.80}")
    return path


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def encoded(description: Mapping[str, Any]) -> bytes:
    """Return a description as bytes."""
    values = {"version": _VERSION, "tailrace": _core.__version__, **description}
    return json.dumps(values, separators=(",", ":")).encode()


def decoded(data: bytes) -> dict[str, Any]:
    """
    Return the description that bytes hold.

    Raises:
        ValueError: They have another version, or hold none.
    """
    try:
        found = json.loads(data)
        version = found["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("expected a description of a query, found other bytes") from error
    if version != _VERSION:
        writer = found.get("tailrace", "another version")
        raise ValueError(
            f"expected version {_VERSION} of the description, found {version!r:.20}; use tailrace "
            f"{writer!s:.20}, which wrote it"
        )
    description: dict[str, Any] = found
    return description


def opened(
    directory: str, head: bytes, what: str, instead: str = "use the same settings"
) -> _core.Journal:
    """
    Open the journal of a directory, or create one with this head.

    Raises:
        CheckpointError: It cannot be opened, or belongs to another query or window.
    """
    try:
        journal = _core.Journal(directory, head, random=int.from_bytes(os.urandom(8), "little"))
    except _core.JournalError as error:
        raise checkpoint_error(directory, error) from error
    try:
        changed = differences(decoded(journal.head), decoded(head))
    except ValueError as error:
        journal.close()
        raise checkpoint_error(directory, error) from error
    if changed:
        journal.close()
        raise CheckpointError(
            f"{directory}: the checkpoint belongs to another {what}: {'; '.join(changed)}; "
            f"{instead}, give another directory, or delete this one"
        )
    return journal


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """
    Return how a query differs from the one that a checkpoint was written for.

    Settings that only one of them has depend on one that differs, as a slide does on a window.

    >>> differences({"every": 30_000_000, "by": ["key"]}, {"every": 20_000_000, "by": ["key"]})
    ['every was 30s and is 20s']
    """
    return [
        f"{name} was {setting_text(name, old[name])} and is {setting_text(name, new[name])}"
        for name in old
        if name in new and name not in _OF_WRITER and old[name] != new[name]
    ]


def setting_text(name: str, value: Any) -> str:  # noqa: ANN401 - of any setting
    """
    Return the value of a setting for people.

    >>> setting_text("length", [60_000_000, None]), setting_text("by", ["host", "path"])
    ('1m, all', 'host, path')
    """
    if isinstance(value, list):
        if name == "aggregates":
            return ", ".join(map(_aggregate, value))
        # A length without a limit is one since the start.
        texts = ("all" if each is None else _one(name, each) for each in value)
        return ", ".join(texts) or "nothing"
    return _one(name, value)


def _one(name: str, value: Any) -> str:  # noqa: ANN401 - of any setting
    if value is None:
        return "no limit" if name.startswith("max_") else "not set"
    if name in _DURATIONS and not isinstance(value, str):
        return short(value) if value else "0s"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _aggregate(spec: tuple[str, str, list[str], float, float]) -> str:
    """
    Return an aggregate, as `Aggregate.__str__` does, with its name if that is another one.

    >>> _aggregate(("p99", "quantile", ["size"], 0.99, 0.01))
    "p99=quantile('size', 0.99)"
    """
    name, function, fields, number, _ = spec
    arguments = [repr(field) for field in fields]
    if function == "quantile":
        arguments.append(repr(number))
    elif function == "top_values":
        arguments.append(f"n={number:.0f}")
    call = f"{function}({', '.join(arguments)})"
    return call if name == function else f"{name}={call}"
