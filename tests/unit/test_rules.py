"""Rules of the architecture that neither rustc nor clippy enforces."""

import ast
import io
import re
import tokenize
import tomllib
from graphlib import CycleError, TopologicalSorter

import pytest
from places import ROOT

PACKAGE = ROOT / "python" / "tailrace"
CORE = ROOT / "rust" / "core" / "src"

# The bindings convert, detach, call and convert. With policy they would be longer than this.
BINDINGS_LINES = 2_900

# Lines of code, without comments and tests. A longer file has more than one purpose.
FILE_LINES = 600
CLASS_LINES = 350
# At most three, each with its reason.
EXCEPTIONS: dict[str, str] = {}


# What each part of the core may name besides itself, tests included. The files that join the parts
# are next to them.
WINGS: dict[str, set[str]] = {"ground": set(), "text": {"ground"}, "windows": {"ground"}}
JOINTS = {"lib.rs", "query.rs", "engine.rs", "engine"}

RUST_WITHOUT_PATHS = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | b?r(\#*)".*?"\1 | b?"(?:\\.|[^"\\])*" | b?'(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
RUST_PATH = re.compile(r"\bmod\s+(?P<module>\w+)\s*\{|[{}]|\b(?:crate|self|super)(?=\s*::)")
# Syntax that gives a module a second name, or includes one from elsewhere.
RUST_DETOUR = re.compile(r"\b(?:crate|super)\s+as\b|\bextern\s+crate\b|#\[\s*path\b|\binclude\s*!")
# Files of the core that contain only tests.
RUST_TESTS = {"tests", "naive", "against", "testing", "harness"}

Module = tuple[str, ...]


def imported(source: str) -> set[str]:
    """Return the full names of the modules that a source imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def forbidden(source: str, words: set[str]) -> set[str]:
    """Return the imports of a source with one of these words as a part of the name."""
    return {name for name in imported(source) if words & set(name.split("."))}


def named(source: str, file: Module, *, inner_modules: bool = True) -> set[Module]:
    """Return the paths in a Rust source that start at the crate or a module, from the crate on."""
    source = RUST_WITHOUT_PATHS.sub(" ", source)
    paths = set()
    inner: list[str] = []
    at = 0
    while found := RUST_PATH.search(source, at):
        at = found.end()
        if found[0] == "}":
            inner.pop()
        elif found[0].endswith("{"):
            inner.append(found["module"] or "")
        else:
            some, at = branches(source, found.start())
            module = (*file, *filter(None, inner))
            if inner_modules or module == file:
                paths |= {absolute(path, module) for path in some}
    return paths


def branches(source: str, at: int) -> tuple[list[Module], int]:
    """Return the paths of the `use` tree or the path that starts here, and where it ends."""
    if source[at] == "{":
        paths: list[Module] = []
        while source[at] != "}":
            found = re.compile(r"[{,]\s*").match(source, at)
            assert found, source[at : at + 40]
            if source[at := found.end()] != "}":
                some, at = branches(source, at)
                paths += some
                at += len(re.compile(r"(?:\s+as\s+\w+)?\s*").match(source, at)[0])
        return paths, at + 1
    found = re.compile(r"(\w+|\*)(\s*::\s*(?=[\w{*]))?").match(source, at)
    assert found, source[at : at + 40]
    if not found[2]:
        return [(found[1],)], found.end()
    tails, at = branches(source, found.end())
    return [(found[1], *tail) for tail in tails], at


def absolute(path: Module, module: Module) -> Module:
    if path[0] == "crate":
        return path[1:]
    while path and path[0] in {"self", "super"}:
        module = module[:-1] if path[0] == "super" else module
        path = path[1:]
    return module + path


def among_siblings(files: dict[Module, str]) -> dict[Module, dict[str, set[str]]]:
    """Return which modules of each folder name which others, including their submodules."""
    arrows: dict[Module, dict[str, set[str]]] = {}
    for file, source in files.items():
        for path in named(source, file, inner_modules=False):
            other = max((end for end in files if path[: len(end)] == end), key=len)
            depth = 0
            while file[: depth + 1] == other[: depth + 1] and depth < len(file):
                depth += 1
            # Otherwise one of the two contains the other.
            if depth < min(len(file), len(other)):
                folder = arrows.setdefault(file[:depth], {})
                folder.setdefault(file[depth], set()).add(other[depth])
    return arrows


def circles(files: dict[Module, str]) -> dict[Module, list[str]]:
    found = {}
    for folder, arrows in among_siblings(files).items():
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            found[folder] = error.args[1]
    return found


def modules() -> dict[Module, str]:
    """Return the source of every module of the core that is a file."""
    files = {file.relative_to(CORE).with_suffix("").parts: file for file in CORE.rglob("*.rs")}
    return {
        tuple(part for part in parts if part not in {"lib", "mod"}): file.read_text()
        for parts, file in files.items()
    }


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


def test_the_protocol_imports_no_socket_clock_or_core():
    files = list((PACKAGE / "_flume").glob("*.py"))
    assert len(files) > 1
    for file in files:
        found = forbidden(file.read_text(), {"asyncio", "socket", "select", "time", "_core"})
        assert not found, f"{file}: {found}"


def test_only_one_file_reads_the_clock():
    clock = PACKAGE / "_runtime" / "clock.py"
    assert forbidden(clock.read_text(), {"time"})
    for file in PACKAGE.rglob("*.py"):
        if file != clock:
            assert not forbidden(file.read_text(), {"time"}), file


def test_terminal_and_rendering_import_nothing_above_them():
    # `_core`, for the control of terminals, is below everything.
    floors = {
        "_terminal": {"_terminal", "_core"},
        "_rendering": {"_rendering", "_terminal", "_types"},
    }
    for place, known in floors.items():
        for file in (PACKAGE / place).glob("*.py"):
            ours = {name for name in imported(file.read_text()) if name.startswith("tailrace")}
            assert {name.split(".")[1] for name in ours} <= known, file


def python_arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return the other modules that each module imports, for types or at run time, anywhere."""
    arrows: dict[str, set[str]] = {}
    for module, source in sources.items():
        # An import is a module, or a name in a module.
        ours = {name if name in sources else name.rpartition(".")[0] for name in imported(source)}
        arrows[module] = ours & sources.keys() - {module}
    return arrows


def test_python_modules_have_no_import_cycles():
    round_about = {
        "a": "from a.b import c",
        "a.b": "def f():\n    from a.d import e",
        "a.d": "if TYPE_CHECKING:\n    from a.b import c",
    }
    with pytest.raises(CycleError):
        TopologicalSorter(python_arrows(round_about)).prepare()

    sources = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        # The package itself re-exports names of all.
        if parts != ("tailrace", "__init__"):
            sources[".".join(part for part in parts if part != "__init__")] = file.read_text()
    arrows = python_arrows(sources)
    assert "tailrace._runtime.stage" in arrows["tailrace._runtime.pump"]
    TopologicalSorter(arrows).prepare()


def test_outputs_and_sources_do_not_import_each_other():
    for place, words in {
        "_outputs": {"_sources", "_runtime", "_assembly", "_query", "_cli"},
        "_sources": {"_outputs", "_runtime", "_assembly", "_query", "_cli"},
    }.items():
        for file in (PACKAGE / place).glob("*.py"):
            assert not forbidden(file.read_text(), words), file


def test_only_the_spark_package_imports_pyspark():
    others = [file for file in PACKAGE.rglob("*.py") if PACKAGE / "spark" not in file.parents]
    importing = [file.name for file in others if forbidden(file.read_text(), {"pyspark"})]
    assert importing == []
    inside = [file.read_text() for file in (PACKAGE / "spark").glob("*.py")]
    assert any(forbidden(text, {"pyspark"}) for text in inside)


def test_only_the_command_imports_outputs():
    # So no logic depends on outputs: no detection, filter, source or query, nor what runs them.
    for file in PACKAGE.rglob("*.py"):
        if file.relative_to(PACKAGE).parts[0] not in {"_outputs", "_cli", "__main__.py"}:
            assert not forbidden(file.read_text(), {"_outputs", "_cli"}), file


def code_lines(source: str) -> set[int]:
    """Return the lines of a Python source without blank lines, comments and docstrings."""
    texts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines - texts


def rust_lines(source: str) -> int:
    """Count the lines of a Rust source without blank lines, comments and tests."""
    # The end of an item has the same indentation as its attribute.
    test = r"(?ms)^( *)#\[cfg\(test\)\]\n.*?^\1(?:\}\n|[^ \n][^\n]*;\n)"
    source = re.sub(test, "", source)
    return len(re.findall(r"(?m)^(?!\s*(//|$)).", source))


def test_lines_of_code_are_counted_without_comments_and_docstrings():
    python = (
        '"""Module."""\n\n# Why.\nx = """\na\n"""\n\n\ndef f():\n    """One."""\n    return x\n'
    )
    assert code_lines(python) == {4, 5, 6, 9, 11}
    rust = (
        "//! Module.\nuse a;\n\n/// One.\nfn f() {}\n\n#[cfg(test)]\nuse b;\n\n#[cfg(test)]\n"
        "#[expect(x)]\npub(super) mod tests {\n    fn g() {\n    }\n}\nfn h() {\n    // Why.\n}\n"
    )
    assert rust_lines(rust) == 4


def test_files_and_classes_are_not_too_long():
    long = {}
    for file in PACKAGE.rglob("*.py"):
        source = file.read_text()
        lines = code_lines(source)
        name = str(file.relative_to(ROOT))
        if len(lines) > FILE_LINES:
            long[name] = len(lines)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                of_class = lines & set(range(node.lineno, (node.end_lineno or 0) + 1))
                if len(of_class) > CLASS_LINES:
                    long[f"{name}: {node.name}"] = len(of_class)
    for crate in ("core", "python", "store"):
        for file in (ROOT / "rust" / crate / "src").rglob("*.rs"):
            count = rust_lines(file.read_text())
            if count > FILE_LINES:
                long[str(file.relative_to(ROOT))] = count

    assert len(EXCEPTIONS) <= 3
    assert set(long) == set(EXCEPTIONS), long


def test_the_path_check_sees_every_form():
    source = """
        //! [`crate::no`]
        use crate::a::{self, b::{c, d as e}, *};
        use {super::f, std::fmt};
        pub(in crate::g) fn h<'a>(i: &'a str) -> super::super::j::K {
            "crate::no"; br#""crate::no"#; '{'; b'\\''; '"';
            crate::l::m::<u8>(i); crate :: p
                :: {q , r :: s};
        }
        mod tests { use super::*; mod deep { use super::super::super::n; } }
        use self::o;
    """
    assert named(source, ("x", "y")) == {
        ("a", "self"),
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "*"),
        ("x", "f"),
        ("g",),
        ("j", "K"),
        ("l", "m"),
        ("p", "q"),
        ("p", "r", "s"),
        ("x", "y", "*"),
        ("x", "n"),
        ("x", "y", "o"),
    }
    assert ("x", "n") not in named(source, ("x", "y"), inner_modules=False)


@pytest.mark.parametrize("wing", WINGS)
def test_a_part_of_the_core_depends_only_on_the_parts_it_may(wing: str):
    files = {file: source for file, source in modules().items() if file[:1] == (wing,)}
    assert len(files) > 5
    for file, source in files.items():
        others = {path[0] for path in named(source, file)} - {wing} - WINGS[wing]
        assert not others, f"{file}: {others}"


def test_the_core_has_no_other_files_beside_its_parts():
    assert {path.name for path in CORE.iterdir()} == JOINTS | WINGS.keys()


def test_the_path_check_is_not_bypassed():
    detours = ["use crate as root;", "use {crate\n as root};", "extern crate self as root;"]
    for source in [
        *detours,
        '#[path = "../a.rs"]\nmod a;',
        'include!("a.rs");',
        "use super as up;",
    ]:
        assert RUST_DETOUR.search(source), source
    for source in ["crate::a::b as u8", 'include_str!("a.txt")', "macro_rules! path {}"]:
        assert not RUST_DETOUR.search(source), source
    for file, source in modules().items():
        found = RUST_DETOUR.search(RUST_WITHOUT_PATHS.sub(" ", source))
        assert not found, f"{file}: {found}"


def test_a_cycle_is_found_at_any_depth():
    files: dict[Module, str] = dict.fromkeys([(), ("f",), ("f", "a"), ("f", "b"), ("x",)], "")
    assert circles(files) == {}
    # A module and its submodules may name each other.
    apart = {
        ("f",): "use self::a::A;",
        ("f", "a"): "use super::F; use super::b::B;",
        ("x",): "use crate::f::F; mod tests { use crate::X; }",
    }
    assert circles(files | apart) == {}
    for more in (
        {("f", "b"): "use super::a::A;"},
        {("f", "b"): "use crate::x::X;"},
        {("f", "a"): "", ("f",): "use super::x::X;"},
        {("x",): "use crate::f::b::B;", ("f", "a"): "use crate::x::X;"},
    ):
        (found,) = circles(files | apart | more).values()
        assert set(found) in ({"a", "b"}, {"f", "x"})


def test_core_modules_have_no_cycles():
    """Except between a module and its submodules, and for what tests name."""
    files = {file: source for file, source in modules().items() if not RUST_TESTS & set(file)}
    assert {(), ("windows",), ("text", "format")} <= among_siblings(files).keys()
    assert circles(files) == {}


def test_the_core_depends_on_neither_python_nor_another_workspace_crate():
    core = manifest("rust/core")
    assert set(core["dependencies"]) == {
        "foldhash",
        "hashbrown",
        "maxminddb",
        "memchr",
        "regex",
        "regex-filtered",
        "regex-syntax",
        "twox-hash",
        "ua-parser",
        "wide",
    }
    assert not {name for name in core["dev-dependencies"] if "pyo3" in name or "tailrace" in name}


def test_the_store_depends_on_neither_python_nor_another_workspace_crate():
    store = manifest("rust/store")
    assert set(store["dependencies"]) == {"crc32fast", "lz4_flex"}
    assert set(store["dev-dependencies"]) == {"proptest"}


def test_only_the_store_touches_a_disk():
    touches = re.compile(r"\bstd::fs\b|\bstd::os::unix::fs\b|\bfs::\w|\bFile::open\b")
    found = {
        crate
        for crate in ("core", "python", "store")
        for file in (ROOT / "rust" / crate / "src").rglob("*.rs")
        if touches.search(RUST_WITHOUT_PATHS.sub(" ", file.read_text()))
    }
    assert found == {"store"}


def test_every_crate_takes_the_lints_of_the_workspace_where_unsafe_is_forbidden():
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    assert workspace["lints"]["rust"]["unsafe_code"] == "forbid"
    for member in workspace["members"]:
        assert manifest(member)["lints"] == {"workspace": True}


def test_the_bindings_stay_small():
    files = list((ROOT / "rust" / "python" / "src").glob("*.rs"))
    lines = sum(len(file.read_text().splitlines()) for file in files)
    assert 0 < lines < BINDINGS_LINES


def test_the_bindings_take_no_lock_while_holding_the_gil():
    for file in ("engine.rs", "window.rs", "convert.rs"):
        source = (ROOT / "rust" / "python" / "src" / file).read_text()
        waits = r"(\bpy\.detach\(\|\| )?(?:self\.0|engine)\.(?:with|advance|finish)\("
        assert all(re.findall(waits, source)), file
