"""Strategies for the values that servers write into an access log, and their escaping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

C_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
C_ESCAPES["\v"] = "\\v"


def apache(text: bytes) -> str:
    """Escape as Apache's ap_escape_logitem."""
    return "".join(
        C_ESCAPES.get(character)
        or (character if " " <= character <= "~" else f"\\x{ord(character):02x}")
        for character in text.decode("latin-1")
    )


def nginx(text: bytes) -> str:
    """Escape as nginx's ngx_http_log_escape."""
    return "".join(
        character
        if " " <= character <= "~" and character not in '"\\'
        else f"\\x{ord(character):02X}"
        for character in text.decode("latin-1")
    )


hosts = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map("[{}]:8080".format),
    st.from_regex(r"[a-z0-9-]{1,9}(\.[a-z]{2,5}){1,3}", fullmatch=True),
    st.just("unix:"),
)
# Tokens with a meaning in a line, and any bytes.
meaningful = st.sampled_from(
    [
        b'"',
        b"\\",
        b" ",
        b"]",
        b"[",
        b"-",
        b'] "',
        b'" 200 5 ',
        b'" "',
        b"\t",
        b"\n",
        b"\f",
        b"\xff",
        b"a",
    ]
)
anything = st.lists(meaningful | st.binary(max_size=4), max_size=12).map(b"".join)
targets = anything.map(lambda text: text.strip(b" ")).filter(len)
users = st.lists(
    st.sampled_from([b"joe", b'"', b"\\", b" ", b" - ", b"]", b"[", b"\xc3\xa9", b"\f"]), max_size=6
).map(lambda parts: b"".join(parts).strip(b" "))


def is_user(text: str) -> bool:
    """Report whether a line with this user, as a server writes it, is accepted."""
    words = text.split(" ")
    if len(words) == 1:
        return not text.startswith(("[", "(", '"'))
    return "-" not in words and not set(text) & set('[]()"')


offsets = st.one_of(
    st.sampled_from([0, 60, -480, 330, 1439, -1439]).map(
        lambda minutes: timedelta(minutes=minutes)
    ),
    st.integers(-1439, 1439).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(-86_399, 86_399).map(lambda seconds: timedelta(seconds=seconds)),
    st.integers(-86_399_999_999, 86_399_999_999).map(lambda us: timedelta(microseconds=us)),
)
# Within 9e15 microseconds of the epoch; log times beyond that need not be parsed.
YEARS = range(1685, 2255)
times = st.datetimes(
    min_value=datetime(YEARS[0], 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(YEARS[-1], 12, 31),  # noqa: DTZ001 - the same
    timezones=offsets.map(timezone),
).map(lambda moment: moment.replace(microsecond=0))


def stamp(moment: datetime) -> str:
    return f"{moment:%d/%b/%Y:%H:%M:%S %z}"


def iso(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    text = utc.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if utc.microsecond else text) + "Z"


def or_none(text: str) -> str | None:
    """Return the text, or None for `-` and the empty string, which servers write for no value."""
    return None if text in {"", "-"} else text
