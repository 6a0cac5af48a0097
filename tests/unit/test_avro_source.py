"""
`tailrace send` into Flume's own AvroSource, each event compared byte for byte.

It needs Java and Maven. Without these the test is skipped with a reason; with CI=true it fails.
"""

import gzip
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import flume_agent
import pytest
from live import COMMAND, wait_for
from places import DATA

VERSION = "1.11.0"
LOGS = sorted(DATA.glob("*.log.gz"))

# A file of the sink has "{name=value, …} body" on each line.
CONFIGURATION = """\
a1.sources = r1
a1.channels = c1
a1.sinks = k1
a1.sources.r1.type = avro
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = {port}
a1.sources.r1.channels = c1
a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 1000
a1.channels.c1.keep-alive = 0
a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = {directory}
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.serializer = HEADER_AND_TEXT
a1.sinks.k1.channel = c1
"""
# The order of headers is that of a Java hash table.
EVENT = re.compile(rb"\{(?:file=([^ ,]+), )?timestamp=\d{13}(?:, file=([^ ,]+))?\} (.*)", re.DOTALL)

pytestmark = pytest.mark.timeout(900)


@contextmanager
def flumes_own_receiver(directory: Path) -> Iterator[tuple[str, Path]]:
    """Run Flume's receiver; return its address and the directory that it writes to."""
    missing = flume_agent.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    flume_agent.jars(VERSION)
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    out = directory / "out"
    out.mkdir()
    configuration = CONFIGURATION.format(port=port, directory=out)
    with flume_agent.agent(VERSION, configuration, directory / "agent.log"):
        wait_for(lambda: listens(port), timeout_s=60)
        yield f"flume://127.0.0.1:{port}", out


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def send(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    """Run `tailrace send`; return its exit code and its last message, without the duration."""
    ran = subprocess.run(
        [*COMMAND, "send", *arguments], input=stdin, capture_output=True, timeout=120, check=False
    )
    last = ran.stderr.decode().splitlines()[-1]
    return ran.returncode, re.sub(r", \d+\.\d s$", "", last)


def written(directory: Path) -> list[tuple[bytes, bytes]]:
    """Return file and body of each event that the sink wrote; no body has a newline."""
    (file,) = directory.iterdir()
    events = [EVENT.fullmatch(event) for event in file.read_bytes().split(b"\n")[:-1]]
    return [(event[1] or event[2] or b"", event[3]) for event in events if event is not None]


@pytest.mark.parametrize(("batch", "connections"), [("100", "1"), ("1000", "1"), ("7", "3")])
def test_flumes_own_source_receives_every_line_byte_for_byte(
    tmp_path: Path, batch: str, connections: str
):
    # Bytes that are not text, an empty line, a long one, and no newline at the end.
    odd = tmp_path / "odd.log"
    odd.write_bytes(b"\xff\xfd\n\nx\r\n\x00{}\n" + "é ".encode() + b"x" * 100_000)
    texts = [(log, gzip.decompress(log.read_bytes())) for log in LOGS] + [(odd, odd.read_bytes())]
    lines = [
        (str(path).encode(), body)
        for path, text in texts
        for body in text.removesuffix(b"\n").split(b"\n")
    ]
    names = [str(path) for path, _ in texts]
    options = ["--batch", batch, "--connections", connections]
    with flumes_own_receiver(tmp_path) as (place, out):
        code, message = send(*names, place, *options)
        wait_for(lambda: len(written(out)) >= len(lines), timeout_s=60)
        got = written(out)

    assert code == 0
    batches = -(-len(lines) // int(batch))
    assert (
        message == f"tailrace: sent {len(lines):,} lines in {batches:,} batches, all acknowledged"
    )
    # Batches of several connections overtake each other.
    ordered = connections == "1"
    assert (got if ordered else sorted(got)) == (lines if ordered else sorted(lines))


def test_a_batch_refused_by_flumes_own_source_was_not_stored(tmp_path: Path):
    with flumes_own_receiver(tmp_path) as (place, out):
        # One line more than the capacity of a channel transaction.
        refused = send(place, "--batch", "1001", stdin=b"x\n" * 3_000)
        taken = send(place, "--batch", "1000", stdin=b"y\n" * 2_500)
        wait_for(lambda: len(written(out)) >= 2_500, timeout_s=60)
        got = written(out)

    assert refused == (1, "tailrace: sent 1,001 lines in 1 batch, 0 acknowledged, 1,001 refused")
    assert taken == (0, "tailrace: sent 2,500 lines in 3 batches, all acknowledged")
    assert got == [(b"", b"y")] * 2_500
