"""Campaigns with classes and masks: a head for the classes, one ranking of all."""

import shutil
import threading
from datetime import UTC, datetime

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleHeader
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Badge, ClaspPE
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.rasters.reading import RasterHeader, read_header
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from tests.al_loop.scoring.fixtures import serve_measured
from tests.e2e.campaigns import CLASSES, field_of, truth, write_pool

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = [field for field in SampleHeader.__struct_fields__ if field in RasterHeader.__struct_fields__]
SIZE, SAMPLES = 96, 24


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A data directory in which features of a pool are described."""
    root = tmp_path_factory.mktemp("scored")
    layout = DataLayout(root / "data")
    layout.root.mkdir()
    store = LabelStore.open(layout.database)
    names = write_pool(root / "pool", SAMPLES, size=SIZE)
    tasks = [TaskSpec(task="classification", classes=CLASSES), TaskSpec(task="segmentation", classes=["field"])]
    campaign = store.campaigns.create(
        name="c", tasks=tasks, root=str(root / "pool"), bands=None,
        settings=CampaignSettings(reserve=ReserveSettings(share=0.3, minimum=2, block_m=500.0)),
        policy=RetrainPolicy(min_reserve_labels=2), now=NOW,
    )  # fmt: skip
    headers = []
    for name in names:
        header = read_header(root / "pool" / name, name)
        headers.append(SampleHeader(path=name, **{field: getattr(header, field) for field in FIELDS}))
    store.samples.register(campaign.campaign_id, headers, NOW)
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    PoolScorer(store, layout, lambda: NOW).score(
        campaign, FEATURES, on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event()
    )
    store.close()
    return layout.root


class Bench:
    def __init__(self, root):
        layout = DataLayout(root)
        self.store = LabelStore.open(layout.database)
        self.scores = CurrentScores(self.store, lambda campaign: EmbeddingStore(layout.scores(campaign.name)))
        self.sampler = Sampler(self.store, self.scores)
        self.refitter = HeadRefitter(
            self.store, layout, self.scores, lambda campaign: False, self.sampler.wants_bald, lambda: NOW
        )
        ids, paths = self.store.samples.paths(self.campaign.campaign_id)
        self.classes = {number: truth(path) for number, path in zip(ids.tolist(), paths, strict=True)}
        self.reserve = self.store.samples.paths(self.campaign.campaign_id, reserve=True)[0].tolist()
        self.pool = sorted(set(self.classes) - set(self.reserve))

    @property
    def campaign(self):
        return self.store.campaigns.get("c")

    def of(self, name):
        return [number for number in self.pool if self.classes[number] == name]

    def classify(self, sample_ids, answer=None):
        labels = [
            LabelInput(sample_id=number, task="classification", annotator="a", classes=[answer or self.classes[number]])
            for number in sample_ids
        ]
        record_labels(self.store, self.campaign, labels, NOW)

    def draw(self, sample_ids, features=None):
        labels = [
            LabelInput(
                sample_id=number, task="segmentation", annotator="a", features=features or field_of(SIZE), crs="pixel"
            )
            for number in sample_ids
        ]
        record_labels(self.store, self.campaign, labels, NOW)

    def refit(self):
        return self.refitter.refit(self.campaign)


@pytest.fixture
def bench(scored, tmp_path):
    shutil.copytree(scored, tmp_path / "data")
    made = Bench(tmp_path / "data")
    yield made
    made.store.close()


def test_masks_teach_no_head_and_classes_rank_the_pool(bench):
    bench.classify(bench.pool[:8])
    bench.draw(bench.pool[4:10])
    report = bench.refit()
    assert [(part.task, part.labels, part.ranks) for part in report.tasks] == [("classification", 8, True)]
    assert (report.ranks, report.labels, report.samples) == (True, 8, SAMPLES)
    assert (report.held_out_accuracy, report.reserve_accuracy, report.model_metric) == (None, None, None)
    scores = bench.scores.of(bench.campaign)
    assert (scores.labels, scores.skill) == (8, report.trust)
    assert scores.probability_table.shape == (SAMPLES, 2)
    assert scores.stratum_table is None
    answer = bench.sampler.query(bench.campaign, annotator="b", query_size=5, now=NOW)
    assert answer.ranking.labels_since == 2  # images with a mask only, which the ranking knows nothing of


def test_strategy_that_needs_predicted_regions_says_what_is_missing(bench):
    bench.classify(bench.pool[:8])
    bench.draw(bench.pool[:6])
    bench.refit()
    found = [
        bench.sampler.query(bench.campaign, annotator=who, query_size=5, strategy=strategy, now=NOW).samples
        for who, strategy in (("b", Badge()), ("c", ClaspPE()))
    ]
    assert any("likeliest class at" in sample.reason for sample in found[0])
    assert not any("regions predicted as" in sample.reason for sample in found[1])


def test_masks_alone_refit_nothing(bench):
    bench.draw(bench.pool[:6])
    assert bench.refit() is None
    assert bench.scores.of(bench.campaign).version == FEATURES
    bench.classify(bench.of("dark")[:4])
    assert bench.refit() is None  # one class only
    bench.classify(bench.of("bright")[:4])
    assert [part.task for part in bench.refit().tasks] == ["classification"]


@pytest.mark.parametrize(
    ("measured", "head", "ranks"),
    [
        ({"classification": 0.4}, True, True),
        ({"classification": 1.0}, False, False),
        ({"classification": 0.4, "segmentation": 0.5}, True, False),
        ({"segmentation": 0.5}, True, False),
    ],
    ids=["better in classes", "worse in classes", "the model knows masks, too", "the model knows masks only"],
)
def test_head_ranks_only_if_it_is_more_accurate_and_the_model_knows_nothing_else(bench, measured, head, ranks):
    bench.classify([*bench.reserve[1:], *bench.pool[:8]])
    bench.classify(bench.reserve[:1], {"dark": "bright", "bright": "dark"}[bench.classes[bench.reserve[0]]])
    bench.draw(bench.pool[:8])
    serve_measured(bench.store, "c", measured, NOW, labels=8)
    report = bench.refit()
    assert [part.ranks for part in report.tasks] == [head]
    assert [part.model_metric for part in report.tasks] == [measured.get("classification")]
    assert 0.4 < report.tasks[0].reserve_accuracy < 1.0
    assert report.ranks == ranks
    assert (bench.scores.of(bench.campaign).version == "head:features") == ranks


def test_model_that_knows_masks_takes_the_ranking_from_the_head(bench):
    bench.classify([*bench.reserve, *bench.pool[:8]])
    assert bench.refit().ranks
    assert bench.scores.of(bench.campaign).version == "head:features"
    bench.draw(bench.pool[:8])
    serve_measured(bench.store, "c", {"segmentation": 0.5, "classification": 0.4}, NOW, labels=8)
    assert not bench.refit().ranks
    assert bench.scores.of(bench.campaign).version == FEATURES  # the newest in the store: "v1" scored nothing
