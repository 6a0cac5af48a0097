"""Completions, typed in real shells; the manual page; and that all of it is made of the parsers."""

import importlib.metadata
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import texts
from live import COMMAND, wait_for

from tailrace._cli.parser import variable
from tailrace._cli.verbs import parsers

PROMPT = "ready> "
SAID = "it ran"

# How a shell is started, and what is typed before the first prompt of ours.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"PS1='{PROMPT}'; . ./tailrace.bash"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; PS1='{PROMPT}'",
    ),
    "fish": (["fish"], f"function fish_prompt; echo '{PROMPT}'; end; source tailrace.fish"),
}
FILES = {"bash": "tailrace.bash", "zsh": "_tailrace", "fish": "tailrace.fish"}

# What is typed after `tailrace`, and its arguments; a value may follow `=`.
TYPED = {
    "to\taccess.log": "top access.log",
    "pars\tacc\t": "parse access.log",
    "form\tcla\t": "formats classic",
    "help pa\t": "help parse",
    "comp\tf\t": "completions fish",
    "--ver\t": "--version",
    "top --log-f\tcla\tacc\t": "top --log-format classic access.log",
    "top --log-format au\tacc\t": "top --log-format auto access.log",
    "top --format js\tacc\t": "top --format jsonl access.log",
    "top --format=js\tacc\t": "top --format jsonl access.log",
    "top --time=arr\t-F acc\t": "top --time arrival -F access.log",
    "top -n al\tacc\t": "top -n all access.log",
    "top --by ur\tacc\t": "top --by url access.log",
    "top --fol\tacc\t": "top --follow access.log",
    "send --ba\t100 acc\t": "send --batch 100 access.log",
    "top --window 5m acc\t": "top --window 5m access.log",
    "parse access.log --stri\t": "parse access.log --strict",
    "parse access.log sub\tin\t": "parse access.log sub/inner.log",
}


def present(shell: str) -> None:
    if shutil.which(shell) is None:
        if os.environ.get("CI"):
            pytest.fail(f"no {shell}")
        pytest.skip(f"no {shell}: apt-get install {shell}")


def printed(shell: str) -> str:
    ran = subprocess.run(
        [*COMMAND, "completions", shell], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    return ran.stdout


class Terminal:
    """A shell at work in a terminal of its own."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def wait_for_prompt(self) -> None:
        """Wait for the prompt that follows what a command said; before it others are drawn anew."""
        wait_for(self._answered)
        self.seen = ""

    def _answered(self) -> bool:
        if select.select([self.descriptor], [], [], 0)[0]:
            self.seen += os.read(self.descriptor, 65536).decode(errors="replace")
        _, said, after = self.seen.rpartition(SAID)
        return bool(said) and PROMPT in after


@contextmanager
def terminal(shell: str, directory: Path) -> Iterator[Terminal]:
    """Start a shell with completions, among some files, and a command that notes its words."""
    (directory / "sub").mkdir()
    for name in ("access.log", "my log.txt", "sub/inner.log"):
        (directory / name).touch()
    (directory / "bin").mkdir()
    command = directory / "bin" / "tailrace"
    command.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" > typed\necho 'it ran'\n")
    command.chmod(0o755)
    (directory / FILES[shell]).write_text(printed(shell))
    start, first = SHELLS[shell]
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(directory)
        kept = {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "HOME": str(directory)}
        os.execvpe(start[0], start, kept | {"TERM": "xterm", "LC_ALL": "C.UTF-8"})  # noqa: S606 - it is one
    try:
        shown = Terminal(descriptor)
        shown.type(f'{first}; echo it" "ran\r')
        shown.wait_for_prompt()
        yield shown
    finally:
        # A hang-up ends the shell.
        os.close(descriptor)
        os.waitpid(pid, 0)


def arguments(shown: Terminal, directory: Path, text: str) -> list[str]:
    """Type what is to be completed, and return the words that the command got."""
    shown.type(f"tailrace {text}\r")
    shown.wait_for_prompt()
    return (directory / "typed").read_text().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_verbs_options_values_and_files(shell: str, tmp_path: Path):
    present(shell)
    found = {}
    with terminal(shell, tmp_path) as shown:
        for text in TYPED:
            words = arguments(shown, tmp_path, text)
            found[text] = " ".join(words).replace("=", " ")

    assert found == TYPED


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["top my\t", "top my\\ l\t", 'top "my l\t'])
def test_a_shell_completes_a_name_with_a_blank(shell: str, text: str, tmp_path: Path):
    present(shell)
    with terminal(shell, tmp_path) as shown:
        assert arguments(shown, tmp_path, text) == ["top", "my log.txt"]


def test_what_is_made_of_the_parsers_is_checked_in_and_nothing_else():
    made = texts.texts()
    there = {*texts.HELP.iterdir(), *texts.SHELL.iterdir()}
    stale = [path.name for path in made.keys() & there if path.read_text() != made[path]]

    assert there == made.keys()
    assert stale == [], "write them anew with: make texts"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "man"])
def test_the_command_prints_what_is_installed_for_a_shell(name: str):
    places = {
        "bash": "share/bash-completion/completions/tailrace",
        "zsh": "share/zsh/site-functions/_tailrace",
        "fish": "share/fish/vendor_completions.d/tailrace.fish",
        "man": "share/man/man1/tailrace.1",
    }
    installed = importlib.metadata.files("tailrace") or []
    (file,) = [file for file in installed if str(file).endswith(places[name])]

    assert file.locate().read_text() == printed(name), "install it anew with: make build"


def test_man_finds_the_page_beside_the_command_and_shows_it_without_a_warning():
    present("man")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if name != "MANPATH"}
    ran = subprocess.run(
        ["man", "--warnings", "tailrace"],
        capture_output=True,
        text=True,
        check=True,
        env=kept | {"PATH": path, "MANPAGER": "cat", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
    )

    assert ran.stderr == ""
    shown = re.sub(r"\s+", " ", ran.stdout)
    assert "NAME tailrace - Count and rank log lines" in shown
    for verb, parser in parsers()[1].items():
        assert f"tailrace {verb}" in shown
        for _, option in parser.settable():
            assert f"{option} " in shown
            assert f"{variable(option)} {option} of" in shown


def test_nothing_of_it_needs_a_library_where_it_is_installed():
    code = "import sys, tailrace._cli as c; c.run(['completions', 'bash']); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"shtab", "argparse_manpage"} & set(ran.stdout.split())
