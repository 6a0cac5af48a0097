"""
Attacks on a receiver of Flume events, and an honest peer to send beside them.

Each runs in a process of its own, so that no attack slows the clock of the honest peer, and shares
no code with the package. Run as a program, `attackers.py NAME PORT ARGUMENT...`: it works until its
standard input is closed, and then prints a report as JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from live import OK, TIMEOUT_S, Sink, line
from wire import call, event, events, frame, handshake, long, sized, string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["STRANGERS", "Attack", "attacking", "connect", "mutations"]

# The largest frame that a receiver takes.
FRAME_BYTES = 64 * 1024 * 1024

# An honest peer: as the figures were measured.
ROUND_EVENTS = 10
ROUND_S = 0.02
ROUNDS_PER_CONNECTION = 5
# An agent waits 5 s before it sends a batch again; a shorter pause hides less.
RETRY_S = 0.05
# Half of an agent's `request-timeout`, to see a fault sooner.
AGENT_TIMEOUT_S = 10

HEAD = struct.Struct(">iii")

# The parameter of a call without events: an array that ends at once.
NOTHING = b"\x00"


class Attack:
    """A process with one attack, or with the honest peer."""

    def __init__(self, name: str, port: int, arguments: tuple[object, ...]) -> None:
        command = [sys.executable, __file__, name, str(port), *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._report: dict[str, Any] | None = None

    def begun(self) -> None:
        """Wait until its effect has begun."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "begun\n"

    def state(self) -> dict[str, Any]:
        """Return what it has to report so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        state: dict[str, Any] = json.loads(self._process.stdout.readline())
        return state

    def report(self) -> dict[str, Any]:
        """End it, and return what it has to report."""
        if self._report is None:
            out, _ = self._process.communicate(timeout=2 * TIMEOUT_S)
            self._report = json.loads(out.splitlines()[-1])
        return self._report

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def attacking(name: str, port: int, *arguments: object) -> Iterator[Attack]:
    """Run an attack until the block ends; the block begins with the attack's effect."""
    attack = Attack(name, port, arguments)
    try:
        attack.begun()
        yield attack
        attack.report()
    finally:
        attack.kill()


# --- in the process of an attack ------------------------------------------------------------------


@dataclass
class Run:
    """What an attack shares with the thread that ends it."""

    port: int
    report: dict[str, Any] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)

    def begun(self) -> None:
        """Let the test begin."""
        print("begun", flush=True)  # noqa: T201 - for the parent process

    def wait(self) -> None:
        self.stopping.wait()

    def count(self, name: str, by: int = 1) -> None:
        self.report[name] = self.report.get(name, 0) + by


def connect(port: int, host: str = "127.0.0.1", source: str | None = None) -> socket.socket:
    """Connect, from an address of this machine if one is given."""
    address = None if source is None else (source, 0)
    connection = socket.create_connection((host, port), TIMEOUT_S, address)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def greeted(port: int, **where: Any) -> socket.socket:  # noqa: ANN401 - connect's
    """Return a connection with the handshake behind it."""
    connection = connect(port, **where)
    connection.sendall(frame(1, handshake() + call("appendBatch", NOTHING)))
    assert len(_exactly(connection, 19)) == 19
    return connection


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("closed by the receiver")
        data += part
    return data


def repeated(message: bytes, number: int = 200_000, *others: bytes) -> bytes:
    """
    Return numbered frames of a message.

    So many that a receiver has answered the first when they are sent again.
    """
    return b"".join(frame(serial, message, *others) for serial in range(2, 2 + number))


def _read_all(connection: socket.socket, run: Run) -> None:
    with suppress(OSError):
        while data := connection.recv(1 << 20):
            run.count("bytes", len(data))


def _start(function: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


# The honest peer


def honest(run: Run, name: str = "honest") -> None:
    """Send ten events every 20 ms, on a new connection every fifth round, and time the answers."""
    times: list[float] = []
    keys: dict[str, int] = {}
    run.report = {"slowest": 0.0, "times": times, "problems": [], "lines": 0, "keys": keys}
    peer = _Honest(run)
    for number in count():
        if run.stopping.is_set():
            return
        urls = [f"/{name}/{(number * ROUND_EVENTS + at) % 37}" for at in range(ROUND_EVENTS)]
        begun = time.perf_counter()
        if number % ROUNDS_PER_CONNECTION == 0:
            peer.close()
        is_answered = peer.send([line(url) for url in urls], begun)
        times.append(time.perf_counter() - begun)
        if is_answered:
            run.count("lines", ROUND_EVENTS)
            for url in urls:
                keys[url] = keys.get(url, 0) + 1
        if number == 0:
            run.begun()
        time.sleep(ROUND_S)


class _Honest:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._sink: Sink | None = None

    def send(self, bodies: list[bytes], begun: float) -> bool:
        """Send a batch until it is acknowledged; return whether it was before the end."""
        report = self._run.report
        while True:
            try:
                if self._sink is None:
                    self._sink = Sink(self._run.port)
                    self._sink.socket.settimeout(AGENT_TIMEOUT_S)
                    self._sink.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answer = self._sink.batch(bodies)
            except (OSError, AssertionError) as error:
                answer = f"{type(error).__name__}: {error}".encode()
            after_s = time.perf_counter() - begun
            report["slowest"] = max(report["slowest"], after_s)
            if answer == OK:
                return True
            report["problems"].append(f"after {after_s:.3f} s: {answer.decode(errors='replace')}")
            self.close()
            if self._run.stopping.wait(RETRY_S):
                return False

    def close(self) -> None:
        if self._sink is not None:
            self._sink.socket.close()
            self._sink = None


# 1: closing a connection


def closes(run: Run, connections: int = 800) -> None:
    """Queue calls without events, and close many connections at once, again and again."""
    block = repeated(call("appendBatch", NOTHING))
    flooding = False
    while not run.stopping.is_set():
        opened = []
        with suppress(OSError):
            for at in range(connections):
                opened.append(connect(run.port))
                # The queue of connections to accept is short, and an overflow costs a second.
                if at % 50 == 0:
                    time.sleep(RETRY_S / 5)
        # Not earlier, since connections are accepted slowly during a flood.
        if not flooding:
            flooding = True
            for _ in range(2):
                _start(_flood, run, block)
            time.sleep(0.5)
            run.begun()
        for each in opened:
            each.close()
        run.count("closed", len(opened))


# 2: one peer starves all


def _flood(run: Run, block: bytes) -> None:
    """Send a block again and again on one connection, and read the answers."""
    while not run.stopping.wait(RETRY_S):
        with suppress(OSError), greeted(run.port) as connection:
            _start(_read_all, connection, run)
            while True:
                connection.sendall(block)
                run.count("blocks")


def empty(run: Run) -> None:
    """Flood one connection with calls without events."""
    block = repeated(call("appendBatch", NOTHING))
    run.begun()
    _flood(run, block)


def pings(run: Run) -> None:
    """Flood one connection with calls that name no message."""
    block = repeated(call(""))
    run.begun()
    _flood(run, block)


def unknown(run: Run) -> None:
    """Flood one connection with calls of a message that is not served."""
    block = repeated(call("appendAll"))
    run.begun()
    _flood(run, block)


def singles(run: Run) -> None:
    """Flood one connection with an event a call."""
    block = repeated(call("append", event(b"x")))
    run.begun()
    _flood(run, block)


def splinters(run: Run) -> None:
    """Flood one connection with frames of 65,536 buffers, all but one of them empty."""
    message = call("appendBatch", NOTHING)
    block = repeated(message, 50, *(b"" for _ in range(65_535)))
    run.begun()
    _flood(run, block)


def greetings(run: Run) -> None:
    """Send handshakes with a long protocol that is not served, one after another."""
    text = '{"protocol":"x","messages":{' + ",".join(f'"m{n}":{{}}' for n in range(5_000)) + "}}"
    block = frame(1, handshake(b"n" * 16, text=text) + call("a"))
    run.begun()
    while not run.stopping.is_set():
        with suppress(OSError), connect(run.port) as connection:
            connection.sendall(block)
            while connection.recv(65536):
                pass
        run.count("handshakes")


def empty_events(run: Run, frames: int = 1, number: int = 33_000_000, hosts: int = 1) -> None:
    """Send frames of millions of events without headers and body, each on a connection."""
    parameter = long(number) + bytes(2 * number + 1)
    message = call("appendBatch", parameter)
    whole = HEAD.pack(2, 1, len(message)) + message
    opened = [greeted(run.port, source=f"127.0.0.{1 + at % hosts}") for at in range(frames)]
    # All but the last byte: then all of them are complete at once.
    for each in opened:
        _send_quietly(each, whole[:-1])
    run.begun()
    for each in opened:
        _send_quietly(each, whole[-1:])
    while not run.stopping.is_set():
        for each in opened:
            with suppress(OSError):
                each.settimeout(0.2)
                run.count("answers", len(each.recv(4096)) > 0)
        run.stopping.wait(0.2)


def _send_quietly(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connection.sendall(data)


def large_batches(run: Run, number: int = 300_000) -> None:
    """Send batches of as many real lines as a frame may hold, one at a time on one connection."""
    bodies = [line(f"/large/{at % 10}") for at in range(number)]
    message = call("appendBatch", events(bodies, None))
    whole = HEAD.pack(2, 1, len(message)) + message
    run.begun()
    while not run.stopping.is_set():
        with suppress(OSError), greeted(run.port) as connection:
            while True:
                connection.sendall(whole)
                _exactly(connection, 15)
                run.count("lines", number)


# 3 and 4: connections


def silent(run: Run, number: int = 1_030, burst: int = 0, hosts: int = 1) -> None:
    """Hold silent connections, open those again that were closed, and more in bursts."""
    _hold(run, number, b"", burst=burst, hosts=hosts)


def begun(run: Run, number: int = 1_030, rate: int = 0) -> None:
    """Hold connections that have begun a frame, open those again that were closed."""
    _hold(run, number, HEAD.pack(1, 1, 60_000_000), rate=rate)


def _hold(  # noqa: C901 - one loop
    run: Run, number: int, start: bytes, *, burst: int = 0, hosts: int = 1, rate: int = 0
) -> None:
    poll = select.poll()
    held: dict[int, socket.socket] = {}
    run.report |= {"held": 0, "closed": 0}

    def open_one() -> None:
        source = f"127.0.0.{1 + random.randrange(hosts)}"  # noqa: S311 - no secret
        with suppress(OSError):
            each = connect(run.port, source=source)
            if start:
                _send_quietly(each, start)
            held[each.fileno()] = each
            poll.register(each, select.POLLIN | select.POLLHUP)

    for _ in range(number):
        open_one()
    run.begun()
    while not run.stopping.is_set():
        for descriptor, _ in poll.poll(50):
            poll.unregister(descriptor)
            held.pop(descriptor).close()
            run.count("closed")
        for _ in range(number - len(held)):
            open_one()
        run.report["held"] = len(held)
        if rate:
            for each in held.values():
                _send_quietly(each, bytes(rate // 20))
        if burst:
            more = []
            with suppress(OSError):
                more.extend(connect(run.port) for _ in range(burst))
            for each in more:
                each.close()
            run.count("bursts")


def greeted_and_silent(run: Run, number: int = 1_030) -> None:
    """Hold connections that did the handshake and are silent since, as an agent without input."""
    held = []
    with suppress(OSError, AssertionError):
        held.extend(greeted(run.port) for _ in range(number))
    run.report["held"] = len(held)
    run.begun()
    run.wait()
    del held


def slow(run: Run, number: int = 50, interval_s: float = 1.0) -> None:
    """Send frames a byte at a time, and begin others that are never continued."""
    whole = frame(2, call("appendBatch", events([line("/slow")] * 100)))
    opened = [greeted(run.port) for _ in range(number)]
    for at, each in enumerate(opened):
        each.sendall(whole[: 1 if at % 2 else 1_000])
    for each in opened:
        each.settimeout(0)
    run.report["open"] = number
    run.begun()
    for at in count(1):
        if run.stopping.wait(interval_s):
            return
        alive = 0
        for place, each in enumerate(opened):
            try:
                if place % 2:
                    each.send(whole[at : at + 1])
                alive += each.recv(1) != b""
            except BlockingIOError:
                alive += 1
            except OSError:
                pass
        run.report["open"] = alive


def unfinished(run: Run, number: int = 50) -> None:
    """Begin handshakes that never finish: of Flume, TLS and zlib."""
    hello = frame(1, handshake() + call("appendBatch", events([line("/unfinished")])))
    starts = [b"", hello[:7], hello[:20], bytes.fromhex("1603"), bytes.fromhex("78"), b"GET "]
    opened = [connect(run.port) for _ in range(number)]
    for at, each in enumerate(opened):
        _send_quietly(each, starts[at % len(starts)])
    run.begun()
    run.wait()


# 5: memory


def partial_frames(run: Run, number: int = 40, missing: int = 1) -> None:
    """Send all but the last byte of the largest frames, each on a connection."""
    zeros = memoryview(bytes(1 << 20))
    size = FRAME_BYTES
    opened = []
    for _ in range(number):
        with suppress(OSError, AssertionError):
            opened.append(greeted(run.port))
    poll = select.poll()
    left = {}
    for each in opened:
        each.settimeout(0)
        with suppress(OSError):
            each.send(HEAD.pack(2, 1, size))
        left[each.fileno()] = (each, size - missing)
        poll.register(each, select.POLLOUT)
    # A receiver may stop reading: the attack has its effect once nothing moves.
    while left and (ready := poll.poll(1_000)):
        for descriptor, _ in ready:
            each, rest = left[descriptor]
            try:
                sent = each.send(zeros[: min(rest, len(zeros))])
            except BlockingIOError:
                continue
            except OSError:
                sent = rest
                run.count("closed")
            run.count("bytes", sent)
            left[descriptor] = (each, rest - sent)
            if rest == sent:
                poll.unregister(descriptor)
                del left[descriptor]
    run.begun()
    run.wait()


def keys(run: Run, number: int = 23_000, size: int = 60_000) -> None:
    """Send lines with a long key each, ten a batch."""
    run.report["lines"] = 0
    sink = Sink(run.port)
    pad = "k" * (size - 16)
    for first in range(0, number, 10):
        bodies = [line(f"/{at:014}/{pad}") for at in range(first, min(first + 10, number))]
        if run.stopping.is_set() or sink.batch(bodies) != OK:
            break
        run.report["lines"] += len(bodies)
    run.begun()
    run.wait()


def deaf(run: Run, number: int = 1) -> None:
    """Send calls without ever reading an answer."""
    block = repeated(call("appendBatch", NOTHING)) + repeated(call("unknown"))
    run.begun()

    def send() -> None:
        with suppress(OSError), greeted(run.port) as connection:
            while True:
                connection.sendall(block)
                run.count("blocks")

    for each in [_start(send) for _ in range(number)]:
        each.join()
    run.wait()


# Strangers

_LONG_TEXT = b"a line of a text that somebody has piped to this port\n"

STRANGERS: dict[str, bytes] = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP, another method": b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(20),
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "TLS, a record of 256 bytes": bytes.fromhex("1603010100010000fc0303") + bytes(250),
    "zlib": bytes.fromhex("789c") + bytes(range(50)),
    "Thrift, framed": struct.pack(">i", 30)
    + struct.pack(">I", 0x80010001)
    + struct.pack(">i", 6)
    + b"append"
    + bytes(12),
    "Thrift, unframed": struct.pack(">I", 0x80010001)
    + struct.pack(">i", 11)
    + b"appendBatch"
    + bytes(12),
    "PROXY v1": b"PROXY TCP4 192.0.2.1 192.0.2.2 51234 9092\r\n" + bytes(20),
    "PROXY v2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + bytes(20),
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "Kafka": struct.pack(">ihhi", 35, 18, 3, 1) + b"\x00\x08consumer" + bytes(20),
    "syslog": b"<34>1 2003-10-11T22:14:15.003Z host app - ID47 - text\n",
    "syslog, counted": b"58 <34>1 2003-10-11T22:14:15.003Z host app - ID47 - some text\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "Redis, inline": b"PING\r\nINFO\r\n",
    "SMTP": b"EHLO mail.example.com\r\n",
    "PostgreSQL": struct.pack(">ii", 8, 80877103),
    "MQTT": b"\x10\x14\x00\x04MQTT\x04\x02\x00<\x00\x08consumer",
    "AMQP": b"AMQP\x00\x00\x09\x01",
    "JSON": b'{"url": "/a", "status": 200}\n',
    "an access log": line("/stranger") + b"\n",
    "plain text": _LONG_TEXT * 20,
    "a letter": b"x",
    "blank lines": b"\r\n\r\n\r\n\r\n",
    "NULs": bytes(100),
    "ones": b"\xff" * 100,
    "UTF-16": "an old editor's text".encode("utf-16"),
    "DNS": bytes.fromhex("001d0001010000010000000000000377777706676f6f676c6503636f6d0000010001"),
    "RDP": bytes.fromhex("030000130ee000000000000100080003000000"),
    "SMB": bytes.fromhex("00000085ff534d4272000000001853c8") + bytes(120),
    "LDAP": bytes.fromhex("300c020101600702010304008000"),
    "Avro's own framing": struct.pack(">i", 60) + handshake() + bytes(20),
    "a claim of 2 GiB": struct.pack(">iii", 1, 1, 2**31 - 1),
    "a list of no buffers": struct.pack(">ii", 1, 0),
    "a negative list": struct.pack(">ii", 1, -7),
    "a negative length": struct.pack(">iii", 1, 1, -5),
    "a frame without a message": struct.pack(">iii", 1, 1, 0),
    "a handshake cut short": frame(1, handshake()[:20]),
    "a handshake alone": frame(1, handshake()),
    "no protocol": frame(1, handshake(b"no such protocol", text="{}") + call("appendBatch")),
    "a protocol that is not JSON": frame(1, handshake(b"n" * 16, text="[" * 9_000) + call("a")),
    "a name of 2^62 bytes": frame(1, handshake() + b"\x00" + long(2**62)),
    "metadata without end": frame(1, handshake() + b"\x02" + sized(b"k") * 3),
    "an event without a body": frame(1, handshake() + call("appendBatch", b"\x02\x00")),
    "a count of 2^62": frame(1, handshake() + call("appendBatch", long(2**62) + event(b"x"))),
    "a negative count": frame(
        1, handshake() + call("appendBatch", long(-(2**63)) + long(5) + event(b"x"))
    ),
    "headers without end": frame(
        1, handshake() + call("appendBatch", long(1) + long(2**40) + string("h"))
    ),
}


def mutations(rng: random.Random, number: int) -> Iterator[bytes]:
    """Yield real frames with some bytes changed, removed or added, and truncations of them."""
    whole = b"".join(
        (
            frame(1, handshake() + call("appendBatch", events([line("/mutated")] * 2))),
            frame(2, call("append", event(line("/mutated")))),
            frame(3, call("appendBatch", events([b""] * 3, None))),
        )
    )
    for _ in range(number):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data))
            change = rng.randrange(4)
            if change == 0:
                data[at] = rng.randrange(256)
            elif change == 1:
                data[at] ^= 1 << rng.randrange(8)
            elif change == 2:
                del data[at : at + rng.randint(1, 9)]
            else:
                data[at:at] = rng.randbytes(rng.randint(1, 9))
        yield bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)


def strangers(run: Run, seed: int = 1) -> None:
    """Connect with bytes of every other kind, one after another."""
    rng = random.Random(seed)  # noqa: S311 - the same bytes again
    known = list(STRANGERS.values())
    for at in count():
        if run.stopping.is_set():
            return
        if at < 3 * len(known):
            data = known[at % len(known)]
        elif at % 2:
            data = rng.randbytes(rng.randrange(1, 200))
        else:
            data = next(mutations(rng, 1))
        with suppress(OSError), connect(run.port) as connection:
            _send_quietly(connection, data)
            if at % 3:
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(0.02)
            while connection.recv(65536):
                pass
        run.count("strangers")
        if at == len(known):
            run.begun()


def storm(run: Run, hosts: int = 200) -> None:
    """Open and close connections from many addresses as fast as possible."""
    for at in count():
        if run.stopping.is_set():
            return
        with suppress(OSError):
            each = connect(run.port, source=f"127.0.{at % 4}.{1 + at % hosts}")
            if at % 3 == 0:
                each.sendall(b"x" * 20)
            if at % 5 == 0:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()
        run.count("connections")
        if at == 100:
            run.begun()


def half_closed(run: Run, number: int = 50) -> None:
    """Send a batch, close the sending side at once, and stay."""
    while not run.stopping.is_set():
        opened = []
        with suppress(OSError):
            for _ in range(number):
                opened.append(connect(run.port))
                batch = events([line("/half-closed")])
                opened[-1].sendall(frame(1, handshake() + call("appendBatch", batch)))
                opened[-1].shutdown(socket.SHUT_WR)
        for each in opened:
            with suppress(OSError):
                each.settimeout(1)
                run.count("answered", len(each.recv(100)) == 19)
            each.close()
        run.count("sent", len(opened))
        if run.report["sent"] == len(opened):
            run.begun()


ATTACKS: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        *(honest, closes, empty, pings, unknown, splinters, singles, greetings),
        *(
            empty_events,
            large_batches,
            silent,
            begun,
            greeted_and_silent,
            slow,
            unfinished,
            partial_frames,
            keys,
        ),
        *(deaf, strangers, storm, half_closed),
    )
}


def main(name: str, port: str, *arguments: str) -> None:
    """Run one until the standard input ends, and print its report."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    run = Run(int(port))
    values = [int(each) if each.isdigit() else each for each in arguments]
    thread = _start(ATTACKS[name], run, *values)
    for _ in sys.stdin:
        print(json.dumps(run.report), flush=True)  # noqa: T201 - for the parent process
    run.stopping.set()
    # An attack may be blocked in a call; the honest peer needs its last answer.
    thread.join(TIMEOUT_S if name == "honest" else 1)
    run.report["ended"] = not thread.is_alive()
    print(json.dumps(run.report), flush=True)  # noqa: T201 - for the parent process
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
