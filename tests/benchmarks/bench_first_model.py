"""From the last label to the served model: a real service, chips of EuroSAT, a round that is started at once.

Where the policy starts it, its wait for more labels (`debounce_s`, 5 s by default) comes on top.

Run: python -m tests.benchmarks.bench_first_model [--labels 240 500] [--data SHARED_DATA]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from service.demo.server import free_port

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
RESERVE = 60
"""Chips of the test reserve, which are labelled first."""
LIMIT_S = 900.0


def main() -> None:
    """Print a line for each number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, nargs="+", default=[240, 500])
    parser.add_argument("--data", type=Path, default=SHARED)
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "eurosat_rgb").glob("*/*.jpg"))
    order = np.random.default_rng(0).permutation(len(paths))
    for count in arguments.labels:
        chosen = [paths[index] for index in order[: count + RESERVE]]
        with tempfile.TemporaryDirectory() as name:
            run(Path(name), chosen, count)


def run(directory: Path, chosen: list[Path], count: int) -> None:
    """Serve, label and wait for the model."""
    imagery = directory / "imagery"
    for path in chosen:
        target = imagery / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    port = free_port()
    command = [
        sys.executable, "-m", "service", "--port", str(port),
        "--data", str(directory / "data"), "--imagery", str(imagery),
    ]  # fmt: skip
    with (directory / "service.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                wait_for(lambda: alive(client))
                measure(client, process.pid, imagery, chosen, count)
        finally:
            process.terminate()


def measure(client: httpx.Client, pid: int, imagery: Path, chosen: list[Path], count: int) -> None:
    """Label everything but one image, wait until nothing works, then send the last label."""
    task = {"task": "classification", "classes": sorted({path.parent.name for path in chosen})}
    body = {
        "name": "chips", "tasks": [task], "root": str(imagery), "bands": None,
        "settings": {"reserve": {"minimum": RESERVE, "share": 0.0, "block_by": "sample"}},
        "policy": {"new_labels": None},
    }  # fmt: skip
    client.post("/campaigns", json=body).raise_for_status()
    client.post("/campaigns/chips/samples", json={"scan": True}).raise_for_status()
    labels = [
        {"path": f"{path.parent.name}/{path.name}", "task": "classification", "annotator": "ann",
         "classes": [path.parent.name]}
        for path in chosen
    ]  # fmt: skip
    for start in range(0, len(labels) - 1, 100):
        part = labels[start : min(start + 100, len(labels) - 1)]
        client.post("/campaigns/chips/labels", json=part).raise_for_status()
    wait_for(lambda: embedded(client))
    before, started = cpu_s(pid), time.monotonic()
    client.post("/campaigns/chips/labels", json=labels[-1]).raise_for_status()
    client.post("/campaigns/chips/rounds", json={}).raise_for_status()
    wait_for(lambda: campaign(client)["current_model"] is not None or ended(client))
    took, used = time.monotonic() - started, cpu_s(pid) - before
    turn = client.get("/campaigns/chips/rounds/1").json()
    value = turn["evaluation"]["candidate"][0]["value"] if turn["evaluation"] else float("nan")
    steps = {entry["state"]: timestamp(turn, entry["state"]) - timestamp(turn, "queued") for entry in turn["history"]}
    told = ", ".join(f"{state} {seconds:.1f}" for state, seconds in steps.items())
    spent = f"served {took:.1f} s after the last one, {used:.1f} s of processor time"
    print(f"{count} labels: {spent}, accuracy {value:.3f}; {told}", flush=True)


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended, from /proc (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def campaign(client: httpx.Client) -> dict[str, Any]:
    """How it stands."""
    found: dict[str, Any] = client.get("/campaigns/chips").json()
    return found


def embedded(client: httpx.Client) -> bool:
    """Whether the shipped encoder has described the pool."""
    versions = client.get("/campaigns/chips/pretrainings").json()["embeddings"]
    total = campaign(client)["samples"]["total"]
    return any(entry["kind"] == "encoder" and entry["samples"] == total for entry in versions)


def ended(client: httpx.Client) -> bool:
    """Whether the round ended without a model."""
    rounds = client.get("/campaigns/chips/rounds").json()["rounds"]
    return bool(rounds) and rounds[0]["ended_at"] is not None


def timestamp(turn: dict[str, Any], state: str) -> float:
    """When the round entered a state, in seconds."""
    entered = next(entry["entered_at"] for entry in turn["history"] if entry["state"] == state)
    return float(np.datetime64(entered.removesuffix("Z").split("+")[0], "us").astype(np.int64)) / 1e6


def alive(client: httpx.Client) -> bool:
    """Whether the service answers."""
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition: Any) -> None:
    """Look ten times a second."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("nothing came of it")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
