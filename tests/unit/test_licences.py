"""What is installed with the package may be: one list of licences, for crates and for Python."""

import hashlib
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


# From "Permission is hereby granted" to the end, without the copyright lines before it.
MIT_SHA256 = "fe2a9817987f862eaced948f0468c7f51d2fedfc48c5c505b246a49a3870e9a5"


def licence(name: str) -> str:
    """
    The expression of a package's licence.

    Older packages have it under another heading. polars has the text of the licence there, and its
    runtime only the file.
    """
    metadata = importlib.metadata.metadata(name)
    stated = metadata.get("License-Expression") or metadata.get("License")
    if stated and "\n" not in stated:
        # As ua-parser-builtins writes it.
        return {"Apache 2.0": "Apache-2.0"}.get(stated, stated)
    texts = [stated] if stated else licence_files(name)
    return " AND ".join(map(name_of, texts)) or "none"


def licence_files(name: str) -> list[str]:
    files = importlib.metadata.files(name) or []
    return [
        file.read_text() for file in files if "licenses" in file.parts and "sboms" not in file.parts
    ]


def name_of(text: str) -> str:
    """The name of a licence, given all of its text; nothing may be added to it or left out."""
    copyrights, permission, rest = text.partition("Permission is hereby granted")
    titles = {"", "MIT License", "The MIT License (MIT)"}
    lines = [line for line in copyrights.splitlines() if line not in titles]
    words = " ".join((permission + rest).split())
    is_mit = hashlib.sha256(words.encode()).hexdigest() == MIT_SHA256
    return "MIT" if is_mit and all(line.startswith("Copyright (c) ") for line in lines) else "other"


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


def test_a_text_is_a_licence_only_if_nothing_is_changed_in_it():
    (text,) = licence_files("polars-runtime-32")
    assert name_of(text) == "MIT"
    assert name_of(text + "The Software shall be used for Good, not Evil.\n") == "other"
    assert name_of(text.replace("sublicense, ", "")) == "other"
    assert name_of("Free for personal use.\n" + text) == "other"
    assert name_of("") == "other"
