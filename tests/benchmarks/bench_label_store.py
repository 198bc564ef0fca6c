"""Label store with 100,000 samples: registration, the reads behind queries, and durable label writes by 16 threads.

Label writes are compared with the same statements in one commit a label, on the same disk, in the same run.
Run: `PYTHONPATH=. python tests/benchmarks/bench_label_store.py [samples]`; fixed seeds, prints a table.
"""

import platform
import random
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np

from al_loop.campaigns.labelling import check_label, record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from al_loop.store.label_rows import Append, append_all
from al_loop.store.migrations import migrate
from models.card import TaskSpec
from tests.al_loop.store.fixtures import open_query

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
THREADS = 16
WRITES_PER_THREAD = 60


def header(index: int) -> SampleHeader:
    """A 64 px chip in a grid over 20 x 15 degrees."""
    row, column = divmod(index, 400)
    left, bottom = column * 0.05, 40 + row * 0.06
    return SampleHeader(
        path=f"scene_{index // 1000:03}/chip_{index:06}.tif", width=64, height=64, band_count=4, dtype="uint16",
        crs="EPSG:4326", transform=[1e-4, 0.0, left, 0.0, -1e-4, bottom + 0.0064], nodata=0.0,
        bounds=[left, bottom, left + 0.0064, bottom + 0.0064], file_bytes=32_768, modified_ns=index,
    )  # fmt: skip


def timed(name: str, operation: Callable[[], object], repeats: int = 10) -> None:
    """Print the median and the largest wall time."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - started)
    print(f"{name:<44} median {np.median(seconds) * 1e3:8.1f} ms   max {max(seconds) * 1e3:8.1f} ms")


def label_of(sample_id: int, annotator: str = "bench") -> LabelInput:
    """A classification."""
    return LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=["forest"])


def concurrently(write: Callable[[int], object], sample_ids: list[int]) -> tuple[float, float, float]:
    """Labels a second, and p50 and p99 of a write in ms, over `THREADS` threads."""
    latencies: list[float] = []

    def work(share: list[int]) -> None:
        for sample_id in share:
            started = time.perf_counter()
            write(sample_id)
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, [sample_ids[start::THREADS] for start in range(THREADS)]))
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3
    return len(sample_ids) / (time.perf_counter() - started), float(p50), float(p99)


def single_commits(directory: Path, campaign: Campaign, store: LabelStore) -> Callable[[int], object]:
    """The baseline: the same checks and statements behind one lock, one commit a label."""
    connection = duckdb.connect(str(directory / "single.duckdb"), config={"threads": 2})
    migrate(connection)
    lock = threading.Lock()

    def write(sample_id: int) -> None:
        header = store.samples.headers(campaign.campaign_id, [sample_id])[sample_id]
        checked = check_label(campaign, sample_id, header, label_of(sample_id), LATER, "$")
        with lock:
            connection.begin()
            append_all(connection, [Append([checked])])
            connection.commit()

    return write


def main(samples: int) -> None:
    """Run everything in a temporary directory."""
    print(f"duckdb {duckdb.__version__}, Python {platform.python_version()}, {platform.machine()}, {samples} samples")
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = LabelStore.open(directory / "al_loop.duckdb")
        campaign = store.campaigns.create(
            name="bench", tasks=[TaskSpec(task="classification", classes=["forest", "water"])], root=name, bands=None,
            settings=CampaignSettings(), policy=RetrainPolicy(), now=NOW,
        )  # fmt: skip
        number = campaign.campaign_id
        headers = [header(index) for index in range(samples)]
        timed("register all", lambda: store.samples.register(number, headers, NOW), 1)
        timed("draw the reserve", lambda: store.samples.draw_reserve(number, NOW), 1)
        timed("register all again (all known)", lambda: store.samples.register(number, headers, NOW), 1)
        ids = store.samples.paths(number)[0].tolist()
        bulk = [label_of(sample_id) for sample_id in rng.sample(ids, samples // 5)]
        timed(f"record {len(bulk)} labels in one request", lambda: record_labels(store, campaign, bulk, NOW), 1)
        timed("available()", lambda: store.queries.available(number, NOW))
        timed("counts()", lambda: store.campaigns.counts(number, NOW))
        timed("page() of 100", lambda: store.samples.page(number, now=NOW, after=ids[samples // 2]))
        timed("page() of 100 labelled", lambda: store.samples.page(number, now=NOW, state="labelled"))
        timed("new_samples_since()", lambda: store.labels.new_samples_since(number, None))
        timed("current() of 100 labels", lambda: store.labels.current(number, limit=100))
        picks = store.queries.available(number, NOW)[0][:20].tolist()
        timed("open() a query of 20, noted", lambda: open_query(store, number, "a", picks, lease_s=1))
        chosen = rng.sample(ids, THREADS * WRITES_PER_THREAD)
        store.samples.headers(number, chosen)  # in memory for both, as after the query that offered them
        baseline = concurrently(single_commits(directory, campaign, store), chosen)
        grouped = concurrently(
            lambda sample_id: record_labels(store, campaign, [label_of(sample_id, "other")], LATER), chosen
        )
        store.close()
        timed("open the file again", lambda: LabelStore.open(directory / "al_loop.duckdb").close(), 1)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    for title, (rate, p50, p99) in (("one commit a label", baseline), ("group commit", grouped)):
        print(f"label writes, {THREADS} threads, {title:<20} {rate:7.0f}/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms")
    print(f"group commit is {grouped[0] / baseline[0]:.1f} times as fast (goal: 3, p99 <= 20 ms)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
