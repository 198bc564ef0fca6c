"""Campaigns with several tasks: a head for each, one ranking of all."""

import shutil
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
from al_loop.querying.strategies import Badge, ClaspPE
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.rasters.reading import read_header
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES
from tests.al_loop.scoring.fixtures import serve_measured
from tests.e2e.campaigns import CLASSES, field_of, truth, write_pool

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = [field for field in SampleHeader.__struct_fields__ if field not in ("path", "digest")]
SIZE, SAMPLES = 96, 24


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A data directory in which features and cells of a pool are described."""
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

    def entropies(self):
        scores = self.scores.of(self.campaign)
        assert scores.version == "head:features"
        return scores.scores["entropy"]


@pytest.fixture
def bench(scored, tmp_path):
    shutil.copytree(scored, tmp_path / "data")
    made = Bench(tmp_path / "data")
    yield made
    made.store.close()


def test_both_tasks_rank_one_pool(bench):
    bench.classify(bench.pool[:8])
    bench.draw(bench.pool[4:10])
    report = bench.refit()
    assert [(part.task, part.labels, part.ranks) for part in report.tasks] == [
        ("classification", 8, True),
        ("segmentation", 6, True),
    ]
    assert (report.ranks, report.labels, report.samples) == (True, 10, SAMPLES)
    assert (report.held_out_accuracy, report.reserve_accuracy, report.model_metric) == (None, None, None)
    assert report.trust == max(part.trust for part in report.tasks if part.trust is not None)
    scores = bench.scores.of(bench.campaign)
    assert (scores.labels, scores.skill) == (10, report.trust)
    for values in scores.scores.values():
        assert (values.min() >= 0, values.max()) == (True, 1)
    assert 0 < max(scores.entropies(bench.pool)) <= np.log(2)
    assert scores.probability_table.shape == scores.stratum_table.shape == (SAMPLES, 2)
    answer = bench.sampler.query(bench.campaign, annotator="b", query_size=5, now=NOW)
    assert not answer.ranking.stale
    assert not any("predicted as" in sample.reason for sample in answer.samples)  # all tasks count


def test_strategies_for_one_task_find_what_they_look_for(bench):
    bench.classify(bench.pool[:8])
    bench.draw(bench.pool[:6])
    bench.refit()
    found = [
        bench.sampler.query(bench.campaign, annotator=who, query_size=5, strategy=strategy, now=NOW).samples
        for who, strategy in (("b", Badge()), ("c", ClaspPE()))
    ]
    assert any("likeliest class at" in sample.reason for sample in found[0])
    assert any("regions predicted as" in sample.reason for sample in found[1])


def test_a_label_of_either_task_changes_the_ranking(bench):
    bench.classify(bench.pool[:8])
    bench.draw(bench.pool[:6])
    bench.refit()
    before = bench.entropies()
    bench.classify(bench.of("bright")[-1:], "dark")
    assert [part.labels for part in bench.refit().tasks] == [9, 6]
    after_class = bench.entropies()
    assert not np.array_equal(before, after_class)
    everywhere = field_of(SIZE)
    everywhere["features"][0]["geometry"]["coordinates"] = [[[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE], [0, 0]]]
    bench.draw(bench.of("dark")[-2:], everywhere)
    assert [part.labels for part in bench.refit().tasks] == [9, 8]
    assert not np.array_equal(after_class, bench.entropies())


def test_a_task_with_one_class_only_is_left_out(bench):
    bench.classify(bench.of("dark")[:4])
    assert bench.refit() is None  # no task has two answers
    bench.draw(bench.pool[:6])
    report = bench.refit()
    assert [part.task for part in report.tasks] == ["segmentation"]
    assert report.labels == 6
    scores = bench.scores.of(bench.campaign)
    assert (scores.probability_table, scores.nats) == (None, None)
    assert scores.scores["entropy"].max() <= np.log(2)  # of one task the values stay what they are
    bench.classify(bench.of("bright")[:4])
    assert [part.task for part in bench.refit().tasks] == ["classification", "segmentation"]


@pytest.mark.parametrize(
    ("classification", "trained_on", "better"),
    [(0.4, 2, [True, True]), (1.0, 2, [False, True]), (0.4, 8, [True, False]), (1.0, 8, [False, False])],
    ids=["both heads", "worse in classes", "worse in masks", "worse in both"],
)
def test_heads_rank_only_if_each_is_the_better_judge_of_its_task(bench, classification, trained_on, better):
    bench.classify([*bench.reserve[1:], *bench.pool[:8]])
    bench.classify(bench.reserve[:1], {"dark": "bright", "bright": "dark"}[bench.classes[bench.reserve[0]]])
    bench.draw(bench.pool[:8])
    serve_measured(bench.store, "c", {"segmentation": 0.5, "classification": classification}, NOW, labels=trained_on)
    report = bench.refit()
    assert [part.ranks for part in report.tasks] == better
    assert [part.model_metric for part in report.tasks] == [classification, 0.5]
    assert 0.4 < report.tasks[0].reserve_accuracy < 1.0
    assert report.ranks == all(better)
    assert (bench.scores.of(bench.campaign).version == "head:features") == all(better)


def test_a_head_that_joins_and_is_worse_hands_the_ranking_back(bench):
    bench.classify([*bench.reserve, *bench.pool[:8]])
    serve_measured(bench.store, "c", {"segmentation": 0.5, "classification": 0.4}, NOW, labels=8)
    assert bench.refit().ranks
    assert bench.scores.of(bench.campaign).version == "head:features"
    bench.draw(bench.pool[:8])
    assert not bench.refit().ranks
    assert bench.scores.of(bench.campaign).version == FEATURES  # the newest in the store: "v1" scored nothing
