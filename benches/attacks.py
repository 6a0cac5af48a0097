"""Lines on which a backtracking matcher spends a power of their length, and some for our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BEFORE", "NAMED", "OWN", "SPECS", "UNITS", "Attack", "examples"]

_HEAD = b"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "
_REQUEST = b'"GET /a HTTP/1.1" 200 5 '
_AGENT = _HEAD + _REQUEST + b'"-" "'
_TAIL = b'" 200 5 "-" "x'


@dataclass(frozen=True)
class Attack:
    """A line: a unit, repeated to a size, between a head and a tail."""

    name: str
    head: bytes
    unit: bytes
    tail: bytes = b""
    own: bool = False

    def ends(self) -> Iterator[tuple[str, bytes]]:
        """Yield the endings of the line: a quote, and for named attacks also none."""
        yield "closed", b'"'
        if not self.own:
            yield "open", b""

    def line(self, size: int, end: bytes) -> bytes:
        """Return a line of at most this size, without its newline."""
        tail = self.tail + end
        count = (size - len(self.head) - len(tail)) // len(self.unit)
        return self.head + self.unit * count + tail


NAMED = [
    Attack('Q: `" `', _AGENT, b'" '),
    Attack('`] "a" ` after `[t`', b"h - u [t", b'] "a" '),
    Attack('C: `" 1 1 " `', _AGENT, b'" 1 1 " '),
    Attack('T: `" 200 5 "-" "`', _AGENT, b'" 200 5 "-" "'),
    Attack('R1: `" 1 ] "x`', _AGENT, b'" 1 ] "x'),
    Attack('D: `" 1 ] " `', _AGENT, b'" 1 ] " '),
    Attack("R6: D, fields after it", _AGENT, b'" 1 ] " ', b'" 1 "router" "url'),
]

OWN = [
    Attack('`"` in the request', _HEAD + b'"', b'"', _TAIL, own=True),
    Attack('`"` in the referer', _HEAD + b'"GET /a HTTP/1.1" 200 5 "', b'"', b'" "x', own=True),
    Attack('`"` in the agent', _AGENT, b'"', b'" "x', own=True),
    Attack('`" 1` in the request', _HEAD + b'"', b'" 1', _TAIL, own=True),
    Attack('`" 1 x ` in the agent', _AGENT, b'" 1 x ', b'" "x', own=True),
    Attack('`\\"` in the request', _HEAD + b'"', b'\\"', _TAIL, own=True),
    Attack("`]` in the time", b"h - u [", b"]", b'] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack("`[` in the time", b"h - u [", b"[", b'] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack("` [x]x` in the time", b"h - u", b" [x]x", b' [t] "GET /a HTTP/1.1' + _TAIL, own=True),
    Attack(
        "`] - 200 5 ` after blanks",
        b"h - u [17/May/2015:10:05:03" + b" " * 500,
        b"] - 200 5 ",
        b'[t] "GET /a HTTP/1.1' + _TAIL,
        own=True,
    ),
    Attack("`€` in the host", b"h", "€".encode(), b" - u [t] " + _REQUEST + b'"-" "x', own=True),
]

# Tried at every place of a line of every format: endings of a field followed by almost what must
# come next, and bytes that a format without a template has to look at twice.
UNITS = [
    *(b'" ', b'] "a" ', b'" 1 1 " ', b'" 200 5 "-" "', b'" 1 ] "x', b'" 1 ] " ', b'" " '),
    *(b"[", b"]", b"[1", b" [", b" ] ", b'] "', b"] -", b"] - 200 5 ", b'"', b"\\", b'\\"'),
    *(b'\\" ', b'" 200 ', b'" 200 5 ', b'" 200 5 "', b" ", b"\t", b"1, ", b"1 : ", b", ", b":"),
    *(b"=", b" rt=", b" 1 1 ", b"- ", b" - ", b" - -", b'" "', b'" [', b'" 1 1 [x] [', b"a"),
    *(b'" rt=1 uct="', b"0", b"1:", b"/", b"\xff", "€".encode(), b"\0", b"\r", b"GET ", b"-1 "),
    # JSON
    *(b'{"a":', b'{"request":', b"[[", b'"a":1,', b'"status":200,', b'"\\u0061":1,', b"\\u0000"),
    *(b'"request":{},', b'"headers":{"a":[1]},', b"\\\\", b",", b"{", b"}", b'":"', b"null,"),
    # delimited text, LTSV, W3C
    *(b'""', b'",', b'"",', b'a"', b"a:", b"\ta:1", b"\tstatus:2", b"\thost:", b"\t:", b"+"),
    *(b"%", b"%25", b"%2520", b'" "-" ', b"#"),
    # prefixes that collectors write
    *(b"<190>", b"2025-01-02T03:04:05Z ", b"May  6 07:08:09 ", b"x: ", b"x | ", b'[a b="', b"]["),
]

# Before a line, in addition to its own beginning.
BEFORE = [
    b"<190>",
    b"<190>May  6 07:08:09 ",
    b'<165>1 2003-10-11T22:14:15.003Z h a - - [a b="',
    b"2025-01-02T03:04:05.123Z stdout F ",
    b"web-1  | ",
    b"\xef\xbb\xbf",
]

_COMBINED = (
    b'1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "http://x/" "Mozilla/5.0"'
)

_PASTED = [
    (
        "nginx, pasted",
        (
            'log_format x \'$remote_addr - $remote_user [$time_local] "$request" $status '
            '$body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" '
            '$request_time "$upstream_response_time"\';'
        ),
        _COMBINED + b' "10.0.0.1" 0.012 "0.001, 0.002"',
    ),
    (
        "Apache, pasted",
        (
            r"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" \"%{A}i\" "
            r"\"%{B}i\" \"%{C}i\" \"%{D}o\" \"%{E}n\" %D"
        ),
        b"v:80 " + _COMBINED + b' "a" "b" "c" "d" "e" 1234',
    ),
    (
        "GoAccess, pasted",
        '%h %^[%d:%t %^] "%r" %s %b "%R" "%u" %T',
        _COMBINED + b" 2",
    ),
    (
        "braces, free fields",
        "{a:text}: {b:text}={c:text} {d:int}, {e:text}",
        b"some words: and more=of these 5, and what is left",
    ),
    (
        "braces, no blanks",
        "{a:text},{b:text};{c:text},{d:text};{e:int}|{f:text}",
        b"one,two;three,four;5|six and seven",
    ),
    (
        "braces, alternatives",
        r'[{time:iso}] {} "{request}"{?} {status}{?} "{x:text}"{?} {y:s}{...}',
        b'[2015-05-17T10:05:03Z] x "GET / HTTP/1.1" 200 "x" 0.5 more',
    ),
    (
        "nginx, pasted JSON",
        (
            'log_format j escape=json \'{"t":"$time_iso8601","r":"$request","s":$status,'
            '"h":{"a":"$http_user_agent"}}\';'
        ),
        b'{"t":"2015-05-17T10:05:03+00:00","r":"GET /a HTTP/1.1","s":200,"h":{"a":"Mozilla/5.0"}}',
    ),
    (
        "JSON, mapped",
        "json:a,b=x.y|x.z,c:int,d=e.0,time=t|u",
        b'{"a":"x","x":{"z":"y"},"c":5,"e":["d"],"t":"2026-11-06T10:00:01Z"}',
    ),
    (
        "CSV, named",
        "csv:time,device,temperature:float",
        b'2026-11-06T10:00:01Z,"cellar",11.5',
    ),
    ("a list", "combined,json,common", _COMBINED),
]


def examples() -> Iterator[tuple[str, str, bytes]]:
    """Yield the name, spec and example of every format to attack."""
    for name in _core.FORMATS:
        about = _core.describe_format(name)
        if about is not None:
            yield name, name, about[1].encode()
    for name, spec, example in _PASTED:
        yield name, spec, example


# Head, unit and tail of texts to compile as formats.
SPECS = [
    *(
        ("", unit, "")
        for unit in ("$", "$a ", "$a", "${", "${a} ", "%", "%h ", "%{", "%{a}i ", "%>")
    ),
    *(("", unit, "") for unit in ("{", "{a} ", "{a", "{a:", "{}", "{} ", "{?}", "{a:text} ", "{{")),
    *(
        ("", unit, "")
        for unit in ("a,", "combined,", "'", "' '", '"', '" "', "\\", "#\n", ";", "~h{")
    ),
    *(
        ("", unit, "")
        for unit in ("%^", "%^ ", "%d", "%t ", "%x ", "%u ", '"%r" ', "é", "\0", "\f", " ")
    ),
    *(
        ("", unit, "")
        for unit in ("{a:time(", "{a:time(%Y)} ", "{time} ", "{time:clf} ", "log_format ")
    ),
    *(
        ("log_format x '", unit, "';")
        for unit in ("$a ", "$status ", "$", "\\'", "' '", "$request|")
    ),
    *(("log_format x ", unit, ";") for unit in ("'$a'", "'$a '\n", "#x\n", "escape=json ", "$a")),
    *(
        ("log_format x escape=json '", unit, "';")
        for unit in ('{"a":', '{"a":"$a",', "[", '"', "$a")
    ),
    *(("log_format x escape=json '{", unit, '"z":$a}\';') for unit in ('"a":$status,', '"a":{},')),
    *(
        ('LogFormat "', unit, '"')
        for unit in ("%h ", "%{a}i ", '\\"', "\\\\", "%{%Y}t ", "%t ", "%%")
    ),
    *(("LogFormat ", unit, "") for unit in ('"', "\\\n", "a ", '"%h" ', "\f", "'")),
    *(("", unit, '\nLogFormat "%h"') for unit in ("#\n", "\n", "x\n", " ")),
    *(("log-format ", unit, "") for unit in ("%h ", "%^ ", "~h{, }", "%x", "%", "\\")),
    *(("%h %{", unit, "}t") for unit in ("%Y", "%d/%b ", "x", "%", "begin:", "{")),
    *(
        ("json:", unit, "a")
        for unit in ("a,", "a.", "a=b|", "a|", "\\", "a:int,", "=", "a=b.c.d,", "!")
    ),
    *(("csv:", unit, "a") for unit in ("a,", ",", "a:int,", ":", "time,", '"')),
    *(
        ("{a:text}", unit, "{b:text}")
        for unit in (" ", "x", "{?} {c}", ' "{c:text}"', "{?}", " {}")
    ),
    *(("", " ".join(f"{{f{n}}}" for n in range(1_500)), " {...}"),),
    *(("", " ".join(f"$arg_f{n}" for n in range(1_000)), ""),),
    *(("", "{?} ".join(f"{{f{n}:text}}," for n in range(900)), ""),),
]
