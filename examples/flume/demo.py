"""
The main job without a Flume agent: a real log goes over the Flume wire into a live table.

It starts `tailrace top flume://…` and sends it a log with `tailrace send`, in batches of 100 as an
agent's Avro sink does, at a thousand lines a second; at the end the last table stays. Run by
`make demo`; with a file, plain or gzipped, it plays that: `demo.py access.log`.
"""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LOG = Path(__file__).parents[2] / "tests" / "data" / "apache-combined-2015-elastic.log.gz"

# The command as it is installed beside this interpreter, whatever PATH says.
TAILRACE = [sys.executable, "-c", "from tailrace._cli import main; main()"]


def main() -> int:
    """Play the log and return the exit code of the receiver, or that of a sender that failed."""
    path = sys.argv[1] if len(sys.argv) > 1 else str(LOG)
    place = f"flume://127.0.0.1:{free_port()}"
    show = ["top", place, "--window", "5s"]
    send = ["send", path, place, "--rate", "1000/s"]
    print("$ tailrace", *show, flush=True)
    print("$ tailrace", *send, flush=True)
    with subprocess.Popen([*TAILRACE, *show]) as receiver:
        try:
            wait_until_it_listens(place, receiver)
            # What it says would end in the middle of the table.
            sent = subprocess.run([*TAILRACE, *send], stderr=subprocess.PIPE, check=False)
        except KeyboardInterrupt:
            return receiver.wait()  # it was told as well
        receiver.send_signal(signal.SIGTERM)
        code = receiver.wait()
    sys.stderr.buffer.write(sent.stderr)
    return sent.returncode or code


def wait_until_it_listens(place: str, receiver: subprocess.Popen[bytes]) -> None:
    """Return as soon as somebody takes connections."""
    port = int(place.rpartition(":")[2])
    while receiver.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the receiver has ended")


def free_port() -> int:
    """Ask the system for a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
