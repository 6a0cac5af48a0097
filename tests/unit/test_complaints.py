"""Problems with peers: logged once, then counted, in bounded memory and lines."""

import logging
import random
import tracemalloc

import pytest

from tailrace._sources.complaints import MAX_ADDRESSES, MAX_LINES, MAX_PAIRS, Complaints


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(logging.WARNING)
    return logging.getLogger("complaints")


def test_a_problem_is_logged_once_for_each_address_and_kind_and_then_counted(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    complaints = Complaints(log)
    for port in range(3_413):
        complaints.say("10.0.0.1", "no Flume client (HTTP)", f"10.0.0.1:{port}: HTTP")
    complaints.say("10.0.0.1", "a damaged frame", "10.0.0.1:7: damaged")
    complaints.say("10.0.0.2", "a damaged frame", "10.0.0.2:7: damaged")
    assert caplog.messages == ["10.0.0.1:0: HTTP", "10.0.0.1:7: damaged", "10.0.0.2:7: damaged"]

    caplog.clear()
    complaints.report()
    complaints.report()
    assert caplog.messages == ["10.0.0.1: 3,412 more times: no Flume client (HTTP)"]

    caplog.clear()
    complaints.say("10.0.0.1", "no Flume client (HTTP)", "10.0.0.1:9: HTTP")
    assert caplog.messages == []
    complaints.report()
    assert caplog.messages == ["10.0.0.1: 1 more time: no Flume client (HTTP)"]


def test_many_addresses_write_a_page_and_each_problem_is_counted(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    complaints = Complaints(log)
    for number in range(60_000):
        complaints.say(f"address {number % 600}", "HTTP", "first")
    complaints.report()
    assert len(caplog.messages) == 2 * MAX_LINES + 1
    # Of each address that was logged, 99 problems were counted.
    assert caplog.messages[MAX_LINES : 2 * MAX_LINES] == [
        f"address {number}: 99 more times: HTTP" for number in range(MAX_LINES)
    ]
    rest = 60_000 - MAX_LINES * 100
    assert caplog.messages[-1] == f"… and {rest:,} connections from 592 other addresses: HTTP"


def test_every_problem_is_logged_or_counted_once(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    random_ = random.Random(5)  # noqa: S311 - any sequence
    complaints = Complaints(log)
    problems = 0
    for _ in range(80):
        for _ in range(random_.randrange(400)):
            address = f"address {int(random_.paretovariate(0.4)) % 5_000}"
            complaints.say(address, random_.choice("abc"), "logged at once")
            problems += 1
        complaints.report()

    counted = 0
    for message in caplog.messages:
        if message == "logged at once":
            counted += 1
        else:
            # `address 7: 3 more times: a`, or `… and 3 connections from 2 other addresses: a`.
            counted += int(message.split()[2].replace(",", ""))
    assert counted == problems


def test_memory_is_limited_for_any_number_of_addresses_and_kinds(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    complaints = Complaints(log)

    def attack(begin: int) -> None:
        for number in range(begin, begin + 30_000):
            complaints.say(f"address {number}", f"kind {number % 500}", "text")
        complaints.report()
        assert len(caplog.messages) <= 3 * MAX_LINES
        assert len(caplog.text) < 10_000
        caplog.clear()

    attack(0)
    tracemalloc.start()
    attack(30_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 * (MAX_PAIRS + MAX_ADDRESSES)
    for begin in range(60_000, 60_000 + 2 * MAX_PAIRS):
        complaints.say(f"address {begin}", "kind", "text")
        complaints.report()
    assert len(complaints._counts) <= MAX_PAIRS
    assert not complaints._others
