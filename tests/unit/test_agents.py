"""Families of user agents and bots, against the packages that their patterns come from."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler
from places import DATA
from profiles import seeded
from ua_parser import Parser
from ua_parser.basic import Resolver
from ua_parser.matchers import DeviceMatcher, UserAgentMatcher
from ua_parser_builtins.lazy import MATCHERS

import tailrace as tr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ua_parser import Matchers

LINE = '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "{}"'

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

EXPECTED = [
    (CHROME, "Chrome", False),
    (SAFARI, "Mobile Safari", False),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0", "Firefox", False),
    (GOOGLEBOT, "Googlebot", True),
    ("curl/8.5.0", "curl", True),
    ("python-requests/2.31.0", "Python Requests", True),
    ("SomethingNewBot/1.0 (+https://bot.example)", "SomethingNewBot", True),
    ("what/1", "Other", False),
    ("-", None, None),
    ("", None, None),
]


def looked_up(agents: Sequence[str], fields: Sequence[str]) -> list[tuple[object, ...]]:
    lines = [LINE.format(agent) for agent in agents]
    batch = tr.Format("combined").parse(lines, fields=fields)
    assert len(batch) == len(agents)
    return [tuple(row.values()) for row in batch]


def test_an_agent_has_a_family_and_is_a_bot_or_not():
    agents = [agent for agent, _, _ in EXPECTED]

    found = looked_up(agents, ["agent:family", "agent:bot"])

    assert found == [(family, is_bot) for _, family, is_bot in EXPECTED]


def of_logs() -> list[str]:
    """Return the distinct agents of the real logs."""
    names = [str(path) for path in DATA.glob("*.gz")]
    batches = tr.from_files(*names, format="combined").parse(["agent"])
    agents = {row["agent"] for batch in batches for row in batch}
    return sorted(agent for agent in agents if isinstance(agent, str) and is_plain(agent))


def of_crawlers() -> list[str]:
    agents = {agent for one in CRAWLER_USER_AGENTS_DATA for agent in one.get("instances", [])}
    return sorted(filter(is_plain, agents))


def is_plain(agent: str) -> bool:
    """Whether an agent is the same text in a line."""
    return agent == agent.strip() and not {'"', "\\", "\ufffd", "\n"} & {*agent} and agent != "-"


def unbounded(regex: str) -> str:
    """
    Return a pattern as the crate ua-parser reads it: `{0,200}` and the like have no upper bound.

    The bounds only keep engines with backtracking from taking long.
    """
    return re.sub(r"\{0,\d{3}\}", "*", re.sub(r"\{1,\d{3}\}", "+", regex))


UNBOUNDED = (
    [UserAgentMatcher(unbounded(one.regex), one.family) for one in MATCHERS[0]],
    [],
    [DeviceMatcher(unbounded(one.regex), one.regex_flag, one.family) for one in MATCHERS[2]],
)


def of_packages(matchers: Matchers, agent: str) -> tuple[str, bool]:
    """Return the family of an agent and whether it is a bot, as the packages say."""
    found = Parser(Resolver(matchers)).parse(agent)
    family = found.user_agent.family if found.user_agent else "Other"
    is_spider = found.device is not None and found.device.family == "Spider"
    return family, is_spider or is_crawler(agent)


@pytest.mark.parametrize("source", [of_logs, of_crawlers])
def test_families_and_bots_are_those_of_the_packages(source: Callable[[], list[str]]):
    agents = source()
    found = dict(zip(agents, looked_up(agents, ["agent:family", "agent:bot"]), strict=True))

    assert len(agents) > 500
    assert found == {agent: of_packages(UNBOUNDED, agent) for agent in agents}
    bounded = [agent for agent in agents if found[agent] != of_packages(MATCHERS, agent)]
    # The text that decides is after 100 characters.
    assert all(len(agent) > 100 for agent in bounded)
    assert len(bounded) < 0.005 * len(agents)


def test_agents_are_keys_and_conditions():
    agents = [CHROME] * 5 + [GOOGLEBOT] * 3 + ["curl/8.5.0", "-"]
    query = tr.from_lines([LINE.format(agent) for agent in agents])

    assert query.count(by="agent:bot").collect().rows == [
        {"agent:bot": False, "count": 5},
        {"agent:bot": True, "count": 4},
        {"agent:bot": None, "count": 1},
    ]
    by_family = query.where("agent:bot == true").count(by="agent:family")
    assert by_family.collect().rows == [
        {"agent:family": "Googlebot", "count": 3},
        {"agent:family": "curl", "count": 1},
    ]
    assert query.where("agent:family in (Chrome, curl)").count(by="url").collect().total == 6
    assert query.where("agent:bot == false").count(by="url").collect().total == 5
    assert query.where("not agent:bot == true").count(by="url").collect().total == 6
    distinct = query.agg("url", n=tr.count_distinct("agent:family")).collect()
    assert distinct.rows == [{"url": "/a", "n": 3}]


def test_other_names_and_formats_have_families():
    line = '{"agent": "curl/8.5.0", "ua": "Wget/1.21", "status": 200}'
    batch = tr.Format("json").parse([line], fields=["user_agent:family", "ua:family", "ua:bot"])
    assert batch.to_dicts() == [{"user_agent:family": "curl", "ua:family": "Wget", "ua:bot": True}]


def test_agents_that_are_not_utf_8_or_long_have_families():
    random = seeded(1)
    agents = [bytes(random.choices(range(32, 256), k=200)) for _ in range(200)]
    agents = [agent.translate(None, b'"\\') for agent in agents] + [b"x" * 60_000]
    lines = [LINE.encode().replace(b"{}", agent) for agent in agents]

    batch = tr.Format("combined").parse(lines, fields=["agent:family", "agent:bot"])

    assert len(batch) == len(lines)
    assert {type(row["agent:family"]) for row in batch} == {str}


WITHOUT = """
import sys
for name in ("crawleruseragents", "ua_parser", "ua_parser_builtins"):
    sys.modules[name] = None
from tailrace._cli import main
main()
"""


@pytest.mark.parametrize("arguments", [["--by", "agent:family"], ["--where", "agent:bot == true"]])
def test_without_the_extra_the_message_says_what_to_install(arguments: list[str]):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "top", *arguments],
        input=LINE.format("x"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    field = "agent:family" if arguments[0] == "--by" else "agent:bot"
    assert done.stderr == (
        f"tailrace top: {field}: needs ua-parser and crawler-user-agents: "
        "pip install 'tailrace[agents]'\n"
    )
