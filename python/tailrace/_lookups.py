"""
Data for fields that are looked up: `host:country`, `agent:family` and `agent:bot`.

The core looks values up in bytes and patterns; here they are loaded. Countries come from a file of
the user's, patterns from packages that the extra `agents` installs.
"""

from __future__ import annotations

import os
import stat
from functools import cache
from typing import TYPE_CHECKING, Any, final

from tailrace import _core
from tailrace._names import AUTO, DETECTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Countries", "arguments_for", "check_lookups", "countries", "data_for"]


@final
class Countries:
    """A database of countries. A copy shares it; unpickling reads the file again."""

    __slots__ = ("lookups", "path")

    def __init__(self, path: str, lookups: _core.Lookups) -> None:
        self.path, self.lookups = path, lookups

    def __copy__(self) -> Countries:
        return self

    def __deepcopy__(self, memo: object) -> Countries:
        return self

    def __reduce__(self) -> tuple[Callable[[str], Countries], tuple[str]]:
        return countries, (self.path,)


def countries(path: str | os.PathLike[str] | Countries) -> Countries:
    """
    Load a MaxMind DB file of countries, or return one that is loaded.

    Raises:
        OSError: The file cannot be read.
        TypeError: It is not a path.
        ValueError: It is no such file.
    """
    if isinstance(path, Countries):
        return path
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(name, str):
        raise TypeError(f"geoip: expected a path as str or Path, found {name!r:.80}")
    # A pipe or a device might never end.
    if not stat.S_ISREG(os.stat(name).st_mode) and not os.path.isdir(name):  # noqa: PTH112, PTH116 - names stay text
        raise ValueError(f"geoip: {name}: expected a MaxMind DB file, found no regular file")
    with open(name, "rb") as file:  # noqa: PTH123 - as above
        data = file.read()
    try:
        return Countries(name, _core.Lookups(countries=data))
    except ValueError as error:
        raise ValueError(f"geoip: {name}: {error}") from None


def check_lookups(names: Iterable[str], log_format: str, geoip: Countries | None) -> None:
    """
    Check that there are data for fields that are looked up.

    Raises:
        ImportError: The packages with the patterns of agents are not installed.
        ValueError: There is no database of countries.
    """
    for name in names:
        for kind in _kinds([name], log_format):
            if kind != "country":
                _patterns(name)
            elif geoip is None:
                raise ValueError(
                    f"geoip: expected a MaxMind DB file, such as GeoLite2-Country.mmdb, for the "
                    f"field {name!r}, found none"
                )


def data_for(names: Sequence[str], log_format: str, geoip: Countries | None) -> list[_core.Lookups]:
    """Return the data in which these fields are looked up."""
    kinds = sorted(_kinds(names, log_format))
    agents = [_agents(kind) for kind in kinds if kind != "country"]
    return agents if geoip is None else [geoip.lookups, *agents]


def arguments_for(
    names: Sequence[str], log_format: str, geoip: Countries | None
) -> list[dict[str, Any]]:
    """
    Return the data of `data_for` as the arguments of `_core.Lookups`, to send to other processes.

    Raises:
        OSError: The database of countries can no longer be read.
    """
    kinds = sorted(_kinds(names, log_format))
    agents = [_arguments(kind) for kind in kinds if kind != "country"]
    if "country" not in kinds or geoip is None:
        return agents
    with open(geoip.path, "rb") as file:  # noqa: PTH123 - as above
        return [{"countries": file.read()}, *agents]


def _kinds(names: Iterable[str], log_format: str) -> set[str]:
    """Return what these fields are looked up in: `country`, `family`, `bot`."""
    formats = DETECTED if log_format == AUTO else [log_format]
    found = {_core.lookup_of(one, name) for name in names if ":" in name for one in formats}
    return {kind for kind in found if kind is not None}


@cache
def _agents(kind: str) -> _core.Lookups:
    """Compile the patterns of families or of bots, once for each process."""
    return _core.Lookups(**_arguments(kind))


def _arguments(kind: str) -> dict[str, Any]:
    (agents, _, devices), crawlers = _patterns(kind)
    if kind == "family":
        return {"families": [(one.regex, one.family) for one in agents]}
    spiders = [(one.regex, one.regex_flag == "i", one.family) for one in devices]
    return {"bots": (spiders, [one["pattern"] for one in crawlers])}


def _patterns(name: str) -> tuple[Any, Any]:
    """Return the patterns of ua-parser and those of crawler-user-agents, for a field."""
    try:
        from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415 - an extra's
        from ua_parser_builtins.lazy import MATCHERS  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ImportError(
            f"{name}: needs ua-parser and crawler-user-agents: pip install 'tailrace[agents]'",
            name=error.name,
        ) from None
    return MATCHERS, CRAWLER_USER_AGENTS_DATA
