"""
Writes the texts that are made of the command's own parsers: help, completions, the manual page.

They are checked in, so that neither this nor the libraries it needs are installed with the package.
`make texts` writes them; a test compares them. What is completed is told by an option's metavar:
words in small letters are values, and the kinds in capitals are listed here.
"""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING
from unittest import mock

import shtab
from argparse_manpage.manpage import Manpage
from places import ROOT

from tailrace import __version__, _core
from tailrace._cli.parser import variable
from tailrace._cli.verbs import parsers

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace._cli.parser import Parser

__all__ = ["HELP", "SHELL", "completed", "texts"]

HELP = ROOT / "tests" / "cases" / "help"
SHELL = ROOT / "python" / "tailrace" / "_cli" / "shell"

# Those that mean the same in every format; a format's own names are not offered.
_FIELDS = [name for name, _, _ in _core.standard_fields()]

# Every kind of value that a metavar may name, and what it is completed with; None is a file.
_KINDS: dict[str, list[str] | None] = {
    "SOURCE": None,
    "FILE": None,
    "NAME": list(_core.FORMATS),
    "FIELD": _FIELDS,
    # Any number or text will do.
    "DURATION": [],
    "LINE": [],
    "COLUMN": [],
    "CONDITION": [],
    "WHEN": [],
    "N": [],
    "N/s": [],
}

# Quotes and backslashes in a file's name are bash's own business, so for files nothing is offered
# but what `-o default` falls back to. It cuts words at `=`, where shtab does not look for one.
_BASH = """
_tailrace() {
  local words=() at=0 i
  for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
    [[ ${COMP_WORDS[i]} == "=" && $i -ne $COMP_CWORD ]] && continue
    ((i == COMP_CWORD)) && at=${#words[@]}
    words+=("${COMP_WORDS[i]}")
  done
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$at
  [[ ${COMP_WORDS[at]} == "=" ]] && COMP_WORDS[at]=""
  _shtab_tailrace
}

complete -o bashdefault -o default -F _tailrace tailrace
"""


def texts() -> dict[Path, str]:
    """Return every file that is made, and what belongs into it."""
    made = {
        SHELL / "tailrace.bash": _bash(),
        SHELL / "_tailrace": _zsh(),
        SHELL / "tailrace.fish": _fish(),
        SHELL / "tailrace.1": _manual(),
    }
    with mock.patch.dict(os.environ, {"COLUMNS": "100"}):
        top, verbs = parsers()
        for name, parser in {"tailrace": top, **verbs}.items():
            made[HELP / f"{name}.txt"] = parser.format_help()
    return made


def completed(metavar: str) -> list[str] | None:
    """
    Return the values that a metavar stands for, None for files.

    Raises:
        KeyError: It names a kind that is not listed above.
    """
    values: list[str] = []
    for word in metavar.split("|"):
        # A list is completed up to its first comma.
        kind = word.partition(",")[0]
        more = [kind] if kind.islower() else _KINDS[kind]
        if more is None:
            return None
        values += more
    return values


def _to_complete() -> Parser:
    """Return the parser with what shtab looks at."""
    top, verbs = parsers()
    for verb in verbs.values():
        for action in verb._actions:
            if action.metavar is None:
                continue
            metavar = str(action.metavar)
            if action.help == argparse.SUPPRESS:
                # The help tells of them in its first lines, but they are to be completed.
                action.help = metavar
            values = completed(metavar)
            if values is None:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif values:
                action.choices = values
    return top


def _bash() -> str:
    text = shtab.complete(_to_complete(), "bash")
    return _with(text, r"\ncomplete -o .*|\n.*_COMPGEN=_shtab_compgen_files", "") + _BASH


def _zsh() -> str:
    text = shtab.complete(_to_complete(), "zsh") + "\n"
    # shtab lets a file follow, not files, and no value behind `=`.
    text = _with(text, r'"\(\*\)::', '"*:')
    return _with(text, r'(--[a-z-]+)(?=\}?"?\[.*\]:)', r"\1=")


def _fish() -> str:
    # What shtab completes files with sees neither quotes nor backslashes; fish itself does.
    files = r'"\(__fish_complete_path \(commandline -ct\)\)"'
    text = _with(shtab.complete(_to_complete(), "fish") + "\n", f"-ka {files}", "-F")
    return re.sub(f"-xka {files}", "-rF", text)


def _with(text: str, old: str, new: str) -> str:
    """Replace what is there; another version of shtab might write otherwise."""
    text, count = re.subn(old, new, text)
    if not count:
        raise ValueError(f"shtab writes no {old} any more")
    return text


def _manual() -> str:
    top, verbs = parsers()
    about = str(top.description)
    top.description = (
        "Each verb has options of its own. A SOURCE is a path, - for standard input, or "
        "flume://HOST:PORT; there may be several, of any kind. Files in gzip are unpacked."
    )
    first, codes, _ = str(top.epilog).split("\n\n")
    examples = [first]
    fields = ""
    top.epilog = None
    for action in top._subparsers._group_actions[0]._choices_actions:
        action.help = None  # the description begins with it
    variables: dict[str, list[str]] = {}
    for name, verb in verbs.items():
        verb._optionals.title = None
        for part in str(verb.epilog or "").strip().split("\n\n"):
            if part.startswith("Examples:"):
                examples.append(part)
            elif part.startswith("Fields:"):
                fields = part
        for _, option in verb.settable():
            variables.setdefault(option, []).append(name)
    page = Manpage(
        top,
        format="single-commands-section",
        _data={
            "project_name": "tailrace",
            "version": __version__,
            "manual_title": "User Commands",
            "description": about.rstrip("."),
            "date": " ",
        },
    )
    page.add_section("FIELDS", "=", _as_it_is(_body(fields)))
    page.add_section("EXIT STATUS", "=", _as_it_is(_body(codes)))
    page.add_section(
        "ENVIRONMENT",
        "=",
        "An option that is not given is taken from its variable, unless that is empty. A variable "
        "is for every verb that has the option. Those of flags are 1, true or yes, or 0, false or "
        "no.\n"
        + "\n".join(
            f".TP\n.B {variable(option)}\n{_escaped(option)} of {', '.join(of)}"
            for option, of in sorted(variables.items())
        ),
    )
    page.add_section("EXAMPLES", "=", _as_it_is("\n".join(map(_body, examples))))
    return str(page).replace("\nusage: tailrace", "\ntailrace")


def _body(part: str) -> str:
    return part.partition("\n")[2]


def _as_it_is(text: str) -> str:
    return f".nf\n{_escaped(text)}\n.fi"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def main() -> None:
    """Write all of them."""
    for path, text in texts().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
