"""Combined access logs out of a seed: the same seed gives the same bytes."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LINES_PER_SECOND", "write_log"]

LINES_PER_SECOND = 1_000

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


def write_log(path: Path, seconds: int, seed: int) -> int:
    """Write 1,000 lines for each second, in order, and return the second of the first."""
    rng = random.Random(seed)
    urls = [_SHAPES[n % len(_SHAPES)].format(n=n * 7_919 % 104_729) for n in range(1, _URLS + 1)]
    url_weights = list(accumulate(rank**-_ZIPF for rank in range(1, _URLS + 1)))
    hosts = [".".join(str(rng.randrange(1, 255)) for _ in range(4)) for _ in range(_HOSTS)]
    # 22 November 2026, 10:00:00 UTC
    first = 1_795_341_600
    with path.open("w", encoding="ascii", newline="\n") as out:
        for second in range(seconds):
            n = LINES_PER_SECOND
            clock = f"{10 + second // 3_600:02}:{second // 60 % 60:02}:{second % 60:02}"
            time = f"22/Nov/2026:{clock} +0000"
            columns = zip(
                rng.choices(hosts, k=n),
                _drawn(rng, _METHODS, n),
                rng.choices(urls, cum_weights=url_weights, k=n),
                _drawn(rng, _PROTOCOLS, n),
                _drawn(rng, _STATUSES, n),
                rng.choices(range(200, 60_000), k=n),
                _drawn(rng, _REFERERS, n),
                _drawn(rng, _AGENTS, n),
                strict=True,
            )
            out.writelines(
                f'{host} - - [{time}] "{method} {url} {protocol}" '
                f'{status} {size} "{referer}" "{agent}"\n'
                for host, method, url, protocol, status, size, referer, agent in columns
            )
    return first


def _drawn(rng: random.Random, weights: dict[str, int], n: int) -> list[str]:
    return rng.choices(list(weights), cum_weights=list(accumulate(weights.values())), k=n)
