"""How long an annotator waits for a query about points of ten large images, in process.

Images of 2,000 x 1,500 px: JPEGs, whose headers rule pixels without data out, and tiled GeoTIFFs with a nodata value,
of which a query reads what its budget allows and the background prepares the rest. Pool and ranking are known before;
annotators ask one after the other, first without a break, then with one of `--think` seconds.

Run: python -m tests.benchmarks.bench_point_grant [--queries 40] [--think 0.5]
"""

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.reserve import ReserveSettings
from al_loop.domain.samples import SampleHeader
from al_loop.querying.sampler import Sampler
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.rasters.reading import read_header
from models.scoring.embeddings import EmbeddingStore
from tests.data.make_scene import make_scene

WIDTH, HEIGHT = 2000, 1500
IMAGES = 10
DIFFERENT = 5
"""Files that are really written; the others are links to them."""


def main() -> None:
    """Print percentiles of the two pools."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--think", type=float, default=0.5, help="seconds between the queries of the second half")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for ending, creation in (
        ("jpg", {"driver": "JPEG", "dtype": "uint8", "crs": None}),
        ("tif", {"dtype": "uint16", "nodata": 0, "nodata_as": "value", "tiled": True, "compress": "deflate"}),
    ):
        with tempfile.TemporaryDirectory() as folder:
            headers = write(Path(folder), ending, 2 * arguments.queries * IMAGES, creation)
            store = LabelStore.open(DataLayout(Path(folder)).database)
            campaign = create(store, headers, folder)
            sampler = Sampler(store, CurrentScores(store, lambda _: EmbeddingStore(Path(folder) / "scores")))
            sampler.start()
            sampler.prepare(campaign, datetime.now(UTC))
            at_once = ask(sampler, campaign, arguments.queries, 0)
            print(f"{ending}, at once: {summary(at_once)}", flush=True)
            sampler.wait()
            print(f"{ending}, {arguments.think} s apart: "
                  f"{summary(ask(sampler, campaign, arguments.queries, arguments.think))}", flush=True)  # fmt: skip
            sampler.close()
            store.close()


def write(folder: Path, ending: str, count: int, creation: dict[str, object]) -> list[SampleHeader]:
    """Images in a folder, and their headers."""
    rng = np.random.default_rng(0)
    for number in range(DIFFERENT):
        coarse = rng.integers(20, 250, (3, HEIGHT // 20, WIDTH // 20))
        content: NDArray[np.int64] = np.kron(coarse, np.ones((1, 20, 20), np.int64)) + rng.integers(
            0, 5, (HEIGHT, WIDTH)
        )
        make_scene(folder / f"{number:04}.{ending}", width=WIDTH, height=HEIGHT, content=content, **creation)  # type: ignore[arg-type]
    read = [read_header(folder / f"{number:04}.{ending}") for number in range(DIFFERENT)]
    headers = []
    for number in range(count):
        name = f"{number:04}.{ending}"
        if number >= DIFFERENT:
            (folder / name).hardlink_to(folder / f"{number % DIFFERENT:04}.{ending}")
        known = read[number % DIFFERENT]
        headers.append(SampleHeader(path=name, **{field: getattr(known, field) for field in known.__struct_fields__}))
    return headers


def create(store: LabelStore, headers: list[SampleHeader], folder: str) -> Campaign:
    """A campaign over them without a reserve."""
    campaign = store.campaigns.create(
        name="bench", tasks=[TaskSpec(task="segmentation", classes=["a", "b"])], root=folder, bands=None,
        settings=CampaignSettings(reserve=ReserveSettings(share=0.0, minimum=0)),
        policy=RetrainPolicy(new_labels=None), now=datetime.now(UTC),
    )  # fmt: skip
    store.samples.register(campaign.campaign_id, headers, datetime.now(UTC))
    return store.campaigns.get("bench")


def ask(sampler: Sampler, campaign: Campaign, queries: int, think: float) -> list[float]:
    """Milliseconds of each query."""
    times = []
    for number in range(queries):
        time.sleep(think)
        started = time.perf_counter()
        answer = sampler.query(
            campaign, annotator=f"annotator {number}", query_size=IMAGES, unit="point", now=datetime.now(UTC)
        )
        times.append(1000 * (time.perf_counter() - started))
        assert all(sample.points for sample in answer.samples)
        assert len(answer.samples) == IMAGES
    return times


def summary(times: list[float]) -> str:
    """Of times in ms."""
    p50, p99 = np.percentile(times, [50, 99])
    return f"first {times[0]:.0f} ms, p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(times):.0f} ms of {len(times)}"


if __name__ == "__main__":
    main()
