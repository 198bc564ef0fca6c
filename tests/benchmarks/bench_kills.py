"""Kills at random moments while labels come in and rounds train: SIGKILL to the service, its trainer, or both.

Counted are acknowledged labels that are lost, processes that are left, seconds from the start of the service to its
first `/health/ready`, and what became of the rounds. A moment is a random share of a state that is waited for, so that
short states are met as often as long ones.

Run: python -m tests.benchmarks.bench_kills [--kills 40] [--seed 0]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from service.demo.server import free_port
from tests.e2e.campaigns import BALANCED, QUICK, all_labels, create, label_all, register, write_pool

STATES = ("idle", "queued", "snapshot", "training", "evaluating", "exporting", "gate", "scoring")
TARGETS = ("service", "trainer", "both")
LONGEST_WAIT_S = 8.0
"""A state that does not come within this is not waited for: the kill comes then."""
MOST_AFTER_S = 1.0
GOAL_READY_S = 3.0
ENDS = {"promoted", "rejected", "failed", "cancelled", "interrupted"}


class Killed:
    """A service that is killed again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.acknowledged: set[int] = set()
        self.ready_s: list[float] = []
        self.strays = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the service and wait until it is ready."""
        command = [
            sys.executable, "-m", "service", "--port", str(self.port),
            "--data", str(self.directory / "data"), "--imagery", str(self.directory / "imagery"),
        ]  # fmt: skip
        with (self.directory / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        started = time.monotonic()
        with httpx.Client(timeout=5) as client:
            while True:
                with suppress(httpx.HTTPError):
                    if client.get(f"{self.url}/health/ready").status_code == 200:
                        break
                if self.process.poll() is not None or time.monotonic() - started > 120:
                    raise SystemExit((self.directory / "service.log").read_text()[-3000:])
                time.sleep(0.05)
        self.ready_s.append(time.monotonic() - started)

    def label(self) -> None:
        """Label the same samples by other annotators again and again; keeps what was acknowledged."""
        turn, client = 0, httpx.Client(timeout=30)
        while not self.stopping.is_set():
            turn += 1
            scene, number = divmod(turn, 900)  # a sample takes 1,000 annotators
            body = {
                "path": f"scene_{scene % 24:03d}.tif", "task": "classification", "classes": ["dark"],
                "annotator": f"annotator {number}",
            }  # fmt: skip
            try:
                answer = client.post(f"{self.url}/campaigns/demo/labels", json=body)
            except httpx.HTTPError:
                time.sleep(0.1)
                continue
            if answer.status_code == 201:
                self.acknowledged.update(answer.json()["label_ids"])
            time.sleep(0.05)

    def kill(self, target: str) -> str:
        """SIGKILL; returns what was killed."""
        assert self.process is not None
        children = set(descendants(self.process.pid))
        trainers = [pid for pid in children if "models.train" in command_of(pid)]
        if target == "trainer" and not trainers:
            target = "service"
        if target in ("trainer", "both"):
            for pid in trainers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if target in ("service", "both"):
            self.process.kill()
            self.process.wait()
            deadline = time.monotonic() + 10
            while (left := [pid for pid in children if command_of(pid)]) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.strays += len(left)
            self.start()
        return target


def descendants(pid: int) -> Iterator[int]:
    """Processes that a process started, and those that they started."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, tasks.read_text().split()):
                yield child
                yield from descendants(child)


def command_of(pid: int) -> str:
    """Command line of a process; empty: it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def newest(client: httpx.Client) -> dict[str, Any] | None:
    """The newest round."""
    rounds: list[dict[str, Any]] = client.get("/campaigns/demo/rounds", params={"limit": 1}).json()["rounds"]
    return rounds[-1] if rounds else None


def wait_for_state(client: httpx.Client, wanted: str) -> str:
    """Start a round if none runs and wait for a state of it; returns the state that it is in then."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    state = "idle"
    while time.monotonic() < deadline:
        entry = newest(client)
        state = "idle" if entry is None or entry["state"] in ENDS else entry["state"]
        if state == wanted:
            break
        if state == "idle":
            client.post("/campaigns/demo/rounds", json={})
        time.sleep(0.05)
    return state


def main() -> None:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), arguments.kills, np.random.default_rng(arguments.seed))


def run(directory: Path, kills: int, rng: np.random.Generator) -> None:
    """All of it in one directory."""
    (directory / "imagery" / "pool").mkdir(parents=True)
    write_pool(directory / "imagery" / "pool", 24)
    killed, met, hit = Killed(directory), Counter[str](), Counter[str]()
    begun = time.monotonic()
    killed.start()
    try:
        with httpx.Client(base_url=killed.url, timeout=60) as client:
            create(client, Path("pool"), settings=QUICK | {"reserve": BALANCED})  # type: ignore[arg-type]
            register(client)  # type: ignore[arg-type]
            label_all(client)  # type: ignore[arg-type]
        labelling = threading.Thread(target=killed.label)
        labelling.start()
        for turn in range(kills):
            with httpx.Client(base_url=killed.url, timeout=60) as client:
                state = wait_for_state(client, STATES[turn % len(STATES)])
            time.sleep(rng.uniform(0, MOST_AFTER_S) * rng.integers(2))  # at once, or a little later
            met[state] += 1
            target = killed.kill(str(rng.choice(TARGETS)))
            hit[target] += 1
            said = f"{turn + 1}: {target} while {state}, ready again in {killed.ready_s[-1]:.1f} s"
            print(f"{said}; {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        killed.stopping.set()
        labelling.join()
        took = time.monotonic() - begun
        with httpx.Client(base_url=killed.url, timeout=60) as client:
            lost = killed.acknowledged - {label["label_id"] for label in all_labels(client)}
            print(f"acknowledged labels {len(killed.acknowledged)}, lost {len(lost)}", flush=True)
            deadline = time.monotonic() + 120
            while (entry := newest(client)) and entry["state"] not in ENDS and time.monotonic() < deadline:
                time.sleep(0.1)
            rounds = client.get("/campaigns/demo/rounds").json()["rounds"]
            problems = client.get("/health/ready").json()
    finally:
        killed.stopping.set()
        if killed.process is not None:
            killed.process.terminate()
            killed.process.wait()
    ready = np.array(killed.ready_s[1:])
    print(f"{kills} kills in {took:.0f} s: {dict(hit)}; states met: {dict(met)}")
    print(f"stray processes {killed.strays}")
    print(f"ready again p50 {np.median(ready):.2f} s, p99 {np.quantile(ready, 0.99):.2f} s (goal {GOAL_READY_S:g})")
    print(f"rounds: {dict(Counter(entry['state'] for entry in rounds))}; taken up again in "
          f"{sum(1 for entry in rounds if entry['notes'])} after the end of a trainer")  # fmt: skip
    for entry in rounds:
        if entry["state"] in ("failed", "interrupted"):
            print(f"  round {entry['number']} {entry['state']}: {entry['error']}")
    left = [path for path in (directory / "data").rglob("*") if path.name.startswith((".staging-", "checkpoint"))]
    print(f"left on the disk: {[str(path.relative_to(directory)) for path in left]}; ready: {problems['ready']}")
    assert not lost
    assert killed.strays == 0


if __name__ == "__main__":
    main()
