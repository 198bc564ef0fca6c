"""Real reverse proxies in front of the service: Debian's nginx and Caddy."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.data.debian import program
from tests.data.ports import free_port
from tests.waiting import PATIENCE_S, wait_for

CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; {server} }}
}}
"""
StartProxy = Callable[[str], str]


CADDY_CONFIG = """
{{
  admin off
  auto_https disable_redirects
  local_certs
  skip_install_trust
  storage file_system {folder}
}}
{sites}
"""


@pytest.fixture(scope="session")
def nginx() -> str:
    """Path of nginx."""
    return program("nginx-light", "nginx")


@pytest.fixture(scope="session")
def caddy() -> str:
    """Path of Caddy."""
    return program("caddy", "caddy")


@pytest.fixture
def start_proxy(nginx: str, tmp_path: Path) -> Iterator[StartProxy]:
    """Start a proxy with the inside of a `server` block; returns its address."""
    with ExitStack() as stack:

        def start(server: str) -> str:
            return stack.enter_context(running_proxy(nginx, tmp_path / "nginx", server))

        yield start


@contextmanager
def running_proxy(nginx: str, folder: Path, server: str) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    config = folder / f"{port}.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, server=server))
    with _running([nginx, "-c", str(config)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_caddy(caddy: str, folder: Path, sites: str, port: int) -> Iterator[Path]:
    """Run Caddy with the blocks of a Caddyfile; gives the certificate of the authority that signed the sites' ones."""
    config = folder / "Caddyfile"
    config.write_text(CADDY_CONFIG.format(folder=folder, sites=sites))
    with _running([caddy, "run", "--adapter", "caddyfile", "--config", str(config)], port):
        authority = folder / "pki/authorities/local/root.crt"
        wait_for(lambda: _greets(port, authority))  # it listens before it has a certificate to show
        yield authority


def _greets(port: int, authority: Path) -> bool:
    """Whether a TLS connection to `localhost` comes about."""
    try:
        trusted = ssl.create_default_context(cafile=str(authority))
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5.0) as connection,  # brief: it is asked again
            trusted.wrap_socket(connection, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    """A server that is reached when the block begins and gone when it ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:

        def listens() -> bool:
            assert process.poll() is None, process.stderr and process.stderr.read()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(listens)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
