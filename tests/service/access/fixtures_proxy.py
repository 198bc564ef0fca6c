"""A real reverse proxy in front of the service: Debian's nginx."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.data.debian import program

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


@pytest.fixture(scope="session")
def nginx() -> str:
    """Path of the proxy."""
    return program("nginx-light", "nginx")


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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / f"{port}.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, server=server))
    process = subprocess.Popen([nginx, "-c", str(config)], stderr=subprocess.PIPE)
    try:
        for _ in range(100):
            assert process.poll() is None, process.stderr and process.stderr.read()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
