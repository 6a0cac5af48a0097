"""What is installed with the package may be: one list of licences, for crates and for Python."""

import importlib.metadata
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ALLOWED = set(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def required() -> dict[str, bool]:
    """Every package that tailrace or an extra installs here, and whether only an extra does."""
    found: dict[str, bool] = {}
    extras = PROJECT["optional-dependencies"].values()
    todo = [(line, False) for line in PROJECT["dependencies"]]
    todo += [(line, True) for lines in extras for line in lines]
    while todo:
        line, is_extra = todo.pop(0)
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if requirement.name in found:
            continue
        found[requirement.name] = is_extra
        todo += [(more, is_extra) for more in requirements(requirement.name)]
    return found


def requirements(name: str) -> Iterator[str]:
    try:
        yield from importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return


def licence(name: str) -> str:
    """The expression of a package's licence; older packages have it under another heading."""
    metadata = importlib.metadata.metadata(name)
    return metadata.get("License-Expression") or metadata.get("License") or "none"


def is_allowed(expression: str) -> bool:
    assert "(" not in expression, f"read {expression!r} by hand, or teach this function"
    return any(
        all(one in ALLOWED for one in choice.split(" AND ")) for choice in expression.split(" OR ")
    )


@pytest.mark.parametrize(("name", "is_extra"), required().items())
def test_a_python_dependency_has_an_allowed_licence(name: str, is_extra: bool):  # noqa: FBT001
    try:
        expression = licence(name)
    except importlib.metadata.PackageNotFoundError:
        assert is_extra, f"{name} is not installed"
        pytest.skip(f"{name} belongs to an extra that is not installed here")
    assert is_allowed(expression), expression


def test_the_package_itself_has_an_allowed_licence():
    assert is_allowed(PROJECT["license"])


def test_a_licence_that_is_not_on_the_list_is_not_allowed():
    assert is_allowed("MIT OR GPL-3.0-only")
    assert not is_allowed("MIT AND GPL-3.0-only")
    assert not is_allowed("LGPL-3.0-only")
