"""
Count with bytes.split: splitting.py FILE PANES.

The fastest of four versions. The others were `for line in file` with `line.split` and a dict, the
same with a list and a Counter, and splitting at quotes first; the loop of this one never leaves C.
It trusts the lines to be well-formed and in order, and every time to be in UTC.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path

from panes import Window, seconds


def main() -> None:
    """Split every line."""
    window = Window(int(sys.argv[2]))
    url = itemgetter(6)
    with Path(sys.argv[1]).open("rb") as file:
        lines = map(bytes.split, file, repeat(b" "), repeat(7))
        for time, group in groupby(lines, itemgetter(3)):
            second = seconds(time[1:].decode() + " +0000")
            window.close(second, Counter(map(url, group)))


if __name__ == "__main__":
    main()
