"""
Generate help, completions and the manual page from the command's own parsers.

The texts are committed, so that neither this nor its libraries are installed with the package.
`make texts` writes them, and a test compares them. An option's metavar defines its completion:
lower-case words are values, and the upper-case kinds of values are listed here.
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

# The fields that have the same name in every format; those of one format are not completed, and no
# steps: with them no name of a field would be complete, and shells end words at colons.
_FIELDS = [name for name, _, _ in _core.standard_fields()]

# Every kind of value that a metavar may name, with its completions; None means files.
_KINDS: dict[str, list[str] | None] = {
    "SOURCE": None,
    "FILE": None,
    "DIR": None,
    "FORMAT": list(_core.FORMATS),
    "NAME": list(_core.FORMATS),
    "FIELD": _FIELDS,
    # Any number or text is valid.
    "DURATION": [],
    "LINE": [],
    "COLUMN": [],
    "+COLUMN": [],
    "EXPR": [],
    "CONDITION": [],
    "WHEN": [],
    "ZONE": [],
    "N": [],
    "N/s": [],
    "SIZE": [],
}

# Files are left to `-o default`, because bash itself handles quotes and backslashes in their names.
# bash splits words at `=`, which shtab does not expect.
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
    """Return every generated file with its text."""
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
    Return the completions of a metavar, None for files.

    Raises:
        KeyError: The metavar names a kind that is not listed above.
    """
    values: list[str] = []
    for word in metavar.split("|"):
        # Only the first name of a list is completed.
        kind = word.partition(",")[0]
        more = [kind] if kind.islower() else _KINDS[kind]
        if more is None:
            return None
        values += more
    return values


def _to_complete() -> Parser:
    """Return the parser with the attributes that shtab reads."""
    top, verbs = parsers()
    for verb in verbs.values():
        for action in verb._actions:
            if action.metavar is None:
                continue
            metavar = str(action.metavar)
            if action.help == argparse.SUPPRESS:
                # Positional arguments are in the help's first lines; shtab needs a text.
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
    # shtab completes one file, not several, and no value after `=`.
    text = _with(text, r'"\(\*\)::', '"*:')
    return _with(text, r'(--[a-z-]+)(?=\}?"?\[.*\]:)', r"\1=")


def _fish() -> str:
    # shtab's completion of files ignores quotes and backslashes; that of fish does not.
    files = r'"\(__fish_complete_path \(commandline -ct\)\)"'
    text = _with(shtab.complete(_to_complete(), "fish") + "\n", f"-ka {files}", "-F")
    return re.sub(f"-xka {files}", "-rF", text)


def _with(text: str, old: str, new: str) -> str:
    """Replace text that must be there: another version of shtab might write something else."""
    text, count = re.subn(old, new, text)
    if not count:
        raise ValueError(f"expected {old} in the output of shtab")
    return text


def _manual() -> str:
    top, verbs = parsers()
    about = str(top.description)
    top.description = (
        "Each command has its own options. A SOURCE is a file, - for standard input, or "
        "flume://HOST:PORT to listen for events. Several sources of any kind can be given. "
        "Files compressed with gzip, bzip2, xz or zstd are decompressed."
    )
    first, codes, _ = str(top.epilog).split("\n\n")
    examples = [first]
    signals = []
    conditions = ""
    top.epilog = None
    for action in top._subparsers._group_actions[0]._choices_actions:
        action.help = None  # the description begins with the same sentence
    variables: dict[str, list[str]] = {}
    for name, verb in verbs.items():
        verb._optionals.title = None
        for part in str(verb.epilog or "").strip().split("\n\n"):
            if part.startswith("Examples:"):
                examples.append(part)
            elif part.startswith("Conditions:"):
                conditions = part
            elif part.startswith("Signals:"):
                signals.append(f"tailrace {name}:\n{_body(part)}")
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
    page.add_section("CONDITIONS", "=", _as_it_is(_body(conditions)))
    page.add_section("FIELDS", "=", _as_it_is(_fields()))
    page.add_section("EXIT STATUS", "=", _as_it_is(_body(codes)))
    page.add_section("SIGNALS", "=", _as_it_is("\n\n".join(signals)))
    page.add_section(
        "ENVIRONMENT",
        "=",
        "An option that is not given on the command line takes the value of its environment "
        "variable, if that is not empty. A variable applies to every command with that option. "
        "For a flag, the value is 1, true or yes, or 0, false or no.\n"
        + "\n".join(
            f".TP\n.B {variable(option)}\n{_escaped(option)} of {', '.join(of)}"
            for option, of in sorted(variables.items())
        ),
    )
    page.add_section("EXAMPLES", "=", _as_it_is("\n".join(map(_body, examples))))
    return str(page).replace("\nusage: tailrace", "\ntailrace")


def _fields() -> str:
    fields = [f"  {name:15}  {kind:5}  {about}" for name, kind, about in _core.standard_fields()]
    steps = [f"  {example:15}  {about}" for _, example, about in _core.STEPS]
    return "\n".join([*fields, "", "A name can be followed by steps:", "", *steps])


def _body(part: str) -> str:
    return part.partition("\n")[2]


def _as_it_is(text: str) -> str:
    return f".nf\n{_escaped(text)}\n.fi"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def main() -> None:
    """Write all texts."""
    for path, text in texts().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
