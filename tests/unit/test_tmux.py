"""
The live table in a real terminal: tmux, with a shell in it.

It needs tmux. Without it the test is skipped with a reason; with CI=true it fails.
"""

import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import COMMAND, line, wait_for
from profiles import seeded

SIZES = [(80, 24), (40, 10), (200, 60)]

# So that tmux draws what is not ASCII, and the shell keeps no history.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "HISTFILE": ""}


class Tmux:
    """A terminal with a shell, seen as a person sees it."""

    def __init__(self, folder: str, columns: int, rows: int) -> None:
        self._base = ["tmux", "-u", "-f", os.devnull, "-S", f"{folder}/socket"]
        self._answers = 0
        Path(folder, "rc").write_text("PS1='$ '\n")
        size = ["-x", str(columns), "-y", str(rows)]
        self.run("new-session", "-d", *size, f"bash --rcfile {folder}/rc -i")

    def run(self, *arguments: str) -> str:
        command = [*self._base, *arguments]
        environment = os.environ | ENVIRONMENT
        environment.pop("TMUX", None)
        ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return ran.stdout

    def type(self, *keys: str) -> None:
        """Press keys: characters, or names such as C-z."""
        self.run("send-keys", *keys)

    def enter(self, command: str) -> None:
        self.run("send-keys", "-l", command)
        self.type("Enter")

    def lines(self) -> list[str]:
        """Return the lines of the screen, without the empty ones at the end."""
        return self.run("capture-pane", "-p").rstrip("\n").split("\n")

    def resize(self, columns: int, rows: int) -> None:
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def answer(self, text: str) -> str:
        """Return what the shell makes of a text."""
        self._answers += 1
        self.enter(f'echo "<{self._answers} {text}>"')
        pattern = rf"(?m)^<{self._answers} ([^>]*)>\n\$"
        found = wait_for(lambda: re.search(pattern, "\n".join(self.lines())))
        # A narrow terminal breaks it into lines.
        return found[1].replace("\n", "")


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder with a short path, as a socket needs."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI"):
            pytest.fail("no tmux")
        pytest.skip("no tmux: apt-get install tmux")
    with tempfile.TemporaryDirectory() as folder:
        yield folder
        subprocess.run(["tmux", "-S", f"{folder}/socket", "kill-server"], check=False)


def add(log: Path, drawn: random.Random, count: int = 200) -> None:
    """Append lines with more keys than a table has."""
    with log.open("ab") as file:
        for _ in range(count):
            file.write(line(f"/page/{int(drawn.expovariate(0.05))}") + b"\n")


def counted(terminal: Tmux) -> int:
    """Return the number of events, if the screen has a status and one table that is whole."""
    columns, rows = map(int, terminal.run("display", "-p", "#{pane_width} #{pane_height}").split())
    lines = terminal.lines()
    # On a narrow terminal the status may begin with another part.
    status = re.match(r"frozen, Space continues: |.*( lines, |silent |lag )", lines[-1])
    heads = [n for n, text in enumerate(lines) if re.match(r"[\d,]+ events, ", text)]
    if status is None or len(heads) != 1:
        return 0
    # In this window every line is an event.
    events = int(lines[heads[0]].split(" ")[0].replace(",", ""))
    table = lines[heads[0] : -1]
    total = [] if rows < SIZES[1][1] else [table.pop()]
    # As many of the ten rows as there is room for.
    is_whole = (
        len(table) == min(2 + 10, rows - 2 - len(total))
        and table[1].endswith("url")
        and all(re.search(r"/page/\d+$", text) for text in table[2:])
        and all(text.endswith("total") for text in total)
        and max(map(len, lines)) <= columns
    )
    return events if is_whole else 0


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_the_live_table_in_tmux(size: tuple[int, int], folder: str, tmp_path: Path):
    log = tmp_path / "access.log"
    drawn = seeded(1)
    add(log, drawn)
    command = " ".join(f"'{word}'" for word in [*COMMAND, "top", "--window", "5m"])
    terminal = Tmux(folder, *size)
    terminal.enter(f"run() {{ tail -n +1 -F '{log}' | {command}; }}")
    modes = terminal.answer("$(stty -g)")

    # Lines through a pipe, keys from the terminal.
    terminal.enter("clear; run")
    wait_for(lambda: counted(terminal) == 200)
    add(log, drawn)
    wait_for(lambda: counted(terminal) == 400)
    # Where there is room for it.
    wait_for(lambda: terminal.lines()[-1].endswith("  ? keys") == (size[0] >= 80))
    terminal.type("?")
    wait_for(lambda: "q      end with the last result" in terminal.lines())
    terminal.type("Up", "x", "Enter")
    wait_for(lambda: counted(terminal) == 400)

    # Resized: one table each time, nothing of another one.
    for other in [*SIZES, (20, 5), size]:
        terminal.resize(*other)
        wait_for(lambda: counted(terminal) == 400)
    for other in SIZES * 3:
        terminal.resize(*other)
    terminal.resize(*size)
    add(log, drawn)
    wait_for(lambda: counted(terminal) == 600)

    # Frozen, while lines are counted.
    terminal.type("Space")
    wait_for(lambda: terminal.lines()[-1].startswith("frozen, Space continues: 600 "))
    add(log, drawn)
    terminal.resize(*SIZES[0])
    wait_for(lambda: counted(terminal) == 600)
    terminal.resize(*size)
    wait_for(lambda: counted(terminal) == 600)
    terminal.type("Space")
    wait_for(lambda: counted(terminal) == 800)

    # Stopped, and continued by the shell.
    terminal.type("C-z")
    wait_for(lambda: terminal.lines()[-1] == "$")
    assert terminal.answer("$(stty -g)") == modes
    add(log, drawn)
    terminal.enter("clear; fg")
    wait_for(lambda: counted(terminal) == 1_000)

    # Ended: the last table, the summary, the prompt, and nothing left of keys and modes.
    terminal.type("Up", "?", "q")
    wait_for(lambda: terminal.lines()[-1] == "$")
    lines = terminal.lines()
    assert lines[-2] == "tailrace: 1,000 lines: 1,000 counted"
    assert lines[-3].endswith("total")
    assert sum(text.endswith("total") for text in lines) == 1
    assert "? keys" not in "\n".join(lines)
    assert terminal.run("display", "-p", "#{cursor_flag} #{alternate_on}").split() == ["1", "0"]
    assert terminal.answer("$? $(jobs)") == "0 "
    assert terminal.answer("$(stty -g)") == modes
