"""Countries of addresses, against `ipaddress` and the reference reader of MaxMind DB files."""

from __future__ import annotations

import copy
import gzip
import io
import os
import pickle
import subprocess
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

import maxminddb
import mmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import COMMAND
from profiles import examples, scaled, seeded

import tailrace as tr
from tailrace import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Network = IPv4Network | IPv6Network
    Address = IPv4Address | IPv6Address

LINE = '{} - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"'

RECORDS: dict[str, Any] = {
    "192.0.2.0/24": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}},
    "198.51.100.0/25": {"country": {"iso_code": "AT"}},
    "203.0.113.0/24": {"continent": {"code": "EU"}},
    "2001:db8::/32": {"country": {"iso_code": "FR"}},
}
COUNTRY = mmdb.database(RECORDS, aliases=["::ffff:0:0/96", "2002::/16"])


@pytest.fixture(scope="module")
def geoip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("geoip") / "country.mmdb"
    path.write_bytes(COUNTRY)
    return path


def codes(geoip: str | os.PathLike[str], hosts: Sequence[str]) -> list[str | None]:
    """Return the country of each host."""
    log_format = tr.Format("combined", geoip=geoip)
    batch = log_format.parse(list(map(LINE.format, hosts)), fields=["host:country"])
    assert len(batch) == len(hosts)
    return [row["host:country"] for row in batch]


def test_an_address_has_the_country_of_its_network(geoip: Path):
    expected = {
        "192.0.2.0": "DE",
        "192.0.2.255": "DE",
        "192.0.3.0": None,
        "198.51.100.127": "AT",
        "198.51.100.128": None,
        "2001:db8:1::5": "FR",
        "2001:db9::": None,
        "::ffff:192.0.2.1": "DE",
        "203.0.113.5": None,
        "10.0.0.1": None,
        "127.0.0.1": None,
        "::1": None,
        "example.org": None,
        "-": None,
        "192.0.2": None,
    }

    assert codes(geoip, list(expected)) == list(expected.values())


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"country": {"iso_code": "DE"}}, "DE"),
        # GeoLite2-City, DB-IP City.
        ({"city": {"names": {"en": "x"}}, "country": {"iso_code": "DE"}, "location": {}}, "DE"),
        # IPinfo: the code, or the name beside the code.
        ({"country": "DE", "continent": "EU"}, "DE"),
        ({"country": "Germany", "country_code": "DE"}, "DE"),
        ({"country_code": "DE"}, "DE"),
        ({"country": {"names": {"en": "Germany"}}, "country_code": "DE"}, "DE"),
        ({"country": {}, "registered_country": {"iso_code": "FR"}}, None),
        ({"country": {"iso_code": ""}}, None),
        ({"country": {"iso_code": mmdb.Number(49)}}, None),
        ({"country": ["DE"]}, None),
        ({}, None),
        ("DE", None),
    ],
)
@pytest.mark.parametrize("record_size", [24, 28, 32])
def test_a_country_is_where_providers_have_it(
    tmp_path: Path, record: object, expected: str | None, record_size: int
):
    # Another network, so that the database has a country.
    records = {"192.0.2.0/24": record, "198.51.100.0/24": {"country": {"iso_code": "AT"}}}
    path = tmp_path / "x.mmdb"
    path.write_bytes(mmdb.database(records, record_size=record_size))

    assert codes(path, ["192.0.2.1", "198.51.100.1"]) == [expected, "AT"]


IPV4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(
    lambda pair: ip_network(pair, strict=False)
)
# Above all IPv4 addresses, within which databases have IPv4.
IPV6 = st.tuples(st.integers(2**125, 2**128 - 1), st.integers(4, 128)).map(
    lambda pair: ip_network((IPv6Address(pair[0]), pair[1]), strict=False)
)
CODES = st.sampled_from(["DE", "AT", "CH", "US", "NZ", "a longer code", "\u00e9"])


@given(st.data())
@examples(200)
def test_random_databases_give_what_ipaddress_and_the_reference_reader_find(data: st.DataObject):
    version = data.draw(st.sampled_from([4, 6]))
    networks: st.SearchStrategy[Network] = IPV4 if version == 4 else IPV4 | IPV6
    given = data.draw(st.dictionaries(networks, CODES, min_size=1, max_size=20))
    written = mmdb.database(
        {str(network): {"country": {"iso_code": code}} for network, code in given.items()},
        record_size=data.draw(st.sampled_from([24, 28, 32])),
        ip_version=version,
    )
    # The ends of networks, what is beside them, and any address.
    near = [int(network[end]) + by for network in given for end in (0, -1) for by in (-1, 0, 1)]
    some = [*near, *data.draw(st.lists(st.integers(0, 2**32 - 1), max_size=5))]
    addresses = [ip_address(number) for number in some if 0 <= number < 2**128]
    hosts = [*map(str, addresses), *(f"[{one}]" for one in addresses if one.version == 6)]

    def of_ipaddress(address: Address) -> str | None:
        held = [network for network in given if address in network]
        return given[max(held, key=lambda network: network.prefixlen)] if held else None

    def of_reference(address: Address) -> str | None:
        found: Any = reader.get(address) if address.version <= version else None
        return found and found["country"]["iso_code"]

    lookups = _core.Lookups(countries=written)
    table = _core.parse(
        [LINE.format(host).encode() for host in hosts],
        format=_core.Format("combined", None, [lookups]),
        fields=["host:country"],
    )
    with maxminddb.open_database(io.BytesIO(written), maxminddb.MODE_FD) as reader:
        plain = [ip_address(host.strip("[]")) for host in hosts]

        assert [row["host:country"] for row in table.to_dicts()] == list(map(of_ipaddress, plain))
        assert list(map(of_reference, plain)) == list(map(of_ipaddress, plain))


NO_DATABASE = "expected a MaxMind DB file, found another kind of file, or one that is cut off"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a MaxMind DB file, found an empty file"),
        (b"network,country\n192.0.2.0/24,DE\n", NO_DATABASE),
        (bytes(100_000), NO_DATABASE),
        (COUNTRY[: len(COUNTRY) // 2], NO_DATABASE),
        (gzip.compress(COUNTRY), "expected a MaxMind DB file, found gzip; decompress it first"),
        (mmdb.MARKER, "the MaxMind DB file is damaged"),
        (COUNTRY[:-20], "the MaxMind DB file is damaged"),
        (mmdb.MARKER + COUNTRY.split(mmdb.MARKER)[1], "the MaxMind DB file is damaged"),
        (
            mmdb.database({"192.0.2.0/24": {"autonomous_system_number": mmdb.Number(64_496)}}),
            "expected a database of countries, such as GeoLite2-Country, found one of the type ",
        ),
        (mmdb.database({}), "expected a database of countries"),
        (COUNTRY[1_000:], "the MaxMind DB file is damaged"),
    ],
)
def test_a_file_that_is_no_database_of_countries_is_refused(
    tmp_path: Path, data: bytes, message: str
):
    path = tmp_path / "x.mmdb"
    path.write_bytes(data)

    with pytest.raises(ValueError, match=r"^geoip: ") as raised:
        tr.from_files("access.log", geoip=path)
    assert str(raised.value).startswith(f"geoip: {path}: {message}")


def node(left: int, right: int) -> bytes:
    return left.to_bytes(3, "big") + right.to_bytes(3, "big")


def hostile(tree: Sequence[bytes], values: bytes) -> bytes:
    """Return a database with this tree and these values."""
    metadata = mmdb.database({"192.0.2.0/24": "x"}).split(mmdb.MARKER)[1]
    own = mmdb.encoded("node_count")
    count = mmdb.encoded(mmdb.Number(len(tree)))
    at = metadata.index(own) + len(own)
    length = 1 + (metadata[at] & 0x1F)
    metadata = metadata[:at] + count + metadata[at + length :]
    return b"".join(tree) + bytes(16) + values + mmdb.MARKER + metadata


DEEP = b"\xe1" + mmdb.encoded("country")


@pytest.mark.parametrize(
    ("tree", "values"),
    [
        # A node that is its own child, and a tree of which every path is shared.
        ([node(0, 0)], b"\xe0"),
        ([*(node(at + 1, at + 1) for at in range(127)), node(144, 144)], b"\xe0"),
        ([*(node(at + 1, at + 1) for at in range(95)), node(96, 96), node(113, 113)], b"\xe0"),
        # A record beyond the end, before the values, and one that ends too early.
        ([node(2_000, 2_000)], b"\xe0"),
        ([node(5, 5)], b"\xe0"),
        ([node(17, 17)], DEEP),
        # Pointers that lead to themselves and to nowhere, maps without end, and a huge map.
        ([node(17, 17)], b"\x20\x00"),
        ([node(17, 17)], b"\x27\xff"),
        ([node(17, 17)], DEEP * 5_000),
        ([node(17, 17)], b"\xff\xff\xff\xff"),
        ([node(17, 17)], DEEP + b"\x20\x00"),
        # Text that is not UTF-8.
        ([node(17, 17)], DEEP + b"\x42\xff\xfe"),
    ],
)
def test_a_hostile_file_is_refused_and_nothing_hangs(tree: Sequence[bytes], values: bytes):
    with pytest.raises(ValueError, match=r"damaged|expected a database of countries"):
        _core.Lookups(countries=hostile(tree, values))


def test_a_changed_byte_never_breaks_a_run():
    random = seeded(1)
    refused = 0
    lines = [LINE.format(host).encode() for host in ("192.0.2.1", "2001:db8::1", "198.51.100.1")]
    for _ in range(scaled(2_000)):
        changed = bytearray(COUNTRY)
        for _ in range(random.choice([1, 1, 3])):
            changed[random.randrange(len(changed))] = random.randrange(256)
        try:
            lookups = _core.Lookups(countries=bytes(changed))
        except ValueError:
            refused += 1
            continue
        log_format = _core.Format("combined", None, [lookups])
        table = _core.parse(lines, format=log_format, fields=["host:country"])
        assert len(table) == 3
    assert refused


def test_every_source_and_a_condition_can_look_up_countries(geoip: Path, tmp_path: Path):
    lines = [LINE.format(host) for host in ["192.0.2.1", "192.0.2.9", "198.51.100.1", "10.0.0.1"]]
    path = tmp_path / "access.log"
    path.write_text("".join(line + "\n" for line in lines))
    rows = [
        {"host:country": "DE", "count": 2},
        {"host:country": "AT", "count": 1},
        {"host:country": None, "count": 1},
    ]

    for query in (tr.from_lines(lines, geoip=geoip), tr.from_files(path, geoip=str(geoip))):
        assert query.count(by="host:country").collect().rows == rows
        some = query.where("host:country in (DE, AT)").count(by="host:country")
        assert some.collect().rows == rows[:2]
        missing = query.where("host:country == null").parse(["host"])
        assert [row["host"] for batch in missing for row in batch] == ["10.0.0.1"]
    merged = tr.merge(tr.from_lines(lines, geoip=geoip), tr.from_files(path, geoip=geoip))
    assert merged.count(by="host:country").collect().total == 8


def test_threads_share_a_database(geoip: Path, tmp_path: Path):
    path = tmp_path / "access.log"
    hosts = ["192.0.2.1", "198.51.100.1", "2001:db8::1", "10.0.0.1"]
    path.write_text("".join(LINE.format(host) + "\n" for host in hosts) * 20_000)

    query = tr.from_files(path, geoip=geoip).count(by="host:country")

    rows = {row["host:country"]: row["count"] for row in query.collect(jobs=4).rows}
    assert rows == dict.fromkeys(["DE", "AT", "FR", None], 20_000)


def test_a_format_with_a_database_can_be_copied(geoip: Path):
    log_format = tr.Format("combined", geoip=geoip)
    assert repr(log_format) == f"Format('combined', geoip={str(geoip)!r})"

    again: tr.Format = pickle.loads(pickle.dumps(log_format))  # noqa: S301 - our own

    (row,) = again.parse([LINE.format("192.0.2.1")], fields=["host:country"])
    assert row == {"host:country": "DE"}


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda query: pickle.loads(pickle.dumps(query))],  # noqa: S301 - our own
)
def test_a_query_with_a_database_can_be_copied(geoip: Path, copied: Callable[[tr.Query], tr.Query]):
    lines = [LINE.format("192.0.2.1")]
    query = tr.from_lines(lines, format="combined", geoip=geoip).count(by="host:country")

    (row,) = copied(query).collect().rows

    assert row == {"host:country": "DE", "count": 1}


MISSING = (
    "geoip: expected a MaxMind DB file, such as GeoLite2-Country.mmdb, for the field "
    "'host:country', found none"
)


def test_without_a_database_the_message_says_what_to_give():
    query = tr.from_lines([LINE.format("192.0.2.1")])

    for act in (
        lambda: query.count(by="host:country"),
        lambda: query.agg("url", n=tr.count_distinct("host:country")),
        lambda: query.where("host:country == DE"),
        lambda: query.parse(["host:country"]),
        lambda: tr.Format("combined").parse(b"", fields=["host:country"]),
    ):
        with pytest.raises(ValueError, match=r"^geoip: ") as raised:
            act()
        assert str(raised.value) == MISSING


@pytest.mark.parametrize(("geoip", "error"), [(5, TypeError), (b"x.mmdb", TypeError)])
def test_a_database_is_a_path(geoip: object, error: type[Exception]):
    with pytest.raises(error, match=r"^geoip: expected a path as str or Path, found "):
        tr.from_lines([], geoip=cast("str", geoip))
    with pytest.raises(FileNotFoundError):
        tr.from_lines([], geoip="missing.mmdb")


def ran(*arguments: str, **env: str) -> tuple[int, str, str]:
    """Run the command; return the exit code, what it printed, and its messages."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=LINE.format("192.0.2.1") + "\n",
        capture_output=True,
        text=True,
        env=os.environ | env,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_takes_a_database(geoip: Path):
    top = ["top", "--by", "host:country", "--format", "csv"]
    for arguments, env in ((["--geoip", str(geoip)], {}), ([], {"TAILRACE_GEOIP": str(geoip)})):
        code, printed, _ = ran(*top, *arguments, **env)
        assert (code, printed.splitlines()[1:]) == (
            0,
            ["2015-05-17T10:05:03Z,2015-05-17T10:05:03Z,DE,1"],
        )
    code, printed, _ = ran("parse", "--fields", "host,host:country", "--geoip", str(geoip))
    assert (code, printed) == (0, '{"host":"192.0.2.1","host:country":"DE"}\n')


def test_the_database_of_the_environment_is_loaded_only_if_it_is_needed(tmp_path: Path):
    missing = str(tmp_path / "no.mmdb")
    for arguments in (["top", "--by", "host"], ["parse", "--fields", "host"]):
        assert ran(*arguments, TAILRACE_GEOIP=missing)[0] == 0
    for arguments in (
        ["top", "--by", "host:country"],
        ["top", "--show", "count(host:country)"],
        ["parse", "--fields", "host:country"],
        ["parse", "--where", "host:country == DE"],
    ):
        code, _, messages = ran(*arguments, TAILRACE_GEOIP=missing)
        assert (code, "TAILRACE_GEOIP: " in messages) == (2, True), messages


def test_the_command_says_what_is_wrong_with_a_database_before_it_reads(tmp_path: Path):
    (tmp_path / "empty.mmdb").touch()
    missing, empty = str(tmp_path / "no.mmdb"), str(tmp_path / "empty.mmdb")
    os.mkfifo(tmp_path / "pipe.mmdb")
    for arguments, env, message in (
        (["--geoip", missing], {}, f"--geoip: {missing}: no such file or directory"),
        (["--geoip", str(tmp_path)], {}, f"--geoip: {tmp_path}: is a directory"),
        (
            ["--geoip", empty],
            {},
            f"--geoip: {empty}: expected a MaxMind DB file, found an empty file",
        ),
        (
            ["--geoip", str(tmp_path / "pipe.mmdb")],
            {},
            f"--geoip: {tmp_path / 'pipe.mmdb'}: expected a MaxMind DB file, found no regular file",
        ),
        (
            [],
            {"TAILRACE_GEOIP": missing},
            f"TAILRACE_GEOIP: {missing}: no such file or directory",
        ),
        (
            ["--where", "host:country == DE"],
            {},
            f"--{MISSING}",
        ),
    ):
        for verb, field in (("top", "--by"), ("parse", "--fields")):
            code, printed, messages = ran(verb, field, "host:country", *arguments, **env)
            assert (code, printed, messages) == (2, "", f"tailrace {verb}: {message}\n")
