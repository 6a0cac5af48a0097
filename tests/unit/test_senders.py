"""Senders of one source: each has its own watermark, so that no clock moves another's lines."""

from __future__ import annotations

import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from live import OK, TIMEOUT_S, Sink, free_port, line, running, wait_for
from wire import long, sized

import tailrace as tr

if TYPE_CHECKING:
    from live import Process

HOUR = 3_600
FLUME = "flume://127.0.0.1:0"


class SinkFrom(Sink):
    """A sink that connects from another address of this machine."""

    def __init__(self, port: int, address: str) -> None:
        super().__init__(port)
        self.socket.close()
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=TIMEOUT_S, source_address=(address, 0)
        )


def sent(host: str | None, moment: float, url: str = "/a") -> bytes:
    """Encode an event of a host whose line and whose header have this time."""
    headers = {b"timestamp": str(round(moment * 1_000)).encode()}
    if host is not None:
        headers[b"host"] = host.encode()
    encoded = b"".join(sized(name) + sized(value) for name, value in headers.items())
    text = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(moment))
    return long(len(headers)) + encoded + b"\x00" + sized(line(url, time_text=text))


def batch(sink: Sink, *events: bytes) -> bytes:
    return sink.call(b"appendBatch", long(len(events)) + b"".join(events) + b"\x00")


def top(*options: str, source: str = FLUME, window: str = "10s") -> tuple[str, ...]:
    shape = ("--window", window, "--slide", "1s", "--batch-interval", "50ms", "--format", "jsonl")
    return ("top", source, *shape, *options)


def lines(process: Process) -> dict[str, object]:
    return process.snapshots()[-1]["lines"]


@pytest.mark.parametrize("first", ["ahead", "honest"])
@pytest.mark.parametrize("clock", ["header", "log"])
def test_an_event_of_a_peer_59_minutes_ahead_makes_no_line_of_another_late(clock: str, first: str):
    with running(*top("--time", clock)) as receiver:
        now = time.time()
        with SinkFrom(receiver.port, "127.0.0.1") as a, SinkFrom(receiver.port, "127.0.0.2") as b:
            if first == "honest":
                assert batch(b, sent(None, now - 30)) == OK
            assert batch(a, sent(None, now + HOUR - 60, "/ahead")) == OK
            time.sleep(0.3)
            for n in range(100):
                assert batch(b, sent(None, now - 30 + n / 4)) == OK
            # The other one does not delay answers either.
            found = receiver.answer(lambda snapshot: snapshot["total"])
            assert found["rows"][0]["url"] == "/a"
        assert receiver.end(signal.SIGTERM) == 0

    total = 101 + (first == "honest")
    assert lines(receiver) == {
        **dict.fromkeys(("late", "filtered"), 0),
        "fed": total, "counted": total, "rejected": {},
        **{name: 0 for name in ("abandoned", "resent") if name in lines(receiver)},
    }  # fmt: skip


@pytest.mark.parametrize("clock", ["header", "log"])
def test_senders_named_by_a_header_share_a_connection_and_a_batch(clock: str):
    source = f"{FLUME}?sender=header:host"
    with running(*top("--time", clock, source=source)) as receiver, Sink(receiver.port) as sink:
        now = time.time()
        mixed = [sent("b", now - 30 + n / 4) for n in range(50)]
        assert batch(sink, sent("a", now + HOUR - 60), *mixed) == OK
        assert batch(sink, *(sent("b", now - 17 + n / 4) for n in range(50))) == OK
        receiver.answer(lambda snapshot: snapshot["total"])
        # By its own clock this one is late.
        assert batch(sink, sent("a", now)) == OK
        assert receiver.end(signal.SIGTERM) == 0

    found = lines(receiver)
    assert (found["fed"], found["late"]) == (102, 1)


def test_a_parked_agent_delays_answers_for_the_idle_timeout_only():
    options = ("--time", "header", "--lateness", "0s", "--idle-timeout", "1s")
    with running(*top(*options)) as receiver:
        now = time.time()
        with SinkFrom(receiver.port, "127.0.0.1") as a, SinkFrom(receiver.port, "127.0.0.2") as b:
            assert batch(a, sent(None, now - 60)) == OK
            assert batch(b, *(sent(None, now - 60 + n) for n in range(40))) == OK
            assert not [one for one in receiver.snapshots() if one["total"] > 1]
            receiver.answer(lambda snapshot: snapshot["total"] == 10)
        assert receiver.end(signal.SIGTERM) == 0


def test_a_peer_whose_connections_are_closed_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tailrace._sources.flume_senders.SENDER_END_S", 0.3)
    port, now = free_port(), time.time()
    query = tr.from_flume(f"127.0.0.1:{port}", format="combined")
    query = query.window("10s", "1s", time="header", lateness=0, idle_timeout="1h")

    def send() -> SinkFrom:
        wait_for(lambda: can_connect(port))
        with SinkFrom(port, "127.0.0.2") as a:
            assert batch(a, sent(None, now - 60)) == OK
            with SinkFrom(port, "127.0.0.2") as other:
                b = SinkFrom(port, "127.0.0.3")
                assert batch(other, sent(None, now - 60)) == OK
                assert batch(b, *(sent(None, now - 60 + n) for n in range(40))) == OK
        return b

    with ThreadPoolExecutor(1) as pool, query.count(by="url").run() as answers:
        sending = pool.submit(send)
        found = next(one for one in answers if one.total == 10)
        sending.result(TIMEOUT_S).socket.close()

    assert found.lines["late"] == 0


def can_connect(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_an_event_of_1970_is_past_and_costs_nothing():
    with running(*top("--time", "header", window="1d")) as receiver, Sink(receiver.port) as sink:
        now = time.time()
        day = 24 * HOUR
        assert batch(sink, sent(None, 0), sent(None, now - 2 * day - 60)) == OK
        assert batch(sink, sent(None, now - 2 * day + 60), sent(None, now)) == OK
        assert receiver.end(signal.SIGTERM) == 0

    found = lines(receiver)
    assert (found["counted"], found["rejected"]) == (2, {"past": 2})


@pytest.mark.parametrize(
    ("options", "past"),
    [(("--max-behind", "1m"), 2), (("--max-behind", "20000d"), 0), (("--max-ahead", "30m"), 1)],
)
def test_the_oldest_and_the_newest_time_can_be_given(options: tuple[str, ...], past: int):
    with running(*top("--time", "header", *options)) as receiver, Sink(receiver.port) as sink:
        now = time.time()
        ages = (-40 * 60, 0, 90, 60 * 24 * HOUR)
        assert batch(sink, *(sent(f"{age}", now - age) for age in ages)) == OK
        assert receiver.end(signal.SIGTERM) == 0

    rejected = lines(receiver)["rejected"]
    assert isinstance(rejected, dict)
    assert rejected.get("past", 0) == past
    assert rejected.get("future", 0) == ("30m" in options)


def test_more_senders_than_the_limit_are_counted_and_reported_once():
    source = f"{FLUME}?sender=header:host"
    with running(*top("--time", "header", source=source)) as receiver, Sink(receiver.port) as sink:
        now = time.time()
        for _ in range(2):
            assert batch(sink, *(sent(str(n), now) for n in range(10_001))) == OK
        wait_for(lambda: any("senders" in message for message in receiver.messages))
        assert receiver.end(signal.SIGTERM) == 0

    said = [one for one in receiver.messages if "senders at once" in one]
    expected = (
        "tailrace: flume://127.0.0.1:0: more than 10,000 senders at once; the others share one "
        "watermark, so that one of them can make lines of another late"
    )
    assert said == [expected]
    assert (lines(receiver)["counted"], lines(receiver)["late"]) == (20_002, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tr.from_flume("h:1?sender=header:"), "address: sender: expected header:NAME"),
        (lambda: tr.from_flume("h:1?sender=host"), "such as header:host, found 'host'"),
        (lambda: tr.from_flume("h:1?senders=header:a"), "unknown parameter 'senders'"),
        (lambda: tr.from_flume("h:1?sender=header:a&sender=header:b"), "is given twice"),
        (lambda: tr.from_flume("h:1", sender="peer"), "sender: expected header:NAME"),
        (
            lambda: tr.from_flume("h:1").window("5m", max_behind="1d"),
            "max_behind: in arrival time no line is older than the clock",
        ),
        (
            lambda: tr.from_flume("h:1").window("5m", time="log", max_behind="-1s"),
            "max_behind: ",
        ),
    ],
)
def test_what_is_wrong_with_a_sender_is_reported(make: object, message: str):
    assert callable(make)
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_the_url_of_the_command_is_an_address_too():
    query = tr.from_flume("flume://127.0.0.1:9092?sender=header:host")
    both = tr.from_flume("127.0.0.1:9092", sender="header:host")

    assert repr(query) == repr(both) == "<tailrace.Query of flume://127.0.0.1:9092>"
    assert [one._sources[0].sender_header for one in (query, both)] == ["host", "host"]
