"""Real nginx, Apache and lighttpd on loopback, with the same requests in each log format."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from live import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PACKAGES = {"nginx": "nginx", "apache2": "apache2", "lighttpd": "lighttpd"}

# The path of a page in the document root, and its text.
PAGE, BODY = "/page", b"hello\n"

# Bounds failures only.
_TIMEOUT_S = 60


def missing() -> str:
    """Return why the tests cannot run here, or an empty text."""
    packages = [package for program, package in PACKAGES.items() if not _find(program)]
    return f"needs the Debian packages {', '.join(packages)}" if packages else ""


class Response(NamedTuple):
    """What a server sent for a request: nothing, or a status and the length of its body."""

    status: int | None
    size: int


def send(port: int, request: bytes) -> Response:
    """Send the bytes of a request over a connection of its own, and read until it is closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        # A server may reset the connection after what it cannot read.
        with suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                received += part
    head, blank, body = received.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if not blank or not words[0].startswith(b"HTTP/"):
        # HTTP/0.9 has no head.
        return Response(None, len(received))
    return Response(int(words[1]), len(body))


@contextmanager
def nginx(folder: Path, formats: Mapping[str, str]) -> Iterator[int]:
    """Run nginx, which logs each request once for each format; the values are its arguments."""
    port = free_port()
    logs = "\n".join(
        f"log_format {name} {text};\naccess_log {folder}/{name}.log {name};"
        for name, text in formats.items()
    )
    # Only root may name a user; others get a warning.
    config = f"""
        user root;
        pid {folder}/pid;
        error_log {folder}/error;
        daemon off;
        worker_processes 1;
        events {{ }}
        http {{
            {logs}
            client_body_temp_path {folder}/a;
            proxy_temp_path {folder}/b;
            fastcgi_temp_path {folder}/c;
            uwsgi_temp_path {folder}/d;
            scgi_temp_path {folder}/e;
            server {{
                listen 127.0.0.1:{port};
                root {_root(folder)};
            }}
        }}"""
    path = _written(folder / "nginx.conf", config)
    with _running([_find("nginx"), "-c", str(path), "-p", str(folder)], port):
        yield port


@contextmanager
def apache(folder: Path, formats: Mapping[str, str]) -> Iterator[int]:
    """Run Apache, which logs each request once for each format; the values are LogFormats."""
    port = free_port()
    logs = "\n".join(f'CustomLog "{folder}/{name}.log" {text}' for name, text in formats.items())
    modules = "mpm_event authz_core dir mime auth_basic authn_core authn_file authz_user"
    loaded = "\n".join(
        f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in modules.split()
    )
    config = f"""
        {loaded}
        TypesConfig /dev/null
        User www-data
        Group www-data
        ServerRoot {folder}
        ServerName localhost
        Listen 127.0.0.1:{port}
        PidFile {folder}/pid
        ErrorLog {folder}/error
        DefaultRuntimeDir {folder}
        StartServers 1
        DocumentRoot {_root(folder)}
        HttpProtocolOptions Unsafe
        LimitRequestLine 8190
        {logs}
        <Location />
            Require all granted
        </Location>"""
    path = _written(folder / "apache.conf", config)
    with _running([_find("apache2"), "-f", str(path), "-DFOREGROUND"], port):
        yield port


_MODULES = "/usr/lib/apache2/modules"


@contextmanager
def lighttpd(folder: Path, formats: Mapping[str, str]) -> Iterator[dict[str, int]]:
    """Run lighttpd with a port for each format, since it writes one log for a request."""
    ports = {name: free_port() for name in formats}
    sockets = "\n".join(
        f'$SERVER["socket"] == "127.0.0.1:{port}" {{\n'
        f'accesslog.filename = "{folder}/{name}.log"\n'
        f"accesslog.format = {formats[name]}\n}}"
        for name, port in ports.items()
    )
    config = f"""
        server.modules = ("mod_accesslog")
        server.document-root = "{_root(folder)}"
        server.bind = "127.0.0.1"
        server.port = {free_port()}
        server.errorlog = "{folder}/error"
        {sockets}"""
    path = _written(folder / "lighttpd.conf", config)
    with _running([_find("lighttpd"), "-D", "-f", str(path)], *ports.values()):
        yield ports


def _find(program: str) -> str:
    # Servers are not in the PATH of ordinary users.
    return shutil.which(program) or shutil.which(program, path="/usr/sbin") or ""


def _root(folder: Path) -> Path:
    root = folder / "root"
    root.mkdir(exist_ok=True)
    (root / PAGE[1:]).write_bytes(BODY)
    return root


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _running(command: list[str], *ports: int) -> Iterator[None]:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            for port in ports:
                wait_for(partial(_answers, process, port))
            yield
        finally:
            # Logs are complete once it has ended.
            process.terminate()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read().decode(errors="replace"))
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
