"""
Show the main job without a Flume agent: a real log goes over the Flume wire into a live table.

It starts `tailrace top flume://…` and sends it a log with `tailrace send`, in batches of 100 as an
agent's Avro sink does, a thousand lines a second. The last table remains on the screen.
`make demo` runs it; `demo.py FILE` plays another log, plain or gzipped.
"""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LOG = Path(__file__).parents[2] / "tests" / "data" / "apache-combined-2015-elastic.log.gz"

# The command of this interpreter, whatever PATH contains.
TAILRACE = [sys.executable, "-c", "from tailrace._cli import main; main()"]


def main() -> int:
    """Play the log; return the exit code of the sender if it failed, else that of the receiver."""
    path = sys.argv[1] if len(sys.argv) > 1 else str(LOG)
    address = f"flume://127.0.0.1:{free_port()}"
    show = ["top", address, "--window", "5s"]
    send = ["send", path, address, "--rate", "1000/s"]
    print("$ tailrace", *show, flush=True)
    print("$ tailrace", *send, flush=True)
    with subprocess.Popen([*TAILRACE, *show]) as receiver:
        try:
            wait_until_it_listens(address, receiver)
            # Its messages would appear in the middle of the table.
            sent = subprocess.run([*TAILRACE, *send], stderr=subprocess.PIPE, check=False)
        except KeyboardInterrupt:
            return receiver.wait()  # it got the signal too
        receiver.send_signal(signal.SIGTERM)
        code = receiver.wait()
    sys.stderr.buffer.write(sent.stderr)
    return sent.returncode or code


def wait_until_it_listens(address: str, receiver: subprocess.Popen[bytes]) -> None:
    """Return when the receiver accepts connections."""
    port = int(address.rpartition(":")[2])
    while receiver.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the receiver has ended")


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
