"""What promotions, rollbacks and a challenger in the shadow cost those who ask for predictions meanwhile.

`al-loop serve` in a process of its own; clients that each send an image every so often, whatever the answers take.
Blocks of three kinds take turns in one run:
- steady: one version serves;
- swaps: every second another version is promoted, or the last one rolled back;
- shadow: a campaign with the same champion, whose challenger answers every image unseen. No two images are equal, or
  the challenger would answer only the first.

Printed: requests, failures, median and 99th percentile of each kind, and the ratios to steady.

Run: python -m tests.benchmarks.bench_hot_swap [--seconds 5] [--blocks 4] [--clients 4] [--rate 12]
"""

import argparse
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.domain.gate import Challenger
from al_loop.domain.rounds import RoundState
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import plain_headers
from tests.benchmarks.bench_serving import service
from tests.data.tiny_model import make_conv_onnx

SIDE = 64
KINDS = {"steady": "swapped", "swaps": "swapped", "shadow": "shadowed"}
"""The campaign that each kind of block asks."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rate", type=float, default=12.0, help="images a second of each client")
    options = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    count = int(options.clients * options.rate * options.seconds * (options.blocks * len(KINDS) + 2))
    images = list(different_images(count))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for campaign in ("swapped", "shadowed"):
            fill(directory, campaign)
        with service(directory) as (url, _), httpx.Client(base_url=url, timeout=60) as control:
            seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
            failures = dict.fromkeys(KINDS, 0)
            pool = iter(images)
            block(url, "swapped", pool, options, [], threading.Event())  # warm up
            swaps = 0
            for _ in range(options.blocks):
                for kind, campaign in KINDS.items():
                    done, stop = seconds[kind], threading.Event()
                    swapper = threading.Thread(target=swap, args=(control, stop)) if kind == "swaps" else None
                    if swapper is not None:
                        swapper.start()
                    failures[kind] += block(url, campaign, pool, options, done, stop)
                    if swapper is not None:
                        swapper.join()
                        swaps += int(options.seconds)
            report = control.get("/campaigns/shadowed/models/challenger/shadow").json()
    steady = np.percentile(seconds["steady"], [50, 99])
    for kind, times in seconds.items():
        middle, tail = np.percentile(times, [50, 99])
        print(
            f"{kind:7} {len(times):5} requests, {failures[kind]} failed, p50 {1000 * middle:6.1f} ms "
            f"({middle / steady[0]:.2f} x), p99 {1000 * tail:6.1f} ms ({tail / steady[1]:.2f} x)"
        )
    print(f"about {swaps} promotions and rollbacks; in the shadow {report['answered']} answered, "
          f"{report['dropped']} dropped, {report['failed']} failed")  # fmt: skip


def fill(directory: Path, name: str) -> None:
    """A campaign that v1 serves, with v2 beside it; in the shadow where the campaign is called so."""
    layout, now = DataLayout(directory / "data"), datetime.now(UTC)
    layout.database.parent.mkdir(parents=True, exist_ok=True)
    store = LabelStore.open(layout.database)
    classes = [f"class-{index + 1}" for index in range(5)]
    campaign = store.campaigns.create(
        name=name, tasks=[TaskSpec(task="classification", classes=classes)], root=str(directory), bands=None,
        settings=CampaignSettings(), policy=RetrainPolicy(new_labels=None, promotion="shadow"), now=now,
    )  # fmt: skip
    number = campaign.campaign_id
    store.samples.register(number, plain_headers(100), now)
    for turn in (1, 2):
        version = make_conv_onnx(layout.models(name), version=f"v{turn}", tasks=["classification"])
        store.versions.add(number, version.name, turn, now)
        store.rounds.create(number, reason="bench", now=now)
        store.rounds.set_state(number, turn, RoundState.GATE, now, version=version.name)
        if turn == 1:
            store.versions.promote(number, "v1", reason="bench", now=now, round_number=1)
            store.rounds.set_state(number, 1, RoundState.PROMOTED, now)
    if name == "shadowed":
        waits = Challenger(version="v2", round_number=2, mode="shadow", since=now, state="waiting", reason="bench")
        store.gate.propose(number, waits)
    else:
        store.rounds.set_state(number, 2, RoundState.REJECTED, now)
        store.versions.promote(number, "v2", reason="bench", now=now)
    store.close()


def different_images(count: int) -> Iterator[bytes]:
    """TIFF files of which no two are equal."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "width": SIDE, "height": SIDE, "count": 4, "dtype": "uint16", "crs": "EPSG:32631",
        "transform": from_origin(500_000, 5_000_000, 10, 10),
    }  # fmt: skip
    for _ in range(count):
        with MemoryFile() as memory:
            with memory.open(**profile) as target:
                target.write(rng.integers(0, 3000, (4, SIDE, SIDE), np.uint16))
            yield bytes(memory.getbuffer())


def swap(control: httpx.Client, stop: threading.Event) -> None:
    """Promote the version that does not serve, then roll it back, and so on, until stopped."""
    for turn in itertools.count():
        if stop.wait(1.0):
            return
        path, body = ("v2/promote", {"reason": "bench"}) if turn % 2 == 0 else ("rollback", {})
        control.post(f"/campaigns/swapped/models/{path}", json=body).raise_for_status()


def block(
    url: str,
    campaign: str,
    images: Iterator[bytes],
    options: argparse.Namespace,
    done: list[float],
    stop: threading.Event,
) -> int:
    """Let all clients ask for some seconds; appends the time of each answer and returns how many failed."""
    lock, failed = threading.Lock(), [0]
    until = time.perf_counter() + options.seconds

    def ask(offset: float) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            due = time.perf_counter() + offset
            while due < until:
                time.sleep(max(0.0, due - time.perf_counter()))
                with lock:
                    image = next(images)
                started = time.perf_counter()
                answer = client.post(
                    f"/campaigns/{campaign}/predictions/classification", files={"image": ("image.tif", image)}
                )
                took = time.perf_counter() - started
                with lock:
                    done.append(took)
                    failed[0] += answer.status_code != 200
                due += 1 / options.rate

    gap = 1 / options.rate / options.clients
    clients = [threading.Thread(target=ask, args=(place * gap,)) for place in range(options.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    stop.set()
    return failed[0]


if __name__ == "__main__":
    main()
