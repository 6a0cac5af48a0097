"""The same seeded requests in several log formats, and the answers they must give."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from generator import LINES_PER_SECOND, Record, clf_time, combined, records

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMATS", "TEMPLATE", "Log", "make_log"]

# A format that somebody pastes instead of naming one.
TEMPLATE = '{time:iso} {host} "{method} {url} {protocol}" {status} {bytes_out} {request_time:ms}'


class Log:
    """Lines of one format, and the requests they were written from."""

    def __init__(self, spec: str, lines: list[str], requests: list[Record]) -> None:
        self.spec = spec
        self.data = "".join(f"{line}\n" for line in lines).encode()
        self.requests = requests

    def __len__(self) -> int:
        return len(self.requests)

    def top_urls(self, n: int) -> list[tuple[str, int]]:
        """Return the most frequent URLs; among equals, the smaller one comes first."""
        counts = Counter(request.url for request in self.requests)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]


def make_log(name: str, lines: int, seed: int = 1) -> Log:
    """Return the first requests of a seed as lines in the format of this name."""
    requests = list(islice(records(-(-lines // LINES_PER_SECOND), seed), lines))
    spec, header, write = FORMATS[name]
    return Log(spec, [*header, *map(write, requests)], requests)


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _common(r: Record) -> str:
    return (
        f'{r.host} - - [{clf_time(r.time)}] "{r.method} {r.url} {r.protocol}" {r.status} {r.size}'
    )


def _main_timed(r: Record) -> str:
    return f'{combined(r)} "-" 0.0{r.size % 90 + 10} "0.0{r.size % 90 + 10}"'


def _vhost(r: Record) -> str:
    return f"www.example.com:443 {combined(r)}"


def _haproxy(r: Record) -> str:
    clock = clf_time(r.time).removesuffix(" +0000")
    return (
        f"{r.host}:33317 [{clock}.{r.size % 1_000:03}] http-in static/srv1 10/0/30/69/109 "
        f'{r.status} {r.size} - - ---- 1/1/1/1/0 0/0 "{r.method} {r.url} {r.protocol}"'
    )


def _squid(r: Record) -> str:
    return (
        f"{r.time}.{r.size % 1_000:03} {r.size % 1_000:6} {r.host} TCP_MISS/{r.status} {r.size} "
        f"{r.method} {r.url} - HIER_DIRECT/192.0.2.1 text/html"
    )


def _alb(r: Record) -> str:
    stamp = f"{_iso(r.time)}.{r.size:06}Z"
    return (
        f"https {stamp} app/balancer/50dc6c495c0c9188 {r.host}:2817 10.0.0.1:80 0.000 0.001 0.000 "
        f'{r.status} {r.status} 34 {r.size} "{r.method} {r.url} {r.protocol}" "{r.agent}" '
        "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:"
        'targetgroup/targets/73e2d6bc24d8a067 "Root=1-58337262-36d228ad5d99923122bbe354" '
        f'"www.example.com" "-" 0 {stamp} "forward" "-" "-" "10.0.0.1:80" "{r.status}" "-" "-" '
        'TID_1234abcd5678ef90 "-" "-" "-"'
    )


def _caddy(r: Record) -> str:
    request = {
        "remote_ip": r.host,
        "remote_port": "41342",
        "client_ip": r.host,
        "proto": r.protocol,
        "method": r.method,
        "host": "www.example.com",
        "uri": r.url,
        "headers": {"User-Agent": [r.agent], "Referer": [r.referer], "Accept": ["*/*"]},
        "tls": {"resumed": False, "version": 772, "cipher_suite": 4865, "proto": "h2"},
    }
    line = {
        "level": "info",
        "ts": r.time + r.size / 100_000,
        "logger": "http.log.access",
        "msg": "handled request",
        "request": request,
        "bytes_read": 0,
        "user_id": "",
        "duration": r.size / 1e6,
        "size": r.size,
        "status": int(r.status),
        "resp_headers": {"Server": ["Caddy"], "Content-Type": ["text/html; charset=utf-8"]},
    }
    return json.dumps(line, separators=(",", ":"))


def _json(r: Record) -> str:
    line = {
        "time_local": clf_time(r.time),
        "remote_addr": r.host,
        "remote_user": "",
        "request": f"{r.method} {r.url} {r.protocol}",
        "status": r.status,
        "body_bytes_sent": str(r.size),
        "request_time": f"{r.size / 1e6:.3f}",
        "http_referrer": r.referer,
        "http_user_agent": r.agent,
    }
    return json.dumps(line, separators=(",", ":"))


def _ltsv(r: Record) -> str:
    return "\t".join(
        (
            f"host:{r.host}",
            "ident:-",
            "user:-",
            f"time:[{clf_time(r.time)}]",
            f"req:{r.method} {r.url} {r.protocol}",
            f"status:{r.status}",
            f"size:{r.size}",
            f"referer:{r.referer}",
            f"ua:{r.agent}",
        )
    )


def _csv(r: Record) -> str:
    return f'{_iso(r.time)}Z,{r.host},{r.method},{r.url},{r.status},{r.size},"{r.agent}"'


def _w3c(r: Record) -> str:
    path, _, query = r.url.partition("?")
    agent = r.agent.replace(" ", "+")
    day, clock = _iso(r.time).split("T")
    columns = (day, clock, r.host, "-", "192.0.2.1", "443", r.method, path, query or "-", r.status)
    return f"{' '.join(columns)} {agent}"


def _template(r: Record) -> str:
    return (
        f'{_iso(r.time)}Z {r.host} "{r.method} {r.url} {r.protocol}" {r.status} {r.size} '
        f"{r.size % 1_000}"
    )


_CSV_HEADER = "time,host,method,url,status,size,agent"
_W3C_HEADER = (
    "#Fields: date time c-ip cs-username s-ip s-port cs-method cs-uri-stem cs-uri-query "
    "sc-status cs(User-Agent)"
)

# By name: the format spec, the header lines, and how a request is written.
FORMATS: dict[str, tuple[str, list[str], Callable[[Record], str]]] = {
    "alb": ("alb", [], _alb),
    "caddy": ("caddy", [], _caddy),
    "classic": ("classic", [], combined),
    "combined": ("combined", [], combined),
    "common": ("common", [], _common),
    "csv": ("csv", [_CSV_HEADER], _csv),
    "haproxy": ("haproxy", [], _haproxy),
    "json": ("json", [], _json),
    "ltsv": ("ltsv", [], _ltsv),
    "main-timed": ("main-timed", [], _main_timed),
    "squid": ("squid", [], _squid),
    "template": (TEMPLATE, [], _template),
    "vhost_combined": ("vhost_combined", [], _vhost),
    "w3c": ("w3c", [_W3C_HEADER], _w3c),
}
