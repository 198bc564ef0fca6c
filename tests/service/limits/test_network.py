"""The running service talks to nobody but its clients: ONNX Runtime reported to Microsoft before."""

import os
import socket
import struct
import threading
import time
from pathlib import Path

import httpx

from tests.benchmarks.bench_serving import fill, post, service
from tests.data.make_scene import make_scene
from tests.waiting import PATIENCE_S

WATCHED_S = 6.0
"""The first report came within seconds of the first model."""


def foreign_sockets(process_id: int) -> set[str]:
    """Addresses beyond this machine to which a process has a socket, of TCP or UDP."""
    inodes = set()
    for entry in Path(f"/proc/{process_id}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process_id}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[2].partition(":")
            if fields[9] not in inodes or int(port, 16) == 0:
                continue
            packed = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
            name = socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
            if not name.startswith(("127.", "::ffff:127.")) and name != "::1":
                found.add(f"{table} {name}:{int(port, 16)}")
    return found


def test_service_opens_no_socket_to_elsewhere(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    image = make_scene(tmp_path / "scene.tif", width=64, height=64, bands=4).read_bytes()
    seen: set[str] = set()
    ended = threading.Event()
    with service(tmp_path) as (url, process_id), httpx.Client(base_url=url, timeout=PATIENCE_S) as client:

        def watch() -> None:
            while not ended.wait(0.005):
                seen.update(foreign_sockets(process_id))

        watcher = threading.Thread(target=watch)
        watcher.start()
        until = time.monotonic() + WATCHED_S
        while time.monotonic() < until:
            post(client, "segmentation", image)
            time.sleep(0.2)
        ended.set()
        watcher.join()
    assert seen == set()


def test_watch_sees_a_socket_to_elsewhere() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("192.0.2.1", 9))  # sends nothing
        assert "udp 192.0.2.1:9" in foreign_sockets(os.getpid())
