"""
How a verb's arguments are read: argparse, with errors of our own and defaults from the environment.

What holds for every option alike is here, so that an option is one call of `add_argument`. In a
metavar a word in small letters is a value, one in capitals a kind of value; completions are made
of both. An option has neither `type` nor `choices`: the verb checks its text, and says the mend.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Defaults", "Parser", "UsageError", "variable"]

_ON = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

# What argparse itself finds wrong, and our words for it.
_ENDINGS = {
    "expected one argument": "needs a value behind it",
    "ignored explicit argument .*": "takes no value",
}

_ENVIRONMENT = """\
An option --some-name that is not given is taken from TAILRACE_SOME_NAME (of a flag: 1 or 0).
"""


class UsageError(Exception):
    """A wrong argument, in one line that names the mend."""

    def __init__(self, message: str, verb: str | None = None) -> None:
        super().__init__(message)
        self.place = f"tailrace {verb}" if verb else "tailrace"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Name the value once, as argparse does from Python 3.13 on."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {action.metavar}"


class Parser(argparse.ArgumentParser):
    """The arguments of the command, or of a verb."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**options, formatter_class=_Formatter, allow_abbrev=False)
        # argparse takes -3 for a value, but -3s for an option; whoever checks the value says more.
        self._negative_number_matcher = re.compile(r"-\.?[0-9]")

    def error(self, message: str) -> NoReturn:
        """Raise, where argparse would print its usage and exit."""
        for ending, ours in _ENDINGS.items():
            if found := re.fullmatch(rf"argument (?:-.*/)?(-[^/:]+): {ending}", message):
                message = f"{found[1]} {ours}"
        raise UsageError(message, self.prog.partition(" ")[2] or None)

    def format_help(self) -> str:
        """Say at the end where else options are looked for, if there are any."""
        text = super().format_help()
        return f"{text}\n{_ENVIRONMENT}" if any(self.settable()) else text

    def settable(self) -> Iterator[tuple[argparse.Action, str]]:
        """Yield the options that the environment may set, with their long names."""
        for action in self._actions:
            # Those that act at once, such as --help, leave nothing behind.
            if action.default is argparse.SUPPRESS:
                continue
            for name in action.option_strings:
                if name.startswith("--"):
                    yield action, name
                    break

    def option_names(self) -> list[str]:
        """List the long names of all options."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def take_defaults(self, environment: Mapping[str, str]) -> Defaults:
        """Take the environment's values as defaults; an empty one is none."""
        taken = {}
        for action, name in self.settable():
            text = environment.get(variable(name))
            if text:
                action.default = text
                taken[action.dest] = _Default(name, text, flag=action.nargs == 0)
        return Defaults(taken, self.option_names())


class _Default(NamedTuple):
    name: str
    text: str
    flag: bool


class Defaults:
    """The values that came from the environment."""

    def __init__(self, taken: Mapping[str, _Default], names: list[str]) -> None:
        self._taken = taken
        self._names = names

    def settle(self, given: argparse.Namespace) -> None:
        """
        Turn the texts of flags into yes and no.

        Raises:
            UsageError: One is neither.
        """
        for dest, (name, text, flag) in self._taken.items():
            if flag and self.hold(given, dest):
                if text.lower() not in _ON:
                    message = f"{variable(name)}: {text!r} is neither yes nor no; write 1 or 0"
                    raise UsageError(message, given.verb)
                setattr(given, dest, _ON[text.lower()])

    def hold(self, given: argparse.Namespace, dest: str) -> bool:
        """Whether an option's value is that of the environment, and not one that was given."""
        # The very object: a text that was given may be equal, and is another.
        return dest in self._taken and getattr(given, dest) is self._taken[dest].text

    def blame(self, message: str, given: argparse.Namespace) -> str:
        """
        Return what is wrong with a value, with the variable that it came from.

        A message begins with the option's name, or quotes the value, or tells how several options
        go together, in words.
        """
        held = [default for dest, default in self._taken.items() if self.hold(given, dest)]
        head, _, rest = message.partition(": ")
        option = f"--{head.removeprefix('--').replace(' ', '-')}"
        if option in self._names:
            taken = any(option == name for name, _, _ in held)
            return f"{variable(option)}: {rest}" if taken else message
        for name, text, _ in held:
            if any(repr(part.strip()) in message for part in (text, *text.split(","))):
                return f"{variable(name)}: {message}"
        words = message.replace("--", "").split()
        others = [f"{variable(name)}={text}" for name, text, _ in held if name[2:] in words]
        return f"{message} (the environment has {', '.join(others)})" if others else message


def variable(name: str) -> str:
    """
    Return the environment's name of an option.

    >>> variable("--log-format")
    'TAILRACE_LOG_FORMAT'
    """
    return f"TAILRACE_{name.removeprefix('--').replace('-', '_').upper()}"
