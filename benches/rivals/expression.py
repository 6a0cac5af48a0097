"""Count with the regular expression of the classic program: expression.py FILE PANES."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from classic import CLASSIC
from panes import Window, seconds


def main() -> None:
    """Match every line."""
    window = Window(int(sys.argv[2]))
    match = re.compile(CLASSIC).match
    last = None
    pane: dict[str, int] = defaultdict(int)
    with Path(sys.argv[1]).open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            found = match(line)
            if found is None:
                continue
            time, request = found.group("time", "request")
            if time != last:
                if last is not None:
                    window.close(seconds(last), pane)
                    pane = defaultdict(int)
                last = time
            pane[request.split()[1]] += 1
    if last is not None:
        window.close(seconds(last), pane)


if __name__ == "__main__":
    main()
