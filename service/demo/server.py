"""A real service in a process of its own, on a free port of the loopback interface."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from al_loop.client.http import Client


@contextmanager
def running_service(out: Path, imagery: Path) -> Iterator[Client]:
    """Start `al-loop serve` below `out`, give a client, and stop it at the end; its log is `out/service.log`."""
    port = free_port()
    environment = os.environ | {"AL_LOOP_ROUNDS_AT_ONCE": "2"}  # both arms train side by side
    command = [sys.executable, "-P", "-m", "service", "--data", str(out / "data"), "--imagery", str(imagery)]
    command += ["--port", str(port)]
    with (out / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                client.wait_until_live()
                yield client
        finally:
            process.terminate()
            process.wait(30)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
