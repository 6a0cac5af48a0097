"""Everything that the documentation shows is run, and every link leads somewhere."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from documents import (
    LINKED,
    PAGES,
    Block,
    blocks,
    commands,
    excerpt,
    files,
    printed,
    shown,
    waiting,
)
from places import ROOT

import tailrace

# Public names are in `tailrace`, which defines none of them.
MODULES = [
    "tailrace",
    *sorted(
        module.name
        for module in pkgutil.walk_packages(tailrace.__path__, "tailrace.")
        # The examples of `tailrace.spark` run with Spark.
        if module.name != "tailrace._core" and not module.name.startswith("tailrace.spark")
    ),
]

# A block in another language is an excerpt of a file, data, or a picture.
LANGUAGES = {"console", "python", "sh", "rust", "properties", "json", "text", "{toctree}"}
SITE_ONLY = {"{eval-rst}", "{include}"}

# Ports that pages name; each run gets free ones, because tests run in parallel.
PORTS = ("9092", "9093")


def named(found: list[Block]) -> list[object]:
    return [pytest.param(block, id=block.name) for block in found]


@pytest.fixture(scope="session")
def read() -> dict[str, bytes]:
    return files()


@pytest.fixture
def folder(tmp_path: Path, read: dict[str, bytes]) -> Path:
    """A directory with the files that the pages read."""
    for name, data in read.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def free_ports() -> dict[str, str]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        free = [str(server.getsockname()[1]) for server in (one, two)]
    return dict(zip(PORTS, free, strict=True))


def replaced(text: str, ports: dict[str, str]) -> str:
    for shown_port, port in ports.items():
        text = text.replace(shown_port, port)
    return text


def without_seconds(text: str) -> str:
    """Leave out what differs from one run to the next: how long sending took."""
    return re.sub(r"[0-9.]+ s$", "… s", text, flags=re.MULTILINE)


@pytest.mark.parametrize("block", named(blocks("console")))
def test_the_commands_of_a_block_print_what_it_shows(block: Block, folder: Path):
    ports = free_ports()
    ran = printed(replaced(waiting(commands(block)), ports), folder)
    output = replaced(ran.stdout, {port: name for name, port in ports.items()})

    assert without_seconds(output) == without_seconds(shown(block))


def python_blocks() -> list[object]:
    """Each Python block, with the output that the page shows after it."""
    found = []
    for page in PAGES:
        blocks_here = blocks(pages=[page])
        for block, following in zip(blocks_here, [*blocks_here[1:], None], strict=False):
            elsewhere = block.note.startswith(("not run: ", "runs with Spark"))
            if block.language == "python" and not elsewhere:
                is_output = following is not None and following.note == "prints"
                output = following.text if is_output and following else None
                found.append(pytest.param(block, output, id=block.name))
    return found


@pytest.mark.parametrize(("block", "output"), python_blocks())
def test_a_python_block_runs(block: Block, output: str | None, folder: Path):
    ran = subprocess.run(
        [sys.executable, "-c", replaced(block.text, free_ports())],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.stderr == ""
    assert ran.returncode == 0
    if output is not None:
        assert ran.stdout == output


ENDLESS = [block for block in blocks("sh") if block.note == "runs until it is stopped"]


@pytest.mark.parametrize("block", named(ENDLESS))
def test_a_command_that_goes_on_answers(block: Block, folder: Path):
    answers, messages = folder / "answers", folder / "messages"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (
        answers.open("wb") as stdout,
        messages.open("wb") as stderr,
        subprocess.Popen(
            ["bash", "-c", block.text],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        ) as running,
    ):
        deadline = time.monotonic() + 60
        has_rows = re.compile(rb"^ *[1-9][0-9]*  ", re.MULTILINE).search
        while not has_rows(answers.read_bytes()) and running.poll() is None:
            assert time.monotonic() < deadline, "no answer within a minute"
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGINT)

    text = messages.read_text()
    assert "Traceback" not in text
    assert re.search(r"[0-9,]+ lines: [0-9,]+ counted", text), text


def test_a_block_that_does_not_run_gives_a_reason():
    for block in blocks():
        site_only = SITE_ONLY if block.page.is_relative_to(ROOT / "docs") else set()
        assert block.language in LANGUAGES | site_only, block.name
        if block.language == "sh":
            reason = block.note.startswith("not run: ") or block in ENDLESS
            assert reason, f"{block.name}: say in a comment before it why it does not run"


def test_no_page_has_code_by_indentation():
    for page in PAGES:
        text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        indented = re.findall(r"\n\n((?: {4}|\t)(?! *[-*0-9|]).*)", text)
        assert not indented, f"{page}: {indented}"


@pytest.mark.parametrize("block", named(blocks("rust", "properties")))
def test_an_excerpt_equals_its_source(block: Block):
    assert block.text == excerpt(block)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), extraglobs={"tr": tailrace})

    assert results.failed == 0


def test_every_public_name_has_an_example():
    without = []
    for name in tailrace.__all__:
        value = getattr(tailrace, name)
        documented = isinstance(value, type) and issubclass(value, Exception | tuple | dict)
        if callable(value) and not documented and ">>>" not in (value.__doc__ or ""):
            without.append(name)

    assert without == []


def test_the_reference_has_every_public_name():
    directive = r"^\.\. auto\w+:: (\w+)(?:\(\))?$"
    page = (ROOT / "docs" / "api.md").read_text()
    here, _, in_spark = page.partition(".. currentmodule:: tailrace.spark\n")
    listed, spark = (re.findall(directive, part, re.MULTILINE) for part in (here, in_spark))

    assert sorted(listed) == sorted(set(tailrace.__all__) - {"__version__"})
    # Without Spark the package cannot be imported.
    source = (ROOT / "python" / "tailrace" / "spark" / "__init__.py").read_text()
    names = re.search(r"^__all__ = (\[.*?\])$", source, re.MULTILINE | re.DOTALL)
    assert names
    assert sorted(spark) == sorted(ast.literal_eval(names[1]))


def test_there_are_examples_to_run():
    assert len(blocks("python")) >= 12
    assert len(blocks("console")) > 25
    assert len(ENDLESS) >= 2
    assert len(blocks("rust")) == 3
    assert len(MODULES) > 15


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = 1
        while slug in found:
            slug = f"{slug}-{number}"
            number += 1
        found.add(slug)
    return found


@pytest.mark.parametrize("page", [pytest.param(p, id=str(p.relative_to(ROOT))) for p in LINKED])
def test_a_link_leads_to_a_file_and_an_anchor(page: Path):
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), target


def test_a_file_that_a_page_names_exists():
    folders = ("rust", "python", "tests", "benches", "docs", "examples", ".github", ".ci")
    files = [
        "/" + str(path.relative_to(ROOT))
        for path in [*ROOT.glob("*.*"), *(p for name in folders for p in (ROOT / name).rglob("*"))]
    ]
    for page in PAGES:
        for name in re.findall(r"`([\w./-]+\.(?:rs|pyi?|toml|md|conf))`", page.read_text()):
            assert any(file.endswith("/" + name) for file in files), f"{page}: {name}"


def test_a_name_of_code_in_the_internals_exists():
    sources = [*(ROOT / "rust").rglob("*.rs"), *(ROOT / "python").rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources)
    for page in PAGES:
        if page.name == "DESIGN.md" or page.parent.name in ("internals", "adr"):
            for name in re.findall(r"`([A-Z][a-z]+[A-Z]\w+|[A-Z]+_[A-Z_]+)`", page.read_text()):
                known = re.search(rf"\b{name}\b", code) or name.startswith("TAILRACE_")
                assert known, f"{page}: {name}"


WORDS = """
    source, chunk, frame, event, batch, line, format, fields, reject, filter, detect, key, null key,
    aggregate, partial, delta, pane, window, lookback, length, slide, offset, batch interval,
    lateness, watermark, late, idle timeout, rank, snapshot, commit, acknowledge
"""


def test_the_glossary_has_each_word_once():
    rows = re.findall(
        r"^\| ([a-z ,]+?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    words = [row for row in rows if row != "word"]

    assert len(words) == len(set(words))
    assert {word.strip() for word in WORDS.split(",")} <= set(words)


def test_decisions_are_numbered_dated_and_complete():
    folder = ROOT / "docs" / "adr"
    pages = sorted(path for path in folder.glob("*.md") if path.name != "index.md")
    index = (folder / "index.md").read_text()
    for number, page in enumerate(pages, 1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04}-"), page
        assert text.startswith(f"# {number}. "), page
        assert re.search(r"^\*\d{1,2} [A-Z][a-z]+ 20\d\d\*$", text, re.MULTILINE), page
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Choice", "Measured"], page
        assert f"({page.name})" in index, page
    assert len(pages) > 60


def test_the_short_pages_are_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
    assert len((ROOT / "DESIGN.md").read_text().splitlines()) <= 110
