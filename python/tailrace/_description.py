"""What a checkpoint was written for: the first bytes of its files, and how a query differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tailrace import _core
from tailrace._durations import short

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decoded", "differences", "encoded", "setting_text"]

# What the bytes mean. It changes whenever an older version of tailrace cannot read them.
_VERSION = 1

# Members that may differ.
_OF_WRITER = {"version", "tailrace"}

# Members that are times in microseconds.
_DURATIONS = {"length", "every", "offset", "lateness"}


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


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """
    Return how a query differs from the one that a checkpoint was written for.

    >>> differences({"every": 30_000_000, "by": ["key"]}, {"every": 20_000_000, "by": ["key"]})
    ['every was 30s and is 20s']
    """
    names = dict.fromkeys([*old, *new])
    return [
        f"{name} was {setting_text(name, old.get(name))} and is {setting_text(name, new.get(name))}"
        for name in names
        if name not in _OF_WRITER and old.get(name) != new.get(name)
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
        return ", ".join(_one(name, each) for each in value) or "nothing"
    return _one(name, value)


def _one(name: str, value: Any) -> str:  # noqa: ANN401 - of any setting
    if name in _DURATIONS and not isinstance(value, str):
        return "all" if value is None else short(value) if value else "0s"
    if value is None:
        return "no limit" if name.startswith("max_") else "not set"
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
