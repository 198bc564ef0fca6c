"""Multi-label campaigns: answers of any number of classes teach a head that ranks the pool."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Badge, Bald, Margin
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE, SCORES_FILE
from tests.al_loop.scoring.fixtures import serve_measured
from tests.al_loop.store.fixtures import plain_headers
from tests.data.empty_store import lay_empty_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CLASSES = ["water", "forest"]
SAMPLES = 240


class Bench:
    """A campaign in which class k is present where value k of the embedding is positive, so that a quarter has none."""

    def __init__(self, root):
        layout = DataLayout(root)
        self.store = LabelStore.open(lay_empty_store(layout.database))
        self.store.campaigns.create(
            name="c", tasks=[TaskSpec(task="classification", classes=CLASSES, multi_label=True)], root="/imagery",
            bands=None, settings=CampaignSettings(reserve=ReserveSettings(share=0.2, minimum=10)),
            policy=RetrainPolicy(), now=NOW,
        )  # fmt: skip
        self.campaign_id = self.store.campaigns.get("c").campaign_id
        self.store.samples.register(self.campaign_id, plain_headers(SAMPLES), NOW)
        ids = self.store.samples.paths(self.campaign_id)[0]
        values = np.random.default_rng(0).standard_normal((SAMPLES, 4)).astype(np.float32)
        self.values = dict(zip(ids.tolist(), values, strict=True))
        part = EmbeddingStore(layout.scores("c")).new_part(FEATURES)
        np.save(part / EMBEDDINGS_FILE, values)
        np.save(part / IDS_FILE, ids)
        zeros = {name: np.zeros(SAMPLES, np.float32) for name in ("least_confidence", "margin", "entropy")}
        pq.write_table(pa.table({"sample_id": ids, "task": [""] * SAMPLES, **zeros}), part / SCORES_FILE)
        self.store.scores.ingest(self.campaign_id, FEATURES, part / SCORES_FILE, NOW)
        self.store.samples.draw_reserve(self.campaign_id, NOW)
        self.scores = CurrentScores(self.store, lambda campaign: EmbeddingStore(layout.scores(campaign.name)))
        self.sampler = Sampler(self.store, self.scores)
        self.refitter = HeadRefitter(
            self.store, layout, self.scores, lambda campaign: False, self.sampler.wants_bald, lambda: NOW
        )
        self.pool = self.store.samples.paths(self.campaign_id, reserve=False)[0].tolist()

    @property
    def campaign(self):
        return self.store.campaigns.get("c")

    def truth(self, sample_id):
        return [name for name, value in zip(CLASSES, self.values[sample_id], strict=False) if value > 0]

    def label(self, sample_ids, answer=None):
        labels = [
            LabelInput(
                sample_id=number, task="classification", annotator="anna", override_lease=True,
                classes=self.truth(number) if answer is None else answer,
            )
            for number in sample_ids
        ]  # fmt: skip
        record_labels(self.store, self.campaign, labels, NOW)

    def query(self, strategy, size):
        return self.sampler.query(self.campaign, annotator="b", query_size=size, strategy=strategy, now=NOW)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_samples_near_a_border_of_some_class_come_first(bench):
    bench.label(bench.pool[:60])
    report = bench.refitter.refit(bench.campaign)
    assert (report.ranks, report.labels, report.samples, report.tasks) == (True, 60, SAMPLES, [])
    assert report.held_out_accuracy > 0.85
    assert report.trust > 0.6
    answer = bench.query(Margin(), 20)
    assert answer.ranking.version == "head:features"
    assert not answer.ranking.stale
    picked = [bench.values[s.sample_id] for s in answer.samples if s.reason.startswith("uncertain")]
    assert len(picked) >= 8  # the others are of the test reserve

    def to_borders(values):
        return float(np.abs(np.stack(values)[:, :2]).mean())

    assert to_borders(picked) < 0.6 * to_borders([bench.values[number] for number in bench.pool[60:]])


def test_nothing_here_is_an_answer_that_teaches(bench):
    empty = [number for number in bench.pool if not bench.truth(number)]
    both = [number for number in bench.pool if len(bench.truth(number)) == 2]
    bench.label(empty[:10])
    assert bench.refitter.refit(bench.campaign) is None  # all answers are alike
    bench.label(both[:10])
    report = bench.refitter.refit(bench.campaign)
    assert report.labels == 20
    assert report.held_out_accuracy > 0.8


def test_answers_that_are_all_alike_teach_nothing_whatever_their_classes(bench):
    bench.label(bench.pool[:30], CLASSES)
    assert bench.refitter.refit(bench.campaign) is None


@pytest.mark.parametrize(("served", "ranks"), [(0.5, True), (0.999, False)])
def test_head_and_model_are_compared_by_macro_f1(bench, served, ranks):
    reserve = bench.store.samples.paths(bench.campaign_id, reserve=True)[0].tolist()
    bench.label([*reserve, *bench.pool[:60]])
    serve_measured(bench.store, "c", {"classification": served}, NOW, labels=60, metrics={"classification": "macro_f1"})
    report = bench.refitter.refit(bench.campaign)
    assert report.labels == 60  # the reserve judges and never teaches
    assert report.model_metric == served
    assert 0.7 < report.reserve_accuracy < 0.999
    assert report.ranks == ranks
    assert (bench.scores.of(bench.campaign).version == "head:features") == ranks


def test_bald_is_there_and_badge_says_what_it_lacks(bench):
    bench.query(Bald(), 1)
    bench.label(bench.pool[10:60])
    bench.refitter.look(bench.campaign)
    scores = bench.scores.of(bench.campaign)
    assert 0 < scores.scores["bald"].max() <= np.log(2)
    assert scores.probability_table is None  # K independent probabilities are no distribution
    assert any("no class probabilities yet" in sample.reason for sample in bench.query(Badge(), 10).samples)
