"""
The main job without a Flume agent: a real log goes over the Flume wire into a live table.

It starts `tailrace top flume://…`, sends the lines of a log as an agent's Avro sink does, in
batches of 100 with a header each, at a thousand lines a second, and ends with the last table.
Run by `make demo`; with a file, plain or gzipped, it plays that: `demo.py access.log`.
"""

import gzip
import signal
import socket
import struct
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

LOG = Path(__file__).parents[2] / "tests" / "data" / "apache-combined-2015-elastic.log.gz"
SECONDS = 10
LINES_A_SECOND = 1_000
BATCH = 100

# A known protocol on both sides, no text, no metadata; then no metadata and the call's name.
PROTOCOL = bytes.fromhex("86aadae2c45474c0fe93ffd0f2350a65")
HANDSHAKE = PROTOCOL + b"\x00" + PROTOCOL + b"\x02\x00"
CALL = b"\x00\x16appendBatch"
OK = b"\x00\x00\x00"


def main() -> int:
    """Play the log and return the exit code of tailrace."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LOG
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        lines = file.read().splitlines()
    port = free_port()
    command = ["tailrace", "top", f"flume://127.0.0.1:{port}", "--window", "5s"]
    print(f"$ {' '.join(command)}", flush=True)
    receiver = subprocess.Popen([sys.executable, "-c", RUN, *command[1:]])
    try:
        play(lines, port, receiver)
    except KeyboardInterrupt:
        pass  # the receiver was told as well
    else:
        receiver.send_signal(signal.SIGTERM)
    return receiver.wait(timeout=10)


# The command as it is installed beside this interpreter, whatever PATH says.
RUN = "from tailrace.cli import main; main()"


def play(lines: list[bytes], port: int, receiver: subprocess.Popen[bytes]) -> None:
    """Send lines as an agent does: the next batch after the last one was acknowledged."""
    with connect(port, receiver) as connection:
        started = time.monotonic()
        wanted = islice(cycle(lines), SECONDS * LINES_A_SECOND)
        batches = iter(lambda: list(islice(wanted, BATCH)), [])
        for serial, batch in enumerate(batches, start=1):
            send(connection, serial, batch)
            ahead = started + serial * BATCH / LINES_A_SECOND - time.monotonic()
            time.sleep(max(ahead, 0))


def connect(port: int, receiver: subprocess.Popen[bytes]) -> socket.socket:
    """Connect as soon as somebody listens."""
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            if receiver.poll() is not None:
                break
            time.sleep(0.1)
    raise SystemExit("tailrace does not listen")


def send(connection: socket.socket, serial: int, bodies: list[bytes]) -> None:
    """Send one batch in an Avro RPC frame, and wait for its answer."""
    head = (HANDSHAKE if serial == 1 else b"") + CALL
    events = b"".join(event(body) for body in bodies)
    parameter = zigzag(len(bodies)) + events + b"\x00"
    connection.sendall(
        struct.pack(">iii", serial, 2, len(head))
        + head
        + struct.pack(">i", len(parameter))
        + parameter
    )
    answered, _, size = struct.unpack(">iii", receive(connection, 12))
    answer = receive(connection, size)
    if answered != serial or not answer.endswith(OK):
        raise SystemExit(f"batch {serial} was answered with {answer!r}")


def event(body: bytes) -> bytes:
    """Encode an event with the header that a timestamp interceptor adds."""
    now = str(time.time_ns() // 10**6).encode()
    headers = b"\x02" + text(b"timestamp") + text(now) + b"\x00"
    return headers + text(body)


def text(data: bytes) -> bytes:
    """Encode bytes or a string: the length and the bytes."""
    return zigzag(len(data)) + data


def zigzag(number: int) -> bytes:
    """Encode a length as Avro's variable-length integer."""
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def receive(connection: socket.socket, size: int) -> bytes:
    """Read exactly so many bytes."""
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise SystemExit("tailrace closed the connection")
        data += part
    return data


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
