"""Fixtures of choosing and scoring: a pool of small rasters, and a campaign whose parts are on disk and ingested."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import QueryAnswer
from al_loop.querying.sampler import Sampler
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE, SCORES_FILE
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene


@pytest.fixture
def raster_pool(tmp_path: Path) -> list[tuple[int, str]]:
    """Ids and paths of 9 rasters of 3 bands in two sizes; sample 9 is larger than a tile of the tiny model."""
    sizes = {1: (64, 48), 2: (64, 48), 3: (40, 70), 4: (64, 48), 5: (40, 70), 6: (64, 48), 7: (40, 70), 8: (64, 48)}
    sizes[9] = (300, 200)
    paths = []
    for sample_id, (width, height) in sizes.items():
        path = tmp_path / "pool" / f"{sample_id}.tif"
        make_scene(path, width=width, height=height, seed=sample_id, nodata_as="value" if sample_id % 2 else None)
        paths.append((sample_id, str(path)))
    return paths


@pytest.fixture
def embedding_store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "scores")


@pytest.fixture
def add_scores(label_store: LabelStore, embedding_store: EmbeddingStore) -> Callable[..., None]:
    """Write and ingest a part: uniform random uncertainties and embeddings for the ids, as pool scoring leaves them."""

    def add(campaign: Campaign, version: str, sample_ids: Sequence[int], *, seed: int = 0, size: int = 8) -> None:
        rng = np.random.default_rng(seed)
        part = embedding_store.new_part(version)
        ids = np.sort(np.asarray(sample_ids, np.int64))
        columns: dict[str, object] = {"sample_id": ids, "task": [""] * len(ids)}
        if version != FEATURES:
            columns["task"] = ["classification"] * len(ids)
        for name in ("least_confidence", "margin", "entropy"):
            values = np.zeros(len(ids)) if version == FEATURES else rng.random(len(ids))
            columns[name] = values.astype(np.float32)
        pq.write_table(pa.table(columns), part / SCORES_FILE)
        np.save(part / EMBEDDINGS_FILE, rng.standard_normal((len(ids), size)).astype(np.float16))
        np.save(part / IDS_FILE, ids)
        label_store.scores.ingest(campaign.campaign_id, version, part / SCORES_FILE, NOW)

    return add


class PatientSampler(Sampler):
    """Answers a query once the background has done what it was asked before: the same answers in both modes."""

    def query(self, campaign: Campaign, *, now: datetime, **wanted: Any) -> QueryAnswer:
        self._prepare(campaign, now)
        self.wait()
        return super().query(campaign, now=now, **wanted)


@pytest.fixture(params=[False, True], ids=["ranks when asked", "ranks ahead"])
def make_sampler(
    request: pytest.FixtureRequest, label_store: LabelStore, embedding_store: EmbeddingStore
) -> Iterator[Callable[..., Sampler]]:
    """Factory of samplers of the label store, in either mode; production ranks ahead in the background."""
    made: list[Sampler] = []

    def make(seed: int = 0) -> Sampler:
        made.append(PatientSampler(label_store, CurrentScores(label_store, lambda _: embedding_store), seed))
        if request.param:
            made[-1].start()
        return made[-1]

    yield make
    for sampler in made:
        sampler.close()
