"""What a service at rest costs: processor time over a minute, and the answers that list every campaign.

A real `al-loop serve` holds many small campaigns with images, a label and scores each, and nobody asks for anything.
Then `GET /campaigns` and `GET /metrics` are timed against `GET /health/live`, which reads nothing. Until then each pool
is described by programs of the service, seconds of imports each; here they are forked from one that has imported all,
which changes nothing once they have ended.

Run: python -m tests.benchmarks.bench_idle [--campaigns 100] [--seconds 60]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np

from service.demo.server import free_port
from tests.e2e.campaigns import CLASSES, write_pool

IMAGES = 3
REPEATS = 20
SERVE = """
from al_loop.runtime import processes
from service.cli import main
from tests.data.forked_programs import ForkedProgram
processes.start_program = ForkedProgram
main()
"""
QUIET_S = 15.0
"""A service without a program and next to no work for this long has done what the campaigns made it do."""
MOST_AT_REST = 0.05
"""Of a core."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_pool(directory / "imagery", IMAGES, size=32)
        port = free_port()
        command = [
            sys.executable, "-c", SERVE, "serve", "--port", str(port),
            "--data", str(directory / "data"), "--imagery", str(directory / "imagery"),
        ]  # fmt: skip
        with (
            (directory / "service.log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                    wait_until_alive(client, process)
                    fill(client, directory / "imagery", arguments.campaigns)
                    wait_until_quiet(process.pid)
                    measure(client, process.pid, arguments.seconds, arguments.campaigns)
            finally:
                process.terminate()


def fill(client: httpx.Client, imagery: Path, campaigns: int) -> None:
    """Campaigns with images and a label each."""
    task = {"task": "classification", "classes": CLASSES}
    for number in range(campaigns):
        name = f"campaign-{number:03d}"
        body = {"name": name, "tasks": [task], "root": str(imagery), "bands": None}
        client.post("/campaigns", json=body).raise_for_status()
        client.post(f"/campaigns/{name}/samples", json={"scan": True}).raise_for_status()
        label = {"path": "scene_000.tif", "task": "classification", "annotator": "ann", "classes": [CLASSES[0]]}
        client.post(f"/campaigns/{name}/labels", json=label).raise_for_status()


def measure(client: httpx.Client, pid: int, seconds: float, campaigns: int) -> None:
    """Processor time at rest, and what lists of all campaigns take."""
    before = cpu_s(pid)
    time.sleep(seconds)
    used = cpu_s(pid) - before
    share = 100 * used / seconds
    print(f"{campaigns} campaigns at rest: {used:.2f} s of CPU in {seconds:.0f} s = {share:.2f} % of a core")
    base = 1000 * timed(client, "/health/live")
    for path in ("/campaigns", "/metrics"):
        took = 1000 * timed(client, path)
        print(f"GET {path}: p50 {took:.1f} ms, {took / base:.0f} x GET /health/live")


def timed(client: httpx.Client, path: str) -> float:
    """Median seconds of a request; the first one warms up."""
    client.get(path).raise_for_status()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        client.get(path).raise_for_status()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far, from /proc (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_alive(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Return once the service answers."""
    while True:
        try:
            client.get("/health/live").raise_for_status()
        except httpx.HTTPError:
            if process.poll() is not None:
                raise RuntimeError("the service did not start") from None
            time.sleep(0.1)
        else:
            return


def wait_until_quiet(pid: int) -> None:
    """Return once every campaign is scored; programs start with long imports, so that no program is not enough."""
    while True:
        before, started = cpu_s(pid), time.monotonic()
        is_idle = True
        while is_idle and time.monotonic() - started < QUIET_S:
            time.sleep(0.1)
            is_idle = not any(children_of(child) for child in children_of(pid))  # the one that programs are forked from
        if is_idle and cpu_s(pid) - before < MOST_AT_REST * QUIET_S:
            return


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and that have not ended."""
    found: list[int] = []
    with suppress(FileNotFoundError):  # a process or thread that ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


if __name__ == "__main__":
    main()
