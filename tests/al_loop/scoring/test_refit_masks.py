"""Segmentation: labelled masks teach a head on cells, which ranks samples before there is a model."""

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import ClaspPE
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.rasters.reading import read_header
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from tests.data.empty_store import lay_empty_store
from tests.e2e.campaigns import field_of, write_pool

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = [field for field in SampleHeader.__struct_fields__ if field not in ("path", "digest")]


@pytest.fixture
def loop(tmp_path):
    layout = DataLayout(tmp_path / "data")
    layout.root.mkdir()
    store = LabelStore.open(lay_empty_store(layout.database))
    names = write_pool(tmp_path / "pool", 16, size=96)
    store.campaigns.create(
        name="c", tasks=[TaskSpec(task="segmentation", classes=["field"])], root=str(tmp_path / "pool"), bands=None,
        settings=CampaignSettings(reserve=ReserveSettings(share=0.2, minimum=2, block_m=500.0)), policy=RetrainPolicy(),
        now=NOW,
    )  # fmt: skip
    headers = [
        SampleHeader(
            path=name, **{field: getattr(read_header(tmp_path / "pool" / name, name), field) for field in FIELDS}
        )
        for name in names
    ]
    campaign = store.campaigns.get("c")
    store.samples.register(campaign.campaign_id, headers, NOW)
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    scores = CurrentScores(store, lambda campaign: EmbeddingStore(layout.scores(campaign.name)))
    sampler = Sampler(store, scores)
    refitter = HeadRefitter(store, layout, scores, lambda campaign: False, sampler.wants_bald, lambda: NOW)
    scorer = PoolScorer(store, layout, lambda: NOW)
    yield store, sampler, scores, refitter, scorer
    store.close()


def test_masks_rank_the_pool_by_cells(loop):
    store, sampler, scores, refitter, scorer = loop
    campaign = store.campaigns.get("c")
    scorer.score(campaign, FEATURES, on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event())
    pool = store.samples.paths(campaign.campaign_id, reserve=False)[0].tolist()
    assert refitter.refit(campaign) is None
    record_labels(
        store,
        campaign,
        [
            LabelInput(sample_id=number, task="segmentation", annotator="a", features=field_of(96), crs="pixel")
            for number in pool[:6]
        ],
        NOW,
    )
    report = refitter.refit(campaign)
    assert report is not None
    assert report.ranks
    assert report.labels == 6
    assert report.held_out_accuracy > 0.8
    current = scores.of(campaign)
    assert current.version == "head:features"
    assert len(current.sample_ids) == 16
    assert current.stratum_table.shape == (16, 2)  # background and field
    assert np.isfinite(current.scores["entropy"]).all()
    answer = sampler.query(campaign, annotator="b", query_size=4, strategy=ClaspPE(), now=NOW)
    assert answer.ranking.version == "head:features"
    assert not answer.ranking.stale
