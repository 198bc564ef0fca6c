"""What a query of 20 samples costs for 50 annotators while labels are written, by the size of the pool.

Annotators ask, think, answer part of what they got one by one, and ask again. With one answer a query (the default)
that makes about 25 queries and as many label writes a second, far more queries than people make; with all twenty
(`--answered 20 --seconds 90`) about 2 queries and 50 labels. Measured in process and over HTTP: `al-loop
serve` in a process of its own that refits heads as labels come in, and the annotators in this one, on the same cores.
No sample may be leased twice at a time: asserted from the leases in the store.

Beside it: one durable write of the same rows without anything else, the floor that the disk sets.

Run: python -m tests.benchmarks.bench_query [--samples 10000 100000 1000000] [--seconds 20] [--answered 1] [--http]
"""

import argparse
import os
import platform
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.querying.sampler import Sampler
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from al_loop.store.database import Database
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE, SCORES_FILE
from service.demo.server import running_service
from tests.al_loop.store.fixtures import make_header

EMBEDDING_SIZE = 256
QUERY_SIZE = 20
ANNOTATORS = 50
THINK_S = 2.0
LEASE_S = 30.0
"""What is not answered runs out: samples are leased again."""
CHUNK = 50_000
LIMITS = httpx.Limits(max_connections=60, max_keepalive_connections=60)

Ask = Callable[[str], list[int]]
Answer = Callable[[str, int], None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--http", action="store_true", help="also over HTTP")
    parser.add_argument("--answered", type=int, default=1, help="labels given of each query of 20")
    arguments = parser.parse_args()
    print(f"numpy {np.__version__}, duckdb {duckdb.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    for samples in arguments.samples:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
            layout = DataLayout(Path(name) / "data")
            layout.database.parent.mkdir(parents=True, exist_ok=True)
            embeddings = EmbeddingStore(layout.scores("bench"))
            store = LabelStore.open(layout.database)
            started = time.perf_counter()
            campaign = fill(store, embeddings, samples, Path(name))
            print(f"\n{samples:,} samples: registered and scored in {time.perf_counter() - started:.0f} s")
            in_process(store, embeddings, campaign, arguments.seconds, arguments.answered)
            store.close()
            if arguments.http:
                over_http(Path(name), arguments.seconds, arguments.answered)
                service = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                print(f"peak memory of the service {service / 1024:.0f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def in_process(
    store: LabelStore, embeddings: EmbeddingStore, campaign: Campaign, seconds: float, answered: int
) -> None:
    """Queries by `Sampler.query`."""
    sampler = Sampler(store, CurrentScores(store, lambda _: embeddings))
    sampler.start()
    before = memory()
    started = time.perf_counter()
    sampler.prepare(campaign, now())
    print(f"first reading and ranking {time.perf_counter() - started:.2f} s, memory +{memory() - before:.0f} MB")

    def ask(annotator: str) -> list[int]:
        answer = sampler.query(campaign, annotator=annotator, query_size=QUERY_SIZE, now=now())
        return [sample.sample_id for sample in answer.samples]

    def answer(annotator: str, sample_id: int) -> None:
        label = LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=["a"])
        record_labels(store, campaign, [label], now())

    floor(store)
    run("in process", ask, answer, seconds, answered)
    sampler.close()
    assert_no_double_lease(store, campaign)
    print(f"memory of the process {memory():.0f} MB")


def over_http(root: Path, seconds: float, answered: int) -> None:
    """The same by `POST /queries` and `/labels`, from a service of its own that refits heads as labels come in."""
    with (
        running_service(root, root) as service,
        httpx.Client(base_url=service.url, timeout=60, limits=LIMITS) as client,
    ):

        def ask(annotator: str) -> list[int]:
            body = {"annotator": annotator, "query_size": QUERY_SIZE}
            response = client.post("/campaigns/bench/queries", json=body)
            assert response.status_code == 201, response.text
            return [sample["sample_id"] for sample in response.json()["samples"]]

        def answer(annotator: str, sample_id: int) -> None:
            label = {"sample_id": sample_id, "task": "classification", "annotator": annotator, "classes": ["a"]}
            response = client.post("/campaigns/bench/labels", json=label)
            assert response.status_code == 201, response.text

        started = time.perf_counter()
        ask("warm up")
        print(f"first query after the start {time.perf_counter() - started:.1f} s")
        run("over HTTP", ask, answer, seconds, answered)


def fill(store: LabelStore, embeddings: EmbeddingStore, samples: int, root: Path) -> Campaign:
    """A campaign whose samples are all scored by version v1, and 2,000 of them labelled."""
    store.campaigns.create(
        name="bench",
        tasks=[TaskSpec(task="classification", classes=["a", "b"])],
        root=str(root),
        bands=None,
        settings=CampaignSettings(lease_s=LEASE_S),
        policy=RetrainPolicy(new_labels=None),
        now=now(),
    )
    campaign_id = store.campaigns.get("bench").campaign_id
    for start in range(0, samples, CHUNK):
        headers = [
            make_header(f"scenes/{number:07}.tif", crs=None, transform=None, bounds=None)
            for number in range(start, min(start + CHUNK, samples))
        ]
        store.samples.register(campaign_id, headers, now())
    store.samples.draw_reserve(campaign_id, now())
    store.versions.add(campaign_id, "v1", 1, now())
    store.versions.promote(campaign_id, "v1", reason="bench", now=now())
    ids = store.samples.paths(campaign_id)[0]
    rng = np.random.default_rng(1)
    part = embeddings.new_part("v1")
    columns = {name: rng.random(samples, np.float32) for name in ("least_confidence", "margin", "entropy")}
    pq.write_table(pa.table({"sample_id": ids, "task": ["classification"] * samples, **columns}), part / SCORES_FILE)
    np.save(part / EMBEDDINGS_FILE, make_embeddings(samples, rng))
    np.save(part / IDS_FILE, ids)
    store.scores.ingest(campaign_id, "v1", part / SCORES_FILE, now())
    campaign = store.campaigns.get("bench")
    labels = [
        LabelInput(sample_id=int(sample_id), task="classification", annotator="before", classes=["a"])
        for sample_id in rng.choice(ids, min(2_000, samples // 4), replace=False)
    ]
    record_labels(store, campaign, labels, now())
    return campaign


def make_embeddings(samples: int, rng: np.random.Generator) -> NDArray[np.float16]:
    """Twenty clusters, each spread in 8 of 256 directions, as a classifier leaves them."""
    centres = rng.standard_normal((20, EMBEDDING_SIZE), np.float32)
    spread = 0.3 * rng.standard_normal((20, 8, EMBEDDING_SIZE), np.float32)
    clusters = rng.integers(20, size=samples)
    result = np.empty((samples, EMBEDDING_SIZE), np.float16)
    for cluster in range(20):
        there = np.flatnonzero(clusters == cluster)
        position = rng.standard_normal((len(there), 8), np.float32)
        result[there] = centres[cluster] + position @ spread[cluster]
    return result


def run(name: str, ask: Ask, answer: Answer, seconds: float, answered: int) -> None:
    """Annotators at work; the first quarter of the time warms up."""
    latencies: dict[str, list[tuple[float, float]]] = {"query": [], "label": []}
    begin = time.perf_counter()

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        latencies[what].append((started - begin, 1000 * (time.perf_counter() - started)))

    def annotate(number: int) -> None:
        rng = np.random.default_rng(number)
        annotator = f"annotator {number}"
        time.sleep(THINK_S * rng.random())
        while time.perf_counter() - begin < seconds:
            with timed("query"):
                samples = ask(annotator)
            assert samples, "the pool ran out"
            for sample_id in samples[:answered]:
                time.sleep(THINK_S * rng.random())
                with timed("label"):
                    answer(annotator, sample_id)
            time.sleep(THINK_S * rng.random())

    threads = [threading.Thread(target=annotate, args=(number,)) for number in range(ANNOTATORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for what, values in latencies.items():
        counted = [value for at, value in values if at > seconds / 4]
        p50, p90, p99 = np.percentile(counted, (50, 90, 99))
        rate = len(counted) / (seconds * 3 / 4)
        print(f"{name:12} {what:6} p50 {p50:6.1f}  p90 {p90:6.1f}  p99 {p99:6.1f}  max {max(counted):6.1f} ms", end="")
        print(f"   {rate:.0f}/s, n {len(counted)}")


def floor(store: LabelStore) -> None:
    """Durable commits of the two statements that every query needs, nothing else going on.

    Past the verbs of the store, as it is the floor under them.
    """
    database: Database = store._database
    latencies = []
    for _ in range(100):
        started = time.perf_counter()
        database.write(
            lambda connection: connection.execute(
                "INSERT INTO queries (query_id, campaign_id, annotator, strategy, query_size, opened_at) "
                "VALUES (-1, -1, 'nobody', '{}', 20, '2026-01-01')"
            ).fetchall()
        )
        latencies.append(1000 * (time.perf_counter() - started))
        time.sleep(0.01)
    print(
        "one small durable write  p50 {:.1f}  p90 {:.1f}  p99 {:.1f} ms".format(*np.percentile(latencies, (50, 90, 99)))
    )


def assert_no_double_lease(store: LabelStore, campaign: Campaign) -> None:
    """No sample was leased to two people at one time, by the store.

    By SQL on its own file: no verb tells of leases that have ended, and the store stays open.
    """
    rows = store._database.read(
        """WITH spans AS (
            SELECT sample_id, annotator, leased_at, coalesce(ended_at, expires_at) AS until,
                lead(leased_at) OVER (PARTITION BY sample_id ORDER BY leased_at, lease_id) AS next
            FROM leases WHERE campaign_id = $campaign_id)
        SELECT count(*) AS leases, count(DISTINCT sample_id) AS samples, count(*) FILTER (next < until) AS double
        FROM spans""",
        campaign_id=campaign.campaign_id,
    )
    print("{leases} leases of {samples} samples, {double} of them double".format(**rows[0]))
    assert rows[0]["double"] == 0


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)


def memory() -> float:
    """Resident memory of the process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
