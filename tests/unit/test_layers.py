"""Compression and TLS around the frames of agents, in a real receiver and by themselves."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from certificates import Authority
from hypothesis import given
from hypothesis import strategies as st
from layered import ORDERS, LayeredSink, trusting
from live import OK, Sink, event, line, running, wait_for

import tailrace as tr
from tailrace._errors import ProtocolError
from tailrace._flume.layers import ClientLayers, Security, ServerLayers
from tailrace._sources.ip_rules import IpRules
from tailrace._tls import client_context, server_context

if TYPE_CHECKING:
    from live import Process

TOP = ["--log-format", "classic", "--window", "1h", "--format", "jsonl"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("server")


def secured(server: tuple[Path, Path], *more: str) -> list[str]:
    options = "&".join([f"tls={server[0]}", f"key={server[1]}", *more])
    return ["top", f"flume://127.0.0.1:0?{options}", *TOP]


def counted(receiver: Process) -> dict[str, Any]:
    assert receiver.end(signal.SIGTERM) == 0
    snapshots = receiver.snapshots()
    if not snapshots:
        assert "tailrace: 0 lines: 0 counted" in receiver.messages
        return {"fed": 0, "counted": 0}
    lines: dict[str, Any] = snapshots[-1]["lines"]
    return lines


# --- each order, cut anywhere ---------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_every_order_of_layers_is_taken_and_answered(
    order: tuple[str, ...], server: tuple[Path, Path], authority: Authority
) -> None:
    context = trusting(authority.certificate)
    with running(*secured(server, "plain=allow")) as receiver:
        for step in (None, 1):
            with LayeredSink(receiver.port, order, context, step=step) as sink:
                for batch in range(3):
                    # Another batch each time: what comes again counts once.
                    assert sink.batch([line(f"/{step}/{batch}")] * 40) == OK
                sink.socket.sendall(sink.finish())
        lines = counted(receiver)
    assert lines["fed"] == lines["counted"] == 2 * 3 * 40
    assert not [text for text in receiver.messages if "connection closed" in text]


@pytest.mark.parametrize("order", [ORDERS["deflate"], ORDERS["tls around deflate"]])
def test_a_batch_of_many_mebibytes_is_unpacked_in_steps(
    order: tuple[str, ...], server: tuple[Path, Path], authority: Authority
) -> None:
    with running(*secured(server, "plain=allow")) as receiver:
        with LayeredSink(receiver.port, order, trusting(authority.certificate)) as sink:
            assert sink.batch([line("/a")] * 100_000) == OK
        lines = counted(receiver)
    assert lines["counted"] == 100_000


@given(
    order=st.sampled_from(list(ORDERS.values())),
    parts=st.lists(st.binary(max_size=3_000), max_size=8),
    cuts=st.lists(st.integers(1, 5_000), min_size=1, max_size=12),
    limit=st.integers(1, 70_000),
)
def test_layers_return_what_was_put_in_however_it_is_cut(
    order: tuple[str, ...], parts: list[bytes], cuts: list[int], limit: int
) -> None:
    tls = _contexts()
    client = ClientLayers(
        tls[1] if "tls" in order else None,
        server_name="localhost",
        level=6 if "deflate" in order else None,
        tls_inside=order[:1] == ("deflate",),
    )
    layers = ServerLayers(Security(tls[0]))
    # As every frame of a peer does, the first one begins with a zero.
    sent = [b"\0frame", *parts]
    client.begin()
    for part in sent:
        client.write(part)
    got, back = b"", b""
    answered = False
    while not answered or back != b"answer":
        data, at, cut = client.to_send(), 0, 0
        while at < len(data):
            layers.feed(data[at : at + cuts[cut % len(cuts)]])
            at, cut = at + cuts[cut % len(cuts)], cut + 1
            while piece := layers.read(limit):
                got += piece
        if got == b"".join(sent) and not answered:
            layers.write(b"answer")
            answered = True
        client.feed(layers.to_send())
        while piece := client.read(limit):
            back += piece
    assert got == b"".join(sent)


_made: list[tuple[ssl.SSLContext, ssl.SSLContext]] = []


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server and a client, made once."""
    if not _made:
        with tempfile.TemporaryDirectory() as directory:
            authority = Authority(Path(directory))
            certificate, key = authority.issue("localhost")
            _made.append(
                (
                    server_context(str(certificate), str(key)),
                    client_context(str(authority.certificate)),
                )
            )
    return _made[0]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_of_a_peer_do_more_than_end_its_connection(data: bytes, limit: int) -> None:
    layers = ServerLayers(Security(_contexts()[0]))
    layers.feed(data)
    with suppress(ProtocolError):
        while layers.read(limit):
            pass
    layers.close()
    layers.to_send()


# --- who is taken ---------------------------------------------------------------------------------


def refused(receiver: Process, sink: Sink) -> str:
    """Return why the last connection was closed."""
    assert sink.is_closed()
    return wait_for(
        lambda: next((one for one in receiver.messages if "connection closed" in one), None)
    )


def test_with_a_certificate_plain_connections_are_refused(server: tuple[Path, Path]) -> None:
    with running(*secured(server)) as receiver, Sink(receiver.port) as sink:
        sink.send(sink.frame(b"append", event(line("/a"))))
        assert "without TLS; set `ssl = true`" in refused(receiver, sink)
        assert counted(receiver)["fed"] == 0


def test_with_a_certificate_compressed_connections_without_tls_are_refused(
    server: tuple[Path, Path],
) -> None:
    with running(*secured(server)) as receiver:
        with LayeredSink(receiver.port, ("deflate",)) as sink:
            sink.send(sink.frame(b"append", event(line("/a"))))
            assert "without TLS" in refused(receiver, sink)
        assert counted(receiver)["fed"] == 0


@pytest.mark.parametrize(
    ("option", "order", "problem"),
    [
        ("deflate=off", ("deflate",), "with deflate=off"),
        ("deflate=on", (), "with deflate=on"),
    ],
)
def test_deflate_can_be_demanded_or_refused(
    option: str, order: tuple[str, ...], problem: str
) -> None:
    with running("top", f"flume://127.0.0.1:0?{option}", *TOP) as receiver:
        with LayeredSink(receiver.port, order) as sink:
            sink.send(sink.frame(b"append", event(line("/a"))))
            assert problem in refused(receiver, sink)
        with LayeredSink(receiver.port, () if order else ("deflate",)) as sink:
            assert sink.batch([line("/a")]) == OK
        assert counted(receiver)["counted"] == 1


def test_without_a_certificate_tls_is_refused_with_the_mend(authority: Authority) -> None:
    with running("top", "flume://127.0.0.1:0", *TOP) as receiver:
        with pytest.raises((AssertionError, OSError)):
            LayeredSink(receiver.port, ("tls",), trusting(authority.certificate))
        wait_for(lambda: [one for one in receiver.messages if "?tls=CERTIFICATE&key=KEY" in one])


def test_clients_must_show_a_certificate_of_the_authority(
    server: tuple[Path, Path], authority: Authority, tmp_path: Path
) -> None:
    mine, other = authority.issue("client"), Authority(tmp_path, "other").issue("stranger")
    expired = authority.issue("expired", days=-1)
    demands = f"clients={authority.certificate}"
    with running(*secured(server, demands)) as receiver:
        for own, problem in (
            (None, "has no client certificate"),
            (other, "not accepted: unable to get local issuer certificate"),
            (expired, "not accepted: certificate has expired"),
        ):
            context = trusting(authority.certificate, own)
            # TLS 1.3 tells a client only after its first bytes.
            with (
                pytest.raises((AssertionError, OSError)),
                LayeredSink(receiver.port, ("tls",), context) as sink,
            ):
                sink.batch([line("/wrong")])
            assert wait_for(lambda: [one for one in receiver.messages if problem in one])  # noqa: B023
        with Sink(receiver.port) as plain:
            plain.send(plain.frame(b"append", event(line("/plain"))))
            assert plain.is_closed()
        with LayeredSink(receiver.port, ("tls",), trusting(authority.certificate, mine)) as sink:
            assert sink.batch([line("/right")]) == OK
        lines = counted(receiver)
    assert lines["fed"] == lines["counted"] == 1


def test_a_client_that_does_not_trust_the_certificate_is_told_of(
    server: tuple[Path, Path], tmp_path: Path
) -> None:
    with running(*secured(server)) as receiver:
        other = trusting(Authority(tmp_path).certificate)
        with pytest.raises(ssl.SSLCertVerificationError):
            LayeredSink(receiver.port, ("tls",), other)
        wait_for(lambda: [one for one in receiver.messages if "trust the certificate" in one])


def test_a_handshake_that_does_not_go_on_is_ended(server: tuple[Path, Path]) -> None:
    with running(*secured(server)) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as peer:
            peer.sendall(bytes.fromhex("160301"))
            assert peer.recv(1) == b""
        wait_for(lambda: [one for one in receiver.messages if "no handshake within 10 s" in one])


def test_a_peer_that_cannot_read_tls_1_3_is_offered_1_2(
    server: tuple[Path, Path], authority: Authority
) -> None:
    """What Flume 1.9 does on a newer Java: the alert bad_record_mac in the handshake."""
    with running(*secured(server)) as receiver:
        context = trusting(authority.certificate)
        with socket.create_connection(("127.0.0.1", receiver.port)) as peer:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            peer.sendall(outgoing.read())
            assert peer.recv(65_536)
            # A fatal alert, bad_record_mac.
            peer.sendall(bytes.fromhex("15030300020214"))
            assert b"" in iter(lambda: peer.recv(65_536), b"x")
        wait_for(lambda: [one for one in receiver.messages if "offered TLS 1.2" in one])
        with LayeredSink(receiver.port, ("tls",), context) as sink:
            assert sink.tls is not None
            assert sink.tls.tls.version() == "TLSv1.2"
            assert sink.batch([line("/a")]) == OK
        assert counted(receiver)["counted"] == 1


# --- bombs ----------------------------------------------------------------------------------------


def bomb(head: bytes, size: int) -> bytes:
    """Return a stream of little that unpacks to much: zeros after a head."""
    packing = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    return b"".join(
        [packing.compress(head), *(packing.compress(zeros) for _ in range(size >> 20))]
    ) + packing.flush(zlib.Z_SYNC_FLUSH)


def peak_bytes(process: Process) -> int:
    """Return the most memory that a process had at once."""
    with Path(f"/proc/{process.process.pid}/status").open() as status:
        return next(int(one.split()[1]) << 10 for one in status if one.startswith("VmHWM:"))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="zeros"),
        pytest.param(bytes.fromhex("00000001 00000001 40000000"), id="one frame of a GiB"),
        pytest.param(bytes.fromhex("00000001 00000002 03ffffff"), id="one frame at the limit"),
    ],
)
def test_a_bomb_of_a_gigabyte_ends_with_one_line_in_little_memory(head: bytes) -> None:
    data = bomb(head, 1_000_000_000)
    assert len(data) < 1_100_000
    with running("top", "flume://127.0.0.1:0", *TOP) as receiver:
        before = peak_bytes(receiver)
        with socket.create_connection(("127.0.0.1", receiver.port)) as peer:
            try:
                peer.sendall(data)
                assert peer.recv(1) == b""
            except ConnectionError:
                pass
        with LayeredSink(receiver.port, ("deflate",)) as sink:
            assert sink.batch([line("/a")]) == OK
        assert peak_bytes(receiver) - before < 256 << 20
        assert counted(receiver)["counted"] == 1
    assert len([one for one in receiver.messages if "connection closed" in one]) == 1


# --- files ----------------------------------------------------------------------------------------


def opened(options: str, **environment: str) -> str:
    """Return what a receiver with these options says; it does not start."""
    old = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with running("top", f"flume://127.0.0.1:0?{options}", *TOP) as receiver:
            assert receiver.closed() == 2
            return "\n".join(receiver.messages)
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def test_files_that_cannot_be_used_are_named_with_the_mend(
    authority: Authority, server: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = server
    other = authority.issue("other")
    locked = authority.issue("locked", password=b"secret")
    jks = tmp_path / "store.jks"
    jks.write_bytes(bytes.fromhex("feedfeed00000002") + bytes(50))
    text = tmp_path / "text"
    text.write_text("hello")
    for options, problem in (
        (f"tls={tmp_path}/none.pem", "none.pem: no such file"),
        (f"tls={certificate}", "found no private key; give the file with the key: key=FILE"),
        (f"tls={certificate}&key={other[1]}", "is not that of"),
        (f"tls={text}", "expected a certificate in PEM or PKCS12, found neither"),
        (f"tls={jks}", "keytool -importkeystore"),
        (f"tls={locked[0]}&key={locked[1]}", "set TAILRACE_TLS_PASSWORD"),
        (f"tls={certificate}&key={key}&clients={text}", "expected certificates in PEM"),
        (f"tls={authority.directory}/locked.p12", "set TAILRACE_TLS_PASSWORD"),
        (f"tls={authority.directory}/server.p12&key={key}", "omit key"),
    ):
        said = opened(options)
        assert problem in said, (options, said)
        assert "Traceback" not in said
    wrong = opened(f"tls={locked[0]}&key={locked[1]}", TAILRACE_TLS_PASSWORD="wrong")  # noqa: S106 - a wrong one
    assert "the password in TAILRACE_TLS_PASSWORD is wrong" in wrong


@pytest.mark.parametrize("file", ["key", "p12"])
def test_an_encrypted_key_is_opened_with_the_password(
    file: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.issue("locked", password=b"secret")
    monkeypatch.setenv("TAILRACE_TLS_PASSWORD", "secret")
    options = (
        f"tls={certificate}&key={key}"
        if file == "key"
        else f"tls={certificate.with_suffix('.p12')}"
    )
    with running("top", f"flume://127.0.0.1:0?{options}", *TOP) as receiver:
        with LayeredSink(receiver.port, ("tls",), trusting(authority.certificate)) as sink:
            assert sink.batch([line("/a")]) == OK
        assert counted(receiver)["counted"] == 1


def test_hup_reads_the_certificates_again(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    certificate, key = tmp_path / "used.pem", tmp_path / "used.key"
    for issued, used in zip(authority.issue("first"), (certificate, key), strict=True):
        used.write_bytes(issued.read_bytes())
    with running(*secured((certificate, key)), before=("setsid",)) as receiver:
        with LayeredSink(receiver.port, ("tls",), trusting(authority.certificate)) as old:
            assert old.batch([line("/a")]) == OK
            key.write_text("damaged")
            receiver.process.send_signal(signal.SIGHUP)
            wait_for(lambda: [one for one in receiver.messages if "found no private key" in one])
            for issued, used in zip(other.issue("second"), (certificate, key), strict=True):
                used.write_bytes(issued.read_bytes())
            receiver.process.send_signal(signal.SIGHUP)
            wait_for(lambda: [one for one in receiver.messages if "read the certificate" in one])
            with LayeredSink(receiver.port, ("tls",), trusting(other.certificate)) as new:
                assert new.batch([line("/b")]) == OK
            # A connection goes on with what it began with.
            assert old.batch([line("/c")]) == OK
        assert counted(receiver)["counted"] == 3


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("key=a.key", "key needs tls=CERTIFICATE"),
        ("clients=ca.pem", "clients needs tls=CERTIFICATE"),
        ("plain=allow", "plain needs tls=CERTIFICATE"),
        ("tls=a&plain=yes", "plain: expected allow, found 'yes'"),
        ("tls=a&clients=b&plain=allow", "give one of them"),
        ("tls=", "tls: expected a file"),
        ("deflate=6", "deflate: expected auto, on or off, found '6'"),
        ("ipFilterRules=permit:ip:*", "expected allow or deny, ip or name, and a pattern"),
        ("ipFilterRules=", "expected allow or deny, ip or name"),
        ("ssl=true", "unknown parameter 'ssl'; known: sender, tls, key, clients, deflate"),
        ("deflate=on&deflate=off", "deflate is given twice"),
    ],
)
def test_wrong_parameters_are_named(options: str, problem: str) -> None:
    with pytest.raises(ValueError, match="address") as caught:
        tr.from_flume(f"flume://127.0.0.1:9092?{options}")
    assert problem in str(caught.value)


RULES = {
    "allow:ip:127.*,deny:ip:*": [("127.0.0.1", True), ("10.0.0.1", False)],
    "deny:ip:10.0.0.?": [("10.0.0.1", False), ("10.0.0.10", True), ("127.0.0.1", True)],
    "allow:name:localhost, deny:ip:*": [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False)],
    "deny:ip:0:0:0:0:0:0:0:1": [("::1", False), ("127.0.0.1", True)],
    "allow:ip:::1,deny:ip:*": [("::1", True), ("127.0.0.1", False)],
    # A dot is no pattern of its own.
    "deny:ip:1.2.3.4": [("1.2.3.4", False), ("1x2.3.4", True), ("1.2.3.40", True)],
}


@pytest.mark.parametrize(
    ("text", "address", "is_allowed"),
    [(text, *case) for text, cases in RULES.items() for case in cases],
)
def test_the_first_rule_that_matches_decides(text: str, address: str, *, is_allowed: bool) -> None:
    assert IpRules(text).allows(address) is is_allowed


def test_rules_about_names_go_by_the_name_of_the_peer_or_its_address() -> None:
    rules = IpRules("allow:name:*.example.org,deny:name:*")
    assert rules.needs_name
    assert rules.allows("10.0.0.1", "a.example.org")
    assert not rules.allows("10.0.0.1", "example.org")
    assert not rules.allows("10.0.0.1")
    assert not IpRules("allow:name:localhost,deny:ip:*").needs_name


@pytest.mark.parametrize(
    "rules",
    ["deny:ip:127.*", "deny:name:localhost,allow:ip:*", "allow:name:nobody.invalid,deny:name:*"],
)
def test_a_peer_that_the_rules_refuse_sends_nothing(rules: str) -> None:
    with running("top", f"flume://127.0.0.1:0?ipFilterRules={rules}", *TOP) as receiver:
        with Sink(receiver.port) as sink:
            assert sink.is_closed()
        wait_for(lambda: [one for one in receiver.messages if "refused by ipFilterRules" in one])
        assert counted(receiver)["fed"] == 0


def test_a_peer_that_the_rules_allow_is_served() -> None:
    rules = "allow:ip:127.0.0.1,deny:ip:*"
    with running("top", f"flume://127.0.0.1:0?ipFilterRules={rules}", *TOP) as receiver:
        with Sink(receiver.port) as sink:
            assert sink.batch([line("/a")]) == OK
        assert counted(receiver)["counted"] == 1
