r"""
`classic` accepts and splits lines exactly as the classic Python program does.

The oracle is the program's expression on the line decoded as UTF-8 with surrogateescape. It takes
up to the fourth power of a line's length, so it is used for short lines; for long ones there is a
linear rule, which is compared with the expression first.

Lines that contain a newline exist only as bodies of Flume events.
"""

import gzip
import io
import json
import random
import re
import time
from collections.abc import Callable, Iterator

import fastavro
import pytest
from announced import EVENTS
from classic_program import Row, decoded, expected, parsed_by_program, shown, with_url
from hypothesis import given
from hypothesis import strategies as st
from places import DATA
from profiles import examples, seeded

import tailrace as tr
from tailrace import _core

LOGS = {
    "apache": DATA / "apache-combined-2015-elastic.log.gz",
    "nginx": DATA / "nginx-combined-2022-ployt0.log.gz",
}

FIELDS = ["host", "user", "time", "request", "status", "size", "referer", "agent", "url"]

# No deadline: a loaded machine must not fail a test.
many = examples(1_000)

# --- the oracle -----------------------------------------------------------------------------------


def test_a_run_of_invalid_bytes_is_shown_as_one_replacement() -> None:
    for raw, text in [
        (b"", ""),
        (b"a", "a"),
        ("é€😀\u3000".encode(), "é€😀\u3000"),
        (b"\xff", "\ufffd"),
        (b"\xff\xfe\x80a\xc3", "\ufffda\ufffd"),
        (b"\xe2\x82b\xe2\x82\xac", "\ufffdb€"),
        (b"\xed\xa0\x80", "\ufffd"),  # an unpaired surrogate is not UTF-8
        (b"\xc0\xaf\xc2\x85", "\ufffd\x85"),
        ("\ufffd\ufffd".encode(), "\ufffd\ufffd"),  # these were in the text
    ]:
        assert shown(decoded(raw)) == text


# --- parsing with tailrace ------------------------------------------------------------------------


def parsed(lines: list[bytes]) -> list[Row | None]:
    """Return the fields of lines of text, None for a rejected one."""
    batch = tr.Format("classic").parse(b"".join(line + b"\n" for line in lines))
    accepted = iter(batch.to_dicts())
    rejected = {reject.line for reject in batch.rejects}
    rows = [None if number in rejected else next(accepted) for number in range(len(lines))]
    assert next(accepted, None) is None
    return rows


def parsed_bodies(lines: list[bytes]) -> tuple[list[Row], int]:
    """Return the fields of the accepted event bodies, and how many were rejected."""
    events = io.BytesIO()
    fastavro.schemaless_writer(events, EVENTS, [{"headers": {}, "body": line} for line in lines])
    data = events.getvalue()
    out, _, counters = _core.write_rows(
        data, kind="batch", span=(0, len(data)), format="classic", fields=FIELDS
    )
    rows = [json.loads(row) for row in out.splitlines()]
    assert counters["counted"] == len(rows)
    assert counters["fed"] == len(lines)
    return rows, counters["rejected"].get("no-match", 0)


def parsed_body(line: bytes) -> Row | None:
    rows, rejected = parsed_bodies([line])
    assert len(rows) + rejected == 1
    return rows[0] if rows else None


def assert_same(lines: list[bytes]) -> int:
    """Compare tailrace with the program, line by line; return how many lines matched."""
    matched = 0
    texts = [line for line in lines if b"\n" not in line]
    for line, got in zip(texts, parsed(texts), strict=True):
        assert got == expected(line), line
        matched += got is not None
    bodies = [line for line in lines if b"\n" in line]
    # Rejected bodies have no row, so the rows must be equal in order.
    wanted = [row for row in map(expected, bodies) if row is not None]
    rows, rejected = parsed_bodies(bodies)
    if rows != wanted or rejected != len(bodies) - len(wanted):
        for line in bodies:
            assert parsed_body(line) == expected(line), line
        pytest.fail("each event is right on its own, but not in a batch")
    return matched + len(rows)


# --- real logs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("log", "unlike"), [("apache", 1), ("nginx", 61)])
def test_every_line_of_a_real_log_is_parsed_as_by_the_program(log: str, unlike: int) -> None:
    lines = gzip.decompress(LOGS[log].read_bytes()).splitlines()
    assert len(lines) - assert_same(lines) == unlike


# --- a million lines ------------------------------------------------------------------------------

SPACES = [character.encode() for character in map(chr, range(0x11_0000)) if character.isspace()]
ODD_BYTES = [b"\xff", b"\x80", b"\xa0", b"\x85", b"\xc2", b"\xe2\x80", b"\xe3\x80", b"\xf0\x9f"]
CONTROLS = [b"\0", b"\x01", b"\b", b"\x1a", b"\x1b", b"\x7f", "\x80".encode(), "\x9f".encode()]
NO_SPACES = ["\u180e".encode(), "\u200b".encode(), "\u2060".encode(), b"\xef\xbb\xbf"]

HOSTS = [b"1.2.3.4"] * 8 + [b"::1", b"h", b"[", b'"', b"-", b"\xff", "é".encode(), b"\0", b"]"]
USERS = [b"-"] * 8 + [b"joe", b"[u", b'""', b'"]', b"\xe2\x80", "à".encode(), b"\x7f"]
TIMES = [b"01/May/2015:10:05:03 +0000"] * 4 + [
    b"t", b" ", b"]", b"]]", b'] "x', b'] "x" 1 2 "', b"[", b'"', b"\xff", "\u3000".encode(),
]  # fmt: skip
REQUESTS = [b"GET /a HTTP/1.1"] * 4 + [
    b"-", b"GET", b"GET /a", b" ", b'"', b'\\"', b"GET\t/a\x1cb", "GET /\xa0x".encode(), b"/ \xff",
    "GET\u3000/à".encode(), b'] "x', b'" 1 2 "', b'x" 200 5 "r" "a', b"\x16\x03\x01", b"]",
]  # fmt: skip
STATUSES = [b"200"] * 6 + [b"0", b"404", b"00200", b"1" * 20]
SIZES = [b"5"] * 6 + [b"-", b"x", b'"', b'""', b"]", b"\xff", "é".encode(), b"1"]
REFERERS = [b"-"] * 6 + [
    b"", b" ", b'"', b'" "', b'" 1 2 "', b'] "x" 1 2 "', b"http://x/", b"\\", b"\xc3", b"]",
]  # fmt: skip
AGENTS = [b"curl/8"] * 4 + [
    b"", b"-", b'" "', b"\\", b'x] "GET /f" 200 1 "-" "y', b'" 1 ] "x', b'" 1 ] " ', b'"', b"\xe2",
]  # fmt: skip
SEPARATORS = [b" "] * 600 + SPACES * 2 + [b"  ", b" \t", b"\n", b"\n ", b"\r\n"] * 5
SEPARATORS += [b"", b"\0", b"-", b"\xa0", b"\xc2", *NO_SPACES]
TAILS = [b""] * 60 + SPACES + [b"\r", b" \r\n", b"  ", b"\n\n", b"x", b'"', b"\0", b"\x85", b' "']
COLUMNS = [
    HOSTS, SEPARATORS, USERS, SEPARATORS, USERS, SEPARATORS, [b"["], TIMES, [b"]"], SEPARATORS,
    [b'"'], REQUESTS, [b'"'], SEPARATORS, STATUSES, SEPARATORS, SIZES, SEPARATORS,
    [b'"'], REFERERS, [b'"'], SEPARATORS, [b'"'], AGENTS, [b'"'], TAILS,
]  # fmt: skip
TOKENS = [
    *[b'"', b'"', b"]", b"[", b" ", b"\n", b"\\", b"0", b"1", b"9", b"x", b' "', b'" ', b'" "'],
    *[b'] "', b'" 1 2 "', b'" 1 ] " ', "٣".encode(), "²".encode()],
    *SPACES, *ODD_BYTES, *CONTROLS, *NO_SPACES,
]  # fmt: skip
LONGEST = 120


def mutated(line: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = int(rng.random() * (len(line) + 1))
        how = rng.random()
        if how < 0.4:
            line = line[:at] + rng.choice(TOKENS) + line[at:]
        elif how < 0.6:
            line = line[:at] + line[at + 1 :]
        elif how < 0.8:
            line = line[:at] + rng.choice(TOKENS) + line[at + 1 :]
        else:  # repeat a part of it elsewhere
            start = int(rng.random() * (len(line) + 1))
            line = line[:at] + line[start : start + int(rng.random() * 12)] + line[at:]
    return line[:LONGEST]


def generated(count: int, rng: random.Random) -> Iterator[bytes]:
    columns = [rng.choices(column, k=count) for column in COLUMNS]
    for parts in zip(*columns, strict=True):
        line = b"".join(parts)
        yield mutated(line, rng) if rng.random() < 0.6 else line


@pytest.mark.parametrize("seed", range(4))
def test_a_quarter_of_a_million_odd_lines_are_parsed_as_by_the_program(seed: int) -> None:
    rng = seeded(seed)
    count, matched, newlines = 0, 0, 0
    for _ in range(25):
        lines = list(generated(10_000, rng))
        count += len(lines)
        matched += assert_same(lines)
        newlines += sum(b"\n" in line for line in lines)
    assert count == 250_000
    assert 0.2 * count < matched < 0.8 * count
    assert newlines > 0.02 * count


def test_the_odd_lines_contain_all_of_pythons_white_space() -> None:
    assert len(SPACES) == 29
    blanks = {found for line in SPACES for found in re.findall(r"\s", line.decode())}
    assert len(blanks) == 29


# --- any text -------------------------------------------------------------------------------------

ALPHABET = [
    *[b'"', b"[", b"]", b" ", b"\t", b"\n", b"\r", b"\x1f", b"\\", b"0", b"7", b"a", b"-", b"/"],
    *["\x85".encode(), "\xa0".encode(), "\u3000".encode(), "٣".encode()],
    *[b"\x85", b"\xa0", b"\xc2", b"\xe2\x80", b"\xff"],
]
PREFIXES = [
    b"",
    b"h - u ",
    b"h - u [t",
    b'h - u [t] "r',
    b'h - u [t] "r" 200 5',
    b'h - u [t] "r" 200 5 "',
    b'h - u [t] "r" 200 5 "-" "a',
]
critical = st.lists(st.sampled_from(ALPHABET), max_size=40).map(b"".join)


@many
@given(
    prefix=st.sampled_from(PREFIXES),
    middle=critical,
    end=st.sampled_from([b"", b'"', b'" 1 1 "" ""', b'] "r" 1 1 "" ""', b'" "" \n']),
)
def test_text_of_critical_characters_is_parsed_as_by_the_program(
    prefix: bytes, middle: bytes, end: bytes
) -> None:
    line = prefix + middle + end
    assert parsed_body(line) == expected(line)
    if b"\n" not in line:
        assert parsed([line]) == [expected(line)]


@many
@given(parts=st.lists(st.sampled_from([b'"', b"]", b" ", b" 1 1 ", b"\n", b"x", b'" "', b'] "'])))
def test_pieces_of_a_line_in_any_order_are_parsed_as_by_the_program(
    parts: list[bytes],
) -> None:
    line = b"h - u [" + b"".join(parts)[:60] + b'"'
    assert parsed_body(line) == expected(line)


@many
@given(line=st.binary(max_size=200))
def test_any_bytes_are_parsed_as_by_the_program(line: bytes) -> None:
    assert parsed_body(line) == expected(line)


# --- long lines -----------------------------------------------------------------------------------


def linear(line: str) -> Row | None:
    """Parse a line without a newline as the program does, in linear time."""
    head = re.match(r"(?P<host>\S+)\s+\S+\s+(?P<user>\S+)\s+\[", line)
    close = len(line.rstrip()) - 1
    if not head or line[close] != '"':
        return None

    def last(end: str, after: str, fits: Callable[[re.Match[str]], bool]) -> re.Match[str] | None:
        """Find the last end of a field that is followed by a valid rest."""
        found = re.finditer(f"{end}(?={after})", line[:close])
        return max(filter(fits, found), key=re.Match.start, default=None)

    referer_end = last('"', r'\s+(?P<agent>")', lambda _: True)
    if not referer_end:
        # The opening quote of the agent must differ from its closing one.
        return None
    request_end = last(
        '"',
        r'\s+(?P<status>[0-9]+)\s+(?P<size>\S+)\s+(?P<referer>")',
        lambda at: at.end("referer") <= referer_end.start(),
    )
    if not request_end:
        return None
    time_end = last(
        r"\]",
        r'\s+(?P<request>")',
        lambda at: at.start() > head.end() and at.end("request") < request_end.start(),
    )
    if not time_end:
        return None
    return with_url(
        {
            "host": head["host"],
            "user": head["user"],
            "time": line[head.end() : time_end.start()],
            "request": line[time_end.end("request") : request_end.start()],
            "status": request_end["status"],
            "size": request_end["size"],
            "referer": line[request_end.end("referer") : referer_end.start()],
            "agent": line[referer_end.end("agent") : close],
        }
    )


PLAIN = 'h - u [t] "GET /a HTTP/1.1" 200 5 "-" "'
# Prefix, repeated part, suffix. The letters are those of the table with the program's times for
# these lines: up to the fourth power of the length.
ATTACKS = {
    "Q": (PLAIN, '" ', ""),
    "Q, closed": (PLAIN, '" ', '"'),
    "time and request": ("h - u [t", '] "a" ', ""),
    "C": (PLAIN, '" 1 1 " ', ""),
    "C, closed": (PLAIN, '" 1 1 " ', '"'),
    "T": (PLAIN, '" 200 5 "-" "', ""),
    "T, closed": (PLAIN, '" 200 5 "-" "', '"'),
    "R1": (PLAIN, '" 1 ] "x', '"'),
    "D": (PLAIN, '" 1 ] " ', ""),
    "D, closed": (PLAIN, '" 1 ] " ', '"'),
    "R6": (PLAIN, '" 1 ] " ', '" 7 "router" "url" 2ms'),
    "long host": ("", "h", ' - u [t] "r" 1 1 "" ""'),
    "blanks": ("h - u ", " ", '[t] "r" 1 1 "" ""'),
    "blanks after": (PLAIN + 'a"', " ", "x"),
    "brackets": ("h - u [", "]", '] "r" 1 1 "" ""'),
    "digits": ('h - u [t] "r" ', "1", ' "" ""'),
    "quotes": (PLAIN, '"', '"'),
    "words of quotes": ('h - u [t] "r" 1 1 "', '" 1 "', '"'),
}


def grown(attack: str, size: int) -> bytes:
    """Return the attack in a line of this size or a few bytes less."""
    start, unit, end = ATTACKS[attack]
    return (start + unit * ((size - len(start) - len(end)) // len(unit)) + end).encode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_linear_rule_equals_the_programs_rule(attack: str) -> None:
    for size in range(120):
        line = grown(attack, size).decode()
        assert linear(line) == parsed_by_program(line), line


def test_the_linear_rule_equals_the_programs_rule_on_odd_lines() -> None:
    lines = generated(20_000, seeded(9))
    odd = [decoded(line) for line in lines if b"\n" not in line]
    rows = [linear(line) for line in odd]
    assert rows == [parsed_by_program(line) for line in odd]
    assert 4_000 < rows.count(None) < 16_000


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_line_of_64_kib_is_parsed_correctly_and_fast(attack: str) -> None:
    line = grown(attack, _core.MAX_LINE_BYTES)
    assert len(line) > _core.MAX_LINE_BYTES - 20
    start = time.process_time()
    got = parsed([line])
    # It takes well below 10 ms; with another power of the length it would take 20 s.
    assert time.process_time() - start < 2
    assert got == [linear(line.decode())]


@pytest.mark.parametrize(
    ("start", "unit", "end"),
    [
        ("h", "\n", '- u [t] "r" 1 1 "" ""'),
        ("h - u [t]", "\n", '"r" 1 1 "" ""'),
        ('h - u [t] "r" 1 1 ""', "\n\r", '"a"'),
        ('h - u [t] "r" 1 1 "" "a"', " \n", ""),
        (PLAIN, "\n", '" ""'),
        (PLAIN, '"\n', '"'),
        (PLAIN, '" 1 1 "\n', '"'),
        (PLAIN, '"\n1\n1\n"', '"'),
        (PLAIN, '" 1 ]\n"', '"'),
        ("h - u [t", '] "a" 1 1 ""\n"', '"'),
    ],
)
def test_a_hostile_event_of_64_kib_with_newlines_is_parsed_correctly_and_fast(
    start: str, unit: str, end: str
) -> None:
    units = (_core.MAX_LINE_BYTES - len(start) - len(end)) // len(unit)
    line = (start + unit * units + end).encode()
    before = time.process_time()
    got = parsed_body(line)
    assert time.process_time() - before < 2
    # No field contains a newline, so more repetitions change nothing.
    assert got == expected((start + unit * 3 + end).encode())


def test_a_line_of_64_kib_is_parsed_and_one_byte_more_is_too_long() -> None:
    start, end = b'h - u [t] "GET /', b' HTTP/1.1" 200 5 "-" "a"'
    url = b"x" * (65_536 - len(start) - len(end))
    fits, too_long = start + url + end, start + url + b"x" + end
    assert len(fits) == 65_536
    batch = tr.Format("classic").parse(too_long + b"\n" + fits + b"\n" + too_long)
    assert [row["url"] for row in batch.to_dicts()] == ["/" + url.decode()]
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [
        (0, "too-long"),
        (2, "too-long"),
    ]


def test_a_carriage_return_is_part_of_the_line_and_a_newline_is_not() -> None:
    start, end = b'h - u [t] "GET /', b' HTTP/1.1" 200 5 "-" "a"\r'
    fits = start + b"x" * (65_536 - len(start) - len(end)) + end
    batch = tr.Format("classic").parse(fits + b"\n" + b"x" + fits + b"\n")
    assert len(batch) == 1
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [(1, "too-long")]
