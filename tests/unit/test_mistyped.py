"""Options of other programs: the message names ours."""

from __future__ import annotations

import pytest

from tailrace._cli.mistyped import _OPTION, _OTHER_NAMES
from tailrace._cli.parser import UsageError
from tailrace._cli.verbs import parsers, run

LISTED = "'tailrace help {}' lists all of them"


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ("top -f x.log", "did you mean '-F' (--follow)? " + LISTED),
        ("top x.log -f", "did you mean '-F' (--follow)? " + LISTED),
        ("parse -f x.log", "did you mean '-F' (--follow)? " + LISTED),
        ("top --tail x.log", "did you mean '-F' (--follow)? " + LISTED),
        ("top -w 5m x.log", "did you mean '--window'? " + LISTED),
        ("top -w5m x.log", "did you mean '--window'? " + LISTED),
        ("top -w=5m x.log", "did you mean '--window'? " + LISTED),
        ("top --interval=5s x.log", "did you mean '--slide'? " + LISTED),
        ("top -s 5 x.log", "did you mean '--slide'? " + LISTED),
        ("top --group-by url x.log", "did you mean '--by'? " + LISTED),
        ("top --head 5", "did you mean '-n' (--limit)? " + LISTED),
        ("parse --filter x", "did you mean '--where'? " + LISTED),
        ("top --fields url", "did you mean '--by'? 'tailrace parse' has --fields"),
        ("parse --json", "did you mean '--format jsonl'? " + LISTED),
        ("parse --parquet", "did you mean '--format parquet'? " + LISTED),
        ("top --parquet", "'tailrace parse' has '--format parquet'"),
        ("parse -w 5m x.log", "'tailrace top' has '--window'"),
        ("parse --by url", "'tailrace top' has it"),
        ("parse -n 5", "'tailrace top' has it"),
        ("send -f x", "expected one of --help, --batch, --connections, --rate"),
        ("top -o x.csv", "results go to standard output: write > FILE, and choose their form with"),
        ("parse --output=x", "results go to standard output: write > FILE, and choose their form"),
        ("top --windw 5m", "did you mean '--window'? " + LISTED),
    ],
)
def test_an_option_of_another_program_names_ours(arguments: str, right: str):
    verb, *words = arguments.split()
    with pytest.raises(UsageError) as raised:
        run([verb, *words])
    name = next(word for word in words if word.startswith("-")).partition("=")[0]
    assert str(raised.value).startswith(f"unknown option {name!r}; {right.format(verb)}")
    assert raised.value.place == f"tailrace {verb}"


def test_each_name_in_a_message_is_an_option():
    verbs = parsers()[1].values()
    for shown in _OTHER_NAMES:
        assert any(verb.takes(*_OPTION.findall(shown)) for verb in verbs), shown


def test_no_other_name_is_one_of_ours():
    top = parsers()[1]["top"]
    names = [name for foreign in _OTHER_NAMES.values() for name in foreign.split()]
    assert len(names) == len(set(names))
    assert not [name for name in names if top.takes(name)]
