"""A generated log of a shop, as nginx writes it in JSON, and the same rows for a recount."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["rows", "shop_log"]

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
]
REFERERS = ["https://www.example.org/a?b=1", "https://search.example/?q=shop", "-"]
PATHS = ["/", "/cart", "/checkout", "/item/1", "/item/2", "/search", "/static/app.js"]


def rows(count: int = 6_000, seed: int = 1) -> list[dict[str, Any]]:
    """Return the lines: three hours, with a burst of errors of one upstream from 10:20 to 10:30."""
    draw = random.Random(seed)  # noqa: S311 - the same log every time
    made = []
    for number in range(count):
        at = BEGIN + timedelta(milliseconds=number * 10_800_000 // count)
        upstream = f"10.0.0.{draw.randint(1, 3)}:8080"
        broken = (at.hour, at.minute // 10) == (10, 2) and upstream.startswith("10.0.0.3")
        path = draw.choice(PATHS)
        host = draw.choice(
            [f"192.0.2.{draw.randint(1, 60)}", f"203.0.113.{draw.randint(1, 9)}", "2001:db8::17"]
        )
        made.append(
            {
                "time": at.isoformat(timespec="milliseconds"),
                "host": host,
                "method": "POST" if path == "/checkout" else "GET",
                "url": path if path != "/search" else f"/search?q={draw.randint(1, 9)}",
                "status": draw.choice([502, 504])
                if broken
                else draw.choice([200] * 8 + [404, 500]),
                "size": draw.randint(200, 40_000),
                "request_time": round(draw.lognormvariate(-3, 1), 3),
                "upstream": upstream,
                "referer": draw.choice(REFERERS),
                "agent": draw.choices(AGENTS, [5, 5, 2, 1])[0],
            }
        )
    return made


def shop_log(some: list[dict[str, Any]] | None = None) -> bytes:
    """Return the log of these lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in some or rows())
