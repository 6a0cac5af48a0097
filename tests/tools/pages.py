"""
Write the outputs of commands and the excerpts of source files into the documentation.

`make texts` runs it, and `tests/unit/test_docs.py` compares. The output of a command that fails is
written too, so look at the difference before you commit it. Arguments limit it to these pages.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from documents import PAGES, Block, blocks, excerpt, files, printed, waiting

_SECONDS = re.compile(r"[0-9.]+ s$", re.MULTILINE)


def written(block: Block, before: Block | None) -> str | None:
    """Return the text that a block should have, if it shows something else; `before` is another."""
    if block.note.startswith("from "):
        return excerpt(block)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in files().items():
            (folder / file).write_bytes(data)
        if block.language == "console":
            return console(block, folder)
        if block.note == "prints" and before is not None:
            run = [sys.executable, "-c", before.text]
            ran = subprocess.run(run, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
            if ran.returncode == 0:
                return ran.stdout
            sys.stderr.write(f"{before.name} failed; its output on the page is kept\n")
    return None


def console(block: Block, folder: Path) -> str:
    """Return a session with the outputs that its commands have now."""
    parts, script = [], []
    for group in groups(block):
        # Each command's own output ends at a mark.
        script += [waiting("\n".join(line[2:] for line in group)), "echo '--8<--'"]
    outputs = printed("\n".join(script), folder).stdout.split("--8<--\n")
    for group, output in zip(groups(block), outputs, strict=False):
        parts += [*(f"{line}\n" for line in group), output]
    # How long something took differs at each run, so a line that differs in that alone is kept.
    old = {_SECONDS.sub("", line): line for line in block.text.splitlines(keepends=True)}
    lines = "".join(parts).splitlines(keepends=True)
    return "".join(old.get(_SECONDS.sub("", line), line) for line in lines)


def groups(block: Block) -> list[list[str]]:
    """Return the commands of a block, each with the lines that continue it."""
    found: list[list[str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append([line])
        elif line.startswith("> "):
            found[-1].append(line)
    return found


def main() -> None:
    """Write the pages."""
    wanted = [Path(name).resolve() for name in sys.argv[1:]] or PAGES
    for page in wanted:
        text = page.read_text()
        found = blocks(pages=[page])
        for before, block in reversed([*zip([None, *found], found, strict=False)]):
            new = written(block, before)
            if new is not None:
                start, end = block.span
                text = text[:start] + new + text[end:]
        page.write_text(text)


if __name__ == "__main__":
    main()
