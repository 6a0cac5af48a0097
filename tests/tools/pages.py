"""
Writes what the documentation shows of other things: outputs of commands, parts of source files.

`make texts` runs it. The tests compare; a block whose commands fail is written as it failed, so
look at the difference before it is committed. With names of pages, only these are written.
"""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
from pathlib import Path

from documents import PAGES, Block, blocks, excerpt, printed
from places import LOG

_SECONDS = re.compile(r"[0-9.]+ s$", re.MULTILINE)


def written(block: Block) -> str:
    """Return the text that a block should have."""
    if block.language != "console":
        return excerpt(block)
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "access.log").write_bytes(gzip.decompress(LOG.read_bytes()))
        script = []
        for group in groups(block):
            # Each command's own output ends at a mark.
            script += ["\n".join(line[2:] for line in group), "echo '--8<--'"]
        outputs = printed("\n".join(script), Path(folder)).stdout.split("--8<--\n")
    for group, output in zip(groups(block), outputs, strict=False):
        parts += [*(f"{line}\n" for line in group), output]
    text = "".join(parts)
    # How long something took differs at each run.
    return block.text if _SECONDS.sub("", text) == _SECONDS.sub("", block.text) else text


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
        for block in reversed(blocks(pages=[page])):
            if block.language == "console" or block.note.startswith("from "):
                start, end = block.span
                text = text[:start] + written(block) + text[end:]
        page.write_text(text)


if __name__ == "__main__":
    main()
