"""Patterns in conditions, against Python's `re`; and text in any case."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import line
from profiles import examples

import tailrace as tr

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "0",
        "-",
        "/",
        r"\.",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        "[ab]",
        "[^a/]",
        "[0-9.]",
        "B",
    ]
)
ANCHORS = st.sampled_from(["^", "$", r"\b"])
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "*?", "+?"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("({}){}".format, inner, QUANTIFIERS)
    either = st.builds("(?:{}|{})".format, inner, inner)
    return st.lists(inner | group | either, min_size=1, max_size=3).map("".join)


SIMPLE = st.builds("{}{}".format, ATOMS, QUANTIFIERS) | ANCHORS
PATTERNS = st.builds(
    "{}{}".format, st.sampled_from(["", "", "(?i)"]), st.recursive(SIMPLE, combined, max_leaves=8)
)
TEXTS = st.text("abAB019 ./-_", max_size=12)


def kept(condition: str, values: list[object]) -> list[bool]:
    """Return which values of a key a condition keeps."""
    lines = [json.dumps({"n": n, "t": value}) for n, value in enumerate(values)]
    query = tr.from_lines(lines, format="json").where(condition)
    found = {row["n"] for batch in query.parse(["n"]) for row in batch.to_dicts()}
    return [n in found for n in range(len(values))]


@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=8), st.sampled_from("\"'"))
@examples(300)
def test_a_pattern_matches_what_python_says(pattern: str, texts: list[str], quote: str):
    expected = [re.search(pattern, text, re.ASCII) is not None for text in texts]
    assert kept(f"t ~ {quote}{pattern}{quote}", [*texts, None]) == [*expected, False]
    not_matching = [not one for one in expected]
    assert kept(f"t !~ {quote}{pattern}{quote}", [*texts, None]) == [*not_matching, True]


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=8))
@examples(200)
def test_text_in_any_case_is_found(part: str, texts: list[str]):
    expected = [part.lower() in text.lower() for text in texts]
    assert kept(f"t icontains '{part}'", [*texts, None]) == [*expected, False]
    opposite = [not one for one in expected]
    assert kept(f"t not icontains '{part}'", [*texts, None]) == [*opposite, True]


@given(st.lists(st.integers(-1_000, 1_000) | st.floats(-1e3, 1e3).map(lambda x: round(x, 2))))
@examples(50)
def test_a_number_matches_by_its_text(values: list[object]):
    for pattern in ("^-", "5$", r"^\d+$", r"\.", "^1"):
        expected = [re.search(pattern, json.dumps(value)) is not None for value in values]
        assert kept(f"t ~ '{pattern}'", values) == expected


@pytest.mark.parametrize(
    ("condition", "urls"),
    [
        (r'url ~ "^/api/v[0-9]+/"', ["/api/v1/users", "/api/v22/users"]),
        ("url ~ ^/api/v1", ["/api/v1/users"]),
        (r'url ~ "\.(css|js)$"', ["/main.css", "/x/app.js"]),
        ('url !~ "^/api/" and url !~ "[.]"', ["/API/v1", "/~joe"]),
        ("url icontains /api/V1", ["/api/v1/users", "/API/v1"]),
        ("url ~ /~joe or url~css$", ["/main.css", "/~joe"]),
        ("url startswith /~", ["/~joe"]),
        ("url:noquery ~ '^/api/v1/users$'", ["/api/v1/users"]),
        ("status ~ ^2 and not url ~ '.'", []),
    ],
)
def test_fields_of_a_log(condition: str, urls: list[str]):
    every = ["/api/v1/users", "/api/v22/users", "/main.css", "/x/app.js", "/API/v1", "/~joe"]
    query = tr.from_lines(map(line, every)).where(condition).count(by="url").sorted()
    assert {row["url"] for row in query.collect()} == set(urls)


@pytest.mark.parametrize(
    ("condition", "message", "mark"),
    [
        ('url ~ "a(b"', "invalid pattern: unclosed group", 8),
        ('status == 5 and url ~ "é(?=x)"', "look-around such as (?=x) is not supported", 24),
        (r"url ~ '(.)\1'", "backreferences are not supported", 10),
        ("url ~ a|b", "a pattern with this character has to be quoted", 7),
        ("url ~ '(a{1000}){1000}'", "the pattern is too large", 7),
        ("time ~ 2015", "time is a time, not text", 0),
        ("url matches x", "use ~ for a regular expression", 4),
    ],
)
def test_an_invalid_pattern_is_one_error_with_a_mark(condition: str, message: str, mark: int):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        tr.from_lines([line("/")]).where(condition)
    first, shown, marked = str(raised.value).split("\n")
    assert first.startswith("where: ")
    assert shown == f"  {condition}"
    assert marked.rstrip("^") == " " * (2 + mark)


def test_time_is_linear_in_the_length_of_a_field():
    # In a backtracking engine each of these lines takes longer than the age of the universe.
    lines = [line("/" + "a" * 30_000) for _ in range(20)]
    query = tr.from_lines(lines).where(
        "url ~ '(a+)+$' and url !~ '(a|a)*b$' and url ~ '(a?){50}a{50}'"
    )
    assert query.count().collect().total == 20
