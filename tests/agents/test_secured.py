"""Real Flume agents with compression, TLS and both, in the order of their release."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import flume_agent
import pytest
from agent_runs import (
    SENDING_TIMEOUT_S,
    counting,
    counts,
    fill,
    has_counted,
    last,
    need_agents,
    not_once,
    numbered,
)
from certificates import Authority
from flume_agent import VERSIONS
from live import running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(900)

LINES = 2_000

DEFLATE = "a1.sinks.k1.compression-type = deflate\n"


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    need_agents(VERSIONS)


def tls(store: Path) -> str:
    return (
        "a1.sinks.k1.ssl = true\n"
        f"a1.sinks.k1.truststore = {store}\n"
        "a1.sinks.k1.truststore-password = changeit\n"
        "a1.sinks.k1.truststore-type = PKCS12\n"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_of_each_kind_of_connection_is_counted_once(version: str, tmp_path: Path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    trusted = tls(authority.java_store())
    kinds = {"plain": "", "deflate": DEFLATE, "tls": trusted, "both": trusted + DEFLATE}
    urls = {kind: numbered(kind, LINES) for kind in kinds}
    arguments = counting()
    (place,) = (at for at, one in enumerate(arguments) if one.startswith("flume://"))
    arguments[place] += f"?tls={certificate}&key={key}&plain=allow"
    with running(*arguments) as receiver, ExitStack() as agents:
        for kind, added in kinds.items():
            spool = fill(tmp_path / kind, urls[kind], LINES)
            conf = flume_agent.example_configuration(spool, receiver.port) + added
            log = tmp_path / f"{kind}.log"
            agents.enter_context(flume_agent.agent(version, conf, log))
        receiver.answer(has_counted(len(kinds) * LINES), SENDING_TIMEOUT_S)
        agents.close()
        counted = counts(last(receiver))
    assert not not_once(counted, [url for each in urls.values() for url in each])
    assert counted.total() == len(kinds) * LINES
    # What Flume 1.9 cannot do on a newer Java is reported, once for the address of all.
    fell_back = [text for text in receiver.messages if "is offered TLS 1.2" in text]
    assert len(fell_back) <= 1
    assert version == "1.9.0" or not fell_back


def test_an_agent_that_does_not_trust_the_certificate_sends_nothing(tmp_path: Path):
    authority = Authority(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    certificate, key = Authority(other, "other").issue("server")
    arguments = counting()
    (place,) = (at for at, one in enumerate(arguments) if one.startswith("flume://"))
    arguments[place] += f"?tls={certificate}&key={key}"
    spool = fill(tmp_path / "spool", numbered("wrong", 10), 10)
    with running(*arguments) as receiver:
        conf = flume_agent.example_configuration(spool, receiver.port)
        conf += tls(authority.java_store())
        with flume_agent.agent(VERSIONS[0], conf, tmp_path / "agent.log"):
            wait_for(
                lambda: [one for one in receiver.messages if "trust the certificate" in one],
                SENDING_TIMEOUT_S,
            )
        assert last(receiver)["lines"]["fed"] == 0
