"""
Words that keep the project's English plain, in what people read.

The words below were once this project's own idiom, and each made readers stop: a format "is told",
a line "is of" it, text "stands behind" other text. They must not come back into help, messages,
docstrings or documentation. `ALLOWED` has the few phrases in which such a word is the right one.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

# Each with the plain word for it.
WORDS = {
    r"told|tells?": "detected, given, reports",
    r"(?:is|are|was|were) of": "matches, belongs to, has",
    r"stands?|stood": "is, is written",
    r"behind": "after",
    r"makes? no odds|no odds": "does not matter",
    r"at hand": "available, finite",
    r"wish(?:es|ed)?": "request, want",
    r"said|(?:is|are) to say": "given, specified, reported",
    r"asked (?:of|for of)": "requested from",
    r"who(?:ever)? (?:wants|asks|has|needs|knows)": "a user who ...",
    r"lets? go": "release, drop",
    r"gone": "missing, closed, dropped",
    r"comes? by|came by": "arrives",
    r"puts? off": "delay, defer",
    r"whose kind": "whose type",
    r"meant": "intended, selected",
    r"worked out": "derived, computed",
    r"of these:": "a heading such as Derived fields:",
    r"dull": "unoptimized",
    r"(?:there )?should be an? \w+ at|there should be": "expected ..., found ...",
    r"(?<!there )(?:is|are) no(?! (?:longer|more|such|\w+er) )(?= )": "is not a, expected ...",
    r"mend(?:s|ed)?": "fix, hint",
    r"in good order": "gracefully",
    r"any more": "again, no longer",
    r"so that none": "so that no ...",
}

# Phrases in which such a word is right, each with the reason.
ALLOWED = {
    r"max[_-]?behind(?:[_-]us)?": "an option and an argument",
    r"behind an? (?:\w+ )?proxy": "where a server is in a network, not an order",
    r"Snapshot\.gone": "a name that the changelog says was replaced",
}

BANNED = re.compile(
    "|".join(rf"(?P<w{n}>\b(?:{word})(?!\w))" for n, word in enumerate(WORDS)), re.IGNORECASE
)
PERMITTED = re.compile("|".join(ALLOWED), re.IGNORECASE)

# Strings of Rust, and what only looks like one.
RUST = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | b?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
    | b?"(?P<text>(?:\\.|[^"\\])*)" | b?'(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
# Files of the core that only its tests use.
RUST_TESTS = {"tests", "naive", "against", "testing", "harness"}


def files() -> list[Path]:
    """Every file with words for people."""
    found = [*ROOT.glob("*.md"), *(ROOT / "tests" / "cases" / "help").glob("*.txt")]
    for folder in ("docs", "examples", "benches", ".github", "tests/data"):
        found += (ROOT / folder).rglob("*.md")
    package = ROOT / "python" / "tailrace"
    found += [*package.rglob("*.py"), *package.rglob("*.pyi")]
    found += (path for path in (package / "_cli" / "shell").iterdir() if path.is_file())
    found += (ROOT / "tests" / "cases").glob("*.toml")
    for crate in ("core", "python", "store"):
        sources = (ROOT / "rust" / crate / "src").rglob("*.rs")
        found += (path for path in sources if not RUST_TESTS & {path.stem, *path.parent.parts})
    return sorted(found)


def texts(path: Path) -> Iterator[str]:
    """Every piece of text in a file that people read."""
    text = path.read_text()
    if path.suffix in {".py", ".pyi"}:
        yield from literals(ast.parse(text))
    elif path.suffix == ".rs":
        for match in RUST.finditer(text.partition("#[cfg(test)]\nmod ")[0]):
            found = match["raw"] or match["text"]
            if found:
                # A backslash at the end of a line joins it with the next.
                yield re.sub(r"\\\n\s*", "", found).replace("\\n", "\n")
    elif path.suffix == ".toml":
        case = tomllib.loads(text)
        yield from (case["stdout"], case["stderr"])
    else:
        yield text


def literals(node: ast.AST) -> Iterator[str]:
    """Every string below a node, docstrings too; an f-string is one, with {} for its values."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from literals(part.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def banned(text: str) -> list[str]:
    """Every banned word in a text, with the words around it."""
    # One line, so that a line break within a phrase does not hide it; nor do marks of emphasis.
    joined = " ".join(re.sub(r"[*_`]|\\(?=-)", "", text).split())
    joined = PERMITTED.sub(lambda match: "." * len(match[0]), joined)
    return [
        f"{match[0]!r} (better: {list(WORDS.values())[int(str(match.lastgroup)[1:])]}): "
        f"... {joined[max(0, match.start() - 40) : match.end() + 40]} ..."
        for match in BANNED.finditer(joined)
    ]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_people_read_plain_english(path: Path):
    found = [line for text in texts(path) for line in banned(text)]

    assert not found, "\n" + "\n".join(found)


def test_the_files_are_there():
    names = {str(path.relative_to(ROOT)) for path in files()}

    assert {"README.md", "CHANGELOG.md", "DESIGN.md", "CONTRIBUTING.md"} <= names
    assert {"tests/cases/help/top.txt", "python/tailrace/_cli/shell/tailrace.1"} <= names
    assert {"python/tailrace/_query.py", "rust/core/src/lib.rs", "docs/index.md"} <= names


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("The format is told\nby the first lines.", 1),
        ("the line is\n    of combined", 1),
        ("it **stands** _behind_ the field", 2),
        ("a server behind a proxy", 0),
        ("understand, standard, beforehand, meanwhile, foretold", 0),
        ("'x' is no file; there is no such file", 1),
        ("it is no longer read", 0),
    ],
)
def test_the_words_are_found(text: str, count: int):
    assert len(banned(text)) == count


def test_strings_are_found():
    python = ast.parse('"""it stands"""\nx = f"is {1} " "of {2}"  # told\n')
    assert list(literals(python)) == ["it stands", "is {} of {2}"]
    rust = '// "told"\nlet a = "is \\\n   of"; let b = r#"a "b" c"#; let c = \'"\';'
    assert [m["raw"] or m["text"] for m in RUST.finditer(rust) if m["raw"] or m["text"]] == [
        "is \\\n   of",
        'a "b" c',
    ]
