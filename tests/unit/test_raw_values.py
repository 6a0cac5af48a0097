"""Pasted formats of nginx with escape=none, where a backslash is text and a quote is a reject.

https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format: "none" disables escaping. The
lines are made up.
"""

from __future__ import annotations

import pytest

import tailrace as tr

TIME = "[10/Jan/2024:10:00:00 +0000]"
RAW = tr.Format(
    'log_format raw escape=none \'$remote_addr - $remote_user [$time_local] "$request" $status '
    '$body_bytes_sent "$http_referer" "$http_user_agent"\';'
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rf'h - u {TIME} "GET / HTTP/1.1" 200 5 "\" "back\slash"', ("\\", "back\\slash")),
        (rf'h -  {TIME} "GET /\ HTTP/1.1" 200 5 "" "a\\"', (None, "a\\\\")),
        (rf'h - u {TIME} "GET /" 200 5 "a\x22" "\"', ("a\\x22", "\\")),
        (rf'h - u {TIME} "" 400 0 "\\\" "-"', ("\\\\\\", None)),
    ],
)
def test_a_backslash_is_text(line: str, expected: tuple[str | None, str | None]) -> None:
    [row] = RAW.parse(line.encode()).to_dicts()
    assert (row["referer"], row["agent"]) == expected


@pytest.mark.parametrize(
    "line",
    [
        # a request that looks like the end of the line
        f'h - u {TIME} "GET /" 200 5 "r" "a" HTTP/1.1" 404 0 "" ""',
        f'h - u {TIME} "GET / HTTP/1.1" 200 5 "a" "b" "ua"',
        f'h - u {TIME} "GET / HTTP/1.1" 200 5 "" "a "quoted" agent"',
        f'h - u" {TIME} "GET / HTTP/1.1" 200 5 "" "ua"',
        f'h - u {TIME} - 200 5 "a" "b" "ua"',
    ],
)
def test_a_value_with_a_quote_is_a_reject(line: str) -> None:
    batch = RAW.parse(line.encode())
    assert (batch.to_dicts(), len(batch.rejects)) == ([], 1)
