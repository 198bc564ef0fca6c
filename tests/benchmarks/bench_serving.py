"""What the whole service adds to a prediction, over HTTP from another process, and how much memory it takes.

Measured on the real service with a small convolutional network of both tasks:
- one client, keep-alive: a request against decode + `session.run` + encode in a plain loop, interleaved;
- eight clients: answers a second, against that plain loop and against a loop that opens a session per request, as
  the tutorials' servers do;
- peak memory of the service with many samples registered, after queries, labels and predictions.

Run: python -m tests.benchmarks.bench_serving [samples]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import rasterio
from rasterio.io import MemoryFile

from al_loop.campaigns.layout import DataLayout
from al_loop.client.http import Client
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.registry import ONNX_FILE
from service.demo.server import free_port
from tests.al_loop.store.fixtures import plain_headers
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_conv_onnx

REPEATS = 300
CLIENTS = 8
SECONDS = 4.0
SIDES = {"classification": 64, "segmentation": 128}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=int, nargs="?", default=100_000)
    samples = parser.parse_args().samples
    print(f"onnxruntime {onnxruntime.__version__}, rasterio {rasterio.__version__}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        model = fill(directory, samples)
        with service(directory) as (url, process_id), httpx.Client(base_url=url, timeout=60) as client:
            print(f"{samples:,} samples registered; memory after the start: {memory_mb(process_id)}")
            for task, side in SIDES.items():
                image = make_scene(directory / f"{task}.tif", width=side, height=side, bands=4).read_bytes()
                one_client(client, task, image, plain_loop(model, image, task))
                many_clients(url, task, image, model)
            annotate(client)
            print(f"memory after predictions, queries and labels: {memory_mb(process_id)}")


def fill(directory: Path, samples: int) -> Path:
    """A data directory with a campaign, its samples and a serving version; returns the version's ONNX file."""
    layout = DataLayout(directory / "data")
    layout.database.parent.mkdir(parents=True)
    now = datetime.now(UTC)
    version = make_conv_onnx(layout.models("bench"), tasks=["classification", "segmentation"])
    store = LabelStore.open(layout.database)
    classes = [f"class-{index + 1}" for index in range(5)]  # those of the model
    campaign = store.campaigns.create(
        name="bench",
        tasks=[TaskSpec(task="classification", classes=classes), TaskSpec(task="segmentation", classes=classes)],
        root=str(directory),
        bands=None,
        settings=CampaignSettings(),
        policy=RetrainPolicy(new_labels=None),
        now=now,
    )
    store.samples.register(campaign.campaign_id, plain_headers(samples), now)
    store.versions.add(campaign.campaign_id, version.name, 1, now)
    store.versions.promote(campaign.campaign_id, version.name, reason="bench", now=now)
    store.close()
    return version / ONNX_FILE


@contextmanager
def service(directory: Path) -> Iterator[tuple[str, int]]:
    """`al-loop serve` in a process of its own: its URL and process id."""
    port = free_port()
    arguments = ["--data", str(directory / "data"), "--imagery", str(directory), "--port", str(port)]
    environment = os.environ | {"AL_LOOP_SCORE_TICK_S": "86400"}  # the samples exist in the store only
    with (directory / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", *arguments], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            with Client(url) as client:
                client.wait_until_live()
            yield url, process.pid
        finally:
            process.terminate()
            process.wait(30)


def plain_loop(model: Path, data: bytes, task: str, *, fresh: bool = False) -> Callable[[], None]:
    """Decode, `session.run`, encode; with `fresh` a session is opened each time."""
    kept = onnxruntime.InferenceSession(model)

    def once() -> None:
        session = onnxruntime.InferenceSession(model) if fresh else kept
        with MemoryFile(data) as memory, memory.open(driver="GTiff") as dataset:
            pixels, profile = dataset.read().astype(np.float32), dataset.profile
        answer = session.run([task], {"image": pixels[None]})[0][0]
        if task == "classification":
            answer.tolist()
            return
        profile.update(count=1, dtype="uint8", nodata=None)
        with MemoryFile() as memory:
            with memory.open(**profile) as target:
                target.write(answer.argmax(0).astype(np.uint8), 1)
            memory.read()

    return once


def one_client(client: httpx.Client, task: str, image: bytes, plain: Callable[[], None]) -> None:
    """Latency of one client against the plain loop, in turn."""
    raw, served = [], []
    for _ in range(REPEATS):
        raw.append(timed(plain))
        served.append(timed(lambda: post(client, task, image)))
    raw, served = raw[20:], served[20:]
    print(
        f"{task:14} {SIDES[task]} px, 1 client over HTTP: p50 {np.median(served):.2f} ms, plain loop "
        f"{np.median(raw):.2f} ms; added p50 {np.median(served) - np.median(raw):.2f} ms, "
        f"p99 {np.percentile(served, 99) - np.percentile(raw, 99):.2f} ms"
    )


def many_clients(url: str, task: str, image: bytes, model: Path) -> None:
    """Answers a second of eight clients, each with a connection of its own."""
    counts = [0] * CLIENTS
    until = time.perf_counter() + SECONDS

    def work(index: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while time.perf_counter() < until:
                post(client, task, image)
                counts[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rates = [rate(plain_loop(model, image, task, fresh=fresh)) for fresh in (False, True)]
    print(
        f"{task:14} {SIDES[task]} px, {CLIENTS} clients over HTTP: {sum(counts) / SECONDS:.0f}/s; plain loop "
        f"{rates[0]:.0f}/s, session per request {rates[1]:.0f}/s (the clients share the cores with the service)"
    )


def annotate(client: httpx.Client) -> None:
    """Ask, label, list: what an annotator's day touches."""
    seconds = []
    for turn in range(10):
        started = time.perf_counter()
        body = {"annotator": f"annotator-{turn}", "query_size": 20}
        answer = client.post("/campaigns/bench/queries", json=body).raise_for_status().json()
        seconds.append(time.perf_counter() - started)
        labels = [
            {
                "sample_id": item["sample_id"],
                "task": "classification",
                "annotator": body["annotator"],
                "classes": ["class-1"],
            }
            for item in answer["samples"]
        ]
        client.post("/campaigns/bench/labels", json=labels).raise_for_status()
    client.get("/campaigns/bench/samples", params={"limit": 1000}).raise_for_status()
    print(f"query of 20 over HTTP: first {1000 * seconds[0]:.0f} ms, p50 {1000 * np.median(seconds):.0f} ms")


def post(client: httpx.Client, task: str, image: bytes) -> None:
    """One prediction."""
    answer = client.post(f"/campaigns/bench/predictions/{task}", files={"image": ("image", image)})
    answer.raise_for_status()


def rate(call: Callable[[], None]) -> float:
    """Calls a second."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS / 2:
        call()
        count += 1
    return count / (time.perf_counter() - started)


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def memory_mb(process_id: int) -> str:
    """Resident and peak memory of a process."""
    lines = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    now, peak = (int(status[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    return f"{now} MiB, peak {peak} MiB"


if __name__ == "__main__":
    main()
