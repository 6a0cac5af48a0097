"""Write ten minutes of an access log, one file a minute, in which one client misbehaves."""

from __future__ import annotations

import argparse
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTES = 10
CLIENTS = [f"192.0.2.{number}" for number in range(1, 13)]
SCANNER = "203.0.113.66"
PAGES = ["/", "/cart", "/item/1", "/item/2", "/item/3", "/search?q=shoes", "/static/app.js"]


def line(at: datetime, client: str, url: str, status: int, size: int) -> str:
    """Return a line in Apache's combined format."""
    return (
        f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {url} HTTP/1.1" {status} {size} "-" "-"'
    )


def minute(number: int) -> list[str]:
    """
    Return the lines of one minute, the first of which is minute 0.

    Each client asks for a page every three seconds or so. From the seventh minute on the scanner
    asks for two addresses a second, none of which exists.
    """
    draw = random.Random(number)  # noqa: S311 - the same log every time
    lines = []
    for second in range(60):
        at = START + timedelta(minutes=number, seconds=second)
        for client in CLIENTS:
            if draw.random() < 1 / 3:
                status = 404 if draw.random() < 1 / 50 else 200
                lines.append(line(at, client, draw.choice(PAGES), status, draw.randint(500, 9_000)))
        if number >= 6:
            for probe in range(2):
                url = f"/admin/{(number * 60 + second) * 2 + probe}.php"
                lines.append(line(at, SCANNER, url, 404, 196))
    return lines


def write(folder: Path) -> None:
    """Write the files, in the order of their minutes also by the times of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MINUTES):
        file = folder / f"access-{number:02}.log"
        file.write_text("".join(f"{text}\n" for text in minute(number)))
        written = (START + timedelta(minutes=number + 1)).timestamp()
        os.utime(file, (written, written))


def main() -> None:
    """Write the log into the directory that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a directory, which is created")
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
