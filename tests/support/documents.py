"""The documentation pages and their code blocks."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import mmdb
import shop
from places import LOG, ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "LINKED",
    "PAGES",
    "Block",
    "blocks",
    "commands",
    "excerpt",
    "files",
    "printed",
    "shown",
    "waiting",
]

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
PAGES = [page for page in PAGES if page.exists()]

# The links of these pages are checked, their code is not run.
LINKED = PAGES + [
    ROOT / name
    for name in ("CHANGELOG.md", "benches/README.md", "rust/fuzz/README.md", "tests/README.md")
]

_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_SOURCE = re.compile(r"from (?P<path>\S+): (?P<start>.+) \.\. (?P<end>.+)")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    """The line in the page, from 1."""
    language: str
    text: str
    note: str
    """The comment in the line before: why the block does not run, or the file it quotes."""
    span: tuple[int, int]
    """The span of its text in the page."""

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str, pages: list[Path] = PAGES) -> list[Block]:
    """Return the blocks in these languages, by default in all."""
    found = []
    for page in pages:
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            if languages and match["language"] not in languages:
                continue
            line = text.count("\n", 0, match.start("language")) + 1
            note = match["note"] or ""
            found.append(
                Block(page, line, match["language"], match["text"], note, match.span("text"))
            )
    return found


# Where the most frequent clients of the log are.
_COUNTRIES = {
    "US": ("66.249.64.0/19", "75.96.0.0/15", "50.16.0.0/15", "209.85.128.0/17"),
    "FR": ("46.105.0.0/16",),
    "SE": ("130.237.0.0/16",),
}


def files() -> dict[str, bytes]:
    """Return the files that the pages read, by name: two logs, and a database of countries."""
    records = {
        network: {"country": {"iso_code": code}}
        for code, networks in _COUNTRIES.items()
        for network in networks
    }
    return {
        "access.log": gzip.decompress(LOG.read_bytes()),
        "country.mmdb": mmdb.database(records),
        "shop.log": shop.shop_log(),
    }


def commands(block: Block) -> str:
    """Return the script of a console block."""
    return "\n".join(line[2:] for line in block.text.splitlines() if line.startswith(("$ ", "> ")))


def shown(block: Block) -> str:
    """Return the output that a console block shows."""
    lines = block.text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("$ ", "> ")))


# A page sleeps, which a reader understands; a test waits for the event itself.
_WAITS = {
    r"sleep 1\b": "until (exec 3<>/dev/tcp/127.0.0.1/9092) 2> /dev/null; do sleep 0.1; done",
    r"sleep 2\b": "until tail -n 2 results.txt | grep -q 807; do sleep 0.1; done",
}


def waiting(script: str) -> str:
    """Return a script of a page with its sleeps replaced by waits for events."""
    for time, event in _WAITS.items():
        script = re.sub(time, event, script)
    return script


def printed(script: str, cwd: Path, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
    """Run a script with the command installed next to this interpreter."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # noqa: PTH120 - not resolved
    return subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"PATH": path},
        timeout=timeout_s,
    )


def excerpt(block: Block) -> str:
    """
    Return the part of a source file that the note of a block names.

    The note is `from PATH: START .. END`. The part begins at the first line that contains START
    (`A / B`: at a line with A before one with B) and ends with the next line that, stripped, is END
    or begins with it, or before the one that contains it (`before END`).
    """
    found = _SOURCE.fullmatch(block.note)
    if not found:
        raise AssertionError(f"{block.name}: expected a comment before the block, `from PATH: ...`")
    lines = (ROOT / found["path"]).read_text().splitlines(keepends=True)
    starts = found["start"].split(" / ")
    first = next(
        number
        for number in range(len(lines))
        if all(part in line for part, line in zip(starts, lines[number:], strict=False))
    )
    if found["end"].startswith("before "):
        end = found["end"].removeprefix("before ")
        last = next(number for number in range(first, len(lines)) if end in lines[number])
        return "".join(lines[first:last]).rstrip("\n") + "\n"
    end = found["end"]
    last = next(
        number for number in range(first, len(lines)) if lines[number].strip().startswith(end)
    )
    return "".join(lines[first : last + 1])
