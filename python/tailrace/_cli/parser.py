"""
Parse a verb's arguments with argparse, with tailrace's own errors and the environment's defaults.

What applies to every option is here, so that an option is one call of `add_argument`. In a
metavar, a lower-case word is a value and an upper-case word a kind of value; completions are
generated from both. An option has neither `type` nor `choices`: the verb checks its text, so that
its message can say how to fix it.
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Defaults", "Parser", "UsageError", "variable"]

_ON = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

# The errors that argparse finds by itself, and our words for them.
_ENDINGS = {
    "expected one argument": "expected a value, found none",
    "ignored explicit argument (?P<value>.*)": "expected no value, found {value}",
}

_ENVIRONMENT = """\
An environment variable can set every option except --help: {} by {}.
The command line takes precedence. A variable applies to every command that has the option.
"""

_FLAGS = """\
For a flag, the value is 1 or 0 (also true or false, yes or no).
"""


class UsageError(Exception):
    """A wrong argument, in a message that says how to fix it."""

    def __init__(self, message: str, verb: str | None = None) -> None:
        super().__init__(message)
        self.place = f"tailrace {verb}" if verb else "tailrace"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Show an option's value once, as argparse does since Python 3.13."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {action.metavar}"


class _Once(argparse._StoreAction):
    """Stores the value of an option, which can be given once; a positional argument has several."""

    _given: str | None = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - argparse's own
        option_string: str | None = None,
    ) -> None:
        """Store the value, or report the second one."""
        if option_string and self._given is not None:
            pair = f"{self._given!r:.80} and {values!r:.80}"
            parser.error(f"{self.option_strings[-1]}: expected once, found {pair}; {self._mend()}")
        self._given = values if option_string else None
        super().__call__(parser, namespace, values, option_string)

    def _mend(self) -> str:
        metavar = str(self.metavar)
        if metavar == "CONDITION":
            return "combine conditions with and"
        return "separate several by commas" if metavar.endswith("...") else "omit one"


class Parser(argparse.ArgumentParser):
    """Parses the arguments of `tailrace` or of a verb."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**options, formatter_class=_Formatter, allow_abbrev=False)
        for name in (None, "store"):
            self.register("action", name, _Once)
        # argparse takes -3 for a value, but -3s for an option. The verb's check says more.
        self._negative_number_matcher = re.compile(r"-\.?[0-9]")

    def error(self, message: str) -> NoReturn:
        """Raise an error where argparse would print its usage and exit."""
        for ending, ours in _ENDINGS.items():
            if found := re.fullmatch(rf"argument (?:-.*/)?(-[^/:]+): {ending}", message):
                message = f"{found[1]}: {ours.format(**found.groupdict())}"
        raise UsageError(message, self.prog.partition(" ")[2] or None)

    def format_help(self) -> str:
        """Return the help; if there are options, it ends with how the environment sets them."""
        text = super().format_help()
        options = list(self.settable())
        if not options:
            return text
        name = options[0][1]
        flags = any(action.nargs == 0 for action, _ in options)
        return f"{text}\n{_ENVIRONMENT.format(name, variable(name))}{_FLAGS if flags else ''}"

    def settable(self) -> Iterator[tuple[argparse.Action, str]]:
        """Yield the options that the environment can set, with their long names."""
        for action in self._actions:
            # Options that act at once, such as --help, have no value.
            if action.default is argparse.SUPPRESS:
                continue
            for name in action.option_strings:
                if name.startswith("--"):
                    yield action, name
                    break

    def option_names(self) -> list[str]:
        """Return the long names of all options."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def takes(self, name: str, value: str | None = None) -> bool:
        """Report whether it has an option of this name, long or short, with this value."""
        action = self._option_string_actions.get(name)
        return action is not None and (value is None or value in str(action.metavar).split("|"))

    def take_defaults(self, environment: Mapping[str, str]) -> Defaults:
        """Use the environment's values as defaults; an empty variable counts as unset."""
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
    """The defaults that come from the environment."""

    def __init__(self, taken: Mapping[str, _Default], names: list[str]) -> None:
        self._taken = taken
        self._names = names

    def settle(self, given: argparse.Namespace) -> None:
        """
        Convert the texts of flags to booleans.

        Raises:
            UsageError: A text is neither yes nor no.
        """
        for dest, (name, text, flag) in self._taken.items():
            if flag and self.hold(given, dest):
                if text.lower() not in _ON:
                    message = f"{variable(name)}: expected 1 or 0, found {text!r}"
                    raise UsageError(message, given.verb)
                setattr(given, dest, _ON[text.lower()])

    def hold(self, given: argparse.Namespace, dest: str) -> bool:
        """Report whether an option's value comes from the environment."""
        # Compares identity: a text given on the command line may be equal.
        return dest in self._taken and getattr(given, dest) is self._taken[dest].text

    def blame(self, message: str, given: argparse.Namespace) -> str:
        """
        Return an error's message with the name of the option or variable that caused it.

        A message begins with the option's name, or quotes the value, or names several options
        that do not go together.
        """
        held = [default for dest, default in self._taken.items() if self.hold(given, dest)]
        head, _, rest = message.partition(": ")
        # Messages of the library name its arguments; one is not called as the option is.
        head = "slide" if head == "every" else head.replace("_", "-")
        option = f"--{head.removeprefix('--').replace(' ', '-')}"
        if option in self._names:
            taken = any(option == name for name, _, _ in held)
            others = [
                one
                for one in held
                if one.name != option
                and (f"the {one.name[2:]} " in rest or f"with {one.name};" in rest)
            ]
            return f"{variable(option) if taken else option}: {rest}{_set_by(others)}"
        for name, text, _ in held:
            if any(repr(part.strip()) in message for part in (text, *text.split(","))):
                return f"{variable(name)}: {message}"
        words = message.replace("--", "").split()
        return message + _set_by([one for one in held if one.name[2:] in words])


def _set_by(defaults: Sequence[_Default]) -> str:
    """Return a remark that these options are set by the environment."""
    variables = [f"{variable(one.name)}={one.text}" for one in defaults]
    return f" (the environment sets {', '.join(variables)})" if variables else ""


def variable(name: str) -> str:
    """
    Return the environment variable of an option.

    >>> variable("--log-format")
    'TAILRACE_LOG_FORMAT'
    """
    return f"TAILRACE_{name.removeprefix('--').replace('-', '_').upper()}"
