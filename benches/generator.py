"""Access logs from a seed: the same seed gives the same bytes."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "FIRST_SECOND",
    "LINES_PER_SECOND",
    "Record",
    "clf_time",
    "combined",
    "records",
    "write_log",
]

LINES_PER_SECOND = 1_000

# 22 November 2026, 10:00:00 UTC
FIRST_SECOND = 1_795_341_600

_URLS = 20_000
_ZIPF = 1.05
_HOSTS = 8_000

_SHAPES = (
    "/static/js/app.{n:08x}.js",
    "/api/v1/items/{n}",
    "/blog/2026/11/post-{n}",
    "/images/p{n}.jpg",
    "/products?page={n}&sort=price",
    "/api/v2/users/{n}/orders?limit=50",
    "/search?q=tail+race&id={n}",
)
_METHODS = {"GET": 88, "POST": 9, "HEAD": 2, "PUT": 1}
_PROTOCOLS = {"HTTP/1.1": 2, "HTTP/2.0": 1}
_STATUSES = {"200": 80, "304": 8, "301": 4, "404": 6, "500": 2}
_REFERERS = {
    "-": 40,
    "https://www.google.com/": 15,
    "https://www.example.com/": 20,
    "https://www.example.com/blog/": 10,
    "https://www.example.com/products?page=2": 15,
}
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/124.0.0.0 Safari/537.36": 30,
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/17.4 Safari/605.1": 14,
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {_WEBKIT} Mobile/15E148": 16,
    f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36": 16,
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0": 12,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": 6,
    "curl/8.5.0": 3,
    "-": 3,
}


class Record(NamedTuple):
    """What one request leaves in a log."""

    host: str
    time: int
    """Seconds since the epoch."""
    method: str
    url: str
    protocol: str
    status: str
    size: int
    referer: str
    agent: str


def records(seconds: int, seed: int) -> Iterator[Record]:
    """Yield 1,000 requests for each second, in order of time."""
    rng = random.Random(seed)
    urls = [_SHAPES[n % len(_SHAPES)].format(n=n * 7_919 % 104_729) for n in range(1, _URLS + 1)]
    url_weights = list(accumulate(rank**-_ZIPF for rank in range(1, _URLS + 1)))
    hosts = [".".join(str(rng.randrange(1, 255)) for _ in range(4)) for _ in range(_HOSTS)]
    for second in range(seconds):
        n = LINES_PER_SECOND
        columns = zip(
            rng.choices(hosts, k=n),
            repeat(FIRST_SECOND + second),
            _drawn(rng, _METHODS, n),
            rng.choices(urls, cum_weights=url_weights, k=n),
            _drawn(rng, _PROTOCOLS, n),
            _drawn(rng, _STATUSES, n),
            rng.choices(range(200, 60_000), k=n),
            _drawn(rng, _REFERERS, n),
            _drawn(rng, _AGENTS, n),
            strict=False,  # the time repeats without end
        )
        yield from map(Record._make, columns)


def combined(record: Record) -> str:
    """Return the record as a line in the combined format."""
    return (
        f'{record.host} - - [{clf_time(record.time)}] "{record.method} {record.url} '
        f'{record.protocol}" {record.status} {record.size} "{record.referer}" "{record.agent}"'
    )


@lru_cache(maxsize=4)
def clf_time(second: int) -> str:
    """Return a time as Apache and nginx write it."""
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def write_log(path: Path, seconds: int, seed: int) -> int:
    """Write combined lines of 1,000 requests a second; return the time of the first."""
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.writelines(f"{combined(record)}\n" for record in records(seconds, seed))
    return FIRST_SECOND


def _drawn(rng: random.Random, weights: dict[str, int], n: int) -> list[str]:
    return rng.choices(list(weights), cum_weights=list(accumulate(weights.values())), k=n)
