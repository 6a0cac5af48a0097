"""
A real Flume agent with the configuration of the example.

It needs Java and Maven. Where they are missing the test is skipped and says why; with CI=true
that is a failure.
"""

import gzip
import os
import signal
import time
from collections import Counter
from pathlib import Path

import flume_agent
import pytest
from live import running, wait_for
from test_classic import expected as by_the_program

DATA = Path(__file__).parent / "data"
LOGS = ["apache-combined-2015-elastic.log", "nginx-combined-2022-ployt0.log"]
WINDOW_S = 20


@pytest.mark.timeout(900)
def test_every_line_of_real_logs_is_counted_once_and_leaves_the_window(tmp_path: Path):
    missing = flume_agent.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    flume_agent.jars()

    lines = []
    for name in LOGS:
        text = gzip.decompress((DATA / f"{name}.gz").read_bytes())
        (tmp_path / name).write_bytes(text)
        lines += text.splitlines()
    expected = Counter()
    for line in lines:
        fields = by_the_program(line)
        if fields is not None:
            expected[fields["url"]] += 1
    ranked = sorted(expected.items(), key=lambda row: (-row[1], row[0] is None, row[0] or ""))

    spool = tmp_path / "spool"
    spool.mkdir()
    arguments = ["--log-format", "classic", "--window", f"{WINDOW_S}s", "--limit", "all"]
    with running("top", "flume://127.0.0.1:0", *arguments, "--format", "jsonl") as receiver:
        conf = flume_agent.example_configuration(spool, receiver.port)
        with flume_agent.agent(conf, tmp_path / "agent.log"):
            for name in LOGS:
                flume_agent.spool(spool, tmp_path / name, name)
            wait_for(lambda: receiver.counted() >= expected.total(), timeout_s=60)
            # What would be counted twice, or came on top, would come now.
            time.sleep(2)
            last = receiver.snapshots()[-1]
            full = max(receiver.snapshots(), key=lambda snapshot: snapshot["total"])
            empty = wait_for(
                lambda: [s for s in receiver.snapshots() if s["lines"]["fed"] and not s["total"]],
                timeout_s=3 * WINDOW_S,
            )[0]
        assert receiver.end(signal.SIGTERM) == 0

    assert last["lines"]["fed"] == len(lines)
    assert last["lines"]["counted"] == expected.total()
    assert last["lines"]["rejected"] == {"no-match": len(lines) - expected.total()}
    assert full["total"] == expected.total()
    assert full["keys"] == len(expected)
    assert [(row["url"], row["count"]) for row in full["rows"]] == ranked
    assert empty["rows"] == []
    assert empty["keys"] == 0
