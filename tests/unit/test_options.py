"""What holds for every option of every verb, those included that are added later."""

import argparse

import pytest
import texts

from tailrace._cli.parser import Defaults, Parser, variable
from tailrace._cli.verbs import VERBS, parsers


def options() -> list[tuple[str, str, str]]:
    """Return every verb with each of its options, and where its value ends up."""
    return [
        (verb, name, action.dest)
        for verb, parser in parsers()[1].items()
        for action, name in parser.settable()
    ]


def parsed(
    verb: str, arguments: list[str], environment: dict[str, str]
) -> tuple[argparse.Namespace, Defaults]:
    top, verbs = parsers()
    defaults = verbs[verb].take_defaults(environment)
    given = top.parse_args([verb, *arguments])
    defaults.settle(given)
    return given, defaults


def is_flag(verb: str, name: str) -> bool:
    return {option: action.nargs for action, option in parsers()[1][verb].settable()}[name] == 0


def test_the_list_of_verbs_says_what_their_help_begins_with():
    summaries = {name: parser.description for name, parser in parsers()[1].items()}
    # What these do fits a line in other words than its own help has.
    for name in summaries.keys() - {"completions", "help"}:
        assert str(summaries[name]).startswith(VERBS[name] + "\n")


def test_there_are_options():
    assert len(options()) > 15
    assert ("top", "--idle-timeout", "idle_timeout") in options()


@pytest.mark.parametrize(("verb", "name", "dest"), options())
def test_an_option_is_taken_from_its_variable_and_the_command_line_wins(
    verb: str, name: str, dest: str
):
    if is_flag(verb, name):
        texts_of_a_flag = {"1": True, "true": True, "YES": True, "0": False, "No": False}
        for text, value in texts_of_a_flag.items():
            given, _ = parsed(verb, [], {variable(name): text})
            assert getattr(given, dest) is value
        assert getattr(parsed(verb, [name], {variable(name): "0"})[0], dest) is True
    else:
        given, defaults = parsed(verb, [], {variable(name): "of it"})
        assert getattr(given, dest) == "of it"
        assert defaults.hold(given, dest)
        given, defaults = parsed(verb, [name, "mine"], {variable(name): "of it"})
        assert getattr(given, dest) == "mine"
        assert not defaults.hold(given, dest)


@pytest.mark.parametrize(("verb", "name", "dest"), options())
def test_an_empty_variable_is_none(verb: str, name: str, dest: str):
    given, _ = parsed(verb, [], {variable(name): ""})

    assert getattr(given, dest) == getattr(parsed(verb, [], {})[0], dest)


@pytest.mark.parametrize("verb", VERBS)
def test_a_variable_of_another_verb_and_one_of_no_option_change_nothing(verb: str):
    mine = {name for of, name, _ in options() if of == verb}
    others = {variable(name): "nonsense" for _, name, _ in options() if name not in mine}
    others |= dict.fromkeys(("TAILRACE_HELP", "TAILRACE_VERSION", "TAILRACE_SOURCES"), "nonsense")
    given, _ = parsed(verb, [], others)

    assert "nonsense" not in vars(given).values()


@pytest.mark.parametrize("verb", VERBS)
def test_help_mentions_the_variables_once_if_there_are_options(verb: str):
    parser = parsers()[1][verb]
    count = parser.format_help().count("TAILRACE_")

    assert count == (1 if any(parser.settable()) else 0)


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_leaves_its_mistakes_to_the_verb_and_is_completed_by_its_metavar(verb: str):
    for action in actions(parsers()[1][verb]):
        assert action.type is None, action
        assert action.choices is None, action
        if action.nargs != 0:
            # KeyError: a new kind of value belongs into the list in tests/texts.py.
            texts.completed(str(action.metavar))


def test_help_needs_no_more_than_ascii():
    top, verbs = parsers()
    for parser in (top, *verbs.values()):
        assert parser.format_help().isascii()


def actions(parser: Parser) -> list[argparse.Action]:
    return parser._actions


@pytest.mark.parametrize(
    ("message", "blamed"),
    [
        ("window: '5x' is no duration", "TAILRACE_WINDOW: '5x' is no duration"),
        ("--limit: 'ten' is no number", "TAILRACE_LIMIT: 'ten' is no number"),
        ("idle_timeout: by arrival", "TAILRACE_IDLE_TIMEOUT: by arrival"),
        ("'json' is no output format", "TAILRACE_FORMAT: 'json' is no output format"),
        ("every: '5x' is no duration", "--slide: '5x' is no duration"),
        ("'x5x' is no file", "'x5x' is no file"),
        ("a window of 5x", "a window of 5x (the environment sets TAILRACE_WINDOW=5x)"),
        (
            "slide: no divisor of the window 5s",
            "--slide: no divisor of the window 5s (the environment sets TAILRACE_WINDOW=5x)",
        ),
    ],
)
def test_an_error_names_the_variable_that_caused_it(message: str, blamed: str):
    environment = {
        "TAILRACE_WINDOW": "5x",
        "TAILRACE_LIMIT": "ten",
        "TAILRACE_FORMAT": "json",
        "TAILRACE_IDLE_TIMEOUT": "1s",
        "TAILRACE_SLIDE": "9s",
    }
    given, defaults = parsed("top", ["--slide", "5x"], environment)

    assert defaults.blame(message, given) == blamed
