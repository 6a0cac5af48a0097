"""The rules that keep the architecture one way, as far as neither rustc nor clippy sees to it."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "tailrace"

# The bindings convert, detach, call, convert. Policy would make them longer than this.
BINDINGS_LINES = 2_200


def imported(source: str) -> set[str]:
    """Every module that a source imports, by its full name."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def forbidden(source: str, words: set[str]) -> set[str]:
    """What a source imports that has one of these words as a part of its name."""
    return {name for name in imported(source) if words & set(name.split("."))}


def manifest(path: str) -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / path / "Cargo.toml").read_text())


def test_the_import_check_sees_every_form():
    source = "import socket\nfrom asyncio import run\ndef f():\n    from tailrace import _core\n"
    assert forbidden(source, {"socket", "asyncio", "_core"}) == {
        "socket",
        "asyncio.run",
        "tailrace._core",
    }
    assert forbidden("import sockets.x\nfrom a import b", {"socket", "_core"}) == set()


def test_the_protocol_knows_no_socket_no_clock_and_no_core():
    files = list((PACKAGE / "_flume").glob("*.py"))
    assert len(files) > 1
    for file in files:
        found = forbidden(file.read_text(), {"asyncio", "socket", "select", "time", "_core"})
        assert not found, f"{file}: {found}"


def test_only_the_driver_reads_the_clock():
    for file in PACKAGE.rglob("*.py"):
        if file.name != "driver.py":
            assert not forbidden(file.read_text(), {"time"}), file


def test_outputs_know_no_source_and_sources_no_output():
    for place, words in {
        "outputs": {"sources", "driver", "cli"},
        "sources": {"outputs", "cli"},
    }.items():
        for file in (PACKAGE / place).glob("*.py"):
            assert not forbidden(file.read_text(), words), file


def test_the_core_depends_on_no_python_and_no_other_crate_of_ours():
    core = manifest("rust/core")
    assert set(core["dependencies"]) == {"foldhash", "hashbrown", "memchr", "wide"}
    assert not {name for name in core["dev-dependencies"] if "pyo3" in name or "tailrace" in name}


def test_every_crate_takes_the_lints_of_the_workspace_where_unsafe_is_forbidden():
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    assert workspace["lints"]["rust"]["unsafe_code"] == "forbid"
    for member in workspace["members"]:
        assert manifest(member)["lints"] == {"workspace": True}


def test_the_bindings_stay_small():
    files = list((ROOT / "rust" / "python" / "src").glob("*.rs"))
    lines = sum(len(file.read_text().splitlines()) for file in files)
    assert 0 < lines < BINDINGS_LINES
