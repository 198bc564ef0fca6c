"""What a query costs with 100,000 samples scored and embedded.

Measured:
- choice alone: each strategy on the whole pool, 20 samples, beside random choice (the floor);
- a query of 20 samples for 20 annotators in turn: choice, leases and the durable write together;
- the same from 20 threads that think in between, while labels are written.

Run: python -m tests.benchmarks.bench_query [samples]
"""

import argparse
import os
import platform
import resource
import tempfile
import threading
import time
import typing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from al_loop.records import Campaign, CampaignSettings, LabelInput, RetrainPolicy
from al_loop.sampler import Sampler
from al_loop.score_parts import EMBEDDINGS_FILE, IDS_FILE, SCORES_FILE, EmbeddingStore
from al_loop.scored_pool import ScoredPool
from al_loop.store import LabelStore
from al_loop.strategies import StrategyConfig
from models.card import TaskSpec
from tests.fixtures_store import plain_headers

EMBEDDING_SIZE = 128
QUERY_SIZE = 20
ANNOTATORS = 20
THINK_S = 1.0
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("samples", type=int, nargs="?", default=100_000)
    samples = parser.parse_args().samples
    print(f"numpy {np.__version__}, duckdb {duckdb.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    choice(samples)
    with tempfile.TemporaryDirectory() as name:
        store = LabelStore.open(Path(name) / "al_loop.duckdb")
        embeddings = EmbeddingStore(Path(name) / "scores")
        campaign = fill(store, embeddings, samples)
        sampler = Sampler(store, lambda campaign: embeddings)
        started = time.perf_counter()
        sampler.prepare(campaign)
        print(f"first query's reading of scores and embeddings: {time.perf_counter() - started:.2f} s")
        show("queries in turn", in_turn(sampler, campaign, 60))
        show("threads that think, labels written meanwhile", together(sampler, store, campaign))
        store.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def choice(samples: int) -> None:
    """Strategies on arrays."""
    rng = np.random.default_rng(0)
    pool = ScoredPool(
        sample_ids=np.arange(samples),
        scores={name: rng.random(samples, np.float32) for name in ("least_confidence", "margin", "entropy")},
        table=make_embeddings(samples + 500, rng),
        rows=np.arange(samples),
        covered_rows=np.arange(samples, samples + 500),
    )
    for strategy in typing.get_args(StrategyConfig):
        show(strategy.__name__, [timed(lambda s=strategy: s().select(pool, QUERY_SIZE, rng)) for _ in range(20)])


def make_embeddings(samples: int, rng: np.random.Generator) -> NDArray[np.float16]:
    """Twenty clusters, each spread in 8 of 128 directions, as a classifier leaves them."""
    centres = rng.standard_normal((20, EMBEDDING_SIZE), np.float32)
    spread = 0.3 * rng.standard_normal((20, 8, EMBEDDING_SIZE), np.float32)
    clusters = rng.integers(20, size=samples)
    position = rng.standard_normal((samples, 8), np.float32)
    result = np.empty((samples, EMBEDDING_SIZE), np.float16)
    for cluster in range(20):
        there = clusters == cluster
        result[there] = centres[cluster] + position[there] @ spread[cluster]
    return result


def fill(store: LabelStore, embeddings: EmbeddingStore, samples: int) -> Campaign:
    """A campaign whose samples are all scored by version v1."""
    store.campaigns.create(
        name="bench",
        tasks=[TaskSpec(task="classification", classes=["a", "b"])],
        root="/imagery",
        bands=None,
        settings=CampaignSettings(),
        policy=RetrainPolicy(),
        now=NOW,
    )
    campaign_id = store.campaigns.get("bench").campaign_id
    store.samples.register(campaign_id, plain_headers(samples), NOW)
    store.versions.add(campaign_id, "v1", 1, NOW)
    store.versions.promote(campaign_id, "v1", reason="bench", now=NOW)
    ids = store.samples.paths(campaign_id)[0]
    rng = np.random.default_rng(1)
    part = embeddings.new_part("v1")
    columns = {name: rng.random(samples, np.float32) for name in ("least_confidence", "margin", "entropy")}
    pq.write_table(pa.table({"sample_id": ids, "task": ["classification"] * samples, **columns}), part / SCORES_FILE)
    np.save(part / EMBEDDINGS_FILE, make_embeddings(samples, rng))
    np.save(part / IDS_FILE, ids)
    store.scores.ingest(campaign_id, "v1", part / SCORES_FILE, NOW)
    return store.campaigns.get("bench")


def in_turn(sampler: Sampler, campaign: Campaign, queries: int) -> list[float]:
    """Latencies in ms of queries one after the other."""

    def ask(index: int) -> None:
        sampler.query(campaign, annotator=f"annotator-{index % ANNOTATORS}", query_size=QUERY_SIZE, now=NOW)

    return [timed(lambda index=index: ask(index)) for index in range(queries)]


def together(sampler: Sampler, store: LabelStore, campaign: Campaign) -> list[float]:
    """Latencies in ms of threads that ask, label what they got one by one, think, and ask again."""
    latencies: list[float] = []

    def annotate(name: str, delay_s: float) -> None:
        time.sleep(delay_s)
        for turn in range(5):
            now = NOW + timedelta(seconds=turn)
            started = time.perf_counter()
            answer = sampler.query(campaign, annotator=name, query_size=QUERY_SIZE, now=now)
            latencies.append(1000 * (time.perf_counter() - started))
            for sample in answer.samples[:5]:
                given = LabelInput(sample_id=sample.sample_id, task="classification", annotator=name, classes=["a"])
                store.labels.record(campaign, [given], now)
            time.sleep(THINK_S)

    threads = [
        threading.Thread(target=annotate, args=(f"thread-{index}", THINK_S * index / ANNOTATORS))
        for index in range(ANNOTATORS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def timed(call: typing.Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def show(name: str, latencies: list[float]) -> None:
    """One row: p50, p99, slowest."""
    p50, p99 = np.percentile(latencies, (50, 99))
    print(f"{name:45} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   max {max(latencies):7.1f} ms   n {len(latencies)}")


if __name__ == "__main__":
    main()
