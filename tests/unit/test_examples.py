"""The demo, run as `make demo` runs it."""

import re
import subprocess
import sys

from places import ROOT

DEMO = ROOT / "examples" / "flume" / "demo.py"


def test_the_demo_plays_a_real_log_and_ends_with_the_last_table():
    ran = subprocess.run(
        [sys.executable, str(DEMO)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.returncode == 0, ran.stderr
    tables = [block for block in ran.stdout.split("\n\n") if " events, " in block]
    assert len(tables) >= 9
    last = tables[-1].splitlines()
    assert re.match(r"\d{4} events, 10 of \d+ keys, ", last[0])
    assert len(last) == 13
    assert "/favicon.ico" in tables[-1]
    assert "state is in memory only" in ran.stderr
    counted, sent = ran.stderr.splitlines()[-2:]
    assert counted == "tailrace: 10,000 lines: 9,999 counted, 1 rejected (1 no-match)"
    assert re.fullmatch(
        r"tailrace: sent 10,000 lines in 100 batches, all acknowledged, (9|1\d)\.\d s", sent
    )
